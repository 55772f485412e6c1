"""The state of a network as one chain: its Jacobian, what the loss sends into it, what it passes on.

A *chain* is the state of all loops that run in one direction of time: h of a simple RNN, [h, C] of
an LSTM, [h_1, C_1, h_2, C_2] of a stack.  Its Jacobian J_t = ∂s^t/∂s^{t-1} is a term of the
language, block by block.  Every part of the analysis is the derivative of a recurrence that is the
network with some equations taken away: a sequence without its equation is given, hence held fixed.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any

import numpy as np

from rnnderive import calculus
from rnnderive.chains.course import CHUNK_BYTES, Course
from rnnderive.derivation import derive
from rnnderive.errors import InputError
from rnnderive.language import Equation, Recurrence
from rnnderive.language import terms as tm
from rnnderive.language.terms import Term, t
from rnnderive.programs import Program

__all__ = ["StateChain", "chains"]


@dataclass(frozen=True)
class StateChain:
    """The state of the loops that run one way in time.

    Made by :func:`chains`.

    Attributes
    ----------
    net : Recurrence
    states : tuple of str
        Its sequences, in the order of the blocks.
    direction : str
        ``forward`` or ``backward``.

    Examples
    --------
    >>> import rnnderive as rd
    >>> chain, = chains(rd.cells.lstm())
    >>> chain.states, chain.lag
    (('h', 'C'), 1)
    >>> chain.block("C", "C")
    diag(f[t])
    """

    net: Recurrence
    states: tuple[str, ...]
    direction: str

    @property
    def lag(self) -> int:
        """1 where the state reads the step before, −1 where it reads the step after."""
        return 1 if self.direction == "forward" else -1

    def block(self, v: str, u: str) -> Term:
        """∂v^t/∂u^{t-1} with everything inside step t eliminated (t+1 for a backward chain)."""
        return calculus.jacobian(self.net, v, u, self.lag)

    @cached_property
    def jacobian(self) -> Term:
        """The block Jacobian ∂s^t/∂s^{t-1}."""
        return tm.blocks([[self.block(v, u) for u in self.states] for v in self.states])

    @cached_property
    def copies(self) -> tuple[Equation, ...]:
        """States that only keep another for a step, such as h_1[t] = h[t-1] where h[t-2] is read."""
        own = (self.net[n] for n in self.states)
        return tuple(e for e in own if isinstance(e.right, tm.At) and e.right.lag == self.lag)

    def held(self, *names: str) -> StateChain:
        """The same chain with some sequences held fixed: no path goes through them."""
        wrong = [n for n in names if n in self.states or n not in self.net]
        if wrong:
            raise InputError(f"{', '.join(wrong)} cannot be held; there are {', '.join(self.inner)}")
        kept = tuple(e for e in self.net.equations if e.name not in names)
        return StateChain(Recurrence(kept, None, self.net.declared), self.states, self.direction)

    @cached_property
    def step(self) -> tuple[str, ...]:
        """The equations that compute the state from the one before: the cell.  Other loops are given."""
        other = {n for s in self.net.schedule if s.direction != "all" for n in s.names}
        own = {n for s in self.net.schedule if set(s.names) & set(self.states) for n in s.names}
        found: set[str] = set()
        todo = list(self.states)
        while todo:
            name = todo.pop()
            if name not in found and name not in other - own and name != self.net.loss:
                found.add(name)
                todo += [r.name for r in self.net.reads(name) if r.name in self.net]
        return tuple(e.name for e in self.net.equations if e.name in found)

    @cached_property
    def inner(self) -> tuple[str, ...]:
        """Sequences inside the step that depend on the state before: gates and candidates."""
        loop = {n for s in self.net.schedule if s.direction == self.direction for n in s.names}
        return tuple(n for n in self.step if n in loop and n not in self.states)

    def split(self, array: Any, course: Course) -> dict[str, Any]:
        """The parts of something stacked along its last axis, by state."""
        ends = np.cumsum([course.extent(self.net.leaf(n))[0] for n in self.states])
        return dict(zip(self.states, np.split(array, ends[:-1], axis=-1), strict=True))

    # ------------------------------------------------------------ from the loss into the state

    @cached_property
    def opened(self) -> Recurrence:
        """The network with its state given: readout and loss, and nothing that remembers."""
        given = {*self.states, *(f"{n}0" for n in self.states)}
        kept = tuple(e for e in self.net.equations if e.name not in given)
        return Recurrence(kept, self.net.loss, self.net.declared)

    def impulses(self, course: Course) -> Any:
        """∂⁺L/∂s^t for every t, (T, …, n): what the loss sends into the state at that very step."""
        found = self._of_the_loss(course, [n for n in self.states if n in self.opened.inputs])
        sizes = [course.extent(self.net.leaf(n))[0] for n in self.states]
        parts = [
            np.asarray(found[n]) if n in found else np.zeros((course.T, *course.lead, size))
            for n, size in zip(self.states, sizes, strict=True)
        ]
        return np.concatenate(parts, axis=-1)

    def direct(self, course: Course) -> dict[str, Any]:
        """The gradient in every parameter with the state held: what the readout and other chains read themselves."""
        zeros = {n: np.zeros(course.extent(self.net.leaf(n))) for n in self.net.parameters}
        return {**zeros, **self._of_the_loss(course, list(self.opened.parameters))}

    def _of_the_loss(self, course: Course, wrt: list[str]) -> dict[str, Any]:
        """The gradient of the loss in parameters or sequences of :attr:`opened`."""
        if not wrt:
            return {}
        inputs = {n: course[n] for n in (*self.opened.inputs, *self.opened.initial_states)}
        params = {n: course.params[n] for n in self.opened.parameters}
        return dict(derive(self.opened, wrt).lambdify()(params, inputs)[1])

    # ------------------------------------------------------------ from the state into the parameters

    @cached_property
    def map(self) -> Recurrence:
        """One step as a map, for all t at once: s_next[t] = F(s[t-1], x[t], W), with s given.

        Its loss is Σ_t ⟨λ^t, s_next^t⟩ for given λ, so that its gradient in W is
        Σ_t λ^t ∂⁺s^t/∂W.
        """
        following = {n: self.net.fresh(f"{n}_next") for n in self.states}

        def leaf(node: Term) -> Term | None:
            if isinstance(node, tm.At) and node.name in following and node.lag == 0:
                return tm.At(following[node.name], t, *node.shape)
            return None

        cell = [self.net[n] for n in self.step]
        equations = [Equation(tm.transform(e.left, leaf), tm.transform(e.right, leaf)) for e in cell]
        parts = []
        for n in self.states:
            shape = self.net.shape(n)
            cotangent = tm.At(self.cotangent(n), t, *shape)
            parts.append(tm.product(tm.transpose(cotangent), tm.At(following[n], t, *shape)))
        loss = tm.Parameter(self.net.fresh("L_step"), 1, 1)
        equations.append(Equation(loss, tm.TimeSum(tm.plus(*parts))))
        return Recurrence(tuple(equations), loss.name, self.net.declared)

    def cotangent(self, name: str) -> str:
        """What λ of a state is called in :attr:`map`."""
        return self.net.fresh(f"lambda_{name}")

    def pulled(self, course: Course, cotangents: Any, wrt: str) -> Iterator[tuple[int, Any]]:
        """λ^t ∂⁺s^t/∂W step by step, piece by piece: the number of the first step, and (steps, …, shape).

        Parameters
        ----------
        course : Course
        cotangents : array
            λ, (T, …, n).
        wrt : str
            A parameter of the cell.

        Raises
        ------
        InputError
            For a name that the cell does not read.
        """
        if wrt not in self.reads:
            raise InputError(
                f"{wrt!r} is not a parameter that the cell itself reads, so its gradient has no chain; "
                f"the cell reads {', '.join(self.reads) or 'none'}"
            )
        program = _pullback(self.map, wrt)
        given = {self.cotangent(n): a for n, a in self.split(cotangents, course).items()}
        size = int(np.prod(course.extent(self.net.leaf(wrt)))) * 8 * (course.batch or 1)
        length = max(1, CHUNK_BYTES // size) if self._local else course.T
        for start in range(1, course.T + 1, length):
            stop = min(start + length - 1, course.T)
            params, inputs = self._piece(self.map, course, given, start, stop)
            yield start, program(params, inputs)[wrt]

    def pulled_input(self, course: Course, cotangents: Any, wrt: str) -> Iterator[tuple[int, Any]]:
        """λ^t ∂s^t/∂x^{t-j} for each lag j at which the cell reads an input: j, and (T, …, size of x).

        Parameters
        ----------
        course : Course
        cotangents : array
            λ, (T, …, n).
        wrt : str
            An input sequence that the cell reads.

        Raises
        ------
        InputError
            When the cell reads it at no lag, but a fixed member such as x[T]: that belongs to no step.
        """
        step, names = self._unlagged(wrt)
        if wrt in step.inputs:
            raise InputError(
                f"the cell reads {wrt!r} the same at every step, so that what a step adds has no place in it; "
                f"expected reads such as {wrt}[t] or {wrt}[t-1]"
            )
        given = {self.cotangent(n): a for n, a in self.split(cotangents, course).items()}
        given |= {name: course.before(wrt, lag, 1, course.T) for name, lag in names.items()}
        params, inputs = self._piece(step, course, given, 1, course.T)
        found = derive(step, tuple(names)).lambdify()(params, inputs)[1]
        for name, lag in names.items():
            yield lag, found[name]

    def _unlagged(self, wrt: str) -> tuple[Recurrence, dict[str, int]]:
        """The step map with every read of an input as an input of its own: name → lag."""
        names: dict[str, int] = {}

        def leaf(node: Term) -> Term | None:
            if isinstance(node, tm.At) and node.name == wrt and node.lag is not None:
                name = self.net.fresh(f"{wrt}_{'before' if node.lag >= 0 else 'after'}_{abs(node.lag)}")
                names[name] = node.lag
                return tm.At(name, t, *node.shape)
            return None

        equations = tuple(Equation(e.left, tm.transform(e.right, leaf)) for e in self.map.equations)
        return Recurrence(equations, self.map.loss, self.map.declared), names

    @property
    def reads(self) -> tuple[str, ...]:
        """The parameters of the cell itself."""
        return self.map.parameters

    @cached_property
    def _local(self) -> bool:
        """Whether the map reads its inputs one way and no further than the step beside."""
        lags = {r.lag for e in self.map.equations for r in self.map.reads(e.name)} - {None}
        return lags <= {0, self.lag}

    def _piece(self, step: Recurrence, course: Course, given: dict[str, Any], start: int, stop: int) -> tuple[Any, Any]:
        """The arrays that the map, or a form of it, needs for some of the steps."""
        inputs: dict[str, Any] = {}
        for n in step.inputs:
            if isinstance(step.leaves[n], tm.At):
                series = given[n] if n in given else course[n]
                inputs[n] = series[start - 1 : stop]
            else:
                inputs[n] = course[n]
        for n in step.initial_states:
            state = n[:-1]
            at = start - 1 if self.lag > 0 else stop + 1
            inputs[n] = course.before(state, 0, at, at)[0] if 1 <= at <= course.T else course[n]
        return {n: course.params[n] for n in step.parameters}, inputs


@lru_cache(maxsize=256)
def _pullback(step: Recurrence, wrt: str) -> Program:
    """What each step adds to the gradient of a step map in a parameter."""
    return derive(step, wrt).contributions(wrt)


def chains(net: Recurrence) -> tuple[StateChain, ...]:
    """The chains of a network: one for each direction of time, or one a loop where these feed each other.

    Raises
    ------
    InputError
        When nothing is a loop over t.
    """
    loops = [s for s in net.schedule if s.direction != "all"]
    if not loops:
        raise InputError(
            "there is no chain to analyse: no sequence is read at another step. "
            "Expected a recurrence such as h[t] = tanh(U @ h[t-1] + W @ x[t])"
        )
    if any(abs(r.lag) > 1 for s in loops for n in s.names for r in net.reads(n) if r.lag and r.name in net):
        return chains(calculus.first_order(net))
    mixed = len({s.direction for s in loops}) > 1 and any(_reaches(net, a.names, b.names) for a in loops for b in loops)
    out: list[StateChain] = []
    for direction in ("forward", "backward"):
        found = [states_of(net, s.names) for s in loops if s.direction == direction]
        groups = [(g,) for g in found] if mixed else [tuple(found)] if found else []
        out += [StateChain(net, tuple(n for g in group for n in g), direction) for group in groups]
    return tuple(out)


def states_of(net: Recurrence, loop: Iterable[str]) -> tuple[str, ...]:
    """The sequences of a loop that carry it from step to step, as the equations read them (h before C)."""
    names = set(loop)
    read = [
        leaf.name
        for e in net.equations
        for leaf in tm.members(e.right)
        if isinstance(leaf, tm.At) and leaf.lag and leaf.name in names
    ]
    return tuple(dict.fromkeys(read))


def _reaches(net: Recurrence, below: tuple[str, ...], above: tuple[str, ...]) -> bool:
    """Whether one loop feeds another that runs the other way."""
    directions = {n: s.direction for s in net.schedule for n in s.names}
    if directions[below[0]] == directions[above[0]]:
        return False
    found: set[str] = set()
    todo = list(above)
    while todo:
        name = todo.pop()
        if name in net and name not in found:
            found.add(name)
            todo += [r.name for r in net.reads(name)]
    return bool(found & set(below))
