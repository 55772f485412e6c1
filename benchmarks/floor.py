"""The floor: what no program can leave out, at the speed at which this machine does it.

Counted from the recurrence itself.  A product ``A @ v`` of a parameter and something that
depends on t is done once forward, once backward for A, and once backward for v where v depends
on what is differentiated in.  Products with the same v are one product with stacked rows; those
whose v does not wait for the loop may be done for all t at once.  Of all ways to do it the
fastest measured is taken.  To this come the elementwise functions; everything else
(additions, multiplications, memory, calls) counts as nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

import rnnderive as rd
from benchmarks.clock import fastest
from benchmarks.work import number
from rnnderive.language import terms as tm

__all__ = ["Factor", "Floor", "floor"]


@dataclass(frozen=True)
class Factor:
    """What parameters multiply: pieces stacked on each other.

    Attributes
    ----------
    rows : int
        Of all parameters that multiply it.
    pieces : tuple of (int, bool, bool)
        Entries; whether it waits for the loop; whether gradients pass through it.
    """

    rows: int
    pieces: tuple[tuple[int, bool, bool], ...]


@dataclass(frozen=True)
class Floor:
    """Seconds of the products and of the elementwise functions, and how much there is of them."""

    products: float
    functions: float
    flops: int
    elements: int

    @property
    def seconds(self) -> float:
        """Both."""
        return self.products + self.functions


def factors(net: rd.Recurrence, sizes: dict[Any, int]) -> list[Factor]:
    """Everything that parameters multiply at each step, and with how many rows."""
    found: dict[tuple[Any, Any], int] = {}
    for stage in net.schedule:
        for name in stage.names:
            for node in _nodes(net[name].right):
                if isinstance(node, tm.Product) and isinstance(node.args[0], tm.Parameter):
                    key = node.args[1], stage.names if stage.direction != "all" else ()
                    found[key] = found.get(key, 0) + number(node.shape[0], sizes)
    out = []
    for (operand, loop), rows in found.items():
        pieces = []
        for piece in operand.args if isinstance(operand, tm.Stack) else (operand,):
            names = {n.name for n in tm.members(piece) if isinstance(n, tm.At)}
            pieces.append((number(piece.shape[0], sizes), bool(names & set(loop)), any(n in net for n in names)))
        out.append(Factor(rows, tuple(pieces)))
    return out


def functions(net: rd.Recurrence, sizes: dict[Any, int]) -> dict[str, int]:
    """Entries a step of each elementwise function; the backward pass needs none: it reads the outputs."""
    out: dict[str, int] = {}
    for e in net.equations:
        for node in _nodes(e.right):
            if isinstance(node, tm.Apply):
                out[node.name] = out.get(node.name, 0) + number(node.shape[0], sizes)
    return out


def floor(net: rd.Recurrence, sizes: dict[Any, int], T: int, B: int, dtype: str, threads: int = 1) -> Floor:
    """The floor of value and gradient of a recurrence, measured now.

    On several threads everything is divided as if it could be, with nothing lost.
    """
    products, flops = 0.0, 0
    for factor in factors(net, sizes):
        products += _products(factor, T, B, dtype)
        flops += sum(2 * factor.rows * k * T * B * (2 + live) for k, _, live in factor.pieces)
    elements = {name: k * T * B for name, k in functions(net, sizes).items()}
    spent = sum(k * _function(name, dtype) for name, k in elements.items())
    return Floor(products / threads, spent / threads, flops, sum(elements.values()))


def _products(factor: Factor, T: int, B: int, dtype: str) -> float:
    """Forward, backward for what is multiplied, backward for the parameters."""
    M = factor.rows
    whole, waiting = sum(k for k, _, _ in factor.pieces), any(w for _, w, _ in factor.pieces)

    def steps(m: int, k: int) -> float:
        return T * _dot(m, k, B, dtype)

    def once(m: int, k: int) -> float:
        return min(_dot(m, k, T * B, dtype), steps(m, k))

    apart = sum(steps(M, k) if w else once(M, k) for k, w, _ in factor.pieces)
    forward = min(apart, steps(M, whole) if waiting else once(M, whole))
    back = [(k, w) for k, w, live in factor.pieces if live]
    apart = sum(steps(k, M) if w else once(k, M) for k, w in back)
    joined = sum(k for k, _ in back)
    backward = min(apart, steps(joined, M) if any(w for _, w in back) else once(joined, M)) if back else 0.0
    gradient = min(_dot(M, T * B, whole, dtype), sum(_dot(M, T * B, k, dtype) for k, _, _ in factor.pieces))
    return forward + backward + gradient


@cache
def _dot(m: int, k: int, columns: int, dtype: str) -> float:
    """Seconds of the product of m×k by k×columns, in the better of the two layouts."""
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(m, k)).astype(dtype), rng.normal(size=(columns, k)).astype(dtype)
    if columns == 1:
        row, out = b[0], np.empty(m, dtype)
        return fastest(lambda: a.dot(row, out))
    if m == 1:
        row, out = a[0], np.empty(columns, dtype)
        return fastest(lambda: b.dot(row, out))
    left, right = np.empty((m, columns), dtype), np.empty((columns, m), dtype)
    turned_a, turned_b = np.ascontiguousarray(a.T), np.ascontiguousarray(b.T)
    return min(fastest(lambda: a.dot(turned_b, left)), fastest(lambda: b.dot(turned_a, right)))


@cache
def _function(name: str, dtype: str) -> float:
    """Seconds an entry, in cache; a function that is exp or tanh and arithmetic counts as the faster of the two."""
    x = np.random.default_rng(0).normal(size=4096).astype(dtype)
    out = np.empty_like(x)
    named = getattr(np, name, None)
    ways = (named,) if named is not None else (np.tanh, np.exp)
    return min(fastest(lambda f=f: f(x, out)) for f in ways) / len(x)


def _nodes(term: tm.Term) -> Iterator[tm.Term]:
    yield term
    for part in term.terms:
        yield from _nodes(part)
