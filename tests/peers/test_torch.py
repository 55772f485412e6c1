"""PyTorch's own modules, forward and backward, against what is loaded from their state_dict."""

import numpy as np
import pytest

import rnnderive as rd
from rnnderive.weights import initialise, load

torch = pytest.importorskip("torch")

T, B, D, N, K = 7, 3, 5, 4, 2  # all different, so that a wrong transpose changes a shape
MODULES = {
    "rnn_tanh": (torch.nn.RNN, {"nonlinearity": "tanh"}),
    "rnn_relu": (torch.nn.RNN, {"nonlinearity": "relu"}),
    "lstm": (torch.nn.LSTM, {}),
    "gru": (torch.nn.GRU, {}),
}


class Reader(torch.nn.Module):
    """A recurrent layer, with a linear one on its output at every step."""

    def __init__(self, module, options, layers, both, bias=True):
        super().__init__()
        torch.manual_seed(1)
        self.rnn = module(D, N, layers, bidirectional=both, bias=bias, **options)
        self.fc = torch.nn.Linear(N * (1 + both), K)
        self.double()

    def forward(self, x):
        return self.fc(self.rnn(x)[0])


def data():
    rng = np.random.default_rng(2)
    return rng.normal(size=(T, B, D)), rng.normal(size=(T, B, K))


def torch_gradient(model, x, target):
    """½ Σ (y − target)², what it is in x, and in the state_dict's arrays."""
    x = torch.tensor(x, requires_grad=True)
    y = model(x)
    loss = ((y - torch.tensor(target)) ** 2).sum() / 2
    loss.backward()
    grads = {n: p.grad.numpy() for n, p in model.named_parameters()}
    return y.detach().numpy(), loss.item(), x.grad.numpy(), grads


def close(a, b):
    return np.abs(a - b).max() <= 1e-12 * max(1.0, np.abs(b).max())


@pytest.mark.parametrize("suffix", [".pt", ".safetensors"])
@pytest.mark.parametrize("both", [False, True])
@pytest.mark.parametrize("layers", [1, 2])
@pytest.mark.parametrize("name", MODULES)
def test_forward_and_gradient_agree(name, layers, both, suffix, tmp_path):
    model = Reader(*MODULES[name], layers, both)
    path = tmp_path / f"model{suffix}"
    if suffix == ".pt":
        torch.save(model.state_dict(), path)
    else:
        pytest.importorskip("safetensors.torch").save_file(model.state_dict(), path)
    x, target = data()
    y, loss, dx, grads = torch_gradient(model, x, target)
    loaded = load(
        path, activation="relu" if name == "rnn_relu" else None, loss="squared_error", at="every", target="target"
    )
    d = rd.derive(loaded.net, (*loaded.net.parameters, "x"))
    assert close(d.forward(loaded.params, {"x": x, "target": target})["y"], y)
    found, ours = d.lambdify()(loaded.params, {"x": x, "target": target})
    assert found == pytest.approx(loss, rel=1e-12)
    assert close(ours["x"], dx)
    assert close(ours["W_y"], grads["fc.weight"]) and close(ours["b_y"], grads["fc.bias"])
    # The gradients of the parameters, laid out as PyTorch does: they are loaded like parameters.
    fresh = tmp_path / "gradients.npz"
    np.savez(fresh, **grads)
    theirs = load(fresh, activation="relu" if name == "rnn_relu" else None).params
    for parameter in loaded.net.parameters:
        # Of two biases that are added ours is one, whose gradient is that of either.
        halved = parameter.startswith("b") and not parameter.startswith(("b_n", "b_y"))
        assert close(ours[parameter], theirs[parameter] / (2 if halved else 1)), parameter


@pytest.mark.parametrize("name", MODULES)
def test_without_biases(name, tmp_path):
    model = Reader(*MODULES[name], 1, False, bias=False)
    torch.save(model.state_dict(), tmp_path / "m.pt")
    x, target = data()
    y, *_ = torch_gradient(model, x, target)
    loaded = load(tmp_path / "m.pt", activation="relu" if name == "rnn_relu" else None)
    assert close(rd.derive(loaded.net).forward(loaded.params, {"x": x})["y"], y)


