# ruff: noqa: E501  (formulas)
r"""LaTeX: what the project prints is read back, and so is what people write."""

from __future__ import annotations

import re
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, example, given, settings
from hypothesis import strategies as st

import rnnderive as rd
from rnnderive import printing as pr
from rnnderive.errors import InputError, LanguageError
from rnnderive.hand.latex import read_latex
from rnnderive.hand.problem import Problem
from rnnderive.language import terms as tm
from tests.strategies import recurrences

GOLDEN = Path(__file__).parents[1] / "golden"
NET = rd.Recurrence.parse("""
    h[t] = tanh(U @ h[t-1] + W @ x[t] + b)
    y[t] = V @ h[t] + c
    L    = sum(cross_entropy(y[t], target[t]), t)
""")
PROBLEM = Problem(NET)
ERROR = r"e^t = \mathrm{softmax}(y^t) - \mathrm{target}^t \\ "
DELTA = r"\delta^t = (V^\top e^t + U^\top \delta^{t+1}) \odot (1 - (h^t)^2) \\ "


def verdicts(text, problem=PROBLEM, **options):
    return {n: bool(v) for n, v in read_latex(text, problem, **options).verdicts(problem).items()}


# ---------------------------------------------------------------- read back


@pytest.mark.parametrize("name", rd.cells.LIBRARY)
def test_the_golden_adjoint_of_every_cell_is_read_back(name):
    problem = Problem(rd.cells.LIBRARY[name]())
    text = (GOLDEN / f"{name}.tex").read_text(encoding="utf-8")
    adjoint = text[: text.index(r"\end{aligned}") + len(r"\end{aligned}")]
    hand = read_latex(adjoint, problem)
    found = hand.verdicts(problem)
    named = {e.name for e in problem.derivation.pulled.backward}
    assert all(found.values()) and not hand.forward and set(hand.names.values()) <= named
    assert len(found) == adjoint.count("&=") - len(problem.net.equations)


@pytest.mark.parametrize("name", rd.cells.LIBRARY)
def test_golden_chains_of_every_cell_are_read_back(name):
    problem = Problem(rd.cells.LIBRARY[name]())
    lines = (GOLDEN / f"{name}.tex").read_text(encoding="utf-8").split("\n")
    wrt = problem.net.parameters[0]
    chain, closed = (lines[lines.index(f"% dL/d{wrt}, {which}") + 1] for which in ("T = 3", "any T"))
    assert all(verdicts(chain, problem, wrt=wrt, T=3).values())
    assert all(verdicts(closed, problem, wrt=wrt).values())


DOTS = {
    r"\frac{dL}{dc} = e^1 + e^2 + \cdots + e^T": True,
    r"\frac{dL}{dc} = e^T + e^{T-1} + \cdots + e^1": True,
    r"\frac{dL}{dc} = e^1 + e^2 + \cdots + e^{T-1}": False,
    r"\frac{dL}{dV} = e^1 (h^1)^\top + e^2 (h^2)^\top + \cdots + e^T (h^T)^\top": True,
    r"\frac{dL}{dV} = e^1 (h^0)^\top + e^2 (h^1)^\top + \cdots + e^T (h^{T-1})^\top": False,
}


@pytest.mark.parametrize("line", DOTS)
def test_dots_are_the_sum_that_the_parts_around_them_tell(line):
    found = verdicts(ERROR + line)
    assert [found[n] for n in found if n != "e"] == [DOTS[line]]


@pytest.mark.parametrize(
    "right", [r"e^1 + \cdots + e^T", r"e^1 + e^3 + \cdots + e^T", r"e^1 + e^2 + \cdots + V h^T", r"e^1 + e^2 + \cdots"]
)
def test_dots_that_leave_a_doubt_are_an_error(right):
    with pytest.raises(LanguageError, match=r"leaves a doubt|found the end"):
        read_latex(ERROR + r"\frac{dL}{dc} = " + right, PROBLEM)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(recurrences(max_sequences=2, depth=3))
@example(rd.Recurrence.parse("h[t] = tanh(W @ ((b * b) if t == 1 else 0) + x[t])\nL = sum(h[T])"))
def test_random_equations_printed_and_read_back_are_equal(net):
    hand = read_latex(net.latex(), Problem(net))
    assert not hand.forward and not hand.claimed  # every equation is one of the network's


