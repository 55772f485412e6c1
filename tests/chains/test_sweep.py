"""Sweeps: the same bytes wherever and however often they are begun, and nothing finished is lost."""

from __future__ import annotations

import functools
import json
import os
import resource
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import BrokenExecutor, Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from threadpoolctl import threadpool_limits

from rnnderive import InputError
from rnnderive.chains.results import ResultsError
from rnnderive.chains.sweep import SweepError, SweepInterrupted, processes, read_sweep, sweep
from tests.chains import measures
from tests.chains.measures import GRID, dies, fails_at_two, noted, radius

ROOT = Path(__file__).parents[2]


class Backwards(Executor):
    """Does what it was given last first."""

    def __init__(self) -> None:
        self.left: list[tuple[Future[Any], Callable[[], Any]]] = []

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        future: Future[Any] = Future()
        self.left.append((future, functools.partial(fn, *args, **kwargs)))
        if len(self.left) == 12:
            threading.Thread(target=self.work).start()
        return future

    def work(self) -> None:
        for future, task in reversed(self.left):
            future.set_result(task())


@pytest.fixture
def cluster() -> Iterator[Callable[[bool], Executor]]:
    distributed = pytest.importorskip("distributed")
    opened = []

    def executor(separate: bool) -> Executor:
        client = distributed.Client(
            n_workers=2, threads_per_worker=1, processes=separate, dashboard_address=None, silence_logs=50
        )
        opened.append(client)
        return client.get_executor()

    yield executor
    for client in opened:
        client.close()
        client.cluster.close()


