"""CasADi: the unrolled graph of matrices and its reverse mode, on CasADi's virtual machine.

Its products are plain loops without a BLAS and it knows no batch: it takes part at batch 1.
"""

from __future__ import annotations

from typing import Any

import casadi as ca
import numpy as np

from benchmarks.peers.forward import Space, loss
from benchmarks.peers.task import Task, Unavailable
from benchmarks.peers.weights import gathered, stacked
from benchmarks.work import Arrays, Work

__all__ = ["build"]


def scan(step: Any, z: Any, states: Any, T: int, B: int) -> Any:
    """The steps one after another."""
    out = []
    for t in range(T):
        states = step(z[t, :], *states)
        out.append(states[0])
    return ca.vertcat(*out)


SPACE = Space(
    tanh=ca.tanh,
    sigmoid=lambda x: 1 / (1 + ca.exp(-x)),
    beside=ca.horzcat,
    turned=lambda a, T, B: a[::-1, :],
    scan=scan,
    affine=lambda x, W, b: ca.mtimes(x, W.T) + ca.repmat(b, x.shape[0], 1),
    total=lambda a: ca.sum2(ca.sum1(a)),
)


def build(work: Work, params: Arrays, inputs: Arrays) -> Task:
    """Every bias and state is a matrix of one row."""
    T, B, _, _ = work.size
    if B > 1 or T > 100:
        raise Unavailable("no batches" if B > 1 else f"a graph of {T} steps takes minutes to build")
    if work.dtype != "float64":
        raise Unavailable("float64 only")
    arrays = stacked(work.of, params)
    rows = {end: {name: np.atleast_2d(a) for name, a in table.items()} for end, table in arrays.items()}
    weights = {e: {n: ca.MX.sym(n, *a.shape) for n, a in table.items()} for e, table in rows.items()}
    x, target = (ca.MX.sym(name, T, inputs[name].shape[2]) for name in ("x", "target"))
    value = loss(SPACE, work.of, weights, x, target, T, B)
    leaves = [leaf for table in weights.values() for leaf in table.values()]
    grads = [ca.gradient(value, leaf) for leaf in leaves]
    function = ca.Function("gradient", [*leaves, x, target], [value, *grads])
    given = [ca.DM(a) for table in rows.values() for a in table.values()]
    given += [ca.DM(inputs[name][:, 0]) for name in ("x", "target")]

    def read(result: Any) -> tuple[float, Arrays]:
        values = iter(result[1:])
        shaped = {e: {n: np.reshape(next(values).full(), a.shape) for n, a in t.items()} for e, t in arrays.items()}
        return float(result[0]), gathered(work.of, shaped)

    return Task(lambda: function.call(given), read)
