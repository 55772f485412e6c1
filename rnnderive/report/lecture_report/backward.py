"""Rows 4 to 8: the backward pass, for three steps, for any number, and for more layers."""

from __future__ import annotations

from typing import Any

from rnnderive import cells
from rnnderive import printing as pr
from rnnderive.language import Recurrence
from rnnderive.language import terms as tm
from rnnderive.report import document as doc
from rnnderive.report.parts.adjoint import backward, signs
from rnnderive.report.parts.case import Case
from rnnderive.report.parts.components import entries
from rnnderive.report.parts.formulas import equal
from rnnderive.report.parts.general import closed
from rnnderive.report.parts.model import equations, unrolled
from rnnderive.report.parts.steps import gradient_figure, lines, whole

__all__ = ["any_length", "known", "layers", "output_side", "recurrent_side"]

# One layer in the places where a rule applies: a product, a function, a loss.
LAYER = """
    a[t] = W @ x[t] + b
    y[t] = sigmoid(a[t])
    L    = squared_error(y[T], target)
"""


def known(case: Case) -> doc.Section:
    """Row 4: what a feed-forward network already gives."""
    d, net = case.d, case.net
    rows = [(case.gradient(n), case.math(d.chain(n, case.T).doit())) for n in ("W_fc", "b_fc")]
    last = tm.At("y", case.T, *net.shape("y"))
    left = pr.derivative(pr.name_math("L"), case.math(last), "partial")
    rows.append((left, case.math(d.chain(f"y[{case.T}]", case.T).doit())))
    blocks = [case.say("lecture.known"), rules(case), case.say("lecture.known_last"), doc.Aligned(rows)]
    return case.section("lecture.known_title", blocks, 2)


def rules(case: Case) -> doc.Aligned:
    """The local Jacobians of a layer, from which all others are made."""
    at = case.at(net=Recurrence.parse(LAYER))
    net, last = at.net, tm.At("y", tm.T, *at.net.shape("y"))
    rows = [
        (pr.derivative(at.math(net.leaf(v)), at.math(net.leaf(u)), "partial"), at.math(at.d.jacobian(v, u, 0)))
        for v, u in (("a", "x"), ("a", "W"), ("a", "b"), ("y", "a"))
    ]
    rows.append((pr.derivative(pr.name_math("L"), at.math(last), "partial"), at.math(at.d.chain("y[T]").doit())))
    return doc.Aligned(rows)


def output_side(case: Case) -> doc.Section:
    """Row 5."""
    blocks: list[Any] = [case.say("lecture.output"), case.say("lecture.marks")]
    for name in ("V", "b_y"):
        blocks += [case.say("steps.for", name=case.formula(name)), lines(case, name, case.T)]
    return case.section("lecture.output_title", blocks, 2)


def recurrent_side(case: Case) -> doc.Section:
    """Row 6: W in full; U and b_h without the factors that are the same."""
    blocks: list[Any] = [case.say("lecture.through"), gradient_figure(case, "W", "gradient"), lines(case, "W", case.T)]
    for name in ("U", "b_h"):
        blocks += [case.say("steps.same", name=case.formula(name)), lines(case, name, case.T, local="no")]
    blocks += [case.say("lecture.own"), doc.Aligned([_immediate(case, name) for name in ("U", "b_h")])]
    return case.section("lecture.through_title", blocks, 2)


def _immediate(case: Case, name: str) -> tuple[pr.Math, pr.Math]:
    """∂⁺h^t in a parameter."""
    h, net = case.net.leaf("h"), case.net
    alone = case.at(net=net).d.jacobian("h", name, 0)
    return pr.derivative(case.math(h), case.math(net.leaf(name)), "partial+"), alone.math(net.notation)


def any_length(case: Case) -> doc.Section:
    """Row 7, the δ recurrence that a program runs, and the same entry by entry."""
    blocks = [
        case.say("general.intro"), lines(case, "W", tm.T, local="no"),
        case.say("steps.same", name=case.listed(("U", "b_h"))), closed(case, "U"), closed(case, "b_h"),
        case.say("lecture.bptt"), case.say("adjoint.intro"), *signs(case), backward(case),
        case.say("components.intro"), entries(case, "W"),
    ]  # fmt: skip
    return case.section("lecture.any_title", blocks, 2)


def layers(case: Case) -> doc.Section:
    """Row 8: two layers."""
    stacked = case.at(net=cells.stack(cells.vanilla("sigmoid"), 2))
    name = next(p for p in stacked.net.parameters if p.startswith("W") and p.endswith("1"))
    count = len(stacked.d.chain(name, case.T).args)
    blocks = [
        case.say("lecture.layers"), equations(stacked.net), unrolled(stacked),
        case.say("lecture.layer_paths", name=stacked.formula(name), T=case.T, count=count),
        gradient_figure(stacked, name), whole(stacked, name, case.T, painted=True),
        case.say("lecture.layer_any"),
        doc.Equation(equal(stacked.gradient(name), stacked.math(stacked.d.chain(name)))),
    ]  # fmt: skip
    return case.section("lecture.layers_title", blocks, 2)
