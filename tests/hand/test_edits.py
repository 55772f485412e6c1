"""The catalogue of mistakes: what it holds, and that every entry is another derivation that can be run."""

from __future__ import annotations

import pytest

import rnnderive as rd
from rnnderive.checks import identical
from rnnderive.checks.points import member
from rnnderive.hand.catalogue import correct_run
from rnnderive.hand.edits import FAMILIES, clippings, edits, system_of
from rnnderive.hand.problem import Problem
from rnnderive.hand.variants import Variants, course
from rnnderive.language import Recurrence

SMALL = ("vanilla", "gru_reset_after", "mingru", "indrnn", "bidirectional_rnn")


def problem_of(cell: str, batch: int | None = None, T: int = 4) -> Problem:
    return Problem(rd.cells.loss(rd.cells.LIBRARY[cell](), at="every"), T=T, batch=batch)


@pytest.fixture(scope="module")
def vanilla():
    problem = problem_of("vanilla", batch=3)
    return problem, list(edits(problem))


EXPECTED = {
    "delta_h: the factor 1 − h² is missing": "delta_h[t] = dh[t]",
    "delta_h: the derivative of tanh is 1 − h; it should be 1 − h²": "delta_h[t] = dh[t] * (1 - h[t])",
    "delta_h: the derivative of tanh is taken at the activated value, 1 − tanh(h)²; it should be 1 − h²": (
        "delta_h[t] = dh[t] * (1 - tanh(h[t])**2)"
    ),
    "dh: the path U.T @ delta_h[t+1] is missing": "dh[t] = V.T @ delta_y[t]",
    "dh: the path V.T @ delta_y has the wrong sign": "dh[t] = -(V.T @ delta_y[t]) + U.T @ delta_h[t+1]",
    "dh: U stands where U.T belongs": "dh[t] = V.T @ delta_y[t] + U @ delta_h[t+1]",
    "dU: h[t] stands where h[t−1] belongs": "dU = sum(delta_h[t] @ h[t].T, t, batch)",
    "dU is transposed: h[t−1] @ delta_h[t].T stands where delta_h[t] @ h[t−1].T belongs": (
        "dU = sum(h[t-1] @ delta_h[t].T, t, batch)"
    ),
    "dU: at t = 1, h[t−1] wraps round to the last state": (
        "dU = sum(delta_h[t] @ ((h[t-1] if t >= 2 else 0) + (h[T] if t == 1 else 0)).T, t, batch)"
    ),
    "dW: overwritten at every step instead of accumulated: only step 1 is left": (
        "dW = sum(delta_h[1] @ x[1].T, batch)"
    ),
    "dW: step T is skipped": "dW = sum((delta_h[t] @ x[t].T if t <= T-1 else 0), t, batch)",
    "dW: the mean over time instead of the sum": "dW = sum(delta_h[t] @ x[t].T, t, batch) / T",
    "dW is divided by B, the size of the batch": "dW = sum(delta_h[t] @ x[t].T, t, batch) / size(batch)",
    "db_h: summed over the wrong axis, its entries": "db_h = sum(sum(delta_h[t], t, batch)) * ones(size(h))",
    "dW: the factor 1 − h² is missing": "dW = sum(dh[t] @ x[t].T, t, batch)",
    "dh_0 is left out (zero)": "dh_0 = zeros(size(h))",
}


@pytest.mark.parametrize("text", EXPECTED)
def test_an_edit_says_what_it_does(vanilla, text):
    _, made = vanilla
    found = {e.text: e for e in made}
    name = EXPECTED[text].split("=")[0].strip().removesuffix("[t]")
    written = str(found[text].net[name])
    assert written == EXPECTED[text] or _means(found[text].net, name, EXPECTED[text])


def _means(net, name, line):
    """Whether a line, read beside the same network, is what an equation says."""
    lines = [str(e) if e.name != name else line for e in net.equations]
    return identical(Recurrence.parse("\n".join(lines)), net, outputs=[name], T=3, digits=False)


def test_no_two_edits_have_the_same_equations(vanilla):
    _, made = vanilla
    keys = [tuple(sorted(e.changes.items())) for e in made if e.changes]
    assert len(set(keys)) == len(keys)


def test_no_two_edits_say_the_same(vanilla):
    _, made = vanilla
    texts = [e.text for e in made]
    assert sorted({t for t in texts if texts.count(t) > 1}) == []


