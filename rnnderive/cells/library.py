"""The library's table of names, and cells from files."""

from __future__ import annotations

import difflib
import os
from collections import UserDict
from collections.abc import Callable
from pathlib import Path
from typing import Final

from rnnderive.cells.combine import bidirectional, stack
from rnnderive.cells.grus import gru, gru_reset_after, mgu, mingru
from rnnderive.cells.lstms import coupled_lstm, lstm, peephole_lstm
from rnnderive.cells.plain import dense, indrnn, lecture, vanilla
from rnnderive.errors import InputError, LanguageError
from rnnderive.language import Recurrence
from rnnderive.language.syntax import MAX_TEXT

__all__ = ["LIBRARY", "bidirectional_lstm", "bidirectional_rnn", "load", "recurrence", "rnn", "stacked_lstm"]

rnn = vanilla


def stacked_lstm(layers: int = 2) -> Recurrence:
    """Layers of :func:`~rnnderive.cells.lstm` on top of each other (Graves 2013)."""
    return stack(lstm(), layers)


def bidirectional_rnn() -> Recurrence:
    """Row 13 of the lecture: a sigmoid RNN in both directions (Schuster and Paliwal 1997)."""
    return bidirectional(vanilla("sigmoid"))


def bidirectional_lstm() -> Recurrence:
    """An :func:`~rnnderive.cells.lstm` in both directions (Graves and Schmidhuber 2005)."""
    return bidirectional(lstm())


class Library(UserDict[str, Callable[..., Recurrence]]):
    """Cells by name; another name of a cell is found, but not listed.

    Examples
    --------
    >>> LIBRARY["rnn"] is LIBRARY["vanilla"], "rnn" in LIBRARY, "rnn" in list(LIBRARY)
    (True, True, False)
    """

    aliases: Final = {"rnn": "vanilla"}

    def __missing__(self, name: str) -> Callable[..., Recurrence]:
        if name not in self.aliases:
            raise KeyError(name)
        return self[self.aliases[name]]

    def __contains__(self, name: object) -> bool:
        return name in self.data or name in self.aliases


LIBRARY = Library({
    "dense": dense,
    "vanilla": vanilla,
    "lecture": lecture,
    "lstm": lstm,
    "gru": gru,
    "gru_reset_after": gru_reset_after,
    "peephole_lstm": peephole_lstm,
    "coupled_lstm": coupled_lstm,
    "mgu": mgu,
    "mingru": mingru,
    "indrnn": indrnn,
    "stacked_lstm": stacked_lstm,
    "bidirectional_rnn": bidirectional_rnn,
    "bidirectional_lstm": bidirectional_lstm,
})  # fmt: skip


def load(name_or_path: str | os.PathLike[str], *, loss: str | None = "") -> Recurrence:
    """A cell of the library, or one from a file of equations.

    Parameters
    ----------
    name_or_path : str or path
        A name in :data:`LIBRARY`, else a file, UTF-8.  The file is read, never run.
    loss : str or None, optional
        Of a file, as for :meth:`Recurrence.parse`: None where it has no loss.

    Raises
    ------
    InputError
        When there is no such name or file, or it cannot be read.
    LanguageError
        When the file is not a recurrence, with the place in it.

    Examples
    --------
    >>> load("gru").parameters
    ('W_z', 'b_z', 'W_r', 'b_r', 'W', 'W_y', 'b_y')
    """
    if isinstance(name_or_path, str) and name_or_path in LIBRARY:
        return LIBRARY[name_or_path]()
    path = Path(name_or_path)
    shown = str(name_or_path)[:200]
    try:
        text = _contents(path)
    except FileNotFoundError:
        near = difflib.get_close_matches(str(name_or_path), [*LIBRARY, *LIBRARY.aliases], 3, 0.5)
        hint = f"did you mean {' or '.join(near)}? The" if near else "the"
        raise InputError(f"there is no cell and no file {shown!r}; {hint} library has {', '.join(LIBRARY)}") from None
    except UnicodeDecodeError as error:
        raise InputError(f"{path} is not a text in UTF-8: {error.reason} at byte {error.start}") from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise InputError(f"cannot read {shown!r}: {reason}") from None
    try:
        return Recurrence.parse(text, loss=loss)
    except LanguageError as error:
        raise type(error)(f"{error.message} [{path}]", error.line, error.column, error.source) from None


def recurrence(net: Recurrence | str | os.PathLike[str]) -> Recurrence:
    """A recurrence, however it is given.

    Parameters
    ----------
    net : Recurrence, str or path
        Itself, its equations, the name of a cell of the library, or a file of equations.

    Raises
    ------
    InputError, LanguageError
        As :func:`load` and :meth:`Recurrence.parse`.

    Examples
    --------
    >>> recurrence("gru") == load("gru") == recurrence(load("gru"))
    True
    >>> recurrence("s[t] = tanh(a * s[t-1])\\nL = sum(s[T])").parameters
    ('a',)
    """
    if isinstance(net, Recurrence):
        return net
    if isinstance(net, str) and ("=" in net or "\n" in net):
        return Recurrence.parse(net)
    if not isinstance(net, str | os.PathLike):
        raise InputError(
            f"found {type(net).__name__}; expected a recurrence, its equations, or the name or file of a cell"
        )
    return load(net)


def _contents(path: Path) -> str:
    """The text of a file, or an OSError that says why not."""
    if not path.exists():
        raise FileNotFoundError(path)
    if not path.is_file():
        raise OSError("it is not a file" if not path.is_dir() else "it is a folder")
    with path.open("rb") as file:
        data = file.read(4 * MAX_TEXT + 1)
    if len(data) > 4 * MAX_TEXT:
        raise OSError(f"it is larger than {4 * MAX_TEXT} bytes")
    return data.decode("utf-8-sig")
