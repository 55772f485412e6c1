"""A hand derivation that is formulas: claims that can be run in any number system, and compared exactly."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np

from rnnderive import printing as pr
from rnnderive.checks.identity import Verdict, elements, field_for
from rnnderive.checks.points import Point, member, point
from rnnderive.derivation import derive, reference_run
from rnnderive.errors import InputError
from rnnderive.hand.claims import Claims
from rnnderive.hand.problem import Problem
from rnnderive.language import Algebra, Digits, Recurrence, Run
from rnnderive.language import terms as tm
from rnnderive.language.terms import Term
from rnnderive.programs import prepare

__all__ = ["Formulas"]

DIGITS = 50


@dataclass(frozen=True, eq=False)
class Formulas:
    """A derivation as equations; a :class:`~rnnderive.hand.claims.Hand` that is exact.

    Attributes
    ----------
    net : Recurrence
        The network's equations (the person's own where they were restated and differ), then the
        claimed ones.
    names : dict
        Claimed name → name in the correct adjoint.
    origin : Recurrence
        The network that it was read for.
    expected : dict
        Claimed name → what it should be, for claims about what the adjoint has no name for: a
        Jacobian, a total derivative, one more step of an equality.
    T : int or None
        The number of steps that it is for; None if it is for any.
    sizes : dict or None
        Size → number, where it is for these sizes only.
    forward : tuple of str
        Names of the network whose equations the person restated otherwise.
    notes : tuple of str
        What was assumed while reading.
    written : dict
        Claimed name → LaTeX as it was handed over, where that was LaTeX.
    """

    net: Recurrence
    names: dict[str, str]
    origin: Recurrence
    expected: dict[str, Term] = field(default_factory=dict)
    T: int | None = None
    sizes: dict[Any, int] | None = None
    forward: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    written: dict[str, str] = field(default_factory=dict)
    exact: bool = True

    def recurrence(self, problem: Problem) -> Recurrence:
        """The network with the claimed equations; :attr:`names` says what each should equal."""
        self._check(problem)
        return self.net

    @property
    def claimed(self) -> tuple[str, ...]:
        """The names that the person defined."""
        return tuple(e.name for e in self.net.equations if e.name not in self.origin)

    def at(self, problem: Problem, seed: int = 0, batch: int | None = None) -> Point:
        """A point for the number of steps and the sizes that it is for."""
        return point(problem.net, T=self.T or problem.T, batch=batch, seed=seed, sizes=self.sizes or problem.sizes)

    def run(self, algebra: Algebra, values: Mapping[str, Any], T: int) -> Run:
        """Run it in any number system; `values` are those of the network's parameters and inputs."""
        return Run(self.net, algebra, values, T)

    def claims(self, problem: Problem, at: Point) -> Claims:
        """Its gradients and intermediate quantities at a point, in floats."""
        self._check(problem)
        if self.T is not None and at.T != self.T:
            raise InputError(f"these formulas are for T = {self.T}, the point has T = {at.T}")
        if self.sizes is not None and any(at.sizes.get(s) != n for s, n in self.sizes.items()):
            raise InputError(f"these formulas are for the sizes {self.sizes}, the point has {at.sizes}")
        members = [at] if at.batch is None else [member(problem.net, at, k) for k in range(at.batch)]
        found = [self._floats(problem, m, at.batch or 1) for m in members]
        gradients = {v: k for k, v in problem.gradients.items()}
        grads: dict[str, Any] = {}
        inner: dict[str, Any] = {}
        for name, of in self.names.items():
            value = self._together(problem, of, [f[name] for f in found], at.batch)
            if of in gradients:
                grads[gradients[of]] = value
            else:
                inner[of] = value
        forward = {
            n: self._together(problem, n, [f[n] for f in found], at.batch) for n in self.forward if self.net[n].timed
        }
        return Claims(grads, inner, forward=forward)

    def _floats(self, problem: Problem, at: Point, batch: int) -> dict[str, Any]:
        arrays = prepare(problem.net, at.params, at.inputs)
        plain = reference_run(problem.net, arrays)
        plain.algebra.sizes[tm.BATCH] = batch
        with np.errstate(all="ignore"):
            run = Run(self.net, plain.algebra, plain.values, at.T)
            return {n: run[n] for n in (*self.names, *self.forward)}

    def _together(self, problem: Problem, of: str, values: list[Any], batch: int | None) -> Any:
        """The members' values as one array in the cell's layout; what they share is summed."""
        adjoint = problem.derivation.adjoint
        column = adjoint.shape(of)[1] == 1
        arrays = [np.stack([_flat(s, column) for s in v]) if isinstance(v, list) else _flat(v, column) for v in values]
        if batch is None:
            return arrays[0]
        if of in adjoint.shared:
            return np.sum(arrays, axis=0)
        return np.stack(arrays, axis=1 if isinstance(values[0], list) else 0)

    def own_gradient(self, problem: Problem, at: Point) -> Mapping[str, Any] | None:
        """The gradient of its own forward, where that was restated and differs; else None."""
        if not self.forward:
            return None
        mine = Recurrence(
            tuple(self.net[e.name] for e in self.origin.equations), self.origin.loss, self.origin.declared
        )
        return derive(mine, tuple(problem.gradients)).lambdify()(at.params, at.inputs)[1]

    def shown(self, name: str) -> str | None:
        """The formula for a gradient or quantity, by its name in the network or the adjoint, as LaTeX."""
        wanted = {name, self.gradients.get(name, "")}
        found = next((n for n, of in self.names.items() if of in wanted or n == name), None)
        if found is None:
            return None
        if found in self.written:
            return self.written[found]
        notation = self.net.notation
        return pr.latex(self.net[found].math(replace(notation, loss=self.origin.loss or "L")))

    @cached_property
    def gradients(self) -> dict[str, str]:
        """Name → name of its gradient in the adjoint, of what was claimed."""
        back = dict(Problem(self.origin).gradients)
        return {k: v for k, v in back.items() if v in self.names.values()}

    # ------------------------------------------------------------ exact identity

    def verdicts(
        self, problem: Problem, *, T: int | None = None, seed: int = 0, digits: bool = True
    ) -> dict[str, Verdict]:
        """Whether each claimed name is what it should be, by exact identity.

        Parameters
        ----------
        problem : Problem
        T : int, optional
            Steps to run; 5 unless the formulas are for a number of their own.
        seed : int
        digits : bool
            Whether what differs in the field is run once more on 50-digit numbers.

        Returns
        -------
        dict
            Claimed name → verdict, in the order of the equations.
        """
        self._check(problem)
        out = self._verdicts(problem, self.T or T or 5, seed, None)
        if digits and not all(out.values()) and 1 not in (self.sizes or {}).values():
            again = self._verdicts(problem, self.T or T or 5, seed, DIGITS)
            out = {n: v if v.same or not again[n].same else again[n] for n, v in out.items()}
        return out

    def _verdicts(self, problem: Problem, T: int, seed: int, digits: int | None) -> dict[str, Verdict]:
        algebra: Algebra = field_for(problem.net, T, self.sizes, seed)
        if digits is not None:
            algebra = Digits(algebra.sizes, digits)
        values = elements(problem.net, algebra, T, seed)
        by = "field" if digits is None else "digits"
        with np.errstate(all="ignore"):
            right, own = Run(problem.derivation.adjoint, algebra, values, T), Run(self.net, algebra, values, T)
            out = {}
            for name in self.claimed:
                if name in self.names:
                    out[name] = _compared(name, own[name], right[self.names[name]], by)
                elif name in self.expected:
                    timed = isinstance(own[name], list)
                    steps = range(1, T + 1) if timed else (None,)
                    values_ = [right.term(self.expected[name], s) for s in steps]
                    out[name] = _compared(name, own[name], values_ if timed else values_[0], by)
        return out

    def _check(self, problem: Problem) -> None:
        if problem.net != self.origin:
            raise InputError("these formulas were read for another network")


