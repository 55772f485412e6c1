"""The tables: ``benchmarks/RESULTS.md``, written from the file of results and nothing else."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from benchmarks.plan import STANDARD
from benchmarks.quick import shown
from benchmarks.results import Results, best, ratio, seconds, stamp, trust
from benchmarks.table import OURS, PEERS
from benchmarks.targets import targets
from benchmarks.work import NETWORKS, SIZES, Work

__all__ = ["write"]

HEAD = """# Results

Written by `python -m benchmarks report` from `results.json`; how to read it: [docs/speed.md](../docs/speed.md).
Value and gradient of ½ Σ (V h + b_y − target)² with respect to all parameters and initial states.
Sizes are (T, B, d, n): steps, batch, inputs, units. Times are medians by the wall's clock; a ratio is the
median over rounds of that contestant's time over ours in the same round, so that **over 1 it is slower than
ours**: first over our NumPy program, then, in brackets, over the faster of our programs.
"""
BY_PROCESSOR = "\n**Times of the processor, not of the wall's clock:** the machine had other work.\n"


def write(results: Results, path: Path, figure: Path | None, *, by_processor: bool = False) -> None:
    """Write the report."""
    path.write_text("\n".join(_lines(results, figure, by_processor)).rstrip() + "\n", "utf-8")


def _lines(results: Results, figure: Path | None, by_processor: bool) -> Iterator[str]:
    yield HEAD + (BY_PROCESSOR if by_processor else "")
    yield from _machine(json.loads(results.path.read_text("utf-8"))["machine"])
    if figure:
        yield f"\n![Time against T and against n]({figure.name})\n"
        yield "An LSTM in float64 on one thread; JAX in the faster of its two forms. Lower is faster."
    yield from _targets(results)
    for dtype, threads in (("float64", 1), ("float32", 1), ("float64", 2), ("float32", 2)):
        yield from _race(results, dtype, threads)
    yield from _first_results(results)
    for name, tell in STUDIES.items():
        if name in results.studies:
            yield from tell(results.studies[name])


def _table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> Iterator[str]:
    head = list(head)
    yield ""
    yield f"| {' | '.join(head)} |"
    yield f"| {' | '.join('---' for _ in head)} |"
    for row in rows:
        yield f"| {' | '.join(row)} |"
    yield ""


def _machine(found: dict[str, Any]) -> Iterator[str]:
    yield f"{found['processor']}; {found['cores']} cores; {found['system']}; Python {found['python']}; {found['blas']}."
    yield ", ".join(f"{name} {version}" for name, version in found["versions"].items()) + "."


def _targets(results: Results) -> Iterator[str]:
    yield "\n## What was to be reached"
    rows = [(t.claim, f"{t.held} of {t.of}", "; ".join(t.misses) or "") for t in targets(results) if t.of]
    yield from _table(("claim", "holds at", "not at"), rows)


def _race(results: Results, dtype: str, threads: int) -> Iterator[str]:
    works = [Work(n, s, dtype, threads) for n in (*STANDARD, "own") for s in SIZES.values()]
    works = [w for w in works if w.key in results.races]
    if not works:
        return
    yield f"\n## {dtype}, {'one thread' if threads == 1 else f'{threads} threads'}"
    notes: dict[str, None] = {}
    for network in dict.fromkeys(w.network for w in works):
        rows = [(w, results.races[w.key]) for w in works if w.network == network]
        shownpeers = [p for p in PEERS if any(seconds(row, p) is not None or _void(row, p) for _, row in rows)]
        others = [p for p in shownpeers if p not in OURS]
        yield f"\n{NETWORKS[network].title}:"
        head = ["size", *(PEERS[p].title for p in shownpeers if p in OURS), "floor", *(PEERS[p].title for p in others)]
        yield from _table(head, (_row(w, row, shownpeers, others, notes) for w, row in rows))
        for work, row in rows:
            missing = {p: row["peers"][p]["unavailable"] for p in row["peers"] if "unavailable" in row["peers"][p]}
            for peer, why in missing.items():
                if work.network == "own":  # written by hand for NumPy only
                    continue
                notes.setdefault(f"{PEERS[peer].title}: {why}", None)
            if row["of"] != stamp():
                notes.setdefault(f"{work.key}: measured on {row['of']}; the code or the machine has changed", None)
            if reason := trust(row, threads):
                notes.setdefault(f"† {work.key}: not to be trusted, {reason}", None)
    if notes:
        yield "Not available, or to be taken with care:\n"
        yield from (f"- {note}" for note in sorted(notes))


def _row(
    work: Work, row: dict[str, Any], shownpeers: list[str], others: list[str], notes: dict[str, None]
) -> list[str]:
    """The cells of a work: our times, the floor, everybody else's time and ratios."""
    mine = best(row)
    cells = [f"{work.size}{' †' if trust(row, work.threads) else ''}"]
    for peer in (p for p in shownpeers if p in OURS):
        taken = seconds(row, peer)
        cells.append("" if taken is None else f"**{shown(taken)}**" if peer == mine else shown(taken))
    floor = row["floor"]["seconds"]
    base = seconds(row, mine) if mine else None
    cells.append(shown(floor) + (f" ({floor / base:.2g})" if base else ""))
    for peer in others:
        taken = seconds(row, peer)
        if taken is None:
            cells.append(_void(row, peer))
            continue
        over = [ratio(row, peer, p) for p in ("numpy", mine or "numpy")]
        first, second = (f"{r:.2f}" if r is not None else "" for r in over)
        cells.append(f"{shown(taken)} × {first} ({second})")
    return cells


