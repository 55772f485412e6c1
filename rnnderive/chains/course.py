"""A run of a network, and any term of the language evaluated along it.

The whole run is computed once, by the generated forward program.  Jacobians, slopes and bounds are
terms; they are compiled as they stand and evaluated for as many steps at a time as memory allows,
so that a chain of a million steps is never held as a whole.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from types import FunctionType
from typing import Any

import numpy as np
import sympy as sp

from rnnderive.errors import InputError
from rnnderive.language import Equation, Floats, Recurrence, Run
from rnnderive.language import terms as tm
from rnnderive.language.terms import Term, t
from rnnderive.programs import Program, prepare

__all__ = ["Course", "run"]

CHUNK_BYTES = 2**23  # of Jacobians at a time: more leaves the cache, less costs more calls


@dataclass(frozen=True, eq=False)
class Course:
    """Every quantity of a network along one run, or a batch of runs.

    Made by :func:`run`.

    Attributes
    ----------
    net : Recurrence
    params, inputs : dict
        The arrays that were run on, checked.
    values : dict
        Name → (T, …, n) for a sequence, (…, n) for a timeless quantity.
    T : int
    batch : int or None
    sizes : dict
        Symbolic size → number.
    """

    net: Recurrence
    params: Mapping[str, Any]
    inputs: Mapping[str, Any]
    values: Mapping[str, Any]
    T: int
    batch: int | None
    sizes: Mapping[Any, int]
    dtype: Any

    @property
    def lead(self) -> tuple[int, ...]:
        """The batch axis, if there is one."""
        return () if self.batch is None else (self.batch,)

    def __getitem__(self, name: str) -> Any:
        for table in (self.values, self.inputs, self.params):
            if name in table:
                return table[name]
        state = name[:-1]
        if name in self.net.initial_states:
            return np.zeros((*self.lead, *self.extent(self.net.leaves[state])), self.dtype)
        raise InputError(f"there is no {name!r} in this run; there are {', '.join(self.values)}")

    def extent(self, term: Term) -> tuple[int, ...]:
        """The axes of a term's value: (n,) for a column, (n, m) for a matrix."""
        rows, columns = (int(sp.sympify(s).subs(self.sizes)) for s in term.shape)
        return (rows,) if term.shape[1] == 1 else (rows, columns)

    def before(self, name: str, lag: int, start: int, stop: int) -> Any:
        """``name[t - lag]`` for t = start..stop; outside 1..T, its initial state."""
        series = self[name]
        steps = np.arange(start - lag, stop - lag + 1)
        if steps[0] >= 1 and steps[-1] <= self.T:
            return series[steps[0] - 1 : steps[-1]]
        out = np.empty((len(steps), *series.shape[1:]), series.dtype)
        inside = (steps >= 1) & (steps <= self.T)
        out[inside] = series[steps[inside] - 1]
        start_state = f"{name}0"  # given, or computed by an equation of its own
        known = start_state in self.net.initial_states or start_state in self.values
        out[~inside] = self[start_state] if known else 0.0
        return out

    def along(self, term: Term, start: int = 1, stop: int | None = None) -> Any:
        """A term's value for t = start..stop.

        Parameters
        ----------
        term : Term
            Of the network's names.
        start, stop : int
            Steps, both included; all unless given.

        Returns
        -------
        array
            (steps, …, rows, columns).
        """
        stop = self.T if stop is None else stop
        shape = tuple(int(sp.sympify(s).subs(self.sizes)) for s in term.shape)
        whole = (stop - start + 1, *self.lead, *shape)
        if term.is_null:
            return np.broadcast_to(np.zeros((), self.dtype), whole)
        if not any(isinstance(n, tm.At | tm.Parameter) for n in tm.members(term)):  # numbers alone
            constant = Run(Recurrence(()), Floats({**self.sizes, tm.T: self.T}), {}, self.T).term(term, 1)
            return np.broadcast_to(constant.astype(self.dtype), whole)
        compiled = _compiled(self.net, term)
        first, last = (1, self.T) if compiled.whole else (start, stop)
        inputs = {fresh: self._read(name, place, first, last) for fresh, (name, place) in compiled.reads.items()}
        if not compiled.timed:  # the same at every step
            inputs["T"] = last - first + 1 if compiled.whole else 1
        params = {n: self.params[n] for n in compiled.program.net.parameters}
        raw: Any = compiled.program.raw
        # A size that no array of this term fixes is known from the run; the program is for runs of all sizes.
        known = {**raw.__globals__, **{str(s): n for s, n in self.sizes.items()}}
        compute = FunctionType(raw.__code__, known, raw.__name__, raw.__defaults__)
        value = np.asarray(compute(params, inputs)["value"])
        if value.size == np.prod(shape, dtype=int):
            return np.broadcast_to(value.reshape(shape), whole)
        value = value.reshape(-1, *self.lead, *shape)
        if len(value) > 1:
            value = value[start - first : len(value) - (last - stop)]
        return np.broadcast_to(value, whole)

    def _read(self, name: str, place: Any, start: int, stop: int) -> Any:
        """What a compiled term reads: a sequence at a lag, one of its members, or a timeless quantity."""
        if isinstance(place, int):
            return self.before(name, place, start, stop)
        return self[name] if place is None else self[name][int(place.subs(tm.T, self.T)) - 1]

    def chunks(self, term: Term, *, backward: bool = True, ends: tuple[int, int] | None = None) -> Iterator[Any]:
        """A term's values piece by piece, from the last step to the first (or the other way).

        Every piece is (steps, …, rows, columns) in the order of time.
        """
        first, last = ends or (1, self.T)
        rows, columns = (int(sp.sympify(s).subs(self.sizes)) for s in term.shape)
        step_bytes = 8 * rows * columns * (self.batch or 1)
        length = last - first + 1 if _knows_time(term) else max(1, CHUNK_BYTES // step_bytes)
        starts = range(first, last + 1, length)
        for start in reversed(starts) if backward else starts:
            yield self.along(term, start, min(start + length - 1, last))


@dataclass(frozen=True)
class _Compiled:
    """A term as a program whose inputs are sequences at no lag: fresh name → (name, lag or step)."""

    program: Program
    reads: Mapping[str, tuple[str, Any]]
    whole: bool  # it knows the number of steps, or where it stands, and cannot be cut

    @property
    def timed(self) -> bool:
        return any(isinstance(place, int) for _, place in self.reads.values())


@lru_cache(maxsize=512)
def _compiled(net: Recurrence, term: Term) -> _Compiled:
    reads: dict[str, tuple[str, Any]] = {}

    def leaf(node: Term) -> Term | None:
        if isinstance(node, tm.At):
            place = node.lag if node.lag is not None else node.index
            words = f"{node.name}_{place}" if place != 0 else node.name
            fresh = words if words.isidentifier() else f"{node.name}_at_{len(reads)}"
            while reads.get(fresh, (node.name, place)) != (node.name, place) or (place != 0 and fresh in net.leaves):
                fresh += "_"
            reads[fresh] = (node.name, place)
            return tm.At(fresh, t, *node.shape) if node.lag is not None else tm.Parameter(fresh, *node.shape)
        if isinstance(node, tm.Parameter) and node.name not in net.parameters:
            reads[node.name] = (node.name, None)
        return None

    flat = tm.transform(term, leaf)
    left = tm.At("value", t, *term.shape)
    given = frozenset(n for n, (_, place) in reads.items() if not isinstance(place, int))
    alone = Recurrence((Equation(left, flat),), None, given)
    program = Program(alone, alone, {"value": "value"}, function="along", note=f"{term} along a run.")
    return _Compiled(program, reads, _knows_time(term))


def _knows_time(term: Term) -> bool:
    return any(isinstance(n, tm.Where | tm.Extent | tm.TimeSum) for n in tm.members(term))


def run(net: Recurrence, params: Mapping[str, Any], inputs: Mapping[str, Any]) -> Course:
    """Run a network and keep every sequence.

    Parameters
    ----------
    net : Recurrence
    params, inputs : mapping
        Arrays by name, as :meth:`Derivation.lambdify` takes them.

    Raises
    ------
    InputError
        For arrays that do not fit, for complex ones, and when the run leaves the range of floating point,
        with the sequence and the step.

    Examples
    --------
    >>> import numpy as np, rnnderive as rd
    >>> net = rd.Recurrence.parse("s[t] = a * s[t-1] + x[t]", loss=None)
    >>> run(net, {"a": np.array([0.5])}, {"x": np.ones((3, 1))})["s"][:, 0].tolist()
    [1.0, 1.5, 1.75]
    """
    for name, array in {**params, **inputs}.items():
        if np.iscomplexobj(array):
            raise InputError(f"{name} has complex entries; expected real numbers, such as {name}.real")
    arrays = prepare(net, params, inputs)
    names = {e.name: e.name for e in net.equations}
    with np.errstate(all="ignore"):
        values = _forward(net).run(arrays)
    for name in names:
        bad = np.argwhere(~np.isfinite(values[name]))
        if len(bad):
            step = f" at step {int(bad[0][0]) + 1}" if net[name].timed else ""
            raise InputError(
                f"{name} is no finite number{step}: the run itself leaves the range of floating point "
                f"(in {net[name]}). Scale the weights or the input down, or run fewer steps"
            )
    inputs = {n: a for n, a in arrays.inputs.items() if n != "T"}
    return Course(net, arrays.params, inputs, values, arrays.T, arrays.batch, arrays.sizes, arrays.dtype)


@lru_cache(maxsize=64)
def _forward(net: Recurrence) -> Program:
    names = {e.name: e.name for e in net.equations}
    return Program(net, net, names, function="forward", note="A recurrent network, forward.")
