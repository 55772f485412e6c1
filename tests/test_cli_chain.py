"""``rnnderive chain`` and ``rnnderive sweep``, as a user runs them."""

from __future__ import annotations

import dataclasses
import importlib
import json
import re
import shlex

import numpy as np
import pytest
from typer.testing import CliRunner

from rnnderive.chains.ensemble import Ensemble
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
    assert f"3 words, vectors of {SAMPLE}" in told
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
        (("chain", "lstm", "--format", "latex"), "'latex' is not one of 'text', 'json'"),
        (("sweep", "lstm", "--axis", "gain=1,2", "--format", "latex"), "'latex' is not one of 'text', 'json'"),
        (("chain", "lsmt"), "did you mean"),
        (("chain", "lstm", "--size", "h=3", "--size", "h=4"), "expected h once"),
        (("sweep", "lstm", "--axis", "gain=1:2"), "expected from:to:how many, as in 1:2:11"),
        (("sweep", "lstm", "--axis", "colour=1,2"), "or a width: h, x, y\n"),
        (("sweep", "lstm", "--axis", "gain=1,2", "--T", "20"), "expected --set T=20"),
        (("sweep", "lstm", "--axis", "gian=1,2"), "expected one of gain, input_scale, "),
        (
            ("chain", "lstm", "--text", "a dog", "--vectors", str(SAMPLE), "--unknown", "error"),
            "--unknown skip leaves it out",
        ),
        (("chain", "lstm", "--text", "a dog", "--unknown", "skip"), "--unknown has no effect without --vectors"),
        (
            ("chain", "lstm", "--size", "x=7", "--text", "a cat", "--vectors", str(SAMPLE)),
            f"{SAMPLE}: its vectors have 4 numbers each; expected 7",
        ),
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


# ---------------------------------------------------------------- nothing is ignored in silence


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("chain lstm --T 5 --text cat", "--T has no effect beside --text (its words are the steps)"),
        ("chain lstm --batch 5 --text cat", "--batch has no effect beside --text"),
        ("chain lstm --T 5 --input x.npy", "--T has no effect beside --input"),
        ("chain lstm --scale 2 --input x.npy", "--scale has no effect beside --input"),
        ("chain lstm --text cat --input x.npy", "--input has no effect beside --text"),
        ("chain lstm --vectors v.txt", "--vectors has no effect without --text"),
        ("chain lstm --layer rnn", "--layer has no effect without --weights"),
        ("chain lstm --read loss=sum", "--read has no effect without --weights"),
        ("chain lstm --array W=a", "--read has no effect without --weights"),
        ("chain --weights m.npz --size h=3", "--size has no effect beside --weights (the file has them)"),
        ("chain --weights m.npz --scheme keras", "--scheme has no effect beside --weights"),
        ("chain --weights m.npz --role bias=1", "--role has no effect beside --weights"),
        ("chain --weights m.npz --gain 2", "--gain has no effect beside --weights"),
        ("chain --weights m.npz --read size=3", "found --read size=…; expected one of kind, activation"),
        ("sweep lstm --axis gain=1,2 --set gain=3", "gain is an axis; --set gain=… has no effect beside it"),
        ("sweep lstm --axis h=2,3 --size h=3", "h is an axis; --size h=… has no effect beside it"),
        ("sweep lstm --axis forget_bias=1,2 --role forget_bias=3", "forget_bias is an axis; --role forget_bias=…"),
        ("sweep gru --axis forget_bias=1,2 --role update_bias=3", "forget_bias is set already; --role update_bias=…"),
        ("sweep lstm --axis gain=1,2 --axis gain=3", "expected gain once"),
        ("sweep lstm --axis gain=1,2 --show lyapunov", "--show is about the figure: give --figure FILE"),
        ("sweep lstm --axis gain=1,2 --at gain=1", "--at is about the figure: give --figure FILE"),
        ("sweep lstm --axis gain=1,2 --set h=3", "expected one of gain, .*; for a width there is --size h=N"),
        ("sweep lstm --axis gian=1,2", "found --axis gian=…; expected one of gain, .*, or a width"),
        ("sweep lstm --axis gain=1,2 --dask tcp://x:1 --workers 2", "--workers is for --dask local"),
    ],
)
def test_an_option_without_effect_is_an_error(words, expected):
    status, _, error = call(*words.split())
    assert status == 2
    assert re.search(expected.replace("(", r"\(").replace(")", r"\)"), error), error


