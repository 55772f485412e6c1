"""The loss of a recurrent network and its gradient (back-propagation through time).

The network:

    f[t] = sigmoid(W_f @ [h[t-1], x[t]] + b_f)
    i[t] = sigmoid(W_i @ [h[t-1], x[t]] + b_i)
    C_add[t] = tanh(W_C @ [h[t-1], x[t]] + b_C)
    C[t] = f[t] * C[t-1] + i[t] * C_add[t]
    o[t] = sigmoid(W_o @ [h[t-1], x[t]] + b_o)
    h[t] = o[t] * tanh(C[t])
    y[t] = sigmoid(W_y @ h[t] + b_y)
    L = squared_error(y[T], target)

A sequence is an array (T, n), or (T, B, n) with a batch; a parameter is (n,) or (n, m).
Above each line stands the equation that it computes.

Operations in matrix products: 2 B n_h (12 T n_h + 8 T n_x + 4 n_h + 3 n_y)
Operations entry by entry:     53 B T n_h + B n_h + 9 B n_y + 3 n_h^2 + 3 n_h n_x
Values of functions:           B (5 T n_h + n_y)
Numbers kept over the steps:   30 B T n_h
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
    """Return the loss, and a dict of arrays: W_f, b_f, W_i, b_i, W_C, b_C, W_o, b_o, W_y, b_y, h0, C0."""
    W_f = params["W_f"]
    b_f = params["b_f"]
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
    n_h = W_f.shape[-2]
    n_x = W_f.shape[-1] - n_h
    n_y = W_y.shape[-2]
    given = {**params, **inputs}
    h0 = given.get("h0", np.zeros(n_h, dtype))
    C0 = given.get("C0", np.zeros(n_h, dtype))

    # W_all = [-W_f, -W_i, -W_o, W_C]
    W_all = np.concatenate([(-W_f), (-W_i), (-W_o), W_C], -2)

    # gates_in[t] = W_all[:, size(h):size(h) + size(x)] @ x[t] + [-b_f, -b_i, -b_o, b_C]
    gates_in = empty((T, *lead, 4 * n_h), dtype)
    np.matmul(x.reshape(-1, n_x), W_all[:, n_h:n_h + n_x].T, gates_in.reshape(-1, 4 * n_h))
    np.add(gates_in, np.concatenate([(-b_f), (-b_i), (-b_o), b_C], -1), gates_in)

    gates = empty((T + 1, *lead, 4 * n_h), dtype)
    gates[T:] = 0.0
    C = empty((T + 1, *lead, n_h), dtype)
    C[:1] = C0
    tanh_C = empty((T, *lead, n_h), dtype)
    h = empty((T + 1, *lead, n_h), dtype)
    h[:1] = h0
    gates0 = gates[..., :3 * n_h]
    pre___ = gates[..., 3 * n_h:4 * n_h]
    all_exp = gates[..., :3 * n_h]
    f_i_o = gates[..., :3 * n_h]
    o = gates[..., 2 * n_h:3 * n_h]
    f = gates[..., :n_h]
    i = gates[..., n_h:2 * n_h]
    C_add = gates[..., 3 * n_h:4 * n_h]
    temp1 = empty((*lead, n_h), dtype)
    fixed1 = np.ascontiguousarray(W_all[:, 0:n_h].T, dtype)
    number1 = np.asarray(1, dtype)
    with np.errstate(over="ignore"):
        for (
            gates_t, h_before1, gates_in_t, all_exp_t, gates0_t, f_i_o_t, C_add_t, pre____t, C_t, f_t, C_before1, i_t,
            tanh_C_t, h_t, o_t,
        ) in zip(
            gates[:T], h[:T], gates_in, all_exp[:T], gates0[:T], f_i_o[:T], C_add[:T], pre___[:T], C[1:T + 1], f[:T],
            C[:T], i[:T], tanh_C, h[1:T + 1], o[:T],
        ):
            # gates[t] = gates_in[t] + W_all[:, 0:size(h)] @ h[t-1]
            h_before1.dot(fixed1, gates_t)
            np.add(gates_t, gates_in_t, gates_t)
            # all_exp[t] = exp(gates[t][0:3 * size(h)])
            np.exp(gates0_t, all_exp_t)
            # f_i_o[t] = 1 / (1 + all_exp[t])
            np.add(number1, all_exp_t, f_i_o_t)
            np.divide(number1, f_i_o_t, f_i_o_t)
            # C_add[t] = tanh(gates[t][3 * size(h):4 * size(h)])
            np.tanh(pre____t, C_add_t)
            # C[t] = f_i_o[t][0:size(h)] * C[t-1] + f_i_o[t][size(h):2 * size(h)] * C_add[t]
            np.multiply(f_t, C_before1, C_t)
            np.multiply(i_t, C_add_t, temp1)
            np.add(C_t, temp1, C_t)
            # tanh_C[t] = tanh(C[t])
            np.tanh(C_t, tanh_C_t)
            # h[t] = f_i_o[t][2 * size(h):3 * size(h)] * tanh_C[t]
            np.multiply(o_t, tanh_C_t, h_t)

    # y_T = sigmoid(W_y @ h[T] + b_y)
    y_T = sigmoid((h[T] @ W_y.T) + b_y)

    # dy_T = y_T - target
    dy_T = y_T - target

    # delta_y_T = dy_T * y_T * (1 - y_T)
    delta_y_T = dy_T * y_T * (1 - y_T)

    # dh_in[t] = (W_y.T @ delta_y_T if t == T else 0)
    dh_in = impulse((delta_y_T @ W_y), T - 1, (T, *lead, n_h), dtype)

    # dC_in[t] = f_i_o[t][2 * size(h):3 * size(h)] * (1 - tanh_C[t]**2)
    dC_in = empty((T, *lead, n_h), dtype)
    temp_all2 = empty((T, *lead, n_h), dtype)
    np.multiply(tanh_C, tanh_C, temp_all2)
    np.subtract(1, temp_all2, dC_in)
    np.multiply(dC_in, o[:T], dC_in)

    # deltas_in[t] = [C[t-1] * f_i_o[t][0:size(h)] * (1 - f_i_o[t][0:size(h)]), C_add[t] * f_i_o[t][size(h):2 * size(h)] * (1 - f_i_o[t][size(h):2 * size(h)]), f_i_o[t][size(h):2 * size(h)] * (1 - C_add[t]**2), tanh_C[t] * f_i_o[t][2 * size(h):3 * size(h)] * (1 - f_i_o[t][2 * size(h):3 * size(h)])]
    deltas_in = empty((T, *lead, 4 * n_h), dtype)
    temp_all3 = empty((T, *lead, n_h), dtype)
    np.subtract(1, f[:T], temp_all2)
    np.multiply(temp_all2, C[:T], temp_all2)
    np.multiply(temp_all2, f[:T], deltas_in[..., 0:n_h])
    np.subtract(1, i[:T], temp_all2)
    np.multiply(temp_all2, C_add[:T], temp_all2)
    np.multiply(temp_all2, i[:T], deltas_in[..., n_h:2 * n_h])
    np.multiply(C_add[:T], C_add[:T], temp_all3)
    np.subtract(1, temp_all3, temp_all2)
    np.multiply(temp_all2, i[:T], deltas_in[..., 2 * n_h:3 * n_h])
    np.subtract(1, o[:T], temp_all2)
    np.multiply(temp_all2, tanh_C, temp_all2)
    np.multiply(temp_all2, o[:T], deltas_in[..., 3 * n_h:4 * n_h])

    # W_sum = [W_f[:, 0:size(h)], W_i[:, 0:size(h)], W_C[:, 0:size(h)], W_o[:, 0:size(h)]]
    W_sum = np.concatenate([W_f[:, 0:n_h], W_i[:, 0:n_h], W_C[:, 0:n_h], W_o[:, 0:n_h]], -2)

    dh_t = empty((*lead, n_h), dtype)
    dC = empty((T + 1, *lead, n_h), dtype)
    dC[T:] = 0.0
    deltas = empty((T + 1, *lead, 4 * n_h), dtype)
    deltas[T:] = 0.0
    deltas0_ = deltas[..., :3 * n_h]
    delta_o = deltas[..., 3 * n_h:4 * n_h]
    temp1 = empty((*lead, n_h), dtype)
    fixed4 = np.ascontiguousarray(W_sum.swapaxes(-1, -2).T, dtype)
    for (
        deltas_after1, dh_in_t, dC_t, dC_in_t, dC_after1, f_after1, deltas0__t_1, dC_t_2, deltas_in0_t_0,
        delta_o_t, deltas_in1_t,
    ) in zip(
        deltas[1:T + 1][::-1], dh_in[::-1], dC[:T][::-1], dC_in[::-1], dC[1:T + 1][::-1], f[1:T + 1][::-1],
        deltas0_[:T][::-1].reshape(T, *lead, 3, n_h), dC[:T][::-1][..., None, :],
        deltas_in[::-1][..., 0:3 * n_h].reshape(T, *lead, 3, n_h), delta_o[:T][::-1],
        deltas_in[::-1][..., 3 * n_h:4 * n_h],
    ):
        # dh[t] = dh_in[t] + W_sum.T @ deltas[t+1]
        deltas_after1.dot(fixed4, dh_t)
        np.add(dh_t, dh_in_t, dh_t)
        # dC[t] = dh[t] * dC_in[t] + dC[t+1] * f_i_o[t+1][0:size(h)]
        np.multiply(dh_t, dC_in_t, dC_t)
        np.multiply(dC_after1, f_after1, temp1)
        np.add(dC_t, temp1, dC_t)
        # deltas[t] = [dC[t], dC[t], dC[t], dh[t]] * deltas_in[t]
        np.multiply(dC_t_2, deltas_in0_t_0, deltas0__t_1)
        np.multiply(dh_t, deltas_in1_t, delta_o_t)

    # total = sum(deltas[t] @ [h[t-1], x[t]].T, t, batch)
    total = gram(deltas[:T], np.concatenate([h[:T], x], -1))

    # total_ = sum(deltas[t], t, batch)
    total_ = over_batch(deltas[:T].sum(0), 1)

    # L = squared_error(y_T, target)
    L = squared_error(y_T, target)

    # dW_f = total[0:size(h)]
    dW_f = total[0:n_h]

    # db_f = total_[0:size(h)]
    db_f = total_[..., 0:n_h]

    # dW_i = total[size(h):2 * size(h)]
    dW_i = total[n_h:2 * n_h]

    # db_i = total_[size(h):2 * size(h)]
    db_i = total_[..., n_h:2 * n_h]

    # dW_C = total[2 * size(h):3 * size(h)]
    dW_C = total[2 * n_h:3 * n_h]

    # db_C = total_[2 * size(h):3 * size(h)]
    db_C = total_[..., 2 * n_h:3 * n_h]

    # dW_o = total[3 * size(h):4 * size(h)]
    dW_o = total[3 * n_h:4 * n_h]

    # db_o = total_[3 * size(h):4 * size(h)]
    db_o = total_[..., 3 * n_h:4 * n_h]

    # dW_y = sum(delta_y_T @ h[T].T, batch)
    dW_y = gram(delta_y_T, h[T])

    # db_y = sum(delta_y_T, batch)
    db_y = over_batch(delta_y_T, 1)

    # dh_0 = W_sum.T @ deltas[1]
    dh_0 = deltas[0] @ W_sum

    # dC_0 = dC[1] * f_i_o[1][0:size(h)]
    dC_0 = dC[0] * f[0]
    return L.sum(), {'W_f': dW_f, 'b_f': db_f, 'W_i': dW_i, 'b_i': db_i, 'W_C': dW_C, 'b_C': db_C, 'W_o': dW_o, 'b_o': db_o, 'W_y': dW_y, 'b_y': full(db_y, n_y), 'h0': dh_0, 'C0': dC_0}
