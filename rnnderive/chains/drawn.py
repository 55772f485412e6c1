"""What a network is run on where nothing is given: input, targets and initial states from a seed.

A sweep and a single analysis draw here and through :func:`~rnnderive.weights.initialise` alone, so
that a network of a sweep is found again by its seed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

import numpy as np

from rnnderive.checks.points import labels, loss_targets
from rnnderive.errors import InputError
from rnnderive.language import Recurrence
from rnnderive.language import terms as tm
from rnnderive.weights.initialisers import INITIALISERS, named
from rnnderive.weights.roles import Roles
from rnnderive.weights.schemes import SCHEMES
from rnnderive.weights.sizes import concrete

__all__ = ["drawn", "keeping_role", "with_gain"]


def drawn(
    net: Recurrence,
    given: Mapping[str, Any],
    sizes: Mapping[Any, int],
    *,
    T: int,
    batch: int | None = None,
    seed: int = 0,
    input_scale: float = 1.0,
    state_scale: float = 0.0,
) -> dict[str, Any]:
    """Inputs and initial states, with those that are not given drawn.

    Parameters
    ----------
    net : Recurrence
    given : mapping
        What is not to be drawn.
    sizes : mapping
        Symbol → number.
    T, batch : int
        Steps, and sequences; one without a batch axis unless given.
    seed : int
    input_scale, state_scale : float
        Standard deviations of what the loop reads, and of the initial state; a target has 1, or is a class.

    Returns
    -------
    dict
        Name → array (T, …, n), or (…, n) for what is timeless.

    Examples
    --------
    >>> import rnnderive as rd, sympy as sp
    >>> net = rd.cells.vanilla()
    >>> inputs = drawn(net, {}, {s: 2 for s in net.sizes}, T=5)
    >>> inputs["x"].shape, inputs["target"].shape
    ((5, 2), (2,))
    """
    targets, read = loss_targets(net), _read_by_a_loop(net)
    lead = () if batch is None else (batch,)
    rng = np.random.default_rng([seed, 1])
    out = dict(given)
    for name in net.inputs:
        if name in out:
            continue
        rows, columns = concrete(net, name, sizes)
        timed = isinstance(net.leaves[name], tm.At)
        shape = (*([T] if timed else []), *lead, rows, *([columns] if columns > 1 else []))
        out[name] = labels(targets.get(name), shape, rng)
        if out[name] is None:
            out[name] = rng.standard_normal(shape) * (input_scale if name in read else 1.0)
    if state_scale:
        rng = np.random.default_rng([seed, 2])  # apart: with and without it the input is the same
        for name in net.initial_states:
            if name not in out:
                out[name] = state_scale * rng.standard_normal((*lead, concrete(net, name, sizes)[0]))
    if not any(isinstance(net.leaves[n], tm.At) for n in net.inputs):
        out["T"] = T
    return out


@lru_cache(maxsize=64)
def _read_by_a_loop(net: Recurrence) -> frozenset[str]:
    """The inputs of all loops, through whatever stands before them."""
    todo = [n for s in net.schedule if s.direction != "all" for n in s.names]
    found: set[str] = set()
    while todo:
        name = todo.pop()
        if name not in found:
            found.add(name)
            todo += [r.name for r in net.reads(name)] if name in net else []
    return frozenset(found)


# ---------------------------------------------------------------- roles


@lru_cache(maxsize=64)
def _roles_of(net: Recurrence) -> frozenset[str]:
    return frozenset(b.role for blocks in Roles.of(net).blocks.values() for b in blocks)


def keeping_role(net: Recurrence) -> str:
    """The role of the bias of the gate that keeps the state: ``forget_bias``, or a GRU's ``update_bias``.

    Raises
    ------
    InputError
        When no gate with a bias keeps it.
    """
    role = next((r for r in ("forget_bias", "update_bias") if r in _roles_of(net)), None)
    if role is None:
        raise InputError("forget_bias was given, but no gate with a bias keeps the state of this cell")
    return role


def with_gain(net: Recurrence, scheme: str, roles: Mapping[str, Any] | None, gain: float) -> dict[str, Any]:
    """The roles with the scheme's recurrent weights (or the diagonal ones of a cell like indrnn) multiplied.

    Raises
    ------
    InputError
        When the cell has no recurrent weights.
    """
    out = dict(roles or {})
    if gain == 1:
        return out
    role = next((r for r in ("recurrent", "diagonal") if r in _roles_of(net)), None)
    if role is None:
        raise InputError(f"gain is {gain}, but this cell has no recurrent weights to multiply by it")
    out[role] = _multiplied(out.get(role, named(scheme, SCHEMES, "scheme")()[role]), gain)
    return out


def _multiplied(row: Any, gain: float) -> Callable[..., Any]:
    """An initialiser times a number."""
    draw = named(row, INITIALISERS, "initialiser") if isinstance(row, str) else row

    def initialiser(rng: Any, site: Any) -> Any:
        return gain * (draw(rng, site) if callable(draw) else np.full((site.rows, site.columns), draw))

    return initialiser
