"""``rnnderive sweep``: random networks of a cell over a grid."""

from __future__ import annotations

import math
import shlex
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from rnnderive.cli.app import Cell, app, load, number_or_words, pairs, size_option
from rnnderive.cli.output import Told, complain, finite, out, write_json
from rnnderive.cli.wording import on_the_command_line
from rnnderive.errors import InputError

if TYPE_CHECKING:
    from rnnderive.chains import Phases
    from rnnderive.language import Recurrence

__all__ = ["sweep"]

MOST = 100_000  # measurements, unless more are allowed
MEASURED = ("gain", "input_scale", "state_scale", "forget_bias")  # the other axes are counted in whole numbers


class Quantity(StrEnum):
    """What a figure shows."""

    rate = "rate"
    lyapunov = "lyapunov"
    memory = "memory"
    saturation = "saturation"
    gradient = "gradient"


def _of_one_network(steps: str | None) -> None:
    if steps is not None:
        raise InputError(f"--T is of rnnderive chain; expected --set T={steps}, or an axis such as --axis T=50,100,200")


@app.command()
def sweep(
    cell: Cell,
    axis: Annotated[
        list[str],
        typer.Option(
            "--axis",
            metavar="NAME=VALUES",
            help="As in gain=0.5:3:11 (from:to:how many) or T=50,100,200; may be repeated.",
            show_default=False,
        ),
    ],
    size: Annotated[list[str] | None, size_option("h=32, x=8, y=4")] = None,
    setting: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="NAME=VALUE",
            help="What is the same everywhere, as in T=200; T=200 and state_scale=1 unless given.",
            show_default=False,
        ),
    ] = None,
    horizon: Annotated[str | None, typer.Option("--T", hidden=True, callback=_of_one_network)] = None,
    role: Annotated[
        list[str] | None,
        typer.Option("--role", metavar="ROLE=INIT", help="As in recurrent=lecun_normal.", show_default=False),
    ] = None,
    seeds: Annotated[int, typer.Option("--seeds", min=1, help="How many networks at each point.")] = 1,
    workers: Annotated[
        int | None, typer.Option("--workers", min=1, help="Processes; 1 is this one.", show_default="1")
    ] = None,
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
        Quantity | None, typer.Option("--show", help="What the figure shows.", show_default="rate")
    ] = None,
    at: Annotated[
        list[str] | None,
        typer.Option(
            "--at", metavar="NAME=VALUE", help="Of three axes, where the figure is taken.", show_default=False
        ),
    ] = None,
    most: Annotated[int, typer.Option("--most", metavar="N", min=1, help="Refuse more measurements.")] = MOST,
    memory: Annotated[float, typer.Option("--memory", metavar="GIB", help="Refuse what needs more.")] = 8.0,
    form: Annotated[Told, typer.Option("--format", help="How findings are written.")] = Told.text,
) -> None:
    """Measure random networks of a cell over a grid: where gradients vanish, where they explode.

    Axes: gain, input_scale, state_scale, T, forget_bias, scheme, and widths.  A sweep with
    --results that was stopped goes on where it was.  Exit status 1 when a measurement failed.

    \b
    Examples:
      rnnderive sweep vanilla --axis gain=0.5:3:11 --axis input_scale=0:1:5 --role recurrent=lecun_normal
      rnnderive sweep lstm --axis forget_bias=-1:5:7 --axis T=50,200 --seeds 3 --workers 2 --results sweep.jsonl
      rnnderive sweep gru --axis gain=0.5:4:15 --dask local --figure map.pdf
    """
    from rnnderive.chains import SweepInterrupted, phase_diagram
    from rnnderive.chains.ensemble import SETTINGS
    from rnnderive.chains.setting import completed

    axes = {name: _values(name, words, most) for name, words in pairs(axis, str)}
    _check_count(axes, seeds, most)
    place = {name: number_or_words(words) for name, words in pairs(at, str)}
    if figure is None and (quantity is not None or place):
        raise InputError(f"--{'at' if place else 'show'} is about the figure: give --figure FILE, or leave it out")
    if figure is not None:
        _check_figure(figure, axes, place)
    net = load(cell, loss=False)
    widths = dict(pairs(size, int))
    fixed: dict[str, Any] = {name: number_or_words(words) for name, words in pairs(setting, str)}
    roles = {name: number_or_words(words) for name, words in pairs(role, str)}
    _check_use(axes, widths, fixed, roles, SETTINGS)
    if roles:
        fixed["roles"] = roles
    # A width that is an axis is known as such; what the axes and --size leave open is as for one network.
    own = {name: values[0] for name, values in axes.items() if name not in SETTINGS}
    _check_widths(net, own)
    sizes = completed(net, {**widths, **own})
    try:
        with warnings.catch_warnings(), on_the_command_line(), _executor(workers, scheduler) as executor:
            warnings.filterwarnings("ignore", ".*measurements failed")  # said below
            found = phase_diagram(
                net, axes, sizes=sizes, seeds=seeds, executor=executor, results=results, memory=memory, **fixed
            )  # fmt: skip
    except SweepInterrupted as stopped:
        complain(stopped)
        raise typer.Exit(130) from None
    if form is Told.json:
        write_json([{k: finite(v) for k, v in row.items()} for row in found.rows()])
    else:
        out(f"{found}\n\nOne of them by itself: {_alone(found, net, cell)}")
    if found.sweep.failures:
        complain(f"{len(found.sweep.failures)} measurements failed; the first: {found.sweep.failures[0].error}")
    if figure is not None:  # after the table: what goes wrong here does not cost it
        _draw(found, quantity or Quantity.rate, place, figure)
    if found.sweep.failures:
        raise typer.Exit(1)


