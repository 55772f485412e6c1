"""The verdict: two facts, every array, the diagnosis, the smallest case; and its story in every form."""

from __future__ import annotations

import json
import re

import numpy as np
import pytest

import rnnderive as rd
from rnnderive.checks.points import point
from rnnderive.errors import InputError
from rnnderive.hand.catalogue import correct_run
from rnnderive.hand.claims import Claims
from rnnderive.hand.edits import edits
from rnnderive.hand.judge import judge
from rnnderive.hand.problem import Problem, with_upstream
from rnnderive.hand.variants import course
from rnnderive.hand.verify import verify

NET = rd.cells.loss(rd.cells.vanilla(), at="every")


class Numbers:
    """A hand that is a program: the gradients of an adjoint, changed as a test says; with a forward of its own."""

    exact = False

    def __init__(self, net, change=None, loss=None, own=None, only=None, inner=()):
        self.net, self.change, self.loss, self.own, self.only, self.inner = net, change, loss, own, only, inner

    def at(self, problem, seed=0, batch=None):
        return point(problem.net, T=problem.T, batch=batch, seed=seed, sizes=problem.sizes)

    def claims(self, problem, at):
        run = course(self.net, problem.net, at, None, correct_run(problem, at))
        grads = {n: run.number(g, at)[0] for n, g in problem.gradients.items() if self.only is None or n in self.only}
        if self.change is not None:
            grads = self.change(grads)
        loss = None if self.loss is None else self.loss(run.number("L", at)[0].sum(), at)
        return Claims(grads, {n: run.number(n, at)[0] for n in self.inner}, loss)

    def own_gradient(self, problem, at):
        if self.own is None:
            return None
        run = correct_run(problem, at)
        return {n: self.own(run.number(g, at)[0], at) for n, g in problem.gradients.items()}

    def shown(self, name):
        return None


@pytest.fixture(scope="module")
def problem():
    return Problem(NET)


def wrong(problem, text):
    return next(e for e in edits(problem) if e.text == text).net


def test_the_right_derivation_is_right_and_the_same_loss_is_the_cells(problem):
    verdict = judge(problem, Numbers(problem.derivation.adjoint, loss=lambda L, at: L))
    assert verdict and verdict.ok and verdict.backward_ok and verdict.forward_ok
    assert all(a.ok for a in verdict.arrays.values()) and verdict.wrong == () and not verdict.diagnosis.mistakes
    assert str(verdict).startswith("RIGHT: 7 gradients")


def test_a_wrong_derivation_says_where_and_why(problem):
    net = wrong(problem, "dU: at t = 1, h[t−1] wraps round to the last state")
    verdict = judge(problem, Numbers(net, loss=lambda L, at: L))
    assert not verdict and verdict.forward_ok and verdict.backward_ok is False
    assert verdict.wrong == ("U",)
    assert verdict.arrays["U"].steps == (1,)
    assert verdict.arrays["W"].ok and verdict.arrays["W"].error < 1e-12
    assert [(m.kind, m.where) for m in verdict.diagnosis] == [("wrapped", "dU")]
    assert verdict.corrections[0].right == "dU = sum(delta_h[t] @ h[t-1].T, t, batch)"
    story = str(verdict)
    for words in ("WRONG: 1 of 7", "dU    WRONG", "step 1", "wraps round", "The forward matches", "Smallest case"):
        assert words in story, words


def test_the_counterexample_is_small_and_is_one(problem):
    verdict = judge(problem, Numbers(wrong(problem, "dh: the path U.T @ delta_h[t+1] is missing")))
    case = verdict.counterexample
    assert case.sizes["T"] == 2  # one step has no path through time
    assert max(n for k, n in case.sizes.items() if k != "T") <= 2
    grads = problem.derivation.lambdify()(case.params, case.inputs)[1]
    assert grads[case.name][case.index] == pytest.approx(case.expected, rel=1e-9)
    assert case.found != pytest.approx(case.expected, rel=1e-6)


def test_a_right_backward_of_another_forward_is_two_facts(problem):
    """Loss and gradients are means over the steps: the backward is right, the cell is another."""
    hand = Numbers(
        problem.derivation.adjoint,
        change=lambda g: {n: a / 6 for n, a in g.items()},
        loss=lambda L, at: L / at.T,
        own=lambda g, at: g / at.T,
    )
    verdict = judge(problem, hand)
    assert not verdict.ok and verdict.backward_ok is True and verdict.forward_ok is False
    assert verdict.headline.startswith("NOT THIS CELL")
    assert "its loss is 1/T times the declared L" in str(verdict)


