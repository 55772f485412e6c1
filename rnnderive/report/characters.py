"""Characters of user text: which can be printed everywhere, and typographic quotation marks.

All printers pass text through :func:`typographic`, and those of PDFs through :func:`printable`,
so that they show the same.
"""

from __future__ import annotations

import re
import unicodedata

from rnnderive.printing import Word
from rnnderive.report.extent import width

__all__ = ["LATEX", "LATIN", "composed", "is_cyrillic", "pieces", "printable", "typographic"]

# What pdfLaTeX does not know by itself, in text. Greek is added below.
LATEX: dict[str, str] = {
    "✓": r"\ensuremath{\checkmark}", "✗": r"\ensuremath{\times}", "−": r"\ensuremath{-}",
    "×": r"\ensuremath{\times}", "·": r"\ensuremath{\cdot}", "→": r"\ensuremath{\to}",
    "←": r"\ensuremath{\leftarrow}", "↔": r"\ensuremath{\leftrightarrow}", "⇒": r"\ensuremath{\Rightarrow}",
    "≤": r"\ensuremath{\le}", "≥": r"\ensuremath{\ge}", "≠": r"\ensuremath{\ne}", "≈": r"\ensuremath{\approx}",
    "≡": r"\ensuremath{\equiv}", "±": r"\ensuremath{\pm}", "∞": r"\ensuremath{\infty}",
    "∂": r"\ensuremath{\partial}", "⊙": r"\ensuremath{\odot}", "⊗": r"\ensuremath{\otimes}",
    "∗": r"\ensuremath{\ast}", "∘": r"\ensuremath{\circ}", "⊤": r"\ensuremath{\top}", "‖": r"\ensuremath{\|}",
    "∈": r"\ensuremath{\in}", "∑": r"\ensuremath{\sum}", "∏": r"\ensuremath{\prod}", "√": r"\ensuremath{\surd}",
    "∇": r"\ensuremath{\nabla}", "⋯": r"\ensuremath{\cdots}", "⊇": r"\ensuremath{\supseteq}",
    "ℝ": r"\ensuremath{\mathbb{R}}", "′": r"\ensuremath{'}", "°": r"\textdegree{}",
    "⁺": r"\ensuremath{^{+}}", "⁻": r"\ensuremath{^{-}}", "ᵀ": r"\ensuremath{^{T}}", "ᵗ": r"\ensuremath{^{t}}",
    "…": r"\ldots{}", "–": "--", "—": "---", "‘": "`", "’": "'", "“": r"\textquotedblleft{}",
    "”": r"\textquotedblright{}", "„": r"\quotedblbase{}", "«": r"\guillemotleft{}", "»": r"\guillemotright{}",
    "§": r"\S{}", "©": r"\textcopyright{}", "€": r"\texteuro{}", "µ": r"\ensuremath{\mu}", "№": r"\textnumero{}",
    "↪": r"\ensuremath{\hookrightarrow}", "\u00a0": "~", "‐": "-", "‑": "-",
}  # fmt: skip
_GREEK = (
    "αalpha βbeta γgamma δdelta εvarepsilon ζzeta ηeta θtheta ιiota κkappa λlambda μmu νnu ξxi πpi ρrho σsigma "
    "τtau υupsilon φvarphi χchi ψpsi ωomega ϕphi ϵepsilon ςvarsigma "
    "ΓGamma ΔDelta ΘTheta ΛLambda ΞXi ΠPi ΣSigma ΦPhi ΨPsi ΩOmega"
)
LATEX.update({word[0]: rf"\ensuremath{{\{word[1:]}}}" for word in _GREEK.split()})
LATEX.update({c: rf"\ensuremath{{^{k}}}" for k, c in enumerate("⁰¹²³⁴⁵⁶⁷⁸⁹")})
LATEX.update({c: rf"\ensuremath{{_{k}}}" for k, c in enumerate("₀₁₂₃₄₅₆₇₈₉")})

LATIN = set("ÀÁÂÃÄÅÆÇÈÉÊËÌÍÎÏÐÑÒÓÔÕÖØÙÚÛÜÝÞßàáâãäåæçèéêëìíîïðñòóôõöøùúûüýþÿĀāĂăĄąĆćČčĎďĐđĒēĘęĚěĞğĪīİıŁłŃńŇňŌōŐőŒœŔŕŘř"
             "ŚśŞşŠšŢţŤťŪūŮůŰűŸŹźŻżŽž¡¿")  # fmt: skip


def is_cyrillic(char: str) -> bool:
    """Whether a character is one of the Russian alphabet."""
    return "А" <= char <= "я" or char in "Ёё"


def typographic(text: str, quotes: tuple[str, str] = ("“", "”")) -> str:
    """Composed characters, single spaces, and the quotation marks of a language for straight ones.

    Examples
    --------
    >>> typographic('a "b"  don\\'t'), typographic('a "b"', ("«", "»"))
    ('a “b” don’t', 'a «b»')
    """
    text = re.sub(r"[ \t\r\n\f\v]+", " ", composed(text))
    opening, closing = quotes
    text = re.sub(r'(^|[\s(\[{«“])"', rf"\1{opening}", text).replace('"', closing)
    return re.sub(r"(^|[\s(\[{«“])'", r"\1‘", text).replace("'", "’")


def composed(text: str) -> str:
    """Text in normal form C, without characters that have no width and without control characters."""
    return _UNSEEN.sub("", unicodedata.normalize("NFC", text))


# Marks of direction and zero width, and controls other than tab and line feed.
_UNSEEN = re.compile(
    "[\u200b-\u200f\u202a-\u202e\u2066-\u2069\u00ad\ufeff\u0000-\u0008\u000b-\u001f\u007f-\u009f\ud800-\udfff]"
)


def printable(text: str) -> str:
    """Text with U+4E16 in brackets for a character that the fonts of the PDF lack.

    Examples
    --------
    >>> printable("x 漢")
    'x [U+6F22]'
    """
    return "".join(c if _printable(c) else f"[U+{ord(c):04X}]" for c in text)


def _printable(char: str) -> bool:
    return " " <= char <= "~" or char in "\n" or char in LATEX or char in LATIN or is_cyrillic(char)


def pieces(text: str, room: float = 41.0, longest: int = 24) -> list[str]:
    """Cut a text where a line of `room` em may break inside words that are too long for it.

    Such words may break after signs, and after `longest` letters.

    Examples
    --------
    >>> pieces("a/b", longest=2), pieces("plain words")
    (['a/', 'b'], ['plain words'])
    """
    step = max(1, min(longest, int(room / 1.1)))
    out: list[str] = []
    for word in re.split(r"(\s+)", text):
        whole = word.isspace() or (len(word) <= longest and width(Word(word)) < 0.9 * room)
        cut = [word] if whole else _cuts(word, step)
        out = [*out[:-1], out[-1] + cut[0], *cut[1:]] if out else cut
    return out


def _cuts(word: str, step: int) -> list[str]:
    return re.findall(rf"\w{{1,{step}}}[^\w\s]?|[^\w\s]{{1,{step}}}", word)
