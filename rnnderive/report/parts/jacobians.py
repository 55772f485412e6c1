"""The Jacobians of every state, and each of them as a sum over the paths through one step of the cell."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from rnnderive import printing as pr
from rnnderive.calculus import first_order, rule
from rnnderive.chains import StateChain
from rnnderive.chains import chains as chains_of
from rnnderive.language import Recurrence
from rnnderive.language import terms as tm
from rnnderive.report import document as doc
from rnnderive.report.parts.case import Case
from rnnderive.report.parts.formulas import equal

__all__ = ["StepPath", "jacobians", "state_jacobians", "step_paths"]

MOST_PATHS = 24


def jacobians(case: Case) -> list[doc.Section]:
    """Local Jacobians, block matrix, paths."""
    blocks = state_jacobians(case)
    if not blocks:
        return []
    return [case.section("jacobians.title", blocks)]


def state_jacobians(case: Case, paths: bool = True) -> list[Any]:
    """For each chain the Jacobian of every state in every state before, and the paths that make it up."""
    if not case.loops:
        return []
    net = first_order(case.net)
    blocks: list[Any] = [case.say("jacobians.intro")]
    for chain in chains_of(net):
        rows = []
        for v in chain.states:
            for u in chain.states:
                block = chain.block(v, u)
                if not block.is_null:
                    rows.append((_partial(net, v, u, chain.lag), block.math(net.notation)))
        blocks.append(doc.Aligned(rows))
        if len(chain.states) > 1:
            names = doc.listed(map(pr.name_math, chain.states))
            blocks += [case.say("jacobians.blocks", names=names), _block_jacobian(net, chain)]
        if paths:
            blocks += list(_path_table(case, net, chain))
    return blocks


def _partial(net: Recurrence, v: str, u: str, lag: int) -> pr.Math:
    before = tm.At(u, tm.t - lag, *net.shape(u))
    return pr.derivative(net.leaf(v).math(net.notation), before.math(net.notation), "partial")


def _block_jacobian(net: Recurrence, chain: StateChain) -> doc.Equation:
    """The state's Jacobian as blocks, each by its derivative; zero where there is none."""
    zero = pr.Numeral("0")
    rows = tuple(
        tuple(zero if chain.block(v, u).is_null else _partial(net, v, u, chain.lag) for u in chain.states)
        for v in chain.states
    )
    s = pr.Letter("s")
    left = pr.derivative(pr.with_index(s, pr.Letter("t")), pr.with_index(s, tm.index_math(tm.t - chain.lag)), "partial")
    return doc.Equation(equal(left, pr.Grid(rows)))


# ---------------------------------------------------------------- paths through a step


@dataclass(frozen=True)
class StepPath:
    """A path through one step: from a state before, through gates and candidates, to a state.

    Attributes
    ----------
    names : tuple of str
        From the state before to the state.
    factor : Term
        The product of the local Jacobians along it.
    """

    names: tuple[str, ...]
    factor: tm.Term


def step_paths(net: Recurrence, chain: StateChain, v: str, u: str) -> tuple[StepPath, ...]:
    """All paths from u^{t-1} to v^t; their factors add up to the block ∂v^t/∂u^{t-1}.

    Examples
    --------
    >>> import rnnderive as rd
    >>> chain, = chains_of(rd.cells.lstm())
    >>> for path in step_paths(chain.net, chain, "C", "h"):
    ...     print(path.names, path.factor)
    ('h', 'f', 'C') diag(C[t-1] * f[t] * (1 - f[t])) @ W_f[:, 0:size(h)]
    ('h', 'i', 'C') diag(C_add[t] * i[t] * (1 - i[t])) @ W_i[:, 0:size(h)]
    ('h', 'C_add', 'C') diag(i[t] * (1 - C_add[t]**2)) @ W_C[:, 0:size(h)]
    """
    return tuple(_ending(net, chain, v, u, ()))


def _ending(net: Recurrence, chain: StateChain, v: str, u: str, after: tuple[str, ...]) -> Iterator[StepPath]:
    direct = _partial_of(net, v, tm.At(u, tm.t - chain.lag, *net.shape(u)))
    if not direct.is_null:
        yield StepPath((u, v), direct)
    read = {r.name for r in net.reads(v) if r.lag == 0}
    for g in (n for n in net.sequences if n in read and n not in after):
        edge = _partial_of(net, v, tm.At(g, tm.t, *net.shape(g)))
        for path in _ending(net, chain, g, u, (*after, v)):
            yield StepPath((*path.names, v), tm.product(edge, path.factor))


def _partial_of(net: Recurrence, v: str, wanted: tm.Term) -> tm.Term:
    """The derivative of one equation's right side in a leaf, every other leaf held fixed."""
    size = wanted.shape[0] * wanted.shape[1]

    def walk(term: tm.Term, y: tm.Term | None = None) -> tm.Term:
        if term == wanted:
            return tm.Eye(size)
        out: tm.Term = tm.Zeros(term.shape[0] * term.shape[1], size)
        for k, argument in enumerate(term.terms):
            inner = walk(argument)
            if not inner.is_null:
                out = tm.plus(out, rule(term, k, y).columns(inner))
        return out

    return walk(net[v].right, net.leaf(v))


def _path_table(case: Case, net: Recurrence, chain: StateChain) -> Iterator[Any]:
    """Every path with its factor, where one step has more than one."""
    found = [p for v in chain.states for u in chain.states for p in step_paths(net, chain, v, u)]
    if len(found) < 2 or len(found) > MOST_PATHS:
        return
    rows: list[list[doc.Text]] = []
    for path in found:
        first = tm.At(path.names[0], tm.t - chain.lag, *net.shape(path.names[0])).math(net.notation)
        rest = [net.leaf(n).math(net.notation) for n in path.names[1:]]
        arrows = pr.Infix(("", *["to"] * len(rest)), (first, *rest), pr.RELATION)
        rows.append([doc.Formula(arrows), doc.Formula(path.factor.math(net.notation))])
    head = [case.words("jacobians.path"), case.words("jacobians.factor")]
    yield case.say("jacobians.paths")
    yield doc.Table(head, rows, case.words("jacobians.caption"), "ll")
