"""How each framework lays out a recurrent layer: one table, and the cutting that it describes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from rnnderive.errors import InputError

__all__ = ["LAYOUTS", "Half", "Layer", "Layout", "kind_of"]


@dataclass(frozen=True)
class Layout:
    """One framework's arrays of one kind of layer.

    Attributes
    ----------
    gates : str
        The order of the gates: i, f, o, g (candidate) of an LSTM; z, r, n (candidate) of a GRU;
        h of a plain layer.
    transposed : bool
        Whether the gates lie side by side, as in ``x @ kernel``, and not one below the other.
    """

    gates: str
    transposed: bool = False


# Sources: the documentation of torch.nn.LSTM and torch.nn.GRU; the cells of keras.layers; ONNX's
# operators RNN, LSTM and GRU.
LAYOUTS: dict[tuple[str, str], Layout] = {
    ("pytorch", "rnn"): Layout("h"),
    ("pytorch", "lstm"): Layout("ifgo"),
    ("pytorch", "gru"): Layout("rzn"),
    ("keras", "rnn"): Layout("h", transposed=True),
    ("keras", "lstm"): Layout("ifgo", transposed=True),
    ("keras", "gru"): Layout("zrn", transposed=True),
    ("onnx", "rnn"): Layout("h"),
    ("onnx", "lstm"): Layout("iofg"),
    ("onnx", "gru"): Layout("zrn"),
}


@dataclass(frozen=True)
class Half:
    """One direction of one layer, gate by gate.

    Attributes
    ----------
    W, U : dict
        Gate → its weights on the input (n, d) and on the state (n, n).
    b, c : dict
        Gate → the bias beside W, and the one beside U; zero where the layer has none.
    p : dict
        Gate → peephole (n,).
    """

    W: dict[str, Any]
    U: dict[str, Any]
    b: dict[str, Any]
    c: dict[str, Any]
    p: dict[str, Any] = field(default_factory=dict)

    @property
    def width(self) -> int:
        """The number of units."""
        return int(next(iter(self.U.values())).shape[0])

    @property
    def inputs(self) -> int:
        """How many numbers it reads each step."""
        return int(next(iter(self.W.values())).shape[1])


@dataclass(frozen=True)
class Layer:
    """A recurrent layer as a file has it: one or more levels, each in one or two directions.

    Attributes
    ----------
    name : str
        What the file calls it.
    kind : {"rnn", "lstm", "peephole_lstm", "gru_reset_after", "gru_reset_before"}
    levels : tuple of tuple of Half
        From the input upwards; of two halves the second runs backward.
    backward : bool
        Whether a single half runs backward.
    activations : dict
        What differs from the standard: ``gate``, ``candidate``, ``output`` → function.
    last : bool
        Whether the framework passes on the last state of each direction alone.
    notes : tuple of str
        What is not as a framework writes it, and how it was read.
    """

    name: str
    kind: str
    levels: tuple[tuple[Half, ...], ...]
    backward: bool = False
    activations: Mapping[str, str] = field(default_factory=dict)
    last: bool = False
    notes: tuple[str, ...] = ()

    def __str__(self) -> str:
        first = self.levels[0]
        shape = f"{first[0].inputs} inputs, {first[0].width} units"
        ways = "both directions" if len(first) == 2 else "backward" if self.backward else "forward"
        count = f"{len(self.levels)} layer{'s' * (len(self.levels) > 1)}"
        return f"{self.name or 'the layer'}: {self.kind}, {count}, {ways}, {shape}"


def kind_of(rows: int, units: int, name: str) -> str:
    """The kind of a layer from the number of rows that its gates take together."""
    kinds = {1: "rnn", 3: "gru", 4: "lstm"}
    if units < 1 or rows % units or rows // units not in kinds:
        raise InputError(
            f"{name} has {rows} rows of gates for {units} units; expected 1 (RNN), 3 (GRU) or 4 (LSTM) times as many"
        )
    return kinds[rows // units]


def cut(layout: Layout, name: str, W: Any, U: Any, b: Any = None, c: Any = None, p: Any = None) -> Half:
    """Gates out of a framework's arrays.

    Parameters
    ----------
    layout : Layout
    name : str
        For error messages.
    W, U : array
        (g·n, d) and (g·n, n), or transposed.
    b, c : array, optional
        (g·n,): the bias, and the second one.
    p : array, optional
        (3·n,): peepholes of i, o and f.

    Examples
    --------
    >>> half = cut(LAYOUTS["keras", "lstm"], "lstm", np.arange(8.0).reshape(1, 8), np.zeros((2, 8)))
    >>> half.W["f"].tolist(), half.b["f"].tolist()
    ([[2.0], [3.0]], [0.0, 0.0])
    """
    W, U = (np.asarray(a).T if layout.transposed else np.asarray(a) for a in (W, U))
    if W.ndim != 2 or U.ndim != 2:
        raise InputError(f"{name}: found weights of the shapes {W.shape} and {U.shape}; expected matrices")
    units, rows = U.shape[1], len(layout.gates) * U.shape[1]
    zero = np.zeros(rows, U.dtype)
    b, c = (zero if v is None else np.asarray(v) for v in (b, c))
    for what, found, expected in (
        ("input weights", W.shape, (rows, W.shape[1])), ("recurrent weights", U.shape, (rows, units)),
        ("bias", b.shape, (rows,)), ("recurrent bias", c.shape, (rows,)),
    ):  # fmt: skip
        if found != expected or 0 in found:
            raise InputError(f"{name}: the {what} have the shape {found}; expected {expected} for {units} units")
    W, U, b, c = (dict(zip(layout.gates, np.split(a, len(layout.gates)), strict=True)) for a in (W, U, b, c))
    peepholes = {} if p is None else dict(zip("iof", np.split(np.asarray(p), 3), strict=True))
    return Half(W, U, b, c, peepholes)
