"""What the loss sends back to every state, in logarithms: λ^t = e^t + J_{t+1}ᵀ λ^{t+1}.

A cotangent is a unit vector and the logarithm of its length, so that a chain of a million steps
neither underflows nor overflows.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

__all__ = ["Cotangents", "sent_back"]

# Lengths are folded into the logarithm outside this range: far from both ends of float64.
SMALL, LARGE = 1e-60, 1e60


@dataclass(frozen=True, eq=False)
class Cotangents:
    """λ^t for every t.

    Attributes
    ----------
    directions : array
        Unit vectors (T, …, n); zero where nothing arrives.
    logs : array
        ln‖λ^t‖, (T, …); −∞ where nothing arrives.
    """

    directions: Any
    logs: Any

    def scaled(self, shift: Any = 0.0) -> Any:
        """The vectors themselves, times exp(−shift)."""
        return self.directions * np.exp(self.logs - shift)[..., None]


def sent_back(impulses: Any, pieces: Iterable[Any]) -> Cotangents:
    """Run the chain back in logarithms.

    Parameters
    ----------
    impulses : array
        e^t = ∂⁺L/∂s^t, (T, …, n), in the order of the chain: the last is where the chain starts.
    pieces : iterable of array
        The Jacobians J_t = ∂s^t/∂s^{t-1}, (steps, …, n, n) each, the latest piece first, in order
        of time within a piece.  That of the first step is not used.

    Returns
    -------
    Cotangents

    Examples
    --------
    >>> e = np.zeros((4, 1)); e[-1] = 1.0
    >>> sent_back(e, [np.full((4, 1, 1), 0.5)]).logs / np.log(2)
    array([-3., -2., -1.,  0.])
    """
    impulses = np.asarray(impulses, dtype=float)
    steps, lead = len(impulses), impulses.shape[1:-1]
    raw = np.empty(impulses.shape)
    scale = np.zeros((steps, *lead))
    raw[-1] = impulses[-1]
    busy = impulses.reshape(steps, -1).any(axis=1)
    v, s = _folded(raw[-1], np.zeros(lead), raw[-1])
    scale[-1] = s
    k = steps - 1  # J[k] leads from step k to step k − 1, counted from 0
    pull = _pull_one if not lead else _pull_each
    for piece in pieces:
        for jacobian in piece[::-1]:
            if k == 0:
                break
            k -= 1
            v = pull(v, jacobian, raw[k])
            if busy[k]:
                v, s = _joined(v, s, impulses[k], raw[k])
            v, s = _folded(v, s, raw[k])
            scale[k] = s
    lengths = np.sqrt((raw * raw).sum(axis=-1))
    with np.errstate(divide="ignore", invalid="ignore"):
        logs = np.log(lengths) + scale
        directions = np.where(lengths[..., None] > 0, raw / lengths[..., None], 0.0)
    return Cotangents(directions, logs)


def _pull_one(v: Any, jacobian: Any, out: Any) -> Any:
    return np.dot(v, jacobian, out=out)


def _pull_each(v: Any, jacobian: Any, out: Any) -> Any:
    np.matmul(v[..., None, :], jacobian, out=out[..., None, :])
    return out


def _joined(v: Any, s: Any, impulse: Any, out: Any) -> tuple[Any, Any]:
    """Add what the loss sends at this very step, at the larger of both scales."""
    sent, passed = np.abs(impulse).max(axis=-1), np.abs(v).max(axis=-1)
    new = np.log(np.where(sent > 0, sent, 1.0))
    top = np.where(sent == 0, s, np.where(passed == 0, new, np.maximum(s, new)))
    # What is zero has no scale of its own, and the other's may be infinitely far: no factor above 1.
    kept, added = np.exp(np.minimum(s - top, 0.0)), np.exp(np.minimum(new - top, 0.0))
    out[...] = v * kept[..., None] + impulse * (added / np.where(sent > 0, sent, 1.0))[..., None]
    return out, top


def _folded(v: Any, s: Any, out: Any) -> tuple[Any, Any]:
    """Move a length that nears the ends of floating point into the logarithm."""
    if v.ndim == 1:
        square = float(v.dot(v))
        if SMALL * SMALL < square < LARGE * LARGE:
            return v, s
        length = np.abs(v).max()  # the square of what is very small is zero
        if length == 0.0:
            return v, s
        out /= length
        return out, s + np.log(length)
    length = np.abs(v).max(axis=-1)
    away = (length > 0) & ((length < SMALL) | (length > LARGE))
    if not away.any():
        return v, s
    factor = np.where(away, length, 1.0)
    out /= factor[..., None]
    return out, s + np.log(factor)
