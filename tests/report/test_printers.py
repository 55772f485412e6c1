"""Both printers show the same text, the same numbers, and leave the page nowhere."""

from __future__ import annotations

import re
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from rnnderive import printing as pr
from rnnderive import report as rp
from rnnderive.errors import InputError
from rnnderive.report.latex_printer import latex_source
from rnnderive.report.measures import column_shares, table_lines
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


@pytest.mark.parametrize(("after", "kept"), [(rp.Equation(pr.Letter("x")), True), (rp.Paragraph("More."), False)])
def test_the_paragraph_that_opens_a_section_stays_with_the_formula_after_it(after: Any, kept: bool) -> None:
    document = rp.Document("A title", [rp.Section("A section", [rp.Paragraph("It opens."), after])])
    assert ("#lead[It opens.]" in rp.typst_source(document)) == kept
    assert ("It opens.\\par\\nopagebreak" in rp.latex_source(document)) == kept


def test_a_small_table_stands_on_one_page_and_a_long_one_begins_with_three_rows() -> None:
    def lines(count: int, cell: str = "short") -> int:
        table = rp.Table(["head"], [[cell]] * count)
        return table_lines(table, column_shares(table))

    assert [lines(2), lines(13), lines(14), lines(50)] == [3, 14, 4, 4]
    assert lines(3, "word " * 40) > lines(3)


def test_a_heading_with_a_table_right_under_it_begins_the_page_that_the_table_needs() -> None:
    table = rp.Table(["head"], [["cell"]] * 5)
    for blocks in ([table], [rp.Paragraph("It opens."), table]):
        source = rp.latex_source(rp.Document("A title", [rp.Section("A section", blocks)]))
        assert re.search(r"\\atleast\{[\d.]+\\baselineskip\}%\n\\section", source)
    source = rp.latex_source(rp.Document("A title", [rp.Section("A section", [rp.Bullets(["one"]), table])]))
    assert "%\n\\section" not in source
