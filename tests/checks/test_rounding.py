"""Rounding is no failure, and no mistake hides behind it: networks whose slopes are small."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import sympy as sp

import rnnderive as rd
from rnnderive.checks import check, check_steps, differences, point
from rnnderive.checks.rounding import DIGITS, Precise, Rounded, Rounding, _Roundings, apart
from rnnderive.language import FUNCTIONS, Digits
from rnnderive.language.algebra import numpy_function

TEXTS = {
    "leaky": """
        h[t] = (1-a)*h[t-1] + a*tanh(W@x[t]+U@h[t-1]+b)
        y[t] = V@h[t]
        L    = squared_error(y[T], target)
    """,
    "growing": """
        h[t] = 3*h[t-1] + sigmoid(W@x[t]+U@h[t-1]+b)
        L    = sum(squared_error(h[t], target[t]), t)
    """,
    "gated": """
        f[t] = sigmoid(6*(W_f@x[t]+U_f@h[t-1]))
        h[t] = f[t]*h[t-1] + (1-f[t])*tanh(6*(W@x[t]+U@h[t-1]))
        L    = squared_error(h[T], target)
    """,
    "logits": """
        h[t] = 2*h[t-1] + tanh(W@x[t]+U@h[t-1])
        L    = sum(cross_entropy(V@h[t]+c, target[t]), t)
    """,
    "sharp": """
        h[t] = 2*h[t-1] + softmax(3*(W@x[t]+U@h[t-1]+b))
        L    = squared_error(h[T], target)
    """,
    "normed": """
        h[t] = tanh(9*layer_norm(W@x[t]+U@h[t-1]+b))
        L    = squared_error(V@h[T], target)
    """,
    "phi": """
        h[t] = 1.5*h[t-1] + normal_cdf(W@x[t]+U@h[t-1]+b)
        y[t] = V@h[t]
        L    = squared_error(y[T], target)
    """,
}


@pytest.mark.parametrize(
    ("name", "seed"),
    [("leaky", 0), ("leaky", 2), ("growing", 1), ("gated", 3), ("logits", 6), ("sharp", 4), ("normed", 7), ("phi", 3)],
)
def test_what_small_slopes_leave_rounded_is_no_failure(name: str, seed: int) -> None:
    ladder = check(TEXTS[name], seed=seed, rungs=["complex", "contributions"])
    assert ladder, f"\n{ladder}"
    assert "rounded in float64: right in 120 digits" in ladder["contributions of steps"].note


@pytest.mark.parametrize(("name", "seed"), [("sharp", 3), ("normed", 5), ("gated", 6)])
def test_local_jacobians_of_small_slopes_are_no_failure(name: str, seed: int) -> None:
    assert all(check_steps(rd.derive(TEXTS[name]), "W", 3, seed=seed))


def test_members_of_a_batch_are_looked_at_by_themselves() -> None:
    for seed in (0, 1):  # an initial state, which is a member's own; a weight, which all share
        row = check(TEXTS["normed"], seed=seed, rungs="complex")["gradient of a batch"]
        assert row.ok
        assert "right in 120 digits" in row.note
    assert not apart(rd.Recurrence.parse("h[t] = tanh(U @ h[t-1])\nL = mean(sum(h[T]), batch)"))


@pytest.mark.parametrize(("name", "seed"), [("leaky", 0), ("leaky", 2), ("gated", 3), ("logits", 6)])
def test_a_slope_wrong_in_its_ninth_digit_is_no_rounding(name: str, seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    by = sp.Rational(1, 10**8)
    right = FUNCTIONS["tanh"]
    monkeypatch.setitem(FUNCTIONS, "tanh", replace(right, slope=lambda x, y: (1 - y**2) * (1 + by)))
    assert check(rd.derive(TEXTS[name], ["W"]), seed=seed, rungs="contributions")["contributions of steps"].ok is False


def test_a_mistake_as_large_as_the_rounding_is_found_by_its_digits(monkeypatch: pytest.MonkeyPatch) -> None:
    """1e-14 is added to a slope that is rounded to 1e-16: float64 alone cannot say which it is."""
    right = FUNCTIONS["tanh"]
    wrong = replace(right, slope=lambda x, y: 1 - y**2 + sp.Rational(1, 10**14))
    monkeypatch.setitem(FUNCTIONS, "tanh", wrong)
    d = rd.derive(TEXTS["leaky"], ["W"])
    assert check(d, rungs="contributions")["contributions of steps"].ok is False
    again = Rounding(differences.step_by_step(d, "W"), point(d.net, T=5)).again("W", (0, 0), step=2)
    assert not again.holds(float(again.derived.value), 1.0)


def test_a_number_of_the_program_is_held_to_its_rounding(monkeypatch: pytest.MonkeyPatch) -> None:
    """In the derivation nothing is wrong; one saturated entry of what the program returns is."""
    right = differences.contributions

    def wrong(d: rd.Derivation, at: Any, name: str) -> Any:
        found = np.array(right(d, at, name))
        found[1, 0, 0] *= 1 + 1e-4
        return found

    monkeypatch.setattr(differences, "contributions", wrong)
    row = check(rd.derive(TEXTS["leaky"], ["W"]), rungs="contributions")["contributions of steps"]
    assert row.ok is False
    assert row.note.startswith("step 2 of dW[0, 0]: found 3.55")


@pytest.mark.parametrize("name", list(FUNCTIONS))
def test_compiled_functions_have_all_their_digits(name: str) -> None:
    slow, fast = Digits({}, DIGITS), Precise({})
    for value in (0.1, 0.7, 3.3, 20.0):
        for x in (value, -value) if FUNCTIONS[name].total else (value,):
            a, b = slow.one(name, slow.context.mpf(x)), fast.one(name, fast.context.mpf(x))
            assert abs(a - b) <= max(abs(a), 1) * fast.context.mpf(10) ** (5 - DIGITS), x


@pytest.mark.parametrize("name", list(FUNCTIONS))
def test_float64_stays_within_the_bound_of_a_function(name: str) -> None:
    algebra = _Roundings({})
    for x in np.geomspace(1e-3, 40, 25):
        for value in (x, -x) if FUNCTIONS[name].total else (x,):
            bound = algebra.one(name, Rounded(algebra.context.mpf(float(value))))
            found = float(numpy_function(name)(np.array(value)))
            assert abs(found - bound.value) <= bound.error, value
            assert bound.error <= 1e-14 * (1 + abs(value)) * (1 + abs(found)), value  # and it says something


def test_a_bound_grows_with_what_is_summed_not_with_the_sum() -> None:
    mpf = _Roundings({}).context.mpf
    large, small = Rounded(mpf(2) ** 27), Rounded(mpf(2) ** -27)
    for total in (large + small - large, small - large + large, large - large + small):
        assert total.value == small.value
        assert 1e-8 < total.error < 1e-6
    assert Rounded(mpf(1), 2.0).inverse().error == np.inf
    assert _Roundings({}).one("log", Rounded(mpf(1), 2.0)).error == np.inf
