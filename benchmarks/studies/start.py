"""How long ``import rnnderive`` takes, and what of it is Python's own start and its libraries'."""

from __future__ import annotations

import resource
import subprocess
import sys
import time
from typing import Any

from benchmarks.clock import median

__all__ = ["study"]

STATEMENTS = ("pass", "import numpy", "import sympy", "import rnnderive")


def study(quick: bool = False) -> dict[str, Any]:
    """Median seconds of a whole process that runs one statement, in turn; by the wall's and the processor's clock."""
    samples: dict[str, list[tuple[float, float]]] = {s: [] for s in STATEMENTS}
    for _ in range(3 if quick else 9):
        for statement, found in samples.items():
            wall, cpu = time.perf_counter(), spent()
            subprocess.run([sys.executable, "-c", statement], check=True)
            found.append((time.perf_counter() - wall, spent() - cpu))
    return {
        statement: {"wall": median([w for w, _ in found]), "cpu": median([c for _, c in found])}
        for statement, found in samples.items()
    }


def spent() -> float:
    """Processor seconds of the processes that this one has waited for."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
