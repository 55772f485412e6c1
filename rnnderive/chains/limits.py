"""Upper bounds on a whole chain, along its run and whatever the run.

Of a Jacobian of several blocks the bounds are multiplied as matrices, and the norm is taken of their
product: the norm of a block of P is at most that entry of the product.  What a step multiplies with in
the long run is then the spectral radius, which may be below 1 where the norm of each factor is not: the
factor of a delay, [[A, B], [I, 0]], has a norm of at least 1 whatever A and B.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from rnnderive.chains.bounds import Bound, norm_bound
from rnnderive.chains.products import Scaled, operator_log_norms
from rnnderive.chains.trace import Trace
from rnnderive.errors import RnnDeriveError

__all__ = ["Bounds", "bounds"]

BLOCK_ENTRIES = 2**22  # of Jacobians that are bounded at once


@dataclass(frozen=True, eq=False)
class Bounds:
    """Upper bounds on a chain.  Made by :func:`bounds`.

    Attributes
    ----------
    step : Bound
        On one factor: its formula.
    blocks : array (b, b)
        On each block of a factor whatever the run, for these weights; infinite where there is none.
    lags : array
    logs : array
        ln of the bound along this run, (lags, …).
    rounding : float
        So close to 1 that floating point cannot tell.
    """

    step: Bound
    blocks: Any
    lags: Any
    logs: Any
    rounding: float

    @cached_property
    def limit(self) -> float:
        """What a step multiplies the chain with at most, whatever the run: the spectral radius of the blocks.

        Of a single block its bound itself.  Infinite where there is no bound.
        """
        if not np.isfinite(self.blocks).all():
            return math.inf
        if not np.linalg.matrix_power(self.blocks > 0, len(self.blocks)).any():
            return 0.0
        return float(np.abs(np.linalg.eigvals(self.blocks)).max())

    @cached_property
    def whatever(self) -> Any:
        """ln of the bound before anything was run, (lags,): ‖blocks^lag‖, that is limit^lag of a single block."""
        if not np.isfinite(self.blocks).all():
            return np.where(self.lags > 0, math.inf, 0.0)
        return _powers(self.blocks, self.lags)

    @property
    def words(self) -> str:
        """What the bound says: the sufficient condition and the necessary one told apart."""
        if not np.isfinite(self.limit):
            return (
                "No bound holds whatever the run: a state or a weight enters without a limit. "
                "Along this run the bound is the one drawn."
            )
        single = len(self.blocks) == 1
        if self.limit == 0.0:
            what = "from one step to the next" if single else f"over {len(self.blocks)} steps"
            return f"Each factor is {'zero' if single else 'nilpotent'} whatever the input: nothing passes {what}."
        subject = "Each factor is" if single else "In the long run a step multiplies by"
        if abs(self.limit - 1.0) <= self.rounding:
            grows = "cannot explode" if single else "cannot explode exponentially"
            return f"{subject} at most 1, to rounding, whatever the input: the chain {grows}; it may still vanish."
        least = f"{subject} at most {_near_one(self.limit)}"
        if self.limit < 1.0:
            rate = -math.log(self.limit)
            nats = f"{rate:.4f}" if rate >= 0.001 else f"{rate:.1e}"
            return f"{least} < 1 whatever the input: sufficient for vanishing, by {nats} nats a step at least."
        return f"{least} ≥ 1: this is necessary for exploding, not sufficient; the chain may still vanish."


def bounds(trace: Trace) -> Bounds:
    """Bound a chain along its run, and whatever the run.

    Raises
    ------
    RnnDeriveError
        If the measured norms break a bound: an error of this package.

    Examples
    --------
    >>> import rnnderive as rd
    >>> net = rd.Recurrence.parse("h[t] = tanh(A @ h[t-1] + B @ h[t-2])", loss=None)
    >>> found = rd.analyze(net, {"A": 0.5 * np.eye(2), "B": 0.3 * np.eye(2)}, {"T": 60, "h0": np.ones(2)}).bounds
    >>> round(found.limit, 3), round(float(np.linalg.norm(found.blocks, 2)), 3)  # the norm alone says nothing
    (0.852, 1.127)
    """
    step = norm_bound(trace.chain.jacobian, trace.chain.net)
    course, eps = trace.course, float(np.finfo(trace.course.dtype).eps)
    rounding = 64 * math.sqrt(trace.size) * eps
    logs = operator_log_norms(_along(trace, step), trace.lags)
    blocks = step.block_limits(course)
    # The eigenvalues of a matrix are less certain than its entries.
    found = Bounds(step, blocks, trace.lags, logs, rounding if len(blocks) == 1 else max(rounding, math.sqrt(eps)))
    slack = rounding * (1 + trace.lags)
    for bound in (found.logs, found.whatever[:, None] if course.lead else found.whatever):
        if (trace.operator > bound + (slack[:, None] if course.lead else slack)).any():
            raise RnnDeriveError("the measured norm breaks its bound: an error of rnnderive; please report it")
    return found


def _along(trace: Trace, step: Bound) -> Iterator[Any]:
    """The bounds on the blocks of J_t, the latest steps of the chain first."""
    piece = max(1, BLOCK_ENTRIES // trace.size**2)
    starts = range(1, trace.T + 1, piece)
    for start in reversed(starts) if trace.chain.lag > 0 else starts:
        yield trace.ordered(step.blocks(trace.course, start, min(start + piece - 1, trace.T)))


def _powers(matrix: Any, lags: Any) -> Any:
    """ln‖M^l‖₂ for ascending lags."""
    power = Scaled.of(np.eye(len(matrix)))
    jumps: dict[int, Scaled] = {}
    out, at = [], 0
    for lag in map(int, lags):
        jump = lag - at
        if jump not in jumps:
            jumps[jump] = _power(matrix, jump)
        power = power @ jumps[jump]
        out.append(float(power.log_norm()))
        at = lag
    return np.array(out)


def _power(matrix: Any, exponent: int) -> Scaled:
    """M^l by squaring."""
    out, square = Scaled.of(np.eye(len(matrix))), Scaled.of(matrix)
    while exponent:
        if exponent & 1:
            out = out @ square
        square, exponent = square @ square, exponent >> 1
    return out


def _near_one(number: float) -> str:
    """Four digits, or how far from 1: never 1 by rounding."""
    away = abs(number - 1.0)
    return f"{number:.4f}" if away >= 0.001 else f"1 {'−' if number < 1 else '+'} {away:.1e}"
