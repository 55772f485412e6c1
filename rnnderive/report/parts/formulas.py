"""Numbers, arrays and equations as formulas, and values put in the place of names."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import fields, replace
from typing import Any

import numpy as np

from rnnderive import printing as pr
from rnnderive.checks import identical
from rnnderive.errors import InputError
from rnnderive.language import Recurrence

__all__ = ["array_math", "chained", "defined", "equal", "number_math", "row_math", "substituted"]


def equal(*sides: pr.Math) -> pr.Math:
    """left = right = …"""
    return chained("=", *sides)


def chained(sign: str, *sides: pr.Math) -> pr.Math:
    """Sides with one relation sign between all of them."""
    return pr.Infix(("", *[sign] * (len(sides) - 1)), sides, pr.RELATION)


def defined(function: str, text: str) -> pr.Math:
    """An elementwise function of a, and what it is in the text of a recurrence.

    Raises
    ------
    InputError
        If by the table of functions it is something else.

    Examples
    --------
    >>> pr.text(defined("tanh", "2 * sigmoid(2 * a) - 1"))
    'tanh(a) = 2 σ(2 a) - 1'
    """
    net = Recurrence.parse(f"left = {function}(a)\nright = {text}\nL = squared_error(left, right)")
    left, right = net["left"].right, net["right"].right
    if not (verdict := identical(left, right)).same:
        raise InputError(f"found {function}(a) = {text}, expected what {function} is: {verdict}")
    return equal(left.math(net.notation), right.math(net.notation))


def number_math(value: float, digits: int = 4) -> pr.Math:
    """A number with a few digits, in the notation of formulas.

    Examples
    --------
    >>> [pr.text(number_math(v)) for v in (0.5, -1234567.0, 0.0, float("inf"))]
    ['0.5', '-1.235  ·  10^6', '0', '∞']
    """
    if value == 0 or np.isnan(value):
        return pr.Numeral("0" if value == 0 else "–")
    if np.isinf(value):
        return pr.Symbol("infty") if value > 0 else pr.Infix(("-",), (pr.Symbol("infty"),), pr.SUM)
    exponent = int(np.floor(np.log10(abs(value))))
    if -4 < exponent < 5:
        return _signed(f"{value:.{digits}g}")
    mantissa = f"{value / 10.0**exponent:.{digits - 1}f}"
    power = pr.Script(pr.Numeral("10"), None, _signed(str(exponent)))
    return pr.Row((_signed(mantissa), pr.Symbol("cdot"), power))


def _signed(words: str) -> pr.Math:
    if words.startswith("-"):
        return pr.Infix(("-",), (pr.Numeral(words[1:]),), pr.SUM)
    return pr.Numeral(words)


def array_math(array: Any, digits: int = 4) -> pr.Math:
    """A number, a vector as a column, a matrix as a grid of numbers."""
    array = np.atleast_1d(np.asarray(array, dtype=float))
    if array.size == 1:
        return number_math(float(array.ravel()[0]), digits)
    rows = array[:, None] if array.ndim == 1 else array
    return pr.Grid(tuple(tuple(number_math(float(v), digits) for v in row) for row in rows))


def row_math(array: Any, digits: int = 4) -> pr.Math:
    """A vector written on one line, as a table has room for it: (0.5; 1)."""
    values = np.ravel(np.asarray(array, dtype=float))
    if values.size == 1:
        return number_math(float(values[0]), digits)
    entries = tuple(number_math(float(v), digits) for v in values)
    return pr.Fenced(pr.Infix(("", *[";"] * (values.size - 1)), entries, pr.SUM))


def substituted(node: Any, table: Mapping[pr.Math, pr.Math] | Callable[[pr.Math], pr.Math | None]) -> Any:
    """A formula with some of its parts replaced, the outermost first.

    Examples
    --------
    >>> W, Wf = pr.name_math("W"), pr.name_math("W_f")
    >>> pr.text(substituted(pr.Row((Wf, W)), {W: pr.Numeral("2")}))
    'W_f 2'
    """
    if isinstance(node, tuple):
        return tuple(substituted(n, table) for n in node)
    if not isinstance(node, pr.Math):
        return node
    found = table(node) if callable(table) else table.get(node)
    if found is not None:
        return found
    return replace(node, **{f.name: _inside(node, f.name, table) for f in fields(node)})


def _inside(node: pr.Math, field: str, table: Any) -> Any:
    """A part of a node; the letter of ``W_f`` is no ``W``."""
    value = getattr(node, field)
    if isinstance(node, pr.Script) and field == "base" and isinstance(value, pr.Letter | pr.Word | pr.Accent):
        return value
    return substituted(value, table)
