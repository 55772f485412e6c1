"""Chains: the lecture's lines, the number of factors, any T, several states."""

from __future__ import annotations

import numpy as np
import pytest
import sympy as sp

import rnnderive as rd
from rnnderive import cells, derive
from rnnderive.calculus import Factor
from rnnderive.language import terms
from tests.test_random import point


def lines(d: rd.Derivation, wrt: str, T: object) -> list[str]:
    return [str(s).split(")", 1)[1].split("    [")[0].strip() for s in d.steps(wrt, T)]


def factors(term: terms.Term) -> int:
    """Factors on all paths, those of the loss left out."""
    return sum(isinstance(n, Factor) and str(n.over) != "L" for n in terms.members(term))


def test_the_output_side_is_row_5_of_the_lecture() -> None:
    d = derive(cells.lecture())
    assert "dL/dV = ∂L/∂y^3 ∂⁺y^3/∂V" in lines(d, "V", 3)
    assert "dL/db_y = ∂L/∂y^3 ∂⁺y^3/∂b_y" in lines(d, "b_y", 3)


@pytest.mark.parametrize("w", ["W", "U", "b_h"])
def test_the_recurrent_side_is_row_6_of_the_lecture_line_by_line(w: str) -> None:
    expected = """
        dL/dW = ∂L/∂h^3 dh^3/dW
        dh^3/dW = ∂⁺h^3/∂W + ∂h^3/∂h^2 dh^2/dW
        dL/dW = ∂L/∂h^3 ∂⁺h^3/∂W + ∂L/∂h^3 ∂h^3/∂h^2 dh^2/dW
        dh^2/dW = ∂⁺h^2/∂W + ∂h^2/∂h^1 dh^1/dW
        dL/dW = ∂L/∂h^3 ∂⁺h^3/∂W + ∂L/∂h^3 ∂h^3/∂h^2 ∂⁺h^2/∂W + ∂L/∂h^3 ∂h^3/∂h^2 ∂h^2/∂h^1 dh^1/dW
    """.replace("W", w)
    wanted = [line.strip() for line in expected.strip().splitlines()]
    assert lines(derive(cells.lecture()), w, 3)[:5] == wanted


def test_any_length_is_row_7_of_the_lecture() -> None:
    third = lines(derive(cells.lecture()), "W", rd.T)[2]
    start = "dL/dW = ∂L/∂h^T ∂⁺h^T/∂W + ∂L/∂h^T ∂h^T/∂h^{T-1} ∂⁺h^{T-1}/∂W + ⋯ + "
    assert third == start + "∂L/∂h^T ∂h^T/∂h^{T-1} ∂h^{T-1}/∂h^{T-2} ⋯ ∂h^2/∂h^1 dh^1/dW"


@pytest.mark.parametrize("name", ["vanilla", "lstm", "gru"])
@pytest.mark.parametrize("T", [1, 3, 50])
def test_a_chain_written_out_has_T_times_T_plus_1_over_2_factors(name: str, T: int) -> None:
    d = derive(cells.LIBRARY[name]())
    chain = d.chain(d.net.parameters[0], T)
    assert factors(chain) == T * (T + 1) // 2


@pytest.mark.parametrize("name", ["vanilla", "lstm"])
def test_the_nested_chain_is_linear_in_T(name: str) -> None:
    d = derive(cells.LIBRARY[name]())
    sizes = [factors(d.chain(d.net.parameters[0], T, form="nested")) for T in (10, 20, 30)]
    assert sizes == [2 * 10 - 1, 2 * 20 - 1, 2 * 30 - 1]


@pytest.mark.parametrize("name", sorted(set(cells.LIBRARY) - {"stacked_lstm", "bidirectional_lstm", "rnn"}))
def test_every_explicit_chain_is_the_adjoint_gradient(name: str) -> None:
    d = derive(cells.LIBRARY[name]())
    params, inputs = point(d.net, 3, None, 0)
    _, grads = d.lambdify()(params, inputs)
    for w in d.wrt:
        ours = d.explicit(w, 3)(params, inputs)
        np.testing.assert_allclose(ours, grads[w], rtol=1e-10, atol=1e-14, err_msg=w)


@pytest.mark.parametrize("every", [False, True])
def test_a_chain_in_an_input_or_a_state_is_its_gradient(every: bool) -> None:
    net = cells.loss(cells.lstm(), at="every") if every else cells.lstm()
    d = derive(net, "x")
    params, inputs = point(net, 4, None, 0)
    _, grads = d.lambdify()(params, inputs)
    for k in range(1, 5):
        np.testing.assert_allclose(d.explicit(f"x[{k}]", 4)(params, inputs), grads["x"][k - 1], rtol=1e-10, atol=1e-14)


