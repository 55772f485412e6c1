"""Each line of a derivation is true in itself.

Equalities between sums and products of Jacobians are decided in the finite field; the total
derivatives dhᵗ/dW in them are what the tangent recurrence gives for every unit direction, so that
the chain does not check itself.  A local Jacobian ∂hᵗ/∂hᵗ⁻¹ is compared with the complex step
through the reference interpreter, all other states held fixed.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import sympy as sp

from rnnderive.calculus import Factor, Graph, State, Step, Total
from rnnderive.calculus.tangent import tangent
from rnnderive.checks.differences import STEP, disagreement, reference_values
from rnnderive.checks.identity import elements, field_for
from rnnderive.checks.points import point
from rnnderive.derivation import Derivation
from rnnderive.language import Equation, Floats, Recurrence, Run
from rnnderive.language import terms as tm
from rnnderive.language.terms import Term

__all__ = ["Mark", "check_steps", "local_jacobian", "total_derivatives"]

HORIZON = 5


@dataclass(frozen=True)
class Mark:
    """What was found out about one line.

    Attributes
    ----------
    step : Step
    ok : bool
    by : str
        ``field`` (exact) or ``complex step``.
    error : str
        Where the two sides differ; empty if they agree.
    """

    step: Step
    ok: bool
    by: str
    error: str = ""

    def __bool__(self) -> bool:
        return self.ok

    def __str__(self) -> str:
        return f"{'✓' if self.ok else '✗'} {self.step}" + (f"  {self.error}" if self.error else "")


def check_steps(d: Derivation, wrt: str, T: Any = tm.T, *, of: str | None = None, seed: int = 0) -> tuple[Mark, ...]:
    """Check every line of ``d.steps(wrt, T)``.

    Parameters
    ----------
    d : Derivation
    wrt : str
        As in :meth:`Derivation.steps`.
    T : int or symbol
        For the symbol, the lines are run with five steps.
    of : str, optional
    seed : int

    Returns
    -------
    tuple of Mark
        One for each line; all true when the derivation is.

    Examples
    --------
    >>> import rnnderive as rd
    >>> all(check_steps(rd.derive(rd.cells.vanilla()), "U", T=3))
    True
    """
    lines = d.steps(wrt, T, of=of)
    graph = d.graph(wrt, T, of)
    steps = int(graph.T) if graph.T.is_Integer else HORIZON
    net = graph.net  # for the symbol T a system of first order, with the names that the derivation has
    field = field_for(net, steps, seed=seed)
    values = elements(net, field, steps, seed)
    run = Run(net, field, values, steps)
    if isinstance(graph.wrt, tm.At):
        for k in graph.wrt.index.free_symbols - {tm.T}:
            run.bound[k] = min(2, steps)
    exact = {n for n in tm.parts(*(side for s in lines for side in (s.left, s.right))) if isinstance(n, Total)}
    run.totals = total_derivatives(run, graph, exact)  # type: ignore[attr-defined]
    local = _local(net, graph, steps, seed)
    return tuple(_factor(s, local) if isinstance(s.left, Factor) else _line(s, run) for s in lines)


def _line(step: Step, run: Run) -> Mark:
    left, right = run.term(step.left, None), run.term(step.right, None)
    wrong = _first_difference(left, right)
    return Mark(step, not wrong, "field", wrong)


def _first_difference(left: Any, right: Any) -> str:
    if left.shape != right.shape:
        return f"shapes {left.shape} and {right.shape}"
    bad = np.argwhere(left != right)
    return f"they differ at {tuple(int(k) for k in bad[0])}" if len(bad) else ""


# ---------------------------------------------------------------- total derivatives, by the tangent


def total_derivatives(run: Run, graph: Graph, wanted: set[Total]) -> dict[Any, Any]:
    """The totals dv/du, from the tangent recurrence and each unit direction of the target.

    Parameters
    ----------
    run : Run
        The network's run in the field.
    graph : Graph
    wanted : set of Total
        What occurs in the derivation.
    """
    net, wrt = graph.net, graph.wrt
    name, index = wrt.name, wrt.index if isinstance(wrt, tm.At) else None
    if index is not None and name in net:  # a state: shift it at one step
        net, name = _shifted(net, wrt)
        index = None
    pushed, names = tangent(net, (name,))
    shape = tuple(int(run.algebra.extent(s)) for s in wrt.shape)
    zero = run.algebra.full(shape[0], shape[1], 0)
    course = {**run.values, **{e.name: run[e.name] for e in graph.net.equations}}  # not moved: run once
    columns: dict[Any, list[Any]] = {t.args: [] for t in wanted}
    for direction in _units(run, shape):
        if index is None:
            value: Any = direction
        else:
            here = run.index(index, None)
            value = [direction if s == here else zero for s in range(1, run.T + 1)]
        values = {**course, names[name]: value}
        if net is not graph.net:
            values[name] = zero
        forward = Run(pushed, run.algebra, values, run.T, run.bound)
        for key, column in columns.items():
            column.append(_tangent_of(forward, names, key[0]))
    return {key: np.concatenate(column, axis=1) for key, column in columns.items()}


def _units(run: Run, shape: tuple[int, ...]) -> Iterator[Any]:
    """Unit directions, in the order of vec."""
    for j in range(shape[1]):
        for i in range(shape[0]):
            unit = run.algebra.full(shape[0], shape[1], 0)
            unit[i, j] = run.algebra.number(sp.S.One)[0, 0]
            yield unit


def _shifted(net: Recurrence, at: Any) -> tuple[Recurrence, str]:
    """The network with a parameter added to one sequence at one step; its name."""
    name = net.fresh("shift")
    place = at.index
    extra = tm.where("==", place, tm.Parameter(name, *at.shape))
    equations = tuple(Equation(e.left, tm.plus(e.right, extra)) if e.name == at.name else e for e in net.equations)
    return Recurrence(equations, net.loss, net.declared), name


def _tangent_of(run: Run, names: dict[str, str], over: Term) -> Any:
    if isinstance(over, State):
        return np.concatenate([_tangent_of(run, names, m) for m in over.terms], axis=0)
    rows = [int(run.algebra.extent(s)) for s in over.shape]
    name = names.get(over.name)
    if name is None:
        return run.algebra.full(rows[0], rows[1], 0)
    return run.at(name, run.index(over.index, None)) if isinstance(over, tm.At) else run.timeless(name, None)


# ---------------------------------------------------------------- local Jacobians, by the complex step


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


class _Local:
    """Local Jacobians at a point, by moving one node and looking at another.

    `groups` are the states, each with the others of its node; `wrt` is a state that is
    differentiated in, if one is.
    """

    def __init__(
        self, net: Recurrence, groups: tuple[tuple[str, tuple[str, ...]], ...], wrt: tm.At | None, T: int, seed: int
    ) -> None:
        self.net, self.groups, self.T = net, dict(groups), T
        self.algebra, self.values = reference_values(net, point(net, T=T, seed=seed))
        self.plain = Run(net, self.algebra, self.values, T)
        self.states: dict[tuple[str, int | None], Any] = {}
        self.found: dict[tuple[Term, Term], str] = {}
        for name in self.groups:
            for step in range(1, T + 1) if net[name].timed else (None,):
                self.states[name, step] = self.now(name, step)
        if wrt is not None:
            place = self.place(wrt)
            self.states[place] = self.now(*place)

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
            for j in range(base.shape[1]):
                for i in range(base.shape[0]):
                    moved = base.astype(complex)
                    moved[i, j] += STEP * 1j
                    columns.append(self._moved(name, step, moved, own, over).imag / STEP)
        return np.concatenate(columns, axis=1)

    def _moved(self, name: str, step: int | None, moved: Any, own: Any, over: Term) -> Any:
        values, frozen = dict(self.values), dict(self.states)
        if (name, step) in frozen:
            frozen[name, step] = moved
        elif step is not None:
            values[name] = [moved if s == step else v for s, v in enumerate(values[name], 1)]
        else:
            values[name] = moved
        algebra = Floats(self.algebra.sizes, complex)
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
        self.plain.bound = bound
        expected = self.jacobian(factor.over, factor.under)
        found = self.plain.term(right, None)
        self.plain.bound = {}
        if found.shape != expected.shape:
            return f"shapes {found.shape} and {expected.shape}"
        result = disagreement(found, expected, within=1.0)  # a point's numbers are of order 1
        return "" if result.bad is None else f"they differ at {result.bad} by {result.largest:.1e}"


@lru_cache(maxsize=8)
def _local_at(net: Recurrence, groups: tuple[Any, ...], wrt: tm.At | None, T: int, seed: int) -> _Local:
    return _Local(net, groups, wrt, T, seed)


def _local(net: Recurrence, graph: Graph, T: int, seed: int) -> _Local:
    groups = tuple((name, group.names) for name, group in graph.owner.items())
    wrt = graph.wrt if isinstance(graph.wrt, tm.At) and graph.wrt.name in net else None
    fixed = wrt is not None and not wrt.index.free_symbols - {tm.T}
    return _local_at(net, groups, wrt if fixed else None, T, seed)


def _parts(node: Term) -> tuple[Any, ...]:
    return node.terms if isinstance(node, State) else (node,)


def local_jacobian(d: Derivation, over: Term, under: Term, *, wrt: str, T: int = 3, seed: int = 0) -> Any:
    """∂over/∂under at a test point by the complex step, all other states held fixed."""
    return _local(d.net, d.graph(wrt, T), T, seed).jacobian(over, under)


def _factor(step: Step, local: _Local) -> Mark:
    """A line ``∂v/∂u = …``."""
    wrong = local.wrong(step.left, step.right)
    return Mark(step, not wrong, "complex step", wrong)
