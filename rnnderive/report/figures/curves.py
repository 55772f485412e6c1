"""Curves: activations, norms against distance, the drift of a distribution, gates along a sentence."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import sympy as sp

from rnnderive import printing as pr
from rnnderive.errors import InputError
from rnnderive.language import FUNCTIONS
from rnnderive.language.algebra import numpy_function
from rnnderive.printing.style import CM, COLOURS, DASHES, MARKERS, WIDTH_CM, style
from rnnderive.report.figures.signs import function_math, mathtext, number_text
from rnnderive.report.languages import Words, load

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from rnnderive.chains import Analysis

__all__ = [
    "activation_curves",
    "chain_norms",
    "drift_over_time",
    "gate_picture",
    "norms_against_distance",
    "token_curves",
]


def activation_curves(names: Sequence[str], span: float = 6.0, words: Words | None = None, *, first: int = 0) -> Figure:
    """Draw elementwise functions and, beside them, their derivatives.

    Parameters
    ----------
    names : sequence of str
        Names in :data:`rnnderive.language.FUNCTIONS`.
    span : float
        The argument runs from ``-span`` to ``span``.
    words : Words, optional
        Of the titles; English unless given.
    first : int
        The look of the first curve, by its number, so that a function looks the same in all pictures.

    Raises
    ------
    InputError
        For a name that is not in the table.
    """
    unknown = [n for n in names if n not in FUNCTIONS]
    if unknown or not names:
        raise InputError(f"no elementwise function {', '.join(unknown)!r}; there are {', '.join(FUNCTIONS)}")
    words = words or load("en")
    x = np.linspace(-span, span, 1201)
    with style():
        figure = _figure(4.6)
        left, right = figure.subplots(1, 2)
        for k, name in enumerate(names, first):
            look = {"color": COLOURS[k % 7], "linestyle": DASHES[k % 7]}
            left.plot(x, _curve(numpy_function(name), x, ()), label=_applied(name), **look)
            right.plot(x, _curve(_slope(name), x, FUNCTIONS[name].kinks), label=_applied(name, "'"), **look)
        for axes, title in ((left, "function"), (right, "derivative")):
            axes.set(xlabel=mathtext(pr.Letter("x")), title=words.label(f"figure.{title}"), xlim=(-span, span))
            axes.legend()
            _decimal(axes, words)
    return figure


def _figure(height: float) -> Figure:
    from matplotlib.figure import Figure

    return Figure(figsize=(WIDTH_CM * CM, height * CM), layout="constrained")


def _decimal(axes: Axes, words: Words) -> None:
    """Numbers of both axes with the language's decimal mark."""
    from matplotlib.ticker import FuncFormatter

    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter(FuncFormatter(lambda v, _: number_text(v, words.decimal)))


def _applied(name: str, mark: str = "") -> str:
    return f"${pr.latex(function_math(name))}{mark}(x)$"


def _slope(name: str) -> Callable[[Any], Any]:
    """The table's derivative of a function, on arrays."""
    x = sp.Symbol("x", real=True)
    row = FUNCTIONS[name]
    expression = sp.sympify(row.slope(x, row.scalar(x)))
    found = sp.lambdify(x, expression, [{"erf": np.vectorize(math.erf)}, "numpy"])
    return lambda values: found(values) + 0.0 * values


def _curve(function: Callable[[Any], Any], x: Any, kinks: Sequence[float]) -> Any:
    """Values, with a gap where there is no derivative."""
    with np.errstate(all="ignore"):
        y = np.array(function(x), dtype=float)
    for kink in kinks:
        y[np.abs(x - kink) < 1e-9] = np.nan
    return np.where(np.isfinite(y), y, np.nan)


def _look(k: int, points: int) -> dict[str, Any]:
    return {
        "color": COLOURS[k % 7], "linestyle": DASHES[k % 7], "marker": MARKERS[k % 7], "markersize": 4,
        "markevery": max(1, points // 12),
    }  # fmt: skip


def _powers(axes: Axes) -> None:
    """Powers of ten on the vertical axis, whose numbers are their exponents."""
    from matplotlib.ticker import FuncFormatter, MaxNLocator

    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.yaxis.set_major_locator(MaxNLocator(integer=True, nbins=7))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda v, _: f"$10^{{{v:.0f}}}$"))


def norms_against_distance(
    curves: Mapping[str, Sequence[float]],
    words: Words | None = None,
    ylabel: str = "",
    bounds: Mapping[str, Any] = {},
    *,
    first: int = 0,
) -> Figure:
    """Draw norms over the distance in time, on a logarithmic axis.

    Parameters
    ----------
    curves : mapping
        Label to the logarithms (base 10) of the norms at the distances 0, 1, 2, …; logarithms,
        because a long product of Jacobians leaves the range of floating point.  A norm of zero
        (minus infinity) ends its curve.
    words : Words, optional
        Of the axes; English unless given.
    ylabel : str
        In the place of "norm of the chain".
    bounds : mapping
        Curves that are drawn grey and without marks.
    first : int
        The look of the first curve, by its number.
    """
    words = words or load("en")
    with style():
        figure = _figure(5.2)
        axes = figure.subplots()
        for k, (label, values) in enumerate(curves.items(), first):
            axes.plot(np.arange(len(values)), _finite(values), label=label, **_look(k, len(values)))
        for (label, values), dash in zip(bounds.items(), (":", (0, (6, 2)), "-."), strict=False):
            axes.plot(
                np.arange(len(values)), _finite(values), label=label, color="#666666", linestyle=dash, linewidth=1.2
            )
        axes.axhline(0.0, color="#888888", linewidth=0.8)
        axes.set(xlabel=words.label("figure.distance"), ylabel=ylabel or words.label("figure.norm"))
        _powers(axes)
        axes.legend(loc="center left", bbox_to_anchor=(1.01, 0.5))
    return figure


