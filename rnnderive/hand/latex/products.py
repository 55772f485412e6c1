"""Products: what stands side by side, what an operator joins, and functions with what they take."""

from __future__ import annotations

from typing import TYPE_CHECKING

import sympy as sp

from rnnderive.hand.latex.derivatives import derivative, is_ratio
from rnnderive.hand.latex.names import clean, parts_of, split_transpose
from rnnderive.hand.latex.static import make
from rnnderive.hand.latex.symbols import Place, above, leaf, locate, opened, raised
from rnnderive.hand.latex.tree import (
    Accent,
    Atom,
    Constant,
    Group,
    Items,
    Node,
    Number,
    Product,
    Relation,
    Scripts,
    Sum,
)
from rnnderive.language import FUNCTIONS
from rnnderive.language import terms as tm
from rnnderive.language.syntax import LOSSES, UNARY, Raw, read, write

if TYPE_CHECKING:
    from rnnderive.hand.latex.meaning import Meaning

__all__ = ["call", "function_of", "product", "slope"]

_WORDS = {
    **{n: n for n in FUNCTIONS}, **{f.symbol: n for n, f in FUNCTIONS.items() if f.symbol},
    **{n: n for n in (*UNARY, *LOSSES)}, "sum": "sum_entries", "Diag": "diag", "ReLu": "relu", "Softmax": "softmax",
    "sgn": "sign", "ln": "log", "logsoftmax": "log_softmax", "sigm": "sigmoid", "logistic": "sigmoid",
}  # fmt: skip


def product(m: Meaning, node: Product) -> Raw:
    """Factors side by side bind closer than ⊙; a function takes what follows it."""
    groups: list[tuple[str, list[Raw], Node]] = []
    k = 0
    signs, items = node.signs, node.items
    while k < len(items):
        item, sign = items[k], signs[k]
        follows = items[k + 1] if k + 1 < len(items) and not signs[k + 1] else None
        if is_ratio(items, signs, k):
            value = derivative(m, items[k], items[k + 1], node)
            k += 1
        elif (
            isinstance(item, Constant)
            and item.entry
            and isinstance(follows, Group)
            and isinstance(follows.body, Relation)
        ):
            value = m.indicator(follows.body)
            k += 1
        elif follows is not None and function_of(m, item) is not None:
            value = call(m, item, follows)
            k += 1
        elif (at := _in_brackets(m, item, follows)) is not None:
            value = at
            k += 1
        else:
            value = m.value(item)
        if sign or not groups:
            groups.append((sign, [value], item))
        else:
            groups[-1][1].append(value)
        k += 1
    return _folded(m, groups)


def _folded(m: Meaning, groups: list[tuple[str, list[Raw], Node]]) -> Raw:
    total: Raw | None = None
    for sign, values, node in groups:
        if total is None:
            total = beside(m, values, node)
        elif sign == "/":
            total = make(node, "/", total, values[0])
            for v in values[1:]:
                total = m.static.beside(node, total, v)
        else:
            total = _joined(m, sign, total, values, node)
    assert total is not None
    return total


def beside(m: Meaning, values: list[Raw], node: Node) -> Raw:
    total = values[0]
    for v in values[1:]:
        total = m.static.beside(node, total, v)
    return total


def _joined(m: Meaning, sign: str, left: Raw, values: list[Raw], node: Node) -> Raw:
    """left ⊙ a b: what of a b belongs to ⊙ is told by the shapes."""
    whole = beside(m, values, node)
    if sign == "otimes":
        return _outer(m, left, whole, node)
    if sign in ("cdot", "times", "*"):
        return _dotted(m, sign, left, whole, node)
    if len(values) > 1 and m.static.fits(left, whole) is False:
        for k in range(len(values) - 1, 0, -1):
            first = beside(m, values[:k], node)
            if m.static.fits(left, first):
                return beside(m, [make(node, "*", left, first), *values[k:]], node)
    return make(node, "*", left, whole)


def _outer(m: Meaning, left: Raw, right: Raw, node: Node) -> Raw:
    """u ⊗ v of two columns is u vᵀ; of all else the Kronecker product."""
    if m.static.is_column(left) and m.static.is_column(right):
        return make(node, "@", left, make(node, ".T", right))
    return make(node, "kron", left, right)


