"""Files that are damaged, hostile, or not what they seem: a clear error, and nothing is run."""

import contextlib
import importlib
import io
import pickle
import struct
import sys
import zipfile

import numpy as np
import pytest

from rnnderive import InputError
from rnnderive.weights import files, load
from tests.weights.files import D, N, gates_of, keras_arrays, onnx_arrays, onnx_model, state_dict, weights_h5


def lstm(**change):
    return {**state_dict("lstm", [[gates_of("lstm", 1)]]), **change}


def write(path):
    """A good file of the format that its ending says."""
    if path.suffix == ".npz":
        np.savez(path, **lstm())
    elif path.suffix == ".safetensors":
        pytest.importorskip("safetensors.numpy").save_file(lstm(), path)
    elif path.suffix == ".onnx":
        pytest.importorskip("onnx")
        onnx_model(path, "LSTM", onnx_arrays("lstm", [gates_of("lstm", 1)]), N)
    else:
        pytest.importorskip("h5py")
        weights_h5(path, {"lstm/cell": ("lstm", keras_arrays("lstm", gates_of("lstm", 1)))})


@pytest.mark.parametrize("share", [0.0, 0.02, 0.5, 0.98])
@pytest.mark.parametrize("name", ["m.npz", "m.safetensors", "m.onnx", "m.weights.h5"])
def test_a_file_that_is_cut_short(name, share, tmp_path):
    path = tmp_path / name
    write(path)
    assert load(path).params["W_f"].shape == (N, N + D)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(share * len(whole))])
    with pytest.raises(InputError, match=r"is empty|is damaged, cut short"):
        load(path)


@pytest.mark.parametrize("name", ["m.npz", "m.safetensors", "m.onnx", "m.weights.h5"])
def test_a_file_with_some_bytes_changed(name, tmp_path):
    """It is read, or refused with a reason; nothing else happens."""
    write(tmp_path / name)
    whole = (tmp_path / name).read_bytes()
    rng = np.random.default_rng(0)
    for _ in range(25):
        changed = bytearray(whole)
        # Most of a file is its numbers; what describes them stands at its ends.
        places = rng.integers(0, 600, 3) * rng.choice([1, -1], 3)
        for place in places:
            changed[place % len(whole)] = rng.integers(256)
        (tmp_path / name).write_bytes(changed)
        with contextlib.suppress(InputError):
            load(tmp_path / name)


@pytest.mark.parametrize("name", ["m.npz", "m.safetensors", "m.onnx", "m.h5", "m.keras"])
def test_a_file_of_noise(name, tmp_path):
    write(tmp_path / name.replace("keras", "h5"))  # skips where the package is not there
    (tmp_path / name).write_bytes(np.random.default_rng(0).bytes(5000))
    with pytest.raises(InputError, match="is damaged, cut short or of another format"):
        load(tmp_path / name)


class Bomb:
    def __init__(self, path):
        self.path = str(path)

    def __reduce__(self):
        return (open, (self.path, "w"))


def test_nothing_is_unpickled(tmp_path):
    bomb = Bomb(tmp_path / "ran")
    np.savez(tmp_path / "m.npz", weight=np.array([bomb], dtype=object))
    with pytest.raises(
        InputError, match=r"weight holds Python objects, that is a pickle.*never read here\. Save arrays of numbers"
    ):
        load(tmp_path / "m.npz")
    (tmp_path / "m.pkl").write_bytes(pickle.dumps(bomb))
    with pytest.raises(InputError, match=r"unknown format '\.pkl'.*never read here"):
        load(tmp_path / "m.pkl")
    if importlib.util.find_spec("torch") is None:
        (tmp_path / "m.pt").write_bytes(pickle.dumps(bomb))
        with pytest.raises(InputError, match="needs the package torch, which is not installed: pip install 'torch'"):
            load(tmp_path / "m.pt")
    assert not (tmp_path / "ran").exists()