def _finite(values: Any) -> Any:
    y = np.asarray(values, dtype=float)
    return np.where(np.isfinite(y), y, np.nan)


def chain_norms(analysis: Analysis, words: Words | None = None) -> Figure:
    """The norm of the chain and of the gradient against the distance, with the bounds on the chain."""
    words = words or load("en")
    ten = np.log(10.0)
    curves = {words.label("figure.chain"): _of_one(analysis.operator) / ten}
    if analysis.trace.speaks:
        gradient = _of_one(analysis.gradient)
        curves[words.label("figure.gradient")] = (gradient - gradient[0]) / ten
    limits = analysis.bounds
    bounds = {words.label("figure.bound"): _of_one(limits.logs) / ten}
    if np.isfinite(limits.limit) and limits.limit > 0:
        bounds[words.label("figure.bound_any", limit=words.number(limits.limit, ".3g"))] = limits.whatever / ten
    return norms_against_distance(curves, words, bounds=bounds)


def _of_one(logs: Any) -> Any:
    """The curve of the median sequence of a batch."""
    return logs if np.ndim(logs) == 1 else np.median(logs, axis=1)


def drift_over_time(quantiles: Mapping[str, Any], words: Words | None = None, *, first: int = 0) -> Figure:
    """Draw how a distribution moves over time: one panel a label, bands between quantiles.

    Parameters
    ----------
    quantiles : mapping
        Label to an array (q, steps) of the quantiles at each step, lowest first and q odd: the
        middle one is drawn as a line, each outer pair as a band.
    words : Words, optional
        Of the axes; English unless given.
    first : int
        The look of the first panel, by its number.
    """
    words = words or load("en")
    with style():
        figure = _figure(4.6)
        panels = figure.subplots(1, len(quantiles), squeeze=False)[0]
        for k, (axes, (label, values)) in enumerate(zip(panels, quantiles.items(), strict=True), first):
            y = np.asarray(values, dtype=float)
            x, middle, colour = np.arange(1, y.shape[1] + 1), len(y) // 2, COLOURS[k % 7]
            for pair in range(middle):
                axes.fill_between(x, y[pair], y[-1 - pair], color=colour, alpha=0.2, linewidth=0)
            axes.plot(x, y[middle], color=colour, linestyle=DASHES[k % 7])
            axes.set(xlabel=words.label("figure.step"), title=label)
            _decimal(axes, words)
        panels[0].set_ylabel(words.label("figure.entries"))
    return figure


def gate_picture(rows: Mapping[str, Any], tokens: Sequence[str], units: Sequence[str], words: Words) -> Figure:
    """Draw values between −1 and 1 by unit and token: one panel a gate, the number in every cell that is not zero.

    Parameters
    ----------
    rows : mapping
        Label to an array (tokens, units).
    tokens, units : sequence of str
        What stands at each step, and what each unit keeps.
    words : Words
    """
    with style():
        figure = _figure(1.35 * len(rows) * max(1.0, len(units) / 3) + 2.4)
        panels = figure.subplots(len(rows), 1, sharex=True, squeeze=False)[:, 0]
        for axes, (label, values) in zip(panels, rows.items(), strict=True):
            y = np.asarray(values, dtype=float).T
            axes.imshow(y, aspect="auto", cmap="PuOr", vmin=-1.6, vmax=1.6, interpolation="nearest")
            for unit, step in np.argwhere(np.abs(y) >= 0.05):  # an empty cell is zero
                shown = number_text(round(float(y[unit, step]), 1), words.decimal)
                axes.text(step, unit, shown, ha="center", va="center", fontsize=6.5)
            axes.set_yticks(range(len(units)), units, fontsize=7.5)
            axes.set_ylabel(label, rotation=0, ha="right", va="center", labelpad=4)
            axes.tick_params(length=0)
            axes.grid(False)
        panels[-1].set_xticks(range(len(tokens)), tokens, rotation=60, ha="right", rotation_mode="anchor", fontsize=8)
    return figure


def token_curves(logs: Sequence[float], tokens: Sequence[str], ylabel: str) -> Figure:
    """Draw one number a token, given as logarithms (base 10)."""
    from matplotlib.ticker import FuncFormatter, MaxNLocator

    with style():
        figure = _figure(5.0)
        axes = figure.subplots()
        x = np.arange(len(tokens))
        axes.plot(x, _finite(logs), **_look(0, 1))
        axes.set_xticks(x, tokens, rotation=60, ha="right", rotation_mode="anchor", fontsize=8)
        axes.set_ylabel(ylabel)
        axes.yaxis.set_major_locator(MaxNLocator(integer=True))
        axes.yaxis.set_major_formatter(FuncFormatter(lambda v, _: f"$10^{{{v:g}}}$"))
    return figure
