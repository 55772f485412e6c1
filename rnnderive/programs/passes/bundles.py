"""Bundles: several sequences as the blocks of one."""

from __future__ import annotations

from typing import Any, TypeAlias, TypeVar

import sympy as sp

from rnnderive.language import terms as tm
from rnnderive.language.recurrence import Equation, Recurrence
from rnnderive.language.terms import Term, t

__all__ = ["Names", "adjacent", "as_column", "bundled"]

Names: TypeAlias = "dict[tuple[str, Any, Any], str] | None"  # (bundle, start, stop) → what it was called
Range = TypeVar("Range", bound=tuple[Any, ...])


def bundled(net: Recurrence, name: str, parts: list[str], right: Term, names: Names) -> Recurrence:
    """The system with ``name[t] = right`` in place of its parts, which become blocks of it."""
    whole = tm.At(name, t, *right.shape)
    blocks: dict[str, tuple[Any, Any]] = {}
    start: Any = sp.S.Zero
    for p in parts:
        stop = sp.expand(start + net.shape(p)[0])
        blocks[p] = (start, stop)
        if names is not None:
            names[name, start, stop] = p
        start = stop

    def replace(node: Term) -> Term | None:
        if isinstance(node, tm.At) and node.name in blocks:
            return tm.block(whole.moved(node.index), *blocks[node.name])
        return None

    change = {e.name: tm.transform(e.right, replace) for e in net.equations if e.name not in blocks}
    place = Equation(whole, tm.transform(right, replace))
    equations: list[Equation] = []
    for e in net.equations:
        if e.name == parts[0]:
            equations.append(place)
        if e.name not in blocks:
            equations.append(Equation(e.left, change[e.name]))
    return Recurrence(tuple(equations), net.loss, net.declared)


def as_column(term: Term, shape: tuple[Any, Any]) -> Term:
    """A term as a column of this shape; a number in every entry."""
    return term if term.shape == shape else tm.times(tm.Ones(*shape), term)


def adjacent(ranges: list[Range]) -> list[list[Range]]:
    """Ranges, which begin with start and stop, in runs: each starts where the one before it stops."""
    ordered = sorted(ranges, key=lambda r: sp.sympify(r[0]).subs({s: 7 for s in sp.sympify(r[0]).free_symbols}))
    runs = [ordered[:1]]
    for r in ordered[1:]:
        if sp.expand(runs[-1][-1][1] - r[0]) == 0:
            runs[-1].append(r)
        else:
            runs.append([r])
    return runs
