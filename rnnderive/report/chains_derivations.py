"""The symbolic results of the chains report, derived by SymPy line by line; every line is checked as it is made."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import sympy as sp

from rnnderive import printing as pr
from rnnderive.chains.theory import attractors, gates, mean_field, random_products, sensitivity, wall
from rnnderive.language import FUNCTIONS
from rnnderive.report import document as doc
from rnnderive.report.languages import Value, Words

__all__ = ["DERIVATIONS", "Line", "equal", "steps", "sympy_math"]

# Marks that stand for a function in a printed line, and what it means.
_NAMES = {"log": "ln", "atanh": "artanh", "polygamma": "psi", "digamma": "psi"}


@dataclass(frozen=True)
class Line:
    """A line of a derivation: why it holds, what it says, and whether SymPy found it so.

    Why is the sentence ``chains.line.RULE`` of a catalogue, with what its placeholders stand for.
    """

    rule: str
    math: pr.Math
    holds: bool | None  # None where nothing is claimed: a definition
    values: Mapping[str, Value] = field(default_factory=dict)


def steps(words: Words, lines: Iterable[Line]) -> doc.Steps:
    """Numbered lines with their marks, in a language."""
    marks = {True: "confirmed", False: "not_confirmed", None: "definition"}
    return doc.Steps([
        doc.Step(k, words(f"chains.line.{a.rule}", **a.values), a.math, words.sentence(f"chains.{marks[a.holds]}"))
        for k, a in enumerate(lines, 1)
    ])  # fmt: skip


def equal(a: Any, b: Any) -> bool:
    """Whether two expressions are one: exactly, by simplification."""
    difference = sp.sympify(a) - sp.sympify(b)
    return bool(sp.simplify(difference) == 0 or sp.simplify(difference.rewrite(sp.exp)) == 0)


# ---------------------------------------------------------------- SymPy as formulas


def sympy_math(e: Any) -> pr.Math:
    """A scalar SymPy expression as a formula.

    Examples
    --------
    >>> x = sp.Symbol("x", positive=True)
    >>> pr.text(sympy_math(sp.log(x) / 2 - sp.sqrt(x)))
    'ln(x)/2 - x^{1/2}'
    """
    e = sp.sympify(e)
    if isinstance(e, sp.Add):
        return _sum(e)
    if isinstance(e, sp.Pow) and e.exp.is_positive is not False and not e.exp.could_extract_minus_sign():
        # Upright words, since a slash between numbers would become a small fraction.
        power = pr.Word(str(e.exp)) if e.exp.is_Rational and not e.exp.is_Integer else sympy_math(e.exp)
        return pr.Script(_grouped(e.base), None, power)
    if isinstance(e, sp.Mul | sp.Pow | sp.Rational) and not e.is_Integer:
        return _product(e)
    if isinstance(e, sp.exp):
        return pr.Script(pr.Letter("e"), None, sympy_math(e.args[0]))
    if isinstance(e, sp.Function):
        name = _NAMES.get(e.func.__name__, e.func.__name__)
        arguments = e.args[1:] if e.func.__name__ == "polygamma" else e.args
        return pr.Call(pr.name_math(name), tuple(map(sympy_math, arguments)))
    if isinstance(e, sp.Symbol):
        return pr.name_math(e.name)
    if e is sp.EulerGamma:
        return pr.Script(pr.Letter("gamma"), pr.Word("E"))
    if e.is_Number and e.could_extract_minus_sign():
        return pr.Infix(("-",), (sympy_math(-e),), pr.SUM)
    return pr.Numeral(str(e))


def _sum(e: sp.Add) -> pr.Math:
    terms = sorted(e.as_ordered_terms(), key=lambda term: term.could_extract_minus_sign())  # begin without a minus
    signs = ["-" if term.could_extract_minus_sign() else "+" for term in terms]
    parts = tuple(sympy_math(-term if sign == "-" else term) for term, sign in zip(terms, signs, strict=True))
    return pr.Infix(("-" if signs[0] == "-" else "", *signs[1:]), parts, pr.SUM)


def _product(e: Any) -> pr.Math:
    if e.could_extract_minus_sign():
        return pr.Infix(("-",), (sympy_math(-e),), pr.SUM)
    over, under = sp.fraction(e)
    if under != 1:
        return pr.Frac(sympy_math(over), sympy_math(under))
    return pr.Row(tuple(_grouped(factor, pr.PRODUCT) for factor in e.as_ordered_factors()))


def _grouped(e: Any, level: int = pr.ATOM) -> pr.Math:
    return pr.at_level(sympy_math(e), level)


def _is(*parts: pr.Math) -> pr.Math:
    """left = right = …"""
    return pr.Infix(("", *["="] * (len(parts) - 1)), parts, pr.RELATION)


def _number(value: Any, digits: int = 16) -> pr.Math:
    words = str(sp.N(value, digits)).rstrip("0")
    return pr.Infix(("-",), (pr.Numeral(words[1:]),), pr.SUM) if words[0] == "-" else pr.Numeral(words)


def _slope(x: Any) -> pr.Math:
    """dσ/dx, which stands for the slope of the sigmoid at x."""
    return pr.derivative(pr.Letter("sigma"), sympy_math(x))


# ---------------------------------------------------------------- the derivations


def largest_slope() -> Iterator[Line]:
    """γ = sup|σ′| = 1/4."""
    x, y = sp.symbols("x y", real=True)
    slope = FUNCTIONS["sigmoid"].slope(x, y)
    (top,) = sp.solve(sp.diff(slope, y), y)
    derivative = sp.diff(FUNCTIONS["sigmoid"].scalar(x), x)
    same = equal(derivative, slope.subs(y, FUNCTIONS["sigmoid"].scalar(x)))
    yield Line("slope", _is(_slope(x), sympy_math(slope)), same)
    yield Line("steepest", _is(sympy_math(sp.diff(slope, y)), pr.Numeral("0")), bool(0 < top < 1))
    best = slope.subs(y, top)
    value = _is(pr.Letter("gamma"), sympy_math(best))
    place = doc.Formula(_is(pr.Letter("y"), sympy_math(top)))
    yield Line("at", value, best == sp.Rational(1, 4), {"place": place})


def fold() -> Iterator[Line]:
    """Where two fixed points of x ↦ 5 σ(x) + b meet."""
    x, y, b = sp.symbols("x y b", real=True)
    w = sp.Integer(5)
    sigmoid = FUNCTIONS["sigmoid"]
    s = sp.Function("sigma")(x)
    rest = sp.solve(sp.Eq(x, w * s + b), b)[0]
    yield Line("rest_b", _is(sympy_math(b), sympy_math(rest)), equal(rest, x - w * s))
    yield Line("meet_sigmoid",
               _is(sympy_math(w * sigmoid.slope(x, y)), pr.Numeral("1")),
               equal(sp.diff(sigmoid.scalar(x), x), sigmoid.slope(x, sigmoid.scalar(x))))  # fmt: skip
    roots = sp.solve(w * sigmoid.slope(x, y) - 1, y)
    for root, (place, fold_b) in zip(roots, wall.fold_points(w), strict=True):
        yield Line("root", _is(sympy_math(y), sympy_math(root)), equal(w * sigmoid.slope(x, root), 1))
        inverse = _is(sympy_math(x), sympy_math(sp.log(y / (1 - y))), sympy_math(place))
        yield Line("inverse", inverse, equal(sigmoid.scalar(place), root))
        found = _is(sympy_math(b), sympy_math(place - w * root), _number(fold_b))
        yield Line("fold_b", found, equal(fold_b, place - w * root))


def hochreiter() -> Iterator[Line]:
    """The strongest factor of a sigmoid unit."""
    net = sp.Symbol("net", positive=True)
    condition, root, largest = attractors.hochreiter()
    slope = sp.diff(FUNCTIONS["sigmoid"].scalar(net), net)
    factor = pr.Row((sympy_math(net), _slope(net)))
    w, y, own = pr.Letter("w"), pr.Letter("y"), pr.Letter("J")
    yield Line(
        "factor",
        _is(pr.Row((y, own)), pr.Row((w, y, _slope(net))), factor),
        None,
    )
    inside = pr.Row((_slope(net), pr.Fenced(sympy_math(1 - net * sp.tanh(net / 2)))))
    change = pr.Frac(pr.Prefix(pr.Symbol("d"), pr.Numeral("")), pr.Prefix(pr.Symbol("d"), sympy_math(net)))
    same = equal(sp.diff(net * slope, net), slope * (1 - net * sp.tanh(net / 2)))
    yield Line("derivative", _is(pr.Row((change, pr.Fenced(factor))), inside), same)
    zero = equal((1 - net * sp.tanh(net / 2)).subs(sp.tanh(net / 2), 1 / sp.coth(net / 2)), 1 - net / sp.coth(net / 2))
    yield Line("vanishes", _is(sympy_math(net), sympy_math(condition.rhs)), zero)
    close = abs(sp.N((condition.lhs - condition.rhs).subs(net, root), 30)) < sp.Float("1e-25")
    yield Line("newton", _is(sympy_math(net), _number(root)), bool(close))
    near = all(sp.N((net * slope).subs(net, root + e)) < largest for e in (-0.1, 0.1))
    yield Line("largest", _is(factor, _number(largest)), bool(near))


def latch() -> Iterator[Line]:
    """For which |h| the unit a ↦ w tanh(a) + h has two attractors."""
    w, y = sp.symbols("w y", positive=True)
    a, h = sp.symbols("a h", real=True)
    slope = w * FUNCTIONS["tanh"].slope(a, y)
    (root,) = sp.solve(slope - 1, y)
    yield Line("meet_tanh", _is(sympy_math(slope), pr.Numeral("1")),
               equal(sp.diff(sp.tanh(a), a), FUNCTIONS["tanh"].slope(a, sp.tanh(a))))  # fmt: skip
    yield Line("solved_y", _is(sympy_math(y), sympy_math(sp.sqrt(1 - 1 / w))), equal(root**2, 1 - 1 / w))
    rest = sp.solve(sp.Eq(a, w * y + h), h)[0].subs(a, sp.atanh(y))
    yield Line("rest_h", _is(sympy_math(h), sympy_math(rest)), equal(rest, sp.atanh(y) - w * y))
    found = attractors.latch_threshold()
    printed = sp.sqrt(w * (w - 1)) - sp.atanh(sp.sqrt(1 - 1 / w))
    size = pr.Fenced(sympy_math(h), "|")
    shown = pr.Infix(("", "<"), (size, sympy_math(printed)), pr.RELATION)
    yield Line("attractors", shown, equal(found.subs(w, 2), printed.subs(w, 2)) and
               equal(sp.diff(found - printed, w), 0))  # fmt: skip


def gaussian() -> Iterator[Line]:
    """Newman's largest and smallest exponent at N = 16, in closed form."""
    values = random_products.newman(16)
    for index, rule in ((0, "first_exponent"), (15, "last_exponent")):
        closed = values[index].doit()
        left = pr.Script(pr.Letter("lambda"), pr.Numeral(str(index + 1)))
        near = abs(sp.N(closed, 20) - sp.N(values[index], 20)) < sp.Float("1e-15")
        yield Line(rule, _is(left, sympy_math(closed), _number(closed, 10)), bool(near))


