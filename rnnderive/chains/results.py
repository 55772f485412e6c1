"""What a sweep measured: its records, and the file that keeps them while it runs.

The file is text, one JSON value a line: a header that says which sweep it is of, then a record a
line.  It only grows while the sweep runs, so that a process that is killed loses no record that was
finished; when the sweep is done it is written anew in the order of the grid, in one move.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from rnnderive.errors import InputError, RnnDeriveError

try:
    import fcntl
except ImportError:  # Windows: two runs of one sweep at a time are not told apart there
    fcntl = None  # type: ignore[assignment]

__all__ = ["Number", "Record", "ResultsError", "ResultsFile", "number", "read_results"]

Number = bool | int | float
FORMAT = "rnnderive sweep 2"  # 1 drew each measurement from a seed of its place in the grid


class ResultsError(RnnDeriveError, OSError):
    """A results file that cannot be read or written."""


@dataclass(frozen=True)
class Record:
    """What one measurement gave.

    Attributes
    ----------
    place : int
        Of its point in the grid, from 0.
    seed : int
        As it was asked for.
    point : mapping
        Name → value.
    values : mapping
        What was measured, name → number; empty where it failed.
    error : str
        Why it failed, type and message; empty where it did not.
    traceback : str
        Where it failed; known to the process that measured only, not written to the file.
    """

    place: int
    seed: int
    point: Mapping[str, Any]
    values: Mapping[str, Number] = field(default_factory=dict)
    error: str = ""
    traceback: str = field(default="", compare=False, repr=False)

    @property
    def key(self) -> tuple[int, int]:
        """What tells it from the other records of its sweep."""
        return self.place, self.seed

    @property
    def line(self) -> bytes:
        """Its line in the file.  JSON has no NaN and no infinity: they are the strings "NaN" and "±Infinity"."""
        outcome: dict[str, Any] = {"error": self.error}
        if not self.error:
            outcome = {"values": {n: _written(v) for n, v in self.values.items()}}
        return _line({"place": self.place, "seed": self.seed, "point": self.point, **outcome})


def number(value: Any) -> Number:
    """A number of Python's own from a number of any kind, also an array of one entry without axes.

    Raises
    ------
    InputError
        For what is not a real number.

    Examples
    --------
    >>> number(np.float32(0.5)), number(np.array(3)), number(True)
    (0.5, 3, True)
    """
    if isinstance(value, np.generic) or (isinstance(value, np.ndarray) and value.ndim == 0):
        value = value.item()
    if isinstance(value, bool | int | float):
        return value
    shape = f" of shape {value.shape}" if isinstance(value, np.ndarray) else ""
    raise InputError(f"found {type(value).__name__}{shape}, expected a real number")


def _written(value: Number) -> Number | str:
    if math.isfinite(value):
        return value
    return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"


def _line(content: Mapping[str, Any]) -> bytes:
    return json.dumps(content, allow_nan=False).encode("ascii") + b"\n"


def _record(line: bytes, points: tuple[Mapping[str, Any], ...], seeds: frozenset[int]) -> Record:
    """The record of a line; a ValueError, KeyError, TypeError or IndexError for what is none."""
    content = json.loads(line)
    place, seed = content["place"], content["seed"]
    if type(place) is not int or place < 0 or seed not in seeds:
        raise ValueError
    point = points[place]
    if "error" in content:
        return Record(place, seed, point, error=str(content["error"]) or "unknown")
    values = {str(n): float(v) if isinstance(v, str) else number(v) for n, v in content["values"].items()}
    return Record(place, seed, point, values)


def _parse(
    lines: Iterable[bytes], points: tuple[Any, ...], seeds: tuple[int, ...], path: Path
) -> dict[tuple[int, int], Record]:
    """The records by place and seed; of two of one key the later, which was measured again."""
    known = frozenset(seeds)
    found: dict[tuple[int, int], Record] = {}
    for count, line in enumerate(lines, 2):
        try:
            record = _record(line, points, known)
        except (ValueError, KeyError, TypeError, IndexError, AttributeError):
            raise ResultsError(
                f"{path}, line {count}: expected a record of this sweep, found {_shown(line)}; the file is damaged: "
                "remove that line and its measurement is done again"
            ) from None
        found[record.key] = record
    return found


def _shown(line: bytes) -> str:
    text = line.decode("utf-8", "replace")
    return repr(text if len(text) <= 60 else text[:57] + "…")


@contextmanager
def _told(path: Path, doing: str, left: str = "") -> Iterator[None]:
    """Say of a system's error which file it is about and what to do."""
    try:
        yield
    except ResultsError:
        raise
    except OSError as error:
        raise ResultsError(f"cannot {doing} the results file {path}: {error.strerror or error}{left}") from error


