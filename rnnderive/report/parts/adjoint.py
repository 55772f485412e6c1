"""The δ recurrence that the generated program runs: back-propagation through time."""

from __future__ import annotations

from rnnderive.report import document as doc
from rnnderive.report.parts.case import Case

__all__ = ["adjoint", "backward"]


def adjoint(case: Case) -> list[doc.Section]:
    """Words, and the equations in the order in which they are computed."""
    return [case.section("adjoint.title", [case.say("adjoint.intro"), backward(case)])]


def backward(case: Case, label: str | None = None) -> doc.Aligned:
    """The equations of the backward pass."""
    net = case.d.adjoint
    rows = [(e.left.math(net.notation), e.right.math(net.notation)) for e in case.d.pulled.backward]
    return doc.Aligned(rows, label)
