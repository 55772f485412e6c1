"""The look of all pictures: one style, one set of colours.

Colours are those of Okabe and Ito (2008), told apart without seeing colours by dash or marker as
well.  Matplotlib is imported when something is drawn.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

__all__ = ["CM", "COLOURS", "DASHES", "MARKERS", "STYLE", "WIDTH_CM", "style"]

CM = 1 / 2.54
WIDTH_CM = 16.0
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
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
