"""Gated chains: the cell's highway, what the forget bias buys, and the gain at which a gated cell turns critical."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from typing import Any

import numpy as np
import sympy as sp

from rnnderive import cells
from rnnderive.chains.products import operator_log_norms, vector_log_norms
from rnnderive.chains.spectra import spectral_radii
from rnnderive.chains.split import split_log_norms
from rnnderive.chains.theory.claim import Claim
from rnnderive.chains.theory.nets import derivation, jacobians, parameter_arrays
from rnnderive.checks.identity import identical
from rnnderive.language import FUNCTIONS, Recurrence, Run, Symbols
from rnnderive.language import terms as tm

__all__ = ["claims", "critical_gain_at_rest", "forgetting", "half_life", "jacobian_at_rest"]

PATH = "path"
FORGET = "forget"
CHRONO = "chrono"
GAIN = "rest"
MINGRU = "mingru"


def claims(quick: bool = True) -> Iterator[Claim]:
    """The table's gates."""
    yield from _path()
    yield from _forget()
    yield from _chrono()
    yield from _critical()
    yield from _linear_gate(quick)


def _path() -> Iterator[Claim]:
    net = cells.lstm()
    d = derivation(net)
    f = net.leaf("f")
    highway = identical(d.jacobian("C", "C", 1), tm.Diag(f), net)
    yield Claim(PATH, "factor", 1, bool(highway), 0, "", "exact")
    rng = np.random.default_rng(6)
    n, T = 4, 40
    params = parameter_arrays(net, {"n_h": n, "n_x": 3, "n_y": 2}, rng, 0.5)
    inputs: dict[str, Any] = {"x": rng.normal(size=(T, 3)), "h0": rng.normal(size=n), "C0": rng.normal(size=n)}
    inputs["target"] = np.zeros(2)
    gates = d.forward(params, inputs)["f"]
    along = vector_log_norms(np.eye(n)[1], jacobians(net, params, inputs, ("C",)))
    exact = np.concatenate([[0.0], np.cumsum(np.log(gates[::-1, 1]))])
    off = float(np.abs(along - exact).max())
    yield Claim(PATH, "along", 0.0, off, 1e-12, "", "exact")
    whole = jacobians(net, params, inputs, ("h", "C"))
    product = np.eye(2 * n)
    for J in whole[5:]:
        product = J @ product
    chain = d.chain("C[5]", T, of=f"C[{T}]", form="nested")
    total = _value(net, chain, params, inputs, T)
    # C^5 also reaches h^5 within its own step.
    inside = d.jacobians("h", "C", 0)(params, inputs)["J"][4]
    off = _relative(product[n:, n:] + product[n:, :n] @ inside, total)
    yield Claim(PATH, "whole", 0.0, off, 1e-12, "", "exact")
    share = _relative(np.diag(np.prod(gates[5:], 0)), total)
    yield Claim(PATH, "more", 1e-3, share, 0, "", "exact", relation="≥")
    parts = np.zeros((2, *whole.shape))
    parts[0, :, n:, n:] = whole[:, n:, n:]
    parts[1] = whole - parts[0]
    split = split_log_norms({"highway": parts[0], "other": parts[1]})
    exact_top = np.concatenate([[0.0], np.cumsum(np.log(gates[::-1]), 0).max(1)])
    off = float(np.abs(split["highway"] - exact_top)[1:].max())
    yield Claim(PATH, "highway", 0.0, off, 1e-12, "", "exact")
    off = float(np.abs(split["whole"] - operator_log_norms(whole)).max())
    yield Claim(PATH, "split", 0.0, off, 1e-11, "", "exact")


def _relative(found: Any, exact: Any) -> float:
    return float(np.linalg.norm(found - exact) / np.linalg.norm(exact))


def _value(net: Recurrence, term: tm.Term, params: Any, inputs: Any, T: int) -> Any:
    """A chain's value by the reference interpreter."""
    from rnnderive.derivation import reference_run
    from rnnderive.programs import prepare

    return reference_run(net, prepare(net, params, inputs)).term(tm.at_horizon(term, T), None)


def _with_bias(bias: float, T: int, n: int = 3) -> tuple[dict[str, Any], dict[str, Any]]:
    """An LSTM whose gates depend on their biases only, and an input."""
    net = cells.lstm()
    params = parameter_arrays(net, {"n_h": n, "n_x": 1, "n_y": 1}, np.random.default_rng(0), 0.0)
    params["b_f"] = np.full(n, bias)
    return params, {"x": np.zeros((T, 1)), "target": np.zeros(1)}


