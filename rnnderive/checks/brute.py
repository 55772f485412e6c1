"""Brute force: everything expanded to scalars, ``sympy.diff``, difference exactly zero.

The forward recurrence runs on SymPy symbols, one for each entry; SymPy differentiates the loss;
the adjoint recurrence runs on the same symbols.  Functions stay opaque, with the table's slope as
derivative (the complex step checks the table).  The difference is then a rational expression in
the symbols, the applied functions and inverses.  It is expanded in a sparse polynomial ring, where
zero is decided without simplification; where that takes too many monomials, it is evaluated at
random elements of the finite field instead, and said so.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from hashlib import blake2b
from typing import Any

import numpy as np
import sympy as sp
from sympy.polys.rings import PolyElement, ring

from rnnderive.checks.points import loss_targets, sizes_for
from rnnderive.derivation import Derivation
from rnnderive.language import FUNCTIONS, Field, Recurrence, Run, Symbols
from rnnderive.language import terms as tm

__all__ = ["Expansion", "TooLarge", "brute_force"]

MAX_ENTRIES = 400
MONOMIALS = 10_000  # of one product
OF_AN_ENTRY = 20_000  # of all products for one entry
BUDGET = 300_000  # of one comparison with SymPy


class TooLarge(Exception):
    """The expansion to scalars would not end in reasonable time."""


@dataclass(frozen=True)
class Expansion:
    """The outcome of a comparison with ``sympy.diff``.

    Attributes
    ----------
    entries : int
        How many derivatives were compared.
    expanded : int
        For how many of them the difference was expanded and found to be zero; for the others it
        is zero at random elements of the field.
    bad : str
        The first entry that differs, such as ``dW[0, 1]``; empty if none does.
    T : int
    """

    entries: int
    expanded: int
    bad: str = ""
    T: int = 2

    def __bool__(self) -> bool:
        return not self.bad


# ---------------------------------------------------------------- scalars


class Scalar(sp.Expr):
    """A scalar with a definition: a function applied, or an entry of a named quantity.

    It is short however long its definition, and SymPy differentiates through it.
    """

    is_commutative = True
    of: Scalars
    function: str
    argument: Any

    def __new__(cls, of: Scalars, number: int, function: str, argument: Any) -> Scalar:
        self: Scalar = sp.Expr.__new__(cls, sp.Dummy(f"{function}_{number}"))  # a dummy: SymPy caches by name
        self.of, self.function, self.argument = of, function, argument
        return self

    @cached_property
    def below(self) -> frozenset[Any]:
        return frozenset(self.argument.free_symbols)

    @property
    def free_symbols(self) -> Any:
        return set(self.below)

    def _eval_derivative(self, s: Any) -> Any:
        return self.of.derivative(self, s)


class Scalars(Symbols):
    """SymPy scalars in which every applied function, and every named entry, is one short atom."""

    def __init__(self, sizes: Any) -> None:
        super().__init__(sizes)
        self.atoms: dict[tuple[str, Any], Scalar] = {}
        self.known: dict[tuple[Any, Any], Any] = {}
        self.slopes: dict[Scalar, Any] = {}

    def one(self, name: str, x: Any) -> Any:
        return x if name == "identity" else self.atom(name, sp.sympify(x))

    def atom(self, name: str, x: Any) -> Scalar:
        if (name, x) not in self.atoms:
            self.atoms[name, x] = Scalar(self, len(self.atoms), name, x)
        return self.atoms[name, x]

    def named(self, value: Any) -> Any:
        """The same array with an atom in the place of every compound entry."""
        out = np.empty(value.shape, dtype=object)
        for index, x in np.ndenumerate(value):
            x = sp.sympify(x)
            short = x.is_Symbol or x.is_Rational or isinstance(x, Scalar)
            out[index] = x if short else self.atom("identity", x)
        return out

    def derivative(self, atom: Scalar, s: Any) -> Any:
        key = atom, s
        if key not in self.known:
            inner = sp.diff(atom.argument, s)
            value = sp.Mul(self.slope(atom), inner) if inner != 0 else sp.S.Zero
            # Short again, so that SymPy does not walk through it once for every path that leads here.
            self.known[key] = self.atom("derivative", value) if value.args else value
        return self.known[key]

    def slope(self, atom: Scalar) -> Any:
        """The table's slope at the argument."""
        if atom.function in ("identity", "derivative"):
            return sp.S.One
        if atom not in self.slopes:
            x, y = tm.Parameter("x", 1), tm.Parameter("y", 1)
            values = {"x": np.array([[atom.argument]], dtype=object), "y": np.array([[atom]], dtype=object)}
            term = tm.as_term(FUNCTIONS[atom.function].slope(x, y))
            self.slopes[atom] = Run(Recurrence(()), self, values, 1).term(term, None)[0, 0]
        return self.slopes[atom]


