"""What a formula means: its tree as a tree of the language, in the network's names.

Where LaTeX says less than is meant, names and shapes decide: a superscript T is the last step of a
sequence and the transpose of everything else; two things side by side are a matrix product, a scalar's
product, or ⊙ where no other fits.  What they do not decide is an error that says so.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import sympy as sp

from rnnderive.errors import LanguageError
from rnnderive.hand.latex.blocks import offsets
from rnnderive.hand.latex.names import Names, clean, key, parts_of, split_transpose
from rnnderive.hand.latex.static import Static, make
from rnnderive.hand.latex.tokens import Source
from rnnderive.hand.latex.tree import (
    Accent,
    Atom,
    Big,
    Constant,
    Derivation,
    Dots,
    Frac,
    Group,
    Items,
    Matrix,
    Node,
    Number,
    Product,
    Relation,
    Scripts,
    Sum,
)
from rnnderive.hand.partials import Partials
from rnnderive.language import FUNCTIONS
from rnnderive.language import terms as tm
from rnnderive.language.syntax import LOSSES, UNARY, Raw, read, write
from rnnderive.language.terms import Term

__all__ = ["Meaning", "Place"]

_WORDS = {
    **{n: n for n in FUNCTIONS}, **{f.symbol: n for n, f in FUNCTIONS.items() if f.symbol},
    **{n: n for n in (*UNARY, *LOSSES)}, "sum": "sum_entries", "Diag": "diag", "ReLu": "relu", "Softmax": "softmax",
    "sgn": "sign", "ln": "log", "logsoftmax": "log_softmax", "sigm": "sigmoid", "logistic": "sigmoid",
}  # fmt: skip
_LOSS_LETTERS = frozenset({"L", "E", "J", "l", "Loss", "loss"})


@dataclass(frozen=True)
class Place:
    """A name that a symbol with scripts is.

    Attributes
    ----------
    name : str
    index : Expr or None
        Its time index.
    rest : Node or None
        What else stands above it: a power.
    transposes : int
    known : bool
    """

    name: str
    index: Any
    rest: Node | None
    transposes: int
    known: bool = True


class Meaning:
    """Reads the formulas of one text.

    Attributes
    ----------
    wrt : str
        What the equation at hand is the derivative in, where it is one.
    timed : bool
        Whether the equation at hand holds for every t.
    used : bool
        Whether a derivative of the network was put in.
    """

    def __init__(
        self, source: Source, names: Names, static: Static, partials: Partials, functions: Mapping[str, str]
    ) -> None:
        self.source, self.names, self.static, self.partials = source, names, static, partials
        self.functions = dict(functions)
        self.wrt = ""
        self.timed = False
        self.used = False
        self.in_sum = False

    def error(self, message: str, node: Node) -> LanguageError:
        return self.source.error(message, node.line, node.column)

    # ------------------------------------------------------------ names

    def locate(self, node: Node) -> Place | None:
        """The name and the index of a symbol; None where it is no symbol."""
        node = clean(node)
        base, sub, sup, primes = _opened(node)
        if primes or key(base) is None:
            return None
        rest, transposes = split_transpose(sup)
        name, index = self._named(base, sub)
        if name is None:
            return self._unknown(base, sub, rest, transposes)
        timed = self.names.timed.get(name, True)
        if rest is None:
            return Place(name, index, None, transposes)
        step = self.names.index(rest)
        bare = isinstance(clean(rest), Atom | Number)
        if index is not None or not timed:
            if isinstance(clean(rest), Atom) and clean(rest).head == "T":  # type: ignore[attr-defined]
                return Place(name, index, None, transposes + 1)
            if step == 0 and not timed and isinstance(clean(rest), Number):
                raise self.error(f"{name} has no time index, so that there is none at t = 0", node)
            return Place(name, index, rest, transposes)
        if step is None:
            return Place(name, None, rest, transposes)
        if bare and name in self.names.below and (step == tm.T or (step.is_Integer and step > 1)):
            two = ("the transpose", r"^\top") if step == tm.T else (f"the power {step}", f"_t^{step}")
            raise self.error(
                f"this can be {two[0]}, or {name} at step {step}: elsewhere the text has the time as a subscript. "
                f"Write {name}_{{{step}}} or {name}{two[1]}", node,
            )  # fmt: skip
        return Place(name, step, None, transposes)

    def _named(self, base: Node, sub: Node | None) -> tuple[str | None, Any]:
        """The known name, and the index that its subscript gives."""
        subs = parts_of(sub)
        name = self.names.find(base, subs)
        if name is not None:
            return name, None
        if subs and (index := self.names.index(subs[-1])) is not None:
            name = self.names.find(base, subs[:-1])
            if name is not None and self.names.timed.get(name):
                return name, index
        label = self.names.typeset(base, subs)
        if label is not None and label not in self.names.inner and label in self.partials.states:
            return label, None
        return None, None

    def _unknown(self, base: Node, sub: Node | None, rest: Node | None, transposes: int) -> Place | None:
        """A name that nobody knows, as well as it can be told."""
        subs = parts_of(sub)
        index = self.names.index(rest)
        below = self.names.index(subs[-1]) if subs else None
        if index is None and below is not None and below.has(tm.t, tm.T):
            name = self.names.typeset(base, subs[:-1])
            return None if name is None else Place(name, below, rest, transposes, False)
        name = self.names.typeset(base, subs)
        if name is None:
            return None
        return Place(name, index, None if index is not None else rest, transposes, False)

    def leaf(self, place: Place, node: Node) -> Raw:
        """A name at its index; what lies outside 1..T is an initial state."""
        name, index = place.name, place.index
        if index is None:
            if name in self.partials.states:
                raise self.error(f"{name} is a state of several sequences; it takes a step", node)
            return make(node, "name", data=name)
        beyond = sp.expand(index - tm.T)
        if (index.is_Integer and index < 1) or (beyond.is_Integer and beyond > 0):
            return make(node, "name", data=f"{name}0")
        return make(node, "at", data=(name, index))

    def scripted(self, node: Node) -> Raw:
        """A symbol, or a bracket, with scripts."""
        base, sub, sup, primes = _opened(node)
        inner = clean(base)
        if isinstance(inner, Atom) and not primes and inner.head in ("T", "B", "I", "e", "K", "n", "m"):
            special = self._special(inner, sub, sup, node)
            if special is not None:
                return special
        place = self.locate(node)
        if place is not None and not place.known:
            if (block := self._block(base, sub, sup)) is not None:
                return block
            if self._function(node) is not None:
                raise self.error("found a function without its argument", node)
            self._undefined(place, node)
        if place is not None:
            return self.raised(self.leaf(place, node), place.rest, place.transposes, node)
        if primes:
            raise self.error("found ' after what is no function; a derivative of a function is written \\sigma'(…)", node)
        return self._bracket(node, inner, sub, sup)

    def _undefined(self, place: Place, node: Node) -> None:
        known = [*self.names.net.leaves, *self.names.own]
        near = difflib.get_close_matches(place.name, known, 2, 0.6)
        hint = f"; did you mean {' or '.join(near)}?" if near else "."
        where = "in the correct derivation only; define it" if place.name in self.names.inner else "defined nowhere"
        raise self.error(f"{place.name} is {where}{hint} Known are {', '.join(known)}; names= gives another name", node)

    def _bracket(self, node: Node, inner: Node, sub: Node | None, sup: Node | None) -> Raw:
        """A bracket, a norm or a matrix with scripts."""
        rest, transposes = split_transpose(sup)
        if isinstance(inner, Group) and inner.fence == "‖":
            if not (isinstance(rest, Number) and rest.text == "2" and not transposes and sub in (None, rest)):
                raise self.error("of norms ‖x‖² is read, the sum of the squares", node)
            body = self.value(inner.body)
            return make(node, "sum_entries", make(node, "**", body, data=2))
        if isinstance(rest, Atom) and rest.head == "T":
            rest, transposes = None, transposes + 1
        value = self.value(inner)
        if sub is not None:
            value = self._part(value, sub, node, "")
        return self.raised(value, rest, transposes, node)

    def raised(self, value: Raw, rest: Node | None, transposes: int, node: Node) -> Raw:
        """A value to a power, and transposed."""
        if rest is not None:
            power = self.names.index(rest)
            if power is None or not power.is_Integer:
                shown = "a name without a time index" if value.op == "name" else "this"
                raise self.error(f"found a superscript of {shown} that is no power and no transpose", rest)
            if not -64 <= int(power) <= 64:
                raise self.error("expected an exponent up to 64", rest)
            if power < 0 and not self.static.scalar(value):
                raise self.error("found a negative power; inverses of matrices are not read, write 1/x entry by entry", rest)
            value = make(node, "**", value, data=int(power))
        for _ in range(transposes % 2):
            value = make(node, ".T", value)
        return value

    def _special(self, atom: Atom, sub: Node | None, sup: Node | None, node: Node) -> Raw | None:
        """Letters that mean something unless they are names: T, B, I, e, sizes."""
        if self.names.find(atom, parts_of(sub)) is not None:
            return None
        if atom.head in self.names.keys.values() and atom.head in self.names.timed | dict.fromkeys(self.names.own):
            return None
        if atom.head == "e" and sub is None and sup is not None:
            return make(node, "apply", self.value(sup), data="exp")
        if atom.head == "K" and sub is not None and sup is None:
            size = [self.names.size(p) for p in (sub.items if isinstance(sub, Product) else parts_of(sub))]
            if len(size) == 2 and None not in size:
                return make(node, "commutation", data=size)
        if atom.head == "I":
            if sup is not None and split_transpose(sup)[0] is not None:
                return None
            return make(node, "fill", data=tm.Eye)
        size = self.names.size(Scripts(node.line, node.column, atom, sub) if sub is not None else atom)
        if size is None:
            return None
        raw = make(node, "extent", data=size) if size.is_Symbol else make(node, "number", data=size)
        return self.raised(raw, sup, 0, node) if sup is not None else raw

    # ------------------------------------------------------------ blocks

    def _block(self, base: Node, sub: Node | None, sup: Node | None) -> Raw | None:
        """W_{f,h}: the part of W_f that acts on h."""
        subs = parts_of(sub)
        if subs and isinstance(subs[-1], Items) and subs[-1].mark == ":":
            kept = list(subs)
            ranges = []
            while kept and isinstance(kept[-1], Items) and kept[-1].mark == ":":
                ranges.insert(0, kept.pop())
            name = self.names.find(base, kept)
            if name is None:
                return None
            whole = make(base, "name", data=name)
            for r in [Items(sub.line, sub.column, tuple(ranges))] if sub else []:
                whole = self._part(whole, r, base, name)
            return self._after_block(whole, sup, base)
        found = key(base, subs)
        if found is None:
            return None
        head, marks, flat = found
        for k in range(len(flat) - 1, -1, -1):
            whole_name = self.names.keys.get((head, marks, flat[:k]))
            part = self.names.keys.get((flat[k], (), flat[k + 1 :]))
            if whole_name is None or part is None or not self._there(whole_name) or part not in self.names.timed:
                continue
            rest, transposes = split_transpose(sup)
            index = self.names.index(rest) if self.names.timed.get(whole_name) else None
            if index is not None:
                rest = None
            whole = self.leaf(Place(whole_name, index, None, 0), base)
            block = self._slice(whole, part, base, whole_name)
            if isinstance(rest, Atom) and rest.head == "T":
                rest, transposes = None, transposes + 1
            return self.raised(block, rest, transposes, base)
        return None

    def _there(self, name: str) -> bool:
        return name in self.names.timed or name in self.names.own

    def _after_block(self, whole: Raw, sup: Node | None, node: Node) -> Raw:
        rest, transposes = split_transpose(sup)
        if isinstance(rest, Atom) and rest.head == "T":
            rest, transposes = None, transposes + 1
        if rest is not None and whole.parts[0].op == "name" and self.names.timed.get(whole.parts[0].data):
            index = self.names.index(rest)
            whole.parts[0] = self.leaf(Place(whole.parts[0].data, index, None, 0), node)
            rest = None
        return self.raised(whole, rest, transposes, node)

    def _part(self, whole: Raw, sub: Node, node: Node, name: str) -> Raw:
        """The block of a value that a subscript names: by a sequence, or by bounds."""
        parts = parts_of(sub)
        if all(isinstance(p, Items) and p.mark == ":" for p in parts):
            bounds = [tuple(self.names.size(x) for x in p.items) for p in parts if isinstance(p, Items)]
            if all(len(b) == 2 and None not in b for b in bounds) and len(bounds) <= 2:
                if len(bounds) == 1 and self.static.is_matrix(whole):
                    bounds = self._sided(whole, bounds[0])
                return make(node, "block", whole, data=bounds)
        found = key(parts[0], parts[1:]) if isinstance(clean(parts[0]), Atom | Accent | Scripts) else None
        part = self.names.keys.get(found) if found is not None else None
        if part is None or part not in self.names.timed:
            raise self.error("found a subscript of a bracket that is no name of a sequence and no range of rows", sub)
        return self._slice(whole, part, node, name)

    def _sided(self, whole: Raw, bounds: tuple[Any, ...]) -> list[Any]:
        """Rows or columns, by what is not the whole of either."""
        shape = self.static.shape(whole)
        assert shape is not None
        fits = [sp.expand(size - bounds[1]) for size in shape]
        return [(None, None), bounds] if fits[0] != 0 and not fits[0].is_positive and fits[1] != 0 else [bounds]

    def _slice(self, whole: Raw, part: str, node: Node, name: str) -> Raw:
        shape = self.static.shape(whole)
        rows, columns = offsets(self.names.net, name, shape, part)
        found = columns or rows
        if len(found) != 1:
            why = "stands in several places of it" if found else "is no part of it, as far as its shape is known"
            raise self.error(f"which block this is cannot be told: {part} {why}", node)
        start, stop = found[0]
        return make(node, "block", whole, data=[(None, None), (start, stop)] if columns else [(start, stop)])

    # ------------------------------------------------------------ values

    def value(self, node: Node) -> Raw:
        """The formula as a tree of the language."""
        match node:
            case Number(text=text):
                return make(node, "number", data=sp.Rational(text))
            case Atom() | Accent() | Scripts():
                return self.scripted(node)
            case Constant(entry=entry):
                return make(node, "fill", data=tm.Ones if entry else tm.Zeros)
            case Group():
                return self.group(node)
            case Frac(over=over, under=under):
                if _is_derivative(node):
                    return self.derivative(over, under, node)
                return make(node, "/", self.value(over), self.value(under))
            case Sum(signs=signs, items=items):
                return self.sum(node, signs, items)
            case Product():
                return self.product(node)
            case Big():
                return self.big(node)
            case Matrix(kind="cases"):
                return self.cases(node)
            case Matrix(rows=rows):
                return self.grid(node, rows)
            case Derivation():
                return self.gradient(node)
            case Dots():
                raise self.error("⋯ stands for what is not written; write the sum with \\sum, or all of it", node)
            case Relation():
                raise self.error("found a relation inside a formula; a condition is written [t = T]", node)
            case Items():
                raise self.error("found a list; parts below each other are written [u, v]", node)
        raise self.error("this cannot be read here", node)

    def group(self, node: Group) -> Raw:
        body = node.body
        if isinstance(body, Relation):
            return self.indicator(body)
        if isinstance(body, Items) and node.fence == "[":
            return make(node, "stack", *(self.value(i) for i in body.items))
        if node.fence == "|":
            return make(node, "apply", self.value(body), data="abs")
        if node.fence == "‖":
            raise self.error("of norms ‖x‖² is read, the sum of the squares", node)
        return self.value(body)

    def indicator(self, relation: Relation) -> Raw:
        """[t = T]: one where it holds, zero elsewhere."""
        sign, a, b = self.condition(relation)
        return make(relation, "where", make(relation, "number", data=sp.S.One), data=(sign, a, b))

    def condition(self, relation: Relation) -> tuple[str, Any, Any]:
        """A relation between steps as the language has it."""
        a, b = self.names.index(relation.left), self.names.index(relation.right)
        sign = "==" if relation.sign == "=" else relation.sign
        if a is None or b is None or sign == "in":
            raise self.error("expected a condition between steps, such as t = T or t < T", relation)
        if sign in "<>":
            sign, b = sign + "=", b + (1 if sign == ">" else -1)
        return sign, a, b

    def sum(self, node: Node, signs: tuple[str, ...], items: tuple[Node, ...]) -> Raw:
        parts = []
        for sign, item in zip(signs, items, strict=True):
            value = self.value(item)
            parts.append(make(item, "neg", value) if sign == "-" else value)
        return parts[0] if len(parts) == 1 else make(node, "+", *parts)

    def cases(self, node: Matrix) -> Raw:
        """Values under conditions; the last one may hold otherwise."""
        total: Raw | None = None
        tests: list[Raw] = []
        for row in node.rows:
            value = self.value(row[0])
            test = clean(row[1]) if len(row) > 1 else None
            if isinstance(test, Relation):
                weight = self.indicator(test)
                tests.append(weight)
            elif test is None or (isinstance(test, Atom) and test.head.lower() in ("otherwise", "else", "sonst")):
                one = make(node, "number", data=sp.S.One)
                weight = make(node, "+", one, *(make(node, "neg", other) for other in tests))
            else:
                raise self.error("expected a condition such as t = T, or otherwise", row[1])
            part = make(row[0], "*", weight, value)
            total = part if total is None else make(node, "+", total, part)
        assert total is not None
        return total

    def grid(self, node: Matrix, rows: tuple[tuple[Node, ...], ...]) -> Raw:
        if len({len(r) for r in rows}) > 1:
            raise self.error("expected rows of one length", node)
        cells = [self.value(c) for r in rows for c in r]
        if len(rows[0]) == 1:
            return make(node, "stack", *cells) if len(cells) > 1 else cells[0]
        return make(node, "blocks", *cells, data=len(rows[0]))

    # ------------------------------------------------------------ products

    def product(self, node: Product) -> Raw:
        """Factors side by side bind closer than ⊙; a function takes what follows it."""
        groups: list[tuple[str, list[Raw], Node]] = []
        k = 0
        signs, items = node.signs, node.items
        while k < len(items):
            item, sign = items[k], signs[k]
            follows = items[k + 1] if k + 1 < len(items) and not signs[k + 1] else None
            if _is_ratio(items, signs, k):
                value = self.derivative(items[k], items[k + 1], node)
                k += 1
            elif isinstance(item, Constant) and item.entry and isinstance(follows, Group) and isinstance(follows.body, Relation):
                value = self.indicator(follows.body)
                k += 1
            elif follows is not None and self._function(item) is not None:
                value = self.call(item, follows)
                k += 1
            elif (at := self._in_brackets(item, follows)) is not None:
                value = at
                k += 1
            else:
                value = self.value(item)
            if sign or not groups:
                groups.append((sign, [value], item))
            else:
                groups[-1][1].append(value)
            k += 1
        return self._folded(groups)

    def _folded(self, groups: list[tuple[str, list[Raw], Node]]) -> Raw:
        total: Raw | None = None
        for sign, values, node in groups:
            if total is None:
                total = self.beside(values, node)
            elif sign == "/":
                total = make(node, "/", total, values[0])
                for v in values[1:]:
                    total = self.static.beside(node, total, v)
            else:
                total = self._joined(sign, total, values, node)
        assert total is not None
        return total

    def beside(self, values: list[Raw], node: Node) -> Raw:
        total = values[0]
        for v in values[1:]:
            total = self.static.beside(node, total, v)
        return total

    def _joined(self, sign: str, left: Raw, values: list[Raw], node: Node) -> Raw:
        """left ⊙ a b: what of a b belongs to ⊙ is told by the shapes."""
        whole = self.beside(values, node)
        if sign == "otimes":
            return self._outer(left, whole, node)
        if sign in ("cdot", "times", "*"):
            return self._dotted(sign, left, whole, node)
        if len(values) > 1 and self.static.fits(left, whole) is False:
            for k in range(len(values) - 1, 0, -1):
                first = self.beside(values[:k], node)
                if self.static.fits(left, first):
                    return self.beside([make(node, "*", left, first), *values[k:]], node)
        return make(node, "*", left, whole)

    def _outer(self, left: Raw, right: Raw, node: Node) -> Raw:
        """u ⊗ v of two columns is u vᵀ; of all else the Kronecker product."""
        if self.static.is_column(left) and self.static.is_column(right):
            return make(node, "@", left, make(node, ".T", right))
        return make(node, "kron", left, right)

    def _dotted(self, sign: str, a: Raw, b: Raw, node: Node) -> Raw:
        """A point or a star: whatever fits the shapes."""
        s = self.static
        x, y = s.shape(a), s.shape(b)
        if s.scalar(a) or s.scalar(b):
            return make(node, "*", a, b)
        if x is not None and y is not None:
            same = s.same(x[0], y[0]) and s.same(x[1], y[1])
            if same and s.is_column(a) and sign == "cdot":
                raise self.error("a point between two columns can be ⊙ or their scalar product; "
                                 "write \\odot, or a^\\top b", node)  # fmt: skip
            if same and (sign == "*" or not s.same(x[1], y[0])):
                return make(node, "*", a, b)
            return make(node, "@" if s.same(x[1], y[0]) else "*", a, b)
        return make(node, "@" if sign != "*" and s.is_matrix(a) else "*", a, b)

    def _function(self, node: Node) -> str | None:
        """The function that a symbol is, unless it is a name."""
        node = clean(node)
        base, sub, _, _ = _opened(node)
        base = clean(base)
        if not isinstance(base, Atom) or self.names.find(base, parts_of(sub)) is not None:
            return None
        if base.head in self.functions:
            return self.functions[base.head]
        if sub is not None:
            return None
        if base.head == "vec" or base.upright or base.head in ("sigma", "Phi", "phi"):
            return _WORDS.get(base.head) or _WORDS.get(base.head.lower())
        return None

    def _in_brackets(self, item: Node, follows: Node | None) -> Raw | None:
        """h(t−1): a sequence at a step."""
        if not isinstance(follows, Group) or follows.fence != "(" or isinstance(item, Number | Group):
            return None
        index = self.names.index(follows.body)
        if index is None or not index.free_symbols:
            return None
        place = self.locate(item) if isinstance(item, Atom | Accent | Scripts) else None
        if place is None or not place.known or place.index is not None or not self.names.timed.get(place.name):
            return None
        return self.leaf(Place(place.name, index, None, 0), item)

    def call(self, head: Node, argument: Node) -> Raw:
        """A function of what follows; scripts behind the bracket belong to the value."""
        name = self._function(head)
        assert name is not None
        _, _, sup, primes = _opened(clean(head))
        after: Node | None = None
        inner = argument
        if isinstance(argument, Scripts) and isinstance(clean(argument.base), Group):
            group = clean(argument.base)
            if isinstance(group, Group) and group.fence in "([{" and argument.sub is None and not argument.primes:
                inner, after = group, argument.sup
        if isinstance(inner, Group) and inner.fence in "([{" and isinstance(inner.body, Items) and inner.fence != "[":
            values = [self.value(i) for i in inner.body.items]
        else:
            values = [self.value(inner)]
        inverse = isinstance(sup, Sum) and self.names.index(sup) == -1
        result = self._applied(name, values, primes, inverse, head)
        rest, transposes = split_transpose(None if inverse else sup)
        if rest is not None or transposes:
            result = self.raised(result, rest, transposes, head)
        rest, transposes = split_transpose(after)
        if isinstance(rest, Atom) and rest.head == "T":
            rest, transposes = None, transposes + 1
        return self.raised(result, rest, transposes, head)

    def _applied(self, name: str, values: list[Raw], primes: int, inverse: bool, node: Node) -> Raw:
        wanted = 2 if name in LOSSES else 1
        if len(values) != wanted:
            raise self.error(f"{name} takes {wanted} argument(s), found {len(values)}", node)
        if inverse:
            if name != "vec" or not self.wrt:
                raise self.error(f"the inverse of {name} is not read", node)
            return make(node, "like", values[0], data=self.wrt)
        if primes > 1 or (primes and name not in FUNCTIONS):
            raise self.error("first derivatives of elementwise functions are read", node)
        if primes:
            return slope(name, values[0], node)
        return make(node, "apply", *values, data=name) if name in FUNCTIONS else make(node, name, *values)

    # ------------------------------------------------------------ sums and products over an index

    def big(self, node: Big) -> Raw:
        letter, first, last = self.bounds(node)
        if node.kind == "prod":
            return self._prod(node, letter, first, last)
        first, last = sp.S.One if first is None else first, tm.T if last is None else last
        over_t = letter == "t" or (not self.timed and not self.in_sum and (first, last) == (1, tm.T))
        symbol = tm.t if over_t else sp.Symbol(letter, integer=True)
        body = self._under(letter, symbol, node.body, over_t)
        if not over_t:
            return make(node, "over", body, data=("sum", symbol, first, last, 0))
        for sign, bound, whole in ((">=", first, sp.S.One), ("<=", last, tm.T)):
            if bound != whole:
                body = make(node, "where", body, data=(sign, tm.t, bound))
        return make(node, "sum_t", body)

    def _under(self, letter: str, symbol: Any, body: Node, over_t: bool) -> Raw:
        kept, self.names.letters = self.names.letters, {**self.names.letters, letter: symbol}
        outer, self.in_sum = self.in_sum, self.in_sum or over_t
        try:
            return self.value(body)
        finally:
            self.names.letters, self.in_sum = kept, outer

    def bounds(self, node: Big) -> tuple[str, Any, Any]:
        """The running letter of a sum or product, and its first and last value."""
        lower = clean(node.lower) if node.lower is not None else None
        if isinstance(lower, Atom):
            return lower.head, None, self._bound(node.upper)
        if isinstance(lower, Relation) and lower.sign == "=" and isinstance(clean(lower.left), Atom):
            return clean(lower.left).head, self._bound(lower.right), self._bound(node.upper)  # type: ignore[attr-defined]
        if isinstance(lower, Relation) and node.upper is None:
            chain = [lower]
            while isinstance(chain[0].left, Relation):
                chain.insert(0, chain[0].left)
            ends = [chain[0].left, *(r.right for r in chain)]
            inner = [k for k, e in enumerate(ends) if self.names.index(e) is None and isinstance(clean(e), Atom)]
            if len(inner) == 1 and len(ends) <= 3 and all(r.sign in ("<", "<=", ">", ">=") for r in chain):
                return self._chained(chain, ends, inner[0])
        raise self.error("expected bounds such as t = 1 below and T above", node)

    def _chained(self, chain: list[Relation], ends: list[Node], k: int) -> tuple[str, Any, Any]:
        """1 ≤ k < t, or t ≥ i > k."""
        low: Any = None
        high: Any = None
        for r, j in zip(chain, range(len(chain)), strict=True):
            other = self._bound(ends[j] if j != k else ends[j + 1])
            right = j == k  # letter sign bound
            less = (r.sign[0] == "<") == right
            if less:
                high = other - (1 if len(r.sign) == 1 else 0)
            else:
                low = other + (1 if len(r.sign) == 1 else 0)
        letter = clean(ends[k])
        assert isinstance(letter, Atom)
        return letter.head, low, high

    def _bound(self, node: Node | None) -> Any:
        if node is None:
            return None
        found = self.names.index(node)
        if found is None:
            found = self.names.size(node)
        if found is None:
            raise self.error("expected a bound such as 1, T or t - 1", node)
        return found

    def _prod(self, node: Big, letter: str, first: Any, last: Any) -> Raw:
        """∏, in the order that it is written; between derivatives in the order of the chain."""
        symbol = sp.Symbol(letter, integer=True)
        first, last = sp.S.One if first is None else first, tm.T if last is None else last
        body = self._under(letter, symbol, node.body, False)
        falling = _falls(first, last)
        low, high = (last, first) if falling else (first, last)
        rising = not falling
        lag = self._lag(node.body, letter)
        if lag:
            rising = lag < 0
            if lag < 0:  # right to left, the first step stands on the left
                low, high = first, last
        return make(node, "over", body, data=("prod", symbol, low, high, int(rising)))

    def _lag(self, body: Node, letter: str) -> int:
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
        if not (isinstance(node, Frac) and _is_derivative(node)):
            return 0
        kept, self.names.letters = self.names.letters, {**self.names.letters, letter: sp.Symbol(letter, integer=True)}
        places = [self.locate(x.body) for x in (node.over, node.under) if isinstance(x, Derivation)]
        self.names.letters = kept
        if len(places) != 2 or any(p is None or p.index is None for p in places):
            return 0
        gap = sp.expand(places[0].index - places[1].index)  # type: ignore[union-attr]
        return sign * int(gap) if gap.is_Integer else 0

    # ------------------------------------------------------------ derivatives

    def is_loss(self, node: Node) -> bool:
        """Whether a symbol is the loss."""
        node = clean(node)
        place = self.locate(node) if isinstance(node, Atom | Accent | Scripts) else None
        if place is not None and place.known:
            return place.name == self.names.net.loss
        return isinstance(node, Atom) and node.head in _LOSS_LETTERS

    def adjoint_name(self, name: str) -> str:
        """What dL/d name is called."""
        return self.names.adjoints.get(name, f"d{name}")

    def under(self, node: Node) -> Place:
        """What a derivative is taken in."""
        place = self.locate(node)
        if place is None or place.rest is not None or place.transposes:
            raise self.error("expected a name below the ∂, such as W or h^{t}", node)
        return place

    def derivative(self, over: Node, under: Node, node: Node) -> Raw:
        """∂v/∂u: a quantity that the text defines, or a derivative of the network."""
        top, bottom = clean(over), clean(under)
        assert isinstance(top, Derivation) and isinstance(bottom, Derivation)
        place = self.under(bottom.body)
        if self.is_loss(top.body):
            return self._loss_in(place, top.kind, node)
        v = self.under(top.body)
        if not v.known or not place.known:
            self._undefined(v if not v.known else place, node)
        return self._network(top.kind, self._term(v, node), self._term(place, node), node)

    def _loss_in(self, place: Place, kind: str, node: Node) -> Raw:
        name = self.adjoint_name(place.name)
        zeroth = place.index is not None and place.index == 0
        if zeroth and self.adjoint_name(f"{place.name}0") in self.names.own:
            return make(node, "name", data=self.adjoint_name(f"{place.name}0"))
        if name in self.names.own:
            return self.leaf(Place(name, place.index, None, 0), node)
        if not place.known:
            self._undefined(place, node)
        if place.index is not None and place.index.has(tm.t) and not self.in_sum:
            raise self.error(f"dL/d{place.name} is used here, but no equation defines it", node)
        return self._network(kind, self.names.net.leaf(self.names.net.loss or ""), self._term(place, node), node)

    def _term(self, place: Place, node: Node) -> Term:
        if place.index is not None and place.index == 0:
            return tm.Parameter(f"{place.name}0", *self.names.net.shape(place.name))
        if place.name in self.names.net.leaves or place.name in self.partials.states:
            return self.partials.leaf(place.name, place.index)
        if place.name in self.names.net.initial_states:
            return self.names.net.leaf(place.name)
        raise self.error(f"{place.name} is a quantity of the text; derivatives are taken in names of the network", node)

    def _network(self, kind: str, over: Term, under: Term, node: Node) -> Raw:
        if kind == "d" and isinstance(under, tm.Parameter):
            found = self.partials.total(over, under)
        else:
            found = self.partials.partial("partial" if kind == "d" else kind, over, under, self.wrt)
        if found is None:
            raise self.error("what this derivative is worth is not known here; define it by an equation", node)
        self.used = True
        return make(node, "term", data=found)

    def gradient(self, node: Derivation) -> Raw:
        """dW, or ∇_W L, for dL/dW."""
        place = self.under(_gradient_of(node))
        return self._loss_in(place, "d", node)


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


def _opened(node: Node) -> tuple[Node, Node | None, Node | None, int]:
    node = clean(node)
    if isinstance(node, Scripts):
        inner = clean(node.base)
        if isinstance(inner, Scripts) and node.sub is None and not node.primes and inner.sup is None:
            return inner.base, inner.sub, node.sup, inner.primes
        return node.base, node.sub, node.sup, node.primes
    return node, None, None, 0


def _is_derivative(node: Frac) -> bool:
    over, under = clean(node.over), clean(node.under)
    return isinstance(over, Derivation) and isinstance(under, Derivation) and "nabla" not in (over.kind, under.kind)


def _is_ratio(items: tuple[Node, ...], signs: tuple[str, ...], k: int) -> bool:
    """Whether dL / dW stands here."""
    return (
        k + 1 < len(items)
        and signs[k + 1] == "/"
        and isinstance(items[k], Derivation)
        and isinstance(items[k + 1], Derivation)
    )


def _gradient_of(node: Derivation) -> Node:
    if node.kind == "nabla" and isinstance(node.body, Items):
        return node.body.items[1]
    return node.body


def _falls(first: Any, last: Any) -> bool:
    """Whether a product runs from a later step down to an earlier one."""
    gap = sp.expand(last - first)
    if gap.is_Integer:
        return bool(gap < 0)
    slope_in_T = gap.coeff(tm.T, 1)
    return bool(slope_in_T < 0) if slope_in_T != 0 else bool(gap.as_coeff_Add()[0] > 0)
