"""A symbol with scripts: its name, its time index, and what else stands above it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import sympy as sp

from rnnderive.hand.latex.names import clean, key, parts_of, split_transpose
from rnnderive.hand.latex.static import make
from rnnderive.hand.latex.tree import (
    Atom,
    Node,
    Number,
    Product,
    Scripts,
)
from rnnderive.hand.missing import LATEX, told
from rnnderive.language import terms as tm
from rnnderive.language.syntax import Raw

if TYPE_CHECKING:
    from rnnderive.hand.latex.meaning import Meaning

__all__ = ["Place", "above", "leaf", "locate", "opened", "raised", "special_letter", "undefined"]


@dataclass(frozen=True)
class Place:
    """A name that a symbol with scripts is.

    Attributes
    ----------
    name : str
    index : Expr or None
        Its time index.
    rest : Node or None
        What else stands above it: a power.
    transposes : int
    known : bool
    """

    name: str
    index: Any
    rest: Node | None
    transposes: int
    known: bool = True


def locate(m: Meaning, node: Node) -> Place | None:
    """The name and the index of a symbol; None where it is no symbol."""
    node = clean(node)
    base, sub, sup, primes = opened(node)
    if primes or key(base) is None:
        return None
    rest, transposes = split_transpose(sup)
    name, index = _named(m, base, sub)
    if name is None:
        return _unknown(m, base, sub, rest, transposes)
    timed = m.names.timed.get(name, True)
    if rest is None:
        return Place(name, index, None, transposes)
    step = m.names.index(rest)
    bare = isinstance(clean(rest), Atom | Number)
    if index is not None or not timed:
        if isinstance(clean(rest), Atom) and clean(rest).head == "T":  # type: ignore[attr-defined]
            return Place(name, index, None, transposes + 1)
        if step == 0 and not timed and isinstance(clean(rest), Number):
            raise m.error(f"{name} has no time index, so that there is none at t = 0", node)
        return Place(name, index, rest, transposes)
    if step is None:
        return Place(name, None, rest, transposes)
    if bare and name in m.names.below and (step == tm.T or (step.is_Integer and step > 1)):
        two = ("the transpose", r"^\top") if step == tm.T else (f"the power {step}", f"_t^{step}")
        raise m.error(
            f"this can be {two[0]}, or {name} at step {step}: elsewhere the text has the time as a subscript. "
            f"Write {name}_{{{step}}} or {name}{two[1]}", node,
        )  # fmt: skip
    return Place(name, step, None, transposes)


def _named(m: Meaning, base: Node, sub: Node | None) -> tuple[str | None, Any]:
    """The known name, and the index that its subscript gives."""
    subs = parts_of(sub)
    name = m.names.find(base, subs)
    if name is not None:
        return name, None
    if subs and (index := m.names.index(subs[-1])) is not None:
        name = m.names.find(base, subs[:-1])
        if name is not None and m.names.timed.get(name):
            return name, index
    label = m.names.typeset(base, subs)
    if label is not None and label not in m.names.inner and label in m.partials.states:
        return label, None
    return None, None


def _unknown(m: Meaning, base: Node, sub: Node | None, rest: Node | None, transposes: int) -> Place | None:
    """A name that nobody knows, as well as it can be told."""
    subs = parts_of(sub)
    index = m.names.index(rest)
    below = m.names.index(subs[-1]) if subs else None
    if index is None and below is not None and below.has(tm.t, tm.T):
        name = m.names.typeset(base, subs[:-1])
        return None if name is None else Place(name, below, rest, transposes, False)
    name = m.names.typeset(base, subs)
    if name is None:
        return None
    return Place(name, index, None if index is not None else rest, transposes, False)


def leaf(m: Meaning, place: Place, node: Node) -> Raw:
    """A name at its index; what lies outside 1..T is an initial state."""
    name, index = place.name, place.index
    if index is None:
        if name in m.partials.states:
            raise m.error(f"{name} is a state of several sequences; it takes a step", node)
        return make(node, "name", data=name)
    beyond = sp.expand(index - tm.T)
    if (index.is_Integer and index < 1) or (beyond.is_Integer and beyond > 0):
        return make(node, "name", data=f"{name}0")
    return make(node, "at", data=(name, index))


def undefined(m: Meaning, place: Place, node: Node) -> None:
    known = [*m.names.net.leaves, *m.names.own]
    where = "in the correct derivation only; define it" if place.name in m.names.inner else "defined nowhere"
    raise m.error(f"{told(place.name, known, where, LATEX)}; names= gives another name", node)


def raised(m: Meaning, value: Raw, rest: Node | None, transposes: int, node: Node) -> Raw:
    """A value to a power, and transposed."""
    if rest is not None:
        power = m.names.index(rest)
        if power is None or not power.is_Integer:
            shown = "a name without a time index" if value.op == "name" else "this"
            raise m.error(f"found a superscript of {shown} that is no power and no transpose", rest)
        if not -64 <= int(power) <= 64:
            raise m.error("expected an exponent up to 64", rest)
        if power < 0 and not m.static.scalar(value):
            raise m.error("found a negative power; inverses of matrices are not read, write 1/x entry by entry", rest)
        value = make(node, "**", value, data=int(power))
    for _ in range(transposes % 2):
        value = make(node, ".T", value)
    return value


def above(m: Meaning, sup: Node | None) -> tuple[Node | None, int]:
    """What stands above a bracket: a power, and transposes, T among them."""
    rest, transposes = split_transpose(sup)
    if isinstance(rest, Atom) and rest.head == "T":
        return None, transposes + 1
    return rest, transposes


def special_letter(m: Meaning, atom: Atom, sub: Node | None, sup: Node | None, node: Node) -> Raw | None:
    """Letters that mean something unless they are names: T, B, I, e, sizes."""
    if m.names.find(atom, parts_of(sub)) is not None:
        return None
    if atom.head in m.names.keys.values() and atom.head in m.names.timed | dict.fromkeys(m.names.own):
        return None
    if atom.head == "e" and sub is None and sup is not None:
        return make(node, "apply", m.value(sup), data="exp")
    if atom.head == "K" and sub is not None and sup is None:
        size = [m.names.size(p) for p in (sub.items if isinstance(sub, Product) else parts_of(sub))]
        if len(size) == 2 and None not in size:
            return make(node, "commutation", data=size)
    if atom.head == "I":
        if sup is not None and split_transpose(sup)[0] is not None:
            return None
        return make(node, "fill", data=tm.Eye)
    size = m.names.size(Scripts(node.line, node.column, atom, sub) if sub is not None else atom)
    if size is None:
        return None
    raw = make(node, "extent", data=size) if size.is_Symbol else make(node, "number", data=size)
    return raised(m, raw, sup, 0, node) if sup is not None else raw


def opened(node: Node) -> tuple[Node, Node | None, Node | None, int]:
    node = clean(node)
    if isinstance(node, Scripts):
        inner = clean(node.base)
        if isinstance(inner, Scripts) and node.sub is None and not node.primes and inner.sup is None:
            return inner.base, inner.sub, node.sup, inner.primes
        return node.base, node.sub, node.sup, node.primes
    return node, None, None, 0
