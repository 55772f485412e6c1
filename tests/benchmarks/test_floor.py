"""The floor counts what a recurrence cannot do without."""

import pytest

from benchmarks.floor import Factor, factors, floor, functions
from benchmarks.work import Size, Work

T, B, d, n = Size(3, 2, 5, 7)


@pytest.fixture(autouse=True)
def no_clock(monkeypatch):
    """Every call takes a second: what is counted is tested, not how fast this machine is."""
    monkeypatch.setattr("benchmarks.floor.fastest", lambda call: 1.0)


def net(name):
    work = Work(name, Size(T, B, d, n))
    return work.of.equations, work.sizes


def test_gates_of_an_lstm_are_one_product_and_only_the_state_is_pulled_back():
    # [h, x] under the four gates; h waits for the loop, x does not and gets no gradient. Then V h.
    assert factors(*net("lstm")) == [
        Factor(4 * n, ((n, True, True), (d, False, False))),
        Factor(d, ((n, False, True),)),
    ]


def test_candidate_of_a_gru_is_a_product_of_its_own():
    found = factors(*net("gru"))
    assert found[0] == Factor(2 * n, ((n, True, True), (d, False, False)))
    assert found[1] == Factor(n, ((n, True, True), (d, False, False)))


def test_second_layer_pulls_back_through_its_input():
    both = [f for f in factors(*net("lstm2")) if f.rows == 4 * n]
    assert both[1] == Factor(4 * n, ((n, True, True), (n, False, True)))


def test_operations_of_a_simple_network_are_those_of_its_formulas():
    # W x twice (no gradient in x), U h and V h three times.
    expected = 2 * T * B * (2 * n * d + 3 * n * n + 3 * d * n)
    assert floor(*net("rnn"), T, B, "float64").flops == expected


def test_functions_are_counted_by_entry():
    assert functions(*net("lstm")) == {"sigmoid": 3 * n, "tanh": 2 * n}
    assert floor(*net("bilstm"), T, B, "float64").elements == 2 * 5 * n * T * B


def test_two_threads_divide_the_floor():
    one, two = (floor(*net("gru"), T, B, "float64", threads) for threads in (1, 2))
    assert two.seconds == pytest.approx(one.seconds / 2)
