"""Sums: overwritten instead of accumulated, steps skipped, means for sums, the wrong axis, truncation."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

import sympy as sp

from rnnderive.hand.edits.edit import Found, System
from rnnderive.hand.member import OneMember
from rnnderive.language import terms as tm
from rnnderive.language.terms import Term

__all__ = ["accumulations", "axes", "members", "sources"]


def _over_time(term: Term, rewrite: Callable[[Term], Term]) -> Term:
    """A term with the body of every sum over t rewritten."""
    return tm.transform(term, lambda n: rewrite(n.args[0]) if isinstance(n, tm.TimeSum) else None)


def _kinds() -> Iterator[tuple[str, str, Callable[[Term], Term]]]:
    yield (
        "overwritten",
        "overwritten at every step instead of accumulated: only step 1 is left",
        lambda b: tm.at_time(b, 1),
    )
    yield "overwritten", "only the last step, t = T, is counted", lambda b: tm.at_time(b, tm.T)
    yield "skipped step", "step T is skipped", lambda b: tm.TimeSum(tm.where("<=", tm.T - 1, b))
    yield "skipped step", "step 1 is skipped", lambda b: tm.TimeSum(tm.where(">=", 2, b))
    yield "mean", "the mean over time instead of the sum", lambda b: tm.TimeSum(b) / tm.extent(tm.T)


def accumulations(system: System) -> Iterator[Found]:
    """Each sum over time, and all of them together."""
    for kind, words, rewrite in _kinds():
        fresh = {n: _over_time(system.backward[n].right, rewrite) for n in system.summed}
        if len(fresh) > 1 and system.several:
            yield kind, next(iter(fresh)), f"every gradient: {words}", fresh
        for name, right in fresh.items():
            if system.only is not None and name not in system.only:
                continue
            yield kind, name, f"{name}: {words}", {name: right}


def members(system: System) -> Iterator[Found]:
    """Overwritten by each sequence of a batch instead of accumulated: each gradient, and all of them together."""
    if system.batch is None or system.batch == 1:
        return
    for which in ("last", "first"):
        fresh = {n: tm.transform(system.backward[n].right, partial(_one, which=which)) for n in system.of}
        fresh = {n: r for n, r in fresh.items() if r != system.backward[n].right}
        words = "overwritten by every sequence of the batch instead of accumulated: only the last one is left"
        words = words if which == "last" else "of the batch only the first sequence is counted"
        if len(fresh) > 1 and system.several:
            yield "overwritten", next(iter(fresh)), f"every gradient: {words}", fresh
        for name, right in fresh.items():
            if system.only is None or name in system.only:
                yield "overwritten", name, f"{name}: {words}", {name: right}


def _one(node: Term, which: str) -> Term | None:
    return OneMember(node.args[0], sp.Symbol(which)) if isinstance(node, tm.BatchSum) else None


def axes(system: System) -> Iterator[Found]:
    """A bias summed over its entries instead of over time or the batch; a batch's mean for its sum."""
    for name, e in system.places():
        right = e.right
        summed = system.of.get(name) in system.net.parameters
        if summed and right.is_column and not right.is_scalar and not isinstance(right, tm.Zeros):
            wrong = tm.times(tm.SumEntries(right), tm.Ones(*right.shape))
            yield "wrong axis", name, f"{name}: summed over the wrong axis, its entries", {name: wrong}


def sources(system: System) -> Iterator[Found]:
    """Steps at which no gradient arrives in a quantity."""
    for name, e in system.places():
        if e.timed and name not in system.of:
            for words, right in (
                ("step T is skipped", tm.where("<=", tm.T - 1, e.right)),
                ("step 1 is skipped", tm.where(">=", 2, e.right)),
                ("only step T is kept", tm.where("==", tm.T, e.right)),
            ):
                yield "skipped step", name, f"{name}: {words}", {name: right}
