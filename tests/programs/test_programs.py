"""Generated programs: any array that a person may hand over, and a readable module of their own."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import numpy as np
import pytest

import rnnderive as rd
from rnnderive.checks import point
from rnnderive.checks.points import Point, member
from tests.checks.nets import NAMES, network

LAST = "h[t] = tanh(W @ x[t] + U @ h[t-1] + b)\ny[t] = V @ h[t]\n"
CLASSES = LAST + "L = cross_entropy(y[T], target)"
EVERY = LAST + "L = sum(cross_entropy(y[t], target[t]), t)"


def run(net: rd.Recurrence | str, at: Point, wrt: Any = None) -> tuple[Any, dict[str, Any]]:
    return rd.derive(net, wrt).lambdify()(at.params, at.inputs)


# ---------------------------------------------------------------- batches


@pytest.mark.parametrize("name", NAMES)
def test_a_batch_is_the_sum_over_its_members(name: str) -> None:
    net = network(name)
    at = point(net, T=4, batch=3)
    loss, grads = run(net, at)
    singles = [run(net, member(net, at, k)) for k in range(3)]
    assert np.isclose(loss, sum(s[0] for s in singles), rtol=1e-12)
    for n, g in grads.items():
        parts = [s[1][n] for s in singles]
        expected = np.stack(parts) if n in at.inputs else sum(parts)
        np.testing.assert_allclose(g, expected, rtol=1e-11, atol=1e-13)


@pytest.mark.parametrize("name", ["vanilla", "lstm", "bidirectional_rnn", "two lags", "no input"])
def test_a_batch_of_one_is_a_single_sequence(name: str) -> None:
    net = network(name)
    at = point(net, T=3, batch=1)
    loss, grads = run(net, at)
    alone, expected = run(net, member(net, at, 0))
    assert np.isclose(loss, alone, rtol=1e-14)
    for n, g in grads.items():
        np.testing.assert_allclose(g.reshape(expected[n].shape), expected[n], rtol=1e-13, atol=1e-15)


def test_a_shared_initial_state_gets_the_sum_over_the_batch() -> None:
    net = rd.cells.vanilla()
    at = point(net, batch=3)
    h0 = at["h0"][0]
    inputs = {n: a for n, a in at.inputs.items() if n != "h0"}
    f = rd.derive(net).lambdify()
    _, shared = f({**at.params, "h0": h0}, inputs)
    _, each = f(at.params, {**inputs, "h0": np.tile(h0, (3, 1))})
    assert shared["h0"].shape == h0.shape
    assert each["h0"].shape == (3, len(h0))
    np.testing.assert_allclose(shared["h0"], each["h0"].sum(0), rtol=1e-12)
    np.testing.assert_allclose(shared["U"], each["U"], rtol=1e-12)


def test_what_the_loss_does_not_depend_on_has_zeros_of_its_own_shape() -> None:
    text = "h[t] = tanh(W @ x[t] + U @ h[t-1])\nz[t] = A @ z[t-1] + B @ v[t]\nL = squared_error(h[T], target)"
    net = rd.Recurrence.parse(text)
    at = point(net, batch=3)
    f = rd.derive(net, ["A", "z0", "v", "W"]).lambdify()
    _, grads = f(at.params, at.inputs)
    for n in ("A", "z0", "v"):
        assert grads[n].shape == at[n].shape and not grads[n].any()
        grads[n][...] = 1  # its own memory
    shared = {n: a for n, a in at.inputs.items() if n != "z0"}
    assert f({**at.params, "z0": at["z0"][0]}, shared)[1]["z0"].shape == at["z0"][0].shape


def test_an_initial_state_that_is_not_given_is_zero() -> None:
    net = rd.cells.lstm()
    at = point(net)
    params = {n: a for n, a in at.params.items() if n not in ("h0", "C0")}
    zeros = {n: np.zeros_like(at[n]) for n in ("h0", "C0")}
    f = rd.derive(net, net.parameters).lambdify()
    a, b = f(params, at.inputs), f({**params, **zeros}, at.inputs)
    assert a[0] == b[0]
    for n in net.parameters:
        np.testing.assert_array_equal(a[1][n], b[1][n])


def test_the_mean_over_a_batch_is_the_sum_over_its_size() -> None:
    total = "h[t] = tanh(W @ x[t] + U @ h[t-1])\nL = squared_error(h[T], target)"
    mean = total.replace("L = squared_error(h[T], target)", "L = mean(squared_error(h[T], target), batch)")
    at = point(rd.Recurrence.parse(total), batch=4)
    (a, g), (b, k) = run(total, at, ["W", "U"]), run(mean, at, ["W", "U"])
    assert np.isclose(a, 4 * np.ravel(b)[0], rtol=1e-12)
    for n in g:
        np.testing.assert_allclose(g[n], 4 * k[n], rtol=1e-11)


# ---------------------------------------------------------------- dtypes and kinds of arrays


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_dtype_is_kept(name: str, dtype: Any) -> None:
    net = network(name)
    at = point(net, T=3, batch=2)
    cast = lambda table: {n: a if n == "T" else a.astype(dtype) for n, a in table.items()}  # noqa: E731
    loss, grads = rd.derive(net).lambdify()(cast(at.params), cast(at.inputs))
    assert np.asarray(loss).dtype == dtype
    assert {n: g.dtype for n, g in grads.items()} == dict.fromkeys(grads, np.dtype(dtype))
    if dtype == np.float32:
        exact = run(net, at)[1]
        for n, g in grads.items():
            np.testing.assert_allclose(g, exact[n], rtol=2e-3, atol=2e-4 * np.abs(exact[n]).max(initial=1e-3))


def test_lists_and_integers_are_arrays_too() -> None:
    text = "h[t] = tanh(W @ x[t] + u * h[t-1])\nL = squared_error(h[T], target)"
    f = rd.derive(text, ["W", "u"]).lambdify()
    listed = f({"W": [[1, 0], [2, 1]], "u": [1, 2]}, {"x": [[1, 2], [3, 4], [0, 1]], "target": [1, 0]})
    arrays = f(
        {"W": np.array([[1.0, 0], [2, 1]]), "u": np.array([1.0, 2])},
        {"x": np.array([[1.0, 2], [3, 4], [0, 1]]), "target": np.array([1.0, 0])},
    )
    assert listed[0] == arrays[0]
    for n in arrays[1]:
        np.testing.assert_array_equal(listed[1][n], arrays[1][n])


@pytest.mark.parametrize("name", NAMES)
def test_one_step_is_enough(name: str) -> None:
    net = network(name)
    at = point(net, T=1)
    loss, grads = run(net, at)
    assert np.isfinite(loss)
    from rnnderive.checks.comparison import disagreement
    from rnnderive.checks.differences import complex_step

    for n, g in grads.items():
        assert disagreement(g, complex_step(rd.derive(net), at, n)).bad is None, n


def test_a_scalar_may_be_a_number_and_its_gradient_is_one() -> None:
    f = rd.derive("s[t] = a * s[t-1] + x[t]\nL = sum(s[T])").lambdify()
    loss, grads = f({"a": 0.5}, {"x": np.ones((3, 1))})
    assert loss == 1.75
    assert np.shape(grads["a"]) == ()
    assert grads["a"] == 2.0
    batch, grads = f({"a": 0.5}, {"x": np.ones((3, 4, 1))})
    assert batch == 4 * 1.75 and grads["a"] == 8.0


@pytest.mark.parametrize("batch", [None, 3])
def test_integer_classes_are_one_hot_targets(batch: int | None) -> None:
    for text, lead in ((CLASSES, ()), (EVERY, (4,))):
        net = rd.Recurrence.parse(text)
        at = point(net, T=4, batch=batch)
        size = at["V"].shape[0]
        shape = (*lead, *(() if batch is None else (batch,)))
        classes = np.random.default_rng(0).integers(0, size, shape)
        f = rd.derive(net).lambdify()
        a = f(at.params, {**at.inputs, "target": classes})
        b = f(at.params, {**at.inputs, "target": np.eye(size)[classes]})
        assert a[0] == b[0]
        for n in a[1]:
            np.testing.assert_array_equal(a[1][n], b[1][n])


def test_arrays_are_left_as_they_were() -> None:
    net = rd.cells.lstm()
    at = point(net, batch=2)
    before = {n: a.copy() for n, a in {**at.params, **at.inputs}.items()}
    for table in (at.params, at.inputs):
        for a in table.values():
            a.flags.writeable = False
    run(net, at)
    for n, a in before.items():
        np.testing.assert_array_equal(at[n], a)


def test_arrays_of_any_memory_layout() -> None:
    net = rd.cells.gru()
    at = point(net, batch=2)
    odd = Point(
        {n: np.asfortranarray(a) for n, a in at.params.items()},
        {n: np.repeat(a, 2, axis=-1)[..., ::2] for n, a in at.inputs.items()}, at.sizes, at.T, 2,
    )  # fmt: skip
    a, b = run(net, at), run(net, odd)
    for n in a[1]:
        np.testing.assert_allclose(a[1][n], b[1][n], rtol=1e-12, atol=1e-15)


# ---------------------------------------------------------------- what is wrong with the arrays


def _with(params: dict[str, Any] | None = None, inputs: dict[str, Any] | None = None, less: str = "") -> Any:
    at = point(rd.Recurrence.parse(CLASSES))
    tables = [{**at.params, **(params or {})}, {**at.inputs, **(inputs or {})}]
    for table in tables:
        table.pop(less, None)
    return rd.derive(CLASSES).lambdify()(*tables)


X = np.ones((5, 2))
BAD = [
    ({"params": {"w": np.ones(2)}}, "did you mean W"),
    ({"less": "U"}, r"params\['U'\] is missing.*h\[t\] = tanh"),
    ({"less": "x"}, r"inputs\['x'\] is missing"),
    ({"params": {"U": np.ones((3, 2))}}, r"U has shape \(3, 2\); expected \(n_h, n_h\).*h\[t\] = tanh"),
    ({"params": {"b": np.ones((3, 1, 1))}}, r"b has shape"),
    ({"inputs": {"x": np.ones((5, 9))}}, r"expected .*n_x"),
    ({"inputs": {"x": np.ones(5)}}, r"x has shape \(5,\); expected \(T, size\)"),
    ({"inputs": {"x": np.ones((0, 2))}}, r"T = 0"),
    ({"inputs": {"x": np.ones((5, 0, 2))}}, r"empty batch|B = 0"),
    ({"inputs": {"x": np.where(np.arange(10).reshape(5, 2) == 7, np.nan, X)}}, r"x\[3, 1\] is nan"),
    ({"params": {"b": np.array([1, np.inf, 1])}}, r"b\[1\] is inf"),
    ({"params": {"b": np.array([1, "a", None], dtype=object)}}, r"b has dtype object"),
    ({"params": {"b": ["a", "b", "c"]}}, r"b has dtype"),
    ({"params": {"U": [[1, 2, 3], [1, 2]]}}, r"U is not an array|U has dtype"),
    ({"inputs": {"target": np.array(99)}}, r"class 99; expected 0 to"),
    ({"inputs": {"target": np.array(-1)}}, r"class -1"),
    ({"inputs": {"W": np.ones((3, 2))}}, r"stands in params and in inputs"),
    ({"inputs": {"h0": np.ones((4, 3))}, "less": "none"}, r"h0"),
]


@pytest.mark.parametrize(("change", "message"), BAD, ids=[m for _, m in BAD])
def test_wrong_arrays_are_told_with_their_place(change: dict[str, Any], message: str) -> None:
    with pytest.raises(rd.InputError, match=message):
        _with(**change)


def test_a_dict_is_expected() -> None:
    with pytest.raises(rd.InputError, match=r"params is (a|of type) list"):
        rd.derive(CLASSES).lambdify()([1], {})


def test_batches_and_steps_must_agree() -> None:
    net = rd.Recurrence.parse(EVERY)
    at = point(net, T=5, batch=3)
    f = rd.derive(net).lambdify()
    with pytest.raises(rd.InputError, match="steps"):
        f(at.params, {**at.inputs, "target": at["target"][:4]})
    with pytest.raises(rd.InputError, match="batch"):
        f(at.params, {**at.inputs, "target": at["target"][:, :2]})
    with pytest.raises(rd.InputError, match="batch"):
        f(at.params, {**at.inputs, "h0": at["h0"][:2]})


def test_without_sequences_the_number_of_steps_is_asked_for() -> None:
    net = network("no input")
    at = point(net)
    f = rd.derive(net).lambdify()
    for wrong in ({}, {"T": 0}, {"T": 2.5}, {"T": True}):
        inputs = {n: a for n, a in at.inputs.items() if n != "T"}
        with pytest.raises(rd.InputError, match="number of steps"):
            f(at.params, {**inputs, **wrong})


# ---------------------------------------------------------------- the module


@pytest.mark.parametrize("batch", [None, 2])
@pytest.mark.parametrize("name", ["vanilla", "lstm", "bidirectional_rnn", "layer norm and softmax", "two lags"])
def test_the_source_runs_alone_with_numpy_only(name: str, batch: int | None, tmp_path: Any) -> None:
    net = network(name)
    program = rd.derive(net).lambdify()
    at = point(net, batch=batch)
    (tmp_path / "generated.py").write_text(program.batch_source if batch else program.source)
    data = {k: {n: a.tolist() for n, a in getattr(at, k).items()} for k in ("params", "inputs")}
    (tmp_path / "data.json").write_text(json.dumps(data))
    code = """
