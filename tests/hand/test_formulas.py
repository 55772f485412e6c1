"""Equations and SymPy expressions: right in whatever form they are written, wrong where they are wrong."""

from __future__ import annotations

from textwrap import dedent

import numpy as np
import pytest
import sympy as sp

import rnnderive as rd
from rnnderive.errors import InputError, LanguageError, ShapeError
from rnnderive.hand.equations import read_equations
from rnnderive.hand.expressions import read_sympy
from rnnderive.hand.matching import gradient_of
from rnnderive.hand.problem import Problem, with_upstream

NET = rd.Recurrence.parse("""
    h[t] = tanh(U @ h[t-1] + W @ x[t] + b)
    y[t] = V @ h[t] + c
    L    = sum(cross_entropy(y[t], target[t]), t)
""")
RIGHT = dedent("""
    e[t]     = softmax(y[t]) - target[t]
    delta[t] = (V.T @ e[t] + U.T @ delta[t+1]) * (1 - h[t]**2)
    dU       = sum(delta[t] @ h[t-1].T, t)
    dW       = sum(delta[t] @ x[t].T, t)
    db       = sum(delta[t], t)
    dV       = sum(e[t] @ h[t].T, t)
    dc       = sum(e[t], t)
""")


@pytest.fixture(scope="module")
def problem():
    return Problem(NET)


def verdicts(hand, problem):
    return {n: bool(v) for n, v in hand.verdicts(problem).items()}


@pytest.mark.parametrize("name", rd.cells.LIBRARY)
def test_the_adjoint_of_every_cell_read_as_a_hand_derivation_is_right(name):
    problem = Problem(rd.cells.LIBRARY[name]())
    hand = read_equations(problem.derivation.adjoint, problem)
    found = hand.verdicts(problem)
    assert set(hand.names.values()) == {e.name for e in problem.derivation.pulled.backward}
    assert all(found.values()) and not hand.forward
    run = problem.run()
    for n, array in hand.claims(problem, problem.point).grads.items():
        np.testing.assert_allclose(array, run[problem.gradients[n]], rtol=1e-9)


def test_intermediates_are_matched_by_value_whatever_their_name(problem):
    hand = read_equations(RIGHT, problem)
    assert hand.names["e"] == "dy" and hand.names["delta"] == "delta_h"
    assert all(verdicts(hand, problem).values()) and hand.exact


@pytest.mark.parametrize(
    "line",
    [
        "dU = sum((h[t-1] @ delta[t].T).T, t)",
        "dU = sum(diag(delta[t]) @ ones(size(h)) @ h[t-1].T, t)",
        "dU = sum(delta[t] @ h[t-1].T * 2, t) / 2",
        "dU = delta[1] @ h0.T + sum((delta[t] @ h[t-1].T if t >= 2 else 0), t)",
    ],
)
def test_any_form_that_is_equal_for_all_values_passes(problem, line):
    text = RIGHT.replace("dU       = sum(delta[t] @ h[t-1].T, t)", line)
    assert verdicts(read_equations(text, problem), problem)["dU"]


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ("h[t-1].T, t", "h[t].T, t"),
        ("(1 - h[t]**2)", "(1 - h[t])"),
        ("delta[t+1]", "delta[t+1] * 0.999999999999"),
        ("V.T @ e[t] + U.T", "V.T @ e[t] - U.T"),
        ("U.T @ delta", "U @ delta"),
    ],
)
def test_a_wrong_equation_fails_however_small_the_error(problem, right, wrong):
    assert right in RIGHT
    hand = read_equations(RIGHT.replace(right, wrong), problem)
    found = verdicts(hand, problem)
    assert not found["dU"] and found["dV"] and found["dc"]


def test_a_wrong_recurrence_is_still_matched_by_how_it_is_used(problem):
    hand = read_equations(RIGHT.replace("(1 - h[t]**2)", "(1 - h[t])").replace("delta", "q"), problem)
    assert hand.names["q"] == "delta_h" and any("q" in note for note in hand.notes)


def test_identities_between_functions_are_decided_in_digits(problem):
    text = RIGHT.replace("softmax(y[t])", "exp(y[t]) / sum(exp(y[t]))").replace(
        "h[t]**2", "tanh(U @ h[t-1] + W @ x[t] + b)**2"
    )
    assert all(verdicts(read_equations(text, problem), problem).values())
    net = rd.Recurrence.parse("h[t] = sigmoid(U @ h[t-1] + x[t])\nL = sum(h[T])")
    text = """
        a[t] = U @ h[t-1] + x[t]
        d[t] = ((ones(size(h)) if t == T else 0) + U.T @ d[t+1]) * sigmoid(a[t]) * sigmoid(-a[t])
        dU = sum(d[t] @ h[t-1].T, t)
    """
    hand = read_equations(text, Problem(net))
    assert all(v.by == "digits" for n, v in hand.verdicts(Problem(net)).items() if n == "dU")
    assert verdicts(hand, Problem(net))["dU"]


