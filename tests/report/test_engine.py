"""A report is whole or not there; the same document gives the same bytes."""

from __future__ import annotations

import errno
import sys
from pathlib import Path
from typing import Any

import pytest

from rnnderive import report as rp
from rnnderive.errors import InputError, RnnDeriveError
from rnnderive.report import engine
from tests.report import tools

conftest = sys.modules[next(n for n in sys.modules if n.endswith("conftest") and hasattr(sys.modules[n], "HOSTILE"))]


def small(text: str = "one") -> rp.Document:
    figure = rp.Figure(lambda: rp.activation_curves(["tanh"]), "A curve", "tanh", "curve")
    return rp.Document("Small", [rp.Section("s", [rp.Paragraph(text), figure])])


def contents(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


@pytest.mark.parametrize("name", ["typst", "tex"])
def test_same_document_same_bytes(name: str, tmp_path: Path) -> None:
    if name == "tex":
        tools.need_tex()
    for folder in ("one", "deeper/two"):
        rp.build(conftest.demo(), tmp_path / folder, "demo", engine=name)
    one, two = contents(tmp_path / "one"), contents(tmp_path / "deeper/two")
    assert set(one) == {"demo.pdf", "demo.tex", "demo.typ", "figures/demo/graph.pdf", "figures/demo/graph.svg"}
    for file in one:
        assert one[file] == two[file], file


def test_no_path_of_this_machine_is_written(tmp_path: Path) -> None:
    rp.build(small(), tmp_path / "out", engine="typst")
    for name, data in contents(tmp_path / "out").items():
        assert str(tmp_path).encode() not in data, name


def test_other_files_stay_and_stale_figures_go(tmp_path: Path) -> None:
    rp.build(small(), tmp_path / "out", engine="typst")
    (tmp_path / "out" / "notes.txt").write_text("mine")
    rp.build(rp.Document("x", [rp.Section("s", [])]), tmp_path / "out", engine="typst")
    assert set(contents(tmp_path / "out")) == {"notes.txt", "report.pdf", "report.tex", "report.typ"}
    assert [p.name for p in tmp_path.iterdir()] == ["out"]


def _fail(error: BaseException) -> Any:
    def raising(*args: Any, **kwargs: Any) -> Any:
        raise error

    return raising


@pytest.mark.parametrize(
    ("place", "error", "expected"),
    [
        ("_typst", KeyboardInterrupt(), KeyboardInterrupt),
        ("_typst", RnnDeriveError("engine failed"), RnnDeriveError),
        ("typst_source", ValueError("a fault"), ValueError),
        ("_write", OSError(errno.ENOSPC, "no space"), RnnDeriveError),
    ],
)
def test_a_failed_build_leaves_the_old_report(
    place: str, error: BaseException, expected: type[BaseException], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rp.build(small("old"), tmp_path / "out", engine="typst")
    before = contents(tmp_path / "out")
    monkeypatch.setattr(engine, place, _fail(error))
    with pytest.raises(expected):
        rp.build(small("new"), tmp_path / "out", engine="typst")
    assert contents(tmp_path / "out") == before
    assert [p.name for p in tmp_path.iterdir()] == ["out"]


def test_a_full_disk_is_said_in_words(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for there in (False, True):
        monkeypatch.setattr(engine, "_write", _fail(OSError(errno.ENOSPC, "x")))
        with pytest.raises(RnnDeriveError, match=r"no space left on the device") as told:
            rp.build(small(), tmp_path / "out", engine="typst")
        assert ("earlier report there is unchanged" in str(told.value)) == there
        monkeypatch.undo()
        rp.build(small(), tmp_path / "out", formats=("md",))


def test_an_output_that_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "out").write_text("x")
    with pytest.raises(RnnDeriveError, match="is a file"):
        rp.build(small(), tmp_path / "out", engine="typst")


@pytest.mark.parametrize(("engine_name", "stem"), [("word", "x"), ("typst", "../x"), ("typst", "a b")])
def test_bad_options_are_named(engine_name: str, stem: str, tmp_path: Path) -> None:
    with pytest.raises(InputError):
        rp.build(small(), tmp_path, stem, engine=engine_name)


def test_auto_takes_typst_where_tex_is_not_complete(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "missing_tex", lambda files=(): ("article.cls",))
    assert rp.build(small(), tmp_path / "out").engine == "typst"
    with pytest.raises(RnnDeriveError, match=r"article\.cls"):
        rp.build(small(), tmp_path / "out", engine="tex")


def test_tex_has_a_time_limit_and_no_shell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tools.need_tex()
    rp.build(small("old"), tmp_path / "out", engine="tex")
    before = contents(tmp_path / "out")
    asked: list[list[str]] = []
    run = engine._run

    def watched(command: list[str], *rest: Any) -> Any:
        asked.append(command)
        return run(command, *rest)

    monkeypatch.setattr(engine, "_run", watched)
    monkeypatch.setattr(engine, "_SECONDS", 0.01)
    with pytest.raises(RnnDeriveError, match=r"did not finish within 0\.01 s"):
        rp.build(small("new"), tmp_path / "out", engine="tex")
    assert contents(tmp_path / "out") == before
    assert all("-no-shell-escape" in command for command in asked if command[0] == "pdflatex")


@pytest.mark.parametrize(
    ("formats", "suffixes"),
    [(("html",), {"report.html"}), (("md",), {"report.md", "figures/report/curve.svg"}),
     (("tex",), {"report.tex", "figures/report/curve.pdf"})],
)  # fmt: skip
def test_a_format_has_its_files_and_no_more(formats: tuple[str, ...], suffixes: set[str], tmp_path: Path) -> None:
    report = rp.build(small(), tmp_path, formats=formats)
    assert set(contents(tmp_path)) == suffixes and report.engine == ""


def test_an_unknown_format_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="found the formats docx; expected some of pdf, tex, html, md"):
        rp.build(small(), tmp_path, formats=("docx",))
