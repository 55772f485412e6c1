"""What is analysed: a network with weights and an input, drawn or read, with every assumption said."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Any

import numpy as np

from rnnderive.calculus import first_order
from rnnderive.chains.cost import MEMORY, check_memory
from rnnderive.chains.drawn import drawn, with_gain
from rnnderive.chains.ensemble import widths
from rnnderive.chains.state import chains
from rnnderive.chains.verdict import counted
from rnnderive.checks.points import loss_targets
from rnnderive.errors import InputError
from rnnderive.language import Recurrence
from rnnderive.language import terms as tm
from rnnderive.weights import Inputs, WordVectors, initialise, load, read_inputs, tokens_of
from rnnderive.weights.sizes import concrete, from_widths, solved

__all__ = ["STEPS", "Setting", "completed", "setting"]

UNITS, WIDTH, OUTPUTS = 32, 8, 4
STEPS = 100

# What has no effect beside something else, or without it, and why.
NEEDS = {"layer": "weights", "read": "weights", "vectors": "text", "unknown": "vectors"}
EXCLUDES = {
    "text": {"source": "one of them is the input", "T": "its words are the steps", "batch": "it is one sequence"},
    "source": {"T": "the file has its own steps", "batch": "the file has its own", "scale": "its numbers are as read"},
    "vectors": {"scale": "its numbers are as read"},
    "weights": {n: "the file has them" for n in ("sizes", "scheme", "roles", "gain")},
}


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
    layer: str | Sequence[str] | None = None,
    read: Mapping[str, Any] | None = None,
    text: str | None = None,
    vectors: str | Path | WordVectors | None = None,
    unknown: str | None = None,
    source: str | Path | None = None,
    T: int | None = None,
    batch: int | None = None,
    sizes: Mapping[str, int] | None = None,
    scheme: str | None = None,
    roles: Mapping[str, Any] | None = None,
    gain: float | None = None,
    scale: float | None = None,
    state_scale: float | None = None,
    seed: int = 0,
    whole: bool = False,
    memory: float = MEMORY,
) -> Setting:
    """Put together what an analysis needs, from files or drawn from a seed.

    Parameters
    ----------
    net : Recurrence, optional
        Recognised from the file of weights unless given.
    weights : str or path, optional
        A file of weights; drawn by `scheme`, `roles` and `gain` unless given.
    layer, read : str or sequence of str, mapping
        Which of its recurrent layers, and other options of :func:`rnnderive.weights.load`.
    text : str, optional
        The input, word by word.  Without `vectors` every word gets a random vector of its own, of
        the width that the weights ask for.
    vectors : str, path or WordVectors, optional
        Word vectors for `text`.
    unknown : {"zero", "skip", "error"}, optional
        What becomes of a word without a vector, as :func:`rnnderive.weights.read_inputs` has it; zero, and said.
    source : str or path, optional
        The input from a ``.npy`` or ``.csv`` file.  Without `text` and `source` it is N(0, scale²).
    T, batch : int
        Steps (100) and sequences (one) of an input that is drawn.
    sizes : mapping, optional
        Width by name; 32 for states, 8 for inputs, 4 for the rest unless given.
    scheme, roles
        As :func:`rnnderive.weights.initialise` takes them; glorot.
    gain : float
        A factor of the recurrent weights (1).
    scale, state_scale : float
        Standard deviations of an input that is drawn (1), and of the initial state (0).
    seed : int
    whole : bool
        Whether the whole spectrum is wanted, which needs all Jacobians at once.
    memory : float
        In GiB: what needs more is refused before it is begun.

    Raises
    ------
    InputError
        For files and sizes that do not fit, numbers out of range, and for what would have no effect
        beside the rest.

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
    _check_use(
        layer=layer, read=read, text=text, vectors=vectors, unknown=unknown, source=source, T=T, batch=batch,
        sizes=sizes, scheme=scheme, roles=roles, gain=gain, scale=scale, weights=weights,
    )  # fmt: skip
    steps = STEPS if T is None else T
    if not isinstance(steps, int) or steps < 1 or (batch is not None and batch < 1):
        raise InputError(f"T is {T} and the batch {batch}; expected whole numbers from 1")
    for name, number in (("gain", gain), ("scale", scale), ("state_scale", state_scale)):
        if number is not None and not (np.isfinite(number) and (number >= 0 or name == "gain")):
            raise InputError(f"{name} is {number}; expected a finite number{'' if name == 'gain' else ' from 0'}")
    array, tokens, notes = _read(text, vectors, unknown or "zero", source)
    if array is not None or tokens:
        steps = len(tokens) if array is None else len(array)
        batch = array.shape[1] if array is not None and array.ndim == 3 else None
    if weights is not None:
        model = load(weights, net, layer=layer or None, dtype=np.float64, **(read or {}))
        net, params = model.net, model.params
        known = solved(net, {n: a.shape for n, a in params.items()})
        check_memory(net, known, T=steps, batch=batch, whole=whole, limit=memory)
        notes = [f"weights: {weights} ({model.layer})", *model.notes, *notes]
    else:
        assert net is not None
        given = completed(net, sizes or {}, None if array is None else array.shape[-1])
        known = solved(net, *from_widths(net, given))
        check_memory(net, known, T=steps, batch=batch, whole=whole, limit=memory)
        scheme = scheme or "glorot"
        factor = 1.0 if gain is None else gain
        params = initialise(net, seed, sizes=given, scheme=scheme, roles=with_gain(net, scheme, roles, factor))
        changed = [f"{role} {how}" for role, how in (roles or {}).items()]
        changed += [] if gain is None else [f"gain {gain:g}"]
        notes = [f"weights: {', '.join([scheme, *changed])}, seed {seed}", *notes]
    spread = 1.0 if scale is None else scale
    inputs = _given(net, known, array, tokens, spread, seed, vectors if source is None else source)
    sizes_known = {**dict.fromkeys(net.sizes, OUTPUTS), **known}
    filled = drawn(
        net, inputs, sizes_known, T=steps, batch=batch, seed=seed, input_scale=spread, state_scale=state_scale or 0.0
    )
    if array is None and tokens:
        notes.append(f"input: {counted(steps, 'word')}, each with a random vector of its own, seed {seed}")
    notes += _told(net, filled, inputs, steps, spread, state_scale or 0.0, seed)
    return Setting(net, dict(params), filled, tokens, tuple(notes))


