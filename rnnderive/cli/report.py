"""``rnnderive report``: a document about the lecture, about chains, about several cells, a cell, or a model."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from rnnderive.cli.app import CELL_HELP, app, load
from rnnderive.cli.given import Arrays, Layers, Read, Source, Text, Unknowns, Vectors, Weights, reading
from rnnderive.cli.output import complain, working
from rnnderive.cli.wording import on_the_command_line
from rnnderive.errors import InputError

if TYPE_CHECKING:
    from rnnderive.chains.setting import Setting

__all__ = ["Engine", "report"]

WHOLE = ("lecture", "comparison", "chains")  # reports that are what they are


class Engine(StrEnum):
    """What sets a report."""

    auto = "auto"
    typst = "typst"
    tex = "tex"


class Output(StrEnum):
    """What a report is written as."""

    pdf = "pdf"
    tex = "tex"
    html = "html"
    md = "md"


class Detail(StrEnum):
    """How much is written out."""

    brief = "brief"
    lecture = "lecture"
    full = "full"


@app.command()
def report(
    name: Annotated[
        str | None,
        typer.Argument(
            metavar="[NAME]", help="lecture, comparison, chains, or a CELL: " + CELL_HELP, show_default=False
        ),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            metavar="PLACE",
            help="A folder, or the name of the one file asked for, as in my.pdf.",
            show_default="reports/NAME",
        ),
    ] = None,
    engine: Annotated[Engine, typer.Option("--engine", help="What sets the PDF.")] = Engine.auto,
    form: Annotated[
        list[Output] | None,
        typer.Option("--format", help="What is written; may be repeated.", show_default="pdf"),
    ] = None,
    lang: Annotated[str, typer.Option("--lang", help="Its language: en, ru, or a .toml file of your own.")] = "en",
    detail: Annotated[
        Detail | None, typer.Option("--detail", help="Of a cell: how much is written out.", show_default="lecture")
    ] = None,
    parts: Annotated[
        str | None,
        typer.Option("--parts", metavar="A,B,…", help="Of a cell: some parts only.", show_default="all"),
    ] = None,
    horizon: Annotated[
        int | None, typer.Option("--T", metavar="STEPS", help="Of a cell: steps written out.", show_default="3")
    ] = None,
    seed: Annotated[int | None, typer.Option("--seed", min=0, help="Of a cell: its numbers.", show_default="0")] = None,
    weights: Weights = None,
    layer: Layers = None,
    read: Read = None,
    array: Arrays = None,
    text: Text = None,
    vectors: Vectors = None,
    unknown: Unknowns = None,
    source: Source = None,
    quick: Annotated[
        bool, typer.Option("--quick", help="For chains: smaller nets, in a fraction of the time.")
    ] = False,
) -> None:
    """Write the report of the lecture, of cells side by side, of gradient chains, of a cell, or of a model's weights.

    The path of what was written is printed last.  The report of chains puts theory next to measurement
    for each published result; a claim that does not hold is marked there, named on stderr, and makes
    the exit status 1.  Parts of a cell's report are result, notation, model, steps, general, jacobians,
    adjoint, components, terms, behaviour, numbers, verification and code.  The part behaviour is a
    run on weights and an input that are drawn, unless files or a text give them; the words of a text
    have random vectors unless --vectors has them.

    \b
    Examples:
      rnnderive report lecture --lang ru
      rnnderive report gru -o gru.html --detail brief
      rnnderive report my_cell.txt --parts model,adjoint --format html
      rnnderive report --weights model.safetensors --text "a cat exists" --vectors glove.txt
    """
    folder, stem, formats = _place(output, [f.value for f in form or ()])
    options = {"--detail": detail, "--parts": parts, "--T": horizon, "--seed": seed, "--weights": weights,
               "--layer": layer, "--read": read, "--array": array, "--text": text, "--vectors": vectors,
               "--unknown": unknown, "--input": source}  # fmt: skip
    if name in WHOLE:
        for option, value in options.items():
            if value is not None:
                raise InputError(f"found {option} with the report {name}, expected it with the report of a cell only")
    if quick and name != "chains":
        raise InputError(f"found --quick with the report {name!r}, expected it with the report chains only")
    if name == "chains":
        typer.echo(str(_chains(folder or Path("reports/chains"), stem, engine.value, quick, lang, formats)))
        return
    path = _whole(name, folder, stem, lang, engine.value, formats) if name in WHOLE else None
    if path is None:
        found = _setting(
            name, seed or 0, weights=weights, layer=tuple(layer or ()), read=reading(read, array), text=text,
            vectors=vectors, unknown=unknown, source=source,
        )  # fmt: skip
        chosen = None if parts is None else [p.strip() for p in parts.split(",") if p.strip()]
        given = {**options, "--lang": None if lang == "en" else lang}
        path = _cell(
            name, found, weights, folder, engine.value, formats, stem=stem, lang=lang, command=_command(name, given),
            detail=detail.value if detail else "lecture", parts=chosen, T=3 if horizon is None else horizon,
            seed=seed or 0,
        )  # fmt: skip
    typer.echo(str(path))


def _place(output: Path | None, formats: list[str]) -> tuple[Path | None, str | None, list[str]]:
    """Folder, name of the files and formats: of a folder, or of the name of one file."""
    ending = "" if output is None or output.is_dir() else output.suffix.lower().removeprefix(".")
    if output is None or ending not in list(Output):
        return output, None, formats or ["pdf"]
    if formats not in ([], [ending]):
        name = f"a name that ends in .{formats[0]}, or " if len(formats) == 1 else ""
        asked = " ".join(f"--format {f}" for f in formats)
        raise InputError(f"found -o {output} with {asked}; expected {name}a folder, as in -o {output.with_suffix('')}")
    return output.parent, output.stem, [ending]


def _command(name: str | None, options: Mapping[str, Any]) -> str:
    """What makes this report again."""
    words = ["rnnderive", "report", *([name] if name is not None else [])]
    for option, value in options.items():
        for each in value if isinstance(value, list) else () if value is None else (value,):
            words += [option, str(getattr(each, "value", each))]
    return shlex.join(words)


def _whole(name: str | None, output: Path | None, stem: str | None, lang: str, engine: str, formats: list[str]) -> Path:
    """The lecture, or the comparison."""
    from rnnderive import report as rp

    write = rp.lecture if name == "lecture" else rp.comparison
    with working("writing the report"):
        return write(output or Path("reports") / str(name), engine=engine, lang=lang, formats=formats, stem=stem)


def _setting(name: str | None, seed: int, **given: Any) -> Setting | None:
    """Weights and input of the long run, where they are given."""
    from rnnderive.chains.setting import setting
    from rnnderive.report.parts.case import LONG

    if name is None and given["weights"] is None:
        raise InputError("there is nothing to report on: give lecture, comparison, chains, a CELL, or --weights")
    if all(value is None or value in ((), {}) for value in given.values()):
        return None
    net = load(name) if name is not None else None
    drawn = given["text"] is None and given["source"] is None
    with working("reading"), on_the_command_line():
        return setting(net, **given, T=LONG if drawn else None, seed=seed)


def _cell(
    name: str | None, found: Setting | None, weights: Path | None, output: Path | None, engine: str,
    formats: list[str], **options: Any,
) -> Path:  # fmt: skip
    """The report on a cell, or on what a file of weights holds."""
    from rnnderive import report as rp

    source = name if name is not None else str(weights)
    title = "stdin" if source == "-" else Path(source).stem
    net = found.net if found is not None else load(source)
    with working("writing the report"):
        return rp.cell_report(
            net, title, output or Path("reports") / title, engine=engine, formats=formats, long=found, **options,
        )  # fmt: skip


def _chains(folder: Path, stem: str | None, engine: str, quick: bool, lang: str, formats: list[str]) -> Path:
    """Write the report of chains, its topics measured side by side; exit status 1 when a claim does not hold."""
    from rnnderive import report as rp
    from rnnderive.chains import processes

    with working("measuring") as say, processes() as workers:
        done = rp.chains(
            folder, engine=engine, quick=quick, lang=lang, formats=formats, stem=stem, executor=workers, say=say
        )
    if not done:
        words = rp.languages.load("en")
        for claim in done.failed:
            said = rp.plain([*rp.row_title(words, claim.row), ": ", *rp.claim_words(words, claim)])
            said = said.replace("\u00a0", " ")  # a terminal breaks lines where it likes
            complain(f"{said}: theory {claim.theory:g}, measured {claim.measured:g}")
        typer.echo(str(done.path))
        raise typer.Exit(1)
    return done.path
