"""A program that is right, and the same with one mistake."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from rnnderive.hand.problem import Problem, with_upstream
from rnnderive.language import Recurrence

__all__ = ["Case"]


@dataclass(frozen=True)
class Case:
    """One style and one mistake.

    Attributes
    ----------
    net : Recurrence
        The declared cell with its loss; of a pair without a loss of its own, what `upstream` says.
    right, wrong : callable
        The backward, or all of it.
    mistake : str
        In one line.
    bad : frozenset of str
        The gradients that the mistake makes wrong, by the cell's names.
    kind : str
        What the diagnosis calls it.
    layout, options
        How it is read.
    upstream : tuple of str
    T, batch
        Of the test points.
    """

    net: Recurrence
    right: Callable[..., Any]
    wrong: Callable[..., Any]
    mistake: str
    bad: frozenset[str]
    kind: str
    layout: str | None = None
    options: Mapping[str, Any] = field(default_factory=dict)
    upstream: tuple[str, ...] = ()
    T: int = 6
    batch: int | None = None

    @property
    def problem(self) -> Problem:
        """What it is held against."""
        net = with_upstream(self.net, *self.upstream) if self.upstream else self.net
        return Problem(net, self.T, self.batch)
