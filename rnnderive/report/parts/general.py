"""The same for any number of steps: Σ over steps of ∏ over factors."""

from __future__ import annotations

from typing import Any

from rnnderive.errors import RnnDeriveError
from rnnderive.language import terms as tm
from rnnderive.report import document as doc
from rnnderive.report.parts.case import Case
from rnnderive.report.parts.formulas import equal
from rnnderive.report.parts.steps import lines

__all__ = ["closed", "general"]


def general(case: Case) -> list[doc.Section]:
    """The expansion for the leading parameter, and the closed form for every one."""
    blocks: list[Any] = [case.say("general.intro")]
    try:
        blocks.append(lines(case, case.leading, tm.T, local="no"))
    except RnnDeriveError:
        blocks.append(case.say("general.none", name=case.formula(case.leading)))
    others = [p for p in case.net.parameters if p != case.leading]
    if others:
        blocks.append(case.say("general.others"))
        blocks += [closed(case, name) for name in others]
    return [case.section("general.title", blocks)]


def closed(case: Case, wrt: str) -> doc.Equation | doc.Paragraph:
    """The gradient for any T."""
    try:
        return doc.Equation(equal(case.gradient(wrt), case.math(case.d.chain(wrt))))
    except RnnDeriveError:  # a state that is read at several lags has no product of one factor a step
        return case.say("general.none", name=case.formula(wrt))
