"""The table of checks: a row a rung."""

from __future__ import annotations

import html
from collections.abc import Iterator
from dataclasses import dataclass

__all__ = ["Ladder", "Rung"]


@dataclass(frozen=True)
class Rung:
    """One row of the table.

    Attributes
    ----------
    rung : str
        What is checked, and against what.
    method : str
    count : int
        How many entries or lines were compared.
    tolerance : str
        ``exact``, or the bounds.
    error : float or None
        The largest error found, relative to the largest entry of its array; None where there is
        no number.
    ok : bool or None
        None if the rung was left out; `note` says why.
    seconds : float
    note : str
        The array, entry and step that failed, or what else there is to say.
    """

    rung: str
    method: str
    count: int = 0
    tolerance: str = "exact"
    error: float | None = None
    ok: bool | None = True
    seconds: float = 0.0
    note: str = ""


@dataclass(frozen=True)
class Ladder:
    """What was checked of a derivation; truthy when every rung that applies holds."""

    rows: tuple[Rung, ...]

    def __bool__(self) -> bool:
        return not self.failures and any(r.ok for r in self.rows)

    def __iter__(self) -> Iterator[Rung]:
        return iter(self.rows)

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, rung: str) -> Rung:
        for r in self.rows:
            if r.rung == rung:
                return r
        raise KeyError(rung)

    @property
    def failures(self) -> tuple[Rung, ...]:
        """The rungs that do not hold."""
        return tuple(r for r in self.rows if r.ok is False)

    def cells(self) -> list[tuple[str, ...]]:
        """The table as words, its head first."""
        head = ("rung", "method", "compared", "tolerance", "largest error", "", "seconds", "note")
        words = [
            (
                r.rung, r.method, str(r.count) if r.count else "", r.tolerance if r.ok is not None else "",
                "" if r.error is None else f"{r.error:.1e}",
                {True: "holds", False: "FAILS", None: "left out"}[r.ok], f"{r.seconds:.2f}", r.note,
            )
            for r in self.rows
        ]  # fmt: skip
        return [head, *words]

    def __str__(self) -> str:
        cells = self.cells()
        widths = [max(len(row[k]) for row in cells) for k in range(len(cells[0]))]
        right = {2, 4, 6}

        def line(row: tuple[str, ...]) -> str:
            words = [w.rjust(n) if k in right else w.ljust(n) for k, (w, n) in enumerate(zip(row, widths, strict=True))]
            return "  ".join(words).rstrip()

        return "\n".join(map(line, cells))

    def _repr_html_(self) -> str:
        head, *rows = self.cells()
        top = "".join(f"<th>{html.escape(w)}</th>" for w in head)
        body = "".join(f"<tr>{''.join(f'<td>{html.escape(w)}</td>' for w in row)}</tr>" for row in rows)
        return f"<table><thead><tr>{top}</tr></thead><tbody>{body}</tbody></table>"
