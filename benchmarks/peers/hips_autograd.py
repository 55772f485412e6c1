"""HIPS autograd: NumPy that records itself."""

from __future__ import annotations

from typing import Any

import autograd.numpy as anp
from autograd import value_and_grad
from autograd.scipy.special import expit

from benchmarks.peers.forward import Space, loss
from benchmarks.peers.task import Task
from benchmarks.peers.weights import gathered, stacked
from benchmarks.work import Arrays, Work

__all__ = ["build"]


def scan(step: Any, z: Any, states: Any, T: int, B: int) -> Any:
    """The steps one after another."""
    out = []
    for t in range(T):
        states = step(z[t * B : (t + 1) * B], *states)
        out.append(states[0])
    return anp.concatenate(out)


SPACE = Space(
    tanh=anp.tanh,
    sigmoid=expit,
    beside=lambda a, b: anp.concatenate([a, b], 1),
    turned=lambda a, T, B: anp.reshape(anp.reshape(a, (T, B, -1))[::-1], (T * B, -1)),
    scan=scan,
)


def build(work: Work, params: Arrays, inputs: Arrays) -> Task:
    """``value_and_grad`` of the loop."""
    network, (T, B, d, _) = work.of, work.size
    x, target = (inputs[name].reshape(T * B, d) for name in ("x", "target"))
    weights = stacked(network, params)
    gradient = value_and_grad(lambda w: loss(SPACE, network, w, x, target, T, B))
    return Task(lambda: gradient(weights), lambda result: (float(result[0]), gathered(network, result[1])))
