"""Chains for the symbol T: Σ over the steps and ∏ over the factors between them.

The paths of the graph from the loss to the target, collected: inside a loop they are a product over
the steps between entry and exit, and a sum over the step of the exit.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import sympy as sp

from rnnderive.calculus.factors import Factor, OrderedProduct, SumOver
from rnnderive.calculus.nodes import Group, Node
from rnnderive.calculus.tangent import dependents
from rnnderive.errors import RnnDeriveError
from rnnderive.language import terms as tm
from rnnderive.language.terms import T, Term, t

if TYPE_CHECKING:
    from rnnderive.calculus.chain import Graph, Jacobians

__all__ = ["Symbolic"]

# The step at which the loss reads, those that sums run over, and those that products run over.
_READ, _SUMS, _FACTORS = ("tau", "theta", "omega"), "klmnpw", "jiqrab"


@dataclass(frozen=True)
class _Tail:
    """Paths from a step to the target; none start before `first` or after `last`.

    Outside 1..T stands an initial state, from which there are others: a group's paths are bounded by
    1 and T at least.
    """

    term: Term
    first: Any = None
    last: Any = None

    def moved(self, steps: int) -> tuple[Any, Any]:
        """The bounds so many steps later."""
        return tuple(None if bound is None else bound + steps for bound in (self.first, self.last))  # type: ignore[return-value]

    def at(self, step: Any) -> Term:
        """The paths from a step: none if it is out of bounds."""
        return self.term if step is None else _guarded(self.term, step, self.first, self.last)


class Symbolic:
    """The closed form of a graph's derivative, for the symbol T."""

    def __init__(self, graph: Graph) -> None:
        self.graph, self.net, self.wrt, self.of = graph, graph.net, graph.wrt, graph.of
        self._taken = {str(x) for x in self.wrt.index.free_symbols} if isinstance(self.wrt, tm.At) else set()
        self._edges: dict[Group, tuple[dict[int, Term], dict[tuple[Group, Any], Term], Term | None]] = {}

    def _step(self, letters: str | tuple[str, ...], depth: int = 0) -> Any:
        """A step to run over: one of some letters, at each depth another; no name here has it, nor has the target."""
        free = (c for c in self.net.free_letters(letters) if c not in self._taken)
        return sp.Symbol(next(itertools.islice(free, depth, None)), integer=True)

    def closed(self) -> Term:
        """The derivative as sums of products."""
        return self.graph.undelayed(self.graph.sum(self._paths()))

    def _paths(self) -> list[Term]:
        if isinstance(self.of, tm.At) and self.of.name in self.graph.owner:
            return self._from_state(self.of)
        direct: list[Term] = []
        heads: dict[Group, dict[tuple[bool, Any], Term]] = {}
        right = self.net[self.of.name].right
        for term, every in _over_time(tm.at_time(right, self.of.index) if isinstance(self.of, tm.At) else right):
            found = self.graph.walk(term, None)
            direct += [tm.TimeSum(j) if every else j for j in self._outside(found, None)]
            for group, index, j in self.split(found):
                running = every and index is not None and index.has(t)
                whole = tm.TimeSum(j) if every and not running else j
                if group is None:
                    direct.append(self._direct(j, index) if running else self._if_target(whole, index))
                else:
                    row = heads.setdefault(group, {})
                    row[running, index] = tm.plus(row[running, index], whole) if (running, index) in row else whole
        kind = "partial+" if isinstance(self.wrt, tm.Parameter) else "partial"
        found_directly = [j for j in direct if not j.is_null]
        first = [Factor(kind, self.of, self.wrt, tm.plus(*found_directly))] if found_directly else []
        return first + [part for group, row in heads.items() for part in self._through(group, row)]

    def _from_state(self, of: tm.At) -> list[Term]:
        own = self.graph.owner[of.name]
        paths = [tail.at(of.index) for tail in self._tails(own, of.index, 0)]
        if len(own.names) == 1:
            return paths
        n = of.shape[0]
        row = [tm.Eye(n) if w == of.name else tm.Zeros(n, self.net.shape(w)[0]) for w in own.names]
        head = Factor("partial", of, self.graph.label(Node(own, of.index)), tm.blocks([row]))
        return [_before(head, path) for path in paths if not path.is_null]

    def _through(self, group: Group, heads: dict[tuple[bool, Any], Term]) -> list[Term]:
        """The paths through a group, given the loss's Jacobians by whether Σ_t stands outside, and index."""
        s = self._step(_READ)
        if not any(running for running, _ in heads):
            return [
                _before(Factor("partial", self.of, self.graph.label(Node(group, index)), j), path)
                for (_, index), j in heads.items()
                for tail in self._tails(group, index, 0)
                if not (path := tail.at(index)).is_null
            ]
        first, last = sp.S.One, T
        rows = []
        for (running, index), j in heads.items():
            lag = t - index if running else sp.S.Zero
            row = tm.at_time(j, s + lag) if running else j
            if len(heads) == 1:
                first, last = 1 + max(-lag, 0), T - max(lag, 0)
            elif not running:
                row = tm.conditional("==", s, index, row)
            elif lag != 0:
                row = tm.conditional("<=", s, T - lag, row) if lag > 0 else tm.conditional(">=", s, 1 - lag, row)
            rows.append(row)
        head = Factor("partial", self.of, self.graph.label(Node(group, s)), tm.plus(*rows))
        return [_summed(tail, s, first, last, head) for tail in self._tails(group, s, 0)]

    # ------------------------------------------------------------ the target itself

    def _direct(self, j: Term, index: Any) -> Term:
        """What a loss under Σ_t that reads the target at `index` has for its one step."""
        assert isinstance(self.wrt, tm.At)
        step = self.wrt.index - (index - t)
        return _guarded(tm.at_time(j, step), step, 1, T)

    def _if_target(self, j: Term, index: Any) -> Term:
        """A Jacobian in a fixed step, if that is the target."""
        return tm.conditional("==", index, self.wrt.index, j) if isinstance(self.wrt, tm.At) else j

    def _outside(self, found: Jacobians, group: Group | None) -> list[Term]:
        """What is read outside 1..T, at a step t: the Jacobian in a target that is behind an initial state."""
        parts = []
        for leaf, j in found.items():
            lag = getattr(leaf, "lag", None)
            if not lag or (group is not None and leaf.name in group.names):
                continue
            start = self._start(leaf.name)
            if start is not None:
                m = tm.product(j, start)
                parts.append(tm.where("<=", lag, m) if lag > 0 else tm.where(">=", T + lag + 1, m))
        return parts

    def _start(self, name: str) -> Term | None:
        """The Jacobian of what a sequence is outside 1..T in the target."""
        parts = []
        for group, index, j in self._start_split(name):
            if group is not None:
                raise RnnDeriveError(
                    f"{name}0 is computed from {group.label}, and {name} is read outside its loop at another step; "
                    "a sum for the symbol T cannot say that. Give T as an integer"
                )
            parts.append(self._if_target(j, index))
        return tm.plus(*parts) if parts else None

    def _start_split(self, name: str) -> list[tuple[Group | None, Any, Term]]:
        if f"{name}0" not in self._moving:
            return []
        return self.split(self.graph.walk(tm.Parameter(f"{name}0", *self.net.shape(name)), None))

    @cached_property
    def _moving(self) -> frozenset[str]:
        """Everything that depends on the target."""
        return dependents(self.net, (self.wrt.name,))

    # ------------------------------------------------------------ edges

    def split(self, jacobians: Jacobians) -> list[tuple[Group | None, Any, Term]]:
        """Jacobians by group and index (None: the target); several states of a group make one row of blocks."""
        owner = self.graph.owner
        out: dict[tuple[Group | None, Any], dict[str, Term]] = {}
        for leaf, j in jacobians.items():
            index = leaf.index if isinstance(leaf, tm.At) else None
            if leaf.name == self.wrt.name and leaf.name not in owner:
                out.setdefault((None, index), {})[leaf.name] = j
            elif leaf.name in owner:
                out.setdefault((owner[leaf.name], index), {})[leaf.name] = j
        result: list[tuple[Group | None, Any, Term]] = []
        for (group, index), found in out.items():
            some = next(iter(found.values()))
            names = group.names if group is not None else ()
            row = [found.get(n, tm.Zeros(some.shape[0], self.net.shape(n)[0])) for n in names] or [some]
            result.append((group, index, tm.blocks([row])))
        return result

    def edges(self, group: Group) -> tuple[dict[int, Term], dict[tuple[Group, Any], Term], Term | None]:
        """Own edges by lag, edges to other groups by the index read, and the immediate Jacobian, at t."""
        if group not in self._edges:
            self._edges[group] = self._found_edges(group)
        return self._edges[group]

    def _found_edges(self, group: Group) -> tuple[dict[int, Term], dict[tuple[Group, Any], Term], Term | None]:
        local = [self.graph.local(n) for n in group.names]
        keys = dict.fromkeys(
            (self.graph.owner[leaf.name], getattr(leaf, "index", None))
            for found in local
            for leaf in found
            if leaf.name in self.graph.owner and leaf.name in self._moving
        )
        own: dict[int, Term] = {}
        others: dict[tuple[Group, Any], Term] = {}
        for other, index in keys:
            grid = []
            for name, found in zip(group.names, local, strict=True):
                here = {(leaf.name, getattr(leaf, "index", None)): j for leaf, j in found.items()}
                rows = self.net.shape(name)[0]
                grid.append([here.get((w, index), tm.Zeros(rows, self.net.shape(w)[0])) for w in other.names])
            if other is group:
                own[int(t - index)] = tm.blocks(grid)
            else:
                others[other, index] = tm.blocks(grid)
        column = []
        for found in local:
            fixed = [
                self._if_target(j, getattr(leaf, "index", None))
                for leaf, j in found.items()
                if leaf.name == self.wrt.name
                and leaf.name not in self.graph.owner
                and getattr(leaf, "lag", None) is None
            ]
            column.append([*fixed, *self._outside(found, group)])
        return own, others, self._column(group, column)

    def _passing(self, group: Group) -> dict[int, Term]:
        """The immediate Jacobians in a target that is one step of an input, by the lag at which it is read."""
        if not isinstance(self.wrt, tm.At) or self.wrt.name in self.graph.owner:
            return {}
        local = [self.graph.local(n) for n in group.names]
        leaves = [leaf for found in local for leaf in found if leaf.name == self.wrt.name]
        lags = dict.fromkeys(leaf.lag for leaf in leaves if leaf.lag is not None)
        out = {}
        for lag in lags:
            leaf = tm.At(self.wrt.name, t - lag, *self.wrt.shape)
            matrix = self._column(group, [[found[leaf]] if leaf in found else [] for found in local])
            if matrix is not None:
                out[lag] = matrix
        return out

    def _column(self, group: Group, parts: list[list[Term]]) -> Term | None:
        """Blocks one below the other, one for each state of a group; None if all are zero."""
        width = self.wrt.shape[0] * self.wrt.shape[1]
        column = [
            tm.plus(tm.Zeros(self.net.shape(n)[0], width), *found) for n, found in zip(group.names, parts, strict=True)
        ]
        return None if all(c.is_null for c in column) else tm.blocks([[c] for c in column])

    def _immediate(self, group: Group, matrix: Term, here: Any) -> Term:
        """The immediate factor at a step."""
        kind = "partial+" if self.wrt.name in self.net.parameters else "partial"
        return Factor(kind, self.graph.label(Node(group, here)), self.wrt, tm.at_time(matrix, here))

    # ------------------------------------------------------------ paths from a group

    def _tails(self, group: Group, entry: Any, depth: int) -> list[_Tail]:
        """The paths from a group at step `entry` to the target, as sums of products."""
        k, j = self._step(_SUMS, depth), self._step(_FACTORS, depth)
        if isinstance(self.wrt, tm.At) and self.wrt.name in group.names:
            return [self._to_state(group, entry, j)]
        loops, forward = group.direction != "all", group.direction == "forward"
        here = k if loops else entry
        _, others, immediate = self.edges(group)
        out = [self._to_input(group, entry, j, lag, matrix) for lag, matrix in self._passing(group).items()]
        starts = self._to_start(group, entry, j, depth) if loops else []
        out += [_Tail(path, sp.S.One, T) for path in starts]
        tails = []
        if immediate is not None:
            # With a start, the first step's immediate factor stands there.
            first, last = (sp.Integer(2), T) if forward else (sp.S.One, T - 1)
            tails.append(_tail(self._immediate(group, immediate, here), *((first, last) if starts else ())))
        for (other, index), matrix in others.items():
            place = None if index is None else index.subs(t, here)
            labels = self.graph.label(Node(group, here)), self.graph.label(Node(other, place))
            head = Factor("partial", *labels, tm.at_time(matrix, here))
            for tail in self._tails(other, place, depth + 1):
                if index is not None and index.has(t):
                    tails.append(_tail(_before(head, tail.term), *tail.moved(int(t - index))))
                elif not (path := tail.at(place)).is_null:
                    tails.append(_Tail(_before(head, path)))
        if entry is None:  # a timeless node
            return [*out, *tails]
        if not loops:
            return [*out, *(_Tail(tail.term, tail.first or sp.S.One, tail.last or T) for tail in tails)]
        for tail in tails:
            lo, hi = (sp.S.One, entry) if forward else (entry, T)
            body = _summed(tail, k, lo, hi, self._between(group, entry, k, j))
            first, last = (tail.first, None) if forward else (None, tail.last)
            out.append(_Tail(body, first or sp.S.One, last or T))
        return out

    def _to_state(self, group: Group, entry: Any, j: Any) -> _Tail:
        """The path to a target that is a state of the group at one step."""
        assert isinstance(self.wrt, tm.At)
        index = self.wrt.index
        if group.direction == "all":
            if any(self.wrt.name in stage.names for stage in self.net.schedule if stage.direction != "all"):
                raise RnnDeriveError(
                    f"{self.wrt.name} stands inside a loop, but is not its state: no other step reads it. A product "
                    "for the symbol T has one factor for each state. Give T as an integer"
                )
            return _Tail(tm.conditional("==", entry, index, tm.Eye(self.wrt.shape[0])), sp.S.One, T)
        path = self._between(group, entry, index, j)
        if len(group.names) > 1:
            column = [[tm.at_time(row, index)] for row in self.graph.in_target(group)]
            label = self.graph.label(Node(group, index))
            path = tm.product(path, Factor("partial", label, self.wrt, tm.blocks(column)))
        return _Tail(path, *((index, T) if group.direction == "forward" else (sp.S.One, index)))

    def _to_input(self, group: Group, entry: Any, j: Any, lag: int, matrix: Term) -> _Tail:
        """The path to a target that is an input at one step, read `lag` steps later."""
        assert isinstance(self.wrt, tm.At)
        step = self.wrt.index + lag
        here = tm.at_time(matrix, step)
        if group.direction == "all":
            only = tm.conditional("==", entry, step, here)
            return _Tail(Factor("partial", self.graph.label(Node(group, entry)), self.wrt, only), sp.S.One, T)
        last = Factor("partial", self.graph.label(Node(group, step)), self.wrt, _guarded(here, step, 1, T))
        path = tm.product(self._between(group, entry, step, j), last)
        return _Tail(path, *((step, T) if group.direction == "forward" else (sp.S.One, step)))

    def _to_start(self, group: Group, entry: Any, j: Any, depth: int) -> list[Term]:
        """The paths that pass through the initial states of a loop; the target may be read at the first step too."""
        columns: dict[tuple[Group | None, Any], dict[str, Term]] = {}
        for n in group.names:
            for other, index, start in self._start_split(n):
                column = columns.setdefault((other, None if other is None else index), {})
                start = self._if_target(start, index) if other is None else start
                column[n] = tm.plus(column[n], start) if n in column else start
        if not columns:
            return []
        own, _, immediate = self.edges(group)
        first = sp.S.One if group.direction == "forward" else T
        label, edge = self.graph.label(Node(group, first)), tm.at_time(next(iter(own.values())), first)
        steps = self._between(group, entry, first, j)
        if immediate is not None:
            columns.setdefault((None, None), {})
        out = []
        for (other, index), column in columns.items():
            through = [_row_times_column(row, group.names, column) for row in _grid(edge)]
            if other is None:
                matrix = self._column(group, [[m] if m is not None else [] for m in through])
                now = [] if immediate is None else [tm.at_time(immediate, first)]
                kind = "partial+" if self.wrt.name in self.net.parameters else "partial"
                parts = [*([matrix] if matrix is not None else []), *now]
                out += [tm.product(steps, Factor(kind, label, self.wrt, tm.plus(*parts)))] if parts else []
                continue
            width = next(iter(column.values())).shape[1]
            rows = zip(group.names, through, strict=True)
            grid = [[m if m is not None else tm.Zeros(self.net.shape(n)[0], width)] for n, m in rows]
            head = tm.product(steps, Factor("partial", label, self.graph.label(Node(other, index)), tm.blocks(grid)))
            paths = (tail.at(index) for tail in self._tails(other, index, depth + 1))
            out += [_before(head, path) for path in paths if not path.is_null]
        return out

    def _between(self, group: Group, entry: Any, exit_: Any, j: Any) -> Term:
        """∏ of the factors that lead from one step of a loop to another."""
        own, _, _ = self.edges(group)
        matrix = tm.at_time(next(iter(own.values())), j)
        forward = group.direction == "forward"
        before = self.graph.label(Node(group, j - 1 if forward else j + 1))
        factor = Factor("partial", self.graph.label(Node(group, j)), before, matrix)
        if forward:
            return OrderedProduct(factor, j, exit_ + 1, entry, 0)
        return OrderedProduct(factor, j, entry, exit_ - 1, 1)


