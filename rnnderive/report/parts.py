"""Sections that any cell's report is made of; each is computed from a derivation, none is written by hand."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import sympy as sp

from rnnderive import printing as pr
from rnnderive.calculus import Step, first_order
from rnnderive.checks import check, check_steps
from rnnderive.derivation import Derivation
from rnnderive.errors import RnnDeriveError
from rnnderive.language import Recurrence
from rnnderive.language import terms as tm
from rnnderive.report import document as doc
from rnnderive.report import figures

__all__ = [
    "adjoint_section",
    "any_length_section",
    "code_section",
    "component_section",
    "derivation_steps",
    "equations",
    "footer",
    "jacobian_section",
    "loops",
    "model_section",
    "notation_table",
    "numbers_section",
    "verification_section",
]


def _math(net: Recurrence, term: tm.Term) -> pr.Math:
    return term.math(net.notation)


def _row(*items: pr.Math) -> pr.Math:
    return pr.Row(tuple(items))


def equations(net: Recurrence, names: Iterable[str] | None = None, label: str | None = None) -> doc.Aligned:
    """The equations of a recurrence, aligned."""
    wanted = [e for e in net.equations if names is None or e.name in set(names)]
    return doc.Aligned([(_math(net, e.left), _math(net, e.right)) for e in wanted], label)


def notation_table(net: Recurrence) -> doc.Table:
    """Every name that comes from outside or is computed, what it is, and its shape."""
    kinds = [
        ("input", [n for n in net.inputs]),
        ("parameter", list(net.parameters)),
        ("initial state", list(net.initial_states)),
        ("computed at every step", list(net.sequences)),
        ("computed once", [e.name for e in net.equations if not e.timed]),
    ]
    rows: list[list[doc.Text]] = []
    for kind, names in kinds:
        for n in names:
            rows_, columns = (tm.dimension_math(s) for s in net.shape(n))
            shape = _row(rows_, pr.Symbol("times"), columns)
            rows.append([doc.Formula(_math(net, net.leaf(n))), kind, doc.Formula(shape)])
    return doc.Table(["Name", "What it is", "Shape"], rows, "Notation: names and shapes (rows × columns).", "lll")


def conventions() -> doc.Bullets:
    """How the formulas are to be read."""
    h, w = pr.Letter("h"), pr.Letter("W")
    hk = pr.with_index(h, pr.Letter("k"))
    total, immediate = pr.derivative(hk, w, "d"), pr.derivative(hk, w, "partial+")
    before = pr.with_index(h, pr.Infix(("", "-"), (pr.Letter("t"), pr.Numeral("1")), pr.SUM))
    step = pr.derivative(pr.with_index(h, pr.Letter("t")), before, "partial")
    return doc.Bullets(
        [
            "A superscript is the time step, counted from 1; what lies outside 1..T is the initial state.",
            [
                "Numerator layout: ",
                doc.Formula(step),
                " has one row for each entry above and one column for each entry below; a matrix below the line counts "
                "as vec, its columns one under the other.",
            ],
            [doc.Formula(total), " is the total derivative: all the ways in which the parameter acts."],
            [
                doc.Formula(immediate),
                " is the immediate partial: the parameter's own appearance at step k, the state before held fixed.",
            ],
            [doc.Formula(pr.Symbol("odot")), " is the elementwise product, diag(v) the diagonal matrix of a vector."],
        ]
    )


def loops(d: Derivation) -> list[tuple[tuple[str, ...], int]]:
    """The states of each loop, and the lag at which they are read."""
    groups = d.graph(d.net.parameters[0]).groups if d.net.parameters else []
    return [(g.names, 1 if g.direction == "forward" else -1) for g in groups if g.direction != "all"]


def model_section(net: Recurrence, title: str = "The model", T: int = 3) -> doc.Section:
    """Equations, notation and the unrolled graph."""
    graph = doc.Figure(
        lambda: figures.unrolled_graph(net, T),
        f"The network unrolled over {T} steps. An arrow leads from what is read to what reads it.",
        f"Graph of the network unrolled over {T} steps",
    )
    return doc.Section(title, [equations(net), notation_table(net), conventions(), graph])


def _rule(net: Recurrence, step: Step) -> list[doc.Inline]:
    """A step's rule as words and inline formulas."""
    return [step.rule]


_WORDS = {"field": "exact", "complex step": "complex step"}


def derivation_steps(d: Derivation, wrt: str, T: Any) -> doc.Steps:
    """The derivation line by line, with its rules and the marks of the exact check."""
    marks = check_steps(d, wrt, T)
    return doc.Steps(
        [
            doc.Step(
                m.step.number, _rule(d.net, m.step), m.step.math(d.net.notation), f"{'✓' if m else '✗'} {_WORDS[m.by]}"
            )
            for m in marks
        ]
    )


