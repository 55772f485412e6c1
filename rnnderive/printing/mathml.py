"""Formula trees as MathML (MathML Core, W3C 2023), which browsers set by themselves."""

from __future__ import annotations

from html import escape

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

__all__ = ["fenced", "mathml", "row", "scripted", "table"]

_CLOSING = {"(": ")", "[": "]", "|": "|", "‖": "‖"}
_MARKS = {"dot": "˙", "hat": "^", "bar": "‾", "tilde": "~"}
_APPLY = "<mo>\u2061</mo>"  # tells a screen reader that a function takes what follows


def mathml(node: Math) -> str:
    """Return `node` as MathML, to be set inside a ``math`` element.

    A :class:`Tinted` part has the class ``tint-0``, ``tint-1``, …: its colour is the page's to say.

    Examples
    --------
    >>> from rnnderive.printing import Letter, Numeral, Script, mathml
    >>> mathml(Script(Letter("h"), None, Numeral("3")))
    '<msup><mi>h</mi><mn>3</mn></msup>'
    """
    match node:
        case Letter(name):
            return f"<mi>{escape(GREEK.get(name, name))}</mi>"
        case Word(text):
            upright = ' mathvariant="normal"' if len(text) == 1 else ""
            return f"<mi{upright}>{escape(text)}</mi>"
        case Numeral(text):
            return f"<mn>{escape(text)}</mn>"
        case Symbol(name):
            return SIGNS[name].mathml
        case Row(items):
            return row(*map(mathml, items))
        case Prefix(sign, body):
            return row(mathml(sign), mathml(body))
        case Infix(signs, items):
            return row(*(SIGNS[s].mathml + mathml(i) for s, i in zip(signs, items, strict=True)))
        case Script(Call(function, arguments), None, Numeral() as power):  # tanh²(C), not tanh(C)²
            return mathml(Call(Script(function, None, power), arguments))
        case Script(base, sub, sup):
            return scripted(mathml(base), sub, sup)
        case Frac(over, under):
            return f"<mfrac>{mathml(over)}{mathml(under)}</mfrac>"
        case Fenced(body, fence):
            return fenced(mathml(body), fence)
        case Call(function, arguments):
            return row(mathml(function), _APPLY, fenced(SIGNS[","].mathml.join(map(mathml, arguments))))
        case Big(sign, lower, upper, body):
            return row(scripted(SIGNS[sign].mathml, lower, upper, "under", "over"), mathml(body))
        case Accent(mark, base):
            return f'<mover accent="true">{mathml(base)}<mo stretchy="false">{_MARKS[mark]}</mo></mover>'
        case Cases(value, condition):
            return row(fenced(mathml(condition), "["), mathml(value))
        case Choice(cases):
            return row("<mo>{</mo>", table(tuple((mathml(v), mathml(c)) for v, c in cases), "cases"))
        case Grid(rows):
            return fenced(table(tuple(tuple(map(mathml, entries)) for entries in rows)), "[")
        case Tinted(body, tint, mark):
            colour = f'class="tint-{tint % len(TINTS)}"'
            inside = f"<mrow {colour}>{mathml(body)}</mrow>"
            return f"<munder>{inside}<mn {colour}>{escape(mark)}</mn></munder>" if mark else inside
    raise TypeError(f"no MathML for {type(node).__name__}")


def row(*parts: str) -> str:
    """Parts side by side, as one."""
    return f"<mrow>{''.join(parts)}</mrow>"


def fenced(inside: str, fence: str = "(") -> str:
    """Something between delimiters that grow with it."""
    form = [f'<mo form="{form}" fence="true" stretchy="true">{glyph}</mo>'
            for form, glyph in (("prefix", fence), ("postfix", _CLOSING[fence]))]  # fmt: skip
    return row(form[0], inside, form[1])


def table(rows: tuple[tuple[str, ...], ...], kind: str = "") -> str:
    """Rows of entries; the page's style aligns a table of kind ``cases`` or ``lines``."""
    shown = "".join(f"<mtr>{''.join(f'<mtd>{entry}</mtd>' for entry in entries)}</mtr>" for entries in rows)
    return f'<mtable class="{kind}">{shown}</mtable>' if kind else f"<mtable>{shown}</mtable>"


def scripted(base: str, low: Math | None, high: Math | None, below: str = "sub", above: str = "sup") -> str:
    """A base with what stands below and above it."""
    parts = base + (mathml(low) if low else "") + (mathml(high) if high else "")
    name = "m" + (below if low else "") + (above if high else "")
    return f"<{name}>{parts}</{name}>" if low or high else base
