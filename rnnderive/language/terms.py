"""Terms: the right-hand sides of recurrence equations, as SymPy matrix expressions.

A term is immutable and has a shape.  Its class says what it means (:meth:`Term.value`) and
how it is written (:meth:`Term.math`); what it does under differentiation stands in the rule
table of :mod:`rnnderive.calculus`.  The operators ``+ - *`` are elementwise, ``@`` is the
matrix product, ``.T`` the transpose, as in the language's text.  A size of 1 goes with any
size.  SymPy's own ``MatAdd`` and ``MatMul`` are not used: they reorder what the author wrote.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import sympy as sp
from sympy.matrices.expressions.matexpr import MatrixExpr

from rnnderive import printing as pr
from rnnderive.language.functions import FUNCTIONS

__all__ = [
    "BATCH",
    "Apply",
    "At",
    "BatchSum",
    "BinaryCrossEntropy",
    "Block",
    "Blocks",
    "Commutation",
    "CrossEntropy",
    "Diag",
    "Extent",
    "Eye",
    "InverseStd",
    "Kron",
    "LayerNorm",
    "LogLoss",
    "LogSoftmax",
    "Number",
    "Ones",
    "Parameter",
    "Plus",
    "Power",
    "Product",
    "Softmax",
    "SquaredError",
    "Stack",
    "SumEntries",
    "T",
    "Term",
    "TimeSum",
    "Times",
    "Transpose",
    "Unvec",
    "Vec",
    "Where",
    "Zeros",
    "at_horizon",
    "at_time",
    "block",
    "blocks",
    "conditional",
    "extent",
    "members",
    "plus",
    "power",
    "product",
    "shift",
    "stack",
    "t",
    "times",
    "transpose",
    "where",
]

t = sp.Symbol("t", integer=True)
T = sp.Symbol("T", integer=True, positive=True)
BATCH = sp.Symbol("batch", integer=True, positive=True)
LAYER_NORM_EPSILON = sp.Rational(1, 100_000)

Shape = tuple[Any, Any]


class Term(MatrixExpr):
    """A matrix expression of the language; ``args`` are its parts."""

    _op_priority = 100.0  # SymPy's own matrices yield to these operators.
    is_commutative = False

    def __new__(cls, *args: Any) -> Term:
        return sp.Basic.__new__(cls, *(a if isinstance(a, sp.Basic) else sp.sympify(a, strict=True) for a in args))

    @property
    def shape(self) -> Shape:
        """(rows, columns); either may be symbolic."""
        raise TypeError(f"{type(self).__name__} has no shape")

    @property
    def terms(self) -> tuple[Term, ...]:
        """Those of ``args`` that are terms."""
        return tuple(a for a in self.args if isinstance(a, Term))

    def rebuild(self, *terms: Term) -> Term:
        """Return the same operator on other `terms`, simplified as the operators are."""
        fresh = iter(terms)
        return self.func(*(next(fresh) if isinstance(a, Term) else a for a in self.args))

    def value(self, algebra: Any, *values: Any) -> Any:
        """Evaluate in `algebra`, given the values of :attr:`terms` as two-dimensional arrays."""
        raise TypeError(f"{type(self).__name__} has no value of its own")

    def evaluate(self, run: Any, step: int | None) -> Any:
        """Evaluate in a :class:`~rnnderive.language.meaning.Run`, at a step."""
        return self.value(run.algebra, *(run.term(a, step) for a in self.terms))

    def math(self, notation: pr.Notation) -> pr.Math:
        """Return the formula tree."""
        raise TypeError(f"{type(self).__name__} has no notation")

    @property
    def is_scalar(self) -> bool:
        """Whether the shape is 1×1."""
        return bool(self.shape[0] == 1 and self.shape[1] == 1)

    @property
    def is_column(self) -> bool:
        """Whether there is one column."""
        return bool(self.shape[1] == 1)

    @property
    def is_null(self) -> bool:
        return False

    @property
    def T(self) -> Term:
        return transpose(self)

    def __add__(self, other: Any) -> Term:
        return plus(self, as_term(other))

    def __radd__(self, other: Any) -> Term:
        return plus(as_term(other), self)

    def __sub__(self, other: Any) -> Term:
        return plus(self, -as_term(other))

    def __rsub__(self, other: Any) -> Term:
        return plus(as_term(other), -self)

    def __mul__(self, other: Any) -> Term:
        return times(self, as_term(other))

    def __rmul__(self, other: Any) -> Term:
        return times(as_term(other), self)

    def __truediv__(self, other: Any) -> Term:
        return times(self, power(as_term(other), -1))

    def __rtruediv__(self, other: Any) -> Term:
        return times(as_term(other), power(self, -1))

    def __matmul__(self, other: Any) -> Term:
        return product(self, as_term(other))

    def __rmatmul__(self, other: Any) -> Term:
        return product(as_term(other), self)

    def __pow__(self, exponent: Any) -> Term:
        return power(self, exponent)

    def __neg__(self) -> Term:
        return times(Number(-1), self)

    def __str__(self) -> str:
        from rnnderive.language.syntax import write

        return write(self)

    __repr__ = __str__

    def _sympystr(self, _printer: Any) -> str:
        return str(self)

    def _latex(self, _printer: Any) -> str:
        return pr.latex(self.math(pr.Notation()))

    def _pretty(self, printer: Any) -> Any:
        return printer._print(sp.Symbol(pr.text(self.math(pr.Notation()))))

    def _repr_latex_(self) -> str:
        return f"$\\displaystyle {pr.latex(self.math(pr.Notation()))}$"

    def _numpycode(self, printer: Any) -> str:
        """Print for :func:`sympy.lambdify`: columns are arrays of shape (n, 1)."""
        return self.code(*(printer._print(a) for a in self.terms))

    def code(self, *codes: str) -> str:
        """NumPy code for the operator on two-dimensional arrays."""
        raise TypeError(f"{type(self).__name__} has no code of its own")

    def doit(self, **hints: Any) -> Any:
        """Evaluate on explicit SymPy matrices, if every part is one."""
        parts = [a.doit(**hints) if isinstance(a, Term) else a for a in self.args]
        return self.func(*parts)


def as_term(value: Any) -> Term:
    """Return `value` as a term: numbers become :class:`Number`."""
    return value if isinstance(value, Term) else Number(value)


# ---------------------------------------------------------------- leaves


class Parameter(Term):
    """A name without a time index: a parameter, another constant, or a timeless quantity."""

    def __new__(cls, name: Any, rows: Any, columns: Any = 1) -> Term:
        return super().__new__(cls, sp.Symbol(str(name)), rows, columns)

    @property
    def name(self) -> str:
        return str(self.args[0])

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
        return str(self.args[0])

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
        return str(self.args[0])

    def doit(self, **hints: Any) -> Any:
        return self


def extent(size: Any) -> Term:
    """A size as a scalar term; sums and products of sizes become sums and products of terms."""
    size = sp.sympify(size)
    if size.is_Integer:
        return Number(size)
    if size.is_Add:
        return plus(*(extent(a) for a in size.args))
    if size.is_Mul:
        return times(*(extent(a) for a in size.args))
    if size.is_Pow:
        return power(extent(size.base), size.exp)
    return Extent(size)


class _Constant(Term):
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


class Zeros(_Constant):
    """All entries 0."""

    @property
    def is_null(self) -> bool:
        return True

    def math(self, notation: pr.Notation) -> pr.Math:
        return pr.Symbol("zero")

    def code(self, *codes: str) -> str:
        return f"np.zeros(({self.args[0]}, {self.args[1]}))"


class Ones(_Constant):
    """All entries 1."""

    entry = 1

    def math(self, notation: pr.Notation) -> pr.Math:
        return pr.Symbol("one")

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
        return algebra.reduce(np.array(np.eye(n, dtype=int), dtype=object) + algebra.full(n, n, 0))

    def math(self, notation: pr.Notation) -> pr.Math:
        return pr.Letter("I")

    def code(self, *codes: str) -> str:
        return f"np.eye({self.args[0]})"

    def doit(self, **hints: Any) -> Any:
        return self


# ---------------------------------------------------------------- arithmetic


def _common_shape(terms: tuple[Term, ...]) -> Shape:
    """The shape of an elementwise result: that of the first part that is no scalar."""
    for term in terms:
        if not term.is_scalar:
            return term.shape
    return terms[0].shape


class Plus(Term):
    """Sum, in the order it was written."""

    @property
    def shape(self) -> Shape:
        return _common_shape(self.args)

    def rebuild(self, *terms: Term) -> Term:
        return plus(*terms)

    def value(self, algebra: Any, *values: Any) -> Any:
        total = values[0]
        for v in values[1:]:
            total = total + v
        return algebra.reduce(total)

    def math(self, notation: pr.Notation) -> pr.Math:
        signs, items = [], []
        for k, term in enumerate(self.args):
            sign, rest = split_sign(term)
            signs.append("-" if sign < 0 else ("+" if k else ""))
            items.append(pr.at_level(rest.math(notation), pr.PRODUCT))
        return pr.Infix(tuple(signs), tuple(items), pr.SUM)

    def code(self, *codes: str) -> str:
        return "(" + " + ".join(codes) + ")"


class Times(Term):
    """Elementwise product; a scalar multiplies every entry."""

    @property
    def shape(self) -> Shape:
        return _common_shape(self.args)

    def rebuild(self, *terms: Term) -> Term:
        return times(*terms)

    def value(self, algebra: Any, *values: Any) -> Any:
        total = values[0]
        for v in values[1:]:
            total = algebra.reduce(total * v)
        return total

    def math(self, notation: pr.Notation) -> pr.Math:
        sign, rest = split_sign(self)
        if sign < 0:
            return pr.Infix(("-",), (pr.at_level(rest.math(notation), pr.PRODUCT),), pr.SUM)
        over = [a for a in self.args if not _is_inverse(a)]
        under = [power(a.args[0], -a.args[1]) for a in self.args if _is_inverse(a)]
        body = _times_math(over, notation)
        if not under:
            return body
        return pr.Frac(body, _times_math(under, notation))

    def code(self, *codes: str) -> str:
        return "(" + " * ".join(codes) + ")"


def _times_math(terms: list[Term], notation: pr.Notation) -> pr.Math:
    """Scalars stand in front by juxtaposition, the rest is joined by ⊙."""
    front = [a for a in terms if isinstance(a, Number | Extent)]
    rest = [a for a in terms if not isinstance(a, Number | Extent)]
    if not terms:
        return pr.Numeral("1")
    if all(a.is_scalar for a in rest) and len(rest) > 1:
        return pr.Row(tuple(pr.at_level(a.math(notation), pr.PRODUCT) for a in terms))
    last = len(rest) - 1
    items = [
        pr.at_level(
            a.math(notation), pr.PRODUCT if k == last or not isinstance(a, TimeSum | BatchSum | Where) else pr.ATOM
        )
        for k, a in enumerate(rest)
    ]
    body = (
        None
        if not items
        else items[0]
        if len(items) == 1
        else pr.Infix(("", *["odot"] * (len(items) - 1)), tuple(items), pr.PRODUCT)
    )
    parts = tuple(a.math(notation) for a in front) + ((body,) if body else ())
    return parts[0] if len(parts) == 1 else pr.Row(parts)


def _is_inverse(term: Term) -> bool:
    return isinstance(term, Power) and bool(term.args[1].is_negative)


class Power(Term):
    """Elementwise integer power; ``1 / x`` is the power -1."""

    @property
    def shape(self) -> Shape:
        return self.args[0].shape

    def rebuild(self, *terms: Term) -> Term:
        return power(terms[0], self.args[1])

    def value(self, algebra: Any, *values: Any) -> Any:
        k = int(self.args[1])
        base = algebra.inverse(values[0]) if k < 0 else values[0]
        total = base
        for _ in range(abs(k) - 1):
            total = algebra.reduce(total * base)
        return total

    def math(self, notation: pr.Notation) -> pr.Math:
        base, k = self.args
        if k.is_negative:
            return pr.Frac(pr.Numeral("1"), power(base, -k).math(notation))
        inner = base.math(notation)
        atom = inner if isinstance(inner, pr.Letter | pr.Call) else pr.Fenced(inner)
        return pr.Script(atom, None, pr.Numeral(str(k)))

    def code(self, *codes: str) -> str:
        return f"({codes[0]}) ** {float(self.args[1])}"


class Product(Term):
    """Matrix product of two or more factors."""

    @property
    def shape(self) -> Shape:
        return self.args[0].shape[0], self.args[-1].shape[1]

    def rebuild(self, *terms: Term) -> Term:
        return product(*terms)

    def value(self, algebra: Any, *values: Any) -> Any:
        # From the right while the right end is a column: matrix times vector is cheap.
        total = values[-1]
        for v in reversed(values[:-1]):
            total = algebra.reduce(v @ total)
        return total

    def math(self, notation: pr.Notation) -> pr.Math:
        return pr.Row(
            tuple(
                pr.at_level(a.math(notation), pr.SCRIPT if not isinstance(a, Product) else pr.PRODUCT)
                for a in self.args
            )
        )

    def code(self, *codes: str) -> str:
        return "(" + " @ ".join(codes) + ")"


class Transpose(Term):
    """The transpose."""

    @property
    def shape(self) -> Shape:
        rows, columns = self.args[0].shape
        return columns, rows

    def rebuild(self, *terms: Term) -> Term:
        return transpose(terms[0])

    def value(self, algebra: Any, *values: Any) -> Any:
        return values[0].T

    def math(self, notation: pr.Notation) -> pr.Math:
        inner = self.args[0].math(notation)
        if isinstance(inner, pr.Script) and inner.sup is None:
            return pr.Script(inner.base, inner.sub, pr.Symbol("top"))
        fenced = inner if inner.level == pr.ATOM else pr.Fenced(inner)
        return pr.Script(fenced, None, pr.Symbol("top"))

    def code(self, *codes: str) -> str:
        return f"({codes[0]}).T"


class Stack(Term):
    """Blocks on top of each other: ``[h, x]``."""

    @property
    def shape(self) -> Shape:
        return sp.Add(*(a.shape[0] for a in self.args)), self.args[0].shape[1]

    def rebuild(self, *terms: Term) -> Term:
        return stack(*terms)

    def value(self, algebra: Any, *values: Any) -> Any:
        return np.concatenate(values, axis=0)

    def math(self, notation: pr.Notation) -> pr.Math:
        items = tuple(a.math(notation) for a in self.args)
        return pr.Fenced(pr.Infix(("", *[","] * (len(items) - 1)), items, pr.RELATION), "[")

    def code(self, *codes: str) -> str:
        return f"np.vstack([{', '.join(codes)}])"


class Block(Term):
    """Rows r0..r1 and columns c0..c1 of a term: ``W[:, 0:size(h)]``; ends excluded."""

    @property
    def shape(self) -> Shape:
        _, r0, r1, c0, c1 = self.args
        return r1 - r0, c1 - c0

    def rebuild(self, *terms: Term) -> Term:
        return block(terms[0], *self.args[1:])

    def value(self, algebra: Any, *values: Any) -> Any:
        r0, r1, c0, c1 = (int(algebra.extent(d)) for d in self.args[1:])
        return values[0][r0:r1, c0:c1]

    def math(self, notation: pr.Notation) -> pr.Math:
        whole, r0, r1, c0, c1 = self.args
        rows, columns = whole.shape
        parts: list[pr.Math] = []
        if (r0, r1) != (0, rows):
            parts.append(_range_math(r0, r1))
        if (c0, c1) != (0, columns):
            if not parts:
                parts.append(pr.Word(":"))
            parts += [pr.Symbol(","), _range_math(c0, c1)]
        inner = whole.math(notation)
        index = pr.Row(tuple(parts)) if len(parts) > 1 else parts[0]
        if isinstance(inner, pr.Letter):
            return pr.Script(inner, index)
        if isinstance(inner, pr.Script) and inner.sub is not None and inner.sup is None:
            return pr.Script(inner.base, pr.Row((inner.sub, pr.Symbol(","), *parts)))
        return pr.Script(pr.Fenced(inner, "["), index)

    def code(self, *codes: str) -> str:
        r0, r1, c0, c1 = self.args[1:]
        return f"({codes[0]})[{r0}:{r1}, {c0}:{c1}]"


def _range_math(start: Any, stop: Any) -> pr.Math:
    """A block by the sequence it belongs to where one name says it, else by its bounds."""
    width = sp.expand(stop - start)
    if width.is_Symbol and str(width).startswith("n_"):
        return pr.name_math(str(width)[2:])
    return pr.Row((dimension_math(start), pr.Word(":"), dimension_math(stop)))


# ---------------------------------------------------------------- functions


class Apply(Term):
    """An elementwise function of the table in :mod:`rnnderive.language.functions`."""

    def __new__(cls, name: Any, argument: Any) -> Term:
        return Term.__new__(cls, sp.Symbol(str(name)), argument)

    @property
    def name(self) -> str:
        return str(self.args[0])

    @property
    def shape(self) -> Shape:
        return self.args[1].shape

    def value(self, algebra: Any, *values: Any) -> Any:
        return algebra.apply(self.name, values[0])

    def math(self, notation: pr.Notation) -> pr.Math:
        inner = self.args[1].math(notation)
        if self.name == "exp" and isinstance(inner, pr.Letter | pr.Script):
            return pr.Script(pr.Letter("e"), None, inner)
        symbol = FUNCTIONS[self.name].symbol or self.name
        head: pr.Math = pr.Letter(symbol) if symbol in ("sigma", "Phi", "phi") else pr.Word(symbol)
        return pr.Call(head, (inner,))

    def code(self, *codes: str) -> str:
        return f"elementwise_{self.name}({codes[0]})"


class _Unary(Term):
    """A named operator on one column."""

    word = ""

    @property
    def shape(self) -> Shape:
        return self.args[0].shape

    def math(self, notation: pr.Notation) -> pr.Math:
        return pr.Call(pr.Word(self.word), (self.args[0].math(notation),))

    def code(self, *codes: str) -> str:
        return f"{self.word}({codes[0]})"


class Softmax(_Unary):
    """exp(x) / Σ exp(x)."""

    word = "softmax"

    def value(self, algebra: Any, *values: Any) -> Any:
        e = algebra.apply("exp", values[0])
        return algebra.reduce(e * algebra.inverse(algebra.reduce(e.sum(axis=0, keepdims=True))))


class LogSoftmax(_Unary):
    """x − log Σ exp(x)."""

    word = "log_softmax"

    def value(self, algebra: Any, *values: Any) -> Any:
        total = algebra.reduce(algebra.apply("exp", values[0]).sum(axis=0, keepdims=True))
        return algebra.reduce(values[0] - algebra.apply("log", total))


def _centred(algebra: Any, x: Any) -> tuple[Any, Any]:
    """x − mean(x), and 1 / √(variance + ε)."""
    n = algebra.number(sp.Rational(1, x.shape[0]))
    c = algebra.reduce(x - algebra.reduce(x.sum(axis=0, keepdims=True)) * n)
    variance = algebra.reduce(algebra.reduce((c * c).sum(axis=0, keepdims=True)) * n)
    return c, algebra.apply("rsqrt", algebra.reduce(variance + algebra.number(LAYER_NORM_EPSILON)))


class LayerNorm(_Unary):
    """(x − mean) / √(variance + 10⁻⁵); gain and offset are written outside (Ba et al. 2016)."""

    word = "layer_norm"

    def value(self, algebra: Any, *values: Any) -> Any:
        c, r = _centred(algebra, values[0])
        return algebra.reduce(c * r)


class InverseStd(_Unary):
    """1 / √(variance + 10⁻⁵), the scale that layer normalisation applies."""

    word = "inverse_std"

    @property
    def shape(self) -> Shape:
        return sp.S.One, sp.S.One

    def value(self, algebra: Any, *values: Any) -> Any:
        return _centred(algebra, values[0])[1]


class SumEntries(_Unary):
    """The sum of all entries, a scalar: ``sum(x)``."""

    word = "sum"

    @property
    def shape(self) -> Shape:
        return sp.S.One, sp.S.One

    def value(self, algebra: Any, *values: Any) -> Any:
        return algebra.reduce(values[0].sum(axis=(0, 1), keepdims=True))

    def math(self, notation: pr.Notation) -> pr.Math:
        inner = self.args[0]
        one = pr.Script(pr.Symbol("one"), None, pr.Symbol("top"))
        if not inner.is_column:
            return super().math(notation)
        return pr.Row((one, pr.at_level(inner.math(notation), pr.SCRIPT)))

    def code(self, *codes: str) -> str:
        return f"np.sum({codes[0]}, keepdims=True)"


# ---------------------------------------------------------------- losses


class _Loss(Term):
    """A scalar from a prediction and a target of one shape."""

    word = ""

    @property
    def shape(self) -> Shape:
        return sp.S.One, sp.S.One

    def math(self, notation: pr.Notation) -> pr.Math:
        return pr.Call(pr.Word(self.word), tuple(a.math(notation) for a in self.args))

    def code(self, *codes: str) -> str:
        return f"{self.word}({', '.join(codes)})"

    def sum(self, algebra: Any, entries: Any) -> Any:
        return algebra.reduce(algebra.reduce(entries).sum(axis=(0, 1), keepdims=True))


class SquaredError(_Loss):
    """½‖y − target‖²."""

    word = "squared_error"

    def value(self, algebra: Any, *values: Any) -> Any:
        difference = algebra.reduce(values[0] - values[1])
        return algebra.reduce(self.sum(algebra, difference * difference) * algebra.number(sp.Rational(1, 2)))

    def math(self, notation: pr.Notation) -> pr.Math:
        difference = plus(self.args[0], -self.args[1]).math(notation)
        norm = pr.Script(pr.Fenced(difference, "‖"), None, pr.Numeral("2"))
        return pr.Row((pr.Frac(pr.Numeral("1"), pr.Numeral("2")), norm))


class CrossEntropy(_Loss):
    """−Σ target · log softmax(logits); the target is one-hot, or an integer class."""

    word = "cross_entropy"

    def value(self, algebra: Any, *values: Any) -> Any:
        return algebra.reduce(-self.sum(algebra, LogSoftmax.value(self, algebra, values[0]) * values[1]))


class BinaryCrossEntropy(_Loss):
    """Σ softplus(logits) − target · logits, the cross-entropy of σ(logits)."""

    word = "binary_cross_entropy"

    def value(self, algebra: Any, *values: Any) -> Any:
        return self.sum(algebra, algebra.apply("softplus", values[0]) - values[0] * values[1])


class LogLoss(_Loss):
    """−Σ target · log p + (1 − target) · log(1 − p), on probabilities."""

    word = "log_loss"

    def value(self, algebra: Any, *values: Any) -> Any:
        p, target = values
        right = target * algebra.apply("log", p)
        wrong = (1 - target) * algebra.apply("log", algebra.reduce(1 - p))
        return algebra.reduce(-self.sum(algebra, right + wrong))


# ---------------------------------------------------------------- time and batch


class TimeSum(Term):
    """Σ over t = 1..T of a term that reads ``t``."""

    @property
    def shape(self) -> Shape:
        return self.args[0].shape

    def math(self, notation: pr.Notation) -> pr.Math:
        lower = pr.Infix(("", "="), (pr.Letter("t"), pr.Numeral("1")), pr.RELATION)
        body = pr.at_level(self.args[0].math(notation), pr.PRODUCT)
        return pr.Big("sum", lower, pr.Letter("T"), body)


class BatchSum(Term):
    """Sum over the members of a batch; of one sequence, the term itself."""

    @property
    def shape(self) -> Shape:
        return self.args[0].shape

    def value(self, algebra: Any, *values: Any) -> Any:
        return values[0]

    def math(self, notation: pr.Notation) -> pr.Math:
        return self.args[0].math(notation)


class Where(Term):
    """A term where a relation between time indices holds, zero elsewhere."""

    @property
    def relation(self) -> tuple[str, sp.Expr, sp.Expr]:
        return str(self.args[0]), self.args[1], self.args[2]

    @property
    def shape(self) -> Shape:
        return self.args[3].shape

    def rebuild(self, *terms: Term) -> Term:
        return conditional(*self.relation, terms[0])

    def math(self, notation: pr.Notation) -> pr.Math:
        sign, left, right = self.relation
        name = {"==": "=", "<=": "le", ">=": "ge"}[sign]
        condition = pr.Infix(("", name), (index_math(left), index_math(right)), pr.RELATION)
        return pr.Cases(pr.at_level(self.args[3].math(notation), pr.PRODUCT), condition)


# ---------------------------------------------------------------- Jacobians


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


# ---------------------------------------------------------------- construction


def plus(*terms: Term) -> Term:
    """Sum: flattened, zeros dropped, order kept."""
    flat: list[Term] = []
    for term in terms:
        flat += term.args if isinstance(term, Plus) else [term]
    shape = _common_shape(tuple(flat))
    kept = [a for a in flat if not a.is_null and not (isinstance(a, Number) and a.number == 0)]
    if not kept:
        return Zeros(*shape)
    kept = _merge_stacks(kept)
    if all(isinstance(a, Number) for a in kept):
        return Number(sum(a.number for a in kept))
    if _common_shape(tuple(kept)) != shape:
        kept.append(Zeros(*shape))  # only scalars are left of a sum of larger shape
    return kept[0] if len(kept) == 1 else Plus(*kept)


def _merge_stacks(terms: list[Term]) -> list[Term]:
    """Add stacks of one partition block by block, so that [u, 0] + [0, v] is [u, v]."""
    out: list[Term] = []
    for term in terms:
        last = out[-1] if out else None
        if (
            isinstance(term, Stack)
            and isinstance(last, Stack)
            and [a.shape for a in term.args] == [a.shape for a in last.args]
            and any(a.is_null for a in (*term.args, *last.args))
        ):
            out[-1] = stack(*(plus(a, b) for a, b in zip(last.args, term.args, strict=True)))
        else:
            out.append(term)
    return out


def times(*terms: Term) -> Term:
    """Elementwise product: flattened, numbers gathered in front."""
    flat: list[Term] = []
    for term in terms:
        flat += term.args if isinstance(term, Times) else [term]
    shape = _common_shape(tuple(flat))
    number = sp.S.One
    rest: list[Term] = []
    for a in flat:
        if isinstance(a, Number):
            number *= a.number
        else:
            rest.append(a)
    full = [a for a in rest if not isinstance(a, Ones)]
    if _common_shape((*full, Number(1))) == shape:
        rest = full  # ones only matter where nothing else has their shape
    if number == 0 or any(a.is_null for a in flat):
        return Zeros(*shape)
    if not rest:
        return Number(number)
    if number != 1:
        rest.insert(0, Number(number))
    return rest[0] if len(rest) == 1 else Times(*rest)


def power(base: Term, exponent: Any) -> Term:
    """Elementwise power with an integer exponent."""
    k = sp.Integer(exponent)
    if k == 0:
        return Number(1) if base.is_scalar else Ones(*base.shape)
    if isinstance(base, Number):
        return Number(base.number**k)
    if isinstance(base, Power):
        return power(base.args[0], base.args[1] * k)
    return base if k == 1 else Power(base, k)


def product(*terms: Term) -> Term:
    """Matrix product: flattened; identities, zeros and stacked zero blocks taken out."""
    flat: list[Term] = []
    for term in terms:
        flat += term.args if isinstance(term, Product) else [term]
    flat = [a for a in flat if not isinstance(a, Eye)] or flat[:1]
    if len(flat) == 1:
        return flat[0]
    shape = flat[0].shape[0], flat[-1].shape[1]
    if any(a.is_null for a in flat):
        return Zeros(*shape)
    for k in range(len(flat) - 1):
        left, right = flat[k], flat[k + 1]
        if left.is_scalar or right.is_scalar:
            if left.is_column and right.shape[0] == 1:  # a scalar factor is an elementwise one
                return product(*flat[:k], times(left, right), *flat[k + 2 :])
        if isinstance(left, Diag) and isinstance(right, Diag):
            return product(*flat[:k], Diag(times(left.args[0], right.args[0])), *flat[k + 2 :])
        if isinstance(right, Stack) and any(b.is_null for b in right.args):
            parts, start = [], sp.S.Zero
            for b in right.args:
                stop = start + b.shape[0]
                if not b.is_null:
                    parts.append(product(*flat[:k], block(left, 0, left.shape[0], start, stop), b, *flat[k + 2 :]))
                start = stop
            return plus(*parts)
    return Product(*flat)


def transpose(term: Term) -> Term:
    """The transpose, pushed inward through products and sums."""
    if term.is_scalar:
        return term
    match term:
        case Transpose():
            return term.args[0]
        case Product():
            return product(*(transpose(a) for a in reversed(term.args)))
        case Eye() | Diag():
            return term
        case Zeros() | Ones():
            return term.func(term.args[1], term.args[0])
        case Commutation():
            return Commutation(term.args[1], term.args[0])
        case Times() if any(a.is_scalar for a in term.args):
            return times(*(transpose(a) for a in term.args))
    return Transpose(term)


def stack(*terms: Term) -> Term:
    """Blocks on top of each other; one block is itself."""
    if len(terms) == 1:
        return terms[0]
    if all(a.is_null for a in terms):
        return Zeros(sp.Add(*(a.shape[0] for a in terms)), terms[0].shape[1])
    return Stack(*terms)


def block(term: Term, r0: Any, r1: Any, c0: Any = 0, c1: Any = None) -> Term:
    """Rows r0..r1 and columns c0..c1, pushed inward where that saves work."""
    rows, columns = term.shape
    r0, r1, c0 = sp.sympify(r0), sp.sympify(r1), sp.sympify(c0)
    c1 = columns if c1 is None else sp.sympify(c1)
    if (r0, r1, c0, c1) == (0, rows, 0, columns):
        return term
    match term:
        case Transpose():
            return transpose(block(term.args[0], c0, c1, r0, r1))
        case Product():
            first, *middle, last = term.args
            first = block(first, r0, r1)
            return product(first, *middle, block(last, 0, last.shape[0], c0, c1))
        case Zeros() | Ones():
            return term.func(sp.expand(r1 - r0), sp.expand(c1 - c0))
        case Stack() if (c0, c1) == (0, columns):
            start = sp.S.Zero
            for part in term.args:
                if (r0, r1) == (start, start + part.shape[0]):
                    return part
                start += part.shape[0]
    return Block(term, r0, r1, c0, c1)


def conditional(sign: str, left: Any, right: Any, body: Term) -> Term:
    """`body` where ``left sign right`` holds, zero elsewhere; decided at once if it can be."""
    left, right = sp.sympify(left), sp.sympify(right)
    if left.has(t):  # keep t alone on the left
        left, right = t, sp.expand(right - (left - t))
    if body.is_null:
        return body
    gap = sp.expand(left - right)
    if gap.is_Integer:
        holds = {"==": gap == 0, "<=": gap <= 0, ">=": gap >= 0}[sign]
        return body if holds else Zeros(*body.shape)
    if {left, right} <= {T, sp.S.One} and sign == "<=" and left == 1:
        return body  # there is always a first step
    return Where(sp.Symbol(sign), left, right, body)


def where(sign: str, right: Any, body: Term) -> Term:
    """`body` at the times t with ``t sign right``, zero elsewhere."""
    return conditional(sign, t, right, body)


def split_sign(term: Term) -> tuple[int, Term]:
    """Return the sign of a term's leading number, and the term without it."""
    if isinstance(term, Number) and term.number < 0:
        return -1, Number(-term.number)
    if isinstance(term, Times) and isinstance(term.args[0], Number) and term.args[0].number < 0:
        return -1, times(Number(-term.args[0].number), *term.args[1:])
    return 1, term


