"""From a document to files: sources, pages, and the PDF by Typst or by TeX, all moved into place at once.

The same document gives the same bytes: no times, no machine's paths, no fonts of the system.
"""

from __future__ import annotations

import errno
import os
import re
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from rnnderive.errors import InputError, RnnDeriveError
from rnnderive.files import check_folder, why_not
from rnnderive.report.document import Document, Figure, Numbered
from rnnderive.report.drawing import drawing
from rnnderive.report.html_printer import html_source
from rnnderive.report.latex_printer import CYRILLIC_FILES, FILES, latex_source
from rnnderive.report.markdown_printer import markdown_source
from rnnderive.report.numbering import Manuscript, number
from rnnderive.report.printer import Figures
from rnnderive.report.typst_printer import typst_source

__all__ = ["ENGINES", "FORMATS", "Report", "build", "check_order", "missing_tex"]

ENGINES = ("auto", "typst", "tex")
FORMATS = ("pdf", "tex", "html", "md")
# What a format consists of beside figures, in the order in which the files are put in place.
_FILES = {"pdf": ("typ", "tex", "pdf"), "tex": ("tex",), "html": ("html",), "md": ("md",)}
_PICTURES = {"pdf": ("pdf", "svg"), "tex": ("pdf",), "html": (), "md": ("svg",)}
_SECONDS = 180  # for one run of TeX
_RUNS = 6
_EPOCH = 0  # the time that all outputs carry


@dataclass(frozen=True)
class Report:
    """The files of a report by their suffix, the engine that made the PDF, and what it complained of."""

    files: Mapping[str, Path]
    engine: str = ""
    warnings: tuple[str, ...] = ()

    @property
    def pdf(self) -> Path:
        """The PDF."""
        return self.files["pdf"]


def build(
    document: Document,
    output_dir: str | os.PathLike[str],
    stem: str = "report",
    engine: str = "auto",
    formats: Sequence[str] = ("pdf",),
) -> Report:
    """Write a report into a folder: ``stem.pdf`` with its sources and figures, ``stem.html``, ``stem.md``.

    Parameters
    ----------
    document : Document
        The report.
    output_dir : path
        Made if it does not exist; other files in it stay.
    stem : str
        Name of the files, and of the folder ``figures/<stem>``.
    engine : {'auto', 'typst', 'tex'}
        ``auto`` takes TeX where it is installed with every file needed, else Typst.
    formats : sequence of {'pdf', 'tex', 'html', 'md'}
        ``pdf`` comes with ``stem.typ`` and ``stem.tex``; ``html`` is one file with its figures inside.

    Returns
    -------
    Report
        Where the files are.

    Raises
    ------
    InputError
        For an unknown engine or format, or a document with unknown or repeated labels.
    RnnDeriveError
        When TeX is asked for and is not complete, when the engine fails, or when the files
        cannot be written.  What stood in the folder before is then untouched.
    """
    check_order(output_dir, stem, engine, formats)
    manuscript = number(document)
    used, warnings = "", list[str]()
    with _workshop(Path(output_dir), stem) as folder:
        figures, pictures = _draw(manuscript, folder, stem, {s for f in formats for s in _PICTURES[f]})
        for suffix, printed in _printed(manuscript, figures, pictures, formats):
            _write(folder / f"{stem}.{suffix}", printed.encode())
        if "pdf" in formats:
            used, warnings = _compile(folder, stem, engine, manuscript)
        suffixes = [s for f in FORMATS for s in _FILES[f] if f in formats]
        files = _move(folder, Path(output_dir), stem, list(dict.fromkeys(suffixes)))
    return Report(files, used, tuple(warnings))


def check_order(output_dir: str | os.PathLike[str], stem: str, engine: str, formats: Sequence[str]) -> None:
    """Refuse what :func:`build` cannot make, before there is a document.

    Raises
    ------
    InputError
        For an unknown engine or format, a name that is none for files, and a folder that cannot be written to.
    """
    if engine not in ENGINES:
        raise InputError(f"unknown engine {engine!r}; expected one of {', '.join(ENGINES)}")
    if not formats or set(formats) - set(FORMATS):
        raise InputError(f"found the formats {', '.join(formats) or 'none'}; expected some of {', '.join(FORMATS)}")
    if not re.fullmatch(r"[\w.-]+", stem, re.ASCII) or stem.startswith("."):
        raise InputError(f"{stem!r} is no name for a report; expected letters, digits, '.', '_' and '-'")
    target = Path(output_dir)
    if target.exists() and not target.is_dir():
        raise InputError(f"{target} is a file; expected a folder for the report")
    check_folder(target, f"the report cannot be written to {target}")


