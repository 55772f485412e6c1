"""The analysis as a whole: what it says, and what it says of input that is wrong."""

from __future__ import annotations

import re

import numpy as np
import pytest

import rnnderive as rd
from rnnderive.errors import InputError
from rnnderive.language import Recurrence
from tests.chains.nets import CELLS, STACKED, TEXTS, analysis, at, every_chain, linear, network, tanh_net


@pytest.mark.parametrize("name", [*(n for n in CELLS if n != "stacked_lstm"), *TEXTS, STACKED])
def test_every_network_is_told_in_words_and_as_a_table(name):
    for found in every_chain(name):
        text = str(found)
        assert text.startswith("chain") and found.label in text and "5 steps" in text
        assert found.trace.chain.direction in text
        assert found.verdict.headline in text and found.bounds.words in text
        assert "nan" not in text and "None" not in text
        assert repr(found) == f"<Analysis of {found.label} over 5 steps: {found.verdict.kind}>"
        for gate in found.gates:
            assert f"{gate.name}: mean {gate.mean:.3f}" in text
        for states in found.others:
            assert f"[{', '.join(states)}]" in text


def test_it_shows_itself_in_a_notebook():
    found = analysis("lstm")
    page = found._repr_html_()
    assert page.startswith("<table><tr><th>chain</th>") and "<svg" in page and page.rstrip().endswith("</svg>")
    assert "&lt;" in linear([[0.5]], 5)._repr_html_()  # 0.5 < 1
    assert not re.search(r"<script|<[^>]*on\w+=", page)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", ["lstm", "two states and lag 2", "loss at every step", "right to left"])
def test_single_precision_agrees_with_double(name, dtype):
    here, double = at(name), analysis(name)
    params, inputs = ({n: np.asarray(a, dtype) for n, a in table.items()} for table in (here.params, here.inputs))
    found = rd.analyze(network(name), params, inputs)
    assert found.trace.course.dtype == dtype
    np.testing.assert_allclose(found.operator, double.operator, atol=1e-4)
    np.testing.assert_allclose(found.gradient, double.gradient, atol=1e-4)
    np.testing.assert_allclose(found.bounds.logs, double.bounds.logs, atol=1e-4)
    assert found.verdict.kind == double.verdict.kind
    assert str(found)


def test_a_state_of_size_one():
    net = Recurrence.parse("s[t] = w * sigmoid(s[t-1]) + b\nL = squared_error(s[T], target)")
    params = {"w": np.array([2.0]), "b": np.array([0.1]), "s0": np.array([0.3])}
    found = rd.analyze(net, params, {"target": np.array([1.0]), "T": 30})
    assert found.trace.size == 1
    s = np.concatenate([[0.3], found.trace.course["s"][:-1, 0]])
    slope = 1 / (1 + np.exp(-s)) * (1 - 1 / (1 + np.exp(-s)))
    np.testing.assert_allclose(found.operator[1:], np.cumsum(np.log(2 * slope)[::-1]), rtol=1e-12)
    assert found.bounds.limit == pytest.approx(0.5)  # |w|/4


def test_a_chain_of_a_bidirectional_network_is_chosen_by_its_state():
    assert analysis("bidirectional_lstm").states == ("h_L", "C_L")
    found = analysis("bidirectional_lstm", 5, None, "C_R")
    assert found.states == ("h_R", "C_R") and found.others == (("h_L", "C_L"),)
    assert found.trace.chain.direction == "backward"


def test_drift_is_the_quantiles_of_the_state_over_units_and_batch():
    found = analysis("lstm", 5, 3)
    for name, table in found.drift((0.0, 0.5, 1.0)).items():
        values = found.trace.course[name].reshape(5, -1)
        np.testing.assert_allclose(table, [values.min(1), np.median(values, 1), values.max(1)])


def test_relu_drifts_and_tanh_does_not():
    """Row 10 of the lecture: nothing bounds a ReLU's state; the gain of 1.05 compounds."""
    W, U, x = np.ones((4, 1)), 1.05 * np.eye(4), np.ones((60, 1))
    drift = {
        name: rd.analyze(tanh_net(activation=name), {"W": W, "U": U}, {"x": x, "target": np.ones(4)}).drift()["h"]
        for name in ("relu", "tanh")
    }
    assert drift["relu"][2, -1] == pytest.approx((1.05**60 - 1) / 0.05)
    assert np.abs(drift["tanh"]).max() <= 1.0


# ---------------------------------------------------------------- input that is wrong


PARAMS = {"W": np.zeros((2, 1)), "U": 0.5 * np.eye(2)}
INPUTS = {"x": np.zeros((6, 1)), "target": np.ones(2)}


