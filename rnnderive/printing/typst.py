"""Formula trees as Typst mathematics."""

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
from rnnderive.printing.notation import SIGNS
from rnnderive.printing.style import TINTS

__all__ = ["typst"]

_FENCES = {"(": ("(", ")"), "[": ("[", "]"), "|": ("|", "|"), "‖": ("norm(", ")")}
_KNOWN_FUNCTIONS = {"tanh", "exp", "log", "sin", "cos", "max", "min"}


def typst(node: Math) -> str:
    """Return `node` as Typst, to be set between dollar signs.

    Examples
    --------
    >>> from rnnderive.printing import Letter, Numeral, Script, typst
    >>> typst(Script(Letter("h"), None, Numeral("3")))
    'h^(3)'
    """
    match node:
        case Letter(name):
            return name
        case Word(text):
            return text if text in _KNOWN_FUNCTIONS else f'upright("{_escape(text)}")'
        case Numeral(text):
            return text.replace(",", 'class("normal", \\,)')  # a decimal mark, not punctuation
        case Symbol(name):
            return SIGNS[name].typst
        case Row(items):
            return " ".join(typst(i) for i in items)
        case Prefix(sign, body):
            return f"{typst(sign)} {typst(body)}"
        case Infix(signs, items):
            # No space after a leading sign: Typst keeps one that stands before a quoted number.
            gaps = ("", *[" "] * (len(signs) - 1))
            return " ".join(
                f"{SIGNS[s].typst}{gap if s in '+-' else ' '}{typst(i)}" if s else typst(i)
                for s, i, gap in zip(signs, items, gaps, strict=True)
            )
        case Script(Call(function, arguments), None, Numeral() as power):  # tanh²(C), not tanh(C)²
            return typst(Call(Script(function, None, power), arguments))
        case Script(base, sub, sup):
            text = typst(base)
            if isinstance(base, Script | Frac | Row | Infix):
                text = f"({text})" if not isinstance(base, Frac) else f"lr({text})"
            return text + (f"_({typst(sub)})" if sub else "") + (f"^({typst(sup)})" if sup else "")
        case Frac(over, under):
            return f"frac({typst(over)}, {typst(under)})"
        case Fenced(body, fence):
            left, right = _FENCES[fence]
            return f"norm({typst(body)})" if fence == "‖" else f"lr({left}{typst(body)}{right})"
        case Call(function, arguments):
            inside = ", ".join(typst(a) for a in arguments)
            return f"{typst(function)} lr(({inside}))"
        case Big(sign, lower, upper, body):
            low = f"_({typst(lower)})" if lower else ""
            high = f"^({typst(upper)})" if upper else ""
            return f"{SIGNS[sign].typst}{low}{high} {typst(body)}"
        case Accent(mark, base):
            return f"{'macron' if mark == 'bar' else mark}({typst(base)})"
        case Cases(value, condition):
            return f"lr([{typst(condition)}]) thin {typst(value)}"
        case Choice(cases):
            return "cases(" + ", ".join(f"{typst(value)} & {typst(condition)}" for value, condition in cases) + ")"
        case Grid(rows):
            lines = "; ".join(", ".join(typst(e) for e in row) for row in rows)
            return f'mat(delim: "[", {lines})'
        case Tinted(body, tint, mark):
            coloured = f'text(fill: #rgb("{TINTS[tint % len(TINTS)]}"), {typst(body)})'
            return f"limits({coloured})_({mark})" if mark else coloured
    raise TypeError(f"no Typst for {type(node).__name__}")


def _escape(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"')
