"""A batch that threads share: the same numbers, the same bits each time, and BLAS as it was."""

from __future__ import annotations

import threading
from typing import Any

import numpy as np
import pytest
from threadpoolctl import threadpool_info, threadpool_limits

from rnnderive import InputError, Recurrence, cells, derive
from rnnderive.programs.threads import in_threads, one_blas_thread
from tests.programs.test_calls import arrays

NETS = ["lstm", "bidirectional_rnn", "stacked_lstm"]


@pytest.mark.parametrize("threads, batch", [(2, 5), (3, 3), (8, 3), (2, 1), (2, None)])
@pytest.mark.parametrize("name", NETS)
def test_the_parts_of_a_batch_add_up(name: str, threads: int, batch: int | None) -> None:
    net = cells.loss(cells.LIBRARY[name](), at="every")
    params, inputs = arrays(net, batch=batch)
    d = derive(net, [*net.parameters, *net.initial_states, "x"])
    loss, grads = d.lambdify()(params, inputs)
    shared, parts = d.lambdify(threads=threads)(params, inputs)
    assert shared == pytest.approx(loss, rel=1e-13)
    for n, g in grads.items():
        assert parts[n].shape == g.shape and parts[n].dtype == g.dtype
        np.testing.assert_allclose(parts[n], g, rtol=1e-11, atol=1e-13)


def test_a_shared_initial_state_has_one_gradient() -> None:
    net = cells.vanilla()
    params, inputs = arrays(net, batch=5)
    params["h0"] = inputs.pop("h0")[0]
    d = derive(net)
    np.testing.assert_allclose(d.lambdify(threads=2)(params, inputs)[1]["h0"], d.lambdify()(params, inputs)[1]["h0"])


def test_the_same_bits_for_the_same_number_also_when_calls_overlap() -> None:
    net = cells.lstm()
    params, inputs = arrays(net, T=6, batch=7)
    f = derive(net).lambdify(threads=3)
    loss, grads = f(params, inputs)
    found: list[Any] = []
    calls = [threading.Thread(target=lambda: found.append(f(params, inputs))) for _ in range(8)]
    for c in calls:
        c.start()
    for c in calls:
        c.join()
    assert len(found) == 8
    for again, table in found:
        assert again == loss
        for n, g in grads.items():
            np.testing.assert_array_equal(table[n], g)


def blas() -> list[int]:
    return [lib["num_threads"] for lib in threadpool_info() if lib["user_api"] == "blas"]


def test_blas_is_at_one_thread_until_the_last_has_left() -> None:
    with threadpool_limits(2, "blas"):
        first, second = one_blas_thread(), one_blas_thread()
        first.__enter__()
        second.__enter__()
        first.__exit__(None, None, None)
        assert set(blas()) == {1}
        second.__exit__(None, None, None)
        assert set(blas()) == {2}


def test_what_a_part_raises_is_raised_once_all_have_ended() -> None:
    net = cells.vanilla()
    params, inputs = arrays(net, batch=4)
    f = derive(net).lambdify(threads=4)
    checked = f.preparation(params, inputs)
    ended = []

    def failing(part: Any) -> Any:
        first = part.inputs["x"][0, 0, 0]
        if first != checked.inputs["x"][0, 0, 0]:
            ended.append(first)
        raise ValueError("no" if first == checked.inputs["x"][0, 2, 0] else "never mind")

    with threadpool_limits(2, "blas"):
        with pytest.raises(ValueError, match="never mind"):
            in_threads(failing, net, checked, 4)
        assert len(ended) == 3
        assert set(blas()) == {2}


def test_the_callers_errstate_holds_in_every_thread() -> None:
    f = derive("s[t] = exp(a * s[t-1] + x[t])\nL = sum(s[T])").lambdify(threads=2)
    x = np.zeros((1, 2, 1))
    x[0, 1] = 1e4
    with np.errstate(all="raise"), pytest.raises(FloatingPointError):
        f({"a": np.ones(1)}, {"x": x})


@pytest.mark.parametrize("threads", [0, -1, 1.0, True, "2"])
def test_a_number_of_threads_is_an_integer_from_one(threads: Any) -> None:
    with pytest.raises(InputError, match="number of threads"):
        derive(cells.vanilla()).lambdify(threads=threads)


def test_a_mean_over_the_batch_is_refused() -> None:
    net = Recurrence.parse("h[t] = U @ h[t-1] + x[t]\nL = mean(sum(h[T]), batch)")
    with pytest.raises(InputError, match="joins the members"):
        derive(net).lambdify(threads=2)
