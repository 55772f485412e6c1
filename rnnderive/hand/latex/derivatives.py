"""Derivatives: quantities that the text defines, or those of the network."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rnnderive.hand.latex.names import clean
from rnnderive.hand.latex.static import make
from rnnderive.hand.latex.symbols import Place, leaf, locate, undefined
from rnnderive.hand.latex.tree import (
    Accent,
    Atom,
    Derivation,
    Frac,
    Items,
    Node,
    Scripts,
)
from rnnderive.hand.missing import LATEX, hint
from rnnderive.language import terms as tm
from rnnderive.language.syntax import Raw
from rnnderive.language.terms import Term

if TYPE_CHECKING:
    from rnnderive.hand.latex.meaning import Meaning

__all__ = [
    "adjoint_name",
    "below",
    "derivative",
    "gradient",
    "gradient_of",
    "is_derivative",
    "is_loss",
    "is_ratio",
    "term_of",
]

_LOSS_LETTERS = frozenset({"L", "E", "J", "l", "Loss", "loss"})


def is_loss(m: Meaning, node: Node) -> bool:
    """Whether a symbol is the loss."""
    node = clean(node)
    place = locate(m, node) if isinstance(node, Atom | Accent | Scripts) else None
    if place is not None and place.known:
        return place.name == m.names.net.loss
    return isinstance(node, Atom) and node.head in _LOSS_LETTERS


def adjoint_name(m: Meaning, name: str) -> str:
    """What dL/d name is called."""
    return m.names.adjoints.get(name, f"d{name}")


def below(m: Meaning, node: Node) -> Place:
    """What a derivative is taken in."""
    place = locate(m, node)
    if place is None or place.rest is not None or place.transposes:
        raise m.error("expected a name below the ∂, such as W or h^{t}", node)
    return place


def derivative(m: Meaning, over: Node, under: Node, node: Node) -> Raw:
    """∂v/∂u: a quantity that the text defines, or a derivative of the network."""
    top, bottom = clean(over), clean(under)
    assert isinstance(top, Derivation) and isinstance(bottom, Derivation)
    place = below(m, bottom.body)
    if is_loss(m, top.body):
        return _loss_in(m, place, top.kind, node)
    v = below(m, top.body)
    if not v.known or not place.known:
        undefined(m, v if not v.known else place, node)
    return _network(m, top.kind, term_of(m, v, node), term_of(m, place, node), node)


def _loss_in(m: Meaning, place: Place, kind: str, node: Node) -> Raw:
    name = adjoint_name(m, place.name)
    zeroth = place.index is not None and place.index == 0
    if zeroth and adjoint_name(m, f"{place.name}0") in m.names.own:
        return make(node, "name", data=adjoint_name(m, f"{place.name}0"))
    if name in m.names.own:
        return leaf(m, Place(name, place.index, None, 0), node)
    if not place.known:
        undefined(m, place, node)
    if place.index is not None and place.index.has(tm.t) and not m.in_sum:
        raise m.error(f"dL/d{place.name} is used here, but no equation defines it; {hint(LATEX)}", node)
    return _network(m, kind, m.names.net.leaf(m.names.net.loss or ""), term_of(m, place, node), node)


def term_of(m: Meaning, place: Place, node: Node) -> Term:
    if place.index is not None and place.index == 0:
        return tm.Parameter(f"{place.name}0", *m.names.net.shape(place.name))
    if place.name in m.names.net.leaves or place.name in m.partials.states:
        return m.partials.leaf(place.name, place.index)
    if place.name in m.names.net.initial_states:
        return m.names.net.leaf(place.name)
    raise m.error(f"{place.name} is a quantity of the text; derivatives are taken in names of the network", node)


def _network(m: Meaning, kind: str, over: Term, under: Term, node: Node) -> Raw:
    if kind == "d" and isinstance(under, tm.Parameter):
        found = m.partials.total(over, under)
    else:
        found = m.partials.partial("partial" if kind == "d" else kind, over, under, m.wrt)
    if found is None:
        raise m.error("what this derivative is worth is not known here; define it by an equation", node)
    m.used = True
    return make(node, "term", data=found)


def gradient(m: Meaning, node: Derivation) -> Raw:
    """dW, or ∇_W L, for dL/dW."""
    place = below(m, gradient_of(node))
    return _loss_in(m, place, "d", node)


def is_derivative(node: Frac) -> bool:
    over, under = clean(node.over), clean(node.under)
    return isinstance(over, Derivation) and isinstance(under, Derivation) and "nabla" not in (over.kind, under.kind)


def is_ratio(items: tuple[Node, ...], signs: tuple[str, ...], k: int) -> bool:
    """Whether dL / dW stands here."""
    return (
        k + 1 < len(items)
        and signs[k + 1] == "/"
        and isinstance(items[k], Derivation)
        and isinstance(items[k + 1], Derivation)
    )


def gradient_of(node: Derivation) -> Node:
    if node.kind == "nabla" and isinstance(node.body, Items):
        return node.body.items[1]
    return node.body
