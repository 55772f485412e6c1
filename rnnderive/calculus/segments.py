"""A network cut in time: the recurrences of a segment, whose gradients are those of the whole.

The steps 1..T are cut into segments.  What passes from one to the next are the states, read at t − 1; what
a segment adds to the loss are its parts of the sums over t.  Let λ be the derivatives of the loss in the
states at a segment's last step and in these sums.  Then the gradient of Σ λ · (what leaves the segment) is
that of the loss, as far as it passes through the segment; its part in the states that enter the segment is
the λ of the segment before.  The last segment has the loss itself, with the sums of all others added.
"""

from __future__ import annotations

from dataclasses import dataclass

from rnnderive.calculus.companion import first_order
from rnnderive.errors import InputError
from rnnderive.language import terms as tm
from rnnderive.language.recurrence import Equation, Recurrence
from rnnderive.language.terms import T, Term, t

__all__ = ["Segments", "segments"]


@dataclass(frozen=True)
class Segments:
    """The recurrences of the segments of a network.

    Attributes
    ----------
    forward : Recurrence
        A segment: its states, and its parts of the sums; its loss is the total of these parts.
    middle : Recurrence
        The same, with the loss Σ λ · (what leaves the segment).
    last : Recurrence
        The last segment, with the network's own loss.
    start : Recurrence or None
        The initial states that are computed, with the loss Σ λ · s0.
    states : tuple of str
        Sequences that are read at the step before.
    sums : dict
        Name of a sum in `forward` → name of the input of `last` that adds what went before.
    cotangents : dict
        State or sum → name of its λ, an input of `middle` (and of `start`).
    shifted : dict
        Input that is an input sequence at a lag → its name and the lag.
    steps : str
        The input that is T, the number of all steps.
    """

    forward: Recurrence
    middle: Recurrence
    last: Recurrence
    start: Recurrence | None
    states: tuple[str, ...]
    sums: dict[str, str]
    cotangents: dict[str, str]
    shifted: dict[str, tuple[str, int]]
    steps: str


def segments(net: Recurrence) -> Segments:
    """Cut a network in time.

    Parameters
    ----------
    net : Recurrence
        With a loss.

    Raises
    ------
    InputError
        For a network that cannot be cut: with a loop from right to left, a step that reads a later one, a
        fixed step or a sum over all steps, or a loss that is none of last steps and sums over t.

    Examples
    --------
    >>> net = Recurrence.parse('''
    ...     h[t] = tanh(U @ h[t-1] + W @ x[t])
    ...     L    = sum(squared_error(h[t], target[t]), t)
    ... ''')
    >>> cut = segments(net)
    >>> print(cut.middle)
    dh_T: input
    dsum_1: input
    h[t] = tanh(U @ h[t-1] + W @ x[t])
    sum_1 = sum(squared_error(h[t], target[t]), t)
    J = sum(dh_T * h[T]) + sum(dsum_1 * sum_1)
    >>> print(cut.last)
    sum_1_: input
    h[t] = tanh(U @ h[t-1] + W @ x[t])
    L = sum(squared_error(h[t], target[t]), t) + sum_1_
    """
    return _Knife(net).cut()


