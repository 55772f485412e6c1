"""The loss of a recurrent network and its gradient (back-propagation through time).

The network:

    z[t] = sigmoid(W_z @ x[t] + b_z)
    h_tilde[t] = W_h @ x[t] + b_h
    h[t] = (1 - z[t]) * h[t-1] + z[t] * h_tilde[t]
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


def padded(a, before, after, value):
    """Steps of `value` before the first and after the last."""
    out = np.empty((before + len(a) + after, *a.shape[1:]), a.dtype)
    out[:before], out[before:before + len(a)], out[before + len(a):] = value, a, value
    return out


def sigmoid(x):
    """1 / (1 + exp(-x)), without overflow on either side."""
    e = np.exp(-np.where(x.real < 0, -x, x))
    return np.where(x.real < 0, e, 1) / (1 + e)


def squared_error(y, target):
    """Half the squared distance."""
    difference = y - target
    return 0.5 * (difference * difference).sum(-1, keepdims=True)


def value_and_grad(params, inputs):
    """Return the loss, and a dict of arrays: W_z, b_z, W_h, b_h, W_y, b_y, h0."""
    W_z = params["W_z"]
    b_z = params["b_z"]
    W_h = params["W_h"]
    b_h = params["b_h"]
    W_y = params["W_y"]
    b_y = params["b_y"]
    x = inputs["x"]
    target = inputs["target"]
    T, lead = x.shape[0], x.shape[1:-1]
    dtype = np.result_type(0.0, x, *params.values())
    n_h = W_z.shape[-2]
    n_x = W_z.shape[-1]
    n_y = W_y.shape[-2]
    given = {**params, **inputs}
    h0 = given.get("h0", np.zeros(n_h, dtype))

    # z[t] = sigmoid(W_z @ x[t] + b_z)
    z = padded(sigmoid((x @ W_z.T) + b_z), 0, 1, 0.0)

    # h_in[t] = 1 - z[t]
    h_in = 1 - z[:T]

    # h_tilde[t] = W_h @ x[t] + b_h
    h_tilde = (x @ W_h.T) + b_h

    # h_in_[t] = z[t] * h_tilde[t]
    h_in_ = z[:T] * h_tilde

    # dh_in[t] = 1 - z[t+1]
    dh_in = 1 - z[1:T + 1]

    h = np.empty((T + 1, *lead, n_h), dtype)
    h[:1] = h0
    for t in range(1, T + 1):
        # h[t] = h_in_[t] + h_in[t] * h[t-1]
        h_t = h[t] = h_in_[t - 1] + (h_in[t - 1] * h[t - 1])

    # y[t] = sigmoid(W_y @ h[t] + b_y)
    y = sigmoid((h[1:T + 1] @ W_y.T) + b_y)

    # dy[t] = (y[T] - target if t == T else 0)
    dy = impulse((y[T - 1] - target), T - 1, (T, *lead, n_y), dtype)

    # delta_y[t] = dy[t] * y[t] * (1 - y[t])
    delta_y = dy * y * (1 - y)

    # dh_in_[t] = W_y.T @ delta_y[t]
    dh_in_ = delta_y @ W_y

    # L = squared_error(y[T], target)
    L = squared_error(y[T - 1], target)

    dh = np.empty((T + 1, *lead, n_h), dtype)
    dh[T:] = 0.0
    for t in range(T, 0, -1):
        # dh[t] = dh_in_[t] + dh[t+1] * dh_in[t]
        dh_t = dh[t - 1] = dh_in_[t - 1] + (dh[t] * dh_in[t - 1])

    # dz[t] = -dh[t] * h[t-1] + dh[t] * h_tilde[t]
    dz = -(dh[:T] * h[:T]) + (dh[:T] * h_tilde)

    # delta_z[t] = dz[t] * z[t] * (1 - z[t])
    delta_z = dz * z[:T] * (1 - z[:T])

    # dh_tilde[t] = dh[t] * z[t]
    dh_tilde = dh[:T] * z[:T]

    # dW_z = sum(delta_z[t] @ x[t].T, t, batch)
    dW_z = gram(delta_z, x)

    # db_z = sum(delta_z[t], t, batch)
    db_z = over_batch(delta_z.sum(0), 1)

    # dW_h = sum(dh_tilde[t] @ x[t].T, t, batch)
    dW_h = gram(dh_tilde, x)

    # db_h = sum(dh_tilde[t], t, batch)
    db_h = over_batch(dh_tilde.sum(0), 1)

    # dW_y = sum(delta_y[t] @ h[t].T, t, batch)
    dW_y = gram(delta_y, h[1:T + 1])

    # db_y = sum(delta_y[t], t, batch)
    db_y = over_batch(delta_y.sum(0), 1)

    # dh_0 = dh[1] * (1 - z[1])
    dh_0 = dh[0] * (1 - z[0])
    return L.sum(), {'W_z': dW_z, 'b_z': db_z, 'W_h': dW_h, 'b_h': db_h, 'W_y': dW_y, 'b_y': db_y, 'h0': dh_0}
