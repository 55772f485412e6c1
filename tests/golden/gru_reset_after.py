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

Operations in matrix products: 6 B n_h (3 T n_h + 2 T n_x + n_h + n_y)
Operations entry by entry:     2 B T n_h n_x + 47 B T n_h + 3 B n_h + 9 B n_y + 2 n_h^2
Values of functions:           B (3 T n_h + n_y)
Numbers kept over the steps:   23 B T n_h
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


def stacked(*parts, axis):
    """Parts one after the other along an axis, whatever their leading axes."""
    lead = np.broadcast_shapes(*(p.shape[:axis] for p in parts))
    return np.concatenate([np.broadcast_to(p, (*lead, *p.shape[axis:])) for p in parts], axis)


def value_and_grad(params, inputs, empty=np.empty):
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

    # gates_in[t] = [c_n, (-W_r) @ x[t] - b_r, (-W_z) @ x[t] - b_z]
    gates_in = stacked(c_n, ((x @ (-W_r).T) - b_r), ((x @ (-W_z).T) - b_z), axis=-1)

    # n_in[t] = W_n @ x[t] + b_n
    n_in = empty((T, *lead, n_h), dtype)
    np.matmul(x.reshape(-1, n_x), W_n.T, n_in.reshape(-1, n_h))
    np.add(n_in, b_n, n_in)

    # W_all = [U_n, -U_r, -U_z]
    W_all = np.concatenate([U_n, (-U_r), (-U_z)], -2)

    gates = empty((T + 1, *lead, 3 * n_h), dtype)
    gates[T:] = 0.0
    n = empty((T, *lead, n_h), dtype)
    h = empty((T + 1, *lead, n_h), dtype)
    h[:1] = h0
    gates0 = gates[..., n_h:3 * n_h]
    pre__ = gates[..., :n_h]
    all_exp = gates[..., n_h:3 * n_h]
    r_z = gates[..., n_h:3 * n_h]
    z = gates[..., 2 * n_h:3 * n_h]
    r = gates[..., n_h:2 * n_h]
    temp1 = empty((*lead, n_h), dtype)
    fixed2 = np.ascontiguousarray(W_all.T, dtype)
    number1 = np.asarray(1, dtype)
    with np.errstate(over="ignore"):
        for (
            gates_t, h_before1, gates_in_t, all_exp_t, gates0_t, r_z_t, r_t, pre___t, n_t, n_in_t, h_t, z_t,
        ) in zip(
            gates[:T], h[:T], gates_in, all_exp[:T], gates0[:T], r_z[:T], r[:T], pre__[:T], n, n_in, h[1:T + 1],
            z[:T],
        ):
            # gates[t] = gates_in[t] + W_all @ h[t-1]
            h_before1.dot(fixed2, gates_t)
            np.add(gates_t, gates_in_t, gates_t)
            # all_exp[t] = exp(gates[t][size(h):3 * size(h)])
            np.exp(gates0_t, all_exp_t)
            # r_z[t] = 1 / (1 + all_exp[t])
            np.add(number1, all_exp_t, r_z_t)
            np.divide(number1, r_z_t, r_z_t)
            # n[t] = tanh(n_in[t] + r_z[t][0:size(h)] * gates[t][0:size(h)])
            np.multiply(r_t, pre___t, temp1)
            np.add(n_in_t, temp1, n_t)
            np.tanh(n_t, n_t)
            # h[t] = (1 - r_z[t][size(h):2 * size(h)]) * n[t] + r_z[t][size(h):2 * size(h)] * h[t-1]
            np.subtract(number1, z_t, h_t)
            np.multiply(h_t, n_t, h_t)
            np.multiply(z_t, h_before1, temp1)
            np.add(h_t, temp1, h_t)

    # y_T = sigmoid(W_y @ h[T] + b_y)
    y_T = sigmoid((h[T] @ W_y.T) + b_y)

    # dy_T = y_T - target
    dy_T = y_T - target

    # delta_y_T = dy_T * y_T * (1 - y_T)
    delta_y_T = dy_T * y_T * (1 - y_T)

    # dh_in[t] = (W_y.T @ delta_y_T if t == T else 0)
    dh_in = impulse((delta_y_T @ W_y), T - 1, (T, *lead, n_h), dtype)

    # delta_n_in[t] = (1 - r_z[t][size(h):2 * size(h)]) * (1 - n[t]**2)
    delta_n_in = empty((T, *lead, n_h), dtype)
    temp_all3 = empty((T, *lead, n_h), dtype)
    temp_all4 = empty((T, *lead, n_h), dtype)
    np.subtract(1, z[:T], delta_n_in)
    np.multiply(n, n, temp_all4)
    np.subtract(1, temp_all4, temp_all3)
    np.multiply(delta_n_in, temp_all3, delta_n_in)

    # deltas_in[t] = [(-n[t] + h[t-1]) * r_z[t][size(h):2 * size(h)] * (1 - r_z[t][size(h):2 * size(h)]), r_z[t][0:size(h)] * (1 - r_z[t][0:size(h)])]
    deltas_in = empty((T, *lead, 2 * n_h), dtype)
    np.subtract(h[:T], n, temp_all3)
    np.subtract(1, z[:T], temp_all4)
    np.multiply(temp_all3, temp_all4, temp_all3)
    np.multiply(temp_all3, z[:T], deltas_in[..., 0:n_h])
    np.subtract(1, r[:T], temp_all3)
    np.multiply(temp_all3, r[:T], deltas_in[..., n_h:2 * n_h])

    # W_sum = [U_z, U_r]
    W_sum = np.concatenate([U_z, U_r], -2)

    dh = empty((T + 1, *lead, n_h), dtype)
    dh[T:] = 0.0
    delta_n = empty((T, *lead, n_h), dtype)
    dr_t = empty((*lead, n_h), dtype)
    delta_n_2 = empty((T + 1, *lead, n_h), dtype)
    delta_n_2[T:] = 0.0
    deltas = empty((T + 1, *lead, 2 * n_h), dtype)
    deltas[T:] = 0.0
    delta_z = deltas[..., :n_h]
    delta_r = deltas[..., n_h:2 * n_h]
    temp1 = empty((*lead, n_h), dtype)
    fixed5 = np.ascontiguousarray(W_sum.swapaxes(-1, -2).T, dtype)
    fixed6 = np.ascontiguousarray(U_n.swapaxes(-1, -2).T, dtype)
    for (
        dh_t, deltas_after1, delta_n_2_after1, dh_in_t, dh_after1, z_after1, delta_n_t, delta_n_in_t, pre___t,
        delta_n_2_t, r_t, delta_z_t, deltas_in0_t, delta_r_t, deltas_in1_t,
    ) in zip(
        dh[:T][::-1], deltas[1:T + 1][::-1], delta_n_2[1:T + 1][::-1], dh_in[::-1], dh[1:T + 1][::-1],
        z[1:T + 1][::-1], delta_n[::-1], delta_n_in[::-1], pre__[:T][::-1], delta_n_2[:T][::-1], r[:T][::-1],
        delta_z[:T][::-1], deltas_in[::-1][..., 0:n_h], delta_r[:T][::-1], deltas_in[::-1][..., n_h:2 * n_h],
    ):
        # dh[t] = dh_in[t] + W_sum.T @ deltas[t+1] + dh[t+1] * r_z[t+1][size(h):2 * size(h)] + U_n.T @ delta_n_2[t+1]
        deltas_after1.dot(fixed5, dh_t)
        delta_n_2_after1.dot(fixed6, temp1)
        np.add(dh_t, temp1, dh_t)
        np.add(dh_t, dh_in_t, dh_t)
        np.multiply(dh_after1, z_after1, temp1)
        np.add(dh_t, temp1, dh_t)
        # delta_n[t] = dh[t] * delta_n_in[t]
        np.multiply(dh_t, delta_n_in_t, delta_n_t)
        # dr[t] = delta_n[t] * gates[t][0:size(h)]
        np.multiply(delta_n_t, pre___t, dr_t)
        # delta_n_2[t] = delta_n[t] * r_z[t][0:size(h)]
        np.multiply(delta_n_t, r_t, delta_n_2_t)
        # deltas[t] = [dh[t], dr[t]] * deltas_in[t]
        np.multiply(dh_t, deltas_in0_t, delta_z_t)
        np.multiply(dr_t, deltas_in1_t, delta_r_t)

    # total = sum(deltas[t] @ x[t].T, t, batch)
    total = gram(deltas[:T], x)

    # total_ = sum(deltas[t] @ h[t-1].T, t, batch)
    total_ = gram(deltas[:T], h[:T])

    # total__ = sum(deltas[t], t, batch)
    total__ = over_batch(deltas[:T].sum(0), 1)

    # L = squared_error(y_T, target)
    L = squared_error(y_T, target)

    # dW_r = total[size(h):2 * size(h)]
    dW_r = total[n_h:2 * n_h]

    # dU_r = total_[size(h):2 * size(h)]
    dU_r = total_[n_h:2 * n_h]

    # db_r = total__[size(h):2 * size(h)]
    db_r = total__[..., n_h:2 * n_h]

    # dW_z = total[0:size(h)]
    dW_z = total[0:n_h]

    # dU_z = total_[0:size(h)]
    dU_z = total_[0:n_h]

    # db_z = total__[0:size(h)]
    db_z = total__[..., 0:n_h]

    # dW_n = sum(delta_n[t] @ x[t].T, t, batch)
    dW_n = gram(delta_n, x)

    # db_n = sum(delta_n[t], t, batch)
    db_n = over_batch(delta_n.sum(0), 1)

    # dU_n = sum(delta_n_2[t] @ h[t-1].T, t, batch)
    dU_n = gram(delta_n_2[:T], h[:T])

    # dc_n = sum(delta_n_2[t], t, batch)
    dc_n = over_batch(delta_n_2[:T].sum(0), 1)

    # dW_y = sum(delta_y_T @ h[T].T, batch)
    dW_y = gram(delta_y_T, h[T])

    # db_y = sum(delta_y_T, batch)
    db_y = over_batch(delta_y_T, 1)

    # dh_0 = W_sum.T @ deltas[1] + dh[1] * r_z[1][size(h):2 * size(h)] + U_n.T @ delta_n_2[1]
    dh_0 = (deltas[0] @ W_sum) + (dh[0] * z[0]) + (delta_n_2[0] @ U_n)
    return L.sum(), {'W_r': dW_r, 'U_r': dU_r, 'b_r': db_r, 'W_z': dW_z, 'U_z': dU_z, 'b_z': db_z, 'W_n': dW_n, 'b_n': db_n, 'U_n': dU_n, 'c_n': dc_n, 'W_y': dW_y, 'b_y': full(db_y, n_y), 'h0': dh_0}
