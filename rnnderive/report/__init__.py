"""Reports: a document is a tree of values, printed as PDF (Typst or TeX), LaTeX, HTML and Markdown.

Write a :class:`Document` of blocks and :func:`build` it; numbers, line breaks in formulas and
figures are taken care of here, the words are the caller's.
"""

import sys
from pathlib import Path
from types import ModuleType
from typing import Any

from rnnderive import cells
from rnnderive.errors import InputError
from rnnderive.language import Recurrence
from rnnderive.report import blocks, languages
from rnnderive.report.cell_report import cell_document, cell_report
from rnnderive.report.chains_claims import claim_words, row_title
from rnnderive.report.chains_report import ChainsReport, chains, chains_document
from rnnderive.report.comparison_report import comparison, comparison_document
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
    plain,
)
from rnnderive.report.engine import ENGINES, FORMATS, Report, build, check_order, missing_tex
from rnnderive.report.figures import activation_curves, norms_against_distance, unrolled_graph
from rnnderive.report.html_printer import html_fragment, html_source
from rnnderive.report.latex_printer import latex_source
from rnnderive.report.lecture_report import lecture, lecture_document
from rnnderive.report.markdown_printer import markdown_source
from rnnderive.report.parts.case import Case
from rnnderive.report.typst_printer import typst_source
from rnnderive.report.values import to_document, to_html, to_latex

__all__ = [
    "ENGINES",
    "FORMATS",
    "Aligned",
    "Bold",
    "Box",
    "Bullets",
    "Case",
    "ChainsReport",
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
    "blocks",
    "build",
    "cell_document",
    "cell_report",
    "chains",
    "chains_document",
    "check_order",
    "claim_words",
    "comparison",
    "comparison_document",
    "html_fragment",
    "html_source",
    "languages",
    "latex_source",
    "lecture",
    "lecture_document",
    "markdown_source",
    "missing_tex",
    "norms_against_distance",
    "plain",
    "row_title",
    "to_document",
    "to_html",
    "to_latex",
    "typst_source",
    "unrolled_graph",
]


class _Report(ModuleType):
    """This room is also the call that writes a report: ``rnnderive.report(net, "lstm.pdf")``."""

    def __call__(self, net: Recurrence | str | Path, path: Any, *, engine: str = "auto", **options: Any) -> Path:
        """Write the report on a recurrence; return the path.

        Parameters
        ----------
        net : Recurrence, str or path
            The network, a library name (``lstm``), equations as text, or a file of equations.
        path : path
            Where it goes and what it is: ``lstm.pdf`` (with its sources), ``lstm.html``, ``lstm.md`` or ``lstm.tex``.
        engine : {"auto", "typst", "tex"}
            What makes the PDF; Typst needs no TeX.
        **options
            ``lang``, ``detail``, ``parts``, ``T``, ``seed``: see :func:`cell_document`.

        Raises
        ------
        InputError
            For a path of another kind, and for options that are not there.
        """
        target = Path(path)
        form = target.suffix.removeprefix(".")
        if form not in FORMATS:
            raise InputError(f"{target.name!r} is no report; expected a name that ends in .{', .'.join(FORMATS)}")
        check_order(target.parent, target.stem, engine, (form,))
        document = cell_document(cells.recurrence(net), target.stem, **options)
        return build(document, target.parent, target.stem, engine, (form,)).files[form]


sys.modules[__name__].__class__ = _Report
