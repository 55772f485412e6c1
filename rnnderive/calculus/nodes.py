"""The nodes of the graph behind a chain: which sequences are states, and which stand together."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from rnnderive import printing as pr
from rnnderive.language import terms as tm
from rnnderive.language.recurrence import Recurrence
from rnnderive.language.terms import Term

__all__ = ["Group", "Node", "grouped", "stacked"]

_STACKS = ("s", "z", "xi", "u", "v", "chi", "psi")


@dataclass(frozen=True)
class Group:
    """Sequences that make up one node of the graph at every step."""

    names: tuple[str, ...]
    label: str
    direction: str = "all"


@dataclass(frozen=True)
class Node:
    """A group at a step; a timeless quantity has no step."""

    group: Group
    step: Any


def grouped(net: Recurrence, wrt: Term) -> list[Group]:
    """The nodes, in order of computation.

    They are the states of each loop, every other sequence that is read at another step (outside 1..T
    it is an initial state, and no longer what its equation says), and the readouts in which the target
    itself appears.
    """
    across = {r.name for e in net.equations for r in net.reads(e.name) if r.lag not in (None, 0)}
    loops = []
    feeding: set[str] = set()
    for stage in net.schedule:
        if stage.direction != "all":
            names = tuple(n for n in net.sequences if n in stage.names and n in across)
            loops.append((names, stage))
            feeding |= set(stage.names)
    work = list(feeding)
    while work:
        for r in net.reads(work.pop()):
            for name in (r.name, f"{r.name}0" if r.lag else ""):
                if name in net and name not in feeding:
                    feeding.add(name)
                    work.append(name)
    stacks = iter(stacked(net, sum(len(names) > 1 for names, _ in loops)))
    groups = []
    for stage in net.schedule:
        for names, loop in loops:
            if loop is stage:
                label = next(stacks) if len(names) > 1 else names[0]
                # h before C: the order in which the loss meets them does not matter, the reader's does.
                groups.append(Group(_state_order(net, names), label, stage.direction))
                if isinstance(wrt, tm.At) and wrt.name in stage.names and wrt.name not in names:
                    groups.append(Group((wrt.name,), wrt.name))  # a gate: its other steps move with the state
        if stage.direction == "all":
            n = stage.names[0]
            readout = isinstance(wrt, tm.Parameter) and n not in feeding and n != net.loss
            if n in across or (readout and wrt.name in {r.name for r in net.reads(n)}):
                groups.append(Group((n,), n))
    return groups


def stacked(net: Recurrence, count: int = 1) -> tuple[str, ...]:
    """Names for stacks of several sequences: s, or s_1, s_2, …; with another letter where a name here looks so.

    Examples
    --------
    >>> net = Recurrence.parse("s[t] = tanh(W @ s[t-1] + x[t])\\nL = sum(s[T])")
    >>> stacked(net), stacked(net, 2)
    (('z',), ('z_1', 'z_2'))
    """
    for letter in pr.numbered(_STACKS):
        names = (letter,) if count == 1 else tuple(f"{letter}_{k}" for k in range(1, count + 1))
        if not any(map(net.prints, (letter, *names))):
            return names
    raise AssertionError("there is no end to numbered letters")


def _state_order(net: Recurrence, names: tuple[str, ...]) -> tuple[str, ...]:
    """States in the order in which the equations read them across time (h before C)."""
    read = [leaf.name for e in net.equations for leaf in tm.members(e.right) if isinstance(leaf, tm.At) and leaf.lag]
    return tuple(sorted(names, key=read.index))
