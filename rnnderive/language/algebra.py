"""Number systems in which a recurrence can be run exactly as written.

The reference semantics of the language is one interpreter (:mod:`rnnderive.language.meaning`)
over one of these: floating point, a prime field, 50-digit numbers, or SymPy expressions.
Arrays are two-dimensional; a column is (n, 1).
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from functools import cache, lru_cache
from typing import Any

import numpy as np
import sympy as sp

from rnnderive.language.functions import FUNCTIONS

__all__ = ["Algebra", "Digits", "Field", "Floats", "Symbols"]


class Algebra:
    """What a number system offers: constants, elementwise functions, inverses."""

    dtype: Any = object

    def __init__(self, sizes: Mapping[Any, int]) -> None:
        self.sizes = {sp.sympify(k): int(v) for k, v in sizes.items()}
        self.extents: dict[Any, sp.Integer] = {}  # a run asks for the same few sizes at every step

    def extent(self, size: Any) -> sp.Integer:
        """The number behind a symbolic size."""
        found = self.extents.get(size)
        if found is None:
            found = sp.sympify(size).subs(self.sizes)
            if not found.is_Integer:
                raise KeyError(f"no value for the size {size}")
            self.extents[size] = found
        return found

    def scalar(self, number: sp.Rational) -> Any:
        """A rational number in this system."""
        raise NotImplementedError

    def number(self, number: Any) -> Any:
        """A rational number as a 1×1 array."""
        return self.full(1, 1, number)

    def full(self, rows: int, columns: int, number: Any) -> Any:
        """An array with one value in every entry."""
        out = np.empty((rows, columns), dtype=self.dtype)
        out[...] = self.scalar(sp.sympify(number))
        return out

    def reduce(self, array: Any) -> Any:
        """The canonical representative of every entry."""
        return array

    def inverse(self, array: Any) -> Any:
        """1 / x, entry by entry."""
        return 1 / array

    def one(self, name: str, x: Any) -> Any:
        """The function of that name at one entry."""
        raise NotImplementedError

    def apply(self, name: str, array: Any) -> Any:
        """The function of that name, entry by entry."""
        out = np.empty(array.shape, dtype=self.dtype)
        for index, x in np.ndenumerate(array):
            out[index] = self.one(name, x)
        return out


class Field(Algebra):
    """The prime field of 2^61 − 1 elements, with a random oracle for every function.

    Two formulas that agree at random elements are equal as polynomials in their inputs and
    in the outputs of the functions they apply, but for a chance below 2^-50 (Schwartz 1980,
    Zippel 1979).  ``identity`` is itself, and σ and tanh are what they are in terms of exp; all others are
    opaque, so that further identities between functions (sin² + cos² = 1) are not seen here: see
    :class:`Digits`.
    """

    prime = 2**61 - 1

    def __init__(self, sizes: Mapping[Any, int], key: str = "") -> None:
        super().__init__(sizes)
        self.key = key

    def scalar(self, number: Any) -> int:
        return int(number.p) * pow(int(number.q), -1, self.prime) % self.prime

    def reduce(self, array: Any) -> Any:
        return array % self.prime

    def inverse(self, array: Any) -> Any:
        out = np.empty(array.shape, dtype=object)
        for index, x in np.ndenumerate(array):
            out[index] = pow(int(x), -1, self.prime)
        return out

    def one(self, name: str, x: Any) -> int:
        if name == "identity":
            return x
        if name == "sigmoid":
            return pow(1 + self.one("exp", -int(x) % self.prime), -1, self.prime)
        if name == "tanh":
            return (2 * self.one("sigmoid", 2 * int(x) % self.prime) - 1) % self.prime
        return _oracle(self.key, name, int(x))

    def random(self, rng: Any, shape: tuple[int, ...]) -> Any:
        """Uniform random elements."""
        return np.array(rng.integers(1, self.prime, size=shape).tolist(), dtype=object).reshape(shape)


@lru_cache(maxsize=200_000)
def _oracle(key: str, name: str, x: int) -> int:
    digest = hashlib.blake2b(f"{key}|{name}|{x}".encode(), digest_size=16).digest()
    return int.from_bytes(digest, "big") % Field.prime


class Floats(Algebra):
    """Float64, or complex128 for the complex step; functions are the table's NumPy source."""

    def __init__(self, sizes: Mapping[Any, int], dtype: Any = np.float64) -> None:
        super().__init__(sizes)
        self.dtype = np.dtype(dtype)

    def scalar(self, number: Any) -> Any:
        return self.dtype.type(float(number))

    def apply(self, name: str, array: Any) -> Any:
        return numpy_function(name)(array)


@cache
def numpy_function(name: str) -> Any:
    """The table's NumPy source of a function, as a callable."""
    space: dict[str, Any] = {"np": np}
    source = FUNCTIONS[name].numpy
    for other in FUNCTIONS:
        if other != name and f"{other}(" in source.replace("np." + other, ""):
            space[other] = numpy_function(other)
    if source.startswith("def"):
        exec(source, space)  # our own table, never a user's text
        return space[name]
    return eval(f"lambda x: {source}", space)


class Digits(Algebra):
    """mpmath numbers of 50 digits, where function identities hold."""

    def __init__(self, sizes: Mapping[Any, int], digits: int = 50) -> None:
        super().__init__(sizes)
        import mpmath

        self.context = mpmath.mp.clone()
        self.context.dps = digits

    def scalar(self, number: Any) -> Any:
        return self.context.mpf(int(number.p)) / int(number.q)

    def one(self, name: str, x: Any) -> Any:
        x0 = sp.Symbol("x")
        value = FUNCTIONS[name].scalar(x0).subs(x0, sp.Float(str(x), self.context.dps)).evalf(self.context.dps)
        return self.context.mpf(str(value))


class Symbols(Algebra):
    """SymPy expressions; functions stay applied by name, with the table's slope as derivative."""

    def scalar(self, number: Any) -> Any:
        return number

    def one(self, name: str, x: Any) -> Any:
        return x if name == "identity" else opaque(name)(x)


@cache
def opaque(name: str) -> Any:
    """A SymPy function that knows only its derivative, in terms of its argument and output."""

    def fdiff(self: Any, argindex: int = 1) -> Any:
        x, y = sp.Dummy("x"), sp.Dummy("y")
        slope = _opaque_slope(name, x, y)
        return slope.subs({x: self.args[0], y: self})

    return type(name, (sp.Function,), {"fdiff": fdiff, "nargs": 1})


def _opaque_slope(name: str, x: Any, y: Any) -> Any:
    """The table's slope with the functions in it kept opaque."""
    from rnnderive.language.terms import Apply, Number, Parameter, Plus, Power, Times

    def plain(term: Any) -> Any:
        match term:
            case Parameter():
                return {"x": x, "y": y}[term.name]
            case Number():
                return term.number
            case Apply():
                return opaque(term.name)(plain(term.args[1]))
            case Plus():
                return sp.Add(*map(plain, term.args))
            case Times():
                return sp.Mul(*map(plain, term.args))
            case Power():
                return plain(term.args[0]) ** term.args[1]
            case _:
                return sp.S.Zero if term.is_null else sp.S.One

    from rnnderive.language.terms import as_term

    return sp.sympify(plain(as_term(FUNCTIONS[name].slope(Parameter("x", 1), Parameter("y", 1)))))
