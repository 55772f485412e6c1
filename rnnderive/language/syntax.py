"""The language as text: one table of names, a reader and a writer.

The reader walks Python's syntax tree with a whitelist; nothing is ever evaluated.  Its result
is a tree of :class:`Raw` nodes, whose shapes :mod:`rnnderive.language.shapes` then finds.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, TypeVar

import sympy as sp

from rnnderive import printing as pr
from rnnderive.errors import LanguageError
from rnnderive.language import terms as tm
from rnnderive.language.functions import FUNCTIONS

E = TypeVar("E", bound=LanguageError)

__all__ = ["RESERVED", "Line", "Raw", "read", "write", "write_size"]

MAX_TEXT = 200_000
MAX_DEPTH = 200
MAX_NUMBER = 1e300
MAX_SHOWN = 30  # parts of a sum in an error message

UNARY = {
    "softmax": tm.Softmax,
    "log_softmax": tm.LogSoftmax,
    "layer_norm": tm.LayerNorm,
    "inverse_std": tm.InverseStd,
    "diag": tm.Diag,
    "vec": tm.Vec,
}
LOSSES = {
    "squared_error": tm.SquaredError,
    "cross_entropy": tm.CrossEntropy,
    "binary_cross_entropy": tm.BinaryCrossEntropy,
    "log_loss": tm.LogLoss,
}
CONSTANTS = {"ones": tm.Ones, "zeros": tm.Zeros, "eye": tm.Eye, "commutation": tm.Commutation}
RESERVED = frozenset(
    {"t", "T", "batch", "size", "sum", "mean", "kron", "unvec", "input"}
    | set(FUNCTIONS) | set(UNARY) | set(LOSSES) | set(CONSTANTS)
)  # fmt: skip

_RELATIONS: dict[type, str] = {ast.Eq: "==", ast.LtE: "<=", ast.GtE: ">=", ast.Lt: "<", ast.Gt: ">"}


@dataclass
class Raw:
    """A node of the text's tree: an operator, its parts, and where it stands."""

    op: str
    parts: list[Raw] = field(default_factory=list)
    data: Any = None
    line: int = 1
    column: int = 1
    rows: Any = None
    columns: Any = None

    def walk(self) -> Iterator[Raw]:
        """This node and all below it."""
        yield self
        for part in self.parts:
            yield from part.walk()


@dataclass
class Line:
    """One equation of a text: its left and right sides, unshaped."""

    left: Raw
    right: Raw


@dataclass
class Text:
    """A text that has been read: equations, declared inputs, and the name it returns, if any."""

    source: str
    lines: list[Line]
    inputs: list[Raw]
    returned: str | None

    def error(self, kind: type[E], message: str, at: Raw | None) -> E:
        """An error that points at a node."""
        if at is None:
            return kind(message)
        rows = self.source.split("\n")
        shown = rows[at.line - 1] if 0 < at.line <= len(rows) else None
        return kind(message, at.line, at.column, shown)

    def excerpt(self, at: Raw) -> str:
        """The words of the text behind a node, shortened."""
        words = getattr(at, "words", None) or write_raw(at)
        return words if len(words) <= 60 else words[:57] + "…"


def read(source: str) -> Text:
    """Read a text into unshaped equations.

    Raises
    ------
    LanguageError
        With line, column, what was found and what was expected.
    """
    if not isinstance(source, str):
        raise LanguageError(f"expected a text of equations, found {type(source).__name__}")
    source = _plain(source)
    if not source.strip():
        raise LanguageError('the text is empty; expected equations such as "h[t] = tanh(W @ x[t] + U @ h[t-1] + b)"')
    if len(source) > MAX_TEXT:
        raise LanguageError(f"the text has {len(source)} characters; at most {MAX_TEXT} are read")
    _check_nesting(source)
    dedented, margins = _dedent(source)
    try:
        module = ast.parse(dedented)
    except SyntaxError as error:
        raise _syntax_error(source, margins, error) from None
    except (RecursionError, MemoryError, ValueError) as error:
        raise LanguageError(
            f"the text cannot be read ({type(error).__name__}): it is nested too deeply, or one expression has several "
            "thousand parts; name parts of it in equations of their own"
        ) from None
    return _Reader(source, dedented, margins).text(module)


