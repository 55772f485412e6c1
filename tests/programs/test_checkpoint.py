"""Gradients in little memory: the same numbers from segments, and as few steps again as there can be."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import pytest

from rnnderive import InputError, Recurrence, cells, derive
from rnnderive.checks import point
from rnnderive.programs.checkpoint import advances, reversal
from tests.checks.nets import network

TEXTS = {
    "a loss that is no sum": """
        h[t] = tanh(U @ h[t-1] + W @ x[t])
        m    = mean(h[t] * h[t], t)
        L    = squared_error(V @ h[T], target) * sum(m) + exp(-sum(m)) + 0.1 * sum(W * W)""",
    "three lags, two of an input": """
        h[t] = tanh(U @ h[t-1] + A @ h[t-3] + W @ x[t-2])
        L    = sum(squared_error(h[t], target[t+1]) / T, t)""",
    "a sum of matrices": """
        h[t] = tanh(U @ h[t-1] + W @ x[t])
        M    = sum(h[t] @ x[t].T, t)
        L    = sum(M * M)""",
}
KINDS = ["vanilla", "two lags", "input at a lag", "stack over a lag", "layer norm and softmax", "no input",
         "computed initial state", "loss at every step", "shared and transposed weights"]  # fmt: skip
NETS = {
    **{n: network(n) for n in KINDS},
    **{n: cells.loss(cells.LIBRARY[n](), at="every") for n in ("lstm", "gru")},
    **{n: Recurrence.parse(text) for n, text in TEXTS.items()},
}


@pytest.mark.parametrize("name", NETS)
def test_the_gradient_is_that_of_the_whole(name: str) -> None:
    net = NETS[name]
    d = derive(net, [*net.parameters, *net.initial_states, *(["x"] if "x" in net.inputs else [])])
    for T, batch in ((7, None), (5, 3)):
        at = point(net, T=T, batch=batch)
        loss, grads = d.lambdify()(at.params, at.inputs)
        for snapshots in ("sqrt", 2):
            other, parts = d.lambdify(memory="checkpoint", snapshots=snapshots)(at.params, at.inputs)
            assert other == pytest.approx(loss, rel=1e-12)
            for n, g in grads.items():
                assert parts[n].shape == g.shape
                np.testing.assert_allclose(parts[n], g, rtol=1e-9, atol=1e-12, err_msg=n)


@cache
def fewest(steps: int, snapshots: int) -> int:
    """How many steps must be computed again, by trying every place for the next snapshot."""
    if steps == 1:
        return 0
    if snapshots == 1:
        return steps * (steps - 1) // 2
    return min(k + fewest(steps - k, snapshots - 1) + fewest(k, snapshots) for k in range(1, steps))


@pytest.mark.parametrize("snapshots", range(1, 6))
def test_as_few_steps_are_computed_again_as_there_can_be(snapshots: int) -> None:
    for steps in range(1, 40):
        actions = list(reversal(0, steps, snapshots))
        assert sum(b - a for word, a, b in actions if word == "advance") == fewest(steps, snapshots)
        assert fewest(steps, snapshots) == advances(steps, snapshots)


@pytest.mark.parametrize("steps, snapshots, again", [(10, 3, 15), (56, 3, 210), (100, 5, 316), (1000, 10, 3636)])
def test_the_numbers_of_griewank_and_walther(steps: int, snapshots: int, again: int) -> None:
    """Revolve: r·l − C(s + r, s + 1), and never more states at hand than snapshots."""
    kept, done, most, count = {0}, steps, 1, 0
    for word, a, b in reversal(0, steps, snapshots):
        assert a in kept
        if word == "advance":
            kept.add(b)
            count += b - a
            most = max(most, len(kept - {b}) if snapshots == 1 or len(kept) > snapshots else len(kept))
        else:
            assert b == done == a + 1
            done = a
            kept -= {a}
    assert (count, done) == (again, 0)
    assert most <= snapshots


@pytest.mark.parametrize("snapshots", ["sqrt", 3])
def test_a_run_takes_the_steps_that_the_formula_tells(snapshots: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    net = cells.lstm()
    at = point(net, T=30)
    f = derive(net).lambdify(memory="checkpoint", snapshots=snapshots)
    taken = {"forward": 0, "middle": 0, "last": 0}
    for name in taken:
        plain = f.parts[name].compute

        def counted(arrays: Any, name: str = name, plain: Any = plain) -> Any:
            taken[name] += arrays.T
            return plain(arrays)

        monkeypatch.setattr(f.parts[name], "compute", counted)
    f(at.params, at.inputs)
    assert taken["middle"] + taken["last"] == 30
    assert taken["forward"] == (6 * advances(5, 5) if snapshots == "sqrt" else advances(30, 3))


def test_with_lengths_and_threads() -> None:
    net = NETS["lstm"]
    at = point(net, T=6, batch=4)
    d = derive(net)
    loss, grads = d.lambdify()(at.params, at.inputs, lengths=[6, 1, 4, 5])
    other, parts = d.lambdify(memory="checkpoint", threads=2)(at.params, at.inputs, lengths=[6, 1, 4, 5])
    assert other == pytest.approx(loss, rel=1e-12)
    for n, g in grads.items():
        np.testing.assert_allclose(parts[n], g, rtol=1e-10, atol=1e-13, err_msg=n)


@pytest.mark.parametrize("snapshots", ["sqrt", 2])
@pytest.mark.parametrize("start", [None, (2,), (3, 2)], ids=["zero", "one for all", "one each"])
def test_lengths_where_an_input_is_read_before_the_first_step(start: Any, snapshots: Any) -> None:
    net = Recurrence.parse("h[t] = tanh(W @ x[t] + U @ h[t-1] + C @ x[t-1])\nL = sum(h[T])")
    at = point(net, T=7, batch=3)
    inputs = {n: a for n, a in at.inputs.items() if n != "x0"}
    if start is not None:
        inputs["x0"] = np.random.default_rng(0).normal(size=start)
    d = derive(net, [*net.parameters, "x", *net.initial_states])
    loss, grads = d.lambdify()(at.params, inputs, lengths=[7, 2, 4])
    other, parts = d.lambdify(memory="checkpoint", snapshots=snapshots)(at.params, inputs, lengths=[7, 2, 4])
    assert other == pytest.approx(loss, rel=1e-12)
    for n, g in grads.items():
        np.testing.assert_allclose(parts[n], g, rtol=1e-10, atol=1e-13, err_msg=n, strict=True)


def test_float32_is_kept() -> None:
    net = NETS["lstm"]
    at = point(net, T=6, batch=2)
    params, inputs = ({n: np.asarray(a, np.float32) for n, a in k.items()} for k in (at.params, at.inputs))
    loss, grads = derive(net).lambdify(memory="checkpoint")(params, inputs)
    assert loss.dtype == np.float32
    assert {g.dtype for g in grads.values()} == {np.dtype(np.float32)}


BAD = [
    (str(cells.bidirectional_rnn()), "right to left"),
    ("h[t] = U @ h[t-1] + x[t]\nL = sum(h[1])", r"reads h\[1\]"),
    ("h[t] = U @ h[t-1] + x[t]\nL = sum(h[T-1])", r"reads h\[T-1\]"),
    ("h[t] = U @ h[t-1] + x[t]\nc[t] = h[t] - sum(h[t], t)\nL = sum(c[T])", "a sum over all steps"),
    ("h[t] = U @ h[t-1] + x[t]\nm = sum(h[t], t)\nc[t] = h[t] * m\nL = sum(c[T])", "known after the last"),
    ("h[t] = U @ h[t-1] + x[t]\nL = sum((sum(h[t]) if t >= 3 else 0), t)", "condition"),
    ("h[t] = U @ h[t-1] + x[t]\nc[t] = h[t-2]\nL = sum(c[T])", "outside of a loop"),
]


@pytest.mark.parametrize("text, message", BAD)
def test_what_cannot_be_cut_is_refused(text: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        derive(text).lambdify(memory="checkpoint")


WRONG: list[dict[str, Any]] = [
    {"memory": "little"}, *({"snapshots": k} for k in (0, -4, True, 1.0, [3], "all")), {"reuse": [1]}, {"reuse": "yes"},
]  # fmt: skip


@pytest.mark.parametrize("memory", ["all", "checkpoint"])
@pytest.mark.parametrize("options", WRONG)
def test_options_are_checked(options: dict[str, Any], memory: str) -> None:
    """Also beside a program that was made with an option that is equal to it, as True is to 1."""
    d = derive(cells.vanilla())
    d.lambdify(memory="checkpoint", snapshots=1)
    with pytest.raises(InputError, match=rf"{next(iter(options))} is .*; expected"):
        d.lambdify(**{"memory": memory, **options})


def test_snapshots_without_checkpoints_are_refused() -> None:
    with pytest.raises(InputError, match="snapshots is 3, but every step is kept; expected memory='checkpoint'"):
        derive(cells.vanilla()).lambdify(snapshots=3)


def test_runs_of_one_program_do_not_disturb_each_other() -> None:
    """The memory of a segment is kept for the next; what was returned is not in it."""
    net = NETS["lstm"]
    f = derive(net).lambdify(memory="checkpoint")
    a, b = point(net, T=9, batch=2), point(net, T=9, batch=2, seed=1)
    _, first = f(a.params, a.inputs)
    kept = {n: g.copy() for n, g in first.items()}
    f(b.params, b.inputs)
    for n, g in first.items():
        np.testing.assert_array_equal(g, kept[n])


def test_segments_are_compiled_as_the_whole_is() -> None:
    pytest.importorskip("numba")
    pytest.importorskip("scipy")
    d = derive("s[t] = tanh(a * s[t-1] + x[t])\nL = sum(sum(s[t] * s[t]), t) + sum(s[T])")
    params, inputs = {"a": np.ones(2)}, {"x": np.ones((9, 2)), "s0": np.ones(2)}
    loss, grads = d.lambdify()(params, inputs)
    other, parts = d.lambdify(backend="numba", memory="checkpoint")(params, inputs)
    assert other == pytest.approx(loss, rel=1e-13)
    for n, g in grads.items():
        np.testing.assert_allclose(parts[n], g, rtol=1e-12)
