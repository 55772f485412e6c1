"""A few seconds: ours beside the plain loop and the floor, to tune by.

For one thread it reads the processor's time, not the wall's, so that it says something on a busy
machine too.
"""

from __future__ import annotations

import time
from collections.abc import Iterable

from threadpoolctl import threadpool_limits

from benchmarks.agreement import TOLERANCES, largest_difference
from benchmarks.clock import median, noise, rounds
from benchmarks.floor import floor
from benchmarks.peers import Task, ours, plain
from benchmarks.peers.task import Unavailable
from benchmarks.work import Work

__all__ = ["BACKENDS", "compare"]

BACKENDS = {
    "numpy": {},
    "unchecked": {"checked": False},
    "numpy, reuse": {"reuse": True},
    "numba": {"backend": "numba"},
}


def compare(works: Iterable[Work], count: int = 15) -> None:
    """Print a line for each work: the times, and their ratios to ours on NumPy."""
    names = [*BACKENDS, "plain", "floor"]
    print(f"{'':34}" + "".join(f"{n:>20}" for n in names) + "   noise", flush=True)
    for work in works:
        with threadpool_limits(1):
            print(_line(work, count), flush=True)


def _line(work: Work, count: int) -> str:
    params, inputs = work.arrays()
    tasks: dict[str, Task] = {}
    for name, options in BACKENDS.items():
        try:
            tasks[name] = ours.build(work, params, inputs, **options)
        except Unavailable:
            continue
    if work.threads == 1:
        tasks["plain"] = plain.build(work, params, inputs)
    clock = time.process_time if work.threads == 1 else time.perf_counter
    samples = rounds({n: task.run for n, task in tasks.items()}, count, clock=clock)
    results = {n: task.read(task.run()) for n, task in tasks.items()}
    cells = {n: median(samples[n]) for n in tasks}
    cells["floor"] = floor(work.of.equations, work.sizes, work.size.T, work.size.B, work.dtype).seconds
    base = cells.get("numpy")
    out = f"{work.key:34}"
    for name in (*BACKENDS, "plain", "floor"):
        if name not in cells:
            out += f"{'not available':>20}"
            continue
        wrong = name in results and "plain" in results and (
            largest_difference(results[name], results["plain"]) > TOLERANCES[work.dtype]
        )  # fmt: skip
        ratio = f" ×{cells[name] / base:.2f}" if base else ""
        out += f"{'WRONG ' if wrong else ''}{shown(cells[name])}{ratio}".rjust(20)
    return f"{out}   {noise(samples['calibration']):.0%}"


def shown(seconds: float) -> str:
    """Seconds in the unit that suits them.

    >>> shown(0.00012345), shown(0.51)
    ('123 µs', '510 ms')
    """
    for unit, factor in (("µs", 1e6), ("ms", 1e3)):
        if seconds * factor < 999.5:
            return f"{seconds * factor:.3g} {unit}"
    return f"{seconds:.3g} s"
