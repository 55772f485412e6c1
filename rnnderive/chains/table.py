"""The value of a sweep: its records as a table, as arrays over the grid, and as words."""

from __future__ import annotations

import csv
import html
import io
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from rnnderive.chains.results import Record, ResultsError
from rnnderive.errors import InputError

__all__ = ["Sweep"]

ROWS_SHOWN = 40


@dataclass(frozen=True, repr=False)
class Sweep:
    """What a sweep measured; made by :func:`rnnderive.chains.sweep.sweep`.

    Attributes
    ----------
    points : tuple of dict
        In the order of the grid.
    seeds : tuple of int
    records : tuple of Record
        In the order of points and seeds; fewer than :attr:`size` after an interruption.
    axes : mapping or None
        Name → values, where the grid is all their combinations.

    Examples
    --------
    >>> from rnnderive.chains.sweep import sweep
    >>> found = sweep(lambda point, seed: {"twice": 2 * point["a"]}, {"a": [1, 2, 3]}, seeds=2)
    >>> found["twice"].tolist()
    [[2.0, 2.0], [4.0, 4.0], [6.0, 6.0]]
    >>> print(found.to_csv().splitlines()[1])
    1,0,2,
    """

    points: tuple[dict[str, Any], ...]
    seeds: tuple[int, ...]
    records: tuple[Record, ...]
    axes: Mapping[str, tuple[Any, ...]] | None = field(default=None)

    @property
    def size(self) -> int:
        """How many measurements there are when it is complete."""
        return len(self.points) * len(self.seeds)

    @property
    def complete(self) -> bool:
        """Whether every measurement was made, be it that it failed."""
        return len(self.records) == self.size

    @property
    def failures(self) -> tuple[Record, ...]:
        """The records of measures that raised."""
        return tuple(r for r in self.records if r.error)

    @property
    def names(self) -> tuple[str, ...]:
        """The names of a point."""
        return tuple(self.points[0])

    @cached_property
    def quantities(self) -> tuple[str, ...]:
        """The names of what was measured."""
        return tuple(dict.fromkeys(name for r in self.records for name in r.values))

    def __len__(self) -> int:
        return len(self.records)

    def __iter__(self) -> Iterator[Record]:
        return iter(self.records)

    # ------------------------------------------------------------ arrays

    def __getitem__(self, name: str) -> np.ndarray:
        """A quantity as an array (points, seeds); NaN where it was not measured."""
        values, measured = self._measured(name)
        return np.where(measured, values, np.nan)

    def _measured(self, name: str) -> tuple[np.ndarray, np.ndarray]:
        """A quantity, and where it was measured: a NaN that was measured is a result."""
        if name not in self.quantities:
            raise InputError(f"nothing called {name!r} was measured; there are {', '.join(self.quantities) or 'none'}")
        values = np.zeros((len(self.points), len(self.seeds)))
        measured = np.zeros(values.shape, dtype=bool)
        column = {s: k for k, s in enumerate(self.seeds)}
        for r in self.records:
            if name in r.values:
                at = r.place, column[r.seed]
                values[at], measured[at] = float(r.values[name]), True
        return values, measured

    def quantiles(self, name: str, q: Any) -> np.ndarray:
        """Quantiles over the seeds, at every point.

        Seeds without a result are left out; a NaN that was measured makes NaN, and ±∞ are numbers
        like others.

        Parameters
        ----------
        name : str
            Of a quantity.
        q : float or array
            From 0 to 1.

        Returns
        -------
        array
            Of shape (shape of q, points); NaN where there is no result at all.
        """
        levels = np.asarray(q, dtype=float)
        if not ((levels >= 0) & (levels <= 1)).all():
            raise InputError(f"q is {q!r}; expected numbers from 0 to 1")
        values, measured = self._measured(name)
        rows = [_quantiles(v[m], levels) for v, m in zip(values, measured, strict=True)]
        return np.stack(rows, axis=-1)

    def median(self, name: str) -> np.ndarray:
        """The median over the seeds, at every point: an array (points,)."""
        return self.quantiles(name, 0.5)

    def grid(self, name: str, q: float | None = 0.5) -> np.ndarray:
        """A quantity over the grid, an axis for each name: what a phase diagram shows.

        Parameters
        ----------
        name : str
            Of a quantity.
        q : float or None
            Which quantile over the seeds, the median unless given; None for all seeds, on a last axis.

        Raises
        ------
        InputError
            When the points were given one by one, and have no axes.
        """
        if self.axes is None:
            raise InputError("the points were given as a list, which has no axes; give a mapping of names to values")
        shape = tuple(len(values) for values in self.axes.values())
        if q is None:
            return self[name].reshape(*shape, len(self.seeds))
        return self.quantiles(name, float(q)).reshape(shape)

    # ------------------------------------------------------------ words

    def rows(self) -> list[dict[str, Any]]:
        """A dict for each measurement: the point, the seed, what was measured, the error if any."""
        rest = dict.fromkeys(self.quantities)
        return [{**r.point, "seed": r.seed, **rest, **r.values, "error": r.error} for r in self.records]

    def to_csv(self, path: str | os.PathLike[str] | None = None) -> str:
        """The rows as comma-separated values, to a file if a path is given.

        A cell is empty where there is no result; ``nan`` and ``inf`` are results.
        """
        text = io.StringIO()
        writer = csv.DictWriter(text, [*self.names, "seed", *self.quantities, "error"], lineterminator="\n")
        writer.writeheader()
        writer.writerows(self.rows())
        if path is not None:
            try:
                Path(path).write_text(text.getvalue(), encoding="utf-8", newline="\n")
            except OSError as error:
                raise ResultsError(f"cannot write {path}: {error.strerror or error}") from error
        return text.getvalue()

    def cells(self) -> list[tuple[str, ...]]:
        """The table in words, its head first: at every point the median over seeds, and the quartiles."""
        bands = {n: self.quantiles(n, [0.25, 0.5, 0.75]) for n in self.quantities}
        failed = dict.fromkeys(range(len(self.points)), 0)
        for r in self.failures:
            failed[r.place] += 1
        table = [(*self.names, *self.quantities, *(["failed"] if self.failures else []))]
        for k, point in enumerate(self.points):
            words = [str(v) for v in point.values()]
            words += [_band(*bands[n][:, k], one=len(self.seeds) == 1) for n in self.quantities]
            table.append((*words, *([str(failed[k] or "")] if self.failures else [])))
        return table

    def __repr__(self) -> str:
        grid = ""
        if self.axes is not None and len(self.axes) > 1:
            grid = f" ({' × '.join(f'{len(values)} {name}' for name, values in self.axes.items())})"
        what = [f"{_count(len(self.points), 'point')}{grid} × {_count(len(self.seeds), 'seed')}"]
        what += [", ".join(self.quantities)] if self.quantities else []
        what += [] if self.complete else [f"{len(self)} of {self.size} measured"]
        what += [f"{len(self.failures)} failed"] if self.failures else []
        return f"<Sweep: {'; '.join(what)}>"

    def __str__(self) -> str:
        cells = self.cells()
        widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
        lines = ["  ".join(w.rjust(n) for w, n in zip(row, widths, strict=True)).rstrip() for row in cells]
        return "\n".join([*lines, *_notes(self)])

    def _repr_html_(self) -> str:
        head, *body = (
            "".join(f"<{tag}>{html.escape(word)}</{tag}>" for word in row)
            for tag, row in zip(["th"] + ["td"] * len(self.points), self.cells(), strict=True)
        )
        shown = [f"<tr>{row}</tr>" for row in body[:ROWS_SHOWN]]
        notes = _notes(self)
        if len(body) > ROWS_SHOWN:
            notes.insert(0, f"{len(body) - ROWS_SHOWN} more points")
        table = f"<table><thead><tr>{head}</tr></thead><tbody>{''.join(shown)}</tbody></table>"
        return table + "".join(f"<p>{html.escape(note)}</p>" for note in notes)


