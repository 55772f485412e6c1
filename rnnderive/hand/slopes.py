"""The gradient of a person's own forward: complex step where it takes complex numbers, else differences.

Whether it does is found out, not asked: the value's real part must stay, its imaginary part must be
the slope along a random direction that differences give.  ``abs``, ``max``, a buffer of floats or a
conjugate on the way fail that.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from rnnderive.checks.points import Point, entries

__all__ = ["slopes"]

STEP = 1e-30
Loss = Callable[[Point], tuple[Any, bool]]


def slopes(loss: Loss, at: Point, names: Sequence[str], *, single: bool = False) -> dict[str, Any]:
    """The slope of a loss in every entry of some arrays.

    Parameters
    ----------
    loss : callable
        Point → value and whether imaginary parts were kept.
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
    >>> slopes(lambda p: (p["a"][0] ** 3, True), at, ["a"])
    {'a': array([12.])}
    """
    rng = np.random.default_rng(1)
    direction = {n: rng.uniform(0.5, 1.0, np.shape(at[n])) * rng.choice([-1.0, 1.0], np.shape(at[n])) for n in names}
    imaginary = _complex_holds(loss, at, direction, single)
    out = {}
    for name in names:
        gradient = np.empty(np.shape(at[name]))
        for index in entries(gradient):
            unit = np.zeros(gradient.shape)
            unit[index] = 1.0
            gradient[index] = (
                _imaginary(loss, at, {name: unit})[1] if imaginary else _slope(loss, at, {name: unit}, single)
            )
        out[name] = gradient
    return out


def _moved(at: Point, direction: Mapping[str, Any], h: Any) -> Point:
    tables = [
        {n: a if n == "T" else a + h * direction[n] if n in direction else a + 0 * h for n, a in table.items()}
        for table in (at.params, at.inputs)
    ]
    return Point(tables[0], tables[1], at.sizes, at.T, at.batch)


def _imaginary(loss: Loss, at: Point, direction: Mapping[str, Any]) -> tuple[Any, Any, bool]:
    """Real part, slope, and whether the value can be one."""
    value, kept = loss(_moved(at, direction, STEP * 1j))
    if value is None or not np.iscomplexobj(value):
        return None, None, False
    return value.real, value.imag / STEP, kept


def _complex_holds(loss: Loss, at: Point, direction: Mapping[str, Any], single: bool) -> bool:
    real, slope, kept = _imaginary(loss, at, direction)
    plain = loss(at)[0]
    if not kept or plain is None or not np.isfinite(slope):
        return False
    other = _slope(loss, at, direction, single)
    near = 1e-2 if single else 1e-6
    same = abs(real - plain) <= (1e-5 if single else 1e-12) * max(1.0, abs(plain))
    return bool(same and abs(slope - other) <= near * max(abs(other), abs(plain), 1e-3))


def _slope(loss: Loss, at: Point, direction: Mapping[str, Any], single: bool) -> float:
    """Central differences, extrapolated twice (Richardson)."""
    h = 2.0**-5 if single else 2.0**-11

    def central(h: float) -> float:
        above, below = (loss(_moved(at, direction, s))[0] for s in (h, -h))
        return np.nan if above is None or below is None else float((above - below).real) / (2 * h)

    d1, d2, d3 = central(h), central(h / 2), central(h / 4)
    e1, e2 = (4 * d2 - d1) / 3, (4 * d3 - d2) / 3
    return (16 * e2 - e1) / 15
