"""Brute force: everything expanded to scalars, ``sympy.diff``, difference exactly zero.

The forward recurrence runs on SymPy symbols, one for each entry, and so does the adjoint.  They
are compared twice.

- *As a whole*: SymPy differentiates the loss by every entry of every parameter; the difference to
  the adjoint is evaluated at random elements of the finite field.
- *Node by node*, exactly: every entry v of every named quantity at every step is a symbol of its
  own, and so is its adjoint.  The adjoint's equation for v must be Σ (dL/dc) ∂c/∂v over the
  entries c that read v, with ∂c/∂v by ``sympy.diff`` of one scalar definition.  These identities are
  small; each is multiplied out as a polynomial in its atoms and is zero or not.  Where all on the
  way from the loss hold, the gradient is the derivative of the expanded loss (the chain rule of
  scalars, by induction over the graph).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import sympy as sp

from rnnderive.checks.points import loss_targets, sizes_for
from rnnderive.checks.polynomials import InField, TooLarge, are_equal
from rnnderive.checks.scalars import NamedRun, Scalars, symbols
from rnnderive.derivation import Derivation
from rnnderive.language import Recurrence, Run
from rnnderive.language import terms as tm

__all__ = ["Expansion", "TooLarge", "brute_force", "longest_lag"]

MAX_ENTRIES = 400
MAX_UNDECIDED = 8  # where identities are too long, others are as well: no more are tried


@dataclass(frozen=True)
class Expansion:
    """The outcome of a comparison with ``sympy.diff``.

    Attributes
    ----------
    entries : int
        How many derivatives were compared.
    expanded : int
        For how many of them the difference was multiplied out and found to be zero, node by node;
        for the others it is zero at random elements of the field.
    bad : str
        The first entry that differs, such as ``dW[0, 1]``; empty if none does.
    T : int
    """

    entries: int
    expanded: int
    bad: str = ""
    T: int = 2

    def __bool__(self) -> bool:
        return not self.bad


def longest_lag(net: Recurrence) -> int:
    """The longest lag at which a recurrence reads."""
    return max((abs(r.lag or 0) for e in net.equations for r in net.reads(e.name)), default=0)


def brute_force(d: Derivation, *, T: int | None = None, size: int = 2, wrt: Iterable[str] | None = None) -> Expansion:
    """Compare the adjoint with ``sympy.diff``, entry by entry and exactly.

    Parameters
    ----------
    d : Derivation
    T : int, optional
        Number of steps; 2, or one more than the longest lag.
    size : int
        What every size is set to.
    wrt : names, optional
        By default all that was derived.

    Raises
    ------
    TooLarge
        If there are too many entries.

    Examples
    --------
    >>> import rnnderive as rd
    >>> brute_force(rd.derive(rd.cells.vanilla()))
    Expansion(entries=18, expanded=18, bad='', T=2)
    """
    steps = T or max(2, longest_lag(d.net) + 1)
    sizes = sizes_for(d.net, least=size, same=True)
    algebra = Scalars({**sizes, tm.T: steps, tm.BATCH: 1})
    values = _given(d.net, algebra, steps)
    targets = loss_targets(d.net)  # those of a cross-entropy sum to one: their entries are not independent
    names = [n for n in wrt or d.wrt if targets.get(n) is not tm.CrossEntropy]
    entries = [place for n in names for place in _places(n, values[n])]
    if len(entries) > MAX_ENTRIES:
        raise TooLarge(f"{len(entries)} entries at size {size}")
    forward = NamedRun(d.net, algebra, values, steps)
    loss = forward[d.net.loss or ""][0, 0]
    course = {**values, **{e.name: forward[e.name] for e in d.net.equations}}
    backward = Run(d.adjoint, algebra, course, steps)
    elements = InField()
    found = [x for n in names for _, x in _places(n, backward[d.pulled.gradients[n]])]
    for (words, symbol), claimed in zip(entries, found, strict=True):
        if elements.value(sp.diff(loss, symbol)) != elements.value(sp.sympify(claimed)):
            return Expansion(len(entries), 0, f"d{words}", steps)
    proven = _proven(d, algebra, values, steps)
    return Expansion(len(entries), sum(symbol in proven for _, symbol in entries), "", steps)


def _given(net: Recurrence, algebra: Scalars, T: int) -> dict[str, Any]:
    """A symbol for each entry of everything that is given; targets of cross-entropy sum to one."""
    targets = loss_targets(net)
    values: dict[str, Any] = {}
    for name in [*net.parameters, *net.inputs, *net.initial_states]:
        values[name] = _symbols(net, name, name, algebra, T)
        if targets.get(name) is tm.CrossEntropy:
            for part in values[name] if isinstance(values[name], list) else [values[name]]:
                part[-1, 0] = 1 - part[:-1].sum()
    return values


def _symbols(net: Recurrence, like: str, name: str, algebra: Scalars, T: int) -> Any:
    """A symbol for each entry of `name`, which has the shape of `like`."""
    shape = tuple(int(algebra.extent(s)) for s in net.shape(like))
    return symbols(name, shape, T if isinstance(net.leaves.get(like), tm.At) else None)


def _places(name: str, value: Any) -> Iterator[tuple[str, Any]]:
    """Every entry of an array, or of a list of arrays, with its place in words."""
    timed = isinstance(value, list)
    for step, array in enumerate(value if timed else [value], 1):
        at = f"[t={step}]" if timed else ""
        for index, x in np.ndenumerate(array):
            yield f"{name}{at}[{', '.join(map(str, index))}]", x


# ---------------------------------------------------------------- node by node


@dataclass(frozen=True)
class _Nodes:
    """The scalars of a network and of its adjoint, each a symbol with a definition in terms of others.

    Attributes
    ----------
    definitions : dict
        Entry → its definition; that of the loss among them.
    adjoints : dict
        Entry → the symbol for the loss's derivative in it; 1 for the loss.
    claims : dict
        Entry → what the adjoint's equation says that this derivative is.
    """

    definitions: dict[Any, Any]
    adjoints: dict[Any, Any]
    claims: dict[Any, Any]


def _nodes(d: Derivation, algebra: Scalars, given: dict[str, Any], T: int) -> _Nodes:
    # Which name is whose adjoint; were one taken for another, its identity would not hold.
    pairs = {v: dv for dv, v in d.adjoint.notation.adjoints.items()} | d.pulled.gradients
    pairs = {v: dv for v, dv in pairs.items() if v in d.net or v in d.wrt}
    own = {v: _symbols(d.net, v, v, algebra, T) for v in pairs if v in d.net}
    course = {**given, **own}
    cotangents = {dv: _symbols(d.net, v, dv, algebra, T) for v, dv in pairs.items()}
    forward = Run(d.net, algebra, course, T)
    backward = Run(d.adjoint, algebra, {**course, **cotangents}, T)
    loss = sp.Symbol(d.net.loss or "")
    definitions = {loss: _right(forward, d.net.loss or "")[0][1]}
    adjoints: dict[Any, Any] = {loss: sp.S.One}
    claims: dict[Any, Any] = {}
    for v, dv in pairs.items():
        entries = [x for _, x in _places(v, course[v])]
        if v in own:
            definitions.update(zip(entries, (x for _, x in _right(forward, v)), strict=True))
        adjoints.update(zip(entries, (x for _, x in _places(dv, cotangents[dv])), strict=True))
        claims.update(zip(entries, (x for _, x in _right(backward, dv)), strict=True))
    return _Nodes(definitions, adjoints, claims)


def _right(run: Run, name: str) -> list[tuple[str, Any]]:
    """The entries of the right side of a name's equation, at every step."""
    e = run.net[name]
    steps = range(1, run.T + 1) if e.timed else (None,)
    parts = [run.term(e.right, step) for step in steps]
    return [(words, sp.sympify(x)) for words, x in _places(name, parts if e.timed else parts[0])]