@pytest.fixture(scope="module")
def expected(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path = tmp_path_factory.mktemp("here") / "results.jsonl"
    sweep(radius, GRID, seeds=2, results=path)
    return path.read_bytes()


EXECUTORS = {
    "backwards": lambda cluster: Backwards(),
    "threads": lambda cluster: ThreadPoolExecutor(3),
    "spawned processes": lambda cluster: processes(2),
    "forkserver": lambda cluster: ProcessPoolExecutor(2, mp_context=get_context("forkserver")),
    "dask, threads": lambda cluster: cluster(False),
    "dask, processes": lambda cluster: cluster(True),
}


@pytest.mark.parametrize("name", EXECUTORS)
def test_any_executor_gives_the_same_bytes(name: str, cluster: Any, expected: bytes, tmp_path: Path) -> None:
    path = tmp_path / "results.jsonl"
    with EXECUTORS[name](cluster) as executor:
        found = sweep(radius, GRID, seeds=2, executor=executor, results=path)
    assert path.read_bytes() == expected
    assert [r.line for r in found] == expected.splitlines(keepends=True)[1:]


def test_the_number_of_threads_does_not_enter_the_bytes(expected: bytes, tmp_path: Path) -> None:
    path = tmp_path / "results.jsonl"
    with threadpool_limits(2):
        sweep(radius, GRID, seeds=2, results=path)
    assert path.read_bytes() == expected


def test_a_measurement_is_that_of_its_point_and_seed_alone() -> None:
    """Called by hand with the same two it gives the same, whatever else is in the grid."""

    def measure(point: dict[str, Any], seed: int) -> dict[str, float]:
        return {"draw": np.random.default_rng(seed).normal() * point["a"] + point["b"]}

    def found(grid: Any, seeds: Any = 3) -> dict[tuple[Any, ...], Any]:
        return {(*r.point.values(), r.seed): r.values["draw"] for r in sweep(measure, grid, seeds=seeds)}

    first = found({"a": range(5), "b": [0, 1]})
    assert all(value == measure({"a": a, "b": b}, s)["draw"] for (a, b, s), value in first.items())
    for grid in ({"a": [7, *range(5)], "b": [0, 1]}, {"a": range(5), "b": [-1, 0, 0.5, 1]}, {"a": [3], "b": [1]},
                 [{"a": a, "b": b} for b in (1, 0) for a in range(5)]):  # fmt: skip
        again = found(grid, [2, 0])
        assert len(set(again) & set(first)) >= 2
        assert all(again[key] == first[key] for key in set(again) & set(first))


# ------------------------------------------------------------ stopped and begun again


def count(folder: Path) -> int:
    return len((folder / "notes").read_text().split())


def test_an_interrupted_sweep_goes_on_where_it_was(tmp_path: Path) -> None:
    path, whole = tmp_path / "results.jsonl", tmp_path / "whole.jsonl"
    stop_at = 3
    seen: list[int] = []

    def measure(point: dict[str, Any], seed: int) -> dict[str, Any]:
        seen.append(point["a"])
        if point["a"] == stop_at:
            raise KeyboardInterrupt
        return {"draw": np.random.default_rng(seed).normal()}

    with pytest.raises(SweepInterrupted, match=r"6 of 10 .* again to go on") as caught:
        sweep(measure, {"a": range(5)}, seeds=2, results=path)
    partial = caught.value.sweep
    assert len(partial) == 6 and not partial.complete and np.isnan(partial["draw"][3:]).all()
    assert read_sweep(path).records == partial.records
    stop_at = 99
    seen.clear()
    found = sweep(measure, {"a": range(5)}, seeds=2, results=path)
    assert found.complete and seen == [3, 3, 4, 4]
    sweep(measure, {"a": range(5)}, seeds=2, results=whole)
    assert path.read_bytes() == whole.read_bytes()
    seen.clear()
    assert sweep(measure, {"a": range(5)}, seeds=2, results=path).records == found.records and not seen


def test_an_interrupt_cancels_what_is_pending_and_keeps_what_is_done(tmp_path: Path) -> None:
    path = tmp_path / "results.jsonl"
    futures: list[Future[Any]] = []

    class Stalls(Executor):
        """Finishes the first five when the fourth is asked for; then control-C comes."""

        def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
            future: Future[Any] = Future()
            futures.append(future)
            if len(futures) <= 5:
                future.set_result(fn(*args, **kwargs))
            if len(futures) == 8:
                raise KeyboardInterrupt
            return future

    with pytest.raises(SweepInterrupted) as caught:
        sweep(lambda point, seed: {"b": point["a"]}, {"a": range(9)}, executor=Stalls(), results=path)
    assert len(caught.value.sweep) == len(read_sweep(path)) == 5
    assert [f.cancelled() for f in futures] == [False] * 5 + [True] * 2 + [False]


def test_control_c_in_a_worker_interrupts_the_sweep() -> None:
    class Interrupts(Executor):
        def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
            future: Future[Any] = Future()
            future.set_exception(KeyboardInterrupt())
            return future

    with pytest.raises(SweepInterrupted, match="0 of 3"):
        sweep(fine, {"a": [1, 2, 3]}, executor=Interrupts())


def test_an_error_cancels_what_is_pending() -> None:
    futures: list[Future[Any]] = []

    class Breaks(Executor):
        def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
            futures.append(Future())
            if len(futures) == 3:
                futures[1].set_exception(BrokenExecutor("no power"))
            return futures[-1]

    with pytest.raises(SweepError, match="BrokenExecutor: no power"):
        sweep(fine, {"a": [1, 2, 3]}, executor=Breaks())
    assert [f.cancelled() for f in futures] == [True, False, True]


def stopped(folder: Path, where: str, how: int) -> int:
    """Start a sweep in a process of its own, stop it once some records are there, and say its exit status."""
    path = folder / "results.jsonl"
    command = [sys.executable, str(ROOT / "tests/chains/measures.py"), str(folder), where]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    child = subprocess.Popen(command, env=environment, start_new_session=True, stderr=subprocess.PIPE)
    try:
        deadline = time.monotonic() + 60
        while not path.exists() or path.read_bytes().count(b"\n") < 6:
            assert child.poll() is None and time.monotonic() < deadline, "the sweep did not start"
            time.sleep(0.01)
    finally:
        os.killpg(child.pid, how)
        child.communicate(timeout=60)
    return child.returncode


@pytest.mark.parametrize(("where", "how"), [("here", signal.SIGKILL), ("processes", signal.SIGKILL),
                                            ("processes", signal.SIGINT)])  # fmt: skip
def test_a_killed_sweep_loses_nothing_that_was_finished(where: str, how: int, tmp_path: Path) -> None:
    assert stopped(tmp_path, where, how) != 0
    path = tmp_path / "results.jsonl"
    kept = {r.key: r for r in read_sweep(path)}
    made = count(tmp_path)
    assert 5 <= len(kept) <= made < 40
    assert made - len(kept) <= 5  # those under way, and those that had not been handed over
    measure = functools.partial(noted, folder=str(tmp_path), wait=0.05)
    quick = functools.partial(noted, folder=str(tmp_path))
    with pytest.raises(InputError, match="other settings of the measure"):
        sweep(quick, {"a": range(10)}, seeds=4, results=path)
    with ThreadPoolExecutor(8) as executor:
        found = sweep(measure, {"a": range(10)}, seeds=4, executor=executor, results=path)
        assert count(tmp_path) - made == 40 - len(kept)
        whole = sweep(measure, {"a": range(10)}, seeds=4, executor=executor)
    assert found.records == whole.records
    assert [r for r in found if r.key in kept] == list(kept.values())


def test_a_line_torn_anywhere_is_measured_again(tmp_path: Path) -> None:
    path = tmp_path / "results.jsonl"
    asked: list[int] = []

    def measure(point: dict[str, Any], seed: int) -> dict[str, float]:
        asked.append(seed)
        return {"b": point["a"] / 3}

    sweep(measure, {"a": [1, 2]}, results=path)
    whole = path.read_bytes()
    ends = [k + 1 for k, byte in enumerate(whole) if byte == 10]
    for cut in [*range(0, ends[0], 40), *range(ends[0] - 1, len(whole), 2)]:
        path.write_bytes(whole[:cut])
        asked.clear()
        sweep(measure, {"a": [1, 2]}, results=path)
        assert path.read_bytes() == whole
        assert len(asked) == 2 - sum(end <= cut for end in ends[1:])
    assert list(tmp_path.iterdir()) == [path]


def test_a_torn_line_does_not_damage_the_next(tmp_path: Path) -> None:
    path = tmp_path / "results.jsonl"

    def measure(point: dict[str, Any], seed: int) -> dict[str, float]:
        if point["a"] == stop_at:
            raise KeyboardInterrupt
        return {"b": 1}

    for stop_at in (1, 2, 3):
        with pytest.raises(SweepInterrupted):
            sweep(measure, {"a": range(4)}, results=path)
        assert len(read_sweep(path)) == stop_at
        with open(path, "ab") as file:
            file.write(b'{"place": ')
    assert len(read_sweep(path)) == 3


def test_a_damaged_line_is_an_error_that_names_it(tmp_path: Path) -> None:
    path = tmp_path / "results.jsonl"
    sweep(fine, {"a": [1, 2, 4]}, results=path)
    lines = path.read_bytes().splitlines(keepends=True)
    for bad in (b"{}\n", b"\x00\xff\n", b"[]\n", lines[2].replace(b'"place": 1', b'"place": 7')):
        path.write_bytes(b"".join([*lines[:2], bad, lines[3]]))
        with pytest.raises(ResultsError, match=r"line 3: expected a record.*remove that line"):
            sweep(fine, {"a": [1, 2, 4]}, results=path)


# ------------------------------------------------------------ files that are refused


def test_a_file_of_a_version_that_draws_other_networks_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "results.jsonl"
    sweep(fine, {"a": [1, 2]}, results=path)
    old = path.read_bytes().replace(b"rnnderive sweep 2", b"rnnderive sweep 1")
    path.write_bytes(old)
    for open_it in (lambda: sweep(fine, {"a": [1, 2]}, results=path), lambda: read_sweep(path)):
        with pytest.raises(InputError, match=r"of another version .*draws other networks .*give another path"):
            open_it()
    assert path.read_bytes() == old


def fine(point: dict[str, Any], seed: int) -> dict[str, float]:
    return {"b": point["a"]}


def also_fine(point: dict[str, Any], seed: int) -> dict[str, float]:
    return {"b": point["a"]}


def test_a_file_of_another_sweep_is_refused_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "results.jsonl"
    sweep(fine, {"a": [1, 2]}, results=path)
    before = path.read_bytes()
    others: list[tuple[Any, Any, Any, str]] = [
        (fine, {"a": [1, 3]}, 1, "another grid"),
        (fine, {"a": [1, 2], "c": [0]}, 1, "another grid"),
        (fine, [{"a": 1}, {"a": 2}], 1, "another grid and other points"),
        (fine, {"a": [1, 2]}, 2, "other seeds"),
        (also_fine, {"a": [1, 2]}, 1, "another measure"),
        (functools.partial(fine), {"a": [1, 2]}, 1, "other settings"),
    ]
    for measure, grid, seeds, words in others:
        with pytest.raises(InputError, match=f"holds results of {words}.*give another path"):
            sweep(measure, grid, seeds=seeds, results=path)
        assert path.read_bytes() == before


def test_a_measure_whose_text_has_changed_is_another_but_not_its_layout(tmp_path: Path) -> None:
    def defined(text: str) -> Any:
        module = tmp_path / f"measure{len(list(tmp_path.iterdir()))}.py"
        module.write_text(text)
        space: dict[str, Any] = {"__name__": "mine"}
        exec(compile(text, str(module), "exec"), space)
        return space["measure"]

    path = tmp_path / "results.jsonl"
    sweep(defined("def measure(p, seed):\n    return {'b': p['a']}\n"), {"a": [1]}, results=path)
    sweep(defined("def measure(p, seed):  # new\n    return {\n'b': p['a']}\n"), {"a": [1]}, results=path)
    with pytest.raises(InputError, match="an earlier or later text of the measure"):
        sweep(defined("def measure(p, seed):\n    return {'b': -p['a']}\n"), {"a": [1]}, results=path)


@pytest.mark.parametrize("content", [b"my notes", b"my notes\n", b'{"format": "something"}\n', b"[1, 2]\n", b"\xff\n"])
def test_a_file_that_is_no_results_file_is_left_alone(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"not a results file of a sweep: it begins with .* give another path"):
        sweep(fine, {"a": [1]}, results=path)
    with pytest.raises(InputError, match="not a results file"):
        read_sweep(path)
    assert path.read_bytes() == content


def test_a_path_that_cannot_be_written_is_said_before_anything_is_measured(tmp_path: Path) -> None:
    def never(point: dict[str, Any], seed: int) -> dict[str, float]:
        raise AssertionError

    (tmp_path / "file").write_text("")
    with pytest.raises(ResultsError, match=r"cannot open the results file .*file/results.jsonl"):
        sweep(never, {"a": [1]}, results=tmp_path / "file" / "results.jsonl")
    for odd in (tmp_path, "/dev/full"):
        with pytest.raises(ResultsError, match="not an ordinary file"):
            sweep(never, {"a": [1]}, results=odd)
    with pytest.raises(ResultsError, match="cannot read the results file"):
        read_sweep(tmp_path / "none")


def test_a_full_disk_is_a_clear_error_and_the_sweep_goes_on_later(tmp_path: Path) -> None:
    path = tmp_path / "results.jsonl"
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1500, hard))  # the system writes a part, then refuses
    try:
        with pytest.raises(ResultsError, match=r"cannot write .* File too large; .* run the same sweep again"):
            sweep(fine, {"a": range(40)}, results=path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert path.stat().st_size == 1500
    assert 5 < len(read_sweep(path)) < 40
    assert sweep(fine, {"a": range(40)}, results=path).complete and len(read_sweep(path)) == 40


@pytest.mark.skipif(sys.platform == "win32", reason="no locks there")
def test_two_runs_of_one_sweep_do_not_share_a_file(tmp_path: Path) -> None:
    path = tmp_path / "results.jsonl"

    def measure(point: dict[str, Any], seed: int) -> dict[str, float]:
        with pytest.raises(ResultsError, match="in use by another run"):
            sweep(measure, {"a": [1]}, results=path)
        return {"b": 1}

    assert not sweep(measure, {"a": [1]}, results=path).failures


def test_a_link_stays_a_link(tmp_path: Path) -> None:
    link = tmp_path / "link"
    link.symlink_to(tmp_path / "there.jsonl")
    sweep(radius, GRID, seeds=2, executor=Backwards(), results=link)
    assert link.is_symlink() and len(read_sweep(tmp_path / "there.jsonl")) == 12


# ------------------------------------------------------------ what goes wrong in a measure, or in an executor


@pytest.mark.parametrize("make", [lambda: None, lambda: ThreadPoolExecutor(2)])
def test_a_measure_that_raises_loses_no_other(make: Any, tmp_path: Path) -> None:
    path = tmp_path / "results.jsonl"
    with pytest.warns(RuntimeWarning, match=r"2 of 6 .* failed, the first at {'a': 2}, seed 0: Zero.*: a is two"):
        found = sweep(fails_at_two, {"a": [1, 2, 3]}, seeds=2, executor=make(), results=path)
    assert [(r.point["a"], r.seed, r.error) for r in found.failures] == [
        (2, 0, "ZeroDivisionError: a is two"), (2, 1, "ZeroDivisionError: a is two"),
    ]  # fmt: skip
    assert "raise ZeroDivisionError" in found.failures[0].traceback
    np.testing.assert_array_equal(found["inverse"], [[-1, -1], [np.nan, np.nan], [1, 1]])
    assert found.complete and read_sweep(path).records == found.records
    assert "2 failed" in repr(found) and "a is two" in found._repr_html_()


def test_failures_are_measured_again(tmp_path: Path) -> None:
    path = tmp_path / "results.jsonl"
    well = False
    asked: list[int] = []

    def measure(point: dict[str, Any], seed: int) -> dict[str, float]:
        asked.append(point["a"])
        if point["a"] == 2 and not well:
            raise MemoryError
        return {"b": 1}

    with pytest.warns(RuntimeWarning):
        sweep(measure, {"a": [1, 2, 3]}, results=path)
    well = True
    assert not sweep(measure, {"a": [1, 2, 3]}, results=path).failures
    assert asked == [1, 2, 3, 2] and not read_sweep(path).failures


@pytest.mark.parametrize(
    ("returned", "words"),
    [
        (3.0, "returned float, expected a dict of numbers"),
        ({"b": "3"}, "returned 'b': found str, expected a real number"),
        ({"b": np.ones(2)}, r"found ndarray of shape \(2,\)"),
        ({"b": 1j}, "found complex"),
        ({"a": 1}, "the name 'a', which is taken"),
        ({"seed": 1}, "the name 'seed', which is taken"),
        ({1: 1}, "the name 1, which is taken, or is no string"),
    ],
)
def test_what_a_measure_returns_is_checked(returned: Any, words: str) -> None:
    with pytest.warns(RuntimeWarning, match=words):
        sweep(lambda point, seed: returned, {"a": [1]})


def test_a_worker_that_dies_is_an_error_and_loses_nothing_done(tmp_path: Path) -> None:
    path = tmp_path / "results.jsonl"
    with processes(1) as executor, pytest.raises(SweepError, match=r"BrokenProcessPool.*a worker died"):
        sweep(dies, {"a": range(5)}, executor=executor, results=path)
    assert [r.point["a"] for r in read_sweep(path)] == [0, 1, 2]


def test_a_measure_that_cannot_be_sent_is_an_error() -> None:
    with processes(1) as executor, pytest.raises(SweepError, match="stands at the top of a module"):
        sweep(lambda point, seed: {}, {"a": range(3)}, executor=executor)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((None, {"a": [1]}), "measure is None"),
        ((fine, {"a": 1}), r"a is 1; expected a list, also for a single value: \[1\]"),
        ((fine, {"a": "tanh"}), "a is 'tanh'; expected a list"),
        ((fine, {"a": []}), "the grid has no point"),
        ((fine, []), "the grid has no point"),
        ((fine, [1, 2]), "a list with 1 in it; expected points"),
        ((fine, [{"a": 1}, {"b": 1}]), "different names"),
        ((fine, {"seed": [1]}), "the name 'seed'"),
        ((fine, {1: [1]}), "the name 1"),
        ((fine, {"a": [np.inf]}), "a has the value inf"),
        ((fine, {"a": [np.ones(2)]}), r"a value of a in the grid: found ndarray of shape \(2,\)"),
    ],
)
def test_a_grid_that_is_none_is_refused(arguments: Any, words: str) -> None:
    with pytest.raises(InputError, match=words):
        sweep(*arguments)


