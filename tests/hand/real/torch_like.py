"""Arrays as torch.nn.LSTM has them, two biases; wrong: back-propagation is cut after 3 steps."""

from functools import partial

import numpy as np

import rnnderive as rd
from tests.hand.real.case import Case


def sigmoid(a):
    return 1.0 / (1.0 + np.exp(-a))


def forward(x, h0, C0, weight_ih_l0, weight_hh_l0, bias_ih_l0, bias_hh_l0):
    h, c, out, tape = h0, C0, [], []
    for x_t in x:
        gates = x_t @ weight_ih_l0.T + bias_ih_l0 + h @ weight_hh_l0.T + bias_hh_l0
        i, f, g, o = np.split(gates, 4, axis=-1)
        i, f, g, o = sigmoid(i), sigmoid(f), np.tanh(g), sigmoid(o)
        new = f * c + i * g
        tape.append((x_t, h, c, i, f, g, o, np.tanh(new)))
        h, c = o * np.tanh(new), new
        out.append(h)
    return np.stack(out), (tape, weight_ih_l0, weight_hh_l0)


def backward(grad_output, ctx, mistake):
    tape, w_ih, w_hh = ctx
    grads = [np.zeros_like(w_ih), np.zeros_like(w_hh), np.zeros(len(w_ih)), np.zeros(len(w_ih))]
    for last in range(len(tape)) if mistake else [None]:
        first = -1 if last is None else max(last - 3, -1)
        dh, dc = np.zeros_like(tape[0][1]), np.zeros_like(tape[0][2])
        for t in range(len(tape) - 1 if last is None else last, first, -1):
            x_t, h, c, i, f, g, o, squashed = tape[t]
            if last is None or t == last:
                dh = dh + grad_output[t]
            dc = dc + dh * o * (1 - squashed**2)
            d = np.concatenate(
                [dc * g * i * (1 - i), dc * c * f * (1 - f), dc * i * (1 - g**2), dh * squashed * o * (1 - o)], axis=-1
            )
            grads[0] += d.T @ x_t
            grads[1] += d.T @ h
            grads[2] += d.sum(0)
            grads[3] += d.sum(0)
            dh, dc = d @ w_hh, dc * f
    return tuple(grads)


CASE = Case(
    rd.cells.lstm(),
    partial(backward, mistake=False),
    partial(backward, mistake=True),
    "truncated after 3 steps",
    frozenset({"W_f", "W_i", "W_C", "W_o", "b_f", "b_i", "b_C", "b_o"}),
    "truncated",
    "pytorch",
    {
        "forward": forward,
        "outputs": "h cache",
        "names": "dweight_ih_l0 dweight_hh_l0 dbias_ih_l0 dbias_hh_l0",
    },
    upstream=("h",),
    batch=2,
)
