"""How the gradient of a network behaves along its chain, on given weights and a given input."""

from __future__ import annotations

import html
import os
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from rnnderive.calculus import first_order
from rnnderive.cells import recurrence
from rnnderive.chains.causes import causes
from rnnderive.chains.census import Gate, Slope, gates, slopes
from rnnderive.chains.contributions import Contributions, contributions
from rnnderive.chains.course import run
from rnnderive.chains.judgement import judge
from rnnderive.chains.limits import Bounds, bounds
from rnnderive.chains.paths import Path, paths
from rnnderive.chains.remedies import Remedy, remedies
from rnnderive.chains.spectrum import Spectrum, spectrum
from rnnderive.chains.state import chains
from rnnderive.chains.trace import Trace
from rnnderive.chains.truncation import Clipping, Truncation, clipping, truncation
from rnnderive.chains.verdict import Cause, Verdict, counted, nats
from rnnderive.errors import InputError
from rnnderive.language import Recurrence
from rnnderive.printing import Told

if TYPE_CHECKING:
    from rnnderive.chains.figures import Plots

__all__ = ["Analysis", "Bounds", "Contributions", "Spectrum", "analyze"]


class Analysis(Told):
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
        """ln‖∂L/∂s^S P_{S,k}‖ for every lag S − k from 0, (S + 1, …).

        S is the last step that the loss reads, :attr:`Trace.last`: T for a loss at the end, and less for one
        that is read early.  So there are S + 1 entries, not one for each of :attr:`lags`.
        """
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
        return spectrum(self.trace, member)

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
        return bounds(self.trace)

    # ------------------------------------------------------------ what it means

    @cached_property
    def verdict(self) -> Verdict:
        """Whether the gradient vanishes or explodes, how fast, and why; of a batch for each sequence."""
        return judge(self.trace, self.causes)

    @cached_property
    def causes(self) -> tuple[Cause, ...]:
        """What each function and each gate costs: the rate with it at its best, less the rate as it is."""
        return causes(self.trace, self.slopes, self.gates)

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
        batch = "" if trace.course.batch is None else f", {counted(trace.course.batch, 'sequence')}"
        out = [
            (
                "chain",
                f"{self.label}, {counted(trace.size, 'unit')}, {counted(trace.T)}{batch}, {trace.chain.direction}",
            ),
            *(("", f"{copy}: kept, since a step further back is read") for copy in trace.chain.copies),
            ("verdict", self.verdict.headline),
            *(("", line) for line in self.verdict.details),
            ("bound", self.bounds.words),
        ]
        for path in () if self.verdict.short else self.paths:
            words = f"{path.label}: {nats(path.rate)} nats a step"
            if path.kind == "whole":
                words += f" (here and below of the norm ‖P‖₂, over {counted(path.lags[-1])})"
            out.append(("paths" if path.kind == "whole" else "", words))
        for k, gate in enumerate(self.gates):
            out.append(
                ("gates" if not k else "", f"{gate.name}: mean {gate.mean:.3f}, {100 * gate.closed:.3g} % under 0.1, "
                 f"{100 * gate.open:.3g} % over 0.9")
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
    net: Recurrence | str | os.PathLike[str],
    params: Mapping[str, Any],
    inputs: Mapping[str, Any],
    *,
    state: str | None = None,
    tokens: Sequence[str] = (),
) -> Analysis:
    """Analyse the chain of Jacobians of a network on given weights and input.

    Parameters
    ----------
    net : Recurrence, str or path
        The network, its equations, or the name or file of a cell.
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
    net = recurrence(net)
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
