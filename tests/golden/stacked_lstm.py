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

Operations in matrix products: 2 B (12 T n_h_1^2 + 12 T n_h_1 n_h_2 + 8 T n_h_1 n_x + 12 T n_h_2^2 + 4 n_h_1^2 + 3 n_h_2 n_y)
Operations entry by entry:     56 B T n_h_1 + 56 B T n_h_2 + B n_h_1 + 4 B n_h_2 + 9 B n_y + 3 n_h_1^2 + 3 n_h_1 n_h_2 + 3 n_h_1 n_x + 3 n_h_2^2
Values of functions:           B (5 T n_h_1 + 5 T n_h_2 + n_y)
Numbers kept over the steps:   B T (33 n_h_1 + 34 n_h_2)
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

    # W_all = [-W_f_1, -W_i_1, -W_o_1, W_C_1]
    W_all = np.concatenate([(-W_f_1), (-W_i_1), (-W_o_1), W_C_1], -2)

    # gates_in[t] = W_all[:, size(h_1):size(h_1) + size(x)] @ x[t] + [-b_f_1, -b_i_1, -b_o_1, b_C_1]
    gates_in = empty((T, *lead, 4 * n_h_1), dtype)
    np.matmul(x.reshape(-1, n_x), W_all[:, n_h_1:n_h_1 + n_x].T, gates_in.reshape(-1, 4 * n_h_1))
    np.add(gates_in, np.concatenate([(-b_f_1), (-b_i_1), (-b_o_1), b_C_1], -1), gates_in)

    # W_all_ = [-W_f_2, -W_i_2, -W_o_2, W_C_2]
    W_all_ = np.concatenate([(-W_f_2), (-W_i_2), (-W_o_2), W_C_2], -2)

    gates = empty((T + 1, *lead, 4 * n_h_1), dtype)
    gates[T:] = 0.0
    C_1 = empty((T + 1, *lead, n_h_1), dtype)
    C_1[:1] = C_10
    tanh_C_1 = empty((T, *lead, n_h_1), dtype)
    h_1 = empty((T + 1, *lead, n_h_1), dtype)
    h_1[:1] = h_10
    gates0 = gates[..., :3 * n_h_1]
    pre______ = gates[..., 3 * n_h_1:4 * n_h_1]
    all_exp = gates[..., :3 * n_h_1]
    f_1_i_1_o_1 = gates[..., :3 * n_h_1]
    o_1 = gates[..., 2 * n_h_1:3 * n_h_1]
    f_1 = gates[..., :n_h_1]
    i_1 = gates[..., n_h_1:2 * n_h_1]
    C_add_1 = gates[..., 3 * n_h_1:4 * n_h_1]
    temp1 = empty((*lead, n_h_1), dtype)
    fixed1 = np.ascontiguousarray(W_all[:, 0:n_h_1].T, dtype)
    number1 = np.asarray(1, dtype)
    with np.errstate(over="ignore"):
        for (
            gates_t, h_1_before1, gates_in_t, all_exp_t, gates0_t, f_1_i_1_o_1_t, C_add_1_t, pre_______t, C_1_t,
            f_1_t, C_1_before1, i_1_t, tanh_C_1_t, h_1_t, o_1_t,
        ) in zip(
            gates[:T], h_1[:T], gates_in, all_exp[:T], gates0[:T], f_1_i_1_o_1[:T], C_add_1[:T], pre______[:T],
            C_1[1:T + 1], f_1[:T], C_1[:T], i_1[:T], tanh_C_1, h_1[1:T + 1], o_1[:T],
        ):
            # gates[t] = gates_in[t] + W_all[:, 0:size(h_1)] @ h_1[t-1]
            h_1_before1.dot(fixed1, gates_t)
            np.add(gates_t, gates_in_t, gates_t)
            # all_exp[t] = exp(gates[t][0:3 * size(h_1)])
            np.exp(gates0_t, all_exp_t)
            # f_1_i_1_o_1[t] = 1 / (1 + all_exp[t])
            np.add(number1, all_exp_t, f_1_i_1_o_1_t)
            np.divide(number1, f_1_i_1_o_1_t, f_1_i_1_o_1_t)
            # C_add_1[t] = tanh(gates[t][3 * size(h_1):4 * size(h_1)])
            np.tanh(pre_______t, C_add_1_t)
            # C_1[t] = f_1_i_1_o_1[t][0:size(h_1)] * C_1[t-1] + f_1_i_1_o_1[t][size(h_1):2 * size(h_1)] * C_add_1[t]
            np.multiply(f_1_t, C_1_before1, C_1_t)
            np.multiply(i_1_t, C_add_1_t, temp1)
            np.add(C_1_t, temp1, C_1_t)
            # tanh_C_1[t] = tanh(C_1[t])
            np.tanh(C_1_t, tanh_C_1_t)
            # h_1[t] = f_1_i_1_o_1[t][2 * size(h_1):3 * size(h_1)] * tanh_C_1[t]
            np.multiply(o_1_t, tanh_C_1_t, h_1_t)

    # gates__in[t] = W_all_[:, size(h_2):size(h_1) + size(h_2)] @ h_1[t] + [-b_f_2, -b_i_2, -b_o_2, b_C_2]
    gates__in = empty((T, *lead, 4 * n_h_2), dtype)
    np.matmul(h_1[1:T + 1].reshape(-1, n_h_1), W_all_[:, n_h_2:n_h_1 + n_h_2].T, gates__in.reshape(-1, 4 * n_h_2))
    np.add(gates__in, np.concatenate([(-b_f_2), (-b_i_2), (-b_o_2), b_C_2], -1), gates__in)

    gates_ = empty((T + 1, *lead, 4 * n_h_2), dtype)
    gates_[T:] = 0.0
    C_2 = empty((T + 1, *lead, n_h_2), dtype)
    C_2[:1] = C_20
    tanh_C_2 = empty((T, *lead, n_h_2), dtype)
    h_2 = empty((T + 1, *lead, n_h_2), dtype)
    h_2[:1] = h_20
    gates_0 = gates_[..., :3 * n_h_2]
    pre_______ = gates_[..., 3 * n_h_2:4 * n_h_2]
    all_exp_ = gates_[..., :3 * n_h_2]
    f_2_i_2_o_2 = gates_[..., :3 * n_h_2]
    o_2 = gates_[..., 2 * n_h_2:3 * n_h_2]
    f_2 = gates_[..., :n_h_2]
    i_2 = gates_[..., n_h_2:2 * n_h_2]
    C_add_2 = gates_[..., 3 * n_h_2:4 * n_h_2]
    temp1 = empty((*lead, n_h_2), dtype)
    fixed2 = np.ascontiguousarray(W_all_[:, 0:n_h_2].T, dtype)
    number1 = np.asarray(1, dtype)
    with np.errstate(over="ignore"):
        for (
            gates__t, h_2_before1, gates__in_t, all_exp__t, gates_0_t, f_2_i_2_o_2_t, C_add_2_t, pre________t, C_2_t,
            f_2_t, C_2_before1, i_2_t, tanh_C_2_t, h_2_t, o_2_t,
        ) in zip(
            gates_[:T], h_2[:T], gates__in, all_exp_[:T], gates_0[:T], f_2_i_2_o_2[:T], C_add_2[:T], pre_______[:T],
            C_2[1:T + 1], f_2[:T], C_2[:T], i_2[:T], tanh_C_2, h_2[1:T + 1], o_2[:T],
        ):
            # gates_[t] = gates__in[t] + W_all_[:, 0:size(h_2)] @ h_2[t-1]
            h_2_before1.dot(fixed2, gates__t)
            np.add(gates__t, gates__in_t, gates__t)
            # all_exp_[t] = exp(gates_[t][0:3 * size(h_2)])
            np.exp(gates_0_t, all_exp__t)
            # f_2_i_2_o_2[t] = 1 / (1 + all_exp_[t])
            np.add(number1, all_exp__t, f_2_i_2_o_2_t)
            np.divide(number1, f_2_i_2_o_2_t, f_2_i_2_o_2_t)
            # C_add_2[t] = tanh(gates_[t][3 * size(h_2):4 * size(h_2)])
            np.tanh(pre________t, C_add_2_t)
            # C_2[t] = f_2_i_2_o_2[t][0:size(h_2)] * C_2[t-1] + f_2_i_2_o_2[t][size(h_2):2 * size(h_2)] * C_add_2[t]
            np.multiply(f_2_t, C_2_before1, C_2_t)
            np.multiply(i_2_t, C_add_2_t, temp1)
            np.add(C_2_t, temp1, C_2_t)
            # tanh_C_2[t] = tanh(C_2[t])
            np.tanh(C_2_t, tanh_C_2_t)
            # h_2[t] = f_2_i_2_o_2[t][2 * size(h_2):3 * size(h_2)] * tanh_C_2[t]
            np.multiply(o_2_t, tanh_C_2_t, h_2_t)

    # y_T = sigmoid(W_y @ h_2[T] + b_y)
    y_T = sigmoid((h_2[T] @ W_y.T) + b_y)

    # dy_T = y_T - target
    dy_T = y_T - target

    # delta_y_T = dy_T * y_T * (1 - y_T)
    delta_y_T = dy_T * y_T * (1 - y_T)

    # dh_2_in[t] = (W_y.T @ delta_y_T if t == T else 0)
    dh_2_in = impulse((delta_y_T @ W_y), T - 1, (T, *lead, n_h_2), dtype)

    # dC_2_in[t] = f_2_i_2_o_2[t][2 * size(h_2):3 * size(h_2)] * (1 - tanh_C_2[t]**2)
    dC_2_in = empty((T, *lead, n_h_2), dtype)
    temp_all3 = empty((T, *lead, n_h_2), dtype)
    np.multiply(tanh_C_2, tanh_C_2, temp_all3)
    np.subtract(1, temp_all3, dC_2_in)
    np.multiply(dC_2_in, o_2[:T], dC_2_in)

    # deltas__in[t] = [C_2[t-1] * f_2_i_2_o_2[t][0:size(h_2)] * (1 - f_2_i_2_o_2[t][0:size(h_2)]), C_add_2[t] * f_2_i_2_o_2[t][size(h_2):2 * size(h_2)] * (1 - f_2_i_2_o_2[t][size(h_2):2 * size(h_2)]), f_2_i_2_o_2[t][size(h_2):2 * size(h_2)] * (1 - C_add_2[t]**2), tanh_C_2[t] * f_2_i_2_o_2[t][2 * size(h_2):3 * size(h_2)] * (1 - f_2_i_2_o_2[t][2 * size(h_2):3 * size(h_2)])]
    deltas__in = empty((T, *lead, 4 * n_h_2), dtype)
    temp_all4 = empty((T, *lead, n_h_2), dtype)
    np.subtract(1, f_2[:T], temp_all3)
    np.multiply(temp_all3, C_2[:T], temp_all3)
    np.multiply(temp_all3, f_2[:T], deltas__in[..., 0:n_h_2])
    np.subtract(1, i_2[:T], temp_all3)
    np.multiply(temp_all3, C_add_2[:T], temp_all3)
    np.multiply(temp_all3, i_2[:T], deltas__in[..., n_h_2:2 * n_h_2])
    np.multiply(C_add_2[:T], C_add_2[:T], temp_all4)
    np.subtract(1, temp_all4, temp_all3)
    np.multiply(temp_all3, i_2[:T], deltas__in[..., 2 * n_h_2:3 * n_h_2])
    np.subtract(1, o_2[:T], temp_all3)
    np.multiply(temp_all3, tanh_C_2, temp_all3)
    np.multiply(temp_all3, o_2[:T], deltas__in[..., 3 * n_h_2:4 * n_h_2])

    # dC_1_in[t] = f_1_i_1_o_1[t][2 * size(h_1):3 * size(h_1)] * (1 - tanh_C_1[t]**2)
    dC_1_in = empty((T, *lead, n_h_1), dtype)
    temp_all5 = empty((T, *lead, n_h_1), dtype)
    np.multiply(tanh_C_1, tanh_C_1, temp_all5)
    np.subtract(1, temp_all5, dC_1_in)
    np.multiply(dC_1_in, o_1[:T], dC_1_in)

    # deltas_in[t] = [C_1[t-1] * f_1_i_1_o_1[t][0:size(h_1)] * (1 - f_1_i_1_o_1[t][0:size(h_1)]), C_add_1[t] * f_1_i_1_o_1[t][size(h_1):2 * size(h_1)] * (1 - f_1_i_1_o_1[t][size(h_1):2 * size(h_1)]), f_1_i_1_o_1[t][size(h_1):2 * size(h_1)] * (1 - C_add_1[t]**2), tanh_C_1[t] * f_1_i_1_o_1[t][2 * size(h_1):3 * size(h_1)] * (1 - f_1_i_1_o_1[t][2 * size(h_1):3 * size(h_1)])]
    deltas_in = empty((T, *lead, 4 * n_h_1), dtype)
    temp_all6 = empty((T, *lead, n_h_1), dtype)
    np.subtract(1, f_1[:T], temp_all5)
    np.multiply(temp_all5, C_1[:T], temp_all5)
    np.multiply(temp_all5, f_1[:T], deltas_in[..., 0:n_h_1])
    np.subtract(1, i_1[:T], temp_all5)
    np.multiply(temp_all5, C_add_1[:T], temp_all5)
    np.multiply(temp_all5, i_1[:T], deltas_in[..., n_h_1:2 * n_h_1])
    np.multiply(C_add_1[:T], C_add_1[:T], temp_all6)
    np.subtract(1, temp_all6, temp_all5)
    np.multiply(temp_all5, i_1[:T], deltas_in[..., 2 * n_h_1:3 * n_h_1])
    np.subtract(1, o_1[:T], temp_all5)
    np.multiply(temp_all5, tanh_C_1, temp_all5)
    np.multiply(temp_all5, o_1[:T], deltas_in[..., 3 * n_h_1:4 * n_h_1])

    # W_sum = [W_f_1[:, 0:size(h_1)], W_i_1[:, 0:size(h_1)], W_C_1[:, 0:size(h_1)], W_o_1[:, 0:size(h_1)]]
    W_sum = np.concatenate([W_f_1[:, 0:n_h_1], W_i_1[:, 0:n_h_1], W_C_1[:, 0:n_h_1], W_o_1[:, 0:n_h_1]], -2)

    dh_2_t = empty((*lead, n_h_2), dtype)
    dC_2 = empty((T + 1, *lead, n_h_2), dtype)
    dC_2[T:] = 0.0
    deltas_ = empty((T, *lead, 4 * n_h_2), dtype)
    delta_o_2_2 = empty((T + 1, *lead, n_h_1 + n_h_2), dtype)
    delta_o_2_2[T:] = 0.0
    delta_C_add_2_2 = empty((T + 1, *lead, n_h_1 + n_h_2), dtype)
    delta_C_add_2_2[T:] = 0.0
    delta_i_2_2 = empty((T + 1, *lead, n_h_1 + n_h_2), dtype)
    delta_i_2_2[T:] = 0.0
    delta_f_2_2 = empty((T + 1, *lead, n_h_1 + n_h_2), dtype)
    delta_f_2_2[T:] = 0.0
    delta_o_2 = deltas_[..., 3 * n_h_2:4 * n_h_2]
    delta_C_add_2 = deltas_[..., 2 * n_h_2:3 * n_h_2]
    delta_i_2 = deltas_[..., n_h_2:2 * n_h_2]
    delta_f_2 = deltas_[..., :n_h_2]
    deltas_4 = deltas_[..., :3 * n_h_2]
    delta_o_2_20_ = delta_o_2_2[..., :n_h_2]
    delta_o_2_21 = delta_o_2_2[..., n_h_2:n_h_1 + n_h_2]
    delta_C_add_2_20_ = delta_C_add_2_2[..., :n_h_2]
    delta_C_add_2_21 = delta_C_add_2_2[..., n_h_2:n_h_1 + n_h_2]
    delta_i_2_20_ = delta_i_2_2[..., :n_h_2]
    delta_i_2_21 = delta_i_2_2[..., n_h_2:n_h_1 + n_h_2]
    delta_f_2_20_ = delta_f_2_2[..., :n_h_2]
    delta_f_2_21 = delta_f_2_2[..., n_h_2:n_h_1 + n_h_2]
    temp1 = empty((*lead, n_h_2), dtype)
    fixed7 = np.ascontiguousarray(W_o_2.swapaxes(-1, -2).T, dtype)
    fixed8 = np.ascontiguousarray(W_C_2.swapaxes(-1, -2).T, dtype)
    fixed9 = np.ascontiguousarray(W_i_2.swapaxes(-1, -2).T, dtype)
    fixed10 = np.ascontiguousarray(W_f_2.swapaxes(-1, -2).T, dtype)
    for (
        dh_2_in_t, delta_o_2_20__after1, delta_C_add_2_20__after1, delta_i_2_20__after1, delta_f_2_20__after1,
        dC_2_t, dC_2_in_t, dC_2_after1, f_2_after1, deltas_4_t_0, dC_2_t_2, deltas__in0_t_0, delta_o_2_t,
        deltas__in1_t, delta_o_2_2_t, delta_C_add_2_2_t, delta_C_add_2_t, delta_i_2_2_t, delta_i_2_t,
        delta_f_2_2_t, delta_f_2_t,
    ) in zip(
        dh_2_in[::-1], delta_o_2_20_[1:T + 1][::-1], delta_C_add_2_20_[1:T + 1][::-1],
        delta_i_2_20_[1:T + 1][::-1], delta_f_2_20_[1:T + 1][::-1], dC_2[:T][::-1], dC_2_in[::-1],
        dC_2[1:T + 1][::-1], f_2[1:T + 1][::-1], deltas_4[::-1].reshape(T, *lead, 3, n_h_2),
        dC_2[:T][::-1][..., None, :], deltas__in[::-1][..., 0:3 * n_h_2].reshape(T, *lead, 3, n_h_2),
        delta_o_2[::-1], deltas__in[::-1][..., 3 * n_h_2:4 * n_h_2], delta_o_2_2[:T][::-1],
        delta_C_add_2_2[:T][::-1], delta_C_add_2[::-1], delta_i_2_2[:T][::-1], delta_i_2[::-1],
        delta_f_2_2[:T][::-1], delta_f_2[::-1],
    ):
        # dh_2[t] = dh_2_in[t] + delta_o_2_2[t+1][0:size(h_2)] + delta_C_add_2_2[t+1][0:size(h_2)] + delta_i_2_2[t+1][0:size(h_2)] + delta_f_2_2[t+1][0:size(h_2)]
        np.add(dh_2_in_t, delta_o_2_20__after1, dh_2_t)
        np.add(dh_2_t, delta_C_add_2_20__after1, dh_2_t)
        np.add(dh_2_t, delta_i_2_20__after1, dh_2_t)
        np.add(dh_2_t, delta_f_2_20__after1, dh_2_t)
        # dC_2[t] = dh_2[t] * dC_2_in[t] + dC_2[t+1] * f_2_i_2_o_2[t+1][0:size(h_2)]
        np.multiply(dh_2_t, dC_2_in_t, dC_2_t)
        np.multiply(dC_2_after1, f_2_after1, temp1)
        np.add(dC_2_t, temp1, dC_2_t)
        # deltas_[t] = [dC_2[t], dC_2[t], dC_2[t], dh_2[t]] * deltas__in[t]
        np.multiply(dC_2_t_2, deltas__in0_t_0, deltas_4_t_0)
        np.multiply(dh_2_t, deltas__in1_t, delta_o_2_t)
        # delta_o_2_2[t] = W_o_2.T @ deltas_[t][3 * size(h_2):4 * size(h_2)]
        delta_o_2_t.dot(fixed7, delta_o_2_2_t)
        # delta_C_add_2_2[t] = W_C_2.T @ deltas_[t][2 * size(h_2):3 * size(h_2)]
        delta_C_add_2_t.dot(fixed8, delta_C_add_2_2_t)
        # delta_i_2_2[t] = W_i_2.T @ deltas_[t][size(h_2):2 * size(h_2)]
        delta_i_2_t.dot(fixed9, delta_i_2_2_t)
        # delta_f_2_2[t] = W_f_2.T @ deltas_[t][0:size(h_2)]
        delta_f_2_t.dot(fixed10, delta_f_2_2_t)

    dh_1_t = empty((*lead, n_h_1), dtype)
    dC_1 = empty((T + 1, *lead, n_h_1), dtype)
    dC_1[T:] = 0.0
    deltas = empty((T + 1, *lead, 4 * n_h_1), dtype)
    deltas[T:] = 0.0
    deltas0_ = deltas[..., :3 * n_h_1]
    delta_o_1 = deltas[..., 3 * n_h_1:4 * n_h_1]
    temp1 = empty((*lead, n_h_1), dtype)
    fixed11 = np.ascontiguousarray(W_sum.swapaxes(-1, -2).T, dtype)
    for (
        deltas_after1, delta_o_2_21_t, delta_C_add_2_21_t, delta_i_2_21_t, delta_f_2_21_t, dC_1_t, dC_1_in_t,
        dC_1_after1, f_1_after1, deltas0__t_1, dC_1_t_2, deltas_in0_t_0, delta_o_1_t, deltas_in1_t,
    ) in zip(
        deltas[1:T + 1][::-1], delta_o_2_21[:T][::-1], delta_C_add_2_21[:T][::-1], delta_i_2_21[:T][::-1],
        delta_f_2_21[:T][::-1], dC_1[:T][::-1], dC_1_in[::-1], dC_1[1:T + 1][::-1], f_1[1:T + 1][::-1],
        deltas0_[:T][::-1].reshape(T, *lead, 3, n_h_1), dC_1[:T][::-1][..., None, :],
        deltas_in[::-1][..., 0:3 * n_h_1].reshape(T, *lead, 3, n_h_1), delta_o_1[:T][::-1],
        deltas_in[::-1][..., 3 * n_h_1:4 * n_h_1],
    ):
        # dh_1[t] = delta_o_2_2[t][size(h_2):size(h_1) + size(h_2)] + delta_C_add_2_2[t][size(h_2):size(h_1) + size(h_2)] + delta_i_2_2[t][size(h_2):size(h_1) + size(h_2)] + delta_f_2_2[t][size(h_2):size(h_1) + size(h_2)] + W_sum.T @ deltas[t+1]
        deltas_after1.dot(fixed11, dh_1_t)
        np.add(dh_1_t, delta_o_2_21_t, dh_1_t)
        np.add(dh_1_t, delta_C_add_2_21_t, dh_1_t)
        np.add(dh_1_t, delta_i_2_21_t, dh_1_t)
        np.add(dh_1_t, delta_f_2_21_t, dh_1_t)
        # dC_1[t] = dh_1[t] * dC_1_in[t] + dC_1[t+1] * f_1_i_1_o_1[t+1][0:size(h_1)]
        np.multiply(dh_1_t, dC_1_in_t, dC_1_t)
        np.multiply(dC_1_after1, f_1_after1, temp1)
        np.add(dC_1_t, temp1, dC_1_t)
        # deltas[t] = [dC_1[t], dC_1[t], dC_1[t], dh_1[t]] * deltas_in[t]
        np.multiply(dC_1_t_2, deltas_in0_t_0, deltas0__t_1)
        np.multiply(dh_1_t, deltas_in1_t, delta_o_1_t)

    # total = sum(deltas[t] @ [h_1[t-1], x[t]].T, t, batch)
    total = gram(deltas[:T], np.concatenate([h_1[:T], x], -1))

    # total_ = sum(deltas[t], t, batch)
    total_ = over_batch(deltas[:T].sum(0), 1)

    # total__ = sum(deltas_[t] @ [h_2[t-1], h_1[t]].T, t, batch)
    total__ = gram(deltas_, np.concatenate([h_2[:T], h_1[1:T + 1]], -1))

    # total___ = sum(deltas_[t], t, batch)
    total___ = over_batch(deltas_.sum(0), 1)

    # L = squared_error(y_T, target)
    L = squared_error(y_T, target)

    # dW_f_1 = total[0:size(h_1)]
    dW_f_1 = total[0:n_h_1]

    # db_f_1 = total_[0:size(h_1)]
    db_f_1 = total_[..., 0:n_h_1]

    # dW_i_1 = total[size(h_1):2 * size(h_1)]
    dW_i_1 = total[n_h_1:2 * n_h_1]

    # db_i_1 = total_[size(h_1):2 * size(h_1)]
    db_i_1 = total_[..., n_h_1:2 * n_h_1]

    # dW_C_1 = total[2 * size(h_1):3 * size(h_1)]
    dW_C_1 = total[2 * n_h_1:3 * n_h_1]

    # db_C_1 = total_[2 * size(h_1):3 * size(h_1)]
    db_C_1 = total_[..., 2 * n_h_1:3 * n_h_1]

    # dW_o_1 = total[3 * size(h_1):4 * size(h_1)]
    dW_o_1 = total[3 * n_h_1:4 * n_h_1]

    # db_o_1 = total_[3 * size(h_1):4 * size(h_1)]
    db_o_1 = total_[..., 3 * n_h_1:4 * n_h_1]

    # dW_f_2 = total__[0:size(h_2)]
    dW_f_2 = total__[0:n_h_2]

    # db_f_2 = total___[0:size(h_2)]
    db_f_2 = total___[..., 0:n_h_2]

    # dW_i_2 = total__[size(h_2):2 * size(h_2)]
    dW_i_2 = total__[n_h_2:2 * n_h_2]

    # db_i_2 = total___[size(h_2):2 * size(h_2)]
    db_i_2 = total___[..., n_h_2:2 * n_h_2]

    # dW_C_2 = total__[2 * size(h_2):3 * size(h_2)]
    dW_C_2 = total__[2 * n_h_2:3 * n_h_2]

    # db_C_2 = total___[2 * size(h_2):3 * size(h_2)]
    db_C_2 = total___[..., 2 * n_h_2:3 * n_h_2]

    # dW_o_2 = total__[3 * size(h_2):4 * size(h_2)]
    dW_o_2 = total__[3 * n_h_2:4 * n_h_2]

    # db_o_2 = total___[3 * size(h_2):4 * size(h_2)]
    db_o_2 = total___[..., 3 * n_h_2:4 * n_h_2]

    # dW_y = sum(delta_y_T @ h_2[T].T, batch)
    dW_y = gram(delta_y_T, h_2[T])

    # db_y = sum(delta_y_T, batch)
    db_y = over_batch(delta_y_T, 1)

    # dh_1_0 = W_sum.T @ deltas[1]
    dh_1_0 = deltas[0] @ W_sum

    # dC_1_0 = dC_1[1] * f_1_i_1_o_1[1][0:size(h_1)]
    dC_1_0 = dC_1[0] * f_1[0]

    # dh_2_0 = delta_o_2_2[1][0:size(h_2)] + delta_C_add_2_2[1][0:size(h_2)] + delta_i_2_2[1][0:size(h_2)] + delta_f_2_2[1][0:size(h_2)]
    dh_2_0 = delta_o_2_20_[0] + delta_C_add_2_20_[0] + delta_i_2_20_[0] + delta_f_2_20_[0]

    # dC_2_0 = dC_2[1] * f_2_i_2_o_2[1][0:size(h_2)]
    dC_2_0 = dC_2[0] * f_2[0]
    return L.sum(), {'W_f_1': dW_f_1, 'b_f_1': db_f_1, 'W_i_1': dW_i_1, 'b_i_1': db_i_1, 'W_C_1': dW_C_1, 'b_C_1': db_C_1, 'W_o_1': dW_o_1, 'b_o_1': db_o_1, 'W_f_2': dW_f_2, 'b_f_2': db_f_2, 'W_i_2': dW_i_2, 'b_i_2': db_i_2, 'W_C_2': dW_C_2, 'b_C_2': db_C_2, 'W_o_2': dW_o_2, 'b_o_2': db_o_2, 'W_y': dW_y, 'b_y': full(db_y, n_y), 'h_10': dh_1_0, 'C_10': dC_1_0, 'h_20': dh_2_0, 'C_20': dC_2_0}
