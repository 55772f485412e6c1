"""Networks that nobody wrote by hand climb the ladder."""

from __future__ import annotations

from hypothesis import HealthCheck, Phase, given, settings

from rnnderive import RnnDeriveError, derive
from rnnderive.checks import check, check_steps
from rnnderive.language import Recurrence
from tests.strategies import recurrences

FIXED = settings(
    max_examples=12,
    deadline=None,
    derandomize=True,
    phases=(Phase.generate,),
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
RUNGS = ["identity", "complex", "contributions", "duality", "rtrl"]


@FIXED
@given(recurrences(kinks=True, depth=2))
def test_a_random_network_climbs_the_ladder(net: Recurrence) -> None:
    ladder = check(net, rungs=RUNGS)
    assert not ladder.failures, f"\n{net}\n{ladder}"


@FIXED
@given(recurrences(depth=1))
def test_derivations_of_random_networks_are_true_line_by_line(net: Recurrence) -> None:
    d = derive(net)
    for T in (2, None):
        wrt = d.wrt[0]
        try:
            marks = check_steps(d, wrt, T) if T else check_steps(d, wrt)
        except RnnDeriveError as error:
            assert "as an integer" in str(error) or "paths" in str(error) or "test point" in str(error)
            continue
        assert all(marks), f"\n{net}\n" + "\n".join(map(str, marks))