@settings(
    max_examples=10,
    deadline=None,
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
    suppress_health_check=[HealthCheck.too_slow],
)
@given(recurrences(max_sequences=2, depth=2))
@example(rd.Recurrence.parse("y[t] = W @ x[t]\nL = sum(layer_norm(y[T]))"))
@example(
    rd.Recurrence.parse("h[t] = sin(U @ h[t-1] + W @ x[t])\nL = sum(weight[t] * squared_error(h[t], target[t]), t)")
)
def test_random_adjoints_printed_and_read_back_are_equal(net):
    problem = Problem(net)
    try:
        hand = read_latex(problem.derivation.adjoint.latex(), problem)
    except LanguageError as error:
        # [b, b] is printed as two blocks of one name, and the length of a 𝟏ᵀ𝟏 is not printed.
        assert "which block" in str(error) or "size of this constant" in str(error)
        return
    assert all(hand.verdicts(problem, T=3).values()) and not hand.forward


def test_a_row_of_open_length_beside_a_column_is_a_number():
    """It is not told as a column of another shape; what is open is the length of the constant."""
    problem = Problem(rd.Recurrence.parse("y[t] = W @ x[t]\nL = sum(layer_norm(y[T]))"))
    with pytest.raises(LanguageError, match="the size of this constant cannot be told"):
        read_latex(problem.derivation.adjoint.latex(), problem)


def test_a_wrong_sign_in_the_golden_file_is_seen():
    problem = Problem(rd.cells.gru())
    text = problem.derivation.adjoint.latex()
    wrong = text.replace(r"- \frac{dL}{dh^{t}} \odot h^{t - 1} +", r"\frac{dL}{dh^{t}} \odot h^{t - 1} +")
    assert wrong != text
    found = verdicts(wrong, problem)
    assert not found["dz"] and not found["dW_z"] and found["dW_y"]


# ---------------------------------------------------------------- usual variants


@pytest.mark.parametrize(
    "line",
    [
        r"\frac{\partial L}{\partial U} = \sum_{t=1}^{T} \delta^t (h^{t-1})^\top",
        r"\frac{dL}{dU} = \sum_t \delta^{t} {h^{t-1}}^{\mathsf T}",
        r"dL/dU = \sum_{t} \delta^{(t)} h^{(t-1)\top}",
        r"\partial L / \partial U = \sum_t \delta^t \otimes h^{t-1}",
        r"\nabla_{U} L = \sum_{s=1}^T \delta^s (h^{s-1})^T",
        r"dU = \sum_{t=1}^T \boldsymbol{\delta}^{\langle t \rangle} \, \mathbf{h}^{<t-1>\top}",
        r"\frac{\partial \mathcal{L}}{\partial \mathbf{U}} = \sum\limits_{t=1}^{T} \left( h^{t-1} (\delta^t)^{\top} \right)^{\top}",
        r"\mathrm{d}U = \sum_t \mathrm{diag}(\delta^t) \mathbf{1} h(t-1)^T",
        r"dU = \delta^1 (h^0)^\top + \sum_{t=2}^{T} \delta^t (h^{t-1})^\top",
        r"dU = \frac{1}{2} \sum_t 2 \cdot \delta^t (h^{t-1})^{\top}",
        r"dU = \sum_{1 \le t \le T} \delta^t h^{t-1 \, \top}",
        r"dU &= \sum_t \delta^t (h^{t-1})^\top, \qquad t = 1, \dots, T.",
    ],
)
def test_ways_to_write_a_sum_of_outer_products(line):
    assert verdicts(ERROR + DELTA + line)["dU"]


