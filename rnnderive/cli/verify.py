"""``rnnderive verify``: is a derivation that a person wrote right, and if not, where and why."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from rnnderive.cli.app import Formatted, app, load, number_or_words, pairs, stdin_text
from rnnderive.cli.layouts import Layouts, Upstream, layout_text, text_of
from rnnderive.cli.output import Format, out, working, write_json
from rnnderive.cli.program import Program
from rnnderive.errors import InputError, LanguageError

if TYPE_CHECKING:
    from rnnderive.hand.verdict import Verdict
    from rnnderive.language import Recurrence

__all__ = ["verify_command"]


@app.command("verify")
def verify_command(
    file: Annotated[
        str,
        typer.Argument(
            metavar="FILE", help="Python (.py), equations in the language, or LaTeX; - for stdin.", show_default=False
        ),
    ],
    cell: Annotated[
        str | None,
        typer.Option(
            "--cell",
            metavar="CELL",
            help="The network: a name of the library or a file of equations.",
            show_default="that in FILE",
        ),
    ] = None,
    function: Annotated[
        str | None,
        typer.Option("--function", metavar="NAME", help="Which function of a Python file.", show_default="found"),
    ] = None,
    forward: Annotated[
        str | None,
        typer.Option("--forward", metavar="NAME", help="Its forward, where it is a backward.", show_default="found"),
    ] = None,
    layout: Layouts = None,
    names: Annotated[
        str | None,
        typer.Option(
            "--names",
            metavar="NAMES",
            help="What a function returns, in order, as in 'loss dW dU'; for formulas what a name stands for, as in "
            "'G=U, d=delta_h'.",
            show_default=False,
        ),
    ] = None,
    loss: Annotated[
        str, typer.Option("--loss", help="Of a function: sum or mean over the batch, or a factor.")
    ] = "sum",
    upstream: Upstream = None,
    window: Annotated[
        int | None,
        typer.Option("--window", metavar="K", min=1, help="Meant to be cut after K steps.", show_default="no"),
    ] = None,
    horizon: Annotated[
        int | None, typer.Option("--T", metavar="STEPS", min=1, help="Steps of the test points.", show_default="6")
    ] = None,
    batch: Annotated[
        int | None, typer.Option("--batch", metavar="B", min=1, help="Sequences of them.", show_default="one, no axis")
    ] = None,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Of the test points.")] = 0,
    time_limit: Annotated[
        float,
        typer.Option(
            "--time-limit", metavar="SECONDS", min=0, help="For running a Python file, and for each call; 0 for none."
        ),
    ] = 60,
    report: Annotated[
        Path | None,
        typer.Option("--report", metavar="FILE", help="Write it as .pdf, .html, .md or .tex too.", show_default=False),
    ] = None,
    lang: Annotated[str, typer.Option("--lang", help="Language of that: en, ru, or a .toml file of your own.")] = "en",
    form: Formatted = Format.text,
) -> None:
    """Say whether a derivation that a person wrote is right; if not, where it is wrong and what the mistake is.

    A Python file is your own program and is RUN, as by python FILE; do not verify a stranger's.  Equations and LaTeX
    are parsed and never run.  --layout search tries the usual layouts and says which fits.  Exit status 1 when it is
    wrong.

    \b
    Examples:
      rnnderive verify my_lstm.py --cell lstm
      rnnderive verify my_gru.py --cell gru_reset_after --function gru_backward --layout pytorch --upstream h
      rnnderive verify by_hand.txt --cell my_cell.txt
      rnnderive verify by_hand.tex --cell vanilla --format json
      rnnderive verify by_hand.tex --cell vanilla --report verdict.html --lang ru
      rnnderive derive gru --view adjoint | rnnderive verify -
    """
    from rnnderive.hand.verify import verify

    if report is not None:
        _check(report, lang)
    if form is Format.typst:
        raise InputError("found --format typst; a verdict is printed as text, latex or json")
    path = None if file == "-" else Path(file)
    options: dict[str, Any] = {"names": _names(names), "upstream": upstream or None}
    if path is not None and path.suffix == ".py":
        program = Program.run(path, time_limit or None)
        hand, options["forward"] = program.functions(function, forward)
        net = program.cell if cell is None else load(cell, loss=not upstream)
        options |= {"layout": layout_text(layout), "loss": number_or_words(loss), "time_limit": time_limit or None}
    else:
        asked = {"--function": function, "--forward": forward, "--layout": layout}
        if given := [n for n, value in asked.items() if value is not None]:
            raise InputError(f"found {given[0]}; it is about a Python file, and {file} is not named .py")
        hand = stdin_text() if path is None else text_of(path)
        net = restated(hand, file) if cell is None else load(cell, loss=not upstream)
    with working("verifying") as say:

        def progress(words: str) -> None:
            say(words)

        try:
            verdict = verify(net, hand, window=window, T=horizon, batch=batch, seed=seed, progress=progress, **options)
        except LanguageError as error:
            raise type(error)(f"{error.message} [{file}]", error.line, error.column, error.source) from None
    if form is Format.json:
        write_json({"file": file, "cell": str(net), "seed": seed, **verdict.to_json()})
    else:
        out(verdict.latex() if form is Format.latex else str(verdict))
    if report is not None:
        _write(verdict, report, lang)
    if not verdict:
        raise typer.Exit(1)


def _check(path: Path, lang: str) -> None:
    """Say before the work that a document cannot be of that kind, in that place or in that language."""
    from rnnderive.report import FORMATS, check_order, languages

    if path.suffix.removeprefix(".") not in FORMATS:
        raise InputError(f"found --report {path.name}; expected a name that ends in .{', .'.join(FORMATS)}")
    check_order(path.parent, path.stem, "auto", (path.suffix.removeprefix("."),))
    languages.load(lang)


def _write(verdict: Verdict, path: Path, lang: str) -> None:
    """The verdict as a document; the name says of which kind."""
    from rnnderive import report as rp

    document = rp.to_document(verdict, lang=lang)
    rp.build(document, path.parent, path.stem, formats=(path.suffix.removeprefix("."),))


def restated(text: str, file: str) -> Recurrence:
    """The network whose equations stand in a text with those of its gradient: what its loss L depends on."""
    from rnnderive.language import Recurrence

    wanted = f"{file} does not say which network it is about; expected --cell, or the network's equations in it, with L"
    if "\\" in text:
        raise InputError(wanted)
    try:
        whole = Recurrence.parse(text, loss="L")
    except LanguageError as error:
        raise InputError(f"{wanted} ({error})") from None
    needed, todo = set(), ["L"]
    while todo:
        name = todo.pop()
        if name in whole and name not in needed:
            needed.add(name)
            todo += [s for r in whole.reads(name) for s in (r.name, f"{r.name}0")]
    return Recurrence(tuple(e for e in whole.equations if e.name in needed), "L", whole.declared)


def _names(words: str | None) -> Any:
    """Names in order, or by what they stand for."""
    if words is None or "=" not in words:
        return words
    return dict(pairs(words.split(","), str))