def test_a_size_that_is_only_claimed(tmp_path, monkeypatch):
    """Little data that claims to be much is refused before memory is taken."""
    with zipfile.ZipFile(tmp_path / "m.npz", "w", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr("a.npy", b"\0" * 10**6)
    monkeypatch.setattr(files, "MAX_BYTES", 10**5)
    with pytest.raises(InputError, match="claims to hold 1000000 bytes"):
        load(tmp_path / "m.npz")
    h5py = pytest.importorskip("h5py")
    with h5py.File(tmp_path / "m.h5", "w") as file:
        file.create_dataset("layers/lstm/cell/vars/0", (10**9, 10**3), dtype="f4", chunks=(10, 10))
    with pytest.raises(InputError, match="claims to hold 4000000000000 bytes"):
        load(tmp_path / "m.h5")
    pytest.importorskip("safetensors")
    header = b'{"a":{"dtype":"F64","shape":[1000000000000],"data_offsets":[0,8000000000000]}}'
    (tmp_path / "m.safetensors").write_bytes(struct.pack("<Q", len(header)) + header)
    with pytest.raises(InputError, match="is damaged"):
        load(tmp_path / "m.safetensors")


def test_links_out_of_a_file_are_not_followed(tmp_path):
    h5py = pytest.importorskip("h5py")
    with h5py.File(tmp_path / "secret.h5", "w") as file:
        file["0"] = np.ones((D, 4 * N))
    with h5py.File(tmp_path / "m.h5", "w") as file:
        file["layers/lstm/cell/vars/0"] = h5py.ExternalLink(str(tmp_path / "secret.h5"), "0")
        file["loop"] = h5py.SoftLink("/loop")
        file["layers/again"] = file["layers"]  # a group inside itself
    with pytest.raises(InputError, match="holds no arrays"):
        load(tmp_path / "m.h5")
    (tmp_path / "raw").write_bytes(bytes(800))
    with h5py.File(tmp_path / "e.h5", "w") as file:
        file.create_dataset("a", (100,), "f8", external=[(str(tmp_path / "raw"), 0, 800)])
    with pytest.raises(InputError, match="the array a points to another file"):
        load(tmp_path / "e.h5")


def test_onnx_data_in_another_file_is_not_read(tmp_path):
    onnx = pytest.importorskip("onnx")
    path = tmp_path / "m.onnx"
    onnx_model(path, "LSTM", onnx_arrays("lstm", [gates_of("lstm", 1)]), N)
    model = onnx.load(str(path))
    onnx.save_model(model, str(path), save_as_external_data=True, location="data", size_threshold=0)
    assert (tmp_path / "data").exists()
    with pytest.raises(InputError, match="points to another file"):
        load(path)


def test_a_keras_archive_without_its_parts(tmp_path):
    with zipfile.ZipFile(tmp_path / "m.keras", "w") as packed:
        packed.writestr("../../config.json", "{}")
    with pytest.raises(InputError, match=r"no config\.json and model\.weights\.h5"):
        load(tmp_path / "m.keras")
    assert not (tmp_path.parent.parent / "config.json").exists()


def test_a_configuration_is_only_read(tmp_path):
    """A Lambda layer of Keras carries code; here it is a name in a table."""
    pytest.importorskip("h5py")
    stream = io.BytesIO()
    weights_h5(stream, {"lstm/cell": ("l", keras_arrays("lstm", gates_of("lstm", 1)))})
    config = (
        '{"config": {"layers": [{"class_name": "Lambda", "config": {"name": "f", "function": "raise"}},'
        ' {"class_name": "LSTM", "config": {"name": "l"}}]}}'
    )
    with zipfile.ZipFile(tmp_path / "m.keras", "w") as packed:
        packed.writestr("config.json", config)
        packed.writestr("model.weights.h5", stream.getvalue())
    assert load(tmp_path / "m.keras").params["b_f"].shape == (N,)


@pytest.mark.parametrize(
    ("suffix", "package"), [(".safetensors", "safetensors"), (".h5", "h5py"), (".onnx", "onnx"), (".pt", "torch")]
)
def test_a_package_that_is_not_installed_is_named(suffix, package, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, package, None)
    (tmp_path / f"m{suffix}").write_bytes(b"something")
    extra = "torch" if package == "torch" else r"rnnderive\[weights\]"
    with pytest.raises(InputError, match=f"needs the package {package}, which is not installed: pip install '{extra}'"):
        load(tmp_path / f"m{suffix}")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"rnn.weight_hh_l0": np.full((4 * N, N), np.nan)}, r"rnn\.weight_hh_l0\[0, 0\] is nan; expected finite"),
        ({"rnn.weight_ih_l0": np.ones((4 * N + 1, D))}, r"input weights have the shape \(17, 5\); expected \(16, 5\)"),
        ({"rnn.weight_hh_l0": np.ones((4 * N, N + 1))}, r"has 16 rows of gates for 5 units; expected 1 \(RNN\)"),
        ({"rnn.bias_hh_l0": np.ones(3)}, r"the recurrent bias have the shape \(3,\); expected \(16,\)"),
        ({"rnn.weight_hr_l0": np.ones((2, N))}, "projection"),
        ({"rnn.weight_ih_l1": np.ones((4 * N, N))}, "layer 1: weight_hh missing"),
        ({"rnn.weight_ih_l1": np.ones((4, 7)), "rnn.weight_hh_l1": np.ones((4, 1))}, "layer 1 reads 7 numbers, but"),
        ({"rnn.weight_ih_l999999999": np.ones((4, 1))}, "layer 1: weight_ih and weight_hh missing"),
        ({"rnn.weight_hh_l0": np.ones((0, 0))}, "0 rows of gates for 0 units"),
        ({"rnn.weight_hh_l0": np.float64(3)}, r"found recurrent weights of the shape \(\); expected a matrix"),
        ({"dec.weight_ih_l0": np.ones((3, 2)), "dec.weight_hh_l0": np.ones((3, 1))}, r"Choose one with layer='rnn'$"),
    ],
)
def test_arrays_that_do_not_fit_are_named(change, message, tmp_path):
    np.savez(tmp_path / "m.npz", **lstm(**change))
    with pytest.raises(InputError, match=message):
        load(tmp_path / "m.npz")


