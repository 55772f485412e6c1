"""Loops as lists of operations on places in memory, from the equations of a loop.

An operation writes one place: a product of a vector and a matrix, a sum, a product entry by entry, a
function, or, for what is rarer, a NumPy expression.  :mod:`rnnderive.programs.steps` writes them as NumPy calls
with ``out=``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import sympy as sp

from rnnderive.language import terms as tm
from rnnderive.language.recurrence import Equation, Recurrence
from rnnderive.language.schedule import Stage
from rnnderive.language.terms import Term
from rnnderive.programs.layout import kind
from rnnderive.programs.passes.common import is_linear

__all__ = [
    "Constant",
    "Fixed",
    "Loop",
    "Op",
    "View",
    "aliases",
    "gate_major",
    "is_whole",
    "lower",
    "part_key",
    "places",
]


@dataclass(frozen=True)
class View:
    """Entries start..stop of a sequence at a lag, or of scratch memory, which has no lag.

    `folds` > 1 sees the entries as so many rows of equal length; −1, as one row that goes with each of them.
    """

    name: str
    lag: int | None
    start: Any
    stop: Any
    folds: int = 1

    @property
    def size(self) -> Any:
        return sp.expand(self.stop - self.start)

    def part(self, start: Any, stop: Any) -> View:
        """A part of it."""
        return replace(self, start=sp.expand(self.start + start), stop=sp.expand(self.start + stop))


@dataclass(frozen=True)
class Constant:
    """A number."""

    number: sp.Rational


@dataclass(frozen=True)
class Fixed:
    """What does not change in the loop; a matrix is meant transposed, to stand on the right of a product."""

    term: Term
    transposed: bool = False


Operand = View | Constant | Fixed


@dataclass(frozen=True)
class Op:
    """One operation.

    `word` is dot, add, subtract, multiply, divide, negative, copy, expression, or the name of a function.
    """

    word: str
    out: View
    args: tuple[Operand, ...] = ()
    term: Term | None = None  # for an expression


@dataclass
class Loop:
    """The operations of one step, each under the equation that it belongs to."""

    stage: Stage
    equations: list[tuple[Equation, list[Op]]] = field(default_factory=list)
    scratch: dict[str, Any] = field(default_factory=dict)

    @property
    def operations(self) -> list[Op]:
        return [op for _, ops in self.equations for op in ops]

    @property
    def views(self) -> list[View]:
        """The places in sequences that operations read and write."""
        operands = (v for op in self.operations for v in (op.out, *op.args))
        return [v for v in operands if isinstance(v, View) and v.lag is not None]


def part_key(name: str, start: Any, stop: Any) -> str:
    """What a range of a sequence is called in tables of names."""
    return f"{name}[{sp.expand(start)}:{sp.expand(stop)}]"


def is_whole(net: Recurrence, name: str, start: Any, stop: Any) -> bool:
    """Whether a range is all of a sequence."""
    return bool(start == 0 and sp.expand(stop - net.shape(name)[0]) == 0)


# ---------------------------------------------------------------- in place


def aliases(net: Recurrence, stage: Stage, fixed: Iterable[str]) -> dict[str, tuple[str, Any]]:
    """Sequence → the sequence, and where in it, over which it may be written: nothing else reads those entries."""
    kept = set(fixed)
    reads: dict[str, list[tuple[str, Any, Any]]] = {}
    for e in net.equations:
        for v in places(e.right):
            reads.setdefault(v.name, []).append((e.name, v.start, v.stop))
    out: dict[str, tuple[str, Any]] = {}
    for name in stage.names:
        right = net[name].right
        leaves = [n for n in tm.members(right) if isinstance(n, tm.At)]
        if len(leaves) != 1 or not _elementwise(right) or leaves[0].lag != 0:
            continue
        source = leaves[0].name
        if source not in stage.names or source in kept or name in kept or {f"{source}0", f"{name}0"} & set(net.leaves):
            continue
        (v,) = places(right)
        if sp.expand(v.size - net.shape(name)[0]) != 0:
            continue
        others = [r for r in reads[source] if r[0] != name]
        if all(_apart((v.start, v.stop), (a, b)) for _, a, b in others):
            base, offset = out.get(source, (source, sp.S.Zero))
            out[name] = (base, sp.expand(offset + v.start))
    return out


def places(term: Term) -> list[View]:
    """The sequences, or ranges of their entries, that a term reads; at a fixed step without a lag."""
    if isinstance(term, tm.Block) and isinstance(term.args[0], tm.At) and term.is_column:
        at, start, stop = term.args[:3]
        return [View(at.name, at.lag, start, stop)]
    if isinstance(term, tm.At):
        return [View(term.name, term.lag, sp.S.Zero, term.shape[0])]
    return [v for a in term.terms for v in places(a)]


def _apart(a: tuple[Any, Any], b: tuple[Any, Any]) -> bool:
    """Whether two ranges have no entry in common, whatever the sizes."""
    return bool(sp.expand(b[0] - a[1]).is_nonnegative or sp.expand(a[0] - b[1]).is_nonnegative)


def _elementwise(term: Term) -> bool:
    if isinstance(term, tm.At | tm.Number) or (isinstance(term, tm.Block) and isinstance(term.args[0], tm.At)):
        return True
    return isinstance(term, tm.Plus | tm.Times | tm.Power | tm.Apply) and all(_elementwise(a) for a in term.terms)


# ---------------------------------------------------------------- gates on an axis of their own


def gate_major(
    net: Recurrence, loops: Iterable[Loop], over: Mapping[str, tuple[str, Any]]
) -> dict[str, tuple[int, Any]]:
    """Bundle → number and size of its gates, where each gate can lie together in memory: it is read gate by gate.

    In a batch, entries of one gate are then neighbours, not scattered over the rows of all gates.
    """
    loops = list(loops)
    inside = {n for loop in loops for n in loop.stage.names}

    def root(v: View) -> tuple[str, Any, Any]:
        name, base = over.get(v.name, (v.name, sp.S.Zero))
        return name, sp.expand(base + v.start), sp.expand(base + v.stop)

    sizes: dict[str, set[Any]] = {}
    touched = [v for e in net.equations for v in places(e.right)] + [v for loop in loops for v in loop.views]
    ranges = [root(v) for v in touched if v.name in inside]
    for name, start, stop in ranges:
        sizes.setdefault(name, set()).add(sp.expand(stop - start))
    found: dict[str, tuple[int, Any]] = {}
    for name, widths in sizes.items():
        whole = net.shape(name)[0]
        for w in sorted(widths, key=str):
            count = sp.cancel(whole / w)
            if count.is_Integer and count > 1:
                found[name] = (int(count), w)
    for name, start, stop in ranges:  # every range begins and ends with a gate
        if name in found and not all(sp.cancel(x / found[name][1]).is_Integer for x in (start, stop)):
            del found[name]

    def gates(v: Operand) -> int:
        """Gates in an operand: 0 for what has none."""
        if not isinstance(v, View) or v.name not in inside or root(v)[0] not in found:
            return 0
        return int(sp.cancel(v.size / found[root(v)[0]][1]))

    for e in net.equations:  # outside the loops it must be read one gate at a time
        if e.name not in inside:
            for v in places(e.right):
                if gates(v) > 1:
                    found.pop(root(v)[0], None)
    changed = True
    while changed:
        changed = False
        for op in (op for loop in loops for op in loop.operations):
            several = [v for v in (op.out, *op.args) if isinstance(v, View) and gates(v) > 1]
            if not several:
                continue
            count = gates(several[0])
            fits = all(gates(v) == count for v in (op.out, *op.args) if isinstance(v, View) and op.word != "dot")
            fits = fits and op.word != "expression" and all(v.folds == 1 for v in several)
            if op.word == "dot":
                fits = fits and gates(op.out) > 1 and gates(op.args[0]) <= 1
            fits = fits and (op.word != "copy" or not isinstance(op.args[0], Fixed))
            if not fits:
                for v in several:
                    found.pop(root(v)[0], None)
                changed = True
    return found


# ---------------------------------------------------------------- operations


def lower(net: Recurrence, stage: Stage) -> Loop:
    """The operations of one step of a loop."""
    return _Lowering(net, stage).loop


class _Lowering:
    def __init__(self, net: Recurrence, stage: Stage) -> None:
        self.net, self.stage = net, stage
        self.loop = Loop(stage)
        self.free: dict[Any, list[str]] = {}
        for name in stage.names:
            e = net[name]
            self.ops: list[Op] = []
            out = View(name, 0, sp.S.Zero, net.shape(name)[0])
            if kind(e.left) == "column":
                self.into(e.right, out)
            else:
                self.ops.append(Op("expression", out, term=e.right))
            self.loop.equations.append((e, self.ops))

    def scratch(self, size: Any) -> View:
        """Memory for a value on the way."""
        names = self.free.setdefault(size, [])
        if names:
            name = names.pop()
        else:
            name = f"temp{len(self.loop.scratch) + 1}"
            self.loop.scratch[name] = size
        return View(name, None, sp.S.Zero, size)

    def release(self, *operands: Operand) -> None:
        """Let scratch memory be used again."""
        for v in operands:
            if isinstance(v, View) and v.lag is None:
                whole = self.loop.scratch[v.name]
                if v.name not in self.free.setdefault(whole, []):
                    self.free[whole].append(v.name)

    def put(self, word: str, out: View, *args: Operand, term: Term | None = None) -> None:
        self.ops.append(Op(word, out, args, term))
        self.release(*(a for a in args if a != out))

    # ------------------------------------------------------------ operands

    def operand(self, term: Term) -> Operand | None:
        """A term that is in memory already."""
        if isinstance(term, tm.Number):
            return Constant(term.number)
        at = term.args[0] if isinstance(term, tm.Block) else term
        if isinstance(at, tm.At) and at.lag is not None and term.is_column:
            return places(term)[0]
        if not any(isinstance(n, tm.At | tm.Where) for n in tm.members(term)):
            return Fixed(term)
        return None

    def value(self, term: Term) -> Operand:
        """A term as an operand, computed into scratch memory where need be."""
        found = self.operand(term)
        if found is None:
            found = self.scratch(term.shape[0])
            self.into(term, found)
        return found

    # ------------------------------------------------------------ terms

    def into(self, term: Term, out: View) -> None:
        """Compute a column into a place."""
        known = self.operand(term)
        if known is not None:
            self.put("copy", out, known)
            return
        match term:
            case tm.Plus():
                self.plus(term, out)
            case tm.Times():
                runs = self.runs(term)
                if runs is None:
                    self.times(term, out)
                else:
                    self.multiply_runs(*runs, out)
            case tm.Power() if term.args[1] == 2:
                v = self.value(term.args[0])
                self.put("multiply", out, v, v)
            case tm.Power() if term.args[1] == -1:
                inner = self.operand(term.args[0])
                if inner is None:
                    self.into(term.args[0], out)
                    inner = out
                self.put("divide", out, Constant(sp.S.One), inner)
            case tm.Product() if is_linear(self.net, term) and all(kind(a) == "matrix" for a in term.args[:-1]):
                head = tm.product(*term.args[:-1])
                self.put("dot", out, self.value(term.args[-1]), Fixed(head, transposed=True))
            case tm.Apply() if term.name != "identity":
                inner = self.operand(term.args[1])
                if inner is None:
                    self.into(term.args[1], out)
                    inner = out
                self.put(term.name, out, inner)
            case tm.Stack() if term.is_column:
                start: Any = sp.S.Zero
                for part in term.args:
                    stop = sp.expand(start + part.shape[0])
                    self.part_into(part, out.part(start, stop))
                    start = stop
            case _:
                self.put("expression", out, term=term)

    def part_into(self, term: Term, place: View) -> None:
        """Compute into a part of a row: on the way in memory that lies together, at last into the place."""
        if self.operand(term) is not None or not isinstance(term, tm.Plus | tm.Times) or self.runs(term) is not None:
            self.into(term, place)  # one operation, or several that each write a part of their own
            return
        together = self.scratch(term.shape[0])
        self.into(term, together)
        self.ops[-1] = replace(self.ops[-1], out=place)
        self.release(together)

    def runs(self, term: Term) -> tuple[list[tuple[View, int]], View] | None:
        """A stack of sequences times another sequence: how often each stands in a row there."""
        if not isinstance(term, tm.Times) or len(term.args) != 2 or not isinstance(term.args[0], tm.Stack):
            return None
        other = self.operand(term.args[1])
        parts = [self.operand(a) for a in term.args[0].args]
        if not isinstance(other, View) or not all(isinstance(p, View) for p in parts):
            return None
        runs: list[tuple[View, int]] = []
        for p in parts:
            assert isinstance(p, View)
            if runs and runs[-1][0] == p:
                runs[-1] = (p, runs[-1][1] + 1)
            else:
                runs.append((p, 1))
        return runs, other

    def multiply_runs(self, runs: list[tuple[View, int]], other: View, out: View) -> None:
        """One multiplication for neighbours with the same factor, which is repeated by broadcasting."""
        start: Any = sp.S.Zero
        for factor, count in runs:
            stop = sp.expand(start + count * factor.size)
            place, right = out.part(start, stop), other.part(start, stop)
            if count > 1:
                place, right = replace(place, folds=count), replace(right, folds=count)
                factor = replace(factor, folds=-1)
            self.put("multiply", place, factor, right)
            start = stop

    def plus(self, term: Term, out: View) -> None:
        """A sum: products first, straight into the place; then the rest is added."""
        parts = sorted(term.args, key=lambda a: not (isinstance(a, tm.Product) and a.shape == term.shape))
        signed = [tm.split_sign(a) for a in parts]
        positive = next((k for k, (s, a) in enumerate(signed) if s > 0), 0)
        signed.insert(0, signed.pop(positive))
        (sign, first), *rest = signed
        word = {1: "add", -1: "subtract"}
        start = self.operand(first)
        if start is None and first.shape[0] == term.shape[0]:
            self.into(first, out)
            start = out
        elif start is None:
            start = self.value(first)
        if sign < 0:
            self.put("negative", out, start)
            start = out
        for s, part in rest:
            v = self.value(part)
            self.put(word[s], out, start, v)
            start = out

    def times(self, term: Term, out: View) -> None:
        sign, rest = tm.split_sign(term)
        factors = list(rest.args) if isinstance(rest, tm.Times) else [rest]
        over = [f for f in factors if isinstance(f, tm.Power) and f.args[1].is_negative]
        above = [f for f in factors if f not in over]
        numbers = [f for f in above if isinstance(f, tm.Number)]
        above = [f for f in above if f not in numbers]
        number = sign * (numbers[0].number if numbers else sp.S.One)
        above.sort(key=lambda f: self.operand(f) is not None)  # what must be computed goes first, into the place
        start: Operand | None = None
        for f in above:
            if start is None:
                start = self.operand(f)
                if start is None and f.shape[0] == term.shape[0]:
                    self.into(f, out)
                    start = out
                elif start is None:
                    start = self.value(f)
                continue
            self.put("multiply", out, start, self.value(f))
            start = out
        if start is None:
            start = Constant(sp.S.One)
        for f in over:
            self.put("divide", out, start, self.value(tm.power(f.args[0], -f.args[1])))
            start = out
        if number == -1:
            self.put("negative", out, start)
        elif number != 1 or start != out:
            self.put("multiply", out, start, Constant(number))
