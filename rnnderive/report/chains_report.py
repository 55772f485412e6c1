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

from rnnderive import printing as pr
from rnnderive.chains import theory
from rnnderive.chains.theory import Claim, forms
from rnnderive.errors import InputError
from rnnderive.report import document as doc
from rnnderive.report.chains_derivations import DERIVATIONS, steps
from rnnderive.report.chains_figures import figure_of
from rnnderive.report.chains_tables import claim_table, prose
from rnnderive.report.engine import ENGINES, build
from rnnderive.report.languages import load
from rnnderive.report.parts.footer import command_line, versions

__all__ = ["ChainsReport", "chains", "chains_document", "measured_claims"]

Say = Callable[[str], Any]
Claims = Mapping[str, Sequence[Claim]]

TOPICS = {**theory.TOPICS, "forms": forms.claims}
TITLES = {
    "bounds": "Conditions and bounds",
    "wall": "The wall, and the fold below it",
    "attractors": "The memory of one unit",
    "random products": "Products of random matrices",
    "mean field": "Random networks",
    "gates": "Gates",
    "greff": "The backward pass of a peephole LSTM",
    "sensitivity": "Sensitivity without explosion",
    "truncation": "Truncated back-propagation",
    "forms": "One name, two cells",
    "checkpointing": "Memory against time",
    "precision": "Digits, and how gradients are tested",
}
WORDS = {
    "bounds": "A norm is an upper bound: it can prove that a chain vanishes, never that it explodes. The spectral "
    "radius says where a constant chain goes in the end, and not what it does before.",
    "wall": "One unit, x' = w σ(x) + b: where its fixed points meet, a small step in the parameters changes where the "
    "state ends, and the gradient is a wall.",
    "attractors": "A unit that keeps a bit has two attractors, and in each of them its chain vanishes.",
    "random products": "Products of random matrices are the acceptance tests of the QR routines, since their "
    "spectra are known.",
    "mean field": "In a wide random network every preactivation is Gaussian with a variance q that solves an "
    "equation of its own; the growth of a gradient follows from q, without any simulation.",
    "gates": "Along the cell state alone the chain is a product of gates. That is one path of the gradient, not the "
    "gradient.",
    "greff": "The equations as they are printed in the paper’s appendix, against the adjoint that rnnderive derives "
    "from the cell’s equations: identical in a finite field, at random points, with no tolerance.",
    "sensitivity": "A linear unit h' = λh + x with a long memory: no chain explodes, and the loss still grows steep "
    "in λ.",
    "forms": "Where the reset gate stands makes two cells of the GRU; which way its update gate turns does not.",
    "truncation": "Two things go by that name: cutting the sum over k, and detaching the state between chunks.",
    "checkpointing": "A gradient needs the states in reverse order. With s snapshots for l steps the fewest forward "
    "steps are t = r l − C(s+r, s+1), with the smallest r for which C(s+r, s) ≥ l.",
    "precision": "What breaks in floating point, and which check of a gradient sees which error.",
}


@dataclass(frozen=True)
class ChainsReport:
    """The report's PDF, and the claims in it; truthy when all of them hold."""

    pdf: Path
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
    executor: Executor | None = None,
    say: Say = lambda part: None,
) -> ChainsReport:
    """Measure every claim and write the report ``chains.pdf``, with ``.tex``, ``.typ`` and figures, into a folder.

    Parameters
    ----------
    output : path
        The folder; made if it does not exist.
    engine : {"auto", "typst", "tex"}
        What makes the PDF; Typst needs no TeX.
    quick : bool
        Smaller nets and fewer steps: half a minute instead of two.
    executor : concurrent.futures.Executor, optional
        Where the topics are measured, such as :func:`rnnderive.chains.processes`; here unless given.
        The bytes are the same.
    say : callable
        Is told what is being done.

    Returns
    -------
    ChainsReport
        Falsy when a claim does not hold; the report is written all the same and marks it.

    Raises
    ------
    InputError
        For an unknown engine, or where the folder is a file.
    RnnDeriveError
        When the engine fails or the files cannot be written.
    """
    # Said now, and not after minutes of measuring.
    if Path(output).exists() and not Path(output).is_dir():
        raise InputError(f"{output} is a file; expected a folder for the report")
    if engine not in ENGINES:
        raise InputError(f"unknown engine {engine!r}; expected one of {', '.join(ENGINES)}")
    found = measured_claims(quick, executor, say)
    say("figures and pages")
    with ThreadpoolController().limit(limits=1):
        pdf = build(chains_document(found, quick), output, "chains", engine=engine).pdf
    return ChainsReport(pdf, tuple(c for claims in found.values() for c in claims))


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


