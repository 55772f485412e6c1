"""``rnnderive sweep``: random networks of a cell over a grid."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer

from rnnderive.cli.app import Cell, Formatted, app, load, number_or_words, pairs
from rnnderive.cli.output import Format, complain, finite, out, write_json
from rnnderive.errors import InputError

__all__ = ["sweep"]


@app.command()
def sweep(
    cell: Cell,
    axis: Annotated[
        list[str],
        typer.Option(
            "--axis",
            metavar="NAME=VALUES",
            help="As in gain=0.5:3:11 (from:to:how many) or T=50,100,200.",
            show_default=False,
        ),
    ],
    size: Annotated[
        list[str] | None,
        typer.Option("--size", metavar="NAME=N", help="A width; may be repeated.", show_default="h=32, x=4, y=2"),
    ] = None,
    setting: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="NAME=VALUE",
            help="What is the same everywhere, as in T=200 or scheme=chrono.",
            show_default=False,
        ),
    ] = None,
    role: Annotated[
        list[str] | None,
        typer.Option("--role", metavar="ROLE=INIT", help="As in recurrent=lecun_normal.", show_default=False),
    ] = None,
    seeds: Annotated[int, typer.Option("--seeds", min=1, help="How many networks at each point.")] = 1,
    workers: Annotated[int, typer.Option("--workers", min=1, help="Processes; 1 is this one.")] = 1,
    scheduler: Annotated[
        str | None,
        typer.Option("--dask", metavar="ADDRESS", help="A dask cluster: its address, or local.", show_default=False),
    ] = None,
    results: Annotated[
        Path | None,
        typer.Option("--results", metavar="FILE", help="Keep each measurement; go on from there.", show_default=False),
    ] = None,
    figure: Annotated[
        Path | None,
        typer.Option("--figure", metavar="FILE", help="Draw the map, .pdf, .svg or .png.", show_default=False),
    ] = None,
    quantity: Annotated[
        str, typer.Option("--show", help="What the map shows: rate, lyapunov, memory, saturation, gradient.")
    ] = "rate",
    form: Formatted = Format.text,
) -> None:
    """Measure random networks of a cell over a grid: where gradients vanish, where they explode.

    Axes: gain, input_scale, state_scale, T, forget_bias, scheme, and widths.  A sweep with
    --results that was stopped goes on where it was.

    \b
    Examples:
      rnnderive sweep vanilla --axis gain=0.5:3:11 --axis input_scale=0:1:5 --role recurrent=lecun_normal
      rnnderive sweep lstm --axis forget_bias=-1:5:7 --axis T=50,200 --seeds 3 --workers 2 --results sweep.jsonl
      rnnderive sweep gru --axis gain=0.5:4:15 --dask local --figure map.pdf
    """
    from rnnderive.chains import phase_diagram

    if form not in (Format.text, Format.json):
        raise InputError(f"found --format {form.value}; a sweep is printed as text or json")
    axes = {name: _values(name, words) for name, words in pairs(axis, str)}
    net = load(cell)
    known = {"h", *(name for name in ("x", "y") if any(str(s) == f"n_{name}" for s in net.sizes))}
    usual = {name: width for name, width in {"h": 32, "x": 4, "y": 2}.items() if name in known}
    sizes = {**usual, **dict(pairs(size or [], int))}
    fixed: dict[str, Any] = {name: number_or_words(words) for name, words in pairs(setting or [], str)}
    if role:
        fixed["roles"] = {name: number_or_words(words) for name, words in pairs(role, str)}
    with _executor(workers, scheduler) as executor:
        found = phase_diagram(
            net, axes, sizes=sizes, seeds=seeds, executor=executor, results=results, **fixed
        )  # fmt: skip
    if figure is not None:
        from rnnderive.printing.style import saved

        drawn = found.plot.lines(next(iter(axes)), quantity) if len(axes) == 1 else found.plot.map(quantity)
        saved(drawn.figure, figure)
    if form is Format.json:
        write_json([{k: finite(v) for k, v in row.items()} for row in found.sweep.rows()])
    else:
        out(str(found))
    if found.sweep.failures:
        complain(f"{len(found.sweep.failures)} measurements failed; the first: {found.sweep.failures[0].error}")


def _values(name: str, words: str) -> list[Any]:
    """The values of an axis: from:to:how many, or a list with commas."""
    parts = words.split(":")
    if len(parts) == 3:
        try:
            first, last, count = float(parts[0]), float(parts[1]), int(parts[2])
        except ValueError:
            raise InputError(f"found {name}={words!r}; expected numbers from:to:how many, as in 0.5:3:11") from None
        if count < 1:
            raise InputError(f"found {name}={words!r}; expected at least one value")
        step = (last - first) / max(1, count - 1)
        return [round(first + k * step, 12) for k in range(count)]
    return [number_or_words(w) for w in words.split(",")]


@contextmanager
def _executor(workers: int, scheduler: str | None) -> Iterator[Any]:
    """What runs the measurements: this process, several, or a dask cluster."""
    if scheduler is not None:
        try:
            from dask.distributed import Client  # type: ignore[attr-defined, unused-ignore]
        except ImportError:
            raise InputError("--dask needs dask: pip install 'rnnderive[cluster]'") from None
        local = {"n_workers": workers, "threads_per_worker": 1, "dashboard_address": None}
        connect: Any = Client
        with connect(**local) if scheduler == "local" else connect(scheduler, timeout="10s") as client:
            yield client.get_executor()
    elif workers > 1:
        from rnnderive.chains import processes

        with processes(workers) as pool:
            yield pool
    else:
        yield None
