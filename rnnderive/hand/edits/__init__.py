"""The catalogue of mistakes: every way of getting an adjoint wrong in one place, a family a file.

A wrong derivation is a recurrence like the right one, so that it can be run, printed and compared;
:func:`edits` makes them all.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from rnnderive.calculus import Adjoint, truncated
from rnnderive.hand.edits import clips, factors, paths, scales, sums, swaps, times
from rnnderive.hand.edits.clips import Clip
from rnnderive.hand.edits.edit import Draft, Edit, Found, System
from rnnderive.hand.problem import Problem

__all__ = [
    "FAMILIES",
    "Clip",
    "Edit",
    "System",
    "clippings",
    "edits",
    "edits_of",
    "rebased",
    "system_of",
    "truncations",
]

FAMILIES: tuple[Draft, ...] = (
    sums.accumulations,
    sums.members,
    scales.scales,
    factors.activations,
    paths.summands,
    paths.carries,
    paths.boundaries,
    paths.one_minus,
    sums.axes,
    times.everywhere,
    times.initials,
    swaps.operands,
    times.shifts,
    swaps.transposes,
    swaps.matrices,
    factors.lone_slopes,
    factors.others,
    factors.undone,
    swaps.copies,
    swaps.gates,
    sums.sources,
)
"""In the order of preference: of edits that give the same numbers the first one is named."""


def system_of(problem: Problem, base: Adjoint | None = None, only: Iterable[str] | None = None) -> System:
    """What is edited: the correct adjoint of a problem, or one that was edited already."""
    names = None if only is None else frozenset(only)
    return System(problem.net, base or problem.derivation.pulled, problem.T, problem.batch, names)


def edits(
    problem: Problem,
    base: Adjoint | None = None,
    *,
    only: Iterable[str] | None = None,
) -> Iterator[Edit]:
    """Every derivation that is wrong in one place.

    Parameters
    ----------
    problem : Problem
    base : Adjoint, optional
        What to edit; the correct adjoint unless given.
    only : names, optional
        Equations to be edited; none for the edits of several equations at once.

    Yields
    ------
    Edit
        Each with other equations.  Some equal the correct derivation after all (a symmetric
        matrix transposed): ask :func:`~rnnderive.checks.identical`.

    Examples
    --------
    >>> import rnnderive as rd
    >>> found = {e.text: e for e in edits(Problem(rd.cells.vanilla()))}
    >>> print(found["delta_h: the factor 1 − h² is missing"].net["delta_h"])
    delta_h[t] = dh[t]
    """
    yield from edits_of(system_of(problem, base, only), problem)


def edits_of(system: System, problem: Problem) -> Iterator[Edit]:
    """The edits of a system; one that is narrowed to one place after another is looked into once."""
    seen: set[Any] = set()
    for rank, family in enumerate(FAMILIES):
        yield from _distinct(family(system), system, seen, rank)
    if system.several:
        yield from truncations(problem, system.pulled)


def rebased(made: Iterable[Edit], system: System) -> Iterator[Edit]:
    """Edits of an equation that a system has as well, upon that system's adjoint."""
    for e in made:
        if all(system.allows(n, r) for n, r in e.changes.items()):
            yield replace(e, base=system.pulled)


def clippings(problem: Problem, bounds: Mapping[str, float], base: Adjoint | None = None) -> Iterator[Edit]:
    """Gradients clipped at bounds that were read off the numbers: gradient → bound."""
    system = system_of(problem, base)
    yield from _distinct(clips.clips(system, dict(bounds)), system, set(), len(FAMILIES))


def _distinct(found: Iterator[Found], system: System, seen: set[Any], rank: int) -> Iterator[Edit]:
    for kind, where, text, changes in found:
        key = tuple(sorted(changes.items()))
        if key not in seen and changes and all(system.allows(n, r) for n, r in changes.items()):
            seen.add(key)
            yield Edit(kind, where, text, changes, system.pulled, rank=rank)


def truncations(problem: Problem, base: Adjoint | None = None) -> Iterator[Edit]:
    """Back-propagation cut after K steps, for every K below T; not cut, where it should be."""
    start = base or problem.derivation.pulled
    meant = problem.window
    if meant is not None and base is not None and base is not problem.derivation.pulled:
        return  # its layers are cut already
    whole = start if meant is None else replace(problem, window=None).derivation.pulled
    instead = f" (not {meant})" if meant is not None else ""
    for steps in range(1, problem.T):
        if steps != meant:
            text = f"truncated after {steps} step{'s' if steps > 1 else ''}{instead}"
            yield Edit("truncated", "every gradient", text, {}, start, truncated(whole, steps), len(FAMILIES))
    if meant is not None:
        text = f"not truncated, though it should be after {meant} steps"
        yield Edit("truncated", "every gradient", text, {}, start, whole, len(FAMILIES))
