"""Figures of comparisons and of phase diagrams, in the style of :mod:`rnnderive.chains.figures`."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from rnnderive.chains.drawing import band, legend, look, new_axes, powers, thin, whole_numbers
from rnnderive.chains.phases import crossing, numeric
from rnnderive.errors import InputError
from rnnderive.printing.style import COLOURS, style

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from rnnderive.chains.comparison import Comparison
    from rnnderive.chains.phases import Phases

__all__ = ["ComparisonPlots", "PhasePlots"]

# Dark where gradients vanish, light where they explode; white, with a line, where they do neither.
DIVERGING = ("#08305c", "#0072B2", "#a9cfe6", "#ffffff", "#fbe0b0", "#E69F00", "#b86e00")
LABELS = {
    "rate": "rate of the gradient, nats a step", "lyapunov": "$\\lambda_1$, nats a step",
    "memory": "memory in steps", "saturation": "fraction of saturated slopes",
    "gradient": "$\\ln\\|\\partial L/\\partial\\theta\\|$", "gain": "gain of the recurrent weights",
    "input_scale": "standard deviation of the input", "state_scale": "standard deviation of the initial state",
    "T": "steps $T$", "forget_bias": "forget bias",
}  # fmt: skip
GREY = "#9a9a9a"
FEW = 6  # values of an axis that are all written below it
NEAR = 0.07  # of the axis: less is too near for two numbers
WIDE = 30.0  # an axis whose ends differ by such a factor is logarithmic


class ComparisonPlots:
    """Figures of one comparison: ``comparison.plot.norms()``.

    Every method takes ``ax=None`` and returns the axes it drew into.
    """

    def __init__(self, comparison: Comparison) -> None:
        self.comparison = comparison

    def norms(self, ax: Axes | None = None, of: Literal["chain", "gradient"] = "chain") -> Axes:
        """Norms against the distance: of the chain, or of the gradient, each from 1."""
        if of not in ("chain", "gradient"):
            raise InputError(f"found of={of!r}, expected 'chain' or 'gradient'")
        with style():
            ax = new_axes(ax, 7.4)
            for k, (label, a) in enumerate(self.comparison.analyses.items()):
                if of == "chain":
                    band(ax, a.lags, a.operator, k, _plain(label))
                elif a.trace.speaks:
                    band(ax, np.arange(len(a.gradient)), a.gradient - a.gradient[0], k, _plain(label))
            what = "norm $\\|P_{T,k}\\|_2$" if of == "chain" else "norm $\\|\\partial L/\\partial s^k\\|$, from 1"
            ax.set(xlabel="distance $T-k$ in steps", ylabel=what)
            powers(ax)
            legend(ax)
        return ax

    def drift(self, ax: Axes | None = None) -> Axes:
        """How the size of the state's entries moves over time: the root of their mean square."""
        from matplotlib.ticker import FormatStrFormatter, LogLocator, NullFormatter

        with style():
            ax = new_axes(ax, 6.4)
            for k, (label, a) in enumerate(self.comparison.analyses.items()):
                series = a.trace.course[a.states[0]].reshape(a.trace.T, -1)
                sizes = np.sqrt(np.square(series).mean(axis=1))
                x, sizes = thin(np.arange(1, a.trace.T + 1), sizes)
                ax.plot(x, sizes, label=_plain(label), **look(k, len(x)))
            ax.set(xlabel="step $t$", ylabel="root mean square of the state", yscale="log")
            ax.yaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0), numticks=8))
            ax.yaxis.set_major_formatter(FormatStrFormatter("%g"))
            ax.yaxis.set_minor_formatter(NullFormatter())
            whole_numbers(ax)
            legend(ax)
        return ax

    def verdicts(self, ax: Axes | None = None) -> Axes:
        """The rate of each with two standard errors, and the verdict."""
        rows = self.comparison.rows()
        with style():
            ax = new_axes(ax, 2.4 + 0.8 * len(rows))
            rates = np.array([row["rate"] for row in rows])
            places = np.arange(len(rows))
            alive = np.isfinite(rates)
            ax.axvline(0.0, color="#888888", linewidth=0.8)
            errors = np.array([2 * row["error"] for row in rows])
            ax.errorbar(
                rates[alive], places[alive], xerr=errors[alive], color=COLOURS[0], linestyle="none", marker="o",
                markersize=4, capsize=2, label="± 2 standard errors",
            )  # fmt: skip
            for place, row in zip(places, rows, strict=True):
                ax.annotate(
                    row["kind"], (1.0, place), xycoords=("axes fraction", "data"), xytext=(4, 0),
                    textcoords="offset points", va="center", annotation_clip=False,
                )  # fmt: skip
            ax.set(xlabel="rate of the gradient in nats a step", ylim=(len(rows) - 0.5, -0.5))
            ax.set_yticks(places, [_plain(row["label"]) for row in rows])
            legend(ax)
        return ax

    def svg(self, name: str, **options: Any) -> str:
        """One of the figures as SVG text, the same bytes for the same comparison."""
        return _svg(getattr(self, name)(**options))


