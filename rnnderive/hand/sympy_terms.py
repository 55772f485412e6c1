"""SymPy's expressions as terms of the language."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

import sympy as sp
from sympy.matrices.expressions import hadamard
from sympy.matrices.expressions.applyfunc import ElementwiseApplyFunction
from sympy.matrices.expressions.diagonal import DiagMatrix, DiagonalMatrix

from rnnderive.calculus import Component
from rnnderive.errors import LanguageError
from rnnderive.hand.entries import by_entry, column_index, function_name, row_index
from rnnderive.hand.problem import Problem
from rnnderive.language import FUNCTIONS
from rnnderive.language import terms as tm
from rnnderive.language.terms import Term

__all__ = ["Terms"]


class Terms:
    """SymPy expressions as terms of the language."""

    def __init__(self, problem: Problem, names: Mapping[str, str], own: list[str]) -> None:
        self.net, self.names = problem.net, dict(names)
        adjoint = problem.derivation.adjoint
        self.leaves: dict[str, Term] = {n: self.net.leaf(n) for n in [*self.net.leaves, *self.net.initial_states]}
        for n in own:
            if n in adjoint.leaves:
                self.leaves.setdefault(n, adjoint.leaf(n))
        self.timed = {n: isinstance(leaf, tm.At) for n, leaf in self.leaves.items()}
        self.letters = {"t": tm.t, "T": tm.T, "i": row_index, "j": column_index, **{str(s): s for s in self.net.sizes}}
        self.sizes: dict[Any, Any] = {}  # a size in the person's symbols → the network's

    def meet(self, expr: Any) -> None:
        """Learn which size each symbol in the shapes of the person's matrices is."""
        if not isinstance(expr, sp.MatrixExpr) or isinstance(expr, Term):
            return
        for node in sp.preorder_traversal(expr):
            place = self.place(node.name) if isinstance(node, sp.MatrixSymbol) else None
            if place is not None:
                for mine, size in zip(node.shape, self.leaves[place[0]].shape, strict=True):
                    if mine.is_Symbol and self.sizes.setdefault(mine, size) != size:
                        raise LanguageError(f"{node} makes the size {mine} both {self.sizes[mine]} and {size}")

    # ------------------------------------------------------------ names

    def place(self, name: str) -> tuple[str, Any] | None:
        """The name and step behind a symbol's name."""
        name = self.names.get(name, name)
        if name in self.leaves and not self.timed[name]:
            return name, None
        for found in re.finditer(r"(\[|\^|_)", name):
            base = name[: found.start()]
            base = self.names.get(base, base)
            rest = name[found.start() :].strip("[]^_{}()")
            if self.timed.get(base) and (index := _index(rest)) is not None:
                return base, index
        return None

    def leaf(self, name: str, index: Any) -> Term:
        leaf = self.leaves[name]
        return leaf.moved(index) if isinstance(leaf, tm.At) else leaf

    def symbol(self, symbol: Any) -> Term:
        found = self.place(symbol.name)
        if found is None:
            raise LanguageError(
                f"{symbol.name} is no name of the network; known are {', '.join(self.leaves)}, a sequence at a step as "
                "h[3] or h_3. names= gives another name"
            )
        return self.leaf(*found)

    # ------------------------------------------------------------ expressions

    def read(self, expr: Any, name: str) -> Term:
        """An expression as a term; `name` is what it is claimed for."""
        if isinstance(expr, Component):
            return self.component(expr, name)
        if isinstance(expr, Term):
            return expr
        if isinstance(expr, sp.MatrixBase):
            return self.explicit(expr)
        if isinstance(expr, int) and not isinstance(expr, bool):
            expr = sp.Integer(expr)
        if isinstance(expr, sp.MatrixExpr):
            return self.matrix(expr)
        if isinstance(expr, sp.Expr):
            return self.entries(expr, name)
        raise LanguageError(f"found {type(expr).__name__}, expected a SymPy expression or matrix")

    def component(self, c: Component, name: str) -> Term:
        leaf = self.leaves[name]
        return self._by_entry(c.right, leaf.shape)

    def _by_entry(self, expr: Any, shape: tuple[Any, Any]) -> Term:
        pair = (column_index, row_index) if shape[0] == 1 and shape[1] != 1 else (row_index, column_index)
        return by_entry(expr, *shape, self.leaves, *pair)

    def entries(self, expr: Any, name: str) -> Term:
        """A scalar expression: the entry (i, j), or a scalar gradient."""
        leaf = self.leaves.get(name)
        if leaf is None:
            raise LanguageError(f"{name} is no gradient, so that its shape is not known; give it as a Matrix")
        return self._by_entry(self.indexed(expr), leaf.shape)

    def explicit(self, matrix: Any) -> Term:
        """A matrix of scalars, entry by entry."""
        rows, columns = matrix.shape
        cells = [[by_entry(self.indexed(sp.sympify(matrix[r, c])), 1, 1, self.leaves) for c in range(columns)]
                 for r in range(rows)]  # fmt: skip
        return tm.blocks(cells)

    def indexed(self, expr: Any) -> Any:
        """Symbols such as W_1_2 and h_3_1 as entries W[1, 2] and h[3, 1]."""
        table = {}
        for s in sorted(expr.free_symbols, key=str):
            name = self.names.get(s.name, s.name)
            found = re.fullmatch(r"(.+?)((?:_\d+)+)", name)
            while found and found[1] not in self.leaves and re.fullmatch(r"(.+)_\d+", found[1]):
                found = re.fullmatch(rf"({re.escape(found[1])}_\d+)((?:_\d+)+)", name)
            if isinstance(s, sp.Symbol) and name not in self.leaves and found and found[1] in self.leaves:
                index = [sp.Integer(k) for k in found[2].split("_")[1:]]
                table[s] = sp.IndexedBase(found[1])[tuple(index)]
        here = {
            s: self.letters[s.name] for s in expr.free_symbols if isinstance(s, sp.Symbol) and s.name in self.letters
        }
        return _ranged(expr.xreplace({**table, **here}), self.leaves)

    def matrix(self, expr: Any) -> Term:
        """A matrix expression of SymPy's."""
        if isinstance(expr, Term):
            return expr
        for kind, build in self._rules().items():
            if isinstance(expr, kind):
                return build(expr)
        raise LanguageError(
            f"found {type(expr).__name__} in {expr}; expected sums, products, transposes, Hadamard products, diagonals "
            "and elementwise functions"
        )

    def _rules(self) -> dict[type, Callable[[Any], Term]]:
        return {
            sp.MatrixSymbol: self.symbol,
            sp.MatMul: self._product,
            sp.MatAdd: lambda e: tm.plus(*(self.any(a) for a in e.args)),
            sp.Transpose: lambda e: tm.transpose(self.any(e.args[0])),
            sp.HadamardProduct: lambda e: tm.times(*(self.any(a) for a in e.args)),
            hadamard.HadamardPower: lambda e: tm.power(self.any(e.args[0]), _whole(e.args[1])),
            DiagMatrix: lambda e: tm.Diag(self._column(e.args[0])),
            DiagonalMatrix: lambda e: tm.Diag(self._column(e.args[0])),
            sp.Identity: lambda e: tm.Eye(self.size(e.shape[0])),
            sp.ZeroMatrix: lambda e: tm.Zeros(*map(self.size, e.shape)),
            sp.OneMatrix: lambda e: tm.Ones(*map(self.size, e.shape)),
            sp.MatPow: lambda e: tm.product(*[self.any(e.args[0])] * _whole(e.args[1], 1)),
            sp.KroneckerProduct: lambda e: tm.Kron(*(self.any(a) for a in e.args)),
            sp.BlockMatrix: lambda e: tm.blocks([[self.any(e.blocks[r, c]) for c in range(e.blockshape[1])]
                                                 for r in range(e.blockshape[0])]),
            ElementwiseApplyFunction: self._elementwise,
        }  # fmt: skip

    def any(self, expr: Any) -> Term:
        """A matrix expression, or a scalar in front of one."""
        if isinstance(expr, Term):
            return expr
        if isinstance(expr, sp.MatrixExpr):
            return self.matrix(expr)
        if isinstance(expr, sp.MatrixBase):
            return self.explicit(expr)
        expr = sp.sympify(expr)
        if expr.is_Rational:
            return tm.Number(expr)
        if expr.is_Symbol:
            if expr == tm.T or expr.name == "T":
                return tm.Extent(tm.T)
            return self.symbol(expr)
        if expr.is_Add:
            return tm.plus(*(self.any(a) for a in expr.args))
        if expr.is_Mul:
            return tm.times(*(self.any(a) for a in expr.args))
        if expr.is_Pow:
            return tm.power(self.any(expr.base), _whole(expr.exp))
        raise LanguageError(
            f"found {expr} as a scalar of a matrix expression; expected numbers, names, sums and products"
        )

    def _product(self, expr: Any) -> Term:
        number, matrices = expr.as_coeff_matrices()
        product = tm.product(*(self.any(a) for a in matrices))
        return product if number == 1 else tm.times(self.any(number), product)

    def _column(self, expr: Any) -> Term:
        found = self.any(expr)
        return found if found.is_column else tm.transpose(found)

    def _elementwise(self, expr: Any) -> Term:
        x = sp.Dummy("x")
        body = expr.function(x)
        return self._pointwise(body, x, self.any(expr.expr))

    def _pointwise(self, body: Any, x: Any, value: Term) -> Term:
        """A scalar formula of x, entry by entry."""
        if body == x:
            return value
        if body.is_Rational:
            return tm.Number(body)
        if body.is_Add:
            return tm.plus(*(self._pointwise(a, x, value) for a in body.args))
        if body.is_Mul:
            return tm.times(*(self._pointwise(a, x, value) for a in body.args))
        if body.is_Pow and body.exp.is_Integer:
            return tm.power(self._pointwise(body.base, x, value), body.exp)
        name = function_name(body)
        if isinstance(body, sp.Function) and name in FUNCTIONS:
            return tm.Apply(name, self._pointwise(body.args[0], x, value))
        raise LanguageError(f"found the function {body.func} of one entry; known are {', '.join(FUNCTIONS)}")

    def size(self, size: Any) -> Any:
        """A size of the network: by its name, or by the shapes of the matrices that have it."""
        size = sp.sympify(size)
        known = {**{s: self.letters[s.name] for s in size.free_symbols if s.name in self.letters}, **self.sizes}
        found = size.subs(known)
        strange = found.free_symbols - set(self.net.sizes) - {tm.T}
        if strange:
            raise LanguageError(f"{strange.pop()} is no size that a matrix of the network has")
        return found


