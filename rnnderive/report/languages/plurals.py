"""Which form of a word goes with a number: the rules of Unicode's CLDR, read from text."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import TypeAlias

from rnnderive.errors import InputError

__all__ = ["Rule", "form", "rules"]

# Alternatives of conditions (modulus or 0, whether equal, ranges).
_Condition: TypeAlias = "tuple[int, bool, tuple[tuple[int, int], ...]]"
Rule: TypeAlias = "tuple[tuple[_Condition, ...], ...]"


def rules(table: Mapping[str, str]) -> tuple[Rule, ...]:
    """Rules in the order of their table; the names are for the reader.

    Examples
    --------
    >>> russian = rules({"one": "n % 10 = 1 and n % 100 != 11", "few": "n % 10 = 2..4 and n % 100 != 12..14"})
    >>> [form(russian, n, ["шаг", "шага", "шагов"]) for n in (1, 2, 11, 21, 25)]
    ['шаг', 'шага', 'шагов', 'шаг', 'шагов']
    """
    return tuple(
        tuple(tuple(map(_condition, part.split(" and "))) for part in text.split(" or ")) for text in table.values()
    )


def _condition(text: str) -> _Condition:
    found = re.fullmatch(r"n(?:\s*%\s*(\d+))?\s*(!?=)\s*([\d.,\s]+)", text.strip())
    if not found:
        raise InputError(f"{text!r} is no rule of a plural; expected one such as 'n % 10 = 2..4 and n % 100 != 12..14'")
    ranges = []
    for part in found[3].split(","):
        low, _, high = part.strip().partition("..")
        ranges.append((int(low), int(high or low)))
    return int(found[1] or 0), found[2] == "=", tuple(ranges)


def form(plurals: Sequence[Rule], n: int, forms: Sequence[str]) -> str:
    """The form for `n`: that of the first rule it meets, else the last.

    Raises
    ------
    InputError
        Where there are not as many forms as rules, and one.
    """
    if len(forms) != len(plurals) + 1:
        raise InputError(f"found {len(forms)} forms, {'|'.join(forms)}; this language has {len(plurals) + 1}")
    for rule, shown in zip(plurals, forms, strict=False):
        if any(all(_holds(condition, abs(n)) for condition in conditions) for conditions in rule):
            return shown
    return forms[-1]


def _holds(condition: _Condition, n: int) -> bool:
    modulus, equal, ranges = condition
    rest = n % modulus if modulus else n
    return any(low <= rest <= high for low, high in ranges) is equal