def _void(row: dict[str, Any], peer: str) -> str:
    """That a contestant's numbers are not ours, if they are not."""
    found = row["peers"].get(peer, {})
    return f"void: differs by {found['error']:.0e}" if "error" in found and not found.get("wall") else ""


def _first_results(results: Results) -> Iterator[str]:
    """Until the first gradient, everything imported: derive or trace, compile, run."""
    works = [Work(n, SIZES["small"]) for n in STANDARD]
    rows = [(w, results.races[w.key]["peers"]) for w in works if w.key in results.races]
    if not rows:
        return
    yield "\n## The first call"
    yield "\nFrom the imported library to the first gradient at (50, 1, 16, 32): deriving, tracing and compiling."
    yield "A library that has compiled the network at another size before, or keeps a cache on disk, shows it here."
    peers = [p for p in PEERS if any("first" in found.get(p, {}) for _, found in rows)]
    yield from _table(
        ("network", *(PEERS[p].title for p in peers)),
        ([NETWORKS[w.network].title, *(shown(f[p]["first"]) if "first" in f.get(p, {}) else "" for p in peers)]
         for w, f in rows),
    )  # fmt: skip


def _cell(found: dict[str, Any], key: str) -> str:
    return shown(found[key]) if key in found else found.get("unavailable", "")


def _derivation(found: dict[str, Any]) -> Iterator[str]:
    yield "\n## Deriving and compiling"
    yield "\nIn a fresh process: ours for an LSTM, which does not ask for T; SymPy's own way, a tanh RNN of two units"
    yield "written out in scalars and differentiated in each weight."
    steps = list(dict.fromkeys([*found["ours"], *found["sympy"]]))
    yield from _table(
        ("T", "ours", "ours, first call at T", "SymPy"),
        ([str(T), _cell(found["ours"].get(T, {}), "compile"), _cell(found["ours"].get(T, {}), "first"),
          _cell(found["sympy"].get(T, {}), "compile")] for T in sorted(steps, key=int)),
    )  # fmt: skip
    yield "Every cell of the library, derived and compiled:"
    cells = found["cells"].items()
    yield from _table(("cell", "seconds"), ([f"`{name}`", _cell(row, "compile")] for name, row in cells))


def _memory(found: dict[str, Any]) -> Iterator[str]:
    yield "\n## Memory"
    yield "\nWhat one call allocates at its peak, and how long it takes: an LSTM at (T, 1, 32, 64), float64."
    plain, kept = found["plain"], found["checkpoint"]

    def row(T: str) -> list[str]:
        cells = [T]
        for case in (plain[T], kept.get(T, {})):
            peak = f"{case['peak'] / 1e6:.2f} MB" if "peak" in case else case.get("unavailable", "")
            cells += [peak, _cell(case, "seconds") if "seconds" in case else ""]
        if "peak" in plain[T] and "peak" in kept.get(T, {}):
            over = [kept[T][k] / plain[T][k] for k in ("peak", "seconds")]
            return [*cells, f"{over[0]:.3f}", f"{over[1]:.2f}"]
        return [*cells, "", ""]

    head = ("T", "plain", "time", "checkpoints", "time", "memory, over plain", "time, over plain")
    yield from _table(head, (row(T) for T in plain))


def _start(found: dict[str, Any]) -> Iterator[str]:
    yield "\n## The start"
    yield "\nA whole process of Python with one statement:"
    rows = ([f"`{name}`", _cell(taken, "wall"), _cell(taken, "cpu")] for name, taken in found.items() if name != "of")
    yield from _table(("statement", "time", "of the processor"), rows)


def _unrolled(found: dict[str, Any]) -> Iterator[str]:
    yield "\n## tensorgrad's unrolled step"
    yield "\nAn Elman network at B = 64, d = 64 in float32, the loss at the last step; its own benchmark without AdamW."
    rows = []
    for T, case in ((T, case) for T, case in found.items() if T != "of"):
        mine, other = case.get("ours", {}), case.get("theirs", {})
        rows.append([T, *(_cell(mine, k) for k in ("compile", "first", "run")),
                     *(_cell(other or case, k) for k in ("compile", "first", "run"))])  # fmt: skip
    yield from _table(
        ("T", "ours: compile", "first call", "a call", "tensorgrad: compile", "first call", "a call"), rows
    )


STUDIES = {"derivation": _derivation, "memory": _memory, "start": _start, "unrolled": _unrolled}
