"""A loss at one step asks for work at one step: what is zero, or not read, at all others is computed there alone."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from rnnderive.language import terms as tm
from rnnderive.language.recurrence import Equation, Recurrence
from rnnderive.language.terms import Term, t
from rnnderive.programs.passes.common import loops

__all__ = ["narrow"]


def narrow(net: Recurrence, outputs: Iterable[str]) -> Recurrence:
    """Outside loops, sequences that are zero but at one step, or read at one step only, become timeless.

    ``dy[t] = (y[T] - target if t == T else 0)`` becomes ``dy_T = y[T] - target``; then ``W.T @ dy[t]`` needs one
    product and not T of them, and so does the gradient of the readout.
    """
    kept = set(outputs)
    taken: set[str] = set()
    while True:
        net = Recurrence(tuple(Equation(e.left, _gathered(e.right)) for e in net.equations), net.loss, net.declared)
        found = _single(net, kept)
        if found is None:
            return net
        name, step = found
        word = net.fresh(f"{name}_{step}", taken)
        taken.add(word)
        net = _timeless(net, name, step, tm.Parameter(word, *net.shape(name)))


def impulse(term: Term) -> Any:
    """The one step, the first or the last, at which a term is not zero; None if there are others."""
    match term:
        case tm.Where():
            sign, left, right = term.relation
            return right if sign == "==" and left == t and right in (1, tm.T) else None
        case tm.Times() | tm.Product():
            return next((s for s in map(impulse, term.args) if s is not None), None)
        case tm.Plus():
            steps = {impulse(a) for a in term.args}
            return steps.pop() if len(steps) == 1 else None
        case tm.Transpose():
            return impulse(term.args[0])
    return None


def _gathered(term: Term) -> Term:
    """Each part that is zero but at one step as a conditional of its value there; a sum over time is that value."""

    def gather(node: Term) -> Term | None:
        if isinstance(node, tm.TimeSum):
            step = impulse(node.args[0])
            return None if step is None else tm.at_time(node.args[0], step)
        step = impulse(node)
        if step is None or isinstance(node, tm.Where):
            return None
        return tm.where("==", step, tm.at_time(node, step))

    return tm.transform(term, gather)


def _single(net: Recurrence, kept: set[str]) -> tuple[str, Any] | None:
    """A sequence outside the loops that matters at one step only."""
    inside = loops(net)
    reads: dict[str, set[Any]] = {}
    for e in net.equations:
        for node in tm.parts(e.right):
            if isinstance(node, tm.At):
                reads.setdefault(node.name, set()).add(node.index)
    for e in net.equations:
        if not e.timed or e.name in inside or e.name in kept or f"{e.name}0" in net.leaves:
            continue
        found = reads.get(e.name, set())
        step = impulse(e.right)
        if step is not None and found <= {t, step}:
            return e.name, step
        if len(found) == 1 and next(iter(found)) in (1, tm.T):
            return e.name, next(iter(found))
    return None


def _timeless(net: Recurrence, name: str, step: Any, left: tm.Parameter) -> Recurrence:
    """The system with the value of a sequence at one step in place of the sequence."""

    def replace(node: Term) -> Term | None:
        if not (isinstance(node, tm.At) and node.name == name):
            return None
        return left if node.index == step else tm.where("==", step, left)

    equations = [
        Equation(left, tm.at_time(e.right, step))
        if e.name == name
        else Equation(e.left, tm.transform(e.right, replace))
        for e in net.equations
    ]
    return Recurrence(tuple(equations), net.loss, net.declared)
