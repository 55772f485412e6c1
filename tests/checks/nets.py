"""Networks that tests run over: the whole library, and texts for what the library leaves out."""

from __future__ import annotations

from rnnderive.cells import LIBRARY
from rnnderive.language import FUNCTIONS, Recurrence

TEXTS = {
    "loss at every step": """
        h[t] = tanh(W @ x[t] + U @ h[t-1] + b)
        y[t] = V @ h[t] + c
        L    = mean(cross_entropy(y[t], target[t]), t)
    """,
    "two lags": """
        h[t] = tanh(W @ x[t] + U @ h[t-1] + A @ h[t-2])
        L    = sum(w[t] * squared_error(h[t], target[t]), t)
    """,
    "input at a lag": """
        h[t] = tanh(W @ x[t-1] + u * h[t-1])
        L    = sum(log_loss(sigmoid(h[t]), target[t]), t)
    """,
    "stack over a lag": """
        h[t] = tanh(W @ x[t] + U @ h[t-1])
        s[t] = tanh(A @ h[t-1] + B @ s[t-1])
        L    = sum(binary_cross_entropy(s[t], target[t]), t)
    """,
    "right to left over left to right": """
        h[t] = tanh(W @ x[t] + U @ h[t-1])
        r[t] = tanh(A @ h[t] + B @ r[t+1])
        L    = squared_error(r[1] + r[T], target)
    """,
    "layer norm and softmax": """
        a[t] = W @ x[t] + U @ h[t-1]
        h[t] = tanh(g * layer_norm(a[t]) + b)
        p[t] = softmax(V @ h[t])
        L    = sum(squared_error(p[t], target[t]) + sum(log_softmax(h[t])), t)
    """,
    "shared and transposed weights": """
        h[t] = tanh(W.T @ (W @ h[t-1]) + W.T @ x[t])
        L    = squared_error(W @ h[T], target) + 0.1 * sum(W * W)
    """,
    "slices": """
        a[t] = W @ [h[t-1], x[t]]
        h[t] = tanh(a[t][0:2]) * sigmoid(a[t][2:4])
        L    = squared_error(h[T], target)
    """,
    "quotients and powers": """
        h[t] = (W @ x[t] + U @ h[t-1])**3 / (4 + (A @ h[t-1])**2)
        L    = sum(h[T] * h[T])
    """,
    "computed initial state": """
        h0   = tanh(A @ z)
        h[t] = tanh(U @ h[t-1] + W @ x[t])
        L    = squared_error(h[T], target)
    """,
    "no input": """
        h[t] = tanh(U @ h[t-1] + b)
        L    = squared_error(h[T], target)
    """,
    "scalars": """
        s[t] = a * s[t-1] + (x[t] if t <= 3 else 0)
        L    = sum(s[T])
    """,
}


def network(name: str) -> Recurrence:
    """A network by its name here."""
    return LIBRARY[name]() if name in LIBRARY else Recurrence.parse(TEXTS[name])


NAMES = [*(n for n in LIBRARY if n != "rnn"), *TEXTS]
BIG = {"stacked_lstm", "bidirectional_lstm", "peephole_lstm"}

_INSIDE = {"log": "1 + {}**2", "sqrt": "1 + {}**2", "rsqrt": "1 + {}**2"}


def with_function(name: str) -> Recurrence:
    """A network that applies an elementwise function."""
    assert name in FUNCTIONS
    inside = _INSIDE.get(name, "{}").format("a[t]")
    return Recurrence.parse(f"""
        a[t] = W @ x[t] + U @ h[t-1]
        h[t] = {name}({inside}) + 0.5 * a[t]
        L    = sum(squared_error(h[t], target[t]), t)
    """)
