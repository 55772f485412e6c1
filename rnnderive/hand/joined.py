"""A person's equations read together with the network's: one system, with the network's shapes.

A reader (of text, of LaTeX) gives unshaped equations; the shapes of everything in them follow from
the network by unification, as in any text of the language.  A formula that would change a shape of
the network is an error that points at it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, TypeVar

import sympy as sp

from rnnderive.calculus import OrderedProduct, SumOver
from rnnderive.errors import LanguageError, ShapeError
from rnnderive.hand.missing import told
from rnnderive.language import Equation, Recurrence
from rnnderive.language import terms as tm
from rnnderive.language.schedule import reads
from rnnderive.language.shapes import Shapes, _Sizes
from rnnderive.language.syntax import Line, Raw, Text, read
from rnnderive.language.terms import Term

__all__ = ["Wide", "defined", "join", "renamed"]

E = TypeVar("E", bound=LanguageError)


@dataclass
class _Joined(Text):
    """A person's text, with the network's equations before it."""

    foreign: set[int] = field(default_factory=set)

    def error(self, kind: type[E], message: str, at: Raw | None) -> E:
        """An error that points into the person's text; what is the network's is said in words."""
        if at is not None and id(at) in self.foreign:
            return kind(f"{message} (in the network, at {self.excerpt(at)})")
        return super().error(kind, message, at)


class _Rigid(_Sizes):
    """Sizes of which some are the network's: they are neither numbers nor one another."""

    def __init__(self) -> None:
        super().__init__()
        self.whose: dict[Any, Any] = {}  # an unknown → the network's size that it is

    def equate(self, a: Any, b: Any, last: bool = False) -> bool:
        a, b = self.value(a), self.value(b)
        mine, other = self.whose.get(a), self.whose.get(b)
        if mine is not None and other is not None and mine != other:
            return False
        if (mine is not None and b.is_Integer) or (other is not None and a.is_Integer):
            return False
        good = super().equate(a, b, last)
        for known, size in ((mine, a), (other, b)):
            if known is not None and good and size in self.bound:
                self.whose.setdefault(self.value(size), known)
        return good


class _Clash(Exception):
    """A formula that would change a shape of the network."""


