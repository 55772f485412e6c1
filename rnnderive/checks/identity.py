"""Exact identity: two recurrences, equations or terms are run on random elements of a finite field.

A wrong formula survives with a probability below 2⁻⁵⁰ (Schwartz 1980, Zippel 1979), and there is
no tolerance.  Functions are random oracles in the field; where the two sides differ there, they
are run once more on 50-digit numbers, in which identities between functions hold as well
(tanh x = 2σ(2x) − 1).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from zlib import crc32

import numpy as np
import sympy as sp

from rnnderive.calculus.tangent import tangent_names
from rnnderive.checks.points import loss_targets, point, sizes_for
from rnnderive.derivation import Derivation
from rnnderive.errors import InputError
from rnnderive.language import Algebra, Digits, Equation, Field, Recurrence, Run
from rnnderive.language import terms as tm
from rnnderive.language.terms import Term
from rnnderive.programs import optimise

__all__ = [
    "Verdict",
    "adjoint_against_tangent",
    "chain_against_adjoint",
    "directions",
    "elements",
    "field_for",
    "field_run",
    "gradient_row",
    "identical",
    "rewrites",
    "tangent_run",
]

DIGITS_TOLERANCE = 40


@dataclass(frozen=True)
class Verdict:
    """Whether two things are equal, and how that was decided.

    Attributes
    ----------
    same : bool
    by : str
        ``field`` or ``digits``.
    where : str
        The first entry in which they differ, such as ``dW[0, 1]`` or ``h[t=2][1, 0]``.
    entries : int
        How many entries were compared.
    """

    same: bool
    by: str
    where: str = ""
    entries: int = 0

    def __bool__(self) -> bool:
        return self.same

    def __str__(self) -> str:
        return f"{'equal' if self.same else f'different at {self.where}'} (decided in {self.by})"


def field_for(net: Recurrence, T: int, sizes: Mapping[Any, int] | None = None, seed: int = 0) -> Field:
    """The field, with a number for every size of a recurrence."""
    chosen = dict(sizes) if sizes is not None else sizes_for(net, (T, 1))
    return Field({**chosen, tm.T: T, tm.BATCH: 1}, str(seed))


def elements(net: Recurrence, algebra: Algebra, T: int, seed: int = 0) -> dict[str, Any]:
    """A value for everything that a recurrence is given, its initial states included.

    In the field they are uniform; the same name and seed give the same values.  Targets of a
    cross-entropy sum to one.
    """
    field = algebra if isinstance(algebra, Field) else None
    targets = loss_targets(net)
    floats = None if field is not None else point(net, T=T, seed=seed, sizes=_sizes(net, algebra))
    values: dict[str, Any] = {}
    for name in [*net.parameters, *net.inputs, *net.initial_states]:
        shape = tuple(int(algebra.extent(s)) for s in net.shape(name))
        timed = isinstance(net.leaves.get(name), tm.At)
        if field is not None:
            rng = np.random.default_rng([seed, crc32(name.encode())])
            parts = [field.random(rng, shape) for _ in range(T if timed else 1)]
        else:
            assert floats is not None
            array = np.asarray(floats[name])
            parts = [_exact(algebra, a).reshape(shape) for a in (array if timed else [array])]
        if targets.get(name) is tm.CrossEntropy:
            parts = [_normalised(algebra, p) for p in parts]
        values[name] = parts if timed else parts[0]
    return values


def _sizes(net: Recurrence, algebra: Algebra) -> dict[Any, int]:
    return {s: int(algebra.extent(s)) for s in net.sizes if s not in (tm.T, tm.BATCH)}


def _exact(algebra: Algebra, array: Any) -> Any:
    out = np.empty(array.shape, dtype=object)
    for index, x in np.ndenumerate(array):
        out[index] = algebra.scalar(sp.Rational(float(x)))
    return out


def _normalised(algebra: Algebra, column: Any) -> Any:
    total = algebra.reduce(column.sum(axis=0, keepdims=True))
    return algebra.reduce(column * algebra.inverse(total))


def field_run(net: Recurrence, origin: Recurrence, T: int, seed: int = 0) -> Run:
    """Run a recurrence in the field on random elements for what `origin` is given.

    `net` may be `origin` with more equations (its adjoint, its tangent): the initial states of
    these are zero.
    """
    field = field_for(origin, T, seed=seed)
    return Run(net, field, elements(origin, field, T, seed), T)


def directions(d: Derivation) -> dict[str, str]:
    """Name → name of its direction in the tangent, for what is differentiated in."""
    names = tangent_names(d.net, d.wrt)
    return {n: names[n] for n in d.wrt}


def tangent_run(d: Derivation, T: int, seed: int = 0) -> Run:
    """Run the tangent in the field, in random directions of all that is differentiated in."""
    field = field_for(d.net, T, seed=seed)
    values = elements(d.tangent, field, T, seed)
    given = {*d.net.parameters, *d.net.inputs, *d.net.initial_states, *directions(d).values()}
    return Run(d.tangent, field, {n: v for n, v in values.items() if n in given}, T)


# ---------------------------------------------------------------- two of a kind


def identical(
    a: Recurrence | Equation | Term,
    b: Recurrence | Equation | Term,
    net: Recurrence | None = None,
    *,
    outputs: Iterable[str] | None = None,
    T: int = 5,
    seed: int = 0,
    digits: bool = True,
) -> Verdict:
    """Decide whether two terms, equations or recurrences are equal.

    Parameters
    ----------
    a, b : Recurrence, Equation or Term
        Both of a kind.  Of equations the right sides are compared.
    net : Recurrence, optional
        For terms and equations: what the names in them mean; names that it does not define take
        any value.  For recurrences: the one whose initial states are not zero (by default all).
    outputs : names, optional
        What is compared; by default everything that both define.
    T : int
        Number of steps to run.
    seed : int
    digits : bool
        Whether to run on 50-digit numbers what differs in the field.

    Returns
    -------
    Verdict

    Examples
    --------
    >>> from rnnderive.language import Recurrence
    >>> a = Recurrence.parse("h[t] = softplus(a * x[t] + h[t-1])", loss=None)
    >>> b = Recurrence.parse("h[t] = log(1 + exp(h[t-1] + x[t] * a))", loss=None)
    >>> print(identical(a, b))
    equal (decided in digits)
    >>> print(identical(a["h"].right, b["h"].right.args[1], a, digits=False))
    different at left[t=1][0, 0] (decided in field)
    """
    if isinstance(a, Recurrence) and isinstance(b, Recurrence):
        first, second, origin = a, b, net
        names = tuple(outputs) if outputs is not None else tuple(e.name for e in a.equations if e.name in b)
        pairs = [(n, n) for n in names]
    else:
        left = a.right if isinstance(a, Equation) else a
        right = b.right if isinstance(b, Equation) else b
        if not isinstance(left, Term) or not isinstance(right, Term):
            raise InputError(f"found a {type(a).__name__} and a {type(b).__name__}; expected two of a kind")
        first = second = _both(left, right, net)
        origin, pairs = None, [("left", "right")]
    if not pairs:
        raise InputError("the two recurrences define no name in common, so there is nothing to compare")
    found = _compared(first, second, pairs, origin, T, seed, None)
    if found.same or not digits:
        return found
    again = _compared(first, second, pairs, origin, T, seed, 50)
    return again if again.same else found


def _both(left: Term, right: Term, net: Recurrence | None) -> Recurrence:
    """The recurrence with two terms as equations of their own."""
    base = net or Recurrence(())

    def equation(name: str, term: Term) -> Equation:
        timed = any(isinstance(n, tm.At) and n.lag is not None for n in tm.members(term, False))
        leaf = tm.At(name, tm.t, *term.shape) if timed else tm.Parameter(name, *term.shape)
        return Equation(leaf, term)

    if left.shape != right.shape:
        raise InputError(f"the sides have the shapes {left.shape} and {right.shape}")
    return base.with_equations(equation("left", left), equation("right", right))


def _compared(
    a: Recurrence, b: Recurrence, pairs: list[tuple[str, str]], origin: Recurrence | None, T: int, seed: int,
    digits: int | None,
) -> Verdict:  # fmt: skip
    by = "field" if digits is None else "digits"
    sizes = sizes_for(a, (T, 1))
    agreed = _agreed(a, b, sizes)
    if agreed is None:
        return Verdict(False, by, "their shapes")

    def algebra(numbers: Mapping[Any, int]) -> Algebra:
        whole = {**numbers, tm.T: T, tm.BATCH: 1}
        return Field(whole, str(seed)) if digits is None else Digits(whole, digits)

    free = origin or a
    values = elements(free, algebra(sizes if free is a else _agreed(a, free, sizes) or sizes), T, seed)
    if origin is None and b is not a:
        more = {n for n in [*b.parameters, *b.inputs, *b.initial_states] if n not in values and n not in a}
        if more:
            values.update({n: v for n, v in elements(b, algebra(agreed), T, seed).items() if n in more})
    with np.errstate(all="ignore"):
        left = Run(a, algebra(sizes), values, T)
        right = left if b is a else Run(b, algebra(agreed), values, T)
        count = 0
        for one, other in pairs:
            for step, x, y in _steps(left, right, one, other):
                for index in np.ndindex(*x.shape):
                    count += 1
                    if x.shape != y.shape or not _close(x[index], y[index], digits):
                        at = "" if step is None else f"[t={step}]"
                        return Verdict(False, by, f"{one}{at}[{', '.join(map(str, index))}]", count)
    return Verdict(True, by, "", count)


def _agreed(a: Recurrence, b: Recurrence, sizes: Mapping[Any, int]) -> dict[Any, int] | None:
    """Sizes for `b` that give common names the shapes they have in `a`; None if none do."""
    if a is b:
        return dict(sizes)
    found: dict[Any, int] = {}
    for name in a.leaves:
        if name not in b.leaves:
            continue
        for mine, other in zip(a.shape(name), b.shape(name), strict=True):
            value = sp.sympify(mine).subs(sizes)
            known = sp.sympify(other).subs(found)
            if known.is_Symbol and value.is_Integer:
                found[known] = int(value)
            elif known.is_Integer and known != value:
                return None
    for s, n in sizes_for(b, tuple({*sizes.values(), *found.values()})).items():
        found.setdefault(s, n)
    return found


def _steps(left: Run, right: Run, one: str, other: str) -> list[tuple[int | None, Any, Any]]:
    x, y = left[one], right[other]
    if isinstance(x, list):
        ys = y if isinstance(y, list) else [y] * len(x)
        return [(s, u, v) for s, (u, v) in enumerate(zip(x, ys, strict=True), 1)]
    return [(None, x, y)] if not isinstance(y, list) else [(s, x, v) for s, v in enumerate(y, 1)]


def _close(x: Any, y: Any, digits: int | None) -> bool:
    if digits is None:
        return bool(x == y)
    scale = max(abs(x), abs(y), 1)
    return bool(abs(x - y) <= scale * type(scale)(10) ** -DIGITS_TOLERANCE)


# ---------------------------------------------------------------- what one derivation says twice


def gradient_row(run: Run, d: Derivation, name: str, step: int | None = None) -> Any:
    """The adjoint's gradient of a name as a row, one entry for each of vec(name)."""
    value = run[d.pulled.gradients[name]]
    array = value if step is None else value[step - 1]
    return array.T.reshape(1, -1)