def _plain(source: str) -> str:
    """The text with one kind of line end and of space, each character in its place."""
    return re.sub(r"[\t\f\v]", " ", source.replace("\r\n", "\n").replace("\r", "\n").removeprefix("\ufeff"))


def _dedent(source: str) -> tuple[str, list[int]]:
    """The text without the margin that its lines share, and how wide that was in each line.

    The first line has no margin where the text follows its quotation marks at once.
    """
    rows = source.split("\n")

    def margin(of: list[str]) -> int:
        return min(
            (len(r) - len(r.lstrip(" ")) for r in of if r.strip() and not r.lstrip().startswith("#")),
            default=0,
        )

    first = len(rows[0]) - len(rows[0].lstrip(" "))
    rest = margin(rows[1:])
    margins = [first if first < rest else min(first, rest) if rest else margin(rows[:1])]
    margins += [min(rest, len(r) - len(r.lstrip(" "))) for r in rows[1:]]
    return "\n".join(r[m:] for r, m in zip(rows, margins, strict=True)) + "\n", margins


def _check_nesting(source: str) -> None:
    """Refuse brackets nested too deeply before Python's parser meets them."""
    depth = 0
    for number, row in enumerate(source.split("\n"), 1):
        for column, sign in enumerate(row.split("#")[0], 1):
            depth += (sign in "([{") - (sign in ")]}")
            if depth > MAX_DEPTH:
                raise LanguageError(
                    f"brackets are nested more than {MAX_DEPTH} deep; name a part of it in an equation of its own",
                    number, column, row,
                )  # fmt: skip


def _syntax_error(source: str, margins: list[int], error: SyntaxError) -> LanguageError:
    rows = source.split("\n")
    line = error.lineno or 1
    column = max(error.offset or 1, 1) + (margins[line - 1] if line <= len(margins) else 0)
    shown = rows[line - 1] if 0 < line <= len(rows) else None
    found = f"found {shown.strip()[:60]!r}" if shown else "found the end of the text"
    reason = (error.msg or "invalid syntax").rstrip(".")
    return LanguageError(
        f"{reason}; {found}, expected an equation such as h[t] = tanh(U @ h[t-1])", line, column, shown
    )


