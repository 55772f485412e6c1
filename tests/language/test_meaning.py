"""The reference interpreter against results computed by hand."""

import numpy as np
import pytest
import sympy as sp

from rnnderive.language import Digits, Field, Floats, Recurrence, Run, Symbols


def column(*entries):
    return np.array([[float(e)] for e in entries])


def run(text, T, loss="", **values):
    """Run with scalars and short columns; every size is read off the values."""
    net = Recurrence.parse(text, loss=loss)
    sizes = {}
    for name, value in values.items():
        first = value[0] if isinstance(value, list) else value
        for size, extent in zip(net.shape(name), first.shape, strict=True):
            if size.is_Symbol:
                sizes[size] = extent
    return Run(net, Floats(sizes), values, T)


def flat(values):
    return [v.ravel().tolist() for v in values]


X = [column(1), column(10), column(100)]


def test_a_running_sum():
    assert flat(run("h[t] = h[t-1] + x[t]\nL = sum(h[T])", 3, x=X)["h"]) == [[1], [11], [111]]


def test_a_backward_running_sum():
    assert flat(run("h[t] = h[t+1] + x[t]\nL = sum(h[1])", 3, x=X)["h"]) == [[111], [110], [100]]


def test_the_initial_state_stands_on_both_sides_of_the_steps():
    forward = run("h[t] = 2 * h[t-1] + x[t]\nL = sum(h[T])", 3, x=X, h0=column(5))
    assert flat(forward["h"]) == [[11], [32], [164]]
    backward = run("h[t] = 2 * h[t+1] + x[t]\nL = sum(h[1])", 3, x=X, h0=column(5))
    assert flat(backward["h"]) == [[461], [230], [110]]


def test_a_lag_of_two_reads_the_initial_state_twice():
    got = run("h[t] = h[t-1] + h[t-2] + x[t]\nL = sum(h[T])", 3, x=[column(0)] * 3, h0=column(1))
    assert flat(got["h"]) == [[2], [3], [5]]


def test_an_input_outside_the_steps_is_its_initial_value_or_zero():
    text = "y[t] = x[t-1] + 2 * x[t+1]\nL = sum(y[T])"
    assert flat(run(text, 3, x=X)["y"]) == [[20], [201], [10]]
    assert flat(run(text, 3, x=X, x0=column(7))["y"]) == [[27], [201], [24]]


def test_a_computed_initial_state():
    got = run("h0 = 3 * c\nh[t] = h[t-1] + x[t]\nL = sum(h[T])", 2, x=X[:2], c=column(2))
    assert flat(got["h"]) == [[7], [17]]


def test_members():
    got = run("y[t] = x[t] * x[1] + x[T] + x[T-1]\nL = sum(y[2])", 3, x=X)
    assert flat(got["y"]) == [[111], [120], [210]]
    assert got["L"].item() == 120


def test_conditions_on_the_step():
    text = "y[t] = (x[t] if {} else 0)\nL = sum(y[T])"
    for condition, kept in {
        "t == 1": [1, 0, 0], "t == T": [0, 0, 100], "t <= 2": [1, 10, 0], "t < 2": [1, 0, 0],
        "t >= 2": [0, 10, 100], "t > 2": [0, 0, 100], "t >= T-1": [0, 10, 100], "t < T": [1, 10, 0],
        "2 <= t": [0, 10, 100], "T == 3": [1, 10, 100], "T <= 2": [0, 0, 0], "t+1 == T": [0, 10, 0],
    }.items():  # fmt: skip
        assert flat(run(text.format(condition), 3, x=X)["y"]) == [[k] for k in kept], condition


def test_sums_and_means_over_time():
    assert run("L = sum(sum(x[t]), t)", 3, x=X)["L"].item() == 111
    assert run("L = mean(sum(x[t]), t)", 3, x=X)["L"].item() == 37
    assert run("y[t] = x[t] - mean(x[t], t)\nL = sum(y[T])", 3, x=X)["L"].item() == 63
    assert run("L = sum(sum(x[t] * sum(x[t], t)), t)", 3, x=X)["L"].item() == 111 * 111


def test_the_mean_over_entries_divides_by_their_number():
    assert run("L = mean(x[T])", 1, x=[column(1, 2, 6)])["L"].item() == 3
    assert run("L = mean(w)", 1, w=np.array([[1.0, 2.0], [3.0, 6.0]]))["L"].item() == 3


