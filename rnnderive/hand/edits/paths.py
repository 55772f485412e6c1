"""Paths: a summand that is missing, counted twice, or has the wrong sign."""

from __future__ import annotations

from collections.abc import Iterator

from rnnderive.hand.edits.edit import Found, System, parts, spoken
from rnnderive.language import terms as tm
from rnnderive.language.terms import Term

__all__ = ["boundaries", "carries", "from_elsewhere", "one_minus", "summands"]


def _is_carry(system: System, name: str, part: Term) -> bool:
    """Whether a summand is what a state hands on from one step to the next."""
    return any(isinstance(n, tm.At) and n.name == name and n.lag for n in tm.members(part))


def summands(system: System) -> Iterator[Found]:
    """Each summand of each equation: dropped, doubled, negated."""
    for name, e in system.places():
        there = parts(e.right, tm.Plus)
        for k, part in enumerate(there):
            what = "the carry" if _is_carry(system, name, part) else "the path" if len(there) > 1 else "all of it,"
            shown = spoken(part)
            for kind, words, fresh in (
                ("missing path", "is missing", ()),
                ("path twice", "is counted twice", (part, part)),
                ("sign", "has the wrong sign", (-part,)),
            ):
                right = tm.plus(tm.Zeros(*e.right.shape), *there[:k], *fresh, *there[k + 1 :])
                text = f"{name}: {what} {shown} {words}"
                if kind == "missing path" and len(there) == 1:
                    text = f"{name} is left out (zero)"
                yield kind, name, text, {name: right}
                linked = system.change(name, right)
                if len(linked) > 1:
                    yield kind, name, f"{text}, in {name}_0 too", linked


def carries(system: System) -> Iterator[Found]:
    """All that a quantity receives from another step is left out: the gradient stops at every step."""
    for name, e in system.places():
        there = parts(e.right, tm.Plus)
        kept = [p for p in there if not from_elsewhere(system, p)]
        if e.timed and 0 < len(kept) < len(there) - 1:
            right = tm.plus(tm.Zeros(*e.right.shape), *kept)
            text = f"{name}: nothing is handed on from step t+1 to step t"
            yield "missing path", name, text, system.change(name, right)


def from_elsewhere(system: System, part: Term) -> bool:
    """Whether a summand is handed on from another step."""
    return any(isinstance(n, tm.At) and n.name in system.backward and n.lag for n in tm.members(part))


def boundaries(system: System) -> Iterator[Found]:
    """The gradients of the initial states are left out, one or all."""
    names = [g for g, v in system.of.items() if v in system.net.initial_states]
    for name in names:
        if system.only is not None and name not in system.only:
            continue
        zero = tm.Zeros(*system.backward[name].right.shape)
        yield "missing initial state", name, f"dL/d{system.of[name]} is left out (zero)", {name: zero}
    if len(names) > 1 and system.several:
        zeros: dict[str, Term] = {n: tm.Zeros(*system.backward[n].right.shape) for n in names}
        yield "missing initial state", names[0], "the gradients of the initial states are left out (zero)", zeros


def one_minus(system: System) -> Iterator[Found]:
    """1 − z differentiated as 1 − dz: the derivative of the constant 1 is taken to be 1."""
    for e in system.net.equations:
        for node in tm.members(e.right):
            if not isinstance(node, tm.Plus) or node.args[0] != tm.Number(1) or len(node.args) != 2:
                continue
            sign, inner = tm.split_sign(node.args[1])
            if sign > 0 or not isinstance(inner, tm.At):
                continue
            name = f"d{inner.name}"
            if name not in system.backward:
                continue
            right = system.backward[name].right
            there = parts(right, tm.Plus)
            for k, part in enumerate(there):
                if tm.split_sign(part)[0] < 0:
                    fresh = tm.plus(*there[:k], tm.Ones(*right.shape), part, *there[k + 1 :])
                    text = f"{name}: 1 − {inner.name} is differentiated as 1 − d{inner.name}"
                    yield "one minus", name, text, {name: fresh}
