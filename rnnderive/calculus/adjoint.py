"""Reverse mode: the adjoint of a recurrence (BPTT) is a recurrence that runs the other way.

For every active name ``v`` there is its adjoint ``dv``, the derivative of the loss in it.  Each
equation is pulled back once; what its right-hand side reads at ``t-k`` receives its share at
``t+k``.  A cotangent that several parts need is named ``delta_v``: the δ of the textbooks.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from rnnderive.calculus.rules import rule
from rnnderive.calculus.tangent import dependents
from rnnderive.language import terms as tm
from rnnderive.language.functions import FUNCTIONS
from rnnderive.language.recurrence import Equation, Recurrence
from rnnderive.language.terms import T, Term, t

__all__ = ["Adjoint", "adjoint", "truncated"]


@dataclass(frozen=True)
class Adjoint:
    """The recurrence with its adjoint.

    Attributes
    ----------
    net : Recurrence
        The equations of the network, then those of the gradient.
    gradients : dict
        Name → name of its gradient in `net`.
    forward : int
        How many of the equations are the network's own.
    boundary : dict
        Summand of an initial state's gradient → how many steps back that state is read.
    """

    net: Recurrence
    gradients: dict[str, str]
    forward: int
    boundary: dict[Term, int] = field(default_factory=dict)

    @property
    def backward(self) -> tuple[Equation, ...]:
        """The equations of the gradient alone."""
        return self.net.equations[self.forward :]


@dataclass(frozen=True)
class _Place:
    """Where in time a cotangent lives.

    `timed`: it is one for every t.  `vanishes`: it is zero outside 1..T.  `member`: it differs
    between the sequences of a batch.
    """

    equation: str
    timed: bool
    vanishes: bool
    member: bool


class _Pullback:
    """Collects what every name receives from every equation."""

    def __init__(self, net: Recurrence, wrt: tuple[str, ...]) -> None:
        self.net = net
        self.active = dependents(net, wrt) & (_ancestors(net) | set(wrt))
        self.extra: list[Equation] = []
        self.boundary: dict[Term, int] = {}
        self.taken: set[str] = set()
        self.names = {
            n: self.fresh(_adjoint_name(net, n)) for n in [*net.leaves, *net.initial_states] if n in self.active
        }
        self.received: dict[str, list[Term]] = {n: [] for n in self.names}

    def fresh(self, name: str) -> str:
        name = self.net.fresh(name, self.taken)
        while name.endswith("0") and name[:-1] in self.taken:  # the boundary value of an adjoint
            name += "_"
        self.taken |= {name, f"{name}0"}
        return name

    def cotangent(self, name: str) -> Term:
        """The adjoint of a name, as a term."""
        if name == self.net.loss:
            return tm.Number(1)
        leaf = self.net.leaf(name)
        if isinstance(leaf, tm.At):
            return tm.At(self.names[name], t, *leaf.shape)
        return tm.Parameter(self.names[name], *leaf.shape)

    def run(self) -> None:
        for e in reversed(self.net.equations):
            if e.name in self.active:
                member = not (not e.timed and e.name in self.net.shared)
                place = _Place(e.name, e.timed, e.timed, member)
                self.visit(e.right, self.cotangent(e.name), place, e.left)

    # ------------------------------------------------------------ one equation

    def visit(self, term: Term, g: Term, place: _Place, y: Term | None = None) -> None:
        """Send the cotangent `g` of `term` on to everything active below it."""
        if g.is_null or (isinstance(g, tm.Number) and g.number == 0):
            return
        if isinstance(term, tm.At):
            if self.moves(term):
                self.receive(term, g, place)
            return
        if isinstance(term, tm.Parameter):
            if term.name in self.active:
                self.give(term.name, g, place)
            return
        moving = [k for k, a in enumerate(term.terms) if any(self.moves(leaf) for leaf in tm.members(a))]
        if len(moving) > 1 and not _simple(g):
            g = self.name(g, place)
        if isinstance(term, tm.TimeSum) and moving:
            whole = tm.TimeSum(g) if place.timed else g
            self.visit(term.args[0], whole, replace(place, timed=True, vanishes=False))
            return
        inner = replace(place, member=True) if isinstance(term, tm.BatchSum) else place
        for k in moving:
            self.visit(term.terms[k], rule(term, k, y).pull(g), inner)

    def moves(self, leaf: Term) -> bool:
        """Whether a leaf, or the initial state it may fall back on, is active."""
        if isinstance(leaf, tm.Parameter):
            return leaf.name in self.active
        return isinstance(leaf, tm.At) and (
            leaf.name in self.active or (leaf.lag != 0 and f"{leaf.name}0" in self.active)
        )

    def name(self, g: Term, place: _Place, stem: str = "delta") -> Term:
        """Give a cotangent an equation of its own."""
        name = f"{stem}_{place.equation}"
        number = 2
        while name in self.taken or name in self.net.leaves:
            name = f"{stem}_{place.equation}_{number}"
            number += 1
        name = self.fresh(name)
        left = tm.At(name, t, *g.shape) if place.timed else tm.Parameter(name, *g.shape)
        self.extra.append(Equation(left, g))
        return left

    def give(self, name: str, g: Term, place: _Place) -> None:
        """A share for a timeless name: summed over t, and over the batch if all members share it."""
        total = tm.TimeSum(g) if place.timed else g
        if place.member and name in self.net.shared:
            total = tm.BatchSum(total)
        self.received[name].append(total)

    def receive(self, leaf: tm.At, g: Term, place: _Place) -> None:
        """A share for a sequence: at the step that was read, and for its initial state."""
        lag = leaf.lag
        if lag is None:
            whole = tm.TimeSum(g) if place.timed else g
            if leaf.name in self.active:
                self.received[leaf.name].append(tm.where("==", leaf.index, whole))
            return
        if lag == 0:
            self.received[leaf.name].append(g)
            return
        if not _total(g):
            g = self.name(g, place, f"carry_{leaf.name}")
            place = replace(place, vanishes=True)
        if leaf.name in self.active:
            share = tm.shift(g, lag)
            if not place.vanishes:
                share = tm.where("<=", T - lag, share) if lag > 0 else tm.where(">=", 1 - lag, share)
            self.received[leaf.name].append(share)
        if f"{leaf.name}0" in self.active:
            share = _at_boundary(g, lag)
            if f"{leaf.name}0" in self.net.shared:  # computed from parameters: one for the whole batch
                share = tm.BatchSum(share)
            self.received[f"{leaf.name}0"].append(share)
            self.boundary.update({part: abs(lag) for part in _summands(share)})


def _at_boundary(g: Term, lag: int) -> Term:
    """What the steps that read beyond 1..T send to the initial state."""
    if lag in (1, -1):
        return tm.at_time(g, 1 if lag == 1 else T)
    return tm.TimeSum(tm.where("<=", lag, g) if lag > 0 else tm.where(">=", T + lag + 1, g))


def _summands(term: Term) -> tuple[Term, ...]:
    return term.args if isinstance(term, tm.Plus) else (term,)


def _simple(g: Term) -> bool:
    """Whether repeating a cotangent costs nothing."""
    _, rest = tm.split_sign(g)
    return isinstance(rest, tm.At | tm.Parameter | tm.Number)


def _total(g: Term) -> bool:
    """Whether a term is finite wherever its parts are, so that it may be read outside 1..T."""
    for node in tm.members(g):
        if isinstance(node, tm.Apply) and not FUNCTIONS[node.name].total:
            return False
        if isinstance(node, tm.Power) and node.args[1].is_negative and not isinstance(node.args[0], tm.Extent):
            return False
    return True


def _ancestors(net: Recurrence) -> frozenset[str]:
    """Everything the loss depends on."""
    found = {net.loss or ""}
    work = [net.loss or ""]
    while work:
        name = work.pop()
        if name not in net:
            continue
        for r in net.reads(name):
            also = [r.name] + ([f"{r.name}0"] if r.lag not in (None, 0) else [])
            work += [n for n in also if n not in found]
            found |= set(also)
    return frozenset(found)


def _adjoint_name(net: Recurrence, name: str) -> str:
    if name.endswith("0") and name[:-1] in {*net.sequences, *net.inputs}:
        return f"d{name[:-1]}_0"
    return f"d{name}"


def adjoint(net: Recurrence, wrt: Iterable[str]) -> Adjoint:
    """Pull the loss back to every name of `wrt` (parameters, initial states, inputs)."""
    wrt = tuple(wrt)
    pull = _Pullback(net, wrt)
    pull.run()
    equations = []
    for name, received in pull.received.items():
        if name == net.loss:
            continue
        left = pull.cotangent(name)
        equations.append(Equation(left, tm.plus(tm.Zeros(*left.shape), *received)))
    gradients = {n: pull.names[n] for n in wrt if n in pull.names}
    for n in wrt:
        if n not in gradients:  # the loss does not depend on it
            leaf = net.leaf(n)
            gradients[n] = pull.fresh(_adjoint_name(net, n))
            zero = tm.Zeros(*leaf.shape)
            left = (
                tm.At(gradients[n], t, *leaf.shape)
                if isinstance(leaf, tm.At)
                else tm.Parameter(gradients[n], *leaf.shape)
            )
            equations.append(Equation(left, zero))
    ordered = _readable([*equations, *pull.extra], net, gradients)
    whole = Recurrence((*net.equations, *ordered), net.loss, net.declared)
    return Adjoint(whole, gradients, len(net.equations), pull.boundary)


def _readable(equations: list[Equation], net: Recurrence, gradients: dict[str, str]) -> list[Equation]:
    """From the loss backward, what is read before what reads it; then the gradients, as asked for."""
    known = Recurrence((*net.equations, *equations), net.loss, net.declared)
    computed = [n for stage in known.schedule for n in stage.names]
    last = [g for g in gradients.values() if not any(g in {r.name for r in known.reads(e.name)} for e in equations)]
    by_name = {e.name: e for e in equations}
    return [by_name[n] for n in [*(n for n in computed if n not in last), *last] if n in by_name]


def truncated(whole: Adjoint, steps: int) -> Adjoint:
    """BPTT cut after `steps` steps: each loss term reaches the `steps` latest steps only.

    Williams and Peng (1990): of the terms k ≤ s that a loss at step s sends back, those with
    s − k < `steps` are kept.  Every adjoint becomes `steps` layers; a layer reads the layer
    above it where the adjoint reads another time, so that the result has no cycle.
    """
    backward = whole.backward
    adjoints = {e.name for e in backward if e.timed}
    layer = {(n, j): whole.net.fresh(f"{n}_{j}_back") for n in adjoints for j in range(steps)}
    wanted = set(whole.gradients.values())
    equations: list[Equation] = []
    for e in backward:
        back = [(part, whole.boundary.get(part, 0)) for part in _summands(e.right)]  # equal ones count twice
        layers = [
            [p for part, more in back if (p := _in_layer(part, j - more, layer, adjoints)) is not None]
            for j in range(steps)
        ]
        if e.timed:
            for j, kept in enumerate(layers):
                left = tm.At(layer[e.name, j], t, *e.left.shape)
                equations.append(Equation(left, tm.plus(tm.Zeros(*left.shape), *kept)))
            if e.name in wanted:
                total = tm.plus(*(tm.At(layer[e.name, j], t, *e.left.shape) for j in range(steps)))
                equations.append(Equation(e.left, total))
        else:
            kept = [p for part in layers for p in part]
            equations.append(Equation(e.left, tm.plus(tm.Zeros(*e.left.shape), *kept)))
    net = Recurrence((*whole.net.equations[: whole.forward], *equations), whole.net.loss, whole.net.declared)
    return replace(whole, net=net)


def _in_layer(part: Term, j: int, layer: dict[tuple[str, int], str], adjoints: set[str]) -> Term | None:
    """A summand of an adjoint equation as layer `j` has it, or None if it has no place there."""
    read = [n for n in tm.members(part) if isinstance(n, tm.At) and n.name in adjoints]
    if not read:
        return part if j == 0 else None
    source = j - abs(read[0].lag or 0)
    if source < 0:
        return None

    def leaf(node: Term) -> Term | None:
        if isinstance(node, tm.At) and node.name in adjoints:
            return tm.At(layer[node.name, source], node.index, *node.shape)
        return None

    return tm.transform(part, leaf)
