"""Test vectors: what is in a file is read back by other readers and computed anew, without our adjoint."""

from __future__ import annotations

import json
import os
import zipfile

import numpy as np
import pytest

import rnnderive as rd
from rnnderive.cells import LIBRARY
from rnnderive.errors import InputError
from rnnderive.hand.problem import with_upstream
from rnnderive.hand.vectors import FORMATS, vectors


def read(path):
    """Arrays, note and facts of a file, by readers that are not ours."""
    if path.suffix == ".npz":
        with np.load(path, allow_pickle=False) as file:
            arrays = {n: file[n] for n in file.files}
        return arrays, str(arrays.pop("note")), json.loads(str(arrays.pop("about")))
    if path.suffix == ".json":
        found = json.loads(path.read_text("utf-8"))
        arrays = {n: np.array(a["data"], a["dtype"]).reshape(a["shape"]) for n, a in found["arrays"].items()}
        return arrays, found["note"], found["about"]
    safetensors = pytest.importorskip("safetensors")
    with safetensors.safe_open(path, "numpy") as file:
        told = file.metadata()
        return {n: file.get_tensor(n) for n in file.keys()}, told["note"], json.loads(told["about"])  # noqa: SIM118


def group(arrays, name):
    return {n.partition(".")[2]: a.astype(float) for n, a in arrays.items() if n.startswith(f"{name}.")}


def slope(loss, arrays, grads, seed=1):
    """The loss's slope in a random direction of all arrays, by complex step; and what the gradients say."""
    rng = np.random.default_rng(seed)
    direction = {n: rng.standard_normal(g.shape) for n, g in grads.items()}
    moved = {n: a + 1e-30j * direction[n] if n in direction else a for n, a in arrays.items()}
    return np.imag(loss(moved)) / 1e-30, sum((g * direction[n]).sum() for n, g in grads.items())


def sigmoid(a):
    return 1 / (1 + np.exp(-a))


@pytest.mark.parametrize("batch", [None, 2])
@pytest.mark.parametrize("name", LIBRARY)
def test_every_cells_file_holds_its_loss_and_the_slope_of_it(name, batch, tmp_path):
    net = LIBRARY[name]()
    arrays, _, about = read(vectors(net, T=4, batch=batch, seed=3).write(tmp_path / "v.npz"))
    params, inputs, grads = (group(arrays, g) for g in ("params", "inputs", "grads"))
    assert set(net.parameters) | set(net.initial_states) <= set(grads)
    assert set(net.sequences) <= set(group(arrays, "values"))
    assert about["T"] == 4 and about["B"] == batch and rd.Recurrence.parse(about["cell"]) == net

    def loss(a):
        outside = [n for n in inputs if n not in net.initial_states or batch is not None]
        return (
            rd.derive(net)
            .value({n: v for n, v in a.items() if n not in outside}, {n: a[n] for n in outside})[net.loss]
            .sum()
        )

    assert np.isclose(loss({**params, **inputs}), arrays["loss"], rtol=1e-13)
    found, said = slope(loss, {**params, **inputs}, grads)
    assert np.isclose(found, said, rtol=1e-10)


def pytorch_lstm(a):
    """The LSTM of torch.nn.LSTM's documentation, then the head of the library's lstm; complex or real."""
    h, c, out = a["h0"], a["C0"], []
    for x in a["x"]:
        gates = x @ a["weight_ih_l0"].T + a["bias_ih_l0"] + h @ a["weight_hh_l0"].T + a["bias_hh_l0"]
        i, f, g, o = np.split(gates, 4, axis=-1)
        c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
        h = sigmoid(o) * np.tanh(c)
        out.append(h)
    y = sigmoid(h @ a["W_y"].T + a["b_y"])
    return np.array(out), 0.5 * ((y - a["target"]) ** 2).sum()


def keras_gru(a):
    """keras.layers.GRU with reset_after=True, batch first, then the head of the library's; complex or real."""
    h, out = a["h0"], []
    for x in np.swapaxes(a["x"], 0, 1):
        mine, theirs = x @ a["kernel"] + a["bias"][0], h @ a["recurrent_kernel"] + a["bias"][1]
        (xz, xr, xh), (hz, hr, hh) = np.split(mine, 3, -1), np.split(theirs, 3, -1)
        z, r = sigmoid(xz + hz), sigmoid(xr + hr)
        h = z * h + (1 - z) * np.tanh(xh + r * hh)
        out.append(h)
    y = sigmoid(h @ a["W_y"].T + a["b_y"])
    return np.swapaxes(np.array(out), 0, 1), 0.5 * ((y - a["target"]) ** 2).sum()


