"""Time: indices off by one, h[t−1] that wraps to the last state, initial states that are forgotten."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from rnnderive.hand.edits.edit import Found, System, sites, spoken
from rnnderive.language import terms as tm
from rnnderive.language.terms import Term, t

__all__ = ["everywhere", "initials", "shifts"]

Rewrite = Callable[[Term], Term | None]


def shifts(system: System) -> Iterator[Found]:
    """Each time index one too early or too late."""
    for name, e in system.places():
        for node, put in sites(e.right, system):
            if isinstance(node, tm.At):
                for step in (1, -1, 2 if node.lag == -1 else 0):
                    new = tm.At(node.name, node.index + step, *node.shape)
                    if step and (node.lag is not None or step < 0):
                        text = f"{name}: {spoken(new, True)} stands where {spoken(node, True)} belongs"
                        yield "shifted time", name, text, system.change(name, put(new))


def _wrapped(node: tm.At) -> Term:
    """h[t−1] that is h[T] at the first step, as an index of −1 is in Python."""
    last = tm.At(node.name, tm.T, *node.shape)
    return tm.where(">=", 2, node) + tm.where("==", 1, last)


def _rewrites() -> Iterator[tuple[str, str, Rewrite]]:
    def wrap(node: Term) -> Term | None:
        return _wrapped(node) if isinstance(node, tm.At) and node.lag == 1 else None

    def without(node: Term) -> Term | None:
        return tm.where(">=", 2, node) if isinstance(node, tm.At) and node.lag == 1 else None

    def late(node: Term) -> Term | None:
        return tm.At(node.name, t, *node.shape) if isinstance(node, tm.At) and node.lag == 1 else None

    def early(node: Term) -> Term | None:
        return tm.At(node.name, t - 1, *node.shape) if isinstance(node, tm.At) and node.lag == 0 else None

    yield "wrapped", "at t = 1, {} wraps round to the last state", wrap
    yield "missing initial state", "the initial state is missing from {} at t = 1 (zero stands there)", without
    yield "shifted time", "the state of step t stands where {} belongs", late
    yield "shifted time", "the state of step t−1 stands where {} belongs", early


def initials(system: System) -> Iterator[Found]:
    """h[t−1] at t = 1, in one equation: the last state, or zero."""
    for name, e in system.places():
        for node, put in sites(e.right, system):
            if isinstance(node, tm.At) and node.name in system.states:
                for kind, words, rewrite in _rewrites():
                    new = rewrite(node)
                    if new is not None and kind != "shifted time":
                        text = f"{name}: {words.format(spoken(node))}"
                        yield kind, name, text, system.change(name, put(new))


def everywhere(system: System) -> Iterator[Found]:
    """The same in every equation, or in all sums: one line of a program fetches the state for all."""
    for state in system.net.sequences if system.several else ():
        for kind, words, rewrite in _rewrites():

            def leaf(node: Term, rewrite: Rewrite = rewrite, state: str = state) -> Term | None:
                return rewrite(node) if isinstance(node, tm.At) and node.name == state else None

            for names, where in ((tuple(system.backward), "every equation"), (system.summed, "every sum over t")):
                fresh = {n: tm.transform(system.backward[n].right, leaf) for n in names}
                changes = {n: r for n, r in fresh.items() if r != system.backward[n].right}
                if len(changes) > 1:
                    index = "t" if kind == "shifted time" and "t−1" in words else "t−1"
                    said = words.format(f"{state}[{index}]")
                    first = next(iter(changes))
                    yield kind, first, f"in {where} ({', '.join(changes)}): {said}", changes
