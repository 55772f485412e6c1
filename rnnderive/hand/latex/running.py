"""Sums and products over a running index."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import sympy as sp

from rnnderive.hand.latex.derivatives import is_derivative
from rnnderive.hand.latex.names import clean, split_transpose
from rnnderive.hand.latex.static import make
from rnnderive.hand.latex.symbols import locate
from rnnderive.hand.latex.tree import (
    Atom,
    Big,
    Derivation,
    Frac,
    Group,
    Node,
    Relation,
    Scripts,
)
from rnnderive.language import terms as tm
from rnnderive.language.syntax import Raw

if TYPE_CHECKING:
    from rnnderive.hand.latex.meaning import Meaning

__all__ = ["big"]


def big(m: Meaning, node: Big) -> Raw:
    letter, first, last = bounds(m, node)
    if node.kind == "prod":
        return _prod(m, node, letter, first, last)
    first, last = sp.S.One if first is None else first, tm.T if last is None else last
    over_t = letter == "t" or (not m.timed and not m.in_sum and (first, last) == (1, tm.T))
    symbol = tm.t if over_t else sp.Symbol(letter, integer=True)
    body = _within(m, letter, symbol, node.body, over_t)
    if not over_t:
        return make(node, "over", body, data=("sum", symbol, first, last, 0))
    for sign, bound, whole in ((">=", first, sp.S.One), ("<=", last, tm.T)):
        if bound != whole:
            body = make(node, "where", body, data=(sign, tm.t, bound))
    return make(node, "sum_t", body)


def _within(m: Meaning, letter: str, symbol: Any, body: Node, over_t: bool) -> Raw:
    outer, m.in_sum = m.in_sum, m.in_sum or over_t
    try:
        with m.names.reading({letter: symbol}):
            return m.value(body)
    finally:
        m.in_sum = outer


def bounds(m: Meaning, node: Big) -> tuple[str, Any, Any]:
    """The running letter of a sum or product, and its first and last value."""
    lower = clean(node.lower) if node.lower is not None else None
    if isinstance(lower, Atom):
        return lower.head, None, _bound(m, node.upper)
    if isinstance(lower, Relation) and lower.sign == "=" and isinstance(clean(lower.left), Atom):
        return clean(lower.left).head, _bound(m, lower.right), _bound(m, node.upper)  # type: ignore[attr-defined]
    if isinstance(lower, Relation) and node.upper is None:
        chain = [lower]
        while isinstance(chain[0].left, Relation):
            chain.insert(0, chain[0].left)
        ends = [chain[0].left, *(r.right for r in chain)]
        inner = 1 if len(ends) == 3 else 0
        if len(ends) <= 3 and isinstance(clean(ends[inner]), Atom) and all(r.sign[0] in "<>" for r in chain):
            return _chained(m, chain, ends, inner)
    raise m.error("expected bounds such as t = 1 below and T above", node)


def _chained(m: Meaning, chain: list[Relation], ends: list[Node], k: int) -> tuple[str, Any, Any]:
    """1 ≤ k < t, or t ≥ i > k."""
    low: Any = None
    high: Any = None
    for r, j in zip(chain, range(len(chain)), strict=True):
        other = _bound(m, ends[j] if j != k else ends[j + 1])
        right = j == k  # letter sign bound
        less = (r.sign[0] == "<") == right
        if less:
            high = other - (1 if len(r.sign) == 1 else 0)
        else:
            low = other + (1 if len(r.sign) == 1 else 0)
    letter = clean(ends[k])
    assert isinstance(letter, Atom)
    return letter.head, low, high


def _bound(m: Meaning, node: Node | None) -> Any:
    if node is None:
        return None
    found = m.names.index(node)
    if found is None:
        found = m.names.size(node)
    if found is None:
        raise m.error("expected a bound such as 1, T or t - 1", node)
    return found


def _prod(m: Meaning, node: Big, letter: str, first: Any, last: Any) -> Raw:
    """∏, in the order that it is written; between derivatives in the order of the chain."""
    symbol = sp.Symbol(letter, integer=True)
    first, last = sp.S.One if first is None else first, tm.T if last is None else last
    body = _within(m, letter, symbol, node.body, False)
    falling = _falls(first, last)
    low, high = (last, first) if falling else (first, last)
    rising = not falling
    lag = _lag(m, node.body, letter)
    if lag:
        rising = lag < 0
        if lag < 0:  # right to left, the first step stands on the left
            low, high = first, last
    return make(node, "over", body, data=("prod", symbol, low, high, int(rising)))


def _lag(m: Meaning, body: Node, letter: str) -> int:
    """How many steps a factor ∂h^j/∂h^{j−1} goes back; of its transpose, forward."""
    node, sign = clean(body), 1
    while isinstance(node, Scripts | Group):
        if isinstance(node, Scripts):
            rest, transposes = split_transpose(node.sup)
            if transposes or (isinstance(rest, Atom) and rest.head == "T"):
                sign = -sign
            node = clean(node.base)
        else:
            node = clean(node.body)
    if not (isinstance(node, Frac) and is_derivative(node)):
        return 0
    with m.names.reading({letter: sp.Symbol(letter, integer=True)}):
        places = [locate(m, x.body) for x in (node.over, node.under) if isinstance(x, Derivation)]
    if len(places) != 2 or any(p is None or p.index is None for p in places):
        return 0
    gap = sp.expand(places[0].index - places[1].index)  # type: ignore[union-attr]
    return sign * int(gap) if gap.is_Integer else 0


def _falls(first: Any, last: Any) -> bool:
    """Whether a product runs from a later step down to an earlier one."""
    gap = sp.expand(last - first)
    if gap.is_Integer:
        return bool(gap < 0)
    slope_in_T = gap.coeff(tm.T, 1)
    return bool(slope_in_T < 0) if slope_in_T != 0 else bool(gap.as_coeff_Add()[0] > 0)
