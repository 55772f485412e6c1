"""The loss of a recurrent network and its gradient (back-propagation through time).

The network:

    h[t] = tanh(W @ x[t] + U @ h[t-1] + b_h)
    y[t] = sigmoid(V @ h[t] + b_y)
    L = squared_error(y[T], target)

A sequence is an array (T, n), or (T, B, n) with a batch; a parameter is (n,) or (n, m).
Above each line stands the equation that it computes.

Operations in matrix products: 2 B n_h (3 T n_h + 2 T n_x + n_h + 3 n_y)
Operations entry by entry:     B (8 T n_h + 9 n_y)
Values of functions:           B (T n_h + n_y)
Numbers kept over the steps:   7 B T n_h
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
    """Return the loss, and a dict of arrays: W, U, b_h, V, b_y, h0."""
    W = params["W"]
    U = params["U"]
    b_h = params["b_h"]
    V = params["V"]
    b_y = params["b_y"]
    x = inputs["x"]
    target = inputs["target"]
    T, lead = x.shape[0], x.shape[1:-1]
    dtype = np.result_type(0.0, x, *params.values())
    n_h = W.shape[-2]
    n_x = W.shape[-1]
    n_y = V.shape[-2]
    given = {**params, **inputs}
    h0 = given.get("h0", np.zeros(n_h, dtype))

    # pre_in[t] = W @ x[t] + b_h
    pre_in = empty((T, *lead, n_h), dtype)
    np.matmul(x.reshape(-1, n_x), W.T, pre_in.reshape(-1, n_h))
    np.add(pre_in, b_h, pre_in)

    pre_t = empty((*lead, n_h), dtype)
    h = empty((T + 1, *lead, n_h), dtype)
    h[:1] = h0
    fixed1 = np.ascontiguousarray(U.T, dtype)
    for h_before1, pre_in_t, h_t in zip(h[:T], pre_in, h[1:T + 1]):
        # pre[t] = pre_in[t] + U @ h[t-1]
        h_before1.dot(fixed1, pre_t)
        np.add(pre_t, pre_in_t, pre_t)
        # h[t] = tanh(pre[t])
        np.tanh(pre_t, h_t)

    # y_T = sigmoid(V @ h[T] + b_y)
    y_T = sigmoid((h[T] @ V.T) + b_y)

    # dy_T = y_T - target
    dy_T = y_T - target

    # delta_y_T = dy_T * y_T * (1 - y_T)
    delta_y_T = dy_T * y_T * (1 - y_T)

    # dh_in[t] = (V.T @ delta_y_T if t == T else 0)
    dh_in = impulse((delta_y_T @ V), T - 1, (T, *lead, n_h), dtype)

    # delta_h_in[t] = 1 - h[t]**2
    delta_h_in = empty((T, *lead, n_h), dtype)
    temp_all2 = empty((T, *lead, n_h), dtype)
    np.multiply(h[1:T + 1], h[1:T + 1], temp_all2)
    np.subtract(1, temp_all2, delta_h_in)

    # L = squared_error(y_T, target)
    L = squared_error(y_T, target)

    dh_t = empty((*lead, n_h), dtype)
    delta_h = empty((T + 1, *lead, n_h), dtype)
    delta_h[T:] = 0.0
    fixed3 = np.ascontiguousarray(U.swapaxes(-1, -2).T, dtype)
    for (
        delta_h_after1, dh_in_t, delta_h_t, delta_h_in_t,
    ) in zip(
        delta_h[1:T + 1][::-1], dh_in[::-1], delta_h[:T][::-1], delta_h_in[::-1],
    ):
        # dh[t] = dh_in[t] + U.T @ delta_h[t+1]
        delta_h_after1.dot(fixed3, dh_t)
        np.add(dh_t, dh_in_t, dh_t)
        # delta_h[t] = dh[t] * delta_h_in[t]
        np.multiply(dh_t, delta_h_in_t, delta_h_t)

    # dW = sum(delta_h[t] @ x[t].T, t, batch)
    dW = gram(delta_h[:T], x)

    # dU = sum(delta_h[t] @ h[t-1].T, t, batch)
    dU = gram(delta_h[:T], h[:T])

    # db_h = sum(delta_h[t], t, batch)
    db_h = over_batch(delta_h[:T].sum(0), 1)

    # dV = sum(delta_y_T @ h[T].T, batch)
    dV = gram(delta_y_T, h[T])

    # db_y = sum(delta_y_T, batch)
    db_y = over_batch(delta_y_T, 1)

    # dh_0 = U.T @ delta_h[1]
    dh_0 = delta_h[0] @ U
    return L.sum(), {'W': dW, 'U': dU, 'b_h': db_h, 'V': dV, 'b_y': full(db_y, n_y), 'h0': dh_0}