def _dotted(m: Meaning, sign: str, a: Raw, b: Raw, node: Node) -> Raw:
    """A point or a star: whatever fits the shapes."""
    s = m.static
    x, y = s.shape(a), s.shape(b)
    if s.scalar(a) or s.scalar(b):
        return make(node, "*", a, b)
    if x is not None and y is not None:
        same = s.same(x[0], y[0]) and s.same(x[1], y[1])
        if same and s.is_column(a) and sign == "cdot":
            raise m.error("a point between two columns can be ⊙ or their scalar product; "
                             "write \\odot, or a^\\top b", node)  # fmt: skip
        if same and (sign == "*" or not s.same(x[1], y[0])):
            return make(node, "*", a, b)
        return make(node, "@" if s.same(x[1], y[0]) else "*", a, b)
    return make(node, "@" if sign != "*" and s.is_matrix(a) else "*", a, b)


def function_of(m: Meaning, node: Node) -> str | None:
    """The function that a symbol is, unless it is a name."""
    node = clean(node)
    base, sub, _, _ = opened(node)
    base = clean(base)
    if not isinstance(base, Atom) or m.names.find(base, parts_of(sub)) is not None:
        return None
    if base.head in m.functions:
        return m.functions[base.head]
    if sub is not None:
        return None
    if base.head == "vec" or base.upright or base.head in ("sigma", "Phi", "phi"):
        return _WORDS.get(base.head) or _WORDS.get(base.head.lower())
    return None


def _in_brackets(m: Meaning, item: Node, follows: Node | None) -> Raw | None:
    """h(t−1): a sequence at a step."""
    group, after = follows, None
    if isinstance(follows, Scripts) and follows.sub is None and not follows.primes:
        group, after = clean(follows.base), follows.sup
    if not isinstance(group, Group) or group.fence != "(" or isinstance(item, Number | Group):
        return None
    index = m.names.index(group.body)
    if index is None or not index.free_symbols:
        return None
    place = locate(m, item) if isinstance(item, Atom | Accent | Scripts) else None
    if place is None or not place.known or place.index is not None or not m.names.timed.get(place.name):
        return None
    rest, transposes = above(m, after)
    return raised(m, leaf(m, Place(place.name, index, None, 0), item), rest, transposes, item)


def call(m: Meaning, head: Node, argument: Node) -> Raw:
    """A function of what follows; scripts behind the bracket belong to the value."""
    name = function_of(m, head)
    assert name is not None
    _, _, sup, primes = opened(clean(head))
    after: Node | None = None
    inner = argument
    if isinstance(argument, Scripts) and isinstance(clean(argument.base), Group):
        group = clean(argument.base)
        if isinstance(group, Group) and group.fence in "([{" and argument.sub is None and not argument.primes:
            inner, after = group, argument.sup
    if isinstance(inner, Group) and inner.fence in "([{" and isinstance(inner.body, Items) and inner.fence != "[":
        values = [m.value(i) for i in inner.body.items]
    else:
        values = [m.value(inner)]
    inverse = isinstance(sup, Sum) and m.names.index(sup) == -1
    result = _applied(m, name, values, primes, inverse, head)
    rest, transposes = split_transpose(None if inverse else sup)
    if rest is not None or transposes:
        result = raised(m, result, rest, transposes, head)
    rest, transposes = above(m, after)
    return raised(m, result, rest, transposes, head)


def _applied(m: Meaning, name: str, values: list[Raw], primes: int, inverse: bool, node: Node) -> Raw:
    wanted = 2 if name in LOSSES else 1
    if len(values) != wanted:
        raise m.error(f"{name} takes {wanted} argument(s), found {len(values)}", node)
    if inverse:
        if name != "vec" or not m.wrt:
            raise m.error(f"the inverse of {name} is not read", node)
        return make(node, "like", values[0], data=m.wrt)
    if primes > 1 or (primes and name not in FUNCTIONS):
        raise m.error("first derivatives of elementwise functions are read", node)
    if primes:
        return slope(name, values[0], node)
    return make(node, "apply", *values, data=name) if name in FUNCTIONS else make(node, name, *values)


def slope(name: str, x: Raw, node: Node) -> Raw:
    """The derivative of an elementwise function at an argument, by the table."""
    y = make(node, "apply", x, data=name)
    term = tm.as_term(FUNCTIONS[name].slope(tm.Parameter("x", 1), tm.Parameter("y", 1)))
    if term.is_null or not term.terms:
        return make(node, "number", data=sp.S.Zero if term.is_null else getattr(term, "number", sp.S.One))
    tree = read(f"s = {write(term)}").lines[0].right

    def put(raw: Raw) -> Raw:
        if raw.op == "name":
            return {"x": x, "y": y}[raw.data]
        return Raw(raw.op, [put(p) for p in raw.parts], raw.data, node.line, node.column)

    return put(tree)
