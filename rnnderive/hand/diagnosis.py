"""Which mistakes reproduce the numbers that were handed over.

Every edit of the correct adjoint is run, and compared entry by entry.  Where no single edit gives
all the numbers, one that mends some wrong arrays and breaks none is accepted, and its result is
edited again.  Short runs (T = 1, T = 2) come first there: mistakes that meet in a long run stand
apart in them.  What is named reproduces the numbers; where nothing does, that is said.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from rnnderive.calculus import Adjoint
from rnnderive.hand.catalogue import Catalogue, Sight, View, catalogue_of, fits
from rnnderive.hand.edits import Edit, clippings
from rnnderive.hand.problem import Problem

__all__ = ["Diagnosis", "Mistake", "Progress", "diagnose"]

MOST = 4
WIDTH = 5

Progress = Callable[[str], None]


@dataclass(frozen=True)
class Mistake:
    """A mistake by name.

    Attributes
    ----------
    kind, text, where : str
        Its family, what is wrong as a person says it, and the equation that is wrong.
    edit : Edit or None
        The wrong derivation; None for what is no edit of equations.
    """

    kind: str
    text: str
    where: str
    edit: Edit | None = field(default=None, compare=False, repr=False)

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True)
class Diagnosis:
    """The mistakes that together reproduce the numbers handed over.

    Attributes
    ----------
    mistakes : tuple of Mistake
        Empty where nothing is wrong, or nothing explains it.
    explained : bool
    adjoint : Adjoint or None
        The wrong derivation with all of the mistakes.
    first : str
        The first quantity, from the loss backward, whose own equation does not hold; only where
        intermediate quantities were handed over.
    """

    mistakes: tuple[Mistake, ...] = ()
    explained: bool = True
    adjoint: Adjoint | None = field(default=None, compare=False, repr=False)
    first: str = ""

    def __len__(self) -> int:
        return len(self.mistakes)

    def __iter__(self) -> Iterator[Mistake]:
        return iter(self.mistakes)

    def __getitem__(self, k: int) -> Mistake:
        return self.mistakes[k]

    def __str__(self) -> str:
        if not self.explained:
            first = f"; the first quantity that deviates is {self.first}" if self.first else ""
            return f"not explained by mistakes of the catalogue{first}"
        return "; ".join(m.text for m in self.mistakes) or "no mistake"


@dataclass(frozen=True, eq=False)
class _State:
    """An adjoint that was edited so far, held against everything seen."""

    catalogue: Catalogue
    views: tuple[View, ...]
    made: tuple[Edit, ...] = ()

    @cached_property
    def right(self) -> Any:
        return np.array([ok for v in self.views for ok in v.right.values()], dtype=bool)

    def places(self, every: bool) -> list[str]:
        """Where edits are worth trying: several equations at once, then from the loss backward."""
        found = [v.reaching(every) for v in self.views if not all(v.right.values())]
        only = frozenset.intersection(*found) if every else frozenset().union(*found)
        return ["", *(e.name for e in self.catalogue.pulled.backward if e.name in only)]

    def after(self, edit: Edit) -> _State:
        fresh = Catalogue(self.catalogue.problem, edit.adjoint, self.catalogue.given, self.catalogue)
        return _State(fresh, tuple(View(v.sight, fresh, v) for v in self.views), (*self.made, edit))


def diagnose(
    problem: Problem,
    sights: Sequence[Sight],
    *,
    bounds: Mapping[str, float] | None = None,
    most: int = MOST,
    progress: Progress | None = None,
) -> Diagnosis:
    """Find the mistakes that reproduce the numbers handed over.

    Parameters
    ----------
    problem : Problem
    sights : sequence of Sight
        Claims at points; the first is the main one, short runs help to tell mistakes apart.
    bounds : mapping, optional
        Gradient → bound that it may have been clipped at; estimated unless given.
    most : int
        How many mistakes at once are looked for.
    progress : callable, optional
        Told in words what is being tried.

    Returns
    -------
    Diagnosis
        What it names gives the claimed numbers at every point, to 1e-9 of each entry.
    """
    tell = progress or (lambda words: None)
    pulled = problem.derivation.pulled
    given = [
        (s.at, {n: a for n, a in s.claims.inner.items() if n in pulled.net and fits(problem, pulled, n, a, s.at)})
        for s in sights
    ]
    catalogue = Catalogue(problem, pulled, given) if any(a for _, a in given) else catalogue_of(problem)
    start = _State(catalogue, tuple(View(s, catalogue) for s in sights))
    if start.right.all():
        return Diagnosis((), True, pulled, "")
    first = _first(start.views[0])
    if bounds is None:
        bounds = _bounds(problem, sights[0])
    tell("one mistake")
    single = _single(start, bounds)
    if single is not None:
        return _named((single,), first)
    for depth in range(2, most + 1):
        tell(f"{depth} mistakes")
        found = _several(start, depth, bounds, tell)
        if found is not None:
            return _named(found, first)
    return Diagnosis((), False, None, first)


def _named(made: tuple[Edit, ...], first: str) -> Diagnosis:
    mistakes = tuple(Mistake(e.kind, e.text, e.where, e) for e in made)
    return Diagnosis(mistakes, True, made[-1].adjoint, first)


def _first(view: View) -> str:
    """The first quantity from the loss backward that deviates from its own equation."""
    if not view.sight.claims.inner:
        return ""
    return next((e.name for e in view.catalogue.pulled.backward if view.right.get(e.name) is False), "")


def _bounds(problem: Problem, sight: Sight) -> dict[str, float]:
    """Where gradients may have been clipped: at their largest entry."""
    found = {}
    for name, array in sight.claims.grads.items():
        if name in problem.gradients:
            largest = float(np.abs(np.asarray(array, dtype=float)).max(initial=0.0))
            if 0 < largest < np.inf:
                found[problem.gradients[name]] = largest
    return found


def _single(state: _State, bounds: Mapping[str, float]) -> Edit | None:
    """The edit of least rank that gives every number at every point."""
    catalogue = state.catalogue
    fits: list[Edit] = []
    for place in state.places(True):
        found = catalogue.edits(place)
        good = np.ones(len(found), dtype=bool)
        for view in state.views:
            if good.any():
                good &= view.judge(len(found), catalogue.runs(view.at, place)).all(axis=1)
        fits += [e for e, ok in zip(found, good, strict=True) if ok]
    if fits:
        return min(fits, key=lambda e: e.rank)
    clipped = list(clippings(catalogue.problem, bounds, catalogue.pulled))
    first = state.views[0]  # a bound shows only where entries reach it
    fits = [
        e
        for e, ok in zip(clipped, first.judge(len(clipped), catalogue.run(first.at, clipped)).all(1), strict=True)
        if ok
    ]
    return fits[0] if fits else None


def _several(state: _State, depth: int, bounds: Mapping[str, float], tell: Progress) -> tuple[Edit, ...] | None:
    """Edits one upon the other, each of which mends some arrays and breaks none."""
    if depth == 1:
        last = _single(state, bounds)
        return None if last is None else (*state.made, last)
    for edit in _mending(state)[:WIDTH]:
        tell(f"{len(state.made) + 1}. {edit.text}")
        after = state.after(edit)
        if after.right.all():
            return after.made
        found = _several(after, depth - 1, bounds, tell)
        if found is not None:
            return found
    return None


def _mending(state: _State) -> list[Edit]:
    """Edits that mend some wrong arrays and break none, the most first; one for each set of arrays mended."""
    found: list[tuple[int, int, bytes, Edit]] = []
    for place in state.places(False):
        made = state.catalogue.edits(place)
        table = np.concatenate([v.judge(len(made), state.catalogue.runs(v.at, place)) for v in state.views], axis=1)
        keeps = ~(state.right & ~table).any(axis=1)
        mended = (table & ~state.right).sum(axis=1)
        found += [
            (-int(mended[k]), made[k].rank, table[k].tobytes(), made[k]) for k in np.flatnonzero(keeps & (mended > 0))
        ]
    chosen: dict[bytes, Edit] = {}
    for _, _, pattern, edit in sorted(found, key=lambda row: row[:2]):
        chosen.setdefault(pattern, edit)
    return list(chosen.values())