# ---------------------------------------------------------------- walking


def members(term: Term, inside_sums: bool = True) -> Iterator[Term]:
    """Every node of the term, outermost first; not below Σ_t unless `inside_sums`."""
    yield term
    if isinstance(term, TimeSum) and not inside_sums:
        return
    for a in term.args:
        if isinstance(a, Term):
            yield from members(a, inside_sums)


def transform(term: Term, leaf: Callable[[Term], Term | None]) -> Term:
    """Rebuild a term, replacing each node for which `leaf` returns something."""
    found = leaf(term)
    if found is not None:
        return found
    if not term.terms:
        return term
    fresh = [transform(a, leaf) for a in term.terms]
    if all(f is a for f, a in zip(fresh, term.terms, strict=True)):
        return term
    return term.rebuild(*fresh)


def at_time(term: Term, index: Any) -> Term:
    """The term with its free ``t`` replaced by `index`; a ``t`` bound by Σ_t stays."""
    index = sp.sympify(index)

    def leaf(node: Term) -> Term | None:
        if isinstance(node, At):
            return node.moved(node.index.subs(t, index)) if node.index.has(t) else node
        if isinstance(node, TimeSum):
            return node
        if isinstance(node, Where) and node.relation[1].has(t):
            sign, left, right = node.relation
            return conditional(sign, left.subs(t, index), right, transform(node.args[3], leaf))
        return None

    return transform(term, leaf)


