"""A formula as it was written: what LaTeX says before anyone asks what it means."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = [
    "Accent",
    "Atom",
    "Big",
    "Constant",
    "Derivation",
    "Dots",
    "Frac",
    "Group",
    "Items",
    "Matrix",
    "Node",
    "Number",
    "Product",
    "Relation",
    "Row",
    "Scripts",
    "Sum",
]


@dataclass(frozen=True)
class Node:
    """Any node, and where it stands (from 1)."""

    line: int
    column: int


@dataclass(frozen=True)
class Number(Node):
    """Digits, perhaps with a point."""

    text: str


@dataclass(frozen=True)
class Atom(Node):
    """A letter, a Greek letter, an upright word, or a sign such as ⊤."""

    head: str
    upright: bool = False


@dataclass(frozen=True)
class Constant(Node):
    """𝟏 or 𝟎."""

    entry: int


@dataclass(frozen=True)
class Dots(Node):
    """⋯."""


@dataclass(frozen=True)
class Accent(Node):
    """A mark over something."""

    mark: str
    body: Node


@dataclass(frozen=True)
class Scripts(Node):
    """Sub- and superscripts and primes of a base."""

    base: Node
    sub: Node | None = None
    sup: Node | None = None
    primes: int = 0


@dataclass(frozen=True)
class Group(Node):
    """Something between delimiters: ``(``, ``[``, ``{``, ``<``, ``‖``."""

    body: Node
    fence: str


@dataclass(frozen=True)
class Items(Node):
    """Parts with commas, semicolons or colons between them."""

    items: tuple[Node, ...]
    mark: str = ","


@dataclass(frozen=True)
class Relation(Node):
    """``left sign right``: =, <, >, ≤, ≥, ∈."""

    left: Node
    sign: str
    right: Node


@dataclass(frozen=True)
class Frac(Node):
    """A fraction."""

    over: Node
    under: Node


@dataclass(frozen=True)
class Derivation(Node):
    """∂ or d before something; ``partial+`` is the immediate one."""

    kind: str
    body: Node


@dataclass(frozen=True)
class Product(Node):
    """Factors, each with the sign before it: '' for juxtaposition."""

    signs: tuple[str, ...]
    items: tuple[Node, ...]


@dataclass(frozen=True)
class Sum(Node):
    """Summands, each with its sign, '+' or '-'."""

    signs: tuple[str, ...]
    items: tuple[Node, ...]


@dataclass(frozen=True)
class Big(Node):
    """Σ or ∏ with bounds and a body."""

    kind: str
    lower: Node | None
    upper: Node | None
    body: Node


@dataclass(frozen=True)
class Matrix(Node):
    """Rows of cells; `kind` is ``matrix`` or ``cases``."""

    kind: str
    rows: tuple[tuple[Node, ...], ...]


@dataclass(frozen=True)
class Row:
    """One line: what is said to be equal, and when.

    Attributes
    ----------
    sides : tuple of Node
        Two or more; one where the line is a formula alone.
    conditions : tuple of Relation
    """

    sides: tuple[Node, ...]
    conditions: tuple[Relation, ...] = ()
