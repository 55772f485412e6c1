"""What rounding may do to an entry, so that it is told apart from a mistake.

A fixed bound relative to an array's largest entry cannot know what was rounded on the way: where tanh
is saturated, 1 − tanh² is small and rounded to 1e-16 of 1.  An entry beyond that bound is therefore
looked at again.  The recurrence that the program was made of runs on numbers of 120 digits, each with a
bound on what float64 does to it (running error analysis: Wilkinson 1986; Higham 2002, section 3.3).  The digits
must be those of central differences of the loss, which use no derivative; the program must be within the bound.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache, cached_property, reduce
from operator import add
from typing import Any

import numpy as np
import sympy as sp

from rnnderive.checks.differences import only
from rnnderive.checks.points import Point, member
from rnnderive.derivation import reference_run
from rnnderive.language import FUNCTIONS, Digits, Recurrence, Run
from rnnderive.language import terms as tm
from rnnderive.language.functions import Function
from rnnderive.programs import Program, optimise, prepare

__all__ = ["DIGITS", "Again", "Precise", "Rounded", "Rounding", "agree", "apart", "central", "in_digits"]

DIGITS = 120
# Eight half-units in the last place, NumPy's functions are right to a few and sums are taken in any order; and
# what is so small that float64 has none of its digits.
UNIT, TINY = 2.0**-50, 2.0**-1022
ENTRY = 1e-9  # of an entry, between the derived digits and differences
# Differences with a step of 1e-40 are right to about 1e-80 of the loss, or of its third derivative.
FLOOR = 1e-60


@dataclass(frozen=True, slots=True)
class Rounded:
    """A number of many digits, and a bound on the error of the same arithmetic in float64.

    Examples
    --------
    >>> import mpmath
    >>> h = Rounded(mpmath.mpf(1) - mpmath.mpf(2) ** -40, 2.0**-53)
    >>> slope = 1 - h * h
    >>> bool(slope.error > 1e-4 * slope.value)  # the digits of 1 - h² are those that h² lost
    True
    """

    value: Any
    error: float = 0.0

    def __add__(self, other: Any) -> Rounded:
        b = _rounded(other)
        summands = float(abs(self.value) + abs(b.value))  # not their sum: another order rounds other sums
        return Rounded(self.value + b.value, self.error + b.error + UNIT * summands)

    def __mul__(self, other: Any) -> Rounded:
        b = _rounded(other)
        value, x, y = self.value * b.value, float(abs(self.value)), float(abs(b.value))
        return Rounded(value, x * b.error + y * self.error + self.error * b.error + _unit(value))

    def __neg__(self) -> Rounded:
        return Rounded(-self.value, self.error)

    def __sub__(self, other: Any) -> Rounded:
        return self + -_rounded(other)

    def __rsub__(self, other: Any) -> Rounded:
        return _rounded(other) + -self

    __radd__, __rmul__ = __add__, __mul__

    def inverse(self) -> Rounded:
        """1 / x; without a bound where x may be zero."""
        value, x = 1 / self.value, float(abs(self.value))
        away = self.error / (x * (x - self.error)) if self.error < x else np.inf
        return Rounded(value, away + _unit(value))


def _rounded(number: Any) -> Rounded:
    return number if isinstance(number, Rounded) else Rounded(number)


def _unit(value: Any) -> float:
    """What one operation with this result is off by."""
    return UNIT * float(abs(value)) + TINY


@cache
def _context() -> Any:
    """The arithmetic of all numbers here."""
    return Digits({}, DIGITS).context


@cache
def _compiled(function: Function) -> Callable[[Any], Any]:
    """The table's expression of a function in that arithmetic."""
    context, x = _context(), sp.Symbol("x")
    expression = function.scalar(x)
    rationals = {q: sp.Dummy() for q in expression.atoms(sp.Rational) if not q.is_Integer}  # else printed as floats
    names = ("exp", "tanh", "log", "sqrt", "erf", "sin", "cos", "sign", "pi")
    space = {n: getattr(context, n) for n in names}
    compiled = sp.lambdify([x, *rationals.values()], expression.xreplace(rationals), modules=[space])  # our own table
    numbers = [context.mpf(int(q.p)) / int(q.q) for q in rationals]
    return lambda value: compiled(value, *numbers) + context.zero


class Precise(Digits):
    """Numbers of 120 digits, whose functions are compiled: differences ask for them many times."""

    def __init__(self, sizes: Mapping[Any, int]) -> None:
        super().__init__(sizes, DIGITS)
        self.context = _context()

    def one(self, name: str, x: Any) -> Any:
        return _compiled(FUNCTIONS[name])(x)


