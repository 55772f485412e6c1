"""Back-propagation through time written by hand in NumPy: a good engineer's loop.

The gates are one product a step, the input's product is taken once for all steps, and so are the
gradients of the weights after the loop.  No buffers are reused and nothing is tuned to a size.
Each layer takes (T, B, ·) and gives its output, and a function from the gradient of that to those
of the input and of the weights.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks.peers import own_cell
from benchmarks.peers.sigmoid import sigmoid
from benchmarks.peers.task import Task
from benchmarks.peers.weights import gathered, stacked
from benchmarks.work import Arrays, Work

__all__ = ["LAYERS", "build"]

Layer = tuple[Any, Callable[[Any], tuple[Any, Arrays]]]


def affine(x: Any, W: Any, b: Any) -> Any:
    """x Wᵀ + b for every step and member, as one product."""
    return x.reshape(-1, x.shape[-1]).dot(W.T).reshape(*x.shape[:-1], len(b)) + b


def weights_gradient(delta: Any, x: Any, h: Any) -> tuple[Any, Arrays]:
    """What an affine map of the input and of the state before gets: one product over all steps each."""
    flat = delta.reshape(-1, delta.shape[-1])
    return flat, {
        "W": flat.T.dot(x.reshape(len(flat), -1)),
        "U": flat.T.dot(h.reshape(len(flat), -1)),
        "b": flat.sum(0),
    }


def rnn(x: Any, p: Arrays) -> Layer:
    """h = tanh(W x + U h + b)."""
    T, B, _ = x.shape
    U = p["U"]
    z = affine(x, p["W"], p["b"])
    h = np.empty((T + 1, B, len(U)), x.dtype)
    h[0] = p["h0"]
    for t in range(T):
        h[t + 1] = np.tanh(z[t] + h[t].dot(U.T))

    def backward(dy: Any) -> tuple[Any, Arrays]:
        delta = np.empty_like(z)
        dh = np.zeros_like(h[0])
        for t in reversed(range(T)):
            delta[t] = (dy[t] + dh) * (1 - h[t + 1] ** 2)
            dh = delta[t].dot(U)
        flat, grads = weights_gradient(delta, x, h[:-1])
        return flat.dot(p["W"]).reshape(x.shape), grads | {"h0": dh}

    return h[1:], backward


def lstm(x: Any, p: Arrays) -> Layer:
    """The lecture's LSTM, the gates in the order f, i, o, C."""
    T, B, _ = x.shape
    U = p["U"]
    n = U.shape[1]
    z = affine(x, p["W"], p["b"])
    h, C = np.empty((T + 1, B, n), x.dtype), np.empty((T + 1, B, n), x.dtype)
    h[0], C[0] = p["h0"], p["C0"]
    gates, a, squashed = np.empty((T, B, 3 * n), x.dtype), np.empty((T, B, n), x.dtype), np.empty((T, B, n), x.dtype)
    for t in range(T):
        s = z[t] + h[t].dot(U.T)
        gates[t] = sigmoid(s[:, : 3 * n])
        a[t] = np.tanh(s[:, 3 * n :])
        C[t + 1] = gates[t, :, :n] * C[t] + gates[t, :, n : 2 * n] * a[t]
        squashed[t] = np.tanh(C[t + 1])
        h[t + 1] = gates[t, :, 2 * n :] * squashed[t]

    def backward(dy: Any) -> tuple[Any, Arrays]:
        delta = np.empty_like(z)
        dh, dC = np.zeros_like(h[0]), np.zeros_like(C[0])
        for t in reversed(range(T)):
            f, i, o = gates[t, :, :n], gates[t, :, n : 2 * n], gates[t, :, 2 * n :]
            dh = dh + dy[t]
            dC = dC + dh * o * (1 - squashed[t] ** 2)
            delta[t, :, :n] = dC * C[t] * f * (1 - f)
            delta[t, :, n : 2 * n] = dC * a[t] * i * (1 - i)
            delta[t, :, 2 * n : 3 * n] = dh * squashed[t] * o * (1 - o)
            delta[t, :, 3 * n :] = dC * i * (1 - a[t] ** 2)
            dC = dC * f
            dh = delta[t].dot(U)
        flat, grads = weights_gradient(delta, x, h[:-1])
        return flat.dot(p["W"]).reshape(x.shape), grads | {"h0": dh, "C0": dC}

    return h[1:], backward


