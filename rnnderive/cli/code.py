"""``rnnderive code``: the program of a cell."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from rnnderive.cli.app import Cell, Truncate, Wrt, app, load

__all__ = ["What", "code"]


class What(StrEnum):
    """Which program is written."""

    gradient = "gradient"
    forward = "forward"


@app.command()
def code(
    cell: Cell,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="FILE", help="Write here; stdout otherwise.", show_default=False),
    ] = None,
    wrt: Wrt = None,
    what: Annotated[
        What, typer.Option("--what", help="The loss with its gradient, or all sequences forward.")
    ] = What.gradient,
    truncate: Truncate = None,
) -> None:
    """Print the program as a readable Python module that needs NumPy alone.

    \b
    Examples:
      rnnderive code lstm -o lstm_gradient.py
      rnnderive code my_cell.txt --wrt W --wrt x
    """
    import rnnderive as rd

    d = rd.derive(load(cell), wrt, truncate=truncate)
    source = d.source() if what is What.gradient else d.forward.source
    if output is None:
        typer.echo(source, nl=not source.endswith("\n"))
    else:
        output.write_text(source, encoding="utf-8")
