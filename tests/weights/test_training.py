"""Training: each optimiser against its closed form, each task against its baseline, and that gated cells learn."""

from __future__ import annotations

import itertools
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rnnderive import InputError, Recurrence, cells, derive
from rnnderive.cells.anatomy import Anatomy
from rnnderive.weights import initialise
from rnnderive.weights.tasks import Task, adding, copy_memory
from rnnderive.weights.training import TrainingError, adam, global_norm, sgd, train

ROOT = Path(__file__).parents[2]
TASKS = {"adding": adding(12), "copy": copy_memory(5, items=3, symbols=4)}
RNG = np.random.default_rng(0)
GRADS = [{"a": RNG.standard_normal(3), "b": RNG.standard_normal((2, 2))} for _ in range(6)]


def start(task: Task, net: Recurrence, seed: int = 0, units: int = 6) -> dict[str, Any]:
    return initialise(net, seed, sizes={"h": units, "x": task.inputs, "y": task.outputs})


def small() -> tuple[Recurrence, dict[str, Any], Task]:
    task = TASKS["adding"]
    net = task.network("gru")
    return net, start(task, net), task


# ------------------------------------------------------------ optimisers


def changes(optimiser: Any) -> list[dict[str, Any]]:
    state, out = optimiser.start(GRADS[0]), []
    for k, g in enumerate(GRADS, 1):
        change, state = optimiser.update(g, state, k)
        out.append(change)
    return out


@pytest.mark.parametrize("name", ["a", "b"])
def test_adam_is_its_moments_summed_in_full(name: str) -> None:
    rate, b1, b2, epsilon = 0.02, 0.8, 0.95, 1e-3
    for t, change in enumerate(changes(adam(rate, b1, b2, epsilon)), 1):
        weights = [np.array([b ** (t - i) for i in range(1, t + 1)]) for b in (b1, b2)]
        past = np.array([g[name] for g in GRADS[:t]])
        m, v = (
            np.tensordot(w / w.sum(), moment, 1) for w, moment in zip(weights, (past, past**2), strict=True)
        )  # dividing by 1 − β^t makes weighted means of the moments
        np.testing.assert_allclose(change[name], -rate * m / (np.sqrt(v) + epsilon), rtol=1e-12)


@pytest.mark.parametrize("momentum", [0.0, 0.7])
def test_momentum_is_a_geometric_sum(momentum: float) -> None:
    for t, change in enumerate(changes(sgd(0.1, momentum)), 1):
        expected = -0.1 * sum(momentum ** (t - i) * GRADS[i - 1]["a"] for i in range(1, t + 1))
        np.testing.assert_allclose(change["a"], expected, rtol=1e-12)


def test_optimisers_keep_single_precision() -> None:
    net, params, task = small()
    single = {n: p.astype(np.float32) for n, p in params.items()}
    batch = {n: a.astype(np.float32) for n, a in next(task.batches(4)).items()}
    for optimiser in (adam(), sgd(0.1, 0.5)):
        trained = train(net, single, [batch] * 3, steps=3, optimiser=optimiser, clip=0.1)
        assert {p.dtype for p in trained.params.values()} == {np.dtype(np.float32)}


@pytest.mark.parametrize("bad", [0, -1, np.inf, np.nan])
def test_rates_that_are_none_are_refused(bad: float) -> None:
    for make in (adam, sgd, lambda rate: train("L = a", {"a": np.ones(1)}, [], steps=1, clip=rate)):
        with pytest.raises(InputError, match="expected a positive number"):
            make(bad)
    for make in (lambda b: adam(beta1=b), lambda b: adam(beta2=b), lambda b: sgd(momentum=b)):
        with pytest.raises(InputError, match="from 0 and below 1"):
            make(bad or 1)


# ------------------------------------------------------------ training


def test_a_step_goes_down_the_derived_gradient() -> None:
    net, params, task = small()
    batch = next(task.batches(4))
    loss, grads = derive(net).lambdify()(params, batch)
    trained = train(net, params, [batch], steps=1, optimiser=sgd(0.25))
    for name, p in params.items():
        np.testing.assert_array_equal(trained.params[name], p - 0.25 * grads[name])
    assert trained.losses.tolist() == [loss]
    assert trained.norms[0] == pytest.approx(np.sqrt(sum((grads[n] ** 2).sum() for n in params)), rel=1e-14)


