"""Arrays as people hand them over, checked and brought into the layout of generated programs."""

from __future__ import annotations

import cmath
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from rnnderive.language import terms as tm
from rnnderive.language.recurrence import Recurrence
from rnnderive.programs.requirements import (
    check_members,
    check_tables,
    class_targets,
    collect,
    find_sizes,
    one_hot,
    steps_and_batch,
)
from rnnderive.programs.sizes import size_of

__all__ = ["Arrays", "Plan", "Preparation", "prepare", "restore"]

SIGNATURES = 64  # how many signatures a program remembers
SMALL = 1000  # entries that are copied in less than the time of a call


class Arrays(NamedTuple):
    """Checked arrays.

    Attributes
    ----------
    params, inputs : dict
        What a generated program takes.
    given : dict
        Name → the shape in which the array was handed over, and whether it was spread over a batch.
    T : int
    batch : int or None
    sizes : dict
        Symbolic size → number.
    dtype : numpy.dtype
    """

    params: dict[str, Any]
    inputs: dict[str, Any]
    given: dict[str, tuple[tuple[int, ...], bool]]
    T: int
    batch: int | None
    sizes: dict[Any, int]
    dtype: Any


@dataclass(frozen=True)
class Fit:
    """What is done to one array at every call, decided from its shape and dtype alone."""

    name: str
    classes: int | None
    dtype: Any
    shape: tuple[int, ...]
    full: tuple[int, ...]

    def __call__(self, net: Recurrence, array: Any) -> Any:
        array = np.asarray(array)
        if self.classes is not None:
            array = one_hot(net, self.name, array, self.classes, self.dtype)
        array = array.astype(self.dtype, copy=False).reshape(self.shape)
        return array if self.shape == self.full else np.broadcast_to(array, self.full)


@dataclass(frozen=True)
class Plan:
    """How the arrays of one signature become those of a program.

    Attributes
    ----------
    net : Recurrence
    params, inputs : dict
        Name → what is done to the array; None where it is taken as it is.
    small, large : tuple of str
        What may hold NaN or infinity.
    kind : numpy.dtype or None
        The dtype of all that is small, None where there are several.
    arrays : Arrays
        What the signature decides; its params and inputs are the numbers that are no arrays (T).
    """

    net: Recurrence
    params: dict[str, Fit | None]
    inputs: dict[str, Fit | None]
    small: tuple[str, ...]
    large: tuple[str, ...]
    kind: Any
    arrays: Arrays

    def __call__(self, both: Mapping[str, Any]) -> Arrays:
        net, (_, steps, *known) = self.net, self.arrays
        params = {n: both[n] if fit is None else fit(net, both[n]) for n, fit in self.params.items()}
        inputs = {n: both[n] if fit is None else fit(net, both[n]) for n, fit in self.inputs.items()}
        inputs.update(steps)
        return Arrays(params, inputs, *known)

    def is_finite(self, both: Mapping[str, Any]) -> bool:
        """Whether the sum of all squares is; one that overflows is False as well."""
        total = 0.0
        if self.small:  # a call costs more than their numbers
            entries = self._entries([both[n] for n in self.small])
            total += np.vdot(entries, entries)
        for n in self.large:
            total += np.vdot(both[n], both[n])
        return cmath.isfinite(total)

    def _entries(self, arrays: list[Any]) -> Any:
        """All numbers in one vector; to join the bytes takes half of the time of np.concatenate."""
        if self.kind is not None:
            try:
                return np.frombuffer(b"".join(arrays), self.kind)
            except TypeError:  # a number, or memory with gaps
                pass
        return np.concatenate(arrays, None)


class Preparation:
    """:func:`prepare` for one recurrence: a signature that was met before costs a look at its numbers.

    A signature is the names, shapes and dtypes of what is handed over.
    """

    def __init__(self, net: Recurrence) -> None:
        self.net = net
        self.plans: dict[Any, Plan] = {}

    def __call__(self, params: Mapping[str, Any], inputs: Mapping[str, Any]) -> Arrays:
        key = _signature(params, inputs)
        if key is None:
            return prepare(self.net, params, inputs)
        known = self.plans.get(key)
        if known is not None:
            both = {**params, **inputs}
            if known.is_finite(both):
                return known(both)
        found, arrays = _planned(self.net, params, inputs)
        if len(self.plans) >= SIGNATURES:
            self.plans.pop(next(iter(self.plans)), None)
        self.plans[key] = found
        return found(arrays)


def _signature(params: Any, inputs: Any) -> Any:
    """Names, shapes and dtypes, a key; None where something is neither an array nor a number."""
    try:
        return (
            tuple([(n, a.shape, a.dtype) if a.__class__ is np.ndarray else _number(n, a) for n, a in params.items()]),
            tuple([(n, a.shape, a.dtype) if a.__class__ is np.ndarray else _number(n, a) for n, a in inputs.items()]),
        )
    except (AttributeError, TypeError):
        return None


