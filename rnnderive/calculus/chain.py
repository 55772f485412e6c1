"""Chains: a derivative as a sum of products of Jacobians, along every path through time.

The network is seen as a graph whose nodes are the states at each step.  A *group* is the state
of one loop (h of a simple RNN, [h, C] of an LSTM, one for each layer of a stack); everything
else inside a step is eliminated.  The derivative of the loss in anything is the sum over the
paths from the loss to it, each the product of the Jacobians on its way.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import sympy as sp

from rnnderive.calculus.factors import Factor, OrderedProduct, State, SumOver, Total
from rnnderive.calculus.rules import rule
from rnnderive.calculus.tangent import dependents
from rnnderive.errors import InputError, RnnDeriveError
from rnnderive.language import terms as tm
from rnnderive.language.recurrence import Recurrence
from rnnderive.language.terms import T, Term, t

__all__ = ["Graph", "Group", "Node", "jacobian", "target"]

MAX_TERMS = 20_000
Jacobians = dict[Term, Term]


@dataclass(frozen=True)
class Group:
    """Sequences that make up one node of the graph at every step."""

    names: tuple[str, ...]
    label: str
    direction: str = "all"


@dataclass(frozen=True)
class Node:
    """A group at a step; a timeless quantity has no step."""

    group: Group
    step: Any


def target(net: Recurrence, words: str) -> Term:
    """Read what to differentiate in: ``W``, ``h0``, ``x[2]``, ``h[t]``; a bare sequence is x[k]."""
    name, _, rest = words.partition("[")
    name = name.strip()
    if not name.isidentifier():
        raise InputError(f"found {words!r}, expected a name such as W, h0 or x[1]")
    leaf = net.leaf(name)
    if isinstance(leaf, tm.Parameter):
        if rest:
            raise InputError(f"{name} has no time index; write {name} instead of {words}")
        return leaf
    inside = rest.rstrip("] ").replace(" ", "") or "k"
    base, sign, steps = inside, "", ""
    for mark in "+-":
        if mark in inside:
            base, sign, steps = *inside.partition(mark)[:2], inside.partition(mark)[2]
    symbols = {"T": T, "k": sp.Symbol("k", integer=True), "t": t}
    if base.isdigit() and not sign:
        index: Any = sp.Integer(base)
    elif base in symbols and (not sign or steps.isdigit()):
        index = symbols[base] + (int(sign + steps) if sign else 0)
    else:
        raise InputError(f"found the index {inside!r} in {words!r}, expected a step, T, T-1 or k")
    return tm.At(name, index, *leaf.shape)


@dataclass(frozen=True)
class _Tail:
    """Paths from a step to the target; the step is not before `first` and not after `last`."""

    term: Term
    first: Any = None
    last: Any = None

    def moved(self, steps: int) -> tuple[Any, Any]:
        """The bounds so many steps later."""
        return tuple(None if bound is None else bound + steps for bound in (self.first, self.last))  # type: ignore[return-value]

    def allows(self, step: Any) -> bool:
        """Whether the paths may start at a step; one that cannot be compared may."""
        gaps = [step - self.first] if self.first is not None else []
        gaps += [self.last - step] if self.last is not None else []
        return not any(sp.expand(gap).is_negative for gap in gaps)


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
        self.net, self.wrt, self.of = net, wrt, of
        self.T = sp.sympify(horizon)
        for leaf in (wrt, of):
            unknown = leaf.index.free_symbols - {T} if isinstance(leaf, tm.At) else set()
            if self.T.is_Integer and unknown:
                raise InputError(f"{leaf} is at no step; for {self.T} steps give a number, as in {leaf.name}[1]")
        self.groups = _groups(net, wrt)
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

    def _in_target(self, group: Group) -> list[Term]:
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
        return sum(not j.is_null for j in self._in_target(owner)) > 1

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

    def edges(self, node: Node | None) -> tuple[Term | None, list[tuple[Node, Term]]]:
        """The immediate factor of a node (None: of what is differentiated), and its other factors."""
        if node is not None and self._entangled and self.wrt.name in node.group.names:
            assert isinstance(self.wrt, tm.At)
            if node.step == self.position(self.wrt.index):
                column = [[tm.at_time(j, node.step)] for j in self._in_target(node.group)]
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

    def table(
        self,
    ) -> tuple[list[Node | None], dict[Node | None, tuple[Term | None, list[tuple[Node, Term]]]]]:
        """Every node that a path from the loss passes, what reads before what is read."""
        found: dict[Node | None, tuple[Term | None, list[tuple[Node, Term]]]] = {}
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
    def useful(
        self,
    ) -> tuple[list[Node | None], dict[Node | None, tuple[Term | None, list[tuple[Node, Term]]]]]:
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
        return self._sum([tm.product(*path) for path in paths[None]])

    def nested(self) -> Term:
        """The same with common factors kept outside: linear in T."""
        order, table = self.useful
        value: dict[Node | None, Term] = {}
        for node in reversed(order):
            immediate, edges = table[node]
            parts = ([immediate] if immediate is not None else []) + [tm.product(f, value[o]) for o, f in edges]
            value[node] = self._sum(parts)
        return value[None]

    def _sum(self, parts: list[Term]) -> Term:
        return tm.plus(*parts) if parts else tm.Zeros(self.of.shape[0], self.wrt.shape[0] * self.wrt.shape[1])

    def total(self, node: Node | None) -> Term:
        """d node / d target, not yet expanded."""
        return Total(self.of if node is None else self.label(node), self.wrt)

    # ------------------------------------------------------------ T a symbol

    def symbolic(self) -> Term:
        """Σ over the steps and ∏ over the factors between them, for the symbol T."""
        if self.of.name in self.owner and isinstance(self.of, tm.At):
            own = self.owner[self.of.name]
            tails = self._symbolic_from(own, self.of.index, 0)
            paths = [tail.term for tail in tails if tail.allows(self.of.index)]
            if len(own.names) > 1:
                n = self.of.shape[0]
                row = [tm.Eye(n) if w == self.of.name else tm.Zeros(n, self.net.shape(w)[0]) for w in own.names]
                head = Factor("partial", self.of, self.label(Node(own, self.of.index)), tm.blocks([row]))
                paths = [_before(head, path) for path in paths]
            return self._sum(paths)
        if self.wrt.name in self.net.initial_states and self.wrt.name[:-1] not in self.owner:
            raise self._needs_integer(f"{self.wrt.name[:-1]} is no state, but is read at another step")
        direct: list[Term] = []
        heads: dict[Group, dict[tuple[bool, Any], Term]] = {}
        right = self.net[self.of.name].right
        for term, every in _over_time(tm.at_time(right, self.of.index) if isinstance(self.of, tm.At) else right):
            for group, index, j in self._split_symbolic(self.walk(term, None)):
                if group is None:
                    direct.append(self._direct(j, index, every))
                else:
                    accumulate(heads.setdefault(group, {}), {(every, index): j})  # type: ignore[arg-type,dict-item]
        parts = [part for group, found in heads.items() for part in self._through(group, found)]
        kind = "partial+" if isinstance(self.wrt, tm.Parameter) else "partial"
        first = [Factor(kind, self.of, self.wrt, tm.plus(*direct))] if any(not j.is_null for j in direct) else []
        return self._sum([*first, *parts])

    def _through(self, group: Group, heads: dict[tuple[bool, Any], Term]) -> list[Term]:
        """The paths through a group, given the loss's Jacobians by whether Σ_t stands outside, and index."""
        s = sp.Symbol("tau", integer=True)
        for every, index in heads:
            if every and index is not None:
                lag = t - index
                if not lag.is_Integer or (lag != 0 and self.wrt.name[:-1] in group.names):
                    raise self._needs_integer(f"the loss reads {self.label(Node(group, index))} at another step")
        if not any(every for every, _ in heads):
            return [
                _before(Factor("partial", self.of, self.label(Node(group, index)), j), tail.term)
                for (_, index), j in heads.items()
                for tail in self._symbolic_from(group, index, 0)
                if tail.allows(index)
            ]
        first, last = sp.S.One, T
        rows = []
        for (every, index), j in heads.items():
            lag = t - index if every and index is not None else sp.S.Zero
            row = _renamed(j, index, s)
            if len(heads) == 1:
                first, last = 1 + max(-lag, 0), T - max(lag, 0)
            elif not every:
                row = tm.conditional("==", s, index, row)
            elif lag != 0:
                row = tm.conditional("<=", s, T - lag, row) if lag > 0 else tm.conditional(">=", s, 1 - lag, row)
            rows.append(row)
        head = Factor("partial", self.of, self.label(Node(group, s)), tm.plus(*rows))
        return [
            SumOver(
                _before(head, tail.term),
                s,
                first if tail.first is None else tail.first,
                last if tail.last is None else tail.last,
            )
            for tail in self._symbolic_from(group, s, 0)
        ]

    def _direct(self, j: Term, index: Any, every: bool) -> Term:
        """The loss's own Jacobian in the target."""
        if isinstance(self.wrt, tm.At):
            if every and index.has(t):
                return tm.at_time(j, self.wrt.index - (index - t))
            return tm.conditional("==", index, self.wrt.index, j)
        return tm.TimeSum(j) if every else j

    def _needs_integer(self, why: str) -> RnnDeriveError:
        return RnnDeriveError(f"{why}; a sum for the symbol T needs the same step. Give T as an integer")

    def _split_symbolic(self, jacobians: Jacobians) -> list[tuple[Group | None, Any, Term]]:
        """Jacobians by group and index; several states of a group make one row of blocks."""
        out: dict[tuple[Group | None, Any], dict[str, Term]] = {}
        for leaf, j in jacobians.items():
            if leaf.name == self.wrt.name and (isinstance(leaf, tm.Parameter) or leaf.name not in self.owner):
                out.setdefault((None, getattr(leaf, "index", None)), {})[leaf.name] = j
            elif leaf.name in self.owner:
                index = leaf.index if isinstance(leaf, tm.At) else None
                out.setdefault((self.owner[leaf.name], index), {})[leaf.name] = j
        result: list[tuple[Group | None, Any, Term]] = []
        for (group, index), found in out.items():
            if group is None:
                result.append((None, index, next(iter(found.values()))))
                continue
            rows = next(iter(found.values())).shape[0]
            row = [found.get(n, tm.Zeros(rows, self.net.shape(n)[0])) for n in group.names]
            result.append((group, index, tm.blocks([row])))
        return result

    def _symbolic_from(self, group: Group, entry: Any, depth: int) -> list[_Tail]:
        """The paths from a group at step `entry` to the target, as sums of products."""
        taken = {str(x) for x in self.wrt.index.free_symbols} if isinstance(self.wrt, tm.At) else set()
        free = ([c for c in letters if c not in taken] for letters in ("klmn", "jiqr"))
        k, j = (sp.Symbol(letters[depth % len(letters)], integer=True) for letters in free)
        own, others, immediate = self._symbolic_edges(group)
        if any(lag not in (1, -1) for lag in own):
            raise RnnDeriveError(
                f"the state of {', '.join(group.names)} is read at several lags; a product for the symbol T needs a "
                "lag of one. Give T as an integer, or name h[t-1] as a sequence of its own"
            )
        if isinstance(self.wrt, tm.At) and self.wrt.name in self.owner and self.owner[self.wrt.name].direction == "all":
            raise self._needs_integer(f"{self.wrt.name} stands inside a loop, but is not its state")
        computed = [f"{n}0" for n in group.names if f"{n}0" in self.net and f"{n}0" in self._moving]
        if computed and self.wrt.name not in computed:
            raise RnnDeriveError(f"{computed[0]} is computed from {self.wrt.name}; give T as an integer")
        forward = group.direction == "forward"
        loops = group.direction != "all"
        here = k if loops else entry
        if isinstance(self.wrt, tm.At) and self.wrt.name in group.names:
            path = self._between(group, entry, self.wrt.index, j)
            if len(group.names) > 1:
                column = [[tm.at_time(row, self.wrt.index)] for row in self._in_target(group)]
                label = self.label(Node(group, self.wrt.index))
                path = tm.product(path, Factor("partial", label, self.wrt, tm.blocks(column)))
            return [self._pinned(group, path)]
        start = self.wrt.name[:-1] if self.wrt.name.endswith("0") else ""
        if start in group.names:
            last = self._between(group, entry, sp.S.One if forward else T, j)
            edge = next(iter(own.values()))
            place = group.names.index(start)
            column = [[row[place]] for row in _grid(edge)]
            step = sp.S.One if forward else T
            label = self.label(Node(group, step))
            boundary = Factor("partial", label, self.wrt, tm.at_time(tm.blocks(column), step))
            return [_Tail(tm.product(last, boundary))]
        out: list[_Tail] = []
        tails: list[_Tail] = []
        if immediate is not None and isinstance(self.wrt, tm.At):  # one step of an input only
            last = self._immediate(group, immediate, self.wrt.index)
            steps = self._between(group, entry, self.wrt.index, j)
            out.append(self._pinned(group, tm.product(steps, last)))
        elif immediate is not None:
            tails.append(_Tail(self._immediate(group, immediate, here)))
        for (other, offset), matrix in others.items():
            if offset and start in self.owner:
                raise self._needs_integer(f"{group.label} reads {other.label} at a lag")
            head = Factor(
                "partial",
                self.label(Node(group, here)),
                self.label(Node(other, here + offset)),
                tm.at_time(matrix, here),
            )
            for tail in self._symbolic_from(other, here + offset, depth + 1):
                tails.append(_Tail(_before(head, tail.term), *tail.moved(-offset)))
        if not loops:
            return out + tails
        for tail in tails:
            body = _before(self._between(group, entry, k, j), tail.term)
            if (tail.first is not None and not forward) or (tail.last is not None and forward):
                raise self._needs_integer(f"{group.label} and the loop of {self.wrt} run in different directions")
            first, last = (tail.first or sp.S.One, entry) if forward else (entry, tail.last or T)
            out.append(_Tail(SumOver(body, k, first, last), tail.first, tail.last))
        return out

    def _pinned(self, group: Group, path: Term) -> _Tail:
        """A path to a target at a fixed step: it starts at that step or later, in the loop's direction."""
        assert isinstance(self.wrt, tm.At)
        index = self.wrt.index
        return _Tail(path, index, None) if group.direction == "forward" else _Tail(path, None, index)

    def _immediate(self, group: Group, matrix: Term, here: Any) -> Term:
        kind = "partial+" if isinstance(self.wrt, tm.Parameter) else "partial"
        return Factor(kind, self.label(Node(group, here)), self.wrt, tm.at_time(matrix, here))

    def _between(self, group: Group, entry: Any, exit_: Any, j: Any) -> Term:
        """∏ of the factors that lead from one step of a group to another."""
        own, _, _ = self._symbolic_edges(group)
        matrix = tm.at_time(next(iter(own.values())), j)
        forward = group.direction == "forward"
        before = self.label(Node(group, j - 1 if forward else j + 1))
        factor = Factor("partial", self.label(Node(group, j)), before, matrix)
        if forward:
            return OrderedProduct(factor, j, exit_ + 1, entry, 0)
        return OrderedProduct(factor, j, entry, exit_ - 1, 1)

    @cached_property
    def _moving(self) -> frozenset[str]:
        """Everything that depends on the target."""
        return dependents(self.net, (self.wrt.name,))

    def _symbolic_edges(self, group: Group) -> tuple[dict[int, Term], dict[tuple[Group, int], Term], Term | None]:
        """Own edges by lag, edges to other groups by offset, and the immediate Jacobian, at t."""
        local = [self.local(n) for n in group.names]
        keys: dict[tuple[Group, int], None] = {}
        for found in local:
            for leaf in found:
                if leaf.name not in self.owner or leaf.name not in self._moving:
                    continue
                if getattr(leaf, "lag", None) is None:
                    raise RnnDeriveError(f"{group.label} reads {leaf} at a fixed step; give T as an integer")
                keys.setdefault((self.owner[leaf.name], -leaf.lag))
        own: dict[int, Term] = {}
        others: dict[tuple[Group, int], Term] = {}
        for other, offset in keys:
            grid = []
            for name, found in zip(group.names, local, strict=True):
                here = {(leaf.name, leaf.index): j for leaf, j in found.items() if isinstance(leaf, tm.At)}
                rows = self.net.shape(name)[0]
                grid.append([here.get((w, t + offset), tm.Zeros(rows, self.net.shape(w)[0])) for w in other.names])
            if other is group:
                own[-offset] = tm.blocks(grid)
            else:
                others[other, offset] = tm.blocks(grid)
        width = self.wrt.shape[0] * self.wrt.shape[1]
        column = []
        for name, found in zip(group.names, local, strict=True):
            mine = [j for leaf, j in found.items() if leaf.name == self.wrt.name and leaf.name not in self.owner]
            if isinstance(self.wrt, tm.At) and any(
                leaf.lag != 0 for leaf in found if leaf.name == self.wrt.name and leaf.name not in self.owner
            ):
                raise self._needs_integer(f"{name} reads {self.wrt.name} at another step")
            column.append([tm.plus(*mine) if mine else tm.Zeros(self.net.shape(name)[0], width)])
        immediate = None if all(c[0].is_null for c in column) else tm.blocks(column)
        return own, others, immediate


