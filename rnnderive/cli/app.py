"""The application that commands belong to, and the options that they share."""

from __future__ import annotations

import signal
import sys
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperGroup

from rnnderive.cli.output import Format, complain
from rnnderive.errors import InputError, LanguageError, RnnDeriveError

if TYPE_CHECKING:
    from rnnderive.language import Recurrence

__all__ = [
    "CELL_HELP",
    "Cell",
    "Formatted",
    "Truncate",
    "Wrt",
    "app",
    "load",
    "main",
    "number_or_words",
    "pairs",
    "size_option",
    "stdin_text",
]

MAX_STDIN = 800_000
NO_LOSS = "there is no loss: found sequences only. Expected a line such as L = squared_error(h[T], target)"


class _Commands(TyperGroup):
    """The commands; an error of ours becomes one message and exit status 2."""

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except RnnDeriveError as error:
            complain(error)
        except BrokenPipeError:
            raise
        except OSError as error:
            complain(f"{error.filename or 'output'}: {error.strerror or error}")
        raise typer.Exit(2)


app = typer.Typer(
    name="rnnderive", cls=_Commands, no_args_is_help=True, add_completion=False,
    rich_markup_mode=None, pretty_exceptions_enable=False,
)  # fmt: skip

CELL_HELP = "A name of the library (see: rnnderive cells), a file of equations, or - for stdin."
Cell = Annotated[str, typer.Argument(metavar="CELL", help=CELL_HELP, show_default=False)]
Wrt = Annotated[
    list[str] | None,
    typer.Option("--wrt", metavar="NAME", help="Differentiate in NAME; may be repeated.", show_default=False),
]
Formatted = Annotated[Format, typer.Option("--format", help="How formulas are written.")]
Truncate = Annotated[
    int | None,
    typer.Option(
        "--truncate",
        metavar="K",
        help="Cut back-propagation after K steps (adjoint, code and check; chains and steps are whole).",
        show_default=False,
    ),
]


def _version(asked: bool) -> None:
    if asked:
        from rnnderive import __version__

        typer.echo(f"rnnderive {__version__}")
        raise typer.Exit()


@app.callback(epilog="Exit status: 0 it holds, 1 a check failed, 2 the input is wrong.")
def _rnnderive(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Derive, run and check the gradients of recurrent networks.

    \b
    Example:
      rnnderive derive vanilla --wrt W --T 3
    """


def load(cell: str, *, loss: bool = True) -> Recurrence:
    """A cell by name, from a file, or from stdin; of equations without a loss only if none is needed."""
    from rnnderive.cells import load
    from rnnderive.language import Recurrence

    text = stdin_text() if cell == "-" else None

    def read(name: str | None) -> Recurrence:
        return load(cell, loss=name) if text is None else Recurrence.parse(text, loss=name)

    try:
        return read("")
    except LanguageError as error:
        net = read(None)  # what is wrong with the equations themselves is told here once more
        if any(not e.timed for e in net.equations):
            raise
        if not loss:
            return net
        place = "" if cell == "-" else f" [{cell}]"
        raise LanguageError(f"{NO_LOSS}{place}", error.line, error.column, error.source) from None


def stdin_text() -> str:
    """What stdin holds, as text of a bounded length."""
    try:
        text = sys.stdin.buffer.read(MAX_STDIN + 1).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(f"stdin is not a text in UTF-8: {error.reason} at byte {error.start}") from None
    if len(text) > MAX_STDIN:
        raise InputError(f"stdin is larger than {MAX_STDIN} bytes")
    return text


def size_option(usual: str) -> Any:
    """The option ``--size``, with the widths that are taken without it."""
    return typer.Option("--size", metavar="NAME=N", help="A width, as in h=64; may be repeated.", show_default=usual)


def pairs(options: Iterable[str] | None, kind: type) -> Iterator[tuple[str, Any]]:
    """NAME=VALUE options taken apart, each name once."""
    seen: dict[str, str] = {}
    for option in options or ():
        name, sign, value = option.partition("=")
        if not sign or not name.strip() or not value.strip():
            raise InputError(f"found {option!r}; expected NAME=VALUE")
        if name.strip() in seen:
            raise InputError(f"found {seen[name.strip()]!r} and {option!r}; expected {name.strip()} once")
        seen[name.strip()] = option
        try:
            yield name.strip(), kind(value)
        except ValueError:
            raise InputError(f"found {option!r}; expected a whole number after the equals sign") from None


def number_or_words(words: str) -> Any:
    """A whole number, a number, or the words themselves."""
    for kind in (int, float):
        try:
            return kind(words)
        except ValueError:
            pass
    return words.strip()


def main() -> None:
    """Run the command line."""
    if hasattr(signal, "SIGPIPE"):  # a reader that has seen enough ends us without a word
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):  # a terminal without ∂ shows ? in its place
            stream.reconfigure(errors="replace")
    try:
        app(prog_name="rnnderive")
    except KeyboardInterrupt:
        sys.exit(130)