@pytest.mark.parametrize(
    ("cell", "layout", "written"), [("lstm", "pytorch", pytorch_lstm), ("gru_reset_after", "keras", keras_gru)]
)
@pytest.mark.parametrize("kind", FORMATS)
@pytest.mark.parametrize(("dtype", "close"), [("float64", 1e-12), ("float32", 1e-6), ("float16", 2e-3)])
def test_a_frameworks_layout_is_that_of_its_documentation(cell, layout, written, kind, dtype, close, tmp_path):
    made = vectors(LIBRARY[cell](), layout=layout, dtype=dtype, sizes={"h": 5, "x": 3})
    arrays, note, about = read(made.write(tmp_path / f"v{kind}"))
    assert {a.dtype for a in arrays.values()} == {np.dtype(dtype)}
    assert {n: a.shape for n, a in arrays.items()} == {n: tuple(s) for n, s in about["shapes"].items()}
    given, grads = {**group(arrays, "params"), **group(arrays, "inputs")}, group(arrays, "grads")
    h, loss = written(given)
    assert np.abs(h - arrays["values.h"]).max() < close
    assert np.isclose(loss, float(arrays["loss"]), rtol=close)
    found, said = slope(lambda a: written(a)[1], given, grads)
    assert np.isclose(found, said, rtol=5 * close)
    assert f"Layout: {layout}" in note and "= [W_" in note


def test_equations_place_the_arrays():
    lines = "Wx = W.T\nxs = x: b t n\nH = h: b t n\nnone = h0"
    found = vectors(rd.cells.vanilla(), T=5, batch=2, layout=lines)
    p, x, h = found.group("params"), found.group("inputs")["xs"], 0.0 * found.arrays["values.H"][:, 0]
    for t in range(5):
        h = np.tanh(x[:, t] @ p["Wx"] + h @ p["U"].T + p["b_h"])
        assert np.allclose(h, found.arrays["values.H"][:, t], atol=1e-14)
    assert not {"inputs.h0", "grads.h0"} & set(found.arrays)
    assert found.arrays["grads.xs"].shape == x.shape


def test_upstream_gradients_are_inputs():
    found = vectors(with_upstream(rd.cells.lstm(), "h", "C"), T=1)
    inputs, values = found.group("inputs"), found.group("values")
    assert np.isclose(found.arrays["loss"], sum((inputs[f"up_{s}"] * values[s]).sum() for s in "hC"))
    assert np.allclose(found.group("adjoint")["dC"][0], inputs["up_C"][0] + inputs["up_h"][0] * (
        values["o"] * (1 - np.tanh(values["C"]) ** 2))[0])  # fmt: skip


@pytest.mark.parametrize("kind", FORMATS)
def test_the_same_seed_gives_the_same_bytes_and_another_others(kind, tmp_path):
    def content(seed):
        return vectors(rd.cells.vanilla(), seed=seed).write(tmp_path / f"v{kind}").read_bytes()

    assert content(1) == content(1) != content(2)


def test_an_archive_has_no_date_of_its_own_and_its_arrays_are_row_major(tmp_path):
    path = vectors(rd.cells.vanilla()).write(tmp_path / "v.npz")
    with zipfile.ZipFile(path) as packed:
        assert {i.date_time for i in packed.infolist()} == {(1980, 1, 1, 0, 0, 0)}
        assert not any(b"'fortran_order': True" in packed.read(n)[:128] for n in packed.namelist())


def test_a_file_is_written_whole_or_not_at_all(tmp_path, monkeypatch):
    path = vectors(rd.cells.vanilla()).write(tmp_path / "v.npz")
    before = path.read_bytes()

    def fails(*_):
        raise OSError("no space")

    monkeypatch.setattr(os, "replace", fails)
    with pytest.raises(InputError, match=r"cannot write .*v\.npz: no space"):
        vectors(rd.cells.vanilla(), seed=5).write(path)
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["v.npz"]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"dtype": "int8"}, "found dtype 'int8'"),
        ({"layout": "theano"}, "there is no layout 'theano'"),
        ({"layout": "pytorch"}, "resets after the matrix product"),
        ({"layout": "onnx"}, "no counterpart of"),
        ({"layout": "Wx = [W_q | W_r]"}, "the cell has no W_q"),
        ({"sizes": {"q": 3}}, "there is no size of 'q'"),
    ],
)
def test_what_cannot_be_made_is_said(options, words):
    with pytest.raises(InputError, match=words):
        vectors(rd.cells.gru(), **options)


def test_another_ending_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"expected a name that ends in .npz, .safetensors, .json"):
        vectors(rd.cells.vanilla()).write(tmp_path / "v.mat")