def _before(head: Term, tail: Term) -> Term:
    """A factor times a path; it goes inside a sum over steps, as the lecture writes it."""
    if isinstance(tail, SumOver):
        return SumOver(_before(head, tail.args[0]), *tail.args[1:])
    return tm.product(head, tail)


def _grid(matrix: Term) -> list[tuple[Term, ...]]:
    return matrix.grid if isinstance(matrix, tm.Blocks) else [(matrix,)]


def _renamed(j: Term, index: Any, entry: Any) -> Term:
    """A row Jacobian with the running step moved so that its state stands at `entry`."""
    if index is None or not sp.sympify(index).has(t):
        return j
    return tm.at_time(j, entry - (index - t))


def _over_time(term: Term) -> list[tuple[Term, bool]]:
    """The summands of a loss; with True those that stand under Σ_t."""
    if isinstance(term, tm.Plus):
        return [part for a in term.args for part in _over_time(a)]
    if isinstance(term, tm.TimeSum):
        return [(term.args[0], True)]
    if isinstance(term, tm.Times):
        sums = [a for a in term.args if isinstance(a, tm.TimeSum)]
        if len(sums) == 1:
            others = [a for a in term.args if a is not sums[0]]
            return [(tm.times(*others, sums[0].args[0]), True)]
    return [(term, False)]


