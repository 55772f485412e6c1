"""One document, five outputs: the same headings, numbers and references in each, in every language."""

from __future__ import annotations

import html
import re
import sys
from pathlib import Path

import pytest

from rnnderive import cells
from rnnderive import printing as pr
from rnnderive import report as rp
from rnnderive.report.latex_printer import latex_source
from rnnderive.report.typst_printer import typst_source
from tests.report import tools

formulas = sys.modules["report_formulas"]


def handout(lang: str) -> rp.Document:
    """Plain words around every numbered thing, and a reference to each."""
    lstm = cells.lstm()
    rows = [(e.left.math(lstm.notation), e.right.math(lstm.notation)) for e in lstm.equations]
    share = formulas.equal(pr.Letter("s"), pr.Numeral("0.25"))
    first = rp.Section("Alpha", [
        rp.Paragraph(rp.Ref("gates"), "; ", rp.Ref("table"), "; ", rp.Ref("picture"), "; ", rp.Ref("beta"), "; ",
                     rp.Ref("deep"), "; ", rp.Ref("turn"), "; ", rp.Ref("code"), "; ", rp.Cite("H97")),
        rp.Aligned(rows, label="gates"), rp.Equation(formulas.LONG), rp.Equation(share, numbered=False),
        rp.Table(["a", "b"], [["x", rp.Formula(share)]], "Caption", label="table"),
    ])  # fmt: skip
    second = rp.Section("Beta", [
        rp.Steps([rp.Step(1, "rule", formulas.LONG, "✓"), rp.Step(2, "rule", share, "✗", label="turn")]),
        rp.Figure(lambda: rp.activation_curves(["tanh"]), "Caption", "a curve", "curve", "picture"),
        rp.Box([rp.Equation(share)], "Box"), rp.Listing("x = 1", caption="Caption", label="code"),
    ], label="beta")  # fmt: skip
    third = rp.Section("Gamma", [rp.Equation(formulas.SQUARED)], level=2, label="deep")
    last = rp.Section("Delta", [rp.References({"H97": "A source"})], numbered=False)
    return rp.Document("Title", [first, second, third, last], footer=["end"], contents=True, lang=lang)


def bare(markup: str) -> str:
    """The words of a piece of any of the outputs, spaces made one."""
    text = re.sub(r"<[^>]*>|\\anchor\{[^}]*\}", "", markup)
    text = re.sub(r"#h\(0\.4em\)|\\hspace\{0\.7em\}|~", " ", text)
    text = re.sub(r"\\(?:cyr|textcolor\{rule\})\{([^}]*)\}", r"\1", text)
    return " ".join(html.unescape(re.sub(r"\\(?=\W)|\{\}", "", text)).split())


PATTERNS = {  # headings, equations, references
    "typ": (r"#heading\(level: \d\)\[(.*)\] <", r"number: \[\((\d+)\)\]", r"#link\(<.*?>\)\[(.*?)\];"),
    "tex": (r"\\(?:sub)?section\*\{(.*)\}\n", r"\\display\[\\anchor\{[^}]*\}\((\d+)\)",
            r"\\hyperlink\{.*?\}\{(\\textcolor\{rule\}\{.*?\})\}(?=;|\n|\\par|$)"),
    "html": (r"<h[23] id=[^>]*>(.*)</h", r'class="tag"[^>]*>\((\d+)\)', r'<p>(<a href="#.*)</p>'),
    "md": (r"(?m)^##+ (.*)$", r"\\tag\{(\d+)\}", r"(?m)^(\[.*\]\(#.*)$"),
}  # fmt: skip
DECIMAL = {"typ": '0class("normal", \\,)25', "tex": "0{,}25", "html": "<mn>0,25</mn>", "md": "0{,}25"}


def sources(document: rp.Document) -> dict[str, str]:
    return {
        "typ": typst_source(document), "tex": latex_source(document), "html": rp.html_source(document),
        "md": rp.markdown_source(document),
    }  # fmt: skip


def references(kind: str, text: str) -> list[str]:
    found = re.findall(PATTERNS[kind][2], text)
    if kind in ("html", "md"):
        found = found[0].split("; ")
    return [bare(re.sub(r"\]\(#.*?\)$", "", f).removeprefix("[")) if kind == "md" else bare(f) for f in found]


@pytest.mark.parametrize("lang", rp.languages.available())
def test_headings_numbers_and_references_are_the_same_in_every_output(lang: str) -> None:
    words = rp.languages.load(lang)
    named = {k: rp.plain(words(f"structure.{k}", number=n)).replace("\u00a0", " ")
             for k, n in {"table": 1, "figure": 1, "section": 2, "step": 2, "listing": 1}.items()}  # fmt: skip
    deeper = named["section"].replace("2", "2.1")
    for kind, text in sources(handout(lang)).items():
        headings, equations, _ = PATTERNS[kind]
        shown = [bare(h) for h in re.findall(headings, text)]
        assert [h for h in shown if h != bare(words.sentence("structure.contents"))] == [
            "1 Alpha", "2 Beta", "2.1 Gamma", "Delta",
        ], kind  # fmt: skip
        assert re.findall(equations, text) == ["1", "2", "3", "4"], kind
        assert references(kind, text) == [
            "(1)", named["table"], named["figure"], named["section"], deeper, named["step"], named["listing"], "[1]",
        ], kind  # fmt: skip


@pytest.mark.parametrize("lang", rp.languages.available())
@pytest.mark.parametrize("engine", ["typst", "tex"])
def test_the_pages_of_both_engines_have_the_outline_and_numbers_of_the_source(
    engine: str, lang: str, tmp_path: Path
) -> None:
    from pypdf import PdfReader

    if engine == "tex":
        tools.need_tex(rp.languages.load(lang).latex["files"])
    report = rp.build(handout(lang), tmp_path, engine=engine)
    assert report.warnings == ()
    reader = PdfReader(report.pdf)
    flat = [o for o in reader.outline if not isinstance(o, list)]
    inner = [o for part in reader.outline if isinstance(part, list) for o in part]
    titles = [re.sub(r"\s+", " ", str(o.title)).strip() for o in flat + inner]
    contents = rp.languages.load(lang).sentence("structure.contents")
    assert [t for t in titles if t != contents] == ["1 Alpha", "2 Beta", "Delta", "2.1 Gamma"]
    text = "".join(re.sub(r"\s+", "", page.extract_text()) for page in reader.pages)
    assert sorted(re.findall(r"\((\d+)\)", text)) == ["1", "1", "2", "3", "4"]  # (1) is referred to once
    assert sum(len(page.get("/Annots") or []) for page in reader.pages) >= 12  # contents and references


def test_decimal_marks_are_the_language_s_in_every_output() -> None:
    english = sources(handout("en"))
    for kind, text in sources(handout("ru")).items():
        assert text.count(DECIMAL[kind]) == 4 and DECIMAL[kind] not in english[kind], kind
