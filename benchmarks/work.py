"""The work that everybody does: networks, sizes, and the arrays they are given."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

import rnnderive as rd
from rnnderive import cells

__all__ = ["NETWORKS", "SIZES", "Arrays", "Network", "Size", "Work"]

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
    title : str
    cell : callable
        Its equations, with any head.
    core : str
        Which recurrent layer it is made of: rnn, lstm or gru.
    layers : tuple of tuple of str
        From below: the endings of the names in each direction of a layer, forward first.
    """

    title: str
    cell: Callable[[], rd.Recurrence]
    core: str
    layers: tuple[tuple[str, ...], ...] = (("",),)

    @property
    def equations(self) -> rd.Recurrence:
        """½ Σ (V h[t] + b_y − target[t])² over t and the batch."""
        return cells.loss(cells.readout(self.cell(), None, name="y", weights="V"), "squared_error", at="every")


NETWORKS = {
    "rnn": Network("tanh RNN", cells.vanilla, "rnn"),
    "lstm": Network("LSTM", cells.lstm, "lstm"),
    "gru": Network("GRU", cells.gru, "gru"),
    "bilstm": Network("bidirectional LSTM", cells.bidirectional_lstm, "lstm", (("_L", "_R"),)),
    "lstm2": Network("two-layer LSTM", cells.stacked_lstm, "lstm", (("_1",), ("_2",))),
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
        return draw(net, {"x": (T, B, d), "target": (T, B, d)}, n, d, B, self.dtype, seed)


def draw(
    net: rd.Recurrence, inputs: dict[str, tuple[int, ...]], n: int, d: int, B: int, dtype: str, seed: int = 0
) -> tuple[Arrays, Arrays]:
    """Arrays for any recurrence whose states have n entries, and whose input and target have d."""
    rng = np.random.default_rng(seed)
    sizes = {s: d if str(s) in ("n_x", "n_target", "n_y") else n for s in net.sizes}
    params = {}
    for name in (*net.parameters, *net.initial_states):
        rows, columns = (int(s.subs(sizes)) if hasattr(s, "subs") else int(s) for s in net.shape(name))
        if name in net.initial_states:
            params[name] = rng.normal(size=(B, rows)) * 0.5
        else:
            shape, scale = ((rows,), n) if columns == 1 else ((rows, columns), columns)
            params[name] = rng.uniform(-1, 1, shape) / np.sqrt(scale)
    given = {name: rng.normal(size=shape) for name, shape in inputs.items()}
    return ({k: a.astype(dtype) for k, a in params.items()}, {k: a.astype(dtype) for k, a in given.items()})
