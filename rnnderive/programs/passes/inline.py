"""Fewer, longer equations in the loops: what is read once goes where it is read, common factors go out of sums."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from rnnderive.language import terms as tm
from rnnderive.language.recurrence import Recurrence
from rnnderive.language.terms import Term
from rnnderive.programs.passes.common import free_of, loops, rewritten

__all__ = ["factor", "inline"]


def inline(net: Recurrence, outputs: Iterable[str]) -> Recurrence:
    """In loops, put a sequence that is read once, at its own step and entry by entry, where it is read."""
    kept = set(outputs)
    while True:
        found = _read_once(net, kept)
        if found is None:
            return net
        name, reader = found
        value = net[name].right

        def replace(node: Term, name: str = name, value: Term = value) -> Term | None:
            return value if isinstance(node, tm.At) and node.name == name else None

        net = rewritten(net, {reader: tm.transform(net[reader].right, replace)}, without=[name])


def _read_once(net: Recurrence, kept: set[str]) -> tuple[str, str] | None:
    counts: Counter[str] = Counter()
    for e in net.equations:
        counts.update(n.name for n in tm.members(e.right) if isinstance(n, tm.At | tm.Parameter))
    inside = loops(net)
    for e in net.equations:
        for node in _entries(e.right):
            name = node.name
            if (
                node.lag == 0
                and counts[name] == 1
                and name in inside
                and inside[name] == inside.get(e.name)
                and name not in kept
                and f"{name}0" not in counts
                and node.shape == net[name].right.shape
                and not _has_product(net[name].right)
            ):
                return name, e.name
    return None


def _entries(term: Term) -> Iterable[tm.At]:
    """The sequences that stand in a term under sums and elementwise products only."""
    if isinstance(term, tm.At):
        yield term
    elif isinstance(term, tm.Plus | tm.Times):
        for a in term.args:
            yield from _entries(a)


def _has_product(term: Term) -> bool:
    return any(isinstance(n, tm.Product) for n in tm.members(term))


def factor(net: Recurrence) -> Recurrence:
    """In loops, a * u + b * u becomes (a + b) * u where u is of the loop and a, b are not: they can be hoisted."""
    inside = loops(net)

    def collect(node: Term, loop: frozenset[str]) -> Term | None:
        if not isinstance(node, tm.Plus | tm.Times):
            return None
        node = node.rebuild(*(tm.transform(a, lambda n: collect(n, loop)) for a in node.terms))
        if not isinstance(node, tm.Plus):
            return node
        groups: dict[tuple[Term, ...], list[tuple[Term, Term]]] = {}
        for k, part in enumerate(node.args):
            factors = part.args if isinstance(part, tm.Times) else (part,)
            own = tuple(f for f in factors if not free_of(f, loop))
            free = [f for f in factors if free_of(f, loop)]
            simple = len(own) == 1 and isinstance(own[0], tm.At)
            groups.setdefault(own if simple else (part, tm.Number(k)), []).append((tm.times(*free, tm.Number(1)), part))
        if all(len(g) == 1 for g in groups.values()):
            return node
        sums = [
            members[0][1]
            if len(members) == 1
            else tm.times(*own, tm.plus(*(coefficient for coefficient, _ in members)))
            for own, members in groups.items()
        ]
        return tm.plus(*sums)

    change = {
        e.name: tm.transform(e.right, lambda n, loop=inside[e.name]: collect(n, loop))  # type: ignore[misc]
        for e in net.equations
        if e.name in inside
    }
    return rewritten(net, change)
