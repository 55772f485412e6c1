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
from rnnderive.report import chains_derivations, chains_report
from rnnderive.report.chains_figures import FIGURES
from rnnderive.report.chains_tables import claim_table, prose

conftest = sys.modules[next(n for n in sys.modules if n.endswith("conftest") and hasattr(sys.modules[n], "HOSTILE"))]

COMMITTED = Path(__file__).parents[2] / "reports" / "chains"
ROWS = (
    "Pascanu, Mikolov, Bengio 2013",
    "Non-normal transient",
    "Le, Jaitly, Hinton 2015",
    "Arjovsky, Shah, Bengio 2016",
    "The wall, Pascanu, Mikolov, Bengio 2013, fig. 6",
    "Bifurcation, Pascanu, Mikolov, Bengio 2013, fig. 3",
    "Hochreiter 1991; Hochreiter & Schmidhuber 1997",
    "Bengio, Simard, Frasconi 1994",
    "Newman 1986",
    "Saxe, McClelland, Ganguli 2014",
    "Never form P",
    "Singular Jacobians",
    "Random tanh net, mean field",
    "Clark 2026, published spectrum",
    "Driven nets, Chen, Pennington, Schoenholz 2018",
    "Critical gain by activation",
    "Cell path",
    "Forget bias, Gers et al. 2000; Jozefowicz et al. 2015",
    "Chrono initialisation, Tallec & Ollivier 2018",
    "Critical gain at zero state and input",
    "minGRU, Feng et al. 2024",
    "Greff et al. 2017",
    "Zucchet & Orvieto 2024",
    "Truncated BPTT bias",
    "Memory: revolve, Griewank & Walther 2000",
    "Log norms of one vector",
    "σ'(a) = σ(a) σ(−a)",
    "Contributions",
    "Testing gradients",
    "Two forms of a GRU",
)
# Topics whose full form takes a second or two.
CHEAP = ("wall", "sensitivity", "checkpointing", "forms")

TRUE = Claim("Newman 1986", "three is three", 3.0, 3.0, 0.0, "exact")
FALSE = replace(TRUE, statement="λ_1 is three", measured=3.5, tolerance=0.25)


def committed() -> str:
    return (COMMITTED / "chains.typ").read_text()


def source(*blocks: object) -> list[str]:
    return rp.typst_source(rp.Document("t", [rp.Section("s", list(blocks))])).split("\n")


def headings(text: str) -> list[str]:
    return re.findall(r"#heading\(level: 2\)\[[\d.]+~#h\(0.4em\)(.*)\] <section", text)


def test_every_result_of_the_references_is_in_the_committed_report() -> None:
    sections = [rp.Section("s", [])] + [rp.Section([*prose(row)], [], level=2) for row in ROWS]
    expected = headings(rp.typst_source(rp.Document("t", sections)))
    assert len(expected) == len(ROWS)
    assert sorted(headings(committed())) == sorted(expected)
    assert all(f"[{chains_report.TITLES[topic]}" in committed() for topic in chains_report.TOPICS)


def test_every_claim_of_the_committed_report_holds() -> None:
    text = committed()
    assert f"{len(ROWS)} of {len(ROWS)} results hold" in text
    assert "✗" not in text and "not confirmed" not in text and "[U+" not in text


def test_derivations_and_figures_belong_to_results() -> None:
    assert set(chains_derivations.DERIVATIONS) <= set(ROWS)
    assert set(FIGURES) <= set(ROWS)
    drawn = {p.stem for p in (COMMITTED / "figures" / "chains").glob("*.svg")}
    assert drawn == {stem for _, stem, _ in FIGURES.values()}


def rows_without_rounding(claims: list[Claim], row: str) -> Iterator[str]:
    """A table's rows, what is measured and how far it is off left open: last digits are the machine's."""
    for line in source(claim_table(row, claims)):
        if line.startswith("  [") and line.endswith("],"):
            cells = re.split(r"(?<=\]), (?=\[)", line.strip().rstrip(","))
            yield ", ".join(".*" if k in (2, 3) and len(cells) == 6 else re.escape(c) for k, c in enumerate(cells))


TOPIC_SETS = [pytest.param(topic, id=topic) for topic in CHEAP] + [
    pytest.param(topic, marks=pytest.mark.skipif("RNNDERIVE_FULL" not in os.environ, reason="two minutes"), id=topic)
    for topic in chains_report.TOPICS
    if topic not in CHEAP
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
    assert rp.chains(tmp_path, engine="typst")


def test_a_nan_and_an_infinity_are_printed_and_a_nan_never_holds() -> None:
    claims = [replace(TRUE, statement=w, measured=v) for w, v in (("one", float("nan")), ("two", -float("inf")))]
    text = "\n".join(source(claim_table("Newman 1986", claims)))
    assert "nan" in text and "infinity" in text and text.count("✗ no") == 2


@pytest.mark.parametrize("holds", [True, False])
def test_command_ends_with_1_when_a_claim_fails(holds: bool, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    told = rp.ChainsReport(tmp_path / "chains.pdf", (TRUE,) if holds else (TRUE, FALSE))
    monkeypatch.setattr(rp, "chains", lambda *given, **options: told)
    result = CliRunner().invoke(app, ["report", "chains", "-o", str(tmp_path)])
    assert result.exit_code == (0 if holds else 1)
    assert str(told.pdf) in result.output
    assert ("λ_1 is three: theory 3, measured 3.5" in result.output) is not holds


def test_quick_is_for_chains_only(tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["report", "lecture", "--quick", "-o", str(tmp_path)])
    assert result.exit_code == 2 and "--quick" in result.output and "chains only" in result.output


SCRIPT = """
from rnnderive import report as rp
from rnnderive.report.chains_derivations import chrono, fold, steps
from rnnderive.report.chains_report import TOPICS, chains_document
found = {"forms": tuple(TOPICS["forms"](True))}
derived = rp.Document("t", [rp.Section("s", [steps(lines())]) for lines in (fold, chrono)])
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
    line = chains_derivations.Line("wrong", chains_derivations.sympy_math(x), False)
    (step,) = chains_derivations.steps([line]).steps
    assert step.mark.startswith("✗")
