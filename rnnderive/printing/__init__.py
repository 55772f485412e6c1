"""How mathematics is written: a small formula tree, one notation table, one printer a target.

The rooms above say *what* stands in a formula, as a tree; this room says how it looks in
LaTeX, Typst, MathML and text.
"""

from rnnderive.printing.latex import latex
from rnnderive.printing.math import (
    ATOM,
    PRODUCT,
    RELATION,
    SCRIPT,
    SUM,
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
    at_level,
    contains,
    letters,
    rewritten,
    with_decimal,
)
from rnnderive.printing.mathml import mathml
from rnnderive.printing.notation import Notation, derivative, name_math, numbered, with_index
from rnnderive.printing.text import text
from rnnderive.printing.told import Told
from rnnderive.printing.typst import typst

__all__ = [
    "ATOM",
    "PRODUCT",
    "RELATION",
    "SCRIPT",
    "SUM",
    "Accent",
    "Big",
    "Call",
    "Cases",
    "Choice",
    "Fenced",
    "Frac",
    "Grid",
    "Infix",
    "Letter",
    "Math",
    "Notation",
    "Numeral",
    "Prefix",
    "Row",
    "Script",
    "Symbol",
    "Tinted",
    "Told",
    "Word",
    "at_level",
    "contains",
    "derivative",
    "latex",
    "letters",
    "mathml",
    "name_math",
    "numbered",
    "rewritten",
    "text",
    "typst",
    "with_decimal",
    "with_index",
]