def any_length_section(d: Derivation, wrt: Sequence[str]) -> doc.Section:
    """The gradient for any T, as a sum over steps of products of Jacobians."""
    blocks: list[Any] = []
    for name in wrt:
        left = pr.derivative(pr.name_math(d.net.loss or "L"), _math(d.net, d.net.leaf(name)))
        try:
            right = _math(d.net, d.chain(name))
        except RnnDeriveError as error:  # a state read at several lags has no product of one factor a step
            blocks.append(doc.Paragraph("For ", doc.Formula(_math(d.net, d.net.leaf(name))), f": {error}."))
            continue
        blocks.append(doc.Equation(pr.Infix(("", "="), (left, right), pr.RELATION)))
    return doc.Section("Any number of steps", blocks)


def jacobian_section(d: Derivation, title: str = "Jacobians of the states") -> doc.Section:
    """Local Jacobians of every loop's states, and the blocks of a cell with several."""
    d = replace(d, net=first_order(d.net))
    blocks: list[Any] = []
    for states, lag in loops(d):
        for v in states:
            for u in states:
                j = d.jacobian(v, u, lag)
                if j.is_null:
                    continue
                over, under = d.net.leaf(v), tm.At(u, tm.t - lag, *d.net.shape(u))
                left = pr.derivative(_math(d.net, over), _math(d.net, under), "partial")
                blocks.append(doc.Equation(pr.Infix(("", "="), (left, _math(d.net, j)), pr.RELATION)))
        if len(states) > 1:
            blocks.append(_block_jacobian(d, states, lag))
    if not blocks:
        blocks = [doc.Paragraph("No state is carried from step to step.")]
    return doc.Section(title, blocks)


def _block_jacobian(d: Derivation, states: tuple[str, ...], lag: int) -> doc.Equation:
    """The state's Jacobian as blocks, each by its derivative."""
    rows = []
    for v in states:
        row: list[pr.Math] = []
        for u in states:
            before = tm.At(u, tm.t - lag, *d.net.shape(u))
            row.append(pr.derivative(_math(d.net, d.net.leaf(v)), _math(d.net, before), "partial"))
        rows.append(tuple(row))
    s = pr.Letter("s")
    index = tm.index_math(tm.t - lag)
    left = pr.derivative(pr.with_index(s, pr.Letter("t")), pr.with_index(s, index), "partial")
    names = ", ".join(states)
    note = f"The state of this cell is s = [{names}]; a product of such blocks is the sum over all paths through them."
    return doc.Equation(pr.Infix(("", "="), (left, pr.Grid(tuple(rows))), pr.RELATION), note=note)


def adjoint_section(d: Derivation) -> doc.Section:
    """The BPTT recurrence that the generated program runs."""
    net = d.adjoint
    rows = [(_math(net, e.left), _math(net, e.right)) for e in d.pulled.backward]
    words = doc.Paragraph(
        "Differentiating every equation once gives another recurrence, which runs the other way in time. A ",
        doc.Formula(pr.Letter("delta")),
        " is the derivative of the loss in what an activation is applied to; beyond the last step all of it is zero.",
    )
    return doc.Section("The adjoint recurrence (back-propagation through time)", [words, doc.Aligned(rows)])


def component_section(d: Derivation, wrt: str) -> doc.Section:
    """The gradient of one parameter in index notation."""
    rows = []
    for c in d.components(wrt):
        relation = c.math()
        assert isinstance(relation, pr.Infix)
        rows.append((relation.items[0], relation.items[1]))
    return doc.Section(f"In components: {wrt}", [doc.Aligned(rows)])


def verification_section(d: Derivation, seed: int = 0) -> doc.Section:
    """The ladder of checks, run."""
    ladder = check(d, seed=seed)
    rows = [
        [
            r.rung,
            r.method,
            str(r.count),
            r.tolerance,
            "" if r.error is None else doc.Formula(number_math(r.error, 2)),
            f"left out: {r.note}" if r.ok is None else "✓ holds" if r.ok else f"✗ fails: {r.note}",
        ]
        for r in ladder.rows
    ]
    words = (
        "Each rung is checked by one that shares no code with it, at a nonzero initial state and with all sizes different. "
        "No automatic differentiation takes part."
    )
    header = ["Rung", "Checked by", "Compared", "Tolerance", "Largest error", "Verdict"]
    table = doc.Table(header, rows, "The ladder of checks, run for this report.", "llrlrl")
    return doc.Section("Verification", [doc.Paragraph(words), table])


def code_section(d: Derivation) -> doc.Section:
    """The generated program."""
    words = "The gradient as NumPy source, generated from the adjoint recurrence; above each line stands its equation."
    return doc.Section("The program", [doc.Paragraph(words), doc.Listing(d.source())])


# ---------------------------------------------------------------- numbers


