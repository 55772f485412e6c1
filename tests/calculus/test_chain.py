"""Chains: products of Jacobians against the adjoint, exactly, in every form."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings

import rnnderive as rd
from rnnderive.calculus import Factor
from rnnderive.checks import point
from rnnderive.checks.identity import chain_against_adjoint, field_run, gradient_row
from rnnderive.language import terms as tm
from rnnderive.language.terms import Term
from tests.checks.nets import BIG, NAMES, network
from tests.strategies import recurrences

SMALL = [n for n in NAMES if n not in BIG]


def factors(term: Term) -> int:
    """How many derivatives stand in a chain."""
    if isinstance(term, Factor):
        return 1
    return sum(factors(a) for a in term.terms)


@pytest.mark.parametrize("name", NAMES)
def test_every_parameter_and_state_by_the_nested_chain(name: str) -> None:
    d = rd.derive(network(name))
    for wrt in d.wrt:
        assert chain_against_adjoint(d, wrt, 3), wrt


@pytest.mark.parametrize("form", ["sum", "nested"])
@pytest.mark.parametrize("name", ["vanilla", "lstm", "gru", "bidirectional_rnn", "two lags", "stack over a lag"])
def test_the_sum_of_all_paths_is_the_gradient(name: str, form: str) -> None:
    d = rd.derive(network(name))
    for wrt in (d.wrt[0], d.wrt[-1]):
        for T in (1, 2, 4):
            assert chain_against_adjoint(d, wrt, T, form=form), (wrt, T)


@pytest.mark.parametrize("name", SMALL)
def test_sums_and_products_for_the_symbol_t_are_the_gradient(name: str) -> None:
    d = rd.derive(network(name))
    for wrt in d.wrt:
        for T in (1, 2, 5):
            assert chain_against_adjoint(d, wrt, T, symbolic=True), (wrt, T)


# What reaches outside 1..T is an initial state, and no longer what an equation says: every way to reach there.
REACHING = {
    "a readout read at a lag": """
        h[t] = tanh(U @ h[t-1] + W @ x[t])
        y[t] = V @ h[t]
        s[t] = tanh(B @ s[t-1] + y[t-1])
        L    = squared_error(s[T], z)
    """,
    "a gate read by the next layer at a lag": """
        f[t] = sigmoid(W @ x[t] + U @ h[t-1])
        h[t] = f[t] * h[t-1]
        s[t] = tanh(B @ s[t-1] + f[t-2])
        L    = squared_error(s[T], z)
    """,
    "a loss that looks back": """
        h[t] = tanh(U @ h[t-1] + W @ x[t])
        y[t] = V @ h[t-1]
        L    = sum(squared_error(y[t-2], z[t]) + sum(h[t-1]), t)
    """,
    "a loss that looks ahead": """
        h[t] = tanh(U @ h[t-1] + W @ x[t])
        y[t] = V @ h[t-1]
        L    = sum(squared_error(y[t+1], z[t]) + sum(h[t+1] * h[T]), t)
    """,
    "layers with several lags": """
        h[t] = tanh(U @ h[t-1] + A @ h[t-2] + W @ x[t])
        s[t] = tanh(B @ s[t-3] + C @ h[t-2] + W @ x[t])
        L    = squared_error(s[T], z) + sum(squared_error(h[t-2], q[t]), t)
    """,
    "inputs at lags and at fixed steps": """
        h[t] = tanh(U @ h[t+1] + W @ x[t-2] + A @ x[t] + B @ x[1] * x[T])
        L    = sum(squared_error(h[t+1], x[t-1]), t)
    """,
    "encoder and decoder": """
        h[t] = tanh(W @ x[t] + U @ h[t-1])
        s0   = tanh(A @ h[T])
        s[t] = tanh(B @ s[t-1] + C @ h[T] + W @ z[t])
        L    = sum(squared_error(s[t], y[t]), t)
    """,
    "an initial state that is also read by name": """
        h[t] = tanh(U @ h[t-1] + W @ x[t] + h0)
        L    = squared_error(h[T], z)
    """,
    "one initial state for two sequences": """
        C0   = h0
        h[t] = tanh(U @ h[t-1] + W @ x[t] * C[t-1])
        C[t] = h[t] * h[t-1] + A @ C[t-2]
        L    = squared_error(h[T] * C[T], z)
    """,
    "an initial state from the first input": """
        h0   = tanh(W @ x[1])
        h[t] = tanh(U @ h[t-1] + W @ x[t])
        L    = squared_error(h[T], z)
    """,
    "a gate and a far state": """
        C[t] = f[t] * C[t-2] + h[t-1]
        f[t] = sigmoid(W @ x[t] + U @ h[t-3])
        h[t] = tanh(C[t]) * C[t-1]
        L    = sum(squared_error(h[t] + h[t-2], z[t]), t)
    """,
}


def everything(net: rd.Recurrence) -> list[str]:
    """Parameters, initial states, and the members of inputs."""
    sequences = [n for n in net.inputs if isinstance(net.leaves[n], tm.At)]
    return [*net.parameters, *net.initial_states, *(f"{n}[{k}]" for n in sequences for k in (1, 2))]


@pytest.mark.parametrize("name", REACHING)
def test_what_reaches_outside_time_is_an_initial_state(name: str) -> None:
    net = rd.Recurrence.parse(REACHING[name])
    d = rd.derive(net, [*net.parameters, *net.initial_states, *net.inputs])
    for wrt in everything(net):
        for T in (1, 2, 4):
            if T > 1 or not wrt.endswith("[2]"):
                assert chain_against_adjoint(d, wrt, T), (wrt, T)
                assert chain_against_adjoint(d, wrt, T, symbolic=True), (wrt, T, "any T")


@settings(max_examples=10, deadline=None)
@given(net=recurrences())
def test_chains_of_random_systems_are_their_gradients(net: rd.Recurrence) -> None:
    d = rd.derive(net, [*net.parameters, *net.initial_states, *net.inputs])
    for wrt in everything(net):
        assert chain_against_adjoint(d, wrt, 3), wrt
        assert chain_against_adjoint(d, wrt, 3, symbolic=True), (wrt, "any T")


@pytest.mark.parametrize("name", ["vanilla", "lstm", "two lags", "stack over a lag", "bidirectional_rnn"])
def test_the_chain_for_the_symbol_at_five_steps_is_the_chain_of_five_steps(name: str) -> None:
    d = rd.derive(network(name))
    run = field_run(d.net, d.net, 5)
    for wrt in (d.wrt[0], d.wrt[-1]):
        assert (run.term(d.chain(wrt), None) == run.term(d.chain(wrt, 5), None)).all(), wrt


def test_a_state_read_at_several_lags_has_one_block_factor_a_step() -> None:
    d = rd.derive(network("two lags"))
    lines = [str(s) for s in d.steps("U")]
    assert "Σ_{τ = 1}^{T} (Σ_{k = 1}^{τ} ∂L/∂s^τ (∏_{j = τ}^{k + 1} ∂s^j/∂s^{j-1}) ∂⁺s^k/∂U)" in lines[0]
    assert any("∂s^j/∂s^{j-1} = [∂h^j/∂h^{j-1}, ∂h^j/∂h_1^{j-1}; ∂h_1^j/∂h^{j-1}, 𝟎]" in line for line in lines)
    assert any("∂h^j/∂h_1^{j-1} = diag(1 - (h^j)^2) A" in line for line in lines)


@pytest.mark.parametrize("T", [1, 2, 3, 7])
def test_one_loop_has_a_triangular_number_of_factors_between_states(T: int) -> None:
    d = rd.derive(rd.cells.vanilla())
    chain = d.chain("U", T)
    paths = chain.args if isinstance(chain, tm.Plus) else (chain,)
    assert len(paths) == T
    # each path: the loss's factor, the immediate one, and k − 1 between them
    assert factors(chain) == 2 * T + T * (T - 1) // 2
    assert factors(chain) - T == T * (T + 1) // 2
    assert factors(d.chain("U", T, form="nested")) == 2 * T


def test_lecture_line_for_three_steps() -> None:
    d = rd.derive("h[t] = sigmoid(W @ x[t] + U @ h[t-1])\nL = squared_error(h[T], target)")
    line = "dL/dW = ∂L/∂h^3 ∂⁺h^3/∂W + ∂L/∂h^3 ∂h^3/∂h^2 ∂⁺h^2/∂W + ∂L/∂h^3 ∂h^3/∂h^2 ∂h^2/∂h^1 ∂⁺h^1/∂W"
    assert any(line in str(step) for step in d.steps("W", 3))


@pytest.mark.parametrize("steps", [1, 2, 3])
@pytest.mark.parametrize("name", ["vanilla", "lstm", "gru", "loss at every step"])
def test_truncation_keeps_the_terms_with_fewer_factors(name: str, steps: int) -> None:
    T = 4
    net = network(name)
    whole, cut = rd.derive(net), rd.derive(net, truncate=steps)
    wrt = net.parameters[0]
    chain = whole.chain(wrt, T)
    paths = chain.args if isinstance(chain, tm.Plus) else (chain,)
    kept = [p for p in paths if _length(p) < steps]
    assert 0 < len(kept) < len(paths)
    run = field_run(cut.adjoint, net, T)
    expected = run.term(tm.plus(*kept), None)
    assert (expected == gradient_row(run, cut, wrt)).all()


def _length(path: Term) -> int:
    """How many steps a path goes back in time."""
    found = [f for f in tm.members(path) if isinstance(f, Factor)]
    return sum(_step(f.over) - _step(f.under) for f in found if None not in (_step(f.over), _step(f.under)))


def _step(node: Any) -> Any:
    index = node.args[1] if isinstance(node, rd.calculus.State) else getattr(node, "index", None)
    return None if index is None else int(index.subs(tm.T, 4))


@pytest.mark.parametrize("name", SMALL)
def test_truncation_after_t_steps_cuts_nothing(name: str) -> None:
    net = network(name)
    whole, cut = rd.derive(net), rd.derive(net, truncate=8)
    a, b = field_run(whole.adjoint, net, 3), field_run(cut.adjoint, net, 3)
    for n in whole.wrt:
        assert (gradient_row(a, whole, n) == gradient_row(b, cut, n)).all(), n


@pytest.mark.parametrize("form", ["sum", "nested"])
@pytest.mark.parametrize("name", ["vanilla", "lstm", "gru", "bidirectional_rnn", "loss at every step", "two lags"])
def test_a_lambdified_chain_is_the_adjoint(name: str, form: str) -> None:
    net = network(name)
    d = rd.derive(net)
    at = point(net, T=3)
    grads = d.lambdify()(at.params, at.inputs)[1]
    for wrt in (d.wrt[0], d.wrt[-1]):
        found = d.explicit(wrt, 3, form=form)(at.params, at.inputs)
        np.testing.assert_allclose(found, grads[wrt], rtol=1e-11, atol=1e-14)


def test_a_derivative_of_a_state_has_a_row_for_each_entry() -> None:
    d = rd.derive(rd.cells.lstm())
    chain = d.chain("C[1]", 3, of="h[T]")
    run = field_run(d.net, d.net, 3)
    n = len(run["h"][0])
    assert run.term(chain, None).shape == (n, n)
    assert all(m for m in rd.checks.check_steps(d, "h[1]", 3, of="h[T]"))


def test_what_the_loss_does_not_depend_on_has_the_derivative_zero() -> None:
    d = rd.derive("h[t] = tanh(U @ h[t-1] + W @ x[t])\nz[t] = A @ h[t]\nL = squared_error(h[T], target)", ["A"])
    assert d.chain("A", 3).is_null
    assert d.chain("A").is_null
    assert str(d.adjoint["dA"].right).startswith("zeros")


def test_long_derivations_are_written_with_dots_and_checked_in_full() -> None:
    d = rd.derive(rd.cells.vanilla())
    marks = rd.checks.check_steps(d, "U", 30)
    assert all(marks)
    whole = [s for s in d.steps("U", 30) if s.left == d.graph("U", 30).total(None)]
    assert isinstance(whole[-1].right, tm.Plus)
    assert len(whole[-1].right.args) == 30
    assert str(whole[-1]).startswith(
        "(61) dL/dU = ∂L/∂h^30 ∂⁺h^30/∂U + ∂L/∂h^30 ∂h^30/∂h^29 ∂⁺h^29/∂U + ⋯ + "
        "∂L/∂h^30 ∂h^30/∂h^29 ∂h^29/∂h^28 ⋯ ∂h^2/∂h^1 ∂⁺h^1/∂U "
    )
    assert not any("⋯" in str(s) for s in d.steps("U", 10))
