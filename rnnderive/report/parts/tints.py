"""A colour and a number for every factor of a chain: the same in formulas, in figures and in tables."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from rnnderive import printing as pr
from rnnderive.calculus import Factor, Graph
from rnnderive.calculus.nodes import Node
from rnnderive.language.terms import Term
from rnnderive.report.parts.formulas import substituted

__all__ = ["Edge", "Tints"]

HEAD, TIME, IMMEDIATE, BETWEEN = 0, 1, 2, 3


@dataclass(frozen=True)
class Edge:
    """An arrow of the gradient: from a node to one that it depends on, or to the parameter.

    Attributes
    ----------
    source, target : Node or None
        None is the loss as a source, and the parameter as a target.
    factor : Factor
    tint, number : int
        Its colour and dash pattern by kind, and its number.
    """

    source: Node | None
    target: Node | None
    factor: Factor
    tint: int
    number: int


@dataclass(frozen=True)
class Tints:
    """The factors of a chain, with colours by kind and numbers in the order of the derivation."""

    edges: tuple[Edge, ...]
    table: Mapping[pr.Math, pr.Math]

    @classmethod
    def of(cls, graph: Graph, notation: pr.Notation) -> Tints:
        """Those of all paths from the loss to the parameter."""
        order, nodes = graph.useful
        edges: list[Edge] = []
        for node in order:
            immediate, others = nodes[node]
            found: list[tuple[Node | None, Term, int]] = [(o, f, _kind(node, o)) for o, f in others]
            found += [(None, immediate, IMMEDIATE)] if immediate is not None else []
            for target, factor, tint in found:
                if isinstance(factor, Factor):
                    edges.append(Edge(node, target, factor, tint, len(edges) + 1))
        shown = {e.factor.math(notation): pr.Tinted(e.factor.math(notation), e.tint, str(e.number)) for e in edges}
        return cls(tuple(edges), shown)

    def paint(self, math: pr.Math) -> pr.Math:
        """A formula with its factors in their colours."""
        painted: pr.Math = substituted(math, self.table)
        return painted

    def factor(self, factor: Term, notation: pr.Notation) -> pr.Math:
        """One factor in its colour."""
        return self.paint(factor.math(notation))


def _kind(source: Node | None, target: Node) -> int:
    if source is None:
        return HEAD
    return TIME if source.group == target.group else BETWEEN
