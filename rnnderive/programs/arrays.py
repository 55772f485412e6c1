"""Arrays as people hand them over, checked and brought into the layout of generated programs."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import sympy as sp

from rnnderive.errors import InputError
from rnnderive.language import terms as tm
from rnnderive.language.recurrence import Recurrence

__all__ = ["Arrays", "prepare", "restore"]


@dataclass(frozen=True)
class Arrays:
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


def _where(net: Recurrence, name: str) -> str:
    """The equation that a name comes up in, for an error message."""
    stem = name[:-1] if name in net.initial_states else name
    for e in net.equations:
        if any(getattr(n, "name", None) == stem and not isinstance(n, tm.Apply) for n in tm.members(e.right)):
            return f" (in {e})"
    return ""


def _plain(size: Any) -> str:
    return str(size).replace(" ", "")


def _array(net: Recurrence, name: str, value: Any) -> Any:
    try:
        array = np.asarray(value)
    except ValueError as error:
        raise InputError(f"{name} is not an array: {error}{_where(net, name)}") from None
    if array.dtype == object or array.dtype.kind not in "biufc":
        raise InputError(f"{name} has dtype {array.dtype}; expected numbers (float64 or float32){_where(net, name)}")
    if array.dtype.kind in "fc" and not np.isfinite(array).all():
        place = tuple(int(k) for k in np.argwhere(~np.isfinite(array))[0])
        raise InputError(f"{name}{list(place)} is {array[place]}; expected finite numbers{_where(net, name)}")
    return array


def prepare(net: Recurrence, params: Mapping[str, Any], inputs: Mapping[str, Any]) -> Arrays:
    """Check names, shapes, dtypes and finiteness, and bring everything into one layout.

    Raises
    ------
    InputError
        Which array, what was found, what was expected, and the equation it stands in.
    """
    for what, table in (("params", params), ("inputs", inputs)):
        if not isinstance(table, Mapping):
            raise InputError(f"{what} is of type {type(table).__name__}; expected a dict of arrays by name")
    steps = inputs.get("T")
    arrays, shared = _collect(net, params, {k: v for k, v in inputs.items() if k != "T"})
    kinds = [a.dtype for a in arrays.values() if a.dtype.kind in "fc"]
    dtype = np.result_type(*kinds) if kinds else np.dtype(np.float64)
    if dtype == np.float16:
        dtype = np.dtype(np.float32)
    sequences = [n for n in net.inputs if isinstance(net.leaves[n], tm.At)]
    classes = _class_targets(net, arrays)
    T, batch = _steps_and_batch(net, arrays, sequences, classes, steps)
    _check_members(net, T)
    sizes: dict[Any, int] = {}
    shapes = _axes(net, arrays, batch, classes, shared)
    for _ in range(2):  # a sum of sizes is decided once its parts are known
        for name, (expected, found, _member) in shapes.items():
            _match(net, name, expected, found, sizes, arrays[name].shape)
    known = [n for n in net.leaves if n not in net]
    missing = [str(s) for s in net.sizes if s not in sizes and any(net.shape(n)[0] == s for n in known)]
    if missing and classes:
        raise InputError(f"the size {', '.join(missing)} is not fixed by any array; give a one-hot target")
    sizes.update({s: 1 for s in net.sizes if str(s) in missing})  # nothing but single numbers stand for it
    out: dict[str, Any] = {}
    given = {}
    lead = () if batch is None else (batch,)
    for name, array in arrays.items():
        expected, _, _per_member = shapes.get(name, ((), (), True))
        size = tuple(int(sp.sympify(s).subs(sizes)) for s in net.shape(name))
        tail = size[:1] if net.shape(name)[1] == 1 else size
        if name in classes:
            array = _one_hot(net, name, array, size[0], dtype)
        array = array.astype(dtype, copy=False)
        spread = False
        if isinstance(net.leaves.get(name), tm.At):
            if array.ndim == 1 + (len(tail) == 0):
                array = array[..., None]
            if array.shape[-len(tail) :] != tail and tail == (1,):
                array = array[..., None]
            if batch is not None and array.ndim == 1 + len(tail):
                array, spread = np.broadcast_to(array[:, None], (T, batch, *tail)), True
        elif name in net.parameters:
            if array.size == 1 and array.shape != tail:
                array = np.broadcast_to(array.reshape(()), tail)
            array = array.reshape(tail) if array.shape != tail else array
        else:
            if array.ndim == 0:
                array = np.broadcast_to(array, tail)
            member = array.ndim > len(tail) or (array.ndim == len(tail) and array.shape == lead and tail == (1,))
            if tail == (1,) and array.ndim <= len(lead) and array.shape == lead:
                array = array[..., None]
            spread = bool(lead) and not member
            if array.shape != (*lead, *tail):
                array = np.broadcast_to(array.reshape(array.shape if member else tail), (*lead, *tail))
        out[name] = array
        given[name] = (np.shape(params[name] if name in params else inputs[name]), spread)
    return Arrays(
        {n: a for n, a in out.items() if n in net.parameters},
        {**{n: a for n, a in out.items() if n not in net.parameters}, **({} if sequences else {"T": T})},
        given, T, batch, sizes, dtype,
    )  # fmt: skip


def _collect(net: Recurrence, params: Mapping[str, Any], inputs: Mapping[str, Any]) -> tuple[dict[str, Any], set[str]]:
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
    return {n: _array(net, n, v) for n, v in both.items()}, set(params)


def _class_targets(net: Recurrence, arrays: Mapping[str, Any]) -> set[str]:
    """Cross-entropy targets that were given as integer classes."""
    out = set()
    for e in net.equations:
        for node in tm.members(e.right):
            if isinstance(node, tm.CrossEntropy) and isinstance(node.args[1], tm.At | tm.Parameter):
                name = node.args[1].name
                array = arrays.get(name)
                if array is not None and array.dtype.kind in "iu" and _are_classes(net, name, array, arrays):
                    out.add(name)
    return out


def _are_classes(net: Recurrence, name: str, array: Any, arrays: Mapping[str, Any]) -> bool:
    """Integers are classes unless they have the axis of a one-hot vector."""
    timed = isinstance(net.leaves[name], tm.At)
    others = [arrays[n].ndim for n in net.inputs if n != name and isinstance(net.leaves[n], tm.At) and n in arrays]
    batched = bool(others) and max(others) > 2
    return bool(array.ndim == timed + batched)


def _steps_and_batch(
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


def _check_members(net: Recurrence, T: int) -> None:
    """Refuse a run that is too short for the fixed steps that the equations read."""
    for e in net.equations:
        for node in tm.members(e.right):
            if isinstance(node, tm.At) and node.lag is None:
                step = node.index.subs(tm.T, T)
                if not 1 <= step <= T:
                    raise InputError(f"{e} reads {node}, but there are only {T} steps; give a longer sequence")


def _axes(
    net: Recurrence, arrays: Mapping[str, Any], batch: int | None, classes: set[str], shared: set[str]
) -> dict[str, tuple[tuple[Any, ...], tuple[int, ...], bool]]:
    """Name → (symbolic sizes, sizes found, whether it differs between members) for each array."""
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
        out[name] = (expected, found, name not in shared)
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
        value = sp.sympify(size).subs(sizes)
        if value.is_Integer:
            if int(value) != number:
                raise _shape_error(net, name, expected, shape, sizes, "")
            continue
        unknown = sorted(value.free_symbols, key=str)
        if len(unknown) == 1:
            answers = sp.solve(value - number, unknown[0])  # none where it would not be positive
            if len(answers) != 1 or not answers[0].is_Integer or answers[0] < 1:
                raise _shape_error(net, name, expected, shape, sizes, "")
            sizes[unknown[0]] = int(answers[0])


def _shape_error(
    net: Recurrence, name: str, expected: tuple[Any, ...], found: Any, sizes: Mapping[Any, int], more: str
) -> InputError:
    symbolic = ", ".join(_plain(s) for s in expected)
    words = f"({symbolic},)" if len(expected) == 1 else f"({symbolic})"
    known = [f"{s} = {n}" for s, n in sizes.items() if any(sp.sympify(e).has(s) for e in expected)]
    where = f" with {', '.join(known)}" if known else ""
    return InputError(f"{name} has shape {tuple(found)}; expected {words}{more}{where}{_where(net, name)}")


def _one_hot(net: Recurrence, name: str, array: Any, size: int, dtype: Any) -> Any:
    if array.size and (array.min() < 0 or array.max() >= size):
        bad = array[(array < 0) | (array >= size)].flat[0]
        raise InputError(f"{name} holds the class {bad}; expected 0 to {size - 1}{_where(net, name)}")
    return np.eye(size, dtype=dtype)[array]


def restore(gradient: Any, name: str, net: Recurrence, arrays: Arrays) -> Any:
    """A gradient in the shape in which the array was handed over."""
    if name not in arrays.given:
        return gradient
    shape, spread = arrays.given[name]
    timed = isinstance(net.leaves.get(name), tm.At)
    full = np.shape(arrays.inputs[name]) if name in arrays.inputs else gradient.shape
    if (
        gradient.shape != full or not gradient.flags.writeable
    ):  # a loss that does not depend on it has one zero for all members
        gradient = np.broadcast_to(gradient, full).copy()
    if spread:
        gradient = gradient.sum(1 if timed else 0)
    if gradient.shape == shape:
        return gradient
    if int(np.prod(shape)) == 1 and gradient.size != 1:
        return gradient.sum().reshape(shape)
    return gradient.reshape(shape) if gradient.size == int(np.prod(shape)) else gradient
