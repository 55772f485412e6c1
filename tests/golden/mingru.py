"""The loss of a recurrent network and its gradient (back-propagation through time).

The network:

    z[t] = sigmoid(W_z @ x[t] + b_z)
    h_tilde[t] = W_h @ x[t] + b_h
    h[t] = (1 - z[t]) * h[t-1] + z[t] * h_tilde[t]
    y[t] = sigmoid(W_y @ h[t] + b_y)
    L = squared_error(y[T], target)

A sequence is an array (T, n), or (T, B, n) with a batch; a parameter is (n,) or (n, m).
Above each line stands the equation that it computes.

Operations in matrix products: 2 B n_h (4 T n_x + 3 n_y)
Operations entry by entry:     B (22 T n_h + 3 n_h + 9 n_y)
Values of functions:           B (T n_h + n_y)
Numbers kept over the steps:   11 B T n_h
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
    z = empty((T + 1, *lead, n_h), dtype)
    z[T:] = 0.0
    np.matmul(x.reshape(-1, n_x), W_z.T, z[:T].reshape(-1, n_h))
    np.add(z[:T], b_z, z[:T])
    z[:T] = sigmoid(z[:T])

    # h_in[t] = 1 - z[t]
    h_in = empty((T, *lead, n_h), dtype)
    np.subtract(1, z[:T], h_in)

    # h_tilde[t] = W_h @ x[t] + b_h
    h_tilde = empty((T, *lead, n_h), dtype)
    np.matmul(x.reshape(-1, n_x), W_h.T, h_tilde.reshape(-1, n_h))
    np.add(h_tilde, b_h, h_tilde)

    # h_in_[t] = z[t] * h_tilde[t]
    h_in_ = empty((T, *lead, n_h), dtype)
    np.multiply(z[:T], h_tilde, h_in_)

    # dh_in[t] = 1 - z[t+1]
    dh_in = empty((T, *lead, n_h), dtype)
    np.subtract(1, z[1:T + 1], dh_in)

    h = empty((T + 1, *lead, n_h), dtype)
    h[:1] = h0
    temp1 = empty((*lead, n_h), dtype)
    for h_before1, h_in_t, h_t, h_in__t in zip(h[:T], h_in, h[1:T + 1], h_in_):
        # h[t] = h_in_[t] + h[t-1] * h_in[t]
        np.multiply(h_before1, h_in_t, temp1)
        np.add(h_in__t, temp1, h_t)

    # y_T = sigmoid(W_y @ h[T] + b_y)
    y_T = sigmoid((h[T] @ W_y.T) + b_y)

    # dy_T = y_T - target
    dy_T = y_T - target

    # delta_y_T = dy_T * y_T * (1 - y_T)
    delta_y_T = dy_T * y_T * (1 - y_T)

    # dh_in_[t] = (W_y.T @ delta_y_T if t == T else 0)
    dh_in_ = impulse((delta_y_T @ W_y), T - 1, (T, *lead, n_h), dtype)

    # L = squared_error(y_T, target)
    L = squared_error(y_T, target)

    dh = empty((T + 1, *lead, n_h), dtype)
    dh[T:] = 0.0
    temp1 = empty((*lead, n_h), dtype)
    for (
        dh_after1, dh_in_t, dh_t, dh_in__t,
    ) in zip(
        dh[1:T + 1][::-1], dh_in[::-1], dh[:T][::-1], dh_in_[::-1],
    ):
        # dh[t] = dh_in_[t] + dh[t+1] * dh_in[t]
        np.multiply(dh_after1, dh_in_t, temp1)
        np.add(dh_in__t, temp1, dh_t)

    # dz[t] = -dh[t] * h[t-1] + dh[t] * h_tilde[t]
    dz = empty((T, *lead, n_h), dtype)
    temp_all1 = empty((T, *lead, n_h), dtype)
    np.multiply(dh[:T], h_tilde, dz)
    np.multiply(dh[:T], h[:T], temp_all1)
    np.subtract(dz, temp_all1, dz)

    # delta_z[t] = dz[t] * z[t] * (1 - z[t])
    delta_z = empty((T, *lead, n_h), dtype)
    np.subtract(1, z[:T], delta_z)
    np.multiply(delta_z, dz, delta_z)
    np.multiply(delta_z, z[:T], delta_z)

    # dh_tilde[t] = dh[t] * z[t]
    dh_tilde = empty((T, *lead, n_h), dtype)
    np.multiply(dh[:T], z[:T], dh_tilde)

    # dW_z = sum(delta_z[t] @ x[t].T, t, batch)
    dW_z = gram(delta_z, x)

    # db_z = sum(delta_z[t], t, batch)
    db_z = over_batch(delta_z.sum(0), 1)

    # dW_h = sum(dh_tilde[t] @ x[t].T, t, batch)
    dW_h = gram(dh_tilde, x)

    # db_h = sum(dh_tilde[t], t, batch)
    db_h = over_batch(dh_tilde.sum(0), 1)

    # dW_y = sum(delta_y_T @ h[T].T, batch)
    dW_y = gram(delta_y_T, h[T])

    # db_y = sum(delta_y_T, batch)
    db_y = over_batch(delta_y_T, 1)

    # dh_0 = dh[1] * (1 - z[1])
    dh_0 = dh[0] * (1 - z[0])
    return L.sum(), {'W_z': dW_z, 'b_z': db_z, 'W_h': dW_h, 'b_h': db_h, 'W_y': dW_y, 'b_y': full(db_y, n_y), 'h0': dh_0}
