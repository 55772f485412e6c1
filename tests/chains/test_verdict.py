"""Verdicts: on curves that are known, and on networks whose fate is known."""

from __future__ import annotations

import re

import numpy as np
import pytest

import rnnderive as rd
from rnnderive.chains.judgement import stays_bounded, wanders
from rnnderive.chains.trace import middle
from rnnderive.chains.verdict import Cause, Rate, judged, measured_rate
from rnnderive.language import Recurrence
from tests.chains.nets import analysis, at, linear, tanh_net

rng = np.random.default_rng(3)


# ---------------------------------------------------------------- curves


@pytest.mark.parametrize("rate", [-0.5, 0.25, -1e-3])
def test_the_rate_of_a_straight_line_is_its_slope(rate):
    found = measured_rate(rate * np.arange(500) + 7.0)
    assert found.value == pytest.approx(rate, rel=1e-9) and found.error == pytest.approx(0.0, abs=1e-12)
    assert found.half_life == pytest.approx(np.log(2) / abs(rate))


def test_the_error_of_a_rate_is_that_of_a_random_walk():
    """Rises of mean −0.1 and deviation 1: the standard error of n of them is 1/√n."""
    n, errors, values = 2000, [], []
    for seed in range(200):
        rises = np.random.default_rng(seed).standard_normal(n) - 0.1
        found = measured_rate(np.concatenate([[0.0], np.cumsum(rises)]))
        errors.append(found.error)
        values.append(found.value)
    expected = 1 / np.sqrt(0.9 * n)
    assert np.mean(errors) == pytest.approx(expected, rel=0.05)
    assert np.std(values) == pytest.approx(expected, rel=0.15)
    assert np.mean(values) == pytest.approx(-0.1, abs=4 * expected / np.sqrt(200))


def test_rates_of_curves_that_end():
    assert measured_rate([0.0, -np.inf, -np.inf]) == Rate(-np.inf)
    assert measured_rate([0.0, -1.0, -2.0, -np.inf]).value == -1.0
    assert Rate(0.0).half_life == np.inf and Rate(-np.inf).half_life == 0.0


@pytest.mark.parametrize(("a", "single", "double"), [(0.4, 18, 40), (0.9, 152, None)])
def test_memory_and_precision_of_a_chain_with_a_known_rate(a, single, double):
    """a^l ≤ 1 % from l = ⌈ln 100 / −ln a⌉ on; under 2⁻²³ and 2⁻⁵² of the strongest beyond."""
    found = judged(np.log(a) * np.arange(200), bounded=True)
    assert found.kind == "vanishing"
    assert found.memory == int(np.ceil(np.log(100) / -np.log(a)))
    assert found.precision == {"float32": single, "float64": double}
    assert f"half of it is lost in {np.log(0.5) / np.log(a):.3g} steps" in found.headline


def test_a_dip_is_no_end_of_memory():
    curve = np.zeros(100)
    curve[40:50] = -10.0
    assert judged(curve, bounded=True).memory is None
    assert "more than 99 steps" in str(judged(curve, bounded=True))


def test_growth_along_a_bounded_run_is_chaos_if_it_lasts():
    grows = 0.1 * np.arange(200)
    assert judged(grows, bounded=False).kind == "exploding"
    assert judged(grows, bounded=True).kind == "chaotic"
    assert judged(5 * grows[:40], bounded=True).kind == "exploding"  # too short to tell


def test_causes_come_costliest_first_and_the_cheap_ones_are_not_told():
    causes = tuple(Cause(n, "words", 0.5, -0.1, c) for n, c in (("a", 0.0005), ("b", 0.5), ("c", np.inf)))
    found = judged(-0.1 * np.arange(99), bounded=True, causes=causes)
    assert [c.name for c in found.causes] == ["c", "b", "a"]
    assert "c ends the chain" in str(found) and "b costs 0.5000" in str(found) and "a costs" not in str(found)


@pytest.mark.parametrize(("lag", "words"), [(1, "1 step back no more"), (7, "7 steps back no more")])
def test_one_step_is_one_step(lag, words):
    assert words in str(judged(-np.log(100.01) / lag * np.arange(30), bounded=True))


# ---------------------------------------------------------------- networks


def tanh(U, T, h0=None, x=0.0, **options):
    n = len(U)
    params = {"W": np.zeros((n, 1)), "U": U, **({} if h0 is None else {"h0": h0})}
    return rd.analyze(tanh_net(**options), params, {"x": np.full((T, 1), x), "target": np.ones(n)})


def orthogonal(n):
    return np.linalg.qr(rng.standard_normal((n, n)))[0]


