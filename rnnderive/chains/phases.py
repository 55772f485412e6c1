"""Phase diagrams: where gradients vanish, where they explode, and the critical line between."""

from __future__ import annotations

import csv
import functools
import html
import io
import os
from collections import Counter
from collections.abc import Iterable, Mapping
from concurrent.futures import Executor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from rnnderive.chains.comparison import html_table, network, text_table
from rnnderive.chains.cost import MEMORY
from rnnderive.chains.ensemble import KINDS, SETTINGS, Ensemble
from rnnderive.chains.results import ResultsError
from rnnderive.chains.sweep import sweep
from rnnderive.chains.table import Sweep
from rnnderive.errors import InputError
from rnnderive.language import Recurrence

if TYPE_CHECKING:
    from rnnderive.chains.diagrams import PhasePlots

__all__ = ["Phases", "measure", "phase_diagram"]

ROWS_SHOWN = 40


@dataclass(frozen=True, repr=False, eq=False)
class Phases:
    """A phase diagram.  Made by :func:`phase_diagram`.

    Attributes
    ----------
    sweep : Sweep
        All measurements; ``kind`` is a place in :data:`~rnnderive.chains.ensemble.KINDS`.
    ensemble : Ensemble
        What is the same at every point.
    """

    sweep: Sweep
    ensemble: Ensemble

    @property
    def axes(self) -> Mapping[str, tuple[Any, ...]]:
        """Name → values."""
        assert self.sweep.axes is not None  # its grid is a mapping
        return self.sweep.axes

    def grid(self, name: str = "rate", q: float | None = 0.5) -> Any:
        """A quantity over the axes: a quantile over the seeds, the median unless given; None for all seeds."""
        return self.sweep.grid(name, q)

    @property
    def kinds(self) -> Any:
        """The verdict at each point: the most frequent over the seeds, empty where all failed."""
        codes = self.sweep.grid("kind", None)
        words = [_most(row) for row in codes.reshape(-1, codes.shape[-1])]
        return np.array(words, dtype=object).reshape(codes.shape[:-1])

    def critical(self, along: str, name: str = "rate") -> Any:
        """Where a quantity is zero along an axis: the critical line.

        Parameters
        ----------
        along : str
            An axis of numbers.
        name : str
            ``rate`` or ``lyapunov``.

        Returns
        -------
        array
            An entry for each point of the other axes: the first change of sign, straight between
            its neighbours; NaN where there is none.
        """
        place = self.place(along)
        x = np.asarray(self.axes[along], dtype=float)
        order = np.argsort(x)
        rows = np.moveaxis(self.grid(name), place, -1)[..., order]
        found = [crossing(x[order], row) for row in rows.reshape(-1, len(x))]
        return np.array(found).reshape(rows.shape[:-1])

    def place(self, axis: str, *, numbers: bool = True) -> int:
        """Which axis of :meth:`grid` a name is."""
        if axis not in self.axes:
            raise InputError(f"{axis!r} is no axis of this diagram; its axes are {', '.join(self.axes)}")
        if numbers and not numeric(self.axes[axis]):
            raise InputError(f"the axis {axis} has values that are no numbers: {', '.join(map(str, self.axes[axis]))}")
        return list(self.axes).index(axis)

    # ------------------------------------------------------------ told

    @property
    def plot(self) -> PhasePlots:
        """The figures: ``phases.plot.map()``, ``phases.plot.lines("gain")``."""
        from rnnderive.chains.diagrams import PhasePlots

        return PhasePlots(self)

    def rows(self) -> list[dict[str, Any]]:
        """A dict for each measurement, verdicts in words."""
        return [{**row, "kind": _kind(row.get("kind"))} for row in self.sweep.rows()]

    def to_csv(self, path: str | os.PathLike[str] | None = None) -> str:
        """All measurements as comma-separated values, verdicts in words; to a file if a path is given."""
        text = io.StringIO()
        names = [*self.sweep.names, "seed", *(self.sweep.quantities or ("kind",)), "error"]
        writer = csv.DictWriter(text, names, lineterminator="\n")
        writer.writeheader()
        writer.writerows(self.rows())
        if path is not None:
            try:
                Path(path).write_text(text.getvalue(), encoding="utf-8", newline="\n")
            except OSError as error:
                raise ResultsError(f"cannot write {path}: {error.strerror or error}") from error
        return text.getvalue()

    def cells(self) -> list[tuple[str, ...]]:
        """The table in words, its head first: at every point medians over seeds, and quartiles."""
        head, *body = self.sweep.cells()
        if "kind" not in head:
            return [head, *body]
        at = head.index("kind")
        return [head, *((*row[:at], k or "–", *row[at + 1 :]) for row, k in zip(body, self.kinds.flat, strict=True))]

    @property
    def setting(self) -> str:
        """What is the same at every point, in words."""
        e = self.ensemble
        fixed = {n: getattr(e, n) for n in ("gain", "input_scale", "state_scale", "T", "scheme", "forget_bias")}
        parts = [
            f"{n.removeprefix('n_')} {v}"
            for n, v in {**e.sizes, **fixed}.items()
            if n not in self.axes and v is not None
        ]
        seeds = ", ".join(map(str, self.sweep.seeds))
        return f"{', '.join(parts)}; seed{'s' * (len(self.sweep.seeds) > 1)} {seeds}"

    def __str__(self) -> str:
        return f"{self.setting}\n\n{text_table(self.cells())}"

    def __repr__(self) -> str:
        return f"<Phases{repr(self.sweep).removeprefix('<Sweep')}"

    def _repr_html_(self) -> str:
        drawn = sum(numeric(values) for values in self.axes.values())
        figure = self.plot.svg("map") if len(self.axes) == 2 and drawn else ""
        return f"<p>{html.escape(self.setting)}</p>{figure}{html_table(self.cells()[: ROWS_SHOWN + 1])}"


