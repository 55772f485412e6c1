"""Both printers show the same text, the same numbers, and leave the page nowhere."""

from __future__ import annotations

import re
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from rnnderive import report as rp
from rnnderive.errors import InputError
from rnnderive.report.latex_printer import latex_source
from rnnderive.report.numbering import number
from rnnderive.report.typst_printer import typst_source

conftest = sys.modules[next(n for n in sys.modules if n.endswith("conftest") and hasattr(sys.modules[n], "HOSTILE"))]
PAGE, LEFT, RIGHT = (595.3, 841.9), 70.8, 595.3 - 70.8


@pytest.fixture(params=["typst_report", "tex_report"])
def report(request: pytest.FixtureRequest) -> rp.Report:
    return request.getfixturevalue(request.param)


def test_no_warnings(report: rp.Report) -> None:
    assert report.warnings == ()


def test_nothing_leaves_the_text_block(report: rp.Report) -> None:
    for page, x, y, text in conftest.glyphs(report.pdf):
        assert LEFT - 6 < x < RIGHT + 6, (page, x, text)
        assert 30 < y < PAGE[1] - 60, (page, y, text)


def _letters(pdf: Path) -> str:
    from pypdf import PdfReader

    text = "".join(page.extract_text() for page in PdfReader(pdf).pages)
    for ligature, plain in {"ﬁ": "fi", "ﬂ": "fl", "ﬀ": "ff", "\u200b": "", "’": "'"}.items():
        text = text.replace(ligature, plain)
    return re.sub(r"\s+", "", text)


def test_hostile_text_is_shown_letter_by_letter(report: rp.Report) -> None:
    shown = _letters(report.pdf)
    for word in (r"\input{x}", "#eval(1)", "$x$", "<lab>", "@ref", "/**/", "http://a.b/c_d?x=1&y=2;", "{{}}${",
                 "1.one", "=one", "/a:b", "[x]", "+one", "[U+6F22]", "%comment"):  # fmt: skip
        assert word in shown, word
    assert "--" in shown and "---" in shown


def test_references_name_what_they_point_at() -> None:
    targets = number(conftest.demo()).targets
    found = {label: target.text.replace("\u00a0", " ") for label, target in targets.items()}
    assert found == {
        "gates": "(1)", "tab": "Table 1", "fig": "Figure 1", "second": "Section 2", "turn": "step 2",
        "code": "Listing 1", "end": "(13)",
    }  # fmt: skip


def test_an_unknown_label_is_named() -> None:
    document = rp.Document("x", [rp.Section("s", [rp.Paragraph(rp.Ref("nowhere"))])])
    for printer in (typst_source, latex_source):
        with pytest.raises(InputError, match="nowhere"):
            printer(document)


def test_a_label_given_twice_is_named() -> None:
    equation = rp.Equation(sys.modules["report_formulas"].LONG, label="twice")
    with pytest.raises(InputError, match="'twice' is given twice"):
        number(rp.Document("x", [rp.Section("s", [equation, equation])]))


@pytest.mark.parametrize(
    ("title", "sections", "said"),
    [
        ("", [], "the document has no title"),
        ("t", [rp.Section("", [])], "a section has no title"),
        ("t", [rp.Section("deep", [], level=2)], "the first section, 'deep', has level 2"),
        ("t", [rp.Section("deeper", [], level=3)], "has level 3; expected 1 or 2"),
        ("t", [rp.Section("s", [rp.Bullets([])])], "a list has no items"),
    ],
)
def test_what_a_page_cannot_do_without_is_asked_for(title: str, sections: list[rp.Section], said: str) -> None:
    with pytest.raises(InputError, match=said):
        number(rp.Document(title, sections))


def test_a_figure_without_alternative_text_is_refused() -> None:
    with pytest.raises(InputError, match="say in alt what is to be seen"):
        rp.Figure(lambda: None, "caption", " ")


def test_russian_words_are_set_in_both() -> None:
    document = rp.Document("Отчёт", [rp.Section("Раздел", [rp.Paragraph("Человек в шляпе")])], lang="ru")
    assert "Человек в шляпе" in latex_source(document)
    assert r"\cyr{Человек} \cyr{в} \cyr{шляпе}" in latex_source(replace(document, lang="en"))
    assert "Человек в шляпе" in typst_source(document)
