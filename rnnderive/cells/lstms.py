"""Long short-term memory: the lecture's form, with peepholes, with coupled gates."""

from __future__ import annotations

from rnnderive.language import Recurrence

__all__ = ["coupled_lstm", "lstm", "peephole_lstm"]


def lstm() -> Recurrence:
    """Long short-term memory, gate by gate as in the lecture.

    Hochreiter and Schmidhuber (1997), with the forget gate of Gers et al. (2000).

    Examples
    --------
    >>> print(lstm())
    f[t] = sigmoid(W_f @ [h[t-1], x[t]] + b_f)
    i[t] = sigmoid(W_i @ [h[t-1], x[t]] + b_i)
    C_add[t] = tanh(W_C @ [h[t-1], x[t]] + b_C)
    C[t] = f[t] * C[t-1] + i[t] * C_add[t]
    o[t] = sigmoid(W_o @ [h[t-1], x[t]] + b_o)
    h[t] = o[t] * tanh(C[t])
    y[t] = sigmoid(W_y @ h[t] + b_y)
    L = squared_error(y[T], target)
    """
    return Recurrence.parse("""
        f[t]     = sigmoid(W_f @ [h[t-1], x[t]] + b_f)
        i[t]     = sigmoid(W_i @ [h[t-1], x[t]] + b_i)
        C_add[t] = tanh(W_C @ [h[t-1], x[t]] + b_C)
        C[t]     = f[t] * C[t-1] + i[t] * C_add[t]
        o[t]     = sigmoid(W_o @ [h[t-1], x[t]] + b_o)
        h[t]     = o[t] * tanh(C[t])
        y[t]     = sigmoid(W_y @ h[t] + b_y)
        L        = squared_error(y[T], target)
    """)


def peephole_lstm() -> Recurrence:
    """The LSTM block of Greff et al. (2017, section II; arXiv:1503.04069), in their names.

    The gates also see the cell state through the vectors p (Gers and Schmidhuber 2000): the
    input and forget gates the state before, the output gate the new one.  The block's output
    is their y; the readout is therefore called y_hat here.

    Examples
    --------
    >>> print(peephole_lstm())
    z[t] = tanh(W_z @ x[t] + R_z @ y[t-1] + b_z)
    i[t] = sigmoid(W_i @ x[t] + R_i @ y[t-1] + p_i * c[t-1] + b_i)
    f[t] = sigmoid(W_f @ x[t] + R_f @ y[t-1] + p_f * c[t-1] + b_f)
    c[t] = z[t] * i[t] + c[t-1] * f[t]
    o[t] = sigmoid(W_o @ x[t] + R_o @ y[t-1] + p_o * c[t] + b_o)
    y[t] = tanh(c[t]) * o[t]
    y_hat[t] = sigmoid(W_y @ y[t] + b_y)
    L = squared_error(y_hat[T], target)
    """
    return Recurrence.parse("""
        z[t]     = tanh(W_z @ x[t] + R_z @ y[t-1] + b_z)
        i[t]     = sigmoid(W_i @ x[t] + R_i @ y[t-1] + p_i * c[t-1] + b_i)
        f[t]     = sigmoid(W_f @ x[t] + R_f @ y[t-1] + p_f * c[t-1] + b_f)
        c[t]     = z[t] * i[t] + c[t-1] * f[t]
        o[t]     = sigmoid(W_o @ x[t] + R_o @ y[t-1] + p_o * c[t] + b_o)
        y[t]     = tanh(c[t]) * o[t]
        y_hat[t] = sigmoid(W_y @ y[t] + b_y)
        L        = squared_error(y_hat[T], target)
    """)


def coupled_lstm() -> Recurrence:
    """The LSTM whose forget gate is what the input gate leaves, f = 1 − i.

    Greff et al. (2017), the variant CIFG; one gate's parameters fewer than :func:`lstm`.

    Examples
    --------
    >>> print(coupled_lstm())
    i[t] = sigmoid(W_i @ [h[t-1], x[t]] + b_i)
    f[t] = 1 - i[t]
    C_add[t] = tanh(W_C @ [h[t-1], x[t]] + b_C)
    C[t] = f[t] * C[t-1] + i[t] * C_add[t]
    o[t] = sigmoid(W_o @ [h[t-1], x[t]] + b_o)
    h[t] = o[t] * tanh(C[t])
    y[t] = sigmoid(W_y @ h[t] + b_y)
    L = squared_error(y[T], target)
    """
    return Recurrence.parse("""
        i[t]     = sigmoid(W_i @ [h[t-1], x[t]] + b_i)
        f[t]     = 1 - i[t]
        C_add[t] = tanh(W_C @ [h[t-1], x[t]] + b_C)
        C[t]     = f[t] * C[t-1] + i[t] * C_add[t]
        o[t]     = sigmoid(W_o @ [h[t-1], x[t]] + b_o)
        h[t]     = o[t] * tanh(C[t])
        y[t]     = sigmoid(W_y @ h[t] + b_y)
        L        = squared_error(y[T], target)
    """)
