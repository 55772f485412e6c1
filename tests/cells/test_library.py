"""The library: every cell is its equations, and files are cells too."""

import numpy as np
import pytest

import rnnderive as rd
import rnnderive.cells as cells
from rnnderive.cells import LIBRARY, load
from rnnderive.errors import InputError, LanguageError, RnnDeriveError
from rnnderive.language import FUNCTIONS, Floats, Recurrence, Run
from tests.strategies import sizes_of, values_of


@pytest.mark.parametrize("name", LIBRARY)
def test_every_cell_has_a_loss_a_docstring_and_a_face(name):
    net = LIBRARY[name]()
    assert net.loss == "L"
    assert net["L"].left.is_scalar
    assert getattr(cells, name) is LIBRARY[name]
    assert LIBRARY[name].__doc__


@pytest.mark.parametrize("name", LIBRARY)
def test_every_cell_runs_and_reads_every_parameter(name):
    net = LIBRARY[name]()
    values = values_of(net, 4)
    values |= {n: np.abs(values[n]) for n in net.parameters} | {"x": [np.abs(v) for v in values["x"]]}  # no dead ReLU
    run = Run(net, Floats(sizes_of(net)), values, 4)
    for parameter in net.parameters:
        moved = {**values, parameter: values[parameter] + 0.5}
        assert Run(net, Floats(sizes_of(net)), moved, 4)["L"] != run["L"], parameter


def test_another_name_of_a_cell_is_found_but_not_listed():
    assert "rnn" in LIBRARY
    assert LIBRARY["rnn"] is LIBRARY.get("rnn") is LIBRARY["vanilla"] is cells.rnn
    assert load("rnn") == cells.vanilla()
    assert "rnn" not in [*LIBRARY, *LIBRARY.keys(), *dict(LIBRARY.items())]
    assert len({str(make()) for make in LIBRARY.values()}) == len(LIBRARY)
    with pytest.raises(KeyError):
        LIBRARY["rnnn"]


@pytest.mark.parametrize("activation", FUNCTIONS)
def test_any_function_is_an_activation(activation):
    net = cells.vanilla(activation, output=activation)
    expected = "W @ x[t] + U @ h[t-1] + b_h"
    assert str(net["h"]) == f"h[t] = {expected if activation == 'identity' else f'{activation}({expected})'}"


def test_an_unknown_activation_is_named_with_its_neighbour():
    with pytest.raises(InputError, match="unknown activation 'tahn'; did you mean tanh"):
        cells.vanilla("tahn")
    with pytest.raises(InputError, match="unknown activation"):
        cells.dense("tanh(h[t-1]) + ")


def test_two_gates_that_are_one_make_an_lstm_coupled():
    """With i = 1 − f an LSTM is the coupled one: W_f = −W_i, b_f = −b_i, as σ(−a) = 1 − σ(a)."""
    coupled, full = cells.coupled_lstm(), cells.lstm()
    values = values_of(coupled, 3)
    same = {**values, "W_f": -values["W_i"], "b_f": -values["b_i"]}
    one = Run(coupled, Floats(sizes_of(coupled)), values, 3)["L"].item()
    assert Run(full, Floats(sizes_of(coupled)), same, 3)["L"].item() == pytest.approx(one, rel=1e-14)


def test_peepholes_of_zero_leave_a_plain_lstm():
    peephole, plain = cells.peephole_lstm(), cells.lstm()
    sizes = {"c": 2, "y": 2, "x": 3, "y_hat": 4}
    algebra = {s: sizes[str(s)[2:]] for s in peephole.sizes}
    values = values_of(peephole, 3)
    rng = np.random.default_rng(1)
    values = {n: rng.normal(size=tuple(int(d.subs(algebra)) for d in peephole.shape(n))) for n in peephole.parameters}
    values |= {"x": [rng.normal(size=(3, 1)) for _ in range(3)], "target": rng.normal(size=(4, 1))}
    values |= dict.fromkeys(("p_i", "p_f", "p_o"), np.zeros((2, 1)))
    same = {"x": values["x"], "target": values["target"], "W_y": values["W_y"], "b_y": values["b_y"]}
    for theirs, ours in {"z": "C", "i": "i", "f": "f", "o": "o"}.items():
        same[f"W_{ours}"] = np.hstack([values[f"R_{theirs}"], values[f"W_{theirs}"]])
        same[f"b_{ours}"] = values[f"b_{theirs}"]
    other = {s: {"h": 2, "x": 3, "y": 4}[str(s)[2:]] for s in plain.sizes}
    loss = Run(peephole, Floats(algebra), values, 3)["L"].item()
    assert Run(plain, Floats(other), same, 3)["L"].item() == pytest.approx(loss, rel=1e-14)


