"""Products of Jacobians in logarithms: the norms of P_{T,k} = J_T ⋯ J_{k+1} at any length.

J_t = ∂s^t/∂s^{t-1}.  A product is kept as a matrix with entries near one and a power of two
beside it; scaling by powers of two is exact, so that nothing but the multiplications rounds.
Jacobians come as one array (T, …, n, n), or as an iterable of such arrays, each in the order of
time, **the last steps first**: that is how a product grows from the loss backwards, and then no
more than one of them need be in memory.

A long product comes to have few directions, all others being lost in rounding.  An orthogonal factor
on the left changes no norm; so of P = Q R only the rows of R that are above rounding are carried on.
The others are not forgotten but added up, with random signs, in one row that stands guard: should it
ever come near the rows that were kept (a unit died that had carried everything), all is done again
with every row.  That takes Jacobians that can be gone through twice: no iterator.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rnnderive.errors import InputError

__all__ = [
    "Array",
    "Scaled",
    "check_factors",
    "check_finite",
    "checked_chunks",
    "operator_log_norms",
    "row_log_norms",
    "vector_log_norms",
]

Array = NDArray[Any]

# So many steps are multiplied before the next look at the size of the product.
STRIDE = 32
SAFE = 1e140  # a product within SAFE^±1 has exact squares; outside, steps are scaled one by one
FEW = 4  # so few rows are not worth sorting out
LOST = 1e-14  # rows below this are lost in rounding; the guard may come as near as its root
NOTHING = -(2**50)  # the power of two beside a zero matrix: below every other


@dataclass(frozen=True)
class Scaled:
    """A matrix times a power of two, so that no product of them over- or underflows.

    Attributes
    ----------
    matrix : array (…, r, n)
        Its largest entry lies in [1/2, 1), or it is zero.
    exponent : integer array (…)
        What is meant is ``matrix * 2**exponent``.

    Examples
    --------
    >>> small = Scaled.of(np.array([[1e-300]]))
    >>> print(f"{(small @ np.array([[1e-300]])).log_norm() / np.log(10):.6f}")
    -600.000000
    """

    matrix: Array
    exponent: Array

    @classmethod
    def of(cls, matrix: Array, exponent: Any = 0) -> Scaled:
        """``matrix * 2**exponent``, brought to entries near one."""
        largest = np.abs(matrix).max((-2, -1), initial=0.0)
        shift = np.frexp(largest)[1].astype(np.int64)
        moved = np.where(largest > 0, np.asarray(exponent, np.int64) + shift, NOTHING)
        return cls(np.ldexp(matrix, -shift[..., None, None]), moved)

    def __matmul__(self, factor: Array | Scaled) -> Scaled:
        other = factor if isinstance(factor, Scaled) else Scaled.of(factor)
        return Scaled.of(self.matrix @ other.matrix, self.exponent + other.exponent)

    def __add__(self, other: Scaled) -> Scaled:
        top = np.maximum(self.exponent, other.exponent)

        def moved(term: Scaled) -> Array:
            shift = np.maximum(term.exponent - top, -4000)  # far below the smallest float: it becomes zero
            return np.ldexp(term.matrix, shift[..., None, None])

        return Scaled.of(moved(self) + moved(other), top)

    def log_norm(self) -> Array:
        """The logarithm of the spectral norm."""
        return _log(_spectral_norm(self.matrix)) + self.exponent * np.log(2)


def vector_log_norms(seed: Any, jacobians: Array | Iterable[Array]) -> Array:
    """ln‖g P_{T,T−l}‖ for every lag l = 0, …, T, of a row g = ∂L/∂s^T.

    Parameters
    ----------
    seed : array (…, n)
        The row g; with a batch, one for each member.
    jacobians : array (T, …, n, n), or an iterator of them from the last steps to the first

    Returns
    -------
    array (T + 1, …)
        By lag: the first is ln‖g‖, the last that of the whole product.  −inf from the lag on at
        which the row is exactly zero.

    Raises
    ------
    InputError
        For shapes that do not fit and for entries that are not finite.

    Notes
    -----
    v ← vᵀJ, s ← s + ln‖v‖, v ← v/‖v‖.  One scale serves all entries of v: an entry that is smaller
    than the largest by a factor of 1e-308 counts as zero.

    Examples
    --------
    >>> half = np.broadcast_to(0.5 * np.eye(3), (100_000, 3, 3))
    >>> norms = vector_log_norms([1.0, 0, 0], half)
    >>> float(norms[-1] / np.log(2))
    -100000.0
    """
    rows = np.asarray(seed, dtype=float)[..., None, :]
    check_finite(rows, "the seed")
    first = Scaled.of(rows)
    out = [_row_log_norms(first.matrix[None], first.exponent)]
    out += [_row_log_norms(rows, exponent) for rows, exponent in _products(first, jacobians)]
    return np.concatenate(out)


def operator_log_norms(jacobians: Array | Iterable[Array], lags: Sequence[int] | Array | None = None) -> Array:
    """ln‖P_{T,T−l}‖₂ for the wanted lags l.

    Parameters
    ----------
    jacobians : array (T, …, n, n), or an iterator of them from the last steps to the first
    lags : integers from 0 to T, optional
        By default all of them; each costs one singular value decomposition.

    Returns
    -------
    array (number of lags, …)
        In the order of `lags`.  −inf where the product is exactly zero.

    Raises
    ------
    InputError
        For shapes that do not fit, for entries that are not finite, for lags beyond the sequence.

    Examples
    --------
    >>> U = np.array([[0.5, 4.0], [0.0, 0.5]])
    >>> norms = operator_log_norms(np.broadcast_to(U, (10, 2, 2)), lags=[1, 5, 10])
    >>> np.exp(norms).round(3)
    array([4.062, 1.251, 0.078])
    """
    return row_log_norms(None, jacobians, lags)


def row_log_norms(
    first: Array | None,
    jacobians: Array | Iterable[Array],
    lags: Sequence[int] | Array | None = None,
    columns: slice = slice(None),
) -> Array:
    """ln‖(G P_{T,T−l})[:, columns]‖₂ for some rows G, (…, r, n); the identity where none are given.

    The rest as :func:`operator_log_norms`.

    Examples
    --------
    >>> U = np.broadcast_to([[0.5, 1.0], [0.0, 0.5]], (3, 2, 2))
    >>> np.exp(row_log_norms(np.array([[1.0, 0.0]]), U, columns=slice(1, 2))).tolist()  # l 0.5^(l−1)
    [0.0, 1.0, 1.0, 0.75]
    """
    wanted = None if lags is None else _whole(lags)
    try:
        found = _row_log_norms_of(first, jacobians, wanted, columns, thrifty=not isinstance(jacobians, Iterator))
    except _Revived:
        found = _row_log_norms_of(first, jacobians, wanted, columns, thrifty=False)
    steps = max(found)
    order = range(steps + 1) if lags is None else [int(lag) for lag in np.asarray(lags)]
    beyond = [lag for lag in order if lag not in found]
    if beyond:
        raise InputError(f"the lag {beyond[0]} is outside the sequence; expected lags from 0 to {steps}")
    return np.array([found[lag] for lag in order])


def _row_log_norms_of(
    first: Array | None,
    jacobians: Array | Iterable[Array],
    wanted: frozenset[int] | None,
    columns: slice,
    thrifty: bool,
) -> dict[int, Array]:
    """Lag → norm; that of the last lag always among them."""
    chunks = checked_chunks(jacobians)
    start = next(chunks, None)
    if start is None:
        raise InputError("there is no Jacobian, so the size of the state is not known; expected one step at least")
    rows = np.broadcast_to(np.eye(start.shape[-1]), start.shape[1:]) if first is None else first
    scaled = Scaled.of(rows)
    found: dict[int, Array] = {}
    steps = 0

    def keep(matrices: Array, exponent: Array, all_of_them: bool = False) -> None:
        at = range(steps, steps + len(matrices))
        chosen = [k for k, lag in enumerate(at) if wanted is None or lag in wanted or all_of_them]
        if chosen:
            norms = _log(_spectral_norm(matrices[chosen][..., columns])) + exponent * np.log(2)
            found.update(zip((at[k] for k in chosen), norms, strict=True))

    keep(scaled.matrix[None], scaled.exponent)
    steps = 1
    last = scaled.matrix, scaled.exponent
    for matrices, exponent in _products(scaled, _again(start, chunks), columns, thrifty):
        keep(matrices, exponent)
        steps += len(matrices)
        last = matrices[-1], exponent
    steps -= 1
    keep(last[0][None], last[1], all_of_them=True)
    return found


def checked_chunks(jacobians: Array | Iterable[Array]) -> Iterator[Array]:
    """The chunks (steps, …, n, n) of a chain in the order in which they come, each one checked."""
    chunks: Iterable[Array] = [jacobians] if isinstance(jacobians, np.ndarray) else jacobians
    shape: tuple[int, ...] | None = None
    for chunk in map(np.asarray, chunks):
        check_factors(chunk)
        if shape is not None and chunk.shape[1:] != shape:
            raise InputError(f"a chunk of Jacobians has the shape {chunk.shape[1:]} a step after others of {shape}")
        shape = chunk.shape[1:]
        check_finite(chunk, "the Jacobian")
        if len(chunk):
            yield chunk


class _Revived(Exception):
    """What had been lost in rounding counts again."""


def _products(
    first: Scaled, jacobians: Array | Iterable[Array], columns: slice = slice(None), thrifty: bool = False
) -> Iterator[tuple[Array, Array]]:
    """``first`` times J_T, times J_T J_{T−1}, …: stacks of matrices, each with its exponent.

    A thrifty product has the norms of these and of their columns, but not their rows.
    """
    rows, exponent = first.matrix, first.exponent
    strides, guarded = 0, False
    for chunk in checked_chunks(jacobians):
        if chunk.shape[-1] != rows.shape[-1] or chunk.shape[1:-2] != rows.shape[:-2]:
            raise InputError(
                f"the seed is (…, {rows.shape[-1]}) with the batch {rows.shape[:-2]}, the Jacobians have the shape "
                f"{chunk.shape[1:]} a step; expected (…, n) and (…, n, n) with one batch"
            )
        for stop in range(len(chunk), 0, -STRIDE):
            block = chunk[max(stop - STRIDE, 0) : stop][::-1]
            for matrices, scale in _stretch(rows, exponent, block):
                yield _kept(matrices, columns) if guarded else matrices, scale
            last = Scaled.of(matrices[-1], scale)
            rows, exponent = last.matrix, last.exponent
            strides += 1
            # Rows are lost in proportion to 1/lag: looking for them at doubled lags is soon enough.
            if thrifty and rows.shape[-2] > FEW and strides & (strides - 1) == 0:
                rows, guarded = _above_rounding(rows, guarded), True


def _stretch(rows: Array, exponent: Array, block: Array) -> Iterator[tuple[Array, Array]]:
    """rows J, rows J J′, … for a few factors, scaled one by one where floats would not do."""
    matrices = _multiplied(rows, block)
    sizes = np.abs(matrices).max((-2, -1))
    if np.all((sizes < SAFE) & (sizes > 1 / SAFE) | (exponent <= NOTHING)):
        yield matrices, exponent
        return
    for factor in block:
        last = Scaled(rows, exponent) @ factor
        rows, exponent = last.matrix, last.exponent
        yield rows[None], exponent


def _above_rounding(rows: Array, guarded: bool) -> Array:
    """R of rows = Q R without what is lost in rounding; of that a sum with random signs as the last row."""
    guard = rows[..., -1:, :] if guarded else np.zeros_like(rows[..., :1, :])
    r: Any = np.linalg.qr(rows[..., :-1, :] if guarded else rows, mode="r")
    sizes = np.sqrt(np.square(r).sum(-1))
    order = np.argsort(-sizes, axis=-1, kind="stable")
    r = np.take_along_axis(r, order[..., None], axis=-2)
    most = max(1, int((sizes > LOST * sizes.max(-1, keepdims=True)).sum(-1).max()))
    signs = np.random.default_rng(0).choice([-1.0, 1.0], size=r.shape[-2] - most)
    return np.concatenate([r[..., :most, :], guard + (signs @ r[..., most:, :])[..., None, :]], axis=-2)


def _kept(matrices: Array, columns: slice) -> Array:
    """The rows without the guard, which must not have come near them."""
    sizes = np.abs(matrices[..., columns]).max(-1)
    if (sizes[..., -1] > np.sqrt(LOST) * sizes[..., :-1].max(-1)).any():
        raise _Revived
    return matrices[..., :-1, :]


def _multiplied(rows: Array, block: Array) -> Array:
    """rows J, rows J J′, … for a few factors, as they are."""
    out = np.empty((len(block) + 1, *rows.shape))
    out[0] = rows
    with np.errstate(all="ignore"):  # what leaves the range of floats is done again, scaled
        multiply = np.dot if rows.ndim == 2 else np.matmul  # the same; dot starts sooner
        for k, factor in enumerate(block):
            multiply(out[k], factor, out[k + 1])
    return out[1:]


def _row_log_norms(rows: Array, exponent: Array) -> Array:
    return _log(np.sqrt(np.square(rows[..., 0, :]).sum(-1))) + exponent * np.log(2)


def _spectral_norm(matrices: Array) -> Array:
    """From the largest eigenvalue of M Mᵀ, which is as precise as it is large; scaled, so that squares are in range."""
    near_one = Scaled.of(matrices if matrices.shape[-2] <= matrices.shape[-1] else matrices.swapaxes(-1, -2))
    wide = near_one.matrix
    squares = np.linalg.eigvalsh(wide @ wide.swapaxes(-1, -2))[..., -1]
    return np.ldexp(np.sqrt(np.maximum(squares, 0.0)), near_one.exponent)


def _log(norms: Array) -> Array:
    with np.errstate(divide="ignore"):
        return np.log(norms)


def _again(start: Array, rest: Iterator[Array]) -> Iterator[Array]:
    yield start
    yield from rest


def _whole(lags: Any) -> frozenset[int]:
    numbers = np.asarray(lags)
    if numbers.ndim != 1 or numbers.dtype.kind not in "iu":
        raise InputError(f"the lags are {lags!r}; expected a list of integers from 0 to T")
    return frozenset(int(lag) for lag in numbers)


def check_factors(factors: Array) -> None:
    """Refuse what is no stack of square matrices."""
    if factors.ndim < 3 or factors.shape[-1] != factors.shape[-2] or not factors.shape[-1]:
        raise InputError(
            f"the Jacobians have the shape {factors.shape}; expected (T, …, n, n), one square matrix a step"
        )


def check_finite(array: Array, what: str) -> None:
    """Refuse what is not finite, and say where."""
    # A sum is finite where all is, and costs one pass; the entries are looked at only when it is not.
    if array.dtype.kind not in "fiub":
        raise InputError(f"{what} has the dtype {array.dtype}; expected real numbers")
    with np.errstate(all="ignore"):
        total = array.sum()
    if not np.isfinite(total) and not np.isfinite(array).all():
        place = tuple(int(k) for k in np.argwhere(~np.isfinite(array))[0])
        raise InputError(f"{what} is {array[place]} at {list(place)}; expected finite numbers")
