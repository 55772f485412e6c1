"""Linear maps: what a rule of the table is made of.

The derivative of an operator in one argument is a linear map.  Each kind of map says three
things: how it pushes a tangent forward, how it pulls a cotangent back, and what it does to a
matrix of directions (columns; for a matrix argument, of vec's).  Nothing here knows an operator.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import sympy as sp

from rnnderive.language import terms as tm
from rnnderive.language.terms import Term

__all__ = [
    "Compose",
    "Cut",
    "Diagonal",
    "Embed",
    "Flip",
    "Gather",
    "Identity",
    "Left",
    "Linear",
    "Mask",
    "OverBatch",
    "Rank",
    "Right",
    "Spread",
    "Sum",
]  # fmt: skip


class Linear:
    """A linear map between terms."""

    def push(self, tangent: Term) -> Term:
        """The image of a tangent."""
        raise NotImplementedError

    def pull(self, cotangent: Term) -> Term:
        """The image of a cotangent under the transposed map."""
        raise NotImplementedError

    def columns(self, jacobian: Term) -> Term:
        """The map applied to every column of a matrix of directions."""
        raise NotImplementedError


@dataclass(frozen=True)
class Identity(Linear):
    """v ↦ v."""

    def push(self, tangent: Term) -> Term:
        return tangent

    def pull(self, cotangent: Term) -> Term:
        return cotangent

    def columns(self, jacobian: Term) -> Term:
        return jacobian


@dataclass(frozen=True)
class Diagonal(Linear):
    """v ↦ d ⊙ v, for d of the shape of v, or a scalar."""

    d: Term

    def push(self, tangent: Term) -> Term:
        return tm.times(self.d, tangent)

    def pull(self, cotangent: Term) -> Term:
        return tm.times(cotangent, self.d)

    def columns(self, jacobian: Term) -> Term:
        if self.d.is_scalar:
            return tm.times(self.d, jacobian)
        column = self.d if self.d.is_column else tm.Vec(self.d)
        if isinstance(column, tm.Ones):
            return jacobian
        if column.is_null:
            return tm.Zeros(*jacobian.shape)
        return _applied(tm.Diag(column), jacobian)


@dataclass(frozen=True)
class Left(Linear):
    """v ↦ A v, for v of the given number of columns."""

    a: Term
    width: Any = sp.S.One

    def push(self, tangent: Term) -> Term:
        return tm.product(self.a, tangent)

    def pull(self, cotangent: Term) -> Term:
        return tm.product(self.a.T, cotangent)

    def columns(self, jacobian: Term) -> Term:
        matrix = self.a if self.width == 1 else tm.Kron(tm.Eye(self.width), self.a)
        return _applied(matrix, jacobian)


@dataclass(frozen=True)
class Right(Linear):
    """v ↦ v B, for v of the given number of rows."""

    b: Term
    height: Any

    def push(self, tangent: Term) -> Term:
        return tm.product(tangent, self.b)

    def pull(self, cotangent: Term) -> Term:
        return tm.product(cotangent, self.b.T)

    def columns(self, jacobian: Term) -> Term:
        matrix = self.b.T if self.height == 1 else tm.Kron(self.b.T, tm.Eye(self.height))
        return tm.product(matrix, jacobian)


@dataclass(frozen=True)
class Rank(Linear):
    """v ↦ u (wᵀ v), a map of rank one between columns."""

    u: Term
    w: Term

    def push(self, tangent: Term) -> Term:
        return tm.times(self.u, tm.product(self.w.T, tangent))

    def pull(self, cotangent: Term) -> Term:
        return tm.times(self.w, tm.product(self.u.T, cotangent))

    def columns(self, jacobian: Term) -> Term:
        return tm.product(self.u, self.w.T, jacobian)


@dataclass(frozen=True)
class Embed(Linear):
    """v ↦ [0, v, 0], with so many zeros before and after."""

    before: Any
    size: Any
    after: Any

    def _between(self, middle: Term) -> Term:
        zeros = [tm.Zeros(n, middle.shape[1]) for n in (self.before, self.after)]
        parts = [*zeros[:1], middle, *zeros[1:]]
        return tm.stack(*(p for p in parts if p.shape[0] != 0))

    def push(self, tangent: Term) -> Term:
        return self._between(tangent)

    def pull(self, cotangent: Term) -> Term:
        return tm.block(cotangent, self.before, self.before + self.size)

    def columns(self, jacobian: Term) -> Term:
        return self._between(jacobian)


@dataclass(frozen=True)
class Cut(Linear):
    """v ↦ v[r0:r1, c0:c1], for v of the given shape."""

    bounds: tuple[Any, Any, Any, Any]
    shape: tuple[Any, Any]

    def push(self, tangent: Term) -> Term:
        return tm.block(tangent, *self.bounds)

    def pull(self, cotangent: Term) -> Term:
        r0, r1, c0, c1 = self.bounds
        rows, columns = self.shape
        tall = Embed(r0, r1 - r0, rows - r1).push(cotangent)
        return Embed(c0, c1 - c0, columns - c1).push(tall.T).T

    def columns(self, jacobian: Term) -> Term:
        r0, r1, c0, c1 = self.bounds
        rows, columns = self.shape
        if columns == 1:
            return tm.block(jacobian, r0, r1)
        pick = [tm.block(tm.Eye(n), a, b) for n, a, b in ((columns, c0, c1), (rows, r0, r1))]
        return tm.product(tm.Kron(*pick), jacobian)


@dataclass(frozen=True)
class Flip(Linear):
    """v ↦ vᵀ, for v of the given shape."""

    shape: tuple[Any, Any]

    def push(self, tangent: Term) -> Term:
        return tangent.T

    def pull(self, cotangent: Term) -> Term:
        return cotangent.T

    def columns(self, jacobian: Term) -> Term:
        if 1 in self.shape:
            return jacobian  # vec of a row is vec of its transpose
        return tm.product(tm.Commutation(*self.shape), jacobian)


@dataclass(frozen=True)
class Spread(Linear):
    """A scalar to an array of the given shape with that scalar in every entry."""

    shape: tuple[Any, Any]

    def push(self, tangent: Term) -> Term:
        return tm.times(tangent, tm.Ones(*self.shape))

    def pull(self, cotangent: Term) -> Term:
        return sum_entries(cotangent)

    def columns(self, jacobian: Term) -> Term:
        return tm.product(tm.Ones(self.shape[0] * self.shape[1], 1), jacobian)


@dataclass(frozen=True)
class Gather(Linear):
    """An array of the given shape to the sum of its entries."""

    shape: tuple[Any, Any]

    def push(self, tangent: Term) -> Term:
        return sum_entries(tangent)

    def pull(self, cotangent: Term) -> Term:
        return tm.times(cotangent, tm.Ones(*self.shape))

    def columns(self, jacobian: Term) -> Term:
        return tm.product(tm.Ones(1, self.shape[0] * self.shape[1]), jacobian)


@dataclass(frozen=True)
class Mask(Linear):
    """v ↦ v where a relation between time indices holds, 0 elsewhere."""

    relation: tuple[str, Any, Any]

    def push(self, tangent: Term) -> Term:
        return tm.conditional(*self.relation, tangent)

    def pull(self, cotangent: Term) -> Term:
        return tm.conditional(*self.relation, cotangent)

    def columns(self, jacobian: Term) -> Term:
        return tm.conditional(*self.relation, jacobian)


@dataclass(frozen=True)
class Compose(Linear):
    """v ↦ outer(inner(v))."""

    outer: Linear
    inner: Linear

    def push(self, tangent: Term) -> Term:
        return self.outer.push(self.inner.push(tangent))

    def pull(self, cotangent: Term) -> Term:
        return self.inner.pull(self.outer.pull(cotangent))

    def columns(self, jacobian: Term) -> Term:
        return self.outer.columns(self.inner.columns(jacobian))


@dataclass(frozen=True)
class Sum(Linear):
    """v ↦ Σ mapᵢ(v)."""

    maps: tuple[Linear, ...]

    def push(self, tangent: Term) -> Term:
        return tm.plus(*(m.push(tangent) for m in self.maps))

    def pull(self, cotangent: Term) -> Term:
        return tm.plus(*(m.pull(cotangent) for m in self.maps))

    def columns(self, jacobian: Term) -> Term:
        return tm.plus(*(m.columns(jacobian) for m in self.maps))


@dataclass(frozen=True)
class OverBatch(Linear):
    """The sum over a batch: a cotangent goes to every member alike."""

    def push(self, tangent: Term) -> Term:
        return tm.BatchSum(tangent)

    def pull(self, cotangent: Term) -> Term:
        return cotangent

    def columns(self, jacobian: Term) -> Term:
        return tm.BatchSum(jacobian)


def _applied(matrix: Term, jacobian: Term) -> Term:
    """A matrix times a Jacobian, with a number in front kept in front: diag(a) (−J) is −diag(a) J."""
    if isinstance(jacobian, tm.Times) and isinstance(jacobian.args[0], tm.Number):
        return tm.times(jacobian.args[0], tm.product(matrix, tm.times(*jacobian.args[1:])))
    return tm.product(matrix, jacobian)


def sum_entries(term: Term) -> Term:
    """Σ of the entries; a scalar is its own sum."""
    if term.is_scalar:
        return term
    return tm.Number(0) if term.is_null else tm.SumEntries(term)
