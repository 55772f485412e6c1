"""tensorgrad's published benchmark of an unrolled Elman network, without its optimiser.

h = tanh(x W + h U + b) for T steps, one number read from the last state, the mean squared error of
a batch of 64 at d = 64, in float32; value and gradient in all weights, on one thread.  Its graph
grows with T, and so does the time to compile it.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks.studies.fresh import fresh

__all__ = ["study"]

B, D = 64, 64
EQUATIONS = """
    h[t] = tanh(W @ x[t] + U @ h[t-1] + b)
    p    = V @ h[T]
    L    = squared_error(p, y)
"""
Arrays = dict[str, Any]


def study(quick: bool = False) -> dict[str, Any]:
    """Seconds to compile, of the first call and of a call, by number of steps, for both."""
    return {T: fresh("benchmarks.studies.unrolled", T, timeout=300) for T in ((4,) if quick else (4, 8, 16, 32))}


def arrays(T: int) -> Arrays:
    """Weights in our layout, inputs and targets."""
    rng = np.random.default_rng(0)
    shapes = {"W": (D, D), "U": (D, D), "b": (D,), "V": (1, D), "x": (T, B, D), "y": (B, 1)}
    return {n: (rng.normal(size=s) / (1 if n in "xy" else np.sqrt(D))).astype(np.float32) for n, s in shapes.items()}


def ours(given: Arrays) -> tuple[dict[str, float], Callable[[], Any], Arrays]:
    """Ours: ½ Σ over the batch, so that theirs is 2/B of it."""
    import rnnderive as rd

    start = time.perf_counter()
    program = rd.derive(rd.Recurrence.parse(EQUATIONS), ("W", "U", "b", "V")).lambdify()
    _ = program.raw
    compiled = time.perf_counter() - start
    params, inputs = {n: given[n] for n in "WUbV"}, {n: given[n] for n in "xy"}
    start = time.perf_counter()
    _, grads = program(params, inputs)
    first = time.perf_counter() - start
    scaled = {n: g * (2 / B) for n, g in grads.items()}
    return {"compile": compiled, "first": first}, lambda: program(params, inputs), scaled


def theirs(T: int, given: Arrays) -> tuple[dict[str, float], Callable[[], Any], Arrays]:
    """tensorgrad: the loop is Python's, the graph is unrolled."""
    import torch

    # tensorgrad 0.3 asks for named tensors, which torch 2.13 no longer has; of unnamed ones these do nothing.
    if not hasattr(torch.Tensor, "rename"):
        torch.Tensor.names = property(lambda tensor: (None,) * tensor.ndim)
        torch.Tensor.rename = torch.Tensor.refine_names = lambda tensor, *names: tensor
    import tensorgrad as tg
    import tensorgrad.functions as F
    from sympy import symbols
    from tensorgrad.compiler.runtime import grad

    torch.set_num_threads(1)
    start = time.perf_counter()
    batch, d = symbols("batch d")
    weights = {"W": tg.Variable("W", din=d, d=d), "U": tg.Variable("U", din=d, d=d), "b": tg.Variable("b", d=d),
               "V": tg.Variable("V", d=d)}  # fmt: skip
    xs, y = [tg.Variable(f"x{t}", batch, d) for t in range(T)], tg.Variable("y", batch)
    h = None
    for x in xs:
        z = x.rename(d="din") @ weights["W"] + weights["b"]
        h = F.tanh(z if h is None else z + h.rename(d="din") @ weights["U"])
    e = h @ weights["V"] - y
    loss = F.sum(e * e) / B
    program = tg.compile(loss=loss, **{f"d{n}": g for n, g in grad(loss, weights).items()})
    compiled = time.perf_counter() - start
    turned = {"W": given["W"].T, "U": given["U"].T, "b": given["b"], "V": given["V"][0]}
    params = {weights[n]: torch.from_numpy(np.ascontiguousarray(a)) for n, a in turned.items()}
    inputs = {f"x{t}": torch.from_numpy(given["x"][t]) for t in range(T)} | {"y": torch.from_numpy(given["y"][:, 0])}

    def run() -> Any:
        with torch.no_grad():
            return program(params, dims={batch: B, d: D}, **inputs)

    start = time.perf_counter()
    out = run()
    first = time.perf_counter() - start
    grads = {n: getattr(out, f"d{n}").numpy() for n in "WUbV"}
    return {"compile": compiled, "first": first}, run, grads


def measured(T: int) -> dict[str, Any]:
    """Both on the same arrays in turn, and how far their gradients are apart, in either orientation of a matrix."""
    from benchmarks.clock import median, rounds

    given = arrays(T)
    mine, run, expected = ours(given)
    try:
        other, run_other, found = theirs(T, given)
    except Exception as error:  # not installed, or not with this torch
        return {"ours": mine, "unavailable": f"{type(error).__name__}: {error}"}
    samples = rounds({"ours": run, "theirs": run_other}, 15)
    error = max(
        min(float(np.linalg.norm(a - expected[n].reshape(a.shape))) for a in (found[n], found[n].T))
        / float(np.linalg.norm(expected[n]))
        for n in expected
    )
    return {
        "ours": mine | {"run": median(samples["ours"])},
        "theirs": other | {"run": median(samples["theirs"])},
        "error": error,
    }


if __name__ == "__main__":
    print(json.dumps(measured(int(sys.argv[1]))))
