"""One HTML file: nothing runs, nothing is fetched, formulas are there, a phone is wide enough."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from html.parser import HTMLParser
from importlib import resources
from pathlib import Path

import pytest

from rnnderive import printing as pr
from rnnderive import report as rp
from tests.report import browser as br
from tests.report import tools

conftest = sys.modules[next(n for n in sys.modules if n.endswith("conftest") and hasattr(sys.modules[n], "HOSTILE"))]
formulas = sys.modules["report_formulas"]
NASTY = (
    """</p></title></style><script>alert(1)</script><img src=x onerror=alert(1)> """
    """ "' onload='x' --> ]]> &amp; &#60; {{7*7}}"""
)
TAGS = set(
    """html head meta title style body main header h1 h2 h3 p b em a nav ul ol li section div span figure figcaption
    table thead tbody tr th td pre code footer br math mrow mi mo mn msub msup msubsup munder mover munderover mfrac
    mtable mtr mtd mspace svg g path use defs clippath rect""".split()  # noqa: SIM905
)


class Reader(HTMLParser):
    """Tags, attributes and text of a page."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.shown: list[str] = []
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in {"meta", "br", "mspace"}:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag, tag

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.shown.append(data)


def read(page: str) -> Reader:
    reader = Reader()
    reader.feed(page)
    assert reader.open == []
    return reader


def nasty() -> rp.Document:
    """Text that would like to be markup, in every place where text can stand."""
    return rp.Document(NASTY, [rp.Section(NASTY, [
        rp.Paragraph(NASTY, rp.Bold(NASTY), rp.Emph(NASTY), rp.Code(NASTY), rp.Formula(pr.Word(NASTY))),
        rp.Equation(pr.Word(NASTY), note=NASTY), rp.Steps([rp.Step(1, NASTY, pr.Word("x"), "✗ " + NASTY)]),
        rp.Table([NASTY], [[NASTY]], NASTY), rp.Listing(NASTY, caption=NASTY), rp.Box([rp.Bullets([NASTY])], NASTY),
        rp.Figure(lambda: rp.activation_curves(["tanh"]), NASTY, NASTY), rp.References({"a": NASTY}),
    ])], subtitle=NASTY, author=NASTY, footer=[NASTY], contents=True)  # fmt: skip


def test_nothing_of_the_user_becomes_markup() -> None:
    reader = read(rp.html_source(nasty()))
    assert {tag for tag, _ in reader.tags} <= TAGS
    for tag, attributes in reader.tags:
        assert not any(name.startswith("on") for name in attributes), (tag, attributes)
        assert all(re.fullmatch(r"#[\w-]+", attributes.get(a) or "#x") for a in ("href", "xlink:href", "src")), (
            attributes
        )
    said = "<script>alert(1)</script><img src=x onerror=alert(1)>"
    assert sum(said in text for text in reader.shown) >= 15


@pytest.mark.parametrize("document", [nasty, conftest.demo])
def test_references_lead_somewhere_and_names_stand_once(document: object) -> None:
    reader = read(rp.html_source(document()))  # type: ignore[operator]
    names = [a["id"] for _, a in reader.tags if "id" in a]
    assert len(names) == len(set(names))
    aims = [str(a["href"])[1:] for tag, a in reader.tags if tag == "a"]
    aims += [str(a["xlink:href"])[1:] for _, a in reader.tags if "xlink:href" in a]
    aims += [str(a["aria-labelledby"]) for _, a in reader.tags if "aria-labelledby" in a]
    assert aims and set(aims) <= set(names)


def test_the_page_forbids_scripts_and_the_network_and_names_its_language() -> None:
    page = rp.html_source(rp.Document("t", [], lang="ru"))
    assert "default-src 'none'" in page and '<html lang="ru">' in page


def test_every_formula_can_be_heard() -> None:
    page = rp.html_source(conftest.demo())
    assert page.count("<math ") == page.count(' alttext="') > 50
    assert 'alttext="fᵗ' in page or 'alttext="f^t = σ(W_f [h^{t-1}, x^t] + b_f)' in page


# ---------------------------------------------------------------- contrast


def _brightness(colour: str) -> float:
    """Relative luminance (WCAG 2.1)."""
    digits = colour.lstrip("#")
    digits = digits if len(digits) == 6 else "".join(2 * d for d in digits)
    parts = [int(digits[k : k + 2], 16) / 255 for k in (0, 2, 4)]
    r, g, b = (v / 12.92 if v <= 0.03928 else ((v + 0.055) / 1.055) ** 2.4 for v in parts)
    return 0.2126 * r + 0.7152 * g + 0.0722 * b


def contrast(one: str, two: str) -> float:
    dark, light = sorted(map(_brightness, (one, two)))
    return (light + 0.05) / (dark + 0.05)


def _palettes() -> Iterator[tuple[str, dict[str, str]]]:
    style = resources.files("rnnderive.report").joinpath("preamble.css").read_text("utf-8")
    screen, _, rest = style.partition("@media (prefers-color-scheme: dark)")
    dark, _, printed = rest.partition("@media print")
    for name, part in (("light", screen), ("dark", dark), ("print", printed)):
        yield name, dict(re.findall(r"--([\w-]+): (#\w+)", part))


@pytest.mark.parametrize(("name", "palette"), list(_palettes()))
def test_every_colour_can_be_read_on_every_ground(name: str, palette: dict[str, str]) -> None:
    inks = [k for k in palette if k.startswith("tint-")] + ["ink", "soft", "link", "good", "bad"]
    assert len(inks) == 11
    for ground in ("paper", "tinge"):
        for k in inks:
            assert contrast(palette[k], palette[ground]) >= 4.5, (name, k, ground)


def test_colours_of_the_pdf_can_be_read() -> None:
    from rnnderive.report import typst_printer
    from rnnderive.report.printer import preamble

    shown = re.findall(r"definecolor\{\w+\}\{HTML\}\{(\w{6})\}", preamble("tex"))
    shown += [typst_printer._colour(mark)[1:] for mark in ("✓", "✗", "")]
    assert len(shown) == 7
    for colour in shown:
        assert contrast(colour, "ffffff") >= 4.5, colour


# ---------------------------------------------------------------- in a browser


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("page") / "demo.html"
    path.write_text(rp.html_source(conftest.demo()), "utf-8")
    return path


@pytest.fixture(scope="module")
def tab() -> Iterator[br.Browser]:
    if not br.executable():
        tools.absent("there is no Chromium here")
    with br.browser() as tab:
        yield tab


WIDER = """[...document.querySelectorAll('main *')].filter(e => {
  const box = e.getBoundingClientRect();
  return box.width && (box.right > WIDTH + 0.5 || box.left < -0.5) && !e.closest('.scroll, .wide, pre')
}).map(e => e.tagName + ' ' + e.textContent.slice(0, 40))"""


@pytest.mark.parametrize(("width", "dark"), [(360, False), (360, True), (1200, False)])
def test_nothing_is_wider_than_the_window(tab: br.Browser, page: Path, width: int, dark: bool, tmp_path: Path) -> None:
    tab.open(page, width, dark=dark)
    assert tab.value("document.documentElement.scrollWidth") <= width
    assert tab.value(WIDER.replace("WIDTH", str(width))) == []
    shot = tmp_path / "shot.png"
    tab.screenshot(shot)
    from PIL import Image

    with Image.open(shot) as picture:
        grey = picture.convert("L")
        assert grey.size[0] == width and len(grey.getcolors() or range(256)) > 20
        corner = grey.getpixel((1, 1))
        assert (corner < 60) is dark  # type: ignore[operator]


def test_formulas_are_set_and_links_lead_to_what_is_seen(tab: br.Browser, page: Path) -> None:
    tab.open(page, 900)
    heights = tab.value("[...document.querySelectorAll('math')].map(e => e.getBoundingClientRect().height)")
    assert len(heights) > 50 and min(heights) > 5
    # A fraction is set as one: its numerator stands above its denominator.
    above = "[...document.querySelectorAll('mfrac')].every(f => f.children[0].getBoundingClientRect().bottom"
    assert tab.value(f"{above} <= f.children[1].getBoundingClientRect().top + 1)")
    tab.value("document.querySelector('p a[href=\"#table-1\"]').click()")
    top = tab.value("document.getElementById('table-1').getBoundingClientRect().top")
    assert -1 <= top < 800


def test_the_page_asks_for_nothing_and_says_nothing_to_the_console(tab: br.Browser, page: Path) -> None:
    tab.open(page, 900)
    assert tab.logged == []
    assert set(tab.requests) == {page.as_uri()}


def test_the_page_prints(tab: br.Browser, page: Path, tmp_path: Path) -> None:
    from tests.report.pages import darkest, words

    tab.open(page, 900, dark=True)
    tab.pdf(tmp_path / "print.pdf")
    assert darkest(tmp_path / "print.pdf") == 0  # ink is black, though the screen is dark
    text = words(tmp_path / "print.pdf")
    for said in ("Second", "Deeper", "Sources", "(13)", "Figure", "Listing"):
        assert said in text


@pytest.mark.parametrize("engine", ["typst", "tex"])
def test_the_same_text_is_harmless_in_a_pdf(engine: str, tmp_path: Path) -> None:
    if engine == "tex":
        tools.need_tex()
    from tests.report.pages import words

    report = rp.build(nasty(), tmp_path, engine=engine)
    assert report.warnings == ()
    assert re.sub(r"[\s\u200b]", "", words(report.pdf)).count("<script>alert(1)</script>") >= 12
