"""The model: its equations, and the graph of who reads whom, drawn from them."""

from __future__ import annotations

from collections.abc import Iterable

from rnnderive.language import Recurrence
from rnnderive.report import document as doc
from rnnderive.report import figures
from rnnderive.report.parts.case import Case

__all__ = ["equations", "model", "unrolled"]


def model(case: Case) -> list[doc.Section]:
    """Equations and the unrolled graph."""
    return [case.section("model.title", [case.say("model.intro"), equations(case.net, label="model"), unrolled(case)])]


def equations(net: Recurrence, names: Iterable[str] | None = None, label: str | None = None) -> doc.Aligned:
    """The equations of a recurrence, aligned."""
    wanted = None if names is None else set(names)
    shown = [e for e in net.equations if wanted is None or e.name in wanted]
    return doc.Aligned([(e.left.math(net.notation), e.right.math(net.notation)) for e in shown], label)


def unrolled(case: Case, label: str | None = None) -> doc.Figure:
    """Who reads whom over the steps, forward and backward in time."""
    graph = figures.unroll(case.net, case.T)
    hidden = [e.name for e in case.net.equations if e.name not in (*graph.kept, case.net.loss)]
    caption = case.words("model.graph", T=case.T)
    if hidden:
        caption = (*caption, " ", *case.words("model.hidden", names=case.listed(hidden)))
    return doc.Figure(
        lambda: figures.unrolled_graph(case.net, case.T, words=case.words),
        caption,
        doc.plain(case.words("model.graph_alt", T=case.T, count=len(graph.arrows))),
        label=label,
    )
