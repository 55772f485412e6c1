"""The figures of an analysis, one by one; each draws into given axes or makes its own.

Norms are drawn as powers of ten.  Matplotlib is imported when something is drawn.
"""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from rnnderive import printing as pr
from rnnderive.chains.census import Gate
from rnnderive.chains.paths import Path
from rnnderive.chains.trace import middle
from rnnderive.chains.truncation import Truncation
from rnnderive.errors import InputError
from rnnderive.printing.style import CM, COLOURS, DASHES, MARKERS, WIDTH_CM, style

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from rnnderive.chains.analysis import Analysis

__all__ = ["Plots"]

FIGURES = ("norms", "contributions", "spectrum", "paths", "gates", "gate_means", "drift", "truncation")
MOST_STEPS = 20_000  # for what needs all Jacobians at once
MOST_POINTS = 2000
MOST_TOKENS = 40


class Plots:
    """Figures of one analysis: ``analysis.plot.norms()``.

    Every method takes ``ax=None`` and returns the axes it drew into.

    Parameters
    ----------
    analysis : Analysis
    """

    def __init__(self, analysis: Analysis) -> None:
        self.analysis = analysis

    @property
    def applicable(self) -> tuple[str, ...]:
        """The figures that have something to show for this analysis.

        Examples
        --------
        >>> import numpy as np, rnnderive as rd
        >>> net = rd.Recurrence.parse("h[t] = tanh(u * h[t-1])", loss=None)
        >>> rd.analyze(net, {"u": np.ones(1)}, {"T": 9}).plot.applicable
        ('norms', 'spectrum', 'paths', 'drift')
        """
        trace = self.analysis.trace
        reasons = {
            "gates": self.analysis.gates, "gate_means": self.analysis.gates, "contributions": trace.speaks,
            "spectrum": trace.T <= MOST_STEPS, "truncation": trace.speaks and 1 < trace.T <= MOST_STEPS,
        }  # fmt: skip
        return tuple(name for name in FIGURES if reasons.get(name, True))

    def norms(self, ax: Axes | None = None) -> Axes:
        """Norms of the chain and of the gradient against the distance, with the bounds."""
        a = self.analysis
        with style():
            ax = _axes(ax, 7.4)
            _band(ax, a.lags, a.operator, 0, "chain $\\|P_{T,k}\\|_2$")
            if a.trace.speaks:
                lags = np.arange(len(a.gradient))
                _band(ax, lags, a.gradient - a.gradient[0], 1, "gradient $\\|\\partial L/\\partial s^k\\|$, from 1")
            limits = a.bounds
            ax.plot(
                *_thin(limits.lags, _shown(middle(limits.logs)) / np.log(10)), color="#777777", linestyle=":",
                linewidth=1.2, label="bound along this run",
            )  # fmt: skip
            if np.isfinite(limits.limit) and limits.limit > 0:
                ax.plot(
                    *_thin(limits.lags, limits.whatever / np.log(10)), color="#777777", linestyle=(0, (6, 2)),
                    linewidth=1.0, label=f"bound whatever the run, {limits.limit:.3g}$^{{T-k}}$",
                )  # fmt: skip
            ax.set(xlabel="distance $T-k$ in steps", ylabel="norm")
            _powers(ax)
            _legend(ax)
        return ax

    def contributions(self, *wrt: str, ax: Axes | None = None) -> Axes:
        """What each step adds to the gradient of some parameters, or what the loss knows of an input."""
        a = self.analysis
        names = wrt or a.trace.chain.reads[:3]
        with style():
            ax = _axes(ax, 7.4)
            for k, name in enumerate(names):
                found = a.contributions(name)
                _band(ax, np.arange(1, a.trace.T + 1), found.logs, k, _name(name))
            ax.set(xlabel="step $k$", ylabel="norm of the summand of step $k$")
            _powers(ax)
            _legend(ax)
        return ax

    def spectrum(self, ax: Axes | None = None, member: int = 0) -> Axes:
        """All singular values of the whole product, as rates, and the Lyapunov exponents."""
        a = self.analysis
        found = a.spectrum(member)
        with style():
            ax = _axes(ax, 7.0)
            rates = found.log_singular_values / a.trace.T
            order = np.arange(1, len(rates) + 1)
            alive = np.isfinite(rates)
            ax.plot(order[alive], rates[alive], label="singular values, $\\ln s_i / T$", **_look(0, 1))
            if found.lyapunov is not None:
                x = np.arange(1, len(found.lyapunov.exponents) + 1)
                ax.errorbar(
                    x, found.lyapunov.exponents, 2 * found.lyapunov.errors, label="Lyapunov exponents ± 2 s.e.",
                    capsize=2, **_look(1, 1),
                )  # fmt: skip
            if found.dead:
                ax.plot([], [], " ", label=f"{found.dead} of them exactly zero")
            ax.axhline(0.0, color="#888888", linewidth=0.8)
            ax.set(xlabel="index $i$", ylabel="nats a step")
            _whole_numbers(ax)
            _legend(ax)
        return ax

    def paths(self, ax: Axes | None = None) -> Axes:
        """The norm of each bundle of paths against the distance."""
        with style():
            ax = _axes(ax, 7.4)
            for k, path in enumerate(self.analysis.paths):
                _band(ax, path.lags, path.logs, k, _label(path), band=False)
            ax.set(xlabel="distance $T-k$ in steps", ylabel="norm of the paths")
            _powers(ax)
            _legend(ax)
        return ax

    def gates(self, figure: Figure | None = None, member: int = 0) -> Figure:
        """Each gate by unit and step, the tokens below: what is kept, let in and let out."""
        found = self._gates
        with style():
            if figure is None:
                figure = _figure(2.6 * len(found) + 1.6)
            panels = figure.subplots(len(found), 1, sharex=True, squeeze=False)[:, 0]
            picture: Any = None
            for ax, gate in zip(panels, found, strict=True):
                values = gate.values if gate.values.ndim == 2 else gate.values[:, member]
                steps, units = values.shape
                picture = ax.imshow(
                    values.T, aspect="auto", cmap="cividis", vmin=0.0, vmax=1.0, interpolation="nearest",
                    extent=(0.5, steps + 0.5, units + 0.5, 0.5),
                )  # fmt: skip
                ax.set(ylabel=f"{_name(gate.name)}, unit")
                ax.grid(False)
                _whole_numbers(ax, "y")
            self._label_steps(panels[-1])
            figure.colorbar(picture, ax=list(panels), label="0 closed, 1 open", aspect=30)
        return figure

    def gate_means(self, ax: Axes | None = None, member: int = 0) -> Axes:
        """The mean of each gate over its units, step by step."""
        a = self.analysis
        with style():
            ax = _axes(ax, 6.4)
            for k, gate in enumerate(self._gates):
                values = gate.values if gate.values.ndim == 2 else gate.values[:, member]
                ax.plot(np.arange(1, a.trace.T + 1), values.mean(axis=1), label=_name(gate.name), **_look(k, a.trace.T))
            ax.set(ylim=(-0.02, 1.02), ylabel="mean over the units")
            self._label_steps(ax)
            _legend(ax)
        return ax

    @property
    def _gates(self) -> tuple[Gate, ...]:
        if not self.analysis.gates:
            raise InputError(f"this cell, with the states {', '.join(self.analysis.states)}, has no gate to draw")
        return self.analysis.gates

    def _label_steps(self, ax: Axes) -> None:
        tokens = self.analysis.tokens
        if tokens and len(tokens) <= MOST_TOKENS:
            ax.set_xticks(np.arange(1, len(tokens) + 1), [_words(w) for w in tokens], rotation=60, ha="right")
        else:
            ax.set(xlabel="step $t$")
            _whole_numbers(ax)

    def drift(self, ax: Axes | None = None, state: str | None = None) -> Axes:
        """How the distribution of a state's entries moves over time: median, quartiles, 5 and 95 %."""
        a = self.analysis
        name = state or a.states[0]
        table = a.drift()
        if name not in table:
            raise InputError(f"{name!r} is no state; there are {', '.join(a.states)}")
        values = table[name]
        with style():
            ax = _axes(ax, 6.4)
            x = np.arange(1, a.trace.T + 1)
            for low, high, words in ((0, -1, "5 to 95 %"), (1, -2, "quartiles")):
                ax.fill_between(x, values[low], values[high], color=COLOURS[0], alpha=0.2, linewidth=0, label=words)
            ax.plot(x, values[2], color=COLOURS[0], label="median")
            ax.set(xlabel="step $t$", ylabel=f"entries of {_name(name)}")
            _whole_numbers(ax)
            _legend(ax)
        return ax

    def truncation(
        self, ax: Axes | None = None, kinds: tuple[Literal["window", "detach"], ...] = ("window", "detach")
    ) -> Axes:
        """The bias of truncated back-propagation against its length, both ways of truncating."""
        with style():
            ax = _axes(ax, 6.4)
            for k, kind in enumerate(kinds):
                found: Truncation = self.analysis.truncation(kind=kind)
                words = {"window": "window of $K$ steps", "detach": "detached every $K$ steps"}[kind]
                shown = np.where(found.bias > 1e-13, found.bias, np.nan)  # the rest is rounding
                ax.plot(found.steps, shown, label=words, **_look(k, 1))
            tall = any(np.isfinite(line.get_ydata()).any() for line in ax.lines)  # one step has no bias to draw
            ax.set(
                xscale="log", yscale="log" if tall else "linear", xlabel="$K$", ylabel="bias $\\|G - G_K\\| / \\|G\\|$"
            )
            _legend(ax)
        return ax

    def svg(self, name: str, **options: Any) -> str:
        """One of the figures as SVG text, the same bytes for the same analysis.

        Raises
        ------
        InputError
            For a figure that is not there.
        """
        if name not in FIGURES:
            raise InputError(f"there is no figure {name!r}; there are {', '.join(FIGURES)}")
        drawn = getattr(self, name)(**options)
        figure = drawn if hasattr(drawn, "savefig") else drawn.figure
        out = io.StringIO()
        with style():
            figure.savefig(out, format="svg", metadata={"Date": None, "Creator": None})
        text = out.getvalue()
        return text[text.index("<svg") :]


