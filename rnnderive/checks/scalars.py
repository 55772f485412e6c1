"""Scalars that stay short: SymPy expressions in which every function applied is one atom.

The reference interpreter runs on them; SymPy differentiates them.  Functions stay opaque, with the
table's slope as derivative (the complex step checks the table).
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from typing import Any

import numpy as np
import sympy as sp

from rnnderive.language import FUNCTIONS, Recurrence, Run, Symbols
from rnnderive.language import terms as tm

__all__ = ["NamedRun", "Scalar", "Scalars", "symbols"]


class Scalar(sp.Expr):
    """A scalar with a definition: a function applied, or an entry of a named quantity.

    It is short however long its definition, and SymPy differentiates through it.
    """

    is_commutative = True
    of: Scalars
    function: str
    argument: Any

    def __new__(cls, of: Scalars, number: int, function: str, argument: Any) -> Scalar:
        self: Scalar = sp.Expr.__new__(cls, sp.Dummy(f"{function}_{number}"))  # a dummy: SymPy caches by name
        self.of, self.function, self.argument = of, function, argument
        return self

    @property
    def is_shorthand(self) -> bool:
        """Whether it only stands for its argument."""
        return self.function in ("identity", "derivative")

    @cached_property
    def below(self) -> frozenset[Any]:
        return frozenset(self.argument.free_symbols)

    @property
    def free_symbols(self) -> Any:
        return set(self.below)

    def _eval_derivative(self, s: Any) -> Any:
        return self.of.derivative(self, s)


class Scalars(Symbols):
    """SymPy scalars in which every applied function, and every named entry, is one short atom."""

    def __init__(self, sizes: Any) -> None:
        super().__init__(sizes)
        self.atoms: dict[tuple[str, Any], Scalar] = {}
        self.known: dict[tuple[Any, Any], Any] = {}
        self.inside: dict[Scalar, list[tuple[Any, Any]]] = {}
        self.slopes: dict[Scalar, Any] = {}

    def one(self, name: str, x: Any) -> Any:
        return x if name == "identity" else self.atom(name, sp.sympify(x))

    def atom(self, name: str, x: Any) -> Scalar:
        """The atom for a function of an argument, the same for the same."""
        if (name, x) not in self.atoms:
            self.atoms[name, x] = Scalar(self, len(self.atoms), name, x)
        return self.atoms[name, x]

    def named(self, value: Any) -> Any:
        """The same array with an atom in the place of every compound entry."""
        out = np.empty(value.shape, dtype=object)
        for index, x in np.ndenumerate(value):
            x = sp.sympify(x)
            short = x.is_Symbol or x.is_Rational or isinstance(x, Scalar)
            out[index] = x if short else self.atom("identity", x)
        return out

    def derivative(self, atom: Scalar, s: Any) -> Any:
        """∂atom/∂s by the chain rule, each once."""
        if s not in atom.below:
            return sp.S.Zero
        key = atom, s
        if key not in self.known:
            inner = (
                p * (self.derivative(x, s) if isinstance(x, Scalar) else int(x == s)) for x, p in self.partials(atom)
            )
            value = sp.Mul(self.slope(atom), sp.Add(*inner))
            # Short again, so that nothing walks through it once for every path that leads here.
            self.known[key] = self.atom("derivative", value) if value.args else value
        return self.known[key]

    def partials(self, atom: Scalar) -> list[tuple[Any, Any]]:
        """The symbols and atoms in a definition, each with SymPy's derivative in it, the others held fixed."""
        if atom not in self.inside:
            flat = {x: sp.Dummy() for x in _leaves(atom.argument)}
            back = {dummy: x for x, dummy in flat.items()}
            argument = atom.argument.xreplace(flat)
            self.inside[atom] = [(x, sp.diff(argument, dummy).xreplace(back)) for x, dummy in flat.items()]
        return self.inside[atom]

    def slope(self, atom: Scalar) -> Any:
        """The table's slope at the argument."""
        if atom.is_shorthand:
            return sp.S.One
        if atom not in self.slopes:
            x, y = tm.Parameter("x", 1), tm.Parameter("y", 1)
            values = {"x": np.array([[atom.argument]], dtype=object), "y": np.array([[atom]], dtype=object)}
            term = tm.as_term(FUNCTIONS[atom.function].slope(x, y))
            self.slopes[atom] = Run(Recurrence(()), self, values, 1).term(term, None)[0, 0]
        return self.slopes[atom]


def _leaves(e: Any) -> Iterator[Any]:
    """The symbols and atoms of an expression, atoms not taken apart."""
    if e.is_Symbol or isinstance(e, Scalar):
        yield e
    else:
        for part in e.args:
            yield from _leaves(part)


class NamedRun(Run):
    """A run in which what equations define is named, entry by entry."""

    def term(self, term: tm.Term, step: int | None) -> Any:
        value = super().term(term, step)
        return self.algebra.named(value) if term in self.whole else value  # type: ignore[attr-defined]

    @cached_property
    def whole(self) -> frozenset[tm.Term]:
        """The right sides of the equations."""
        return frozenset(e.right for e in self.net.equations if not isinstance(e.right, tm.At | tm.Parameter))


def symbols(name: str, shape: tuple[int, ...], T: int | None) -> Any:
    """A symbol for each entry: an array, or for each of T steps an array."""
    if T is not None:
        return [symbols(f"{name}[t={step}]", shape, None) for step in range(1, T + 1)]
    out = np.empty(shape, dtype=object)
    for index in np.ndindex(*shape):
        out[index] = sp.Symbol(f"{name}[{','.join(map(str, index))}]")
    return out
