"""Reading a program that a person wrote: called in its own style, answered in the cell's arrays."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import numpy as np

from rnnderive.checks.points import Point, point
from rnnderive.errors import InputError
from rnnderive.hand.arguments import Arguments, arguments
from rnnderive.hand.claims import Claims
from rnnderive.hand.layouts import Layout
from rnnderive.hand.placed import Placed
from rnnderive.hand.problem import Problem, upstream_of
from rnnderive.hand.results import Results, read_results
from rnnderive.hand.sandbox import Answer, Limit, call
from rnnderive.hand.sizes import own_point
from rnnderive.hand.slopes import slopes

__all__ = ["Code"]

REPEAT = 1e-9
SINGLE = 1e-5


@dataclass(frozen=True, eq=False)
class Code:
    """A program as a derivation that a person wrote; made by :func:`~rnnderive.hand.callables.read_callable`.

    Attributes
    ----------
    fn : callable
        Loss and gradients, or the backward of a pair.
    layout : Layout
    forward : callable or None
    names, outputs : tuple of str or None
        Of what `fn`, and what `forward`, returns.
    upstream : tuple of str
        The person's names of the gradients that arrive from outside, in the order of `fn`'s arguments;
        by default in that of the problem.
    factor : float or "batch"
        What the loss is multiplied by to be the cell's: the number of members, for their mean.
    dtype : dtype
        What the arrays are given in.
    own : Point or None
        The person's own test point.
    remarks : tuple of str
        What was found out while reading: which layout fits, which initial state is not read.
    states : {"params", "inputs", ""}
        Which of the two dicts initial states are in; for one sequence the first, for a batch the second.
    limit : Limit
        How long a call may take.
    """

    fn: Callable[..., Any]
    layout: Layout = field(default_factory=Layout)
    forward: Callable[..., Any] | None = None
    names: tuple[str, ...] | None = None
    outputs: tuple[str, ...] | None = None
    upstream: tuple[str, ...] = ()
    factor: float | str = 1.0
    dtype: Any = np.float64
    own: Point | None = None
    remarks: tuple[str, ...] = ()
    states: str = ""
    limit: Limit = field(default_factory=Limit)

    exact = False

    # ------------------------------------------------------------ where

    def placed(self, problem: Problem, at: Point) -> Placed:
        """The layout at a point's sizes."""
        return _placed(self.layout, problem, tuple(at.sizes.items()), at.T, at.batch)

    def at(self, problem: Problem, seed: int = 0, batch: int | None = None, T: int | None = None) -> Point:
        """A test point that the code can be asked at; the person's own, where there is one."""
        if self.own is not None:
            return self.own
        asked = dataclasses.replace(problem, seed=seed, batch=batch, T=T or problem.T)
        return self.fitted(point(asked.net, T=asked.T, batch=batch, seed=seed, sizes=problem.sizes))

    def point(self, problem: Problem, params: Mapping[str, Any], inputs: Mapping[str, Any]) -> Point:
        """The point that the person's own arrays stand for."""
        return self.own or self.fitted(own_point(self.layout, problem, {**params, **inputs}))

    def fitted(self, at: Point) -> Point:
        """A point changed so that the code can be asked there: what it has not is zero, classes are one-hot, masks
        are lengths."""
        for name in self.layout.absent:
            if name in at.params or name in at.inputs:
                at = at.where(name, np.zeros_like(at[name]))
        for entry in self.layout.entries:
            picked = entry.axes.picked if entry.axes else None
            for name in entry.part.names if picked else ():
                at = at.where(name, _one_hot(at[name]) if picked == "index" else _mask(at[name], at.T))
        return at

    def _check(self, at: Point) -> None:
        """That a point is one where the code can be asked."""
        fitted = self.fitted(at)
        for name in {**at.params, **at.inputs}:
            if name != "T" and not np.array_equal(fitted[name], at[name]):
                raise InputError(
                    f"the code cannot be asked at this point: {name} would have to be as Code.fitted has it"
                )

    @property
    def batched(self) -> bool:
        """Whether its arrays have an axis for a batch."""
        return any(e.axes is not None and "b" in e.axes.order for e in self.layout.entries)

    @property
    def notes(self) -> tuple[str, ...]:
        """What a verdict says besides."""
        return self.remarks

    # ------------------------------------------------------------ asking

    def claims(self, problem: Problem, at: Point) -> Claims:
        """Loss, gradients, states and intermediates at a point; it is asked twice."""
        self._check(at)
        placed = self.placed(problem, at)
        first, second = self._ask(placed, at), self._ask(placed, at)
        problems = [*first.problems, *_repeated(first, second)]
        grads, words = placed.pulled(first.grads)
        forward = self._values(placed, first.forward)
        loss = first.loss if first.loss is not None else _upstream_loss(problem, at, forward)
        factor = self._factor(at)
        if factor != 1.0:
            grads = {n: np.asarray(factor * g, g.dtype) for n, g in grads.items()}
            loss = None if loss is None else factor * loss
        tables = _precision(grads, self._values(placed, first.inner), forward)
        return Claims(
            tables[0], tables[1], loss, tables[2], tuple(dict.fromkeys([*problems, *words])),
            tuple(dict.fromkeys([*self.remarks, *first.remarks])),
        )  # fmt: skip

    def own_gradient(self, problem: Problem, at: Point) -> Mapping[str, Any] | None:
        """The gradient of the code's own forward, in the cell's arrays; None where it gives no value."""
        placed = self.placed(problem, at)
        if self.loss(placed, at) is None:
            return None
        given = placed.entries
        names = [
            n
            for n in problem.gradients
            if n not in self.layout.absent
            and not any(n in e.part.names and e.axes and e.axes.picked for e in given.values())
        ]
        return slopes(lambda p: self.loss(placed, p), at, names, single=np.dtype(self.dtype) == np.float32)

    def shown(self, name: str) -> str | None:
        """A program has no formula to show."""
        return None

    def loss(self, placed: Placed, at: Point) -> Any:
        """The code's own loss, in any number system; None where it gives none."""
        arrays = self._arrays(placed, at)
        fn, names = (self.forward, self.outputs) if self.forward else (self.fn, self.names)
        answer = self._call(fn, self._arguments(fn, placed, arrays))
        if answer.failure:
            return None
        found = read_results(answer.value, names, placed, forward=self.forward is not None)
        loss = found.loss
        if loss is None:
            loss = _upstream_loss(placed.problem, at, self._values(placed, found.forward))
        return None if loss is None else loss * self._factor(at)

    def given(self, placed: Placed, at: Point) -> tuple[frozenset[str], bool]:
        """The person's names that reach the code, and whether in dicts.

        Raises
        ------
        InputError
            For an argument that nothing fits.
        """
        arrays = self._arrays(placed, at)
        if self.forward is None:
            asked = [self._arguments(self.fn, placed, arrays)]
        else:
            asked = [self._arguments(self.forward, placed, arrays), self._backward(placed, arrays, None)]
        return frozenset().union(*(a.given for a in asked)), any(a.in_dicts for a in asked)

    def _factor(self, at: Point) -> float:
        return float(at.batch or 1) if self.factor == "batch" else float(self.factor)

    def _arrays(self, placed: Placed, at: Point) -> dict[str, Any]:
        """The person's arrays, in the dtype asked for; complex stays complex."""
        arrays = placed.arrays(at)
        there = {n: v for n, v in arrays.items() if not set(placed.entries[n].part.names) <= set(self.layout.absent)}
        return {n: _cast(v, self.dtype) for n, v in there.items()}

    def _arguments(self, fn: Any, placed: Placed, arrays: Mapping[str, Any], more: Sequence[Any] = ()) -> Arguments:
        states = self.states or ("params" if placed.batch is None else "inputs")
        return arguments(fn, placed, arrays, more, states=states)

    def _backward(self, placed: Placed, arrays: Mapping[str, Any], cache: Any) -> Arguments:
        names = self.upstream or placed.upstream
        more = [(n, arrays[n]) for n in names if n in arrays]
        return self._arguments(self.fn, placed, arrays, [*more, ("cache", cache)])

    def _call(self, fn: Callable[..., Any], given: Arguments) -> Answer:
        return call(fn, given.values, given.keywords, labels=given.labels, space=given.space, limit=self.limit)

    def _ask(self, placed: Placed, at: Point) -> Results:
        """One call, or one of each of a pair."""
        arrays = self._arrays(placed, at)
        if self.forward is None:
            answer = self._call(self.fn, self._arguments(self.fn, placed, arrays))
            return _read(answer, self.names, placed, "")
        answer = self._call(self.forward, self._arguments(self.forward, placed, arrays))
        before = _read(answer, self.outputs, placed, "the forward: ", forward=True)
        if answer.failure:
            return before
        answer = self._call(self.fn, self._backward(placed, arrays, self._cache(answer.value)))
        found = _read(answer, self.names, placed, "the backward: ")
        return Results(
            found.grads, {**before.forward, **found.forward}, found.inner,
            before.loss if found.loss is None else found.loss,
            [*before.problems, *found.problems], [*before.remarks, *found.remarks],
        )  # fmt: skip

    def _cache(self, value: Any) -> Any:
        """What the forward kept for the backward: named so, or the last thing, or all of it."""
        if self.outputs and isinstance(value, tuple | list):
            for name in ("cache", "caches"):
                if name in self.outputs and len(value) == len(self.outputs):
                    return value[self.outputs.index(name)]
        return value[-1] if isinstance(value, tuple) and self.outputs != ("cache",) else value

    def _values(self, placed: Placed, found: Mapping[str, Any]) -> dict[str, Any]:
        out: dict[str, Any] = {}
        for name, array in found.items():
            entry = placed.entry(name)
            if entry is not None:
                out |= placed.value(entry, array)
        return out