def _flat(array: Any, column: bool) -> Any:
    """An array of the language in the cell's layout: a column is a vector, a matrix of one column is not."""
    return array[:, 0] if column and array.shape[1] == 1 else array


def _compared(name: str, found: Any, expected: Any, by: str) -> Verdict:
    pairs = list(zip(found, expected, strict=True)) if isinstance(found, list) and isinstance(expected, list) else None
    if pairs is None:
        if isinstance(found, list) or isinstance(expected, list):
            return Verdict(False, by, f"{name}: with a time index or without")
        pairs = [(found, expected)]
    count = 0
    for step, (x, y) in enumerate(pairs, 1):
        if x.shape != y.shape:
            return Verdict(False, by, f"{name}: {'×'.join(map(str, x.shape))} for {'×'.join(map(str, y.shape))}")
        for index in np.ndindex(*x.shape):
            count += 1
            if not (x[index] == y[index] if by == "field" else _near(x[index], y[index])):
                at = f"[t={step}]" if isinstance(found, list) else ""
                return Verdict(False, by, f"{name}{at}[{', '.join(map(str, index))}]", count)
    return Verdict(True, by, "", count)


def _near(x: Any, y: Any) -> bool:
    scale = max(abs(x), abs(y), 1)
    return bool(abs(x - y) <= scale * type(scale)(10) ** -40)
