"""Every network climbs the whole ladder; the table says what was done, and what failed."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace

import pytest

import rnnderive as rd
from rnnderive.calculus import rules
from rnnderive.checks import RUNGS, Ladder, Rung, check
from tests.checks.nets import NAMES, TEXTS, network


@pytest.mark.parametrize("name", NAMES)
def test_every_rung_holds_for_every_network(name: str) -> None:
    ladder = check(network(name))
    assert ladder, f"\n{ladder}"
    left_out = [r for r in ladder if r.ok is None]
    assert not left_out, f"\n{ladder}"


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


def test_truncation_of_loops_in_both_directions_is_left_out_with_a_reason() -> None:
    d = rd.derive(rd.cells.bidirectional_rnn(), truncate=2)
    row = check(d, rungs="truncation")["truncated gradient"]
    assert row.ok is None
    assert "directions" in row.note


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
    assert "step index 0" in ladder["contributions of steps"].note


def test_nothing_checked_is_not_a_success() -> None:
    assert not Ladder(())
    assert not Ladder((Rung("gradient", "complex step", ok=None),))
    assert set(RUNGS) >= {"identity", "brute", "complex"}


def test_the_room_imports_quickly() -> None:
    code = "import sys, rnnderive.checks; assert not {'matplotlib', 'scipy', 'typer'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
