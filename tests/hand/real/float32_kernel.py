"""A float32 kernel that keeps to its precision; wrong: every gradient is T times that of the loss it reports."""

from functools import partial

import numpy as np

import rnnderive as rd
from tests.hand.real.case import Case


def kernel(x, target, kernel, recurrent, bias, out, out_bias, h0, mistake):
    x, target, kernel, recurrent, bias, out, out_bias, h0 = (
        np.asarray(a, np.float32) for a in (x, target, kernel, recurrent, bias, out, out_bias, h0)
    )
    h = [h0]
    for step in x:
        h.append(np.tanh(step @ kernel + h[-1] @ recurrent + bias))
    y = 1 / (1 + np.exp(-(h[-1] @ out + out_bias)))
    loss = np.float32(0.5) * np.sum((y - target) ** 2)
    scale = np.float32(len(x) if mistake else 1)
    d_out = (y - target) * y * (1 - y)
    d_kernel, d_recurrent, d_bias = np.zeros_like(kernel), np.zeros_like(recurrent), np.zeros_like(bias)
    d = out @ d_out
    for t in range(len(x), 0, -1):
        da = d * (1 - h[t] ** 2)
        d_kernel += np.outer(x[t - 1], da)
        d_recurrent += np.outer(h[t - 1], da)
        d_bias += da
        d = recurrent @ da
    grads = {
        "kernel": d_kernel, "recurrent": d_recurrent, "bias": d_bias, "out": np.outer(h[-1], d_out),
        "out_bias": d_out, "h0": d,
    }  # fmt: skip
    return loss, {name: scale * g for name, g in grads.items()}


CASE = Case(
    rd.cells.vanilla(),
    partial(kernel, mistake=False),
    partial(kernel, mistake=True),
    "every gradient is T times that of the loss",
    frozenset({"W", "U", "b_h", "V", "b_y", "h0"}),
    "scale",
    """
    kernel    = W.T
    recurrent = U.T
    bias      = b_h
    out       = V.T
    out_bias  = b_y
    """,
    {"dtype": np.float32},
)
