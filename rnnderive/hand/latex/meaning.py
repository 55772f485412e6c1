"""What a formula means: its tree as a tree of the language, in the network's names.

Where LaTeX says less than is meant, names and shapes decide: a superscript T is the last step of a
sequence and the transpose of everything else; two things side by side are a matrix product, a scalar's
product, or ⊙ where no other fits.  What they do not decide is an error that says so.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import sympy as sp

from rnnderive.errors import LanguageError
from rnnderive.hand.latex.blocks import block_of, part_of
from rnnderive.hand.latex.derivatives import derivative, gradient, is_derivative
from rnnderive.hand.latex.dots import filled_product, filled_sum, has_dots
from rnnderive.hand.latex.names import Names, bare, clean, split_transpose
from rnnderive.hand.latex.products import function_of, product
from rnnderive.hand.latex.running import big
from rnnderive.hand.latex.static import Static, make
from rnnderive.hand.latex.symbols import leaf, locate, opened, raised, special_letter, undefined
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
from rnnderive.language import terms as tm
from rnnderive.language.syntax import Raw

__all__ = ["Meaning"]


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

    def scripted(self, node: Node) -> Raw:
        """A symbol, or a bracket, with scripts."""
        base, sub, sup, primes = opened(node)
        inner = clean(base)
        if isinstance(inner, Atom) and not primes and inner.head in ("T", "B", "I", "e", "K", "n", "m"):
            letter = special_letter(self, inner, sub, sup, node)
            if letter is not None:
                return letter
        if isinstance(inner, Constant) and inner.entry and isinstance(test := bare(sub), Relation):
            return self.indicator(test)  # 𝟏 with the condition below
        place = locate(self, node)
        if place is not None and not place.known:
            if (block := block_of(self, base, sub, sup)) is not None:
                return block
            if function_of(self, node) is not None:
                raise self.error("found a function without its argument", node)
            undefined(self, place, node)
        if place is not None:
            return raised(self, leaf(self, place, node), place.rest, place.transposes, node)
        if primes:
            raise self.error(
                "found ' after what is no function; a derivative of a function is written \\sigma'(…)", node
            )
        return self._bracket(node, inner, sub, sup)

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
            value = part_of(self, value, sub, node, "")
        return raised(self, value, rest, transposes, node)

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
                if is_derivative(node):
                    return derivative(self, over, under, node)
                return make(node, "/", self.value(over), self.value(under))
            case Sum(items=items) if has_dots(items):
                return self.value(filled_sum(self, node))
            case Sum(signs=signs, items=items):
                return self.sum(node, signs, items)
            case Product(items=items) if has_dots(items):
                return self.value(filled_product(self, node))
            case Product():
                return product(self, node)
            case Big():
                return big(self, node)
            case Matrix(kind="cases"):
                return self.cases(node)
            case Matrix(rows=rows):
                return self.grid(node, rows)
            case Derivation():
                return gradient(self, node)
            case Dots():
                raise self.error(
                    "⋯ stands for what is not written; expected it between the parts of a sum or product", node
                )
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
