"""Input sequences: arrays from files, and text as word vectors with its tokens kept."""

from __future__ import annotations

import csv
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from rnnderive.errors import InputError
from rnnderive.weights.vectors import WordVectors, read_vectors

__all__ = ["Inputs", "read_inputs", "tokens_of"]

MOST_SHOWN = 8  # words without a vector, in a note

# A word with what is inside it (don't, well-known), or one sign.
_TOKEN = re.compile(r"\w+(?:['’-]\w+)*|[^\w\s]")


@dataclass(frozen=True)
class Inputs:
    """One input sequence.

    Attributes
    ----------
    arrays : dict
        What a program takes: ``{"x": array (T, d) or (T, B, d)}``.
    tokens : tuple of str or None
        What stands at each step, for figures.
    notes : tuple of str
        What was read otherwise than it stands: words without a vector, a line of names.
    """

    arrays: dict[str, Any]
    tokens: tuple[str, ...] | None = None
    notes: tuple[str, ...] = ()

    @property
    def T(self) -> int:
        """The number of steps."""
        return int(next(iter(self.arrays.values())).shape[0])


def tokens_of(text: str) -> tuple[str, ...]:
    """A text in words and signs.

    Examples
    --------
    >>> tokens_of("A cat doesn't sit, it exists.")
    ('A', 'cat', "doesn't", 'sit', ',', 'it', 'exists', '.')
    """
    return tuple(_TOKEN.findall(text))


def read_inputs(
    source: str | Path | Sequence[str],
    *,
    vectors: str | Path | WordVectors | None = None,
    unknown: str = "error",
    name: str = "x",
    dtype: Any = np.float64,
) -> Inputs:
    """An input sequence from a file of numbers, or from text and word vectors.

    Parameters
    ----------
    source : str, path or sequence of str
        Without `vectors` a file: ``.npy`` of the shape (T, d) or (T, B, d), or ``.csv`` with a
        line a step, a first line of names allowed.  With `vectors` a text, or its tokens.
    vectors : str, path or WordVectors, optional
        A file that :func:`~rnnderive.weights.read_vectors` reads, or what it returned.  A token
        that has no vector is looked up in lower case.
    unknown : {"error", "zero", "skip"}
        What becomes of a token without a vector; which ones they were is in the notes.
    name : str
        What the input is called.
    dtype : dtype

    Raises
    ------
    InputError
        For files that are not there, damaged, empty or not finite, and words without a vector.

    Examples
    --------
    >>> from rnnderive.weights import SAMPLE
    >>> inputs = read_inputs("A cat exists", vectors=SAMPLE)
    >>> inputs.tokens, inputs.arrays["x"].shape
    (('A', 'cat', 'exists'), (3, 4))
    """
    if vectors is not None:
        tokens = tokens_of(source) if isinstance(source, str) else tuple(map(str, source))  # type: ignore[arg-type]
        return _embedded(tokens, vectors, unknown, name, dtype)
    if not isinstance(source, str | Path):
        raise InputError(f"found tokens of type {type(source).__name__} and no vectors; give vectors=…")
    path = Path(source)
    reader = {".npy": _npy, ".csv": _csv}.get(path.suffix.lower())
    if reader is None:
        raise InputError(
            f"{str(source)[:100]!r} is neither a .npy nor a .csv file; for a text, give vectors= with its word vectors"
        )
    if not path.is_file():
        raise InputError(f"there is no file {str(path)[:200]!r}")
    array, notes = reader(path)
    if array.ndim == 1:
        notes = (*notes, f"{path.name} has one axis of {len(array)} numbers: read as {len(array)} steps of one number")
        array = array[:, None]
    if array.ndim not in (2, 3) or array.size == 0:
        raise InputError(f"{path} has the shape {array.shape}; expected (T, d) or (T, B, d), none of them 0")
    if not np.isfinite(array).all():
        place = tuple(int(k) for k in np.argwhere(~np.isfinite(array))[0])
        raise InputError(f"{path}: the number at {list(place)} is {array[place]}; expected finite numbers")
    return Inputs({name: array.astype(dtype)}, notes=notes)


def _embedded(
    tokens: tuple[str, ...], vectors: str | Path | WordVectors, unknown: str, name: str, dtype: Any
) -> Inputs:
    if unknown not in ("error", "zero", "skip"):
        raise InputError(f"found unknown={unknown!r}; expected 'error', 'zero' or 'skip'")
    if not tokens:
        raise InputError("the text has no words; a recurrence runs over at least one step")
    if not isinstance(vectors, WordVectors):
        vectors = read_vectors(vectors, {*tokens, *(t.lower() for t in tokens)}, dtype=dtype)
    rows: list[Any] = []
    kept: list[str] = []
    without: list[str] = []
    for token in tokens:
        found = next((w for w in (token, token.lower()) if w in vectors), None)
        if found is None and unknown == "error":
            near = vectors.near(token.lower())
            hint = f"; spelt alike: {', '.join(near)}" if near else ""
            raise InputError(
                f"there is no vector for {token!r} (word {len(kept) + 1}){hint}. "
                "unknown='zero' takes the zero vector for it, unknown='skip' leaves it out"
            )
        without += [token] if found is None else []
        if found is None and unknown == "skip":
            continue
        rows.append(np.zeros(vectors.width) if found is None else vectors[found])
        kept.append(token)
    if len(without) == len(tokens):
        raise InputError(f"none of the words has a vector: {_listed(without)}")
    fate = {"zero": "zero stands for", "skip": "left out:"}.get(unknown)
    notes = (f"{fate} {_listed(without)}, without a vector",) if without else ()
    return Inputs({name: np.array(rows, dtype=dtype)}, tuple(kept), notes)


def _listed(words: list[str]) -> str:
    """How many words, and which: the first of them where they are many."""
    different = list(dict.fromkeys(words))
    shown = ", ".join(map(repr, different[:MOST_SHOWN])) + ", …" * (len(different) > MOST_SHOWN)
    return f"{len(words)} word{'s' * (len(words) > 1)} ({shown})"


def _npy(path: Path) -> tuple[Any, tuple[str, ...]]:
    try:
        array = np.load(path, allow_pickle=False)
    except Exception as error:  # whatever a damaged file makes NumPy say
        raise InputError(f"{path} cannot be read as .npy ({str(error)[:200]})") from None
    if not isinstance(array, np.ndarray) or array.dtype.kind not in "fiub":
        raise InputError(f"{path} holds {getattr(array, 'dtype', 'no array')}; expected an array of numbers")
    return array, ()


def _csv(path: Path) -> tuple[Any, tuple[str, ...]]:
    rows: list[list[float]] = []
    notes: tuple[str, ...] = ()
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            for number, fields in enumerate(csv.reader(file), 1):
                if not any(f.strip() for f in fields):
                    continue
                try:
                    row = [float(f) for f in fields]
                except ValueError:
                    if number == 1 and not any(_is_number(f) for f in fields):
                        names = ", ".join(f.strip()[:20] for f in fields[:6]) + ", …" * (len(fields) > 6)
                        notes = (f"the first line of {path.name} is taken for names: {names}",)
                        continue
                    bad = next(f for f in fields if not _is_number(f))
                    raise InputError(f"{path}, line {number}: found {bad[:40]!r}, expected a number") from None
                if rows and len(row) != len(rows[0]):
                    raise InputError(f"{path}, line {number}: found {len(row)} numbers; expected {len(rows[0])}")
                rows.append(row)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{path} cannot be read as .csv: {error}") from None
    return np.array(rows, dtype=float).reshape(len(rows), -1) if rows else np.zeros((0, 0)), notes


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
