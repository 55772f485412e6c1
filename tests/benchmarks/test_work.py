"""Everybody is given the same arrays, and hand-written forms compute the same numbers as ours."""

import numpy as np
import pytest

from benchmarks.agreement import TOLERANCES, largest_difference
from benchmarks.peers import ours, plain
from benchmarks.peers.weights import gathered, stacked
from benchmarks.work import NETWORKS, Size, Work, typed

SMALL = Size(4, 3, 2, 5)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("network", NETWORKS)
def test_numpy_by_hand_agrees_with_ours(network, dtype):
    work = Work(network, SMALL, dtype)
    params, inputs = work.arrays()
    task = plain.build(work, params, inputs)
    double = Work(network, SMALL)
    exact = ours.build(double, typed(params, "float64"), typed(inputs, "float64"))
    found, expected = task.read(task.run()), exact.read(exact.run())
    assert found[1].keys() == expected[1].keys() == params.keys()
    assert largest_difference(found, expected) < (1e-13 if dtype == "float64" else TOLERANCES[dtype])
    assert all(a.dtype == dtype for a in found[1].values())


@pytest.mark.parametrize("network", [n for n in NETWORKS if n != "own"])
def test_stacked_weights_can_be_taken_apart_again(network):
    params, _ = Work(network, SMALL).arrays()
    again = gathered(NETWORKS[network], stacked(NETWORKS[network], params))
    assert again.keys() == params.keys()
    assert all(np.array_equal(again[n], params[n]) for n in params)


def test_arrays_are_the_same_for_everybody():
    first, second = (Work("lstm", SMALL).arrays() for _ in range(2))
    assert all(np.array_equal(a[n], b[n]) for a, b in zip(first, second, strict=True) for n in a)


def test_a_result_that_lacks_a_gradient_is_infinitely_far():
    whole = (1.0, {"W": np.ones(3), "b": np.ones(2)})
    assert largest_difference(whole, whole) == 0
    assert largest_difference((1.0, {"W": np.ones(3)}), whole) == np.inf
    assert largest_difference((1.0, {"W": np.ones((3, 1)), "b": np.ones(2)}), whole) == np.inf
    assert largest_difference((np.nan, whole[1]), whole) == np.inf
    assert largest_difference((1.0, {"W": np.ones(3) * (1 + 1e-6), "b": np.ones(2)}), whole) == pytest.approx(1e-6)
