"""The order of computation, from the strongly connected components of who reads whom.

A component with a cycle is a loop over t, forward or backward as its lags ask; everything else
is computed for all t at once.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from rnnderive.errors import ScheduleError
from rnnderive.language import terms as tm

if TYPE_CHECKING:
    from rnnderive.language.recurrence import Equation

__all__ = ["Read", "Stage", "components", "reads", "schedule"]


@dataclass(frozen=True)
class Read:
    """How one equation reads a name: at a lag, at a fixed step, or over all steps."""

    name: str
    lag: int | None = None
    whole: bool = False  # a fixed step, or under Σ_t: needs the sequence as a whole


@dataclass(frozen=True)
class Stage:
    """Equations computed together: a loop over t, or for all t at once."""

    names: tuple[str, ...]
    direction: Literal["forward", "backward", "all"]


def reads(term: tm.Term, timed: bool = True) -> frozenset[Read]:
    """Everything a term reads; `timed` says whether it belongs to an equation for every t."""
    found: set[Read] = set()

    def walk(node: tm.Term, under_sum: bool) -> None:
        if isinstance(node, tm.At):
            lag = node.lag
            whole = under_sum or lag is None
            found.add(Read(node.name, lag, whole))
        elif isinstance(node, tm.Parameter):
            found.add(Read(node.name, None, True))
        for part in node.terms:
            walk(part, under_sum or isinstance(node, tm.TimeSum))

    walk(term, not timed)
    return frozenset(found)


def components(graph: Mapping[str, list[str]]) -> list[list[str]]:
    """Strongly connected components, what is read before what reads (Tarjan 1972, without recursion)."""
    index: dict[str, int] = {}
    low: dict[str, int] = {}
    on: set[str] = set()
    stack: list[str] = []
    out: list[list[str]] = []
    for root in graph:
        if root in index:
            continue
        work = [(root, iter(graph[root]))]
        index[root] = low[root] = len(index)
        stack.append(root)
        on.add(root)
        while work:
            node, edges = work[-1]
            for other in edges:
                if other not in index:
                    index[other] = low[other] = len(index)
                    stack.append(other)
                    on.add(other)
                    work.append((other, iter(graph[other])))
                    break
                if other in on:
                    low[node] = min(low[node], index[other])
            else:
                work.pop()
                if work:
                    low[work[-1][0]] = min(low[work[-1][0]], low[node])
                if low[node] == index[node]:
                    part: list[str] = []
                    while True:
                        part.append(stack.pop())
                        on.discard(part[-1])
                        if part[-1] == node:
                            break
                    out.append(part)
    return out


def schedule(equations: tuple[Equation, ...]) -> tuple[Stage, ...]:
    """Order the equations.

    Raises
    ------
    ScheduleError
        For a cycle at equal time, a cycle that runs both ways in time, or one that needs a
        whole sequence to compute that sequence; the message names the cycle.
    """
    by_name = {e.name: e for e in equations}
    order = {name: k for k, name in enumerate(by_name)}
    read = {e.name: [r for r in reads(e.right, e.timed) if r.name in by_name] for e in equations}
    # The initial state of a sequence may itself be computed.
    initial = {
        e.name: [f"{r.name}0" for r in reads(e.right, True) if r.lag not in (None, 0) and f"{r.name}0" in by_name]
        for e in equations
    }
    graph = {n: sorted({r.name for r in read[n]} | set(initial[n]), key=order.__getitem__) for n in by_name}
    stages = []
    for part in components(graph):
        names = tuple(sorted(part, key=order.__getitem__))
        if len(names) == 1 and names[0] not in graph[names[0]]:
            stages.append(Stage(names, "all"))
        else:
            stages.append(_loop(names, by_name, read))
    return tuple(stages)


def _loop(names: tuple[str, ...], by_name: Mapping[str, Equation], read: Mapping[str, list[Read]]) -> Stage:
    inside = {n: [r for r in read[n] if r.name in names] for n in names}
    for n in names:
        whole = [r for r in inside[n] if r.whole]
        if whole or not by_name[n].timed:
            first = whole[0].name if whole else inside[n][0].name
            loop = " → ".join(_cycle(n, first, inside))
            raise by_name[n].error(
                ScheduleError,
                f"{n} needs itself: the cycle {loop} passes through a fixed step, a sum over t or a timeless equation, "
                "so there is no step to start from. Read it at a lag, as in h[t-1]",
            )
    lags = {r.lag for n in names for r in inside[n]}
    if any(k > 0 for k in lags if k) and any(k < 0 for k in lags if k):
        ahead, first = next((n, r.name) for n in names for r in inside[n] if (r.lag or 0) < 0)
        raise by_name[ahead].error(
            ScheduleError,
            f"the cycle {' → '.join(_cycle(ahead, first, inside))} runs both ways in time: it reads at t-k and at t+k. "
            "Split it into one recurrence for each direction",
        )
    now = {n: sorted({r.name for r in inside[n] if r.lag == 0}) for n in names}
    ordered: list[str] = []
    for part in components(now):
        if len(part) > 1 or part[0] in now[part[0]]:
            start = min(part, key=names.index)
            present = {n: [r for r in inside[n] if r.lag == 0 and r.name in part] for n in part}
            cycle = " → ".join(_cycle(start, present[start][0].name, present))
            raise by_name[start].error(
                ScheduleError,
                f"algebraic loop: {cycle} at the same time t. One of them must be read at another time, as in h[t-1]",
            )
        ordered += part
    return Stage(tuple(ordered), "backward" if any(k < 0 for k in lags if k) else "forward")


def _cycle(start: str, first: str, inside: Mapping[str, list[Read]]) -> list[str]:
    """The shortest way from `start` over `first` back to `start`; each name reads the next."""
    before = {first: start}
    work = [first]
    for node in work:
        if node == start:
            break
        for name in sorted({r.name for r in inside[node]}):
            if name not in before:
                before[name] = node
                work.append(name)
    path = [start]
    while path[-1] != first:
        path.append(before[path[-1]])
    return [start, *reversed(path)]