@pytest.mark.parametrize("seeds", [0, -1, [], [-1], [1, 1], [0.5], 1.5, "ab"])
def test_seeds_that_are_none_are_refused(seeds: Any) -> None:
    with pytest.raises(InputError, match="expected how many"):
        sweep(fine, {"a": [1]}, seeds=seeds)


def test_an_executor_that_is_none_is_refused() -> None:
    class Client:
        def get_executor(self) -> None: ...

    with pytest.raises(InputError, match=r"give client.get_executor\(\)"):
        sweep(fine, {"a": [1]}, executor=Client())  # type: ignore[arg-type]
    with pytest.raises(InputError, match=r"such as processes\(2\)"):
        sweep(fine, {"a": [1]}, executor=4)  # type: ignore[arg-type]


# ------------------------------------------------------------ the table


def test_numbers_of_every_kind_come_back_from_the_file(tmp_path: Path) -> None:
    path = tmp_path / "results.jsonl"
    values = {
        "nan": np.nan, "up": np.inf, "down": -np.inf, "tiny": 5e-324, "tenth": np.float64(0.1), "zero": -0.0,
        "single": np.float32(0.1), "large": 2**70, "true": np.True_, "array": np.array(7),
    }  # fmt: skip
    found = sweep(
        lambda point, seed: values, {"a": [1, np.float64(0.5), "x", None, True, (1, (2.0, "y"))]}, results=path
    )
    for line in path.read_text().splitlines():
        json.loads(line, parse_constant=lambda word: pytest.fail(f"{word} is not JSON"))
    again = read_sweep(path)
    assert again.points == found.points and again.axes == found.axes
    assert again.axes == {"a": (1, 0.5, "x", None, True, (1, (2.0, "y")))}
    for one, other in zip(found, again, strict=True):
        assert repr(one.values) == repr(other.values)


