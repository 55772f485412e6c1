"""The figure: time against the number of steps and against the number of units, a line for each contestant."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from benchmarks.plan import AGAINST_N, AGAINST_T
from benchmarks.results import Results, seconds
from benchmarks.table import OURS, PEERS
from benchmarks.work import Work
from rnnderive.printing.style import CM, COLOURS, DASHES, MARKERS, WIDTH_CM, saved, style

__all__ = ["draw"]

# JAX is drawn once, in the form that is faster at the point.
LINES = {"numpy": ("numpy", "reuse"), "numba": ("numba",), "plain": ("plain",), "torch": ("torch",),
         "jax": ("jax", "jax_tuned"), "autograd": ("autograd",), "pytensor": ("pytensor",)}  # fmt: skip


def draw(results: Results, path: Path) -> Path | None:
    """Write the figure; None where nothing of it was measured."""
    import matplotlib.pyplot as plt

    panels = [(AGAINST_T, "T", "steps T, at B = 1, n = 64"), (AGAINST_N, "n", "units n, at T = 50, B = 32")]
    if not any(w.key in results.races for works, _, _ in panels for w in works):
        return None
    with style():
        figure, axes = plt.subplots(1, 2, figsize=(WIDTH_CM * CM, 8.2 * CM), layout="constrained")
        for axis, (works, letter, label) in zip(axes, panels, strict=True):
            for k, (line, peers) in enumerate(LINES.items()):
                points = [(getattr(w.size, letter), s) for w in works if (s := _fastest(results, w, peers)) is not None]
                if points:
                    axis.plot(
                        *zip(*points, strict=True), label=PEERS[line].title, color=COLOURS[k], linestyle=DASHES[k],
                        marker=MARKERS[k], markersize=4, linewidth=2 if line in OURS else 1.2,
                    )  # fmt: skip
            floor = [(getattr(w.size, letter), row["floor"]["seconds"]) for w in works if (row := _row(results, w))]
            if floor:
                axis.plot(*zip(*floor, strict=True), label="floor", color="#888888", linewidth=1)
            axis.set(xscale="log", yscale="log", xlabel=label)
        axes[0].set_ylabel("seconds for value and gradient")
        handles, names = axes[0].get_legend_handles_labels()
        figure.legend(handles, names, loc="outside lower center", ncols=4)
        found = saved(figure, path)[0]
        plt.close(figure)
    return found


def _row(results: Results, work: Work) -> dict[str, Any] | None:
    return results.races.get(work.key)


def _fastest(results: Results, work: Work, peers: tuple[str, ...]) -> float | None:
    row = _row(results, work)
    found = [s for p in peers if row and (s := seconds(row, p)) is not None]
    return min(found) if found else None
