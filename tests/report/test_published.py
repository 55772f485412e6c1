"""The reports that are published: whole pages, letters that are there, real fonts, references that lead somewhere."""

from __future__ import annotations

import logging
import re
from pathlib import Path
from typing import Any

import pytest

from rnnderive import report as rp
from tests.report import pages, tools

REPORTS = Path(__file__).parents[2] / "reports"
PUBLISHED = sorted(p.relative_to(REPORTS) for p in REPORTS.rglob("*.pdf") if "figures" not in p.parts)


def faults(pdf: Path) -> list[str]:
    """What is wrong with the pages of a PDF."""
    found = pages.outside(pdf)
    text = pages.words(pdf)
    found += [f"Type 3 font {name}" for kind, name in sorted(pages.fonts(pdf)) if kind == "/Type3"]
    found += [f"character missing: {c!r}" for c in sorted(set(re.findall(r"[\ufffd\x00]|\[U\+\w{4,5}\]", text)))]
    found += [f"undefined reference: {line}" for line in text.splitlines() if "??" in line]
    found += [f"text of {size} pt" for size in sorted(set(pages.sizes(pdf))) if size < 4.5]
    return found


@pytest.mark.parametrize("path", PUBLISHED, ids=str)
def test_a_published_report_has_whole_pages(path: Path) -> None:
    from pypdf import PdfReader

    assert faults(REPORTS / path) == []
    reader = PdfReader(REPORTS / path)
    root: Any = reader.trailer["/Root"]
    assert reader.metadata and reader.metadata.title and root["/Lang"] in rp.languages.available()
    assert len(reader.pages) >= 2 and len(reader.outline) >= 2
    sources = re.findall(rb"(?:/root|/home|/tmp|/Users)/", (REPORTS / path).read_bytes())
    assert sources == []


@pytest.mark.slow
@pytest.mark.parametrize("lang", rp.languages.available())
@pytest.mark.parametrize("engine", ["typst", "tex"])
def test_the_lecture_is_set_by_both_engines(
    engine: str, lang: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    if engine == "tex":
        tools.need_tex(rp.languages.load(lang).latex["files"])
    with caplog.at_level(logging.WARNING):
        report = rp.build(rp.lecture_document(lang), tmp_path, "lecture", engine=engine)
    assert report.warnings == ()
    assert [r.message for r in caplog.records] == []  # a glyph that a figure lacks is a line of matplotlib's log
    assert faults(report.pdf) == []
