"""The hand-written form of a cell that no library has, to see whether the generator knows only the famous ones.

Two states h and C, a candidate that also reads h two steps back, gates that see the cell state, and
a second state g that runs from the right; see ``OWN`` in :mod:`benchmarks.work`.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from benchmarks.peers.sigmoid import sigmoid
from benchmarks.peers.task import Task
from benchmarks.work import Arrays, Work

__all__ = ["build"]


def build(work: Work, params: Arrays, inputs: Arrays) -> Task:
    """The weights of i, o and a stacked; g apart."""
    T, B, d, n = work.size
    x, target = inputs["x"], inputs["target"]
    flat_x = x.reshape(T * B, d)
    p = params
    W, U = np.concatenate([p["W_i"], p["W_o"], p["W_a"]]), np.concatenate([p["U_i"], p["U_o"], p["U_a"]])
    b = np.concatenate([p["b_i"], p["b_o"], p["b_a"]])
    R, p_i, p_o, V = p["R_a"], p["p_i"], p["p_o"], p["V"]

    def run() -> tuple[Any, Arrays]:
        z = flat_x.dot(W.T).reshape(T, B, 3 * n) + b
        h, C = np.empty((T + 2, B, n), x.dtype), np.empty((T + 1, B, n), x.dtype)
        h[:2], C[0] = p["h0"], p["C0"]  # h[t + 1] is the state after step t
        i, o, a, q = (np.empty((T, B, n), x.dtype) for _ in range(4))
        for t in range(T):
            s = z[t] + h[t + 1].dot(U.T)
            i[t] = sigmoid(s[:, :n] + p_i * C[t])
            a[t] = np.tanh(s[:, 2 * n :] + h[t].dot(R.T))
            C[t + 1] = (1 - i[t]) * C[t] + i[t] * a[t]
            o[t] = sigmoid(s[:, n : 2 * n] + p_o * C[t + 1])
            q[t] = np.tanh(C[t + 1])
            h[t + 2] = o[t] * q[t]
        zg = flat_x.dot(p["W_g"].T).reshape(T, B, n) + p["b_g"]
        g = np.empty((T + 1, B, n), x.dtype)
        g[T] = p["g0"]
        for t in reversed(range(T)):
            g[t] = np.tanh(zg[t] + g[t + 1].dot(p["U_g"].T))
        both = np.concatenate([h[2:], g[:-1]], -1).reshape(T * B, 2 * n)
        e = both.dot(V.T) + p["b_y"] - target.reshape(T * B, -1)
        top = e.dot(V).reshape(T, B, 2 * n)
        delta = np.empty_like(z)
        dh, later, dC = np.zeros_like(h[0]), np.zeros_like(h[0]), np.zeros_like(C[0])
        for t in reversed(range(T)):
            dh = dh + top[t, :, :n]
            do = dh * q[t] * o[t] * (1 - o[t])
            dC = dC + dh * o[t] * (1 - q[t] ** 2) + do * p_o
            di = dC * (a[t] - C[t]) * i[t] * (1 - i[t])
            da = dC * i[t] * (1 - a[t] ** 2)
            delta[t, :, :n], delta[t, :, n : 2 * n], delta[t, :, 2 * n :] = di, do, da
            dC = dC * (1 - i[t]) + di * p_i
            dh, later = later + delta[t].dot(U), da.dot(R)
        dg, deltas = np.zeros_like(g[0]), np.empty_like(zg)
        for t in range(T):
            deltas[t] = (dg + top[t, :, n:]) * (1 - g[t] ** 2)
            dg = deltas[t].dot(p["U_g"])
        flat, flat_g = delta.reshape(T * B, 3 * n), deltas.reshape(T * B, n)
        di, do, da = (np.ascontiguousarray(flat[:, k * n : (k + 1) * n]) for k in range(3))
        dW, dU, db = flat.T.dot(flat_x), flat.T.dot(h[1:-1].reshape(T * B, n)), flat.sum(0)
        grads = {f"{s}_{k}": part for s, whole in (("W", dW), ("U", dU), ("b", db))
                 for k, part in zip("ioa", np.split(whole, 3), strict=True)}  # fmt: skip
        grads |= {
            "p_i": (di * C[:-1].reshape(T * B, n)).sum(0), "p_o": (do * C[1:].reshape(T * B, n)).sum(0),
            "R_a": da.T.dot(h[:-2].reshape(T * B, n)), "h0": dh + later, "C0": dC,
            "W_g": flat_g.T.dot(flat_x), "U_g": flat_g.T.dot(g[1:].reshape(T * B, n)), "b_g": flat_g.sum(0), "g0": dg,
            "V": e.T.dot(both), "b_y": e.sum(0),
        }  # fmt: skip
        return 0.5 * (e * e).sum(), grads

    return Task(run, lambda result: (float(result[0]), result[1]))
