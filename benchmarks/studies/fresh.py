"""Measurements in a process of their own, where nothing is loaded or remembered yet."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any

from benchmarks.table import environment

__all__ = ["fresh"]


def fresh(module: str, *arguments: object, timeout: float = 120.0) -> dict[str, Any]:
    """What ``python -m module arguments…`` prints, a line of JSON; or why there is nothing."""
    command = [sys.executable, "-m", module, *map(str, arguments)]
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=timeout, env=os.environ | environment(1), check=False
        )
    except subprocess.TimeoutExpired:
        return {"unavailable": f"more than {timeout:.0f} s"}
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["no result"])[-1]
        return {"unavailable": last.partition(": ")[2] or last}
    return json.loads(done.stdout.strip().splitlines()[-1])
