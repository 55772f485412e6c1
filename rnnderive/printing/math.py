"""A formula as a small tree, independent of the language it is printed in.

The tree has few kinds of nodes; a target (LaTeX, Typst, text) is one function a node.
``level`` is the binding strength of a node: a parent asks for a level and puts
parentheses around what binds more weakly.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from typing import Any

__all__ = [
    "ATOM",
    "PRODUCT",
    "RELATION",
    "SCRIPT",
    "SUM",
    "Accent",
    "Big",
    "Call",
    "Cases",
    "Choice",
    "Fenced",
    "Frac",
    "Grid",
    "Infix",
    "Letter",
    "Math",
    "Numeral",
    "Prefix",
    "Row",
    "Script",
    "Symbol",
    "Tinted",
    "Word",
    "at_level",
    "contains",
    "letters",
    "rewritten",
    "with_decimal",
]

RELATION, SUM, PRODUCT, SCRIPT, ATOM = range(5)


@dataclass(frozen=True)
class Math:
    """Any node."""

    @property
    def level(self) -> int:
        """How tightly the node binds."""
        return ATOM


@dataclass(frozen=True)
class Letter(Math):
    """A variable: one letter, or a Greek letter by its name."""

    name: str


@dataclass(frozen=True)
class Word(Math):
    """An upright word inside a formula, such as a function's name or a long subscript."""

    text: str


@dataclass(frozen=True)
class Numeral(Math):
    """A number, written as given."""

    text: str


@dataclass(frozen=True)
class Symbol(Math):
    """A sign from the notation table, by name (``odot``, ``partial``, ``top``, ``dots`` …)."""

    name: str


@dataclass(frozen=True)
class Row(Math):
    """Parts side by side: a product by juxtaposition."""

    items: tuple[Math, ...]

    @property
    def level(self) -> int:
        return PRODUCT if len(self.items) > 1 else self.items[0].level


@dataclass(frozen=True)
class Prefix(Math):
    """A sign bound to what follows it, as in ``∂L`` or ``dW``."""

    sign: Math
    body: Math


@dataclass(frozen=True)
class Infix(Math):
    """Parts joined by signs: ``signs[k]`` stands before ``items[k]``; the first may be ''."""

    signs: tuple[str, ...]
    items: tuple[Math, ...]
    strength: int

    @property
    def level(self) -> int:
        return self.strength


@dataclass(frozen=True)
class Script(Math):
    """A base with a subscript, a superscript, or both."""

    base: Math
    sub: Math | None = None
    sup: Math | None = None

    @property
    def level(self) -> int:
        return SCRIPT


@dataclass(frozen=True)
class Frac(Math):
    """A fraction; ``inline`` targets write it with a slash."""

    over: Math
    under: Math

    @property
    def level(self) -> int:
        return SCRIPT


@dataclass(frozen=True)
class Fenced(Math):
    """Something between delimiters: ``(``, ``[``, ``|``, ``‖``."""

    body: Math
    fence: str = "("


@dataclass(frozen=True)
class Call(Math):
    """A function applied to arguments."""

    function: Math
    arguments: tuple[Math, ...]


@dataclass(frozen=True)
class Big(Math):
    """A large operator (``sum``, ``prod``) with bounds and a body."""

    sign: str
    lower: Math | None
    upper: Math | None
    body: Math

    @property
    def level(self) -> int:
        return SUM if self.sign == "sum" else PRODUCT


@dataclass(frozen=True)
class Accent(Math):
    """``dot``, ``hat``, ``bar`` or ``tilde`` over a base."""

    mark: str
    base: Math


@dataclass(frozen=True)
class Cases(Math):
    """A value that holds under a condition and is zero elsewhere: the condition in brackets times the value."""

    value: Math
    condition: Math

    @property
    def level(self) -> int:
        """What follows or stands before is no part of the value, which needs brackets unless it is one factor."""
        return min(SCRIPT, self.value.level)


@dataclass(frozen=True)
class Choice(Math):
    """Values under conditions, one a line."""

    cases: tuple[tuple[Math, Math], ...]


@dataclass(frozen=True)
class Grid(Math):
    """A matrix of entries between brackets."""

    rows: tuple[tuple[Math, ...], ...]


@dataclass(frozen=True)
class Tinted(Math):
    """A part in the colour of an arrow of a figure, and the arrow's number beneath it as a second cue.

    `tint` is a place in :data:`rnnderive.printing.style.TINTS`; `mark` may be empty.
    """

    body: Math
    tint: int
    mark: str = ""

    @property
    def level(self) -> int:
        return self.body.level


def at_level(node: Math, level: int) -> Math:
    """Return `node`, between parentheses if it binds more weakly than `level`."""
    return node if node.level >= level else Fenced(node)


def rewritten(node: Any, change: Callable[[Math], Math]) -> Any:
    """A formula with `change` applied to every node, the innermost first."""
    if isinstance(node, tuple):
        return tuple(rewritten(n, change) for n in node)
    if not isinstance(node, Math):
        return node
    inner = {f.name: rewritten(getattr(node, f.name), change) for f in fields(node)}
    return change(replace(node, **inner))


def contains(node: Any, kind: type[Math]) -> bool:
    """Whether a node of that kind stands somewhere in a formula.

    Examples
    --------
    >>> contains(Fenced(Row((Letter("W"), Letter("x")))), Letter), contains(Letter("W"), Frac)
    (True, False)
    """
    if isinstance(node, tuple):
        return any(contains(n, kind) for n in node)
    return isinstance(node, kind) or (
        isinstance(node, Math) and any(contains(getattr(node, f.name), kind) for f in fields(node))
    )


def letters(node: Any) -> frozenset[str]:
    """The letters in a formula.

    Examples
    --------
    >>> sorted(letters(Script(Letter("delta"), Letter("h"), Numeral("0"))))
    ['delta', 'h']
    """
    if isinstance(node, Letter):
        return frozenset({node.name})
    parts = node if isinstance(node, tuple) else [getattr(node, f.name) for f in fields(node)]
    return frozenset().union(*(letters(part) for part in parts if isinstance(part, tuple | Math)))


def with_decimal(node: Math, mark: str) -> Math:
    """A formula whose numerals have the decimal mark of a language.

    Examples
    --------
    >>> with_decimal(Row((Numeral("0.25"), Letter("x"))), ",")
    Row(items=(Numeral(text='0,25'), Letter(name='x')))
    """
    return rewritten(node, lambda n: Numeral(n.text.replace(".", mark)) if isinstance(n, Numeral) else n)
