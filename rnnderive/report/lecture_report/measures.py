"""What the lecture claims about long chains, measured: norms, sensitivities, the drift of the state."""

from __future__ import annotations

from typing import Any

import numpy as np
import sympy as sp

from rnnderive.derivation import derive
from rnnderive.language import Recurrence
from rnnderive.language import terms as tm

__all__ = ["LENGTH", "SEED", "UNITS", "chain_norms", "drift", "lstm_chains", "rate", "running_norms", "sensitivities"]

SEED, LENGTH, UNITS = 2013, 60, 32
WARM_UP = 10
Run = tuple[dict[str, Any], dict[str, Any]]


def random_run(net: Recurrence, gain: float = 1.0, scale: float = 1.0, T: int = LENGTH, n: int = UNITS) -> Run:
    """Weights N(0, gain²/n), no biases, and inputs N(0, scale²): the same for every cell."""
    rng = np.random.default_rng(SEED)
    sizes: dict[Any, int] = {s: n for s in net.sizes}
    params: dict[str, Any] = {}
    inputs: dict[str, Any] = {}
    for name in [*net.inputs, *net.parameters]:
        rows, columns = (int(sp.sympify(s).subs(sizes)) for s in net.shape(name))
        shape = (rows,) if columns == 1 else (rows, columns)
        if isinstance(net.leaves.get(name), tm.At):
            inputs[name] = scale * rng.normal(size=(T, *shape))
        elif name in net.parameters:
            params[name] = (gain / np.sqrt(n) if columns != 1 else 0.0) * rng.normal(size=shape)
        else:
            inputs[name] = rng.uniform(size=shape)
    for name in net.initial_states:
        inputs[name] = 0.1 * rng.normal(size=n)
    return params, inputs


def chain_norms(net: Recurrence, gain: float = 1.0, scale: float = 1.0) -> Any:
    """log10 of the spectral norm of ∂h^T/∂h^{T-k} for k = 0..T-1, from the generated Jacobians."""
    return running_norms(derive(net).jacobians("h", "h")(*random_run(net, gain, scale))["J"])


def running_norms(jacobians: Any) -> Any:
    """log10 ‖J_T J_{T-1} ⋯‖₂ from the last step back; renormalised, so that nothing underflows.

    Examples
    --------
    >>> running_norms(np.full((4, 1, 1), 0.1)).round(6).tolist()
    [0.0, -1.0, -2.0, -3.0]
    """
    product = np.eye(jacobians.shape[1])
    logs, scale = [0.0], 0.0
    for j in jacobians[:0:-1]:
        product = product @ j
        norm = np.linalg.norm(product, 2)
        if norm == 0:
            return np.array(logs + [-np.inf] * (len(jacobians) - len(logs)))
        scale += np.log10(norm)
        product = product / norm
        logs.append(scale)
    return np.array(logs)


def rate(logs: Any) -> float:
    """The mean slope of such a curve after its first ten steps, in nats a step."""
    return float(logs[-1] - logs[WARM_UP]) / (len(logs) - 1 - WARM_UP) * float(np.log(10))


def sensitivities(net: Recurrence) -> Any:
    """log10 ‖∂y^T/∂x^k‖₂ against T − k: what the last output still knows of an early input."""
    d = derive(net)
    run = random_run(net)
    out, step, into = (d.jacobians(*pair)(*run)["J"] for pair in (("y", "h", 0), ("h", "h", 1), ("h", "x", 0)))
    product, scale, logs = out[-1], 0.0, []
    for k in range(LENGTH - 1, -1, -1):
        logs.append(scale + np.log10(max(float(np.linalg.norm(product @ into[k], 2)), 1e-300)))
        product = product @ step[k]
        norm = np.linalg.norm(product, 2)
        scale, product = scale + np.log10(norm), product / norm
    return np.array(logs)


def drift(net: Recurrence, gain: float) -> Any:
    """The 5, 25, 50, 75 and 95 % quantiles of the entries of h^t, over 64 input sequences."""
    params, inputs = random_run(net, gain)
    inputs["x"] = np.random.default_rng(SEED).normal(size=(LENGTH, 64, UNITS))
    inputs = {n: np.tile(v, (64, 1)) if n in net.initial_states else v for n, v in inputs.items()}
    states = derive(net).forward(params, inputs)["h"]
    return np.quantile(states.reshape(LENGTH, -1), [0.05, 0.25, 0.5, 0.75, 0.95], axis=1)


def lstm_chains(net: Recurrence, bias: float) -> tuple[Any, Any]:
    """log10 norms along the cell path ∏ diag(f) alone, and of the block Jacobian of [h, C]."""
    params, inputs = random_run(net)
    params["b_f"] = params["b_f"] + bias
    d = derive(net)
    grid = [[d.jacobians(v, u, 1)(params, inputs)["J"] for u in ("h", "C")] for v in ("h", "C")]
    return running_norms(grid[1][1]), running_norms(np.block(grid))
