"""Local Jacobians at a point: one node is moved, another looked at, all other states held fixed.

By the complex step through the reference interpreter.  Where rounding may be what is left of a line,
1 − tanh² where tanh is saturated, both of its sides are taken again in many digits.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property, lru_cache, partial
from typing import Any

import numpy as np

from rnnderive.calculus import Factor, Graph, State
from rnnderive.checks.comparison import disagreement
from rnnderive.checks.differences import STEP, reference_values
from rnnderive.checks.points import Point, point
from rnnderive.checks.rounding import Precise, agree, central, in_digits
from rnnderive.derivation import Derivation
from rnnderive.language import Floats, Recurrence, Run
from rnnderive.language import terms as tm
from rnnderive.language.terms import Term

__all__ = ["Local", "local", "local_jacobian"]


class _Frozen(Run):
    """A run in which every state keeps a given value, but for those of one node."""

    frozen: dict[tuple[str, int | None], Any]
    own: frozenset[tuple[str, int | None]]

    def __init__(
        self, net: Recurrence, algebra: Any, values: Any, T: int, frozen: dict[tuple[str, int | None], Any],
        own: frozenset[tuple[str, int | None]],
    ) -> None:  # fmt: skip
        self.frozen, self.own = frozen, own
        super().__init__(Recurrence(()), algebra, values, T)  # nothing to run ahead: states are given
        self.net = net

    def at(self, name: str, step: int) -> Any:
        key = (name, step)
        return self.frozen[key] if key in self.frozen and key not in self.own else super().at(name, step)

    def timeless(self, name: str, step: int | None) -> Any:
        key = (name, None)
        if key in self.frozen and key not in self.own:
            return self.frozen[key]
        return super().timeless(name, step)


class Local:
    """Local Jacobians at a point, by moving one node and looking at another.

    `groups` are the states, each with the others of its node; `wrt` is a state that is
    differentiated in, if one is.
    """

    def __init__(
        self, net: Recurrence, groups: tuple[tuple[str, tuple[str, ...]], ...], wrt: tm.At | None, T: int, seed: int
    ) -> None:
        self.net, self.groups, self.T = net, dict(groups), T
        self.algebra, self.values = self.given(point(net, T=T, seed=seed))
        self.made_of = (net, groups, wrt, T, seed)
        self.plain = Run(net, self.algebra, self.values, T)
        self.states: dict[tuple[str, int | None], Any] = {}
        self.found: dict[tuple[Term, Term], str] = {}
        for name in self.groups:
            for step in range(1, T + 1) if net[name].timed else (None,):
                self.states[name, step] = self.now(name, step)
        if wrt is not None:
            place = self.place(wrt)
            self.states[place] = self.now(*place)

    def given(self, at: Point) -> tuple[Any, dict[str, Any]]:
        """The algebra of the runs, and the values."""
        return reference_values(self.net, at)

    def now(self, name: str, step: int | None) -> Any:
        """A name's value at the point, at a step or outside time."""
        return self.plain.at(name, step) if step is not None else self.plain.timeless(name, None)

    def place(self, leaf: Any) -> tuple[str, int | None]:
        return leaf.name, self.plain.index(leaf.index, None) if isinstance(leaf, tm.At) else None

    def step_of(self, name: str, step: int | None) -> list[tuple[str, int | None]]:
        """A state with the others of its cell at that step: they are computed with it, not held."""
        return [(n, step) for n in self.groups.get(name, (name,))]

    def jacobian(self, over: Term, under: Term) -> Any:
        """∂over/∂under, all other states held fixed."""
        own = frozenset(p for m in _parts(over) for p in self.step_of(*self.place(m)))
        own -= {self.place(m) for m in _parts(under)}  # what is moved keeps the value it is moved to
        columns = []
        for part in _parts(under):
            name, step = self.place(part)
            base = self.states.get((name, step))
            if base is None:
                base = self.now(name, step)
            value = partial(self._moved, name, step, own=own, over=over)
            columns += [self.slope(value, base, (i, j)) for j in range(base.shape[1]) for i in range(base.shape[0])]
        return np.concatenate(columns, axis=1)

    def slope(self, value: Callable[..., Any], base: Any, place: tuple[int, int]) -> Any:
        """How ``value(base)`` changes with one entry, by the complex step."""
        moved = base.astype(complex)
        moved[place] += STEP * 1j
        return value(moved, algebra=Floats(self.algebra.sizes, complex)).imag / STEP

    def _moved(self, name: str, step: int | None, moved: Any, *, own: Any, over: Term, algebra: Any) -> Any:
        values, frozen = dict(self.values), dict(self.states)
        if (name, step) in frozen:
            frozen[name, step] = moved
        elif step is not None:
            values[name] = [moved if s == step else v for s, v in enumerate(values[name], 1)]
        else:
            values[name] = moved
        run = _Frozen(self.net, algebra, values, self.T, frozen, own)
        return np.concatenate([self._value(run, m) for m in _parts(over)], axis=0)

    def _value(self, run: Run, leaf: Any) -> Any:
        name, step = self.place(leaf)
        return run.at(name, step) if step is not None else run.timeless(name, None)

    def wrong(self, factor: Factor, right: Term) -> str:
        """Where ``∂v/∂u = …`` is not true, in words; for running indices, at the steps 2 and 3.

        The Jacobians of a cell come up in the derivations of all its parameters: each is looked at once.
        """
        if (factor, right) not in self.found:
            free = {
                s for leaf in (*_parts(factor.over), *_parts(factor.under)) if isinstance(leaf, tm.At)
                for s in leaf.index.free_symbols
            } - {tm.T}  # fmt: skip
            words = (self._wrong(factor, right, dict.fromkeys(free, at)) for at in ((2, 3) if free else (0,)))
            self.found[factor, right] = next(filter(None, words), "")
        return self.found[factor, right]

    def _wrong(self, factor: Factor, right: Term, bound: dict[Any, int]) -> str:
        expected, found = self.sides(factor, right, bound)
        if found.shape != expected.shape:
            return f"shapes {found.shape} and {expected.shape}"
        result = disagreement(found, expected, within=1.0)  # a point's numbers are of order 1
        if result.bad is None or self.in_digits.same(factor, right, bound):
            return ""
        return f"they differ at {result.bad} by {result.largest:.1e}"

    def sides(self, factor: Factor, right: Term, bound: dict[Any, int]) -> tuple[Any, Any]:
        """Both sides of ``∂v/∂u = …``: the Jacobian by moving v's arguments, and the line's right side."""
        self.plain.bound = bound
        moved, written = self.jacobian(factor.over, factor.under), self.plain.term(right, None)
        self.plain.bound = {}
        return moved, written

    @cached_property
    def in_digits(self) -> _LocalInDigits:
        """The same in many digits, for where rounding may be what is left."""
        return _LocalInDigits(*self.made_of)