def test_vanishing():
    found = tanh(0.5 * orthogonal(4), 80)
    assert found.verdict.kind == "vanishing" and found.verdict.rate.value == pytest.approx(np.log(0.5))


def test_exploding():
    net = Recurrence.parse("h[t] = W @ x[t] + U @ h[t-1]\nL = sum(h[T])")
    U = 1.5 * orthogonal(3)
    found = rd.analyze(net, {"W": np.eye(3), "U": U}, {"x": rng.standard_normal((200, 3))})
    assert not stays_bounded(found.trace)
    assert found.verdict.kind == "exploding" and found.verdict.rate.value == pytest.approx(np.log(1.5))
    assert "doubles in 1.71 steps" in found.verdict.headline


def test_a_linear_chain_that_stays_at_rest_explodes_and_is_no_chaos():
    found = linear(1.5 * orthogonal(3), 200)
    assert stays_bounded(found.trace) and not wanders(found.trace)
    assert found.verdict.kind == "exploding"


def test_an_unstable_fixed_point_is_no_chaos():
    """tanh at zero with a gain of 3, undisturbed: J = U at every step, but the run does not move."""
    found = tanh(3 * orthogonal(4), 100)
    assert not wanders(found.trace) and found.verdict.kind == "exploding"
    assert found.verdict.rate.value == pytest.approx(np.log(3.0))


def test_chaotic():
    """Sompolinsky, Crisanti and Sommers 1988: J ~ N(0, g²/n) with g = 3 is chaotic."""
    n = 60
    found = tanh(3 * rng.standard_normal((n, n)) / np.sqrt(n), 400, h0=rng.standard_normal(n))
    assert stays_bounded(found.trace) and wanders(found.trace)
    assert found.verdict.kind == "chaotic" and 0.05 < found.verdict.rate.value < np.log(3.0)
    assert "stays bounded, so the run is chaotic" in found.verdict.headline


def test_critical():
    found = linear(orthogonal(5), 300)
    assert found.verdict.kind == "critical" and found.verdict.memory is None
    assert found.verdict.precision == {"float32": None, "float64": None}


def test_cut_off_by_dead_units():
    x = np.ones((30, 1))
    x[10] = -50.0
    net = tanh_net(activation="relu")
    found = rd.analyze(net, {"W": np.ones((2, 1)), "U": 0.9 * np.eye(2)}, {"x": x, "target": np.ones(2)})
    verdict = found.verdict
    assert verdict.kind == "cut off" and verdict.cut == 20
    assert "exactly zero from 20 steps back on" in verdict.headline
    assert found.spectrum().dead == 2
    (cause,) = found.causes
    assert cause.cost == np.inf and cause.name == "relu of h" and "dead" in cause.words
    assert cause.rate == pytest.approx(np.log(0.9))


def test_half_a_batch_cut_off_is_cut_off_in_the_median():
    x = np.ones((30, 3, 1))
    x[10, :2] = -50.0
    net = tanh_net(activation="relu")
    found = rd.analyze(
        net, {"W": np.ones((2, 1)), "U": 0.9 * np.eye(2)}, {"x": x, "target": np.ones((3, 2))}
    )  # fmt: skip
    assert found.verdict.kind == "cut off"
    assert np.isfinite(found.gradient[:, 2]).all()


@pytest.mark.parametrize("loss", ["squared_error(W @ x[T], target)", "squared_error(h[T], h[T])"])
def test_silent(loss):
    found = rd.analyze(
        tanh_net(loss), {"W": np.eye(2), "U": np.eye(2)},
        {"x": np.ones((9, 2)), **({"target": np.ones(2)} if "target" in loss else {})},
    )  # fmt: skip
    assert found.verdict.kind == "silent"
    assert str(found.verdict) == found.verdict.headline
    assert np.isneginf(found.gradient).all() and np.isfinite(found.operator).all()


def test_without_a_loss_the_chain_itself_is_judged():
    net = Recurrence.parse("h[t] = U @ h[t-1]", loss=None)
    found = rd.analyze(net, {"U": 0.5 * np.eye(2)}, {"T": 3000})
    assert found.verdict.kind == "vanishing" and found.verdict.rate.value == pytest.approx(np.log(0.5))
    assert not found.trace.speaks


def test_a_loss_that_does_not_reach_back_far_leaves_the_judgement_to_the_chain():
    found = analysis("loss at an early step")
    assert len(found.gradient) == 3
    expected = judged(middle(found.operator), bounded=True).rate
    assert found.verdict.rate == expected and found.verdict.steps == 5


def test_a_chain_of_one_step_has_a_verdict():
    for name in ("vanilla", "lstm", "bidirectional_rnn"):
        found = analysis(name, 1)
        assert found.verdict.steps == 1
        assert found.verdict.rate.value == pytest.approx(found.gradient[1] - found.gradient[0])