class ResultsFile:
    """The file of one sweep, open for more records.

    Parameters
    ----------
    path : path
    header : mapping
        Which sweep it is: ``measure``, ``axes`` or ``points``, ``seeds``, ``fingerprint``.
    points, seeds : tuple
        What the header stands for, in order.

    Attributes
    ----------
    found : dict
        (place, seed) → Record, of what the file held.

    Raises
    ------
    InputError
        When the file is of another sweep, or of none.
    ResultsError
        When it cannot be read or written, is damaged, or is in use by another run.
    """

    def __init__(
        self, path: str | os.PathLike[str], header: Mapping[str, Any], points: tuple[Any, ...], seeds: tuple[int, ...]
    ) -> None:
        self.path = Path(os.path.realpath(path))  # the file behind a link is replaced, not the link
        self.header = _line({"format": FORMAT, **header})
        if self.path.exists() and not self.path.is_file():
            raise ResultsError(f"{self.path} is not an ordinary file; expected the path of a file for results")
        with _told(self.path, "open"):  # it stays open as long as the sweep runs
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._file = open(self.path, "ab+", buffering=0)  # noqa: SIM115
        try:
            self._lock()
            self.found = self._resume(points, seeds)
        except BaseException:
            self.close()
            raise

    def _lock(self) -> None:
        if fcntl is None:
            return
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ResultsError(
                f"{self.path} is in use by another run of this sweep; wait for it, or give another path"
            ) from None
        except OSError:  # a file system without locks
            pass

    def _resume(self, points: tuple[Any, ...], seeds: tuple[int, ...]) -> dict[tuple[int, int], Record]:
        """Read what is there, and cut off a line that a kill has torn."""
        with _told(self.path, "read"):
            self._file.seek(0)
            content = self._file.readall()
        *lines, torn = content.split(b"\n")
        if not lines and self.header.startswith(torn):  # new, or killed while the header was written
            with _told(self.path, "write"):
                self._file.truncate(0)
            self._append(self.header)
            return {}
        self._check(lines[0] if lines else torn)
        found = _parse(lines[1:], points, seeds, self.path)
        if torn:
            with _told(self.path, "mend"):
                self._file.truncate(len(content) - len(torn))
        return found

    def _check(self, line: bytes) -> None:
        """Refuse a header that is not this sweep's."""
        there, mine = _header(line, self.path), json.loads(self.header)
        if there == mine:
            return
        what = {
            "measure": "another measure", "axes": "another grid", "points": "other points", "seeds": "other seeds",
            "settings": "other settings of the measure", "source": "an earlier or later text of the measure",
        }  # fmt: skip
        differ = [words for name, words in what.items() if there.get(name) != mine.get(name)] or ["another sweep"]
        raise InputError(
            f"{self.path} holds results of {' and '.join(differ)}; give another path, or remove the file to begin anew"
        )

    def _append(self, line: bytes) -> None:
        left = "; what was measured so far is in it: make room and run the same sweep again to go on"
        with _told(self.path, "write", left):
            while line:  # a disk that fills up takes a part first
                line = line[self._file.write(line) :]

    def keep(self, record: Record) -> None:
        """Add a record; when this returns, a kill of the process does not lose it."""
        self._append(record.line)

    def finish(self, records: Iterable[Record]) -> None:
        """Write the file anew, in the order given, in one move."""
        content = self.header + b"".join(r.line for r in records)
        with _told(self.path, "read"):
            self._file.seek(0)
            if self._file.readall() == content:
                return
        draft = self.path.with_name(f"{self.path.name}.{os.getpid()}.part")
        with _told(self.path, "write", "; the records are in it, in the order in which they were measured"):
            try:
                with open(draft, "wb") as file:
                    file.write(content)
                    file.flush()
                    os.fsync(file.fileno())
                self.close()  # Windows replaces no open file
                os.replace(draft, self.path)
            finally:
                with suppress(OSError):
                    draft.unlink(missing_ok=True)

    def close(self) -> None:
        """Let go of the file."""
        self._file.close()

    def __enter__(self) -> ResultsFile:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _header(line: bytes, path: Path) -> dict[str, Any]:
    try:
        content = json.loads(line)
    except ValueError:
        content = None
    form = content.get("format") if isinstance(content, dict) else None
    if isinstance(form, str) and form.startswith(FORMAT[:-1]) and form != FORMAT:
        raise InputError(
            f"{path} is of another version of rnnderive (format {form!r}, here {FORMAT!r}), which draws other networks "
            "for the same seeds; give another path, or remove the file to begin anew"
        )
    if form != FORMAT:
        raise InputError(
            f"{path} is not a results file of a sweep: it begins with {_shown(line)}, expected a header with "
            f"format {FORMAT!r}; give another path"
        )
    return dict(content)


def read_results(
    path: str | os.PathLike[str], expand: Callable[[dict[str, Any]], tuple[tuple[Any, ...], tuple[int, ...]]]
) -> tuple[dict[str, Any], dict[tuple[int, int], Record]]:
    """The header and the records of a results file, finished or not; the file is left as it is.

    Parameters
    ----------
    path : path
    expand : callable
        Header → points and seeds.
    """
    path = Path(path)
    with _told(path, "read"):
        *lines, torn = path.read_bytes().split(b"\n")
    header = _header(lines[0] if lines else torn, path)
    try:
        points, seeds = expand(header)
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(f"{path}: the header lacks what the sweep is, {error!r}; the file is damaged") from error
    return header, _parse(lines[1:], points, seeds, path)