# ---------------------------------------------------------------- terms


def _before(head: Term, tail: Term) -> Term:
    """A factor times a path; it goes inside a sum over steps, as the lecture writes it."""
    if isinstance(tail, SumOver):
        return SumOver(_before(head, tail.args[0]), *tail.args[1:])
    return tm.product(head, tail)


def _summed(tail: _Tail, index: Any, lo: Any, hi: Any, head: Term) -> Term:
    """Σ of a factor times the paths that start at `index`; their bounds are those of the sum where it has none."""
    first, last = tail.first, tail.last
    if first is not None and lo == 1:
        lo, first = first, None
    if last is not None and hi == T:
        hi, last = last, None
    return SumOver(_before(head, _guarded(tail.term, index, first, last)), index, lo, hi)


def _tail(term: Term, first: Any = None, last: Any = None) -> _Tail:
    """Paths that start inside 1..T, with those of their bounds that say something there."""
    first = None if first is not None and _holds(1 - first) else first
    last = None if last is not None and _holds(last - T) else last
    return _Tail(term, first, last)


def _guarded(term: Term, step: Any, first: Any, last: Any) -> Term:
    """A term where first ≤ step ≤ last; what is so at every step is not said."""
    for sign, bound in ((">=", first), ("<=", last)):
        if bound is None:
            continue
        known = _holds(step - bound if sign == ">=" else bound - step)
        if known is not None:
            term = term if known else tm.Zeros(*term.shape)
        else:
            term = tm.conditional(sign, step, bound, term)
    return term


