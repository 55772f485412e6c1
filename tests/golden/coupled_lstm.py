"""The loss of a recurrent network and its gradient (back-propagation through time).

The network:

    i[t] = sigmoid(W_i @ [h[t-1], x[t]] + b_i)
    f[t] = 1 - i[t]
    C_add[t] = tanh(W_C @ [h[t-1], x[t]] + b_C)
    C[t] = f[t] * C[t-1] + i[t] * C_add[t]
    o[t] = sigmoid(W_o @ [h[t-1], x[t]] + b_o)
    h[t] = o[t] * tanh(C[t])
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
    """Return the loss, and a dict of arrays: W_i, b_i, W_C, b_C, W_o, b_o, W_y, b_y, h0, C0."""
    W_i = params["W_i"]
    b_i = params["b_i"]
    W_C = params["W_C"]
    b_C = params["b_C"]
    W_o = params["W_o"]
    b_o = params["b_o"]
    W_y = params["W_y"]
    b_y = params["b_y"]
    x = inputs["x"]
    target = inputs["target"]
    T, lead = x.shape[0], x.shape[1:-1]
    dtype = np.result_type(0.0, x, *params.values())
    n_h = W_i.shape[-2]
    n_x = W_i.shape[-1] - n_h
    n_y = W_y.shape[-2]
    given = {**params, **inputs}
    h0 = given.get("h0", np.zeros(n_h, dtype))
    C0 = given.get("C0", np.zeros(n_h, dtype))

    # i_in[t] = W_i[:, size(h):size(h) + size(x)] @ x[t] + b_i
    i_in = (x @ W_i[:, n_h:n_h + n_x].T) + b_i

    # C_add_in[t] = W_C[:, size(h):size(h) + size(x)] @ x[t] + b_C
    C_add_in = (x @ W_C[:, n_h:n_h + n_x].T) + b_C

    # o_in[t] = W_o[:, size(h):size(h) + size(x)] @ x[t] + b_o
    o_in = (x @ W_o[:, n_h:n_h + n_x].T) + b_o

    i = np.empty((T, *lead, n_h), dtype)
    f = np.empty((T + 1, *lead, n_h), dtype)
    f[T:] = 0.0
    C_add = np.empty((T, *lead, n_h), dtype)
    C = np.empty((T + 1, *lead, n_h), dtype)
    C[:1] = C0
    o = np.empty((T, *lead, n_h), dtype)
    tanh_C = np.empty((T, *lead, n_h), dtype)
    h = np.empty((T + 1, *lead, n_h), dtype)
    h[:1] = h0
    fixed1 = W_i[:, 0:n_h]
    fixed2 = fixed1.T
    fixed3 = W_C[:, 0:n_h]
    fixed4 = fixed3.T
    fixed5 = W_o[:, 0:n_h]
    fixed6 = fixed5.T
    for t in range(1, T + 1):
        # i[t] = sigmoid(i_in[t] + W_i[:, 0:size(h)] @ h[t-1])
        i_t = i[t - 1] = sigmoid(i_in[t - 1] + (h[t - 1] @ fixed2))
        # f[t] = 1 - i[t]
        f_t = f[t - 1] = 1 - i_t
        # C_add[t] = tanh(C_add_in[t] + W_C[:, 0:size(h)] @ h[t-1])
        C_add_t = C_add[t - 1] = np.tanh(C_add_in[t - 1] + (h[t - 1] @ fixed4))
        # C[t] = f[t] * C[t-1] + i[t] * C_add[t]
        C_t = C[t] = (f_t * C[t - 1]) + (i_t * C_add_t)
        # o[t] = sigmoid(o_in[t] + W_o[:, 0:size(h)] @ h[t-1])
        o_t = o[t - 1] = sigmoid(o_in[t - 1] + (h[t - 1] @ fixed6))
        # tanh_C[t] = tanh(C[t])
        tanh_C_t = tanh_C[t - 1] = np.tanh(C_t)
        # h[t] = o[t] * tanh_C[t]
        h_t = h[t] = o_t * tanh_C_t

    # y[t] = sigmoid(W_y @ h[t] + b_y)
    y = sigmoid((h[1:T + 1] @ W_y.T) + b_y)

    # dy[t] = (y[T] - target if t == T else 0)
    dy = impulse((y[T - 1] - target), T - 1, (T, *lead, n_y), dtype)

    # delta_y[t] = dy[t] * y[t] * (1 - y[t])
    delta_y = dy * y * (1 - y)

    # dh_in[t] = W_y.T @ delta_y[t]
    dh_in = delta_y @ W_y

    # dC_in[t] = 1 - tanh_C[t]**2
    dC_in = 1 - (tanh_C * tanh_C)

    # delta_o_in[t] = 1 - o[t]
    delta_o_in = 1 - o

    # delta_C_add_in[t] = 1 - C_add[t]**2
    delta_C_add_in = 1 - (C_add * C_add)

    # delta_i_in[t] = 1 - i[t]
    delta_i_in = 1 - i

    # L = squared_error(y[T], target)
    L = squared_error(y[T - 1], target)

    dC = np.empty((T + 1, *lead, n_h), dtype)
    dC[T:] = 0.0
    delta_o = np.empty((T + 1, *lead, n_h), dtype)
    delta_o[T:] = 0.0
    delta_C_add = np.empty((T + 1, *lead, n_h), dtype)
    delta_C_add[T:] = 0.0
    delta_i = np.empty((T + 1, *lead, n_h), dtype)
    delta_i[T:] = 0.0
    fixed8 = W_o[:, 0:n_h]
    fixed9 = W_C[:, 0:n_h]
    fixed10 = W_i[:, 0:n_h]
    for t in range(T, 0, -1):
        # dh[t] = dh_in[t] + W_o[:, 0:size(h)].T @ delta_o[t+1] + W_C[:, 0:size(h)].T @ delta_C_add[t+1] + W_i[:, 0:size(h)].T @ delta_i[t+1]
        dh_t = dh_in[t - 1] + (delta_o[t] @ fixed8) + (delta_C_add[t] @ fixed9) + (delta_i[t] @ fixed10)
        # dC[t] = dh[t] * o[t] * dC_in[t] + dC[t+1] * f[t+1]
        dC_t = dC[t - 1] = (dh_t * o[t - 1] * dC_in[t - 1]) + (dC[t] * f[t])
        # df[t] = dC[t] * C[t-1]
        df_t = dC_t * C[t - 1]
        # di[t] = dC[t] * C_add[t] - df[t]
        di_t = (dC_t * C_add[t - 1]) - df_t
        # dC_add[t] = dC[t] * i[t]
        dC_add_t = dC_t * i[t - 1]
        # do[t] = dh[t] * tanh_C[t]
        do_t = dh_t * tanh_C[t - 1]
        # delta_o[t] = do[t] * o[t] * delta_o_in[t]
        delta_o_t = delta_o[t - 1] = do_t * o[t - 1] * delta_o_in[t - 1]
        # delta_C_add[t] = dC_add[t] * delta_C_add_in[t]
        delta_C_add_t = delta_C_add[t - 1] = dC_add_t * delta_C_add_in[t - 1]
        # delta_i[t] = di[t] * i[t] * delta_i_in[t]
        delta_i_t = delta_i[t - 1] = di_t * i[t - 1] * delta_i_in[t - 1]

    # dW_i = sum(delta_i[t] @ [h[t-1], x[t]].T, t, batch)
    part11 = np.concatenate([h[:T], x], -1)
    dW_i = gram(delta_i[:T], part11)

    # db_i = sum(delta_i[t], t, batch)
    db_i = over_batch(delta_i[:T].sum(0), 1)

    # dW_C = sum(delta_C_add[t] @ [h[t-1], x[t]].T, t, batch)
    dW_C = gram(delta_C_add[:T], part11)

    # db_C = sum(delta_C_add[t], t, batch)
    db_C = over_batch(delta_C_add[:T].sum(0), 1)

    # dW_o = sum(delta_o[t] @ [h[t-1], x[t]].T, t, batch)
    dW_o = gram(delta_o[:T], part11)

    # db_o = sum(delta_o[t], t, batch)
    db_o = over_batch(delta_o[:T].sum(0), 1)

    # dW_y = sum(delta_y[t] @ h[t].T, t, batch)
    dW_y = gram(delta_y, h[1:T + 1])

    # db_y = sum(delta_y[t], t, batch)
    db_y = over_batch(delta_y.sum(0), 1)

    # dh_0 = W_o[:, 0:size(h)].T @ delta_o[1] + W_C[:, 0:size(h)].T @ delta_C_add[1] + W_i[:, 0:size(h)].T @ delta_i[1]
    dh_0 = (delta_o[0] @ W_o[:, 0:n_h]) + (delta_C_add[0] @ W_C[:, 0:n_h]) + (delta_i[0] @ W_i[:, 0:n_h])

    # dC_0 = dC[1] * f[1]
    dC_0 = dC[0] * f[0]
    return L.sum(), {'W_i': dW_i, 'b_i': db_i, 'W_C': dW_C, 'b_C': db_C, 'W_o': dW_o, 'b_o': db_o, 'W_y': dW_y, 'b_y': db_y, 'h0': dh_0, 'C0': dC_0}
