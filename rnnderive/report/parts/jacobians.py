"""The Jacobians of every state, and each of them as a sum over the paths through one step of the cell."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from rnnderive import printing as pr
from rnnderive.calculus import Factor, first_order, rule, stacked
from rnnderive.chains import StateChain
from rnnderive.chains import chains as chains_of
from rnnderive.language import Recurrence
from rnnderive.language import terms as tm
from rnnderive.report import document as doc
from rnnderive.report import extent
from rnnderive.report.measures import DISPLAY_EM
from rnnderive.report.parts.case import Case
from rnnderive.report.parts.formulas import equal

__all__ = ["StepPath", "jacobians", "named_blocks", "state_jacobians", "step_paths"]

MOST_PATHS = 24
NAMED = 6.0  # em: a narrower block is as quickly read as its name


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
        rows = [
            (_partial(net, v, u, chain.lag), block.math(net.notation)) for (v, u), block in named_blocks(chain).items()
        ]
        blocks.append(doc.Aligned(rows))
        if len(chain.states) > 1:
            names = doc.listed(map(pr.name_math, chain.states))
            blocks += [case.say("jacobians.blocks", names=names), _block_jacobian(net, chain)]
        if paths:
            blocks += list(_path_table(case, net, chain))
    return blocks


def named_blocks(chain: StateChain, room: float = DISPLAY_EM) -> dict[tuple[str, str], tm.Term]:
    """The blocks ∂v^t/∂u^{t-1} that are not zero; in one wider than `room`, each other block goes by its name.

    Examples
    --------
    >>> import rnnderive as rd
    >>> chain, = chains_of(rd.cells.lstm())
    >>> print(named_blocks(chain, 20.0)["h", "h"])
    diag(tanh(C[t]) * o[t] * (1 - o[t])) @ W_o[:, 0:size(h)] + diag(o[t] * (1 - tanh(C[t])**2)) @ ∂C^t/∂h^{t-1}
    """
    net = chain.net
    blocks = {(v, u): chain.block(v, u) for v in chain.states for u in chain.states}
    found = {key: block for key, block in blocks.items() if not block.is_null}
    wide = {key: extent.width(block.math(net.notation)) for key, block in found.items()}
    names: dict[tm.Term, tm.Term] = {}
    for (v, u), block in found.items():
        if wide[v, u] > NAMED:
            before = tm.At(u, tm.t - chain.lag, *net.shape(u))
            names.setdefault(block, Factor("partial", net.leaf(v), before, block))
    return {key: block if wide[key] <= room else _named(block, names) for key, block in found.items()}


def _named(block: tm.Term, names: Mapping[tm.Term, tm.Term]) -> tm.Term:
    """A block with the names of the others in it."""
    return tm.transform(block, lambda part: None if part == block else _name(part, names))


def _name(part: tm.Term, names: Mapping[tm.Term, tm.Term]) -> tm.Term | None:
    """The name of a part that is a block; of a product whose last factors are one, too."""
    if isinstance(part, tm.Product):
        for k in range(1, len(part.args)):
            found = names.get(tm.product(*part.args[k:]))
            if found is not None:
                return tm.product(*part.args[:k], found)
    return names.get(part)


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
    s = pr.name_math(stacked(net)[0])
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