def _index(words: str) -> Any:
    """t, t-1, T, 3."""
    found = re.fullmatch(r"(t|T)?\s*([+-]?\s*\d+)?", words.strip())
    if not words.strip() or found is None:
        return None
    base = {"t": tm.t, "T": tm.T, None: sp.S.Zero}[found[1]]
    if found[1] is None and not words.strip().isdigit():
        return None
    return base + (int(found[2].replace(" ", "")) if found[2] else 0)


def _ranged(expr: Any, leaves: Mapping[str, Term]) -> Any:
    """The expression with sums over a whole range ended by a size of the network."""
    sizes = {s for leaf in leaves.values() for s in leaf.shape} | {tm.T, tm.t}

    def ended(total: Any) -> Any:
        limits = []
        for letter, first, last in total.limits:
            if last.is_Symbol and last not in sizes:
                for e in sorted(total.function.atoms(sp.Indexed), key=str):
                    leaf = leaves.get(str(e.base))
                    index = list(e.indices)[isinstance(leaf, tm.At) :] if leaf is not None else []
                    shape = [s for s in leaf.shape if s != 1] if leaf is not None else []
                    last = next((s for k, s in zip(index, shape, strict=False) if k == letter), last)
            limits.append((letter, first, last))
        return sp.Sum(total.function, *limits)

    return expr.replace(lambda e: isinstance(e, sp.Sum), ended)


def _whole(power: Any, least: int = 0) -> int:
    power = sp.sympify(power)
    if not power.is_Integer or not (1 if least else -64) <= power <= 64:
        raise LanguageError(f"found the power {power}, expected an integer{' from 1' if least else ''} up to 64")
    return int(power)
