"""Exact identity decides between right and wrong formulas, and between field and digits."""

from __future__ import annotations

import pytest

import rnnderive as rd
from rnnderive.checks import identical
from rnnderive.checks.identity import (
    adjoint_against_tangent,
    chain_against_adjoint,
    elements,
    field_for,
    rewrites,
)
from rnnderive.language import Field, Recurrence
from rnnderive.programs.passes import hoist, optimise, prune, share, split_stacks
from tests.checks.nets import NAMES, network

NET = Recurrence.parse("""
    h[t] = tanh(W @ x[t] + U @ h[t-1] + b)
    L    = sum(cross_entropy(h[t], target[t]), t)
""")
HAND = """
    h[t]  = tanh(W @ x[t] + U @ h[t-1] + b)
    L     = sum(cross_entropy(h[t], target[t]), t)
    dh[t] = softmax(h[t]) - target[t] + U.T @ ((1 - h[t+1]**2) * dh[t+1])
    dU    = sum(((1 - h[t]**2) * dh[t]) @ h[t-1].T, t)
    db    = sum((1 - h[t]**2) * dh[t], t)
"""


def test_a_hand_derivation_is_the_adjoint() -> None:
    hand = Recurrence.parse(HAND)
    assert identical(rd.derive(NET).adjoint, hand, NET, outputs=["dh", "dU", "db"])


@pytest.mark.parametrize(
    ("right", "wrong", "where"),
    [
        ("h[t-1].T, t", "h[t].T, t", "dU"),
        ("U.T @", "U @", "dh"),
        ("- target[t]", "+ target[t]", "dh"),
        ("sum((1 - h[t]**2) * dh[t], t)", "(1 - h[T]**2) * dh[T]", "db"),
    ],
)
def test_a_wrong_hand_derivation_is_told_where_it_differs(right: str, wrong: str, where: str) -> None:
    assert right in HAND
    text = HAND.replace(right, wrong)
    verdict = identical(rd.derive(NET).adjoint, Recurrence.parse(text), NET, outputs=["dh", "dU", "db"])
    assert not verdict
    assert verdict.where.startswith(where)


def test_sizes_may_have_other_names_on_the_two_sides() -> None:
    a = Recurrence.parse("h[t] = tanh(U @ h[t-1] + W @ x[t])\nL = sum(h[T])")
    b = Recurrence.parse("L = sum(h[T])\nh[t] = tanh(W @ x[t] + U @ h[t-1])")
    assert identical(a, b)


@pytest.mark.parametrize(
    ("left", "right", "by"),
    [
        ("2 * x[t] - x[t]", "x[t]", "field"),
        ("(a + x[t])**2", "a**2 + 2 * a * x[t] + x[t]**2", "field"),
        ("tanh(x[t])", "2 * sigmoid(2 * x[t]) - 1", "field"),
        ("softplus(x[t])", "log(1 + exp(x[t]))", "digits"),
        ("log_softmax(x[t])", "log(softmax(x[t]))", "digits"),
        ("sin(x[t])**2 + cos(x[t])**2", "x[t] / x[t]", "digits"),
        ("softmax(x[t] + sum(a))", "softmax(x[t])", "digits"),
    ],
)
def test_identities_are_decided_and_say_how(left: str, right: str, by: str) -> None:
    parse = lambda words: Recurrence.parse(f"v[t] = {words}\nz[t] = a * x[t]", loss=None)  # noqa: E731
    verdict = identical(parse(left), parse(right), outputs=["v"])
    assert verdict, verdict
    assert verdict.by == by


def test_a_near_miss_is_no_identity() -> None:
    a = Recurrence.parse("v[t] = softplus(x[t])", loss=None)
    b = Recurrence.parse("v[t] = log(1.00000000000001 + exp(x[t]))", loss=None)
    assert not identical(a, b)


def test_terms_equations_and_mixtures() -> None:
    net = Recurrence.parse("y[t] = W @ x[t]\nz[t] = W @ x[t] + 0 * x[t]", loss=None)
    assert identical(net["y"], net["z"], net)
    assert identical(net["y"].right, net["z"].right)
    with pytest.raises(rd.InputError, match="two of a kind"):
        identical(net, net["y"])


def test_targets_of_a_cross_entropy_sum_to_one_in_the_field() -> None:
    field = field_for(NET, 3)
    target = elements(NET, field, 3)["target"]
    assert all(int(step.sum()) % Field.prime == 1 for step in target)


@pytest.mark.parametrize("name", NAMES)
def test_adjoint_tangent_and_compiled_form_agree_for_other_seeds_and_t(name: str) -> None:
    d = rd.derive(network(name))
    for T, seed in ((1, 1), (4, 2)):
        assert adjoint_against_tangent(d, T, seed)
        assert rewrites(d, T, seed)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("each", [prune, split_stacks, share, hoist, optimise], ids=lambda f: f.__name__)
def test_each_rewrite_keeps_the_meaning_exactly(name: str, each) -> None:  # type: ignore[no-untyped-def]
    d = rd.derive(network(name))
    outputs = [*d.pulled.gradients.values(), d.net.loss or ""]
    after = each(d.adjoint, outputs) if each in (prune, optimise) else each(d.adjoint)
    assert identical(d.adjoint, after, d.net, outputs=outputs, T=3, digits=False)


@pytest.mark.parametrize("name", ["vanilla", "loss at every step"])
def test_inputs_at_a_step_agree_between_chain_and_adjoint(name: str) -> None:
    d = rd.derive(network(name), ["x"])
    for step in (1, 3):
        assert chain_against_adjoint(d, f"x[{step}]", 4)