class _Reader:
    """Walks Python's tree; every construct that is not listed is an error with its place."""

    def __init__(self, source: str, dedented: str, margins: list[int]) -> None:
        self.source, self.dedented, self.margins = source, dedented, margins
        self.rows = source.split("\n")
        self.encoded = [row.encode() for row in dedented.split("\n")]  # Python counts columns in bytes
        self.depth = 0

    def place(self, node: ast.AST) -> tuple[int, int]:
        """Line and column, in characters of the text as it was given."""
        line, offset = getattr(node, "lineno", 1), getattr(node, "col_offset", 0)
        if line > len(self.rows):
            return line, offset + 1
        margin = self.margins[line - 1]
        before = self.encoded[line - 1][:offset]
        return line, margin + len(before.decode(errors="replace")) + 1

    def error(self, message: str, node: ast.AST) -> LanguageError:
        line, column = self.place(node)
        return LanguageError(message, line, column, self.rows[line - 1] if line <= len(self.rows) else None)

    def words(self, node: ast.AST) -> str:
        words = ast.get_source_segment(self.dedented, node) or type(node).__name__
        words = re.sub(r"\s+", " ", words)
        return words if len(words) <= 60 else words[:57] + "…"

    def raw(self, node: ast.AST, op: str, *parts: Raw, data: Any = None) -> Raw:
        return Raw(op, list(parts), data, *self.place(node))

    def text(self, module: ast.Module) -> Text:
        lines: list[Line] = []
        inputs: list[Raw] = []
        returned = None
        for statement in module.body:
            match statement:
                case ast.Assign(targets=[target], value=value):
                    lines.append(Line(self.target(target), self.term(value)))
                case ast.AnnAssign(target=ast.Name(id=name), annotation=ast.Name(id="input"), value=None):
                    self.check_name(name, statement)
                    inputs.append(self.raw(statement, "name", data=name))
                case ast.Return(value=ast.Name(id=name)):
                    returned = name
                case ast.Assign():
                    raise self.error("one equation a line: expected a single name on the left", statement)
                case ast.Expr(value=ast.Constant(value=str())):
                    continue  # a docstring
                case _:
                    raise self.error(
                        f"found {self.words(statement)!r}, expected an equation such as h[t] = tanh(U @ h[t-1])",
                        statement,
                    )
        if not lines:
            raise LanguageError("the text has no equation")
        return Text(self.source, lines, inputs, returned)

    def target(self, node: ast.expr) -> Raw:
        match node:
            case ast.Name(id=name):
                self.check_name(name, node)
                return self.raw(node, "name", data=name)
            case ast.Subscript(value=ast.Name(id=name), slice=index):
                self.check_name(name, node)
                if self.index(index) != tm.t:
                    raise self.error(
                        f"an equation defines {name}[t], for every t; found {self.words(node)!r}. "
                        f"Move the index to the other side, or give {name}0 as an initial state",
                        node,
                    )
                return self.raw(node, "at", data=(name, tm.t))
        raise self.error(f"found {self.words(node)!r} on the left, expected name[t] or a name", node)

    def check_name(self, name: str, node: ast.AST) -> None:
        if name in RESERVED:
            raise self.error(f"{name!r} is a word of the language; choose another name", node)

    def term(self, node: ast.expr) -> Raw:
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise self.error(
                f"the expression is nested more than {MAX_DEPTH} deep; name a part of it in an equation of its own",
                node,
            )
        try:
            return self._term(node)
        finally:
            self.depth -= 1

    def _term(self, node: ast.expr) -> Raw:
        match node:
            case ast.Name(id="T"):
                return self.raw(node, "extent", data=tm.T)
            case ast.Name(id=name):
                if name == "t":
                    raise self.error("t is an index; it stands inside brackets only, as in h[t-1]", node)
                self.check_name(name, node)
                return self.raw(node, "name", data=name)
            case ast.Constant(value=bool()):
                raise self.error(f"found {node.value!r}, expected a number", node)
            case ast.Constant(value=int() | float()):
                return self.raw(node, "number", data=self.number(node))
            case ast.BinOp(op=ast.Add() | ast.Sub()):
                return self.flat(node, "+", (ast.Add, ast.Sub))
            case ast.BinOp(op=ast.Mult()):
                return self.flat(node, "*", (ast.Mult,))
            case ast.BinOp(left=left, op=ast.MatMult() | ast.Div(), right=right):
                op = "@" if isinstance(node.op, ast.MatMult) else "/"
                first = self.term(left)
                if op == "@" and first.op in "*/" and self.place(left) == self.place(node):
                    first.data = "bare"  # a * W @ x without brackets: Shapes refuses what is meant otherwise
                return self.raw(node, op, first, self.term(right))
            case ast.BinOp(left=left, op=ast.Pow(), right=right):
                return self.raw(node, "**", self.term(left), data=self.integer(right))
            case ast.UnaryOp(op=ast.USub(), operand=operand):
                return self.raw(node, "neg", self.term(operand))
            case ast.UnaryOp(op=ast.UAdd(), operand=operand):
                return self.term(operand)
            case ast.Attribute(value=value, attr="T"):
                return self.raw(node, ".T", self.term(value))
            case ast.List(elts=parts) if parts:
                return self.raw(node, "stack", *(self.term(p) for p in parts))
            case ast.Subscript():
                return self.subscript(node)
            case ast.IfExp():
                return self.conditional(node)
            case ast.Call(func=ast.Name(id=name), args=arguments, keywords=[]):
                return self.call(node, name, arguments)
        raise self.error(
            f"found {self.words(node)!r}, expected names, numbers, + - * / @ ** .T, [u, v], name[t-1] or a function",
            node,
        )

    def flat(self, node: ast.expr, op: str, kinds: tuple[type[ast.operator], ...]) -> Raw:
        """A sum or an elementwise product of any number of parts; Python nests it to the left."""
        place, parts = self.place(node), []
        while isinstance(node, ast.BinOp) and isinstance(node.op, kinds):
            part = self.term(node.right)
            parts.append(self.raw(node.right, "neg", part) if isinstance(node.op, ast.Sub) else part)
            node = node.left
        return Raw(op, [self.term(node), *reversed(parts)], None, *place)

    def number(self, node: ast.Constant) -> sp.Rational:
        """A number as it was written: 0.1 is 1/10."""
        words = self.encoded[node.lineno - 1][node.col_offset : node.end_col_offset].decode()
        magnitude = abs(node.value)  # type: ignore[arg-type]  # the caller has seen that it is a number
        if magnitude > MAX_NUMBER or (magnitude < 1 / MAX_NUMBER and re.search("[1-9]", words.lower().split("e")[0])):
            raise self.error(f"found {self.words(node)!r}, expected a number between 1e-300 and 1e300", node)
        return sp.Rational(words.replace("_", "")) if magnitude else sp.S.Zero

    def subscript(self, node: ast.Subscript) -> Raw:
        if isinstance(node.slice, ast.Slice | ast.Tuple):
            parts = node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice]
            if len(parts) > 2 or not all(isinstance(p, ast.Slice) and p.step is None for p in parts):
                raise self.error(f"found {self.words(node)!r}, expected a block such as W[:, 0:size(h)]", node)
            bounds = [tuple(self.size(b) if b else None for b in (p.lower, p.upper)) for p in parts]  # type: ignore[attr-defined]
            return self.raw(node, "block", self.term(node.value), data=bounds)
        if not isinstance(node.value, ast.Name):
            raise self.error(f"found {self.words(node)!r}; only a name takes a time index, as in h[t-1]", node)
        name = node.value.id
        self.check_name(name, node)
        return self.raw(node, "at", data=(name, self.index(node.slice)))

    def conditional(self, node: ast.IfExp) -> Raw:
        match node:
            case ast.IfExp(
                test=ast.Compare(left=left, ops=[op], comparators=[right]), orelse=ast.Constant(value=0)
            ) if type(op) in _RELATIONS:
                sign, a, b = _RELATIONS[type(op)], self.index(left), self.index(right)
                if sign in "<>":
                    sign, b = sign + "=", b + (1 if sign == ">" else -1)
                return self.raw(node, "where", self.term(node.body), data=(sign, a, b))
        raise self.error(f"found {self.words(node)!r}, expected a condition such as (e if t == T else 0)", node)

    def call(self, node: ast.Call, name: str, arguments: list[ast.expr]) -> Raw:
        def expect(*counts: int) -> None:
            if len(arguments) not in counts:
                wanted = " or ".join(map(str, counts))
                raise self.error(f"{name} takes {wanted} argument(s), found {len(arguments)}", node)

        if name in FUNCTIONS:
            expect(1)
            return self.raw(node, "apply", self.term(arguments[0]), data=name)
        if name in UNARY:
            expect(1)
            return self.raw(node, name, self.term(arguments[0]))
        if name in LOSSES or name == "kron":
            expect(2)
            return self.raw(node, name, *(self.term(a) for a in arguments))
        if name in ("sum", "mean"):
            expect(1, 2, 3)
            return self.reduction(node, name, arguments)
        if name == "size":
            return self.raw(node, "extent", data=self.size(node))
        if name in CONSTANTS:
            expect(*((1,) if name == "eye" else (2,) if name == "commutation" else (1, 2)))
            return self.raw(node, name, data=[self.size(a) for a in arguments])
        if name == "unvec":
            expect(3)
            return self.raw(node, name, self.term(arguments[0]), data=[self.size(a) for a in arguments[1:]])
        import difflib

        near = difflib.get_close_matches(name, sorted(RESERVED), 1)
        hint = f"; did you mean {near[0]}?" if near else "."
        known = ", ".join(sorted([*FUNCTIONS, *UNARY, *LOSSES, "sum", "mean"]))
        raise self.error(f"unknown function {name!r}{hint} Known: {known}", node)

    def reduction(self, node: ast.Call, name: str, arguments: list[ast.expr]) -> Raw:
        axes = [a.id if isinstance(a, ast.Name) else self.words(a) for a in arguments[1:]]
        if any(a not in ("t", "batch") for a in axes) or len(set(axes)) < len(axes):
            raise self.error(f"{name}(e, t) and {name}(e, batch) are known; found {', '.join(axes)!r}", node)
        body = self.term(arguments[0])
        if not axes:
            total = self.raw(node, "sum_entries", body)
            return self.raw(node, "/", total, self.raw(node, "entries", body)) if name == "mean" else total
        for axis in axes:
            body = self.raw(node, "sum_t" if axis == "t" else "sum_batch", body)
            if name == "mean":
                body = self.raw(node, "/", body, self.raw(node, "extent", data=tm.T if axis == "t" else tm.BATCH))
        return body

    def integer(self, node: ast.expr) -> int:
        match node:
            case ast.Constant(value=int(value)) if not isinstance(value, bool) and value <= 64:
                return value
            case ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=int(value))) if value <= 64:
                return -value
        raise self.error(f"found the exponent {self.words(node)!r}, expected an integer up to 64", node)

    def index(self, node: ast.expr) -> Any:
        """t, t-1, T, T-1, 3."""
        match node:
            case ast.Name(id="t"):
                return tm.t
            case ast.Name(id="T"):
                return tm.T
            case ast.Constant(value=int(value)) if not isinstance(value, bool):
                if value < 1:
                    raise self.error(
                        f"found the index {value}; steps are counted from 1 (an initial state is a name such as h0)",
                        node,
                    )
                return sp.Integer(value)
            case ast.BinOp(left=ast.Name(id="t" | "T" as base), op=ast.Add() | ast.Sub() as op, right=right):
                steps = self.lag(right)
                return (tm.t if base == "t" else tm.T) + (steps if isinstance(op, ast.Add) else -steps)
        raise self.error(
            f"found the index {self.words(node)!r}, expected t, t-1, t+1, T, T-1 or a step such as 1", node
        )

    def lag(self, node: ast.expr) -> int:
        match node:
            case ast.Constant(value=int(value)) if not isinstance(value, bool):
                return value
        raise self.error(f"found {self.words(node)!r}, expected a whole number of steps", node)

    def size(self, node: ast.expr) -> Any:
        """A size: an integer, size(h), size(W, 1), or a sum or product of these."""
        match node:
            case ast.Constant(value=int(value)) if not isinstance(value, bool):
                return sp.Integer(value)
            case ast.Call(func=ast.Name(id="size"), args=[ast.Name(id="batch")], keywords=[]):
                return tm.BATCH
            case ast.Call(func=ast.Name(id="size"), args=[ast.Name(id=name)], keywords=[]):
                return sp.Symbol(f"n_{name}", integer=True, positive=True)
            case ast.Call(func=ast.Name(id="size"), args=[ast.Name(id=name), ast.Constant(value=1)], keywords=[]):
                return sp.Symbol(f"m_{name}", integer=True, positive=True)
            case ast.BinOp(left=left, op=ast.Add(), right=right):
                return self.size(left) + self.size(right)
            case ast.BinOp(left=left, op=ast.Sub(), right=right):
                return self.size(left) - self.size(right)
            case ast.BinOp(left=left, op=ast.Mult(), right=right):
                return self.size(left) * self.size(right)
        raise self.error(f"found the size {self.words(node)!r}, expected a number, size(name) or a sum of these", node)