def test_forward_restated_in_other_words_is_the_same_forward(problem):
    hand = read_equations("a[t] = W @ x[t] + b + U @ h[t-1]\nh[t] = tanh(a[t])" + RIGHT, problem)
    assert not hand.forward and all(verdicts(hand, problem).values())


def test_another_forward_is_told_apart_from_a_wrong_backward(problem):
    other = RIGHT.replace("1 - h[t]**2", "h[t] * (1 - h[t])")
    hand = read_equations("h[t] = sigmoid(U @ h[t-1] + W @ x[t] + b)" + other, problem)
    assert hand.forward == ("h",) and any("h" in note for note in hand.notes)
    at = hand.at(problem)
    claims, own = hand.claims(problem, at), hand.own_gradient(problem, at)
    assert "h" in claims.forward
    for n, array in claims.grads.items():
        np.testing.assert_allclose(array, own[n], rtol=1e-9)
    assert not verdicts(hand, problem)["dU"]


def test_names_stand_for_names_of_the_network_and_say_what_a_claim_is(problem):
    text = RIGHT.replace("W", "W_xh").replace("dU ", "G ").replace("U.T", "W_hh.T")
    hand = read_equations(text, problem, names={"W_xh": "W", "W_hh": "U", "G": "U"})
    assert hand.names["dW_xh"] == "dW" and hand.names["G"] == "dU"
    assert all(verdicts(hand, problem).values())
    with pytest.raises(InputError, match="neither in the network"):
        read_equations(text, problem, names={"W_xh": "Z"})


def test_gradient_names():
    known = ["W", "W_f", "h0", "b"]
    for words in ("dW_f", "d_W_f", "grad_W_f", "dLdW_f", "dL_dW_f", "W_f_grad", "gradW_f"):
        assert gradient_of(words, known) == "W_f", words
    assert gradient_of("dh0", known) == gradient_of("dh_0", known) == "h0"
    assert gradient_of("delta", known) is None


def test_the_gradient_in_the_initial_state_is_no_value_outside_the_steps():
    problem = Problem(rd.cells.vanilla())
    text = """
        dy[t] = (y[T] - target if t == T else 0)
        dz[t] = dy[t] * y[t] * (1 - y[t])
        dh[t] = V.T @ dz[t] + U.T @ (dh[t+1] * (1 - h[t+1]**2))
        dh0   = U.T @ (dh[1] * (1 - h[1]**2))
    """
    net = problem.net
    assert "V" in net.parameters
    hand = read_equations(text, problem)
    assert hand.names["dh_0"] == problem.gradients["h0"]


@pytest.mark.parametrize("batch", [None, 3])
def test_claims_of_a_batch_sum_what_its_members_share(batch):
    problem = Problem(NET, batch=batch)
    claims = read_equations(RIGHT, problem).claims(problem, problem.point)
    run = problem.run()
    assert set(claims.grads) == {"U", "W", "b", "V", "c"} and set(claims.inner) == {"dy", "delta_h"}
    for n, array in claims.grads.items():
        np.testing.assert_allclose(array, run[problem.gradients[n]], rtol=1e-9)
    for n, array in claims.inner.items():
        np.testing.assert_allclose(array, run[n], rtol=1e-9)


def test_a_step_with_gradients_from_outside():
    problem = Problem(with_upstream(rd.cells.vanilla(), "h"))
    hand = read_equations("d[t] = (g[t] + U.T @ d[t+1]) * (1 - h[t]**2)\ndW = sum(d[t] @ x[t].T, t)", problem,
                          names={"g": "up_h"})  # fmt: skip
    assert all(verdicts(hand, problem).values())


@pytest.mark.parametrize(
    ("text", "message", "column"),
    [
        ("dU = sum(dlta[t] @ h[t-1].T, t)\ndelta[t] = h[t]", "did you mean delta", 10),
        ("dU = sum((h[t] + x[t]) @ h[t-1].T, t)", "different shape", 11),
        ("d[t] = h", "without a time index", 8),
        ("d = U[t]", "with a time index", 5),
        ("x[t] = h[t]", "given to the network", 1),
        ("d[t] = h[t]\nd[t] = h[t]", "twice", 1),
        ("d = delta[t]\ndelta[t] = h[t]", "no time index", 1),
        ("dU = sum(", "never closed", None),
    ],
)
def test_errors_say_where(problem, text, message, column):
    with pytest.raises(LanguageError, match=message) as caught:
        read_equations(text, problem)
    if column is not None:
        assert caught.value.column == column and "^" in str(caught.value)


def test_a_size_of_the_network_is_not_bent(problem):
    with pytest.raises(ShapeError):
        read_equations("d[t] = W.T @ h[t] + h[t]", problem)


def test_formulas_belong_to_their_network(problem):
    hand = read_equations(RIGHT, problem)
    with pytest.raises(InputError, match="another network"):
        hand.recurrence(Problem(rd.cells.vanilla()))


