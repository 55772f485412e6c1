"""What makes a report again: version, seeds, sizes, number format, command."""

from __future__ import annotations

import numpy as np
import sympy as sp

from rnnderive.report import document as doc
from rnnderive.report.languages import Words
from rnnderive.report.parts.case import Case

__all__ = ["command_line", "footer", "versions"]


def footer(case: Case) -> list[doc.Text]:
    """The lines at the end of a report."""
    params, inputs = case.numbers
    shapes = ", ".join(
        f"{n} {'×'.join(map(str, np.shape(v))) or '1'}" for n, v in {**params, **inputs}.items() if n != "T"
    )
    lines: list[doc.Text] = [
        versions(case.words),
        case.words("footer.numbers", seed=case.seed, T=case.T, shapes=shapes),
    ]
    if case.analyses and case.long is None:
        trace = case.analyses[0].trace
        lines.append(case.words("footer.long", seed=case.seed, T=trace.T, units=trace.size))
    return [*lines, *([command_line(case.words, case.command)] if case.command else [])]


def versions(words: Words) -> doc.Text:
    """What derived it, and in which numbers."""
    from rnnderive import __version__

    return words("footer.versions", version=__version__, sympy=sp.__version__, dtype=doc.Code("float64"))


def command_line(words: Words, command: str) -> doc.Text:
    """How to build it again."""
    return words("footer.command", command=doc.Code(command))