def phase_diagram(
    cell: Recurrence | str,
    axes: Mapping[str, Iterable[Any]],
    *,
    sizes: Mapping[str, int],
    seeds: int | Iterable[int] = 1,
    executor: Executor | None = None,
    results: str | os.PathLike[str] | None = None,
    progress: bool | None = None,
    memory: float = MEMORY,
    **settings: Any,
) -> Phases:
    """Measure the chain of random networks of one cell over a grid.

    At each point, and for each seed, weights, a Gaussian input and an initial state are drawn, and
    rate, Lyapunov exponent, memory, verdict, saturation and gradient are measured
    (:meth:`~rnnderive.chains.ensemble.Ensemble.measure`).

    Parameters
    ----------
    cell : Recurrence or str
        A recurrence, its equations, or the name of a cell.
    axes : mapping
        Name → values, of ``gain``, ``input_scale``, ``state_scale``, ``T``, ``forget_bias``,
        ``scheme``, and of the names of `sizes`.
    sizes : mapping
        Widths, ``{"h": 32, "x": 4, "y": 2}``: ``h`` stands for the state, whatever the cell calls it.
    seeds, executor, results, progress
        As for :func:`~rnnderive.chains.sweep`: the same bytes on any executor, begun again where
        it was stopped.  Seed s draws what ``rnnderive chain --seed s`` draws at the point's settings.
    memory : float
        In GiB: a sweep whose largest network needs more is refused before it is begun.
    **settings
        What is the same at every point, if not as it is by itself: the names of `axes`, and
        ``roles``; see :class:`~rnnderive.chains.ensemble.Ensemble`.

    Raises
    ------
    InputError
        For axes, sizes and settings that are none, or that the cell has no use for; before
        anything is measured.

    Examples
    --------
    >>> found = phase_diagram(
    ...     "rnn", {"gain": [0.5, 4.0], "input_scale": [0.1, 1.0]}, sizes={"h": 64, "x": 2, "y": 1}, T=100,
    ...     roles={"recurrent": "lecun_normal"})
    >>> found.kinds.tolist()
    [['vanishing', 'vanishing'], ['chaotic', 'chaotic']]
    >>> found.critical("gain").shape
    (2,)
    """
    net = network(cell, "the cell")
    table = _axes(axes)
    ensemble = _ensemble(net, sizes, settings)
    _try(ensemble, table, memory)
    found = sweep(
        functools.partial(measure, ensemble=ensemble), table,
        seeds=seeds, executor=executor, results=results, progress=progress,
    )  # fmt: skip
    return Phases(found, ensemble)


