"""A layout at given sizes: a person's arrays from the cell's, and the cell's gradients from the person's."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from rnnderive.checks.points import Point
from rnnderive.errors import InputError
from rnnderive.hand.axes import Axes
from rnnderive.hand.layouts import Entry, Layout
from rnnderive.hand.matrix import Matrix
from rnnderive.hand.parts import Arranged, Cell, Space
from rnnderive.hand.problem import Problem, upstream_of
from rnnderive.language import terms as tm

__all__ = ["Placed"]

AGREE = 1e-7


@dataclass(frozen=True, eq=False)
class Placed:
    """A layout for arrays of certain sizes.

    Attributes
    ----------
    layout : Layout
    problem : Problem
    sizes : mapping
    T : int
    batch : int or None
    """

    layout: Layout
    problem: Problem
    sizes: Mapping[Any, int]
    T: int
    batch: int | None = None

    def __post_init__(self) -> None:
        known = {*self.given, *self.problem.net.sequences}
        for name in sorted(self.layout.mentioned - known):
            if name not in self.problem.derivation.adjoint:
                raise InputError(f"layout: the cell has no {name}; there are {', '.join(sorted(known))}")
        for name, (count, _) in self._sources.items():
            if not count.all() and count.any():
                raise InputError(
                    f"layout: of {name} only {int((count > 0).sum())} of {count.size} entries are in an array of "
                    f"the code; expected all of them, or 'none = {name}'"
                )

    # ------------------------------------------------------------ names

    @property
    def given(self) -> tuple[str, ...]:
        """The cell's arrays that come from outside."""
        net = self.problem.net
        return (*net.parameters, *net.initial_states, *net.inputs)

    @cached_property
    def entries(self) -> dict[str, Entry]:
        """The person's name → entry, for what comes from outside and for what the layout mentions."""
        own = [self._unsaid(n) for n in self.given if n not in self.layout.mentioned]
        return {e.name: e for e in (*self.layout.entries, *own)}

    def _unsaid(self, name: str) -> Entry:
        """An array that the layout does not mention lies as the cell's; a gradient from outside, as what it is of."""
        of = next((n for n in self.problem.net.sequences if name == upstream_of(n)), None)
        axes = next((e.axes for e in self.layout.entries if e.axes and e.part.names == (of,)), None)
        if axes is None:
            return Entry(name, Cell(name))
        order = tuple(s.removesuffix("+1") for s in axes.order)  # it has no slot for the initial state
        return Entry(name, Arranged(Cell(name), Axes(order, axes.listed)))

    def entry(self, name: str) -> Entry | None:
        """That of a name; sequences and quantities of the adjoint have theirs without a line."""
        if name in self.entries:
            return self.entries[name]
        there = name in self.problem.net or name in self.problem.derivation.adjoint
        return Entry(name, Cell(name)) if there and name not in self.layout.mentioned else None

    def about(self, entry: Entry) -> str:
        """``parameter``, ``input``, ``sequence`` (of the forward) or ``inner`` (of the adjoint)."""
        net, name = self.problem.net, entry.part.names[0]
        if name in net.parameters:
            return "parameter"
        if name in self.given:
            return "input"
        return "sequence" if name in net else "inner"

    @property
    def upstream(self) -> tuple[str, ...]:
        """The person's names of the gradients that arrive from outside, in the problem's order."""
        own = {e.part.names[0]: n for n, e in self.entries.items()}
        return tuple(own[n] for n in self.problem.net.inputs if n.startswith("up_") and n in own)

    # ------------------------------------------------------------ maps

    def space(self, arrays: Mapping[str, Any], net: Any = None) -> Space:
        """What parts read."""
        return Space(net or self.problem.net, {**self.sizes, tm.T: self.T}, self.batch, arrays)

    def matrix(self, entry: Entry) -> Matrix:
        """The matrix of an entry; quantities of the adjoint are looked up there."""
        if entry not in self._matrices:
            inner = self.about(entry) == "inner"
            net = self.problem.derivation.adjoint if inner else self.problem.net
            self._matrices[entry] = Matrix.of(entry.part, self.space({}, net))
        return self._matrices[entry]

    @cached_property
    def _matrices(self) -> dict[Entry, Matrix]:
        return {}

    @cached_property
    def _sources(self) -> dict[str, tuple[Any, Any]]:
        """Name from outside → in how many arrays each entry is, and whether as shares of a sum."""
        count: dict[str, Any] = {}
        weight: dict[str, Any] = {}
        for entry in self.entries.values():
            if self.about(entry) in ("parameter", "input"):
                matrix = self.matrix(entry)
                counted = matrix.inverse(np.zeros(matrix.factor.shape))[1]
                weights = matrix.transpose(np.sign(matrix.factor))
                for table, flat in ((count, counted), (weight, weights)):
                    for n, part in matrix.split(flat).items():
                        table[n] = table.get(n, 0.0) + part
        return {n: (count[n], (count[n] > 1) & (np.abs(weight[n] - 1) < 1e-12)) for n in count}

    def arrays(self, at: Point) -> dict[str, Any]:
        """The person's arrays at a point, by name, packed as the code takes them."""
        values = {**at.params, **at.inputs}
        for name in self.given:
            if name not in values:
                values[name] = np.zeros(self.space({}).shape(name))
        out = {}
        for name, entry in self.entries.items():
            if self.about(entry) in ("parameter", "input"):
                value = self.matrix(entry).forward(values)
                out[name] = entry.axes.pack(value) if entry.axes else value
        return out

    def point(self, arrays: Mapping[str, Any]) -> Point:
        """The cell's arrays from the person's: the way back of :meth:`arrays`."""
        found: dict[str, Any] = {}
        for name, entry in self.entries.items():
            if self.about(entry) not in ("parameter", "input") or name not in arrays:
                continue
            matrix, value = self.matrix(entry), self.flat(entry, arrays[name])
            if value.shape != matrix.factor.shape:
                raise InputError(f"{name} has the shape {value.shape}; expected {matrix.factor.shape}")
            parts = matrix.split(matrix.inverse(value)[0])
            for n, part in parts.items():
                count, shared = self._sources[n]
                signed = matrix.split(matrix.signed(value))[n]
                found[n] = found.get(n, 0.0) + np.where(shared, signed, part / np.maximum(count, 1.0))
        net = self.problem.net
        inside = (*net.parameters, *(net.initial_states if self.batch is None else ()))
        params = {n: found[n] for n in inside if n in found}
        return Point(params, {n: a for n, a in found.items() if n not in params}, dict(self.sizes), self.T, self.batch)

    def flat(self, entry: Entry, value: Any) -> Any:
        """What the code takes or gives, as one array in the entry's order of axes."""
        if entry.axes and entry.axes.picked:
            return entry.axes.unpick(value, self.matrix(entry).factor.shape)
        return entry.axes.unpack(value) if entry.axes else np.asarray(value)

    def pulled(self, grads: Mapping[str, Any]) -> tuple[dict[str, Any], list[str]]:
        """The cell's gradients from the person's, flat by name: the transpose of :meth:`arrays`.

        Each of several arrays that are only ever added has the whole gradient of the sum: one of them
        stands for all, and the others must be equal.

        Returns
        -------
        dict, list of str
            The second says where arrays that are added have gradients that differ, or none.
        """
        out: dict[str, Any] = {}
        whole: dict[str, Any] = {}
        first: dict[str, tuple[str, Any, Any]] = {}
        words: list[str] = []
        for name, entry in self.entries.items():
            if name not in grads or (entry.axes and entry.axes.picked):
                continue
            matrix, g = self.matrix(entry), grads[name]
            back, (mean, spread) = matrix.split(matrix.transpose(g)), matrix.agreed(g)
            signed, spread = matrix.split(mean), matrix.split(spread)
            there = matrix.split(matrix.inverse(np.zeros(matrix.factor.shape))[1])
            for n in back:
                shared = self._sources[n][1] & (there[n] > 0)
                if (spread[n] * shared > AGREE * np.abs(signed[n]).max(initial=1e-300)).any():
                    words.append(
                        f"in the gradient of {name}, entries differ that are gradients of what is only ever added"
                    )
                if n in first and (shared & first[n][2]).any():
                    words += _differing(first[n], name, signed[n], shared)
                elif shared.any():
                    first[n] = name, signed[n], shared
                used = first[n][0] == name if n in first else False
                part = np.where(shared, signed[n] if used else 0.0, back[n])
                out[n] = (out[n] + part if n in out else part).astype(np.result_type(g))
                whole[n] = whole.get(n, False) | (there[n] > 0)
        for n in [n for n in out if not whole[n].all()]:
            del out[n]
            words.append(
                f"only a part of the gradient of {n} was given: that of another array that it is in is missing"
            )
        return out, words

    def value(self, entry: Entry, value: Any) -> dict[str, Any]:
        """The cell's quantities from an array of the person's that holds them, not their gradient."""
        matrix = self.matrix(entry)
        flat, count = matrix.inverse(value)
        return matrix.split((flat / np.maximum(count, 1.0)).astype(np.result_type(value)))


def _differing(first: tuple[str, Any, Any], name: str, array: Any, shared: Any) -> Iterator[str]:
    """Where two arrays that are added have other gradients."""
    both = shared & first[2]
    size = max(float(np.abs(first[1][both]).max(initial=0.0)), 1e-300)
    if not np.abs(array - first[1])[both].max(initial=0.0) <= AGREE * size:
        yield f"the gradients of {first[0]} and {name} differ, though the two are only ever added"
