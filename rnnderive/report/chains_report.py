"""The report on gradient chains: theory next to measurement for every published result that they must reproduce."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Executor, as_completed
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

from threadpoolctl import ThreadpoolController

from rnnderive.chains import theory
from rnnderive.chains.theory import Claim, forms
from rnnderive.report import document as doc
from rnnderive.report.chains_claims import claim_table, claim_words, row_title
from rnnderive.report.chains_derivations import DERIVATIONS, steps
from rnnderive.report.chains_figures import figure_of
from rnnderive.report.chains_methods import methods
from rnnderive.report.engine import build, check_order
from rnnderive.report.languages import Words, load
from rnnderive.report.parts.footer import command_line, versions

__all__ = ["ChainsReport", "chains", "chains_document", "measured_claims"]

Say = Callable[[str], Any]
Claims = Mapping[str, Sequence[Claim]]

TOPICS = {**theory.TOPICS, "forms": forms.claims}


@dataclass(frozen=True)
class ChainsReport:
    """Where the report is, and the claims in it; truthy when all of them hold."""

    path: Path
    claims: tuple[Claim, ...]

    @property
    def failed(self) -> tuple[Claim, ...]:
        """The claims that do not hold."""
        return tuple(c for c in self.claims if not c.holds)

    def __bool__(self) -> bool:
        return not self.failed


def chains(
    output: str | Path,
    *,
    engine: str = "auto",
    quick: bool = False,
    lang: str = "en",
    formats: Sequence[str] = ("pdf",),
    stem: str | None = None,
    found: Claims | None = None,
    executor: Executor | None = None,
    say: Say = lambda part: None,
) -> ChainsReport:
    """Measure every claim and write the report, a PDF with its sources and figures, into a folder.

    Parameters
    ----------
    output : path
        The folder; made if it does not exist.
    engine : {"auto", "typst", "tex"}
        What makes the PDF; Typst needs no TeX.
    quick : bool
        Smaller nets and fewer steps: half a minute instead of two.
    lang : str
        A language of the catalogue.
    formats : sequence of {"pdf", "tex", "html", "md"}
    stem : str, optional
        What the files are called; ``chains``, or ``chains_ru`` in Russian, unless given.
    found : mapping, optional
        Topic → claims measured already, as for the same report in another language.
    executor : concurrent.futures.Executor, optional
        Where the topics are measured, such as :func:`rnnderive.chains.processes`; here unless given.
        The bytes are the same.
    say : callable
        Is told what is being done.

    Returns
    -------
    ChainsReport
        Falsy when a claim does not hold; the report is written all the same and marks it.  Its path is that of
        the first format.

    Raises
    ------
    InputError
        For an unknown engine, format or language, or where the folder is a file.
    RnnDeriveError
        When the engine fails or the files cannot be written.
    """
    # Said now, and not after minutes of measuring.
    stem = stem or load(lang).stem("chains")
    check_order(output, stem, engine, formats)
    found = measured_claims(quick, executor, say) if found is None else found
    say("figures and pages")
    with ThreadpoolController().limit(limits=1):
        done = build(chains_document(found, quick, lang), output, stem, engine, formats)
    return ChainsReport(done.files[formats[0]], tuple(c for claims in found.values() for c in claims))


def measured_claims(
    quick: bool = False,
    executor: Executor | None = None,
    say: Say = lambda part: None,
    topics: Sequence[str] | None = None,
) -> Claims:
    """The claims of some topics, by default all; each topic is measured once."""
    topics = list(TOPICS) if topics is None else topics
    found: dict[str, tuple[Claim, ...]] = {}
    if executor is None:
        for k, topic in enumerate(topics, 1):
            say(f"{topic}, topic {k} of {len(topics)}")
            found[topic] = _measured(topic, quick)
        return found
    pending = {executor.submit(_measured, topic, quick): topic for topic in topics}
    say(f"0 of {len(topics)} topics done")
    for future in as_completed(pending):
        found[pending[future]] = future.result()
        say(f"{len(found)} of {len(topics)} topics done")
    return {topic: found[topic] for topic in topics}


def _measured(topic: str, quick: bool) -> tuple[Claim, ...]:
    """One topic; linear algebra on one thread, so that the last digits do not depend on the machine's load."""
    with ThreadpoolController().limit(limits=1):
        return tuple(TOPICS[topic](quick))


