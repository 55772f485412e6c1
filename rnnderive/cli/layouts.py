"""The option ``--layout``: how another program's arrays lie."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from rnnderive.errors import InputError

__all__ = ["Layouts", "Upstream", "layout_text", "text_of"]

Layouts = Annotated[
    list[str] | None,
    typer.Option(
        "--layout",
        metavar="LAYOUT",
        help="How its arrays lie: pytorch, keras, onnx, cudnn, tflite, an equation such as "
        "'Wx = [W_f | W_i].T' (may be repeated), or a file of them.",
        show_default="as the cell's",
    ),
]
Upstream = Annotated[
    list[str] | None,
    typer.Option(
        "--upstream",
        metavar="NAME",
        help="Gradients arrive at this sequence from outside; may be repeated.",
        show_default="the cell's loss",
    ),
]


def layout_text(lines: list[str] | None) -> str | None:
    """A layout's name, or its equations: each is given as it is, or is a file of them."""
    if not lines:
        return None
    return "\n".join(text_of(Path(line)) if "=" not in line and Path(line).is_file() else line for line in lines)


def text_of(path: Path) -> str:
    """A file's text.

    Raises
    ------
    InputError
        When it is not UTF-8.
    """
    try:
        return path.read_text("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(f"{path} is not a text in UTF-8: {error.reason} at byte {error.start}") from None
