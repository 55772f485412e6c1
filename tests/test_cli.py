"""The command line: what it prints, and with which status it ends."""

from __future__ import annotations

import doctest
import json
import os
import re
import shlex
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

import rnnderive as rd
from rnnderive.cells import LIBRARY
from rnnderive.cli import View, app
from rnnderive.cli.app import load
from rnnderive.language import FUNCTIONS

ROOT = Path(__file__).parent.parent
COMMANDS = ("cells", "derive", "code", "check", "verify", "vectors", "chain", "sweep", "report")
NEW = """\
# A cell that the library does not have.
a    = sigmoid(leak)
h[t] = (1 - a) * h[t-1] + a * tanh(W @ x[t] + U @ h[t-1])
y[t] = V @ h[t]
L    = sum(cross_entropy(y[t], target[t]), t)
"""


def run(*words: str, stdin: str | bytes | None = None):
    return CliRunner().invoke(app, list(words), input=stdin)


def good(*words: str, stdin: str | None = None) -> str:
    found = run(*words, stdin=stdin)
    assert found.exit_code == 0, found.output
    return found.stdout


def process(*words: str, program: tuple[str, ...] = ("-m", "rnnderive"), **more: str) -> subprocess.Popen:
    environment = {**os.environ, "PYTHONPATH": str(ROOT), **more}
    return subprocess.Popen(
        [sys.executable, *program, *words],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment,
        preexec_fn=interruptible,
    )  # fmt: skip


