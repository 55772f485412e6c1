"""Strongly connected components give the order, the loops and their directions."""

import pytest
from hypothesis import HealthCheck, given, settings

from rnnderive.cells import bidirectional, dense, gru, lstm, mingru, stack, vanilla
from rnnderive.errors import ScheduleError
from rnnderive.language import Recurrence
from tests.strategies import texts


def loops(net):
    return [(s.names, s.direction) for s in net.schedule if s.direction != "all"]


def stage_of(net, name):
    return next(s for s in net.schedule if name in s.names)


def test_the_lstm_is_one_forward_loop_with_its_gates_before_its_state():
    assert loops(lstm()) == [(("f", "i", "C_add", "C", "o", "h"), "forward")]


def test_the_readout_is_computed_for_all_t_at_once():
    for net in (lstm(), gru(), vanilla(), stack(vanilla()), bidirectional(gru())):
        assert stage_of(net, "y").direction == "all"


def test_a_dense_layer_has_no_loop():
    assert loops(dense()) == []


def test_what_does_not_read_the_state_leaves_the_loop():
    assert loops(mingru()) == [(("h",), "forward")]
    assert [s.names[0] for s in mingru().schedule[:2]] == ["z", "h_tilde"]


def test_a_bidirectional_net_has_one_loop_each_way():
    assert loops(bidirectional(vanilla())) == [(("h_L",), "forward"), (("h_R",), "backward")]


def test_a_stack_has_a_loop_a_layer_in_order():
    net = stack(lstm(), 3)
    assert [d for _, d in loops(net)] == ["forward"] * 3
    assert [names[-1] for names, _ in loops(net)] == ["h_1", "h_2", "h_3"]


def test_a_feedback_through_two_layers_is_one_loop():
    net = Recurrence.parse("a[t] = tanh(U @ b[t-1] + x[t])\nb[t] = tanh(V @ a[t])\nL = sum(b[T])")
    assert loops(net) == [(("a", "b"), "forward")]


def test_the_order_in_a_loop_follows_reads_at_the_same_time_not_the_text():
    net = Recurrence.parse("h[t] = tanh(g[t])\ng[t] = U @ h[t-1]\nL = sum(h[T])")
    assert loops(net) == [(("g", "h"), "forward")]


def test_reading_ahead_without_a_cycle_is_no_loop():
    net = Recurrence.parse("y[t] = x[t-1] + x[t+1]\nz[t] = y[t+1] + y[T] + y[1]\nL = sum(z[T])")
    assert loops(net) == []


def test_a_computed_initial_state_comes_before_its_loop():
    net = Recurrence.parse("h[t] = tanh(U @ h[t-1])\nh0 = W @ c\nL = sum(h[T])")
    order = [n for s in net.schedule for n in s.names]
    assert order.index("h0") < order.index("h")


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(texts())
def test_a_stage_reads_only_what_earlier_stages_or_its_own_loop_computed(text):
    net = Recurrence.parse(text)
    done = set()
    for stage in net.schedule:
        for name in stage.names:
            for read in net.reads(name):
                if read.name not in net or read.name in done:
                    continue
                assert read.name in stage.names
                assert not read.whole
                if read.lag != 0:
                    assert stage.direction == ("forward" if read.lag > 0 else "backward")
            before = stage.names[: stage.names.index(name)]
            now = {r.name for r in net.reads(name) if r.lag == 0 and r.name in stage.names}
            assert now <= set(before)
        done |= set(stage.names)


@pytest.mark.parametrize(
    ("text", "cycle"),
    [
        ("h[t] = tanh(U @ h[t] + x[t])\nL = sum(h[T])", "h → h"),
        ("h[t] = tanh(g[t])\ng[t] = U @ h[t]\nL = sum(h[T])", "h → g → h"),
        # In this order each reads the next.
        ("c[t] = a[t]\na[t] = b[t]\nb[t] = tanh(c[t] + a[t-1])\nL = sum(a[T])", "c → a → b → c"),
    ],
)
def test_an_algebraic_loop_is_named(text, cycle):
    with pytest.raises(ScheduleError, match=f"algebraic loop: {cycle} at the same time"):
        Recurrence.parse(text)


@pytest.mark.parametrize(
    ("text", "cycle"),
    [
        ("h[t] = U @ h[t-1] + V @ h[t+1]\nL = sum(h[T])", "h → h"),
        ("h[t] = U @ g[t-1]\ng[t] = V @ h[t+1]\nL = sum(h[T])", "g → h → g"),
    ],
)
def test_a_cycle_both_ways_in_time_is_named(text, cycle):
    with pytest.raises(ScheduleError, match=f"the cycle {cycle} runs both ways in time"):
        Recurrence.parse(text)


@pytest.mark.parametrize(
    "right", ["U @ h[T] + x[t]", "U @ sum(h[t], t) + x[t]", "U @ m + x[t] + h[t-1]", "U @ h[1] + h[t-1]"]
)
def test_a_sequence_that_needs_all_of_itself_is_refused(right):
    with pytest.raises(ScheduleError, match=r"needs itself: the cycle .*(h|m) → .*"):
        Recurrence.parse(f"h[t] = {right}\nm = mean(h[t], t)\nL = sum(h[T])")