# ---------------------------------------------------------------- drawing


def _figure(height: float) -> Figure:
    from matplotlib.figure import Figure

    return Figure(figsize=(WIDTH_CM * CM, height * CM), layout="constrained")


def _axes(ax: Axes | None, height: float) -> Axes:
    return ax if ax is not None else _figure(height).subplots()


def _look(k: int, points: int) -> dict[str, Any]:
    return {
        "color": COLOURS[k % 7], "linestyle": DASHES[k % 7], "marker": MARKERS[k % 7], "markersize": 4,
        "markevery": max(1, points // 12),
    }  # fmt: skip


def _thin(x: Any, *ys: Any) -> tuple[Any, ...]:
    """At most some thousand points, the first and the last among them: no picture shows more."""
    if len(x) <= MOST_POINTS:
        return (x, *ys)
    keep = np.unique(np.linspace(0, len(x) - 1, MOST_POINTS).round().astype(int))
    return (x[keep], *(y[keep] for y in ys))


def _band(ax: Axes, x: Any, logs: Any, k: int, label: str, band: bool = True) -> None:
    """A curve of ln norms as powers of ten; of a batch the median, and the quartiles as a band."""
    tens = logs / np.log(10)
    x, line = _thin(np.asarray(x), _shown(middle(tens)))
    ax.plot(x, line, label=label, **_look(k, len(x)))
    if band and tens.ndim > 1 and tens.shape[1] > 1:
        with np.errstate(invalid="ignore"):  # between −∞ and a number there is nothing to draw
            low, high = _shown(np.quantile(tens, [0.25, 0.75], axis=1))
        _, low, high = _thin(np.arange(len(tens)), low, high)
        ax.fill_between(x, low, high, color=COLOURS[k % 7], alpha=0.2, linewidth=0)


def _shown(logs: Any) -> Any:
    """What is exactly zero has no place on an axis of powers: the curve ends."""
    return np.where(np.isfinite(logs), logs, np.nan)


def _powers(ax: Axes) -> None:
    """Powers of ten on the vertical axis, whose numbers are their exponents."""
    from matplotlib.ticker import FuncFormatter, MaxNLocator

    low, high = ax.get_ylim()
    if high - low < 1.0:  # less than a power of ten: numbers as they are
        ax.yaxis.set_major_formatter(FuncFormatter(lambda v, _: f"{10.0**v:.3g}"))
    else:
        ax.yaxis.set_major_locator(MaxNLocator(integer=True, nbins=7))
        ax.yaxis.set_major_formatter(FuncFormatter(lambda v, _: f"$10^{{{v:.0f}}}$"))
    _whole_numbers(ax)


def _whole_numbers(ax: Axes, which: str = "x") -> None:
    from matplotlib.ticker import MaxNLocator

    axis = ax.xaxis if which == "x" else ax.yaxis
    axis.set_major_locator(MaxNLocator(integer=True, nbins=8 if which == "x" else 4))


def _legend(ax: Axes) -> None:
    """Above the axes, where it cannot cover what is drawn."""
    ax.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=2, handlelength=2.6)


def _name(name: str) -> str:
    return f"${pr.latex(pr.name_math(name))}$"


def _label(path: Path) -> str:
    kinds = {"whole": "whole chain", "highway": f"{_name(path.name)} alone", "through": f"through {_name(path.name)}"}
    return kinds[path.kind]


def _words(text: str) -> str:
    """Words as they are: a dollar sign would start a formula."""
    return text.replace("$", r"\$")
