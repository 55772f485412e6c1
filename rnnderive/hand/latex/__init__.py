"""LaTeX as people write it, read into the language: tokens, a grammar, names, and what it means."""

from rnnderive.hand.latex.reading import read_latex

__all__ = ["read_latex"]