def test_stacking_blocks_and_transposes():
    text = "y[t] = W @ [x[t], x[t-1]]\nL = sum(y[T][1:2]) + sum(W.T @ y[T])"
    got = run(text, 2, x=[column(1), column(2)], W=np.array([[1.0, 10.0], [2.0, 20.0]]))
    assert flat(got["y"]) == [[1, 2], [12, 24]]
    assert got["L"].item() == 24 + (12 + 48) + (120 + 480)


def test_losses_are_what_the_design_says():
    y, target = column(1, 2), column(0, 1)
    assert run("L = squared_error(y, z)", 1, y=y, z=target)["L"].item() == 1
    logits = np.log(np.exp([1.0, 2.0]).sum()) - 2
    assert run("L = cross_entropy(y, z)", 1, y=y, z=target)["L"].item() == pytest.approx(logits, abs=1e-15)
    p = 1 / (1 + np.exp(-y))
    expected = -(target * np.log(p) + (1 - target) * np.log(1 - p)).sum()
    assert run("L = binary_cross_entropy(y, z)", 1, y=y, z=target)["L"].item() == pytest.approx(expected)
    assert run("L = log_loss(y, z)", 1, y=p, z=target)["L"].item() == pytest.approx(expected)


def test_softmax_and_layer_norm():
    got = run("y = softmax(x)\nn = layer_norm(x)\nL = sum(log_softmax(x) - log(y))", 1, x=column(0, np.log(3)))
    assert np.allclose(got["y"], column(0.25, 0.75), atol=1e-15)
    half = np.log(3) / 2
    assert np.allclose(got["n"], column(-1, 1) * half / np.sqrt(half**2 + 1e-5), atol=1e-14)
    assert abs(got["L"].item()) < 1e-14


def test_one_lstm_step_by_hand():
    from rnnderive.cells import lstm

    net = lstm()
    one = {n: np.full(tuple(int(d.subs({s: 1 for s in net.sizes})) for d in net.shape(n)), 0.5) for n in net.parameters}
    values = {**one, "x": [column(1)], "target": column(0), "h0": column(1), "C0": column(2)}
    got = Run(net, Floats(dict.fromkeys(net.sizes, 1)), values, 1)
    gate = 1 / (1 + np.exp(-1.5))
    C = gate * 2 + gate * np.tanh(1.5)
    h = gate * np.tanh(C)
    y = 1 / (1 + np.exp(-(0.5 * h + 0.5)))
    assert got["C"][0].item() == pytest.approx(C, rel=1e-15)
    assert got["h"][0].item() == pytest.approx(h, rel=1e-15)
    assert got["L"].item() == pytest.approx(y**2 / 2, rel=1e-15)


def test_a_parameter_may_differ_from_step_to_step():
    text = "h[t] = h[t-1] + w * x[t]\nL = sum(h[T])"
    net = Recurrence.parse(text)
    values = {"x": X, "w": lambda step: column(step)}
    assert Run(net, Floats({net.sizes[0]: 1}), values, 3)["L"].item() == 1 + 20 + 300


def test_number_systems_agree():
    """A polynomial net: the same numbers in floats, digits, symbols and the prime field."""
    net = Recurrence.parse("h[t] = (W @ h[t-1] + x[t])**2 / 4\nL = squared_error(h[T], z)")
    sizes = dict.fromkeys(net.sizes, 1)
    expected = sp.Rational(65, 64)  # h = 1/4, then (9/4)²/4 = 81/64

    def values(of):
        return {"W": of(1), "x": [of(1), of(2)], "z": of(sp.Rational(16, 64))}

    def objects(make):
        return lambda q: np.array([[make(sp.Rational(q))]], dtype=object)

    expected = (sp.Rational(81, 64) - sp.Rational(1, 4)) ** 2 / 2
    assert Run(net, Floats(sizes), values(lambda q: column(q)), 2)["L"].item() == float(expected)
    assert Run(net, Symbols(sizes), values(objects(lambda q: q)), 2)["L"].item() == expected
    field = Field(sizes)
    assert Run(net, field, values(objects(field.scalar)), 2)["L"].item() == field.scalar(expected)
    digits = Digits(sizes)
    assert Run(net, digits, values(objects(digits.scalar)), 2)["L"].item() == digits.scalar(expected)
