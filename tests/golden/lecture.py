"""The loss of a recurrent network and its gradient (back-propagation through time).

The network:

    h[t] = sigmoid(W @ x[t] + U @ h[t-1] + b_h)
    y[t] = sigmoid(V @ h[t] + b_y)
    y_hat = sigmoid(W_fc @ y[T] + b_fc)
    L = squared_error(y_hat, target)

A sequence is an array (T, n), or (T, B, n) with a batch; a parameter is (n,) or (n, m).
Above each line stands the equation that it computes.
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
    return 0.5 * (difference * difference).sum(-1, keepdims=True)


def value_and_grad(params, inputs):
    """Return the loss, and a dict of arrays: W, U, b_h, V, b_y, W_fc, b_fc, h0."""
    W = params["W"]
    U = params["U"]
    b_h = params["b_h"]
    V = params["V"]
    b_y = params["b_y"]
    W_fc = params["W_fc"]
    b_fc = params["b_fc"]
    x = inputs["x"]
    target = inputs["target"]
    T, lead = x.shape[0], x.shape[1:-1]
    dtype = np.result_type(0.0, x, *params.values())
    n_h = W.shape[-2]
    n_x = W.shape[-1]
    n_y = V.shape[-2]
    n_y_hat = W_fc.shape[-2]
    given = {**params, **inputs}
    h0 = given.get("h0", np.zeros(n_h, dtype))

    # h_in[t] = W @ x[t] + b_h
    h_in = (x @ W.T) + b_h

    h = np.empty((T + 1, *lead, n_h), dtype)
    h[:1] = h0
    fixed1 = U.T
    for t in range(1, T + 1):
        # h[t] = sigmoid(h_in[t] + U @ h[t-1])
        h_t = h[t] = sigmoid(h_in[t - 1] + (h[t - 1] @ fixed1))

    # y[t] = sigmoid(V @ h[t] + b_y)
    y = sigmoid((h[1:T + 1] @ V.T) + b_y)

    # y_hat = sigmoid(W_fc @ y[T] + b_fc)
    y_hat = sigmoid((y[T - 1] @ W_fc.T) + b_fc)

    # dy_hat = y_hat - target
    dy_hat = y_hat - target

    # delta_y_hat = dy_hat * y_hat * (1 - y_hat)
    delta_y_hat = dy_hat * y_hat * (1 - y_hat)

    # dy[t] = (W_fc.T @ delta_y_hat if t == T else 0)
    dy = impulse((delta_y_hat @ W_fc), T - 1, (T, *lead, n_y), dtype)

    # delta_y[t] = dy[t] * y[t] * (1 - y[t])
    delta_y = dy * y * (1 - y)

    # dh_in[t] = V.T @ delta_y[t]
    dh_in = delta_y @ V

    # delta_h_in[t] = 1 - h[t]
    delta_h_in = 1 - h[1:T + 1]

    # L = squared_error(y_hat, target)
    L = squared_error(y_hat, target)

    delta_h = np.empty((T + 1, *lead, n_h), dtype)
    delta_h[T:] = 0.0
    for t in range(T, 0, -1):
        # dh[t] = dh_in[t] + U.T @ delta_h[t+1]
        dh_t = dh_in[t - 1] + (delta_h[t] @ U)
        # delta_h[t] = dh[t] * h[t] * delta_h_in[t]
        delta_h_t = delta_h[t - 1] = dh_t * h[t] * delta_h_in[t - 1]

    # dW = sum(delta_h[t] @ x[t].T, t, batch)
    dW = gram(delta_h[:T], x)

    # dU = sum(delta_h[t] @ h[t-1].T, t, batch)
    dU = gram(delta_h[:T], h[:T])

    # db_h = sum(delta_h[t], t, batch)
    db_h = over_batch(delta_h[:T].sum(0), 1)

    # dV = sum(delta_y[t] @ h[t].T, t, batch)
    dV = gram(delta_y, h[1:T + 1])

    # db_y = sum(delta_y[t], t, batch)
    db_y = over_batch(delta_y.sum(0), 1)

    # dW_fc = sum(delta_y_hat @ y[T].T, batch)
    dW_fc = gram(delta_y_hat, y[T - 1])

    # db_fc = sum(delta_y_hat, batch)
    db_fc = over_batch(delta_y_hat, 1)

    # dh_0 = U.T @ delta_h[1]
    dh_0 = delta_h[0] @ U
    return L.sum(), {'W': dW, 'U': dU, 'b_h': db_h, 'V': dV, 'b_y': db_y, 'W_fc': dW_fc, 'b_fc': full(db_fc, n_y_hat), 'h0': dh_0}
