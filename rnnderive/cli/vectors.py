"""``rnnderive vectors``: test vectors of a cell, for kernels in any language."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from rnnderive.cli.app import Cell, app, load, pairs, size_option
from rnnderive.cli.layouts import Layouts, Upstream, layout_text
from rnnderive.cli.output import out, working

__all__ = ["Precision", "vectors_command"]


class Precision(StrEnum):
    """The numbers of a file; what is computed is computed in float64."""

    float64 = "float64"
    float32 = "float32"
    float16 = "float16"


@app.command("vectors")
def vectors_command(
    cell: Cell,
    output: Annotated[
        Path,
        typer.Option("--output", "-o", metavar="FILE", help="Its ending says how: .npz, .safetensors or .json."),
    ],
    horizon: Annotated[int, typer.Option("--T", metavar="STEPS", min=1, help="Steps of the sequences.")] = 7,
    batch: Annotated[
        int, typer.Option("--batch", metavar="B", min=0, help="How many; 0 is one, without the axis.")
    ] = 3,
    size: Annotated[list[str] | None, size_option("small, all differ")] = None,
    upstream: Upstream = None,
    layout: Layouts = None,
    dtype: Annotated[Precision, typer.Option("--dtype", help="Of the numbers in the file.")] = Precision.float64,
    seed: Annotated[int, typer.Option("--seed", min=0, help="The same seed gives the same bytes.")] = 0,
) -> None:
    """Write inputs, parameters, all intermediates, outputs and all gradients to a file, to test a kernel with.

    How the arrays lie is told inside the file: the entry note of an .npz, the metadata of .safetensors, the field note
    of .json.

    \b
    Examples:
      rnnderive vectors lstm -o vectors.npz
      rnnderive vectors lstm -o lstm.safetensors --layout pytorch --dtype float32 --size h=64 --size x=32
      rnnderive vectors gru_reset_after -o gru.json --layout keras --T 20 --batch 4 --seed 7
      rnnderive vectors my_cell.txt -o step.npz --T 1 --upstream h --upstream C
    """
    from rnnderive.files import check_place
    from rnnderive.hand.problem import with_upstream
    from rnnderive.hand.vectors import vectors, writer_for

    writer_for(output)  # a wrong name is told before anything is computed
    check_place(output)
    net = load(cell, loss=not upstream)
    if upstream:
        net = with_upstream(net, *upstream)
    with working("computing"):
        found = vectors(
            net, T=horizon, batch=batch or None, sizes=dict(pairs(size, int)), seed=seed, dtype=dtype.value,
            layout=layout_text(layout),
        )  # fmt: skip
        found.write(output)
    sizes = {"T": horizon, "B": batch, **found.about["sizes"]}
    told = ", ".join(f"{k} = {v}" for k, v in sizes.items() if v)
    out(f"{output}: {len(found.arrays)} arrays in {dtype.value}, {told}")
