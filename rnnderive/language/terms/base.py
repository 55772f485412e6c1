"""What every term is: an immutable SymPy matrix expression that prints and evaluates itself."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property, wraps
from typing import Any

import sympy as sp
from sympy.matrices.expressions.matexpr import MatrixExpr

from rnnderive import printing as pr

__all__ = ["Shape", "Term", "as_term", "once"]

Shape = tuple[Any, Any]


def _late() -> Any:
    """The operators, which are built from classes that derive from the one below."""
    from rnnderive.language.terms import arithmetic

    return arithmetic


def once(evaluate: Callable[[Any, Any, int | None], Any]) -> Callable[[Any, Any, int | None], Any]:
    """Let a run keep the value of a term at fixed steps: the lines of a derivation share long products."""

    @wraps(evaluate)
    def kept(term: Any, run: Any, step: int | None) -> Any:
        if step is not None or run.bound:
            return evaluate(term, run, step)
        if (term, None) not in run.known:
            run.known[term, None] = evaluate(term, run, step)
        return run.known[term, None]

    return kept


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

    @cached_property
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

    @cached_property
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
        return _late().transpose(self)

    def __add__(self, other: Any) -> Term:
        return _late().plus(self, as_term(other))

    def __radd__(self, other: Any) -> Term:
        return _late().plus(as_term(other), self)

    def __sub__(self, other: Any) -> Term:
        return _late().plus(self, -as_term(other))

    def __rsub__(self, other: Any) -> Term:
        return _late().plus(as_term(other), -self)

    def __mul__(self, other: Any) -> Term:
        return _late().times(self, as_term(other))

    def __rmul__(self, other: Any) -> Term:
        return _late().times(as_term(other), self)

    def __truediv__(self, other: Any) -> Term:
        return _late().times(self, _late().power(as_term(other), -1))

    def __rtruediv__(self, other: Any) -> Term:
        return _late().times(as_term(other), _late().power(self, -1))

    def __matmul__(self, other: Any) -> Term:
        return _late().product(self, as_term(other))

    def __rmatmul__(self, other: Any) -> Term:
        return _late().product(as_term(other), self)

    def __pow__(self, exponent: Any) -> Term:
        return _late().power(self, exponent)

    def __neg__(self) -> Term:
        return _late().times(_late().Number(-1), self)

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
        terms = [a.doit(**hints) for a in self.terms]
        if all(isinstance(a, Term) for a in terms):
            return self.rebuild(*terms)
        fresh = iter(terms)
        return self.func(*(next(fresh) if isinstance(a, Term) else a for a in self.args))


def as_term(value: Any) -> Term:
    """Return `value` as a term: numbers become :class:`Number`."""
    return value if isinstance(value, Term) else _late().Number(value)
