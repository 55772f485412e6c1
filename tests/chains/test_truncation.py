"""Truncated back-propagation and clipping, against the truncated derivation and against chunks run one by one."""

from __future__ import annotations

import numpy as np
import pytest

import rnnderive as rd
from rnnderive.chains.truncation import Truncation, detached, gradients, whole_gradient, windowed
from rnnderive.errors import InputError
from rnnderive.language import Recurrence
from tests.chains.nets import analysis, at, every_chain, linear, network, tanh_net

NETS = ["vanilla", "lstm", "gru", "loss at every step", "losses at both ends", "right to left", "layer norm"]


@pytest.mark.parametrize("batch", [None, 3])
@pytest.mark.parametrize("K", [1, 2, 4, 5])
@pytest.mark.parametrize("name", NETS)
def test_a_window_is_the_truncated_derivation(name, K, batch):
    here, trace = at(name, 5, batch), analysis(name, 5, batch).trace
    names = trace.chain.reads
    _, expected = rd.derive(network(name), names, truncate=K).lambdify()(here.params, here.inputs)
    found = gradients(trace, windowed(trace, K))
    for n in names:
        size = np.abs(expected[n]).max()
        np.testing.assert_allclose(found[n], expected[n], rtol=1e-9, atol=1e-12 * size)


@pytest.mark.parametrize("K", [1, 2, 3, 5])
def test_detaching_is_running_chunk_by_chunk_with_the_state_given(K):
    name = "loss at every step"
    here, trace = at(name), analysis(name).trace
    net = Recurrence.parse("""
        h[t] = tanh(W @ x[t] + U @ h[t-1] + b)
        L    = sum(cross_entropy(V @ h[t] + c, target[t]), t)
    """)  # so that chunks add up: what the loss is the mean of
    program = rd.derive(net, trace.chain.reads).lambdify()
    total = dict.fromkeys(trace.chain.reads, 0.0)
    start = here.params["h0"]
    for first in range(0, 5, K):
        steps = slice(first, min(first + K, 5))
        piece = {n: a[steps] for n, a in here.inputs.items()}
        _, gradient = program({**here.params, "h0": start}, piece)
        total = {n: total[n] + gradient[n] / 5 for n in total}
        start = trace.course["h"][steps.stop - 1]
    found = gradients(trace, detached(trace, K))
    for n in total:
        np.testing.assert_allclose(found[n], total[n], rtol=1e-10, atol=1e-13)


@pytest.mark.parametrize("kind", ["window", "detach"])
def test_the_bias_of_a_scalar_chain_is_a_geometric_series(kind):
    """h = a h + x, a loss at T: of dL/da = Σ a^(T−k) h^(k−1) the steps beyond K are missing."""
    net = Recurrence.parse("h[t] = a * h[t-1] + x[t]\nL = sum(h[T])")
    T, a = 16, 0.5
    x = np.zeros((T, 1))
    found = rd.analyze(net, {"a": np.array([a])}, {"x": x, "h0": np.ones(1)}).truncation([1, 2, 4, 16], kind)
    # every term is a^(T−1): the bias is the fraction that is missing
    np.testing.assert_allclose(found.bias, [15 / 16, 14 / 16, 12 / 16, 0.0], atol=1e-12)
    np.testing.assert_allclose(found.cosine, 1.0, rtol=1e-12)


def test_bias_and_cosine_are_those_of_the_two_gradients():
    found = analysis("lstm")
    here = at("lstm")
    names = found.trace.chain.reads
    whole, cut = (
        np.concatenate([g.ravel() for g in rd.derive(network("lstm"), names, truncate=k).lambdify()(
            here.params, here.inputs)[1].values()]) for k in (None, 2)
    )  # fmt: skip
    result = found.truncation([2])
    assert result.bias[0] == pytest.approx(np.linalg.norm(whole - cut) / np.linalg.norm(whole), rel=1e-9)
    assert result.cosine[0] == pytest.approx(whole @ cut / np.linalg.norm(whole) / np.linalg.norm(cut), rel=1e-9)


def test_lengths_are_powers_of_two_up_to_the_whole():
    found = analysis("vanilla").truncation()
    assert found.steps.tolist() == [1, 2, 4, 5] and found.bias[-1] < 1e-12
    assert analysis("vanilla").truncation([7, 5, 9]).steps.tolist() == [5]


def test_the_least_length_from_which_on_the_bias_stays():
    found = Truncation("window", np.array([1, 2, 4, 8]), np.array([0.5, 0.01, 0.2, 0.05]), np.ones(4))
    assert found.within(0.3) == 2 and found.within(0.1) == 8 and found.within(0.01) is None and found.within(1) == 1


