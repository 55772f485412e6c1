"""The command line: what the package does, said in one line each; thin.

What is heavy is imported inside the commands.  Exit status: 0 when what was asked holds, 1 when a
check fails, 2 when the input is wrong, 130 when interrupted.
"""

from __future__ import annotations

import json
import math
import re
import signal
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperGroup

from rnnderive.errors import InputError, RnnDeriveError

if TYPE_CHECKING:
    from rnnderive.derivation import Derivation
    from rnnderive.language import Recurrence
    from rnnderive.printing import Math

__all__ = ["app", "main"]

MAX_STDIN = 800_000


# ---------------------------------------------------------------- what is printed


class Format(StrEnum):
    """How a formula is written."""

    text = "text"
    latex = "latex"
    typst = "typst"
    json = "json"


class View(StrEnum):
    """What of a derivation is shown."""

    steps = "steps"
    chain = "chain"
    adjoint = "adjoint"
    tangent = "tangent"
    components = "components"
    jacobian = "jacobian"


class What(StrEnum):
    """Which program is written."""

    gradient = "gradient"
    forward = "forward"


class Engine(StrEnum):
    """What sets a report."""

    auto = "auto"
    typst = "typst"
    tex = "tex"


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


def _show(sections: Iterable[Section], form: Format, **facts: Any) -> None:
    sections = list(sections)
    if form is Format.json:
        found = [{"title": s.title, **s.facts, "lines": [n.record() for n in s.lines]} for s in sections]
        _json({**facts, "sections": found})
        return
    writers = {Format.text: _as_text, Format.latex: _as_latex, Format.typst: _as_typst}
    _out("\n\n".join("\n".join(writers[form](s)) for s in sections))


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


def _table(rows: list[tuple[str, ...]], form: Format) -> str:
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


def _json(value: Any) -> None:
    typer.echo(json.dumps(value, ensure_ascii=False, indent=2))


def _finite(value: Any) -> Any:
    """JSON has no nan and no infinity."""
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _plain_latex(words: str) -> str:
    """Words with the signs that LaTeX would read escaped."""
    special = {"\\": r"\textbackslash{}", "^": r"\textasciicircum{}", "~": r"\textasciitilde{}"}
    return "".join(special.get(c, "\\" + c if c in "&%$#_{}" else c) for c in words)


def _out(words: str) -> None:
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


def _complain(error: BaseException | str) -> None:
    """An error on stderr; what a terminal would obey is shown instead of sent."""
    words = "".join(c if c.isprintable() or c == "\n" else repr(c)[1:-1] for c in str(error))
    from rich.console import Console
    from rich.text import Text

    console = Console(stderr=True, highlight=False)
    if console.is_terminal:
        console.print(Text.assemble(("error: ", "bold red"), words), soft_wrap=True)
    else:
        typer.echo(f"error: {words}", err=True)


# ---------------------------------------------------------------- the commands


class _Commands(TyperGroup):
    """The commands; an error of ours becomes one message and exit status 2."""

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except RnnDeriveError as error:
            _complain(error)
        except BrokenPipeError:
            raise
        except OSError as error:
            _complain(f"{error.filename or 'output'}: {error.strerror or error}")
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


@app.command()
def cells(
    name: Annotated[str | None, typer.Argument(metavar="[CELL]", help=CELL_HELP, show_default=False)] = None,
    form: Formatted = Format.text,
) -> None:
    """List the library, or print the equations of one cell.

    What is printed for one cell is a file of equations that the other commands read.

    \b
    Examples:
      rnnderive cells
      rnnderive cells lstm
      rnnderive cells lstm --format latex
    """
    from rnnderive.cells import LIBRARY

    if name is None:
        about = {n: _about(n) for n in LIBRARY}
        if form is Format.json:
            _json(about)
            return
        width = max(map(len, about))
        _out("\n".join(f"{n.ljust(width)}  {words}" for n, words in about.items()))
        return
    net = _load(name)
    title = _about(name) if name in LIBRARY else f"The equations of {name}"
    shapes = {n: [str(s) for s in net.shape(n)] for n in (*net.parameters, *net.initial_states, *net.inputs)}
    if form is Format.text:
        sizes = ", ".join(f"{n} {_size(rows)}×{_size(columns)}" for n, (rows, columns) in shapes.items())
        _out(f"# {title}\n# {sizes}\n{net}")
        return
    _show([_equations(title, net)], form, cell=str(net), shapes=shapes)


