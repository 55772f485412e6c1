"""Differences: the loss at moved arguments, against the gradient.

The complex step f(x + ih) has no subtraction and is exact to rounding (Squire and Trapp 1998);
functions with kinks are defined by the real part here, so that it holds for them too, away from
the kink.  Central differences with Richardson extrapolation use no complex number at all.
Per-step contributions come from a network in which every step has parameters of its own, which
locates a missing factor.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from rnnderive.checks.points import Point, entries
from rnnderive.derivation import Derivation, derive, reference_run
from rnnderive.language import Equation, Floats, Recurrence, Run
from rnnderive.language import terms as tm
from rnnderive.programs import Program, prepare

__all__ = [
    "STEP",
    "central_differences",
    "complex_step",
    "contributions_by_steps",
    "gradient",
    "only",
    "reference_values",
    "step_by_step",
    "truncated_by_steps",
    "unshared",
]

STEP = 1e-30


def gradient(d: Derivation, at: Point) -> dict[str, Any]:
    """The gradient by the generated program."""
    return d.lambdify()(at.params, at.inputs)[1]


def _loss(d: Derivation, at: Point) -> Any:
    """The loss by the generated forward program, summed over a batch, without checks of the arrays."""
    return d.value.raw(at.params, at.inputs)[d.net.loss or ""].sum()


def _prepared(d: Derivation, at: Point, dtype: Any = np.float64) -> Point:
    arrays = prepare(d.net, at.params, at.inputs)
    tables = [
        {n: a if n == "T" else np.array(a, dtype) for n, a in table.items()} for table in (arrays.params, arrays.inputs)
    ]
    return Point(tables[0], tables[1], at.sizes, at.T, at.batch)


def complex_step(d: Derivation, at: Point, name: str) -> Any:
    """The gradient in every entry of one array, by the complex step on the forward program."""
    base = _prepared(d, at, complex)
    array = base[_key(base, name)]
    out = np.empty(array.shape)
    for index in entries(array):
        array[index] += STEP * 1j
        out[index] = _loss(d, base).imag / STEP
        array[index] = array[index].real
    return out


def central_differences(d: Derivation, at: Point, name: str, places: Iterable[tuple[int, ...]]) -> Any:
    """The gradient in some entries, by central differences extrapolated twice (Richardson)."""
    base = _prepared(d, at)
    array = base[name]
    out = []
    for index in places:
        here = array[index]

        def slope(h: float, index: tuple[int, ...] = index, here: float = here) -> float:
            sides = []
            for x in (here + h, here - h):
                array[index] = x
                sides.append(float(_loss(d, base)))
            array[index] = here
            return (sides[0] - sides[1]) / (2 * h)

        h = 2.0**-11
        d1, d2, d3 = slope(h), slope(h / 2), slope(h / 4)
        e1, e2 = (4 * d2 - d1) / 3, (4 * d3 - d2) / 3
        out.append((16 * e2 - e1) / 15)
    return np.array(out)


def _key(at: Point, name: str) -> str:
    if name not in at.params and name not in at.inputs:
        raise KeyError(name)
    return name


# ---------------------------------------------------------------- one step at a time


def reference_values(net: Recurrence, at: Point) -> tuple[Floats, dict[str, Any]]:
    """The algebra and the values for the reference interpreter at a point of one sequence."""
    plain = reference_run(net, prepare(net, at.params, at.inputs))
    assert isinstance(plain.algebra, Floats)
    return plain.algebra, plain.values


def unshared(net: Recurrence, names: Iterable[str]) -> Recurrence:
    """The network in which every step has parameters of its own: ``W`` becomes the input ``W[t]``.

    What stands outside time belongs to the last step.  A batch is then many networks side by side.

    Examples
    --------
    >>> net = Recurrence.parse("h[t] = tanh(W @ x[t] + U @ h[t-1])\\nL = sum(U) + sum(h[T])")
    >>> print(unshared(net, ["U"]))
    h[t] = tanh(W @ x[t] + U[t] @ h[t-1])
    L = sum(U[T]) + sum(h[T])
    """
    own = frozenset(names)

    def at(step: Any) -> Callable[[tm.Term], tm.Term | None]:
        def leaf(node: tm.Term) -> tm.Term | None:
            match node:
                case tm.Parameter() if node.name in own:
                    return tm.At(node.name, step, *node.shape)
                case tm.TimeSum():
                    return tm.TimeSum(tm.transform(node.args[0], at(tm.t)))
                case tm.BatchSum():  # each member is a network of its own
                    return tm.transform(node.args[0], leaf)
                case tm.Extent() if node.args[0] == tm.BATCH:
                    return tm.Number(1)
            return None

        return leaf

    equations = (Equation(e.left, tm.transform(e.right, at(tm.t if e.timed else tm.T))) for e in net.equations)
    return Recurrence(tuple(equations), net.loss, net.declared)


def contributions_by_steps(d: Derivation, at: Point, names: Iterable[str]) -> dict[str, Any]:
    """What each step adds to the gradient of parameters, by the complex step: name → (T, shape).

    One forward run of a batch, in which each member has one entry moved at one step.
    """
    places = [(n, k, index) for n in names for k in range(at.T) for index in entries(at[n])]
    net = unshared(d.net, names)
    base = _prepared(d, at, complex)
    params = {n: a for n, a in base.params.items() if n not in names}
    inputs: dict[str, Any] = {}
    for n, a in {**base.params, **base.inputs}.items():
        if n == "T":
            inputs[n] = a
        elif n in names:
            inputs[n] = np.tile(a, (at.T, len(places), *[1] * a.ndim))
        elif n not in params:
            timed = isinstance(d.net.leaves.get(n), tm.At)
            inputs[n] = np.repeat(np.expand_dims(a, int(timed)), len(places), axis=int(timed))
    for member, (n, k, index) in enumerate(places):
        inputs[n][(k, member, *index)] += STEP * 1j
    loss = net.loss or ""
    slopes = Program(net, net, {loss: loss}, function="value").raw(params, inputs)[loss].imag / STEP
    out = {n: np.empty((at.T, *np.shape(at[n]))) for n in names}
    for (n, k, index), slope in zip(places, slopes.reshape(len(places)), strict=True):
        out[n][(k, *index)] = slope
    return out


def only(base: Any, moved: Any, k: int, T: int) -> Any:
    """A parameter as a function of the step; what stands outside time belongs to the last step."""
    return lambda step: moved if (step or T) == k else base


class _Within(Run):
    """A run that keeps a given course at all steps further than `reach` from step `k`."""

    def __init__(self, net: Recurrence, algebra: Any, values: Any, T: int, course: Run, k: int, reach: int) -> None:
        self.course, self.k, self.reach = course, k, reach
        super().__init__(net, algebra, values, T)

    def at(self, name: str, step: int) -> Any:
        if 1 <= step <= self.T and abs(step - self.k) >= self.reach:
            return self.course.at(name, step)
        return super().at(name, step)


def truncated_by_steps(d: Derivation, at: Point, name: str, direction: Any) -> float:
    """⟨truncated gradient, direction⟩ without any adjoint.

    A parameter is moved at step k alone, and the network keeps its course from step
    k + truncate on: that is the gradient without the paths that truncation cuts.
    """
    assert d.truncate is not None
    algebra, values = reference_values(d.net, at)
    course = Run(d.net, algebra, values, at.T)
    moved = values[name] + STEP * 1j * np.asarray(direction).reshape(values[name].shape)
    total = 0.0
    for k in range(1, at.T + 1):
        here = {**values, name: only(values[name], moved, k, at.T)}
        run = _Within(d.net, Floats(algebra.sizes, complex), here, at.T, course, k, d.truncate)
        total += float(run[d.net.loss or ""][0, 0].imag) / STEP
    return total


def one_way(net: Recurrence) -> bool:
    """Whether all loops run in one direction of time, so that a path's length is how far it goes."""
    return len({s.direction for s in net.schedule if s.direction != "all"}) < 2


def step_by_step(d: Derivation, name: str) -> Program:
    """The program of what each step adds to the gradient."""
    return derive(d.net, (name,)).contributions(name)


def contributions(d: Derivation, at: Point, name: str) -> Any:
    """What each step adds to the gradient, by the generated program."""
    return step_by_step(d, name)(at.params, at.inputs)[name]
