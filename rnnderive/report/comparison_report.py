"""Cells side by side on the same input: what their gradients do, how long they remember, and why."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from rnnderive import cells
from rnnderive.chains import Analysis, Comparison, Setup, compare
from rnnderive.language import Recurrence
from rnnderive.report import document as doc
from rnnderive.report import figures
from rnnderive.report.engine import build, check_order
from rnnderive.report.languages import Words, load
from rnnderive.report.parts.behaviour import bound_words, details, headline, path_tables
from rnnderive.report.parts.case import Case
from rnnderive.report.parts.footer import command_line, versions
from rnnderive.report.parts.model import equations

__all__ = ["NETS", "comparison", "comparison_document"]

STEPS, UNITS, WIDTH, SEED = 100, 32, 8, 0
TEN = np.log(10.0)
CHANGING = ("vanishing", "exploding", "chaotic")  # kinds with a time after which the gradient is halved or doubled

ROLES = {"lstm_open": {"forget_bias": 3}}  # on top of Glorot's
NETS: Mapping[str, Callable[[], Recurrence]] = {
    "rnn_sigmoid": lambda: cells.vanilla("sigmoid"),
    "rnn_tanh": lambda: cells.vanilla("tanh"),
    "rnn_relu": lambda: cells.vanilla("relu"),
    "lstm": cells.lstm,
    "lstm_open": cells.lstm,
    "gru": cells.gru,
    "bidirectional": cells.bidirectional_rnn,
}


def comparison_document(lang: str = "en") -> doc.Document:
    """The report as a document tree.

    Parameters
    ----------
    lang : str
        A language of the catalogue.
    """
    cases = {name: Case(make(), name, lang) for name, make in NETS.items()}
    rng = np.random.default_rng(SEED)
    inputs = {"x": rng.standard_normal((STEPS, WIDTH)), "target": np.zeros(1)}
    with threadpool_limits(1):
        setups = {n: Setup(c.net, roles=ROLES.get(n, {})) for n, c in cases.items()}
        found = compare(setups, inputs, sizes={"h": UNITS}, seed=SEED)
        sections = [
            _result(cases, found),
            _norms(cases, found),
            *(_one(cases[n], a) for n, a in found.analyses.items()),
        ]
    words = load(lang)
    return doc.Document(
        words("comparison.title"),
        sections,
        subtitle=words("comparison.subtitle", T=STEPS, units=UNITS, width=WIDTH),
        footer=[
            versions(words),
            words("comparison.seeds", seed=SEED),
            command_line(words, f"rnnderive report comparison --lang {lang} --engine typst"),
        ],
        lang=lang,
    )


def comparison(
    output: str | Path,
    *,
    engine: str = "auto",
    lang: str = "en",
    formats: Sequence[str] = ("pdf",),
    stem: str | None = None,
) -> Path:
    """Write the comparison; return the path of its first format.

    Parameters
    ----------
    output : path
        The folder.
    engine : {"auto", "typst", "tex"}
    lang : str
    formats : sequence of {"pdf", "tex", "html", "md"}
    stem : str, optional
        What the files are called; ``comparison``, or ``comparison_ru`` in Russian, unless given.
    """
    stem = stem or load(lang).stem("comparison")
    check_order(output, stem, engine, formats)
    return build(comparison_document(lang), output, stem, engine, formats).files[formats[0]]


def _name(words: Words, name: str) -> tuple[doc.Inline, ...]:
    return words(f"comparison.{name}")


def _result(cases: Mapping[str, Case], found: Comparison) -> doc.Section:
    """The table of all."""
    words = next(iter(cases.values())).words
    rows: list[list[doc.Text]] = []
    for name, a in found.analyses.items():
        verdict, limit = a.verdict, a.bounds.limit
        memory = f"> {verdict.steps}" if verdict.memory is None else str(verdict.memory)
        bound = words.number(limit, ".3g") if np.isfinite(limit) else "–"
        rate = words.number(verdict.rate.value, "+.4f")
        half = words.number(verdict.rate.half_life, ".3g") if verdict.kind in CHANGING else "–"
        kind = words(f"comparison.kind_{verdict.kind.replace(' ', '_')}")
        rows.append([_name(words, name), kind, rate, half, memory, bound])
    head = [words(f"comparison.{k}") for k in ("cell", "verdict", "rate", "half_life", "memory", "bound")]
    table = doc.Table(head, rows, words("comparison.caption"), "llrrrr")
    box = doc.Box([doc.Paragraph(*words("comparison.result"))])
    return doc.Section(words("result.title"), [box, table], numbered=False)


def _norms(cases: Mapping[str, Case], found: Comparison) -> doc.Section:
    """All chains and all gradients in one picture each."""
    words = next(iter(cases.values())).words
    labels = {n: doc.plain(_name(words, n)) for n in found.analyses}
    chains = {labels[n]: a.operator / TEN for n, a in found.analyses.items()}
    gradients = {labels[n]: (a.gradient - a.gradient[0]) / TEN for n, a in found.analyses.items()}
    blocks: list[doc.Block] = [doc.Paragraph(*words("comparison.norms"))]
    for curves, key in ((chains, "chain"), (gradients, "gradient")):
        caption = words(f"comparison.{key}_caption")
        ylabel = words.label(f"comparison.{key}_axis")
        blocks.append(doc.Figure(_drawn(curves, words, ylabel), caption, doc.plain(caption)))
    return doc.Section(words("comparison.norms_title"), blocks)


def _drawn(curves: Mapping[str, Any], words: Words, ylabel: str) -> Callable[[], Any]:
    return lambda: figures.norms_against_distance(curves, words, ylabel)


def _one(case: Case, analysis: Analysis) -> doc.Section:
    """One cell: equations, verdict, bound, paths."""
    shown = [headline(case, analysis.verdict), bound_words(case, analysis.bounds), *details(case, analysis)]
    blocks: list[Any] = [equations(case.net), doc.Bullets(shown), *path_tables(case, analysis)]
    return doc.Section(_name(case.words, case.name), blocks)
