"""The loss of a recurrent network and its gradient (back-propagation through time).

The network:

    f_1[t] = sigmoid(W_f_1 @ [h_1[t-1], x[t]] + b_f_1)
    i_1[t] = sigmoid(W_i_1 @ [h_1[t-1], x[t]] + b_i_1)
    C_add_1[t] = tanh(W_C_1 @ [h_1[t-1], x[t]] + b_C_1)
    C_1[t] = f_1[t] * C_1[t-1] + i_1[t] * C_add_1[t]
    o_1[t] = sigmoid(W_o_1 @ [h_1[t-1], x[t]] + b_o_1)
    h_1[t] = o_1[t] * tanh(C_1[t])
    f_2[t] = sigmoid(W_f_2 @ [h_2[t-1], h_1[t]] + b_f_2)
    i_2[t] = sigmoid(W_i_2 @ [h_2[t-1], h_1[t]] + b_i_2)
    C_add_2[t] = tanh(W_C_2 @ [h_2[t-1], h_1[t]] + b_C_2)
    C_2[t] = f_2[t] * C_2[t-1] + i_2[t] * C_add_2[t]
    o_2[t] = sigmoid(W_o_2 @ [h_2[t-1], h_1[t]] + b_o_2)
    h_2[t] = o_2[t] * tanh(C_2[t])
    y[t] = sigmoid(W_y @ h_2[t] + b_y)
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
    """Return the loss, and a dict of arrays: W_f_1, b_f_1, W_i_1, b_i_1, W_C_1, b_C_1, W_o_1, b_o_1, W_f_2, b_f_2, W_i_2, b_i_2, W_C_2, b_C_2, W_o_2, b_o_2, W_y, b_y, h_10, C_10, h_20, C_20."""
    W_f_1 = params["W_f_1"]
    b_f_1 = params["b_f_1"]
    W_i_1 = params["W_i_1"]
    b_i_1 = params["b_i_1"]
    W_C_1 = params["W_C_1"]
    b_C_1 = params["b_C_1"]
    W_o_1 = params["W_o_1"]
    b_o_1 = params["b_o_1"]
    W_f_2 = params["W_f_2"]
    b_f_2 = params["b_f_2"]
    W_i_2 = params["W_i_2"]
    b_i_2 = params["b_i_2"]
    W_C_2 = params["W_C_2"]
    b_C_2 = params["b_C_2"]
    W_o_2 = params["W_o_2"]
    b_o_2 = params["b_o_2"]
    W_y = params["W_y"]
    b_y = params["b_y"]
    x = inputs["x"]
    target = inputs["target"]
    T, lead = x.shape[0], x.shape[1:-1]
    dtype = np.result_type(0.0, x, *params.values())
    n_h_1 = W_f_1.shape[-2]
    n_x = W_f_1.shape[-1] - n_h_1
    n_h_2 = W_f_2.shape[-2]
    n_y = W_y.shape[-2]
    given = {**params, **inputs}
    h_10 = given.get("h_10", np.zeros(n_h_1, dtype))
    C_10 = given.get("C_10", np.zeros(n_h_1, dtype))
    h_20 = given.get("h_20", np.zeros(n_h_2, dtype))
    C_20 = given.get("C_20", np.zeros(n_h_2, dtype))

    # f_1_in[t] = W_f_1[:, size(h_1):size(h_1) + size(x)] @ x[t] + b_f_1
    f_1_in = (x @ W_f_1[:, n_h_1:n_h_1 + n_x].T) + b_f_1

    # i_1_in[t] = W_i_1[:, size(h_1):size(h_1) + size(x)] @ x[t] + b_i_1
    i_1_in = (x @ W_i_1[:, n_h_1:n_h_1 + n_x].T) + b_i_1

    # C_add_1_in[t] = W_C_1[:, size(h_1):size(h_1) + size(x)] @ x[t] + b_C_1
    C_add_1_in = (x @ W_C_1[:, n_h_1:n_h_1 + n_x].T) + b_C_1

    # o_1_in[t] = W_o_1[:, size(h_1):size(h_1) + size(x)] @ x[t] + b_o_1
    o_1_in = (x @ W_o_1[:, n_h_1:n_h_1 + n_x].T) + b_o_1

    f_1 = np.empty((T + 1, *lead, n_h_1), dtype)
    f_1[T:] = 0.0
    i_1 = np.empty((T, *lead, n_h_1), dtype)
    C_add_1 = np.empty((T, *lead, n_h_1), dtype)
    C_1 = np.empty((T + 1, *lead, n_h_1), dtype)
    C_1[:1] = C_10
    o_1 = np.empty((T, *lead, n_h_1), dtype)
    tanh_C_1 = np.empty((T, *lead, n_h_1), dtype)
    h_1 = np.empty((T + 1, *lead, n_h_1), dtype)
    h_1[:1] = h_10
    fixed1 = W_f_1[:, 0:n_h_1]
    fixed2 = fixed1.T
    fixed3 = W_i_1[:, 0:n_h_1]
    fixed4 = fixed3.T
    fixed5 = W_C_1[:, 0:n_h_1]
    fixed6 = fixed5.T
    fixed7 = W_o_1[:, 0:n_h_1]
    fixed8 = fixed7.T
    for t in range(1, T + 1):
        # f_1[t] = sigmoid(f_1_in[t] + W_f_1[:, 0:size(h_1)] @ h_1[t-1])
        f_1_t = f_1[t - 1] = sigmoid(f_1_in[t - 1] + (h_1[t - 1] @ fixed2))
        # i_1[t] = sigmoid(i_1_in[t] + W_i_1[:, 0:size(h_1)] @ h_1[t-1])
        i_1_t = i_1[t - 1] = sigmoid(i_1_in[t - 1] + (h_1[t - 1] @ fixed4))
        # C_add_1[t] = tanh(C_add_1_in[t] + W_C_1[:, 0:size(h_1)] @ h_1[t-1])
        C_add_1_t = C_add_1[t - 1] = np.tanh(C_add_1_in[t - 1] + (h_1[t - 1] @ fixed6))
        # C_1[t] = f_1[t] * C_1[t-1] + i_1[t] * C_add_1[t]
        C_1_t = C_1[t] = (f_1_t * C_1[t - 1]) + (i_1_t * C_add_1_t)
        # o_1[t] = sigmoid(o_1_in[t] + W_o_1[:, 0:size(h_1)] @ h_1[t-1])
        o_1_t = o_1[t - 1] = sigmoid(o_1_in[t - 1] + (h_1[t - 1] @ fixed8))
        # tanh_C_1[t] = tanh(C_1[t])
        tanh_C_1_t = tanh_C_1[t - 1] = np.tanh(C_1_t)
        # h_1[t] = o_1[t] * tanh_C_1[t]
        h_1_t = h_1[t] = o_1_t * tanh_C_1_t

    # f_2_in[t] = W_f_2[:, size(h_2):size(h_1) + size(h_2)] @ h_1[t] + b_f_2
    f_2_in = (h_1[1:T + 1] @ W_f_2[:, n_h_2:n_h_1 + n_h_2].T) + b_f_2

    # i_2_in[t] = W_i_2[:, size(h_2):size(h_1) + size(h_2)] @ h_1[t] + b_i_2
    i_2_in = (h_1[1:T + 1] @ W_i_2[:, n_h_2:n_h_1 + n_h_2].T) + b_i_2

    # C_add_2_in[t] = W_C_2[:, size(h_2):size(h_1) + size(h_2)] @ h_1[t] + b_C_2
    C_add_2_in = (h_1[1:T + 1] @ W_C_2[:, n_h_2:n_h_1 + n_h_2].T) + b_C_2

    # o_2_in[t] = W_o_2[:, size(h_2):size(h_1) + size(h_2)] @ h_1[t] + b_o_2
    o_2_in = (h_1[1:T + 1] @ W_o_2[:, n_h_2:n_h_1 + n_h_2].T) + b_o_2

    f_2 = np.empty((T + 1, *lead, n_h_2), dtype)
    f_2[T:] = 0.0
    i_2 = np.empty((T, *lead, n_h_2), dtype)
    C_add_2 = np.empty((T, *lead, n_h_2), dtype)
    C_2 = np.empty((T + 1, *lead, n_h_2), dtype)
    C_2[:1] = C_20
    o_2 = np.empty((T, *lead, n_h_2), dtype)
    tanh_C_2 = np.empty((T, *lead, n_h_2), dtype)
    h_2 = np.empty((T + 1, *lead, n_h_2), dtype)
    h_2[:1] = h_20
    fixed9 = W_f_2[:, 0:n_h_2]
    fixed10 = fixed9.T
    fixed11 = W_i_2[:, 0:n_h_2]
    fixed12 = fixed11.T
    fixed13 = W_C_2[:, 0:n_h_2]
    fixed14 = fixed13.T
    fixed15 = W_o_2[:, 0:n_h_2]
    fixed16 = fixed15.T
    for t in range(1, T + 1):
        # f_2[t] = sigmoid(f_2_in[t] + W_f_2[:, 0:size(h_2)] @ h_2[t-1])
        f_2_t = f_2[t - 1] = sigmoid(f_2_in[t - 1] + (h_2[t - 1] @ fixed10))
        # i_2[t] = sigmoid(i_2_in[t] + W_i_2[:, 0:size(h_2)] @ h_2[t-1])
        i_2_t = i_2[t - 1] = sigmoid(i_2_in[t - 1] + (h_2[t - 1] @ fixed12))
        # C_add_2[t] = tanh(C_add_2_in[t] + W_C_2[:, 0:size(h_2)] @ h_2[t-1])
        C_add_2_t = C_add_2[t - 1] = np.tanh(C_add_2_in[t - 1] + (h_2[t - 1] @ fixed14))
        # C_2[t] = f_2[t] * C_2[t-1] + i_2[t] * C_add_2[t]
        C_2_t = C_2[t] = (f_2_t * C_2[t - 1]) + (i_2_t * C_add_2_t)
        # o_2[t] = sigmoid(o_2_in[t] + W_o_2[:, 0:size(h_2)] @ h_2[t-1])
        o_2_t = o_2[t - 1] = sigmoid(o_2_in[t - 1] + (h_2[t - 1] @ fixed16))
        # tanh_C_2[t] = tanh(C_2[t])
        tanh_C_2_t = tanh_C_2[t - 1] = np.tanh(C_2_t)
        # h_2[t] = o_2[t] * tanh_C_2[t]
        h_2_t = h_2[t] = o_2_t * tanh_C_2_t

    # y[t] = sigmoid(W_y @ h_2[t] + b_y)
    y = sigmoid((h_2[1:T + 1] @ W_y.T) + b_y)

    # dy[t] = (y[T] - target if t == T else 0)
    dy = impulse((y[T - 1] - target), T - 1, (T, *lead, n_y), dtype)

    # delta_y[t] = dy[t] * y[t] * (1 - y[t])
    delta_y = dy * y * (1 - y)

    # dh_2_in[t] = W_y.T @ delta_y[t]
    dh_2_in = delta_y @ W_y

    # dC_2_in[t] = 1 - tanh_C_2[t]**2
    dC_2_in = 1 - (tanh_C_2 * tanh_C_2)

    # delta_o_2_in[t] = 1 - o_2[t]
    delta_o_2_in = 1 - o_2

    # delta_C_add_2_in[t] = 1 - C_add_2[t]**2
    delta_C_add_2_in = 1 - (C_add_2 * C_add_2)

    # delta_i_2_in[t] = 1 - i_2[t]
    delta_i_2_in = 1 - i_2

    # delta_f_2_in[t] = 1 - f_2[t]
    delta_f_2_in = 1 - f_2[:T]

    # dC_1_in[t] = 1 - tanh_C_1[t]**2
    dC_1_in = 1 - (tanh_C_1 * tanh_C_1)

    # delta_o_1_in[t] = 1 - o_1[t]
    delta_o_1_in = 1 - o_1

    # delta_C_add_1_in[t] = 1 - C_add_1[t]**2
    delta_C_add_1_in = 1 - (C_add_1 * C_add_1)

    # delta_i_1_in[t] = 1 - i_1[t]
    delta_i_1_in = 1 - i_1

    # delta_f_1_in[t] = 1 - f_1[t]
    delta_f_1_in = 1 - f_1[:T]

    # L = squared_error(y[T], target)
    L = squared_error(y[T - 1], target)

    dC_2 = np.empty((T + 1, *lead, n_h_2), dtype)
    dC_2[T:] = 0.0
    delta_o_2 = np.empty((T, *lead, n_h_2), dtype)
    delta_o_2_2 = np.empty((T + 1, *lead, n_h_1 + n_h_2), dtype)
    delta_o_2_2[T:] = 0.0
    delta_C_add_2 = np.empty((T, *lead, n_h_2), dtype)
    delta_C_add_2_2 = np.empty((T + 1, *lead, n_h_1 + n_h_2), dtype)
    delta_C_add_2_2[T:] = 0.0
    delta_i_2 = np.empty((T, *lead, n_h_2), dtype)
    delta_i_2_2 = np.empty((T + 1, *lead, n_h_1 + n_h_2), dtype)
    delta_i_2_2[T:] = 0.0
    delta_f_2 = np.empty((T, *lead, n_h_2), dtype)
    delta_f_2_2 = np.empty((T + 1, *lead, n_h_1 + n_h_2), dtype)
    delta_f_2_2[T:] = 0.0
    for t in range(T, 0, -1):
        # dh_2[t] = dh_2_in[t] + delta_o_2_2[t+1][0:size(h_2)] + delta_C_add_2_2[t+1][0:size(h_2)] + delta_i_2_2[t+1][0:size(h_2)] + delta_f_2_2[t+1][0:size(h_2)]
        dh_2_t = dh_2_in[t - 1] + delta_o_2_2[t][..., 0:n_h_2] + delta_C_add_2_2[t][..., 0:n_h_2] + delta_i_2_2[t][..., 0:n_h_2] + delta_f_2_2[t][..., 0:n_h_2]
        # dC_2[t] = dh_2[t] * o_2[t] * dC_2_in[t] + dC_2[t+1] * f_2[t+1]
        dC_2_t = dC_2[t - 1] = (dh_2_t * o_2[t - 1] * dC_2_in[t - 1]) + (dC_2[t] * f_2[t])
        # df_2[t] = dC_2[t] * C_2[t-1]
        df_2_t = dC_2_t * C_2[t - 1]
        # di_2[t] = dC_2[t] * C_add_2[t]
        di_2_t = dC_2_t * C_add_2[t - 1]
        # dC_add_2[t] = dC_2[t] * i_2[t]
        dC_add_2_t = dC_2_t * i_2[t - 1]
        # do_2[t] = dh_2[t] * tanh_C_2[t]
        do_2_t = dh_2_t * tanh_C_2[t - 1]
        # delta_o_2[t] = do_2[t] * o_2[t] * delta_o_2_in[t]
        delta_o_2_t = delta_o_2[t - 1] = do_2_t * o_2[t - 1] * delta_o_2_in[t - 1]
        # delta_o_2_2[t] = W_o_2.T @ delta_o_2[t]
        delta_o_2_2_t = delta_o_2_2[t - 1] = delta_o_2_t @ W_o_2
        # delta_C_add_2[t] = dC_add_2[t] * delta_C_add_2_in[t]
        delta_C_add_2_t = delta_C_add_2[t - 1] = dC_add_2_t * delta_C_add_2_in[t - 1]
        # delta_C_add_2_2[t] = W_C_2.T @ delta_C_add_2[t]
        delta_C_add_2_2_t = delta_C_add_2_2[t - 1] = delta_C_add_2_t @ W_C_2
        # delta_i_2[t] = di_2[t] * i_2[t] * delta_i_2_in[t]
        delta_i_2_t = delta_i_2[t - 1] = di_2_t * i_2[t - 1] * delta_i_2_in[t - 1]
        # delta_i_2_2[t] = W_i_2.T @ delta_i_2[t]
        delta_i_2_2_t = delta_i_2_2[t - 1] = delta_i_2_t @ W_i_2
        # delta_f_2[t] = df_2[t] * f_2[t] * delta_f_2_in[t]
        delta_f_2_t = delta_f_2[t - 1] = df_2_t * f_2[t - 1] * delta_f_2_in[t - 1]
        # delta_f_2_2[t] = W_f_2.T @ delta_f_2[t]
        delta_f_2_2_t = delta_f_2_2[t - 1] = delta_f_2_t @ W_f_2

    dC_1 = np.empty((T + 1, *lead, n_h_1), dtype)
    dC_1[T:] = 0.0
    delta_o_1 = np.empty((T + 1, *lead, n_h_1), dtype)
    delta_o_1[T:] = 0.0
    delta_C_add_1 = np.empty((T + 1, *lead, n_h_1), dtype)
    delta_C_add_1[T:] = 0.0
    delta_i_1 = np.empty((T + 1, *lead, n_h_1), dtype)
    delta_i_1[T:] = 0.0
    delta_f_1 = np.empty((T + 1, *lead, n_h_1), dtype)
    delta_f_1[T:] = 0.0
    fixed18 = W_o_1[:, 0:n_h_1]
    fixed19 = W_C_1[:, 0:n_h_1]
    fixed20 = W_i_1[:, 0:n_h_1]
    fixed21 = W_f_1[:, 0:n_h_1]
    for t in range(T, 0, -1):
        # dh_1[t] = delta_o_2_2[t][size(h_2):size(h_1) + size(h_2)] + delta_C_add_2_2[t][size(h_2):size(h_1) + size(h_2)] + delta_i_2_2[t][size(h_2):size(h_1) + size(h_2)] + delta_f_2_2[t][size(h_2):size(h_1) + size(h_2)] + W_o_1[:, 0:size(h_1)].T @ delta_o_1[t+1] + W_C_1[:, 0:size(h_1)].T @ delta_C_add_1[t+1] + W_i_1[:, 0:size(h_1)].T @ delta_i_1[t+1] + W_f_1[:, 0:size(h_1)].T @ delta_f_1[t+1]
        dh_1_t = delta_o_2_2[t - 1][..., n_h_2:n_h_1 + n_h_2] + delta_C_add_2_2[t - 1][..., n_h_2:n_h_1 + n_h_2] + delta_i_2_2[t - 1][..., n_h_2:n_h_1 + n_h_2] + delta_f_2_2[t - 1][..., n_h_2:n_h_1 + n_h_2] + (delta_o_1[t] @ fixed18) + (delta_C_add_1[t] @ fixed19) + (delta_i_1[t] @ fixed20) + (delta_f_1[t] @ fixed21)
        # dC_1[t] = dh_1[t] * o_1[t] * dC_1_in[t] + dC_1[t+1] * f_1[t+1]
        dC_1_t = dC_1[t - 1] = (dh_1_t * o_1[t - 1] * dC_1_in[t - 1]) + (dC_1[t] * f_1[t])
        # df_1[t] = dC_1[t] * C_1[t-1]
        df_1_t = dC_1_t * C_1[t - 1]
        # di_1[t] = dC_1[t] * C_add_1[t]
        di_1_t = dC_1_t * C_add_1[t - 1]
        # dC_add_1[t] = dC_1[t] * i_1[t]
        dC_add_1_t = dC_1_t * i_1[t - 1]
        # do_1[t] = dh_1[t] * tanh_C_1[t]
        do_1_t = dh_1_t * tanh_C_1[t - 1]
        # delta_o_1[t] = do_1[t] * o_1[t] * delta_o_1_in[t]
        delta_o_1_t = delta_o_1[t - 1] = do_1_t * o_1[t - 1] * delta_o_1_in[t - 1]
        # delta_C_add_1[t] = dC_add_1[t] * delta_C_add_1_in[t]
        delta_C_add_1_t = delta_C_add_1[t - 1] = dC_add_1_t * delta_C_add_1_in[t - 1]
        # delta_i_1[t] = di_1[t] * i_1[t] * delta_i_1_in[t]
        delta_i_1_t = delta_i_1[t - 1] = di_1_t * i_1[t - 1] * delta_i_1_in[t - 1]
        # delta_f_1[t] = df_1[t] * f_1[t] * delta_f_1_in[t]
        delta_f_1_t = delta_f_1[t - 1] = df_1_t * f_1[t - 1] * delta_f_1_in[t - 1]

    # dW_f_1 = sum(delta_f_1[t] @ [h_1[t-1], x[t]].T, t, batch)
    part22 = np.concatenate([h_1[:T], x], -1)
    dW_f_1 = gram(delta_f_1[:T], part22)

    # db_f_1 = sum(delta_f_1[t], t, batch)
    db_f_1 = over_batch(delta_f_1[:T].sum(0), 1)

    # dW_i_1 = sum(delta_i_1[t] @ [h_1[t-1], x[t]].T, t, batch)
    dW_i_1 = gram(delta_i_1[:T], part22)

    # db_i_1 = sum(delta_i_1[t], t, batch)
    db_i_1 = over_batch(delta_i_1[:T].sum(0), 1)

    # dW_C_1 = sum(delta_C_add_1[t] @ [h_1[t-1], x[t]].T, t, batch)
    dW_C_1 = gram(delta_C_add_1[:T], part22)

    # db_C_1 = sum(delta_C_add_1[t], t, batch)
    db_C_1 = over_batch(delta_C_add_1[:T].sum(0), 1)

    # dW_o_1 = sum(delta_o_1[t] @ [h_1[t-1], x[t]].T, t, batch)
    dW_o_1 = gram(delta_o_1[:T], part22)

    # db_o_1 = sum(delta_o_1[t], t, batch)
    db_o_1 = over_batch(delta_o_1[:T].sum(0), 1)

    # dW_f_2 = sum(delta_f_2[t] @ [h_2[t-1], h_1[t]].T, t, batch)
    part23 = np.concatenate([h_2[:T], h_1[1:T + 1]], -1)
    dW_f_2 = gram(delta_f_2, part23)

    # db_f_2 = sum(delta_f_2[t], t, batch)
    db_f_2 = over_batch(delta_f_2.sum(0), 1)

    # dW_i_2 = sum(delta_i_2[t] @ [h_2[t-1], h_1[t]].T, t, batch)
    dW_i_2 = gram(delta_i_2, part23)

    # db_i_2 = sum(delta_i_2[t], t, batch)
    db_i_2 = over_batch(delta_i_2.sum(0), 1)

    # dW_C_2 = sum(delta_C_add_2[t] @ [h_2[t-1], h_1[t]].T, t, batch)
    dW_C_2 = gram(delta_C_add_2, part23)

    # db_C_2 = sum(delta_C_add_2[t], t, batch)
    db_C_2 = over_batch(delta_C_add_2.sum(0), 1)

    # dW_o_2 = sum(delta_o_2[t] @ [h_2[t-1], h_1[t]].T, t, batch)
    dW_o_2 = gram(delta_o_2, part23)

    # db_o_2 = sum(delta_o_2[t], t, batch)
    db_o_2 = over_batch(delta_o_2.sum(0), 1)

    # dW_y = sum(delta_y[t] @ h_2[t].T, t, batch)
    dW_y = gram(delta_y, h_2[1:T + 1])

    # db_y = sum(delta_y[t], t, batch)
    db_y = over_batch(delta_y.sum(0), 1)

    # dh_1_0 = W_o_1[:, 0:size(h_1)].T @ delta_o_1[1] + W_C_1[:, 0:size(h_1)].T @ delta_C_add_1[1] + W_i_1[:, 0:size(h_1)].T @ delta_i_1[1] + W_f_1[:, 0:size(h_1)].T @ delta_f_1[1]
    dh_1_0 = (delta_o_1[0] @ W_o_1[:, 0:n_h_1]) + (delta_C_add_1[0] @ W_C_1[:, 0:n_h_1]) + (delta_i_1[0] @ W_i_1[:, 0:n_h_1]) + (delta_f_1[0] @ W_f_1[:, 0:n_h_1])

    # dC_1_0 = dC_1[1] * f_1[1]
    dC_1_0 = dC_1[0] * f_1[0]

    # dh_2_0 = delta_o_2_2[1][0:size(h_2)] + delta_C_add_2_2[1][0:size(h_2)] + delta_i_2_2[1][0:size(h_2)] + delta_f_2_2[1][0:size(h_2)]
    dh_2_0 = delta_o_2_2[0][..., 0:n_h_2] + delta_C_add_2_2[0][..., 0:n_h_2] + delta_i_2_2[0][..., 0:n_h_2] + delta_f_2_2[0][..., 0:n_h_2]

    # dC_2_0 = dC_2[1] * f_2[1]
    dC_2_0 = dC_2[0] * f_2[0]
    return L.sum(), {'W_f_1': dW_f_1, 'b_f_1': db_f_1, 'W_i_1': dW_i_1, 'b_i_1': db_i_1, 'W_C_1': dW_C_1, 'b_C_1': db_C_1, 'W_o_1': dW_o_1, 'b_o_1': db_o_1, 'W_f_2': dW_f_2, 'b_f_2': db_f_2, 'W_i_2': dW_i_2, 'b_i_2': db_i_2, 'W_C_2': dW_C_2, 'b_C_2': db_C_2, 'W_o_2': dW_o_2, 'b_o_2': db_o_2, 'W_y': dW_y, 'b_y': db_y, 'h_10': dh_1_0, 'C_10': dC_1_0, 'h_20': dh_2_0, 'C_20': dC_2_0}
