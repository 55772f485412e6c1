"""The networks that the theory is about, as texts, and their local Jacobians along a run."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any

import numpy as np

from rnnderive.chains.products import Array
from rnnderive.derivation import Derivation, derive
from rnnderive.language import Recurrence
from rnnderive.programs import Program

__all__ = [
    "autonomous",
    "derivation",
    "driven",
    "jacobian_chunks",
    "jacobian_program",
    "jacobians",
    "orthogonal",
    "parameter_arrays",
]


def autonomous(activation: str = "tanh") -> str:
    """h^t = φ(U h^{t-1} + b)."""
    return f"h[t] = {activation}(U @ h[t-1] + b)\nL = sum(h[T])"


def driven(activation: str = "tanh") -> str:
    """h^t = φ(U h^{t-1} + x^t): the input comes as it is, one number a unit."""
    return f"h[t] = {activation}(U @ h[t-1] + x[t])\nL = sum(h[T])"


@lru_cache(maxsize=64)
def derivation(net: str | Recurrence) -> Derivation:
    """The derivation of a text, once."""
    return derive(net)


@lru_cache(maxsize=64)
def jacobian_program(net: str | Recurrence, v: str, u: str, lag: int = 1) -> Program:
    """The generated program of ∂v^t/∂u^{t-lag}, compiled once."""
    return derivation(net).jacobians(v, u, lag)


def jacobians(
    net: str | Recurrence, params: Mapping[str, Any], inputs: Mapping[str, Any], states: tuple[str, ...] = ("h",)
) -> Array:
    """∂s^t/∂s^{t-1} for all t, (T, …, n, n): one block for each pair of states."""
    d = derivation(net)

    def block(v: str, u: str) -> Array:
        J = jacobian_program(net, v, u)(params, inputs)["J"]
        if d.net.shape(v) == d.net.shape(u) == (1, 1):  # states of one unit: the last axis may be missing
            J = J.reshape(*d.forward(params, inputs)[v].shape, 1)
        return J

    rows = [[block(v, u) for u in states] for v in states]
    lead = np.broadcast_shapes(*(b.shape[:-2] for row in rows for b in row))
    wide = [np.concatenate([np.broadcast_to(b, (*lead, *b.shape[-2:])) for b in row], -1) for row in rows]
    return np.concatenate(wide, -2)


def jacobian_chunks(
    net: str, params: Mapping[str, Any], inputs: Mapping[str, Any], *, skip: int = 0, size: int = 50, back: bool = True
) -> Iterator[Array]:
    """The Jacobians of h in h, some steps at a time: from the last to the first, or forward.

    The run is computed once, and then again piece by piece, each from the state before it.
    """
    d = derivation(net)
    states = d.forward(params, inputs)["h"]
    program = jacobian_program(net, "h", "h")
    starts = range(skip, len(states), size)
    for start in reversed(starts) if back else starts:
        stop = min(start + size, len(states))
        given: dict[str, Any] = {"h0": states[start - 1] if start else inputs["h0"]}
        given |= {"x": inputs["x"][start:stop]} if "x" in inputs else {"T": stop - start}
        yield program(params, given)["J"]


def orthogonal(rng: np.random.Generator, n: int) -> Array:
    """A random orthogonal matrix, uniformly distributed."""
    q, r = np.linalg.qr(rng.normal(size=(n, n)))
    return q * np.sign(np.diag(r))


def parameter_arrays(
    net: Recurrence, sizes: Mapping[str, int], rng: np.random.Generator, scale: float
) -> dict[str, Any]:
    """Normal parameters of a network, with numbers for the names of its sizes."""
    numbers = {s: sizes[str(s)] for s in net.sizes}
    out = {}
    for name in net.parameters:
        rows, columns = (int(s.subs(numbers)) for s in net.shape(name))
        out[name] = scale * rng.normal(size=rows if columns == 1 else (rows, columns))
    return out
