"""``python -m benchmarks COMMAND``: see ``--help``."""

from __future__ import annotations

import argparse
import sys

from benchmarks.work import NETWORKS, SIZES, Work


def main(argv: list[str] | None = None) -> int:
    """Read the command line and do what it says."""
    parser = argparse.ArgumentParser("python -m benchmarks", description=sys.modules["benchmarks"].__doc__)
    commands = parser.add_subparsers(dest="command", required=True)

    ours = commands.add_parser("ours", help="ours beside a plain NumPy loop and the floor, in seconds")
    ours.add_argument("--cell", default="all", help=f"{', '.join(NETWORKS)}; several with commas")
    ours.add_argument("--size", default="all", help=f"{', '.join(SIZES)}; several with commas")
    ours.add_argument("--dtype", default="float64")
    ours.add_argument("--threads", type=int, default=1)
    ours.add_argument("--rounds", type=int, default=15)

    given = parser.parse_args(argv)
    if given.command == "ours":
        from benchmarks.quick import compare

        cells, sizes = chosen(given.cell, NETWORKS), chosen(given.size, SIZES)
        compare([Work(c, SIZES[s], given.dtype, given.threads) for c in cells for s in sizes], given.rounds)
    return 0


def chosen(text: str, known: dict[str, object]) -> list[str]:
    """The names in a list with commas, or all."""
    names = list(known) if text == "all" else text.split(",")
    for name in names:
        if name not in known:
            raise SystemExit(f"unknown: {name}; there are {', '.join(known)}")
    return names


if __name__ == "__main__":
    raise SystemExit(main())