class PhasePlots:
    """Figures of one phase diagram: ``phases.plot.map()``."""

    def __init__(self, phases: Phases) -> None:
        self.phases = phases

    def map(
        self, quantity: str = "rate", x: str | None = None, y: str | None = None, ax: Axes | None = None, **at: Any
    ) -> Axes:
        """A quantity over two axes; of the rate and of λ₁ with the critical line, where they are zero.

        Contours are dashed where it is negative, so that the sign is seen without colours.  Grey is
        where it is not finite, or failed.

        Parameters
        ----------
        quantity : str
        x, y : str, optional
            Axes to draw along; the first two that have no place given.
        ax : Axes, optional
        **at
            The value of each other axis.
        """
        x, y, values = self._plane(quantity, x, y, at)
        from matplotlib.colors import LinearSegmentedColormap

        signed = quantity in ("rate", "lyapunov")
        with style():
            import matplotlib as mpl

            ax = new_axes(ax, 8.6)
            across, up = _Scale(x, self.phases.axes[x]), _Scale(y, self.phases.axes[y])
            shown = np.ma.masked_invalid(values[np.ix_(up.order, across.order)])
            colours = LinearSegmentedColormap.from_list("phases", DIVERGING) if signed else mpl.colormaps["cividis"]
            picture = ax.pcolormesh(
                across.edges, up.edges, shown, norm=_around_zero(shown) if signed else None,
                cmap=colours.with_extremes(bad=GREY),
            )  # fmt: skip
            if signed:
                _lines(ax, across, up, shown, "rate" if quantity == "rate" else "$\\lambda_1$")
            _grey(ax, shown, "longer than the run" if quantity == "memory" else "not finite")
            if ax.get_legend_handles_labels()[0]:
                legend(ax)
            across.label(ax, "x")
            up.label(ax, "y")
            ax.grid(False)
            ax.figure.colorbar(picture, ax=ax, label=LABELS.get(quantity, quantity), aspect=30)
        return ax

    def lines(self, x: str, quantity: str = "rate", by: str | None = None, ax: Axes | None = None, **at: Any) -> Axes:
        """A quantity along one axis, a curve for each value of another; the median and the quartiles.

        Parameters
        ----------
        x : str
            An axis of numbers.
        quantity : str
        by : str, optional
            The axis that has a curve for each value; the first other one without a place.
        ax : Axes, optional
        **at
            The value of each other axis.
        """
        phases = self.phases
        phases.place(x)
        rest = [n for n in phases.axes if n != x and n not in at]
        by = by if by is not None else next(iter(rest), None)
        labels = phases.axes[by] if by is not None else ("",)
        with style():
            ax = new_axes(ax, 7.4)
            scale = _Scale(x, phases.axes[x])
            for k, label in enumerate(labels):
                place = {**at, **({by: label} if by is not None else {})}
                low, middle, high = (self._slice(quantity, [x], place, q)[scale.order] for q in (0.25, 0.5, 0.75))
                words = f"{by} {label}" if by is not None else "median"
                ax.plot(scale.centres, middle, label=_plain(words), **look(k, len(middle)))
                if len(phases.sweep.seeds) > 1:
                    ax.fill_between(scale.centres, low, high, color=COLOURS[k % 7], alpha=0.2, linewidth=0)
            if quantity in ("rate", "lyapunov"):
                ax.axhline(0.0, color="#888888", linewidth=0.8)
            ax.set(ylabel=LABELS.get(quantity, quantity))
            scale.label(ax, "x")
            legend(ax)
        return ax

    def svg(self, name: str, **options: Any) -> str:
        """One of the figures as SVG text, the same bytes for the same measurements."""
        return _svg(getattr(self, name)(**options))

    def _plane(self, quantity: str, x: str | None, y: str | None, at: dict[str, Any]) -> tuple[str, str, Any]:
        left = [n for n in self.phases.axes if n not in (x, y) and n not in at]
        x = x if x is not None else left.pop(0) if left else None
        y = y if y is not None else left.pop(0) if left else None
        if x is None or y is None or x == y:
            raise InputError(
                f"a map needs two axes; this diagram has {', '.join(self.phases.axes)}. For one axis there is lines()"
            )
        return x, y, self._slice(quantity, [y, x], at, 0.5)

    def _slice(self, quantity: str, kept: list[str], at: dict[str, Any], q: float) -> Any:
        """A quantity over some axes, at given values of the others."""
        phases = self.phases
        if quantity == "kind":
            raise InputError("a verdict is no number; it is in Phases.kinds and in the table")
        index: list[Any] = []
        for name in (*kept, *at):
            phases.place(name, numbers=False)
        for name, values in phases.axes.items():
            if name in kept:
                index.append(slice(None))
                continue
            value = at.get(name, values[0] if len(values) == 1 else _MISSING)
            if value not in values:
                found = "no value" if value is _MISSING else repr(value)
                raise InputError(f"found {found} of {name}; expected one of {', '.join(map(str, values))}")
            index.append(values.index(value))
        plane = phases.grid(quantity, q)[tuple(index)]
        order = [n for n in phases.axes if n in kept]
        return np.transpose(plane, [order.index(n) for n in kept])