def _number(name: str, value: Any) -> Any:
    """The part of a signature that a number is: the number of steps itself, of others the type."""
    if name == "T" and value.__class__ is int:
        return name, value
    if isinstance(value, float | np.number):
        return name, value.__class__
    raise TypeError(f"{name} has no signature")


def prepare(net: Recurrence, params: Mapping[str, Any], inputs: Mapping[str, Any]) -> Arrays:
    """Check names, shapes, dtypes and finiteness, and bring everything into one layout.

    Raises
    ------
    InputError
        Which array, what was found, what was expected, and the equation it stands in.
    """
    plan, arrays = _planned(net, params, inputs)
    return plan(arrays)


def _planned(net: Recurrence, params: Any, inputs: Any) -> tuple[Plan, dict[str, Any]]:
    """Check everything; how the arrays are brought into one layout, and the arrays."""
    check_tables(params=params, inputs=inputs)
    arrays, shared = collect(net, params, {k: v for k, v in inputs.items() if k != "T"})
    kinds = [a.dtype for a in arrays.values() if a.dtype.kind in "fc"]
    dtype = np.result_type(*kinds) if kinds else np.dtype(np.float64)
    if dtype == np.float16:
        dtype = np.dtype(np.float32)
    sequences = [n for n in net.inputs if isinstance(net.leaves[n], tm.At)]
    classes = class_targets(net, arrays)
    T, batch = steps_and_batch(net, arrays, sequences, classes, inputs.get("T"))
    check_members(net, T)
    sizes = find_sizes(net, arrays, batch, classes, shared)
    fits, given = {}, {}
    for name, array in arrays.items():
        size = tuple(size_of(s).value(sizes) for s in net.shape(name))
        tail = size[:1] if net.shape(name)[1] == 1 else size
        found = (*array.shape, size[0]) if name in classes else array.shape
        shape, full, spread = _layout(net, name, found, tail, T, batch)
        as_it_is = array.dtype == dtype and shape == full == array.shape and name not in classes
        fits[name] = None if as_it_is else Fit(name, size[0] if name in classes else None, dtype, shape, full)
        given[name] = (np.shape(params[name] if name in params else inputs[name]), spread)
    real = [n for n, a in arrays.items() if a.dtype.kind in "fc"]
    small = tuple(n for n in real if arrays[n].size <= SMALL)
    kinds = list({arrays[n].dtype for n in small})
    plan = Plan(
        net,
        {n: fit for n, fit in fits.items() if n in net.parameters},
        {n: fit for n, fit in fits.items() if n not in net.parameters},
        small,
        tuple(n for n in real if arrays[n].size > SMALL),
        kinds[0] if len(kinds) == 1 else None,
        Arrays({}, {} if sequences else {"T": T}, given, T, batch, sizes, dtype),
    )
    return plan, arrays


def _layout(
    net: Recurrence, name: str, found: tuple[int, ...], tail: tuple[int, ...], T: int, batch: int | None
) -> tuple[tuple[int, ...], tuple[int, ...], bool]:
    """The shape that an array is given, the one it is spread to, and whether that is over the batch."""
    lead = () if batch is None else (batch,)
    if isinstance(net.leaves.get(name), tm.At):
        if len(found) == 1 or (found[-len(tail) :] != tail and tail == (1,)):
            found = (*found, 1)
        if batch is not None and len(found) == 1 + len(tail):
            return (T, 1, *tail), (T, batch, *tail), True
        return found, found, False
    if name in net.parameters:
        single = int(np.prod(found)) == 1 and found != tail
        return ((1,) * len(tail) if single else tail), tail, False
    member = len(found) > len(tail) or (found == lead and len(found) == len(tail) == 1 and tail == (1,))
    full = (*lead, *tail)
    if member:
        return full, full, False
    if found == ():
        return (1,) * len(tail), full, bool(lead)
    return tail, full, bool(lead)


def restore(gradient: Any, name: str, net: Recurrence, arrays: Arrays) -> Any:
    """A gradient in the shape in which the array was handed over."""
    if name not in arrays.given:
        return gradient
    shape, spread = arrays.given[name]
    if not spread and gradient.shape == shape and gradient.flags.writeable:
        return gradient
    timed = isinstance(net.leaves.get(name), tm.At)
    full = np.shape(arrays.inputs[name]) if name in arrays.inputs else gradient.shape
    # A loss that does not depend on it has one zero for all members.
    if gradient.shape != full or not gradient.flags.writeable:
        gradient = np.broadcast_to(gradient, full).copy()
    if spread:
        gradient = gradient.sum(1 if timed else 0)
    if gradient.shape == shape:
        return gradient
    if int(np.prod(shape)) == 1 and gradient.size != 1:
        return gradient.sum().reshape(shape)
    return gradient.reshape(shape) if gradient.size == int(np.prod(shape)) else gradient
