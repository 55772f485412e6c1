"""What a chain does, in numbers and in words.

One definition of a rate serves everything: the mean slope of a curve of ln norms by lag, without its first
tenth (the end of the sequence, where the loss sets in).  The curve of a verdict is that of the gradient,
ln‖∂L/∂s^T P_{T,k}‖; causes and remedies are rates of the same curve, paths and bounds those of ln‖P_{T,k}‖₂.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np

__all__ = [
    "KINDS",
    "LONGEST",
    "Cause",
    "Rate",
    "Verdict",
    "counted",
    "judged",
    "measured_rate",
    "nats",
    "of_batch",
    "warm_up",
]

LEFT = 0.01  # effective memory: so much of the signal is left
STEADY = np.log(10.0)  # a change within a factor of ten over the whole way is none
WARM_UP = 0.1
LONGEST = 5_000  # steps over which causes, remedies and paths are measured
NOISE = 1e-9  # an error of a rate that is rounding alone
SHORT = 8  # lags: fewer say no rate
CHAOS = 50  # steps of growth along a bounded run before it is called chaos

MOST_NAMED = 10  # sequences that are told by their number

# Each kind, in the words of a count of sequences.
KINDS = {
    "silent": "silent (no gradient)",
    "cut off": "cut off (exactly zero from some step on)",
    "vanishing": "vanishing",
    "critical": "critical",
    "exploding": "exploding",
    "chaotic": "chaotic",
    "undetermined": "undetermined (the rate cannot be told)",
}


@dataclass(frozen=True)
class Rate:
    """How fast a norm grows, in nats a step.

    Attributes
    ----------
    value : float
        The mean slope of ln of the norm by lag, without the first tenth; −∞ where the norm is zero at once.
    error : float
        One standard error of it, from the means of ten blocks; 0 where there are too few steps.
    """

    value: float
    error: float = 0.0

    @property
    def half_life(self) -> float:
        """Steps in which the norm halves, or doubles where it grows: ln 2/|rate|; infinite where it does neither."""
        return float(np.log(2.0) / abs(self.value)) if self.value else float("inf")


@dataclass(frozen=True)
class Cause:
    """What a part of the cell costs the chain, found by putting it at its best.

    Attributes
    ----------
    name : str
    words : str
        What was found, such as ``12 % of the slopes under a tenth of the steepest``.
    fraction : float
        The fraction that is saturated, dead or closed.
    rate : float
        The rate of the same chain with this part at its best.
    cost : float
        How much faster the chain falls because of it, in nats a step.
    kind : str
        ``function``, ``gate not open`` or ``gate not closed``.
    of : str
        The sequence that the function makes, or the gate.
    """

    name: str
    words: str
    fraction: float
    rate: float
    cost: float
    kind: str = ""
    of: str = ""


@dataclass(frozen=True)
class Verdict:
    """Does the gradient vanish or explode, how fast, and from which step on.

    Of a batch it is that of the typical sequence, the one with the median rate (the upper one of two), which
    `members` stand beside.

    Attributes
    ----------
    kind : str
        ``vanishing``, ``exploding``, ``chaotic`` (it explodes along a run of 50 steps or more that moves and
        stays bounded), ``critical`` (it changes by less than a factor of ten), ``undetermined`` (the rate is
        within two standard errors of 0, or there are fewer than 8 lags), ``cut off`` (exactly zero from some lag
        on) or ``silent``.
    rate : Rate
    steps : int
        How far back was measured.
    memory : int or None
        The lag from which on no more than 1 % is left; None if there is none.
    precision : dict
        dtype → the lag from which on the signal is under the rounding of the strongest.
    cut : int or None
        The lag from which on it is exactly zero.
    causes : tuple of Cause
        The costliest first; none where there are fewer than 8 lags.
    of : {"gradient", "chain"}
        Whether the gradient of the loss was judged, or the norm of the chain itself.
    note : str
        Why the chain itself was judged; of a loss that reads several steps, what arrives of all of them.
    members : tuple of Verdict
        Of a batch: one a sequence.
    member : int or None
        Of a batch: which of them this is.
    """

    kind: str
    rate: Rate
    steps: int
    memory: int | None
    precision: dict[str, int | None]
    cut: int | None = None
    causes: tuple[Cause, ...] = ()
    of: Literal["gradient", "chain"] = "gradient"
    note: str = ""
    members: tuple[Verdict, ...] = ()
    member: int | None = None

    def __str__(self) -> str:
        return "\n".join([self.headline, *self.details])

    @property
    def short(self) -> bool:
        """Whether there are fewer than 8 lags: no rate is said of so few, nor what would have changed it."""
        return self.steps < SHORT

    @property
    def counts(self) -> dict[str, int]:
        """Kind → how many sequences of the batch, the most frequent first."""
        return dict(Counter(m.kind for m in self.members).most_common())

    def which(self, kind: str) -> tuple[int, ...]:
        """The sequences of a batch that are of a kind, counted from 0."""
        return tuple(k for k, m in enumerate(self.members) if m.kind == kind)

    def quantiles(self, of: Sequence[float] = (0.05, 0.5, 0.95)) -> tuple[float, ...]:
        """Quantiles of the rates over the sequences of a batch, each that of a sequence, the outer one of two.

        −∞ for one that is exactly zero in the end.
        """
        rates = [_order(m)[0] for m in self.members] or [self.rate.value]
        return tuple(float(np.quantile(rates, q, method="lower" if q < 0.5 else "higher")) for q in of)

    @property
    def headline(self) -> str:
        """The verdict in one sentence; of a batch first how many sequences do what."""
        if not self.members:
            return f"The {self._found}"
        parts = ", ".join(f"{count} {KINDS[kind]}" for kind, count in self.counts.items())
        many = counted(len(self.members), "sequence")
        return f"{many}: {parts}. The typical one, number {self.member}: the {self._found}"

    @property
    def _found(self) -> str:
        rate = f"{nats(self.rate.value)} nats a step"
        if self.rate.error > NOISE:
            rate += f" (± {self.rate.error:.2g} standard error)"
        halves = f"{_steps(self.rate.half_life)}"
        return {
            "vanishing": f"{self.of} vanishes: {rate}; half of it is lost in {halves}.",
            "exploding": f"{self.of} explodes: {rate}; it doubles in {halves}.",
            "chaotic": f"{self.of} explodes along a run that stays bounded, so the run is chaotic: {rate}; "
            f"it doubles in {halves}.",
            "critical": f"{self.of} neither vanishes nor explodes over {counted(self.steps)}: {rate}.",
            "undetermined": f"{self.of}'s rate cannot be told from 0 over {counted(self.steps)}: {rate}."
            if not self.short
            else f"{self.of} goes back {counted(self.steps)}, too few to say a rate: {rate} along them.",
            "cut off": f"{self.of} is cut off: exactly zero from {_back(self.cut or 0)} on.",
            "silent": "state gets no gradient: the loss does not depend on it, or is at its least.",
        }[self.kind]

    @property
    def details(self) -> tuple[str, ...]:
        """What was judged, memory, precision and causes, a sentence each."""
        lines = [self.note] if self.note else []
        if len(self.members) > 1:
            if self.kind not in ("cut off", "silent") or len(self.counts) > 1:
                low, mid, high = map(nats, self.quantiles())
                lines.append(f"Rates over the sequences: {low}, {mid}, {high} nats a step (5 %, 50 %, 95 %).")
            for kind, count in self.counts.items():
                if kind != self.kind:
                    named = ", ".join(map(str, self.which(kind)[:MOST_NAMED]))
                    words = f"number{'s' * (count > 1)} {named}{', …' * (count > MOST_NAMED)}"
                    lines.append(f"{kind.capitalize()}: {words}.")
        if self.kind == "silent":
            return tuple(lines)
        if self.memory is not None:
            lines.append(f"Effective memory: {_back(self.memory)} no more than 1 % is left.")
        else:
            lines.append(f"Effective memory: more than {counted(self.steps)} (over 1 % arrives at the first).")
        under = [f"{_back(lag)} in {dtype}" for dtype, lag in self.precision.items() if lag is not None]
        if under:
            lines.append(f"Under the rounding of the strongest signal from {', '.join(under)}.")
        if self.causes and self.steps > LONGEST:
            lines.append(f"What follows is over the last {LONGEST} steps.")
        for cause in self.causes:
            if np.isfinite(cause.cost) and cause.cost > 0.001:
                lines.append(
                    f"{cause.name} costs {cause.cost:.4f} nats a step: {cause.words}; "
                    f"at its best the rate would be {nats(cause.rate)}."
                )
            elif cause.cost == np.inf:
                lines.append(
                    f"{cause.name} ends the chain: {cause.words}; at its best the rate would be {nats(cause.rate)}."
                )
        return tuple(lines)


def nats(rate: float) -> str:
    """A rate in words: −∞ as such, and nothing as 0 that is only small.

    Examples
    --------
    >>> nats(-0.5), nats(-2e-6), nats(1e-17), nats(-np.inf)
    ('-0.5000', '-2.0e-06', '0.0000', '−∞')
    """
    if np.isneginf(rate):
        return "−∞"
    if abs(rate) < NOISE:
        return "0.0000"
    return f"{rate:+.4f}" if abs(rate) >= 0.0001 else f"{rate:+.1e}"


def warm_up(steps: int) -> int:
    """The lag at which a rate begins: a tenth of the way."""
    return int(WARM_UP * steps)


def measured_rate(logs: Any) -> Rate:
    """The mean slope of a curve of ln norms by lag, without its first tenth, and its standard error.

    Examples
    --------
    >>> measured_rate(np.arange(200) * -0.5)
    Rate(value=-0.5, error=0.0)
    """
    curve = np.asarray(logs, dtype=float)
    alive = curve[: int(np.argmin(np.isfinite(curve))) if not np.isfinite(curve).all() else len(curve)]
    if len(alive) < 2:
        return Rate(-np.inf if len(curve) > 1 else 0.0)
    rises = np.diff(alive)
    rises = rises[warm_up(len(rises)) :]
    blocks = min(10, len(rises) // 4)
    if blocks < 2:
        return Rate(float(rises.mean()))
    means = np.array([b.mean() for b in np.array_split(rises, blocks)])
    return Rate(float(rises.mean()), float(means.std(ddof=1) / np.sqrt(blocks)))


def judged(
    logs: Any,
    *,
    bounded: bool,
    causes: tuple[Cause, ...] = (),
    of: Literal["gradient", "chain"] = "gradient",
    note: str = "",
) -> Verdict:
    """A verdict on a curve of ln norms by lag, 0 first.

    Parameters
    ----------
    logs : array (lags,)
    bounded : bool
        Whether the run moves and stays bounded, so that growth is chaos.
    causes : tuple of Cause
    of, note
        As :class:`Verdict` has them.
    """
    curve = np.asarray(logs, dtype=float)
    steps = len(curve) - 1
    if not np.isfinite(curve[0]):
        return Verdict("silent", Rate(-np.inf), steps, 0, {}, of=of, note=note)
    rate = measured_rate(curve)
    zeros = np.flatnonzero(~np.isfinite(curve))
    cut = int(zeros[0]) if len(zeros) else None
    strongest = float(curve.max())
    precision = {
        name: _for_good(curve < strongest + np.log(float(np.finfo(name).eps))) for name in ("float32", "float64")
    }
    memory = _for_good(curve <= curve[0] + np.log(LEFT))
    kind = "cut off" if cut is not None else _kind(rate, curve[-1] - curve[0], steps, bounded)
    return Verdict(kind, rate, steps, memory, precision, cut, _told(causes, steps), of, note)


def _kind(rate: Rate, change: float, steps: int, bounded: bool) -> str:
    """Two standard errors are what a rate must be away from 0 to have a sign."""
    if steps < SHORT:
        return "undetermined"
    doubt = 2 * rate.error
    if abs(change) < STEADY and doubt * steps < STEADY:
        return "critical"
    if abs(rate.value) < doubt:
        return "undetermined"
    if abs(change) < STEADY:
        return "critical"
    if rate.value < 0:
        return "vanishing"
    return "chaotic" if bounded and steps >= CHAOS else "exploding"


def of_batch(members: Sequence[Verdict], causes: tuple[Cause, ...] = ()) -> Verdict:
    """The verdict of a batch: that of the sequence with the median rate, with all of them beside it.

    Examples
    --------
    >>> fast, slow, dead = (judged(c, bounded=True) for c in np.outer([-0.5, -0.1, -np.inf], np.arange(1, 99)))
    >>> print(of_batch([fast, slow, dead]).headline)
    3 sequences: 2 vanishing, 1 silent (no gradient). The typical one, number 0: the gradient vanishes: \
