"""Adjoint against tangent: two programs that share the rule table, and nothing in how they use it.

The dot-product test compares ⟨gradient, direction⟩ with the tangent of the loss, at any size;
RTRL (Williams and Zipser 1989) pushes every unit direction and gives the gradient entry by entry.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from rnnderive.checks.identity import directions
from rnnderive.checks.points import Point, entries
from rnnderive.derivation import Derivation
from rnnderive.errors import InputError
from rnnderive.programs import Arrays, Program, prepare

__all__ = ["Dots", "dot_product", "rtrl", "tangent_program"]


@dataclass(frozen=True)
class Dots:
    """Both sides of the dot-product test, and the size of the summands on its left."""

    pulled: float
    pushed: float
    size: float

    @property
    def error(self) -> float:
        """The difference relative to the summands: cancellation is not held against either side."""
        return abs(self.pulled - self.pushed) / (self.size or 1.0)


def tangent_program(d: Derivation) -> Program:
    """The tangent of the loss as a program of the network's arrays and the directions."""
    loss = d.tangent.loss or ""
    return Program(d.tangent, d.tangent, {loss: loss}, function="tangent", note="The tangent of a loss.")


def _with_directions(d: Derivation, at: Point, moves: dict[str, Any]) -> Arrays:
    """The arrays of a point together with those of a direction."""
    params, inputs = dict(at.params), dict(at.inputs)
    for name, direction in directions(d).items():
        (params if name in at.params else inputs)[direction] = moves[name]
    return prepare(d.tangent, params, inputs)


def _pushed(d: Derivation, program: Program, arrays: Arrays) -> float:
    return float(program.raw(arrays.params, arrays.inputs)[d.tangent.loss].sum())


def dot_product(d: Derivation, at: Point, seed: int = 0, program: Program | None = None) -> Dots:
    """Both sides of ⟨gradient, direction⟩ = tangent of the loss, in a random direction.

    `program` is the :func:`tangent_program`, for callers with several directions; made here unless given.
    """
    rng = np.random.default_rng([seed, 17])
    grads = d.lambdify()(at.params, at.inputs)[1]
    moves = {n: rng.standard_normal(np.shape(at[n])) for n in d.wrt}
    summands = [grads[n] * moves[n] for n in d.wrt]
    pulled = sum(float(s.sum()) for s in summands)
    size = sum(float(np.abs(s).sum()) for s in summands)
    if d.tangent.loss is None:  # the loss depends on none of them
        return Dots(pulled, 0.0, size)
    return Dots(pulled, _pushed(d, program or tangent_program(d), _with_directions(d, at, moves)), size)


def rtrl(d: Derivation, at: Point, name: str, program: Program | None = None) -> Any:
    """The gradient in every entry of one array, by the tangent program and unit directions.

    `program` is the :func:`tangent_program`, for callers with several arrays; made here unless given.
    """
    moves = {n: np.zeros(np.shape(at[n])) for n in d.wrt}
    out = np.zeros(np.shape(at[name]))
    if d.tangent.loss is None:
        return out
    program, arrays = program or tangent_program(d), _with_directions(d, at, moves)
    tables = (arrays.params, arrays.inputs)
    direction = directions(d)[name]
    table = tables[direction not in arrays.params]
    unit = table[direction] = np.zeros(table[direction].shape)
    if unit.shape != out.shape:
        raise InputError(f"{name} is spread over a batch; give it one a member")
    for index in entries(out):
        unit[index] = 1.0
        out[index] = _pushed(d, program, arrays)
        unit[index] = 0.0
    return out
