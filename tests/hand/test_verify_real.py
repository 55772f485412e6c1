"""Verdicts on programs in the styles of real code: right ones pass, of wrong ones the mistake is named."""

from __future__ import annotations

import pytest

from rnnderive.hand.verify import verify
from tests.hand.real.case import Case
from tests.hand.test_callables_real import CASES

SAID = {
    "batch_last": "the path −dh * n has the wrong sign",
    "columns_ax": "dW_i is computed from delta_f[t]",
    "float32_kernel": "every gradient is T, the number of steps, times",
    "global_arrays": "dU: h[t] stands where h[t−1] belongs",
    "jagged": "dU: overwritten by every sequence of the batch instead of accumulated: only the last one is left",
    "keras_like": "only the last step",
    "object_attributes": "the path delta_o * p_o is missing",
    "per_step_lists": "the derivative of tanh is taken at the activated value",
    "row_lstm_fused": "dC: the factor f[t+1] is missing",
    "single_step": "dC: the path dh * o(1 − tanh(C)²) is missing",
    "time_in_the_middle": "the factor r(1 − r) is missing",
    "torch_like": "truncated after 3 steps",
}


def verdict(case: Case, fn):
    upstream = case.upstream or None
    return verify(case.net, fn, layout=case.layout, upstream=upstream, T=case.T, batch=case.batch, **case.options)


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_right_programs_are_right(case: Case):
    found = verdict(case, case.right)
    assert found.ok and found.backward_ok and found.forward_ok, str(found)
    assert not found.diagnosis and not found.problems


@pytest.mark.parametrize("name", CASES)
def test_wrong_programs_are_wrong_and_the_mistake_is_named(name: str):
    case = CASES[name]
    found = verdict(case, case.wrong)
    assert not found.ok and found.backward_ok is False and found.forward_ok
    assert set(found.wrong) == case.bad
    assert {m.kind for m in found.diagnosis} == {case.kind}
    assert SAID[name] in str(found.diagnosis)
