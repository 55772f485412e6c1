"""Formulas and numbers as matplotlib sets them."""

from __future__ import annotations

from rnnderive import printing as pr
from rnnderive.language import FUNCTIONS
from rnnderive.printing.notation import GREEK

__all__ = ["function_math", "mathtext", "number_text"]


def mathtext(node: pr.Math) -> str:
    """A formula for matplotlib."""
    return f"${pr.latex(node)}$"


def function_math(name: str) -> pr.Math:
    """The sign of an elementwise function: σ, tanh, ReLU."""
    symbol = FUNCTIONS[name].symbol or name
    return pr.Letter(symbol) if symbol in GREEK or len(symbol) == 1 else pr.Word(symbol)


def number_text(value: float, decimal: str) -> str:
    """A number of an axis with a language's decimal mark."""
    return f"{value:g}".replace("-", "−").replace(".", decimal)