# ---------------------------------------------------------------- writing

_SUM, _PRODUCT, _UNARY, _POWER, _ATOM = range(5)


def write(term: tm.Term) -> str:
    """The text of a term; reading it gives an equal term."""
    return _write(term)[0]


def _bracket(term: tm.Term, level: int) -> str:
    words, strength = _write(term)
    return words if strength >= level else f"({words})"


def _index(index: Any) -> str:
    return str(index).replace(" ", "")


def write_size(size: Any) -> str:
    """The text of a size: ``size(h)`` for the symbol n_h."""
    size = sp.sympify(size)
    if size == tm.BATCH:
        return "size(batch)"
    if size.is_Symbol and str(size).startswith("n_"):
        return f"size({str(size)[2:]})"
    if size.is_Symbol and str(size).startswith("m_"):
        return f"size({str(size)[2:]}, 1)"
    if size.is_Add:
        constant, rest = size.as_coeff_Add()
        ordered = [*sorted(sp.Add.make_args(rest), key=str), *([constant] if constant else [])]
        return " + ".join(write_size(a) for a in ordered).replace("+ -", "- ")
    if size.is_Mul:
        return " * ".join(f"({write_size(a)})" if a.is_Add else write_size(a) for a in size.args)
    return str(size)


def _write(term: tm.Term) -> tuple[str, int]:
    for kind, writer in _WRITERS.items():
        if isinstance(term, kind):
            return writer(term)
    for table in (UNARY, LOSSES):
        for name, kind in table.items():
            if isinstance(term, kind):
                return f"{name}({', '.join(write(a) for a in term.terms)})", _ATOM
    return pr.text(term.math(pr.Notation())), _ATOM  # the parts of a chain are no words of the language


