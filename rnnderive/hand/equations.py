"""A derivation that was handed over as a recurrence: the network's equations, then those of its gradient."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from rnnderive import printing as pr
from rnnderive.checks.points import Point
from rnnderive.derivation import derive
from rnnderive.errors import InputError, LanguageError
from rnnderive.hand.claims import Claims
from rnnderive.hand.problem import Problem
from rnnderive.hand.variants import course
from rnnderive.language import Recurrence

__all__ = ["Equations"]


@dataclass(frozen=True)
class Equations:
    """A hand derivation in the language.

    Attributes
    ----------
    net : Recurrence
        Equations of the gradient, with or without those of the network.
    names : mapping, optional
        Its own name of a gradient → what it is the gradient of; ``dW`` is that of ``W`` unless said.
    """

    net: Recurrence
    names: Mapping[str, str] | None = None
    exact = True

    def joined(self, problem: Problem) -> Recurrence:
        """Its equations after those of the network, all sizes agreed.

        Raises
        ------
        LanguageError, ShapeError
            Where they do not go with the network's shapes.
        """
        own = [e for e in self.net.equations if e.name not in problem.net]
        if not own:
            raise InputError("these equations define nothing besides the network; expected gradients, such as dW = …")
        forward = set(problem.net.equations)
        if len(own) + len(forward) == len(self.net.equations) and forward <= set(self.net.equations):
            return self.net
        text = "\n".join(str(e) for e in (*problem.net.equations, *own))
        inputs = "".join(f"{n}: input\n" for n in sorted(problem.net.declared))
        return Recurrence.parse(f"{inputs}{text}\nreturn {problem.net.loss}")

    def gradients(self, problem: Problem) -> dict[str, str]:
        """What a gradient is taken in → the name of its equation here."""
        found = {v: k for k, v in (self.names or {}).items()}
        defined = {e.name for e in self.net.equations} - {e.name for e in problem.net.equations}
        for name, usual in problem.gradients.items():
            for candidate in (usual, f"d{name}", f"dL_d{name}", f"grad_{name}"):
                if candidate in defined:
                    found.setdefault(name, candidate)
        return found

    def claims(self, problem: Problem, at: Point) -> Claims:
        net = self.joined(problem)
        run = course(net, problem.net, at)
        gradients = self.gradients(problem)
        correct = {e.name for e in problem.derivation.pulled.backward} - set(problem.gradients.values())
        grads = {n: run.number(g, at)[0] for n, g in gradients.items()}
        inner = {
            e.name: run.number(e.name, at)[0]
            for e in net.equations
            if e.name in correct and net.shape(e.name) == problem.derivation.adjoint.shape(e.name)
        }
        return Claims(grads, inner)

    @cached_property
    def _own(self) -> Recurrence | None:
        return self.net if self.net.loss in self.net else None

    def own_gradient(self, problem: Problem, at: Point) -> Mapping[str, Any] | None:
        """The gradient of the network's equations as they stand here, if they differ from the cell's."""
        forward = tuple(e for e in self.net.equations if e.name in problem.net)
        if not forward or all(problem.net[e.name] == e for e in forward):
            return None
        try:
            net = Recurrence(forward, problem.net.loss, problem.net.declared)
            return derive(net, [n for n in problem.gradients if n in net.leaves]).lambdify()(at.params, at.inputs)[1]
        except LanguageError:
            return None

    def shown(self, name: str) -> str | None:
        """LaTeX of the equation of a name."""
        if name not in self.net:
            return None
        e, notation = self.net[name], self.net.notation
        return f"{pr.latex(e.left.math(notation))} = {pr.latex(e.right.math(notation))}"
