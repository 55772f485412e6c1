"""The wall: where the gradient of a one-unit net explodes, and the fold of its fixed points below it."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache

import numpy as np
import sympy as sp

from rnnderive.chains.products import Array
from rnnderive.chains.theory.claim import Claim
from rnnderive.chains.theory.nets import derivation, jacobians
from rnnderive.language import FUNCTIONS

__all__ = ["claims", "fixed_points", "fold_points", "gradient_sizes"]

WALL = "wall"
FOLD = "fold"
NET = """
    x[t] = w * sigmoid(x[t-1]) + b
    E    = 2 * squared_error(sigmoid(x[T]), 0.7)
    return E
"""
# The same with a pair (w, b) for each member of a batch.
GRID = "w: input\nb: input" + NET.replace("\n    ", "\n")


def claims(quick: bool = True) -> Iterator[Claim]:
    """The wall's numbers at one point and over the plane; the fold points."""
    own = "pascanu_wall"
    d = derivation(NET)
    params, inputs = {"w": np.array([5.0]), "b": np.array([-2.5])}, {"T": 50, "x0": np.array([0.5])}
    error, gradient = d.lambdify(["w", "b"])(params, inputs)
    x = d.forward(params, inputs)["x"]
    for says, theory, measured in (
        ("error", 0.024088868813358238, float(error)),
        ("slope_w", 0.08631166947712827, gradient["w"][0]),
        ("slope_b", 0.10092501763686788, gradient["b"][0]),
        ("state", 1.776029458233908, x[-1, 0]),
    ):
        given = {"b": -2.5} if says == "error" else {}
        yield Claim(WALL, says, theory, float(measured), 1e-13, own, relative=True, values=given)
    axes = np.linspace(2, 9, 351), np.linspace(-6, 0, 241)
    sizes = gradient_sizes(*axes)
    at = np.unravel_index(sizes.argmax(), sizes.shape)
    w, b = (axis[k] for axis, k in zip(axes, at, strict=True))
    yield Claim(WALL, "median", 0.0145, float(np.median(sizes)), 2e-4, own)
    yield Claim(WALL, "place_w", 4.94, float(w), 0.01, own)
    yield Claim(WALL, "place_b", -2.575, float(b), 0.005, own)
    yield Claim(WALL, "largest", 3320.0, float(sizes.max()), 0.01, own, relative=True)
    yield from _folds()


def gradient_sizes(w: Array, b: Array, T: int = 50, start: float = 0.5) -> Array:
    """|∇E| = √((dE/dw)² + (dE/db)²) over a grid, (number of w, number of b): the contour of fig. 6."""
    program = derivation(GRID).lambdify(["w", "b"])
    grid = np.stack(np.meshgrid(w, b, indexing="ij"), -1).reshape(-1, 2)
    start_state = np.full((len(grid), 1), start)
    inputs = {"T": T, "x0": start_state, "w": grid[:, :1], "b": grid[:, 1:]}
    gradient = program({}, inputs)[1]
    return np.hypot(gradient["w"], gradient["b"]).reshape(len(w), len(b))


@lru_cache(maxsize=8)
def fold_points(w: sp.Expr) -> tuple[tuple[sp.Expr, sp.Expr], ...]:
    """(x, b) where two fixed points of x = w σ(x) + b meet: w σ′(x) = 1, exactly.

    With y = σ(x) the slope is a polynomial in y (the rule table's), so that y solves a quadratic,
    x is the inverse of σ at y, and b = x − w y.

    Examples
    --------
    >>> [sp.N(b, 16) for x, b in fold_points(sp.Integer(5))]
    [-2.344389661369312, -2.655610338630688]
    """
    x, y = sp.symbols("x y", real=True)
    sigmoid = FUNCTIONS["sigmoid"]
    inverse = sp.solve(sp.Eq(sigmoid.scalar(x), y), x)[0]
    found = []
    for root in sp.solve(w * sigmoid.slope(x, y) - 1, y):
        place = sp.simplify(inverse.subs(y, root))
        found.append((place, sp.simplify(place - w * root)))
    return tuple(found)


def fixed_points(w: float, b: float) -> int:
    """How many fixed points x ↦ w σ(x) + b has: changes of sign of one step of the net minus where it began."""
    x = np.linspace(min(b, b + w) - 1, max(b, b + w) + 1, 20001)[:, None]
    ones = np.ones_like(x)
    inputs = {"T": 1, "x0": x, "w": w * ones, "b": b * ones}
    moved = derivation(GRID).forward({}, inputs)["x"][0] - x
    return int(np.sum(np.diff(moved[:, 0] > 0)))


def _folds() -> Iterator[Claim]:
    own = "pascanu_fold"
    points = fold_points(sp.Integer(5))
    known = {"upper": -2.344389661369312, "lower": -2.655610338630688}
    for (x, b), (which, number) in zip(points, known.items(), strict=True):
        yield Claim(FOLD, f"{which}_fold", number, float(sp.N(b, 20)), 1e-15, own)
        given = {"w": np.array([5.0]), "b": np.array([float(sp.N(b, 20))])}
        inputs = {"T": 1, "x0": np.array([float(sp.N(x, 20))])}
        d = derivation(NET)
        J = jacobians(NET, given, inputs, ("x",))
        yield Claim(FOLD, "jacobian", 1.0, float(J[0, 0, 0]), 1e-14, own, values={"b": number})
        rest = d.forward(given, inputs)["x"][0, 0]
        yield Claim(FOLD, "rests", float(sp.N(x, 20)), float(rest), 1e-14, own, values={"b": number})
    upper, lower = (float(sp.N(b, 20)) for _, b in points)
    for b, count in ((upper + 1e-3, 1), (upper - 1e-3, 3), (-2.5, 3), (lower + 1e-3, 3), (lower - 1e-3, 1)):
        yield Claim(FOLD, "count", count, fixed_points(5.0, b), 0.0, own, values={"b": b})
