"""Remedies: what is predicted from the run at hand, and what comes of it on a run with the remedy."""

from __future__ import annotations

import numpy as np
import pytest

import rnnderive as rd
from rnnderive.chains.remedies import Remedy
from rnnderive.language import Recurrence
from tests.chains.nets import CELLS, TEXTS, analysis, linear, network, tanh_net

rng = np.random.default_rng(4)


def by_name(found, **options):
    return {r.name: r for r in found.remedies(**options)}


def cell(make, T=40, scale=1.0):
    net = make()
    here = rd.checks.point(net, T=T)
    params = {n: a * scale if n.startswith(("W", "R", "p")) else a for n, a in here.params.items()}
    return rd.analyze(net, params, here.inputs)


def test_the_gain_of_a_linear_chain_is_predicted_exactly():
    """P is homogeneous of degree T in U."""
    found = by_name(linear(rng.standard_normal((4, 4)), 50))
    gain = found["gain"]
    assert gain.predicted == 0.0 and gain.measured == pytest.approx(0.0, abs=1e-12) and abs(gain.before) > 0.1
    assert found["orthogonal initialisation"].predicted == 0.0
    assert found["orthogonal initialisation"].measured == pytest.approx(0.0, abs=1e-12)


def test_an_orthogonal_matrix_leaves_the_slopes_alone():
    """For a tanh near rest these are 1, so that what is left is less than a hundredth of a nat a step."""
    net = tanh_net()
    W, U = rng.standard_normal((4, 1)), 0.5 * rng.standard_normal((4, 4))
    x = 0.02 * rng.standard_normal((30, 1))
    found = rd.analyze(net, {"W": W, "U": U}, {"x": x, "target": np.ones(4)})
    remedy = by_name(found)["orthogonal initialisation"]
    assert remedy.predicted == pytest.approx(remedy.measured, abs=0.01) and remedy.measured == pytest.approx(
        0, abs=0.01
    )


@pytest.mark.parametrize("name", ["forget bias", "chrono initialisation"])
def test_what_a_gate_of_the_input_keeps_is_predicted_exactly(name):
    """In a minGRU the gate does not see the state: shifting its bias shifts its argument, and that is all."""
    found = by_name(cell(rd.cells.mingru))
    assert found[name].predicted == pytest.approx(found[name].measured, rel=1e-9)
    assert found[name].before < found[name].predicted < 0


@pytest.mark.parametrize("make", [rd.cells.lstm, rd.cells.peephole_lstm, rd.cells.gru, rd.cells.mgu])
def test_what_a_gate_of_the_state_keeps_is_predicted_to_a_tenth(make):
    """Gates that see the state see another state afterwards; with weak weights little of that."""
    found = by_name(cell(make, scale=0.3))
    for name in ("forget bias", "chrono initialisation"):
        remedy = found[name]
        assert remedy.measured == pytest.approx(remedy.predicted, rel=0.1, abs=0.01)
        assert remedy.measured > remedy.before


def test_chrono_keeps_what_lasts_for_t_steps():
    """f = σ(ln U(1, T − 1)) = 1 − 1/(1 + u): its mean logarithm, by the integral, for gates that see nothing."""
    net = rd.cells.lstm()
    T, n = 60, 100
    here = rd.checks.point(net, T=T, sizes={s: n if "C" in str(s) or "h" in str(s) else 2 for s in net.sizes})
    params = {k: 0 * a for k, a in here.params.items()}
    remedy = by_name(rd.analyze(net, params, here.inputs))["chrono initialisation"]
    u = np.linspace(1, T - 1, 100_001)
    expected = np.log(u / (1 + u)).mean()
    assert remedy.before == pytest.approx(np.log(0.5))
    assert remedy.measured == pytest.approx(expected, rel=0.15)


def test_clipping_gives_the_norm_that_it_says():
    found = by_name(linear(1.3 * np.eye(2), 30))
    assert "clipping" not in found  # x is zero: no gradient at all
    net = Recurrence.parse("h[t] = u * h[t-1] + x[t]\nL = sum(h[T])")
    run = rd.analyze(net, {"u": np.array([1.3])}, {"x": np.ones((30, 1))})
    remedy = by_name(run)["clipping"]
    assert remedy.before > 100 and remedy.predicted == 1.0 == pytest.approx(remedy.measured)


