"""Widths are estimated well enough, and broken formulas keep all their parts."""

from __future__ import annotations

import json
import sys

import pytest
import typst

from rnnderive import printing as pr
from rnnderive.report import extent, fit

formulas = sys.modules["report_formulas"]
ALL = {**formulas.CELLS, **formulas.WIDE}


@pytest.fixture(scope="module")
def measured() -> dict[str, float]:
    """Widths in em, as Typst sets them."""
    asked = ",\n".join(f"measure($ {pr.typst(math)} $).width / 10pt" for math in ALL.values())
    source = (
        '#set text(font: "New Computer Modern", size: 10pt)\n#set page(width: 3000cm)\n'
        '#show math.equation: set text(font: "New Computer Modern Math", weight: 400)\n'
        f"#context [#metadata(({asked},)) <w>]"
    )
    widths = json.loads(typst.query(source.encode(), "<w>", field="value", one=True, ignore_system_fonts=True))
    return dict(zip(ALL, widths, strict=True))


@pytest.mark.parametrize("name", ALL)
def test_width_is_estimated_within_a_tenth_and_rarely_too_small(name: str, measured: dict[str, float]) -> None:
    ratio = extent.width(ALL[name]) / measured[name]
    assert 0.96 < ratio < 1.25


@pytest.mark.parametrize("name", formulas.WIDE)
@pytest.mark.parametrize("room", [20.0, 35.0])
def test_lines_fit_where_a_break_is_possible(name: str, room: float) -> None:
    shown = fit.display([(None, formulas.WIDE[name])], room)
    widest = max((left.width if left else 0) + right.width for left, right in shown.rows)
    assert name == "matrix" or widest <= room


def _words(piece: object) -> str:
    match piece:
        case fit.Sign(name):
            return pr.text(pr.Symbol(name)) if name not in {"+", "=", "-", ","} else name
        case fit.Delimiter():
            scripts = "".join(pr.text(s) for s in (piece.sub, piece.sup) if s)
            return piece.glyph + scripts
        case pr.Math():
            return pr.text(piece)
    raise TypeError(piece)


@pytest.mark.parametrize("name", sorted(set(formulas.WIDE) - {"fraction"}))
def test_breaking_loses_no_part(name: str) -> None:
    math = formulas.WIDE[name]
    parts = [p for left, right in fit.display([(None, math)], 25.0).rows for line in (left, right) if line
             for p in line.pieces]  # fmt: skip
    broken = "".join(map(_words, parts))
    strip = str.maketrans("", "", " ·^{}_")
    assert broken.translate(strip) == pr.text(math).translate(strip)


def test_outer_signs_break_before_inner_ones() -> None:
    short = formulas.total([formulas.chain(3)] * 2)
    math = formulas.total([pr.Call(pr.Letter("f"), (short,))] * 6)
    for line in fit.lines(math, 22.0)[1:]:
        assert line.pieces[0] == fit.Sign("+")
        assert not any(isinstance(p, fit.Delimiter) for p in line.pieces)


NUMBERS = pr.Grid(tuple(tuple(pr.Numeral(f"0.{r}{k}") for k in range(1, 7)) for r in (1, 2)))


def test_a_matrix_of_numbers_wider_than_the_line_is_the_transpose_of_a_high_one() -> None:
    (line,) = fit.lines(NUMBERS, 12.0)
    assert line.pieces == (pr.Script(pr.Grid(tuple(zip(*NUMBERS.rows, strict=True))), None, pr.Symbol("top")),)
    assert line.width <= 12.0


def test_a_matrix_of_matrices_is_not_transposed_block_by_block() -> None:
    blocks = pr.Grid(((pr.Letter("W"), *NUMBERS.rows[0][1:]), NUMBERS.rows[1]))
    assert fit.lines(blocks, 12.0)[0].pieces == (blocks,)


def test_a_matrix_without_room_beside_its_name_stands_beneath_it() -> None:
    room = extent.width(NUMBERS) + 3.0
    shown = fit.display([(pr.Word("gradients"), NUMBERS)], room)
    assert [left for left, _ in shown.rows] == [None, None]
    assert shown.rows[1][1].pieces[1] == NUMBERS


def test_a_very_high_display_is_split_for_the_page() -> None:
    shown = fit.display([(None, formulas.ENDLESS)], 35.0)
    parts = fit.pages(shown)
    assert len(parts) > 3
    assert sum((p.rows for p in parts), ()) == shown.rows
    assert max(p.height for p in parts) < 24