def interruptible():
    """Control-C reaches a process whose ancestors, run in the background, have switched it off."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


# ---------------------------------------------------------------- help


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help_with_an_example(command):
    words = good(command, "--help")
    assert re.search(rf"Examples?:\s+rnnderive {command}", words)


def test_help_names_every_command_and_the_exit_status():
    words = good("--help")
    assert all(f"\n  {c} " in words for c in COMMANDS)
    assert "2 the input is wrong" in words


def test_version():
    assert good("--version") == f"rnnderive {rd.__version__}\n"


# ---------------------------------------------------------------- cells


def test_cells_lists_every_cell_with_a_line_about_it():
    rows = [row.split(None, 1) for row in good("cells").splitlines()]
    assert [name for name, _ in rows] == list(LIBRARY)
    assert not any(sign in words for _, words in rows for sign in ("`", ":func:"))
    assert json.loads(good("cells", "--format", "json")).keys() == LIBRARY.keys()


@pytest.mark.parametrize("name", LIBRARY)
def test_what_cells_prints_is_a_file_of_that_cell(name):
    assert rd.Recurrence.parse(good("cells", name)) == LIBRARY[name]()


# ---------------------------------------------------------------- derive: the lecture's rows 5 and 6

ROW_5_V = ["dL/dV = ∂L/∂y^3 dy^3/dV", "dL/dV = ∂L/∂y^3 ∂⁺y^3/∂V"]
ROW_5_B = ["dL/db_y = ∂L/∂y^3 dy^3/db_y", "dL/db_y = ∂L/∂y^3 ∂⁺y^3/∂b_y"]
ROW_6 = [
    "dL/dW = ∂L/∂h^3 dh^3/dW",
    "dh^3/dW = ∂⁺h^3/∂W + ∂h^3/∂h^2 dh^2/dW",
    "dL/dW = ∂L/∂h^3 ∂⁺h^3/∂W + ∂L/∂h^3 ∂h^3/∂h^2 dh^2/dW",
    "dh^2/dW = ∂⁺h^2/∂W + ∂h^2/∂h^1 dh^1/dW",
    "dL/dW = ∂L/∂h^3 ∂⁺h^3/∂W + ∂L/∂h^3 ∂h^3/∂h^2 ∂⁺h^2/∂W + ∂L/∂h^3 ∂h^3/∂h^2 ∂h^2/∂h^1 dh^1/dW",
]
ROW_7 = (
    "dL/dW = ∂L/∂h^T ∂⁺h^T/∂W + ∂L/∂h^T ∂h^T/∂h^{T-1} ∂⁺h^{T-1}/∂W + ⋯ + "
    "∂L/∂h^T ∂h^T/∂h^{T-1} ∂h^{T-1}/∂h^{T-2} ⋯ ∂h^2/∂h^1 dh^1/dW"
)


def formulas(words: str) -> list[str]:
    """The formulas of lines such as ``(1) ✓ formula    [rule]``, in order."""
    return re.findall(r"^ *\(\d+\) (?:[✓✗] )?(.*?)    \[", words, re.MULTILINE)


@pytest.mark.parametrize(("name", "lines"), [("V", ROW_5_V), ("b_y", ROW_5_B), ("W", ROW_6)])
def test_the_lectures_derivation_line_by_line(name, lines):
    found = formulas(good("derive", "vanilla", "--wrt", name, "--T", "3", "--no-check"))
    assert [f for f in found if f in lines] == lines


@pytest.mark.parametrize("name", ["U", "b_h"])
def test_the_same_derivation_for_the_other_parameters(name):
    found = formulas(good("derive", "vanilla", "--wrt", name, "--T", "3", "--no-check"))
    assert [line.replace("W", name) for line in ROW_6] == found[: len(ROW_6)]


def test_the_lectures_line_for_any_number_of_steps():
    assert ROW_7 in formulas(good("derive", "vanilla", "--wrt", "W", "--no-check"))


def test_every_line_of_a_derivation_is_marked_by_its_check():
    words = good("derive", "vanilla", "--wrt", "W", "--T", "3")
    assert words.count("✓") == len(formulas(words)) > 8
    assert "✗" not in words


def test_a_wrong_slope_is_marked_and_ends_with_status_1(monkeypatch):
    monkeypatch.setitem(FUNCTIONS, "tanh", replace(FUNCTIONS["tanh"], slope=lambda x, y: 1 - y))
    found = run("derive", "vanilla", "--wrt", "U", "--T", "3")
    assert found.exit_code == 1
    assert "✗" in found.stdout


def test_without_wrt_the_adjoint_and_the_jacobians_of_all_states():
    words = good("derive", "lstm")
    assert "delta_f[t] = df[t] * f[t] * (1 - f[t])" in words
    assert [row for row in words.splitlines() if row.startswith("∂C^t/∂C^{t-1}")] == ["∂C^t/∂C^{t-1} = diag(f^t)"]
    assert all(f"∂{v}^t/∂{u}^{{t-1}} = " in words for v in "hC" for u in "hC")


def test_the_adjoint_view_is_in_the_language():
    words = good("derive", "gru", "--view", "adjoint", "--wrt", "W_z")
    assert rd.Recurrence.parse(words) == rd.derive(rd.cells.gru(), "W_z").adjoint


@pytest.mark.parametrize("name", ["vanilla", "peephole_lstm", "bidirectional_rnn", "stacked_lstm"])
@pytest.mark.parametrize("view", list(View))
@pytest.mark.parametrize("form", ["text", "latex", "typst", "json"])
def test_every_view_in_every_format(name, view, form):
    wrt = LIBRARY[name]().parameters[0]
    words = good("derive", name, "--view", view.value, "--wrt", wrt, "--T", "2", "--no-check", "--format", form)
    if form == "json":
        found = json.loads(words)
        assert found["view"] == [view.value]
        assert all({"text", "latex", "typst", "rule"} <= line.keys() for s in found["sections"] for line in s["lines"])
        assert words == json.dumps(found, ensure_ascii=False, indent=2) + "\n"
    else:
        assert words.count("{") == words.count("}")
        assert words.strip()


def test_the_derivative_of_a_state_in_an_earlier_input():
    words = good("derive", "vanilla", "--wrt", "x[1]", "--of", "h[3]", "--T", "3", "--view", "chain")
    assert "dh^3/dx^1 = ∂h^3/∂h^2 ∂h^2/∂h^1 ∂h^1/∂x^1" in words


def test_a_cell_that_reads_two_steps_back_for_any_t():
    text = "h[t] = tanh(W @ x[t] + U @ h[t-1] + A @ h[t-2])\nL = squared_error(h[T], target)"
    words = good("derive", "-", "--wrt", "U", stdin=text)
    assert words.splitlines()[0] == "# dL/dU, any T; s = [h, h_1], h_1[t] = h[t-1]"
    assert "∂s^j/∂s^{j-1} = [∂h^j/∂h^{j-1}, ∂h^j/∂h_1^{j-1}; ∂h_1^j/∂h^{j-1}, 𝟎]" in words
    assert "✗" not in words
    rows = good("derive", "-", "--view", "jacobian", stdin=text).splitlines()
    assert rows[1:] == ["∂h^t/∂h^{t-1} = diag(1 - (h^t)^2) U", "∂h^t/∂h^{t-2} = diag(1 - (h^t)^2) A"]


def test_truncation_reaches_the_adjoint():
    assert "delta_h_1_back" in good("derive", "vanilla", "--truncate", "2")


# ---------------------------------------------------------------- code


def test_code_is_the_derivations_source(tmp_path):
    expected = rd.derive(rd.cells.lstm()).source()
    assert good("code", "lstm").strip() == expected.strip()
    path = tmp_path / "lstm.py"
    assert good("code", "lstm", "-o", str(path)) == ""
    assert path.read_text(encoding="utf-8") == expected


def test_code_of_the_forward_program_and_of_chosen_gradients():
    assert "def forward(params, inputs, empty=np.empty)" in good("code", "gru", "--what", "forward")
    assert "'x': " in good("code", "vanilla", "--wrt", "x")


# ---------------------------------------------------------------- files and stdin


def test_a_file_with_a_cell_that_the_library_does_not_have(tmp_path):
    path = tmp_path / "leaky.txt"
    path.write_text(NEW, encoding="utf-8")
    assert "dleak = da * a * (1 - a)" in good("derive", str(path))
    assert "def value_and_grad" in good("code", str(path))
    assert good("check", str(path))


def test_stdin_is_a_file():
    assert good("cells", "-", stdin=NEW) == good("cells", "-", stdin="\ufeff" + NEW)
    assert good("derive", "-", "--view", "adjoint", stdin=good("cells", "lstm")) == good(
        "derive", "lstm", "--view", "adjoint"
    )


# ---------------------------------------------------------------- check


def test_check_prints_a_table_in_which_every_rung_holds():
    words = good("check", "vanilla")
    rows = words.splitlines()[1:]
    assert len(rows) >= 5
    assert "FAILS" not in words


def test_check_as_json():
    found = json.loads(good("check", "vanilla", "--seed", "3", "--format", "json"))
    assert found["holds"] is True
    assert found["seed"] == 3
    assert found["rungs"]
    assert all(r["ok"] is not False for r in found["rungs"])


def test_check_ends_with_status_1_when_a_rung_fails(monkeypatch):
    monkeypatch.setitem(FUNCTIONS, "sigmoid", replace(FUNCTIONS["sigmoid"], slope=lambda x, y: y * (1 + y)))
    found = run("check", "vanilla")
    assert found.exit_code == 1
    assert "FAILS" in found.stdout


# ---------------------------------------------------------------- report


def test_report_prints_the_path_last(monkeypatch, tmp_path):
    import rnnderive.report as report

    asked = []
    monkeypatch.setattr(
        report, "lecture", lambda output, *, engine, **_: asked.append((output, engine)) or output / "l.pdf"
    )
    monkeypatch.setattr(
        report,
        "cell_report",
        lambda net, name, output, *, engine, **_: asked.append((name, engine)) or output / "c.pdf",
    )
    assert good("report", "lecture", "-o", str(tmp_path)).splitlines()[-1] == str(tmp_path / "l.pdf")
    words = good("report", "-", "-o", str(tmp_path), "--engine", "typst", stdin=NEW)
    assert words.splitlines()[-1] == str(tmp_path / "c.pdf")
    assert asked == [(tmp_path, "auto"), ("stdin", "typst")]


# ---------------------------------------------------------------- wrong input

WRONG = {
    "": "the text is empty",
    "h[t] = tahn(h[t-1])\nL = sum(h[T])": "line 1, column 8: unknown function 'tahn'; did you mean tanh?",
    "h[t] = U @ h[t]\nL = sum(h[T])": "line 1, column 1: algebraic loop",
    "h[t] = a * h[t-1] + b * h[t+1]\nL = sum(h[T])": "runs both ways in time",
    "h[t] = h[t-1]\nh[t] = h[t-1]\nL = sum(h[T])": "line 2, column 1: h is defined twice",
    "h[t] = tanh(W @ [h[t-1], x[t]] + W @ x[t])\nL = sum(h[T])": "line 1, column 34: the columns of the left factor",
    "h[t] = tanh(W @ x[t] + h[t-1])\nL = h[T]\nM = squared_error(h[T], z)": "not a scalar",
    "h[t] = tanh(U @ h[t-1]": "line 1, column 12: '(' was never closed",
    "h[t] = tanh(h[t-1])": "there is no loss",
    "h[t] = " + "(" * 10_000 + "h[t-1]" + ")" * 10_000: "nested more than",
    "h[t] = __import__('os').system('true')\nL = sum(h[T])": "line 1, column 8: found",
    "h[t] = h[t-1]\nL = sum(h[T]) \x1b[31m": "line 2",
    "\0": "line 1",
}


def test_whether_a_loss_is_missing_is_seen_in_the_equations_not_in_the_words_of_an_error(tmp_path):
    path = tmp_path / "there is no loss.txt"
    path.write_text("h[t] = tanh(U @ h[t-1] + x[t])\nL = h[T]")
    with pytest.raises(rd.ShapeError, match="the loss L is not a scalar"):
        load(str(path), loss=False)
    path.write_text("h[t] = tanh(U @ h[t-1] + x[t])")
    assert load(str(path), loss=False).loss is None
    with pytest.raises(rd.LanguageError, match=r"line 1, column 1: there is no loss: .* \[.*there is no loss.txt\]"):
        load(str(path))


@pytest.mark.parametrize("text", WRONG, ids=lambda text: repr(text[:30]))
@pytest.mark.parametrize("command", ["derive", "check", "code"])
def test_a_wrong_text_is_one_message_with_its_place_and_status_2(text, command):
    found = run(command, "-", stdin=text)
    assert found.exit_code == 2
    assert found.stdout == ""
    assert found.stderr.startswith("error: ")
    assert WRONG[text] in found.stderr
    assert "Traceback" not in found.stderr
    assert "\x1b" not in found.stderr


def test_a_message_points_with_a_caret():
    rows = run("derive", "-", stdin="h[t] = h[t-1]\nL = sum(foo(h[T]))").stderr.splitlines()
    assert rows[-2].strip() == "L = sum(foo(h[T]))"
    assert rows[-1].index("^") == rows[-2].index("foo")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["derive", "lstn"], "did you mean lstm?"),
        (["derive", "[/red][bold]"], "'[/red][bold]'"),
        (["derive", "."], "it is a folder"),
        (["derive", "vanilla", "--wrt", "Q"], "'Q'"),
        (["derive", "vanilla", "--wrt", "Q", "--view", "adjoint"], "cannot differentiate in 'Q'; there are W, U"),
        (["derive", "vanilla", "--wrt", "W", "--T", "x"], "--T x, expected a number of steps"),
        (
            ["derive", "vanilla", "--wrt", "W", "--T", "0"],
            "found --T 0, expected a number of steps from 1, or T for any",
        ),
        (["derive", "vanilla", "--wrt", "W", "--T", "-1"], "--T -1, expected a number of steps"),
        (["derive", "vanilla", "--of", "h[T]", "--view", "adjoint"], "expected a timeless scalar"),
        (["derive", "vanilla", "--truncate", "0"], "truncate is 0"),
        (["derive", "vanilla", "--view", "sideways"], "sideways"),
        (["derive"], "CELL"),
        (["derives", "vanilla"], "derives"),
        (["check", "nosuch"], "no cell and no file 'nosuch'"),
        (["report", "nosuch"], "no cell and no file 'nosuch'"),
        (["cells", "nosuch"], "no cell and no file 'nosuch'"),
    ],
)
def test_wrong_words_end_with_status_2(words, message):
    found = run(*words)
    assert found.exit_code == 2
    assert message in " ".join(found.stderr.split())
    assert "Traceback" not in found.stderr


def test_output_that_cannot_be_written_ends_with_status_2(tmp_path):
    (tmp_path / "file").write_text("")
    for path in (tmp_path, tmp_path / "file" / "lstm.py"):
        found = run("code", "lstm", "-o", str(path))
        assert found.exit_code == 2
        assert str(path) in found.stderr


def test_what_is_not_utf8_ends_with_status_2(tmp_path):
    path = tmp_path / "latin.txt"
    path.write_bytes("h[t] = é".encode("latin-1"))
    assert "not a text in UTF-8" in run("derive", str(path)).stderr
    found = run("derive", "-", stdin=path.read_bytes())
    assert found.exit_code == 2
    assert "not a text in UTF-8" in found.stderr


# ---------------------------------------------------------------- as a process


def test_module_run_with_a_narrow_terminal_and_no_colour():
    out, err = process(
        "derive", "vanilla", "--wrt", "W", "--T", "3", "--no-check", COLUMNS="20", NO_COLOR="1"
    ).communicate()
    assert err == b""
    assert formulas(out.decode())[: len(ROW_6)] == ROW_6


def test_signs_that_the_terminal_lacks_are_replaced():
    child = process("derive", "vanilla", "--wrt", "V", "--T", "1", "--no-check", PYTHONIOENCODING="latin-1")
    out, err = child.communicate()
    assert (child.returncode, err) == (0, b"")
    assert b"?L/?y^1" in out


def test_exit_status_of_the_process():
    for text, status in ((NEW, 0), ("h[t] = ", 2)):
        child = process("derive", "-")
        _, err = child.communicate(text.encode())
        assert child.returncode == status
        assert b"Traceback" not in err


@pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")
def test_a_reader_that_has_seen_enough_ends_it_without_a_word():
    child = process("derive", "vanilla", "--wrt", "W", "--T", "100", "--view", "chain")
    child.stdout.readline()
    child.stdout.close()
    assert child.stderr.read() == b""
    assert child.wait() == -signal.SIGPIPE


@pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")
def wait_until_idle(pid):
    """Wait until a process has used no processor for a second; five seconds where the system does not tell."""
    status = Path(f"/proc/{pid}/stat")
    if not status.exists():
        time.sleep(5)
        return
    used = None
    for _ in range(60):
        now = status.read_text().rsplit(")", 1)[1].split()[11:13]
        if now == used:
            return
        used = now
        time.sleep(1)


def test_an_interrupt_ends_it_with_130_without_a_word():
    words = "import sys; from rnnderive.cli import main; sys.argv[1:] = ['derive', '-']; print(flush=True); main()"
    child = process(program=("-c", words))
    child.stdout.readline()
    wait_until_idle(child.pid)  # it waits for stdin
    child.send_signal(signal.SIGINT)
    assert child.wait(timeout=20) == 130
    assert child.stderr.read() == b""


# ---------------------------------------------------------------- what the documents show


@pytest.mark.parametrize("path", sorted((ROOT / "docs").glob("*.md")), ids=lambda p: p.name)
def test_the_examples_of_the_documents_run(path):
    assert doctest.testfile(str(path), module_relative=False).failed == 0


def shown() -> list[tuple[str, str]]:
    """The commands of the documents' console blocks, with their output."""
    pages = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
    blocks = [b for p in pages for b in re.findall(r"^```console\n(.*?)^```", p.read_text("utf-8"), re.M | re.S)]
    return [tuple(c.partition("\n")[::2]) for b in blocks for c in re.split(r"^\$ ", b, flags=re.M) if c]


