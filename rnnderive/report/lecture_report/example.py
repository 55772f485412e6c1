"""The lecture's sentence as numbers: "a cat exists", four components a word."""

from __future__ import annotations

from typing import Any

import numpy as np
import sympy as sp

from rnnderive.language import Recurrence
from rnnderive.report.lecture_report.measures import SEED

__all__ = ["TOKENS", "example"]

# The four components of each word vector that the lecture prints.
TOKENS = {
    "a": (0.45, -1.34, 2.34, -0.45),
    "cat": (-0.21, 0.56, -1.67, -0.05),
    "exists": (0.445, 0.987, -3.42, -0.06),
}


def example(net: Recurrence, seed: int = SEED, units: int = 2) -> tuple[dict[str, Any], dict[str, Any]]:
    """Seeded weights of two digits, and the lecture's three tokens as inputs."""
    rng = np.random.default_rng(seed)
    sizes: dict[Any, int] = {s: units for s in net.sizes}
    sizes[net.shape("x")[0]] = 4
    params: dict[str, Any] = {}
    inputs: dict[str, Any] = {"x": np.array(list(TOKENS.values()))}
    for name in [*net.parameters, *net.initial_states, *net.inputs]:
        if name == "x":
            continue
        rows, columns = (int(sp.sympify(s).subs(sizes)) for s in net.shape(name))
        shape = (rows,) if columns == 1 else (rows, columns)
        if name in net.parameters:
            params[name] = np.round(rng.normal(size=shape), 2)
        elif name in net.initial_states:
            inputs[name] = np.round(rng.uniform(-0.5, 0.5, size=shape), 2)
        else:
            inputs[name] = np.eye(rows)[0]
    return params, inputs
