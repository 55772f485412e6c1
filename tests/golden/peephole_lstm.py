"""The loss of a recurrent network and its gradient (back-propagation through time).

The network:

    z[t] = tanh(W_z @ x[t] + R_z @ y[t-1] + b_z)
    i[t] = sigmoid(W_i @ x[t] + R_i @ y[t-1] + p_i * c[t-1] + b_i)
    f[t] = sigmoid(W_f @ x[t] + R_f @ y[t-1] + p_f * c[t-1] + b_f)
    c[t] = z[t] * i[t] + c[t-1] * f[t]
    o[t] = sigmoid(W_o @ x[t] + R_o @ y[t-1] + p_o * c[t] + b_o)
    y[t] = tanh(c[t]) * o[t]
    y_hat[t] = sigmoid(W_y @ y[t] + b_y)
    L = squared_error(y_hat[T], target)

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
    """Return the loss, and a dict of arrays: W_z, R_z, b_z, W_i, R_i, p_i, b_i, W_f, R_f, p_f, b_f, W_o, R_o, p_o, b_o, W_y, b_y, y0, c0."""
    W_z = params["W_z"]
    R_z = params["R_z"]
    b_z = params["b_z"]
    W_i = params["W_i"]
    R_i = params["R_i"]
    p_i = params["p_i"]
    b_i = params["b_i"]
    W_f = params["W_f"]
    R_f = params["R_f"]
    p_f = params["p_f"]
    b_f = params["b_f"]
    W_o = params["W_o"]
    R_o = params["R_o"]
    p_o = params["p_o"]
    b_o = params["b_o"]
    W_y = params["W_y"]
    b_y = params["b_y"]
    x = inputs["x"]
    target = inputs["target"]
    T, lead = x.shape[0], x.shape[1:-1]
    dtype = np.result_type(0.0, x, *params.values())
    n_y = W_z.shape[-2]
    n_x = W_z.shape[-1]
    n_y_hat = W_y.shape[-2]
    given = {**params, **inputs}
    y0 = given.get("y0", np.zeros(n_y, dtype))
    c0 = given.get("c0", np.zeros(n_y, dtype))

    # z_in[t] = W_z @ x[t] + b_z
    z_in = (x @ W_z.T) + b_z

    # i_in[t] = W_i @ x[t] + b_i
    i_in = (x @ W_i.T) + b_i

    # f_in[t] = W_f @ x[t] + b_f
    f_in = (x @ W_f.T) + b_f

    # o_in[t] = W_o @ x[t] + b_o
    o_in = (x @ W_o.T) + b_o

    z = np.empty((T, *lead, n_y), dtype)
    i = np.empty((T, *lead, n_y), dtype)
    f = np.empty((T + 1, *lead, n_y), dtype)
    f[T:] = 0.0
    c = np.empty((T + 1, *lead, n_y), dtype)
    c[:1] = c0
    o = np.empty((T, *lead, n_y), dtype)
    tanh_c = np.empty((T, *lead, n_y), dtype)
    y = np.empty((T + 1, *lead, n_y), dtype)
    y[:1] = y0
    fixed1 = R_z.T
    fixed2 = R_i.T
    fixed3 = R_f.T
    fixed4 = R_o.T
    for t in range(1, T + 1):
        # z[t] = tanh(z_in[t] + R_z @ y[t-1])
        z_t = z[t - 1] = np.tanh(z_in[t - 1] + (y[t - 1] @ fixed1))
        # i[t] = sigmoid(i_in[t] + R_i @ y[t-1] + p_i * c[t-1])
        i_t = i[t - 1] = sigmoid(i_in[t - 1] + (y[t - 1] @ fixed2) + (p_i * c[t - 1]))
        # f[t] = sigmoid(f_in[t] + R_f @ y[t-1] + p_f * c[t-1])
        f_t = f[t - 1] = sigmoid(f_in[t - 1] + (y[t - 1] @ fixed3) + (p_f * c[t - 1]))
        # c[t] = z[t] * i[t] + c[t-1] * f[t]
        c_t = c[t] = (z_t * i_t) + (c[t - 1] * f_t)
        # o[t] = sigmoid(o_in[t] + R_o @ y[t-1] + p_o * c[t])
        o_t = o[t - 1] = sigmoid(o_in[t - 1] + (y[t - 1] @ fixed4) + (p_o * c_t))
        # tanh_c[t] = tanh(c[t])
        tanh_c_t = tanh_c[t - 1] = np.tanh(c_t)
        # y[t] = tanh_c[t] * o[t]
        y_t = y[t] = tanh_c_t * o_t

    # y_hat[t] = sigmoid(W_y @ y[t] + b_y)
    y_hat = sigmoid((y[1:T + 1] @ W_y.T) + b_y)

    # dy_hat[t] = (y_hat[T] - target if t == T else 0)
    dy_hat = impulse((y_hat[T - 1] - target), T - 1, (T, *lead, n_y_hat), dtype)

    # delta_y_hat[t] = dy_hat[t] * y_hat[t] * (1 - y_hat[t])
    delta_y_hat = dy_hat * y_hat * (1 - y_hat)

    # dy_in[t] = W_y.T @ delta_y_hat[t]
    dy_in = delta_y_hat @ W_y

    # delta_o_in[t] = 1 - o[t]
    delta_o_in = 1 - o

    # dc_in[t] = 1 - tanh_c[t]**2
    dc_in = 1 - (tanh_c * tanh_c)

    # delta_f_in[t] = 1 - f[t]
    delta_f_in = 1 - f[:T]

    # delta_i_in[t] = 1 - i[t]
    delta_i_in = 1 - i

    # delta_z_in[t] = 1 - z[t]**2
    delta_z_in = 1 - (z * z)

    # L = squared_error(y_hat[T], target)
    L = squared_error(y_hat[T - 1], target)

    delta_o = np.empty((T + 1, *lead, n_y), dtype)
    delta_o[T:] = 0.0
    dc = np.empty((T + 1, *lead, n_y), dtype)
    dc[T:] = 0.0
    delta_f = np.empty((T + 1, *lead, n_y), dtype)
    delta_f[T:] = 0.0
    delta_i = np.empty((T + 1, *lead, n_y), dtype)
    delta_i[T:] = 0.0
    delta_z = np.empty((T + 1, *lead, n_y), dtype)
    delta_z[T:] = 0.0
    for t in range(T, 0, -1):
        # dy[t] = dy_in[t] + R_o.T @ delta_o[t+1] + R_f.T @ delta_f[t+1] + R_i.T @ delta_i[t+1] + R_z.T @ delta_z[t+1]
        dy_t = dy_in[t - 1] + (delta_o[t] @ R_o) + (delta_f[t] @ R_f) + (delta_i[t] @ R_i) + (delta_z[t] @ R_z)
        # do[t] = dy[t] * tanh_c[t]
        do_t = dy_t * tanh_c[t - 1]
        # delta_o[t] = do[t] * o[t] * delta_o_in[t]
        delta_o_t = delta_o[t - 1] = do_t * o[t - 1] * delta_o_in[t - 1]
        # dc[t] = dy[t] * o[t] * dc_in[t] + delta_o[t] * p_o + dc[t+1] * f[t+1] + delta_f[t+1] * p_f + delta_i[t+1] * p_i
        dc_t = dc[t - 1] = (dy_t * o[t - 1] * dc_in[t - 1]) + (delta_o_t * p_o) + (dc[t] * f[t]) + (delta_f[t] * p_f) + (delta_i[t] * p_i)
        # dz[t] = dc[t] * i[t]
        dz_t = dc_t * i[t - 1]
        # di[t] = dc[t] * z[t]
        di_t = dc_t * z[t - 1]
        # df[t] = dc[t] * c[t-1]
        df_t = dc_t * c[t - 1]
        # delta_f[t] = df[t] * f[t] * delta_f_in[t]
        delta_f_t = delta_f[t - 1] = df_t * f[t - 1] * delta_f_in[t - 1]
        # delta_i[t] = di[t] * i[t] * delta_i_in[t]
        delta_i_t = delta_i[t - 1] = di_t * i[t - 1] * delta_i_in[t - 1]
        # delta_z[t] = dz[t] * delta_z_in[t]
        delta_z_t = delta_z[t - 1] = dz_t * delta_z_in[t - 1]

    # dW_z = sum(delta_z[t] @ x[t].T, t, batch)
    dW_z = gram(delta_z[:T], x)

    # dR_z = sum(delta_z[t] @ y[t-1].T, t, batch)
    dR_z = gram(delta_z[:T], y[:T])

    # db_z = sum(delta_z[t], t, batch)
    db_z = over_batch(delta_z[:T].sum(0), 1)

    # dW_i = sum(delta_i[t] @ x[t].T, t, batch)
    dW_i = gram(delta_i[:T], x)

    # dR_i = sum(delta_i[t] @ y[t-1].T, t, batch)
    dR_i = gram(delta_i[:T], y[:T])

    # dp_i = sum(delta_i[t] * c[t-1], t, batch)
    dp_i = over_batch((delta_i[:T] * c[:T]).sum(0), 1)

    # db_i = sum(delta_i[t], t, batch)
    db_i = over_batch(delta_i[:T].sum(0), 1)

    # dW_f = sum(delta_f[t] @ x[t].T, t, batch)
    dW_f = gram(delta_f[:T], x)

    # dR_f = sum(delta_f[t] @ y[t-1].T, t, batch)
    dR_f = gram(delta_f[:T], y[:T])

    # dp_f = sum(delta_f[t] * c[t-1], t, batch)
    dp_f = over_batch((delta_f[:T] * c[:T]).sum(0), 1)

    # db_f = sum(delta_f[t], t, batch)
    db_f = over_batch(delta_f[:T].sum(0), 1)

    # dW_o = sum(delta_o[t] @ x[t].T, t, batch)
    dW_o = gram(delta_o[:T], x)

    # dR_o = sum(delta_o[t] @ y[t-1].T, t, batch)
    dR_o = gram(delta_o[:T], y[:T])

    # dp_o = sum(delta_o[t] * c[t], t, batch)
    dp_o = over_batch((delta_o[:T] * c[1:T + 1]).sum(0), 1)

    # db_o = sum(delta_o[t], t, batch)
    db_o = over_batch(delta_o[:T].sum(0), 1)

    # dW_y = sum(delta_y_hat[t] @ y[t].T, t, batch)
    dW_y = gram(delta_y_hat, y[1:T + 1])

    # db_y = sum(delta_y_hat[t], t, batch)
    db_y = over_batch(delta_y_hat.sum(0), 1)

    # dy_0 = R_o.T @ delta_o[1] + R_f.T @ delta_f[1] + R_i.T @ delta_i[1] + R_z.T @ delta_z[1]
    dy_0 = (delta_o[0] @ R_o) + (delta_f[0] @ R_f) + (delta_i[0] @ R_i) + (delta_z[0] @ R_z)

    # dc_0 = dc[1] * f[1] + delta_f[1] * p_f + delta_i[1] * p_i
    dc_0 = (dc[0] * f[0]) + (delta_f[0] * p_f) + (delta_i[0] * p_i)
    return L.sum(), {'W_z': dW_z, 'R_z': dR_z, 'b_z': db_z, 'W_i': dW_i, 'R_i': dR_i, 'p_i': dp_i, 'b_i': db_i, 'W_f': dW_f, 'R_f': dR_f, 'p_f': dp_f, 'b_f': db_f, 'W_o': dW_o, 'R_o': dR_o, 'p_o': dp_o, 'b_o': db_o, 'W_y': dW_y, 'b_y': db_y, 'y0': dy_0, 'c0': dc_0}
