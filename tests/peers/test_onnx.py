"""ONNX: its reference evaluator, ONNX Runtime, and PyTorch through its exporter."""

import warnings

import numpy as np
import pytest

import rnnderive as rd
from rnnderive.weights import load
from tests.weights.files import onnx_model

onnx = pytest.importorskip("onnx")
T, B, D, N = 7, 3, 5, 4
GATES = {"RNN": 1, "LSTM": 4, "GRU": 3}


def arrays(op, ways, peepholes=False, dtype=np.float64):
    rng = np.random.default_rng(3)
    rows = GATES[op] * N
    out = {"W": rng.normal(size=(ways, rows, D)), "R": 0.5 * rng.normal(size=(ways, rows, N)),
           "B": rng.normal(size=(ways, 2 * rows))}  # fmt: skip
    if peepholes:
        out["P"] = rng.normal(size=(ways, 3 * N))
    return {n: a.astype(dtype) for n, a in out.items()}


def ours(path, x):
    loaded = load(path)
    return rd.derive(loaded.net).forward(loaded.params, {"x": x})


CASES = [("RNN", {}), ("LSTM", {}), ("GRU", {"linear_before_reset": 0}), ("GRU", {"linear_before_reset": 1})]


@pytest.mark.parametrize(("op", "settings"), CASES)
def test_forward_agrees_with_the_reference_evaluator(op, settings, tmp_path):
    path = tmp_path / "m.onnx"
    onnx_model(path, op, arrays(op, 1), N, **settings)
    x = np.random.default_rng(4).normal(size=(T, B, D))
    from onnx.reference import ReferenceEvaluator

    last = ReferenceEvaluator(str(path)).run(["Y_h"], {"X": x})[0][0]
    assert np.abs(ours(path, x)["h"][-1] - last).max() < 1e-12


@pytest.mark.parametrize("direction", ["forward", "reverse", "bidirectional"])
@pytest.mark.parametrize(("op", "settings"), [*CASES, ("LSTM", {"peepholes": True})])
def test_forward_agrees_with_the_runtime(op, settings, direction, tmp_path):
    """In single precision: there is no other in the runtime."""
    runtime = pytest.importorskip("onnxruntime")
    ways = 2 if direction == "bidirectional" else 1
    settings = dict(settings)
    weights = arrays(op, ways, settings.pop("peepholes", False), np.float32)
    path = tmp_path / "m.onnx"
    onnx_model(path, op, weights, N, direction=direction, **settings)
    x = np.random.default_rng(4).normal(size=(T, B, D)).astype(np.float32)
    Y = runtime.InferenceSession(str(path), providers=["CPUExecutionProvider"]).run(["Y"], {"X": x})[0]
    expected = np.concatenate([Y[:, k] for k in range(ways)], axis=-1)
    name = "y" if "P" in weights else "h"
    assert np.abs(ours(path, x)[name] - expected).max() < 1e-5


@pytest.mark.parametrize("both", [False, True])
@pytest.mark.parametrize("module", ["RNN", "LSTM", "GRU"])
def test_gradient_agrees_with_the_exported_module(module, both, tmp_path):
    torch = pytest.importorskip("torch")
    torch.manual_seed(5)
    rnn = getattr(torch.nn, module)(D, N, 2, bidirectional=both).double()
    path = tmp_path / "m.onnx"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the exporter, about itself
        torch.onnx.export(rnn, (torch.zeros(T, B, D, dtype=torch.float64),), str(path), dynamo=False)
    x = torch.tensor(np.random.default_rng(4).normal(size=(T, B, D)), requires_grad=True)
    y = rnn(x)[0]
    (y.sum()).backward()
    with pytest.raises(rd.InputError, match="holds 2 recurrent layers"):
        load(path)
    loaded = load(path, layer=(f"/{module}", f"/{module}_1"), at="every")
    loss, grads = rd.derive(loaded.net, "x").lambdify()(loaded.params, {"x": x.detach().numpy()})
    assert loss == pytest.approx(y.sum().item(), rel=1e-12)
    assert np.abs(grads["x"] - x.grad.numpy()).max() < 1e-12
