"""Factors: the derivative of an activation missing, altered or taken elsewhere; other factors missing."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rnnderive.hand.edits.edit import Found, Slope, System, parts, sites, spoken
from rnnderive.language import FUNCTIONS
from rnnderive.language import terms as tm
from rnnderive.language.terms import Term

__all__ = ["activations", "lone_slopes", "others", "undone"]


def _without(node: Term, places: Sequence[int], fresh: Sequence[Term] = ()) -> Term:
    """A product with factors taken out, and others put where the first of them was."""
    factors = parts(node, tm.Times)
    first = min(places)
    kept = [(*fresh, f) if k == first else (f,) for k, f in enumerate(factors)]
    chosen = [f for k, row in enumerate(kept) for f in (row[:-1] if k in places else row)]
    return tm.times(*chosen) if chosen else tm.Ones(*node.shape) if not node.is_scalar else tm.Number(1)


def _wrong(s: Slope) -> Iterator[tuple[str, str, Term]]:
    """What people write for the derivative of an activation: kind, words, term."""
    y, f = s.y, FUNCTIONS[s.function]
    right = spoken(s.term)
    guesses = (1 - y, 1 - y**2, y * (1 - y), 1 + y**2, y * (1 + y), y, 1 + y, (1 - y) ** 2, -s.term)
    for term in map(tm.as_term, guesses):
        words = f"the derivative of {f.name} is {spoken(term)}; it should be {right}"
        yield "altered derivative", words, term
    again = tm.as_term(f.slope(y, tm.Apply(s.function, y)))
    words = f"the derivative of {f.name} is taken at the activated value, {spoken(again)}; it should be {right}"
    yield "activated value", words, again
    before = tm.as_term(f.slope(s.x, s.x))
    yield (
        "pre-activation",
        f"the derivative of {f.name} is taken of its argument, {spoken(before)}; it should be {right}",
        before,
    )


def activations(system: System) -> Iterator[Found]:
    """Each derivative of an activation: dropped, altered, of another gate, at another step."""
    peers = [s for s in system.slopes if isinstance(s.y, tm.At)]
    for name, e in system.places():
        for node, put in sites(e.right):
            for s, places in system.slopes_in(node):
                right = put(_without(node, places))
                text = f"{name}: the factor {spoken(s.term)} is missing"
                yield "missing factor", name, text, system.change(name, right)
                for kind, words, term in _wrong(s):
                    if term.shape == s.term.shape:
                        right = put(_without(node, places, parts(term, tm.Times)))
                        yield kind, name, f"{name}: {words}", system.change(name, right)
                for p in peers:
                    if isinstance(s.y, tm.At) and p.y.shape == s.y.shape and p.y != s.y:
                        same = p.y.name == s.y.name
                        if not same and p.y.index != s.y.index:
                            continue
                        right = put(_without(node, places, p.factors))
                        text = f"{name}: the factor {spoken(p.term)} stands where {spoken(s.term)} belongs"
                        yield "shifted time" if same else "swapped gate", name, text, system.change(name, right)


def lone_slopes(system: System) -> Iterator[Found]:
    """A gradient taken of the cotangent before the activation: dW_f without f(1 − f), though δ_f has it."""
    for name, e in system.places():
        for leaf, put in sites(e.right):
            if not isinstance(leaf, tm.At) or leaf.name not in system.backward or name not in system.of:
                continue
            inner = system.backward[leaf.name].right
            for s, places in system.slopes_in(inner):
                right = put(tm.at_time(_without(inner, places), leaf.index))
                yield "missing factor", name, f"{name}: the factor {spoken(s.term)} is missing", {name: right}


def others(system: System) -> Iterator[Found]:
    """Each other factor dropped, and each summand of a factor dropped or negated."""
    for name, e in system.places():
        for node, put in sites(e.right, system):
            if isinstance(node, tm.Times):
                slopes = {k for _, places in system.slopes_in(node) for k in places}
                for k, factor in enumerate(node.args):
                    lone = len(node.args) == 2 and isinstance(node.args[1 - k], tm.Number)
                    if k not in slopes and not isinstance(factor, tm.Number) and not lone:
                        text = f"{name}: the factor {spoken(factor)} is missing"
                        yield "missing factor", name, text, system.change(name, put(_without(node, [k])))
            if isinstance(node, tm.Plus) and node is not e.right:
                for k, part in enumerate(node.args):
                    left = [*node.args[:k], *node.args[k + 1 :]]
                    for term in (tm.plus(*left), tm.plus(*node.args[:k], -part, *node.args[k + 1 :])):
                        text = f"{name}: {spoken(term)} stands where {spoken(node)} belongs"
                        yield "altered factor", name, text, system.change(name, put(term))


def undone(system: System) -> Iterator[Found]:
    """A function that is forgotten: C where tanh(C) belongs."""
    for name, e in system.places():
        for node, put in sites(e.right):
            if isinstance(node, tm.Apply):
                text = f"{name}: {spoken(node.args[1])} stands where {spoken(node)} belongs"
                yield "missing function", name, text, system.change(name, put(node.args[1]))
