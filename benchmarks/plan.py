"""Which works are raced: the points of the tables and those of the figure."""

from __future__ import annotations

from benchmarks.work import SIZES, Size, Work

__all__ = ["AGAINST_N", "AGAINST_T", "works"]

STANDARD = ("rnn", "lstm", "gru", "bilstm", "lstm2")
AGAINST_T = [Work("lstm", Size(T, 1, 32, 64)) for T in (10, 30, 100, 300, 1000)]
AGAINST_N = [Work("lstm", Size(50, 32, n // 2, n)) for n in (8, 16, 32, 64, 128, 256)]


def works(quick: bool = False) -> list[Work]:
    """In the order in which they are run: what says most comes first.

    Two threads are raced where there is a batch to split.
    """
    sizes = {name: SIZES[name] for name in ("tiny", "small", "middle")} if quick else SIZES
    networks = ("lstm", "gru") if quick else STANDARD
    out = [Work(n, size) for size in sizes.values() for n in networks]
    out += [Work("own", size) for size in sizes.values()]
    if quick:
        return out
    out += [w for w in AGAINST_T + AGAINST_N if w not in out]
    out += [Work(n, size, "float32") for size in sizes.values() for n in networks]
    out += [Work(n, s, d, 2) for s in sizes.values() if s.B > 1 for d in ("float64", "float32") for n in networks]
    return out
