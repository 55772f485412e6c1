"""The two forms of a GRU, which are not one cell; the two polarities of its update gate, which are."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from rnnderive.chains.theory.claim import Claim
from rnnderive.chains.theory.nets import derivation, parameter_arrays
from rnnderive.checks.identity import identical
from rnnderive.language import Recurrence

__all__ = ["claims"]

ROW = "gru"


def _gru(candidate: str, state: str = "(1 - z[t]) * n[t] + z[t] * h[t-1]") -> Recurrence:
    return Recurrence.parse(f"""
        r[t] = sigmoid(W_r @ x[t] + U_r @ h[t-1] + b_r)
        z[t] = sigmoid(W_z @ x[t] + U_z @ h[t-1] + b_z)
        n[t] = tanh(W_n @ x[t] + {candidate} + b_n)
        h[t] = {state}
        L    = sum(h[T])
    """)


def claims(quick: bool = True) -> Iterator[Claim]:
    """Reset before or after the product: two functions; z or 1 − z: one."""
    source = "gru"
    before, after = _gru("U_n @ (r[t] * h[t-1])"), _gru("r[t] * (U_n @ h[t-1])")
    same = identical(before, after, before, outputs=["L"], T=2)
    yield Claim(ROW, "reset", 0, bool(same), 0, source, "exact")
    before_each, after_each = _gru("u_n * (r[t] * h[t-1])"), _gru("r[t] * (u_n * h[t-1])")
    same = identical(before_each, after_each, before_each, outputs=["L"], T=2)
    yield Claim(ROW, "diagonal", 1, bool(same), 0, source, "exact")
    rng = np.random.default_rng(12)
    params = parameter_arrays(before, {"n_h": 5, "n_x": 3}, rng, 0.5)
    inputs = {"x": rng.normal(size=(20, 3)), "h0": rng.normal(size=5)}
    turned = {name: -value if name.endswith("_z") else value for name, value in params.items()}
    other = _gru("U_n @ (r[t] * h[t-1])", "z[t] * n[t] + (1 - z[t]) * h[t-1]")
    one, two = derivation(before).forward(params, inputs)["h"], derivation(other).forward(turned, inputs)["h"]
    yield Claim(ROW, "polarity", 0.0, float(np.abs(one - two).max()), 1e-14, source, "exact")
