"""``rnnderive cells``: the library."""

from __future__ import annotations

import re
from typing import Annotated

import typer

from rnnderive.cli.app import CELL_HELP, Formatted, app, load
from rnnderive.cli.output import Format, equations, out, show, write_json

__all__ = ["cells"]


@app.command()
def cells(
    name: Annotated[str | None, typer.Argument(metavar="[CELL]", help=CELL_HELP, show_default=False)] = None,
    form: Formatted = Format.text,
) -> None:
    """List the library, or print the equations of one cell.

    What is printed for one cell is a file of equations that the other commands read.

    \b
    Examples:
      rnnderive cells
      rnnderive cells lstm
      rnnderive cells lstm --format latex
    """
    from rnnderive.cells import LIBRARY

    if name is None:
        about = {n: _about(n) for n in LIBRARY}
        if form is Format.json:
            write_json(about)
            return
        width = max(map(len, about))
        out("\n".join(f"{n.ljust(width)}  {words}" for n, words in about.items()))
        return
    net = load(name)
    title = _about(name) if name in LIBRARY else f"The equations of {name}"
    shapes = {n: [str(s) for s in net.shape(n)] for n in (*net.parameters, *net.initial_states, *net.inputs)}
    if form is Format.text:
        sizes = ", ".join(f"{n} {_size(rows)}×{_size(columns)}" for n, (rows, columns) in shapes.items())
        out(f"# {title}\n# {sizes}\n{net}")
        return
    show([equations(title, net)], form, cell=str(net), shapes=shapes)


def _about(name: str) -> str:
    """The first line of a cell's docstring, without the marks of reStructuredText."""
    from rnnderive.cells import LIBRARY

    first = (LIBRARY[name].__doc__ or "").strip().split("\n")[0]
    return re.sub(r":\w+:`~?(?:[\w.]*\.)?(\w+)`", r"\1", first).replace("``", "").rstrip(".")


def _size(size: str) -> str:
    return f"({size.replace(' ', '')})" if " " in size else size
