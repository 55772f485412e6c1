"""A chain along a run: its Jacobians in the chain's own order of time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from rnnderive.chains.cotangents import Cotangents, sent_back
from rnnderive.chains.course import Course
from rnnderive.chains.products import operator_log_norms, vector_log_norms
from rnnderive.chains.state import StateChain
from rnnderive.errors import InputError
from rnnderive.language.terms import Term

__all__ = ["Pieces", "Trace", "middle"]

MOST_BYTES = 6 * 2**30
MOST_LAGS = 2000


def middle(array: Any) -> Any:
    """The median over the batch, (steps, …) → (steps,); the upper one of two; −∞ where it is so for most of the batch.

    Examples
    --------
    >>> middle(np.array([[0.0, 2.0, -np.inf], [-np.inf, -np.inf, 1.0]])).tolist()
    [0.0, -inf]
    >>> middle(np.array([[2.0, -np.inf]])).tolist()
    [2.0]
    """
    return array if array.ndim == 1 else np.quantile(array, 0.5, axis=1, method="higher")


@dataclass(frozen=True, eq=False)
class Pieces:
    """A term along a chain, computed piece by piece each time that it is gone through.

    Made by :meth:`Trace.pieces`.
    """

    trace: Trace
    term: Term
    backward: bool
    first: int
    last: int

    def __iter__(self) -> Iterator[Any]:
        trace, forward = self.trace, self.trace.chain.lag > 0
        ends = (self.first, self.last) if forward else (trace.T - self.last + 1, trace.T - self.first + 1)
        for piece in trace.course.chunks(self.term, backward=self.backward == forward, ends=ends):
            yield trace.ordered(piece)


@dataclass(frozen=True, eq=False)
class Trace:
    """A chain along a run.

    Arrays here are in the order of the chain: of a right-to-left loop the first entry belongs to
    step T.  A *lag* is a distance in steps from the end of the chain.

    Attributes
    ----------
    chain : StateChain
    course : Course
    """

    chain: StateChain
    course: Course

    @property
    def T(self) -> int:
        """Number of steps."""
        return self.course.T

    @property
    def size(self) -> int:
        """Number of entries of the state."""
        return sum(self.course.extent(self.chain.net.leaf(n))[0] for n in self.chain.states)

    def ordered(self, array: Any) -> Any:
        """Something by step in the order of the chain, or back."""
        return array if self.chain.lag > 0 else array[::-1]

    def pieces(
        self, term: Term | None = None, *, backward: bool = True, first: int = 1, last: int | None = None
    ) -> Pieces:
        """J_t, or another term, piece by piece: (steps, …, n, n).

        Parameters
        ----------
        term : Term, optional
            The chain's Jacobian unless given.
        backward : bool
            The latest piece first; within a piece always in order.
        first, last : int
            Leave out what comes before and after these steps of the chain.
        """
        return Pieces(self, self.chain.jacobian if term is None else term, backward, first, last or self.T)

    @property
    def jacobian_bytes(self) -> int:
        """What all Jacobians at once would take."""
        return 8 * self.T * self.size**2 * (self.course.batch or 1)

    @cached_property
    def jacobians(self) -> Any:
        """All of J_1, …, J_T, (T, …, n, n)."""
        if (needed := self.jacobian_bytes) > MOST_BYTES:
            raise InputError(
                f"the Jacobians of {self.T} steps take {needed / 2**30:.0f} GiB; "
                f"the whole spectrum needs them at once. Give at most {int(self.T * MOST_BYTES / needed)} steps"
            )
        return np.concatenate(list(self.pieces(backward=False)))

    @cached_property
    def impulses(self) -> Any:
        """∂⁺L/∂s^t, what the loss sends into the state at each step, (T, …, n); zeros without a loss."""
        if self.chain.opened.loss is None:
            return np.zeros((self.T, *self.course.lead, self.size))
        return self.ordered(self.chain.impulses(self.course))

    @cached_property
    def last(self) -> int:
        """The last step of the chain into which the loss speaks; T where there is none."""
        busy = np.flatnonzero(self.impulses.reshape(self.T, -1).any(axis=1))
        return int(busy[-1]) + 1 if len(busy) else self.T

    @cached_property
    def cotangents(self) -> Cotangents:
        """λ^t = dL/ds^t along the chain, with the loss of every step in it."""
        return sent_back(self.impulses, self.pieces())

    # ------------------------------------------------------------ norms

    @cached_property
    def lags(self) -> Any:
        """The lags at which norms of products are taken: all, or up to 2000 of them, closer together near 0."""
        if self.T <= MOST_LAGS:
            return np.arange(self.T + 1)
        spread = np.geomspace(1, self.T, MOST_LAGS // 2).round().astype(int)
        return np.unique(np.concatenate([np.arange(MOST_LAGS // 2), spread, [self.T]]))

    @cached_property
    def operator(self) -> Any:
        """ln‖P_{T,T−l}‖₂ for the lags, (lags, …)."""
        return operator_log_norms(self.pieces(), self.lags)

    def at_every_lag(self, logs: Any) -> Any:
        """What was measured at :attr:`lags` for every lag, (T + 1, …): straight between, −∞ after the last finite."""
        every = np.arange(self.T + 1)
        columns = logs.reshape(len(logs), -1).T
        out = np.empty((self.T + 1, len(columns)))
        for column, curve in zip(out.T, columns, strict=True):
            alive = np.isfinite(curve)
            column[:] = np.interp(every, self.lags[alive], curve[alive]) if alive.any() else -np.inf
            if not alive.all():
                column[self.lags[max(np.argmin(alive) - 1, 0)] + 1 :] = -np.inf
        return out.reshape(self.T + 1, *self.course.lead)

    @cached_property
    def gradient(self) -> Any:
        """ln‖∂L/∂s^T P_{T,T−l}‖ for every lag, (last + 1, …): the last word of the loss, step by step back.

        Lags count from :attr:`last`, the last step into which the loss speaks.
        """
        return vector_log_norms(self.impulses[self.last - 1], self.pieces(last=self.last))

    @property
    def speaks(self) -> bool:
        """Whether the loss depends on the state at all."""
        return bool(self.impulses[self.last - 1].any())
