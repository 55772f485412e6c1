"""Gated recurrent units: the lecture's form, the frameworks' form, and the smaller ones."""

from __future__ import annotations

from rnnderive.language import Recurrence

__all__ = ["gru", "gru_reset_after", "mgu", "mingru"]


def gru() -> Recurrence:
    """The gated recurrent unit as in the lecture (Cho et al. 2014): no bias in the candidate.

    Examples
    --------
    >>> print(gru())
    z[t] = sigmoid(W_z @ [h[t-1], x[t]] + b_z)
    r[t] = sigmoid(W_r @ [h[t-1], x[t]] + b_r)
    h_add[t] = tanh(W @ [r[t] * h[t-1], x[t]])
    h[t] = (1 - z[t]) * h[t-1] + z[t] * h_add[t]
    y[t] = sigmoid(W_y @ h[t] + b_y)
    L = squared_error(y[T], target)
    """
    return Recurrence.parse("""
        z[t]     = sigmoid(W_z @ [h[t-1], x[t]] + b_z)
        r[t]     = sigmoid(W_r @ [h[t-1], x[t]] + b_r)
        h_add[t] = tanh(W @ [r[t] * h[t-1], x[t]])
        h[t]     = (1 - z[t]) * h[t-1] + z[t] * h_add[t]
        y[t]     = sigmoid(W_y @ h[t] + b_y)
        L        = squared_error(y[T], target)
    """)


def gru_reset_after() -> Recurrence:
    """The GRU of PyTorch and cuDNN: the reset gate acts after the matrix product.

    Cho et al. (2014, v1), as in ``torch.nn.GRU``.  The two biases that PyTorch adds in each of
    r and z are one here, their sum; in n they differ, b_n outside and c_n inside the reset.

    Examples
    --------
    >>> print(gru_reset_after())
    r[t] = sigmoid(W_r @ x[t] + U_r @ h[t-1] + b_r)
    z[t] = sigmoid(W_z @ x[t] + U_z @ h[t-1] + b_z)
    n[t] = tanh(W_n @ x[t] + b_n + r[t] * (U_n @ h[t-1] + c_n))
    h[t] = (1 - z[t]) * n[t] + z[t] * h[t-1]
    y[t] = sigmoid(W_y @ h[t] + b_y)
    L = squared_error(y[T], target)
    """
    return Recurrence.parse("""
        r[t] = sigmoid(W_r @ x[t] + U_r @ h[t-1] + b_r)
        z[t] = sigmoid(W_z @ x[t] + U_z @ h[t-1] + b_z)
        n[t] = tanh(W_n @ x[t] + b_n + r[t] * (U_n @ h[t-1] + c_n))
        h[t] = (1 - z[t]) * n[t] + z[t] * h[t-1]
        y[t] = sigmoid(W_y @ h[t] + b_y)
        L    = squared_error(y[T], target)
    """)


def mgu() -> Recurrence:
    """The minimal gated unit (Zhou et al. 2016, table 2): one gate both forgets and resets.

    Examples
    --------
    >>> print(mgu())
    f[t] = sigmoid(W_f @ [h[t-1], x[t]] + b_f)
    h_add[t] = tanh(W_h @ [f[t] * h[t-1], x[t]] + b_h)
    h[t] = (1 - f[t]) * h[t-1] + f[t] * h_add[t]
    y[t] = sigmoid(W_y @ h[t] + b_y)
    L = squared_error(y[T], target)
    """
    return Recurrence.parse("""
        f[t]     = sigmoid(W_f @ [h[t-1], x[t]] + b_f)
        h_add[t] = tanh(W_h @ [f[t] * h[t-1], x[t]] + b_h)
        h[t]     = (1 - f[t]) * h[t-1] + f[t] * h_add[t]
        y[t]     = sigmoid(W_y @ h[t] + b_y)
        L        = squared_error(y[T], target)
    """)


def mingru() -> Recurrence:
    """The minGRU (Feng et al. 2024, section 3.1): gate and candidate read the input alone.

    Only the last equation of the core is a loop, and it is linear in the state, so that a
    parallel scan can compute it; the rest is done for all t at once.

    Examples
    --------
    >>> print(mingru())
    z[t] = sigmoid(W_z @ x[t] + b_z)
    h_tilde[t] = W_h @ x[t] + b_h
    h[t] = (1 - z[t]) * h[t-1] + z[t] * h_tilde[t]
    y[t] = sigmoid(W_y @ h[t] + b_y)
    L = squared_error(y[T], target)
    """
    return Recurrence.parse("""
        z[t]       = sigmoid(W_z @ x[t] + b_z)
        h_tilde[t] = W_h @ x[t] + b_h
        h[t]       = (1 - z[t]) * h[t-1] + z[t] * h_tilde[t]
        y[t]       = sigmoid(W_y @ h[t] + b_y)
        L          = squared_error(y[T], target)
    """)