_MISSING = object()


class _Scale:
    """Where the values of an axis stand: numbers at their own place, other values one beside the other."""

    def __init__(self, name: str, values: tuple[Any, ...]) -> None:
        self.name = name
        self.numbers = numeric(values)
        places = np.array(values, dtype=float) if self.numbers else np.arange(float(len(values)))
        self.order = np.argsort(places)  # as drawn: rising
        self.centres = places[self.order]
        self.words = [_plain(str(values[k])) for k in self.order]
        self.log = bool(self.numbers and places.min() > 0 and places.max() >= WIDE * places.min())

    @property
    def edges(self) -> Any:
        """Borders half-way between neighbours."""
        c = np.log(self.centres) if self.log else self.centres
        if len(c) == 1:
            edges = np.array([c[0] - 0.5, c[0] + 0.5])
        else:
            middle = (c[1:] + c[:-1]) / 2
            edges = np.concatenate([[2 * c[0] - middle[0]], middle, [2 * c[-1] - middle[-1]]])
        return np.exp(edges) if self.log else edges

    def label(self, ax: Axes, which: Literal["x", "y"]) -> None:
        """Scale, ticks and name."""
        getattr(ax, f"set_{which}label")(LABELS.get(self.name, self.name))
        if self.log:
            getattr(ax, f"set_{which}scale")("log")
        elif not self.numbers:
            getattr(ax, f"set_{which}ticks")(self.centres, self.words)
        elif len(self.centres) <= FEW and (np.diff(self.centres) >= NEAR * np.ptp(self.centres)).all():
            getattr(ax, f"set_{which}ticks")(self.centres, [f"{v:g}".replace("-", "−") for v in self.centres])
        elif (self.centres == self.centres.round()).all():
            whole_numbers(ax, which)


def _lines(ax: Axes, x: _Scale, y: _Scale, values: Any, zero: str) -> None:
    """Contours, dashed below zero, and the critical line; where an axis has no numbers, a mark in each row."""
    black: dict[str, Any] = {"color": "black", "linewidth": 2.2}
    critical = False
    if x.numbers and y.numbers and min(values.shape) > 1:
        from matplotlib.patheffects import withStroke
        from matplotlib.ticker import MaxNLocator

        low, high = float(values.min()), float(values.max())
        levels = [v for v in MaxNLocator(6).tick_values(low, high) if low < v < high and abs(v) > 1e-12]
        if levels:
            # A light rim: seen on what is dark too.
            rim: list[Any] = [withStroke(linewidth=2.4, foreground="white")]
            fine = ax.contour(x.centres, y.centres, values, levels=levels, colors="#333333", linewidths=0.8)
            fine.set_path_effects(rim)
            for label in ax.clabel(fine, fontsize=8, fmt=lambda v: f"{v:g}".replace("-", "−"), colors="black"):
                label.set_path_effects(rim)
        if critical := low < 0 < high:
            ax.contour(x.centres, y.centres, values, levels=[0.0], colors="black", linewidths=2.2)
    elif x.numbers or y.numbers:
        along, rows = (x, values) if x.numbers else (y, values.T)
        for k, row in enumerate(rows.filled(np.nan)):
            place = crossing(along.centres, row)
            if np.isfinite(place):
                critical = True
                ax.plot(*([place, place], [k - 0.5, k + 0.5])[:: 1 if x.numbers else -1], **black)
    if critical:
        ax.plot([], [], **black, label=f"critical line, {zero} = 0")


def _grey(ax: Axes, values: Any, words: str) -> None:
    """Say what grey is, where there is any."""
    if np.ma.getmaskarray(values).any():
        ax.plot([], [], linestyle="none", marker="s", markersize=8, color=GREY, label=words)


def _around_zero(values: Any) -> Any:
    """Zero in the middle; neither side is stretched to more than four times the other."""
    from matplotlib.colors import TwoSlopeNorm

    low, high = (float(values.min()), float(values.max())) if values.count() else (-1.0, 1.0)
    reach = max(-low, high, 1e-12)
    return TwoSlopeNorm(0.0, min(low, -reach / 4), max(high, reach / 4))


def _svg(ax: Axes) -> str:
    out = io.StringIO()
    with style():
        figure: Any = ax.figure
        figure.savefig(out, format="svg", metadata={"Date": None, "Creator": None})
    text = out.getvalue()
    return text[text.index("<svg") :]


def _plain(label: str) -> str:
    return label.replace("$", r"\$")
