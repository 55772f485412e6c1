"""The loss of a recurrent network and its gradient (back-propagation through time).

The network:

    h_L[t] = sigmoid(W_L @ x[t] + U_L @ h_L[t-1] + b_h_L)
    h_R[t] = sigmoid(W_R @ x[t] + U_R @ h_R[t+1] + b_h_R)
    h[t] = [h_L[t], h_R[t]]
    y[t] = sigmoid(V @ h[t] + b_y)
    L = squared_error(y[T], target)

A sequence is an array (T, n), or (T, B, n) with a batch; a parameter is (n,) or (n, m).
Above each line stands the equation that it computes.

Operations in matrix products: 2 B (3 T n_h_L^2 + 2 T n_h_L n_x + 3 T n_h_R^2 + 2 T n_h_R n_x + n_h_L^2 + 3 n_h_L n_y + n_h_R^2 + 3 n_h_R n_y)
Operations entry by entry:     B (T n_h_L^2 + T n_h_L n_x + 11 T n_h_L + T n_h_R^2 + T n_h_R n_x + 11 T n_h_R + 9 n_y)
Values of functions:           B (T n_h_L + T n_h_R + n_y)
Numbers kept over the steps:   8 B T (n_h_L + n_h_R)
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
    """Return the loss, and a dict of arrays: W_L, U_L, b_h_L, W_R, U_R, b_h_R, V, b_y, h_L0, h_R0."""
    W_L = params["W_L"]
    U_L = params["U_L"]
    b_h_L = params["b_h_L"]
    W_R = params["W_R"]
    U_R = params["U_R"]
    b_h_R = params["b_h_R"]
    V = params["V"]
    b_y = params["b_y"]
    x = inputs["x"]
    target = inputs["target"]
    T, lead = x.shape[0], x.shape[1:-1]
    dtype = np.result_type(0.0, x, *params.values())
    n_h_L = W_L.shape[-2]
    n_x = W_L.shape[-1]
    n_h_R = W_R.shape[-2]
    n_y = V.shape[-2]
    given = {**params, **inputs}
    h_L0 = given.get("h_L0", np.zeros(n_h_L, dtype))
    h_R0 = given.get("h_R0", np.zeros(n_h_R, dtype))

    # pre_in[t] = (-W_L) @ x[t] - b_h_L
    pre_in = empty((T, *lead, n_h_L), dtype)
    np.matmul(x.reshape(-1, n_x), (-W_L).T, pre_in.reshape(-1, n_h_L))
    np.subtract(pre_in, b_h_L, pre_in)

    # pre__in[t] = (-W_R) @ x[t] - b_h_R
    pre__in = empty((T, *lead, n_h_R), dtype)
    np.matmul(x.reshape(-1, n_x), (-W_R).T, pre__in.reshape(-1, n_h_R))
    np.subtract(pre__in, b_h_R, pre__in)

    pre_t = empty((*lead, n_h_L), dtype)
    h_L = empty((T + 1, *lead, n_h_L), dtype)
    h_L[:1] = h_L0
    exp_t = pre_t
    fixed1 = np.ascontiguousarray((-U_L).T, dtype)
    number1 = np.asarray(1, dtype)
    with np.errstate(over="ignore"):
        for h_L_before1, pre_in_t, h_L_t in zip(h_L[:T], pre_in, h_L[1:T + 1]):
            # pre[t] = pre_in[t] + (-U_L) @ h_L[t-1]
            h_L_before1.dot(fixed1, pre_t)
            np.add(pre_t, pre_in_t, pre_t)
            # exp[t] = exp(pre[t])
            np.exp(pre_t, exp_t)
            # h_L[t] = 1 / (1 + exp[t])
            np.add(number1, exp_t, h_L_t)
            np.divide(number1, h_L_t, h_L_t)

    pre__t = empty((*lead, n_h_R), dtype)
    h_R = empty((T + 1, *lead, n_h_R), dtype)
    h_R[T:] = h_R0
    exp__t = pre__t
    fixed2 = np.ascontiguousarray((-U_R).T, dtype)
    number1 = np.asarray(1, dtype)
    with np.errstate(over="ignore"):
        for h_R_after1, pre__in_t, h_R_t in zip(h_R[1:T + 1][::-1], pre__in[::-1], h_R[:T][::-1]):
            # pre_[t] = pre__in[t] + (-U_R) @ h_R[t+1]
            h_R_after1.dot(fixed2, pre__t)
            np.add(pre__t, pre__in_t, pre__t)
            # exp_[t] = exp(pre_[t])
            np.exp(pre__t, exp__t)
            # h_R[t] = 1 / (1 + exp_[t])
            np.add(number1, exp__t, h_R_t)
            np.divide(number1, h_R_t, h_R_t)

    # h_T = [h_L[T], h_R[T]]
    h_T = stacked(h_L[T], h_R[T - 1], axis=-1)

    # y_T = sigmoid(V @ h_T + b_y)
    y_T = sigmoid((h_T @ V.T) + b_y)

    # dy_T = y_T - target
    dy_T = y_T - target

    # delta_y_T = dy_T * y_T * (1 - y_T)
    delta_y_T = dy_T * y_T * (1 - y_T)

    # dh_T = V.T @ delta_y_T
    dh_T = delta_y_T @ V

    # dh_L_in[t] = (dh_T if t == T else 0)[0:size(h_L)]
    dh_L_in = impulse(dh_T, T - 1, (T, *lead, n_h_L + n_h_R), dtype)[..., 0:n_h_L]

    # delta_h_L_in[t] = h_L[t] * (1 - h_L[t])
    delta_h_L_in = empty((T, *lead, n_h_L), dtype)
    np.subtract(1, h_L[1:T + 1], delta_h_L_in)
    np.multiply(delta_h_L_in, h_L[1:T + 1], delta_h_L_in)

    # dh_R_in[t] = (dh_T if t == T else 0)[size(h_L):size(h_L) + size(h_R)]
    dh_R_in = impulse(dh_T, T - 1, (T, *lead, n_h_L + n_h_R), dtype)[..., n_h_L:n_h_L + n_h_R]

    # delta_h_R_in[t] = h_R[t] * (1 - h_R[t])
    delta_h_R_in = empty((T, *lead, n_h_R), dtype)
    np.subtract(1, h_R[:T], delta_h_R_in)
    np.multiply(delta_h_R_in, h_R[:T], delta_h_R_in)

    # L = squared_error(y_T, target)
    L = squared_error(y_T, target)

    dh_L_t = empty((*lead, n_h_L), dtype)
    delta_h_L = empty((T + 1, *lead, n_h_L), dtype)
    delta_h_L[T:] = 0.0
    fixed3 = np.ascontiguousarray(U_L.swapaxes(-1, -2).T, dtype)
    for (
        delta_h_L_after1, dh_L_in_t, delta_h_L_t, delta_h_L_in_t,
    ) in zip(
        delta_h_L[1:T + 1][::-1], dh_L_in[::-1], delta_h_L[:T][::-1], delta_h_L_in[::-1],
    ):
        # dh_L[t] = dh_L_in[t] + U_L.T @ delta_h_L[t+1]
        delta_h_L_after1.dot(fixed3, dh_L_t)
        np.add(dh_L_t, dh_L_in_t, dh_L_t)
        # delta_h_L[t] = dh_L[t] * delta_h_L_in[t]
        np.multiply(dh_L_t, delta_h_L_in_t, delta_h_L_t)

    dh_R_t = empty((*lead, n_h_R), dtype)
    delta_h_R = empty((T + 1, *lead, n_h_R), dtype)
    delta_h_R[:1] = 0.0
    fixed4 = np.ascontiguousarray(U_R.swapaxes(-1, -2).T, dtype)
    for (
        delta_h_R_before1, dh_R_in_t, delta_h_R_t, delta_h_R_in_t,
    ) in zip(
        delta_h_R[:T], dh_R_in, delta_h_R[1:T + 1], delta_h_R_in,
    ):
        # dh_R[t] = dh_R_in[t] + U_R.T @ delta_h_R[t-1]
        delta_h_R_before1.dot(fixed4, dh_R_t)
        np.add(dh_R_t, dh_R_in_t, dh_R_t)
        # delta_h_R[t] = dh_R[t] * delta_h_R_in[t]
        np.multiply(dh_R_t, delta_h_R_in_t, delta_h_R_t)

    # dW_L = sum(delta_h_L[t] @ x[t].T, t, batch)
    dW_L = gram(delta_h_L[:T], x)

    # dU_L = sum(delta_h_L[t] @ h_L[t-1].T, t, batch)
    dU_L = gram(delta_h_L[:T], h_L[:T])

    # db_h_L = sum(delta_h_L[t], t, batch)
    db_h_L = over_batch(delta_h_L[:T].sum(0), 1)

    # dW_R = sum(delta_h_R[t] @ x[t].T, t, batch)
    dW_R = gram(delta_h_R[1:T + 1], x)

    # dU_R = sum(delta_h_R[t] @ h_R[t+1].T, t, batch)
    dU_R = gram(delta_h_R[1:T + 1], h_R[1:T + 1])

    # db_h_R = sum(delta_h_R[t], t, batch)
    db_h_R = over_batch(delta_h_R[1:T + 1].sum(0), 1)

    # dV = sum(delta_y_T @ h_T.T, batch)
    dV = gram(delta_y_T, h_T)

    # db_y = sum(delta_y_T, batch)
    db_y = over_batch(delta_y_T, 1)

    # dh_L_0 = U_L.T @ delta_h_L[1]
    dh_L_0 = delta_h_L[0] @ U_L

    # dh_R_0 = U_R.T @ delta_h_R[T]
    dh_R_0 = delta_h_R[T] @ U_R
    return L.sum(), {'W_L': dW_L, 'U_L': dU_L, 'b_h_L': db_h_L, 'W_R': dW_R, 'U_R': dU_R, 'b_h_R': db_h_R, 'V': dV, 'b_y': full(db_y, n_y), 'h_L0': dh_L_0, 'h_R0': dh_R_0}
