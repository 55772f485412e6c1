"""A figure as the bytes of its files, the same whenever it is drawn."""

from __future__ import annotations

import io
from typing import Any

from rnnderive.printing.style import UNDATED, style
from rnnderive.report.measures import TEXT_CM, TEXT_HEIGHT_CM

__all__ = ["drawing"]


def drawing(image: Any) -> tuple[dict[str, bytes], float]:
    """A matplotlib figure as PDF and SVG at its own size, and the width it has on the page, in cm.

    Parameters
    ----------
    image : matplotlib Figure, or a callable that returns one
        Drawn here.
    """
    with style():
        drawn = image if hasattr(image, "savefig") else image()
        files = {}
        for suffix, undated in UNDATED.items():
            data = io.BytesIO()
            drawn.savefig(data, format=suffix, metadata=undated)
            files[suffix] = data.getvalue()
    wide, high = (2.54 * inches for inches in drawn.get_size_inches())
    return files, round(wide * min(1.0, TEXT_CM / wide, 0.85 * TEXT_HEIGHT_CM / high), 3)
