"""The figures of an analysis, one by one; each draws into given axes or makes its own.

Norms are drawn as powers of ten.  Matplotlib is imported when something is drawn.
"""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from rnnderive import printing as pr
from rnnderive.chains.census import Gate
from rnnderive.chains.drawing import (
    band,
    beyond,
    blocks,
    clipped,
    legend,
    look,
    new_axes,
    new_figure,
    of_nothing,
    powers,
    shown,
    thin,
    whole_numbers,
    within,
)
from rnnderive.chains.paths import Path
from rnnderive.chains.trace import MOST_BYTES, middle
from rnnderive.chains.truncation import Truncation
from rnnderive.errors import InputError
from rnnderive.printing.style import COLOURS, style

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from rnnderive.chains.analysis import Analysis

__all__ = ["Plots"]

FIGURES = ("norms", "contributions", "spectrum", "paths", "gates", "gate_means", "drift", "truncation")
MOST_STEPS = 20_000  # for what takes long
MOST_TOKENS = 40
NEAR = 0.06  # of an axis: less is too near for two numbers


class Plots:
    """Figures of one analysis: ``analysis.plot.norms()``.

    Every method takes ``ax=None`` and returns the axes it drew into; :meth:`gates`, with a panel a gate,
    takes ``figure=None``, a figure or a subfigure, and returns that.

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
            "spectrum": trace.T <= MOST_STEPS and trace.jacobian_bytes <= MOST_BYTES,
            "truncation": trace.speaks and 1 < trace.T <= MOST_STEPS,
        }  # fmt: skip
        return tuple(name for name in FIGURES if reasons.get(name, True))

    def norms(self, ax: Axes | None = None) -> Axes:
        """Norms of the chain and of the gradient against the distance, with the bounds."""
        a = self.analysis
        with style():
            ax = new_axes(ax, 7.4)
            band(ax, a.lags, a.operator, 0, "chain $\\|P_{T,k}\\|_2$")
            if a.trace.speaks:
                lags = np.arange(len(a.gradient))
                band(
                    ax,
                    lags,
                    a.gradient - a.gradient[0],
                    1,
                    "gradient $\\|\\partial L/\\partial s^k\\|$, scaled to begin at 1",
                )
            limits = a.bounds
            along, top = shown(middle(limits.logs)) / np.log(10), clipped(ax)
            ax.plot(
                *thin(limits.lags, along), color="#777777", linestyle=":", linewidth=1.2,
                label=f"bound along this run{beyond(along, top)}",
            )  # fmt: skip
            if np.isfinite(limits.limit) and limits.limit > 0:
                whatever = limits.whatever / np.log(10)
                ax.plot(
                    *thin(limits.lags, whatever), color="#777777", linestyle=(0, (6, 2)), linewidth=1.0,
                    label=f"bound whatever the run, {limits.limit:.3g}$^{{T-k}}${beyond(whatever, top)}",
                )  # fmt: skip
            within(ax, top)
            ax.set(xlabel="distance $T-k$ in steps", ylabel="norm")
            powers(ax)
            legend(ax)
        return ax

    def contributions(self, *wrt: str, ax: Axes | None = None) -> Axes:
        """What each step adds to the gradient of some parameters, or what the loss knows of an input.

        Of the first four matrices unless names are given.
        """
        a = self.analysis
        shape = a.trace.chain.net.shape
        matrices = [n for n in a.trace.chain.reads if shape(n)[1] != 1]
        names = wrt or (matrices or a.trace.chain.reads)[:4]
        with style():
            ax = new_axes(ax, 7.4)
            for k, name in enumerate(names):
                found = a.contributions(name)
                band(ax, np.arange(1, a.trace.T + 1), found.logs, k, _name(name))
            ax.set(ylabel="norm of the summand of step $k$")
            powers(ax)
            self._label_steps(ax, "k")
            legend(ax)
        return ax

    def spectrum(self, ax: Axes | None = None, member: int = 0) -> Axes:
        """All singular values of the whole product, as rates, and the Lyapunov exponents."""
        a = self.analysis
        found = a.spectrum(member)
        with style():
            ax = new_axes(ax, 7.0)
            rates = found.log_singular_values / a.trace.T
            order = np.arange(1, len(rates) + 1)
            alive = np.isfinite(rates)
            ax.plot(order[alive], rates[alive], label="singular values, $\\ln s_i / T$", **look(0, 1))
            if found.lyapunov is not None:
                x = np.arange(1, len(found.lyapunov.exponents) + 1)
                ax.errorbar(
                    x, found.lyapunov.exponents, 2 * found.lyapunov.errors, label="Lyapunov exponents ± 2 s.e.",
                    capsize=2, **look(1, 1),
                )  # fmt: skip
            if found.dead:
                ax.plot([], [], " ", label=f"{found.dead} of them exactly zero")
            ax.axhline(0.0, color="#888888", linewidth=0.8)
            ax.set(xlabel="index $i$", ylabel="nats a step")
            whole_numbers(ax)
            legend(ax)
        return ax

    def paths(self, ax: Axes | None = None) -> Axes:
        """The norm of each bundle of paths against the distance."""
        with style():
            ax = new_axes(ax, 7.4)
            for k, path in enumerate(self.analysis.paths):
                band(ax, path.lags, path.logs, k, _label(path), quartiles=False)
            ax.set(xlabel="distance $T-k$ in steps", ylabel="norm of the paths")
            powers(ax)
            legend(ax)
        return ax

    def gates(self, figure: Figure | None = None, member: int = 0) -> Figure:
        """Each gate by unit and step, the tokens below: what is kept, let in and let out."""
        found = self._gates
        with style():
            if figure is None:
                figure = new_figure(2.6 * len(found) + 1.6)
            panels = figure.subplots(len(found), 1, sharex=True, squeeze=False)[:, 0]
            picture: Any = None
            for ax, gate in zip(panels, found, strict=True):
                values = gate.values if gate.values.ndim == 2 else gate.values[:, member]
                (steps, units), (_, means, block) = values.shape, blocks(values)
                picture = ax.imshow(
                    means.T, aspect="auto", cmap="cividis", vmin=0.0, vmax=1.0, interpolation="nearest",
                    extent=(0.5, steps + 0.5, units + 0.5, 0.5),
                )  # fmt: skip
                ax.set(ylabel=f"{_name(gate.name)}, unit")
                ax.grid(False)
                whole_numbers(ax, "y")
            self._label_steps(panels[-1])
            of_many = f", mean of {block} steps" if block > 1 else ""
            figure.colorbar(picture, ax=list(panels), label=f"0 closed, 1 open{of_many}", aspect=30)
        return figure

    def gate_means(self, ax: Axes | None = None, member: int = 0) -> Axes:
        """The mean of each gate over its units, step by step."""
        with style():
            ax = new_axes(ax, 6.4)
            for k, gate in enumerate(self._gates):
                values = gate.values if gate.values.ndim == 2 else gate.values[:, member]
                steps, means, block = blocks(values.mean(axis=1))
                ax.plot(steps, means, label=_name(gate.name), **look(k, len(steps)))
            of_many = f" and {block} steps" if block > 1 else ""
            ax.set(ylim=(-0.02, 1.02), ylabel=f"mean over the units{of_many}")
            self._label_steps(ax)
            legend(ax)
        return ax

    @property
    def _gates(self) -> tuple[Gate, ...]:
        if not self.analysis.gates:
            raise InputError(f"this cell, with the states {', '.join(self.analysis.states)}, has no gate to draw")
        return self.analysis.gates

    def _label_steps(self, ax: Axes, letter: str = "t") -> None:
        tokens = self.analysis.tokens
        if tokens and len(tokens) <= MOST_TOKENS:
            ax.set_xticks(np.arange(1, len(tokens) + 1), [_words(w) for w in tokens], rotation=60, ha="right")
        else:
            ax.set(xlabel=f"step ${letter}$")
            whole_numbers(ax)

    def drift(self, ax: Axes | None = None, state: str | None = None) -> Axes:
        """How the distribution of a state's entries moves over time: median, quartiles, 5 and 95 %."""
        a = self.analysis
        name = state or a.states[0]
        table = a.drift()
        if name not in table:
            raise InputError(f"{name!r} is no state; there are {', '.join(a.states)}")
        values = table[name]
        with style():
            ax = new_axes(ax, 6.4)
            x, *values = thin(np.arange(1.0, a.trace.T + 1), *values)
            if len(x) == 1:  # a single step has no length: it is drawn as wide as a step
                x, values = np.array([0.75, 1.25]), [np.repeat(v, 2) for v in values]
            for low, high, shade, words in ((0, -1, 0.18, "5 to 95 %"), (1, -2, 0.35, "quartiles")):
                ax.fill_between(x, values[low], values[high], color=COLOURS[0], alpha=shade, linewidth=0, label=words)
            ax.plot(x, values[2], color=COLOURS[0], label="median")
            ax.set(ylabel=f"entries of {_name(name)}")
            self._label_steps(ax)
            legend(ax)
        return ax

    def truncation(
        self, ax: Axes | None = None, kinds: tuple[Literal["window", "detach"], ...] = ("window", "detach")
    ) -> Axes:
        """The bias of truncated back-propagation against its length, both ways of truncating.

        Of a loss at T alone the last of the detached chunks is what counts: it has T mod K steps, or K.
        """
        from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

        trace = self.analysis.trace
        at_last = ", the last after $T$ mod $K$"
        once = bool(trace.last == trace.T and not trace.impulses[:-1].any())
        with style():
            ax = new_axes(ax, 6.4)
            for k, kind in enumerate(kinds):
                found: Truncation = self.analysis.truncation(kind=kind)
                words = {
                    "window": "window of $K$ steps",
                    "detach": f"detached every $K$ steps{at_last if once else ''}",
                }[kind]
                bias = np.where(found.bias > 1e-13, found.bias, np.nan)  # the rest is rounding
                seen = found.steps[np.isfinite(bias)]
                if len(seen) and seen[-1] < found.steps[-1]:
                    words += f"; 0 for $K > {seen[-1]}$"
                ax.plot(found.steps, bias, label=words if len(seen) else of_nothing(words, bias), **look(k, 1))
            tall = any(np.isfinite(line.get_ydata()).any() for line in ax.lines)  # one step has no bias to draw
            ax.set(
                xscale="log", yscale="log" if tall else "linear", xlabel="$K$", ylabel="bias $\\|G - G_K\\| / \\|G\\|$",
                xlim=(0.9 * found.steps[0], 1.1 * found.steps[-1]),
            )  # fmt: skip
            end = found.steps[-1]
            ticks = [n for n in found.steps if n == end or np.log(end / n) > NEAR * np.log(end)]
            ax.xaxis.set_major_locator(FixedLocator(ticks))  # they double: a dozen at most
            ax.xaxis.set_major_formatter(FuncFormatter(lambda v, _: f"{v:g}"))
            ax.xaxis.set_minor_locator(NullLocator())
            legend(ax, 1)
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


# ---------------------------------------------------------------- words


def _name(name: str) -> str:
    return f"${pr.latex(pr.name_math(name))}$"


def _label(path: Path) -> str:
    kinds = {"whole": "whole chain", "highway": f"{_name(path.name)} alone", "through": f"through {_name(path.name)}"}
    return kinds[path.kind]


def _words(text: str) -> str:
    """Words as they are: a dollar sign would start a formula."""
    return text.replace("$", r"\$")
