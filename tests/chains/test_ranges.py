"""How large a term can get: against dense evaluation and against random weights."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import rnnderive as rd
from rnnderive.chains import course, state
from rnnderive.chains.census import slope_of
from rnnderive.chains.ranges import interval, supremum
from rnnderive.language import FUNCTIONS, Recurrence
from rnnderive.language.algebra import numpy_function
from tests.chains.nets import CELLS, at, network

DENSE = np.concatenate([np.linspace(-60, 60, 120_001), [-1e9, -1e4, 1e4, 1e9]])


def of(name):
    return Recurrence.parse(f"h[t] = {name}(W @ x[t] + u * h[t-1])\nL = sum(h[T])")


def slope_values(name):
    """φ' on a dense grid, away from kinks, by the table's own formula."""
    row = FUNCTIONS[name]
    grid = DENSE[np.all([np.abs(DENSE - k) > 1e-9 for k in (*row.kinks, np.inf)], axis=0)]
    if not row.total:
        grid = grid[grid > 1e-12]
    net = of(name)
    slope = slope_of(net["h"])
    run = course.Course(net, {}, {}, {"h": numpy_function(name)(grid)[:, None]}, len(grid), None, {}, np.dtype(float))
    with np.errstate(all="ignore"):
        return _evaluate(slope, net["h"].right.args[1], grid, run)


def _evaluate(slope, argument, grid, run):
    from rnnderive.language import terms as tm

    if slope == argument:
        return grid
    match slope:
        case tm.Number():
            return float(slope.number)
        case tm.Plus():
            rest, total = list(slope.args), 0.0
            if isinstance(argument, tm.Plus) and all(a in rest for a in argument.args):
                for a in argument.args:
                    rest.remove(a)
                total = grid
            return total + sum(_evaluate(a, argument, grid, run) for a in rest)
        case tm.Times():
            return np.prod([_evaluate(a, argument, grid, run) * np.ones_like(grid) for a in slope.args], axis=0)
        case tm.Power():
            return _evaluate(slope.args[0], argument, grid, run) ** float(slope.args[1])
        case tm.Apply():
            return numpy_function(slope.name)(_evaluate(slope.args[1], argument, grid, run))
        case tm.At():
            return run.values["h"][:, 0]
        case tm.Ones():
            return 1.0
    raise AssertionError(slope)


UNBOUNDED = {"exp", "log", "sqrt", "rsqrt"}


@pytest.mark.parametrize("name", [n for n in FUNCTIONS if n not in ("step", "sign")])
def test_gamma_is_the_largest_slope(name):
    gamma = supremum(slope_of(of(name)["h"]), of(name))
    if name in UNBOUNDED:
        assert gamma == np.inf
        return
    values = np.abs(slope_values(name))
    assert gamma == pytest.approx(np.max(values), rel=1e-6)
    assert np.max(values) <= gamma * (1 + 1e-12)


@pytest.mark.parametrize(
    ("name", "gamma"),
    [("tanh", 1.0), ("sigmoid", 0.25), ("relu", 1.0), ("leaky_relu", 1.0), ("hard_sigmoid", 1 / 6), ("softsign", 1.0),
     ("softplus", 1.0), ("elu", 1.0), ("identity", 1.0), ("sin", 1.0), ("abs", 1.0),
     ("normal_cdf", (2 * np.pi) ** -0.5), ("normal_pdf", (2 * np.pi * np.e) ** -0.5),
     ("silu", 1.0998393194), ("gelu", 1.1289041452)],
)  # fmt: skip
def test_gamma_has_its_known_value(name, gamma):
    """σ′ ≤ 1/4 and tanh′ ≤ 1 (Pascanu et al. 2013); SiLU's and GELU's slopes pass 1."""
    assert supremum(slope_of(of(name)["h"]), of(name)) == pytest.approx(gamma, rel=1e-9)


@pytest.mark.parametrize("name", list(FUNCTIONS))
def test_the_range_of_a_function_holds_all_its_values(name):
    net = of(name)
    low, high = interval(net.leaf("h"), net)
    grid = DENSE[DENSE > 0] if not FUNCTIONS[name].total else DENSE
    with np.errstate(all="ignore"):
        values = numpy_function(name)(grid)
    values = values[np.isfinite(values)]
    assert low - 1e-12 <= values.min() and values.max() <= high + 1e-12
    if np.isfinite([low, high]).all():  # and it is no wider than that
        assert low == pytest.approx(values.min(), abs=1e-6) and high == pytest.approx(values.max(), abs=1e-6)


@pytest.mark.parametrize("inner", ["tanh", "sigmoid", "relu"])
@pytest.mark.parametrize("name", list(FUNCTIONS))
def test_the_range_of_a_function_of_a_function_holds_all_its_values(name, inner):
    net = Recurrence.parse(f"a[t] = {inner}(W @ x[t] + U @ h[t-1])\nh[t] = {name}(2 * a[t] - 1)\nL = sum(h[T])")
    low, high = interval(net.leaf("h"), net)
    with np.errstate(all="ignore"):
        values = numpy_function(name)(2 * numpy_function(inner)(DENSE) - 1)
    values = values[np.isfinite(values)]
    assert low - 1e-9 <= values.min() and values.max() <= high + 1e-9


@pytest.mark.parametrize("name", [n for n in CELLS if "stacked" not in n])
@settings(max_examples=4, deadline=None)
@given(data=st.data())
def test_every_sequence_of_a_cell_stays_in_its_range_whatever_the_weights(name, data):
    here, net = at(name), network(name)
    wide = st.floats(-30, 30, width=32)
    drawn = {n: data.draw(hnp.arrays(float, a.shape, elements=wide)) for n, a in here.params.items()}
    try:
        run = course.run(net, drawn, here.inputs)
    except rd.errors.InputError:
        return  # it overflows: no bound was promised
    for n in net.sequences:
        low, high = interval(net.leaf(n), net)
        assert low <= run[n].min() and run[n].max() <= high


def test_a_kink_is_met_exactly():
    """|2a − 1| with a ≥ 0 comes down to 0, not to a grid's distance from it."""
    net = Recurrence.parse("a[t] = relu(u * h[t-1])\nh[t] = abs(2 * a[t] - 1)\nL = sum(h[T])")
    assert interval(net.leaf("h"), net) == (0.0, np.inf)


def test_a_loop_that_nothing_bounds_is_unbounded():
    net = network("mingru")
    assert interval(net.leaf("z"), net) == (0.0, 1.0)
    assert interval(net.leaf("h"), net) == (-np.inf, np.inf)
    (chain,) = state.chains(net)
    assert supremum(chain.jacobian.args[0], net) == 1.0
