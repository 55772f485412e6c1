"""Global arrays, characters as numbers, dicts by step; wrong: dWhh uses the state of the same step, hs[t]."""

import numpy as np

from rnnderive.language import Recurrence
from tests.hand.real.case import Case

Wxh = Whh = Why = bh = by = None  # model parameters, set elsewhere


def lossFun(inputs, targets, hprev):
    return _lossFun(inputs, targets, hprev, False)


def lossFunShifted(inputs, targets, hprev):
    return _lossFun(inputs, targets, hprev, True)


def _lossFun(inputs, targets, hprev, mistake):
    xs, hs, ps = {}, {-1: np.copy(hprev)}, {}
    loss = 0
    for t in range(len(inputs)):
        xs[t] = np.zeros((Wxh.shape[1], 1))
        xs[t][inputs[t]] = 1
        hs[t] = np.tanh(np.dot(Wxh, xs[t]) + np.dot(Whh, hs[t - 1]) + bh)
        ys = np.dot(Why, hs[t]) + by
        ps[t] = np.exp(ys) / np.sum(np.exp(ys))
        loss += -np.log(ps[t][targets[t], 0])
    dWxh, dWhh, dWhy = np.zeros_like(Wxh), np.zeros_like(Whh), np.zeros_like(Why)
    dbh, dby = np.zeros_like(bh), np.zeros_like(by)
    dhnext = np.zeros_like(hs[0])
    for t in reversed(range(len(inputs))):
        dy = np.copy(ps[t])
        dy[targets[t]] -= 1
        dWhy += np.dot(dy, hs[t].T)
        dby += dy
        dh = np.dot(Why.T, dy) + dhnext
        dhraw = (1 - hs[t] * hs[t]) * dh
        dbh += dhraw
        dWxh += np.dot(dhraw, xs[t].T)
        dWhh += np.dot(dhraw, hs[t if mistake else t - 1].T)
        dhnext = np.dot(Whh.T, dhraw)
    return loss, dWxh, dWhh, dWhy, dbh, dby, hs[len(inputs) - 1]


CASE = Case(
    Recurrence.parse("""
        h[t] = tanh(W @ x[t] + U @ h[t-1] + b_h)
        y[t] = V @ h[t] + b_y
        L    = sum(cross_entropy(y[t], target[t]), t)
    """),
    lossFun,
    lossFunShifted,
    "the time index of h in dWhh is shifted",
    frozenset({"U"}),
    "shifted time",
    """
    Wxh = W
    Whh = U
    Why = V
    bh  = b_h: n 1
    by  = b_y: n 1
    inputs  = x: [t] index
    targets = target: [t] index
    hprev   = h0: n 1
    """,
    {"names": "loss dWxh dWhh dWhy dbh dby _"},
)
