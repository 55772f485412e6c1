"""Text is read into a value and written back; equal texts are equal values."""

import copy
import dataclasses
import pickle

import pytest
from hypothesis import HealthCheck, given, settings

from rnnderive import printing as pr
from rnnderive.cells import LIBRARY
from rnnderive.errors import LanguageError
from rnnderive.language import Floats, Recurrence, Run
from tests.strategies import sizes_of, texts, values_of

NET = """
    h[t] = tanh(W @ x[t] + U @ h[t-1] + b_h)
    y[t] = sigmoid(V @ h[t] + b_y)
    L    = squared_error(y[T], target)
"""


@pytest.mark.parametrize("name", LIBRARY)
def test_a_cell_written_and_read_again_is_the_same_cell(name):
    net = LIBRARY[name]()
    again = Recurrence.parse(str(net))
    assert again == net
    assert hash(again) == hash(net)
    assert str(again) == str(net)
    assert {n: again.shape(n) for n in again.leaves} == {n: net.shape(n) for n in net.leaves}


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(texts(kinks=True))
def test_a_random_recurrence_written_and_read_again_is_the_same(text):
    net = Recurrence.parse(text)
    assert Recurrence.parse(str(net)) == net


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(texts())
def test_a_random_recurrence_runs(text):
    net = Recurrence.parse(text)
    run = Run(net, Floats(sizes_of(net)), values_of(net, 3), 3)
    assert run["L"].shape == (1, 1)


@pytest.mark.parametrize(
    "written",
    [
        "a - (b - c) - (d + e)",
        "a / (b * c) / d",
        "-x**2",
        "(-x)**2",
        "1 / x**3 * -(2 - z)",
        "sum((A @ B).T @ c)",
        "sum(A @ (B @ c + d))",
        "sum((-A) @ b) + sum(A @ (-b))",
        "sum((a if T == 1 else 0) * b)",
        "sum([a, [b, c]] * [d, e, f])",
        "sum(W[0:1, 2:3]) + sum(W[:, 1:size(W, 1)] @ v)",
        "sum(kron(a, b).T) * sum(vec(A))",
        "0.1 * a + 1 / 3 + 1e-20",
        "sum(diag(u) @ ones(size(u))) + sum(ones(3) + eye(3) @ w) * T",
        "sum(sum(x[t] * x[t+2]), t) / T",
        "sum((sum(x[t]) if t >= T-2 else 0), t) + sum(sum(x[t]), t, batch)",
        "mean(squared_error(y[t], z[t]), t, batch) + mean(w * w)",
    ],
)
def test_brackets_and_precedence_survive(written):
    net = Recurrence.parse(f"L = {written}")
    assert Recurrence.parse(str(net)) == net


def test_a_number_is_kept_as_it_was_written_exactly():
    assert str(Recurrence.parse("L = 0.1 * a").equations[0].right) == "0.1 * a"
    assert Recurrence.parse("L = 0.1 * a") == Recurrence.parse("L = 1e-1 * a") == Recurrence.parse("L = 1 / 10 * a")
    assert Recurrence.parse("L = 0.1 * a") != Recurrence.parse("L = 0.1000000000000000055511151231257827 * a")


def test_layout_and_comments_do_not_matter():
    plain = Recurrence.parse("h[t] = x[t] + h[t-1]\nL = sum(h[T])")
    assert Recurrence.parse("h[t] = (x[t]  # an input (\n   + h[t-1])\n\n# end ]]]\nL=sum(h[T]);") == plain
    assert Recurrence.parse("h[t] = x[t] + h[t-1]\n        L = sum(h[T])\n    ") == plain
    assert Recurrence.parse("    h[t] = x[t] + h[t-1]\r\n\tL = sum(h[T])".replace("\t", "    ")) == plain
    assert Recurrence.parse("\ufeff'''A cell.'''\nh[t] = x[t] + h[t-1]\nL = sum(h[T])") == plain


def test_equality_looks_at_equations_loss_and_declared_inputs():
    net = Recurrence.parse(NET)
    assert net == Recurrence.parse(NET)
    assert len({net, Recurrence.parse(NET), Recurrence.parse(NET + "    M = sum(y[T])\n    return M")}) == 2
    assert net != Recurrence.parse(NET.replace("tanh", "relu"))
    assert net != Recurrence.parse(NET.replace("W @ x[t] + U @ h[t-1]", "U @ h[t-1] + W @ x[t]"))
    assert net != Recurrence.parse("b_h: input\n" + NET)
    assert net != Recurrence.parse(NET, loss=None)


def test_a_recurrence_cannot_be_changed():
    net = Recurrence.parse(NET)
    with pytest.raises(dataclasses.FrozenInstanceError):
        net.loss = "M"
    with pytest.raises(dataclasses.FrozenInstanceError):
        net.equations[0].right = net.equations[1].right


def test_a_recurrence_is_copied_and_pickled():
    net = Recurrence.parse(NET)
    assert pickle.loads(pickle.dumps(net)) == net
    assert copy.deepcopy(net) == net


def test_return_names_the_loss_and_is_written():
    net = Recurrence.parse("h[t] = x[t]\nM = sum(h[T])\nL = 2 * M\nreturn M")
    assert net.loss == "M"
    assert str(net).endswith("return M")
    assert Recurrence.parse(str(net)) == net


def test_without_an_L_the_last_timeless_name_is_the_loss():
    assert Recurrence.parse("M = sum(x[T])\nN = M * 2").loss == "N"
    assert Recurrence.parse("L = sum(x[T])\nN = L * 2").loss == "L"
    assert Recurrence.parse("h[t] = x[t]", loss=None).loss is None


def test_roles_of_names():
    net = Recurrence.parse("c: input\n" + "h[t] = tanh(U @ h[t-1] + x[t] + c)\nL = squared_error(V @ h[T], target)")
    assert net.sequences == ("h",)
    assert net.inputs == ("x", "c", "target")
    assert net.parameters == ("U", "V")
    assert net.initial_states == ("h0",)


@pytest.mark.parametrize(
    ("text", "line", "column"),
    [
        ("h[t] = x[t]\nL = sum(h[T] % 2)", 2, 9),
        ("\n\n    h[t] = x[t]\n    L = sum(h[T] % 2)\n", 4, 13),
        ("h[t] = x[t]\n      L = sum(h[T] % 2)\n      M = 3", 2, 15),
        ("λ_é = sum(ж) + sin(1, 2)\nL = λ_é", 1, 16),
        ("L = (a +\n     b % 2)", 2, 6),
        ("  L = a +\n  M = 3", 1, 10),
    ],
)
def test_an_error_says_where_in_the_text_as_given(text, line, column):
    with pytest.raises(LanguageError) as caught:
        Recurrence.parse(text)
    assert (caught.value.line, caught.value.column) == (line, column)
    assert caught.value.source == text.split("\n")[line - 1]
    caret = str(caught.value).split("\n")[-1]
    shown = str(caught.value).split("\n")[-2]
    assert len(shown) + 1 >= len(caret)


def test_a_condition_before_a_product_entry_by_entry_is_not_taken_for_a_factor():
    net = Recurrence.parse("y[t] = W @ (b * b if t == 1 else 0)\nz[t] = W @ (b if t == 1 else 0)\nL = sum(y[T] + z[T])")
    formula, plain = (net[name].right.math(net.notation) for name in "yz")
    assert pr.text(formula) == "W ([t = 1] b ⊙ b)"
    assert pr.typst(formula) == "W lr((lr([t = 1]) thin b dot.o b))"
    assert pr.mathml(formula).count('fence="true"') == 4
    assert pr.text(plain) == "W [t = 1] b"
