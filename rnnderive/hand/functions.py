"""A layout given as a function from a person's arrays to the cell's: its matrix is found by trying every entry."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from rnnderive.checks.points import Point
from rnnderive.errors import InputError
from rnnderive.hand.layouts import SHARES, Entry, Layout
from rnnderive.hand.parts import Part, Space
from rnnderive.hand.problem import Problem
from rnnderive.programs import prepare

__all__ = ["Selected", "layout_of"]

MOST = 20_000
Tables = tuple[dict[str, Any], dict[str, Any]]


@dataclass(frozen=True, eq=False)
class Selected(Part):
    """Entries of the cell's arrays by number, each times a factor; for arrays of fixed sizes."""

    cells: tuple[str, ...]
    source: Any
    factor: Any
    shapes: Mapping[str, tuple[int, ...]]

    def of(self, space: Space) -> Any:
        arrays = [np.asarray(space.arrays[n]) for n in self.names]
        for n, a in zip(self.names, arrays, strict=True):
            if a.shape != self.shapes[n]:
                raise InputError(f"this layout is for {n} of the shape {self.shapes[n]}; found {a.shape}")
        return self.factor * np.concatenate([a.ravel() for a in arrays])[self.source]

    @property
    def names(self) -> tuple[str, ...]:
        return self.cells

    def __str__(self) -> str:
        return f"entries of {', '.join(self.names)}"


def layout_of(
    function: Callable[[Any, Any], Tables], problem: Problem, params: Mapping[str, Any], inputs: Mapping[str, Any]
) -> tuple[Layout, Point]:
    """The layout that a function stands for, at a person's own arrays, and these as a point of the cell.

    Parameters
    ----------
    function : callable
        ``(params, inputs) -> (params, inputs)``, linear: slices, transposes, sums.
    problem : Problem
    params, inputs : mapping
        The person's arrays.

    Raises
    ------
    InputError
        When the function is not linear, or gives the cell's arrays other shapes than the cell has.

    Examples
    --------
    >>> import rnnderive as rd
    >>> problem = Problem(rd.Recurrence.parse("s[t] = a * s[t-1] + x[t]\\nL = sum(s[T])"))
    >>> mine = {"w": np.array([[0.5]])}, {"xs": np.ones((4, 1))}
    >>> layout, at = layout_of(lambda p, i: ({"a": p["w"][0]}, {"x": i["xs"]}), problem, *mine)
    >>> print(layout, at)
    w = entries of a
    xs = entries of x
    none = s0 T = 4, n_s = 1
    """
    arrays = {n: np.array(a, dtype=float) for n, a in {**params, **inputs}.items()}
    total = sum(a.size for a in arrays.values())
    if total > MOST:
        raise InputError(
            f"a layout function is tried entry by entry: {total} entries are more than {MOST}; write equations"
        )

    def through(changed: Mapping[str, Any]) -> dict[str, Any]:
        tables = function({n: changed[n] for n in params}, {n: changed[n] for n in inputs})
        return {n: np.asarray(a, dtype=float) for table in tables for n, a in table.items()}

    here = through(arrays)
    blank = through({n: np.zeros_like(a) for n, a in arrays.items()})
    given = prepare(problem.net, *_tables(problem, here, inputs))
    at = Point(dict(given.params), dict(given.inputs), dict(given.sizes), given.T, given.batch)
    names = tuple(here)
    entries = [Entry(n, part) for n, part in _parts(through, arrays, blank, names, here)]
    absent = tuple(n for n in problem.net.initial_states if n not in here)
    return Layout(tuple(entries), absent, getattr(function, "__name__", "")), at


def _tables(problem: Problem, here: Mapping[str, Any], inputs: Mapping[str, Any]) -> Tables:
    """The cell's arrays as programs take them."""
    net = problem.net
    inside = {n: a for n, a in here.items() if n in net.parameters or n in net.initial_states}
    return inside, {n: a for n, a in here.items() if n not in inside}


def _parts(
    through: Callable[[Mapping[str, Any]], dict[str, Any]],
    arrays: Mapping[str, Any],
    blank: Mapping[str, Any],
    names: tuple[str, ...],
    here: Mapping[str, Any],
) -> Iterator[tuple[str, Part]]:
    """Each of the person's arrays as entries of the cell's."""
    shapes = {n: a.shape for n, a in here.items()}
    zero = np.concatenate([blank[n].ravel() for n in names])
    columns: dict[str, Any] = {}
    count = np.zeros(zero.size, dtype=int)
    order: dict[str, Any] = {}
    found = zero.copy()
    for name, array in arrays.items():
        source, factor = np.zeros(array.size, int), np.zeros(array.size)
        for k in range(array.size):
            unit = {n: np.zeros_like(a) for n, a in arrays.items()}
            unit[name].flat[k] = 1.0
            change = np.concatenate([through(unit)[n].ravel() for n in names]) - zero
            where = np.flatnonzero(change)
            if len(where) > 1:
                raise InputError(f"layout: one entry of {name} is {len(where)} entries of the cell's; expected one")
            if len(where):
                source[k], factor[k] = where[0], change[where[0]]
                found[where[0]] += change[where[0]] * array.flat[k]
        columns[name] = source, factor
        order[name] = count[source]
        np.add.at(count, source[factor != 0], 1)
    if not np.allclose(found, np.concatenate([here[n].ravel() for n in names]), rtol=1e-9, atol=1e-12):
        raise InputError("layout: the function is not linear; expected slices, transposes, joins and sums")
    if count.max(initial=0) > len(SHARES):
        raise InputError(f"layout: an entry of the cell is a sum of {count.max()}; expected at most {len(SHARES)}")
    for name, (source, factor) in columns.items():
        shares = np.array(
            [
                SHARES[max(count[s], 1) - 1][min(k, max(count[s], 1) - 1)]
                for s, k in zip(source, order[name], strict=True)
            ]
        )
        inverse = np.divide(shares, factor, out=np.zeros(len(shares)), where=factor != 0)
        shape = np.shape(arrays[name])
        yield name, _selected(names, shapes, source.reshape(shape), inverse.reshape(shape))


def _selected(names: tuple[str, ...], shapes: Mapping[str, Any], source: Any, factor: Any) -> Selected:
    """With the names alone that entries are taken from."""
    ends = np.cumsum([int(np.prod(shapes[n])) for n in names])
    used = sorted({int(np.searchsorted(ends, s, side="right")) for s in source[factor != 0]}) or [0]
    starts = np.concatenate([[0], ends])
    moved, shift = np.zeros(source.shape, int), 0
    for k in used:
        inside = (source >= starts[k]) & (source < ends[k]) & (factor != 0)
        moved[inside] = source[inside] - starts[k] + shift
        shift += ends[k] - starts[k]
    return Selected(tuple(names[k] for k in used), moved, factor, {names[k]: shapes[names[k]] for k in used})
