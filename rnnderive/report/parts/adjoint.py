"""The δ recurrence that the generated program runs: back-propagation through time."""

from __future__ import annotations

from collections.abc import Iterator

from rnnderive import printing as pr
from rnnderive.report import document as doc
from rnnderive.report.parts.case import Case

__all__ = ["adjoint", "backward", "signs"]


def adjoint(case: Case) -> list[doc.Section]:
    """Words, and the equations in the order in which they are computed."""
    return [case.section("adjoint.title", [case.say("adjoint.intro"), *signs(case), backward(case)])]


def signs(case: Case) -> Iterator[doc.Paragraph]:
    """What is written in this backward pass and has not been met before."""
    net, equations = case.d.adjoint, case.d.pulled.backward
    if any(pr.contains(e.right.math(net.notation), pr.Cases) for e in equations):
        yield case.say("adjoint.condition")
    if any(e.name.startswith("delta_") and e.name.removeprefix("delta_") not in case.net for e in equations):
        yield case.say("adjoint.part")


def backward(case: Case, label: str | None = None) -> doc.Aligned:
    """The equations of the backward pass."""
    net = case.d.adjoint
    rows = [(e.left.math(net.notation), e.right.math(net.notation)) for e in case.d.pulled.backward]
    return doc.Aligned(rows, label)
