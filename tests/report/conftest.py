"""The demo document, and what reads PDFs."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from typing import Any

import pytest

# Tests are imported without packages here, so the shared formulas are loaded by their file.
_spec = importlib.util.spec_from_file_location("report_formulas", Path(__file__).with_name("formulas.py"))
assert _spec and _spec.loader
formulas = importlib.util.module_from_spec(_spec)
sys.modules["report_formulas"] = formulas
_spec.loader.exec_module(formulas)

from rnnderive import cells  # noqa: E402
from rnnderive import report as rp  # noqa: E402
from tests.report import tools  # noqa: E402

HOSTILE = (
    r"# $ * _ < > @ \ [ ] ~ ` { } & % ^ | -- --- ... // /* */ http://a.b/c_d?x=1&y=2; \input{x} "
    r"#eval(1) $x$ <lab> @ref 1. = + - / ,, !x ?y << >> %comment \\ {{}} ${"
)
UNICODE = "σ ∂ ≤ → ✓ ✗ é ß ł h⁰ x₁ −1 ⊙ ‖x‖ 漢 “q” … ½"


def demo(**options: Any) -> rp.Document:
    """Every kind of block, hostile text everywhere a user's text can stand."""
    lstm = cells.lstm()
    rows = [(e.left.math(lstm.notation), e.right.math(lstm.notation)) for e in lstm.equations]
    gate = rp.Formula(lstm["f"].math(lstm.notation))
    first = rp.Section(
        ["First ", HOSTILE, gate],
        [
            rp.Paragraph(HOSTILE, rp.Bold(HOSTILE), "(a)", rp.Emph(HOSTILE), "[b]", rp.Code(HOSTILE), ".c"),
            *(rp.Paragraph(start) for start in ("1. one", "- one", "= one", "/ a: b", "[x]", "+ one", UNICODE)),
            rp.Paragraph("word" * 80, " ", rp.Code("name_" * 60)),
            rp.Paragraph("See ", rp.Ref("gates"), ", ", rp.Ref("tab"), ", ", rp.Ref("fig"), ", ", rp.Ref("second"),
                         ", ", rp.Ref("turn"), ", ", rp.Ref("code"), " and ", rp.Cite("H97"), ".", gate, gate),
            rp.Paragraph("A wide formula ", rp.Formula(formulas.LONG), " within a line."),
            rp.Aligned(rows, label="gates", note=["Note ", HOSTILE]),
            *(rp.Equation(math) for math in formulas.WIDE.values()),
        ],
    )  # fmt: skip
    second = rp.Section(
        "Second",
        [
            rp.Steps([
                rp.Step(1, HOSTILE, formulas.LONG, "✓ exact"),
                rp.Step(2, ["total derivative of ", gate], rows[0][1], "✗ " + HOSTILE, label="turn"),
            ]),
            rp.Box([rp.Paragraph(HOSTILE), rp.Equation(rows[3][1]), rp.Bullets(["one", [gate]])], HOSTILE),
            rp.Box([rp.Table(["a"], [["b"]]), rp.Listing("x = 1")]),
            rp.Table(
                [HOSTILE, "shape", gate],
                [["W" * 90, "n × m", HOSTILE * 2], [rp.Formula(formulas.LONG), "y", gate]],
                HOSTILE, "lcr", label="tab",
            ),
            rp.Table(["k", "value"], [[str(k), rp.Formula(formulas.chain(3))] for k in range(60)], "Long", "rl"),
            rp.Listing("def f(x):\n    # σ {braces} \\n 'q' `t` ∂\n    return " + "x + " * 60 + "x\n" + "z" * 300,
                       caption=HOSTILE, label="code"),
            rp.Figure(lambda: rp.unrolled_graph(lstm), HOSTILE, HOSTILE, "graph", "fig"),
            rp.Bullets([HOSTILE, "two"], ordered=True),
        ],
        label="second",
    )  # fmt: skip
    third = rp.Section("Deeper", [rp.Equation(rows[0][1], label="end")], level=2)
    last = rp.Section("Sources", [rp.References({"H97": HOSTILE})], numbered=False)
    return rp.Document(
        "Demo " + HOSTILE, [first, second, third, last], subtitle=[HOSTILE, gate], author="A & B",
        footer=[HOSTILE, "seed 1"], contents=True, **options,
    )  # fmt: skip


def glyphs(pdf: Path) -> list[tuple[int, float, float, str]]:
    """(page, x, y, text) of every piece of text in a PDF, in points from the lower left corner."""
    from pypdf import PdfReader

    out: list[tuple[int, float, float, str]] = []
    for number, page in enumerate(PdfReader(pdf).pages):
        # Embedded figures have coordinates of their own.
        page["/Resources"].get_object().pop("/XObject", None)

        def visit(text: str, cm: Any, tm: Any, font: Any, size: Any, number: int = number) -> None:
            if text.strip():
                x = tm[4] * cm[0] + tm[5] * cm[2] + cm[4]
                y = tm[4] * cm[1] + tm[5] * cm[3] + cm[5]
                out.append((number, x, y, text))

        page.extract_text(visitor_text=visit)
    return out


@pytest.fixture(scope="session")
def typst_report(tmp_path_factory: pytest.TempPathFactory) -> rp.Report:
    """The demo, built by Typst."""
    return rp.build(demo(), tmp_path_factory.mktemp("typst") / "out", "demo", engine="typst")


@pytest.fixture(scope="session")
def tex_report(tmp_path_factory: pytest.TempPathFactory) -> rp.Report:
    """The demo, built by TeX; skips where TeX is not complete."""
    tools.need_tex()
    return rp.build(demo(), tmp_path_factory.mktemp("tex") / "out", "demo", engine="tex")
