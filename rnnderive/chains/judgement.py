"""What of a run is judged: the curve of its gradient by lag, its rate, and whether growth would be chaos."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Literal

import numpy as np

from rnnderive.chains.products import operator_log_norms, vector_log_norms
from rnnderive.chains.ranges import interval
from rnnderive.chains.trace import Trace, middle
from rnnderive.chains.verdict import LONGEST, Cause, Verdict, counted, judged, nats, of_batch, warm_up
from rnnderive.language import terms as tm

__all__ = ["curves", "judge", "rate_of", "rates", "stays_bounded", "subject", "wanders"]


def subject(trace: Trace) -> Literal["gradient", "chain"]:
    """What is judged: the gradient; the chain itself where no loss reads its second half."""
    reaches = trace.last > trace.T // 2 or not trace.speaks
    return "gradient" if trace.chain.net.loss is not None and reaches else "chain"


def curves(trace: Trace) -> Any:
    """ln of what is judged by lag, (steps + 1, …): ‖∂L/∂s^T P_{T,k}‖, or ‖P_{T,k}‖₂ straight between its lags."""
    if trace.chain.net.loss is not None and not trace.speaks:
        return np.full((trace.T + 1, *trace.course.lead), -np.inf)
    return trace.gradient if subject(trace) == "gradient" else trace.at_every_lag(trace.operator)


def judge(trace: Trace, causes: tuple[Cause, ...] = ()) -> Verdict:
    """The verdict on a chain; of a batch on each sequence, and on the typical one.

    Examples
    --------
    >>> import rnnderive as rd
    >>> from rnnderive.chains import course, state
    >>> net = rd.Recurrence.parse("h[t] = U @ h[t-1]", loss=None)
    >>> run = course.run(net, {"U": 0.5 * np.eye(2)}, {"T": 99})
    >>> print(judge(Trace(state.chains(net)[0], run)).headline)
    The chain vanishes: -0.6931 nats a step; half of it is lost in 1 step.
    """
    of, note, found = subject(trace), _note(trace), curves(trace)
    chaos = np.broadcast_to(stays_bounded(trace) & wanders(trace), trace.course.lead)
    if trace.course.batch is None:
        return judged(found, bounded=bool(chaos), causes=causes, of=of, note=note)
    each = [judged(found[:, m], bounded=bool(chaos[m]), of=of, note=note) for m in range(trace.course.batch)]
    return of_batch(each, causes)


def _note(trace: Trace) -> str:
    chain = "Judged is the norm of the chain itself, ‖∂s^T/∂s^k‖, and no gradient"
    if trace.chain.net.loss is None:
        return f"{chain}: there is no loss."
    if subject(trace) == "chain":
        last = trace.last if trace.chain.lag > 0 else trace.T - trace.last + 1
        beyond = "after" if trace.chain.lag > 0 else "before"
        return f"{chain}: of {counted(trace.T)} the loss reads none {beyond} {last}."
    return _of_every_step(trace)


# What of the losses of all steps arrives further back, by the kind of its curve.
ARRIVES = {
    "vanishing": "shrinks", "exploding": "grows", "critical": "neither shrinks nor grows", "cut off": "ends at zero",
}  # fmt: skip


def _of_every_step(trace: Trace) -> str:
    """What a gradient that comes from one step alone leaves out, where the loss reads more of them."""
    read = int(trace.impulses.reshape(trace.T, -1).any(axis=1).sum())
    if read < 2:
        return ""
    all_steps = judged(middle(trace.cotangents.logs)[: trace.last][::-1], bounded=False)
    does = ARRIVES.get(all_steps.kind, "may shrink or grow")
    return (
        f"Followed is the loss of step {trace.last} alone, of {counted(read)} that are read. What arrives of all of "
        f"them, ‖dL/ds^k‖, {does}: {nats(all_steps.rate.value)} nats a step further back."
    )


# ---------------------------------------------------------------- rates


def rates(trace: Trace, walked: Trace | None = None) -> Any:
    """The rate of what is judged over the last 5 000 steps at most, (…); −∞ where it ends in zero.

    Parameters
    ----------
    trace : Trace
    walked : Trace, optional
        Another chain that the same loss is sent back along; that of `trace` unless given.
    """
    along = trace if walked is None else walked
    gradient = subject(trace) == "gradient"
    end = trace.last if gradient else trace.T
    steps = min(end, LONGEST)
    lags = [warm_up(steps), steps]
    pieces = along.pieces(first=end - steps + 1, last=end)
    if gradient:
        found = vector_log_norms(trace.impulses[trace.last - 1], pieces)[lags]
    else:
        found = operator_log_norms(pieces, lags)
    start, stop = (np.asarray(v) for v in found)
    return (stop - np.where(np.isfinite(stop), start, 0.0)) / (lags[1] - lags[0])


def rate_of(trace: Trace, walked: Trace | None = None) -> float:
    """The same in one number: the median of a batch, the upper one of two."""
    return float(np.quantile(rates(trace, walked), 0.5, method="higher"))


# ---------------------------------------------------------------- the run


def stays_bounded(trace: Trace) -> Any:
    """Whether the state stays bounded, (…): by its formula, or as far as was measured."""
    net, half = trace.chain.net, trace.T // 2
    out = np.ones(trace.course.lead, bool)
    for name in trace.chain.states:
        if half and not np.isfinite(interval(net.leaf(name), net)).all():
            size = np.abs(trace.ordered(trace.course[name])).max(axis=-1)
            out &= size[half:].max(axis=0) <= 2 * size[:half].max(axis=0)
    return out


def wanders(trace: Trace) -> Any:
    """Whether the Jacobian depends on a sequence that moves, (…): a linear chain, or one at rest, is not chaotic."""
    chain, lead = trace.chain, trace.course.lead
    read = {n.name for n in tm.members(chain.jacobian) if isinstance(n, tm.At) and n.name in chain.net}
    out = np.zeros(lead, bool)
    for name in sorted(read):
        late = trace.ordered(trace.course[name])[trace.T // 2 :]
        out |= _any(late != late[:1], lead)
    return out


def _any(true: Any, lead: Iterable[int]) -> Any:
    """Over steps and entries, by sequence; of what all sequences share, for all of them."""
    each = true.any(axis=(0, -1))
    return np.broadcast_to(each, tuple(lead))
