"""The same for any number of steps: Σ over steps of ∏ over factors."""

from __future__ import annotations

from typing import Any

from rnnderive import printing as pr
from rnnderive.errors import RnnDeriveError
from rnnderive.language import terms as tm
from rnnderive.report import document as doc
from rnnderive.report.parts.case import Case
from rnnderive.report.parts.formulas import equal, substituted
from rnnderive.report.parts.steps import lines

__all__ = ["closed", "general"]


def general(case: Case) -> list[doc.Section]:
    """The expansion for the leading parameter, and the closed form for every one."""
    blocks: list[Any] = [case.say("general.intro")]
    try:
        blocks.append(lines(case, case.leading, tm.T, local="no"))
    except RnnDeriveError:
        blocks.append(case.say("general.none", name=case.formula(case.leading)))
    for names in _alike(case):
        first, rest = names[0], names[1:]
        if first != case.leading:
            blocks += [case.say("general.other", name=case.formula(first)), closed(case, first)]
        if rest:
            blocks.append(case.say("general.alike", name=case.formula(first), names=case.listed(rest)))
    return [case.section("general.title", blocks)]


def _alike(case: Case) -> list[list[str]]:
    """The parameters by the form of their gradient, the leading one first: those of one loop differ in a name only."""
    groups: dict[Any, list[str]] = {}
    for name in (case.leading, *(p for p in case.net.parameters if p != case.leading)):
        try:
            own = {case.math(case.net.leaf(name)): pr.Word("")}
            form = substituted(case.math(case.d.chain(name)), own)
        except RnnDeriveError:
            form = name
        groups.setdefault(form, []).append(name)
    return list(groups.values())


def closed(case: Case, wrt: str) -> doc.Equation | doc.Paragraph:
    """The gradient for any T."""
    try:
        return doc.Equation(equal(case.gradient(wrt), case.math(case.d.chain(wrt))))
    except RnnDeriveError:  # a state that is read at several lags has no product of one factor a step
        return case.say("general.none", name=case.formula(wrt))