def _groups(net: Recurrence, wrt: Term) -> list[Group]:
    """Loops, in order of computation; and readouts in which the target itself appears."""
    loops = []
    feeding: set[str] = set()
    for stage in net.schedule:
        if stage.direction != "all":
            across = {r.name for n in stage.names for r in net.reads(n) if r.lag not in (None, 0)}
            names = tuple(n for n in net.sequences if n in stage.names and n in across)
            loops.append((names, stage))
            feeding |= set(stage.names)
    work = list(feeding)
    while work:
        for r in net.reads(work.pop()):
            for name in (r.name, f"{r.name}0" if r.lag else ""):
                if name in net and name not in feeding:
                    feeding.add(name)
                    work.append(name)
    several = sum(len(names) > 1 for names, _ in loops) > 1
    groups = []
    count = 0
    for stage in net.schedule:
        for names, loop in loops:
            if loop is stage:
                count += len(names) > 1
                label = net.fresh(f"s_{count}" if several else "s")
                # h before C: the order in which the loss meets them does not matter, the reader's does.
                groups.append(Group(_state_order(net, names), label, stage.direction))
                if isinstance(wrt, tm.At) and wrt.name in stage.names and wrt.name not in names:
                    groups.append(Group((wrt.name,), wrt.name))  # a gate: its other steps move with the state
        if stage.direction == "all":
            n = stage.names[0]
            if (
                isinstance(wrt, tm.Parameter)
                and n not in feeding
                and n != net.loss
                and wrt.name in {r.name for r in net.reads(n)}
            ):
                groups.append(Group((n,), n))
    return groups


