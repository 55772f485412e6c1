"""Values as documents: a derivation, an analysis, the verdict on a hand derivation."""

from __future__ import annotations

from functools import singledispatch
from typing import Any

from rnnderive import printing as pr
from rnnderive.chains import Analysis
from rnnderive.derivation import Derivation
from rnnderive.errors import InputError
from rnnderive.hand.verdict import Verdict
from rnnderive.language import Recurrence
from rnnderive.report import document as doc
from rnnderive.report.cell_report import cell_document
from rnnderive.report.html_printer import html_blocks, html_fragment
from rnnderive.report.parts.behaviour import bound_words, details, headline, norms_figure, path_tables
from rnnderive.report.parts.case import Case
from rnnderive.report.parts.formulas import number_math
from rnnderive.report.verdict_report import verdict_document

__all__ = ["to_document", "to_html", "to_latex"]

# What can be told of a derivation without running it.
DERIVED = ("model", "steps", "general", "jacobians", "adjoint", "components")


@singledispatch
def to_document(value: Any, **options: Any) -> doc.Document:
    """A value as a document, to be built, printed, or taken apart for a handout of your own.

    Parameters
    ----------
    value : Derivation, Recurrence, Analysis or Verdict
        What is told.
    **options
        Of a derivation and a recurrence those of :func:`cell_document`, and `name`; of an analysis and a
        verdict `lang`.

    Raises
    ------
    InputError
        For a value that is none of these.

    Examples
    --------
    >>> import rnnderive as rd
    >>> document = rd.derive("vanilla").to_document(T=2)
    >>> [doc.plain(section.title) for section in document.sections][:3:2]
    ['The model', 'Any number of steps']
    """
    known = "a derivation, a recurrence, an analysis or a verdict"
    raise InputError(f"a {type(value).__name__} cannot be told; expected {known}")


@to_document.register
def _(value: Derivation, *, name: str = "RNN", **options: Any) -> doc.Document:
    return cell_document(value.net, name, **{"parts": DERIVED, **options})


@to_document.register
def _(value: Recurrence, *, name: str = "RNN", **options: Any) -> doc.Document:
    return cell_document(value, name, **options)


@to_document.register
def _(value: Analysis, *, lang: str = "en") -> doc.Document:
    case = Case(value.trace.chain.net, value.label, lang)
    blocks: list[doc.Block] = [
        doc.Box([doc.Paragraph(doc.Bold(*headline(case, value.verdict)))]),
        doc.Bullets([bound_words(case, value.bounds, drawn=True), *details(case, value)]),
        norms_figure(case, value),
    ]
    blocks += path_tables(case, value)
    title = case.words("behaviour.title")
    return doc.Document(title, [doc.Section(value.label, blocks, numbered=False)], lang=lang)


@to_document.register
def _(value: Verdict, *, lang: str = "en") -> doc.Document:
    return verdict_document(value, lang)


@singledispatch
def to_html(value: Any) -> str:
    """A value as HTML for a notebook: its document, unless there is something shorter."""
    return html_fragment(to_document(value))


@to_html.register
def _(value: Derivation) -> str:
    note, other = value.net.notation, value.adjoint.notation
    forward = [(e.left.math(note), e.right.math(note)) for e in value.net.equations]
    backward = [(e.left.math(other), e.right.math(other)) for e in value.pulled.backward]
    return html_blocks([doc.Aligned(forward, numbered=False), doc.Aligned(backward, numbered=False)])


@singledispatch
def to_latex(value: Any) -> str | None:
    """A value as a formula for a notebook, if one says it."""
    return None


@to_latex.register
def _(value: Analysis) -> str:
    before = pr.Infix(("", "-"), (pr.Letter("T"), pr.Letter("k")), pr.SUM)
    state = pr.name_math(value.states[0]) if len(value.states) == 1 else pr.Letter("s")
    chain = pr.derivative(pr.with_index(state, pr.Letter("T")), pr.with_index(state, before), "partial")
    growth = pr.Script(pr.Letter("e"), None, pr.Row((number_math(value.verdict.rate.value), pr.Letter("k"))))
    return f"$\\displaystyle {pr.latex(pr.Infix(('', 'approx'), (pr.Fenced(chain, '‖'), growth), pr.RELATION))}$"
