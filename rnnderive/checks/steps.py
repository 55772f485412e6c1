"""Each line of a derivation is true in itself.

Equalities between sums and products of Jacobians are decided in the finite field; the total
derivatives dhᵗ/dW in them are what the tangent recurrence gives for every unit direction, so that
the chain does not check itself.  A local Jacobian ∂hᵗ/∂hᵗ⁻¹ is compared with the complex step; see
:mod:`rnnderive.checks.local`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import sympy as sp

from rnnderive.calculus import Factor, Graph, State, Step, Total
from rnnderive.calculus.tangent import tangent
from rnnderive.checks.identity import elements, field_for
from rnnderive.checks.local import Local, local, local_jacobian
from rnnderive.derivation import Derivation
from rnnderive.language import Equation, Recurrence, Run
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
    at_point = local(net, graph, steps, seed)
    return tuple(_factor(s, at_point) if isinstance(s.left, Factor) else _line(s, run) for s in lines)


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


def _factor(step: Step, at_point: Local) -> Mark:
    """A line ``∂v/∂u = …``."""
    wrong = at_point.wrong(step.left, step.right)
    return Mark(step, not wrong, "complex step", wrong)
