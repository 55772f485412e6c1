"""The fixture ``verify_derivation``: a wrong derivation is a failing test that says what is wrong."""

from __future__ import annotations

import re
from importlib.metadata import entry_points
from pathlib import Path

import pytest

import rnnderive.hand.verify  # noqa: F401  pytester forgets what is loaded inside a run, and NumPy loads but once

ROOT = Path(__file__).parents[2]
pytest_plugins = ["pytester"]

CELL = '''
import numpy as np
import pytest
import rnnderive as rd

NET = rd.Recurrence.parse("""
    h[t] = tanh(W @ x[t] + U @ h[t-1])
    L    = squared_error(h[T], target)
""")

def loss_and_grads(params, inputs, slip=0):
    W, U, x = params["W"], params["U"], inputs["x"]
    h = [params["h0"]]
    for x_t in x:
        h.append(np.tanh(W @ x_t + U @ h[-1]))
    dW, dU, dh = np.zeros_like(W), np.zeros_like(U), h[-1] - inputs["target"]
    for t in range(len(x), 0, -1):
        delta = dh * (1 - h[t] ** 2)
        dW += np.outer(delta, x[t - 1])
        dU += np.outer(delta, h[t - 1 + slip])
        dh = U.T @ delta
    return ((h[-1] - inputs["target"]) ** 2).sum() / 2, {"W": dW, "U": dU, "h0": dh}

def slipped(params, inputs):
    return loss_and_grads(params, inputs, slip=1)
'''
RIGHT = """
def test_right(verify_derivation):
    verdict = verify_derivation(NET, loss_and_grads)
    assert verdict.arrays["U"].ok
"""
WRONG = """
def test_wrong(verify_derivation):
    verify_derivation(NET, slipped)
"""


@pytest.mark.parametrize("options", [(), ("-n", "1")], ids=["plain", "xdist"])
def test_a_right_one_passes_and_a_wrong_one_fails_with_the_whole_verdict(pytester, options):
    pytester.makepyfile(CELL + RIGHT + WRONG)
    found = pytester.runpytest("-p", "no:cacheprovider", *options)
    found.assert_outcomes(passed=1, failed=1)
    told = found.stdout.str()
    for line in (
        "AssertionError: WRONG: 1 of 3 gradients",
        "1. The backward does not match its own forward.",
        "2. The forward matches the declared cell.",
        "4. Diagnosis: dU: h[t] stands where h[t−1] belongs",
        "   wrong:   dU = sum(delta_h[t] @ h[t].T, t, batch)",
        "   correct: dU = sum(delta_h[t] @ h[t-1].T, t, batch)",
        "5. Smallest case that shows it, with T = 1",
    ):
        assert line in told
    assert "verify_derivation(NET, slipped)" in told  # the line that asked
    assert "def verified" not in told  # and not ours


def test_the_fixture_is_for_fixtures_of_any_scope_and_takes_formulas(pytester):
    pytester.makepyfile(
        CELL
        + '''
HAND = """
    e[t]     = (h[T] - target if t == T else 0)
    delta[t] = (e[t] + U.T @ delta[t+1]) * (1 - h[t]**2)
    dU       = sum(delta[t] @ h[t-1].T, t)
"""

@pytest.fixture(scope="module")
def verdict(verify_derivation):
    return verify_derivation(NET, HAND)

def test_formulas(verdict):
    assert verdict.method == "by exact identity"
'''
    )
    pytester.runpytest("-p", "no:cacheprovider").assert_outcomes(passed=1)


def test_the_example_of_the_documents_fails_as_they_say(pytester):
    page = (ROOT / "docs" / "verify.md").read_text("utf-8")
    (example,) = re.findall(r"^```python\n(import .*?)^```", page, re.M | re.S)
    (shown,) = re.findall(r"^```text\n(E .*?)^```", page, re.M | re.S)
    pytester.makepyfile(elman=(ROOT / "examples" / "by_hand" / "elman.py").read_text("utf-8"), test_example=example)
    found = pytester.runpytest("-p", "no:cacheprovider")
    found.assert_outcomes(failed=1)
    for line in shown.splitlines():
        assert line in found.stdout.str() or line.strip() == "…"


def test_pytest_starts_without_loading_the_package(pytester):
    pytester.makepyfile(
        """
        import sys

        def test_not_loaded(pytestconfig):
            assert "pytest_rnnderive" in sys.modules
            assert not {"rnnderive", "sympy", "numpy"} & set(sys.modules)
        """
    )
    pytester.runpytest_subprocess("-p", "no:cacheprovider", "-p", "no:hypothesispytest").assert_outcomes(passed=1)


def test_the_entry_point_is_that_module_and_pytest_lists_the_fixture(pytester):
    assert {e.value for e in entry_points(group="pytest11") if e.name == "rnnderive"} == {"pytest_rnnderive"}
    pytester.runpytest("--fixtures").stdout.fnmatch_lines(
        ["verify_derivation [[]session scope[]]*", "*Assert that a hand derivation is right*"]
    )
