"""Forward mode: the tangent of a recurrence is a recurrence."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from rnnderive.calculus.rules import rule
from rnnderive.language import terms as tm
from rnnderive.language.recurrence import Equation, Recurrence
from rnnderive.language.terms import T, Term

__all__ = ["dependents", "push", "tangent", "tangent_names"]


def dependents(net: Recurrence, names: Iterable[str]) -> frozenset[str]:
    """Everything whose value depends on one of `names`, themselves included."""
    found = set(names)
    grown = True
    while grown:
        grown = False
        for e in net.equations:
            if e.name in found:
                continue
            for r in net.reads(e.name):
                if r.name in found or (r.lag not in (None, 0) and f"{r.name}0" in found):
                    found.add(e.name)
                    grown = True
                    break
    return frozenset(found)


def push(term: Term, leaf: Callable[[Term], Term | None], y: Term | None = None) -> Term:
    """The tangent of a term, given those of its leaves (None for a constant)."""
    if isinstance(term, tm.At | tm.Parameter):
        return leaf(term) or tm.Zeros(*term.shape)
    parts = []
    for k, argument in enumerate(term.terms):
        inner = push(argument, leaf)
        if inner.is_null or (isinstance(inner, tm.Number) and inner.number == 0):
            continue
        if isinstance(term, tm.TimeSum):
            return tm.TimeSum(inner)
        parts.append(rule(term, k, y).push(inner))
    return tm.plus(tm.Zeros(*term.shape), *parts)


def tangent_names(net: Recurrence, wrt: Iterable[str]) -> dict[str, str]:
    """Name → name of its tangent, for all that depends on `wrt`; ``h0`` goes to ``h_dot0``."""
    names: dict[str, str] = {}
    taken: set[str] = set()
    moving = dependents(net, wrt)
    for n in [*net.leaves, *net.initial_states]:
        if n not in moving:
            continue
        stem = n[:-1] if n.endswith("0") and (n[:-1] in net.sequences or n[:-1] in names) else None
        name = f"{names.get(stem) or net.fresh(f'{stem}_dot', taken)}0" if stem else net.fresh(f"{n}_dot", taken)
        names[n] = name
        taken.add(name)
    return names


def tangent(net: Recurrence, wrt: Iterable[str]) -> tuple[Recurrence, dict[str, str]]:
    """The recurrence together with that of its tangent; and the tangents' names.

    The directions are new inputs: ``W_dot`` beside ``W``.  The loss of the result is the
    tangent of the loss, so that deriving it again gives Hessian-vector products.
    """
    names = tangent_names(net, wrt)

    def leaf(node: Term) -> Term | None:
        name = names.get(node.name)
        if name is None:
            return _beyond(node, names.get(f"{node.name}0"))
        return tm.At(name, node.index, *node.shape) if isinstance(node, tm.At) else tm.Parameter(name, *node.shape)

    fresh = []
    for e in net.equations:
        if e.name in names:
            left = leaf(e.left)
            assert isinstance(left, tm.At | tm.Parameter)
            fresh.append(Equation(left, push(e.right, leaf, e.left)))
    given = {n for n in net.inputs if isinstance(net.leaf(n), tm.Parameter)}
    given |= {n for n in net.initial_states if n[:-1] in net.inputs and n[:-1] not in names}
    declared = net.declared | {names[n] for n in given & names.keys()}
    loss = names.get(net.loss or "")
    return Recurrence((*net.equations, *fresh), loss, declared), names


def _beyond(node: Term, name: str | None) -> Term | None:
    """The tangent of a sequence that is given, where only what it is outside 1..T moves."""
    if name is None or not isinstance(node, tm.At) or node.lag in (None, 0):
        return None
    state = tm.Parameter(name, *node.shape)
    lag = node.lag or 0
    return tm.where("<=", lag, state) if lag > 0 else tm.where(">=", T + lag + 1, state)
