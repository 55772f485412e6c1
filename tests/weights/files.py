"""Small files in each format, written as the frameworks write them."""

from __future__ import annotations


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
