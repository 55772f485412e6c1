"""The adjoint and the tangent are recurrences, as a textbook writes them."""

from __future__ import annotations

import numpy as np
import pytest

import rnnderive as rd
from rnnderive.checks import identical, point
from rnnderive.checks.comparison import disagreement
from rnnderive.checks.differences import complex_step
from rnnderive.language import Recurrence
from rnnderive.language import terms as tm
from tests.checks.nets import NAMES, network


@pytest.mark.parametrize("name", NAMES)
def test_adjoint_and_tangent_are_recurrences_that_print_and_parse(name: str) -> None:
    d = rd.derive(network(name))
    for net in (d.adjoint, d.tangent):
        again = Recurrence.parse(str(net), loss=net.loss)
        assert identical(again, net, digits=False)
        if name != "slices":  # a size may be called after another of the names that have it
            assert str(again) == str(net)


@pytest.mark.parametrize("name", NAMES)
def test_inputs_are_differentiated_too(name: str) -> None:
    net = network(name)
    inputs = [n for n in net.inputs if not (name == "loss at every step" and n == "target")]
    if not inputs:
        return
    d = rd.derive(net, inputs)
    for batch in (None, 3):
        at = point(net, T=4, batch=batch)
        grads = d.lambdify()(at.params, at.inputs)[1]
        for n in inputs:
            assert grads[n].shape == np.shape(at[n])
            assert disagreement(grads[n], complex_step(d, at, n)).bad is None, n


def test_every_gradient_is_asked_for_in_the_order_given() -> None:
    d = rd.derive(rd.cells.vanilla(), ["b_y", "W", "h0"])
    at = point(d.net)
    assert list(d.lambdify()(at.params, at.inputs)[1]) == ["b_y", "W", "h0"]


def test_a_gradient_does_not_depend_on_what_else_is_asked_for() -> None:
    net = rd.cells.lstm()
    at = point(net)
    whole = rd.derive(net).lambdify()(at.params, at.inputs)[1]
    for n in ("W_f", "b_C", "C0"):
        np.testing.assert_allclose(
            rd.derive(net, n).lambdify()(at.params, at.inputs)[1][n], whole[n], rtol=1e-13, atol=1e-16
        )


@pytest.mark.parametrize("name", ["vanilla", "two lags", "lstm", "bidirectional_rnn"])
def test_contributions_sum_to_the_gradient(name: str) -> None:
    net = network(name)
    d = rd.derive(net)
    for batch in (None, 3):
        at = point(net, batch=batch)
        grads = d.lambdify()(at.params, at.inputs)[1]
        for n in net.parameters[:3]:
            steps = d.contributions(n)(at.params, at.inputs)[n]
            total = steps.sum(axis=tuple(range(steps.ndim - grads[n].ndim)))
            np.testing.assert_allclose(total, grads[n], rtol=1e-12, atol=1e-14)


def test_local_jacobians_along_a_run() -> None:
    d = rd.derive(rd.cells.vanilla())
    at = point(d.net)
    J = d.jacobians("h", "h")(at.params, at.inputs)["J"]
    h = d.forward(at.params, at.inputs)["h"]
    np.testing.assert_allclose(J, (1 - h**2)[:, :, None] * at["U"], rtol=1e-13)


def test_what_cannot_be_differentiated_in_is_told() -> None:
    with pytest.raises(rd.InputError, match="cannot differentiate in 'Q'"):
        rd.derive(rd.cells.vanilla(), ["Q"])
    with pytest.raises(rd.InputError, match="truncate"):
        rd.derive(rd.cells.vanilla(), truncate=0)
    with pytest.raises(rd.InputError, match="no loss"):
        rd.derive(Recurrence.parse("h[t] = tanh(W @ x[t] + U @ h[t-1])", loss=None))


def test_an_operator_of_jacobians_has_no_rule() -> None:
    jacobian = rd.derive("h[t] = tanh(u * h[t-1])\nL = sum(h[T])").jacobian("h", "h")
    with pytest.raises(rd.RnnDeriveError, match="has no rule"):
        rd.calculus.rule(next(n for n in tm.members(jacobian) if isinstance(n, tm.Diag)), 0)
