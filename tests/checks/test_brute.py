"""Brute force decides every entry, exactly; and a wrong one is not shown to be right."""

from __future__ import annotations

import pytest
import sympy as sp

import rnnderive as rd
from rnnderive.calculus import RULES
from rnnderive.calculus.linear import Compose, Diagonal, Identity
from rnnderive.checks import brute_force
from rnnderive.checks.polynomials import InField, are_equal
from rnnderive.checks.scalars import Scalars
from rnnderive.language import FUNCTIONS
from rnnderive.language import terms as tm
from tests.checks.nets import with_function

x, y, z = sp.symbols("x y z")
LAYER_NORM = "h[t] = layer_norm(W @ x[t] + U @ h[t-1])\nL = squared_error(h[T], target)"


@pytest.mark.parametrize("name", list(FUNCTIONS))
def test_every_function_is_decided_exactly(name: str) -> None:
    found = brute_force(rd.derive(with_function(name)))
    assert found and found.expanded == found.entries


def test_layer_norms_of_layer_norms_are_decided_exactly() -> None:
    found = brute_force(rd.derive(LAYER_NORM))
    assert found and found.expanded == found.entries == 10


def test_inputs_and_targets_are_covered() -> None:
    found = brute_force(rd.derive(rd.cells.vanilla(), ["W", "x", "target", "h0"]), T=3)
    assert found and found.entries == found.expanded == 4 + 6 + 2 + 2


@pytest.mark.parametrize(("size", "T"), [(3, 2), (2, 3)])
def test_larger_sizes_and_more_steps(size: int, T: int) -> None:
    found = brute_force(rd.derive(rd.cells.lstm()), size=size, T=T, wrt=["W_f", "C0"])
    assert found and found.expanded == found.entries


@pytest.mark.parametrize("cell", ["vanilla", "gru"])
def test_a_wrong_gradient_is_not_shown_to_be_right_node_by_node(cell: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The comparison as a whole is blinded: what is left must not accept a wrong rule."""
    monkeypatch.setattr(InField, "value", lambda self, e: 0)
    monkeypatch.setitem(RULES, tm.Apply, lambda e, y, k: Identity())
    found = brute_force(rd.derive(rd.cells.LIBRARY[cell]()))
    assert found.expanded == 0  # the readout's function stands in the way of all


def test_what_is_computed_from_a_wrong_adjoint_is_not_shown_either(monkeypatch: pytest.MonkeyPatch) -> None:
    """The loss's rule alone is wrong; every identity but the first holds, and none counts."""
    monkeypatch.setattr(InField, "value", lambda self, e: 0)
    right = RULES[tm.SquaredError]
    double = Diagonal(tm.Number(2))
    monkeypatch.setitem(RULES, tm.SquaredError, lambda e, y, k: Compose(double, right(e, y, k)))
    assert brute_force(rd.derive(rd.cells.vanilla())).expanded == 0


def test_polynomials_with_inverses_are_decided() -> None:
    assert are_equal((x + y) ** 2, x**2 + 2 * x * y + y**2, {})
    assert not are_equal((x + y) ** 2, x**2 + x * y + y**2, {})
    assert are_equal(1 / x + 1 / y, (x + y) / (x * y), {})
    assert are_equal(1 / (1 + 1 / x), x / (1 + x), {})
    assert not are_equal(1 / (1 + 1 / x), x / (2 + x), {})
    assert are_equal(z, 1 / x, {z: x**-1})
    assert not are_equal((x + y + z + 1) ** 60, sp.S.Zero, {})  # too long, so it is not said


def test_derivatives_go_through_functions_and_names() -> None:
    algebra = Scalars({})
    inner = algebra.atom("tanh", x * y)
    outer = algebra.atom("sigmoid", inner + x * inner)
    slope = outer * (1 - outer) * (inner + (1 + x) * (1 - inner**2) * y)
    assert are_equal(sp.diff(outer, x), slope, {})
    assert not are_equal(sp.diff(outer, x), slope + x, {})
    assert sp.diff(outer, z) == 0