def measure(point: dict[str, Any], seed: int, ensemble: Ensemble) -> dict[str, float]:
    """The measure of a phase diagram, at the top of a module, for worker processes."""
    return ensemble.at(point).measure(seed)


# ---------------------------------------------------------------- checked before it is measured


def _axes(axes: Any) -> dict[str, list[Any]]:
    if not isinstance(axes, Mapping) or not axes:
        raise InputError(f"axes is {axes!r}; expected names with their values, such as {{'gain': [0.5, 1.0, 1.5]}}")
    table = {}
    for name, values in axes.items():
        if isinstance(values, str) or not isinstance(values, Iterable):
            raise InputError(f"{name} is {values!r}; expected a list, also for a single value: [{values!r}]")
        table[name] = list(values)
        if not table[name] or len(set(map(repr, table[name]))) < len(table[name]):
            raise InputError(f"{name} has the values {table[name]}; expected one at least, each of them once")
    return table


def _ensemble(net: Recurrence, sizes: Any, settings: Mapping[str, Any]) -> Ensemble:
    if not isinstance(sizes, Mapping):
        raise InputError(f"sizes is {sizes!r}; expected widths by name, such as {{'h': 32, 'x': 4}}")
    if unknown := [n for n in settings if n not in (*SETTINGS, "roles")]:
        raise InputError(f"there is no setting {unknown[0]!r}; there are {', '.join((*SETTINGS, 'roles'))}")
    return Ensemble.of(net, sizes, **settings)


def _try(ensemble: Ensemble, axes: Mapping[str, list[Any]], memory: float) -> None:
    """Draw a short network with each value of each axis: what cannot be drawn is told at once."""
    points = [{name: value} for name, values in axes.items() for value in values]
    first = ensemble.at({name: values[0] for name, values in axes.items()})
    for point in points:
        first.at(point)
    largest = {n: max(v) for n, v in axes.items() if n == "T" or n not in SETTINGS}
    first.at(largest).check_memory(memory)
    for point in points:
        ((name, value),) = point.items()
        if name in ("scheme", "forget_bias") or value in axes[name][:2]:  # of two gains one is not 1
            first.at({**point, "T": 2}).draw(0)


# ---------------------------------------------------------------- numbers and words


def numeric(values: Iterable[Any]) -> bool:
    """Whether an axis has numbers alone, which have an order and places between them."""
    return all(isinstance(v, int | float) and not isinstance(v, bool) for v in values)


def _kind(code: Any) -> str:
    return "" if code is None else KINDS[int(code)]


def _most(codes: Any) -> str:
    """The most frequent verdict; of equally frequent ones the one that comes first in KINDS."""
    counts = Counter(int(c) for c in codes if np.isfinite(c))
    return KINDS[min(counts, key=lambda c: (-counts[c], c))] if counts else ""


def crossing(x: Any, y: Any) -> float:
    """Where a curve first changes sign."""
    for a, b, left, right in zip(x, x[1:], y, y[1:], strict=False):
        if left == 0:
            return float(a)
        if np.isfinite(left) and np.isfinite(right) and left * right < 0:
            return float(a + (b - a) * left / (left - right))
    return float(x[-1]) if y[-1] == 0 else float("nan")
