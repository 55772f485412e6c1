"""Small formulas that many terms share: indices, sizes and numbers."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import sympy as sp

from rnnderive import printing as pr

__all__ = ["BATCH", "T", "dimension_math", "index_math", "number_code", "number_math", "t"]


t = sp.Symbol("t", integer=True)
T = sp.Symbol("T", integer=True, positive=True)
BATCH = sp.Symbol("batch", integer=True, positive=True)


@lru_cache(maxsize=4096)
def index_math(index: Any) -> pr.Math:
    """A time index as a formula: t−1, T, 3."""
    index = sp.sympify(index)
    if index.is_Integer:
        return pr.Numeral(str(index))
    constant, rest = index.as_coeff_Add()
    letters = pr.Letter(str(rest)) if rest.is_Symbol else pr.Word(str(rest))
    if constant == 0:
        return letters
    sign = "+" if constant > 0 else "-"
    return pr.Infix(("", sign), (letters, pr.Numeral(str(abs(constant)))), pr.SUM)


def dimension_math(size: Any) -> pr.Math:
    """A size as a formula: n_h, T, 3, or a sum of these."""
    size = sp.sympify(size)
    if size.is_Integer:
        return pr.Numeral(str(size))
    if size == BATCH:
        return pr.Letter("B")
    if size.is_Symbol:
        return pr.name_math(str(size))
    if size.is_Add:
        items = tuple(dimension_math(a) for a in size.args)
        return pr.Infix(("", *["+"] * (len(items) - 1)), items, pr.SUM)
    if size.is_Mul:
        return pr.Row(tuple(dimension_math(a) for a in size.args))
    return pr.Word(str(size))


def number_math(number: sp.Rational) -> pr.Math:
    """A rational number as a formula."""
    if number < 0:
        return pr.Infix(("-",), (number_math(-number),), pr.SUM)
    if number.q == 1:
        return pr.Numeral(str(number.p))
    if number.q > 10:
        return pr.Numeral(repr(float(number)))
    return pr.Frac(pr.Numeral(str(number.p)), pr.Numeral(str(number.q)))


def number_code(number: sp.Rational) -> str:
    """A rational number as Python source."""
    return str(number.p) if number.q == 1 else repr(float(number))
