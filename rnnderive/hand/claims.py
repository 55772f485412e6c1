"""What a person's derivation says at a test point, in the cell's own layout: the meeting point of all readers.

A reader (of a callable, of equations, of LaTeX) turns what a person wrote into claims; the verdict
and the diagnosis know nothing else of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from rnnderive.checks.points import Point
from rnnderive.hand.problem import Problem

__all__ = ["Claims", "Hand"]


@dataclass(frozen=True, eq=False)
class Claims:
    """Numbers claimed at one point.

    Arrays have the cell's own layout: a sequence (T, n) or (T, B, n), a parameter (n,) or (n, m), an
    initial state (n,) or (B, n).

    Attributes
    ----------
    grads : mapping
        Name of a parameter, initial state or input → its claimed gradient.
    inner : mapping
        Name of a quantity of the adjoint (``dh``, ``delta_f``) → its claimed value.
    loss : array or None
    forward : mapping
        Name of a sequence → its value by the person's own forward, where it was handed over.
    problems : tuple of str
        What went wrong while asking: crashes, wrong shapes, arguments changed, answers that differ
        between two calls.  Each is a sentence.
    remarks : tuple of str
        What is worth knowing and no mistake of the derivation: arguments written on, an initial state that
        is not read, the layout that was found.
    """

    grads: Mapping[str, Any]
    inner: Mapping[str, Any] = field(default_factory=dict)
    loss: Any = None
    forward: Mapping[str, Any] = field(default_factory=dict)
    problems: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()


class Hand(Protocol):
    """A derivation that a person wrote."""

    @property
    def exact(self) -> bool:
        """Whether it is formulas, which can be run in any number system; else it is a program."""

    def at(self, problem: Problem, seed: int = 0, batch: int | None = None) -> Point:
        """A test point at which it can be asked: of its number of steps, and where an initial state that it has
        not is zero."""

    def claims(self, problem: Problem, at: Point) -> Claims:
        """What it says at a point."""

    def own_gradient(self, problem: Problem, at: Point) -> Mapping[str, Any] | None:
        """The gradient of its own forward by complex step or differences; None where it has no forward."""

    def shown(self, name: str) -> str | None:
        """The formula that was handed over for a name, as LaTeX; None for a program."""
