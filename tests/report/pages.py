"""What is on the pages of a PDF, as pdfium sees it: ink in the margins, sizes of letters, fonts, blank pages."""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pypdfium2
from pypdfium2 import raw

# Margins in points: 2.5 cm at the sides and above, 2.7 below, where the page number stands.
SIDE, ABOVE, BELOW = 70.8, 70.8, 76.5
SLACK = 4.5  # both engines hang hyphens and signs into the margin by a little
DEPTH = 8.0  # what stands above the capitals of the first line, or hangs below the last


def ink(page: Any) -> tuple[float, float, float, float] | None:
    """Left, top, right and bottom of what is printed above the page number, in points from the upper left corner."""
    picture = page.render(scale=1, grayscale=True).to_pil().point(lambda v: 255 if v < 250 else 0)
    width, height = picture.size
    return picture.crop((0, 0, width, int(height - BELOW + 12))).getbbox()


def outside(pdf: Path) -> list[str]:
    """Pages that are blank or have something in their margins."""
    out = []
    for number, page in enumerate(pypdfium2.PdfDocument(pdf), 1):
        width, height = page.get_size()
        box = ink(page)
        if box is None:
            out.append(f"page {number} is blank")
            continue
        left, top, right, bottom = box
        if (
            left < SIDE - SLACK
            or right > width - SIDE + SLACK
            or top < ABOVE - DEPTH
            or bottom > height - BELOW + DEPTH
        ):
            out.append(f"page {number} has ink from ({left}, {top}) to ({right}, {bottom})")
    return out


def sizes(pdf: Path) -> Iterator[float]:
    """Sizes of all pieces of text, in points, as they are on the page."""
    size = ctypes.c_float()
    for page in pypdfium2.PdfDocument(pdf):
        for text in page.get_objects(filter=[raw.FPDF_PAGEOBJ_TEXT], max_depth=1):
            raw.FPDFTextObj_GetFontSize(text.raw, size)
            matrix = text.get_matrix()
            yield round(size.value * max(abs(matrix.d), abs(matrix.b)), 2)


def fonts(pdf: Path) -> set[tuple[str, str]]:
    """Kind and name of every font, those of figures as well."""
    from pypdf import PdfReader

    return {
        (str(o["/Subtype"]), str(o.get("/BaseFont", "")))
        for o in _objects(PdfReader(pdf)) if isinstance(o, dict) and o.get("/Type") == "/Font" and "/Subtype" in o
    }  # fmt: skip


def _objects(reader: Any) -> Iterator[Any]:
    for number in sorted({i for table in reader.xref.values() for i in table} | set(reader.xref_objStm)):
        try:
            yield reader.get_object(number)
        except Exception:  # a free entry of the table
            continue


def words(pdf: Path) -> str:
    """All text, in reading order."""
    return "\n".join(page.get_textpage().get_text_bounded() for page in pypdfium2.PdfDocument(pdf))


def darkest(pdf: Path) -> int:
    """The darkest grey on the first page; 0 is black."""
    picture = pypdfium2.PdfDocument(pdf)[0].render(scale=2, grayscale=True).to_pil()
    return int(picture.getextrema()[0])
