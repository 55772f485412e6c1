"""Upper bounds on the chain, read off the Jacobian's own formula.

The norm of a product is at most the product of the norms, that of a sum at most their sum, that of
diag(v) is max|v_i|, and that of a matrix of blocks at most the norm of the matrix of the blocks' norms.
Applied to ∂h^t/∂h^{t-1} = diag(1 − h²) U this is Pascanu's ‖J_t‖ ≤ γ‖U‖ (Pascanu, Mikolov and Bengio
2013, eqs. 6-7); applied to a gated cell it is the corresponding bound, derived and not looked up.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import sympy as sp

from rnnderive import printing as pr
from rnnderive.chains.course import Course
from rnnderive.chains.ranges import supremum
from rnnderive.language import Recurrence
from rnnderive.language import terms as tm
from rnnderive.language.terms import Term

__all__ = ["Bound", "norm_bound"]


class Bound(ABC):
    """An upper bound on the spectral norm of a term."""

    @abstractmethod
    def along(self, course: Course, start: int, stop: int) -> Any:
        """Its value for t = start..stop, (steps, …), with what the run makes of the gates."""

    @abstractmethod
    def limit(self, course: Course) -> float:
        """Its value whatever the run, for these weights and initial states: slopes and gates at their largest.

        Infinite if they have no bound.
        """

    @abstractmethod
    def math(self, notation: pr.Notation) -> pr.Math:
        """How it is written."""

    def blocks(self, course: Course, start: int, stop: int) -> Any:
        """The bounds on the blocks of a term for t = start..stop, (steps, …, b, b); of a single one itself."""
        return np.asarray(self.along(course, start, stop))[..., None, None]

    def block_limits(self, course: Course) -> Any:
        """The same whatever the run, (b, b)."""
        return np.array([[self.limit(course)]])


@dataclass(frozen=True)
class Size(Bound):
    """The largest entry of a column, ‖v‖_∞ = max|v_i|: the norm of diag(v)."""

    term: Term

    def along(self, course: Course, start: int, stop: int) -> Any:
        return np.abs(course.along(self.term, start, stop)).max(axis=(-1, -2))

    def limit(self, course: Course) -> float:
        factors = self.term.args if isinstance(self.term, tm.Times) else (self.term,)
        weights = [f for f in factors if not any(isinstance(n, tm.At) for n in tm.members(f))]
        moving = [f for f in factors if f not in weights]
        size = float(np.abs(course.along(tm.times(*weights), 1, 1)).max()) if weights else 1.0
        # At either end an initial state may be read, which can be anything: there the value itself counts.
        ends = (float(self.along(course, s, s).max()) for s in (1, course.T))
        return max(size * supremum(tm.times(*moving), course.net), *ends) if moving else size

    def math(self, notation: pr.Notation) -> pr.Math:
        return pr.Script(pr.Fenced(self.term.math(notation), "‖"), pr.Symbol("infty"))


@dataclass(frozen=True)
class Norm(Bound):
    """The largest singular value of a term, computed."""

    term: Term

    def along(self, course: Course, start: int, stop: int) -> Any:
        timed = any(isinstance(n, tm.At) for n in tm.members(self.term))
        first, last = (start, stop) if timed else (1, 1)
        norms = np.linalg.norm(course.along(self.term, first, last), 2, axis=(-2, -1))
        return np.broadcast_to(norms, (stop - start + 1, *norms.shape[1:]))

    def limit(self, course: Course) -> float:
        timed = any(isinstance(n, tm.At) for n in tm.members(self.term))
        return math.inf if timed else float(self.along(course, 1, 1).max())

    def math(self, notation: pr.Notation) -> pr.Math:
        return pr.Script(pr.Fenced(self.term.math(notation), "‖"), pr.Numeral("2"))


@dataclass(frozen=True)
class Constant(Bound):
    """A number."""

    number: Any

    def along(self, course: Course, start: int, stop: int) -> Any:
        return np.full((stop - start + 1, *course.lead), float(self.number))

    def limit(self, course: Course) -> float:
        return float(self.number)

    def math(self, notation: pr.Notation) -> pr.Math:
        return tm.number_math(sp.sympify(self.number))


@dataclass(frozen=True)
class Total(Bound):
    """A sum of bounds."""

    parts: tuple[Bound, ...]

    def along(self, course: Course, start: int, stop: int) -> Any:
        return sum(p.along(course, start, stop) for p in self.parts)

    def limit(self, course: Course) -> float:
        return sum(p.limit(course) for p in self.parts)

    def math(self, notation: pr.Notation) -> pr.Math:
        items = tuple(pr.at_level(p.math(notation), pr.PRODUCT) for p in self.parts)
        return pr.Infix(("", *["+"] * (len(items) - 1)), items, pr.SUM)


@dataclass(frozen=True)
class Chain(Bound):
    """A product of bounds."""

    parts: tuple[Bound, ...]

    def along(self, course: Course, start: int, stop: int) -> Any:
        out = self.parts[0].along(course, start, stop)
        for p in self.parts[1:]:
            out = out * p.along(course, start, stop)
        return out

    def limit(self, course: Course) -> float:
        limits = [p.limit(course) for p in self.parts]
        return 0.0 if 0.0 in limits else math.prod(limits)

    def math(self, notation: pr.Notation) -> pr.Math:
        return pr.Row(tuple(pr.at_level(p.math(notation), pr.SCRIPT) for p in self.parts))


@dataclass(frozen=True)
class Grid(Bound):
    """The norm of the matrix of the blocks' bounds."""

    rows: tuple[tuple[Bound, ...], ...]

    def along(self, course: Course, start: int, stop: int) -> Any:
        return np.linalg.norm(self.blocks(course, start, stop), 2, axis=(-2, -1))

    def limit(self, course: Course) -> float:
        grid = self.block_limits(course)
        return float(np.linalg.norm(grid, 2)) if np.isfinite(grid).all() else math.inf

    def blocks(self, course: Course, start: int, stop: int) -> Any:
        grid = np.array([[b.along(course, start, stop) for b in row] for row in self.rows])
        return np.moveaxis(grid, (0, 1), (-2, -1))

    def block_limits(self, course: Course) -> Any:
        return np.array([[b.limit(course) for b in row] for row in self.rows])

    def math(self, notation: pr.Notation) -> pr.Math:
        grid = pr.Grid(tuple(tuple(b.math(notation) for b in row) for row in self.rows))
        return pr.Script(pr.Fenced(grid, "‖"), pr.Numeral("2"))


