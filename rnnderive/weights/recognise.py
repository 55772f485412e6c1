"""Which recurrent and linear layers a file of weights holds."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from rnnderive.errors import InputError
from rnnderive.weights.files import Checkpoint, Node
from rnnderive.weights.layouts import LAYOUTS, Half, Layer, cut, kind_of

__all__ = ["Linear", "linear_layers", "recurrent_layers"]


@dataclass(frozen=True)
class Linear:
    """A linear layer: y = activation(W h + b)."""

    name: str
    W: Any
    b: Any
    activation: str | None = None


def recurrent_layers(file: Checkpoint) -> list[Layer]:
    """Every recurrent layer of a file, in its order.

    Raises
    ------
    InputError
        When arrays that are named like a recurrent layer's do not have its shapes.
    """
    with _understood(file):
        return RECURRENT[file.framework](file)


def linear_layers(file: Checkpoint) -> list[Linear]:
    """Every linear layer of a file, in its order."""
    with _understood(file):
        return [r for r in LINEAR[file.framework](file) if r.b is None or np.shape(r.b) == np.shape(r.W)[:1]]


@contextmanager
def _understood(file: Checkpoint) -> Iterator[None]:
    """A stranger's file may have anything under any name: what then fails is the file's fault."""
    try:
        yield
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"{file.path} has the names of a model but not its content ({error})") from None


# ---------------------------------------------------------------- PyTorch

_TORCH = re.compile(r"(?P<prefix>.*?)\.?(?P<what>weight|bias)_(?P<side>ih|hh|hr)(_l(?P<level>\d+)(?P<back>_reverse)?)?")


def _torch_layers(file: Checkpoint) -> list[Layer]:
    """Of torch.nn.RNN, LSTM, GRU and their cells, from the names in a state_dict."""
    modules: dict[str, dict[tuple[int, bool], dict[str, Any]]] = {}
    for name, array in file.arrays.items():
        if match := _TORCH.fullmatch(name):
            place = int(match["level"] or 0), bool(match["back"])
            arrays = modules.setdefault(match["prefix"], {}).setdefault(place, {})
            arrays[f"{match['what']}_{match['side']}"] = array
    return [_torch_layer(prefix, halves) for prefix, halves in modules.items()]


def _torch_layer(prefix: str, found: Mapping[tuple[int, bool], Mapping[str, Any]]) -> Layer:
    name = prefix or "the recurrent layer"
    depth, ways = 1 + max(k for k, _ in found), 1 + any(back for _, back in found)
    kind = ""
    levels, notes = [], []
    for level in range(depth):
        halves = []
        for back in (False, True)[:ways]:
            arrays = found.get((level, back), {})
            label = f"{name}, layer {level}{', reverse' * back}"
            missing = [a for a in ("weight_ih", "weight_hh") if a not in arrays]
            if missing:
                raise InputError(f"{label}: {' and '.join(missing)} missing; found {', '.join(arrays) or 'nothing'}")
            if "weight_hr" in arrays:
                raise InputError(f"{label} is an LSTM with a projection (proj_size), which is not read here")
            U = np.asarray(arrays["weight_hh"])
            if U.ndim != 2:
                raise InputError(f"{label}: found recurrent weights of the shape {U.shape}; expected a matrix")
            kind = kind_of(U.shape[0], U.shape[1], label)
            biases = arrays.get("bias_ih"), arrays.get("bias_hh")
            if (biases[0] is None) != (biases[1] is None):
                there, lacks = ("bias_ih", "bias_hh") if biases[1] is None else ("bias_hh", "bias_ih")
                notes.append(f"{label} has {there} but no {lacks}, which PyTorch writes together; zero is taken for it")
            halves.append(cut(LAYOUTS["pytorch", kind], label, arrays["weight_ih"], U, *biases))
        levels.append(tuple(halves))
    _check_levels(name, levels)
    return Layer(prefix, "gru_reset_after" if kind == "gru" else kind, tuple(levels), notes=tuple(notes))


def _check_levels(name: str, levels: list[tuple[Half, ...]]) -> None:
    """That each level reads what the one below gives."""
    for k, (below, above) in enumerate(pairwise(levels), 1):
        given = sum(h.width for h in below)
        for half in above:
            if half.inputs != given or half.U.keys() != below[0].U.keys():
                raise InputError(
                    f"{name}: layer {k} reads {half.inputs} numbers, but layer {k - 1} gives {given}; "
                    "expected layers of one kind that fit together"
                )


def _torch_linear(file: Checkpoint) -> list[Linear]:
    out = []
    for name, W in file.arrays.items():
        prefix, _, last = name.rpartition(".")
        if last == "weight" and np.ndim(W) == 2:
            b = file.arrays.get(f"{prefix}.bias" if prefix else "bias")
            out.append(Linear(prefix or "weight", W, b))
    return out


# ---------------------------------------------------------------- Keras

_KERAS_KINDS = {"SimpleRNN": "rnn", "LSTM": "lstm", "GRU": "gru"}
_KERAS_PARTS = ("kernel", "recurrent_kernel", "bias")


def _keras_variables(file: Checkpoint) -> dict[str, list[Any]]:
    """Group in the file → its variables, in the order kernel, recurrent kernel, bias."""
    groups: dict[str, dict[str, Any]] = {}
    for path, array in file.arrays.items():
        group, _, last = path.rpartition("/")
        last = last.split(":")[0]
        # Keras 3 numbers the variables of a layer; its older files name them.
        key = _KERAS_PARTS[int(last)] if re.fullmatch("[012]", last) else last
        if "optimizer" not in path.split("/")[0] and "seed_generator" not in path:
            groups.setdefault(group.removesuffix("/vars"), {})[key] = array
    return {g: [v.get(k) for k in _KERAS_PARTS] for g, v in groups.items() if "kernel" in v and v["kernel"].ndim == 2}


def _keras_layers(file: Checkpoint) -> list[Layer]:
    """Of SimpleRNN, LSTM, GRU and Bidirectional."""
    halves: dict[str, dict[str, tuple[str, Half]]] = {}
    configs: dict[str, Any] = {}
    for group, (kernel, recurrent, bias) in _keras_variables(file).items():
        square = recurrent is not None and recurrent.ndim == 2 and recurrent.shape[1] % recurrent.shape[0] == 0
        cell = re.fullmatch(r"(?P<layer>.*?)(/(?P<way>forward|backward)[^/]*)?(/[^/]*cell[^/]*)", group)
        if not square or cell is None:
            continue
        name = _own_name(file, cell["layer"])
        kind = kind_of(recurrent.shape[1], recurrent.shape[0], name)
        first, second = (None, None) if bias is None else (bias, None) if bias.ndim == 1 else (bias[0], bias[1])
        half = cut(LAYOUTS["keras", kind], name, kernel, recurrent, first, second)
        if kind == "gru" and bias is not None:  # without one the arrays do not tell the form
            kind = "gru_reset_before" if second is None else "gru_reset_after"
        configs[name] = file.layers.get(name)
        halves.setdefault(name, {})[cell["way"] or "forward"] = (kind, half)
    order = [n for n in file.layers if n in halves] or list(halves)
    return [_keras_layer(n, halves[n], configs[n]) for n in order]


def _own_name(file: Checkpoint, path: str) -> str:
    """What the model calls a layer."""
    return file.names.get(path, path.removeprefix("model_weights/").removeprefix("layers/").split("/")[0])


def _keras_layer(name: str, found: Mapping[str, tuple[str, Half]], config: Any) -> Layer:
    kind = next(iter(found.values()))[0]
    ways = [found[w][1] for w in ("forward", "backward") if w in found]
    settings = dict((config or {}).get("config", {}))
    if settings.get("merge_mode", "concat") != "concat":
        raise InputError(f"{name} merges its directions by {settings['merge_mode']!r}; only 'concat' is read here")
    inner = settings.get("layer", config) or {}
    settings = dict(inner.get("config", {}))
    if kind.startswith("gru") and "reset_after" in settings:
        kind = "gru_reset_after" if settings["reset_after"] else "gru_reset_before"
    activations = {
        role: _KERAS_FUNCTIONS.get(str(settings[key]), str(settings[key]))
        for key, role in (("activation", "candidate"), ("recurrent_activation", "gate"))
        if key in settings
    }
    if kind == "lstm" and "candidate" in activations:
        activations["output"] = activations["candidate"]
    last = bool(settings) and not settings.get("return_sequences", False)
    return Layer(name, kind, (tuple(ways),), bool(settings.get("go_backwards")) and len(ways) == 1, activations, last)


_KERAS_FUNCTIONS = {"linear": "identity", "swish": "silu"}


def _keras_linear(file: Checkpoint) -> list[Linear]:
    out = []
    for group, (kernel, recurrent, bias) in _keras_variables(file).items():
        name = _own_name(file, group)
        config = file.layers.get(name, {"class_name": "Dense"})
        if config.get("class_name") == "Dense" and (recurrent is None or recurrent.ndim == 1):
            # The second variable of a Dense layer is its bias.
            function = str(config.get("config", {}).get("activation", "linear"))
            b = bias if recurrent is None else recurrent
            out.append(Linear(name, kernel.T, b, None if function == "linear" else function))
    return out


# ---------------------------------------------------------------- ONNX

_ONNX_FUNCTIONS = {
    "Tanh": "tanh",
    "Sigmoid": "sigmoid",
    "Relu": "relu",
    "Softsign": "softsign",
    "Softplus": "softplus",
}
_ONNX_ROLES = {"RNN": ("candidate",), "LSTM": ("gate", "candidate", "output"), "GRU": ("gate", "candidate")}
_ONNX_USUAL = {"RNN": ("Tanh",), "LSTM": ("Sigmoid", "Tanh", "Tanh"), "GRU": ("Sigmoid", "Tanh")}


def _onnx_layers(file: Checkpoint) -> list[Layer]:
    """Of the operators RNN, LSTM and GRU."""
    return [_onnx_layer(file, node) for node in file.nodes if node.op in _ONNX_ROLES]


def _onnx_layer(file: Checkpoint, node: Node) -> Layer:
    kind, settings = node.op.lower(), node.attributes
    operands = [*node.inputs, *[""] * 8]
    for name in operands[1:4]:
        if name and name not in file.arrays:
            raise InputError(f"the weights {name} of {node.name} are computed in the graph; expected constants")
    W, R = file.arrays[operands[1]], file.arrays[operands[2]]
    B = file.arrays.get(operands[3])
    P = file.arrays.get(operands[7]) if kind == "lstm" else None
    for what, neutral in (("clip", 0.0), ("input_forget", 0)):
        if settings.get(what, neutral) != neutral:
            raise InputError(f"{node.name} has {what} = {settings[what]}, which the equations here do not have")
    direction = _text(settings.get("direction", "forward"))
    halves = []
    for k in range(W.shape[0]):
        b, c = (None, None) if B is None else np.split(B[k], 2)
        halves.append(cut(LAYOUTS["onnx", kind], node.name, W[k], R[k], b, c, None if P is None else P[k]))
    if kind == "gru":
        kind = "gru_reset_after" if settings.get("linear_before_reset", 0) else "gru_reset_before"
    if P is not None and np.any(P):
        kind = "peephole_lstm"
    return Layer(node.name, kind, (tuple(halves),), direction == "reverse", _onnx_activations(node, len(halves)))


def _onnx_activations(node: Node, ways: int) -> dict[str, str]:
    roles = _ONNX_ROLES[node.op]
    found = [_text(a) for a in node.attributes.get("activations", ())] or list(_ONNX_USUAL[node.op]) * ways
    unknown = [a for a in found if a not in _ONNX_FUNCTIONS]
    if unknown or len(found) != len(roles) * ways or found[: len(roles)] * ways != found:
        raise InputError(
            f"{node.name} has the activations {', '.join(found)}; expected {len(roles)} for each direction, "
            f"the same in both, out of {', '.join(_ONNX_FUNCTIONS)}"
        )
    return {r: _ONNX_FUNCTIONS[a] for r, a in zip(roles, found, strict=False)}


def _text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)


def _onnx_linear(file: Checkpoint) -> list[Linear]:
    """Of MatMul with a constant, the Add after it, and Gemm."""
    out = []
    for node in file.nodes:
        constant = [n for n in node.inputs if n in file.arrays and np.ndim(file.arrays[n]) == 2]
        if node.op == "Gemm" and constant:
            W = file.arrays[constant[0]]
            b = file.arrays.get(node.inputs[2]) if len(node.inputs) > 2 else None
            out.append(Linear(node.name, W if node.attributes.get("transB") else W.T, b))
        elif node.op == "MatMul" and constant:
            adds = [n for n in file.nodes if n.op == "Add" and node.outputs[0] in n.inputs]
            vectors = [file.arrays[n] for a in adds for n in a.inputs if n in file.arrays]
            out.append(Linear(node.name, file.arrays[constant[0]].T, vectors[0] if vectors else None))
    return out


RECURRENT: dict[str, Callable[[Checkpoint], list[Layer]]] = {
    "named": _torch_layers,
    "keras": _keras_layers,
    "onnx": _onnx_layers,
}
LINEAR: dict[str, Callable[[Checkpoint], list[Linear]]] = {
    "named": _torch_linear,
    "keras": _keras_linear,
    "onnx": _onnx_linear,
}
