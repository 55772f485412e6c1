"""What a formula is made of: names, numbers, brackets, accents, fractions, derivatives, sums, matrices.

Each function reads one kind from where a :class:`rnnderive.hand.latex.grammar.Parser` stands.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from rnnderive.hand.latex.signs import ACCENTS, DOTS, FUNCTIONS, PLAIN, STYLES
from rnnderive.hand.latex.tokens import Token
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
)

if TYPE_CHECKING:
    from rnnderive.hand.latex.grammar import Parser

__all__ = ["atom", "leaf"]


def leaf(token: Token) -> Node:
    if token.kind == "digits":
        return Number(token.line, token.column, token.text)
    if token.kind == "word":
        return Atom(token.line, token.column, token.text, True)
    return Atom(token.line, token.column, token.text)


def atom(read: Parser) -> Node:
    token = read.here
    if token.kind in ("letter", "word") and token.text == "d":
        return differential(read, read.take())
    if token.kind in ("digits", "word", "letter"):
        return leaf(read.take())
    if token.kind == "{":
        read.take()
        if read.sees("}"):
            raise read.error("something between the braces")
        node = read.deeper(lambda: read.items(False))
        read.close("}", "}")
        return Group(token.line, token.column, node, "{}")
    if token.kind == "open":
        return fenced(read, read.take())
    if token.kind == "sign" and token.text in ("|", "‖"):
        read.take()
        read.bars += 1
        node = read.deeper(lambda: read.items(False))
        read.bars -= 1
        if not read.sees("sign", token.text):
            raise read.error(f"the closing {token.text}")
        read.take()
        return Group(token.line, token.column, node, token.text)
    if token.kind == "begin":
        return matrix(read, read.take())
    if token.kind == "command":
        return command(read, read.take())
    raise read.error("a name, a number or a bracket")


def differential(read: Parser, token: Token) -> Node:
    """d before a name, as in dL and dW; a lone d is a name."""
    follows = read.here.kind in ("letter", "word") or (
        read.here.kind == "command" and (read.here.text in PLAIN or read.here.text in ACCENTS | dict.fromkeys(STYLES))
    )
    if not follows:
        return Atom(token.line, token.column, "d")
    return Derivation(token.line, token.column, "d", read.deeper(lambda: read.scripts(atom(read))))


def fenced(read: Parser, token: Token) -> Node:
    bars, read.bars = read.bars, 0
    node = read.deeper(lambda: read.items(False))
    read.bars = bars
    if not read.sees("close", token.text):
        ends = {"(": ")", "[": "]", "{": r"\}", "<": r"\rangle", "|": "|", "‖": r"\|"}[token.text]
        raise read.error(f"{ends!r}, which closes the bracket in line {token.line}, column {token.column}")
    read.take()
    return Group(token.line, token.column, node, token.text)


def command(read: Parser, token: Token) -> Node:
    name, place = token.text, (token.line, token.column)
    if name in PLAIN:
        return Atom(*place, PLAIN[name])
    if name in FUNCTIONS:
        return Atom(*place, "log" if name == "ln" else name, True)
    if name in ("top", "intercal", "prime"):
        return Atom(*place, "top" if name == "intercal" else name)
    if name in ACCENTS:
        return Accent(*place, ACCENTS[name], argument(read))
    if name in STYLES:
        return styled(read, token)
    if name in DOTS:
        return Dots(*place)
    if name in ("frac", "dfrac", "tfrac", "cfrac"):
        return Frac(*place, argument(read), argument(read))
    if name in ("partial", "nabla"):
        return partial(read, token)
    if name in ("sum", "prod"):
        return big(read, token)
    if name in ("mathrm", "text", "operatorname", "mathsf", "mathit"):  # \mathrm d: braces inside, or none
        return argument(read)
    if name == "colon":
        return Atom(*place, ":", True)
    raise read.error("a sign that is known here", token)


def argument(read: Parser) -> Node:
    """What stands between the braces that follow, or the next sign."""
    if not read.sees("{"):
        if read.ends():
            raise read.error("an argument")
        return read.deeper(lambda: atom(read))
    read.take()
    node = read.deeper(lambda: read.items(True))
    read.close("}", "}")
    return node


def styled(read: Parser, token: Token) -> Node:
    """Bold, calligraphic and the like are only looks, but for 𝟏 and 𝟎."""
    body = argument(read)
    if isinstance(body, Number) and body.text in ("0", "1"):
        return Constant(token.line, token.column, int(body.text))
    return body


def partial(read: Parser, token: Token) -> Node:
    """∂x, ∂⁺x, ∇_x."""
    place = (token.line, token.column)
    if token.text == "nabla":
        if not read.sees("sign", "_"):
            raise read.error("a subscript: \\nabla_{W} L")
        read.take()
        under = read.script()
        return Derivation(*place, "nabla", Items(*place, (read.factor(), under)))
    kind = "partial"
    if read.sees("sign", "^"):
        read.take()
        mark = read.script()
        if not (isinstance(mark, Atom) and mark.head == "+"):
            raise read.source.error("found a superscript of \\partial, expected ^{+}", mark.line, mark.column)
        kind = "partial+"
    return Derivation(*place, kind, read.factor())


def big(read: Parser, token: Token) -> Node:
    bounds: dict[str, Node] = {}
    while read.sees("sign", "_", "^"):
        bounds.setdefault(read.take().text, read.script())
    return Big(token.line, token.column, token.text, bounds.get("_"), bounds.get("^"), read.deeper(read.product))


def matrix(read: Parser, token: Token) -> Node:
    cells: list[Node] = []
    lines: list[tuple[Node, ...]] = []
    while True:
        while read.sees("break"):
            read.take()
        if read.sees("end") and not cells:
            break
        cells.append(read.deeper(lambda: cell(read)))
        if read.sees("sign", "&"):
            read.take()
        elif read.sees("row"):
            read.take()
            lines.append(tuple(cells))
            cells = []
        elif read.sees("end"):
            lines.append(tuple(cells))
            break
        else:
            raise read.error(r"'&', '\\' or the end of the matrix")
    read.take()
    if not lines:
        raise read.error("a row of the matrix", token)
    return Matrix(token.line, token.column, "cases" if "cases" in token.text else "matrix", tuple(lines))


def cell(read: Parser) -> Node:
    if read.sees("word", "if", "for", "when"):
        read.take()
    node = read.relation(False)
    while read.sees("break") or read.sees("sign", ",", ".", ";", "quad"):
        read.take()
    return node