def _write_number(term: Any) -> tuple[str, int]:
    q = term.number
    if q.q == 1:
        return str(q.p), _ATOM if q.p >= 0 else _UNARY
    rest = q.q
    for prime in (2, 5):
        while rest % prime == 0:
            rest //= prime
    if rest == 1 and q.q <= 10**12:
        digits = format(sp.Float(q, 40), "f").rstrip("0")
        return (digits if sp.Rational(digits) == q else f"{q.p} / {q.q}"), _ATOM if q.p >= 0 else _UNARY
    return f"{q.p} / {q.q}", _PRODUCT


def _write_plus(term: Any) -> tuple[str, int]:
    words = ""
    for k, part in enumerate(term.args):
        sign, rest = tm.split_sign(part)
        if k == 0:
            words = _bracket(part, _PRODUCT)
        else:
            words += (" - " if sign < 0 else " + ") + _bracket(rest, _PRODUCT)
    return words, _SUM


def _write_times(term: Any) -> tuple[str, int]:
    factors = list(term.args)
    words = ""
    if isinstance(factors[0], tm.Number) and factors[0].number == -1:
        words, factors = "-", factors[1:]
    for k, part in enumerate(factors):
        if isinstance(part, tm.Power) and part.args[1].is_negative:
            base = _bracket(tm.power(part.args[0], -part.args[1]), _POWER)
            words += f"1 / {base}" if k == 0 else f" / {base}"
        else:
            words += (" * " if k else "") + _bracket(part, _UNARY)
    return words, _PRODUCT


