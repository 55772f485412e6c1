"""The chain split into paths by holding sequences; gates and slopes along a run, and what they cost."""

from __future__ import annotations

import numpy as np
import pytest

import rnnderive as rd
from rnnderive.chains.causes import had_been, had_been_steepest
from rnnderive.chains.paths import Path, paths
from rnnderive.errors import InputError
from rnnderive.language import Recurrence
from tests.chains.nets import CELLS, TEXTS, analysis, at, every_chain, network, tanh_net


def norms(factors):
    """ln‖A_T⋯A_{T−l+1}‖ for l = 1..T, by the explicit product."""
    product = np.eye(factors.shape[-1])
    out = []
    for a in factors[::-1]:
        product = product @ a
        out.append(product)
    return np.array(out)


def log_norm(products):
    with np.errstate(divide="ignore"):
        return np.log(np.linalg.norm(products, 2, axis=(-2, -1)))


@pytest.mark.parametrize("name", ["lstm", "coupled_lstm", "peephole_lstm"])
def test_the_highway_of_the_cell_state_is_the_product_of_forget_gates(name):
    found = analysis(name)
    state = found.states[1]
    (highway,) = [p for p in found.paths if p.kind == "highway"]
    assert highway.name == state and str(highway.factor) == "diag(f[t])"
    gates = np.cumprod(found.trace.course["f"][::-1], axis=0)
    np.testing.assert_allclose(np.exp(highway.logs), gates.max(axis=-1), rtol=1e-12)


@pytest.mark.parametrize(("name", "kept"), [("gru", "1 - z"), ("mgu", "1 - f"), ("gru_reset_after", "z")])
def test_the_highway_of_a_gated_unit_is_what_it_keeps(name, kept):
    found = analysis(name)
    gate = found.trace.course[kept[-1]]
    (highway,) = [p for p in found.paths if p.kind == "highway"]
    expected = np.cumprod((1 - gate if "1" in kept else gate)[::-1], axis=0)
    np.testing.assert_allclose(np.exp(highway.logs), expected.max(axis=-1), rtol=1e-12)


def test_the_whole_chain_of_a_mingru_is_its_highway():
    found = analysis("mingru")
    expected = np.cumprod(1 - found.trace.course["z"][::-1], axis=0)
    np.testing.assert_allclose(np.exp(found.operator[1:]), expected.max(axis=-1), rtol=1e-12)
    assert [p.kind for p in found.paths] == ["whole"]


@pytest.mark.parametrize("name", [*(n for n in CELLS if n != "stacked_lstm"), "two states and lag 2", "layer norm"])
def test_through_a_gate_and_with_the_gate_held_is_the_whole(name):
    """Not by their norms, but as matrices: P = ∏ A + X with X what goes through the gate at least once."""
    for found in every_chain(name):
        trace = found.trace
        whole = norms(trace.jacobians)
        np.testing.assert_allclose(found.paths[0].logs, log_norm(whole), rtol=1e-9, atol=1e-9)
        for path in found.paths:
            if path.kind == "through":
                held = np.concatenate(list(trace.pieces(trace.chain.held(path.name).jacobian, backward=False)))
                np.testing.assert_allclose(path.logs, log_norm(whole - norms(held)), rtol=1e-7, atol=1e-7)


def test_a_bundle_that_is_the_whole_but_for_rounding_has_its_own_norm():
    """Where the highway is 1 and the gates' paths 1e-12 of it, a difference would be noise."""
    net = rd.cells.lstm()
    here = rd.checks.point(net, T=8)
    params = {n: a * 1e-6 if n.startswith("W") else a for n, a in here.params.items()}
    params["b_f"] = np.full_like(params["b_f"], 40.0)
    found = rd.analyze(net, params, here.inputs)
    through = {p.name: p for p in found.paths if p.kind == "through"}
    trace = found.trace
    # to first order in W, the paths through f: Σ_t C-path · (J − A)_t · C-path
    J = np.concatenate(list(trace.pieces(backward=False)))
    A = np.concatenate(list(trace.pieces(trace.chain.held("f").jacobian, backward=False)))
    first = sum(np.linalg.multi_dot([*A[t + 1 :][::-1], J[t] - A[t], *A[:t][::-1]]) for t in range(8))
    assert through["f"].logs[-1] == pytest.approx(log_norm(first), abs=1e-4)
    assert through["f"].logs[-1] < -20


