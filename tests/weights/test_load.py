"""A layer means the same in every framework's layout: its documented equations, run by hand."""

import numpy as np
import pytest

import rnnderive as rd
from rnnderive import cells
from rnnderive.cells.anatomy import Anatomy
from rnnderive.weights import initialise, load
from tests.weights import files
from tests.weights.files import D, N, deep, gates_of, keras_arrays, onnx_arrays, onnx_model, run, state_dict

T, B = 6, 3
X = np.random.default_rng(0).normal(size=(T, B, D))
SEQUENCE = {"return_sequences": True}


def forward(model):
    return rd.derive(model.net).forward(model.params, {"x": X})


def top(model):
    """The output of the last layer."""
    return forward(model)[Anatomy.of(model.net).output]


def same(a, b):
    return np.allclose(a, b, rtol=0, atol=1e-13)


def levels_of(kind, layers, both):
    widths = [D] + [N * (1 + both)] * (layers - 1)
    return [[gates_of(kind, 10 * k + way, w) for way in range(1 + both)] for k, w in enumerate(widths)]


@pytest.mark.parametrize("both", [False, True])
@pytest.mark.parametrize("layers", [1, 2])
@pytest.mark.parametrize("kind", ["rnn", "lstm", "gru"])
def test_a_state_dict_of_pytorch(kind, layers, both, tmp_path):
    levels = levels_of(kind, layers, both)
    np.savez(tmp_path / "m.npz", **state_dict(kind, levels))
    model = load(tmp_path / "m.npz")
    assert same(top(model), deep(kind, levels, X))
    assert str(model.net[model.net.loss]).startswith("L = sum(h")


@pytest.mark.parametrize("kind", ["rnn", "lstm", "gru"])
def test_safetensors_hold_what_npz_holds(kind, tmp_path):
    safetensors = pytest.importorskip("safetensors.numpy")
    arrays = state_dict(kind, levels_of(kind, 1, True))
    np.savez(tmp_path / "m.npz", **arrays)
    safetensors.save_file(arrays, tmp_path / "m.safetensors")
    one, other = load(tmp_path / "m.npz"), load(tmp_path / "m.safetensors")
    assert one.net == other.net
    assert all(np.array_equal(one.params[n], other.params[n]) for n in one.params)


@pytest.mark.parametrize("both", [False, True])
@pytest.mark.parametrize(("kind", "after"), [("rnn", True), ("lstm", True), ("gru", True), ("gru", False)])
def test_weights_of_keras(kind, after, both, tmp_path):
    pytest.importorskip("h5py")
    halves = [gates_of(kind, way) for way in range(1 + both)]
    arrays = [keras_arrays(kind, g, after) for g in halves]
    paths = ["bidirectional/forward_layer/cell", "bidirectional/backward_layer/cell"] if both else ["lstm/cell"]
    files.weights_h5(tmp_path / "m.weights.h5", {p: ("mine", a) for p, a in zip(paths, arrays, strict=True)})
    model = load(tmp_path / "m.weights.h5")
    assert same(top(model), deep(kind, [halves], X, after=after))
    assert model.layer.startswith("mine: " + (kind if kind != "gru" else f"gru_reset_{'after' if after else 'before'}"))


def test_a_model_of_keras_with_its_functions_and_its_head(tmp_path):
    pytest.importorskip("h5py")
    gates, rng = gates_of("rnn", 1), np.random.default_rng(2)
    kernel, bias = rng.normal(size=(N, 3)), rng.normal(size=3)
    files.keras_model(
        tmp_path / "m.keras",
        {"simple_rnn/cell": ("r", keras_arrays("rnn", gates)), "dense": ("head", [kernel, bias])},
        [("SimpleRNN", {"name": "r", "activation": "relu"}), ("Dense", {"name": "head", "activation": "softmax"})],
    )
    model = load(tmp_path / "m.keras", loss=None)
    assert str(model.net) == "h[t] = relu(W @ x[t] + U @ h[t-1] + b_h)\ny[t] = softmax(W_y @ h[t] + b_y)"
    a = run("rnn", gates, X, activation=lambda v: np.maximum(v, 0))[-1] @ kernel + bias
    expected = np.exp(a) / np.exp(a).sum(-1, keepdims=True)
    model = load(tmp_path / "m.keras")
    assert same(forward(model)["y"][-1], expected)