class _Named(Run):
    """A run in which what equations define is named, entry by entry."""

    def term(self, term: tm.Term, step: int | None) -> Any:
        value = super().term(term, step)
        return self.algebra.named(value) if term in self.whole else value  # type: ignore[attr-defined]

    @cached_property
    def whole(self) -> frozenset[tm.Term]:
        """The right sides of the equations."""
        return frozenset(e.right for e in self.net.equations if not isinstance(e.right, tm.At | tm.Parameter))


def longest_lag(net: Recurrence) -> int:
    """The longest lag at which a recurrence reads."""
    return max((abs(r.lag or 0) for e in net.equations for r in net.reads(e.name)), default=0)


def symbols_for(net: Recurrence, algebra: Symbols, T: int) -> dict[str, Any]:
    """A symbol for each entry of everything that is given; targets of cross-entropy sum to one."""
    targets = loss_targets(net)
    values: dict[str, Any] = {}
    for name in [*net.parameters, *net.inputs, *net.initial_states]:
        shape = tuple(int(algebra.extent(s)) for s in net.shape(name))
        timed = isinstance(net.leaves.get(name), tm.At)
        parts = []
        for step in range(1, T + 1) if timed else [0]:
            at = f"[t={step}]" if timed else ""
            part = np.empty(shape, dtype=object)
            for index in np.ndindex(*shape):
                part[index] = sp.Symbol(f"{name}{at}[{','.join(map(str, index))}]")
            if targets.get(name) is tm.CrossEntropy:
                part[-1, 0] = 1 - part[:-1].sum()
            parts.append(part)
        values[name] = parts if timed else parts[0]
    return values


def brute_force(d: Derivation, *, T: int | None = None, size: int = 2, wrt: Iterable[str] | None = None) -> Expansion:
    """Compare the adjoint with ``sympy.diff``, entry by entry and exactly.

    Parameters
    ----------
    d : Derivation
    T : int, optional
        Number of steps; 2, or one more than the longest lag.
    size : int
        What every size is set to.
    wrt : names, optional
        By default all that was derived.

    Raises
    ------
    TooLarge
        If there are too many entries.

    Examples
    --------
    >>> import rnnderive as rd
    >>> brute_force(rd.derive(rd.cells.vanilla()))
    Expansion(entries=18, expanded=18, bad='', T=2)
    """
    steps = T or max(2, longest_lag(d.net) + 1)
    sizes = sizes_for(d.net, least=size, same=True)
    algebra = Scalars({**sizes, tm.T: steps, tm.BATCH: 1})
    values = symbols_for(d.net, algebra, steps)
    forward = _Named(d.net, algebra, values, steps)
    loss = forward[d.net.loss or ""][0, 0]
    course = {**values, **{e.name: forward[e.name] for e in d.net.equations}}
    backward = Run(d.adjoint, algebra, course, steps)
    claims = list(_claims(d, values, backward, wrt or d.wrt))
    if len(claims) > MAX_ENTRIES:
        raise TooLarge(f"{len(claims)} entries at size {size}")
    elements = _InField()
    pairs = []
    for words, symbol, found in claims:
        expected = sp.diff(loss, symbol)
        if elements.value(expected) != elements.value(found):
            return Expansion(len(claims), 0, words, steps)
        pairs.append((expected, found))
    expanded = _how_many_expand(pairs)
    return Expansion(len(claims), expanded, "", steps)


