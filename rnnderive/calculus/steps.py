"""The derivation written out: a numbered line a rule, as on the lecture's slides."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import sympy as sp

from rnnderive import printing as pr
from rnnderive.calculus.chain import Graph
from rnnderive.calculus.factors import Factor, State
from rnnderive.calculus.nodes import Node
from rnnderive.calculus.symbolic import Symbolic
from rnnderive.language import terms as tm
from rnnderive.language.terms import T, Term

__all__ = ["RULES", "Step", "steps"]

# What each rule says; the names in braces are those of :attr:`Step.about`.
RULES = {
    "independent": "{of} does not depend on {wrt}",
    "chain": "chain rule: {of} depends on {wrt} through {through}",
    "direct": "chain rule: {of} depends on {wrt} directly",
    "total": "total derivative of {node}: it depends on {wrt} itself and on {through}",
    "total_itself": "total derivative of {node}: it depends on {wrt} itself",
    "total_through": "total derivative of {node}: it depends on {through}",
    "substitute": "substitute {total} and multiply out",
    "repeat": "the same again for every earlier step",
    "collect": "the same for every step, collected as a sum over steps and a product over factors",
    "blocks": "block by block",
    "jacobian": "local Jacobian, by the rule table",
}
WRITTEN_OUT = 12  # a sum of more paths, or a path of more factors, is written with ⋯


@dataclass(frozen=True)
class Step:
    """One line: ``left = right``, by a rule.

    Attributes
    ----------
    number : int
    kind : str
        The rule: a name of :data:`RULES`.
    about : mapping
        Name in the rule's words → the terms that it is about.
    left, right : Term
    shown : Math or None
        How the right side is written where it is not the term's own notation: with ⋯ for any T, and
        where a sum or a product has more than 12 parts.  `right` has all of them.
    """

    number: int
    kind: str
    about: Mapping[str, tuple[Term, ...]]
    left: Term
    right: Term
    shown: pr.Math | None = None

    @property
    def rule(self) -> str:
        """What was done, in words."""
        return re.sub(r"\{(\w+)\}", lambda found: ", ".join(map(_words, self.about[found[1]])), RULES[self.kind])

    def math(self, notation: pr.Notation | None = None) -> pr.Math:
        """The line as a formula tree."""
        notation = notation or pr.Notation()
        right = self.shown or self.right.math(notation)
        return pr.Infix(("", "="), (self.left.math(notation), right), pr.RELATION)

    def __str__(self) -> str:
        return f"({self.number}) {pr.text(self.math())}    [{self.rule}]"

    def _repr_latex_(self) -> str:
        return f"$\\displaystyle {pr.latex(self.math())}$"


def steps(graph: Graph) -> tuple[Step, ...]:
    """Derive the graph's derivative line by line."""
    lines = _symbolic(graph) if not graph.T.is_Integer else _unrolled(graph)
    return tuple(
        Step(k, kind, about, left, graph.undelayed(right), *shown)
        for k, ((kind, about), left, right, *shown) in enumerate(lines, 1)
    )


def _rule(kind: str, **about: Term | Iterable[Term]) -> tuple[str, dict[str, tuple[Term, ...]]]:
    """A rule's name, and what it is about."""
    return kind, {name: (terms,) if isinstance(terms, Term) else tuple(terms) for name, terms in about.items()}


def _words(term: Term) -> str:
    return pr.text(term.math(pr.Notation()))


def _unrolled(graph: Graph) -> Iterator[tuple[Any, ...]]:
    order, table = graph.useful
    left = graph.total(None)

    def expanded(node: Node | None) -> list[Term]:
        immediate, edges = table[node]
        return ([immediate] if immediate is not None else []) + [tm.product(f, graph.total(o)) for o, f in edges]

    if not any(table[None]):
        yield _rule("independent", of=graph.of, wrt=graph.wrt), left, graph.sum([])
        return
    current = expanded(None)
    through = [graph.label(o) for o, _ in table[None][1]]
    ends = {"of": graph.of, "wrt": graph.wrt}
    start = _rule("chain", **ends, through=through) if through else _rule("direct", **ends)
    notation = pr.Notation(graph.net.loss or "L")
    yield start, left, *_line(current, notation)
    for node in order:
        if node is None:
            continue
        label, total = graph.label(node), graph.total(node)
        parts = expanded(node)
        yield _reason(graph, label, table[node]), total, *_line(parts, notation)
        current = [piece for part in current for piece in _substituted(part, total, parts)]
        yield _rule("substitute", total=total), left, *_line(current, notation)
    yield from _written_out(f for n in order for f in (*(g for _, g in table[n][1]), table[n][0]) if f is not None)


def _line(paths: list[Term], notation: pr.Notation) -> tuple[Term, pr.Math | None]:
    """A sum of paths, and how it is written where it is long: the first and the last ones, ⋯ between them."""
    total = tm.plus(*paths)
    longest = max((len(p.args) for p in paths if isinstance(p, tm.Product)), default=0)
    if max(len(paths), longest) <= WRITTEN_OUT:
        return total, None
    ends = [*paths[:2], *paths[-1:]] if len(paths) > 3 else paths
    items = [_path(p, notation) for p in ends]
    if len(paths) > 3:
        items.insert(2, pr.Symbol("dots"))
    return total, pr.Infix(("", *["+"] * (len(items) - 1)), tuple(items), pr.SUM) if len(items) > 1 else items[0]


