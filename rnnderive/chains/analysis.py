"""How the gradient of a network behaves along its chain, on given weights and a given input."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from rnnderive.calculus import first_order
from rnnderive.chains import spectra
from rnnderive.chains.bounds import Bound, norm_bound
from rnnderive.chains.census import Gate, Slope, gates, had_been, had_been_steepest, rate_of, slopes
from rnnderive.chains.contributions import Contributions, contributions
from rnnderive.chains.course import run
from rnnderive.chains.paths import Path, paths
from rnnderive.chains.ranges import interval
from rnnderive.chains.remedies import Remedy, remedies
from rnnderive.chains.state import chains
from rnnderive.chains.trace import Trace, middle
from rnnderive.chains.truncation import Clipping, Truncation, clipping, truncation
from rnnderive.chains.verdict import Cause, Verdict, judged
from rnnderive.errors import InputError, RnnDeriveError
from rnnderive.language import Recurrence
from rnnderive.language import terms as tm

if TYPE_CHECKING:
    from rnnderive.chains.figures import Plots

__all__ = ["Analysis", "Bounds", "Contributions", "Spectrum", "analyze"]

MOST_SINGULAR = 20_000  # steps for which all singular values are computed unasked


@dataclass(frozen=True, eq=False)
class Spectrum:
    """Singular values and exponents of one sequence's chain.

    Attributes
    ----------
    log_singular_values : array
        ln of those of P_{T,0}, exact, the largest first; −∞ for what dead units take away.
    lyapunov : Lyapunov or None
        None where there are too few steps.
    radii, norms : array
        Spectral radius and norm of each J_t.
    """

    log_singular_values: Any
    lyapunov: spectra.Lyapunov | None
    radii: Any
    norms: Any

    @property
    def log_condition(self) -> float:
        """ln of the condition number of the product."""
        return spectra.log_condition(self.log_singular_values)

    @property
    def dead(self) -> int:
        """How many singular values are exactly zero."""
        return int(np.isneginf(self.log_singular_values).sum())


@dataclass(frozen=True, eq=False)
class Bounds:
    """Upper bounds on the chain.

    Attributes
    ----------
    step : Bound
        On one factor: its formula.
    limit : float
        On one factor whatever the run, for these weights; infinite where there is none.
    lags : array
    logs : array
        ln of ∏ ‖J_t‖'s bound along this run, (lags, …).
    """

    step: Bound
    limit: float
    lags: Any
    logs: Any

    @property
    def whatever(self) -> Any:
        """ln of limit^lag: the bound before anything was run."""
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.where(self.lags > 0, self.lags * np.log(self.limit), 0.0)

    @property
    def words(self) -> str:
        """What the bound says: the sufficient condition and the necessary one told apart."""
        if not np.isfinite(self.limit):
            return (
                "No bound holds whatever the run: a state or a weight enters without a limit. "
                "Along this run the bound is the one drawn."
            )
        if self.limit == 0.0:
            return "Each factor is zero whatever the input: nothing passes from one step to the next."
        if self.limit < 1.0:
            return (
                f"Each factor is at most {self.limit:.4f} < 1 whatever the input: sufficient for vanishing, "
                f"by {-np.log(self.limit):.4f} nats a step at least."
            )
        return (
            f"Each factor is at most {self.limit:.4f} ≥ 1: this is necessary for exploding, not sufficient; "
            "the chain may still vanish."
        )


class Analysis:
    """The chain of Jacobians of a network along a run.  Made by :func:`analyze`.

    Everything is computed when it is first asked for.

    Attributes
    ----------
    trace : Trace
        The chain with its run.
    tokens : tuple of str
        What stands at each step, for figures.
    others : tuple of tuple of str
        The states of the network's other chains.
    """

    def __init__(self, trace: Trace, tokens: Sequence[str] = (), others: Sequence[tuple[str, ...]] = ()) -> None:
        self.trace, self.tokens, self.others = trace, tuple(tokens), tuple(others)

    @property
    def states(self) -> tuple[str, ...]:
        """The sequences that make up the state."""
        return self.trace.chain.states

    @property
    def label(self) -> str:
        """The state in words: [h, C]."""
        return f"[{', '.join(self.states)}]"

    # ------------------------------------------------------------ norms

    @property
    def lags(self) -> Any:
        """The lags T − k at which :attr:`operator` was taken."""
        return self.trace.lags

    @property
    def operator(self) -> Any:
        """ln‖P_{T,k}‖₂ for each of the lags, (lags, …)."""
        return self.trace.operator

    @property
    def gradient(self) -> Any:
        """ln‖∂L/∂s^T P_{T,k}‖ for every lag from 0, (steps + 1, …)."""
        return self.trace.gradient

    @property
    def arriving(self) -> Any:
        """ln‖dL/ds^k‖ for k = 1..T, the loss of every step in it, (T, …)."""
        return self.trace.ordered(self.trace.cotangents.logs)

    def contributions(self, wrt: str) -> Contributions:
        """The gradient's summands, the lecture's sum term by term: ‖λ^k ∂⁺s^k/∂W‖ for each k.

        Parameters
        ----------
        wrt : str
            A parameter of the cell, or an input sequence (what the loss still knows of x^k).

        Raises
        ------
        InputError
            For a name that the cell does not read; a readout's gradient has no chain.
        """
        return contributions(self.trace, wrt)

    # ------------------------------------------------------------ spectrum, paths, gates

    def spectrum(self, member: int = 0) -> Spectrum:
        """Singular values and Lyapunov exponents of one sequence of the batch.

        Raises
        ------
        InputError
            For a member that is not there, and for a chain whose Jacobians exceed 6 GiB.
        """
        trace = self.trace
        if not 0 <= member < (trace.course.batch or 1):
            raise InputError(f"there is no sequence {member}; the batch has {trace.course.batch or 1}, counted from 0")
        jacobians = trace.jacobians if trace.course.batch is None else trace.jacobians[:, member]
        exponents = None
        if trace.T >= 50:
            exponents = spectra.lyapunov_exponents(jacobians, discard=trace.T // 10, blocks=min(20, trace.T // 5))
        return Spectrum(
            spectra.log_singular_values(jacobians), exponents,
            spectra.spectral_radii(jacobians), spectra.spectral_norms(jacobians),
        )  # fmt: skip

    @cached_property
    def paths(self) -> tuple[Path, ...]:
        """The chain split into paths: the whole, each state alone, through each gate."""
        return paths(self.trace)

    @cached_property
    def gates(self) -> tuple[Gate, ...]:
        """The gates along the sequence."""
        return gates(self.trace)

    @cached_property
    def slopes(self) -> tuple[Slope, ...]:
        """The slopes of the cell's functions along the sequence."""
        return slopes(self.trace)

    @cached_property
    def bounds(self) -> Bounds:
        """Upper bounds on the chain, from its formula.

        Raises
        ------
        RnnDeriveError
            If the measured norms break a bound: an error of this package.
        """
        trace = self.trace
        step = norm_bound(trace.chain.jacobian, trace.chain.net)
        lead = trace.course.lead
        with np.errstate(divide="ignore"):
            rises = np.log(trace.ordered(np.concatenate(list(self._along(step)))))
        sums = np.concatenate([np.zeros((1, *lead)), np.cumsum(rises[::-1], axis=0)])
        found = Bounds(step, step.limit(trace.course), trace.lags, sums[trace.lags])
        rounding = 64 * np.sqrt(trace.size) * np.finfo(trace.course.dtype).eps * (1 + trace.lags)
        for bound in (found.logs, found.whatever[:, None] if lead else found.whatever):
            if (self.operator > bound + (rounding[:, None] if lead else rounding)).any():
                raise RnnDeriveError("the measured norm breaks its bound: an error of rnnderive; please report it")
        return found

    def _along(self, step: Bound) -> Any:
        piece = max(1, 2**22 // self.trace.size**2)
        for start in range(1, self.trace.T + 1, piece):
            yield step.along(self.trace.course, start, min(start + piece - 1, self.trace.T))

    # ------------------------------------------------------------ what it means

    @cached_property
    def verdict(self) -> Verdict:
        """Whether the gradient vanishes or explodes, how fast, and why."""
        return judged(self.curve, bounded=self.bounded and self.wanders, causes=self.causes)

    @property
    def curve(self) -> Any:
        """What the verdict is on: ln of the gradient of the loss by lag, (steps + 1,).

        The norm of the chain itself where there is no loss, or where it does not reach back over half of the
        chain.
        """
        trace = self.trace
        if trace.chain.net.loss is not None and not trace.speaks:
            return np.full(trace.T + 1, -np.inf)
        if trace.chain.net.loss is not None and trace.last > trace.T // 2:
            return middle(trace.gradient)
        return np.interp(np.arange(trace.T + 1), trace.lags, middle(trace.operator))

    @property
    def bounded(self) -> bool:
        """Whether the state stays bounded: by its formula, or as far as was measured."""
        net = self.trace.chain.net
        for name in self.states:
            if not np.isfinite(interval(net.leaf(name), net)).all():
                size = np.abs(self.trace.course[name]).reshape(self.trace.T, -1).max(axis=1)
                half = self.trace.T // 2
                if half and size[half:].max() > 2 * size[:half].max():
                    return False
        return True

    @property
    def wanders(self) -> bool:
        """Whether the Jacobian depends on a sequence that moves: a linear chain, or one at rest, is not chaotic."""
        course, chain = self.trace.course, self.trace.chain
        read = {n.name for n in tm.members(chain.jacobian) if isinstance(n, tm.At) and n.name in chain.net}
        late = (course[name][self.trace.T // 2 :] for name in sorted(read))
        return any(bool((series != series[:1]).any()) for series in late)

    @cached_property
    def causes(self) -> tuple[Cause, ...]:
        """What each function and each gate costs the chain: the rate with it at its best, less the rate as it is."""
        rate = rate_of(self.trace)
        gates = {gate.name for gate in self.gates}
        out = []
        for slope in self.slopes:
            if slope.name not in gates and np.isfinite(slope.steepest) and slope.steepest > 0:
                better = rate_of(had_been_steepest(self.trace, slope))
                words = f"{_percent(slope.saturated)} of its slopes under a tenth of the steepest, {slope.steepest:g}"
                words += f", {_percent(slope.dead)} dead" if slope.dead else ""
                name, cost = f"{slope.function} of {slope.name}", _less(better, rate)
                out.append(Cause(name, words, slope.saturated, better, cost, "function", slope.name))
        for gate in self.gates:
            rates = {value: rate_of(had_been(self.trace, gate, value)) for value in (0.0, 1.0)}
            value, better = max(rates.items(), key=lambda item: item[1])
            far = gate.closed if value else gate.open
            words = f"its mean is {gate.mean:.3f}, {_percent(far)} of it {'under 0.1' if value else 'over 0.9'}"
            state = "not open" if value else "not closed"
            cost = _less(better, rate)
            out.append(Cause(f"gate {gate.name} {state}", words, far, better, cost, f"gate {state}", gate.name))
        return tuple(out)

    def remedies(self, *, seed: int = 0, bias: float = 0.01) -> tuple[Remedy, ...]:
        """What would change it: each remedy's predicted effect, and the effect measured by rerunning."""
        return remedies(self.trace, seed=seed, bias=bias)

    def truncation(self, steps: Any = None, kind: Literal["window", "detach"] = "window") -> Truncation:
        """The bias of truncated back-propagation against its length K."""
        return truncation(self.trace, steps, kind)

    def clipping(self, threshold: float = 1.0) -> Clipping:
        """What clipping at a threshold changes."""
        return clipping(self.trace, threshold)

    def drift(self, quantiles: Sequence[float] = (0.05, 0.25, 0.5, 0.75, 0.95)) -> dict[str, Any]:
        """State → quantiles of its entries at each step, over units and the batch, (quantiles, T)."""
        return {
            n: np.quantile(self.trace.course[n].reshape(self.trace.T, -1), list(quantiles), axis=1) for n in self.states
        }

    # ------------------------------------------------------------ told

    @property
    def plot(self) -> Plots:
        """The figures, one by one: ``analysis.plot.norms(ax=…)``."""
        from rnnderive.chains.figures import Plots

        return Plots(self)

    def rows(self) -> list[tuple[str, str]]:
        """The findings as a table of two columns."""
        trace = self.trace
        batch = "" if trace.course.batch is None else f", {trace.course.batch} sequences"
        out = [
            (
                "chain",
                f"{self.label}, {trace.size} units, {trace.T} steps{batch}, {trace.chain.direction}",
            ),
            ("verdict" if trace.course.batch is None else "verdict, of the median sequence", self.verdict.headline),
            *(("", line) for line in self.verdict.details),
            ("bound", self.bounds.words),
        ]
        for k, path in enumerate(self.paths[1:]):
            out.append(("paths" if not k else "", f"{path.label}: {path.rate:+.4f} nats a step"))
        for k, gate in enumerate(self.gates):
            out.append(
                ("gates" if not k else "", f"{gate.name}: mean {gate.mean:.3f}, {_percent(gate.closed)} under 0.1, "
                 f"{_percent(gate.open)} over 0.9")
            )  # fmt: skip
        if self.others:
            out.append(("other chains", "; ".join(f"[{', '.join(s)}]" for s in self.others)))
        return out

    def __str__(self) -> str:
        width = max(len(k) for k, _ in self.rows())
        return "\n".join(f"{k.ljust(width)}  {v}" for k, v in self.rows())

    def __repr__(self) -> str:
        return f"<Analysis of {self.label} over {self.trace.T} steps: {self.verdict.kind}>"

    def _repr_html_(self) -> str:
        body = "".join(f"<tr><th>{html.escape(k)}</th><td>{html.escape(v)}</td></tr>" for k, v in self.rows())
        return f"<table>{body}</table>{self.plot.svg('norms')}"


def analyze(
    net: Recurrence | str,
    params: Mapping[str, Any],
    inputs: Mapping[str, Any],
    *,
    state: str | None = None,
    tokens: Sequence[str] = (),
) -> Analysis:
    """Analyse the chain of Jacobians of a network on given weights and input.

    Parameters
    ----------
    net : Recurrence or str
    params, inputs : mapping
        Arrays by name; sequences (T, d), or (T, B, d) with a batch.
    state : str, optional
        A sequence of the chain to look at, where a network has several (a bidirectional one has
        one for each direction); the first unless given.
    tokens : sequence of str
        What stands at each step, for figures.

    Returns
    -------
    Analysis
        Everything in it is computed when it is first asked for.

    Raises
    ------
    InputError
        For arrays that do not fit, a run that overflows, a network without a loop over t, a state that
        is not there, and tokens that are not one a step.

    Examples
    --------
    >>> import numpy as np, rnnderive as rd
    >>> net = rd.Recurrence.parse('''
    ...     h[t] = tanh(W @ x[t] + U @ h[t-1])
    ...     L    = squared_error(h[T], target)
    ... ''')
    >>> params = {"W": np.zeros((2, 1)), "U": 0.5 * np.eye(2)}
    >>> analysis = analyze(net, params, {"x": np.zeros((60, 1)), "target": np.ones(2)})
    >>> analysis.verdict.kind, round(analysis.verdict.rate.value, 6)
    ('vanishing', -0.693147)
    >>> analysis.bounds.limit
    0.5
    """
    if isinstance(net, str):
        net = Recurrence.parse(net)
    if not isinstance(net, Recurrence):
        raise InputError(f"expected a Recurrence or a text of equations, found {type(net).__name__}")
    plain = first_order(net)
    found = chains(plain)
    chosen = found[0]
    if state is not None:
        matches = [c for c in found if state in c.states]
        if not matches:
            raise InputError(f"{state!r} is no state; there are {'; '.join(', '.join(c.states) for c in found)}")
        chosen = matches[0]
    course = run(plain, params, inputs)
    if tokens and len(tokens) != course.T:
        raise InputError(f"there are {len(tokens)} tokens for {course.T} steps; expected one a step")
    return Analysis(Trace(chosen, course), tokens, [c.states for c in found if c is not chosen])


def _percent(fraction: float) -> str:
    return f"{100 * fraction:.3g} %"


def _less(better: float, rate: float) -> float:
    return better - rate if np.isfinite(rate) else np.inf if np.isfinite(better) else 0.0
