"""A text of LaTeX as claims about a network."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, fields
from typing import Any

import sympy as sp

from rnnderive.errors import InputError, LanguageError
from rnnderive.hand.entries import by_entry, column_index, row_index
from rnnderive.hand.formulas import Formulas, assembled
from rnnderive.hand.latex.grammar import rows as read_rows
from rnnderive.hand.latex.indices import Indices, letters_in
from rnnderive.hand.latex.meaning import Meaning, Place, _gradient_of, _is_derivative, _opened
from rnnderive.hand.latex.names import Names, clean, key, parts_of, split_transpose
from rnnderive.hand.latex.static import Shape, Static, make
from rnnderive.hand.latex.tokens import MAX_TEXT, Source
from rnnderive.hand.latex.tree import Atom, Constant, Derivation, Frac, Items, Node, Number, Product, Relation, Row, Scripts
from rnnderive.hand.partials import Partials
from rnnderive.hand.problem import Problem
from rnnderive.language import FUNCTIONS
from rnnderive.language import terms as tm
from rnnderive.language.syntax import LOSSES, UNARY, Line, Raw, Text
from rnnderive.language.terms import Term

__all__ = ["read_latex"]

ROUNDS = 6


@dataclass
class _Target:
    """What a left side is: a name at an index, or a derivative of the network.

    `letter` is the running index of the equation where it is not t, `shift` how many steps the left
    side is behind it; `fixed` is the step of an equation for one step alone.
    """

    name: str
    timed: bool
    node: Node
    row: Row
    given: str = ""
    letter: str = "t"
    shift: int = 0
    fixed: Any = None
    entries: list[str] = field(default_factory=list)
    expected: Callable[[], Term] | None = None
    wrt: str = ""
    shape: Shape | None = None


def read_latex(
    text: str,
    problem: Problem,
    *,
    wrt: str | None = None,
    T: int | None = None,
    names: Mapping[str, str] | None = None,
) -> Formulas:
    r"""Read a derivation in LaTeX.

    What the project prints is read back: adjoint equations, chains of partial derivatives for T steps or
    any T, lines of a derivation, index notation.  So are the usual variants: the time as a sub- or
    superscript, ``\odot``, ``\circ`` or ``*``, ``^\top`` or ``^T``, ``\sigma'(a)``, ``\sum_t``, ``\nabla_W L``, cases.

    Parameters
    ----------
    text : str
        Equations, in display environments or without; one formula alone if `wrt` is given.
    problem : Problem
    wrt : str, optional
        What a formula without a left side is the gradient in.
    T : int, optional
        The number of steps that a chain is for; by default its last step, or any.
    names : mapping, optional
        A name of the text → a name of the network, of the adjoint, or a function:
        ``{"W_{xh}": "W", r"\tilde{C}": "C_add", "f": "tanh"}``.

    Raises
    ------
    LanguageError
        For what cannot be read, with line, column and a caret.

    Examples
    --------
    >>> import rnnderive as rd
    >>> net = rd.Recurrence.parse('''
    ...     h[t] = tanh(U @ h[t-1] + W @ x[t])
    ...     L    = squared_error(h[T], target)
    ... ''')
    >>> hand = read_latex(r'''
    ...     \delta_T = (h_T - \mathrm{target}) \odot (1 - h_T^2) \\
    ...     \delta_t = (U^\top \delta_{t+1}) \odot (1 - h_t^2), \quad t < T \\
    ...     \frac{\partial L}{\partial U} = \sum_{t=1}^T \delta_t h_{t-1}^\top
    ... ''', Problem(net))
    >>> {n: bool(v) for n, v in hand.verdicts(Problem(net)).items()}
    {'delta': True, 'dU': True}
    """
    if not isinstance(text, str):
        raise LanguageError(f"expected LaTeX, found {type(text).__name__}")
    if len(text) > MAX_TEXT:
        raise LanguageError(f"the text has {len(text)} characters; at most {MAX_TEXT} are read")
    words = frozenset(n for n in [*problem.net.leaves, *FUNCTIONS, *UNARY, *LOSSES] if n.isalpha() and len(n) > 2)
    source = Source(text.replace("\r\n", "\n").replace("\r", "\n"), words)
    lines = read_rows(source)
    if not lines:
        raise LanguageError(r"the text has no formula; expected equations such as \delta^{t} = …")
    functions, aliases, given = _sorted(problem, names or {})
    vocabulary = Names(problem, aliases)
    steps = T if T is not None else _steps(lines)
    partials = Partials(problem.derivation, steps)
    meaning = Meaning(source, vocabulary, Static({}), partials, functions)
    return _Reading(problem, meaning, lines, wrt, given, steps if T is not None else None).formulas()


def _sorted(problem: Problem, names: Mapping[str, str]) -> tuple[dict[str, str], dict[str, str], dict[str, str]]:
    """Functions, names of the network, and names of the adjoint."""
    inner = {e.name for e in problem.derivation.pulled.backward}
    known = {*problem.net.leaves, *problem.net.initial_states}
    functions, aliases, given = {}, {}, {}
    for name, target in names.items():
        if target in known:
            aliases[name] = target
        elif target in inner:
            given[name] = target
        elif target in FUNCTIONS:
            functions[name.lstrip("\\")] = target
        else:
            there = ", ".join([*problem.net.leaves, *sorted(inner), *FUNCTIONS])
            raise InputError(f"names says that {name} is {target!r}; expected one of {there}")
    return functions, aliases, given


def _nodes(node: Any) -> Iterator[Node]:
    """A node and all below it."""
    if isinstance(node, Node):
        yield node
        for f in fields(node):
            yield from _nodes(getattr(node, f.name))
    elif isinstance(node, tuple):
        for part in node:
            yield from _nodes(part)


def _steps(lines: list[Row]) -> int | None:
    """The last step of a chain written out for a number of steps; None for any T."""
    found = 0
    for row in lines:
        for side in row.sides:
            for node in _nodes(side):
                if isinstance(node, Frac) and _is_derivative(node):
                    for inner in _nodes(node):
                        if isinstance(inner, Scripts) and isinstance(inner.sup, Number) and inner.sup.text.isdigit():
                            found = max(found, int(inner.sup.text))
    return found or None


class _Reading:
    """The equations of one text."""

    def __init__(
        self, problem: Problem, meaning: Meaning, lines: list[Row], wrt: str | None, given: Mapping[str, str], T: int | None
    ) -> None:
        self.problem, self.meaning, self.names = problem, meaning, meaning.names
        self.source, self.wrt, self.T = meaning.source, wrt, T
        self.told = dict(given)
        self.notes: list[str] = []
        self.asides: dict[str, tuple[Node, Raw]] = {}
        self._below(lines)
        self.targets = [t for row in lines for t in self._targets(row)]
        self._entries()

    # ------------------------------------------------------------ left sides

    def _below(self, lines: list[Row]) -> None:
        """Note names that have the time as a subscript."""
        for row in lines:
            for node in _nodes(row.sides):
                if isinstance(node, Scripts):
                    subs = parts_of(node.sub)
                    index = self.names.index(subs[-1]) if subs else None
                    if index is not None and index.has(tm.t, tm.T) and self.names.find(node.base, subs) is None:
                        name = self.names.find(node.base, subs[:-1])
                        if name is not None:
                            self.names.below.add(name)

    def _targets(self, row: Row) -> Iterator[_Target]:
        if len(row.sides) == 1:
            if self.wrt is None:
                node = row.sides[0]
                raise self.meaning.error("found a formula without a left side; expected an equation, or say wrt=", node)
            if self.wrt not in self.problem.gradients:
                known = ", ".join(self.problem.gradients)
                raise InputError(f"wrt is {self.wrt!r}; expected one of {known}")
            name = self.names.adjoints[self.wrt]
            self.names.own.add(name)
            timed = self.names.timed[self.wrt]
            self.names.timed.setdefault(name, timed)
            yield _Target(name, timed, row.sides[0], Row((row.sides[0], *row.sides), ()), name, wrt=self.wrt)
            return
        left = clean(row.sides[0])
        yield self._target(left, row)

    def _target(self, left: Node, row: Row) -> _Target:
        entries: list[str] = []
        if isinstance(left, Frac) and _is_derivative(left):
            over, under = clean(left.over), clean(left.under)
            assert isinstance(over, Derivation) and isinstance(under, Derivation)
            if self.meaning.is_loss(over.body):
                return self._gradient(under.body, left, row, over.kind)
            return self._jacobian(left, row)
        if isinstance(left, Derivation):
            return self._gradient(_gradient_of(left), left, row, "d")
        if isinstance(left, Product) and len(left.items) == 3 and left.signs[1] == "/" or _ratio(left):
            assert isinstance(left, Product)
            return self._target(Frac(left.line, left.column, left.items[0], left.items[1]), row)
        base, sub, sup, primes = _opened(left)
        if key(base) is None or primes:
            raise self.meaning.error("expected a name, dL/dW or a partial derivative on the left", left)
        base, sub, entries = self._split_entries(base, sub, sup, row)
        place = self._place(base, sub, sup, left)
        target = _Target(place.name, place.index is not None, left, row, entries=entries)
        self._own(base, sub, place)
        return self._indexed(target, place.index, left)

    def _own(self, base: Node, sub: Node | None, place: Place) -> None:
        subs = parts_of(sub)
        if place.index is not None and subs and self.names.index(subs[-1]) is not None:
            if self.names.find(base, subs) is None and _is_step(self.names.index(subs[-1])):
                subs = subs[:-1]
        if place.name not in self.problem.net.leaves:
            self.names.define(base, subs, place.name, place.index is not None)

    def _place(self, base: Node, sub: Node | None, sup: Node | None, left: Node) -> Place:
        """The name and index of a left side; a letter above it other than t runs as well."""
        rest, transposes = split_transpose(sup)
        node = Scripts(left.line, left.column, base, sub, sup) if sub is not None or sup is not None else base
        letter = self._letter(rest)
        kept = self.names.letters
        if letter:
            self.names.letters = {**kept, letter: tm.t}
        place = self.meaning.locate(node)
        self.names.letters = kept
        if place is None or place.rest is not None or transposes or place.transposes:
            raise self.meaning.error("expected a name on the left, such as \\delta^{t}", left)
        return place

    def _letter(self, sup: Node | None) -> str:
        """The running letter of a left side where it is not t."""
        letters = {n.head for n in _nodes(sup) if isinstance(n, Atom)} if sup is not None else set()
        letters -= {"t", "T", "top"}
        return letters.pop() if len(letters) == 1 else ""

    def _indexed(self, target: _Target, index: Any, left: Node) -> _Target:
        """Take in the index of a left side: t, t−1, T, or a letter of its own."""
        if index is None:
            return target
        rest = split_transpose(_opened(left)[2])[0] if not isinstance(left, Frac | Derivation) else None
        target.letter = self._letter(rest) or "t"
        if index.has(tm.t):
            shift = sp.expand(index - tm.t)
            if not shift.is_Integer:
                raise self.meaning.error("expected t, or a step from it, as the index on the left", left)
            target.shift = int(shift)
        else:
            target.fixed = index
        return target

    def _gradient(self, under: Node, left: Node, row: Row, kind: str) -> _Target:
        base, sub, sup, _ = _opened(under)
        base, sub, entries = self._split_entries(base, sub, sup, row)
        place = self._place(base, sub, sup, under)
        index = place.index
        of = place.name if index is None or index != 0 else f"{place.name}0"
        index = None if index is not None and index == 0 else index
        name = self.meaning.adjoint_name(of)
        target = _Target(name, index is not None, left, row, name if name in self.names.inner else "", entries=entries, wrt=of)
        if index is not None:
            target.letter = self._letter(split_transpose(sup)[0]) or "t"
        target = self._indexed(target, index, left)
        if target.letter == "t" and index is not None:
            target.letter = self._letter(split_transpose(sup)[0]) or "t"
        if target.fixed is not None:
            v, u = self.problem.net.leaf(self.problem.net.loss or ""), self.meaning.partials.leaf(of, target.fixed)
            target.expected = lambda: self._known(kind, v, u, left)
            target.shape = (sp.S.One, u.shape[0] * u.shape[1])
        self.names.own.add(name)
        self.names.timed.setdefault(name, target.timed)
        return target

    def _known(self, kind: str, over: Term, under: Term, node: Node) -> Term:
        """What a derivative of the network should be."""
        partials = self.meaning.partials
        found = partials.total(over, under) if kind == "d" else partials.partial(kind, over, under, None)
        if found is None:
            raise self.meaning.error("what this derivative should be is not known here", node)
        return found

    def _jacobian(self, left: Frac, row: Row) -> _Target:
        """∂h^t/∂h^{t−1} = …: a claim about a derivative of the network."""
        over, under = clean(left.over), clean(left.under)
        assert isinstance(over, Derivation) and isinstance(under, Derivation)
        letter = self._letter(_opened(over.body)[2])
        kept = self.names.letters
        if letter:
            self.names.letters = {**kept, letter: tm.t}
        v, u = self.meaning.under(over.body), self.meaning.under(under.body)
        for place, node in ((v, over.body), (u, under.body)):
            if not place.known:
                self.meaning._undefined(place, node)
        a, b = self.meaning._term(v, left), self.meaning._term(u, left)
        self.names.letters = kept
        timed = v.index is not None and v.index.has(tm.t)
        kind = over.kind
        name = self._fresh(f"J_{v.name}_{u.name}")
        target = _Target(name, timed, left, row, letter=letter or "t", shape=(a.shape[0], b.shape[0] * b.shape[1]))
        target.expected = lambda: self._known(kind, a, b, left)
        return target

    def _fresh(self, name: str) -> str:
        taken = {*self.problem.derivation.adjoint.leaves, *(t.name for t in getattr(self, "targets", []))}
        number, plain = 1, name
        while name in taken or name in self.names.own:
            number += 1
            name = f"{plain}_{number}"
        self.names.own.add(name)
        return name

    # ------------------------------------------------------------ index notation

    def _split_entries(
        self, base: Node, sub: Node | None, sup: Node | None, row: Row
    ) -> tuple[Node, Node | None, list[str]]:
        """The indices of entries at the end of a subscript on the left."""
        subs = parts_of(sub)
        if not subs or self.names.find(base, subs) is not None or self._is_printed(base, subs):
            return base, sub, []
        letters: list[str] = []
        kept = list(subs)
        while kept and len(letters) < 2:
            more = letters_in(kept[-1])
            if more is None or len(more) + len(letters) > 2 or (len(more) > len(set(more))):
                break
            letters = [*more, *letters]
            kept.pop()
            if self.names.find(base, kept) is not None or self._is_printed(base, kept):
                break
        if not letters or not set(letters) <= self._used_below(row):
            return base, sub, []
        if not kept:
            return base, None, letters
        if len(kept) == 1:
            return base, kept[0], letters
        return base, Items(kept[0].line, kept[0].column, tuple(kept)), letters

    def _is_printed(self, base: Node, subs: list[Node]) -> bool:
        found = key(base, subs)
        return found is not None and found in self.names.keys

    def _used_below(self, row: Row) -> set[str]:
        """Letters that stand as indices on the right."""
        found: set[str] = set()
        for side in row.sides[1:]:
            for node in _nodes(side):
                if isinstance(node, Scripts) and node.sub is not None:
                    subs = parts_of(node.sub)
                    if self.names.find(node.base, subs) is None:
                        for part in subs:
                            found |= {n.head for n in _nodes(part) if isinstance(n, Atom) and len(n.head) == 1}
                            for n in _nodes(part):
                                if isinstance(n, Atom) and n.upright:
                                    found |= set(re.findall(r"\b\w\b", n.head))
        return found

    def _entries(self) -> None:
        """Shapes of names that the text gives by their entries."""
        self.entry_shapes: dict[str, Shape] = {}
        net, adjoint = self.problem.net, self.problem.derivation.adjoint
        for n in [*net.leaves, *net.initial_states]:
            self.entry_shapes[n] = net.shape(n)
        for target in self.targets:
            if target.name in adjoint.leaves and target.name not in self.entry_shapes:
                self.entry_shapes[target.name] = adjoint.shape(target.name)
            elif target.entries:
                none: Any = None
                self.entry_shapes[target.name] = (none, none if len(target.entries) > 1 else sp.S.One)
            elif target.wrt in net.leaves:
                self.entry_shapes.setdefault(target.name, net.shape(target.wrt))

    # ------------------------------------------------------------ right sides

    def right(self, target: _Target, side: Node) -> Raw:
        """The right side of an equation, for every t."""
        meaning = self.meaning
        kept = self.names.letters
        meaning.wrt, meaning.timed, meaning.in_sum = target.wrt, target.timed and target.fixed is None, False
        meaning.used = False
        if target.letter != "t":
            self.names.letters = {**kept, target.letter: tm.t}
        elif target.shift:
            self.names.letters = {**kept, "t": tm.t - target.shift}
        try:
            if target.entries:
                return make(side, "term", data=self._by_entry(target, side))
            value = meaning.value(side)
        finally:
            self.names.letters = kept
        return self._in_shape(target, value, side)

    def _expression(self, target: _Target, side: Node) -> tuple[Any, Shape]:
        """A right side in index notation, and the shape that its indices tell."""
        indices = Indices(self.meaning, self.entry_shapes, self._aside)
        indices.letters = dict(zip(target.entries, (row_index, column_index), strict=False))
        expr = indices.value(side)
        rows, columns = (
            indices.range_of(x, [expr], side) if s is None else s
            for s, x in zip(self.entry_shapes[target.name], (row_index, column_index), strict=True)
        )
        self.entry_shapes[target.name] = (rows, columns)
        return expr, (rows, columns)

    def _by_entry(self, target: _Target, side: Node) -> Term:
        expr, (rows, columns) = self._expression(target, side)
        leaves: dict[str, Term] = {}
        for name, (r, c) in self.entry_shapes.items():
            if r is not None and c is not None:
                leaves[name] = tm.At(name, tm.t, r, c) if self.names.timed.get(name) else tm.Parameter(name, r, c)
        pair = (column_index, row_index) if rows == 1 and columns != 1 else (row_index, column_index)
        try:
            return by_entry(expr, rows, columns, leaves, *pair)
        except LanguageError as error:
            raise self.meaning.error(error.message, side) from None

    def _aside(self, node: Node) -> tuple[str, bool]:
        """A bracket of which entries are read, as a quantity of its own."""
        raw = self.meaning.value(node)
        timed = any(n.op == "at" and n.data[1].has(tm.t) for n in raw.walk())
        name = next((n for n, other in self.asides.items() if other[0] == node), None)
        if name is None:
            name = self._fresh("bracket")
            self.names.timed[name] = timed
        self.asides[name] = (node, raw)
        shape = self.meaning.static.shape(raw)
        if shape is None:
            raise self.meaning.error("the shape of this bracket is not known yet", node)
        self.entry_shapes[name] = shape
        return name, timed

    def _in_shape(self, target: _Target, value: Raw, side: Node) -> Raw:
        """A row of derivatives by every entry of vec(W), put into the shape of W."""
        if target.shape is not None:  # blocks of zeros do not tell their size
            found = self.meaning.static.shape(value)
            if found is not None and found != target.shape and found[::-1] == target.shape:
                value = make(side, ".T", value)  # the derivative of the loss as a column
            return make(side, "+", value, make(side, "term", data=tm.Zeros(*target.shape)))
        if not (self.meaning.used and target.wrt and target.expected is None and target.fixed is None):
            return value
        shape = self.meaning.static.shape(value)
        wanted = self.problem.net.shape(target.wrt)
        if shape is None or shape[0] != 1 or (shape == wanted):
            return value
        if sp.expand(shape[1] - wanted[0] * wanted[1]) != 0:
            return value
        return make(side, "like", value, data=target.wrt)

    # ------------------------------------------------------------ all together

    def formulas(self) -> Formulas:
        """All equations of the text, with what each should be."""
        self.targets = [t for t in self.targets if not self._goes_without_saying(t)]
        self._shapes()
        lines: list[Line] = []
        given: dict[str, str] = {}
        expected: dict[str, Callable[[], Term]] = {}
        written: dict[str, str] = {}
        running = {t.name for t in self.targets if t.timed and t.fixed is None}
        split = {t.name for t in self.targets if t.name in running and (t.fixed is not None or t.row.conditions)}
        pieces: dict[str, list[tuple[_Target, Raw]]] = {}
        places: dict[str, int] = {}
        seen: set[str] = set()
        for target in self.targets:
            for k, side in enumerate(target.row.sides[1:]):
                if target.name in split and not k:
                    places.setdefault(target.name, len(lines) + len(places))
                    pieces.setdefault(target.name, []).append((target, self.right(target, side)))
                    continue
                raw = self.right(target, side)
                name, timed = target.name, target.timed and target.fixed is None
                if k or name in seen or (target.fixed is not None):
                    name = self._fresh(f"{target.name}_again" if target.fixed is None else f"{target.name}_at")
                    if target.expected is None and target.given:
                        given[name] = target.given
                seen.add(name)
                if target.expected is not None:
                    expected[name] = target.expected
                elif target.given:
                    given[name] = target.given
                lines.append(Line(self._left(name, timed, target.node), raw))
                written[name] = self._words(target)
        for name, parts in pieces.items():
            lines.insert(places[name], Line(self._left(name, True, parts[0][0].node), self._piecewise(parts)))
            written[name] = r" \\ ".join(self._words(t) for t, _ in parts)
            if parts[0][0].given:
                given[name] = parts[0][0].given
        given |= {self._as_own(n): of for n, of in self.told.items()}
        lines += [Line(self._left(n, self.names.timed[n], node), raw) for n, (node, raw) in self.asides.items()]
        text = Text(self.source.text, lines, [], None)
        chain = self.meaning.partials.T if self._is_chain() else None
        return assembled(
            self.problem, text, given=given, expected=expected, T=self.T or chain, notes=tuple(self.notes), written=written
        )

    def _is_chain(self) -> bool:
        return bool(self.meaning.partials.pools) and self.meaning.partials.T is not None

    def _as_own(self, words: str) -> str:
        found = self.names._alias(words)
        return self.names.keys.get(found, words)

    def _left(self, name: str, timed: bool, node: Node) -> Raw:
        return make(node, "at", data=(name, tm.t)) if timed else make(node, "name", data=name)

    def _words(self, target: _Target) -> str:
        """The line of the text that an equation stands in."""
        rows = self.source.rows
        return rows[target.node.line - 1].strip() if target.node.line <= len(rows) else ""

    def _piecewise(self, parts: list[tuple[_Target, Raw]]) -> Raw:
        """δ^T = …, and δ^t = … for t < T, as one equation for every t."""
        fixed = [t.fixed for t, _ in parts if t.fixed is not None]
        total: Raw | None = None
        for target, raw in parts:
            node = target.node
            if target.fixed is not None:
                tests = [("==", tm.t, target.fixed)]
            elif target.row.conditions:
                tests = [self._test(c, target) for c in target.row.conditions]
            else:
                tests = []
                for step in fixed:  # it holds at every other step
                    if step == tm.T:
                        tests.append(("<=", tm.t, tm.T - 1))
                    elif step == 1:
                        tests.append((">=", tm.t, sp.Integer(2)))
            for test in tests:
                raw = make(node, "where", raw, data=test)
            total = raw if total is None else make(node, "+", total, raw)
        assert total is not None
        return total

    def _goes_without_saying(self, target: _Target) -> bool:
        """δ^{T+1} = 0."""
        if target.fixed is None:
            return False
        beyond = sp.expand(target.fixed - tm.T)
        if not ((beyond.is_Integer and beyond > 0) or (target.fixed.is_Integer and target.fixed < 1)):
            return False
        side = clean(target.row.sides[1])
        if (isinstance(side, Number) and side.text == "0") or (isinstance(side, Constant) and not side.entry):
            return True
        raise self.meaning.error("what lies outside 1..T is zero here", target.node)

    def _test(self, relation: Relation, target: _Target) -> tuple[str, Any, Any]:
        kept = self.names.letters
        if target.letter != "t":
            self.names.letters = {**kept, target.letter: tm.t}
        elif target.shift:
            self.names.letters = {**kept, "t": tm.t - target.shift}
        try:
            return self.meaning.condition(relation)
        finally:
            self.names.letters = kept

    def _shapes(self) -> None:
        """The shapes of the text's own names, as far as its equations tell them one after the other."""
        net = self.problem.net
        known: dict[str, Shape] = {n: net.shape(n) for n in [*net.leaves, *net.initial_states]}
        static = self.meaning.static
        static.shapes = known
        for _ in range(ROUNDS):
            before = len(known)
            for target in self.targets:
                if target.name in known:
                    continue
                shape = self._told_by(target)
                if shape is not None:
                    known[target.name] = shape
            if len(known) == before:
                break
        for target in self.targets:  # else what looks like a gradient has the shape of what it is taken in
            if target.name not in known and target.wrt in net.leaves:
                known[target.name] = net.shape(target.wrt)
        for _ in range(ROUNDS):
            before = len(known)
            for target in self.targets:
                if target.name not in known and (shape := self._told_by(target)) is not None:
                    known[target.name] = shape
            if len(known) == before:
                return

    def _told_by(self, target: _Target) -> Shape | None:
        if target.entries:
            return self._told_by_entries(target)
        for side in target.row.sides[1:]:
            try:
                shape = self.meaning.static.shape(self.right(target, side))
            except LanguageError:
                continue
            if shape is not None:
                return shape
        return None

    def _told_by_entries(self, target: _Target) -> Shape | None:
        self.meaning.timed, self.meaning.in_sum = target.timed, False
        for side in target.row.sides[1:]:
            try:
                return self._expression(target, side)[1]
            except LanguageError:
                continue
        return None


def _ratio(node: Node) -> bool:
    return (
        isinstance(node, Product)
        and len(node.items) == 2
        and node.signs[1] == "/"
        and all(isinstance(i, Derivation) for i in node.items)
    )


def _is_step(index: Any) -> bool:
    return index is not None and bool(index.has(tm.t) or index.has(tm.T))


