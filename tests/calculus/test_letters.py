"""What a formula counts with, and what stands for several states, is no name of the network as it is printed."""

from __future__ import annotations

import pytest

import rnnderive as rd
from rnnderive import printing as pr
from rnnderive.calculus import first_order, stacked
from rnnderive.checks import check_steps
from rnnderive.hand.latex import read_latex
from rnnderive.hand.problem import Problem

TWO = "s[t] = tanh(W @ x[t] + A @ s[t-1] + B @ h[t-1])\nh[t] = tanh(U @ s[t-1])\nL = sum(h[T])"
SCALED = "h[t] = tanh({0} * h[t-1] + x[t])\nL = sum(h[T])"
PRINTERS = [pr.text, pr.latex, pr.typst, pr.mathml]


@pytest.mark.parametrize("printed", PRINTERS)
@pytest.mark.parametrize("T", [2, rd.T])
def test_two_formulas_of_a_derivation_are_never_printed_alike(printed, T):
    d = rd.derive(TWO)
    local = [step for step in d.steps("W", T) if step.kind in ("blocks", "jacobian")]
    assert len({printed(step.left.math(d.net.notation)) for step in local}) == len(local)
    assert all(check_steps(d, "W", T))


@pytest.mark.parametrize(
    ("text", "name"),
    [(TWO, "z"), (TWO.replace("x[t]", "z[t]"), "xi"), (TWO.replace("s[", "s_x["), "s"), (TWO.replace("s[", "C["), "s")],
)
def test_a_stack_has_a_name_that_is_free_as_printed(text, name):
    (group,) = rd.derive(text).graph("W", 3).groups
    assert group.label == name


def test_several_stacks_share_a_letter_that_is_free():
    taken = rd.Recurrence.parse("h[t] = tanh(U @ h[t-1] + s_2 * x[t])\nL = sum(h[T])")
    assert stacked(taken, 2) == ("z_1", "z_2")
    assert stacked(taken) == ("s",)


def test_a_state_further_back_has_a_name_that_is_free_as_printed():
    net = rd.Recurrence.parse("h[t] = tanh(h_1 * h[t-1] + h[t-2] + x[t])\nL = sum(h[T])")
    assert "h_lag_1[t] = h[t-1]" in str(first_order(net))


@pytest.mark.parametrize("letter", ["k", "l", "j", "tau", "i", "m", "q"])
@pytest.mark.parametrize("loss", ["sum(h[T])", "sum(sum(h[t]), t)"])
def test_steps_that_are_run_over_have_letters_of_no_name(letter, loss):
    d = rd.derive(SCALED.format(letter).replace("sum(h[T])", loss))
    for wrt in (letter, "x"):
        chain = d.chain(wrt)
        running = {str(node.args[1]) for node in rd.language.terms.parts(chain) if hasattr(node, "_values")}
        assert running and letter not in running
    assert all(check_steps(d, letter))


def test_today_s_letters_stay_where_they_are_free():
    d = rd.derive(SCALED.format("a").replace("sum(h[T])", "sum(sum(h[t]), t)"))
    shown = pr.text(d.chain("a").math(d.net.notation))
    assert "Σ_{τ = 1}^{T} (Σ_{k = 1}^{τ} " in shown and "(∏_{j = τ}^{k + 1} " in shown


def test_any_step_of_an_input_has_a_letter_of_no_name():
    d = rd.derive(SCALED.format("k"))
    assert d.chain("x") == d.chain("x[l]")
    with pytest.raises(rd.InputError, match="expected a step, T, T-1 or l"):
        d.chain("x[k]")


@pytest.mark.parametrize("name", ["k", "i", "j", "l"])
def test_entries_have_indices_of_no_name(name):
    net = f"h[t] = tanh({name} * (W @ h[t-1]) + x[t])\nL = sum(h[T])"
    problem = Problem(rd.Recurrence.parse(net))
    lines = [c for wrt in ("W", name) for c in problem.derivation.components(wrt)]
    assert all(f"{name}_{name}" not in str(c) and f" {name}}}" not in str(c) for c in lines)
    assert all(read_latex(" \\\\ ".join(pr.latex(c.math()) for c in lines), problem).verdicts(problem).values())


def test_a_gate_i_excludes_the_index_i():
    (first, *others) = rd.derive("lstm").components("W_f")
    assert str(first).startswith("dL/dW_{f, j k} = Σ_{t = 1}^{T} {δ_{f, j}^t h_k^{t-1} if k ≤ n_h; ")
    assert "dL/di_j^t = C_{add, j}^t dL/dC_j^t" in map(str, others)
