"""The lecture and the comparison: what a reader meets has been introduced, is the lecture's own, and is so."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from rnnderive import Recurrence, cells, derive
from rnnderive import printing as pr
from rnnderive.chains import setting
from rnnderive.errors import InputError
from rnnderive.report import document as doc
from rnnderive.report import figures, languages
from rnnderive.report.comparison_report import comparison_document
from rnnderive.report.lecture_report import activations, backward, forward, gated
from rnnderive.report.lecture_report.example import example
from rnnderive.report.parts import Case
from rnnderive.report.parts.adjoint import signs
from rnnderive.report.parts.behaviour import bound_words
from rnnderive.report.parts.formulas import defined
from rnnderive.report.parts.model import unrolled


@pytest.fixture(scope="module")
def case() -> Case:
    net = cells.lecture()
    return Case(net, "lecture", "en", "full", point=example(net))


def aligned(section: doc.Section) -> Iterator[str]:
    for block in section.blocks:
        if isinstance(block, doc.Aligned):
            yield from (f"{pr.text(left)} = {pr.text(right)}" for left, right in block.rows if left)
        if isinstance(block, doc.Equation):
            yield pr.text(block.math)


def test_the_first_formula_is_the_lectures_and_the_second_says_what_sigma_is(case: Case) -> None:
    first, second, *_ = aligned(forward.dense(case))
    assert (first, second) == ("y = σ(W X + b)", "σ(a) = 1/(1 + exp(-a))")


def test_what_a_function_is_said_to_be_is_what_the_table_has() -> None:
    with pytest.raises(InputError, match=r"found sigmoid\(a\) = 1 / \(1 \+ exp\(a\)\)"):
        defined("sigmoid", "1 / (1 + exp(a))")


def test_the_rules_come_before_the_derivation_that_uses_them(case: Case) -> None:
    found = [*aligned(backward.known(case))]
    assert found[:5] == [
        "∂a^t/∂x^t = W",
        "∂a^t/∂W = (x^t)ᵀ ⊗ I",
        "∂a^t/∂b = I",
        "∂y^t/∂a^t = diag(y^t ⊙ (1 - y^t))",
        "∂L/∂y^T = (y^T - target)ᵀ",
    ]


def test_the_factor_of_the_chain_follows_from_the_slope_that_stands_before_it(case: Case) -> None:
    assert [*aligned(activations.vanishing(case))] == [
        "σ^{′}(a) = σ(a) ⊙ (1 - σ(a))",
        "∂h^t/∂h^{t-1} = diag(h^t ⊙ (1 - h^t)) U",
    ]


@pytest.mark.parametrize(
    ("text", "names"),
    [
        (gated.VANILLA, {"W", "U", "b_h", "W_y", "b_y"}),
        (gated.BIDIRECTIONAL, {"W_L", "U_L", "b_L", "W_R", "U_R", "b_R", "V", "b_y"}),
    ],
)
def test_parameters_have_the_lectures_names(text: str, names: set[str]) -> None:
    assert set(Recurrence.parse(text).parameters) == names


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("lecture", ["adjoint.condition"]),
        ("gru", ["adjoint.condition", "adjoint.part"]),
        ("dense", ["adjoint.condition"]),
    ],
)
def test_signs_of_a_backward_pass_are_explained_where_they_stand(name: str, expected: list[str]) -> None:
    case = Case(cells.LIBRARY[name](), name)
    assert [*signs(case)] == [case.say(key) for key in expected]


def test_a_loss_at_every_step_needs_no_condition_in_brackets() -> None:
    assert [*signs(Case(cells.loss(cells.vanilla(), at="every"), "every"))] == []


def test_what_the_graph_leaves_out_is_named_also_where_it_has_no_time(case: Case) -> None:
    assert pr.name_math("y_hat") in [i.math for i in doc.inlines(unrolled(case).caption) if isinstance(i, doc.Formula)]


def test_the_delta_of_an_accented_name_has_the_accent_where_the_name_has_it() -> None:
    written = {n: pr.latex(pr.name_math(n)) for n in ("delta_y_hat", "n_y_hat", "h1_hat", "h_tilde_L")}
    assert written == {
        "delta_y_hat": r"\delta_{\hat{y}}", "n_y_hat": r"n_{\hat{y}}", "h1_hat": r"\hat{h}_{1}",
        "h_tilde_L": r"\tilde{h}_{L}",
    }  # fmt: skip


@pytest.mark.parametrize("lang", languages.available())
def test_the_legend_of_four_kinds_of_factors_stays_inside_the_picture(lang: str) -> None:
    at = Case(cells.stack(cells.vanilla("sigmoid"), 2), "stack", lang)
    picture = figures.gradient_graph(at.graph("W_1"), at.tints("W_1").edges, words=at.words)
    axes, legend = picture.axes[0], picture.axes[0].get_legend()
    picture.draw_without_rendering()
    assert legend is not None
    assert len(legend.get_texts()) == 4
    assert axes.bbox.x0 <= legend.get_window_extent().x0
    assert legend.get_window_extent().x1 <= axes.bbox.x1


def looks(picture: Any, label: str) -> set[Any]:
    return {line.get_color() for axes in picture.axes for line in axes.lines if label in str(line.get_label())}


def test_a_function_has_one_colour_in_all_pictures_of_the_lecture(case: Case) -> None:
    sections = [row(case) for row in (activations.vanishing, activations.explosion, activations.advice)]
    pictures = [b.image() for s in sections for b in s.blocks if isinstance(b, doc.Figure)]
    for label in ("sigma", "tanh", "ReLU"):
        assert len(set().union(*(looks(p, label) for p in pictures))) == 1


def test_a_gradient_that_keeps_its_size_has_no_time_in_which_it_is_halved() -> None:
    (table,) = [b for b in comparison_document().sections[0].blocks if isinstance(b, doc.Table)]
    halves = {doc.plain(row[1]): doc.plain(row[3]) for row in table.rows}
    assert halves["neither"] == "–"
    assert halves["vanishes"] != "–"


def test_a_bound_is_said_to_be_drawn_where_a_picture_has_it() -> None:
    at = Case(cells.lstm(), "lstm", long=setting(cells.lstm(), T=12, seed=0))
    (analysis,) = at.analyses
    assert "drawn" in doc.plain(bound_words(at, analysis.bounds, drawn=True))
    assert "drawn" not in doc.plain(bound_words(at, analysis.bounds))


def test_no_line_breaks_between_a_number_and_its_percent_sign() -> None:
    for lang in languages.available():
        words = languages.load(lang)
        assert [k for k, s in words.sentences.items() if re.search(r"\d %", words.unbroken(s))] == []


@pytest.mark.parametrize("write", [pr.latex, pr.typst, pr.mathml])
def test_a_power_of_a_function_is_no_power_of_its_argument(write: Callable[[pr.Math], str]) -> None:
    slope = derive(cells.lstm()).jacobian("h", "C").math(cells.lstm().notation)
    assert write(pr.Script(pr.Word("tanh"), None, pr.Numeral("2"))) in write(slope)
