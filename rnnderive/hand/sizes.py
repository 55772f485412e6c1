"""Sizes from a person's own arrays: each of their lengths is linear in the cell's sizes."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from typing import Any

import numpy as np

from rnnderive.checks.points import Point, point
from rnnderive.errors import InputError
from rnnderive.hand.layouts import Layout
from rnnderive.hand.placed import Placed
from rnnderive.hand.problem import Problem
from rnnderive.language import terms as tm

__all__ = ["fitting", "own_point"]

PROBES = (11, 17, 31, 23, 43, 61, 71, 79)
"""Sizes to see shapes at: what is equal in all of them is one size, or one sum of sizes."""


def own_point(layout: Layout, problem: Problem, arrays: Mapping[str, Any], placed: Placed | None = None) -> Point:
    """The point that a person's own arrays stand for; what they do not give is drawn.

    Parameters
    ----------
    layout : Layout
    problem : Problem
    arrays : mapping
        The person's name → array.
    placed : Placed, optional
        The layout at the arrays' sizes, where these are known.

    Raises
    ------
    InputError
        When no sizes of the cell give the shapes found.

    Examples
    --------
    >>> import rnnderive as rd
    >>> problem = Problem(rd.cells.vanilla())
    >>> at = own_point(Layout.parse("Wxh = W.T"), problem, {"Wxh": np.ones((2, 7)), "x": np.ones((9, 2))})
    >>> at.T, at["W"].shape, at["U"].shape
    (9, (7, 2), (7, 7))
    """
    placed = placed or fitting(layout, problem, arrays)
    own = placed.point(arrays)
    drawn = [n for n in placed.given if n not in own.params and n not in own.inputs and n not in layout.absent]
    if not drawn:
        return own
    rest = point(problem.net, T=placed.T, batch=placed.batch, seed=problem.seed, sizes=placed.sizes)
    params, inputs = (
        {n: a for n, a in table.items() if n in drawn or n == "T"} for table in (rest.params, rest.inputs)
    )
    return Point({**params, **own.params}, {**inputs, **own.inputs}, dict(placed.sizes), placed.T, placed.batch)


def fitting(layout: Layout, problem: Problem, arrays: Mapping[str, Any]) -> Placed:
    """A layout at the sizes that give a person's arrays the shapes they have; with a batch where only that fits.

    Raises
    ------
    InputError
        When there are none.
    """
    try:
        return _fitted(layout, problem, arrays, problem.batch is not None)
    except InputError:
        if problem.batch is not None:
            raise
        with suppress(InputError):
            return _fitted(layout, problem, arrays, True)
        raise


def _fitted(layout: Layout, problem: Problem, arrays: Mapping[str, Any], batched: bool) -> Placed:
    symbols = [s for s in problem.net.sizes if s not in (tm.T, tm.BATCH)]
    base = [*PROBES[: len(symbols)], 37, *([53] if batched else [])]
    if len(symbols) > len(PROBES):
        raise InputError(f"the cell has {len(symbols)} sizes; at most {len(PROBES)} are found from arrays")

    def placed(numbers: Any) -> Placed:
        sizes = dict(zip(symbols, map(int, numbers), strict=False))
        batch = int(numbers[len(symbols) + 1]) if batched else None
        return Placed(layout, problem, sizes, int(numbers[len(symbols)]), batch)

    first = placed(base)
    here = _lengths(first, arrays)
    found = [n for name in arrays if name in first.entries for n in np.shape(arrays[name])]
    if len(found) != len(here):
        raise InputError(f"the arrays have other numbers of axes than the layout says: {_shapes(arrays)}")
    if len(set(zip(here, found, strict=True))) > len(set(here)):  # what is one length in the layout is not one there
        raise InputError(f"the layout gives other shapes than {_shapes(arrays)}")
    slopes = []
    for k in range(len(base)):
        more = [n + 2 * (j == k) for j, n in enumerate(base)]
        slopes.append([(a - b) / 2 for a, b in zip(_lengths(placed(more), arrays), here, strict=True)])
    matrix, target = np.array(slopes).T.reshape(-1, len(base)), np.subtract(found, here)
    change = np.rint(np.linalg.lstsq(matrix, target, rcond=None)[0])
    numbers = np.add(base, change).astype(int)
    if np.abs(matrix @ change - target).max(initial=0.0) > 1e-6 or (numbers < 1).any():
        raise InputError(
            f"no sizes {', '.join(map(str, [*symbols, 'T']))} give the shapes {_shapes(arrays)}; expected those of "
            "the layout"
        )
    return placed(numbers)


def _lengths(placed: Placed, arrays: Mapping[str, Any]) -> list[int]:
    """The lengths of all axes of the arrays that are given, as the code has them."""
    out: list[int] = []
    for name in arrays:
        if name in placed.entries:
            entry = placed.entries[name]
            shape = list(placed.matrix(entry).factor.shape)
            if entry.axes and entry.axes.picked:
                del shape[entry.axes.order.index(entry.axes.picked)]
            out += shape
    return out


def _shapes(arrays: Mapping[str, Any]) -> str:
    return ", ".join(f"{n}: {np.shape(a)}" for n, a in arrays.items())
