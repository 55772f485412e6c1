"""Markdown: what the user wrote is shown letter by letter, and formulas survive a Markdown reader."""

from __future__ import annotations

import html
import re
import sys

import pytest
from markdown_it import MarkdownIt

from rnnderive import printing as pr
from rnnderive import report as rp
from rnnderive.report.markdown_printer import escape

conftest = sys.modules[next(n for n in sys.modules if n.endswith("conftest") and hasattr(sys.modules[n], "HOSTILE"))]
formulas = sys.modules["report_formulas"]
NASTY = (
    "<script>alert(1)</script> | a_b_c *x* **y** `z` [t](javascript:x) ![i](u) $q$ ~~s~~ &amp; &#60; \\ # > - + 1. @me"
)


def shown(source: str) -> str:
    """The words on the page, as a Markdown reader with tables shows them."""
    page = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"]).render(source)
    return html.unescape(re.sub(r"<[^>]*>", "", page))


@pytest.mark.parametrize(
    "text", [NASTY, conftest.HOSTILE, "1. one", "- one", "+ one", "# one", "> one", "= one", "---"]
)
def test_text_is_shown_letter_by_letter(text: str) -> None:
    assert shown(escape(text)).strip() == text


def test_no_html_of_the_user_is_html_of_the_page() -> None:
    section = rp.Section(NASTY, [
        rp.Paragraph(NASTY, rp.Bold(NASTY), rp.Emph(NASTY), rp.Code(NASTY)), rp.Equation(pr.Word(NASTY), note=NASTY),
        rp.Table([NASTY], [[NASTY]], NASTY), rp.Box([rp.Bullets([NASTY])], NASTY), rp.Listing("```\n" + NASTY),
    ])  # fmt: skip
    source = rp.markdown_source(rp.Document(NASTY, [section], subtitle=NASTY, author=NASTY, footer=[NASTY]))
    page = MarkdownIt("commonmark", {"html": True}).enable("table").render(source)
    assert "<script" not in page and "javascript:" not in re.sub(r"(?s)>[^<]*<", "><", page)
    assert shown(source).count("<script>alert(1)</script>") >= 13


def test_a_table_keeps_its_columns() -> None:
    table = rp.Table(["a|b", "c"], [[rp.Formula(pr.Fenced(pr.Letter("x"), "|")), rp.Code("p|q")]], "", "lr")
    source = rp.markdown_source(rp.Document("t", [rp.Section("s", [table])]))
    page = MarkdownIt("commonmark", {"html": True}).enable("table").render(source)
    assert page.count("<td") == page.count("<th>") + page.count("<th ") == 2
    assert "p|q" in shown(source)


@pytest.mark.parametrize("name", [*formulas.CELLS, *formulas.WIDE])
def test_a_display_has_nothing_that_markdown_takes_for_its_own(name: str) -> None:
    math = {**formulas.CELLS, **formulas.WIDE}[name]
    source = rp.markdown_source(rp.Document("t", [rp.Section("s", [rp.Equation(math)])]))
    formula = source.split("$$")[1]
    assert not re.search(r"\\\\|\\[|{},]|[<>|*]", formula)
    assert formula.count("{") - formula.count(r"\{") == formula.count("}") - formula.count(r"\}")


def test_two_formulas_side_by_side_are_two() -> None:
    x = rp.Formula(pr.Letter("x"))
    source = rp.markdown_source(rp.Document("t", [rp.Section("s", [rp.Paragraph("a", x, x, x, "b")])]))
    assert "a$x$ $x$ $x$b" in source
