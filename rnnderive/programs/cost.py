"""What a program costs: floating-point operations and memory, counted from its equations."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import sympy as sp

from rnnderive.language import terms as tm
from rnnderive.language.recurrence import Recurrence
from rnnderive.language.terms import Term

__all__ = ["Cost", "cost"]

B = sp.Symbol("B", positive=True, integer=True)


@dataclass(frozen=True)
class Cost:
    """Counts for T steps of B sequences, as expressions in T, B and the sizes.

    Attributes
    ----------
    products : sympy.Expr
        Multiplications and additions in matrix products.
    entries : sympy.Expr
        Operations entry by entry.
    functions : sympy.Expr
        Values of functions such as exp and tanh.
    kept : sympy.Expr
        Numbers that are kept for every step.
    """

    products: Any
    entries: Any
    functions: Any
    kept: Any

    def lines(self) -> list[str]:
        """In words, for the head of a module."""
        rows = [
            ("Operations in matrix products:", self.products),
            ("Operations entry by entry:", self.entries),
            ("Values of functions:", self.functions),
            ("Numbers kept over the steps:", self.kept),
        ]
        width = max(len(words) for words, _ in rows)
        return [f"{words:{width}} {_text(count)}" for words, count in rows if count != 0]


def _text(count: Any) -> str:
    return str(sp.factor_terms(sp.expand(count), radical=False)).replace("**", "^").replace("*", " ")


def cost(net: Recurrence) -> Cost:
    """The cost of running a recurrence once, forward and backward, as it stands.

    Examples
    --------
    >>> from rnnderive.language import Recurrence
    >>> net = Recurrence.parse("h[t] = tanh(W @ x[t] + U @ h[t-1])\\nL = sum(h[T])")
    >>> print(*cost(net).lines(), sep="\\n")
    Operations in matrix products: 2 B T n_h (n_h + n_x)
    Operations entry by entry:     B n_h (T + 2)
    Values of functions:           B T n_h
    Numbers kept over the steps:   B T n_h
    """
    total = [sp.S.Zero] * 4
    for e in net.equations:
        times = (tm.T if e.timed else 1) * (1 if net.is_shared(e.right) and not e.timed else B)
        if isinstance(e.right, tm.BatchSum):
            times = B
        for k, count in enumerate(_count(e.right)):
            total[k] += times * count
        if e.timed:
            total[3] += times * e.left.shape[0] * e.left.shape[1]
    return Cost(*total)


def _count(term: Term) -> tuple[Any, Any, Any]:
    """Operations in products, entry by entry, and values of functions."""
    inner = [_count(a) for a in term.terms]
    products, entries, functions = (sp.Add(*(c[k] for c in inner)) for k in range(3))
    size = sp.expand(term.shape[0] * term.shape[1])
    match term:
        case tm.TimeSum():
            return tm.T * products, tm.T * (entries + (0 if _is_outer(term.args[0]) else size)), tm.T * functions
        case tm.Where() if term.relation[0] == "==":  # one step of T
            return products / tm.T, entries / tm.T, functions / tm.T
        case tm.Product():
            for k in range(len(term.args) - 1, 0, -1):
                a = term.args[k - 1]
                products += 2 * a.shape[0] * a.shape[1] * term.args[-1].shape[1]
        case tm.Plus() | tm.Times():
            entries += size * (len(term.args) - 1)
        case tm.Power():
            entries += size
        case tm.Apply() | tm.Softmax() | tm.LogSoftmax():
            functions += size
        case tm.Loss() | tm.Unary():
            entries += 2 * term.terms[0].shape[0]
    return products, entries, functions


def _is_outer(term: Term) -> bool:
    return isinstance(term, tm.Product) and not term.is_column
