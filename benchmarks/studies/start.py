"""How long ``import rnnderive`` takes, and what of it is Python's own start and its libraries'."""

from __future__ import annotations

import subprocess
import sys
import time
from typing import Any

from benchmarks.clock import median

__all__ = ["study"]

STATEMENTS = ("pass", "import numpy", "import sympy", "import rnnderive")


def study(quick: bool = False) -> dict[str, Any]:
    """Median seconds of a whole process that runs one statement, in turn."""
    samples: dict[str, list[float]] = {s: [] for s in STATEMENTS}
    for _ in range(3 if quick else 9):
        for statement, found in samples.items():
            start = time.perf_counter()
            subprocess.run([sys.executable, "-c", statement], check=True)
            found.append(time.perf_counter() - start)
    return {statement: median(found) for statement, found in samples.items()}
