"""What the command line prints: formulas in every format, tables, errors, and a spinner while it works."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any

import typer

if TYPE_CHECKING:
    from rnnderive.language import Recurrence
    from rnnderive.printing import Math

__all__ = [
    "Format",
    "Line",
    "Section",
    "Told",
    "complain",
    "equations",
    "finite",
    "out",
    "show",
    "table",
    "working",
    "write_json",
]


class Format(StrEnum):
    """How a formula is written."""

    text = "text"
    latex = "latex"
    typst = "typst"
    json = "json"


class Told(StrEnum):
    """How findings are written, which are no formulas."""

    text = "text"
    json = "json"


@dataclass(frozen=True)
class Line:
    """A formula, with what is known about it.

    `source` is the formula in the language, for an equation of a recurrence; `holds` is the
    verdict of a check, None where there was none, `by` the method, `error` what it found.
    """

    math: Math
    source: str | None = None
    number: int | None = None
    rule: str | None = None
    holds: bool | None = None
    by: str | None = None
    error: str = ""

    def text(self) -> str:
        """The line for a terminal: an equation in the language, any other formula in Unicode."""
        from rnnderive import printing as pr

        formula = self.source or pr.text(self.math)
        mark = {True: "✓ ", False: "✗ ", None: ""}[self.holds]
        number = f"({self.number})".rjust(4) + " " if self.number else ""
        return (
            f"{number}{mark}{formula}"
            + (f"    [{self.rule}]" if self.rule else "")
            + (f"  {self.error}" if self.error else "")
        )

    def sides(self) -> tuple[Math, Math]:
        """What stands on either side of the equals sign."""
        left, right = self.math.items  # type: ignore[attr-defined]
        return left, right

    def comment(self) -> str:
        """Number, rule and verdict in words."""
        number = f"({self.number}) " if self.number else ""
        verdict = {True: f" (holds: {self.by})", False: f" (DOES NOT HOLD: {self.error})", None: ""}[self.holds]
        return f"{number}{self.rule or ''}{verdict}".strip()

    def record(self) -> dict[str, Any]:
        """The line for a machine."""
        from rnnderive import printing as pr

        known = {k: getattr(self, k) for k in ("number", "rule", "holds", "by", "error", "source")}
        return {**known, **{w.__name__: w(self.math) for w in (pr.text, pr.latex, pr.typst)}}


@dataclass(frozen=True)
class Section:
    """Formulas under a heading."""

    title: str
    lines: tuple[Line, ...]
    facts: dict[str, Any] = field(default_factory=dict)


def equations(title: str, net: Recurrence) -> Section:
    notation = net.notation
    lines = [Line(e.math(notation), str(e)) for e in net.equations]
    return Section(title, tuple(lines))


def show(sections: Iterable[Section], form: Format, **facts: Any) -> None:
    sections = list(sections)
    if form is Format.json:
        found = [{"title": s.title, **s.facts, "lines": [n.record() for n in s.lines]} for s in sections]
        write_json({**facts, "sections": found})
        return
    writers = {Format.text: _as_text, Format.latex: _as_latex, Format.typst: _as_typst}
    out("\n\n".join("\n".join(writers[form](s)) for s in sections))


def _as_text(section: Section) -> Iterator[str]:
    yield f"# {section.title}"
    yield from (line.text() for line in section.lines)


def _as_latex(section: Section) -> Iterator[str]:
    from rnnderive import printing as pr

    yield f"% {section.title}"
    yield r"\begin{aligned}"
    for k, line in enumerate(section.lines):
        if line.comment():
            yield f"% {line.comment()}"
        left, right = map(pr.latex, line.sides())
        yield f"{left} &= {right}" + (r" \\" if k + 1 < len(section.lines) else "")
    yield r"\end{aligned}"


def _as_typst(section: Section) -> Iterator[str]:
    from rnnderive import printing as pr

    yield f"// {section.title}"
    yield "$"
    for k, line in enumerate(section.lines):
        if line.comment():
            yield f"// {line.comment()}"
        left, right = map(pr.typst, line.sides())
        yield f"{left} &= {right}" + (" \\" if k + 1 < len(section.lines) else "")
    yield "$"


def table(rows: list[tuple[str, ...]], form: Format) -> str:
    """A table of words, its head first."""
    head = rows[0]
    if form is Format.latex:
        lines = [" & ".join(_plain_latex(c) for c in row) + r" \\" for row in rows]
        top, bottom = rf"\begin{{tabular}}{{{'l' * len(head)}}}", r"\end{tabular}"
        return "\n".join([top, lines[0], r"\hline", *lines[1:], bottom])
    if form is Format.typst:
        # A string of JSON is a string of Typst.
        lines = [", ".join(json.dumps(c, ensure_ascii=False) for c in row) for row in rows]
        return "\n".join([f"#table(columns: {len(head)},", *(f"  {row}," for row in lines), ")"])
    widths = [max(len(row[k]) for row in rows) for k in range(len(head))]
    return "\n".join("  ".join(c.ljust(w) for c, w in zip(row, widths, strict=True)).rstrip() for row in rows)


def write_json(value: Any) -> None:
    typer.echo(json.dumps(value, ensure_ascii=False, indent=2))


def finite(value: Any) -> Any:
    """JSON has no nan and no infinity."""
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _plain_latex(words: str) -> str:
    """Words with the signs that LaTeX would read escaped."""
    special = {"\\": r"\textbackslash{}", "^": r"\textasciicircum{}", "~": r"\textasciitilde{}"}
    return "".join(special.get(c, "\\" + c if c in "&%$#_{}" else c) for c in words)


def out(words: str) -> None:
    """Print as it stands: no markup, no wrapping; colour for headings and verdicts on a terminal."""
    from rich.console import Console
    from rich.text import Text

    console = Console(highlight=False)
    if not console.is_terminal or console.no_color:
        typer.echo(words)
        return
    for row in words.split("\n"):
        shown = Text(row, style="bold" if row.startswith("# ") else "")
        shown.highlight_regex("✓", "green")
        shown.highlight_regex("✗.*|DOES NOT HOLD|FAILS", "bold red")
        shown.highlight_regex(r"    \[.*\]$", "dim")
        console.print(shown, soft_wrap=True)


def complain(error: BaseException | str) -> None:
    """An error on stderr; what a terminal would obey is shown instead of sent."""
    words = "".join(c if c.isprintable() or c == "\n" else repr(c)[1:-1] for c in str(error))
    from rich.console import Console
    from rich.text import Text

    console = Console(stderr=True, highlight=False)
    if console.is_terminal:
        console.print(Text.assemble(("error: ", "bold red"), words), soft_wrap=True)
    else:
        typer.echo(f"error: {words}", err=True)


@contextmanager
def working(words: str) -> Iterator[Callable[[str], bool]]:
    """A spinner on stderr while something runs, on a terminal only; yields a way to say what it is at."""
    from rich.console import Console
    from rich.text import Text

    console = Console(stderr=True)
    if not console.is_terminal:
        yield lambda part: True
        return
    with console.status(words) as status:

        def say(part: str) -> bool:
            status.update(Text(f"{words}: {part}"))
            return True

        yield say
