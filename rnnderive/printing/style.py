"""The look of all pictures: one style, one set of colours.

Colours are those of Okabe and Ito (2008), told apart without seeing colours by dash or marker as
well.  Matplotlib is imported when something is drawn.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rnnderive import files
from rnnderive.errors import InputError

__all__ = ["CM", "COLOURS", "DASHES", "MARKERS", "STYLE", "TINTS", "WIDTH_CM", "saved", "style"]

UNDATED = {"svg": {"Date": None, "Creator": None}, "pdf": {"CreationDate": None, "Producer": None, "Creator": None}}
CM = 1 / 2.54
WIDTH_CM = 16.0
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
# Darker, for what is read: each has a contrast of at least 4.5 to white (WCAG 2.1, 1.4.3).
TINTS = ("#0069A6", "#B34700", "#007558", "#9A3F78", "#6B5500", "#5A4BA3")
DASHES = ("-", "--", "-.", ":", (0, (5, 1, 1, 1, 1, 1)), (0, (1, 1)), (0, (8, 3)))
MARKERS = ("o", "s", "^", "D", "v", "P", "X")
STYLE: dict[str, Any] = {
    "font.family": "STIXGeneral", "mathtext.fontset": "stix", "font.size": 10, "axes.titlesize": 10,
    "axes.labelsize": 10, "legend.fontsize": 9, "legend.frameon": False, "lines.linewidth": 1.5,
    "axes.spines.top": False, "axes.spines.right": False, "axes.linewidth": 0.6, "axes.edgecolor": "#444444",
    "axes.grid": True, "grid.color": "#e4e4e4", "grid.linewidth": 0.6, "axes.axisbelow": True,
    "xtick.color": "#444444", "ytick.color": "#444444", "axes.unicode_minus": True,
    "pdf.fonttype": 42, "svg.fonttype": "path", "svg.hashsalt": "rnnderive",
}  # fmt: skip


@contextmanager
def style() -> Iterator[None]:
    """The look of all pictures, whatever the user's matplotlibrc says; draw and save inside it."""
    import matplotlib as mpl

    with mpl.rc_context():
        mpl.rcdefaults()
        mpl.rcParams.update(STYLE)  # type: ignore[arg-type, unused-ignore]
        yield


def check_place(path: str | os.PathLike[str]) -> None:
    """Refuse a path that no figure can be written to, before one is drawn.

    Raises
    ------
    InputError
        For an unknown suffix, a folder that cannot be made or written to, and a path of a folder.
    """
    from matplotlib.backend_bases import FigureCanvasBase

    place = Path(path)
    for target in _targets(place):
        kinds = FigureCanvasBase.get_supported_filetypes()
        if target.suffix[1:].lower() not in kinds:
            raise InputError(
                f"cannot write {place}: unknown suffix {target.suffix!r}; known: .svg, .pdf, .png, "
                + ", ".join(f".{k}" for k in kinds if k not in ("svg", "pdf", "png"))
            )
        files.check_place(target)


def _targets(place: Path) -> tuple[Path, ...]:
    return (place,) if place.suffix else (place.with_suffix(".svg"), place.with_suffix(".pdf"))


def saved(figure: Any, path: str | os.PathLike[str]) -> tuple[Path, ...]:
    """Write a figure, the same bytes for the same figure; without a suffix as SVG and as PDF.

    Its folder is made where there is none; a file is moved to its place when it is whole.

    Returns
    -------
    tuple of Path
        The files.

    Raises
    ------
    InputError
        When it cannot be written there.
    """
    check_place(path)
    targets = _targets(Path(path))
    for target in targets:
        kind = target.suffix[1:].lower()
        with files.whole(target) as draft, style():
            try:
                figure.savefig(draft, format=kind, metadata=UNDATED.get(kind), dpi=200)
            except ValueError as error:  # what a format cannot do
                raise InputError(f"cannot write {target}: {error}") from None
    return targets
