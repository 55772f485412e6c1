"""Combinators work on any recurrence with a loop, and on each other's results."""

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings

from rnnderive.cells import (
    LIBRARY,
    bidirectional,
    dense,
    gru,
    lecture,
    loss,
    lstm,
    peephole_lstm,
    readout,
    stack,
    vanilla,
)
from rnnderive.errors import InputError
from rnnderive.language import Floats, Recurrence, Run
from tests.strategies import sizes_of, texts, values_of

LOOPS = [n for n in LIBRARY if n != "dense"]
CORE = "h[t] = tanh(U @ h[t-1] + W @ x[t])"


def core(text=CORE):
    return Recurrence.parse(text, loss=None)


def run(net, T=3):
    return Run(net, Floats(sizes_of(net)), values_of(net, T), T)


@pytest.mark.parametrize("name", LOOPS)
def test_every_combination_of_every_cell_parses_and_runs(name):
    cell = LIBRARY[name]()
    for net in (
        stack(cell),
        bidirectional(cell),
        stack(bidirectional(cell)),
        bidirectional(stack(cell)),
        loss(readout(stack(cell), None), "cross_entropy", at="last"),
    ):
        assert Recurrence.parse(str(net), loss=net.loss) == net
        assert np.isfinite(run(net)["L"]).all()


@pytest.mark.parametrize("name", LOOPS)
def test_a_stack_of_one_layer_is_the_cell_with_other_names(name):
    cell = LIBRARY[name]()
    one = stack(cell, 1)
    assert len(one.equations) == len(cell.equations)
    sizes = sizes_of(cell)
    values = values_of(cell, 3)
    moved = {f"{n}_1" if f"{n}_1" in one.leaves else n: v for n, v in values.items() if n not in cell.initial_states}
    moved |= {f"{n[:-1]}_10": values[n] for n in cell.initial_states}
    other = {}
    for n, v in moved.items():
        for s, extent in zip(one.shape(n), (v[0] if isinstance(v, list) else v).shape, strict=True):
            other |= {s: extent} if s.is_Symbol else {}
    assert Run(one, Floats(other), moved, 3)["L"] == Run(cell, Floats(sizes), values, 3)["L"]


def test_row_13_of_the_lecture():
    assert str(bidirectional(vanilla("sigmoid"))).split("\n")[:4] == [
        "h_L[t] = sigmoid(W_L @ x[t] + U_L @ h_L[t-1] + b_h_L)",
        "h_R[t] = sigmoid(W_R @ x[t] + U_R @ h_R[t+1] + b_h_R)",
        "h[t] = [h_L[t], h_R[t]]",
        "y[t] = sigmoid(V @ h[t] + b_y)",
    ]


MIRRORED = """
    g[t] = tanh(U @ h[t-2] + W @ x[t-1] + V @ x[1] + (R @ x[2] if t >= 3 else 0) + (Q @ x[T-1] if 2 > t else 0))
    h[t] = g[t] * h[t-1] + mean(x[t], t)[0:1] * g[t] + (x[t][0:1] * h[t-2] if t == T else 0)
"""


def test_the_right_half_is_the_left_half_of_the_mirrored_input():
    """With the same parameters, h_R on x backwards is h_L on x, backwards."""
    net = loss(readout(bidirectional(core(MIRRORED))))
    values = values_of(net, 5)
    sizes = dict.fromkeys(net.sizes, 2)
    rng = np.random.default_rng(0)
    values["x"] = [rng.normal(size=(2, 1)) for _ in range(5)]
    for n in (*net.parameters, *net.initial_states):
        values[n] = rng.normal(size=tuple(int(d.subs(sizes)) for d in net.shape(n)))
    values["target"] = rng.normal(size=(2, 1))
    for n in [*net.parameters, *net.initial_states]:
        if "_R" in n:
            values[n] = values[n.replace("_R", "_L")]
    there = Run(net, Floats(sizes), values, 5)
    back = Run(net, Floats(sizes), {**values, "x": values["x"][::-1]}, 5)
    assert np.allclose(there["h_R"], back["h_L"][::-1], rtol=0, atol=1e-15)
    assert not np.allclose(there["h_R"], there["h_L"])


def test_ten_layers_do_not_take_a_state_for_the_initial_state_of_another():
    net = stack(vanilla(), 12)
    assert {"h_01", "h_10", "h_12"} <= set(net.sequences)
    assert not set(net.initial_states) & set(net.sequences)


def test_the_head_keeps_its_names_and_reads_the_top():
    net = stack(lecture(), 3)
    assert str(net["y"]) == "y[t] = sigmoid(V @ h_3[t] + b_y)"
    assert [str(net[n]) for n in ("y_hat", "L")] == [str(lecture()[n]) for n in ("y_hat", "L")]


def test_sizes_initial_states_and_declared_inputs_are_renamed_with_their_sequences():
    net = stack(
        Recurrence.parse("""
        c: input
        h0   = tanh(W_0 @ c)
        g[t] = W @ [h[t-1], x[t]]
        C[t] = sigmoid(g[t][0:size(C)]) * C[t-1]
        h[t] = tanh(g[t][size(C):size(C) + size(C)]) * C[t]
        L    = sum(h[T]) + size(C) * sum(h0)
    """)
    )
    assert net.inputs == ("c", "x")
    assert str(net["h_10"]) == "h_10 = tanh(W_0_1 @ c)"
    assert str(net["h_2"]) == "h_2[t] = tanh(g_2[t][size(h_2):2 * size(h_2)]) * C_2[t]"
    assert str(net["L"]) == "L = sum(h_2[T]) + size(h_2) * sum(h_20)"


