"""Worked numbers: every line as a formula, with the numbers put in, and its value."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from rnnderive import printing as pr
from rnnderive.calculus import Factor
from rnnderive.derivation import reference_run
from rnnderive.language import terms as tm
from rnnderive.programs import prepare
from rnnderive.report import document as doc
from rnnderive.report.parts.case import Case
from rnnderive.report.parts.formulas import array_math, equal, row_math, substituted
from rnnderive.report.parts.steps import whatever_step
from rnnderive.report.parts.terms import values
from rnnderive.report.parts.tints import Tints

__all__ = ["course_table", "factors", "forward", "given", "numbers"]

DIGITS = 4


def numbers(case: Case) -> list[doc.Section]:
    """What is given, the forward pass, the factors, the terms and their sum."""
    name = case.leading
    blocks = [
        case.say("numbers.intro", T=case.T),
        given(case),
        *forward(case),
        *factors(case, name),
        case.say("numbers.terms", name=case.formula(name)),
        values(case, name),
        case.say("numbers.program", loss=case.words.number(float(np.sum(case.course[case.net.loss or "L"])), ".6g")),
    ]
    return [case.section("numbers.title", blocks)]


def given(case: Case) -> doc.Equation:
    """Parameters, initial states and inputs, sequences step by step."""
    net = case.net
    shown = []
    for name, value in {**case.numbers[0], **case.numbers[1]}.items():
        if name == "T":
            continue
        if isinstance(net.leaves.get(name), tm.At):
            for k, v in enumerate(value, 1):
                shown.append(equal(tm.At(name, k, *net.shape(name)).math(net.notation), array_math(v)))
        else:
            shown.append(equal(case.math(net.leaf(name)), array_math(value)))
    return doc.Equation(pr.Infix(("", *[","] * (len(shown) - 1)), tuple(shown), pr.RELATION), numbered=False)


# ---------------------------------------------------------------- forward


def forward(case: Case) -> Iterator[Any]:
    """The first step line by line, or every step in the full report; then the whole course as a table."""
    net = case.net
    steps = range(1, case.T + 1) if case.detail == "full" else _first(case)
    for step in steps:
        yield case.say("numbers.step", step=step)
        for name in net.sequences:
            yield _line(case, name, step)
    yield case.say("numbers.course")
    yield course_table(case)
    last = [e.name for e in net.equations if not e.timed]
    if last:
        yield case.say("numbers.end")
        for name in last:
            yield _line(case, name, None)


def _first(case: Case) -> tuple[int, ...]:
    """The step at which the loop begins: the last where all run from the right."""
    return (case.T,) if case.loops and all(lag < 0 for _, lag in case.loops) else (1,)


def _line(case: Case, name: str, step: int | None) -> doc.Equation:
    """left = formula = numbers put in = value."""
    net = case.net
    right = net[name].right
    here = right if step is None else tm.at_time(right, step)
    here = tm.at_horizon(here, case.T)
    left = net.leaf(name) if step is None else tm.At(name, step, *net.shape(name))
    value = case.course[name] if step is None else case.course[name][step - 1]
    formula = here.math(net.notation)
    sides = [left.math(net.notation), formula]
    shown = substituted(formula, _values(case, here))
    if shown != formula:
        sides.append(shown)
    return doc.Equation(equal(*sides, array_math(value, DIGITS)), numbered=False)


def _values(case: Case, term: tm.Term) -> dict[pr.Math, pr.Math]:
    """The numbers in the place of every name in a term."""
    found = {}
    for leaf in tm.members(term):
        if isinstance(leaf, tm.At | tm.Parameter):
            value = _value(case, leaf)
            if value is not None:
                found[leaf.math(case.net.notation)] = array_math(value, DIGITS)
    return found


def _value(case: Case, leaf: tm.At | tm.Parameter) -> Any:
    """The number behind a name at a step; an initial state is a name of its own."""
    known = {**case.course, **case.numbers[0], **case.numbers[1]}
    if isinstance(leaf, tm.Parameter):
        return known.get(leaf.name)
    return known[leaf.name][int(leaf.index) - 1] if leaf.index.is_Integer else None


def course_table(case: Case) -> doc.Table:
    """Every sequence at every step."""
    net = case.net
    head: list[doc.Text] = [
        case.words("numbers.quantity"),
        *(case.words("numbers.at", step=k) for k in range(1, case.T + 1)),
    ]
    rows: list[list[doc.Text]] = [
        [case.formula(name), *(doc.Formula(row_math(v, DIGITS)) for v in case.course[name])] for name in net.sequences
    ]
    return doc.Table(head, rows, case.words("numbers.caption"), "l" * (case.T + 1))


# ---------------------------------------------------------------- backward


def factors(case: Case, wrt: str) -> Iterator[Any]:
    """Every factor of the chain: as a formula, with the numbers put in, and its value."""
    tints = case.tints(wrt)
    kinds = [whatever_step(edge.factor) for edge in tints.edges]
    rest = case.words("numbers.first_of_kind") if case.detail != "full" and len(set(kinds)) < len(kinds) else ()
    if "steps" in case.parts:
        yield case.say("numbers.factors", figure=doc.Ref("gradient"), rest=rest)
    else:
        yield case.say("numbers.factors_alone", rest=rest)
    arrays = prepare(case.net, *case.numbers)
    run = reference_run(case.net, arrays)
    for k, edge in enumerate(tints.edges):
        short = case.detail != "full" and kinds[k] in kinds[:k]
        value = np.asarray(run.term(edge.factor.jacobian, None), dtype=float)
        yield _factor(case, edge.factor, tints, value, short=short)


def _factor(case: Case, factor: Factor, tints: Tints, value: Any, *, short: bool) -> doc.Equation:
    """A factor as a formula, with the numbers put in, and its value; in short, and for blocks, the value alone."""
    left = tints.factor(factor, case.net.notation)
    if short or isinstance(factor.jacobian, tm.Blocks):
        return doc.Equation(equal(left, array_math(value, DIGITS)), numbered=False)
    formula = factor.jacobian.math(case.net.notation)
    shown = substituted(formula, _values(case, factor.jacobian))
    return doc.Equation(equal(left, formula, shown, array_math(value, DIGITS)), numbered=False)
