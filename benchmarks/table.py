"""Who takes part: a name, a module of ``benchmarks.peers``, its options and its environment."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

__all__ = ["OURS", "PEERS", "Peer", "environment"]

THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS", "NPROC")


@dataclass(frozen=True)
class Peer:
    """A contestant; those of the same module and environment could share a process, but each has its own."""

    name: str
    title: str
    module: str
    distribution: str
    options: Mapping[str, Any] = field(default_factory=dict)
    flags: str = ""


PEERS = {
    peer.name: peer
    for peer in (
        Peer("numpy", "ours, NumPy", "ours", "numpy"),
        Peer("reuse", "ours, NumPy, workspace reused", "ours", "numpy", {"reuse": True}),
        Peer("numba", "ours, Numba", "ours", "numba", {"backend": "numba"}),
        Peer("plain", "NumPy by hand", "plain", "numpy"),
        Peer("torch", "PyTorch", "pytorch", "torch"),
        Peer("jax", "JAX", "jax_scan", "jax"),
        Peer("jax_tuned", "JAX, unrolled by 4", "jax_scan", "jax", {"unroll": 4}),
        Peer("autograd", "HIPS autograd", "hips_autograd", "autograd"),
        Peer("pytensor", "PyTensor", "pytensor_scan", "pytensor"),
        Peer("casadi", "CasADi", "casadi_graph", "casadi"),
    )
}
OURS = ("numpy", "reuse", "numba")


def environment(threads: int, flags: str = "") -> dict[str, str]:
    """What holds every library to so many threads; XLA counts the processors it may use instead."""
    return {name: str(threads) for name in THREADS} | ({"XLA_FLAGS": flags} if flags else {})
