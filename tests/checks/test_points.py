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

# b has the size 2 n_z − 3 n_x, e the size 2 n_w − 3 n_z: what makes room for b takes it from e.
CHAINED = """
    h[t] = tanh(U @ h[t-1] + D @ [w[t], w[t]] + D @ [z[t], z[t], z[t], e]
                + B @ [z[t], z[t]] + B @ [x[t], x[t], x[t], b])
    L    = sum(h[T])
"""


@pytest.mark.parametrize("same", [False, True])
@pytest.mark.parametrize("taken", [(), (3, 1), (2, 3, 4)])
@pytest.mark.parametrize("text", [DIFFERENCE, CHAINED])
def test_a_size_that_is_a_difference_is_positive(text: str, taken: tuple[int, ...], same: bool) -> None:
    net = Recurrence.parse(text)
    sizes = sizes_for(net, taken, same=same)
    assert any(s.is_Add for s in net.shape("b"))
    assert all(s.subs(sizes) >= 1 for n in net.leaves for s in net.shape(n))
