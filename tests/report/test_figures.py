"""Figures show every read of a network, with glyphs for all their signs."""

from __future__ import annotations

import io
import logging
from typing import Any

import numpy as np
import pytest

from rnnderive import cells
from rnnderive import report as rp
from rnnderive.errors import InputError
from rnnderive.language import FUNCTIONS, Recurrence
from rnnderive.printing.style import style
from rnnderive.report.figures import Arrow, drift_over_time, unroll


def drawn(figure: Any) -> bytes:
    data = io.BytesIO()
    with style():
        figure.savefig(data, format="svg", metadata={"Date": None})
    return data.getvalue()


def makers() -> dict[str, Any]:
    return {
        **{name: (lambda name=name: rp.unrolled_graph(cells.load(name))) for name in cells.LIBRARY},
        "activations": lambda: rp.activation_curves(["sigmoid", "tanh", "relu", "gelu"]),
        "norms": lambda: rp.norms_against_distance({"σ": [0, -1, -np.inf], "Человек": [0, 1, 2]}),
        "drift": lambda: drift_over_time({"relu": np.arange(15).reshape(5, 3)}),
    }


@pytest.mark.parametrize("name", makers())
def test_figures_are_the_same_every_time_and_miss_no_glyph(
    name: str, caplog: pytest.LogCaptureFixture, recwarn: pytest.WarningsRecorder
) -> None:
    with caplog.at_level(logging.WARNING):
        one, two = drawn(makers()[name]()), drawn(makers()[name]())
    assert one == two
    assert not caplog.records
    assert not [w for w in recwarn if "missing" in str(w.message).lower()]


@pytest.mark.parametrize("name", makers())
def test_figures_are_as_wide_as_the_text(name: str) -> None:
    assert makers()[name]().get_size_inches()[0] * 2.54 == pytest.approx(16)


def test_arrows_of_a_vanilla_net() -> None:
    graph = unroll(cells.vanilla(), 2)
    assert set(graph.arrows) == {
        Arrow(("x", 1), ("h", 1)), Arrow(("h", 0), ("h", 1)), Arrow(("x", 2), ("h", 2)), Arrow(("h", 1), ("h", 2)),
        Arrow(("h", 1), ("y", 1)), Arrow(("h", 2), ("y", 2)), Arrow(("y", 2), ("L", 0)),
    }  # fmt: skip


def test_hidden_gates_pass_their_reads_on() -> None:
    graph = unroll(cells.lstm(), 2)
    assert graph.kept == ("C", "h", "y")
    assert {a.source for a in graph.arrows if a.target == ("C", 2)} == {("x", 2), ("h", 1), ("C", 1)}


def test_the_right_to_left_state_is_read_from_the_future() -> None:
    graph = unroll(cells.bidirectional_rnn(), 2)
    assert Arrow(("h_R", 2), ("h_R", 1)) in graph.arrows
    assert Arrow(("h_R", 3), ("h_R", 2)) in graph.arrows


def test_a_loss_at_every_step_is_read_from_every_step() -> None:
    net = Recurrence.parse("h[t] = tanh(W @ x[t] + U @ h[t-1])\nL = sum(squared_error(h[t], z[t]), t)")
    assert {a.source for a in unroll(net, 3).arrows if a.target == ("L", 0)} == {("h", 1), ("h", 2), ("h", 3)}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_every_elementwise_function_can_be_drawn(name: str) -> None:
    assert drawn(rp.activation_curves([name]))


def test_an_unknown_activation_is_named() -> None:
    with pytest.raises(InputError, match="swish"):
        rp.activation_curves(["swish"])
