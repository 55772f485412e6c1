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
        rows.append((relation.items[0], pr.rewritten(relation.items[1], _without_words)))
    return doc.Aligned(rows)


def _without_words(node: pr.Math) -> pr.Math:
    """Cases whose last one holds otherwise, with a condition of its own: a formula needs no language."""
    if not isinstance(node, pr.Choice) or len(node.cases) < 2 or not isinstance(node.cases[-1][1], pr.Word):
        return node
    (_, before), (last, _) = node.cases[-2:]
    if not (isinstance(before, pr.Infix) and before.signs == ("", "le")):
        return node
    return pr.Choice((*node.cases[:-1], (last, pr.Infix(("", ">"), before.items, pr.RELATION))))
