"""The gradient of a person's own forward: complex step where it takes complex numbers, else differences.

Whether it does is found out, not asked: the value's real part must stay, its imaginary part must be
the slope along a random direction that differences give.  ``abs``, ``max``, a buffer of floats or a
conjugate on the way fail that.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from rnnderive.checks.points import Point, entries

__all__ = ["slopes"]

STEP = 1e-30
Loss = Callable[[Point], Any]


def slopes(loss: Loss, at: Point, names: Sequence[str], *, single: bool = False) -> dict[str, Any]:
    """The slope of a loss in every entry of some arrays.

    Parameters
    ----------
    loss : callable
        Point → number.
    at : Point
    names : sequence of str
    single : bool
        Whether it is computed in single precision.

    Returns
    -------
    dict
        Name → array in the shape of the point's.

    Examples
    --------
    >>> at = Point({"a": np.array([2.0])}, {}, {}, 1)
    >>> slopes(lambda p: p["a"][0] ** 3, at, ["a"])
    {'a': array([12.])}
    >>> float(abs(slopes(lambda p: abs(p["a"][0]) ** 3, at, ["a"])["a"][0] - 12)) < 1e-8  # no complex step here
    True
    """
    out = {}
    for name in names:
        imaginary = _complex_holds(loss, at, name, single)
        gradient = np.empty(np.shape(at[name]))
        for index in entries(gradient):
            unit = np.zeros(gradient.shape)
            unit[index] = 1.0
            step = _imaginary(loss, at, name, unit)[1] if imaginary else _difference(loss, at, name, unit, single)
            gradient[index] = step
        out[name] = gradient
    return out


def _moved(at: Point, name: str, direction: Any, h: Any) -> Point:
    """A point with one array moved; all are complex if `h` is."""
    tables = [
        {n: a if n == "T" else a + h * direction if n == name else a + 0 * h for n, a in table.items()}
        for table in (at.params, at.inputs)
    ]
    return Point(tables[0], tables[1], at.sizes, at.T, at.batch)


def _imaginary(loss: Loss, at: Point, name: str, direction: Any) -> tuple[Any, Any]:
    """Real part and slope by the complex step; nan where the value is not complex."""
    value = loss(_moved(at, name, direction, STEP * 1j))
    return (value.real, value.imag / STEP) if np.iscomplexobj(value) else (np.nan, np.nan)


def _complex_holds(loss: Loss, at: Point, name: str, single: bool) -> bool:
    """Whether the complex step is right along one random direction of an array."""
    rng = np.random.default_rng(1)
    shape = np.shape(at[name])
    direction = rng.uniform(0.5, 1.0, shape) * rng.choice([-1.0, 1.0], shape)
    plain = loss(at)
    if plain is None:
        return False
    real, slope = _imaginary(loss, at, name, direction)
    other = _difference(loss, at, name, direction, single)
    rounding, near = (1e-4, 1e-2) if single else (1e-8, 1e-6)
    same = abs(real - plain) <= (1e-5 if single else 1e-12) * max(abs(plain), 1e-3)
    return bool(same and abs(slope - other) <= near * abs(other) + rounding * max(abs(plain), 1e-3))


def _difference(loss: Loss, at: Point, name: str, direction: Any, single: bool) -> float:
    """The slope by central differences, extrapolated twice (Richardson)."""
    h = 2.0**-3 if single else 2.0**-11

    def central(h: float) -> float:
        above, below = (loss(_moved(at, name, direction, s)) for s in (h, -h))
        return np.nan if above is None or below is None else float((above - below).real) / (2 * h)

    d1, d2, d3 = central(h), central(h / 2), central(h / 4)
    e1, e2 = (4 * d2 - d1) / 3, (4 * d3 - d2) / 3
    return (16 * e2 - e1) / 15