def test_files_that_are_not_models(tmp_path):
    with pytest.raises(InputError, match="there is no file"):
        load(tmp_path / "m.npz")
    (tmp_path / "d.npz").mkdir()
    with pytest.raises(InputError, match="is not a file"):
        load(tmp_path / "d.npz")
    with pytest.raises(InputError, match=r"unknown format '\.txt'; known: \.npz, \.safetensors"):
        load(tmp_path / "m.txt")
    np.savez(tmp_path / "a.npz", conv=np.ones((2, 2)))
    with pytest.raises(InputError, match=r"no recurrent layer that is known here; it has conv \(2, 2\)"):
        load(tmp_path / "a.npz")
    np.savez(tmp_path / "s.npz", name=np.array(["text"]))
    with pytest.raises(InputError, match="the array name has dtype <U4; expected numbers"):
        load(tmp_path / "s.npz")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"kind": "gru_reset_after"}, "but the file says rnn: lstm"),
        ({"kind": "transformer"}, "unknown kind 'transformer'; known: rnn, lstm"),
        ({"loss": "hinge"}, "unknown loss 'hinge'"),
        ({"at": "first"}, "found at='first'"),
        ({"activation": "relu"}, "for a plain recurrent layer"),
        ({"names": {"W_f": "rnn.weight_ih_l0"}}, "names= is about the parameters of a recurrence; give net= too"),
    ],
)
def test_options_that_do_not_fit_are_named(options, message, tmp_path):
    np.savez(tmp_path / "m.npz", **lstm())
    with pytest.raises(InputError, match=message):
        load(tmp_path / "m.npz", **options)


def test_a_number_that_is_none_is_named_as_the_file_names_its_array(tmp_path):
    state = {
        "rnn.weight_ih_l0": np.ones((16, 2)), "rnn.weight_hh_l0": np.ones((16, 4)),
        "rnn.bias_ih_l0": np.ones(16), "rnn.bias_hh_l0": np.ones(16),
    }  # fmt: skip
    state["rnn.bias_hh_l0"][13] = np.nan
    np.savez(tmp_path / "lstm.npz", **state)
    with pytest.raises(InputError, match=r"lstm\.npz: rnn\.bias_hh_l0\[13\] is nan; expected finite"):
        load(tmp_path / "lstm.npz")
