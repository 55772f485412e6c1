"""What a person's function returned, each array known by its name: loss, gradients, states, quantities in between."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from rnnderive.hand.placed import Placed

__all__ = ["Results", "read_results"]

LOSS = frozenset({"loss", "L", "cost", "error"})
NESTED = frozenset({"grads", "gradients", "grad", "gradient"})
SKIPPED = frozenset({"_", "", "cache", "caches"})
GRADIENT = ("d{}", "d_{}", "grad_{}", "{}_grad", "dL_d{}", "dLd{}", "g_{}", "g{}", "del_{}", "grad{}")


@dataclass(eq=False)
class Results:
    """Arrays in the person's layout, flat (no lists), by the person's name.

    Attributes
    ----------
    grads, forward, inner : dict
    loss : number or None
    problems, remarks : list of str
    """

    grads: dict[str, Any] = field(default_factory=dict)
    forward: dict[str, Any] = field(default_factory=dict)
    inner: dict[str, Any] = field(default_factory=dict)
    loss: Any = None
    problems: list[str] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)


def read_results(value: Any, names: Sequence[str] | None, placed: Placed, *, forward: bool = False) -> Results:
    """Sort what was returned.

    Parameters
    ----------
    value : object
        A tuple, dict, or object with attributes.
    names : sequence of str, optional
        Of a tuple's members: ``loss``, ``grads`` (a dict or an object), ``dW`` (the gradient of W), the name
        of a sequence or of a quantity of the adjoint, ``_`` for anything else.
    placed : Placed
    forward : bool
        Whether a forward returned it, which gives no gradients.
    """
    out = Results()
    for label, item in _labelled(value, names, placed, out, forward):
        _sort(label, item, placed, out, nested=False)
    return out


def _labelled(
    value: Any, names: Sequence[str] | None, placed: Placed, out: Results, forward: bool
) -> Iterator[tuple[str, Any]]:
    """Each thing that was returned, with its label."""
    if names is None and hasattr(value, "_fields"):
        names = value._fields
    if names is None:
        if isinstance(value, tuple) and len(value) == 2 and not forward:
            yield from zip(("loss", "grads"), value, strict=True)
        elif not isinstance(value, tuple | list | np.ndarray) and not forward:
            yield "grads", value
        elif not forward:
            count = len(value) if isinstance(value, tuple | list) else 1
            out.problems.append(
                f"it returned {count} arrays without names; expected (loss, grads), a dict, or names=, as in "
                f"names='loss {' '.join('d' + n for n in list(placed.entries)[:2])} …'"
            )
        return
    items = value if isinstance(value, tuple | list) and len(names) > 1 else (value,)
    if len(items) != len(names):
        out.problems.append(f"it returned {len(items)} things; names lists {len(names)}: {' '.join(names)}")
        return
    yield from zip(names, items, strict=True)


def _sort(label: str, item: Any, placed: Placed, out: Results, *, nested: bool) -> None:
    if label in SKIPPED:
        return
    if not nested and label in NESTED:
        members = list(_members(item, placed))
        if not members and not isinstance(item, Mapping):
            out.problems.append(
                f"it returned {repr(item)[:40]}, of the type {type(item).__name__}, where gradients are read; expected "
                f"(loss, grads), or a dict such as {{'d{next(iter(placed.entries))}': …}}"
            )
        for key, array in members:
            _sort(key, array, placed, out, nested=True)
        return
    entry = placed.entry(label)
    about = placed.about(entry) if entry else ""
    if about in ("sequence", "inner") and label != placed.problem.net.loss:
        target = gradient_of(label, placed) if about == "inner" else None
        if target is None:
            _keep(label, label, item, placed, out.forward if about == "sequence" else out.inner, out)
            return
    if label in LOSS or label == placed.problem.net.loss:
        out.loss = _total(item, out)
        return
    target = gradient_of(label, placed) or (label if nested and entry else None)
    if target is not None:
        _keep(label, target, item, placed, out.grads, out)
    else:
        out.remarks.append(f"{label}, which it returned, is the gradient of nothing here, and was not read")


def gradient_of(label: str, placed: Placed) -> str | None:
    """The array that ``dW``, ``grad_W``, … is the gradient of."""
    for name in placed.entries:
        outside = placed.about(placed.entries[name]) in ("parameter", "input")
        if outside and label in {form.format(name) for form in GRADIENT}:
            return name
    return None


def _members(item: Any, placed: Placed) -> Iterator[tuple[str, Any]]:
    """The named arrays of a dict or of an object: ``net.dW``, ``net.W.grad``."""
    if isinstance(item, Mapping):
        yield from ((str(k), v) for k, v in item.items())
        return
    for name in placed.entries:
        found = next((f.format(name) for f in GRADIENT if hasattr(item, f.format(name))), None)
        if found:
            yield found, getattr(item, found)
        elif hasattr(getattr(item, name, None), "grad"):
            yield f"d{name}", getattr(item, name).grad


def _total(item: Any, out: Results) -> Any:
    try:
        array = np.asarray(item)
        total = array.sum()
        if array.dtype == object or not np.isfinite(total):
            raise ValueError
    except (TypeError, ValueError):
        out.problems.append(f"the loss it returned is {str(item)[:60]}; expected a finite number")
        return None
    return total


def _keep(label: str, name: str, item: Any, placed: Placed, table: dict[str, Any], out: Results) -> None:
    """Check one array, and put it into a table."""
    entry = placed.entry(name)
    if entry is None or (entry.axes and entry.axes.picked) or item is None:
        if item is None:
            out.problems.append(f"{label} is None; expected an array")
        return
    shape = placed.matrix(entry).factor.shape
    try:
        array = placed.flat(entry, item)
        if array.dtype.kind not in "fiuc":
            raise ValueError
    except (TypeError, ValueError):
        out.problems.append(f"{label} is {_described(item)}; expected an array of the shape {shape}")
        return
    if array.dtype.kind in "iu":
        array = array.astype(float)
    squeezed = tuple(s for s in array.shape if s != 1)
    if array.shape != shape and squeezed == tuple(s for s in shape if s != 1):
        out.remarks.append(f"{label} has the shape {array.shape}, and {name} the shape {shape}")
        array = array.reshape(shape)
    if array.shape != shape:
        turned = " (its transpose)" if array.shape == shape[::-1] and len(shape) == 2 else ""
        out.problems.append(f"{label} has the shape {array.shape}{turned}; expected {shape}, that of {name}")
    elif not np.isfinite(array).all():
        count = int((~np.isfinite(array)).sum())
        out.problems.append(f"{label} has {count} of {array.size} entries that are not finite")
    else:
        table[name] = np.array(array)


def _described(item: Any) -> str:
    if isinstance(item, list | tuple):
        return f"a {type(item).__name__} of {len(item)}, of unequal shapes"
    return f"{type(item).__name__} ({str(item)[:40]})"