@app.command()
def derive(
    cell: Cell,
    wrt: Wrt = None,
    horizon: Annotated[
        str, typer.Option("--T", metavar="STEPS", help="Number of steps: an integer, or T for any.")
    ] = "T",
    of: Annotated[
        str | None,
        typer.Option(
            "--of",
            metavar="NAME",
            help="What is differentiated: the loss, or a state such as h[T].",
            show_default="the loss",
        ),
    ] = None,
    view: Annotated[
        View | None,
        typer.Option("--view", help="What is shown.", show_default="steps with --wrt, else adjoint and jacobian"),
    ] = None,
    form: Formatted = Format.text,
    truncate: Truncate = None,
    check: Annotated[
        bool, typer.Option("--check/--no-check", help="Check each line, independently of how it was derived.")
    ] = True,
) -> None:
    """Derive a gradient and print the derivation.

    With --wrt: line by line, each with its rule and ✓ where the check confirms it (sums and
    products exactly, in a finite field; a local Jacobian by the complex step).  Without: the
    adjoint recurrence (back-propagation through time) and the local Jacobians of the states.

    \b
    Examples:
      rnnderive derive vanilla --wrt W --T 3
      rnnderive derive lstm --wrt W_f --view chain
      rnnderive derive gru --view adjoint --format latex
      rnnderive derive vanilla --wrt 'x[1]' --of 'h[T]'
    """  # fmt: skip
    import rnnderive as rd

    net = _load(cell)
    steps = _horizon(horizon)
    timed = of is not None and "[" in of
    views = [view] if view else [View.steps] if wrt else [View.adjoint, View.jacobian]
    whole = all(v in (View.adjoint, View.tangent, View.components) for v in views)
    if timed and whole:
        raise InputError(f"the view {views[0].value} is that of a loss; found --of {of}, expected a timeless scalar")
    d = rd.derive(net, wrt if whole else None, of=None if timed else of, truncate=truncate)
    names = wrt or d.wrt
    sections: list[Section] = []
    bad = False
    for v in views:
        if v is View.adjoint:
            sections += _adjoint_sections(d)
        elif v is View.tangent:
            sections.append(_equations("The network and its tangent (forward mode)", d.tangent))
        elif v is View.jacobian:
            sections.append(_jacobians(d))
        elif v is View.components:
            sections += [_components(d, n) for n in names]
        elif v is View.chain:
            sections += [_chain(d, n, steps, of if timed else None) for n in names]
        else:
            for n in names:
                section = _steps(d, n, steps, of if timed else None, check)
                bad = bad or any(line.holds is False for line in section.lines)
                sections.append(section)
    _show(
        sections, form, cell=str(net), view=[v.value for v in views], wrt=list(names), of=of or net.loss, T=str(steps)
    )
    if bad:
        raise typer.Exit(1)


@app.command()
def code(
    cell: Cell,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="FILE", help="Write here; stdout otherwise.", show_default=False),
    ] = None,
    wrt: Wrt = None,
    what: Annotated[
        What, typer.Option("--what", help="The loss with its gradient, or all sequences forward.")
    ] = What.gradient,
    truncate: Truncate = None,
) -> None:
    """Print the program as a readable Python module that needs NumPy alone.

    \b
    Examples:
      rnnderive code lstm -o lstm_gradient.py
      rnnderive code my_cell.txt --wrt W --wrt x
    """
    import rnnderive as rd

    d = rd.derive(_load(cell), wrt, truncate=truncate)
    source = d.source() if what is What.gradient else d.forward.source
    if output is None:
        typer.echo(source, nl=not source.endswith("\n"))
    else:
        output.write_text(source, encoding="utf-8")


