"""Rewrites of a recurrence before it becomes code; each keeps its meaning exactly.

Tests verify every rewrite by exact identity in a finite field.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from rnnderive.language import terms as tm
from rnnderive.language.recurrence import Equation, Recurrence
from rnnderive.language.terms import Term, t
from rnnderive.programs.passes.common import Definitions, free_of, loops, rewritten

__all__ = ["hoist", "prune", "share", "split_stacks"]


def prune(net: Recurrence, outputs: Iterable[str]) -> Recurrence:
    """Keep the equations that `outputs` need."""
    needed: set[str] = set()
    work = [n for n in outputs if n in net]
    while work:
        name = work.pop()
        if name in needed:
            continue
        needed.add(name)
        for r in net.reads(name):
            work += [n for n in (r.name, f"{r.name}0" if r.lag not in (None, 0) else "") if n in net]
    kept = tuple(e for e in net.equations if e.name in needed)
    return Recurrence(kept, net.loss if net.loss in needed else None, net.declared)


def split_stacks(net: Recurrence) -> Recurrence:
    """In loops, W @ [h[t-1], x[t]] becomes W[:, :n] @ h[t-1] + W[:, n:] @ x[t]."""
    inside = loops(net)

    def split(node: Term) -> Term | None:
        if isinstance(node, tm.Product) and isinstance(node.args[-1], tm.Stack) and node.args[-1].is_column:
            head = tm.product(*node.args[:-1])
            parts, start = [], 0
            for part in node.args[-1].args:
                stop = start + part.shape[0]
                parts.append(tm.product(tm.block(head, 0, head.shape[0], start, stop), tm.transform(part, split)))
                start = stop
            return tm.plus(*parts)
        return None

    return rewritten(net, {e.name: tm.transform(e.right, split) for e in net.equations if e.name in inside})


def share(net: Recurrence) -> Recurrence:
    """Name function values that several equations of the same step need, such as tanh(C[t])."""
    costly = (tm.Apply, tm.Softmax, tm.LogSoftmax, tm.LayerNorm, tm.InverseStd)
    seen: Counter[Term] = Counter()
    for e in net.equations:
        if e.timed and not isinstance(e.right, tm.Apply):
            seen.update({n for n in tm.members(e.right, False) if isinstance(n, costly) and _now(n)})
        elif e.timed:
            seen.update({n for n in tm.members(e.right.terms[0], False) if isinstance(n, costly) and _now(n)})
    defined = {e.right: e.left for e in net.equations if e.timed and isinstance(e.right, costly)}
    chosen = [n for n, count in seen.items() if count > 1 or n in defined]
    names: dict[Term, Term] = {}
    extra = []
    taken: set[str] = set()
    for node in sorted(chosen, key=lambda n: len(list(tm.members(n)))):
        if node in defined:
            names[node] = defined[node]
            continue
        stem = f"{node.args[0]}_{_stem(node)}" if isinstance(node, tm.Apply) else f"{node.word}_{_stem(node)}"
        name = net.fresh(stem, taken)
        taken.add(name)
        left = tm.At(name, t, *node.shape)
        extra.append(Equation(left, node))
        names[node] = left
    if not names:
        return net

    def replace(node: Term) -> Term | None:
        return names.get(node)

    change = {}
    for e in net.equations:
        if e.timed:
            own = e.right in defined and defined[e.right] == e.left
            if own:
                inner = [tm.transform(a, replace) for a in e.right.terms]
                change[e.name] = e.right.rebuild(*inner)
            else:
                change[e.name] = tm.transform(e.right, replace)
    extra = [Equation(x.left, x.right.rebuild(*(tm.transform(a, replace) for a in x.right.terms))) for x in extra]
    equations = [Equation(e.left, change.get(e.name, e.right)) for e in net.equations]
    return Recurrence((*equations, *extra), net.loss, net.declared)


def _now(node: Term) -> bool:
    """Whether a term reads sequences, and only at the running step."""
    leaves = [n for n in tm.members(node) if isinstance(n, tm.At)]
    return (
        bool(leaves)
        and all(n.lag == 0 for n in leaves)
        and not any(isinstance(n, tm.TimeSum) for n in tm.members(node))
    )


def _stem(node: Term) -> str:
    return next(n.name for n in tm.members(node) if isinstance(n, tm.At))


def hoist(net: Recurrence, products_only: bool = False) -> Recurrence:
    """Move out of each loop what does not read the loop: it is then computed for all t at once.

    With `products_only`, only matrix products and what stands with them in a sum: entry by entry, long sequences
    are faster step by step, while the values are in the processor's cache.
    """
    inside = loops(net)
    hoisting = _Hoist(net, products_only)
    change = {e.name: hoisting.equation(e, inside[e.name]) for e in net.equations if e.name in inside}
    return rewritten(net, change, hoisting.new.equations)


class _Hoist:
    """Collects what leaves the loops of a recurrence."""

    def __init__(self, net: Recurrence, products_only: bool) -> None:
        self.products_only = products_only
        self.new = Definitions(net)

    def equation(self, e: Equation, loop: frozenset[str]) -> Term:
        """The right side of an equation of a loop, with what is free of the loop named outside."""

        def free(node: Term) -> bool:
            return free_of(node, loop)

        def move(node: Term) -> Term | None:
            if free(node):
                return self.lift(node, e.name)
            if isinstance(node, tm.Plus):
                outside = [a for a in node.args if free(a)]
                inside = [tm.transform(a, move) for a in node.args if not free(a)]
                return tm.plus(*([self.lift(tm.plus(*outside), e.name)] if outside else []), *inside)
            if (
                isinstance(node, tm.Stack)
                and not self.products_only
                and all(isinstance(a, tm.Times) for a in node.args)
            ):
                own = [tm.times(*(a for a in part.args if not free(a)), tm.Number(1)) for part in node.args]
                rest = [tm.times(*(a for a in part.args if free(a)), tm.Number(1)) for part in node.args]
                if all(a.shape == b.shape == part.shape for a, b, part in zip(own, rest, node.args, strict=True)):
                    return tm.times(tm.stack(*own), self.lift(tm.stack(*rest), e.name))
            if isinstance(node, tm.Times) and not self.products_only:
                outside = [a for a in node.args if free(a)]
                inside = [tm.transform(a, move) for a in node.args if not free(a)]
                whole = tm.times(*outside, tm.Number(1))
                if outside and tm.common_shape((*inside, whole)) == whole.shape:
                    return tm.times(*inside, self.lift(whole, e.name))
            return None

        return tm.transform(e.right, move)

    def lift(self, node: Term, name: str) -> Term:
        """The term by a name of its own, where that saves work."""
        return self.new.sequence(f"{name}_in", node) if _worth(node, self.products_only) else node


def _worth(node: Term, products_only: bool) -> bool:
    """Whether a term is timed and does real work."""
    if any(isinstance(n, tm.Where) for n in tm.members(node)):
        return True
    timed = any(isinstance(n, tm.At) and n.lag is not None for n in tm.members(node, False))
    work = (
        tm.Product if products_only else (tm.Product | tm.Apply | tm.Softmax | tm.LogSoftmax | tm.LayerNorm | tm.Times)
    )
    return timed and any(isinstance(n, work) for n in tm.members(node))