def _alone(found: Phases, net: Recurrence, cell: str) -> str:
    """The command that looks at the first network of a sweep."""
    from rnnderive.chains.drawn import keeping_role

    ensemble = found.ensemble.at(found.sweep.points[0])
    roles = dict(ensemble.roles)
    if ensemble.forget_bias is not None:
        roles[keeping_role(net)] = ensemble.forget_bias
    sizes = {n.removeprefix("n_"): w for n, w in ensemble.sizes.items()}
    words = ["rnnderive", "chain", cell, "--T", f"{ensemble.T}"]
    words += [w for n, width in sizes.items() for w in ("--size", f"{n}={width}")]
    words += ["--scheme", ensemble.scheme] if ensemble.scheme != "glorot" else []
    words += [w for role, how in roles.items() for w in ("--role", f"{role}={how}")]
    words += ["--gain", f"{ensemble.gain}"] if ensemble.gain != 1 else []
    words += ["--scale", f"{ensemble.input_scale}"] if ensemble.input_scale != 1 else []
    words += ["--state-scale", f"{ensemble.state_scale}", "--seed", f"{found.sweep.seeds[0]}"]
    return shlex.join(words)


def _draw(found: Phases, quantity: Quantity, place: dict[str, Any], path: Path) -> None:
    from rnnderive.printing.style import saved

    along, plot = _along(found.axes, place), found.plot
    if len(along) == 1:
        drawn = plot.lines(along[0], quantity.value, **place)
    else:
        across, up = along
        drawn = plot.map(quantity.value, across, up, **place)
    saved(drawn.figure, path)


def _along(axes: Mapping[str, Sequence[Any]], place: Mapping[str, Any]) -> list[str]:
    """The axes that a figure is drawn along: of more than two without a place those of several values."""
    left = [name for name in axes if name not in place]
    several = sum(len(axes[name]) > 1 for name in left)
    drawn = sorted(left, key=lambda name: len(axes[name]) == 1)[: max(2, several)]
    return [name for name in left if name in drawn]


# ---------------------------------------------------------------- checked before anything is measured


def _check_count(axes: Mapping[str, Sequence[Any]], seeds: int, most: int) -> None:
    count = seeds * math.prod(len(values) for values in axes.values())
    if count > most:
        told = " × ".join(f"{len(values)} {name}" for name, values in axes.items())
        raise InputError(
            f"these are {count} measurements ({told} × {seeds} seed{'s' * (seeds > 1)}), more than {most}; take fewer, "
            f"or allow them with --most {count}"
        )


