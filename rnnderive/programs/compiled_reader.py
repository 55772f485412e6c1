"""Entries of terms as code, and the rows of arrays that they are read from."""

from __future__ import annotations

import keyword
import re
from collections.abc import Mapping
from typing import Any, Protocol

import sympy as sp

from rnnderive.language import terms as tm
from rnnderive.language.recurrence import Recurrence
from rnnderive.language.terms import Term
from rnnderive.programs.compiled_plan import Pass, size_of
from rnnderive.programs.compiled_storage import rows_of_steps
from rnnderive.programs.compiled_support import OWN
from rnnderive.programs.layout import Layout, kind, stripped

__all__ = ["Memory", "Reader"]


class Memory(Protocol):
    """What a writer of loops has to know of the function that it writes for."""

    net: Recurrence
    names: dict[str, str]
    layout: dict[str, Layout]
    storage: dict[str, str]
    outputs: Mapping[str, str]
    dtype: str

    def size(self, size: Any) -> str: ...

    def words(self, e: Any) -> str: ...

    def memory(self, e: Any) -> None: ...


class Reader:
    """Writes the code of entries, for the loops of one pass."""

    def __init__(self, module: Memory, p: Pass) -> None:
        self.m, self.p = module, p
        self.arrays: dict[str, None] = {}
        self.sizes: dict[str, None] = {}
        self.taken: set[str] = set(module.names.values()) | OWN
        self.views: dict[Any, str] = {}
        self.scalars: dict[str, str] = {}
        self.local: dict[tuple[str, Any], str] = {}
        self.before: list[str] = []
        self.index = ("k", "k")

    # ------------------------------------------------------------ names

    def array(self, name: str) -> str:
        self.arrays.setdefault(self.m.names[name])
        return self.m.names[name]

    def size(self, size: Any) -> str:
        for s in sorted(sp.sympify(size).free_symbols - {tm.T, tm.BATCH}, key=str):
            self.sizes.setdefault(self.m.size(s))
        return self.m.size(size)

    def fresh(self, name: str) -> str:
        while name in self.taken or keyword.iskeyword(name):
            name += "_"
        self.taken.add(name)
        return name

    # ------------------------------------------------------------ places

    def place(self, name: str, start: Any = sp.S.Zero) -> str:
        """The entry of a scalar in memory."""
        leaf = self.m.net[name].left
        return f"{self.array(name)}{self.at(leaf, self.size(start))}"

    def at(self, leaf: Any, inside: str) -> str:
        """The index of the row of a name, with what stands inside the row."""
        row = self.row(leaf)
        return f"[{', '.join(filter(None, (row, inside)))}]"

    def row(self, leaf: Any) -> str:
        """The row of a name, for the running step and member; none for what is shared."""
        name = leaf.name
        if isinstance(leaf, tm.Parameter):
            return "" if self.m.net.is_shared(leaf) else "member"
        if self.m.storage.get(name) == "scratch":
            return "member"
        before = self.m.layout[name].before
        if leaf.lag is None:
            return f"{self.step(leaf)} + member".removeprefix("0 + ")
        offset = before - leaf.lag
        return f"row + {rows_of_steps(offset)}" if offset else "row"

    def step(self, leaf: Any, after: int = 0) -> str:
        """The first row of a member at a fixed place, or of the step after it."""
        step = sp.expand(leaf.index - 1 + self.m.layout[leaf.name].before + after)
        return rows_of_steps(int(step - tm.T), "T") if step.has(tm.T) else rows_of_steps(int(step))

    def view(self, leaf: Any, start: Any, size: Any) -> str:
        """Entries of a row as an array, made before the loop."""
        key = (leaf.name, getattr(leaf, "index", None), sp.expand(start), sp.expand(size))
        if key not in self.views:
            whole = sp.expand(size - size_of(leaf)) == 0
            cut = "" if whole else f"{self.size(start)}:{self.size(sp.expand(start + size))}"
            code = self.array(leaf.name)
            if self.row(leaf) or cut:
                code += self.at(leaf, cut)
            elif self.p.kind != "once":
                self.views[key] = code
                return code
            lag = getattr(leaf, "lag", None)
            tail = "" if lag is None else "_t" if lag == 0 else f"_t{lag}" if lag > 0 else f"_t_{-lag}"
            mark = "" if whole else f"_{sum(k[0] == leaf.name for k in self.views)}"
            name = self.fresh(f"{self.m.names[leaf.name]}{mark}{tail or '_row'}")
            self.before.append(f"{name} = {code}")
            self.views[key] = name
        return self.views[key]

    def rows_of(self, leaf: Any, over_time: bool) -> str:
        """The rows of all members at a step, or at all steps, of a name."""
        name, code = leaf.name, self.array(leaf.name)
        if isinstance(leaf, tm.Parameter):
            shared = self.m.net.is_shared(leaf)
            return f"{code}.reshape((1, {self.size(size_of(leaf))}))" if shared else code
        layout = self.m.layout[name]
        if self.m.storage.get(name) == "scratch":
            return code
        if leaf.lag is None:
            return f"{code}[{self.step(leaf)}:{self.step(leaf, 1)}]"
        offset = layout.before - leaf.lag
        if over_time:
            if not (layout.before or layout.after):
                return code
            return f"{code}[{rows_of_steps(offset)}:{rows_of_steps(offset, 'T')}]"
        start = f"first + {rows_of_steps(offset)}" if offset else "first"
        return f"{code}[{start}:first + {rows_of_steps(offset + 1)}]"

    # ------------------------------------------------------------ entries

    def number(self, value: float) -> str:
        """A number in the type that is computed in."""
        return repr(value) if self.m.dtype == "float64" else f"real({value!r})"

    def entry(self, term: Term, flipped: bool = False) -> str:
        """The code of one entry of an entrywise term."""
        match term:
            case tm.Number():
                return self.number(float(term.number))
            case tm.Extent():
                return f"real({'T' if term.args[0] == tm.T else self.size(term.args[0])})"
            case tm.Zeros():
                return self.number(0.0)
            case tm.Ones():
                return self.number(1.0)
            case tm.Transpose():
                return self.entry(term.args[0], not flipped)
            case tm.Plus():
                return self.plus(term, flipped)
            case tm.Times():
                return self.times(term, flipped)
            case tm.Power():
                return self.power(term, flipped)
            case tm.Apply():
                inner = stripped(self.entry(term.args[1], flipped))
                return inner if term.name == "identity" else f"{term.name}({inner})"
            case tm.Where():
                sign, left, right = term.relation
                return f"({self.entry(term.args[3], flipped)} if {left} {sign} {right} else {self.number(0.0)})"
            case tm.Product():
                return f"({self.entry(term.args[0], flipped)} * {self.entry(term.args[1], flipped)})"
        return self.leaf(term, flipped)

    def plus(self, term: Term, flipped: bool) -> str:
        words = ""
        for k, part in enumerate(term.args):
            sign, rest = tm.split_sign(part)
            code = self.entry(rest, flipped)
            words += ("-" if sign < 0 else "") + code if k == 0 else f" {'-' if sign < 0 else '+'} {code}"
        return f"({words})"

    def times(self, term: Term, flipped: bool) -> str:
        sign, rest = tm.split_sign(term)
        factors = rest.args if isinstance(rest, tm.Times) else (rest,)
        words = "-" if sign < 0 else ""
        for k, part in enumerate(factors):
            if tm.is_inverse(part):
                code = self.entry(tm.power(part.args[0], -part.args[1]), flipped)
                words += f"{self.number(1.0)} / {code}" if k == 0 else f" / {code}"
            else:
                words += (" * " if k else "") + self.entry(part, flipped)
        return f"({words})"

    def power(self, term: Any, flipped: bool) -> str:
        base, exponent = term.args
        code = self.entry(base, flipped)
        k = abs(int(exponent))
        if k == 2 and re.fullmatch(r"[\w\[\]]+", code):
            code = f"({code} * {code})"
        elif k > 1:
            code = f"power({stripped(code)}, {k})"
        return f"({self.number(1.0)} / {code})" if exponent.is_negative else code

    def leaf(self, term: Any, flipped: bool) -> str:
        """An entry of a name or of a block of it."""
        leaf, r0, c0 = term, sp.S.Zero, sp.S.Zero
        if isinstance(term, tm.Block):
            leaf, r0, c0 = term.args[0], term.args[1], term.args[3]
        i, j = reversed(self.index) if flipped else self.index
        if isinstance(leaf, tm.Transpose):  # a block of a transpose
            return self.leaf(tm.block(leaf.args[0], c0, c0 + term.shape[1], r0, r0 + term.shape[0]), not flipped)
        if kind(leaf) == "matrix":
            inside = [k if o == 0 else f"{self.size(o)} + {k}" for k, o in ((i, r0), (j, c0))]
            inside = [self.size(o) if s == 1 else code
                      for code, o, s in zip(inside, (r0, c0), term.shape, strict=True)]  # fmt: skip
            return f"{self.array(leaf.name)}[{', '.join(inside)}]"
        start = sp.expand(r0 + c0)
        size = size_of(term)
        now = (isinstance(leaf, tm.At) and leaf.lag == 0) or isinstance(leaf, tm.Parameter)
        if now and (leaf.name, start) in self.local:
            return self.local[leaf.name, start]
        if size == 1:
            return self.scalar(leaf, start, now)
        return f"{self.view(leaf, start, size)}[{i if leaf.is_column else j}]"

    def scalar(self, leaf: Any, start: Any, now: bool) -> str:
        """A single entry, read before the loop."""
        if now and leaf.name in self.scalars and size_of(leaf) == 1:
            return self.scalars[leaf.name]
        key = (leaf.name, getattr(leaf, "index", None), start, "entry")
        if key not in self.views:
            name = self.fresh(f"{self.m.names[leaf.name]}_entry")
            self.before.append(f"{name} = {self.array(leaf.name)}{self.at(leaf, self.size(start))}")
            self.views[key] = name
        return self.views[key]
