"""Bounds from formulas: they hold for any weights, and for the simple RNN they are Pascanu's."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import rnnderive as rd
from rnnderive import printing
from rnnderive.chains import limits
from rnnderive.chains.bounds import Constant, norm_bound
from rnnderive.chains.ranges import supremum
from rnnderive.errors import RnnDeriveError
from rnnderive.language import FUNCTIONS, Recurrence
from rnnderive.language import terms as tm
from tests.chains.nets import CASES, CELLS, TEXTS, analysis, at, every_chain, linear, network, tanh_net

rng = np.random.default_rng(2)


def holds(found):
    """A bound on each factor, and on the whole, with nothing but rounding to spare."""
    trace, step = found.trace, found.bounds.step
    norms = np.linalg.norm(trace.jacobians, 2, axis=(-2, -1))
    bound = trace.ordered(step.along(trace.course, 1, trace.T))
    assert (norms <= bound * (1 + 1e-12)).all()
    assert (bound <= step.limit(trace.course) * (1 + 1e-12)).all()
    logs, whatever = found.bounds.logs, found.bounds.whatever
    assert (found.operator <= logs + 1e-9).all()
    assert (found.operator <= (whatever if logs.ndim == 1 else whatever[:, None]) + 1e-9).all()


@pytest.mark.parametrize(("name", "batch"), CASES)
def test_the_bound_holds_on_each_factor_and_on_the_whole(name, batch):
    for found in every_chain(name, 5, batch):
        holds(found)


@pytest.mark.parametrize("name", ["vanilla", "lstm", "gru", "peephole_lstm", "indrnn", "mgu", *TEXTS])
@settings(max_examples=3, deadline=None)
@given(data=st.data())
def test_the_bound_holds_for_random_weights_and_inputs(name, data):
    here = at(name)
    wide = st.floats(-4, 4, width=32)
    params = {n: data.draw(hnp.arrays(float, a.shape, elements=wide)) for n, a in here.params.items()}
    inputs = dict(here.inputs)
    if "x" in inputs:
        inputs["x"] = data.draw(hnp.arrays(float, inputs["x"].shape, elements=wide))
    try:
        found = rd.analyze(network(name), params, inputs)
    except rd.errors.InputError:
        return  # the run overflows
    holds(found)


BOUNDED = [n for n in FUNCTIONS if n not in ("step", "sign", "log", "sqrt", "rsqrt", "exp")]


@pytest.mark.parametrize("name", BOUNDED)
def test_for_a_simple_network_the_bound_is_gamma_norm_u_to_the_lag(name):
    """‖P_{T,k}‖ ≤ (γ‖U‖)^{T−k} (Pascanu, Mikolov and Bengio 2013, eqs. 6-7)."""
    net = tanh_net(activation=name)
    U = rng.standard_normal((3, 3)) / 3
    found = rd.analyze(
        net, {"W": rng.standard_normal((3, 2)), "U": U}, {"x": rng.standard_normal((6, 2)), "target": np.ones(3)}
    )  # fmt: skip
    slope = found.trace.chain.jacobian
    gamma = supremum(slope.args[0].args[0], net) if isinstance(slope, tm.Product) else 1.0
    expected = gamma * np.linalg.norm(U, 2)
    assert found.bounds.limit == pytest.approx(expected, rel=1e-12)
    np.testing.assert_allclose(found.bounds.whatever, found.lags * np.log(expected), rtol=1e-10)
    holds(found)


def test_a_bound_is_reached_where_nothing_is_lost():
    """A linear chain of one orthogonal matrix; a tanh at rest."""
    Q = np.linalg.qr(rng.standard_normal((4, 4)))[0]
    assert np.abs(linear(0.9 * Q, 20).operator - linear(0.9 * Q, 20).bounds.logs).max() < 1e-12
    still = rd.analyze(
        tanh_net(), {"W": np.zeros((4, 1)), "U": 0.9 * Q}, {"x": np.zeros((20, 1)), "target": np.ones(4)}
    )  # fmt: skip
    np.testing.assert_allclose(still.operator, still.bounds.whatever, atol=1e-12)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_rounding_does_not_break_a_bound_that_is_reached(dtype):
    Q = np.linalg.qr(rng.standard_normal((5, 5)))[0]
    found = linear(Q, 1500, dtype=dtype)
    assert found.trace.course.dtype == dtype
    assert np.isfinite(found.bounds.logs).all()


@pytest.mark.parametrize(
    ("u", "words"),
    [
        (0.5, "at most 0.5000 < 1 whatever the input: sufficient for vanishing, by 0.6931 nats a step at least"),
        (2.0, "at most 2.0000 ≥ 1: this is necessary for exploding, not sufficient"),
        (0.0, "zero whatever the input: nothing passes"),
    ],
)
def test_the_sufficient_and_the_necessary_condition_are_told_apart(u, words):
    assert words in linear([[u]], 5).bounds.words


@pytest.mark.parametrize("away", [3e-4, 1e-6, 1e-10])
def test_a_bound_near_one_is_never_told_as_one(away):
    """1 − 1e-6 is under 1 and is said to be; what floating point cannot tell from 1 is not."""
    words = linear([[1 - away]], 5).bounds.words
    assert f"at most 1 − {away:.1e} < 1" in words and f"by {away:.1e} nats a step at least" in words
    assert f"at most 1 + {away:.1e} ≥ 1: this is necessary" in linear([[1 + away]], 5).bounds.words


def test_an_orthogonal_matrix_is_bounded_by_1_to_rounding_and_nothing_is_claimed():
    for seed in range(5):
        Q = np.linalg.qr(np.random.default_rng(seed).standard_normal((32, 32)))[0]
        found = linear(Q, 5).bounds
        assert "at most 1, to rounding, whatever the input: the chain cannot explode" in found.words
        assert "sufficient for vanishing" not in found.words


DELAYED = "h[t] = tanh(A @ h[t-1] + B @ h[t-2])\nL = sum(h[T])"


def test_a_delay_is_bounded_below_1_though_the_norm_of_its_factor_is_not():
    """x² = a x + b has its root at the rate; ‖[[A, B], [I, 0]]‖ ≥ 1 whatever a and b."""
    a, b = 0.5, 0.3
    found = rd.analyze(DELAYED, {"A": a * np.eye(2), "B": b * np.eye(2)}, {"T": 80, "h0": 0.01 * np.ones(2)})
    root = (a + np.sqrt(a * a + 4 * b)) / 2
    assert found.bounds.limit == pytest.approx(root, rel=1e-12) and root < 1
    assert np.linalg.norm(found.bounds.blocks, 2) > 1
    assert "In the long run a step multiplies by at most 0.8521 < 1" in found.bounds.words
    slope = np.diff(found.bounds.whatever)[-1]
    assert slope == pytest.approx(np.log(root), rel=1e-9)
    holds(found)


def test_blocks_that_pass_nothing_back_are_nilpotent():
    """h reads only h two steps back, with no weight: two factors give zero."""
    found = rd.analyze("h[t] = tanh(A @ h[t-2])\nL = sum(h[T])", {"A": np.zeros((1, 1))}, {"T": 6, "h0": np.ones(1)})
    assert found.bounds.limit == 0.0 and "nothing passes over 2 steps" in found.bounds.words


def test_where_no_bound_holds_whatever_the_run_the_one_along_the_run_is_left():
    found = analysis("gru").bounds
    assert found.limit == np.inf and np.isfinite(found.logs).all()
    assert "No bound holds whatever the run" in found.words


@pytest.mark.parametrize(("slip", "u"), [(0.5, 2.0), (0.0, 0.5)])
def test_a_bound_that_the_measurement_breaks_is_an_error_of_ours(slip, u, monkeypatch):
    """Also a bound of zero, whose logarithm is −∞."""
    monkeypatch.setattr(limits, "norm_bound", lambda term, net: Constant(slip))
    with pytest.raises(RnnDeriveError, match="the measured norm breaks its bound"):
        linear([[u]], 5).bounds  # noqa: B018


def test_paths_with_the_same_matrix_are_bounded_together():
    """diag(a) U − diag(b) U is diag(a − b) U: the bound is max|a − b| ‖U‖, and not (max|a| + max|b|) ‖U‖."""
    net = Recurrence.parse("h[t] = sin(U @ h[t-1]) - tanh(U @ h[t-1])\nL = sum(h[T])")
    U, h0 = rng.standard_normal((3, 3)), rng.standard_normal(3)
    found = rd.analyze(net, {"U": U}, {"h0": h0, "T": 4})
    a = U @ h0
    expected = np.abs(np.cos(a) - 1 / np.cosh(a) ** 2).max() * np.linalg.norm(U, 2)
    assert found.bounds.step.along(found.trace.course, 1, 1) == pytest.approx(expected, rel=1e-12)


def test_an_initial_state_outside_the_state_s_range_is_no_error_of_ours():
    """h⁰ = 100 is no value of tanh; J_1 = diag(φ') U diag(2h⁰) is as large as it likes."""
    net = Recurrence.parse("h[t] = tanh(W @ x[t] + U @ (h[t-1] * h[t-1]))\nL = sum(h[T])")
    params = {"W": np.zeros((1, 1)), "U": np.array([[1e-6]]), "h0": np.array([100.0])}
    found = rd.analyze(net, params, {"x": np.zeros((4, 1))})
    holds(found)
    assert found.bounds.limit == pytest.approx(2e-4, rel=1e-3)


@pytest.mark.parametrize(
    ("cell", "written"),
    [
        (lambda: rd.cells.vanilla("relu"), "‖step(W x^t + U h^{t-1} + b_h)‖_{∞} ‖U‖_2"),
        (rd.cells.mingru, "‖1 - z^t‖_{∞}"),
    ],
)
def test_a_bound_is_written_as_a_formula(cell, written):
    net = cell()
    bound = norm_bound(rd.derive(net).jacobian("h", "h"), net)
    assert printing.text(bound.math(net.notation)) == written


@pytest.mark.parametrize("name", CELLS)
def test_every_bound_can_be_written(name):
    bound = analysis(name).bounds.step
    assert printing.text(bound.math(network(name).notation))
    assert printing.latex(bound.math(network(name).notation))
