"""Build the reports that are published here, and note their checksums.

    python reports/build.py [NAME ...]

A name is ``lecture``, ``lecture_ru``, ``comparison``, ``comparison_ru``, ``chains`` (in every language, measured once)
or the name of a cell; all of them unless given.  Each has its sources beside it: ``.typ``, ``.tex`` and figures.  Same
packages, same bytes: ``SHA256SUMS`` names the packages and every file but those of ``chains``, which takes minutes, and
a test builds all of these anew and compares.
"""

from __future__ import annotations

import hashlib
import os
import sys
from importlib.metadata import version
from pathlib import Path

import numpy  # noqa: F401  (threadpool_info tells of libraries that are loaded)
from threadpoolctl import threadpool_info

from rnnderive import cells
from rnnderive import report as rp
from rnnderive.report.chains_report import measured_claims

HERE = Path(__file__).parent
SUMS = HERE / "SHA256SUMS"
PACKAGES = ("numpy", "sympy", "matplotlib", "typst")
IMAGES = HERE.parent / "docs" / "images"
# Pages that README shows: picture, report, and words that stand on the page.
PAGES = (
    ("report-derivation", "lecture", "2.3 The recurrent side The state"),
    ("report-gates", "lecture", "5.4 What the gates do along a sentence"),
    ("report-paths", "cells/lstm", "The paths through one step."),
)
WHOLE = {
    f"{name}{'' if lang == 'en' else f'_{lang}'}": (name, lang)
    for name in ("lecture", "comparison")
    for lang in ("en", "ru")
}
NAMES = tuple(dict.fromkeys((*WHOLE, *cells.LIBRARY)))  # the cell of the lecture is in its report
CHAINS = "chains"  # its last digits are the machine's, so that it has no checksum


def packages() -> str:
    """What the bytes of a report depend on, in one line: last digits come from the kernels for a processor."""
    python = ".".join(map(str, sys.version_info[:2]))
    kernels = {i["architecture"] for i in threadpool_info() if i["user_api"] == "blas" and "architecture" in i}
    names = (f"{name} {version(name)}" for name in PACKAGES)
    return "# " + ", ".join([f"Python {python}", *names, f"BLAS for {' '.join(sorted(kernels)) or 'any processor'}"])


def place(name: str) -> str:
    """Where a report's PDF is published."""
    return f"{WHOLE[name][0]}/{name}.pdf" if name in WHOLE else f"cells/{name}.pdf"


def built(name: str, folder: Path) -> Path:
    """The PDF of a report, built in a folder with its sources."""
    if name in WHOLE:
        what, lang = WHOLE[name]
        return (rp.lecture if what == "lecture" else rp.comparison)(folder, engine="typst", lang=lang)
    return rp.cell_report(cells.load(name), name, folder, engine="typst")


def noted() -> dict[str, str]:
    """File → checksum, as published; with the line of packages under the empty name."""
    lines = SUMS.read_text("utf-8").splitlines() if SUMS.exists() else []
    found = dict(reversed(line.split("  ", 1)) for line in lines if not line.startswith("#"))
    return {**found, "": lines[0] if lines else ""}


def files(pdf: Path) -> list[Path]:
    """What a report consists of: the PDF, its sources, its figures."""
    figures = sorted((pdf.parent / "figures" / pdf.stem).glob("*"))
    return [path for path in (pdf, pdf.with_suffix(".typ"), pdf.with_suffix(".tex"), *figures) if path.exists()]


def checksums(pdf: Path, name: str) -> dict[str, str]:
    """Every file of a report as it is published → its checksum."""
    folder = Path(place(name)).parent
    return {(folder / path.relative_to(pdf.parent)).as_posix(): checksum(path) for path in files(pdf)}


def checksum(path: Path) -> str:
    """Of a file."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def chains() -> bool:
    """Build the report on gradient chains in every language; whether all of its claims hold."""
    found = measured_claims()
    done = [rp.chains(HERE / CHAINS, engine="typst", lang=lang, found=found) for lang in rp.languages.available()]
    for report in done:
        print(report.path.relative_to(HERE.parent), flush=True)
    return all(done)


def pictures() -> None:
    """Write the pages that README shows, as small pictures."""
    import pypdfium2

    IMAGES.mkdir(exist_ok=True)
    for picture, report, words in PAGES:
        path = HERE / (f"{report}.pdf" if "/" in report else place(report))
        with pypdfium2.PdfDocument(path) as pdf:
            texts = (" ".join(page.get_textpage().get_text_range().split()) for page in pdf)
            (*_, number) = (k for k, text in enumerate(texts) if words in text)
            image = pdf[number].render(scale=0.85).to_pil()
        image.quantize(48).save(IMAGES / f"{picture}.png", optimize=True)
        print(f"docs/images/{picture}.png, page {number + 1}")


def main(names: list[str]) -> int:
    """Publish some reports, or all of them."""
    names = names or [*NAMES, CHAINS]
    if unknown := [n for n in names if n not in (*NAMES, CHAINS)]:
        print(f"no report is called {', '.join(unknown)}; there are {', '.join((*NAMES, CHAINS))}", file=sys.stderr)
        return 2
    if CHAINS in names and not chains():
        print("a claim of the report on gradient chains does not hold; it is marked there", file=sys.stderr)
        return 1
    names = [n for n in names if n != CHAINS]
    if not names:
        return 0
    for name in names:
        built(name, (HERE / place(name)).parent)
        print(f"reports/{place(name)}", flush=True)
    found = {file: of for n in NAMES for file, of in checksums(HERE / place(n), n).items()}
    pictures()
    SUMS.write_text("\n".join([packages(), *(f"{s}  {f}" for f, s in sorted(found.items()))]) + "\n", "utf-8")
    return 0


if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    sys.exit(main(sys.argv[1:]))
