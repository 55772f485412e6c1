"""A fragment with a quantity that it does not define: what is said, and that the example in it works."""

from __future__ import annotations

import re

import pytest

import rnnderive as rd
from rnnderive.hand import missing

NET = rd.Recurrence.parse(missing.NETWORK.replace(", L", "\nL"))


@pytest.mark.parametrize(
    ("fragment", "example"),
    [
        ("dU = sum(delta[t] @ h[t-1].T, t)", missing.EQUATIONS),
        ("dU = sum(dh[t] @ h[t-1].T, t)", missing.EQUATIONS),  # near the name h, and yet no slip of the pen
        (r"\frac{\partial L}{\partial U} = \sum_t \delta^t (h^{t-1})^\top", missing.LATEX),
        (r"\frac{\partial L}{\partial U} = \sum_t \delta_h^t (h^{t-1})^\top", missing.LATEX),
        (r"\frac{\partial L}{\partial U_{ij}} = \sum_t \delta_i^t h_j^{t-1}", missing.LATEX),
        (r"\delta^t = \frac{\partial L}{\partial h^{t}}", missing.LATEX),
    ],
)
def test_an_undefined_delta_is_told_with_an_example_that_is_right(fragment: str, example: tuple[str, str]) -> None:
    with pytest.raises(rd.LanguageError, match="a δ is not filled in: give its equation") as caught:
        rd.verify(NET, fragment)
    found = re.search("as (.*) beside (.*) for h", str(caught.value))
    assert found is not None and found.groups() == example
    assert rd.verify(NET, "\n".join(example)).ok


def test_a_slip_of_the_pen_is_told_by_the_name_that_was_meant() -> None:
    net = rd.cells.vanilla()
    with pytest.raises(rd.LanguageError, match=r"target_ is defined nowhere; did you mean target\?") as caught:
        rd.verify(net, "dV = sum(target_ @ h[t].T, t)")
    assert "δ" not in str(caught.value)


def test_a_gradient_of_another_shape_alone_is_wrong_not_a_crash() -> None:
    text = r"\frac{\partial L}{\partial U} = \sum_t \frac{\partial L}{\partial h^t} (h^{t-1})^\top"
    verdict = rd.verify(rd.cells.vanilla(), text)
    assert not verdict.ok
    assert not verdict.arrays["U"].ok
