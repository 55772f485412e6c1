"""Entries first, time in the middle, batch last; a GRU; wrong: the reset gate's own gradient lacks r(1 − r)."""

from functools import partial

import numpy as np

import rnnderive as rd
from tests.hand.real.case import Case


def sigmoid(a):
    return 1 / (1 + np.exp(-a))


def forward(X, S0, Wz, Uz, bz, Wr, Ur, br, Wh, Uh):
    """X is (d, T, m), states are (n, T + 1, m)."""
    T = X.shape[1]
    S = np.zeros((S0.shape[0], T + 1, X.shape[2]), dtype=np.result_type(X, S0))
    S[:, 0] = S0
    Z, R, H = np.zeros_like(S), np.zeros_like(S), np.zeros_like(S)
    for t in range(1, T + 1):
        x, s = X[:, t - 1], S[:, t - 1]
        Z[:, t] = sigmoid(Wz @ x + Uz @ s + bz)
        R[:, t] = sigmoid(Wr @ x + Ur @ s + br)
        H[:, t] = np.tanh(Wh @ x + Uh @ (R[:, t] * s))
        S[:, t] = (1 - Z[:, t]) * s + Z[:, t] * H[:, t]
    return S, (X, S, Z, R, H, (Wz, Uz, Wr, Ur, Wh, Uh))


def backward(dS, cache, mistake):
    X, S, Z, R, H, (Wz, Uz, Wr, Ur, Wh, Uh) = cache
    grads = {k: 0 for k in ("Wz", "Uz", "bz", "Wr", "Ur", "br", "Wh", "Uh")}
    dX = np.zeros_like(X)
    carry = np.zeros_like(S[:, 0])
    for t in range(X.shape[1], 0, -1):
        ds = dS[:, t] + carry
        x, s, z, r, h = X[:, t - 1], S[:, t - 1], Z[:, t], R[:, t], H[:, t]
        dah = ds * z * (1 - h * h)
        daz = ds * (h - s) * z * (1 - z)
        inside = Uh.T @ dah
        dar = inside * s if mistake else inside * s * r * (1 - r)
        grads["Wz"] += daz @ x.T
        grads["Uz"] += daz @ s.T
        grads["bz"] += daz.sum(1, keepdims=True)
        grads["Wr"] += dar @ x.T
        grads["Ur"] += dar @ s.T
        grads["br"] += dar.sum(1, keepdims=True)
        grads["Wh"] += dah @ x.T
        grads["Uh"] += dah @ (r * s).T
        dX[:, t - 1] = Wz.T @ daz + Wr.T @ dar + Wh.T @ dah
        carry = ds * (1 - z) + Uz.T @ daz + Ur.T @ dar + inside * r
    return grads | {"X": dX, "S0": carry}


CASE = Case(
    rd.cells.gru(),
    partial(backward, mistake=False),
    partial(backward, mistake=True),
    "the factor r(1 − r) is missing",
    frozenset({"W_z", "b_z", "W_r", "b_r", "W", "h0", "x"}),
    "missing factor",
    """
    Wz = W_z[x]
    Uz = W_z[h]
    bz = b_z: n 1
    Wr = W_r[x]
    Ur = W_r[h]
    br = b_r: n 1
    Wh = W[x]
    Uh = W[h]
    X  = x: n t b
    S0 = h0: n b
    S  = h: n t+1 b
    dS = up_h: n t+1 b
    """,
    {"forward": forward, "outputs": "S cache"},
    upstream=("h",),
    batch=2,
)
