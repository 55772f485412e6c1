"""Contestants run in processes of their own and answer with results that can be compared."""

from benchmarks.race import one, processes
from benchmarks.results import best, seconds
from benchmarks.work import Size, Work


def test_contestants_answer_from_their_processes_and_missing_ones_say_why():
    work = Work("rnn", Size(3, 1, 2, 2))
    with processes(["numpy", "plain", "casadi"], 1) as workers:
        row = one(work, workers, rounds=2, sample=1e-4, tell=lambda _: None)
    assert len(row["peers"]["numpy"]["wall"]) == len(row["peers"]["plain"]["wall"]) == 2
    assert row["peers"]["plain"]["error"] < 1e-12
    assert len(row["calibration"]["wall"]) == 4
    assert best(row) == "numpy" and seconds(row, "plain") > 0
    assert "casadi" in row["peers"]["casadi"].get("unavailable", "casadi")
