"""Operators in which Jacobians are written; they are not differentiated themselves."""

from __future__ import annotations

from typing import Any

import numpy as np
import sympy as sp

from rnnderive import printing as pr
from rnnderive.language.terms.base import Shape, Term
from rnnderive.language.terms.formulas import dimension_math

__all__ = ["Blocks", "Commutation", "Diag", "Kron", "Unvec", "Vec", "blocks"]


class Diag(Term):
    """The diagonal matrix of a column."""

    @property
    def shape(self) -> Shape:
        n = self.args[0].shape[0]
        return n, n

    def value(self, algebra: Any, *values: Any) -> Any:
        n = values[0].shape[0]
        out = algebra.full(n, n, 0)
        out[np.arange(n), np.arange(n)] = values[0][:, 0]
        return out

    def math(self, notation: pr.Notation) -> pr.Math:
        return pr.Call(pr.Word("diag"), (self.args[0].math(notation),))

    def code(self, *codes: str) -> str:
        return f"np.diagflat({codes[0]})"


class Blocks(Term):
    """A matrix of blocks, row by row; the first argument is how many stand in a row."""

    @property
    def grid(self) -> list[tuple[Term, ...]]:
        """The rows of blocks."""
        width = int(self.args[0])
        return [self.args[k : k + width] for k in range(1, len(self.args), width)]

    @property
    def shape(self) -> Shape:
        return sp.Add(*(row[0].shape[0] for row in self.grid)), sp.Add(*(b.shape[1] for b in self.grid[0]))

    def value(self, algebra: Any, *values: Any) -> Any:
        width = int(self.args[0])
        return np.block([list(values[k : k + width]) for k in range(0, len(values), width)])

    def math(self, notation: pr.Notation) -> pr.Math:
        return pr.Grid(tuple(tuple(b.math(notation) for b in row) for row in self.grid))

    def code(self, *codes: str) -> str:
        width = int(self.args[0])
        rows = [f"[{', '.join(codes[k : k + width])}]" for k in range(0, len(codes), width)]
        return f"np.block([{', '.join(rows)}])"


def blocks(rows: list[list[Term]]) -> Term:
    """A matrix of blocks; a single block is itself."""
    if len(rows) == 1 and len(rows[0]) == 1:
        return rows[0][0]
    return Blocks(len(rows[0]), *(b for row in rows for b in row))


class Kron(Term):
    """The Kronecker product."""

    @property
    def shape(self) -> Shape:
        (a, b), (c, d) = self.args[0].shape, self.args[1].shape
        return a * c, b * d

    def value(self, algebra: Any, *values: Any) -> Any:
        return algebra.reduce(np.kron(*values))

    def math(self, notation: pr.Notation) -> pr.Math:
        items = tuple(pr.at_level(a.math(notation), pr.SCRIPT) for a in self.args)
        return pr.Infix(("", "kron"), items, pr.PRODUCT)

    def code(self, *codes: str) -> str:
        return f"np.kron({codes[0]}, {codes[1]})"


class Vec(Term):
    """The columns of a matrix, one under the other."""

    @property
    def shape(self) -> Shape:
        rows, columns = self.args[0].shape
        return rows * columns, sp.S.One

    def value(self, algebra: Any, *values: Any) -> Any:
        return values[0].T.reshape(-1, 1)

    def math(self, notation: pr.Notation) -> pr.Math:
        return pr.Call(pr.Word("vec"), (self.args[0].math(notation),))

    def code(self, *codes: str) -> str:
        return f"({codes[0]}).T.reshape(-1, 1)"


class Unvec(Term):
    """A matrix of the given size from its columns in one row or column."""

    @property
    def shape(self) -> Shape:
        return self.args[1], self.args[2]

    def value(self, algebra: Any, *values: Any) -> Any:
        rows, columns = (int(algebra.extent(d)) for d in self.args[1:])
        return values[0].reshape(columns, rows).T

    def math(self, notation: pr.Notation) -> pr.Math:
        inverse = pr.Script(pr.Word("vec"), None, pr.Infix(("-",), (pr.Numeral("1"),), pr.SUM))
        return pr.Call(inverse, (self.args[0].math(notation),))

    def code(self, *codes: str) -> str:
        return f"({codes[0]}).reshape({self.args[2]}, {self.args[1]}).T"


class Commutation(Term):
    """The permutation K with K vec(A) = vec(Aᵀ), for A of the given size."""

    @property
    def shape(self) -> Shape:
        n = self.args[0] * self.args[1]
        return n, n

    def rebuild(self, *terms: Term) -> Term:
        return self

    def value(self, algebra: Any, *values: Any) -> Any:
        rows, columns = (int(algebra.extent(d)) for d in self.args)
        out = algebra.full(rows * columns, rows * columns, 0)
        one = algebra.number(sp.S.One)[0, 0]
        for i in range(rows):
            for j in range(columns):
                out[i * columns + j, j * rows + i] = one
        return out

    def math(self, notation: pr.Notation) -> pr.Math:
        return pr.Script(pr.Letter("K"), pr.Row(tuple(dimension_math(d) for d in self.args)))

    def code(self, *codes: str) -> str:
        rows, columns = self.args
        n = rows * columns
        return f"np.eye({n})[np.arange({n}).reshape({columns}, {rows}).T.ravel()]"
