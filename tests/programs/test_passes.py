"""Each rewrite of the compiler keeps the meaning exactly, and does what it is for."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import sympy as sp

import rnnderive as rd
from rnnderive.checks import identical, point
from rnnderive.checks.differences import complex_step
from rnnderive.language import Recurrence
from rnnderive.language import terms as tm
from rnnderive.programs import passes
from rnnderive.programs.cost import cost
from tests.checks.nets import NAMES, network

# Two states, a lag of 2, a peephole and a half that runs right to left: no cell of the library.
OWN = """
    a[t] = sigmoid(A @ h[t-1] + D @ h[t-2] + E @ x[t] + p * c[t-1] + b_a)
    g[t] = sigmoid(G @ h[t-1] + K @ h[t-2] + M @ x[t] + b_g)
    u[t] = tanh(R @ h[t-1] + S @ h[t-2] + Q @ x[t])
    c[t] = a[t] * c[t-1] + (1 - a[t]) * u[t]
    h[t] = g[t] * tanh(c[t])
    r[t] = tanh(U @ r[t+1] + W @ x[t])
    y[t] = V @ [h[t], r[t]]
    L    = sum(squared_error(y[t], target[t]), t)
"""
Rewrite = Callable[[Recurrence], Recurrence]


def stages(d: rd.Derivation) -> list[tuple[str, Rewrite]]:
    """The compiler's passes in order."""
    wanted = [*d.pulled.gradients.values(), d.net.loss or ""]
    fixed = {*wanted, *(s[:-1] for s in d.net.initial_states)}
    return [
        ("prune", lambda n: passes.prune(n, wanted)),
        ("narrow", lambda n: passes.narrow(n, wanted)),
        ("share", passes.share),
        ("by_exp", passes.by_exp),
        ("inline", lambda n: passes.inline(n, fixed)),
        ("factor", passes.factor),
        ("name_sums", passes.name_sums),
        ("fuse_gates", lambda n: passes.fuse_gates(n, fixed)),
        ("pack", lambda n: passes.pack(n, fixed)),
        ("bundle_deltas", lambda n: passes.bundle_deltas(n, fixed)),
        ("fuse_sums", passes.fuse_sums),
        ("join", passes.join),
        ("split_stacks", passes.split_stacks),
        ("hoist", passes.hoist),
    ]


def nets() -> dict[str, Recurrence]:
    return {**{n: network(n) for n in NAMES}, "own": Recurrence.parse(OWN)}


@pytest.mark.parametrize("name", nets())
def test_every_pass_keeps_the_meaning_exactly(name: str) -> None:
    d = rd.derive(nets()[name])
    outputs = [*d.pulled.gradients.values(), d.net.loss or ""]
    net = d.adjoint
    for word, rewrite in stages(d):
        after = rewrite(net)
        if after != net:
            assert identical(d.adjoint, after, d.net, outputs=outputs, T=3, digits=False), word
        net = after


@pytest.mark.parametrize("batched", [False, True])
def test_the_order_of_all_passes_keeps_the_meaning_for_short_runs(batched: bool) -> None:
    d = rd.derive(Recurrence.parse(OWN))
    outputs = [*d.pulled.gradients.values(), d.net.loss or ""]
    net = passes.optimise(d.adjoint, outputs, d.net.initial_states, products_only=batched)
    for T in (1, 2, 5):
        assert identical(d.adjoint, net, d.net, outputs=outputs, T=T, digits=False)


def in_loops(net: Recurrence, kind: type) -> int:
    """How many terms of a kind are computed step by step."""
    loops = {n for s in net.schedule if s.direction != "all" for n in s.names}
    return sum(isinstance(n, kind) for name in loops for n in tm.members(net[name].right))


@pytest.mark.parametrize(
    ("name", "forward", "backward"), [("lstm", 1, 1), ("gru", 2, 2), ("coupled_lstm", 1, 1), ("vanilla", 1, 1)]
)
def test_gates_are_one_product_forward_and_one_backward(name: str, forward: int, backward: int) -> None:
    d = rd.derive(rd.cells.LIBRARY[name]())
    net = passes.optimise(d.adjoint, [*d.pulled.gradients.values(), "L"], d.net.initial_states)
    for stage in net.schedule:
        products = sum(isinstance(n, tm.Product) for s in stage.names for n in tm.members(net[s].right))
        if stage.direction != "all":
            assert products == (forward if stage.direction == "forward" else backward)