def _check_use(**options: Any) -> None:
    """Refuse what would have no effect."""
    used = {n for n, v in options.items() if v is not None and v != () and v != {}}
    for name, needs in NEEDS.items():
        if name in used and needs not in used:
            raise InputError(f"{name}= has no effect without {needs}=; give it, or leave out {name}=")
    for name, others in EXCLUDES.items():
        for other, why in others.items():
            if {name, other} <= used:
                raise InputError(f"{other}= has no effect beside {name}= ({why}); leave out one of them")


# ---------------------------------------------------------------- sizes


def completed(net: Recurrence, sizes: Mapping[str, int], width: int | None = None) -> dict[str, int]:
    """Widths for every size: those given, else 32 for states, 8 for inputs, 4 for the rest.

    Parameters
    ----------
    net : Recurrence
    sizes : mapping
        Width by name; ``h`` stands for the state, whatever a cell calls it.
    width : int, optional
        Of the input that the loop reads, if it is known.

    Examples
    --------
    >>> import rnnderive as rd
    >>> completed(rd.cells.vanilla(), {"h": 16})
    {'n_x': 8, 'n_y': 4, 'h': 16}
    """
    states = {n for c in chains(first_order(net)) for n in c.states}
    read = {n for n in net.inputs if isinstance(net.leaves[n], tm.At)}
    usual: dict[str, int] = {}
    for s in net.sizes:
        owners = {n for n in net.leaves if net.shape(n)[0] == s}
        usual[str(s)] = UNITS if owners & states else WIDTH if owners & read else OUTPUTS
    main = _main_input(net)
    if width is not None and main is not None:
        usual[str(net.shape(main)[0])] = width
    given = widths(net, sizes)
    stems = {f"n_{k}" for k in given} | set(given)
    rest = {s: w for s, w in usual.items() if s not in stems and not any(s.startswith(f"n_{k}_") for k in given)}
    return {**rest, **given}


def _main_input(net: Recurrence) -> str | None:
    """The input sequence that the loop reads; no target of a loss."""
    targets = loss_targets(net)
    found = [n for n in net.inputs if isinstance(net.leaves[n], tm.At) and n not in targets]
    return "x" if "x" in found else found[0] if found else None


# ---------------------------------------------------------------- the input


def _read(
    text: str | None, vectors: str | Path | WordVectors | None, unknown: str, source: str | Path | None
) -> tuple[Any, tuple[str, ...], list[str]]:
    """The input's array, if its numbers are in a file, its words, and what there is to say."""
    read: Inputs
    if source is not None:
        read = read_inputs(source)
        return read.arrays["x"], (), [f"input: {source}", *read.notes]
    if text is None:
        return None, (), []
    if vectors is not None:
        read = read_inputs(text, vectors=vectors, unknown=unknown)
        of = "" if isinstance(vectors, WordVectors) else f" of {vectors}"
        return read.arrays["x"], read.tokens or (), [f"input: {counted(read.T, 'word')}, vectors{of}", *read.notes]
    tokens = tokens_of(text)
    if not tokens:
        raise InputError("the text has no words; a recurrence runs over at least one step")
    return None, tokens, []


def _given(
    net: Recurrence,
    known: Mapping[Any, int],
    array: Any,
    tokens: tuple[str, ...],
    scale: float,
    seed: int,
    origin: str | Path | WordVectors | None,
) -> dict[str, Any]:
    """The input that was read, by its name."""
    if array is None and not tokens:
        return {}
    main = _main_input(net)
    if main is None:
        raise InputError("an input was given, but this network reads none")
    width = concrete(net, main, known)[0]
    if array is not None and array.shape[-1] != width:
        if tokens:
            of = "the word vectors" if isinstance(origin, WordVectors) else f"{origin}: its vectors"
            raise InputError(f"{of} have {array.shape[-1]} numbers each; expected {width}, as the network reads a step")
        raise InputError(f"{origin} has the shape {array.shape}; expected (T, {width}) or (T, B, {width})")
    if array is not None:
        return {main: array}
    return {main: np.array([_vector(word, width, seed) for word in tokens]) * scale}


def _vector(word: str, width: int, seed: int) -> Any:
    """The same random vector for the same word, wherever it stands."""
    digest = blake2b(f"{seed} {word.lower()}".encode(), digest_size=8).digest()
    return np.random.default_rng(int.from_bytes(digest, "big")).standard_normal(width)


def _told(
    net: Recurrence, whole: Mapping[str, Any], given: Mapping[str, Any], T: int, scale: float, state: float, seed: int
) -> list[str]:
    """What was drawn, in words."""
    targets, main = loss_targets(net), _main_input(net)
    notes = []
    for name in net.inputs:
        if name not in given:
            timed = isinstance(net.leaves[name], tm.At) and name not in targets
            words = f"{counted(T)} of N(0, {scale:g}²)" if timed else "random"
            notes.append(f"{'input' if name == main else name}: {words}, seed {seed}")
    states = [n for n in net.initial_states if n in whole]
    return [*notes, f"{', '.join(states)}: N(0, {state:g}²), seed {seed}"] if states else notes
