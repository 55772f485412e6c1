"""Programs in the styles of real code: what the reader claims is what the calculus says, but for the mistake."""

from __future__ import annotations

import importlib
import pkgutil

import numpy as np
import pytest

from rnnderive.hand.callables import read_callable
from tests.hand import real
from tests.hand.real.case import Case

NAMES = [m.name for m in pkgutil.iter_modules(real.__path__) if m.name != "case"]
CASES: dict[str, Case] = {n: importlib.import_module(f"tests.hand.real.{n}").CASE for n in NAMES}


def errors(case: Case, fn):
    """Name → largest error of its claimed gradient, relative to the largest entry."""
    problem = case.problem
    code = read_callable(fn, problem, layout=case.layout, **case.options)
    at = code.at(problem, batch=case.batch)
    claims, run = code.claims(problem, at), problem.run(at)
    out = {}
    for name, claimed in claims.grads.items():
        expected = np.asarray(run[problem.gradients[name]])
        assert np.shape(claimed) == expected.shape
        out[name] = float(np.abs(claimed - expected).max() / np.abs(expected).max())
    return out, claims, code, at


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_claims_of_a_right_program_are_the_adjoint(case: Case):
    found, claims, code, at = errors(case, case.right)
    assert claims.problems == () and claims.remarks == code.remarks
    near = 1e-5 if case.options.get("dtype") == np.float32 else 1e-10
    assert set(found) >= case.bad and max(found.values()) <= near
    parameters = set(case.problem.net.parameters)
    assert parameters <= set(found)
    assert np.isclose(claims.loss, case.problem.run(at)[case.problem.net.loss].sum(), rtol=near)


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_claims_of_a_wrong_program_differ_where_the_mistake_is(case: Case):
    found, claims, *_ = errors(case, case.wrong)
    assert claims.problems == ()
    assert {n for n, e in found.items() if e > 1e-4} == case.bad


@pytest.mark.parametrize("name", ["columns_ax", "float32_kernel", "jagged", "single_step", "torch_like"])
def test_the_gradient_of_its_own_forward_is_the_adjoint(name: str):
    """Entry by entry, whatever its backward says; test_verify_real asks every style for the verdict."""
    case = CASES[name]
    problem = case.problem
    code = read_callable(case.wrong, problem, layout=case.layout, **case.options)
    at = code.at(problem, batch=case.batch)
    own, run = code.own_gradient(problem, at), problem.run(at)
    loss = abs(float(run[problem.net.loss].sum()))
    near, noise = (2e-3, 1e-4 * loss) if case.options.get("dtype") == np.float32 else (1e-8, 0.0)
    for name, slope in own.items():
        expected = np.asarray(run[problem.gradients[name]])
        assert np.abs(slope - expected).max() <= near * np.abs(expected).max() + noise, name
