"""Going through terms: their nodes, and the same term at another time."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import Any

import sympy as sp

from rnnderive.language.terms.arithmetic import plus
from rnnderive.language.terms.base import Term
from rnnderive.language.terms.formulas import T, t
from rnnderive.language.terms.leaves import At, Extent, Number, Parameter
from rnnderive.language.terms.time import TimeSum, Where, conditional

__all__ = ["at_horizon", "at_time", "members", "parts", "shift", "transform"]


def members(term: Term, inside_sums: bool = True) -> Iterator[Term]:
    """Every node of the term, outermost first; not below Σ_t unless `inside_sums`."""
    yield term
    if isinstance(term, TimeSum) and not inside_sums:
        return
    for a in term.args:
        if isinstance(a, Term):
            yield from members(a, inside_sums)


def parts(*terms: Term) -> Iterator[Term]:
    """Every node of several terms once, however often it stands there."""
    seen: set[Term] = set()
    work = list(reversed(terms))
    while work:
        term = work.pop()
        if term not in seen:
            seen.add(term)
            yield term
            work += [a for a in reversed(term.args) if isinstance(a, Term)]


def transform(term: Term, leaf: Callable[[Term], Term | None]) -> Term:
    """Rebuild a term, replacing each node for which `leaf` returns something."""
    found = leaf(term)
    if found is not None:
        return found
    if not term.terms:
        return term
    fresh = [transform(a, leaf) for a in term.terms]
    if all(f is a for f, a in zip(fresh, term.terms, strict=True)):
        return term
    return term.rebuild(*fresh)


def at_time(term: Term, index: Any) -> Term:
    """The term with its free ``t`` replaced by `index`; a ``t`` bound by Σ_t stays."""
    index = sp.sympify(index)

    def leaf(node: Term) -> Term | None:
        if isinstance(node, At):
            moved = _moved(node.index, index)
            return node if moved == node.index else node.moved(moved)
        if isinstance(node, TimeSum):
            return node
        if isinstance(node, Where) and node.relation[1].has(t):
            sign, left, right = node.relation
            return conditional(sign, _moved(left, index), right, transform(node.args[3], leaf))
        return None

    return transform(term, leaf)


@lru_cache(maxsize=4096)
def _moved(index: Any, to: Any) -> Any:
    """A time index with t replaced; a derivation has few different ones, and SymPy takes its time over each."""
    return index.subs(t, to) if index.has(t) else index


def shift(term: Term, steps: int) -> Term:
    """The term `steps` later in time: each free ``t`` becomes ``t + steps``."""
    return at_time(term, t + steps) if steps else term


def at_horizon(term: Term, steps: int) -> Term:
    """A term with the symbol T replaced by a number; what lies outside 1..T is an initial state."""

    def leaf(node: Term) -> Term | None:
        if isinstance(node, At):
            index = node.index.subs(T, steps)
            if index.is_Integer and not 1 <= index <= steps:
                return Parameter(f"{node.name}0", *node.shape)
            return At(node.name, index, *node.shape)
        if isinstance(node, Extent) and node.args[0] == T:
            return Number(steps)
        if isinstance(node, TimeSum):
            return plus(*(transform(at_time(node.args[0], s), leaf) for s in range(1, steps + 1)))
        if isinstance(node, Where):
            sign, left, right = node.relation
            return conditional(sign, left.subs(T, steps), right.subs(T, steps), transform(node.args[3], leaf))
        return None

    return transform(term, leaf)
