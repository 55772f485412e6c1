"""Every claim of theory holds for what the package measures and can be said; each row of the references is there.

The quick form of each topic; in the slow tests, the sizes of the report as well (two minutes).
"""

from __future__ import annotations

import numpy as np
import pytest

from rnnderive.chains.theory import TOPICS, Claim
from rnnderive.report import languages
from rnnderive.report.chains_claims import claim_table

FULL = pytest.param(False, marks=pytest.mark.slow)

ROWS = {
    "bounds": {"pascanu", "transient", "irnn", "orthogonal"},
    "wall": {"wall", "fold"},
    "attractors": {"hochreiter", "latch"},
    "random products": {"newman", "saxe", "product", "singular"},
    "mean field": {"tanh", "clark", "driven", "critical"},
    "gates": {"path", "forget", "chrono", "rest", "mingru"},
    "greff": {"greff"},
    "sensitivity": {"zucchet"},
    "truncation": {"truncated"},
    "checkpointing": {"revolve"},
    "precision": {"long", "slope", "contributions", "testing"},
}


@pytest.mark.parametrize("quick", [True, FULL], ids=["quick", "full"])
@pytest.mark.parametrize("topic", TOPICS)
def test_measurement_is_what_theory_says(topic: str, quick: bool) -> None:
    claims = list(TOPICS[topic](quick))
    broken = [
        f"{c.row}.{c.says} {dict(c.values)}: {c.theory} expected, {c.measured} measured" for c in claims if not c.holds
    ]
    assert not broken, "\n".join(broken)
    assert {c.row for c in claims} == ROWS[topic]
    assert len({(c.row, c.says, str(dict(c.values))) for c in claims}) == len(claims), "two claims say the same"
    for words in map(languages.load, languages.available()):  # each claim and source is a sentence there
        tables = [claim_table(words, row, [c for c in claims if c.row == row]) for row in ROWS[topic]]
        assert sum(len(table.rows) for table in tables) == len(claims)


def test_a_claim_is_no_tautology() -> None:
    def claim(theory: float, measured: float, **more: object) -> Claim:
        return Claim("row", "sentence", theory, measured, 1e-3, "source", **more)  # type: ignore[arg-type]

    assert claim(1.0, 1.0009).holds and not claim(1.0, 1.0011).holds and not claim(1.0, 0.99).holds
    assert claim(1e6, 1e6 + 900, relative=True).holds and not claim(1e6, 1e6 + 1100, relative=True).holds
    assert claim(1.0, -5.0, relation="≤").holds and not claim(1.0, 1.1, relation="≤").holds
    assert claim(1.0, 5.0, relation="≥").holds and not claim(1.0, 0.9, relation="≥").holds
    assert claim(-np.inf, -np.inf).holds and not claim(-np.inf, -700.0).holds
    assert not claim(1.0, np.nan).holds and not claim(np.nan, 1.0, relation="≤").holds
    assert not claim(0.0, np.inf).holds and claim(0.0, np.inf, relation="≥").holds
