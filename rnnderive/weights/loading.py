"""Loading a model: its recurrence, its parameters, and what had to be assumed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import pairwise, permutations
from pathlib import Path
from typing import Any

import numpy as np

from rnnderive.cells import LIBRARY
from rnnderive.cells.anatomy import Anatomy
from rnnderive.errors import InputError
from rnnderive.language import FUNCTIONS, Recurrence
from rnnderive.weights.files import Checkpoint, read_checkpoint
from rnnderive.weights.layouts import Layer
from rnnderive.weights.networks import FORMS, Form, core, headed, parameters
from rnnderive.weights.recognise import Linear, linear_layers, recurrent_layers
from rnnderive.weights.sizes import solved

__all__ = ["Model", "load"]

MOST_STACKED = 5  # layers of which a stack is tried, for a hint


@dataclass(frozen=True)
class Model:
    """A recurrence with its parameters; ``net, params = model`` takes it apart.

    Attributes
    ----------
    net : Recurrence
    params : dict
        Parameter → array.
    layer : str
        What was found in the file, in words.
    notes : tuple of str
        What the file does not say and was assumed.
    """

    net: Recurrence
    params: dict[str, Any]
    layer: str = ""
    notes: tuple[str, ...] = ()

    def __iter__(self) -> Iterator[Any]:
        yield self.net
        yield self.params


def load(
    path: str | Path,
    net: Recurrence | None = None,
    *,
    layer: str | Sequence[str] | None = None,
    kind: str | None = None,
    activation: str | None = None,
    readout: str | bool = True,
    loss: str | None = "sum",
    at: str = "last",
    target: str = "target",
    names: Mapping[str, str] | None = None,
    partial: bool = False,
    dtype: Any = None,
) -> Model:
    """Read the parameters of a recurrent model, and its equations.

    Files of PyTorch (``.safetensors``; ``.pt`` and ``.pth`` through its safe loader, where torch
    is installed), Keras (``.keras``, ``.weights.h5``), ONNX, and ``.npz``.  Nothing in a file is
    run.  The recurrent layers are recognised by their names and shapes.

    Parameters
    ----------
    path : str or path
    net : Recurrence, optional
        The recurrence whose parameters are wanted.  Its core has to be what the file holds: the
        library's cell under :func:`~rnnderive.cells.stack` and
        :func:`~rnnderive.cells.bidirectional`, or one whose parameters the file has by name.
    layer : str or sequence of str, optional
        Which recurrent layer, where the file has several; several names are stacked, from the
        input upwards.
    kind : str, optional
        A key of :data:`~rnnderive.weights.networks.FORMS`, where the file does not tell it.
    activation : str, optional
        The function of a plain recurrent layer, where the file does not tell it (tanh otherwise).
    readout : str or bool
        The linear layer that reads the last state: its name, True for the only one that fits
        (none, if several do), False for none.
    loss : {"sum", "squared_error", "cross_entropy", "binary_cross_entropy", "log_loss"} or None
        A file has no loss.  ``"sum"`` adds the entries of the last prediction or state and needs
        no target.
    at : {"last", "every"}
        Where the loss is taken.
    target : str
        What the target of the loss is called.
    names : mapping, optional
        Parameter of `net` → name of its array in the file, for what is not recognised.
    partial : bool
        Whether parameters of `net` may be missing from the file.
    dtype : dtype, optional
        What the arrays are turned into; by default they stay as they are.

    Returns
    -------
    Model

    Raises
    ------
    InputError
        For files that are damaged or of unknown format, packages that are not installed, values
        that are not finite, several layers to choose from, and arrays that do not fit `net`.

    Examples
    --------
    >>> import tempfile, numpy as np
    >>> rng = np.random.default_rng(0)
    >>> state = {"rnn.weight_ih_l0": rng.normal(size=(12, 2)), "rnn.weight_hh_l0": rng.normal(size=(12, 4)),
    ...          "rnn.bias_ih_l0": np.zeros(12), "rnn.bias_hh_l0": np.ones(12)}
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     np.savez(f"{folder}/gru.npz", **state)
    ...     model = load(f"{folder}/gru.npz")
    >>> model.layer
    'rnn: gru_reset_after, 1 layer, forward, 2 inputs, 4 units'
    >>> net, params = model
    >>> print(net["n"], net["L"], sep="\\n")
    n[t] = tanh(W_n @ x[t] + b_n + r[t] * (U_n @ h[t-1] + c_n))
    L = sum(h[T])
    """
    if at not in ("last", "every"):
        raise InputError(f"found at={at!r}, expected 'last' or 'every'")
    file = read_checkpoint(path)
    if net is not None and names is None and set(net.parameters) <= file.arrays.keys():
        names = {n: n for n in net.parameters}
    chosen = {} if names is None else _by_name(file, net, names)
    if net is not None and set(net.parameters) <= chosen.keys():
        return _finished(file, Model(net, chosen, "arrays by name"), dtype)
    layers = recurrent_layers(file)
    if not layers and net is None:
        return _finished(file, _of_library(file), dtype)
    found = _typed(_choose(file, layers, layer), kind)
    candidates = [r for r in linear_layers(file) if np.shape(r.W)[1] == sum(h.width for h in found.levels[-1])]
    linear, notes = _readout(file, candidates, readout)
    notes = (*found.notes, *notes)
    if net is None:
        model = _recognised(found, linear, activation, loss, at, target, notes)
    else:
        model = _fitted(file, net, found, linear, activation, chosen, notes, partial)
    return _finished(file, model, dtype)


# ---------------------------------------------------------------- choosing


def _choose(file: Checkpoint, layers: list[Layer], wanted: str | Sequence[str] | None) -> Layer:
    """The layer asked for, or the only one; several are put on top of each other."""
    if not layers:
        shown = ", ".join(f"{n} {np.shape(a)}" for n, a in list(file.arrays.items())[:6])
        raise InputError(
            f"{file.path} holds no recurrent layer that is known here; it has {shown}"
            f"{', …' if len(file.arrays) > 6 else ''}. Give net and names={{parameter: array}}"
        )
    listed = "; ".join(map(str, layers))
    if wanted is None:
        if len(layers) > 1:
            above = _fitting(layers)
            names = ", ".join(repr(la.name) for la in above)
            more = f", or put those that fit on top of each other with layer=({names})" if above else ""
            raise InputError(
                f"{file.path} holds {len(layers)} recurrent layers: {listed}. Choose one with layer={layers[0].name!r}"
                f"{more}"
            )
        return layers[0]
    asked = [wanted] if isinstance(wanted, str) else list(wanted)
    table = {la.name: la for la in layers}
    missing = [a for a in asked if a not in table]
    if missing or not asked:
        raise InputError(f"{file.path} has no recurrent layer {', '.join(map(repr, missing))}; it has {listed}")
    picked = [table[a] for a in asked]
    return picked[0] if len(picked) == 1 else _stacked(picked)


def _fitting(layers: list[Layer]) -> tuple[Layer, ...]:
    """Layers that make one stack, from the input upwards, the most of them; none where no two fit."""
    few = layers[:MOST_STACKED]
    for count in range(len(few), 1, -1):
        for order in permutations(few, count):
            with suppress(InputError):
                _stacked(list(order))
                return order
    return ()


def _stacked(picked: list[Layer]) -> Layer:
    first = picked[0]
    for below, above in pairwise(picked):
        given = sum(h.width for h in below.levels[-1])
        alike = (below.kind, below.activations, below.backward, len(below.levels[0])) == (
            above.kind, above.activations, above.backward, len(above.levels[0]),
        )  # fmt: skip
        if not alike or given != above.levels[0][0].inputs:
            raise InputError(f"these layers do not make one stack: {below}; {above}")
        if below.last:
            raise InputError(f"{below.name} passes on its last state alone, so that no layer can read its sequence")
    return replace(
        first, name=" + ".join(p.name for p in picked), levels=sum((p.levels for p in picked), ()),
        last=picked[-1].last, notes=sum((p.notes for p in picked), ()),
    )  # fmt: skip


def _typed(layer: Layer, kind: str | None) -> Layer:
    """A layer whose kind is settled."""
    if kind is not None and kind not in FORMS:
        raise InputError(f"unknown kind {kind!r}; known: {', '.join(FORMS)}")
    if kind is not None and layer.kind != kind and not (layer.kind == "gru" and kind.startswith("gru")):
        raise InputError(f"found kind={kind!r}, but the file says {layer}")
    if layer.kind == "gru" and kind is None:
        raise InputError(
            f"{layer.name} is a GRU without a bias, and the file does not tell whether its reset gate acts before or "
            "after the matrix product: give kind='gru_reset_after' (Keras's default) or kind='gru_reset_before'"
        )
    return replace(layer, kind=kind or layer.kind)


def _readout(file: Checkpoint, candidates: list[Linear], wanted: str | bool) -> tuple[Linear | None, tuple[str, ...]]:
    """The linear layer on the last state."""
    if isinstance(wanted, str):
        named = [c for c in linear_layers(file) if c.name == wanted]
        if not named:
            every = ", ".join(c.name for c in linear_layers(file)) or "none"
            raise InputError(f"{file.path} has no linear layer {wanted!r}; it has {every}")
        return named[0], ()
    if not wanted:
        return None, ()
    # An embedding is a matrix without a bias too.
    picked = candidates if len(candidates) == 1 else [c for c in candidates if c.b is not None]
    if len(picked) == 1:
        return picked[0], (f"{picked[0].name} is taken for the layer that reads the last state",)
    if picked:
        every = ", ".join(c.name for c in picked)
        return None, (f"several linear layers fit the last state ({every}); none is used: choose with readout=…",)
    return None, ()


# ---------------------------------------------------------------- building


def _recognised(
    found: Layer, linear: Linear | None, activation: str | None, loss: str | None, at: str, target: str,
    notes: tuple[str, ...],
) -> Model:  # fmt: skip
    form = FORMS[found.kind][0]
    if found.kind == "rnn" and not found.activations and activation is None:
        notes += ("the file does not tell the activation of a plain recurrent layer; tanh is assumed",)
    if activation is not None and (found.kind != "rnn" or found.activations):
        raise InputError(f"activation={activation!r} is for a plain recurrent layer whose file does not tell it")
    if loss is not None:
        notes += (f"a file of weights has no loss; loss={loss!r} was chosen",)
    whole, head = headed(core(form, found, activation), found, linear, loss, at, target)
    return Model(whole, {**(parameters(form, found) or {}), **head}, str(found), notes)


def _fitted(
    file: Checkpoint, net: Recurrence, found: Layer, linear: Linear | None, activation: str | None,
    chosen: Mapping[str, Any], notes: tuple[str, ...], partial: bool,
) -> Model:  # fmt: skip
    """The parameters of a recurrence that was given."""
    own = _equations(net, Anatomy.of(net).core)
    tried = []
    functions = [activation] if activation or found.kind != "rnn" or found.activations else list(FUNCTIONS)
    for form in FORMS[found.kind]:
        for function in functions:
            candidate = core(form, found, function)
            tried.append(candidate)
            if _equations(candidate, (e.name for e in candidate.equations)) == own:
                return _filled(file, net, form, found, linear, chosen, notes, partial)
    raise InputError(
        f"the file does not fit the recurrence.\n  In the file: {found}:\n    "
        + str(tried[0]).replace("\n", "\n    ")
        + "\n  The recurrence given:\n    "
        + "\n    ".join(sorted(own))
        + "\nLoad without net= to get the file's own, or give names={parameter: array}"
    )


def _filled(
    file: Checkpoint, net: Recurrence, form: Form, found: Layer, linear: Linear | None,
    chosen: Mapping[str, Any], notes: tuple[str, ...], partial: bool,
) -> Model:  # fmt: skip
    params = parameters(form, found)
    if params is None:
        raise InputError(
            f"{file.path}: the candidate of {found.name} has a bias, which these equations do not have; "
            "load without net= to get the file's own"
        )
    params = {**params, **_head(net, params, linear), **chosen}
    missing = [n for n in net.parameters if n not in params]
    if missing and not partial:
        raise InputError(
            f"{file.path} does not give {', '.join(missing)}. Say where they are, with readout='name of the linear "
            "layer' or names={parameter: array}; or load in Python with partial=True and draw them with initialise"
        )
    return Model(net, {n: params[n] for n in net.parameters if n in params}, str(found), notes)


def _equations(net: Recurrence, names: Iterable[str]) -> set[str]:
    return {str(net[n]) for n in names}


def _head(net: Recurrence, params: Mapping[str, Any], linear: Linear | None) -> dict[str, Any]:
    """The head's parameters, where it is one linear layer."""
    rest = [n for n in net.parameters if n not in params]
    matrices, vectors = ([n for n in rest if (net.shape(n)[1] == 1) == flat] for flat in (False, True))
    if linear is None or len(matrices) != 1 or len(vectors) > 1 or (linear.b is not None and not vectors):
        return {}
    W = np.asarray(linear.W)
    b = np.zeros(len(W), W.dtype) if linear.b is None else linear.b
    return {matrices[0]: W, **dict.fromkeys(vectors, b)}