def test_gates_with_the_same_function_are_one_call() -> None:
    d = rd.derive(rd.cells.lstm())
    net = passes.optimise(d.adjoint, [*d.pulled.gradients.values(), "L"], d.net.initial_states)
    assert in_loops(net, tm.Apply) == 3  # exp of three gates, tanh of the candidate, tanh of the state


def test_weights_of_gates_have_one_sum_over_time() -> None:
    d = rd.derive(rd.cells.lstm())
    net = passes.optimise(d.adjoint, [*d.pulled.gradients.values(), "L"], d.net.initial_states)
    outer = [e.name for e in net.equations if isinstance(e.right, tm.BatchSum) and e.left.shape[1] != 1]
    assert len(outer) == 2  # the gates' and the readout's


def test_a_batch_multiplies_once_a_step_by_all_inputs() -> None:
    d = rd.derive("h[t] = tanh(W @ x[t] + U @ h[t-1] + b)\nL = sum(squared_error(h[t], target[t]), t)")
    net = passes.optimise(d.adjoint, [*d.pulled.gradients.values(), "L"], d.net.initial_states, products_only=True)
    text = str(net)
    assert "v[t] = [x[t], h[t-1]]" in text
    assert not any(
        isinstance(n, tm.Product) and n.args[-1] == net.leaf("x") for e in net.equations for n in tm.members(e.right)
    )


def test_a_coefficient_leaves_the_loop_of_one_sequence_but_not_that_of_a_batch() -> None:
    d = rd.derive("h[t] = tanh(W @ x[t] + U @ h[t-1])\nL = sum(h[T])")
    wanted = [*d.pulled.gradients.values(), "L"]
    alone, batch = (
        passes.optimise(d.adjoint, wanted, d.net.initial_states, products_only=batched) for batched in (False, True)
    )
    assert in_loops(alone, tm.Power) == 0
    assert in_loops(batch, tm.Power) == 1


def test_a_loss_at_the_last_step_has_its_readout_at_that_step_only() -> None:
    d = rd.derive(rd.cells.lstm())
    net = passes.optimise(d.adjoint, [*d.pulled.gradients.values(), "L"], d.net.initial_states)
    assert not any(e.timed and "W_y" in str(e.right) and "if t == T" not in str(e.right) for e in net.equations)
    assert str(net["dW_y"].right) == "sum(delta_y_T @ h[T].T, batch)"


@pytest.mark.parametrize("batch", [None, 1, 5])
@pytest.mark.parametrize("T", [1, 2, 7])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_a_cell_of_ones_own_agrees_with_complex_step(T: int, batch: int | None, dtype: type) -> None:
    net = Recurrence.parse(OWN)
    at = point(net, T=T, batch=batch)
    program = rd.derive(net).lambdify()
    cast = lambda table: {n: np.asarray(a, dtype) for n, a in table.items()}  # noqa: E731
    _, grads = program(cast(at.params), cast(at.inputs))
    rng = np.random.default_rng(1)
    for name, g in grads.items():
        assert g.dtype == dtype
        table = at.params if name in at.params else at.inputs
        direction = rng.normal(size=np.shape(table[name]))
        moved = {**table, name: table[name] + 1e-30j * direction}
        value = rd.derive(net).value(*((moved, at.inputs) if name in at.params else (at.params, moved)))["L"]
        slope = float(np.sum(value).imag / 1e-30)
        assert np.isclose(
            float(np.sum(g * direction)),
            slope,
            rtol=1e-10 if dtype == np.float64 else 2e-4,
            atol=1e-4 if dtype == np.float32 else 1e-12,
        )


def test_one_sequence_and_a_batch_of_it_agree() -> None:
    net = Recurrence.parse(OWN)
    at = point(net, T=6, batch=3)
    d = rd.derive(net)
    program = d.lambdify()
    alone, batch = (f(at.params, at.inputs) for f in (program.raw, program.batch_raw))
    assert np.isclose(alone[0], batch[0], rtol=1e-13)
    for name, g in alone[1].items():
        np.testing.assert_allclose(g, batch[1][name], rtol=1e-10, atol=1e-13)


