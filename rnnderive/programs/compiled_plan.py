"""The passes of a compiled function over the steps, and what each computes.

Loops of the schedule are passes of their own.  Everything else that is computed step by step, or member by
member, joins the earliest pass after what it reads; products over all steps and shared matrices stand between.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import sympy as sp

from rnnderive.language import terms as tm
from rnnderive.language.recurrence import Equation, Recurrence
from rnnderive.language.schedule import Read, reads
from rnnderive.language.terms import Term
from rnnderive.programs.compiled_form import entrywise
from rnnderive.programs.layout import kind

__all__ = ["Assign", "Entries", "Pass", "Plan", "Product", "Whole", "is_product", "size_of", "total_of"]


@dataclass
class Assign:
    """Entries ``start..start + size`` of a name are a term; `adds` for a sum over steps or members."""

    name: str
    start: Any
    size: Any
    term: Term
    adds: bool = False
    equation: Equation | None = None


@dataclass
class Entries:
    """One loop over the entries of columns of one size."""

    size: Any
    assigns: list[Assign] = field(default_factory=list)


@dataclass
class Whole:
    """A function of a whole column, or a sum of entries: one equation of a member."""

    equation: Equation


@dataclass
class Product:
    """A shared matrix times the columns of all members at a step."""

    equation: Equation


Item = Entries | Whole


@dataclass
class Pass:
    """What one run over the steps (or one over the members, or none) computes."""

    kind: str  # forward, backward, steps, members, once
    equations: list[Equation] = field(default_factory=list)

    @property
    def names(self) -> list[str]:
        return [e.name for e in self.equations]

    @property
    def timed(self) -> bool:
        return self.kind in ("forward", "backward", "steps")

    def blocks(self) -> list[Product | list[Item]]:
        """Products for all members, and between them what is done member by member."""
        out: list[Product | list[Item]] = []
        for e in self.equations:
            if is_product(e.right):
                out.append(Product(e))
                continue
            if not out or isinstance(out[-1], Product):
                out.append([])
            block = out[-1]
            assert isinstance(block, list)
            total = total_of(e.right)
            if total is None and not _by_entries(e.right):
                block.append(Whole(e))
                continue
            for a in _assigns(e):
                self._place(block, a)
        return out

    def _place(self, block: list[Item], a: Assign) -> None:
        """Add to the last loop of the same size that comes after all that is read."""
        earliest = 0
        for k, item in enumerate(block):
            if any(not (isinstance(item, Entries) and _at_one_index(item, a, r)) and _writes(item, r[0])
                   for r in _reads_now(a.term)):  # fmt: skip
                earliest = k + 1
            elif any(_writes(item, r[0]) for r in _reads_now(a.term)):
                earliest = max(earliest, k)
        for item in reversed(block[earliest:]):
            if isinstance(item, Entries) and sp.expand(item.size - a.size) == 0:
                item.assigns.append(a)
                return
        block.append(Entries(a.size, [a]))


def size_of(term: Term) -> Any:
    """How many entries a column or row has."""
    return term.shape[0] if term.is_column else term.shape[1]


def is_product(term: Term) -> bool:
    """Whether a right side is a shared matrix times a column."""
    return isinstance(term, tm.Product) and term.is_column and kind(term.args[0]) == "matrix"


def total_of(term: Term) -> Term | None:
    """The body of a sum over time or the batch."""
    inner = term.args[0] if isinstance(term, tm.BatchSum) else term
    if isinstance(inner, tm.TimeSum):
        return inner.args[0]
    return inner if inner is not term else None


def _by_entries(term: Term) -> bool:
    return all(map(entrywise, term.args)) if isinstance(term, tm.Stack) else entrywise(term)


def _assigns(e: Equation) -> Iterable[Assign]:
    total = total_of(e.right)
    if isinstance(e.right, tm.Stack):
        start: Any = sp.S.Zero
        for part in e.right.args:
            yield Assign(e.name, start, part.shape[0], part, equation=e if start == 0 else None)
            start = sp.expand(start + part.shape[0])
    else:
        yield Assign(e.name, sp.S.Zero, size_of(e.left), e.right if total is None else total, total is not None, e)


def _reads_now(term: Term) -> list[tuple[str, Any, Any]]:
    """Name and block of what a term reads at its own step or member."""
    if isinstance(term, tm.Block) and isinstance(term.args[0], tm.At | tm.Parameter):
        leaf, start = term.args[0], term.args[1] if term.args[0].is_column else term.args[3]
        return [(leaf.name, start, size_of(term))] if _now(leaf) else []
    if isinstance(term, tm.At | tm.Parameter):
        return [(term.name, sp.S.Zero, size_of(term))] if _now(term) else []
    return [r for a in term.terms for r in _reads_now(a)]


def _now(leaf: Any) -> bool:
    return isinstance(leaf, tm.Parameter) or leaf.lag == 0


def _writes(item: Item, name: str) -> bool:
    if isinstance(item, Entries):
        return any(a.name == name for a in item.assigns)
    return item.equation.name == name


def _at_one_index(item: Entries, a: Assign, read: tuple[str, Any, Any]) -> bool:
    """Whether what `a` reads is computed at the same index of this loop."""
    name, start, size = read
    written = [w for w in item.assigns if w.name == name]
    if not written:
        return True
    if sp.expand(item.size - a.size) != 0:
        return False
    return any(sp.expand(w.start - start) == 0 and sp.expand(w.size - size) == 0 for w in written)


class Plan:
    """The passes of a recurrence, in order."""

    def __init__(self, net: Recurrence) -> None:
        self.net = net
        self.passes: list[Pass] = []
        self.where: dict[str, int] = {}
        for stage in net.schedule:
            if stage.direction == "all":
                self._join(net[stage.names[0]])
            else:
                self._append(Pass(stage.direction, [net[n] for n in stage.names]))

    def _append(self, p: Pass) -> None:
        self.passes.append(p)
        for name in p.names:
            self.where[name] = len(self.passes) - 1

    def domain(self, e: Equation) -> str:
        """Where an equation outside loops is computed."""
        total = total_of(e.right)
        if total is not None:
            if kind(e.left) == "matrix":
                return "once"
            inner = e.right.args[0] if isinstance(e.right, tm.BatchSum) else e.right
            return "steps" if isinstance(inner, tm.TimeSum) else "members"
        if is_product(e.right):
            return "once"
        if e.timed:
            return "steps"
        return "once" if e.name in self.net.shared else "members"

    def _join(self, e: Equation) -> None:
        domain = self.domain(e)
        earliest = 0
        own = {Read(f"{e.name}0")} if e.timed else set()
        for r in reads(e.right, True) | own:
            for name in (r.name, f"{r.name}0"):
                if name in self.where:
                    k = self.where[name]
                    together = (
                        self.passes[k].kind == domain != "once"
                        and total_of(self.net[name].right) is None
                        and self.net[name].timed == (domain == "steps")
                        and (r.lag == 0 or domain == "members")
                    )
                    earliest = max(earliest, k if together else k + 1)
        if domain == "once":  # in the order of the schedule
            earliest = max(earliest, len(self.passes) - 1)
        for k in range(earliest, len(self.passes)):
            if self.passes[k].kind == domain:
                self.passes[k].equations.append(e)
                self.where[e.name] = k
                return
        self._append(Pass(domain, [e]))
