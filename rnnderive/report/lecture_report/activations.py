"""Rows 9 to 12: what the factors contain, and what that does to long products."""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from rnnderive import cells
from rnnderive import printing as pr
from rnnderive.language import FUNCTIONS, Recurrence
from rnnderive.language import terms as tm
from rnnderive.report import document as doc
from rnnderive.report import figures
from rnnderive.report.lecture_report.measures import LENGTH, UNITS, chain_norms, drift, rate, sensitivities
from rnnderive.report.parts.case import Case
from rnnderive.report.parts.formulas import equal

__all__ = ["advice", "explosion", "forgetting", "truly", "vanishing"]

NAMES = ("sigmoid", "tanh", "relu")
GAINS = SMALL, LARGE, CHAOTIC = 1, 1.8, 3  # scales of the weights


def truly(case: Case, key: str, **values: Any) -> doc.Box:
    """What is exactly true, beside a simplification."""
    return doc.Box([case.say(f"lecture.{key}", **values)], case.words("lecture.truly"))


@lru_cache(maxsize=16)
def _norms(name: str, gain: float, scale: float = 1.0) -> Any:
    return chain_norms(cells.vanilla(name), gain, scale)


def _rated(case: Case, norms: Any) -> str:
    """The rate of a curve in the report's writing."""
    return case.words.number(rate(norms), "+.3f")


NORM = pr.Fenced(pr.Letter("U"), "‖")


def _bound() -> pr.Math:
    """(‖U‖/4)^{T−k}."""
    share = pr.Row((pr.Frac(pr.Numeral("1"), pr.Numeral("4")), NORM))
    return pr.Script(pr.Fenced(share), None, pr.Infix(("", "-"), (pr.Letter("T"), pr.Letter("k")), pr.SUM))


def _variance() -> pr.Math:
    """g²/n, of the weights."""
    square = pr.Script(pr.Letter("g"), None, pr.Numeral("2"))
    return pr.Row((square, pr.Word("/"), pr.Letter("n")))


def _power(case: Case, norms: Any) -> str:
    """The end of a curve as a power of ten."""
    return case.words.number(10.0 ** round(norms[-1]), ".0e")


def _factor(net: Recurrence, case: Case) -> doc.Equation:
    at = case.at(net=net)
    before = tm.At("h", tm.t - 1, *net.shape("h"))
    left = pr.derivative(at.math(net.leaf("h")), at.math(before), "partial")
    return doc.Equation(equal(left, at.math(at.d.jacobian("h", "h"))))


def _slope(function: str) -> doc.Equation:
    """σ′(a) = σ(a) ⊙ (1 − σ(a)), by the table of functions."""
    net = Recurrence.parse(f"y = {function}(a)\nL = squared_error(y, target)")
    y = net["y"].right
    (argument,) = y.terms
    value = FUNCTIONS[function].slope(argument, y)
    name = figures.function_math(function)
    slope = pr.Call(pr.Script(name, None, pr.Symbol("prime")), (argument.math(net.notation),))
    return doc.Equation(equal(slope, value.math(net.notation)))


def _curves(case: Case, *names: str) -> doc.Figure:
    """Functions and their derivatives."""
    listed = doc.listed(map(figures.function_math, names))
    return doc.Figure(
        lambda: figures.activation_curves(list(names), words=case.words, first=NAMES.index(names[0])),
        case.words("lecture.curves", names=listed),
        doc.plain(case.words("lecture.curves", names=listed)),
    )


def _labelled(curves: Mapping[str, Any]) -> dict[str, Any]:
    return {figures.mathtext(figures.function_math(n)): c for n, c in curves.items()}


def _norms_figure(case: Case, names: tuple[str, ...]) -> doc.Figure:
    """The chain under some activations, with the same weights."""
    curves = {n: _norms(n, SMALL) for n in names}
    caption = case.words("lecture.norms", gain=SMALL, units=UNITS, variance=doc.Formula(_variance()))
    return doc.Figure(
        lambda: figures.norms_against_distance(_labelled(curves), case.words), caption, doc.plain(caption)
    )


