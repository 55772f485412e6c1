"""Columns on [a; x], (n, m, T) with time last, one matrix a gate; wrong: dWi is computed with df."""

from functools import partial

import numpy as np

import rnnderive as rd
from tests.hand.real.case import Case


def sigmoid(a):
    return 1 / (1 + np.exp(-a))


def lstm_forward(x, a0, parameters):
    _, m, T = x.shape
    Wf, Wi, Wc, Wo = (parameters[k] for k in ("Wf", "Wi", "Wc", "Wo"))
    bf, bi, bc, bo = (parameters[k] for k in ("bf", "bi", "bc", "bo"))
    a_prev, c_prev = a0, np.zeros_like(a0)
    a = np.zeros((a0.shape[0], m, T))
    caches = []
    for t in range(T):
        concat = np.concatenate([a_prev, x[:, :, t]])
        ft, it, cct = sigmoid(Wf @ concat + bf), sigmoid(Wi @ concat + bi), np.tanh(Wc @ concat + bc)
        c_next = ft * c_prev + it * cct
        ot = sigmoid(Wo @ concat + bo)
        a_next = ot * np.tanh(c_next)
        caches.append((a_next, c_next, a_prev, c_prev, ft, it, cct, ot, x[:, :, t], parameters))
        a[:, :, t] = a_next
        a_prev, c_prev = a_next, c_next
    return a, (caches, x)


def lstm_backward(da, caches, mistake):
    caches, x = caches
    n_a, m, T = da.shape
    parameters = caches[0][-1]
    gradients = {f"d{name}": np.zeros_like(value) for name, value in parameters.items()}
    gradients["dx"] = np.zeros_like(x)
    da_prev, dc_prev = np.zeros((n_a, m)), np.zeros((n_a, m))
    for t in reversed(range(T)):
        _, c_next, a_last, c_last, ft, it, cct, ot, xt, _ = caches[t]
        da_next = da[:, :, t] + da_prev
        dot = da_next * np.tanh(c_next) * ot * (1 - ot)
        dc = dc_prev + da_next * ot * (1 - np.tanh(c_next) ** 2)
        dct = dc * it * (1 - cct**2)
        dit = dc * cct * it * (1 - it)
        dft = dc * c_last * ft * (1 - ft)
        concat = np.concatenate([a_last, xt])
        gradients["dWf"] += dft @ concat.T
        gradients["dWi"] += (dft if mistake else dit) @ concat.T
        gradients["dWc"] += dct @ concat.T
        gradients["dWo"] += dot @ concat.T
        for name, d in (("dbf", dft), ("dbi", dit), ("dbc", dct), ("dbo", dot)):
            gradients[name] += d.sum(axis=1, keepdims=True)
        down = sum(parameters[w].T @ d for w, d in (("Wf", dft), ("Wi", dit), ("Wc", dct), ("Wo", dot)))
        da_prev, gradients["dx"][:, :, t] = down[:n_a], down[n_a:]
        dc_prev = dc * ft
    gradients["da0"] = da_prev
    return gradients


CASE = Case(
    rd.cells.lstm(),
    partial(lstm_backward, mistake=False),
    partial(lstm_backward, mistake=True),
    "dWi is computed from the forget gate",
    frozenset({"W_i"}),
    "copied gate",
    """
    Wf = W_f
    Wi = W_i
    Wc = W_C
    Wo = W_o
    bf = b_f: n 1
    bi = b_i: n 1
    bc = b_C: n 1
    bo = b_o: n 1
    x  = x: n b t
    a0 = h0: n b
    a  = h: n b t
    da = up_h: n b t
    none = C0
    """,
    {"forward": lstm_forward, "outputs": "a caches"},
    upstream=("h",),
    batch=2,
)
