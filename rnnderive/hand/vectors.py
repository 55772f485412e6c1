"""Test vectors: inputs, parameters, every intermediate, outputs and gradients, in a file for any language.

What stands in a file is what a kernel reads and what it should give.  The numbers are those of the derived
programs in double precision, taken at exactly the inputs that the file holds, then rounded.
"""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from rnnderive import files
from rnnderive.checks.points import Point, point, sizes_for
from rnnderive.errors import InputError
from rnnderive.hand.problem import Problem
from rnnderive.language import Recurrence
from rnnderive.weights.sizes import from_widths, solved

__all__ = ["DTYPES", "FORMATS", "Vectors", "vectors", "writer_for"]

DTYPES = ("float64", "float32", "float16")

NOTE = """\
Test vectors of a recurrent network and its gradient, {about[dtype]}.

The network:
{cell}

Its gradient (dX of a sequence X is the total derivative of the loss in X[t]; delta_X that before X's function):
{adjoint}

Arrays by name:
  params.NAME   parameters
  inputs.NAME   input sequences, targets, initial states (NAME0 is the state before the first step)
  values.NAME   every intermediate and output, forward
  adjoint.NAME  every intermediate, backward
  loss          {loss}
  grads.NAME    the loss differentiated in params.NAME or inputs.NAME, in its shape

Layout: {layout}
Arrays are row-major: the last index runs fastest. A matrix W of shape (rows, columns) stands on the left of a
column, W @ x. {axes}

All numbers are those of double precision at exactly the params and inputs of this file{rounded}.
Sizes: {sizes}. Drawn with the seed {about[seed]}. {names}
"""
OWN = "the cell's own: names and shapes as in the equations above."
OTHER = """{name}. Each of its arrays, in terms of the cell's ([a ; b] one below the other, [a | b] side by side,
W[x] the columns of W that meet x, .T transposed, numbers are shares of what is added):
{lines}
What no line mentions has the cell's own name and shape."""


@dataclass(frozen=True, eq=False)
class Vectors:
    """Arrays to hold another implementation against; made by :func:`vectors`.

    Attributes
    ----------
    arrays : dict
        ``params.W``, ``inputs.x``, ``values.h``, ``adjoint.dh``, ``grads.W``, ``loss`` → array.
    about : dict
        Plain data: the cell's equations, layout, dtype, seed, T, B, sizes.
    note : str
        How to read them; it travels in the file.
    """

    arrays: dict[str, Any]
    about: dict[str, Any]
    note: str

    def group(self, name: str) -> dict[str, Any]:
        """The arrays of one group by their own names: ``group("grads")``."""
        return {n.partition(".")[2]: a for n, a in self.arrays.items() if n.startswith(f"{name}.")}

    def write(self, path: str | Path) -> Path:
        """Write a file: .npz, .safetensors or .json; whole, or not at all.

        The same vectors give the same bytes.

        Raises
        ------
        InputError
            For another kind of file, and when it cannot be written.
        """
        path = Path(path)
        content = writer_for(path)(self)
        with files.whole(path) as draft:
            draft.write_bytes(content)
        return path


