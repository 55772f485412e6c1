"""The report on any cell: its equations, its gradient in every form, its numbers and its checks."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import sympy as sp

from rnnderive.derivation import derive
from rnnderive.language import Recurrence
from rnnderive.language import terms as tm
from rnnderive.report import document as doc
from rnnderive.report import parts
from rnnderive.report.engine import build

__all__ = ["cell_document", "cell_report", "small_point"]


def small_point(net: Recurrence, T: int, seed: int, size: int = 2) -> tuple[dict[str, Any], dict[str, Any]]:
    """Parameters and inputs of small sizes, rounded to two digits so that they can be copied."""
    rng = np.random.default_rng(seed)
    sizes = {s: size for s in net.sizes}
    params: dict[str, Any] = {}
    inputs: dict[str, Any] = {}
    for name in [*net.parameters, *net.inputs, *net.initial_states]:
        rows, columns = (int(sp.sympify(s).subs(sizes)) for s in net.shape(name))
        shape = (rows,) if columns == 1 else (rows, columns)
        if isinstance(net.leaves.get(name), tm.At):
            inputs[name] = np.round(rng.normal(size=(T, *shape)), 2)
        elif name in net.parameters:
            params[name] = np.round(rng.normal(size=shape), 2)
        else:
            inputs[name] = np.round(rng.uniform(0.1, 0.9, size=shape), 2)
    return params, inputs


def cell_document(net: Recurrence, name: str, seed: int = 0, T: int = 3) -> doc.Document:
    """The report as a document tree."""
    d = derive(net)
    first = _leading_parameter(net)
    params, inputs = small_point(net, T, seed)
    sections = [
        parts.model_section(net, T=T),
        doc.Section(f"The gradient in {first}, step by step, for T = {T}", [parts.derivation_steps(d, first, T)]),
        parts.any_length_section(d, net.parameters),
        parts.jacobian_section(d),
        parts.adjoint_section(d),
        parts.component_section(d, first),
        parts.numbers_section(d, params, inputs, first, T),
        parts.verification_section(d, seed),
        parts.code_section(d),
    ]
    sizes = {str(s): 2 for s in net.sizes} | {"T": T}
    lines = parts.footer(f"rnnderive report {name}", seed, sizes)
    return doc.Document(f"The gradient of {name}", sections, footer=lines, contents=True)


def _leading_parameter(net: Recurrence) -> str:
    """The first parameter of a loop, else the first of all."""
    for stage in net.schedule:
        if stage.direction != "all":
            for n in stage.names:
                for leaf in tm.members(net[n].right):
                    if isinstance(leaf, tm.Parameter) and leaf.name in net.parameters:
                        return leaf.name
    return net.parameters[0]


def cell_report(net: Recurrence, name: str, output: str | Path, *, engine: str = "auto", seed: int = 0) -> Path:
    """Write the report on a cell; return the path of the PDF."""
    stem = "".join(c if c.isascii() and c.isalnum() else "_" for c in name) or "cell"
    return build(cell_document(net, name, seed), output, stem, engine=engine).pdf
