"""No formula leaves the page: every formula of every cell is set, and the ink on the pages is looked at."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from rnnderive import cells, derive
from rnnderive import printing as pr
from rnnderive import report as rp
from rnnderive.derivation import Derivation
from rnnderive.errors import RnnDeriveError
from rnnderive.language import terms as tm
from tests.report import pages, tools

SMALLEST = 5.4  # points: scripts of scripts of an 11 pt text, so that nothing was scaled down to fit


def formulas(d: Derivation, wrt: list[str], T: int) -> Iterator[rp.Equation | rp.Aligned | rp.Steps]:
    """The chain, its steps, the components, and every Jacobian and the adjoint."""
    note, other = d.net.notation, d.adjoint.notation
    for name in wrt:
        left = pr.derivative(pr.name_math("L"), d.net.leaf(name).math(note))
        yield rp.Aligned([(left, d.chain(name, T).math(note))])
        yield rp.Steps([rp.Step(s.number, "rule", s.math(note), "✓ exact") for s in d.steps(name, T)])
        try:
            yield rp.Aligned([(left, d.chain(name).math(note))])
        except RnnDeriveError:  # a state read at several lags has no product of one factor a step
            continue
        for line in d.components(name):
            yield rp.Equation(line.math())
    yield rp.Aligned([(e.left.math(other), e.right.math(other)) for e in d.pulled.backward])
    states = [n for n in d.net.sequences if n in {s for stage in d.net.schedule for s in stage.names
                                                  if stage.direction != "all"}]  # fmt: skip
    for v in states:
        for u in states:
            jacobian = d.jacobian(v, u)
            if not jacobian.is_null:
                before = tm.At(u, tm.t - 1, *d.net.shape(u)).math(note)
                left = pr.derivative(d.net.leaf(v).math(note), before, "partial")
                yield rp.Aligned([(left, jacobian.math(note))])


@cache
def book(T: int) -> rp.Document:
    """Every formula of every cell, of the first parameter of its loop."""
    sections = []
    for name, make in cells.LIBRARY.items():
        d = derive(make())
        sections.append(rp.Section(name, list(formulas(d, list(d.net.parameters)[:1], T))))
    return rp.Document("Formulas", sections)


@pytest.mark.parametrize("engine", ["typst", "tex"])
@pytest.mark.parametrize("T", [3, pytest.param(12, marks=pytest.mark.slow)])
def test_every_formula_of_every_cell_stays_on_the_page(engine: str, T: int, tmp_path: Path) -> None:
    if engine == "tex":
        tools.need_tex()
    report = rp.build(book(T), tmp_path, engine=engine)
    assert report.warnings == ()
    assert pages.outside(report.pdf) == []
    assert min(pages.sizes(report.pdf)) >= SMALLEST
