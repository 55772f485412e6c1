"""Lists with a column a step; wrong: tanh' is taken at the activated value, 1 − tanh(h)²."""

from functools import partial

import numpy as np

import rnnderive as rd
from tests.hand.real.case import Case


def loss_and_grads(xs, y, Wx, Wh, bh, Wy, by, h0, mistake):
    hs, outs = [h0], []
    for x in xs:
        hs.append(np.tanh(Wx @ x + Wh @ hs[-1] + bh))
        outs.append(1 / (1 + np.exp(-(Wy @ hs[-1] + by))))
    error = outs[-1] - y
    loss = 0.5 * float(np.sum(error**2)) if not np.iscomplexobj(error) else 0.5 * np.sum(error**2)

    do = error * outs[-1] * (1 - outs[-1])
    dWy, dby = do @ hs[-1].T, do
    dWx, dWh, dbh = np.zeros_like(Wx), np.zeros_like(Wh), np.zeros_like(bh)
    dh = Wy.T @ do
    for t in range(len(xs), 0, -1):
        slope = 1 - np.tanh(hs[t]) ** 2 if mistake else 1 - hs[t] ** 2
        da = slope * dh
        dWx += da @ xs[t - 1].T
        dWh += da @ hs[t - 1].T
        dbh += da
        dh = Wh.T @ da
    return loss, {"Wx": dWx, "Wh": dWh, "bh": dbh, "Wy": dWy, "by": dby, "h0": dh}


CASE = Case(
    rd.cells.vanilla(),
    partial(loss_and_grads, mistake=False),
    partial(loss_and_grads, mistake=True),
    "tanh' is taken at the activated value",
    frozenset({"W", "U", "b_h", "h0"}),
    "activated value",
    """
    xs = x: [t] n 1
    y  = target: n 1
    Wx = W
    Wh = U
    bh = b_h: n 1
    Wy = V
    by = b_y: n 1
    h0 = h0: n 1
    """,
)
