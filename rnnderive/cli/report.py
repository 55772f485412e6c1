"""``rnnderive report``: a document about the lecture, about chains, or about a cell."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from rnnderive.cli.app import CELL_HELP, app, load
from rnnderive.cli.output import complain, working
from rnnderive.errors import InputError

__all__ = ["Engine", "report"]


class Engine(StrEnum):
    """What sets a report."""

    auto = "auto"
    typst = "typst"
    tex = "tex"


@app.command()
def report(
    name: Annotated[
        str, typer.Argument(metavar="NAME", help="lecture, chains, or a CELL: " + CELL_HELP, show_default=False)
    ],
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="DIR", help="Folder of the report.", show_default="reports/NAME"),
    ] = None,
    engine: Annotated[Engine, typer.Option("--engine", help="What sets the PDF.")] = Engine.auto,
    quick: Annotated[
        bool, typer.Option("--quick", help="For chains: smaller nets, in a fraction of the time.")
    ] = False,
) -> None:
    """Write the report of the lecture, of gradient chains, or of a cell, and print the path of its PDF last.

    The report of chains puts theory next to measurement for each published result; a claim that
    does not hold is marked there, named on stderr, and makes the exit status 1.

    \b
    Examples:
      rnnderive report lecture
      rnnderive report chains
      rnnderive report gru -o /tmp/gru
    """
    from rnnderive import report as rp

    title = "stdin" if name == "-" else Path(name).stem
    folder = output or Path("reports") / title
    if quick and name != "chains":
        raise InputError(f"found --quick with the report {name!r}, expected it with the report chains only")
    if name == "chains":
        path = _chains_report(folder, engine.value, quick)
    elif name == "lecture":
        with working("writing the report"):
            path = rp.lecture(folder, engine=engine.value)
    else:
        net = load(name)
        with working("writing the report"):
            path = rp.cell_report(net, title, folder, engine=engine.value)
    typer.echo(str(path))


def _chains_report(folder: Path, engine: str, quick: bool) -> Path:
    """Write the report of chains, its topics measured side by side; exit status 1 when a claim does not hold."""
    from rnnderive import report as rp
    from rnnderive.chains import processes

    with working("measuring") as say, processes() as workers:
        done = rp.chains(folder, engine=engine, quick=quick, executor=workers, say=say)
    if not done:
        for claim in done.failed:
            complain(f"{claim.row}: {claim.statement}: theory {claim.theory:g}, measured {claim.measured:g}")
        typer.echo(str(done.pdf))
        raise typer.Exit(1)
    return done.pdf
