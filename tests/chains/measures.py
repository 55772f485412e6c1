"""Measures at the top of a module, so that worker processes find them; run as a script, a sweep to be killed."""

from __future__ import annotations

import os
import sys
import time
from concurrent.futures import Executor
from pathlib import Path
from typing import Any

import numpy as np

GRID = {"gain": [0.5, 1.0, 1.5], "n": [4, 200]}


def radius(point: dict[str, Any], seed: int) -> dict[str, float]:
    """The spectral radius of a random matrix: its last digits depend on how many threads there are."""
    rng = np.random.default_rng(seed)
    u = rng.standard_normal((point["n"], point["n"])) * point["gain"] / np.sqrt(point["n"])
    return {"radius": np.abs(np.linalg.eigvals(u)).max(), "rows": len(u)}


def noted(point: dict[str, Any], seed: int, folder: str, wait: float = 0.0) -> dict[str, float]:
    """A measure that leaves a note each time it is made."""
    time.sleep(wait)
    with open(Path(folder) / "notes", "a") as notes:
        notes.write(f"{point['a']}\n")
    return {"draw": np.random.default_rng(seed).standard_normal()}


def fails_at_two(point: dict[str, Any], seed: int) -> dict[str, float]:
    """Not defined everywhere."""
    if point["a"] == 2:
        raise ZeroDivisionError("a is two")
    return {"inverse": 1 / (point["a"] - 2)}


def dies(point: dict[str, Any], seed: int) -> dict[str, float]:
    """A worker that the system kills."""
    if point["a"] == 3:
        os._exit(9)
    return {"a": point["a"]}


def main(folder: str, where: str) -> None:
    """A slow sweep, for a test to stop."""
    import functools

    from rnnderive.chains.sweep import processes, sweep

    executor: Executor | None = processes(2) if where == "processes" else None
    measure = functools.partial(noted, folder=folder, wait=0.05)
    sweep(measure, {"a": range(10)}, seeds=4, executor=executor, results=Path(folder) / "results.jsonl")


if __name__ == "__main__":
    from tests.chains import measures  # by its full name, as the test knows it

    measures.main(*sys.argv[1:])
