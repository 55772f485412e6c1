"""The notation table: how names and signs look, in each target. One home for it."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from rnnderive.printing.math import Accent, Frac, Letter, Math, Numeral, Prefix, Row, Script, Symbol, Word

__all__ = ["GREEK", "SIGNS", "Glyph", "Notation", "derivative", "name_math", "numbered", "with_index"]


class Glyph(NamedTuple):
    """A sign in each target."""

    latex: str
    typst: str
    text: str
    mathml: str


SIGNS: dict[str, Glyph] = {
    "": Glyph("", "", "", ""),
    "+": Glyph("+", "+", " + ", "<mo>+</mo>"),
    "-": Glyph("-", "-", " - ", "<mo>−</mo>"),
    "=": Glyph("=", "=", " = ", "<mo>=</mo>"),
    ",": Glyph(",", ",", ", ", '<mo separator="true">,</mo>'),
    ";": Glyph(";", r"\;", "; ", '<mo separator="true">;</mo>'),
    "odot": Glyph(r"\odot", "dot.o", " ⊙ ", "<mo>⊙</mo>"),
    "times": Glyph(r"\times", "times", " × ", "<mo>×</mo>"),
    "kron": Glyph(r"\otimes", "times.o", " ⊗ ", "<mo>⊗</mo>"),
    "cdot": Glyph(r"\cdot", "dot.op", " · ", "<mo>·</mo>"),
    "le": Glyph(r"\le", "<=", " ≤ ", "<mo>≤</mo>"),
    "ge": Glyph(r"\ge", ">=", " ≥ ", "<mo>≥</mo>"),
    "<": Glyph("<", "<", " < ", "<mo>&lt;</mo>"),
    ">": Glyph(">", ">", " > ", "<mo>&gt;</mo>"),
    "to": Glyph(r"\to", "arrow.r", " → ", "<mo>→</mo>"),
    "approx": Glyph(r"\approx", "approx", " ≈ ", "<mo>≈</mo>"),
    "infty": Glyph(r"\infty", "infinity", "∞", "<mi>∞</mi>"),
    "top": Glyph(r"\top", "top", "⊤", "<mo>⊤</mo>"),
    "partial": Glyph(r"\partial", "partial", "∂", "<mi>∂</mi>"),
    "partial+": Glyph(r"\partial^{+}", "partial^(+)", "∂⁺", "<msup><mi>∂</mi><mo>+</mo></msup>"),
    "d": Glyph("d", "d", "d", "<mi>d</mi>"),
    "prime": Glyph(r"\prime", "prime", "′", "<mo>′</mo>"),
    "dots": Glyph(r"\cdots", "dots.c", "⋯", "<mo>⋯</mo>"),
    "one": Glyph(r"\mathbf{1}", "bold(1)", "𝟏", "<mn>𝟏</mn>"),
    "zero": Glyph(r"\mathbf{0}", "bold(0)", "𝟎", "<mn>𝟎</mn>"),
    "sum": Glyph(r"\sum", "sum", "Σ", "<mo>∑</mo>"),
    "prod": Glyph(r"\prod", "product", "∏", "<mo>∏</mo>"),
}

GREEK: dict[str, str] = {
    "alpha": "α", "beta": "β", "gamma": "γ", "delta": "δ", "epsilon": "ε", "eta": "η", "theta": "θ",
    "kappa": "κ", "lambda": "λ", "mu": "μ", "nu": "ν", "xi": "ξ", "pi": "π", "rho": "ρ", "sigma": "σ",
    "tau": "τ", "phi": "φ", "chi": "χ", "psi": "ψ", "omega": "ω", "Delta": "Δ", "Phi": "Φ",
}  # fmt: skip

_MARKS = {"hat": "hat", "bar": "bar", "tilde": "tilde", "dot": "dot"}


def name_math(name: str) -> Math:
    """Typeset a name: ``C_add`` as C with an upright subscript, ``W_f`` with an italic one.

    A trailing 0 on a letter is the initial state's index (``h0`` is h⁰); ``_dot`` and
    ``_hat`` are accents on what stands before them (``n_y_hat`` is n with the index ŷ);
    Greek letters go by their names.
    """
    parts = [p for p in name.split("_") if p]
    if not parts:
        return Word(name)
    head, rest = parts[0], parts[1:]
    if head == "delta" and rest and rest[0] not in _MARKS:
        return Script(Letter("delta"), name_math("_".join(rest)))  # the δ of that name
    sup: Math | None = None
    initial = re.fullmatch(r"(.*[^\d])0", head if not rest else rest[-1])
    if initial:
        sup = Numeral("0")
        if rest:
            rest[-1] = initial[1]
        else:
            head = initial[1]
    digits = re.fullmatch(r"([^\W\d]+?)(\d+)", head)
    pieces = [_piece(digits[1] if digits else head)]
    for part in rest:
        if part in _MARKS:
            pieces[-1] = Accent(_MARKS[part], pieces[-1])
        else:
            pieces.append(_piece(part))
    if digits:
        pieces.insert(1, Numeral(digits[2]))
    base, *subscripts = pieces
    if not subscripts and sup is None:
        return base
    sub = subscripts[0] if len(subscripts) == 1 else Row(tuple(_listed(subscripts)))
    return Script(base, sub if subscripts else None, sup)


def _listed(pieces: Sequence[Math]) -> Iterator[Math]:
    """With commas between them."""
    for k, piece in enumerate(pieces):
        yield from (Symbol(","), piece) if k else (piece,)


def _piece(text: str) -> Math:
    if text.isdigit():
        return Numeral(text)
    if len(text) == 1 or text in GREEK:
        return Letter(text)
    return Word(text)


def numbered(letters: Iterable[str]) -> Iterator[str]:
    """The letters in their order, then those with a number: k, l, k_1, l_1, k_2, …

    Examples
    --------
    >>> list(itertools.islice(numbered("kl"), 5))
    ['k', 'l', 'k1', 'l1', 'k2']
    """
    letters = tuple(letters)
    return (f"{letter}{n or ''}" for n in itertools.count() for letter in letters)


def with_index(base: Math, index: Math) -> Math:
    """Put a time index on a name, as a superscript."""
    if isinstance(base, Script) and base.sup is None:
        return Script(base.base, base.sub, index)
    if isinstance(base, Frac):
        # dL/dh becomes dL/dh^t.
        under = base.under
        if isinstance(under, Prefix):
            return Frac(base.over, Prefix(under.sign, with_index(under.body, index)))
    if isinstance(base, Script):
        from rnnderive.printing.math import Fenced

        return Script(Fenced(base), None, index)
    return Script(base, None, index)


def derivative(over: Math, under: Math, kind: str = "d") -> Math:
    """A derivative: ``kind`` is ``d`` (total), ``partial``, or ``partial+`` (immediate)."""
    low = "partial" if kind == "partial+" else kind
    return Frac(Prefix(Symbol(kind), over), Prefix(Symbol(low), under))


@dataclass(frozen=True)
class Notation:
    """How the names of one recurrence are read.

    Parameters
    ----------
    loss : str
        Name of the loss, the L of dL/dW.
    adjoints : mapping
        Names that stand for a derivative of the loss: ``{"dW": "W"}`` typesets dW as dL/dW.
    """

    loss: str = "L"
    adjoints: Mapping[str, str] = field(default_factory=dict)

    def name(self, name: str) -> Math:
        """Typeset a name in the light of what is known about it."""
        if name in self.adjoints:
            return derivative(name_math(self.loss), self.name(self.adjoints[name]))
        return name_math(name)
