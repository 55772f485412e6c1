"""What the loss sends back, in logarithms; what each step adds to a gradient."""

from __future__ import annotations

import numpy as np
import pytest

import rnnderive as rd
from rnnderive.chains import course
from rnnderive.chains.contributions import Contributions
from rnnderive.chains.cotangents import sent_back
from rnnderive.chains.truncation import gradients
from rnnderive.errors import InputError
from rnnderive.language import Recurrence
from rnnderive.language import terms as tm
from tests.chains.nets import BATCHED, CELLS, TEXTS, analysis, at, every_chain, linear, network

rng = np.random.default_rng(5)


def plain(impulses, jacobians):
    """λ^t by the recursion as it stands."""
    out = np.array(impulses)
    for t in reversed(range(len(out) - 1)):
        out[t] += (out[t + 1][..., None, :] @ jacobians[t + 1])[..., 0, :]
    return out


@pytest.mark.parametrize("batch", [(), (3,), (2, 2)])
@pytest.mark.parametrize("order", ["C", "F"])
def test_cotangents_are_the_recursion_as_it_stands(batch, order):
    J = rng.standard_normal((9, *batch, 4, 4)) / 2
    e = np.asarray(rng.standard_normal((9, *batch, 4)) * (rng.random((9, *batch, 1)) < 0.6), order=order)
    found = sent_back(e, [J[5:], J[:5]])
    np.testing.assert_allclose(found.scaled(), plain(e, J), rtol=1e-12, atol=1e-14)
    lengths = np.linalg.norm(found.directions, axis=-1)
    assert np.allclose(lengths[np.isfinite(found.logs)], 1.0)
    assert (lengths[np.isneginf(found.logs)] == 0).all()


@pytest.mark.parametrize("rate", [0.5, 2.0])
@pytest.mark.parametrize("lead", [(), (2,)])
def test_cotangents_neither_underflow_nor_overflow_over_many_steps(rate, lead):
    T = 20_000
    e = np.zeros((T, *lead, 1))
    e[-1] = 1.0
    logs = sent_back(e, [np.full((T, *lead, 1, 1), rate)]).logs
    np.testing.assert_allclose(logs[0] / np.log(rate), T - 1.0, rtol=1e-12)


@pytest.mark.parametrize("tiny", [1e-200, 1e-300])
@pytest.mark.parametrize("lead", [(), (2,)])
def test_one_tiny_factor_and_a_tiny_impulse_are_not_zero(tiny, lead):
    """Their squares are: a saturated sigmoid has slopes of 1e-300."""
    J = np.ones((3, *lead, 2, 2)) / 2
    J[1] *= tiny
    e = np.zeros((3, *lead, 2))
    e[-1] = tiny
    np.testing.assert_allclose(sent_back(e, [J]).logs[0], 2 * np.log(tiny) + np.log(2) / 2, rtol=1e-12)


@pytest.mark.parametrize("rate", [np.exp(-1.0), np.exp(1.0)])
def test_a_member_of_a_batch_whose_loss_is_silent_stays_as_it_is_at_any_scale(rate):
    """Masked losses: what one member receives at a step is nothing to another e^±2000 away."""
    T = 2000
    e = np.zeros((T, 2, 1))
    e[-1, 0] = 1.0
    e[:, 1] = 1.0  # a loss at every step
    logs = sent_back(e, [np.full((T, 2, 1, 1), rate)]).logs
    np.testing.assert_allclose(logs[:, 0], np.log(rate) * np.arange(T)[::-1], rtol=1e-9, atol=1e-9)
    assert np.isfinite(logs).all()


def test_a_loss_before_the_chain_was_cut_off_still_arrives():
    """λ grows to e^3000, a dead step takes all of it away, and then the loss speaks again."""
    T = 3002
    J = np.full((T, 1, 1), np.e)
    J[1] = 0.0
    e = np.zeros((T, 1))
    e[-1] = e[0] = 1.0
    logs = sent_back(e, [J]).logs
    assert logs[0] == 0.0 and logs[1] == pytest.approx(3000.0)


# ---------------------------------------------------------------- contributions


def read_by_one_chain(name):
    """Parameters that the loss sees through one chain alone."""
    net = network(name)
    chains = [found.trace.chain for found in every_chain(name)]
    outside = {
        n.name
        for e in net.equations
        if not any(e.name in chain.step for chain in chains)
        for n in tm.members(e.right)
        if isinstance(n, tm.Parameter)
    }
    return {n for c in chains for n in c.reads if sum(n in d.reads for d in chains) == 1} - outside


@pytest.mark.parametrize(("name", "batch"), [(n, None) for n in (*CELLS, *TEXTS)] + [(n, 3) for n in BATCHED])
def test_the_sum_of_what_steps_add_is_the_gradient(name, batch):
    here = at(name, 5, batch)
    wanted = sorted(read_by_one_chain(name))
    _, gradient = rd.derive(network(name), wanted).lambdify()(here.params, here.inputs)
    for found in every_chain(name, 5, batch):
        trace = found.trace
        table = gradients(trace, trace.cotangents.scaled())
        for n in set(wanted) & set(trace.chain.reads):
            size = np.abs(gradient[n]).max()
            np.testing.assert_allclose(table[n], gradient[n], rtol=1e-9, atol=1e-12 * size)
        n = trace.chain.reads[0]
        total = found.contributions(n).total
        assert total == pytest.approx(np.log(np.linalg.norm(table[n])), abs=1e-9)


