"""Points at which recurrences are tried."""

from __future__ import annotations

import pytest

from rnnderive.checks.points import sizes_for
from rnnderive.language import Recurrence

# The bias has the size 2 n_x − n_A: what is left of a stack.
DIFFERENCE = """
    h[t] = tanh(U @ h[t-1] + B @ [x[t], x[t]] + B @ [A @ x[t], b])
    L    = sum(h[T])
"""


@pytest.mark.parametrize("taken", [(), (3, 1), (2, 3, 4)])
def test_a_size_that_is_a_difference_is_positive(taken: tuple[int, ...]) -> None:
    net = Recurrence.parse(DIFFERENCE)
    sizes = sizes_for(net, taken)
    assert any(s.is_Add for s in net.shape("b"))
    assert all(s.subs(sizes) >= 1 for n in net.leaves for s in net.shape(n))
