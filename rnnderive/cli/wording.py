"""Messages in the words of the command line: an argument of Python is an option here."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from rnnderive.errors import InputError, RnnDeriveError

__all__ = ["READING", "in_options", "on_the_command_line"]

READING = ("kind", "activation", "readout", "loss", "at", "target")  # options of weights.load, by --read

# Argument → option, where the option is not its name after two dashes.
OPTIONS: Mapping[str, str] = {
    "T": "--T", "batch": "--batch", "sizes": "--size", "weights": "--weights", "layer": "--layer", "read": "--read",
    "scheme": "--scheme", "roles": "--role", "gain": "--gain", "text": "--text", "vectors": "--vectors",
    "unknown": "--unknown",
    "source": "--input", "scale": "--scale", "state_scale": "--state-scale", "memory": "--memory", "net": "CELL",
    "names": "--array",
}  # fmt: skip
_ARGUMENT = re.compile(
    rf"(?<![-\w])({'|'.join((*OPTIONS, *READING))})=(?![=\d])(\([^()]*\)|'[^']*'|\{{[^{{}}]*\}}|None\b|…|(?=\W|$))"
    r"|(?<![-\w])(memory)=([\d.]+)"
)


def in_options(words: str) -> str:
    """A message with the arguments of Python that stand in it as options of the command line.

    Examples
    --------
    >>> in_options("Choose one with layer='rnn', or put some on top of each other with layer=('rnn', 'dec')")
    'Choose one with --layer rnn, or put some on top of each other with --layer rnn --layer dec'
    >>> in_options("give kind='gru_reset_after' (Keras's default); T= has no effect beside text=")
    "give --read kind=gru_reset_after (Keras's default); --T has no effect beside --text"
    """
    return _ARGUMENT.sub(_as_option, words)


def _as_option(found: re.Match[str]) -> str:
    name, value = found[1] or found[3], found[2] or found[4] or ""
    if name in READING:
        return f"--read {name}={value.strip(chr(39))}"
    option = OPTIONS[name]
    if value.startswith("("):
        return " ".join(f"{option} {part}" for part in re.findall(r"'([^']*)'", value))
    if value.startswith("{"):
        return f"{option} {'='.join(w.strip() for w in value[1:-1].upper().split(':'))}"
    return f"{option} {value.strip(chr(39))}".strip()


@contextmanager
def on_the_command_line() -> Iterator[None]:
    """What is raised inside speaks of options."""
    try:
        yield
    except RnnDeriveError as error:
        if (words := in_options(str(error))) == str(error):
            raise
        raise InputError(words) from error
