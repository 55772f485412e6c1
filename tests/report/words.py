"""English that is left in a text of another language, and every text of a document."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from typing import Any

from rnnderive import printing as pr
from rnnderive.report import document as doc

__all__ = ["english", "said"]

# What a Russian text writes in Latin letters: names of programs, cells, functions and people.
NAMES = {
    "LSTM", "GRU", "RNN", "ReLU", "tanh", "softmax", "diag", "vec", "BPTT", "RTRL", "NumPy", "SymPy", "Typst", "TeX",
    "rnnderive", "numpy", "random", "default_rng", "float64", "max", "exp", "log", "ResNet", "word2vec", "HTML", "PDF",
    "cat", "exists", "target", "float32", "PyTorch", "readout", "loss", "grads", "names", "None",
    "arXiv", "double", "mpmath", "cuDNN", "minGRU", "chrono", "revolve", "artanh", "net",
    "coth", "sup", "det", "SVD", "CMP", "ACM", "TOMS", "III", "Hochreiter", "Schmidhuber", "Pascanu", "Mikolov",
    "Bengio", "Jaitly", "Hinton", "Arjovsky", "Shah", "Simard", "Frasconi", "Newman", "Saxe", "McClelland", "Ganguli",
    "Clark", "Chen", "Pennington", "Schoenholz", "Gers", "Jozefowicz", "Tallec", "Ollivier", "Feng", "Greff", "Zucchet",
    "Orvieto", "Griewank", "Walther", "Cho", "Molgedey", "Schuchhardt", "Schuster",
}  # fmt: skip
# The lecture's own terms, and its example sentences, which stand so on its Russian slides.
TERMS = (
    "forward pass|backward pass|bidirectional|vanilla|long short-term memory|(?:forget|input|output) gate|"
    r"skip connection|\(cell\)|«a cat [a-z ]+»"
)


def english(text: str) -> set[str]:
    """Words of Latin letters that are no names: of three letters and more, and the short ones that English needs."""
    bare = re.sub(rf"(?i)\{{[^{{}}?]*\}}|\{{\w+\?|\$[^$]*\$|`[^`]*`|{TERMS}", " ", text)
    return {w for w in re.findall(r"[A-Za-z_][A-Za-z0-9_]{2,}|\b(?:of|is|in|at|by)\b", bare) if "_" not in w} - NAMES


def said(value: Any) -> Iterator[str]:
    """Every text of a document, but not its formulas, programs and labels."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, list | tuple):
        for v in value:
            yield from said(v)
    elif is_dataclass(value) and not isinstance(value, pr.Math | doc.Code | doc.Listing | doc.Ref | doc.Cite):
        for f in fields(value):
            if f.name not in ("label", "align", "stem", "lang", "image", "math", "command"):
                yield from said(getattr(value, f.name))