def test_a_gradient_that_is_t_times_that_of_the_loss_reported(problem):
    hand = Numbers(problem.derivation.adjoint, loss=lambda L, at: L / at.T, own=lambda g, at: g / at.T)
    verdict = judge(problem, hand)
    assert not verdict and verdict.backward_ok is False
    assert verdict.diagnosis[0].text == "every gradient is T times that of the loss you report"


def test_missing_wrongly_shaped_foreign_and_infinite_gradients_are_said(problem):
    def change(grads):
        kept = {n: a for n, a in grads.items() if n != "W"}
        return {**kept, "V": kept["V"].T, "b_q": np.zeros(3), "b_y": kept["b_y"] * np.nan}

    verdict = judge(problem, Numbers(problem.derivation.adjoint, change))
    assert not verdict
    assert verdict.arrays["V"].note.endswith("it is the transpose")
    assert verdict.arrays["b_q"].note == "the forward has no such parameter"
    assert verdict.arrays["b_y"].note == "is not finite"
    assert "not handed over: dW" in str(verdict)
    assert verdict.diagnosis[0].kind == "foreign parameter"
    json.dumps(verdict.to_json())


def test_inner_quantities_alone_are_judged_and_the_first_is_named(problem):
    net = wrong(problem, "delta_h: the derivative of tanh is 1 − h; it should be 1 − h²")
    verdict = judge(problem, Numbers(net, only=(), inner=("delta_y", "dh", "delta_h")))
    assert not verdict and verdict.inner["delta_y"].ok and not verdict.inner["delta_h"].ok
    assert verdict.diagnosis.first == "delta_h"
    assert "delta_h is the first whose equation does not hold" in str(verdict)


def test_nothing_handed_over_is_not_right(problem):
    verdict = judge(problem, Numbers(problem.derivation.adjoint, change=lambda g: {}))
    assert not verdict and "no gradient was handed over" in str(verdict)


def test_the_smallest_case_is_the_entry_that_is_furthest_off(problem):
    def nearly(grads):
        if grads["W"].size > 1:
            off = np.ones(grads["W"].shape)
            off[0, 0], off[-1, -1] = 1 + 1e-7, 1 + 1e-4
            grads["W"] = grads["W"] * off
        return grads

    found = judge(problem, Numbers(problem.derivation.adjoint, change=nearly)).counterexample
    assert found.index == (1, 1) and found.found / found.expected == pytest.approx(1 + 1e-4)


def test_two_numbers_that_differ_are_shown_so(problem):
    def nearly(grads):
        grads["W"] = grads["W"] * (1 + 1e-8)
        return grads

    shown = re.search(
        r"is (\S+); it should be (\S+)$", str(judge(problem, Numbers(problem.derivation.adjoint, change=nearly)))
    )
    assert shown[1] != shown[2] and len(shown[1]) == len(shown[2])


def test_equations_are_decided_by_exact_identity():
    """What floats cannot tell from right is not accepted; what is equal for all values is, however written."""
    correct = str(rd.derive(NET).adjoint)
    assert verify(NET, rd.Recurrence.parse(correct)).method == "by exact identity"
    other = correct.replace("1 - h[t]**2", "(1 - h[t]) * (1 + h[t])")
    assert verify(NET, other)
    zero = "relu(h[t] - 1)"  # tanh < 1
    assert verify(NET, correct.replace("dh[t] * (1 - h[t]**2)", f"dh[t] * (1 - h[t]**2) + {zero} * dh[t]"))
    hidden = correct.replace("dh[t] * (1 - h[t]**2)", "dh[t] * (1 - h[t]**2) * 1.00000000000001")
    verdict = verify(NET, hidden)
    assert not verdict and "though equal at the test points" in str(verdict)


def test_formulas_that_are_no_gradients_are_decided_too():
    right, other = (
        rf"\frac{{\partial h^t}}{{\partial h^{{t-1}}}} = \mathrm{{diag}}({s}) U" for s in ("1 - (h^t)^2", "1 - h^t")
    )
    assert verify(NET, right)
    verdict = verify(NET, other)
    assert not verdict and not verdict.diagnosis.mistakes and "decided in field" in str(verdict)


def test_upstream_gradients_stand_for_the_loss():
    net = with_upstream(rd.cells.lstm(), "h", "C")
    correct = rd.derive(net).adjoint
    assert verify(rd.cells.lstm(), correct, upstream=("h", "C"))
    without = str(correct).replace(" + dC[t+1] * f[t+1]", "").replace("dC[t+1] * f[t+1] + ", "")
    verdict = verify(rd.cells.lstm(), without, upstream=("h", "C"))
    assert [m.kind for m in verdict.diagnosis] == ["missing path"]
    assert "the carry dC[t+1] * f[t+1] is missing" in verdict.diagnosis[0].text


