"""The report on any cell, on a cell from a file, and on a model's weights."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from rnnderive.chains.setting import Setting
from rnnderive.language import Recurrence
from rnnderive.report import document as doc
from rnnderive.report import parts as pt
from rnnderive.report.engine import build, check_order

__all__ = ["cell_document", "cell_report"]


def cell_document(
    net: Recurrence,
    name: str,
    seed: int = 0,
    T: int = 3,
    *,
    lang: str = "en",
    detail: str = "lecture",
    parts: Iterable[str] | None = None,
    long: Setting | None = None,
    command: str = "",
) -> doc.Document:
    """The report on a recurrence as a document tree.

    Parameters
    ----------
    net : Recurrence
    name : str
        What the report calls it.
    seed : int
        Of the worked numbers and of the lengthened run.
    T : int
        Steps of what is written out, from 1 to 12.
    lang : str
        A language of the catalogue.
    detail : {"brief", "lecture", "full"}
        How much is written out.
    parts : sequence of str, optional
        Some of :data:`rnnderive.report.parts.PARTS`; all that the detail asks for unless given.
    long : Setting, optional
        Weights and input of the lengthened run, such as those of a trained model; drawn unless given.
    command : str
        What makes the report again, for its last line.

    Raises
    ------
    InputError
        For an unknown language, detail or part, and T out of range.

    Examples
    --------
    >>> from rnnderive import cells
    >>> document = cell_document(cells.vanilla(), "vanilla", parts=["model", "adjoint"])
    >>> [doc.plain(s.title) for s in document.sections]
    ['The model', 'The δ recurrence: back-propagation through time']
    """
    chosen = pt.chosen(detail, parts)
    command = command or f"rnnderive report {name}"
    case = pt.Case(net, name, lang, detail, T, seed, long=long, command=command, parts=chosen)
    return doc.Document(
        case.words("cell.title", name=name),
        pt.sections(case),
        subtitle=case.words("cell.subtitle"),
        footer=pt.footer(case),
        lang=lang,
        contents=len(chosen) > 6,
    )


def cell_report(
    net: Recurrence,
    name: str,
    output: str | Path,
    *,
    engine: str = "auto",
    formats: Sequence[str] = ("pdf",),
    stem: str | None = None,
    seed: int = 0,
    **options: Any,
) -> Path:
    """Write the report on a cell; return the path of its first format.

    Parameters
    ----------
    net, name, seed, **options
        See :func:`cell_document`.
    output : path
        The folder.
    engine : {"auto", "typst", "tex"}
    formats : sequence of {"pdf", "tex", "html", "md"}
    stem : str, optional
        What the files are called; as the cell unless given.
    """
    stem = stem or "".join(c if c.isascii() and c.isalnum() else "_" for c in name) or "cell"
    check_order(output, stem, engine, formats)
    return build(cell_document(net, name, seed, **options), output, stem, engine, formats).files[formats[0]]
