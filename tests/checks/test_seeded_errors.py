"""The checks can fail: every rule and every slope is broken once, and a rung must notice."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import pytest

import rnnderive as rd
from rnnderive.calculus import RULES
from rnnderive.calculus.linear import Linear
from rnnderive.checks import brute_force, check
from rnnderive.language import FUNCTIONS, Recurrence
from rnnderive.language import terms as tm
from rnnderive.language.terms import Term
from tests.checks.nets import with_function

LOOP = "h[t] = tanh(W @ x[t] + U @ h[t-1])"
USES = {
    tm.Apply: f"{LOOP}\nL = squared_error(h[T], target)",
    tm.Plus: f"{LOOP}\nL = squared_error(h[T], target)",
    tm.Times: "h[t] = sigmoid(W @ x[t]) * tanh(U @ h[t-1])\nL = squared_error(h[T], target)",
    tm.Power: "h[t] = tanh(W @ x[t] + (U @ h[t-1])**3)\nL = squared_error(h[T], target)",
    tm.Product: f"{LOOP}\nL = squared_error(h[T], target)",
    tm.Transpose: "h[t] = tanh(W @ x[t] + U.T @ h[t-1])\nL = squared_error(h[T], target)",
    tm.Stack: "h[t] = tanh(W @ [h[t-1], x[t]])\nL = squared_error(h[T], target)",
    tm.Block: "h[t] = tanh((W @ [h[t-1], x[t]])[0:3])\nL = squared_error(h[T], target)",
    tm.Where: "h[t] = tanh(W @ x[t] + (U @ h[t-1] if t >= 2 else 0))\nL = squared_error(h[T], target)",
    tm.SumEntries: f"{LOOP}\nL = sum(h[T])",
    tm.BatchSum: f"{LOOP}\nL = sum(squared_error(h[T], target), batch)",
    tm.Softmax: "h[t] = softmax(W @ x[t] + U @ h[t-1])\nL = squared_error(h[T], target)",
    tm.LogSoftmax: "h[t] = log_softmax(W @ x[t] + U @ h[t-1])\nL = squared_error(h[T], target)",
    tm.LayerNorm: "h[t] = layer_norm(W @ x[t] + U @ h[t-1])\nL = squared_error(h[T], target)",
    tm.SquaredError: f"{LOOP}\nL = squared_error(h[T], target)",
    tm.CrossEntropy: f"{LOOP}\nL = cross_entropy(h[T], target)",
    tm.BinaryCrossEntropy: f"{LOOP}\nL = binary_cross_entropy(h[T], target)",
    tm.LogLoss: f"{LOOP}\nL = log_loss(sigmoid(h[T]), target)",
}


@dataclass(frozen=True)
class _Wrong(Linear):
    """A linear map times a number that it should not have."""

    right: Linear
    by: int

    def push(self, tangent: Term) -> Term:
        return tm.times(tm.Number(self.by), self.right.push(tangent))

    def pull(self, cotangent: Term) -> Term:
        return self.right.pull(tm.times(tm.Number(self.by), cotangent))

    def columns(self, jacobian: Term) -> Term:
        return tm.times(tm.Number(self.by), self.right.columns(jacobian))


def _wrong(rule: Callable[[Term, Term, int], Linear], by: int) -> Callable[[Term, Term, int], Linear]:
    return lambda e, y, k: _Wrong(rule(e, y, k), by)


def _network(kind: type[Term]) -> Recurrence:
    if kind is tm.InverseStd:  # it comes up in the derivative of a layer norm
        once = rd.derive("h[t] = layer_norm(W @ x[t])\nL = squared_error(h[T], target)", ["W"])
        return once.tangent
    return Recurrence.parse(USES[kind])


@pytest.mark.parametrize("kind", list(RULES), ids=lambda kind: kind.__name__)
def test_the_rules_hold(kind: type[Term]) -> None:
    net = _network(kind)
    assert check(net, rungs="complex")
    assert brute_force(rd.derive(net))


@pytest.mark.parametrize("by", [-1, 2])
@pytest.mark.parametrize("kind", list(RULES), ids=lambda kind: kind.__name__)
def test_a_wrong_rule_is_noticed(kind: type[Term], by: int, monkeypatch: pytest.MonkeyPatch) -> None:
    net = _network(kind)
    monkeypatch.setitem(RULES, kind, _wrong(RULES[kind], by))
    ladder = check(net, rungs="complex")
    assert not ladder, f"\n{ladder}"
    assert ladder["gradient"].ok is False
    assert ladder["gradient"].note.startswith("d")
    assert brute_force(rd.derive(net)).bad.startswith("d")


@pytest.mark.parametrize("name", list(FUNCTIONS))
def test_a_wrong_slope_is_noticed(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    net = with_function(name)
    assert check(net, rungs="complex")
    right = FUNCTIONS[name]
    wrong = replace(right, slope=lambda x, y: 2 * right.slope(x, y) + (name in ("step", "sign")))
    monkeypatch.setitem(FUNCTIONS, name, wrong)
    ladder = check(net, rungs=["complex", "contributions", "differences"])
    assert [r.ok for r in ladder] == [False] * 4, f"\n{ladder}"


def test_a_missing_path_is_noticed_where_gradients_vanish() -> None:
    """A truncated gradient passed off as the whole one: comparing every entry finds it."""
    net = rd.cells.vanilla()
    cut = rd.derive(net, truncate=4)
    whole = rd.derive(net)
    object.__setattr__(cut, "truncate", None)
    assert whole.pulled is not cut.pulled
    fake = rd.derive(net)
    fake.__dict__["pulled"] = rd.calculus.truncated(whole.pulled, 4)
    ladder = check(fake, rungs=["identity", "complex", "duality", "rtrl"])
    failed = {r.rung for r in ladder.failures}
    assert {"adjoint", "gradient", "gradient of a batch", "gradient, forward mode"} <= failed


def test_a_transposed_weight_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    from rnnderive.calculus.linear import Left

    monkeypatch.setattr(Left, "pull", lambda self, g: tm.product(self.a, g) if _square(self.a) else _pull(self, g))
    net = rd.cells.vanilla()
    assert not check(net, rungs="complex")
    assert not brute_force(rd.derive(net))


def _square(term: Term) -> bool:
    return bool(term.shape[0] == term.shape[1] and not term.is_scalar)


def _pull(self: Linear, g: Term) -> Term:
    return tm.product(self.a.T, g)  # type: ignore[attr-defined]
