"""Two mistakes on one path, of which neither alone mends a number.

Of one step, or of two, every gradient is looked at as what each single mistake makes of it: two mistakes
in different summands add their differences, two in factors of one product multiply their ratios.  So two
that together give the numbers are found by looking one up for the other, in the time of sorting them.
What is looked up is only proposed; whether it holds is decided by running both, at every point.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from rnnderive.hand.catalogue import Catalogue, View
from rnnderive.hand.edits import Edit

__all__ = ["proposed"]

CLOSE = 1e-9


def proposed(catalogue: Catalogue, view: View, places: Sequence[str]) -> list[tuple[Edit, str]]:
    """A first mistake and the equation of a second, which together give the numbers of a short run, likely ones first.

    Parameters
    ----------
    catalogue : Catalogue
    view : View
        Of a short run.
    places : sequence of str
        Equations whose edits are looked at.
    """
    names = [n for n in view.wanted if view.has_shape(n)]
    if not names:  # what has another shape has no numbers to compare
        return []
    base = catalogue.course(view.at)
    right = np.concatenate([base.number(n, view.at).ravel() for n in names])
    claimed = np.concatenate([view.wanted[n].ravel() for n in names])
    made, rows = _all(catalogue, view, places, names, right)
    if not made:
        return []
    found = [*_sums(rows - right, claimed - right), *_products(rows, right, claimed)]
    found.sort(key=lambda pair: made[pair[0]][1].rank + made[pair[1]][1].rank)
    chosen: dict[tuple[int, str], Edit] = {}
    for k, j in found:
        for first, second in ((k, j), (j, k)):
            if made[first][1].whole is None:
                chosen.setdefault((first, made[second][0]), made[first][1])
    return [(edit, place) for (_, place), edit in chosen.items()]


def _all(
    catalogue: Catalogue, view: View, places: Sequence[str], names: list[str], right: Any
) -> tuple[list[tuple[str, Edit]], Any]:
    """The edits that change something, and the numbers that each gives."""
    base = catalogue.course(view.at)
    width = {n: base.number(n, view.at)[0].size for n in names}
    ends = np.cumsum([0, *width.values()])
    made: list[tuple[str, Edit]] = []
    rows = []
    for place in places:
        edits = catalogue.edits(place)
        table = np.tile(right, (len(edits), 1))
        for chosen, run in catalogue.runs(view.at, place):
            for n, a, b in zip(names, ends, ends[1:], strict=False):
                if n in run.net and n in getattr(run, "touched", names):
                    number = run.number(n, view.at)
                    if number[0].size == b - a:
                        table[chosen, a:b] = number.reshape(len(number), -1)
        moved = np.isfinite(table).all(axis=1) & (table != right).any(axis=1)
        made += [(place, edits[k]) for k in np.flatnonzero(moved)]
        rows.append(table[moved])
    return made, np.concatenate(rows) if rows else np.zeros((0, len(right)))


def _sums(rows: Any, target: Any) -> Iterator[tuple[int, int]]:
    """Pairs of rows that add up to a target: their shadows on one random line do, which sorting finds."""
    with np.errstate(all="ignore"):
        line = np.random.default_rng(1).standard_normal(rows.shape[1])
        shadow, wanted = rows @ line, float(target @ line)
        near = CLOSE * (np.abs(rows) @ np.abs(line) + abs(target) @ np.abs(line))
        order = np.argsort(shadow)
        low = np.searchsorted(shadow[order], wanted - shadow - near)
        high = np.searchsorted(shadow[order], wanted - shadow + near, side="right")
        for k in np.flatnonzero(high > low):
            for j in order[low[k] : high[k]]:
                size = max(np.abs(rows[k]).max(initial=0.0), np.abs(target).max(initial=0.0))
                if k <= j and np.abs(rows[k] + rows[j] - target).max(initial=0.0) <= CLOSE * size:
                    yield int(k), int(j)


def _products(rows: Any, right: Any, claimed: Any) -> Iterator[tuple[int, int]]:
    """Pairs of rows whose ratios to the right numbers multiply to that of the claimed ones."""
    there = (right != 0) & (claimed != 0)
    if not there.any():
        return
    ratios, wanted = rows[:, there] / right[there], claimed[there] / right[there]
    whole = np.flatnonzero((ratios != 0).all(axis=1))
    for k, j in _sums(np.log(np.abs(ratios[whole])), np.log(np.abs(wanted))):
        first, second = int(whole[k]), int(whole[j])
        if (np.sign(ratios[first] * ratios[second]) == np.sign(wanted)).all():
            yield first, second
