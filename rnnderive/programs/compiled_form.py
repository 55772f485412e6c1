"""One operation an equation: the form of a recurrence that compiled loops are printed from.

After this rewrite a right side is either *entrywise* (it reads the entries of names and blocks at one index),
a stack of such, or one operation on names: a shared matrix times a column, a sum of entries, a function of a
whole column (softmax, layer normalisation), a sum over time or over the batch.  Tests verify it by exact identity.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import sympy as sp

from rnnderive.errors import RnnDeriveError
from rnnderive.language import terms as tm
from rnnderive.language.recurrence import Equation, Recurrence
from rnnderive.language.terms import Term, t
from rnnderive.programs.compiled_support import has_loop
from rnnderive.programs.layout import depends_on_time, kind
from rnnderive.programs.passes import fused, hoist, prune, split_stacks

__all__ = ["COLUMN_FUNCTIONS", "NotCompiled", "entrywise", "form", "one_operation_each"]


class NotCompiled(RnnDeriveError):
    """A term that the compiled backend has no loop for."""

    def __init__(self, term: Term) -> None:
        super().__init__(f"there is no compiled loop for {type(term).__name__} of shape {term.shape}: {term}")
        self.term = term


def form(net: Recurrence, outputs: Iterable[str], given: Iterable[str] = ()) -> Recurrence:
    """The recurrence as compiled loops want it: gates and deltas bundled, products outside loops, one operation each.

    Parameters
    ----------
    net : Recurrence
    outputs : names
        What is wanted; the rest may go.
    given : names
        Initial states that the caller may hand over: their sequences keep their names.

    Raises
    ------
    NotCompiled
        For a term of another kind, such as a matrix at every step.
    """
    wanted = list(outputs)
    fixed = {*wanted, *(s[:-1] for s in given)}
    net = hoist(split_stacks(fused(net, wanted, given, by_calls=False)), products_only=True)
    net = one_operation_each(net)
    return prune(sums_where_they_are_read(net, fixed), wanted)


# ---------------------------------------------------------------- one operation each

_ENTRYWISE = (tm.At, tm.Parameter, tm.Number, tm.Extent, tm.Zeros, tm.Ones)
COLUMN_FUNCTIONS = (tm.Softmax, tm.LogSoftmax, tm.LayerNorm, tm.InverseStd)


def entrywise(term: Term) -> bool:
    """Whether entry (i, j) of a term is arithmetic on entries of names at i, at j, or at both."""
    match term:
        case tm.Plus() | tm.Times() | tm.Power() | tm.Apply() | tm.Where():
            return all(entrywise(a) for a in term.terms)
        case tm.Transpose() | tm.Block():
            return entrywise(term.args[0])
        case tm.Product():  # a column times a row
            return all(a.is_column for a in term.args[:1]) and all(map(entrywise, term.args)) and len(term.args) == 2
    return isinstance(term, _ENTRYWISE)


def one_operation_each(net: Recurrence) -> Recurrence:
    """Give a name to every operation that is not entrywise."""
    return _Form(net).result()


class _Form:
    def __init__(self, net: Recurrence) -> None:
        self.net = net
        self.equations: list[Equation] = []
        self.names: dict[tuple[Term, bool], Term] = {}
        self.taken: set[str] = set()
        self.shared = set(net.shared)

    def result(self) -> Recurrence:
        for e in self.net.equations:
            if e.timed and kind(e.left) == "matrix":
                raise NotCompiled(e.right)
            timeless = e.timed and _is_operation(e.right) and not depends_on_time(e.right)
            self.equations.append(Equation(e.left, self.named(e.right) if timeless else self.top(e.right)))
        # A target is known by its loss, which is written out now.
        inputs = {n for n in self.net.inputs if isinstance(self.net.leaf(n), tm.Parameter)}
        return Recurrence(tuple(self.equations), self.net.loss, self.net.declared | inputs)

    def is_shared(self, term: Term) -> bool:
        return self.net.is_shared(term, self.shared)

    # ------------------------------------------------------------ names

    def leaf(self, term: Term, timed: bool = False) -> Term:
        """A term as a name: its own, or one that is given to it."""
        if isinstance(term, tm.Parameter | tm.At) and (not timed or depends_on_time(term)):
            return self.entry(term)
        return self.named(term, timed)

    def named(self, term: Term, timed: bool = False) -> Term:
        timed = timed or depends_on_time(term)
        if (term, timed) not in self.names:
            if timed and kind(term) == "matrix":
                raise NotCompiled(term)
            name = self.net.fresh(_stem(term), self.taken)
            self.taken.add(name)
            left: Any = tm.At(name, t, *term.shape) if timed else tm.Parameter(name, *term.shape)
            self.names[term, timed] = left
            right = self.top(term)
            self.equations.append(Equation(left, right))
            if not timed and self.is_shared(right):
                self.shared.add(name)
        return self.names[term, timed]

    # ------------------------------------------------------------ terms

    def top(self, term: Term) -> Term:
        """A right side: entrywise, a stack of such, or one operation."""
        if isinstance(term, tm.Stack):
            parts: list[Term] = []
            for a in term.args:
                part = self.top(a) if isinstance(a, tm.Stack) else self.entry(a)
                parts += part.args if isinstance(part, tm.Stack) else [part]
            return tm.Stack(*parts)
        return self.operation(term) if _is_operation(term) else self.entry(term)

    def entry(self, term: Term) -> Term:
        """An entrywise term; the operations in it get names."""
        match term:
            case tm.At() if kind(term) == "matrix":
                raise NotCompiled(term)
            case tm.Apply() if not has_loop(term.name):
                raise NotCompiled(term)
            case tm.Plus() | tm.Times() | tm.Power() | tm.Apply() | tm.Where():
                return term.rebuild(*(self.entry(a) for a in term.terms))
            case tm.Transpose():
                return tm.transpose(self.entry(term.args[0]))
            case tm.Block():
                return block_of(self.entry(term.args[0]), *term.args[1:])
            case tm.Stack():
                return self.named(term)
            case tm.Parameter() if kind(term) != "column" and not self.is_shared(term):
                raise NotCompiled(term)
            case _ if isinstance(term, _ENTRYWISE):
                return term
            case _ if _is_operation(term):
                done = self.operation(term)
                return done if entrywise(done) else self.named(term)
        raise NotCompiled(term)

    def operation(self, term: Term) -> Term:
        """One operation on names, or what it comes to."""
        match term:
            case tm.Product():
                return self.product(term)
            case tm.SumEntries():
                return tm.SumEntries(self.entry(term.args[0]))
            case tm.Loss():
                return self.top(_written_out(term))
            case tm.TimeSum() | tm.BatchSum():
                return self.sum(term)
        return term.rebuild(self.leaf(term.args[0]))

    def product(self, term: Term) -> Term:
        """A product of two: a shared matrix and a name, a sum of entries, or an outer product."""
        first, rest = term.args[0], tm.product(*term.args[1:])
        if isinstance(first, tm.Diag) and rest.is_column:
            return self.entry(tm.times(first.args[0], rest))
        if term.is_column and not first.is_column:
            if kind(first) == "row":
                return tm.SumEntries(self.entry(tm.times(tm.transpose(first), rest)))
            if not self.is_shared(first) or depends_on_time(first):
                raise NotCompiled(first)
            return tm.Product(tm.transpose(self.leaf(tm.transpose(first))), self.leaf(rest))
        if term.shape[0] == 1 and not first.is_scalar:  # as a column
            return tm.transpose(self.named(tm.transpose(term)))
        if not self.is_shared(term) and kind(term) == "matrix":
            raise NotCompiled(term)
        if first.is_column:
            return tm.Product(self.entry(first), self.entry(rest)) if not rest.is_scalar else self.entry(first * rest)
        return tm.Product(self.leaf(first), self.leaf(rest))

    # ------------------------------------------------------------ sums over time and the batch

    def sum(self, term: Term) -> Term:
        batch = isinstance(term, tm.BatchSum)
        inner = term.args[0] if batch else term
        over_time = isinstance(inner, tm.TimeSum)
        body = inner.args[0] if over_time else inner

        def total(a: Term) -> Term:
            a = tm.TimeSum(a) if over_time else a
            return tm.BatchSum(a) if batch else a

        if over_time and not depends_on_time(body):
            return self.top(tm.times(tm.Extent(tm.T), tm.BatchSum(body) if batch else body))
        if batch and self.is_shared(body):
            return self.top(tm.times(tm.Extent(tm.BATCH), body))
        if kind(body) != "matrix":
            return total(self.entry(body))
        match body:
            case tm.Plus():
                return self.entry(tm.plus(*map(total, body.args)))
            case tm.Transpose():
                return self.entry(tm.transpose(total(body.args[0])))
            case tm.Where():
                inside = body.args[3]
                if isinstance(inside, tm.Plus):
                    return self.sum(total(tm.plus(*(body.rebuild(a) for a in inside.args))))
                if isinstance(inside, tm.Product):
                    return self.sum(total(tm.product(body.rebuild(inside.args[0]), *inside.args[1:])))
            case tm.Times():
                (*scalars, last) = sorted(body.args, key=lambda a: not a.is_scalar)
                if all(a.is_scalar for a in scalars) and isinstance(last, tm.Product):
                    return self.sum(total(tm.product(tm.times(*scalars, last.args[0]), *last.args[1:])))
            case tm.Product() if any(a.is_column for a in body.args):
                return self.gram(body, total, batch, over_time)
        raise NotCompiled(body)

    def gram(self, body: Term, total: Any, batch: bool, over_time: bool) -> Term:
        """Σ of columns times rows: one matrix product."""
        cut = next(k for k, a in enumerate(body.args) if a.is_column) + 1
        column, row = tm.product(*body.args[:cut]), tm.transpose(tm.product(*body.args[cut:]))
        for a, b, one in ((column, row, True), (row, column, False)):
            if self.is_shared(a) and not depends_on_time(a):
                u, v = self.leaf(a), self.leaf(total(b))
                return tm.Product(u, tm.transpose(v)) if one else tm.Product(v, tm.transpose(u))
        if not batch:
            raise NotCompiled(body)
        return total(tm.Product(self.leaf(column, over_time), tm.transpose(self.leaf(row, over_time))))


def _is_operation(term: Term) -> bool:
    kinds = (tm.Product, tm.SumEntries, tm.Loss, tm.TimeSum, tm.BatchSum, *COLUMN_FUNCTIONS)
    return isinstance(term, kinds)


def block_of(term: Term, *bounds: Any) -> Term:
    """A block of an entrywise term: the same arithmetic on blocks of names."""
    match term:
        case tm.Plus() | tm.Times() | tm.Power() | tm.Apply() | tm.Where():
            return term.rebuild(*(a if a.is_scalar else block_of(a, *bounds) for a in term.terms))
    return tm.block(term, *bounds)


def _written_out(term: Any) -> Term:
    """A loss as arithmetic and a sum of entries."""
    y, target = term.args
    one = tm.Number(1)
    match term:
        case tm.SquaredError():
            return tm.times(tm.Number(sp.Rational(1, 2)), tm.SumEntries(tm.power(tm.plus(y, -target), 2)))
        case tm.CrossEntropy():
            return tm.times(tm.Number(-1), tm.SumEntries(tm.times(target, tm.LogSoftmax(y))))
        case tm.BinaryCrossEntropy():
            return tm.SumEntries(tm.plus(tm.Apply("softplus", y), -tm.times(target, y)))
        case tm.LogLoss():
            right = tm.times(target, tm.Apply("log", y))
            wrong = tm.times(tm.plus(one, -target), tm.Apply("log", tm.plus(one, -y)))
            return tm.times(tm.Number(-1), tm.SumEntries(tm.plus(right, wrong)))
    raise NotCompiled(term)


def _stem(term: Term) -> str:
    """A name that tells what is in it: of the matrix and the vector of a product, W_h."""
    names = list(dict.fromkeys(n.name for n in tm.members(term) if isinstance(n, tm.At | tm.Parameter)))
    first = names[0].removesuffix("_T") if names else "1"
    match term:
        case tm.Transpose():
            return f"{first}_T"
        case tm.Product():
            return "_".join([first if names else "product", *names[1:2]])
        case tm.SumEntries():
            return f"sum_{first}"
        case tm.TimeSum() | tm.BatchSum():
            return f"total_{first}"
        case tm.Stack():
            return f"stack_{first}"
        case tm.Unary():
            return f"{term.word}_{first}"
    return f"part_{first}"


# ---------------------------------------------------------------- sums are not stored


def sums_where_they_are_read(net: Recurrence, fixed: Iterable[str]) -> Recurrence:
    """Put a sum of names where its entries are read, if each is read once and at its own step."""
    kept = {*fixed, *(f"{n}" for n in net.sequences if f"{n}0" in net.leaves)}
    while True:
        found = next((e for e in net.equations if e.timed and e.name not in kept and _is_sum(e.right)), None)
        if found is None:
            return net
        kept.add(found.name)
        if not _read_once(net, found.name):
            continue
        value, name = found.right, found.name

        def replace(node: Term, name: str = name, value: Term = value) -> Term | None:
            if isinstance(node, tm.Block) and isinstance(node.args[0], tm.At) and node.args[0].name == name:
                return block_of(value, *node.args[1:])
            return value if isinstance(node, tm.At) and node.name == name else None

        equations = [Equation(e.left, tm.transform(e.right, replace)) for e in net.equations if e.name != name]
        net = Recurrence(tuple(equations), net.loss, net.declared)


def _is_sum(term: Term) -> bool:
    return entrywise(term) and all(isinstance(n, tm.Plus | tm.At | tm.Parameter | tm.Block) for n in tm.members(term))


def _read_once(net: Recurrence, name: str) -> bool:
    seen: set[Term] = set()
    for e in net.equations:
        for node in _reads(e.right, name):
            place = node.args[0] if isinstance(node, tm.Block) else node
            if place.lag != 0 or node in seen or not _in_entries(e.right):
                return False
            seen.add(node)
    whole = [n for n in seen if isinstance(n, tm.At)]
    return bool(seen) and (not whole or len(seen) == 1)


def _in_entries(term: Term) -> bool:
    """Whether a right side reads entry by entry, so that a term may stand for a name."""
    match term:
        case tm.Stack():
            return all(map(entrywise, term.args))
        case tm.SumEntries():
            return True
        case tm.TimeSum() | tm.BatchSum():
            return _in_entries(term.args[0])
    return entrywise(term) and not isinstance(term, tm.Product)


def _reads(term: Term, name: str) -> list[Term]:
    """The reads of a name in a term, with the block that is read."""
    if isinstance(term, tm.Block) and isinstance(term.args[0], tm.At):
        return [term] if term.args[0].name == name else []
    if isinstance(term, tm.At):
        return [term] if term.name == name else []
    return [r for a in term.terms for r in _reads(a, name)]
