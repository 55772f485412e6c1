"""What a recurrence means: the reference interpreter.

It runs one sequence, step by step and term by term, in any algebra.  It is slow, short and has
nothing in common with the generated programs, so that it can check them.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import sympy as sp

from rnnderive.language import terms as tm
from rnnderive.language.algebra import Algebra
from rnnderive.language.recurrence import Recurrence

__all__ = ["Run"]


class Run:
    """One run of a recurrence over T steps.

    Parameters
    ----------
    net : Recurrence
    algebra : Algebra
        The number system, with a value for every size.
    values : mapping
        Name → two-dimensional array for a timeless name; a list of T of them for a sequence; a
        function of the step for a parameter that changes over time (how checks perturb a
        parameter at one step only).  Initial states that are missing are zero.
    T : int
        Number of steps.
    bound : mapping, optional
        Values of running indices other than t, such as k.
    """

    def __init__(
        self,
        net: Recurrence,
        algebra: Algebra,
        values: Mapping[str, Any],
        T: int,
        bound: Mapping[Any, int] | None = None,
    ) -> None:
        self.net, self.algebra, self.values, self.T = net, algebra, dict(values), T
        self.known: dict[tuple[str, int | None], Any] = {}
        self.bound: dict[Any, int] = dict(bound or {})  # running indices of Σ_k and ∏_j
        for stage in net.schedule:
            if stage.direction == "all":
                continue
            steps = range(1, T + 1) if stage.direction == "forward" else range(T, 0, -1)
            for step in steps:
                for name in stage.names:
                    self.at(name, step)

    def __getitem__(self, name: str) -> Any:
        """The value of a timeless name; the list of values of a sequence."""
        if name in self.net and self.net[name].timed:
            return [self.at(name, s) for s in range(1, self.T + 1)]
        return self.timeless(name, None)

    def timeless(self, name: str, step: int | None) -> Any:
        """A name without an index, as seen from an equation at `step`."""
        if name in self.values:
            value = self.values[name]
            return value(step) if callable(value) else value
        if name not in self.net and name in self.net.initial_states:
            return self.initial(name[:-1])
        key = (name, None)
        if key not in self.known:
            self.known[key] = self.term(self.net[name].right, None)
        return self.known[key]

    def at(self, name: str, step: int) -> Any:
        """A sequence at a step; outside 1..T, its initial state."""
        if not 1 <= step <= self.T:
            return self.initial(name)
        if name in self.values:
            return self.values[name][step - 1]
        key = (name, step)
        if key not in self.known:
            self.known[key] = self.term(self.net[name].right, step)
        return self.known[key]

    def initial(self, name: str) -> Any:
        """What a sequence is outside 1..T."""
        state = f"{name}0"
        if state in self.values or state in self.net:
            return self.timeless(state, None)
        rows, columns = (int(self.algebra.extent(s)) for s in self.net.shape(name))
        return self.algebra.full(rows, columns, 0)

    def term(self, term: tm.Term, step: int | None) -> Any:
        """The value of a term at a step."""
        match term:
            case tm.Parameter():  # the symbol's own name: printing it takes longer than the arithmetic
                return self.timeless(term.args[0].name, step)
            case tm.At():
                return self.at(term.args[0].name, self.index(term.args[1], step))
            case tm.Extent() if term.args[0] == tm.T:
                return self.algebra.number(sp.Integer(self.T))
            case tm.Extent() if term.args[0] == tm.BATCH and tm.BATCH not in self.algebra.sizes:
                return self.algebra.number(sp.S.One)  # one sequence is a batch of one
            case tm.TimeSum():
                total = self.term(term.args[0], 1)
                for s in range(2, self.T + 1):
                    total = self.algebra.reduce(total + self.term(term.args[0], s))
                return total
            case tm.Where():
                sign, left, right = term.relation
                a, b = self.index(left, step), self.index(right, step)
                if {"==": a == b, "<=": a <= b, ">=": a >= b}[sign]:
                    return self.term(term.args[3], step)
                rows, columns = (int(self.algebra.extent(s)) for s in term.shape)
                return self.algebra.full(rows, columns, 0)
            case _:
                return term.evaluate(self, step)

    def index(self, index: Any, step: int | None) -> int:
        """The number behind a time index."""
        value, parts = _affine(index)
        for symbol, times in parts:
            if symbol == tm.t and step is not None:
                value += times * step
            else:
                value += times * (self.T if symbol == tm.T else self.bound[symbol])
        return value


@lru_cache(maxsize=4096)
def _affine(index: Any) -> tuple[int, tuple[tuple[Any, int], ...]]:
    """A time index as a number and multiples of symbols: T − k + 1 is (1, ((T, 1), (k, −1))).

    SymPy takes an index apart once; a run then adds integers.
    """
    constant, rest = sp.expand(index).as_coeff_Add()
    parts = tuple((symbol, int(times)) for symbol, times in rest.as_coefficients_dict().items() if times != 0)
    return int(constant), parts