def chains_document(found: Claims, quick: bool = False) -> doc.Document:
    """The whole report as a document tree, from claims that have been measured."""
    command = "rnnderive report chains --engine typst" + (" --quick" if quick else "")
    size = "Smaller nets and fewer steps: a quick build." if quick else ""
    return doc.Document(
        "Gradient chains: theory next to measurement",
        [_result(found), _methods(), *_topics(found, quick), _numbers_corrected(), _seeds()],
        subtitle="Published and exact results, reproduced by rnnderive’s own derivations",
        footer=[versions(load("en")), *([size] if size else []), command_line(load("en"), command)],
        contents=False,
    )


def _by_row(claims: Sequence[Claim]) -> Iterator[tuple[str, list[Claim]]]:
    for row, group in groupby(claims, key=lambda c: c.row):
        yield row, list(group)


def _result(found: Claims) -> doc.Section:
    claims = [c for topic in found.values() for c in topic]
    rows = [(topic, row, group) for topic, cs in found.items() for row, group in _by_row(cs)]
    failed = [c for c in claims if not c.holds]
    whole = sum(all(c.holds for c in group) for _, _, group in rows)
    published = sum(c.published for c in claims)
    words: list[doc.Inline] = [
        doc.Bold(f"{whole} of {len(rows)} results hold"),
        f": {len(claims) - len(failed)} of {len(claims)} claims are within their tolerance. In {published} of them the "
        "number or the statement stands in the source; the others are our own evaluation, or exact.",
    ]
    blocks: list[doc.Block] = [doc.Paragraph(*words)]
    if failed:
        blocks.append(doc.Bullets([["✗ ", *prose(f"{c.row}: {c.statement}")] for c in failed]))
    table = doc.Table(
        ["Topic", "Result", "Claims", "Hold", "Table"],
        [[_title(topic) if k == 0 else "", [*prose(row)], str(len(group)), _count(group), doc.Ref(_label(row))]
         for topic, cs in found.items() for k, (row, group) in enumerate(_by_row(cs))],
        "What is reproduced.", "llrll",
    )  # fmt: skip
    return doc.Section("Result", [doc.Box(blocks), table], numbered=False)


def _title(topic: str) -> str:
    return TITLES.get(topic, topic.capitalize())


def _label(row: str) -> str:
    """A short name, since the width of a reference is that of its name."""
    return f"t{zlib.crc32(row.encode()):08x}"


def _count(group: Sequence[Claim]) -> str:
    held = sum(c.holds for c in group)
    return "✓ all" if held == len(group) else f"✗ {held}"


