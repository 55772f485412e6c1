"""The formulas within a sentence of the catalogue: ``$h[t-1]$``, ``$W_f$``, ``$P_{T,k}$``."""

from __future__ import annotations

import re

from rnnderive import printing as pr
from rnnderive.errors import InputError

__all__ = ["name"]

_TIMED = re.compile(r"(\w+)(?:\[(\w+)(?:\s*([+-])\s*(\w+))?\])?")
_SCRIPTED = re.compile(r"(?P<base>[^\W\d_]+|\))(?P<scripts>(?:[_^](?:\{[^{}]*\}|\w))+)")
_GREEK = {"λ": "lambda", "σ": "sigma"}


def name(inside: str) -> pr.Math:
    """A name with its time, or with what stands above and below it.

    Examples
    --------
    >>> [pr.text(name(n)) for n in ("h[t-1]", "b_f", "P_{T,k}", "C^{t−1}", "max_i")]
    ['h^{t-1}', 'b_f', 'P_{T, k}', 'C^{t-1}', 'max_i']

    Raises
    ------
    InputError
        For what is no name.
    """
    found = _TIMED.fullmatch("".join(_GREEK.get(c, c) for c in inside))
    if inside.startswith("Σ") or not found:
        scripted = _SCRIPTED.fullmatch(inside)
        if scripted:
            return _scripted(scripted["base"], scripted["scripts"])
    if not found:
        raise InputError(f"${inside}$ is no name; expected $W_f$, $h[t]$, $h[t-1]$ or $P_{{T,k}}$")
    base = pr.name_math(found[1])
    if found[2] is None:
        return base
    index = _atom(found[2])
    if found[3]:
        index = pr.Infix(("", found[3]), (index, _atom(found[4])), pr.SUM)
    return pr.with_index(base, index)


def _atom(text: str) -> pr.Math:
    return pr.Numeral(text) if text.isdigit() else pr.name_math(text)


def _scripted(base: str, scripts: str) -> pr.Math:
    """What stands below and above a letter, a sum, or a bracket that closes."""
    parts = {s: inside.strip("{}") for s, inside in re.findall(r"([_^])(\{[^}]*\}|\w)", scripts)}
    sub, sup = (_index(parts[s]) if s in parts else None for s in "_^")
    head: pr.Math = {")": pr.Word(")"), "Σ": pr.Symbol("sum")}.get(base) or pr.name_math(base)
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
