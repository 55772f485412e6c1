"""The local Jacobian of one sequence in another, and how a target is named in words."""

from __future__ import annotations

from typing import Any

import sympy as sp

from rnnderive.calculus.rules import rule
from rnnderive.errors import InputError
from rnnderive.language import terms as tm
from rnnderive.language.recurrence import Recurrence
from rnnderive.language.terms import T, Term, t

__all__ = ["jacobian", "target"]


def jacobian(net: Recurrence, v: str, u: str, lag: int) -> Term:
    """∂v^t/∂u^{t-lag}, everything inside step t eliminated, all else of other steps held fixed."""
    if v == u and lag == 0:
        return tm.Eye(net.shape(v)[0])
    of = net.leaf(v)
    if v not in net or not isinstance(of, tm.At):
        raise InputError(f"{v} is not a sequence that an equation defines; there are {', '.join(net.sequences)}")
    wrt = net.leaf(u)
    wanted = tm.At(u, t - lag, *wrt.shape) if isinstance(wrt, tm.At) else wrt

    def walk(term: Term, y: Term | None = None) -> Term:
        size = wanted.shape[0] * wanted.shape[1]
        if term == wanted:
            return tm.Eye(size)
        if isinstance(term, tm.At) and term.index == t and term.name in net:
            if term.name not in memo:
                memo[term.name] = walk(net[term.name].right, term)
            return memo[term.name]
        out: Term = tm.Zeros(term.shape[0] * term.shape[1], size)
        for k, argument in enumerate(term.terms):
            inner = walk(argument)
            if not inner.is_null:
                out = tm.plus(out, rule(term, k, y).columns(inner))
        return out

    memo: dict[str, Term] = {}
    return walk(net[v].right, of)


def target(net: Recurrence, words: str) -> Term:
    """Read what to differentiate in: ``W``, ``h0``, ``x[2]``, ``h[t]``; a bare sequence is x[k].

    Where k is the letter of a name here, any step is written with l, or the next that is free.
    """
    name, _, rest = words.partition("[")
    name = name.strip()
    if not name.isidentifier():
        raise InputError(f"found {words!r}, expected a name such as W, h0 or x[1]")
    leaf = net.leaf(name)
    if isinstance(leaf, tm.Parameter):
        if rest:
            raise InputError(f"{name} has no time index; write {name} instead of {words}")
        return leaf
    any_step = next(net.free_letters("klmn"))
    inside = rest.rstrip("] ").replace(" ", "") or any_step
    base, sign, steps = inside, "", ""
    for mark in "+-":
        if mark in inside:
            base, sign, steps = *inside.partition(mark)[:2], inside.partition(mark)[2]
    symbols = {"T": T, any_step: sp.Symbol(any_step, integer=True), "t": t}
    if base.isdigit() and not sign:
        index: Any = sp.Integer(base)
    elif base in symbols and (not sign or steps.isdigit()):
        index = symbols[base] + (int(sign + steps) if sign else 0)
    else:
        raise InputError(f"found the index {inside!r} in {words!r}, expected a step, T, T-1 or {any_step}")
    return tm.At(name, index, *leaf.shape)
