"""The loss of a recurrent network and its gradient (back-propagation through time).

The network:

    y[t] = sigmoid(W @ x[t] + b)
    L = squared_error(y[T], target)

A sequence is an array (T, n), or (T, B, n) with a batch; a parameter is (n,) or (n, m).
Above each line stands the equation that it computes.

Operations in matrix products: 4 B n_x n_y
Operations entry by entry:     9 B n_y
Values of functions:           B n_y
"""

import numpy as np


def full(a, *shape):
    """A copy in the full shape, of what may be the same for every step or member."""
    return np.array(np.broadcast_to(a, shape))


def gram(a, b):
    """The sum over all leading axes of a's columns times b's rows: one matrix product."""
    return a.reshape(-1, a.shape[-1]).T @ b.reshape(-1, b.shape[-1])


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
    return 0.5 * np.einsum("...i,...i->...", difference, difference)[..., None]


def value_and_grad(params, inputs, empty=np.empty):
    """Return the loss, and a dict of arrays: W, b."""
    W = params["W"]
    b = params["b"]
    x = inputs["x"]
    target = inputs["target"]
    T, lead = x.shape[0], x.shape[1:-1]
    dtype = np.result_type(0.0, x, *params.values())
    n_y = W.shape[-2]
    n_x = W.shape[-1]

    # y_T = sigmoid(W @ x[T] + b)
    y_T = sigmoid((x[T - 1] @ W.T) + b)

    # L = squared_error(y_T, target)
    L = squared_error(y_T, target)

    # dy_T = y_T - target
    dy_T = y_T - target

    # delta_y_T = dy_T * y_T * (1 - y_T)
    delta_y_T = dy_T * y_T * (1 - y_T)

    # dW = sum(delta_y_T @ x[T].T, batch)
    dW = gram(delta_y_T, x[T - 1])

    # db = sum(delta_y_T, batch)
    db = over_batch(delta_y_T, 1)
    return L.sum(), {'W': dW, 'b': full(db, n_y)}
