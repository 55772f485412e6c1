"""An Elman network and its gradient as one writes them by hand, with a mistake that learns all the same.

rnnderive verify examples/by_hand/elman.py --cell vanilla
"""

import numpy as np


def sigmoid(a):
    return 1 / (1 + np.exp(-a))


def loss_and_grads(params, inputs):
    W, U, b_h, V, b_y = (params[n] for n in ("W", "U", "b_h", "V", "b_y"))
    x, target = inputs["x"], inputs["target"]
    h = [np.zeros(len(b_h))]
    for x_t in x:
        h.append(np.tanh(W @ x_t + U @ h[-1] + b_h))
    y = sigmoid(V @ h[-1] + b_y)
    loss = ((y - target) ** 2).sum() / 2

    delta_y = (y - target) * y * (1 - y)
    grads = {n: np.zeros_like(a) for n, a in params.items()}
    grads["V"] += np.outer(delta_y, h[-1])
    grads["b_y"] += delta_y
    dh = V.T @ delta_y
    for t in range(len(x), 0, -1):
        delta = dh * (1 - np.tanh(h[t]) ** 2)  # h[t] is a tanh already
        grads["W"] += np.outer(delta, x[t - 1])
        grads["U"] += np.outer(delta, h[t - 1])
        grads["b_h"] += delta
        dh = U.T @ delta
    return loss, grads