def test_grids_are_in_the_order_of_their_axes() -> None:
    def measure(point: dict[str, Any], seed: int) -> dict[str, float]:
        return {"code": 10 * point["a"] + point["b"]}

    found = sweep(measure, {"a": [1, 2, 3], "b": [4, 5]}, seeds=3)
    np.testing.assert_array_equal(found.grid("code"), [[14, 15], [24, 25], [34, 35]])
    assert found.grid("code", None).shape == (3, 2, 3)
    with pytest.raises(InputError, match="no axes"):
        sweep(measure, [{"a": 1, "b": 2}]).grid("code")
    with pytest.raises(InputError, match="there are code"):
        found.grid("cod")


def test_quantiles_over_seeds() -> None:
    draws = iter([*np.random.default_rng(0).standard_normal(8), *[-np.inf] * 7, 3.0, np.nan, *[1.0] * 7, *[0.1] * 8])
    found = sweep(lambda point, seed: {"x": next(draws)}, {"a": [1, 2, 3, 4]}, seeds=8)
    q = [0, 0.1, 0.5, 0.9, 1]
    band = found.quantiles("x", q)
    np.testing.assert_allclose(band[:, 0], np.quantile(found["x"][0], q), rtol=1e-14)
    np.testing.assert_array_equal(band[:, 1], [-np.inf, -np.inf, -np.inf, -np.inf, 3])
    assert np.isnan(band[:, 2]).all()  # a NaN that was measured is not hidden
    assert set(found.quantiles("x", np.linspace(0, 1, 99))[:, 3]) == {0.1}
    assert found.median("x")[0] == pytest.approx(np.median(found["x"][0]))
    with pytest.raises(InputError, match="from 0 to 1"):
        found.quantiles("x", 50)


