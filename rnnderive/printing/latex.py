"""Formula trees as LaTeX."""

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
from rnnderive.printing.style import TINTS

__all__ = ["latex"]

_FENCES = {
    "(": (r"\left(", r"\right)"),
    "[": (r"\left[", r"\right]"),
    "|": (r"\left|", r"\right|"),
    "‖": (r"\left\|", r"\right\|"),
}
_ESCAPED = {
    "\\": r"\backslash ", "^": r"\wedge ", "~": r"\sim ", "{": r"\lbrace ", "}": r"\rbrace ",
    **{c: "\\" + c for c in "_%&#$"},
}  # fmt: skip
_KNOWN_FUNCTIONS = {"tanh", "exp", "log", "sin", "cos", "max", "min"}


def latex(node: Math) -> str:
    """Return `node` as LaTeX, to be set in math mode.

    Examples
    --------
    >>> from rnnderive.printing import Letter, Numeral, Script, latex
    >>> latex(Script(Letter("h"), None, Numeral("3")))
    'h^{3}'
    """
    match node:
        case Letter(name):
            return "\\" + name if name in GREEK else name
        case Word(text):
            return _word(text)
        case Numeral(text):
            return text.replace(",", "{,}")  # a decimal mark, not punctuation
        case Symbol(name):
            return SIGNS[name].latex
        case Row(items):
            return " ".join(latex(i) for i in items)
        case Prefix(sign, body):
            left, right = latex(sign), latex(body)
            return f"{left} {right}" if left.startswith("\\") else left + right
        case Infix(signs, items):
            parts = [f"{SIGNS[s].latex} {latex(i)}" if s else latex(i) for s, i in zip(signs, items, strict=True)]
            return " ".join(parts)
        case Script(Call(function, arguments), None, Numeral() as power):  # tanh²(C), not tanh(C)²
            return latex(Call(Script(function, None, power), arguments))
        case Script(base, sub, sup):
            text = latex(base)
            if isinstance(base, Script | Frac | Row | Infix):
                text = "{" + text + "}"
            return text + (f"_{{{latex(sub)}}}" if sub else "") + (f"^{{{latex(sup)}}}" if sup else "")
        case Frac(over, under):
            return rf"\frac{{{latex(over)}}}{{{latex(under)}}}"
        case Fenced(body, fence):
            left, right = _FENCES[fence]
            return f"{left}{latex(body)}{right}"
        case Call(function, arguments):
            inside = ", ".join(latex(a) for a in arguments)
            return rf"{latex(function)}\left({inside}\right)"
        case Big(sign, lower, upper, body):
            low = f"_{{{latex(lower)}}}" if lower else ""
            high = f"^{{{latex(upper)}}}" if upper else ""
            return f"{SIGNS[sign].latex}{low}{high} {latex(body)}"
        case Accent(mark, base):
            return rf"\{mark}{{{latex(base)}}}"
        case Cases(value, condition):
            return rf"\left[{latex(condition)}\right]\,{latex(value)}"
        case Choice(cases):
            lines = r" \\ ".join(rf"{latex(value)} & {latex(condition)}" for value, condition in cases)
            return rf"\begin{{cases}}{lines}\end{{cases}}"
        case Grid(rows):
            lines = r" \\ ".join(" & ".join(latex(e) for e in row) for row in rows)
            return rf"\begin{{bmatrix}}{lines}\end{{bmatrix}}"
        case Tinted(body, tint, mark):
            coloured = rf"\textcolor[HTML]{{{TINTS[tint % len(TINTS)][1:]}}}{{{latex(body)}}}"
            return rf"\underset{{{mark}}}{{{coloured}}}" if mark else coloured
    raise TypeError(f"no LaTeX for {type(node).__name__}")


def _word(text: str) -> str:
    if text in _KNOWN_FUNCTIONS:
        return "\\" + text
    escaped = "".join(_ESCAPED.get(c, c) for c in text)
    return rf"\mathrm{{{escaped}}}"
