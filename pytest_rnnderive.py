"""pytest's fixture ``verify_derivation``: a hand derivation as a test.

A module beside the package, not in it: pytest loads every plugin when it starts, and importing the package means
importing SymPy.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from rnnderive.hand.verdict import Verdict

__all__ = ["verify_derivation"]


@pytest.fixture(scope="session")  # it keeps nothing, so that fixtures of any scope, and Hypothesis, can use it
def verify_derivation() -> Callable[..., Verdict]:
    """Assert that a hand derivation is right: takes what ``rnnderive.verify`` takes, and returns its verdict.

    When it is wrong the assertion's message is the whole verdict: what is wrong, the diagnosis, the
    correct equation, and the smallest case that shows it.
    """

    def verified(net: Any, hand: Any, **options: Any) -> Verdict:
        __tracebackhide__ = True  # the failure is at the line that asked
        from rnnderive.hand.verify import verify

        verdict = verify(net, hand, **options)
        if not verdict:
            raise AssertionError(str(verdict))
        return verdict

    return verified
