"""What a chain does, in numbers and in words."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

__all__ = ["Cause", "Rate", "Verdict", "judged", "measured_rate"]

LEFT = 0.01  # effective memory: so much of the signal is left
STEADY = np.log(10.0)  # a change within a factor of ten over the whole way is none
WARM_UP = 0.1


@dataclass(frozen=True)
class Rate:
    """How fast a norm grows, in nats a step.

    Attributes
    ----------
    value : float
        −∞ where the norm is zero at once.
    error : float
        Its standard error, from the means of ten blocks; 0 where there are too few steps.
    """

    value: float
    error: float = 0.0

    @property
    def half_life(self) -> float:
        """Steps in which the norm halves, or doubles where it grows; infinite where it does neither."""
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

    Attributes
    ----------
    kind : str
        ``vanishing``, ``exploding``, ``chaotic`` (it explodes along a bounded run), ``critical``
        (neither within a factor of ten), ``cut off`` (exactly zero from some lag on) or ``silent``.
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
        The costliest first.
    """

    kind: str
    rate: Rate
    steps: int
    memory: int | None
    precision: dict[str, int | None]
    cut: int | None = None
    causes: tuple[Cause, ...] = ()

    def __str__(self) -> str:
        return "\n".join([self.headline, *self.details])

    @property
    def headline(self) -> str:
        """The verdict in one sentence."""
        rate = f"{self.rate.value:+.4f} nats a step"
        if self.rate.error:
            rate += f" (± {self.rate.error:.4f})"
        halves = f"{_steps(self.rate.half_life)}"
        return {
            "vanishing": f"The gradient vanishes: {rate}; half of it is lost in {halves}.",
            "exploding": f"The gradient explodes: {rate}; it doubles in {halves}.",
            "chaotic": f"The gradient explodes along a run that stays bounded, so the run is chaotic: {rate}; "
            f"it doubles in {halves}.",
            "critical": f"The gradient neither vanishes nor explodes over {self.steps} steps: {rate}.",
            "cut off": f"The gradient is cut off: exactly zero from {_back(self.cut or 0)} on.",
            "silent": "No gradient reaches the state: the loss does not depend on it, or is at its least.",
        }[self.kind]

    @property
    def details(self) -> tuple[str, ...]:
        """Memory, precision and causes, a sentence each."""
        if self.kind == "silent":
            return ()
        lines = []
        if self.memory is not None:
            lines.append(f"Effective memory: {_back(self.memory)} no more than 1 % is left.")
        else:
            lines.append(f"Effective memory: more than {self.steps} steps (over 1 % arrives at the first).")
        under = [f"{_back(lag)} in {dtype}" for dtype, lag in self.precision.items() if lag is not None]
        if under:
            lines.append(f"Under the rounding of the strongest signal from {', '.join(under)}.")
        for cause in self.causes:
            if np.isfinite(cause.cost) and cause.cost > 0.001:
                lines.append(
                    f"{cause.name} costs {cause.cost:.4f} nats a step: {cause.words}; "
                    f"at its best the rate would be {cause.rate:+.4f}."
                )
            elif cause.cost == np.inf:
                lines.append(
                    f"{cause.name} ends the chain: {cause.words}; at its best the rate would be {cause.rate:+.4f}."
                )
        return tuple(lines)


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
    rises = rises[int(WARM_UP * len(rises)) :]
    blocks = min(10, len(rises) // 4)
    if blocks < 2:
        return Rate(float(rises.mean()))
    means = np.array([b.mean() for b in np.array_split(rises, blocks)])
    return Rate(float(rises.mean()), float(means.std(ddof=1) / np.sqrt(blocks)))


def judged(logs: Any, *, bounded: bool, causes: tuple[Cause, ...] = ()) -> Verdict:
    """A verdict on a curve of ln norms by lag, 0 first.

    Parameters
    ----------
    logs : array (lags,)
    bounded : bool
        Whether the run moves and stays bounded, so that growth is chaos.
    causes : tuple of Cause
    """
    curve = np.asarray(logs, dtype=float)
    steps = len(curve) - 1
    if not np.isfinite(curve[0]):
        return Verdict("silent", Rate(-np.inf), steps, 0, {})
    rate = measured_rate(curve)
    zeros = np.flatnonzero(~np.isfinite(curve))
    cut = int(zeros[0]) if len(zeros) else None
    change = curve[-1] - curve[0]
    if cut is not None:
        kind = "cut off"
    elif abs(change) < STEADY or abs(rate.value) < 2 * rate.error:
        kind = "critical"
    elif rate.value < 0:
        kind = "vanishing"
    else:
        kind = "chaotic" if bounded and steps >= 50 else "exploding"
    strongest = float(curve.max())
    precision = {
        name: _for_good(curve < strongest + np.log(float(np.finfo(name).eps))) for name in ("float32", "float64")
    }
    memory = _for_good(curve <= curve[0] + np.log(LEFT))
    ordered = tuple(sorted(causes, key=lambda c: -c.cost))
    return Verdict(kind, rate, steps, memory, precision, cut, ordered)


def _for_good(true: Any) -> int | None:
    """The first place from which on something holds to the end."""
    false = np.flatnonzero(~np.asarray(true))
    first = int(false[-1]) + 1 if len(false) else 0
    return first if first < len(true) else None


def _back(lag: int) -> str:
    return f"{lag} {'step' if lag == 1 else 'steps'} back"


def _steps(number: float) -> str:
    return f"{number:.3g} steps" if number < 1e6 else f"{number:.1e} steps"
