"""Chains: a derivative as a sum of products of Jacobians, along every path through time.

The network is seen as a graph whose nodes are the states at each step.  A *group* is the state
of one loop (h of a simple RNN, [h, C] of an LSTM, one for each layer of a stack); everything
else inside a step is eliminated.  The derivative of the loss in anything is the sum over the
paths from the loss to it, each the product of the Jacobians on its way.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from typing import Any

import sympy as sp

from rnnderive.calculus.companion import delays, first_order
from rnnderive.calculus.factors import Factor, State, Total
from rnnderive.calculus.nodes import Group, Node, grouped
from rnnderive.calculus.rules import rule
from rnnderive.calculus.symbolic import Symbolic
from rnnderive.errors import InputError, RnnDeriveError
from rnnderive.language import terms as tm
from rnnderive.language.recurrence import Recurrence
from rnnderive.language.terms import T, Term, t

__all__ = ["Graph", "Jacobians"]

MAX_TERMS = 20_000
Jacobians = dict[Term, Term]
Edges = tuple[Term | None, list[tuple[Node, Term]]]  # the immediate factor, and those to other nodes
Table = tuple[list[Node | None], dict[Node | None, Edges]]


def accumulate(total: Jacobians, extra: Jacobians) -> None:
    """Add Jacobians leaf by leaf."""
    for leaf, j in extra.items():
        _add(total, leaf, j)


def _add(total: dict[Any, Term], key: Any, j: Term) -> None:
    total[key] = tm.plus(total[key], j) if key in total else j


class Graph:
    """The graph of one derivative: of a scalar or a state, in a parameter, state or input.

    Parameters
    ----------
    net : Recurrence
    wrt : Term
        What to differentiate in: a parameter, an initial state, or a sequence at a step.
    of : Term
        What to differentiate: the loss, or a sequence at a step.
    T : int or symbol
        Number of steps.
    """

    def __init__(self, net: Recurrence, wrt: Term, of: Term, horizon: Any) -> None:
        self.wrt, self.of = wrt, of
        self.T = sp.sympify(horizon)
        # A product with one factor a step needs states that reach one step back.
        self.net = net if self.T.is_Integer else first_order(net)
        self.delays = delays(net, self.net)
        for leaf in (wrt, of):
            unknown = leaf.index.free_symbols - {T} if isinstance(leaf, tm.At) else set()
            if self.T.is_Integer and unknown:
                raise InputError(f"{leaf} is at no step; for {self.T} steps give a number, as in {leaf.name}[1]")
        self.groups = grouped(self.net, wrt)
        self.owner = {n: g for g in self.groups for n in g.names}
        self._memo: dict[Any, Jacobians] = {}
        self._held: str | None = None  # a state that is not eliminated inside its step

    # ------------------------------------------------------------ Jacobians

    def local(self, name: str) -> Jacobians:
        """The Jacobians of a sequence at t in the states, and in the target, that it depends on."""
        e = self.net[name]
        return self.walk(e.right, self.owner.get(name), e.left)

    def walk(self, term: Term, group: Group | None, y: Term | None = None) -> Jacobians:
        """The Jacobians of a term in every leaf that is a node or the target."""
        if isinstance(term, tm.At | tm.Parameter):
            return self._leaf(term, group)
        out: Jacobians = {}
        if isinstance(term, tm.TimeSum) and self.T.is_Integer:
            for s in range(1, int(self.T) + 1):
                accumulate(out, self.walk(tm.at_time(term.args[0], s), group))
            return out
        for k, argument in enumerate(term.terms):
            for leaf, j in self.walk(argument, group).items():
                share = {leaf: j} if isinstance(term, tm.TimeSum) else {leaf: rule(term, k, y).columns(j)}
                accumulate(out, share)
        return {leaf: j for leaf, j in out.items() if not j.is_null}

    def _leaf(self, leaf: Any, group: Group | None) -> Jacobians:
        key = (leaf, group, self._held)
        if key not in self._memo:
            self._memo[key] = self._open(leaf, group)
        return self._memo[key]

    def _open(self, leaf: Any, group: Group | None) -> Jacobians:
        size = leaf.shape[0] * leaf.shape[1]
        owner = self.owner.get(leaf.name)
        inside = owner is not None and owner is group and isinstance(leaf, tm.At) and leaf.index == t
        inside = inside and leaf.name != self._held
        if leaf.name == self.wrt.name and not inside:
            return {leaf: tm.Eye(size)}
        if owner is not None and not inside:
            return {leaf: tm.Eye(size)}
        if leaf.name not in self.net:
            # An initial state that is the target shows up through the sequence it starts.
            return {leaf: tm.Eye(size)} if isinstance(leaf, tm.At) and f"{leaf.name}0" == self.wrt.name else {}
        e = self.net[leaf.name]
        right = tm.at_time(e.right, leaf.index) if isinstance(leaf, tm.At) else e.right
        return self.walk(right, group, leaf)

    def in_target(self, group: Group) -> list[Term]:
        """The Jacobians of a group's states at t in the one of them that is the target, at t too."""
        wanted = tm.At(self.wrt.name, t, *self.wrt.shape)
        size = self.wrt.shape[0]
        self._held = self.wrt.name
        found = [self.local(n).get(wanted) for n in group.names if n != self.wrt.name]
        self._held = None
        rows = iter(found)
        out = []
        for n in group.names:
            j = tm.Eye(size) if n == self.wrt.name else next(rows)
            out.append(tm.Zeros(self.net.shape(n)[0], size) if j is None else j)
        return out

    @cached_property
    def _entangled(self) -> bool:
        """Whether the target is a state that others of its group read at the same step."""
        owner = self.owner.get(self.wrt.name)
        if owner is None or len(owner.names) == 1 or not isinstance(self.wrt, tm.At):
            return False
        return sum(not j.is_null for j in self.in_target(owner)) > 1

    # ------------------------------------------------------------ nodes and edges, T an integer

    def position(self, index: Any) -> int:
        """The step behind an index."""
        return int(sp.sympify(index).subs(T, self.T))

    def split(self, jacobians: Jacobians, step: int | None) -> tuple[Term | None, dict[tuple[Node, str], Term]]:
        """Sort Jacobians into the target's and those of nodes, at a step."""
        immediate: list[Term] = []
        edges: dict[tuple[Node, str], Term] = {}
        for leaf, j in jacobians.items():
            here = tm.at_horizon(tm.at_time(j, step) if step is not None else j, int(self.T))
            if isinstance(leaf, tm.Parameter):
                if leaf.name == self.wrt.name:
                    immediate.append(here)
                else:
                    _add(edges, (Node(self.owner[leaf.name], None), leaf.name), here)
                continue
            index = leaf.index.subs(t, step) if step is not None else leaf.index
            s = self.position(index)
            if not 1 <= s <= self.T:
                state = f"{leaf.name}0"
                if self.wrt.name == state:
                    immediate.append(here)
                elif state in self.net:  # it is computed: go on through its equation
                    inner, others = self.split(self.walk(self.net[state].right, None), None)
                    immediate += [tm.product(here, inner)] if inner is not None else []
                    for key, factor in others.items():
                        _add(edges, key, tm.product(here, factor))
            elif self._is_target(leaf.name, s) and not self._entangled:
                immediate.append(here)
            elif leaf.name in self.owner:
                _add(edges, (Node(self.owner[leaf.name], s), leaf.name), here)
        total = tm.plus(*immediate) if immediate else None
        return total, edges

    def _is_target(self, name: str, step: int) -> bool:
        return isinstance(self.wrt, tm.At) and name == self.wrt.name and self.position(self.wrt.index) == step

    def edges(self, node: Node | None) -> Edges:
        """The immediate factor of a node (None: of what is differentiated), and its other factors."""
        if node is not None and self._entangled and self.wrt.name in node.group.names:
            assert isinstance(self.wrt, tm.At)
            if node.step == self.position(self.wrt.index):
                column = [[tm.at_time(j, node.step)] for j in self.in_target(node.group)]
                return Factor("partial", self.label(node), self.wrt, tm.blocks(column)), []
        rows = [self._start()] if node is None else [self.local(n) for n in node.group.names]
        step = None if node is None else node.step
        over = self.of if node is None else self.label(node)
        split = [self.split(j, step) for j in rows]
        sizes = [self.net.shape(n)[0] for n in node.group.names] if node else [self.of.shape[0]]
        width = self.wrt.shape[0] * self.wrt.shape[1]
        immediate = None
        if any(i is not None for i, _ in split):
            column = [[i if i is not None else tm.Zeros(n, width)] for (i, _), n in zip(split, sizes, strict=True)]
            kind = (
                "partial+" if isinstance(self.wrt, tm.Parameter) and self.wrt.name in self.net.parameters else "partial"
            )
            immediate = Factor(kind, over, self.wrt, tm.blocks(column))
        nexts: dict[Node, None] = {}
        for _, found in split:
            for other, _name in found:
                nexts.setdefault(other)
        out = []
        for other in sorted(nexts, key=self._order):
            grid = [
                [found.get((other, w), tm.Zeros(n, self.net.shape(w)[0])) for w in other.group.names]
                for (_, found), n in zip(split, sizes, strict=True)
            ]
            out.append((other, Factor("partial", over, self.label(other), tm.blocks(grid))))
        return immediate, out

    def _start(self) -> Jacobians:
        if isinstance(self.of, tm.At):
            if len(self.owner.get(self.of.name, Group((), "")).names) > 1:
                return {self.of: tm.Eye(self.of.shape[0])}  # one of the states of its node
            e = self.net[self.of.name]
            return self.walk(tm.at_time(e.right, self.of.index), None, self.of)
        return self.walk(self.net[self.of.name].right, None)

    def _order(self, node: Node) -> tuple[int, int]:
        """Later layers first, then from the loss backward in time."""
        place = self.groups.index(node.group)
        step = 0 if node.step is None else int(node.step)
        return -place, step if node.group.direction == "backward" else -step

    def label(self, node: Node) -> Term:
        """The node as a term: h³, or s³ for several states."""
        names, step = node.group.names, node.step
        leaves = [self.net.leaf(n) for n in names]
        if step is None:
            return leaves[0]
        here = [tm.At(n, step, *leaf.shape) for n, leaf in zip(names, leaves, strict=True)]
        return here[0] if len(here) == 1 else State(node.group.label, step, *here)

    def table(self) -> Table:
        """Every node that a path from the loss passes, what reads before what is read."""
        found: dict[Node | None, Edges] = {}
        work: list[Node | None] = [None]
        while work:
            node = work.pop()
            if node not in found:
                found[node] = self.edges(node)
                work += [other for other, _ in found[node][1]]
        order: list[Node | None] = []
        visited: set[Node | None] = set()
        stack: list[tuple[Node | None, Iterator[Any]]] = [(None, iter(found[None][1]))]
        visited.add(None)
        while stack:
            node, rest = stack[-1]
            for other, _ in rest:
                if other not in visited:
                    visited.add(other)
                    stack.append((other, iter(found[other][1])))
                    break
            else:
                order.append(node)
                stack.pop()
        return order[::-1], found

    @cached_property
    def useful(self) -> Table:
        """The table without the nodes from which no path reaches the target."""
        order, found = self.table()
        good: set[Node | None] = set()
        for node in reversed(order):
            immediate, edges = found[node]
            if immediate is not None or any(other in good for other, _ in edges):
                good.add(node)
        kept = {n: (found[n][0], [(o, f) for o, f in found[n][1] if o in good]) for n in order if n in good}
        kept.setdefault(None, (None, []))
        return [n for n in order if n in kept], kept

    def products(self) -> Term:
        """The sum over all paths, each a product of factors, latest immediate step first."""
        order, table = self.useful
        paths: dict[Node | None, list[tuple[Term, ...]]] = {}
        for node in reversed(order):
            immediate, edges = table[node]
            found: list[tuple[Term, ...]] = [(immediate,)] if immediate is not None else []
            for other, factor in edges:
                found += [(factor, *rest) for rest in paths[other]]
            if len(found) > MAX_TERMS:
                raise RnnDeriveError(f"more than {MAX_TERMS} paths; use form='nested', which is linear in T")
            paths[node] = found
        return self.sum([tm.product(*path) for path in paths[None]])

    def nested(self) -> Term:
        """The same with common factors kept outside: linear in T."""
        order, table = self.useful
        value: dict[Node | None, Term] = {}
        for node in reversed(order):
            immediate, edges = table[node]
            parts = ([immediate] if immediate is not None else []) + [tm.product(f, value[o]) for o, f in edges]
            value[node] = self.sum(parts)
        return value[None]

    def sum(self, parts: list[Term]) -> Term:
        return tm.plus(*parts) if parts else tm.Zeros(self.of.shape[0], self.wrt.shape[0] * self.wrt.shape[1])

    def total(self, node: Node | None) -> Term:
        """d node / d target, not yet expanded."""
        return Total(self.of if node is None else self.label(node), self.wrt)

    # ------------------------------------------------------------ T a symbol

    def symbolic(self) -> Term:
        """Σ over the steps and ∏ over the factors between them, for the symbol T."""
        return Symbolic(self).closed()

    def undelayed(self, term: Term) -> Term:
        """A term with h[t-2] for the h_1[t-1] of :func:`first_order`; labels of states keep that name."""

        def leaf(node: Term) -> Term | None:
            if isinstance(node, tm.At) and node.name in self.delays:
                name, lag = self.delays[node.name]
                return tm.At(name, t, *node.shape).moved(node.index - lag)
            if isinstance(node, tm.Parameter) and node.name.endswith("0") and node.name[:-1] in self.delays:
                return tm.Parameter(f"{self.delays[node.name[:-1]][0]}0", *node.shape)
            return None

        return tm.transform(term, leaf) if self.delays else term