def gru(x: Any, p: Arrays) -> Layer:
    """The gates z and r and the candidate, which the reset gate enters before the product."""
    T, B, _ = x.shape
    n = p["U"].shape[1]
    U, V = p["U"][: 2 * n], p["U"][2 * n :]
    s = affine(x, p["W"], p["b"])
    h = np.empty((T + 1, B, n), x.dtype)
    h[0] = p["h0"]
    gates, a, rh = np.empty((T, B, 2 * n), x.dtype), np.empty((T, B, n), x.dtype), np.empty((T, B, n), x.dtype)
    for t in range(T):
        gates[t] = sigmoid(s[t, :, : 2 * n] + h[t].dot(U.T))
        rh[t] = gates[t, :, n:] * h[t]
        a[t] = np.tanh(s[t, :, 2 * n :] + rh[t].dot(V.T))
        z = gates[t, :, :n]
        h[t + 1] = (1 - z) * h[t] + z * a[t]

    def backward(dy: Any) -> tuple[Any, Arrays]:
        delta = np.empty_like(s)
        dh = np.zeros_like(h[0])
        for t in reversed(range(T)):
            z, r = gates[t, :, :n], gates[t, :, n:]
            dh = dh + dy[t]
            delta[t, :, 2 * n :] = dh * z * (1 - a[t] ** 2)
            drh = delta[t, :, 2 * n :].dot(V)
            delta[t, :, :n] = dh * (a[t] - h[t]) * z * (1 - z)
            delta[t, :, n : 2 * n] = drh * h[t] * r * (1 - r)
            dh = dh * (1 - z) + drh * r + delta[t, :, : 2 * n].dot(U)
        flat, grads = weights_gradient(delta[..., : 2 * n], x, h[:-1])
        candidate = np.ascontiguousarray(delta[..., 2 * n :]).reshape(T * B, n)
        dW = np.concatenate([grads["W"], candidate.T.dot(x.reshape(T * B, -1))])
        dU = np.concatenate([grads["U"], candidate.T.dot(rh.reshape(T * B, n))])
        dx = flat.dot(p["W"][: 2 * n]) + candidate.dot(p["W"][2 * n :])
        return dx.reshape(x.shape), {"W": dW, "U": dU, "b": np.append(grads["b"], np.zeros(n, x.dtype)), "h0": dh}

    return h[1:], backward


LAYERS = {"rnn": rnn, "lstm": lstm, "gru": gru}


def build(work: Work, params: Arrays, inputs: Arrays) -> Task:
    """Layers, readout and loss; a layer that reads backward runs on the sequence turned round."""
    if work.of.core == "own":
        return own_cell.build(work, params, inputs)
    network, layer = work.of, LAYERS[work.of.core]
    weights = stacked(network, params)
    V, b_y, target = params["V"], params["b_y"], inputs["target"]

    def run() -> tuple[Any, dict[str, Arrays]]:
        x, passes = inputs["x"], []
        for ends in network.layers:
            outs = [layer(x[::-1] if k else x, weights[end]) for k, end in enumerate(ends)]
            passes.append([backward for _, backward in outs])
            x = outs[0][0] if len(ends) == 1 else np.concatenate([outs[0][0], outs[1][0][::-1]], -1)
        flat = x.reshape(-1, x.shape[-1])
        e = (affine(x, V, b_y) - target).reshape(-1, len(b_y))
        grads = {"head": {"V": e.T.dot(flat), "b_y": e.sum(0)}}
        dx = e.dot(V).reshape(x.shape)
        for ends, backwards in zip(reversed(network.layers), reversed(passes), strict=True):
            parts, dx = np.split(dx, len(ends), -1), 0
            for k, (end, backward) in enumerate(zip(ends, backwards, strict=True)):
                below, grads[end] = backward(parts[k][::-1] if k else parts[k])
                dx = dx + (below[::-1] if k else below)
        return 0.5 * (e * e).sum(), grads

    return Task(run, lambda result: (float(result[0]), gathered(network, result[1])))
