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
    """An index as a formula: t−1, T, 3, j − n_h."""
    constant, rest = sp.sympify(index).as_coeff_Add()
    parts = [] if rest == 0 else list(rest.as_ordered_terms())
    return _sum_math([*parts, constant] if constant != 0 or not parts else parts)


def dimension_math(size: Any) -> pr.Math:
    """A size as a formula: n_h, T, 3, or a sum of these."""
    size = sp.sympify(size)
    return _sum_math(list(size.args) if size.is_Add else [size])


def _sum_math(parts: list[Any]) -> pr.Math:
    """Numbers, letters and products of them, added up; those with a minus last, so that n − 1 is not −1 + n."""
    parts = sorted(parts, key=_is_negative)
    signs = ["-" if _is_negative(p) else "+" for p in parts]
    items = tuple(_part_math(-p if _is_negative(p) else p) for p in parts)
    if len(parts) == 1 and signs == ["+"]:
        return items[0]
    return pr.Infix(("" if signs[0] == "+" else "-", *signs[1:]), items, pr.SUM)


def _is_negative(part: Any) -> bool:
    return bool(part.as_coeff_Mul()[0] < 0)


def _part_math(part: Any) -> pr.Math:
    if part.is_Integer:
        return pr.Numeral(str(part))
    if part == BATCH:
        return pr.Letter("B")
    if part.is_Symbol:
        return pr.name_math(str(part))
    if part.is_Mul:
        return pr.Row(tuple(pr.at_level(dimension_math(a), pr.PRODUCT) for a in part.args))
    return pr.Word(str(part))


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
