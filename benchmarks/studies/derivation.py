"""Seconds to derive and compile a gradient, against the number of steps, and against SymPy's own expansion.

``python -m benchmarks.studies.derivation ours CELL T`` and ``… sympy T`` measure one case in a fresh
process.
"""

from __future__ import annotations

import json
import sys
import time
from typing import Any

from benchmarks.studies.fresh import fresh

__all__ = ["study"]

ME = "benchmarks.studies.derivation"


def study(quick: bool = False) -> dict[str, Any]:
    """Ours at some T and for every cell of the library; SymPy's expansion until it takes a minute."""
    from rnnderive.cells import LIBRARY

    out: dict[str, Any] = {"ours": {}, "sympy": {}, "cells": {}}
    for T in (1, 4, 16) if quick else (1, 4, 16, 100, 1000):
        out["ours"][T] = fresh(ME, "ours", "lstm", T)
    for T in range(1, 4 if quick else 30):
        out["sympy"][T] = fresh(ME, "sympy", T, timeout=5 if quick else 60)
        if "unavailable" in out["sympy"][T]:
            break
    for cell in list(LIBRARY)[: 2 if quick else None]:
        out["cells"][cell] = fresh(ME, "ours", cell, 2)
    return out


def ours(cell: str, T: int) -> dict[str, float]:
    """Seconds to derive and compile, and of the first and a second call at T steps of small vectors."""
    import numpy as np

    import rnnderive as rd
    from rnnderive.checks import point

    net = rd.cells.load(cell)
    start = time.perf_counter()
    program = rd.derive(net).lambdify()
    _ = program.raw
    compiled = time.perf_counter()
    at = point(net, T=T, seed=0)
    calls = []
    for _ in range(2):
        begun = time.perf_counter()
        loss, _ = program(at.params, at.inputs)
        calls.append(time.perf_counter() - begun)
    assert np.isfinite(loss)
    return {"compile": compiled - start, "first": calls[0], "second": calls[1]}


def sympy(T: int) -> dict[str, float]:
    """The loss of a tanh RNN of two units written out in scalars, differentiated in each weight, lambdified."""
    import sympy as sp

    start = time.perf_counter()
    W, U, b, V = (sp.Matrix(2, k, lambda i, j, n=n: sp.Symbol(f"{n}{i}{j}")) for n, k in
                  (("W", 1), ("U", 2), ("b", 1), ("V", 1)))  # fmt: skip
    xs, target, h = sp.symbols(f"x1:{T + 1}"), sp.Symbol("target"), sp.zeros(2, 1)
    for x in xs:
        h = (W * x + U * h + b).applyfunc(sp.tanh)
    loss = ((V.T * h)[0] - target) ** 2 / 2
    weights = [*W, *U, *b, *V]
    gradient = [sp.diff(loss, w) for w in weights]
    sp.lambdify([weights, xs, target], [loss, *gradient], modules="numpy")
    return {"compile": time.perf_counter() - start}


if __name__ == "__main__":
    what, *rest = sys.argv[1:]
    print(json.dumps(ours(rest[0], int(rest[1])) if what == "ours" else sympy(int(rest[0]))))
