"""Shapes by unification: every name gets its rows and columns from how it is used.

Sizes are linear expressions in unknowns.  Products, stacks and transposes give equations
between sizes at once; an elementwise operator waits until it is known which of its parts are
scalars, because a size of 1 goes with any size.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import sympy as sp

from rnnderive.errors import LanguageError, ShapeError
from rnnderive.language import terms as tm
from rnnderive.language.syntax import CONSTANTS, LOSSES, UNARY, Line, Raw, Text

__all__ = ["Shapes"]

MAX_BITS = 100_000
MAX_EXPONENT = 4096


# Operators whose result has the size of their parts.
_ENTRYWISE = {"+", "*", "/", "**", "neg", "apply", "sum_t", "sum_batch", "where"}


class _Sizes:
    """Unknown sizes and what is known about them."""

    def __init__(self) -> None:
        self.bound: dict[Any, Any] = {}
        self.waiting: list[tuple[Any, Any]] = []
        self.count = 0

    def fresh(self) -> sp.Symbol:
        self.count += 1
        return sp.Symbol(f"_{self.count}", integer=True, positive=True)

    def value(self, size: Any) -> Any:
        size = sp.sympify(size)
        while True:
            known = {s: self.bound[s] for s in size.free_symbols if s in self.bound}
            if not known:
                return size
            size = sp.expand(size.xreplace(known))

    def equate(self, a: Any, b: Any, last: bool = False) -> bool:
        """Make two sizes equal; False if they cannot be."""
        a, b = self.value(a), self.value(b)
        gap = sp.expand(a - b)
        if gap == 0:
            return True
        if gap.is_Integer:
            return False
        gap = _essential(gap) if last else gap
        coefficients = gap.as_coefficients_dict()
        unknown = [s for s in gap.free_symbols if abs(coefficients.get(s, 0)) == 1]
        # Sizes are positive: a bare sum of unknowns on one side is never zero.
        if all(c > 0 for c in coefficients.values()) or all(c < 0 for c in coefficients.values()):
            return False
        alone = [s for s in unknown if s in (a, b)]
        if not alone and not last:
            self.waiting.append((a, b))
            return True
        pool = alone or unknown
        if not pool:
            return False
        chosen = max(pool, key=lambda s: int(str(s)[1:]))
        answer = sp.expand(chosen - gap / coefficients[chosen])
        if answer.is_Integer and answer < 1:
            return False
        self.bound[chosen] = answer
        return True

    def settle(self) -> bool:
        """Solve what had to wait."""
        for last in (False, True):
            waiting, self.waiting = self.waiting, []
            if not all(self.equate(a, b, last) for a, b in waiting):
                return False
        return True


def _essential(gap: Any) -> Any:
    """The factor of a difference of sizes that can be zero: in n·a − n·b it is a − b, since n is positive."""
    factors = [f for f, _ in sp.factor_list(gap)[1]]
    open_ = [f for f in factors if len({c > 0 for c in f.as_coefficients_dict().values()}) > 1]
    return sp.expand(open_[0]) if len(open_) == 1 else gap


class Shapes:
    """The shapes of one text.

    Parameters
    ----------
    text : Text
        Equations without shapes.
    loss : str or None
        The equation that has to be a scalar if nothing else fixes its shape.
    """

    def __init__(self, text: Text, loss: str | None) -> None:
        self.text = text
        self.sizes = _Sizes()
        self.rows: dict[str, Any] = {}
        self.columns: dict[str, Any] = {}
        self.timed: set[str] = set()
        self.origin: dict[str, Raw] = {}
        self.elementwise: list[tuple[Raw, list[Raw]]] = []
        self.asked: list[tuple[Any, Raw]] = []
        self.lagged: list[str] = []
        self.order: list[str] = []
        lines = text.lines
        for line in lines:
            for node in (*line.left.walk(), *line.right.walk()):
                self._meet(node)
        for name in self.lagged:
            self._initial_state(name)
        for line in lines:
            self._left(line.left)
            self._visit(line.right)
            self._same(line.left, line.right, line.right)
        self._settle()
        if loss is not None and loss in self.rows:
            self._scalar_loss(loss)
        self._broadcast()
        for name in self.order:
            if name in self.timed and self.sizes.value(self.columns[name]).is_Symbol:
                self.sizes.equate(self.columns[name], 1)
        self._settle()
        self.naming = self._canonical(lines)

    def _initial_state(self, name: str) -> None:
        """What a sequence is outside 1..T has its shape."""
        state = f"{name}0"
        if state in self.rows and state not in self.timed:
            self.rows[state], self.columns[state] = self.rows[name], self.columns[name]

    def _scalar_loss(self, loss: str) -> None:
        """Make the loss a scalar where that fixes no sequence's size.

        ``y[T] * y[T]`` is as large as y: that y has one entry is no guess to make.
        """
        taken = {self.sizes.value(self.rows[n]) for n in self.timed}
        equations = [line.right for line in self.text.lines if line.left.data == loss]
        if any(self.sizes.value(n.rows).is_Symbol for e in equations for n in self._entries(e)):
            return
        for table in (self.rows, self.columns):
            size = self.sizes.value(table[loss])
            if size.is_Symbol and size not in taken:
                self.sizes.equate(size, 1)

    def _entries(self, node: Raw) -> Iterator[Raw]:
        """The sequences with an equation that a node has the size of, whatever that is."""
        if node.op == "at" and node.data[0] in {line.left.data[0] for line in self.text.lines if line.left.op == "at"}:
            yield node
        if node.op in _ENTRYWISE:
            for part in node.parts:
                yield from self._entries(part)

    # -------------------------------------------------------- names

    def _meet(self, node: Raw) -> None:
        if node.op not in ("name", "at"):
            return
        name = node.data if node.op == "name" else node.data[0]
        if name not in self.rows:
            self.order.append(name)
            self.rows[name], self.columns[name] = self.sizes.fresh(), self.sizes.fresh()
            self.origin[name] = node
        if node.op == "at":
            self.timed.add(name)
            steps = node.data[1] - tm.t
            if steps.is_Integer and steps != 0 and name not in self.lagged:
                self.lagged.append(name)

    def resolved(self, name: str) -> tuple[Any, Any]:
        """(rows, columns) of a name, in the named sizes."""
        return self.final(self.rows[name]), self.final(self.columns[name])

    def final(self, size: Any) -> Any:
        """A size with unknowns replaced by their names."""
        return sp.expand(self.sizes.value(size).xreplace(self.naming))

    def _canonical(self, lines: list[Line]) -> dict[Any, Any]:
        """Name each unknown after the first name that has it: states, then inputs, then the rest."""
        defined = {line.left.data if line.left.op == "name" else line.left.data[0] for line in lines}
        inputs = [n for n in self.order if n in self.timed and n not in defined]
        sequences = [n for n in self.order if n in self.timed]
        order = list(dict.fromkeys([*self.lagged, *inputs, *sequences, *self.order]))
        naming: dict[Any, Any] = {}
        for prefix, table in (("n", self.rows), ("m", self.columns)):
            for name in order:
                size = self.sizes.value(table[name])
                if size.is_Symbol and size not in naming:
                    naming[size] = self._named(f"{prefix}_{name}")
        for name in order:  # what only occurs inside sums of sizes
            for table in (self.rows, self.columns):
                for size in sorted(self.sizes.value(table[name]).free_symbols - naming.keys(), key=str):
                    naming[size] = self._named(f"n_{name}{size}")
        return naming

    def _named(self, word: str) -> sp.Symbol:
        """The symbol of a size, which is no name of the text."""
        while word in self.rows:
            word += "_"
        return sp.Symbol(word, integer=True, positive=True)

    # -------------------------------------------------------- constraints

    def _error(self, message: str, at: Raw) -> ShapeError:
        return self.text.error(ShapeError, message, at)

    def shown(self, node: Raw) -> str:
        """A node's words and shape, with where the shape of a name first came up."""
        naming: dict[Any, Any] = {}
        for prefix, table in (("n", self.rows), ("m", self.columns)):
            for name in [*self.lagged, *self.order]:
                size = self.sizes.value(table[name])
                if size.is_Symbol:
                    naming.setdefault(size, sp.Symbol(f"{prefix}_{name}"))
        size = [sp.expand(self.sizes.value(s).subs(naming)) for s in (node.rows, node.columns)]
        plain = ["?" if str(s).startswith("_") else str(s).replace(" ", "") for s in size]
        words = f"{self.text.excerpt(node)} has shape {plain[0]}×{plain[1]}"
        first = next((n for n in node.walk() if n.op in ("name", "at")), None)
        if first is not None:
            name = first.data if first.op == "name" else first.data[0]
            at = self.origin[name]
            words += f" ({name} first stands in line {at.line}, column {at.column})"
        return words

    def _require(self, good: bool, at: Raw, what: str, *nodes: Raw) -> None:
        if not good:
            raise self._error(f"{what}: " + "; ".join(self.shown(n) for n in nodes), at)

    def _same(self, a: Raw, b: Raw, at: Raw) -> None:
        good = self.sizes.equate(a.rows, b.rows) and self.sizes.equate(a.columns, b.columns)
        self._require(good, at, "shapes differ", a, b)

    def _settle(self) -> None:
        if not self.sizes.settle():
            raise self._error("the sizes contradict each other", self.text.lines[0].left)

    def _left(self, node: Raw) -> None:
        self._visit(node)

    def _visit(self, node: Raw) -> None:
        for part in node.parts:
            self._visit(part)
        node.rows, node.columns = self._shape(node)

    def _shape(self, node: Raw) -> tuple[Any, Any]:
        one = sp.S.One
        parts = node.parts
        fresh: Callable[[], Any] = self.sizes.fresh
        match node.op:
            case "name":
                return self.rows[node.data], self.columns[node.data]
            case "at":
                return self.rows[node.data[0]], self.columns[node.data[0]]
            case "number" | "extent" | "entries":
                return one, one
            case "+" | "*" | "/":
                node.rows, node.columns = fresh(), fresh()
                self.elementwise.append((node, parts))
                return node.rows, node.columns
            case "**" | "neg" | "apply" | "sum_t" | "sum_batch" | "where":
                return parts[0].rows, parts[0].columns
            case "@":
                good = self.sizes.equate(parts[0].columns, parts[1].rows)
                self._require(good, node, "the columns of the left factor are not the rows of the right", *parts)
                return parts[0].rows, parts[1].columns
            case ".T":
                return parts[0].columns, parts[0].rows
            case "stack":
                for part in parts[1:]:
                    good = self.sizes.equate(parts[0].columns, part.columns)
                    self._require(good, part, "stacked parts have as many columns", parts[0], part)
                return sp.Add(*(p.rows for p in parts)), parts[0].columns
            case "block":
                return self._block(node)
            case "sum_entries":
                return one, one
            case "inverse_std":
                self._column(parts[0])
                return one, one
            case "diag":
                self._column(parts[0])
                return parts[0].rows, parts[0].rows
            case "vec":
                return parts[0].rows * parts[0].columns, one
            case "unvec":
                return self._size(node.data[0], node), self._size(node.data[1], node)
            case "kron":
                return parts[0].rows * parts[1].rows, parts[0].columns * parts[1].columns
            case "eye":
                n = self._size(node.data[0], node)
                return n, n
            case "commutation":
                n = self._size(node.data[0], node) * self._size(node.data[1], node)
                return n, n
            case "ones" | "zeros":
                size = [self._size(s, node) for s in node.data]
                return size[0], size[1] if len(size) > 1 else one
        if node.op in UNARY:
            self._column(parts[0])
            return parts[0].rows, parts[0].columns
        if node.op in LOSSES:
            self._column(parts[0])
            self._same(parts[0], parts[1], node)
            return one, one
        raise AssertionError(node.op)

    def _column(self, node: Raw) -> None:
        self._require(self.sizes.equate(node.columns, 1), node, "expected a column", node)

    def _size(self, size: Any, at: Raw) -> Any:
        """A size as the author wrote it, with size(name) replaced by that name's unknown."""
        table: dict[Any, Any] = {}
        for s in sp.sympify(size).free_symbols:
            prefix, _, name = str(s).partition("_")
            if s == tm.BATCH or s == tm.T:
                continue
            if name not in self.rows:
                raise self._error(f"size({name}): there is no {name} here", at)
            table[s] = (self.rows if prefix == "n" else self.columns)[name]
        return sp.expand(sp.sympify(size).subs(table))

    def _block(self, node: Raw) -> tuple[Any, Any]:
        whole = node.parts[0]
        out = []
        bounds = [*node.data, (None, None)][:2]
        for (start, stop), size in zip(bounds, (whole.rows, whole.columns), strict=True):
            low = sp.S.Zero if start is None else self._size(start, node)
            high = size if stop is None else self._size(stop, node)
            out.append((low, high))
        node.data = out
        return tuple(sp.expand(high - low) for low, high in out)

    # -------------------------------------------------------- broadcasting

    def _scalar(self, node: Raw) -> bool:
        return bool(self.sizes.value(node.rows) == 1 and self.sizes.value(node.columns) == 1)

    def _broadcast(self) -> None:
        """Settle elementwise operators: what is scalar first, then all else has one shape."""
        waiting = list(self.elementwise)
        while waiting:
            decided = [c for c in waiting if self._decided(*c)]
            if not decided:
                decided = waiting[:1]
                node, parts = decided[0]
                self._unify(node, [p for p in parts if not self._scalar(p)])
            done = {id(c[0]) for c in decided}
            waiting = [c for c in waiting if id(c[0]) not in done]
        self._settle()

    def _decided(self, node: Raw, parts: list[Raw]) -> bool:
        if self._scalar(node):
            self._unify(node, parts)
            return True
        big = [p for p in parts if not self._scalar(p)]
        if not big:
            self._unify(node, parts)
            return True
        shapes = {(self.sizes.value(p.rows), self.sizes.value(p.columns)) for p in big}
        if len(shapes) == 1 and len(parts) > 1:  # whatever that shape is, scalars beside it do not change it
            self._unify(node, big[:1])
            return True
        return False

    def _unify(self, node: Raw, parts: Iterable[Raw]) -> None:
        parts = list(parts)
        if node.data == "bare" and sum(not self._scalar(p) for p in parts) > 1:
            raise self._error(
                f"{node.op} and @ bind alike, so that this reads ({self.text.excerpt(node)}) @ …; "
                f"write {self.text.excerpt(node.parts[0])} {node.op} (… @ …), or those brackets",
                node,
            )
        for part in parts:
            good = self.sizes.equate(node.rows, part.rows) and self.sizes.equate(node.columns, part.columns)
            self._require(
                good,
                node,
                "elementwise parts of different shape",
                *((parts[0], part) if part is not parts[0] else (node, part)),
            )

    # -------------------------------------------------------- building terms

    def build(self, node: Raw) -> tm.Term:
        """The term behind a node, now that its shape is known."""
        parts = [self.build(p) for p in node.parts]
        final = self.final
        match node.op:
            case "name":
                return tm.Parameter(node.data, *self.resolved(node.data))
            case "at":
                return tm.At(node.data[0], node.data[1], *self.resolved(node.data[0]))
            case "number":
                return tm.Number(node.data)
            case "extent":
                size = node.data if node.data in (tm.T, tm.BATCH) else final(self._size(node.data, node))
                return tm.extent(size)
            case "entries":
                return tm.extent(final(node.parts[0].rows * node.parts[0].columns))
            case "+":
                return tm.plus(*parts)
            case "*":
                return tm.times(*parts)
            case "/":
                self._check_power(node, parts[1], -1)
                return parts[0] / parts[1]
            case "@":
                return tm.product(*parts)
            case "**":
                self._check_power(node, parts[0], node.data)
                return tm.power(parts[0], node.data)
            case "neg":
                return -parts[0]
            case ".T":
                return tm.transpose(parts[0])
            case "stack":
                return tm.stack(*parts)
            case "block":
                (r0, r1), (c0, c1) = node.data
                for low, high, size in ((r0, r1, node.parts[0].rows), (c0, c1, node.parts[0].columns)):
                    gaps = [final(low) + 1, final(high - low), final(size - high) + 1]
                    if any(g.is_Integer and g < 1 for g in gaps):
                        raise self._error(
                            f"found the block {final(low)}:{final(high)} of a size of {final(size)}, "
                            "expected 0 ≤ start < end ≤ size",
                            node,
                        )
                return tm.block(parts[0], final(r0), final(r1), final(c0), final(c1))
            case "apply":
                return tm.Apply(node.data, parts[0])
            case "where":
                sign, left, right = node.data
                return tm.conditional(sign, left, right, parts[0])
            case "sum_entries":
                return tm.SumEntries(parts[0])
            case "sum_t":
                return tm.TimeSum(parts[0])
            case "sum_batch":
                return tm.BatchSum(parts[0])
            case "kron":
                return tm.Kron(*parts)
            case "unvec":
                return tm.Unvec(parts[0], *(final(self._size(s, node)) for s in node.data))
        if node.op in CONSTANTS:
            sizes = [final(self._size(s, node)) for s in node.data]
            if node.op in ("ones", "zeros") and len(sizes) == 1:
                sizes.append(sp.S.One)
            return CONSTANTS[node.op](*sizes)
        return (UNARY.get(node.op) or LOSSES[node.op])(*parts)

    def _check_power(self, node: Raw, base: tm.Term, exponent: int) -> None:
        """Refuse a division by zero, and powers of powers that grow without bound."""
        if isinstance(base, tm.Number) and base.number == 0 and exponent < 0:
            raise self.text.error(LanguageError, "found a division by zero", node)
        if isinstance(base, tm.Number):
            size, limit = max(int(base.number.p).bit_length(), int(base.number.q).bit_length()), MAX_BITS
        else:
            size, limit = (abs(base.args[1]) if isinstance(base, tm.Power) else 1), MAX_EXPONENT
        if size * abs(exponent) > limit:
            raise self.text.error(LanguageError, f"the power {self.text.excerpt(node)} is too large", node)
