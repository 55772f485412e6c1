"""The forward pass for frameworks that differentiate it themselves, over whatever arrays they have.

A sequence is a matrix (T·B, ·), time first.  The input's product is taken for all steps at once
and the gates' products are one, as users who care for speed write it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from benchmarks.peers.task import Unavailable
from benchmarks.work import Network

__all__ = ["STATES", "STEPS", "Space", "loss"]

STATES = {"rnn": ("h0",), "lstm": ("h0", "C0"), "gru": ("h0",)}


@dataclass(frozen=True)
class Space:
    """What a framework calls things.

    Attributes
    ----------
    tanh, sigmoid : callable
    beside : callable
        Two matrices side by side.
    turned : callable
        Of a sequence, T and B: the sequence with its steps in reverse.
    scan : callable
        Of a step, (T·B, ·), the initial states, T and B: the first state at every step, (T·B, n).
    affine : callable
        Of x, W and b: x Wᵀ + b.
    total : callable
        The sum of all entries.
    """

    tanh: Callable[[Any], Any]
    sigmoid: Callable[[Any], Any]
    beside: Callable[[Any, Any], Any]
    turned: Callable[[Any, int, int], Any]
    scan: Callable[..., Any]
    affine: Callable[[Any, Any, Any], Any] = lambda x, W, b: x @ W.T + b
    total: Callable[[Any], Any] = lambda a: a.sum()


def rnn(space: Space, p: Any, z: Any, h: Any) -> tuple[Any, ...]:
    """h = tanh(z + U h)."""
    return (space.tanh(z + h @ p["U"].T),)


def lstm(space: Space, p: Any, z: Any, h: Any, C: Any) -> tuple[Any, ...]:
    """The lecture's LSTM, the gates in the order f, i, o, C."""
    n = h.shape[1]
    s = z + h @ p["U"].T
    gates = space.sigmoid(s[:, : 3 * n])
    C = gates[:, :n] * C + gates[:, n : 2 * n] * space.tanh(s[:, 3 * n :])
    return gates[:, 2 * n :] * space.tanh(C), C


def gru(space: Space, p: Any, z: Any, h: Any) -> tuple[Any, ...]:
    """The lecture's GRU: the reset gate enters before the product."""
    n = h.shape[1]
    gates = space.sigmoid(z[:, : 2 * n] + h @ p["U"][: 2 * n, :].T)
    update = gates[:, :n]
    candidate = space.tanh(z[:, 2 * n :] + (gates[:, n:] * h) @ p["U"][2 * n :, :].T)
    return ((1 - update) * h + update * candidate,)


STEPS = {"rnn": rnn, "lstm": lstm, "gru": gru}


def loss(space: Space, network: Network, weights: Any, x: Any, target: Any, T: int, B: int) -> Any:
    """½ Σ (V h[t] + b_y − target[t])², of x and target as (T·B, d)."""
    if network.core not in STEPS:
        raise Unavailable(f"has no {network.title}")
    step = STEPS[network.core]
    for ends in network.layers:
        outs = []
        for k, end in enumerate(ends):
            p = weights[end]
            z = space.affine(x, p["W"], p["b"])
            z = space.turned(z, T, B) if k else z
            h = space.scan(
                lambda z, *states, p=p: step(space, p, z, *states), z, [p[s] for s in STATES[network.core]], T, B
            )
            outs.append(space.turned(h, T, B) if k else h)
        x = outs[0] if len(outs) == 1 else space.beside(*outs)
    head = weights["head"]
    e = space.affine(x, head["V"], head["b_y"]) - target
    return 0.5 * space.total(e * e)