@app.command("check")
def check_command(
    cell: Cell,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Of the points at which is checked.")] = 0,
    truncate: Truncate = None,
    form: Formatted = Format.text,
) -> None:
    """Run the ladder of checks on a cell's gradient and print the table.

    Exit status 1 when a rung fails.

    \b
    Examples:
      rnnderive check lstm
      rnnderive check my_cell.txt --seed 7
    """
    import rnnderive as rd
    from rnnderive.checks import RUNGS, Ladder, check

    d = rd.derive(_load(cell), truncate=truncate)
    names = [n for n in RUNGS if n != "truncation" or d.truncate is not None]
    with _working("checking") as say:
        ladder = Ladder(tuple(row for n in names if say(n) for row in check(d, seed=seed, rungs=n)))
    if form is Format.json:
        keys = ("rung", "method", "count", "tolerance", "error", "ok", "note")
        rungs = [{k: _finite(getattr(row, k)) for k in keys} for row in ladder]
        _json({"cell": str(d.net), "seed": seed, "holds": bool(ladder), "rungs": rungs})
    else:
        head, *rows = ladder.cells()
        shown = [k for k, title in enumerate(head) if title != "seconds"]
        _out(_table([tuple(row[k] for k in shown) for row in (head, *rows)], form))
    if not ladder:
        raise typer.Exit(1)


@app.command()
def report(
    name: Annotated[
        str, typer.Argument(metavar="NAME", help="lecture, chains, or a CELL: " + CELL_HELP, show_default=False)
    ],
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="DIR", help="Folder of the report.", show_default="reports/NAME"),
    ] = None,
    engine: Annotated[Engine, typer.Option("--engine", help="What sets the PDF.")] = Engine.auto,
    quick: Annotated[
        bool, typer.Option("--quick", help="For chains: smaller nets, in a fraction of the time.")
    ] = False,
) -> None:
    """Write the report of the lecture, of gradient chains, or of a cell, and print the path of its PDF last.

    The report of chains puts theory next to measurement for each published result; a claim that
    does not hold is marked there, named on stderr, and makes the exit status 1.

    \b
    Examples:
      rnnderive report lecture
      rnnderive report chains
      rnnderive report gru -o /tmp/gru
    """
    from rnnderive import report as rp

    title = "stdin" if name == "-" else Path(name).stem
    folder = output or Path("reports") / title
    if quick and name != "chains":
        raise InputError(f"found --quick with the report {name!r}, expected it with the report chains only")
    if name == "chains":
        path = _chains_report(folder, engine.value, quick)
    elif name == "lecture":
        with _working("writing the report"):
            path = rp.lecture(folder, engine=engine.value)
    else:
        net = _load(name)
        with _working("writing the report"):
            path = rp.cell_report(net, title, folder, engine=engine.value)
    typer.echo(str(path))


def _chains_report(folder: Path, engine: str, quick: bool) -> Path:
    """Write the report of chains, its topics measured side by side; exit status 1 when a claim does not hold."""
    from rnnderive import report as rp
    from rnnderive.chains import processes

    with _working("measuring") as say, processes() as workers:
        done = rp.chains(folder, engine=engine, quick=quick, executor=workers, say=say)
    if not done:
        for claim in done.failed:
            _complain(f"{claim.row}: {claim.statement}: theory {claim.theory:g}, measured {claim.measured:g}")
        typer.echo(str(done.pdf))
        raise typer.Exit(1)
    return done.pdf


# ---------------------------------------------------------------- parts


def _load(cell: str) -> Recurrence:
    """A cell by name, from a file, or from stdin."""
    from rnnderive.cells import load
    from rnnderive.language import Recurrence

    if cell != "-":
        return load(cell)
    try:
        text = sys.stdin.buffer.read(MAX_STDIN + 1).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(f"stdin is not a text in UTF-8: {error.reason} at byte {error.start}") from None
    if len(text) > MAX_STDIN:
        raise InputError(f"stdin is larger than {MAX_STDIN} bytes")
    return Recurrence.parse(text)


def _about(name: str) -> str:
    """The first line of a cell's docstring, without the marks of reStructuredText."""
    from rnnderive.cells import LIBRARY

    first = (LIBRARY[name].__doc__ or "").strip().split("\n")[0]
    return re.sub(r":\w+:`~?(?:[\w.]*\.)?(\w+)`", r"\1", first).replace("``", "").rstrip(".")


def _size(size: str) -> str:
    return f"({size.replace(' ', '')})" if " " in size else size