def test_a_range_across_the_parts_of_a_stack_is_no_gate() -> None:
    net = Recurrence.parse("""
        s[t] = [tanh(U @ h[t-1] + W @ x[t])[0:2], x[t][0:2]]
        h[t] = s[t][1:3]
        L    = sum(squared_error(h[t], target[t]), t)
    """)
    at = point(net, T=4, batch=3)
    program = rd.derive(net).lambdify()
    alone, batch = (f(at.params, at.inputs) for f in (program.raw, program.batch_raw))
    for name, g in alone[1].items():
        np.testing.assert_allclose(g, batch[1][name], rtol=1e-12, atol=1e-14)


def agrees_with_complex_step(net: Recurrence) -> None:
    """The gradients of one sequence and of a batch."""
    d = rd.derive(net)
    for batch in (None, 3):
        at = point(net, T=4, batch=batch)
        grads = d.lambdify()(at.params, at.inputs)[1]
        for name in net.parameters:
            np.testing.assert_allclose(grads[name], complex_step(d, at, name), rtol=1e-10, atol=1e-13)


def test_a_stack_in_a_stack_with_coefficients_of_its_own() -> None:
    net = Recurrence.parse("""
        a[t] = tanh(p * x[t])
        b[t] = tanh(q * x[t])
        s[t] = [[h[t-1] * a[t] * b[t], h[t-1] * a[t] * a[t]], x[t]]
        h[t] = tanh(U @ s[t])
        L    = sum(squared_error(h[t], target[t]), t)
    """)
    agrees_with_complex_step(net)


def test_names_of_a_network_are_not_those_of_the_generated_code() -> None:
    net = Recurrence.parse("""
        temp1[t]     = tanh(W @ [h[t-1], x[t]] + number1)
        temp2[t]     = sigmoid(U @ [h[t-1], x[t]] + fixed1)
        h_before1[t] = temp1[t] * temp2[t] + 0.5 * h[t-1] * temp2[t]
        h[t]         = h_before1[t] * temp2[t] + 0.25 * h[t-1]
        empty[t]     = exp(h[t]) + h[t-1]
        L            = sum(squared_error(empty[t], target[t]), t)
    """)
    agrees_with_complex_step(net)


def test_a_part_that_is_the_same_at_every_step_stands_beside_one_that_is_not() -> None:
    """The deltas get [0, 1 at the last step]: zeros have no step axis, the condition has one."""
    agrees_with_complex_step(
        Recurrence.parse("""
        s[t] = tanh(W @ x[t] + A @ s[t-1] + B @ h[t-1])
        h[t] = tanh(U @ s[t-1])
        L    = sum(h[T])
    """)
    )


def test_memory_for_all_steps_is_cut_by_sizes_as_the_code_calls_them() -> None:
    net = Recurrence.parse("""
        u[t] = c[t] * [x_t[t] * x_t[t], 2 * x_t[t]] + e[t] * [x_t[t] + 1, x_t[t] * x_t[t] * x_t[t]]
        h[t] = tanh(W @ u[t] + U @ h[t-1])
        L    = sum(squared_error(h[t], target[t]), t)
    """)
    assert "temp_all" in rd.derive(net).lambdify().source
    agrees_with_complex_step(net)


def test_the_loops_of_generated_code_allocate_nothing() -> None:
    for name in ("lstm", "gru", "peephole_lstm", "bidirectional_lstm"):
        program = rd.derive(rd.cells.LIBRARY[name]()).lambdify()
        for source in (program.source, program.batch_source):
            body = source.split("def value_and_grad")[1]
            loops = [
                line for line in body.splitlines() if line.startswith(" " * 8) and not line.strip().startswith("#")
            ]
            calls = [line.strip() for line in loops if "(" in line]
            assert calls
            assert not any("np.empty" in c or "np.concatenate" in c for c in calls)


def test_costs_are_those_of_the_textbook() -> None:
    """An LSTM multiplies 4 n (n + d) numbers a step forward, as many for each of the two gradients."""
    d = rd.derive(rd.cells.lstm())
    net = passes.optimise(d.adjoint, [*d.pulled.gradients.values(), "L"], d.net.initial_states)
    n, x = sp.Symbol("n", positive=True), sp.Symbol("x", positive=True)
    sizes = {
        s: {"n_h": n, "n_x": x, "n_y": sp.S.Zero}.get(str(s).replace("size(", "n_").replace(")", ""), 1)
        for s in net.sizes
    }
    products = sp.expand(cost(net).products.subs(sizes))
    a_step = products.coeff(tm.T).subs({sp.Symbol("B", positive=True, integer=True): 1})
    assert sp.expand(a_step - 2 * (4 * n * (n + x) + 4 * n * n + 4 * n * (n + x))) == 0
