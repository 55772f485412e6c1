"""The figures of the chains report, each with its measurement; drawn in the one style, legends above the axes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import sympy as sp

from rnnderive import cells
from rnnderive import printing as pr
from rnnderive.chains.products import Array, operator_log_norms
from rnnderive.chains.spectra import log_singular_values, naive_log_singular_values, qr_estimates
from rnnderive.chains.theory import Claim, bounds, mean_field, random_products, truncation, wall
from rnnderive.chains.theory.mean_field import activation
from rnnderive.chains.theory.nets import autonomous, jacobians, parameter_arrays
from rnnderive.errors import InputError
from rnnderive.printing.style import CM, COLOURS, DASHES, MARKERS, WIDTH_CM, style
from rnnderive.report import document as doc
from rnnderive.report.chains_claims import value_math
from rnnderive.report.figures.signs import number_text
from rnnderive.report.languages import Value, Words

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["FIGURES", "figure_of"]

TEN = np.log(10)


def figure_of(words: Words, row: str, claims: Sequence[Claim], quick: bool) -> list[doc.Figure]:
    """The figure beside the table of a row, if there is one, from the claims of its topic; drawn when it is built."""
    if row not in FIGURES:
        return []
    draw, stem = FIGURES[row]
    caption = words(f"chains.{row}.figure", **GIVEN.get(row, {}))

    def drawn() -> Any:
        with style():
            return draw(claims, quick, words)

    return [doc.Figure(drawn, caption, doc.plain(caption), stem)]


# ---------------------------------------------------------------- bounds


def four_cells(claims: Sequence[Claim], quick: bool, words: Words) -> Figure:
    """Norms against the lag in the four cells of ρ and s₁, each with its bound."""
    figure = _figure(10.4)
    panels = figure.subplots(2, 2, sharex=True)
    T = 60
    kept = np.full(2, 0.5)
    lags = np.arange(T + 1)
    for ax, (radius, norm) in zip(panels.T.ravel(), ((0.5, 2.0), (2.0, 3.0), (0.5, 6.0), (5.0, 6.0)), strict=True):
        U = bounds.with_norm_and_radius(radius, norm)
        # With b = −U h the state h = 1/2 is a fixed point, where σ′ = 1/4 is largest.
        J = jacobians(autonomous("sigmoid"), {"U": U, "b": -U @ kept}, {"T": T, "h0": kept})
        ax.plot(lags, operator_log_norms(J) / TEN, label=_say(words, "measured", r"\|P_{T,k}\|_2"), **_look(0, T))
        ax.plot(lags, lags * np.log10(norm / 4), label=_say(words, "bound", r"(\gamma s_1)^{T-k}"), **_line(1))
        ax.plot(lags, lags * np.log10(radius / 4), label="$(\\gamma\\rho)^{T-k}$", **_line(3))
        shown = (number_text(v, "{" + words.decimal + "}") for v in (radius, norm))
        ax.set_title(r"$\rho = {}$, $s_1 = {} {} 1/\gamma = 4$".format(*shown, "<" if norm < 4 else ">"))
        _powers(ax)
    for ax in panels[1]:
        ax.set_xlabel(_say(words, "distance"))
    for ax in panels[:, 0]:
        ax.set_ylabel(_say(words, "norm"))
    figure.legend(*panels[0, 0].get_legend_handles_labels(), loc="outside upper center", ncols=3, handlelength=2.6)
    return figure


def transient(claims: Sequence[Claim], quick: bool, words: Words) -> Figure:
    """‖U^t‖₂ of a non-normal matrix: it grows before it vanishes."""
    figure, ax = _axes(6.6)
    U = np.array([[0.5, 4.0], [0.0, 0.5]])
    t = np.arange(21)
    J = jacobians("h[t] = U @ h[t-1]\nL = sum(h[T])", {"U": U}, {"T": 20, "h0": np.zeros(2)})
    # U^t = [[ρ^t, 4 t ρ^(t−1)], [0, ρ^t]]: its singular values multiply to ρ^2t, their squares add to ‖U^t‖²_F.
    fine = np.linspace(0, 20, 401)
    frobenius = 2 * 0.25**fine + (4 * fine * 0.5 ** (fine - 1)) ** 2
    exact = np.sqrt((frobenius + np.sqrt(np.maximum(frobenius**2 - 4 * 0.0625**fine, 0))) / 2)
    ax.plot(fine, np.log10(exact), label=_say(words, "theory"), color=COLOURS[1])
    ax.plot(t, operator_log_norms(J) / TEN, label=_say(words, "measured", r"\|U^t\|_2"), linestyle="", marker="o",
            markersize=4, color=COLOURS[0])  # fmt: skip
    ax.plot(fine, fine * np.log10(0.5), label="$\\rho^t$", **_line(3))
    ax.plot(fine[:81], fine[:81] * np.log10(4.0616), label=_say(words, "bound", "s_1^t"), **_line(2))
    ax.set(xlabel=_say(words, "step"), ylabel=_say(words, "norm"), xlim=(-0.5, 20.5), xticks=range(0, 21, 5))
    _powers(ax, whole=False)
    _legend(ax, 4)
    return figure


def the_wall(claims: Sequence[Claim], quick: bool, words: Words) -> Figure:
    """|∇E| over the plane of w and b with the folds, and along b at w = 5."""
    figure = _figure(8.4)
    left, right = figure.subplots(1, 2, width_ratios=(3, 2))
    w, b = np.linspace(2, 9, 351), np.linspace(-6, 0, 241)
    levels = np.arange(-4, 2.1, 0.5)
    sizes = np.log10(wall.gradient_sizes(w, b)).T
    picture = left.contourf(w, b, np.clip(sizes, levels[0], levels[-1]), levels, cmap="cividis")
    symbol = sp.Symbol("w", positive=True)
    past = w[w > 4]
    for (_, fold), which, dash in zip(wall.fold_points(symbol), ("upper", "lower"), ("--", ":"), strict=True):
        left.plot(past, np.real(sp.lambdify(symbol, fold, "numpy")(past)), color="white", linestyle=dash, linewidth=1.6)
        left.plot([], [], color="#888888", linestyle=dash, label=_say(words, f"{which}_fold"))
    start = 0.5
    value, slope = (float(v[0]) for v in activation("sigmoid", np.array([start])))
    unstable = w[w > 1 / slope]
    left.plot(unstable, start - unstable * value, color=COLOURS[1], linewidth=1.4, label=_say(words, "wall"))
    left.set(
        xlabel=_say(words, "weight", "w"),
        ylabel=_say(words, "bias", "b"),
        xlim=(2, 9),
        ylim=(-6, 0),
        xticks=range(2, 10, 2),
    )
    left.grid(False)
    bar = figure.colorbar(picture, ax=left, label="$|\\nabla E|$", ticks=levels[::2])
    bar.ax.set_yticklabels([f"$10^{{{v:.0f}}}$" for v in levels[::2]])
    near = start - 5 * value
    offsets = np.logspace(-6, 0.3, 160)
    along = np.sort(np.concatenate([near - offsets, [near], near + offsets]))
    right.plot(along, np.log10(wall.gradient_sizes(np.array([5.0]), along)[0]), color=COLOURS[0])
    right.set(xlabel=_say(words, "cut"), ylabel="$|\\nabla E|$", xlim=(-4, -1))
    _powers(right)
    figure.legend(*left.get_legend_handles_labels(), loc="outside upper center", ncols=3, handlelength=2.6)
    layout = figure.get_layout_engine()
    if layout is not None:
        layout.execute(figure)  # one pass more: the first one does not know how high the labels of the bar are
    return figure


# ---------------------------------------------------------------- random networks


def newman(claims: Sequence[Claim], quick: bool, words: Words) -> Figure:
    """Newman's spectrum and the measured exponents with their errors."""
    found = [c for c in claims if (c.row, c.says) == ("newman", "measured")]
    figure = _figure(9.4)
    top, low = figure.subplots(2, 1, sharex=True, height_ratios=(3, 2))
    i = np.arange(1, len(found) + 1)
    theory, measured, allowed = (np.array([getattr(c, a) for c in found]) for a in ("theory", "measured", "tolerance"))
    top.plot(i, theory, label=_say(words, "theory", r"\frac{1}{2}\,[\ln 2 + \psi((N-i+1)/2)]"), **_line(1))
    top.errorbar(i, measured, allowed / 4, linestyle="", marker="o", markersize=4, capsize=2, color=COLOURS[0],
                 label=_say(words, "standard_error"))  # fmt: skip
    top.set(ylabel=_rate(words, pr.Letter("i")))
    low.axhline(0, **{**_line(1), "linewidth": 1.0})
    low.errorbar(i, 1e3 * (measured - theory), 1e3 * allowed / 4, linestyle="", marker="o", markersize=4, capsize=2,
                 color=COLOURS[0])  # fmt: skip
    low.set(xlabel=_say(words, "index", "i"), xticks=i)
    unit = words.label(
        "chains.picture.thousandths", unit=doc.Formula(pr.Script(pr.Numeral("10"), None, value_math(-3, 1)))
    )
    low.set_ylabel(_say(words, "difference") + "\n" + unit)
    _decimal(top, words)
    _decimal(low, words)
    _legend(top, 2)
    return figure