@pytest.mark.parametrize(
    "line",
    [
        r"\delta^t = (V^T e^t + U^T \delta^{t+1}) \circ (1 - h^t \circ h^t)",
        r"\delta^t = (V^\top e^t + U^\top \delta^{t+1}) * (\mathbf{1} - (h^{t})^2)",
        r"\delta^{t} = \mathrm{diag}(1 - (h^t)^2) (V^\top e^t + U^\top \delta^{t+1})",
        r"\delta^{t} = \operatorname{diag}\left(\mathbf{1} - h^t \odot h^t\right) \left[V^\top e^t + U^\top \delta^{t+1}\right]",
        r"\delta^{t} = (V^\top e^t + U^\top \delta^{t+1}) \tanh'(U h^{t-1} + W x^t + b)",
        r"a^t = U h^{t-1} + W x^t + b \\ \delta^{t} = f'(a^t) \odot (V^\top e^t + U^\top \delta^{t+1})",
        r"\delta^{t-1} = (V^\top e^{t-1} + U^\top \delta^{t}) (1 - (h^{t-1})^2)",
        r"\delta^{k} = (V^\top e^{k} + U^\top \delta^{k+1}) (1 - (h^{k})^2)",
        r"\delta^{T+1} = 0 \\ \delta^{t} = (V^\top e^t + U^\top \delta^{t+1}) \odot (1 - (h^t)^2)",
        r"\delta^T = V^\top e^T \odot (1 - (h^T)^2) \\ \delta^t = (V^\top e^t + U^\top \delta^{t+1}) \odot (1 - (h^t)^2)",
        r"\delta^T = V^\top e^T \odot (1 - (h^T)^2) \\ \delta^t = (V^\top e^t + U^\top \delta^{t+1}) \odot (1 - (h^t)^2) \quad \text{for } t < T",
        r"\delta^t = \begin{cases} V^\top e^t \odot (1 - (h^t)^2) & t = T \\ (V^\top e^t + U^\top \delta^{t+1}) \odot (1 - (h^t)^2) & \text{otherwise} \end{cases}",
        r"\delta^t = (1 - (h^t)^2) \odot \left(V^\top e^t + [t < T] \, U^\top \delta^{t+1}\right)",
        r"\delta^t = (1 - (h^t)^2) \odot \left(V^\top e^t + \mathbf{1}_{t < T} \, U^\top \delta^{t+1}\right)",
        r"\delta^t = (1 - (h^t)^2) \odot \left(V^\top e^t + \mathbb{1}_{\{t < T\}} \, U^\top \delta^{t+1}\right)",
    ],
)
def test_ways_to_write_a_recurrence(line):
    text = ERROR + line + r" \\ dU = \sum_t \delta^t (h^{t-1})^\top"
    found = verdicts(text, names={"f": "tanh"})
    assert found["delta"] and found["dU"]


def test_the_time_below():
    text = r"""
        e_t = \mathrm{softmax}(y_t) - \mathrm{target}_t
        \delta_t = (V^T e_t + U^T \delta_{t+1}) \odot (1 - h_t^2)
        \frac{\partial L}{\partial U} = \sum_{t=1}^{T} \delta_t h_{t-1}^T
        \frac{\partial L}{\partial c} = \sum_t e_t
    """
    assert verdicts(text) == {"e": True, "delta": True, "dU": True, "dc": True}


def test_gradients_by_jacobians_of_the_network():
    text = (
        ERROR
        + r"""
        \nabla_{h^{(t)}} L = \left(\frac{\partial h^{(t+1)}}{\partial h^{(t)}}\right)^{\top} \nabla_{h^{(t+1)}} L + V^\top e^{(t)} \\
        \nabla_W L = \sum_t \mathrm{diag}(1 - (h^{(t)})^2) (\nabla_{h^{(t)}} L) x^{(t)\top}"""
    )
    assert verdicts(text) == {"e": True, "dh": True, "dW": True}


@pytest.mark.parametrize("product", [r"\prod_{j=k+1}^{t}", r"\prod_{t \ge j > k}", r"\prod_{j=t}^{k+1}"])
def test_a_double_sum_over_paths(product):
    text = rf"""\frac{{\partial L}}{{\partial W}} = \sum_{{t=1}}^{{T}} \sum_{{k=1}}^{{t}} \frac{{\partial L}}{{\partial y^t}}
        \frac{{\partial y^t}}{{\partial h^t}} \left({product} \frac{{\partial h^j}}{{\partial h^{{j-1}}}}\right)
        \frac{{\partial^+ h^k}}{{\partial W}}"""
    assert verdicts(text) == {"dW": True}
    assert verdicts(text.replace("k=1", "k=2")) == {"dW": False}


