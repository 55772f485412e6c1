"""Functions by name: elementwise ones, softmax, layer normalisation, the sum of the entries."""

from __future__ import annotations

from typing import Any

import sympy as sp

from rnnderive import printing as pr
from rnnderive.language.functions import FUNCTIONS
from rnnderive.language.terms.base import Shape, Term
from rnnderive.language.terms.leaves import Number

__all__ = [
    "LAYER_NORM_EPSILON",
    "Apply",
    "InverseStd",
    "LayerNorm",
    "LogSoftmax",
    "Softmax",
    "SumEntries",
    "Unary",
]

LAYER_NORM_EPSILON = sp.Rational(1, 100_000)


class Apply(Term):
    """An elementwise function of the table in :mod:`rnnderive.language.functions`."""

    def __new__(cls, name: Any, argument: Any) -> Term:
        return Term.__new__(cls, sp.Symbol(str(name)), argument)

    @property
    def name(self) -> str:
        return self.args[0].name

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


class Unary(Term):
    """A named operator on one column."""

    word = ""

    @property
    def shape(self) -> Shape:
        return self.args[0].shape

    def math(self, notation: pr.Notation) -> pr.Math:
        return pr.Call(pr.Word(self.word), (self.args[0].math(notation),))

    def code(self, *codes: str) -> str:
        return f"{self.word}({codes[0]})"


class Softmax(Unary):
    """exp(x) / Σ exp(x)."""

    word = "softmax"

    def value(self, algebra: Any, *values: Any) -> Any:
        e = algebra.apply("exp", values[0])
        return algebra.reduce(e * algebra.inverse(algebra.reduce(e.sum(axis=0, keepdims=True))))


class LogSoftmax(Unary):
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


class LayerNorm(Unary):
    """(x − mean) / √(variance + 10⁻⁵); gain and offset are written outside (Ba et al. 2016)."""

    word = "layer_norm"

    def value(self, algebra: Any, *values: Any) -> Any:
        c, r = _centred(algebra, values[0])
        return algebra.reduce(c * r)


class InverseStd(Unary):
    """1 / √(variance + 10⁻⁵), the scale that layer normalisation applies."""

    word = "inverse_std"

    @property
    def shape(self) -> Shape:
        return sp.S.One, sp.S.One

    def value(self, algebra: Any, *values: Any) -> Any:
        return _centred(algebra, values[0])[1]


class SumEntries(Unary):
    """The sum of all entries, a scalar: ``sum(x)``."""

    word = "sum"

    @property
    def shape(self) -> Shape:
        return sp.S.One, sp.S.One

    def rebuild(self, *terms: Term) -> Term:
        return Number(0) if terms[0].is_null else SumEntries(*terms)

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
