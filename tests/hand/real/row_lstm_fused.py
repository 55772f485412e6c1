"""Row vectors, (N, T, D), the four gates fused; wrong: the carry dC is not multiplied by the forget gate."""

from functools import partial

import numpy as np

import rnnderive as rd
from tests.hand.real.case import Case


def sigmoid(a):
    return 1 / (1 + np.exp(-a))


def lstm_step_forward(x, prev_h, prev_c, Wx, Wh, b):
    H = prev_h.shape[1]
    a = x @ Wx + prev_h @ Wh + b
    i, f, o = sigmoid(a[:, :H]), sigmoid(a[:, H : 2 * H]), sigmoid(a[:, 2 * H : 3 * H])
    g = np.tanh(a[:, 3 * H :])
    next_c = f * prev_c + i * g
    next_h = o * np.tanh(next_c)
    return next_h, next_c, (x, prev_h, prev_c, Wx, Wh, i, f, o, g, next_c)


def lstm_step_backward(dnext_h, dnext_c, cache, mistake):
    x, prev_h, prev_c, Wx, Wh, i, f, o, g, next_c = cache
    dc = dnext_c + dnext_h * o * (1 - np.tanh(next_c) ** 2)
    do = dnext_h * np.tanh(next_c)
    dprev_c = dc if mistake else dc * f
    da = np.hstack([dc * g * i * (1 - i), dc * prev_c * f * (1 - f), do * o * (1 - o), dc * i * (1 - g**2)])
    return da @ Wx.T, da @ Wh.T, dprev_c, x.T @ da, prev_h.T @ da, da.sum(axis=0)


def lstm_forward(x, h0, c0, Wx, Wh, b):
    N, T, _ = x.shape
    h = np.zeros((N, T, h0.shape[1]))
    prev_h, prev_c, cache = h0, c0, []
    for t in range(T):
        prev_h, prev_c, step = lstm_step_forward(x[:, t], prev_h, prev_c, Wx, Wh, b)
        h[:, t] = prev_h
        cache.append(step)
    return h, cache


def lstm_backward(dh, cache, mistake):
    x, _, _, Wx, Wh = cache[0][:5]
    N, T, H = dh.shape
    dx = np.zeros((N, T, x.shape[1]))
    dWx, dWh, db = np.zeros_like(Wx), np.zeros_like(Wh), np.zeros(4 * H)
    dprev_h, dprev_c = np.zeros((N, H)), np.zeros((N, H))
    for t in reversed(range(T)):
        dx[:, t], dprev_h, dprev_c, dWx_t, dWh_t, db_t = lstm_step_backward(
            dh[:, t] + dprev_h, dprev_c, cache[t], mistake
        )
        dWx += dWx_t
        dWh += dWh_t
        db += db_t
    return dx, dprev_h, dWx, dWh, db


CASE = Case(
    rd.cells.lstm(),
    partial(lstm_backward, mistake=False),
    partial(lstm_backward, mistake=True),
    "the carry of C lacks the forget gate",
    frozenset({"W_f", "W_i", "W_C", "W_o", "b_f", "b_i", "b_C", "b_o", "h0", "x"}),
    "missing factor",
    """
    Wx = [W_i[x] ; W_f[x] ; W_o[x] ; W_C[x]].T
    Wh = [W_i[h] ; W_f[h] ; W_o[h] ; W_C[h]].T
    b  = [b_i ; b_f ; b_o ; b_C]
    x  = x: b t n
    dh = up_h: b t n
    h  = h: b t n
    c0 = C0
    """,
    {"forward": lstm_forward, "outputs": "h cache", "names": "dx dh0 dWx dWh db"},
    upstream=("h",),
    batch=2,
)
