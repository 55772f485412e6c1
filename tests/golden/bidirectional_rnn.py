"""The loss of a recurrent network and its gradient (back-propagation through time).

The network:

    h_L[t] = sigmoid(W_L @ x[t] + U_L @ h_L[t-1] + b_h_L)
    h_R[t] = sigmoid(W_R @ x[t] + U_R @ h_R[t+1] + b_h_R)
    h[t] = [h_L[t], h_R[t]]
    y[t] = sigmoid(V @ h[t] + b_y)
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
    """Return the loss, and a dict of arrays: W_L, U_L, b_h_L, W_R, U_R, b_h_R, V, b_y, h_L0, h_R0."""
    W_L = params["W_L"]
    U_L = params["U_L"]
    b_h_L = params["b_h_L"]
    W_R = params["W_R"]
    U_R = params["U_R"]
    b_h_R = params["b_h_R"]
    V = params["V"]
    b_y = params["b_y"]
    x = inputs["x"]
    target = inputs["target"]
    T, lead = x.shape[0], x.shape[1:-1]
    dtype = np.result_type(0.0, x, *params.values())
    n_h_L = W_L.shape[-2]
    n_x = W_L.shape[-1]
    n_h_R = W_R.shape[-2]
    n_y = V.shape[-2]
    given = {**params, **inputs}
    h_L0 = given.get("h_L0", np.zeros(n_h_L, dtype))
    h_R0 = given.get("h_R0", np.zeros(n_h_R, dtype))

    # h_L_in[t] = W_L @ x[t] + b_h_L
    h_L_in = (x @ W_L.T) + b_h_L

    # h_R_in[t] = W_R @ x[t] + b_h_R
    h_R_in = (x @ W_R.T) + b_h_R

    h_L = np.empty((T + 1, *lead, n_h_L), dtype)
    h_L[:1] = h_L0
    fixed1 = U_L.T
    for t in range(1, T + 1):
        # h_L[t] = sigmoid(h_L_in[t] + U_L @ h_L[t-1])
        h_L_t = h_L[t] = sigmoid(h_L_in[t - 1] + (h_L[t - 1] @ fixed1))

    # delta_h_L_in[t] = 1 - h_L[t]
    delta_h_L_in = 1 - h_L[1:T + 1]

    h_R = np.empty((T + 1, *lead, n_h_R), dtype)
    h_R[T:] = h_R0
    fixed2 = U_R.T
    for t in range(T, 0, -1):
        # h_R[t] = sigmoid(h_R_in[t] + U_R @ h_R[t+1])
        h_R_t = h_R[t - 1] = sigmoid(h_R_in[t - 1] + (h_R[t] @ fixed2))

    # delta_h_R_in[t] = 1 - h_R[t]
    delta_h_R_in = 1 - h_R[:T]

    # h[t] = [h_L[t], h_R[t]]
    h = np.concatenate([h_L[1:T + 1], h_R[:T]], -1)

    # y[t] = sigmoid(V @ h[t] + b_y)
    y = sigmoid((h @ V.T) + b_y)

    # L = squared_error(y[T], target)
    L = squared_error(y[T - 1], target)

    # dy[t] = (y[T] - target if t == T else 0)
    dy = impulse((y[T - 1] - target), T - 1, (T, *lead, n_y), dtype)

    # delta_y[t] = dy[t] * y[t] * (1 - y[t])
    delta_y = dy * y * (1 - y)

    # dh[t] = V.T @ delta_y[t]
    dh = delta_y @ V

    delta_h_L = np.empty((T + 1, *lead, n_h_L), dtype)
    delta_h_L[T:] = 0.0
    for t in range(T, 0, -1):
        # dh_L[t] = dh[t][0:size(h_L)] + U_L.T @ delta_h_L[t+1]
        dh_L_t = dh[t - 1][..., 0:n_h_L] + (delta_h_L[t] @ U_L)
        # delta_h_L[t] = dh_L[t] * h_L[t] * delta_h_L_in[t]
        delta_h_L_t = delta_h_L[t - 1] = dh_L_t * h_L[t] * delta_h_L_in[t - 1]

    delta_h_R = np.empty((T + 1, *lead, n_h_R), dtype)
    delta_h_R[:1] = 0.0
    for t in range(1, T + 1):
        # dh_R[t] = dh[t][size(h_L):size(h_L) + size(h_R)] + U_R.T @ delta_h_R[t-1]
        dh_R_t = dh[t - 1][..., n_h_L:n_h_L + n_h_R] + (delta_h_R[t - 1] @ U_R)
        # delta_h_R[t] = dh_R[t] * h_R[t] * delta_h_R_in[t]
        delta_h_R_t = delta_h_R[t] = dh_R_t * h_R[t - 1] * delta_h_R_in[t - 1]

    # dW_L = sum(delta_h_L[t] @ x[t].T, t, batch)
    dW_L = gram(delta_h_L[:T], x)

    # dU_L = sum(delta_h_L[t] @ h_L[t-1].T, t, batch)
    dU_L = gram(delta_h_L[:T], h_L[:T])

    # db_h_L = sum(delta_h_L[t], t, batch)
    db_h_L = over_batch(delta_h_L[:T].sum(0), 1)

    # dW_R = sum(delta_h_R[t] @ x[t].T, t, batch)
    dW_R = gram(delta_h_R[1:T + 1], x)

    # dU_R = sum(delta_h_R[t] @ h_R[t+1].T, t, batch)
    dU_R = gram(delta_h_R[1:T + 1], h_R[1:T + 1])

    # db_h_R = sum(delta_h_R[t], t, batch)
    db_h_R = over_batch(delta_h_R[1:T + 1].sum(0), 1)

    # dV = sum(delta_y[t] @ h[t].T, t, batch)
    dV = gram(delta_y, h)

    # db_y = sum(delta_y[t], t, batch)
    db_y = over_batch(delta_y.sum(0), 1)

    # dh_L_0 = U_L.T @ delta_h_L[1]
    dh_L_0 = delta_h_L[0] @ U_L

    # dh_R_0 = U_R.T @ delta_h_R[T]
    dh_R_0 = delta_h_R[T] @ U_R
    return L.sum(), {'W_L': dW_L, 'U_L': dU_L, 'b_h_L': db_h_L, 'W_R': dW_R, 'U_R': dU_R, 'b_h_R': db_h_R, 'V': dV, 'b_y': db_y, 'h_L0': dh_L_0, 'h_R0': dh_R_0}
