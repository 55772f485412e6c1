"""Which mistakes reproduce the numbers that were handed over.

Every edit of the correct adjoint is run, and compared entry by entry.  Where no single edit gives
all the numbers, one that mends some wrong arrays and breaks none is accepted, and its result is
edited again.  Short runs (T = 1, T = 2) come first there: mistakes that meet in a long run stand
apart in them.  What is named reproduces the numbers; where nothing does, that is said.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from rnnderive.calculus import Adjoint
from rnnderive.hand.bounds import clipped_within
from rnnderive.hand.catalogue import Catalogue, Sight, View, catalogue_of, fits
from rnnderive.hand.edits import Edit, clippings
from rnnderive.hand.problem import Problem
from rnnderive.hand.together import proposed

__all__ = ["Diagnosis", "Mistake", "Progress", "diagnose"]

MOST = 4
WIDTH = 5
PAIRS = 40

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
        """With one more mistake."""
        fresh = Catalogue(self.catalogue.problem, edit.adjoint, self.catalogue.given, self.catalogue)
        return _State(fresh, tuple(View(v.sight, fresh, v) for v in self.views), (*self.made, edit))

    def tried(self, place: str, keep: Callable[[View, Any, Any], Any]) -> tuple[list[Edit], Any]:
        """The edits of a place that are worth keeping at every point, and which arrays they give.

        What is kept is told by which arrays an edit gives, and which it changes.

        Points come in the order of their cost; what is dropped at one is not run at the next.
        """
        left = self.catalogue.edits(place)
        tables: list[Any] = []
        for view in self.views:
            whole = left is self.catalogue.edits(place)
            runs = self.catalogue.runs(view.at, place) if whole else self.catalogue.run(view.at, left)
            table, moved = view.judge(len(left), runs)
            kept = keep(view, table, moved)
            if not kept.all():
                left = [e for e, ok in zip(left, kept, strict=True) if ok]
                tables = [t[kept] for t in tables]
            tables.append(table[kept])
        return left, np.concatenate(tables, axis=1)

    def mending(self) -> list[Edit]:
        """Edits that mend some wrong arrays and break none, the most first; one for each set of arrays mended."""
        found: list[tuple[int, int, bytes, Edit]] = []
        for place in self.places(False):
            made, table = self.tried(place, _mends)
            mended = (table & ~self.right).sum(axis=1)
            rows = [k for k in range(len(made)) if mended[k]]
            found += [(-int(mended[k]), made[k].rank, table[k].tobytes(), made[k]) for k in rows]
        chosen: dict[bytes, Edit] = {}
        for _, _, pattern, edit in sorted(found, key=lambda row: row[:2]):
            chosen.setdefault(pattern, edit)
        return list(chosen.values())

    def single(self, bounds: Mapping[str, float]) -> Edit | None:
        """The edit of least rank that gives every number at every point."""
        fits = [e for p in self.places(True) for e in self.tried(p, _explains)[0]]
        if fits:
            return min(fits, key=lambda e: e.rank)
        return self.first_that_fits(clippings(self.catalogue.problem, bounds, self.catalogue.pulled))

    def pair(self) -> tuple[Edit, Edit] | None:
        """Two edits on one path, neither of which mends anything alone."""
        tried = 0
        for view in [v for v in self.views if v.at.T <= 2 and not all(v.right.values())]:
            for first, place in proposed(self.catalogue, view, self.places(False)):
                tried += 1
                if tried > PAIRS:
                    return None
                fits, _ = self.after(first).tried(place, _explains)
                if fits:
                    return first, min(fits, key=lambda e: e.rank)
        return None

    def first_that_fits(self, made: Iterable[Edit]) -> Edit | None:
        """The first of some edits that gives every number at every point; the longest run tells most."""
        for edit in made:
            if all(v.judge(1, self.catalogue.run(v.at, [edit]))[0].all() for v in self.views[::-1]):
                return edit
        return None


def _explains(view: View, table: Any, moved: Any) -> Any:
    return table.all(axis=1)


def _mends(view: View, table: Any, moved: Any) -> Any:
    """Breaks nothing; and of one step, where mistakes stand apart, mends something if it changes anything."""
    right = np.array(list(view.right.values()), dtype=bool)
    broken, mended = (right & ~table).any(axis=1), (~right & table).any(axis=1)
    return ~broken & (mended | ~moved.any(axis=1) | (view.at.T > 1))


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
    ordered = sorted(sights[::-1], key=lambda s: s.at.T)  # the main one last
    start = _State(catalogue, tuple(View(s, catalogue) for s in ordered))
    if start.right.all():
        return Diagnosis((), True, pulled, "")
    first = _first(start.views[-1])
    if bounds is None:
        bounds = _bounds(problem, sights[0])
    before: list[_State] = []
    states = [start]
    for depth in range(1, most + 1):
        for state in states:
            tell(" and ".join(e.text for e in state.made) + (" and one more" if state.made else "one mistake"))
            if state.right.all():
                return _named(state.made, first)
            last = state.single(bounds)
            if last is not None:
                return _named((*state.made, last), first)
        for state in before[:2]:
            pair = state.pair()
            if pair is not None:
                return _named((*state.made, *pair), first)
        if depth == min(2, most):
            last = start.first_that_fits(clipped_within(start.catalogue, start.views))
            if last is not None:
                return _named((last,), first)
        if depth < most:
            before, states = states, _further(states)
    return Diagnosis((), False, None, first)


def _further(states: Sequence[_State]) -> list[_State]:
    """States with one more mistake, those that give the most arrays first."""
    found: dict[frozenset[str], _State] = {}
    for state in states:
        for edit in state.mending()[:WIDTH]:
            key = frozenset((*(e.text for e in state.made), edit.text))
            if key not in found:
                found[key] = state.after(edit)
    return sorted(found.values(), key=lambda s: -int(s.right.sum()))[:WIDTH]


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
