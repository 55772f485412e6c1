"""What is read from samples: ratios round by round, doubts, targets, tables; and that a run can be taken up again."""

import pytest

from benchmarks import race as racing
from benchmarks.__main__ import chosen, main
from benchmarks.report import write
from benchmarks.results import Results, best, ratio, stamp, trust
from benchmarks.targets import targets
from benchmarks.work import SIZES, Work

POINT = Work("lstm", SIZES["tiny"])


def row(floor=1.0, calibration=(1.0, 1.0, 1.0), **samples):
    peers = {p: {"wall": list(w), "cpu": list(w), "error": 0.0, "first": 1.0, "once": 1.0} for p, w in samples.items()}
    return {"of": stamp(), "peers": peers, "calibration": {"wall": list(calibration), "cpu": list(calibration)},
            "floor": {"seconds": floor, "products": floor, "flops": 1, "elements": 1}}  # fmt: skip


def results(tmp_path, **rows):
    out = Results(tmp_path / "results.json", {POINT.key: row(**rows)})
    out.save()
    return out


def test_ratio_is_taken_within_a_round():
    # The machine was half as fast in the second round, and ours alone was disturbed in the third.
    assert ratio(row(numpy=[1, 2, 4], torch=[3, 6, 4]), "torch", "numpy") == 3
    assert ratio(row(numpy=[1, 2, 1]), "torch", "numpy") is None


def test_best_is_the_faster_of_ours():
    assert best(row(numpy=[2, 2], numba=[1, 1], plain=[0.5, 0.5])) == "numba"
    assert best(row(plain=[1])) is None


def test_a_row_of_an_unsteady_or_busy_machine_is_not_trusted():
    assert trust(row(numpy=[1.0]), 1) == ""
    assert "varied" in trust(row(numpy=[1.0], calibration=(1, 1.5, 2)), 1)
    busy = row(numpy=[1.0])
    busy["peers"]["numpy"]["cpu"] = [0.5]
    assert "50% of the time went to other processes" in trust(busy, 1)
    assert trust(busy, 2) == ""


def test_targets_name_the_points_that_miss(tmp_path):
    found = {t.claim: t for t in targets(results(tmp_path, numpy=[1.0], plain=[0.9], torch=[4.0], jax=[1.3]))}
    assert found["NumPy ahead of PyTorch and autograd, float64"].held == 1
    five = found["NumPy ahead of PyTorch and autograd by 5, float64, batch 1"]
    assert (five.held, five.misses) == (0, ("lstm (10, 1, 8, 8): PyTorch 4.00",))
    assert found["NumPy ahead of NumPy by hand, float64"].misses == ("lstm (10, 1, 8, 8): NumPy by hand 0.90",)
    assert found["the better backend ahead of JAX by 1.2, float64"].held == 1
    assert found["ahead of JAX, float32"].of == 0


def test_a_void_row_is_said_to_be_void(tmp_path):
    made = results(tmp_path, numpy=[1.0], torch=[])
    made.races[POINT.key]["peers"]["torch"] = {"error": 1e-3, "first": 1.0, "once": 1.0}
    made.races[POINT.key]["peers"]["jax"] = {"unavailable": "No module named 'jax'"}
    write(made, tmp_path / "RESULTS.md", None)
    text = (tmp_path / "RESULTS.md").read_text("utf-8")
    assert "void: differs by 1e-03" in text
    assert "- JAX: No module named 'jax'" in text


def test_a_run_goes_on_where_it_was_interrupted(tmp_path, monkeypatch):
    kept = results(tmp_path, numpy=[1.0])
    asked = []

    def one(work, *_):
        asked.append(work.key)
        if work.network == "gru":
            raise KeyboardInterrupt
        return row(numpy=[2.0])

    monkeypatch.setattr(racing, "one", one)
    works = [POINT, Work("rnn", SIZES["tiny"]), Work("gru", SIZES["tiny"])]
    with pytest.raises(KeyboardInterrupt):
        racing.race(works, [], kept, rounds=1, sample=1)
    again = Results.read(kept.path)
    assert asked == [works[1].key, works[2].key]
    assert list(again.races) == [POINT.key, works[1].key]
    assert again.races[POINT.key]["peers"]["numpy"]["wall"] == [1.0]


def test_what_another_machine_or_other_code_measured_is_measured_anew(tmp_path):
    kept = results(tmp_path, numpy=[1.0])
    assert kept.has(POINT.key)
    kept.races[POINT.key]["of"] = "another processor; 0123456789ab"
    assert not kept.has(POINT.key)
    write(kept, tmp_path / "RESULTS.md", None)
    assert "measured on another processor; 0123456789ab" in (tmp_path / "RESULTS.md").read_text("utf-8")


def test_unknown_names_are_refused_with_those_that_are_known():
    with pytest.raises(SystemExit, match="unknown: lsmt; there are rnn, lstm"):
        main(["ours", "--cell", "lsmt"])
    assert chosen("b,a", {"a": 1, "b": 2}) == ["b", "a"]
