"""What the rooms below say in English, in another language: the catalogue's ``said`` table read in both directions.

A mistake in a derivation, a remark of a loader or a note on a run is an English sentence.  The English
catalogue has its pattern, another language the same one by the same name; what stands in the places of
the pattern is a name, a number, a term, or a sentence of its own.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache

from rnnderive.report.document import Inline, plain
from rnnderive.report.languages.catalogue import Value, Words, load

__all__ = ["told"]

TABLE = "said."


def told(words: Words, text: str) -> tuple[Inline, ...]:
    """A sentence of the rooms below in a language; as it is where the catalogue has no pattern of it.

    Examples
    --------
    >>> told(load("ru"), "dW_f: the factor 1 − h² is missing")
    ('dW_f: пропущен множитель 1 − h²',)
    >>> told(load("en"), "dW_f: the factor 1 − h² is missing")
    ('dW_f: the factor 1 − h² is missing',)
    """
    if words.lang == "en":
        return (text,)
    found = _found(text)
    if found is None:
        return (_number(words, text),)
    key, inside = found
    values: dict[str, Value] = {}
    for name, value in inside.items():
        values[name] = int(value) if value.isdigit() else plain(told(words, value))
    return words(key, **values)


def patterned(text: str) -> bool:
    """Whether the catalogue has a pattern of a sentence."""
    return _found(text) is not None


def _found(text: str) -> tuple[str, dict[str, str]] | None:
    """The name of the sentence whose pattern fits, and what stands in its places."""
    for key, pattern in _patterns():
        if match := pattern.fullmatch(text):
            return key, match.groupdict()
    return None


def _number(words: Words, text: str) -> str:
    """A number with the language's decimal mark."""
    return (
        re.sub(r"(?<=\d)\.(?=\d)", words.decimal, text) if re.fullmatch(r"[±−-]?\d+\.\d+(e[+-]?\d+)?", text) else text
    )


@lru_cache
def _patterns() -> tuple[tuple[str, re.Pattern[str]], ...]:
    """Patterns by name; of those that fit, the first is meant."""
    english = load("en")
    found = [(key, text) for key, text in english.sentences.items() if key.startswith(TABLE)]
    found.sort(key=_order)
    return tuple((key, re.compile("".join(_pieces(text)), re.DOTALL)) for key, text in found)


def _order(item: tuple[str, str]) -> tuple[bool, bool, int]:
    """Before ``{name}: {rest}`` what has words of its own there; after it what begins with anything at all."""
    key, text = item
    parts = key == f"{TABLE}part"
    return parts or (text.startswith("{") and ": " not in text), not parts, -len(re.sub(r"\{[^{}]*\}", "", text))


def _pieces(sentence: str) -> Iterator[str]:
    """A sentence as a regular expression; a plural is any of its forms."""
    seen: set[str] = set()
    pieces = re.split(r"(\{[^{}]*\})", sentence)
    for piece, after in zip(pieces, [*pieces[1:], ""], strict=True):
        name, mark, forms = piece.strip("{}").partition("?")
        if not piece.startswith("{"):
            yield re.escape(piece.replace("\\", ""))
        elif mark:
            yield f"(?:{'|'.join(map(re.escape, forms.split('|')))})"
        elif name in seen:
            yield f"(?P={name})"
        else:
            inside = r"\d+" if f"{{{name}?" in sentence else "[^)]+?" if after.startswith("):") else ".+?"
            yield f"(?P<{name}>{inside})"
            seen.add(name)
