"""Rows 13 to 18: both directions, the usual form, LSTM gate by gate, its cell path, a sentence, GRU."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from typing import Any

from rnnderive import cells
from rnnderive import printing as pr
from rnnderive.derivation import derive
from rnnderive.language import Recurrence
from rnnderive.language import terms as tm
from rnnderive.report import document as doc
from rnnderive.report import figures
from rnnderive.report.lecture_report.activations import truly
from rnnderive.report.lecture_report.measures import chain_norms, lstm_chains, rate
from rnnderive.report.lecture_report.sentence import ROLES, UNITS, reading
from rnnderive.report.parts.adjoint import backward, signs
from rnnderive.report.parts.case import Case
from rnnderive.report.parts.formulas import equal
from rnnderive.report.parts.general import closed
from rnnderive.report.parts.jacobians import state_jacobians
from rnnderive.report.parts.model import equations, unrolled
from rnnderive.report.parts.steps import gradient_figure, lines, whole

__all__ = ["bidirectional", "gate_by_gate", "gru", "skip_connection", "story", "vanilla"]

# The lecture's own equations, with the memory after forgetting as a line of its own.
LSTM = """
    f[t]      = sigmoid(W_f @ [h[t-1], x[t]] + b_f)
    C_temp[t] = f[t] * C[t-1]
    i[t]      = sigmoid(W_i @ [h[t-1], x[t]] + b_i)
    C_add[t]  = tanh(W_C @ [h[t-1], x[t]] + b_C)
    C[t]      = C_temp[t] + i[t] * C_add[t]
    o[t]      = sigmoid(W_o @ [h[t-1], x[t]] + b_o)
    h[t]      = o[t] * tanh(C[t])
    y[t]      = sigmoid(W_y @ h[t] + b_y)
    L         = squared_error(y[T], target)
"""


# The lecture's own names; its second recurrence is in the time of the sentence, not counted from the right.
BIDIRECTIONAL = """
    h_L[t] = sigmoid(W_L @ x[t] + U_L @ h_L[t-1] + b_L)
    h_R[t] = sigmoid(W_R @ x[t] + U_R @ h_R[t+1] + b_R)
    h[t]   = [h_L[t], h_R[t]]
    y[t]   = sigmoid(V @ h[t] + b_y)
    L      = squared_error(y[T], target)
"""

VANILLA = """
    h[t] = tanh(W @ x[t] + U @ h[t-1] + b_h)
    y[t] = sigmoid(W_y @ h[t] + b_y)
    L    = squared_error(y[T], target)
"""


@lru_cache(maxsize=4)
def _lstm_norms(bias: float) -> tuple[Any, Any]:
    return lstm_chains(cells.lstm(), bias)


def bidirectional(case: Case) -> doc.Section:
    """Row 13."""
    net = Recurrence.parse(BIDIRECTIONAL)
    at, every = case.at(net=net), case.at(net=cells.loss(net, at="every"))
    weights = [p for p in net.parameters if p.startswith("W_")]
    counts = {name: len(_summands(at.d.chain(name, case.T))) for name in weights}
    blocks: list[Any] = [
        case.say("lecture.both"), equations(net), unrolled(at), case.say("lecture.both_last"),
        *(whole(at, name, case.T) for name in weights),
        case.say("lecture.both_every"), *(whole(every, name, tm.T) for name in weights),
        *state_jacobians(at, paths=False),
        truly(case, "both_truly", left=at.formula(weights[0]), right=at.formula(weights[-1]),
              many=counts[weights[0]], few=counts[weights[-1]], T=case.T),
    ]  # fmt: skip
    return case.section("lecture.both_title", blocks, 2)


def _summands(term: tm.Term) -> tuple[tm.Term, ...]:
    return term.args if isinstance(term, tm.Plus) else (term,)


def vanilla(case: Case) -> doc.Section:
    """Row 14."""
    at = case.at(net=Recurrence.parse(VANILLA))
    blocks = [case.say("lecture.vanilla"), equations(at.net), case.say("lecture.vanilla_factor"),
              *state_jacobians(at, paths=False)[1:], case.say("lecture.vanilla_backward"), backward(at)]  # fmt: skip
    return case.section("lecture.vanilla_title", blocks, 2)


def gate_by_gate(case: Case) -> doc.Section:
    """Row 15: the lecture's equations one after the other, and their gradient."""
    at = case.at(net=Recurrence.parse(LSTM))
    blocks: list[Any] = [case.say("lecture.lstm")]
    for key, names in (("forget", ("f", "C_temp")), ("input", ("i", "C_add", "C")), ("output", ("o", "h", "y"))):
        blocks += [case.say(f"lecture.lstm_{key}"), equations(at.net, names)]
    blocks += [unrolled(at), case.say("lecture.lstm_state"), gradient_figure(at, "W_f"),
               lines(at, "W_f", case.T, local="no"), case.say("lecture.lstm_any"), closed(at, "W_f"),
               case.say("lecture.lstm_blocks"), *state_jacobians(at)[1:],
               case.say("lecture.lstm_backward"), backward(at), truly(case, "lstm_truly")]  # fmt: skip
    return case.section("lecture.lstm_title", blocks, 2)