def test_index_notation():
    text = r"""
        \frac{\partial L}{\partial U_{ij}} = \sum_t \delta_{t,i} h_{t-1,j} \\
        \delta_{t,i} = (1 - h_{t,i}^2) \left(\sum_k V_{ki} e_{t,k} + \sum_{k=1}^{n} U_{ki} \delta_{t+1,k}\right) \\
        e_{t,i} = [\mathrm{softmax}(y_t)]_i - \mathrm{target}_{t,i}"""
    assert verdicts(text) == {"dU": True, "delta": True, "e": True, "bracket": True} or all(verdicts(text).values())
    assert not verdicts(text.replace("U_{ki}", "U_{ik}"))["dU"]


@pytest.mark.parametrize("letter", ["t", "k"])
def test_entries_of_a_bracket_under_a_sum_over_any_letter(letter):
    text = (
        r"\frac{dL}{dW_{ij}} = \sum_{k=1}^T (V^\top e^k + U^\top \delta^{k+1})_i (1 - (h_i^k)^2) x_j^k \\ "
    ).replace("^k", f"^{letter}").replace("k=", f"{letter}=").replace("{k+1}", f"{{{letter}+1}}")  # fmt: skip
    assert all(verdicts(text + ERROR + DELTA).values())
    assert not verdicts(text.replace(f"{{{letter}+1}}", letter) + ERROR + DELTA)["dW"]


def test_a_letter_runs_in_its_sum_alone():
    text = r"\frac{dL}{dW_{ij}} = \sum_{k=1}^T (1 \delta^k)_i x_j^k \\ " + ERROR + DELTA
    with pytest.raises(LanguageError, match="superscript of a name without a time index"):
        read_latex(text + "g^t = h^k", PROBLEM)


def test_entries_on_the_left_may_run_in_any_letter():
    text = r"v_i^k = h_i^k \\ dV = \sum_t e^t \otimes v^t \\ " + ERROR + DELTA  # that v is a column tells what ⊗ is
    assert all(verdicts(text).values())
    assert not verdicts(text.replace("otimes v^t", "otimes v^{t-1}"))["dV"]


def test_a_bracket_of_which_entries_are_read_is_at_one_step():
    text = r"\frac{dL}{dW_{ij}} = \sum_{k=1}^T \sum_{s=1}^T (\delta^k + \delta^s)_i x_j^s \\ " + ERROR + DELTA
    with pytest.raises(LanguageError, match="several running steps") as error:
        read_latex(text, PROBLEM)
    assert error.value.column == 48


def test_every_side_of_a_chain_of_equalities_is_a_claim():
    text = ERROR + r"dV = \sum_t e^t (h^t)^\top = \sum_t (h^t (e^t)^\top)^\top = \sum_t e^t (h^{t-1})^\top"
    assert [*verdicts(text).values()] == [True, True, True, False]


def test_names_in_other_letters():
    text = (ERROR + DELTA).replace(
        "U", "W_{hh}"
    ) + r"\frac{\partial L}{\partial W_{hh}} = \sum_t \delta^t (h^{t-1})^\top"
    assert verdicts(text, names={"W_hh": "U"})["dU"]
    text = text.replace("W_{hh}", r"\tilde{W}")
    assert verdicts(text, names={r"\tilde{W}": "U"})["dU"]
    with pytest.raises(InputError, match="names says"):
        read_latex(text, PROBLEM, names={"A": "B"})


# ---------------------------------------------------------------- what cannot be read