def rectified() -> Iterator[Line]:
    """The critical gain of a ReLU net."""
    g = sp.Symbol("g", positive=True)
    z = sp.Symbol("z", real=True)
    chi = mean_field.rectified_susceptibility()
    half = sp.integrate(sp.exp(-(z**2) / 2) / sp.sqrt(2 * sp.pi), (z, 0, sp.oo))
    left = pr.Letter("chi")
    yield Line("relu", _is(left, sympy_math(chi)),
               equal(half, sp.Rational(1, 2)))  # fmt: skip
    (root,) = sp.solve(chi - 1, g)
    yield Line("critical", _is(sympy_math(g), sympy_math(root), _number(root)), equal(chi.subs(g, root), 1))


def half_life() -> Iterator[Line]:
    """In how many steps the cell's gradient halves."""
    b, n = sp.Symbol("b", real=True), sp.Symbol("n", positive=True)
    gate = sp.Function("sigma")(b)
    yield Line("gate", _is(sympy_math(gate**n), sympy_math(sp.Rational(1, 2))), None)
    found = gates.half_life()
    shown = sympy_math(-sp.log(2) / sp.log(gate))
    sigma = FUNCTIONS["sigmoid"].scalar(b)
    yield Line("solved_n", _is(sympy_math(n), shown), equal(found * sp.log(sigma), sp.log(sp.Rational(1, 2))))


