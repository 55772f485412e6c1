"""When a chain must vanish, when it may explode: norms of the factors, and what norms do not see."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache

import numpy as np
import sympy as sp

from rnnderive import printing as pr
from rnnderive.chains.products import Array, operator_log_norms, vector_log_norms
from rnnderive.chains.spectra import spectral_norms, spectral_radii
from rnnderive.chains.theory.claim import Claim
from rnnderive.chains.theory.nets import autonomous, driven, jacobians, orthogonal
from rnnderive.language import FUNCTIONS

__all__ = ["claims", "slope_bound", "with_norm_and_radius"]

PASCANU = "pascanu"
NON_NORMAL = "transient"
IRNN = "irnn"
ORTHOGONAL = "orthogonal"


@lru_cache(maxsize=8)
def slope_bound(name: str) -> sp.Expr:
    """γ = sup|φ′|, from the rule table's slope φ′(y) over the range of y = φ(x).

    Examples
    --------
    >>> [slope_bound(name) for name in ("tanh", "sigmoid", "relu")]
    [1, 1/4, 1]
    """
    x, y = sp.Symbol("x", real=True), sp.Symbol("y", real=True)
    function = FUNCTIONS[name]
    slope = function.slope(x, y)
    if slope.has(sp.Piecewise):
        return sp.Max(*(sp.Abs(piece) for piece, _ in slope.args))
    ends = (sp.limit(function.scalar(x), x, -sp.oo), sp.limit(function.scalar(x), x, sp.oo))
    return sp.maximum(sp.Abs(slope), y, sp.Interval(*ends))


def with_norm_and_radius(radius: float, norm: float) -> Array:
    """A 2×2 matrix [[ρ, c], [0, ρ]] with that spectral radius ρ and largest singular value s₁.

    The singular values multiply to ρ², so that c = s₁ − ρ²/s₁.
    """
    return np.array([[radius, norm - radius**2 / norm], [0.0, radius]])


def claims(quick: bool = True) -> Iterator[Claim]:
    """The conditions and bounds of the table."""
    yield from _bound(quick)
    yield from _quadrants()
    yield from _non_normal()
    yield from _rectified()
    yield from _isometric(quick)


def _bound(quick: bool) -> Iterator[Claim]:
    source = "pascanu_norms"
    rng = np.random.default_rng(1)
    n, T = (12, 40) if quick else (64, 400)
    gammas = {"tanh": 1, "sigmoid": sp.Rational(1, 4), "relu": 1}
    for name, gamma in gammas.items():
        yield Claim(PASCANU, f"slope_{name}", float(gamma), float(slope_bound(name)), 0.0, source, "published")
    for name in gammas:
        gamma = float(slope_bound(name))
        for s1 in (0.9 / gamma, 1.5 / gamma):
            U = rng.normal(size=(n, n))
            U *= s1 / np.linalg.norm(U, 2)
            J = jacobians(driven(name), {"U": U}, {"x": rng.normal(size=(T, n)), "h0": rng.normal(size=n)})
            excess = operator_log_norms(J) - np.arange(T + 1) * np.log(gamma * s1)
            yield Claim(PASCANU, f"bound_{name}", 0.0, float(excess[1:].max()), 1e-12, source, relation="≤",
                        values={"product": gamma * s1})  # fmt: skip
        slope = 1.5 * orthogonal(rng, n) / gamma
        J = jacobians(autonomous(name), {"U": slope, "b": np.zeros(n)}, {"T": 1, "h0": np.zeros(n)})
        if name != "relu":  # whose slope at 0 is 0
            yield Claim(PASCANU, f"attained_{name}", np.log(1.5), float(operator_log_norms(J, [1])[0]), 1e-12, source)


def _quadrants() -> Iterator[Claim]:
    """A sigmoid net (1/γ = 4) in each cell of {ρ < 1, ρ > 1} × {s₁ < 4, s₁ > 4}."""
    source = "pascanu_radius"
    T = 200
    kept = np.full(2, 0.5)
    # With b = −U h the state h = 1/2 is a fixed point, where σ′ = 1/4 = γ.
    for radius, norm, rate in ((0.5, 2.0, -1), (2.0, 3.0, -1), (0.5, 6.0, -1), (5.0, 6.0, +1)):
        U = with_norm_and_radius(radius, norm)
        J = jacobians(autonomous("sigmoid"), {"U": U, "b": -U @ kept}, {"T": T, "h0": kept})
        found = operator_log_norms(J)
        values = {"radius": radius, "norm": norm, "T": T}
        exact = spectral_radii(U[None])[0], spectral_norms(U[None])[0]
        yield Claim(PASCANU, "example", radius + norm, sum(exact), 1e-12, source,
                    values={"radius": radius, "norm": norm})  # fmt: skip
        says = "explodes" if rate > 0 else "vanishes"
        yield Claim(PASCANU, says, rate, float(np.sign(found[-1])), 0.0, source, values=values)
    J = jacobians(autonomous("sigmoid"), {"U": U, "b": np.zeros(2)}, {"T": T, "h0": kept})
    yield Claim(PASCANU, "saturates", -1, float(np.sign(operator_log_norms(J)[-1])), 0.0, source)


def _non_normal() -> Iterator[Claim]:
    source = ""
    U = np.array([[0.5, 4.0], [0.0, 0.5]])
    J = jacobians("h[t] = U @ h[t-1]\nL = sum(h[T])", {"U": U}, {"T": 10, "h0": np.zeros(2)})
    norms = np.exp(operator_log_norms(J))
    w = sp.Matrix([[sp.Rational(1, 2), 4], [0, sp.Rational(1, 2)]])

    def exact(t: int) -> float:
        return float(max(sp.sqrt(v) for v in ((w**t).T * w**t).eigenvals()))

    def power(t: int) -> pr.Math:
        return pr.Script(pr.Letter("U"), None, pr.Numeral(str(t)))

    yield Claim(NON_NORMAL, "radius", 0.5, float(spectral_radii(J[:1])[0]), 1e-7, source)
    for t in (1, 2, 3, 5, 10):
        yield Claim(NON_NORMAL, "norm", exact(t), norms[t], 1e-13, source, relative=True, values={"power": power(t)})
    for t, rounded, digits in ((1, 4.0616, 4), (2, 4.02, 2), (3, 3.01, 2), (5, 1.25, 2), (10, 0.078, 3)):
        allowed = 0.5001 * 10**-digits
        yield Claim(NON_NORMAL, "tabulated", rounded, norms[t], allowed, source, values={"power": power(t)})
    yield Claim(NON_NORMAL, "grows", 4.0, norms.max(), 0.0, source, relation="≥")


def _rectified() -> Iterator[Claim]:
    source = "irnn"
    n, T = 6, 300
    for alpha in (0.9, 1.0, 1.1):
        U = alpha * np.eye(n)
        inputs = {"T": T, "h0": np.linspace(0.5, 1.5, n)}
        J = jacobians(autonomous("relu"), {"U": U, "b": np.zeros(n)}, inputs)
        expected = np.arange(T + 1) * np.log(alpha)
        off = np.abs(operator_log_norms(J) - expected).max()
        yield Claim(IRNN, "powers", 0.0, off, 1e-12, source, values={"alpha": alpha})
    J = jacobians(autonomous("relu"), {"U": U, "b": np.zeros(n)}, {"T": T, "h0": -np.ones(n)})
    yield Claim(IRNN, "died", -np.inf, float(operator_log_norms(J)[-1]), 0.0, source)


def _isometric(quick: bool) -> Iterator[Claim]:
    source = "unitary"
    rng = np.random.default_rng(2)
    n, T = (16, 200) if quick else (64, 2000)
    for name in ("tanh", "relu"):
        J = jacobians(driven(name), {"U": orthogonal(rng, n)}, {"x": rng.normal(size=(T, n)), "h0": rng.normal(size=n)})
        growth = np.diff(vector_log_norms(rng.normal(size=n), J))
        growth = growth[np.isfinite(growth)]
        yield Claim(ORTHOGONAL, f"never_grows_{name}", 0.0, growth.max(), 1e-12, source, relation="≤")
