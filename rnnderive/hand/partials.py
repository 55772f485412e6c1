"""What the partial derivatives of a chain are worth: ∂h³/∂h² as a factor that knows its matrix.

First come the factors of the network's own chain; a derivative that is none of them (∂L/∂y^T) is
taken through everything that stands between the two inside one step.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property, lru_cache
from typing import Any

import sympy as sp

from rnnderive import printing as pr
from rnnderive.calculus import Factor, State
from rnnderive.calculus.rules import rule
from rnnderive.derivation import Derivation
from rnnderive.errors import RnnDeriveError
from rnnderive.language import terms as tm
from rnnderive.language.terms import Term, t

__all__ = ["Partials", "partials_of"]


class Partials:
    """The derivatives of a network that a chain is made of.

    Parameters
    ----------
    d : Derivation
    T : int or None
        The number of steps; None for any.
    """

    def __init__(self, d: Derivation, T: int | None) -> None:
        self.d, self.net, self.T = d, d.net, T
        self.pools: dict[str, list[Factor]] = {}

    def factors(self, wrt: str) -> list[Factor]:
        """The factors of the chain of a name."""
        if wrt not in self.pools:
            try:
                whole = self.d.chain(wrt) if self.T is None else self.d.chain(wrt, self.T, form="nested")
                self.pools[wrt] = [n for n in _factors(whole) if isinstance(n, Factor)]
            except RnnDeriveError:
                self.pools[wrt] = []
        return self.pools[wrt]

    @cached_property
    def states(self) -> dict[str, State]:
        """Label → the state of several sequences that it stands for."""
        found: dict[str, State] = {}
        for wrt in self.net.parameters:
            for f in self.factors(wrt):
                for side in (f.over, f.under):
                    if isinstance(side, State):
                        found.setdefault(str(side.args[0]), side)
        return found

    def leaf(self, name: str, index: Any) -> Term:
        """A name as a term: h at a step, a state of several sequences at a step, W."""
        if name in self.states:
            state = self.states[name]
            return State(name, index, *(tm.At(m.name, index, *m.shape) for m in state.terms))
        return self.net.leaf(name) if index is None else tm.At(name, index, *self.net.leaf(name).shape)

    def partial(self, kind: str, over: Term, under: Term, wrt: str | None = None) -> Term | None:
        """∂over/∂under, or ∂⁺; None where it is not known what that is."""
        names = [n for n in (getattr(under, "name", ""), wrt or "") if n in self.d.wrt]
        for name in [*names, *(n for n in self.net.parameters if n not in names)]:
            for f in self.factors(name):
                found = _placed(f, over, under)
                if found is not None and (f.args[0].name == "partial+") <= isinstance(under, tm.Parameter):
                    return Factor(kind, over, under, found)
            if len(self.pools) > 4 and not isinstance(over, State) and not isinstance(under, State):
                break
        if isinstance(over, State) or isinstance(under, State):
            return self._blocks(kind, over, under)
        j = self.direct(over, under)
        return None if j is None else Factor(kind, over, under, j)

    def _blocks(self, kind: str, over: Term, under: Term) -> Term | None:
        """Between states of several sequences, block by block."""
        overs, unders = ([*s.terms] if isinstance(s, State) else [s] for s in (over, under))
        grid = [[self.direct(v, u) for u in unders] for v in overs]
        if any(b is None for row in grid for b in row):
            return None
        return Factor(kind, over, under, tm.blocks([[b for b in row if b is not None] for row in grid]))

    def direct(self, over: Term, under: Term) -> Term | None:
        """The derivative through everything inside one step, all other steps held fixed."""
        if over == under:
            return tm.Eye(over.shape[0])
        name = over.name
        if name not in self.net:
            return None
        step = over.index if isinstance(over, tm.At) else under.index if isinstance(under, tm.At) else None
        right = self.net[name].right
        term = tm.at_time(right, step) if isinstance(over, tm.At) else right
        if self.T is not None:
            term = tm.at_horizon(term, self.T)
        return self._walk(term, under, step, over, {})

    def _walk(self, term: Term, under: Term, step: Any, y: Term | None, memo: dict[Term, Term]) -> Term:
        size = under.shape[0] * under.shape[1]
        if term == under:
            return tm.Eye(size)
        if isinstance(term, tm.At | tm.Parameter):
            opens = term.name in self.net and (isinstance(term, tm.Parameter) or term.index == step)
            if not opens:
                return tm.Zeros(term.shape[0] * term.shape[1], size)
            if term not in memo:
                right = self.net[term.name].right
                inner = tm.at_time(right, term.index) if isinstance(term, tm.At) else right
                memo[term] = self._walk(inner, under, step, term, memo)
            return memo[term]
        if isinstance(term, tm.TimeSum) and step is not None:
            return self._walk(tm.at_time(term.args[0], step), under, step, None, memo)
        out: Term = tm.Zeros(term.shape[0] * term.shape[1], size)
        for k, argument in enumerate(term.terms):
            inner = self._walk(argument, under, step, None, memo)
            if not inner.is_null:
                out = tm.plus(out, rule(term, k, y).columns(inner))
        return out

    def total(self, over: Term, under: Term) -> Term | None:
        """dv/du through all steps, as the chain that it is."""
        wrt = f"{under.name}[{under.index}]" if isinstance(under, tm.At) else under.name
        rows = []
        for part in over.terms if isinstance(over, State) else (over,):
            if isinstance(part, tm.At):
                of = f"{part.name}[{part.index}]".replace(" ", "")
                inside = self.T is not None or part.index.free_symbols <= {tm.T}
            else:
                of, inside = None, part.name == self.net.loss
            if not inside:
                return None
            try:
                rows.append(
                    [self.d.chain(wrt, *([self.T] if self.T else []), of=of, form="nested" if self.T else "sum")]
                )
            except RnnDeriveError:
                return None
        return Factor("d", over, under, tm.blocks(rows))


@lru_cache(maxsize=16)
def partials_of(d: Derivation, T: int | None) -> Partials:
    """The derivatives of a network; lines of one derivation share them."""
    return Partials(d, T)


def _factors(term: Term) -> Iterator[Term]:
    seen: set[Term] = set()
    work = [term]
    while work:
        node = work.pop()
        if node in seen:
            continue
        seen.add(node)
        if isinstance(node, Factor):
            yield node
        else:
            work += node.terms


def _placed(factor: Factor, over: Term, under: Term) -> Term | None:
    """A factor's matrix for another pair of steps the same distance apart; None if it is another derivative."""
    if _stem(factor.over) != _stem(over) or _stem(factor.under) != _stem(under):
        return None
    a, b, c, d = (_index(x) for x in (factor.over, factor.under, over, under))
    if (a is None) != (c is None) or (b is None) != (d is None):
        return None
    if (a, b) == (c, d):
        return factor.jacobian
    running = [x for x in (a, b) if x is not None]
    letters = {s for x in running for s in x.free_symbols} - {tm.T}
    if len(letters) != 1 or any(_fixed(x) for x in running):
        return None
    letter = letters.pop()
    here = c - (a - letter) if a is not None else d - (b - letter)
    if any(y is not None and sp.expand(x.subs(letter, here) - y) != 0 for x, y in ((a, c), (b, d))):
        return None
    return tm.at_time(_renamed(factor.jacobian, letter), here)


def _fixed(index: Any) -> bool:
    return not (index.free_symbols - {tm.T})


def _renamed(term: Term, letter: Any) -> Term:
    """The term with t in the place of a running index."""

    def leaf(node: Term) -> Term | None:
        if isinstance(node, tm.At) and node.index.has(letter):
            return tm.At(node.name, node.index.subs(letter, t), *node.shape)
        if isinstance(node, tm.Where):
            sign, left, right = node.relation
            return tm.conditional(sign, left.subs(letter, t), right.subs(letter, t), tm.transform(node.args[3], leaf))
        return None

    return tm.transform(term, leaf)


def _stem(term: Term) -> str:
    if isinstance(term, State):
        return str(term.args[0])
    return term.name if isinstance(term, tm.At | tm.Parameter) else pr.text(term.math(pr.Notation()))


def _index(term: Term) -> Any:
    return term.args[1] if isinstance(term, tm.At | State) else None
