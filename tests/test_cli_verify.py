"""``rnnderive verify`` and ``rnnderive vectors``, as a user runs them."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

import rnnderive as rd
from rnnderive.cells import LIBRARY
from rnnderive.cli import app

BY_HAND = Path(__file__).parent.parent / "examples" / "by_hand"
ELMAN = (BY_HAND / "elman.py").read_text("utf-8")
PAIR = """
import numpy as np

def clipped(a):
    return a

def leaky_forward(xs, a):
    s = [np.zeros(len(a))]
    for x in xs:
        s.append(np.tanh(a * s[-1] + x))
    return np.array(s[1:]), (xs, a, s)

def leaky_backward(up_s, cache):
    xs, a, s = cache
    da, dxs, carry = np.zeros_like(a), np.zeros_like(xs), np.zeros_like(a)
    for t in range(len(xs) - 1, -1, -1):
        dz = clipped(up_s[t] + carry) * (1 - s[t + 1] ** 2)
        da += dz * s[t]
        dxs[t] = dz
        carry = a * dz
    return dxs, da

def main():
    print(leaky_backward(*leaky_forward(np.ones((3, 1)), np.ones(1))))
"""
LEAKY = "s[t] = tanh(a * s[t-1] + x[t])\nL = sum(s[T])\n"


def run(*words: str, stdin: str | None = None) -> tuple[int, str, str]:
    result = CliRunner().invoke(app, [str(w) for w in words], input=stdin)
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result.exit_code, result.stdout, result.stderr


@pytest.fixture
def written(tmp_path):
    def write(name: str, text: str) -> str:
        (tmp_path / name).write_text(text, "utf-8")
        return str(tmp_path / name)

    return write


@pytest.mark.parametrize("command", ["verify", "vectors"])
def test_help_has_examples_and_says_what_is_run(command):
    status, words, _ = run(command, "--help")
    assert status == 0
    assert re.search(rf"Examples:\s+rnnderive {command}", words)
    assert ("file is your own program and is RUN" in " ".join(words.split())) == (command == "verify")


# ---------------------------------------------------------------- Python


def test_a_wrong_program_is_diagnosed_and_ends_with_status_1():
    status, told, _ = run("verify", BY_HAND / "elman.py", "--cell", "vanilla")
    assert status == 1
    assert "4. Diagnosis: delta_h: the derivative of tanh is taken at the activated value" in told


def test_a_right_program_ends_with_status_0_and_what_it_prints_is_not_in_the_verdict(written):
    right = ELMAN.replace("np.tanh(h[t]) ** 2", "h[t] ** 2") + "\nprint('loaded')\n"
    status, told, error = run("verify", written("mine.py", right), "--cell", "vanilla", "--format", "json", "--seed", 4)
    found = json.loads(told)
    assert (status, found["ok"], found["seed"]) == (0, True, 4)
    assert set(found["arrays"]) == {"W", "U", "b_h", "V", "b_y"}
    assert "loaded" in error


def test_a_backward_is_found_with_its_forward_and_upstream_gradients(written):
    path = written("leaky.py", PAIR)
    cell = written("leaky.txt", LEAKY)
    layout = written("layout.txt", "xs = x  # one a step\n")
    words = ("verify", path, "--cell", cell, "--layout", layout, "--names", "dxs da", "--upstream", "s")
    assert run(*words)[0] == 0
    Path(path).write_text(PAIR.replace("da += dz * s[t]", "da += dz * s[t + 1]"), "utf-8")
    status, told, _ = run(*words, "--T", "7", "--function", "leaky_backward", "--forward", "leaky_forward")
    assert status == 1
    assert "s[t] stands where s[t−1] belongs" in told


def test_a_window_is_meant(written):
    cut = ELMAN.replace("np.tanh(h[t]) ** 2", "h[t] ** 2").replace("len(x), 0, -1", "len(x), max(0, len(x) - 3), -1")
    words = ("verify", written("mine.py", cut), "--cell", "vanilla")
    assert run(*words, "--window", "3")[0] == 0
    status, told, _ = run(*words)
    assert status == 1
    assert "truncated after 3 steps" in told


def test_a_program_may_hold_its_network_and_import_its_neighbours(written):
    written("neighbour.py", "def half(a):\n    return a / 2\n")
    text = f"""
        import numpy as np, rnnderive as rd
        from neighbour import half
        cell = rd.Recurrence.parse({LEAKY!r})
        def _private(): ...
        def loss_and_grads(params, inputs):
            a, s = params["a"], [params["s0"]]
            for x in inputs["x"]:
                s.append(np.tanh(a * s[-1] + x))
            da, ds = 0 * a, 2 * half(np.ones_like(a))
            for t in range(len(inputs["x"]), 0, -1):
                dz = ds * (1 - s[t] ** 2)
                da, ds = da + dz * s[t - 1], a * dz
            return s[-1].sum(), {{"a": da, "s0": ds}}
    """
    assert run("verify", written("mine.py", re.sub("^        ", "", text, flags=re.M)))[0] == 0


# ---------------------------------------------------------------- formulas


@pytest.mark.parametrize(("name", "status"), [("elman.txt", 1), ("elman.tex", 0)])
def test_formulas_from_files_and_from_stdin(name, status):
    path = BY_HAND / name
    assert (
        run("verify", path, "--cell", "vanilla")[:2]
        == run("verify", "-", "--cell", "vanilla", stdin=path.read_text("utf-8"))[:2]
    )
    assert run("verify", path, "--cell", "vanilla")[0] == status


@pytest.mark.parametrize("name", ["vanilla", "gru", "lstm", "bidirectional_rnn"])
def test_the_adjoint_that_derive_prints_is_right_and_says_its_network(name):
    text = run("derive", name, "--view", "adjoint")[1]
    status, told, _ = run("verify", "-", stdin=text)
    assert (status, told.splitlines()[0][:5]) == (0, "RIGHT")
    slip = re.sub(r"^(d\w+) = sum\(", r"\1 = -sum(", text, count=1, flags=re.M)
    assert run("verify", "-", stdin=slip)[0] == 1


def test_names_are_given_what_they_stand_for():
    text = "e[t] = (1 if t == T else 0)\nd[t] = (e[t] + a * d[t+1]) * (1 - s[t]**2)\nG = sum(d[t] * s[t-1], t)"
    words = ("verify", "-", "--names", "G=a", "--format", "json")
    status, told, _ = run(*words, stdin=f"{LEAKY}{text}")
    assert (status, json.loads(told)["arrays"]["a"]["ok"]) == (0, True)


def test_latex_shows_the_wrong_equation_beside_the_correct_one():
    status, told, _ = run("verify", BY_HAND / "elman.txt", "--cell", "vanilla", "--format", "latex")
    assert status == 1
    assert told.startswith(r"\begin{aligned}") and r"\text{correct: } & \frac{dL}{dU}" in told


@pytest.mark.parametrize(
    ("name", "text", "options", "words"),
    [
        ("a.txt", "dU = 2", (), "does not say which network"),
        ("a.tex", r"\delta = 1", (), "does not say which network"),
        ("a.txt", "dU = (", ("--cell", "vanilla"), "a.txt]"),
        ("a.txt", "dU = 2", ("--cell", "nosuch"), "no cell and no file 'nosuch'"),
        ("a.txt", "dU = 2", ("--cell", "vanilla", "--function", "f"), "it is about a Python file"),
        ("a.txt", "dU = 2", ("--cell", "vanilla", "--format", "typst"), "text, latex or json"),
        ("a.py", "x = 1\ny = (", ("--cell", "vanilla"), "a.py, line 2: running it raised SyntaxError"),
        ("a.py", "import nosuchmodule", ("--cell", "vanilla"), "line 1: running it raised ModuleNotFoundError"),
        ("a.py", "\nraise SystemExit(0)", ("--cell", "vanilla"), "line 2: running it raised SystemExit"),
        ("a.py", "x = 1", ("--cell", "vanilla"), "has no function"),
        ("a.py", "def f(): ...\ndef g(): ...", ("--cell", "vanilla"), "has the functions f, g"),
        ("a.py", "def f(): ...", ("--cell", "vanilla", "--function", "g"), "no function 'g'; there are f"),
        ("a.py", "def f(): ...", (), "does not say which network"),
        ("a.py", "def f(params): ...", ("--cell", "vanilla", "--layout", "theano"), "there is no layout 'theano'"),
    ],
)
def test_what_cannot_be_read_ends_with_status_2(written, name, text, options, words):
    status, told, error = run("verify", written(name, text), *options)
    assert (status, told) == (2, "")
    assert words in error


def test_files_that_are_not_there_or_not_text_end_with_status_2(tmp_path):
    assert "No such file" in run("verify", tmp_path / "a.txt", "--cell", "vanilla")[2]
    assert "there is no file" in run("verify", tmp_path / "a.py", "--cell", "vanilla")[2]
    (tmp_path / "b.txt").write_bytes("dU = é".encode("latin-1"))
    assert run("verify", tmp_path / "b.txt", "--cell", "vanilla")[::2] == (
        2, f"error: {tmp_path / 'b.txt'} is not a text in UTF-8: unexpected end of data at byte 5\n",
    )  # fmt: skip


# ---------------------------------------------------------------- vectors


def test_vectors_are_written_as_asked(tmp_path):
    path = tmp_path / "v.npz"
    status, told, _ = run(
        "vectors",
        "lstm",
        "-o",
        path,
        "--T",
        4,
        "--batch",
        2,
        "--size",
        "h=6",
        "--dtype",
        "float32",
        "--layout",
        "pytorch",
    )
    assert status == 0
    assert re.search(r"v\.npz: \d+ arrays in float32, T = 4, B = 2, n_h = 6, n_x = 3", told)
    with np.load(path) as found:
        assert found["grads.weight_hh_l0"].shape == (24, 6)
        assert "Layout: pytorch" in str(found["note"])


@pytest.mark.parametrize(
    ("does", "words"),
    [
        ("raise ValueError('oops')", "it raised ValueError: oops"),
        ("return 1", "it returned 1, of the type int, where gradients are read; expected (loss, grads), or a dict"),
        ("return 0.5, None", "it returned None, of the type NoneType, where gradients are read"),
    ],
)
def test_what_a_function_does_instead_is_said_once(does, words, written):
    path = written("f.py", f"def f(x, W, U, b_h, V, b_y, target):\n    {does}\n")
    status, told, _ = run("verify", path, "--cell", "vanilla")
    assert status == 1 and told.count(words) == 1
    assert "3. Gradients: none." in told


def test_no_step_is_said_in_options():
    status, _, error = run("derive", "vanilla", "--T", 0)
    assert status == 2 and error == "error: found --T 0, expected a number of steps from 1, or T for any\n"


def test_vectors_of_one_sequence_with_an_upstream_gradient(tmp_path):
    path = tmp_path / "v.json"
    assert run("vectors", "-", "-o", path, "--batch", 0, "--upstream", "s", stdin=LEAKY)[0] == 0
    found = json.loads(path.read_text("utf-8"))
    assert found["arrays"]["inputs.up_s"]["shape"] == [7, 2]
    assert rd.Recurrence.parse(found["about"]["cell"]).inputs == ("x", "up_s")


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("lstm", "-o", "v.mat"), "expected a name that ends in .npz, .safetensors, .json"),
        (("lstm", "-o", f"{__file__}/v.npz"), "is no folder"),
        (("lstm", "-o", "v.npz", "--size", "q=3"), "there is no size of 'q'"),
        (("lstm", "-o", "v.npz", "--layout", "theano"), "there is no layout 'theano'"),
        (("lstm", "-o", "v.npz", "--upstream", "q"), "q is no sequence of the cell"),
    ],
)
def test_vectors_that_cannot_be_written_end_with_status_2(words, expected, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    status, _, error = run("vectors", *words)
    assert status == 2
    assert expected in error
    assert not list(tmp_path.iterdir())


def test_every_cell_has_vectors(tmp_path):
    for name in LIBRARY:
        assert run("vectors", name, "-o", tmp_path / f"{name}.safetensors", "--T", 3)[0] == 0


def test_a_cell_that_gradients_arrive_at_needs_no_loss(written):
    cell = written("cell.txt", LEAKY.splitlines()[0])
    hand = written(
        "hand.txt", "ds[t] = up_s[t] + a * dz[t+1]\ndz[t] = ds[t] * (1 - s[t]**2)\nda = sum(dz[t] * s[t-1], t)"
    )
    assert run("verify", hand, "--cell", cell, "--upstream", "s")[0] == 0
    assert run("vectors", cell, "--upstream", "s", "-o", written("v.json", ""))[0] == 0
    status, _, told = run("verify", hand, "--cell", cell)
    assert status == 2 and "there is no loss" in told


def test_a_verdict_is_written_in_the_language_that_is_asked_for(tmp_path):
    page = tmp_path / "verdict.md"
    status, told, _ = run("verify", BY_HAND / "elman.tex", "--cell", "vanilla", "--report", page, "--lang", "ru")
    assert status in (0, 1) and told
    assert ("Верно" if status == 0 else "Неверно") in page.read_text("utf-8")
    status, _, error = run("verify", BY_HAND / "elman.tex", "--cell", "vanilla", "--report", tmp_path / "v.docx")
    assert status == 2 and "expected a name that ends in .pdf, .tex" in error
    status, told, error = run("verify", BY_HAND / "elman.tex", "--cell", "vanilla", "--report", page, "--lang", "tlh")
    assert (status, told) == (2, "") and "'tlh'; there are en, ru" in " ".join(error.split())