def test_paths_at_chosen_lags_and_in_a_batch():
    trace = analysis("lstm", 5, 3).trace
    every, some = paths(trace), paths(trace, [5, 2, 2])
    for whole, part in zip(every, some, strict=True):
        assert part.lags.tolist() == [2, 5] and part.logs.shape == (2, 3)
        np.testing.assert_allclose(part.logs, whole.logs[[1, 4]], rtol=1e-12)
    for bad in ([0], [6], [], [1.5]):
        with pytest.raises(InputError, match="expected integers from 1 to 5"):
            paths(trace, bad)


def test_a_path_through_a_gate_that_alone_knows_the_time():
    """The chain with z held does not know the number of the step, and comes in other pieces."""
    net = Recurrence.parse("""
        z[t] = sigmoid(V @ h[t-1] + (a * h[t-1] if t <= 3 else 0))
        h[t] = z[t] * h[t-1] + W @ x[t]
        L    = sum(h[T])
    """)
    here = rd.checks.point(net, T=6)
    found = rd.analyze(net, here.params, here.inputs)
    (through,) = [p for p in found.paths if p.kind == "through"]
    held = np.concatenate(list(found.trace.pieces(found.trace.chain.held("z").jacobian, backward=False)))
    np.testing.assert_allclose(through.logs, log_norm(norms(found.trace.jacobians) - norms(held)), rtol=1e-7)


def test_the_rate_of_a_path():
    lags = np.arange(1, 6)
    assert Path("whole", "", None, lags, -0.5 * lags).rate == pytest.approx(-0.5)
    assert Path("whole", "", None, lags[:1], np.array([-2.0])).rate == -2.0
    nothing = np.full(5, -np.inf)
    assert Path("through", "f", None, lags, nothing).rate == -np.inf
    batch = np.stack([-1.0 * lags, -2.0 * lags, nothing], axis=1)
    assert Path("whole", "", None, lags, batch).rate == pytest.approx(-2.0)


# ---------------------------------------------------------------- gates and slopes


@pytest.mark.parametrize(
    ("name", "expected"),
    [("lstm", "fio"), ("gru", "zr"), ("mgu", "f"), ("mingru", "z"), ("coupled_lstm", "ifo"), ("vanilla", "")],
)
def test_gates_are_the_sequences_between_0_and_1(name, expected):
    found = analysis(name)
    assert [g.name for g in found.gates] == list(expected)
    for gate in found.gates:
        values = found.trace.course[gate.name]
        assert gate.mean == values.mean()
        assert gate.closed == (values < 0.1).mean() and gate.open == (values > 0.9).mean()


@pytest.mark.parametrize("name", [*CELLS, *TEXTS])
def test_slopes_are_derivatives_of_the_run(name):
    """By the table: 1 − h², y(1 − y), 0 or 1."""
    found = analysis(name)
    for slope in found.slopes:
        value = found.trace.course[slope.name]
        expected = {
            "tanh": lambda v: 1 - v**2, "sigmoid": lambda v: v * (1 - v), "relu": lambda v: (v > 0).astype(float)
        }[slope.function](value)  # fmt: skip
        np.testing.assert_allclose(slope.values, expected, rtol=1e-12, atol=1e-15)
        assert slope.dead == (expected == 0).mean()
        assert slope.saturated == (expected < 0.1 * slope.steepest).mean()