def _quantiles(values: np.ndarray, q: np.ndarray) -> np.ndarray:
    """Linear between the neighbours in order; between equal infinities that infinity."""
    if not len(values) or np.isnan(values).any():
        return np.full(q.shape, np.nan)
    ordered = np.sort(values)
    place = q * (len(values) - 1)
    low = np.floor(place).astype(int)
    a, b, share = ordered[low], ordered[np.minimum(low + 1, len(values) - 1)], place - low
    with np.errstate(invalid="ignore"):
        return np.where((a == b) | (share == 0), a, (1 - share) * a + share * b)


def _band(low: float, middle: float, high: float, *, one: bool) -> str:
    if np.isnan(middle):
        return "–" if np.isnan(low) and np.isnan(high) else f"nan [{low:.4g}, {high:.4g}]"
    return f"{middle:.4g}" if one else f"{middle:.4g} [{low:.4g}, {high:.4g}]"


def _count(count: int, thing: str) -> str:
    return f"{count} {thing}{'' if count == 1 else 's'}"


def _notes(sweep: Sweep) -> list[str]:
    """What there is to say below the table."""
    notes = [] if sweep.complete else [f"{len(sweep)} of {sweep.size} measurements were made"]
    if len(sweep.seeds) > 1 and sweep.quantities:
        notes.append(f"median [quartiles] over {len(sweep.seeds)} seeds")
    notes += [f"failed at {dict(r.point)}, seed {r.seed}: {r.error}" for r in sweep.failures[:5]]
    if len(sweep.failures) > 5:
        notes.append(f"{len(sweep.failures) - 5} more failed; see failures")
    return notes
