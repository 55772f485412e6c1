"""Sums over steps and members of a batch, and what holds at some steps only."""

from __future__ import annotations

from typing import Any

import sympy as sp

from rnnderive import printing as pr
from rnnderive.language.terms.base import Shape, Term
from rnnderive.language.terms.formulas import T, index_math, t
from rnnderive.language.terms.leaves import Zeros

__all__ = ["BatchSum", "TimeSum", "Where", "conditional", "where"]


class TimeSum(Term):
    """Σ over t = 1..T of a term that reads ``t``."""

    @property
    def shape(self) -> Shape:
        return self.args[0].shape

    def math(self, notation: pr.Notation) -> pr.Math:
        lower = pr.Infix(("", "="), (pr.Letter("t"), pr.Numeral("1")), pr.RELATION)
        body = pr.at_level(self.args[0].math(notation), pr.PRODUCT)
        return pr.Big("sum", lower, pr.Letter("T"), body)


class BatchSum(Term):
    """Sum over the members of a batch; of one sequence, the term itself."""

    @property
    def shape(self) -> Shape:
        return self.args[0].shape

    def value(self, algebra: Any, *values: Any) -> Any:
        return values[0]

    def math(self, notation: pr.Notation) -> pr.Math:
        return self.args[0].math(notation)


class Where(Term):
    """A term where a relation between time indices holds, zero elsewhere."""

    @property
    def relation(self) -> tuple[str, sp.Expr, sp.Expr]:
        return self.args[0].name, self.args[1], self.args[2]

    @property
    def shape(self) -> Shape:
        return self.args[3].shape

    def rebuild(self, *terms: Term) -> Term:
        return conditional(*self.relation, terms[0])

    def math(self, notation: pr.Notation) -> pr.Math:
        sign, left, right = self.relation
        name = {"==": "=", "<=": "le", ">=": "ge"}[sign]
        condition = pr.Infix(("", name), (index_math(left), index_math(right)), pr.RELATION)
        return pr.Cases(pr.at_level(self.args[3].math(notation), pr.PRODUCT), condition)


def conditional(sign: str, left: Any, right: Any, body: Term) -> Term:
    """`body` where ``left sign right`` holds, zero elsewhere; decided at once if it can be."""
    left, right = sp.sympify(left), sp.sympify(right)
    if right.has(t) and not left.has(t):
        sign, left, right = {"==": "==", "<=": ">=", ">=": "<="}[sign], right, left
    if left.has(t):  # keep t alone on the left
        left, right = t, sp.expand(right - (left - t))
    if body.is_null:
        return body
    gap = sp.expand(left - right)
    if gap.is_Integer:
        holds = {"==": gap == 0, "<=": gap <= 0, ">=": gap >= 0}[sign]
        return body if holds else Zeros(*body.shape)
    decided = _in_range(sign, right) if left == t else None
    if decided is not None:
        return body if decided else Zeros(*body.shape)
    return Where(sp.Symbol(sign), left, right, body)


def _in_range(sign: str, right: Any) -> bool | None:
    """What ``t sign right`` is for every t in 1..T, if it is the same for all."""
    early = right.is_Integer and right < 1
    beyond = sp.expand(right - T)
    late = beyond.is_Integer and beyond > 0
    match sign:
        case "==":
            return False if early or late else None
        case "<=":
            return False if early else True if late or right == T else None
        case _:
            return False if late else True if early or right == 1 else None


def where(sign: str, right: Any, body: Term) -> Term:
    """`body` at the times t with ``t sign right``, zero elsewhere."""
    return conditional(sign, t, right, body)
