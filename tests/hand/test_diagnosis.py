"""What is named reproduces the numbers: single mistakes, several at once, and what no mistake explains."""

from __future__ import annotations

import random

import numpy as np
import pytest

import rnnderive as rd
from rnnderive.checks import identical, point
from rnnderive.hand.catalogue import Sight, correct_run
from rnnderive.hand.claims import Claims
from rnnderive.hand.diagnosis import diagnose
from rnnderive.hand.edits import edits
from rnnderive.hand.problem import Problem
from rnnderive.hand.variants import course


def problem_of(cell: str, **options) -> Problem:
    return Problem(rd.cells.loss(rd.cells.LIBRARY[cell](), at="every"), **options)


def seen(problem, adjoint, *, only=None, inner=(), dtype=float, steps=(None,)):
    """What a derivation says, as numbers: its gradients, and the inner quantities asked for."""
    sights = []
    for T in steps:
        at = problem.point if T is None else point(problem.net, T=T, batch=problem.batch, seed=T, sizes=problem.sizes)
        run = course(adjoint.net, problem.net, at, None, correct_run(problem, at))
        grads = {
            n: run.number(g, at)[0].astype(dtype) for n, g in problem.gradients.items() if only is None or n in only
        }
        sights.append(Sight(at, Claims(grads, {n: run.number(n, at)[0] for n in inner})))
    return sights


def edit(problem, text, base=None):
    return next(e for e in edits(problem, base) if e.text == text)


def same(problem, a, b):
    return identical(a.net, b.net, problem.net, outputs=list(problem.gradients.values()), T=4, digits=False)


@pytest.mark.parametrize(("cell", "batch"), [("vanilla", 3), ("gru", None), ("lstm", None), ("mingru", 2)])
def test_a_single_edit_is_named(cell, batch):
    problem = problem_of(cell, batch=batch, T=4)
    made = list(edits(problem))
    for e in random.Random(cell).sample(made, 8):
        found = diagnose(problem, seen(problem, e.adjoint, steps=(None, 1)), most=1)
        assert found.explained and len(found) == 1, e.text
        assert found[0].text == e.text or same(problem, found.adjoint, e.adjoint), (e.text, found[0].text)


def test_nothing_wrong_is_no_mistake():
    problem = problem_of("gru")
    found = diagnose(problem, seen(problem, problem.derivation.pulled))
    assert found.explained and len(found) == 0


@pytest.mark.parametrize(
    ("cell", "first", "second"),
    [
        ("lstm", "delta_f: the factor f(1 − f) is missing", "delta_i: the factor i(1 − i) is missing"),
        ("coupled_lstm", "dC: the carry dC[t+1] * f[t+1] is missing", "db_o has the wrong sign"),
        ("gru", "dz: 1 − z is differentiated as 1 − dz", "dW_r: h[t] stands where h[t−1] belongs"),
        ("vanilla", "delta_y: the factor y(1 − y) is missing", "dh: the path U.T @ delta_h[t+1] is missing"),
    ],
)
def test_two_mistakes_are_both_named(cell, first, second):
    problem = problem_of(cell, T=4)
    one = edit(problem, first)
    two = edit(problem, second, one.adjoint)
    found = diagnose(problem, seen(problem, two.adjoint, steps=(None, 1, 2)))
    assert sorted(m.text for m in found) == sorted([first, second])
    assert same(problem, found.adjoint, two.adjoint)


def test_inner_quantities_tell_mistakes_apart_that_meet_in_every_gradient():
    """δ of the readout and of the state are wrong, and no gradient sees one of them alone."""
    problem = problem_of("vanilla")
    first, second = (
        "delta_y: the derivative of sigmoid is 1 − y; it should be y(1 − y)",
        "delta_h: the factor 1 − h² is missing",
    )
    two = edit(problem, second, edit(problem, first).adjoint)
    found = diagnose(problem, seen(problem, two.adjoint, only=("U",), inner=("dy", "delta_y", "dh", "delta_h")))
    assert sorted(m.text for m in found) == [second, first]
    assert found.first == "delta_y"


def test_numbers_that_no_mistake_gives_are_not_explained():
    problem = problem_of("vanilla")
    sights = seen(problem, problem.derivation.pulled)
    grads = dict(sights[0].claims.grads)
    grads["U"] = grads["U"] * (1 + 1e-3 * np.arange(grads["U"].size).reshape(grads["U"].shape))
    found = diagnose(problem, [Sight(sights[0].at, Claims(grads))])
    assert not found.explained and len(found) == 0
    assert str(found) == "not explained by mistakes of the catalogue"