def test_the_last_states_of_both_directions_of_keras(tmp_path):
    """Without return_sequences Keras reads the last state that each direction computes: h_R at step 1."""
    pytest.importorskip("h5py")
    halves, kernel = [gates_of("lstm", way) for way in range(2)], np.random.default_rng(2).normal(size=(2 * N, 3))
    ways = ("forward_layer", "backward_layer")
    files.keras_model(
        tmp_path / "m.keras",
        {f"bidirectional/{w}/cell": ("b", keras_arrays("lstm", g)) for w, g in zip(ways, halves, strict=True)}
        | {"dense": ("head", [kernel])},
        [("Bidirectional", {"name": "b", "layer": {"class_name": "LSTM", "config": {"return_sequences": False}}}),
         ("Dense", {"name": "head"})],
    )  # fmt: skip
    model = load(tmp_path / "m.keras", loss="squared_error")
    ends = np.concatenate([run("lstm", halves[0], X)[-1], run("lstm", halves[1], X[::-1])[-1]], axis=-1)
    out = rd.derive(model.net).forward(model.params, {"x": X, "target": np.zeros(3)})
    assert same(out["y"], ends @ kernel)
    with pytest.raises(rd.InputError, match="passes on its last state alone"):
        load(tmp_path / "m.keras", at="every")


def test_layers_of_keras_are_chosen_and_stacked_by_name(tmp_path):
    pytest.importorskip("h5py")
    levels = levels_of("gru", 2, False)
    layers = {f"gru{'_1' * k}/cell": (f"g{k}", keras_arrays("gru", gates)) for k, (gates,) in enumerate(levels)}
    settings = [("GRU", {"name": f"g{k}", **SEQUENCE}) for k in range(2)]
    files.keras_model(tmp_path / "m.keras", layers, settings)
    with pytest.raises(rd.InputError, match=r"2 recurrent layers: g0: .*; g1: .*layer=\('g0', 'g1'\)"):
        load(tmp_path / "m.keras")
    assert same(top(load(tmp_path / "m.keras", layer="g0")), deep("gru", levels[:1], X))
    assert same(top(load(tmp_path / "m.keras", layer=("g0", "g1"))), deep("gru", levels, X))
    with pytest.raises(rd.InputError, match="do not make one stack"):
        load(tmp_path / "m.keras", layer=("g0", "g0"))
    with pytest.raises(rd.InputError, match="no recurrent layer 'g2'; it has g0"):
        load(tmp_path / "m.keras", layer="g2")
    settings[0][1]["return_sequences"] = False
    files.keras_model(tmp_path / "m.keras", layers, settings)
    with pytest.raises(rd.InputError, match="g0 passes on its last state alone"):
        load(tmp_path / "m.keras", layer=("g0", "g1"))


@pytest.mark.parametrize("direction", ["forward", "reverse", "bidirectional"])
@pytest.mark.parametrize(("kind", "after"), [("rnn", True), ("lstm", True), ("gru", True), ("gru", False)])
def test_operators_of_onnx(kind, after, direction, tmp_path):
    pytest.importorskip("onnx")
    halves = [gates_of(kind, way) for way in range(1 + (direction == "bidirectional"))]
    settings = {"linear_before_reset": int(after)} if kind == "gru" else {}
    onnx_model(tmp_path / "m.onnx", kind.upper(), onnx_arrays(kind, halves), N, direction=direction, **settings)
    model = load(tmp_path / "m.onnx")
    if direction == "reverse":
        expected = run(kind, halves[0], X[::-1], after=after)[::-1]
        assert str(model.net["L"]) == "L = sum(h[1])"
    else:
        expected = deep(kind, [halves], X, after=after)
    assert same(top(model), expected)


