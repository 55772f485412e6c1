"""Claims as rows of a table: words, numbers with as many digits as the tolerance asks for, sources."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

import numpy as np

from rnnderive import printing as pr
from rnnderive.chains.theory import Claim
from rnnderive.report import document as doc

__all__ = ["claim_table", "kind", "prose", "value_math"]

HEADER = ("Claim", "Theory", "Measured", "Off by", "Allowed", "Holds")
MOST_DIGITS = 8


def claim_table(row: str, claims: Sequence[Claim], label: str | None = None) -> doc.Table:
    """The table of one result, theory next to measurement; its caption names the sources.

    Parameters
    ----------
    row : str
        What the result is called.
    claims : sequence of Claim
        At least one.
    label : str, optional
        What a :class:`~rnnderive.report.document.Ref` calls the table.
    """
    sources: dict[tuple[str, str], str] = {}
    for claim in claims:
        sources.setdefault((claim.source, kind(claim)), "abcdefghijklmnopqrstuvwxyz"[len(sources)])
    rows = [
        [list(prose(words)), *_numbers(claim), f"{'✓' if claim.holds else '✗ no'} {sources[claim.source, kind(claim)]}"]
        for claim, words in zip(claims, _shortened([c.statement for c in claims]), strict=True)
    ]
    kept = [k for k, name in enumerate(HEADER) if k not in (3, 4) or any(r[k] for r in rows)]
    caption = [*prose(row), "."]
    for (source, how), letter in sources.items():
        caption += [" ", doc.Bold(letter), " ", *prose(_without(source, how)), f"{how}."]
    table = [[r[k] for k in kept] for r in rows]
    return doc.Table([HEADER[k] for k in kept], table, caption, "".join("lrrrrl"[k] for k in kept), label)


def _shortened(statements: Sequence[str]) -> Iterator[str]:
    """Statements, each without the beginning up to a colon that the one before it has too."""
    last = ""
    for statement in statements:
        head, colon, rest = statement.partition(": ")
        yield f"… {rest}" if colon and head == last and len(head) > 15 else statement
        last = head


def kind(claim: Claim) -> str:
    """Whether the number stands in the source, is exact, or is our own evaluation."""
    if claim.published:
        return "published"
    return "exact, by our own derivation" if claim.source == "exact" else "our own evaluation"


def _without(source: str, how: str) -> str:
    """A source without the words that its kind says already."""
    own = r"(^|[;,] )(the numbers are our own evaluation|evaluation our own|examples our own|our own evaluation)"
    rest = re.sub(own, "", source).lstrip(",; ")
    return "" if rest in ("", "exact") else f"{rest}: "


def _numbers(claim: Claim) -> list[doc.Text]:
    """Theory, measurement, difference and tolerance; the last two are absolute, whatever the claim's are."""
    if isinstance(claim.measured, bool | np.bool_):
        return [_truth(claim.theory), _truth(claim.measured), "", ""]
    digits = _digits(claim)
    theory = value_math(claim.theory, digits)
    signs = {"≤": "le", "≥": "ge"}
    if claim.relation in signs:
        theory = pr.Infix((signs[claim.relation],), (theory,), pr.RELATION)
    scale = abs(float(claim.theory)) if claim.relative else 1.0
    within = claim.relation != "=" and claim.error == 0
    off: doc.Text = "within" if within else doc.Formula(value_math(claim.error * scale, 2))
    allowed = doc.Formula(value_math(claim.tolerance * scale, 2))
    return [doc.Formula(theory), doc.Formula(value_math(claim.measured, digits)), off, allowed]


def _truth(value: float) -> str:
    return "true" if value == 1 else "false"


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


# ---------------------------------------------------------------- words

# What SymPy or Python writes otherwise than a page does.
_PLAIN = (("**2", "²"), ("sqrt", "√"), ("log(", "ln("), ("½", "1/2"), ("σ'", "σ′"), ("x'", "x′"), ("h'", "h′"))
_SCRIPTS = re.compile(r"(?P<base>\bmax|[A-Za-zλσδΣ]|\))(?P<scripts>(?:[_^](?:\{[^}]*\}|\d+|[A-Za-z]))+)")


def prose(text: str) -> Iterator[doc.Inline]:
    """A statement with its indices and powers set as formulas: ``ln‖P_{T,k}‖₂`` or ``(1 − 1/T)^T``.

    Examples
    --------
    >>> [item if isinstance(item, str) else pr.text(item.math) for item in prose("the term ∂C^t of b_f")]
    ['the term ∂', 'C^t', ' of ', 'b_f']
    """
    for old, new in _PLAIN:
        text = text.replace(old, new)
    text = re.sub(r"(?<![\w)\]])-(?=\d)|(?<= )-(?= )", "−", text)
    text = re.sub(r"δ([a-z])\b", r"δ_\1", text)
    place = 0
    for found in _SCRIPTS.finditer(text):
        if found.start() > place:
            yield text[place : found.start()]
        yield doc.Formula(_scripted(found["base"], found["scripts"]))
        place = found.end()
    if place < len(text):
        yield text[place:]


def _scripted(base: str, scripts: str) -> pr.Math:
    parts = {s: inside.strip("{}") for s, inside in re.findall(r"([_^])(\{[^}]*\}|\d+|[A-Za-z])", scripts)}
    names = {"λ": "lambda", "σ": "sigma", "δ": "delta", "Σ": "sum"}
    head: pr.Math = (
        pr.Word(base) if base == ")" else pr.Symbol("sum") if base == "Σ" else pr.Letter(names.get(base, base))
    )
    sub, sup = (_index(parts[s]) if s in parts else None for s in "_^")
    return pr.Script(head, sub, sup)


def _index(text: str) -> pr.Math:
    """An index: letters, numbers, a comma, a minus."""
    left, minus, right = text.partition("−")
    if minus:
        return pr.Infix(("", "-"), (_index(left), _index(right)), pr.SUM)
    items: list[pr.Math] = []
    for piece in re.findall(r"[A-Za-z]|\d+|,", text):
        items.append(pr.Symbol(",") if piece == "," else pr.Numeral(piece) if piece.isdigit() else pr.Letter(piece))
    return items[0] if len(items) == 1 else pr.Row(tuple(items))