# ---------------------------------------------------------------- SymPy

PLAIN = rd.Recurrence.parse("h[t] = tanh(U @ h[t-1] + W @ x[t])\nL = squared_error(h[T], target)")


@pytest.fixture(scope="module")
def plain():
    return Problem(PLAIN)


def _symbols(T):
    n, m = sp.symbols("n m")
    h = [sp.MatrixSymbol("h0", n, 1), *(sp.MatrixSymbol(f"h[{k}]", n, 1) for k in range(1, T + 1))]
    x = [None, *(sp.MatrixSymbol(f"x_{k}", m, 1) for k in range(1, T + 1))]
    return n, sp.MatrixSymbol("U", n, n), sp.MatrixSymbol("target", n, 1), h, x


def test_matrix_expressions_of_sympy(plain):
    n, U, target, h, x = _symbols(2)
    one = sp.OneMatrix(n, 1)
    slope = [one - sp.HadamardProduct(a, a) for a in h]
    d2 = sp.HadamardProduct(h[2] - target, slope[2])
    d1 = sp.DiagMatrix(slope[1]) * U.T * d2
    hand = read_sympy({"dW": d2 * x[2].T + d1 * x[1].T, "U": d2 * h[1].T + d1 * h[0].T}, plain)
    assert hand.T == 2 and verdicts(hand, plain) == {"dW": True, "dU": True}
    wrong = read_sympy({"U": d2 * h[1].T + d1 * h[1].T}, plain)
    assert verdicts(wrong, plain) == {"dU": False}


@pytest.mark.parametrize("wrt", ["U", "W"])
@pytest.mark.parametrize("T", [1, 3, None])
def test_chains_are_read_as_gradients(plain, wrt, T):
    chain = plain.derivation.chain(wrt) if T is None else plain.derivation.chain(wrt, T)
    for form in (chain, chain.doit()):
        hand = read_sympy({wrt: form}, plain, T=T)
        assert verdicts(hand, plain) == {f"d{wrt}": True} and hand.T == T


def test_components_are_read_back(plain):
    hand = read_sympy(list(plain.derivation.components("U")), plain)
    assert verdicts(hand, plain) == {"dU": True, "delta_h": True, "dh": True}


def test_entries_with_sums_over_a_whole_range(plain):
    h, U, target, delta = (sp.IndexedBase(n) for n in ("h", "U", "target", "delta_h"))
    t, T, i, j, k, n = sp.symbols("t T i j k n")
    above = sp.Piecewise((h[T, i] - target[i], sp.Eq(t, T)), (0, True)) + sp.Sum(U[k, i] * delta[t + 1, k], (k, 1, n))
    given = {"U": sp.Sum(delta[t, i] * h[t - 1, j], (t, 1, T)), "delta_h": above * (1 - h[t, i] ** 2)}
    assert verdicts(read_sympy(given, plain), plain) == {"dU": True, "delta_h": True}
    given["U"] = sp.Sum(delta[t, j] * h[t - 1, i], (t, 1, T))
    assert verdicts(read_sympy(given, plain), plain) == {"dU": False, "delta_h": True}


@pytest.mark.parametrize("indexed", [True, False])
def test_explicit_matrices_of_scalars_for_given_sizes(plain, indexed):
    def entry(name, *index):
        return sp.IndexedBase(name)[index] if indexed else sp.Symbol("_".join([name, *map(str, index)]))

    def h(k, i):
        return entry("h", k, i) if k else entry("h0", i)

    def d(k, i):
        above = h(2, i) - entry("target", i) if k == 2 else sum(entry("U", m, i) * d(2, m) for m in (1, 2))
        return above * (1 - h(k, i) ** 2)

    right = sp.Matrix(2, 2, lambda i, j: sum(d(k, i + 1) * h(k - 1, j + 1) for k in (1, 2)))
    hand = read_sympy(right, plain, wrt="U")
    assert hand.T == 2 and verdicts(hand, plain) == {"dU": True}
    assert hand.claims(plain, hand.at(plain)).grads["U"].shape == (2, 2)
    assert verdicts(read_sympy(right.T, plain, wrt="U"), plain) == {"dU": False}
    with pytest.raises(InputError, match="T = 2"):
        hand.claims(plain, plain.point)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"U": sp.MatrixSymbol("Z", 2, 2)}, "Z is no name"),
        ({"U": sp.Symbol("z")}, "z is no name"),
        ({"U": sp.IndexedBase("h")[1]}, "indices"),
        ({"U": sp.Inverse(sp.MatrixSymbol("U", 2, 2))}, "power"),
        ({"U": sp.Function("foo")(sp.IndexedBase("U")[1, 1])}, "foo"),
        ({"U": "h[t]"}, "found str"),
    ],
)
def test_what_is_no_recurrence_is_said(plain, given, message):
    with pytest.raises(LanguageError, match=message):
        read_sympy(given, plain)
