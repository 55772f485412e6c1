"""A matrix given entry by entry: formulas in index notation, as a term of the language.

An entry of a sequence is ``h[t-1, i]`` (an :class:`sympy.Indexed`), of a matrix ``W[i, j]``; indices run
from 1, as in :mod:`rnnderive.calculus.components`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any

import numpy as np
import sympy as sp

from rnnderive import printing as pr
from rnnderive.calculus.components import Entry
from rnnderive.errors import LanguageError
from rnnderive.language import FUNCTIONS
from rnnderive.language import terms as tm
from rnnderive.language.terms import Term

__all__ = ["ByEntry", "by_entry", "column_index", "function_name", "row_index"]

row_index, column_index = sp.symbols("i j", integer=True)

_FUNCTIONS = {
    sp.tanh: "tanh",
    sp.exp: "exp",
    sp.log: "log",
    sp.sin: "sin",
    sp.cos: "cos",
    sp.Abs: "abs",
    sp.sign: "sign",
}


def function_name(expr: Any) -> str:
    """What the language calls a function of SymPy's; its own name, where the language has none."""
    return _FUNCTIONS.get(expr.func) or str(expr.func.__name__)


class ByEntry(Term):
    """The matrix whose entry (i, j) is an expression.

    ``args`` are the expression, its two indices, rows, columns, and what it reads.
    """

    @property
    def shape(self) -> tuple[Any, Any]:
        return self.args[3], self.args[4]

    @property
    def terms(self) -> tuple[Term, ...]:
        return tuple(self.args[5:])

    def rebuild(self, *terms: Term) -> Term:
        return self.func(*self.args[:5], *terms)

    def evaluate(self, run: Any, step: int | None) -> Any:
        expr, i, j, *_ = self.args
        rows, columns = (int(run.algebra.extent(s)) for s in self.shape)
        out = run.algebra.full(rows, columns, 0)
        env = {**run.bound, tm.T: run.T, **({tm.t: step} if step is not None else {})}
        reader = _Reader(run, step, self.columns)
        for r, c in np.ndindex(rows, columns):
            out[r, c] = reader.value(expr, {**env, i: r + 1, j: c + 1})
        return out

    @property
    def columns(self) -> Mapping[str, tuple[bool, bool]]:
        """Name → whether it has a time index, and whether it is a row."""
        return {n.name: (isinstance(n, tm.At), n.shape[0] == 1) for a in self.terms for n in tm.members(a)
                if isinstance(n, tm.At | tm.Parameter)}  # fmt: skip

    def math(self, notation: pr.Notation) -> pr.Math:
        return pr.Call(pr.Word("entries"), (pr.Word(str(self.args[0])),))


class _Reader:
    """Evaluates scalar expressions in a run."""

    def __init__(self, run: Any, step: int | None, kinds: Mapping[str, tuple[bool, bool]]) -> None:
        self.run, self.step, self.kinds, self.algebra = run, step, kinds, run.algebra

    def value(self, expr: Any, env: Mapping[Any, int]) -> Any:
        reduce = self.algebra.reduce
        match expr:
            case sp.Indexed():
                return self.entry(str(expr.base), list(expr.indices), env)
            case sp.Rational():
                return self.algebra.scalar(expr)
            case sp.Symbol():
                if expr in env:
                    return self.algebra.scalar(sp.Integer(env[expr]))
                if expr in self.algebra.sizes:
                    return self.algebra.scalar(self.algebra.extent(expr))
                return self.run.timeless(str(expr), self.step)[0, 0]
            case sp.Add():
                total = self.value(expr.args[0], env)
                for a in expr.args[1:]:
                    total = reduce(total + self.value(a, env))
                return total
            case sp.Mul():
                total = self.value(expr.args[0], env)
                for a in expr.args[1:]:
                    total = reduce(total * self.value(a, env))
                return total
            case sp.Pow():
                return self.power(expr, env)
            case sp.Sum():
                return self.sum(expr.function, list(expr.limits), env)
            case sp.Piecewise():
                found = next((e for e, test in expr.args if self.holds(test, env)), sp.S.Zero)
                return self.value(found, env)
            case Entry():
                array = self.run.term(expr.args[0], env.get(tm.t, self.step))
                at = [self.index(k, env) - 1 for k in expr.args[1:]]
                return array[tuple([*at, 0, 0][:2])] if len(at) != 1 or array.shape[0] > 1 else array[0, at[0]]
            case sp.Function():
                name = function_name(expr)
                x = self.value(expr.args[0], env)
                return self.algebra.apply(name, self.boxed(x))[0, 0]
        raise LanguageError(f"{expr} has no value here")

    def boxed(self, x: Any) -> Any:
        out = np.empty((1, 1), dtype=self.algebra.dtype)
        out[0, 0] = x
        return out

    def power(self, expr: Any, env: Mapping[Any, int]) -> Any:
        k = int(expr.exp)
        base = self.value(expr.base, env)
        base = self.algebra.inverse(self.boxed(base))[0, 0] if k < 0 else base
        total = base
        for _ in range(abs(k) - 1):
            total = self.algebra.reduce(total * base)
        return total

    def sum(self, body: Any, limits: list[Any], env: Mapping[Any, int]) -> Any:
        if not limits:
            return self.value(body, env)
        (symbol, first, last), rest = limits[-1], limits[:-1]  # SymPy's last limit is the outermost
        total = self.algebra.scalar(sp.S.Zero)
        for k in range(self.index(first, env), self.index(last, env) + 1):
            total = self.algebra.reduce(total + self.sum(body, rest, {**env, symbol: k}))
        return total

    def holds(self, test: Any, env: Mapping[Any, int]) -> bool:
        if test in (sp.true, sp.false):
            return bool(test)
        a, b = self.index(test.lhs, env), self.index(test.rhs, env)
        return {"==": a == b, "<=": a <= b, ">=": a >= b, "<": a < b, ">": a > b, "!=": a != b}[test.rel_op]

    def index(self, index: Any, env: Mapping[Any, int]) -> int:
        constant, parts = _affine(index)
        return constant + sum(k * (env[s] if s in env else int(self.algebra.extent(s))) for s, k in parts)

    def entry(self, name: str, indices: list[Any], env: Mapping[Any, int]) -> Any:
        timed, row = self.kinds[name]
        at = [self.index(k, env) for k in indices]
        array = self.run.at(name, at.pop(0)) if timed else self.run.timeless(name, self.step)
        place = [k - 1 for k in at]
        if len(place) == 1:
            place = [0, *place] if row and array.shape[1] > 1 else [*place, 0]
        place = [*place, 0, 0][:2]
        if not all(0 <= k < n for k, n in zip(place, array.shape, strict=True)):
            raise LanguageError(f"{name} has no entry {tuple(at)}: it is {array.shape[0]}×{array.shape[1]}")
        return array[tuple(place)]


