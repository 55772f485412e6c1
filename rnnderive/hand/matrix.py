"""The matrix of a part, and its transpose: how arrays go from the cell to a person's code, and gradients back.

Only the way out is ever written (:mod:`rnnderive.hand.parts`).  Since each entry of a part is a multiple of at
most one entry of the cell's, two evaluations, at ones and at the entries' own numbers, give the whole matrix.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from rnnderive.errors import InputError
from rnnderive.hand.parts import Part, Space

__all__ = ["Matrix"]


@dataclass(frozen=True, eq=False)
class Matrix:
    """The matrix of a part: entry u of its value is ``factor[u]`` times the entry ``source[u]`` of all of the cell's.

    Attributes
    ----------
    factor, source : array
        In the shape of the part's value; `source` counts through the names in order, −1 where `factor` is 0.
    shapes : dict
        Name → shape in the cell.
    """

    factor: Any
    source: Any
    shapes: dict[str, tuple[int, ...]]

    @classmethod
    def of(cls, part: Part, space: Space) -> Matrix:
        """From two evaluations of the part."""
        shapes = {n: space.shape(n) for n in dict.fromkeys(part.names)}
        ones = {n: np.ones(s) for n, s in shapes.items()}
        numbers: dict[str, Any] = {}
        start = 1
        for n, s in shapes.items():
            count = int(np.prod(s))
            numbers[n] = np.arange(start, start + count, dtype=float).reshape(s)
            start += count
        at = [part.of(Space(space.net, space.sizes, space.batch, a)) for a in (ones, numbers)]
        factor = np.asarray(at[0])
        source = np.divide(at[1], factor, out=np.zeros(factor.shape), where=factor != 0)
        return cls(factor, np.rint(source).astype(int) - 1, shapes)

    @cached_property
    def size(self) -> int:
        """How many entries the cell's arrays have together."""
        return sum(int(np.prod(s)) for s in self.shapes.values())

    def forward(self, arrays: Mapping[str, Any]) -> Any:
        """The part's value."""
        for n, s in self.shapes.items():
            if np.shape(arrays[n]) != s:
                raise InputError(f"{n} has the shape {np.shape(arrays[n])}; expected {s}")
        flat = np.concatenate([np.asarray(arrays[n]).ravel() for n in self.shapes])
        return np.where(self.source >= 0, self.factor * flat[self.source], 0.0)

    def transpose(self, array: Any) -> Any:
        """The transposed map of an array in the shape of the part's value: a gradient's way back, flat."""
        out = np.zeros(self.size, np.result_type(array, float))
        there = self.source >= 0
        np.add.at(out, self.source[there], (self.factor * array)[there])
        return out

    def signed(self, array: Any) -> Any:
        """The sum over each of the cell's entries with the signs of the map alone, flat."""
        out = np.zeros(self.size, np.result_type(array, float))
        there = self.source >= 0
        np.add.at(out, self.source[there], (np.sign(self.factor) * array)[there])
        return out

    def agreed(self, array: Any) -> tuple[Any, Any]:
        """For each of the cell's entries, flat: the mean over those that have it, with their signs, and its spread."""
        there = self.source >= 0
        count = np.zeros(self.size)
        np.add.at(count, self.source[there], 1.0)
        mean = self.signed(array) / np.maximum(count, 1.0)
        spread = np.zeros(self.size)
        apart = np.abs(np.sign(self.factor) * array - mean[self.source])
        np.maximum.at(spread, self.source[there], apart[there])
        return mean, spread

    def inverse(self, array: Any) -> tuple[Any, Any]:
        """The cell's entries from the part's value, summed where several give one; and how many do, flat."""
        out, count = np.zeros(self.size, np.result_type(array, float)), np.zeros(self.size)
        there = self.source >= 0
        np.add.at(out, self.source[there], np.asarray(array)[there] / self.factor[there])
        np.add.at(count, self.source[there], 1.0)
        return out, count

    def split(self, flat: Any) -> dict[str, Any]:
        """A flat array as the cell's arrays by name."""
        out, start = {}, 0
        for n, s in self.shapes.items():
            count = int(np.prod(s))
            out[n] = flat[start : start + count].reshape(s)
            start += count
        return out
