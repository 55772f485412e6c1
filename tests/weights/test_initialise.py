"""Initialisers have the moments of their papers, and find their place in any recurrence."""

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rnnderive import InputError, Recurrence, cells
from rnnderive.cells import LIBRARY
from rnnderive.weights import INITIALISERS, SCHEMES, Site, initialise
from rnnderive.weights.roles import ROLES, Roles
from tests.strategies import recurrences

BIG = Site(rows=120, columns=80, units=120, fan_in=200)
SIZES = {"h": 6, "x": 3, "y": 2}

# Variance of one entry, from the papers.
VARIANCES = {
    "normal": 0.01**2,
    "uniform": 0.1**2 / 3,
    "uniform_units": 1 / (3 * 120),
    "uniform_units_bias": 2 / (3 * 120),
    "uniform_fan_in": 1 / (3 * 200),
    "glorot_uniform": 2 / (120 + 80),
    "glorot_normal": 2 / (120 + 80),
    "he_uniform": 2 / 80,
    "he_normal": 2 / 80,
    "lecun_uniform": 1 / 80,
    "lecun_normal": 1 / 80,
    "orthogonal": 1 / 120,  # 80 orthonormal columns: 80 of 9600 squares
}


@pytest.mark.parametrize("name", VARIANCES)
def test_the_variance_is_that_of_the_paper(name):
    array = INITIALISERS[name](np.random.default_rng(0), BIG)
    assert array.shape == (120, 80)
    assert np.mean(array**2) == pytest.approx(VARIANCES[name], rel=0.06)
    assert abs(array.mean()) < 4 * np.sqrt(VARIANCES[name] / array.size)


@pytest.mark.parametrize("shape", [(5, 5), (7, 4), (4, 7)])
def test_orthogonal_matrices_have_equal_singular_values(shape):
    site = Site(*shape, units=1, fan_in=1)
    array = INITIALISERS["orthogonal"](np.random.default_rng(1), site, gain=1.5)
    assert np.allclose(np.linalg.svd(array, compute_uv=False), 1.5, rtol=1e-14)


def test_random_orthogonal_matrices_are_uniform():
    """Over the orthogonal group the trace has the mean 0 and the variance 1; bare QR gives another mean."""
    rng = np.random.default_rng(2)
    traces = [np.trace(INITIALISERS["orthogonal"](rng, Site(4, 4, 4, 4))) for _ in range(4000)]
    assert abs(np.mean(traces)) < 0.07 and np.var(traces) == pytest.approx(1, abs=0.1)


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("name", LIBRARY)
def test_every_scheme_fills_every_cell(name, scheme):
    net = LIBRARY[name]()
    widths = {str(s): 2 + k for k, s in enumerate(net.sizes)}
    params = initialise(net, 3, sizes=widths, scheme=scheme)
    assert list(params) == list(net.parameters)
    again = initialise(net, np.random.default_rng(3), sizes=widths, scheme=scheme)
    other = initialise(net, 4, sizes=widths, scheme=scheme)
    assert all(np.array_equal(params[n], again[n]) for n in params)
    assert any(not np.array_equal(params[n], other[n]) for n in params)
    assert {b.role for blocks in Roles.of(net).blocks.values() for b in blocks} <= ROLES.keys()


@settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
@given(recurrences(), st.sampled_from(sorted(SCHEMES)))
def test_every_scheme_fills_random_recurrences(net, scheme):
    widths = {str(s): 2 + k for k, s in enumerate(net.sizes)}
    by_symbol = {s: 2 + k for k, s in enumerate(net.sizes)}
    for name, array in initialise(net, 0, sizes=widths, scheme=scheme).items():
        rows, columns = (int(size.subs(by_symbol)) if hasattr(size, "subs") else size for size in net.shape(name))
        assert array.shape == ((rows,) if columns == 1 else (rows, columns))
        assert np.isfinite(array).all()


def test_the_parts_of_a_stacked_weight_are_drawn_apart():
    params = initialise(cells.lstm(), 0, sizes=SIZES, roles={"input": 2.0, "recurrent": "identity(scale=0.5)"})
    assert np.array_equal(params["W_i"], np.hstack([0.5 * np.eye(6), np.full((6, 3), 2.0)]))


def test_the_order_of_a_stack_does_not_matter():
    net = Recurrence.parse("h[t] = tanh(W @ [x[t], h[t-1]] + b)\nL = sum(h[T])")
    params = initialise(net, 0, sizes={"h": 4, "x": 2}, roles={"input": 0.0, "recurrent": "identity"})
    assert np.array_equal(params["W"], np.hstack([np.zeros((4, 2)), np.eye(4)]))


