"""The options for weights and an input that are given, not drawn: of every command that runs a network on them."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from rnnderive.cli.app import pairs
from rnnderive.cli.wording import READING
from rnnderive.errors import InputError

__all__ = ["Arrays", "Layers", "Read", "Source", "Text", "Unknown", "Unknowns", "Vectors", "Weights", "reading"]


class Unknown(StrEnum):
    """What becomes of a word without a vector."""

    zero = "zero"
    skip = "skip"
    error = "error"


Weights = Annotated[
    Path | None,
    typer.Option("--weights", metavar="FILE", help="From PyTorch, Keras, ONNX or .npz.", show_default=False),
]
Layers = Annotated[
    list[str] | None,
    typer.Option(
        "--layer", metavar="NAME", help="Which recurrent layer of it; several are stacked.", show_default=False
    ),
]
Read = Annotated[
    list[str] | None,
    typer.Option(
        "--read",
        metavar="NAME=VALUE",
        help="What it does not tell: kind, activation, readout, loss, at, target; as in readout=fc.",
        show_default=False,
    ),
]
Arrays = Annotated[
    list[str] | None,
    typer.Option(
        "--array", metavar="PARAMETER=ARRAY", help="Which of its arrays is a parameter of CELL.", show_default=False
    ),
]
Text = Annotated[
    str | None,
    typer.Option(
        "--text",
        metavar="WORDS",
        help="The input, word by word; of random vectors without --vectors.",
        show_default=False,
    ),
]
Vectors = Annotated[
    Path | None,
    typer.Option("--vectors", metavar="FILE", help="Word vectors for it: word2vec or GloVe.", show_default=False),
]
Unknowns = Annotated[
    Unknown | None,
    typer.Option("--unknown", help="What becomes of a word without a vector.", show_default="zero"),
]
Source = Annotated[
    Path | None, typer.Option("--input", metavar="FILE", help="The input as .npy or .csv.", show_default=False)
]


def reading(read: list[str] | None, array: list[str] | None) -> dict[str, Any]:
    """The options of :func:`rnnderive.weights.load`.

    Raises
    ------
    InputError
        For one that is not there, and for what is no NAME=VALUE.
    """
    words = {"true": True, "false": False, "none": None}
    found = {name: words.get(value.lower(), value) for name, value in pairs(read, str)}
    for name in found:
        if name not in READING:
            raise InputError(f"found --read {name}=…; expected one of {', '.join(READING)}")
    if array:
        found["names"] = dict(pairs(array, str))
    return found
