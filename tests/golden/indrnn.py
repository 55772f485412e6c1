"""The loss of a recurrent network and its gradient (back-propagation through time).

The network:

    h[t] = relu(W @ x[t] + u * h[t-1] + b)
    y[t] = sigmoid(W_y @ h[t] + b_y)
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
    """Return the loss, and a dict of arrays: W, u, b, W_y, b_y, h0."""
    W = params["W"]
    u = params["u"]
    b = params["b"]
    W_y = params["W_y"]
    b_y = params["b_y"]
    x = inputs["x"]
    target = inputs["target"]
    T, lead = x.shape[0], x.shape[1:-1]
    dtype = np.result_type(0.0, x, *params.values())
    n_h = W.shape[-2]
    n_x = W.shape[-1]
    n_y = W_y.shape[-2]
    given = {**params, **inputs}
    h0 = given.get("h0", np.zeros(n_h, dtype))

    # h_in[t] = W @ x[t] + b
    h_in = (x @ W.T) + b

    h = np.empty((T + 1, *lead, n_h), dtype)
    h[:1] = h0
    for t in range(1, T + 1):
        # h[t] = relu(h_in[t] + u * h[t-1])
        h_t = h[t] = (lambda x: np.where(x.real > 0, x, 0))(h_in[t - 1] + (u * h[t - 1]))

    # y[t] = sigmoid(W_y @ h[t] + b_y)
    y = sigmoid((h[1:T + 1] @ W_y.T) + b_y)

    # dy[t] = (y[T] - target if t == T else 0)
    dy = impulse((y[T - 1] - target), T - 1, (T, *lead, n_y), dtype)

    # delta_y[t] = dy[t] * y[t] * (1 - y[t])
    delta_y = dy * y * (1 - y)

    # dh_in[t] = W_y.T @ delta_y[t]
    dh_in = delta_y @ W_y

    # delta_h_in[t] = step(W @ x[t] + u * h[t-1] + b)
    delta_h_in = (lambda x: (x.real > 0).astype(x.dtype))((x @ W.T) + (u * h[:T]) + b)

    # L = squared_error(y[T], target)
    L = squared_error(y[T - 1], target)

    delta_h = np.empty((T + 1, *lead, n_h), dtype)
    delta_h[T:] = 0.0
    for t in range(T, 0, -1):
        # dh[t] = dh_in[t] + delta_h[t+1] * u
        dh_t = dh_in[t - 1] + (delta_h[t] * u)
        # delta_h[t] = dh[t] * delta_h_in[t]
        delta_h_t = delta_h[t - 1] = dh_t * delta_h_in[t - 1]

    # dW = sum(delta_h[t] @ x[t].T, t, batch)
    dW = gram(delta_h[:T], x)

    # du = sum(delta_h[t] * h[t-1], t, batch)
    du = over_batch((delta_h[:T] * h[:T]).sum(0), 1)

    # db = sum(delta_h[t], t, batch)
    db = over_batch(delta_h[:T].sum(0), 1)

    # dW_y = sum(delta_y[t] @ h[t].T, t, batch)
    dW_y = gram(delta_y, h[1:T + 1])

    # db_y = sum(delta_y[t], t, batch)
    db_y = over_batch(delta_y.sum(0), 1)

    # dh_0 = delta_h[1] * u
    dh_0 = delta_h[0] * u
    return L.sum(), {'W': dW, 'u': du, 'b': db, 'W_y': dW_y, 'b_y': db_y, 'h0': dh_0}