def test_functions_of_onnx(tmp_path):
    pytest.importorskip("onnx")
    arrays = onnx_arrays("lstm", [gates_of("lstm", 1)])
    onnx_model(tmp_path / "m.onnx", "LSTM", arrays, N, activations=["Sigmoid", "Relu", "Softsign"])
    net = load(tmp_path / "m.onnx").net
    assert str(net["C_add"]).startswith("C_add[t] = relu(") and str(net["h"]) == "h[t] = o[t] * softsign(C[t])"
    for settings, message in (
        ({"activations": ["HardSigmoid", "Tanh", "Tanh"]}, "has the activations HardSigmoid"),
        ({"clip": 3.0}, "has clip = 3.0"),
        ({"input_forget": 1}, "has input_forget = 1"),
    ):
        onnx_model(tmp_path / "m.onnx", "LSTM", arrays, N, **settings)
        with pytest.raises(rd.InputError, match=message):
            load(tmp_path / "m.onnx")


def test_a_gru_is_not_forced_into_the_other_form(tmp_path):
    np.savez(tmp_path / "m.npz", **state_dict("gru", levels_of("gru", 1, False)))
    assert load(tmp_path / "m.npz", cells.gru_reset_after(), partial=True).net == cells.gru_reset_after()
    with pytest.raises(rd.InputError, match=r"(?s)does not fit.*gru_reset_after.*U_n @ h\[t-1\] \+ c_n.*r\[t\] \* h"):
        load(tmp_path / "m.npz", cells.gru(), partial=True)


def test_the_lecture_gru_takes_one_whose_candidate_has_no_bias(tmp_path):
    """Its z means the opposite; 1 − σ(a) = σ(−a) makes the two one function."""
    pytest.importorskip("h5py")
    gates = gates_of("gru", 1)
    for bias in (0.0, 1.0):
        W, U, b, c = gates["n"]
        gates["n"] = (W, U, np.full_like(b, bias), np.zeros_like(c))
        files.weights_h5(tmp_path / "m.weights.h5", {"gru/cell": ("g", keras_arrays("gru", gates, False))})
        if bias:
            with pytest.raises(rd.InputError, match="the candidate of g has a bias"):
                load(tmp_path / "m.weights.h5", cells.gru(), partial=True)
            continue
        params = load(tmp_path / "m.weights.h5", cells.gru(), partial=True).params
        net = cells.loss(cells.readout(cells.gru(), None))
        params |= {"W_y": np.eye(N), "b_y": np.zeros(N)}
        h = rd.derive(net).forward(params, {"x": X, "target": np.zeros(N)})["h"]
        assert same(h, run("gru", gates, X, after=False))


def test_the_parameters_of_a_recurrence_that_is_given(tmp_path):
    levels = levels_of("lstm", 2, True)
    rng = np.random.default_rng(3)
    head = {"fc.weight": rng.normal(size=(3, 2 * N)), "fc.bias": rng.normal(size=3)}
    np.savez(tmp_path / "m.npz", **state_dict("lstm", levels), **head)
    net = cells.stack(cells.bidirectional(cells.lstm()), 2)
    model = load(tmp_path / "m.npz", net)
    assert list(model.params) == list(net.parameters)
    assert np.array_equal(model.params["W_y"], head["fc.weight"])
    out = rd.derive(net).forward(model.params, {"x": X, "target": np.zeros(3)})
    assert same(out["y"], files.sigmoid(deep("lstm", levels, X) @ head["fc.weight"].T + head["fc.bias"]))
    with pytest.raises(rd.InputError, match=r"(?s)does not fit the recurrence.*lstm, 2 layers, both directions"):
        load(tmp_path / "m.npz", cells.lstm())
    with pytest.raises(rd.InputError, match=r"does not give W_y, b_y\. Say where they are"):
        load(tmp_path / "m.npz", net, readout=False)
    named = load(tmp_path / "m.npz", net, readout=False, names={"W_y": "fc.weight", "b_y": "fc.bias"})
    assert np.array_equal(named.params["b_y"], head["fc.bias"])
    with pytest.raises(rd.InputError, match=r"has no array 'fc\.wieght'"):
        load(tmp_path / "m.npz", net, names={"W_y": "fc.wieght"})