def comparable(words: str) -> list[str]:
    """The words of an output; an error near rounding depends on the machine."""
    return re.sub(r"\b\d\.\de-\d\d\b", "tiny", words).split()


@pytest.mark.parametrize(("command", "output"), shown(), ids=lambda words: words[:40])
def test_the_console_of_the_documents_is_what_is_printed(command, output):
    given, _, command = command.rpartition(" | ")
    text = shlex.split(given)[1].replace("\\n", "\n") if given else None
    found = run(*shlex.split(command)[1:], stdin=text)
    assert comparable(found.output) == comparable(output)


def test_the_mathematics_of_the_readme_is_what_is_printed():
    page = (ROOT / "README.md").read_text("utf-8")
    (block,) = re.findall(r"^\$\$\n\\begin\{aligned\}\n(.*?)\n\\end\{aligned\}\n\$\$", page, re.M | re.S)
    words = good("derive", "vanilla", "--wrt", "W", "--T", "3", "--format", "latex", "--no-check")
    rows = [row.removesuffix(r" \\") for row in words.splitlines() if not row.startswith("%")]
    assert [row.removesuffix(r" \\") for row in block.splitlines()] == [*rows[1:6], *rows[8:11]]


def test_the_readme_lists_the_library():
    page = (ROOT / "README.md").read_text("utf-8")
    assert [n for n in re.findall(r"^\| `(\w+)` \|", page, re.M) if n in LIBRARY] == list(LIBRARY)
