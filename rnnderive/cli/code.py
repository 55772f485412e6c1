"""``rnnderive code``: the program of a cell."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from rnnderive.cli.app import Cell, Truncate, Wrt, app, load

__all__ = ["Backend", "What", "code"]


class Backend(StrEnum):
    """What the program's loops are."""

    numpy = "numpy"
    numba = "numba"


class What(StrEnum):
    """Which program is written."""

    gradient = "gradient"
    forward = "forward"


@app.command()
def code(
    cell: Cell,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="FILE", help="The file; stdout otherwise.", show_default=False),
    ] = None,
    wrt: Wrt = None,
    what: Annotated[
        What, typer.Option("--what", help="The loss with its gradient, or all sequences forward.")
    ] = What.gradient,
    truncate: Truncate = None,
    backend: Annotated[
        Backend, typer.Option("--backend", help="NumPy calls, or loops that Numba compiles (the gradient only).")
    ] = Backend.numpy,
) -> None:
    """Print the program as a readable Python module on its own; it needs NumPy alone, or Numba and SciPy as well.

    \b
    Examples:
      rnnderive code lstm -o lstm_gradient.py
      rnnderive code my_cell.txt --wrt W --wrt x
      rnnderive code gru --backend numba -o gru_gradient.py
    """
    import rnnderive as rd
    from rnnderive.files import check_place, whole

    if output is not None:
        check_place(output)
    if what is What.forward and backend is Backend.numba:
        raise rd.InputError("--backend numba writes gradients; expected --what gradient, or --backend numpy")
    d = rd.derive(load(cell), wrt, truncate=truncate)
    source = d.source(backend=backend.value) if what is What.gradient else d.forward.source
    if output is None:
        typer.echo(source, nl=not source.endswith("\n"))
    else:
        with whole(output) as draft:
            draft.write_text(source, encoding="utf-8")
