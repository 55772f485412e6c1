"""Several networks side by side on the same input: cells, activations, initialisers.

Each network has the same sizes, and its weights are drawn with the same seed; so what differs is
what is compared.
"""

from __future__ import annotations

import csv
import html
import io
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from rnnderive import cells
from rnnderive.chains.analysis import Analysis, analyze
from rnnderive.chains.ensemble import widths
from rnnderive.chains.ranges import interval
from rnnderive.chains.state import chains
from rnnderive.errors import InputError, LanguageError
from rnnderive.language import FUNCTIONS, Equation, Recurrence
from rnnderive.language import terms as tm
from rnnderive.weights.initialisers import INITIALISERS
from rnnderive.weights.schemes import SCHEMES, initialise

if TYPE_CHECKING:
    from rnnderive.chains.diagrams import ComparisonPlots

__all__ = ["Comparison", "Setup", "activations", "compare", "initialisers"]

LONG = 1e6  # a half-life of more steps is none
HEAD = ("", "verdict", "nats a step", "half-life", "memory", "bound a step", "gates")


@dataclass(frozen=True, eq=False)
class Setup:
    """A network, and where its weights come from.

    Attributes
    ----------
    net : Recurrence
    scheme : str
        A row of :data:`~rnnderive.weights.SCHEMES`.
    roles : mapping
        Role → initialiser, on top of the scheme.
    params : mapping or None
        The weights themselves; nothing is drawn then.
    """

    net: Recurrence
    scheme: str = "glorot"
    roles: Mapping[str, Any] = field(default_factory=dict)
    params: Mapping[str, Any] | None = None


