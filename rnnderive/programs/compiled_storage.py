"""Where the values of a compiled function live, and which rows of memory hold them."""

from __future__ import annotations

from typing import Any

from rnnderive.language import terms as tm
from rnnderive.language.recurrence import Recurrence
from rnnderive.language.terms import Term
from rnnderive.programs.compiled_form import COLUMN_FUNCTIONS
from rnnderive.programs.compiled_plan import Entries, Item, Plan, Product, is_product, size_of

__all__ = ["rows_of_steps", "storage"]


def rows_of_steps(steps: int, base: str = "") -> str:
    """The rows of so many steps."""
    if base:
        return f"({base} {'-' if steps < 0 else '+'} {abs(steps)}) * B" if steps else f"{base} * B"
    return "0" if steps == 0 else "B" if steps == 1 else f"{steps} * B"


def storage(plan: Plan, blocks: list[list[Product | list[Item]]], wanted: set[str]) -> dict[str, str]:
    """Where each name lives: a row for every step (full), one for every member (scratch), or in variables (local)."""
    net = plan.net
    writers: dict[str, set[tuple[int, int, int]]] = {}
    readers: dict[str, list[tuple[tuple[int, int, int], Any]]] = {}
    for a, (p, inside) in enumerate(zip(plan.passes, blocks, strict=True)):
        if p.kind == "once":
            for e in p.equations:
                writers.setdefault(e.name, set()).add((a, -1, -1))
                _note(readers, e.right, (a, -1, -1))
            continue
        for b, block in enumerate(inside):
            for c, item in enumerate([block] if isinstance(block, Product) else block):
                place = (a, b, c)
                for name, term in _written(item):
                    writers.setdefault(name, set()).add(place)
                    _note(readers, term, place)
    out: dict[str, str] = {}
    for e in net.equations:
        places = writers[e.name]
        own = readers.get(e.name, [])
        pass_number = next(iter(places))[0]
        p = plan.passes[pass_number]
        outside = any(place[0] != pass_number or (e.timed and leaf.lag != 0) for place, leaf in own)
        if not e.timed or e.name in wanted or outside or p.kind == "once":
            out[e.name] = "full"
        elif is_product(e.right) or any(place not in places or len(places) > 1 for place, _ in own):
            scalar = size_of(e.left) == 1 and not is_product(e.right)
            same_block = all(place[:2] == next(iter(places))[:2] for place, _ in own)
            out[e.name] = "local" if scalar and same_block and not _functions(net, e.name) else "scratch"
        elif isinstance(e.right, COLUMN_FUNCTIONS) and not isinstance(e.right, tm.InverseStd):
            out[e.name] = "scratch"
        else:
            out[e.name] = "local"
    return out


def _functions(net: Recurrence, name: str) -> bool:
    """Whether a function of a whole column, or a product, reads a name from memory."""
    return any(
        (isinstance(e.right, COLUMN_FUNCTIONS) or is_product(e.right)) and name in {r.name for r in net.reads(e.name)}
        for e in net.equations
    )


def _written(item: Product | Item) -> list[tuple[str, Term]]:
    if isinstance(item, Entries):
        return [(a.name, a.term) for a in item.assigns]
    return [(item.equation.name, item.equation.right)]


def _note(readers: dict[str, list[Any]], term: Term, place: tuple[int, int, int]) -> None:
    for node in tm.members(term):
        if isinstance(node, tm.At | tm.Parameter):
            readers.setdefault(node.name, []).append((place, node))