class _Knife:
    def __init__(self, net: Recurrence) -> None:
        for stage in net.schedule:
            if stage.direction == "backward":
                raise InputError(
                    f"{', '.join(stage.names)} run from right to left, so that the network cannot be cut in time; "
                    "expected memory='all'"
                )
        self.net = first_order(net)
        self.taken: set[str] = set()
        self.shifted: dict[tuple[str, int], str] = {}
        self.sums: dict[Term, str] = {}
        self.steps = self.fresh("steps")

    def fresh(self, name: str) -> str:
        while name in self.taken or self.net.fresh(name) != name:
            name += "_"
        self.taken.add(name)
        return name

    def refuse(self, e: Equation, what: str) -> InputError:
        return InputError(f"{e} {what}, so that the network cannot be cut in time; expected memory='all'")

    def cut(self) -> Segments:
        net = self.net
        self.late = self._late()
        self.states = tuple(s for s in net.sequences if f"{s}0" in {*net.initial_states, *self._starts()})
        timed = [Equation(e.left, self.inside(e, e.right, timed=True)) for e in net.equations if e.timed]
        timeless = [e for e in net.equations if not e.timed and e.name not in self._starts()]
        early = [Equation(e.left, self.inside(e, e.right)) for e in timeless if e.name not in self.late]
        ends = [Equation(e.left, self.inside(e, e.right)) for e in timeless if e.name in self.late]
        inputs = {name: self.fresh(f"{name}_") for name in self.sums.values()}
        totals = [Equation(tm.Parameter(name, *body.shape), tm.TimeSum(body)) for body, name in self.sums.items()]
        names = [*self.states, *inputs]
        cotangents = {n: self.fresh(f"d{n}_T" if n in self.states else f"d{n}") for n in names}
        leaving = {n: tm.At(n, T, *net.shape(n)) for n in self.states} | {e.name: e.left for e in totals}
        outside = {n for n in net.initial_states if n[:-1] not in net}  # of inputs: they may be read by name
        declared = net.declared | {self.steps} | outside
        within = tm.plus(tm.Number(0), *(tm.SumEntries(e.left) for e in totals))
        forward = self.recurrence([*early, *timed, *totals, Equation(tm.Parameter("J", 1, 1), within)], "J", declared)
        lam = frozenset(cotangents.values())
        middle = self.recurrence(
            [*early, *timed, *totals, self.weighted({n: leaving[n] for n in names}, cotangents)], "J", declared | lam
        )
        added = {name: tm.Parameter(inputs[name], *body.shape) for body, name in self.sums.items()}

        def whole(node: Term) -> Term | None:
            if isinstance(node, tm.TimeSum):
                return tm.plus(node, added[self.sums[node.args[0]]])
            return None

        final = [Equation(e.left, tm.transform(e.right, whole)) for e in ends]
        last = self.recurrence([*early, *timed, *final], net.loss, declared | frozenset(inputs.values()))
        return Segments(
            forward, middle, last, self.start(cotangents), self.states, inputs, cotangents,
            {name: key for key, name in self.shifted.items()}, self.steps,
        )  # fmt: skip

    def recurrence(self, equations: list[Equation], loss: str | None, declared: frozenset[str]) -> Recurrence:
        """The equations, with those of the declared inputs that they read."""
        read = {n.name for e in equations for n in tm.members(e.right) if isinstance(n, tm.Parameter)}
        return Recurrence(tuple(equations), loss, declared & read)

    def weighted(self, values: dict[str, Term], cotangents: dict[str, str]) -> Equation:
        """J = Σ λ · value."""
        products = [tm.SumEntries(tm.times(tm.Parameter(cotangents[n], *v.shape), v)) for n, v in values.items()]
        return Equation(tm.Parameter("J", 1, 1), tm.plus(*products, tm.Number(0)))

    def _starts(self) -> set[str]:
        """Computed initial states, and what only they read."""
        return {
            e.name
            for e in self.net.equations
            if not e.timed and e.name[:-1] in self.net.sequences and e.name.endswith("0")
        }

    def start(self, cotangents: dict[str, str]) -> Recurrence | None:
        """What computes initial states."""
        starts = self._starts()
        if not starts:
            return None
        work, needed = list(starts), set(starts)
        while work:
            more = {r.name for r in self.net.reads(work.pop()) if r.name in self.net} - needed
            needed |= more
            work += more
        equations = [e for e in self.net.equations if e.name in needed]
        for e in equations:
            if e.timed or e.name in self.late:
                raise self.refuse(e, "gives an initial state from later steps")
        values: dict[str, Term] = {n[:-1]: self.net[n].left for n in starts}
        lam = frozenset(cotangents[n] for n in values)
        free = frozenset(self.net.initial_states)
        return self.recurrence([*equations, self.weighted(values, cotangents)], "J", self.net.declared | lam | free)

    def _late(self) -> set[str]:
        """Timeless names that depend on steps."""
        found: set[str] = set()
        grown = True
        while grown:
            more = {
                e.name
                for e in self.net.equations
                if not e.timed and e.name not in found
                and any(isinstance(n, tm.At) or getattr(n, "name", "") in found for n in tm.members(e.right))
            }  # fmt: skip
            found |= more
            grown = bool(more)
        return found

    def inside(self, e: Equation, term: Term, timed: bool = False) -> Term:
        """A term of a segment: what cannot be cut is refused, sums are noted, inputs at a lag have a name."""

        def leaf(node: Term) -> Term | None:
            if isinstance(node, tm.Where):
                raise self.refuse(e, "has a condition on t")
            if isinstance(node, tm.Extent) and node.args[0] == T:
                return tm.Parameter(self.steps, 1, 1)
            if isinstance(node, tm.TimeSum):
                if timed:
                    raise self.refuse(e, "reads a sum over all steps")
                body = self.inside(e, node.args[0], timed=True)
                self.sums.setdefault(body, self.fresh(f"sum_{len(self.sums) + 1}"))
                return tm.TimeSum(body)
            if isinstance(node, tm.Parameter) and timed and node.name in self.late:
                raise self.refuse(e, f"reads {node.name} at every step, which is known after the last one")
            if isinstance(node, tm.At):
                return self.at(e, node, timed)
            return None

        return tm.transform(term, leaf)

    def at(self, e: Equation, node: tm.At, timed: bool) -> Term:
        """A sequence at a step."""
        if node.lag is None:
            if timed or node.index != T:
                raise self.refuse(e, f"reads {node}")
            return node
        if node.lag == 0:
            return node
        if node.name not in self.net:
            if (node.name, node.lag) not in self.shifted:
                self.shifted[node.name, node.lag] = self.fresh(f"{node.name}_at_a_lag")
            return tm.At(self.shifted[node.name, node.lag], t, *node.shape)
        if node.lag != 1:
            raise self.refuse(e, f"reads {node} outside of a loop")
        return node
