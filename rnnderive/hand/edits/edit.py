"""One mistake: an edit of the correct adjoint, and what families of mistakes need to know of it."""

from __future__ import annotations

import copy
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache

from rnnderive.calculus import Adjoint
from rnnderive.hand.variants import closed, dependents_of
from rnnderive.language import FUNCTIONS, Equation, Recurrence
from rnnderive.language import terms as tm
from rnnderive.language.schedule import Read, reads
from rnnderive.language.syntax import write
from rnnderive.language.terms import Term, t

__all__ = ["Draft", "Edit", "Found", "Slope", "System", "parts", "sites", "spoken"]

Found = tuple[str, str, str, Mapping[str, Term]]
"""Kind, name of the equation, words, and the right-hand sides that are other."""


@dataclass(frozen=True, eq=False)
class Edit:
    """A derivation that is wrong in one place.

    Attributes
    ----------
    kind : str
        The family of mistakes, such as ``"missing factor"``.
    where : str
        The equation that is wrong, such as ``"delta_f"`` or ``"dW_f"``.
    text : str
        What is wrong, as a person says it.
    changes : mapping
        Name of an equation → its wrong right-hand side.
    base : Adjoint
        What was edited.
    whole : Adjoint or None
        The result, where it is no change of right-hand sides (truncation).
    rank : int
        Of edits that give the same numbers, the one with the smallest is named.
    """

    kind: str
    where: str
    text: str
    changes: Mapping[str, Term]
    base: Adjoint
    whole: Adjoint | None = None
    rank: int = 0

    @cached_property
    def adjoint(self) -> Adjoint:
        """The wrong derivation."""
        if self.whole is not None:
            return self.whole
        net = self.base.net
        equations = [Equation(e.left, self.changes.get(e.name, e.right)) for e in net.equations]
        return replace(self.base, net=Recurrence(tuple(equations), net.loss, net.declared))

    @property
    def net(self) -> Recurrence:
        """The wrong derivation's equations, after those of the network."""
        return self.adjoint.net

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True)
class Slope:
    """The derivative of an activation, as the adjoint has it: factors of a product."""

    function: str
    x: Term
    y: Term

    @cached_property
    def term(self) -> Term:
        return tm.as_term(FUNCTIONS[self.function].slope(self.x, self.y))

    @cached_property
    def factors(self) -> tuple[Term, ...]:
        return parts(self.term, tm.Times)


@dataclass(frozen=True, eq=False)
class System:
    """A network with an adjoint that is to be edited.

    Attributes
    ----------
    net : Recurrence
        The network alone.
    pulled : Adjoint
    T, batch : int, int or None
        Of the test point: there is no batch to take the mean over where there is none.
    only : frozenset of str or None
        Equations to be edited; everything if None.  Edits of several equations at once are made if
        it is None or empty.
    """

    net: Recurrence
    pulled: Adjoint
    T: int
    batch: int | None = None
    only: frozenset[str] | None = None

    def narrowed(self, only: Iterable[str]) -> System:
        """The same system with a few equations to be edited; what was found out about it is kept."""
        other = copy.copy(self)
        other.__dict__["only"] = frozenset(only)
        return other

    def places(self) -> Iterator[tuple[str, Equation]]:
        """The equations that may be edited."""
        return ((n, e) for n, e in self.backward.items() if self.only is None or n in self.only)

    @property
    def several(self) -> bool:
        """Whether edits of several equations at once are made."""
        return not self.only

    @cached_property
    def backward(self) -> dict[str, Equation]:
        """Name → equation of the adjoint."""
        return {e.name: e for e in self.pulled.backward}

    @cached_property
    def of(self) -> dict[str, str]:
        """Name of a gradient → what it is the gradient of."""
        return {v: k for k, v in self.pulled.gradients.items()}

    @cached_property
    def states(self) -> tuple[str, ...]:
        """Sequences and inputs of the network with a time index."""
        return tuple(n for n, leaf in self.net.leaves.items() if isinstance(leaf, tm.At))

    @cached_property
    def summed(self) -> tuple[str, ...]:
        """Gradients that are sums over time."""
        return tuple(
            n
            for n, e in self.backward.items()
            if not e.timed and any(isinstance(m, tm.TimeSum) for m in tm.members(e.right))
        )

    @property
    def slopes(self) -> tuple[Slope, ...]:
        """Derivatives of all activations, at the steps at which an adjoint reads them."""
        return _slopes(self.net)

    @cached_property
    def _slope_of(self) -> dict[Term, list[Slope]]:
        found: dict[Term, list[Slope]] = {}
        for s in self.slopes:
            found.setdefault(s.factors[-1], []).append(s)
        return found

    def slopes_in(self, node: Term) -> Iterator[tuple[Slope, tuple[int, ...]]]:
        """Derivatives of activations among the factors of a product, and their places."""
        factors = parts(node, tm.Times)
        for factor in factors:
            for s in self._slope_of.get(factor, ()):
                if all(f in factors for f in s.factors):
                    yield s, tuple(factors.index(f) for f in s.factors)

    @cached_property
    def reached(self) -> Mapping[str, frozenset[str]]:
        """Name → everything that depends on it."""
        return dependents_of(self.pulled.net)

    @cached_property
    def _present(self) -> Mapping[str, frozenset[str]]:
        """Name → everything that depends on it within the step."""
        readers: dict[str, set[str]] = {n: set() for n in self.backward}
        for n, e in self.backward.items():
            for r in _reads(e.right, e.timed):
                if r.name in readers and r.lag == 0:
                    readers[r.name].add(n)
        return closed(readers)

    @cached_property
    def _direction(self) -> dict[str, str]:
        return {n: s.direction for s in self.pulled.net.schedule for n in s.names}

    def allows(self, name: str, right: Term) -> bool:
        """Whether an equation may have this right-hand side: its shape, and an order of computation."""
        e = self.backward[name]
        if right == e.right or right.shape != e.left.shape:
            return False
        if not e.timed and any(isinstance(n, tm.At) and n.lag is not None for n in tm.members(right, False)):
            return False  # a timeless equation has no running step
        new = _reads(right, e.timed) - _reads(e.right, e.timed)
        return all(self._readable(name, r) for r in new if r.name in self.backward)

    def _readable(self, name: str, read: Read) -> bool:
        if read.name not in self.reached[name]:
            return True
        if read.whole or not read.lag:
            return read.lag == 0 and not read.whole and read.name not in self._present[name]
        return {"backward": read.lag < 0, "forward": read.lag > 0}.get(self._direction[name], False)

    def _known(self, term: Term) -> bool:
        """Whether all names of a term have values: f[0] has none, where no initial state f0 is given."""
        net = self.pulled.net
        return all(
            n.name in net.leaves or n.name in self.net.initial_states
            for n in tm.members(term)
            if isinstance(n, tm.Parameter)
        )

    def change(self, name: str, new: Term) -> dict[str, Term]:
        """An equation with another right-hand side, and the initial state's share that goes with it.

        Who computes dh[t] in a loop has dh_0 from the same line: a summand that is read one step
        later stands in dh_0 too, at the first step.
        """
        e = self.backward[name]
        changes = {name: new}
        source = name.removeprefix("d")
        boundary = next((g for g, v in self.of.items() if v == f"{source}0"), None)
        if boundary is None or not e.timed:
            return changes
        before, after = parts(e.right, tm.Plus), parts(new, tm.Plus)
        gone = [_first(p) for p in before if p not in after]
        come = [_first(p) for p in after if p not in before]
        right = self.backward[boundary].right
        there = list(parts(right, tm.Plus))
        if gone and all(p in there for p in gone):
            place = there.index(gone[0])
            kept = [p for p in there if p not in gone]
            linked = tm.plus(tm.Zeros(*right.shape), *kept[:place], *come, *kept[place:])
            if linked.shape == right.shape and linked != right and self._known(linked):
                changes[boundary] = linked
        return changes


