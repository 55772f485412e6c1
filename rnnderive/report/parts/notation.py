"""How the formulas are to be read: names with their shapes, the layout of derivatives, the signs."""

from __future__ import annotations

from collections.abc import Sequence

import sympy as sp

from rnnderive import printing as pr
from rnnderive.language import terms as tm
from rnnderive.report import document as doc
from rnnderive.report.parts.case import Case

__all__ = ["conventions", "names", "notation"]


def notation(case: Case) -> list[doc.Section]:
    """Names, shapes, layout convention."""
    return [case.section("notation.title", [names(case), conventions(case)])]


def names(case: Case) -> doc.Table:
    """Every name that comes from outside or is computed, what it is, its shape, and its size in the worked numbers."""
    net = case.net
    kinds = {
        "input": net.inputs,
        "parameter": net.parameters,
        "initial": net.initial_states,
        "step": net.sequences,
        "once": tuple(e.name for e in net.equations if not e.timed),
    }
    given = {n: v for part in case.numbers for n, v in part.items()}
    sizes = _sizes(case, given)
    rows: list[list[doc.Text]] = []
    for kind, found in kinds.items():
        for name in found:
            shape = [tm.dimension_math(s) for s in net.shape(name)]
            small = [pr.Numeral(str(sp.sympify(s).subs(sizes))) for s in net.shape(name)]
            rows.append([case.formula(name), case.words(f"notation.{kind}"), _times(shape), _times(small)])
    head = [case.words(f"notation.{k}") for k in ("name", "what", "shape", "here")]
    return doc.Table(head, rows, case.words("notation.caption"), "llll", label="notation")


def _times(sizes: Sequence[pr.Math]) -> doc.Formula:
    return doc.Formula(pr.Row((sizes[0], pr.Symbol("times"), sizes[1])))


def _sizes(case: Case, given: dict[str, object]) -> dict[sp.Symbol, int]:
    """The symbolic sizes in the numbers that are worked with."""
    from rnnderive.weights.sizes import solved

    return dict(solved(case.net, {n: v.shape for n, v in given.items() if n in case.net.parameters}))  # type: ignore[attr-defined]


def conventions(case: Case) -> doc.Bullets:
    """Time, layout, the three derivatives, the elementwise product."""
    state, parameter = pr.Letter("h"), pr.Letter("W")
    here = pr.with_index(state, pr.Letter("t"))
    before = pr.with_index(state, pr.Infix(("", "-"), (pr.Letter("t"), pr.Numeral("1")), pr.SUM))
    at = pr.with_index(state, pr.name_math(next(case.net.free_letters("klmn"))))
    return doc.Bullets(
        [
            case.words("notation.time"),
            case.words("notation.layout", example=doc.Formula(pr.derivative(here, before, "partial"))),
            case.words("notation.total", example=doc.Formula(pr.derivative(at, parameter))),
            case.words("notation.immediate", example=doc.Formula(pr.derivative(at, parameter, "partial+"))),
            case.words("notation.signs", odot=doc.Formula(pr.Symbol("odot")), kron=doc.Formula(pr.Symbol("kron")),
                       top=doc.Formula(pr.Symbol("top")), norm=doc.Formula(pr.Fenced(pr.Symbol("cdot"), "‖"))),
        ]
    )  # fmt: skip