@dataclass(frozen=True, eq=False)
class Comparison:
    """Analyses of several networks on one input.  Made by :func:`compare`.

    Attributes
    ----------
    analyses : mapping
        Label → Analysis.
    setting : str
        What is the same for all of them, in words.
    """

    analyses: Mapping[str, Analysis]
    setting: str

    def __getitem__(self, label: str) -> Analysis:
        if label not in self.analyses:
            raise InputError(f"there is no {label!r} in this comparison; there are {', '.join(self.analyses)}")
        return self.analyses[label]

    def __len__(self) -> int:
        return len(self.analyses)

    @property
    def plot(self) -> ComparisonPlots:
        """The figures, one by one: ``comparison.plot.norms(ax=…)``."""
        from rnnderive.chains.diagrams import ComparisonPlots

        return ComparisonPlots(self)

    # ------------------------------------------------------------ told

    def rows(self) -> list[dict[str, Any]]:
        """A dict of numbers for each network.

        ``memory`` is None where more than 1 % is left over the whole way, ``bound`` infinite where no
        bound holds whatever the run, and ``gates`` name → mean.
        """
        return [
            {
                "label": label,
                "states": a.states,
                "kind": a.verdict.kind,
                "rate": a.verdict.rate.value,
                "error": a.verdict.rate.error,
                "half_life": a.verdict.rate.half_life,
                "memory": a.verdict.memory,
                "bound": a.bounds.limit,
                "gates": {g.name: g.mean for g in a.gates},
            }
            for label, a in self.analyses.items()
        ]

    def cells(self) -> list[tuple[str, ...]]:
        """The table in words, its head first."""
        return [HEAD, *(_words(row, self[row["label"]].trace.T) for row in self.rows())]

    def to_csv(self) -> str:
        """The numbers as comma-separated values; gates as ``f 0.52, i 0.49``."""
        text = io.StringIO()
        rows = [{**r, "states": " ".join(r["states"]), "gates": _gates(r["gates"])} for r in self.rows()]
        writer = csv.DictWriter(text, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
        return text.getvalue()

    def __str__(self) -> str:
        return f"{self.setting}\n\n{text_table(self.cells())}"

    def __repr__(self) -> str:
        return f"<Comparison of {', '.join(self.analyses)}>"

    def _repr_html_(self) -> str:
        return f"<p>{html.escape(self.setting)}</p>{html_table(self.cells())}{self.plot.svg('norms')}"


def compare(
    nets: Mapping[str, Recurrence | str | Setup] | Iterable[str],
    inputs: Mapping[str, Any],
    *,
    sizes: Mapping[str, int] | None = None,
    seed: int = 0,
    scheme: str = "glorot",
    params: Mapping[str, Mapping[str, Any]] | None = None,
) -> Comparison:
    """Analyse several networks on the same input.

    Parameters
    ----------
    nets : mapping or iterable of str
        Label → a recurrence, its equations, the name of a cell, or a :class:`Setup`; or names of cells.
        :func:`activations` and :func:`initialisers` make such mappings.
    inputs : mapping
        Arrays by name; a network takes those that it reads.
    sizes : mapping, optional
        Widths that the inputs do not fix, ``{"h": 32}``: ``h`` stands for the state of every cell.
    seed : int
        Of the weights; the same for each network.
    scheme : str
        How weights are drawn where no :class:`Setup` says it.
    params : mapping, optional
        Label → weights, for those whose weights are not to be drawn.

    Raises
    ------
    InputError
        Which network it is about, and what is wrong.

    Examples
    --------
    >>> x = np.random.default_rng(0).normal(size=(60, 2))
    >>> found = compare(["rnn", "lstm"], {"x": x, "target": np.zeros(1)}, sizes={"h": 8}, seed=1)
    >>> [row["kind"] for row in found.rows()]
    ['vanishing', 'vanishing']
    >>> found.setting
    '60 steps of x (2), the same for all; h 8; weights: glorot, seed 1'
    """
    setups = _setups(nets, scheme, params or {})
    if not isinstance(inputs, Mapping):
        raise InputError(f"inputs is of type {type(inputs).__name__}; expected a dict of arrays by name")
    known = {n for s in setups.values() for n in (*s.net.inputs, *s.net.initial_states, "T")}
    if lost := [n for n in inputs if n not in known]:
        raise InputError(f"no network here reads {', '.join(lost)}; they read {', '.join(sorted(known - {'T'}))}")
    analyses = {}
    for label, setup in setups.items():
        net = setup.net
        given = {n: a for n, a in inputs.items() if n in (*net.inputs, *net.initial_states, "T")}
        try:
            analyses[label] = analyze(net, _weights(setup, given, sizes or {}, seed), given)
        except (InputError, LanguageError) as error:
            raise InputError(f"{label}: {error}") from error
    steps = {a.trace.T for a in analyses.values()}
    if len(steps) > 1:
        raise InputError(f"the networks run for {', '.join(map(str, sorted(steps)))} steps; expected the same for all")
    return Comparison(analyses, _setting(setups, inputs, sizes or {}, seed, steps.pop()))


def activations(cell: Recurrence | str, names: Iterable[str]) -> dict[str, Recurrence]:
    """One cell with several activation functions, for :func:`compare`.

    Every function in the cell is replaced but those of gates; a readout keeps its own.

    Parameters
    ----------
    cell : Recurrence or str
        A recurrence, its equations, or the name of a cell.
    names : iterable of str
        In :data:`rnnderive.language.FUNCTIONS`, or ``identity``.

    Examples
    --------
    >>> for label, net in activations("lstm", ["tanh", "relu"]).items():
    ...     print(label, "|", net["C_add"], "|", net["h"])
    tanh | C_add[t] = tanh(W_C @ [h[t-1], x[t]] + b_C) | h[t] = o[t] * tanh(C[t])
    relu | C_add[t] = relu(W_C @ [h[t-1], x[t]] + b_C) | h[t] = o[t] * relu(C[t])
    """
    net = network(cell, "the cell")
    return {name: _with_activation(net, name) for name in _list(names, "names of functions")}


def initialisers(cell: Recurrence | str, rows: Iterable[str] | Mapping[str, Mapping[str, Any]]) -> dict[str, Setup]:
    """One cell with several initialisers, for :func:`compare`.

    Parameters
    ----------
    cell : Recurrence or str
    rows : iterable of str, or mapping
        Schemes (``"chrono(horizon=100)"``), or initialisers of the recurrent weights
        (``"orthogonal(gain=1.2)"``); or label → roles, ``{"b_f = 1": {"forget_bias": 1}}``.

    Examples
    --------
    >>> setups = initialisers("rnn", ["glorot", "irnn", "lecun_normal(gain=1.5)"])
    >>> setups["lecun_normal(gain=1.5)"].roles
    {'recurrent': 'lecun_normal(gain=1.5)'}
    """
    net = network(cell, "the cell")
    if isinstance(rows, Mapping):
        return {label: Setup(net, roles=roles) for label, roles in rows.items()}
    out = {}
    for row in _list(rows, "names of schemes or initialisers"):
        name = row.split("(")[0].strip()
        if name not in SCHEMES and name not in INITIALISERS:
            known = f"schemes: {', '.join(SCHEMES)}; initialisers of recurrent weights: {', '.join(INITIALISERS)}"
            raise InputError(f"unknown scheme or initialiser {row!r}; {known}")
        out[row] = Setup(net, row) if name in SCHEMES else Setup(net, roles={"recurrent": row})
    return out


# ---------------------------------------------------------------- networks


def _setups(nets: Any, scheme: str, params: Mapping[str, Mapping[str, Any]]) -> dict[str, Setup]:
    if isinstance(nets, Recurrence | Setup):
        raise InputError("found one network; expected several, such as {'tanh': net, 'relu': other}")
    table = nets if isinstance(nets, Mapping) else {n: n for n in _list(nets, "names of cells, or a mapping")}
    if not table:
        raise InputError("there is no network to compare; expected one at least, such as ['rnn', 'lstm']")
    for label in params:
        if label not in table:
            raise InputError(f"params has weights for {label!r}; the networks are {', '.join(table)}")
    setups = {}
    for label, net in table.items():
        setup = net if isinstance(net, Setup) else Setup(network(net, str(label)), scheme)
        setups[str(label)] = replace(setup, params=params[label]) if label in params else setup
    return setups


def _list(names: Any, what: str) -> list[str]:
    if isinstance(names, str) or not isinstance(names, Iterable):
        raise InputError(f"found {names!r}; expected a list of {what}")
    found = list(names)
    if wrong := [n for n in found if not isinstance(n, str)]:
        raise InputError(f"found {wrong[0]!r} in the list; expected {what}")
    return found


def network(net: Any, label: str) -> Recurrence:
    """A recurrence, however it is given."""
    try:
        return cells.recurrence(net)
    except InputError as error:
        raise InputError(f"{label}: {error}") from None


def _weights(setup: Setup, inputs: Mapping[str, Any], sizes: Mapping[str, int], seed: int) -> Mapping[str, Any]:
    if setup.params is not None:
        return setup.params
    return initialise(
        setup.net, seed, sizes=widths(setup.net, sizes), inputs=inputs, scheme=setup.scheme, roles=setup.roles
    )


def _with_activation(net: Recurrence, name: str) -> Recurrence:
    """The functions of a cell replaced; a sigmoid that does not make a state by itself is a gate's."""
    if name not in (*FUNCTIONS, "identity"):
        raise InputError(f"unknown activation {name!r}; known: identity, {', '.join(FUNCTIONS)}")
    found = chains(net)
    cell, states = {n for c in found for n in c.step}, {n for c in found for n in c.states}
    replaced = []

    def replacing(e: Equation) -> Equation:
        def leaf(node: Any) -> Any:
            whole = node is e.right and e.name in states
            if not isinstance(node, tm.Apply) or (_is_gate(node) and not whole):
                return None
            replaced.append(e.name)
            inside = tm.transform(node.args[1], leaf)
            return inside if name == "identity" else tm.Apply(name, inside)

        return Equation(e.left, tm.transform(e.right, leaf))

    equations = tuple(replacing(e) if e.name in cell else e for e in net.equations)
    if not replaced:
        raise InputError(f"this cell has no activation besides its gates: {', '.join(str(net[n]) for n in states)}")
    return Recurrence.parse(str(replace(net, equations=equations)), loss=net.loss)


def _is_gate(node: tm.Apply) -> bool:
    low, high = interval(node, Recurrence(()))
    return bool(low >= 0.0 and high <= 1.0)


# ---------------------------------------------------------------- words


def _setting(
    setups: Mapping[str, Setup], inputs: Mapping[str, Any], sizes: Mapping[str, int], seed: int, steps: int
) -> str:
    sequences = {n for s in setups.values() for n in s.net.inputs if isinstance(s.net.leaves[n], tm.At)}
    given = [f"{n} ({', '.join(map(str, np.shape(a)[1:]))})" for n, a in inputs.items() if n in sequences]
    parts = [f"{steps} steps of {', '.join(given)}, the same for all" if given else f"{steps} steps"]
    parts += [", ".join(f"{n} {w}" for n, w in sizes.items())] if sizes else []
    drawn = [s for s in setups.values() if s.params is None]
    if drawn:
        alike = all(s.scheme == drawn[0].scheme and not s.roles for s in drawn)
        parts.append(f"weights: {drawn[0].scheme if alike else 'as each label says'}, seed {seed}")
    if len(drawn) < len(setups):
        parts.append(f"weights given: {', '.join(n for n, s in setups.items() if s.params is not None)}")
    return "; ".join(parts)


def _words(row: Mapping[str, Any], steps: int) -> tuple[str, ...]:
    error = f" ± {row['error']:.4f}" if row["error"] else ""
    half = f"{row['half_life']:.3g}" if row["half_life"] < LONG else "–"
    memory = f"> {steps}" if row["memory"] is None else str(row["memory"])
    bound = f"{row['bound']:.4g}" if np.isfinite(row["bound"]) else "none"
    return row["label"], row["kind"], f"{row['rate']:+.4f}{error}", half, memory, bound, _gates(row["gates"]) or "–"


def _gates(means: Mapping[str, float]) -> str:
    return ", ".join(f"{n} {m:.3f}" for n, m in means.items())


def text_table(table: list[tuple[str, ...]]) -> str:
    """Columns side by side, the first to the left."""
    sizes = [max(map(len, column)) for column in zip(*table, strict=True)]
    lines = []
    for first, *rest in table:
        words = [first.ljust(sizes[0]), *(w.rjust(n) for w, n in zip(rest, sizes[1:], strict=True))]
        lines.append("  ".join(words).rstrip())
    return "\n".join(lines)


def html_table(table: list[tuple[str, ...]]) -> str:
    """The same for notebooks; the first row is the head."""
    rows = [
        "".join(f"<{tag}>{html.escape(word)}</{tag}>" for word in row)
        for tag, row in zip(["th"] + ["td"] * len(table), table, strict=False)
    ]
    return "<table>" + "".join(f"<tr>{row}</tr>" for row in rows) + "</table>"
