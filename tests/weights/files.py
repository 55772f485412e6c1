"""Small files in each format, written as the frameworks write them, and one layer in three layouts.

The orders of the gates and the equations stand here a second time, copied from the frameworks'
documentation and not from the table that is tested.
"""

from __future__ import annotations

import json
import zipfile

import numpy as np

ORDERS = {
    "pytorch": {"rnn": "h", "lstm": "ifgo", "gru": "rzn"},
    "keras": {"rnn": "h", "lstm": "ifgo", "gru": "zrn"},
    "onnx": {"rnn": "h", "lstm": "iofg", "gru": "zrn"},
}
D, N = 5, 4


def gates_of(kind, seed, inputs=D, units=N):
    """Random W, U, b, c for each gate of a layer."""
    rng = np.random.default_rng(seed)
    return {
        g: (rng.normal(size=(units, inputs)), 0.5 * rng.normal(size=(units, units)), *rng.normal(size=(2, units)))
        for g in ORDERS["pytorch"][kind]
    }


def sigmoid(a):
    return 1 / (1 + np.exp(-a))


def run(kind, gates, x, after=True, activation=np.tanh):
    """torch.nn.RNN, LSTM and GRU by their documented equations, x of the shape (T, B, d)."""
    pre = lambda g, h: x_t @ gates[g][0].T + gates[g][2] + h @ gates[g][1].T + gates[g][3]  # noqa: E731
    units = next(iter(gates.values()))[1].shape[0]
    h = c = np.zeros((x.shape[1], units))
    out = []
    for x_t in x:
        if kind == "rnn":
            h = activation(pre("h", h))
        elif kind == "lstm":
            i, f, o = (sigmoid(pre(g, h)) for g in "ifo")
            c = f * c + i * np.tanh(pre("g", h))
            h = o * np.tanh(c)
        else:
            r, z = sigmoid(pre("r", h)), sigmoid(pre("z", h))
            W, U, b, d = gates["n"]
            n = np.tanh(x_t @ W.T + b + (r * (h @ U.T + d) if after else (r * h) @ U.T + d))
            h = (1 - z) * n + z * h
        out.append(h)
    return np.array(out)


def deep(kind, levels, x, **options):
    """Layers on top of each other, each a list of one or two directions."""
    for halves in levels:
        outputs = [run(kind, halves[0], x, **options)]
        if len(halves) == 2:
            outputs.append(run(kind, halves[1], x[::-1], **options)[::-1])
        x = np.concatenate(outputs, axis=-1)
    return x


def stacked(gates, order, part):
    return np.concatenate([gates[g][part] for g in order])


def state_dict(kind, levels, prefix="rnn.", bias=True):
    """The arrays of a PyTorch module by their names."""
    out = {}
    for level, halves in enumerate(levels):
        for gates, end in zip(halves, ("", "_reverse"), strict=False):
            for part, name in enumerate(("weight_ih", "weight_hh", "bias_ih", "bias_hh")[: 4 if bias else 2]):
                out[f"{prefix}{name}_l{level}{end}"] = stacked(gates, ORDERS["pytorch"][kind], part)
    return out


def keras_arrays(kind, gates, after=True):
    """Kernel, recurrent kernel and bias."""
    W, U, b, c = (stacked(gates, ORDERS["keras"][kind], part) for part in range(4))
    return [W.T, U.T, np.stack([b, c]) if kind == "gru" and after else b + c]


def weights_h5(target, layers):
    """A .weights.h5 of Keras 3: path of a layer's variables → (its name, arrays)."""
    import h5py

    with h5py.File(target, "w") as file:
        for path, (name, arrays) in layers.items():
            group = file.create_group(f"layers/{path}/vars")
            file.require_group(f"layers/{path.split('/')[0]}/vars").attrs["name"] = name
            for k, array in enumerate(arrays):
                group[str(k)] = array


def keras_model(path, layers, config):
    """A .keras archive; `config` is a list of (class, settings)."""
    h5 = path.with_suffix(".tmp")
    weights_h5(h5, layers)
    entries = [{"class_name": c, "config": s} for c, s in config]
    with zipfile.ZipFile(path, "w") as packed:
        packed.writestr("config.json", json.dumps({"class_name": "Sequential", "config": {"layers": entries}}))
        packed.write(h5, "model.weights.h5")


def onnx_arrays(kind, ways):
    """W, R and B of the operator, one row a direction."""
    W, R, b, c = (np.stack([stacked(g, ORDERS["onnx"][kind], part) for g in ways]) for part in range(4))
    return {"W": W, "R": R, "B": np.concatenate([b, c], axis=1)}


def onnx_model(path, op, arrays, units, **settings):
    """A model of one RNN, LSTM or GRU with its weights W, R, B and perhaps P."""
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    kind = TensorProto.DOUBLE if arrays["W"].dtype == "float64" else TensorProto.FLOAT
    names = ["X", "W", "R", "B"] + (["", "", "", "P"] if "P" in arrays else [])
    node = helper.make_node(op, names, ["Y", "Y_h"], name="layer", hidden_size=units, **settings)
    graph = helper.make_graph(
        [node],
        "model",
        [helper.make_tensor_value_info("X", kind, [None, None, arrays["W"].shape[-1]])],
        [helper.make_tensor_value_info(n, kind, None) for n in ("Y", "Y_h")],
        [numpy_helper.from_array(a, n) for n, a in arrays.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 14)], ir_version=8)
    onnx.save(model, str(path))
