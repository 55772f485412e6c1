"""Row 17: an LSTM whose gates do along a sentence what the lecture says they should.

Three units, each with one thing to remember: the subject, the phrase being read, and whether a
participle clause is open.  The weights are set by hand, not learned; the run, the gates and the
gradient are those of the generated program.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from rnnderive import cells
from rnnderive.derivation import derive
from rnnderive.language import Recurrence

__all__ = ["ROLES", "UNITS", "Reading", "reading"]

UNITS = ("subject", "phrase", "clause")
# What each word is, in the order of the lecture's sentence; the words themselves are in the catalogue.
ROLES = (
    "subject", "preposition", "governed", "preposition", "attribute", "governed", "preposition", "governed", "comma",
    "relative", "other", "other", "preposition", "governed", "attribute", "governed", "other", "governed", "other",
    "comma", "predicate", "preposition", "governed",
)  # fmt: skip
KINDS = tuple(dict.fromkeys(ROLES))
S, P, C = range(3)
ON, OFF = 12.0, -12.0


@dataclass(frozen=True, eq=False)
class Reading:
    """A run over the sentence.

    Attributes
    ----------
    gates : dict
        f, i, o and C by name, (words, units).
    arriving : array
        log10 ‖dL/dx^k‖ for a loss that reads the subject at the predicate, words up to it.
    """

    gates: dict[str, Any]
    arriving: Any


def reading() -> Reading:
    """Run the network, and send the gradient of the predicate's output back to every word."""
    net = cells.lstm()
    params, x = _weights(net), np.eye(len(KINDS))[[KINDS.index(r) for r in ROLES]]
    course = derive(net).forward(params, {"x": x, "target": np.zeros(1)})
    until = ROLES.index("predicate") + 1
    _, found = derive(net).lambdify(("x",))(params, {"x": x[:until], "target": np.zeros(1)})
    with np.errstate(divide="ignore"):
        arriving = np.log10(np.linalg.norm(found["x"], axis=1))
    return Reading({n: course[n] for n in ("f", "i", "o", "C")}, arriving)


def _weights(net: Recurrence) -> dict[str, Any]:
    """Rows are units; the columns are h^{t-1} and then what kind of word stands there."""
    n = len(UNITS)
    W = {name: np.zeros((n, n + len(KINDS))) for name in ("W_f", "W_i", "W_C", "W_o")}
    b = {"b_f": np.full(n, 8.0), "b_i": np.full(n, -6.0), "b_C": np.zeros(n), "b_o": np.array([-6.0, -6.0, 8.0])}

    def when(kind: str) -> int:
        return n + KINDS.index(kind)

    # Written when they are read; an attribute and a preposition say different things of the phrase.
    for unit, kind, sign in ((S, "subject", 1), (P, "attribute", 1), (P, "preposition", -1), (C, "comma", 1)):
        W["W_i"][unit, when(kind)] = ON
        W["W_C"][unit, when(kind)] = 2.0 * sign
    # Both begin something new: what was kept of the last phrase is forgotten.
    for kind in ("attribute", "preposition"):
        W["W_f"][P, when(kind)] = 2 * OFF
    # The first comma opens the clause; at the second h^{t-1} knows that it is open, and it is closed.
    b["b_f"][C] = 14.0
    W["W_f"][C, when("comma")], W["W_f"][C, C] = -18.0, -8.0
    W["W_i"][C, C] = -24.0
    # Let out where a form has to agree with it.
    for unit, kind in ((P, "governed"), (S, "relative"), (S, "predicate")):
        W["W_o"][unit, when(kind)] = ON
    readout = {"W_y": np.array([[4.0, 0.0, 0.0]]), "b_y": np.zeros(1)}
    return {**W, **b, **readout}
