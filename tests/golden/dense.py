"""The loss of a recurrent network and its gradient (back-propagation through time).

The network:

    y[t] = sigmoid(W @ x[t] + b)
    L = squared_error(y[T], target)

A sequence is an array (T, n), or (T, B, n) with a batch; a parameter is (n,) or (n, m).
Above each line stands the equation that it computes.
"""

import numpy as np


def gram(a, b):
    """The sum over all leading axes of a's columns times b's rows: one matrix product."""
    return a.reshape(-1, a.shape[-1]).T @ b.reshape(-1, b.shape[-1])


def impulse(value, step, shape, dtype):
    """A sequence that is zero but for one step."""
    out = np.zeros(shape, dtype)
    out[step] = value
    return out


def over_batch(a, axes):
    """The sum over the batch axis, if there is one before the last `axes`."""
    return a.sum(tuple(range(a.ndim - axes))) if a.ndim > axes else a


def sigmoid(x):
    """1 / (1 + exp(-x)), without overflow on either side."""
    e = np.exp(-np.where(x.real < 0, -x, x))
    return np.where(x.real < 0, e, 1) / (1 + e)


def squared_error(y, target):
    """Half the squared distance."""
    difference = y - target
    return 0.5 * (difference * difference).sum(-1, keepdims=True)


def value_and_grad(params, inputs):
    """Return the loss, and a dict of arrays: W, b."""
    W = params["W"]
    b = params["b"]
    x = inputs["x"]
    target = inputs["target"]
    T, lead = x.shape[0], x.shape[1:-1]
    dtype = np.result_type(0.0, x, *params.values())
    n_y = W.shape[-2]
    n_x = W.shape[-1]

    # y[t] = sigmoid(W @ x[t] + b)
    y = sigmoid((x @ W.T) + b)

    # L = squared_error(y[T], target)
    L = squared_error(y[T - 1], target)

    # dy[t] = (y[T] - target if t == T else 0)
    dy = impulse((y[T - 1] - target), T - 1, (T, *lead, n_y), dtype)

    # delta_y[t] = dy[t] * y[t] * (1 - y[t])
    delta_y = dy * y * (1 - y)

    # dW = sum(delta_y[t] @ x[t].T, t, batch)
    dW = gram(delta_y, x)

    # db = sum(delta_y[t], t, batch)
    db = over_batch(delta_y.sum(0), 1)
    return L.sum(), {'W': dW, 'b': db}