@pytest.mark.parametrize("cell", ["RNNCell", "LSTMCell", "GRUCell"])
def test_cells_run_by_hand(cell, tmp_path):
    torch.manual_seed(3)
    module = getattr(torch.nn, cell)(D, N).double()
    torch.save({"state_dict": module.state_dict()}, tmp_path / "m.pth")
    x = torch.tensor(data()[0])
    state = None
    for step in x:
        state = module(step, state)
    h = state[0] if cell == "LSTMCell" else state
    loaded = load(tmp_path / "m.pth")
    assert close(rd.derive(loaded.net).forward(loaded.params, {"x": x.numpy()})["h"][-1], h.detach().numpy())


def test_half_precision_becomes_single(tmp_path):
    module = torch.nn.LSTM(D, N)
    exact = {n: a.bfloat16() for n, a in module.state_dict().items()}
    torch.save(exact, tmp_path / "m.pt")
    pytest.importorskip("safetensors.torch").save_file(exact, tmp_path / "m.safetensors")
    for suffix in ("pt", "safetensors"):
        params = load(tmp_path / f"m.{suffix}").params
        assert params["W_f"].dtype == np.float32
        assert np.array_equal(params["W_f"][:, N:], exact["weight_ih_l0"][N : 2 * N].float().numpy())


def test_a_pickled_model_is_refused_and_not_run(tmp_path):
    class Evil:
        def __reduce__(self):
            return (open, (str(tmp_path / "ran"), "w"))

    torch.save({"weight": Evil()}, tmp_path / "evil.pt")
    with pytest.raises(rd.InputError, match="safe loader refuses it"):
        load(tmp_path / "evil.pt")
    assert not (tmp_path / "ran").exists()
    torch.save(torch.nn.LSTM(2, 3), tmp_path / "whole.pt")
    with pytest.raises(rd.InputError, match=r"state_dict"):
        load(tmp_path / "whole.pt")


@pytest.mark.parametrize("name", ["GRU", "LSTM", "Linear"])
def test_the_scheme_pytorch_draws_as_pytorch(name):
    """The mean squares of weights and of what adds up to a bias; 64 × 64 draws are within 3 %, 40 × 64 likewise."""
    torch.manual_seed(4)
    net = rd.cells.lstm() if name == "LSTM" else rd.cells.gru_reset_after()
    draws = [initialise(net, seed, sizes={"h": 64, "x": 8, "y": 40}, scheme="pytorch") for seed in range(40)]
    ours = {n: np.mean([d[n] ** 2 for d in draws]) for n in net.parameters}
    module = torch.nn.Linear(64, 40) if name == "Linear" else getattr(torch.nn, name)(8, 64)
    many = [module.reset_parameters() or {n: p.detach().numpy().copy() for n, p in module.named_parameters()}
            for _ in range(40)]  # fmt: skip
    theirs = lambda value: np.mean([value(m) ** 2 for m in many])  # noqa: E731
    if name == "Linear":
        assert ours["W_y"] == pytest.approx(theirs(lambda m: m["weight"]), rel=0.03)
        assert ours["b_y"] == pytest.approx(theirs(lambda m: m["bias"]), rel=0.1)
    elif name == "LSTM":
        assert ours["W_f"] == pytest.approx(theirs(lambda m: m["weight_hh_l0"]), rel=0.03)
        assert ours["b_f"] == pytest.approx(theirs(lambda m: m["bias_ih_l0"] + m["bias_hh_l0"]), rel=0.1)
    else:
        assert ours["W_r"] == pytest.approx(theirs(lambda m: m["weight_ih_l0"]), rel=0.03)
        assert ours["b_r"] == pytest.approx(theirs(lambda m: m["bias_ih_l0"] + m["bias_hh_l0"]), rel=0.1)
        assert ours["c_n"] == pytest.approx(theirs(lambda m: m["bias_hh_l0"]), rel=0.1)