def number_math(value: float, digits: int = 4) -> pr.Math:
    """A number with a few digits, in the notation of formulas."""
    if value == 0 or not np.isfinite(value):
        return pr.Numeral("0" if value == 0 else str(value))
    exponent = int(np.floor(np.log10(abs(value))))
    if -4 < exponent < 5:
        return _signed(f"{value:.{digits}g}")
    mantissa = f"{value / 10.0**exponent:.{digits - 1}f}"
    power = pr.Script(pr.Numeral("10"), None, _signed(str(exponent)))
    return pr.Row((_signed(mantissa), pr.Symbol("cdot"), power))


def _signed(words: str) -> pr.Math:
    if words.startswith("-"):
        return pr.Infix(("-",), (pr.Numeral(words[1:]),), pr.SUM)
    return pr.Numeral(words)


def array_math(array: Any) -> pr.Math:
    """A number, a vector as a column, a matrix as a grid of numbers."""
    array = np.atleast_1d(np.asarray(array))
    if array.size == 1:
        return number_math(float(array.ravel()[0]))
    rows = array[:, None] if array.ndim == 1 else array
    return pr.Grid(tuple(tuple(number_math(float(v)) for v in row) for row in rows))


def numbers_section(
    d: Derivation, params: Mapping[str, Any], inputs: Mapping[str, Any], wrt: str, T: int, title: str = "Worked numbers"
) -> doc.Section:
    """States, factors, the terms of one gradient and their sum, in numbers that can be followed by hand."""
    net = d.net
    run = d.forward(params, inputs)
    loss, grads = d.lambdify()(params, inputs)
    blocks: list[Any] = [doc.Paragraph("Parameters and inputs:")]
    given = {**params, **inputs}
    blocks.append(
        doc.Aligned([(_math(net, net.leaf(n)), array_math(v)) for n, v in given.items() if _timeless(net, n)])
    )
    blocks.append(doc.Paragraph("Forward, step by step:"))
    rows = []
    for step in range(1, T + 1):
        for n in [*(n for n in net.inputs if not _timeless(net, n)), *net.sequences]:
            value = given[n][step - 1] if n in given else run[n][step - 1]
            rows.append((tm.At(n, step, *net.shape(n)).math(net.notation), array_math(value)))
    for n in [e.name for e in net.equations if not e.timed]:
        rows.append((_math(net, net.leaf(n)), array_math(run[n])))
    blocks.append(doc.Aligned(rows))
    blocks += _term_blocks(d, params, inputs, wrt, T, grads[wrt])
    left = pr.derivative(pr.name_math(net.loss or "L"), _math(net, net.leaf(wrt)))
    blocks.append(
        doc.Paragraph(f"Their sum is the gradient that the program returns, with the loss {float(loss):.6g}:")
    )
    blocks.append(doc.Equation(pr.Infix(("", "="), (left, array_math(grads[wrt])), pr.RELATION)))
    return doc.Section(title, blocks)


def _timeless(net: Recurrence, name: str) -> bool:
    return not isinstance(net.leaves.get(name), tm.At)


def _term_blocks(
    d: Derivation, params: Mapping[str, Any], inputs: Mapping[str, Any], wrt: str, T: int, gradient: Any
) -> list[Any]:
    """The table of the chain's terms; its last row is their sum, the gradient."""
    net = d.net
    terms = d.terms(wrt, T, params, inputs)
    total = sum(value for _, value in terms)
    assert np.allclose(total, gradient, rtol=1e-10, atol=1e-14)
    whole = sum(float(np.linalg.norm(v)) for _, v in terms) or 1.0
    rows: list[list[Any]] = []
    for k, (term, value) in enumerate(terms, 1):
        norm = float(np.linalg.norm(value))
        rows.append(
            [str(k), doc.Formula(_math(net, term)), doc.Formula(number_math(norm)), f"{100 * norm / whole:.1f} %"]
        )
    rows.append(["", "sum: the gradient", doc.Formula(number_math(float(np.linalg.norm(total)))), ""])
    caption = "The terms of the gradient: factors, Euclidean norm, and share of the sum of norms."
    values = [(_math(net, term), array_math(value)) for term, value in terms]
    return [
        doc.Table(["Term", "Factors", "Norm", "Share"], rows, caption, "llrr"),
        doc.Paragraph("In numbers, in the shape of the parameter:"),
        doc.Aligned(values),
    ]


def footer(command: str, seed: int | None = None, sizes: Mapping[str, int] | None = None) -> list[str]:
    """Version, seed, sizes and the command that rebuilds the report."""
    from rnnderive import __version__

    lines = [f"rnnderive {__version__}; SymPy {sp.__version__} derives, float64."]
    if seed is not None:
        lines.append(f"Weights: numpy.random.default_rng({seed}).")
    if sizes:
        lines.append("Sizes: " + ", ".join(f"{k} = {v}" for k, v in sizes.items()) + ".")
    lines.append(f"Rebuild: {command}")
    return lines
