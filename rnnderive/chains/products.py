"""Products of Jacobians in logarithms: the norms of P_{T,k} = J_T ⋯ J_{k+1} at any length.

J_t = ∂s^t/∂s^{t-1}.  A product is kept as a matrix with entries near one and a power of two
beside it; scaling by powers of two is exact, so that nothing but the multiplications rounds.
Jacobians come as one array (T, …, n, n), or as an iterator of such arrays, each in the order of
time, **the last steps first**: that is how a product grows from the loss backwards, and then no
more than one of them need be in memory.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rnnderive.errors import InputError

__all__ = ["Array", "Scaled", "checked_chunks", "operator_log_norms", "split_log_norms", "vector_log_norms"]

Array = NDArray[Any]

# So many steps are multiplied before the next look at the size of the product.
STRIDE = 32
SAFE = 1e140  # a product within SAFE^±1 has exact squares; outside, steps are scaled one by one
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
    _check_finite(rows, "the seed")
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
    wanted = None if lags is None else _whole(lags)
    chunks = checked_chunks(jacobians)
    start = next(chunks, None)
    if start is None:
        raise InputError("there is no Jacobian, so the size of the state is not known; expected one step at least")
    first = Scaled.of(np.broadcast_to(np.eye(start.shape[-1]), start.shape[1:]))
    found: dict[int, Array] = {}
    steps = 0

    def keep(matrices: Array, exponent: Array) -> None:
        at = range(steps, steps + len(matrices))
        chosen = [k for k, lag in enumerate(at) if wanted is None or lag in wanted]
        if chosen:
            norms = _log(_spectral_norm(matrices[chosen])) + exponent * np.log(2)
            found.update(zip((at[k] for k in chosen), norms, strict=True))

    keep(first.matrix[None], first.exponent)
    steps = 1
    for matrices, exponent in _products(first, _again(start, chunks)):
        keep(matrices, exponent)
        steps += len(matrices)
    order = range(steps) if lags is None else [int(lag) for lag in np.asarray(lags)]
    beyond = [lag for lag in order if lag not in found]
    if beyond:
        raise InputError(f"the lag {beyond[0]} is outside the sequence; expected lags from 0 to {steps - 1}")
    return np.array([found[lag] for lag in order])


def split_log_norms(parts: Mapping[str, Array]) -> dict[str, Array]:
    """The product of sums, split: J_t = Σ_i A_i,t, so ∏ J = Σ_i ∏ A_i + all mixed paths.

    Parameters
    ----------
    parts : mapping of name → array (T, …, n, n)
        Such as the highway diag(f) of a cell and the rest of its Jacobian.

    Returns
    -------
    dict of name → array (T + 1, …)
        ln‖·‖₂ by lag: of each part's own product, of the ``whole`` and of what is ``mixed``, the
        paths that go through more than one part.  The mixed ones have a recursion of their own,
        X ← X J + Σ_i (∏ A_i)(J − A_i); they are not a difference of two large numbers.

    Examples
    --------
    >>> a, b = 0.5 * np.ones((2, 1, 1)), 0.25 * np.ones((2, 1, 1))
    >>> {name: float(np.exp(norms[-1]).round(4)) for name, norms in split_log_norms({"a": a, "b": b}).items()}
    {'a': 0.25, 'b': 0.0625, 'whole': 0.5625, 'mixed': 0.25}
    """
    arrays = {name: np.asarray(a, dtype=float) for name, a in parts.items()}
    if {"whole", "mixed"} & set(arrays) or not arrays:
        raise InputError(f"the parts are {', '.join(arrays) or 'none'}; expected names other than whole and mixed")
    shapes = {a.shape for a in arrays.values()}
    if len(shapes) > 1:
        raise InputError(f"the parts have the shapes {sorted(shapes)}; expected one shape (T, …, n, n)")
    for name, a in arrays.items():
        _check_factors(a)
        _check_finite(a, f"the part {name}")
    shape = next(iter(shapes))
    one = Scaled.of(np.broadcast_to(np.eye(shape[-1]), shape[1:]))
    nothing = Scaled.of(np.zeros(shape[1:]))
    alone = dict.fromkeys(arrays, one)
    # The empty product is every part's own at once; it is no mixed path.
    whole, mixed = one, nothing
    out: dict[str, list[Array]] = {name: [s.log_norm()] for name, s in (alone | {"whole": one, "mixed": mixed}).items()}
    for t in reversed(range(shape[0])):
        factors = {name: a[t] for name, a in arrays.items()}
        total = sum(factors.values(), np.zeros(shape[1:]))
        first = t == shape[0] - 1
        mixed = mixed @ total
        for name, factor in factors.items():
            if not first:
                mixed = mixed + alone[name] @ (total - factor)
            alone[name] = alone[name] @ factor
        whole = whole @ total
        for name, s in (alone | {"whole": whole, "mixed": mixed}).items():
            out[name].append(s.log_norm())
    return {name: np.array(norms) for name, norms in out.items()}


def checked_chunks(jacobians: Array | Iterable[Array]) -> Iterator[Array]:
    """The chunks (steps, …, n, n) of a chain in the order in which they come, each one checked."""
    chunks: Iterable[Array] = [jacobians] if isinstance(jacobians, np.ndarray) else jacobians
    shape: tuple[int, ...] | None = None
    for chunk in map(np.asarray, chunks):
        _check_factors(chunk)
        if shape is not None and chunk.shape[1:] != shape:
            raise InputError(f"a chunk of Jacobians has the shape {chunk.shape[1:]} a step after others of {shape}")
        shape = chunk.shape[1:]
        _check_finite(chunk, "the Jacobian")
        if len(chunk):
            yield chunk


def _products(first: Scaled, jacobians: Array | Iterable[Array]) -> Iterator[tuple[Array, Array]]:
    """``first`` times J_T, times J_T J_{T−1}, …: stacks of matrices, each with its exponent."""
    rows, exponent = first.matrix, first.exponent
    for chunk in checked_chunks(jacobians):
        if chunk.shape[-1] != rows.shape[-1] or chunk.shape[1:-2] != rows.shape[:-2]:
            raise InputError(
                f"the seed is (…, {rows.shape[-1]}) with the batch {rows.shape[:-2]}, the Jacobians have the shape "
                f"{chunk.shape[1:]} a step; expected (…, n) and (…, n, n) with one batch"
            )
        for stop in range(len(chunk), 0, -STRIDE):
            block = chunk[max(stop - STRIDE, 0) : stop][::-1]
            matrices = _multiplied(rows, block)
            sizes = np.abs(matrices).max((-2, -1))
            if np.all((sizes < SAFE) & (sizes > 1 / SAFE) | (exponent <= NOTHING)):
                yield matrices, exponent
                last = Scaled.of(matrices[-1], exponent)
                rows, exponent = last.matrix, last.exponent
                continue
            for factor in block:
                last = Scaled(rows, exponent) @ factor
                rows, exponent = last.matrix, last.exponent
                yield rows[None], exponent


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
    return np.linalg.svd(matrices, compute_uv=False)[..., 0]


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


def _check_factors(factors: Array) -> None:
    if factors.ndim < 3 or factors.shape[-1] != factors.shape[-2] or not factors.shape[-1]:
        raise InputError(
            f"the Jacobians have the shape {factors.shape}; expected (T, …, n, n), one square matrix a step"
        )


def _check_finite(array: Array, what: str) -> None:
    # A sum is finite where all is, and costs one pass; the entries are looked at only when it is not.
    if array.dtype.kind not in "fiub":
        raise InputError(f"{what} has the dtype {array.dtype}; expected real numbers")
    with np.errstate(all="ignore"):
        total = array.sum()
    if not np.isfinite(total) and not np.isfinite(array).all():
        place = tuple(int(k) for k in np.argwhere(~np.isfinite(array))[0])
        raise InputError(f"{what} is {array[place]} at {list(place)}; expected finite numbers")
