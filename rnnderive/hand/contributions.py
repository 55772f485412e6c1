"""Which steps' contributions to a gradient are wrong, as far as its numbers tell."""

from __future__ import annotations

from typing import Any

import numpy as np

from rnnderive.calculus import Adjoint
from rnnderive.checks.points import Point
from rnnderive.hand.problem import Problem
from rnnderive.hand.variants import Course, course
from rnnderive.language import terms as tm
from rnnderive.language.terms import Term

__all__ = ["contributions", "deviating_steps"]

CLOSE = 1e-9


def deviating_steps(
    problem: Problem, run: Course, at: Point, name: str, claimed: Any, wrong: Adjoint | None = None
) -> tuple[int, ...]:
    """The steps at which a gradient goes wrong.

    Of a sequence, those with a wrong entry.  Of a sum over steps, those whose contribution is other
    in the wrong derivation that was diagnosed; without one, those whose contribution must be scaled
    to give the claimed sum, if any scaling gives it.

    Parameters
    ----------
    problem : Problem
    run : Course
        Of the correct adjoint.
    at : Point
    name : str
    claimed : array
    wrong : Adjoint, optional
    """
    gradient = problem.gradients[name]
    expected = run.number(gradient, at)[0]
    if claimed.shape != expected.shape:
        return ()
    if run.net[gradient].timed:
        bad = ~np.isclose(claimed, expected, rtol=CLOSE, atol=1e-12 * np.abs(expected).max(initial=0.0))
        return tuple(int(k) + 1 for k in np.flatnonzero(bad.reshape(at.T, -1).any(axis=1)))
    parts = contributions(run, gradient)
    if parts is None:
        return ()
    if wrong is not None and gradient in wrong.net:
        other = contributions(course(wrong.net, problem.net, at, None, run), gradient)
        if other is not None and np.allclose(other.sum(0).reshape(claimed.shape), claimed, rtol=1e-6):
            gaps = np.abs(other - parts).reshape(at.T, -1).max(axis=1)
            return tuple(int(k) + 1 for k in np.flatnonzero(gaps > CLOSE * np.abs(parts).max()))
    columns = parts.reshape(at.T, -1).T
    factors, *_ = np.linalg.lstsq(columns, claimed.ravel(), rcond=None)
    missed = np.abs(columns @ factors - claimed.ravel()).max(initial=0.0)
    if len(columns) <= at.T or missed > CLOSE * np.abs(claimed).max(initial=0.0):
        return ()
    return tuple(int(k) + 1 for k in np.flatnonzero(np.abs(factors - 1) > 1e-6))


def contributions(run: Course, gradient: str) -> Any:
    """What every step adds to a gradient that is a sum over steps, (T, rows, columns); None for another."""
    right = run.net[gradient].right
    total = None
    for part in right.args if isinstance(right, tm.Plus) else (right,):
        steps = _steps(run, part)
        if steps is None:
            return None
        total = steps if total is None else total + steps
    return total


def _steps(run: Course, part: Term) -> Any:
    inner = part.args[0] if isinstance(part, tm.BatchSum) else part
    if not isinstance(inner, tm.TimeSum):
        return None
    values = [run.term(inner.args[0], s).array for s in range(1, run.T + 1)]
    return np.stack([v.sum(axis=(0, 1)) for v in values])
