"""One batch on several threads: each takes a part of the members, BLAS stays at one thread.

NumPy and BLAS release the interpreter's lock while they compute.  Parts of a batch are independent, so
that a gradient is the sum (of a parameter) or the sequence (of what each member has for itself) of theirs.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import copy_context
from functools import lru_cache, reduce
from itertools import pairwise
from typing import Any

import numpy as np

from rnnderive.errors import InputError
from rnnderive.language import terms as tm
from rnnderive.language.recurrence import Recurrence
from rnnderive.programs.arrays import Arrays

__all__ = ["check_threads", "in_threads", "one_blas_thread"]

Result = tuple[Any, dict[str, Any]]


def check_threads(net: Recurrence, threads: Any) -> None:
    """Refuse what is no number of threads, and networks whose members are not independent.

    Raises
    ------
    InputError
    """
    if isinstance(threads, bool) or not isinstance(threads, int) or threads < 1:
        raise InputError(f"threads is {threads!r}; expected a number of threads from 1")
    if threads == 1:
        return
    for e in net.equations:
        if any(isinstance(n, tm.BatchSum) or n == tm.Extent(tm.BATCH) for n in tm.members(e.right)):
            raise InputError(
                f"{e} joins the members of a batch, so that they cannot be computed apart; expected threads=1, or a "
                "loss of one member (the loss of a batch is the sum over its members)"
            )


def in_threads(function: Callable[[Arrays], Result], net: Recurrence, arrays: Arrays, threads: int) -> Result:
    """The loss and gradients of a batch from those of its parts, always added in the same order.

    Parameters
    ----------
    function : callable
        Arrays of some members → their loss and gradients, by name.
    net : Recurrence
        Whose arrays they are.
    arrays : Arrays
    threads : int
        How many parts; there are not more than members.

    Raises
    ------
    Exception
        What the first of the parts that failed has raised, once all have ended.
    """
    members = arrays.batch or 1
    ends = np.linspace(0, members, min(threads, members) + 1).astype(int)
    parts = [(int(a), int(b)) for a, b in pairwise(ends)]
    if len(parts) == 1:
        return function(arrays)

    def part(ends: tuple[int, int]) -> Result:
        return function(_members(net, arrays, *ends))

    with one_blas_thread(), ThreadPoolExecutor(len(parts) - 1) as pool:
        others = [pool.submit(copy_context().run, part, ends) for ends in parts[1:]]  # with the caller's np.errstate
        results = [part(parts[0]), *(f.result() for f in others)]
    loss = reduce(lambda a, b: a + b, (r[0] for r in results))
    return loss, {n: _joined(net, n, [r[1][n] for r in results]) for n in results[0][1]}


def _axis(net: Recurrence, name: str) -> int:
    """Where the batch stands in the array of an input."""
    return int(isinstance(net.leaves.get(name), tm.At))


def _members(net: Recurrence, arrays: Arrays, start: int, stop: int) -> Arrays:
    """The arrays of the members start..stop."""

    def cut(name: str, array: Any) -> Any:
        if name == "T":
            return array
        return np.ascontiguousarray(array[:, start:stop] if _axis(net, name) else array[start:stop])

    inputs = {n: cut(n, a) for n, a in arrays.inputs.items()}
    return Arrays(arrays.params, inputs, arrays.given, arrays.T, stop - start, arrays.sizes, arrays.dtype)


def _joined(net: Recurrence, name: str, parts: list[Any]) -> Any:
    if name in net.parameters:
        return reduce(np.add, parts)
    return np.concatenate(parts, _axis(net, name))


class _Held:
    """How many hold BLAS at one thread now: it is one setting for the whole process."""

    lock = threading.Lock()
    count = 0
    limit: Any = None


@contextmanager
def one_blas_thread() -> Iterator[None]:
    """BLAS at one thread; the first that enters sets it, the last that leaves sets it back."""
    with _Held.lock:
        if _Held.count == 0:
            loaded = tuple(name in sys.modules for name in _WITH_BLAS)
            _Held.limit = _controller(loaded).limit(limits=1, user_api="blas")
            _Held.limit.__enter__()
        _Held.count += 1
    try:
        yield
    finally:
        with _Held.lock:
            _Held.count -= 1
            if _Held.count == 0:
                _Held.limit.__exit__(None, None, None)


_WITH_BLAS = ("scipy.linalg", "scipy.linalg.cython_blas", "torch")  # what brings a BLAS of its own


@lru_cache(maxsize=8)
def _controller(loaded: tuple[bool, ...]) -> Any:
    """What holds the libraries back that are loaded now; looking for them takes milliseconds."""
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController()
