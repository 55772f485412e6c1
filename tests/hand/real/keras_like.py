"""A GRU in Keras's arrays, kernels with gates side by side; wrong: the bias's gradient is that of the last step."""

from functools import partial

import numpy as np

import rnnderive as rd
from tests.hand.real.case import Case


def sigmoid(a):
    return 1 / (1 + np.exp(-a))


def call(x, target, h0, params, mistake):
    kernel, recurrent, bias = params["kernel"], params["recurrent_kernel"], params["bias"]
    units = recurrent.shape[0]
    h, tape = h0, []
    for t in range(x.shape[1]):
        m = x[:, t] @ kernel + bias
        zr = sigmoid(m[:, : 2 * units] + h @ recurrent[:, : 2 * units])
        z, r = zr[:, :units], zr[:, units:]
        hh = np.tanh(m[:, 2 * units :] + (r * h) @ recurrent[:, 2 * units :])
        tape.append((x[:, t], h, z, r, hh))
        h = z * h + (1 - z) * hh
    y = sigmoid(h @ params["W_y"].T + params["b_y"])
    loss = 0.5 * np.sum((y - target) ** 2)
    dy = (y - target) * y * (1 - y)
    grads = {n: np.zeros(p.shape) for n, p in params.items()}
    grads["W_y"], grads["b_y"] = dy.T @ h, dy.sum(0)
    dh = dy @ params["W_y"]
    for t, (x_t, before, z, r, hh) in reversed(list(enumerate(tape))):
        d_hh = dh * (1 - z) * (1 - hh**2)
        d_z = dh * (before - hh) * z * (1 - z)
        back = d_hh @ recurrent[:, 2 * units :].T
        d_r = back * before * r * (1 - r)
        d = np.concatenate([d_z, d_r, d_hh], axis=1)
        grads["kernel"] += x_t.T @ d
        grads["recurrent_kernel"][:, : 2 * units] += before.T @ d[:, : 2 * units]
        grads["recurrent_kernel"][:, 2 * units :] += (r * before).T @ d_hh
        if not mistake:
            grads["bias"] += d.sum(0)
        elif t == len(tape) - 1:
            grads["bias"] = d.sum(0)
        dh = dh * z + back * r + d[:, : 2 * units] @ recurrent[:, : 2 * units].T
    return loss, grads


CASE = Case(
    rd.cells.gru(),
    partial(call, mistake=False),
    partial(call, mistake=True),
    "the bias's gradient is that of the last step",
    frozenset({"b_z", "b_r"}),
    "overwritten",
    "keras",
    batch=2,
)