def test_a_core_without_a_head_is_given_one():
    net = loss(readout(stack(bidirectional(core())), "softmax", "p", "V"), "log_loss", "every", "word")
    assert str(net).split("\n")[-2:] == ["p[t] = softmax(V @ h_2[t] + b_p)", "L = sum(log_loss(p[t], word[t]), t)"]


def test_a_core_that_ends_nowhere_ends_in_the_last_sequence_of_its_loop():
    net = readout(core("C[t] = C[t-1] + x[t] + h[t-1]\nh[t] = tanh(C[t])"), None)
    assert str(net["y"]) == "y[t] = W_y @ h[t] + b_y"


def test_a_readout_takes_the_place_of_the_one_there_is():
    assert readout(vanilla(), "sigmoid", weights="V") == vanilla()
    assert str(readout(lstm(), "tanh", "o_t")["L"]) == "L = squared_error(o_t[T], target)"
    assert "y" not in readout(lstm(), "tanh", "o_t")
    assert str(readout(peephole_lstm(), None)["y_hat"]) == "y_hat[t] = W_y_hat @ y[t] + b_y_hat"
    between = readout(Recurrence.parse(CORE + "\nL = squared_error(h[T], target)"))
    assert str(between["L"]) == "L = squared_error(y[T], target)"


def test_a_loss_takes_the_place_of_the_one_there_is():
    assert loss(vanilla()) == vanilla()
    assert loss(loss(gru(), "log_loss", "every"), "squared_error", "last") == gru()
    assert str(loss(lecture(), "log_loss")["L"]) == "L = log_loss(y_hat, target)"
    parts = Recurrence.parse(CORE + "\ne[t] = squared_error(h[t], z[t])\nM = sum(e[t], t)\nreturn M")
    assert str(loss(parts, "cross_entropy")).endswith("M = cross_entropy(h[T], target)")
    assert loss(parts, "cross_entropy").loss == "M"
    assert "e" not in loss(parts, "cross_entropy")


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: stack(dense()), "there is no loop over t here"),
        (lambda: bidirectional(dense()), "there is no loop over t here"),
        (lambda: readout(dense()), "there is no loop over t here"),
        (lambda: stack(core("h[t] = tanh(U @ h[t-1] + W @ x[t] + V @ u[t])")), "reads one input sequence; found u, x"),
        (lambda: stack(core("h[t] = tanh(U @ h[t-1])")), "reads one input sequence; found none"),
        (lambda: stack(vanilla(), 0), "expected 1 to 100 layers, found 0"),
        (lambda: stack(vanilla(), 1.5), "expected 1 to 100 layers, found 1.5"),
        (lambda: stack(core(CORE + "\ng[t] = g[t-1] + x[t]")), "several sequences leave the core"),
        (
            lambda: stack(Recurrence.parse("h[t] = h[t-1] * C[t-1]\nC[t] = h[t] + x[t]\nL = sum(h[T]) + sum(C[T])")),
            "the head reads several sequences of the core: h, C. Give them one name, as in s[t] = [h[t], C[t]]",
        ),
        (
            lambda: bidirectional(Recurrence.parse(CORE + "\nL = squared_error(W.T @ h[T], target)")),
            "the core and the head share W",
        ),
        (lambda: readout(peephole_lstm(), name="y"), "the name y is taken here"),
        (lambda: readout(lstm(), weights="W_f"), "the name W_f is taken here"),
        (lambda: readout(lstm(), name="1"), "expected a name, found '1'"),
        (lambda: readout(lstm(), "tahn"), "unknown activation"),
        (
            lambda: readout(Recurrence.parse(CORE + "\ny[t] = h[t]\nz[t] = 2 * h[t]\nL = sum(y[T] * z[T])")),
            "several layers",
        ),
        (lambda: readout(lstm(), name="sum"), "is a word of the language"),
        (lambda: loss(lstm(), "hinge"), "unknown loss 'hinge'; known: squared_error"),
        (lambda: loss(lstm(), at="first"), "found at='first', expected 'last' or 'every'"),
        (lambda: loss(lecture(), at="every"), "y_hat has no time index"),
        (lambda: loss(lstm(), target="x"), None),
        (lambda: loss(core(CORE + "\ny[t] = h[t]\nz[t] = h[t]")), "expected one prediction with a name, found y, z"),
    ],
)
def test_what_cannot_be_combined_is_refused_with_the_reason(make, said):
    with pytest.raises(InputError) as caught:
        make()
    assert (said or "the name x is taken") in str(caught.value)


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(texts(kinks=True))
def test_random_recurrences_are_combined_or_refused_with_a_reason(text):
    cell = Recurrence.parse(text)
    for combine in (stack, bidirectional, lambda c: stack(bidirectional(c))):
        try:
            net = combine(cell)
        except InputError as error:
            assert "do not fit" not in str(error)
            continue
        assert Recurrence.parse(str(net), loss=net.loss) == net
        assert len([s for s in net.schedule if s.direction != "all"]) >= 2
