"""Who takes part: a name, a module of ``benchmarks.peers`` and its options."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

__all__ = ["OURS", "PEERS", "Peer", "environment"]

THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS", "NPROC")


@dataclass(frozen=True)
class Peer:
    """A contestant."""

    name: str
    title: str
    module: str
    options: Mapping[str, Any] = field(default_factory=dict)


PEERS = {
    peer.name: peer
    for peer in (
        Peer("numpy", "ours, NumPy", "ours"),
        Peer("reuse", "ours, NumPy, workspace reused", "ours", {"reuse": True}),
        Peer("numba", "ours, Numba", "ours", {"backend": "numba"}),
        Peer("plain", "NumPy by hand", "plain"),
        Peer("torch", "PyTorch", "pytorch"),
        Peer("jax", "JAX", "jax_scan"),
        Peer("jax_tuned", "JAX, unrolled by 4", "jax_scan", {"unroll": 4}),
        Peer("autograd", "HIPS autograd", "hips_autograd"),
        Peer("pytensor", "PyTensor", "pytensor_scan"),
        Peer("casadi", "CasADi", "casadi_graph"),
    )
}
OURS = ("numpy", "reuse", "numba")


def environment(threads: int) -> dict[str, str]:
    """What holds every library to so many threads; XLA counts the processors it may use instead."""
    return {name: str(threads) for name in THREADS}