def norm_bound(term: Term, net: Recurrence) -> Bound:
    """Bound the spectral norm of a Jacobian by its formula.

    Parameters
    ----------
    term : Term
        A Jacobian, as :meth:`Derivation.jacobian` gives it.
    net : Recurrence

    Examples
    --------
    >>> import rnnderive as rd
    >>> from rnnderive import printing
    >>> net = rd.cells.vanilla()
    >>> bound = norm_bound(rd.derive(net).jacobian("h", "h"), net)
    >>> printing.text(bound.math(net.notation))
    '‖1 - (h^t)^2‖_{∞} ‖U‖_2'
    """
    if term.is_null:
        return Constant(0)
    match term:
        case tm.Diag():
            return Size(term.args[0])
        case tm.Eye():
            return Constant(1)
        case tm.Number():
            return Constant(abs(term.number))
        case tm.Product():
            return Chain(tuple(norm_bound(a, net) for a in term.args))
        case tm.Plus():
            return Total(tuple(norm_bound(a, net) for a in _gathered(term.args)))
        case tm.Transpose():
            return norm_bound(term.args[0], net)
        case tm.Times() if all(a.is_scalar for a in term.args[:-1]):
            return Chain(tuple(norm_bound(a, net) for a in term.args))
        case tm.Blocks():
            return Grid(tuple(tuple(norm_bound(b, net) for b in row) for row in term.grid))
    sign, rest = tm.split_sign(term)
    if sign < 0:
        return norm_bound(rest, net)
    return Size(term) if term.is_scalar else Norm(term)


@lru_cache(maxsize=256)
def _gathered(parts: tuple[Term, ...]) -> tuple[Term, ...]:
    """Summands diag(a) M and −diag(b) M as one, diag(a − b) M: tighter, and shorter."""
    by_rest: dict[tuple[Term, ...], list[Term]] = {}
    order: list[tuple[Term, ...]] = []
    for part in parts:
        sign, rest = tm.split_sign(part)
        factors = rest.args if isinstance(rest, tm.Product) else (rest,)
        if isinstance(factors[0], tm.Diag):
            column, key = factors[0].args[0], tuple(factors[1:])
        else:
            column, key = None, (rest,)
        if column is None:
            by_rest.setdefault(("plain", part), [])  # type: ignore[arg-type]
            order.append(("plain", part))  # type: ignore[arg-type]
            continue
        if key not in by_rest:
            order.append(key)
        by_rest.setdefault(key, []).append(-column if sign < 0 else column)
    out: list[Term] = []
    for key in order:
        if key and key[0] == "plain":
            out.append(key[1])
        else:
            out.append(tm.product(tm.Diag(tm.plus(*by_rest[key])), *key))
    return tuple(out)
