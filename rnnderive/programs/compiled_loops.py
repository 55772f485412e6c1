"""The loops of one pass of a compiled function."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import sympy as sp

from rnnderive.language import terms as tm
from rnnderive.language.recurrence import Equation
from rnnderive.language.terms import Term
from rnnderive.programs.compiled_form import entrywise
from rnnderive.programs.compiled_plan import Assign, Entries, Item, Product, Whole, is_product, size_of, total_of
from rnnderive.programs.compiled_reader import Reader
from rnnderive.programs.layout import kind, stripped

__all__ = ["Writer"]


class Writer(Reader):
    """Writes the loops of one pass."""

    # ------------------------------------------------------------ loops

    def loops(self, blocks: Iterable[Product | list[Item]]) -> list[str]:
        steps = {"forward": "for t in range(1, T + 1):", "steps": "for t in range(1, T + 1):",
                 "backward": "for t in range(T, 0, -1):"}.get(self.p.kind)  # fmt: skip
        lines = [steps, "    first = (t - 1) * B"] if steps else []
        inner = "    " if steps else ""
        for block in blocks:
            if isinstance(block, Product):
                lines += [f"{inner}# {self.m.words(block.equation)}", f"{inner}{self.product(block.equation)}"]
                continue
            lines.append(f"{inner}for member in range(B):")
            if steps:
                lines.append(f"{inner}    row = first + member")
            self.views, self.scalars = {}, {}
            for item in block:
                lines += [f"{inner}    {line}" for line in self.item(item)]
        return ["    " + line for line in lines]

    def item(self, item: Item) -> list[str]:
        self.before, self.local = [], {}
        if isinstance(item, Whole):
            return [f"# {self.m.words(item.equation)}", *self.whole(item.equation)]
        if item.size == 1:
            return self.single(item)
        body: list[str] = []
        for a in item.assigns:
            body += [f"# {self.m.words(a.equation)}"] if a.equation else []
            body += self.assign(a)
        return [*self.before, f"for k in range({self.size(item.size)}):", *("    " + line for line in body)]

    def assign(self, a: Assign) -> list[str]:
        """One entry of a column: into a variable, and into memory where others read it."""
        code = stripped(self.entry(a.term))
        leaf = self.m.net[a.name].left
        if a.adds:
            return [f"{self.view(leaf, a.start, a.size)}[k] += {code}"]
        mark = "" if a.start == 0 else f"_{len(self.local)}"
        name = self.fresh(f"{self.m.names[a.name]}{mark}_k")
        self.local[a.name, sp.expand(a.start)] = name
        lines = [f"{name} = {code}"]
        if self.m.storage[a.name] != "local":
            lines.append(f"{self.view(leaf, a.start, a.size)}[k] = {name}")
        return lines

    def single(self, item: Entries) -> list[str]:
        """Columns of one entry."""
        lines: list[str] = []
        for a in item.assigns:
            self.before = []
            code = stripped(self.entry(a.term))
            lines += [f"# {self.m.words(a.equation)}"] if a.equation else []
            lines += self.before
            if a.adds:
                lines.append(f"{self.place(a.name, a.start)} += {code}")
            else:
                lines += self.keep(a.name, code, a.start)
        return lines

    def keep(self, name: str, code: str, start: Any = sp.S.Zero) -> list[str]:
        """A scalar: a variable of this member, and a place in memory where others read it."""
        if size_of(self.m.net[name].left) != 1:
            return [f"{self.place(name, start)} = {code}"]
        variable = self.fresh(f"{self.m.names[name]}_t")
        self.scalars[name] = variable
        lines = [f"{variable} = {code}"]
        if self.m.storage[name] != "local":
            lines.append(f"{self.place(name, start)} = {variable}")
        return lines

    def whole(self, e: Equation) -> list[str]:
        match e.right:
            case tm.SumEntries():
                lines = self.summed(e.right.args[0])
                return [*lines, *self.keep(e.name, self.total)]
            case tm.InverseStd():
                source = self.view(e.right.args[0], sp.S.Zero, size_of(e.right.args[0]))
                return [*self.before, *self.keep(e.name, f"inverse_std({source})")]
        source = self.view(e.right.args[0], sp.S.Zero, size_of(e.right.args[0]))
        out = self.view(e.left, sp.S.Zero, size_of(e.left))
        return [*self.before, f"{e.right.word}({source}, {out})"]

    def summed(self, term: Term) -> list[str]:
        """The sum of the entries of a column."""
        self.total = self.fresh("total")
        if term.is_scalar:
            code = stripped(self.entry(term))
            return [*self.before, f"{self.total} = {code}"]
        code = stripped(self.entry(term))
        return [
            *self.before,
            f"{self.total} = {self.number(0.0)}",
            f"for k in range({self.size(size_of(term))}):",
            f"    {self.total} += {code}",
        ]

    def product(self, e: Equation) -> str:
        """A shared matrix times the columns of all members."""
        matrix, column = e.right.args
        over_time = self.p.kind == "once" and e.timed
        return (
            f"product({self.rows_of(column, over_time)}, {self.array(matrix.args[0].name)}, "
            f"{self.rows_of(e.left, over_time)})"
        )

    # ------------------------------------------------------------ what is done once

    def once(self, e: Equation) -> list[str]:
        """A product over all steps, or what all members share."""
        self.before, self.local, self.views, self.scalars = [], {}, {}, {}
        m, name = self.m, self.m.names[e.name]
        if is_product(e.right):
            m.memory(e)
            return [self.product(e)]
        if self.isrows_of_steps(e.right):
            start, stop = e.right.args[1:3]
            return [f"{name} = {self.array(e.right.args[0].name)}[{self.size(start)}:{self.size(stop)}]"]
        if kind(e.left) == "matrix":
            return self.matrix(e)
        m.memory(e)
        n = self.size(size_of(e.left))
        if isinstance(e.right, tm.Stack):
            parts = [(sp.expand(sum(p.shape[0] for p in e.right.args[:k])), p) for k, p in enumerate(e.right.args)]
        elif entrywise(e.right):
            parts = [(sp.S.Zero, e.right)]
        elif isinstance(e.right, tm.SumEntries) and kind(e.right.args[0]) == "matrix":
            rows, columns = (self.size(s) for s in e.right.args[0].shape)
            self.index = ("i", "j")
            code = stripped(self.entry(e.right.args[0]))
            self.index = ("k", "k")
            return [f"{name}[0] = {self.number(0.0)}", f"for i in range({rows}):", f"    for j in range({columns}):",
                    f"        {name}[0] += {code}"]  # fmt: skip
        else:
            return self.whole(e)
        lines: list[str] = []
        for start, part in parts:
            self.before = []
            size = self.size(size_of(part))
            code = stripped(self.entry(part))
            if size_of(part) == 1:
                lines += [*self.before, f"{name}[{self.size(start)}] = {code}"]
                continue
            target = name if size == n else self.view(e.left, start, size_of(part))
            lines += [*self.before, f"for k in range({size}):", f"    {target}[k] = {code}"]
        return lines

    def isrows_of_steps(self, term: Term) -> bool:
        """Whether a term is rows of a shared array that no other name stands for: they need no copy."""
        return (
            isinstance(term, tm.Block)
            and isinstance(term.args[0], tm.Parameter)
            and term.args[0].name in self.m.net
            and sp.expand(term.shape[1] - term.args[0].shape[1]) == 0
            and sum(e.right == term for e in self.m.net.equations) == 1
            and term.args[0].name not in self.m.outputs.values()
        )

    def moved(self, term: Term) -> str | None:
        """A shared matrix, or a block of one, as it stands in memory."""
        if isinstance(term, tm.Parameter):
            return self.array(term.name) if kind(term) == "matrix" else None
        if isinstance(term, tm.Block) and isinstance(term.args[0], tm.Parameter) and kind(term) == "matrix":
            r0, r1, c0, c1 = (self.size(s) for s in term.args[1:])
            return f"{self.array(term.args[0].name)}[{r0}:{r1}, {c0}:{c1}]"
        return None

    def matrix(self, e: Equation) -> list[str]:
        """A shared matrix: a product, a sum of outer products, or entry by entry."""
        name, right = self.m.names[e.name], e.right
        total = total_of(right)
        if total is not None:
            inner = right.args[0]
            over_time = isinstance(inner, tm.TimeSum)
            u, v = total.args[0], tm.transpose(total.args[1])
            return [f"{name} = np.dot({self.rows_of(u, over_time)}.T, {self.rows_of(v, over_time)})"]
        if isinstance(right, tm.Product) and not right.args[0].is_column:
            return [f"{name} = np.dot({self.array(right.args[0].name)}, {self.array(right.args[1].name)})"]
        rows, columns = (self.size(s) for s in e.left.shape)
        lines = [f"{name} = np.empty(({rows}, {columns}), real)"]
        start: Any = sp.S.Zero
        turned = self.moved(right.args[0]) if isinstance(right, tm.Transpose) else None
        if turned is not None:
            return [*lines, f"turn({turned}, {name})"]
        self.index = ("i", "j")
        for part in right.args if isinstance(right, tm.Stack) else (right,):
            whole = self.moved(part)
            if whole is not None:
                lines.append(f"put({name}, {self.size(start)}, {whole})")
                start = sp.expand(start + part.shape[0])
                continue
            code = stripped(self.entry(part))
            at = "i" if start == 0 else f"{self.size(start)} + i"
            lines += [
                *self.before,
                f"for i in range({self.size(part.shape[0])}):",
                f"    for j in range({columns}):",
                f"        {name}[{at}, j] = {code}",
            ]
            self.before = []
            start = sp.expand(start + part.shape[0])
        self.index = ("k", "k")
        return lines