def changed(table, **arrays):
    return {**table, **arrays}


@pytest.mark.parametrize(
    ("params", "inputs", "message"),
    [
        (changed(PARAMS, U=np.full((2, 2), np.nan)), INPUTS, r"U\[0, 0\] is nan; expected finite numbers"),
        (changed(PARAMS, U=np.diag([1.0, np.inf])), INPUTS, r"U\[1, 1\] is inf; expected finite numbers"),
        (PARAMS, changed(INPUTS, x=np.full((6, 1), np.nan)), r"x\[0, 0\] is nan"),
        (PARAMS, changed(INPUTS, x=np.zeros((0, 1))), "x.* 0 steps|empty|no step|at least"),
        (PARAMS, changed(INPUTS, x=[]), "x"),
        (changed(PARAMS, U=np.eye(3)), INPUTS, "U|size"),
        (changed(PARAMS, W=np.zeros((2, 5))), INPUTS, "x|W"),
        ({"W": PARAMS["W"]}, INPUTS, "U"),
        (PARAMS, {"x": INPUTS["x"]}, "target"),
        (changed(PARAMS, Q=np.eye(2)), INPUTS, "there is no 'Q' in this recurrence"),
        (PARAMS, changed(INPUTS, x=np.array([["a"]] * 6)), "x has dtype"),
        (changed(PARAMS, U=0.5j * np.eye(2)), INPUTS, "U has complex entries; expected real numbers"),
        (PARAMS, changed(INPUTS, x=np.zeros((6, 1), complex)), "x has complex entries"),
    ],
)
def test_arrays_that_do_not_fit_are_named(params, inputs, message):
    with pytest.raises(InputError, match=message):
        rd.analyze(tanh_net(), params, inputs)


def test_no_steps_are_named():
    net = Recurrence.parse("h[t] = U @ h[t-1]\nL = sum(h[T])")
    for T in (0, -1):
        with pytest.raises(InputError, match=r"T is|steps"):
            rd.analyze(net, {"U": np.eye(2)}, {"T": T})


def test_a_state_that_is_not_there_is_named():
    with pytest.raises(InputError, match="'q' is no state; there are h_L, C_L; h_R, C_R"):
        analysis("bidirectional_lstm", 5, None, "q")
    with pytest.raises(InputError, match="'f' is no state; there are h, C"):
        analysis("lstm", 5, None, "f")


def test_tokens_are_one_a_step():
    with pytest.raises(InputError, match="there are 2 tokens for 6 steps; expected one a step"):
        rd.analyze(tanh_net(), PARAMS, INPUTS, tokens=["a", "b"])
    assert rd.analyze(tanh_net(), PARAMS, INPUTS, tokens="abcdef").tokens == tuple("abcdef")


def test_a_network_without_a_loop_and_what_is_no_network_are_named():
    here = rd.checks.point(rd.cells.dense())
    with pytest.raises(InputError, match="there is no chain to analyse"):
        rd.analyze(rd.cells.dense(), here.params, here.inputs)
    with pytest.raises(InputError, match="found int; expected a recurrence"):
        rd.analyze(3, {}, {})


def test_a_text_is_read():
    found = rd.analyze("h[t] = tanh(W @ x[t] + U @ h[t-1])\nL = squared_error(h[T], target)", PARAMS, INPUTS)
    assert found.verdict.rate.value == pytest.approx(np.log(0.5))


def test_without_a_loss_the_norms_stand_and_the_gradient_is_named_as_missing():
    net = Recurrence.parse("h[t] = tanh(W @ x[t] + U @ h[t-1])", loss=None)
    found = rd.analyze(net, PARAMS, {"x": INPUTS["x"]})
    np.testing.assert_allclose(found.operator, np.log(0.5) * np.arange(7))
    assert found.spectrum().dead == 0 and found.bounds.limit == 0.5 and found.paths and str(found)
    with pytest.raises(InputError, match="there is no loss, hence no gradient to add up; add a line such as L ="):
        found.contributions("U")
    assert {r.name for r in found.remedies()} == {"gain", "orthogonal initialisation"}


def test_a_run_that_overflows_is_named():
    net = Recurrence.parse("h[t] = relu(W @ x[t] + U @ h[t-1])\nL = sum(h[T])")
    with pytest.raises(InputError, match=r"h is no finite number at step \d+: the run itself leaves the range"):
        rd.analyze(net, {"W": np.ones((2, 1)), "U": 10 * np.eye(2)}, {"x": np.ones((500, 1))})