class _Roundings(Precise):
    """Numbers of many digits that know their error in float64."""

    def scalar(self, number: Any) -> Rounded:
        value = super().scalar(number)
        return Rounded(value, 0.0 if value == float(value) else _unit(value))

    def inverse(self, array: Any) -> Any:
        out = np.empty(array.shape, dtype=object)
        for index, x in np.ndenumerate(array):
            out[index] = x.inverse()
        return out

    def one(self, name: str, x: Rounded) -> Rounded:
        value, size = Precise.one(self, name, x.value), float(abs(x.value))
        moved = x.error + UNIT * size  # an argument may be shifted, as softmax does
        if not moved < (np.inf if FUNCTIONS[name].total else size):
            return Rounded(value, np.inf)
        spread = max(abs(Precise.one(self, name, x.value + by) - value) for by in (moved, -moved))
        return Rounded(value, float(spread) + _unit(value) + UNIT * FUNCTIONS[name].near_one * (1 + size))


@dataclass(frozen=True)
class Again:
    """One entry, looked at again.

    Attributes
    ----------
    derived : Rounded
        As derived, in many digits.
    differences : mpf
        By central differences of the loss, in many digits.
    """

    derived: Rounded
    differences: Any

    def __add__(self, other: Again) -> Again:
        return Again(self.derived + other.derived, self.differences + other.differences)

    def holds(self, found: float, within: float) -> bool:
        """Whether the derivation is right, and `found` is it but for rounding.

        `within` is the largest entry of all that is compared together.
        """
        right = agree(self.derived.value, self.differences, within)
        return bool(right and abs(found - self.derived.value) <= self.derived.error < np.inf)


def agree(derived: Any, differences: Any, within: float = 1.0) -> bool:
    """Whether a derivative in many digits is the one by differences."""
    return bool(abs(derived - differences) <= ENTRY * abs(differences) + FLOOR * max(within, 1.0))


def central(algebra: Precise, f: Callable[[Any], Any]) -> Any:
    """The slope of f at 0, by central differences in many digits."""
    h = algebra.context.mpf(10) ** (-DIGITS // 3)
    return (f(h) - f(-h)) / (2 * h)


def in_digits(algebra: Precise, arrays: Mapping[str, Any]) -> dict[str, Any]:
    """Arrays of float64 as they are, in many digits."""
    exact = np.frompyfunc(lambda x: algebra.context.mpf(float(x)), 1, 1)
    return {name: exact(np.array(array)) for name, array in arrays.items()}


@dataclass(frozen=True)
class Rounding:
    """Looks again at what a program of derivatives found at a point.

    Parameters
    ----------
    program : Program
        Its results are derivatives of the loss, by what they are derivatives in.
    at : Point
    """

    program: Program
    at: Point

    def again(self, name: str, index: tuple[int, ...], step: int | None = None) -> Again:
        """One entry of an array, moved at one step alone if that is given (from 1)."""
        if self.at.batch is None:
            shape = np.shape(self.at[name])
            place = int(np.ravel_multi_index(index, shape)) if shape else 0
            derived = self._derived[name] if step is None else self._derived[name][step - 1]
            return Again(derived.reshape(-1)[place], self._differences(name, place, step))
        if name in self.at.params:
            return reduce(add, (m.again(name, index, step) for m in self._members))
        axis = int(isinstance(self.program.origin.leaves.get(name), tm.At))
        return self._members[index[axis]].again(name, (*index[:axis], *index[axis + 1 :]), step)

    @cached_property
    def _members(self) -> tuple[Rounding, ...]:
        """The sequences of a batch, each by itself: the loss is the sum of theirs."""
        assert self.at.batch is not None
        return tuple(Rounding(self.program, member(self.program.origin, self.at, k)) for k in range(self.at.batch))

    @cached_property
    def _given(self) -> tuple[Precise, dict[str, Any]]:
        """The arrays of the reference interpreter in many digits, and their algebra."""
        net = self.program.origin
        run = reference_run(net, prepare(net, self.at.params, self.at.inputs))
        algebra = Precise(run.algebra.sizes)
        return algebra, in_digits(algebra, run.values)

    @cached_property
    def _derived(self) -> dict[str, Any]:
        """What the compiled recurrence gives, with its rounding."""
        program = self.program
        precise, arrays = self._given
        algebra = _Roundings(precise.sizes)
        values = {n: np.frompyfunc(Rounded, 1, 1)(a) for n, a in arrays.items()}
        compiled = optimise(program.net, program.outputs.values(), program.origin.initial_states)
        run = Run(compiled, algebra, values, self.at.T)
        return {n: np.array(run[name], dtype=object) for n, name in program.outputs.items()}

    def _differences(self, name: str, place: int, step: int | None) -> Any:
        """The slope of the loss in one entry, by central differences."""
        net, T = self.program.origin, self.at.T
        algebra, values = self._given

        def loss(by: Any) -> Any:
            moved = values[name].copy()
            moved.reshape(-1)[place] += by
            given = moved if step is None else only(values[name], moved, step, T)
            return Run(net, algebra, {**values, name: given}, T)[net.loss or ""][0, 0]

        return central(algebra, loss)


def apart(net: Recurrence) -> bool:
    """Whether the members of a batch have nothing to do with each other: no sum over them is in the equations."""
    nodes = (node for e in net.equations for node in tm.members(e.right))
    return not any(isinstance(n, tm.BatchSum) or (isinstance(n, tm.Extent) and n.args[0] == tm.BATCH) for n in nodes)