@lru_cache(maxsize=4096)
def _affine(index: Any) -> tuple[int, tuple[tuple[Any, int], ...]]:
    constant, rest = sp.expand(index).as_coeff_Add()
    return int(constant), tuple((s, int(k)) for s, k in rest.as_coefficients_dict().items() if k != 0)


def by_entry(
    expr: Any, rows: Any, columns: Any, leaves: Mapping[str, Term], i: Any = row_index, j: Any = column_index
) -> Term:
    """A term from its entries.

    Parameters
    ----------
    expr : Expr
        The entry (i, j).
    rows, columns : size
    leaves : mapping
        Name → the name as a term, for all that the expression reads.

    Raises
    ------
    LanguageError
        For names that are not known, or functions that are no elementwise functions.
    """
    expr = sp.sympify(expr)
    read: dict[Term, None] = {}
    for part, bound in _parts(expr, frozenset()):
        for leaf in _read(part, bound, leaves, {i, j}):
            read.setdefault(leaf)
    return ByEntry(expr, i, j, rows, columns, *read)


def _parts(expr: Any, bound: frozenset[Any]) -> Iterator[tuple[Any, frozenset[Any]]]:
    """Every node, and the indices that are bound above it."""
    yield expr, bound
    if isinstance(expr, sp.Indexed | Entry):
        return
    if isinstance(expr, sp.Sum):
        yield from _parts(expr.function, bound | {limit[0] for limit in expr.limits})
        return
    if isinstance(expr, sp.Piecewise):
        for value, _ in expr.args:
            yield from _parts(value, bound)
        return
    for a in expr.args:
        yield from _parts(a, bound)


def _read(part: Any, bound: frozenset[Any], leaves: Mapping[str, Term], indices: set[Any]) -> Iterator[Term]:
    if isinstance(part, sp.Indexed):
        name = str(part.base)
        leaf = leaves.get(name)
        if leaf is None:
            raise LanguageError(f"{name} is no name here; known are {', '.join(leaves)}")
        if isinstance(leaf, tm.At):
            here = leaf.moved(part.indices[0])
            yield tm.TimeSum(here) if tm.t in bound else here
        else:
            yield leaf
        wanted = isinstance(leaf, tm.At) + sum(s != 1 for s in leaf.shape)
        if len(part.indices) != wanted:
            raise LanguageError(f"{part} has {len(part.indices)} indices; {name} takes {wanted}")
    elif isinstance(part, Entry):
        inside = part.args[0]
        yield tm.TimeSum(inside) if tm.t in bound else inside
    elif isinstance(part, sp.Symbol) and part not in bound | indices | {tm.t, tm.T}:
        name = str(part)
        if name in leaves:
            yield leaves[name]
        elif not name.startswith(("n_", "m_")):
            raise LanguageError(f"{name} is no name here; known are {', '.join(leaves)}")
    elif isinstance(part, sp.Function) and not isinstance(part, sp.Piecewise):
        name = function_name(part)
        if name not in FUNCTIONS:
            raise LanguageError(f"{part.func} is no elementwise function; known are {', '.join(FUNCTIONS)}")
    elif isinstance(part, sp.Pow) and not part.exp.is_Integer:
        raise LanguageError(f"found the power {part}; expected a whole exponent")
