"""NumPy code of terms: a column of a sequence is a row of an array.

``h`` has the shape (T, …, n), with a batch axis or without; ``W @ h[t]`` is ``h[t] @ W.T`` there.  Where a
recurrence reads outside 1..T, the array has rows for it before step 1 and after step T.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import sympy as sp

from rnnderive.errors import RnnDeriveError
from rnnderive.language import terms as tm
from rnnderive.language.recurrence import Recurrence
from rnnderive.language.terms import Term, t
from rnnderive.programs.layout import Context, Layout, apply_code, depends_on_time, kind
from rnnderive.programs.lowering import part_key

__all__ = ["Emitter"]

LONG = 100  # parts of a sum in one pair of brackets: Python's compiler takes no line that nests thousands deep


class Emitter:
    """Writes the code of terms.

    Parameters
    ----------
    net : Recurrence
        What is computed.
    names : mapping
        Name or size → identifier in the code.
    """

    def __init__(self, net: Recurrence, names: Mapping[str, str]) -> None:
        self.net, self.names = net, dict(names)
        self.lines: list[str] = []
        self.layout = {n: Layout() for n, leaf in net.leaves.items() if isinstance(leaf, tm.At)}
        for e in net.equations:
            for node in tm.members(e.right):
                if isinstance(node, tm.At) and node.lag:
                    layout = self.layout[node.name]
                    layout.before = max(layout.before, node.lag)
                    layout.after = max(layout.after, -node.lag)
        self.memo: dict[Any, str] = {}
        self.count = 0

    def line(self, code: str, depth: int = 0) -> None:
        """Write a line of the function."""
        self.lines.append("    " * depth + code)

    def size(self, size: Any) -> str:
        """A size as code."""
        size = sp.sympify(size)
        if size == tm.BATCH:
            return "(lead[0] if lead else 1)"
        if size.is_Symbol:
            return self.names.get(str(size), str(size))
        if size.is_Add:
            return " + ".join(self.size(a) for a in size.args)
        if size.is_Mul:
            return " * ".join(f"({self.size(a)})" if a.is_Add else self.size(a) for a in size.args)
        return str(size)

    def steps(self, name: str, lag: int) -> str:
        """All steps of a sequence at a lag."""
        layout = self.layout[name]
        if not (layout.before or layout.after):
            return self.names[name]
        start = layout.before - lag
        return f"{self.names[name]}[{start}:T + {start}]" if start else f"{self.names[name]}[:T]"

    def row(self, name: str, index: Any) -> str:
        """One step of a sequence."""
        offset = sp.expand(sp.sympify(index) + self.layout[name].before - 1)
        return f"{self.names[name]}[{str(offset).replace('**', '^')}]"

    def shape(self, steps: str, leaf: Term) -> str:
        tail = self.size(leaf.shape[0]) + ("" if leaf.is_column else f", {self.size(leaf.shape[1])}")
        return f"({steps}, *lead, {tail})" if steps else f"(*lead, {tail})"

    # ------------------------------------------------------------ terms

    def emit(self, term: Term, c: Context) -> str:
        """The code of a term in a context."""
        key = ("loop" if c.kind == "loop" else c.kind, term)
        if key in self.memo:
            return self.memo[key]
        if (
            c.kind == "loop"
            and not depends_on_time(term)
            and not isinstance(term, tm.At | tm.Parameter | tm.Number | tm.Extent | tm.Zeros | tm.Ones)
        ):
            return self._constant(term, c)
        code = self._emit(term, c)
        if c.kind == "all" and isinstance(term, tm.Stack | tm.Apply | tm.Softmax | tm.LayerNorm):
            self.count += 1
            name = f"part{self.count}"
            if self._occurs(term) > 1:
                self.line(f"{name} = {code}")
                self.memo[key] = name
                return name
        return code

    def _occurs(self, term: Term) -> int:
        """How often a term occurs outside loops, under Σ_t or in equations for all t."""
        loops = {n for s in self.net.schedule if s.direction != "all" for n in s.names}
        return sum(n == term for e in self.net.equations if e.name not in loops for n in tm.members(e.right))

    def _constant(self, term: Term, c: Context) -> str:
        """A timeless part of a loop, computed before it."""
        key = ("loop", term)
        code = self._emit(term, Context("timeless"))
        self.count += 1
        name = f"fixed{self.count}"
        c.before.append(f"{name} = {code}")
        self.memo[key] = name
        return name

    def _emit(self, term: Term, c: Context) -> str:
        for cls in type(term).__mro__:
            method = _EMITTERS.get(cls)
            if method is not None:
                return str(method(self, term, c))
        raise RnnDeriveError(f"no NumPy code for {type(term).__name__}")

    def _at(self, term: Any, c: Context) -> str:
        return self._sequence(term.name, term, c)

    def _sequence(self, key: str, term: Any, c: Context) -> str:
        """A sequence, or a named part of one, where `term` reads it."""
        lag = term.lag
        if lag is None:
            return self.row(key, term.index)
        if c.kind == "loop":
            if lag == 0 and term.name in c.loop:
                return f"{self.names[key]}_t"
            return self.row(key, term.index)
        if c.kind == "timeless":
            raise RnnDeriveError(f"{term} stands at the running step of an equation without one")
        return self.steps(key, lag)

    def _parameter(self, term: Any, c: Context) -> str:
        return self.names[term.name]

    def _plus(self, term: Term, c: Context) -> str:
        groups = [self._sum(term.args[k : k + LONG], term, c) for k in range(0, len(term.args), LONG)]
        return groups[0] if len(groups) == 1 else f"({' + '.join(groups)})"

    def _sum(self, parts: tuple[Term, ...], whole: Term, c: Context) -> str:
        words = ""
        for k, part in enumerate(parts):
            sign, rest = tm.split_sign(part)
            code = self._aligned(rest, whole, c)
            if k == 0:
                words = f"-{code}" if sign < 0 else code
            else:
                words += f" {'-' if sign < 0 else '+'} {code}"
        return f"({words})"

    def _times(self, term: Term, c: Context) -> str:
        sign, rest = tm.split_sign(term)
        factors = rest.args if isinstance(rest, tm.Times) else (rest,)
        groups = [self._factors(factors[k : k + LONG], term, c) for k in range(0, len(factors), LONG)]
        words = groups[0] if len(groups) == 1 else " * ".join(f"({g})" for g in groups)
        return f"({'-' if sign < 0 else ''}{words})"

    def _factors(self, factors: tuple[Term, ...], whole: Term, c: Context) -> str:
        words = ""
        for k, part in enumerate(factors):
            inverse = isinstance(part, tm.Power) and part.args[1].is_negative
            if inverse:
                code = self._aligned(tm.power(part.args[0], -part.args[1]), whole, c)
                words += f"1 / {code}" if k == 0 else f" / {code}"
            else:
                words += (" * " if k else "") + self._aligned(part, whole, c)
        return words

    def _aligned(self, part: Term, whole: Term, c: Context) -> str:
        """A part of an elementwise operator; a scalar beside a matrix needs one more axis."""
        code = self.emit(part, c)
        if part.is_scalar and kind(whole) == "matrix" and not isinstance(part, tm.Number | tm.Extent):
            return f"{code}[..., None]"
        return code

    def _power(self, term: Any, c: Context) -> str:
        base, k = term.args
        code = self.emit(base, c)
        if k == 2 and isinstance(base, tm.At | tm.Parameter):
            return f"({code} * {code})"
        return f"(1 / {code})" if k == -1 else f"({code} ** {int(k)})" if k > 0 else f"(1 / {code} ** {-int(k)})"

    def _product(self, term: Term, c: Context) -> str:
        parts = list(term.args)
        if parts[-1].is_column:  # from the right: matrix times vector
            code, done = self.emit(parts[-1], c), parts[-1]
            for left in reversed(parts[:-1]):
                code = self._pair(left, None, done, code, c)
                done = tm.product(left, done)
            return code
        code, done = self._operand(parts[0], c), parts[0]
        for right in parts[1:]:
            code = self._pair(done, code, right, None, c)
            done = tm.product(done, right)
        return code

    def _operand(self, term: Term, c: Context) -> str:
        """A factor; a diagonal matrix is not formed."""
        return self.emit(term.args[0], c) if isinstance(term, tm.Diag) else self.emit(term, c)

    def _pair(self, a: Term, left: str | None, b: Term, right: str | None, c: Context) -> str:
        """The product of two factors, by their kinds; None stands for code not yet written."""
        right = self._operand(b, c) if right is None else right
        if kind(a) == "matrix" and kind(b) == "column" and self._flat(a) and not isinstance(a, tm.Diag):
            return f"({right} @ {self._transposed(a, left, c)})"
        left = self._operand(a, c) if left is None else left
        if isinstance(a, tm.Diag):
            return f"({left} * {right})" if b.is_column else f"({left}[..., :, None] * {right})"
        if isinstance(b, tm.Diag):
            return f"({left} * {right})" if kind(a) == "row" else f"({left} * {right}[..., None, :])"
        if a.is_scalar or b.is_scalar:
            return f"({left} * {right})"
        match kind(a), kind(b):
            case "matrix", "column":
                return f"({left} @ {right}[..., None])[..., 0]"
            case "row", "matrix":
                return f"({left} @ {right})" if self._flat(b) else f"({left}[..., None, :] @ {right})[..., 0, :]"
            case "row", "column":
                return f"({left} * {right}).sum(-1, keepdims=True)"
            case "column", "row":
                return f"({left}[..., :, None] * {right}[..., None, :])"
        return f"({left} @ {right})"

    def matrix_of_rows(self, term: Term) -> str:
        """What rows are multiplied by from the right where columns are multiplied by a matrix from the left."""
        return self._transposed(term, None, Context("timeless"))

    def _transposed(self, a: Term, code: str | None, c: Context) -> str:
        """Aᵀ of a matrix without leading axes; a transpose of a transpose is the matrix."""
        if isinstance(a, tm.Transpose):
            return self.emit(a.args[0], c)
        flipped = f"{self._operand(a, c) if code is None else code}.T"
        if c.kind == "loop" and not depends_on_time(a):
            key = ("loop", tm.Transpose(a))
            if key not in self.memo:
                self.count += 1
                name = f"fixed{self.count}"
                c.before.append(f"{name} = {flipped}")
                self.memo[key] = name
            return self.memo[key]
        return flipped

    def _flat(self, term: Term) -> bool:
        """Whether a matrix has no leading axes: it is shared and timeless."""
        return self.net.is_shared(term)

    def _transpose(self, term: Any, c: Context) -> str:
        code = self.emit(term.args[0], c)
        return code if kind(term) != "matrix" else f"{code}.swapaxes(-1, -2)"

    def _stack(self, term: Term, c: Context) -> str:
        codes = ", ".join(self.emit(a, c) for a in term.args)
        axis = -1 if term.is_column else -2
        timed = [depends_on_time(a) for a in term.args] if c.kind == "all" else []
        if any(timed):  # a part without a step axis, such as zeros, is the same for every step
            same = all(timed)
        else:
            same = all(isinstance(a, tm.At) and a.lag is not None for a in term.args) or all(
                map(self.net.is_shared, term.args)
            )
        return f"np.concatenate([{codes}], {axis})" if same else f"stacked({codes}, axis={axis})"

    def _block(self, term: Any, c: Context) -> str:
        whole, r0, r1, c0, c1 = term.args
        key = part_key(whole.name, r0, r1) if isinstance(whole, tm.At) else ""
        if key in self.names:
            return self._sequence(key, whole, c)
        rows, columns = f"{self.size(r0)}:{self.size(r1)}", f"{self.size(c0)}:{self.size(c1)}"
        code = self.emit(whole, c)
        match kind(whole):
            case "column":
                return f"{code}[..., {rows}]"
            case "row":
                return f"{code}[..., {columns}]"
        rows = ":" if (r0, r1) == (0, whole.shape[0]) else rows
        columns = ":" if (c0, c1) == (0, whole.shape[1]) else columns
        if columns == ":" and self._flat(whole):
            return f"{code}[{rows}]"
        if kind(term) == "column":
            return f"{code}[..., {rows}, {self.size(c0)}]"
        if kind(term) == "row":
            return f"{code}[..., {self.size(r0)}, {columns}]"
        return f"{code}[{rows}, {columns}]" if self._flat(whole) else f"{code}[..., {rows}, {columns}]"

    def _apply(self, term: Any, c: Context) -> str:
        inner = self.emit(term.args[1], c)
        return apply_code(term.name, inner)

    def _call(self, term: Any, c: Context) -> str:
        return f"{term.word}({', '.join(self.emit(a, c) for a in term.terms)})"

    def _sum_entries(self, term: Any, c: Context) -> str:
        code = self.emit(term.args[0], c)
        return (
            f"{code}.sum((-2, -1))[..., None]" if kind(term.args[0]) == "matrix" else f"{code}.sum(-1, keepdims=True)"
        )

    def _time_sum(self, term: Any, c: Context) -> str:
        return self._reduced(term.args[0], c, batch=False)

    def _batch_sum(self, term: Any, c: Context) -> str:
        inner = term.args[0]
        if isinstance(inner, tm.TimeSum):
            return self._reduced(inner.args[0], c, batch=True)
        code = self.emit(inner, c)
        if self.net.is_shared(inner):
            return f"({code} * {self.size(tm.BATCH)})"
        form = kind(inner)
        if isinstance(inner, tm.Product) and form == "matrix" and self._outer(inner):
            return self._gram(inner, Context("timeless") if c.kind != "loop" else c)
        axes = 2 if form == "matrix" else 1
        return f"over_batch({code}, {axes})"

    def _outer(self, term: Term) -> bool:
        """Whether a product is a column times a row."""
        return any(a.is_column for a in term.args[:-1]) or term.args[0].is_column

    def _gram(self, term: Term, c: Context) -> str:
        """Σ of columns times rows over every leading axis: one matrix product."""
        cut = next(k for k, a in enumerate(term.args) if a.is_column) + 1
        column, row = tm.product(*term.args[:cut]), tm.product(*term.args[cut:])
        return f"gram({self._timed(column, c)}, {self._timed(row, c)})"

    def _timed(self, term: Term, c: Context) -> str:
        """A column or row with a step axis, where the context runs over all t."""
        code = self.emit(term, c)
        size = self.size(sp.Mul(*term.shape))
        if c.kind == "all" and not depends_on_time(term):
            return f"np.broadcast_to({code}, (T, *lead, {size}))"
        if c.kind == "timeless" and self.net.is_shared(term):
            return f"np.broadcast_to({code}, (*lead, {size}))"
        return code

    def _reduced(self, body: Term, c: Context, batch: bool) -> str:
        """Σ_t, and Σ over the batch if asked for, of a body."""
        inner = Context("all")
        if isinstance(body, tm.Plus) and kind(body) == "matrix":
            return "(" + " + ".join(self._reduced(a, c, batch) for a in body.args) + ")"
        if isinstance(body, tm.Where):
            single = self._single(body)
            if single is not None:
                term = tm.BatchSum(single) if batch else single
                return self.emit(term, Context("timeless"))
        if batch and isinstance(body, tm.Product) and kind(body) == "matrix" and self._outer(body):
            return self._gram(body, inner)
        code = self.emit(body, inner)
        code = f"({code} * T)" if not depends_on_time(body) else f"{code}.sum(0)"
        if not batch:
            return code
        if self.net.is_shared(body):
            return f"({code} * {self.size(tm.BATCH)})"
        return f"over_batch({code}, {2 if kind(body) == 'matrix' else 1})"

    def _single(self, term: Any) -> Term | None:
        """The value at the one step where a conditional holds."""
        sign, left, right = term.relation
        if sign != "==" or left != t or right not in (1, tm.T):  # any other step may not be there
            return None
        return tm.at_time(term.args[3], right)

    def _where(self, term: Any, c: Context) -> str:
        sign, left, right = term.relation
        body = term.args[3]
        if c.kind != "all":
            condition = f"{left} {sign} {right}"
            return f"({self.emit(body, c)} if {condition} else {self._filled(tm.Zeros(*body.shape), c)})"
        single = self._single(term)
        if single is not None:
            code = self.emit(single, Context("timeless"))
            return f"impulse({code}, {right} - 1, {self.shape('T', term)}, dtype)"
        lo = "0" if sign == "<=" else f"{right} - 1"
        hi = "T" if sign == ">=" else f"{right}"
        return f"window({self._timed_any(body, c)}, {lo}, {hi})"

    def _timed_any(self, term: Term, c: Context) -> str:
        code = self.emit(term, c)
        return code if depends_on_time(term) else f"np.broadcast_to({code}, {self.shape('T', term)})"

    def _number(self, term: Any, c: Context) -> str:
        return tm.number_code(term.number)

    def _extent(self, term: Any, c: Context) -> str:
        return "T" if term.args[0] == tm.T else self.size(term.args[0])

    def _filled(self, term: Any, c: Context) -> str:
        rows, columns = (self.size(s) for s in term.shape)
        form = kind(term)
        shape = f"({rows}, {columns})" if form == "matrix" else rows if form == "column" else columns
        word = "zeros" if isinstance(term, tm.Zeros) else "ones"
        return f"np.{word}({shape}, dtype)"

    def _eye(self, term: Any, c: Context) -> str:
        return f"np.eye({self.size(term.args[0])}, dtype=dtype)"

    def _diag(self, term: Any, c: Context) -> str:
        return f"({self.emit(term.args[0], c)}[..., :, None] * np.eye({self.size(term.shape[0])}, dtype=dtype))"

    def _kron(self, term: Any, c: Context) -> str:
        def matrix(a: Term) -> str:
            code = self.emit(a, c)
            return {"column": f"{code}[..., :, None]", "row": f"{code}[..., None, :]"}.get(kind(a), code)

        return f"kron({matrix(term.args[0])}, {matrix(term.args[1])})"

    def _vec(self, term: Any, c: Context) -> str:
        return f"vec({self.emit(term.args[0], c)})"

    def _blocks(self, term: Any, c: Context) -> str:
        def matrix(a: Term) -> str:
            code = self.emit(a, c)
            return {"column": f"{code}[..., :, None]", "row": f"{code}[..., None, :]"}.get(kind(a), code)

        rows = ", ".join("[" + ", ".join(matrix(b) for b in row) + "]" for row in term.grid)
        code = f"blocks({rows})"
        return {"column": f"{code}[..., 0]", "row": f"{code}[..., 0, :]"}.get(kind(term), code)

    def _commutation(self, term: Any, c: Context) -> str:
        rows, columns = (self.size(s) for s in term.args)
        return f"commutation({rows}, {columns}, dtype)"


_EMITTERS: dict[type, Any] = {
    tm.At: Emitter._at,
    tm.Parameter: Emitter._parameter,
    tm.Number: Emitter._number,
    tm.Extent: Emitter._extent,
    tm.Zeros: Emitter._filled,
    tm.Ones: Emitter._filled,
    tm.Eye: Emitter._eye,
    tm.Plus: Emitter._plus,
    tm.Times: Emitter._times,
    tm.Power: Emitter._power,
    tm.Product: Emitter._product,
    tm.Transpose: Emitter._transpose,
    tm.Stack: Emitter._stack,
    tm.Block: Emitter._block,
    tm.Apply: Emitter._apply,
    tm.SumEntries: Emitter._sum_entries,
    tm.Unary: Emitter._call,
    tm.Loss: Emitter._call,
    tm.TimeSum: Emitter._time_sum,
    tm.BatchSum: Emitter._batch_sum,
    tm.Where: Emitter._where,
    tm.Diag: Emitter._diag,
    tm.Kron: Emitter._kron,
    tm.Vec: Emitter._vec,
    tm.Blocks: Emitter._blocks,
    tm.Commutation: Emitter._commutation,
}
