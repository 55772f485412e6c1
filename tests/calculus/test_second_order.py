"""Derivatives of derivatives: the language is closed under differentiation."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import rnnderive as rd
from rnnderive import calculus
from rnnderive.checks import check, point
from rnnderive.checks.identity import directions, elements, field_for
from rnnderive.language import Field, Recurrence, Run
from tests.checks.nets import BIG, NAMES, network

SMALL = [n for n in NAMES if n not in BIG | {"stack over a lag"}]
T = 2


def _runs(net: Recurrence, wrt: tuple[str, ...], seed: int) -> tuple[Run, Run, dict[str, str], Any, Any]:
    """Hessian times direction in two ways, run on the same field elements."""
    d = rd.derive(net, wrt)
    over = rd.derive(d.tangent, wrt)  # adjoint of the tangent
    under, names = calculus.tangent(d.adjoint, wrt)  # tangent of the adjoint
    field = field_for(net, T)
    values = elements(net, field, T, 0)
    moves = elements(d.tangent, field, T, seed)
    given = {**values, **{v: moves[v] for v in directions(d).values()}}
    a = Run(over.adjoint, field, given, T)
    b = Run(under, field, {**values, **{names[n]: moves[v] for n, v in directions(d).items()}}, T)
    return a, b, names, d, over


def _hessian_vector(a: Run, over: Any, name: str) -> Any:
    return a[over.pulled.gradients[name]]


@pytest.mark.parametrize("name", SMALL)
def test_hessian_times_vector_is_the_same_in_both_orders(name: str) -> None:
    net = network(name)
    wrt = (*net.parameters[:3], *net.initial_states[:1])
    a, b, names, d, over = _runs(net, wrt, 1)
    if d.tangent.loss is None:
        return
    for n in wrt:
        x = _hessian_vector(a, over, n)
        gradient = d.pulled.gradients[n]
        if gradient not in names:  # the gradient does not move
            assert (x == 0).all()
            continue
        assert (x == b[names[gradient]]).all(), n


@pytest.mark.parametrize("name", ["vanilla", "lstm", "gru", "loss at every step", "layer norm and softmax"])
def test_the_hessian_is_symmetric(name: str) -> None:
    net = network(name)
    wrt = (*net.parameters[:3], *net.initial_states[:1])
    first, second = (_runs(net, wrt, seed) for seed in (1, 2))
    products = []
    for (a, _, _, d, over), (other, *_) in ((first, second), (second, first)):
        total = 0
        for n, v in directions(d).items():
            total += int((_hessian_vector(a, over, n) * other.values[v]).sum())
        products.append(total % Field.prime)
    assert products[0] == products[1] != 0


@pytest.mark.parametrize("name", ["vanilla", "gru", "loss at every step", "two lags", "quotients and powers"])
def test_the_tangent_is_a_network_that_climbs_the_ladder_itself(name: str) -> None:
    net = network(name)
    tangent = rd.derive(net, net.parameters[:2]).tangent
    assert check(rd.derive(tangent, net.parameters), rungs=["identity", "complex", "rtrl"])


def test_hessian_vector_products_run_in_numpy() -> None:
    net = rd.cells.vanilla()
    d = rd.derive(net, ["U"])
    hv = rd.derive(d.tangent, ["U"]).lambdify()
    at = point(net)
    rng = np.random.default_rng(0)
    v = rng.standard_normal(at["U"].shape)
    _, grads = hv({**at.params, "U_dot": v}, at.inputs)
    f = d.lambdify()
    h = 1e-5
    ahead, behind = (f({**at.params, "U": at["U"] + s * h * v}, at.inputs)[1]["U"] for s in (1, -1))
    np.testing.assert_allclose(grads["U"], (ahead - behind) / (2 * h), rtol=1e-6, atol=1e-9)