@lru_cache(maxsize=32)
def _placed(layout: Layout, problem: Problem, sizes: tuple[tuple[Any, int], ...], T: int, batch: int | None) -> Placed:
    return Placed(layout, problem, dict(sizes), T, batch)


def _one_hot(array: Any) -> Any:
    """Each vector's largest entry as 1."""
    return np.eye(array.shape[-1])[array.argmax(-1)]


def _mask(array: Any, T: int) -> Any:
    """Ones for the first steps of each sequence, of lengths that differ."""
    tail = array.shape[1:]
    lengths = T - 2 * np.arange(int(np.prod(tail))).reshape(tail) % T
    return (np.arange(T).reshape(-1, *[1] * len(tail)) < lengths).astype(float)


def _cast(value: Any, dtype: Any) -> Any:
    if isinstance(value, list):
        return [_cast(v, dtype) for v in value]
    if isinstance(value, np.ndarray) and value.dtype.kind == "f":
        return value.astype(dtype)
    return value


def _read(answer: Answer, names: Sequence[str] | None, placed: Placed, who: str, *, forward: bool = False) -> Results:
    """The results of one call, with what went wrong in it."""
    if answer.failure:
        return Results(problems=[f"{who}{answer.failure}"])
    out = read_results(answer.value, names, placed, forward=forward)
    out.problems = [f"{who}{p}" for p in out.problems]
    if answer.changed:
        out.remarks.append(f"{who}it writes on its arguments: {', '.join(answer.changed[:4])}")
    return out