@pytest.mark.parametrize("name", ["lstm", "peephole_lstm", "gru", "gru_reset_after", "mgu", "mingru", "coupled_lstm"])
def test_chrono_gates_keep_one_minus_one_over_tau(name):
    """σ(log(τ − 1)) = 1 − 1/τ with 2 ≤ τ ≤ horizon, whichever way round the gate is wired."""
    net = LIBRARY[name]()
    widths = {str(s): 50 for s in net.sizes}
    params = initialise(net, 0, sizes=widths, scheme="chrono(horizon=30)")
    (gate,) = Roles.of(net).gates
    kept = 1 / (1 + np.exp(-gate.sign * params[gate.keep[0]]))
    tau = 1 / (1 - kept)
    assert 2 <= tau.min() < 5 and 25 < tau.max() <= 30
    if gate.admit:
        assert np.array_equal(params[gate.admit[0]], -params[gate.keep[0]])


@pytest.mark.parametrize("name", ["stacked_lstm", "bidirectional_lstm"])
def test_a_forget_bias_reaches_every_layer_and_direction(name):
    net = LIBRARY[name]()
    params = initialise(net, 0, sizes=SIZES, roles={"forget_bias": 5})
    assert sorted(n for n, a in params.items() if a.ndim == 1 and (a == 5).all()) == [
        n for n in sorted(net.parameters) if n.startswith("b_f")
    ]
    assert params["b_i" + ("_1" if name == "stacked_lstm" else "_L")].tolist() == [0] * 6


def test_a_gate_with_two_biases_has_the_forget_bias_once():
    net = Recurrence.parse("""
        a[t] = W @ x[t] + U @ h[t-1] + b + c
        f[t] = sigmoid(a[t])
        i[t] = sigmoid(V @ x[t])
        h[t] = f[t] * h[t-1] + i[t] * x[t]
        L    = sum(h[T])
    """)
    params = initialise(net, 0, sizes={"h": 3}, roles={"forget_bias": 2})
    assert params["b"].tolist() == [2, 2, 2] and params["c"].tolist() == [0, 0, 0]


def test_gates_drawn_as_one_matrix_are_orthogonal_together():
    params = initialise(cells.lstm(), 0, sizes=SIZES, scheme="keras")
    together = np.vstack([params[f"W_{g}"][:, :6] for g in ("f", "i", "C", "o")])
    assert np.allclose(together.T @ together, np.eye(6), atol=1e-14)
    alone = params["W_f"][:, :6]
    assert not np.allclose(alone.T @ alone, np.eye(6), atol=0.1)
    assert params["b_f"].tolist() == [1] * 6
    assert initialise(cells.gru(), 0, sizes=SIZES, scheme="keras")["b_z"].tolist() == [0] * 6  # as Keras: LSTM only


def test_overrides_and_inputs_and_dtype():
    net = cells.vanilla()
    V = np.ones((2, 6))
    inputs = {"x": np.zeros((5, 3)), "target": np.zeros(2)}
    params = initialise(net, 0, inputs=inputs, overrides={"V": V, "b_h": 0.5, "U": "orthogonal"}, dtype=np.float32)
    assert params["V"].tolist() == V.tolist() and params["b_h"].tolist() == [0.5] * 6
    assert params["W"].shape == (6, 3) and {a.dtype for a in params.values()} == {np.dtype("float32")}
    mine = initialise(net, 0, sizes=SIZES, roles={"recurrent": lambda rng, site: np.eye(site.rows) / site.units})
    assert np.array_equal(mine["U"], np.eye(6) / 6)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"scheme": "xavier"}, "unknown scheme 'xavier'.*Known: glorot, keras, pytorch"),
        ({"scheme": "chrono(length=3)"}, "chrono has no option 'length'; it has horizon"),
        ({"scheme": "chrono(horizon=__import__('os'))"}, "is not a number"),
        ({"scheme": "chrono(horizon=1)"}, "expected a number of steps above 2"),
        ({"scheme": "glorot; 1"}, "expected a name, or name"),
        ({"roles": {"forget": 1}}, "unknown role 'forget'"),
        ({"roles": {"update_bias": 1}}, r"no parameter here is the bias of a gate .*the roles here are bias, forget"),
        ({"roles": {"bias": "zero"}}, "unknown initialiser 'zero'; did you mean zeros"),
        ({"roles": {"bias": None}}, "found the initialiser None"),
        ({"roles": {"bias": lambda rng, site: np.zeros(7)}}, r"of b_f returned the shape \(7,\); expected \(6, 1\)"),
        ({"overrides": {"U": 1}}, "there is no parameter 'U'; there are W_f"),
        ({"overrides": {"W_f": np.zeros((6, 10))}}, r"W_f has shape \(6, 10\); expected \(n_h, n_h\+n_x\) with"),
        ({"sizes": {"h": 6, "x": 3}}, r"W_y has the shape .*give the sizes \{'y': …\}"),
        ({"sizes": {**SIZES, "q": 3}}, "there is no size of 'q' here; there are n_h, n_x, n_y"),
        ({"sizes": {**SIZES, "h": 0}}, "the size of h is 0; expected a whole number from 1"),
    ],
)  # fmt: skip
def test_mistakes_are_named(options, message):
    with pytest.raises(InputError, match=message):
        initialise(cells.lstm(), 0, **{"sizes": SIZES, **options})
