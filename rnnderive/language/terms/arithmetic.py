"""Sums, products, transposes, stacks and blocks, and the functions that build them.

The functions keep the order that the author wrote and drop what does nothing: zeros, ones,
identities.
"""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np
import sympy as sp

from rnnderive import printing as pr
from rnnderive.language.terms.base import Shape, Term, once
from rnnderive.language.terms.formulas import dimension_math
from rnnderive.language.terms.jacobians import Commutation, Diag
from rnnderive.language.terms.leaves import Extent, Eye, Number, Ones, Zeros
from rnnderive.language.terms.time import BatchSum, TimeSum, Where

__all__ = [
    "Block",
    "Plus",
    "Power",
    "Product",
    "Stack",
    "Times",
    "Transpose",
    "block",
    "common_shape",
    "extent",
    "is_inverse",
    "plus",
    "power",
    "product",
    "split_sign",
    "stack",
    "times",
    "transpose",
]


def common_shape(terms: tuple[Term, ...]) -> Shape:
    """The shape of an elementwise result: that of the first part that is no scalar."""
    for term in terms:
        if not term.is_scalar:
            return term.shape
    return terms[0].shape


class Plus(Term):
    """Sum, in the order it was written."""

    @cached_property
    def shape(self) -> Shape:
        return common_shape(self.args)

    def rebuild(self, *terms: Term) -> Term:
        return plus(*terms)

    def value(self, algebra: Any, *values: Any) -> Any:
        total = values[0]
        for v in values[1:]:
            total = total + v
        return algebra.reduce(total)

    def math(self, notation: pr.Notation) -> pr.Math:
        signs, items = [], []
        for k, term in enumerate(self.args):
            sign, rest = split_sign(term)
            signs.append("-" if sign < 0 else ("+" if k else ""))
            items.append(pr.at_level(rest.math(notation), pr.PRODUCT))
        return pr.Infix(tuple(signs), tuple(items), pr.SUM)

    def code(self, *codes: str) -> str:
        return "(" + " + ".join(codes) + ")"


class Times(Term):
    """Elementwise product; a scalar multiplies every entry."""

    @cached_property
    def shape(self) -> Shape:
        return common_shape(self.args)

    def rebuild(self, *terms: Term) -> Term:
        return times(*terms)

    def value(self, algebra: Any, *values: Any) -> Any:
        total = values[0]
        for v in values[1:]:
            total = algebra.reduce(total * v)
        return total

    def math(self, notation: pr.Notation) -> pr.Math:
        sign, rest = split_sign(self)
        if sign < 0:
            return pr.Infix(("-",), (pr.at_level(rest.math(notation), pr.PRODUCT),), pr.SUM)
        over = [a for a in self.args if not is_inverse(a)]
        under = [power(a.args[0], -a.args[1]) for a in self.args if is_inverse(a)]
        body = _times_math(over, notation)
        if not under:
            return body
        return pr.Frac(body, _times_math(under, notation))

    def code(self, *codes: str) -> str:
        return "(" + " * ".join(codes) + ")"


def _times_math(terms: list[Term], notation: pr.Notation) -> pr.Math:
    """Scalars stand in front by juxtaposition, the rest is joined by ⊙."""
    front = [a for a in terms if isinstance(a, Number | Extent)]
    rest = [a for a in terms if not isinstance(a, Number | Extent)]
    if not terms:
        return pr.Numeral("1")
    if all(a.is_scalar for a in rest) and len(rest) > 1:
        return pr.Row(tuple(pr.at_level(a.math(notation), pr.PRODUCT) for a in terms))
    last = len(rest) - 1
    items = [
        pr.at_level(
            a.math(notation),
            pr.PRODUCT if k == last or not isinstance(a, TimeSum | BatchSum | Where) else pr.ATOM,
        )
        for k, a in enumerate(rest)
    ]
    body = (
        None
        if not items
        else items[0]
        if len(items) == 1
        else pr.Infix(("", *["odot"] * (len(items) - 1)), tuple(items), pr.PRODUCT)
    )
    parts = tuple(a.math(notation) for a in front) + ((body,) if body else ())
    return parts[0] if len(parts) == 1 else pr.Row(parts)


