"""What ⋯ stands for: the sum or product that the parts written around it leave no doubt about.

Two parts before ⋯ tell what changes from one to the next, the part after it where that ends:
``a_1 + a_2 + ⋯ + a_T``, ``F(T) F(T−1) ⋯ F(2)``, and the sum of ever longer products that a gradient through
time is, ``P G(T) + P F(T) G(T−1) + ⋯ + P F(T) F(T−1) ⋯ F(2) H``.  Where they leave a doubt, it is an error.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any

import sympy as sp

from rnnderive.hand.latex.names import clean
from rnnderive.hand.latex.tree import Atom, Big, Dots, Node, Number, Product, Relation, Sum

if TYPE_CHECKING:
    from rnnderive.hand.latex.meaning import Meaning

__all__ = ["filled_product", "filled_sum", "has_dots"]


def has_dots(items: Sequence[Node]) -> bool:
    """Whether ⋯ is among some parts."""
    return any(isinstance(i, Dots) for i in items)


@dataclass(frozen=True)
class _Pattern:
    """What two parts have in common: a formula with a running index, and the index of each."""

    body: Node
    first: Node
    last: Node
    gap: Any


def filled_product(m: Meaning, node: Product) -> Product:
    """F(T) F(T−1) ⋯ F(2) as F(T) ∏ F(j)."""
    k = next(k for k, item in enumerate(node.items) if isinstance(item, Dots))
    if not 2 <= k < len(node.items) - 1 or any(node.signs[k - 1 : k + 2]):
        raise _doubt(m, node.items[k])
    before, last, after = node.items[k - 2], node.items[k - 1], node.items[k + 1]
    letter = _letter(m)
    step, whole = _pattern(m, before, last, letter), _pattern(m, last, after, letter)
    if step is None or whole is None or abs(step.gap) != 1:
        raise _doubt(m, node.items[k])
    product = _big("prod", letter, whole.first, whole.last, whole.body)
    signs = (*node.signs[:k], *node.signs[k + 2 :])
    return replace(node, signs=signs, items=(*node.items[: k - 1], product, *node.items[k + 2 :]))


def filled_sum(m: Meaning, node: Sum) -> Sum:
    """a_1 + a_2 + ⋯ + a_T as Σ a_k."""
    k = next(k for k, item in enumerate(node.items) if isinstance(item, Dots))
    if not 2 <= k < len(node.items) - 1 or set(node.signs[k - 2 : k + 2]) != {"+"}:
        raise _doubt(m, node.items[k])
    first, second, last = node.items[k - 2], node.items[k - 1], node.items[k + 1]
    found = _even(m, first, second, last) or _growing(m, first, second, last)
    if found is None:
        raise _doubt(m, node.items[k])
    signs = (*node.signs[: k - 2], *("+" for _ in found), *node.signs[k + 2 :])
    return replace(node, signs=signs, items=(*node.items[: k - 2], *found, *node.items[k + 2 :]))


def _even(m: Meaning, first: Node, second: Node, last: Node) -> list[Node] | None:
    """Summands that differ by an index alone."""
    letter = _letter(m)
    step, whole = _pattern(m, first, second, letter), _pattern(m, first, last, letter)
    if step is None or whole is None or abs(step.gap) != 1 or step.body != whole.body:
        return None
    ends = (whole.first, whole.last) if step.gap == 1 else (whole.last, whole.first)
    return [_big("sum", letter, *ends, whole.body)]


def _growing(m: Meaning, first: Node, second: Node, last: Node) -> list[Node] | None:
    """Products that are a factor longer from one summand to the next."""
    one, two, end = (_factors(n) for n in (first, second, last))
    if one is None or two is None or end is None or len(two) != len(one) + 1 or not has_dots(end):
        return None
    dots = next(k for k, item in enumerate(end) if isinstance(item, Dots))
    start = len(one) - 1
    if dots != len(end) - 3 or not start + 1 < dots:
        return None
    if not all(_same(a, b) and _same(a, c) for a, b, c in zip(one[:start], two, end, strict=False)):
        return None
    running, inner = _letter(m), _letter(m, 1)
    tail, factor = _pattern(m, one[-1], two[-1], running), _pattern(m, end[dots - 1], end[dots + 1], inner)
    grown = _pattern(m, two[start], end[dots + 1], inner)
    if tail is None or factor is None or grown is None or tail.gap != -1:
        return None
    if not _same(two[start], end[start]) or not _same(grown.body, factor.body):
        return None
    a, c = (m.names.index(n) for n in (grown.first, tail.last))
    ahead = sp.expand(a - c)
    if not ahead.is_Integer or sp.expand(a - m.names.index(factor.first)) != dots - 1 - start:
        return None
    product = _big("prod", inner, grown.first, _plus(Atom(*_at(first), running), ahead), grown.body)
    body = Product(*_at(second), ("",) * (start + 2), (*two[:start], product, tail.body))
    rest = _big("sum", running, _plus(grown.last, 1 - ahead), tail.last, body)
    return [first, rest, last]


# ---------------------------------------------------------------- what two parts have in common


def _pattern(m: Meaning, a: Node, b: Node, letter: str) -> _Pattern | None:
    """The formula that is `a` at one index and `b` at another."""
    pairs = list(_different(m, a, b))
    if not pairs or any(p is None for p in pairs):
        return None
    start, end = pairs[0]  # type: ignore[misc]
    low, high = m.names.index(start), m.names.index(end)
    body: Node = a
    for pair in pairs:
        x, y = pair  # type: ignore[misc]
        offset = sp.expand(m.names.index(x) - low)
        if not offset.is_Integer or sp.expand(m.names.index(y) - high - offset) != 0:
            return None
        body = _put(body, x, _plus(Atom(*_at(x), letter), offset))
    return _Pattern(body, start, end, sp.expand(high - low))


def _different(m: Meaning, a: Any, b: Any) -> Iterator[tuple[Node, Node] | None]:
    """The pairs of indices in which two formulas differ; None for any other difference."""
    if isinstance(a, Node) and isinstance(b, Node):
        if _same(a, b):
            return
        x, y = clean(a), clean(b)
        if m.names.index(x) is not None and m.names.index(y) is not None:
            yield a, b
        elif type(x) is type(y):
            for f in fields(x):
                if f.name not in ("line", "column"):
                    yield from _different(m, getattr(x, f.name), getattr(y, f.name))
        else:
            yield None
    elif isinstance(a, tuple) and isinstance(b, tuple) and len(a) == len(b):
        for x, y in zip(a, b, strict=True):
            yield from _different(m, x, y)
    elif a != b:
        yield None


def _same(a: Any, b: Any) -> bool:
    """Whether two formulas read the same, wherever they stand."""
    return bool(_plain(a) == _plain(b))


def _plain(node: Any) -> Any:
    if isinstance(node, Node):
        node = clean(node)
        return (type(node), *(_plain(getattr(node, f.name)) for f in fields(node) if f.name not in ("line", "column")))
    return tuple(_plain(n) for n in node) if isinstance(node, tuple) else node


def _put(node: Any, old: Node, new: Node) -> Any:
    """A formula with another node in the place of one of its own."""
    if node is old:
        return new
    if isinstance(node, Node):
        changes = {f.name: _put(getattr(node, f.name), old, new) for f in fields(node)}
        same = all(changes[f.name] is getattr(node, f.name) for f in fields(node))
        return node if same else replace(node, **changes)
    if isinstance(node, tuple):
        fresh = tuple(_put(n, old, new) for n in node)
        return node if all(a is b for a, b in zip(fresh, node, strict=True)) else fresh
    return node


# ---------------------------------------------------------------- pieces


def _factors(node: Node) -> tuple[Node, ...] | None:
    node = clean(node)
    if isinstance(node, Product):
        return None if any(node.signs) else node.items
    return (node,)


def _letter(m: Meaning, skip: int = 0) -> str:
    """A running index that is free."""
    return [n for n in ("k", "j", "i", "l", "m") if n not in m.names.letters][skip]


def _at(node: Node) -> tuple[int, int]:
    return node.line, node.column


def _plus(node: Node, offset: Any) -> Node:
    """An index so many steps later."""
    if offset == 0:
        return node
    number = Number(*_at(node), str(abs(int(offset))))
    return Sum(*_at(node), ("+", "+" if offset > 0 else "-"), (node, number))


def _big(kind: str, letter: str, first: Node, last: Node, body: Node) -> Big:
    lower = Relation(*_at(first), Atom(*_at(first), letter), "=", first)
    return Big(*_at(body), kind, lower, last, body)


def _doubt(m: Meaning, node: Node) -> Any:
    return m.error(
        "⋯ stands for what is not written, and what stands around it leaves a doubt; expected two parts before it and "
        "the last one after it, which differ by a step, or \\sum, \\prod",
        node,
    )
