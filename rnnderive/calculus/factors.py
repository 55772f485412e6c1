"""The parts of a chain as terms: partial derivatives that know their value, Σ_k and ∏_j.

They print as the lecture writes them (∂h³/∂h²) and evaluate as the matrix they stand for;
``doit()`` puts that matrix in their place.
"""

from __future__ import annotations

from functools import cached_property
from typing import Any

import sympy as sp

from rnnderive import printing as pr
from rnnderive.language import terms as tm
from rnnderive.language.terms import Term
from rnnderive.language.terms.base import once

__all__ = ["Factor", "OrderedProduct", "State", "SumOver", "Total"]


class State(Term):
    """The state of a cell with several state sequences at a step: s^t = [h^t, C^t]."""

    def __new__(cls, name: Any, index: Any, *members: Term) -> Term:
        return Term.__new__(cls, sp.Symbol(str(name)), index, *members)

    @property
    def shape(self) -> tuple[Any, Any]:
        return sp.Add(*(m.shape[0] for m in self.terms)), sp.S.One

    def math(self, notation: pr.Notation) -> pr.Math:
        return pr.with_index(pr.name_math(self.args[0].name), tm.index_math(self.args[1]))

    def value(self, algebra: Any, *values: Any) -> Any:
        return tm.Stack(*self.terms).value(algebra, *values)


class Factor(Term):
    """A derivative that has been worked out: ∂v/∂u, or ∂⁺v/∂u for the immediate one.

    ``args`` are the kind (``partial`` or ``partial+``), what is differentiated, in what, and the
    Jacobian as a term.
    """

    def __new__(cls, kind: Any, over: Term, under: Term, jacobian: Term) -> Term:
        return Term.__new__(cls, sp.Symbol(str(kind)), over, under, jacobian)

    @property
    def over(self) -> Term:
        return self.args[1]

    @property
    def under(self) -> Term:
        return self.args[2]

    @property
    def jacobian(self) -> Term:
        """The matrix that the derivative is, in numerator layout."""
        return self.args[3]

    @property
    def terms(self) -> tuple[Term, ...]:
        return (self.args[3],)

    @cached_property
    def shape(self) -> tuple[Any, Any]:
        return self.args[3].shape

    def rebuild(self, *terms: Term) -> Term:
        return Factor(self.args[0], self.over, self.under, terms[0])

    @once
    def evaluate(self, run: Any, step: int | None) -> Any:
        return run.term(self.jacobian, step)

    def math(self, notation: pr.Notation) -> pr.Math:
        return pr.derivative(self.over.math(notation), self.under.math(notation), self.args[0].name)

    def code(self, *codes: str) -> str:
        return codes[0]

    def doit(self, **hints: Any) -> Any:
        return self.jacobian


class Total(Term):
    """A total derivative dv/du that is still to be expanded, with one row for each entry of v."""

    @property
    def shape(self) -> tuple[Any, Any]:
        over, under = self.args
        return over.shape[0], under.shape[0] * under.shape[1]

    @property
    def terms(self) -> tuple[Term, ...]:
        return ()

    def rebuild(self, *terms: Term) -> Term:
        return self

    def math(self, notation: pr.Notation) -> pr.Math:
        over, under = self.args
        return pr.derivative(over.math(notation), under.math(notation), "d")

    def evaluate(self, run: Any, step: int | None) -> Any:
        return run.totals[self.args]

    def doit(self, **hints: Any) -> Any:
        return self


class _Ranged(Term):
    """A term over a range of steps: body, running index, first, last."""

    @property
    def terms(self) -> tuple[Term, ...]:
        return (self.args[0],)

    @property
    def shape(self) -> tuple[Any, Any]:
        return self.args[0].shape

    def rebuild(self, *terms: Term) -> Term:
        return self.func(terms[0], *self.args[1:])

    def _values(self, run: Any, step: int | None) -> list[Any]:
        body, index, first, last = self.args
        lo, hi = run.index(first, step), run.index(last, step)
        out = []
        for k in range(lo, hi + 1):
            run.bound[index] = k
            out.append(run.term(body, step))
        run.bound.pop(index, None)
        return out

    def doit(self, **hints: Any) -> Any:
        return self.func(self.args[0].doit(**hints), *self.args[1:])


class SumOver(_Ranged):
    """Σ of a body over an index from first to last."""

    def evaluate(self, run: Any, step: int | None) -> Any:
        values = self._values(run, step)
        if not values:
            rows, columns = (int(run.algebra.extent(s)) for s in self.shape)
            return run.algebra.full(rows, columns, 0)
        total = values[0]
        for v in values[1:]:
            total = run.algebra.reduce(total + v)
        return total

    def math(self, notation: pr.Notation) -> pr.Math:
        body, index, first, last = self.args
        lower = pr.Infix(("", "="), (tm.index_math(index), tm.index_math(first)), pr.RELATION)
        return pr.Big("sum", lower, tm.index_math(last), pr.at_level(body.math(notation), pr.PRODUCT))


class OrderedProduct(_Ranged):
    """∏ of square factors over an index, the last on the left (or, `rising`, the first).

    Forward in time the factor of the latest step stands on the left; for a right-to-left loop
    the order is the other way round.
    """

    def evaluate(self, run: Any, step: int | None) -> Any:
        rising = bool(self.args[4])
        body = self.args[0]
        lo, hi = run.index(self.args[2], step), run.index(self.args[3], step)
        total = tm.Eye(self.shape[0]).value(run.algebra)
        for k in range(lo, hi + 1):
            run.bound[self.args[1]] = k
            value = run.term(body, step)
            total = run.algebra.reduce(total @ value if rising else value @ total)
        run.bound.pop(self.args[1], None)
        return total

    def math(self, notation: pr.Notation) -> pr.Math:
        body, index, first, last, rising = self.args
        lower, upper = (first, last) if rising else (last, first)
        start = pr.Infix(("", "="), (tm.index_math(index), tm.index_math(lower)), pr.RELATION)
        return pr.Big("prod", start, tm.index_math(upper), pr.at_level(body.math(notation), pr.PRODUCT))
