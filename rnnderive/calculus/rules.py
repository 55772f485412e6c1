"""The rule table: how the result of each operator changes with each of its arguments.

A rule is a linear map (:mod:`rnnderive.calculus.linear`); local Jacobians, pullbacks (BPTT) and
pushforwards (tangents) all come from it.  ``e`` is the operator applied, ``y`` a term that
stands for its result (the name it was given, where there is one), ``k`` the argument's place.
The derivative of an elementwise function stands in :mod:`rnnderive.language.functions`.
"""

from __future__ import annotations

from collections.abc import Callable

import sympy as sp

from rnnderive.calculus.linear import (
    Compose,
    Cut,
    Diagonal,
    Embed,
    Flip,
    Gather,
    Identity,
    Left,
    Linear,
    Mask,
    OverBatch,
    Rank,
    Right,
    Spread,
    Sum,
)  # fmt: skip
from rnnderive.errors import RnnDeriveError
from rnnderive.language import terms as tm
from rnnderive.language.functions import FUNCTIONS
from rnnderive.language.terms import Number, Ones, Term

__all__ = ["RULES", "rule"]

Rule = Callable[[Term, Term, int], Linear]


def _slope(e: Term, y: Term, k: int) -> Linear:
    """f(x): multiply by f′."""
    x = e.terms[0]
    return Diagonal(FUNCTIONS[e.name].slope(x, y))


def _plus(e: Term, y: Term, k: int) -> Linear:
    """a + b: pass on; a scalar part goes to every entry."""
    return Spread(e.shape) if e.args[k].is_scalar and not e.is_scalar else Identity()


def _times(e: Term, y: Term, k: int) -> Linear:
    """a ⊙ b: multiply by the other factors."""
    others = tm.times(*e.args[:k], *e.args[k + 1 :])
    if e.args[k].is_scalar and not e.is_scalar:
        return Compose(Diagonal(others), Spread(e.shape))
    return Diagonal(others)


def _power(e: Term, y: Term, k: int) -> Linear:
    """xⁿ: multiply by n xⁿ⁻¹."""
    x, n = e.args
    return Diagonal(tm.times(Number(n), tm.power(x, n - 1)))


def _product(e: Term, y: Term, k: int) -> Linear:
    """A B: the factors before from the left, those after from the right."""
    before, x, after = e.args[:k], e.args[k], e.args[k + 1 :]
    out: Linear = Identity()
    if after:
        out = Right(tm.product(*after), x.shape[0])
    if before:
        width = after[-1].shape[1] if after else x.shape[1]
        left = Left(tm.product(*before), width)
        out = Compose(left, out) if after else left
    return out


def _stack(e: Term, y: Term, k: int) -> Linear:
    """[u, v]: a block of its own."""
    sizes = [a.shape[0] for a in e.args]
    return Embed(sp.Add(*sizes[:k]), sizes[k], sp.Add(*sizes[k + 1 :]))


def _softmax(e: Term, y: Term, k: int) -> Linear:
    """softmax: diag(y) − y yᵀ."""
    return Sum((Diagonal(y), Rank(-y, y)))


def _log_softmax(e: Term, y: Term, k: int) -> Linear:
    """log softmax: I − 1 softmax(x)ᵀ."""
    return Sum((Identity(), Rank(-Ones(*e.shape), tm.Softmax(e.args[0]))))


def _layer_norm(e: Term, y: Term, k: int) -> Linear:
    """Layer normalisation (Ba et al. 2016): (I − (1 1ᵀ + y yᵀ)/n) / std."""
    one, n = Ones(*e.shape), tm.extent(e.shape[0])
    centre = Sum((Identity(), Rank(-one / n, one), Rank(-y / n, y)))
    return Compose(Diagonal(tm.InverseStd(e.args[0])), centre)


def _inverse_std(e: Term, y: Term, k: int) -> Linear:
    """1/std: −(1/std)² layer_norm(x)ᵀ / n."""
    x = e.args[0]
    return Left(-(y**2) * tm.LayerNorm(x).T / tm.extent(x.shape[0]))


def _squared_error(e: Term, y: Term, k: int) -> Linear:
    """½‖a − b‖²: (a − b)ᵀ, and its negative."""
    a, b = e.args
    return Left((a - b if k == 0 else b - a).T)


def _cross_entropy(e: Term, y: Term, k: int) -> Linear:
    """Cross-entropy on logits: (softmax · Σ target − target)ᵀ; −log softmax for the target."""
    a, target = e.args
    if k == 0:
        return Left((tm.Softmax(a) * tm.SumEntries(target) - target).T)
    return Left(-tm.LogSoftmax(a).T)


def _binary_cross_entropy(e: Term, y: Term, k: int) -> Linear:
    """Binary cross-entropy on logits: (σ(a) − target)ᵀ."""
    a, target = e.args
    return Left((tm.Apply("sigmoid", a) - target).T) if k == 0 else Left(-a.T)


def _log_loss(e: Term, y: Term, k: int) -> Linear:
    """Binary cross-entropy on probabilities: ((p − target) / (p (1 − p)))ᵀ."""
    p, target = e.args
    if k == 0:
        return Left(((p - target) / (p * (1 - p))).T)
    return Left((tm.Apply("log", 1 - p) - tm.Apply("log", p)).T)


RULES: dict[type[Term], Rule] = {
    tm.Apply: _slope,
    tm.Plus: _plus,
    tm.Times: _times,
    tm.Power: _power,
    tm.Product: _product,
    tm.Transpose: lambda e, y, k: Flip(e.args[0].shape),
    tm.Stack: _stack,
    tm.Block: lambda e, y, k: Cut(tuple(e.args[1:]), e.args[0].shape),
    tm.Where: lambda e, y, k: Mask(e.relation),
    tm.SumEntries: lambda e, y, k: Gather(e.args[0].shape),
    tm.BatchSum: lambda e, y, k: OverBatch(),
    tm.Softmax: _softmax,
    tm.LogSoftmax: _log_softmax,
    tm.LayerNorm: _layer_norm,
    tm.InverseStd: _inverse_std,
    tm.SquaredError: _squared_error,
    tm.CrossEntropy: _cross_entropy,
    tm.BinaryCrossEntropy: _binary_cross_entropy,
    tm.LogLoss: _log_loss,
}


def rule(e: Term, k: int, y: Term | None = None) -> Linear:
    """The derivative of `e` in its `k`-th term, with `y` standing for its result.

    Raises
    ------
    RnnDeriveError
        If the table has no rule for the operator.
    """
    try:
        found = RULES[type(e)]
    except KeyError:
        raise RnnDeriveError(
            f"{type(e).__name__} has no rule: it writes Jacobians down and cannot be differentiated itself"
        ) from None
    return found(e, e if y is None else y, k)