def test_the_activation_of_a_given_recurrence_decides(tmp_path):
    np.savez(tmp_path / "m.npz", **state_dict("rnn", levels_of("rnn", 1, False)))
    assert load(tmp_path / "m.npz", cells.vanilla("relu"), partial=True).params.keys() == {"W", "U", "b_h"}
    guessed = load(tmp_path / "m.npz")
    assert "tanh is assumed" in guessed.notes[0] and "loss='sum' was chosen" in guessed.notes[1]
    assert str(load(tmp_path / "m.npz", activation="softsign").net["h"]).startswith("h[t] = softsign(")


@pytest.mark.parametrize("suffix", ["npz", "safetensors"])
def test_parameters_of_ours_by_name(suffix, tmp_path):
    net = cells.mgu()
    params = initialise(net, 0, sizes={"h": N, "x": D, "y": 2})
    path = tmp_path / f"m.{suffix}"
    if suffix == "npz":
        np.savez(path, **params)
    else:
        pytest.importorskip("safetensors.numpy").save_file(params, path)
    assert all(np.array_equal(load(path, net).params[n], a) for n, a in params.items())
    assert load(path).net == net


def test_several_linear_layers_are_not_guessed_among(tmp_path):
    arrays = state_dict("gru", levels_of("gru", 1, False))
    more = {f"{n}.{w}": np.ones((3, N) if w == "weight" else 3) for n in ("a", "b") for w in ("weight", "bias")}
    np.savez(tmp_path / "m.npz", **arrays, **more)
    model = load(tmp_path / "m.npz")
    assert "several linear layers fit the last state (a, b)" in model.notes[0] and "W_y" not in model.params
    assert str(load(tmp_path / "m.npz", readout="b").net["L"]) == "L = sum(y[T])"
    with pytest.raises(rd.InputError, match="no linear layer 'c'; it has a, b"):
        load(tmp_path / "m.npz", readout="c")
    # An embedding is as wide as the state by chance; it has no bias.
    np.savez(
        tmp_path / "e.npz",
        **arrays,
        **{"emb.weight": np.ones((9, N)), "a.weight": np.ones((3, N)), "a.bias": np.ones(3)},
    )
    assert load(tmp_path / "e.npz").params["W_y"].shape == (3, N)


@pytest.mark.parametrize("loss", ["sum", "squared_error", "cross_entropy"])
@pytest.mark.parametrize("at", ["last", "every"])
@pytest.mark.parametrize("both", [False, True])
def test_every_loss_can_be_derived(loss, at, both, tmp_path):
    np.savez(tmp_path / "m.npz", **state_dict("rnn", levels_of("rnn", 1, both)))
    net, params = load(tmp_path / "m.npz", loss=loss, at=at)
    width = N * (1 + both)
    inputs = {"x": X} if loss == "sum" else {"x": X, "target": np.ones((T, B, width) if at == "every" else (B, width))}
    value, grads = rd.derive(net).lambdify()(params, inputs)
    assert np.isfinite(value) and grads.keys() >= params.keys()


def test_half_and_single_precision(tmp_path):
    arrays = state_dict("lstm", levels_of("lstm", 1, False))
    np.savez(tmp_path / "m.npz", **{n: a.astype(np.float16) for n, a in arrays.items()})
    assert load(tmp_path / "m.npz").params["W_f"].dtype == np.float32
    assert load(tmp_path / "m.npz", dtype=np.float64).params["W_f"].dtype == np.float64


def test_one_bias_of_two_and_whole_numbers_are_said(tmp_path):
    state = state_dict("gru", [[gates_of("gru", 1)]])
    del state["rnn.bias_hh_l0"]
    np.savez(tmp_path / "m.npz", **state)
    model = load(tmp_path / "m.npz")
    assert "rnn, layer 0 has bias_ih but no bias_hh, which PyTorch writes together; zero is taken for it" in model.notes
    assert not model.params["c_n"].any()
    np.savez(tmp_path / "i.npz", **{n: np.round(5 * a).astype(np.int32) for n, a in state.items()})
    assert any("weights of int32 are read as they are" in n for n in load(tmp_path / "i.npz").notes)
    whole = state_dict("gru", [[gates_of("gru", 1)]])
    np.savez(tmp_path / "w.npz", **whole)
    assert not any("bias" in n or "read as they are" in n for n in load(tmp_path / "w.npz").notes)
