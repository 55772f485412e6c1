"""The unrolled graph: who reads whom over the steps, drawn from the recurrence."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rnnderive import printing as pr
from rnnderive.errors import InputError
from rnnderive.language import Recurrence, T, Term, t
from rnnderive.language.terms import At, Parameter, TimeSum
from rnnderive.printing.style import CM, COLOURS, WIDTH_CM, style
from rnnderive.report.extent import width
from rnnderive.report.figures.signs import mathtext
from rnnderive.report.languages import Words, load

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["Arrow", "Node", "Unrolled", "below_centre", "draw_node", "radius_for", "unroll", "unrolled_graph"]

Node = tuple[str, int]  # a sequence at a step; the loss stands at step 0


@dataclass(frozen=True)
class Arrow:
    """Who is read by whom in the unrolled graph."""

    source: Node
    target: Node


@dataclass(frozen=True)
class Unrolled:
    """The graph over the steps 1..T, after hiding the sequences that are not `kept`."""

    inputs: tuple[str, ...]
    kept: tuple[str, ...]
    loss: str | None
    arrows: tuple[Arrow, ...]
    steps: int


def unroll(net: Recurrence, steps: int, collapse: bool | None = None) -> Unrolled:
    """The graph of reads over `steps` steps.

    Parameters
    ----------
    net : Recurrence
        Any system with sequences.
    steps : int
        Number of columns.
    collapse : bool, optional
        Keep only states (read across time) and what the loss reads; an arrow then also stands for
        a read through hidden sequences.  By default when there are more than four sequences.
    """
    if steps < 1:
        raise InputError(f"T={steps} steps cannot be drawn; expected at least 1")
    if not net.sequences:
        raise InputError("there is nothing to unroll: no equation has a time index")
    order = [n for stage in net.schedule for n in stage.names if n in net.sequences]
    hide = len(order) > 4 if collapse is None else collapse
    kept = tuple(n for n in order if not hide or n in _worth_showing(net, steps))
    timed = {n for n, leaf in net.leaves.items() if isinstance(leaf, At)}
    # What only the loss reads, such as a sequence of targets, is left out, as a bare target is.
    read = {r.name for n in net.sequences for r in net.reads(n)}
    inputs = tuple(n for n in net.inputs if n in timed and n in read)
    shown = {*kept, *inputs}
    arrows: dict[Arrow, None] = {}
    for k in range(1, steps + 1):
        for name in kept:
            for source in _sources(net, name, k, steps, shown):
                arrows.setdefault(Arrow(source, (name, k)))
    if net.loss is not None:
        for source in _sources(net, net.loss, 0, steps, shown):
            arrows.setdefault(Arrow(source, (net.loss, 0)))
    return Unrolled(inputs, kept, net.loss, tuple(arrows), steps)


def _worth_showing(net: Recurrence, steps: int) -> set[str]:
    states = {r.name for n in net.sequences for r in net.reads(n) if r.lag not in (None, 0)}
    read = {n for n, _ in _sources(net, net.loss, 0, steps, set(net.sequences))} if net.loss else set()
    return (states | read) & set(net.sequences) or set(net.sequences)


def _sources(net: Recurrence, name: str, step: int, steps: int, shown: set[str]) -> list[Node]:
    """The shown nodes that a node reads, at once or through hidden ones."""
    found: dict[Node, None] = {}
    done: set[Node] = set()

    def visit(name: str, step: int) -> None:
        if (name, step) in done or name not in net:
            return
        done.add((name, step))
        for other, at in _reads(net[name].right, step, steps):
            if other in shown:
                found.setdefault((other, at))
            elif (at == 0 and other not in net.sequences) or 1 <= at <= steps:
                visit(other, at)

    visit(name, step)
    return list(found)


def _reads(term: Term, step: int, steps: int) -> Iterator[Node]:
    """Names and steps in a term at a step; a timeless name has the step 0."""
    match term:
        case At():
            yield term.name, int(term.index.subs({t: step, T: steps}))
        case Parameter():
            yield term.name, 0
        case TimeSum():
            for k in range(1, steps + 1):
                yield from _reads(term.args[0], k, steps)
        case _:
            for part in term.terms:
                yield from _reads(part, step, steps)


_KINDS = {  # edge colour, fill, shape
    "input": (COLOURS[0], "#e3eef7", "square"),
    "state": (COLOURS[1], "#fbe9df", "circle"),
    "other": ("#555555", "#f4f4f4", "circle"),
    "initial": ("#999999", "#ffffff", "circle"),
    "loss": ("#000000", "#ffffff", "diamond"),
    "parameter": (COLOURS[2], "#e2f2ec", "square"),
}
_ARROWS: dict[str, dict[str, Any]] = {
    "same_step": {"color": "#666666", "linestyle": "-", "linewidth": 0.9},
    "from_past": {"color": COLOURS[1], "linestyle": "-", "linewidth": 1.6},
    "from_future": {"color": COLOURS[3], "linestyle": (0, (4, 1.6)), "linewidth": 1.6},
}
_RADIUS, _ROW = 0.45, 1.3  # cm


def radius_for(gap: float) -> float:
    """Of the nodes, in cm: smaller where columns stand close, so that an arrow between them is seen."""
    return min(_RADIUS, 0.3 * gap)


def unrolled_graph(net: Recurrence, T: int = 3, collapse: bool | None = None, words: Words | None = None) -> Figure:
    """Draw who reads whom over `T` steps.

    One column a step and one row a sequence, in the order of computation from the bottom up;
    the inputs are at the bottom and the loss on top.  Thick arrows cross time.

    Parameters
    ----------
    net : Recurrence
        Any network: stacked, bidirectional, with gates.
    T : int
        Number of steps.
    collapse : bool, optional
        Hide gates: see :func:`unroll`.
    words : Words, optional
        Of the legend; English unless given.

    Returns
    -------
    matplotlib.figure.Figure
        16 cm wide.
    """
    from matplotlib.figure import Figure

    graph = unroll(net, T, collapse)
    rows = {name: k for k, name in enumerate((*graph.inputs, *graph.kept))}
    nodes = dict.fromkeys((name, k) for name in rows for k in range(1, T + 1))
    nodes.update(dict.fromkeys(a.source for a in graph.arrows))
    columns = sorted({k for _, k in nodes})
    gap = min(3.4, (WIDTH_CM - 3.6) / max(1, columns[-1] - columns[0]))
    places = {(n, k): (gap * (k - columns[0]), _ROW * rows[n]) for n, k in nodes}
    if graph.loss is not None:
        read = [places[a.source][0] for a in graph.arrows if a.target == (graph.loss, 0)]
        places[graph.loss, 0] = (sum(read) / len(read) if read else 0.0, _ROW * len(rows))
    high = max(y for _, y in places.values()) + 2.5
    with style():
        figure = Figure(figsize=(WIDTH_CM * CM, high * CM))
        axes = figure.add_axes((0, 0, 1, 1))
        middle = gap * (columns[-1] - columns[0]) / 2
        axes.set(xlim=(middle - WIDTH_CM / 2, middle + WIDTH_CM / 2), ylim=(-1.7, high - 1.7), aspect="equal")
        axes.axis("off")
        for arrow in graph.arrows:
            _draw_arrow(axes, arrow, places, radius_for(gap))
        states = {a.source[0] for a in graph.arrows if a.target[1] and a.source[1] != a.target[1]}
        for node, place in places.items():
            draw_node(axes, _label(node, graph), place, _kind(node, graph, states), radius_for(gap))
        _legend(axes, graph, states, words or load("en"))
    return figure


def _kind(node: Node, graph: Unrolled, states: set[str]) -> str:
    name, step = node
    if (name, step) == (graph.loss, 0):
        return "loss"
    if not 1 <= step <= graph.steps:
        return "initial"
    return "input" if name in graph.inputs else "state" if name in states else "other"


def _time(arrow: Arrow) -> str:
    before, after = arrow.source[1], arrow.target[1]
    if after == 0 or before == after:
        return "same_step"
    return "from_past" if before < after else "from_future"


def _draw_arrow(axes: Axes, arrow: Arrow, places: Mapping[Node, tuple[float, float]], radius: float) -> None:
    from matplotlib.patches import FancyArrowPatch

    (x0, y0), (x1, y1) = places[arrow.source], places[arrow.target]
    points = 72 * CM * (radius + 0.05)
    axes.add_patch(
        FancyArrowPatch(
            (x0, y0), (x1, y1), arrowstyle="-|>", mutation_scale=9, shrinkA=points, shrinkB=points, zorder=1,
            connectionstyle=f"arc3,rad={_bend(arrow, (x0, y0), (x1, y1)):.3f}", **_ARROWS[_time(arrow)],
        )
    )  # fmt: skip


def _bend(arrow: Arrow, start: tuple[float, float], end: tuple[float, float]) -> float:
    """How much an arrow is bent, so that it does not run over a node between its ends."""
    (x0, y0), (x1, y1) = start, end
    distance = math.hypot(x1 - x0, y1 - y0)
    beside = abs(x1 - x0) < 1e-9 and abs(y1 - y0) > 1.5 * _ROW
    jumps = abs(y1 - y0) < 1e-9 and abs(arrow.source[1] - arrow.target[1]) > 1
    if not (beside or jumps):
        return 0.0
    # The bulge of an arc3 is half of rad times the distance.
    bulge = 1.0 + 0.12 * distance / _ROW
    return (2 * bulge / distance) * (1 if beside else -1)


def _label(node: Node, graph: Unrolled) -> pr.Math:
    name = pr.name_math(node[0])
    return name if node == (graph.loss, 0) else pr.with_index(name, pr.Numeral(str(node[1])))


def draw_node(axes: Axes, label: pr.Math, place: tuple[float, float], kind: str, radius: float) -> None:
    """A node of a graph: ``input``, ``state``, ``other``, ``initial``, ``loss`` or ``parameter``."""
    from matplotlib.patches import Circle, Patch, Rectangle, RegularPolygon

    edge, fill, shape = _KINDS[kind]
    look: dict[str, Any] = {"edgecolor": edge, "facecolor": fill, "linewidth": 1.1, "zorder": 2}
    if kind == "initial":
        look["linestyle"] = "--"
    x, y = place
    patch: Patch
    if shape == "square":
        patch = Rectangle((x - 0.9 * radius, y - 0.9 * radius), 1.8 * radius, 1.8 * radius, **look)
    elif shape == "diamond":
        patch = RegularPolygon((x, y), 4, radius=1.2 * radius, **look)
    else:
        patch = Circle((x, y), radius, **look)
    axes.add_patch(patch)
    room = 1.55 * radius / (0.0353 * width(label, "text"))  # points that fill the node
    axes.text(x, y, mathtext(label), ha="center", va="center_baseline", fontsize=min(12, room), zorder=3)


def _legend(axes: Axes, graph: Unrolled, states: set[str], words: Words) -> None:
    from matplotlib.lines import Line2D

    used = {_time(a) for a in graph.arrows}
    entries = [(k, Line2D([], [], **look)) for k, look in _ARROWS.items() if k in used]
    markers = {"square": "s", "circle": "o", "diamond": "D"}
    kinds = {_kind((n, k), graph, states) for n in (*graph.inputs, *graph.kept) for k in range(1, graph.steps + 1)}
    for kind, (edge, fill, shape) in _KINDS.items():
        if kind in kinds and kind != "other":
            dot = Line2D([], [], linestyle="", marker=markers[shape], color=fill, markeredgecolor=edge, markersize=8)
            entries.append((kind, dot))
    labels = [words.label(f"figure.{name}") for name, _ in entries]
    below_centre(axes, [sign for _, sign in entries], labels, handlelength=2.2)


def below_centre(axes: Axes, signs: Sequence[Any], labels: Sequence[str], **look: Any) -> None:
    """A legend at the foot, on one line, or on two where one is wider than the picture."""
    for columns in (len(labels), (len(labels) + 1) // 2):
        legend = axes.legend(
            signs, labels, loc="lower center", ncols=columns, bbox_to_anchor=(0.5, 0.0), columnspacing=1.6, **look
        )
        axes.figure.draw_without_rendering()  # type: ignore[union-attr]
        if legend.get_window_extent().width < axes.bbox.width:
            return
