"""Keras's own layers, forward and backward, against what is loaded from its files."""

import os

import numpy as np
import pytest

import rnnderive as rd
from rnnderive.weights import initialise, load

os.environ.setdefault("KERAS_BACKEND", "torch")
torch = pytest.importorskip("torch")
keras = pytest.importorskip("keras")
pytest.importorskip("h5py")

if keras.backend.backend() != "torch":
    pytest.skip("the gradients are taken through Keras on PyTorch", allow_module_level=True)

T, B, D, N, K = 7, 3, 5, 4, 2
LAYERS = {
    "rnn": ("SimpleRNN", {}),
    "lstm": ("LSTM", {}),
    "gru_reset_after": ("GRU", {}),
    "gru_reset_before": ("GRU", {"reset_after": False}),
    "lstm_hard": ("LSTM", {"recurrent_activation": "hard_sigmoid", "activation": "softsign"}),
}


@pytest.fixture(autouse=True)
def double(monkeypatch):
    """All of Keras in double precision: outside TensorFlow its products would be taken in single."""
    from keras.src.backend.common import dtypes

    monkeypatch.setitem(dtypes.BIT64_TO_BIT32_DTYPE, "float64", "float64")
    before = keras.config.dtype_policy(), keras.config.floatx()
    keras.config.set_dtype_policy("float64")
    keras.config.set_floatx("float64")
    yield
    keras.config.set_dtype_policy(before[0])
    keras.config.set_floatx(before[1])


def recurrent(name, both, last, layer_name):
    kind, options = LAYERS[name]
    layer = getattr(keras.layers, kind)(N, return_sequences=not last, name=layer_name, **options)
    return keras.layers.Bidirectional(layer, name=layer_name) if both else layer


def model_of(name, both, depth=1, last=False):
    keras.utils.set_random_seed(1)
    layers = [recurrent(name, both, last and k == depth - 1, f"level{k}") for k in range(depth)]
    model = keras.Sequential([keras.Input((T, D)), *layers, keras.layers.Dense(K, name="head")])
    rng = np.random.default_rng(5)
    model.set_weights([w + 0.2 * rng.normal(size=w.shape) for w in model.get_weights()])  # no zero biases
    return model


def data(last):
    rng = np.random.default_rng(2)
    return rng.normal(size=(T, B, D)), rng.normal(size=(B, K) if last else (T, B, K))


def keras_gradient(model, x, target):
    """½ Σ (y − target)² and its gradient in x and in the variables."""
    x = torch.tensor(x.swapaxes(0, 1), requires_grad=True)
    y = model(x)
    wanted = torch.tensor(target if target.ndim == 2 else target.swapaxes(0, 1))
    loss = ((y - wanted) ** 2).sum() / 2
    loss.backward()
    grads = [v.value.grad.detach().numpy().copy() for v in model.trainable_variables]
    y = y.detach().numpy()
    return (y if target.ndim == 2 else y.swapaxes(0, 1)), loss.item(), x.grad.numpy().swapaxes(0, 1), grads


def close(a, b, tolerance=1e-12):
    return np.abs(a - b).max() <= tolerance * max(1.0, np.abs(b).max())