# ---------------------------------------------------------------- the document


def chains_document(found: Claims, quick: bool = False, lang: str = "en") -> doc.Document:
    """The whole report as a document tree, from claims that have been measured.

    Parameters
    ----------
    found : mapping
        Topic → its claims, as :func:`measured_claims` gives them.
    quick : bool
        Whether they are those of the quick form.
    lang : str
        A language of the catalogue.
    """
    words = load(lang)
    command = f"rnnderive report chains --lang {lang} --engine typst" + (" --quick" if quick else "")
    return doc.Document(
        words("chains.title"),
        [_result(words, found), methods(words), *_topics(words, found, quick), _otherwise(words), _seeds(words)],
        subtitle=words("chains.subtitle"),
        footer=[versions(words), *([words("chains.quick")] if quick else []), command_line(words, command)],
        lang=lang,
        contents=False,
    )


def _by_row(claims: Sequence[Claim]) -> Iterator[tuple[str, list[Claim]]]:
    for row, group in groupby(claims, key=lambda c: c.row):
        yield row, list(group)


def _result(words: Words, found: Claims) -> doc.Section:
    claims = [c for topic in found.values() for c in topic]
    rows = [(topic, row, group) for topic, cs in found.items() for row, group in _by_row(cs)]
    failed = [c for c in claims if not c.holds]
    said = words(
        "chains.hold", held=sum(all(c.holds for c in group) for _, _, group in rows), count=len(rows),
        true=len(claims) - len(failed), claims=len(claims), published=sum(c.kind == "published" for c in claims),
    )  # fmt: skip
    blocks: list[doc.Block] = [doc.Paragraph(*said)]
    if failed:
        named = [{"row": row_title(words, c.row), "claim": claim_words(words, c)} for c in failed]
        blocks.append(doc.Bullets([words("chains.failed", **values) for values in named]))
    table = doc.Table(
        [words(f"chains.column_{k}") for k in ("topic", "result", "claims", "hold", "table")],
        [[_title(words, topic) if k == 0 else "", row_title(words, row), str(len(group)), _count(words, group),
          doc.Ref(_label(row))]
         for topic, cs in found.items() for k, (row, group) in enumerate(_by_row(cs))],
        words("chains.caption"), "llrll",
    )  # fmt: skip
    return doc.Section(words("result.title"), [doc.Box(blocks), table], numbered=False)


def _title(words: Words, topic: str) -> doc.Text:
    return words(f"chains.topic.{topic.replace(' ', '_')}")


def _label(row: str) -> str:
    """A short name, since the width of a reference is that of its name."""
    return f"t{zlib.crc32(row.encode()):08x}"


def _count(words: Words, group: Sequence[Claim]) -> doc.Text:
    held = sum(c.holds for c in group)
    return words("chains.all") if held == len(group) else words("chains.some", held=held)


def _topics(words: Words, found: Claims, quick: bool) -> Iterator[doc.Section]:
    for topic, claims in found.items():
        plan = words(f"chains.plan.{topic.replace(' ', '_')}")
        yield doc.Section(_title(words, topic), [doc.Paragraph(*plan)])
        for row, group in _by_row(claims):
            lines = [line for derivation in DERIVATIONS.get(row, ()) for line in derivation()]
            blocks: list[doc.Block] = [steps(words, lines)] if lines else []
            blocks += [claim_table(words, row, group, _label(row)), *figure_of(words, row, claims, quick)]
            yield doc.Section(row_title(words, row), blocks, level=2)


def _otherwise(words: Words) -> doc.Section:
    """Numbers that are wrong, or of another quadrature, where one may meet them."""
    numbers = {"q_3": 6.305386, "q_5": 20.688306, "rate_3": 0.31028, "rate_5": 0.54448}
    items = [
        words("chains.otherwise_nodes", **numbers),
        words("chains.otherwise_gain", gain=10.1493, wrong=10.1473),
        words("chains.otherwise_life", life=2.2127, long=2.21268, wrong=2.2128),
    ]
    return doc.Section(words("chains.otherwise_title"), [doc.Bullets(items)])


def _seeds(words: Words) -> doc.Section:
    return doc.Section(words("chains.seeds_title"), [doc.Paragraph(*words("chains.seeds"))])