def _horizon(words: str) -> Any:
    import rnnderive as rd

    if words == "T":
        return rd.T
    if not words.isascii() or not words.isdigit():
        raise InputError(f"found --T {words}, expected a number of steps from 1, or T for any")
    return int(words)


def _equations(title: str, net: Recurrence) -> Section:
    notation = net.notation
    lines = [Line(e.math(notation), str(e)) for e in net.equations]
    return Section(title, tuple(lines))


def _adjoint_sections(d: Derivation) -> list[Section]:
    notation = d.adjoint.notation
    backward = tuple(Line(e.math(notation), str(e)) for e in d.pulled.backward)
    cut = f", cut after {d.truncate} steps" if d.truncate else ""
    return [
        _equations("The network", d.net),
        Section(f"Its adjoint: back-propagation through time{cut}", backward, {"gradients": dict(d.pulled.gradients)}),
    ]


def _jacobians(d: Derivation) -> Section:
    """The local Jacobians between the states: what is read at another time."""
    from rnnderive import printing as pr
    from rnnderive.calculus import Factor
    from rnnderive.language import terms as tm

    lags: dict[str, set[int]] = {}
    for e in d.net.equations:
        for r in d.net.reads(e.name):
            if r.lag not in (None, 0):
                lags.setdefault(r.name, set()).add(r.lag)
    groups = d.graph(d.wrt[0]).groups if d.wrt else []
    states = [n for g in groups if g.direction != "all" for n in g.names]
    lines = []
    for v in states:
        for u in states:
            for lag in sorted(lags[u], reverse=True):
                value = d.jacobian(v, u, lag)
                if not value.is_null:
                    before = tm.At(u, tm.t - lag, *d.net.shape(u))
                    left = Factor("partial", d.net.leaf(v), before, value)
                    sides = (left.math(d.net.notation), value.math(d.net.notation))
                    lines.append(Line(pr.Infix(("", "="), sides, pr.RELATION)))
    return Section("The local Jacobians of the states" + ("" if lines else ": there is no state"), tuple(lines))


def _components(d: Derivation, name: str) -> Section:
    lines = tuple(Line(c.math()) for c in d.components(name))
    return Section(f"d{d.net.loss}/d{name} in index notation", lines)


def _chain(d: Derivation, name: str, steps: Any, of: str | None) -> Section:
    """The sum of products, and the same with every factor written out."""
    from rnnderive import printing as pr

    chain = d.chain(name, T=steps, of=of)
    left = d.graph(name, steps, of).total(None).math(d.net.notation)
    lines = [
        Line(pr.Infix(("", "="), (left, right.math(d.net.notation)), pr.RELATION), rule=rule)
        for right, rule in ((chain, "the sum over all paths"), (chain.doit(), "every factor written out"))
    ]
    return Section(_title(d, name, steps, of), tuple(lines), _blocks(d, name, steps, of))


def _title(d: Derivation, name: str, steps: Any, of: str | None) -> str:
    return f"d{of or d.net.loss}/d{name}, " + ("any T" if str(steps) == "T" else f"T = {steps}")


def _steps(d: Derivation, name: str, steps: Any, of: str | None, check: bool) -> Section:
    notation = d.net.notation
    if check:
        from rnnderive.checks import check_steps

        with _working(f"checking the steps of {name}"):
            marks = check_steps(d, name, steps, of=of)
        lines = [Line(m.step.math(notation), None, m.step.number, m.step.rule, m.ok, m.by, m.error) for m in marks]
    else:
        lines = [Line(s.math(notation), None, s.number, s.rule) for s in d.steps(name, T=steps, of=of)]
    facts = _blocks(d, name, steps, of)
    where = "".join(f"; {s} = [{', '.join(names)}]" for s, names in facts["states"].items())
    return Section(_title(d, name, steps, of) + where, tuple(lines), facts)


def _blocks(d: Derivation, name: str, steps: Any, of: str | None) -> dict[str, Any]:
    """Labels of states that are several sequences: s for [h, C]."""
    groups = d.graph(name, steps, of).groups
    return {"states": {g.label: list(g.names) for g in groups if len(g.names) > 1}}


@contextmanager
def _working(words: str) -> Iterator[Callable[[str], bool]]:
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