@pytest.mark.parametrize("last", [False, True])
@pytest.mark.parametrize(("both", "depth"), [(False, 1), (True, 1), (False, 2), (True, 2)])
@pytest.mark.parametrize("name", LAYERS)
def test_forward_and_gradient_agree(name, both, depth, last, tmp_path):
    model = model_of(name, both, depth, last)
    model.save(tmp_path / "m.keras")
    chosen = tuple(f"level{k}" for k in range(depth))
    x, target = data(last)
    y, loss, dx, grads = keras_gradient(model, x, target)
    options = {"layer": chosen, "loss": "squared_error", "at": "last" if last else "every"}
    loaded = load(tmp_path / "m.keras", **options)
    d = rd.derive(loaded.net, (*loaded.net.parameters, "x"))
    ours_y = d.forward(loaded.params, {"x": x, "target": target})["y"]
    assert close(ours_y[-1] if last and ours_y.ndim == 3 else ours_y, y)
    found, ours = d.lambdify()(loaded.params, {"x": x, "target": target})
    assert found == pytest.approx(loss, rel=1e-12)
    # PyTorch's derivative of hard_sigmoid is 1/6 in single precision, also for doubles.
    tolerance = 1e-7 if name == "lstm_hard" else 1e-12
    assert close(ours["x"], dx, tolerance)
    # The gradients laid out as Keras does: they are loaded like weights.
    model.set_weights(grads)
    model.save(tmp_path / "g.keras")
    theirs = load(tmp_path / "g.keras", **options).params
    for parameter in loaded.net.parameters:
        doubled = name == "gru_reset_after" and parameter.startswith(("b_r", "b_z"))
        assert close(ours[parameter], theirs[parameter] / (2 if doubled else 1), tolerance), parameter


@pytest.mark.parametrize("name", ["rnn", "lstm", "gru_reset_after", "gru_reset_before"])
@pytest.mark.parametrize("file", ["m.weights.h5", "m.h5"])
def test_weights_alone_and_the_older_format(name, file, tmp_path):
    model = model_of(name, True)
    (model.save_weights if file == "m.weights.h5" else model.save)(tmp_path / file)
    x, target = data(False)
    y, *_ = keras_gradient(model, x, target)
    loaded = load(tmp_path / file)
    assert close(rd.derive(loaded.net).forward(loaded.params, {"x": x})["y"], y)


def test_a_backward_layer(tmp_path):
    keras.utils.set_random_seed(1)
    model = keras.Sequential([keras.Input((T, D)), keras.layers.GRU(N, go_backwards=True)])
    model.save(tmp_path / "m.keras")
    x, _ = data(True)
    h = model(x.swapaxes(0, 1)).detach().numpy()
    loaded = load(tmp_path / "m.keras")
    assert close(rd.derive(loaded.net).forward(loaded.params, {"x": x})["h"][0], h)
    assert str(loaded.net["L"]) == "L = sum(h[1])"


def test_a_gru_without_bias_in_its_two_forms(tmp_path):
    for after in (True, False):
        keras.utils.set_random_seed(1)
        model = keras.Sequential([keras.Input((T, D)), keras.layers.GRU(N, use_bias=False, reset_after=after)])
        model.save(tmp_path / "m.keras")
        model.save_weights(tmp_path / "m.weights.h5")
        x, _ = data(True)
        h = model(x.swapaxes(0, 1)).detach().numpy()
        loaded = load(tmp_path / "m.keras")
        assert close(rd.derive(loaded.net).forward(loaded.params, {"x": x})["h"][-1], h)
        with pytest.raises(rd.InputError, match="GRU without a bias"):
            load(tmp_path / "m.weights.h5")
        kind = "gru_reset_after" if after else "gru_reset_before"
        assert load(tmp_path / "m.weights.h5", kind=kind).net == loaded.net


def test_the_scheme_keras_draws_as_keras():
    """Bounds of the kernels, orthonormal columns of all gates together, forget bias."""
    net = rd.cells.lstm()
    params = initialise(net, 0, sizes={"h": N, "x": D, "y": K}, scheme="keras")
    layer = keras.layers.LSTM(N)
    layer.build((None, T, D))
    kernel, recurrent_kernel, bias = (np.asarray(w) for w in layer.get_weights())
    ours = np.vstack([params[f"W_{g}"] for g in "fiCo"])
    assert close(ours[:, :N].T @ ours[:, :N], np.eye(N))
    assert np.abs(recurrent_kernel @ recurrent_kernel.T - np.eye(N)).max() < 1e-6  # their QR is in single precision
    bound = np.sqrt(6 / (D + 4 * N))
    assert 0.9 * bound < np.abs(kernel).max() <= bound
    assert 0.9 * bound < np.abs(ours[:, N:]).max() <= bound
    assert np.array_equal(bias[N : 2 * N], params["b_f"])
