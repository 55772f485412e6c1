"""From a layer in a file to a recurrence of the library and its parameters."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from rnnderive import cells
from rnnderive.cells.anatomy import Anatomy, assemble, rewritten
from rnnderive.errors import InputError
from rnnderive.language import FUNCTIONS, Recurrence
from rnnderive.language.syntax import LOSSES
from rnnderive.weights.layouts import Half, Layer
from rnnderive.weights.recognise import Linear

__all__ = ["FORMS", "Form", "core", "headed", "parameters"]


@dataclass(frozen=True)
class Form:
    """Equations for a kind of layer, and how its arrays become their parameters.

    Attributes
    ----------
    cell : callable
        The cell of the library; its head is not used.
    fill : callable
        The parameters from one :class:`~rnnderive.weights.layouts.Half`, or None where the
        equations cannot express it.
    functions : dict
        Role of an activation → (its usual function, the equations that have it).
    """

    cell: Callable[[], Recurrence]
    fill: Callable[[Half], dict[str, Any] | None]
    functions: Mapping[str, tuple[str, tuple[str, ...]]]


def gru_reset_before() -> Recurrence:
    """The GRU of Keras (``reset_after=False``) and ONNX: the reset gate acts before the product.

    As the lecture's :func:`~rnnderive.cells.gru`, but z keeps the old state and not the new.

    Examples
    --------
    >>> print(gru_reset_before()["n"])
    n[t] = tanh(W_n @ x[t] + U_n @ (r[t] * h[t-1]) + b_n)
    """
    return Recurrence.parse("""
        r[t] = sigmoid(W_r @ x[t] + U_r @ h[t-1] + b_r)
        z[t] = sigmoid(W_z @ x[t] + U_z @ h[t-1] + b_z)
        n[t] = tanh(W_n @ x[t] + U_n @ (r[t] * h[t-1]) + b_n)
        h[t] = (1 - z[t]) * n[t] + z[t] * h[t-1]
        L    = sum(h[T])
    """)


def _rnn(half: Half) -> dict[str, Any]:
    return {"W": half.W["h"], "U": half.U["h"], "b_h": half.b["h"] + half.c["h"]}


def _lstm(half: Half) -> dict[str, Any]:
    """The weights on [h, x] are those on h and on x side by side; the two biases are added."""
    names = {"f": "f", "i": "i", "g": "C", "o": "o"}
    weights = {f"W_{n}": np.hstack([half.U[g], half.W[g]]) for g, n in names.items()}
    return weights | {f"b_{n}": half.b[g] + half.c[g] for g, n in names.items()}


def _peephole_lstm(half: Half) -> dict[str, Any]:
    names = {"g": "z", "i": "i", "f": "f", "o": "o"}
    out = {f"W_{n}": half.W[g] for g, n in names.items()} | {f"R_{n}": half.U[g] for g, n in names.items()}
    out |= {f"b_{n}": half.b[g] + half.c[g] for g, n in names.items()}
    return out | {f"p_{g}": half.p[g] for g in "iof"}


def _gru_before(half: Half) -> dict[str, Any]:
    out = {f"W_{g}": half.W[g] for g in "rzn"} | {f"U_{g}": half.U[g] for g in "rzn"}
    return out | {f"b_{g}": half.b[g] + half.c[g] for g in "rzn"}


def _gru_after(half: Half) -> dict[str, Any]:
    """The second bias of the candidate is inside the reset, so that it stays apart."""
    return _gru_before(half) | {"b_n": half.b["n"], "c_n": half.c["n"]}


def _lecture_gru(half: Half) -> dict[str, Any] | None:
    """1 − σ(a) = σ(−a) turns the meaning of z; a bias in the candidate has no place here."""
    if np.any(half.b["n"] + half.c["n"]):
        return None
    out = {"W_z": -np.hstack([half.U["z"], half.W["z"]]), "b_z": -(half.b["z"] + half.c["z"])}
    out |= {"W_r": np.hstack([half.U["r"], half.W["r"]]), "b_r": half.b["r"] + half.c["r"]}
    return out | {"W": np.hstack([half.U["n"], half.W["n"]])}


_GRU = {"gate": ("sigmoid", ("r", "z")), "candidate": ("tanh", ("n",))}

# The first form of a kind is used where no recurrence is asked for.
FORMS: dict[str, tuple[Form, ...]] = {
    "rnn": (Form(cells.vanilla, _rnn, {"candidate": ("tanh", ("h",))}),),
    "lstm": (
        Form(
            cells.lstm, _lstm,
            {"gate": ("sigmoid", ("f", "i", "o")), "candidate": ("tanh", ("C_add",)), "output": ("tanh", ("h",))},
        ),
    ),
    "peephole_lstm": (
        Form(
            cells.peephole_lstm, _peephole_lstm,
            {"gate": ("sigmoid", ("f", "i", "o")), "candidate": ("tanh", ("z",)), "output": ("tanh", ("y",))},
        ),
    ),
    "gru_reset_after": (Form(cells.gru_reset_after, _gru_after, _GRU),),
    "gru_reset_before": (
        Form(gru_reset_before, _gru_before, _GRU),
        Form(cells.gru, _lecture_gru, {"gate": ("sigmoid", ("r", "z")), "candidate": ("tanh", ("h_add",))}),
    ),
}  # fmt: skip


def core(form: Form, layer: Layer, activation: str | None = None) -> Recurrence:
    """The equations of a layer, without a head.

    Parameters
    ----------
    form : Form
    layer : Layer
        Of which levels, directions and activations are taken.
    activation : str, optional
        The function of a plain layer, where the file does not tell it.
    """
    cell = form.cell()
    lines = [str(cell[n]) for n in Anatomy.of(cell).core]
    chosen = {**({"candidate": activation} if activation else {}), **layer.activations}
    for role, function in chosen.items():
        usual, names = form.functions[role]
        if function not in (*FUNCTIONS, "identity"):
            raise InputError(f"{layer.name}: unknown activation {function!r}; known: {', '.join(FUNCTIONS)}")
        lines = [
            re.sub(rf"\b{usual}\(", f"{function}(", line) if line.split("[")[0] in names else line for line in lines
        ]
    net = assemble(lines, cell, None)
    if layer.backward:
        net = assemble([rewritten(net, e.name, {}, backward=True) for e in net.equations], net, None)
    if len(layer.levels[0]) == 2:
        net = cells.bidirectional(net)
    if len(layer.levels) > 1:
        net = cells.stack(net, len(layer.levels))
    return net


def parameters(form: Form, layer: Layer) -> dict[str, Any] | None:
    """The parameters of :func:`core`; None where the form cannot express the layer."""
    out: dict[str, Any] = {}
    width = len(str(len(layer.levels)))
    for level, halves in enumerate(layer.levels, 1):
        for half, way in zip(halves, ("L", "R"), strict=False):
            found = form.fill(half)
            if found is None:
                return None
            suffix = f"_{way}" * (len(halves) == 2) + f"_{level:0{width}}" * (len(layer.levels) > 1)
            out |= {f"{n}{suffix}": a for n, a in found.items()}
    return out


def headed(
    net: Recurrence, layer: Layer, linear: Linear | None, loss: str | None, at: str, target: str
) -> tuple[Recurrence, dict[str, Any]]:
    """A core with its linear layer and a loss, and the parameters of the linear layer.

    The loss ``"sum"`` needs no target: the sum over the entries of what is predicted, or of the
    last state of each direction, so that the gradient starts from ones.
    """
    if loss not in (None, "sum", *LOSSES):
        raise InputError(f"unknown loss {loss!r}; known: sum, {', '.join(LOSSES)}, None")
    output = Anatomy.of(net).output
    ends = _ends(net, output, layer)
    params: dict[str, Any] = {}
    if linear is not None:
        name = "y" if "y" not in net else "y_hat"
        if layer.last and len(ends) > 1:
            form = f"W_{name} @ [{', '.join(ends)}] + b_{name}"
            function = linear.activation
            line = f"{name} = {function}({form})" if function else f"{name} = {form}"
            net = assemble([*map(str, net.equations), line], net, None)
            ends = [name]
        else:
            net = cells.readout(net, linear.activation, name=name)
            ends = [f"{name}[{'1' if layer.backward else 'T'}]"]
        W = np.asarray(linear.W)
        params = {f"W_{name}": W, f"b_{name}": np.zeros(len(W), W.dtype) if linear.b is None else linear.b}
        output = name
    if loss is None:
        return net, params
    if at == "every" and output in ends:
        raise InputError(f"{layer.name} passes on its last state alone; take the loss with at='last'")
    if loss == "sum":
        each = f"sum(sum({output}[t]), t)" if at == "every" else " + ".join(f"sum({e})" for e in ends)
    elif at == "every" or ends == [f"{output}[T]"]:
        return cells.loss(net, loss, at, target), params
    elif target in net.leaves or not target.isidentifier():
        raise InputError(f"the name {target!r} is taken here, or is no name; choose another target")
    else:
        predicted = ends[0] if len(ends) == 1 else f"[{', '.join(ends)}]"
        each = f"{loss}({predicted}, {target})"
    return assemble([*map(str, net.equations), f"L = {each}"], net, "L"), params


def _ends(net: Recurrence, output: str, layer: Layer) -> list[str]:
    """The last state that each direction computes."""
    if len(layer.levels[0]) == 1:
        return [f"{output}[{'1' if layer.backward else 'T'}]"]
    # All read through the one output, so that the core keeps one.
    left = f"size({net[output].right.args[0].name})"
    return [f"{output}[T][0:{left}]", f"{output}[1][{left}:]"]