def test_dead_slopes_have_no_logarithm():
    net = tanh_net(activation="relu")
    x = -np.ones((4, 2))
    found = rd.analyze(net, {"W": np.eye(2), "U": np.eye(2)}, {"x": x, "target": np.ones(2)})
    (slope,) = found.slopes
    assert slope.dead == slope.saturated == 1.0 and slope.mean_log == -np.inf


def test_a_slope_at_its_steepest_is_a_linear_chain():
    """With tanh' = 1 throughout, J_t = U: the cost of the function is the difference of both rates."""
    found = analysis("vanilla", 5)
    trace, (slope,) = found.trace, found.slopes
    U = at("vanilla").params["U"]
    better = had_been_steepest(trace, slope)
    np.testing.assert_allclose(better.jacobians, np.broadcast_to(U, better.jacobians.shape), rtol=1e-12)
    (cause,) = found.causes
    g = trace.impulses[-1]
    expected = np.log(np.linalg.norm(g @ np.linalg.matrix_power(U, 5)) / np.linalg.norm(g)) / 5
    assert cause.rate == pytest.approx(expected)
    assert cause.cost == pytest.approx(expected - found.verdict.rate.value)
    assert cause.name == "tanh of h"


def test_a_gate_had_it_been_open_or_closed():
    """tanh under a gate that only the input moves: J_t = diag(g(1 − a²)) U, so a gate of ½ costs ln 2 a step."""
    net = Recurrence.parse("""
        g[t] = sigmoid(V @ x[t])
        a[t] = tanh(U @ h[t-1])
        h[t] = g[t] * a[t]
        L    = squared_error(h[T], target)
    """)
    U = 0.9 * np.linalg.qr(np.random.default_rng(0).standard_normal((3, 3)))[0]
    found = rd.analyze(
        net, {"V": np.zeros((3, 1)), "U": U}, {"x": np.zeros((50, 1)), "target": np.ones(3)}
    )  # fmt: skip
    (gate,) = found.gates
    assert (gate.values == 0.5).all()
    causes = {c.name: c for c in found.causes}
    cause = causes["gate g not open"]
    assert cause.cost == pytest.approx(np.log(2.0)) and cause.rate == pytest.approx(np.log(0.9))
    assert causes["tanh of a"].cost == pytest.approx(0.0, abs=1e-12)
    closed = had_been(found.trace, gate, 0.0)
    assert not closed.jacobians.any()
    assert found.verdict.causes[0] == cause
    assert "gate g not open costs 0.6931 nats a step: its mean is 0.500" in str(found.verdict)


def test_a_forget_gate_that_is_not_open_is_named_as_the_cause():
    net = rd.cells.lstm()
    here = rd.checks.point(net, T=60)
    params = {n: a * 0.2 if n.startswith("W") else 0 * a for n, a in here.params.items()}
    params["b_f"] = params["b_f"] - 2.0
    found = rd.analyze(net, params, here.inputs)
    assert found.verdict.kind == "vanishing"
    assert found.verdict.causes[0].name == "gate f not open"
    assert found.verdict.causes[0].rate == pytest.approx(0.0, abs=0.1)


@pytest.mark.parametrize("name", ["lstm", "vanilla", "loss at every step", "loss at an early step", "right to left"])
def test_a_cause_s_rate_less_its_cost_is_the_verdict_s_rate(name):
    """One definition of a rate: what a part costs is counted from the rate in the headline."""
    here = rd.checks.point(network(name), T=60)
    found = rd.analyze(network(name), here.params, here.inputs)
    assert found.causes
    for cause in found.causes:
        assert cause.rate - cause.cost == pytest.approx(found.verdict.rate.value, rel=1e-9, abs=1e-12)


def test_the_causes_of_a_batch_are_those_of_its_typical_sequence():
    found = analysis("lstm", 5, 3)
    rates = sorted(m.rate.value for m in found.verdict.members)
    assert found.verdict.rate.value == rates[1]
    for cause in found.causes:
        assert cause.rate - cause.cost == pytest.approx(rates[1], rel=1e-9)
