"""Formula trees as plain text for a terminal."""

from __future__ import annotations

from rnnderive.printing.math import (
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
from rnnderive.printing.notation import GREEK, SIGNS

__all__ = ["text"]

_CLOSING = {"(": ")", "[": "]", "|": "|", "‖": "‖"}
_MARKS = {"dot": "\u0307", "hat": "\u0302", "bar": "\u0304", "tilde": "\u0303"}


def text(node: Math) -> str:
    """Return `node` on one line, with the signs of Unicode.

    Examples
    --------
    >>> from rnnderive.printing import Letter, Numeral, Script, text
    >>> text(Script(Letter("h"), None, Numeral("3")))
    'h^3'
    """
    match node:
        case Letter(name):
            return GREEK.get(name, name)
        case Word(word):
            return word
        case Numeral(digits):
            return digits
        case Symbol(name):
            return SIGNS[name].text
        case Row(items):
            return " ".join(text(i) for i in items).replace(" , ", ",")
        case Prefix(sign, body):
            return text(sign) + text(body)
        case Infix(signs, items):
            joined = "".join((SIGNS[s].text if s else "") + text(i) for s, i in zip(signs, items, strict=True))
            return joined.lstrip() if signs[0] == "" else joined.strip().replace("- ", "-", 1)
        case Script(base, sub, sup):
            low = f"_{_script(sub)}" if sub else ""
            high = _power(sup) if sup else ""
            inner = text(base)
            return (f"({inner})" if isinstance(base, Script | Frac | Row | Infix) else inner) + low + high
        case Frac(over, under):
            return f"{_factor(over)}/{_factor(under)}"
        case Fenced(body, fence):
            return f"{fence}{text(body)}{_CLOSING[fence]}"
        case Call(function, arguments):
            return f"{text(function)}({', '.join(text(a) for a in arguments)})"
        case Big(sign, lower, upper, body):
            low = f"_{{{text(lower)}}}" if lower else ""
            high = f"^{{{text(upper)}}}" if upper else ""
            return f"{SIGNS[sign].text}{low}{high} {text(body)}"
        case Accent(mark, base):
            return text(base) + _MARKS[mark]
        case Cases(value, condition):
            return f"[{text(condition)}] {text(value)}"
        case Choice(cases):
            return "{" + "; ".join(f"{text(value)} if {text(condition)}" for value, condition in cases) + "}"
        case Grid(rows):
            return "[" + "; ".join(", ".join(text(e) for e in row) for row in rows) + "]"
        case Tinted(body):
            return text(body)
    raise TypeError(f"no text for {type(node).__name__}")


def _script(node: Math) -> str:
    inner = text(node)
    return inner if inner.replace(",", "").isalnum() else "{" + inner + "}"


def _power(node: Math) -> str:
    inner = text(node)
    if inner == "⊤":
        return "ᵀ"
    return f"^{inner}" if inner.isalnum() else "^{" + inner.replace(" ", "") + "}"


def _factor(node: Math) -> str:
    inner = text(node)
    return f"({inner})" if isinstance(node, Infix | Row | Big | Cases) else inner
