"""Calling gradient functions: layouts, dtypes, and what is refused."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from rnnderive import InputError, Recurrence, cells, derive, weights
from tests.test_random import point

NETS = ["vanilla", "lstm", "gru", "bidirectional_rnn", "stacked_lstm"]


def arrays(net: Recurrence, T: int = 4, batch: int | None = None) -> tuple[dict[str, Any], dict[str, Any]]:
    return point(net, T, batch, 1)


@pytest.mark.parametrize("name", NETS)
def test_a_batch_is_the_sum_of_its_members(name: str) -> None:
    net = cells.loss(cells.LIBRARY[name](), at="every")
    f = derive(net).lambdify()
    params, inputs = arrays(net, batch=3)
    loss, grads = f(params, inputs)
    total = 0.0
    sums = {n: np.zeros_like(grads[n]) for n in net.parameters}
    for b in range(3):
        one = {n: a[:, b] if n in ("x", "target") else a[b] for n, a in inputs.items()}
        part, g = f(params, one)
        total += part
        for n in net.parameters:
            sums[n] += g[n]
        for n in net.initial_states:
            np.testing.assert_allclose(grads[n][b], g[n], rtol=1e-11, atol=1e-13)
    assert loss == pytest.approx(total, rel=1e-12)
    for n in net.parameters:
        np.testing.assert_allclose(grads[n], sums[n], rtol=1e-11, atol=1e-13)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", [*NETS, "mingru", "indrnn", "peephole_lstm"])
def test_the_dtype_is_kept(name: str, dtype: Any) -> None:
    net = cells.LIBRARY[name]()
    params, inputs = ({n: a.astype(dtype) for n, a in table.items()} for table in arrays(net, batch=2))
    loss, grads = derive(net).lambdify()(params, inputs)
    assert loss.dtype == dtype
    assert {g.dtype for g in grads.values()} == {np.dtype(dtype)}
    assert {a.dtype for a in derive(net).forward(params, inputs).values()} == {np.dtype(dtype)}


def test_integers_and_lists_are_numbers() -> None:
    net = cells.vanilla()
    f = derive(net).lambdify()
    params = {"W": [[1, 0], [0, 1]], "U": [[1, 0], [0, 1]], "b_h": [0, 0], "V": [[1, 1]], "b_y": [0]}
    exact = {n: np.array(a, dtype=float) for n, a in params.items()}
    x = [[1, 2], [3, 4]]
    assert f(params, {"x": x, "target": [1]})[0] == f(exact, {"x": np.array(x, dtype=float), "target": np.ones(1)})[0]


def test_a_missing_initial_state_is_zero() -> None:
    net = cells.lstm()
    params, inputs = arrays(net)
    zero = {**inputs, "h0": np.zeros_like(inputs["h0"]), "C0": np.zeros_like(inputs["C0"])}
    bare = {n: a for n, a in inputs.items() if n not in ("h0", "C0")}
    f = derive(net).lambdify()
    assert f(params, zero)[0] == f(params, bare)[0]
    np.testing.assert_array_equal(f(params, zero)[1]["h0"], f(params, bare)[1]["h0"])


def test_a_shared_initial_state_gets_the_sum_over_the_batch() -> None:
    net = cells.vanilla()
    params, inputs = arrays(net, batch=3)
    f = derive(net).lambdify()
    shared = inputs.pop("h0")[0]
    _, single = f({**params, "h0": shared}, inputs)
    _, each = f(params, {**inputs, "h0": np.tile(shared, (3, 1))})
    assert single["h0"].shape == shared.shape
    np.testing.assert_allclose(single["h0"], each["h0"].sum(0), rtol=1e-12)


@pytest.mark.parametrize("batch", [None, 3])
@pytest.mark.parametrize("at", ["last", "every"])
def test_an_integer_target_is_its_one_hot_vector(at: str, batch: int | None) -> None:
    net = cells.loss(cells.readout(cells.vanilla(), activation="identity"), "cross_entropy", at=at)
    params, inputs = arrays(net, batch=batch)
    shape = inputs["target"].shape[:-1]
    classes = np.random.default_rng(0).integers(0, inputs["target"].shape[-1], size=shape)
    f = derive(net).lambdify()
    one_hot = np.eye(inputs["target"].shape[-1])[classes]
    by_class, by_vector = (f(params, {**inputs, "target": t}) for t in (classes, one_hot))
    assert by_class[0] == by_vector[0]
    np.testing.assert_array_equal(by_class[1]["W"], by_vector[1]["W"])


def test_one_number_stands_for_every_entry_and_gets_the_summed_gradient() -> None:
    net = Recurrence.parse("h[t] = tanh(a * h[t-1] + x[t])\nL = sum(h[T])")
    x = np.random.default_rng(0).normal(size=(4, 3))
    f = derive(net).lambdify()
    one, many = (f({"a": a}, {"x": x}) for a in (np.array(0.5), np.full(3, 0.5)))
    assert one[0] == many[0]
    assert one[1]["a"] == pytest.approx(many[1]["a"].sum())


def test_a_single_step_is_a_sequence() -> None:
    for name in NETS:
        net = cells.LIBRARY[name]()
        params, inputs = arrays(net, T=1)
        loss, grads = derive(net).lambdify()(params, inputs)
        assert np.isfinite(loss)
        assert all(np.isfinite(g).all() for g in grads.values())


BAD: list[tuple[str, Any, str]] = [
    ("unknown name", lambda p, i: ({**p, "Wx": p["W"]}, i), "did you mean"),
    ("missing parameter", lambda p, i: ({n: a for n, a in p.items() if n != "U"}, i), r"params\['U'\] is missing"),
    ("missing input", lambda p, i: (p, {"target": i["target"]}), r"inputs\['x'\] is missing"),
    ("wrong shape", lambda p, i: ({**p, "U": p["U"][:, :-1]}, i), r"U has shape .* expected \(n_h, n_h\)"),
    ("the equation is named", lambda p, i: ({**p, "U": p["U"][:-1]}, i), r"in h\[t\] = tanh"),
    ("NaN", lambda p, i: ({**p, "W": np.where(p["W"] == p["W"][1, 0], np.nan, p["W"])}, i), r"W\[1, 0\] is nan"),
    ("infinity", lambda p, i: (p, {**i, "x": i["x"] * np.inf}), "expected finite numbers"),
    ("no steps", lambda p, i: (p, {**i, "x": i["x"][:0]}), "T = 0"),
    ("empty batch", lambda p, i: (p, {**i, "x": i["x"][:, None][:, :0]}), "empty batch"),
    ("words", lambda p, i: ({**p, "W": [["a", "b"]]}, i), "expected numbers"),
    ("ragged", lambda p, i: ({**p, "W": [[1.0, 2.0], [3.0]]}, i), "not an array"),
    ("twice", lambda p, i: (p, {**i, "W": p["W"]}), "params and in inputs"),
    ("no dict", lambda p, i: (list(p.values()), i), "expected a dict"),
    ("a vector for a sequence", lambda p, i: (p, {**i, "x": i["x"][0]}), r"\(T, size\)"),
]  # fmt: skip


@pytest.mark.parametrize("what, change, message", BAD, ids=[b[0] for b in BAD])
def test_bad_input_is_refused_with_its_reason(what: str, change: Any, message: str) -> None:
    net = cells.vanilla()
    params, inputs = arrays(net)
    inputs.pop("h0")
    with pytest.raises(InputError, match=message):
        derive(net).lambdify()(*change(params, inputs))


def test_a_class_out_of_range_is_refused() -> None:
    net = cells.loss(cells.vanilla(), "cross_entropy")
    params, inputs = arrays(net)
    with pytest.raises(InputError, match="class 99"):
        derive(net).lambdify()(params, {**inputs, "target": np.array(99)})


def test_sequences_of_different_length_are_refused() -> None:
    net = cells.loss(cells.vanilla(), at="every")
    params, inputs = arrays(net)
    with pytest.raises(InputError, match="4 steps and target has 3"):
        derive(net).lambdify()(params, {**inputs, "target": inputs["target"][:3]})


def test_a_fixed_step_that_is_not_there_is_refused() -> None:
    net = Recurrence.parse("h[t] = U @ h[t-1] + x[t]\nL = sum(h[3])")
    params, inputs = arrays(net, T=2)
    with pytest.raises(InputError, match=r"h\[3\]"):
        derive(net).lambdify()(params, inputs)


def test_names_of_python_and_of_the_generated_code_are_free_to_use() -> None:
    net = Recurrence.parse(
        "h[t] = tanh(np @ x[t] + lead @ h[t-1] + fixed1 + params)\n"
        "part1[t] = h_t @ h[t]\n"
        "L = squared_error(part1[T], inputs)"
    )
    params, inputs = arrays(net)
    _, grads = derive(net).lambdify()(params, inputs)
    assert set(grads) == {*net.parameters, "h0"}


@pytest.mark.parametrize("name", sorted(cells.LIBRARY))
def test_every_line_of_the_source_says_its_equation(name: str) -> None:
    source = derive(cells.LIBRARY[name]()).source().splitlines()
    body = source[next(k for k, line in enumerate(source) if line.startswith("def value_and_grad")) :]
    comments = [line for line in body if line.strip().startswith("# ")]
    assert len(comments) >= len(cells.LIBRARY[name]().equations)


def test_a_sum_of_sizes_is_checked_once_its_parts_are_known() -> None:
    net = Recurrence.parse("h[t] = tanh(A @ [u, v] + U @ h[t-1] + x[t])\nL = sum(h[T])")
    params = {"A": np.ones((3, 5)), "u": np.ones(2), "v": np.ones(3), "U": np.eye(3)}
    f = derive(net).lambdify()
    assert np.isfinite(f(params, {"x": np.ones((2, 3))})[0])
    with pytest.raises(InputError, match=r"A has shape \(3, 7\)"):
        f({**params, "A": np.ones((3, 7))}, {"x": np.ones((2, 3))})


def test_a_power_of_a_sum_is_summed():
    f = derive("h[t] = U @ h[t-1] + x[t]\nL = sum((h[T] - p)**2)").lambdify()
    loss, grads = f({"U": np.zeros((2, 2)), "p": np.array([1.0, 0.0])}, {"x": np.array([[3.0, 2.0]])})
    assert loss == 8.0
    assert grads["p"].tolist() == [-4.0, -4.0]


def test_single_numbers_stand_for_a_size_that_nothing_fixes():
    f = derive("x[t] = w * sigmoid(x[t-1]) + b\nL = sum((x[T] - p)**2)").lambdify()
    params = {"w": 5.0, "b": -2.5, "p": 0.7}
    assert f(params, {"T": 3})[0] == pytest.approx(0.49)  # x stays at the fixed point 0
    assert f(params, {"T": 50, "x0": 0.5})[0] == f(params, {"T": 50, "x0": np.array([0.5])})[0]
    assert f(params, {"T": 50, "x0": 0.5})[1]["x0"].shape == ()


def test_a_width_that_leaves_nothing_for_the_other_is_refused():
    net = cells.gru()
    params = weights.initialise(net, 0, sizes={"h": 2, "x": 2, "y": 1})
    params["W_z"] = np.zeros((2, 2))
    with pytest.raises(InputError, match=r"W_z has shape \(2, 2\); expected \(n_h, n_h\+n_x\)"):
        derive(net).lambdify()(params, {"x": np.zeros((3, 2)), "target": np.zeros(1)})


MATRICES = {
    "a sum of matrices": "h[t] = tanh(U @ h[t-1] + W @ x[t])\nM = sum(h[t] @ x[t].T, t)\nL = sum(M * M)",
    "a matrix of each member in a loop": "U: input\nh[t] = tanh(U @ h[t-1] + W @ x[t])\nL = sum(h[T])",
    "its transpose beside a loop": "W: input\nh[t] = tanh(U @ h[t-1] + W.T @ x[t])\nL = sum(h[T])",
}


@pytest.mark.parametrize("name", MATRICES)
def test_a_matrix_that_each_member_has_for_itself(name: str) -> None:
    net = Recurrence.parse(MATRICES[name])
    params, inputs = arrays(net, batch=3)
    f = derive(net, ["U", "W", "x"]).lambdify()
    loss, grads = f(params, inputs)
    singles = [f(params, {n: a[:, b] if n == "x" else a[b] for n, a in inputs.items()}) for b in range(3)]
    assert loss == pytest.approx(sum(s[0] for s in singles))
    for n, g in grads.items():
        parts = [s[1][n] for s in singles]
        expected = sum(parts) if n in params else np.stack(parts, 1 if n == "x" else 0)
        np.testing.assert_allclose(g, expected, rtol=1e-11, atol=1e-13)
