"""Every row of the function table: its slope, its NumPy source, and their agreement."""

import warnings

import mpmath
import numpy as np
import pytest
import sympy as sp

from rnnderive.language import FUNCTIONS
from rnnderive.language.algebra import numpy_function

x = sp.Symbol("x", real=True)
POINTS = [sp.Rational(p, 7) for p in (-65, -20, -9, -5, -1, 1, 4, 11, 23, 61)]
LARGE = [0.0, 1e-12, 1e-3, 30.0, 45.0, 100.0, 700.0, 1e3, 1e6, 1e150]


def points(f):
    return [p for p in POINTS if f.total or p > 0]


def exact(f, point):
    """The function at a point, from its SymPy expression, to 30 digits."""
    return sp.N(f.scalar(x).subs(x, point), 40)


@pytest.mark.parametrize("f", FUNCTIONS.values(), ids=FUNCTIONS)
def test_the_slope_is_the_derivative_of_the_function(f):
    derivative = sp.diff(f.scalar(x), x)
    for p in points(f):
        y = f.scalar(x).subs(x, p)
        slope = sp.N(sp.sympify(f.slope(p, y)), 40)
        assert abs(slope - sp.N(derivative.subs(x, p).doit(), 40)) < sp.Float(10) ** -30


@pytest.mark.parametrize("f", FUNCTIONS.values(), ids=FUNCTIONS)
def test_the_numpy_source_is_the_function(f):
    array = np.array([float(p) for p in points(f)])
    expected = [float(exact(f, sp.Float(v, 40))) for v in array]
    assert np.allclose(numpy_function(f.name)(array), expected, rtol=1e-14, atol=1e-14)


@pytest.mark.parametrize("f", [f for f in FUNCTIONS.values() if f.total], ids=lambda f: f.name)
def test_the_numpy_source_is_finite_and_silent_at_any_size(f):
    bounded = f.name not in ("exp",)
    values = np.array([s * v for v in LARGE for s in (1, -1) if bounded or v < 700])
    with warnings.catch_warnings(), np.errstate(all="raise", under="ignore"):
        warnings.simplefilter("error")
        got = numpy_function(f.name)(values)
    assert np.isfinite(got).all()
    with mpmath.workdps(400):
        for v, g in zip(values, got, strict=True):
            if f.name in ("sin", "cos") or abs(v) > 1e6:
                continue
            wanted = float(_precise(f, v))
            assert g == pytest.approx(wanted, rel=1e-9, abs=1e-14), v


def _precise(f, v):
    """The function at a float, by SymPy, with digits enough for cancellation."""
    return sp.N(f.scalar(x).subs(x, sp.Rational(v)), 30, maxn=2000)


@pytest.mark.parametrize("f", FUNCTIONS.values(), ids=FUNCTIONS)
def test_the_complex_step_gives_the_slope(f):
    h = 1e-30
    for p in points(f):
        value = numpy_function(f.name)(np.array([complex(float(p), h)]))
        assert value.dtype == np.complex128
        y = f.scalar(x).subs(x, p)
        slope = float(sp.N(sp.sympify(f.slope(p, y)), 40))
        assert value.imag[0] / h == pytest.approx(slope, rel=1e-11, abs=1e-13)
        assert value.real[0] == pytest.approx(float(exact(f, p)), rel=1e-13, abs=1e-14)


@pytest.mark.parametrize("f", FUNCTIONS.values(), ids=FUNCTIONS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.complex64, np.complex128])
def test_the_numpy_source_keeps_the_precision_it_is_given(f, dtype):
    assert numpy_function(f.name)(np.array([0.5, 2.0], dtype=dtype)).dtype == dtype


@pytest.mark.parametrize("f", [f for f in FUNCTIONS.values() if f.kinks], ids=lambda f: f.name)
def test_at_a_kink_the_value_the_slope_or_the_curvature_jumps(f):
    for kink in f.kinks:
        sides = [sp.Rational(kink) + s * sp.Rational(1, 10**9) for s in (-1, 1)]
        jumps = []
        for order in range(3):
            left, right = (sp.N(sp.diff(f.scalar(x), x, order).subs(x, p).doit()) for p in sides)
            jumps.append(abs(left - right) > 1e-3)
        assert any(jumps)


def test_the_derivative_of_the_sigmoid_is_at_most_a_quarter():
    """Row 9 of the lecture."""
    f = FUNCTIONS["sigmoid"]
    assert sp.simplify(f.slope(x, f.scalar(x)).subs(x, 0)) == sp.Rational(1, 4)
    y = f.scalar(x)
    assert sp.simplify(f.slope(x, y) - (sp.Rational(1, 4) - (y - sp.Rational(1, 2)) ** 2)) == 0
