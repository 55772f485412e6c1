"""Memory that a program keeps between calls."""

from __future__ import annotations

import threading
from typing import Any

import numpy as np

__all__ = ["Workspace"]


class Workspace:
    """Stands for ``np.empty`` in a generated module, and gives out the same arrays in every call.

    Each thread has arrays of its own.  No result of a program lies in them.
    """

    def __init__(self) -> None:
        self._kept = threading.local()

    def begin(self) -> Workspace:
        """Start over with the first array: a call begins."""
        self._kept.position = 0
        return self

    def __call__(self, shape: tuple[int, ...], dtype: Any) -> Any:
        """The next array, as it was left by the call before where it had this shape."""
        kept = self._kept
        arrays = kept.__dict__.setdefault("arrays", [])
        place = kept.position
        kept.position += 1
        if place == len(arrays):
            arrays.append(np.empty(shape, dtype))
        elif arrays[place].shape != shape or arrays[place].dtype != dtype:
            arrays[place] = np.empty(shape, dtype)
        return arrays[place]
