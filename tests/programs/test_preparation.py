"""A call with a signature that was met before does what the first call did, and refuses what it refused."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import sympy as sp

from rnnderive import InputError, Recurrence, cells, derive
from rnnderive.programs import prepare
from rnnderive.programs.arrays import SIGNATURES, SMALL, Preparation
from rnnderive.programs.sizes import size_of
from tests.programs.test_calls import BAD, arrays

CLASSES = cells.loss(cells.readout(cells.lstm(), None), "cross_entropy", at="every")


def same(a: Any, b: Any) -> None:
    assert (a.T, a.batch, a.sizes, a.dtype, a.given) == (b.T, b.batch, b.sizes, b.dtype, b.given)
    for one, other in ((a.params, b.params), (a.inputs, b.inputs)):
        assert one.keys() == other.keys()
        for n in one:
            np.testing.assert_array_equal(one[n], other[n], strict=n != "T")


def cases() -> dict[str, tuple[Recurrence, dict[str, Any], dict[str, Any]]]:
    net = cells.loss(cells.lstm(), at="every")
    params, inputs = arrays(net, batch=3)
    single = {n: a.astype(np.float32) for n, a in params.items()}
    k = CLASSES.shape("target")
    p, i = arrays(CLASSES, batch=2)
    classes = {**i, "target": i["target"].argmax(-1)}
    scalar = Recurrence.parse("s[t] = tanh(a * s[t-1] + x[t])\nL = sum(c * s[T])")
    assert k[1] == 1
    return {
        "a batch": (net, params, inputs),
        "float32": (net, single, {n: a.astype(np.float32) for n, a in inputs.items()}),
        "float32 beside float64": (net, single, inputs),
        "classes": (CLASSES, p, classes),
        "x shared by the batch": (net, params, {**inputs, "x": inputs["x"][:, 0]}),
        "an initial state as a parameter": (net, {**params, "h0": inputs["h0"][0]}, _less(inputs, "h0")),
        "one number": (scalar, {"a": 0.5, "c": np.float64(2.0)}, {"x": np.ones((4, 3))}),
        "no input": (Recurrence.parse("s[t] = a * s[t-1]\nL = sum(s[T])"), {"a": np.ones(2)}, {"s0": 1.0, "T": 3}),
    }


def _less(table: dict[str, Any], name: str) -> dict[str, Any]:
    return {n: a for n, a in table.items() if n != name}


CASES = cases()


@pytest.mark.parametrize("case", CASES)
def test_a_plan_does_what_prepare_does(case: str) -> None:
    net, params, inputs = CASES[case]
    known = Preparation(net)
    same(known(params, inputs), prepare(net, params, inputs))
    (plan,) = known.plans.values()
    other = {n: -a if np.asarray(a).dtype.kind == "f" else a for n, a in params.items()}
    same(known(other, inputs), prepare(net, other, inputs))
    assert list(known.plans.values()) == [plan]
    f = derive(net).lambdify()
    (loss, first), (again, second) = f(params, inputs), f(params, inputs)
    assert loss == again
    for n, g in first.items():
        assert g.shape == np.shape(params[n] if n in params else inputs.get(n, second[n]))
        np.testing.assert_array_equal(g, second[n], strict=True)


@pytest.mark.parametrize("what, change, message", BAD, ids=[b[0] for b in BAD])
def test_what_the_first_call_refuses_a_later_one_refuses_in_the_same_words(
    what: str, change: Any, message: str
) -> None:
    net = cells.vanilla()
    params, inputs = arrays(net)
    inputs.pop("h0")
    f = derive(net).lambdify()
    f(params, inputs)
    with pytest.raises(InputError, match=message) as later:
        f(*change(params, inputs))
    with pytest.raises(InputError) as first:
        prepare(net, *change(params, inputs))
    assert str(first.value) == str(later.value)


@pytest.mark.parametrize("size", [2, SMALL + 1])
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_a_known_signature_does_not_let_a_number_through_that_is_none(size: int, bad: float) -> None:
    f = derive("s[t] = a * s[t-1] + x[t]\nL = sum(s[T])").lambdify()
    x = np.ones((3, size))
    f({"a": np.ones(size)}, {"x": x})
    x[2, 1] = bad
    with pytest.raises(InputError, match=r"x\[2, 1\] is -?(nan|inf)"):
        f({"a": np.ones(size)}, {"x": x})


@pytest.mark.filterwarnings("error")
def test_numbers_whose_squares_overflow_are_numbers() -> None:
    f = derive("s[t] = a * s[t-1] + x[t]\nL = sum(s[T])").lambdify()
    for _ in range(2):
        assert f({"a": np.zeros(1)}, {"x": np.array([[1e200]])})[0] == 1e200


def test_a_class_out_of_range_is_refused_by_a_plan() -> None:
    _, params, inputs = CASES["classes"]
    f = derive(CLASSES).lambdify()
    f(params, inputs)
    with pytest.raises(InputError, match="class 99"):
        f(params, {**inputs, "target": np.full_like(inputs["target"], 99)})


def test_few_signatures_are_remembered() -> None:
    known = Preparation(Recurrence.parse("s[t] = a * s[t-1]\nL = sum(s[T])"))
    for T in range(1, SIGNATURES + 9):
        known({"a": 1.0}, {"T": T})
    assert len(known.plans) == SIGNATURES


def test_a_size_is_found_from_a_sum() -> None:
    n, m = sp.symbols("n m", integer=True, positive=True)
    assert size_of(2 * n + m).solve(7, {m: 1}) == 3
    assert size_of(2 * n + m).solve(8, {m: 1}) is None
    assert size_of(n + m).solve(3, {m: 3}) is None  # sizes are positive
    assert size_of(n * m + n**2).value({n: 3, m: 2}) == 15
    assert size_of(n * n).solve(49, {}) == 7
    assert size_of(sp.Integer(4)).value({}) == 4
