"""The lecture's report: its rows in its order, on its own example, "a cat exists", in every language."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from rnnderive import cells
from rnnderive import printing as pr
from rnnderive.language import T
from rnnderive.language import terms as tm
from rnnderive.report import document as doc
from rnnderive.report.engine import build, check_order
from rnnderive.report.languages import load
from rnnderive.report.lecture_report import activations, backward, forward, gated
from rnnderive.report.lecture_report.example import TOKENS, example
from rnnderive.report.lecture_report.measures import SEED, UNITS
from rnnderive.report.parts import PARTS, Case
from rnnderive.report.parts.footer import command_line, versions
from rnnderive.report.parts.formulas import equal
from rnnderive.report.parts.steps import whole

__all__ = ["CHAPTERS", "TOKENS", "example", "lecture", "lecture_document"]

# The lecture's plan, and its rows under each point.
CHAPTERS = {
    "idea": (forward.dense, forward.recurrent, forward.sentence),
    "training": (backward.known, backward.output_side, backward.recurrent_side, backward.any_length, backward.layers),
    "activations": (activations.vanishing, activations.explosion, activations.advice, activations.forgetting),
    "bidirectional": (gated.bidirectional,),
    "gated": (gated.vanilla, gated.gate_by_gate, gated.skip_connection, gated.story, gated.gru),
}


def lecture_document(lang: str = "en") -> doc.Document:
    """The whole report as a document tree.

    Parameters
    ----------
    lang : str
        A language of the catalogue.
    """
    net = cells.lecture()
    command = f"rnnderive report lecture --lang {lang} --engine typst"
    case = Case(net, "lecture", lang, "full", seed=SEED, point=example(net), command=command, parts=("steps",))
    sections = [_result(case)]
    for chapter, rows in CHAPTERS.items():
        sections.append(case.section(f"lecture.{chapter}_chapter", [case.say(f"lecture.{chapter}_plan")]))
        sections += [row(case) for row in rows]
    # The numbers are those of the lecture; the checks draw their own points.
    sections += [section for part in ("numbers", "verification", "code") for section in PARTS[part](case)]
    words = case.words
    return doc.Document(
        words("lecture.title"),
        sections,
        subtitle=words("lecture.subtitle"),
        footer=[
            versions(words),
            words("footer.numbers", seed=SEED, T=case.T, shapes=list(_sizes(case))),
            words("lecture.footer", seed=SEED, units=UNITS),
            command_line(words, command),
        ],
        lang=lang,
        contents=True,
    )


def _sizes(case: Case) -> Iterator[doc.Inline]:
    """n_h = 2, n_x = 4, …"""
    found = {s: v for n, a in case.numbers[0].items() for s, v in zip(case.net.shape(n), a.shape, strict=False)}
    named = {s: v for s, v in found.items() if getattr(s, "is_Symbol", False)}
    yield from doc.listed(equal(tm.dimension_math(s), pr.Numeral(str(v))) for s, v in named.items())


def lecture(
    output: str | Path,
    *,
    engine: str = "auto",
    lang: str = "en",
    formats: Sequence[str] = ("pdf",),
    stem: str | None = None,
) -> Path:
    """Write the lecture's report; return the path of its first format.

    Parameters
    ----------
    output : path
        The folder.
    engine : {"auto", "typst", "tex"}
    lang : str
        A language of the catalogue.
    formats : sequence of {"pdf", "tex", "html", "md"}
    stem : str, optional
        What the files are called; ``lecture``, or ``lecture_ru`` in Russian, unless given.
    """
    stem = stem or load(lang).stem("lecture")
    check_order(output, stem, engine, formats)
    return build(lecture_document(lang), output, stem, engine, formats).files[formats[0]]


def _result(case: Case) -> doc.Section:
    """The lecture's formula, and how far it was checked."""
    marks = [m for name in ("W", "U", "b_h", "V", "b_y") for m in case.marks(name, case.T)]
    blocks: list[doc.Block] = [
        case.say("lecture.result", table=doc.Ref("notation")), whole(case, "W", case.T, painted=True),
        case.say("lecture.result_any"), whole(case, "W", T, label="result"),
        case.say("lecture.result_checked", held=sum(map(bool, marks)), count=len(marks)),
    ]  # fmt: skip
    return doc.Section(case.words("result.title"), [doc.Box(blocks)], numbered=False)
