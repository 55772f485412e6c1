"""PyTensor: ``scan`` and ``grad``, compiled."""

from __future__ import annotations

from functools import cache
from typing import Any

import pytensor
import pytensor.tensor as pt

from benchmarks.peers.forward import Space, loss
from benchmarks.peers.task import Task, Unavailable
from benchmarks.peers.weights import gathered, stacked
from benchmarks.work import Arrays, Network, Size, Work

__all__ = ["build"]


def scan(step: Any, z: Any, states: Any, T: int, B: int) -> Any:
    """The first state at every step."""
    outputs = pytensor.scan(
        lambda z, *states: list(step(z, *states)), z.reshape((T, B, z.shape[1])), list(states), return_updates=False
    )
    first = outputs[0] if isinstance(outputs, list | tuple) else outputs
    return first.reshape((T * B, first.shape[2]))


SPACE = Space(
    tanh=pt.tanh,
    sigmoid=pt.sigmoid,
    beside=lambda a, b: pt.concatenate([a, b], 1),
    turned=lambda a, T, B: a.reshape((T, B, a.shape[1]))[::-1].reshape((T * B, a.shape[1])),
    scan=scan,
)


@cache
def compiled(network: Network, dtype: str) -> Any:
    """The function for every size: compiling takes a minute, so that it is done once."""
    shapes = stacked(network, Work(network.name, Size(1, 1, 2, 2), dtype).arrays()[0])
    weights = {
        end: {name: pt.TensorType(dtype, (None,) * a.ndim)(f"{name}{end}") for name, a in table.items()}
        for end, table in shapes.items()
    }
    x, target = (pt.tensor3(name, dtype=dtype) for name in ("x", "target"))
    T, B = x.shape[0], x.shape[1]
    flat = [a.reshape((T * B, a.shape[2])) for a in (x, target)]
    value = loss(SPACE, network, weights, *flat, T, B)
    leaves = [leaf for table in weights.values() for leaf in table.values()]
    function = pytensor.function([*leaves, x, target], [value, *pytensor.grad(value, leaves)])
    function.trust_input = True
    return function


def build(work: Work, params: Arrays, inputs: Arrays) -> Task:
    """A function of the weights, with the default mode's optimisations."""
    if work.threads > 1:
        raise Unavailable("runs on one thread")
    arrays = stacked(work.of, params)
    function = compiled(work.of, work.dtype)
    given = [a for table in arrays.values() for a in table.values()] + [inputs["x"], inputs["target"]]

    def read(result: Any) -> tuple[float, Arrays]:
        grads = iter(result[1:])
        return float(result[0]), gathered(work.of, {e: {n: next(grads) for n in t} for e, t in arrays.items()})

    return Task(lambda: function(*given), read)
