"""What ``rnnderive chain`` prints of an analysis: batches, early losses, delays, remedies."""

from __future__ import annotations

import json

import pytest
from typer.testing import CliRunner

from rnnderive.cli import app


def call(*words: str) -> str:
    result = CliRunner().invoke(app, list(words))
    assert result.exit_code == 0, result.output
    return result.stdout


def test_a_batch_is_told_sequence_by_sequence_in_words_and_in_json():
    words = ("chain", "lstm", "--T", "40", "--size", "h=6", "--batch", "4")
    told = call(*words)
    assert "4 sequences: 4 vanishing. The typical one, number " in told and "(5 %, 50 %, 95 %)" in told
    found = json.loads(call(*words, "--format", "json"))["verdict"]
    assert found["of"] == "gradient" and found["counts"] == {"vanishing": 4} and len(found["members"]) == 4
    assert found["members"][found["member"]]["rate"] == found["rate"]
    for cause in found["causes"]:
        assert cause["rate"] - cause["cost"] == pytest.approx(found["rate"])


def test_a_loss_that_is_read_early_and_a_delay_are_said(tmp_path):
    cell = tmp_path / "early.txt"
    cell.write_text("h[t] = tanh(A @ h[t-1] + B @ h[t-2] + W @ x[t])\nL = sum(h[3])\n")
    told = call("chain", str(cell), "--T", "20", "--size", "h=4")
    assert "The chain " in told and "of 20 steps the loss reads none after 3" in told
    assert "h_1[t] = h[t-1]: kept, since a step further back is read" in told
    found = json.loads(call("chain", str(cell), "--T", "20", "--size", "h=4", "--format", "json"))
    assert found["verdict"]["of"] == "chain" and len(found["norms"]["gradient"]) == 4


def test_remedies_are_told_in_the_order_of_their_effect():
    found = json.loads(call("chain", "lstm", "--T", "40", "--size", "h=6", "--remedies", "--format", "json"))
    effects = [abs(r["rates"][0]) - abs(r["rates"][1]) for r in found["remedies"] if r["rates"] and r["helps"]]
    assert effects and effects == sorted(effects, reverse=True)