def _methods() -> doc.Section:
    h, L, T, k = (pr.Letter(v) for v in "hLTk")
    p = pr.Script(pr.Letter("P"), pr.Row((T, pr.Symbol(","), k)))
    j = pr.Letter("J")
    one = pr.Numeral("1")
    t_before = pr.Infix(("", "-"), (pr.Letter("t"), one), pr.SUM)
    factor = pr.derivative(pr.with_index(h, pr.Letter("t")), pr.with_index(h, t_before), "partial")
    after = pr.Script(j, pr.Infix(("", "+"), (k, one), pr.SUM))
    chain = pr.Row((pr.Script(j, T), pr.Symbol("dots"), after))
    norm = pr.Script(pr.Fenced(p, "‖"), pr.Numeral("2"))
    s1 = pr.Script(pr.Letter("s"), one)
    bound = pr.Script(pr.Fenced(pr.Row((pr.Letter("gamma"), s1))), None, pr.Infix(("", "-"), (T, k), pr.SUM))
    gradient = pr.derivative(L, pr.with_index(h, T), "partial")
    v = pr.Letter("v")
    log = pr.Row((pr.Word("ln"), pr.Fenced(pr.Row((gradient, p)), "‖")))
    sizes = pr.Big("sum", None, None, pr.Row((pr.Word("ln"), pr.Fenced(v, "‖"))))
    exponent = pr.Script(pr.Letter("lambda"), pr.Letter("i"))
    diagonal = pr.Call(
        pr.Word("ln"), (pr.Script(pr.Letter("R"), pr.Row((pr.Letter("i"), pr.Letter("i"))), pr.Letter("t")),)
    )
    mean = pr.Row((pr.Frac(one, T), pr.Big("sum", pr.Letter("t"), None, diagonal)))
    return doc.Section(
        "What is measured, and how",
        [
            doc.Paragraph(
                "A state carried from step to step sends the gradient back through a product of Jacobians. Each "
                "factor comes from code generated from the cell’s equations, never from differences or by hand:"
            ),
            doc.Aligned([(pr.Script(j, pr.Letter("t")), factor), (p, chain)]),
            doc.Paragraph(
                "The product is never formed as floats multiply it. Norms are sums of logarithms: a row v is sent "
                "back one factor at a time, v ← v J, its length is noted and divided out, so that a million steps "
                "neither underflow nor overflow; operator norms come from the product kept beside a power of two. "
                "The bound on them, with s₁ the largest singular value of U and γ the largest slope of the "
                "activation, is checked in logarithms for every k:"
            ),
            doc.Equation(pr.Infix(("", "="), (log, sizes), pr.RELATION)),
            doc.Equation(pr.Infix(("", "le"), (norm, bound), pr.RELATION)),
            doc.Paragraph(
                "Lyapunov exponents are means of the logarithms of diag R in one sweep of QR decompositions, with "
                "standard errors from blocks and the transient discarded. Exact singular values need more: the "
                "triangular factors are swept again, transposed and in reverse, until their diagonals settle. "
                "Singular factors give exponents of −∞, which are counted."
            ),
            doc.Equation(pr.Infix(("", "="), (exponent, mean), pr.RELATION)),
            doc.Paragraph(
                "In the tables “off by” and “allowed” are the absolute difference and tolerance; ≤ and ≥ are "
                "bounds, and a measurement within its bound is off by nothing. The letter beside a verdict names "
                "the source, and says: ",
                doc.Bold("published"), " where the number or the statement stands there, ",
                doc.Bold("our own evaluation"), " where we evaluated what is published, ",
                doc.Bold("exact"), " where it follows from algebra.",
            ),
        ],
    )  # fmt: skip


def _topics(found: Claims, quick: bool) -> Iterator[doc.Section]:
    for topic, claims in found.items():
        yield doc.Section(_title(topic), [doc.Paragraph(*prose(WORDS[topic]))] if topic in WORDS else [])
        for row, group in _by_row(claims):
            lines = [line for derivation in DERIVATIONS.get(row, ()) for line in derivation()]
            derived: list[doc.Block] = [steps(lines)] if lines else []
            blocks: list[doc.Block] = [*derived, claim_table(row, group, _label(row)), *figure_of(row, claims, quick)]
            yield doc.Section([*prose(row)], blocks, level=2)


def _numbers_corrected() -> doc.Section:
    return doc.Section(
        "Numbers that are also given otherwise",
        [
            doc.Bullets(
                [
                    "Mean field of tanh nets at g = 3 and 5: with some hundred Gauss–Hermite nodes q is 6.305386 and "
                    "20.688306, and λ₁ is 0.31028 and 0.54448. The table above has the converged values, and these.",
                    "The critical gain of a sigmoid net is 10.1493, the root of χ = 1; 10.1473 is not.",
                    "The half-life of a gate with forget bias 1 is 2.2127 steps (2.21268), not 2.2128.",
                ]
            )
        ],
    )


def _seeds() -> doc.Section:
    words = (
        "Every random matrix, state and input is drawn from numpy.random.default_rng with the seed that stands in "
        "the function which makes the claim (rnnderive.chains.theory); simulated nets take seeds from 0 on. Linear "
        "algebra runs on one thread, so that a rebuild on the same machine gives the same bytes; on another the "
        "last digits of a difference, and a simulated chaotic net, may differ."
    )
    return doc.Section("Seeds", [doc.Paragraph(words)])
