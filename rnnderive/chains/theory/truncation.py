"""What truncated back-propagation leaves out."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from typing import Any

import numpy as np

from rnnderive.chains.products import Array
from rnnderive.chains.theory.claim import Claim, Given
from rnnderive.chains.theory.nets import orthogonal
from rnnderive.derivation import derive
from rnnderive.errors import InputError
from rnnderive.programs import Program

__all__ = ["GAINS", "claims", "truncation_bias"]

ROW = "truncated"
GAINS = {"gaussian": 0.9, "orthogonal": 1.0, "longer": 1.2}  # of the recurrent matrix
LAST = "h[t] = tanh(W @ x[t] + U @ h[t-1])\nL = squared_error(h[T], target)"
EVERY = "h[t] = tanh(W @ x[t] + U @ h[t-1])\nL = sum(squared_error(h[t], target[t]), t)"


@lru_cache(maxsize=8)
def _gradient(net: str, truncate: int | None = None) -> Program:
    return derive(net, "U", truncate=truncate).lambdify()


def _setting(kind: str, n: int, T: int, seed: int) -> tuple[dict[str, Any], dict[str, Any]]:
    """A random tanh net whose inputs drive each unit with a standard deviation of 1/2, and a normal target."""
    rng = np.random.default_rng(seed)
    if kind not in GAINS:
        raise InputError(f"there is no recurrent matrix {kind!r}; expected one of {', '.join(GAINS)}")
    U = GAINS[kind] * (rng.normal(size=(n, n)) / np.sqrt(n) if kind == "gaussian" else orthogonal(rng, n))
    d = 10
    params = {"U": U, "W": 0.5 * rng.normal(size=(n, d)) / np.sqrt(d)}
    return params, {"x": rng.normal(size=(T, d)), "target": rng.normal(size=n)}


def truncation_bias(kind: str, K: int = 10, n: int = 50, T: int = 200, seeds: int = 9) -> float:
    """‖G − G_K‖ / ‖G‖ for G = dL/dU, a loss at T, and only the last K steps: median over nets."""

    def relative(seed: int) -> float:
        setting = _setting(kind, n, T, seed)
        whole, cut = (_gradient(LAST, k)(*setting)[1]["U"] for k in (None, K))
        return float(np.linalg.norm(whole - cut) / np.linalg.norm(whole))

    return float(np.median([relative(seed) for seed in range(seeds)]))


def _detached(params: dict[str, Any], inputs: dict[str, Any], K: int) -> Array:
    """dL/dU of a loss at every step, the state detached between chunks of K steps."""
    states = derive(EVERY).forward(params, inputs)["h"]
    total = np.zeros_like(params["U"])
    for start in range(0, len(states), K):
        piece = {name: inputs[name][start : start + K] for name in ("x", "target")}
        before = states[start - 1] if start else np.zeros(len(total))
        total += _gradient(EVERY)(params, {**piece, "h0": before})[1]["U"]
    return total


def claims(quick: bool = True) -> Iterator[Claim]:
    """The table's biases; cutting the sum is not detaching the state."""
    own = "input_scale"
    for kind, number in (("gaussian", 0.023), ("orthogonal", 0.051), ("longer", 0.235)):
        seeds = 5 if quick else 25
        bias = truncation_bias(kind, seeds=seeds)
        values: dict[str, Given] = {"seeds": seeds, **({} if kind == "orthogonal" else {"gain": GAINS[kind]})}
        yield Claim(ROW, f"bias_{kind}", number, bias, 0.3, own, relative=True, values=values)
    n, T, K = 8, 30, 5
    params, inputs = _setting("orthogonal", n, T, 0)
    parts = derive(LAST, "U").contributions("U")(params, inputs)["U"]
    cut = _gradient(LAST, K)(params, inputs)[1]["U"]
    off = float(np.linalg.norm(parts[-K:].sum(0) - cut) / np.linalg.norm(cut))
    yield Claim(ROW, "last_terms", 0.0, off, 1e-14, "", "exact")
    inputs["target"] = np.random.default_rng(1).normal(size=(T, n))
    window = _gradient(EVERY, K)(params, inputs)[1]["U"]
    detached = _detached(params, inputs, K)
    apart = float(np.linalg.norm(window - detached) / np.linalg.norm(window))
    yield Claim(ROW, "detached", 1e-2, apart, 0.0, relation="≥")
    whole = _detached(params, inputs, T)
    off = float(np.linalg.norm(whole - _gradient(EVERY)(params, inputs)[1]["U"]) / np.linalg.norm(whole))
    yield Claim(ROW, "one_chunk", 0.0, off, 1e-14, "", "exact")