def test_a_state_in_an_earlier_state_is_a_product_of_factors() -> None:
    d = derive(cells.vanilla())
    chain = d.chain("h[1]", 4, of="h[T]")
    assert [str(f) for f in chain.args] == ["∂h^4/∂h^3", "∂h^3/∂h^2", "∂h^2/∂h^1"]


def test_two_layers_have_every_path_through_time_and_layers() -> None:
    d = derive(cells.stack(cells.vanilla(), 2))
    assert len(d.chain("W_1", 3).args) == 6  # (k, step of going up) with k <= step <= 3
    assert len(d.chain("W_2", 3).args) == 3


def test_the_right_to_left_half_has_one_term_where_the_loss_reads_the_last_step() -> None:
    d = derive(cells.bidirectional_rnn())
    assert str(d.chain("W_R", 3)) == "∂L/∂h_R^3 @ ∂⁺h_R^3/∂W_R"
    assert len(d.chain("W_L", 3).args) == 3


def test_the_cell_path_of_an_LSTM_is_the_forget_gate() -> None:
    assert str(derive(cells.lstm()).jacobian("C", "C")) == "diag(f[t])"


def test_minGRU_has_the_jacobian_diag_1_minus_z() -> None:
    assert str(derive(cells.mingru()).jacobian("h", "h")) == "diag(1 - z[t])"


def test_what_the_loss_does_not_depend_on_has_a_zero_chain() -> None:
    net = rd.Recurrence.parse("h[t] = U @ h[t-1] + x[t]\ng[t] = A @ h[t]\nL = sum(h[T])")
    assert derive(net).chain("A", 3).is_null
    assert not derive(net).lambdify()({"U": np.eye(2), "A": np.eye(2)}, {"x": np.ones((3, 2))})[1]["A"].any()


@pytest.mark.parametrize("wrt, T, of, message", [
    ("Q", 3, None, "no 'Q'"), ("x[9]", 3, None, "not a step"), ("W", 0, None, "from 1"), ("W", 2.5, None, "integer"),
    ("W[1]", 3, None, "no time index"), ("W", 3, "h[t]", "fixed step"), ("x[q]", 3, None, "expected a step"),
])  # fmt: skip
def test_what_cannot_be_asked_is_refused(wrt: str, T: object, of: str | None, message: str) -> None:
    with pytest.raises(rd.RnnDeriveError, match=message):
        derive(cells.vanilla()).chain(wrt, T, of=of)


@pytest.mark.parametrize("name", ["vanilla", "lstm"])
def test_components_are_the_gradient_entry_by_entry(name: str) -> None:
    """The index notation, evaluated by SymPy alone, against the program."""
    d = derive(cells.LIBRARY[name]())
    net, T = d.net, 2
    params, inputs = point(net, T, None, 3)
    pulled = d.adjoint
    values = rd.derive(net).forward(params, inputs)
    sizes = {s: int(n) for s, n in zip(net.sizes, [2, 3, 4], strict=True)}
    known = {**params, **inputs, **values}
    w = net.parameters[0]
    equations = {str(c.left.base) if isinstance(c.left, sp.Indexed) else str(c.left): c for c in d.components(w)}
    i, j = sp.symbols("i j", integer=True)
    memo: dict[object, object] = {}

    def number(leaf: sp.Indexed) -> object:
        if leaf in memo:
            return memo[leaf]
        base, index = str(leaf.base), [int(k) for k in leaf.indices]
        timed = isinstance(pulled.leaves.get(base), terms.At)
        step = index.pop(0) if timed else None
        if timed and not 1 <= step <= T:
            value: object = known.get(f"{base}0", np.zeros(9))[index[0] - 1] if f"{base}0" in known else 0.0
        elif base in known:
            value = known[base][step - 1][index[0] - 1] if timed else known[base][tuple(k - 1 for k in index)]
        else:
            c = equations[base]
            places = {k: v for k, v in zip((i, j), index, strict=False)} | ({terms.t: step} if timed else {})
            value = evaluate(c.right.subs(places))
        memo[leaf] = value
        return value

    def evaluate(expr: sp.Expr) -> object:
        expr = expr.subs({**sizes, terms.T: T}).doit()
        functions = {"tanh": np.tanh, "sigmoid": lambda x: 1 / (1 + np.exp(-x))}
        out = expr.xreplace({leaf: sp.Float(float(number(leaf)), 17) for leaf in expr.atoms(sp.Indexed)})
        out = out.replace(
            lambda e: isinstance(e, sp.core.function.AppliedUndef),
            lambda e: sp.Float(float(functions[e.func.__name__](float(e.args[0]))), 17),
        )
        return float(out)

    _, grads = d.lambdify()(params, inputs)
    for place in [(1, 1), (2, 1), (1, 3)]:
        entry = evaluate(equations[f"d{w}"].right.subs({i: place[0], j: place[1]}))
        assert entry == pytest.approx(grads[w][place[0] - 1, place[1] - 1], rel=1e-9), place
