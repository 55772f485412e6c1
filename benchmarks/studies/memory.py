"""Peak memory of one call against the number of steps, with and without checkpoints.

An LSTM at (T, 1, 32, 64) in float64.  The peak is that of what the call itself allocates, as
tracemalloc sees it: weights and inputs are there before.  ``python -m benchmarks.studies.memory T
plain|checkpoint`` measures one case in a fresh process.
"""

from __future__ import annotations

import json
import sys
import tracemalloc
from typing import Any

from benchmarks.studies.fresh import fresh

__all__ = ["study"]

OPTIONS = {"plain": {}, "checkpoint": {"memory": "checkpoint"}}


def study(quick: bool = False) -> dict[str, Any]:
    """Peak bytes and seconds by number of steps."""
    return {
        name: {T: fresh("benchmarks.studies.memory", T, name) for T in ((100, 1000) if quick else (100, 1000, 10_000))}
        for name in OPTIONS
    }


def measured(T: int, name: str) -> dict[str, float]:
    """One case: the time first, since tracing slows a call down."""
    from benchmarks.clock import median, seconds
    from benchmarks.peers import ours
    from benchmarks.work import Size, Work

    work = Work("lstm", Size(T, 1, 32, 64))
    task = ours.build(work, *work.arrays(), **OPTIONS[name])
    task.run()
    taken = median([seconds(task.run) for _ in range(5)])
    task = ours.build(work, *work.arrays(), reuse=False, **OPTIONS[name])  # all that a call needs is its own
    task.run()
    tracemalloc.start()
    result = task.run()
    peak = tracemalloc.get_traced_memory()[1]
    del result
    return {"peak": peak, "seconds": taken}


if __name__ == "__main__":
    print(json.dumps(measured(int(sys.argv[1]), sys.argv[2])))
