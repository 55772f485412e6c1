"""The state as one chain: its Jacobian and what the loss sends into it, against the forward program."""

from __future__ import annotations

import numpy as np
import pytest

import rnnderive as rd
from rnnderive.chains import course, state
from rnnderive.chains.trace import Trace
from rnnderive.errors import InputError
from rnnderive.language import Recurrence
from rnnderive.language import terms as tm
from rnnderive.programs import Program
from tests.chains.nets import CASES, STACKED, analysis, at, by_complex_step, every_chain, network


@pytest.mark.parametrize(("name", "batch"), CASES)
def test_jacobians_and_cotangents_are_the_complex_step_of_the_forward_program(name, batch):
    for found in every_chain(name, 5, batch):
        trace = found.trace
        jacobians, cotangents = by_complex_step(trace, at(name, 5, batch))
        assert np.abs(jacobians).max() > 0
        np.testing.assert_allclose(trace.ordered(trace.jacobians), jacobians, rtol=1e-11, atol=1e-13)
        size = np.abs(cotangents).max()
        np.testing.assert_allclose(
            trace.ordered(trace.cotangents.scaled()), cotangents, rtol=1e-10, atol=1e-12 * size
        )  # fmt: skip


@pytest.mark.parametrize("T", [1, 2])
@pytest.mark.parametrize("name", ["lstm", "two states and lag 2", "bidirectional_rnn", "computed initial state"])
def test_so_they_are_for_one_step_and_for_two(name, T):
    for found in every_chain(name, T):
        jacobians, cotangents = by_complex_step(found.trace, at(name, T))
        np.testing.assert_allclose(found.trace.ordered(found.trace.jacobians), jacobians, rtol=1e-11, atol=1e-13)
        np.testing.assert_allclose(
            found.trace.ordered(found.trace.cotangents.scaled()), cotangents, rtol=1e-10, atol=1e-14
        )  # fmt: skip


@pytest.mark.parametrize("batch", [None, 3])
@pytest.mark.parametrize("name", ["vanilla", "gru", "indrnn", "loss at every step", "input at a lag", "lstm"])
def test_the_cotangent_of_a_state_that_no_other_reads_in_its_step_is_the_adjoint_s(name, batch):
    adjoint = rd.derive(network(name)).adjoint
    delta = Program(adjoint, network(name), {"h": "dh"}, function="delta")
    here, found = at(name, 5, batch), analysis(name, 5, batch)
    expected = delta(here.params, here.inputs)["h"]
    trace = found.trace
    cotangents = trace.chain.split(trace.cotangents.scaled(), trace.course)["h"]
    np.testing.assert_allclose(cotangents, expected, rtol=1e-10, atol=1e-13)


@pytest.mark.parametrize("name", ["lstm", "peephole_lstm", "coupled_lstm"])
def test_the_cotangents_of_all_states_are_the_gradient_in_the_initial_states_of_what_is_left_of_the_run(name):
    here, trace = at(name, 5), analysis(name, 5).trace
    cotangents = trace.chain.split(trace.cotangents.scaled(), trace.course)
    starts = tuple(f"{n}0" for n in trace.chain.states)
    program = rd.derive(network(name), starts).lambdify()
    for k in range(1, 5):  # from step k on, with the state of step k
        params = {n: a for n, a in here.params.items() if n not in starts}
        params |= {f"{n}0": trace.course[n][k - 1] for n in trace.chain.states}
        _, gradient = program(params, {n: a[k:] if n == "x" else a for n, a in here.inputs.items()})
        for n in trace.chain.states:
            np.testing.assert_allclose(cotangents[n][k - 1], gradient[f"{n}0"], rtol=1e-10, atol=1e-13)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("vanilla", [("h",)]),
        ("lstm", [("h", "C")]),
        ("peephole_lstm", [("y", "c")]),
        ("stacked_lstm", [("h_1", "C_1", "h_2", "C_2")]),
        ("bidirectional_lstm", [("h_L", "C_L"), ("h_R", "C_R")]),
        ("right to left over left to right", [("h",), ("r",)]),
        ("stack over a lag", [("h", "s")]),
        (STACKED, [("h_L_1",), ("h_L_2",), ("h_R_1",), ("h_R_2",)]),
    ],
)
def test_a_chain_is_the_state_of_all_loops_of_one_direction_unless_they_feed_each_other(name, expected):
    assert [c.states for c in state.chains(network(name))] == expected


def test_a_loop_that_reads_two_steps_back_has_a_state_of_both_steps():
    (chain,) = state.chains(network("lag 2 of a product"))
    assert set(chain.states) == {"h", "h_1"}
    assert chain.block("h_1", "h") == tm.Eye(chain.net.shape("h")[0])


@pytest.mark.parametrize("name", ["lstm", "gru", "mgu"])
def test_what_is_held_is_given_and_passes_no_derivative(name):
    """Holding a sequence leaves the derivative through everything else: by complex step, at its values."""
    trace = analysis(name).trace
    for gate in trace.chain.inner:
        held = trace.chain.held(gate)
        assert gate in held.net.inputs and held.jacobian != trace.chain.jacobian
        again = Trace(held, trace.course)
        given = {gate: trace.course[gate]}
        here = at(name)
        point = type(here)(here.params, {**here.inputs, **given}, here.sizes, here.T)
        reads = {*held.net.parameters, *held.net.inputs, *held.net.initial_states}
        point = type(here)(
            {n: a for n, a in point.params.items() if n in reads},
            {n: a for n, a in point.inputs.items() if n in reads}, here.sizes, here.T,
        )  # fmt: skip
        jacobians, _ = by_complex_step(again, point)
        np.testing.assert_allclose(again.jacobians, jacobians, rtol=1e-11, atol=1e-13)


