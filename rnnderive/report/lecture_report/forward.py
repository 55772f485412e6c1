"""Rows 1 to 3: a dense layer, a recurrent layer, the example."""

from __future__ import annotations

from rnnderive import printing as pr
from rnnderive.language import Recurrence
from rnnderive.report import document as doc
from rnnderive.report.lecture_report.example import TOKENS
from rnnderive.report.parts.adjoint import backward
from rnnderive.report.parts.case import Case
from rnnderive.report.parts.formulas import defined, number_math
from rnnderive.report.parts.model import equations, unrolled
from rnnderive.report.parts.notation import conventions, names

__all__ = ["dense", "recurrent", "sentence"]

# The lecture's layer has no time.
DENSE = """
    y = sigmoid(W @ X + b)
    L = squared_error(y, target)
"""


def dense(case: Case) -> doc.Section:
    """Row 1."""
    net = Recurrence.parse(DENSE)
    blocks = [
        case.say("lecture.dense"), equations(net, ["y"]),
        case.say("lecture.dense_sigmoid"), doc.Equation(defined("sigmoid", "1 / (1 + exp(-a))")),
        case.say("lecture.dense_gradient"), equations(net, ["L"]), backward(case.at(net=net)),
    ]  # fmt: skip
    return case.section("lecture.dense_title", blocks, 2)


def recurrent(case: Case) -> doc.Section:
    """Row 2, with the notation of all that follows."""
    blocks = [
        case.say("lecture.recurrent"), case.say("lecture.update"), equations(case.net, ["h", "y"]),
        case.say("lecture.head"), equations(case.net, ["y_hat", "L"]),
        case.say("lecture.parameters", names=case.listed(case.net.parameters)),
        unrolled(case), names(case), conventions(case),
    ]  # fmt: skip
    return case.section("lecture.recurrent_title", blocks, 2)


def sentence(case: Case) -> doc.Section:
    """Row 3."""
    words = case.words
    rows: list[list[doc.Text]] = [
        [doc.Emph(token), str(k), *(doc.Formula(number_math(v)) for v in vector)]
        for k, (token, vector) in enumerate(TOKENS.items(), 1)
    ]
    head: list[doc.Text] = [
        words("lecture.word"),
        words("lecture.step"),
        *(doc.Formula(_entry(k)) for k in range(1, 5)),
    ]
    table = doc.Table(head, rows, words("lecture.sentence_caption"), "lrrrrr")
    return case.section("lecture.sentence_title", [case.say("lecture.sentence"), table], 2)


def _entry(k: int) -> pr.Math:
    return pr.with_index(pr.name_math(f"x_{k}"), pr.Letter("t"))
