"""All singular values of a product of Jacobians, and the Lyapunov exponents of a sequence of them.

The product itself is never formed: in floating point its small singular values would be those of
the rounding errors.  A **sweep** pushes an orthogonal frame through the factors, J_t Q = Q′ R_t, so
that P = Q′ R_T ⋯ R_1 Qᵀ.  The R are triangular; the logarithms of their diagonals add up to the
exponents.  Sweeps through the transposed R in the other direction make the diagonals converge to
the singular values (the QR algorithm on a product; Golub and Van Loan 2013, §8.6; Dieci and Van
Vleck 2008); close ones, which converge slowly, are told apart by Jacobi rotations at the end.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice

import numpy as np

from rnnderive.chains.products import Array, Scaled, checked_chunks
from rnnderive.errors import InputError

__all__ = [
    "Lyapunov",
    "entropy_rate",
    "kaplan_yorke",
    "log_condition",
    "log_singular_values",
    "lyapunov_exponents",
    "naive_log_singular_values",
    "qr_estimates",
    "spectral_norms",
    "spectral_radii",
]

MOST_SWEEPS = 12
EPSILON = float(np.finfo(float).eps)


# ---------------------------------------------------------------- singular values


def log_singular_values(jacobians: Array | Iterable[Array]) -> Array:
    """The logarithms of the singular values of P = J_T ⋯ J_1, to rounding error.

    Parameters
    ----------
    jacobians : array (T, n, n), or an iterator of them **from the first steps to the last**

    Returns
    -------
    array (n,)
        Largest first; −inf for each dimension that a singular factor takes away.

    Raises
    ------
    InputError
        For shapes that do not fit and for entries that are not finite.

    Notes
    -----
    A factor counts as singular where float64 cannot tell: when a direction is left with less than
    rounding error of the rows that it lies in.  Small rows (φ′ ≈ 0) are kept to full relative
    precision; small columns are not, so J = W diag(φ′) with tiny φ′ is better given as two factors.
    The triangular factors are kept: 8 T n² bytes.

    Examples
    --------
    >>> J = np.broadcast_to(np.diag([1.0, 0.5, 0.0]), (5000, 3, 3))
    >>> (log_singular_values(J) / np.log(2)).round(6) + 0.0
    array([    0., -5000.,   -inf])
    """
    first = sweep = _first_sweep(jacobians)
    for _ in range(MOST_SWEEPS):
        sweep = _sweep_back(sweep)
        if len(sweep.logs) < sweep.size:
            continue  # a direction has left the range of floats
        logs, unit = _graded(sweep)
        if np.abs(unit).max(initial=0) <= 2:
            break
    found = np.sort(_scaled_singular_values(unit, logs))[::-1]
    return np.concatenate([found, np.full(first.size - len(found), -np.inf)])


def qr_estimates(jacobians: Array | Iterable[Array], sweeps: int = 3) -> Array:
    """What the diagonals of R say after each of some sweeps: the first is a Lyapunov estimate.

    Returns
    -------
    array (sweeps, n)
        Each row largest first.  They converge to :func:`log_singular_values`.
    """
    if sweeps < 1:
        raise InputError(f"sweeps is {sweeps}; expected a number from 1")
    done = [_first_sweep(jacobians)]
    for _ in range(sweeps - 1):
        done.append(_sweep_back(done[-1]))
    out = np.full((sweeps, done[0].size), -np.inf)
    for row, sweep in zip(out, done, strict=True):
        row[: len(sweep.logs)] = np.sort(sweep.logs)[::-1]
    return out


def naive_log_singular_values(jacobians: Array) -> Array:
    """The logarithms of the singular values of the product as floats multiply it: for comparison.

    Everything more than 36 nats below the largest is rounding error, and a long product underflows.
    """
    product = np.eye(jacobians.shape[-1])
    for factor in jacobians:
        product = factor @ product
    with np.errstate(divide="ignore"):
        return np.log(np.linalg.svd(product, compute_uv=False))


def log_condition(logs: Array) -> float:
    """The logarithm of the condition number, from logarithms of singular values; inf if singular."""
    return float(logs.max() - logs.min()) if np.isfinite(logs).all() else float("inf")


def spectral_norms(jacobians: Array) -> Array:
    """The largest singular value of each factor: (T, …, n, n) → (T, …)."""
    return np.linalg.svd(jacobians, compute_uv=False)[..., 0]


def spectral_radii(jacobians: Array) -> Array:
    """The largest modulus of an eigenvalue of each factor: (T, …, n, n) → (T, …)."""
    return np.abs(np.linalg.eigvals(jacobians)).max(-1)


@dataclass(frozen=True)
class _Sweep:
    """Triangular factors in the order in which they apply, each with the logarithm of its scale, and Σ log diag."""

    factors: list[Array]
    scales: list[float]
    logs: Array

    @property
    def size(self) -> int:
        return int(self.factors[0].shape[1])


def _first_sweep(jacobians: Array | Iterable[Array]) -> _Sweep:
    """The sweep through the Jacobians themselves, J_1, …, J_T."""
    return _sweep(_in_order(jacobians))


def _sweep_back(sweep: _Sweep) -> _Sweep:
    """The sweep in the other direction, through the transposed triangular factors."""

    def factors() -> Iterator[tuple[Array, float]]:
        for r, scale in zip(reversed(sweep.factors), reversed(sweep.scales), strict=True):
            sizes = np.sqrt(np.square(r).sum(1))
            if sizes.max(initial=0) <= 1e4 * sizes.min(initial=np.inf):
                yield r.T, scale
            else:  # R = D N: small columns of Rᵀ = Nᵀ D are small rows of D, and keep their digits
                yield np.diag(sizes), scale
                yield (r / sizes[:, None]).T, 0.0

    return _sweep(factors(), np.eye(len(sweep.logs)), noise=0.0)


def _sweep(factors: Iterable[tuple[Array, float]], frame: Array | None = None, noise: float = 10 * EPSILON) -> _Sweep:
    """Push a frame through the factors; a random one where none is given."""
    kept: list[Array] = []
    scales: list[float] = []
    terms: list[Array] = []
    for factor, scale in factors:
        frame = _random_frame(len(factor)) if frame is None else frame
        frame, r, living = _pushed(factor, frame, noise)
        if len(living) < r.shape[1]:
            terms = [earlier[living] for earlier in terms]
        terms.append(np.log(r[np.arange(len(living)), living]) + scale)
        kept.append(r)
        scales.append(scale)
    if not kept:
        raise InputError("there is no Jacobian; expected one step at least")
    return _Sweep(kept, scales, _total(terms))


def _in_order(jacobians: Array | Iterable[Array]) -> Iterator[tuple[Array, float]]:
    """Factor by factor, each checked, with the logarithm of the scale that was taken out."""
    for chunk in checked_chunks(jacobians):
        yield from _in_range(chunk)


def _in_range(chunk: Array) -> list[tuple[Array, float]]:
    """The factors of a chunk, each with the logarithm of the scale that was taken out, mostly 0."""
    if chunk.ndim != 3:
        raise InputError(f"the Jacobians have the shape {chunk.shape}; expected (T, n, n), one sequence")
    largest = np.abs(chunk).max((-2, -1))
    if np.all((largest < 1e100) & (largest > 1e-100) | (largest == 0)):
        return [(factor, 0.0) for factor in chunk]
    scaled = Scaled.of(chunk)
    return list(zip(scaled.matrix, (np.maximum(scaled.exponent, -1100) * np.log(2)).tolist(), strict=True))


def _total(terms: list[Array]) -> Array:
    """The sum of many rows, added pairwise: the rounding error grows with log T only."""
    return np.ascontiguousarray(np.array(terms).T).sum(-1)


def _random_frame(n: int, columns: int | None = None, seed: int = 0) -> Array:
    """An orthonormal frame in general position, (n, columns)."""
    return np.linalg.qr(np.random.default_rng(seed).normal(size=(n, columns or n)))[0]


def _pushed(factor: Array, frame: Array, noise: float = 10 * EPSILON) -> tuple[Array, Array, Array]:
    """J Q = Q′ R with diag R > 0: Q′, R, and which columns of Q lived on.

    The rows are sorted by size, which makes Householder's method precise row by row (Cox and Higham
    1998): a unit with a tiny slope keeps its digits.  A column that is left with rounding error only
    has been mapped into the span of those before it; its direction ends here.
    """
    image = factor @ frame
    columns = frame.shape[1]
    sizes = np.sqrt(np.square(image).sum(1))
    order = np.argsort(-sizes, kind="stable")
    image = image[order]
    q, r = np.linalg.qr(image)
    living = np.flatnonzero(np.abs(np.diag(r)) > noise * np.sqrt(len(image)) * sizes[order[:columns]])
    if len(living) < columns:
        q = np.linalg.qr(image[:, living])[0]
        r = q.T @ image
    sign = np.where(r[np.arange(len(living)), living] < 0, -1.0, 1.0)
    out = np.empty((len(image), len(living)))
    out[order] = q * sign
    return out, r * sign[:, None], living


def _graded(sweep: _Sweep) -> tuple[Array, Array]:
    """R_k ⋯ R_1 = diag(exp(logs)) M with M unit triangular: logs and M, neither out of range."""
    n = sweep.size
    logs, unit = np.zeros(n), np.eye(n)
    for r in sweep.factors:
        diagonal = np.diag(r)
        ratio = np.exp(np.minimum(logs[None, :] - logs[:, None], 300.0))
        unit = np.triu(r / diagonal[:, None] * ratio) @ unit
        logs = logs + np.log(diagonal)  # but for a scale that all have in common
    return sweep.logs, unit


def _scaled_singular_values(matrix: Array, logs: Array) -> Array:
    """ln of the singular values of diag(exp(logs)) M for a well-conditioned M, in any range.

    One-sided Jacobi rotations (Demmel and Veselić 1992) of the rows, each of which keeps its own
    scale.  With rows x and ρy, ρ ≤ 1, and τ = t/ρ the rotation is x′ = (x − τρ²y)/√(1 + ρ²τ²),
    y′ = (τx + y)/√(1 + ρ²τ²), which stays finite as ρ → 0.
    """
    rows, logs = np.array(matrix, dtype=float), np.array(logs, dtype=float)
    tolerance = EPSILON * max(len(rows), 1)
    for _ in range(60):
        norms = np.sqrt(np.square(rows).sum(1))
        rows /= norms[:, None]
        logs += np.log(norms)
        cosines = np.abs(np.triu(rows @ rows.T, 1))
        if cosines.max(initial=0) <= tolerance:
            break
        for i, j in np.argwhere(cosines > tolerance):
            high, low = (i, j) if logs[i] >= logs[j] else (j, i)
            x, y, ratio = rows[high], rows[low], np.exp(logs[low] - logs[high])
            gamma = x @ y
            if abs(gamma) <= tolerance:
                continue
            alpha, beta = x @ x, y @ y
            zeta = (ratio**2 * beta - alpha) / (2 * gamma)
            tau = (1.0 if zeta >= 0 else -1.0) / (abs(zeta) + np.sqrt(ratio**2 + zeta**2))
            cosine = 1 / np.sqrt(1 + (ratio * tau) ** 2)
            rows[high], rows[low] = cosine * (x - tau * ratio**2 * y), cosine * (tau * x + y)
    return logs


# ---------------------------------------------------------------- Lyapunov exponents


@dataclass(frozen=True)
class Lyapunov:
    """The exponents of a sequence of Jacobians, in nats a step.

    Attributes
    ----------
    exponents : array
        The finite ones, largest first.
    errors : array
        Their standard errors, from the means of blocks.
    singular : int
        How many exponents are −∞: dimensions that singular Jacobians take away.
    steps : int
        Over how many steps the mean was taken.
    """

    exponents: Array
    errors: Array
    singular: int
    steps: int


def lyapunov_exponents(
    jacobians: Array | Iterable[Array],
    *,
    every: int = 1,
    discard: int = 0,
    blocks: int = 20,
    count: int | None = None,
    seed: int = 0,
) -> Lyapunov:
    """The Lyapunov exponents by QR (Benettin et al. 1980).

    Parameters
    ----------
    jacobians : array (T, n, n), or an iterator of them **from the first steps to the last**
    every : int
        QR after so many steps.  Between two of them the columns of the frame may not come within
        rounding error of each other: `every` times the range of the exponents stays below 30.
    discard : int
        Steps at the beginning that turn the frame and are not counted; whole multiples of `every`.
    blocks : int
        In how many blocks the rest is cut for the standard errors; they should be longer than the
        correlation time.
    count : int, optional
        How many of the exponents, from the largest; all by default.
    seed : int
        Of the random frame at the start.

    Raises
    ------
    InputError
        For shapes that do not fit, entries that are not finite, or fewer steps than blocks.

    Examples
    --------
    >>> J = np.broadcast_to(np.diag([2.0, 0.5, 0.0]), (100, 3, 3))
    >>> found = lyapunov_exponents(J, discard=40)
    >>> (found.exponents / np.log(2)).round(6), found.singular, found.steps
    (array([ 1., -1.]), 1, 60)
    """
    if every < 1 or discard < 0 or discard % every or blocks < 2:
        raise InputError(
            f"every, discard and blocks are {every}, {discard} and {blocks}; "
            "expected every from 1, discard a multiple of it from 0, blocks from 2"
        )
    frame: Array | None = None
    rates: list[Array] = []
    living = np.arange(0)
    steps = 0
    for factor, scale in _strides(_in_order(jacobians), every):
        if frame is None:
            frame = _random_frame(len(factor), min(count or len(factor), len(factor)), seed)
            living = np.arange(frame.shape[1])
        wide = frame.shape[1]
        frame, r, alive = _pushed(factor, frame)
        row = np.full(wide, np.nan)
        row[alive] = np.log(r[np.arange(len(alive)), alive]) + scale
        steps += every
        if steps > discard:
            # Columns that have ended are taken out of the record: they have no finite exponent.
            rates = [earlier[alive] for earlier in rates] if len(alive) < wide else rates
            rates.append(row[alive])
        living = living[alive]
    counted = len(rates) // blocks * blocks
    if frame is None or not counted:
        raise InputError(
            f"found {steps} steps, {discard} of them to discard; expected {blocks * every} more than those: "
            "one QR a block at least"
        )
    table = np.array(rates) / every
    means = table[:counted].reshape(blocks, counted // blocks, table.shape[1]).mean(1)
    errors = means.std(0, ddof=1) / np.sqrt(blocks)
    exponents = table.mean(0)
    order = np.argsort(-exponents, kind="stable")
    size = min(count or len(frame), len(frame))
    return Lyapunov(exponents[order], errors[order], size - len(living), steps - discard)


def _strides(factors: Iterator[tuple[Array, float]], every: int) -> Iterator[tuple[Array, float]]:
    """Products of `every` factors, each with the logarithm of its scale."""
    if every == 1:
        yield from factors
        return
    while len(some := list(islice(factors, every))) == every:
        product = Scaled.of(np.eye(len(some[0][0])))
        for factor, scale in some:
            product = Scaled.of(factor @ product.matrix, product.exponent + round(scale / np.log(2)))
        yield product.matrix, max(int(product.exponent), -(10**9)) * float(np.log(2))


def kaplan_yorke(spectrum: Lyapunov) -> float:
    """The Kaplan–Yorke dimension k + (λ_1 + … + λ_k)/|λ_{k+1}|, k the most that keep the sum from falling below 0.

    Examples
    --------
    >>> kaplan_yorke(Lyapunov(np.array([1.0, 0.0, -4.0]), np.zeros(3), 0, 1))
    2.25
    """
    sums = np.cumsum(spectrum.exponents)
    k = int(np.sum(sums >= 0)) if len(sums) else 0
    if k == len(sums):
        return float(k)  # the next exponent is −∞, or there is none
    return float(k + (sums[k - 1] if k else 0.0) / abs(spectrum.exponents[k]))


def entropy_rate(spectrum: Lyapunov) -> float:
    """The sum of the positive exponents, in nats a step (Pesin 1977; an upper bound in general)."""
    return float(np.maximum(spectrum.exponents, 0).sum())
