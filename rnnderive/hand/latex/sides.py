"""The right sides of equations in LaTeX, and what they tell of the shapes on their left."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

import sympy as sp

from rnnderive.errors import LanguageError
from rnnderive.hand.entries import by_entry, column_index, row_index
from rnnderive.hand.latex.indices import Indices
from rnnderive.hand.latex.meaning import Meaning
from rnnderive.hand.latex.static import Shape, make
from rnnderive.hand.latex.targets import Target
from rnnderive.hand.latex.tree import Node
from rnnderive.hand.problem import Problem
from rnnderive.language import terms as tm
from rnnderive.language.syntax import Raw
from rnnderive.language.terms import Term

__all__ = ["Sides"]

ROUNDS = 6


class Sides:
    """Reads right sides, each for what stands on its left.

    Attributes
    ----------
    asides : dict
        Name → brackets of which entries are read: quantities of their own.
    chained : bool
        Whether a product of partial derivatives was read.
    """

    def __init__(
        self, problem: Problem, meaning: Meaning, entry_shapes: dict[str, Shape], fresh: Callable[[str], str]
    ) -> None:
        self.problem, self.meaning, self.names = problem, meaning, meaning.names
        self.entry_shapes, self.fresh = entry_shapes, fresh
        self.chained = False
        self.asides: dict[str, tuple[Node, Raw]] = {}

    def right(self, target: Target, side: Node) -> Raw:
        """The right side of an equation, for every t."""
        meaning = self.meaning
        meaning.wrt, meaning.timed, meaning.in_sum = target.wrt, target.timed and target.fixed is None, False
        meaning.used = False
        with self.in_letters_of(target):
            if target.entries:
                return make(side, "term", data=self._by_entry(target, side))
            value = meaning.value(side)
            self.chained |= meaning.used
        return self._in_shape(target, value, side)

    def in_letters_of(self, target: Target) -> AbstractContextManager[None]:
        """What the left side calls the running step is t meanwhile: of δ^{k} it is k, of δ^{t-1} it is t − 1."""
        return self.names.reading({target.letter: tm.t - (target.shift if target.letter == "t" else 0)})

    def _expression(self, target: Target, side: Node) -> tuple[Any, Shape]:
        """A right side in index notation, and the shape that its indices tell."""
        indices = Indices(self.meaning, self.entry_shapes, self._aside)
        indices.letters = dict(zip(target.entries, (row_index, column_index), strict=False))
        expr = indices.value(side)
        rows, columns = (
            indices.range_of(x, [expr], side) if s is None else s
            for s, x in zip(self.entry_shapes[target.name], (row_index, column_index), strict=True)
        )
        self.entry_shapes[target.name] = (rows, columns)
        return expr, (rows, columns)

    def _by_entry(self, target: Target, side: Node) -> Term:
        expr, (rows, columns) = self._expression(target, side)
        leaves: dict[str, Term] = {}
        for name, (r, c) in self.entry_shapes.items():
            if r is not None and c is not None:
                leaves[name] = tm.At(name, tm.t, r, c) if self.names.timed.get(name) else tm.Parameter(name, r, c)
        pair = (column_index, row_index) if rows == 1 and columns != 1 else (row_index, column_index)
        try:
            return by_entry(expr, rows, columns, leaves, *pair)
        except LanguageError as error:
            raise self.meaning.error(error.message, side) from None

    def _aside(self, node: Node) -> tuple[str, Any]:
        """A bracket of which entries are read, as a quantity of its own, and the step at which it is read."""
        raw, letters = self.meaning.value(node), self.names.letters
        running = {s for index in letters.values() for s in index.free_symbols} - {tm.T}
        steps = {s for n in raw.walk() if n.op == "at" for s in n.data[1].free_symbols & running}
        if len(steps) > 1:
            raise self.meaning.error("found a bracket at several running steps, of which entries are read", node)
        step = next(iter(steps), None)
        if step not in (None, tm.t):  # the k of a sum: as a quantity it is for every t
            with self.names.reading({x: index.subs(step, tm.t) for x, index in letters.items()}):
                raw = self.meaning.value(node)
        name = next((n for n, other in self.asides.items() if other[0] == node), None)
        if name is None:
            name = self.fresh("bracket")
            self.names.timed[name] = step is not None
        self.asides[name] = (node, raw)
        shape = self.meaning.static.shape(raw)
        if shape is None:
            raise self.meaning.error("the shape of this bracket is not known yet", node)
        self.entry_shapes[name] = shape
        return name, step

    def _in_shape(self, target: Target, value: Raw, side: Node) -> Raw:
        """A row of derivatives by every entry of vec(W), put into the shape of W."""
        if target.shape is not None:  # blocks of zeros do not tell their size
            found = self.meaning.static.shape(value)
            if found is not None and found != target.shape and found[::-1] == target.shape:
                value = make(side, ".T", value)  # the derivative of the loss as a column
            return make(side, "+", value, make(side, "term", data=tm.Zeros(*target.shape)))
        loose = any(n.op == "fill" for n in value.walk()) and self.meaning.static.shape(value) in (None, (1, 1))
        if loose and target.name in self.problem.derivation.adjoint.leaves:
            whole = tm.Zeros(*self.problem.derivation.adjoint.shape(target.name))
            return make(side, "+", value, make(side, "term", data=whole))
        if not target.wrt or target.expected is not None or target.fixed is not None:
            return value
        shape = self.meaning.static.shape(value)
        wanted = self.problem.net.shape(target.wrt)
        if shape is None or shape[0] != 1 or (shape == wanted):
            return value
        if sp.expand(shape[1] - wanted[0] * wanted[1]) != 0:
            return value
        return make(side, "like", value, data=target.wrt)

    # ------------------------------------------------------------ shapes

    def learn(self, targets: list[Target]) -> None:
        """The shapes of the text's own names, as far as its equations tell them one after the other."""
        net = self.problem.net
        known: dict[str, Shape] = {n: net.shape(n) for n in [*net.leaves, *net.initial_states]}
        static = self.meaning.static
        static.shapes = known
        self._learn_in_turn(targets, known)
        for target in targets:  # else what looks like a gradient has the shape of what it is taken in
            if target.name not in known and target.wrt in net.leaves:
                known[target.name] = net.shape(target.wrt)
        self._learn_in_turn(targets, known)

    def _learn_in_turn(self, targets: list[Target], known: dict[str, Shape]) -> None:
        for _ in range(ROUNDS):
            before = len(known)
            for target in targets:
                if target.name not in known and (shape := self._told_by(target)) is not None:
                    known[target.name] = shape
            if len(known) == before:
                return

    def _told_by(self, target: Target) -> Shape | None:
        if target.entries:
            return self._told_by_entries(target)
        for side in target.row.sides[1:]:
            try:
                shape = self.meaning.static.shape(self.right(target, side))
            except LanguageError:
                continue
            if shape is not None:
                return shape
        return None

    def _told_by_entries(self, target: Target) -> Shape | None:
        self.meaning.timed, self.meaning.in_sum = target.timed, False
        for side in target.row.sides[1:]:
            try:
                with self.in_letters_of(target):
                    return self._expression(target, side)[1]
            except LanguageError:
                continue
        return None
