"""Claims in a language: the sentences of the catalogue, and a table of theory next to measurement."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from rnnderive import printing as pr
from rnnderive.chains.theory import Claim
from rnnderive.report import document as doc
from rnnderive.report.languages import Value, Words

__all__ = ["claim_table", "claim_words", "row_title", "value_math"]

COLUMNS = ("claim", "theory", "measured", "error", "allowed", "holds")
MOST_DIGITS = 8


def row_title(words: Words, row: str) -> tuple[doc.Inline, ...]:
    """What a result is called."""
    return words(f"chains.{row}.title")


def claim_words(words: Words, claim: Claim) -> tuple[doc.Inline, ...]:
    """What is claimed, as a sentence of the language."""
    values: dict[str, Value] = {
        name: doc.Formula(value) if isinstance(value, pr.Math) else value for name, value in claim.values.items()
    }
    return words(f"chains.{claim.row}.{claim.says}", **values)


def claim_table(words: Words, row: str, claims: Sequence[Claim], label: str | None = None) -> doc.Table:
    """The table of one result, theory next to measurement; its caption names the sources.

    Parameters
    ----------
    words : Words
        The language.
    row : str
        The result.
    claims : sequence of Claim
        At least one.
    label : str, optional
        What a :class:`~rnnderive.report.document.Ref` calls the table.
    """
    sources: dict[tuple[str, str], str] = {}
    for claim in claims:
        sources.setdefault((claim.source, claim.kind), "abcdefghijklmnopqrstuvwxyz"[len(sources)])
    rows = [
        [list(said), *_numbers(words, claim), [*_mark(words, claim), " ", sources[claim.source, claim.kind]]]
        for claim, said in zip(claims, _shortened([claim_words(words, c) for c in claims]), strict=True)
    ]
    kept = [k for k, name in enumerate(COLUMNS) if name not in ("error", "allowed") or any(r[k] for r in rows)]
    caption: list[doc.Inline] = [*row_title(words, row), "."]
    for (source, kind), letter in sources.items():
        caption += [" ", doc.Bold(letter), " "]
        caption += [*words(f"chains.source.{source}"), ": "] if source else []
        caption += [*words(f"chains.kind_{kind}"), "."]
    table = [[r[k] for k in kept] for r in rows]
    header = [words(f"chains.column_{COLUMNS[k]}") for k in kept]
    return doc.Table(header, table, caption, "".join("lrrrrl"[k] for k in kept), label)


def _mark(words: Words, claim: Claim) -> tuple[doc.Inline, ...]:
    return ("✓",) if claim.holds else words("chains.no")


def _shortened(statements: Sequence[tuple[doc.Inline, ...]]) -> Iterator[tuple[doc.Inline, ...]]:
    """Statements, each without the beginning up to a colon that the one before it has too."""
    last: tuple[doc.Inline, ...] | None = None
    for statement in statements:
        head, rest = _parted(statement)
        repeats = head is not None and head == last and len(doc.plain(head)) > 15
        yield ("… ", *rest) if repeats else statement
        last = head


def _parted(statement: tuple[doc.Inline, ...]) -> tuple[tuple[doc.Inline, ...] | None, tuple[doc.Inline, ...]]:
    """A statement before and after its first colon; nothing before where it has none."""
    for k, item in enumerate(statement):
        if isinstance(item, str) and ": " in item:
            before, _, after = item.partition(": ")
            return (*statement[:k], before), tuple(i for i in (after, *statement[k + 1 :]) if i)
    return None, statement


def _numbers(words: Words, claim: Claim) -> list[doc.Text]:
    """Theory, measurement, difference and tolerance; the last two are absolute, whatever the claim's are."""
    if isinstance(claim.measured, bool | np.bool_):
        theory, measured = (words(f"chains.{'true' if v == 1 else 'false'}") for v in (claim.theory, claim.measured))
        return [theory, measured, "", ""]
    digits = _digits(claim)
    limit = value_math(claim.theory, digits)
    signs = {"≤": "le", "≥": "ge"}
    if claim.relation in signs:
        limit = pr.Infix((signs[claim.relation],), (limit,), pr.RELATION)
    scale = abs(float(claim.theory)) if claim.relative else 1.0
    within = claim.relation != "=" and claim.error == 0
    off: doc.Text = words("chains.within") if within else doc.Formula(value_math(claim.error * scale, 2))
    allowed = doc.Formula(value_math(claim.tolerance * scale, 2))
    return [doc.Formula(limit), doc.Formula(value_math(claim.measured, digits)), off, allowed]


def _digits(claim: Claim) -> int:
    """So many that a difference as large as the tolerance shows in the last but one."""
    size = max(abs(float(claim.theory)), abs(float(claim.measured)))
    allowed = claim.tolerance * (abs(float(claim.theory)) if claim.relative else 1.0)
    if float(claim.theory) == 0 or claim.relation != "=" or not 0 < size < np.inf:
        return 4 if float(claim.theory) or claim.relation != "=" else 2
    if allowed == 0:
        return MOST_DIGITS
    return int(np.clip(np.ceil(np.log10(size / allowed)) + 1, 2, MOST_DIGITS))


def value_math(value: float, digits: int) -> pr.Math:
    """A number with so many digits at most, and none that says nothing.

    Examples
    --------
    >>> [pr.text(value_math(v, 3)) for v in (1e-12, 3, 3319.98, 0.12345)]
    ['10^{-12}', '3', '3320', '0.123']
    """
    value = float(value)
    if np.isnan(value):
        return pr.Word("nan")
    if np.isinf(value):
        sign = pr.Symbol("infty")
        return pr.Infix(("-",), (sign,), pr.SUM) if value < 0 else sign
    if value == round(value) and abs(value) < 1e9:
        return _signed(str(round(value)))
    rounded = float(f"{value:.{digits - 1}e}")
    mantissa, power = f"{rounded:.{digits - 1}e}".split("e")
    if -4 < int(power) < 7:
        return _signed(_trimmed(f"{rounded:.{max(digits - 1 - int(power), 0)}f}"))
    mantissa = _trimmed(f"{float(mantissa):.{min(digits, 6) - 1}f}")
    ten = pr.Script(pr.Numeral("10"), None, _signed(str(int(power))))
    return ten if mantissa == "1" else pr.Row((_signed(mantissa), pr.Symbol("cdot"), ten))


def _trimmed(words: str) -> str:
    """Without zeros that end a fraction; 3320 keeps its own."""
    return words.rstrip("0").rstrip(".") if "." in words else words


def _signed(words: str) -> pr.Math:
    return pr.Infix(("-",), (pr.Numeral(words[1:]),), pr.SUM) if words[0] == "-" else pr.Numeral(words)
