"""What is analysed: a network with weights and an input, drawn or read, with every assumption said."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Any

import numpy as np
import sympy as sp

from rnnderive.chains.state import chains
from rnnderive.checks.points import loss_targets
from rnnderive.errors import InputError
from rnnderive.language import Recurrence
from rnnderive.language import terms as tm
from rnnderive.weights import Inputs, WordVectors, initialise, load, read_inputs, tokens_of
from rnnderive.weights.sizes import solved

__all__ = ["Setting", "setting"]

UNITS, WIDTH, OUTPUTS = 32, 8, 4


@dataclass(frozen=True, eq=False)
class Setting:
    """A network, its parameters, an input, and what was assumed: what :func:`~rnnderive.analyze` takes.

    Attributes
    ----------
    net : Recurrence
    params, inputs : dict
    tokens : tuple of str
        Empty where the input is no text.
    notes : tuple of str
        Where each of them is from.
    """

    net: Recurrence
    params: dict[str, Any]
    inputs: dict[str, Any]
    tokens: tuple[str, ...]
    notes: tuple[str, ...]


def setting(
    net: Recurrence | None = None,
    *,
    weights: str | Path | None = None,
    layer: str | None = None,
    text: str | None = None,
    vectors: str | Path | WordVectors | None = None,
    source: str | Path | None = None,
    T: int = 100,
    batch: int | None = None,
    sizes: Mapping[str, int] | None = None,
    scheme: str = "glorot",
    roles: Mapping[str, Any] | None = None,
    scale: float = 1.0,
    seed: int = 0,
) -> Setting:
    """Put together what an analysis needs, from files or drawn from a seed.

    Parameters
    ----------
    net : Recurrence, optional
        Recognised from the file of weights unless given.
    weights, layer : str or path, optional
        A file of weights, and which of its recurrent layers; see :func:`rnnderive.weights.load`.
        Drawn by `scheme` and `roles` unless given.
    text : str, optional
        The input, word by word.  Without `vectors` every word gets a random vector of its own, of
        the width that the weights ask for.
    vectors : str, path or WordVectors, optional
        Word vectors for `text`.
    source : str or path, optional
        The input from a ``.npy`` or ``.csv`` file.  Without `text` and `source` it is N(0, scale²).
    T, batch : int
        Steps and sequences of an input that is drawn.
    sizes : mapping, optional
        Width by name; 32 for states, 8 for inputs, 4 for the rest unless given.
    scheme, roles
        As :func:`rnnderive.weights.initialise` takes them.
    scale : float
        Of an input that is drawn.
    seed : int

    Raises
    ------
    InputError
        For files and sizes that do not fit, and numbers out of range.

    Examples
    --------
    >>> import rnnderive as rd
    >>> found = setting(rd.cells.lstm(), T=50, sizes={"h": 16})
    >>> found.inputs["x"].shape, found.params["W_f"].shape
    ((50, 8), (16, 24))
    >>> found.notes
    ('weights: glorot, seed 0', 'input: 50 steps of N(0, 1²), seed 0', 'target: random, seed 0')
    """
    if net is None and weights is None:
        raise InputError("there is nothing to analyse: give a cell, or a file of weights")
    if not isinstance(T, int) or T < 1 or (batch is not None and batch < 1):
        raise InputError(f"T is {T} and the batch {batch}; expected whole numbers from 1")
    notes = []
    given: dict[str, Any] = {}
    read: Inputs | None = None
    if source is not None:
        if text is not None:
            raise InputError("found a text and an input file; expected one of them")
        read = read_inputs(source)
        notes.append(f"input: {source}")
    elif text is not None and vectors is not None:
        read = read_inputs(text, vectors=vectors, unknown="zero")
        notes.append(f"input: {read.T} words with vectors")
    if weights is not None:
        model = load(weights, net, layer=layer, dtype=np.float64)
        net, params = model.net, model.params
        notes = [f"weights: {weights} ({model.layer})", *model.notes, *notes]
        known = solved(net, {n: a.shape for n, a in params.items()})
    else:
        assert net is not None
        shown = ", ".join(f"{role} {how}" for role, how in (roles or {}).items())
        notes.insert(0, f"weights: {scheme}{', ' + shown if shown else ''}, seed {seed}")
        known, params = _drawn(net, read, sizes or {}, scheme, roles, seed)
    main = _main_input(net)
    width = int(sp.sympify(net.shape(main)[0]).subs(known)) if main else 0
    tokens: tuple[str, ...] = ()
    if read is not None:
        given[main or "x"] = read.arrays["x"]
        tokens = read.tokens or ()
        T = read.T
        batch = given[main or "x"].shape[1] if given[main or "x"].ndim == 3 else None
    elif text is not None:
        tokens = tokens_of(text)
        if not tokens:
            raise InputError("the text has no words; a recurrence runs over at least one step")
        given[main or "x"] = np.array([_vector(word, width, seed) for word in tokens]) * scale
        T, batch = len(tokens), None
        notes.append(f"input: {T} words, each with a random vector of its own, seed {seed}")
    filled, more = _filled(net, given, known, T, batch, scale, seed)
    return Setting(net, dict(params), filled, tokens, (*notes, *more))


def _drawn(
    net: Recurrence, read: Inputs | None, sizes: Mapping[str, int], scheme: str, roles: Any, seed: int
) -> tuple[dict[Any, int], dict[str, Any]]:
    """The sizes in numbers, and parameters of these sizes."""
    states = {n for c in chains(net) for n in c.states}
    given = {n for n in net.inputs if isinstance(net.leaves[n], tm.At)}
    widths: dict[str, int] = {}
    for s in net.sizes:
        owners = [n for n in net.leaves if net.shape(n)[0] == s]
        kind = UNITS if set(owners) & states else WIDTH if set(owners) & given else OUTPUTS
        widths[str(s)] = kind
    main = _main_input(net)
    if read is not None and main is not None:
        widths[str(net.shape(main)[0])] = read.arrays["x"].shape[-1]
    params = initialise(net, seed, sizes={**_without(net, widths, sizes), **sizes}, scheme=scheme, roles=roles)
    return solved(net, {n: a.shape for n, a in params.items()}), params


def _without(net: Recurrence, widths: Mapping[str, int], sizes: Mapping[str, int]) -> dict[str, int]:
    """Widths by symbol, less those that are given by name."""
    stems = {f"n_{k}" for k in sizes} | set(sizes)
    return {s: w for s, w in widths.items() if s not in stems and not any(s.startswith(f"{k}_") for k in stems)}


def _main_input(net: Recurrence) -> str | None:
    """The input sequence that the loop reads; no target of a loss."""
    targets = loss_targets(net)
    found = [n for n in net.inputs if isinstance(net.leaves[n], tm.At) and n not in targets]
    return "x" if "x" in found else found[0] if found else None


def _vector(word: str, width: int, seed: int) -> Any:
    """The same random vector for the same word, wherever it stands."""
    digest = blake2b(f"{seed} {word.lower()}".encode(), digest_size=8).digest()
    return np.random.default_rng(int.from_bytes(digest, "big")).standard_normal(width)


def _filled(
    net: Recurrence, given: dict[str, Any], known: Mapping[Any, int], T: int, batch: int | None, scale: float, seed: int
) -> tuple[dict[str, Any], list[str]]:
    """Inputs that were not given, drawn: sequences, targets and weights of the loss."""
    rng = np.random.default_rng([seed, 1])
    targets = loss_targets(net)
    lead = () if batch is None else (batch,)
    out, notes = dict(given), []
    for name in net.inputs:
        if name in out:
            continue
        size = int(sp.sympify(net.shape(name)[0]).subs({**{s: OUTPUTS for s in net.sizes}, **known}))
        timed = isinstance(net.leaves[name], tm.At)
        shape = (*([T] if timed else []), *lead, size)
        loss = targets.get(name)
        if loss is tm.CrossEntropy:
            out[name] = np.eye(size)[rng.integers(size, size=shape[:-1])]
        elif loss in (tm.LogLoss, tm.BinaryCrossEntropy):
            out[name] = rng.integers(2, size=shape).astype(float)
        else:
            out[name] = rng.standard_normal(shape) * (1.0 if loss else scale)
        words = f"{T} steps of N(0, {scale:g}²)" if timed and not loss else "random"
        notes.append(f"{'input' if name == _main_input(net) else name}: {words}, seed {seed}")
    if not any(isinstance(net.leaves[n], tm.At) for n in net.inputs):
        out["T"] = T
    return out, notes
