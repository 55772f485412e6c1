"""Swaps: operands of the product rule, gates, matrices, transposes, one gate's gradient for another's."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import permutations

from rnnderive.hand.edits.edit import Found, System, sites, spoken
from rnnderive.language import terms as tm
from rnnderive.language.terms import Term, t

__all__ = ["copies", "gates", "matrices", "operands", "transposes"]


def operands(system: System) -> Iterator[Found]:
    """The derivative of a ⊙ b in a takes a where b belongs."""
    swaps: dict[Term, list[Term]] = {}
    for e in system.net.equations:
        for node in tm.members(e.right):
            if isinstance(node, tm.Times):
                for a, b in permutations(node.args, 2):
                    for index in (t, t + 1, t - 1, 1) if e.timed else (t,):
                        old, new = tm.at_time(b, index), tm.at_time(a, index)
                        if old.shape == new.shape and new not in swaps.setdefault(old, []):
                            swaps[old].append(new)
    for name, e in system.places():
        for node, put in sites(e.right, system):
            for new in swaps.get(node, ()):
                stands = f"{spoken(new, True)} stands where {spoken(node, True)} belongs"
                text = f"{name}: the product rule's operands are swapped, {stands}"
                yield "swapped operands", name, text, system.change(name, put(new))


def gates(system: System) -> Iterator[Found]:
    """Another quantity of the network, of the same size."""
    for name, e in system.places():
        for node, put in sites(e.right, system):
            if isinstance(node, tm.At) and node.name in system.states:
                for other in system.states:
                    if other != node.name and system.net.shape(other) == node.shape:
                        new = tm.At(other, node.index, *node.shape)
                        text = f"{name}: {spoken(new, True)} stands where {spoken(node, True)} belongs"
                        yield "swapped gate", name, text, system.change(name, put(new))


def matrices(system: System) -> Iterator[Found]:
    """Another parameter, of the same shape."""
    for name, e in system.places():
        for node, put in sites(e.right, system):
            if isinstance(node, tm.Parameter) and node.name in system.net.parameters:
                for other in system.net.parameters:
                    if other != node.name and system.net.shape(other) == node.shape:
                        text = f"{name}: {other} stands where {node.name} belongs"
                        new = tm.Parameter(other, *node.shape)
                        yield "swapped matrix", name, text, system.change(name, put(new))


def transposes(system: System) -> Iterator[Found]:
    """A square matrix transposed, or not; an outer product the wrong way round."""
    for name, e in system.places():
        for node, put in sites(e.right, system):
            square = not node.is_scalar and node.shape[0] == node.shape[1]
            if not square or isinstance(node, tm.TimeSum | tm.BatchSum | tm.Plus | tm.Where):
                continue
            if isinstance(node, tm.Parameter) and name in system.of and e.right.shape == node.shape:
                continue
            new = node.T
            if new == node or (isinstance(node, tm.Parameter) and isinstance(put(tm.Eye(node.shape[0])), tm.Eye)):
                continue
            if isinstance(node, tm.Product):
                text = f"{name} is transposed: {spoken(new, True)} stands where {spoken(node, True)} belongs"
            else:
                text = f"{name}: {spoken(new, True)} stands where {spoken(node, True)} belongs"
            yield "transpose", name, text, system.change(name, put(new))


_ROLE = re.compile(r"(delta_|carry_|d)(.+?)(_\d+)?_*$")


def _role(name: str) -> str:
    found = _ROLE.fullmatch(name)
    return f"{found[1]}{found[3] or ''}" if found else name


def copies(system: System) -> Iterator[Found]:
    """Another cotangent of the same size: one gate's gradient is copied to another."""
    timed = [n for n, e in system.backward.items() if e.timed]
    for name, e in system.places():
        for node, put in sites(e.right):
            if not isinstance(node, tm.At) or node.name not in system.backward:
                continue
            for other in timed:
                same = system.backward[other].left.shape == node.shape and other != node.name and other != name
                if same and (_role(other) == _role(node.name) or name in system.of):
                    new = tm.At(other, node.index, *node.shape)
                    text = f"{name} is computed from {spoken(new, True)} instead of {spoken(node, True)}"
                    yield "copied gate", name, text, system.change(name, put(new))
