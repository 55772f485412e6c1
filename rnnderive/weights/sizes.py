"""Sizes from shapes: the numbers behind n_h and n_x, found from arrays or from widths by name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import sympy as sp

from rnnderive.errors import InputError
from rnnderive.language import Recurrence
from rnnderive.language import terms as tm

__all__ = ["concrete", "from_arrays", "from_widths", "solved"]


def solved(
    net: Recurrence, shapes: Mapping[str, tuple[int, ...]], known: Mapping[Any, int] | None = None
) -> dict[Any, int]:
    """The sizes of a recurrence from the shapes of some of its names.

    Parameters
    ----------
    net : Recurrence
    shapes : mapping
        Name → (rows,) of a column or (rows, columns) of a matrix.
    known : mapping, optional
        Sizes to begin with.

    Returns
    -------
    dict
        Symbol → number, for the sizes that these shapes fix.

    Raises
    ------
    InputError
        Which name, its shape, and the shape expected.

    Examples
    --------
    >>> from rnnderive.cells import lstm
    >>> solved(lstm(), {"W_f": (3, 5)})
    {n_h: 3, n_x: 2}
    """
    sizes: dict[Any, int] = dict(known or {})
    for _ in range(1 + len(net.sizes)):  # a sum of sizes is decided once its parts are known
        before = len(sizes)
        for name, shape in shapes.items():
            rows, columns = net.shape(name)
            expected = (rows,) if columns == 1 else (rows, columns)
            if len(shape) != len(expected):
                raise _mismatch(name, shape, expected, sizes)
            for size, number in zip(expected, shape, strict=True):
                rest = sp.sympify(size).subs(sizes)
                unknown = sorted(rest.free_symbols, key=str)
                if not unknown and rest != number:
                    raise _mismatch(name, shape, expected, sizes)
                if len(unknown) == 1:
                    (answer,) = sp.solve(rest - number, unknown[0]) or [sp.S.Zero]
                    if not answer.is_Integer or answer < 1:
                        raise _mismatch(name, shape, expected, sizes)
                    sizes[unknown[0]] = int(answer)
        if len(sizes) == before:
            break
    return sizes


def _mismatch(name: str, shape: tuple[int, ...], expected: tuple[Any, ...], sizes: Mapping[Any, int]) -> InputError:
    words = ", ".join(str(s).replace(" ", "") for s in expected)
    known = [f"{s} = {n}" for s, n in sizes.items() if any(sp.sympify(e).has(s) for e in expected)]
    where = f" with {', '.join(known)}" if known else ""
    return InputError(f"{name} has shape {shape}; expected ({words}{',' * (len(expected) == 1)}){where}")


def from_widths(net: Recurrence, widths: Mapping[str, int]) -> tuple[dict[str, tuple[int, ...]], dict[Any, int]]:
    """Shapes and sizes from widths by name: ``{"h": 16, "x": 3}``.

    A key is a sequence, a timeless column, a size (``n_h``), or the common stem of several
    sequences: ``h`` stands for h_1 and h_2 of a stack, and for h_L and h_R of two directions.
    """
    shapes: dict[str, tuple[int, ...]] = {}
    sizes: dict[Any, int] = {}
    symbols = {str(s): s for s in net.sizes}
    for key, width in widths.items():
        if isinstance(width, bool) or not isinstance(width, int | np.integer) or width < 1:
            raise InputError(f"the size of {key} is {width!r}; expected a whole number from 1")
        parts = [s for s in symbols if s.startswith(f"n_{key}_")]
        column = key in net.leaves and net.shape(key)[1] == 1
        if key in symbols:
            sizes[symbols[key]] = int(width)
        elif column and not (parts and sp.sympify(net.shape(key)[0]).is_Add):
            shapes[key] = (int(width),)
        elif parts:
            sizes |= {symbols[p]: int(width) for p in parts}
        else:
            raise InputError(f"there is no size of {key!r} here; there are {', '.join(symbols)}")
    return shapes, sizes


def from_arrays(net: Recurrence, inputs: Mapping[str, Any]) -> dict[str, tuple[int, ...]]:
    """Shapes from input arrays, (T, d) or (T, B, d); integer classes fix no size."""
    shapes: dict[str, tuple[int, ...]] = {}
    for name, value in inputs.items():
        if name not in net.leaves or net.shape(name)[1] != 1:
            continue
        array = np.asarray(value)
        timed = isinstance(net.leaves[name], tm.At)
        if array.ndim > timed and array.dtype.kind == "f":
            shapes[name] = (array.shape[-1],)
    return shapes


def concrete(net: Recurrence, name: str, sizes: Mapping[Any, int]) -> tuple[int, int]:
    """(rows, columns) of a name in numbers.

    Raises
    ------
    InputError
        When a size is not known; the message says which.
    """
    out = [sp.sympify(s).subs(dict(sizes)) for s in net.shape(name)]
    missing = sorted({str(f) for s in out for f in s.free_symbols})
    if missing:
        needed = ", ".join(f"{m.removeprefix('n_')!r}: …" for m in missing)
        raise InputError(f"{name} has the shape {net.shape(name)}; give the sizes {{{needed}}}")
    return int(out[0]), int(out[1])
