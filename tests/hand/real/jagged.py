"""Sequences of unequal lengths, cut to jagged lists; wrong: dU is overwritten by each sequence, not accumulated."""

from functools import partial

import numpy as np

from rnnderive.language import Recurrence
from tests.hand.real.case import Case


def train(batch_x, batch_y, lengths, h0, W, U, b, mistake):
    jagged = [sequence[:n] for sequence, n in zip(batch_x, lengths, strict=True)]
    wanted = [sequence[:n] for sequence, n in zip(batch_y, lengths, strict=True)]
    loss, dW, dU, db = 0.0, np.zeros_like(W), np.zeros_like(U), np.zeros_like(b)
    for xs, ys, start in zip(jagged, wanted, h0, strict=True):
        states = [start]
        for x in xs:
            states.append(np.tanh(W.dot(x) + U.dot(states[-1]) + b))
        loss = loss + sum(0.5 * ((h - y) ** 2).sum() for h, y in zip(states[1:], ys, strict=True))
        dh = np.zeros_like(b)
        dU_one = np.zeros_like(U)
        for t in range(len(xs) - 1, -1, -1):
            dh = dh + states[t + 1] - ys[t]
            da = dh * (1 - states[t + 1] ** 2)
            dW += np.outer(da, xs[t])
            dU_one += np.outer(da, states[t])
            db += da
            dh = U.T.dot(da)
        dU = dU_one if mistake else dU + dU_one
    return loss, dict(W=dW, U=dU, b=db)


CASE = Case(
    Recurrence.parse("""
        h[t] = tanh(W @ x[t] + U @ h[t-1] + b)
        L    = sum(m[t] * squared_error(h[t], target[t]), t)
    """),
    partial(train, mistake=False),
    partial(train, mistake=True),
    "dU is that of the last sequence alone",
    frozenset({"U"}),
    "overwritten",
    """
    batch_x = x: b t n
    batch_y = target: b t n
    lengths = m: b length
    """,
    batch=3,
)