Draft = Callable[[System], Iterator[Found]]
"""A family of mistakes."""


@lru_cache(maxsize=8)
def _slopes(net: Recurrence) -> tuple[Slope, ...]:
    found: dict[Slope, None] = {}
    for e in net.equations:
        for node in tm.members(e.right):
            if isinstance(node, tm.Apply) and node.name != "identity":
                x, y = node.args[1], e.left if node is e.right else node
                for index in (t, t + 1, t - 1, 1, tm.T) if e.timed else (t,):
                    found[Slope(node.name, tm.at_time(x, index), tm.at_time(y, index))] = None
    return tuple(s for s in found if not s.term.is_null and not isinstance(s.term, tm.Number))


@lru_cache(maxsize=1024)
def _first(part: Term) -> Term:
    """What a summand that is read one step later sends to the initial state."""
    return tm.at_time(part, 0)


@lru_cache(maxsize=8192)
def _reads(right: Term, timed: bool) -> frozenset[Read]:
    return frozenset(reads(right, timed))


def parts(term: Term, kind: type[Term]) -> tuple[Term, ...]:
    """The summands of a sum, the factors of a product; else the term alone."""
    return term.args if isinstance(term, kind) else (term,)


def sites(term: Term, system: System | None = None) -> Iterator[tuple[Term, Callable[[Term], Term]]]:
    """Every node of a term with a function that puts another one in its place.

    With a system, what belongs to the derivative of an activation is passed over.
    """
    yield term, lambda new: new
    within = (
        {k for _, places in system.slopes_in(term) for k in places} if system and isinstance(term, tm.Times) else set()
    )
    if system and not isinstance(term, tm.Times) and any(True for _ in system.slopes_in(term)):
        return
    for k, part in enumerate(term.terms):
        if isinstance(term, tm.Times) and k in within:
            continue
        for node, put in sites(part, system):

            def place(new: Term, k: int = k, put: Callable[[Term], Term] = put) -> Term:
                return term.rebuild(*(put(new) if j == k else a for j, a in enumerate(term.terms)))

            yield node, place


@lru_cache(maxsize=4096)
def spoken(term: Term, timed: bool = False) -> str:
    """A term in words: ``f(1 − f)``; with its time indices if `timed`, ``h[t−1]``."""
    words = write(term)
    words = words if timed else words.replace("[t]", "")
    words = words.replace("**2", "²").replace(" - ", " − ").replace("t-1", "t−1").replace("T-1", "T−1")
    words = re.sub(r" \* \(", "(", words)
    return re.sub(r"(?<![\w)])-(?=\w)", "−", words)
