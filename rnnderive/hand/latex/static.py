"""Shapes that are known before all equations are read: they tell W x from a ⊙ b."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import sympy as sp

from rnnderive.hand.latex.tree import Node
from rnnderive.language.syntax import LOSSES, Raw

__all__ = ["Shape", "Static", "make"]

Shape = tuple[Any, Any]
_ONE: Shape = (sp.S.One, sp.S.One)


def make(node: Node, op: str, *parts: Raw, data: Any = None) -> Raw:
    """A node of the language's tree where a node of the formula stands."""
    return Raw(op, list(parts), data, node.line, node.column)


class Static:
    """Shapes of unshaped nodes, as far as those of their names are known.

    Parameters
    ----------
    shapes : mapping
        Name → (rows, columns).
    """

    def __init__(self, shapes: Mapping[str, Shape]) -> None:
        self.shapes = dict(shapes)

    def shape(self, node: Raw) -> Shape | None:
        """(rows, columns), or None if that is not known yet."""
        parts = node.parts
        match node.op:
            case "name" | "at" | "like":
                return self.shapes.get(node.data[0] if node.op == "at" else node.data)
            case "number" | "extent" | "sum_entries" | "inverse_std" | "entries":
                return _ONE
            case "term":
                return node.data.shape
            case (
                "neg"
                | "**"
                | "apply"
                | "sum_t"
                | "sum_batch"
                | "where"
                | "over"
                | "softmax"
                | "log_softmax"
                | "layer_norm"
            ):
                return self.shape(parts[0])
            case "+" | "*" | "/":
                found = [self.shape(p) for p in parts]
                big = [f for f in found if f is not None and not self.is_one(f)]
                return big[0] if big else (None if None in found else _ONE)
            case "@" | "blocks":
                rows, columns = self._ends(node)
                return None if rows is None or columns is None else (rows, columns)
            case ".T":
                inner = self.shape(parts[0])
                return inner and (inner[1], inner[0])
            case "stack":
                found = [self.shape(p) for p in parts]
                known = [f for f in found if f is not None]
                return (sp.Add(*(f[0] for f in known)), known[0][1]) if len(known) == len(parts) else None
            case "diag":
                inner = self.shape(parts[0])
                return inner and (inner[0], inner[0])
            case "vec":
                inner = self.shape(parts[0])
                return inner and (inner[0] * inner[1], sp.S.One)
            case "kron":
                left, right = self.shape(parts[0]), self.shape(parts[1])
                return (left[0] * right[0], left[1] * right[1]) if left and right else None
            case "block":
                return self._block(node)
            case "commutation":
                return (sp.Mul(*node.data),) * 2
        return _ONE if node.op in LOSSES else None

    def _ends(self, node: Raw) -> tuple[Any, Any]:
        """Rows and columns, each None where it is not known: a block of zeros tells neither."""
        if node.op == "@":
            left, right = node.parts
            rows, inner = self._ends(left)
            columns = self._ends(right)[1]
            if left.op == ".T" and left.parts[0].op == "fill":
                return sp.S.One, columns  # 𝟏ᵀ sums
            return rows, self._beside_identity(inner, right) if columns is None else columns
        if node.op == "blocks":
            shapes = [(None, None) if p.op == "fill" else self._ends(p) for p in node.parts]
            grid = [shapes[k : k + node.data] for k in range(0, len(shapes), node.data)]
            heights = [next((s[0] for s in row if s[0] is not None), None) for row in grid]
            widths = [next((s[1] for s in column if s[1] is not None), None) for column in zip(*grid, strict=True)]
            rows, columns = (None if None in found else sp.Add(*found) for found in (heights, widths))
            return rows, columns
        return self.shape(node) or (None, None)

    def _beside_identity(self, inner: Any, right: Raw) -> Any:
        """The columns of a ⊗ I behind a factor, whose columns tell how large I is."""
        if inner is None or right.op != "kron":
            return None
        known = [s for p in right.parts if (s := self.shape(p)) is not None]
        fills = [p for p in right.parts if p.op == "fill" and self.shape(p) is None]
        return sp.cancel(known[0][1] * inner / known[0][0]) if len(known) == len(fills) == 1 else None

    def _block(self, node: Raw) -> Shape | None:
        inner = self.shape(node.parts[0])
        if inner is None:
            return None
        bounds = [*node.data, (None, None)][:2]
        return tuple(
            sp.expand((size if b is None else b) - (a or 0)) for (a, b), size in zip(bounds, inner, strict=True)
        )

    def is_one(self, shape: Shape) -> bool:
        return bool(shape[0] == 1 and shape[1] == 1)

    def scalar(self, node: Raw) -> bool:
        """Whether it is surely a scalar."""
        found = self.shape(node)
        return found is not None and self.is_one(found)

    def same(self, a: Any, b: Any) -> bool:
        return bool(sp.expand(a - b) == 0)

    def beside(self, node: Node, a: Raw, b: Raw) -> Raw:
        """Two factors side by side: a matrix product, or a scalar's; ⊙ where only that fits."""
        if self.scalar(a) or self.scalar(b):
            return make(node, "*", a, b)
        x, y = self.shape(a), self.shape(b)
        if x and y and not self.same(x[1], y[0]) and self.same(x[0], y[0]) and self.same(x[1], y[1]):
            return make(node, "*", a, b)
        return make(node, "@", a, b)

    def fits(self, a: Raw, b: Raw) -> bool | None:
        """Whether two parts may stand on both sides of ⊙; None if that is not known."""
        x, y = self.shape(a), self.shape(b)
        if x is None or y is None:
            return None
        return self.is_one(x) or self.is_one(y) or (self.same(x[0], y[0]) and self.same(x[1], y[1]))

    def is_matrix(self, node: Raw) -> bool:
        found = self.shape(node)
        return found is not None and found[1] != 1

    def is_column(self, node: Raw) -> bool:
        found = self.shape(node)
        return found is not None and found[1] == 1 and found[0] != 1
