"""Two arrays that should be equal, compared entry by entry.

An entry beyond the bounds may be looked at again in many digits; see :mod:`rnnderive.checks.rounding`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from rnnderive.checks.rounding import DIGITS, Again
from rnnderive.checks.table import Rung

__all__ = ["Disagreement", "compared", "disagreement"]

LARGEST, ENTRY = 1e-12, 1e-9
# An entry is a sum of products, each rounded to 2.2e-16 of itself and at most about as large as the
# array's largest entry: where they cancel, a few dozen roundings (45 of them) are left of the entry.
FLOOR = 1e-14


@dataclass(frozen=True)
class Disagreement:
    """How far two arrays are apart.

    Attributes
    ----------
    largest : float
        The largest difference, relative to the largest entry expected.
    bad : tuple of int or None
        The first entry beyond the tolerance.
    count : int
        How many entries were compared.
    again : int
        How many of them were beyond the tolerance, and found to be right but for rounding.
    """

    largest: float
    bad: tuple[int, ...] | None
    count: int
    again: int = 0


def disagreement(
    found: Any, expected: Any, *, largest: float = LARGEST, entry: float = ENTRY, floor: float = FLOOR,
    scale: float | None = None, within: float = 0.0, look: Callable[[tuple[int, ...]], Again] | None = None,
) -> Disagreement:  # fmt: skip
    """Compare entry by entry: against the array's largest, and against each entry itself.

    Parameters
    ----------
    found, expected : array
    largest : float
        Bound on a difference relative to the largest entry.
    entry : float
        Bound relative to the entry itself, above `floor` of the largest; none if infinite.
    scale : float, optional
        What counts as the largest entry; that of `expected` unless given.
    within : float, optional
        The largest entry of all that is compared together.  An array that is below `floor` of it, as
        found and as expected, is zero by cancellation, and what is left of it is rounding.
    look : callable, optional
        Looks again at an entry that is beyond these bounds.  Where it is right but for rounding, its
        difference is not among those of which the largest is told.
    """
    found, expected = np.asarray(found), np.asarray(expected)
    if found.shape != expected.shape:
        return Disagreement(np.inf, (), expected.size)
    size = scale if scale is not None else float(np.abs(expected).max(initial=0.0))
    if max(size, float(np.abs(found).max(initial=0.0))) <= floor / 2 * within:
        size = within
    size = size or 1.0
    error = np.abs(found - expected)
    good = error <= largest * size
    if np.isfinite(entry):
        good &= error <= entry * np.abs(expected) + floor * size
    bad, right = None, 0
    for index in map(tuple, np.argwhere(~good).tolist()):  # also where it is nan
        if look is None or not look(index).holds(float(found[index]), max(size, within)):
            bad = index
            break
        error[index] = 0.0
        right += 1
    return Disagreement(float(error.max(initial=0.0)) / size, bad, expected.size, right)


def compared(
    rung: str, method: str, tolerance: str, pairs: Iterable[tuple[str, Any, Any, dict[str, Any]]], note: str
) -> Rung:
    """A row of the table: arrays compared entry by entry; the first that fails is named.

    Parameters
    ----------
    rung, method, tolerance, note : str
        See :class:`Rung`.
    pairs : iterable
        Name, found, expected, and what else :func:`disagreement` is told.
    """
    count, again, worst, bad = 0, 0, 0.0, ""
    together = list(pairs)
    within = max((float(np.abs(expected).max(initial=0.0)) for _, _, expected, _ in together), default=0.0)
    for name, found, expected, how in together:
        result = disagreement(found, expected, within=within, **how)
        count += result.count
        again += result.again
        worst = max(worst, result.largest) if not np.isnan(result.largest) else np.nan
        if result.bad is not None and not bad:
            index = ", ".join(map(str, result.bad))
            bad = name.format(*result.bad) if "{" in name else f"{name}[{index}]"
            if np.shape(found) == np.shape(expected):
                bad += f": found {float(found[result.bad]):.6g}, expected {float(expected[result.bad]):.6g}"
            else:
                bad += f": shape {np.shape(found)}, expected {np.shape(expected)}"
    if again:
        note += f"; {again} of them rounded in float64: right in {DIGITS} digits"
    return Rung(rung, method, count, tolerance, worst, not bad, note=bad or note)