def test_a_cut_of_a_long_chain_stays_without_nan():
    """The norms of a long chain are taken at some lags; between −∞ and a number lies no NaN."""
    T = 5000
    x = np.ones((T, 1))
    x[1000] = -50.0
    net = Recurrence.parse("h[t] = relu(W @ x[t] + U @ h[t-1])", loss=None)
    found = rd.analyze(net, {"W": np.ones((1, 1)), "U": np.full((1, 1), 0.9)}, {"x": x})
    verdict = found.verdict
    assert verdict.kind == "cut off" and 3900 <= verdict.cut <= 4100
    assert verdict.rate.value == pytest.approx(np.log(0.9))


# ---------------------------------------------------------------- a batch


def dead_after(steps):
    """A relu net of three sequences, of which some see a step that kills all units; T = 60."""
    x = np.ones((60, len(steps), 1))
    for m, step in enumerate(steps):
        if step is not None:
            x[step, m] = -50.0
    params = {"W": np.ones((2, 1)), "U": 0.8 * np.eye(2)}
    return rd.analyze(tanh_net(activation="relu"), params, {"x": x, "target": np.ones((len(steps), 2))})


def test_one_dead_sequence_of_three_is_told_and_is_not_the_headline():
    found = dead_after([10, None, None]).verdict
    assert found.kind == "vanishing" and found.counts == {"vanishing": 2, "cut off": 1}
    assert found.which("cut off") == (0,) and found.members[0].cut == 50
    assert found.headline.startswith(
        "3 sequences: 2 vanishing, 1 cut off (exactly zero from some step on). The typical"
    )
    assert f"number {found.member}: the gradient vanishes: -0.2231 nats a step" in found.headline
    assert "Cut off: number 0." in found.details
    assert found.quantiles((0.0, 1.0)) == (-np.inf, pytest.approx(np.log(0.8)))


def test_two_dead_sequences_of_three_are_the_headline_and_the_living_one_is_told():
    found = dead_after([10, None, 30]).verdict
    assert found.kind == "cut off" and found.member == 0 and found.cut == 50  # the later death is the milder one
    assert "2 cut off (exactly zero from some step on), 1 vanishing" in found.headline
    assert "Vanishing: number 1." in found.details


def test_the_typical_sequence_is_the_one_with_the_median_rate():
    found = analysis("lstm", 60, 3).verdict
    rates = [m.rate.value for m in found.members]
    assert found.rate.value == np.median(rates) == rates[found.member]
    assert found.memory == found.members[found.member].memory
    for m, member in enumerate(found.members):
        here = at("lstm", 60, 3)
        alone = rd.analyze(rd.cells.lstm(), here.params, {n: a[..., m, :] for n, a in here.inputs.items()}).verdict
        assert alone.rate.value == pytest.approx(member.rate.value, rel=1e-9) and alone.kind == member.kind


def test_sequences_that_do_different_things_are_counted_each():
    """tanh with a gain of 1.5: at rest the gradient explodes; driven far out it vanishes."""
    U, x = 1.5 * orthogonal(4), np.zeros((80, 2, 4))
    x[:, 1] = 5.0 * rng.standard_normal((80, 4))
    found = rd.analyze(tanh_net(), {"W": np.eye(4), "U": U}, {"x": x, "target": np.ones((2, 4))}).verdict
    assert [m.kind for m in found.members] == ["exploding", "vanishing"]


# ---------------------------------------------------------------- what cannot be told, and what was judged


def test_a_rate_within_two_errors_of_zero_is_not_critical_but_undetermined():
    walk = np.concatenate([[0.0], np.cumsum(np.random.default_rng(1).standard_normal(400))])
    walk -= np.linspace(0, walk[-1] - 3.0, 401)  # it ends at 3, by chance
    found = judged(walk, bounded=True)
    assert abs(found.rate.value) < 2 * found.rate.error and found.kind == "undetermined"
    assert "rate cannot be told from 0 over 400 steps" in found.headline and "standard error" in found.headline
    still = judged(0.01 * np.sin(np.arange(401)), bounded=True)
    assert still.kind == "critical" and "neither vanishes nor explodes" in still.headline


def test_a_change_within_ten_by_chance_is_not_critical():
    """It ends where it began, but wandered by more than a factor of ten: nothing can be said."""
    walk = np.concatenate([[0.0], np.cumsum(np.random.default_rng(2).standard_normal(400))])
    walk -= np.linspace(0, walk[-1], 401)
    assert judged(walk, bounded=True).kind == "undetermined"


