"""The parts of a report, one file each; every part is computed from the recurrence, none is written for a cell.

A part is a function from a :class:`Case` to sections.  :data:`PARTS` has them in the order of a report.
"""

from collections.abc import Callable, Iterable

from rnnderive.errors import InputError
from rnnderive.report import document as doc
from rnnderive.report.parts.adjoint import adjoint
from rnnderive.report.parts.behaviour import behaviour
from rnnderive.report.parts.case import DETAILS, Case, small_point
from rnnderive.report.parts.code import code
from rnnderive.report.parts.components import components
from rnnderive.report.parts.footer import footer
from rnnderive.report.parts.general import general
from rnnderive.report.parts.jacobians import jacobians
from rnnderive.report.parts.model import model
from rnnderive.report.parts.notation import notation
from rnnderive.report.parts.numbers import numbers
from rnnderive.report.parts.result import result
from rnnderive.report.parts.steps import steps
from rnnderive.report.parts.terms import terms
from rnnderive.report.parts.verification import verification

__all__ = ["BY_DETAIL", "DETAILS", "PARTS", "Case", "chosen", "footer", "sections", "small_point"]

Part = Callable[[Case], list[doc.Section]]

PARTS: dict[str, Part] = {
    "result": result,
    "notation": notation,
    "model": model,
    "steps": steps,
    "general": general,
    "jacobians": jacobians,
    "adjoint": adjoint,
    "components": components,
    "terms": terms,
    "behaviour": behaviour,
    "numbers": numbers,
    "verification": verification,
    "code": code,
}
# What a report has unless its parts are chosen.
BY_DETAIL: dict[str, tuple[str, ...]] = {
    "brief": ("result", "model", "steps", "general", "behaviour", "verification"),
    "lecture": tuple(PARTS),
    "full": tuple(PARTS),
}


def chosen(detail: str, parts: Iterable[str] | None = None) -> tuple[str, ...]:
    """The names of the parts of a report, in its order.

    Raises
    ------
    InputError
        For a part or a detail that is not there.
    """
    if detail not in BY_DETAIL:
        raise InputError(f"detail is {detail!r}; expected one of {', '.join(DETAILS)}")
    wanted = BY_DETAIL[detail] if parts is None else tuple(parts)
    unknown = [p for p in wanted if p not in PARTS]
    if unknown or not wanted:
        raise InputError(f"found the parts {', '.join(unknown) or 'none'}; expected some of {', '.join(PARTS)}")
    return tuple(p for p in PARTS if p in wanted)


def sections(case: Case) -> list[doc.Section]:
    """The sections of a case's parts."""
    return [section for name in case.parts for section in PARTS[name](case)]
