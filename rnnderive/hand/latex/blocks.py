"""Blocks: W_{f,h}, the part of W_f that acts on h; rows and columns by their bounds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import sympy as sp

from rnnderive.hand.latex.names import clean, key, parts_of, split_transpose
from rnnderive.hand.latex.stacks import offsets
from rnnderive.hand.latex.static import make
from rnnderive.hand.latex.symbols import Place, above, leaf, raised
from rnnderive.hand.latex.tree import (
    Accent,
    Atom,
    Items,
    Node,
    Scripts,
)
from rnnderive.language.syntax import Raw

if TYPE_CHECKING:
    from rnnderive.hand.latex.meaning import Meaning

__all__ = ["block_of", "part_of"]


def block_of(m: Meaning, base: Node, sub: Node | None, sup: Node | None) -> Raw | None:
    """W_{f,h}: the part of W_f that acts on h."""
    subs = parts_of(sub)
    if subs and isinstance(subs[-1], Items) and subs[-1].mark == ":":
        kept = list(subs)
        ranges: list[Node] = []
        while kept and isinstance(kept[-1], Items) and kept[-1].mark == ":":
            ranges.insert(0, kept.pop())
        name = m.names.find(base, kept)
        if name is None:
            return None
        whole = make(base, "name", data=name)
        for r in [Items(sub.line, sub.column, tuple(ranges))] if sub else []:
            whole = part_of(m, whole, r, base, name)
        return _after_block(m, whole, sup, base)
    found = key(base, subs)
    if found is None:
        return None
    head, marks, flat = found
    for k in range(len(flat) - 1, -1, -1):
        whole_name = m.names.keys.get((head, marks, flat[:k]))
        part = m.names.keys.get((flat[k], (), flat[k + 1 :]))
        if whole_name is None or part is None or not _there(m, whole_name) or part not in m.names.timed:
            continue
        rest, transposes = split_transpose(sup)
        index = m.names.index(rest) if m.names.timed.get(whole_name) else None
        if index is not None:
            rest = None
        whole = leaf(m, Place(whole_name, index, None, 0), base)
        block = _slice(m, whole, part, base, whole_name)
        if isinstance(rest, Atom) and rest.head == "T":
            rest, transposes = None, transposes + 1
        return raised(m, block, rest, transposes, base)
    return None


def _there(m: Meaning, name: str) -> bool:
    return name in m.names.timed or name in m.names.own


def _after_block(m: Meaning, whole: Raw, sup: Node | None, node: Node) -> Raw:
    rest, transposes = above(m, sup)
    if rest is not None and whole.parts[0].op == "name" and m.names.timed.get(whole.parts[0].data):
        index = m.names.index(rest)
        whole.parts[0] = leaf(m, Place(whole.parts[0].data, index, None, 0), node)
        rest = None
    return raised(m, whole, rest, transposes, node)


def part_of(m: Meaning, whole: Raw, sub: Node, node: Node, name: str) -> Raw:
    """The block of a value that a subscript names: by a sequence, or by bounds."""
    parts = parts_of(sub)
    if all(isinstance(p, Items) and p.mark == ":" for p in parts):
        bounds = [tuple(m.names.size(x) for x in p.items) for p in parts if isinstance(p, Items)]
        if all(len(b) == 2 and None not in b for b in bounds) and len(bounds) <= 2:
            if len(bounds) == 1 and m.static.is_matrix(whole):
                bounds = _sided(m, whole, bounds[0])
            return make(node, "block", whole, data=bounds)
    found = key(parts[0], parts[1:]) if isinstance(clean(parts[0]), Atom | Accent | Scripts) else None
    part = m.names.keys.get(found) if found is not None else None
    if part is None or part not in m.names.timed:
        raise m.error("found a subscript of a bracket that is no name of a sequence and no range of rows", sub)
    return _slice(m, whole, part, node, name)


def _sided(m: Meaning, whole: Raw, bounds: tuple[Any, ...]) -> list[Any]:
    """Rows or columns, by what is not the whole of either."""
    shape = m.static.shape(whole)
    assert shape is not None
    fits = [sp.expand(size - bounds[1]) for size in shape]
    return [(None, None), bounds] if fits[0] != 0 and not fits[0].is_positive and fits[1] != 0 else [bounds]


def _slice(m: Meaning, whole: Raw, part: str, node: Node, name: str) -> Raw:
    shape = m.static.shape(whole)
    rows, columns = offsets(m.names.net, name, shape, part)
    found = columns or rows
    if len(found) != 1:
        why = "stands in several places of it" if found else "is no part of it, as far as its shape is known"
        raise m.error(f"which block this is cannot be told: {part} {why}", node)
    start, stop = found[0]
    return make(node, "block", whole, data=[(None, None), (start, stop)] if columns else [(start, stop)])
