"""What was measured, in a file that is written after every measurement, so that a run can be taken up again."""

from __future__ import annotations

import hashlib
import json
import os
import platform
import re
from dataclasses import dataclass, field, replace
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.clock import median, noise
from benchmarks.table import OURS

__all__ = ["STUDIED", "Results", "ratio", "stamp", "trust"]

HERE = Path(__file__).parent
# What a measurement depends on; prose, tables and the figure are not among it.
MEASURED = (
    *(f"benchmarks/{name}.py" for name in ("clock", "floor", "race", "table", "work", "worker")),
    "benchmarks/peers/*.py",
    "rnnderive/derivation.py",
    *(f"rnnderive/{room}/**/*.py" for room in ("language", "cells", "calculus", "programs")),
)
STUDIED = (*MEASURED, "benchmarks/studies/*.py")
DISTRIBUTIONS = ("numpy", "numba", "torch", "jax", "autograd", "pytensor", "casadi", "sympy", "tensorgrad")


@dataclass
class Results:
    """Sections of a JSON file.

    Attributes
    ----------
    path : Path
    races : dict
        Key of a work → its row, as :func:`benchmarks.race.race` makes them.
    studies : dict
        Name of a study → what it measured.
    """

    path: Path
    races: dict[str, Any] = field(default_factory=dict)
    studies: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def read(cls, path: Path) -> Results:
        """The results of an earlier run, or none."""
        if not path.exists():
            return cls(path)
        found = json.loads(path.read_text("utf-8"))
        return cls(path, found["races"], found["studies"])

    def by_processor(self) -> Results:
        """The same with the processor's clock in place of the wall's: for a machine that has other work.

        Works on several threads stay out: there the processor's seconds add up.
        """
        races = {}
        for key, row in self.races.items():
            if key.endswith(" 1"):
                peers = {p: {**found, "wall": found.get("cpu", [])} for p, found in row["peers"].items()}
                races[key] = {**row, "peers": peers, "calibration": {"wall": row["calibration"]["cpu"]}}
        return replace(self, races=races)

    def has(self, key: str) -> bool:
        """Whether a work or a study was measured on this machine with the code as it is."""
        if key in self.studies:
            return bool(self.studies[key]["of"] == stamp(STUDIED))
        return self.races.get(key, {}).get("of") == stamp()

    def save(self) -> None:
        """Write the file beside its place, and move it there when it is whole."""
        whole = {"machine": machine(), "races": self.races, "studies": self.studies}
        self.path.parent.mkdir(parents=True, exist_ok=True)
        partial = self.path.with_suffix(".partial")
        partial.write_text(json.dumps(whole, indent=1, default=float) + "\n", "utf-8")
        partial.replace(self.path)


def machine() -> dict[str, Any]:
    """The processor, the versions, and the BLAS of NumPy."""
    versions = {}
    for name in DISTRIBUTIONS:
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return {
        "processor": processor(), "cores": os.cpu_count(), "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(), "versions": versions, "blas": blas(),
    }  # fmt: skip


@cache
def stamp(measured: tuple[str, ...] = MEASURED) -> str:
    """What a measurement is of: the processor and the state of the code."""
    root, digest = HERE.parent, hashlib.sha256()
    for path in sorted({path for pattern in measured for path in root.glob(pattern)}):
        digest.update(path.read_bytes())
    return f"{processor()}; {digest.hexdigest()[:12]}"


def processor() -> str:
    """Its name and the widest vectors it has."""
    info = Path("/proc/cpuinfo")
    text = info.read_text() if info.exists() else ""
    name = re.search(r"model name\s*: (.*)", text)
    wide = next((w for flag, w in (("avx512f", "AVX-512"), ("avx2", "AVX2")) if re.search(rf"\b{flag}\b", text)), "")
    return ", ".join(filter(None, [name[1] if name else platform.processor() or platform.machine(), wide]))


def blas() -> str:
    """Which BLAS NumPy calls, and which kernels it chose."""
    from threadpoolctl import threadpool_info

    found = [i for i in threadpool_info() if i["user_api"] == "blas"]
    return ", ".join(f"{i['internal_api']} {i['version']} {i.get('architecture', '')}".strip() for i in found)


def seconds(row: dict[str, Any], peer: str) -> float | None:
    """The median of a contestant's samples, None where it has none."""
    walls = row["peers"].get(peer, {}).get("wall")
    return median(walls) if walls else None


def ratio(row: dict[str, Any], peer: str, ours: str) -> float | None:
    """The median over rounds of a contestant's time over ours in the same round."""
    theirs, mine = (row["peers"].get(p, {}).get("wall") or [] for p in (peer, ours))
    pairs = [a / b for a, b in zip(theirs, mine, strict=False)]
    return median(pairs) if pairs else None


def best(row: dict[str, Any], peers: tuple[str, ...] = OURS) -> str | None:
    """Which of them is fastest."""
    found = {p: s for p in peers if (s := seconds(row, p)) is not None}
    return min(found, key=found.__getitem__) if found else None


def trust(row: dict[str, Any], threads: int) -> str:
    """Empty where a row can be trusted, else why not: the machine's speed varied, or it did other things."""
    reasons = []
    if (spread := noise(row["calibration"]["wall"])) > 0.10:
        reasons.append(f"the machine's speed varied by {spread:.0%}")
    lost = [1 - c / w for p in row["peers"].values() for w, c in zip(p.get("wall", ()), p.get("cpu", ()), strict=True)]
    if threads == 1 and lost and (share := float(np.mean(lost))) > 0.03:
        reasons.append(f"{share:.0%} of the time went to other processes")
    return "; ".join(reasons)
