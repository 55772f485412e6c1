r"""What the project prints in LaTeX, for every cell of the library, it reads back and finds right."""

from __future__ import annotations

import pytest

import rnnderive as rd
from rnnderive import printing as pr
from rnnderive.cli.derive import _chain, _components, _jacobians, _steps
from rnnderive.hand.latex import read_latex
from rnnderive.hand.problem import Problem


def read_back(lines, problem, T=None):
    """All lines in one text."""
    text = " \\\\\n".join(pr.latex(line.math) for line in lines)
    found = read_latex(text, problem, T=T).verdicts(problem)
    assert len(found) == len(lines) and all(found.values()), {n: str(v) for n, v in found.items() if not v}


@pytest.fixture(scope="module", params=rd.cells.LIBRARY)
def problem(request):
    return Problem(rd.cells.LIBRARY[request.param]())


@pytest.mark.parametrize("T", [3, rd.T])
def test_a_derivation_line_by_line_and_its_chain(problem, T):
    d, wrt = problem.derivation, problem.net.parameters[0]
    T = 2 if T == 3 and len(problem.net.equations) > 10 else T  # a layer more is read as these are
    lines = [*_steps(d, wrt, T, None, False).lines, *_chain(d, wrt, T, None).lines]
    read_back(lines, problem, None if T == rd.T else T)


def test_local_jacobians_and_components(problem):
    d = problem.derivation
    jacobians = _jacobians(d).lines
    if jacobians:
        read_back(jacobians, problem)
    read_back(_components(d, problem.net.parameters[0]).lines, problem)


def test_the_adjoint_of_a_batch_and_a_truncated_one_too(problem):
    for d in (problem.derivation, rd.derive(problem.net, truncate=2)):
        asked = problem if d is problem.derivation else Problem(problem.net, window=2)
        text = " \\\\\n".join(pr.latex(e.math(d.adjoint.notation)) for e in d.pulled.backward)
        found = read_latex(text, asked).verdicts(asked)
        assert found and all(found.values())


@pytest.mark.parametrize("cell", ["gru", "lstm"])
def test_the_components_of_every_parameter(cell):
    problem = Problem(rd.cells.LIBRARY[cell]())
    for wrt in problem.net.parameters:
        read_back(_components(problem.derivation, wrt).lines, problem)


def test_components_whose_index_is_a_sum_of_sizes():
    problem = Problem(rd.Recurrence.parse("h[t] = tanh(W @ [h[t-1], x[t], v[t]])\nL = sum(h[T])"))
    (first, *_) = lines = _components(problem.derivation, "W").lines
    assert pr.text(first.math).endswith(
        "{δ_{h, i}^t h_j^{t-1} if j ≤ n_h; δ_{h, i}^t x_{j - n_h}^t if j ≤ n_h + n_x; "
        "δ_{h, i}^t v_{j - n_h - n_x}^t if j > n_h + n_x}"
    )
    assert r"x_{j - n_{h}}^{t} & j \le n_{h} + n_{x} \\" in pr.latex(first.math)
    assert "x_(j - n_(h))^(t) & j <= n_(h) + n_(x), " in pr.typst(first.math)
    minus = "<mrow><mi>j</mi><mo>−</mo><msub><mi>n</mi><mi>h</mi></msub></mrow>"
    assert f"<msubsup><mi>x</mi>{minus}<mi>t</mi></msubsup>" in pr.mathml(first.math)
    read_back(lines, problem)
    x = Problem(rd.Recurrence.parse("h[t] = tanh(b + W @ [h[t-1], x[t]])\nx[t] = tanh(c + V @ u[t])\nL = sum(h[T])"))
    lines = _components(x.derivation, "V").lines
    assert pr.text(lines[2].math) == "dL/dx_i^t = δ_{h_2, i + n_h}^t"
    read_back(lines, x)