def _repeated(first: Results, second: Results) -> Iterator[str]:
    """What differs between two calls with the same arguments."""
    if second.problems != first.problems:
        extra = [p for p in second.problems if p not in first.problems]
        if extra:
            yield f"a second call with the same arguments fails: {extra[0]}"
    words = []
    for n in [n for n in first.grads if n in second.grads]:
        a, b = first.grads[n], second.grads[n]
        size = max(float(np.abs(a).max(initial=0.0)), 1e-300)
        tolerance = REPEAT if a.dtype != np.float32 else SINGLE
        if np.abs(b - a).max(initial=0.0) > tolerance * size:
            ratio = float((b * a).sum() / max(float((a * a).sum()), 1e-300))
            twice = np.abs(b - ratio * a).max(initial=0.0) <= tolerance * size
            words.append(f"d{n} is {ratio:.6g} times that of the first" if twice else f"another d{n}")
    if words:
        yield (
            f"a second call with the same arguments gives other gradients ({', '.join(words[:3])}): something is kept "
            "from one call to the next"
        )


def _upstream_loss(problem: Problem, at: Point, forward: Mapping[str, Any]) -> Any:
    """Σ ⟨up_v, v⟩ over the sequences that gradients arrive at; None unless all of them are there."""
    names = [n for n in problem.net.sequences if upstream_of(n) in problem.net.inputs]
    if not names or not all(n in forward for n in names):
        return None
    return sum((at[upstream_of(n)] * forward[n]).sum() for n in names)


def _precision(*tables: dict[str, Any]) -> list[dict[str, Any]]:
    """In single precision where that is all that the numbers have, whatever their dtype."""
    arrays = [a for t in tables for a in t.values() if np.size(a) and not np.iscomplexobj(a)]
    moving = [a for a in arrays if np.any(a)]
    with np.errstate(over="ignore"):
        single = bool(moving) and all(a.dtype == np.float32 or bool((a == a.astype(np.float32)).all()) for a in moving)
    return [{n: a.astype(np.float32) for n, a in t.items()} if single else t for t in tables]
