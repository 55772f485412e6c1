"""``python -m benchmarks COMMAND``: see ``--help``."""

from __future__ import annotations

import argparse
import importlib
import json
from collections.abc import Collection
from pathlib import Path

import benchmarks
from benchmarks.figure import draw
from benchmarks.plan import works
from benchmarks.quick import compare
from benchmarks.race import race
from benchmarks.report import write
from benchmarks.results import STUDIED, Results, stamp, trust
from benchmarks.table import PEERS
from benchmarks.work import NETWORKS, SIZES, Work

HERE = Path(__file__).parent
STUDIES = ("derivation", "memory", "start", "unrolled")
COMMANDS = {
    "all": "everything, then the report",
    "race": "the race alone",
    "study": f"the studies alone: {', '.join(STUDIES)}",
    "report": "the tables and the figure from what was measured",
}


def parser() -> argparse.ArgumentParser:
    """The command line."""
    out = argparse.ArgumentParser("python -m benchmarks", description=benchmarks.__doc__)
    commands = out.add_subparsers(dest="command", required=True)

    ours = commands.add_parser("ours", help="ours beside a plain NumPy loop and the floor, in seconds")
    choices(ours)
    ours.add_argument("--dtype", default="float64", choices=("float64", "float32"))
    ours.add_argument("--threads", type=int, default=1)
    ours.add_argument("--rounds", type=int, default=15)

    for name, words in COMMANDS.items():
        command = commands.add_parser(name, help=words)
        command.add_argument("--quick", action="store_true", help="few points and rounds, into build/benchmarks")
        command.add_argument("--by-processor", action="store_true", help="report the processor's time, not the wall's")
        if name in ("all", "race"):
            choices(command)
            command.add_argument("--peers", default="all", help=f"{', '.join(PEERS)}; several with commas")
            command.add_argument("--rounds", type=int, help="samples of each contestant (15, quick 5)")
            command.add_argument("--only", default="", help="keys of works must contain this, as in 'float64 1'")
        if name != "report":
            command.add_argument(
                "--again", action="store_true", help="measure anew what this machine has measured of this code"
            )
        if name in ("all", "race"):
            command.add_argument(
                "--doubtful", action="store_true", help="measure anew the rows that cannot be trusted, and no others"
            )
        if name == "study":
            command.add_argument("--names", default="all", help="several with commas")
    return out


def choices(command: argparse.ArgumentParser) -> None:
    """Which networks and sizes."""
    command.add_argument("--cell", default="all", help=f"{', '.join(NETWORKS)}; several with commas")
    command.add_argument("--size", default="all", help=f"{', '.join(SIZES)}; several with commas")


def chosen(text: str, known: Collection[str]) -> list[str]:
    """The names in a list with commas, or all."""
    names = list(known) if text == "all" else text.split(",")
    for name in names:
        if name not in known:
            raise SystemExit(f"unknown: {name}; there are {', '.join(known)}")
    return names


def main(argv: list[str] | None = None) -> int:
    """Read the command line and do what it says."""
    given = parser().parse_args(argv)
    if given.command == "ours":
        cells, sizes = chosen(given.cell, NETWORKS), chosen(given.size, SIZES)
        compare([Work(c, SIZES[s], given.dtype, given.threads) for c in cells for s in sizes], given.rounds)
        return 0
    place = Path("build/benchmarks") if given.quick else HERE
    results = Results.read(place / "results.json")
    if given.command in ("all", "race"):
        run(given, results)
    if given.command in ("all", "study"):
        for name in chosen(getattr(given, "names", "all"), STUDIES):
            if given.again or given.quick or not results.has(name):
                print(f"study: {name}", flush=True)
                found = importlib.import_module(f"benchmarks.studies.{name}").study(given.quick)
                results.studies[name] = json.loads(
                    json.dumps({"of": stamp(STUDIED), **found})
                )  # keys are texts, as in the file
                results.save()
    if not results.path.exists():
        raise SystemExit(f"there is no {results.path} to report on; run the race first")
    if given.by_processor:
        results, place = results.by_processor(), Path("build/benchmarks")
        place.mkdir(parents=True, exist_ok=True)
    figure = draw(results, place / "speed.svg")
    write(results, place / "RESULTS.md", figure, by_processor=given.by_processor)
    print(place / "RESULTS.md")
    return 0


def run(given: argparse.Namespace, results: Results) -> None:
    """The race on the works that the command line chose."""
    cells, sizes = chosen(given.cell, NETWORKS), chosen(given.size, SIZES)
    named = {SIZES[s] for s in sizes}
    points = [w for w in works(given.quick) if w.network in cells and given.only in w.key]
    points = [w for w in points if given.size == "all" or w.size in named]
    if given.doubtful:
        points = [w for w in points if results.has(w.key) and trust(results.races[w.key], w.threads)]
    if given.again or given.quick or given.doubtful:
        for work in points:
            results.races.pop(work.key, None)
    rounds, sample = given.rounds or (5 if given.quick else 15), 0.01 if given.quick else 0.03
    race(points, chosen(given.peers, PEERS), results, rounds=rounds, sample=sample)


if __name__ == "__main__":
    raise SystemExit(main())
