"""What truncated back-propagation and clipping change, measured on the chain.

Two things are called truncation.  A *window* of K keeps, of every loss, the K latest steps (Williams
and Peng 1990): of the terms at k ≤ s those with s − k < K.  *Detaching* cuts the sequence into chunks
of K steps and lets nothing pass from a chunk into the one before: a loss early in a chunk reaches back
less far than one at its end.

Truncation changes the gradient of the cell's own parameters and no other; its bias is told of these.
Clipping by norm is as people do it, by the norm over all parameters of the network, the readout's too.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from rnnderive.chains.cotangents import Cotangents
from rnnderive.chains.trace import Trace
from rnnderive.errors import InputError

__all__ = ["Clipping", "Truncation", "clipping", "gradients", "truncation", "whole_gradient", "windowed"]


@dataclass(frozen=True, eq=False)
class Truncation:
    """The bias of truncated back-propagation against its length.

    Attributes
    ----------
    kind : str
        ``window`` or ``detach``.
    steps : array of int
        K.
    bias : array
        ‖G − G_K‖ / ‖G‖ over all parameters of the cell.
    cosine : array
        Of the angle between G and G_K.
    """

    kind: str
    steps: Any
    bias: Any
    cosine: Any

    def within(self, bias: float) -> int | None:
        """The least K from which on the bias stays within a bound."""
        good = self.bias <= bias
        if not good[-1]:
            return None
        bad = np.flatnonzero(~good)
        return int(self.steps[bad[-1] + 1 if len(bad) else 0])


@dataclass(frozen=True)
class Clipping:
    """What clipping at c changes.

    Attributes
    ----------
    threshold : float
    norm : float
        ‖G‖ over all parameters of the network, before.
    cell : float
        The same over the cell's own, to which the chain leads.
    factor : float
        What clipping the whole gradient by its norm multiplies it with: min(1, c/norm) (Pascanu et al. 2013).
    steps : float
        The fraction of steps at which clipping the signal ‖λ^t‖ at c on its way back would act.
    cosine : float
        Of the angle that the latter turns the cell's gradient by; the former leaves its direction.
    """

    threshold: float
    norm: float
    cell: float
    factor: float
    steps: float
    cosine: float


def gradients(trace: Trace, cotangents: Any) -> dict[str, Any]:
    """Σ_t λ^t ∂⁺s^t/∂W for the parameters of the cell, summed over a batch, for any λ in the chain's order."""
    out: dict[str, Any] = {}
    for name in trace.chain.reads:
        shape = trace.course.extent(trace.chain.net.leaf(name))
        total = np.zeros(shape)
        for _, piece in trace.chain.pulled(trace.course, trace.ordered(cotangents), name):
            total += piece.reshape(-1, *shape).sum(axis=0)
        out[name] = total
    return out


def whole_gradient(trace: Trace, cotangents: Any) -> dict[str, Any]:
    """dL/dW for all parameters: what comes through the chain, and what the readout and other chains read of their own.

    Initial states are no parameters here.
    """
    out = trace.chain.direct(trace.course)
    for name, part in gradients(trace, cotangents).items():
        out[name] = out.get(name, 0.0) + part
    return out


def windowed(trace: Trace, steps: int) -> Any:
    """λ with a window: of every impulse, what the `steps` latest steps receive, (T, …, n)."""
    impulses = trace.impulses
    busy = impulses.reshape(trace.T, -1).any(axis=1)
    out = impulses.copy()
    k = trace.T - 1
    sent, rows = [k], impulses[k][..., None, :]  # of which steps the loss is on its way, the latest first
    for piece in trace.pieces():
        for jacobian in piece[::-1]:
            if k == 0:
                break
            k -= 1
            if sent and sent[0] - k >= steps:
                sent, rows = sent[1:], rows[..., 1:, :]
            rows = rows @ jacobian
            if busy[k]:
                sent, rows = [*sent, k], np.concatenate([rows, impulses[k][..., None, :]], axis=-2)
            out[k] = rows.sum(axis=-2)
    return out


def detached(trace: Trace, steps: int) -> Any:
    """λ with nothing passed on from a chunk of `steps` to the one before, (T, …, n)."""
    out = trace.impulses.copy()
    k = trace.T - 1
    for piece in trace.pieces():
        for jacobian in piece[::-1]:
            if k == 0:
                break
            k -= 1
            if (k + 1) % steps:
                out[k] += (out[k + 1][..., None, :] @ jacobian)[..., 0, :]
    return out