class _LocalInDigits(Local):
    """Local Jacobians in many digits, by central differences."""

    def given(self, at: Point) -> tuple[Any, dict[str, Any]]:
        algebra, values = super().given(at)
        digits = Precise(algebra.sizes)
        return digits, in_digits(digits, values)

    def slope(self, value: Callable[..., Any], base: Any, place: tuple[int, int]) -> Any:
        def at(by: Any) -> Any:
            moved = base.copy()
            moved[place] += by
            return value(moved, algebra=self.algebra)

        return central(self.algebra, at)

    def same(self, factor: Factor, right: Term, bound: dict[Any, int]) -> bool:
        """Whether a line's two sides are equal."""
        return all(agree(w, m) for m, w in zip(*(side.flat for side in self.sides(factor, right, bound)), strict=True))


@lru_cache(maxsize=8)
def _at_point(net: Recurrence, groups: tuple[Any, ...], wrt: tm.At | None, T: int, seed: int) -> Local:
    return Local(net, groups, wrt, T, seed)


def local(net: Recurrence, graph: Graph, T: int, seed: int) -> Local:
    groups = tuple((name, group.names) for name, group in graph.owner.items())
    wrt = graph.wrt if isinstance(graph.wrt, tm.At) and graph.wrt.name in net else None
    fixed = wrt is not None and not wrt.index.free_symbols - {tm.T}
    return _at_point(net, groups, wrt if fixed else None, T, seed)


def _parts(node: Term) -> tuple[Any, ...]:
    return node.terms if isinstance(node, State) else (node,)


def local_jacobian(d: Derivation, over: Term, under: Term, *, wrt: str, T: int = 3, seed: int = 0) -> Any:
    """∂over/∂under at a test point by the complex step, all other states held fixed."""
    return local(d.net, d.graph(wrt, T), T, seed).jacobian(over, under)