def _printed(
    manuscript: Manuscript, figures: Figures, pictures: Figures, formats: Sequence[str]
) -> Iterator[tuple[str, str]]:
    """Suffix and text of every source."""
    if {"pdf", "tex"} & set(formats):
        yield "tex", latex_source(manuscript, figures)
    if "pdf" in formats:
        yield "typ", typst_source(manuscript, figures)
    if "html" in formats:
        yield "html", html_source(manuscript, pictures)
    if "md" in formats:
        yield "md", markdown_source(manuscript, figures)


# ---------------------------------------------------------------- files


@contextmanager
def _workshop(target: Path, stem: str) -> Iterator[Path]:
    """A folder on the target's device, gone afterwards whatever happens: in it, or where it will be made."""
    folder: Path | None = None
    try:
        place = target if target.is_dir() else target.absolute().parent
        place.mkdir(parents=True, exist_ok=True)
        folder = Path(tempfile.mkdtemp(prefix=f".{stem}-", dir=place))
        yield folder
    except OSError as e:
        kept = " An earlier report there is unchanged." if any(target.glob(f"{stem}.*")) else ""
        raise RnnDeriveError(f"the report could not be written to {target}: {why_not(e)}.{kept}") from e
    finally:
        if folder is not None:
            shutil.rmtree(folder, ignore_errors=True)


