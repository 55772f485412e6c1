"""The derivation in numbered steps: each with its rule and the mark of its check."""

from __future__ import annotations

from typing import Any

from rnnderive.calculus import Factor, State, Step
from rnnderive.language import terms as tm
from rnnderive.report import document as doc
from rnnderive.report import figures
from rnnderive.report.parts.case import Case
from rnnderive.report.parts.formulas import equal

__all__ = ["gradient_figure", "lines", "rule", "states", "steps", "whatever_step", "whole"]

LOCAL = ("jacobian", "blocks")


def steps(case: Case) -> list[doc.Section]:
    """The gradient of the leading parameter, and of the loops' others in the full report."""
    name, T = case.leading, case.T
    blocks: list[Any] = [
        case.say("steps.intro", name=case.formula(name)),
        *states(case, case.d.chain(name, T)),
        gradient_figure(case, name, "gradient"),
        lines(case, name, T, local="all" if case.detail == "full" else "once"),
    ]
    if case.detail != "full":
        blocks.append(case.say("steps.once"))
    others = [n for n in case.recurrent if n != name]
    if case.detail == "full":
        for other in others:
            blocks += [case.say("steps.same", name=case.formula(other)), lines(case, other, T)]
    return [case.section("steps.title", blocks, name=case.formula(name), T=T)]


def states(case: Case, chain: tm.Term) -> list[doc.Paragraph]:
    """What the letter of each state of several sequences in a chain stands for."""
    found = {part.args[0]: part.terms for part in tm.parts(chain) if isinstance(part, State)}
    here = {name: [m.moved(tm.t) for m in members if isinstance(m, tm.At)] for name, members in found.items()}
    defined = [equal(case.math(State(name, tm.t, *ms)), case.math(tm.Stack(*ms))) for name, ms in here.items()]
    return [case.say("steps.states", states=doc.listed(defined))] if defined else []


def rule(case: Case, step: Step) -> tuple[doc.Inline, ...]:
    """A step's rule in the report's language."""
    about = {name: doc.listed(map(case.math, terms)) for name, terms in step.about.items()}
    return case.words(f"rule.{step.kind}", **about)


def lines(case: Case, wrt: str, T: Any, *, local: str = "all") -> doc.Steps:
    """The derivation line by line.

    `local` says which local Jacobians are written out: ``all`` of them, those of the latest step
    only (``once``), or none (``no``).
    """
    tints = case.tints(wrt) if isinstance(T, int) else None
    seen: set[Any] = set()
    out = []
    for m in case.marks(wrt, T):
        if m.step.kind in LOCAL:
            key = whatever_step(m.step.left)
            if local == "no" or (local == "once" and key in seen):
                continue
            seen.add(key)
        math = m.step.math(case.net.notation)
        mark = doc.plain(case.words(f"mark.{'exact' if m.by == 'field' else 'complex_step'}"))
        shown = tints.paint(math) if tints else math
        out.append(doc.Step(m.step.number, rule(case, m.step), shown, f"{'✓' if m else '✗'} {mark}"))
    return doc.Steps(out)


def whatever_step(factor: Any) -> tuple[str, ...]:
    """What a factor is the derivative of, and in what, at whichever step."""
    assert isinstance(factor, Factor)
    return tuple(str(part.args[0]) for part in (factor, factor.over, factor.under))


def whole(case: Case, wrt: str, T: Any, *, painted: bool = False, label: str | None = None) -> doc.Equation:
    """The gradient as a sum of products, in one display."""
    math = case.math(case.d.chain(wrt, T))
    return doc.Equation(equal(case.gradient(wrt), case.tints(wrt).paint(math) if painted else math), label)


def gradient_figure(case: Case, wrt: str, label: str | None = None) -> doc.Figure:
    """The paths from the loss back to a parameter, each arrow with the colour and number of its factor."""
    graph, tints = case.graph(wrt), case.tints(wrt)
    return doc.Figure(
        lambda: figures.gradient_graph(graph, tints.edges, words=case.words),
        case.words("steps.figure", name=case.formula(wrt)),
        doc.plain(case.words("steps.figure_alt", name=case.formula(wrt), count=len(tints.edges))),
        label=label,
    )
