"""The blocks that reports are made of, one by one, for a handout of your own.

Each takes a :class:`Case`, which is a network, how many steps are written out, and a language.
"""

from __future__ import annotations

from rnnderive.report import document as doc
from rnnderive.report.languages import Value, load
from rnnderive.report.parts.adjoint import backward as adjoint
from rnnderive.report.parts.behaviour import norms_figure, path_table
from rnnderive.report.parts.case import Case
from rnnderive.report.parts.components import entries as components
from rnnderive.report.parts.jacobians import state_jacobians as jacobians
from rnnderive.report.parts.model import equations, unrolled
from rnnderive.report.parts.notation import conventions
from rnnderive.report.parts.notation import names as notation
from rnnderive.report.parts.steps import gradient_figure
from rnnderive.report.parts.steps import lines as steps
from rnnderive.report.parts.steps import whole as gradient
from rnnderive.report.parts.verification import ladder_table as checks

__all__ = [
    "Case",
    "adjoint",
    "checks",
    "components",
    "conventions",
    "equations",
    "gradient",
    "gradient_figure",
    "jacobians",
    "norms_figure",
    "notation",
    "path_table",
    "say",
    "steps",
    "unrolled",
]


def say(sentence: str, lang: str = "en", **values: Value) -> doc.Paragraph:
    """A paragraph with formulas, emphasis and program text, written as in :mod:`rnnderive.report.languages`.

    Examples
    --------
    >>> paragraph = say("The state $h[t-1]$ is *kept*; see {where}.", where=doc.Ref("model"))
    >>> [type(item).__name__ for item in paragraph.content]
    ['str', 'Formula', 'str', 'Emph', 'str', 'Ref', 'str']
    """
    return doc.Paragraph(*load(lang).fill(sentence, values))