def test_a_seed_without_a_result_is_left_out_of_quantiles() -> None:
    def measure(point: dict[str, Any], seed: int) -> dict[str, float]:
        if not draws:
            raise ValueError("no more")
        return {"x": draws.pop()}

    draws = [3.0, 2.0, 1.0]
    with pytest.warns(RuntimeWarning, match="2 of 5"):
        assert sweep(measure, {"a": [1]}, seeds=5).median("x")[0] == 2.0


def test_the_table_in_commas_and_in_html(tmp_path: Path) -> None:
    def measure(point: dict[str, Any], seed: int) -> dict[str, float]:
        if point["cell"] == "a,b":
            raise ValueError("<no>")
        return {"x": np.nan if seed % 2 else np.inf, "y": 0.1}

    with pytest.warns(RuntimeWarning):
        found = sweep(measure, {"cell": ["<lstm>", "a,b"]})
    assert found.to_csv(tmp_path / "t.csv").splitlines() == [
        "cell,seed,x,y,error", f"<lstm>,0,{found['x'][0, 0]},0.1,", '"a,b",0,,,ValueError: <no>',
    ]  # fmt: skip
    assert (tmp_path / "t.csv").read_bytes().decode() == found.to_csv()
    shown = found._repr_html_()
    assert "&lt;lstm&gt;" in shown and "&lt;no&gt;" in shown and "<no>" not in shown
    assert str(found).splitlines()[0].split() == ["cell", "x", "y", "failed"]
    with pytest.raises(ResultsError, match="cannot write"):
        found.to_csv(tmp_path / "none" / "t.csv")