def forgetting(bias: float, T: int) -> float:
    """ln‖∂C^T/∂C^0‖ along the cell of an LSTM with that forget bias and no other weights."""
    return float(operator_log_norms(jacobians(cells.lstm(), *_with_bias(bias, T), ("C",)), [T])[0])


@lru_cache(maxsize=1)
def half_life() -> sp.Expr:
    """Steps in which the cell's gradient halves, ln ½ / ln σ(b), in b.

    Examples
    --------
    >>> half_life().subs(sp.Symbol("b", real=True), 0)
    1
    """
    b = sp.Symbol("b", real=True)
    return sp.log(sp.Rational(1, 2)) / sp.log(FUNCTIONS["sigmoid"].scalar(b))


def _forget() -> Iterator[Claim]:
    b = sp.Symbol("b", real=True)
    power = FUNCTIONS["sigmoid"].scalar(b) ** 100
    table = ((0, 7.889e-31, 1.0), (1, 2.484e-14, 2.2127), (2, 3.073e-06, 5.4609), (5, 0.5109, 103.218))
    for bias, number, steps in table:
        log = forgetting(float(bias), 100)
        power_found, life = float(np.exp(log)), 100 * np.log(0.5) / log
        at = {"bias": bias}
        yield Claim(FORGET, "power_tabulated", number, power_found, 2e-4, relative=True, values=at)
        exact = float(sp.N(power.subs(b, bias), 20))
        yield Claim(FORGET, "power", exact, power_found, 1e-13, relative=True, values=at)
        yield Claim(FORGET, "life_tabulated", steps, life, 2.5e-5, relative=True, values=at)
        exact = float(sp.N(half_life().subs(b, bias), 20))
        yield Claim(FORGET, "life", exact, life, 1e-13, relative=True, values=at)


def _chrono() -> Iterator[Claim]:
    source = "chrono"
    T = sp.Symbol("T", positive=True)
    gate = FUNCTIONS["sigmoid"].scalar(sp.log(T - 1))
    zero = sp.simplify(gate - (1 - 1 / T)) == 0
    yield Claim(CHRONO, "gate", 1, bool(zero), 0, source, "published")
    for steps, number, digits in ((10, 0.3487, 4), (100, 0.3660, 4), (784, 0.36764, 5)):
        measured = float(np.exp(forgetting(np.log(steps - 1), steps)))
        exact = float((1 - sp.Rational(1, steps)) ** steps)
        yield Claim(CHRONO, "power", exact, measured, 1e-12, source, relative=True, values={"T": steps})
        yield Claim(CHRONO, "tabulated", number, measured, 0.51 * 10**-digits, values={"T": steps})


@lru_cache(maxsize=8)
def jacobian_at_rest(cell: str) -> tuple[sp.Matrix, dict[str, sp.Symbol]]:
    """The state's Jacobian of a one-unit cell at zero state and zero input, and its symbols.

    rnnderive's own local Jacobians are run on SymPy symbols for the parameters.  The input part of
    each weight is left out, as the input is zero, and so are recurrent weights into the gates,
    which a zero state multiplies.
    """
    net = cells.load(cell)
    d = derivation(net)
    states = ("h", "C") if "C" in net else ("h",)
    sizes = {s: 1 for s in net.sizes}
    symbols: dict[str, sp.Symbol] = {}
    values: dict[str, Any] = {}
    for name in net.parameters:
        shape = tuple(int(s.subs(sizes)) for s in net.shape(name))
        entries = [sp.Symbol(name if not k else f"{name}_{k}", real=True) for k in range(int(np.prod(shape)))]
        symbols[name] = entries[0]
        values[name] = np.array(entries, dtype=object).reshape(shape)
        if name == "b_C":
            values[name][...] = sp.S.Zero  # else the zero state would not be at rest
    zero = np.array([[sp.S.Zero]], dtype=object)
    values |= {"x": [zero], "target": zero} | {f"{s}0": zero for s in states}
    run = Run(net, Symbols({**sizes, tm.T: 1, tm.BATCH: 1}), values, 1)
    J = sp.Matrix([[run.term(d.jacobian(v, u, 1), 1)[0, 0] for u in states] for v in states])
    for name in ("sigmoid", "tanh"):
        # The interpreter keeps functions by name only; here they get their meaning.
        scalar = FUNCTIONS[name].scalar
        J = J.replace(lambda e, name=name: e.func.__name__ == name, lambda e, scalar=scalar: scalar(e.args[0]))
    return J, symbols


