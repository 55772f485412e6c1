"""Memory that is used again changes no result, and no result lies in it."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

import rnnderive as rd
from rnnderive.checks import point
from tests.checks.nets import NAMES, network


@pytest.mark.parametrize("name", NAMES)
def test_results_are_the_same_and_stay_the_same(name: str) -> None:
    net = network(name)
    d = rd.derive(net, [*net.parameters, *net.initial_states, *net.inputs])
    plain, again = d.lambdify(reuse=False), d.lambdify(reuse=True)
    points = [point(net, T=T, batch=batch, seed=seed) for T, batch, seed in ((4, None, 1), (4, None, 2), (3, 2, 3))]
    results = [again(at.params, at.inputs) for at in points]
    for at, (loss, grads) in zip(points, results, strict=True):
        expected_loss, expected = plain(at.params, at.inputs)
        assert loss == expected_loss
        for n, g in grads.items():
            np.testing.assert_array_equal(g, expected[n])


def test_several_calls_at_once_have_memory_of_their_own() -> None:
    net = rd.cells.lstm()
    again = rd.derive(net).lambdify(reuse=True)
    points = [point(net, T=30, batch=4, seed=seed) for seed in range(12)]
    expected = [rd.derive(net).lambdify(reuse=False)(at.params, at.inputs)[0] for at in points]
    with ThreadPoolExecutor(4) as pool:
        for _ in range(3):
            found = list(pool.map(lambda at: again(at.params, at.inputs)[0], points))
            assert found == expected


def test_threads_use_it_too() -> None:
    net = rd.cells.gru()
    at = point(net, T=6, batch=5)
    once, twice = (rd.derive(net).lambdify(threads=2, reuse=r) for r in (False, True))
    for _ in range(2):
        for n, g in twice(at.params, at.inputs)[1].items():
            np.testing.assert_array_equal(g, once(at.params, at.inputs)[1][n])


def test_memory_is_kept_by_itself_where_a_call_needs_much_but_not_too_much() -> None:
    net = rd.cells.vanilla()
    program = rd.derive(net).lambdify()
    small, large = point(net, T=3), point(net, T=6000, batch=5)
    program(small.params, small.inputs)
    assert not program._workspaces
    first = program(large.params, large.inputs)
    assert len(program._workspaces) == 1
    second = program(large.params, large.inputs)
    assert len(program._workspaces) == 1
    for n, g in first[1].items():
        np.testing.assert_array_equal(g, second[1][n])