@pytest.mark.parametrize("cell", SMALL)
def test_every_edit_can_be_scheduled_and_keeps_every_shape(cell):
    problem = problem_of(cell)
    correct = problem.derivation.adjoint
    for edit in edits(problem):
        assert edit.net.schedule  # raises for an algebraic loop
        for name in edit.changes:
            assert edit.net[name].right.shape == correct[name].left.shape, edit.text


@pytest.mark.parametrize("cell", ["vanilla", "indrnn"])
def test_edits_side_by_side_give_what_each_gives_alone(cell):
    """The batched run of variants against the interpreter on one wrong derivation at a time."""
    problem = problem_of(cell, batch=2, T=3)
    at, base = problem.point, correct_run(problem, problem.point)
    made = [e for e in edits(problem) if e.changes]
    groups: dict[tuple[str, ...], list] = {}
    for e in made:
        groups.setdefault(tuple(sorted(e.changes)), []).append(e)
    for group in groups.values():
        together = Variants(base, [e.changes for e in group])
        for k, e in enumerate(group[::3]):
            alone = course(e.net, problem.net, at, None, base)
            for gradient in problem.gradients.values():
                side = together if gradient in together.touched else base
                found = side.number(gradient, at)
                row = found[3 * k if len(found) > 1 else 0]
                assert row == pytest.approx(alone.number(gradient, at)[0], rel=1e-12, abs=1e-14), e.text


def test_the_interpreter_on_stacks_gives_what_the_program_gives():
    problem = problem_of("gru_reset_after", batch=3)
    found, expected = correct_run(problem, problem.point), problem.run()
    for name in problem.gradients.values():
        assert found.number(name, problem.point)[0] == pytest.approx(expected[name], rel=1e-12, abs=1e-15)


def test_edits_of_a_few_equations_and_of_several_at_once_are_all_edits():
    problem = problem_of("vanilla")
    whole = {tuple(sorted(e.changes.items())) for e in edits(problem)}
    parts = set()
    for name in (None, *system_of(problem).backward):
        parts |= {tuple(sorted(e.changes.items())) for e in edits(problem, only=() if name is None else (name,))}
    assert parts == whole


def test_an_edited_adjoint_can_be_edited_again():
    problem = problem_of("vanilla")
    first = next(e for e in edits(problem) if e.text == "delta_h: the factor 1 − h² is missing")
    second = {e.text: e for e in edits(problem, first.adjoint)}["dU has the wrong sign"]
    assert str(second.net["delta_h"]) == "delta_h[t] = dh[t]"
    assert str(second.net["dU"]) == "dU = -sum(delta_h[t] @ h[t-1].T, t, batch)"


@pytest.mark.parametrize("family", FAMILIES, ids=lambda f: f.__name__)
def test_every_family_applies_to_some_cell_of_the_library(family):
    assert any(True for cell in ("vanilla", "lstm", "gru") for _ in family(system_of(problem_of(cell, batch=2))))


def test_truncation_that_is_declared_is_no_mistake_and_others_are():
    problem = Problem(problem_of("vanilla").net, T=5, window=3)
    texts = [e.text for e in edits(problem) if e.kind == "truncated"]
    assert "truncated after 2 steps (not 3)" in texts
    assert "truncated after 3 steps" not in " ".join(texts)
    assert "not truncated, though it should be after 3 steps" in texts


def test_clipping_is_an_edit_like_any_other():
    problem = problem_of("vanilla")
    at = problem.point
    correct = correct_run(problem, at).number("dU", at)[0]
    edit = next(e for e in clippings(problem, {"dU": 0.125}) if e.where == "dU")
    found = course(edit.net, problem.net, at).number("dU", at)[0]
    assert found == pytest.approx(correct.clip(-0.125, 0.125), abs=1e-15)
    assert abs(correct).max() > 0.125


def test_of_a_batch_only_the_last_sequence_counts(vanilla):
    """Against the sum over a batch whose last sequence is alone."""
    problem, made = vanilla
    at = problem.point
    edit = next(e for e in made if e.text.startswith("dU: overwritten by every sequence"))
    found = course(edit.net, problem.net, at, None, correct_run(problem, at)).number("dU", at)[0]
    alone = member(problem.net, at, 2)
    expected = correct_run(Problem(problem.net, T=4), alone).number("dU", alone)[0]
    assert found == pytest.approx(expected, rel=1e-12)