class Wide(Shapes):
    """Shapes of a text in which parts may be finished terms, or constants whose size the context gives.

    Beyond the language there are ``term`` (a term in the network's sizes), ``fill`` (𝟏, 𝟎 or I of a
    size that follows from use), ``blocks``, ``over`` (Σ or ∏ over an index other than t) and ``like``
    (a row or column put into the shape of a name).
    """

    def __init__(self, text: Text, net: Recurrence) -> None:
        self.net = net
        super().__init__(text, net.loss)

    def _meet(self, node: Raw) -> None:
        if not isinstance(self.sizes, _Rigid):
            self.sizes = _Rigid()
        seen = len(self.order)
        super()._meet(node)
        for name in self.order[seen:]:
            if name in self.net.leaves:
                for table, size in zip((self.rows, self.columns), self.net.shape(name), strict=True):
                    if size.is_Symbol:
                        self.sizes.whose[table[name]] = size
                    elif size.is_Integer:
                        self.sizes.bound[table[name]] = size

    def _unify(self, node: Raw, parts: Iterable[Raw]) -> None:
        """As in the language; a row whose length is open, beside a column of the network's, is a number."""
        assert isinstance(self.sizes, _Rigid)
        parts, value, whose = list(parts), self.sizes.value, self.sizes.whose
        if any(value(p.rows) in whose and value(p.columns) == 1 for p in parts):
            for p in parts:
                if value(p.rows) == 1 and value(p.columns).free_symbols - whose.keys():
                    self.sizes.equate(p.columns, sp.S.One)
            parts = [p for p in parts if not self._scalar(p)]
        super()._unify(node, parts)

    def _canonical(self, lines: list[Line]) -> dict[Any, Any]:
        naming = super()._canonical(lines)
        mine: dict[Any, Any] = {}
        for name in self._kept():
            for table, size in zip((self.rows, self.columns), self.net.shape(name), strict=True):
                found = self.sizes.value(table[name])
                if size.is_Symbol and (not found.is_Symbol or mine.setdefault(found, size) != size):
                    raise _Clash(f"{size} would be {self._words(found, mine)}")
                if not size.is_Symbol and sp.sympify(size).free_symbols == set() and found != size:
                    raise _Clash(f"{size} would be {found}")
        if len(set(mine.values())) < len(mine):  # one size of the network under two names
            raise _Clash("sizes would differ that are one")
        return {**naming, **mine}

    def _kept(self) -> list[str]:
        """Names of the network that stand here; a restated equation may do without some."""
        return [n for n in self.net.leaves if n in self.rows]

    def _words(self, size: Any, mine: dict[Any, Any]) -> Any:
        return sp.sympify(size).subs(mine)

    def here(self, size: Any) -> Any:
        """A size of the network in this text's unknowns."""
        table: dict[Any, Any] = {}
        for name in self._kept():
            for known, s in zip((self.rows, self.columns), self.net.shape(name), strict=True):
                if s.is_Symbol:
                    table.setdefault(s, known[name])
        return sp.expand(sp.sympify(size).subs(table, simultaneous=True))

    def _shape(self, node: Raw) -> tuple[Any, Any]:
        parts = node.parts
        match node.op:
            case "term":
                rows, columns = node.data.shape
                return self.here(rows), self.here(columns)
            case "fill":
                rows = self.sizes.fresh()
                return rows, rows if node.data is tm.Eye else self.sizes.fresh()
            case "blocks":
                return self._grid(node)
            case "over":
                if node.data[0] == "prod":
                    self._require(
                        self.sizes.equate(parts[0].rows, parts[0].columns), node, "expected a square", parts[0]
                    )
                return parts[0].rows, parts[0].columns
            case "like":
                return self.rows[node.data], self.columns[node.data]
        shape = super()._shape(node)
        if node.op == "@" and self.sizes.value(parts[0].rows) == 1 and any(n.op == "fill" for n in parts[1].walk()):
            self.sizes.equate(parts[1].columns, 1)  # a row times 𝟏 is a number
        if node.op == "@" and parts[0].op == ".T" and parts[0].parts[0].op == "fill":
            self.sizes.equate(parts[0].rows, 1)  # 𝟏ᵀ sums
        return shape

    def _grid(self, node: Raw) -> tuple[Any, Any]:
        width = node.data
        rows = [node.parts[k : k + width] for k in range(0, len(node.parts), width)]
        for row in rows:
            for part, top in zip(row, rows[0], strict=True):
                good = self.sizes.equate(part.rows, row[0].rows) and self.sizes.equate(part.columns, top.columns)
                self._require(good, part, "blocks of one row are equally high, of one column equally wide", part)
        return sp.Add(*(r[0].rows for r in rows)), sp.Add(*(p.columns for p in rows[0]))

    def build(self, node: Raw) -> Term:
        match node.op:
            case "term":
                return node.data
            case "fill":
                rows, columns = self.final(node.rows), self.final(node.columns)
                if any(str(s).startswith("_") for s in (rows + columns).free_symbols):
                    raise self._error("the size of this constant cannot be told from where it stands", node)
                return tm.Eye(rows) if node.data is tm.Eye else node.data(rows, columns)
            case "blocks":
                parts = [self.build(p) for p in node.parts]
                return tm.blocks([parts[k : k + node.data] for k in range(0, len(parts), node.data)])
            case "over":
                kind, index, first, last, rising = node.data
                body = self.build(node.parts[0])
                if kind == "sum":
                    return SumOver(body, index, first, last)
                return OrderedProduct(body, index, first, last, rising)
            case "like":
                body = self.build(node.parts[0])
                return tm.Unvec(body, *self.resolved(node.data))
        return super().build(node)


