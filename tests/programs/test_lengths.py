"""Batches of sequences of different lengths: each member is as it is alone."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from rnnderive import InputError, Recurrence, cells, derive
from rnnderive.calculus import masked
from rnnderive.checks import point
from rnnderive.checks.identity import elements, field_for
from rnnderive.language import Field, Run
from rnnderive.language import terms as tm
from tests.checks.nets import NAMES, network

LENGTHS = [5, 2, 4, 1, 5]
EVERY = {name: cells.loss(cells.LIBRARY[name](), at="every") for name in ("lstm", "bidirectional_rnn", "stacked_lstm")}
TEXTS = {
    "a mean over its own steps": "h[t] = tanh(U @ h[t-1] + W @ x[t])\nL = mean(squared_error(h[t], target[t]), t)",
    "the last step but one of what reads both ways": """
        h[t] = tanh(U @ h[t-1] + A @ h[t-2] + W @ x[t+1])
        r[t] = tanh(B @ r[t+2] + h[t])
        L    = squared_error(r[1] + h[T], target) + sum(w[t] * sum(r[t] * h[t]), t)""",
    "a sum inside a step": """
        h[t] = tanh(U @ h[t-1] + W @ x[t])
        c[t] = sum(h[t], t) * h[t] / T
        L    = sum(c[T])""",
    "what is not there for every number": """
        h[t] = tanh(U @ h[t-1] + W @ x[t])
        L    = sum(log_loss(sigmoid(V @ h[t]), target[t]) + sum(log(x[t] * x[t])), t)""",
    "what grows without bound": "s[t] = a * s[t-1] * s[t-1] + x[t]\nL = sum(sum(s[t]), t)",
}
NETS = {**{n: network(n) for n in NAMES}, **EVERY, **{n: Recurrence.parse(text) for n, text in TEXTS.items()}}
CONDITIONS = {
    n for n, net in NETS.items() if any(isinstance(k, tm.Where) for e in net.equations for k in tm.members(e.right))
}


def alone(net: Recurrence, at: Any, b: int, T: int) -> tuple[dict[str, Any], dict[str, Any]]:
    def own(n: str, a: Any) -> Any:
        return a[:T, b] if isinstance(net.leaves.get(n), tm.At) else a[b]

    return at.params, {n: own(n, np.asarray(a)) for n, a in at.inputs.items()}


@pytest.mark.parametrize("name", [n for n in NETS if "x" in NETS[n].inputs])
def test_each_member_is_as_if_it_had_been_run_alone(name: str) -> None:
    net = NETS[name]
    at = point(net, T=5, batch=len(LENGTHS))
    wrt = [*net.parameters, *net.initial_states, "x"]
    f = derive(net, wrt).lambdify()
    hidden = {n: np.array(a) for n, a in at.inputs.items()}
    for n, a in hidden.items():
        if isinstance(net.leaves.get(n), tm.At):
            for b, steps in enumerate(LENGTHS):
                a[steps:, b] = np.nan
    loss, grads = f(at.params, hidden, lengths=LENGTHS)
    singles = [f(*alone(net, at, b, steps)) for b, steps in enumerate(LENGTHS)]
    assert loss == pytest.approx(sum(s[0] for s in singles), rel=1e-12)
    for n, g in grads.items():
        if n in net.parameters:
            np.testing.assert_allclose(g, sum(s[1][n] for s in singles), rtol=1e-10, atol=1e-13, err_msg=n)
            continue
        for b, steps in enumerate(LENGTHS):
            own = g[:steps, b] if n == "x" else g[b]
            np.testing.assert_allclose(own, singles[b][1][n], rtol=1e-10, atol=1e-13, err_msg=n)
            assert n != "x" or not g[steps:, b].any()


@pytest.mark.parametrize("name", NETS)
def test_a_masked_network_is_exactly_the_shorter_one(name: str) -> None:
    """Loss and gradients, in the finite field: whatever stands in the padding."""
    net, steps = NETS[name], 2
    whole = masked(net)
    T = 3
    field = field_for(net, T)
    short = Field({**field.sizes, tm.T: steps}, field.key)
    values = elements(net, field, T)
    mask = [np.full((1, 1), int(s <= steps), dtype=object) for s in range(1, T + 1)]
    cut = {n: a[:steps] if isinstance(a, list) else a for n, a in values.items()}
    own, one = derive(net), derive(whole.net, derive(net).wrt)
    a = Run(own.adjoint, short, cut, steps)
    b = Run(one.adjoint, field, {**values, whole.mask: mask}, T)
    for n in own.wrt:
        assert (a[own.pulled.gradients[n]] == b[one.pulled.gradients[n]]).all(), n
    assert (a[net.loss or ""] == b[net.loss or ""]).all()


def test_full_lengths_are_the_plain_program_and_classes_are_padded() -> None:
    net = cells.loss(cells.readout(cells.lstm(), None), "cross_entropy", at="every")
    at = point(net, T=4, batch=3)
    classes = np.asarray(at.inputs["target"]).argmax(-1)
    inputs = {**at.inputs, "target": classes}
    f = derive(net).lambdify()
    assert f(at.params, inputs, lengths=[4, 4, 4])[0] == pytest.approx(f(at.params, inputs)[0], rel=1e-13)
    classes[2:, 1] = -1
    singles = sum(f(*alone(net, replace(at, inputs=inputs), b, n))[0] for b, n in enumerate([4, 2, 3]))
    assert f(at.params, inputs, lengths=[4, 2, 3])[0] == pytest.approx(singles, rel=1e-13)


@pytest.mark.parametrize("options", [{"truncate": 2}, {"threads": 2}])
def test_lengths_go_with_the_other_options(options: dict[str, int]) -> None:
    net = EVERY["lstm"]
    at = point(net, T=5, batch=len(LENGTHS))
    d = derive(net, truncate=options.get("truncate"))
    f = d.lambdify(threads=options.get("threads", 1))
    _, grads = f(at.params, at.inputs, lengths=LENGTHS)
    singles = [f(*alone(net, at, b, steps))[1] for b, steps in enumerate(LENGTHS)]
    for n in net.parameters:
        np.testing.assert_allclose(grads[n], sum(s[n] for s in singles), rtol=1e-10, atol=1e-13)


def test_the_mask_does_not_change_the_dtype() -> None:
    net = cells.loss(cells.vanilla(), at="every")
    at = point(net, T=3, batch=2)
    params = {n: np.asarray(a, np.float32) for n, a in at.params.items()}
    x, target = (np.ones(np.shape(at.inputs[n]), int) for n in ("x", "target"))
    loss, grads = derive(net).lambdify()(params, {"x": x, "target": target}, lengths=np.array([3, 1]))
    assert {loss.dtype, *(g.dtype for g in grads.values())} == {np.dtype(np.float32)}


BAD: list[tuple[Any, str]] = [
    ([5, 2], "expected 3 integers"),
    ([5.0, 2.0, 1.0], "expected 3 integers"),
    ([5, 0, 1], "holds 0"),
    ([5, 6, 1], "holds 6; expected numbers of steps from 1 to 5"),
]


@pytest.mark.parametrize("lengths, message", BAD)
def test_lengths_are_checked(lengths: Any, message: str) -> None:
    net = cells.vanilla()
    at = point(net, T=5, batch=3)
    with pytest.raises(InputError, match=message):
        derive(net).lambdify()(at.params, at.inputs, lengths=lengths)


@pytest.mark.parametrize(
    "inputs, message",
    [([1, 2], "expected a dict"), ({"x": [[1.0], [2.0, 3.0]]}, "not an array"), ({"x": [["a"]]}, "expected numbers")],
)
def test_what_is_no_array_is_refused_with_lengths_as_without(inputs: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        derive(cells.vanilla()).lambdify()({}, inputs, lengths=[1])


def test_lengths_need_a_batch_and_enough_steps() -> None:
    net = Recurrence.parse("h[t] = tanh(U @ h[t-1] + x[t])\nL = sum(h[3])")
    f = derive(net).lambdify()
    with pytest.raises(InputError, match="no input is a batch"):
        f({"U": np.eye(2)}, {"x": np.ones((4, 2))}, lengths=[4])
    with pytest.raises(InputError, match="only 2 steps"):
        f({"U": np.eye(2)}, {"x": np.ones((4, 2, 2))}, lengths=[4, 2])


def test_a_condition_on_the_last_step_is_refused() -> None:
    net = Recurrence.parse("h[t] = tanh(U @ h[t-1] + x[t])\nL = sum(sum((h[t] if t >= T - 1 else 0)), t)")
    with pytest.raises(InputError, match="last step"):
        derive(net).lambdify()({"U": np.eye(2)}, {"x": np.ones((4, 1, 2))}, lengths=[4])