def test_a_number_off_by_1e_8_is_not_taken_for_the_mistake_it_is_near():
    problem = problem_of("vanilla")
    sights = seen(problem, edit(problem, "dU has the wrong sign").adjoint)
    grads = dict(sights[0].claims.grads)
    grads["U"] = grads["U"] * (1 + 1e-8)
    assert not diagnose(problem, [Sight(sights[0].at, Claims(grads))], most=2).explained


def test_some_arrays_alone_are_enough():
    problem = problem_of("lstm")
    text = "delta_f: the factor f(1 − f) is missing"
    found = diagnose(problem, seen(problem, edit(problem, text).adjoint, only=("W_f", "W_o")))
    assert [m.text for m in found] == [text]
    assert found[0].kind == "missing factor" and found[0].where == "delta_f"


def test_float32_numbers_are_held_to_what_float32_can_hold():
    problem = problem_of("gru")
    text = "dh_add: h_add[t] stands where z[t] belongs"
    wrong = next(e for e in edits(problem) if e.where == "dh_add" and e.kind == "swapped operands")
    found = diagnose(problem, seen(problem, wrong.adjoint, dtype=np.float32, steps=(None, 2)))
    assert [m.text for m in found] == [wrong.text] and text.split(": ")[1] in wrong.text


def test_clipping_is_found_with_its_bound():
    problem = problem_of("vanilla")
    sights = seen(problem, problem.derivation.pulled)
    grads = {n: np.clip(a, -0.05, 0.05) for n, a in sights[0].claims.grads.items()}
    found = diagnose(problem, [Sight(sights[0].at, Claims(grads))], most=1)
    assert [m.text for m in found] == ["every gradient is clipped at ±0.05"]


def test_truncation_other_than_declared_is_named():
    problem = problem_of("vanilla", window=4, T=6)
    cut = next(e for e in edits(problem) if e.text == "truncated after 5 steps (not 4)")
    found = diagnose(problem, seen(problem, cut.adjoint))
    assert [m.text for m in found] == ["truncated after 5 steps (not 4)"]


def test_progress_is_told():
    problem, told = problem_of("vanilla"), []
    two = edit(problem, "dU has the wrong sign", edit(problem, "dW is twice what it should be").adjoint)
    diagnose(problem, seen(problem, two.adjoint), progress=told.append)
    assert told[0] == "one mistake" and told[1].endswith("and one more")


def test_a_gradient_of_another_shape_is_not_compared():
    problem = problem_of("vanilla")
    sights = seen(problem, problem.derivation.pulled)
    grads = {**sights[0].claims.grads, "b_h": np.zeros((2, 7))}
    assert not diagnose(problem, [Sight(sights[0].at, Claims(grads))], most=1).explained


def _clipped(net, name, bound, handed=False):
    """The adjoint's equations with one clipped, written out as text."""
    lines = []
    for e in net.equations:
        right = str(e.right)
        if e.name == name:
            rest, right = ("V.T @ delta_y[t] + ", "U.T @ delta_h[t+1]") if handed else ("", f"({right})")
            right = f"{rest}{right} - relu({right} - {bound}) + relu(-({right}) - {bound})"
        lines.append(f"{e.left} = {right}")
    return rd.Recurrence.parse("\n".join(lines), loss=net.loss)


@pytest.mark.parametrize(
    ("name", "handed", "said"),
    [
        ("dh", False, "dh is clipped at ±0.0625 at every step"),
        ("delta_h", False, "delta_h is clipped at ±0.0625 at every step"),
        ("dh", True, "dh: what step t+1 hands on is clipped at ±0.0625 at every step"),
    ],
)
def test_clipping_inside_the_recursion_is_found_with_its_bound(name, handed, said):
    problem = problem_of("vanilla")
    net = _clipped(problem.derivation.adjoint, name, 0.0625, handed)
    sights = []
    for steps in (6, 1, 2):
        at = point(problem.net, T=steps, seed=steps, sizes=problem.sizes)
        run = course(net, problem.net, at, None, correct_run(problem, at))
        sights.append(Sight(at, Claims({n: run.number(g, at)[0] for n, g in problem.gradients.items()})))
    found = diagnose(problem, sights)
    assert [m.text for m in found] == [said]
