"""The loss of a recurrent network and its gradient (back-propagation through time).

The network:

    z[t] = sigmoid(W_z @ [h[t-1], x[t]] + b_z)
    r[t] = sigmoid(W_r @ [h[t-1], x[t]] + b_r)
    h_add[t] = tanh(W @ [r[t] * h[t-1], x[t]])
    h[t] = (1 - z[t]) * h[t-1] + z[t] * h_add[t]
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


def stacked(*parts, axis):
    """Parts one after the other along an axis, whatever their leading axes."""
    lead = np.broadcast_shapes(*(p.shape[:axis] for p in parts))
    return np.concatenate([np.broadcast_to(p, (*lead, *p.shape[axis:])) for p in parts], axis)


def value_and_grad(params, inputs):
    """Return the loss, and a dict of arrays: W_z, b_z, W_r, b_r, W, W_y, b_y, h0."""
    W_z = params["W_z"]
    b_z = params["b_z"]
    W_r = params["W_r"]
    b_r = params["b_r"]
    W = params["W"]
    W_y = params["W_y"]
    b_y = params["b_y"]
    x = inputs["x"]
    target = inputs["target"]
    T, lead = x.shape[0], x.shape[1:-1]
    dtype = np.result_type(0.0, x, *params.values())
    n_h = W_z.shape[-2]
    n_x = W_z.shape[-1] - n_h
    n_y = W_y.shape[-2]
    given = {**params, **inputs}
    h0 = given.get("h0", np.zeros(n_h, dtype))

    # z_in[t] = W_z[:, size(h):size(h) + size(x)] @ x[t] + b_z
    z_in = (x @ W_z[:, n_h:n_h + n_x].T) + b_z

    # r_in[t] = W_r[:, size(h):size(h) + size(x)] @ x[t] + b_r
    r_in = (x @ W_r[:, n_h:n_h + n_x].T) + b_r

    # h_add_in[t] = W[:, size(h):size(h) + size(x)] @ x[t]
    h_add_in = x @ W[:, n_h:n_h + n_x].T

    z = np.empty((T + 1, *lead, n_h), dtype)
    z[T:] = 0.0
    r = np.empty((T + 1, *lead, n_h), dtype)
    r[T:] = 0.0
    h_add = np.empty((T, *lead, n_h), dtype)
    h = np.empty((T + 1, *lead, n_h), dtype)
    h[:1] = h0
    fixed1 = W_z[:, 0:n_h]
    fixed2 = fixed1.T
    fixed3 = W_r[:, 0:n_h]
    fixed4 = fixed3.T
    fixed5 = W[:, 0:n_h]
    fixed6 = fixed5.T
    for t in range(1, T + 1):
        # z[t] = sigmoid(z_in[t] + W_z[:, 0:size(h)] @ h[t-1])
        z_t = z[t - 1] = sigmoid(z_in[t - 1] + (h[t - 1] @ fixed2))
        # r[t] = sigmoid(r_in[t] + W_r[:, 0:size(h)] @ h[t-1])
        r_t = r[t - 1] = sigmoid(r_in[t - 1] + (h[t - 1] @ fixed4))
        # h_add[t] = tanh(h_add_in[t] + W[:, 0:size(h)] @ (r[t] * h[t-1]))
        h_add_t = h_add[t - 1] = np.tanh(h_add_in[t - 1] + ((r_t * h[t - 1]) @ fixed6))
        # h[t] = (1 - z[t]) * h[t-1] + z[t] * h_add[t]
        h_t = h[t] = ((1 - z_t) * h[t - 1]) + (z_t * h_add_t)

    # dh_in[t] = 1 - z[t+1]
    dh_in = 1 - z[1:T + 1]

    # y[t] = sigmoid(W_y @ h[t] + b_y)
    y = sigmoid((h[1:T + 1] @ W_y.T) + b_y)

    # dy[t] = (y[T] - target if t == T else 0)
    dy = impulse((y[T - 1] - target), T - 1, (T, *lead, n_y), dtype)

    # delta_y[t] = dy[t] * y[t] * (1 - y[t])
    delta_y = dy * y * (1 - y)

    # dh_in_[t] = W_y.T @ delta_y[t]
    dh_in_ = delta_y @ W_y

    # delta_h_add_in[t] = 1 - h_add[t]**2
    delta_h_add_in = 1 - (h_add * h_add)

    # delta_r_in[t] = 1 - r[t]
    delta_r_in = 1 - r[:T]

    # delta_z_in[t] = 1 - z[t]
    delta_z_in = 1 - z[:T]

    # L = squared_error(y[T], target)
    L = squared_error(y[T - 1], target)

    dh = np.empty((T + 1, *lead, n_h), dtype)
    dh[T:] = 0.0
    delta_h_add = np.empty((T, *lead, n_h), dtype)
    delta_h_add_2 = np.empty((T + 1, *lead, n_h), dtype)
    delta_h_add_2[T:] = 0.0
    delta_r = np.empty((T + 1, *lead, n_h), dtype)
    delta_r[T:] = 0.0
    delta_z = np.empty((T + 1, *lead, n_h), dtype)
    delta_z[T:] = 0.0
    fixed8 = W_r[:, 0:n_h]
    fixed9 = W_z[:, 0:n_h]
    fixed10 = W[:, 0:n_h]
    for t in range(T, 0, -1):
        # dh[t] = dh_in_[t] + dh[t+1] * dh_in[t] + delta_h_add_2[t+1] * r[t+1] + W_r[:, 0:size(h)].T @ delta_r[t+1] + W_z[:, 0:size(h)].T @ delta_z[t+1]
        dh_t = dh[t - 1] = dh_in_[t - 1] + (dh[t] * dh_in[t - 1]) + (delta_h_add_2[t] * r[t]) + (delta_r[t] @ fixed8) + (delta_z[t] @ fixed9)
        # dz[t] = -dh[t] * h[t-1] + dh[t] * h_add[t]
        dz_t = -(dh_t * h[t - 1]) + (dh_t * h_add[t - 1])
        # dh_add[t] = dh[t] * z[t]
        dh_add_t = dh_t * z[t - 1]
        # delta_h_add[t] = dh_add[t] * delta_h_add_in[t]
        delta_h_add_t = delta_h_add[t - 1] = dh_add_t * delta_h_add_in[t - 1]
        # delta_h_add_2[t] = W[:, 0:size(h)].T @ delta_h_add[t]
        delta_h_add_2_t = delta_h_add_2[t - 1] = delta_h_add_t @ fixed10
        # dr[t] = delta_h_add_2[t] * h[t-1]
        dr_t = delta_h_add_2_t * h[t - 1]
        # delta_r[t] = dr[t] * r[t] * delta_r_in[t]
        delta_r_t = delta_r[t - 1] = dr_t * r[t - 1] * delta_r_in[t - 1]
        # delta_z[t] = dz[t] * z[t] * delta_z_in[t]
        delta_z_t = delta_z[t - 1] = dz_t * z[t - 1] * delta_z_in[t - 1]

    # dW_z = sum(delta_z[t] @ [h[t-1], x[t]].T, t, batch)
    part11 = np.concatenate([h[:T], x], -1)
    dW_z = gram(delta_z[:T], part11)

    # db_z = sum(delta_z[t], t, batch)
    db_z = over_batch(delta_z[:T].sum(0), 1)

    # dW_r = sum(delta_r[t] @ [h[t-1], x[t]].T, t, batch)
    dW_r = gram(delta_r[:T], part11)

    # db_r = sum(delta_r[t], t, batch)
    db_r = over_batch(delta_r[:T].sum(0), 1)

    # dW = sum(delta_h_add[t] @ [r[t] * h[t-1], x[t]].T, t, batch)
    dW = gram(delta_h_add, stacked((r[:T] * h[:T]), x, axis=-1))

    # dW_y = sum(delta_y[t] @ h[t].T, t, batch)
    dW_y = gram(delta_y, h[1:T + 1])

    # db_y = sum(delta_y[t], t, batch)
    db_y = over_batch(delta_y.sum(0), 1)

    # dh_0 = dh[1] * (1 - z[1]) + delta_h_add_2[1] * r[1] + W_r[:, 0:size(h)].T @ delta_r[1] + W_z[:, 0:size(h)].T @ delta_z[1]
    dh_0 = (dh[0] * (1 - z[0])) + (delta_h_add_2[0] * r[0]) + (delta_r[0] @ W_r[:, 0:n_h]) + (delta_z[0] @ W_z[:, 0:n_h])
    return L.sum(), {'W_z': dW_z, 'b_z': db_z, 'W_r': dW_r, 'b_r': db_r, 'W': dW, 'W_y': dW_y, 'b_y': db_y, 'h0': dh_0}