def test_a_file_of_equations_is_a_cell(tmp_path):
    path = tmp_path / "mine.rnn"
    path.write_text("\ufeff# mine\nh[t] = tanh(U @ h[t-1] + x[t])\r\nL = sum(h[T])\n", encoding="utf-8")
    net = Recurrence.parse("h[t] = tanh(U @ h[t-1] + x[t])\nL = sum(h[T])")
    assert load(path) == load(str(path)) == net


def test_a_library_name_comes_before_a_file_of_that_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "lstm").write_text("L = 1")
    assert load("lstm") == cells.lstm()
    assert str(load("./lstm")) == "L = 1"


def test_an_error_in_a_file_names_line_and_file(tmp_path):
    path = tmp_path / "bad.rnn"
    path.write_text("\n\nL = tahn(x)\n")
    with pytest.raises(LanguageError, match=r"line 3, column 5: unknown function 'tahn'.*bad\.rnn"):
        load(path)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("lsmt", "no cell and no file 'lsmt'; did you mean lstm"),
        ("nothing_like_it", "no cell and no file 'nothing_like_it'; the library has dense, vanilla, lecture"),
        ("missing/file.rnn", "no cell and no file"),
        (".", "it is a folder"),
        ("", "it is a folder"),
        ("/dev/zero", "it is not a file"),
        ("a" * 5000, "File name too long"),
        ("a\0b", "a"),
    ],
)
def test_what_cannot_be_read_is_said(name, said):
    with pytest.raises(RnnDeriveError) as caught:
        load(name)
    assert said in str(caught.value)
    assert len(str(caught.value)) < 600


def test_a_file_that_is_no_text_is_refused(tmp_path):
    (tmp_path / "weights").write_bytes(b"\xff\xfe\x00\x01")
    with pytest.raises(InputError, match="is not a text in UTF-8"):
        load(tmp_path / "weights")
    (tmp_path / "huge").write_bytes(b"#" * 1_000_000)
    with pytest.raises(InputError, match="larger than"):
        load(tmp_path / "huge")


def test_a_recurrence_is_given_by_itself_its_equations_its_name_or_its_file(tmp_path):
    """The same everywhere: to derive, to check, to analyse, to compare."""
    net = rd.cells.vanilla()
    (tmp_path / "cell.txt").write_text(str(net))
    for given in (net, str(net), "vanilla", "rnn", tmp_path / "cell.txt", str(tmp_path / "cell.txt")):
        assert rd.cells.recurrence(given) == net
        assert rd.derive(given).net == net
    params, inputs = {"W": np.ones((2, 1)), "U": np.eye(2) / 2, "b_h": np.zeros(2)}, {"x": np.ones((9, 1))}
    params |= {"V": np.ones((1, 2)), "b_y": np.zeros(1)}
    assert rd.analyze("vanilla", params, {**inputs, "target": np.ones(1)}).states == ("h",)


@pytest.mark.parametrize("ask", [rd.derive, lambda net: rd.analyze(net, {}, {}), rd.cells.recurrence])
def test_what_is_no_recurrence_is_told_the_same_everywhere(ask):
    with pytest.raises(InputError, match=r"no cell and no file 'lsmt'; did you mean .*lstm.*\? The library has"):
        ask("lsmt")
    with pytest.raises(InputError, match="found int; expected a recurrence, its equations, or the name or file"):
        ask(3)
    with pytest.raises(LanguageError, match="line 1"):
        ask("h[t] = +")
