"""What a recurrence asks of the arrays that it is given, and what is said when they are not that."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import numpy as np

from rnnderive.errors import InputError
from rnnderive.language import terms as tm
from rnnderive.language.recurrence import Recurrence
from rnnderive.programs.sizes import Size, size_of

__all__ = [
    "as_array",
    "check_members",
    "check_tables",
    "class_targets",
    "collect",
    "find_sizes",
    "is_per_member",
    "one_hot",
    "steps_and_batch",
]


def _where(net: Recurrence, name: str) -> str:
    """The equation that a name comes up in, for an error message."""
    stem = name[:-1] if name in net.initial_states else name
    for e in net.equations:
        if any(getattr(n, "name", None) == stem and not isinstance(n, tm.Apply) for n in tm.members(e.right)):
            return f" (in {e})"
    return ""


def _plain(size: Any) -> str:
    return str(size).replace(" ", "")


def check_tables(**tables: Any) -> None:
    """Refuse what is no dict of arrays."""
    for what, table in tables.items():
        if not isinstance(table, Mapping):
            raise InputError(f"{what} is of type {type(table).__name__}; expected a dict of arrays by name")


def as_array(net: Recurrence, name: str, value: Any) -> Any:
    """An array of numbers, finite or not."""
    try:
        array = np.asarray(value)
    except ValueError as error:
        raise InputError(f"{name} is not an array: {error}{_where(net, name)}") from None
    if array.dtype == object or array.dtype.kind not in "biufc":
        raise InputError(f"{name} has dtype {array.dtype}; expected numbers (float64 or float32){_where(net, name)}")
    return array


def _finite(net: Recurrence, name: str, value: Any) -> Any:
    array = as_array(net, name, value)
    if array.dtype.kind in "fc" and not np.isfinite(array).all():
        place = tuple(int(k) for k in np.argwhere(~np.isfinite(array))[0])
        raise InputError(f"{name}{list(place)} is {array[place]}; expected finite numbers{_where(net, name)}")
    return array


def find_sizes(
    net: Recurrence, arrays: Mapping[str, Any], batch: int | None, classes: set[str], shared: set[str]
) -> dict[Any, int]:
    """The number for every symbolic size."""
    sizes: dict[Any, int] = {}
    shapes = _axes(net, arrays, batch, classes, shared)
    for _ in range(2):  # a sum of sizes is decided once its parts are known
        for name, (expected, found) in shapes.items():
            _match(net, name, expected, found, sizes, arrays[name].shape)
    known = {net.shape(n)[0] for n in net.leaves if n not in net}
    missing = [s for s in net.sizes if s not in sizes and s in known]
    if missing and classes:
        names = ", ".join(str(s) for s in missing)
        raise InputError(f"the size {names} is not fixed by any array; give a one-hot target")
    return {**sizes, **dict.fromkeys(missing, 1)}  # nothing but single numbers stand for it


def collect(net: Recurrence, params: Mapping[str, Any], inputs: Mapping[str, Any]) -> tuple[dict[str, Any], set[str]]:
    """All arrays by name; those given as parameters."""
    wanted = [*net.parameters, *net.inputs]
    allowed = {*wanted, *net.initial_states}
    for name in [*params, *inputs]:
        if name not in allowed:
            near = [n for n in sorted(allowed) if n.lower() == str(name).lower()]
            near += difflib.get_close_matches(str(name), sorted(allowed), 1)
            hint = f"; did you mean {near[0]}?" if near else "."
            raise InputError(
                f"there is no {name!r} in this recurrence{hint or '.'} It takes {', '.join(sorted(allowed))}"
            )
    twice = sorted(set(params) & set(inputs))
    if twice:
        raise InputError(f"{', '.join(twice)} stands in params and in inputs; expected it in one of them")
    both = {**params, **inputs}
    missing = [n for n in wanted if n not in both]
    if missing:
        n = missing[0]
        place = "params" if n in net.parameters else "inputs"
        raise InputError(f"{place}[{n!r}] is missing{_where(net, n)}; it takes {', '.join(wanted)}")
    return {n: _finite(net, n, v) for n, v in both.items()}, set(params)


@lru_cache(maxsize=256)
def _class_names(net: Recurrence) -> tuple[str, ...]:
    """The names that are targets of a cross-entropy."""
    losses = (n for e in net.equations for n in tm.members(e.right) if isinstance(n, tm.CrossEntropy))
    targets = (n.args[1] for n in losses)
    return tuple(dict.fromkeys(n.name for n in targets if isinstance(n, tm.At | tm.Parameter)))


def class_targets(net: Recurrence, arrays: Mapping[str, Any]) -> set[str]:
    """Cross-entropy targets that were given as integer classes."""
    given = [n for n in _class_names(net) if n in arrays and arrays[n].dtype.kind in "iu"]
    return {n for n in given if _are_classes(net, n, arrays[n], arrays)}


def _are_classes(net: Recurrence, name: str, array: Any, arrays: Mapping[str, Any]) -> bool:
    """Integers are classes unless they have the axis of a one-hot vector."""
    timed = isinstance(net.leaves[name], tm.At)
    others = [arrays[n].ndim for n in net.inputs if n != name and isinstance(net.leaves[n], tm.At) and n in arrays]
    batched = bool(others) and max(others) > 2
    return bool(array.ndim == timed + batched)


def is_per_member(net: Recurrence, name: str, array: Any) -> bool:
    """Whether the array of an input sequence has a batch axis."""
    inner = 1 if net.shape(name)[1] == 1 else 2
    bare = net.shape(name) == (1, 1) and array.shape[-1:] != (1,)
    classes = name in _class_names(net) and array.dtype.kind in "iu" and array.ndim == 2
    return bool(array.ndim + bare + classes == 2 + inner)


def steps_and_batch(
    net: Recurrence, arrays: Mapping[str, Any], sequences: list[str], classes: set[str], steps: Any
) -> tuple[int, int | None]:
    if not sequences:
        if not isinstance(steps, int | np.integer) or isinstance(steps, bool) or steps < 1:
            raise InputError("no input has a time axis; give the number of steps as inputs['T'], an integer from 1")
        batched = [
            n
            for n in (*net.inputs, *net.initial_states)
            if n in arrays and arrays[n].ndim == 2 and net.shape(n)[1] == 1
        ]
        return int(steps), (arrays[batched[0]].shape[0] if batched else None)
    T: dict[int, str] = {}
    B: dict[int, str] = {}
    for n in sequences:
        array = arrays[n]
        scalar = net.shape(n)[0] == 1 and net.shape(n)[1] == 1
        full = array.ndim + (n in classes) + (scalar and array.shape[-1:] != (1,))
        inner = 1 if net.shape(n)[1] == 1 else 2
        if full not in (1 + inner, 2 + inner):
            raise InputError(
                f"{n} has shape {array.shape}; expected (T, size) for one sequence or (T, B, size) for a batch"
                f"{_where(net, n)}"
            )
        T.setdefault(array.shape[0], n)
        if full == 2 + inner:
            B.setdefault(array.shape[1], n)
    for what, found in (("steps", T), ("sequences in the batch", B)):
        if len(found) > 1:
            (a, first), (b, second) = list(found.items())[:2]
            raise InputError(f"{first} has {a} {what} and {second} has {b}; expected as many")
    if 0 in T:
        raise InputError(f"{T[0]} has no steps (T = 0); a recurrence runs over at least one")
    if 0 in B:
        raise InputError(f"{B[0]} is an empty batch (B = 0); give at least one sequence, or drop the batch axis")
    return next(iter(T)), next(iter(B)) if B else None


@lru_cache(maxsize=256)
def _fixed_steps(net: Recurrence) -> tuple[tuple[Any, Any, Size], ...]:
    """The equations that read a fixed step, the term that reads it, and the step."""
    return tuple(
        (e, n, size_of(n.index))
        for e in net.equations
        for n in tm.members(e.right)
        if isinstance(n, tm.At) and n.lag is None
    )


def check_members(net: Recurrence, T: int) -> None:
    """Refuse a run that is too short for the fixed steps that the equations read."""
    for e, node, step in _fixed_steps(net):
        if not 1 <= step.value({tm.T: T}) <= T:
            raise InputError(f"{e} reads {node}, but there are only {T} steps; give a longer sequence")


def _axes(
    net: Recurrence, arrays: Mapping[str, Any], batch: int | None, classes: set[str], shared: set[str]
) -> dict[str, tuple[tuple[Any, ...], tuple[int, ...]]]:
    """Name → (symbolic sizes, sizes found) for each array."""
    out = {}
    for name, array in arrays.items():
        rows, columns = net.shape(name)
        expected: tuple[Any, ...] = (rows,) if columns == 1 else (rows, columns)
        found = array.shape
        if isinstance(net.leaves.get(name), tm.At):
            scalar = expected == (1,) and found[-1:] != (1,)
            found = (1,) if scalar else found[-len(expected) :]
            if name in classes:
                continue
        elif name in classes:
            continue
        elif name in net.parameters:
            if found in ((), (1,), (1, 1)) and _elementwise_only(net, name):
                continue
            if len(expected) == 1 and len(found) == 2 and found[1] == 1:
                found = found[:1]
            if len(found) != len(expected):
                raise _shape_error(net, name, expected, array.shape, {}, "")
        else:
            lead = () if batch is None else (batch,)
            if found == () and _elementwise_only(net, name):
                continue
            if expected == (1,) and found == lead:
                found = (1,)
            elif len(found) == len(expected) + 1:
                if batch is None or found[0] != batch:
                    raise InputError(
                        f"{name} has shape {array.shape}: a batch of {found[0]}, but the sequences have "
                        f"{'no batch axis' if batch is None else f'a batch of {batch}'}{_where(net, name)}"
                    )
                if name in shared:
                    raise InputError(
                        f"{name} has a batch axis, so it is an input; expected it in inputs, not in params"
                    )
                found = found[1:]
            elif len(found) != len(expected):
                raise _shape_error(net, name, expected, array.shape, {}, " or (B, size)")
        out[name] = (expected, found)
    return out


def _elementwise_only(net: Recurrence, name: str) -> bool:
    """Whether a name never stands in a matrix product, so that one number may stand for all entries."""
    for e in net.equations:
        for node in tm.members(e.right):
            inside = isinstance(node, tm.Product | tm.Transpose | tm.Block | tm.Stack)
            if inside and any(getattr(a, "name", None) == name for a in node.args):
                return False
    return True


def _match(
    net: Recurrence,
    name: str,
    expected: tuple[Any, ...],
    found: tuple[int, ...],
    sizes: dict[Any, int],
    shape: Any,
) -> None:
    for size, number in zip(expected, found, strict=True):
        rule = size_of(size)
        unknown = rule.unknown(sizes)
        if not unknown:
            answer: int | None = number if rule.value(sizes) == number else None
        elif len(unknown) == 1:
            answer = rule.solve(number, sizes)
        else:
            continue
        if answer is None:
            raise _shape_error(net, name, expected, shape, sizes, "")
        sizes.update(dict.fromkeys(unknown, answer))


def _shape_error(
    net: Recurrence, name: str, expected: tuple[Any, ...], found: Any, sizes: Mapping[Any, int], more: str
) -> InputError:
    symbolic = ", ".join(_plain(s) for s in expected)
    words = f"({symbolic},)" if len(expected) == 1 else f"({symbolic})"
    known = [f"{s} = {n}" for s, n in sizes.items() if any(s in size_of(e).symbols for e in expected)]
    where = f" with {', '.join(known)}" if known else ""
    return InputError(f"{name} has shape {tuple(found)}; expected {words}{more}{where}{_where(net, name)}")


def one_hot(net: Recurrence, name: str, array: Any, size: int, dtype: Any) -> Any:
    if array.size and (array.min() < 0 or array.max() >= size):
        bad = array[(array < 0) | (array >= size)].flat[0]
        raise InputError(f"{name} holds the class {bad}; expected 0 to {size - 1}{_where(net, name)}")
    return np.eye(size, dtype=dtype)[array]
