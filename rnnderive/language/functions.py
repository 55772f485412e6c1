"""Elementwise functions: one row each. σ and its derivative stand here and nowhere else.

A row gives the function as a SymPy expression (its meaning), its slope in terms of the
argument ``x`` and the output ``y`` (what the calculus uses; `y` is already at hand in a
program), and NumPy source that is stable and accepts complex numbers.  A test proves for
every row that the slope is the derivative of the expression.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import sympy as sp

__all__ = ["FUNCTIONS", "Function", "function"]


@dataclass(frozen=True)
class Function:
    """An elementwise function.

    Parameters
    ----------
    name : str
        Its name in the language.
    scalar : callable
        ``scalar(x)`` is the SymPy expression of the function.
    slope : callable
        ``slope(x, y)`` is the derivative at `x`, where ``y = f(x)``; written with operators
        only, so that it serves terms of the language and SymPy expressions alike.
    numpy : str
        A NumPy expression in ``x``, or the text of a ``def`` named after the function.
    symbol : str
        What it is called in formulas; its own name unless given.
    total : bool
        Whether it is finite for every finite argument.
    kinks : tuple of float
        Where it has no derivative.
    near_one : bool
        Whether its NumPy source is right to a rounding of 1 (times the argument where that is larger), not of
        the value: a number near 1 is added on the way.
    """

    name: str
    scalar: Callable[[Any], Any]
    slope: Callable[[Any, Any], Any]
    numpy: str
    symbol: str = ""
    total: bool = True
    kinks: tuple[float, ...] = ()
    near_one: bool = False

    def __call__(self, x: Any) -> Any:
        """Apply to a term of the language, or to a SymPy expression."""
        from rnnderive.language.terms import Apply, Term

        return Apply(self.name, x) if isinstance(x, Term) else self.scalar(x)


def _f(name: str) -> Callable[[Any], Any]:
    return lambda x: FUNCTIONS[name](x)


_SIGMOID = '''\
def sigmoid(x):
    """1 / (1 + exp(-x)), without overflow on either side."""
    e = np.exp(-np.where(x.real < 0, -x, x))
    return np.where(x.real < 0, e, 1) / (1 + e)
'''

_SOFTPLUS = '''\
def softplus(x):
    """log(1 + exp(x)), without overflow."""
    negative = x.real < 0
    return np.where(negative, 0, x) + np.log1p(np.exp(np.where(negative, x, -x)))
'''

_NORMAL_CDF = '''\
def normal_cdf(x):
    """The normal distribution's Phi(x), by Kummer's series: every term has one sign."""
    z = np.where(np.abs(x.real) > 9, 9 * np.sign(x.real), x)
    term = z * np.exp(-z * z / 2) / np.sqrt(2 * np.pi)
    total = term
    for k in range(1, 160):
        term = term * z * z / (2 * k + 1)
        total = total + term
    return np.where(np.abs(x.real) > 9, x.real > 0, 0.5 + total).astype(x.dtype)
'''

_ELU = '''\
def elu(x):
    """x above zero, exp(x) - 1 below."""
    return np.where(x.real > 0, x, np.expm1(np.where(x.real > 0, 0, x)))
'''


def _piecewise(x: Any, above: Any, below: Any) -> Any:
    return sp.Piecewise((above, x > 0), (below, True))


FUNCTIONS: dict[str, Function] = {
    f.name: f
    for f in (
        Function("sigmoid", lambda x: 1 / (1 + sp.exp(-x)), lambda x, y: y * (1 - y), _SIGMOID, "sigma"),
        Function("tanh", sp.tanh, lambda x, y: 1 - y**2, "np.tanh(x)"),
        Function("relu", lambda x: _piecewise(x, x, 0), lambda x, y: _f("step")(x),
                 "np.where(x.real > 0, x, 0)", "ReLU", kinks=(0,)),
        Function("step", lambda x: _piecewise(x, 1, 0), lambda x, y: 0 * x,
                 "(x.real > 0).astype(x.dtype)", kinks=(0,)),
        Function("leaky_relu", lambda x: _piecewise(x, x, x / 100), lambda x, y: (1 + 99 * _f("step")(x)) / 100,
                 "np.where(x.real > 0, x, x / 100)", "LReLU", kinks=(0,)),
        Function("softplus", lambda x: sp.log(1 + sp.exp(x)), lambda x, y: _f("sigmoid")(x), _SOFTPLUS),
        Function("elu", lambda x: _piecewise(x, x, sp.exp(x) - 1),
                 lambda x, y: 1 + (1 - _f("step")(x)) * y, _ELU, "ELU", kinks=(0,)),
        Function("gelu", lambda x: x * (1 + sp.erf(x / sp.sqrt(2))) / 2,
                 lambda x, y: _f("normal_cdf")(x) + x * _f("normal_pdf")(x), "x * normal_cdf(x)", "GELU",
                 near_one=True),
        Function("normal_cdf", lambda x: (1 + sp.erf(x / sp.sqrt(2))) / 2, lambda x, y: _f("normal_pdf")(x),
                 _NORMAL_CDF, "Phi", near_one=True),
        Function("normal_pdf", lambda x: sp.exp(-(x**2) / 2) / sp.sqrt(2 * sp.pi), lambda x, y: -x * y,
                 "np.exp(-x * x / 2) / np.sqrt(2 * np.pi).astype(x.real.dtype)", "phi"),
        Function("silu", lambda x: x / (1 + sp.exp(-x)), lambda x, y: _f("sigmoid")(x) * (1 + x - y),
                 "x * sigmoid(x)", "SiLU"),
        Function("hard_sigmoid", lambda x: sp.Piecewise((0, x <= -3), (1, x >= 3), (x / 6 + sp.Rational(1, 2), True)),
                 lambda x, y: _f("step")(x + 3) * _f("step")(3 - x) / 6,
                 "np.where(x.real <= -3, 0, np.where(x.real >= 3, 1, x / 6 + 0.5)).astype(x.dtype)",
                 "hardσ", kinks=(-3, 3)),
        Function("softsign", lambda x: x / (1 + sp.Abs(x)), lambda x, y: (1 - _f("abs")(y)) ** 2,
                 "x / (1 + np.where(x.real < 0, -x, x))"),
        Function("abs", sp.Abs, lambda x, y: _f("sign")(x), "np.where(x.real < 0, -x, x)", kinks=(0,)),
        Function("sign", sp.sign, lambda x, y: 0 * x, "np.sign(x.real).astype(x.dtype)", kinks=(0,)),
        Function("exp", sp.exp, lambda x, y: y, "np.exp(x)"),
        Function("log", sp.log, lambda x, y: x**-1, "np.log(x)", total=False),
        Function("sqrt", sp.sqrt, lambda x, y: y**-1 / 2, "np.sqrt(x)", total=False),
        Function("rsqrt", lambda x: x ** sp.Rational(-1, 2), lambda x, y: -(y**3) / 2, "1 / np.sqrt(x)", total=False),
        Function("sin", sp.sin, lambda x, y: _f("cos")(x), "np.sin(x)"),
        Function("cos", sp.cos, lambda x, y: -_f("sin")(x), "np.cos(x)"),
        Function("identity", lambda x: x, lambda x, y: 1 + 0 * x, "x", "id"),
    )
}  # fmt: skip


def function(name: str) -> Function:
    """Return the elementwise function of that name."""
    return FUNCTIONS[name]
