"""Random networks of one cell on random input: what a point of a phase diagram is drawn from."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import numpy as np

from rnnderive.calculus import first_order
from rnnderive.chains.analysis import Analysis
from rnnderive.chains.course import run
from rnnderive.chains.products import operator_log_norms, vector_log_norms
from rnnderive.chains.state import StateChain, chains
from rnnderive.chains.trace import Trace
from rnnderive.chains.verdict import judged, measured_rate
from rnnderive.derivation import derive
from rnnderive.errors import InputError
from rnnderive.language import Recurrence
from rnnderive.language import terms as tm
from rnnderive.programs import Program
from rnnderive.weights.initialisers import INITIALISERS, named
from rnnderive.weights.roles import Roles
from rnnderive.weights.schemes import SCHEMES, initialise
from rnnderive.weights.sizes import concrete, from_widths, solved

__all__ = ["KINDS", "SETTINGS", "Ensemble", "widths"]

KINDS = ("silent", "cut off", "vanishing", "critical", "exploding", "chaotic")  # a sweep's numbers for verdicts
LAGS = 24  # norms of products are taken at so many lags, and at the nearest few one by one
NEAR = 8
SETTINGS = ("gain", "input_scale", "state_scale", "T", "forget_bias", "scheme")


@dataclass(frozen=True)
class Ensemble:
    """A cell whose weights, input and initial state are drawn.

    Attributes
    ----------
    equations : str
    loss : str or None
        Its name in the equations.
    sizes : mapping
        Width by name, as :func:`~rnnderive.weights.initialise` takes it; ``h`` also stands for a state
        that has another name.
    gain : float
        A factor of the scheme's recurrent weights (of the diagonal ones in a cell like indrnn).
    input_scale, state_scale : float
        Standard deviations of the input's entries, and of the initial state's.
    T : int
        Steps.
    forget_bias : float or None
        Of the gate that keeps the state; None leaves what the scheme says.
    scheme : str
        A row of :data:`~rnnderive.weights.SCHEMES`.
    roles : mapping
        Role → initialiser, on top of the scheme.

    Examples
    --------
    >>> import rnnderive as rd
    >>> nets = Ensemble.of(rd.cells.vanilla(), {"h": 8, "x": 2, "y": 1}, T=50, gain=0.5)
    >>> params, inputs = nets.draw(seed=0)
    >>> params["U"].shape, inputs["x"].shape
    ((8, 8), (50, 2))
    >>> bool(np.allclose(params["U"].T @ params["U"], np.eye(8) / 4))
    True
    """

    equations: str
    loss: str | None
    sizes: Mapping[str, int]
    gain: float = 1.0
    input_scale: float = 1.0
    state_scale: float = 1.0
    T: int = 200
    forget_bias: float | None = None
    scheme: str = "glorot"
    roles: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, cell: Recurrence, sizes: Mapping[str, int], **settings: Any) -> Ensemble:
        """The ensemble of a recurrence; settings are the fields from `gain` on."""
        return cls(str(cell), cell.loss, dict(sizes), **settings)

    def __post_init__(self) -> None:
        for name in ("gain", "input_scale", "state_scale", "forget_bias"):
            value = getattr(self, name)
            if value is None and name == "forget_bias":
                continue
            if isinstance(value, bool) or not isinstance(value, int | float | np.number) or not np.isfinite(value):
                raise InputError(f"{name} is {value!r}; expected a finite number")
            if value < 0 and name.endswith("scale"):
                raise InputError(f"{name} is {value!r}, a standard deviation; expected 0 or more")
        if isinstance(self.T, bool) or not isinstance(self.T, int | np.integer) or self.T < 2:
            raise InputError(f"T is {self.T!r}; expected a whole number of steps from 2")
        if not isinstance(self.scheme, str):
            raise InputError(f"scheme is {self.scheme!r}; expected a name: {', '.join(SCHEMES)}")
        named(self.scheme, SCHEMES, "scheme")

    @property
    def net(self) -> Recurrence:
        """The recurrence."""
        return _parsed(self.equations, self.loss)

    def at(self, point: Mapping[str, Any]) -> Ensemble:
        """The ensemble at a point: a setting by its name, or a width by its."""
        settings = {n: v for n, v in point.items() if n in SETTINGS}
        sizes = {n: v for n, v in point.items() if n not in SETTINGS}
        for name in sizes:
            if name not in self.sizes:
                known = ", ".join([*SETTINGS, *self.sizes])
                raise InputError(f"there is no setting and no size {name!r}; there are {known}")
        return dataclasses.replace(self, sizes={**self.sizes, **sizes}, **settings)

    # ------------------------------------------------------------ drawn

    def draw(self, seed: int) -> tuple[dict[str, Any], dict[str, Any]]:
        """Weights, and inputs with initial states.

        Raises
        ------
        InputError
            When a size is missing, and when the cell has no gate or no weights for a setting.
        """
        rng = np.random.default_rng(seed)
        given = widths(self.net, self.sizes)
        params = initialise(self.net, rng, sizes=given, scheme=self.scheme, roles=self._roles())
        shapes, fixed = from_widths(self.net, given)
        known = solved(self.net, {**shapes, **{n: a.shape for n, a in params.items()}}, fixed)
        inputs = {}
        for name in (*self.net.inputs, *self.net.initial_states):
            timed = isinstance(self.net.leaves.get(name), tm.At)
            rows, columns = concrete(self.net, name, known)
            shape = (*([self.T] if timed else []), rows, *([columns] if columns > 1 else []))
            inputs[name] = self._given(name, shape, rng)
        return params, inputs

    def _roles(self) -> dict[str, Any]:
        """The roles with gain and forget bias in them."""
        roles = dict(self.roles)
        present = _roles_of(self.net)
        if self.forget_bias is not None:
            role = _first(present, "forget_bias", "update_bias")
            if role is None:
                raise InputError("forget_bias was given, but no gate with a bias keeps the state of this cell")
            roles[role] = self.forget_bias
        if self.gain != 1:
            role = _first(present, "recurrent", "diagonal")
            if role is None:
                raise InputError(f"gain is {self.gain}, but this cell has no recurrent weights to multiply by it")
            row = roles.get(role, named(self.scheme, SCHEMES, "scheme")()[role])
            roles[role] = _multiplied(row, self.gain)
        return roles

    def _given(self, name: str, shape: tuple[int, ...], rng: np.random.Generator) -> Any:
        """An input: Gaussian, at its scale where the cell reads it; for a loss on classes, classes."""
        if name in self.net.initial_states:
            return self.state_scale * rng.standard_normal(shape)
        kinds = {type(loss) for loss in _losses(self.net) if getattr(loss.args[1], "name", "") == name}
        if tm.CrossEntropy in kinds:
            return np.eye(shape[-1])[rng.integers(shape[-1], size=shape[:-1])]
        if kinds & {tm.BinaryCrossEntropy, tm.LogLoss}:
            return rng.integers(2, size=shape).astype(float)
        scale = self.input_scale if name in _read_by_the_cell(self.net) else 1.0
        return scale * rng.standard_normal(shape)

    # ------------------------------------------------------------ measured

    def measure(self, seed: int) -> dict[str, float]:
        """Draw one network and its input, and measure its chain.

        Returns
        -------
        dict
            ``rate``: slope of ln‖P_{T,k}‖₂ in nats a step; ``lyapunov``: λ₁, from a random vector that
            is pushed forward; ``memory``: the lag from which on ‖P‖ is 1 % or less, infinite if there is
            none; ``kind``: a place in :data:`KINDS`; ``saturation``: the fraction of slopes under a tenth
            of the steepest, gates aside; ``gradient``: ln‖dL/dθ‖ over all parameters, where there is a
            loss.
        """
        params, inputs = self.draw(seed)
        chain = _chain(self.net)
        trace = Trace(chain, run(chain.net, params, inputs))
        analysis = Analysis(trace)
        verdict = judged(_curve(trace), bounded=analysis.bounded)
        pushed = np.random.default_rng([seed, 1]).standard_normal(trace.size)
        forward = vector_log_norms(pushed, trace.jacobians[::-1].swapaxes(-1, -2))
        gates = {g.name for g in analysis.gates}
        slopes = [s for s in analysis.slopes if s.name not in gates]
        found = {
            "rate": verdict.rate.value,
            "lyapunov": measured_rate(forward).value,
            "memory": float("inf") if verdict.memory is None else float(verdict.memory),
            "kind": KINDS.index(verdict.kind),
            "saturation": float(np.mean([s.saturated for s in slopes])) if slopes else 0.0,
        }
        if self.net.loss is not None:
            found["gradient"] = _log_gradient(self.net, params, inputs)
        return found


def widths(net: Recurrence, sizes: Mapping[str, int]) -> dict[str, int]:
    """Sizes in which ``h`` stands for the state, whatever a cell calls it.

    Examples
    --------
    >>> import rnnderive as rd
    >>> widths(rd.cells.peephole_lstm(), {"h": 16, "x": 2})
    {'x': 2, 'n_y': 16}
    """
    known = "h" in net.leaves or any(str(s) == "n_h" or str(s).startswith("n_h_") for s in net.sizes)
    if "h" not in sizes or known:
        return dict(sizes)
    states = {s for c in chains(first_order(net)) for n in c.states for s in c.net.shape(n)[0].free_symbols}
    return {**{n: w for n, w in sizes.items() if n != "h"}, **dict.fromkeys(sorted(map(str, states)), sizes["h"])}


# ---------------------------------------------------------------- the same for all networks of a cell


@lru_cache(maxsize=64)
def _parsed(equations: str, loss: str | None) -> Recurrence:
    return Recurrence.parse(equations, loss=loss)


@lru_cache(maxsize=64)
def _chain(net: Recurrence) -> StateChain:
    return chains(first_order(net))[0]


@lru_cache(maxsize=64)
def _gradient(net: Recurrence) -> Program:
    return derive(net).lambdify()


@lru_cache(maxsize=64)
def _roles_of(net: Recurrence) -> frozenset[str]:
    return frozenset(b.role for blocks in Roles.of(net).blocks.values() for b in blocks)


@lru_cache(maxsize=64)
def _losses(net: Recurrence) -> tuple[tm.Loss, ...]:
    return tuple(n for e in net.equations for n in tm.members(e.right) if isinstance(n, tm.Loss))


@lru_cache(maxsize=64)
def _read_by_the_cell(net: Recurrence) -> frozenset[str]:
    """The inputs of all loops, through whatever stands before them."""
    todo = [n for s in net.schedule if s.direction != "all" for n in s.names]
    found: set[str] = set()
    while todo:
        name = todo.pop()
        if name not in found:
            found.add(name)
            todo += [r.name for r in net.reads(name)] if name in net else []
    return frozenset(found)


# ---------------------------------------------------------------- numbers


def _curve(trace: Trace) -> Any:
    """ln‖P_{T,T−l}‖₂ for every lag: measured at some, straight between them."""
    lags = np.unique(np.concatenate([np.arange(min(NEAR, trace.T) + 1), np.linspace(0, trace.T, LAGS).round()]))
    norms = operator_log_norms(trace.jacobians, lags.astype(int))
    zero = lags[np.argmax(np.isneginf(norms))] if np.isneginf(norms).any() else np.inf
    whole = np.arange(trace.T + 1)
    alive = np.isfinite(norms)
    return np.where(whole < zero, np.interp(whole, lags[alive], norms[alive]), -np.inf)


def _log_gradient(net: Recurrence, params: Mapping[str, Any], inputs: Mapping[str, Any]) -> float:
    """ln‖dL/dθ‖; infinite where it leaves the range of floats."""
    with np.errstate(all="ignore"):
        flat = np.concatenate([np.ravel(g) for g in _gradient(net)(params, inputs)[1].values()])
        top = np.abs(flat).max()
        return float(np.log(top) + np.log(np.linalg.norm(flat / top))) if 0 < top < np.inf else (
            float("-inf") if top == 0 else float("inf")
        )  # fmt: skip


def _first(present: frozenset[str], *roles: str) -> str | None:
    return next((r for r in roles if r in present), None)


def _multiplied(row: Any, gain: float) -> Callable[..., Any]:
    """An initialiser times a number."""
    draw = named(row, INITIALISERS, "initialiser") if isinstance(row, str) else row

    def initialiser(rng: Any, site: Any) -> Any:
        return gain * (draw(rng, site) if callable(draw) else np.full((site.rows, site.columns), draw))

    return initialiser
