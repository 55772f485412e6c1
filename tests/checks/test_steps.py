"""Each line of a derivation is true in itself, and a wrong one is marked."""

from __future__ import annotations

from dataclasses import replace

import pytest

import rnnderive as rd
from rnnderive.calculus import Factor
from rnnderive.checks import check_steps
from rnnderive.checks import steps as steps_module
from tests.checks.nets import BIG, NAMES, network

STACK = """
    h[t] = tanh(W @ x[t] + U @ h[t-1] + b)
    s[t] = tanh(A @ h[t] + B @ s[t-1])
    y[t] = sigmoid(V @ s[t])
    L    = sum(squared_error(y[t], target[t]), t)
"""


@pytest.mark.parametrize("T", [1, 3, rd.T], ids=str)
@pytest.mark.parametrize("name", [n for n in NAMES if n not in BIG])
def test_every_line_is_true(name: str, T: object) -> None:
    d = rd.derive(network(name))
    for wrt in (d.wrt[0], d.wrt[-1]):
        try:
            lines = d.steps(wrt, T)
        except rd.RnnDeriveError as error:
            assert (T == rd.T and "Give T as an integer" in str(error)) or "give T as an integer" in str(error)
            continue
        marks = check_steps(d, wrt, T)
        assert len(marks) == len(lines)
        assert all(marks), "\n".join(map(str, marks))


@pytest.mark.parametrize("T", [4, rd.T], ids=str)
@pytest.mark.parametrize(
    ("wrt", "of"),
    [("x[2]", None), ("x[T]", None), ("h[1]", None), ("h[2]", None), ("s[1]", None), ("h0", None), ("s0", None),
     ("h[1]", "h[T]"), ("x[2]", "s[T]"), ("W", "h[T]"), ("W", "s[T]"), ("h0", "h[3]")],
)  # fmt: skip
def test_targets_at_a_step_and_states_as_what_is_differentiated(wrt: str, of: str | None, T: object) -> None:
    marks = check_steps(rd.derive(STACK), wrt, T, of=of)
    assert all(marks), "\n".join(map(str, marks))


@pytest.mark.parametrize("T", [3, rd.T], ids=str)
@pytest.mark.parametrize("of", [None, "h[T]", "C[T]"])
@pytest.mark.parametrize("wrt", ["h[1]", "C[1]", "C[2]", "h[T]", "C[T]", "f[2]", "x[1]", "W_f", "C0"])
def test_states_of_one_node_that_read_each_other(wrt: str, of: str | None, T: object) -> None:
    """In an LSTM h^t reads C^t: a total derivative in C^t includes the way through h^t."""
    d = rd.derive(rd.cells.lstm())
    if wrt == of:
        return
    if wrt == "f[2]" and T == rd.T:
        with pytest.raises(rd.RnnDeriveError, match="Give T as an integer"):
            d.steps(wrt, T, of=of)
        return
    marks = check_steps(d, wrt, T, of=of)
    assert all(marks), "\n".join(map(str, marks))


def test_an_input_at_any_step_for_any_t() -> None:
    d = rd.derive(STACK)
    marks = check_steps(d, "x[k]")
    assert all(marks), "\n".join(map(str, marks))
    with pytest.raises(rd.InputError, match=r"give a (step|number)"):
        d.steps("x[k]", 3)


def test_lines_are_marked_by_the_field_and_jacobians_by_the_complex_step() -> None:
    marks = check_steps(rd.derive(rd.cells.lstm()), "W_f", 3)
    for mark in marks:
        assert mark.by == ("complex step" if isinstance(mark.step.left, Factor) else "field")


def test_a_wrong_line_is_marked_and_the_others_are_not(monkeypatch: pytest.MonkeyPatch) -> None:
    d = rd.derive(rd.cells.vanilla())
    lines = list(d.steps("U", 3))
    short = lines[4].right.args[0]  # one summand of three
    jacobian = next(k for k, s in enumerate(lines) if isinstance(s.left, Factor))
    lines[4] = replace(lines[4], right=short)
    lines[jacobian] = replace(lines[jacobian], right=2 * lines[jacobian].right)
    monkeypatch.setattr(type(d), "steps", lambda self, wrt, T, of=None: tuple(lines))
    marks = steps_module.check_steps(d, "U", 3)
    assert [k for k, m in enumerate(marks) if not m] == [4, jacobian]
    assert "differ" in marks[4].error
