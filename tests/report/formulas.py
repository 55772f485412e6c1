"""Formulas of many kinds, for the tests of reports."""

from __future__ import annotations

from rnnderive import cells
from rnnderive import printing as pr

L, N = pr.Letter, pr.Numeral


def state(k: int) -> pr.Math:
    return pr.Script(L("h"), None, N(str(k)))


def chain(k: int) -> pr.Math:
    """A product of k Jacobians."""
    return pr.Row(tuple(pr.derivative(state(k - j), state(k - j - 1), "partial") for j in range(k)))


def equal(left: pr.Math, right: pr.Math) -> pr.Math:
    return pr.Infix(("", "="), (left, right), pr.RELATION)


def total(items: list[pr.Math]) -> pr.Math:
    return pr.Infix(("", *["+"] * (len(items) - 1)), tuple(items), pr.SUM)


def nested(depth: int) -> pr.Math:
    """Functions of sums of functions of sums."""
    lstm = cells.lstm()
    gate, value = (lstm[n].right.math(lstm.notation) for n in ("f", "C"))
    for _ in range(depth):
        value = pr.Infix(("", "+", "odot"), (gate, pr.Call(L("sigma"), (value,)), gate), pr.SUM)
    return value


LONG = equal(pr.derivative(L("L"), L("W")), total([chain(k) for k in range(1, 11)]))
PRODUCT = equal(L("P"), chain(60))
NESTED = equal(pr.Script(L("C"), None, L("t")), nested(6))
SQUARED = equal(L("L"), pr.Script(pr.Fenced(total([chain(6)] * 6), "‖"), None, N("2")))
FRACTION = equal(L("r"), pr.Frac(total([chain(5)] * 8), total([L("x"), L("y")])))
MATRIX = equal(L("J"), pr.Grid(tuple(tuple(chain(2) for _ in range(14)) for _ in range(4))))
WIDE_LEFT = equal(nested(5), L("x"))
ENDLESS = equal(L("Z"), total([chain(k % 7 + 1) for k in range(300)]))
CHAIN_OF_EQUALS = pr.Infix(("", "=", "="), (L("y"), total([chain(7)] * 4), total([chain(3)] * 9)), pr.RELATION)
SUM_OVER = equal(
    pr.derivative(L("L"), L("U")),
    pr.Big("sum", equal(L("k"), N("1")), L("T"), pr.Fenced(total([chain(6)] * 5))),
)
WIDE = {
    "sum": LONG, "product": PRODUCT, "nested": NESTED, "squared": SQUARED, "fraction": FRACTION, "matrix": MATRIX,
    "left": WIDE_LEFT, "endless": ENDLESS, "equals": CHAIN_OF_EQUALS, "big": SUM_OVER,
}  # fmt: skip
CELLS = {
    f"{cell}.{e.name}": e.math(net.notation)
    for cell, net in (("lstm", cells.lstm()), ("gru", cells.gru()), ("bi", cells.bidirectional_rnn()))
    for e in net.equations
}
