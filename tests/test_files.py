"""Files are written whole or not at all; what cannot be written where it was asked for is said before the work."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest
from typer.testing import CliRunner

from rnnderive import files
from rnnderive.cli import app
from rnnderive.errors import InputError
from rnnderive.programs import Program
from rnnderive.report import Document, Section, build

FULL = Path("/dev/full")


def run(*words: object) -> tuple[int, str, str]:
    found = CliRunner().invoke(app, [str(w) for w in words])
    assert found.exception is None or isinstance(found.exception, SystemExit), found.exception
    return found.exit_code, found.stdout, found.stderr


# ---------------------------------------------------------------- one file


def test_a_folder_is_made_and_no_draft_stays(tmp_path):
    with files.whole(tmp_path / "a" / "b.txt") as draft:
        assert not (tmp_path / "a" / "b.txt").exists()
        draft.write_text("x")
    assert [p.name for p in (tmp_path / "a").iterdir()] == ["b.txt"]


def test_what_fails_halfway_leaves_what_was_there(tmp_path):
    (tmp_path / "b.txt").write_text("old")
    with (
        pytest.raises(InputError, match=r"cannot write .*b\.txt: there is no space left"),
        files.whole(tmp_path / "b.txt") as draft,
    ):
        draft.write_text("new")
        raise OSError(errno.ENOSPC, "x")
    assert [(p.name, p.read_text()) for p in tmp_path.iterdir()] == [("b.txt", "old")]


def test_a_link_stays_a_link(tmp_path):
    (tmp_path / "there").mkdir()
    (tmp_path / "link.txt").symlink_to(tmp_path / "there" / "b.txt")
    with files.whole(tmp_path / "link.txt") as draft:
        assert draft.parent == tmp_path / "there"
        draft.write_text("x")
    assert (tmp_path / "link.txt").is_symlink() and (tmp_path / "there" / "b.txt").read_text() == "x"


@pytest.mark.skipif(not FULL.exists(), reason="this system has no /dev/full")
def test_a_device_is_written_to_and_stays_one():
    with pytest.raises(InputError, match="cannot write /dev/full: there is no space left"), files.whole(FULL) as draft:
        draft.write_text("x")
    assert FULL.is_char_device()


@pytest.mark.parametrize("place", ["file/x.txt", "file/deep/x.txt", "folder"])
def test_a_place_that_is_none_is_refused_before_the_work(place, tmp_path):
    (tmp_path / "file").write_text("")
    (tmp_path / "folder").mkdir()
    with pytest.raises(InputError, match=r"cannot write .*(is no folder|it is a folder)"):
        files.check_place(tmp_path / place)
    with pytest.raises(InputError, match="cannot write"), files.whole(tmp_path / place) as draft:
        draft.write_text("x")


@pytest.mark.skipif(not Path("/proc/self").is_dir(), reason="this system has no /proc")
def test_a_place_is_asked_and_not_its_permissions():
    with pytest.raises(InputError, match="no file can be made in /proc"):
        files.check_place("/proc/x.txt")


def test_nothing_is_left_by_asking(tmp_path):
    files.check_place(tmp_path / "a" / "b.txt")
    files.check_folder(tmp_path / "c")
    assert list(tmp_path.iterdir()) == []


# ---------------------------------------------------------------- every command alike


@pytest.mark.parametrize(
    "words",
    [
        ("code", "vanilla", "-o", "new/x.py"),
        ("vectors", "vanilla", "-o", "new/x.npz"),
        ("report", "vanilla", "--parts", "model", "-o", "new/x.md"),
        ("report", "vanilla", "--parts", "model", "--format", "md", "-o", "new/folder"),
        ("chain", "vanilla", "--T", "3", "--size", "h=2", "--figures", "new/figures"),
        ("sweep", "vanilla", "--axis", "T=3,4", "--size", "h=2", "--figure", "new/x.svg", "--results", "new/x.jsonl"),
        ("verify", "hand.txt", "--cell", "vanilla", "--report", "new/x.md"),
    ],
)
def test_a_folder_that_is_not_there_is_made(words, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("hand.txt").write_text("e = (y[T] - target) * y[T] * (1 - y[T])\ndV = e @ h[T].T\n")
    monkeypatch.setattr("rnnderive.chains.figures.FIGURES", ("norms",))
    status, _, error = run(*words)
    assert status == 0, error
    assert Path(words[-1]).exists()


@pytest.mark.parametrize(
    "words",
    [
        ("code", "vanilla", "-o", "file/x.py"),
        ("vectors", "vanilla", "-o", "file/x.npz"),
        ("report", "vanilla", "-o", "file/x.md"),
        ("report", "lecture", "-o", "file/x.pdf"),
        ("report", "comparison", "-o", "file/x"),
        ("report", "chains", "-o", "file/x"),
        ("chain", "vanilla", "--figures", "file/x"),
        ("sweep", "vanilla", "--axis", "T=3,4", "--figure", "file/x.svg"),
        ("verify", "hand.txt", "--cell", "vanilla", "--report", "file/x.md"),
    ],
)
def test_a_place_that_cannot_be_written_is_named_before_the_work(words, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("file").write_text("")
    Path("hand.txt").write_text("dV = 0\n")
    monkeypatch.setattr(Program, "__init__", lambda *_, **__: pytest.fail("the work was begun"))
    status, _, error = run(*words)
    assert status == 2
    assert words[-1].rpartition("/")[0] in error and ".part" not in error
    assert "is no folder" in error or "file is a file; expected a folder" in error
    assert "unchanged" not in error  # there was no earlier report


# ---------------------------------------------------------------- the place of a report


@pytest.mark.parametrize(
    ("words", "files"),
    [
        (("-o", "two.md"), {"two.md", "figures"}),
        (("-o", "two.html", "--format", "html"), {"two.html"}),
        (("-o", "a/two.tex"), {"a"}),
        (("-o", "two", "--format", "md", "--format", "html"), {"two"}),
    ],
)
def test_a_report_goes_to_a_folder_or_into_one_file(words, files, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    status, told, error = run("report", "vanilla", "--parts", "model", *words)
    assert status == 0, error
    assert {p.name for p in tmp_path.iterdir()} == files
    assert Path(told.strip()).is_file()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("-o", "two.pdf", "--format", "md"), "expected a name that ends in .md, or a folder, as in -o two"),
        (("-o", "two.pdf", "--format", "md", "--format", "pdf"), "expected a folder, as in -o two"),
        (("-o", "a b.pdf"), "'a b' is no name for a report"),
    ],
)
@pytest.mark.parametrize("name", ["vanilla", "lecture", "comparison", "chains"])
def test_a_name_of_another_format_is_no_folder(name, words, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    status, _, error = run("report", name, *words)
    assert status == 2 and message in error
    assert not list(tmp_path.iterdir())


def test_a_folder_on_another_device_than_the_one_above_it(tmp_path, monkeypatch):
    """A mount point: what is made beside it cannot be moved into it."""
    move = os.replace

    def replace(source, target):
        inside = [(tmp_path / "mount") in Path(p).parents for p in (source, target)]
        if inside[0] != inside[1]:
            raise OSError(errno.EXDEV, "Invalid cross-device link")
        move(source, target)

    monkeypatch.setattr(os, "replace", replace)
    (tmp_path / "mount").mkdir()
    build(Document("x", [Section("s", [])]), tmp_path / "mount", formats=("md",))
    assert [p.name for p in (tmp_path / "mount").iterdir()] == ["report.md"]
