"""Every network climbs the whole ladder; the table says what was done, and what failed."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

import rnnderive as rd
from rnnderive.calculus import rules
from rnnderive.checks import RUNGS, Ladder, Point, Rung, check, comparison, differences, duality, point
from tests.checks.nets import NAMES, TEXTS, network


@pytest.mark.parametrize("name", NAMES)
def test_every_rung_holds_for_every_network(name: str) -> None:
    ladder = check(network(name))
    assert ladder, f"\n{ladder}"
    left_out = [r for r in ladder if r.ok is None]
    assert not left_out, f"\n{ladder}"
    assert ladder["calculus"].note.endswith("multiplied out node by node")  # nothing is left to the field


@pytest.mark.parametrize("steps", [1, 2, 3, 9])
@pytest.mark.parametrize("name", ["lstm", "loss at every step", "two lags", "input at a lag"])
def test_truncated_gradients_are_compared_with_what_can_be_compared(name: str, steps: int) -> None:
    d = rd.derive(network(name), truncate=steps)
    ladder = check(d, rungs=["identity", "complex", "truncation"])
    assert ladder, f"\n{ladder}"
    assert ladder["truncated gradient"].ok
    assert ladder["truncation after T"].ok
    assert ladder["gradient"].ok is None
    assert "truncated" in ladder["gradient"].note
    assert ladder["adjoint"].note == "the whole derivation, before it is truncated"


def test_truncation_of_loops_in_both_directions_is_left_out_with_a_reason() -> None:
    d = rd.derive(rd.cells.bidirectional_rnn(), truncate=2)
    row = check(d, rungs="truncation")["truncated gradient"]
    assert row.ok is None
    assert "directions" in row.note


@pytest.mark.parametrize(
    ("entry", "found", "good"),
    [
        (1.0, 1 + 2e-13, True),
        (1.0, 1 + 2e-12, False),  # 1e-12 of the largest
        (1e-5, 1e-5 * (1 + 5e-10), True),
        (1e-5, 1e-5 * (1 + 1e-8), False),  # 1e-9 of itself
        (0.0, 5e-15, True),  # rounding of the largest
        (0.0, 5e-14, False),
        (1e-5, np.nan, False),
    ],
)
def test_an_entry_is_held_to_the_largest_and_to_itself(entry: float, found: float, good: bool) -> None:
    result = comparison.disagreement([1.0, found], [1.0, entry])
    assert (result.bad is None) is good


def test_rounding_is_zero_only_within_what_is_far_larger() -> None:
    assert comparison.disagreement([1e-16], [2e-16], within=1.0).bad is None
    assert comparison.disagreement([1e-16], [2e-16]).bad == (0,)
    assert comparison.disagreement([1e-10], [2e-16], within=1.0).bad == (0,)


def test_a_different_seed_is_a_different_point() -> None:
    a, b = (check(rd.cells.vanilla(), seed=s, rungs="complex") for s in (0, 1))
    assert a and b
    assert a["gradient"].error != b["gradient"].error


def test_derivations_recurrences_and_texts_are_accepted() -> None:
    text = TEXTS["loss at every step"]
    net = rd.Recurrence.parse(text)
    for one in (text, net, rd.derive(net), rd.derive(net, ["U"]), rd.derive(net, ["x", "h0"])):
        assert check(one, rungs=["identity", "complex", "rtrl"])


def test_an_unknown_rung_names_those_there_are() -> None:
    with pytest.raises(rd.InputError, match="complex"):
        check(rd.cells.vanilla(), rungs=["complecks"])


def test_the_table_is_plain_aligned_and_iterable() -> None:
    ladder = check(rd.cells.vanilla(), rungs=["identity", "complex"])
    lines = str(ladder).splitlines()
    assert len(lines) == 1 + len(ladder) == 1 + len(list(ladder))
    start = lines[0].index("method")
    assert all(line[start - 1] == " " and line[start] != " " for line in lines)
    assert ladder._repr_html_().count("<tr>") == len(lines)


def test_progress_prints_each_row_as_it_is_done(capsys: pytest.CaptureFixture[str]) -> None:
    ladder = check(rd.cells.vanilla(), rungs=["identity", "complex"], progress=True)
    assert len(capsys.readouterr().err.splitlines()) == len(ladder)


def test_a_failure_names_array_entry_and_values(monkeypatch: pytest.MonkeyPatch) -> None:
    good = rules.FUNCTIONS["tanh"]
    monkeypatch.setitem(rules.FUNCTIONS, "tanh", replace(good, slope=lambda x, y: 1 + y**2))
    ladder = check(rd.cells.vanilla(), rungs=["complex", "contributions", "differences"])
    assert not ladder
    assert len(ladder.failures) == 4
    assert ladder["gradient"].note.startswith("dW[0, 0]: found ")
    assert ladder["contributions of steps"].note.startswith("step 1 of dW[0, 0]: found ")


@pytest.mark.parametrize("name", ["W", "U", "b"])
def test_every_entry_of_every_step_is_compared(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """One entry at one step, wrong in its ninth digit, is found and named."""
    d = rd.derive(
        "h[t] = tanh(W @ x[t] + U @ h[t-1] + b)\nL = sum(squared_error(h[t], target[t]), t)", [name]
    )  # fmt: skip
    right = differences.contributions
    shape = right(d, point(d.net, T=5), name).shape
    for place in np.ndindex(*shape):

        def wrong(d: rd.Derivation, at: Point, name: str, place: tuple[int, ...] = place) -> Any:
            found = np.array(right(d, at, name))
            found[place] *= 1 + 1e-8
            return found

        monkeypatch.setattr(differences, "contributions", wrong)
        row = check(d, rungs="contributions")["contributions of steps"]
        assert row.ok is False, row
        assert row.note.startswith(f"step {place[0] + 1} of d{name}[{', '.join(map(str, place[1:]))}]: found")


@pytest.mark.parametrize(
    "text",
    [
        "h[t] = softmax(W @ x[t] + U @ h[t-1] + sum(b))\nL = sum(squared_error(h[t], target[t]), t)",
        "h[t] = tanh(W @ x[t] + U @ h[t-1])\nL = sum(cross_entropy(V @ h[t] + sum(b), target[t]), t)",
    ],
)
def test_a_gradient_that_is_zero_by_cancellation_is_no_failure(text: str) -> None:
    """A shift of all logits changes nothing: what both sides have of db is rounding."""
    ladder = check(text)
    assert ladder, f"\n{ladder}"


def test_nothing_checked_is_not_a_success() -> None:
    assert not Ladder(())
    assert not Ladder((Rung("gradient", "complex step", ok=None),))
    assert set(RUNGS) >= {"identity", "brute", "complex"}


def test_the_room_imports_quickly() -> None:
    code = "import sys, rnnderive.checks; assert not {'matplotlib', 'scipy', 'typer'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


def test_the_tangent_program_is_written_once_for_all_directions(monkeypatch: pytest.MonkeyPatch) -> None:
    written = []
    write = duality.tangent_program
    monkeypatch.setattr(duality, "tangent_program", lambda d: written.append(d) or write(d))
    assert check(rd.derive(rd.cells.vanilla()), rungs=("duality", "rtrl"))
    assert len(written) == 1
