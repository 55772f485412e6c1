"""Norms by lag, against NumPy's norm of the explicit product; long chains; the spectrum of a run."""

from __future__ import annotations

import numpy as np
import pytest

import rnnderive as rd
from rnnderive.chains import trace as traces
from rnnderive.errors import InputError
from tests.chains.nets import CASES, analysis, at, every_chain, linear, network, tanh_net


@pytest.mark.parametrize(("name", "batch"), CASES)
def test_norms_by_lag_are_those_of_the_explicit_product(name, batch):
    for found in every_chain(name, 5, batch):
        trace = found.trace
        J, e = trace.jacobians, trace.impulses
        product = np.broadcast_to(np.eye(trace.size), J.shape[1:])
        operator = [product]
        for jacobian in J[::-1]:
            operator.append(operator[-1] @ jacobian)
        with np.errstate(divide="ignore"):
            expected = np.log(np.linalg.norm(np.array(operator), 2, axis=(-2, -1)))
        assert (trace.lags == np.arange(6)).all()
        np.testing.assert_allclose(found.operator, expected, rtol=1e-9, atol=1e-9)
        # of the last loss alone, from the step at which it speaks
        row, rows = e[trace.last - 1], []
        rows.append(row)
        for jacobian in J[: trace.last][::-1]:
            rows.append((rows[-1][..., None, :] @ jacobian)[..., 0, :])
        with np.errstate(divide="ignore"):
            expected = np.log(np.linalg.norm(np.array(rows), axis=-1))
        np.testing.assert_allclose(found.gradient, expected, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("name", ["vanilla", "lstm", "loss at every step", "two states and lag 2"])
def test_a_batch_is_its_members(name):
    here, found = at(name, 5, 3), analysis(name, 5, 3)
    for k in range(3):
        alone = rd.checks.points.member(network(name), here, k)
        single = rd.analyze(network(name), alone.params, alone.inputs)
        np.testing.assert_allclose(found.operator[:, k], single.operator, rtol=1e-10, atol=1e-10)
        np.testing.assert_allclose(found.gradient[:, k], single.gradient, rtol=1e-10, atol=1e-10)
        # `mean` over time divides; the cotangents know it, members do not see each other
        np.testing.assert_allclose(found.arriving[:, k], single.arriving, rtol=1e-10, atol=1e-10)
        wrt = found.trace.chain.reads[0]
        np.testing.assert_allclose(
            found.contributions(wrt).logs[:, k], single.contributions(wrt).logs, rtol=1e-9, atol=1e-9
        )  # fmt: skip
        np.testing.assert_allclose(found.bounds.logs[:, k], single.bounds.logs, rtol=1e-10, atol=1e-10)
        np.testing.assert_allclose(
            found.spectrum(k).log_singular_values, single.spectrum().log_singular_values, rtol=1e-8, atol=1e-8
        )  # fmt: skip


def test_the_last_loss_is_told_from_the_earlier_ones():
    """At lag l the gradient curve is the last word alone; what arrives has every loss in it."""
    found = analysis("losses at both ends")
    assert found.trace.last == 5
    assert found.gradient[0] == pytest.approx(found.arriving[-1])
    assert found.gradient[4] != pytest.approx(found.arriving[0])
    early = analysis("loss at an early step")
    assert early.trace.last == 2 and len(early.gradient) == 3
    assert np.isneginf(early.arriving[2:]).all() and np.isfinite(early.arriving[:2]).all()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_fifty_thousand_steps_without_underflow_or_nan(dtype):
    T, n = 50_000, 3
    rng = np.random.default_rng(0)
    params = {"W": rng.standard_normal((n, 1)), "U": 0.8 * np.linalg.qr(rng.standard_normal((n, n)))[0]}
    params = {k: a.astype(dtype) for k, a in params.items()}
    inputs = {"x": rng.standard_normal((T, 1)).astype(dtype), "target": np.ones(n, dtype)}
    found = rd.analyze(tanh_net(), params, inputs)
    assert found.trace.course.dtype == dtype
    assert found.gradient.shape == (T + 1,) and np.isfinite(found.gradient).all()
    assert found.operator[-1] < -10_000 and np.isfinite(found.operator).all()
    assert np.isfinite(found.bounds.logs).all()
    assert found.bounds.limit == pytest.approx(0.8, rel=1e-6)
    assert len(found.lags) < 3000 and found.lags[-1] == T
    assert np.isfinite(found.contributions("U").logs[1:]).all()
    assert found.verdict.kind == "vanishing"
    assert found.verdict.rate.value == pytest.approx(found.operator[-1] / T, rel=0.02)


@pytest.mark.parametrize("gain", [0.5, 1.5])
def test_a_linear_chain_of_thousands_of_steps_is_its_eigenvalue(gain):
    found = linear(gain * np.eye(2), 3000)
    np.testing.assert_allclose(found.operator, np.log(gain) * found.lags, rtol=1e-12, atol=1e-12)
    from_one = found.gradient - found.gradient[0]
    np.testing.assert_allclose(from_one, np.log(gain) * np.arange(3001), rtol=1e-12, atol=1e-9)


# ---------------------------------------------------------------- the spectrum of a run


@pytest.mark.parametrize("name", ["vanilla", "lstm", "bidirectional_rnn", "stack over a lag"])
def test_singular_values_are_those_of_the_explicit_product(name):
    for found in every_chain(name):
        product = np.eye(found.trace.size)
        for jacobian in found.trace.jacobians:
            product = jacobian @ product
        expected = np.linalg.svd(product, compute_uv=False)
        spectrum = found.spectrum()
        np.testing.assert_allclose(np.exp(spectrum.log_singular_values), expected, rtol=1e-7, atol=1e-14 * expected[0])
        assert spectrum.log_singular_values[0] == pytest.approx(found.operator[-1], abs=1e-9)
        assert spectrum.lyapunov is None  # too few steps
        assert (spectrum.radii <= spectrum.norms * (1 + 1e-12)).all()


def test_exponents_of_a_linear_chain_are_the_logarithms_of_its_eigenvalues():
    spectrum = linear(np.diag([1.2, 0.7, 0.1]), 100).spectrum()
    np.testing.assert_allclose(spectrum.lyapunov.exponents, np.log([1.2, 0.7, 0.1]), atol=1e-6)
    assert spectrum.log_condition == pytest.approx(100 * np.log(12.0))
    assert spectrum.dead == 0


def test_dead_units_are_counted():
    """A ReLU unit that is off at one step takes a dimension of the product away for good."""
    net = tanh_net(activation="relu")
    x = np.ones((60, 3))
    x[20, 1] = x[40, 1] = x[50, 2] = -100.0
    found = rd.analyze(net, {"W": np.eye(3), "U": 0.5 * np.eye(3)}, {"x": x, "target": np.ones(3)})
    spectrum = found.spectrum()
    assert spectrum.dead == 2
    assert np.isneginf(spectrum.log_singular_values[1:]).all()
    assert spectrum.log_singular_values[0] == pytest.approx(60 * np.log(0.5))
    assert spectrum.log_condition == np.inf


def test_a_member_that_is_not_there_and_a_chain_too_long_for_the_spectrum_are_named(monkeypatch):
    with pytest.raises(InputError, match="there is no sequence 3; the batch has 3, counted from 0"):
        analysis("vanilla", 5, 3).spectrum(3)
    monkeypatch.setattr(traces, "MOST_BYTES", 100)
    fresh = linear(np.eye(2), 5)
    with pytest.raises(InputError, match=r"the whole spectrum needs them at once\. Give at most 3 steps"):
        fresh.spectrum()
