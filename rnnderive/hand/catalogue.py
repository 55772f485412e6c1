"""All edits of one adjoint, run when asked for, and held against what was claimed at a point."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any

import numpy as np

from rnnderive.calculus import Adjoint
from rnnderive.checks.points import Point
from rnnderive.hand.claims import Claims
from rnnderive.hand.edits import Edit, System, edits_of, rebased, system_of
from rnnderive.hand.problem import Problem
from rnnderive.hand.variants import Course, Variants, course

__all__ = ["Catalogue", "Sight", "Tolerance", "View", "catalogue_of", "correct_run", "fits", "tolerance_for"]


@dataclass(frozen=True)
class Tolerance:
    """How far a number may be from the one expected.

    Attributes
    ----------
    entry : float
        Relative to the entry itself.
    array : float
        Relative to the largest entry of its array: what cancellation leaves.
    """

    entry: float = 1e-9
    array: float = 1e-12

    def close(self, found: Any, expected: Any, scale: float = 0.0) -> Any:
        """Entry by entry; `scale` is what counts as the largest entry, if it is larger."""
        largest = np.abs(expected).max(initial=0.0)
        return np.abs(found - expected) <= self.entry * np.abs(expected) + self.array * max(scale, largest)


FLOAT32 = Tolerance(1e-4, 2e-5)


def tolerance_for(claims: Claims) -> Tolerance:
    """1e-9 of each entry; wider where the numbers are float32."""
    dtypes = {np.asarray(a).dtype for a in (*claims.grads.values(), *claims.inner.values())}
    return FLOAT32 if dtypes and all(d in (np.float32, np.float16) for d in dtypes) else Tolerance()


@dataclass(frozen=True, eq=False)
class Sight:
    """What was claimed at one point.

    Attributes
    ----------
    at : Point
    claims : Claims
    """

    at: Point
    claims: Claims


class Catalogue:
    """All edits of one adjoint, made and run when they are asked for.

    Parameters
    ----------
    problem : Problem
    pulled : Adjoint
        What is edited.
    given : sequence of (Point, mapping)
        Quantities handed over at a point, which are read instead of computed ones.
    before : Catalogue, optional
        Of another adjoint of the same network, whose runs forward are taken.
    """

    def __init__(
        self,
        problem: Problem,
        pulled: Adjoint,
        given: Sequence[tuple[Point, Mapping[str, Any]]] = (),
        before: Catalogue | None = None,
    ) -> None:
        self.problem, self.pulled, self.given, self.before = problem, pulled, given, before
        self._edits: dict[str, list[Edit]] = {}
        self._courses: dict[int, tuple[Point, Course]] = {}
        self._runs: dict[tuple[int, str], list[tuple[list[int], Course]]] = {}

    def edits(self, place: str) -> list[Edit]:
        """Edits of one equation; of several at once for ``""``."""
        if place not in self._edits:
            if self.before is not None and self._as_before(place):
                self._edits[place] = list(rebased(self.before.edits(place), self.system))
            else:
                narrowed = self.system.narrowed([place] if place else [])
                self._edits[place] = list(edits_of(narrowed, self.problem))
        return self._edits[place]

    def _as_before(self, place: str) -> bool:
        """Whether an equation, and all that its edits look at besides, is as in the adjoint edited before."""
        if not place or self.before is None:
            return False
        new, old = self.pulled.net, self.before.pulled.net
        around = {place, f"{place}_0", *(r.name for r in new.reads(place))}
        return all(n in new and new[n] == old[n] if n in old else n not in new for n in around)

    @cached_property
    def system(self) -> System:
        """The adjoint as families of mistakes see it."""
        return system_of(self.problem, self.pulled)

    def course(self, at: Point) -> Course:
        """The run of the adjoint as it is."""
        if id(at) not in self._courses:
            given = next((arrays for p, arrays in self.given if p is at), None)
            other = self.before.course(at) if self.before else None
            self._courses[id(at)] = at, course(self.pulled.net, self.problem.net, at, given, other)
        return self._courses[id(at)][1]

    def runs(self, at: Point, place: str) -> list[tuple[list[int], Course]]:
        """Numbers of the edits of a place, by groups."""
        key = (id(at), place)
        if key not in self._runs:
            self._runs[key] = list(self.run(at, self.edits(place)))
        return self._runs[key]

    def run(self, at: Point, found: Sequence[Edit]) -> Iterator[tuple[list[int], Course]]:
        """Run edits; those that change the same equations together."""
        groups: dict[tuple[str, ...], list[int]] = {}
        for k, e in enumerate(found):
            groups.setdefault(tuple(sorted(e.changes)), []).append(k)
        base = self.course(at)
        for changed, rows in groups.items():
            if changed:
                yield rows, Variants(base, [found[k].changes for k in rows])
            for k in [] if changed else rows:
                yield [k], course(found[k].net, self.problem.net, at, None, base)


@lru_cache(maxsize=4)
def catalogue_of(problem: Problem) -> Catalogue:
    """The catalogue of the correct adjoint; verifying again does not make it again."""
    return Catalogue(problem, problem.derivation.pulled)


def correct_run(problem: Problem, at: Point) -> Course:
    """The run of the correct adjoint at a point; it is kept for the next to ask."""
    return catalogue_of(problem).course(at)


class View:
    """A sight next to a run of one adjoint: which of its arrays that adjoint reproduces."""

    def __init__(self, sight: Sight, catalogue: Catalogue, correct: View | None = None) -> None:
        self.sight, self.at, self.catalogue = sight, sight.at, catalogue
        self.tolerance = tolerance_for(sight.claims)
        gradients = catalogue.problem.gradients
        inner = {n: a for n, a in sight.claims.inner.items() if n in catalogue.pulled.net}
        self.wanted = {gradients[n]: np.asarray(a, float) for n, a in sight.claims.grads.items() if n in gradients}
        self.wanted.update({n: np.asarray(a, float) for n, a in inner.items() if n not in self.wanted})
        course = catalogue.course(self.at)
        self.scales: Mapping[str, float] = (
            correct.scales if correct else {n: float(np.abs(course.number(n, self.at)).max()) for n in self.wanted}
        )
        self.right = {n: bool(self.verdicts(course, n)[0]) for n in self.wanted}

    def has_shape(self, name: str) -> bool:
        """Whether what was claimed has the shape of what it is claimed for."""
        found: tuple[int, ...] = self.catalogue.course(self.at).number(name, self.at).shape[1:]
        return found == self.wanted[name].shape

    def verdicts(self, run: Course, name: str) -> Any:
        """For each variant, whether it gives the array that was claimed."""
        if name not in run.net:  # truncation has layers in its place
            return np.zeros(1, dtype=bool)
        found, claimed = run.number(name, self.at), self.wanted[name]
        if found.shape[1:] != claimed.shape:
            return np.zeros(len(found), dtype=bool)
        with np.errstate(all="ignore"):
            close = self.tolerance.close(claimed[None], found, self.scales[name])
        return close.reshape(len(found), -1).all(axis=1)

    def judge(self, count: int, runs: Iterable[tuple[list[int], Course]]) -> tuple[Any, Any]:
        """Whether each edit (row) gives each array (column), and whether it changes it at all."""
        names = list(self.wanted)
        table = np.tile(np.array([self.right[n] for n in names], dtype=bool), (count, 1))
        moved = np.zeros_like(table)
        before = self.catalogue.course(self.at)
        for rows, run in runs:
            touched = getattr(run, "touched", names)
            for j, n in enumerate(names):
                if n in touched:
                    table[rows, j] = self.verdicts(run, n)
                    moved[rows, j] = _moved(run, before, n, self.at)
        return table, moved

    def reaching(self, every: bool) -> frozenset[str]:
        """Equations whose edits touch all wrong arrays, or at least one."""
        wrong = {n for n, ok in self.right.items() if not ok}
        course = self.catalogue.course(self.at)
        hits = {e.name: course.reached([e.name]) & wrong for e in self.catalogue.pulled.backward}
        return frozenset(n for n, hit in hits.items() if hit and (not every or hit == wrong))


def _moved(run: Course, before: Course, name: str, at: Point) -> Any:
    """For each variant, whether it gives another array than the run that it varies."""
    if name not in run.net:
        return np.ones(1, dtype=bool)
    found, old = run.number(name, at), before.number(name, at)
    return (found != old).reshape(len(found), -1).any(axis=1) if found.shape[1:] == old.shape[1:] else True


def fits(problem: Problem, pulled: Adjoint, name: str, array: Any, at: Point) -> bool:
    """Whether an array has the shape of a quantity."""
    sizes = {**at.sizes}
    rows, columns = (int(s.subs(sizes)) for s in pulled.net.shape(name))
    tail = (rows,) if pulled.net.shape(name)[1] == 1 else (rows, columns)
    lead = () if at.batch is None or name in pulled.net.shared else (at.batch,)
    timed = (at.T,) if pulled.net[name].timed else ()
    return bool(np.shape(array) == (*timed, *lead, *tail))
