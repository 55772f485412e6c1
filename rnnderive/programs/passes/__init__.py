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
    "fused",
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
    net = fused(net, wanted, given, names=names)
    if products_only:
        net = join(net)
    return hoist(split_stacks(net), products_only)


def fused(
    net: Recurrence, outputs: Iterable[str], given: Iterable[str] = (), *, by_calls: bool = True, names: Names = None
) -> Recurrence:
    """The rewrites that all backends want: what is needed, where it is needed, with gates and deltas in bundles.

    With `by_calls`, what is done to several gates is one call on all of them; compiled loops go entry by entry anyway.
    """
    wanted = list(outputs)
    fixed = {*wanted, *(s[:-1] for s in given)}
    net = share(narrow(prune(net, wanted), wanted))
    net = name_sums(factor(inline(by_exp(net) if by_calls else net, fixed)))
    net = fuse_gates(net, fixed, names)
    return fuse_sums(bundle_deltas(pack(net, fixed, names) if by_calls else net, fixed, names))