def is_inverse(term: Term) -> bool:
    return isinstance(term, Power) and bool(term.args[1].is_negative)


class Power(Term):
    """Elementwise integer power; ``1 / x`` is the power -1."""

    @cached_property
    def shape(self) -> Shape:
        return self.args[0].shape

    def rebuild(self, *terms: Term) -> Term:
        return power(terms[0], self.args[1])

    def value(self, algebra: Any, *values: Any) -> Any:
        k = int(self.args[1])
        base = algebra.inverse(values[0]) if k < 0 else values[0]
        total = base
        for _ in range(abs(k) - 1):
            total = algebra.reduce(total * base)
        return total

    def math(self, notation: pr.Notation) -> pr.Math:
        base, k = self.args
        if k.is_negative:
            return pr.Frac(pr.Numeral("1"), power(base, -k).math(notation))
        inner = base.math(notation)
        atom = inner if isinstance(inner, pr.Letter | pr.Call) else pr.Fenced(inner)
        return pr.Script(atom, None, pr.Numeral(str(k)))

    def code(self, *codes: str) -> str:
        return f"({codes[0]}) ** {float(self.args[1])}"


class Product(Term):
    """Matrix product of two or more factors."""

    @cached_property
    def shape(self) -> Shape:
        return self.args[0].shape[0], self.args[-1].shape[1]

    def rebuild(self, *terms: Term) -> Term:
        return product(*terms)

    @once
    def evaluate(self, run: Any, step: int | None) -> Any:
        return super().evaluate(run, step)

    def value(self, algebra: Any, *values: Any) -> Any:
        # From the narrow end: vector times matrix is cheap.
        if values[0].shape[0] < values[-1].shape[1]:
            total = values[0]
            for v in values[1:]:
                total = algebra.reduce(total @ v)
            return total
        total = values[-1]
        for v in reversed(values[:-1]):
            total = algebra.reduce(v @ total)
        return total

    def math(self, notation: pr.Notation) -> pr.Math:
        return pr.Row(
            tuple(
                pr.at_level(a.math(notation), pr.SCRIPT if not isinstance(a, Product) else pr.PRODUCT)
                for a in self.args
            )
        )

    def code(self, *codes: str) -> str:
        return "(" + " @ ".join(codes) + ")"


class Transpose(Term):
    """The transpose."""

    @cached_property
    def shape(self) -> Shape:
        rows, columns = self.args[0].shape
        return columns, rows

    def rebuild(self, *terms: Term) -> Term:
        return transpose(terms[0])

    def value(self, algebra: Any, *values: Any) -> Any:
        return values[0].T

    def math(self, notation: pr.Notation) -> pr.Math:
        inner = self.args[0].math(notation)
        if isinstance(inner, pr.Script) and inner.sup is None:
            return pr.Script(inner.base, inner.sub, pr.Symbol("top"))
        fenced = inner if inner.level == pr.ATOM else pr.Fenced(inner)
        return pr.Script(fenced, None, pr.Symbol("top"))

    def code(self, *codes: str) -> str:
        return f"({codes[0]}).T"


class Stack(Term):
    """Blocks on top of each other: ``[h, x]``."""

    @cached_property
    def shape(self) -> Shape:
        return sp.Add(*(a.shape[0] for a in self.args)), self.args[0].shape[1]

    def rebuild(self, *terms: Term) -> Term:
        return stack(*terms)

    def value(self, algebra: Any, *values: Any) -> Any:
        return np.concatenate(values, axis=0)

    def math(self, notation: pr.Notation) -> pr.Math:
        items = tuple(a.math(notation) for a in self.args)
        return pr.Fenced(pr.Infix(("", *[","] * (len(items) - 1)), items, pr.RELATION), "[")

    def code(self, *codes: str) -> str:
        return f"np.vstack([{', '.join(codes)}])"


