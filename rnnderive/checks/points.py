"""Points to test at, chosen so that a wrong gradient shows.

All sizes differ, so that a wrong transpose changes a shape; initial states are not zero, since
h⁰ = 0 hides the first term of dL/dU; square weights have a spectral radius of 1, so that long
paths count; and functions are kept away from their kinks and poles.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import count
from typing import Any

import numpy as np
import sympy as sp

from rnnderive.derivation import reference_run
from rnnderive.errors import InputError, RnnDeriveError
from rnnderive.language import FUNCTIONS, Floats, Recurrence, Run
from rnnderive.language import terms as tm
from rnnderive.programs import prepare

__all__ = ["Point", "entries", "labels", "loss_targets", "member", "point", "sizes_for"]

MARGIN = 1e-3
ATTEMPTS = 60


@dataclass(frozen=True)
class Point:
    """Arrays to run a recurrence on.

    Attributes
    ----------
    params, inputs : dict
        What programs take; initial states stand in `params` for one sequence, and in `inputs`,
        one a member, for a batch.
    sizes : dict
        Symbolic size → number.
    T : int
    batch : int or None
    """

    params: dict[str, Any]
    inputs: dict[str, Any]
    sizes: dict[Any, int]
    T: int
    batch: int | None = None

    def __getitem__(self, name: str) -> Any:
        return self.params[name] if name in self.params else self.inputs[name]

    def where(self, name: str, array: Any) -> Point:
        """This point with another array in the place of one of its own."""
        table = "params" if name in self.params else "inputs"
        changed = {**getattr(self, table), name: array}
        return Point(**{**self.__dict__, table: changed})

    def __str__(self) -> str:
        sizes = ", ".join(f"{s} = {n}" for s, n in self.sizes.items())
        batch = "" if self.batch is None else f", B = {self.batch}"
        return f"T = {self.T}{batch}{', ' if sizes else ''}{sizes}"


def entries(array: Any) -> list[tuple[int, ...]]:
    """The index of every entry of an array."""
    return list(np.ndindex(*np.shape(array)))


def sizes_for(net: Recurrence, taken: tuple[int, ...] = (), *, least: int = 2, same: bool = False) -> dict[Any, int]:
    """A number for every symbolic size: all different, or all `least`; as large as slices ask for.

    Parameters
    ----------
    net : Recurrence
    taken : tuple of int
        Numbers that are in use already (T, the batch).
    """
    free = (n for n in count(least) if n not in taken)
    symbols = [s for s in net.sizes if s not in (tm.T, tm.BATCH)]
    sizes = {s: least if same else next(free) for s in symbols}
    if not same and len(symbols) > 1:  # the first size, the state's, is not the smallest
        a, b = symbols[:2]
        sizes[a], sizes[b] = sizes[b], sizes[a]
    wanted = [*_slices(net), *((1, s) for n in net.leaves for s in net.shape(n))]
    rooms = [sp.sympify(size) - least_size for least_size, size in wanted]
    for _ in rooms:  # a size that grows may be what another is the less by, and that one's turn is over
        before = dict(sizes)
        for room in rooms:
            while room.subs(sizes) < 0:
                grown = next(s for s in symbols if sp.diff(room, s).is_positive)
                sizes[grown] = sizes[grown] + 1 if same else next(free)
        if sizes == before:
            break
    return sizes


def _slices(net: Recurrence) -> list[tuple[Any, Any]]:
    """Where a slice with bounds of its own ends, and the size that it must fit in."""
    found = []
    for e in net.equations:
        for node in tm.members(e.right):
            if isinstance(node, tm.Block):
                rows, columns = node.args[0].shape
                found += [(node.args[2], rows), (node.args[4], columns)]
    return [(bound, size) for bound, size in found if sp.sympify(size).free_symbols]


def loss_targets(net: Recurrence) -> dict[str, type[tm.Term]]:
    """Name → loss, for every name that a loss compares with."""
    found: dict[str, type[tm.Term]] = {}
    for e in net.equations:
        for node in tm.members(e.right):
            if isinstance(node, tm.Loss) and isinstance(node.args[1], tm.At | tm.Parameter):
                found.setdefault(node.args[1].name, type(node))
    return found


def labels(loss: type[tm.Term] | None, shape: tuple[int, ...], rng: np.random.Generator) -> Any:
    """Targets as data have them: one-hot columns for a cross-entropy, 0 or 1 for the binary ones.

    Parameters
    ----------
    loss : type of term, or None
        As :func:`loss_targets` has it.
    shape : tuple of int
        Of the target, (…, n).
    rng : numpy Generator

    Returns
    -------
    array, or None
        None for any other loss: its targets are numbers like others.

    Examples
    --------
    >>> labels(tm.CrossEntropy, (2, 3), np.random.default_rng(0))
    array([[0., 0., 1.],
           [0., 1., 0.]])
    >>> labels(tm.BinaryCrossEntropy, (4,), np.random.default_rng(0))
    array([1., 1., 1., 0.])
    """
    if loss is tm.CrossEntropy:
        return np.eye(shape[-1])[rng.integers(shape[-1], size=shape[:-1])]
    if loss in (tm.LogLoss, tm.BinaryCrossEntropy):
        return rng.integers(2, size=shape).astype(float)
    return None


def point(
    net: Recurrence,
    *,
    T: int = 5,
    batch: int | None = None,
    seed: int = 0,
    sizes: Mapping[Any, int] | None = None,
) -> Point:
    """Choose a point for a recurrence.

    Parameters
    ----------
    net : Recurrence
    T : int
    batch : int, optional
        Number of sequences; one sequence without a batch axis unless given.
    seed : int
    sizes : mapping, optional
        Symbolic size → number; all different unless given.

    Raises
    ------
    RnnDeriveError
        If no point was found at which the recurrence is finite and smooth.
    """
    chosen = dict(sizes) if sizes is not None else sizes_for(net, (T, batch or 1, 1))
    problem = ""
    for attempt in range(ATTEMPTS):
        rng = np.random.default_rng([seed, attempt])
        found = _draw(net, T, batch, chosen, rng, positive=attempt % 3 == 2)
        problem = _problem(net, found)
        if not problem:
            return found
    raise RnnDeriveError(f"no test point found in {ATTEMPTS} attempts: {problem}")


def _draw(
    net: Recurrence,
    T: int,
    batch: int | None,
    sizes: dict[Any, int],
    rng: np.random.Generator,
    positive: bool,
) -> Point:
    targets = loss_targets(net)
    params: dict[str, Any] = {}
    inputs: dict[str, Any] = {}
    lead = () if batch is None else (batch,)
    for name in [*net.parameters, *net.inputs, *net.initial_states]:
        rows, columns = (int(sp.sympify(s).subs({**sizes, tm.T: T})) for s in net.shape(name))
        tail = (rows,) if net.shape(name)[1] == 1 else (rows, columns)  # a matrix of one column stays one
        initial = name in net.initial_states
        if name in net.parameters:
            params[name] = _weight(rng, tail)
        else:
            shape = (*([T] if isinstance(net.leaves.get(name), tm.At) else []), *lead, *tail)
            array = _data(rng, shape, targets.get(name))
            (params if initial and batch is None else inputs)[name] = array
        if positive and name not in targets:
            table = params if name in params else inputs
            table[name] = np.abs(table[name])
    if not any(isinstance(net.leaves[n], tm.At) for n in net.inputs):
        inputs["T"] = T
    return Point(params, inputs, sizes, T, batch)


def _weight(rng: np.random.Generator, shape: tuple[int, ...]) -> Any:
    """Of order 1; a square matrix gets the spectral radius 1."""
    array = rng.uniform(0.3, 1.0, shape) * rng.choice([-1.0, 1.0], shape)
    if len(shape) < 2:
        return array
    if shape[0] == shape[1]:
        return array / np.abs(np.linalg.eigvals(array)).max()
    return array * 1.4 / np.sqrt(min(shape))


def _data(rng: np.random.Generator, shape: tuple[int, ...], loss: type[tm.Term] | None) -> Any:
    if loss is tm.CrossEntropy:
        array = rng.uniform(0.2, 1.0, shape)
        return array / array.sum(-1, keepdims=True)
    if loss in (tm.LogLoss, tm.BinaryCrossEntropy):
        return rng.uniform(0.1, 0.9, shape)
    return rng.uniform(0.2, 1.2, shape) * rng.choice([-1.0, 1.0], shape)


class _Watch(Floats):
    """Floats that note how near a run comes to a kink, a pole or the end of a domain."""

    problem = ""

    def apply(self, name: str, array: Any) -> Any:
        row = FUNCTIONS[name]
        if any((np.abs(array - k) < MARGIN).any() for k in row.kinks):
            self.problem = f"{name} is taken at its kink"
        elif not row.total and (array < MARGIN).any():
            self.problem = f"{name} is taken of {float(array.min()):.3g}"
        return super().apply(name, array)

    def inverse(self, array: Any) -> Any:
        if (np.abs(array) < MARGIN).any():
            self.problem = "a quotient has a denominator near 0"
        return super().inverse(array)


def _problem(net: Recurrence, at: Point) -> str:
    """Why a recurrence should not be tested at a point; empty if it can be."""
    with np.errstate(all="ignore"):
        for k in range(at.batch or 1):
            single = at if at.batch is None else member(net, at, k)
            run = _watched(net, single)
            for e in net.equations:
                value = np.asarray(run[e.name])
                if run.algebra.problem:  # type: ignore[attr-defined]
                    return f"{run.algebra.problem} (in {e})"  # type: ignore[attr-defined]
                if not np.isfinite(value).all() or np.abs(value).max(initial=0) > 1e8:
                    return f"{e.name} is not finite, or very large (in {e})"
    return ""


def _watched(net: Recurrence, at: Point) -> Run:
    try:
        arrays = prepare(net, at.params, at.inputs)
    except InputError as error:
        raise RnnDeriveError(f"no test point: {error}") from error
    plain = reference_run(net, arrays)
    return Run(net, _Watch(plain.algebra.sizes), plain.values, at.T)


def member(net: Recurrence, at: Point, index: int) -> Point:
    """One sequence of a batch, as a point of its own."""
    inputs = {
        n: a if n == "T" else a[:, index] if isinstance(net.leaves.get(n), tm.At) else a[index]
        for n, a in at.inputs.items()
    }
    return Point(at.params, inputs, at.sizes, at.T)
