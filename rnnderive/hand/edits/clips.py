"""Clipped at a bound: gradients when they are done, or what the recursion hands on, at every step."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import sympy as sp

from rnnderive.hand.edits.edit import Found, System, parts
from rnnderive.hand.edits.paths import from_elsewhere
from rnnderive.language import terms as tm
from rnnderive.language.terms import Term

__all__ = ["Clip", "clipped", "clips", "within"]


def clips(system: System, bounds: dict[str, float]) -> Iterator[Found]:
    """Gradients clipped, each at a bound of its own or all at one, estimated from the numbers."""
    bounds = {n: c for n, c in bounds.items() if n in system.backward}
    if not bounds:
        return
    largest = max(bounds.values())
    everything = {n: clipped(system.backward[n].right, largest) for n in bounds}
    yield "clipped", next(iter(bounds)), f"every gradient is clipped at ±{largest:.6g}", everything
    for name, bound in bounds.items():
        yield "clipped", name, f"{name} is clipped at ±{bound:.6g}", {name: clipped(system.backward[name].right, bound)}


@dataclass(frozen=True, eq=False)
class Clip:
    """Quantities that are clipped at every step, at a bound that is to be found.

    Attributes
    ----------
    where : str
        The equation.
    words : str
        What is clipped.
    whole : tuple of str
        Equations whose right-hand sides are clipped.
    handed : str
        The equation of which only what another step hands on is clipped; or none.
    """

    where: str
    words: str
    whole: tuple[str, ...] = ()
    handed: str = ""

    def terms(self, system: System) -> Iterator[Term]:
        """What is clipped."""
        yield from (system.backward[n].right for n in self.whole)
        if self.handed:
            yield tm.plus(*_handed_on(system, self.handed)[0])

    def found(self, system: System, bound: float) -> Found:
        """The mistake, with a bound."""
        changes = {n: clipped(system.backward[n].right, bound) for n in self.whole}
        if self.handed:
            come, kept = _handed_on(system, self.handed)
            changes[self.handed] = tm.plus(clipped(tm.plus(*come), bound), *kept)
        return "clipped", self.where, f"{self.words} clipped at ±{bound:.9g} at every step", changes


def _handed_on(system: System, name: str) -> tuple[list[Term], list[Term]]:
    """The summands of an equation that come from another step, and the others."""
    there = parts(system.backward[name].right, tm.Plus)
    come = [p for p in there if from_elsewhere(system, p)]
    return come, [p for p in there if p not in come]


def within(system: System) -> Iterator[Clip]:
    """Each quantity of the adjoint, what is handed on to it, all that are handed on, every δ."""
    timed = [n for n, e in system.backward.items() if e.timed and n not in system.of]
    carried = [n for n in timed if _handed_on(system, n)[0]]
    deltas = [n for n in timed if n.startswith("delta_")]
    for name in timed:
        yield Clip(name, f"{name} is", (name,))
    for name in carried:
        rest = (f"{name}_0",) if f"{name}_0" in system.of else ()
        for whole in dict.fromkeys((rest, ())):
            if _handed_on(system, name)[1]:
                there = "".join(f", and {n}," for n in whole)
                yield Clip(name, f"{name}: what step t+1 hands on{there} is", whole, name)
    for group in (carried, deltas):
        if len(group) > 1:
            yield Clip(group[0], f"{', '.join(group)} are", tuple(group))


def clipped(term: Term, bound: float) -> Term:
    """The term, no entry beyond ±bound: x − relu(x − c) + relu(−x − c)."""
    c = tm.times(tm.Number(sp.Rational(bound)), tm.Ones(*term.shape))
    return tm.plus(term, -tm.Apply("relu", term - c), tm.Apply("relu", -term - c))
