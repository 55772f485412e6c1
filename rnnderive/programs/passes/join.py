"""For batches: all that a sum of products multiplies becomes one vector, and the sum one product a step."""

from __future__ import annotations

from typing import Any

import sympy as sp

from rnnderive.language import terms as tm
from rnnderive.language.recurrence import Recurrence
from rnnderive.language.terms import Term
from rnnderive.programs.passes.common import Definitions, free_of, is_linear, loops, outer, rewritten, summands

__all__ = ["join"]


def join(net: Recurrence) -> Recurrence:
    """In loops, W @ x[t] + U @ h[t-1] becomes [W, U] @ v[t] with v[t] = [x[t], h[t-1]], and so do the gradients.

    A product with a whole batch is long enough for one step; x need not be multiplied before the loop.
    """
    inside = loops(net)
    vectors: dict[tuple[Term, ...], Term] = {}
    new = Definitions(net)
    change: dict[str, Term] = {}
    for e in net.equations:
        if e.name not in inside:
            continue
        products = [a for a in summands(e.right) if is_linear(net, a)]
        parts = tuple(p for a in products for p in _parts(a.args[-1]))
        bundles = [
            p for p in parts if isinstance(p, tm.At) and p.name in net and isinstance(net[p.name].right, tm.Stack)
        ]
        if (
            bundles
            or len(parts) < 2
            or len(set(parts)) < len(parts)
            or not any(free_of(p, inside[e.name]) for p in parts)
        ):
            continue
        vectors[parts] = new.sequence("v", tm.stack(*parts))
        heads = [tm.product(*a.args[:-1]) for a in products]
        matrix = heads[0] if len(heads) == 1 else tm.transpose(tm.stack(*(tm.transpose(m) for m in heads)))
        matrix = new.constant("W_joint", matrix)
        rest = [a for a in summands(e.right) if not is_linear(net, a)]
        change[e.name] = tm.plus(tm.product(matrix, vectors[parts]), *rest)
    if not vectors:
        return net
    stacks: dict[Term, Term] = {tm.stack(*parts): v for parts, v in vectors.items()}
    changed = {e.name: tm.transform(change.get(e.name, e.right), stacks.get) for e in net.equations}
    return _joined_sums(rewritten(net, changed, new.equations), vectors)


def _parts(term: Term) -> tuple[Term, ...]:
    return term.args if isinstance(term, tm.Stack) else (term,)


def _joined_sums(net: Recurrence, vectors: dict[tuple[Term, ...], Term]) -> Recurrence:
    """Σ_t u[t] @ x[t].T becomes columns of Σ_t u[t] @ v[t].T."""
    place: dict[Term, list[tuple[Term, Any, Any]]] = {}
    for parts, v in vectors.items():
        start: Any = sp.S.Zero
        for p in parts:
            stop = sp.expand(start + p.shape[0])
            place.setdefault(p, []).append((v, start, stop))
            start = stop
    found: dict[tuple[Term, Term], list[tuple[str, Any, Any]]] = {}
    for e in net.equations:
        pair = outer(e.right)
        if e.timed or pair is None or not isinstance(pair[1], tm.Transpose):
            continue
        for v, start, stop in place.get(pair[1].args[0], ()):
            found.setdefault((pair[0], v), []).append((e.name, start, stop))
    new = Definitions(net)
    change: dict[str, Term] = {}
    for (column, v), members in found.items():
        names = [m for m in members if m[0] not in change]
        if len(names) < len(next(p for p, w in vectors.items() if w == v)):
            continue
        whole = tm.BatchSum(tm.TimeSum(tm.product(column, tm.transpose(v))))
        if not all(isinstance(net[n].right, tm.BatchSum) for n, _, _ in names):
            continue
        left = new.constant("total_joint", whole)
        for n, start, stop in names:
            change[n] = tm.block(left, 0, left.shape[0], start, stop)
    return rewritten(net, change, new.equations)
