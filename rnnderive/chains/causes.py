"""Why a chain does what it does: what each function and each gate costs it.

A cause is a counterfactual that was run: the same loss, sent back along the same chain had one gate been
open throughout, or one function as steep as it gets, all else as it was.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import numpy as np
import sympy as sp

from rnnderive.chains.census import Gate, Slope
from rnnderive.chains.judgement import rate_of
from rnnderive.chains.trace import Trace
from rnnderive.chains.verdict import Cause
from rnnderive.language import Equation, Recurrence
from rnnderive.language import terms as tm

__all__ = ["causes", "had_been", "had_been_steepest"]


def causes(trace: Trace, slopes: Iterable[Slope], gates: Iterable[Gate]) -> tuple[Cause, ...]:
    """What each function and each gate costs: the rate with it at its best, less the rate as it is.

    Rates are those of the verdict; of a batch the median, and over more than 5 000 steps that of the last
    5 000.
    """
    rate = rate_of(trace)
    open_or_closed = {gate.name: gate for gate in gates}
    out = []
    for slope in slopes:
        if slope.name not in open_or_closed and np.isfinite(slope.steepest) and slope.steepest > 0:
            better = rate_of(trace, had_been_steepest(trace, slope))
            words = f"{_percent(slope.saturated)} of its slopes under a tenth of the steepest, {slope.steepest:g}"
            words += f", {_percent(slope.dead)} dead" if slope.dead else ""
            name, cost = f"{slope.function} of {slope.name}", _less(better, rate)
            out.append(Cause(name, words, slope.saturated, better, cost, "function", slope.name))
    for gate in open_or_closed.values():
        found = {value: rate_of(trace, had_been(trace, gate, value)) for value in (0.0, 1.0)}
        value, better = max(found.items(), key=lambda item: item[1])
        far = gate.closed if value else gate.open
        words = f"its mean is {gate.mean:.3f}, {_percent(far)} of it {'under 0.1' if value else 'over 0.9'}"
        if _freezes(trace, gate, value):
            words += f"; {'open' if value else 'closed'} throughout it freezes the state, which then reads nothing"
        state = "not open" if value else "not closed"
        cost = _less(better, rate)
        out.append(Cause(f"gate {gate.name} {state}", words, far, better, cost, f"gate {state}", gate.name))
    return tuple(out)


def had_been_steepest(trace: Trace, slope: Slope) -> Trace:
    """The same chain, had one function had its steepest slope everywhere."""
    chain = trace.chain
    e = chain.net[slope.name]
    steepest = tm.Number(sp.nsimplify(slope.steepest, rational=True, tolerance=1e-15))
    straight = Equation(e.left, tm.times(steepest, e.right.args[1]))
    equations = tuple(straight if e.name == slope.name else e for e in chain.net.equations)
    return replace(trace, chain=replace(chain, net=Recurrence(equations, None, chain.net.declared)))


def had_been(trace: Trace, gate: Gate, value: float) -> Trace:
    """The same chain, had one gate been 1 (open) or 0 (closed) throughout."""
    constant = np.broadcast_to(np.asarray(value, gate.values.dtype), gate.values.shape)
    course = replace(trace.course, values={**trace.course.values, gate.name: constant})
    return Trace(trace.chain.held(gate.name), course)


def _freezes(trace: Trace, gate: Gate, value: float) -> bool:
    """Whether the state stays what it was, whatever the rest of the cell does: the best rate is then 0 trivially."""
    (last,) = had_been(trace, gate, value).pieces(first=trace.T, last=trace.T)
    return bool((last == np.eye(trace.size)).all())


def _percent(fraction: float) -> str:
    return f"{100 * fraction:.3g} %"


def _less(better: float, rate: float) -> float:
    return better - rate if np.isfinite(rate) else np.inf if np.isfinite(better) else 0.0
