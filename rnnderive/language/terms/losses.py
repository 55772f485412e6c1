"""Losses: a scalar from a prediction and its target."""

from __future__ import annotations

from typing import Any

import sympy as sp

from rnnderive import printing as pr
from rnnderive.language.terms.arithmetic import plus
from rnnderive.language.terms.base import Shape, Term
from rnnderive.language.terms.named import LogSoftmax

__all__ = ["BinaryCrossEntropy", "CrossEntropy", "LogLoss", "Loss", "SquaredError"]


class Loss(Term):
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


class SquaredError(Loss):
    """½‖y − target‖²."""

    word = "squared_error"

    def value(self, algebra: Any, *values: Any) -> Any:
        difference = algebra.reduce(values[0] - values[1])
        return algebra.reduce(self.sum(algebra, difference * difference) * algebra.number(sp.Rational(1, 2)))

    def math(self, notation: pr.Notation) -> pr.Math:
        difference = plus(self.args[0], -self.args[1]).math(notation)
        norm = pr.Script(pr.Fenced(difference, "‖"), None, pr.Numeral("2"))
        return pr.Row((pr.Frac(pr.Numeral("1"), pr.Numeral("2")), norm))


class CrossEntropy(Loss):
    """−Σ target · log softmax(logits); the target is one-hot, or an integer class."""

    word = "cross_entropy"

    def value(self, algebra: Any, *values: Any) -> Any:
        return algebra.reduce(-self.sum(algebra, LogSoftmax.value(self, algebra, values[0]) * values[1]))


class BinaryCrossEntropy(Loss):
    """Σ softplus(logits) − target · logits, the cross-entropy of σ(logits)."""

    word = "binary_cross_entropy"

    def value(self, algebra: Any, *values: Any) -> Any:
        return self.sum(algebra, algebra.apply("softplus", values[0]) - values[0] * values[1])


class LogLoss(Loss):
    """−Σ target · log p + (1 − target) · log(1 − p), on probabilities."""

    word = "log_loss"

    def value(self, algebra: Any, *values: Any) -> Any:
        p, target = values
        right = target * algebra.apply("log", p)
        wrong = (1 - target) * algebra.apply("log", algebra.reduce(1 - p))
        return algebra.reduce(-self.sum(algebra, right + wrong))
