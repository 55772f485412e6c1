"""Symbolic sizes as polynomials with integer coefficients, so that numbers go in without SymPy."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import sympy as sp

__all__ = ["Size", "size_of"]


@dataclass(frozen=True)
class Size:
    """A size such as n_h + n_x: a sum of coefficients times powers of symbols.

    Examples
    --------
    >>> n, m = sp.symbols("n m")
    >>> size_of(2 * n + m).value({n: 3, m: 1})
    7
    >>> size_of(2 * n + m).solve(7, {m: 1})
    3
    """

    symbols: tuple[Any, ...]
    terms: tuple[tuple[int, tuple[int, ...]], ...]

    def value(self, known: Mapping[Any, int]) -> int:
        """The number, where every symbol has one."""
        numbers = [known[s] for s in self.symbols]
        return sum(c * math.prod(n**k for n, k in zip(numbers, powers, strict=True)) for c, powers in self.terms)

    def unknown(self, known: Mapping[Any, int]) -> tuple[Any, ...]:
        """The symbols without a number."""
        return tuple(s for s in self.symbols if s not in known)

    def solve(self, number: int, known: Mapping[Any, int]) -> int | None:
        """The positive integer that the one unknown symbol is, if there is exactly one."""
        (s,) = self.unknown(known)
        place = self.symbols.index(s)
        others = {**known, s: 1}
        coefficients = dict.fromkeys(range(1 + max(powers[place] for _, powers in self.terms)), 0)
        for c, powers in self.terms:
            coefficients[powers[place]] += Size(self.symbols, ((c, powers),)).value(others)
        coefficients[0] -= number
        if len(coefficients) == 2 and coefficients[1]:
            n, rest = divmod(-coefficients[0], coefficients[1])
            return n if n >= 1 and rest == 0 else None
        found = [n for n in range(1, number + 1) if sum(c * n**k for k, c in coefficients.items()) == 0]
        return found[0] if len(found) == 1 else None


@lru_cache(maxsize=4096)
def size_of(expression: Any) -> Size:
    """The polynomial of a symbolic size or of an index."""
    expression = sp.sympify(expression)
    symbols = tuple(sorted(expression.free_symbols, key=str))
    if not symbols:
        return Size((), ((int(expression), ()),))
    terms = sp.Poly(expression, *symbols).terms()
    return Size(symbols, tuple((int(c), tuple(int(k) for k in powers)) for powers, c in terms))