def _write_power(term: Any) -> tuple[str, int]:
    base, k = term.args
    if k.is_negative:
        return f"1 / {_bracket(tm.power(base, -k), _POWER)}", _PRODUCT
    return f"{_bracket(base, _ATOM)}**{k}", _POWER


def _write_sum(term: Any) -> tuple[str, int]:
    if isinstance(term, tm.BatchSum):
        inner = term.args[0]
        if isinstance(inner, tm.TimeSum):
            return f"sum({write(inner.args[0])}, t, batch)", _ATOM
        return f"sum({write(inner)}, batch)", _ATOM
    return f"sum({write(term.args[0])}, t)", _ATOM


def _write_block(term: Any) -> tuple[str, int]:
    whole, r0, r1, c0, c1 = term.args
    rows, columns = whole.shape

    def bounds(start: Any, stop: Any, size: Any) -> str:
        return ":" if (start, stop) == (0, size) else f"{write_size(start)}:{write_size(stop)}"

    inside = bounds(r0, r1, rows)
    if (c0, c1) != (0, columns):
        inside += ", " + bounds(c0, c1, columns)
    return f"{_bracket(whole, _ATOM)}[{inside}]", _ATOM


def _write_where(term: Any) -> tuple[str, int]:
    sign, left, right = term.relation
    return f"({write(term.args[3])} if {_index(left)} {sign} {_index(right)} else 0)", _ATOM