def _path(path: Term, notation: pr.Notation) -> pr.Math:
    """A product, written without its middle where it is long."""
    if not isinstance(path, tm.Product) or len(path.args) <= WRITTEN_OUT:
        return path.math(notation)
    first, last = tm.Product(*path.args[:3]), tm.Product(*path.args[-2:])
    return pr.Row((first.math(notation), pr.Symbol("dots"), last.math(notation)))


def _written_out(factors: Iterable[Term]) -> Iterator[tuple[Any, ...]]:
    """Every factor as a matrix expression, once; that of several states block by block."""
    seen: set[Term] = set()
    for factor in factors:
        assert isinstance(factor, Factor)
        if factor.jacobian in seen:
            continue
        seen.add(factor.jacobian)
        if not isinstance(factor.jacobian, tm.Blocks):
            yield _rule("jacobian"), factor, factor.jacobian
            continue
        blocks = _named_blocks(factor)
        yield _rule("blocks"), factor, tm.blocks(blocks)
        parts = [b for row in blocks for b in row if isinstance(b, Factor)]
        yield from _written_out(p for p in parts if p.jacobian not in seen)
        seen |= {p.jacobian for p in parts}


def _named_blocks(factor: Factor) -> list[list[Term]]:
    """The blocks of a factor between several states, each by its own derivative."""
    overs, unders = ([*s.terms] if isinstance(s, State) else [s] for s in (factor.over, factor.under))
    kind = factor.args[0]
    return [
        [b if b.is_null else Factor(kind, over, under, b) for under, b in zip(unders, row, strict=True)]
        for over, row in zip(overs, factor.jacobian.grid, strict=True)
    ]


def _reason(graph: Graph, label: Term, entry: tuple[Term | None, list[tuple[Node, Term]]]) -> tuple[str, Any]:
    immediate, edges = entry
    through = [graph.label(o) for o, _ in edges]
    if immediate is None:
        return _rule("total_through", node=label, through=through)
    if not through:
        return _rule("total_itself", node=label, wrt=graph.wrt)
    return _rule("total", node=label, wrt=graph.wrt, through=through)


def _substituted(part: Term, total: Term, parts: list[Term]) -> list[Term]:
    """A summand with the total derivative at its end replaced by a sum."""
    factors = part.args if isinstance(part, tm.Product) else (part,)
    if factors[-1] != total:
        return [part]
    return [tm.product(*factors[:-1], p) for p in parts]


def _symbolic(graph: Graph) -> Iterator[tuple[Any, ...]]:
    """For the symbol T: the first expansions, then the general term, then the closed form."""
    left, closed = graph.total(None), graph.symbolic()
    first = _opening(graph)
    if first is not None:
        yield from first
    yield _rule("collect"), left, closed
    yield from _written_out(_factors(closed))


def _factors(term: Term) -> Iterator[Factor]:
    if isinstance(term, Factor):
        yield term
        return
    for a in term.terms:
        yield from _factors(a)


def _opening(graph: Graph) -> list[tuple[Any, ...]] | None:
    """The lecture's line for any T, where there is one loop and the loss reads its last step."""
    loops = [g for g in graph.groups if g.direction == "forward"]
    if len(graph.groups) != 1 or not loops or not isinstance(graph.wrt, tm.Parameter) or isinstance(graph.of, tm.At):
        return None
    if graph.wrt.name not in graph.net.parameters:
        return None
    group = loops[0]
    symbolic = Symbolic(graph)
    start = symbolic.split(graph.walk(graph.net[graph.of.name].right, None))
    if [(g, i) for g, i, _ in start] != [(group, T)]:
        return None
    own, _, immediate = symbolic.edges(group)
    if immediate is None or set(own) != {1}:
        return None

    def node(k: Any) -> Node:
        return Node(group, k)

    def step(k: Any) -> Term:
        return Factor("partial", graph.label(node(k)), graph.label(node(k - 1)), tm.at_time(own[1], k))

    def direct(k: Any) -> Term:
        return Factor("partial+", graph.label(node(k)), graph.wrt, tm.at_time(immediate, k))

    head = Factor("partial", graph.of, graph.label(node(T)), start[0][2])
    left, last = graph.total(None), graph.total(node(T))
    lines: list[tuple[Any, ...]] = [
        (
            _rule("chain", of=graph.of, wrt=graph.wrt, through=graph.label(node(T))),
            left,
            tm.product(head, last),
        ),
        (
            _rule("total", node=graph.label(node(T)), wrt=graph.wrt, through=graph.label(node(T - 1))),
            last,
            tm.plus(direct(T), tm.product(step(T), graph.total(node(T - 1)))),
        ),
    ]
    one = sp.S.One
    shown = [
        tm.product(head, direct(T)),
        tm.product(head, step(T), direct(T - 1)),
    ]
    notation = pr.Notation(graph.net.loss or "L")
    tail = pr.Row((
        tm.product(head, step(T), step(T - 1)).math(notation), pr.Symbol("dots"), step(one + 1).math(notation),
        graph.total(node(one)).math(notation),
    ))  # fmt: skip
    formula = pr.Infix(
        ("", "+", "+", "+"),
        (shown[0].math(notation), shown[1].math(notation), pr.Symbol("dots"), tail),
        pr.SUM,
    )
    lines.append((_rule("repeat"), left, graph.symbolic(), formula))
    return lines