def digits(claims: Sequence[Claim], quick: bool, words: Words) -> Figure:
    """The float product's singular values against the exact ones, and the error against the length."""
    figure = _figure(8.6)
    left, right = figure.subplots(1, 2)
    factors = np.random.default_rng(0).normal(size=(60, 6, 6))
    exact = random_products.exact_log_singular_values(factors)
    i = np.arange(1, 7)
    left.plot(i, exact / TEN, label=_say(words, "exact"), linestyle="", marker="s", markersize=8, fillstyle="none",
              color=COLOURS[6])  # fmt: skip
    left.plot(i, naive_log_singular_values(factors) / TEN, label=_say(words, "float_product"), **_look(1, 6))
    left.plot(i, log_singular_values(factors) / TEN, label=_say(words, "settled"), linestyle="",
              marker="o", markersize=4, color=COLOURS[0])  # fmt: skip
    left.set(xlabel=_say(words, "index", "i"), ylabel=_say(words, "singular_value", "s_i"), xticks=i)
    _powers(left, whole=False)
    lengths = np.array([2, 5, 10, 15, 20, 30, 40, 50, 60])
    errors = np.array([_errors(factors[:T]) for T in lengths])
    names = ("float_product", "one_sweep", "three_sweeps", "settled")
    for k, look in enumerate((1, 3, 2, 0)):
        right.plot(lengths, np.log10(np.maximum(errors[:, k], 1e-16)), label=_say(words, names[k]), **_look(look, 1))
    right.set(xlabel=_say(words, "factors"), ylabel=_say(words, "largest_error"))
    _powers(right)
    _legend(left, 1)
    _legend(right, 1)
    return figure


