"""Digits: a million steps in logarithms, slopes that keep their digits, and how gradients are tested."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import mpmath
import numpy as np

from rnnderive.chains.products import operator_log_norms, vector_log_norms
from rnnderive.chains.theory.claim import Claim
from rnnderive.chains.theory.nets import derivation, jacobians, orthogonal
from rnnderive.derivation import derive

__all__ = ["claims"]

LONG = "long"
SLOPE = "slope"
CONTRIBUTIONS = "contributions"
TESTING = "testing"
NET = "h[t] = tanh(W @ x[t] + U @ h[t-1] + b)\nL = squared_error(h[T], target)"


def claims(quick: bool = True) -> Iterator[Claim]:
    """Methods that the table names, and what breaks without them."""
    yield from _long(quick)
    yield from _slopes()
    yield from _contributions()
    yield from _testing()


def _long(quick: bool) -> Iterator[Claim]:
    n = 32
    rng = np.random.default_rng(10)
    for factor in (0.5, 1.0, 3.0):
        T = 1_000_000 if factor == 0.5 and not quick else 20_000
        J = np.broadcast_to(factor * orthogonal(rng, n), (T, n, n))
        exact = T * np.log(factor)
        values = {"T": T, "n": n, "factor": factor}
        seed = np.eye(n)[0]
        found = float(vector_log_norms(seed, J)[-1])
        yield Claim(LONG, "row", exact / T, found / T, 1e-15, "", "exact", values=values)
        found = float(operator_log_norms(J, [T])[0])
        yield Claim(LONG, "norm", exact / T, found / T, 1e-15, "", "exact", values=values)


def _slopes() -> Iterator[Claim]:
    own = "mpmath"
    stable = derive("s[t] = sigmoid(a[t]) * sigmoid(-a[t])\nL = sum(s[T])", "a").forward
    plain = derive("s[t] = sigmoid(a[t]) * (1 - sigmoid(a[t]))\nL = sum(s[T])", "a").forward
    with mpmath.workdps(40):
        for a in (1.0, 20.0, 38.0, 100.0, 700.0):
            exact = mpmath.exp(-mpmath.mpf(a)) / (1 + mpmath.exp(-mpmath.mpf(a))) ** 2
            value, cancelled = (program({}, {"a": np.array([[a]])})["s"][0, 0] for program in (stable, plain))
            off, lost = (float(abs(mpmath.mpf(float(v)) / exact - 1)) for v in (value, cancelled))
            yield Claim(SLOPE, "stable", 0.0, off, 5e-16, own, values={"a": a})
            if a > 37:
                yield Claim(SLOPE, "cancelled", 1.0, lost, 0.0, own, values={"a": a})


def _net(T: int, scale: float, seed: int = 0, n: int = 6, d: int = 3) -> tuple[dict[str, Any], dict[str, Any]]:
    rng = np.random.default_rng(seed)
    params = {"W": rng.normal(size=(n, d)), "U": scale * orthogonal(rng, n), "b": 0.1 * rng.normal(size=n)}
    return params, {"x": rng.normal(size=(T, d)), "h0": rng.normal(size=n), "target": rng.normal(size=n)}


def _contributions() -> Iterator[Claim]:
    params, inputs = _net(60, 0.7)
    d = derive(NET, "U")
    parts = d.contributions("U")(params, inputs)["U"]
    states = d.forward(params, inputs)["h"]
    chain = vector_log_norms(states[-1] - inputs["target"], jacobians(NET, params, inputs))
    # ∂⁺h^k/∂U sends λ^k to (λ^k ⊙ (1 − (h^k)²)) (h^{k−1})ᵀ: with one more step of the chain, J = diag(1 − h²) U
    # and U a multiple of an orthogonal matrix, its norm is ‖λ^{k−1}‖ ‖h^{k−1}‖ / 0.7.
    before = np.concatenate([inputs["h0"][None], states[:-1]])
    expected = chain[1:][::-1] + np.log(np.linalg.norm(before, axis=1) / 0.7)
    off = float(np.abs(np.log(np.linalg.norm(parts, axis=(1, 2))) - expected).max())
    yield Claim(CONTRIBUTIONS, "terms", 0.0, off, 1e-11, "", "exact")
    total = d.lambdify()(params, inputs)[1]["U"]
    off = float(np.linalg.norm(parts.sum(0) - total) / np.linalg.norm(total))
    yield Claim(CONTRIBUTIONS, "sum", 0.0, off, 1e-14, "", "exact")
    first = float(np.linalg.norm(parts[0]) / np.linalg.norm(total))
    yield Claim(CONTRIBUTIONS, "vanished", 1e-10, first, 0.0, relation="≤")


def _testing() -> Iterator[Claim]:
    d = derivation(NET)
    for T in (5, 20, 100):
        params, inputs = _net(T, 1.0, seed=T)
        gradient = d.lambdify()(params, inputs)[1]["U"]
        step = 1e-30
        found = np.empty_like(gradient)
        central = np.empty_like(gradient)
        for place in np.ndindex(*gradient.shape):
            unit = np.zeros_like(gradient)
            unit[place] = 1.0
            found[place] = d.value({**params, "U": params["U"] + 1j * step * unit}, inputs)["L"].imag.item() / step
            up, down = (d.value({**params, "U": params["U"] + e * unit}, inputs)["L"].item() for e in (1e-5, -1e-5))
            central[place] = (up - down) / 2e-5
        size = np.linalg.norm(gradient)
        off = float(np.linalg.norm(found - gradient) / size)
        yield Claim(TESTING, "complex_step", 0.0, off, 2e-15, values={"T": T})
        off = float(np.linalg.norm(central - gradient) / size)
        yield Claim(TESTING, "differences", 1e-12, off, 0.0, relation="≥", values={"T": T})
    params, inputs = _net(5, 1.0)
    program = derive(NET, "U").contributions("U")
    hidden, shown = (
        float(np.linalg.norm(program(params, {**inputs, "h0": h0})["U"][0])) for h0 in (np.zeros(6), inputs["h0"])
    )
    yield Claim(TESTING, "hidden", 0.0, hidden, 0.0, "", "exact")
    yield Claim(TESTING, "shown", 1e-2, shown, 0.0, relation="≥")
