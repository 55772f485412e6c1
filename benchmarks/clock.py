"""Clocks: samples taken in turn, the machine's own noise beside them."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

__all__ = ["calibrate", "fastest", "median", "noise", "repetitions", "rounds", "seconds"]

Clock = Callable[[], float]
_A = np.random.default_rng(0).normal(size=(192, 192))
_V = np.linspace(-2, 2, 4096)


def calibrate() -> None:
    """A fixed kernel of a few ms that does what everybody does: products, elementwise functions, Python."""
    for _ in range(3):
        _A.dot(_A)
        for _ in range(20):
            np.tanh(_V)
        sum(range(5000))


def seconds(call: Callable[[], Any], times: int = 1, clock: Clock = time.perf_counter) -> float:
    """Seconds of one call, the mean of `times` calls in a row."""
    start = clock()
    for _ in range(times):
        call()
    return (clock() - start) / times


def repetitions(once: float, sample: float) -> int:
    """How many calls make a sample of about so many seconds."""
    return max(1, math.ceil(sample / max(once, 1e-7)))


def fastest(call: Callable[[], Any], sample: float = 0.002, samples: int = 7) -> float:
    """Seconds of a call in the best of some samples: for a floor, which noise must not raise."""
    clock = time.process_time
    times = repetitions(min(seconds(call), seconds(call)), sample)
    return min(seconds(call, times, clock) for _ in range(samples))


def rounds(
    calls: Mapping[str, Callable[[], Any]], count: int, sample: float = 0.005, clock: Clock = time.perf_counter
) -> dict[str, list[float]]:
    """Samples of all calls, one of each a round, the order turned from round to round.

    The samples of the calibration stand under the name ``calibration``, two a round.
    """
    times = {}
    for name, call in calls.items():
        call()
        times[name] = repetitions(seconds(call), sample)
    out: dict[str, list[float]] = {name: [] for name in (*calls, "calibration")}
    names = list(calls)
    for k in range(count):
        out["calibration"].append(seconds(calibrate, clock=clock))
        for name in names[k % len(names) :] + names[: k % len(names)]:
            out[name].append(seconds(calls[name], times[name], clock))
        out["calibration"].append(seconds(calibrate, clock=clock))
    return out


def median(values: Sequence[float]) -> float:
    """The median."""
    return float(np.median(values))


def noise(calibrations: Sequence[float]) -> float:
    """How far the machine's speed varied: the spread of the middle 80 % over the median."""
    low, middle, high = np.quantile(calibrations, [0.1, 0.5, 0.9])
    return float((high - low) / middle)