@pytest.mark.parametrize("bias", [0.1, 0.01])
def test_the_length_for_a_bias_is_predicted_within_a_factor_of_three(bias):
    """From norms alone: directions and the states that λ meets are not known."""
    net, rng = tanh_net(), np.random.default_rng(1)
    found = rd.analyze(
        net, {"W": rng.standard_normal((6, 2)), "U": 0.6 * np.linalg.qr(rng.standard_normal((6, 6)))[0]},
        {"x": rng.standard_normal((80, 2)), "target": np.ones(6)},
    )  # fmt: skip
    remedy = by_name(found, bias=bias)["truncation"]
    assert remedy.predicted <= bias
    assert remedy.predicted / 3 < remedy.measured < 3 * remedy.predicted


@pytest.mark.parametrize("name", [*(n for n in CELLS if n not in ("stacked_lstm", "bidirectional_lstm")), *TEXTS])
def test_every_network_has_remedies_with_finite_numbers(name):
    found = analysis(name).remedies(seed=1)
    assert found == analysis(name).remedies(seed=1)  # the same seed, the same numbers
    for remedy in found:
        assert np.isfinite([remedy.before, remedy.predicted, remedy.measured]).all(), remedy
        assert f"{remedy.name} ({remedy.change})" in str(remedy) and remedy.source


def test_a_run_without_sequences_is_rerun_over_as_many_steps_for_a_batch_of_initial_states():
    net = Recurrence.parse("h[t] = tanh(U @ h[t-1])\nL = sum(h[T])")
    U = 0.9 * np.linalg.qr(rng.standard_normal((3, 3)))[0]
    found = rd.analyze(net, {"U": U}, {"h0": rng.standard_normal((4, 3)), "T": 25})
    assert found.trace.course.batch == 4
    assert {"gain", "orthogonal initialisation"} <= set(by_name(found))


def test_a_dead_chain_is_not_rescaled():
    net = tanh_net(activation="relu")
    dead = rd.analyze(
        net, {"W": np.eye(2), "U": np.eye(2)}, {"x": -np.ones((9, 2)), "target": np.ones(2)}
    )  # fmt: skip
    found = by_name(dead)
    assert "gain" not in found
    assert found["orthogonal initialisation"].predicted == -np.inf == found["orthogonal initialisation"].measured


def test_no_remedy_is_offered_that_the_cell_has_no_place_for():
    assert {r.name for r in analysis("vanilla").remedies()} <= {
        "gain", "orthogonal initialisation", "clipping", "truncation"
    }  # fmt: skip
    assert network("gru") and not {"gain"} & {r.name for r in analysis("gru").remedies()}


def test_what_helps_most_comes_first_and_what_does_not_help_last_and_is_told():
    found = [Remedy(str(e), "", "q", 0, 0, 0, "", (-0.5, -0.5 + e)) for e in (0.1, 0.4, -0.2)]
    assert [r.helps for r in found] == [True, True, False]
    assert str(found[2]).startswith("does not help: -0.2") and "rate of the gradient -0.5 → -0.7" in str(found[2])
    assert Remedy("", "", "q", 0, 0, 0, "", (-np.inf, -0.5)).helps
    assert not Remedy("", "", "q", 0, 0, 0, "", (-np.inf, -np.inf)).helps
    assert not Remedy("", "", "q", 0, 0, 0, "", (-0.5, 0.7)).helps  # from vanishing to exploding, and further from 0


def test_remedies_are_in_the_order_of_their_effect_on_the_verdict_s_rate():
    """An orthogonal matrix has nothing to gain from being drawn anew."""
    net = tanh_net()
    U = 0.98 * np.linalg.qr(rng.standard_normal((6, 6)))[0]
    x = rng.standard_normal((60, 6))
    run = rd.analyze(net, {"W": np.eye(6), "U": U}, {"x": x, "target": np.ones(6)})
    found = run.remedies()
    assert [(r.helps, r.effect) for r in found] == sorted(((r.helps, r.effect) for r in found), reverse=True)
    for remedy in found:
        if remedy.rates is not None:
            assert remedy.rates[0] == pytest.approx(run.verdict.rate.value)
    lstm = cell(rd.cells.lstm).remedies()
    assert lstm[0].name in ("forget bias", "chrono initialisation") and lstm[0].effect > 0.1


def test_the_length_for_a_bias_counts_the_sequences_of_a_batch_that_reach_furthest():
    """Two of three die at once; the bias of the sum is that of the third."""
    x = np.ones((30, 3, 1))
    x[28, :2] = -50.0
    params = {"W": np.ones((2, 1)), "U": 0.7 * np.eye(2)}
    found = rd.analyze(tanh_net(activation="relu"), params, {"x": x, "target": np.zeros((3, 2))})
    assert found.verdict.kind == "cut off"
    remedy = by_name(found)["truncation"]
    assert 0 < remedy.predicted <= 0.01 and remedy.measured < 0.03