def _holds(gap: Any) -> bool | None:
    """Whether a difference of steps is ≥ 0 (None: sometimes); its symbols are steps of 1..T."""
    gap = sp.expand(gap)
    letters = sorted(gap.free_symbols - {T}, key=str)
    if len(letters) > 1:
        return None
    u, v = sp.symbols("u v", integer=True, nonnegative=True)
    from_one = sp.expand(gap.subs({T: 1 + u + v, **dict.fromkeys(letters, 1 + u)}, simultaneous=True))
    amounts = from_one.as_coefficients_dict().values()
    if all(c >= 0 for c in amounts):
        return True
    return False if from_one.subs({u: 0, v: 0}) < 0 and all(c <= 0 for c in amounts) else None


def _grid(matrix: Term) -> list[tuple[Term, ...]]:
    return matrix.grid if isinstance(matrix, tm.Blocks) else [(matrix,)]


def _row_times_column(row: tuple[Term, ...], names: tuple[str, ...], column: dict[str, Term]) -> Term | None:
    """A row of blocks times a column of blocks by name; one that is missing is zero."""
    parts = [tm.product(b, column[n]) for b, n in zip(row, names, strict=True) if n in column]
    kept = [p for p in parts if not p.is_null]
    return tm.plus(*kept) if kept else None


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
