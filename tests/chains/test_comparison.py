"""Comparisons: what differs is what is compared, and nothing else."""

from __future__ import annotations

import csv
import io

import numpy as np
import pytest

import rnnderive as rd
from rnnderive import InputError
from rnnderive.chains.analysis import analyze
from rnnderive.chains.comparison import Setup, activations, compare, initialisers

RNG = np.random.default_rng(0)
INPUTS = {"x": RNG.normal(size=(60, 3)), "target": np.zeros(2)}


def test_each_row_is_the_analysis_of_that_network_alone() -> None:
    found = compare(["rnn", "gru"], INPUTS, sizes={"h": 8}, seed=3)
    for row in found.rows():
        net = rd.cells.load(row["label"])
        alone = analyze(net, rd.weights.initialise(net, 3, sizes={"h": 8}, inputs=INPUTS), INPUTS)
        assert row["rate"] == alone.verdict.rate.value and row["kind"] == alone.verdict.kind
        assert row["memory"] == alone.verdict.memory and row["bound"] == alone.bounds.limit
        assert row["gates"] == {g.name: g.mean for g in alone.gates}


def test_all_networks_have_the_input_and_the_sizes_in_common() -> None:
    found = compare(["rnn", "lstm", "peephole_lstm"], INPUTS, sizes={"h": 8})
    assert [a.trace.course.extent(a.trace.chain.net.leaf(a.states[0])) for a in found.analyses.values()] == [(8,)] * 3
    assert all(np.array_equal(a.trace.course["x"], INPUTS["x"]) for a in found.analyses.values())


def test_activations_of_one_cell_share_their_weights() -> None:
    found = compare(activations("rnn", ["tanh", "sigmoid", "identity"]), INPUTS, sizes={"h": 8})
    first, *others = (a.trace.course.params for a in found.analyses.values())
    assert all(np.array_equal(first[n], other[n]) for other in others for n in first)
    rates = {row["label"]: row["rate"] for row in found.rows()}
    assert abs(rates["identity"]) < 1e-12  # U is orthogonal
    assert rates["sigmoid"] < np.log(1 / 4) < rates["tanh"] < 0


def test_an_activation_replaces_every_function_of_the_cell_but_gates() -> None:
    net = activations("lstm", ["relu"])["relu"]
    assert str(net) == str(rd.cells.lstm()).replace("tanh", "relu")
    assert str(activations(rd.cells.lecture(), ["tanh"])["tanh"]["h"]).startswith("h[t] = tanh(")
    assert activations("lecture", ["tanh"])["tanh"]["y"] == rd.cells.lecture()["y"]
    inline = "s[t] = sigmoid(W @ x[t]) * s[t-1] + tanh(V @ x[t])\nL = sum(s[T])"
    assert "sigmoid(W @ x[t])" in str(activations(inline, ["relu"])["relu"])
    assert activations("rnn", ["tanh"])["tanh"] == rd.cells.vanilla()


def test_initialisers_of_one_cell_are_schemes_recurrent_weights_or_roles() -> None:
    setups = initialisers("lstm", ["chrono(horizon=50)", "orthogonal(gain=2)"])
    assert setups["chrono(horizon=50)"].scheme == "chrono(horizon=50)"
    assert setups["orthogonal(gain=2)"].roles == {"recurrent": "orthogonal(gain=2)"}
    found = compare(initialisers("lstm", {"0": {"forget_bias": 0}, "5": {"forget_bias": 5}}), INPUTS, sizes={"h": 8})
    low, high = (row["gates"]["f"] for row in found.rows())
    assert abs(low - 0.5) < 0.1 and high > 0.98
    assert found["0"].verdict.rate.value < found["5"].verdict.rate.value


def test_weights_may_be_given_and_networks_are_recurrences_text_or_names() -> None:
    text = "h[t] = tanh(W @ x[t] + U @ h[t-1])\nL = squared_error(h[T], target)"
    params = {"W": np.zeros((2, 3)), "U": 0.5 * np.eye(2)}
    nets = {"text": text, "net": rd.Recurrence.parse(text), "setup": Setup(rd.Recurrence.parse(text), params=params)}
    found = compare(nets, {**INPUTS, "target": np.ones(2)}, params={"text": params, "net": params})
    assert [row["rate"] for row in found.rows()] == pytest.approx([np.log(0.5)] * 3, rel=1e-9)
    assert "weights given: text, net, setup" in found.setting and "seed" not in found.setting