def _errors(factors: Array) -> list[float]:
    exact = random_products.exact_log_singular_values(factors)
    first, _, third = qr_estimates(factors, 3)
    found = (naive_log_singular_values(factors), first, third, log_singular_values(factors))
    return [float(np.abs(logs - exact).max()) for logs in found]


def mean_field_curves(claims: Sequence[Claim], quick: bool, words: Words) -> Figure:
    """λ₁ by mean field against the gain, and the simulated nets of the table."""
    figure, ax = _axes(7.6)
    if not (_simulated(claims, 0.0) and _simulated(claims, 0.5)):
        raise InputError("no claim says what a simulated net gives; expected tanh.simulated and driven.simulated")
    for k, drive in enumerate((0.0, 0.5, 1.0)):
        gains = np.linspace(1.02 if not drive else 0.6, 5.2 if not drive else 2.6, 60)
        rates = [mean_field.susceptibility("tanh", g, mean_field.variance("tanh", g, drive)) for g in gains]
        ax.plot(gains, np.log(rates) / 2, color=COLOURS[k], linestyle=DASHES[k])
        points = _simulated(claims, drive)
        if points:
            ax.plot(*np.array(points).T, linestyle="", marker=MARKERS[k], markersize=6, color=COLOURS[k])
        number = number_text(drive, "{" + words.decimal + "}")
        label = _say(words, "input", rf"\sigma_u = {number}") if drive else _say(words, "no_input")
        ax.plot([], [], color=COLOURS[k], linestyle=DASHES[k], marker=MARKERS[k], label=label)
    ax.axhline(0.0, color="#888888", linewidth=0.8)
    ax.set(xlabel=_say(words, "gain", r"g\ (\sigma_w)"), ylabel=_rate(words, pr.Numeral("1")))
    _decimal(ax, words)
    _legend(ax, 3)
    return figure


def _simulated(claims: Sequence[Claim], drive: float) -> list[tuple[float, float]]:
    """Gain and measured exponent of the simulated tanh nets among the claims."""
    row = "driven" if drive else "tanh"
    found = (c for c in claims if (c.row, c.says, c.values.get("drive", 0.0)) == (row, "simulated", drive))
    return [(float(str(c.values["gain"])), float(c.measured)) for c in found]


# ---------------------------------------------------------------- gates and truncation


