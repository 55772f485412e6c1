"""Rewrites of a recurrence before it becomes code; each keeps its meaning exactly.

Tests verify every rewrite by exact identity in a finite field.
"""

from __future__ import annotations

from collections.abc import Iterable

from rnnderive.language.recurrence import Recurrence
from rnnderive.programs.passes.basic import hoist, prune, share, split_stacks
from rnnderive.programs.passes.bundles import Names
from rnnderive.programs.passes.deltas import bundle_deltas, fuse_sums
from rnnderive.programs.passes.gates import by_exp, fuse_gates, name_sums, pack
from rnnderive.programs.passes.inline import factor, inline
from rnnderive.programs.passes.join import join
from rnnderive.programs.passes.narrow import narrow

__all__ = [
    "bundle_deltas",
    "by_exp",
    "factor",
    "fuse_gates",
    "fuse_sums",
    "hoist",
    "inline",
    "join",
    "name_sums",
    "narrow",
    "optimise",
    "pack",
    "prune",
    "share",
    "split_stacks",
]


def optimise(
    net: Recurrence,
    outputs: Iterable[str],
    given: Iterable[str] = (),
    *,
    products_only: bool = False,
    names: Names = None,
) -> Recurrence:
    """All rewrites, in the order in which each helps the next.

    Parameters
    ----------
    net : Recurrence
    outputs : names
        What is wanted; the rest may go.
    given : names
        Initial states that the caller may hand over: their sequences keep their names.
    products_only : bool
        Whether only matrix products leave the loops (for batches), or all that can.
    names : dict, optional
        Is told what the ranges of each bundle were called: ``(bundle, start, stop)`` → name.
    """
    wanted = list(outputs)
    fixed = {*wanted, *(s[:-1] for s in given)}
    net = share(narrow(prune(net, wanted), wanted))
    net = factor(inline(by_exp(net), fixed))
    net = pack(fuse_gates(name_sums(net), fixed, names), fixed, names)
    net = fuse_sums(bundle_deltas(net, fixed, names))
    if products_only:
        net = join(net)
    return hoist(split_stacks(net), products_only)
