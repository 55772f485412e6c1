"""The one value of the package: a system of recurrence equations."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import sympy as sp

from rnnderive import printing as pr
from rnnderive.errors import LanguageError, ShapeError
from rnnderive.language import terms as tm
from rnnderive.language.schedule import Read, Stage, reads, schedule
from rnnderive.language.shapes import Shapes
from rnnderive.language.syntax import Raw, Text, read, write

__all__ = ["Equation", "Recurrence"]


@dataclass(frozen=True)
class Equation:
    """``left = right``; the left side is ``name[t]`` or a timeless name.

    `place` is where it stood in a text, for error messages; it takes no part in equality.
    """

    left: tm.At | tm.Parameter
    right: tm.Term
    place: tuple[Text, Raw] | None = field(default=None, compare=False, repr=False)

    @property
    def name(self) -> str:
        return self.left.name

    @property
    def timed(self) -> bool:
        """Whether it holds for every t."""
        return isinstance(self.left, tm.At)

    def error(self, kind: type[LanguageError], message: str) -> LanguageError:
        """An error that points at this equation."""
        if self.place is None:
            return kind(f"in the equation {self}: {message}")
        return self.place[0].error(kind, message, self.place[1])

    def __str__(self) -> str:
        return f"{write(self.left)} = {write(self.right)}"

    def math(self, notation: pr.Notation) -> pr.Math:
        """The formula tree of the equation."""
        sides = (self.left.math(notation), self.right.math(notation))
        return pr.Infix(("", "="), sides, pr.RELATION)


@dataclass(frozen=True)
class Recurrence:
    """A system of recurrence equations over vectors indexed by time; immutable.

    Networks, their gradients (BPTT), their tangents and hand derivations are all of this type.

    Attributes
    ----------
    equations : tuple of Equation
    loss : str or None
        The timeless scalar that is differentiated.
    declared : frozenset of str
        Bare names that are inputs (they may have a batch axis), not parameters.

    Examples
    --------
    >>> net = Recurrence.parse('''
    ...     h[t] = tanh(W @ x[t] + U @ h[t-1] + b_h)
    ...     L    = squared_error(h[T], target)
    ... ''')
    >>> net.parameters
    ('W', 'U', 'b_h')
    >>> net.shape("W")
    (n_h, n_x)
    >>> Recurrence.parse(str(net)) == net
    True
    """

    equations: tuple[Equation, ...]
    loss: str | None = None
    declared: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        seen: set[str] = set()
        for e in self.equations:
            if e.name in seen:
                raise e.error(LanguageError, f"{e.name} is defined twice; expected one equation for each name")
            seen.add(e.name)

    # ------------------------------------------------------------ text

    @classmethod
    def parse(cls, text: str, *, loss: str | None = "") -> Recurrence:
        """Read equations.

        Parameters
        ----------
        text : str
            One equation a line; see the language reference.
        loss : str or None, optional
            Name of the loss.  By default the name after ``return``, else ``L``, else the last
            timeless scalar.  ``None`` reads a system without a loss.

        Raises
        ------
        LanguageError
            With line and column; `ShapeError` and `ScheduleError` are kinds of it.
        """
        raw = read(text)
        _check_definitions(raw)
        name = _loss_name(raw, loss)
        shapes = Shapes(raw, name)
        equations = []
        for line in raw.lines:
            left = shapes.build(line.left)
            assert isinstance(left, tm.At | tm.Parameter)
            equations.append(Equation(left, shapes.build(line.right), (raw, line.left)))
        for e, line in zip(equations, raw.lines, strict=True):
            if not e.timed and any(r.lag is not None and not r.whole for r in reads(e.right, True)):
                node = next(n for n in _outside_sums(line.right) if n.op == "at" and n.data[1].has(tm.t))
                raise raw.error(
                    LanguageError,
                    f"{e.name} has no time index but reads {write_at(node)} at the running step; "
                    f"expected a fixed step ({node.data[0]}[T]) or a sum over time, sum(…, t)",
                    node,
                )
        net = cls(tuple(equations), name, frozenset(n.data for n in raw.inputs))
        if name is not None:
            net._check_loss()
        _ = net.schedule
        return net

    def _check_loss(self) -> None:
        loss = self[self.loss or ""]
        if loss.timed:
            raise loss.error(LanguageError, f"the loss {loss.name} has a time index; sum it over time: sum(…, t)")
        if not loss.left.is_scalar:
            rows, columns = loss.left.shape
            raise loss.error(
                ShapeError,
                f"the loss {loss.name} is not a scalar: {write(loss.right)} has shape {rows}×{columns}. "
                "Expected 1×1, such as squared_error(y[T], target) or sum(…)",
            )

    def __str__(self) -> str:
        lines = [f"{name}: input" for name in sorted(self.declared)]
        lines += [str(e) for e in self.equations]
        if self.loss is not None and self.loss != _default_loss(self.equations):
            lines.append(f"return {self.loss}")
        return "\n".join(lines)

    def __repr__(self) -> str:
        return f"Recurrence.parse('''\n{self}\n''')"

    # ------------------------------------------------------------ names

    def __getitem__(self, name: str) -> Equation:
        try:
            return self._by_name[name]
        except KeyError:
            raise LanguageError(f"no equation defines {name!r}; there are {', '.join(self._by_name)}") from None

    def __contains__(self, name: str) -> bool:
        return name in self._by_name

    @cached_property
    def _by_name(self) -> dict[str, Equation]:
        return {e.name: e for e in self.equations}

    @cached_property
    def leaves(self) -> Mapping[str, tm.At | tm.Parameter]:
        """One occurrence of every name, in order of appearance."""
        out: dict[str, tm.At | tm.Parameter] = {}
        for e in self.equations:
            for side in (e.left, e.right):
                for node in tm.members(side):
                    if isinstance(node, tm.At | tm.Parameter):
                        out.setdefault(node.name, node)
        return out

    @cached_property
    def sequences(self) -> tuple[str, ...]:
        """Names with a time index that an equation defines."""
        return tuple(e.name for e in self.equations if e.timed)

    @cached_property
    def inputs(self) -> tuple[str, ...]:
        """Names given from outside, per sequence: undefined sequences, targets, declared inputs."""
        targets = {
            node.args[1].name
            for e in self.equations
            for node in tm.members(e.right)
            if isinstance(node, tm.Loss) and isinstance(node.args[1], tm.Parameter)
        }
        return tuple(
            n
            for n, leaf in self.leaves.items()
            if n not in self
            and (isinstance(leaf, tm.At) or n in targets or n in self.declared)
            and n not in self._initial
        )

    @cached_property
    def parameters(self) -> tuple[str, ...]:
        """Bare names given from outside and shared by all sequences."""
        return tuple(
            n
            for n, leaf in self.leaves.items()
            if isinstance(leaf, tm.Parameter) and n not in self and n not in self.inputs and n not in self._initial
        )

    @cached_property
    def _initial(self) -> Mapping[str, str]:
        found: dict[str, str] = {}
        for e in self.equations:
            for r in sorted(self.reads(e.name), key=lambda r: r.name):
                if r.lag not in (None, 0):
                    found.setdefault(f"{r.name}0", r.name)
        return {s: n for s, n in found.items() if s not in self}

    @property
    def initial_states(self) -> tuple[str, ...]:
        """Names such as ``h0``: what a sequence is outside 1..T; zero unless given."""
        order = {n: k for k, n in enumerate(self.leaves)}
        return tuple(sorted(self._initial, key=lambda s: order[self._initial[s]]))

    def shape(self, name: str) -> tuple[Any, Any]:
        """(rows, columns) of a name."""
        leaf = self.leaves.get(name)
        if leaf is None and name in self._initial:
            leaf = self.leaves[self._initial[name]]
        if leaf is None:
            raise LanguageError(f"there is no {name!r} here; there are {', '.join(self.leaves)}")
        return leaf.shape

    def leaf(self, name: str) -> tm.At | tm.Parameter:
        """The name as a term: ``h[t]`` for a sequence, ``W`` or ``h0`` otherwise."""
        shape = self.shape(name)
        timed = isinstance(self.leaves.get(name), tm.At)
        return tm.At(name, tm.t, *shape) if timed else tm.Parameter(name, *shape)

    @cached_property
    def sizes(self) -> tuple[sp.Symbol, ...]:
        """The free sizes, in order of appearance."""
        found: dict[sp.Symbol, None] = {}
        for name in self.leaves:
            for size in self.shape(name):
                for s in sorted(sp.sympify(size).free_symbols, key=str):
                    found.setdefault(s)
        return tuple(found)

    def reads(self, name: str) -> frozenset[Read]:
        """What the equation of `name` reads."""
        return reads(self[name].right, self[name].timed)

    @cached_property
    def schedule(self) -> tuple[Stage, ...]:
        """Loops over t and what is computed for all t at once, in order."""
        return schedule(self.equations)

    @cached_property
    def shared(self) -> frozenset[str]:
        """Timeless names that all members of a batch have in common."""
        out = set(self.parameters)
        grown = True
        while grown:
            grown = False
            for e in self.equations:
                if not e.timed and e.name not in out and self.is_shared(e.right, out):
                    out.add(e.name)
                    grown = True
        return frozenset(out)

    def is_shared(self, term: tm.Term, shared: Iterable[str] | None = None) -> bool:
        """Whether a term has the same value for all members of a batch."""
        known = self.shared if shared is None else set(shared)
        match term:
            case tm.BatchSum():
                return True
            case tm.Parameter():
                return term.name in known
            case tm.At():
                return False
        return all(self.is_shared(a, known) for a in term.terms)

    def fresh(self, name: str, taken: Iterable[str] = ()) -> str:
        """`name`, with underscores appended until nothing here is called so."""
        used = set(self.leaves) | set(taken) | {f"{n}0" for n in self.sequences}
        while name in used:
            name += "_"
        return name

    def with_equations(self, *equations: Equation, loss: str | None = "") -> Recurrence:
        """This system with more equations."""
        return Recurrence((*self.equations, *equations), self.loss if loss == "" else loss, self.declared)

    # ------------------------------------------------------------ printing

    @cached_property
    def notation(self) -> pr.Notation:
        """How names are typeset: dX as dL/dX where X is a name here."""
        known = set(self.leaves) | set(self._initial)
        adjoints = {}
        for n in self.leaves:
            stem = n.rstrip("_")
            if n in self and stem.startswith("d") and stem[1:] in known and stem[1:] != "":
                adjoints[n] = stem[1:]
            elif n in self and stem.startswith("d") and stem[1:].replace("_0", "0") in known:
                adjoints[n] = stem[1:].replace("_0", "0")
        return pr.Notation(self.loss or "L", adjoints)

    @cached_property
    def _printed(self) -> frozenset[pr.Math]:
        """The names as they are printed, without what stands above them: h0 as h."""
        return frozenset(_without_index(self.notation.name(n)) for n in (*self.leaves, *self._initial))

    @cached_property
    def _letters(self) -> frozenset[str]:
        return frozenset().union(*map(pr.letters, self._printed))

    def prints(self, name: str) -> bool:
        """Whether a name of this system is printed as `name` would be: ``s_`` looks like ``s``."""
        return _without_index(pr.name_math(name)) in self._printed

    def free_letters(self, letters: Iterable[str]) -> Iterator[str]:
        """Those of some letters that stand in no name as it is printed, for what a formula counts with; then numbered.

        Examples
        --------
        >>> net = Recurrence.parse("h[t] = k * h[t-1] + W_l @ x[t]\\nL = sum(h[T])")
        >>> free = net.free_letters("klm")
        >>> next(free), next(free), next(free)
        ('m', 'k1', 'l1')
        """
        for name in pr.numbered(letters):
            if name not in self._letters and not self.prints(name):
                yield name

    def latex(self) -> str:
        """The equations as a LaTeX ``aligned`` block."""
        rows = []
        for e in self.equations:
            left, right = e.left.math(self.notation), e.right.math(self.notation)
            rows.append(f"{pr.latex(left)} &= {pr.latex(right)}")
        return "\\begin{aligned}\n" + " \\\\\n".join(rows) + "\n\\end{aligned}"

    def _repr_latex_(self) -> str:
        return f"$\\displaystyle {self.latex()}$"


def _without_index(name: pr.Math) -> pr.Math:
    if isinstance(name, pr.Script):
        return pr.Script(name.base, name.sub) if name.sub is not None else name.base
    return name


def _outside_sums(node: Raw) -> Iterator[Raw]:
    """A node and all below it that is not under Σ_t."""
    if node.op != "sum_t":
        yield node
        for part in node.parts:
            yield from _outside_sums(part)


def write_at(node: Raw) -> str:
    """A raw sequence read in words."""
    return f"{node.data[0]}[{str(node.data[1]).replace(' ', '')}]"


def _check_definitions(raw: Text) -> None:
    """Names defined twice, and names used both with and without a time index."""
    seen: dict[str, Raw] = {}
    timed: dict[str, Raw] = {}
    bare: dict[str, Raw] = {}
    for line in raw.lines:
        name = line.left.data if line.left.op == "name" else line.left.data[0]
        if name in seen:
            raise raw.error(
                LanguageError,
                f"{name} is defined twice, first in line {seen[name].line}; expected one equation for each name",
                line.left,
            )
        seen[name] = line.left
        for node in (*line.left.walk(), *line.right.walk()):
            if node.op == "at":
                timed.setdefault(node.data[0], node)
            elif node.op == "name":
                bare.setdefault(node.data, node)
    for node in raw.inputs:
        if node.data in seen:
            raise raw.error(
                LanguageError,
                f"{node.data} is declared as an input, but line {seen[node.data].line} defines it; drop one of the two",
                node,
            )
    for name, node in timed.items():
        state = name[:-1]
        if name.endswith("0") and state in timed and any(_is_lagged(raw, state)):
            raise raw.error(
                LanguageError,
                f"{name} has a time index, but it is also the initial state of {state}, read outside 1..T; "
                "rename one of the two",
                node,
            )
    for name in sorted(timed.keys() & bare.keys()):
        raise raw.error(
            LanguageError,
            f"{name} stands here without a time index and in line {timed[name].line} with one; "
            f"expected {name}[t], {name}[T] or another name",
            bare[name],
        )


def _is_lagged(raw: Text, name: str) -> Iterable[bool]:
    """Whether each read of a sequence reaches another time."""
    for line in raw.lines:
        for node in line.right.walk():
            if node.op == "at" and node.data[0] == name:
                yield node.data[1].has(tm.t) and node.data[1] != tm.t


def _loss_name(raw: Text, loss: str | None) -> str | None:
    timeless = [line.left.data for line in raw.lines if line.left.op == "name"]
    if loss is None:
        return None
    wanted = loss or raw.returned
    if wanted:
        defined = [line.left.data if line.left.op == "name" else line.left.data[0] for line in raw.lines]
        if wanted not in defined:
            raise LanguageError(f"no equation defines the loss {wanted!r}; there are {', '.join(defined)}")
        return wanted
    if not timeless:
        last = raw.lines[-1].left
        raise raw.error(
            LanguageError,
            "there is no loss: found sequences only. Expected a line such as L = squared_error(h[T], target), "
            "or say loss=None to read equations without one",
            last,
        )
    return "L" if "L" in timeless else timeless[-1]


def _default_loss(equations: tuple[Equation, ...]) -> str | None:
    timeless = [e.name for e in equations if not e.timed]
    return "L" if "L" in timeless else (timeless[-1] if timeless else None)
