"""Random networks of one cell on random input: what a point of a phase diagram is drawn from."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import numpy as np

from rnnderive.calculus import first_order
from rnnderive.chains.analysis import Analysis
from rnnderive.chains.cost import check_memory
from rnnderive.chains.course import run
from rnnderive.chains.drawn import drawn, keeping_role, with_gain
from rnnderive.chains.judgement import judge
from rnnderive.chains.products import vector_log_norms
from rnnderive.chains.state import StateChain, chains
from rnnderive.chains.trace import Trace
from rnnderive.chains.verdict import KINDS as VERDICTS
from rnnderive.chains.verdict import measured_rate
from rnnderive.derivation import derive
from rnnderive.errors import InputError
from rnnderive.language import Recurrence
from rnnderive.programs import Program
from rnnderive.weights.initialisers import named
from rnnderive.weights.schemes import SCHEMES, initialise
from rnnderive.weights.sizes import from_widths, solved

__all__ = ["KINDS", "SETTINGS", "Ensemble", "widths"]

KINDS = tuple(VERDICTS)  # a sweep's numbers for verdicts
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
        """Weights, and inputs with initial states; the same for a seed wherever it is drawn.

        Raises
        ------
        InputError
            When a size is missing, and when the cell has no gate or no weights for a setting.
        """
        net, given = self.net, widths(self.net, self.sizes)
        params = initialise(net, seed, sizes=given, scheme=self.scheme, roles=self._roles())
        shapes, fixed = from_widths(net, given)
        known = solved(net, {**shapes, **{n: a.shape for n, a in params.items()}}, fixed)
        inputs = drawn(
            net, {}, known, T=self.T, seed=seed, input_scale=self.input_scale, state_scale=self.state_scale
        )  # fmt: skip
        return params, inputs

    def check_memory(self, limit: float) -> None:
        """Refuse networks that take more than so many GiB, before one is drawn."""
        shapes, fixed = from_widths(self.net, widths(self.net, self.sizes))
        check_memory(self.net, solved(self.net, shapes, fixed), T=self.T, whole=True, limit=limit)

    def _roles(self) -> dict[str, Any]:
        """The roles with gain and forget bias in them."""
        roles = with_gain(self.net, self.scheme, self.roles, self.gain)
        if self.forget_bias is not None:
            roles[keeping_role(self.net)] = self.forget_bias
        return roles

    # ------------------------------------------------------------ measured

    def measure(self, seed: int) -> dict[str, float]:
        """Draw one network and its input, and measure its chain.

        Returns
        -------
        dict
            ``rate``, ``memory`` and ``kind``: those of the verdict of :func:`~rnnderive.analyze` on what
            :meth:`draw` gives, the rate in nats a step, the memory infinite if there is none, the kind a
            place in :data:`KINDS`; ``lyapunov``: λ₁, from a random vector that is pushed forward;
            ``saturation``: the fraction of slopes under a tenth of the steepest, gates aside;
            ``gradient``: ln‖dL/dθ‖ over all parameters, where there is a loss.
        """
        params, inputs = self.draw(seed)
        chain = _chain(self.net)
        trace = Trace(chain, run(chain.net, params, inputs))
        analysis = Analysis(trace)
        verdict = judge(trace)
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


# ---------------------------------------------------------------- numbers


def _log_gradient(net: Recurrence, params: Mapping[str, Any], inputs: Mapping[str, Any]) -> float:
    """ln‖dL/dθ‖; infinite where it leaves the range of floats."""
    with np.errstate(all="ignore"):
        flat = np.concatenate([np.ravel(g) for g in _gradient(net)(params, inputs)[1].values()])
        top = np.abs(flat).max()
        return float(np.log(top) + np.log(np.linalg.norm(flat / top))) if 0 < top < np.inf else (
            float("-inf") if top == 0 else float("inf")
        )  # fmt: skip
