"""Word vectors: the text and binary formats of word2vec, and GloVe's."""

from __future__ import annotations

import difflib
import gzip
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, cast

import numpy as np

from rnnderive.errors import InputError

__all__ = ["SAMPLE", "WordVectors", "read_vectors"]

SAMPLE = Path(__file__).with_name("a_cat_exists.txt")
"""The lecture's example: the printed components of "a cat exists", in word2vec's text format."""

MAX_LINE = 2**20
MAX_WORDS = 2**24
MAX_WIDTH = 2**16


@dataclass(frozen=True)
class WordVectors(Mapping[str, Any]):
    """A table of words; ``vectors["cat"]`` is an array (d,).

    Attributes
    ----------
    words : tuple of str
    matrix : array (number of words, d)

    Examples
    --------
    >>> vectors = read_vectors(SAMPLE)
    >>> vectors.words, vectors.width
    (('a', 'cat', 'exists'), 4)
    >>> vectors["cat"]
    array([-0.21,  0.56, -1.67, -0.05])
    """

    words: tuple[str, ...]
    matrix: Any

    def __post_init__(self) -> None:
        rows: dict[str, int] = {}
        for k, word in enumerate(self.words):
            rows.setdefault(word, k)  # as word2vec's own tools: the first of two
        object.__setattr__(self, "_rows", rows)

    @property
    def width(self) -> int:
        """How many numbers a word has."""
        return int(self.matrix.shape[1])

    def __getitem__(self, word: str) -> Any:
        rows: dict[str, int] = self._rows  # type: ignore[attr-defined]
        return self.matrix[rows[word]]

    def __iter__(self) -> Iterator[str]:
        return iter(dict.fromkeys(self.words))

    def __len__(self) -> int:
        return len(set(self.words))

    def near(self, word: str) -> list[str]:
        """Words that are spelt alike, for an error message."""
        return difflib.get_close_matches(word, self.words[:20_000], 3)


def read_vectors(
    path: str | Path, only: Collection[str] | None = None, *, binary: bool | None = None, dtype: Any = np.float64
) -> WordVectors:
    """Read word vectors.

    Parameters
    ----------
    path : str or path
        word2vec's text format (a first line ``count width``), GloVe's (no such line), or
        word2vec's binary format; with ``.gz`` appended, packed.
    only : collection of str, optional
        The words wanted, so that of a large file little is kept.
    binary : bool, optional
        By default what the ending ``.bin`` says.
    dtype : dtype

    Raises
    ------
    InputError
        When the file is not there, cut short or not such a table; the message says which line.
    """
    path = Path(path)
    if not path.is_file():
        raise InputError(f"there is no file {str(path)[:200]!r}")
    if binary is None:
        binary = ".bin" in path.suffixes
    try:
        with cast("IO[bytes]", gzip.open(path) if path.suffix == ".gz" else path.open("rb")) as file:
            found = dict(_entries(path, file, binary, only))
    except (OSError, EOFError) as error:
        raise InputError(f"{path} cannot be read: {error}") from None
    if not found:
        raise InputError(f"{path} holds {'no word vectors' if only is None else 'none of the words wanted'}")
    matrix = np.array(list(found.values()), dtype=dtype)
    if not np.isfinite(matrix).all():
        word = list(found)[int(np.argwhere(~np.isfinite(matrix))[0, 0])]
        raise InputError(f"{path}: the vector of {word!r} is not finite")
    return WordVectors(tuple(found), matrix)


def _entries(path: Path, file: IO[bytes], binary: bool, only: Collection[str] | None) -> Iterator[tuple[str, Any]]:
    """Word and vector; of a word that stands twice, the first."""
    seen: set[str] = set()
    for word, vector in (_binary if binary else _text)(path, file, only):
        if word not in seen:
            seen.add(word)
            yield word, vector


def _header(line: bytes) -> tuple[int, int] | None:
    """word2vec's first line: how many words, how many numbers each."""
    parts = line.split()
    if len(parts) != 2 or not all(p.isdigit() for p in parts):
        return None
    return int(parts[0][:12]), int(parts[1][:12])


def _text(path: Path, file: IO[bytes], only: Collection[str] | None) -> Iterator[tuple[str, Any]]:
    width = count = 0
    number = found = 0
    while line := file.readline(MAX_LINE):
        number += 1
        if number == 1 and (header := _header(line)):
            count, width = header
            continue
        if not line.strip():
            continue
        try:
            parts = line.decode("utf-8").rstrip().split(" ")
        except UnicodeDecodeError:
            raise InputError(
                f"{path}, line {number} is not a text in UTF-8; for word2vec's binary format: binary=True"
            ) from None
        width = width or len(parts) - 1
        # GloVe has words with a space in them: the numbers are the last ones.
        word, values = " ".join(parts[:-width]), parts[-width:]
        found += 1
        if not word or len(parts) <= width:
            raise InputError(f"{path}, line {number}: found {len(parts) - 1} numbers; expected a word and {width}")
        if only is not None and word not in only:
            continue
        try:
            yield word, np.array(values, dtype=float)
        except ValueError:
            raise InputError(
                f"{path}, line {number}: expected a word and {width} numbers, found {line[:60]!r}"
            ) from None
    if count and found < count:
        raise InputError(f"{path} is cut short: its first line promises {count} words, there are {found}")


def _binary(path: Path, file: IO[bytes], only: Collection[str] | None) -> Iterator[tuple[str, Any]]:
    header = _header(file.readline(MAX_LINE))
    if header is None or header[0] > MAX_WORDS or not 0 < header[1] <= MAX_WIDTH:
        raise InputError(f"{path} does not begin with the number of words and their width, as word2vec's binary format")
    count, width = header
    for k in range(count):
        word = bytearray()
        while (letter := file.read(1)) != b" ":
            if not letter or len(word) > 1000:
                raise InputError(f"{path} is cut short or damaged: word {k + 1} of {count} has no end")
            if letter != b"\n":  # some writers end a vector with a line break
                word += letter
        data = file.read(4 * width)
        if len(data) < 4 * width:
            raise InputError(f"{path} is cut short in the vector of word {k + 1} of {count}")
        name = word.decode("utf-8", "replace")
        if only is None or name in only:
            yield name, np.frombuffer(data, "<f4")