@pytest.mark.parametrize("K", [0, -3, 0.5])
def test_no_steps_are_no_truncation(K):
    with pytest.raises(InputError, match="expected a whole number from 1"):
        analysis("vanilla").truncation([2, K])


def test_an_unknown_kind_and_a_gradient_of_zero_are_named():
    with pytest.raises(InputError, match="kind is 'cut'; expected 'window' or 'detach'"):
        analysis("vanilla").truncation(kind="cut")
    net = tanh_net("squared_error(h[T], h[T])")
    still = rd.analyze(net, {"W": np.eye(2), "U": np.eye(2)}, {"x": np.ones((4, 2))})
    with pytest.raises(InputError, match="the gradient of the cell's parameters is zero"):
        still.truncation()


def test_a_gradient_beyond_floating_point_cannot_be_compared():
    with pytest.raises(InputError, match=r"the gradient is e\^692: beyond floating point.*Run fewer steps"):
        linear([[2.0]], 1000).truncation([1])


# ---------------------------------------------------------------- clipping


def test_clipping_by_norm_multiplies_with_c_over_the_norm():
    here, found = at("lstm", 5, 3), analysis("lstm", 5, 3)
    names = found.trace.chain.reads
    _, gradient = rd.derive(network("lstm")).lambdify()(here.params, here.inputs)
    squares = {n: (g**2).sum() for n, g in gradient.items() if n in here.params}
    norm = np.sqrt(sum(squares.values()))  # as torch.nn.utils.clip_grad_norm_ does: over all parameters
    clipped = found.clipping(norm / 4)
    assert clipped.norm == pytest.approx(norm) and clipped.factor == pytest.approx(0.25)
    assert clipped.cell == pytest.approx(np.sqrt(sum(squares[n] for n in names))) and clipped.cell < 0.99 * norm
    assert found.clipping(2 * norm).factor == 1.0


@pytest.mark.parametrize("name", ["vanilla", "gru", "bidirectional_rnn", "loss at every step", "loss at an early step"])
def test_the_whole_gradient_is_that_of_the_network(name):
    """Through the chain and beside it, whichever chain is looked at; also of a matrix that both read."""
    here = at(name)
    _, expected = rd.derive(network(name)).lambdify()(here.params, here.inputs)
    for found in every_chain(name):
        whole = whole_gradient(found.trace, found.trace.cotangents.scaled())
        for n, array in whole.items():
            np.testing.assert_allclose(array, expected[n], rtol=1e-9, atol=1e-12 * np.abs(expected[n]).max())
        assert set(whole) == set(network(name).parameters)
    tied = Recurrence.parse("h[t] = tanh(U @ h[t-1] + x[t])\nL = sum(U @ h[T])")
    point = rd.checks.point(tied, T=4)
    trace = rd.analyze(tied, point.params, point.inputs).trace
    expected = rd.derive(tied).lambdify()(point.params, point.inputs)[1]["U"]
    np.testing.assert_allclose(whole_gradient(trace, trace.cotangents.scaled())["U"], expected, rtol=1e-10)


def test_a_clip_that_never_acts_changes_nothing():
    found = analysis("gru").clipping(1e6)
    assert found.steps == 0.0 and found.factor == 1.0 and found.cosine == pytest.approx(1.0)


def test_clipping_the_signal_holds_it_to_the_threshold_at_each_step():
    """u = 2, clipped at 1: λ is 1 at every step, so that dL/du = Σ h^{k−1} and not Σ 2^(T−k) h^{k−1}."""
    net = Recurrence.parse("h[t] = u * h[t-1] + x[t]\nL = sum(h[T])")
    T = 6
    found = rd.analyze(net, {"u": np.array([2.0])}, {"x": np.ones((T, 1))}).clipping(1.0)
    assert found.steps == (T - 1) / T  # at T itself it is 1, and stays
    assert found.cosine == pytest.approx(1.0)  # of one parameter only the size changes
    two = Recurrence.parse("h[t] = u * h[t-1] + w * x[t]\nL = sum(h[T])")
    x = np.linspace(1, 2, T)[:, None]
    run = rd.analyze(two, {"u": np.array([2.0]), "w": np.array([1.0])}, {"x": x})
    h = np.concatenate([[0.0], run.trace.course["h"][:-1, 0]])
    plain = 2.0 ** np.arange(T)[::-1]
    whole, cut = (np.array([lam @ h, lam @ x[:, 0]]) for lam in (plain, np.ones(T)))
    expected = whole @ cut / np.linalg.norm(whole) / np.linalg.norm(cut)
    assert run.clipping(1.0).cosine == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("threshold", [0.0, -1.0, np.nan])
def test_a_threshold_is_above_0(threshold):
    with pytest.raises(InputError, match=r"expected a number above 0"):
        analysis("vanilla").clipping(threshold)
