"""Products of random matrices, whose spectra are known: the acceptance tests of the QR routines."""

from __future__ import annotations

from collections.abc import Iterator

import mpmath
import numpy as np
import sympy as sp

from rnnderive import printing as pr
from rnnderive.chains.products import Array, operator_log_norms, vector_log_norms
from rnnderive.chains.spectra import (
    log_singular_values,
    lyapunov_exponents,
    naive_log_singular_values,
    qr_estimates,
)
from rnnderive.chains.theory.claim import Claim, Given
from rnnderive.chains.theory.nets import orthogonal

__all__ = ["claims", "exact_log_singular_values", "newman"]

NEWMAN = "newman"
SAXE = "saxe"
METHODS = "product"
SINGULAR = "singular"


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
    source = "newman"
    n, T = 16, 2_000 if quick else 20_000
    exact = [float(v) for v in newman(n)]
    yield Claim(NEWMAN, "first", 1.3544, exact[0], 5e-5, source)
    yield Claim(NEWMAN, "last", -0.6352, exact[-1], 5e-5, source)
    rng = np.random.default_rng(3)
    kept: list[float] = []

    def chunks() -> Iterator[Array]:
        for _ in range(T // 100):
            chunk = rng.normal(size=(100, n, n))
            kept.extend(np.linalg.slogdet(chunk)[1])
            yield chunk

    found = lyapunov_exponents(chunks())
    for i, (theory, measured, error) in enumerate(zip(exact, found.exponents, found.errors, strict=True), 1):
        exponent = pr.Script(pr.Letter("lambda"), pr.Numeral(str(i)))
        values: dict[str, Given] = {"T": T, "exponent": exponent}
        yield Claim(NEWMAN, "measured", theory, measured, 4 * error, source, values=values)
    total = float(found.exponents.sum())
    yield Claim(NEWMAN, "sum", float(np.mean(kept)), total, 1e-11, "", "exact")


def _isometries() -> Iterator[Claim]:
    source = "saxe"
    rng = np.random.default_rng(4)
    factors = np.array([orthogonal(rng, 64) for _ in range(1000)])
    logs = log_singular_values(factors)
    yield Claim(SAXE, "all_one", 0.0, float(np.abs(logs).max()), 1e-12, source, "published")
    norm = float(operator_log_norms(factors, [1000])[0])
    yield Claim(SAXE, "norm", 0.0, norm, 1e-12, source, "published")


def exact_log_singular_values(factors: Array, digits: int = 150) -> Array:
    """The logarithms of the singular values of the product, multiplied in so many digits by mpmath."""
    with mpmath.workdps(digits):
        product = mpmath.eye(factors.shape[-1])
        for factor in factors:
            product = mpmath.matrix(factor.tolist()) * product
        return np.array([float(mpmath.log(s)) for s in mpmath.svd_r(product, compute_uv=False)])


def _exact() -> Iterator[Claim]:
    own = "mpmath_150"
    factors = np.random.default_rng(0).normal(size=(60, 6, 6))
    exact = exact_log_singular_values(factors)

    def off(logs: Array) -> float:
        return float(np.abs(logs - exact).max())

    first, _, third = qr_estimates(factors, 3)
    yield Claim(METHODS, "float_product", 46.0, off(naive_log_singular_values(factors)), 2.0, own)
    yield Claim(METHODS, "one_sweep", 0.5, off(first), 0.0, own, relation="≥")
    yield Claim(METHODS, "three_sweeps", 1.6e-13, off(third), 0.0, own, relation="≤")
    yield Claim(METHODS, "settled", 0.0, off(log_singular_values(factors)), 1.6e-13, own)
    for T in (1, 2, 5):  # short products have close singular values, where sweeps alone converge slowly
        few = np.random.default_rng(T).normal(size=(T, 8, 8))
        error = np.abs(log_singular_values(few) - exact_log_singular_values(few)).max()
        yield Claim(METHODS, "short", 0.0, float(error), 2e-14, own, values={"T": T})
    top = operator_log_norms(factors, [60])[0]
    yield Claim(METHODS, "norm", exact[0], float(top), 1e-13, own)


def _singular() -> Iterator[Claim]:
    own = ""
    rng = np.random.default_rng(5)
    factors = rng.normal(size=(400, 8, 8))
    factors[37, 2] = factors[90, 5] = 0.0  # one dead unit at one step, another at another
    for words, count in (("apart", 1), ("together", 2)):
        found = lyapunov_exponents(factors, discard=200)
        yield Claim(SINGULAR, f"counted_{words}", count, found.singular, 0.0, own)
        yield Claim(SINGULAR, f"finite_{words}", 8 - count, len(found.exponents), 0.0, own)
        lost = int(np.isneginf(log_singular_values(factors)).sum())
        yield Claim(SINGULAR, f"zero_{words}", count, lost, 0.0, own)
        factors[37, 5] = 0.0
    thin = rng.normal(size=(12, 3)) @ rng.normal(size=(3, 12))
    lost = lyapunov_exponents(np.broadcast_to(thin, (100, 12, 12))).singular
    yield Claim(SINGULAR, "thin", 9, lost, 0.0, own)
    gone = vector_log_norms(np.ones(8), np.concatenate([factors[:5], np.zeros((1, 8, 8)), factors[5:9]]))
    yield Claim(SINGULAR, "zero_factor", 6, int(np.isneginf(gone).sum()), 0.0, own)