@pytest.mark.parametrize(
    ("text", "message", "column"),
    [
        (r"dU = \sum_t \delta^t", "delta is defined nowhere", 13),
        (r"dU = \foo{h}", r"'\\\\foo', expected", 6),
        (r"dU = (h^t", "closes the bracket", 10),
        (r"dU = h_t^2 + h^2", "the power 2", 14),
        (r"dU = h_t + h^T", "the transpose", 12),
        (r"dU = h^1 \cdot h^2", "scalar product", 16),
        (r"dU = a + \cdots + b", "leaves a doubt", 10),
        (r"dU = h^1 + \cdots + h^T", "not written", 12),
        (r"dU = U^{-1}", "negative power", 9),
        (r"dU = \|h^1\|", "norms", 6),
        (r"dU = W^{a}", "no power and no transpose", 9),
        (r"\begin{tikzpicture} h \end{tikzpicture}", "environment", 1),
        (r"h^t + 1", "left side", 1),
        (r"(h^t)^2 = 1", "on the left", 1),
        (r"d^t = e^{x^t", "expected", 13),
        (r"\delta^t = \frac{\partial L}{\partial h^{t}}", "no equation defines", 12),
        (r"dU = \sum_{a < b < c} h", "a bound", 12),
        ("dU = h § 2", "no sign of a formula", 8),
        ("dU = \\sigma + 2", "without its argument", 6),
        ("dU = h^1 = x^1 \n dU = h^{1}_{1}_{2}", "one subscript", 16),
    ],
)
def test_what_cannot_be_read_is_said_with_its_place(text, message, column):
    with pytest.raises(LanguageError, match=message) as caught:
        read_latex(text, PROBLEM)
    assert caught.value.column == column and "^" in str(caught.value).split("\n")[-1]


@pytest.mark.parametrize(
    "text",
    ["(" * 10_000 + "h", "{" * 10_000, r"\frac" * 10_000, "h^{" * 10_000, r"\hat" * 10_000, r"\partial" * 10_000,
     "dU = " + "U " * 10_000, r"\sum_t" * 10_000, "|" * 9_999, r"\tanh" * 10_000, r"\begin{bmatrix}" * 10_000, "d" * 10_000,
     r"\left(" * 10_000, "h" + "_h" * 10_000, "x" * 200_001],
)  # fmt: skip
def test_deep_nesting_and_length_are_clean_errors(text):
    with pytest.raises(LanguageError):
        read_latex(text, PROBLEM, wrt="U")


def test_two_thousand_summands_are_read():
    assert verdicts("dc = c" + " + c" * 1_999, PROBLEM) == {"dc": False}


PIECES = re.findall(r"\\[A-Za-z]+|\\.|.", PROBLEM.derivation.adjoint.latex()
                    + r"\frac{\partial^{+} h^{k}}{\partial W} \prod_{j = T}^{k + 1} \begin{cases} a & t = T \\ b & \text{otherwise}"
                    r"\end{cases} \sigma'(a) \hat{y} \|x\| \mathbf{1} \cdots \nabla_W L e^{h^t} [x]_h |a| \otimes \cdot")  # fmt: skip


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.sampled_from(PIECES), max_size=25).map("".join) | st.text(max_size=30), st.sampled_from([None, "W"]))
def test_garbage_is_a_language_error_or_is_read(text, wrt):
    with suppress(LanguageError):
        read_latex(text, PROBLEM, wrt=wrt)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.integers(0, 10**6), st.integers(1, 3), st.randoms(use_true_random=False))
def test_damaged_derivations_are_language_errors_or_are_read(seed, count, random):
    start = random.randrange(len(PIECES))
    piece = PIECES[start : start + 60]
    for _ in range(count):
        piece[random.randrange(len(piece))] = random.choice(PIECES)
    with suppress(LanguageError):
        read_latex("dW = " + "".join(piece), PROBLEM)


def test_unicode_signs_are_read():
    assert verdicts(ERROR + "δ^t = (V^⊤ e^t + U^⊤ δ^{t+1}) ⊙ (1 − (h^t)^2) \\\\ dU = ∑_t δ^t (h^{t-1})^⊤")["dU"]


def test_what_was_handed_over_is_shown():
    hand = read_latex(ERROR + "\n" + DELTA + "\n" + r"dU = \sum_t \delta^t (h^{t-1})^\top", PROBLEM)
    assert hand.shown("U") == r"dU = \sum_t \delta^t (h^{t-1})^\top" == hand.shown("dU")
    assert hand.shown("W") is None


def test_a_row_of_ones_is_not_printed_as_a_column():
    row, column = tm.Ones(1, tm.BATCH), tm.Ones(tm.BATCH, 1)
    assert [pr.latex(ones.math(pr.Notation())) for ones in (row, column)] == [r"\mathbf{1}^{\top}", r"\mathbf{1}"]
