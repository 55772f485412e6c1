"""Index notation: the adjoint equations entry by entry, as plain SymPy expressions.

A sequence's entry is ``h[t-1, i]`` (an :class:`sympy.Indexed`), a matrix's ``W[i, j]``; indices
run from 1.  Products become sums over a running index, stacks become cases.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import sympy as sp

from rnnderive import printing as pr
from rnnderive.calculus.adjoint import Adjoint
from rnnderive.language import terms as tm
from rnnderive.language.functions import FUNCTIONS
from rnnderive.language.recurrence import Equation, Recurrence
from rnnderive.language.terms import Term

__all__ = ["Component", "components", "entry"]

_INDICES = "ijklmpqrsuvw"  # row, column, and those of sums


class Entry(sp.Expr):
    """An entry of a term that has no shorter component form, such as a softmax."""

    def __new__(cls, term: Term, *indices: Any) -> Entry:
        return sp.Expr.__new__(cls, term, *indices)


@dataclass(frozen=True)
class Component:
    """One equation in index notation: ``left = right``, SymPy expressions; and its formula tree.

    The entry is (i, j).  Printed, an index whose letter a name has, such as that of a gate i, has the next free one.
    """

    left: sp.Expr
    right: sp.Expr
    net: Recurrence

    def math(self, notation: pr.Notation | None = None) -> pr.Math:
        """The equation as a formula tree."""
        notation = notation or self.net.notation
        sides = tuple(_math(side, self.net, notation) for side in _renamed(self.net, self.left, self.right))
        return pr.Infix(("", "="), sides, pr.RELATION)

    def __str__(self) -> str:
        return pr.text(self.math())

    def _repr_latex_(self) -> str:
        return f"$\\displaystyle {pr.latex(self.math())}$"


def components(pulled: Adjoint, name: str) -> tuple[Component, ...]:
    """The equation of a gradient, and the adjoint equations that it needs, entry by entry."""
    net = pulled.net
    backward = {e.name: e for e in pulled.backward}
    order = [name]
    for n in order:
        order += [r for r in dict.fromkeys(_read_in_order(backward[n])) if r in backward and r not in order]
    return tuple(_component(net, backward[n]) for n in order)


def _read_in_order(e: Equation) -> list[str]:
    return [n.name for n in tm.members(e.right) if isinstance(n, tm.At | tm.Parameter)]


def _component(net: Recurrence, e: Equation) -> Component:
    fresh = (sp.Symbol(name, integer=True) for name in pr.numbered(_INDICES))
    i, j = next(fresh), next(fresh)
    return Component(entry(e.left, i, j, fresh), entry(e.right, i, j, fresh), net)


def _renamed(net: Recurrence, *sides: Any) -> list[Any]:
    """Expressions with each index as it is printed: the first of the letters that no name has, the second, …"""
    wanted = {s for side in sides for s in side.atoms(sp.Symbol) if s.is_integer and not s.is_positive} - {tm.t}
    letters: dict[Any, Any] = {}
    for old, new in zip(pr.numbered(_INDICES), net.free_letters(_INDICES), strict=False):
        if not wanted - set(letters):
            break
        letters[sp.Symbol(old, integer=True)] = sp.Symbol(new, integer=True)
    return [side.xreplace(letters) for side in sides]


def entry(term: Term, i: Any, j: Any, fresh: Iterator[sp.Symbol]) -> sp.Expr:
    """The entry (i, j) of a term; `j` is not looked at for a column, neither for a scalar."""
    rows, columns = term.shape
    match term:
        case tm.At() | tm.Parameter():
            return _leaf(term, i, j)
        case tm.Number():
            return term.number
        case tm.Extent():
            return term.args[0]
        case tm.Zeros():
            return sp.S.Zero
        case tm.Ones():
            return sp.S.One
        case tm.Plus():
            return sp.Add(*(entry(a, i, j, fresh) for a in term.args))
        case tm.Times():
            return sp.Mul(*(entry(a, i, j, fresh) for a in term.args))
        case tm.Power():
            return entry(term.args[0], i, j, fresh) ** term.args[1]
        case tm.Transpose():
            return entry(term.args[0], j, i, fresh)
        case tm.Product():
            return _product(term, i, j, fresh)
        case tm.Stack():
            return _stack(term, i, j, fresh)
        case tm.Block():
            whole, r0, _, c0, _ = term.args
            return entry(whole, i + r0, j + c0, fresh)
        case tm.Apply():
            return sp.Function(term.name)(entry(term.args[1], i, j, fresh))
        case tm.SumEntries():
            k = next(fresh)
            inner = term.args[0]
            if inner.is_column:
                return sp.Sum(entry(inner, k, 1, fresh), (k, 1, inner.shape[0]))
            m = next(fresh)
            return sp.Sum(entry(inner, k, m, fresh), (k, 1, inner.shape[0]), (m, 1, inner.shape[1]))
        case tm.TimeSum():
            return sp.Sum(entry(term.args[0], i, j, fresh), (tm.t, 1, tm.T))
        case tm.BatchSum():
            return entry(term.args[0], i, j, fresh)
        case tm.Where():
            sign, left, right = term.relation
            relation = {"==": sp.Eq, "<=": sp.Le, ">=": sp.Ge}[sign](left, right, evaluate=False)
            return sp.Piecewise((entry(term.args[3], i, j, fresh), relation), (0, True))
    return Entry(term, *([] if term.is_scalar else [i] if columns == 1 else [j] if rows == 1 else [i, j]))


def _leaf(leaf: Any, i: Any, j: Any) -> sp.Expr:
    base = sp.IndexedBase(leaf.name)
    lead = [leaf.index] if isinstance(leaf, tm.At) else []
    rows, columns = leaf.shape
    tail = [] if leaf.is_scalar else [i] if columns == 1 else [j] if rows == 1 else [i, j]
    return base[tuple(lead + tail)] if lead + tail else sp.Symbol(leaf.name)


def _product(term: Term, i: Any, j: Any, fresh: Iterator[sp.Symbol]) -> sp.Expr:
    """Σ over every inner size; an inner size of one (column times row) needs none."""
    parts, sums, left = [], [], i
    for k, factor in enumerate(term.args):
        last = k == len(term.args) - 1
        width = factor.shape[1]
        right = j if last else sp.S.One if width == 1 else next(fresh)
        parts.append(entry(factor, left, right, fresh))
        if not last and width != 1:
            sums.append((right, 1, width))
        left = right
    return sp.Sum(sp.Mul(*parts), *sums) if sums else sp.Mul(*parts)


def _stack(term: Term, i: Any, j: Any, fresh: Iterator[sp.Symbol]) -> sp.Expr:
    cases, start = [], sp.S.Zero
    for part in term.args:
        stop = start + part.shape[0]
        body = entry(part, i - start, j, fresh)
        cases.append((body, sp.Le(i, stop) if part is not term.args[-1] else True))
        start = stop
    return sp.Piecewise(*cases)


# ---------------------------------------------------------------- notation


def _math(expr: Any, net: Recurrence, notation: pr.Notation) -> pr.Math:
    """A component expression as a formula tree, in the notation of the network."""

    def go(e: Any) -> pr.Math:
        return _math(e, net, notation)

    if isinstance(expr, sp.Indexed):
        return _indexed(expr, net, notation)
    if isinstance(expr, Entry):
        whole, *indices = expr.args
        inner = whole.math(notation)
        return pr.Script(pr.Fenced(inner, "["), _places(indices)) if indices else inner
    if isinstance(expr, sp.Sum):
        body = pr.at_level(go(expr.function), pr.PRODUCT)
        for index, first, last in reversed(expr.limits):
            lower = pr.Infix(("", "="), (tm.index_math(index), tm.index_math(first)), pr.RELATION)
            body = pr.Big("sum", lower, tm.dimension_math(last), body)
        return body
    if isinstance(expr, sp.Piecewise):
        (value, test), *others = expr.args
        if [v for v, _ in others] == [0]:
            return pr.Cases(pr.at_level(go(value), pr.PRODUCT), _condition(test))
        return pr.Choice(tuple((go(value), test) for value, test in _conditions(expr)))
    if expr.is_Add:
        return _sum_math(list(expr.as_ordered_terms()), go)
    if expr.is_Mul:
        return _product_math(expr, go)
    if expr.is_Pow and expr.exp.is_Integer:
        if expr.exp < 0:
            return pr.Frac(pr.Numeral("1"), go(expr.base ** (-expr.exp)))
        return pr.Script(pr.Fenced(go(expr.base)), None, pr.Numeral(str(expr.exp)))
    if isinstance(expr, sp.core.function.AppliedUndef):
        name = expr.func.__name__
        symbol = FUNCTIONS[name].symbol or name
        head: pr.Math = pr.Letter(symbol) if symbol in ("sigma", "Phi", "phi") else pr.Word(symbol)
        return pr.Call(head, (go(expr.args[0]),))
    if expr.is_Symbol:
        return notation.name(str(expr)) if str(expr) in net.leaves else tm.dimension_math(expr)
    return tm.number_math(expr) if expr.is_Rational else tm.dimension_math(expr)


def _sum_math(parts: list[Any], go: Any) -> pr.Math:
    """Positive terms first, so that 1 − h² is not written −h² + 1."""
    parts.sort(key=lambda p: bool(p.could_extract_minus_sign()))
    signs, items = [], []
    for k, part in enumerate(parts):
        negative = bool(part.could_extract_minus_sign())
        signs.append("-" if negative else "+" if k else "")
        items.append(pr.at_level(go(-part if negative else part), pr.PRODUCT))
    return pr.Infix(tuple(signs), tuple(items), pr.SUM)


def _product_math(expr: Any, go: Any) -> pr.Math:
    if expr.could_extract_minus_sign():
        return pr.Infix(("-",), (pr.at_level(go(-expr), pr.PRODUCT),), pr.SUM)
    over, under = expr.as_numer_denom()
    if under != 1:
        return pr.Frac(go(over), go(under))
    # Single entries first, brackets next, sums last: δ_i x_j (1 − h_i²) Σ_k …
    rank = {sp.Sum: 3, sp.Piecewise: 4}
    factors = sorted(expr.as_ordered_factors(), key=lambda f: rank.get(type(f), 2 if f.is_Add else 0))
    return pr.Row(
        tuple(pr.at_level(go(f), pr.PRODUCT if k == len(factors) - 1 else pr.SCRIPT) for k, f in enumerate(factors))
    )


def _indexed(expr: Any, net: Recurrence, notation: pr.Notation) -> pr.Math:
    name, indices = str(expr.base), list(expr.indices)
    timed = isinstance(net.leaves.get(name), tm.At)
    when = indices.pop(0) if timed else None
    where = _places(indices) if indices else None
    return _placed(notation.name(name), where, None if when is None else tm.index_math(when))


def _places(indices: Sequence[Any]) -> pr.Math:
    """The indices of an entry: i j, and with a comma where one is a sum, as in i, j − n_h."""
    items = [tm.index_math(k) for k in indices]
    if len(items) > 1 and any(isinstance(k, pr.Infix) for k in items):
        items = [part for k in items for part in (pr.Symbol(","), k)][1:]
    return items[0] if len(items) == 1 else pr.Row(tuple(items))


def _placed(base: pr.Math, where: pr.Math | None, when: pr.Math | None) -> pr.Math:
    """A name with its entry below and its step above; dL/dh takes both on the h."""
    if isinstance(base, pr.Frac) and isinstance(base.under, pr.Prefix):
        return pr.Frac(base.over, pr.Prefix(base.under.sign, _placed(base.under.body, where, when)))
    if isinstance(base, pr.Script):
        sub = base.sub
        if sub is not None and where is not None:
            sub = pr.Row((sub, pr.Symbol(","), where))
        return pr.Script(base.base, sub or where, base.sup or when)
    return pr.Script(base, where, when) if where is not None or when is not None else base


def _conditions(choice: sp.Piecewise) -> Iterator[tuple[Any, pr.Math]]:
    """Values with their conditions; the last one's says what is left, so that a formula needs no language."""
    (*_, (_, before), _) = choice.args
    for value, test in choice.args:
        yield value, _condition(sp.Not(before) if test == sp.true else test)


def _condition(test: Any) -> pr.Math:
    sign = {"==": "=", "<=": "le", ">=": "ge", "<": "<", ">": ">"}[test.rel_op]
    left, right = test.lhs, test.rhs
    if right == tm.t and sign == "=":  # SymPy sorts the sides of an equality
        left, right = right, left
    return pr.Infix(("", sign), (tm.index_math(left), tm.dimension_math(right)), pr.RELATION)