def _gains_figure(case: Case, name: str) -> doc.Figure:
    """The chain under one activation, with weights of different scale."""
    curves = {case.words.label("lecture.gain", gain=g): _norms(name, g) for g in GAINS}
    caption = case.words("lecture.relu_norms", units=UNITS, variance=doc.Formula(_variance()))
    return doc.Figure(
        lambda: figures.norms_against_distance(curves, case.words, first=len(NAMES)), caption, doc.plain(caption)
    )


def vanishing(case: Case) -> doc.Section:
    """Row 9: the sigmoid."""
    net = cells.vanilla("sigmoid")
    found = _norms("sigmoid", SMALL)
    blocks = [
        case.say("lecture.factors"), _slope("sigmoid"), case.say("lecture.factor"), _factor(net, case),
        case.say("lecture.sigmoid"), _curves(case, "sigmoid"),
        case.say("lecture.sigmoid_norm", steps=LENGTH - 1, norm=_power(case, found), rate=_rated(case, found),
                 factor=case.words.number(math.exp(rate(found)), ".2g")),
        _norms_figure(case, ("sigmoid",)),
        truly(case, "sigmoid_truly", bound=doc.Formula(_bound()), norm=doc.Formula(NORM)),
    ]  # fmt: skip
    return case.section("lecture.sigmoid_title", blocks, 2)


def explosion(case: Case) -> doc.Section:
    """Row 10: ReLU, and the drift of its state."""
    small, large = (_rated(case, _norms("relu", g)) for g in (SMALL, LARGE))
    quantiles = {n: drift(cells.vanilla(n), LARGE) for n in ("tanh", "relu")}
    caption = case.words("lecture.drift", gain=LARGE)
    blocks = [
        case.say("lecture.relu"), _curves(case, "relu"), _factor(cells.vanilla("relu"), case),
        case.say("lecture.relu_power"), _gains_figure(case, "relu"),
        truly(case, "relu_truly", small=small, large=large, gain=LARGE),
        case.say("lecture.relu_drift"),
        doc.Figure(
            lambda: figures.drift_over_time(_labelled(quantiles), case.words, first=NAMES.index("tanh")),
            caption, doc.plain(caption),
        ),
    ]  # fmt: skip
    return case.section("lecture.relu_title", blocks, 2)


def advice(case: Case) -> doc.Section:
    """Row 11: tanh, and three activations side by side."""
    words = case.words
    rows: list[list[doc.Text]] = [
        [doc.Formula(figures.function_math(n)), *(_rated(case, _norms(n, g)) for g in GAINS),
         _rated(case, _norms(n, CHAOTIC, 0.0))]
        for n in NAMES
    ]  # fmt: skip
    head = [words("lecture.activation"), *(words("lecture.gain", gain=g) for g in GAINS),
            words("lecture.no_input", gain=CHAOTIC)]  # fmt: skip
    chaos = _rated(case, _norms("tanh", CHAOTIC, 0.0))
    blocks = [
        case.say("lecture.advice"), _curves(case, "sigmoid", "tanh"), case.say("lecture.side_by_side"),
        _norms_figure(case, NAMES), doc.Table(head, rows, words("lecture.rates"), "lrrrr"),
        truly(case, "tanh_truly", gain=CHAOTIC, rate=chaos, norm=doc.Formula(NORM)),
    ]  # fmt: skip
    return case.section("lecture.advice_title", blocks, 2)


def forgetting(case: Case) -> doc.Section:
    """Row 12: what the last output knows of an early input."""
    at = case.at(net=cells.vanilla("sigmoid"))
    y = at.math(tm.At("y", tm.T, *at.net.shape("y")))
    left = pr.derivative(y, pr.with_index(pr.Letter("x"), pr.Letter("k")))
    product = doc.Equation(equal(left, at.math(at.d.chain("x[k]", of="y[T]"))))
    curves = {n: sensitivities(cells.vanilla(n)) for n in ("sigmoid", "tanh")}
    caption = case.words("lecture.sensitivity")
    picture = doc.Figure(
        lambda: figures.norms_against_distance(_labelled(curves), case.words, r"$\|dy^T/dx^k\|_2$"),
        caption, doc.plain(caption),
    )  # fmt: skip
    blocks = [case.say("lecture.forgetting"), product, picture, truly(case, "forgetting_truly")]
    return case.section("lecture.forgetting_title", blocks, 2)
