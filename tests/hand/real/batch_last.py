"""(T, n, B), a GRU that resets after the product; wrong: 1 − z is differentiated as 1 − dz, with the wrong sign."""

from functools import partial

import numpy as np

import rnnderive as rd
from tests.hand.real.case import Case


def run(x, t, h0, weights, mistake):
    """The weights come in one dict, the data and the targets beside it."""
    T, w = len(x), weights
    h, kept = h0, []
    for k in range(T):
        r = 1 / (1 + np.exp(-(w["Wr"] @ x[k] + w["Ur"] @ h + w["br"][:, None])))
        z = 1 / (1 + np.exp(-(w["Wz"] @ x[k] + w["Uz"] @ h + w["bz"][:, None])))
        u = w["Un"] @ h + w["cn"][:, None]
        n = np.tanh(w["Wn"] @ x[k] + w["bn"][:, None] + r * u)
        kept.append((h, r, z, u, n))
        h = (1 - z) * n + z * h
    y = 1 / (1 + np.exp(-(w["V"] @ h + w["c"][:, None])))
    loss = 0.5 * ((y - t) ** 2).sum()

    g = {name: np.zeros(np.shape(value)) for name, value in w.items()} | {"x": np.zeros(np.shape(x))}
    dy = (y - t) * y * (1 - y)
    g["V"], g["c"] = dy @ h.T, dy.sum(1)
    dh = w["V"].T @ dy
    for k in range(T - 1, -1, -1):
        before, r, z, u, n = kept[k]
        dz = dh * (n + before) if mistake else dh * (before - n)
        dn = dh * (1 - z) * (1 - n**2)
        dr = dn * u * r * (1 - r)
        dz = dz * z * (1 - z)
        for gate, d, inner in (("r", dr, dr), ("z", dz, dz), ("n", dn, dn * r)):
            g["W" + gate] = g["W" + gate] + d @ x[k].T
            g["U" + gate] = g["U" + gate] + inner @ before.T
            g["b" + gate] = g["b" + gate] + d.sum(1)
        g["cn"] = g["cn"] + (dn * r).sum(1)
        g["x"][k] = w["Wr"].T @ dr + w["Wz"].T @ dz + w["Wn"].T @ dn
        dh = dh * z + w["Ur"].T @ dr + w["Uz"].T @ dz + w["Un"].T @ (dn * r)
    return loss, g | {"h0": dh}


CASE = Case(
    rd.cells.gru_reset_after(),
    partial(run, mistake=False),
    partial(run, mistake=True),
    "1 − z is differentiated with the wrong sign",
    frozenset({"W_r", "U_r", "b_r", "W_z", "U_z", "b_z", "W_n", "b_n", "U_n", "c_n", "h0", "x"}),
    "sign",
    """
    Wr = W_r
    Ur = U_r
    br = b_r
    Wz = W_z
    Uz = U_z
    bz = b_z
    Wn = W_n
    Un = U_n
    bn = b_n
    cn = c_n
    V  = W_y
    c  = b_y
    x  = x: t n b
    t  = target: n b
    h0 = h0: n b
    """,
    batch=2,
)
