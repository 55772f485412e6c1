"""What all figures of chains are drawn with: axes, curves of powers of ten, ticks and legends."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from rnnderive.chains.trace import middle
from rnnderive.printing.style import CM, COLOURS, DASHES, MARKERS, WIDTH_CM

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = [
    "band",
    "beyond",
    "blocks",
    "clipped",
    "legend",
    "look",
    "new_axes",
    "new_figure",
    "of_nothing",
    "powers",
    "shown",
    "thin",
    "whole_numbers",
    "within",
]

MOST_POINTS = 2000  # of a curve: no picture shows more
FEW = 3.0  # powers of ten on an axis
ROOM = 0.5  # of what is measured: so far above it a bound still fits


def new_figure(height: float) -> Figure:
    from matplotlib.figure import Figure

    return Figure(figsize=(WIDTH_CM * CM, height * CM), layout="constrained")


def new_axes(ax: Axes | None, height: float) -> Axes:
    return ax if ax is not None else new_figure(height).subplots()


def look(k: int, points: int) -> dict[str, Any]:
    return {
        "color": COLOURS[k % 7], "linestyle": DASHES[k % 7], "marker": MARKERS[k % 7], "markersize": 4,
        "markevery": max(1, points // 12),
    }  # fmt: skip


def thin(x: Any, *ys: Any) -> tuple[Any, ...]:
    """At most some thousand points, the first and the last among them: no picture shows more."""
    if len(x) <= MOST_POINTS:
        return (x, *ys)
    keep = np.unique(np.linspace(0, len(x) - 1, MOST_POINTS).round().astype(int))
    return (x[keep], *(y[keep] for y in ys))


def blocks(values: Any) -> tuple[Any, Any, int]:
    """The middle of each block of steps, the means over it, and its length: 1 where all steps can be shown."""
    block = -(-len(values) // MOST_POINTS)
    starts = np.arange(0, len(values), block)
    lengths = np.diff([*starts, len(values)])
    sums = np.add.reduceat(values, starts, axis=0)
    return starts + (1 + lengths) / 2, sums / lengths.reshape(-1, *[1] * (values.ndim - 1)), block


def band(ax: Axes, x: Any, logs: Any, k: int, label: str, quartiles: bool = True) -> None:
    """A curve of ln norms as powers of ten; of a batch the median, and the quartiles as a band."""
    tens = logs / np.log(10)
    x, line = thin(np.asarray(x), shown(middle(tens)))
    ax.plot(x, line, label=of_nothing(label, line), **look(k, len(x)))
    if quartiles and tens.ndim > 1 and tens.shape[1] > 1:
        with np.errstate(invalid="ignore"):  # between −∞ and a number there is nothing to draw
            low, high = shown(np.quantile(tens, [0.25, 0.75], axis=1))
        _, low, high = thin(np.arange(len(tens)), low, high)
        ax.fill_between(x, low, high, color=COLOURS[k % 7], alpha=0.2, linewidth=0)


def shown(logs: Any) -> Any:
    """What is exactly zero has no place on an axis of powers: the curve ends."""
    return np.where(np.isfinite(logs), logs, np.nan)


def of_nothing(label: str, line: Any) -> str:
    """What is zero cannot be seen on an axis of powers; the label says so."""
    seen = np.isfinite(line)
    return label if seen.all() else f"{label}, 0 where not drawn" if seen.any() else f"{label}: exactly zero"


def powers(ax: Axes) -> None:
    """Powers of ten on the vertical axis, whose numbers are their exponents."""
    from matplotlib.ticker import FixedLocator, FuncFormatter, MaxNLocator

    low, high = ax.get_ylim()
    if high - low < FEW:  # few powers of ten: round numbers between them too, each written as it is
        ax.set_ylim(low, high)
        ax.yaxis.set_major_locator(FixedLocator(np.log10(_round_numbers(10.0**low, 10.0**high))))
        ax.yaxis.set_major_formatter(FuncFormatter(lambda v, _: _written(10.0**v)))
    else:
        ax.yaxis.set_major_locator(MaxNLocator(integer=True, nbins=7, min_n_ticks=1))
        ax.yaxis.set_major_formatter(FuncFormatter(lambda v, _: f"$10^{{{v:.0f}}}$"))
    whole_numbers(ax)


def clipped(ax: Axes) -> float:
    """How high powers of ten are shown: what is drawn so far, and some room for bounds above it."""
    low, high = ax.get_ylim()
    return high + ROOM * max(high - low, FEW)


def beyond(tens: Any, top: float) -> str:
    """What a label says of a curve that leaves the picture."""
    highest = np.nanmax(tens, initial=-np.inf)
    return f", leaves the picture for $10^{{{highest:.0f}}}$" if highest > top else ""


def within(ax: Axes, top: float) -> None:
    low, high = ax.get_ylim()
    ax.set_ylim(low, min(high, top))


def _round_numbers(low: float, high: float) -> Any:
    """Three round numbers or more between two: the roundest that do, evenly spaced where there is little room."""
    from matplotlib.ticker import MaxNLocator

    powers = 10.0 ** np.arange(np.floor(np.log10(low)), np.ceil(np.log10(high)) + 1)
    even = np.asarray(MaxNLocator(5).tick_values(low, high))
    ways = [np.outer(powers, digits).ravel() for digits in ((1,), (1, 3), (1, 2, 5), (1, 2, 3, 5, 7))]
    inside = [way[(low <= way) & (way <= high)] for way in (*ways, even)]
    return next((found for found in inside if len(found) >= 3), inside[-1])


def _written(value: float) -> str:
    """A round number, in powers of ten where it has many zeros."""
    exponent = int(np.floor(np.log10(value * (1 + 1e-9))))
    if -4 < exponent < 5:
        return f"{value:.6g}"
    digits = f"{value / 10.0**exponent:.4g}"
    return f"$10^{{{exponent}}}$" if digits == "1" else f"${digits}\\cdot 10^{{{exponent}}}$"


def whole_numbers(ax: Axes, which: str = "x") -> None:
    from matplotlib.ticker import MaxNLocator

    axis = ax.xaxis if which == "x" else ax.yaxis
    axis.set_major_locator(MaxNLocator(integer=True, nbins=8 if which == "x" else 4, min_n_ticks=1))


def legend(ax: Axes, columns: int = 2) -> None:
    """Above the axes, where it cannot cover what is drawn."""
    ax.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=columns, handlelength=2.6)