def chrono() -> Iterator[Line]:
    """σ(ln(T − 1)) = 1 − 1/T, and its T-th power."""
    T = sp.Symbol("T", positive=True)
    gate = FUNCTIONS["sigmoid"].scalar(sp.log(T - 1))
    left = pr.Call(pr.Letter("sigma"), (sympy_math(sp.log(T - 1)),))
    odds = 1 / (1 + 1 / (T - 1))
    yield Line("logarithm", _is(left, pr.Frac(pr.Numeral("1"), sympy_math(1 + 1 / (T - 1)))),
               equal(gate, odds))  # fmt: skip
    yield Line("simplified", _is(left, sympy_math(1 - 1 / T)), equal(gate, 1 - 1 / T))
    limit = sp.limit((1 - 1 / T) ** T, T, sp.oo)
    power = pr.Script(pr.Fenced(sympy_math(1 - 1 / T)), None, sympy_math(T))
    tends = _is(pr.Row((pr.Word("lim"), power)), sympy_math(limit), _number(limit, 6))
    yield Line("limit", tends, equal(limit, sp.exp(-1)))


def critical_gain(cell: str, weight: str) -> Iterator[Line]:
    """The recurrent weight at which the Jacobian at rest has the eigenvalue 1."""
    jacobian, symbols = gates.jacobian_at_rest(cell)
    gain = gates.critical_gain_at_rest(cell, weight)
    marks = {1 / (1 + sp.exp(-s)): sp.Function("sigma")(s) for s in symbols.values()}
    shown = jacobian.subs(marks)
    grid = pr.Grid(tuple(tuple(sympy_math(shown[i, j]) for j in range(shown.cols)) for i in range(shown.rows)))
    yield Line(f"at_rest_{cell}", _is(pr.Letter("J"), grid), None)
    unknown = symbols[weight]
    at_gain = (jacobian - sp.eye(jacobian.rows)).det().subs(unknown, gain)
    sigma = {s: sp.Function("sigma")(s) for s in symbols.values()}
    means = {s: FUNCTIONS["sigmoid"].scalar(s) for s in symbols.values()}
    closed = _gain(cell, {n: sigma[s] for n, s in symbols.items()})
    meaning = _gain(cell, {n: means[s] for n, s in symbols.items()})
    one = pr.Row((pr.Word("det"), pr.Fenced(pr.Infix(("", "-"), (pr.Letter("J"), pr.Letter("I")), pr.SUM))))
    yield Line("eigenvalue", _is(one, pr.Numeral("0")), equal(at_gain, 0))
    yield Line("solved_weight", _is(sympy_math(unknown), sympy_math(closed)), equal(gain, meaning))