@pytest.mark.parametrize("clip", [1e-3, 1e3])
def test_clipping_scales_the_whole_gradient_to_the_norm(clip: float) -> None:
    net, params, task = small()
    batch = next(task.batches(4))
    trained = train(net, params, [batch], steps=1, optimiser=sgd(1.0), clip=clip)
    whole = derive(net, tuple(params)).lambdify()(params, batch)[1]
    moved = {n: params[n] - p for n, p in trained.params.items()}
    scale = min(1.0, clip / global_norm(whole))
    assert (scale < 1) == (clip < 1)
    for name, change in moved.items():
        np.testing.assert_allclose(change, scale * whole[name], rtol=1e-9, atol=1e-15)


def test_batches_of_any_kind_give_what_the_checked_program_gives() -> None:
    net, params, task = small()
    rng = np.random.default_rng(5)
    batches: list[Any] = [task.draw(rng, size) for size in (3, 3, 5, 5, 5, 3)]
    batches[3] = {n: a.astype(np.float32) for n, a in batches[3].items()}
    batches[4] = {n: a.tolist() for n, a in batches[4].items()}
    batches.insert(2, {"x": batches[0]["x"][:, 0], "target": batches[0]["target"][0]})  # without a batch axis
    batches += [{**batches[0], "h0": rng.standard_normal((3, 6))} for _ in range(2)]
    trained = train(net, params, batches, steps=len(batches), optimiser=sgd(0.1))
    f, here = derive(net, tuple(params)).lambdify(), params
    for k, batch in enumerate(batches):
        loss, grads = f(here, batch)
        assert trained.losses[k] == loss
        here = {n: p - 0.1 * grads[n] for n, p in here.items()}
    for name in params:
        np.testing.assert_array_equal(trained.params[name], here[name])


def test_parameters_that_are_given_are_learnt_and_left_as_they_were() -> None:
    net, params, task = small()
    params["h0"] = np.full(6, 0.1)
    before = {n: p.copy() for n, p in params.items()}
    trained = train(net, params, task.batches(4), steps=3)
    assert trained.params.keys() == params.keys()
    for name in params:
        np.testing.assert_array_equal(params[name], before[name])
        assert (trained.params[name] != before[name]).any()
    assert "h0" not in train(*small()[:2], task.batches(4), steps=1).params


def test_the_same_seed_gives_the_same_bytes() -> None:
    net, params, task = small()
    runs = [train(net, params, task.batches(4, seed), steps=5, clip=1.0) for seed in (3, 3, 4)]
    assert runs[0].losses.tobytes() == runs[1].losses.tobytes() != runs[2].losses.tobytes()
    assert all(runs[0].params[n].tobytes() == runs[1].params[n].tobytes() for n in params)


def test_no_steps_change_nothing() -> None:
    net, params, task = small()
    trained = train(net, params, task.batches(4), steps=0)
    assert not any(np.shares_memory(trained.params[n], p) for n, p in params.items())
    assert all((trained.params[n] == p).all() for n, p in params.items()) and len(trained.losses) == 0


# ------------------------------------------------------------ what goes wrong


def diverging() -> tuple[str, dict[str, Any], Any]:
    return "y[t] = a * x[t]\nL = squared_error(y[T], target)", {"a": np.array([1.0])}, itertools.repeat(
        {"x": np.array([[2.0]]), "target": np.array([0.0])}
    )  # fmt: skip


def test_a_training_that_diverges_is_an_error_that_names_the_step() -> None:
    net, params, batches = diverging()
    with pytest.raises(TrainingError, match=r"at step \d+ the loss is inf; the step before.*or clip") as caught:
        train(net, params, batches, steps=1000, optimiser=sgd(100.0))
    error = caught.value
    # a ← (1 − 4 · 100) a in every step, and the loss is 2 a²
    assert error.step == int(np.ceil(np.log(np.finfo(float).max / 2) / 2 / np.log(399)))
    assert len(error.trained.losses) == error.step and np.isfinite(error.trained.params["a"]).all()
    np.testing.assert_allclose(error.trained.losses, 2 * 399.0 ** (2 * np.arange(error.step)), rtol=1e-9)
    np.testing.assert_allclose(error.trained.params["a"], (-399.0) ** (error.step - 1), rtol=1e-9)


def test_parameters_that_leave_the_numbers_are_an_error() -> None:
    net, params, batches = diverging()
    with pytest.raises(TrainingError, match=r"at step 0 the parameters are no longer finite; lower the rate$"):
        train(net, {"a": np.array([1e100])}, batches, steps=3, optimiser=sgd(1e300), clip=1e200)
    assert params


