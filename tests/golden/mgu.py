"""The loss of a recurrent network and its gradient (back-propagation through time).

The network:

    f[t] = sigmoid(W_f @ [h[t-1], x[t]] + b_f)
    h_add[t] = tanh(W_h @ [f[t] * h[t-1], x[t]] + b_h)
    h[t] = (1 - f[t]) * h[t-1] + f[t] * h_add[t]
    y[t] = sigmoid(W_y @ h[t] + b_y)
    L = squared_error(y[T], target)

A sequence is an array (T, n), or (T, B, n) with a batch; a parameter is (n,) or (n, m).
Above each line stands the equation that it computes.

Operations in matrix products: 2 B n_h (6 T n_h + 4 T n_x + n_h + 3 n_y)
Operations entry by entry:     B (2 T n_h^2 + 2 T n_h n_x + 37 T n_h + 6 n_h + 9 n_y)
Values of functions:           B (2 T n_h + n_y)
Numbers kept over the steps:   17 B T n_h
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
    """Return the loss, and a dict of arrays: W_f, b_f, W_h, b_h, W_y, b_y, h0."""
    W_f = params["W_f"]
    b_f = params["b_f"]
    W_h = params["W_h"]
    b_h = params["b_h"]
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

    # pre_in[t] = (-W_f)[:, size(h):size(h) + size(x)] @ x[t] - b_f
    pre_in = empty((T, *lead, n_h), dtype)
    np.matmul(x.reshape(-1, n_x), (-W_f)[:, n_h:n_h + n_x].T, pre_in.reshape(-1, n_h))
    np.subtract(pre_in, b_f, pre_in)

    # pre__in[t] = W_h[:, size(h):size(h) + size(x)] @ x[t] + b_h
    pre__in = empty((T, *lead, n_h), dtype)
    np.matmul(x.reshape(-1, n_x), W_h[:, n_h:n_h + n_x].T, pre__in.reshape(-1, n_h))
    np.add(pre__in, b_h, pre__in)

    pre = empty((T + 1, *lead, n_h), dtype)
    pre[T:] = 0.0
    pre_ = empty((T, *lead, n_h), dtype)
    h = empty((T + 1, *lead, n_h), dtype)
    h[:1] = h0
    exp = pre
    f = pre
    h_add = pre_
    temp1 = empty((*lead, n_h), dtype)
    fixed1 = np.ascontiguousarray((-W_f)[:, 0:n_h].T, dtype)
    number1 = np.asarray(1, dtype)
    fixed2 = np.ascontiguousarray(W_h[:, 0:n_h].T, dtype)
    with np.errstate(over="ignore"):
        for (
            pre_t, h_before1, pre_in_t, exp_t, f_t, pre__t, pre__in_t, h_add_t, h_t,
        ) in zip(
            pre[:T], h[:T], pre_in, exp[:T], f[:T], pre_, pre__in, h_add, h[1:T + 1],
        ):
            # pre[t] = pre_in[t] + (-W_f)[:, 0:size(h)] @ h[t-1]
            h_before1.dot(fixed1, pre_t)
            np.add(pre_t, pre_in_t, pre_t)
            # exp[t] = exp(pre[t])
            np.exp(pre_t, exp_t)
            # f[t] = 1 / (1 + exp[t])
            np.add(number1, exp_t, f_t)
            np.divide(number1, f_t, f_t)
            # pre_[t] = pre__in[t] + W_h[:, 0:size(h)] @ (f[t] * h[t-1])
            np.multiply(f_t, h_before1, temp1)
            temp1.dot(fixed2, pre__t)
            np.add(pre__t, pre__in_t, pre__t)
            # h_add[t] = tanh(pre_[t])
            np.tanh(pre__t, h_add_t)
            # h[t] = (1 - f[t]) * h[t-1] + f[t] * h_add[t]
            np.subtract(number1, f_t, h_t)
            np.multiply(h_t, h_before1, h_t)
            np.multiply(f_t, h_add_t, temp1)
            np.add(h_t, temp1, h_t)

    # dh_in[t] = 1 - f[t+1]
    dh_in = empty((T, *lead, n_h), dtype)
    np.subtract(1, f[1:T + 1], dh_in)

    # y_T = sigmoid(W_y @ h[T] + b_y)
    y_T = sigmoid((h[T] @ W_y.T) + b_y)

    # dy_T = y_T - target
    dy_T = y_T - target

    # delta_y_T = dy_T * y_T * (1 - y_T)
    delta_y_T = dy_T * y_T * (1 - y_T)

    # dh_in_[t] = (W_y.T @ delta_y_T if t == T else 0)
    dh_in_ = impulse((delta_y_T @ W_y), T - 1, (T, *lead, n_h), dtype)

    # delta_h_add_in[t] = f[t] * (1 - h_add[t]**2)
    delta_h_add_in = empty((T, *lead, n_h), dtype)
    temp_all3 = empty((T, *lead, n_h), dtype)
    np.multiply(h_add, h_add, temp_all3)
    np.subtract(1, temp_all3, delta_h_add_in)
    np.multiply(delta_h_add_in, f[:T], delta_h_add_in)

    # delta_f_in[t] = -h[t-1] + h_add[t]
    delta_f_in = empty((T, *lead, n_h), dtype)
    np.subtract(h_add, h[:T], delta_f_in)

    # delta_f_in_[t] = f[t] * (1 - f[t])
    delta_f_in_ = empty((T, *lead, n_h), dtype)
    np.subtract(1, f[:T], delta_f_in_)
    np.multiply(delta_f_in_, f[:T], delta_f_in_)

    # L = squared_error(y_T, target)
    L = squared_error(y_T, target)

    dh = empty((T + 1, *lead, n_h), dtype)
    dh[T:] = 0.0
    delta_h_add = empty((T, *lead, n_h), dtype)
    delta_h_add_2 = empty((T + 1, *lead, n_h), dtype)
    delta_h_add_2[T:] = 0.0
    delta_f = empty((T + 1, *lead, n_h), dtype)
    delta_f[T:] = 0.0
    temp1 = empty((*lead, n_h), dtype)
    fixed4 = np.ascontiguousarray(W_f[:, 0:n_h].swapaxes(-1, -2).T, dtype)
    fixed5 = np.ascontiguousarray(W_h[:, 0:n_h].swapaxes(-1, -2).T, dtype)
    for (
        dh_t, delta_f_after1, dh_in__t, dh_after1, dh_in_t, delta_h_add_2_after1, f_after1, delta_h_add_t,
        delta_h_add_in_t, delta_h_add_2_t, delta_f_t, delta_f_in_t, h_before1, delta_f_in__t,
    ) in zip(
        dh[:T][::-1], delta_f[1:T + 1][::-1], dh_in_[::-1], dh[1:T + 1][::-1], dh_in[::-1],
        delta_h_add_2[1:T + 1][::-1], f[1:T + 1][::-1], delta_h_add[::-1], delta_h_add_in[::-1],
        delta_h_add_2[:T][::-1], delta_f[:T][::-1], delta_f_in[::-1], h[:T][::-1], delta_f_in_[::-1],
    ):
        # dh[t] = dh_in_[t] + dh[t+1] * dh_in[t] + delta_h_add_2[t+1] * f[t+1] + W_f[:, 0:size(h)].T @ delta_f[t+1]
        delta_f_after1.dot(fixed4, dh_t)
        np.add(dh_t, dh_in__t, dh_t)
        np.multiply(dh_after1, dh_in_t, temp1)
        np.add(dh_t, temp1, dh_t)
        np.multiply(delta_h_add_2_after1, f_after1, temp1)
        np.add(dh_t, temp1, dh_t)
        # delta_h_add[t] = dh[t] * delta_h_add_in[t]
        np.multiply(dh_t, delta_h_add_in_t, delta_h_add_t)
        # delta_h_add_2[t] = W_h[:, 0:size(h)].T @ delta_h_add[t]
        delta_h_add_t.dot(fixed5, delta_h_add_2_t)
        # delta_f[t] = (dh[t] * delta_f_in[t] + delta_h_add_2[t] * h[t-1]) * delta_f_in_[t]
        np.multiply(dh_t, delta_f_in_t, delta_f_t)
        np.multiply(delta_h_add_2_t, h_before1, temp1)
        np.add(delta_f_t, temp1, delta_f_t)
        np.multiply(delta_f_t, delta_f_in__t, delta_f_t)

    # dW_f = sum(delta_f[t] @ [h[t-1], x[t]].T, t, batch)
    dW_f = gram(delta_f[:T], np.concatenate([h[:T], x], -1))

    # db_f = sum(delta_f[t], t, batch)
    db_f = over_batch(delta_f[:T].sum(0), 1)

    # dW_h = sum(delta_h_add[t] @ [f[t] * h[t-1], x[t]].T, t, batch)
    dW_h = gram(delta_h_add, np.concatenate([(f[:T] * h[:T]), x], -1))

    # db_h = sum(delta_h_add[t], t, batch)
    db_h = over_batch(delta_h_add.sum(0), 1)

    # dW_y = sum(delta_y_T @ h[T].T, batch)
    dW_y = gram(delta_y_T, h[T])

    # db_y = sum(delta_y_T, batch)
    db_y = over_batch(delta_y_T, 1)

    # dh_0 = dh[1] * (1 - f[1]) + delta_h_add_2[1] * f[1] + W_f[:, 0:size(h)].T @ delta_f[1]
    dh_0 = (dh[0] * (1 - f[0])) + (delta_h_add_2[0] * f[0]) + (delta_f[0] @ W_f[:, 0:n_h])
    return L.sum(), {'W_f': dW_f, 'b_f': db_f, 'W_h': dW_h, 'b_h': db_h, 'W_y': dW_y, 'b_y': full(db_y, n_y), 'h0': dh_0}
