"""Core and head: which equations of a recurrence carry memory, and which read it out.

The *core* is every equation in a loop over t or feeding one; the *head* is the rest (readout,
loss).  The core's *output* is the one sequence through which the head sees it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import sympy as sp

from rnnderive.errors import InputError, LanguageError
from rnnderive.language import Recurrence
from rnnderive.language import terms as tm
from rnnderive.language.schedule import components
from rnnderive.language.syntax import RESERVED

__all__ = ["Anatomy", "assemble", "copies", "mirrored", "renamed", "rewritten", "sinks"]


@dataclass(frozen=True)
class Anatomy:
    """The parts of a recurrence, by name.

    Attributes
    ----------
    core, head : tuple of str
        Names of the equations of each, in the order of the text.
    output : str
        The sequence of the core that the head reads.
    inputs : tuple of str
        Sequences that the core reads and no equation defines.

    Examples
    --------
    >>> from rnnderive.cells import lstm
    >>> parts = Anatomy.of(lstm())
    >>> parts.core, parts.head, parts.output, parts.inputs
    (('f', 'i', 'C_add', 'C', 'o', 'h'), ('y', 'L'), 'h', ('x',))
    """

    core: tuple[str, ...]
    head: tuple[str, ...]
    output: str
    inputs: tuple[str, ...]

    @classmethod
    def of(cls, net: Recurrence) -> Anatomy:
        """Take a recurrence apart.

        Raises
        ------
        InputError
            When nothing is a loop over t, or the head reads several sequences of the core.
        """
        core = _memory(net)
        if not core:
            raise InputError(
                "there is no loop over t here: expected a sequence that is read at another time, as in "
                "h[t] = tanh(W @ x[t] + U @ h[t-1] + b)"
            )
        seen = _seen(net, core)
        while len(seen) > 1:
            # A bidirectional layer's [h_L[t], h_R[t]] is in no loop: the core grows until one name is left.
            ready = next(
                (e.name for e in net.equations if e.timed and e.name not in core and _ready(net, e.name, core)),
                None,
            )
            if ready is None:
                raise InputError(
                    f"the head reads several sequences of the core: {', '.join(seen)}. Give them one name, "
                    f"as in s[t] = [{', '.join(f'{s}[t]' for s in seen)}]"
                )
            core.add(ready)
            seen = _seen(net, core)
        output = seen[0] if seen else _last(net, core)
        names = [e.name for e in net.equations]
        inputs = [r.name for n in names if n in core for r in sorted(net.reads(n), key=lambda r: r.name)]
        return cls(
            tuple(n for n in names if n in core),
            tuple(n for n in names if n not in core),
            output,
            tuple(n for n in dict.fromkeys(inputs) if n not in net and isinstance(net.leaves[n], tm.At)),
        )


def _sources(net: Recurrence, name: str) -> set[str]:
    """The defined names that an equation needs, computed initial states among them."""
    needed = {s for r in net.reads(name) for s in (r.name, f"{r.name}0" if r.lag not in (None, 0) else "")}
    return {n for n in needed if n in net}


def _memory(net: Recurrence) -> set[str]:
    """The equations in a loop, and all that these need."""
    todo = [n for stage in net.schedule if stage.direction != "all" for n in stage.names]
    found: set[str] = set()
    while todo:
        name = todo.pop()
        if name not in found:
            found.add(name)
            todo += _sources(net, name)
    return found


def _seen(net: Recurrence, core: set[str]) -> list[str]:
    """The sequences of the core that something outside it reads."""
    outside = {s for e in net.equations if e.name not in core for s in _sources(net, e.name)}
    return [e.name for e in net.equations if e.timed and e.name in core and e.name in outside]


def _ready(net: Recurrence, name: str, core: set[str]) -> bool:
    """Whether an equation outside the core reads the core, and of what is defined nothing else."""
    sources = _sources(net, name)
    return bool(sources) and sources <= core


def sinks(net: Recurrence, names: Iterable[str]) -> list[str]:
    """Of the names given, those that none of the others reads; of a loop, its last sequence."""
    inside = list(names)
    graph = {n: sorted(_sources(net, n) & set(inside)) for n in inside}
    groups = components(graph)
    out = []
    for group in groups:
        read = any(set(graph[n]) & set(group) for n in inside if n not in group)
        if not read:
            out.append(max(group, key=inside.index))
    return sorted(out, key=inside.index)


def _last(net: Recurrence, core: set[str]) -> str:
    """The output of a core that nothing reads."""
    ends = sinks(net, [e.name for e in net.equations if e.timed and e.name in core])
    if len(ends) != 1:
        raise InputError(
            f"several sequences leave the core and nothing reads them: {', '.join(ends)}. Give them "
            f"one name, as in s[t] = [{', '.join(f'{s}[t]' for s in ends)}]"
        )
    return ends[0]


# ---------------------------------------------------------------- rewriting


def renamed(term: tm.Term, names: Mapping[str, str]) -> tm.Term:
    """A term with other names, initial states and ``size(name)`` included."""
    table: dict[Any, Any] = {}
    for old, new in names.items():
        table[sp.Symbol(old)] = sp.Symbol(new)
        for prefix in "nm":
            table[_size(prefix, old)] = _size(prefix, new)
    return term.xreplace(table)


def _size(prefix: str, name: str) -> sp.Symbol:
    return sp.Symbol(f"{prefix}_{name}", integer=True, positive=True)


def mirrored(term: tm.Term) -> tm.Term:
    """A term with time running the other way: t−k becomes t+k, step 1 becomes step T."""

    def turn(index: Any) -> Any:
        """T + 1 − index, read at T + 1 − t."""
        if index.has(tm.t):
            return sp.expand(2 * tm.t - index)
        return sp.expand(tm.T + 1 - index)

    def leaf(node: tm.Term) -> tm.Term | None:
        if isinstance(node, tm.At):
            return node.moved(turn(node.index))
        if isinstance(node, tm.Where):
            sign, left, right = node.relation
            body = tm.transform(node.args[3], leaf)
            if not left.has(tm.t):
                return tm.conditional(sign, left, right, body)
            swapped = {"==": "==", "<=": ">=", ">=": "<="}[sign]
            return tm.conditional(swapped, left, sp.expand(tm.T + 1 - right - 2 * (left - tm.t)), body)
        return None

    return tm.transform(term, leaf)


def rewritten(net: Recurrence, name: str, names: Mapping[str, str], backward: bool = False) -> str:
    """The text of an equation under other names, and with time reversed if asked."""
    e = net[name]
    right = mirrored(e.right) if backward else e.right
    return f"{renamed(e.left, names)} = {renamed(right, names)}"


def copies(net: Recurrence, parts: Anatomy, suffix: str, taken: Iterable[str] = ()) -> dict[str, str]:
    """New names for one copy of the core: its sequences, parameters and initial states.

    `taken` are names of the new network that the copy must leave alone.
    """
    used = set(taken) | kept(net, parts) | RESERVED
    out: dict[str, str] = {}
    for name in dict.fromkeys(n for part in parts.core for n in (part, *_bare(net, part))):
        fresh = f"{name}_{suffix}"
        while fresh in used or f"{fresh}0" in used:
            fresh += "_"
        used.add(fresh)
        out[name] = fresh
    for name in parts.core:
        if net[name].timed:
            out[f"{name}0"] = f"{out[name]}0"
    return out


def kept(net: Recurrence, parts: Anatomy) -> set[str]:
    """The names that no copy changes: those of the head, and the inputs."""
    head = {n.name for name in parts.head for n in tm.members(net[name].right) if isinstance(n, tm.At | tm.Parameter)}
    return (head | set(parts.head) | set(net.inputs)) - set(parts.core)


def _bare(net: Recurrence, name: str) -> list[str]:
    """The parameters of an equation, in order of appearance."""
    found = [n.name for n in tm.members(net[name].right) if isinstance(n, tm.Parameter)]
    return [n for n in dict.fromkeys(found) if n in net.parameters]


def assemble(lines: Iterable[str], net: Recurrence, loss: str | None = "") -> Recurrence:
    """Read equations as a recurrence with the declared inputs, and the loss, of another."""
    name = net.loss if loss == "" else loss
    text = "\n".join([*(f"{n}: input" for n in sorted(net.declared)), *lines])
    try:
        return Recurrence.parse(text, loss=name)
    except LanguageError as error:
        raise InputError(f"the parts do not fit together:\n{text}\n{error}") from error