def _write_constant(term: Any) -> tuple[str, int]:
    name = next(n for n, kind in CONSTANTS.items() if isinstance(term, kind))
    sizes = list(term.args)
    if name in ("ones", "zeros") and sizes[1] == 1:
        sizes.pop()
    return f"{name}({', '.join(write_size(s) for s in sizes)})", _ATOM


_WRITERS: dict[type, Callable[[Any], tuple[str, int]]] = {
    tm.Parameter: lambda e: (e.name, _ATOM),
    tm.At: lambda e: (f"{e.name}[{_index(e.index)}]", _ATOM),
    tm.Number: _write_number,
    tm.Extent: lambda e: ("T" if e.args[0] == tm.T else write_size(e.args[0]), _ATOM),
    tm.Plus: _write_plus,
    tm.Times: _write_times,
    tm.Power: _write_power,
    tm.Product: lambda e: (" @ ".join(_bracket(a, _UNARY) for a in e.args), _PRODUCT),
    tm.Transpose: lambda e: (f"{_bracket(e.args[0], _ATOM)}.T", _ATOM),
    tm.Stack: lambda e: (f"[{', '.join(write(a) for a in e.args)}]", _ATOM),
    tm.Block: _write_block,
    tm.Apply: lambda e: (f"{e.name}({write(e.args[1])})", _ATOM),
    tm.SumEntries: lambda e: (f"sum({write(e.args[0])})", _ATOM),
    tm.BatchSum: _write_sum,
    tm.TimeSum: _write_sum,
    tm.Where: _write_where,
    tm.Blocks: lambda e: ("blocks(" + ", ".join(f"[{', '.join(map(write, row))}]" for row in e.grid) + ")", _ATOM),
    tm.Kron: lambda e: (f"kron({write(e.args[0])}, {write(e.args[1])})", _ATOM),
    tm.Unvec: lambda e: (
        f"unvec({write(e.args[0])}, {write_size(e.args[1])}, {write_size(e.args[2])})",
        _ATOM,
    ),
    tm.Zeros: _write_constant,
    tm.Ones: _write_constant,
    tm.Eye: _write_constant,
    tm.Commutation: _write_constant,
}


def write_raw(node: Raw) -> str:
    """A node of the text's tree in words, for error messages."""
    match node.op:
        case "name":
            return str(node.data)
        case "at":
            return f"{node.data[0]}[{_index(node.data[1])}]"
        case "number":
            return str(node.data)
        case "+" | "*" | "@" | "/":
            words = [write_raw(p) if p.op not in "+*/@" else f"({write_raw(p)})" for p in node.parts[:MAX_SHOWN]]
            return f" {node.op} ".join(words).replace("+ -", "- ")
        case "**":
            return f"({write_raw(node.parts[0])})**{node.data}"
        case "block":
            return f"{write_raw(node.parts[0])}[…]"
        case "where":
            sign, left, right = node.data
            return f"({write_raw(node.parts[0])} if {_index(left)} {sign} {_index(right)} else 0)"
        case ".T":
            return f"{write_raw(node.parts[0])}.T"
        case "neg":
            return f"-{write_raw(node.parts[0])}"
        case "stack":
            return f"[{', '.join(map(write_raw, node.parts))}]"
        case "apply":
            return f"{node.data}({write_raw(node.parts[0])})"
        case "sum_t" | "sum_batch" | "sum_entries":
            return f"sum({write_raw(node.parts[0])}{ {'sum_t': ', t', 'sum_batch': ', batch'}.get(node.op, '') })"
        case "extent":
            return "T" if node.data == tm.T else write_size(node.data)
        case "ones" | "zeros" | "eye" | "commutation":
            return f"{node.op}({', '.join(write_size(s) for s in node.data)})"
    return f"{node.op}({', '.join(map(write_raw, node.parts))})"
