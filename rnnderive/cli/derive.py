"""``rnnderive derive``: a derivation, in each of its views."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer

from rnnderive.cli.app import Cell, Formatted, Truncate, Wrt, app, load
from rnnderive.cli.output import Format, Line, Section, equations, show, working
from rnnderive.errors import InputError

if TYPE_CHECKING:
    from rnnderive.derivation import Derivation

__all__ = ["View", "derive"]


class View(StrEnum):
    """What of a derivation is shown."""

    steps = "steps"
    chain = "chain"
    adjoint = "adjoint"
    tangent = "tangent"
    components = "components"
    jacobian = "jacobian"


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

    net = load(cell)
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
            sections.append(equations("The network and its tangent (forward mode)", d.tangent))
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
    show(sections, form, cell=str(net), view=[v.value for v in views], wrt=list(names), of=of or net.loss, T=str(steps))
    if bad:
        raise typer.Exit(1)


def _horizon(words: str) -> Any:
    import rnnderive as rd

    if words == "T":
        return rd.T
    if not words.isascii() or not words.isdigit() or int(words) < 1:
        raise InputError(f"found --T {words}, expected a number of steps from 1, or T for any")
    return int(words)


def _adjoint_sections(d: Derivation) -> list[Section]:
    notation = d.adjoint.notation
    backward = tuple(Line(e.math(notation), str(e)) for e in d.pulled.backward)
    cut = f", cut after {d.truncate} steps" if d.truncate else ""
    return [
        equations("The network", d.net),
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
    states = [n for g in groups if g.direction != "all" for n in g.names if n in d.net]
    lines = []
    for v in states:
        for u in states:
            for lag in sorted(lags[u], key=lambda k: (abs(k), -k)):
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

    with working(f"deriving {_title(d, name, steps, of)}"):
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

        with working(f"deriving {_title(d, name, steps, of)}, and checking each line"):
            marks = check_steps(d, name, steps, of=of)
        lines = [Line(m.step.math(notation), None, m.step.number, m.step.rule, m.ok, m.by, m.error) for m in marks]
    else:
        with working(f"deriving {_title(d, name, steps, of)}"):
            lines = [Line(s.math(notation), None, s.number, s.rule) for s in d.steps(name, T=steps, of=of)]
    facts = _blocks(d, name, steps, of)
    where = "".join(f"; {s} = [{', '.join(names)}]" for s, names in facts["states"].items())
    where += "".join(f", {n}[t] = {what}" for n, what in facts["delays"].items())
    return Section(_title(d, name, steps, of) + where, tuple(lines), facts)


def _blocks(d: Derivation, name: str, steps: Any, of: str | None) -> dict[str, Any]:
    """Labels of states that are several sequences: s for [h, C]; and h_1[t] for h[t-1]."""
    graph = d.graph(name, steps, of)
    states = {g.label: list(g.names) for g in graph.groups if len(g.names) > 1}
    delays = {n: f"{source}[t{-lag:+d}]" for n, (source, lag) in graph.delays.items()}
    return {"states": states, "delays": delays}
