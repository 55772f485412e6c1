"""Networks that the tests of chains run over, and two independent readings of a chain.

A chain is read a second time from the network's own forward program: what every equation reads of the
state is disturbed by an input p that is zero, and a complex step in p shows what follows.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np

from rnnderive.cells import LIBRARY, bidirectional, stack, vanilla
from rnnderive.chains import analyze
from rnnderive.chains.analysis import Analysis
from rnnderive.chains.state import StateChain
from rnnderive.chains.trace import Trace
from rnnderive.checks import Point, point
from rnnderive.language import Equation, Recurrence
from rnnderive.language import terms as tm
from rnnderive.programs import Program, prepare

TEXTS = {
    "two states and lag 2": """
        a[t] = tanh(W @ x[t] + U @ a[t-1] + A @ b[t-2])
        b[t] = tanh(B @ a[t] + V @ b[t-1] + C @ a[t-2])
        L    = squared_error(a[T], target) + sum(b[T] * b[T])
    """,
    "lag 2 of a product": """
        h[t] = tanh(W @ x[t] + U @ (h[t-1] * h[t-2]))
        L    = squared_error(h[T], target)
    """,
    "loss at every step": """
        h[t] = tanh(W @ x[t] + U @ h[t-1] + b)
        y[t] = V @ h[t] + c
        L    = mean(cross_entropy(y[t], target[t]), t)
    """,
    "loss at an early step": """
        h[t] = tanh(W @ x[t] + U @ h[t-1] + b)
        L    = squared_error(V @ h[2], target)
    """,
    "losses at both ends": """
        h[t] = tanh(W @ x[t] + U @ h[t-1])
        L    = squared_error(h[T] + h[1], target)
    """,
    "two early losses": """
        h[t] = tanh(W @ x[t] + U @ h[t-1])
        L    = squared_error(h[1] + h[3], target)
    """,
    "input at a lag": """
        h[t] = tanh(W @ x[t-1] + u * h[t-1])
        L    = sum(squared_error(h[t], target[t]), t)
    """,
    "input at two lags": """
        h[t] = tanh(W @ x[t] + V @ x[t-1] + A @ x[t+1] + U @ h[t-1])
        L    = squared_error(h[T], target)
    """,
    "scalar weights": """
        x[t] = w * sigmoid(x[t-1]) + b
        L    = squared_error(x[T], target)
    """,
    "right to left": """
        r[t] = tanh(W @ x[t] + U @ r[t+1])
        L    = squared_error(r[1], target)
    """,
    "right to left over left to right": """
        h[t] = tanh(W @ x[t] + U @ h[t-1])
        r[t] = tanh(A @ h[t] + B @ r[t+1])
        L    = squared_error(r[1] + r[T], target)
    """,
    "stack over a lag": """
        h[t] = tanh(W @ x[t] + U @ h[t-1])
        s[t] = tanh(A @ h[t-1] + B @ s[t-1])
        L    = sum(binary_cross_entropy(s[t], target[t]), t)
    """,
    "layer norm": """
        a[t] = W @ x[t] + U @ h[t-1]
        h[t] = tanh(g * layer_norm(a[t]) + b)
        L    = sum(squared_error(softmax(V @ h[t]), target[t]), t)
    """,
    "computed initial state": """
        h0   = tanh(A @ z)
        h[t] = tanh(U @ (h[t-1] * h[t-1]) + W @ x[t])
        L    = squared_error(h[T], target)
    """,
    "state by time": """
        s[t] = b * s[t-1] + (a * s[t-1] * s[t-1] if t <= 3 else 0) + x[t]
        L    = sum(s[T])
    """,
}
STACKED = "stacked bidirectional"
CELLS = [n for n in LIBRARY if n not in ("dense", "rnn")]
NAMES = [*CELLS, *TEXTS, STACKED]
BATCHED = ["vanilla", "lstm", "gru", "bidirectional_rnn", "two states and lag 2", "input at two lags"]
BATCHED += ["computed initial state", "loss at every step", "scalar weights"]
CASES = [(name, None) for name in NAMES] + [(name, 3) for name in BATCHED]


@cache
def network(name: str) -> Recurrence:
    """A network by its name here."""
    if name == STACKED:
        return stack(bidirectional(vanilla()), 2)
    return LIBRARY[name]() if name in LIBRARY else Recurrence.parse(TEXTS[name])


@cache
def at(name: str, T: int = 5, batch: int | None = None) -> Point:
    """Weights and inputs for a network."""
    return point(network(name), T=T, batch=batch)


@cache
def analysis(name: str, T: int = 5, batch: int | None = None, state: str | None = None) -> Analysis:
    """The analysis of a network there."""
    here = at(name, T, batch)
    return analyze(network(name), here.params, here.inputs, state=state)


def every_chain(name: str, T: int = 5, batch: int | None = None) -> list[Analysis]:
    """An analysis for each chain of a network."""
    first = analysis(name, T, batch)
    return [first, *(analysis(name, T, batch, states[0]) for states in first.others)]


def tanh_net(loss: str = "squared_error(h[T], target)", activation: str = "tanh") -> Recurrence:
    """A simple network whose Jacobian is diag(φ') U."""
    inside = "W @ x[t] + U @ h[t-1]"
    return Recurrence.parse(f"h[t] = {activation}({inside})\nL = {loss}")


def linear_net() -> Recurrence:
    """A network whose Jacobian is U."""
    return Recurrence.parse("h[t] = W @ x[t] + U @ h[t-1]\nL = sum(h[T])")


def linear(U: Any, T: int, **options: Any) -> Analysis:
    """The analysis of a linear network at rest."""
    U = np.asarray(U, dtype=options.pop("dtype", float))
    x = np.zeros((T, 1), U.dtype)
    return analyze(linear_net(), {"W": np.zeros((len(U), 1), U.dtype), "U": U}, {"x": x}, **options)


# ---------------------------------------------------------------- the chain, read a second time


def disturbed(chain: StateChain) -> Recurrence:
    """The network with s + p wherever s is read: at a lag within the cell, anywhere outside it."""

    def read(inside: bool) -> Any:
        def leaf(node: tm.Term) -> tm.Term | None:
            if isinstance(node, tm.At) and node.name in chain.states and not (inside and node.lag == 0):
                place = node.args[1]
                return node + tm.At(f"p_{node.name}", place, *node.shape)
            return None

        return leaf

    equations = (Equation(e.left, tm.transform(e.right, read(e.name in chain.step))) for e in chain.net.equations)
    return Recurrence(tuple(equations), chain.net.loss, chain.net.declared)


def by_complex_step(trace: Trace, here: Point) -> tuple[Any, Any]:
    """J_t, (T, …, n, n), and dL/ds^t, (T, …, n), by the forward program and its complex step, by t."""
    chain, course = trace.chain, trace.course
    net = disturbed(chain)
    T, lead, step = course.T, course.lead, 1e-30
    sizes = {n: course.extent(chain.net.leaf(n))[0] for n in chain.states}
    still = {f"p_{n}": np.zeros((T, *lead, size)) for n, size in sizes.items()}
    starts = {f"p_{n}0": np.zeros((*lead, size)) for n, size in sizes.items() if f"p_{n}0" in net.initial_states}
    read = {n: a for n, a in still.items() if n in net.inputs}
    timed = {} if any(isinstance(net.leaves[n], tm.At) for n in net.inputs) else {"T": T}
    given = {n: a for n, a in here.inputs.items() if n != "T"}
    arrays = prepare(net, here.params, {**given, **read, **starts, **timed})
    params = {n: a.astype(complex) for n, a in arrays.params.items()}
    inputs = {n: a if n == "T" else a.astype(complex) for n, a in arrays.inputs.items()}
    names = {e.name: e.name for e in net.equations}
    forward = Program(net, net, names, function="forward").raw
    jacobians = np.zeros((T, *lead, trace.size, trace.size))
    cotangents = np.zeros((T, *lead, trace.size))
    column = 0
    for n, size in sizes.items():
        for j in range(size):
            for k in range(T + 2):  # at 0 and T + 1 the initial state
                outside = k in (0, T + 1)
                name = f"p_{n}0" if outside else f"p_{n}"
                follows = k + chain.lag
                if name not in inputs or (outside and not 1 <= follows <= T):
                    continue
                array = inputs[name].copy()
                array[(..., j) if outside else (k - 1, ..., j)] += step * 1j
                found = forward(params, {**inputs, name: array})
                state = np.concatenate([found[v] for v in chain.states], axis=-1)
                if 1 <= follows <= T:
                    jacobians[follows - 1, ..., column] = state[follows - 1].imag / step
                if not outside and net.loss:
                    cotangents[k - 1, ..., column] = np.reshape(found[net.loss].imag, lead) / step
            column += 1
    return jacobians, cotangents
