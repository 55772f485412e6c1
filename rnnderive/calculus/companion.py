"""Systems of first order: what is read further back becomes a state of its own.

A recurrence that reads h[t-1] and h[t-2] is one of first order in the state [h, h_1] with
h_1[t] = h[t-1]; the Jacobian of that state is the companion matrix (Lütkepohl 2005, eq. 2.1.8).
"""

from __future__ import annotations

from rnnderive import printing as pr
from rnnderive.language import terms as tm
from rnnderive.language.recurrence import Equation, Recurrence
from rnnderive.language.schedule import Stage
from rnnderive.language.terms import Term, t

__all__ = ["delays", "first_order"]


def first_order(net: Recurrence) -> Recurrence:
    """The same system with no loop that reads beyond the neighbouring step.

    Where a loop reads its own h[t-3], the sequences ``h_1[t] = h[t-1]`` and ``h_2[t] = h_1[t-1]`` are
    added, and ``h_2[t-1]`` is read instead.  They start from what h is outside 1..T: ``h_10 = h0``.  In a
    loop from right to left h[t+2] becomes ``h_1[t+1]``.  What stands outside the loops, and inputs, are
    left as they are.

    Parameters
    ----------
    net : Recurrence

    Returns
    -------
    Recurrence
        With the same parameters, inputs, initial states, values and gradients; `net` itself when
        no loop reads further than one step.

    Examples
    --------
    >>> net = Recurrence.parse('''
    ...     h[t] = tanh(U @ h[t-1] + A @ h[t-2] + W @ x[t])
    ...     L    = squared_error(h[T], target)
    ... ''')
    >>> print(first_order(net))
    h[t] = tanh(U @ h[t-1] + A @ h_1[t-1] + W @ x[t])
    h_1[t] = h[t-1]
    h_10 = h0
    L = squared_error(h[T], target)
    """
    taken: set[str] = set()
    rewritten: dict[str, Equation] = {}
    added: dict[str, list[Equation]] = {}
    for stage in net.schedule:
        if stage.direction == "all":
            continue
        names: dict[tuple[str, int], str] = {}
        for n in (n for n in net.sequences if n in stage.names):
            for back in range(1, _reach(net, stage, n)):
                names[n, back] = _fresh(net, n, back, taken)
        if not names:
            continue
        for (n, back), name in names.items():
            before = tm.At(names.get((n, back - 1), n), t - 1 if stage.direction == "forward" else t + 1, *net.shape(n))
            start = tm.Parameter(f"{name}0", *net.shape(n))
            added.setdefault(n, []).extend((
                Equation(tm.At(name, t, *net.shape(n)), before),
                Equation(start, tm.Parameter(f"{n}0", *net.shape(n))),
            ))  # fmt: skip
        for n in stage.names:
            e = net[n]
            rewritten[n] = Equation(e.left, _nearer(e.right, names), e.place)
    if not rewritten:
        return net
    equations = [f for e in net.equations for f in (rewritten.get(e.name, e), *added.get(e.name, ()))]
    return Recurrence(tuple(equations), net.loss, net.declared)


def delays(net: Recurrence, first: Recurrence) -> dict[str, tuple[str, int]]:
    """Name of a sequence that :func:`first_order` added → the sequence that it delays, and by how much.

    Examples
    --------
    >>> net = Recurrence.parse("s[t] = s[t-3]\\nL = sum(s[T])")
    >>> delays(net, first_order(net))
    {'s_1': ('s', 1), 's_2': ('s', 2)}
    """
    out: dict[str, tuple[str, int]] = {}
    for e in first.equations:
        if e.name not in net and e.timed:
            assert isinstance(e.right, tm.At) and e.right.lag is not None
            source, before = out.get(e.right.name, (e.right.name, 0))
            out[e.name] = (source, before + e.right.lag)
    return out


def _reach(net: Recurrence, stage: Stage, name: str) -> int:
    """How many steps away a loop reads one of its sequences."""
    return max(abs(r.lag or 0) for n in stage.names for r in net.reads(n) if r.name == name)


def _fresh(net: Recurrence, state: str, back: int, taken: set[str]) -> str:
    """A name for a state so many steps back that is free, as it is printed too, as is that of its initial state."""
    name = next(n for word in pr.numbered(("", "lag_", "back_")) if not net.prints(n := f"{state}_{word}{back}"))
    name = net.fresh(name, taken)
    while net.fresh(f"{name}0", taken) != f"{name}0":
        name = net.fresh(f"{name}_", taken)
    taken |= {name, f"{name}0"}
    return name


def _nearer(term: Term, names: dict[tuple[str, int], str]) -> Term:
    """A term that reads the delayed sequences one step away instead of the others further away."""

    def leaf(node: Term) -> Term | None:
        if not isinstance(node, tm.At) or not node.lag:
            return None
        name = names.get((node.name, abs(node.lag) - 1))
        return None if name is None else tm.At(name, t - 1 if node.lag > 0 else t + 1, *node.shape)

    return tm.transform(term, leaf)
