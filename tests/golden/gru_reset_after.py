"""The loss of a recurrent network and its gradient (back-propagation through time).

The network:

    r[t] = sigmoid(W_r @ x[t] + U_r @ h[t-1] + b_r)
    z[t] = sigmoid(W_z @ x[t] + U_z @ h[t-1] + b_z)
    n[t] = tanh(W_n @ x[t] + b_n + r[t] * (U_n @ h[t-1] + c_n))
    h[t] = (1 - z[t]) * n[t] + z[t] * h[t-1]
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
    """Return the loss, and a dict of arrays: W_r, U_r, b_r, W_z, U_z, b_z, W_n, b_n, U_n, c_n, W_y, b_y, h0."""
    W_r = params["W_r"]
    U_r = params["U_r"]
    b_r = params["b_r"]
    W_z = params["W_z"]
    U_z = params["U_z"]
    b_z = params["b_z"]
    W_n = params["W_n"]
    b_n = params["b_n"]
    U_n = params["U_n"]
    c_n = params["c_n"]
    W_y = params["W_y"]
    b_y = params["b_y"]
    x = inputs["x"]
    target = inputs["target"]
    T, lead = x.shape[0], x.shape[1:-1]
    dtype = np.result_type(0.0, x, *params.values())
    n_h = W_r.shape[-2]
    n_x = W_r.shape[-1]
    n_y = W_y.shape[-2]
    given = {**params, **inputs}
    h0 = given.get("h0", np.zeros(n_h, dtype))

    # r_in[t] = W_r @ x[t] + b_r
    r_in = (x @ W_r.T) + b_r

    # z_in[t] = W_z @ x[t] + b_z
    z_in = (x @ W_z.T) + b_z

    # n_in[t] = W_n @ x[t] + b_n
    n_in = (x @ W_n.T) + b_n

    r = np.empty((T, *lead, n_h), dtype)
    z = np.empty((T + 1, *lead, n_h), dtype)
    z[T:] = 0.0
    n = np.empty((T, *lead, n_h), dtype)
    h = np.empty((T + 1, *lead, n_h), dtype)
    h[:1] = h0
    fixed1 = U_r.T
    fixed2 = U_z.T
    fixed3 = U_n.T
    for t in range(1, T + 1):
        # r[t] = sigmoid(r_in[t] + U_r @ h[t-1])
        r_t = r[t - 1] = sigmoid(r_in[t - 1] + (h[t - 1] @ fixed1))
        # z[t] = sigmoid(z_in[t] + U_z @ h[t-1])
        z_t = z[t - 1] = sigmoid(z_in[t - 1] + (h[t - 1] @ fixed2))
        # n[t] = tanh(n_in[t] + r[t] * (c_n + U_n @ h[t-1]))
        n_t = n[t - 1] = np.tanh(n_in[t - 1] + (r_t * (c_n + (h[t - 1] @ fixed3))))
        # h[t] = (1 - z[t]) * n[t] + z[t] * h[t-1]
        h_t = h[t] = ((1 - z_t) * n_t) + (z_t * h[t - 1])

    # y[t] = sigmoid(W_y @ h[t] + b_y)
    y = sigmoid((h[1:T + 1] @ W_y.T) + b_y)

    # dy[t] = (y[T] - target if t == T else 0)
    dy = impulse((y[T - 1] - target), T - 1, (T, *lead, n_y), dtype)

    # delta_y[t] = dy[t] * y[t] * (1 - y[t])
    delta_y = dy * y * (1 - y)

    # dh_in[t] = W_y.T @ delta_y[t]
    dh_in = delta_y @ W_y

    # dn_in[t] = 1 - z[t]
    dn_in = 1 - z[:T]

    # delta_n_in[t] = 1 - n[t]**2
    delta_n_in = 1 - (n * n)

    # dr_in[t] = U_n @ h[t-1] + c_n
    dr_in = (h[:T] @ U_n.T) + c_n

    # delta_r_in[t] = 1 - r[t]
    delta_r_in = 1 - r

    # L = squared_error(y[T], target)
    L = squared_error(y[T - 1], target)

    dh = np.empty((T + 1, *lead, n_h), dtype)
    dh[T:] = 0.0
    delta_n = np.empty((T, *lead, n_h), dtype)
    delta_n_2 = np.empty((T + 1, *lead, n_h), dtype)
    delta_n_2[T:] = 0.0
    delta_z = np.empty((T + 1, *lead, n_h), dtype)
    delta_z[T:] = 0.0
    delta_r = np.empty((T + 1, *lead, n_h), dtype)
    delta_r[T:] = 0.0
    for t in range(T, 0, -1):
        # dh[t] = dh_in[t] + dh[t+1] * z[t+1] + U_n.T @ delta_n_2[t+1] + U_z.T @ delta_z[t+1] + U_r.T @ delta_r[t+1]
        dh_t = dh[t - 1] = dh_in[t - 1] + (dh[t] * z[t]) + (delta_n_2[t] @ U_n) + (delta_z[t] @ U_z) + (delta_r[t] @ U_r)
        # dn[t] = dh[t] * dn_in[t]
        dn_t = dh_t * dn_in[t - 1]
        # delta_n[t] = dn[t] * delta_n_in[t]
        delta_n_t = delta_n[t - 1] = dn_t * delta_n_in[t - 1]
        # dr[t] = delta_n[t] * dr_in[t]
        dr_t = delta_n_t * dr_in[t - 1]
        # dz[t] = -dh[t] * n[t] + dh[t] * h[t-1]
        dz_t = -(dh_t * n[t - 1]) + (dh_t * h[t - 1])
        # delta_n_2[t] = delta_n[t] * r[t]
        delta_n_2_t = delta_n_2[t - 1] = delta_n_t * r[t - 1]
        # delta_z[t] = dz[t] * z[t] * dn_in[t]
        delta_z_t = delta_z[t - 1] = dz_t * z[t - 1] * dn_in[t - 1]
        # delta_r[t] = dr[t] * r[t] * delta_r_in[t]
        delta_r_t = delta_r[t - 1] = dr_t * r[t - 1] * delta_r_in[t - 1]

    # dW_r = sum(delta_r[t] @ x[t].T, t, batch)
    dW_r = gram(delta_r[:T], x)

    # dU_r = sum(delta_r[t] @ h[t-1].T, t, batch)
    dU_r = gram(delta_r[:T], h[:T])

    # db_r = sum(delta_r[t], t, batch)
    db_r = over_batch(delta_r[:T].sum(0), 1)

    # dW_z = sum(delta_z[t] @ x[t].T, t, batch)
    dW_z = gram(delta_z[:T], x)

    # dU_z = sum(delta_z[t] @ h[t-1].T, t, batch)
    dU_z = gram(delta_z[:T], h[:T])

    # db_z = sum(delta_z[t], t, batch)
    db_z = over_batch(delta_z[:T].sum(0), 1)

    # dW_n = sum(delta_n[t] @ x[t].T, t, batch)
    dW_n = gram(delta_n, x)

    # db_n = sum(delta_n[t], t, batch)
    db_n = over_batch(delta_n.sum(0), 1)

    # dU_n = sum(delta_n_2[t] @ h[t-1].T, t, batch)
    dU_n = gram(delta_n_2[:T], h[:T])

    # dc_n = sum(delta_n_2[t], t, batch)
    dc_n = over_batch(delta_n_2[:T].sum(0), 1)

    # dW_y = sum(delta_y[t] @ h[t].T, t, batch)
    dW_y = gram(delta_y, h[1:T + 1])

    # db_y = sum(delta_y[t], t, batch)
    db_y = over_batch(delta_y.sum(0), 1)

    # dh_0 = dh[1] * z[1] + U_n.T @ delta_n_2[1] + U_z.T @ delta_z[1] + U_r.T @ delta_r[1]
    dh_0 = (dh[0] * z[0]) + (delta_n_2[0] @ U_n) + (delta_z[0] @ U_z) + (delta_r[0] @ U_r)
    return L.sum(), {'W_r': dW_r, 'U_r': dU_r, 'b_r': db_r, 'W_z': dW_z, 'U_z': dU_z, 'b_z': db_z, 'W_n': dW_n, 'b_n': db_n, 'U_n': dU_n, 'c_n': dc_n, 'W_y': dW_y, 'b_y': db_y, 'h0': dh_0}
