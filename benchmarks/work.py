"""The work that everybody does: networks, sizes, and the arrays they are given."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
import sympy as sp

import rnnderive as rd
from rnnderive import cells

__all__ = ["NETWORKS", "SIZES", "Arrays", "Network", "Size", "Work", "number", "typed"]

Arrays = dict[str, Any]


class Size(NamedTuple):
    """Steps, members of a batch, width of the input and of the target, units of a layer."""

    T: int
    B: int
    d: int
    n: int

    def __str__(self) -> str:
        return f"({self.T}, {self.B}, {self.d}, {self.n})"


SIZES = {
    "tiny": Size(10, 1, 8, 8),
    "small": Size(50, 1, 16, 32),
    "long": Size(1000, 1, 32, 64),
    "middle": Size(100, 32, 64, 128),
    "large": Size(200, 64, 128, 256),
}


@dataclass(frozen=True)
class Network:
    """A network under a linear readout and half the squared error of every step.

    Attributes
    ----------
    name, title : str
    cell : callable
        Its equations, with any head.
    core : str
        Which recurrent layer it is made of: rnn, lstm or gru.
    layers : tuple of tuple of str
        From below: the endings of the names in each direction of a layer, forward first.
    """

    name: str
    title: str
    cell: Callable[[], rd.Recurrence]
    core: str
    layers: tuple[tuple[str, ...], ...] = (("",),)

    @cached_property
    def equations(self) -> rd.Recurrence:
        """½ Σ (V h[t] + b_y − target[t])² over t and the batch."""
        if self.core == "own":
            return self.cell()
        return cells.loss(cells.readout(self.cell(), None, name="y", weights="V"), "squared_error", at="every")


# A cell that the library does not have: two states, a lag of two, peepholes, and half of it backward in time.
OWN = """
    i[t] = sigmoid(W_i @ x[t] + U_i @ h[t-1] + p_i * C[t-1] + b_i)
    a[t] = tanh(W_a @ x[t] + U_a @ h[t-1] + R_a @ h[t-2] + b_a)
    C[t] = (1 - i[t]) * C[t-1] + i[t] * a[t]
    o[t] = sigmoid(W_o @ x[t] + U_o @ h[t-1] + p_o * C[t] + b_o)
    h[t] = o[t] * tanh(C[t])
    g[t] = tanh(W_g @ x[t] + U_g @ g[t+1] + b_g)
    s[t] = [h[t], g[t]]
    y[t] = V @ s[t] + b_y
    L    = sum(squared_error(y[t], target[t]), t)
"""

NETWORKS = {
    network.name: network
    for network in (
        Network("rnn", "tanh RNN", cells.vanilla, "rnn"),
        Network("lstm", "LSTM", cells.lstm, "lstm"),
        Network("gru", "GRU", cells.gru, "gru"),
        Network("bilstm", "bidirectional LSTM", cells.bidirectional_lstm, "lstm", (("_L", "_R"),)),
        Network("lstm2", "two-layer LSTM", cells.stacked_lstm, "lstm", (("_1",), ("_2",))),
        Network("own", "cell of nobody's library", lambda: rd.Recurrence.parse(OWN), "own", ()),
    )
}


@dataclass(frozen=True)
class Work:
    """One point of the benchmark: a network at a size, in a precision, on so many threads."""

    network: str
    size: Size
    dtype: str = "float64"
    threads: int = 1

    @property
    def key(self) -> str:
        """What it is called in the file of results."""
        return f"{self.network} {self.size} {self.dtype} {self.threads}"

    @property
    def of(self) -> Network:
        """The network itself."""
        return NETWORKS[self.network]

    def arrays(self, seed: int = 0) -> tuple[Arrays, Arrays]:
        """Parameters and initial states by name, and inputs; the same for everybody.

        Weights and biases are uniform in ±1/√(columns), PyTorch's default: such a network contracts,
        so that rounding does not grow over a thousand steps.
        """
        net, (T, B, d, n) = self.of.equations, self.size
        rng, params = np.random.default_rng(seed), {}
        for name in (*net.parameters, *net.initial_states):
            rows, columns = (number(s, self.sizes) for s in net.shape(name))
            if name in net.initial_states:
                params[name] = 0.5 * rng.normal(size=(B, rows))
            else:
                shape, scale = ((rows,), n) if columns == 1 else ((rows, columns), columns)
                params[name] = rng.uniform(-1, 1, shape) / np.sqrt(scale)
        inputs = {name: rng.normal(size=(T, B, d)) for name in ("x", "target")}
        return typed(params, self.dtype), typed(inputs, self.dtype)

    @property
    def sizes(self) -> dict[Any, int]:
        """The recurrence's symbolic sizes in numbers: the input and the target have d entries, states have n."""
        return {s: self.size.d if str(s) in ("n_x", "n_target") else self.size.n for s in self.of.equations.sizes}


def typed(arrays: Arrays, dtype: str) -> Arrays:
    """The same arrays in a precision."""
    return {name: a.astype(dtype) for name, a in arrays.items()}


def number(size: Any, sizes: dict[Any, int]) -> int:
    """A symbolic size in numbers."""
    return int(sp.sympify(size).subs(sizes))