def shift(term: Term, steps: int) -> Term:
    """The term `steps` later in time: each free ``t`` becomes ``t + steps``."""
    return at_time(term, t + steps) if steps else term


def at_horizon(term: Term, steps: int) -> Term:
    """A term with the symbol T replaced by a number; what lies outside 1..T is an initial state."""

    def leaf(node: Term) -> Term | None:
        if isinstance(node, At):
            index = node.index.subs(T, steps)
            if index.is_Integer and not 1 <= index <= steps:
                return Parameter(f"{node.name}0", *node.shape)
            return At(node.name, index, *node.shape)
        if isinstance(node, Extent) and node.args[0] == T:
            return Number(steps)
        if isinstance(node, TimeSum):
            return plus(*(transform(at_time(node.args[0], s), leaf) for s in range(1, steps + 1)))
        if isinstance(node, Where):
            sign, left, right = node.relation
            return conditional(sign, left.subs(T, steps), right.subs(T, steps), transform(node.args[3], leaf))
        return None

    return transform(term, leaf)


# ---------------------------------------------------------------- small formulas


def index_math(index: Any) -> pr.Math:
    """A time index as a formula: t−1, T, 3."""
    index = sp.sympify(index)
    if index.is_Integer:
        return pr.Numeral(str(index))
    constant, rest = index.as_coeff_Add()
    letters = pr.Letter(str(rest)) if rest.is_Symbol else pr.Word(str(rest))
    if constant == 0:
        return letters
    sign = "+" if constant > 0 else "-"
    return pr.Infix(("", sign), (letters, pr.Numeral(str(abs(constant)))), pr.SUM)


def dimension_math(size: Any) -> pr.Math:
    """A size as a formula: n_h, T, 3, or a sum of these."""
    size = sp.sympify(size)
    if size.is_Integer:
        return pr.Numeral(str(size))
    if size == BATCH:
        return pr.Letter("B")
    if size.is_Symbol:
        return pr.name_math(str(size))
    if size.is_Add:
        items = tuple(dimension_math(a) for a in size.args)
        return pr.Infix(("", *["+"] * (len(items) - 1)), items, pr.SUM)
    if size.is_Mul:
        return pr.Row(tuple(dimension_math(a) for a in size.args))
    return pr.Word(str(size))


def number_math(number: sp.Rational) -> pr.Math:
    """A rational number as a formula."""
    if number < 0:
        return pr.Infix(("-",), (number_math(-number),), pr.SUM)
    if number.q == 1:
        return pr.Numeral(str(number.p))
    if number.q > 10:
        return pr.Numeral(repr(float(number)))
    return pr.Frac(pr.Numeral(str(number.p)), pr.Numeral(str(number.q)))


def number_code(number: sp.Rational) -> str:
    """A rational number as Python source."""
    return str(number.p) if number.q == 1 else repr(float(number))
