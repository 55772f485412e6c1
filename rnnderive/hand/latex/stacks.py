"""Where a named part of a stack stands: the columns of W_f that act on h."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import sympy as sp

from rnnderive.language import Recurrence
from rnnderive.language import terms as tm

__all__ = ["offsets"]

Bounds = tuple[Any, Any]


def offsets(net: Recurrence, name: str, shape: tuple[Any, Any] | None, part: str) -> tuple[list[Bounds], list[Bounds]]:
    """Rows and columns of a matrix that belong to a sequence, by the stacks of the network.

    Parameters
    ----------
    net : Recurrence
    name : str
        The matrix, where it is a parameter: what it multiplies is looked at first.
    shape : pair of sizes, or None where that is not known
    part : str
        The sequence.

    Returns
    -------
    rows, columns : list of (start, stop)
    """
    size = net.shape(part)[0] if part in net.leaves else None
    if size is None:
        return [], []
    beside = [s for w, s in _multiplied(net) if w == name]
    if beside:
        return [], _places(beside, size, part)
    stacks = [n for e in net.equations for n in tm.members(e.right) if isinstance(n, tm.Stack)]
    if shape is None:
        return _places(stacks, size, part), []
    rows = [s for s in stacks if sp.expand(s.shape[0] - shape[0]) == 0]
    columns = [s for s in stacks if sp.expand(s.shape[0] - shape[1]) == 0]
    return _places(rows, size, part), _places(columns, size, part) if shape[1] != 1 else []


def _multiplied(net: Recurrence) -> Iterator[tuple[str, tm.Stack]]:
    for e in net.equations:
        for node in tm.members(e.right):
            if isinstance(node, tm.Product):
                for a, b in zip(node.args, node.args[1:], strict=False):
                    if isinstance(a, tm.Parameter) and isinstance(b, tm.Stack):
                        yield a.name, b


def _places(stacks: list[tm.Stack], size: Any, part: str) -> list[Bounds]:
    """Where a part of that size stands; where it stands by name, if it does."""
    named: dict[Bounds, None] = {}
    sized: dict[Bounds, None] = {}
    for stack in stacks:
        start = sp.S.Zero
        for block in stack.args:
            stop = sp.expand(start + block.shape[0])
            if block.shape[0] == size:
                sized[start, stop] = None
                if any(isinstance(n, tm.At) and n.name == part for n in tm.members(block)):
                    named[start, stop] = None
            start = stop
    return list(named or sized)
