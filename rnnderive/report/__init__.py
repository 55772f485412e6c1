"""Reports: a document is a tree of values, printed as Typst and as LaTeX, and built into a PDF.

Write a :class:`Document` of blocks and :func:`build` it; numbers, line breaks in formulas and
figures are taken care of here, the words are the caller's.
"""

from rnnderive.report.document import (
    Aligned,
    Bold,
    Box,
    Bullets,
    Cite,
    Code,
    Document,
    Emph,
    Equation,
    Figure,
    Formula,
    Listing,
    Paragraph,
    Ref,
    References,
    Section,
    Step,
    Steps,
    Table,
)
from rnnderive.report.engine import ENGINES, Report, build, missing_tex
from rnnderive.report.figures import activation_curves, norms_against_distance, unrolled_graph
from rnnderive.report.latex_printer import latex_source
from rnnderive.report.typst_printer import typst_source

__all__ = [
    "ENGINES",
    "Aligned",
    "Bold",
    "Box",
    "Bullets",
    "Cite",
    "Code",
    "Document",
    "Emph",
    "Equation",
    "Figure",
    "Formula",
    "Listing",
    "Paragraph",
    "Ref",
    "References",
    "Report",
    "Section",
    "Step",
    "Steps",
    "Table",
    "activation_curves",
    "build",
    "latex_source",
    "missing_tex",
    "norms_against_distance",
    "typst_source",
    "unrolled_graph",
]