def _state_order(net: Recurrence, names: tuple[str, ...]) -> tuple[str, ...]:
    """States in the order in which the equations read them across time (h before C)."""
    read = [leaf.name for e in net.equations for leaf in tm.members(e.right) if isinstance(leaf, tm.At) and leaf.lag]
    return tuple(sorted(names, key=read.index))


def jacobian(net: Recurrence, v: str, u: str, lag: int) -> Term:
    """∂v^t/∂u^{t-lag}, everything inside step t eliminated, all else of other steps held fixed."""
    if v == u and lag == 0:
        return tm.Eye(net.shape(v)[0])
    of = net.leaf(v)
    if v not in net or not isinstance(of, tm.At):
        raise InputError(f"{v} is not a sequence that an equation defines; there are {', '.join(net.sequences)}")
    wrt = net.leaf(u)
    wanted = tm.At(u, t - lag, *wrt.shape) if isinstance(wrt, tm.At) else wrt

    def walk(term: Term, y: Term | None = None) -> Term:
        size = wanted.shape[0] * wanted.shape[1]
        if term == wanted:
            return tm.Eye(size)
        if isinstance(term, tm.At) and term.index == t and term.name in net:
            if term.name not in memo:
                memo[term.name] = walk(net[term.name].right, term)
            return memo[term.name]
        out: Term = tm.Zeros(term.shape[0] * term.shape[1], size)
        for k, argument in enumerate(term.terms):
            inner = walk(argument)
            if not inner.is_null:
                out = tm.plus(out, rule(term, k, y).columns(inner))
        return out

    memo: dict[str, Term] = {}
    return walk(net[v].right, of)
