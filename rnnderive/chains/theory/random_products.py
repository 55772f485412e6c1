"""Products of random matrices, whose spectra are known: the acceptance tests of the QR routines."""

from __future__ import annotations

from collections.abc import Iterator

import mpmath
import numpy as np
import sympy as sp

from rnnderive.chains.products import Array, operator_log_norms, vector_log_norms
from rnnderive.chains.spectra import (
    log_singular_values,
    lyapunov_exponents,
    naive_log_singular_values,
    qr_estimates,
)
from rnnderive.chains.theory.claim import Claim
from rnnderive.chains.theory.nets import orthogonal

__all__ = ["claims", "exact_log_singular_values", "newman"]

NEWMAN = "Newman 1986"
SAXE = "Saxe, McClelland, Ganguli 2014"
METHODS = "Never form P"
SINGULAR = "Singular Jacobians"


def claims(quick: bool = True) -> Iterator[Claim]:
    """Newman's exponents, orthogonal products, exact singular values."""
    yield from _gaussian(quick)
    yield from _isometries()
    yield from _exact()
    yield from _singular()


def newman(n: int) -> list[sp.Expr]:
    """The exponents of products of i.i.d. N(0, 1) matrices, λ_i = ½ [ln 2 + ψ((n − i + 1)/2)].

    Examples
    --------
    >>> newman(2)[1], [f"{float(v):.6f}" for v in newman(2)]
    (-log(2)/2 - EulerGamma/2, ['0.057966', '-0.635181'])
    """
    return [(sp.log(2) + sp.digamma(sp.Rational(n - i + 1, 2))) / 2 for i in range(1, n + 1)]


def _gaussian(quick: bool) -> Iterator[Claim]:
    source = "Newman 1986, CMP 103:121, eq. 7"
    n, T = 16, 2_000 if quick else 20_000
    exact = [float(v) for v in newman(n)]
    yield Claim(NEWMAN, "N = 16: λ_1", 1.3544, exact[0], 5e-5, source + "; evaluation our own")
    yield Claim(NEWMAN, "N = 16: λ_16", -0.6352, exact[-1], 5e-5, source + "; evaluation our own")
    rng = np.random.default_rng(3)
    kept: list[float] = []

    def chunks() -> Iterator[Array]:
        for _ in range(T // 100):
            chunk = rng.normal(size=(100, n, n))
            kept.extend(np.linalg.slogdet(chunk)[1])
            yield chunk

    found = lyapunov_exponents(chunks())
    for i, (theory, measured, error) in enumerate(zip(exact, found.exponents, found.errors, strict=True), 1):
        yield Claim(NEWMAN, f"N = 16, T = {T}: λ_{i}, within 4 standard errors", theory, measured, 4 * error, source)
    total = float(found.exponents.sum())
    yield Claim(NEWMAN, "sum of the exponents = mean of ln|det J|", float(np.mean(kept)), total, 1e-11, "exact")


def _isometries() -> Iterator[Claim]:
    source = "arXiv:1312.6120, section 3"
    rng = np.random.default_rng(4)
    factors = np.array([orthogonal(rng, 64) for _ in range(1000)])
    logs = log_singular_values(factors)
    statement = "1000 random orthogonal 64×64 factors: singular values are 1, largest |ln s|"
    yield Claim(SAXE, statement, 0.0, float(np.abs(logs).max()), 1e-12, source, True)
    norm = float(operator_log_norms(factors, [1000])[0])
    yield Claim(SAXE, "the same by the normalised product, ln‖P‖₂", 0.0, norm, 1e-12, source, True)


def exact_log_singular_values(factors: Array, digits: int = 150) -> Array:
    """The logarithms of the singular values of the product, multiplied in so many digits by mpmath."""
    with mpmath.workdps(digits):
        product = mpmath.eye(factors.shape[-1])
        for factor in factors:
            product = mpmath.matrix(factor.tolist()) * product
        return np.array([float(mpmath.log(s)) for s in mpmath.svd_r(product, compute_uv=False)])


def _exact() -> Iterator[Claim]:
    own = "our own evaluation, against mpmath with 150 digits"
    factors = np.random.default_rng(0).normal(size=(60, 6, 6))
    exact = exact_log_singular_values(factors)

    def off(logs: Array) -> float:
        return float(np.abs(logs - exact).max())

    first, _, third = qr_estimates(factors, 3)
    words = "60 Gaussian 6×6 factors, largest error of a log singular value in nats:"
    yield Claim(
        METHODS, f"{words} SVD of the float product (46)", 46.0, off(naive_log_singular_values(factors)), 2.0, own
    )
    statement = f"{words} one sweep, a Lyapunov estimate (2.8 for other factors)"
    yield Claim(METHODS, statement, 0.5, off(first), 0.0, own, relation="≥")
    yield Claim(METHODS, f"{words} three sweeps", 1.6e-13, off(third), 0.0, own, relation="≤")
    yield Claim(METHODS, f"{words} until they settle", 0.0, off(log_singular_values(factors)), 1.6e-13, own)
    for T in (1, 2, 5):  # short products have close singular values, where sweeps alone converge slowly
        few = np.random.default_rng(T).normal(size=(T, 8, 8))
        error = np.abs(log_singular_values(few) - exact_log_singular_values(few)).max()
        yield Claim(METHODS, f"{T} Gaussian 8×8 factors: largest error in nats", 0.0, float(error), 2e-14, own)
    top = operator_log_norms(factors, [60])[0]
    yield Claim(METHODS, "ln‖P‖₂ of the normalised product", exact[0], float(top), 1e-13, own)


def _singular() -> Iterator[Claim]:
    own = "our own evaluation"
    rng = np.random.default_rng(5)
    factors = rng.normal(size=(400, 8, 8))
    factors[37, 2] = factors[90, 5] = 0.0  # one dead unit at one step, another at another
    for words, count in (("two units dead at different steps", 1), ("two units dead at one step", 2)):
        found = lyapunov_exponents(factors, discard=200)
        yield Claim(SINGULAR, f"{words}: exponents of −∞, counted", count, found.singular, 0.0, own)
        yield Claim(SINGULAR, f"{words}: finite ones, not padded", 8 - count, len(found.exponents), 0.0, own)
        lost = int(np.isneginf(log_singular_values(factors)).sum())
        yield Claim(SINGULAR, f"{words}: singular values of zero", count, lost, 0.0, own)
        factors[37, 5] = 0.0
    thin = rng.normal(size=(12, 3)) @ rng.normal(size=(3, 12))
    lost = lyapunov_exponents(np.broadcast_to(thin, (100, 12, 12))).singular
    yield Claim(SINGULAR, "U of rank 3 in 12 units: exponents of −∞", 9, lost, 0.0, own)
    gone = vector_log_norms(np.ones(8), np.concatenate([factors[:5], np.zeros((1, 8, 8)), factors[5:9]]))
    statement = "a zero factor: ln‖g P‖ is −∞ from there on, the number of lags"
    yield Claim(SINGULAR, statement, 6, int(np.isneginf(gone).sum()), 0.0, own)
