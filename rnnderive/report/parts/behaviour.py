"""How the chain behaves on a lengthened run: verdict, bound, rates of the paths, gates."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from rnnderive import printing as pr
from rnnderive.chains import Analysis, Bounds, Cause, Verdict
from rnnderive.chains.verdict import SHORT
from rnnderive.report import document as doc
from rnnderive.report import figures
from rnnderive.report.languages.told import told
from rnnderive.report.parts.case import Case
from rnnderive.report.parts.formulas import number_math

__all__ = ["behaviour", "bound_words", "details", "headline", "norms_figure", "path_table", "path_tables"]

NOTICEABLE = 0.001  # nats a step
NOISE = 1e-9  # a smaller standard error is rounding
NEAR = 1e-3  # so near to 1 a bound needs more digits


def behaviour(case: Case) -> list[doc.Section]:
    """One chain after the other: of a bidirectional network there are two."""
    if not case.analyses:
        return [case.section("behaviour.title", [case.say("behaviour.none")])]
    blocks: list[Any] = [_intro(case), _run(case)]
    if case.setting.notes and case.long is not None:
        blocks.append(doc.Bullets([told(case.words, n) for n in case.setting.notes]))
    for analysis in case.analyses:
        blocks += list(_chain(case, analysis))
    return [case.section("behaviour.title", blocks)]


def _intro(case: Case) -> doc.Paragraph:
    """Why there is another run, or what one that is too short cannot show; and the unit."""
    if all(a.verdict.short for a in case.analyses):
        why = case.words("behaviour.intro_short", least=SHORT)
    else:
        why = case.words("behaviour.intro") if case.analyses[0].trace.T > case.T else ()
    return doc.Paragraph(*why, *([" "] if why else []), *case.words("behaviour.unit"))


def _run(case: Case) -> doc.Paragraph:
    """What was run."""
    trace = case.analyses[0].trace
    if case.long is not None:
        return case.say("behaviour.given", T=trace.T, units=trace.size)
    return case.say("behaviour.drawn", T=trace.T, units=trace.size, seed=case.seed)


def _chain(case: Case, analysis: Analysis) -> Iterator[Any]:
    if len(case.analyses) > 1:
        state = doc.listed(map(pr.name_math, analysis.states))
        yield case.say(f"behaviour.{analysis.trace.chain.direction}", state=state)
    yield doc.Paragraph(doc.Bold(*headline(case, analysis.verdict)))
    yield doc.Bullets([bound_words(case, analysis.bounds, drawn=True), *details(case, analysis)])
    yield norms_figure(case, analysis)
    yield from path_tables(case, analysis)
    if analysis.gates:
        yield _gate_table(case, analysis)


def norms_figure(case: Case, analysis: Analysis) -> doc.Figure:
    """Norm of the chain and of the gradient against the distance, with the bounds."""
    verdict = doc.plain(headline(case, analysis.verdict))
    return doc.Figure(
        lambda: figures.chain_norms(analysis, words=case.words),
        case.words("behaviour.figure"),
        doc.plain(case.words("behaviour.figure_alt", verdict=verdict)),
    )


# ---------------------------------------------------------------- sentences from the values' fields


def headline(case: Case, verdict: Verdict) -> tuple[doc.Inline, ...]:
    """The verdict in one sentence; of a batch that of the typical sequence."""
    words = case.words
    measured = {"rate": words.number(verdict.rate.value, "+.4f")}
    if verdict.rate.error > NOISE:
        measured["error"] = words.number(verdict.rate.error, ".2g")
    rate = words("verdict.rate_error" if "error" in measured else "verdict.rate", **measured)
    what = words(f"verdict.of_{verdict.of}")
    key = f"verdict.{verdict.kind.replace(' ', '_')}"
    match verdict.kind:
        case "vanishing" | "exploding" | "chaotic":
            return words(key, what=what, rate=rate, halves=words.number(verdict.rate.half_life, ".3g"))
        case "critical" | "undetermined":
            key = "verdict.too_short" if verdict.short else key
            return words(key, what=what, rate=rate, steps=verdict.steps)
        case "cut off":
            return words(key, what=what, steps=verdict.cut or 0)
    return words(key)


def details(case: Case, analysis: Analysis) -> list[tuple[doc.Inline, ...]]:
    """Memory, precision and causes, a sentence each."""
    verdict, words = analysis.verdict, case.words
    if verdict.kind == "silent":
        return []
    out = [
        words("verdict.memory", steps=verdict.memory)
        if verdict.memory is not None
        else words("verdict.memory_whole", steps=verdict.steps)
    ]
    for dtype, lag in verdict.precision.items():
        if lag is not None:
            out.append(words("verdict.precision", steps=lag, dtype=doc.Code(dtype)))
    functions = {s.name: s.function for s in analysis.slopes}
    return out + [line for c in verdict.causes if (line := _cause(case, c, functions))]


def _cause(case: Case, cause: Cause, functions: dict[str, str]) -> tuple[doc.Inline, ...] | None:
    """What a function or a gate costs, if it costs anything."""
    if not cause.cost > NOTICEABLE:
        return None
    name = doc.Formula(pr.name_math(cause.of))
    share = case.words.share(cause.fraction, 0)
    if cause.kind == "function":
        function = doc.Formula(figures.function_math(functions[cause.of]))
        what = case.words("verdict.cause_function", name=name, function=function, share=share)
    else:
        what = case.words(f"verdict.cause_{cause.kind.replace(' ', '_')}", name=name, share=share)
    rate = case.words.number(round(cause.rate, 4) + 0.0, "+.4f")
    if np.isinf(cause.cost):
        return case.words("verdict.ends", what=what, rate=rate)
    return case.words("verdict.costs", what=what, cost=case.words.number(cause.cost, ".4f"), rate=rate)


def bound_words(case: Case, bounds: Bounds, *, drawn: bool = False) -> tuple[doc.Inline, ...]:
    """What the bound says: the sufficient condition and the necessary one told apart.

    Where there is none, that of the run stands for it, if a picture before has it.
    """
    words, limit = case.words, bounds.limit
    if not np.isfinite(limit):
        return (*words("bound.none"), *((" ", *words("bound.drawn")) if drawn else ()))
    if limit == 0.0:
        return words("bound.zero") if len(bounds.blocks) == 1 else words("bound.nilpotent", steps=len(bounds.blocks))
    subject = words("bound.factor" if len(bounds.blocks) == 1 else "bound.long_run")
    if abs(limit - 1.0) <= bounds.rounding:
        return words("bound.one", subject=subject)
    shown = words.number(limit, ".6g" if abs(limit - 1.0) < NEAR else ".4f")
    if limit < 1.0:
        return words("bound.vanishes", subject=subject, limit=shown, rate=words.number(-np.log(limit), ".3g"))
    return words("bound.open", subject=subject, limit=shown)


# ---------------------------------------------------------------- tables


def path_tables(case: Case, analysis: Analysis) -> list[doc.Table]:
    """The table of paths, where there are several and they have a rate."""
    return [path_table(case, analysis)] if len(analysis.paths) > 2 and not analysis.verdict.short else []


def path_table(case: Case, analysis: Analysis) -> doc.Table:
    """Every bundle of paths with its rate; a highway with its factor."""
    rows: list[list[doc.Text]] = []
    for path in analysis.paths:
        name = doc.Formula(pr.name_math(path.name)) if path.name else ""
        label = (
            case.words(f"behaviour.path_{path.kind}", name=name) if path.name else case.words("behaviour.path_whole")
        )
        factor: doc.Text = "" if path.factor is None else doc.Formula(path.factor.math(case.net.notation))
        rows.append([label, factor, doc.Formula(number_math(path.rate))])
    head = [case.words(f"behaviour.{k}") for k in ("paths", "factor", "rate")]
    return doc.Table(head, rows, case.words("behaviour.paths_caption"), "llr")


def _gate_table(case: Case, analysis: Analysis) -> doc.Table:
    words = case.words
    rows: list[list[doc.Text]] = [
        [
            doc.Formula(pr.name_math(g.name)),
            words.number(g.mean, ".3f"),
            words.share(g.closed, 0),
            words.share(g.open, 0),
        ]
        for g in analysis.gates
    ]
    head = [words(f"behaviour.{k}") for k in ("gate", "mean", "closed", "open")]
    return doc.Table(head, rows, words("behaviour.gates_caption"), "lrrr")
