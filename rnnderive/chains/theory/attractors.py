"""One unit's memory: how strong its chain can be (Hochreiter), and when it latches (Bengio)."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache

import numpy as np
import sympy as sp

from rnnderive.chains.products import Array
from rnnderive.chains.theory.claim import Claim
from rnnderive.chains.theory.nets import derivation, jacobians
from rnnderive.language import FUNCTIONS

__all__ = ["claims", "hochreiter", "latch_threshold", "settled"]

HOCHREITER = "hochreiter"
BENGIO = "latch"
UNIT = "u: input\nh[t] = sigmoid(u * h[t-1])\nL = sum(h[T])"
LATCH = "g: input\na[t] = w * tanh(a[t-1]) + g\nL = sum(a[T])"


def claims(quick: bool = True) -> Iterator[Claim]:
    """Hochreiter's constant; the latch."""
    yield from _constant()
    yield from _latch(quick)


@lru_cache(maxsize=1)
def hochreiter(digits: int = 30) -> tuple[sp.Eq, sp.Float, sp.Float]:
    """The largest factor w σ′(w y) of a sigmoid unit: the condition, its root net = w y, and the maximum times y.

    With net = w y the factor is net σ′(net)/y.  Its derivative in net vanishes where
    σ′(net) + net σ″(net) = 0, that is, as σ″/σ′ = 1 − 2σ(net) = −tanh(net/2), where
    net = coth(net/2).
    """
    net = sp.Symbol("net", positive=True)
    factor = net * sp.diff(FUNCTIONS["sigmoid"].scalar(net), net)
    ratio = sp.simplify((sp.diff(factor, net) / sp.diff(FUNCTIONS["sigmoid"].scalar(net), net)).rewrite(sp.exp))
    condition = sp.Eq(net, sp.coth(net / 2))
    # The stationary point's equation is that condition: 1 − net tanh(net/2) = 0.
    if sp.simplify((ratio - (1 - net / sp.coth(net / 2))).rewrite(sp.exp)) != 0:
        raise ArithmeticError(f"d(net σ′)/dnet = σ′ · ({ratio}), which is not σ′ (1 − net tanh(net/2))")
    root = sp.nsolve(condition.lhs - condition.rhs, net, 1.5, prec=digits)
    return condition, root, sp.N(factor.subs(net, root), digits)


def _constant() -> Iterator[Claim]:
    own = "hochreiter"
    _, root, largest = hochreiter()
    yield Claim(HOCHREITER, "root", 1.5434046384182083, float(root), 1e-15, own)
    yield Claim(HOCHREITER, "largest", 0.22387160234715145, float(largest), 1e-16, own)
    for y in (0.25, 0.5, 0.9):
        w = float(root) / y * np.linspace(0.2, 5.0, 4801)[:, None]  # the root is one of them
        inputs = {"T": 1, "h0": np.full_like(w, y), "u": w}
        factors = jacobians(UNIT, {}, inputs)[0, :, 0, 0]
        yield Claim(HOCHREITER, "jacobian", float(largest) / y, factors.max(), 1e-15, own, values={"y": y})
        place = w[factors.argmax(), 0]
        yield Claim(HOCHREITER, "place", float(root) / y, place, 2e-3 / y, own, values={"y": y})


@lru_cache(maxsize=1)
def latch_threshold() -> sp.Expr:
    """|h| below which a ↦ w tanh(a) + h has two attractors, for w > 1, as an expression in w.

    At the fold w(1 − y²) = 1 with y = tanh a, so y = ±√(1 − 1/w), and h = artanh(y) − w y.

    Examples
    --------
    >>> sp.N(latch_threshold().subs(sp.Symbol("w", positive=True), 2), 10)
    0.5328399754
    """
    w, y, a = sp.Symbol("w", positive=True), sp.Symbol("y", positive=True), sp.Symbol("a")
    (root,) = sp.solve(w * FUNCTIONS["tanh"].slope(a, y) - 1, y)
    return w * root - sp.atanh(root)


def settled(w: float, drive: float, starts: Array, T: int) -> tuple[Array, Array]:
    """Where the latch comes to rest from each start, and its Jacobian there."""
    a0 = np.asarray(starts, dtype=float)[:, None]
    inputs = {"T": T, "a0": a0, "g": np.full_like(a0, drive)}
    d = derivation(LATCH)
    params = {"w": np.array([w])}
    return d.forward(params, inputs)["a"][-1, :, 0], jacobians(LATCH, params, inputs, ("a",))[-1, :, 0, 0]


def _latch(quick: bool) -> Iterator[Claim]:
    own = "latch"
    w_symbol = sp.Symbol("w", positive=True)
    printed = sp.sqrt(w_symbol * (w_symbol - 1)) - sp.atanh(sp.sqrt(1 - 1 / w_symbol))
    starts = np.array([-20.0, 20.0])
    for w, number in ((1.25, 0.0778051693), (2.0, 0.5328399754), (5.0, 3.0285004798)):
        exact = sp.N(latch_threshold().subs(w_symbol, sp.Rational(w)), 30)
        same = sp.N(printed.subs(w_symbol, sp.Rational(w)) - exact, 25)
        yield Claim(BENGIO, "fold", number, float(exact), 5e-11, own, values={"w": w})
        yield Claim(BENGIO, "printed", 0.0, float(same), 1e-20, own, values={"w": w})
        T = 3000
        for part, count in ((0.0, 2), (1 - 1e-3, 2), (1 + 1e-3, 1), (1.5, 1)):
            rest, slopes = settled(w, part * float(exact), starts, T)
            found = 1 + int(abs(rest[0] - rest[1]) > 1e-3)
            values = {"w": w, "part": part}
            yield Claim(BENGIO, "attractors", count, found, 0.0, own, values=values)
            steepest = float(np.abs(slopes).max())
            yield Claim(BENGIO, "stable", 1.0, steepest, 0.0, own, relation="≤", values=values)
    rest, _ = settled(0.95, 0.0, starts, 3000)
    found = 1 + int(abs(rest[0] - rest[1]) > 1e-3)
    yield Claim(BENGIO, "one_attractor", 1, found, 0.0, own, values={"w": 0.95})
