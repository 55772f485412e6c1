"""A person's parameter as parts of the cell's: slices, transposes, gates side by side, signs.

Every part is linear, and each entry of what it makes is a multiple of at most one entry of the cell's.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import sympy as sp

from rnnderive.errors import InputError
from rnnderive.hand.axes import Axes
from rnnderive.language import Recurrence
from rnnderive.language import terms as tm

__all__ = ["Arranged", "Cell", "Interleaved", "Joined", "Part", "Rows", "Scaled", "Space", "Turned"]


@dataclass(frozen=True, eq=False)
class Space:
    """The cell's own arrays, as a part reads them.

    Attributes
    ----------
    net : Recurrence
        What says which axes a name has; the adjoint, where its quantities are read too.
    sizes : mapping
        Symbolic size → number; `T` among them.
    batch : int or None
    arrays : mapping
        Name → array in the cell's layout.
    """

    net: Recurrence
    sizes: Mapping[Any, int]
    batch: int | None
    arrays: Mapping[str, Any]

    def axes(self, name: str) -> str:
        """A letter for each axis of the cell's own array: ``tbn``, ``nm``."""
        leaf = self.net.leaf(name)
        entries = "n" if leaf.shape[1] == 1 else "nm"
        time = "t" if isinstance(leaf, tm.At) else ""
        shared = name in self.net.parameters
        return time + ("b" if self.batch is not None and not shared else "") + entries

    def shape(self, name: str) -> tuple[int, ...]:
        """The shape of the cell's own array."""
        rows, columns = (self.number(s) for s in self.net.shape(name))
        lengths = {"t": self.sizes[tm.T], "b": self.batch or 1, "n": rows, "m": columns}
        return tuple(lengths[s] for s in self.axes(name))

    def columns(self, name: str, operand: str) -> slice:
        """The columns of a matrix that meet `operand` in its product: ``W_f @ [h[t-1], x[t]]``."""
        start = 0
        for _, width, read in _operands(self.net, name):
            if operand in read:
                return slice(start, start + self.number(width))
            start += self.number(width)
        met = ", ".join(part for part, _, _ in _operands(self.net, name))
        raise InputError(f"{name}[{operand}]: {name} is multiplied with {met or 'nothing'}, not {operand}")

    def number(self, size: Any) -> int:
        """A symbolic size as a number."""
        return int(self.sizes[size]) if size in self.sizes else int(sp.sympify(size).subs(self.sizes))


@lru_cache(maxsize=512)
def _operands(net: Recurrence, name: str) -> tuple[tuple[str, Any, frozenset[str]], ...]:
    """What a matrix is multiplied with: the parts of a stack, or one operand, each with its size and what it reads."""
    for e in net.equations:
        for product in (p for p in tm.members(e.right) if isinstance(p, tm.Product)):
            factors = list(product.args)
            place = next((k for k, f in enumerate(factors) if isinstance(f, tm.Parameter) and f.name == name), None)
            if place is not None and place + 1 < len(factors):
                rest = factors[place + 1]
                parts = rest.args if isinstance(rest, tm.Stack) else (rest,)
                return tuple(
                    (str(p), p.shape[0], frozenset(n.name for n in tm.members(p) if isinstance(n, tm.At)))
                    for p in parts
                )
    return ()


class Part(ABC):
    """One expression of the cell's arrays."""

    @abstractmethod
    def of(self, space: Space) -> Any:
        """Its value."""

    @property
    @abstractmethod
    def names(self) -> tuple[str, ...]:
        """The cell's arrays that it reads."""


@dataclass(frozen=True)
class Cell(Part):
    """An array of the cell, or its columns on one operand: ``W_f[h]``."""

    name: str
    operand: str | None = None

    def of(self, space: Space) -> Any:
        array = space.arrays[self.name]
        return array if self.operand is None else array[:, space.columns(self.name, self.operand)]

    @property
    def names(self) -> tuple[str, ...]:
        return (self.name,)

    def __str__(self) -> str:
        return self.name if self.operand is None else f"{self.name}[{self.operand}]"


@dataclass(frozen=True)
class Scaled(Part):
    """A multiple: −1 for the other polarity of a gate, 0 for entries that the cell has not."""

    part: Part
    factor: float

    def of(self, space: Space) -> Any:
        return self.factor * self.part.of(space)

    @property
    def names(self) -> tuple[str, ...]:
        return self.part.names

    def __str__(self) -> str:
        return f"-{self.part}" if self.factor == -1 else f"{self.factor:g} * {self.part}"


@dataclass(frozen=True)
class Turned(Part):
    """The transpose of a matrix."""

    part: Part

    def of(self, space: Space) -> Any:
        array = self.part.of(space)
        if array.ndim != 2:
            raise InputError(f"{self}: only a matrix is transposed here; write axes, as in ': 1 n'")
        return array.T

    @property
    def names(self) -> tuple[str, ...]:
        return self.part.names

    def __str__(self) -> str:
        return f"{self.part}.T"


@dataclass(frozen=True)
class Joined(Part):
    """Parts side by side ``[a | b]``, or below each other ``[a ; b]``; a vector beside a matrix is a column or row."""

    parts: tuple[Part, ...]
    below: bool = False

    def of(self, space: Space) -> Any:
        arrays = [p.of(space) for p in self.parts]
        if any(a.ndim == 2 for a in arrays):
            arrays = [a if a.ndim == 2 else a[None, :] if self.below else a[:, None] for a in arrays]
        axis = 0 if self.below or arrays[0].ndim == 1 else 1
        try:
            return np.concatenate(arrays, axis)
        except ValueError:
            shapes = ", ".join(f"{p}: {a.shape}" for p, a in zip(self.parts, arrays, strict=True))
            raise InputError(f"{self} does not fit together: {shapes}") from None

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(n for p in self.parts for n in p.names)

    def __str__(self) -> str:
        return f"[{(' ; ' if self.below else ' | ').join(map(str, self.parts))}]"


@dataclass(frozen=True)
class Interleaved(Part):
    """Parts entry by entry along the first axis: row 0 of each, row 1 of each, …"""

    parts: tuple[Part, ...]

    def of(self, space: Space) -> Any:
        stacked = np.stack([p.of(space) for p in self.parts], 1)
        return stacked.reshape(-1, *stacked.shape[2:])

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(n for p in self.parts for n in p.names)

    def __str__(self) -> str:
        return f"interleave({', '.join(map(str, self.parts))})"


@dataclass(frozen=True)
class Rows(Part):
    """Vectors as the rows of a matrix."""

    parts: tuple[Part, ...]

    def of(self, space: Space) -> Any:
        return np.stack([p.of(space) for p in self.parts])

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(n for p in self.parts for n in p.names)

    def __str__(self) -> str:
        return f"rows({', '.join(map(str, self.parts))})"


@dataclass(frozen=True)
class Arranged(Part):
    """A part with its axes in another order, or with axes of one entry more."""

    part: Part
    axes: Axes

    def of(self, space: Space) -> Any:
        array = self.part.of(space)
        inner = self.part.part if isinstance(self.part, Scaled) else self.part
        natural = space.axes(inner.name) if isinstance(inner, Cell) else "nm"[: array.ndim]
        return self.axes.arrange(array, natural)

    @property
    def names(self) -> tuple[str, ...]:
        return self.part.names

    def __str__(self) -> str:
        return f"{self.part}: {self.axes}"
