"""The ladder: every rung that applies to a derivation, in one table.

Each rung is checked by one that shares no code with it; see DESIGN.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any

import numpy as np

from rnnderive.checks import brute, differences, duality, identity
from rnnderive.checks.comparison import compared
from rnnderive.checks.points import Point, entries, point, sizes_for
from rnnderive.checks.rounding import Rounding, apart
from rnnderive.checks.steps import check_steps
from rnnderive.checks.table import Ladder, Rung
from rnnderive.derivation import Derivation, derive
from rnnderive.errors import InputError, RnnDeriveError
from rnnderive.language import Recurrence
from rnnderive.language import terms as tm
from rnnderive.programs import Program

__all__ = ["RUNGS", "check"]

CENTRAL = 1e-6
DOT = 1e-12


@dataclass
class _Climb:
    """What the rungs have in common: the derivation, and points to test at."""

    d: Derivation
    seed: int

    def __post_init__(self) -> None:
        self.net = self.d.net
        self.whole = self.d if self.d.truncate is None else derive(self.net, self.d.wrt, of=self.net.loss)
        self.points: dict[int | None, Point] = {}

    def at(self, batch: int | None = None) -> Point:
        """A point of one sequence of 5 steps, or of a batch."""
        if batch not in self.points:
            sizes = sizes_for(self.net, (5, batch or 1, 1))
            self.points[batch] = point(self.net, T=5, batch=batch, seed=self.seed, sizes=sizes)
        return self.points[batch]

    @property
    def batch(self) -> int:
        """A batch size that is no other size."""
        taken: set[int] = {5, *sizes_for(self.net, (5, 1)).values()}
        return next(n for n in (7, 6, 8, 9, 11, 13, *range(14, 99)) if n not in taken)

    @property
    def chains(self) -> tuple[str, ...]:
        """What chains are taken of: parameters and initial states."""
        return tuple(n for n in self.d.wrt if isinstance(self.net.leaf(n), tm.Parameter))

    @cached_property
    def tangent(self) -> Program:
        """The tangent program: written once, run in every direction."""
        return duality.tangent_program(self.d)

    def told(self, note: str) -> str:
        """The note of a rung that looks at the whole derivation, whatever is truncated later."""
        whole = "" if self.d.truncate is None else "the whole derivation, before it is truncated"
        return "; ".join(filter(None, (note, whole)))


class _LeftOut(Exception):
    """The rung does not apply."""


def _identity(c: _Climb) -> Rung:
    verdict = identity.adjoint_against_tangent(c.whole, seed=c.seed)
    return Rung("adjoint", "tangent, in the field", verdict.entries, ok=bool(verdict), note=c.told(verdict.where))


def _chains(c: _Climb) -> Rung:
    count = 0
    for name in c.chains:
        verdict = identity.chain_against_adjoint(c.whole, name, 3, seed=c.seed)
        count += verdict.entries
        if not verdict:
            return Rung("chains", "adjoint, in the field", count, ok=False, note=c.told(verdict.where))
    if not count:
        raise _LeftOut("no parameter or initial state is differentiated in")
    return Rung("chains", "adjoint, in the field", count, note=c.told("T = 3"))


def _steps(c: _Climb) -> Rung:
    row = ("derivation, line by line", "tangent in the field; complex step")
    tolerance = "exact; local Jacobians 1e-12"
    count = 0
    for name in c.chains:
        for mark in check_steps(c.whole, name, 3, seed=c.seed):
            count += 1
            if not mark:
                note = f"line ({mark.step.number}) of the derivation in {name}: {mark.error}"
                return Rung(*row, count, tolerance, ok=False, note=c.told(note))
    if not count:
        raise _LeftOut("no parameter or initial state is differentiated in")
    return Rung(*row, count, tolerance, note=c.told("T = 3"))


def _rewrites(c: _Climb) -> Rung:
    verdict = identity.rewrites(c.d, seed=c.seed)
    row = ("compiled recurrence", "as derived, in the field")
    return Rung(*row, verdict.entries, ok=bool(verdict), note=verdict.where)


def _brute(c: _Climb) -> Rung:
    try:
        found = brute.brute_force(c.whole)
    except brute.TooLarge as error:
        raise _LeftOut(str(error)) from None
    rest = found.entries - found.expanded
    decided = "multiplied out node by node"
    if rest:
        decided = f"{found.expanded} multiplied out to 0 node by node, {rest} too long: 0 in the field"
    note = found.bad or f"size 2, T = {found.T}; {decided}"
    return Rung("calculus", "sympy.diff of the expanded loss", found.entries, ok=bool(found), note=c.told(note))


def _needs_whole(c: _Climb) -> None:
    if c.d.truncate is not None:
        raise _LeftOut("does not apply to a truncated gradient, which is not the derivative of the loss")


_TOLERANCE = "1e-12 of array, 1e-9 of entry"


def _complex(c: _Climb, batch: bool) -> Rung:
    _needs_whole(c)
    at = c.at(c.batch if batch else None)
    found = differences.gradient(c.d, at)
    look = None if batch and not apart(c.net) else Rounding(c.d.lambdify(), at).again
    pairs = (
        (f"d{n}", found[n], differences.complex_step(c.d, at, n), {"look": look and partial(look, n)}) for n in c.d.wrt
    )
    rung = "gradient of a batch" if batch else "gradient"
    return compared(rung, "complex step", _TOLERANCE, pairs, str(at))


def _central(c: _Climb) -> Rung:
    _needs_whole(c)
    at = c.at()
    found = differences.gradient(c.d, at)
    rng = np.random.default_rng([c.seed, 3])

    def pairs() -> Iterator[tuple[str, Any, Any, dict[str, float]]]:
        scale = max(float(np.abs(g).max(initial=0)) for g in found.values())
        for n in c.d.wrt:
            places = entries(found[n])
            chosen = [places[int(k)] for k in rng.permutation(len(places))[:4]]
            expected = differences.central_differences(c.d, at, n, chosen)
            mine = np.array([found[n][p] for p in chosen])
            bounds = {"largest": CENTRAL, "entry": np.inf, "scale": scale}
            yield f"d{n} at {chosen}, number ", mine, expected, bounds

    row = ("gradient, some entries", "central differences, extrapolated", "1e-6 of largest")
    return compared(*row, pairs(), str(at))


def _contributions(c: _Climb) -> Rung:
    _needs_whole(c)
    at = c.at()
    names = [n for n in c.d.wrt if n in c.net.parameters]
    if not names:
        raise _LeftOut("no parameter is differentiated in")
    expected = differences.contributions_by_steps(c.d, at, names)

    def pairs() -> Iterator[tuple[str, Any, Any, dict[str, Any]]]:
        for n in names:
            found = np.asarray(differences.contributions(c.d, at, n))
            look = Rounding(differences.step_by_step(c.d, n), at).again
            for k in range(at.T):  # an early step adds little: it is held to its own largest entry
                yield f"step {k + 1} of d{n}", found[k], expected[n][k], {"look": partial(look, n, step=k + 1)}

    row = ("contributions of steps", "complex step, one step moved", "1e-12 of step, 1e-9 of entry")
    return compared(*row, pairs(), str(at))


def _directions(shape: tuple[int, ...], rng: np.random.Generator) -> list[tuple[str, Any]]:
    """A random direction, and two single entries; in words too."""
    out = [(" in a random direction", rng.standard_normal(shape))]
    places = entries(np.empty(shape))
    for k in rng.permutation(len(places))[:2]:
        unit = np.zeros(shape)
        unit[places[int(k)]] = 1.0
        out.append((f"[{', '.join(map(str, places[int(k)]))}]", unit))
    return out


def _dots(c: _Climb) -> Rung:
    _needs_whole(c)
    worst, bad = 0.0, ""
    sizes = {s: n + 9 for s, n in sizes_for(c.net, (5, 1)).items()}
    try:
        found = point(c.net, T=23, batch=11, seed=c.seed, sizes=sizes)
    except RnnDeriveError:  # it grows with every step
        found = point(c.net, T=5, batch=11, seed=c.seed)
    for seed in range(3):
        error = duality.dot_product(c.d, found, c.seed + seed, c.tangent).error
        worst = max(worst, error)
        if not error <= DOT:
            bad = f"direction {seed}"
    row = ("adjoint at size", "tangent, dot product", 3, "1e-12 of summands")
    return Rung(*row, worst, not bad, note=bad or str(found))


def _rtrl(c: _Climb) -> Rung:
    _needs_whole(c)
    at = c.at()
    found = differences.gradient(c.d, at)
    pairs = ((f"d{n}", found[n], duality.rtrl(c.d, at, n, c.tangent), {"entry": np.inf}) for n in c.d.wrt)
    return compared("gradient, forward mode", "RTRL, every unit direction", "1e-12 of array", pairs, str(at))


def _truncation(c: _Climb) -> Rung:
    if c.d.truncate is None:
        raise _LeftOut("nothing is truncated")
    if not differences.one_way(c.net):
        raise _LeftOut("loops in both directions of time: a path's length is not how far it goes")
    at = c.at()
    found = differences.gradient(c.d, at)
    rng = np.random.default_rng([c.seed, 7])
    names = [n for n in c.d.wrt if n in c.net.parameters]

    def pairs() -> Iterator[tuple[str, Any, Any, dict[str, float]]]:
        for n in names:
            for where, direction in _directions(np.shape(at[n]), rng):
                scale = float(np.abs(found[n] * direction).sum()) or 1.0
                along = np.array([(found[n] * direction).sum()])
                expected = np.array([differences.truncated_by_steps(c.d, at, n, direction)])
                yield f"d{n}{where}", along, expected, {"entry": np.inf, "scale": scale}

    note = f"{c.d.truncate} of {at.T} steps; parameters"
    return compared("truncated gradient", "complex step, course kept later", "1e-12 of array", pairs(), note)


def _never_cut(c: _Climb) -> Rung:
    if c.d.truncate is None:
        raise _LeftOut("nothing is truncated")
    steps = 4
    cut = derive(c.net, c.d.wrt, of=c.net.loss, truncate=steps * (brute.longest_lag(c.net) or 1) + 1)
    count = 0
    a = identity.field_run(cut.adjoint, c.net, steps, c.seed)
    b = identity.field_run(c.whole.adjoint, c.net, steps, c.seed)
    for n in c.d.wrt:
        x, y = a[cut.pulled.gradients[n]], b[c.whole.pulled.gradients[n]]
        same = all(bool((u == v).all()) for u, v in zip(np.atleast_1d(x), np.atleast_1d(y), strict=True))
        count += int(np.size(y))
        if not same:
            return Rung("truncation after T", "no truncation, in the field", count, ok=False, note=f"d{n}")
    return Rung("truncation after T", "no truncation, in the field", count, note=f"T = {steps}")


RUNGS: dict[str, tuple[Callable[[_Climb], Rung], ...]] = {
    "identity": (_identity, _chains, _rewrites),
    "steps": (_steps,),
    "brute": (_brute,),
    "complex": (lambda c: _complex(c, False), lambda c: _complex(c, True)),
    "contributions": (_contributions,),
    "differences": (_central,),
    "duality": (_dots,),
    "rtrl": (_rtrl,),
    "truncation": (_truncation, _never_cut),
}


def check(
    d: Derivation | Recurrence | str,
    *,
    seed: int = 0,
    rungs: Iterable[str] | str | None = None,
    progress: bool = False,
) -> Ladder:
    """Climb the ladder of checks.

    Parameters
    ----------
    d : Derivation, Recurrence or str
        What to check; a recurrence, or its equations, is derived first.
    seed : int
        Of the points and field elements.
    rungs : names, optional
        Some of ``identity``, ``steps``, ``brute``, ``complex``, ``contributions``,
        ``differences``, ``duality``, ``rtrl``, ``truncation``; by default all that apply.
    progress : bool
        Whether to print each row as it is done.

    Returns
    -------
    Ladder
        A table, truthy when every rung holds.

    Examples
    --------
    >>> import rnnderive as rd
    >>> bool(check(rd.cells.vanilla(), rungs=["identity", "complex"]))
    True
    """
    if not isinstance(d, Derivation):
        d = derive(d)
    wanted = (rungs,) if isinstance(rungs, str) else tuple(rungs) if rungs is not None else tuple(RUNGS)
    for name in wanted:
        if name not in RUNGS:
            raise InputError(f"there is no rung {name!r}; there are {', '.join(RUNGS)}")
    climb = _Climb(d, seed)
    rows = []
    for name in wanted:
        if name == "truncation" and rungs is None and d.truncate is None:
            continue
        for rung in RUNGS[name]:
            start = time.perf_counter()
            try:
                row = rung(climb)
            except (_LeftOut, RnnDeriveError) as reason:
                row = Rung(_TITLES.get(rung, name), "", ok=None, note=str(reason).splitlines()[0])
            row = Rung(**{**row.__dict__, "seconds": time.perf_counter() - start})
            rows.append(row)
            if progress:
                print(Ladder((row,)).__str__().splitlines()[1], file=sys.stderr, flush=True)
    return Ladder(tuple(rows))


_TITLES: dict[Callable[[_Climb], Rung], str] = {
    _identity: "adjoint",
    _chains: "chains",
    _rewrites: "compiled recurrence",
    _steps: "derivation, line by line",
    _brute: "calculus",
    _contributions: "contributions of steps",
    _central: "gradient, some entries",
    _dots: "adjoint at size",
    _rtrl: "gradient, forward mode",
    _truncation: "truncated gradient",
    _never_cut: "truncation after T",
    RUNGS["complex"][0]: "gradient",
    RUNGS["complex"][1]: "gradient of a batch",
}