def _check_figure(path: Path, axes: dict[str, list[Any]], place: dict[str, Any]) -> None:
    from rnnderive.chains.phases import numeric
    from rnnderive.printing.style import check_place

    check_place(path)
    for name, value in place.items():
        if name not in axes or value not in axes[name]:
            there = ", ".join(map(str, axes[name])) if name in axes else f"the axes {', '.join(axes)}"
            raise InputError(f"found --at {name}={value}; expected one of {there}")
    along = _along(axes, place)
    if not along:
        raise InputError("--at gives a value of every axis, so that none is left to draw along; leave one out")
    if len(along) > 2:
        left = along[2:]
        raise InputError(
            f"a figure shows one axis or two, here are {len(along)}: {', '.join(along)}. Say where it is taken with "
            + ", ".join(f"--at {name}={axes[name][0]}" for name in left)
        )
    if len(along) == 1 and not numeric(axes[along[0]]):
        raise InputError(f"the axis {along[0]} has no numbers to draw along; leave out --figure, or add an axis")


def _check_use(
    axes: dict[str, list[Any]], sizes: dict[str, int], fixed: dict[str, Any], roles: dict[str, Any], known: Any
) -> None:
    """Refuse what would have no effect beside an axis."""
    for option, names in (("--set", fixed), ("--size", sizes), ("--role", roles)):
        for name in names:
            if name in axes:
                raise InputError(f"{name} is an axis; {option} {name}=… has no effect beside it: leave out one of them")
    biases = {"forget_bias", "update_bias"} & set(roles)
    if biases and "forget_bias" in {*axes, *fixed}:
        raise InputError(f"forget_bias is set already; --role {min(biases)}=… has no effect beside it")
    for name in fixed:
        if name not in known:
            more = f"; for a width there is --size {name}=N" if name.isidentifier() and len(name) < 3 else ""
            raise InputError(f"found --set {name}=…; expected one of {', '.join(known)}{more}")


def _check_widths(net: Recurrence, own: dict[str, Any]) -> None:
    from rnnderive.chains.ensemble import SETTINGS, widths
    from rnnderive.weights.sizes import from_widths

    for name, first in own.items():
        try:
            from_widths(net, widths(net, {name: first}))
        except InputError:
            known, sizes = ", ".join(SETTINGS), ", ".join(str(s).removeprefix("n_") for s in net.sizes)
            raise InputError(f"found --axis {name}=…; expected one of {known}, or a width: {sizes}") from None


def _values(name: str, words: str, most: int) -> list[Any]:
    """The values of an axis: from:to:how many, or a list with commas."""
    parts = words.split(":")
    if len(parts) == 3:
        try:
            first, last, count = float(parts[0]), float(parts[1]), int(parts[2])
        except ValueError:
            raise InputError(f"found {name}={words!r}; expected numbers from:to:how many, as in 0.5:3:11") from None
        if count < 1:
            raise InputError(f"found {name}={words!r}; expected at least one value")
        _check_count({name: range(count)}, 1, most)
        step = (last - first) / max(1, count - 1)
        values = [round(first + k * step, 12) for k in range(count)]
        whole = name not in MEASURED and all(v.is_integer() for v in values)
        return [int(v) for v in values] if whole else list(values)
    if len(parts) == 2 and all(isinstance(number_or_words(p), int | float) for p in parts):
        raise InputError(f"found {name}={words!r}; expected from:to:how many, as in {words}:11, or values as in 1,2,5")
    return [number_or_words(w) for w in words.split(",")]


@contextmanager
def _executor(workers: int | None, scheduler: str | None) -> Iterator[Any]:
    """What runs the measurements: this process, several, or a dask cluster."""
    if scheduler is not None:
        if workers is not None and scheduler != "local":
            raise InputError(f"--workers is for --dask local; the cluster at {scheduler} has its own workers")
        try:
            from dask.distributed import Client  # type: ignore[attr-defined, unused-ignore]
        except ImportError:
            raise InputError("--dask needs dask: pip install 'rnnderive[cluster]'") from None
        local = {"n_workers": workers or 1, "threads_per_worker": 1, "dashboard_address": None}
        connect: Any = Client
        try:
            client = connect(**local) if scheduler == "local" else connect(scheduler, timeout="10s")
        except (OSError, ValueError) as error:
            raise InputError(
                f"there is no dask cluster at {scheduler!r} ({error}); expected its address, or local"
            ) from None
        with client:
            yield client.get_executor()
    elif workers is not None and workers > 1:
        from rnnderive.chains import processes

        with processes(workers) as pool:
            yield pool
    else:
        yield None