@pytest.mark.parametrize(("steps", "kind"), [(49, "exploding"), (50, "chaotic")])
def test_chaos_takes_fifty_steps(steps, kind):
    assert judged(0.3 * np.arange(steps + 1), bounded=True).kind == kind


def test_the_verdict_says_when_it_judges_the_chain_and_no_gradient():
    early = analysis("loss at an early step").verdict
    assert early.of == "chain" and early.headline.startswith("The chain ")
    assert "no gradient: of 5 steps the loss reads none after 2." in early.details[0]
    assert early.details[0].startswith("Judged is the norm of the chain itself")
    net = Recurrence.parse("h[t] = U @ h[t-1]", loss=None)
    none = rd.analyze(net, {"U": 0.5 * np.eye(2)}, {"T": 30}).verdict
    assert none.of == "chain" and "there is no loss" in str(none)
    assert analysis("lstm").verdict.of == "gradient" and analysis("lstm").verdict.note == ""


def test_the_last_step_that_the_loss_reads_is_told_also_from_right_to_left():
    net = Recurrence.parse("r[t] = tanh(W @ x[t] + U @ r[t+1])\nL = squared_error(r[T], target)")
    here = rd.checks.point(net, T=9)
    found = rd.analyze(net, here.params, here.inputs)
    assert found.trace.last == 1 and len(found.gradient) == 2
    assert "of 9 steps the loss reads none before 9." in found.verdict.note


# ---------------------------------------------------------------- what else there is to know


def test_a_loss_of_every_step_says_what_arrives_of_all_of_them():
    """With h[t] = a h[t-1] + x[t] and L = Σ_t h[t], dL/dh^k is Σ_{j ≤ T-k} a^j: it grows to 1/(1 − a), no more."""
    net = Recurrence.parse("h[t] = a * h[t-1] + x[t]\nL = sum(sum(h[t]), t)")
    run = {"a": np.array([0.5])}, {"x": np.ones((60, 1))}
    found = rd.analyze(net, *run).verdict
    assert found.kind == "vanishing" and found.rate.value == pytest.approx(np.log(0.5))
    assert "the loss of step 60 alone, of 60 steps that are read" in found.note
    assert "neither shrinks nor grows: +0.0003 nats a step" in found.note
    falls = rd.analyze(net, {"a": np.array([2.0])}, {"x": np.ones((60, 1))}).verdict.note
    assert "grows: +0.69" in falls
    end = Recurrence.parse("h[t] = a * h[t-1] + x[t]\nL = sum(h[T])")
    assert rd.analyze(end, *run).verdict.note == ""


@pytest.mark.parametrize(("lags", "kind"), [(7, "undetermined"), (8, "vanishing")])
def test_under_eight_lags_no_rate_is_said(lags, kind):
    found = judged(-1.0 * np.arange(lags + 1), bounded=True, causes=(Cause("gate", "words", 0.0, 0.0, 1.0),))
    assert found.kind == kind
    assert ("too few to say a rate" in found.headline) == ("half" not in found.headline) == (lags < 8)
    assert ("costs" in str(found)) == bool(found.causes) == (lags >= 8)


@pytest.mark.parametrize("T", [7, 8])
def test_under_eight_lags_no_path_has_a_rate(T):
    net = rd.cells.lstm()
    params = rd.weights.initialise(net, 0, sizes={"h": 3, "x": 2, "y": 1})
    found = rd.analyze(net, params, {"x": np.ones((T, 2)), "target": np.ones(1)})
    assert ("paths" in dict(found.rows())) == (T == 8)


def test_a_single_step_is_one_step():
    net = Recurrence.parse("h[t] = a * h[t-1] + x[t]\nL = sum(h[T])")
    told = str(rd.analyze(net, {"a": np.array([0.5])}, {"x": np.ones((1, 1, 1))}))
    assert "1 unit, 1 step, 1 sequence" in told and not re.search(r"\b1 (steps|units|sequences)\b", told)


def test_a_gate_whose_best_is_a_state_that_stands_still_says_so():
    kept = "h[t] = z[t] * h[t-1] + (1 - z[t]) * n[t]"
    gated = "z[t] = sigmoid(W @ x[t])\nn[t] = tanh(U @ h[t-1])\n{}\nL = sum(h[T])"
    leaky = "h[t] = z[t] * h[t-1] + n[t]"
    params = {"W": np.zeros((2, 1)), "U": 0.5 * np.eye(2)}
    words = [
        {c.of: c.words for c in rd.analyze(gated.format(h), params, {"x": np.ones((30, 1))}).verdict.causes}["z"]
        for h in (kept, leaky)
    ]
    assert "freezes the state" in words[0] and "freezes" not in words[1]
