"""What a gradient costs when memory is short: revolve's optimal schedule (Griewank and Walther)."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from math import comb
from typing import Literal

import numpy as np

from rnnderive.chains.theory.claim import Claim
from rnnderive.chains.theory.nets import autonomous, derivation
from rnnderive.errors import InputError

__all__ = ["Action", "claims", "forward_steps", "reversed_by", "schedule"]

ROW = "revolve"
Action = tuple[Literal["store", "advance", "reverse", "restore"], int]


def repetitions(steps: int, snapshots: int) -> int:
    """r, minimal with C(s + r, s) ≥ l: how often a step is advanced at most."""
    r = 0
    while comb(snapshots + r, snapshots) < steps:
        r += 1
    return r


@lru_cache(maxsize=100_000)
def forward_steps(steps: int, snapshots: int) -> int:
    """The fewest forward steps that reverse l steps with s snapshots, t = r l − C(s + r, s + 1).

    Griewank and Walther (2000, ACM TOMS 26:19), theorem 1.  The initial state takes one of the snapshots;
    the last step before each reversal is part of the reversal.

    Examples
    --------
    >>> forward_steps(10, 3), forward_steps(1000, 10)
    (15, 3636)
    """
    if steps < 1 or snapshots < 1:
        raise InputError(f"there are {steps} steps and {snapshots} snapshots; expected one of each at least")
    r = repetitions(steps, snapshots)
    return r * steps - comb(snapshots + r, snapshots + 1)


def schedule(steps: int, snapshots: int, start: int = 0) -> Iterator[Action]:
    """A schedule that takes that many: store the state, advance, reverse one step, restore a state.

    ``("advance", k)`` goes from the present state to state k; ``("reverse", k)`` takes the adjoint from
    state k + 1 to state k and needs state k at hand; ``("restore", k)`` makes the snapshot of k the present.
    """
    yield "store", start
    yield from _reversal(start, start + steps, snapshots - 1)


def _reversal(start: int, stop: int, free: int) -> Iterator[Action]:
    """Reverse start..stop with the state of `start` at hand and stored, and so many free snapshots."""
    while stop - start > 1:
        if not free:
            yield "advance", stop - 1
            yield "reverse", stop - 1
            stop -= 1
        else:
            middle = start + _cut(stop - start, free + 1)
            yield "advance", middle
            yield "store", middle
            yield from _reversal(middle, stop, free - 1)
            stop = middle
        yield "restore", start
    yield "reverse", start


def _cut(steps: int, snapshots: int) -> int:
    """Where to store next: m + t(l − m, s − 1) + t(m, s) is least."""
    costs = (m + forward_steps(steps - m, snapshots - 1) + forward_steps(m, snapshots) for m in range(1, steps))
    return 1 + int(np.argmin(np.fromiter(costs, int)))


def reversed_by(steps: int, snapshots: int) -> tuple[int, int]:
    """Follow the schedule, checking that it can be followed: forward steps taken, most states stored at once."""
    stored: set[int] = set()
    present, todo, taken, most = 0, steps, 0, 0
    for action, k in schedule(steps, snapshots):
        if action == "store":
            stored.add(present)
            most = max(most, len(stored))
        elif action == "advance":
            taken, present = taken + k - present, k
        elif action == "restore":
            stored = {s for s in stored if s <= k}
            if k not in stored:
                raise ArithmeticError(f"the state {k} is restored but not stored")
            present = k
        else:
            if (present, k) != (todo - 1, todo - 1):
                raise ArithmeticError(f"step {k} is reversed from the state {present} with {todo} steps to do")
            todo = k
            stored.discard(k)
    if todo:
        raise ArithmeticError(f"{todo} steps were not reversed")
    return taken, most


def claims(quick: bool = True) -> Iterator[Claim]:
    """The table's costs, by formula, by schedule, and on a network."""
    source = "revolve"
    for steps, snapshots, number in ((10, 3, 15), (56, 3, 210), (100, 5, 316), (1000, 10, 3636)):
        values = {"steps": steps, "snapshots": snapshots}
        taken, most = reversed_by(steps, snapshots)
        yield Claim(ROW, "formula", number, forward_steps(steps, snapshots), 0, source, values=values)
        yield Claim(ROW, "taken", number, taken, 0, source, values=values)
        yield Claim(ROW, "stored", snapshots, most, 0, source, relation="≤", values=values)
    yield Claim(ROW, "gradient", 0.0, _on_a_network(56, 3), 1e-14, "", "exact")


def _on_a_network(steps: int, snapshots: int) -> float:
    """The gradient in h0 of a tanh net by the schedule, against the one that keeps every state."""
    rng = np.random.default_rng(9)
    params = {"U": rng.normal(size=(5, 5)) / np.sqrt(5), "b": 0.1 * rng.normal(size=5)}
    d = derivation(autonomous())
    step, jacobian = d.forward, d.jacobians("h", "h", 1)
    state = first = rng.normal(size=5)
    stored: dict[int, np.ndarray] = {}
    row, present = np.ones(5), 0
    for action, k in schedule(steps, snapshots):
        if action == "store":
            stored[k] = state
        elif action == "restore":
            state, present = stored[k], k
        elif action == "advance":
            state, present = step(params, {"T": k - present, "h0": state})["h"][-1], k
        else:
            row = row @ jacobian(params, {"T": 1, "h0": state})["J"][0]
    exact = d.lambdify("h0")(params, {"T": steps, "h0": first})[1]["h0"]
    return float(np.linalg.norm(row - exact) / np.linalg.norm(exact))
