"""Backward: the deltas of the gates become one bundle, so that U.T @ delta and the gradients of all weights are one
product each.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from rnnderive.language import terms as tm
from rnnderive.language.recurrence import Recurrence
from rnnderive.language.terms import Term
from rnnderive.programs.passes.bundles import Names, adjacent, as_column, bundled
from rnnderive.programs.passes.common import Definitions, free_of, is_linear, loops, outer, rewritten, summands

__all__ = ["bundle_deltas", "fuse_sums"]


def bundle_deltas(net: Recurrence, fixed: Iterable[str] = (), names: Names = None) -> Recurrence:
    """Sequences whose products with one vector are summed over time become one bundle: gradients of stacked weights."""
    inside = loops(net)
    kept = set(fixed)
    groups: dict[Any, list[str]] = {}
    for e in net.equations:
        pair = outer(e.right)
        if pair is None:
            continue
        column, row = pair
        if isinstance(column, tm.At) and column.lag == 0 and column.name in inside and column.name not in kept:
            group = groups.setdefault((inside[column.name], row), [])
            if column.name not in group:
                group.append(column.name)
    done: set[str] = set()
    order = _weights_order(net)
    for (loop, _), group in groups.items():
        parts = _independent(net, [n for n in group if n not in done], loop)
        if len(parts) > 1:
            parts.sort(key=lambda n: (_own(net[n].right, loop), order.get(n, len(order))))
            done |= set(parts)
            whole = tm.stack(*(as_column(net[n].right, net.shape(n)) for n in parts))
            net = bundled(net, net.fresh("deltas"), parts, whole, names)
    return net


def _own(term: Term, loop: frozenset[str]) -> str:
    """The factors of the loop in a product: neighbours that share them are one multiplication."""
    factors = term.args if isinstance(term, tm.Times) else (term,)
    return str([f for f in factors if not free_of(f, loop)])


def _weights_order(net: Recurrence) -> dict[str, int]:
    """Delta → where the matrix that it is multiplied with stands in a fused stack."""
    place: dict[str, int] = {}
    for e in net.equations:
        if not e.timed and isinstance(e.right, tm.Stack):
            for k, part in enumerate(e.right.args):
                for leaf in tm.parts(part):
                    if isinstance(leaf, tm.Parameter):
                        place.setdefault(leaf.name, k)
    out: dict[str, int] = {}
    for e in net.equations:
        for node in tm.parts(e.right):
            if isinstance(node, tm.Product) and isinstance(node.args[-1], tm.At):
                names = [n.name for n in tm.parts(node.args[0]) if isinstance(n, tm.Parameter) and n.name in place]
                if names:
                    out.setdefault(node.args[-1].name, place[names[0]])
    return out


def _independent(net: Recurrence, names: list[str], loop: frozenset[str]) -> list[str]:
    """Those that do not need one another at the same step."""

    def needs(name: str) -> set[str]:
        found: set[str] = set()
        work = [name]
        while work:
            for r in net.reads(work.pop()):
                if r.name in loop and r.lag == 0 and r.name not in found:
                    found.add(r.name)
                    work.append(r.name)
        return found

    chosen: list[str] = []
    for n in names:
        if not any(c in needs(n) or n in needs(c) for c in chosen):
            chosen.append(n)
    return chosen


def fuse_sums(net: Recurrence) -> Recurrence:
    """A @ u[0:n] + B @ u[n:m] becomes [A.T, B.T].T @ u; sums over time of blocks become blocks of sums."""
    new = Definitions(net)

    def replace(node: Term) -> Term | None:
        if not isinstance(node, tm.Plus):
            return None
        node = node.rebuild(*(tm.transform(a, replace) for a in node.args))
        found: dict[Term, list[tuple[Any, Any, Term]]] = {}
        rest = []
        for a in summands(node):
            inner = a.args[-1] if is_linear(net, a) else None
            if isinstance(inner, tm.Block) and isinstance(inner.args[0], tm.At):
                found.setdefault(inner.args[0], []).append((inner.args[1], inner.args[2], tm.product(*a.args[:-1])))
            else:
                rest.append(a)
        parts = []
        for whole, members in found.items():
            for run in adjacent(members):
                tall = tm.stack(*(tm.transpose(m) for _, _, m in run))
                left = tm.transpose(new.constant("W_sum", tall)) if len(run) > 1 else run[0][2]
                parts.append(tm.product(left, tm.block(whole, run[0][0], run[-1][1])))
        return tm.plus(*parts, *rest)

    change = {e.name: tm.transform(e.right, replace) for e in net.equations}
    return _sums_of_bundles(rewritten(net, change, new.equations))


def _sums_of_bundles(net: Recurrence) -> Recurrence:
    """Σ_t u[t][0:n] @ v becomes rows of Σ_t u[t] @ v."""
    new = Definitions(net)
    counts: dict[Term, int] = {}
    change: dict[str, Term] = {}
    found: dict[str, tuple[Term, tm.Block]] = {}
    for e in net.equations:
        batch = isinstance(e.right, tm.BatchSum)
        body = e.right.args[0] if batch else e.right
        if e.timed or not isinstance(body, tm.TimeSum):
            continue
        inner = body.args[0]
        first = inner.args[0] if isinstance(inner, tm.Product) else inner
        if not (isinstance(first, tm.Block) and isinstance(first.args[0], tm.At) and first.is_column):
            continue
        whole: Term = tm.TimeSum(
            tm.product(first.args[0], *inner.args[1:]) if isinstance(inner, tm.Product) else first.args[0]
        )
        whole = tm.BatchSum(whole) if batch else whole
        counts[whole] = counts.get(whole, 0) + 1
        found[e.name] = (whole, first)
    for name, (whole, first) in found.items():
        if counts[whole] > 1:
            change[name] = tm.block(new.constant("total", whole), first.args[1], first.args[2])
    return rewritten(net, change, new.equations)