def forget_bias(claims: Sequence[Claim], quick: bool, words: Words) -> Figure:
    """The cell path alone, the whole chain, and theory, against the forget bias."""
    figure, ax = _axes(7.6)
    biases = np.linspace(-1, 6, 15)
    T, n = 100, 16
    net = cells.lstm()
    rng = np.random.default_rng(11)
    params = parameter_arrays(net, {"n_h": n, "n_x": n, "n_y": 1}, rng, 1 / np.sqrt(2 * n))
    inputs: dict[str, Any] = {"x": rng.normal(size=(T, n)), "target": np.zeros(1)}
    found: dict[str, list[float]] = {"C": [], "hC": []}
    for bias in biases:
        given = {**params, "b_f": np.full(n, bias)}
        for name, states in (("C", ("C",)), ("hC", ("h", "C"))):
            found[name].append(float(operator_log_norms(jacobians(net, given, inputs, states), [T])[0]) / TEN)
    fine = np.linspace(-1, 6, 200)
    ax.plot(biases, found["hC"], label=_say(words, "whole_chain"), **_look(0, 1))
    ax.plot(biases, found["C"], label=_say(words, "along_cell", r"\max_i\,\prod f_i"), **_look(1, 1))
    ax.plot(fine, -T * np.logaddexp(0, -fine) / TEN, label="$\\sigma(b)^{100}$", **_line(2))
    ax.set(xlabel=_say(words, "forget_bias"), ylabel=_say(words, "hundred_steps"))
    _powers(ax, whole=False)
    _legend(ax, 3)
    return figure


def truncated(claims: Sequence[Claim], quick: bool, words: Words) -> Figure:
    """The bias of truncated back-propagation against its length."""
    figure, ax = _axes(7.0)
    lengths = (1, 2, 5, 10, 20, 50, 100)
    for k, (kind, gain) in enumerate(truncation.GAINS.items()):
        biases = [truncation.truncation_bias(kind, K, seeds=3 if quick else 9) for K in lengths]
        ax.plot(
            lengths,
            np.log10(biases),
            label=words.label(f"chains.picture.{kind}", **({} if gain == 1 else {"gain": gain})),
            **_look(k, 1),
        )
    ax.set(
        xscale="log",
        xlabel=_say(words, "cut_after"),
        ylabel=_say(words, "truncation", r"\|G - G_K\|\,/\,\|G\|"),
        xticks=lengths,
    )
    ax.set_xticklabels([str(k) for k in lengths])
    ax.minorticks_off()
    _powers(ax, whole=False)
    _legend(ax, 3)
    return figure


Draw = Callable[[Sequence[Claim], bool, Words], Any]
# Result: what draws its figure, and the name of the files.
FIGURES: Mapping[str, tuple[Draw, str]] = {
    "pascanu": (four_cells, "four-cells"),
    "transient": (transient, "transient"),
    "fold": (the_wall, "wall"),
    "newman": (newman, "newman"),
    "product": (digits, "digits"),
    "driven": (mean_field_curves, "mean-field"),
    "forget": (forget_bias, "forget-bias"),
    "truncated": (truncated, "truncation"),
}
GIVEN: Mapping[str, Mapping[str, Value]] = {"transient": {"norm": 4.06}}  # what a caption's placeholders stand for


# ---------------------------------------------------------------- drawing


def _figure(height: float) -> Figure:
    from matplotlib.figure import Figure

    return Figure(figsize=(WIDTH_CM * CM, height * CM), layout="constrained")


def _axes(height: float) -> tuple[Figure, Axes]:
    figure = _figure(height)
    return figure, figure.subplots()


def _say(words: Words, key: str, formula: str = "") -> str:
    """A word of the figures, and the formula that it speaks of."""
    return words.label(f"chains.picture.{key}") + (f" ${formula}$" if formula else "")


def _rate(words: Words, index: pr.Math) -> str:
    """An exponent and its unit."""
    return words.label("chains.picture.rate", rate=doc.Formula(pr.Script(pr.Letter("lambda"), index)))


def _decimal(ax: Axes, words: Words) -> None:
    """Numbers of both axes with the language's decimal mark."""
    from matplotlib.ticker import FuncFormatter

    for axis in (ax.xaxis, ax.yaxis):
        axis.set_major_formatter(FuncFormatter(lambda v, _: number_text(v, words.decimal)))


def _line(k: int) -> dict[str, Any]:
    return {"color": COLOURS[k % 7], "linestyle": DASHES[k % 7]}


def _look(k: int, points: int) -> dict[str, Any]:
    return {**_line(k), "marker": MARKERS[k % 7], "markersize": 4, "markevery": max(1, points // 12)}


def _legend(ax: Axes, columns: int) -> None:
    """Above the axes, where it cannot cover what is drawn."""
    ax.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=columns, handlelength=2.6)


def _powers(ax: Axes, whole: bool = True) -> None:
    """Powers of ten on the vertical axis, whose numbers are their exponents."""
    from matplotlib.ticker import FuncFormatter, MaxNLocator

    ax.yaxis.set_major_locator(MaxNLocator(integer=True, nbins=7))
    ax.yaxis.set_major_formatter(FuncFormatter(lambda v, _: f"$10^{{{v:.0f}}}$"))
    if whole:
        ax.xaxis.set_major_locator(MaxNLocator(integer=True))