class Block(Term):
    """Rows r0..r1 and columns c0..c1 of a term: ``W[:, 0:size(h)]``; ends excluded."""

    @property
    def shape(self) -> Shape:
        _, r0, r1, c0, c1 = self.args
        return r1 - r0, c1 - c0

    def rebuild(self, *terms: Term) -> Term:
        return block(terms[0], *self.args[1:])

    def value(self, algebra: Any, *values: Any) -> Any:
        r0, r1, c0, c1 = (int(algebra.extent(d)) for d in self.args[1:])
        return values[0][r0:r1, c0:c1]

    def math(self, notation: pr.Notation) -> pr.Math:
        """W_{f,h}: the columns of W_f that act on h; by its bounds where no name says it."""
        whole, r0, r1, c0, c1 = self.args
        rows, columns = whole.shape
        parts: list[pr.Math] = [] if (r0, r1) == (0, rows) else [_range_math(r0, r1)]
        if (c0, c1) != (0, columns):
            parts += [*([pr.Symbol(",")] if parts else []), _range_math(c0, c1)]
        index = pr.Row(tuple(parts)) if len(parts) > 1 else parts[0]
        inner = whole.math(notation)
        if isinstance(inner, pr.Letter):
            return pr.Script(inner, index)
        if isinstance(inner, pr.Script) and inner.sub is not None and inner.sup is None:
            return pr.Script(inner.base, pr.Row((inner.sub, pr.Symbol(","), *parts)))
        return pr.Script(pr.Fenced(inner, "["), index)

    def code(self, *codes: str) -> str:
        r0, r1, c0, c1 = self.args[1:]
        return f"({codes[0]})[{r0}:{r1}, {c0}:{c1}]"


def _range_math(start: Any, stop: Any) -> pr.Math:
    """A block by the sequence it belongs to where one name says it, else by its bounds."""
    width = sp.expand(stop - start)
    if width.is_Symbol and str(width).startswith("n_"):
        return pr.name_math(str(width)[2:])
    return pr.Row((dimension_math(start), pr.Word(":"), dimension_math(stop)))


def extent(size: Any) -> Term:
    """A size as a scalar term; sums and products of sizes become sums and products of terms."""
    size = sp.sympify(size)
    if size.is_Integer:
        return Number(size)
    if size.is_Add:
        return plus(*(extent(a) for a in size.args))
    if size.is_Mul:
        return times(*(extent(a) for a in size.args))
    if size.is_Pow:
        return power(extent(size.base), size.exp)
    return Extent(size)


def plus(*terms: Term) -> Term:
    """Sum: flattened, zeros dropped, order kept."""
    flat: list[Term] = []
    for term in terms:
        flat += term.args if isinstance(term, Plus) else [term]
    shape = common_shape(tuple(flat))
    kept = [a for a in flat if not a.is_null and not (isinstance(a, Number) and a.number == 0)]
    if not kept:
        return Zeros(*shape)
    kept = _merge_stacks(kept)
    if all(isinstance(a, Number) for a in kept):
        return Number(sum(a.number for a in kept))
    if common_shape(tuple(kept)) != shape:
        kept.append(Zeros(*shape))  # only scalars are left of a sum of larger shape
    return kept[0] if len(kept) == 1 else Plus(*kept)


def _merge_stacks(terms: list[Term]) -> list[Term]:
    """Add stacks of one partition block by block, so that [u, 0] + [0, v] is [u, v]."""
    out: list[Term] = []
    for term in terms:
        last = out[-1] if out else None
        if (
            isinstance(term, Stack)
            and isinstance(last, Stack)
            and [a.shape for a in term.args] == [a.shape for a in last.args]
            and any(a.is_null for a in (*term.args, *last.args))
        ):
            out[-1] = stack(*(plus(a, b) for a, b in zip(last.args, term.args, strict=True)))
        else:
            out.append(term)
    return out


def times(*terms: Term) -> Term:
    """Elementwise product: flattened, numbers gathered in front."""
    flat: list[Term] = []
    for term in terms:
        flat += term.args if isinstance(term, Times) else [term]
    shape = common_shape(tuple(flat))
    number = sp.S.One
    rest: list[Term] = []
    for a in flat:
        if isinstance(a, Number):
            number *= a.number
        else:
            rest.append(a)
    full = [a for a in rest if not isinstance(a, Ones)]
    if common_shape((*full, Number(1))) == shape:
        rest = full  # ones only matter where nothing else has their shape
    if number == 0 or any(a.is_null for a in flat):
        return Zeros(*shape)
    if not rest:
        return Number(number)
    if number != 1:
        rest.insert(0, Number(number))
    return rest[0] if len(rest) == 1 else Times(*rest)


