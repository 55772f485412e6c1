"""The term table: every path of the gradient, its factors, its size; the last row is the gradient."""

from __future__ import annotations

from typing import Any

import numpy as np

from rnnderive import printing as pr
from rnnderive.calculus import Factor, State
from rnnderive.language import terms as tm
from rnnderive.report import document as doc
from rnnderive.report.parts.case import Case
from rnnderive.report.parts.formulas import array_math, number_math

__all__ = ["term_table", "terms", "values"]

MOST_ROWS = 40


def terms(case: Case) -> list[doc.Section]:
    """The table of the leading parameter."""
    return [case.section("terms.title", [case.say("terms.intro"), term_table(case, case.leading, label="terms")])]


def _found(case: Case, wrt: str) -> tuple[list[tuple[tm.Term, Any]], Any]:
    """The terms with their values, and their sum: what the program returns."""
    found = case.d.terms(wrt, case.T, *case.numbers)
    _, gradients = case.d.lambdify()(*case.numbers)
    total = sum(value for _, value in found)
    if not np.allclose(total, gradients[wrt], rtol=1e-10, atol=1e-14):
        raise AssertionError(f"the terms of {wrt} do not add up to its gradient: an error of rnnderive")
    return found, total


def term_table(case: Case, wrt: str, label: str | None = None) -> doc.Table:
    """k, path, factors, norm, share; the last row is their sum."""
    found, total = _found(case, wrt)
    tints = case.tints(wrt)
    whole = sum(float(np.linalg.norm(v)) for _, v in found) or 1.0
    rows: list[list[doc.Text]] = []
    for term, value in found[:MOST_ROWS]:
        norm = float(np.linalg.norm(value))
        rows.append(
            [_step(term), doc.Formula(_path(case, term)), doc.Formula(tints.paint(case.math(term))),
             doc.Formula(number_math(norm)), case.words.share(norm / whole)]
        )  # fmt: skip
    if len(found) > MOST_ROWS:
        rest = len(found) - MOST_ROWS
        rows.append(["", "", case.words("terms.rest", count=rest), "", ""])
    size = number_math(float(np.linalg.norm(total)))
    left = doc.Formula(case.gradient(wrt))
    rows.append(["", "", [*case.words("terms.sum"), " ", left], doc.Formula(size), ""])
    head = [case.words(f"terms.{k}") for k in ("k", "path", "factors", "norm", "share")]
    return doc.Table(head, rows, case.words("terms.caption"), "lllrr", label=label)


def _factors(term: tm.Term) -> tuple[Factor, ...]:
    items = term.args if isinstance(term, tm.Product) else (term,)
    return tuple(f for f in items if isinstance(f, Factor))


def _step(term: tm.Term) -> str:
    """The step at which the parameter itself acts."""
    factors = _factors(term)
    over = factors[-1].over if factors else None
    if isinstance(over, State):
        return str(over.args[1])
    return str(over.index) if isinstance(over, tm.At) else ""


def _path(case: Case, term: tm.Term) -> pr.Math:
    """L → h³ → h² → W."""
    factors = _factors(term)
    if not factors:
        return pr.Numeral("–")
    stops = [factors[0].over, *(f.under for f in factors)]
    return pr.Infix(("", *["to"] * (len(stops) - 1)), tuple(case.math(s) for s in stops), pr.RELATION)


def values(case: Case, wrt: str) -> doc.Aligned:
    """Each term in the shape of the parameter, and their sum."""
    found, total = _found(case, wrt)
    tints = case.tints(wrt)
    rows: list[tuple[pr.Math | None, pr.Math]] = [
        (tints.paint(case.math(term)), array_math(value)) for term, value in found[:MOST_ROWS]
    ]
    return doc.Aligned([*rows, (case.gradient(wrt), array_math(total))])