# ---------------------------------------------------------------- refused before the work begins


@pytest.fixture
def idle(monkeypatch):
    """Nothing may be drawn, run or measured."""

    def never(*_, **__):
        raise AssertionError("the work has begun")

    for module in ("setting", "ensemble"):
        monkeypatch.setattr(importlib.import_module(f"rnnderive.chains.{module}"), "initialise", never)


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("chain lstm --size h=20000", "119 GiB of memory, more than the 8 GiB allowed: .* h 20000.*--memory 131"),
        ("chain lstm --T 100000000", "more than the 8 GiB allowed: .* 100000000 steps"),
        ("chain lstm --batch 10000000", "10000000 sequences"),
        ("chain lstm --T 300000 --spectrum", "more than the 8 GiB allowed: .* 300000 steps"),
        ("chain lstm --memory 0.001", "more than the 0.001 GiB allowed"),
        ("sweep lstm --axis h=8,20000", "more than the 8 GiB allowed: .* h 20000, .*--memory"),
        ("sweep lstm --axis gain=0:1:1000 --axis T=2:1001:1000", "(1000 gain × 1000 T × 1 seed), .*--most 1000000"),
        ("sweep lstm --axis gain=0:1:1000000000000", "1000000000000 measurements"),
        ("sweep lstm --axis gain=1,2 --seeds 1000000000", "2000000000 measurements"),
        ("sweep lstm --axis gain=1,2,3 --most 2", "3 measurements"),
        ("sweep lstm --axis gain=1,2 --figure map.xyz", "write map.xyz: unknown suffix '.xyz'; known: .svg, .pdf"),
        ("sweep lstm --axis gain=1,2 --figure /dev/null/map.svg", "write /dev/null/map.svg: /dev/null is no folder"),
        ("sweep lstm --axis gain=1,2 --axis T=9,10 --axis h=2,3 --figure map.svg", "here are 3: gain, T, h.*--at h=2"),
        ("sweep lstm --axis gain=1,2 --axis T=9,10 --figure map.svg --at T=5", "found --at T=5; expected one of 9, 10"),
        ("sweep lstm --axis gain=1,2 --figure map.svg --at gain=1", "none is left to draw along; leave one out"),
        ("sweep lstm --axis scheme=glorot,keras --figure map.svg", "the axis scheme has no numbers to draw along"),
        ("chain lstm --figures /dev/null", "/dev/null is no folder"),
        ("chain lstm --figures /dev/null/there", "/dev/null is no folder"),
        ("chain lstm --scale -1", "scale is -1.0; expected a finite number from 0"),
        ("chain lstm --gain nan", "gain is nan; expected a finite number"),
    ],
)  # fmt: skip
def test_what_cannot_end_well_is_refused_before_it_begins(words, expected, idle, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    status, _, error = call(*words.split())
    assert status == 2
    assert re.search(expected.replace("(", r"\(").replace(")", r"\)"), error), error
    assert list(tmp_path.iterdir()) == []


def test_a_figure_is_drawn_along_the_axes_of_several_values(tmp_path):
    """What was found to be possible before the sweep is drawn after it, in whatever order the axes stand."""
    for one in ("h=3", "scheme=keras"):
        figure = tmp_path / f"{one}.svg"
        words = ("--axis", one, "--axis", "gain=0.5,1", "--axis", "T=9,10", "--size", "x=2", "--figure", str(figure))
        status, _, error = call("sweep", "vanilla", *words)
        assert status == 0, error
        assert figure.exists()


# ---------------------------------------------------------------- messages speak of options


def two_models(path, **more):
    rng = np.random.default_rng(0)
    shapes = {"weight_ih_l0": (6, 3), "weight_hh_l0": (6, 2), "bias_ih_l0": (6,), "bias_hh_l0": (6,)}
    decoder = {n: (6, 2) if "ih" in n and "weight" in n else s for n, s in shapes.items()}
    state = {f"{m}.{n}": rng.normal(size=s) for m, ss in (("enc", shapes), ("dec", decoder)) for n, s in ss.items()}
    np.savez(path, **state, **more)
    return str(path)


def test_several_layers_are_chosen_and_stacked_by_options(tmp_path):
    path = two_models(tmp_path / "two.npz")
    turned = dict(reversed(list(np.load(path).items())))  # the layers in any order of the file
    np.savez(path, **turned)
    status, _, error = call("chain", "--weights", path)
    assert status == 2
    assert "enc: gru_reset_after, 1 layer, forward, 3 inputs, 2 units" in error
    assert "with --layer dec, or put those that fit on top of each other with --layer enc --layer dec" in error
    assert "2 layers" in call("chain", "--weights", path, "--layer", "enc", "--layer", "dec", "--T", "5")[1]
    told = call("chain", "--weights", path, "--layer", "dec", "--T", "5", "--read", "loss=squared_error")[1]
    assert "dec: gru_reset_after, 1 layer" in told
    assert "--read loss=squared_error was chosen" in told
    assert "target: random" in told


def test_arrays_under_other_names_are_named(tmp_path):
    cell = tmp_path / "cell.txt"
    cell.write_text("h[t] = tanh(W @ x[t] + U @ h[t-1])\nL = sum(h[T])\n")
    np.savez(tmp_path / "m.npz", first=np.ones((2, 3)), second=np.eye(2) / 2)
    options = ("chain", str(cell), "--weights", str(tmp_path / "m.npz"), "--T", "5")
    assert "--array PARAMETER=ARRAY" in call(*options)[2]
    assert "arrays by name" in call(*options, "--array", "W=first", "--array", "U=second")[1]


def test_words_without_a_vector_and_notes_are_told(tmp_path):
    told = call("chain", "vanilla", "--text", "a dog exists", "--vectors", str(SAMPLE))[1]
    assert "zero stands for 1 word ('dog'), without a vector" in told
    (tmp_path / "x.csv").write_text("one,two\n1,2\n3,4\n")
    assert "taken for names: one, two" in call("chain", "vanilla", "--input", str(tmp_path / "x.csv"))[1]


def test_a_figure_that_cannot_be_written_is_told_by_its_own_name(tmp_path, monkeypatch):
    def full(*_, **__):
        raise OSError(28, "No space left on device", f"{tmp_path}/.map.svg.partial")

    monkeypatch.setattr("matplotlib.figure.Figure.savefig", full)
    words = ("sweep", "vanilla", "--axis", "gain=1,2", "--size", "h=3", "--set", "T=9")
    status, _, error = call(*words, "--figure", str(tmp_path / "map.svg"))
    assert status == 2
    assert f"cannot write {tmp_path}/map.svg: there is no space left on the device; free some" in error
    assert ".part" not in error


def test_figures_of_the_two_chains_of_a_network_do_not_overwrite_each_other(tmp_path, monkeypatch):
    monkeypatch.setattr("rnnderive.chains.figures.FIGURES", ("norms",))
    words = ("chain", "bidirectional_rnn", "--T", "6", "--size", "h=2", "--figures", str(tmp_path))
    assert call(*words, "--state", "h_L")[0] == call(*words, "--state", "h_R")[0] == 0
    assert {f.name for f in tmp_path.glob("*.svg")} == {"h_L_norms.svg", "h_R_norms.svg"}


# ---------------------------------------------------------------- a network of a sweep by itself


@pytest.mark.parametrize(
    "words",
    [
        "vanilla --axis gain=1.5,0.7 --axis input_scale=0.3 --size h=6",
        "gru --axis forget_bias=1.5 --axis h=5 --set T=70 --set scheme=pytorch --role bias=0.5",
        "peephole_lstm --axis T=60:80:2 --size h=4 --set state_scale=0",
    ],
)
def test_the_command_that_a_sweep_ends_with_gives_the_same_numbers(words):
    first = json.loads(call("sweep", *words.split(), "--format", "json")[1])[0]
    told = call("sweep", *words.split())[1].splitlines()[-1]
    command = told.removeprefix("One of them by itself: rnnderive ")
    alone = json.loads(call(*shlex.split(command), "--format", "json")[1])["verdict"]
    assert (first["rate"], first["memory"]) == (alone["rate"], alone["memory"])
    assert first["kind"] == alone["kind"]


def test_a_cell_without_a_loss_is_analysed_and_elsewhere_the_error_speaks_no_python(tmp_path):
    cell = tmp_path / "cell.txt"
    cell.write_text("h[t] = tanh(U @ h[t-1] + W @ x[t])\n")
    assert "[h], 4 units, 60 steps" in call("chain", str(cell), "--T", "60", "--size", "h=4")[1]
    assert "vanishing" in call("sweep", str(cell), "--axis", "gain=0.5", "--size", "h=4", "--set", "T=20")[1]
    for command in ("derive", "check"):
        status, _, error = call(command, str(cell))
        assert status == 2
        assert "there is no loss" in error
        assert "loss=None" not in error


def test_measurements_that_fail_are_told_and_end_with_status_1(monkeypatch):
    def fails(self, seed):
        raise ValueError("no luck")

    monkeypatch.setattr("rnnderive.chains.ensemble.Ensemble.measure", fails)
    status, told, error = call("sweep", "vanilla", "--axis", "gain=1,2", "--size", "h=3", "--set", "T=9")
    assert (status, error) == (1, "error: 2 measurements failed; the first: ValueError: no luck\n")
    assert "failed" in told


def test_control_c_in_a_sweep_says_how_to_go_on(tmp_path, monkeypatch):
    def interrupted(self, seed):
        raise KeyboardInterrupt

    monkeypatch.setattr("rnnderive.chains.ensemble.Ensemble.measure", interrupted)
    words = ("sweep", "vanilla", "--axis", "gain=1,2", "--size", "h=3", "--set", "T=9")
    status, _, error = call(*words, "--results", str(tmp_path / "kept.jsonl"))
    assert status == 130
    assert f"0 of 2 measurements were done; they are in {tmp_path}/kept.jsonl: run the same sweep again" in error


def test_an_input_of_another_width_names_its_file_and_the_shapes_that_fit(tmp_path):
    np.save(tmp_path / "series.npy", np.zeros((30, 7)))
    status, _, error = call("chain", "lstm", "--size", "x=4", "--input", str(tmp_path / "series.npy"))
    assert status == 2
    assert "series.npy has the shape (30, 7); expected (T, 4) or (T, B, 4)" in error


@pytest.mark.parametrize(
    ("unknown", "words", "note"), [("zero", 3, "zero stands for 1 word"), ("skip", 2, "left out: 1 word")]
)
def test_what_becomes_of_a_word_without_a_vector_is_chosen(unknown, words, note):
    options = ("--text", "a dog exists", "--vectors", str(SAMPLE), "--unknown", unknown)
    status, told, _ = call("chain", "vanilla", *options)
    assert status == 0 and f"input: {words} words, vectors of" in told and note in told


def test_the_help_of_a_sweep_says_what_is_taken_where_nothing_is_set():
    usual = {f.name: f.default for f in dataclasses.fields(Ensemble)}
    told = " ".join(re.sub("[│|]", " ", call("sweep", "--help")[1]).split())
    assert f"T={usual['T']} and state_scale={usual['state_scale']:g} unless given" in told
