"""No formula leaves the page: displays broken into lines by measure.

A formula that is too wide is broken at the signs of its outermost sum, then at the factors of
its outermost product, then inside parentheses, and so on inwards; among all ways to break, the
one with the fewest and outermost breaks is taken; a wide matrix of numbers is written as the
transpose of a high one.  Both printers also measure what they set and scale down what is still
too wide.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

from rnnderive.printing import (
    PRODUCT,
    RELATION,
    Big,
    Call,
    Cases,
    Fenced,
    Frac,
    Grid,
    Infix,
    Letter,
    Math,
    Numeral,
    Prefix,
    Row,
    Script,
    Symbol,
    Word,
    text,
)
from rnnderive.printing.notation import SIGNS
from rnnderive.report.extent import SCRIPT, delimiter_width, height, sign_width, width

__all__ = ["Delimiter", "Display", "Line", "Piece", "Sign", "display", "lines", "pages", "spoken"]


@dataclass(frozen=True)
class Sign:
    """A sign that stands alone between two pieces, by its name in the notation table."""

    name: str


@dataclass(frozen=True)
class Delimiter:
    """One side of a pair of delimiters whose inside is on several lines."""

    glyph: str
    opening: bool
    height: float
    sub: Math | None = None
    sup: Math | None = None


Piece: TypeAlias = Math | Sign | Delimiter
_CLOSING = {"(": ")", "[": "]", "|": "|", "‖": "‖"}


@dataclass(frozen=True)
class Line:
    """What stands on one line, and how far it is indented (em)."""

    pieces: tuple[Piece, ...]
    indent: float = 0.0

    @property
    def width(self) -> float:
        """Estimated width with the indentation, in em."""
        return self.indent + sum(map(_piece, self.pieces))

    @property
    def height(self) -> float:
        """Estimated height, in em."""
        return max((p.height if isinstance(p, Delimiter) else height(p) for p in self.pieces
                    if not isinstance(p, Sign)), default=1.0)  # fmt: skip


def _piece(piece: Piece) -> float:
    match piece:
        case Sign(name):
            return sign_width(name, 1, "display")
        case Delimiter():
            scripts = [SCRIPT * width(s, "script") for s in (piece.sub, piece.sup) if s]
            return delimiter_width(piece.height) + max(scripts, default=0.0)
        case Math():
            return width(piece)


@dataclass(frozen=True)
class _Token:
    """Pieces that stay together; a break may stand before them, `depth` levels inside."""

    pieces: tuple[Piece, ...]
    depth: int
    lead: str = ""  # a sign shown only where the token begins a line

    @property
    def width(self) -> float:
        return sum(map(_piece, self.pieces))


def lines(node: Math, room: float) -> tuple[Line, ...]:
    """Break a formula into lines of at most `room` em, as far as it can be broken.

    Examples
    --------
    >>> from rnnderive.printing import Infix, Letter, SUM
    >>> long = Infix(("", *"+" * 9), tuple(Letter("x") for _ in range(10)), SUM)
    >>> [len(line.pieces) for line in lines(long, 9.0)]
    [9, 8, 2]
    """
    if width(node) <= room:
        return (Line((node,)),)
    return _pack(_expand(node, room, 0), room)


_STEP, _DEEPEST = 1.4, 6.0


def _indent(depth: int) -> float:
    return min(_STEP * depth, _DEEPEST)


def _expand(node: Math, room: float, depth: int) -> list[_Token]:
    """Tokens of a formula; what fits on a line of its own stays whole."""
    if depth and width(node) <= room - _indent(depth) - 1.5:
        return [_Token((node,), depth)]
    match node:
        case Infix(signs, items):
            return _expand_infix(signs, items, room, depth)
        case Row(items):
            return _expand_row(items, room, depth)
        case Fenced(body, fence):
            return _between(fence, _expand(body, room, depth + 1), height(body))
        case Call(function, arguments):
            inside = _expand_infix(("", *"," * (len(arguments) - 1)), arguments, room, depth + 1)
            return _behind(function, _between("(", inside, max(map(height, arguments))))
        case Script(base, sub, sup):
            return _scripted(node, _expand(base, room, depth), sub, sup, depth)
        case Prefix(sign, body):
            return _behind(sign, _expand(body, room, depth))
        case Big(sign, lower, upper, body):
            return _behind(Big(sign, lower, upper, Symbol("")), _expand(body, room, depth + 1))
        case Cases(value, condition):
            return _behind(Fenced(condition, "["), _expand(value, room, depth))
        case Frac(over, under) if not isinstance(over, Prefix | Symbol | Letter | Numeral | Word | Script):
            return _behind(Frac(Numeral("1"), under), _expand(Fenced(over), room, depth))
        case Grid(rows) if len(rows) < len(rows[0]) and all(map(_scalar, itertools.chain(*rows))):
            # A wide matrix of numbers is written as the transpose of a high one.
            return [_Token((Script(Grid(tuple(zip(*rows, strict=True))), None, Symbol("top")),), depth)]
    return [_Token((node,), depth)]


def _scalar(entry: Math) -> bool:
    """Whether an entry of a matrix is a number, so that it is its own transpose."""
    match entry:
        case Numeral():
            return True
        case Infix(_, items) | Row(items):
            return all(map(_scalar, items))
        case Script(base, None, sup):
            return _scalar(base) and sup is not None and _scalar(sup)
    return entry == Symbol("cdot")


def _expand_infix(signs: Sequence[str], items: Sequence[Math], room: float, depth: int) -> list[_Token]:
    out: list[_Token] = []
    for sign, item in zip(signs, items, strict=True):
        first, *rest = _expand(item, room, depth + 1)
        if sign in (",", ";") and out:
            out[-1] = replace(out[-1], pieces=(*out[-1].pieces, Sign(sign)))
        elif sign:
            first = replace(first, pieces=(Sign(sign), *first.pieces))
        out += [replace(first, depth=depth), *rest]
    return out


def _expand_row(items: Sequence[Math], room: float, depth: int) -> list[_Token]:
    out: list[_Token] = []
    for before, item in zip((None, *items), items, strict=False):
        first, *rest = _expand(item, room, depth + 1)
        signed = isinstance(item, Symbol) or isinstance(before, Symbol) or before is None
        out += [replace(first, depth=depth + 1, lead="" if signed else "cdot"), *rest]
    return [replace(out[0], depth=depth), *out[1:]]


def _between(fence: str, inside: list[_Token], high: float) -> list[_Token]:
    opening, closing = Delimiter(fence, True, high), Delimiter(_CLOSING[fence], False, high)
    inside[0] = replace(inside[0], pieces=(opening, *inside[0].pieces))
    inside[-1] = replace(inside[-1], pieces=(*inside[-1].pieces, closing))
    return inside


def _behind(head: Math, tokens: list[_Token]) -> list[_Token]:
    return [replace(tokens[0], pieces=(head, *tokens[0].pieces)), *tokens[1:]]


def _scripted(node: Math, tokens: list[_Token], sub: Math | None, sup: Math | None, depth: int) -> list[_Token]:
    last = tokens[-1].pieces[-1]
    if not isinstance(last, Delimiter):
        return [_Token((node,), depth)]
    closed = replace(last, sub=sub, sup=sup)
    return [*tokens[:-1], replace(tokens[-1], pieces=(*tokens[-1].pieces[:-1], closed))]


def _pack(tokens: list[_Token], room: float) -> tuple[Line, ...]:
    """The cheapest lines: few, broken far outside, none too wide (Knuth and Plass 1981, in small)."""
    widths = [t.width for t in tokens]
    best: list[tuple[float, int]] = [(0.0, 0)] + [(float("inf"), 0)] * len(tokens)
    for end in range(1, len(tokens) + 1):
        total = 0.0
        for start in range(end - 1, -1, -1):
            total += widths[start]
            used = total + _opening_width(tokens[start], start)
            if used > room and start < end - 1:
                break
            cost = best[start][0] + _cost(tokens[start].depth, used, room, start, end == len(tokens))
            if cost < best[end][0]:
                best[end] = (cost, start)
    out: list[Line] = []
    end = len(tokens)
    while end:
        start = best[end][1]
        out.append(_line(tokens[start:end], start))
        end = start
    return tuple(reversed(out))


def _opening_width(token: _Token, start: int) -> float:
    return _indent(token.depth) + (sign_width(token.lead, 1, "display") if token.lead else 0.0) if start else 0.0


def _cost(depth: int, used: float, room: float, start: int, last: bool) -> float:
    overfull = 1e4 * max(0.0, used - room)
    slack = 0.0 if last else 20 * (1 - min(used, room) / room) ** 2
    return overfull + slack + (100 + 60 * depth if start else 0)


def _line(tokens: Sequence[_Token], start: int) -> Line:
    pieces: list[Piece] = [Sign(tokens[0].lead)] if start and tokens[0].lead else []
    for token in tokens:
        pieces += token.pieces
    return Line(tuple(pieces), _indent(tokens[0].depth) if start else 0.0)


# ---------------------------------------------------------------- displays


@dataclass(frozen=True)
class Display:
    """Lines in two columns, aligned between them; `left` may be empty."""

    rows: tuple[tuple[Line | None, Line], ...]
    shadow: Line | None = None  # a left side of an earlier part, kept free of ink, for the alignment

    @property
    def height(self) -> float:
        """Estimated height, in em."""
        return sum(right.height + 0.5 for _, right in self.rows)


def spoken(shown: Display) -> str:
    """A display on one line of text, for readers who do not see it.

    Examples
    --------
    >>> from rnnderive.printing import Infix, Letter, RELATION
    >>> spoken(display([(Letter("y"), Letter("x"))], 35.0))
    'y = x'
    """
    sides = [side for row in shown.rows for side in row if side is not None]
    return " ".join("".join(_spoken(p) for line in sides for p in line.pieces).split())


def _spoken(piece: Piece) -> str:
    match piece:
        case Sign(name):
            return SIGNS[name].text
        case Delimiter():
            scripts = [f"{mark}{{{text(s)}}}" for mark, s in (("_", piece.sub), ("^", piece.sup)) if s]
            return piece.glyph + "".join(scripts)
        case Math():
            return f"{text(piece)} "


def display(rows: Iterable[tuple[Math | None, Math]], room: float) -> Display:
    """Lay out the lines ``left = right`` in at most `room` em.

    A left side of None continues the line above; one that is wider than a third of the room, or
    leaves a matrix too little, stands on a line of its own.
    """
    table = [row for left, right in rows for row in _relations(left, right)]
    lefts = [width(left) for left, _, _ in table if left is not None]
    column = max(lefts, default=0.0)
    if column > room / 3 or not lefts or any(_fits_below(right, room, column) for _, _, right in table):
        return Display(tuple(r for row in table for r in _hanging(*row, room)))
    return Display(tuple(r for row in table for r in _aligned(*row, room - column)))


def _fits_below(right: Math, room: float, column: float) -> bool:
    """Whether a matrix, which cannot be broken, has room on a line of its own and none beside the left sides."""
    return isinstance(right, Grid) and room - column < width(right) + 1.4 <= room - _STEP


_Relation: TypeAlias = "tuple[Math | None, str, Math]"


def _relations(left: Math | None, right: Math) -> list[_Relation]:
    """A chain a = b = c as lines; a formula without a relation sign has no left side."""
    if left is not None:
        return [(left, "=", right)]
    if isinstance(right, Infix) and right.strength == RELATION and "," not in right.signs and len(right.items) > 1:
        first, *rest = right.items
        signs = right.signs[1:]
        lead = first if right.signs[0] == "" else Infix(right.signs[:1], (first,), PRODUCT)
        return [(lead if k == 0 else None, s, i) for k, (s, i) in enumerate(zip(signs, rest, strict=True))]
    return [(None, "", right)]


def _aligned(left: Math | None, sign: str, right: Math, room: float) -> list[tuple[Line | None, Line]]:
    head = Sign(sign) if sign else Sign("=")
    lead = _piece(head)
    first, *rest = lines(right, room - lead)
    out: list[tuple[Line | None, Line]] = [
        (Line((left,)) if left is not None else None, Line((head, *first.pieces), first.indent))
    ]
    return out + [(None, Line(r.pieces, r.indent + lead)) for r in rest]


def _hanging(left: Math | None, sign: str, right: Math, room: float) -> list[tuple[Line | None, Line]]:
    if left is None and not sign:
        return [(None, line) for line in lines(right, room)]
    whole = Line((*((left,) if left is not None else ()), Sign(sign), right))
    if whole.width <= room:
        return [(None, whole)]
    out: list[tuple[Line | None, Line]] = [(None, line) for line in lines(left, room)] if left is not None else []
    first, *rest = lines(right, room - _STEP - 1.4)
    out.append((None, Line((Sign(sign), *first.pieces), _STEP + first.indent)))
    return out + [(None, Line(r.pieces, r.indent + _STEP + 1.4)) for r in rest]


def pages(shown: Display, whole: float = 24.0, room: float = 12.0) -> tuple[Display, ...]:
    """Split a display higher than `whole` em into parts of about `room` em: a page may end between them."""
    if shown.height <= whole:
        return (shown,)
    out: list[list[tuple[Line | None, Line]]] = [[]]
    used = 0.0
    for row in shown.rows:
        high = row[1].height + 0.5
        if out[-1] and used + high > room:
            out.append([])
            used = 0.0
        out[-1].append(row)
        used += high
    lefts = [left for left, _ in shown.rows if left is not None]
    shadow = max(lefts, key=lambda line: line.width, default=None) if len(out) > 1 else None
    return tuple(Display(tuple(rows), shadow) for rows in out)