def test_states_and_strangers_cannot_be_held():
    chain = analysis("lstm").trace.chain
    with pytest.raises(InputError, match="C cannot be held; there are f, i, C_add, o"):
        chain.held("C")
    with pytest.raises(InputError, match="nobody cannot be held"):
        chain.held("nobody")


def test_a_backward_chain_is_the_forward_chain_of_the_mirrored_sequence():
    backward = network("right to left")
    forward = Recurrence.parse("""
        r[t] = tanh(W @ x[t] + U @ r[t-1])
        L    = squared_error(r[T], target)
    """)
    here = at("right to left", 7)
    mirrored = {**here.inputs, "x": here.inputs["x"][::-1]}
    one, other = rd.analyze(backward, here.params, here.inputs), rd.analyze(forward, here.params, mirrored)
    np.testing.assert_allclose(one.trace.jacobians, other.trace.jacobians, rtol=1e-13)
    np.testing.assert_allclose(one.operator, other.operator, rtol=1e-12)
    np.testing.assert_allclose(one.gradient, other.gradient, rtol=1e-12)
    np.testing.assert_allclose(one.arriving, other.arriving[::-1], rtol=1e-12)
    np.testing.assert_allclose(one.bounds.logs, other.bounds.logs, rtol=1e-12)
    for wrt in ("W", "U", "x"):
        np.testing.assert_allclose(one.contributions(wrt).logs, other.contributions(wrt).logs[::-1], rtol=1e-11)
    assert one.verdict == other.verdict
    for kind in ("window", "detach"):
        np.testing.assert_allclose(
            one.truncation([1, 2, 3], kind).bias, other.truncation([1, 2, 3], kind).bias, rtol=1e-10
        )  # fmt: skip


def test_a_network_without_a_loop_has_no_chain():
    with pytest.raises(InputError, match=r"no sequence is read at another step. Expected a recurrence such as h\[t\]"):
        state.chains(rd.cells.dense())


# ---------------------------------------------------------------- the run


@pytest.mark.parametrize("name", ["gru", "lstm", "bidirectional_rnn", "state by time", "input at a lag"])
@pytest.mark.parametrize("batch", [None, 3])
def test_a_term_piece_by_piece_is_the_term_at_once(name, batch, monkeypatch):
    for found in every_chain(name, 5, batch):
        trace = found.trace
        whole = trace.course.along(trace.chain.jacobian)
        with monkeypatch.context() as m:
            m.setattr(course, "CHUNK_BYTES", 8 * trace.size**2 * (batch or 1) * 2)
            pieces = list(trace.pieces(backward=False))
            last = list(trace.pieces(first=2, last=4))
        np.testing.assert_allclose(np.concatenate(pieces), trace.ordered(whole), rtol=1e-13, atol=1e-15)
        np.testing.assert_allclose(np.concatenate(last[::-1]), trace.ordered(whole)[1:4], rtol=1e-13, atol=1e-15)
        assert name == "state by time" or len(pieces) == 3


def test_a_term_that_is_compiled_once_serves_runs_of_all_sizes_and_keeps_none():
    """How wide h is in W[:, 0:size(h)] only a run knows; runs may go on side by side."""
    net = Recurrence.parse("c[t] = tanh(W @ [h[t-1], x[t]])\nh[t] = tanh(A @ c[t])\nL = sum(h[T])")
    (chain,) = state.chains(net)
    (part,) = (n for n in tm.members(chain.jacobian) if str(n) == "W[:, 0:size(h)]")
    before = set(course._compiled(net, part).program.raw.__globals__)
    for size in (2, 5):
        W = np.arange(2.0 * (size + 1)).reshape(2, size + 1)
        found = course.run(net, {"W": W, "A": np.ones((size, 2))}, {"x": np.ones((3, 1))})
        np.testing.assert_array_equal(found.along(part)[0], W[:, :size])
    assert set(course._compiled(net, part).program.raw.__globals__) == before


def test_what_a_term_reads_outside_the_run_is_its_initial_state():
    here = at("input at a lag")
    run = course.run(network("input at a lag"), here.params, here.inputs)
    assert (run.before("x", 1, 1, 3) == np.concatenate([here.params["x0"][None], here.inputs["x"][:2]])).all()
    assert (run.before("x", -1, 4, 5) == np.stack([here.inputs["x"][4], here.params["x0"]])).all()
    assert run["h0"].shape == run["h"].shape[1:]


def test_a_state_that_is_not_given_starts_from_zero():
    here = at("vanilla")
    params = {n: a for n, a in here.params.items() if n != "h0"}
    zero = {**params, "h0": np.zeros_like(here.params["h0"])}
    one, other = (rd.analyze(network("vanilla"), p, here.inputs) for p in (params, zero))
    assert (one.trace.jacobians == other.trace.jacobians).all()


def test_an_initial_state_is_shared_by_a_batch():
    """h0 as a parameter is h0 for each member."""
    here = at("gru", 5, 3)
    shared = here.inputs["h0"][0]
    inputs = {n: a for n, a in here.inputs.items() if n != "h0"}
    one = rd.analyze(network("gru"), {**here.params, "h0": shared}, inputs)
    other = rd.analyze(network("gru"), here.params, {**inputs, "h0": np.stack([shared] * 3)})
    assert (one.trace.jacobians == other.trace.jacobians).all()
    assert (one.arriving == other.arriving).all()


def test_a_name_that_is_not_in_the_run_is_named():
    with pytest.raises(InputError, match="there is no 'q' in this run; there are h, y, L"):
        analysis("vanilla").trace.course["q"]
