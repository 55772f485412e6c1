"""Arrays in stacks: one for each variant of a derivation and each member of a batch."""

from __future__ import annotations

from typing import Any

import numpy as np

from rnnderive.checks.points import Point
from rnnderive.language import Floats, Recurrence
from rnnderive.language import terms as tm

__all__ = ["Many", "Stacks", "array_of", "stack_of"]


class Many:
    """Arrays side by side, of shape (variants, members, rows, columns); it acts as one array does."""

    __slots__ = ("array",)
    __array_ufunc__ = None  # an array on the left yields to the operators below

    def __init__(self, array: Any) -> None:
        self.array = array

    @property
    def shape(self) -> tuple[int, ...]:
        """Rows and columns, as of one array."""
        return tuple(self.array.shape[-2:])

    @property
    def T(self) -> Many:
        return Many(self.array.swapaxes(-1, -2))

    def __getitem__(self, place: tuple[slice, slice]) -> Many:
        return Many(self.array[(..., *place)])

    def sum(self, axis: Any, keepdims: bool = True) -> Many:
        """The sum over rows (0), or over rows and columns."""
        return Many(self.array.sum(axis=(-2, -1) if isinstance(axis, tuple) else axis - 2, keepdims=keepdims))

    def __matmul__(self, other: Any) -> Many:
        return Many(np.matmul(self.array, array_of(other)))

    def __rmatmul__(self, other: Any) -> Many:
        return Many(np.matmul(other, self.array))

    def __add__(self, other: Any) -> Many:
        return Many(self.array + array_of(other))

    __radd__ = __add__

    def __mul__(self, other: Any) -> Many:
        return Many(self.array * array_of(other))

    __rmul__ = __mul__

    def __sub__(self, other: Any) -> Many:
        return Many(self.array - array_of(other))

    def __rsub__(self, other: Any) -> Many:
        return Many(other - self.array)

    def __neg__(self) -> Many:
        return Many(-self.array)

    def __array_function__(self, function: Any, types: Any, args: Any, kwargs: Any) -> Many:
        if function is not np.concatenate:
            return NotImplemented
        arrays = [array_of(a) for a in args[0]]
        lead = np.broadcast_shapes(*(a.shape[:-2] for a in arrays))
        return Many(np.concatenate([np.broadcast_to(a, (*lead, *a.shape[-2:])) for a in arrays], axis=-2))

    def row(self, k: int) -> Many:
        """One variant alone."""
        return self if len(self.array) == 1 else Many(self.array[k : k + 1])


def array_of(value: Any) -> Any:
    """The array itself, of stacked ones and of one."""
    return value.array if isinstance(value, Many) else value


class Stacks(Floats):
    """Floats, in stacks: the number system of runs side by side."""

    def full(self, rows: int, columns: int, number: Any) -> Any:
        return Many(super().full(rows, columns, number)[None, None])

    def inverse(self, array: Any) -> Any:
        return Many(1 / array.array)

    def apply(self, name: str, array: Any) -> Any:
        return Many(super().apply(name, array.array))


def stack_of(net: Recurrence, name: str, array: Any, at: Point, shared: bool) -> Any:
    """An array as claims have it, as a stack; a list of T of them for a sequence."""
    array = np.asarray(array, dtype=float)
    if net.shape(name)[1] == 1:
        array = array[..., None]
    if at.batch is None or shared:
        array = array[..., None, :, :]
    if isinstance(net.leaves.get(name), tm.At):
        return [Many(a[None]) for a in array]
    return Many(array[None])