def vectors(
    net: Recurrence,
    *,
    T: int = 7,
    batch: int | None = 3,
    sizes: Mapping[str, int] | None = None,
    seed: int = 0,
    dtype: str = "float64",
    layout: Any = None,
) -> Vectors:
    """Draw inputs and parameters, and compute all that follows from them.

    Parameters
    ----------
    net : Recurrence
        With a loss; :func:`~rnnderive.hand.problem.with_upstream` gives it upstream gradients instead.
    T : int
    batch : int or None
        None is one sequence without a batch axis.
    sizes : mapping, optional
        Widths by name, ``{"h": 64}``; those not given are small, and all differ.
    seed : int
    dtype : {"float64", "float32", "float16"}
        Of the file; what is computed is computed in float64.
    layout : str, mapping or Layout, optional
        Of another implementation's arrays: ``"pytorch"``, ``"keras"``, …, or equations
        (:mod:`rnnderive.hand.layouts`).

    Raises
    ------
    InputError
        For an unknown dtype, layout or width, or an array of the layout that the cell has no counterpart of.

    Examples
    --------
    >>> import rnnderive as rd
    >>> found = vectors(rd.cells.lstm(), T=4, batch=2, dtype="float32", layout="pytorch")
    >>> found.arrays["params.weight_ih_l0"].shape == found.arrays["grads.weight_ih_l0"].shape
    True
    >>> found.arrays["values.h"].shape, found.about["layout"]
    ((4, 2, 5), 'pytorch')
    """
    from rnnderive.hand.layouts import Layout
    from rnnderive.hand.placed import Placed
    from rnnderive.hand.presets import preset

    if dtype not in DTYPES:
        raise InputError(f"found dtype {dtype!r}; expected {', '.join(DTYPES)}")
    problem = Problem(net, T, batch, seed)
    numbers = _sizes(problem, sizes or {})
    named = isinstance(layout, str) and "=" not in layout
    lies = preset(layout, net) if named else Layout.of(layout)
    placed = Placed(lies, problem, numbers, T, batch)
    drawn = point(net, T=T, batch=batch, seed=seed, sizes=numbers)
    own = {n: _rounded(a, dtype) for n, a in placed.arrays(drawn).items() if not _absent(placed, n)}
    at = _completed(placed.point(own), drawn, placed)
    found = dict(problem.run(at))
    arrays = {f"{_group(placed, n)}.{n}": a for n, a in own.items()}
    arrays |= {n: _rounded(a, dtype) for n, a in _computed(placed, found).items()}
    about = {
        "format": "rnnderive vectors 1", "cell": str(net), "layout": layout if named else str(lies), "dtype": dtype,
        "seed": seed, "T": T, "B": batch, "sizes": {str(s): n for s, n in numbers.items()},
        "shapes": {n: list(np.shape(a)) for n, a in arrays.items()},
    }  # fmt: skip
    return Vectors(arrays, about, _note(problem, about, lies))


def _sizes(problem: Problem, widths: Mapping[str, int]) -> dict[Any, int]:
    """A number for every size: those asked for, and others that differ from them."""
    shapes, known = from_widths(problem.net, widths)
    known = solved(problem.net, shapes, known)
    taken = (problem.T, problem.batch or 1, 1, *known.values())
    return {**sizes_for(problem.net, taken), **known}


def _rounded(array: Any, dtype: str) -> Any:
    """An array of the file: its numbers little-endian, whole numbers as they are."""
    array = np.asarray(array)  # a list of steps is an array whose first axis is time
    return array.astype(np.dtype(dtype).newbyteorder("<") if array.dtype.kind == "f" else "<i8", order="C")


def _absent(placed: Any, name: str) -> bool:
    return set(placed.entries[name].part.names) <= set(placed.layout.absent)


def _completed(at: Point, drawn: Point, placed: Any) -> Point:
    """The point of the rounded arrays; what the layout has no place for is zero."""
    zeros = {n: np.zeros_like(drawn[n]) for n in placed.layout.absent}
    params = {**at.params, **{n: a for n, a in zeros.items() if n in drawn.params}}
    inputs = {**at.inputs, **{n: a for n, a in zeros.items() if n in drawn.inputs}}
    if "T" in drawn.inputs:
        inputs["T"] = drawn.inputs["T"]
    return replace(at, params=params, inputs=inputs)


def _group(placed: Any, name: str) -> str:
    return "params" if placed.about(placed.entries[name]) == "parameter" else "inputs"


def _computed(placed: Any, found: Mapping[str, Any]) -> dict[str, Any]:
    """Everything that follows from the inputs, by its name in the file."""
    problem = placed.problem
    net, gradients = problem.net, problem.gradients
    out = {}
    for e in net.equations:
        if e.name != net.loss and e.name not in placed.layout.mentioned:
            out[f"values.{e.name}"] = found[e.name]
    for name, entry in placed.entries.items():
        if placed.about(entry) in ("sequence", "inner"):
            group = "values" if placed.about(entry) == "sequence" else "adjoint"
            out[f"{group}.{name}"] = _packed(entry, placed.matrix(entry).forward(found))
    for e in problem.derivation.adjoint.equations:
        if e.name not in net and e.name not in gradients.values() and e.name not in placed.layout.mentioned:
            out[f"adjoint.{e.name}"] = found[e.name]
    out["loss"] = np.sum(found[net.loss])
    grads = {n: found[g] for n, g in gradients.items()}
    for name, entry in placed.entries.items():
        given = placed.about(entry) in ("parameter", "input") and not _absent(placed, name)
        if given and set(entry.part.names) <= set(grads) and not (entry.axes and entry.axes.picked):
            out[f"grads.{name}"] = _packed(entry, _gradient(placed, name, entry, grads))
    return out


def _packed(entry: Any, array: Any) -> Any:
    return entry.axes.pack(array) if entry.axes else array


