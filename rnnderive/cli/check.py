"""``rnnderive check``: the ladder of checks."""

from __future__ import annotations

from typing import Annotated

import typer

from rnnderive.cli.app import Cell, Formatted, Truncate, app, load
from rnnderive.cli.output import Format, finite, out, table, working, write_json

__all__ = ["check_command"]


@app.command("check")
def check_command(
    cell: Cell,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Of the points at which is checked.")] = 0,
    truncate: Truncate = None,
    form: Formatted = Format.text,
) -> None:
    """Run the ladder of checks on a cell's gradient and print the table.

    Exit status 1 when a rung fails.

    \b
    Examples:
      rnnderive check lstm
      rnnderive check my_cell.txt --seed 7
    """
    import rnnderive as rd
    from rnnderive.checks import RUNGS, Ladder, check

    d = rd.derive(load(cell), truncate=truncate)
    names = [n for n in RUNGS if n != "truncation" or d.truncate is not None]
    with working("checking") as say:
        ladder = Ladder(tuple(row for n in names if say(n) for row in check(d, seed=seed, rungs=n)))
    if form is Format.json:
        keys = ("rung", "method", "count", "tolerance", "error", "ok", "note")
        rungs = [{k: finite(getattr(row, k)) for k in keys} for row in ladder]
        write_json({"cell": str(d.net), "seed": seed, "holds": bool(ladder), "rungs": rungs})
    else:
        head, *rows = ladder.cells()
        shown = [k for k, title in enumerate(head) if title != "seconds"]
        out(table([tuple(row[k] for k in shown) for row in (head, *rows)], form))
    if not ladder:
        raise typer.Exit(1)
