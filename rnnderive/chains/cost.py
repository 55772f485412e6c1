"""How much memory an analysis takes, known before it is begun."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rnnderive.calculus import first_order
from rnnderive.chains.course import CHUNK_BYTES
from rnnderive.chains.state import chains
from rnnderive.errors import InputError
from rnnderive.language import Recurrence
from rnnderive.language import terms as tm
from rnnderive.weights.sizes import concrete

__all__ = ["MEMORY", "check_memory", "needed"]

MEMORY = 8.0  # GiB, unless more is allowed
COPIES = 8  # of a piece of Jacobians at once: blocks, factors, products, a decomposition


def needed(
    net: Recurrence, sizes: Mapping[Any, int], *, T: int, batch: int | None = None, whole: bool = False
) -> float:
    """GiB that drawing, running and analysing a network takes, about.

    Parameters
    ----------
    net : Recurrence
    sizes : mapping
        Symbol → number; what is not there counts as 1.
    T, batch : int
    whole : bool
        Whether all Jacobians are held at once, as a sweep does.

    Examples
    --------
    >>> import rnnderive as rd
    >>> net = rd.cells.vanilla()
    >>> round(needed(net, dict.fromkeys(net.sizes, 20_000), T=10))
    42
    """
    many = batch or 1
    known = {**dict.fromkeys(net.sizes, 1), **sizes}

    def entries(name: str) -> int:
        rows, columns = concrete(net, name, known)
        return rows * columns

    series = [e.name for e in net.equations if e.timed] + [n for n in net.inputs if isinstance(net.leaves[n], tm.At)]
    states = max(sum(concrete(c.net, n, known)[0] for n in c.states) for c in chains(first_order(net)))
    step = 8 * many * states**2
    piece = COPIES * min(max(CHUNK_BYTES, step), step * T)
    held = 8 * (2 * sum(map(entries, net.parameters)) + many * T * sum(map(entries, series)))
    return float(held + piece + whole * step * T) / 2**30


def check_memory(
    net: Recurrence,
    sizes: Mapping[Any, int],
    *,
    T: int,
    batch: int | None = None,
    whole: bool = False,
    limit: float = MEMORY,
) -> None:
    """Refuse what takes more memory than is allowed.

    Raises
    ------
    InputError
        How much it takes, and what to do.
    """
    takes = needed(net, sizes, T=T, batch=batch, whole=whole)
    if takes > limit:
        told = ", ".join(f"{str(s).removeprefix('n_')} {n}" for s, n in sizes.items())
        sequences = f", {batch} sequences" if batch else ""
        raise InputError(
            f"this takes about {takes:.0f} GiB of memory, more than the {limit:g} GiB allowed: {told}, {T} steps"
            f"{sequences}. Take less of them, or allow it with memory={takes * 1.1:.0f}"
        )
