"""The loss of a recurrent network and its gradient (back-propagation through time).

The network:

    f_L[t] = sigmoid(W_f_L @ [h_L[t-1], x[t]] + b_f_L)
    i_L[t] = sigmoid(W_i_L @ [h_L[t-1], x[t]] + b_i_L)
    C_add_L[t] = tanh(W_C_L @ [h_L[t-1], x[t]] + b_C_L)
    C_L[t] = f_L[t] * C_L[t-1] + i_L[t] * C_add_L[t]
    o_L[t] = sigmoid(W_o_L @ [h_L[t-1], x[t]] + b_o_L)
    h_L[t] = o_L[t] * tanh(C_L[t])
    f_R[t] = sigmoid(W_f_R @ [h_R[t+1], x[t]] + b_f_R)
    i_R[t] = sigmoid(W_i_R @ [h_R[t+1], x[t]] + b_i_R)
    C_add_R[t] = tanh(W_C_R @ [h_R[t+1], x[t]] + b_C_R)
    C_R[t] = f_R[t] * C_R[t+1] + i_R[t] * C_add_R[t]
    o_R[t] = sigmoid(W_o_R @ [h_R[t+1], x[t]] + b_o_R)
    h_R[t] = o_R[t] * tanh(C_R[t])
    h[t] = [h_L[t], h_R[t]]
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
    """Return the loss, and a dict of arrays: W_f_L, b_f_L, W_i_L, b_i_L, W_C_L, b_C_L, W_o_L, b_o_L, W_f_R, b_f_R, W_i_R, b_i_R, W_C_R, b_C_R, W_o_R, b_o_R, W_y, b_y, h_L0, C_L0, h_R0, C_R0."""
    W_f_L = params["W_f_L"]
    b_f_L = params["b_f_L"]
    W_i_L = params["W_i_L"]
    b_i_L = params["b_i_L"]
    W_C_L = params["W_C_L"]
    b_C_L = params["b_C_L"]
    W_o_L = params["W_o_L"]
    b_o_L = params["b_o_L"]
    W_f_R = params["W_f_R"]
    b_f_R = params["b_f_R"]
    W_i_R = params["W_i_R"]
    b_i_R = params["b_i_R"]
    W_C_R = params["W_C_R"]
    b_C_R = params["b_C_R"]
    W_o_R = params["W_o_R"]
    b_o_R = params["b_o_R"]
    W_y = params["W_y"]
    b_y = params["b_y"]
    x = inputs["x"]
    target = inputs["target"]
    T, lead = x.shape[0], x.shape[1:-1]
    dtype = np.result_type(0.0, x, *params.values())
    n_h_L = W_f_L.shape[-2]
    n_x = W_f_L.shape[-1] - n_h_L
    n_h_R = W_f_R.shape[-2]
    n_y = W_y.shape[-2]
    given = {**params, **inputs}
    h_L0 = given.get("h_L0", np.zeros(n_h_L, dtype))
    C_L0 = given.get("C_L0", np.zeros(n_h_L, dtype))
    h_R0 = given.get("h_R0", np.zeros(n_h_R, dtype))
    C_R0 = given.get("C_R0", np.zeros(n_h_R, dtype))

    # f_L_in[t] = W_f_L[:, size(h_L):size(h_L) + size(x)] @ x[t] + b_f_L
    f_L_in = (x @ W_f_L[:, n_h_L:n_h_L + n_x].T) + b_f_L

    # i_L_in[t] = W_i_L[:, size(h_L):size(h_L) + size(x)] @ x[t] + b_i_L
    i_L_in = (x @ W_i_L[:, n_h_L:n_h_L + n_x].T) + b_i_L

    # C_add_L_in[t] = W_C_L[:, size(h_L):size(h_L) + size(x)] @ x[t] + b_C_L
    C_add_L_in = (x @ W_C_L[:, n_h_L:n_h_L + n_x].T) + b_C_L

    # o_L_in[t] = W_o_L[:, size(h_L):size(h_L) + size(x)] @ x[t] + b_o_L
    o_L_in = (x @ W_o_L[:, n_h_L:n_h_L + n_x].T) + b_o_L

    # f_R_in[t] = W_f_R[:, size(h_R):size(h_R) + size(x)] @ x[t] + b_f_R
    f_R_in = (x @ W_f_R[:, n_h_R:n_h_R + n_x].T) + b_f_R

    # i_R_in[t] = W_i_R[:, size(h_R):size(h_R) + size(x)] @ x[t] + b_i_R
    i_R_in = (x @ W_i_R[:, n_h_R:n_h_R + n_x].T) + b_i_R

    # C_add_R_in[t] = W_C_R[:, size(h_R):size(h_R) + size(x)] @ x[t] + b_C_R
    C_add_R_in = (x @ W_C_R[:, n_h_R:n_h_R + n_x].T) + b_C_R

    # o_R_in[t] = W_o_R[:, size(h_R):size(h_R) + size(x)] @ x[t] + b_o_R
    o_R_in = (x @ W_o_R[:, n_h_R:n_h_R + n_x].T) + b_o_R

    f_L = np.empty((T + 1, *lead, n_h_L), dtype)
    f_L[T:] = 0.0
    i_L = np.empty((T, *lead, n_h_L), dtype)
    C_add_L = np.empty((T, *lead, n_h_L), dtype)
    C_L = np.empty((T + 1, *lead, n_h_L), dtype)
    C_L[:1] = C_L0
    o_L = np.empty((T, *lead, n_h_L), dtype)
    tanh_C_L = np.empty((T, *lead, n_h_L), dtype)
    h_L = np.empty((T + 1, *lead, n_h_L), dtype)
    h_L[:1] = h_L0
    fixed1 = W_f_L[:, 0:n_h_L]
    fixed2 = fixed1.T
    fixed3 = W_i_L[:, 0:n_h_L]
    fixed4 = fixed3.T
    fixed5 = W_C_L[:, 0:n_h_L]
    fixed6 = fixed5.T
    fixed7 = W_o_L[:, 0:n_h_L]
    fixed8 = fixed7.T
    for t in range(1, T + 1):
        # f_L[t] = sigmoid(f_L_in[t] + W_f_L[:, 0:size(h_L)] @ h_L[t-1])
        f_L_t = f_L[t - 1] = sigmoid(f_L_in[t - 1] + (h_L[t - 1] @ fixed2))
        # i_L[t] = sigmoid(i_L_in[t] + W_i_L[:, 0:size(h_L)] @ h_L[t-1])
        i_L_t = i_L[t - 1] = sigmoid(i_L_in[t - 1] + (h_L[t - 1] @ fixed4))
        # C_add_L[t] = tanh(C_add_L_in[t] + W_C_L[:, 0:size(h_L)] @ h_L[t-1])
        C_add_L_t = C_add_L[t - 1] = np.tanh(C_add_L_in[t - 1] + (h_L[t - 1] @ fixed6))
        # C_L[t] = f_L[t] * C_L[t-1] + i_L[t] * C_add_L[t]
        C_L_t = C_L[t] = (f_L_t * C_L[t - 1]) + (i_L_t * C_add_L_t)
        # o_L[t] = sigmoid(o_L_in[t] + W_o_L[:, 0:size(h_L)] @ h_L[t-1])
        o_L_t = o_L[t - 1] = sigmoid(o_L_in[t - 1] + (h_L[t - 1] @ fixed8))
        # tanh_C_L[t] = tanh(C_L[t])
        tanh_C_L_t = tanh_C_L[t - 1] = np.tanh(C_L_t)
        # h_L[t] = o_L[t] * tanh_C_L[t]
        h_L_t = h_L[t] = o_L_t * tanh_C_L_t

    # dC_L_in[t] = 1 - tanh_C_L[t]**2
    dC_L_in = 1 - (tanh_C_L * tanh_C_L)

    # delta_o_L_in[t] = 1 - o_L[t]
    delta_o_L_in = 1 - o_L

    # delta_C_add_L_in[t] = 1 - C_add_L[t]**2
    delta_C_add_L_in = 1 - (C_add_L * C_add_L)

    # delta_i_L_in[t] = 1 - i_L[t]
    delta_i_L_in = 1 - i_L

    # delta_f_L_in[t] = 1 - f_L[t]
    delta_f_L_in = 1 - f_L[:T]

    f_R = np.empty((T + 1, *lead, n_h_R), dtype)
    f_R[:1] = 0.0
    i_R = np.empty((T, *lead, n_h_R), dtype)
    C_add_R = np.empty((T, *lead, n_h_R), dtype)
    C_R = np.empty((T + 1, *lead, n_h_R), dtype)
    C_R[T:] = C_R0
    o_R = np.empty((T, *lead, n_h_R), dtype)
    tanh_C_R = np.empty((T, *lead, n_h_R), dtype)
    h_R = np.empty((T + 1, *lead, n_h_R), dtype)
    h_R[T:] = h_R0
    fixed9 = W_f_R[:, 0:n_h_R]
    fixed10 = fixed9.T
    fixed11 = W_i_R[:, 0:n_h_R]
    fixed12 = fixed11.T
    fixed13 = W_C_R[:, 0:n_h_R]
    fixed14 = fixed13.T
    fixed15 = W_o_R[:, 0:n_h_R]
    fixed16 = fixed15.T
    for t in range(T, 0, -1):
        # f_R[t] = sigmoid(f_R_in[t] + W_f_R[:, 0:size(h_R)] @ h_R[t+1])
        f_R_t = f_R[t] = sigmoid(f_R_in[t - 1] + (h_R[t] @ fixed10))
        # i_R[t] = sigmoid(i_R_in[t] + W_i_R[:, 0:size(h_R)] @ h_R[t+1])
        i_R_t = i_R[t - 1] = sigmoid(i_R_in[t - 1] + (h_R[t] @ fixed12))
        # C_add_R[t] = tanh(C_add_R_in[t] + W_C_R[:, 0:size(h_R)] @ h_R[t+1])
        C_add_R_t = C_add_R[t - 1] = np.tanh(C_add_R_in[t - 1] + (h_R[t] @ fixed14))
        # C_R[t] = f_R[t] * C_R[t+1] + i_R[t] * C_add_R[t]
        C_R_t = C_R[t - 1] = (f_R_t * C_R[t]) + (i_R_t * C_add_R_t)
        # o_R[t] = sigmoid(o_R_in[t] + W_o_R[:, 0:size(h_R)] @ h_R[t+1])
        o_R_t = o_R[t - 1] = sigmoid(o_R_in[t - 1] + (h_R[t] @ fixed16))
        # tanh_C_R[t] = tanh(C_R[t])
        tanh_C_R_t = tanh_C_R[t - 1] = np.tanh(C_R_t)
        # h_R[t] = o_R[t] * tanh_C_R[t]
        h_R_t = h_R[t - 1] = o_R_t * tanh_C_R_t

    # dC_R_in[t] = 1 - tanh_C_R[t]**2
    dC_R_in = 1 - (tanh_C_R * tanh_C_R)

    # delta_o_R_in[t] = 1 - o_R[t]
    delta_o_R_in = 1 - o_R

    # delta_C_add_R_in[t] = 1 - C_add_R[t]**2
    delta_C_add_R_in = 1 - (C_add_R * C_add_R)

    # delta_i_R_in[t] = 1 - i_R[t]
    delta_i_R_in = 1 - i_R

    # delta_f_R_in[t] = 1 - f_R[t]
    delta_f_R_in = 1 - f_R[1:T + 1]

    # h[t] = [h_L[t], h_R[t]]
    h = np.concatenate([h_L[1:T + 1], h_R[:T]], -1)

    # y[t] = sigmoid(W_y @ h[t] + b_y)
    y = sigmoid((h @ W_y.T) + b_y)

    # L = squared_error(y[T], target)
    L = squared_error(y[T - 1], target)

    # dy[t] = (y[T] - target if t == T else 0)
    dy = impulse((y[T - 1] - target), T - 1, (T, *lead, n_y), dtype)

    # delta_y[t] = dy[t] * y[t] * (1 - y[t])
    delta_y = dy * y * (1 - y)

    # dh[t] = W_y.T @ delta_y[t]
    dh = delta_y @ W_y

    dC_L = np.empty((T + 1, *lead, n_h_L), dtype)
    dC_L[T:] = 0.0
    delta_o_L = np.empty((T + 1, *lead, n_h_L), dtype)
    delta_o_L[T:] = 0.0
    delta_C_add_L = np.empty((T + 1, *lead, n_h_L), dtype)
    delta_C_add_L[T:] = 0.0
    delta_i_L = np.empty((T + 1, *lead, n_h_L), dtype)
    delta_i_L[T:] = 0.0
    delta_f_L = np.empty((T + 1, *lead, n_h_L), dtype)
    delta_f_L[T:] = 0.0
    fixed19 = W_o_L[:, 0:n_h_L]
    fixed20 = W_C_L[:, 0:n_h_L]
    fixed21 = W_i_L[:, 0:n_h_L]
    fixed22 = W_f_L[:, 0:n_h_L]
    for t in range(T, 0, -1):
        # dh_L[t] = dh[t][0:size(h_L)] + W_o_L[:, 0:size(h_L)].T @ delta_o_L[t+1] + W_C_L[:, 0:size(h_L)].T @ delta_C_add_L[t+1] + W_i_L[:, 0:size(h_L)].T @ delta_i_L[t+1] + W_f_L[:, 0:size(h_L)].T @ delta_f_L[t+1]
        dh_L_t = dh[t - 1][..., 0:n_h_L] + (delta_o_L[t] @ fixed19) + (delta_C_add_L[t] @ fixed20) + (delta_i_L[t] @ fixed21) + (delta_f_L[t] @ fixed22)
        # dC_L[t] = dh_L[t] * o_L[t] * dC_L_in[t] + dC_L[t+1] * f_L[t+1]
        dC_L_t = dC_L[t - 1] = (dh_L_t * o_L[t - 1] * dC_L_in[t - 1]) + (dC_L[t] * f_L[t])
        # df_L[t] = dC_L[t] * C_L[t-1]
        df_L_t = dC_L_t * C_L[t - 1]
        # di_L[t] = dC_L[t] * C_add_L[t]
        di_L_t = dC_L_t * C_add_L[t - 1]
        # dC_add_L[t] = dC_L[t] * i_L[t]
        dC_add_L_t = dC_L_t * i_L[t - 1]
        # do_L[t] = dh_L[t] * tanh_C_L[t]
        do_L_t = dh_L_t * tanh_C_L[t - 1]
        # delta_o_L[t] = do_L[t] * o_L[t] * delta_o_L_in[t]
        delta_o_L_t = delta_o_L[t - 1] = do_L_t * o_L[t - 1] * delta_o_L_in[t - 1]
        # delta_C_add_L[t] = dC_add_L[t] * delta_C_add_L_in[t]
        delta_C_add_L_t = delta_C_add_L[t - 1] = dC_add_L_t * delta_C_add_L_in[t - 1]
        # delta_i_L[t] = di_L[t] * i_L[t] * delta_i_L_in[t]
        delta_i_L_t = delta_i_L[t - 1] = di_L_t * i_L[t - 1] * delta_i_L_in[t - 1]
        # delta_f_L[t] = df_L[t] * f_L[t] * delta_f_L_in[t]
        delta_f_L_t = delta_f_L[t - 1] = df_L_t * f_L[t - 1] * delta_f_L_in[t - 1]

    dC_R = np.empty((T + 1, *lead, n_h_R), dtype)
    dC_R[:1] = 0.0
    delta_o_R = np.empty((T + 1, *lead, n_h_R), dtype)
    delta_o_R[:1] = 0.0
    delta_C_add_R = np.empty((T + 1, *lead, n_h_R), dtype)
    delta_C_add_R[:1] = 0.0
    delta_i_R = np.empty((T + 1, *lead, n_h_R), dtype)
    delta_i_R[:1] = 0.0
    delta_f_R = np.empty((T + 1, *lead, n_h_R), dtype)
    delta_f_R[:1] = 0.0
    fixed23 = W_o_R[:, 0:n_h_R]
    fixed24 = W_C_R[:, 0:n_h_R]
    fixed25 = W_i_R[:, 0:n_h_R]
    fixed26 = W_f_R[:, 0:n_h_R]
    for t in range(1, T + 1):
        # dh_R[t] = dh[t][size(h_L):size(h_L) + size(h_R)] + W_o_R[:, 0:size(h_R)].T @ delta_o_R[t-1] + W_C_R[:, 0:size(h_R)].T @ delta_C_add_R[t-1] + W_i_R[:, 0:size(h_R)].T @ delta_i_R[t-1] + W_f_R[:, 0:size(h_R)].T @ delta_f_R[t-1]
        dh_R_t = dh[t - 1][..., n_h_L:n_h_L + n_h_R] + (delta_o_R[t - 1] @ fixed23) + (delta_C_add_R[t - 1] @ fixed24) + (delta_i_R[t - 1] @ fixed25) + (delta_f_R[t - 1] @ fixed26)
        # dC_R[t] = dh_R[t] * o_R[t] * dC_R_in[t] + dC_R[t-1] * f_R[t-1]
        dC_R_t = dC_R[t] = (dh_R_t * o_R[t - 1] * dC_R_in[t - 1]) + (dC_R[t - 1] * f_R[t - 1])
        # df_R[t] = dC_R[t] * C_R[t+1]
        df_R_t = dC_R_t * C_R[t]
        # di_R[t] = dC_R[t] * C_add_R[t]
        di_R_t = dC_R_t * C_add_R[t - 1]
        # dC_add_R[t] = dC_R[t] * i_R[t]
        dC_add_R_t = dC_R_t * i_R[t - 1]
        # do_R[t] = dh_R[t] * tanh_C_R[t]
        do_R_t = dh_R_t * tanh_C_R[t - 1]
        # delta_o_R[t] = do_R[t] * o_R[t] * delta_o_R_in[t]
        delta_o_R_t = delta_o_R[t] = do_R_t * o_R[t - 1] * delta_o_R_in[t - 1]
        # delta_C_add_R[t] = dC_add_R[t] * delta_C_add_R_in[t]
        delta_C_add_R_t = delta_C_add_R[t] = dC_add_R_t * delta_C_add_R_in[t - 1]
        # delta_i_R[t] = di_R[t] * i_R[t] * delta_i_R_in[t]
        delta_i_R_t = delta_i_R[t] = di_R_t * i_R[t - 1] * delta_i_R_in[t - 1]
        # delta_f_R[t] = df_R[t] * f_R[t] * delta_f_R_in[t]
        delta_f_R_t = delta_f_R[t] = df_R_t * f_R[t] * delta_f_R_in[t - 1]

    # dW_f_L = sum(delta_f_L[t] @ [h_L[t-1], x[t]].T, t, batch)
    part27 = np.concatenate([h_L[:T], x], -1)
    dW_f_L = gram(delta_f_L[:T], part27)

    # db_f_L = sum(delta_f_L[t], t, batch)
    db_f_L = over_batch(delta_f_L[:T].sum(0), 1)

    # dW_i_L = sum(delta_i_L[t] @ [h_L[t-1], x[t]].T, t, batch)
    dW_i_L = gram(delta_i_L[:T], part27)

    # db_i_L = sum(delta_i_L[t], t, batch)
    db_i_L = over_batch(delta_i_L[:T].sum(0), 1)

    # dW_C_L = sum(delta_C_add_L[t] @ [h_L[t-1], x[t]].T, t, batch)
    dW_C_L = gram(delta_C_add_L[:T], part27)

    # db_C_L = sum(delta_C_add_L[t], t, batch)
    db_C_L = over_batch(delta_C_add_L[:T].sum(0), 1)

    # dW_o_L = sum(delta_o_L[t] @ [h_L[t-1], x[t]].T, t, batch)
    dW_o_L = gram(delta_o_L[:T], part27)

    # db_o_L = sum(delta_o_L[t], t, batch)
    db_o_L = over_batch(delta_o_L[:T].sum(0), 1)

    # dW_f_R = sum(delta_f_R[t] @ [h_R[t+1], x[t]].T, t, batch)
    part28 = np.concatenate([h_R[1:T + 1], x], -1)
    dW_f_R = gram(delta_f_R[1:T + 1], part28)

    # db_f_R = sum(delta_f_R[t], t, batch)
    db_f_R = over_batch(delta_f_R[1:T + 1].sum(0), 1)

    # dW_i_R = sum(delta_i_R[t] @ [h_R[t+1], x[t]].T, t, batch)
    dW_i_R = gram(delta_i_R[1:T + 1], part28)

    # db_i_R = sum(delta_i_R[t], t, batch)
    db_i_R = over_batch(delta_i_R[1:T + 1].sum(0), 1)

    # dW_C_R = sum(delta_C_add_R[t] @ [h_R[t+1], x[t]].T, t, batch)
    dW_C_R = gram(delta_C_add_R[1:T + 1], part28)

    # db_C_R = sum(delta_C_add_R[t], t, batch)
    db_C_R = over_batch(delta_C_add_R[1:T + 1].sum(0), 1)

    # dW_o_R = sum(delta_o_R[t] @ [h_R[t+1], x[t]].T, t, batch)
    dW_o_R = gram(delta_o_R[1:T + 1], part28)

    # db_o_R = sum(delta_o_R[t], t, batch)
    db_o_R = over_batch(delta_o_R[1:T + 1].sum(0), 1)

    # dW_y = sum(delta_y[t] @ h[t].T, t, batch)
    dW_y = gram(delta_y, h)

    # db_y = sum(delta_y[t], t, batch)
    db_y = over_batch(delta_y.sum(0), 1)

    # dh_L_0 = W_o_L[:, 0:size(h_L)].T @ delta_o_L[1] + W_C_L[:, 0:size(h_L)].T @ delta_C_add_L[1] + W_i_L[:, 0:size(h_L)].T @ delta_i_L[1] + W_f_L[:, 0:size(h_L)].T @ delta_f_L[1]
    dh_L_0 = (delta_o_L[0] @ W_o_L[:, 0:n_h_L]) + (delta_C_add_L[0] @ W_C_L[:, 0:n_h_L]) + (delta_i_L[0] @ W_i_L[:, 0:n_h_L]) + (delta_f_L[0] @ W_f_L[:, 0:n_h_L])

    # dC_L_0 = dC_L[1] * f_L[1]
    dC_L_0 = dC_L[0] * f_L[0]

    # dh_R_0 = W_o_R[:, 0:size(h_R)].T @ delta_o_R[T] + W_C_R[:, 0:size(h_R)].T @ delta_C_add_R[T] + W_i_R[:, 0:size(h_R)].T @ delta_i_R[T] + W_f_R[:, 0:size(h_R)].T @ delta_f_R[T]
    dh_R_0 = (delta_o_R[T] @ W_o_R[:, 0:n_h_R]) + (delta_C_add_R[T] @ W_C_R[:, 0:n_h_R]) + (delta_i_R[T] @ W_i_R[:, 0:n_h_R]) + (delta_f_R[T] @ W_f_R[:, 0:n_h_R])

    # dC_R_0 = dC_R[T] * f_R[T]
    dC_R_0 = dC_R[T] * f_R[T]
    return L.sum(), {'W_f_L': dW_f_L, 'b_f_L': db_f_L, 'W_i_L': dW_i_L, 'b_i_L': db_i_L, 'W_C_L': dW_C_L, 'b_C_L': db_C_L, 'W_o_L': dW_o_L, 'b_o_L': db_o_L, 'W_f_R': dW_f_R, 'b_f_R': db_f_R, 'W_i_R': dW_i_R, 'b_i_R': db_i_R, 'W_C_R': dW_C_R, 'b_C_R': db_C_R, 'W_o_R': dW_o_R, 'b_o_R': db_o_R, 'W_y': dW_y, 'b_y': db_y, 'h_L0': dh_L_0, 'C_L0': dC_L_0, 'h_R0': dh_R_0, 'C_R0': dC_R_0}
