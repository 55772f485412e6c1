"""The gradient entry by entry, in index notation."""

from __future__ import annotations

from rnnderive import printing as pr
from rnnderive.report import document as doc
from rnnderive.report.parts.case import Case

__all__ = ["components", "entries"]


def components(case: Case) -> list[doc.Section]:
    """The leading parameter's gradient in components."""
    name = case.formula(case.leading)
    return [case.section("components.title", [case.say("components.intro"), entries(case, case.leading)], name=name)]


def entries(case: Case, wrt: str) -> doc.Aligned:
    """∂L/∂W_ij and the recurrences behind it."""
    rows = []
    for c in case.d.components(wrt):
        relation = c.math()
        assert isinstance(relation, pr.Infix)
        rows.append((relation.items[0], relation.items[1]))
    return doc.Aligned(rows)