def defined(line: Line) -> str:
    """The name on the left."""
    return line.left.data if line.left.op == "name" else line.left.data[0]


def join(net: Recurrence, text: Text) -> Recurrence:
    """The network's equations and those of a text, which refer to them.

    An equation of the text for a name of the network stands in the place of the network's own.

    Raises
    ------
    LanguageError
        With the place in the text: for names that nobody defines, shapes that do not fit, cycles.
    """
    base = read(str(net))
    _check_names(net, text)
    shapes = _shaped(net, base, text, text.lines)
    equations = []
    for line in shapes.text.lines:
        left = shapes.build(line.left)
        assert isinstance(left, tm.At | tm.Parameter)
        equations.append(Equation(left, shapes.build(line.right), (shapes.text, line.left)))
    for e, line in zip(equations, shapes.text.lines, strict=True):
        if not e.timed and any(r.lag is not None and not r.whole for r in reads(e.right, True)):
            raise shapes.text.error(
                LanguageError,
                f"{e.name} has no time index but reads a sequence at the running step; "
                "expected a fixed step (h[T]) or a sum over time",
                line.left,
            )
    whole = Recurrence(tuple(equations), net.loss, net.declared)
    _ = whole.schedule
    return whole


def _shaped(net: Recurrence, base: Text, text: Text, lines: list[Line]) -> Wide:
    own = {defined(line): line for line in lines}
    before = [own.get(defined(line), line) for line in base.lines]
    after = [line for line in lines if defined(line) not in net]
    foreign = {id(n) for line in base.lines for side in (line.left, line.right) for n in side.walk()}
    whole = _Joined(text.source, [*before, *after], base.inputs, None, foreign)
    try:
        return Wide(whole, net)
    except _Clash as clash:
        for k in range(1, len(lines)):  # the first equation that does it
            _shaped(net, base, text, lines[:k])
        message = f"this equation does not fit the network: {clash}, a size of its own there"
        raise text.error(ShapeError, message, lines[-1].left) from None


def _check_names(net: Recurrence, text: Text) -> None:
    """Names defined twice, with and without a time index, or nowhere."""
    own: dict[str, Raw] = {}
    for line in text.lines:
        name = defined(line)
        if name in own:
            message = f"{name} is defined twice, first in line {own[name].line}; expected one equation for each name"
            raise text.error(LanguageError, message, line.left)
        own[name] = line.left
        if name in net.leaves and name not in net:
            message = f"{name} is given to the network, so that no equation defines it; its gradient is d{name}"
            raise text.error(LanguageError, message, line.left)
    timed = {n: isinstance(leaf, tm.At) for n, leaf in net.leaves.items()}
    timed |= dict.fromkeys(net.initial_states, False)
    timed |= {n: left.op == "at" for n, left in own.items()}
    timed |= {f"{n}0": False for n, left in own.items() if left.op == "at" and f"{n}0" not in timed}
    for node in _names(text.lines):
        name = node.data if node.op == "name" else node.data[0]
        if name not in timed:
            known = [*net.leaves, *(n for n in own if n not in net)]
            raise text.error(LanguageError, told(name, known, "defined nowhere"), node)
        if timed[name] != (node.op == "at"):
            want = f"{name}[t] or {name}[T]" if timed[name] else name
            raise text.error(LanguageError, f"found {name} {'without' if timed[name] else 'with'} a time index, "
                             f"expected {want}", node)  # fmt: skip


def _names(lines: Iterable[Line]) -> Iterator[Raw]:
    for line in lines:
        for node in (*line.left.walk(), *line.right.walk()):
            if node.op in ("name", "at"):
                yield node


def renamed(text: Text, names: dict[str, str]) -> None:
    """Put other names in the place of some, everywhere in a text."""
    for node in _names(text.lines):
        if node.op == "name":
            node.data = names.get(node.data, node.data)
        else:
            node.data = (names.get(node.data[0], node.data[0]), node.data[1])
