"""Scales: factors of T, the batch, a size, 2, ½, −1."""

from __future__ import annotations

from collections.abc import Iterator

import sympy as sp

from rnnderive.hand.edits.edit import Found, System
from rnnderive.language import terms as tm
from rnnderive.language.syntax import write_size
from rnnderive.language.terms import Term

__all__ = ["scales"]


def _factors(system: System) -> Iterator[tuple[str, str, Term]]:
    """Kind, words and value of what gradients are multiplied by in error."""
    yield "sign", "has the wrong sign", tm.Number(-1)
    yield "scale", "is twice what it should be", tm.Number(2)
    yield "scale", "is half of what it should be", tm.Number(sp.Rational(1, 2))
    sizes = [("T, the number of steps,", tm.T), *((f"{write_size(s)}, a size,", s) for s in _sizes(system))]
    if system.batch is not None:
        sizes.insert(1, ("B, the size of the batch,", tm.BATCH))
    for words, size in sizes:
        yield "scale", f"is {words} times what it should be", tm.extent(size)
        yield "scale", f"is divided by {words.rstrip(',')}", tm.power(tm.extent(size), -1)
    if system.batch is not None:
        yield "scale", "is divided by T and by B", tm.power(tm.extent(tm.T * tm.BATCH), -1)


def _sizes(system: System) -> list[sp.Symbol]:
    return [s for s in system.net.sizes if s not in (tm.T, tm.BATCH)]


def scales(system: System) -> Iterator[Found]:
    """Every gradient, then each gradient, then each quantity of the adjoint."""
    gradients = tuple(system.of)
    every = {n: system.backward[n].right for n in gradients}
    for kind, words, factor in _factors(system) if system.several else ():
        changes = {n: tm.times(factor, r) for n, r in every.items()}
        said = "every gradient " + words.replace("what it should be", "that of the loss you report")
        yield kind, gradients[0], said, changes
    for name, e in system.places():
        for kind, words, factor in _factors(system):
            if name not in system.of and isinstance(factor, tm.Extent | tm.Power):
                continue  # inside, people forget a sign or a factor of 2; sizes come in with sums and means
            yield kind, name, f"{name} {words}", {name: tm.times(factor, e.right)}