def _write(path: Path, data: bytes) -> None:
    """Write and flush, so that a full disk is noticed here and not after the move."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def _move(folder: Path, target: Path, stem: str, suffixes: Sequence[str]) -> dict[str, Path]:
    """Put the finished files in place; the PDF after its sources."""
    target.mkdir(parents=True, exist_ok=True)
    fresh, old = folder / "figures" / stem, target / "figures" / stem
    if old.exists():
        os.replace(old, folder / "replaced")
    if fresh.exists():
        old.parent.mkdir(exist_ok=True)
        os.replace(fresh, old)
    elif old.parent.is_dir() and not any(old.parent.iterdir()):
        old.parent.rmdir()
    for suffix in suffixes:
        os.replace(folder / f"{stem}.{suffix}", target / f"{stem}.{suffix}")
    return {suffix: target / f"{stem}.{suffix}" for suffix in suffixes}


# ---------------------------------------------------------------- figures


def _draw(manuscript: Manuscript, folder: Path, stem: str, suffixes: Set[str]) -> tuple[Figures, Figures]:
    """Write every figure; return its file (without suffix), or its SVG, and its width, by anchor."""
    files: dict[str, tuple[str, float]] = {}
    pictures: dict[str, tuple[str, float]] = {}
    for block in manuscript.blocks():
        if not (isinstance(block, Numbered) and isinstance(block.block, Figure)):
            continue
        name = block.block.stem or block.anchor
        path = f"figures/{stem}/{name}"
        if not re.fullmatch(r"[\w-]+", name, re.ASCII) or path in {p for p, _ in files.values()}:
            raise InputError(f"{name!r} is no name for a figure, or names two; expected letters, digits, '_' and '-'")
        drawn, wide = drawing(block.block.image)
        for suffix in sorted(suffixes):
            _write(folder / f"{path}.{suffix}", drawn[suffix])
        files[block.anchor], pictures[block.anchor] = (path, wide), (drawn["svg"].decode(), wide)
    return files, pictures


# ---------------------------------------------------------------- engines


def missing_tex(files: Iterable[str] = ()) -> tuple[str, ...]:
    """What TeX lacks to make a report, and some files beside: programs and files; empty where it is complete."""
    programs = [p for p in ("pdflatex", "kpsewhich") if shutil.which(p) is None]
    if programs:
        return tuple(programs)
    return tuple(name for name in (*FILES, *files) if not _run(["kpsewhich", name], None, 20).stdout.strip())


def _compile(folder: Path, stem: str, engine: str, manuscript: Manuscript) -> tuple[str, list[str]]:
    cyrillic = CYRILLIC_FILES if "T2A" in (folder / f"{stem}.tex").read_text("utf-8") else ()
    missing = missing_tex((*manuscript.words.latex["files"], *cyrillic)) if engine != "typst" else ()
    if engine == "tex" and missing:
        raise RnnDeriveError(
            f"TeX is not complete: {', '.join(missing)} not found. Install it (on Debian: apt-get install "
            "texlive-latex-recommended texlive-fonts-recommended lmodern"
            f"{' texlive-lang-cyrillic cm-super' if cyrillic else ''}) or take the engine typst, which needs nothing"
        )
    if engine == "typst" or missing:
        return "typst", _typst(folder, stem)
    if engine == "tex":
        return "tex", _pdflatex(folder, stem)
    try:
        return "tex", _pdflatex(folder, stem)
    except RnnDeriveError as e:
        return "typst", [f"Typst was used because TeX failed: {e}", *_typst(folder, stem)]


def _typst(folder: Path, stem: str) -> list[str]:
    import typst

    try:
        pdf, warnings = typst.compile_with_warnings(
            str(folder / f"{stem}.typ"),
            root=str(folder),
            format="pdf",
            timestamp=_EPOCH,
            ignore_system_fonts=True,
            pdf_standards="ua-1",
        )
    except typst.TypstError as e:
        raise RnnDeriveError(f"Typst could not make the PDF: {e}") from e
    _write(folder / f"{stem}.pdf", pdf)
    return [str(w) for w in warnings]


def _pdflatex(folder: Path, stem: str) -> list[str]:
    """Run pdfLaTeX until its auxiliary files stand still.

    Not latexmk: two of its builds of one document were once seen to differ, probably because it
    compares files by time and size first and stopped a run too early.
    """
    command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "-no-shell-escape", f"{stem}.tex"]
    last: list[bytes] | None = None
    for _ in range(_RUNS):
        try:
            done = _run(command, folder, _SECONDS)
        except subprocess.TimeoutExpired:
            raise RnnDeriveError(f"TeX did not finish within {_SECONDS} s and was stopped") from None
        if done.returncode or not (folder / f"{stem}.pdf").exists():
            raise _tex_failure(folder / f"{stem}.log", done.stdout)
        files = [(folder / f"{stem}.{suffix}") for suffix in ("aux", "out", "toc")]
        now = [f.read_bytes() if f.exists() else b"" for f in files]
        if now == last:
            break
        last = now
    return _complaints((folder / f"{stem}.log").read_text("utf-8", "replace"))


def _tex_failure(log: Path, shown: str) -> Exception:
    text = log.read_text("utf-8", "replace") if log.exists() else shown
    if "No space left on device" in text + shown:
        return OSError(errno.ENOSPC, "no space left on device")
    found = re.search(r"^!.*(?:\n.*){0,4}", text, re.M)
    return RnnDeriveError(f"TeX could not make the PDF: {found[0].strip() if found else shown[-500:]}")


def _complaints(log: str) -> list[str]:
    """Lines of a TeX log that say something is wrong on the page."""
    out = [
        line
        for line in log.splitlines()
        if re.match(r"(LaTeX|Package \w+) Warning|Missing character|pdfTeX warning", line)
    ]
    wide = re.findall(r"^Overfull \\[hv]box \((\d+\.?\d*)pt too .*$", log, re.M)
    return out + [f"overfull box by {pt} pt" for pt in wide if float(pt) > 2]


def _run(command: list[str], folder: Path | None, seconds: float) -> subprocess.CompletedProcess[str]:
    """Run a program without a terminal; stop it and what it started when its time is over."""
    environment = {**os.environ, "SOURCE_DATE_EPOCH": str(_EPOCH), "FORCE_SOURCE_DATE": "1", "max_print_line": "1000"}
    with subprocess.Popen(
        command, cwd=folder, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, text=True, errors="replace", start_new_session=True,
    ) as process:  # fmt: skip
        try:
            out, _ = process.communicate(timeout=seconds)
        except BaseException:
            os.killpg(process.pid, signal.SIGKILL)
            raise
    return subprocess.CompletedProcess(command, process.returncode, out, "")
