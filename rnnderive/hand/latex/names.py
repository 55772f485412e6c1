r"""Which name a symbol with scripts is: ``h_{\mathrm{add}}^{t-1}`` is ``h_add`` at t−1.

Names are compared as they are typeset: each known name is printed, read by the same grammar, and
kept under what that gives.  So whatever the project prints finds its name again.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import lru_cache
from typing import Any

import sympy as sp

from rnnderive import printing as pr
from rnnderive.errors import LanguageError
from rnnderive.hand.latex.grammar import formula
from rnnderive.hand.latex.tree import Accent, Atom, Group, Items, Node, Number, Product, Scripts, Sum
from rnnderive.hand.problem import Problem
from rnnderive.language import terms as tm

__all__ = ["Key", "Names", "bare", "clean", "key", "parts_of", "pieces", "split_transpose"]

Key = tuple[str, tuple[str, ...], tuple[str, ...]]
"""Base, marks over it, subscripts."""


def clean(node: Node) -> Node:
    """A node out of invisible braces."""
    while isinstance(node, Group) and node.fence == "{}":
        node = node.body
    return node


def bare(node: Node | None) -> Node | None:
    """A node out of all braces and brackets."""
    while isinstance(node, Group):
        node = node.body
    return node


def pieces(node: Node | None) -> tuple[str, ...] | None:
    """A subscript as words: ``add, 2`` as (add, 2); None if it is no list of words."""
    if node is None:
        return ()
    node = clean(node)
    match node:
        case Atom(head=head):
            return tuple(p for p in head.split("_") if p) or (head,)
        case Number(text=text):
            return (text,)
        case Accent(mark=mark, body=body):
            inner = pieces(body)
            return None if inner is None else (*inner, mark)
        case Scripts(base=base, sub=sub, sup=None):
            a, b = pieces(base), pieces(sub)
            return None if a is None or b is None else (*a, *b)
        case Items(items=items):
            found = [pieces(i) for i in items]
            return None if any(f is None for f in found) else tuple(p for f in found if f is not None for p in f)
        case Product(signs=signs, items=items) if not any(signs):
            found = [pieces(i) for i in items]
            if any(f is None for f in found):
                return None
            flat = [p for f in found if f is not None for p in f]
            plain = all(isinstance(clean(i), Atom | Number) for i in items)
            return ("".join(flat),) if plain else tuple(flat)
    return None


def parts_of(sub: Node | None) -> list[Node]:
    """The parts of a subscript between its commas."""
    if sub is None:
        return []
    sub = clean(sub)
    return [*sub.items] if isinstance(sub, Items) and sub.mark == "," else [sub]


def key(base: Node, subs: Iterable[Node] = ()) -> Key | None:
    """The key of a base with subscripts; None if it is no name."""
    marks: list[str] = []
    base = clean(base)
    while isinstance(base, Accent):
        marks.append(base.mark)
        base = clean(base.body)
    inner: tuple[str, ...] = ()
    if isinstance(base, Scripts) and base.sup is None and not base.primes:
        found = key(base.base, parts_of(base.sub))
        if found is None:
            return None
        head, more, inner = found
        marks += more
    elif isinstance(base, Atom):
        head, *rest = [p for p in base.head.split("_") if p] or [base.head]
        inner = tuple(rest)
    else:
        return None
    flat = [pieces(s) for s in subs]
    if any(f is None for f in flat):
        return None
    digits = re.fullmatch(r"([^\W\d]+?)(\d+)", head)
    if digits:
        head, inner = digits[1], (digits[2], *inner)
    return head, tuple(sorted(marks)), (*inner, *(p for f in flat if f is not None for p in f))


@lru_cache(maxsize=4096)
def _printed(latex: str) -> Node:
    return formula(latex)


def _key_of(math: pr.Math) -> Key | None:
    node = _printed(pr.latex(math))
    if isinstance(node, Scripts):
        zero = isinstance(node.sup, Number) and node.sup.text == "0"
        return key(node.base, parts_of(node.sub)) if node.sup is None and not zero else None
    return key(node)


def split_transpose(sup: Node | None) -> tuple[Node | None, int]:
    """A superscript without the ⊤ at its end, and how many there were."""
    if sup is None:
        return None, 0
    sup = clean(sup)
    if isinstance(sup, Atom) and (sup.head == "top" or (sup.head == "T" and sup.upright)):
        return None, 1
    if isinstance(sup, Product) and not any(sup.signs):
        rest, count = split_transpose(sup.items[-1])
        if not count and len(sup.items) > 1 and isinstance(sup.items[-1], Atom) and sup.items[-1].head == "T":
            rest, count = None, 1  # h^{tT}
        if count:
            kept = (*sup.items[:-1], *([rest] if rest is not None else []))
            if not kept:
                return None, count
            return (kept[0] if len(kept) == 1 else Product(sup.line, sup.column, ("",) * len(kept), kept)), count
    if isinstance(sup, Sum):
        rest, count = split_transpose(sup.items[-1])
        if count and rest is not None:
            return Sum(sup.line, sup.column, sup.signs, (*sup.items[:-1], rest)), count
    if isinstance(sup, Items) and sup.mark == ",":
        rest, count = split_transpose(sup.items[-1])
        if count and rest is None:
            kept = sup.items[:-1]
            return (kept[0] if len(kept) == 1 else Items(sup.line, sup.column, kept)), count
    return sup, 0


class Names:
    """The names of a network, of its adjoint, and those that a text defines.

    Attributes
    ----------
    keys : dict
        Key → name.
    timed : dict
        Name → whether it has a time index.
    letters : dict
        Letter → the index that it is: t, T, and the running indices of sums.
    below : set
        Names that the text gives a time index as a subscript.
    """

    def __init__(self, problem: Problem, aliases: Mapping[str, str]) -> None:
        net = problem.net
        adjoint = problem.derivation.adjoint
        self.net = net
        self.keys: dict[Key, str] = {}
        self.plain: dict[str, str] = {}
        self.timed: dict[str, bool] = {n: isinstance(leaf, tm.At) for n, leaf in net.leaves.items()}
        self.timed |= dict.fromkeys(net.initial_states, False)
        self.letters: dict[str, Any] = {"t": tm.t, "T": tm.T}
        self.below: set[str] = set()
        self.own: set[str] = set()
        self.adjoints = {v: n for n, v in adjoint.notation.adjoints.items()} | problem.gradients
        self.inner = {e.name: isinstance(e.left, tm.At) for e in problem.derivation.pulled.backward}
        for name in [*net.initial_states, *net.leaves]:
            self._learn(name)
        self.known = dict(self.keys)
        for name in self.inner:
            if name not in adjoint.notation.adjoints:
                self._learn(name, late=True)
        for words, name in aliases.items():
            found = self._alias(words)
            self.keys[found] = self.known[found] = name
        self.sizes = {_key_of(tm.dimension_math(s)): s for s in net.sizes}

    def _learn(self, name: str, late: bool = False) -> None:
        found = _key_of(pr.name_math(name))
        if found is not None and not (late and found in self.keys):
            self.keys[found] = name
        self.plain.setdefault(name.replace("_", ""), name)

    def _alias(self, words: str) -> Key:
        node = formula(words) if not re.fullmatch(r"\w+", words) else _printed(pr.latex(pr.name_math(words)))
        found = key(node.base, parts_of(node.sub)) if isinstance(node, Scripts) else key(node)
        if found is None:
            raise LanguageError(
                f"names has {words!r}, which is no name; expected one such as 'W_xh' or r'\\tilde{{C}}'"
            )
        return found

    # ------------------------------------------------------------ looking up

    def find(self, base: Node, subs: Iterable[Node] = ()) -> str | None:
        """The known or defined name that a base with subscripts is."""
        found = key(base, subs)
        if found is None:
            return None
        if found in self.keys:
            name = self.keys[found]
            if name in self.timed or name in self.own:
                return name
        if found in self.known:
            return self.known[found]
        joined = "".join((found[0], *found[2], *found[1]))
        name = self.plain.get(joined, "")
        return name if name in self.timed or name in self.own else None

    def typeset(self, base: Node, subs: Iterable[Node] = ()) -> str | None:
        """A name for what has none yet: that of the adjoint if it looks like it, else its words joined."""
        found = key(base, subs)
        if found is None:
            return None
        if found in self.keys:
            return self.keys[found]
        words = re.sub(r"\W", "_", "_".join((found[0], *found[2], *found[1])))
        return words if words.isidentifier() else None

    def define(self, base: Node, subs: Iterable[Node], name: str, timed: bool) -> None:
        """Take in a name that the text defines."""
        found = key(base, subs)
        assert found is not None
        self.keys[found] = name
        self.own.add(name)
        self.timed.setdefault(name, timed)

    # ------------------------------------------------------------ indices and sizes

    @contextmanager
    def reading(self, letters: Mapping[str, Any]) -> Iterator[None]:
        """Letters are running indices besides meanwhile, also where what is read turns out to be an error."""
        kept, self.letters = self.letters, {**self.letters, **letters}
        try:
            yield
        finally:
            self.letters = kept

    def index(self, node: Node | None) -> Any:
        """A time index: t, t−1, T, k+1, 3; None if it is none."""
        if node is None:
            return None
        node = clean(node)
        match node:
            case Atom(head=head):
                return self.letters.get(head) if head in self.letters else _words_index(head, self.letters)
            case Number(text=text) if text.isdigit():
                return sp.Integer(text)
            case Group(body=body, fence=fence) if fence in "(<{[":
                return self.index(body)
            case Sum(signs=signs, items=items):
                total = sp.S.Zero
                for sign, item in zip(signs, items, strict=True):
                    value = self.index(item)
                    if value is None:
                        return None
                    total += value if sign == "+" else -value
                return total
        return None

    def size(self, node: Node | None) -> Any:
        """A size: n_h, 3, T, or a sum of these; None if it is none."""
        if node is None:
            return None
        node = clean(node)
        match node:
            case Number(text=text) if text.isdigit():
                return sp.Integer(text)
            case Sum(signs=signs, items=items):
                found = [self.size(i) for i in items]
                if any(f is None for f in found):
                    return None
                return sp.Add(*(f if s == "+" else -f for s, f in zip(signs, found, strict=True)))
            case Product(signs=signs, items=items) if not any(signs):
                found = [self.size(i) for i in items]
                return None if any(f is None for f in found) else sp.Mul(*found)
            case Atom(head="T"):
                return tm.T
            case Atom(head="B"):
                return tm.BATCH
            case Scripts(base=base, sub=sub, sup=None):
                return self.sizes.get(key(base, parts_of(sub)))
        return self.sizes.get(key(node))


def _words_index(words: str, letters: Mapping[str, Any]) -> Any:
    """An index that was set upright: ``j - n_h``."""
    parts = re.findall(r"[+-]?\s*\w+", words)
    if len(parts) < 2 or "".join(parts).replace(" ", "") != words.replace(" ", ""):
        return None
    total = sp.S.Zero
    for part in parts:
        sign, name = (-1 if part.startswith("-") else 1), part.strip("+- ")
        value = letters.get(name) or (sp.Integer(name) if name.isdigit() else None)
        if value is None and name.startswith(("n_", "m_")):
            value = sp.Symbol(name, integer=True, positive=True)
        if value is None:
            return None
        total += sign * value
    return total
