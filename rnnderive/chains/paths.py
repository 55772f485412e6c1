"""The chain split into paths: through the cell alone, through each gate, through all of it.

Holding a sequence fixed cuts every path that goes through it.  So the highway of an LSTM is the
chain with all gates held, ∏ diag(f^t), and what goes through a gate g at least once is the whole
chain less the chain with g held; both are exact, and neither formula is written down anywhere.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from rnnderive.chains.products import Scaled, operator_log_norms
from rnnderive.chains.trace import Trace
from rnnderive.errors import InputError
from rnnderive.language.terms import Term

__all__ = ["Path", "paths"]

MOST_LAGS, LONGEST = 40, 20_000


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
        """Nats a step from the first lag to the last, the median of a batch; −∞ once nothing is left.

        Of a single lag, from the identity at lag 0.
        """
        first, last = (float(np.median(np.atleast_1d(self.logs[k]))) for k in (0, -1))
        if not np.isfinite(last):
            return last
        if len(self.lags) == 1:
            return last / int(self.lags[0])
        return (last - first) / int(self.lags[-1] - self.lags[0])


def paths(trace: Trace, lags: Sequence[int] | None = None) -> tuple[Path, ...]:
    """Split the chain ∂s^T/∂s^{T−l} into bundles of paths.

    Parameters
    ----------
    trace : Trace
    lags : sequence of int, optional
        From 1 to T; up to 40 of them, none over 20 000, unless given.

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
        rest = chain.held(g).jacobian
        if rest != chain.jacobian:
            out.append(Path("through", g, None, wanted, _through(trace, rest, wanted)))
    return tuple(out)


def _chosen(last: int) -> Any:
    if last <= MOST_LAGS:
        return np.arange(1, last + 1)
    return np.unique(np.geomspace(1, last, MOST_LAGS).round().astype(int))


def _walk(trace: Trace, term: Term | None, lags: Any) -> Any:
    """ln‖A_T A_{T−1} ⋯‖ at some lags."""
    return operator_log_norms(trace.pieces(term, first=trace.T - int(lags[-1]) + 1), lags)


def _through(trace: Trace, rest: Term, lags: Any) -> Any:
    """ln‖P − ∏ A‖, A = J with a gate held: X ← X J + (∏ A)(J − A), with no cancellation."""
    wanted, out, lag = set(map(int, lags)), [], 0
    first = trace.T - int(lags[-1]) + 1
    alone: Scaled | None = None
    through: Scaled | None = None
    for whole, held in zip(trace.pieces(first=first), trace.pieces(rest, first=first), strict=True):
        for jacobian, a in zip(whole[::-1], held[::-1], strict=True):
            lag += 1
            if alone is None or through is None:
                alone, through = Scaled.of(a), Scaled.of(jacobian - a)
            else:
                through = through @ jacobian + alone @ (jacobian - a)
                alone = alone @ a
            if lag in wanted:
                out.append(through.log_norm())
    return np.array(out)
