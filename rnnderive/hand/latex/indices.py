r"""Index notation: ``\frac{dL}{dW_{ij}} = \sum_t \delta_i^t x_j^t``, entry by entry.

The formula becomes a SymPy expression in entries such as ``delta[t, i]``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import sympy as sp

from rnnderive.errors import LanguageError
from rnnderive.hand.latex.derivatives import adjoint_name, is_derivative, is_loss
from rnnderive.hand.latex.meaning import Meaning
from rnnderive.hand.latex.names import clean, parts_of
from rnnderive.hand.latex.products import function_of
from rnnderive.hand.latex.static import Shape
from rnnderive.hand.latex.symbols import opened
from rnnderive.hand.latex.tree import (
    Accent,
    Atom,
    Big,
    Derivation,
    Frac,
    Group,
    Matrix,
    Node,
    Number,
    Product,
    Relation,
    Scripts,
    Sum,
)
from rnnderive.hand.missing import LATEX, hint
from rnnderive.language import FUNCTIONS
from rnnderive.language import terms as tm

__all__ = ["Indices", "letters_in"]

LETTERS = frozenset("ijklmnpqrsuvwab")


def letters_in(node: Node) -> list[str] | None:
    """The letters of a part of a subscript, if it is nothing but index letters: ij."""
    node = clean(node)
    if isinstance(node, Atom):
        return list(node.head) if set(node.head) <= LETTERS else None
    if isinstance(node, Product) and not any(node.signs):
        found = [letters_in(i) for i in node.items]
        return None if any(f is None for f in found) else [x for f in found if f is not None for x in f]
    return None


class Indices:
    """Reads formulas in index notation.

    Parameters
    ----------
    meaning : Meaning
        The reader of the text's other formulas: its names and what it knows.
    shapes : mapping
        Name → (rows, columns), of all names that have entries.
    aside : callable
        Makes a quantity of a bracket whose entries are read: its name, and the step at which it is read.
    """

    def __init__(self, meaning: Meaning, shapes: Mapping[str, Shape], aside: Callable[[Node], tuple[str, Any]]) -> None:
        self.meaning, self.names, self.shapes, self.aside = meaning, meaning.names, shapes, aside
        self.letters: dict[str, Any] = {}

    def error(self, message: str, node: Node) -> LanguageError:
        return self.meaning.error(message, node)

    # ------------------------------------------------------------ entries

    def entry(self, node: Node) -> Any:
        """An entry of a name: W[i, j], h[t-1, i]."""
        base, sub, sup, _ = opened(node)
        subs = parts_of(sub)
        below = any(_is_time(self.names.index(s)) for s in subs)
        when = None if below else self.names.index(sup)
        if sup is not None and when is None:
            return self.powered(node, sup)
        for k in range(len(subs), -1, -1):
            name = self.names.find(base, subs[:k])
            if name is None or name not in self.shapes:
                continue
            step, rest = when, [*subs[k:]]
            timed = self.names.timed.get(name, False)
            if timed and step is None:
                at = next((r for r in rest if _is_time(self.names.index(r))), None)
                step = self.names.index(at)
                rest = [r for r in rest if r is not at]
            index = [x for r in rest for x in self.indices(r)]
            if len(index) == _wanted(self.shapes[name]) and timed == (step is not None):
                return self.made(name, step, index)
            if not timed and step is not None and len(index) == _wanted(self.shapes[name]):
                return self.powered(node, sup)  # W_{ij}^2
        raise self.error(
            f"this is no entry of a name that is known; known are {', '.join(self.shapes)}; {hint(LATEX)}", node
        )

    def made(self, name: str, step: Any, index: list[Any]) -> Any:
        if step is not None and step == 0:
            name, step = f"{name}0", None
        places = ([] if step is None else [step]) + index
        return sp.IndexedBase(name)[tuple(places)] if places else sp.Symbol(name)

    def indices(self, node: Node) -> list[Any]:
        """ij, i+n_h, or a number, as indices."""
        found = letters_in(node)
        if found is not None and all(x in self.letters for x in found):
            return [self.letters[x] for x in found]
        with self.names.reading(self.letters):
            index = self.names.index(node)
        if index is None and isinstance(clean(node), Sum):
            return [self.bound(clean(node))]
        if index is None and isinstance(clean(node), Product):
            return [x for i in clean(node).items for x in self.indices(i)]  # type: ignore[attr-defined]
        if index is None:
            raise self.error("expected indices that are bound by a sum or stand on the left", node)
        return [index]

    def powered(self, node: Node, sup: Node | None) -> Any:
        base, sub, _, _ = opened(node)
        inner = base if sub is None else Scripts(node.line, node.column, base, sub)
        power = self.names.index(sup)
        if power is None or not power.is_Integer:
            raise self.error("expected a power, or a time index", sup or node)
        return self.value(inner) ** int(power)

    # ------------------------------------------------------------ values

    def value(self, node: Node) -> Any:
        """The formula as a scalar expression."""
        node = clean(node)
        match node:
            case Number(text=text):
                return sp.Rational(text)
            case Scripts() if (
                isinstance(clean(node.base), Group | Matrix) and node.sub is not None and node.sup is None
            ):
                name, step = self.aside(node.base)
                return self.made(name, step, [x for p in parts_of(node.sub) for x in self.indices(p)])
            case Scripts() if isinstance(clean(node.base), Group | Matrix):
                return self.powered(node, node.sup)
            case Atom() | Accent() | Scripts():
                size = self.names.size(node) if isinstance(node, Atom | Scripts) else None
                if size is not None and self.names.find(*_base_subs(node)) is None:
                    return size
                return self.entry(node)
            case Group(body=Relation() as relation):
                return sp.Piecewise((1, self.test(relation)), (0, True))
            case Group(body=body, fence=fence) if fence in "([{":
                return self.value(body)
            case Frac(over=over, under=under):
                return self.gradient(node) if is_derivative(node) else self.value(over) / self.value(under)
            case Sum(signs=signs, items=items):
                values = [self.value(i) for i in items]
                return sp.Add(*(v if s == "+" else -v for s, v in zip(signs, values, strict=True)))
            case Product():
                return self.product(node)
            case Big(kind="sum"):
                return self.sum(node)
            case Matrix(kind="cases", rows=rows):
                return sp.Piecewise(*((self.value(r[0]), self.test(r[1]) if len(r) > 1 else True) for r in rows))
        raise self.error("this cannot be read in index notation", node)

    def test(self, node: Node) -> Any:
        """A condition between indices."""
        node = clean(node)
        if isinstance(node, Atom) and node.head == "otherwise":
            return True
        if not isinstance(node, Relation):
            raise self.error("expected a condition such as j \\le n_h, or otherwise", node)
        a, b = self.bound(node.left), self.bound(node.right)
        kind = {"=": sp.Eq, "<=": sp.Le, ">=": sp.Ge, "<": sp.Lt, ">": sp.Gt}.get(node.sign)
        if kind is None:
            raise self.error("expected =, <, >, ≤ or ≥", node)
        return kind(a, b, evaluate=False)

    def bound(self, node: Node | None) -> Any:
        with self.names.reading(self.letters):
            found = self.names.index(node)
        found = self.names.size(node) if found is None else found
        if found is None and isinstance(node, Sum):
            parts = [self.bound(i) for i in node.items]
            found = sp.Add(*(p if s == "+" else -p for s, p in zip(node.signs, parts, strict=True)))
        if found is None and node is not None:
            raise self.error("expected an index, a step or a size", node)
        return found

    def gradient(self, node: Frac) -> Any:
        """dL/dh_i^t: an entry of a quantity that the text defines."""
        over, under = clean(node.over), clean(node.under)
        assert isinstance(over, Derivation) and isinstance(under, Derivation)
        if not is_loss(self.meaning, over.body):
            raise self.error("in index notation derivatives of the loss are read", node)
        inner = self.entry_name(under.body)
        name = adjoint_name(self.meaning, inner[0])
        if name not in self.names.own:
            raise self.error(f"dL/d{inner[0]} is used here, but no equation defines it; {hint(LATEX)}", node)
        return self.made(name, inner[1], inner[2])

    def entry_name(self, node: Node) -> tuple[str, Any, list[Any]]:
        """The name, step and indices of an entry."""
        entry = self.entry(node)
        if isinstance(entry, sp.Indexed):
            name, index = str(entry.base), list(entry.indices)
            step = index.pop(0) if self.names.timed.get(name) else None
            return name, step, index
        return str(entry), None, []

    def product(self, node: Product) -> Any:
        total: Any = sp.S.One
        k = 0
        while k < len(node.items):
            item, sign = node.items[k], node.signs[k]
            follows = node.items[k + 1] if k + 1 < len(node.items) and not node.signs[k + 1] else None
            if follows is not None and function_of(self.meaning, item) is not None:
                value = self.call(item, follows)
                k += 1
            else:
                value = self.value(item)
            total = total / value if sign == "/" else total * value
            k += 1
        return total

    def call(self, head: Node, argument: Node) -> Any:
        name = function_of(self.meaning, head)
        if name not in FUNCTIONS:
            raise self.error(f"{name} is no elementwise function; entries of it are not read", head)
        _, _, sup, primes = opened(clean(head))
        after = argument.sup if isinstance(argument, Scripts) and isinstance(clean(argument.base), Group) else None
        x = self.value(argument.base if after is not None and isinstance(argument, Scripts) else argument)
        result = sp.Function(name)(x)
        if primes:
            result = FUNCTIONS[name].slope(x, result)
        for power in (sup, after):
            if power is not None:
                result = result ** int(self.names.index(power))
        return result

    def sum(self, node: Big) -> Any:
        letter, first, last = self._bounds(node)
        over_t = letter == "t"
        symbol = tm.t if over_t else sp.Symbol(letter, integer=True)
        time, letters = over_t or last == tm.T, self.letters
        self.letters = letters if time else {**letters, letter: symbol}
        with self.names.reading({letter: symbol} if time else {}):
            body = self.value(node.body)
        self.letters = letters
        if last is None:
            last = tm.T if over_t else self.range_of(symbol, [body], node)
        return sp.Sum(body, (symbol, sp.S.One if first is None else first, last))

    def _bounds(self, node: Big) -> tuple[str, Any, Any]:
        lower = clean(node.lower) if node.lower is not None else None
        last = self._end(node.upper)
        if isinstance(lower, Atom):
            return lower.head, None, last
        if isinstance(lower, Relation) and lower.sign == "=" and isinstance(clean(lower.left), Atom):
            return clean(lower.left).head, self.bound(lower.right), last  # type: ignore[attr-defined]
        raise self.error("expected bounds such as k = 1 below and n above", node)

    def _end(self, node: Node | None) -> Any:
        """The upper bound of a sum; one letter that is no size here stands for the whole range."""
        inner = clean(node) if node is not None else None
        if isinstance(inner, Atom) and self.names.index(inner) is None and self.names.size(inner) is None:
            return None
        return self.bound(node) if node is not None else None

    def range_of(self, letter: Any, exprs: Iterable[Any], node: Node) -> Any:
        """How far an index runs, by where it stands."""
        for expr in exprs:
            for entry in sorted(expr.atoms(sp.Indexed), key=str):
                name = str(entry.base)
                index = list(entry.indices)
                if self.names.timed.get(name):
                    index.pop(0)
                sizes = [s for s in self.shapes.get(name, ()) if s != 1]
                for k, s in zip(index, sizes, strict=False):
                    if k == letter and s is not None:
                        return s
        raise self.error(f"how far {letter} runs cannot be told; give the bounds of the sum", node)


def _wanted(shape: Shape) -> int:
    return sum(s != 1 for s in shape)


def _is_time(index: Any) -> bool:
    return index is not None and bool(index.has(tm.t) or index.has(tm.T))


def _base_subs(node: Node) -> tuple[Node, list[Node]]:
    base, sub, _, _ = opened(node)
    return base, parts_of(sub)