def test_a_batch_that_is_not_finite_is_named() -> None:
    net, params, task = small()
    batches = list(itertools.islice(task.batches(4), 3))
    batches[2]["x"][3, 1, 0] = np.nan
    with pytest.raises(InputError, match=r"x\[3, 1, 0\] is nan"):
        train(net, params, batches, steps=3)


def test_batches_that_run_out_are_an_error() -> None:
    net, params, task = small()
    with pytest.raises(InputError, match="ran out after 2 of 5 steps"):
        train(net, params, itertools.islice(task.batches(4), 2), steps=5)


@pytest.mark.parametrize("steps", [-1, 1.5, True, "3"])
def test_steps_that_are_none_are_refused(steps: Any) -> None:
    net, params, task = small()
    with pytest.raises(InputError, match="expected a number of steps"):
        train(net, params, task.batches(4), steps=steps)


def test_parameters_that_do_not_fit_are_refused() -> None:
    net, params, task = small()
    with pytest.raises(InputError, match="W_z"):
        train(net, {**params, "W_z": np.ones((2, 9))}, task.batches(4), steps=1)
    with pytest.raises(InputError, match="W_z"):
        train(net, {n: p for n, p in params.items() if n != "W_z"}, task.batches(4), steps=1)
    with pytest.raises(InputError, match="nonsense"):
        train(net, {**params, "nonsense": np.ones(2)}, task.batches(4), steps=1)


def test_a_bar_is_shown_on_a_terminal_only(capsys: pytest.CaptureFixture[str]) -> None:
    net, params, task = small()
    train(net, params, task.batches(4), steps=2)
    assert capsys.readouterr() == ("", "")
    train(net, params, task.batches(4), steps=2, progress=True)
    assert "2/2" in capsys.readouterr().err


# ------------------------------------------------------------ tasks