def test_a_bar_is_shown_on_a_terminal_only(capsys: pytest.CaptureFixture[str]) -> None:
    sweep(fine, {"a": [1, 2]})
    assert capsys.readouterr() == ("", "")
    sweep(fine, {"a": [1, 2]}, progress=True)
    out, err = capsys.readouterr()
    assert not out and "2/2" in err


def test_a_measure_does_not_change_the_points() -> None:
    def measure(point: dict[str, Any], seed: int) -> dict[str, float]:
        return {"b": point.pop("a")}

    assert [r.point for r in sweep(measure, {"a": [1, 2]})] == [{"a": 1}, {"a": 2}]


def test_measures_module_is_what_workers_import() -> None:
    assert measures.radius.__module__ == "tests.chains.measures"


ENDED_AT_ITS_START = """
import os, signal
from rnnderive.chains import SweepInterrupted, processes, sweep

def measure(point, seed):
    return {"a": 1.0}

if __name__ == "__mp_main__":
    try:
        os.close(os.open(__file__ + ".once", os.O_CREAT | os.O_EXCL))
        os.killpg(0, signal.SIGINT)  # control-C, while the first worker starts
    except FileExistsError:
        pass

if __name__ == "__main__":
    try:
        with processes(2) as pool:
            sweep(measure, {"a": [1, 2, 3]}, executor=pool, progress=True)
    except SweepInterrupted as stopped:
        print(stopped)
"""


def test_workers_that_are_interrupted_at_their_start_say_nothing(tmp_path):
    (tmp_path / "script.py").write_text(ENDED_AT_ITS_START)
    done = subprocess.run(
        [sys.executable, str(tmp_path / "script.py")],
        capture_output=True, text=True, start_new_session=True, timeout=60, check=False,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # a run in the background switches it off
    )  # fmt: skip
    assert done.stdout.startswith("0 of 3 measurements were done") and "Traceback" not in done.stderr
    assert "starting the workers" in done.stderr
