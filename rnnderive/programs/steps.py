"""Operations as NumPy calls that write into memory that is there: of one step in a loop, or of all steps at once."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import sympy as sp

from rnnderive.language import terms as tm
from rnnderive.language.functions import FUNCTIONS
from rnnderive.programs.layout import Context, apply_code, stripped
from rnnderive.programs.lowering import Constant, Fixed, Loop, Op, Operand, View, is_whole, part_key, places

if TYPE_CHECKING:
    from rnnderive.programs.source import Module

__all__ = ["Steps", "Whole"]


class Steps:
    """Writes the operations of a loop as NumPy calls that write into memory that is there."""

    def __init__(self, module: Module, loop: Loop, stored: set[str], forward: bool) -> None:
        self.module, self.loop, self.stored, self.forward = module, loop, stored, forward
        self.before: list[str] = []
        self.iterables: dict[str, str] = {}
        self.locals: dict[Any, str] = {}
        self.context = Context("loop", frozenset(loop.stage.names))
        self.scratch()

    def scratch(self) -> None:
        """Memory for values on the way."""
        for name, size in self.loop.scratch.items():
            self.before.append(f"{name} = empty((*lead, {self.module.size(size)}), dtype)")

    def body(self) -> list[str]:
        lines: list[str] = []
        for e, ops in self.loop.equations:
            lines.append(f"# {self.module.words(e)}")
            lines += [self.call(op) for op in ops]
        self.before += self.context.before
        return lines

    def head(self) -> str:
        names, codes = list(self.iterables), list(self.iterables.values())
        if names == ["t"]:
            return f"for t in {codes[0]}:"
        return f"for {', '.join(names)}{',' * (len(names) == 1)} in zip({', '.join(codes)}):"

    def heading(self) -> list[str]:
        """The line that begins the loop, in several where it is long."""
        line = self.head()
        if len(line) < 100:
            return [line]
        names, codes = list(self.iterables), list(self.iterables.values())
        return [
            "for (",
            *(f"    {w}" for w in _wrapped(names)),
            ") in zip(",
            *(f"    {w}" for w in _wrapped(codes)),
            "):",
        ]

    def call(self, op: Op) -> str:
        out = self.operand(op.out)
        if op.word == "expression":
            return self.assigned(out, self.expression(op.term))
        args = [self.operand(a, op.out) for a in op.args]
        if op.word == "copy":
            return self.assigned(out, args[0])
        if op.word == "dot":
            return self.dot(op, args, out)
        if op.word in FUNCTIONS:
            found = re.fullmatch(r"np\.(\w+)\(x\)", FUNCTIONS[op.word].numpy)
            if found is None:
                return self.assigned(out, apply_code(op.word, args[0]))
            return f"np.{found[1]}({args[0]}, {out})"
        return f"np.{op.word}({', '.join(args)}, {out})"

    def assigned(self, out: str, code: str) -> str:
        """Write a value into a place."""
        return f"{out}{'' if out.endswith(']') else '[...]'} = {stripped(code)}"

    def dot(self, op: Op, args: list[str], out: str) -> str:
        """A product of rows and a matrix."""
        flat = self.is_contiguous(op.out) and self.gates_of(op.out) is None and op.out.name not in self.module.over
        return f"{args[0]}.dot({args[1]}, {out})" if flat else f"np.matmul({args[0]}, {args[1]}, {out})"

    def is_contiguous(self, v: View) -> bool:
        """Whether a place is all of a row."""
        return v.lag is None or is_whole(self.module.net, v.name, v.start, v.stop)

    def expression(self, term: Any) -> str:
        for place in places(term):
            if place.lag == 0 and place.name in self.loop.stage.names:
                self.operand(place)
        code = self.module.emit(term, self.context)
        if re.search(r"\bt\b", code):
            self.iterables.setdefault("t", "range(1, T + 1)" if self.forward else "range(T, 0, -1)")
        return code

    def operand(self, o: Operand, like: View | None = None) -> str:
        """The code of an operand; `like` is where it goes."""
        key = (o, self.gates_of(like)) if isinstance(o, Fixed) else o
        if key in self.locals:
            return self.locals[key]
        match o:
            case View():
                code = self.view(o)
            case Constant():
                code = self.constant(o)
            case Fixed():
                code = self.fixed(o, like)
        self.locals[key] = code
        return code

    def constant(self, o: Constant) -> str:
        """A number as an array without axes, which NumPy takes faster than a number."""
        code = f"number{sum(isinstance(k, Constant) for k in self.locals) + 1}"
        self.before.append(f"{code} = np.asarray({tm.number_code(o.number)}, dtype)")
        return code

    def fixed(self, o: Fixed, like: View | None) -> str:
        """What does not change in the loop; for gates on an axis of their own, so does what goes with them."""
        m = self.module
        gates = self.gates_of(like)
        code = m.emit(o.term, Context("timeless"))
        if gates:
            count, size = gates[0], m.size(gates[1])
            if o.transposed:
                code = f"np.ascontiguousarray({code}.reshape({count}, {size}, -1).swapaxes(1, 2), dtype)"
            elif o.term.shape != (1, 1):
                code = f"{code}.reshape({count}, *[1] * len(lead), {size})"
        elif o.transposed:
            code = f"np.ascontiguousarray({code}.T, dtype)"
        if code == m.names.get(getattr(o.term, "name", "")):
            return code
        m.count += 1
        self.before.append(f"fixed{m.count} = {code}")
        return f"fixed{m.count}"

    def gates_of(self, v: View | None) -> tuple[int, Any] | None:
        """How many gates a place has, and the size of one, if they have an axis of their own."""
        if v is None or v.lag is None:
            return None
        root = self.module.over.get(v.name, (v.name, 0))[0]
        if root not in self.module.gates:
            return None
        _, size = self.module.gates[root]
        count = int(sp.cancel(v.size / size))
        return (count, size) if count > 1 else None

    def fold(self, v: View, lead: str) -> str:
        """The index or shape that folds the last axis."""
        if v.folds == 1:
            return ""
        if v.folds < 0:
            return "[..., None, :]"
        return f".reshape({lead}*lead, {v.folds}, {self.module.size(sp.expand(v.size / v.folds))})"

    def view(self, v: View) -> str:
        m = self.module
        count = sum(isinstance(k, View) and k.name == v.name for k in self.locals)
        if v.lag is None:
            if (v.start, v.stop) == (0, self.loop.scratch[v.name]):
                return v.name
            self.before.append(f"{v.name}_{count} = {v.name}{self.cut(v)}")
            return f"{v.name}_{count}"
        key, cut = self.part(v)
        base = f"{m.names[v.name]}{count}" if cut else m.names[key]
        if v.name in self.loop.stage.names and v.name not in self.stored:
            if v.folds == 1:
                return f"{base}_t"
            self.before.append(f"{base}_t{count} = {base}_t{self.fold(v, '')}")
            return f"{base}_t{count}"
        name = f"{base}_" + ("t" if v.lag == 0 else f"before{v.lag}" if v.lag > 0 else f"after{-v.lag}")
        if v.folds != 1:
            name += f"_{count}"
        order = "" if self.forward else "[::-1]"
        self.iterables[name] = f"{m.steps(key, v.lag)}{order}{cut}{self.fold(v, 'T, ')}"
        return name

    def part(self, v: View) -> tuple[str, str]:
        """The sequence, or the named part of one, that a place is, and the cut that is left to make."""
        m = self.module
        key = v.name if is_whole(m.net, v.name, v.start, v.stop) else part_key(v.name, v.start, v.stop)
        if key in m.names:
            return key, ""
        return v.name, self.cut(v)  # of what is computed for all t at once

    def cut(self, v: View) -> str:
        """The index that takes the entries of a place."""
        return f"[..., {self.module.size(v.start)}:{self.module.size(v.stop)}]"


class Whole(Steps):
    """Writes operations for all steps at once: an operand is the whole array."""

    def scratch(self) -> None:
        self.rooms: dict[str, str] = {}
        for name, size in self.loop.scratch.items():
            taken = self.module.rooms.setdefault(size, [])
            k = sum(self.loop.scratch[n] == size for n in self.rooms)  # one equation after the other uses it
            if k == len(taken):
                self.module.count += 1
                taken.append(f"temp_all{self.module.count}")
                self.before.append(f"{taken[k]} = empty((T, *lead, {self.module.size(size)}), dtype)")
            self.rooms[name] = taken[k]

    def dot(self, op: Op, args: list[str], out: str) -> str:
        (rows, _), columns = op.args, self.module.size(op.out.size)
        if not isinstance(rows, View) or not self.is_contiguous(op.out):
            return f"np.matmul({args[0]}, {args[1]}, {out})"
        flat = f"{args[0]}.reshape(-1, {self.module.size(rows.size)})"  # one product, not one a step
        return f"np.matmul({flat}, {args[1]}, {out}.reshape(-1, {columns}))"

    def fixed(self, o: Fixed, like: View | None) -> str:
        return self.module.matrix_of_rows(o.term) if o.transposed else self.module.emit(o.term, Context("timeless"))

    def constant(self, o: Constant) -> str:
        return tm.number_code(o.number)

    def view(self, v: View) -> str:
        if v.lag is None:
            place, cut = self.rooms[v.name], "" if v.size == self.loop.scratch[v.name] else self.cut(v)
        else:
            key, cut = self.part(v)
            place = self.module.steps(key, v.lag)
        return f"{place}{cut}{self.fold(v, 'T, ')}"


def _wrapped(words: Iterable[str], width: int = 104) -> list[str]:
    """Words with commas, in lines; a word is not broken."""
    lines = [""]
    for word in words:
        if lines[-1] and len(lines[-1]) + len(word) > width:
            lines.append("")
        lines[-1] += f"{' ' if lines[-1] else ''}{word},"
    return lines
