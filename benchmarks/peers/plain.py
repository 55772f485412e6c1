"""Back-propagation through time written by hand in NumPy: a good engineer's loop.

The gates' weights are kept stacked, the input's product is taken once for all steps, one product
a step, the gradients of the weights once after the loop.  No buffers are reused and nothing is
tuned to a size.  Each layer takes (T, B, ·) and gives its output and a function from its
gradient to those of the input, the weights and the initial states.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks.peers.task import Task, Unavailable
from benchmarks.work import Arrays, Work

__all__ = ["LAYERS", "build"]

GATES = {"rnn": ("h",), "lstm": ("f", "i", "C", "o"), "gru": ("z", "r", "")}
Layer = tuple[Any, Callable[[Any], tuple[Any, Arrays]]]


def sigmoid(x: Any) -> Any:
    """1 / (1 + e⁻ˣ)."""
    return 1 / (1 + np.exp(-x))


def rnn(x: Any, p: Arrays) -> Layer:
    """h = tanh(W x + U h + b)."""
    T, B, d = x.shape
    n = len(p["b"])
    z = x.reshape(T * B, d).dot(p["W"].T).reshape(T, B, n) + p["b"]
    h = np.empty((T + 1, B, n), x.dtype)
    h[0] = p["h0"]
    for t in range(T):
        h[t + 1] = np.tanh(z[t] + h[t].dot(p["U"].T))

    def backward(dy: Any) -> tuple[Any, Arrays]:
        delta = np.empty_like(z)
        dh = np.zeros_like(h[0])
        for t in reversed(range(T)):
            delta[t] = (dy[t] + dh) * (1 - h[t + 1] ** 2)
            dh = delta[t].dot(p["U"])
        flat = delta.reshape(T * B, n)
        grads = {"W": flat.T.dot(x.reshape(T * B, d)), "U": flat.T.dot(h[:-1].reshape(T * B, n)),
                 "b": flat.sum(0), "h0": dh}  # fmt: skip
        return flat.dot(p["W"]).reshape(x.shape), grads

    return h[1:], backward


def lstm(x: Any, p: Arrays) -> Layer:
    """The gates f, i, C, o in this order, their weights on [h, x] stacked."""
    T, B, d = x.shape
    n = len(p["b"]) // 4
    U, W = p["W"][:, :n], p["W"][:, n:]
    z = x.reshape(T * B, d).dot(W.T).reshape(T, B, 4 * n) + p["b"]
    h, C = np.empty((T + 1, B, n), x.dtype), np.empty((T + 1, B, n), x.dtype)
    h[0], C[0] = p["h0"], p["C0"]
    f, i, a, o, squashed = (np.empty((T, B, n), x.dtype) for _ in range(5))
    for t in range(T):
        s = z[t] + h[t].dot(U.T)
        f[t], i[t] = sigmoid(s[:, :n]), sigmoid(s[:, n : 2 * n])
        a[t], o[t] = np.tanh(s[:, 2 * n : 3 * n]), sigmoid(s[:, 3 * n :])
        C[t + 1] = f[t] * C[t] + i[t] * a[t]
        squashed[t] = np.tanh(C[t + 1])
        h[t + 1] = o[t] * squashed[t]

    def backward(dy: Any) -> tuple[Any, Arrays]:
        delta = np.empty_like(z)
        dh, dC = np.zeros_like(h[0]), np.zeros_like(C[0])
        for t in reversed(range(T)):
            dh = dh + dy[t]
            dC = dC + dh * o[t] * (1 - squashed[t] ** 2)
            delta[t, :, :n] = dC * C[t] * f[t] * (1 - f[t])
            delta[t, :, n : 2 * n] = dC * a[t] * i[t] * (1 - i[t])
            delta[t, :, 2 * n : 3 * n] = dC * i[t] * (1 - a[t] ** 2)
            delta[t, :, 3 * n :] = dh * squashed[t] * o[t] * (1 - o[t])
            dC = dC * f[t]
            dh = delta[t].dot(U)
        flat = delta.reshape(T * B, 4 * n)
        both = np.concatenate([h[:-1], x], -1).reshape(T * B, n + d)
        return flat.dot(W).reshape(x.shape), {"W": flat.T.dot(both), "b": flat.sum(0), "h0": dh, "C0": dC}

    return h[1:], backward


def gru(x: Any, p: Arrays) -> Layer:
    """The gates z and r and the candidate, which the reset gate enters before the product."""
    T, B, d = x.shape
    n = p["W"].shape[0] // 3
    U, V, W = p["W"][: 2 * n, :n], p["W"][2 * n :, :n], p["W"][:, n:]
    s = x.reshape(T * B, d).dot(W.T).reshape(T, B, 3 * n)
    s[..., : 2 * n] += p["b"]
    h = np.empty((T + 1, B, n), x.dtype)
    h[0] = p["h0"]
    z, r, a, rh = (np.empty((T, B, n), x.dtype) for _ in range(4))
    for t in range(T):
        gates = sigmoid(s[t, :, : 2 * n] + h[t].dot(U.T))
        z[t], r[t] = gates[:, :n], gates[:, n:]
        rh[t] = r[t] * h[t]
        a[t] = np.tanh(s[t, :, 2 * n :] + rh[t].dot(V.T))
        h[t + 1] = (1 - z[t]) * h[t] + z[t] * a[t]

    def backward(dy: Any) -> tuple[Any, Arrays]:
        delta = np.empty_like(s)
        dh = np.zeros_like(h[0])
        for t in reversed(range(T)):
            dh = dh + dy[t]
            delta[t, :, 2 * n :] = dh * z[t] * (1 - a[t] ** 2)
            drh = delta[t, :, 2 * n :].dot(V)
            delta[t, :, :n] = dh * (a[t] - h[t]) * z[t] * (1 - z[t])
            delta[t, :, n : 2 * n] = drh * h[t] * r[t] * (1 - r[t])
            dh = dh * (1 - z[t]) + drh * r[t] + delta[t, :, : 2 * n].dot(U)
        flat = delta.reshape(T * B, 3 * n)
        gates, candidate, inputs = flat[:, : 2 * n], flat[:, 2 * n :], x.reshape(T * B, d)
        dW = np.empty_like(p["W"])
        dW[:, n:] = flat.T.dot(inputs)
        dW[: 2 * n, :n] = gates.T.dot(h[:-1].reshape(T * B, n))
        dW[2 * n :, :n] = candidate.T.dot(rh.reshape(T * B, n))
        return flat.dot(W).reshape(x.shape), {"W": dW, "b": gates.sum(0), "h0": dh}

    return h[1:], backward


LAYERS = {"rnn": rnn, "lstm": lstm, "gru": gru}


def stacked(core: str, end: str, params: Arrays) -> Arrays:
    """The weights of one direction of one layer in the form of the functions above."""
    if core == "rnn":
        out = {"W": params[f"W{end}"], "U": params[f"U{end}"], "b": params[f"b_h{end}"]}
    else:
        names = [f"_{g}" if g else "" for g in GATES[core]]
        out = {"W": np.concatenate([params[f"W{g}{end}"] for g in names]),
               "b": np.concatenate([params[f"b{g}{end}"] for g in names if g])}  # fmt: skip
    return out | {s: params[f"{s[0]}{end}0"] for s in ("h0", "C0") if f"{s[0]}{end}0" in params}


def unstacked(core: str, end: str, grads: Arrays) -> Arrays:
    """The inverse of :func:`stacked`."""
    out = {f"{s[0]}{end}0": grads[s] for s in ("h0", "C0") if s in grads}
    if core == "rnn":
        return out | {f"W{end}": grads["W"], f"U{end}": grads["U"], f"b_h{end}": grads["b"]}
    names = [f"_{g}" if g else "" for g in GATES[core]]
    with_bias = [g for g in names if g]
    out |= {f"W{g}{end}": a for g, a in zip(names, np.split(grads["W"], len(names)), strict=True)}
    return out | {f"b{g}{end}": a for g, a in zip(with_bias, np.split(grads["b"], len(with_bias)), strict=True)}


def build(work: Work, params: Arrays, inputs: Arrays) -> Task:
    """Layers, readout and loss; a layer that reads backward runs on the sequence turned round."""
    if work.threads > 1:
        raise Unavailable("written for one thread")
    core, layers = work.of.core, work.of.layers
    layer = LAYERS[core]
    weights = {end: stacked(core, end, params) for ends in layers for end in ends}
    V, b_y, x0, target = params["V"], params["b_y"], inputs["x"], inputs["target"]

    def run() -> tuple[Any, dict[str, Arrays], Arrays]:
        x, passes = x0, []
        for ends in layers:
            outs = [layer(x[::-1] if k else x, weights[end]) for k, end in enumerate(ends)]
            passes.append([backward for _, backward in outs])
            x = outs[0][0] if len(ends) == 1 else np.concatenate([outs[0][0], outs[1][0][::-1]], -1)
        flat = x.reshape(-1, x.shape[-1])
        dy = (flat.dot(V.T) + b_y).reshape(target.shape) - target
        e = dy.reshape(-1, dy.shape[-1])
        head = {"V": e.T.dot(flat), "b_y": e.sum(0)}
        dh, grads = e.dot(V).reshape(x.shape), {}
        for ends, backwards in zip(reversed(layers), reversed(passes), strict=True):
            parts = [dh] if len(ends) == 1 else np.split(dh, 2, -1)
            dh = 0
            for k, (end, backward) in enumerate(zip(ends, backwards, strict=True)):
                dx, grads[end] = backward(parts[k][::-1] if k else parts[k])
                dh = dh + (dx[::-1] if k else dx)
        return 0.5 * (e * e).sum(), grads, head

    def read(result: Any) -> tuple[float, Arrays]:
        loss, grads, head = result
        out = dict(head)
        for end, table in grads.items():
            out |= unstacked(core, end, table)
        return float(loss), out

    return Task(run, read)
