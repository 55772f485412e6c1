"""Whether two results are the same numbers."""

from __future__ import annotations

from typing import Any

import numpy as np

from benchmarks.work import Arrays

__all__ = ["TOLERANCES", "largest_difference"]

TOLERANCES = {"float64": 1e-8, "float32": 1e-5}
Result = tuple[float, Arrays]


def largest_difference(found: Result, expected: Result) -> float:
    """The largest distance of an array from its counterpart, relative to the counterpart's length.

    A missing array, or one of another shape, counts as infinitely far.
    """
    losses = {"loss": np.asarray(found[0])}, {"loss": np.asarray(expected[0])}
    worst = 0.0
    for ours, theirs in ((losses[0], losses[1]), (found[1], expected[1])):
        for name, array in theirs.items():
            worst = max(worst, _distance(ours.get(name), array))
    return worst


def _distance(found: Any, expected: Any) -> float:
    if found is None or np.shape(found) != np.shape(expected):
        return float("inf")
    a, b = np.asarray(found, np.float64), np.asarray(expected, np.float64)
    far = float(np.linalg.norm(a - b)) / max(float(np.linalg.norm(b)), 1e-300)
    return far if np.isfinite(far) else float("inf")
