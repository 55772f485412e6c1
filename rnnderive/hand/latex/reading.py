"""A text of LaTeX as claims about a network."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import sympy as sp

from rnnderive.derivation import derive
from rnnderive.errors import InputError, LanguageError
from rnnderive.hand.equations import assembled
from rnnderive.hand.formulas import Formulas
from rnnderive.hand.latex.derivatives import is_derivative
from rnnderive.hand.latex.grammar import rows as read_rows
from rnnderive.hand.latex.meaning import Meaning
from rnnderive.hand.latex.names import Names, clean
from rnnderive.hand.latex.sides import Sides
from rnnderive.hand.latex.static import Static, make
from rnnderive.hand.latex.targets import Target, Targets, nodes
from rnnderive.hand.latex.tokens import MAX_TEXT, Source
from rnnderive.hand.latex.tree import Atom, Constant, Frac, Node, Number, Relation, Row, Scripts
from rnnderive.hand.partials import partials_of
from rnnderive.hand.problem import Problem
from rnnderive.language import FUNCTIONS
from rnnderive.language import terms as tm
from rnnderive.language.syntax import LOSSES, UNARY, Line, Raw, Text
from rnnderive.language.terms import Term

__all__ = ["read_latex"]


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
    partials = partials_of(derive(problem.net, problem.derivation.wrt), steps)
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


def _steps(lines: list[Row]) -> int | None:
    """The last step of a chain written out for a number of steps; None for any T."""
    found = 0
    for row in lines:
        for side in row.sides:
            for node in nodes(side):
                if isinstance(node, Frac) and is_derivative(node):
                    for inner in nodes(node):
                        if isinstance(inner, Scripts) and isinstance(inner.sup, Number) and inner.sup.text.isdigit():
                            found = max(found, int(inner.sup.text))
                        elif isinstance(inner, Scripts) and any(_is_last(n) for n in nodes(inner.sup)):
                            return None
    return found or None


def _is_last(node: Node) -> bool:
    return isinstance(node, Atom) and node.head == "T" and not node.upright


class _Reading:
    """The equations of one text."""

    def __init__(
        self,
        problem: Problem,
        meaning: Meaning,
        lines: list[Row],
        wrt: str | None,
        given: Mapping[str, str],
        T: int | None,
    ) -> None:
        self.problem, self.meaning, self.names = problem, meaning, meaning.names
        self.source, self.T = meaning.source, T
        self.told = dict(given)
        self.notes: list[str] = []
        left = Targets(problem, meaning, lines, wrt)
        self.targets, self.fresh = left.found, left.fresh
        self.sides = Sides(problem, meaning, left.entry_shapes, left.fresh)

    def formulas(self) -> Formulas:
        """All equations of the text, with what each should be."""
        self.targets = [t for t in self.targets if not self._goes_without_saying(t)]
        self.sides.learn(self.targets)
        lines: list[Line] = []
        given: dict[str, str] = {}
        expected: dict[str, Callable[[], Term]] = {}
        written: dict[str, str] = {}
        running = {t.name for t in self.targets if t.timed and t.fixed is None}
        split = {t.name for t in self.targets if t.name in running and (t.fixed is not None or t.row.conditions)}
        pieces: dict[str, list[tuple[Target, Raw]]] = {}
        places: dict[str, int] = {}
        seen: set[str] = set()
        for target in self.targets:
            for k, side in enumerate(target.row.sides[1:]):
                if target.name in split and not k:
                    places.setdefault(target.name, len(lines) + len(places))
                    pieces.setdefault(target.name, []).append((target, self.sides.right(target, side)))
                    continue
                raw = self.sides.right(target, side)
                name, timed = target.name, target.timed and target.fixed is None
                if k or name in seen or (target.fixed is not None):
                    name = self.fresh(f"{target.name}_again" if target.fixed is None else f"{target.name}_at")
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
        lines += [Line(self._left(n, self.names.timed[n], node), raw) for n, (node, raw) in self.sides.asides.items()]
        text = Text(self.source.text, lines, [], None)
        chain = self.meaning.partials.T if self._is_chain() else None
        return assembled(
            self.problem,
            text,
            given=given,
            expected=expected,
            T=self.T or chain,
            notes=tuple(self.notes),
            written=written,
        )

    def _is_chain(self) -> bool:
        return self.sides.chained and self.meaning.partials.T is not None

    def _as_own(self, words: str) -> str:
        found = self.names._alias(words)
        return self.names.keys.get(found, words)

    def _left(self, name: str, timed: bool, node: Node) -> Raw:
        return make(node, "at", data=(name, tm.t)) if timed else make(node, "name", data=name)

    def _words(self, target: Target) -> str:
        """The line of the text that an equation stands in."""
        rows = self.source.rows
        return rows[target.node.line - 1].strip() if target.node.line <= len(rows) else ""

    def _piecewise(self, parts: list[tuple[Target, Raw]]) -> Raw:
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

    def _goes_without_saying(self, target: Target) -> bool:
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

    def _test(self, relation: Relation, target: Target) -> tuple[str, Any, Any]:
        with self.sides.in_letters_of(target):
            return self.meaning.condition(relation)
