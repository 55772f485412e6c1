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

Operations in matrix products: 2 B n_y (8 T n_x + 12 T n_y + 4 n_y + 3 n_y_hat)
Operations entry by entry:     3 (25 B T n_y + 2 B n_y + 3 B n_y_hat + n_x n_y + n_y^2)
Values of functions:           B (5 T n_y + n_y_hat)
Numbers kept over the steps:   33 B T n_y
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

    # W_all = [-W_i, -W_f, -W_o, W_z]
    W_all = np.concatenate([(-W_i), (-W_f), (-W_o), W_z], -2)

    # gates_in[t] = W_all @ x[t] + [-b_i, -b_f, -b_o, b_z]
    gates_in = empty((T, *lead, 4 * n_y), dtype)
    np.matmul(x.reshape(-1, n_x), W_all.T, gates_in.reshape(-1, 4 * n_y))
    np.add(gates_in, np.concatenate([(-b_i), (-b_f), (-b_o), b_z], -1), gates_in)

    # W_all_ = [-R_i, -R_f, -R_o, R_z]
    W_all_ = np.concatenate([(-R_i), (-R_f), (-R_o), R_z], -2)

    gates = empty((T, *lead, 4 * n_y), dtype)
    pre = empty((T, *lead, n_y), dtype)
    pre_ = empty((T + 1, *lead, n_y), dtype)
    pre_[T:] = 0.0
    c = empty((T + 1, *lead, n_y), dtype)
    c[:1] = c0
    pre__ = empty((T, *lead, n_y), dtype)
    tanh_c = empty((T, *lead, n_y), dtype)
    y = empty((T + 1, *lead, n_y), dtype)
    y[:1] = y0
    pre_product = gates[..., :n_y]
    pre__product = gates[..., n_y:2 * n_y]
    pre___product = gates[..., 2 * n_y:3 * n_y]
    pre___ = gates[..., 3 * n_y:4 * n_y]
    exp_ = pre_
    f = pre_
    exp = pre
    i = pre
    z = gates[..., 3 * n_y:4 * n_y]
    exp__ = pre__
    o = pre__
    temp1 = empty((*lead, n_y), dtype)
    fixed1 = np.ascontiguousarray(W_all_.T, dtype)
    number1 = np.asarray(1, dtype)
    with np.errstate(over="ignore"):
        for (
            gates_t, y_before1, gates_in_t, c_before1, pre_t, pre_product_t, pre__t, pre__product_t, exp__t, f_t,
            exp_t, i_t, z_t, pre____t, c_t, pre___t, pre___product_t, exp___t, o_t, tanh_c_t, y_t,
        ) in zip(
            gates, y[:T], gates_in, c[:T], pre, pre_product, pre_[:T], pre__product, exp_[:T], f[:T], exp, i, z,
            pre___, c[1:T + 1], pre__, pre___product, exp__, o, tanh_c, y[1:T + 1],
        ):
            # gates[t] = gates_in[t] + W_all_ @ y[t-1]
            y_before1.dot(fixed1, gates_t)
            np.add(gates_t, gates_in_t, gates_t)
            # pre[t] = gates[t][0:size(y)] - c[t-1] * p_i
            np.multiply(c_before1, p_i, temp1)
            np.subtract(pre_product_t, temp1, pre_t)
            # pre_[t] = gates[t][size(y):2 * size(y)] - c[t-1] * p_f
            np.multiply(c_before1, p_f, temp1)
            np.subtract(pre__product_t, temp1, pre__t)
            # exp_[t] = exp(pre_[t])
            np.exp(pre__t, exp__t)
            # f[t] = 1 / (1 + exp_[t])
            np.add(number1, exp__t, f_t)
            np.divide(number1, f_t, f_t)
            # exp[t] = exp(pre[t])
            np.exp(pre_t, exp_t)
            # i[t] = 1 / (1 + exp[t])
            np.add(number1, exp_t, i_t)
            np.divide(number1, i_t, i_t)
            # z[t] = tanh(gates[t][3 * size(y):4 * size(y)])
            np.tanh(pre____t, z_t)
            # c[t] = z[t] * i[t] + c[t-1] * f[t]
            np.multiply(z_t, i_t, c_t)
            np.multiply(c_before1, f_t, temp1)
            np.add(c_t, temp1, c_t)
            # pre__[t] = gates[t][2 * size(y):3 * size(y)] - c[t] * p_o
            np.multiply(c_t, p_o, temp1)
            np.subtract(pre___product_t, temp1, pre___t)
            # exp__[t] = exp(pre__[t])
            np.exp(pre___t, exp___t)
            # o[t] = 1 / (1 + exp__[t])
            np.add(number1, exp___t, o_t)
            np.divide(number1, o_t, o_t)
            # tanh_c[t] = tanh(c[t])
            np.tanh(c_t, tanh_c_t)
            # y[t] = tanh_c[t] * o[t]
            np.multiply(tanh_c_t, o_t, y_t)

    # y_hat_T = sigmoid(W_y @ y[T] + b_y)
    y_hat_T = sigmoid((y[T] @ W_y.T) + b_y)

    # dy_hat_T = y_hat_T - target
    dy_hat_T = y_hat_T - target

    # delta_y_hat_T = dy_hat_T * y_hat_T * (1 - y_hat_T)
    delta_y_hat_T = dy_hat_T * y_hat_T * (1 - y_hat_T)

    # dy_in[t] = (W_y.T @ delta_y_hat_T if t == T else 0)
    dy_in = impulse((delta_y_hat_T @ W_y), T - 1, (T, *lead, n_y), dtype)

    # delta_o_in[t] = tanh_c[t] * o[t] * (1 - o[t])
    delta_o_in = empty((T, *lead, n_y), dtype)
    np.subtract(1, o, delta_o_in)
    np.multiply(delta_o_in, tanh_c, delta_o_in)
    np.multiply(delta_o_in, o, delta_o_in)

    # dc_in[t] = o[t] * (1 - tanh_c[t]**2)
    dc_in = empty((T, *lead, n_y), dtype)
    temp_all2 = empty((T, *lead, n_y), dtype)
    np.multiply(tanh_c, tanh_c, temp_all2)
    np.subtract(1, temp_all2, dc_in)
    np.multiply(dc_in, o, dc_in)

    # deltas_in[t] = [z[t] * i[t] * (1 - i[t]), c[t-1] * f[t] * (1 - f[t]), i[t] * (1 - z[t]**2)]
    deltas_in = empty((T, *lead, 3 * n_y), dtype)
    temp_all3 = empty((T, *lead, n_y), dtype)
    np.subtract(1, i, temp_all2)
    np.multiply(temp_all2, z, temp_all2)
    np.multiply(temp_all2, i, deltas_in[..., 0:n_y])
    np.subtract(1, f[:T], temp_all2)
    np.multiply(temp_all2, c[:T], temp_all2)
    np.multiply(temp_all2, f[:T], deltas_in[..., n_y:2 * n_y])
    np.multiply(z, z, temp_all3)
    np.subtract(1, temp_all3, temp_all2)
    np.multiply(temp_all2, i, deltas_in[..., 2 * n_y:3 * n_y])

    # W_sum = [R_i, R_f, R_z]
    W_sum = np.concatenate([R_i, R_f, R_z], -2)

    dy_t = empty((*lead, n_y), dtype)
    delta_o = empty((T + 1, *lead, n_y), dtype)
    delta_o[T:] = 0.0
    dc = empty((T + 1, *lead, n_y), dtype)
    dc[T:] = 0.0
    deltas = empty((T + 1, *lead, 3 * n_y), dtype)
    deltas[T:] = 0.0
    delta_f = deltas[..., n_y:2 * n_y]
    delta_i = deltas[..., :n_y]
    temp1 = empty((*lead, n_y), dtype)
    fixed4 = np.ascontiguousarray(W_sum.swapaxes(-1, -2).T, dtype)
    fixed5 = np.ascontiguousarray(R_o.swapaxes(-1, -2).T, dtype)
    for (
        deltas_after1, delta_o_after1, dy_in_t, delta_o_t, delta_o_in_t, dc_t, dc_in_t, dc_after1, f_after1,
        delta_f_after1, delta_i_after1, deltas_t_3, dc_t_2, deltas_in_t_0,
    ) in zip(
        deltas[1:T + 1][::-1], delta_o[1:T + 1][::-1], dy_in[::-1], delta_o[:T][::-1], delta_o_in[::-1],
        dc[:T][::-1], dc_in[::-1], dc[1:T + 1][::-1], f[1:T + 1][::-1], delta_f[1:T + 1][::-1],
        delta_i[1:T + 1][::-1], deltas[:T][::-1].reshape(T, *lead, 3, n_y), dc[:T][::-1][..., None, :],
        deltas_in[::-1].reshape(T, *lead, 3, n_y),
    ):
        # dy[t] = dy_in[t] + W_sum.T @ deltas[t+1] + R_o.T @ delta_o[t+1]
        deltas_after1.dot(fixed4, dy_t)
        delta_o_after1.dot(fixed5, temp1)
        np.add(dy_t, temp1, dy_t)
        np.add(dy_t, dy_in_t, dy_t)
        # delta_o[t] = dy[t] * delta_o_in[t]
        np.multiply(dy_t, delta_o_in_t, delta_o_t)
        # dc[t] = dy[t] * dc_in[t] + delta_o[t] * p_o + dc[t+1] * f[t+1] + deltas[t+1][size(y):2 * size(y)] * p_f + deltas[t+1][0:size(y)] * p_i
        np.multiply(dy_t, dc_in_t, dc_t)
        np.multiply(delta_o_t, p_o, temp1)
        np.add(dc_t, temp1, dc_t)
        np.multiply(dc_after1, f_after1, temp1)
        np.add(dc_t, temp1, dc_t)
        np.multiply(delta_f_after1, p_f, temp1)
        np.add(dc_t, temp1, dc_t)
        np.multiply(delta_i_after1, p_i, temp1)
        np.add(dc_t, temp1, dc_t)
        # deltas[t] = [dc[t], dc[t], dc[t]] * deltas_in[t]
        np.multiply(dc_t_2, deltas_in_t_0, deltas_t_3)

    # total = sum(deltas[t] @ x[t].T, t, batch)
    total = gram(deltas[:T], x)

    # total_ = sum(deltas[t] @ y[t-1].T, t, batch)
    total_ = gram(deltas[:T], y[:T])

    # total__ = sum(deltas[t], t, batch)
    total__ = over_batch(deltas[:T].sum(0), 1)

    # L = squared_error(y_hat_T, target)
    L = squared_error(y_hat_T, target)

    # dW_z = total[2 * size(y):3 * size(y)]
    dW_z = total[2 * n_y:3 * n_y]

    # dR_z = total_[2 * size(y):3 * size(y)]
    dR_z = total_[2 * n_y:3 * n_y]

    # db_z = total__[2 * size(y):3 * size(y)]
    db_z = total__[..., 2 * n_y:3 * n_y]

    # dW_i = total[0:size(y)]
    dW_i = total[0:n_y]

    # dR_i = total_[0:size(y)]
    dR_i = total_[0:n_y]

    # dp_i = sum(deltas[t][0:size(y)] * c[t-1], t, batch)
    dp_i = over_batch((delta_i[:T] * c[:T]).sum(0), 1)

    # db_i = total__[0:size(y)]
    db_i = total__[..., 0:n_y]

    # dW_f = total[size(y):2 * size(y)]
    dW_f = total[n_y:2 * n_y]

    # dR_f = total_[size(y):2 * size(y)]
    dR_f = total_[n_y:2 * n_y]

    # dp_f = sum(deltas[t][size(y):2 * size(y)] * c[t-1], t, batch)
    dp_f = over_batch((delta_f[:T] * c[:T]).sum(0), 1)

    # db_f = total__[size(y):2 * size(y)]
    db_f = total__[..., n_y:2 * n_y]

    # dW_o = sum(delta_o[t] @ x[t].T, t, batch)
    dW_o = gram(delta_o[:T], x)

    # dR_o = sum(delta_o[t] @ y[t-1].T, t, batch)
    dR_o = gram(delta_o[:T], y[:T])

    # dp_o = sum(delta_o[t] * c[t], t, batch)
    dp_o = over_batch((delta_o[:T] * c[1:T + 1]).sum(0), 1)

    # db_o = sum(delta_o[t], t, batch)
    db_o = over_batch(delta_o[:T].sum(0), 1)

    # dW_y = sum(delta_y_hat_T @ y[T].T, batch)
    dW_y = gram(delta_y_hat_T, y[T])

    # db_y = sum(delta_y_hat_T, batch)
    db_y = over_batch(delta_y_hat_T, 1)

    # dy_0 = W_sum.T @ deltas[1] + R_o.T @ delta_o[1]
    dy_0 = (deltas[0] @ W_sum) + (delta_o[0] @ R_o)

    # dc_0 = dc[1] * f[1] + deltas[1][size(y):2 * size(y)] * p_f + deltas[1][0:size(y)] * p_i
    dc_0 = (dc[0] * f[0]) + (delta_f[0] * p_f) + (delta_i[0] * p_i)
    return L.sum(), {'W_z': dW_z, 'R_z': dR_z, 'b_z': db_z, 'W_i': dW_i, 'R_i': dR_i, 'p_i': dp_i, 'b_i': db_i, 'W_f': dW_f, 'R_f': dR_f, 'p_f': dp_f, 'b_f': db_f, 'W_o': dW_o, 'R_o': dR_o, 'p_o': dp_o, 'b_o': db_o, 'W_y': dW_y, 'b_y': full(db_y, n_y_hat), 'y0': dy_0, 'c0': dc_0}