def skip_connection(case: Case) -> doc.Section:
    """Row 16: the path through the cell alone, measured against all of it."""
    d = derive(cells.lstm())
    factor = d.jacobian("C", "C")
    cell, before = d.net.leaf("C"), tm.At("C", tm.t - 1, *d.net.shape("C"))
    left = pr.derivative(case.math(cell), case.math(before), "partial")
    words = case.words
    curves = {
        words.label(f"lecture.curve_{what}", bias=int(bias)): _lstm_norms(bias)[k]
        for bias in (3.0, 0.0)
        for k, what in enumerate(("cell", "state"))
    }
    curves[words.label("lecture.curve_simple")] = chain_norms(cells.vanilla())
    caption = words("lecture.skip_caption")
    blocks = [
        case.say("lecture.skip"), doc.Equation(equal(left, factor.math(d.net.notation))),
        doc.Figure(lambda: figures.norms_against_distance(curves, words), caption, doc.plain(caption)),
        truly(case, "skip_truly", open=words.number(rate(_lstm_norms(3.0)[0]), "+.3f"),
              half=words.number(rate(_lstm_norms(0.0)[0]), "+.3f")),
    ]  # fmt: skip
    return case.section("lecture.skip_title", blocks, 2)


def story(case: Case) -> doc.Section:
    """Row 17: gates along the sentence."""
    found, words = reading(), case.words
    tokens = doc.plain(words("lecture.tokens")).split("|")
    assert len(tokens) == len(ROLES)
    units = [words.label(f"lecture.unit_{u}") for u in UNITS]
    shown = {figures.mathtext(pr.with_index(pr.name_math(n), pr.Letter("t"))): g for n, g in found.gates.items()}
    until = len(found.arriving)
    caption, reach = words("lecture.story_caption"), words("lecture.story_gradient_caption")
    ylabel = r"$\|dL/dx^k\|$"
    blocks = [
        case.say("lecture.story", text=doc.Emph(*words("lecture.text"))),
        doc.Figure(lambda: figures.gate_picture(shown, tokens, units, words), caption, doc.plain(caption)),
        doc.Bullets(list(_events(case))),
        case.say("lecture.story_gradient", steps=until - 1),
        doc.Figure(lambda: figures.token_curves(found.arriving, tokens[:until], ylabel), reach, doc.plain(reach)),
        truly(case, "story_truly"),
    ]  # fmt: skip
    return case.section("lecture.story_title", blocks, 2)


def _events(case: Case) -> Iterator[tuple[doc.Inline, ...]]:
    """What the lecture says happens at a word."""
    for key in ("subject", "attribute", "governed", "preposition", "open", "relative", "close", "predicate"):
        yield case.words(f"lecture.event_{key}")


def gru(case: Case) -> doc.Section:
    """Row 18."""
    at = case.at(net=cells.gru())
    blocks = [case.say("lecture.gru"), equations(at.net), *state_jacobians(at), case.say("lecture.gru_gradient"),
              closed(at, "W_z"), *signs(at), case.say("lecture.gru_backward"), backward(at),
              truly(case, "gru_truly")]  # fmt: skip
    return case.section("lecture.gru_title", blocks, 2)
