"""Sweeps: one measure at every point of a grid, for several seeds, on any executor.

A measurement depends on its point and its seed alone, never on where or when it is made, nor on what
else is in the grid: the measure gets both as they are, and linear algebra is held to one thread,
because its last digits depend on how many there are.  So the same sweep gives the same bytes in one
process, on many, on a cluster, interrupted or not, and a measurement is found again by hand.
"""

from __future__ import annotations

import dataclasses
import functools
import os
import pickle
import signal
import sys
import traceback
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import BrokenExecutor, Executor, Future, ProcessPoolExecutor, as_completed
from contextlib import contextmanager, nullcontext
from multiprocessing import get_context, resource_tracker
from typing import Any

from threadpoolctl import ThreadpoolController

from rnnderive.chains.plan import Grid, Measure, axes_of, expand, header_of
from rnnderive.chains.results import Number, Record, ResultsFile, number, read_results
from rnnderive.chains.table import Sweep
from rnnderive.errors import InputError, RnnDeriveError

__all__ = ["SweepError", "SweepInterrupted", "processes", "read_sweep", "sweep"]


class SweepError(RnnDeriveError):
    """An executor that cannot do its work."""


class SweepInterrupted(KeyboardInterrupt):
    """Control-C during a sweep.

    Attributes
    ----------
    sweep : Sweep
        What was measured until then.
    """

    def __init__(self, sweep: Sweep, left: str) -> None:
        super().__init__(f"{len(sweep)} of {sweep.size} measurements were done{left}")
        self.sweep = sweep


def sweep(
    measure: Measure,
    grid: Grid,
    *,
    seeds: int | Iterable[int] = 1,
    executor: Executor | None = None,
    results: str | os.PathLike[str] | None = None,
    progress: bool | None = None,
) -> Sweep:
    """Measure at every point of a grid, for every seed.

    Parameters
    ----------
    measure : callable
        ``measure(point, seed)`` takes a dict and one of `seeds`, and returns a dict of numbers.
        For worker processes it stands at the top of a module, or is a ``functools.partial`` of one that does.
    grid : mapping or list of mappings
        Name → values, for every combination of them; or the points themselves.  A value is a finite
        number, a string, a truth value, None, or a tuple of such.
    seeds : int or ints
        How many (0, 1, …), or which.  A seed is the same at every point, so that points differ by
        what they are and not by chance.
    executor : concurrent.futures.Executor, optional
        Where to measure: in this process unless given.  :func:`processes` makes one of processes on this
        machine; ``dask.distributed.Client(…).get_executor()`` is one on a cluster (the extra ``cluster``).
    results : path, optional
        A file to keep records in as they are made.  If it holds records of this very sweep, they are
        not measured again; failures are.
    progress : bool, optional
        Whether to show a bar; by default when the standard error is a terminal.

    Returns
    -------
    Sweep
        In the order of the grid.  A measure that raised has a record that says so, in
        ``Sweep.failures``, and a warning tells how many there are.

    Raises
    ------
    InputError
        For a grid or seeds that are none, and when `results` is of another sweep.
    ResultsError
        When `results` cannot be written, such as on a full disk.
    SweepError
        When the executor breaks down.
    SweepInterrupted
        On control-C: pending measurements are cancelled, and what is done is kept.

    Notes
    -----
    Results are the same bytes as long as the processors are of one kind: linear algebra chooses its
    instructions by the processor.

    Examples
    --------
    >>> import numpy as np
    >>> def walk(point, seed):
    ...     steps = np.random.default_rng(seed).normal(0, point["scale"], size=point["T"])
    ...     return {"end": steps.sum()}
    >>> found = sweep(walk, {"scale": [0.0, 1.0], "T": [1, 100]}, seeds=50)
    >>> found
    <Sweep: 4 points (2 scale × 2 T) × 50 seeds; end>
    >>> found.grid("end").shape
    (2, 2)
    >>> found.median("end")[:2].tolist()
    [0.0, 0.0]
    """
    if not callable(measure):
        raise InputError(f"measure is {measure!r}; expected a function of a point and a seed")
    if executor is not None and not isinstance(executor, Executor):
        hint = "; give client.get_executor()" if hasattr(executor, "get_executor") else ", such as processes(2)"
        raise InputError(f"executor is {executor!r}; expected a concurrent.futures.Executor{hint}")
    header = header_of(measure, grid, seeds)
    points, chosen = expand(header)
    tasks = {(k, s): point for k, point in enumerate(points) for s in chosen}
    file = ResultsFile(results, header, points, chosen) if results is not None else None
    with file or nullcontext(), _one_thread():
        done = {key: r for key, r in file.found.items() if not r.error} if file else {}

        def value() -> Sweep:
            return Sweep(points, chosen, tuple(done[k] for k in tasks if k in done), axes_of(header))

        missing = {key: point for key, point in tasks.items() if key not in done}
        try:
            with _shown(
                len(tasks), len(done), progress, "" if executor is None else "starting the workers …"
            ) as advance:

                def keep(record: Record) -> None:
                    if file:
                        file.keep(record)
                    done[record.key] = record
                    advance(record)

                _measure(measure, missing, executor, keep)
        except KeyboardInterrupt:
            kept = f"; they are in {file.path}: run the same sweep again to go on" if file else ""
            raise SweepInterrupted(value(), kept) from None
        if file:
            file.finish(done[key] for key in tasks)
    found = value()
    if found.failures:
        first = found.failures[0]
        warnings.warn(
            f"{len(found.failures)} of {found.size} measurements failed, the first at {dict(first.point)}, "
            f"seed {first.seed}: {first.error}; all are in Sweep.failures",
            RuntimeWarning,
            stacklevel=2,
        )
    return found