def _by_name(file: Checkpoint, net: Recurrence | None, names: Mapping[str, str]) -> dict[str, Any]:
    if net is None:
        raise InputError("names= is about the parameters of a recurrence; give net= too")
    out = {}
    for parameter, name in names.items():
        if parameter not in net.parameters:
            raise InputError(f"there is no parameter {parameter!r}; there are {', '.join(net.parameters)}")
        if name not in file.arrays:
            raise InputError(f"{file.path} has no array {name!r}; it has {', '.join(list(file.arrays)[:20])}")
        out[parameter] = file.arrays[name]
    return out


def _of_library(file: Checkpoint) -> Model:
    """A cell of the library whose parameters the file has by name."""
    fitting = {
        str(cell): (name, cell)
        for name, make in LIBRARY.items()
        if set((cell := make()).parameters) == file.arrays.keys()
    }
    if len(fitting) != 1:
        _choose(file, [], None)
    name, cell = next(iter(fitting.values()))
    return Model(cell, dict(file.arrays), f"the parameters of {name}, by name")


def _finished(file: Checkpoint, model: Model, dtype: Any) -> Model:
    """Arrays checked against the recurrence, and in the dtype asked for."""
    params = {}
    whole = sorted({str(np.asarray(a).dtype) for a in model.params.values() if np.asarray(a).dtype.kind != "f"})
    notes = model.notes
    if whole:
        notes += (f"weights of {', '.join(whole)} are read as they are, not scaled: are they quantised?",)
    for name, array in model.params.items():
        array = np.array(array, dtype=dtype or (array.dtype if array.dtype.kind == "f" else float))
        if not np.isfinite(array).all():
            own = ((n, a) for n, a in file.arrays.items() if not np.isfinite(a).all())
            name, array = next(own, (name, array))  # as the file calls it; a sum of two may be what is not finite
            place = tuple(int(k) for k in np.argwhere(~np.isfinite(array))[0])
            raise InputError(f"{file.path}: {name}{list(place)} is {array[place]}; expected finite numbers")
        params[name] = array
    try:
        solved(model.net, {n: a.shape for n, a in params.items()})
    except InputError as error:
        raise InputError(f"{file.path} does not fit the recurrence: {error}") from None
    return replace(model, params=params, notes=notes)
