"""How values lie in arrays, and small pieces of code."""

from __future__ import annotations

import re
from dataclasses import dataclass

from rnnderive.language import terms as tm
from rnnderive.language.functions import FUNCTIONS
from rnnderive.language.terms import Term, t

__all__ = ["Context", "Layout", "apply_code", "depends_on_time", "is_new", "kind", "stripped"]


@dataclass
class Layout:
    """Rows of a sequence's array before step 1 and after step T."""

    before: int = 0
    after: int = 0


@dataclass
class Context:
    """Where a term stands: ``all`` t at once, in a ``loop``, or ``timeless``."""

    kind: str
    loop: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        self.before: list[str] = []


def apply_code(name: str, argument: str) -> str:
    """The code of an elementwise function applied to code."""
    source = FUNCTIONS[name].numpy
    if source.startswith("def"):
        return f"{name}({stripped(argument)})"
    simple = re.fullmatch(r"[\w.\[\]]+", argument) or source.count("x") == 1
    if not simple and len(re.findall(r"\bx\b", source)) > 1:
        return f"(lambda x: {source})({stripped(argument)})"
    return re.sub(r"\bx\b", lambda _: stripped(argument) if re.fullmatch(r"[\w.]+\(x\)", source) else argument, source)


def stripped(code: str) -> str:
    """Code without the parentheses around the whole of it."""
    if not code.startswith("("):
        return code
    depth = 0
    for k, sign in enumerate(code):
        depth += (sign == "(") - (sign == ")")
        if depth == 0:
            return code[1:-1] if k == len(code) - 1 else code
    return code


def kind(term: Term) -> str:
    """How a value lies in its array: a column and a row along the last axis, a matrix along two."""
    rows, columns = term.shape
    return "column" if columns == 1 else "row" if rows == 1 else "matrix"


def depends_on_time(term: Term) -> bool:
    """Whether a term's code has a step axis when all t are computed at once."""
    if isinstance(term, tm.At):
        return term.lag is not None
    if isinstance(term, tm.TimeSum):
        return False
    if isinstance(term, tm.Where) and term.relation[1].has(t):
        return True
    return any(depends_on_time(a) for a in term.terms)


def is_new(term: Term) -> bool:
    """Whether a term's code makes an array of its own, not a view of what it reads."""
    match term:
        case tm.At() | tm.Parameter():
            return False
        case tm.Apply():
            return term.name != "identity" or is_new(term.args[1])
        case tm.Where():
            return is_new(term.args[3])
        case tm.TimeSum():
            return not isinstance(term.args[0], tm.Where) or is_new(term.args[0])
        case tm.Transpose() | tm.Block() | tm.BatchSum() | tm.Vec():
            return is_new(term.args[0])
    return True
