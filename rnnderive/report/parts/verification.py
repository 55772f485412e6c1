"""The ladder of checks, run for this report: rung, method, points, tolerance, largest error, verdict."""

from __future__ import annotations

import re

from rnnderive.checks import Rung
from rnnderive.report import document as doc
from rnnderive.report.parts.case import Case
from rnnderive.report.parts.formulas import number_math

__all__ = ["ladder_table", "points", "slug", "verification"]


def verification(case: Case) -> list[doc.Section]:
    """Words and table."""
    blocks = [case.say("verification.intro"), case.say("verification.methods"), ladder_table(case),
              case.say("verification.points"), points(case)]  # fmt: skip
    return [case.section("verification.title", blocks)]


def points(case: Case) -> doc.Bullets:
    """The sizes at which the rungs were tried."""
    found: dict[str, list[str]] = {}
    for r in case.ladder:
        sizes = ", ".join(re.findall(r"\b\w+ = \d+", r.note)) if r.ok else ""
        if sizes:
            found.setdefault(sizes, []).append(doc.plain(_named(case, "rung", r.rung)))
    return doc.Bullets([[doc.Code(sizes), ": ", "; ".join(rungs)] for sizes, rungs in found.items()])


def ladder_table(case: Case) -> doc.Table:
    """A row a rung."""
    head = [case.words(f"verification.{k}") for k in ("rung", "method", "count", "tolerance", "error", "verdict")]
    rows = [_row(case, r) for r in case.ladder]
    return doc.Table(head, rows, case.words("verification.caption", seed=case.seed), "llrlrl", label="ladder")


def _row(case: Case, r: Rung) -> list[doc.Text]:
    error: doc.Text = "–" if r.error is None else doc.Formula(number_math(r.error, 2))
    if r.ok is None:
        return [_named(case, "rung", r.rung), "", "", "", "", case.words("verification.left_out")]
    verdict = case.words("verification.holds") if r.ok else case.words("verification.fails", where=doc.Code(r.note))
    return [
        _named(case, "rung", r.rung), _named(case, "method", r.method), str(r.count),
        _named(case, "tolerance", r.tolerance), error, ["✓ " if r.ok else "✗ ", *verdict],
    ]  # fmt: skip


def _named(case: Case, kind: str, name: str) -> doc.Text:
    """A rung, method or tolerance in the report's language, by its name."""
    key = f"{kind}.{slug(name)}"
    return case.words(key) if key in case.words.sentences else name


def slug(name: str) -> str:
    """A name as a key of the catalogue.

    Examples
    --------
    >>> slug("tangent in the field; complex step")
    'tangent_in_the_field_complex_step'
    """
    return re.sub(r"\W+", "_", name).strip("_")
