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

Operations in matrix products: 2 B (12 T n_h_L^2 + 8 T n_h_L n_x + 12 T n_h_R^2 + 8 T n_h_R n_x + 4 n_h_L^2 + 3 n_h_L n_y + 4 n_h_R^2 + 3 n_h_R n_y)
Operations entry by entry:     53 B T n_h_L + 53 B T n_h_R + B n_h_L + B n_h_R + 9 B n_y + 3 n_h_L^2 + 3 n_h_L n_x + 3 n_h_R^2 + 3 n_h_R n_x
Values of functions:           B (5 T n_h_L + 5 T n_h_R + n_y)
Numbers kept over the steps:   30 B T (n_h_L + n_h_R)
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

    # W_all = [-W_f_L, -W_i_L, -W_o_L, W_C_L]
    W_all = np.concatenate([(-W_f_L), (-W_i_L), (-W_o_L), W_C_L], -2)

    # gates_in[t] = W_all[:, size(h_L):size(h_L) + size(x)] @ x[t] + [-b_f_L, -b_i_L, -b_o_L, b_C_L]
    gates_in = empty((T, *lead, 4 * n_h_L), dtype)
    np.matmul(x.reshape(-1, n_x), W_all[:, n_h_L:n_h_L + n_x].T, gates_in.reshape(-1, 4 * n_h_L))
    np.add(gates_in, np.concatenate([(-b_f_L), (-b_i_L), (-b_o_L), b_C_L], -1), gates_in)

    # W_all_ = [-W_f_R, -W_i_R, -W_o_R, W_C_R]
    W_all_ = np.concatenate([(-W_f_R), (-W_i_R), (-W_o_R), W_C_R], -2)

    # gates__in[t] = W_all_[:, size(h_R):size(h_R) + size(x)] @ x[t] + [-b_f_R, -b_i_R, -b_o_R, b_C_R]
    gates__in = empty((T, *lead, 4 * n_h_R), dtype)
    np.matmul(x.reshape(-1, n_x), W_all_[:, n_h_R:n_h_R + n_x].T, gates__in.reshape(-1, 4 * n_h_R))
    np.add(gates__in, np.concatenate([(-b_f_R), (-b_i_R), (-b_o_R), b_C_R], -1), gates__in)

    gates = empty((T + 1, *lead, 4 * n_h_L), dtype)
    gates[T:] = 0.0
    C_L = empty((T + 1, *lead, n_h_L), dtype)
    C_L[:1] = C_L0
    tanh_C_L = empty((T, *lead, n_h_L), dtype)
    h_L = empty((T + 1, *lead, n_h_L), dtype)
    h_L[:1] = h_L0
    gates0 = gates[..., :3 * n_h_L]
    pre______ = gates[..., 3 * n_h_L:4 * n_h_L]
    all_exp = gates[..., :3 * n_h_L]
    f_L_i_L_o_L = gates[..., :3 * n_h_L]
    o_L = gates[..., 2 * n_h_L:3 * n_h_L]
    f_L = gates[..., :n_h_L]
    i_L = gates[..., n_h_L:2 * n_h_L]
    C_add_L = gates[..., 3 * n_h_L:4 * n_h_L]
    temp1 = empty((*lead, n_h_L), dtype)
    fixed1 = np.ascontiguousarray(W_all[:, 0:n_h_L].T, dtype)
    number1 = np.asarray(1, dtype)
    with np.errstate(over="ignore"):
        for (
            gates_t, h_L_before1, gates_in_t, all_exp_t, gates0_t, f_L_i_L_o_L_t, C_add_L_t, pre_______t, C_L_t,
            f_L_t, C_L_before1, i_L_t, tanh_C_L_t, h_L_t, o_L_t,
        ) in zip(
            gates[:T], h_L[:T], gates_in, all_exp[:T], gates0[:T], f_L_i_L_o_L[:T], C_add_L[:T], pre______[:T],
            C_L[1:T + 1], f_L[:T], C_L[:T], i_L[:T], tanh_C_L, h_L[1:T + 1], o_L[:T],
        ):
            # gates[t] = gates_in[t] + W_all[:, 0:size(h_L)] @ h_L[t-1]
            h_L_before1.dot(fixed1, gates_t)
            np.add(gates_t, gates_in_t, gates_t)
            # all_exp[t] = exp(gates[t][0:3 * size(h_L)])
            np.exp(gates0_t, all_exp_t)
            # f_L_i_L_o_L[t] = 1 / (1 + all_exp[t])
            np.add(number1, all_exp_t, f_L_i_L_o_L_t)
            np.divide(number1, f_L_i_L_o_L_t, f_L_i_L_o_L_t)
            # C_add_L[t] = tanh(gates[t][3 * size(h_L):4 * size(h_L)])
            np.tanh(pre_______t, C_add_L_t)
            # C_L[t] = f_L_i_L_o_L[t][0:size(h_L)] * C_L[t-1] + f_L_i_L_o_L[t][size(h_L):2 * size(h_L)] * C_add_L[t]
            np.multiply(f_L_t, C_L_before1, C_L_t)
            np.multiply(i_L_t, C_add_L_t, temp1)
            np.add(C_L_t, temp1, C_L_t)
            # tanh_C_L[t] = tanh(C_L[t])
            np.tanh(C_L_t, tanh_C_L_t)
            # h_L[t] = f_L_i_L_o_L[t][2 * size(h_L):3 * size(h_L)] * tanh_C_L[t]
            np.multiply(o_L_t, tanh_C_L_t, h_L_t)

    gates_ = empty((T + 1, *lead, 4 * n_h_R), dtype)
    gates_[:1] = 0.0
    C_R = empty((T + 1, *lead, n_h_R), dtype)
    C_R[T:] = C_R0
    tanh_C_R = empty((T, *lead, n_h_R), dtype)
    h_R = empty((T + 1, *lead, n_h_R), dtype)
    h_R[T:] = h_R0
    gates_0 = gates_[..., :3 * n_h_R]
    pre_______ = gates_[..., 3 * n_h_R:4 * n_h_R]
    all_exp_ = gates_[..., :3 * n_h_R]
    f_R_i_R_o_R = gates_[..., :3 * n_h_R]
    o_R = gates_[..., 2 * n_h_R:3 * n_h_R]
    f_R = gates_[..., :n_h_R]
    i_R = gates_[..., n_h_R:2 * n_h_R]
    C_add_R = gates_[..., 3 * n_h_R:4 * n_h_R]
    temp1 = empty((*lead, n_h_R), dtype)
    fixed2 = np.ascontiguousarray(W_all_[:, 0:n_h_R].T, dtype)
    number1 = np.asarray(1, dtype)
    with np.errstate(over="ignore"):
        for (
            gates__t, h_R_after1, gates__in_t, all_exp__t, gates_0_t, f_R_i_R_o_R_t, C_add_R_t, pre________t, C_R_t,
            f_R_t, C_R_after1, i_R_t, tanh_C_R_t, h_R_t, o_R_t,
        ) in zip(
            gates_[1:T + 1][::-1], h_R[1:T + 1][::-1], gates__in[::-1], all_exp_[1:T + 1][::-1],
            gates_0[1:T + 1][::-1], f_R_i_R_o_R[1:T + 1][::-1], C_add_R[1:T + 1][::-1], pre_______[1:T + 1][::-1],
            C_R[:T][::-1], f_R[1:T + 1][::-1], C_R[1:T + 1][::-1], i_R[1:T + 1][::-1], tanh_C_R[::-1], h_R[:T][::-1],
            o_R[1:T + 1][::-1],
        ):
            # gates_[t] = gates__in[t] + W_all_[:, 0:size(h_R)] @ h_R[t+1]
            h_R_after1.dot(fixed2, gates__t)
            np.add(gates__t, gates__in_t, gates__t)
            # all_exp_[t] = exp(gates_[t][0:3 * size(h_R)])
            np.exp(gates_0_t, all_exp__t)
            # f_R_i_R_o_R[t] = 1 / (1 + all_exp_[t])
            np.add(number1, all_exp__t, f_R_i_R_o_R_t)
            np.divide(number1, f_R_i_R_o_R_t, f_R_i_R_o_R_t)
            # C_add_R[t] = tanh(gates_[t][3 * size(h_R):4 * size(h_R)])
            np.tanh(pre________t, C_add_R_t)
            # C_R[t] = f_R_i_R_o_R[t][0:size(h_R)] * C_R[t+1] + f_R_i_R_o_R[t][size(h_R):2 * size(h_R)] * C_add_R[t]
            np.multiply(f_R_t, C_R_after1, C_R_t)
            np.multiply(i_R_t, C_add_R_t, temp1)
            np.add(C_R_t, temp1, C_R_t)
            # tanh_C_R[t] = tanh(C_R[t])
            np.tanh(C_R_t, tanh_C_R_t)
            # h_R[t] = f_R_i_R_o_R[t][2 * size(h_R):3 * size(h_R)] * tanh_C_R[t]
            np.multiply(o_R_t, tanh_C_R_t, h_R_t)

    # h_T = [h_L[T], h_R[T]]
    h_T = stacked(h_L[T], h_R[T - 1], axis=-1)

    # y_T = sigmoid(W_y @ h_T + b_y)
    y_T = sigmoid((h_T @ W_y.T) + b_y)

    # dy_T = y_T - target
    dy_T = y_T - target

    # delta_y_T = dy_T * y_T * (1 - y_T)
    delta_y_T = dy_T * y_T * (1 - y_T)

    # dh_T = W_y.T @ delta_y_T
    dh_T = delta_y_T @ W_y

    # dh_L_in[t] = (dh_T if t == T else 0)[0:size(h_L)]
    dh_L_in = impulse(dh_T, T - 1, (T, *lead, n_h_L + n_h_R), dtype)[..., 0:n_h_L]

    # dC_L_in[t] = f_L_i_L_o_L[t][2 * size(h_L):3 * size(h_L)] * (1 - tanh_C_L[t]**2)
    dC_L_in = empty((T, *lead, n_h_L), dtype)
    temp_all3 = empty((T, *lead, n_h_L), dtype)
    np.multiply(tanh_C_L, tanh_C_L, temp_all3)
    np.subtract(1, temp_all3, dC_L_in)
    np.multiply(dC_L_in, o_L[:T], dC_L_in)

    # deltas_in[t] = [C_L[t-1] * f_L_i_L_o_L[t][0:size(h_L)] * (1 - f_L_i_L_o_L[t][0:size(h_L)]), C_add_L[t] * f_L_i_L_o_L[t][size(h_L):2 * size(h_L)] * (1 - f_L_i_L_o_L[t][size(h_L):2 * size(h_L)]), f_L_i_L_o_L[t][size(h_L):2 * size(h_L)] * (1 - C_add_L[t]**2), tanh_C_L[t] * f_L_i_L_o_L[t][2 * size(h_L):3 * size(h_L)] * (1 - f_L_i_L_o_L[t][2 * size(h_L):3 * size(h_L)])]
    deltas_in = empty((T, *lead, 4 * n_h_L), dtype)
    temp_all4 = empty((T, *lead, n_h_L), dtype)
    np.subtract(1, f_L[:T], temp_all3)
    np.multiply(temp_all3, C_L[:T], temp_all3)
    np.multiply(temp_all3, f_L[:T], deltas_in[..., 0:n_h_L])
    np.subtract(1, i_L[:T], temp_all3)
    np.multiply(temp_all3, C_add_L[:T], temp_all3)
    np.multiply(temp_all3, i_L[:T], deltas_in[..., n_h_L:2 * n_h_L])
    np.multiply(C_add_L[:T], C_add_L[:T], temp_all4)
    np.subtract(1, temp_all4, temp_all3)
    np.multiply(temp_all3, i_L[:T], deltas_in[..., 2 * n_h_L:3 * n_h_L])
    np.subtract(1, o_L[:T], temp_all3)
    np.multiply(temp_all3, tanh_C_L, temp_all3)
    np.multiply(temp_all3, o_L[:T], deltas_in[..., 3 * n_h_L:4 * n_h_L])

    # dh_R_in[t] = (dh_T if t == T else 0)[size(h_L):size(h_L) + size(h_R)]
    dh_R_in = impulse(dh_T, T - 1, (T, *lead, n_h_L + n_h_R), dtype)[..., n_h_L:n_h_L + n_h_R]

    # dC_R_in[t] = f_R_i_R_o_R[t][2 * size(h_R):3 * size(h_R)] * (1 - tanh_C_R[t]**2)
    dC_R_in = empty((T, *lead, n_h_R), dtype)
    temp_all5 = empty((T, *lead, n_h_R), dtype)
    np.multiply(tanh_C_R, tanh_C_R, temp_all5)
    np.subtract(1, temp_all5, dC_R_in)
    np.multiply(dC_R_in, o_R[1:T + 1], dC_R_in)

    # deltas__in[t] = [C_R[t+1] * f_R_i_R_o_R[t][0:size(h_R)] * (1 - f_R_i_R_o_R[t][0:size(h_R)]), C_add_R[t] * f_R_i_R_o_R[t][size(h_R):2 * size(h_R)] * (1 - f_R_i_R_o_R[t][size(h_R):2 * size(h_R)]), f_R_i_R_o_R[t][size(h_R):2 * size(h_R)] * (1 - C_add_R[t]**2), tanh_C_R[t] * f_R_i_R_o_R[t][2 * size(h_R):3 * size(h_R)] * (1 - f_R_i_R_o_R[t][2 * size(h_R):3 * size(h_R)])]
    deltas__in = empty((T, *lead, 4 * n_h_R), dtype)
    temp_all6 = empty((T, *lead, n_h_R), dtype)
    np.subtract(1, f_R[1:T + 1], temp_all5)
    np.multiply(temp_all5, C_R[1:T + 1], temp_all5)
    np.multiply(temp_all5, f_R[1:T + 1], deltas__in[..., 0:n_h_R])
    np.subtract(1, i_R[1:T + 1], temp_all5)
    np.multiply(temp_all5, C_add_R[1:T + 1], temp_all5)
    np.multiply(temp_all5, i_R[1:T + 1], deltas__in[..., n_h_R:2 * n_h_R])
    np.multiply(C_add_R[1:T + 1], C_add_R[1:T + 1], temp_all6)
    np.subtract(1, temp_all6, temp_all5)
    np.multiply(temp_all5, i_R[1:T + 1], deltas__in[..., 2 * n_h_R:3 * n_h_R])
    np.subtract(1, o_R[1:T + 1], temp_all5)
    np.multiply(temp_all5, tanh_C_R, temp_all5)
    np.multiply(temp_all5, o_R[1:T + 1], deltas__in[..., 3 * n_h_R:4 * n_h_R])

    # W_sum = [W_f_L[:, 0:size(h_L)], W_i_L[:, 0:size(h_L)], W_C_L[:, 0:size(h_L)], W_o_L[:, 0:size(h_L)]]
    W_sum = np.concatenate([W_f_L[:, 0:n_h_L], W_i_L[:, 0:n_h_L], W_C_L[:, 0:n_h_L], W_o_L[:, 0:n_h_L]], -2)

    dh_L_t = empty((*lead, n_h_L), dtype)
    dC_L = empty((T + 1, *lead, n_h_L), dtype)
    dC_L[T:] = 0.0
    deltas = empty((T + 1, *lead, 4 * n_h_L), dtype)
    deltas[T:] = 0.0
    deltas0_ = deltas[..., :3 * n_h_L]
    delta_o_L = deltas[..., 3 * n_h_L:4 * n_h_L]
    temp1 = empty((*lead, n_h_L), dtype)
    fixed7 = np.ascontiguousarray(W_sum.swapaxes(-1, -2).T, dtype)
    for (
        deltas_after1, dh_L_in_t, dC_L_t, dC_L_in_t, dC_L_after1, f_L_after1, deltas0__t_1, dC_L_t_2,
        deltas_in0_t_0, delta_o_L_t, deltas_in1_t,
    ) in zip(
        deltas[1:T + 1][::-1], dh_L_in[::-1], dC_L[:T][::-1], dC_L_in[::-1], dC_L[1:T + 1][::-1],
        f_L[1:T + 1][::-1], deltas0_[:T][::-1].reshape(T, *lead, 3, n_h_L), dC_L[:T][::-1][..., None, :],
        deltas_in[::-1][..., 0:3 * n_h_L].reshape(T, *lead, 3, n_h_L), delta_o_L[:T][::-1],
        deltas_in[::-1][..., 3 * n_h_L:4 * n_h_L],
    ):
        # dh_L[t] = dh_L_in[t] + W_sum.T @ deltas[t+1]
        deltas_after1.dot(fixed7, dh_L_t)
        np.add(dh_L_t, dh_L_in_t, dh_L_t)
        # dC_L[t] = dh_L[t] * dC_L_in[t] + dC_L[t+1] * f_L_i_L_o_L[t+1][0:size(h_L)]
        np.multiply(dh_L_t, dC_L_in_t, dC_L_t)
        np.multiply(dC_L_after1, f_L_after1, temp1)
        np.add(dC_L_t, temp1, dC_L_t)
        # deltas[t] = [dC_L[t], dC_L[t], dC_L[t], dh_L[t]] * deltas_in[t]
        np.multiply(dC_L_t_2, deltas_in0_t_0, deltas0__t_1)
        np.multiply(dh_L_t, deltas_in1_t, delta_o_L_t)

    # total = sum(deltas[t] @ [h_L[t-1], x[t]].T, t, batch)
    total = gram(deltas[:T], np.concatenate([h_L[:T], x], -1))

    # total_ = sum(deltas[t], t, batch)
    total_ = over_batch(deltas[:T].sum(0), 1)

    # W_sum_ = [W_f_R[:, 0:size(h_R)], W_i_R[:, 0:size(h_R)], W_C_R[:, 0:size(h_R)], W_o_R[:, 0:size(h_R)]]
    W_sum_ = np.concatenate([W_f_R[:, 0:n_h_R], W_i_R[:, 0:n_h_R], W_C_R[:, 0:n_h_R], W_o_R[:, 0:n_h_R]], -2)

    dh_R_t = empty((*lead, n_h_R), dtype)
    dC_R = empty((T + 1, *lead, n_h_R), dtype)
    dC_R[:1] = 0.0
    deltas_ = empty((T + 1, *lead, 4 * n_h_R), dtype)
    deltas_[:1] = 0.0
    deltas_0_ = deltas_[..., :3 * n_h_R]
    delta_o_R = deltas_[..., 3 * n_h_R:4 * n_h_R]
    temp1 = empty((*lead, n_h_R), dtype)
    fixed9 = np.ascontiguousarray(W_sum_.swapaxes(-1, -2).T, dtype)
    for (
        deltas__before1, dh_R_in_t, dC_R_t, dC_R_in_t, dC_R_before1, f_R_before1, deltas_0__t_1, dC_R_t_2,
        deltas__in0_t_0, delta_o_R_t, deltas__in1_t,
    ) in zip(
        deltas_[:T], dh_R_in, dC_R[1:T + 1], dC_R_in, dC_R[:T], f_R[:T],
        deltas_0_[1:T + 1].reshape(T, *lead, 3, n_h_R), dC_R[1:T + 1][..., None, :],
        deltas__in[..., 0:3 * n_h_R].reshape(T, *lead, 3, n_h_R), delta_o_R[1:T + 1],
        deltas__in[..., 3 * n_h_R:4 * n_h_R],
    ):
        # dh_R[t] = dh_R_in[t] + W_sum_.T @ deltas_[t-1]
        deltas__before1.dot(fixed9, dh_R_t)
        np.add(dh_R_t, dh_R_in_t, dh_R_t)
        # dC_R[t] = dh_R[t] * dC_R_in[t] + dC_R[t-1] * f_R_i_R_o_R[t-1][0:size(h_R)]
        np.multiply(dh_R_t, dC_R_in_t, dC_R_t)
        np.multiply(dC_R_before1, f_R_before1, temp1)
        np.add(dC_R_t, temp1, dC_R_t)
        # deltas_[t] = [dC_R[t], dC_R[t], dC_R[t], dh_R[t]] * deltas__in[t]
        np.multiply(dC_R_t_2, deltas__in0_t_0, deltas_0__t_1)
        np.multiply(dh_R_t, deltas__in1_t, delta_o_R_t)

    # total__ = sum(deltas_[t] @ [h_R[t+1], x[t]].T, t, batch)
    total__ = gram(deltas_[1:T + 1], np.concatenate([h_R[1:T + 1], x], -1))

    # total___ = sum(deltas_[t], t, batch)
    total___ = over_batch(deltas_[1:T + 1].sum(0), 1)

    # L = squared_error(y_T, target)
    L = squared_error(y_T, target)

    # dW_f_L = total[0:size(h_L)]
    dW_f_L = total[0:n_h_L]

    # db_f_L = total_[0:size(h_L)]
    db_f_L = total_[..., 0:n_h_L]

    # dW_i_L = total[size(h_L):2 * size(h_L)]
    dW_i_L = total[n_h_L:2 * n_h_L]

    # db_i_L = total_[size(h_L):2 * size(h_L)]
    db_i_L = total_[..., n_h_L:2 * n_h_L]

    # dW_C_L = total[2 * size(h_L):3 * size(h_L)]
    dW_C_L = total[2 * n_h_L:3 * n_h_L]

    # db_C_L = total_[2 * size(h_L):3 * size(h_L)]
    db_C_L = total_[..., 2 * n_h_L:3 * n_h_L]

    # dW_o_L = total[3 * size(h_L):4 * size(h_L)]
    dW_o_L = total[3 * n_h_L:4 * n_h_L]

    # db_o_L = total_[3 * size(h_L):4 * size(h_L)]
    db_o_L = total_[..., 3 * n_h_L:4 * n_h_L]

    # dW_f_R = total__[0:size(h_R)]
    dW_f_R = total__[0:n_h_R]

    # db_f_R = total___[0:size(h_R)]
    db_f_R = total___[..., 0:n_h_R]

    # dW_i_R = total__[size(h_R):2 * size(h_R)]
    dW_i_R = total__[n_h_R:2 * n_h_R]

    # db_i_R = total___[size(h_R):2 * size(h_R)]
    db_i_R = total___[..., n_h_R:2 * n_h_R]

    # dW_C_R = total__[2 * size(h_R):3 * size(h_R)]
    dW_C_R = total__[2 * n_h_R:3 * n_h_R]

    # db_C_R = total___[2 * size(h_R):3 * size(h_R)]
    db_C_R = total___[..., 2 * n_h_R:3 * n_h_R]

    # dW_o_R = total__[3 * size(h_R):4 * size(h_R)]
    dW_o_R = total__[3 * n_h_R:4 * n_h_R]

    # db_o_R = total___[3 * size(h_R):4 * size(h_R)]
    db_o_R = total___[..., 3 * n_h_R:4 * n_h_R]

    # dW_y = sum(delta_y_T @ h_T.T, batch)
    dW_y = gram(delta_y_T, h_T)

    # db_y = sum(delta_y_T, batch)
    db_y = over_batch(delta_y_T, 1)

    # dh_L_0 = W_sum.T @ deltas[1]
    dh_L_0 = deltas[0] @ W_sum

    # dC_L_0 = dC_L[1] * f_L_i_L_o_L[1][0:size(h_L)]
    dC_L_0 = dC_L[0] * f_L[0]

    # dh_R_0 = W_sum_.T @ deltas_[T]
    dh_R_0 = deltas_[T] @ W_sum_

    # dC_R_0 = dC_R[T] * f_R_i_R_o_R[T][0:size(h_R)]
    dC_R_0 = dC_R[T] * f_R[T]
    return L.sum(), {'W_f_L': dW_f_L, 'b_f_L': db_f_L, 'W_i_L': dW_i_L, 'b_i_L': db_i_L, 'W_C_L': dW_C_L, 'b_C_L': db_C_L, 'W_o_L': dW_o_L, 'b_o_L': db_o_L, 'W_f_R': dW_f_R, 'b_f_R': db_f_R, 'W_i_R': dW_i_R, 'b_i_R': db_i_R, 'W_C_R': dW_C_R, 'b_C_R': db_C_R, 'W_o_R': dW_o_R, 'b_o_R': db_o_R, 'W_y': dW_y, 'b_y': full(db_y, n_y), 'h_L0': dh_L_0, 'C_L0': dC_L_0, 'h_R0': dh_R_0, 'C_R0': dC_R_0}
