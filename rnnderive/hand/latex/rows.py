"""The lines of a LaTeX text: where one equation ends and the next begins, and under which condition it holds."""

from __future__ import annotations

from rnnderive.hand.latex.tokens import Source, Token, tokens

__all__ = ["split"]

Sides = list[list[Token]]
_CONTINUES = {"=", "+", "-", "*", "/", ",", "&", ")", "]", "<", ">"}
_OPERATORS = {"odot", "circ", "cdot", "times", "otimes", "le", "ge", "equiv", "coloneqq"}
_EQUALS = {"equiv", "coloneqq", "triangleq", "doteq"}
_WHEN = {"for", "if", "when", "where", "with", "and", "otherwise", "for all", "else", "by", "so", "then"}


def split(source: Source) -> list[tuple[Sides, Sides]]:
    """The sides of every line, and the conditions after it, as tokens.

    A line ends at ``\\\\``, at the end of a display or environment, at an empty line, and at the end
    of a line of text where the next one is an equation of its own.  A line that starts with ``=`` or an
    operator goes on with the one before.
    """
    found = [_equals(row) for row in _joined(_chunks(tokens(source)))]
    out: list[tuple[Sides, Sides]] = []
    for row in found:
        out += _conditions(row)
    lines = ((_closed(sides), _closed(conditions)) for sides, conditions in out)
    return [line for line in lines if line[0]]


def _chunks(stream: list[Token]) -> list[list[Token]]:
    """Tokens between the ends of lines; what stands inside braces or a matrix stays together."""
    out: list[list[Token]] = [[]]
    depth = 0
    for k, token in enumerate(stream):
        if token.kind in ("{", "begin"):
            depth += 1
        elif token.kind in ("}", "end"):
            depth -= 1
        if token.kind == "stop":
            break
        if depth > 0 or token.kind not in ("row", "break"):
            if depth > 0 or (token.kind, token.text) != ("sign", "&"):
                out[-1].append(token)
        elif token.kind == "row" or _ends_here(stream, k, out[-1]):
            out.append([])
    return [[t for t in chunk if t.kind != "break" or _inside(chunk)] for chunk in out if chunk]


def _inside(chunk: list[Token]) -> bool:
    return any(t.kind == "begin" for t in chunk)


def _ends_here(stream: list[Token], k: int, current: list[Token]) -> bool:
    """Whether the end of a line of text ends an equation."""
    rest = stream[k + 1 :]
    if rest and rest[0].kind == "break":
        return True
    line = []
    for token in rest:
        if token.kind in ("break", "row", "stop"):
            break
        line.append(token)
    if not line or line[0].text in _CONTINUES or (line[0].kind == "command" and line[0].text in _OPERATORS):
        return False
    return _has_equals(current) and _has_equals(line)


def _has_equals(chunk: list[Token]) -> bool:
    depth = 0
    for token in chunk:
        depth += (token.kind in ("{", "begin", "open")) - (token.kind in ("}", "end", "close"))
        if depth == 0 and _is_equals(token):
            return True
    return False


def _is_equals(token: Token) -> bool:
    return (token.kind == "sign" and token.text == "=") or (token.kind == "command" and token.text in _EQUALS)


def _joined(chunks: list[list[Token]]) -> list[list[Token]]:
    """Lines that go on with the one before are put behind it."""
    out: list[list[Token]] = []
    for chunk in chunks:
        kept = [*chunk]
        while kept and kept[0].text == "quad":
            kept.pop(0)
        if not kept:
            continue
        first = kept[0]
        goes_on = (first.kind == "sign" and first.text in _CONTINUES) or (
            first.kind == "command" and first.text in _OPERATORS
        )
        if out and goes_on:
            out[-1] += kept
        else:
            out.append(kept)
    return out


def _equals(row: list[Token]) -> Sides:
    """A line at its equality signs."""
    sides: Sides = [[]]
    depth = 0
    for token in row:
        depth += (token.kind in ("{", "begin", "open")) - (token.kind in ("}", "end", "close"))
        if depth == 0 and _is_equals(token):
            if sides[-1] and sides[-1][-1].text == ":":
                sides[-1].pop()
            sides.append([])
        else:
            sides[-1].append(token)
    return sides


def _conditions(sides: Sides) -> list[tuple[Sides, Sides]]:
    """A line without what stands behind its comma: a condition, or another equation."""
    kept: Sides = []
    for k, side in enumerate(sides):
        cut = _cut(side)
        if cut is None or k == 0:
            kept.append(side)
            continue
        kept.append(side[:cut])
        rest = _stripped(side[cut:])
        more = sides[k + 1 :]
        if not rest:
            return [(kept, [])] if not more else [(kept, []), *_conditions(more)]
        if more and not (len(rest) == 1 and rest[0].text in "tTkjsi"):
            return [(kept, []), *_conditions([rest, *more])]
        return [(kept, [_relation([rest, *more])])]
    return [(kept, [])]


def _cut(side: list[Token]) -> int | None:
    """Where a comma, or a word such as 'for', ends a formula."""
    depth = 0
    for k, token in enumerate(side):
        depth += (token.kind in ("{", "begin", "open")) - (token.kind in ("}", "end", "close"))
        if depth == 0 and (
            (token.kind == "sign" and token.text in (",", ";", ".", "quad"))
            or (token.kind == "word" and token.text.lower().strip(" ,.:") in _WHEN)
            or (token.kind == "command" and token.text == "forall")
        ):
            return k
    return None


def _stripped(rest: list[Token]) -> list[Token]:
    out = [
        t
        for t in rest
        if not (t.kind == "word" and t.text.lower().strip(" ,.:") in _WHEN)
        and not (t.kind == "command" and t.text == "forall")
        and t.text != "quad"
    ]
    while out and out[0].kind == "sign" and out[0].text in (",", ";", "."):
        out.pop(0)
    while out and out[-1].kind == "sign" and out[-1].text in (",", ";", "."):
        out.pop()
    return out


def _relation(parts: Sides) -> list[Token]:
    """A condition, put together again; one of every t (t = 1, …, T) says nothing."""
    out: list[Token] = []
    for k, part in enumerate(parts):
        if k:
            at = (part or out)[0]
            out.append(Token("sign", "=", at.line, at.column))
        out += part
    listed = any(t.kind == "command" and "dots" in t.text for t in out)
    return [] if listed or not any(_is_relation(t) for t in out) else out


def _is_relation(token: Token) -> bool:
    return (token.kind == "sign" and token.text in "=<>") or (
        token.kind == "command" and token.text in ("le", "leq", "ge", "geq", "lt", "gt", "in")
    )


def _closed(sides: Sides) -> Sides:
    out = []
    for side in sides:
        kept = [*side]
        while kept and kept[-1].kind == "sign" and kept[-1].text in (",", ".", ";", "quad"):
            kept.pop()
        while kept and kept[0].kind == "sign" and kept[0].text == "quad":
            kept.pop(0)
        if kept:
            out.append([*kept, Token("stop", "", kept[-1].line, kept[-1].column + len(kept[-1].text))])
    return out
