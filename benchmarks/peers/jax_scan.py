"""JAX: ``jit(value_and_grad)`` through ``lax.scan``."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp

from benchmarks.peers.forward import Space, loss
from benchmarks.peers.task import Task
from benchmarks.peers.weights import gathered, stacked
from benchmarks.work import Arrays, Work

__all__ = ["build"]

jax.config.update("jax_enable_x64", True)


def build(work: Work, params: Arrays, inputs: Arrays, *, unroll: int = 1) -> Task:
    """Unrolling puts so many steps into one round of the loop."""
    network, (T, B, d, _) = work.of, work.size

    def scan(step: Any, z: Any, states: Any, T: int, B: int) -> Any:
        def body(carry: Any, z: Any) -> Any:
            new = step(z, *carry)
            return new, new[0]

        sequence = jax.lax.scan(body, tuple(states), z.reshape(T, B, -1), unroll=min(unroll, T))[1]
        return sequence.reshape(T * B, -1)

    space = Space(
        tanh=jnp.tanh,
        sigmoid=jax.nn.sigmoid,
        beside=lambda a, b: jnp.concatenate([a, b], 1),
        turned=lambda a, T, B: a.reshape(T, B, -1)[::-1].reshape(T * B, -1),
        scan=scan,
    )
    weights = jax.tree.map(jnp.asarray, stacked(network, params))
    x, target = (jnp.asarray(inputs[name].reshape(T * B, d)) for name in ("x", "target"))
    gradient = jax.jit(jax.value_and_grad(lambda w, x, y: loss(space, network, w, x, y, T, B)))

    def run() -> Any:
        return jax.block_until_ready(gradient(weights, x, target))

    return Task(run, lambda result: (float(result[0]), gathered(network, result[1])))
