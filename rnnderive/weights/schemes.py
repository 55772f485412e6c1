"""Parameters drawn for any recurrence: an initialiser for each role, and schemes of them by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import sympy as sp

from rnnderive.errors import InputError
from rnnderive.language import Recurrence
from rnnderive.weights.initialisers import INITIALISERS, Site, named
from rnnderive.weights.roles import ROLES, Block, Gate, Roles
from rnnderive.weights.sizes import concrete, from_arrays, from_widths, solved

__all__ = ["SCHEMES", "initialise"]

GATE_BIASES = ("forget_bias", "input_bias", "update_bias")

# The schemes' own words: the negated draw of the same state's forget gate, and gates drawn as one matrix.
OPPOSITE = "opposite"
JOINT = "joint"


def glorot() -> dict[str, Any]:
    """Glorot inputs and readout, orthogonal recurrent weights, zero biases, block by block."""
    return {
        "input": "glorot_uniform",
        "recurrent": "orthogonal",
        "readout": "glorot_uniform",
        "diagonal": "uniform(bound=1)",
        "gain": "ones",
        "bias": "zeros",
        "readout_bias": "zeros",
    }


def keras() -> dict[str, Any]:
    """Keras: as glorot, but the gates of a layer are drawn as one matrix; forget bias 1 in an LSTM."""
    return {**glorot(), "forget_bias": 1.0, JOINT: ("input", "recurrent")}


def pytorch() -> dict[str, Any]:
    """PyTorch: everything in a recurrent layer U(±1/√n), everything in a linear one U(±1/√fan_in)."""
    return {
        **glorot(),
        "input": "uniform_units",
        "recurrent": "uniform_units",
        "diagonal": "uniform_units",
        "bias": "uniform_units_bias",
        "readout": "uniform_fan_in",
        "readout_bias": "uniform_fan_in",
    }


def chrono(horizon: float = 100.0) -> dict[str, Any]:
    """Glorot with biases for memories up to `horizon` steps: Tallec and Ollivier (2018, eq. 15, 16)."""
    draw = f"chrono(horizon={horizon})"
    return {**glorot(), "forget_bias": draw, "input_bias": OPPOSITE, "update_bias": draw}


def irnn(scale: float = 1.0) -> dict[str, Any]:
    """Recurrent weights `scale` · I, the others N(0, 0.001): Le, Jaitly and Hinton (2015)."""
    small = "normal(std=0.001)"
    return {**glorot(), "recurrent": f"identity(scale={scale})", "input": small, "readout": small}


SCHEMES: dict[str, Callable[..., dict[str, Any]]] = {
    "glorot": glorot,
    "keras": keras,
    "pytorch": pytorch,
    "chrono": chrono,
    "irnn": irnn,
}


def initialise(
    net: Recurrence,
    seed: int | np.random.Generator = 0,
    *,
    sizes: Mapping[str, int] | None = None,
    inputs: Mapping[str, Any] | None = None,
    scheme: str = "glorot",
    roles: Mapping[str, Any] | None = None,
    overrides: Mapping[str, Any] | None = None,
    dtype: Any = np.float64,
) -> dict[str, Any]:
    """Draw the parameters of any recurrence.

    What a parameter is (recurrent, input, forget bias, …) is found from the equations; the
    columns of a stacked weight on [h, x] are drawn apart.

    Parameters
    ----------
    net : Recurrence
    seed : int or Generator
        The same seed gives the same arrays.
    sizes : mapping, optional
        Width by name, ``{"h": 16, "x": 3, "y": 2}``; ``h`` also stands for h_1, h_2, … and h_L, h_R.
    inputs : mapping, optional
        Input arrays, (T, d) or (T, B, d), whose widths are taken.
    scheme : str
        A row of :data:`SCHEMES`, with options: ``"pytorch"``, ``"chrono(horizon=784)"``.
    roles : mapping, optional
        Role (see :data:`~rnnderive.weights.roles.ROLES`) → initialiser, on top of the scheme.  An
        initialiser is a name with options (``"orthogonal(gain=1.2)"``), a number, or a function
        of a generator and a :class:`~rnnderive.weights.initialisers.Site`.  Numbers and
        ``chrono`` for a gate's bias are those of the gate that keeps the state: where one minus
        the gate keeps it, the sign is turned.
    overrides : mapping, optional
        Parameter → initialiser or array, for the whole parameter.
    dtype : dtype

    Returns
    -------
    dict
        Parameter → array (rows, columns), or (rows,) for a vector.

    Raises
    ------
    InputError
        For unknown names, sizes that are missing or contradict each other, and a role that no
        parameter of `net` has.

    Examples
    --------
    >>> import numpy as np
    >>> from rnnderive.cells import lstm
    >>> params = initialise(lstm(), 0, sizes={"h": 4, "x": 3, "y": 2}, roles={"forget_bias": 1})
    >>> params["W_f"].shape, params["b_f"]
    ((4, 7), array([1., 1., 1., 1.]))
    >>> U = params["W_f"][:, :4]
    >>> bool(np.allclose(U.T @ U, np.eye(4)))
    True
    """
    overrides = overrides or {}
    _check_names(net, overrides)
    given = {n: np.asarray(a) for n, a in overrides.items() if isinstance(a, np.ndarray | list | tuple)}
    shapes = {n: a.shape for n, a in given.items()}
    widths, fixed = from_widths(net, sizes or {})
    known = solved(net, {**from_arrays(net, inputs or {}), **widths, **shapes}, fixed)
    found = Roles.of(net)
    rows = _rows(net, found, scheme, roles or {})
    drawing = _Drawing(net, found, known, rows, np.random.default_rng(seed))
    out: dict[str, Any] = {}
    for name in net.parameters:
        shape = concrete(net, name, known)
        if name in given:
            array = given[name].reshape(shape)
        elif name in overrides:
            array = drawing.draw(overrides[name], found.blocks[name][0], shape)
        else:
            array = np.hstack([drawing.block(b) for b in found.blocks[name]])
        out[name] = array[:, 0] if net.shape(name)[1] == 1 else array
    for gate in found.gates:
        out |= _signed(gate, {n: a for n, a in out.items() if n not in overrides}, rows)
    return {n: np.ascontiguousarray(a, dtype=dtype) for n, a in out.items()}


def _rows(net: Recurrence, found: Roles, scheme: str, roles: Mapping[str, Any]) -> dict[str, Any]:
    """Role → initialiser; gate biases are as other biases unless the scheme says more."""
    present = {b.role for blocks in found.blocks.values() for b in blocks}
    for role in roles:
        if role not in ROLES:
            raise InputError(f"unknown role {role!r}; known: {', '.join(ROLES)}")
        if role not in present:
            raise InputError(
                f"no parameter here is {ROLES[role]} ({role}); the roles here are {', '.join(sorted(present))}"
            )
    rows = {**named(scheme, SCHEMES, "scheme")(), **roles}
    return {**{g: rows["bias"] for g in GATE_BIASES}, **rows}


def _check_names(net: Recurrence, overrides: Mapping[str, Any]) -> None:
    for name in overrides:
        if name not in net.parameters:
            raise InputError(f"there is no parameter {name!r}; there are {', '.join(net.parameters)}")


@dataclass(frozen=True)
class _Drawing:
    """What drawing a block needs; `dealt` holds what of a joint draw is still to be dealt out."""

    net: Recurrence
    found: Roles
    known: Mapping[Any, int]
    rows: Mapping[str, Any]
    rng: np.random.Generator
    dealt: dict[tuple[str, ...], list[Any]] = field(default_factory=dict)

    def number(self, size: Any) -> int:
        return int(sp.sympify(size).subs(dict(self.known)))

    def block(self, block: Block) -> Any:
        """One block; of a joint role, all gates of the group are drawn as one tall matrix and dealt out."""
        columns = self.number(block.columns)
        what = self.rows[block.role]
        if what == OPPOSITE:
            return np.zeros((self.number(block.rows), columns))
        if block.role not in self.rows.get(JOINT, ()):
            return self.draw(what, block, (self.number(block.rows), columns))
        if block.group not in self.dealt:
            group = [b for blocks in self.found.blocks.values() for b in blocks if b.group == block.group]
            heights = [self.number(b.rows) for b in group]
            tall = self.draw(what, block, (sum(heights), columns))
            self.dealt[block.group] = np.split(tall, np.cumsum(heights)[:-1])
        return self.dealt[block.group].pop(0)

    def draw(self, what: Any, block: Block, shape: tuple[int, int]) -> Any:
        """An array from a name, a number or a function, for where a block stands."""
        if isinstance(what, str):
            what = named(what, INITIALISERS, "initialiser")
        if isinstance(what, bool) or not (callable(what) or isinstance(what, int | float | np.number)):
            raise InputError(f"found the initialiser {what!r}; expected a name, a number or a function of (rng, site)")
        array = np.asarray(what(self.rng, self.site(block, shape)) if callable(what) else np.full(shape, what))
        if array.shape != shape:
            raise InputError(f"the initialiser of {block.parameter} returned the shape {array.shape}; expected {shape}")
        return array.astype(float)

    def site(self, block: Block, shape: tuple[int, int]) -> Site:
        beside = self.found.beside(block)
        biases = sum(b.columns == 1 and "bias" in b.role for b in beside)
        entering = sum(self.number(b.columns) for b in beside if b.columns != 1)
        units = self.number(self.net.shape(block.equation)[0])
        return Site(*shape, units=units, fan_in=entering or units, biases=max(1, biases))


def _signed(gate: Gate, out: Mapping[str, Any], rows: Mapping[str, Any]) -> dict[str, Any]:
    """A gate's biases, where the scheme treats them apart from others.

    The first of them has the value, with the sign with which the gate keeps the state, and the
    rest are zero; the gate that admits gets the opposite where the scheme says so.
    """
    keep = [n for n in gate.keep if n in out]
    if not keep or rows["update_bias" if gate.coupled else "forget_bias"] is rows["bias"]:
        return {}
    fresh = {n: gate.sign * out[n] if n == keep[0] else np.zeros_like(out[n]) for n in keep}
    if rows["input_bias"] == OPPOSITE:
        admit = [n for n in gate.admit if n in out]
        fresh |= {n: -out[keep[0]] if n == admit[0] else np.zeros_like(out[n]) for n in admit}
    return fresh
