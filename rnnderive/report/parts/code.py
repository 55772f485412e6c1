"""The generated program."""

from __future__ import annotations

from rnnderive.report import document as doc
from rnnderive.report.parts.case import Case

__all__ = ["code"]


def code(case: Case) -> list[doc.Section]:
    """The gradient as NumPy source."""
    return [case.section("code.title", [case.say("code.intro"), doc.Listing(case.d.source())])]