def adjoint_against_tangent(d: Derivation, T: int = 5, seed: int = 0) -> Verdict:
    """⟨gradient, direction⟩ = tangent of the loss, exactly, in a random direction of the field."""
    backward = field_run(d.adjoint, d.net, T, seed)
    forward = tangent_run(d, T, seed)
    loss = d.tangent.loss
    pushed = int(forward[loss][0, 0]) if loss is not None else 0
    pulled = 0
    count = 0
    for name, direction in directions(d).items():
        g, v = backward[d.pulled.gradients[name]], forward.values[direction]
        for a, b in zip(*((x if isinstance(x, list) else [x]) for x in (g, v)), strict=True):
            pulled += int((a * b).sum())
            count += a.size
    same = (pulled - pushed) % Field.prime == 0
    return Verdict(same, "field", "" if same else "⟨gradient, direction⟩", count)


def chain_against_adjoint(
    d: Derivation, wrt: str, T: int = 3, *, form: str = "nested", symbolic: bool = False, seed: int = 0
) -> Verdict:
    """The chain of a parameter or initial state and its gradient by the adjoint, exactly.

    With `symbolic` the chain is that for the symbol T.
    """
    chain = d.chain(wrt) if symbolic else d.chain(wrt, T, form=form)
    run = field_run(d.adjoint, d.net, T, seed)
    name, _, index = wrt.partition("[")
    step = int(index.rstrip("]")) if index else None
    value, expected = run.term(chain, None), gradient_row(run, d, name, step)
    for place in np.ndindex(*expected.shape):
        if value[place] != expected[place]:
            return Verdict(False, "field", f"d{wrt}, entry {place[1]} of vec({name})", expected.size)
    return Verdict(True, "field", "", expected.size)


def rewrites(d: Derivation, T: int = 5, seed: int = 0) -> Verdict:
    """The recurrence as it is compiled and as it was derived, exactly."""
    outputs = [*d.pulled.gradients.values(), d.net.loss or ""]
    compiled = optimise(d.adjoint, outputs, d.net.initial_states)
    return identical(d.adjoint, compiled, d.net, outputs=outputs, T=T, seed=seed, digits=False)