def _gain(cell: str, gate: Mapping[str, Any]) -> Any:
    """The printed critical gain, in the values that the gates have at rest."""
    return (1 - gate["b_f"]) / (gate["b_i"] * gate["b_o"]) if cell == "lstm" else 1 / gate["b_r"]


def white_input() -> Iterator[Line]:
    """The powers of a linear unit's state and of its sensitivity."""
    lam, k = sp.Symbol("lambda", positive=True), sp.Symbol("k", integer=True, nonnegative=True)
    series = (
        ("series", lam**k, sensitivity.state_power(), 1 / (1 - lam**2), "h"),
        ("series_slope", sp.diff(lam**k, lam), sensitivity.sensitivity_power(),
         (1 + lam**2) / (1 - lam**2) ** 3, "s"),
    )  # fmt: skip
    for rule, term, total, printed, name in series:
        slope = pr.Fenced(pr.derivative(pr.Letter("h"), pr.Letter("lambda")))
        left = pr.Row((pr.Word("E"), pr.Script(pr.Letter("h") if name == "h" else slope, None, pr.Numeral("2"))))
        power = pr.Big("sum", _is(pr.Letter("k"), pr.Numeral("0")), pr.Symbol("infty"),
                       sympy_math(sp.powsimp(sp.simplify(term**2))))  # fmt: skip
        yield Line(rule, _is(left, power, sympy_math(printed)), equal(total, printed))


DERIVATIONS: dict[str, tuple[Callable[[], Iterator[Line]], ...]] = {
    "pascanu": (largest_slope,),
    "fold": (fold,),
    "hochreiter": (hochreiter,),
    "latch": (latch,),
    "newman": (gaussian,),
    "critical": (rectified,),
    "forget": (half_life,),
    "chrono": (chrono,),
    "rest": (
        lambda: critical_gain("lstm", "W_C"),
        lambda: critical_gain("gru", "W"),
    ),
    "zucchet": (white_input,),
}