@pytest.mark.parametrize("batch", [None, 3])
@pytest.mark.parametrize("name", ["vanilla", "gru", "two states and lag 2", "loss at every step"])
def test_each_term_is_what_the_step_adds_by_the_derivation_of_the_whole_network(name, batch, monkeypatch):
    here, found = at(name, 5, batch), analysis(name, 5, batch)
    wrt = found.trace.chain.reads[0]
    terms = rd.derive(network(name), wrt).contributions(wrt)(here.params, here.inputs)[wrt]
    expected = np.log(np.linalg.norm(terms, axis=(-2, -1)))
    np.testing.assert_allclose(found.contributions(wrt).logs, expected, rtol=1e-9, atol=1e-9)
    monkeypatch.setattr("rnnderive.chains.state.CHUNK_BYTES", 8 * terms[0].size * 2)  # in pieces of two steps
    np.testing.assert_allclose(found.contributions(wrt).logs, expected, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("batch", [None, 3])
@pytest.mark.parametrize(
    "name", ["vanilla", "lstm", "stacked_lstm", "input at a lag", "input at two lags", "right to left", "state by time"]
)
def test_what_the_loss_knows_of_an_input_is_its_gradient_there(name, batch):
    here, found = at(name, 5, batch), analysis(name, 5, batch)
    gradient = rd.derive(network(name), "x").lambdify()(here.params, here.inputs)[1]["x"]
    with np.errstate(divide="ignore"):
        expected = np.log(np.linalg.norm(gradient, axis=-1))
    np.testing.assert_allclose(found.contributions("x").logs, expected, rtol=1e-9, atol=1e-9)


def test_inputs_at_two_lags_add_up_at_any_scale():
    """h = e⁻¹ h + x[t] − e x[t-1]: dL/dx^k is that of the last step alone; the rest is exactly cancelled."""
    net = Recurrence.parse("h[t] = a * h[t-1] + x[t] + b * x[t-1]\nL = sum(h[T])")
    T, a = 3000, np.exp(-1.0)
    found = rd.analyze(net, {"a": np.array([a]), "b": np.array([1.0])}, {"x": np.zeros((T, 1))})
    logs = found.contributions("x").logs
    # dL/dx^k = a^(T-k) + a^(T-k-1), of which the second is missing at k = T
    expected = -np.arange(T)[::-1] + np.log(1 + np.e)
    expected[-1] = 0.0
    np.testing.assert_allclose(logs, expected, rtol=1e-9, atol=1e-9)


def test_contributions_of_a_long_chain_stay_in_logarithms():
    T = 5000
    found = linear([[0.5]], T)
    logs = found.contributions("W").logs
    assert np.isneginf(logs).all()  # x is zero: W gets nothing, and no NaN
    net = Recurrence.parse("h[t] = u * h[t-1] + w * x[t]\nL = sum(h[T])")
    run = rd.analyze(net, {"u": np.array([0.5]), "w": np.array([1.0])}, {"x": np.ones((T, 1))})
    np.testing.assert_allclose(run.contributions("w").logs, np.log(0.5) * np.arange(T)[::-1], rtol=1e-12, atol=1e-12)
    assert run.contributions("w").total == pytest.approx(np.log(2.0))
    assert run.contributions("w").within(0.99) == 7  # 1 − 2⁻⁷ = 0.992
    assert run.contributions("w").shares.sum() == pytest.approx(1.0)


def test_shares_of_nothing_are_zero():
    found = Contributions("W", np.full((4, 2), -np.inf), -np.inf)
    assert (found.shares == 0).all()
    half = Contributions("W", np.stack([np.full(4, -np.inf), np.zeros(4)], axis=1), 0.0)
    assert (half.shares == [[0, 0.25]] * 4).all()


def test_a_readout_s_parameter_has_no_chain():
    message = "'V' is not a parameter that the cell itself reads, so its gradient has no chain; the cell reads W, U"
    with pytest.raises(InputError, match=message):
        analysis("vanilla").contributions("V")
    with pytest.raises(InputError, match="'nobody' is not a parameter"):
        analysis("vanilla").contributions("nobody")


def test_an_input_that_is_the_same_at_every_step_has_no_steps():
    net = Recurrence.parse("h[t] = tanh(U @ h[t-1] + W @ x[T] + V @ x[t])\nL = sum(h[T])")
    here = rd.checks.point(net)
    with pytest.raises(InputError, match=r"reads 'x' the same at every step.*expected reads such as x\[t\]"):
        rd.analyze(net, here.params, here.inputs).contributions("x")


def test_a_run_that_overflows_is_named_with_its_step():
    """1, 2, 5, 26, 677, …: 12 squarings pass 1e308."""
    net = Recurrence.parse("s[t] = s[t-1] * s[t-1] + x[t]\nL = sum(s[T])")
    with pytest.raises(InputError, match=r"s is no finite number at step 12: .*Scale the weights or the input down"):
        course.run(net, {}, {"x": np.ones((40, 1))})