def test_points_of_our_own_show_what_tiny_weights_hide():
    """With weights of 1e-9, h is its argument and 1 − h² is 1: the user's own point cannot tell."""
    problem = Problem(NET)
    net = wrong(problem, "delta_h: the factor 1 − h² is missing")
    tiny = {n: 1e-9 * a for n, a in problem.point.params.items()}
    inputs = problem.point.inputs
    verdict = verify(NET, Numbers(net), params=tiny, inputs=inputs)
    assert not verdict
    assert [m.text for m in verdict.diagnosis] == ["delta_h: the factor 1 − h² is missing"]


def test_every_form_tells_the_same_story(problem):
    verdict = judge(problem, Numbers(wrong(problem, "delta_y: the factor y(1 − y) is missing")))
    data = json.loads(json.dumps(verdict.to_json()))
    assert data["ok"] is False and data["diagnosis"][0]["kind"] == "missing factor"
    assert data["arrays"]["V"]["ok"] is False and data["counterexample"]["sizes"]["T"] == 1
    page = verdict._repr_html_()
    assert "<table>" in page and "is missing" in page and "delta_{y}" in page
    latex = verdict._repr_latex_()
    assert latex.startswith("$\\displaystyle \\begin{aligned}") and r"\text{wrong: } & \delta_{y}^{t}" in latex


def test_what_cannot_be_read_is_refused():
    with pytest.raises(InputError, match="found int; expected a function"):
        verify(NET, 7)
    with pytest.raises(InputError, match="q is no sequence"):
        verify(NET, "dU = 0 * U", upstream="q")


def _cut_after(kept):
    """s[t] = tanh(a * s[t-1] + x[t]), back-propagated through so many steps."""

    def program(params, inputs):
        a, states = params["a"], [params["s0"]]
        for x in inputs["x"]:
            states.append(np.tanh(a * states[-1] + x))
        d, da = np.ones_like(a), np.zeros_like(a)
        for t in range(len(inputs["x"]), max(0, len(inputs["x"]) - kept), -1):
            d = d * (1 - states[t] ** 2)
            da, d = da + d * states[t - 1], a * d
        return states[-1].sum(), {"a": da}

    return program


@pytest.mark.parametrize("kept", [3, 9])
def test_a_truncation_is_found_however_late_it_is(kept):
    net = rd.Recurrence.parse("s[t] = tanh(a * s[t-1] + x[t])\nL = sum(s[T])")
    verdict = rd.verify(net, _cut_after(kept))
    assert not verdict and [m.text for m in verdict.diagnosis] == [f"truncated after {kept} steps"]
    assert verdict.counterexample.sizes["T"] == kept + 1
    assert rd.verify(net, _cut_after(100))


def test_a_counterexample_is_of_size_one_where_that_shows_it():
    wrong = str(rd.derive(rd.cells.vanilla()).adjoint).replace("* (1 - h[t]**2)", "* (1 - h[t])")
    sizes = rd.verify(rd.cells.vanilla(), rd.Recurrence.parse(wrong)).counterexample.sizes
    assert set(sizes.values()) == {1}
    turned = str(rd.derive(rd.cells.vanilla()).adjoint).replace("U.T @", "U @")
    sizes = rd.verify(rd.cells.vanilla(), rd.Recurrence.parse(turned)).counterexample.sizes
    assert sizes["n_h"] == 2  # a number is its own transpose


def test_clipping_that_binds_in_large_gradients_alone_is_found():
    gradient = rd.derive(NET, NET.parameters).lambdify()

    def clipped(params, inputs):
        loss, grads = gradient(params, inputs)
        return loss, {n: np.clip(a, -5, 5) for n, a in grads.items()}

    verdict = rd.verify(NET, clipped)
    assert not verdict and [m.text for m in verdict.diagnosis] == ["every gradient is clipped at ±5"]
    assert rd.verify(NET, lambda params, inputs: gradient(params, inputs))


def test_the_declared_cell_is_given_in_any_form(tmp_path):
    cell = rd.cells.vanilla()
    file = tmp_path / "cell.txt"
    file.write_text(str(cell), "utf-8")
    hand = "dV = sum(delta_y[t] @ h[t].T, t)\ndelta_y[t] = (y[t] - target if t == T else 0) * y[t] * (1 - y[t])"
    for given in (cell, str(cell), "vanilla", str(file), file):
        assert verify(given, hand)
        assert verify(given, hand.replace("(1 - y[t])", "(1 + y[t])")).wrong == ("V",)
    with pytest.raises(InputError, match="did you mean vanilla"):
        verify("vanila", hand)
    with pytest.raises(InputError, match="found int; expected a recurrence"):
        verify(3, hand)
