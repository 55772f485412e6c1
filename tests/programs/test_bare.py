"""A generated module by itself: it takes the dictionaries as they are, and agrees with the checked program."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import rnnderive as rd
from rnnderive.checks import point
from tests.checks.nets import NAMES, network

TEXTS = {
    "nothing read": """
        p: input
        h[t] = tanh(U @ h[t-1] + W @ x[t])
        z[t] = A @ h[t] + q
        L    = squared_error(h[T], target) + 0 * sum(p)
    """,
    "a gradient that is another quantity": "s[t] = s[t-1] + x[t]\nL = sum(s[T]) + sum(y[1])",
    "a gradient that is an input": "z: input\ns[t] = a * s[t-1] + x[t]\nL = sum(x[T] * s[T]) + sum(B @ z) + sum(z * q)",
    "a row": "h[t] = tanh(U @ h[t-1] + b)\nL = w.T @ h[T] + r @ h[1]",
    "weights only": "h[t] = tanh(U @ h[t-1] + x[t])\nL = sum(W * W)",
    "a mean over the batch": "h[t] = tanh(U @ h[t-1] + x[t])\nL = mean(sum(h[T]), batch)",
}


def bare(source: str) -> Any:
    """The function of a module, run with nothing but NumPy."""
    space: dict[str, Any] = {}
    exec(source, space)
    return space["value_and_grad"]


@pytest.mark.parametrize("batch", [None, 4])
@pytest.mark.parametrize("name", [*NAMES, *TEXTS])
def test_gradients_have_the_shape_of_their_arrays_and_are_arrays_of_their_own(name: str, batch: int | None) -> None:
    net = rd.Recurrence.parse(TEXTS[name]) if name in TEXTS else network(name)
    d = rd.derive(net, [*net.parameters, *net.initial_states, *net.inputs])
    at = point(net, T=3, batch=batch)
    loss, grads = d.lambdify()(at.params, at.inputs)
    found_loss, found = bare(d.source())(at.params, at.inputs)
    assert found_loss == pytest.approx(loss, rel=1e-13)
    given = {**at.params, **at.inputs}
    for n in d.wrt:
        assert found[n].shape == np.shape(given[n]), n
        np.testing.assert_allclose(found[n], grads[n], rtol=1e-12, atol=1e-14, err_msg=n)
    before = {n: np.array(a) for n, a in given.items()}
    for n in d.wrt:  # writing into one changes neither the inputs nor another gradient
        others = {m: found[m].copy() for m in d.wrt if m != n}
        found[n] += 1.0
        assert all((found[m] == a).all() for m, a in others.items()), n
    assert all((given[n] == a).all() for n, a in before.items())


EVERY = "h[t] = tanh(W @ x[t] + U @ h[t-1] + b)\ny[t] = V @ h[t] + c\nL = sum(cross_entropy(y[t], target[t]), t)"
LAST = "h[t] = tanh(W @ x[t] + U @ h[t-1] + b)\ny[t] = V @ h[t] + c\nL = cross_entropy(y[T], target)"
TARGET_FIRST = "p[t] = target[t]\n" + EVERY
NO_INPUT = "h[t] = tanh(U @ h[t-1] + b)\nL = sum(cross_entropy(V @ h[t], target[t]), t)"


@pytest.mark.parametrize("lead", [(), (4,), (3,)])
@pytest.mark.parametrize("text", [EVERY, LAST, TARGET_FIRST])
def test_integer_classes_are_one_hot_targets(text: str, lead: tuple[int, ...]) -> None:
    """Also where there are as many members as classes: 3."""
    rng = np.random.default_rng(0)
    params = {n: rng.normal(size=s) for n, s in
              {"W": (2, 5), "U": (2, 2), "b": 2, "V": (3, 2), "c": 3}.items()}  # fmt: skip
    steps = () if text == LAST else (6,)
    classes = rng.integers(0, 3, size=(*steps, *lead))
    x = rng.normal(size=(6, *lead, 5))
    d = rd.derive(text)
    f = bare(d.source())
    loss, grads = f(params, {"x": x, "target": np.eye(3)[classes]})
    expected, _ = d.lambdify()(params, {"x": x, "target": classes})
    assert loss == pytest.approx(expected, rel=1e-14)
    for target in (classes, classes.tolist(), classes.astype(np.uint8), np.eye(3, dtype=int)[classes]):
        found, other = f(params, {"x": x, "target": target})
        assert found == loss
        assert all((other[n] == g).all() for n, g in grads.items())


def test_integer_classes_of_a_single_sequence_where_nothing_else_has_steps() -> None:
    rng = np.random.default_rng(0)
    params = {"U": rng.normal(size=(2, 2)), "b": np.ones(2), "V": rng.normal(size=(3, 2))}
    f = bare(rd.derive(NO_INPUT).source())
    classes = np.array([0, 2, 1, 1])
    assert f(params, {"target": classes})[0] == f(params, {"target": np.eye(3)[classes]})[0]


def test_a_class_that_is_not_there_is_an_error() -> None:
    f = bare(rd.derive(LAST).source())
    params = {"W": np.ones((2, 5)), "U": np.eye(2), "b": np.ones(2), "V": np.ones((3, 2)), "c": np.ones(3)}
    with pytest.raises(IndexError, match="out of bounds"):
        f(params, {"x": np.ones((6, 5)), "target": 3})
