"""Names, numbers and constant matrices."""

from __future__ import annotations

from typing import Any

import numpy as np
import sympy as sp

from rnnderive import printing as pr
from rnnderive.language.terms.base import Shape, Term
from rnnderive.language.terms.formulas import T, dimension_math, index_math, number_code, number_math, t

__all__ = ["At", "Constant", "Extent", "Eye", "Number", "Ones", "Parameter", "Zeros"]


class Parameter(Term):
    """A name without a time index: a parameter, another constant, or a timeless quantity."""

    def __new__(cls, name: Any, rows: Any, columns: Any = 1) -> Term:
        return super().__new__(cls, sp.Symbol(str(name)), rows, columns)

    @property
    def name(self) -> str:
        return self.args[0].name

    @property
    def shape(self) -> Shape:
        return self.args[1], self.args[2]

    def rebuild(self, *terms: Term) -> Term:
        return self

    def math(self, notation: pr.Notation) -> pr.Math:
        return notation.name(self.name)

    def code(self, *codes: str) -> str:
        return self.name

    def doit(self, **hints: Any) -> Any:
        return self


class At(Term):
    """A sequence at a time index: ``h[t-1]``, ``y[T]``, ``x[3]``."""

    def __new__(cls, name: Any, index: Any, rows: Any, columns: Any = 1) -> Term:
        return super().__new__(cls, sp.Symbol(str(name)), index, rows, columns)

    @property
    def name(self) -> str:
        return self.args[0].name

    @property
    def index(self) -> sp.Expr:
        return self.args[1]

    @property
    def shape(self) -> Shape:
        return self.args[2], self.args[3]

    @property
    def lag(self) -> int | None:
        """k in ``name[t-k]``; None for a member at a fixed place."""
        difference = t - self.index
        return int(difference) if difference.is_Integer else None

    def rebuild(self, *terms: Term) -> Term:
        return self

    def moved(self, index: Any) -> Term:
        """The same sequence at another index; just outside 1..T, its initial state."""
        index = sp.sympify(index)
        beyond = sp.expand(index - T)
        if (index.is_Integer and index < 1) or (beyond.is_Integer and beyond > 0):
            return Parameter(f"{self.name}0", *self.shape)
        return At(self.name, index, *self.shape)

    def math(self, notation: pr.Notation) -> pr.Math:
        return pr.with_index(notation.name(self.name), index_math(self.index))

    def code(self, *codes: str) -> str:
        return f"{self.name}_{self.index}"

    def doit(self, **hints: Any) -> Any:
        return self


class Number(Term):
    """A rational number."""

    def __new__(cls, value: Any) -> Term:
        return super().__new__(cls, sp.Rational(value) if not isinstance(value, sp.Basic) else value)

    @property
    def number(self) -> sp.Rational:
        return self.args[0]

    @property
    def shape(self) -> Shape:
        return sp.S.One, sp.S.One

    def value(self, algebra: Any, *values: Any) -> Any:
        return algebra.number(self.number)

    def math(self, notation: pr.Notation) -> pr.Math:
        return number_math(self.number)

    def code(self, *codes: str) -> str:
        return f"np.array([[{number_code(self.number)}]])"

    def doit(self, **hints: Any) -> Any:
        return self


class Extent(Term):
    """How many: ``T`` steps, ``size(h)`` entries, ``size(batch)`` sequences; a scalar."""

    @property
    def shape(self) -> Shape:
        return sp.S.One, sp.S.One

    def value(self, algebra: Any, *values: Any) -> Any:
        return algebra.number(algebra.extent(self.args[0]))

    def math(self, notation: pr.Notation) -> pr.Math:
        return dimension_math(self.args[0])

    def code(self, *codes: str) -> str:
        return self.args[0].name

    def doit(self, **hints: Any) -> Any:
        return self


class Constant(Term):
    """A matrix of given size whose entries are fixed."""

    entry = 0

    @property
    def shape(self) -> Shape:
        return self.args[0], self.args[1]

    def rebuild(self, *terms: Term) -> Term:
        return self

    def value(self, algebra: Any, *values: Any) -> Any:
        rows, columns = (int(algebra.extent(d)) for d in self.shape)
        return algebra.full(rows, columns, self.entry)

    def doit(self, **hints: Any) -> Any:
        return self


class Zeros(Constant):
    """All entries 0."""

    @property
    def is_null(self) -> bool:
        return True

    def math(self, notation: pr.Notation) -> pr.Math:
        return pr.Symbol("zero")

    def code(self, *codes: str) -> str:
        return f"np.zeros(({self.args[0]}, {self.args[1]}))"


class Ones(Constant):
    """All entries 1."""

    entry = 1

    def math(self, notation: pr.Notation) -> pr.Math:
        row = self.args[0] == 1 and self.args[1] != 1
        return pr.Script(pr.Symbol("one"), None, pr.Symbol("top")) if row else pr.Symbol("one")

    def code(self, *codes: str) -> str:
        return f"np.ones(({self.args[0]}, {self.args[1]}))"


class Eye(Term):
    """The identity matrix."""

    @property
    def shape(self) -> Shape:
        return self.args[0], self.args[0]

    def rebuild(self, *terms: Term) -> Term:
        return self

    def value(self, algebra: Any, *values: Any) -> Any:
        n = int(algebra.extent(self.args[0]))
        out = algebra.full(n, n, 0)
        out[np.arange(n), np.arange(n)] = algebra.scalar(sp.S.One)
        return out

    def math(self, notation: pr.Notation) -> pr.Math:
        return pr.Letter("I")

    def code(self, *codes: str) -> str:
        return f"np.eye({self.args[0]})"

    def doit(self, **hints: Any) -> Any:
        return self