def _gradient(placed: Any, name: str, entry: Any, grads: Mapping[str, Any]) -> Any:
    """The gradient in an array of the layout: the cell's, whole for each of several that are added."""
    matrix = placed.matrix(entry)
    if not matrix.factor.all():
        raise InputError(
            f"{name} has entries that the cell has no counterpart of, so that their gradient is not known; expected a "
            "cell with all of the layout's biases, or another layout"
        )
    shared = np.concatenate([placed._sources[n][1].ravel() for n in matrix.shapes])[matrix.source]
    flat = np.concatenate([np.asarray(grads[n]).ravel() for n in matrix.shapes])[matrix.source]
    return flat * np.where(shared, np.sign(matrix.factor), 1 / matrix.factor)


def _note(problem: Problem, about: Mapping[str, Any], layout: Any) -> str:
    batch = about["B"]
    backward = [str(e) for e in problem.derivation.adjoint.equations if e.name not in problem.net]
    name = about["layout"] if "=" not in about["layout"] else "of its own"
    return NOTE.format(
        about=about,
        cell=about["cell"],
        adjoint="\n".join(backward),
        loss="a number" if batch is None else "a number: the sum over the batch",
        layout=OTHER.format(name=name, lines=layout) if layout.entries or layout.absent else OWN,
        axes="A sequence is (T, n)." if batch is None else "A sequence is (T, B, n), an initial state (B, n).",
        sizes=", ".join(f"{k} = {v}" for k, v in {"T": about["T"], "B": batch, **about["sizes"]}.items() if v),
        rounded="" if about["dtype"] == "float64" else f", then rounded to {about['dtype']}",
        names=f"Initial states are {', '.join(s)}." if (s := problem.net.initial_states) else "",
    )


# ---------------------------------------------------------------- files


def _npz(found: Vectors) -> bytes:
    """NumPy's archive, not compressed, dated 1980; the note is its entry ``note``, the facts ``about`` as JSON."""
    more = {"note": np.array(found.note), "about": np.array(_json_text(found.about))}
    page = io.BytesIO()
    with zipfile.ZipFile(page, "w") as packed:
        for name, array in {**found.arrays, **more}.items():
            entry = zipfile.ZipInfo(f"{name}.npy", (1980, 1, 1, 0, 0, 0))
            entry.create_system = 3  # the same on every system
            inside = io.BytesIO()
            np.lib.format.write_array(inside, array, allow_pickle=False)
            packed.writestr(entry, inside.getvalue())
    return page.getvalue()


SAFETENSORS = {"<f8": "F64", "<f4": "F32", "<f2": "F16", "<i8": "I64"}


def _safetensors(found: Vectors) -> bytes:
    """The format's header (its length, then JSON, padded to 8 bytes) and the arrays, the widest first."""
    header: dict[str, Any] = {"__metadata__": {"note": found.note, "about": _json_text(found.about)}}
    body = []
    start = 0
    for name in sorted(found.arrays, key=lambda n: (-found.arrays[n].itemsize, n)):
        data = found.arrays[name].tobytes()
        kind, shape = SAFETENSORS[found.arrays[name].dtype.str], list(found.arrays[name].shape)
        header[name] = {"dtype": kind, "shape": shape, "data_offsets": [start, start + len(data)]}
        body.append(data)
        start += len(data)
    text = _json_text(header).encode()
    text += b" " * (-len(text) % 8)
    return len(text).to_bytes(8, "little") + text + b"".join(body)


def _json(found: Vectors) -> bytes:
    """``{"note", "about", "arrays": {name: {"shape", "dtype", "data"}}}``, the data in a row, row-major."""
    arrays = {
        n: {"shape": list(a.shape), "dtype": a.dtype.name, "data": a.ravel().tolist()} for n, a in found.arrays.items()
    }
    return (_json_text({"note": found.note, "about": found.about, "arrays": arrays}) + "\n").encode()


def _json_text(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def writer_for(path: Path) -> Callable[[Vectors], bytes]:
    """What makes the content of a file, by the ending of its name.

    Raises
    ------
    InputError
        For another ending.
    """
    if path.suffix not in FORMATS:
        raise InputError(f"found {path.name!r}; expected a name that ends in {', '.join(FORMATS)}")
    return FORMATS[path.suffix]


FORMATS: dict[str, Callable[[Vectors], bytes]] = {".npz": _npz, ".safetensors": _safetensors, ".json": _json}