def truncation(
    trace: Trace, steps: Iterable[int] | None = None, kind: Literal["window", "detach"] = "window"
) -> Truncation:
    """The bias against K.

    Parameters
    ----------
    trace : Trace
    steps : iterable of int, optional
        The K; powers of two up to T unless given.
    kind : {"window", "detach"}

    Returns
    -------
    Truncation
        In time T K n² for a window where the loss speaks at every step, T n² where it speaks at few.

    Raises
    ------
    InputError
        For a length under 1, and when the gradient is zero, or beyond floating point, so that a bias
        has no meaning.

    Examples
    --------
    >>> import rnnderive as rd
    >>> from rnnderive.chains import course, state
    >>> net = rd.Recurrence.parse("h[t] = a * h[t-1]\\nL = sum(h[T])")
    >>> run = course.run(net, {"a": np.array([0.5])}, {"h0": np.ones(1), "T": 8})
    >>> truncation(Trace(state.chains(net)[0], run), [1, 2, 4, 8]).bias.tolist()
    [0.875, 0.75, 0.5, 0.0]
    """
    if kind not in ("window", "detach"):
        raise InputError(f"kind is {kind!r}; expected 'window' or 'detach'")
    doubled = [*(2**p for p in range(trace.T.bit_length())), trace.T]
    chosen = doubled if steps is None else [steps] if isinstance(steps, int) else sorted(set(steps))
    for k in chosen:
        if not k >= 1 or k != int(k):
            raise InputError(f"the number of steps is {k}; expected a whole number from 1")
    kept = list(dict.fromkeys(int(min(k, trace.T)) for k in chosen))
    whole = _flat(gradients(trace, _plain(trace.cotangents)))
    size = float(np.linalg.norm(whole))
    if size == 0.0:
        raise InputError("the gradient of the cell's parameters is zero, so there is no bias to speak of")
    bias, cosine = [], []
    for k in kept:
        cut = windowed(trace, k) if kind == "window" else detached(trace, k)
        part = _flat(gradients(trace, cut))
        bias.append(float(np.linalg.norm(whole - part)) / size)
        length = float(np.linalg.norm(part))
        cosine.append(float(whole @ part) / (size * length) if length else 0.0)
    return Truncation(kind, np.array(kept), np.array(bias), np.array(cosine))


def clipping(trace: Trace, threshold: float) -> Clipping:
    """What clipping at `threshold` changes: the whole gradient, or the signal at each step.

    Parameters
    ----------
    trace : Trace
    threshold : float

    Raises
    ------
    InputError
        For a threshold that is not above 0, and when the gradient is beyond floating point.

    Examples
    --------
    >>> import rnnderive as rd
    >>> from rnnderive.chains import course, state
    >>> net = rd.Recurrence.parse("h[t] = a * h[t-1]\\nL = sum(h[T])")
    >>> run = course.run(net, {"a": np.array([2.0])}, {"h0": np.ones(1), "T": 3})
    >>> found = clipping(Trace(state.chains(net)[0], run), 1.0)
    >>> found.norm, found.cell, round(found.factor, 6)
    (12.0, 12.0, 0.083333)
    """
    if not threshold > 0:
        raise InputError(f"the threshold is {threshold}; expected a number above 0")
    whole = _flat(gradients(trace, _plain(trace.cotangents)))
    size = float(np.linalg.norm(whole))
    norm = float(np.linalg.norm(_flat(whole_gradient(trace, _plain(trace.cotangents)))))
    signal, acted = _clipped(trace, threshold)
    part = _flat(gradients(trace, signal))
    length = float(np.linalg.norm(part))
    return Clipping(
        float(threshold), norm, size, min(1.0, threshold / norm) if norm else 1.0, acted,
        float(whole @ part) / (size * length) if size and length else 0.0,
    )  # fmt: skip


def _clipped(trace: Trace, threshold: float) -> tuple[Any, float]:
    """λ with its norm held to a threshold at each step on the way back (Graves 2013)."""
    out = trace.impulses.copy()
    acted = 0
    k = trace.T - 1
    for piece in trace.pieces():
        for jacobian in piece[::-1]:
            norm = np.linalg.norm(out[k], axis=-1, keepdims=True)
            acted += int((norm > threshold).sum())
            out[k] *= np.minimum(1.0, threshold / np.where(norm > 0, norm, 1.0))
            if k == 0:
                break
            k -= 1
            out[k] += (out[k + 1][..., None, :] @ jacobian)[..., 0, :]
    return out, acted / (trace.T * (trace.course.batch or 1))


def _plain(cotangents: Cotangents) -> Any:
    if cotangents.logs.max() > 300:
        raise InputError(
            f"the gradient is e^{cotangents.logs.max():.0f}: beyond floating point, so that its truncation cannot be "
            "compared. Run fewer steps"
        )
    return cotangents.scaled()


def _flat(table: dict[str, Any]) -> Any:
    return np.concatenate([a.ravel() for a in table.values()])
