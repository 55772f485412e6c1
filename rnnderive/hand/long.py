"""What shows only beyond the test points: in more steps, where back-propagation is cut, or in larger gradients, where
they are clipped.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from rnnderive.calculus import truncated
from rnnderive.checks.points import Point, loss_targets, point
from rnnderive.errors import RnnDeriveError
from rnnderive.hand.catalogue import Sight, correct_run, tolerance_for
from rnnderive.hand.claims import Hand
from rnnderive.hand.comparison import forward_of, gradients
from rnnderive.hand.diagnosis import Diagnosis, Mistake, diagnose
from rnnderive.hand.edits import Edit
from rnnderive.hand.problem import Problem
from rnnderive.hand.variants import course
from rnnderive.hand.verdict import ArrayVerdict
from rnnderive.language import terms as tm

__all__ = ["Beyond", "late", "loud"]

LONG = 40
LOUD = 1000.0


@dataclass(frozen=True, eq=False)
class Beyond:
    """What a longer or a louder run shows, and the test points do not.

    Attributes
    ----------
    at : Point
    note : str
        Where it shows.
    arrays : mapping
        Name → entry, at these.
    diagnosis : Diagnosis
    """

    at: Point
    note: str
    arrays: Mapping[str, ArrayVerdict]
    diagnosis: Diagnosis


def late(problem: Problem, hand: Hand, at: Point) -> Beyond | None:
    """What is wrong in a long run alone; None where nothing is, or where the program is not for others than its own.

    Parameters
    ----------
    problem : Problem
    hand : Hand
        A program that is right at the test points.
    at : Point
        One of them.
    """
    wrong = _asked(problem, hand, at, LONG) if at.T < LONG else None
    if wrong is None or all(wrong[1].values()):
        return None
    low, high = at.T, LONG
    while high - low > 1:
        middle = (low + high) // 2
        found = _asked(problem, hand, at, middle)
        if found is None:
            return None
        low, high, wrong = (middle, high, wrong) if all(found[1].values()) else (low, middle, found)
    sight, arrays = wrong
    note = f"right for {high - 1} steps, wrong for {high} and more"
    return Beyond(sight.at, note, arrays, _cut(problem, sight, high - 1))


def loud(problem: Problem, hand: Hand, at: Point) -> Beyond | None:
    """What is wrong in large gradients alone: targets, or gradients from outside, a thousandfold."""
    targets = loss_targets(problem.net)
    names = [n for n in at.inputs if n.startswith("up_") or targets.get(n) is tm.SquaredError]
    for n in names:
        at = at.where(n, LOUD * at[n])
    found = _claimed(problem, hand, at) if names else None
    if found is None or all(found[1].values()):
        return None
    sight, arrays = found
    return Beyond(at, "right where gradients are small, wrong where they are large", arrays, diagnose(problem, [sight]))


def _asked(problem: Problem, hand: Hand, at: Point, steps: int) -> tuple[Sight, dict[str, ArrayVerdict]] | None:
    try:
        here = point(problem.net, T=steps, batch=at.batch, seed=problem.seed, sizes=at.sizes)
        fitted = getattr(hand, "fitted", None)
        return _claimed(problem, hand, here if fitted is None else fitted(here))
    except RnnDeriveError:
        return None


def _claimed(problem: Problem, hand: Hand, at: Point) -> tuple[Sight, dict[str, ArrayVerdict]] | None:
    try:
        sight = Sight(at, hand.claims(problem, at))
    except RnnDeriveError:
        return None
    if sight.claims.problems or forward_of(problem, [sight])[0] is False:
        return None  # a program may be for its own number of steps alone
    return sight, gradients(problem, [sight])


def _cut(problem: Problem, sight: Sight, kept: int) -> Diagnosis:
    """Whether it is back-propagation through so many steps."""
    pulled = problem.derivation.pulled
    edit = Edit("truncated", "every gradient", f"truncated after {kept} steps", {}, pulled, truncated(pulled, kept))
    run = course(edit.net, problem.net, sight.at, None, correct_run(problem, sight.at))
    close = tolerance_for(sight.claims).close
    names = edit.adjoint.gradients
    same = [
        bool(close(a, run.number(names[n], sight.at)[0]).all()) for n, a in sight.claims.grads.items() if n in names
    ]
    if not all(same):
        return Diagnosis((), False)
    return Diagnosis((Mistake(edit.kind, edit.text, edit.where, edit),), True, edit.adjoint)
