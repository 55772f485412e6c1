"""The paths of a gradient: from the loss back through the states to the parameter, every arrow numbered."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from rnnderive import printing as pr
from rnnderive.calculus import Graph
from rnnderive.calculus.nodes import Node
from rnnderive.printing.style import CM, TINTS, WIDTH_CM, style
from rnnderive.report.figures.unrolled import below_centre, draw_node, radius_for
from rnnderive.report.languages import Words, load

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["gradient_graph"]

KINDS = ("head", "time", "immediate", "between")  # by tint
DASHES: tuple[Any, ...] = ("-", (0, (5, 2)), (0, (1.2, 1.6)), (0, (5, 1.5, 1.2, 1.5)))
ROW, TOP, BOTTOM = 1.9, "loss", "parameter"
Place = tuple[float, float]


class Arrow(Protocol):
    """What is drawn: see :class:`rnnderive.report.parts.tints.Edge`."""

    @property
    def source(self) -> Node | None: ...
    @property
    def target(self) -> Node | None: ...
    @property
    def tint(self) -> int: ...
    @property
    def number(self) -> int: ...


def gradient_graph(graph: Graph, edges: Sequence[Arrow], words: Words | None = None) -> Figure:
    """Draw the paths along which a derivative flows.

    One column a step and one row a state, the loss on top and the parameter below.  Colour and
    dashes tell the kinds of factors apart, the numbers the factors.

    Parameters
    ----------
    graph : Graph
        Of one derivative, over a number of steps.
    edges : sequence
        Its factors, each with source, target, tint and number.
    words : Words, optional
        Of the legend; English unless given.
    """
    from matplotlib.figure import Figure

    places, gap = _places(graph, edges)
    high = max(y for _, y in places.values()) + 2.3
    right = max(x for x, _ in places.values())
    with style():
        figure = Figure(figsize=(WIDTH_CM * CM, high * CM))
        axes = figure.add_axes((0, 0, 1, 1))
        axes.set(xlim=(right / 2 - WIDTH_CM / 2, right / 2 + WIDTH_CM / 2), ylim=(-1.5, high - 1.5), aspect="equal")
        axes.axis("off")
        for edge in edges:
            _draw(axes, edge, places, radius_for(gap))
        for key, place in places.items():
            draw_node(axes, _label(graph, key), place, _shape(key), radius_for(gap))
        _legend(axes, edges, words or load("en"))
    return figure


def _places(graph: Graph, edges: Sequence[Arrow]) -> tuple[dict[Any, Place], float]:
    """Where every node stands, and how far the columns are apart."""
    nodes = list(dict.fromkeys(n for e in edges for n in (e.source, e.target) if n is not None))
    groups = [g for g in graph.groups if any(n.group == g for n in nodes)]
    steps = sorted({int(n.step) for n in nodes if n.step is not None})
    gap = min(3.6, (WIDTH_CM - 4.0) / max(1, len(steps) - 1))
    columns = {k: gap * i for i, k in enumerate(steps)}
    middle = sum(columns.values()) / len(columns) if columns else 0.0
    places: dict[Any, Place] = {}
    for n in nodes:
        x = middle if n.step is None else columns[int(n.step)]
        places[n] = (x, ROW * (1 + groups.index(n.group)))
    heads = [places[e.target][0] for e in edges if e.source is None and e.target is not None]
    ends = [places[e.source][0] for e in edges if e.target is None and e.source is not None]
    places[TOP] = (sum(heads) / len(heads) if heads else middle, ROW * (1 + len(groups)))
    places[BOTTOM] = (sum(ends) / len(ends) if ends else middle, 0.0)
    return places, gap


def _label(graph: Graph, key: Any) -> pr.Math:
    notation = graph.net.notation
    if key == TOP:
        return graph.of.math(notation)
    if key == BOTTOM:
        return graph.wrt.math(notation)
    return graph.label(key).math(notation)


def _shape(key: Any) -> str:
    return {TOP: "loss", BOTTOM: "parameter"}.get(key, "state") if isinstance(key, str) else "state"


def _draw(axes: Axes, edge: Arrow, places: Mapping[Any, Place], radius: float) -> None:
    from matplotlib.patches import FancyArrowPatch

    (x0, y0), (x1, y1) = places[edge.source or TOP], places[edge.target or BOTTOM]
    tint, points = TINTS[edge.tint % len(TINTS)], 72 * CM * (radius + 0.06)
    bend = _bend((x0, y0), (x1, y1))
    axes.add_patch(
        FancyArrowPatch(
            (x0, y0), (x1, y1), arrowstyle="-|>", mutation_scale=10, shrinkA=points, shrinkB=points, zorder=1,
            color=tint, linestyle=DASHES[edge.tint % len(DASHES)], linewidth=1.6,
            connectionstyle=f"arc3,rad={bend:.3f}",
        )
    )  # fmt: skip
    # The middle of a quadratic arc lies half of rad times the distance beside the chord.
    x = (x0 + x1) / 2 + bend * (y1 - y0) / 2
    y = (y0 + y1) / 2 - bend * (x1 - x0) / 2
    circle = {"boxstyle": "circle,pad=0.22", "facecolor": "white", "edgecolor": tint, "linewidth": 0.9}
    axes.text(
        x,
        y,
        str(edge.number),
        ha="center",
        va="center",
        fontsize=min(8, 18 * radius),
        color=tint,
        bbox=circle,
        zorder=4,
    )


def _bend(start: Place, end: Place) -> float:
    """How much an arrow is bent, so that it does not run over a node between its ends."""
    (x0, y0), (x1, y1) = start, end
    distance = math.hypot(x1 - x0, y1 - y0)
    beside = abs(x1 - x0) < 1e-9 and abs(y1 - y0) > 1.5 * ROW
    return 2 * 1.1 / distance if beside else 0.0


def _legend(axes: Axes, edges: Sequence[Arrow], words: Words) -> None:
    from matplotlib.lines import Line2D

    used = sorted({e.tint for e in edges})
    lines = [Line2D([], [], color=TINTS[k], linestyle=DASHES[k], linewidth=1.6) for k in used]
    labels = [words.label(f"figure.{KINDS[k]}") for k in used]
    below_centre(axes, lines, labels, handlelength=2.6)
