"""Gates and slopes along a run: how open, how steep."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from rnnderive.chains.ranges import interval, supremum
from rnnderive.chains.trace import Trace
from rnnderive.language import FUNCTIONS, Equation
from rnnderive.language import terms as tm
from rnnderive.language.terms import Term

__all__ = ["Gate", "Slope", "gates", "slope_of", "slopes"]

CLOSED, OPEN, SATURATED = 0.1, 0.9, 0.1


@dataclass(frozen=True, eq=False)
class Gate:
    """A sequence between 0 and 1 inside the cell.

    Attributes
    ----------
    name : str
    values : array
        (T, …, n), in the order of time.
    """

    name: str
    values: Any

    @property
    def mean(self) -> float:
        """The mean over steps, units and members."""
        return float(self.values.mean())

    @property
    def closed(self) -> float:
        """The fraction under 0.1."""
        return float((self.values < CLOSED).mean())

    @property
    def open(self) -> float:
        """The fraction over 0.9."""
        return float((self.values > OPEN).mean())


@dataclass(frozen=True, eq=False)
class Slope:
    """The derivative of the function that makes a sequence.

    Attributes
    ----------
    name, function : str
        The sequence and its function.
    values : array
        φ'(a), (T, …, n).
    steepest : float
        γ = sup|φ'|; infinite if there is no bound.
    """

    name: str
    function: str
    values: Any
    steepest: float

    @property
    def dead(self) -> float:
        """The fraction that is exactly zero."""
        return float((self.values == 0).mean())

    @property
    def saturated(self) -> float:
        """The fraction under a tenth of the steepest, the dead among them."""
        top = self.steepest if np.isfinite(self.steepest) else 1.0
        return float((np.abs(self.values) < SATURATED * top).mean())

    @property
    def mean_log(self) -> float:
        """The mean of ln|φ'| where it is not zero."""
        alive = np.abs(self.values[self.values != 0])
        return float(np.log(alive).mean()) if alive.size else -np.inf


def gates(trace: Trace) -> tuple[Gate, ...]:
    """The gates of a cell: sequences of the step whose values lie between 0 and 1 whatever the weights."""
    net, chain = trace.chain.net, trace.chain
    found = []
    for name in chain.step:
        if net[name].timed and name not in chain.states:
            low, high = interval(net.leaf(name), net)
            if low >= 0.0 and high <= 1.0 and trace.course[name].ndim == 2 + len(trace.course.lead):
                found.append(Gate(name, trace.course[name]))
    return tuple(found)


def slopes(trace: Trace) -> tuple[Slope, ...]:
    """The slopes of the functions that the cell's sequences are made by, gates among them."""
    found = []
    for name in trace.chain.step:
        e = trace.chain.net[name]
        if e.timed and isinstance(e.right, tm.Apply) and e.right.name not in ("identity", "step", "sign"):
            slope = slope_of(e)
            values = trace.course.along(slope)[..., 0]
            found.append(Slope(name, e.right.name, values, supremum(slope, trace.chain.net)))
    return tuple(found)


def slope_of(e: Equation) -> Term:
    """φ'(a^t) for an equation v[t] = φ(a[t]), by the table."""
    assert isinstance(e.right, tm.Apply)
    return tm.as_term(FUNCTIONS[e.right.name].slope(e.right.args[1], e.left))
