"""The chain split into paths: through the cell alone, through each gate, through all of it.

Holding a sequence fixed cuts every path that goes through it.  So the highway of an LSTM is the
chain with all gates held, ∏ diag(f^t), and what goes through a gate g at least once is the whole
chain less the chain with g held; both are exact, and neither formula is written down anywhere.

With A the Jacobian with g held, X ← X J + (∏ A)(J − A) is what goes through g, with no cancellation: the
right part of [∏ A, X], multiplied a step by [[A, J − A], [0, J]].
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

import numpy as np

from rnnderive.chains.products import STRIDE, operator_log_norms, row_log_norms
from rnnderive.chains.state import StateChain
from rnnderive.chains.trace import Pieces, Trace
from rnnderive.chains.verdict import LONGEST, warm_up
from rnnderive.errors import InputError
from rnnderive.language.terms import Term

__all__ = ["Path", "paths"]

MOST_LAGS = 40


@dataclass(frozen=True, eq=False)
class Path:
    """A bundle of paths through the chain.

    Attributes
    ----------
    kind : str
        ``whole``, ``highway`` (one state alone, everything else held) or ``through``.
    name : str
        The state or the gate; empty for the whole.
    factor : Term or None
        What one step of a highway multiplies with.
    lags : array
    logs : array
        ln of the norm, (lags, …).
    """

    kind: str
    name: str
    factor: Term | None
    lags: Any
    logs: Any

    @property
    def label(self) -> str:
        """The path in words."""
        return {"whole": "whole chain", "highway": f"{self.name} alone", "through": f"through {self.name}"}[self.kind]

    @property
    def rate(self) -> float:
        """Nats a step, as a verdict measures it: the mean slope without the first tenth of the lags.

        The median of a batch, the upper one of two; −∞ once nothing is left.  Of a single lag, from the
        identity at lag 0.
        """
        start = int(np.searchsorted(self.lags, warm_up(int(self.lags[-1]))))
        last = np.atleast_1d(self.logs[-1])
        if start == len(self.lags) - 1:
            rates = last / int(self.lags[-1])
        else:
            first = np.where(np.isfinite(last), np.atleast_1d(self.logs[start]), 0.0)
            rates = (last - first) / int(self.lags[-1] - self.lags[start])
        return float(np.quantile(rates, 0.5, method="higher"))


def paths(trace: Trace, lags: Sequence[int] | None = None) -> tuple[Path, ...]:
    """Split the chain ∂s^T/∂s^{T−l} into bundles of paths.

    Parameters
    ----------
    trace : Trace
    lags : sequence of int, optional
        From 1 to T; about 40 of them, none over 5 000, unless given.

    Returns
    -------
    tuple of Path
        The whole; the highway of every state that has one; and for every gate and candidate what
        goes through it at least once.  Bundles overlap, so their norms do not add up to the whole.

    Raises
    ------
    InputError
        For lags that are no integers from 1 to T.

    Examples
    --------
    >>> import rnnderive as rd
    >>> from rnnderive.chains import course, state
    >>> net = rd.cells.lstm(); at = rd.checks.point(net, T=8)
    >>> found = paths(Trace(state.chains(net)[0], course.run(net, at.params, at.inputs)))
    >>> [p.label for p in found]
    ['whole chain', 'C alone', 'through f', 'through i', 'through C_add', 'through o']
    >>> found[1].factor
    diag(f[t])
    """
    wanted = _chosen(min(trace.T, LONGEST)) if lags is None else np.unique(np.asarray(lags))
    if not len(wanted) or wanted.dtype.kind not in "iu" or wanted[0] < 1 or wanted[-1] > trace.T:
        raise InputError(f"the lags are {list(lags or ())}; expected integers from 1 to {trace.T}")
    chain = trace.chain
    held_all = chain.held(*chain.inner)
    out = [Path("whole", "", None, wanted, _walk(trace, None, wanted))]
    for v in chain.states:
        own = held_all.block(v, v)
        if not own.is_null and own != chain.jacobian:
            out.append(Path("highway", v, own, wanted, _walk(trace, own, wanted)))
    for g in chain.inner:
        rest = chain.held(g)
        if rest.jacobian != chain.jacobian:
            out.append(Path("through", g, None, wanted, _through(trace, rest, wanted)))
    return tuple(out)


def _chosen(last: int) -> Any:
    if last <= MOST_LAGS:
        return np.arange(1, last + 1)
    return np.unique([warm_up(last), *np.geomspace(1, last, MOST_LAGS).round().astype(int)])


def _walk(trace: Trace, term: Term | None, lags: Any) -> Any:
    """ln‖A_T A_{T−1} ⋯‖ at some lags."""
    return operator_log_norms(trace.pieces(term, first=trace.T - int(lags[-1]) + 1), lags)


def _through(trace: Trace, rest: StateChain, lags: Any) -> Any:
    """ln‖P − ∏ A‖, A = J with a gate held."""
    size, first = trace.size, trace.T - int(lags[-1]) + 1
    alone = np.broadcast_to(np.eye(size, 2 * size), (*trace.course.lead, size, 2 * size))
    pieces = _Beside(trace.pieces(first=first), trace.pieces(rest.jacobian, first=first))
    return row_log_norms(alone, pieces, lags, slice(size, None))


@dataclass(frozen=True, eq=False)
class _Beside:
    """[[A, J − A], [0, J]] along a chain, a few steps at a time."""

    whole: Pieces
    held: Pieces

    def __iter__(self) -> Iterator[Any]:
        pairs = zip(_backward(self.whole), _backward(self.held), strict=True)
        while some := list(islice(pairs, STRIDE)):
            size = some[0][0].shape[-1]
            out = np.zeros((len(some), *some[0][0].shape[:-2], 2 * size, 2 * size))
            for beside, (jacobian, a) in zip(out[::-1], some, strict=True):
                beside[..., :size, :size] = a
                beside[..., size:, size:] = jacobian
                np.subtract(jacobian, a, out=beside[..., :size, size:])
            yield out


def _backward(pieces: Iterable[Any]) -> Iterator[Any]:
    """Step by step, the latest first, however many steps a piece has."""
    for piece in pieces:
        yield from piece[::-1]