def test_the_table_says_what_was_compared() -> None:
    found = compare(["rnn", "lstm"], {**INPUTS, "x": 0 * INPUTS["x"]}, sizes={"h": 8}, seed=7)
    text = str(found)
    assert found.setting == "60 steps of x (3), the same for all; h 8; weights: glorot, seed 7"
    assert text.startswith(found.setting) and "vanishing" in text and "f 0.500" in text
    assert "> 60" in text.splitlines()[3] and "none" in text.splitlines()[4]  # the rnn at rest is orthogonal
    rows = list(csv.DictReader(io.StringIO(found.to_csv())))
    assert float(rows[1]["rate"]) == found["lstm"].verdict.rate.value
    html = found._repr_html_()
    assert html.count("<tr>") == 3 and "<svg" in html
    assert initialisers("rnn", ["glorot"])["glorot"].net == rd.cells.vanilla()


def test_labels_are_told_as_they_are() -> None:
    found = compare({"<b> $x$": rd.cells.vanilla()}, INPUTS, sizes={"h": 4})
    assert "<b>" not in found._repr_html_().split("<svg")[0]
    assert found.plot.norms().get_legend_handles_labels()[1] == [r"<b> \$x\$"]


def test_figures_draw_what_was_measured() -> None:
    found = compare(["rnn", "gru"], INPUTS, sizes={"h": 6})
    for of, values in (("chain", lambda a: a.operator), ("gradient", lambda a: a.gradient - a.gradient[0])):
        lines = found.plot.norms(of=of).get_lines()
        for line, a in zip(lines, found.analyses.values(), strict=True):
            assert np.allclose(line.get_ydata(), values(a) / np.log(10))
    drift = found.plot.drift().get_lines()[1].get_ydata()
    assert np.allclose(drift, np.linalg.norm(found["gru"].trace.course["h"], axis=1) / np.sqrt(6))
    ax = found.plot.verdicts()
    assert [t.get_text() for t in ax.get_yticklabels()] == ["rnn", "gru"]
    assert [t.get_text() for t in ax.texts] == [row["kind"] for row in found.rows()]


def test_figures_have_the_same_bytes_each_time() -> None:
    first, second = (compare(["rnn"], INPUTS, sizes={"h": 4}) for _ in range(2))
    for name in ("norms", "drift", "verdicts"):
        assert first.plot.svg(name) == second.plot.svg(name)


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (lambda: compare([], INPUTS), "no network to compare"),
        (lambda: compare("rnn", INPUTS), "expected a list"),
        (lambda: compare(rd.cells.vanilla(), INPUTS), "found one network"),  # type: ignore[arg-type]
        (lambda: compare({"a": 3}, INPUTS), "a: found int"),  # type: ignore[dict-item]
        (lambda: compare([3], INPUTS), "found 3 in the list"),  # type: ignore[list-item]
        (lambda: compare(["rnm"], INPUTS, sizes={"h": 2}), "did you mean rnn"),
        (lambda: compare(["rnn"], INPUTS), "rnn: .*give the sizes {'h'"),
        (lambda: compare(["rnn"], [1.0], sizes={"h": 2}), "expected a dict of arrays"),  # type: ignore[arg-type]
        (lambda: compare(["rnn"], {**INPUTS, "z": 1.0}, sizes={"h": 2}), "no network here reads z"),
        (lambda: compare(["rnn"], INPUTS, sizes={"h": 2}, params={"lstm": {}}), "weights for 'lstm'"),
        (lambda: compare(["rnn"], INPUTS, sizes={"h": 2}, scheme="glorod"), "did you mean glorot"),
        (lambda: compare(["dense"], INPUTS), "dense: there is no chain"),
        (lambda: compare(["rnn"], INPUTS, params={"rnn": {"W": np.ones((2, 3))}}), "rnn: "),
        (lambda: compare(["rnn"], INPUTS, sizes={"h": 2})["lstm"], "no 'lstm' in this comparison"),
        (lambda: compare(["rnn"], INPUTS, sizes={"h": 2}).plot.norms(of="loss"), "'chain' or 'gradient'"),  # type: ignore[arg-type]
        (lambda: activations("rnn", ["tanhh"]), "unknown activation 'tanhh'"),
        (lambda: activations("rnn", "tanh"), "expected a list"),
        (lambda: activations("s[t] = A @ s[t-1]\nL = sum(s[T])", ["tanh"]), "no activation besides its gates"),
        (lambda: initialisers("rnn", ["orthogonol"]), "unknown scheme or initialiser"),
        (lambda: compare(initialisers("rnn", {"a": {"forget_bias": 1}}), INPUTS, sizes={"h": 2}), "a: no parameter"),
    ],
)
def test_bad_input_gets_a_clear_error(wrong: object, words: str) -> None:
    with pytest.raises(InputError, match=words):
        wrong()  # type: ignore[operator]
