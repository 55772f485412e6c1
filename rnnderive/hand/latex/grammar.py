"""The grammar of formulas: tokens to a tree, by recursive descent; nothing is evaluated."""

from __future__ import annotations

from rnnderive.errors import LanguageError
from rnnderive.hand.latex.atoms import atom, leaf
from rnnderive.hand.latex.cursor import Cursor
from rnnderive.hand.latex.rows import split
from rnnderive.hand.latex.signs import RELATIONS, TIMES
from rnnderive.hand.latex.tokens import Source, Token
from rnnderive.hand.latex.tree import (
    Atom,
    Group,
    Items,
    Node,
    Number,
    Product,
    Relation,
    Row,
    Scripts,
    Sum,
)

__all__ = ["Parser", "formula", "rows"]

MAX_FACTORS = 150


def rows(source: Source) -> list[Row]:
    """The lines of a text: what each says to be equal.

    Raises
    ------
    LanguageError
        With line and column, what was found and what was expected.
    """
    out = []
    for sides, conditions in split(source):
        trees = tuple(Parser(source, side).whole() for side in sides)
        out.append(
            Row(trees, tuple(c for tokens in conditions for c in _relations(Parser(source, tokens).items(False))))
        )
    return out


def formula(text: str) -> Node:
    """The tree of one formula."""
    found = rows(Source(text))
    if len(found) != 1 or len(found[0].sides) != 1:
        raise LanguageError(f"expected one formula, found {text!r}")
    return found[0].sides[0]


def _relations(node: Node) -> list[Relation]:
    if isinstance(node, Relation):
        inner = _relations(node.left)
        return [*inner, Relation(node.line, node.column, inner[-1].right, node.sign, node.right) if inner else node]
    return [r for item in node.items for r in _relations(item)] if isinstance(node, Items) else []


