"""``rnnderive chain`` and ``rnnderive sweep``, as a user runs them."""

from __future__ import annotations

import json

import numpy as np
import pytest
from typer.testing import CliRunner

from rnnderive.cli import app
from rnnderive.weights import SAMPLE


def call(*words: str) -> tuple[int, str, str]:
    result = CliRunner().invoke(app, list(words))
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result.exit_code, result.stdout, result.stderr


def test_chain_tells_verdict_cause_and_paths():
    status, told, _ = call("chain", "lstm", "--T", "60", "--size", "h=8")
    assert status == 0
    for words in ("The gradient vanishes", "gate f not open", "C alone", "weights: glorot, seed 0", "input: 60 steps"):
        assert words in told


def test_a_forget_bias_is_seen_in_the_chain():
    rates = []
    for bias in ("0", "4"):
        _, told, _ = call(
            "chain", "lstm", "--T", "60", "--size", "h=8", "--role", f"forget_bias={bias}", "--format", "json"
        )
        found = json.loads(told)
        rates.append(next(p["rate"] for p in found["paths"] if p["path"] == "C alone"))
    assert rates[0] < -0.5 < -0.1 < rates[1] < 0


def test_json_holds_what_the_text_says():
    status, told, _ = call(
        "chain", "vanilla", "--T", "30", "--size", "h=6", "--remedies", "--spectrum", "--batch", "2", "--format", "json"
    )
    found = json.loads(told)
    assert status == 0
    assert found["chain"] == {"states": ["h"], "steps": 30, "size": 6}
    assert found["verdict"]["kind"] == "vanishing"
    assert np.shape(found["norms"]["operator"]) == (31, 2)
    assert len(found["spectrum"]["log_singular_values"]) == 6
    assert {"gain", "truncation"} <= {r["name"] for r in found["remedies"]}


def test_weights_and_words(tmp_path):
    rng = np.random.default_rng(0)
    state = {
        "rnn.weight_ih_l0": rng.normal(size=(20, 4)), "rnn.weight_hh_l0": rng.normal(size=(20, 5)),
        "rnn.bias_ih_l0": np.zeros(20), "rnn.bias_hh_l0": np.zeros(20),
    }  # fmt: skip
    pytest.importorskip("safetensors.numpy").save_file(state, tmp_path / "model.safetensors")
    options = ("--weights", str(tmp_path / "model.safetensors"), "--text", "a cat exists")
    status, told, _ = call("chain", *options, "--vectors", str(SAMPLE), "--figures", str(tmp_path / "figures"))
    assert status == 0
    assert "lstm, 1 layer, forward, 4 inputs, 5 units" in told
    assert "3 words with vectors" in told
    assert (tmp_path / "figures" / "gates.svg").stat().st_size > 1000
    status, told, _ = call("chain", *options)
    assert status == 0
    assert "3 words, each with a random vector of its own" in told


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("chain",), "there is nothing to analyse"),
        (("chain", "dense"), "there is no chain to analyse"),
        (("chain", "lstm", "--size", "h"), "expected NAME=VALUE"),
        (("chain", "lstm", "--size", "h=many"), "expected a whole number"),
        (("chain", "lstm", "--size", "hh=3"), "there is no size of 'hh'"),
        (("chain", "lstm", "--state", "g"), "'g' is no state"),
        (("chain", "lstm", "--weights", "nowhere.npz"), "nowhere.npz"),
        (("chain", "lstm", "--text", "  "), "the text has no words"),
        (("chain", "lstm", "--format", "latex"), "an analysis is printed as text or json"),
        (("sweep", "lstm", "--axis", "gain=1:2"), "expected"),
        (("sweep", "lstm", "--axis", "colour=1,2"), "colour"),
        (("sweep", "lstm", "--axis", "gain=1:x:3"), "expected numbers from:to:how many"),
    ],
)
def test_wrong_input_is_said_and_ends_with_status_2(words, expected):
    status, _, error = call(*words)
    assert status == 2
    assert expected in error


def test_a_sweep_goes_on_from_its_results(tmp_path):
    words = (
        "sweep",
        "vanilla",
        "--axis",
        "gain=0.5,3",
        "--size",
        "h=16",
        "--set",
        "T=60",
        "--role",
        "recurrent=lecun_normal",
    )
    kept = tmp_path / "sweep.jsonl"
    status, told, _ = call(*words, "--results", str(kept), "--figure", str(tmp_path / "map.svg"))
    assert status == 0
    assert "vanishing" in told
    lines = kept.read_bytes()
    status, again, _ = call(*words, "--results", str(kept))
    assert (status, again) == (0, told)
    assert kept.read_bytes() == lines


def test_a_sweep_on_a_local_cluster_gives_the_same(tmp_path):
    pytest.importorskip("dask.distributed")
    words = ("sweep", "vanilla", "--axis", "gain=0.5,1", "--size", "h=6", "--set", "T=20", "--format", "json")
    assert call(*words, "--dask", "local")[1] == call(*words)[1]


def test_a_cell_whose_sizes_no_single_array_fixes(tmp_path):
    """The recurrent part of a stacked weight is as wide as h, which only the run knows."""
    cell = tmp_path / "cell.txt"
    cell.write_text("c[t] = tanh(W @ [h[t-1], x[t]])\nh[t] = tanh(A @ c[t])\nL = squared_error(h[T], target)\n")
    assert "The gradient" in call("chain", str(cell), "--T", "5")[1]


def test_a_sweep_of_a_cell_without_a_readout(tmp_path):
    cell = tmp_path / "linear.txt"
    cell.write_text("h[t] = W @ h[t-1] + V @ x[t]\nL = squared_error(h[T], target)\n")
    status, told, _ = call("sweep", str(cell), "--axis", "gain=0.5,1.5", "--size", "h=4", "--set", "T=20")
    assert status == 0
    assert "vanishing" in told
    assert "exploding" in told