@lru_cache(maxsize=8)
def critical_gain_at_rest(cell: str, weight: str) -> sp.Expr:
    """The recurrent weight of the candidate at which an eigenvalue of the Jacobian at rest is 1.

    Examples
    --------
    >>> critical_gain_at_rest("gru", "W")
    1 + exp(-b_r)
    """
    J, symbols = jacobian_at_rest(cell)
    determinant = (J - sp.eye(J.rows)).det()  # of first degree in the weight
    constant, slope = determinant.subs(symbols[weight], 0), determinant.diff(symbols[weight])
    return sp.simplify(-constant / slope)


def _critical() -> Iterator[Claim]:
    own = "rest"
    gain = critical_gain_at_rest("lstm", "W_C")
    _, symbols = jacobian_at_rest("lstm")
    b_f, b_i, b_o = (symbols[n] for n in ("b_f", "b_i", "b_o"))
    sigma = FUNCTIONS["sigmoid"].scalar
    expected = (1 - sigma(b_f)) / (sigma(b_i) * sigma(b_o))
    same = sp.simplify(gain - expected) == 0
    yield Claim(GAIN, "lstm_gain", 1, bool(same), 0, own)
    for bias, number, tolerance in ((0, 2.0, 1e-12), (1, 1.0757656855, 5.1e-11), (2, 0.4768, 5.1e-5)):
        exact = float(sp.N(gain.subs({b_f: bias, b_i: 0, b_o: 0}), 20))
        yield Claim(GAIN, "lstm", number, exact, tolerance, own, values={"bias": bias})
        radius = _radius("lstm", "W_C", exact, {"b_f": bias})
        yield Claim(GAIN, "lstm_radius", 1.0, radius, 1e-7, own, values={"bias": bias})
    gain = critical_gain_at_rest("gru", "W")
    b_r = jacobian_at_rest("gru")[1]["b_r"]
    same = sp.simplify(gain - 1 / sigma(b_r)) == 0
    yield Claim(GAIN, "gru_gain", 1, bool(same), 0, own)
    exact = float(gain.subs(b_r, 0))
    yield Claim(GAIN, "gru", 2.0, exact, 1e-12, own)
    radius = _radius("gru", "W", exact, {})
    yield Claim(GAIN, "gru_radius", 1.0, radius, 1e-12, own)


def _radius(cell: str, weight: str, gain: float, biases: dict[str, float]) -> float:
    """ρ of the generated Jacobian at rest where the candidate's recurrent weight has the largest eigenvalue `gain`."""
    net = cells.load(cell)
    rng = np.random.default_rng(7)
    params = parameter_arrays(net, {"n_h": 3, "n_x": 2, "n_y": 1}, rng, 1.0)
    params |= {n: np.zeros_like(params[n]) for n in net.parameters if n.startswith("b_")}
    params |= {n: np.full(3, float(v)) for n, v in biases.items()}
    basis = rng.normal(size=(3, 3))
    params[weight][:, :3] = basis @ np.diag([gain, 0.3 * gain, -0.2 * gain]) @ np.linalg.inv(basis)
    inputs = {"x": np.zeros((1, 2)), "target": np.zeros(1)}
    states = ("h", "C") if "C" in net else ("h",)
    return float(spectral_radii(jacobians(net, params, inputs, states))[0])


def _linear_gate(quick: bool) -> Iterator[Claim]:
    source = "mingru"
    net = cells.mingru()
    d = derivation(net)
    z = net.leaf("z")
    same = identical(d.jacobian("h", "h", 1), tm.Diag(1 - z), net)
    yield Claim(MINGRU, "factor", 1, bool(same), 0, source)
    rng = np.random.default_rng(8)
    n, T = 5, 200 if quick else 20_000
    params = parameter_arrays(net, {"n_h": n, "n_x": 3, "n_y": 2}, rng, 1.0)
    inputs = {"x": rng.normal(size=(T, 3)), "target": np.zeros(2)}
    gates = np.log1p(-d.forward(params, inputs)["z"])
    J = jacobians(net, params, inputs)
    off = max(float(np.abs(vector_log_norms(np.eye(n)[i], J)[-1] / gates[:, i].sum() - 1)) for i in range(n))
    yield Claim(MINGRU, "chain", 0.0, off, 1e-13, source, values={"T": T})
