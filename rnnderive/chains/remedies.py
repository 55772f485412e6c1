"""What would change a chain: each remedy with its predicted effect, and the effect measured by rerunning.

A prediction is made from the run at hand alone; it is then put to the test on a run with the remedy.
What was rerun is judged by the rate of its verdict: a remedy helps if that has come nearer to 0.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import sympy as sp

from rnnderive.chains import course as courses
from rnnderive.chains.census import slopes
from rnnderive.chains.judgement import rate_of, subject
from rnnderive.chains.trace import Trace
from rnnderive.chains.truncation import clipping, truncation
from rnnderive.chains.verdict import NOISE
from rnnderive.errors import InputError
from rnnderive.language import terms as tm
from rnnderive.weights.initialisers import Site, orthogonal
from rnnderive.weights.roles import Roles

__all__ = ["Remedy", "remedies"]

NOTICEABLE = 0.001  # nats a step


@dataclass(frozen=True)
class Remedy:
    """A change and what it does.

    Attributes
    ----------
    name, change : str
        What it is called in the field, and what was done here.
    quantity : str
        What is predicted and measured.
    before, predicted, measured : float
    source : str
    rates : (float, float) or None
        The verdict's rate before and with the remedy; None where nothing was rerun.
    of : {"gradient", "chain"}
        What that is the rate of.
    """

    name: str
    change: str
    quantity: str
    before: float
    predicted: float
    measured: float
    source: str
    rates: tuple[float, float] | None = None
    of: Literal["gradient", "chain"] = "gradient"

    @property
    def effect(self) -> float:
        """By how much the rate came nearer to 0, in nats a step; 0 where nothing was rerun."""
        if self.rates is None:
            return 0.0
        before, after = map(abs, self.rates)
        return before - after if np.isfinite(after) else 0.0 if np.isinf(before) else -np.inf

    @property
    def helps(self) -> bool:
        """Whether it did; what changes the gradient and not its rate holds what it promises."""
        return self.rates is None or self.effect > NOTICEABLE

    def __str__(self) -> str:
        before, predicted, measured = map(_digits, (self.before, self.predicted, self.measured))
        words = f"{self.name} ({self.change}): {self.quantity} {before} → predicted {predicted}, measured {measured}"
        if self.rates is not None and self.rates != (self.before, self.measured):
            words += "; rate of the {} {} → {}".format(self.of, *map(_digits, self.rates))
        return words if self.helps else f"does not help: {words}"


def _digits(number: float) -> str:
    return "−∞" if np.isneginf(number) else f"{number:.4g}" if abs(number) > NOISE else "0"


def remedies(trace: Trace, *, seed: int = 0, bias: float = 0.01) -> tuple[Remedy, ...]:
    """Every remedy that applies to the cell, that with the largest effect first, what does not help last.

    Parameters
    ----------
    trace : Trace
    seed : int
        Of what is drawn anew.
    bias : float
        What truncation may cost.
    """
    return tuple(sorted(_all(trace, seed, bias), key=lambda r: (not r.helps, -r.effect)))


def _all(trace: Trace, seed: int, bias: float) -> Iterator[Remedy]:
    yield from _forget_bias(trace)
    yield from _chrono(trace, seed)
    yield from _gain(trace)
    yield from _orthogonal(trace, seed)
    yield from _clipping(trace)
    yield from _truncation(trace, bias)


def _rate(trace: Trace) -> str:
    return f"rate of the {subject(trace)}"


def _rerun(trace: Trace, params: dict[str, Any]) -> Trace:
    inputs = dict(trace.course.inputs)
    if not any(isinstance(trace.course.net.leaves[n], tm.At) for n in trace.course.net.inputs):
        inputs["T"] = trace.T
    return Trace(trace.chain, courses.run(trace.course.net, {**trace.course.params, **params}, inputs))


# ---------------------------------------------------------------- gates


def _keeping(trace: Trace) -> Iterator[tuple[str, tuple[str, ...], int, Any]]:
    """State, biases of the gate that keeps it, its sign, and ln of what is kept a step, (T, …, n)."""
    chain = trace.chain
    held = chain.held(*chain.inner)
    for gate in Roles.of(chain.net).gates:
        if gate.state in chain.states and gate.keep and all(b in trace.course.params for b in gate.keep):
            own = held.block(gate.state, gate.state)
            kept = np.diagonal(trace.course.along(own), axis1=-2, axis2=-1)
            if ((kept > 0) & (kept < 1)).all():
                yield gate.state, gate.keep, gate.sign, np.log(kept)


def _shifted(log_kept: Any, shift: Any) -> float:
    """The mean of ln σ(a + shift) over a run, where ln σ(a) is what was kept."""
    logit = log_kept - np.log(-np.expm1(log_kept))
    return float((-np.logaddexp(0.0, -(logit + shift))).mean())


def _highway(trace: Trace, state: str) -> float:
    held = trace.chain.held(*trace.chain.inner)
    kept = np.diagonal(trace.course.along(held.block(state, state)), axis1=-2, axis2=-1)
    return float(np.log(kept).mean())


def _forget_bias(trace: Trace) -> Iterator[Remedy]:
    for state, biases, sign, log_kept in _keeping(trace):
        target = -np.log(2.0) / trace.T  # half of the highway is left at the end
        shift = next((b for b in (1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 8.0) if _shifted(log_kept, b) > target), 8.0)
        changed = {b: trace.course.params[b] + sign * shift / len(biases) for b in biases}
        after = _rerun(trace, changed)
        sense = f"{', '.join(biases)} {'+' if sign > 0 else '−'} {shift:g}"
        yield Remedy(
            "forget bias", sense, f"mean of ln kept along {state}", float(log_kept.mean()), _shifted(log_kept, shift),
            _highway(after, state), "Gers et al. 2000; Jozefowicz et al. 2015",
            (rate_of(trace), rate_of(after)), subject(trace),
        )  # fmt: skip


def _chrono(trace: Trace, seed: int) -> Iterator[Remedy]:
    for state, biases, sign, log_kept in _keeping(trace):
        if trace.T < 3 or len(biases) != 1:
            continue
        old = trace.course.params[biases[0]]
        rng = np.random.default_rng([seed, 1])
        drawn = np.log(rng.uniform(1.0, trace.T - 1.0, old.shape))
        after = _rerun(trace, {biases[0]: sign * drawn})
        yield Remedy(
            "chrono initialisation", f"{biases[0]} = {'' if sign > 0 else '−'}ln U(1, T − 1)",
            f"mean of ln kept along {state}",
            float(log_kept.mean()), _shifted(log_kept, drawn - sign * old), _highway(after, state),
            "Tallec & Ollivier 2018", (rate_of(trace), rate_of(after)), subject(trace),
        )  # fmt: skip


# ---------------------------------------------------------------- recurrent weights


def _recurrent(trace: Trace) -> dict[str, tuple[slice, ...]]:
    """Parameter → its recurrent columns, for the cells of this chain."""
    sizes = trace.course.sizes
    found = {}
    for name, blocks in Roles.of(trace.chain.net).blocks.items():
        if name in trace.chain.reads:
            spans = []
            for b in blocks:
                start, width, rows = (int(sp.sympify(v).subs(sizes)) for v in (b.start, b.columns, b.rows))
                if b.role == "recurrent" and width == rows:
                    spans.append(slice(start, start + width))
            if spans:
                found[name] = tuple(spans)
    return found


def _gain(trace: Trace) -> Iterator[Remedy]:
    recurrent = _recurrent(trace)
    rate = rate_of(trace)
    if not recurrent or trace.chain.inner or not np.isfinite(rate):
        return  # with gates the rate is not the gain's logarithm
    factor = float(np.exp(-rate))
    changed = {}
    for name, spans in recurrent.items():
        array = trace.course.params[name].copy()
        for span in spans:
            array[:, span] *= factor
        changed[name] = array
    measured = rate_of(_rerun(trace, changed))
    words = f"{', '.join(recurrent)} × {factor:.3f}"
    yield Remedy(
        "gain", words, _rate(trace), rate, 0.0, measured, "Pascanu et al. 2013: J_t = diag(φ') U is linear in it",
        (rate, measured), subject(trace),
    )  # fmt: skip


def _orthogonal(trace: Trace, seed: int) -> Iterator[Remedy]:
    recurrent = _recurrent(trace)
    if not recurrent or trace.chain.inner:
        return
    rng = np.random.default_rng([seed, 2])
    changed = {}
    for name, spans in recurrent.items():
        array = trace.course.params[name].copy()
        for span in spans:
            n = span.stop - span.start
            array[:, span] = orthogonal(rng, Site(n, n, n, n))
        changed[name] = array
    found = slopes(trace)
    steepness = float(np.sqrt(np.mean([np.mean(s.values**2) for s in found]))) if found else 1.0
    rate, measured = rate_of(trace), rate_of(_rerun(trace, changed))
    yield Remedy(
        "orthogonal initialisation", f"{', '.join(recurrent)} orthogonal", _rate(trace), rate,
        float(np.log(steepness)) if steepness else -np.inf, measured, "Saxe et al. 2014: only the slopes remain",
        (rate, measured), subject(trace),
    )  # fmt: skip


# ---------------------------------------------------------------- the gradient itself


def _clipping(trace: Trace) -> Iterator[Remedy]:
    if not trace.speaks:
        return
    try:
        found = clipping(trace, 1.0)
    except InputError:
        return
    if found.norm > 1.0:
        yield Remedy(
            "clipping", "at ‖G‖ = 1", "norm of the gradient of all parameters", found.norm, 1.0,
            found.norm * found.factor, "Pascanu et al. 2013",
        )  # fmt: skip


def _truncation(trace: Trace, bias: float) -> Iterator[Remedy]:
    """K for a bias: predicted from the norms of the chain alone, measured on the gradient."""
    if not trace.speaks or trace.T > 20_000:
        return
    logs = trace.gradient.reshape(len(trace.gradient), -1)[:-1]  # of a batch the gradients are added up
    squares = np.exp(2 * (logs - logs.max())).sum(axis=1)
    tail = np.sqrt(np.cumsum(squares[::-1])[::-1])
    small = np.flatnonzero(tail <= bias * tail[0])
    K = int(small[0]) if len(small) else trace.T
    if K >= trace.T or K < 1:
        return
    try:
        found = truncation(trace, [K])
    except InputError:
        return
    yield Remedy(
        "truncation", f"K = {K} steps", "bias ‖G − G_K‖/‖G‖", 0.0, float(tail[K] / tail[0]), float(found.bias[0]),
        "Williams & Peng 1990",
    )  # fmt: skip
