"""The summands of a gradient: what each step adds to it, in logarithms."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from rnnderive.chains.trace import Trace
from rnnderive.errors import InputError

__all__ = ["Contributions", "contributions"]


@dataclass(frozen=True, eq=False)
class Contributions:
    """The summands of a gradient, step by step.

    Attributes
    ----------
    wrt : str
    logs : array
        ln of the norm of what step k adds, k = 1..T, (T, …).
    total : float
        ln of the norm of their sum, over the batch too.
    """

    wrt: str
    logs: Any
    total: float

    @property
    def shares(self) -> Any:
        """Each norm over the sum of the norms, (T, …); zeros where there is no gradient."""
        top = self.logs.max(axis=0)
        sizes = np.exp(self.logs - np.where(np.isfinite(top), top, 0.0))
        whole = sizes.sum(axis=0)
        return sizes / np.where(whole > 0, whole, 1.0)

    def within(self, share: float = 0.99) -> int:
        """How many of the last steps make up that share of the norms; the median of a batch.

        Examples
        --------
        >>> Contributions("W", np.log([0.125, 0.125, 0.25, 0.5]), 0.0).within(0.75)
        2
        """
        tail = np.cumsum(self.shares[::-1], axis=0)
        return int(np.median((tail < share).sum(axis=0) + 1).clip(1, len(tail)))


def contributions(trace: Trace, wrt: str) -> Contributions:
    """‖λ^k ∂⁺s^k/∂W‖ for each step k; for an input ‖dL/dx^k‖, through this chain.

    Parameters
    ----------
    trace : Trace
    wrt : str
        A parameter of the cell, or an input sequence.

    Raises
    ------
    InputError
        For a network without a loss, and for a name that the cell does not read; a readout's gradient
        has no chain.

    Examples
    --------
    >>> import numpy as np
    >>> import rnnderive as rd
    >>> from rnnderive.chains import course, state
    >>> net = rd.Recurrence.parse("s[t] = a * s[t-1] + x[t]\\nL = sum(s[T])")
    >>> run = course.run(net, {"a": np.array([0.5])}, {"x": np.ones((4, 1))})
    >>> np.exp(contributions(Trace(state.chains(net)[0], run), "x").logs).round(6).tolist()
    [0.125, 0.25, 0.5, 1.0]
    """
    net = trace.chain.net
    if net.loss is None:
        raise InputError(
            "there is no loss, hence no gradient to add up; add a line such as L = squared_error(h[T], target). "
            "The norms of the chain itself need none"
        )
    found = trace.cotangents
    directions, scale = trace.ordered(found.directions), trace.ordered(found.logs)
    if wrt in trace.chain.map.inputs:
        return _of_input(trace, wrt, directions, scale)
    axes = len(trace.course.extent(net.leaf(wrt))) if wrt in net.leaves else 1
    top = _finite(scale.max())
    weights = np.exp(scale - top)
    logs = np.full((trace.T, *trace.course.lead), -np.inf)
    total: Any = 0.0
    for start, piece in trace.chain.pulled(trace.course, directions, wrt):
        steps = slice(start - 1, start - 1 + len(piece))
        logs[steps] = _log(_norms(piece, axes)) + scale[steps]
        scaled = piece * weights[steps].reshape(*weights[steps].shape, *([1] * axes))
        total = total + scaled.sum(axis=tuple(range(scaled.ndim - axes)))
    return Contributions(wrt, logs, float(_log(np.linalg.norm(np.ravel(total)))) + top)


def _of_input(trace: Trace, wrt: str, directions: Any, scale: Any) -> Contributions:
    """What x[t-j] passes to step t belongs to x^{t-j}: each lag's share at its own scale."""
    shares = list(trace.chain.pulled_input(trace.course, directions, wrt))
    moved = np.stack([_moved(scale, lag, -np.inf) for lag, _ in shares])
    top = moved.max(axis=0)
    top = np.where(np.isfinite(top), top, 0.0)
    whole = sum(
        _moved(share, lag, 0.0) * np.exp(at - top)[..., None] for (lag, share), at in zip(shares, moved, strict=True)
    )
    logs = _log(_norms(whole, 1)) + top
    highest = _finite(top.max())
    total = (whole * np.exp(top - highest)[..., None]).reshape(-1, whole.shape[-1]).sum(axis=0)
    return Contributions(wrt, logs, float(_log(np.linalg.norm(total))) + highest)


def _moved(series: Any, lag: int, beyond: float) -> Any:
    """At k what stands at k + lag; what is beyond the sequence is a constant."""
    out = np.full_like(series, beyond)
    steps = len(series)
    if abs(lag) < steps:
        out[max(-lag, 0) : steps - max(lag, 0)] = series[max(lag, 0) : steps - max(-lag, 0)]
    return out


def _norms(array: Any, axes: int) -> Any:
    """Euclidean norms over the last axes, of entries however small."""
    over = tuple(range(-axes, 0))
    top = np.abs(array).max(axis=over, keepdims=True)
    top = np.where(top > 0, top, 1.0)
    return np.sqrt(((array / top) ** 2).sum(axis=over)) * top.reshape(top.shape[:-axes])


def _finite(number: Any) -> float:
    return float(number) if np.isfinite(number) else 0.0


def _log(array: Any) -> Any:
    with np.errstate(divide="ignore"):
        return np.log(array)
