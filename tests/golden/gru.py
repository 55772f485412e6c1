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

Operations in matrix products: 2 B n_h (9 T n_h + 6 T n_x + 2 n_h + 3 n_y)
Operations entry by entry:     44 B T n_h + 6 B n_h + 9 B n_y + 2 n_h^2 + 2 n_h n_x
Values of functions:           B (3 T n_h + n_y)
Numbers kept over the steps:   22 B T n_h
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

    # W_all = [-W_z, -W_r]
    W_all = np.concatenate([(-W_z), (-W_r)], -2)

    # gates_in[t] = W_all[:, size(h):size(h) + size(x)] @ x[t] + [-b_z, -b_r]
    gates_in = empty((T, *lead, 2 * n_h), dtype)
    np.matmul(x.reshape(-1, n_x), W_all[:, n_h:n_h + n_x].T, gates_in.reshape(-1, 2 * n_h))
    np.add(gates_in, np.concatenate([(-b_z), (-b_r)], -1), gates_in)

    # pre___in[t] = W[:, size(h):size(h) + size(x)] @ x[t]
    pre___in = empty((T, *lead, n_h), dtype)
    np.matmul(x.reshape(-1, n_x), W[:, n_h:n_h + n_x].T, pre___in.reshape(-1, n_h))

    gates = empty((T + 1, *lead, 2 * n_h), dtype)
    gates[T:] = 0.0
    pre__ = empty((T, *lead, n_h), dtype)
    h = empty((T + 1, *lead, n_h), dtype)
    h[:1] = h0
    all_exp = gates
    z_r = gates
    z = gates[..., :n_h]
    r = gates[..., n_h:2 * n_h]
    h_add = pre__
    temp1 = empty((*lead, n_h), dtype)
    fixed1 = np.ascontiguousarray(W_all[:, 0:n_h].T, dtype)
    number1 = np.asarray(1, dtype)
    fixed2 = np.ascontiguousarray(W[:, 0:n_h].T, dtype)
    with np.errstate(over="ignore"):
        for (
            gates_t, h_before1, gates_in_t, all_exp_t, z_r_t, r_t, pre___t, pre___in_t, h_add_t, h_t, z_t,
        ) in zip(
            gates[:T], h[:T], gates_in, all_exp[:T], z_r[:T], r[:T], pre__, pre___in, h_add, h[1:T + 1], z[:T],
        ):
            # gates[t] = gates_in[t] + W_all[:, 0:size(h)] @ h[t-1]
            h_before1.dot(fixed1, gates_t)
            np.add(gates_t, gates_in_t, gates_t)
            # all_exp[t] = exp(gates[t])
            np.exp(gates_t, all_exp_t)
            # z_r[t] = 1 / (1 + all_exp[t])
            np.add(number1, all_exp_t, z_r_t)
            np.divide(number1, z_r_t, z_r_t)
            # pre__[t] = pre___in[t] + W[:, 0:size(h)] @ (z_r[t][size(h):2 * size(h)] * h[t-1])
            np.multiply(r_t, h_before1, temp1)
            temp1.dot(fixed2, pre___t)
            np.add(pre___t, pre___in_t, pre___t)
            # h_add[t] = tanh(pre__[t])
            np.tanh(pre___t, h_add_t)
            # h[t] = (1 - z_r[t][0:size(h)]) * h[t-1] + z_r[t][0:size(h)] * h_add[t]
            np.subtract(number1, z_t, h_t)
            np.multiply(h_t, h_before1, h_t)
            np.multiply(z_t, h_add_t, temp1)
            np.add(h_t, temp1, h_t)

    # dh_in[t] = 1 - z_r[t+1][0:size(h)]
    dh_in = empty((T, *lead, n_h), dtype)
    np.subtract(1, z[1:T + 1], dh_in)

    # y_T = sigmoid(W_y @ h[T] + b_y)
    y_T = sigmoid((h[T] @ W_y.T) + b_y)

    # dy_T = y_T - target
    dy_T = y_T - target

    # delta_y_T = dy_T * y_T * (1 - y_T)
    delta_y_T = dy_T * y_T * (1 - y_T)

    # dh_in_[t] = (W_y.T @ delta_y_T if t == T else 0)
    dh_in_ = impulse((delta_y_T @ W_y), T - 1, (T, *lead, n_h), dtype)

    # delta_h_add_in[t] = z_r[t][0:size(h)] * (1 - h_add[t]**2)
    delta_h_add_in = empty((T, *lead, n_h), dtype)
    temp_all3 = empty((T, *lead, n_h), dtype)
    np.multiply(h_add, h_add, temp_all3)
    np.subtract(1, temp_all3, delta_h_add_in)
    np.multiply(delta_h_add_in, z[:T], delta_h_add_in)

    # deltas_in[t] = [h[t-1] * z_r[t][size(h):2 * size(h)] * (1 - z_r[t][size(h):2 * size(h)]), (-h[t-1] + h_add[t]) * z_r[t][0:size(h)] * (1 - z_r[t][0:size(h)])]
    deltas_in = empty((T, *lead, 2 * n_h), dtype)
    temp_all4 = empty((T, *lead, n_h), dtype)
    np.subtract(1, r[:T], temp_all3)
    np.multiply(temp_all3, h[:T], temp_all3)
    np.multiply(temp_all3, r[:T], deltas_in[..., 0:n_h])
    np.subtract(h_add, h[:T], temp_all3)
    np.subtract(1, z[:T], temp_all4)
    np.multiply(temp_all3, temp_all4, temp_all3)
    np.multiply(temp_all3, z[:T], deltas_in[..., n_h:2 * n_h])

    # W_sum = [W_r[:, 0:size(h)], W_z[:, 0:size(h)]]
    W_sum = np.concatenate([W_r[:, 0:n_h], W_z[:, 0:n_h]], -2)

    dh = empty((T + 1, *lead, n_h), dtype)
    dh[T:] = 0.0
    delta_h_add = empty((T, *lead, n_h), dtype)
    delta_h_add_2 = empty((T + 1, *lead, n_h), dtype)
    delta_h_add_2[T:] = 0.0
    deltas = empty((T + 1, *lead, 2 * n_h), dtype)
    deltas[T:] = 0.0
    delta_r = deltas[..., :n_h]
    delta_z = deltas[..., n_h:2 * n_h]
    temp1 = empty((*lead, n_h), dtype)
    fixed5 = np.ascontiguousarray(W_sum.swapaxes(-1, -2).T, dtype)
    fixed6 = np.ascontiguousarray(W[:, 0:n_h].swapaxes(-1, -2).T, dtype)
    for (
        dh_t, deltas_after1, dh_in__t, dh_after1, dh_in_t, delta_h_add_2_after1, r_after1, delta_h_add_t,
        delta_h_add_in_t, delta_h_add_2_t, delta_r_t, deltas_in0_t, delta_z_t, deltas_in1_t,
    ) in zip(
        dh[:T][::-1], deltas[1:T + 1][::-1], dh_in_[::-1], dh[1:T + 1][::-1], dh_in[::-1],
        delta_h_add_2[1:T + 1][::-1], r[1:T + 1][::-1], delta_h_add[::-1], delta_h_add_in[::-1],
        delta_h_add_2[:T][::-1], delta_r[:T][::-1], deltas_in[::-1][..., 0:n_h], delta_z[:T][::-1],
        deltas_in[::-1][..., n_h:2 * n_h],
    ):
        # dh[t] = dh_in_[t] + W_sum.T @ deltas[t+1] + dh[t+1] * dh_in[t] + delta_h_add_2[t+1] * z_r[t+1][size(h):2 * size(h)]
        deltas_after1.dot(fixed5, dh_t)
        np.add(dh_t, dh_in__t, dh_t)
        np.multiply(dh_after1, dh_in_t, temp1)
        np.add(dh_t, temp1, dh_t)
        np.multiply(delta_h_add_2_after1, r_after1, temp1)
        np.add(dh_t, temp1, dh_t)
        # delta_h_add[t] = dh[t] * delta_h_add_in[t]
        np.multiply(dh_t, delta_h_add_in_t, delta_h_add_t)
        # delta_h_add_2[t] = W[:, 0:size(h)].T @ delta_h_add[t]
        delta_h_add_t.dot(fixed6, delta_h_add_2_t)
        # deltas[t] = [delta_h_add_2[t], dh[t]] * deltas_in[t]
        np.multiply(delta_h_add_2_t, deltas_in0_t, delta_r_t)
        np.multiply(dh_t, deltas_in1_t, delta_z_t)

    # total = sum(deltas[t] @ [h[t-1], x[t]].T, t, batch)
    total = gram(deltas[:T], np.concatenate([h[:T], x], -1))

    # total_ = sum(deltas[t], t, batch)
    total_ = over_batch(deltas[:T].sum(0), 1)

    # L = squared_error(y_T, target)
    L = squared_error(y_T, target)

    # dW_z = total[size(h):2 * size(h)]
    dW_z = total[n_h:2 * n_h]

    # db_z = total_[size(h):2 * size(h)]
    db_z = total_[..., n_h:2 * n_h]

    # dW_r = total[0:size(h)]
    dW_r = total[0:n_h]

    # db_r = total_[0:size(h)]
    db_r = total_[..., 0:n_h]

    # dW = sum(delta_h_add[t] @ [z_r[t][size(h):2 * size(h)] * h[t-1], x[t]].T, t, batch)
    dW = gram(delta_h_add, np.concatenate([(r[:T] * h[:T]), x], -1))

    # dW_y = sum(delta_y_T @ h[T].T, batch)
    dW_y = gram(delta_y_T, h[T])

    # db_y = sum(delta_y_T, batch)
    db_y = over_batch(delta_y_T, 1)

    # dh_0 = W_sum.T @ deltas[1] + dh[1] * (1 - z_r[1][0:size(h)]) + delta_h_add_2[1] * z_r[1][size(h):2 * size(h)]
    dh_0 = (deltas[0] @ W_sum) + (dh[0] * (1 - z[0])) + (delta_h_add_2[0] * r[0])
    return L.sum(), {'W_z': dW_z, 'b_z': db_z, 'W_r': dW_r, 'b_r': db_r, 'W': dW, 'W_y': dW_y, 'b_y': full(db_y, n_y), 'h0': dh_0}
