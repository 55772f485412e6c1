"""The correct derivation, at points chosen so that a wrong one shows: what a hand derivation is held against."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from rnnderive.checks.points import Point, point, sizes_for
from rnnderive.derivation import Derivation, derive
from rnnderive.errors import InputError
from rnnderive.language import Equation, Recurrence
from rnnderive.language import terms as tm
from rnnderive.language.terms import t
from rnnderive.programs import Program

__all__ = ["Problem", "upstream_of", "with_upstream"]

STEPS = 6


def upstream_of(name: str) -> str:
    """What the gradient that arrives from outside at a sequence is called as an input."""
    return f"up_{name}"


def with_upstream(net: Recurrence, *names: str) -> Recurrence:
    """The recurrence with the loss Σ_t ⟨up_v^t, v^t⟩, so that dL/dv^t from outside is the input up_v^t.

    Parameters
    ----------
    net : Recurrence
        Its own loss, and what only that needs, is dropped.
    names : str
        Sequences that gradients arrive at from outside.

    Examples
    --------
    >>> import rnnderive as rd
    >>> print(with_upstream(rd.cells.vanilla(), "h"))
    h[t] = tanh(W @ x[t] + U @ h[t-1] + b_h)
    L = sum(up_h[t].T @ h[t], t)
    """
    for name in names:
        if name not in net.sequences:
            raise InputError(f"{name} is no sequence of the cell; there are {', '.join(net.sequences)}")
    needed: set[str] = set()
    todo = list(names)
    while todo:
        name = todo.pop()
        if name in net and name not in needed:
            needed.add(name)
            todo += [s for r in net.reads(name) for s in (r.name, f"{r.name}0")]
    kept = tuple(e for e in net.equations if e.name in needed)
    parts = []
    for name in names:
        shape = net.shape(name)
        parts.append(tm.product(tm.transpose(tm.At(upstream_of(name), t, *shape)), tm.At(name, t, *shape)))
    loss = Recurrence(kept, None, net.declared).fresh("L")
    equation = Equation(tm.Parameter(loss, 1, 1), tm.TimeSum(tm.plus(*parts)))
    return Recurrence((*kept, equation), loss, net.declared)


@dataclass(frozen=True)
class Problem:
    """A network and its correct gradient, to hold a hand derivation against.

    Attributes
    ----------
    net : Recurrence
        With a loss; :func:`with_upstream` gives it one where gradients arrive from outside.
    T : int
        Number of steps of the test points.
    batch : int or None
        Number of sequences of the test points.
    seed : int
    window : int, optional
        Back-propagation is meant to be cut after so many steps.
    """

    net: Recurrence
    T: int = STEPS
    batch: int | None = None
    seed: int = 0
    window: int | None = None

    @cached_property
    def derivation(self) -> Derivation:
        """With respect to every parameter, initial state and input that the loss is smooth in."""
        names = (*self.net.parameters, *self.net.initial_states, *self.inputs)
        return derive(self.net, names, truncate=self.window)

    @property
    def inputs(self) -> tuple[str, ...]:
        """The input sequences whose gradient a derivation may give; no targets and no upstream gradients."""
        from rnnderive.checks.points import loss_targets

        targets = loss_targets(self.net)
        return tuple(
            n
            for n in self.net.inputs
            if isinstance(self.net.leaves[n], tm.At) and n not in targets and not n.startswith("up_")
        )

    @cached_property
    def sizes(self) -> dict[Any, int]:
        """A number for every size, all different, different from T and the batch, and not 2, a factor people forget."""
        return sizes_for(self.net, (self.T, self.batch or 1, 1, 2))

    @cached_property
    def point(self) -> Point:
        """Weights of order 1, spectral radius 1, nonzero initial states, a loss that reaches every step."""
        return point(self.net, T=self.T, batch=self.batch, seed=self.seed, sizes=self.sizes)

    def run(self, at: Point | None = None) -> Mapping[str, Any]:
        """Every quantity of the network and of its adjoint by name, (T, …, n) or (…, n)."""
        at = at or self.point
        return self.all_program(at.params, at.inputs)

    @cached_property
    def all_program(self) -> Program:
        """The adjoint with all its quantities as outputs."""
        names = {e.name: e.name for e in self.derivation.adjoint.equations}
        return Program(
            self.derivation.adjoint, self.net, names, function="everything", note="A network and its adjoint."
        )

    @cached_property
    def gradients(self) -> dict[str, str]:
        """Name → name of its gradient in the adjoint."""
        return dict(self.derivation.pulled.gradients)
