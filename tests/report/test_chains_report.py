"""The report on gradient chains: every result of the references is in it; what is false shows as false."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

from rnnderive import report as rp
from rnnderive.chains.theory import Claim
from rnnderive.cli import app
from rnnderive.report import chains_derivations, chains_report, languages
from rnnderive.report.chains_claims import claim_table, row_title
from rnnderive.report.chains_figures import FIGURES
from tests.report.words import english, said

conftest = sys.modules[next(n for n in sys.modules if n.endswith("conftest") and hasattr(sys.modules[n], "HOSTILE"))]

COMMITTED = Path(__file__).parents[2] / "reports" / "chains"
ROWS = (
    *("pascanu", "transient", "irnn", "orthogonal", "wall", "fold", "hochreiter", "latch"),
    *("newman", "saxe", "product", "singular", "tanh", "clark", "driven", "critical"),
    *("path", "forget", "chrono", "rest", "mingru", "greff", "zucchet", "truncated", "revolve"),
    *("long", "slope", "contributions", "testing", "gru"),
)
LANGS = languages.available()
EN = languages.load("en")
# Topics whose full form takes a second or two.
CHEAP = ("wall", "sensitivity", "checkpointing", "forms")

TRUE = Claim("newman", "first", 3.0, 3.0, 0.0, "", "exact")
FALSE = replace(TRUE, says="last", measured=3.5, tolerance=0.25)


def committed(lang: str = "en") -> str:
    return (COMMITTED / f"{languages.load(lang).stem('chains')}.typ").read_text()


def source(*blocks: object) -> list[str]:
    return rp.typst_source(rp.Document("t", [rp.Section("s", list(blocks))])).split("\n")


def headings(text: str) -> list[str]:
    return re.findall(r"#heading\(level: 2\)\[[\d.]+~#h\(0.4em\)(.*)\] <section", text)


@pytest.mark.parametrize("lang", LANGS)
def test_every_result_of_the_references_is_in_the_committed_report(lang: str) -> None:
    words = languages.load(lang)
    sections = [rp.Section("s", [])] + [rp.Section(row_title(words, row), [], level=2) for row in ROWS]
    expected = headings(rp.typst_source(rp.Document("t", sections, lang=lang)))
    assert len(expected) == len(ROWS)
    assert sorted(headings(committed(lang))) == sorted(expected)


@pytest.mark.parametrize("lang", LANGS)
def test_every_claim_of_the_committed_report_holds(lang: str) -> None:
    text, words = committed(lang), languages.load(lang)
    hold = rp.plain(words("chains.hold", held=30, count=30, true=0, claims=0, published=0)).split(":")[0]
    assert len(ROWS) == 30 and hold in text.replace("~", "\u00a0")
    assert "✗" not in text and words.sentence("chains.not_confirmed") not in text and "[U+" not in text


def test_derivations_and_figures_belong_to_results() -> None:
    assert set(chains_derivations.DERIVATIONS) <= set(ROWS)
    assert set(FIGURES) <= set(ROWS)
    drawn = {p.stem for p in (COMMITTED / "figures" / "chains").glob("*.svg")}
    assert drawn == {stem for _, stem in FIGURES.values()}


@pytest.fixture(scope="module")
def found() -> dict[str, tuple[Claim, ...]]:
    """Claims of the cheap topics, measured once."""
    return dict(chains_report.measured_claims(True, topics=CHEAP))


def sentences(table: str) -> set[str]:
    return {key.rpartition(".")[2] for key in EN.sentences if re.fullmatch(rf"chains\.{table}\.\w+", key)}


def test_the_catalogue_has_the_results_their_topics_and_figures_and_no_others() -> None:
    tables = {key.split(".")[1] for key in EN.sentences if re.fullmatch(r"chains\.\w+\.\w+", key)}
    assert tables == {*ROWS, "topic", "plan", "source", "line", "picture"}
    topics = {topic.replace(" ", "_") for topic in chains_report.TOPICS}
    assert sentences("topic") == sentences("plan") == topics
    assert {row for row in ROWS if "figure" in sentences(row)} == set(FIGURES)


def test_a_result_says_what_it_claims_and_nothing_else(found: dict[str, tuple[Claim, ...]]) -> None:
    for row in {c.row for claims in found.values() for c in claims}:
        said = {c.says for claims in found.values() for c in claims if c.row == row}
        assert sentences(row) - {"title", "figure"} == said


@pytest.mark.parametrize("lang", LANGS)
def test_every_line_of_a_derivation_is_a_sentence(lang: str) -> None:
    lines = [line for all_of in chains_derivations.DERIVATIONS.values() for one in all_of for line in one()]
    told = chains_derivations.steps(languages.load(lang), lines).steps
    assert len(told) == len(lines) > 30 and {line.rule for line in lines} == sentences("line")


def test_no_english_word_is_left_in_the_russian_report(found: dict[str, tuple[Claim, ...]]) -> None:
    texts = list(said(chains_report.chains_document(found, True, "ru")))
    assert len(texts) > 200
    assert {text: left for text in texts if (left := english(text))} == {}


def test_numbers_of_the_russian_report_have_its_decimal_mark(found: dict[str, tuple[Claim, ...]]) -> None:
    document = chains_report.chains_document({"sensitivity": found["sensitivity"]}, True, "ru")
    (table,) = [b for s in document.sections for b in s.blocks if isinstance(b, rp.Table) and len(b.header) == 6]
    text = rp.typst_source(rp.Document("t", [rp.Section("s", [table])], lang="ru"))
    assert (
        "0,99" in text and "251262,63" in text and not re.search(r"\d\.\d(?!\d*(?:em|pt))", text[text.index("0,99") :])
    )


def test_all_formats_have_the_same_tables_equations_and_headings(found: dict[str, tuple[Claim, ...]]) -> None:
    numbered = re.compile(r"(?:Таблица|Рисунок|Раздел)[ ~\u00a0](\d+)")
    document = chains_report.chains_document(found, True, "ru")
    printed = [p(document) for p in (rp.typst_source, rp.latex_source, rp.html_source, rp.markdown_source)]
    counts = [sorted(set(map(int, numbered.findall(text.replace("&nbsp;", " "))))) for text in printed]
    assert counts[0] and all(c == counts[0] for c in counts)


def rows_without_rounding(claims: list[Claim], row: str) -> Iterator[str]:
    """A table's rows, what is measured and how far it is off left open: last digits are the machine's."""
    for line in source(claim_table(EN, row, claims)):
        if line.startswith("  [") and line.endswith("],"):
            cells = re.split(r"(?<=\]), (?=\[)", line.strip().rstrip(","))
            yield ", ".join(".*" if k in (2, 3) and len(cells) == 6 else re.escape(c) for k, c in enumerate(cells))


TOPIC_SETS = [pytest.param(topic, id=topic) for topic in CHEAP] + [
    pytest.param(topic, marks=pytest.mark.slow, id=topic) for topic in chains_report.TOPICS if topic not in CHEAP
]


@pytest.mark.parametrize("topic", TOPIC_SETS)
def test_committed_tables_are_what_a_rebuild_gives(topic: str) -> None:
    claims = chains_report.measured_claims(topics=[topic])[topic]
    text = committed()
    for row in dict.fromkeys(c.row for c in claims):
        rows = list(rows_without_rounding([c for c in claims if c.row == row], row))
        assert rows
        missing = [r for r in rows if not re.search(f"^  {r},$", text, re.M)]
        assert not missing, missing


def test_a_false_claim_is_marked_and_makes_the_report_false(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(chains_report, "TOPICS", {"random products": lambda quick: iter([TRUE, FALSE])})
    monkeypatch.setattr(chains_report, "figure_of", lambda *given: [])
    done = rp.chains(tmp_path, engine="typst")
    assert not done and done.failed == (FALSE,)
    text = (tmp_path / "chains.typ").read_text()
    assert "0 of 1 results hold" in text and "1 of 2 claims" in text and "✗ 1" in text
    assert text.count("✗ no") == 1 and text.count("✓ a") == 1
    monkeypatch.setattr(chains_report, "TOPICS", {"random products": lambda quick: iter([TRUE])})
    assert rp.chains(tmp_path, engine="typst", lang="ru").path == tmp_path / "chains_ru.pdf"


def test_a_nan_and_an_infinity_are_printed_and_a_nan_never_holds() -> None:
    claims = [replace(TRUE, says=w, measured=v) for w, v in (("first", float("nan")), ("last", -float("inf")))]
    text = "\n".join(source(claim_table(EN, "newman", claims)))
    assert "nan" in text and "infinity" in text and text.count("✗ no") == 2


@pytest.mark.parametrize("holds", [True, False])
def test_command_ends_with_1_when_a_claim_fails(holds: bool, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    told = rp.ChainsReport(tmp_path / "chains.pdf", (TRUE,) if holds else (TRUE, FALSE))
    monkeypatch.setattr(rp, "chains", lambda *given, **options: told)
    result = CliRunner().invoke(app, ["report", "chains", "-o", str(tmp_path)])
    assert result.exit_code == (0 if holds else 1)
    assert str(told.path) in result.output
    assert ("Newman 1986: N = 16: λ_16: theory 3, measured 3.5" in result.output) is not holds


def test_quick_is_for_chains_only(tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["report", "lecture", "--quick", "-o", str(tmp_path)])
    assert result.exit_code == 2 and "--quick" in result.output and "chains only" in result.output


SCRIPT = """
from rnnderive import report as rp
from rnnderive.report.chains_derivations import chrono, fold, steps
from rnnderive.report.chains_report import TOPICS, chains_document
from rnnderive.report.languages import load
found = {"forms": tuple(TOPICS["forms"](True))}
derived = rp.Document("t", [rp.Section("s", [steps(load("en"), lines())]) for lines in (fold, chrono)])
print(rp.typst_source(chains_document(found, True)) + rp.typst_source(derived))
"""


def test_same_bytes_whatever_the_hash_seed() -> None:
    runs = [
        subprocess.Popen([sys.executable, "-c", SCRIPT], env={**os.environ, "PYTHONHASHSEED": seed},
                         stdout=subprocess.PIPE, text=True)
        for seed in ("1", "77")
    ]  # fmt: skip
    one, two = (run.communicate()[0] for run in runs)
    assert len(one) > 10_000 and one == two


def test_nothing_begins_outside_the_page_s_margins() -> None:
    margin = 2.5 / 2.54 * 72
    outside = [g for g in conftest.glyphs(COMMITTED / "chains.pdf") if not margin - 1 <= g[1] <= 595.3 - margin + 1]
    assert not outside


def test_a_wrong_step_is_not_confirmed() -> None:
    x = chains_derivations.sp.Symbol("x", positive=True)
    assert chains_derivations.equal(x * (x + 1), x**2 + x) and not chains_derivations.equal(x * (x + 1), x**2)
    line = chains_derivations.Line("root", chains_derivations.sympy_math(x), False)
    (step,) = chains_derivations.steps(EN, [line]).steps
    assert step.mark.startswith("✗")
