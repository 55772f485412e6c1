"""The bound at which a recursion was clipped, read off the numbers.

Backward, all is linear but for the clipping, so that every gradient is piecewise affine in the bound:
Newton's method from a few places finds it to rounding.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from rnnderive.hand.catalogue import Catalogue, View
from rnnderive.hand.edits import Clip, Edit
from rnnderive.hand.edits.clips import within
from rnnderive.hand.variants import Variants

__all__ = ["clipped_within"]

STARTS = 6
ROUNDS = 3


def clipped_within(catalogue: Catalogue, views: tuple[View, ...]) -> Iterator[Edit]:
    """Clippings inside the recursion, with the bounds that the shortest run on which something is wrong tells."""
    view = next(v for v in views if not all(v.right.values()))
    wrong = {n for n, ok in view.right.items() if not ok and view.has_shape(n)}
    system, course = catalogue.system, catalogue.course(view.at)
    for clip in within(system):
        names = (*clip.whole, *([clip.handed] if clip.handed else ()))
        if wrong and wrong <= course.reached(names):
            for bound in _bounds(catalogue, view, clip, sorted(wrong)):
                kind, where, text, changes = clip.found(system, bound)
                yield Edit(kind, where, text, changes, catalogue.pulled)


def _bounds(catalogue: Catalogue, view: View, clip: Clip, names: list[str]) -> Iterator[float]:
    """The bounds that give some arrays."""
    course, system = catalogue.course(view.at), catalogue.system
    values = [np.abs(course.term(r, s).array).ravel() for r in clip.terms(system) for s in range(1, view.at.T + 1)]
    levels = np.unique(np.concatenate([[0.0], *values]))
    if len(levels) < 2:
        return
    pieces = (levels[1:] + levels[:-1]) / 2  # of one step, exactly those where all is affine
    c = pieces[np.linspace(0, len(pieces) - 1, min(STARTS, len(pieces))).astype(int)]
    claimed = np.concatenate([view.wanted[n].ravel() for n in names])
    size = float(np.abs(claimed).max(initial=0.0)) + view.scales[names[0]]

    def residual(bounds: Any) -> Any:
        run = Variants(course, [clip.found(system, b)[3] for b in bounds])
        rows = [np.broadcast_to(a := run.number(n, view.at), (len(bounds), *a.shape[1:])) for n in names]
        return np.concatenate([a.reshape(len(bounds), -1) for a in rows], axis=1) - claimed

    for _ in range(ROUNDS):
        both = residual(np.concatenate([c, c * (1 + 1e-6)]))
        here, slope = both[: len(c)], (both[len(c) :] - both[: len(c)]) / (1e-6 * c[:, None])
        good = np.abs(here).max(axis=1) <= 1e-11 * size
        if good.any():
            found = float(c[good][0])
            yield from dict.fromkeys((float(f"{found:.9g}"), found))
            return
        steep = (slope**2).sum(axis=1)
        move = np.divide((slope * here).sum(axis=1), steep, out=np.zeros_like(c), where=steep > 0)
        fresh = np.clip(c - move, 1e-9 * levels.max(), levels.max())
        c = np.unique(fresh[steep > 0])
        if not len(c):
            return
