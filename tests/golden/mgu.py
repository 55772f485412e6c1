"""The loss of a recurrent network and its gradient (back-propagation through time).

The network:

    f[t] = sigmoid(W_f @ [h[t-1], x[t]] + b_f)
    h_add[t] = tanh(W_h @ [f[t] * h[t-1], x[t]] + b_h)
    h[t] = (1 - f[t]) * h[t-1] + f[t] * h_add[t]
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
    """Return the loss, and a dict of arrays: W_f, b_f, W_h, b_h, W_y, b_y, h0."""
    W_f = params["W_f"]
    b_f = params["b_f"]
    W_h = params["W_h"]
    b_h = params["b_h"]
    W_y = params["W_y"]
    b_y = params["b_y"]
    x = inputs["x"]
    target = inputs["target"]
    T, lead = x.shape[0], x.shape[1:-1]
    dtype = np.result_type(0.0, x, *params.values())
    n_h = W_f.shape[-2]
    n_x = W_f.shape[-1] - n_h
    n_y = W_y.shape[-2]
    given = {**params, **inputs}
    h0 = given.get("h0", np.zeros(n_h, dtype))

    # f_in[t] = W_f[:, size(h):size(h) + size(x)] @ x[t] + b_f
    f_in = (x @ W_f[:, n_h:n_h + n_x].T) + b_f

    # h_add_in[t] = W_h[:, size(h):size(h) + size(x)] @ x[t] + b_h
    h_add_in = (x @ W_h[:, n_h:n_h + n_x].T) + b_h

    f = np.empty((T + 1, *lead, n_h), dtype)
    f[T:] = 0.0
    h_add = np.empty((T, *lead, n_h), dtype)
    h = np.empty((T + 1, *lead, n_h), dtype)
    h[:1] = h0
    fixed1 = W_f[:, 0:n_h]
    fixed2 = fixed1.T
    fixed3 = W_h[:, 0:n_h]
    fixed4 = fixed3.T
    for t in range(1, T + 1):
        # f[t] = sigmoid(f_in[t] + W_f[:, 0:size(h)] @ h[t-1])
        f_t = f[t - 1] = sigmoid(f_in[t - 1] + (h[t - 1] @ fixed2))
        # h_add[t] = tanh(h_add_in[t] + W_h[:, 0:size(h)] @ (f[t] * h[t-1]))
        h_add_t = h_add[t - 1] = np.tanh(h_add_in[t - 1] + ((f_t * h[t - 1]) @ fixed4))
        # h[t] = (1 - f[t]) * h[t-1] + f[t] * h_add[t]
        h_t = h[t] = ((1 - f_t) * h[t - 1]) + (f_t * h_add_t)

    # dh_in[t] = 1 - f[t+1]
    dh_in = 1 - f[1:T + 1]

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

    # delta_f_in[t] = 1 - f[t]
    delta_f_in = 1 - f[:T]

    # L = squared_error(y[T], target)
    L = squared_error(y[T - 1], target)

    dh = np.empty((T + 1, *lead, n_h), dtype)
    dh[T:] = 0.0
    delta_h_add = np.empty((T, *lead, n_h), dtype)
    delta_h_add_2 = np.empty((T + 1, *lead, n_h), dtype)
    delta_h_add_2[T:] = 0.0
    delta_f = np.empty((T + 1, *lead, n_h), dtype)
    delta_f[T:] = 0.0
    fixed6 = W_f[:, 0:n_h]
    fixed7 = W_h[:, 0:n_h]
    for t in range(T, 0, -1):
        # dh[t] = dh_in_[t] + dh[t+1] * dh_in[t] + delta_h_add_2[t+1] * f[t+1] + W_f[:, 0:size(h)].T @ delta_f[t+1]
        dh_t = dh[t - 1] = dh_in_[t - 1] + (dh[t] * dh_in[t - 1]) + (delta_h_add_2[t] * f[t]) + (delta_f[t] @ fixed6)
        # dh_add[t] = dh[t] * f[t]
        dh_add_t = dh_t * f[t - 1]
        # delta_h_add[t] = dh_add[t] * delta_h_add_in[t]
        delta_h_add_t = delta_h_add[t - 1] = dh_add_t * delta_h_add_in[t - 1]
        # delta_h_add_2[t] = W_h[:, 0:size(h)].T @ delta_h_add[t]
        delta_h_add_2_t = delta_h_add_2[t - 1] = delta_h_add_t @ fixed7
        # df[t] = -dh[t] * h[t-1] + dh[t] * h_add[t] + delta_h_add_2[t] * h[t-1]
        df_t = -(dh_t * h[t - 1]) + (dh_t * h_add[t - 1]) + (delta_h_add_2_t * h[t - 1])
        # delta_f[t] = df[t] * f[t] * delta_f_in[t]
        delta_f_t = delta_f[t - 1] = df_t * f[t - 1] * delta_f_in[t - 1]

    # dW_f = sum(delta_f[t] @ [h[t-1], x[t]].T, t, batch)
    dW_f = gram(delta_f[:T], np.concatenate([h[:T], x], -1))

    # db_f = sum(delta_f[t], t, batch)
    db_f = over_batch(delta_f[:T].sum(0), 1)

    # dW_h = sum(delta_h_add[t] @ [f[t] * h[t-1], x[t]].T, t, batch)
    dW_h = gram(delta_h_add, stacked((f[:T] * h[:T]), x, axis=-1))

    # db_h = sum(delta_h_add[t], t, batch)
    db_h = over_batch(delta_h_add.sum(0), 1)

    # dW_y = sum(delta_y[t] @ h[t].T, t, batch)
    dW_y = gram(delta_y, h[1:T + 1])

    # db_y = sum(delta_y[t], t, batch)
    db_y = over_batch(delta_y.sum(0), 1)

    # dh_0 = dh[1] * (1 - f[1]) + delta_h_add_2[1] * f[1] + W_f[:, 0:size(h)].T @ delta_f[1]
    dh_0 = (dh[0] * (1 - f[0])) + (delta_h_add_2[0] * f[0]) + (delta_f[0] @ W_f[:, 0:n_h])
    return L.sum(), {'W_f': dW_f, 'b_f': db_f, 'W_h': dW_h, 'b_h': db_h, 'W_y': dW_y, 'b_y': db_y, 'h0': dh_0}