def read_sweep(path: str | os.PathLike[str]) -> Sweep:
    """The results of a sweep from its file, finished or not.

    Raises
    ------
    InputError, ResultsError
        When the file is none of a sweep, is damaged, or cannot be read.
    """
    header, records = read_results(path, expand)
    points, seeds = expand(header)
    order = [(k, s) for k in range(len(points)) for s in seeds]
    return Sweep(points, seeds, tuple(records[k] for k in order if k in records), axes_of(header))


def processes(workers: int | None = None) -> ProcessPoolExecutor:
    """Worker processes on this machine, for :func:`sweep`.

    They are started afresh, not forked: a forked process inherits locks of threads that it has not.

    Parameters
    ----------
    workers : int, optional
        How many; by default one for each processor core that this process may use.
    """
    if workers is None:
        usable = getattr(os, "sched_getaffinity", None)
        workers = len(usable(0)) if usable else os.cpu_count()
    return _Workers(workers, mp_context=get_context("spawn"), initializer=_end_without_a_word)


class _Workers(ProcessPoolExecutor):
    """Processes that control-C ends without a word of their own, also while they start: this one speaks for all."""

    def submit(self, *task: Any, **named: Any) -> Future[Any]:
        with _interrupts_waiting():
            return super().submit(*task, **named)


@contextmanager
def _interrupts_waiting() -> Iterator[None]:
    """Control-C waits; a process that is started meanwhile inherits that."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    resource_tracker.ensure_running()  # started inside, it would let interrupts through again
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _end_without_a_word() -> None:
    """In a worker that is ready: control-C ends it, as it does a program that is not Python's."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    if hasattr(signal, "pthread_sigmask"):
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})