def power(base: Term, exponent: Any) -> Term:
    """Elementwise power with an integer exponent."""
    k = sp.Integer(exponent)
    if k == 0:
        return Number(1) if base.is_scalar else Ones(*base.shape)
    if isinstance(base, Number):
        return Number(base.number**k)
    if isinstance(base, Power):
        return power(base.args[0], base.args[1] * k)
    return base if k == 1 else Power(base, k)


def product(*terms: Term) -> Term:
    """Matrix product: flattened; identities, zeros and stacked zero blocks taken out."""
    flat: list[Term] = []
    for term in terms:
        flat += term.args if isinstance(term, Product) else [term]
    flat = [a for a in flat if not isinstance(a, Eye)] or flat[:1]
    if len(flat) == 1:
        return flat[0]
    shape = flat[0].shape[0], flat[-1].shape[1]
    if any(a.is_null for a in flat):
        return Zeros(*shape)
    for k in range(len(flat) - 1):
        left, right = flat[k], flat[k + 1]
        if (left.is_scalar and right.shape[0] == 1) or (right.is_scalar and left.is_column):
            return product(*flat[:k], times(left, right), *flat[k + 2 :])  # a scalar factor is an elementwise one
        if isinstance(left, Diag) and isinstance(right, Diag):
            return product(*flat[:k], Diag(times(left.args[0], right.args[0])), *flat[k + 2 :])
        if isinstance(right, Stack) and any(b.is_null for b in right.args):
            parts, start = [], sp.S.Zero
            for b in right.args:
                stop = start + b.shape[0]
                if not b.is_null:
                    parts.append(product(*flat[:k], block(left, 0, left.shape[0], start, stop), b, *flat[k + 2 :]))
                start = stop
            return plus(*parts)
    return Product(*flat)


def transpose(term: Term) -> Term:
    """The transpose, pushed inward through products and sums."""
    if term.is_scalar:
        return term
    match term:
        case Transpose():
            return term.args[0]
        case Product():
            return product(*(transpose(a) for a in reversed(term.args)))
        case Eye() | Diag():
            return term
        case Zeros() | Ones():
            return term.func(term.args[1], term.args[0])
        case Commutation():
            return Commutation(term.args[1], term.args[0])
        case Times() if any(a.is_scalar for a in term.args):
            return times(*(transpose(a) for a in term.args))
    return Transpose(term)


def stack(*terms: Term) -> Term:
    """Blocks on top of each other; one block is itself."""
    if len(terms) == 1:
        return terms[0]
    if all(a.is_null for a in terms):
        return Zeros(sp.Add(*(a.shape[0] for a in terms)), terms[0].shape[1])
    return Stack(*terms)


def block(term: Term, r0: Any, r1: Any, c0: Any = 0, c1: Any = None) -> Term:
    """Rows r0..r1 and columns c0..c1, pushed inward where that saves work."""
    rows, columns = term.shape
    r0, r1, c0 = sp.sympify(r0), sp.sympify(r1), sp.sympify(c0)
    c1 = columns if c1 is None else sp.sympify(c1)
    if (r0, r1, c0, c1) == (0, rows, 0, columns):
        return term
    match term:
        case Transpose():
            return transpose(block(term.args[0], c0, c1, r0, r1))
        case Product():
            first, *middle, last = term.args
            first = block(first, r0, r1)
            return product(first, *middle, block(last, 0, last.shape[0], c0, c1))
        case Zeros() | Ones():
            return term.func(sp.expand(r1 - r0), sp.expand(c1 - c0))
        case Stack() if (c0, c1) == (0, columns):
            start = sp.S.Zero
            for part in term.args:
                if (r0, r1) == (start, start + part.shape[0]):
                    return part
                start += part.shape[0]
    return Block(term, r0, r1, c0, c1)


def split_sign(term: Term) -> tuple[int, Term]:
    """Return the sign of a term's leading number, and the term without it."""
    if isinstance(term, Number) and term.number < 0:
        return -1, Number(-term.number)
    if isinstance(term, Times) and isinstance(term.args[0], Number) and term.args[0].number < 0:
        return -1, times(Number(-term.args[0].number), *term.args[1:])
    return 1, term
