"""Gradients in little memory: some states are kept, what lies between them is computed again.

Griewank and Walther (2000, Algorithm 799: revolve): the order of advances and reversals that needs the fewest
steps for a number of snapshots.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from functools import cached_property
from typing import Any, Literal

import numpy as np

from rnnderive.calculus import Segments, adjoint, segments
from rnnderive.errors import InputError
from rnnderive.language import terms as tm
from rnnderive.language.recurrence import Recurrence
from rnnderive.programs.arrays import Arrays
from rnnderive.programs.program import Program
from rnnderive.programs.sizes import size_of

__all__ = ["Checkpointed", "advances", "check_snapshots", "checkpointed", "reversal"]

Action = tuple[Literal["advance", "reverse"], int, int]


def advances(steps: int, snapshots: int) -> int:
    """How many steps are computed again: r·l − C(s + r, s + 1), r minimal with C(s + r, s) ≥ l.

    Examples
    --------
    >>> [advances(l, s) for l, s in [(10, 3), (56, 3), (100, 5), (1000, 10)]]
    [15, 210, 316, 3636]
    """
    r = _repetitions(steps, snapshots)
    return r * steps - math.comb(snapshots + r, snapshots + 1)


def _repetitions(steps: int, snapshots: int) -> int:
    r = 0
    while math.comb(snapshots + r, snapshots) < steps:
        r += 1
    return r


def reversal(start: int, stop: int, snapshots: int) -> Iterator[Action]:
    """The steps start..stop in reverse, from the state at `start`, which is one of the snapshots.

    Yields
    ------
    ("advance", a, b)
        Go from the state at a, which is kept, to that at b, which is kept if snapshots are left.
    ("reverse", a, a + 1)
        Take the step from a and differentiate it; the state at a is not needed any more.

    Examples
    --------
    >>> list(reversal(0, 3, 2))
    [('advance', 0, 1), ('advance', 1, 2), ('reverse', 2, 3), ('reverse', 1, 2), ('reverse', 0, 1)]
    """
    work = [(start, stop, snapshots)]
    while work:
        start, stop, snapshots = work.pop()
        steps = stop - start
        if steps > 1 and snapshots > 1:
            r = _repetitions(steps, snapshots)
            least = math.comb(snapshots + r - 2, snapshots) if r > 1 else 1
            first = max(least, steps - math.comb(snapshots - 1 + r, r))
            yield "advance", start, start + first
            work += [(start, start + first, snapshots), (start + first, stop, snapshots - 1)]
            continue
        for last in range(stop - 1, start, -1):
            yield "advance", start, last
            yield "reverse", last, last + 1
        yield "reverse", start, start + 1


def check_snapshots(snapshots: Any) -> None:
    """Refuse what is no number of snapshots.

    Raises
    ------
    InputError
    """
    single = isinstance(snapshots, int) and not isinstance(snapshots, bool) and snapshots >= 1
    if not single and not (isinstance(snapshots, str) and snapshots == "sqrt"):
        raise InputError(f"snapshots is {snapshots!r}; expected 'sqrt', or how many states to keep, from 1")


def checkpointed(
    net: Recurrence,
    wrt: Iterable[str],
    snapshots: Any = "sqrt",
    *,
    make: Callable[..., Program] = Program,
    **options: Any,
) -> Checkpointed:
    """The gradient of a network as a program that keeps few states.

    Parameters
    ----------
    net : Recurrence
    wrt : names
    snapshots : "sqrt" or int
    make : callable
        Makes the programs of the segments: :class:`Program`, or one whose loops are compiled.
    options
        Of :class:`Program`: threads, masked.

    Raises
    ------
    InputError
        For a network that cannot be cut in time (see :func:`rnnderive.calculus.segments`), and for a wrong
        number of snapshots.
    """
    check_snapshots(snapshots)
    names = tuple(wrt)
    cut = segments(net)
    entering = [f"{s}0" for s in cut.states]
    late = [n for n, (source, _) in cut.shifted.items() if {source, f"{source}0"} & set(names)]
    leaving = {n: n for n in [*cut.states, *cut.sums]}

    def gradient(segment: Recurrence, wrt: list[str], note: str) -> Program:
        known = {*segment.leaves, *segment.initial_states} - {e.name for e in segment.equations}
        whole = adjoint(segment, [n for n in dict.fromkeys(wrt) if n in known])
        return make(
            whole.net, segment, whole.gradients, function="value_and_grad", with_loss=True, note=note, reuse=True
        )

    forward = make(cut.forward, cut.forward, leaving, function="advance", with_loss=True, note="A segment.", reuse=True)
    parts = {
        "forward": forward,
        "middle": gradient(cut.middle, [*names, *entering, *late], "The gradient of a segment of a network."),
        "last": gradient(cut.last, [*names, *entering, *late, *cut.sums.values()], "The last segment's gradient."),
    }
    if cut.start is not None:
        computed = {n: n for n in entering if n in cut.start}
        parts["begin"] = Program(cut.start, cut.start, computed, function="begin", note="Initial states.")
        parts["start"] = gradient(cut.start, list(names), "The gradient of the initial states.")
    return Checkpointed(net, cut, parts, names, snapshots=snapshots, **options)


class Checkpointed(Program):
    """A gradient that keeps the states at snapshots, and computes the steps between them again.

    Parameters
    ----------
    origin : Recurrence
        The network.
    cut : Segments
        The recurrences of its segments.
    parts : dict
        ``forward``, ``middle``, ``last`` and, where initial states are computed, ``start`` and ``begin``: the
        programs of the segments, all but the first and the last of these with gradients.
    wrt : tuple of str
        What is differentiated in.
    snapshots : "sqrt" or int
        ``"sqrt"`` takes √T steps at a time and keeps √T states; a number keeps so many, and takes steps singly.
    options
        Of :class:`Program`: threads, masked.
    """

    def __init__(
        self,
        origin: Recurrence,
        cut: Segments,
        parts: dict[str, Program],
        wrt: tuple[str, ...],
        *,
        snapshots: Any = "sqrt",
        **options: Any,
    ) -> None:
        super().__init__(
            origin, origin, {n: n for n in wrt}, function="value_and_grad", with_loss=True, restored=True, **options
        )
        self.cut, self.parts, self.snapshots = cut, parts, snapshots

    @cached_property
    def source(self) -> str:
        """None: the programs of the segments have one each, `parts[...].source`."""
        raise InputError(
            "a program with checkpoints is made of several; their sources are .parts['forward'].source, "
            ".parts['middle'].source and .parts['last'].source"
        )

    def compute(self, arrays: Arrays) -> Any:
        """The loss and the gradients of arrays that have been checked."""
        return _Sweep(self, arrays).run()


class _Sweep:
    """One run over the segments and back."""

    def __init__(self, program: Checkpointed, arrays: Arrays) -> None:
        self.program, self.cut, self.arrays = program, program.cut, arrays
        self.lead = () if arrays.batch is None else (arrays.batch,)
        root = math.isqrt(arrays.T - 1) + 1  # the next integer from √T
        self.chunk = root
        self.unit = root if program.snapshots == "sqrt" else 1
        self.count = -(-arrays.T // self.unit)
        self.steps = np.full((*self.lead, 1), arrays.T, arrays.dtype)
        self.sums: dict[str, Any] = {}
        self.loss: Any = None
        self.cotangents: dict[str, Any] = {}
        self.grads: dict[str, Any] = {}

    def run(self) -> Any:
        snapshots = self.count if self.program.snapshots == "sqrt" else self.program.snapshots
        kept = {0: self.initial()}
        for action, a, b in reversal(0, self.count, snapshots):
            if action == "advance":
                kept[b] = self.advance(kept[a], a * self.unit, b * self.unit)
            else:
                self.reverse(kept.pop(a), a * self.unit, min(b * self.unit, self.arrays.T))
        return self.loss, self.gradients()

    def part(self, name: str, inputs: dict[str, Any], a: int, b: int) -> Any:
        """Run the program of a segment on the steps a..b."""
        arrays = self.arrays
        table = {n: self.segment(n, x, a, b) for n, x in arrays.inputs.items() if n != "T"}
        for n, (source, lag) in self.cut.shifted.items():
            table[n] = self.lagged(source, lag, a, b)
        named = [n for n in self.program.origin.initial_states if n in self.program.parts[name].origin.inputs]
        table |= {n: self.start_of(n) for n in named}
        table |= {"T": b - a, self.cut.steps: self.steps, **inputs}
        return self.program.parts[name].compute(arrays._replace(inputs=table, T=b - a))

    def segment(self, name: str, array: Any, a: int, b: int) -> Any:
        return array[a:b] if isinstance(self.program.origin.leaves.get(name), tm.At) else array

    def lagged(self, source: str, lag: int, a: int, b: int) -> Any:
        """An input sequence at a lag; outside 1..T it is what its initial state is."""
        array = self.arrays.inputs[source]
        out = np.empty((b - a, *array.shape[1:]), array.dtype)
        out[...] = self.arrays.inputs.get(f"{source}0", 0)
        low, high = max(a - lag, 0), min(b - lag, len(array))
        if low < high:
            out[low + lag - a : high + lag - a] = array[low:high]
        return out

    def initial(self) -> dict[str, Any]:
        """The states before the first step."""
        found = {f"{s}0": self.start_of(f"{s}0") for s in self.cut.states}
        if self.cut.start is not None:
            found |= self.part("begin", self.given(), 0, 1)
        return found

    def given(self) -> dict[str, Any]:
        """The initial states that are not computed."""
        return {n: self.start_of(n) for n in self.program.origin.initial_states}

    def start_of(self, name: str) -> Any:
        net = self.program.origin if name in self.program.origin.initial_states else self.cut.forward
        shape = tuple(size_of(s).value(self.arrays.sizes) for s in net.shape(name)[:1])
        return self.arrays.inputs.get(name, np.zeros((*self.lead, *shape), self.arrays.dtype))

    def advance(self, state: dict[str, Any], a: int, b: int) -> dict[str, Any]:
        """The states at b from those at a; on the first way, the sums as well."""
        for low in range(a, b, self.chunk):
            _, out = self.part("forward", state, low, min(low + self.chunk, b))
            state = {f"{s}0": np.array(out[s][-1]) for s in self.cut.states}
            if self.loss is None:
                for name in self.cut.sums:
                    self.sums[name] = self.sums.get(name, 0) + out[name]
        return state

    def reverse(self, state: dict[str, Any], a: int, b: int) -> None:
        """Differentiate the steps a..b, the last ones first."""
        cut = self.cut
        if self.loss is None:
            before = {own: self.sums.get(n, self.no_sum(n)) for n, own in cut.sums.items()}
            self.loss, found = self.part("last", {**state, **before}, a, b)
            self.cotangents |= {cut.cotangents[n]: found.pop(own) for n, own in cut.sums.items()}
        else:
            _, found = self.part("middle", {**state, **self.cotangents}, a, b)
        self.cotangents |= {cut.cotangents[s]: found.pop(f"{s}0") for s in cut.states if f"{s}0" in found}
        self.add(found, a, b)

    def no_sum(self, name: str) -> Any:
        rows, columns = self.cut.forward.shape(name)
        sizes = [rows] if columns == 1 else [rows, columns]
        return np.zeros((*self.lead, *(size_of(s).value(self.arrays.sizes) for s in sizes)), self.arrays.dtype)

    def add(self, found: dict[str, Any], a: int, b: int) -> None:
        """Add what the steps a..b give to the gradients."""
        for n, g in found.items():
            if n in self.cut.shifted:
                self.add_lagged(*self.cut.shifted[n], g, a, b)
            elif isinstance(self.program.origin.leaves.get(n), tm.At):
                self.whole(n, g)[a:b] += g
            else:
                self.grads[n] = self.grads[n] + g if n in self.grads else g

    def add_lagged(self, source: str, lag: int, g: Any, a: int, b: int) -> None:
        """The gradient of an input at a lag: the input's, and outside 1..T its initial state's."""
        low, high = max(a - lag, 0), max(min(b - lag, self.arrays.T), max(a - lag, 0))
        first, last = min(low + lag - a, b - a), min(high + lag - a, b - a)
        self.whole(source, g)[low:high] += g[first:last]
        outside = g[:first].sum(0) + g[last:].sum(0)
        self.grads[f"{source}0"] = self.grads.get(f"{source}0", 0) + outside

    def whole(self, name: str, g: Any) -> Any:
        """The gradient of an input sequence, over all steps."""
        if name not in self.grads:
            self.grads[name] = np.zeros((self.arrays.T, *g.shape[1:]), g.dtype)
        return self.grads[name]

    def gradients(self) -> dict[str, Any]:
        """The gradients, those of the initial states from what came back to the first step."""
        cut, free = self.cut, self.program.origin.initial_states
        if cut.start is not None:
            _, found = self.part("start", {**self.given(), **self.cotangents}, 0, 1)
            self.add(found, 0, 1)
        came = {f"{s}0": self.cotangents.get(cut.cotangents[s]) for s in cut.states}
        self.add({n: g for n, g in came.items() if n in free and n in self.program.outputs and g is not None}, 0, 1)
        return {n: self.grads[n] if n in self.grads else self.zero(n) for n in self.program.outputs}

    def zero(self, name: str) -> Any:
        array = self.arrays.params.get(name, self.arrays.inputs.get(name))
        return np.zeros_like(array) if array is not None else np.zeros_like(self.start_of(name))
