"""Whether two scalars are equal: multiplied out exactly, or at random elements of the finite field."""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import blake2b
from typing import Any

import sympy as sp
from sympy.polys.rings import PolyElement, ring

from rnnderive.checks.scalars import Scalar
from rnnderive.language import Field

__all__ = ["InField", "TooLarge", "are_equal"]

MONOMIALS = 20_000  # of one product
BUDGET = 100_000  # of all products of one comparison


class TooLarge(Exception):
    """The expansion to scalars would not end in reasonable time."""


class InField:
    """Expressions evaluated at random elements of the finite field, each part once."""

    def __init__(self) -> None:
        self.known: dict[Any, int] = {}

    def value(self, e: Any) -> int:
        if e not in self.known:
            self.known[e] = self._value(e) % Field.prime
        return self.known[e]

    def _value(self, e: Any) -> int:
        p = Field.prime
        if isinstance(e, Scalar) and e.is_shorthand:
            return self.value(e.argument)
        if e.is_Symbol or isinstance(e, Scalar):
            at = str(e) if e.is_Symbol else f"{e.function}({self.value(e.argument)})"
            return int.from_bytes(blake2b(at.encode(), digest_size=16).digest(), "big")
        if e.is_Rational:
            return int(e.p) * pow(int(e.q), -1, p)
        parts = [self.value(a) for a in e.args]
        if e.is_Add:
            return sum(parts)
        if e.is_Mul:
            out = 1
            for x in parts:
                out = out * x % p
            return out
        if e.is_Pow and e.exp.is_Integer:
            return pow(self.value(e.base), int(e.exp), p)
        raise TooLarge(f"no value for {e.func.__name__}")


def are_equal(a: Any, b: Any, opened: Mapping[Any, Any]) -> bool:
    """Whether a − b is zero, multiplied out as a polynomial in its atoms; False where that takes too long.

    A symbol of `opened` is replaced by its definition.  The inverse of q is an atom r with r q = 1;
    the difference is multiplied by powers of the q's, last made first.
    """
    if a == b:
        return True
    names = _atoms([a, b], opened)
    base, *gens = ring([f"a{k}" for k in range(max(1, len(names)))], sp.QQ)
    to = _Polynomials(base, dict(zip(names, gens, strict=False)), opened)
    try:
        difference = to.of(a) - to.of(b)
        for n in reversed(names):
            if n.is_Pow:
                difference = _cleared(difference, to.atoms[n], to.of(n.base), base)
    except TooLarge:
        return False
    return bool(difference == 0)


def _atoms(roots: list[Any], opened: Mapping[Any, Any]) -> list[Any]:
    """All atoms below some expressions; what an inverse contains stands before it."""
    found: dict[Any, None] = {}
    seen: set[Any] = set()

    def walk(e: Any) -> None:
        if e in seen:
            return
        seen.add(e)
        if e in opened:
            walk(opened[e])
        elif isinstance(e, Scalar) and e.is_shorthand:
            walk(e.argument)
        elif e.is_Symbol or isinstance(e, Scalar):
            found.setdefault(e)
        elif e.is_Pow and e.exp.is_negative:
            walk(e.base)
            found.setdefault(sp.Pow(e.base, -1))
        else:
            for part in e.args:
                walk(part)

    for e in roots:
        walk(e)
    return list(found)


class _Polynomials:
    """SymPy expressions as elements of a ring, each part once."""

    def __init__(self, base: Any, atoms: dict[Any, Any], opened: Mapping[Any, Any]) -> None:
        self.base, self.atoms, self.opened = base, atoms, opened
        self.known: dict[Any, Any] = {}
        self.left = BUDGET

    def of(self, e: Any) -> Any:
        if e in self.atoms:
            return self.atoms[e]
        if e not in self.known:
            self.known[e] = self._of(e)
        return self.known[e]

    def _of(self, e: Any) -> Any:
        if e in self.opened:
            return self.of(self.opened[e])
        if isinstance(e, Scalar):
            return self.of(e.argument)
        if e.is_Rational:
            return self.base.ground_new(sp.QQ(int(e.p), int(e.q)))
        if e.is_Add:
            total = self.base.zero
            for part in e.args:
                total = total + self.of(part)
            return total
        if e.is_Mul:
            total = self.base.one
            for part in e.args:
                total = self._times(total, self.of(part))
            return total
        inner = self.atoms[sp.Pow(e.base, -1)] if e.exp.is_negative else self.of(e.base)
        total = inner
        for _ in range(abs(int(e.exp)) - 1):
            total = self._times(total, inner)
        return total

    def _times(self, a: Any, b: Any) -> Any:
        size = len(a) * len(b)
        self.left -= size
        if size > MONOMIALS or self.left <= 0:
            raise TooLarge("too many monomials")
        return a * b


def _cleared(p: PolyElement, r: PolyElement, q: PolyElement, base: Any) -> PolyElement:
    """A polynomial in r = 1/q, times the power of q that clears it."""
    place = base.gens.index(r)
    parts: dict[int, dict[Any, Any]] = {}
    for monomial, coefficient in p.terms():
        rest = (*monomial[:place], 0, *monomial[place + 1 :])
        parts.setdefault(monomial[place], {})[rest] = coefficient
    highest = max(parts, default=0)
    out = base.zero
    for power, terms in parts.items():
        out = out + base.from_dict(terms) * q ** (highest - power)
    return out
