"""Left sides: which quantity an equation of the text is about, at which step, in which indices."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, fields
from typing import Any

import sympy as sp

from rnnderive.errors import InputError
from rnnderive.hand.latex.derivatives import adjoint_name, below, gradient_of, is_derivative, is_loss, term_of
from rnnderive.hand.latex.indices import letters_in
from rnnderive.hand.latex.meaning import Meaning
from rnnderive.hand.latex.names import clean, key, parts_of, split_transpose
from rnnderive.hand.latex.static import Shape
from rnnderive.hand.latex.symbols import Place, locate, opened, undefined
from rnnderive.hand.latex.tree import (
    Atom,
    Derivation,
    Frac,
    Items,
    Node,
    Product,
    Row,
    Scripts,
)
from rnnderive.hand.problem import Problem
from rnnderive.language import terms as tm
from rnnderive.language.terms import Term

__all__ = ["Target", "Targets", "nodes"]


@dataclass
class Target:
    """What a left side is: a name at an index, or a derivative of the network.

    `letter` is the running index of the equation where it is not t, `shift` how many steps the left
    side is behind it; `fixed` is the step of an equation for one step alone.
    """

    name: str
    timed: bool
    node: Node
    row: Row
    given: str = ""
    letter: str = "t"
    shift: int = 0
    fixed: Any = None
    entries: list[str] = field(default_factory=list)
    expected: Callable[[], Term] | None = None
    wrt: str = ""
    shape: Shape | None = None


def nodes(node: Any) -> Iterator[Node]:
    """A node and all below it."""
    if isinstance(node, Node):
        yield node
        for f in fields(node):
            yield from nodes(getattr(node, f.name))
    elif isinstance(node, tuple):
        for part in node:
            yield from nodes(part)


class Targets:
    """Reads the left sides of a text's equations, and takes in the names that they define.

    Attributes
    ----------
    found : list of Target
    entry_shapes : dict
        Name → (rows, columns), of names whose entries are read; None for a size that is not known yet.
    """

    def __init__(self, problem: Problem, meaning: Meaning, lines: list[Row], wrt: str | None) -> None:
        self.problem, self.meaning, self.names, self.wrt = problem, meaning, meaning.names, wrt
        self.found: list[Target] = []
        self._below(lines)
        for row in lines:
            self.found += self._targets(row)
        self._entries()

    # ------------------------------------------------------------ left sides

    def _below(self, lines: list[Row]) -> None:
        """Note names that have the time as a subscript."""
        for row in lines:
            for node in nodes(row.sides):
                if isinstance(node, Scripts):
                    subs = parts_of(node.sub)
                    index = self.names.index(subs[-1]) if subs else None
                    if index is not None and index.has(tm.t, tm.T) and self.names.find(node.base, subs) is None:
                        name = self.names.find(node.base, subs[:-1])
                        if name is not None:
                            self.names.below.add(name)

    def _targets(self, row: Row) -> Iterator[Target]:
        if len(row.sides) == 1:
            if self.wrt is None:
                node = row.sides[0]
                raise self.meaning.error("found a formula without a left side; expected an equation, or say wrt=", node)
            if self.wrt not in self.problem.gradients:
                known = ", ".join(self.problem.gradients)
                raise InputError(f"wrt is {self.wrt!r}; expected one of {known}")
            name = self.names.adjoints[self.wrt]
            self.names.own.add(name)
            timed = self.names.timed[self.wrt]
            self.names.timed.setdefault(name, timed)
            yield Target(name, timed, row.sides[0], Row((row.sides[0], *row.sides), ()), name, wrt=self.wrt)
            return
        left = clean(row.sides[0])
        yield self._target(left, row)

    def _target(self, left: Node, row: Row) -> Target:
        entries: list[str] = []
        if isinstance(left, Frac) and is_derivative(left):
            over, under = clean(left.over), clean(left.under)
            assert isinstance(over, Derivation) and isinstance(under, Derivation)
            if is_loss(self.meaning, over.body):
                return self._gradient(under.body, left, row, over.kind)
            return self._jacobian(left, row)
        if isinstance(left, Derivation):
            return self._gradient(gradient_of(left), left, row, "d")
        if (isinstance(left, Product) and len(left.items) == 3 and left.signs[1] == "/") or _ratio(left):
            assert isinstance(left, Product)
            return self._target(Frac(left.line, left.column, left.items[0], left.items[1]), row)
        base, sub, sup, primes = opened(left)
        if key(base) is None or primes:
            raise self.meaning.error("expected a name, dL/dW or a partial derivative on the left", left)
        base, sub, entries = self._split_entries(base, sub, sup, row)
        place = self._place(base, sub, sup, left)
        target = Target(place.name, place.index is not None, left, row, entries=entries)
        self._own(base, sub, place)
        return self._indexed(target, place.index, left)

    def _own(self, base: Node, sub: Node | None, place: Place) -> None:
        subs = parts_of(sub)
        last = self.names.index(subs[-1]) if subs else None
        if place.index is not None and _is_step(last) and self.names.find(base, subs) is None:
            subs = subs[:-1]
        if place.name not in self.problem.net.leaves:
            self.names.define(base, subs, place.name, place.index is not None)

    def _place(self, base: Node, sub: Node | None, sup: Node | None, left: Node) -> Place:
        """The name and index of a left side; a letter above it other than t runs as well."""
        rest, transposes = split_transpose(sup)
        node = Scripts(left.line, left.column, base, sub, sup) if sub is not None or sup is not None else base
        letter = self._letter(rest)
        with self.names.reading({letter: tm.t} if letter else {}):
            place = locate(self.meaning, node)
        if place is None or place.rest is not None or transposes or place.transposes:
            raise self.meaning.error("expected a name on the left, such as \\delta^{t}", left)
        return place

    def _letter(self, sup: Node | None) -> str:
        """The running letter of a left side where it is not t."""
        letters = {n.head for n in nodes(sup) if isinstance(n, Atom)} if sup is not None else set()
        letters -= {"t", "T", "top"}
        return letters.pop() if len(letters) == 1 else ""

    def _indexed(self, target: Target, index: Any, left: Node) -> Target:
        """Take in the index of a left side: t, t−1, T, or a letter of its own."""
        if index is None:
            return target
        rest = split_transpose(opened(left)[2])[0] if not isinstance(left, Frac | Derivation) else None
        target.letter = self._letter(rest) or "t"
        if index.has(tm.t):
            shift = sp.expand(index - tm.t)
            if not shift.is_Integer:
                raise self.meaning.error("expected t, or a step from it, as the index on the left", left)
            target.shift = int(shift)
        else:
            target.fixed = index
        return target

    def _gradient(self, under: Node, left: Node, row: Row, kind: str) -> Target:
        base, sub, sup, _ = opened(under)
        base, sub, entries = self._split_entries(base, sub, sup, row)
        place = self._place(base, sub, sup, under)
        index = place.index
        of = place.name if index is None or index != 0 else f"{place.name}0"
        index = None if index is not None and index == 0 else index
        name = adjoint_name(self.meaning, of)
        target = Target(
            name, index is not None, left, row, name if name in self.names.inner else "", entries=entries, wrt=of
        )
        if index is not None:
            target.letter = self._letter(split_transpose(sup)[0]) or "t"
        target = self._indexed(target, index, left)
        if target.letter == "t" and index is not None:
            target.letter = self._letter(split_transpose(sup)[0]) or "t"
        if target.fixed is not None:
            v, u = self.problem.net.leaf(self.problem.net.loss or ""), self.meaning.partials.leaf(of, target.fixed)
            target.expected = lambda: self._known(kind, v, u, left)
            target.shape = (sp.S.One, u.shape[0] * u.shape[1])
        if target.fixed is None:  # at one step alone it is a claim about a derivative of the network
            self.names.own.add(name)
        self.names.timed.setdefault(name, target.timed)
        return target

    def _known(self, kind: str, over: Term, under: Term, node: Node) -> Term:
        """What a derivative of the network should be."""
        partials = self.meaning.partials
        found = partials.total(over, under) if kind == "d" else partials.partial(kind, over, under, None)
        if found is None:
            raise self.meaning.error("what this derivative should be is not known here", node)
        return found

    def _jacobian(self, left: Frac, row: Row) -> Target:
        """∂h^t/∂h^{t−1} = …: a claim about a derivative of the network."""
        over, under = clean(left.over), clean(left.under)
        assert isinstance(over, Derivation) and isinstance(under, Derivation)
        letter = self._letter(opened(over.body)[2])
        with self.names.reading({letter: tm.t} if letter else {}):
            v, u = below(self.meaning, over.body), below(self.meaning, under.body)
            for place, node in ((v, over.body), (u, under.body)):
                if not place.known:
                    undefined(self.meaning, place, node)
            a, b = term_of(self.meaning, v, left), term_of(self.meaning, u, left)
        timed = v.index is not None and v.index.has(tm.t)
        kind = over.kind
        name = self.fresh(f"J_{v.name}_{u.name}")
        target = Target(name, timed, left, row, letter=letter or "t", shape=(a.shape[0], b.shape[0] * b.shape[1]))
        target.expected = lambda: self._known(kind, a, b, left)
        return target

    def fresh(self, name: str) -> str:
        taken = {*self.problem.derivation.adjoint.leaves, *(t.name for t in self.found)}
        number, plain = 1, name
        while name in taken or name in self.names.own:
            number += 1
            name = f"{plain}_{number}"
        self.names.own.add(name)
        return name

    # ------------------------------------------------------------ index notation

    def _split_entries(
        self, base: Node, sub: Node | None, sup: Node | None, row: Row
    ) -> tuple[Node, Node | None, list[str]]:
        """The indices of entries at the end of a subscript on the left."""
        subs = parts_of(sub)
        if not subs or self.names.find(base, subs) is not None or self._is_printed(base, subs):
            return base, sub, []
        letters: list[str] = []
        kept = list(subs)
        while kept and len(letters) < 2:
            more = letters_in(kept[-1])
            if more is None or len(more) + len(letters) > 2 or (len(more) > len(set(more))):
                break
            letters = [*more, *letters]
            kept.pop()
            if self.names.find(base, kept) is not None or self._is_printed(base, kept):
                break
        if not letters or not set(letters) <= self._used_below(row):
            return base, sub, []
        if not kept:
            return base, None, letters
        if len(kept) == 1:
            return base, kept[0], letters
        return base, Items(kept[0].line, kept[0].column, tuple(kept)), letters

    def _is_printed(self, base: Node, subs: list[Node]) -> bool:
        found = key(base, subs)
        return found is not None and found in self.names.keys

    def _used_below(self, row: Row) -> set[str]:
        """Letters that stand as indices on the right."""
        found: set[str] = set()
        for side in row.sides[1:]:
            for node in nodes(side):
                if isinstance(node, Scripts) and node.sub is not None:
                    subs = parts_of(node.sub)
                    if self.names.find(node.base, subs) is None:
                        for part in subs:
                            found |= {n.head for n in nodes(part) if isinstance(n, Atom) and len(n.head) == 1}
                            for n in nodes(part):
                                if isinstance(n, Atom) and n.upright:
                                    found |= set(re.findall(r"\b\w\b", n.head))
        return found

    def _entries(self) -> None:
        """Shapes of names that the text gives by their entries."""
        self.entry_shapes: dict[str, Shape] = {}
        net, adjoint = self.problem.net, self.problem.derivation.adjoint
        for n in [*net.leaves, *net.initial_states]:
            self.entry_shapes[n] = net.shape(n)
        for target in self.found:
            if target.name in adjoint.leaves and target.name not in self.entry_shapes:
                self.entry_shapes[target.name] = adjoint.shape(target.name)
            elif target.entries:
                none: Any = None
                self.entry_shapes[target.name] = (none, none if len(target.entries) > 1 else sp.S.One)
            elif target.wrt in net.leaves:
                self.entry_shapes.setdefault(target.name, net.shape(target.wrt))


def _ratio(node: Node) -> bool:
    return (
        isinstance(node, Product)
        and len(node.items) == 2
        and node.signs[1] == "/"
        and all(isinstance(i, Derivation) for i in node.items)
    )


def _is_step(index: Any) -> bool:
    return index is not None and bool(index.has(tm.t) or index.has(tm.T))