import builtins, json, sys
real = builtins.__import__
def only_numpy(name, *args, **more):
    assert name.split('.')[0] not in ('rnnderive', 'sympy', 'scipy', 'torch'), name
    return real(name, *args, **more)
builtins.__import__ = only_numpy
import numpy as np
from generated import value_and_grad
data = json.load(open('data.json'))
tables = [{n: np.array(a) for n, a in data[k].items()} for k in ('params', 'inputs')]
loss, grads = value_and_grad(*tables)
print(json.dumps([float(loss), {n: g.tolist() for n, g in grads.items()}]))
"""
    done = subprocess.run(
        [sys.executable, "-I", "-c", f"import sys; sys.path.insert(0, '.')\n{code}"],
        cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    loss, grads = json.loads(done.stdout)
    expected, here = run(net, at)
    assert loss == expected
    for n, g in here.items():
        np.testing.assert_array_equal(np.array(grads[n]), g)


@pytest.mark.parametrize("name", NAMES)
def test_the_source_shows_the_network_and_each_equation(name: str) -> None:
    d = rd.derive(network(name))
    source = d.source()
    compile(source, name, "exec")
    for e in d.net.equations:
        assert str(e) in source
    assert "import rnnderive" not in source
    assert source == rd.derive(network(name)).source()


def test_names_that_python_or_the_module_uses_are_renamed() -> None:
    text = "lead[t] = tanh(lambda_ @ x[t] + dtype * lead[t-1])\nL = squared_error(lead[T], params)"
    net = rd.Recurrence.parse(text)
    at = point(net, batch=2)
    loss, grads = run(net, at)
    assert np.isfinite(loss)
    assert set(grads) == {"lambda_", "dtype", "lead0"}


def test_forward_and_value_agree() -> None:
    net = rd.cells.lstm()
    d = rd.derive(net)
    at = point(net, batch=3)
    forward, value = d.forward(at.params, at.inputs), d.value(at.params, at.inputs)
    loss, _ = d.lambdify()(at.params, at.inputs)
    assert forward["h"].shape == (5, 3, at.sizes[net.shape("h")[0]])
    np.testing.assert_array_equal(forward["L"], value["L"])
    assert np.isclose(loss, value["L"].sum(), rtol=1e-14)


def test_long_sequences_do_not_overflow_where_they_should_not() -> None:
    net = rd.cells.lstm()
    at = point(net)
    big = {n: 300 * a for n, a in at.params.items()}
    with np.errstate(over="raise", invalid="raise", divide="raise"):
        loss, grads = rd.derive(net).lambdify()(big, {**at.inputs, "x": np.full((500, 2), 1e3)})
    assert np.isfinite(loss) and all(np.isfinite(g).all() for g in grads.values())


@pytest.mark.parametrize(("sign", "count"), [("+", 1001), ("-", 2000), ("*", 101)])
def test_a_long_sum_is_a_program(sign: str, count: int) -> None:
    parts = f" {sign} ".join(f"(0.{k % 7 + 3} + h[T])" for k in range(count))
    d = rd.derive(f"h[t] = a * h[t-1] + x[t]\nL = sum({parts})")
    loss, grads = d.lambdify()({"a": np.array([0.5])}, {"x": np.full((3, 1), 0.1)})
    h = 0.1 * (1 + 0.5 + 0.25)
    numbers = np.array([float(f"0.{k % 7 + 3}") for k in range(count)]) + h
    slope = (numbers.prod() / numbers).sum() if sign == "*" else count if sign == "+" else 2 - count
    expected = {"+": numbers.sum(), "-": 2 * numbers[0] - numbers.sum(), "*": numbers.prod()}[sign]
    assert loss == pytest.approx(expected, rel=1e-11)
    assert grads["a"] == pytest.approx(slope * (0.15 + 0.5 * 0.1), rel=1e-11)