@pytest.mark.parametrize("T", [2, 3, 12])
def test_adding_marks_one_number_in_each_half(T: int) -> None:
    batch = next(adding(T).batches(400))
    x, target = batch["x"], batch["target"]
    assert x.shape == (T, 400, 2) and target.shape == (400, 1)
    marks = x[:, :, 1]
    assert set(np.unique(marks)) <= {0, 1}
    assert (marks[: T // 2].sum(0) == 1).all() and (marks[T // 2 :].sum(0) == 1).all()
    assert (marks.sum(1) > 0).all()  # every step is marked in some sequence
    np.testing.assert_allclose(target[:, 0], [x[m, k, 0].sum() for k, m in enumerate(marks.T == 1)])


def test_adding_costs_a_sixth_without_memory() -> None:
    task = adding(6)
    net = task.network("rnn")
    params = {n: 0 * p for n, p in start(task, net).items()}
    batch = next(task.batches(100_000))
    losses = [float(np.mean(derive(net).value({**params, "b_y": np.array([y])}, batch)["L"])) for y in (0.9, 1.0, 1.1)]
    assert losses[1] == pytest.approx(((batch["target"] - 1) ** 2).mean(), rel=1e-12)
    assert losses[1] == pytest.approx(task.baseline, abs=4 * np.sqrt(7 / 180 / 100_000))  # 4 standard errors
    assert min(losses) == losses[1]


def test_copying_shows_symbols_a_pause_and_asks_for_them_again() -> None:
    T, m = 5, 3
    batch = next(copy_memory(T, m, 4).batches(50))
    x, target = batch["x"], batch["target"]
    assert x.shape == (T + 2 * m, 50, 6) and target.shape == (T + 2 * m, 50, 5)
    assert (x.sum(-1) == 1).all() and (target.sum(-1) == 1).all()
    read, answer = x.argmax(-1), target.argmax(-1)
    assert (read[:m] < 4).all() and set(read[:m].ravel()) == {0, 1, 2, 3}
    assert (read[m:] == np.array([4] * (T - 1) + [5] + [4] * m)[:, None]).all()
    assert (answer[: T + m] == 4).all()
    np.testing.assert_array_equal(answer[-m:], read[:m])
    # from a symbol shown to the same one asked for, T + m steps pass
    np.testing.assert_array_equal(answer[T + m :], read[:m])


def test_copying_costs_the_entropy_of_the_symbols_without_memory() -> None:
    """A network that knows the time answers blank, and in the end every symbol alike."""
    task = copy_memory(4, items=3, symbols=8)
    net = task.network("clock[t] = clock[t-1] + W @ x[t-1]")
    # the delimiter raises the clock: until then blank has all the probability, then none
    params = {
        "W": np.array([[0.0] * 9 + [1.0]]),
        "W_y": np.array([[80.0]] * 8 + [[0.0]]), "b_y": np.array([0.0] * 8 + [40.0]),
    }  # fmt: skip
    loss = derive(net).value(params, next(task.batches(20)))["L"]
    assert float(np.mean(loss)) == pytest.approx(task.baseline, rel=1e-12)
    assert task.baseline == pytest.approx(3 * np.log(8) / (4 + 6))


@pytest.mark.parametrize("task", TASKS.values(), ids=TASKS)
def test_batches_are_the_same_for_a_seed(task: Task) -> None:
    one, other, third = (list(itertools.islice(task.batches(3, seed), 2)) for seed in (1, 1, 2))
    for name in one[0]:
        assert all((a[name] == b[name]).all() for a, b in zip(one, other, strict=True))
        assert (one[0][name] != one[1][name]).any() and (one[0][name] != third[0][name]).any()


LOOPS = [name for name in cells.LIBRARY if name != "dense"]


@pytest.mark.parametrize(("cell", "name"), [*((n, "adding") for n in LOOPS), *((n, "copy") for n in LOOPS[:4])])
def test_every_cell_of_the_library_can_be_given_a_task(cell: str, name: str) -> None:
    task = TASKS[name]
    net = task.network(cell)
    layers = {"h_1": 4} if "h_1" in net else {}
    params = initialise(net, 0, inputs=next(task.batches(2)), sizes={Anatomy.of(net).output: 4, **layers})
    trained = train(net, params, itertools.repeat(next(task.batches(8))), steps=4, optimiser=adam(0.01), clip=1.0)
    assert trained.losses[-1] < trained.losses[0]


def test_the_loss_of_a_task_is_a_mean() -> None:
    for task in TASKS.values():
        net = task.network("gru")
        params = start(task, net)
        f = derive(net, tuple(params)).lambdify()
        batch = next(task.batches(6))
        twice = {"x": np.concatenate([batch["x"]] * 2, 1)}
        axis = 1 if batch["target"].ndim == 3 else 0
        twice["target"] = np.concatenate([batch["target"]] * 2, axis)
        (a, da), (b, db) = f(params, batch), f(params, twice)
        assert a == pytest.approx(b, rel=1e-12)
        for name in params:
            np.testing.assert_allclose(da[name], db[name], rtol=1e-9, atol=1e-14)


def test_a_cell_without_the_input_is_refused() -> None:
    with pytest.raises(InputError, match="needs a cell with an input x; found u"):
        adding(5).network("h[t] = tanh(W @ u[t] + U @ h[t-1])")
    with pytest.raises(InputError, match="no loop over t"):
        adding(5).network("dense")


@pytest.mark.parametrize("make", [lambda n: adding(n), lambda n: copy_memory(n), lambda n: copy_memory(3, n),
                                  lambda n: copy_memory(3, 3, n), lambda n: next(adding(3).batches(n))])  # fmt: skip
def test_counts_that_are_none_are_refused(make: Any) -> None:
    for bad in (0, -1, 2.5, True):
        with pytest.raises(InputError, match="expected an integer from"):
            make(bad)


# ------------------------------------------------------------ learning


@pytest.mark.parametrize("cell", ["lstm", "gru"])
def test_gated_cells_learn_to_add(cell: str) -> None:
    task = adding(10)
    net = task.network(cell)
    trained = train(net, start(task, net, units=16), task.batches(50), steps=250, optimiser=adam(0.02), clip=1.0)
    held_out = next(task.batches(500, seed=99))
    error = float(np.mean(derive(net).value(trained.params, held_out)["L"]))
    assert error < task.baseline / 8


def test_a_gated_cell_learns_to_copy() -> None:
    task = copy_memory(3, items=2, symbols=2)
    net = task.network("gru")
    trained = train(net, start(task, net, units=16), task.batches(50), steps=250, optimiser=adam(0.02), clip=1.0)
    assert trained.losses[-20:].mean() < task.baseline / 4


def test_the_example_runs() -> None:
    command = [sys.executable, str(ROOT / "examples/adding_problem.py"), "--T", "4", "--steps", "10", "--units", "3"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    told = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
    rows = [line.split()[0] for line in told.stdout.splitlines()]
    assert rows == ["adding", *(word for cell in ("rnn", "lstm", "gru") for word in (cell, "before", "after"))]
    assert "nats a step, C alone" in told.stdout
