"""How large a term can get whatever the weights: intervals of functions, exact for polynomials of one.

γ = sup|φ'| is not looked up: 1 − h² with h in the range of tanh, h in [−1, 1], is at most 1, and
y(1 − y) with y in [0, 1] at most 1/4.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import Any

import numpy as np
import sympy as sp

from rnnderive.language import FUNCTIONS, Recurrence
from rnnderive.language import terms as tm
from rnnderive.language.algebra import numpy_function
from rnnderive.language.terms import Term

__all__ = ["interval", "supremum"]

Interval = tuple[float, float]
EVERYTHING: Interval = (-math.inf, math.inf)
FAR = 40.0  # where every function of the table has settled, or grows for good
POINTS, ZOOMS = 20_001, 4  # a grid of 0.004, then finer by 50 each time: beyond rounding


def supremum(term: Term, net: Recurrence) -> float:
    """sup|entry| of a term over all weights, inputs and steps; infinite if there is no bound.

    Examples
    --------
    >>> import rnnderive as rd
    >>> net = rd.cells.vanilla("sigmoid")
    >>> slope = rd.derive(net).jacobian("h", "h").args[0].args[0]
    >>> slope, supremum(slope, net)
    (h[t] * (1 - h[t]), 0.25)
    """
    low, high = interval(term, net)
    return max(abs(low), abs(high))


@lru_cache(maxsize=1024)
def interval(term: Term, net: Recurrence, seen: frozenset[str] = frozenset()) -> Interval:
    """The least and the largest value that an entry of a term can have.

    Parameters
    ----------
    term : Term
    net : Recurrence
        Defines the names in it; what no equation defines can be anything.
    seen : frozenset of str
        Names that are being worked out: a loop that is not closed by a bounded function is unbounded.
    """
    atoms: dict[Term, sp.Symbol] = {}
    expression = _scalar(term, atoms)
    known = {symbol: _atom(atom, net, seen) for atom, symbol in atoms.items()}
    found = _of(expression, known)
    return found if math.isfinite(found[0]) and math.isfinite(found[1]) else _of_one_argument(term, net) or found


def _scalar(term: Term, atoms: dict[Term, sp.Symbol]) -> Any:
    """An elementwise term as a SymPy scalar; anything else in it is an atom."""
    match term:
        case tm.Number():
            return term.number
        case tm.Ones():
            return sp.S.One
        case tm.Zeros():
            return sp.S.Zero
        case tm.Plus():
            return sp.Add(*(_scalar(a, atoms) for a in term.args))
        case tm.Times():
            return sp.Mul(*(_scalar(a, atoms) for a in term.args))
        case tm.Power():
            return sp.Pow(_scalar(term.args[0], atoms), term.args[1])
    return atoms.setdefault(term, sp.Dummy(f"a{len(atoms)}", real=True))


def _atom(term: Term, net: Recurrence, seen: frozenset[str]) -> Interval:
    match term:
        case tm.At() | tm.Parameter() if term.name in net and term.name not in seen:
            inside = interval(net[term.name].right, net, seen | {term.name})
            lagged = isinstance(term, tm.At) and term.lag != 0 and f"{term.name}0" in net.initial_states
            return inside if not lagged else (min(inside[0], 0.0), max(inside[1], 0.0))
        case tm.Apply():
            return _image(term.name, interval(term.args[1], net, seen))
        case tm.Softmax():
            return 0.0, 1.0
        case tm.Stack():
            parts = [interval(a, net, seen) for a in term.terms]
            return min(p[0] for p in parts), max(p[1] for p in parts)
        case tm.Transpose() | tm.Diag():
            return interval(term.args[0], net, seen)
    return EVERYTHING


def _of(expression: Any, known: dict[Any, Interval]) -> Interval:
    """The interval of a scalar expression of independent atoms."""
    free = expression.free_symbols
    if not free:
        value = float(expression)
        return value, value
    if len(free) == 1:
        (x,) = free
        return _of_one(expression, x, known[x])
    if expression.is_Add:
        parts = [_of(a, known) for a in expression.args]
        return sum(p[0] for p in parts), sum(p[1] for p in parts)
    if expression.is_Mul:
        groups: dict[Any, Any] = {}
        for factor in expression.args:
            key = frozenset(factor.free_symbols)
            groups[key] = groups.get(key, sp.S.One) * factor
        low, high = 1.0, 1.0
        for part in groups.values():
            inner = _of(part, known) if len(groups) > 1 else EVERYTHING
            corners = [_times(a, b) for a in (low, high) for b in inner]
            low, high = min(corners), max(corners)
        return low, high
    return EVERYTHING


def _of_one(expression: Any, x: Any, within: Interval) -> Interval:
    """The extremes of an expression in one variable over an interval: its ends and where its slope is 0."""
    places = [sp.nsimplify(v) if math.isfinite(v) else sp.sympify(v) for v in within]
    values = [sp.limit(expression, x, p) if p.is_infinite else expression.subs(x, p) for p in places]
    slope = sp.numer(sp.together(sp.diff(expression, x)))
    if slope.is_polynomial(x) and slope.has(x):
        roots = sp.Poly(slope, x).real_roots()
        values += [expression.subs(x, r) for r in roots if within[0] <= float(r) <= within[1]]
    elif not slope.is_polynomial(x):
        return EVERYTHING
    numbers = [float(v) if not v.has(sp.nan, sp.zoo) else math.inf for v in values]
    if not expression.is_polynomial(x):
        below = sp.denom(sp.together(expression))
        low, high = _of_one(below, x, within) if below.has(x) else (1.0, 1.0)
        if low <= 0.0 <= high:
            return EVERYTHING
    return min(numbers), max(numbers)


def _times(a: float, b: float) -> float:
    return 0.0 if a == 0.0 or b == 0.0 else a * b


@lru_cache(maxsize=256)
def _image(name: str, within: Interval) -> Interval:
    """The range of an elementwise function over an interval."""
    row = FUNCTIONS[name]
    x = sp.Symbol("x", real=True)
    ends: list[float] = []
    for place in within:
        if math.isfinite(place):
            with np.errstate(all="ignore"):
                ends.append(float(numpy_function(name)(np.array([place]))[0]))
            continue
        limit = sp.limit(_far_out(row.scalar(x), x, place), x, sp.sympify(place))
        if isinstance(limit, sp.AccumBounds):  # it goes on oscillating
            ends += [float(limit.min), float(limit.max)]
        elif limit.is_extended_real:
            ends.append(float(limit))
        else:  # it is not defined there
            return EVERYTHING
    if any(math.isnan(e) for e in ends):
        return EVERYTHING
    inside = _extremes(numpy_function(name), max(within[0], -FAR), min(within[1], FAR), row.kinks)
    return min(*ends, inside[0]), max(*ends, inside[1])


def _extremes(function: Callable[[Any], Any], low: float, high: float, kinks: tuple[float, ...]) -> Interval:
    """The extremes of a function of the table: it has few turns, so a grid, then finer ones about its best points."""
    grid = np.unique([*np.linspace(low, high, POINTS), *(k for k in kinks if low <= k <= high)])
    with np.errstate(all="ignore"):
        values = np.asarray(function(grid), dtype=float) + 0.0 * grid
        if not np.isfinite(values).all():
            return EVERYTHING
        return -_peak(lambda x: -function(x), grid, -values), _peak(function, grid, values)


def _peak(function: Callable[[Any], Any], grid: Any, values: Any) -> float:
    """The largest value, looked for again between the neighbours of the largest so far."""
    best = float(values.max())
    for _ in range(ZOOMS):
        k = int(values.argmax())
        grid = np.linspace(grid[max(k - 1, 0)], grid[min(k + 1, len(grid) - 1)], 101)
        values = np.asarray(function(grid), dtype=float) + 0.0 * grid
        best = max(best, float(values.max()))
    return best


def _of_one_argument(term: Term, net: Recurrence) -> Interval | None:
    """The range of a term in which all functions have one and the same argument, as slopes do."""
    arguments = {node.args[1] for node in _opened(term, net) if isinstance(node, tm.Apply)}
    outer = [z for z in arguments if not any(isinstance(n, tm.Apply) for n in tm.members(z))]
    outer = [z for z in outer if not any(z != w and set(w.args) < set(z.args) for w in outer)]
    if len(outer) != 1:
        return None
    (z,) = outer
    kinks = tuple(k for n in _opened(term, net) if isinstance(n, tm.Apply) for k in FUNCTIONS[n.name].kinks)

    def function(values: Any, node: Term = term) -> Any:
        if node == z:
            return values
        match node:
            case tm.Number():
                return float(node.number)
            case tm.Plus():
                rest = list(node.args)
                inside = isinstance(z, tm.Plus) and all(a in rest for a in z.args)
                for a in z.args if inside else ():  # a sum within a sum has been multiplied out
                    rest.remove(a)
                return sum((function(values, a) for a in rest), values if inside else 0.0)
            case tm.Times():
                return math.prod((function(values, a) for a in node.args), start=np.float64(1.0))
            case tm.Power():
                return function(values, node.args[0]) ** float(node.args[1])
            case tm.Apply():
                return numpy_function(node.name)(function(values, node.args[1]))
            case tm.At() if node.name in net and node.lag == 0:
                return function(values, net[node.name].right)
        raise LookupError(node)

    try:
        found = _extremes(function, -FAR, FAR, kinks)
        with np.errstate(all="ignore"):
            beyond = [float(np.max(np.abs(function(np.array([e * 1e3]))))) for e in (-1.0, 1.0)]
    except LookupError:
        return None
    return found if max(beyond) <= 2 * max(map(abs, found)) + 1 else None


def _opened(term: Term, net: Recurrence) -> Iterator[Term]:
    """The nodes of a term, and of the functions behind the sequences it reads at the same step."""
    for node in tm.members(term):
        yield node
        if isinstance(node, tm.At) and node.lag == 0 and node.name in net:
            right = net[node.name].right
            if isinstance(right, tm.Apply):
                yield from tm.members(right)


def _far_out(expression: Any, x: Any, place: float) -> Any:
    """The branch of a piecewise function that holds far out on one side."""
    far = sp.Integer(10) ** 9 * (1 if place > 0 else -1)

    def branch(*pieces: Any) -> Any:
        return next(value for value, condition in pieces if condition.subs(x, far) == True)  # noqa: E712

    return sp.sympify(expression).replace(sp.Piecewise, branch)
