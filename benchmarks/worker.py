"""One contestant in a process of its own: builds a task, then runs it as often as it is told.

It reads a line of JSON, answers with one, and uses no processor while it waits.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
import time
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from benchmarks.clock import seconds
from benchmarks.peers.task import Task, Unavailable
from benchmarks.table import PEERS
from benchmarks.work import Size, Work

__all__ = ["serve"]


def built(peer: str, order: dict[str, Any]) -> tuple[Task, dict[str, Any]]:
    """The task, the seconds until its first result, and where that was saved."""
    entry = PEERS[peer]
    work = Work(order["network"], Size(*order["size"]), order["dtype"], order["threads"])
    params, inputs = work.arrays()
    start = time.perf_counter()
    build = importlib.import_module(f"benchmarks.peers.{entry.module}").build
    loaded = time.perf_counter()
    task = build(work, params, inputs, **entry.options)
    result = task.run()
    first = time.perf_counter() - loaded
    loss, grads = task.read(result)
    np.savez(order["save"], loss=loss, **{f"grad {name}": a for name, a in grads.items()})
    # A split batch holds BLAS to one thread by itself, and would be slowed by a limit set around it.
    return task, {"first": first, "import": loaded - start, "once": min(seconds(task.run), seconds(task.run))}


def sampled(task: Task, times: int) -> dict[str, Any]:
    """Seconds a call by the wall's clock and by the processor's."""
    wall, cpu = time.perf_counter(), time.process_time()
    for _ in range(times):
        task.run()
    return {"wall": (time.perf_counter() - wall) / times, "cpu": (time.process_time() - cpu) / times}


def serve(peer: str, threads: int) -> None:
    """Answer orders until the input ends."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what libraries print must not be taken for an answer
    task: Task | None = None
    for line in sys.stdin:
        order = json.loads(line)
        answer: dict[str, Any]
        try:
            if order["do"] == "build":
                task = None
                with threadpool_limits(threads):
                    task, answer = built(peer, order)
            else:
                assert task is not None
                with threadpool_limits(threads):
                    answer = sampled(task, order["times"])
        except (Unavailable, ImportError) as error:
            answer = {"unavailable": str(error)}
        except Exception as error:  # any failure of a peer is a result: it goes into the table
            answer = {"unavailable": f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}"}
        print(json.dumps(answer), file=answers, flush=True)


if __name__ == "__main__":
    serve(sys.argv[1], int(sys.argv[2]))
