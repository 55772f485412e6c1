"""What the project set out to reach, held against the measurements."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from benchmarks.plan import STANDARD
from benchmarks.results import Results, best, ratio, seconds, trust
from benchmarks.table import OURS, PEERS
from benchmarks.work import SIZES, Work

__all__ = ["Target", "targets"]

NUMPY = ("numpy", "reuse")
JAX = ("jax", "jax_tuned")
OTHERS = tuple(p for p in PEERS if p not in OURS)
LARGEST = ("middle", "large")


@dataclass(frozen=True)
class Target:
    """A claim, how many points it holds at, of how many, and the points where it does not."""

    claim: str
    held: int
    of: int
    misses: tuple[str, ...]


def targets(results: Results) -> list[Target]:
    """Every claim on what was measured; where nothing was, the claim has no points."""
    double, single = ([w for w in points(dtype) if w.key in results.races] for dtype in ("float64", "float32"))
    alone = [w for w in double if w.size.B == 1]
    own = [w for s in SIZES.values() if (w := Work("own", s)).key in results.races]
    largest = [w for w in double if w.size in [SIZES[s] for s in LARGEST]]

    def ahead(claim: str, works: Iterable[Work], ours: tuple[str, ...], peers: Iterable[str], factor: float) -> Target:
        return judged(claim, results, works, lambda row: against(row, ours, peers, factor))

    return [
        ahead("NumPy ahead of PyTorch and autograd, float64", double, NUMPY, ("torch", "autograd"), 1),
        ahead("NumPy ahead of PyTorch and autograd by 5, float64, batch 1", alone, NUMPY, ("torch", "autograd"), 5),
        ahead("NumPy ahead of NumPy by hand, float64", double, NUMPY, ("plain",), 1),
        ahead("the better backend ahead of every peer, float64", double, OURS, OTHERS, 1),
        ahead("the better backend ahead of JAX by 1.2, float64", double, OURS, JAX, 1.2),
        ahead("ahead of JAX, float32", single, OURS, JAX, 1),
        ahead("ahead of PyTorch, float32 (its fused LSTM: within 1.3)", single, OURS, ("torch",), 1 / 1.3),
        judged("within 1.5 of the floor at the two largest sizes, float64", results, largest, near_floor),
        ahead("a cell of nobody's library ahead of NumPy by hand", own, NUMPY, ("plain",), 1),
    ]


def points(dtype: str) -> list[Work]:
    """The works of the tables on one thread."""
    return [Work(n, size, dtype) for n in STANDARD for size in SIZES.values()]


def judged(
    claim: str, results: Results, works: Iterable[Work], misses: Callable[[dict[str, Any]], Iterator[str]]
) -> Target:
    """A claim at some works."""
    works, found, held = list(works), [], 0
    for work in works:
        row = results.races[work.key]
        missed = list(misses(row))
        held += not missed
        doubt = " (not to be trusted)" if missed and trust(row, work.threads) else ""
        if missed:
            found.append(f"{work.network} {work.size}: {', '.join(missed)}{doubt}")
    return Target(claim, held, len(works), tuple(found))


def against(row: dict[str, Any], ours: tuple[str, ...], peers: Iterable[str], factor: float) -> Iterator[str]:
    """Peers that are not `factor` slower than the faster of ours."""
    mine = best(row, ours)
    if mine is None:
        yield "ours has no result"
        return
    for peer in peers:
        found = ratio(row, peer, mine)
        if found is not None and found < factor:
            yield f"{PEERS[peer].title} {found:.2f}"


def near_floor(row: dict[str, Any]) -> Iterator[str]:
    """How far the faster of ours is over the floor, where that is over 1.5."""
    mine = best(row)
    taken = seconds(row, mine) if mine else None
    over = taken / row["floor"]["seconds"] if taken else float("inf")
    if over > 1.5:
        yield f"{over:.2f}"
