"""The race: every contestant on the same work, in turn, in rounds, with the machine's noise beside it."""

from __future__ import annotations

import json
import os
import select
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from threadpoolctl import threadpool_limits

from benchmarks.agreement import TOLERANCES, Result, largest_difference
from benchmarks.clock import calibrate, repetitions
from benchmarks.floor import floor
from benchmarks.peers import ours
from benchmarks.results import Results, stamp
from benchmarks.table import PEERS, environment
from benchmarks.work import Work, typed

__all__ = ["race"]

PATIENCE = 300.0  # seconds that a contestant may take to be built, PyTensor's compiler included
# A contestant that takes long gets fewer samples: about so many seconds in all, but not fewer than these.
BUDGET, FEWEST = 6.0, 5
CALLS = 5  # of the calibration, in a sample of it


class Process:
    """A worker: :mod:`benchmarks.worker` behind a pipe."""

    def __init__(self, peer: str, threads: int) -> None:
        self.peer, self.threads = peer, threads
        self.start()

    def start(self) -> None:
        """Start the process, anew where it has ended."""
        self.process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.worker", self.peer, str(self.threads)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
            env=os.environ | environment(self.threads),
        )  # fmt: skip

    def ask(self, order: Mapping[str, Any], patience: float = PATIENCE) -> dict[str, Any]:
        """The worker's answer, or that there is none."""
        assert self.process.stdin and self.process.stdout
        try:
            print(json.dumps(order), file=self.process.stdin, flush=True)
        except BrokenPipeError:
            return {"unavailable": "its process has ended"}
        if not select.select([self.process.stdout], [], [], patience)[0]:
            self.end()
            return {"unavailable": f"no result after {patience:.0f} s"}
        line = self.process.stdout.readline()
        return json.loads(line) if line else {"unavailable": "its process has ended"}

    def end(self) -> None:
        """Stop the process."""
        self.process.kill()
        self.process.wait()


@contextmanager
def processes(peers: Iterable[str], threads: int) -> Iterator[dict[str, Process]]:
    """A worker for each contestant, ended at the end."""
    with ExitStack() as stack:
        found = {}
        for peer in peers:
            found[peer] = Process(peer, threads)
            stack.callback(found[peer].end)
        yield found


@contextmanager
def held(threads: int) -> Iterator[None]:
    """This process, and those that it starts, on the last so many processors; BLAS on one of them.

    So the machine's speed is measured where the contestants run.
    """
    with threadpool_limits(1):
        if not hasattr(os, "sched_setaffinity"):
            yield
            return
        everywhere = os.sched_getaffinity(0)
        os.sched_setaffinity(0, sorted(everywhere)[-threads:])
        try:
            yield
        finally:
            os.sched_setaffinity(0, everywhere)


def race(works: Iterable[Work], peers: Iterable[str], results: Results, *, rounds: int, sample: float) -> None:
    """Run what the results do not have yet of this machine and this code, and save after every work.

    Parameters
    ----------
    works : iterable of Work
    peers : iterable of str
        Names in :data:`benchmarks.table.PEERS`.
    results : Results
        Read and written.
    rounds : int
        Samples of each contestant.
    sample : float
        About how many seconds one sample lasts; one call where a call takes longer.
    """
    peers, works = list(peers), [w for w in works if not results.has(w.key)]
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns) as bar:
        shown = bar.add_task("", total=len(works) * (len(peers) + rounds))
        for threads in sorted({w.threads for w in works}):
            with held(threads), processes(peers, threads) as workers:
                for work in (w for w in works if w.threads == threads):

                    def tell(what: str, work: Work = work) -> None:
                        bar.update(shown, description=f"{work.key}: {what}")
                        bar.advance(shown)

                    results.races[work.key] = {"of": stamp(), **one(work, workers, rounds, sample, tell)}
                    results.save()


def one(work: Work, workers: Mapping[str, Process], rounds: int, sample: float, tell: Any) -> dict[str, Any]:
    """The row of one work."""
    expected = reference(work)
    table: dict[str, dict[str, Any]] = {}
    with tempfile.TemporaryDirectory() as folder:
        for peer, worker in workers.items():
            tell(PEERS[peer].title)
            table[peer] = built(worker, work, Path(folder) / f"{peer}.npz", expected)
    running = {peer: row for peer, row in table.items() if "once" in row and row["error"] <= TOLERANCES[work.dtype]}
    times = {peer: repetitions(row["once"], sample) for peer, row in running.items()}
    for row in running.values():
        row["wall"], row["cpu"] = [], []
    calibration: dict[str, list[float]] = {"wall": [], "cpu": []}
    order = list(running)
    for k in range(rounds):
        tell(f"round {k + 1} of {rounds}")
        calibrated(calibration)
        for peer in order[k % len(order) :] + order[: k % len(order)] if order else ():
            if len(running[peer]["wall"]) >= max(FEWEST, BUDGET / running[peer]["once"]):
                continue
            answer = workers[peer].ask({"do": "run", "times": times[peer]})
            for clock in ("wall", "cpu"):
                if clock in answer:
                    running[peer][clock].append(answer[clock])
        calibrated(calibration)
    bound = floor(work.of.equations, work.sizes, work.size.T, work.size.B, work.dtype, work.threads)
    return {
        "peers": table,
        "calibration": calibration,
        "floor": {"seconds": bound.seconds, "products": bound.products, "flops": bound.flops,
                  "elements": bound.elements},
    }  # fmt: skip


def calibrated(samples: dict[str, list[float]]) -> None:
    """One more sample of the machine's own speed, by both clocks; the caches are filled beforehand."""
    calibrate()
    wall, cpu = time.perf_counter(), time.process_time()
    for _ in range(CALLS):
        calibrate()
    samples["wall"].append((time.perf_counter() - wall) / CALLS)
    samples["cpu"].append((time.process_time() - cpu) / CALLS)


def built(worker: Process, work: Work, place: Path, expected: Result) -> dict[str, Any]:
    """What the worker says of building, and how far its result is from what is expected."""
    if worker.process.poll() is not None:
        worker.start()
    answer = worker.ask({"do": "build", "network": work.network, "size": list(work.size), "dtype": work.dtype,
                         "threads": work.threads, "save": str(place)})  # fmt: skip
    if "unavailable" in answer:
        return answer
    with np.load(place) as file:
        found = float(file["loss"]), {name[5:]: file[name] for name in file.files if name.startswith("grad ")}
    return answer | {"error": largest_difference(found, expected)}


def reference(work: Work) -> Result:
    """Value and gradient by our NumPy program in float64, on the arrays that everybody gets."""
    alone = Work(work.network, work.size)
    task = ours.build(alone, *(typed(a, "float64") for a in work.arrays()))
    return task.read(task.run())
