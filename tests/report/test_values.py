"""Every value can be told: as a document, and in a notebook."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import rnnderive as rd
from rnnderive import cells
from rnnderive.errors import InputError
from rnnderive.report import Document, plain, to_document
from rnnderive.report.parts import small_point


@pytest.fixture(scope="module")
def analysis() -> object:
    net = cells.vanilla()
    return rd.analyze(net, *small_point(net, 20, seed=0))


def test_a_derivation_is_a_document_and_shows_its_adjoint() -> None:
    d = rd.derive("vanilla")
    document = d.to_document(T=2, lang="ru")
    assert isinstance(document, Document) and document.lang == "ru"
    assert any("W" in plain(s.title) for s in document.sections)
    page = d._repr_html_()
    assert page.count("<math") == 2 and "<h1" not in page and "<script" not in page
    assert "frac" in d._repr_latex_()


def test_an_analysis_is_a_document_and_a_formula(analysis: rd.chains.Analysis) -> None:
    document = analysis.to_document()
    assert [plain(s.title) for s in document.sections] == [analysis.label]
    assert re.fullmatch(
        r"\$\\displaystyle \\left\\\|.*\\right\\\| \\approx e\^\{- \d\.\d+ k\}\$", str(analysis._repr_latex_())
    )
    assert "<table" in analysis._repr_html_()


def test_a_verdict_is_a_document() -> None:
    d = rd.derive("vanilla")
    wrong = rd.verify(d.net, str(d.adjoint).replace("U.T", "U"))
    document = wrong.to_document()
    assert wrong.headline == "WRONG: 4 of 6 gradients"
    assert plain(document.title).replace("\u00a0", " ") == "Wrong: 4 of 6 gradients"
    assert [plain(s.title) for s in document.sections] == ["The answer", "Diagnosis"]
    text = rd.report.markdown_source(document)
    assert "U stands where U.T belongs" in text and r"U @ delta\_h".replace("@", r"\@") in text


def test_what_cannot_be_told_is_named() -> None:
    with pytest.raises(InputError, match="a dict cannot be told"):
        to_document({})


def test_a_document_shows_itself_in_a_notebook() -> None:
    document = rd.report.Document("Title", [rd.report.Section("One", [rd.report.Paragraph("*words*")])])
    assert "<h1>Title</h1>" in document._repr_html_() and "<html" not in document._repr_html_()
    assert document._repr_markdown_() == '# Title\n\n## <a id="section-1"></a>1 One\n\n\\*words\\*\n'


@pytest.mark.parametrize("suffix", ["html", "md", "tex"])
def test_the_name_says_what_is_written(suffix: str, tmp_path: Path) -> None:
    path = rd.report("vanilla", tmp_path / f"my-net.{suffix}", parts=["adjoint"])
    assert path == tmp_path / f"my-net.{suffix}" and "my-net" in path.read_text("utf-8")
    assert [p.name for p in tmp_path.iterdir()] == [path.name]


def test_another_name_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"'net\.docx' is no report; expected a name that ends in \.pdf, \.tex"):
        rd.report("vanilla", tmp_path / "net.docx")
