"""One step with gradients for h and C from above; wrong: dC lacks what arrives through h."""

from functools import partial

import numpy as np

import rnnderive as rd
from tests.hand.real.case import Case


def sigmoid(a):
    return 1 / (1 + np.exp(-a))


def step_forward(x, h_prev, c_prev, W, b):
    """W maps [x; h] to the gates f, i, g, o."""
    xh = np.concatenate([x, h_prev])
    f, i, g, o = np.split(W @ xh + b, 4)
    f, i, g, o = sigmoid(f), sigmoid(i), np.tanh(g), sigmoid(o)
    c = f * c_prev + i * g
    return o * np.tanh(c), c, (xh, c_prev, W, f, i, g, o, c)


def step_backward(dh, dC, cache, mistake):
    xh, c_prev, W, f, i, g, o, c = cache
    if not mistake:
        dC = dC + dh * o * (1 - np.tanh(c) ** 2)
    d = np.concatenate(
        [dC * c_prev * f * (1 - f), dC * g * i * (1 - i), dC * i * (1 - g**2), dh * np.tanh(c) * o * (1 - o)]
    )
    down = W.T @ d
    size = len(xh) - len(c)
    return down[:size], down[size:], dC * f, np.outer(d, xh), d


CASE = Case(
    rd.cells.lstm(),
    partial(step_backward, mistake=False),
    partial(step_backward, mistake=True),
    "dC lacks what arrives through h",
    frozenset({"W_f", "W_i", "W_C", "b_f", "b_i", "b_C", "x", "h0", "C0"}),
    "missing path",
    """
    W = [[W_f[x] | W_f[h]] ; [W_i[x] | W_i[h]] ; [W_C[x] | W_C[h]] ; [W_o[x] | W_o[h]]]
    b = [b_f ; b_i ; b_C ; b_o]
    x = x: n
    h_prev = h0
    c_prev = C0
    dh = up_h: n
    dC = up_C: n
    h = h: n
    C = C: n
    """,
    {"forward": step_forward, "outputs": "h C cache", "names": "dx dh_prev dc_prev dW db"},
    upstream=("h", "C"),
    T=1,
)