def _proven(d: Derivation, algebra: Scalars, given: dict[str, Any], T: int) -> set[Any]:
    """The entries whose derivative is shown to be right, with everything that it is computed from."""
    nodes = _nodes(d, algebra, given, T)
    readers: dict[Any, list[Any]] = {}
    for c, definition in nodes.definitions.items():
        for v in definition.free_symbols:
            readers.setdefault(v, []).append(c)
    good, undecided = set(), 0
    for v, claim in nodes.claims.items():
        if undecided < MAX_UNDECIDED and _holds(v, claim, readers.get(v, []), nodes):
            good.add(v)
        else:
            undecided += 1
    whose = {dv: v for v, dv in nodes.adjoints.items()}
    needs = {v: {whose[s] for s in nodes.claims[v].free_symbols if s in whose} for v in good}
    while wrong := {v for v in good if not needs[v] <= good}:
        good -= wrong
    return good


def _holds(v: Any, claim: Any, readers: list[Any], nodes: _Nodes) -> bool:
    """dL/dv = Σ (dL/dc) ∂c/∂v, as polynomials; definitions are put in where the claim is in terms of them."""
    if any(c not in nodes.adjoints for c in readers):
        return False
    expected = sp.Add(*(nodes.adjoints[c] * sp.diff(nodes.definitions[c], v) for c in readers))
    near = {c: nodes.definitions[c] for c in [*readers, v] if c in nodes.definitions}
    return any(are_equal(expected, claim, opened) for opened in ({}, near, nodes.definitions))