-0.5000 nats a step; half of it is lost in 1.39 steps.
    """
    order = sorted(range(len(members)), key=lambda k: _order(members[k]))
    typical = order[len(order) // 2]
    told = _told(causes, members[typical].steps)
    return replace(members[typical], causes=told, members=tuple(members), member=typical)


def _told(causes: tuple[Cause, ...], steps: int) -> tuple[Cause, ...]:
    """The costliest first; none where there is no rate that they would have changed."""
    return () if steps < SHORT else tuple(sorted(causes, key=lambda c: -c.cost))


def _order(verdict: Verdict) -> tuple[float, int]:
    """Slowest first: what is exactly zero at last, the earliest first; then by rate."""
    if verdict.kind in ("silent", "cut off"):
        return -np.inf, verdict.cut or 0
    return verdict.rate.value, 0


def _for_good(true: Any) -> int | None:
    """The first place from which on something holds to the end."""
    false = np.flatnonzero(~np.asarray(true))
    first = int(false[-1]) + 1 if len(false) else 0
    return first if first < len(true) else None


def counted(number: int, thing: str = "step") -> str:
    """How many: ``1 step``, ``2 steps``."""
    return f"{number} {thing}{'' if number == 1 else 's'}"


def _back(lag: int) -> str:
    return f"{counted(lag)} back"


def _steps(number: float) -> str:
    words = f"{number:.3g}" if number < 1e6 else f"{number:.1e}"
    return f"{words} {'step' if words == '1' else 'steps'}"
