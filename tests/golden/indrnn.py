"""The loss of a recurrent network and its gradient (back-propagation through time).

The network:

    h[t] = relu(W @ x[t] + u * h[t-1] + b)
    y[t] = sigmoid(W_y @ h[t] + b_y)
    L = squared_error(y[T], target)

A sequence is an array (T, n), or (T, B, n) with a batch; a parameter is (n,) or (n, m).
Above each line stands the equation that it computes.

Operations in matrix products: 6 B n_h (T n_x + n_y)
Operations entry by entry:     B (12 T n_h + n_h + 9 n_y)
Values of functions:           B (2 T n_h + n_y)
Numbers kept over the steps:   6 B T n_h
"""

import numpy as np


def full(a, *shape):
    """A copy in the full shape, of what may be the same for every step or member."""
    return np.array(np.broadcast_to(a, shape))


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
    return 0.5 * np.einsum("...i,...i->...", difference, difference)[..., None]


def value_and_grad(params, inputs, empty=np.empty):
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
    h_in = empty((T, *lead, n_h), dtype)
    np.matmul(x.reshape(-1, n_x), W.T, h_in.reshape(-1, n_h))
    np.add(h_in, b, h_in)

    h = empty((T + 1, *lead, n_h), dtype)
    h[:1] = h0
    temp1 = empty((*lead, n_h), dtype)
    for h_before1, h_t, h_in_t in zip(h[:T], h[1:T + 1], h_in):
        # h[t] = relu(h_in[t] + h[t-1] * u)
        np.multiply(h_before1, u, temp1)
        np.add(h_in_t, temp1, h_t)
        h_t[...] = np.where(h_t.real > 0, h_t, 0)

    # y_T = sigmoid(W_y @ h[T] + b_y)
    y_T = sigmoid((h[T] @ W_y.T) + b_y)

    # dy_T = y_T - target
    dy_T = y_T - target

    # delta_y_T = dy_T * y_T * (1 - y_T)
    delta_y_T = dy_T * y_T * (1 - y_T)

    # dh_in[t] = (W_y.T @ delta_y_T if t == T else 0)
    dh_in = impulse((delta_y_T @ W_y), T - 1, (T, *lead, n_h), dtype)

    # delta_h_in[t] = step(W @ x[t] + u * h[t-1] + b)
    delta_h_in = empty((T, *lead, n_h), dtype)
    temp_all1 = empty((T, *lead, n_h), dtype)
    np.matmul(x.reshape(-1, n_x), W.T, delta_h_in.reshape(-1, n_h))
    np.multiply(u, h[:T], temp_all1)
    np.add(delta_h_in, temp_all1, delta_h_in)
    np.add(delta_h_in, b, delta_h_in)
    delta_h_in[...] = (delta_h_in.real > 0).astype(delta_h_in.dtype)

    # L = squared_error(y_T, target)
    L = squared_error(y_T, target)

    dh_t = empty((*lead, n_h), dtype)
    delta_h = empty((T + 1, *lead, n_h), dtype)
    delta_h[T:] = 0.0
    temp1 = empty((*lead, n_h), dtype)
    for (
        delta_h_after1, dh_in_t, delta_h_t, delta_h_in_t,
    ) in zip(
        delta_h[1:T + 1][::-1], dh_in[::-1], delta_h[:T][::-1], delta_h_in[::-1],
    ):
        # dh[t] = dh_in[t] + delta_h[t+1] * u
        np.multiply(delta_h_after1, u, temp1)
        np.add(dh_in_t, temp1, dh_t)
        # delta_h[t] = dh[t] * delta_h_in[t]
        np.multiply(dh_t, delta_h_in_t, delta_h_t)

    # dW = sum(delta_h[t] @ x[t].T, t, batch)
    dW = gram(delta_h[:T], x)

    # du = sum(delta_h[t] * h[t-1], t, batch)
    du = over_batch((delta_h[:T] * h[:T]).sum(0), 1)

    # db = sum(delta_h[t], t, batch)
    db = over_batch(delta_h[:T].sum(0), 1)

    # dW_y = sum(delta_y_T @ h[T].T, batch)
    dW_y = gram(delta_y_T, h[T])

    # db_y = sum(delta_y_T, batch)
    db_y = over_batch(delta_y_T, 1)

    # dh_0 = delta_h[1] * u
    dh_0 = delta_h[0] * u
    return L.sum(), {'W': dW, 'u': du, 'b': db, 'W_y': dW_y, 'b_y': full(db_y, n_y), 'h0': dh_0}
