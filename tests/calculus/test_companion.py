"""A system of first order is the same system: equal values and gradients, exactly."""

from __future__ import annotations

import pytest
from hypothesis import given, settings

import rnnderive as rd
from rnnderive.calculus import first_order
from rnnderive.calculus.companion import delays
from rnnderive.checks import identical
from rnnderive.checks.identity import field_run, gradient_row
from tests.checks.nets import NAMES, network
from tests.strategies import recurrences

LAGGED = {
    "two lags": "h[t] = tanh(U @ h[t-1] + A @ h[t-2] + W @ x[t])\nL = squared_error(h[T], z)",
    "only a far one": "h[t] = h[t-3] * a + x[t]\nL = sum(h[T] * h[T])",
    "right to left": "h[t] = tanh(U @ h[t+1] + A @ h[t+3] * h[t+2] + x[t-2])\nL = squared_error(h[1], z)",
    "two states": """
        C[t] = f[t] * C[t-2] + h[t-1]
        f[t] = sigmoid(W @ x[t] + U @ h[t-3])
        h[t] = tanh(C[t]) * C[t-1]
        L    = sum(squared_error(h[t] + h[t-2], target[t]), t)
    """,
    "names that are taken": """
        h_1[t] = tanh(h[t-2] + h_1[t-2] + x[t])
        h[t]   = h_1[t] * h_20
        L      = sum(h[T] * h_20)
    """,
    "computed initial state": """
        h0   = tanh(A @ z)
        h[t] = tanh(U @ h[t-2] + W @ x[t])
        L    = squared_error(h[T], target)
    """,
}


def loops(net: rd.Recurrence) -> list[int]:
    """How far each loop reads its own sequences."""
    return [
        max(abs(r.lag or 0) for n in s.names for r in net.reads(n) if r.name in s.names)
        for s in net.schedule
        if s.direction != "all"
    ]


def agree(net: rd.Recurrence) -> None:
    first = first_order(net)
    assert set(loops(first)) <= {1}
    assert (first.parameters, first.inputs, first.initial_states) == (net.parameters, net.inputs, net.initial_states)
    assert identical(net, first, net, digits=False)
    a, b = rd.derive(net), rd.derive(first)
    for T in (1, 2, 5):
        one, other = field_run(a.adjoint, net, T), field_run(b.adjoint, net, T)
        for n in a.wrt:
            assert (gradient_row(one, a, n) == gradient_row(other, b, n)).all(), (n, T)


@pytest.mark.parametrize("name", LAGGED)
def test_values_and_gradients_are_unchanged(name: str) -> None:
    net = rd.Recurrence.parse(LAGGED[name])
    first = first_order(net)
    assert first != net
    assert str(rd.Recurrence.parse(str(first))) == str(first)
    agree(net)


@settings(max_examples=10, deadline=None)
@given(net=recurrences())
def test_values_and_gradients_of_random_systems_are_unchanged(net: rd.Recurrence) -> None:
    agree(net)


@pytest.mark.parametrize("name", [n for n in NAMES if n != "two lags"])
def test_a_system_of_first_order_is_left_as_it_is(name: str) -> None:
    assert first_order(network(name)) is network(name) or first_order(network(name)) == network(name)
    assert not delays(network(name), first_order(network(name)))


def test_doing_it_twice_is_doing_it_once() -> None:
    for text in LAGGED.values():
        first = first_order(rd.Recurrence.parse(text))
        assert first_order(first) is first


def test_the_block_jacobian_is_the_companion_matrix() -> None:
    first = rd.derive(first_order(rd.Recurrence.parse("h[t] = U @ h[t-1] + A @ h[t-2] + x[t]\nL = sum(h[T])")))
    assert [[str(first.jacobian(v, u, 1)) for u in ("h", "h_1")] for v in ("h", "h_1")] == [
        ["U", "A"],
        ["eye(size(h))", "zeros(size(h), size(h))"],
    ]


def test_delays_say_what_an_added_sequence_is() -> None:
    net = rd.Recurrence.parse(LAGGED["two states"])
    assert delays(net, first_order(net)) == {"C_1": ("C", 1), "h_1": ("h", 1), "h_2": ("h", 2)}
    net = rd.Recurrence.parse(LAGGED["right to left"])
    assert delays(net, first_order(net)) == {"h_1": ("h", -1), "h_2": ("h", -2)}
