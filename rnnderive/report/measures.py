"""The page in numbers, and what both printers must agree on: columns of tables, lines of code."""

from __future__ import annotations

from collections.abc import Iterator

from rnnderive import printing as pr
from rnnderive.report import extent, fit
from rnnderive.report.document import Bold, Code, Emph, Formula, Inline, Table, Text, inlines, plain

__all__ = [
    "CODE_COLUMNS",
    "DISPLAY_EM",
    "INLINE_SHARE",
    "TEXT_CM",
    "TEXT_EM",
    "column_shares",
    "formula_lines",
    "table_lines",
    "text_width",
    "wrapped",
]

TEXT_CM = 16.0
TEXT_HEIGHT_CM = 24.2
TEXT_EM = 41.0  # 16 cm in em of the 11 pt text
DISPLAY_EM = 35.0  # less the indentation, the number, and a margin for the estimate
INLINE_SHARE = 0.5  # of the line: a wider formula is set as a display
CODE_COLUMNS = 92
_TABLE_SIZE = 0.92
_GUTTER_EM = 0.95


def text_width(text: Text) -> float:
    """Estimate the width of a text on one line, in em."""
    return sum(_inline_width(i) for i in inlines(text))


def _inline_width(item: Inline) -> float:
    match item:
        case Formula(math):
            return extent.width(math, "text")
        case Bold(content):
            return 1.15 * sum(map(_inline_width, content))
        case Emph(content):
            return sum(map(_inline_width, content))
        case Code(text):
            return 0.56 * len(text)
    return sum(0.82 if c.isupper() else 0.36 if c in " .,:;ijlt'" else 0.56 for c in plain(item))


def column_shares(table: Table) -> tuple[float, ...]:
    """Widths of the columns as shares of the line; they never sum to more than 1.

    Columns get what they need while the line lasts; else the narrow ones do, and the wide ones
    share what is left and wrap.
    """
    cells = [[Bold(*inlines(name)) for name in table.header], *table.rows]
    wanted = [max(text_width(row[k]) for row in cells) * _TABLE_SIZE * 1.04 + 0.4 for k in range(len(table.header))]
    room = TEXT_EM - _GUTTER_EM * len(wanted)
    if sum(wanted) > room:
        wanted = _shared(wanted, room)
    return tuple(round(w / TEXT_EM, 4) for w in wanted)


def table_lines(table: Table, shares: tuple[float, ...], most: int = 14) -> int:
    """Lines that stand on one page: all of a small table, else its head and its first rows."""
    room = [max(s * TEXT_EM / _TABLE_SIZE, 1.0) for s in shares]
    rows = [max(1.0, *(-(-text_width(cell) // r) for cell, r in zip(row, room, strict=True))) for row in table.rows]
    whole = 1 + int(sum(rows))
    return whole if whole <= most else 1 + int(sum(rows[:3]))


def _shared(wanted: list[float], room: float) -> list[float]:
    """Each gets what it wants, or the same share of the rest as the others that want more."""
    given = [0.0] * len(wanted)
    left = room
    order = sorted(range(len(wanted)), key=wanted.__getitem__)
    for place, k in enumerate(order):
        given[k] = min(wanted[k], left / (len(wanted) - place))
        left -= given[k]
    return given


def formula_lines(math: pr.Math, room: float) -> fit.Display | None:
    """The lines of an inline formula that does not fit in `room` em; None where it does."""
    if extent.width(math, "text") <= room:
        return None
    return fit.Display(tuple((None, line) for line in fit.lines(math, max(room - 1.0, 4.0))))


def wrapped(code: str, columns: int = CODE_COLUMNS) -> Iterator[tuple[bool, str]]:
    """Lines of code of at most `columns` characters; True marks those that continue one.

    Examples
    --------
    >>> list(wrapped("total = first + second", 16))
    [(False, 'total = first +'), (True, 'second')]
    """
    for line in code.expandtabs(4).strip("\n").split("\n"):
        rest = line.rstrip()
        continued = False
        while len(rest) > columns - 4 * continued:
            cut = _cut(rest, columns - 4 * continued)
            yield continued, rest[:cut].rstrip()
            rest = rest[cut:].lstrip()
            continued = True
        yield continued, rest


def _cut(line: str, columns: int) -> int:
    """Where to break: after the last space or comma, unless that wastes more than half the line."""
    best = max(line.rfind(" ", 0, columns), line.rfind(",", 0, columns - 1) + 1)
    return best if best > max(columns // 2, len(line) - len(line.lstrip())) else columns
