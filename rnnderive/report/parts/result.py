"""The result in a box: the gradient, the recurrence that computes it, what it does, and whether it was checked."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from rnnderive.errors import RnnDeriveError
from rnnderive.report import document as doc
from rnnderive.report.parts.behaviour import headline
from rnnderive.report.parts.case import Case
from rnnderive.report.parts.formulas import equal
from rnnderive.report.parts.steps import states

__all__ = ["result"]


def result(case: Case) -> list[doc.Section]:
    """The first page."""
    return [doc.Section(case.words("result.title"), [doc.Box(list(_blocks(case)))], numbered=False)]


def _blocks(case: Case) -> Iterator[Any]:
    name = case.leading
    yield case.say("result.gradient", name=case.formula(name))
    try:
        chain = case.d.chain(name)
    except RnnDeriveError:  # no product of one factor a step: the chain for the steps of this report
        chain = case.d.chain(name, case.T)
    yield doc.Equation(equal(case.gradient(name), case.math(chain)), label="result")
    yield from states(case, chain)
    gradient = case.d.pulled.gradients[name]
    yield case.say("result.program")
    equation = case.d.adjoint[gradient]
    notation = case.d.adjoint.notation
    yield doc.Equation(equal(equation.left.math(notation), equation.right.math(notation)), label="result-program")
    for analysis in case.analyses[:1]:
        yield doc.Paragraph(*headline(case, analysis.verdict), " ", *case.words("result.run", T=analysis.trace.T))
    rows = [r for r in case.ladder if r.ok is not None]
    held = sum(bool(r.ok) for r in rows)
    key = "result.checked" if held == len(rows) else "result.failed"
    listed = case.words("result.listed", table=doc.Ref("ladder")) if "verification" in case.parts else ()
    yield doc.Paragraph(*case.words(key, held=held, count=len(rows)), *listed)
