"""How wide and how high a formula will be, estimated from the kinds of its nodes.

Widths are in em of Computer Modern at the size of the text.
"""

from __future__ import annotations

from rnnderive.printing import (
    Accent,
    Big,
    Call,
    Cases,
    Choice,
    Fenced,
    Frac,
    Grid,
    Infix,
    Letter,
    Math,
    Numeral,
    Prefix,
    Row,
    Script,
    Symbol,
    Tinted,
    Word,
)

__all__ = ["SCRIPT", "delimiter_width", "height", "sign_width", "width"]

_ITALIC = dict(
    zip(
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ",
        (.53, .43, .43, .52, .47, .60, .52, .58, .35, .47, .55, .30, .88, .60, .49, .50, .48, .48, .47, .36, .57, .52,
         .74, .57, .53, .51, .75, .81, .79, .86, .80, .78, .79, .91, .52, .65, .92, .68, 1.08, .91, .79, .78, .79, .77,
         .67, .72, .79, .81, 1.08, .91, .80, .76),
        strict=True,
    )
)  # fmt: skip
_NARROW = set("ijltfrI.,:;|()[]'!")
_WIDE = set("mMwW@%")
_SYMBOLS = {"": 0.0, ",": 0.28, "d": 0.53, "one": 0.58, "zero": 0.58, "partial": 0.58, "partial+": 1.15,
            "dots": 1.2, "sum": 1.45, "prod": 1.28}  # fmt: skip
SCRIPT = 0.72


def width(node: Math, style: str = "display") -> float:
    """Estimate the width of a formula, in em.

    Parameters
    ----------
    node : Math
        The formula.
    style : {'display', 'text', 'script'}
        How it is set; fractions and large operators are wider in a display.  A script is
        measured at its own size: its parent scales it.

    Examples
    --------
    >>> from rnnderive.printing import Letter, Row
    >>> round(width(Row((Letter("W"), Letter("x")))), 2)
    1.7
    """
    match node:
        case Letter(name):
            return _ITALIC.get(name, 0.66)
        case Word(word) | Numeral(word):
            return sum(map(_upright, word)) + (0.17 if isinstance(node, Word) else 0)
        case Symbol(name):
            return _SYMBOLS.get(name, 0.8)
        case Row(items):
            return sum(width(i, style) for i in items) + 0.05 * (len(items) - 1)
        case Prefix(sign, body):
            return width(sign, style) + width(body, style)
        case Infix(signs, items):
            return sum(
                sign_width(s, k, style) + width(i, style) for k, (s, i) in enumerate(zip(signs, items, strict=True))
            )
        case Script(base, sub, sup):
            return width(base, style) + SCRIPT * max(width(s, "script") if s else 0 for s in (sub, sup)) + 0.06
        case Frac(over, under):
            inner, scale = ("text", 1.0) if style == "display" else ("script", SCRIPT)
            return scale * max(width(over, inner), width(under, inner)) + 0.26
        case Fenced(body, _):
            return width(body, style) + 2 * delimiter_width(height(body)) + 0.1
        case Call(function, arguments):
            inside = sum(width(a, style) for a in arguments) + 0.45 * (len(arguments) - 1)
            return width(function, style) + inside + 2 * delimiter_width(max(map(height, arguments))) + 0.1
        case Big():
            return _big(node, style) + 0.17 + width(node.body, style)
        case Accent(_, base):
            return max(0.55, width(base, style))
        case Cases(value, condition):
            return width(condition, style) + width(value, style) + 2 * delimiter_width(height(condition)) + 0.3
        case Grid(rows):
            columns = [max(width(e, "text") for e in column) for column in zip(*rows, strict=True)]
            return sum(columns) + 0.95 * (len(columns) - 1) + 2 * delimiter_width(1.2 * len(rows)) + 0.4
        case Choice(cases):
            return width(Grid(cases), style) + 0.5
        case Tinted(body, _, mark):
            return max(width(body, style), SCRIPT * 0.51 * len(mark))
    raise TypeError(f"no width for {type(node).__name__}")


def _upright(char: str) -> float:
    if char.isdigit():
        return 0.51
    if char in _NARROW:
        return 0.36
    if char in _WIDE:
        return 1.0
    if "а" <= char <= "ё":
        return 0.78 if char in "жмшщыюф" else 0.57
    return 0.78 if char.isupper() or ord(char) > 0x24F else 0.54


def sign_width(sign: str, place: int, style: str) -> float:
    """Width of a sign with the space around it; the first of a formula has less."""
    if sign == "":
        return 0.0
    if sign in (",", ";"):
        return 0.28 + (0.17 if style != "script" else 0)
    if style == "script" or place == 0:
        return 0.82
    return 1.6 if sign == "to" else 1.36 if sign in {"=", "le", "ge", "<", ">"} else 1.25


def delimiter_width(inside: float) -> float:
    """Width of a delimiter that is as high as what it encloses."""
    return 0.40 if inside < 1.3 else 0.52 if inside < 1.9 else 0.66 if inside < 2.8 else 0.8


def _big(node: Big, style: str) -> float:
    sign = _SYMBOLS.get(node.sign, 1.45)
    bounds = [SCRIPT * width(b, "script") for b in (node.lower, node.upper) if b]
    if style == "display":
        return max([sign, *bounds])
    return 0.75 * sign + max(bounds, default=0.0)


def height(node: Math) -> float:
    """Estimate the height of a formula in a display, in em."""
    match node:
        case Frac(over, under):
            return height(over) + height(under) + 0.35
        case Script(base, sub, sup):
            return height(base) + 0.25 * ((sub is not None) + (sup is not None))
        case Choice(cases):
            return height(Grid(cases))
        case Grid(rows) | Choice(rows):
            return sum(max(1.5, *(height(e) for e in row)) for row in rows)
        case Big(_, lower, upper, body):
            return max(1.5 + 0.8 * ((lower is not None) + (upper is not None)), height(body))
        case Row(items) | Infix(_, items):
            return max((height(i) for i in items), default=1.0)
        case Call(_, arguments):
            return max((height(a) for a in arguments), default=1.0)
        case Prefix(_, body) | Fenced(body, _) | Cases(body, _):
            return height(body)
        case Accent(_, base):
            return height(base) + 0.2
        case Tinted(body, _, mark):
            return height(body) + (0.8 if mark else 0.0)
    return 1.0