def _measure(
    measure: Measure,
    tasks: Mapping[tuple[int, int], dict[str, Any]],
    executor: Executor | None,
    keep: Callable[[Record], None],
) -> None:
    """Measure all, and keep each record as soon as it is made."""
    if executor is None:
        for (place, seed), point in tasks.items():
            keep(_one(measure, place, seed, point))
        return
    pending: dict[Future[Record], Record] = {}
    try:
        for (place, seed), point in tasks.items():
            pending[_submitted(executor, measure, place, seed, point)] = Record(place, seed, point)
        for future in as_completed(list(pending)):
            keep(_outcome(future, pending[future]))
            del pending[future]
    except KeyboardInterrupt:
        for future in pending:
            future.cancel()
        for future in pending:
            if future.done() and not future.cancelled() and future.exception() is None:
                keep(future.result())
        raise
    finally:
        for future in pending:
            future.cancel()


def _one(measure: Measure, place: int, seed: int, point: dict[str, Any]) -> Record:
    """One measurement; runs where the executor runs it."""
    _hold_to_one_thread()
    try:
        found = measure(dict(point), seed)
        return Record(place, seed, point, _numbers(found, point))
    except Exception as error:
        words = f"{type(error).__name__}: {error}"
        return Record(place, seed, point, error=words, traceback=traceback.format_exc())


def _numbers(found: Any, point: Mapping[str, Any]) -> dict[str, Number]:
    if not isinstance(found, Mapping):
        raise InputError(f"the measure returned {type(found).__name__}, expected a dict of numbers")
    values = {}
    for name, value in found.items():
        if not isinstance(name, str) or name in point or name in ("seed", "error"):
            raise InputError(f"the measure returned the name {name!r}, which is taken, or is no string; choose another")
        try:
            values[name] = number(value)
        except InputError as error:
            raise InputError(f"the measure returned {name!r}: {error}") from None
    return values


def _submitted(executor: Executor, *task: Any) -> Future[Record]:
    try:
        return executor.submit(_one, *task)
    except Exception as error:
        raise _broken(error) from error


def _outcome(future: Future[Record], task: Record) -> Record:
    """The record of a future.  What the measure raised is in it; what is raised here is the executor's."""
    if future.cancelled():
        raise SweepError("the executor cancelled what it was given: it, or its cluster, was shut down")
    error = future.exception()
    if error is None:
        return future.result()
    if isinstance(error, KeyboardInterrupt):  # control-C reaches the workers too
        raise KeyboardInterrupt from error
    if isinstance(error, BrokenExecutor | pickle.PicklingError | AttributeError | TypeError):
        raise _broken(error) from error
    # A cluster that lost one worker goes on with the others.
    return dataclasses.replace(task, error=f"{type(error).__name__}: {error}")


def _broken(error: BaseException) -> SweepError:
    if isinstance(error, BrokenExecutor):
        hint = (
            "a worker died (out of memory?), or could not start: a script that uses processes begins its work under "
            'if __name__ == "__main__":, and its measure stands at the top of a file'
        )
    else:
        hint = "a measure for worker processes stands at the top of a module, and what it is given can be pickled"
    return SweepError(f"the executor cannot go on, {type(error).__name__}: {error}; {hint}")


@contextmanager
def _one_thread() -> Iterator[None]:
    """Linear algebra in this process on one thread, as long as a sweep runs."""
    with ThreadpoolController().limit(limits=1):
        yield


@functools.cache
def _hold_to_one_thread() -> None:
    """The same in a worker, for good; in the process of the sweep it is so already."""
    ThreadpoolController().limit(limits=1)


@contextmanager
def _shown(size: int, done: int, progress: bool | None, first: str) -> Iterator[Callable[[Record], None]]:
    """A bar on the standard error, if wanted; until there is a measurement it says what is done first."""
    if not (sys.stderr.isatty() if progress is None else progress):
        yield lambda record: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (
        TextColumn("sweep"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.description}"),
    )
    with Progress(*columns, console=Console(stderr=True)) as bar:
        task, failed = bar.add_task(first, total=size, completed=done), 0

        def advance(record: Record) -> None:
            nonlocal failed
            failed += bool(record.error)
            bar.update(task, advance=1, description=f"[red]{failed} failed" if failed else "")

        yield advance