class Parser(Cursor):
    """Reads the tokens of one side of an equation."""

    fence = ""  # < inside ⟨t⟩, where > is no relation
    bars = 0  # how many | are open, of which the next one closes the last

    def whole(self) -> Node:
        node = self.items(False)
        if not self.sees("stop"):
            raise self.error("an operator or the end of the formula")
        return node

    # ------------------------------------------------------------ lists, relations, sums

    def items(self, script: bool) -> Node:
        """Parts with commas between them, or one part."""
        token = self.here
        found = [self.relation(script)]
        marks = []
        while self.sees("sign", ",", ";", ":", "quad") or (script and self.sees("word", ":")):
            mark = self.take().text
            if mark == "quad" or (mark == "," and self.sees("sign", "quad")):
                continue
            marks.append(mark)
            found.append(self.relation(script))
        if len(found) == 1:
            return found[0]
        if len(set(marks)) == 1:
            return Items(token.line, token.column, tuple(found), marks[0])
        if set(marks) == {",", ":"}:  # a block by rows and columns
            return self.ranges(token, found, marks)
        raise self.error("one kind of separator", token)

    def ranges(self, token: Token, found: list[Node], marks: list[str]) -> Node:
        parts = [found[0]]
        for mark, node in zip(marks, found[1:], strict=True):
            if mark == ":":
                parts[-1] = Items(node.line, node.column, (parts[-1], node), ":")
            else:
                parts.append(node)
        return Items(token.line, token.column, tuple(parts))

    def relation(self, script: bool) -> Node:
        left = self.sum(script)
        while True:
            sign = None
            if self.sees("sign", "=", "<", ">"):
                sign = self.here.text
                if sign == ">" and script and self.fence == "<":
                    break
            elif self.here.kind == "command":
                sign = RELATIONS.get(self.here.text)
            if sign is None:
                break
            token = self.take()
            left = Relation(token.line, token.column, left, sign, self.sum(script))
        return left

    def sum(self, script: bool = False) -> Node:
        token = self.here
        signs: list[str] = []
        items: list[Node] = []
        while True:
            sign = "+"
            first = not items
            if self.sees("sign", "+", "-"):
                while self.sees("sign", "+", "-"):
                    if self.take().text == "-":
                        sign = "-" if sign == "+" else "+"
            elif not first:
                break
            if script and first and self.ends():
                return Atom(token.line, token.column, token.text)  # the + of ∂⁺
            signs.append(sign)
            items.append(self.deeper(self.product))
        if signs == ["+"]:
            return items[0]
        return Sum(token.line, token.column, tuple(signs), tuple(items))

    def ends(self) -> bool:
        """Whether nothing more of a product stands here."""
        return (
            self.here.kind in ("stop", "}", "close", "row", "end", "break")
            or self.sees("sign", "+", "-", "=", "<", ">", ",", ";", ":", "&", ".", "quad")
            or (self.here.kind == "command" and self.here.text in RELATIONS)
            or (self.sees("word", ":"))
        )

    # ------------------------------------------------------------ products

    def product(self) -> Node:
        token = self.here
        signs, items = [""], [self.factor()]
        while not self.ends():
            sign = ""
            if self.here.kind == "command" and self.here.text in TIMES:
                sign = TIMES[self.take().text]
            elif self.sees("sign", "*", "/"):
                sign = self.take().text
            elif self.sees("sign", "|", "‖") and self.bars:
                break
            if len(items) >= MAX_FACTORS:
                message = (
                    f"the product has more than {MAX_FACTORS} factors; name a part of it in an equation of its own"
                )
                raise self.source.error(message, self.here.line, self.here.column)
            signs.append(sign)
            items.append(self.signed() if sign and self.sees("sign", "-") else self.factor())
        if len(items) == 1:
            return items[0]
        return Product(token.line, token.column, tuple(signs), tuple(items))

    def signed(self) -> Node:
        token = self.take()
        return Sum(token.line, token.column, ("-",), (self.factor(),))

    def factor(self) -> Node:
        return self.deeper(lambda: self.scripts(atom(self)))

    def scripts(self, base: Node) -> Node:
        """What is set below and above a base."""
        sub: Node | None = None
        sup: Node | None = None
        primes = 0
        while self.sees("sign", "_", "^", "'"):
            token = self.take()
            if token.text == "'":
                primes += 1
            elif token.text == "_":
                if sub is not None:
                    raise self.error("one subscript", token)
                sub = self.script()
            else:
                value = self.script()
                if isinstance(value, Atom) and value.head == "prime":
                    primes += 1
                elif sup is not None:
                    sup = Product(token.line, token.column, ("", ""), (sup, value))
                else:
                    sup = value
        if sub is None and sup is None and not primes:
            return base
        return Scripts(base.line, base.column, base, sub, sup, primes)

    def script(self) -> Node:
        token = self.here
        if self.sees("{"):
            self.take()
            if self.sees("sign", "<"):
                return self.angled()
            node = self.deeper(lambda: self.items(True))
            self.close("}", "}")
            return node
        if token.kind in ("letter", "digits", "word"):
            self.take()
            if token.kind == "digits" and len(token.text) > 1 and "." not in token.text:
                # x^12 is x¹2 in LaTeX; nobody means that.
                return Number(token.line, token.column, token.text)
            return leaf(token)
        if token.kind == "sign" and token.text in "+-*":
            self.take()
            return Atom(token.line, token.column, token.text)
        return self.deeper(lambda: atom(self))

    def angled(self) -> Node:
        """The t of ⟨t⟩, written <t>."""
        token = self.take()
        outer, self.fence = self.fence, "<"
        node = self.deeper(lambda: self.items(True))
        self.fence = outer
        if not self.sees("sign", ">"):
            raise self.error("'>'")
        self.take()
        group = Group(token.line, token.column, node, "<")
        if self.sees("}"):
            self.take()
            return group
        rest = self.deeper(self.product)
        self.close("}", "}")
        return Product(token.line, token.column, ("", ""), (group, rest))
