"""Memory that a program keeps between calls."""

from __future__ import annotations

from typing import Any

import numpy as np

__all__ = ["FEW", "MANY", "Workspace"]

FEW, MANY = 2**20, 2**28  # bytes: less is not worth keeping, more is kept only where that is asked for


class Workspace:
    """Stands for ``np.empty`` in a generated module: in each call it gives out the same arrays in the same order.

    Memory that has just been used is in the processor's cache and in the process, fresh memory is in neither.  No
    result of a program lies in it.  One call at a time may use it.
    """

    def __init__(self) -> None:
        self._arrays: list[Any] = []
        self._next = 0

    @property
    def size(self) -> int:
        """How many bytes it holds."""
        return sum(a.nbytes for a in self._arrays)

    def begin(self) -> Workspace:
        """Start over with the first array: a call begins."""
        self._next = 0
        return self

    def __call__(self, shape: tuple[int, ...], dtype: Any) -> Any:
        """The next array, with what the call before has left in it; a new one where shape or dtype differ."""
        place, self._next = self._next, self._next + 1
        if place == len(self._arrays):
            self._arrays.append(np.empty(shape, dtype))
        elif self._arrays[place].shape != shape or self._arrays[place].dtype != dtype:
            self._arrays[place] = np.empty(shape, dtype)
        return self._arrays[place]
