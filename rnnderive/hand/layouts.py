"""Layouts: a person's arrays in terms of the cell's, written as equations.

    Wx      = [W_f[x] | W_i[x]].T        # columns that meet x, transposed, gates side by side
    b + b2  = [b_f ; b_i]                # two biases that are added: each has the whole gradient
    Wz      = -W_z                       # the other polarity of z
    xs      = x: [t] n 1                 # a list of columns, one a step
    none    = h0                         # no initial state: it is zero

A name that no line mentions is the cell's own, in the cell's own layout.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property

from rnnderive.errors import InputError
from rnnderive.hand.axes import Axes
from rnnderive.hand.parts import Arranged, Cell, Interleaved, Joined, Part, Rows, Scaled, Turned

__all__ = ["Entry", "Layout"]

SHARES = ((1.0,), (0.625, 0.375), (0.5, 0.3125, 0.1875))
"""How a sum is dealt out to what is added, exactly; no two alike, so that a swap shows."""


@dataclass(frozen=True)
class Entry:
    """One array of the person's: ``name = part``."""

    name: str
    part: Part

    @property
    def axes(self) -> Axes | None:
        """How it lies, where that was written."""
        return self.part.axes if isinstance(self.part, Arranged) else None

    def __str__(self) -> str:
        return f"{self.name} = {self.part}"


@dataclass(frozen=True)
class Layout:
    """A person's arrays, each as a linear expression of the cell's.

    Attributes
    ----------
    entries : tuple of Entry
    absent : tuple of str
        Names of the cell that the code has not; zero.
    name : str
        What a preset is called.

    Examples
    --------
    >>> layout = Layout.parse("W = [W_f | W_i].T\\nxs = x: [t] n 1\\nnone = h0")
    >>> print(layout)
    W = [W_f | W_i].T
    xs = x: [t] n 1
    none = h0
    """

    entries: tuple[Entry, ...] = ()
    absent: tuple[str, ...] = ()
    name: str = ""

    @classmethod
    def of(cls, layout: Layout | str | Mapping[str, str] | None) -> Layout:
        """A layout from text, from a mapping name → text, or as it is."""
        match layout:
            case None:
                return cls()
            case Layout():
                return layout
            case str():
                return cls.parse(layout)
            case Mapping():
                return cls.parse("\n".join(f"{n} = {e}" for n, e in layout.items()))
        raise InputError(f"layout is {type(layout).__name__}; expected equations such as 'W = [W_f | W_i].T'")

    @classmethod
    def parse(cls, text: str) -> Layout:
        """Read a layout; the text is parsed, never run.

        Raises
        ------
        InputError
            With the line that cannot be read.
        """
        entries: list[Entry] = []
        absent: list[str] = []
        for line in _statements(text):
            left, equals, right = line.partition("=")
            names = tuple(n.strip() for n in left.split("+"))
            if not equals or not all(n.isidentifier() for n in names):
                raise InputError(f"layout, line {line!r}: expected 'name = parts of the cell', as in W = [W_f | W_i].T")
            if names == ("none",):
                absent += [n.strip() for n in right.split(",")]
                continue
            expression, colon, order = right.partition(":")
            part = _Reader(expression, line).whole()
            if len(names) > len(SHARES):
                raise InputError(f"layout, line {line!r}: expected at most {len(SHARES)} arrays that are added")
            for name, share in zip(names, SHARES[len(names) - 1], strict=True):
                shared = part if share == 1 else Scaled(part, share)
                entries.append(Entry(name, Arranged(shared, Axes.parse(order)) if colon else shared))
        seen = [e.name for e in entries]
        if twice := next((n for n in seen if seen.count(n) > 1), None):
            raise InputError(f"layout: {twice} is said twice; expected one line for each array")
        return cls(tuple(entries), tuple(absent))

    def with_lines(self, text: str) -> Layout:
        """This layout with lines more, or others for the same names."""
        more = Layout.parse(text)
        new = {e.name for e in more.entries}
        kept = tuple(e for e in self.entries if e.name not in new)
        return Layout((*kept, *more.entries), (*self.absent, *more.absent), self.name)

    @cached_property
    def mentioned(self) -> frozenset[str]:
        """Names of the cell that some line is about."""
        return frozenset(n for e in self.entries for n in e.part.names) | frozenset(self.absent)

    def __str__(self) -> str:
        none = [f"none = {', '.join(self.absent)}"] if self.absent else []
        return "\n".join([*map(str, self.entries), *none])


def _statements(text: str) -> list[str]:
    """Lines without comments; one goes on until its brackets close."""
    out: list[str] = []
    depth = 0
    for raw in text.splitlines():
        line = raw.partition("#")[0].strip()
        if depth > 0:
            out[-1] += f" {line}"
        elif line:
            out.append(line)
        depth += sum((s in "[(") - (s in "])") for s in line)
    return out


GATHERED: dict[str, Callable[[tuple[Part, ...]], Part]] = {"interleave": Interleaved, "rows": Rows}

_TOKEN = re.compile(r"\s*(\.T\b|\d+\.?\d*|[^\W\d]\w*|[\[\]|;,()*\-])")


class _Reader:
    """Recursive descent through one expression."""

    def __init__(self, text: str, line: str) -> None:
        self.line, self.tokens, at = line, [], 0
        text = text.strip()
        while at < len(text):
            found = _TOKEN.match(text, at)
            if not found:
                raise self.error(f"{text[at:]!r} cannot be read")
            self.tokens.append(found[1])
            at = found.end()

    def error(self, what: str) -> InputError:
        return InputError(
            f"layout, line {self.line!r}: {what}; expected names of the cell's arrays, W_f[h] (columns on h), .T, "
            "-part, number * part, [a | b] (side by side), [a ; b] (below each other), interleave(a, b), rows(a, b)"
        )

    @property
    def next(self) -> str:
        return self.tokens[0] if self.tokens else ""

    def take(self, *wanted: str) -> str:
        if wanted and self.next not in wanted:
            raise self.error(f"found {self.next or 'the end'!r} where {' or '.join(wanted)} should stand")
        return self.tokens.pop(0)

    def whole(self) -> Part:
        part = self.signed()
        if self.tokens:
            raise self.error(f"{self.next!r} is too much")
        return part

    def signed(self) -> Part:
        if self.next == "-":
            self.take()
            return Scaled(self.signed(), -1.0)
        if self.next[:1].isdigit():
            factor = float(self.take())
            self.take("*")
            return Scaled(self.signed(), factor)
        part = self.atom()
        while self.next == ".T":
            self.take()
            part = Turned(part)
        return part

    def atom(self) -> Part:
        if self.next == "(":
            self.take()
            part = self.signed()
            self.take(")")
            return part
        if self.next == "[":
            self.take()
            return self.joined()
        if not self.next.isidentifier():
            raise self.error(f"found {self.next or 'the end'!r} where a name should stand")
        name = self.take()
        if name in GATHERED and self.next == "(":
            self.take()
            return GATHERED[name](tuple(self.several(",", ")")))
        if self.next == "[":
            self.take()
            part = Cell(name, self.take())
            self.take("]")
            return part
        return Cell(name)

    def joined(self) -> Part:
        first = self.signed()
        mark = self.take("|", ";", "]")
        return first if mark == "]" else Joined((first, *self.several(mark, "]")), below=mark == ";")

    def several(self, mark: str, end: str) -> list[Part]:
        parts = [self.signed()]
        while self.take(mark, end) == mark:
            parts.append(self.signed())
        return parts
