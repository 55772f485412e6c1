"""Many wrong variants at once: the reference interpreter on stacks of arrays.

What an edit does not reach is taken from the correct run; variants of one equation share the run
of everything downstream of it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from functools import cached_property, lru_cache
from typing import Any

import numpy as np

from rnnderive.checks.points import Point
from rnnderive.hand.member import OneMember
from rnnderive.hand.stacks import Many, Stacks, array_of, stack_of
from rnnderive.language import Recurrence, Run
from rnnderive.language import terms as tm
from rnnderive.language.schedule import reads
from rnnderive.programs import prepare

__all__ = ["Course", "Variants", "closed", "course", "dependents_of", "readers_of"]


class Course(Run):
    """A run of a network and its adjoint on a whole batch: what variants are run beside.

    Where a quantity of the adjoint was handed over, what reads it gets the value that was handed
    over; :meth:`computed` is what its own equation makes of what it reads.  So every equation is
    held against its own number, whatever is wrong before it.
    """

    def computed(self, name: str, step: int | None) -> Any:
        """The right-hand side of an equation, whether or not its left side was given."""
        key = (name, step)
        if key not in self.known:
            self.known[key] = self.term(self.net[name].right, step)
        return self.known[key]

    def term(self, term: tm.Term, step: int | None) -> Any:
        if isinstance(term, tm.BatchSum):
            return Many(super().term(term.args[0], step).array.sum(axis=1, keepdims=True))
        if isinstance(term, OneMember):
            array = super().term(term.args[0], step).array
            return Many(array[:, -1:] if term.which == "last" else array[:, :1])
        return super().term(term, step)

    def steady(self, term: tm.Term, step: int | None) -> Any:
        """The value of a term that variants have in common, kept for the next of them."""
        key = (term, step)
        if key not in self.known:
            self.known[key] = self.term(term, step)
        return self.known[key]

    def number(self, name: str, at: Point) -> Any:
        """A quantity as claims have it, with an axis of variants in front."""
        if name not in self.numbers:
            self.numbers[name] = self._number(name, at)
        return self.numbers[name]

    @cached_property
    def numbers(self) -> dict[str, Any]:
        return {}

    def _number(self, name: str, at: Point) -> Any:
        timed = self.net[name].timed
        steps = range(1, self.T + 1) if timed else (None,)
        values = [array_of(self.computed(name, step)) for step in steps]
        lead = np.broadcast_shapes(*(v.shape[:2] for v in values))
        stacked = np.stack([np.broadcast_to(v, (*lead, *v.shape[2:])) for v in values], axis=1)
        if at.batch is None or name in self.shared:
            stacked = stacked[:, :, 0]
        elif stacked.shape[2] == 1:
            stacked = np.broadcast_to(stacked, (*stacked.shape[:2], at.batch, *stacked.shape[3:]))
        if self.net.shape(name)[1] == 1:
            stacked = stacked[..., 0]
        return stacked if timed else stacked[:, 0]

    @cached_property
    def shared(self) -> frozenset[str]:
        """Timeless names that all members of a batch have in common."""
        return self.net.shared

    @cached_property
    def readers(self) -> Mapping[str, frozenset[str]]:
        return readers_of(self.net)

    def reached(self, names: Iterable[str]) -> frozenset[str]:
        """Equations whose numbers depend on those of `names`, these included; what was given depends on nothing."""
        seen = set(names)
        work = [n for n in seen if n not in self.values]
        while work:
            for other in self.readers[work.pop()] - seen:
                seen.add(other)
                if other not in self.values:
                    work.append(other)
        return frozenset(seen)


def readers_of(net: Recurrence) -> dict[str, frozenset[str]]:
    """Name of an equation → the equations that read it, as a sequence or as an initial state."""
    found: dict[str, set[str]] = {e.name: set() for e in net.equations}
    for e in net.equations:
        for r in reads(e.right, e.timed):
            for source in (r.name, f"{r.name}0") if r.lag not in (None, 0) else (r.name,):
                if source in found:
                    found[source].add(e.name)
    return {n: frozenset(names) for n, names in found.items()}


def dependents_of(net: Recurrence) -> dict[str, frozenset[str]]:
    """Name of an equation → all equations that depend on it, itself included."""
    return closed(readers_of(net))


def closed(readers: Mapping[str, AbstractSet[str]]) -> dict[str, frozenset[str]]:
    """Name → all that is reached from it by way of its readers, itself included."""
    found = {}
    for name in readers:
        seen, work = {name}, [name]
        while work:
            fresh = readers[work.pop()] - seen
            seen |= fresh
            work += fresh
        found[name] = frozenset(seen)
    return found


def course(
    net: Recurrence,
    origin: Recurrence,
    at: Point,
    given: Mapping[str, Any] | None = None,
    course: Course | None = None,
) -> Course:
    """Run a network with its adjoint at a point.

    Parameters
    ----------
    net : Recurrence
    origin : Recurrence
        The network alone, whose arrays the point has.
    at : Point
    given : mapping, optional
        Quantities of the adjoint as claims have them, to be read instead of computed ones.
    course : Course, optional
        A run of another adjoint of the same network there, whose forward values are taken.
    """
    if course is not None:
        names = [e.name for e in origin.equations]
        forward = {n: course[n] for n in names if n not in course.values}
        run = Course(net, course.algebra, {**course.values, **forward}, course.T)
        run.__dict__["shared"] = course.shared  # zeros for every member have one for each, as what they replace has
        return run
    arrays = prepare(origin, at.params, at.inputs)
    stacks = {
        n: stack_of(origin, n, a, at, n in arrays.params)
        for n, a in {**arrays.params, **arrays.inputs}.items()
        if n != "T"
    }
    shared = net.shared
    stacks.update({n: stack_of(net, n, a, at, n in shared) for n, a in (given or {}).items()})
    sizes = {**arrays.sizes, tm.T: arrays.T, tm.BATCH: at.batch or 1}
    return Course(net, Stacks(sizes), stacks, arrays.T)


class Variants(Course):
    """Runs of a course in which the same equations are others in every variant.

    Parameters
    ----------
    base : Course
    variants : sequence of mappings
        For every variant: name → right-hand side.
    """

    def __init__(self, base: Course, variants: Sequence[Mapping[str, tm.Term]]) -> None:
        self.base, self.count = base, len(variants)
        self.edited: dict[str, list[tuple[int, tm.Term]]] = {}
        for k, changes in enumerate(variants):
            for name, term in changes.items():
                self.edited.setdefault(name, []).append((k, term))
        self.touched = base.reached(self.edited)
        self.net, self.algebra, self.values, self.T = base.net, base.algebra, base.values, base.T
        self.alone = [_Alone(self, k) for k in range(self.count)]
        self.known, self.bound = {}, {}
        for stage in self.net.schedule:
            if stage.direction != "all" and self.touched & set(stage.names):
                steps = range(1, self.T + 1) if stage.direction == "forward" else range(self.T, 0, -1)
                for step in steps:
                    for name in stage.names:
                        self.at(name, step)

    def timeless(self, name: str, step: int | None) -> Any:
        if name not in self.touched or name in self.values:
            return self.base.timeless(name, step)
        return self.computed(name, None)

    def at(self, name: str, step: int) -> Any:
        if name not in self.touched or name in self.values:
            return self.base.at(name, step)
        if not 1 <= step <= self.T:
            return self.initial(name)
        return self.computed(name, step)

    def computed(self, name: str, step: int | None) -> Any:
        if name not in self.touched:
            return self.base.computed(name, step)
        key = (name, step)
        if key not in self.known:
            self.known[key] = self._varied(name, step)
        return self.known[key]

    def _varied(self, name: str, step: int | None) -> Any:
        edits = self.edited.get(name, ())
        if len(edits) == self.count == 1:
            return self.term(edits[0][1], step)
        value = self.term(self.net[name].right, step).array
        if not edits:
            return Many(value)
        others = [self.alone[k].term(term, step).array for k, term in edits]
        members = max(value.shape[1], *(o.shape[1] for o in others))
        value = np.broadcast_to(value, (self.count, members, *value.shape[2:])).copy()
        for (k, _), other in zip(edits, others, strict=True):
            value[k] = other[0]
        return Many(value)

    @cached_property
    def shared(self) -> frozenset[str]:
        return self.base.shared

    @cached_property
    def readers(self) -> Mapping[str, frozenset[str]]:
        return self.base.readers


class _Alone(Course):
    """One variant, read off the run of all."""

    def __init__(self, whole: Variants, k: int) -> None:
        self.whole, self.k = whole, k
        self.net, self.algebra, self.values, self.T = whole.net, whole.algebra, whole.values, whole.T
        self.known, self.bound = {}, {}

    def term(self, term: tm.Term, step: int | None) -> Any:
        if term.terms and self.whole.touched.isdisjoint(_names(term)):
            return self.whole.base.steady(term, step)
        return super().term(term, step)

    def timeless(self, name: str, step: int | None) -> Any:
        return self.whole.timeless(name, step).row(self.k)

    def at(self, name: str, step: int) -> Any:
        return self.whole.at(name, step).row(self.k)

    def initial(self, name: str) -> Any:
        return self.whole.initial(name).row(self.k)


@lru_cache(maxsize=4096)
def _names(term: tm.Term) -> frozenset[str]:
    """What a term reads: names, and the initial states that sequences are outside 1..T."""
    leaves = [n for n in tm.parts(term) if isinstance(n, tm.At | tm.Parameter)]
    return frozenset(n.name for n in leaves) | {f"{n.name}0" for n in leaves if isinstance(n, tm.At)}
