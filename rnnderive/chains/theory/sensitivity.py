"""Sensitivity without explosion: a linear unit with long memory (Zucchet and Orvieto)."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache

import numpy as np
import sympy as sp

from rnnderive.chains.products import vector_log_norms
from rnnderive.chains.theory.claim import Claim
from rnnderive.chains.theory.nets import jacobians
from rnnderive.derivation import derive
from rnnderive.programs import Program

__all__ = ["claims", "sensitivity_power", "state_power"]

ROW = "zucchet"
UNIT = "h[t] = lam * h[t-1] + x[t]\nL = sum(h[T])"


@lru_cache(maxsize=1)
def state_power() -> sp.Expr:
    """E h² of h' = λh + x for white x: Σ_k λ^{2k}.

    Examples
    --------
    >>> state_power()
    -1/(lambda**2 - 1)
    """
    lam, k = sp.Symbol("lambda", positive=True), sp.Symbol("k", integer=True, nonnegative=True)
    return sp.simplify(_convergent(sp.summation(lam ** (2 * k), (k, 0, sp.oo))))


@lru_cache(maxsize=1)
def sensitivity_power() -> sp.Expr:
    """E (dh/dλ)²: h = Σ_k λ^k x_{−k}, so that it is Σ_k k² λ^{2k−2}."""
    lam, k = sp.Symbol("lambda", positive=True), sp.Symbol("k", integer=True, nonnegative=True)
    term = sp.diff(lam**k, lam) ** 2
    return sp.factor(_convergent(sp.summation(sp.simplify(term), (k, 0, sp.oo))))


def _convergent(total: sp.Expr) -> sp.Expr:
    """The branch of a sum for |λ| < 1, which SymPy gives first."""
    return sp.piecewise_fold(total).args[0][0] if total.has(sp.Piecewise) else total


@lru_cache(maxsize=2)
def _rows() -> tuple[Program, Program]:
    """The programs of ∂h^T/∂x^k and of ∂(dh^T/dλ)/∂x^k: the second through the tangent in λ."""
    tangent = derive(UNIT, "lam").tangent
    return derive(UNIT, "x").lambdify(), derive(tangent, "x").lambdify()


def claims(quick: bool = True) -> Iterator[Claim]:
    """The two powers, exactly and by gradients in a white input."""
    source = "zucchet"
    own = "zucchet_own"
    lam = sp.Symbol("lambda", positive=True)
    for says, found, printed in (
        ("state", state_power(), 1 / (1 - lam**2)),
        ("slope", sensitivity_power(), (1 + lam**2) / (1 - lam**2) ** 3),
    ):
        yield Claim(ROW, says, 1, bool(sp.simplify(found - printed) == 0), 0, source, "published")
    for value, T, number in ((0.9, 400, 263.8868639743405), (0.99, 4000, 251262.62610240757)):
        exact = sensitivity_power().subs(lam, sp.Rational(str(value)))
        yield Claim(ROW, "power", number, float(exact), 1e-14, own, relative=True, values={"lam": value})
        # For white x the power of a linear functional of x is the sum of its squared coefficients.
        params, inputs = {"lam": np.array([value])}, {"x": np.zeros((T, 1))}
        state, sensitivity = _rows()
        in_state = state(params, inputs)[1]["x"]
        in_slope = sensitivity({**params, "lam_dot": np.array([1.0])}, inputs)[1]["x"]
        power = float(state_power().subs(lam, sp.Rational(str(value))))
        values = {"lam": value, "T": T}
        found = float(np.sum(in_state**2))
        yield Claim(ROW, "in_state", power, found, 1e-12, own, relative=True, values=values)
        found = float(np.sum(in_slope**2))
        yield Claim(ROW, "in_slope", float(exact), found, 1e-12, own, relative=True, values=values)
        norms = vector_log_norms([1.0], jacobians(UNIT, params, {**inputs, "h0": np.zeros(1)}))
        yield Claim(ROW, "no_explosion", 0.0, float(norms.max()), 0.0, own, relation="≤", values=values)