def _claims(d: Derivation, values: dict[str, Any], backward: Run, wrt: Iterable[str]) -> Iterable[tuple[str, Any, Any]]:
    """What is claimed: in words, the symbol, and the derivative by the adjoint."""
    for name in wrt:
        if loss_targets(d.net).get(name) is tm.CrossEntropy:
            continue  # its entries are not independent here
        given, found = values[name], backward[d.pulled.gradients[name]]
        timed = isinstance(given, list)
        pairs = zip(given if timed else [given], found if timed else [found], strict=True)
        for step, (symbols, g) in enumerate(pairs, 1):
            for index in np.ndindex(*symbols.shape):
                at = f"[t={step}]" if timed else ""
                yield f"d{name}{at}[{', '.join(map(str, index))}]", symbols[index], sp.sympify(g[index])


# ---------------------------------------------------------------- zero or not


class _InField:
    """Expressions evaluated at random elements of the finite field, each part once."""

    def __init__(self) -> None:
        self.known: dict[Any, int] = {}

    def value(self, e: Any) -> int:
        if e not in self.known:
            self.known[e] = self._value(e) % Field.prime
        return self.known[e]

    def _value(self, e: Any) -> int:
        p = Field.prime
        if isinstance(e, Scalar) and e.function in ("identity", "derivative"):
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


def _how_many_expand(pairs: list[tuple[Any, Any]]) -> int:
    """How many differences multiply out to zero within the budget; what has fewest atoms comes first."""
    budget, expanded, failed = BUDGET, 0, 0
    for a, b in sorted(pairs, key=lambda pair: len(_atoms(list(pair), False))):
        spend = [min(OF_AN_ENTRY, budget)]
        budget -= spend[0]
        good = _expands_to_zero(a, b, spend)
        budget += max(spend[0], 0)
        expanded, failed = expanded + good, 0 if good else failed + 1
        if failed > 3:
            break
    return expanded


def _expands_to_zero(a: Any, b: Any, budget: list[int]) -> bool:
    """Whether a − b is zero as a polynomial in its atoms, within a budget of monomials.

    First every named entry is an atom; if that does not do, its definition stands in its place.
    """
    try:
        return a == b or _is_zero(a, b, False, budget) or _is_zero(a, b, True, budget)
    except TooLarge:
        return False


def _is_zero(a: Any, b: Any, opened: bool, budget: list[int]) -> bool:
    """Whether a − b is zero, multiplied out.

    The inverse of q is an atom r with r q = 1; the difference is multiplied by powers of the q's,
    last made first.
    """
    if budget[0] <= 0:
        raise TooLarge("the budget is spent")
    names = _atoms([a, b], opened)
    base, *gens = ring([f"a{k}" for k in range(max(1, len(names)))], sp.QQ)
    to = _Polynomials(base, dict(zip(names, gens, strict=False)), budget)
    difference = to.of(a) - to.of(b)
    for n in reversed(names):
        if n.is_Pow:
            difference = _cleared(difference, to.atoms[n], to.of(n.base), base)
    return bool(difference == 0)


def _atoms(roots: list[Any], opened: bool) -> list[Any]:
    """All atoms below some expressions; what an inverse contains stands before it."""
    found: dict[Any, None] = {}
    seen: set[Any] = set()

    def walk(e: Any) -> None:
        if e in seen:
            return
        seen.add(e)
        if isinstance(e, Scalar) and (e.function == "derivative" or (e.function == "identity" and opened)):
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

    def __init__(self, base: Any, atoms: dict[Any, Any], budget: list[int]) -> None:
        self.base, self.atoms, self.budget = base, atoms, budget
        self.known: dict[Any, Any] = {}

    def of(self, e: Any) -> Any:
        if e in self.atoms:
            return self.atoms[e]
        if e not in self.known:
            self.known[e] = self._of(e)
        return self.known[e]

    def _of(self, e: Any) -> Any:
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
        self.budget[0] -= size
        if size > MONOMIALS or self.budget[0] <= 0:
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
