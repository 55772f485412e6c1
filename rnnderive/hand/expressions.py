"""A derivation as SymPy expressions: matrices, or entries, for any T or a given one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import sympy as sp

from rnnderive.calculus import Component
from rnnderive.errors import InputError, LanguageError
from rnnderive.hand.equations import assembled
from rnnderive.hand.formulas import Formulas
from rnnderive.hand.matching import gradient_of
from rnnderive.hand.problem import Problem
from rnnderive.hand.sympy_terms import Terms
from rnnderive.language import terms as tm
from rnnderive.language.syntax import Line, Raw, Text
from rnnderive.language.terms import Term

__all__ = ["read_sympy"]


def read_sympy(
    given: Any,
    problem: Problem,
    *,
    wrt: str | None = None,
    T: int | None = None,
    names: Mapping[str, str] | None = None,
) -> Formulas:
    """Read SymPy expressions.

    Parameters
    ----------
    given : expression, or mapping of name → expression
        For one parameter (then say `wrt`), or for all; also a list of what ``d.components`` gives.
        An expression is one of these.

        - A matrix expression of `MatrixSymbol` s, of SymPy's own (`MatMul`, `MatAdd`, `Transpose`,
          `HadamardProduct`, `DiagMatrix`, elementwise functions) or of this package's terms (``d.chain("W", T=3)``).
          A sequence at a step is a symbol called ``h[3]``, ``h^3`` or ``h_3``; at the running one ``h[t]``.
        - An explicit `Matrix`, or a scalar, in entries: ``h[t-1, i]`` (`IndexedBase`, from 1) of a sequence,
          ``W[i, j]`` of a matrix; plain symbols with the same numbers (``W_1_2``, ``h_3_1``: step, then
          entry) where sizes are given by the matrix.  A scalar is the entry (i, j).

        What is a row with an entry for each of vec(W), as a chain is, is put into the shape of W.
    problem : Problem
    wrt : str, optional
        What one expression is the gradient in.
    T : int, optional
        The number of steps, where the expression is for one; found from the steps in it otherwise.
    names : mapping, optional
        Name of a symbol → name of the network.

    Raises
    ------
    LanguageError
        For what is no part of a recurrence, naming it.

    Examples
    --------
    >>> import rnnderive as rd
    >>> problem = Problem(rd.cells.vanilla())
    >>> hand = read_sympy({"U": problem.derivation.chain("U", T=3)}, problem, T=3)
    >>> {n: bool(v) for n, v in hand.verdicts(problem).items()}
    {'dU': True}
    """
    equations = _equations(given, problem, wrt)
    reader = Terms(problem, {**(names or {})}, [n for n, _, _ in equations])
    steps = T if T is not None else _steps([e for _, _, e in equations], reader)
    lines, targets, entries = [], {}, []
    for _, _, expr in equations:
        reader.meet(expr)
    for name, of, expr in equations:
        term = reader.read(expr, name)
        if steps is not None:
            term = tm.at_horizon(term, steps) if not _opaque(term) else term
        if of is not None:
            term = _in_shape(term, problem.net.shape(of))
            targets[name] = problem.gradients[of]
        entries.append((name, term))
    sizes = _sizes(problem, entries, targets)
    for name, term in entries:
        timed = reader.timed.get(name, False)
        left = Raw("at", [], (name, tm.t)) if timed else Raw("name", [], name)
        lines.append(Line(left, Raw("term", [], term)))
    text = Text("", lines, [], None)
    return assembled(problem, text, given=targets, T=steps, sizes=sizes)


def _equations(given: Any, problem: Problem, wrt: str | None) -> list[tuple[str, str | None, Any]]:
    """(claimed name, what it is the gradient of, expression)."""
    gradients = problem.gradients
    if isinstance(given, list | tuple) and given and all(isinstance(c, Component) for c in given):
        return [(str(getattr(c.left, "base", c.left)), _source(str(getattr(c.left, "base", c.left)), gradients), c)
                for c in given]  # fmt: skip
    if not isinstance(given, Mapping):
        if wrt is None:
            raise InputError("one expression: say what it is the gradient in, as wrt='W'")
        given = {wrt: given}
    if not given:
        raise InputError("there is no expression")
    out = []
    for key, expr in given.items():
        name = str(getattr(key, "name", key))
        of = name if name in gradients else gradient_of(name, gradients, problem.net.loss)
        out.append((gradients[of] if of is not None else name, of, expr))
    return out


def _source(name: str, gradients: Mapping[str, str]) -> str | None:
    return next((n for n, g in gradients.items() if g == name), None)


def _opaque(term: Term) -> bool:
    return any(not type(n).__module__.startswith("rnnderive.language") for n in tm.parts(term))


def _in_shape(term: Term, wanted: tuple[Any, Any]) -> Term:
    """A row with an entry for each of vec(W) in the shape of W."""
    rows, columns = term.shape
    if rows == 1 and (rows, columns) != wanted and sp.expand(columns - wanted[0] * wanted[1]) == 0:
        return tm.Unvec(term, *wanted)
    return term


def _steps(exprs: list[Any], reader: Terms) -> int | None:
    """The largest step that is named by its number."""
    found = 0
    for expr in exprs:
        if not isinstance(expr, sp.Basic | sp.MatrixBase):
            continue
        if isinstance(expr, sp.MatrixBase) or (isinstance(expr, sp.Expr) and not isinstance(expr, sp.MatrixExpr)):
            expr = sp.Tuple(*(reader.indexed(sp.sympify(e)) for e in _flatten(expr)))
        for node in sp.preorder_traversal(expr):
            index = None
            if isinstance(node, tm.At):
                index = node.index
            elif isinstance(node, sp.Symbol | sp.MatrixSymbol):
                place = reader.place(str(node.name))
                index = place[1] if place else None
            elif isinstance(node, sp.Indexed) and reader.timed.get(str(node.base)):
                index = node.indices[0]
            if index is not None and sp.sympify(index).is_Integer:
                found = max(found, int(index))
    return found or None


def _flatten(expr: Any) -> list[Any]:
    return list(expr) if isinstance(expr, sp.MatrixBase) else [expr]


def _sizes(problem: Problem, entries: list[tuple[str, Term]], targets: Mapping[str, str]) -> dict[Any, int] | None:
    """The sizes that explicit matrices fix."""
    found: dict[Any, int] = {}
    adjoint = problem.derivation.adjoint
    for name, term in entries:
        wanted = adjoint.shape(targets[name]) if name in targets else None
        if wanted is None:
            continue
        for size, number in zip(wanted, term.shape, strict=True):
            fixes = sp.sympify(number).is_Integer and sp.sympify(size).is_Symbol
            if fixes and found.setdefault(size, int(number)) != int(number):
                raise LanguageError(f"{name} gives {size} as {number}, another expression as {found[size]}")
    if not found:
        return None
    return {**{s: n for s, n in problem.sizes.items() if s not in found}, **found}
