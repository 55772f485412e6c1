"""The verdict on a derivation: held against the correct one, and explained where it is wrong."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace

import numpy as np

from rnnderive import printing as pr
from rnnderive.checks.points import Point, point, sizes_for
from rnnderive.errors import RnnDeriveError
from rnnderive.hand.catalogue import Sight, Tolerance, correct_run, tolerance_for
from rnnderive.hand.claims import Hand
from rnnderive.hand.comparison import against_own, exactly, forward_of, gradients, quantities, scaled_against_own
from rnnderive.hand.contributions import deviating_steps
from rnnderive.hand.diagnosis import Diagnosis, Mistake, Progress, diagnose
from rnnderive.hand.long import Beyond, late, loud
from rnnderive.hand.member import written
from rnnderive.hand.problem import Problem
from rnnderive.hand.verdict import Correction, Counterexample, Verdict
from rnnderive.language import Equation, Recurrence

__all__ = ["judge"]

STEPS = 8  # a counterexample is looked for up to so many, and at those of the test point
ROUNDING = 1e-13


def judge(
    problem: Problem, hand: Hand, *, at: Point | None = None, long: bool = True, progress: Progress | None = None
) -> Verdict:
    """Hold a derivation against the correct one, at two points or at one that is given.

    Parameters
    ----------
    problem : Problem
    hand : Hand
    at : Point, optional
    long : bool
        Whether a program that is right there is run for more steps besides.
    progress : callable, optional

    Returns
    -------
    Verdict
    """
    points = [at] if at is not None else [hand.at(problem, seed=problem.seed + k, batch=problem.batch) for k in (0, 1)]
    own_T, problem = problem.T, replace(problem, T=points[0].T)
    sights = [Sight(p, hand.claims(problem, p)) for p in points]
    if at is not None and not sights[0].claims.problems:
        sights += _ours(problem, hand, at, own_T)
    claims = sights[0].claims
    problems = tuple(dict.fromkeys(p for s in sights for p in s.claims.problems))
    remarks = tuple(dict.fromkeys(r for s in sights for r in s.claims.remarks))
    forward, notes = forward_of(problem, sights)
    notes = tuple(dict.fromkeys((*notes, *remarks, *getattr(hand, "notes", ()))))
    arrays, inner = gradients(problem, sights), quantities(problem, sights)
    method = "to 1e-9 of each entry" if tolerance_for(claims) == Tolerance() else "in float32"
    decide = getattr(hand, "verdicts", None)
    if hand.exact and decide is not None and forward is not False and all((arrays or inner).values()):
        arrays, method = exactly(problem, hand, arrays, decide(problem)), "by exact identity"
    judged = arrays or inner
    if not judged:
        notes += () if problems else ("no gradient was handed over",)
        return Verdict(False, None, forward, {}, problems=problems, notes=notes)
    fine = all(judged.values()) and any(a.ok for a in judged.values())
    backward = against_own(problem, hand, sights, fine, forward)
    missing = [n for n in problem.gradients if n not in claims.grads and n in problem.net.parameters]
    if missing and claims.grads:
        notes += (f"not handed over: {', '.join(f'd{n}' for n in missing)}",)
    ok = fine and forward is not False and not problems
    verdict = Verdict(ok, backward, forward, arrays, inner, problems=problems, notes=notes, method=method)
    if forward is False and not backward:
        scaled = scaled_against_own(problem, hand, sights[0])
        if scaled is not None:
            return replace(verdict, diagnosis=Diagnosis((scaled,)))
    if ok and long and not hand.exact and problem.window is None:
        found = loud(problem, hand, sights[0].at) or late(problem, hand, sights[0].at)
        return verdict if found is None else _beyond(problem, hand, verdict, found)
    if fine or (forward is False and backward) or not (claims.grads or claims.inner):
        return verdict
    return _explained(problem, hand, verdict, sights, progress)


def _beyond(problem: Problem, hand: Hand, verdict: Verdict, found: Beyond) -> Verdict:
    """The verdict on what is right at the test points, and wrong beyond them."""
    wrong = tuple(n for n, a in found.arrays.items() if a.ok is False)
    return replace(
        verdict, ok=False, backward_ok=False, arrays=found.arrays, diagnosis=found.diagnosis,
        notes=(*verdict.notes, found.note),
        counterexample=_shows(problem, hand, wrong, 1, found.at.T, found.at.batch),
    )  # fmt: skip


def _ours(problem: Problem, hand: Hand, at: Point, T: int) -> Iterable[Sight]:
    """Points of our own beside a given one, whose weights may be so small, or its run so long, that nothing shows."""
    for seed in (problem.seed, problem.seed + 1):
        try:
            here = _fitted(hand, point(problem.net, T=T, batch=at.batch, seed=seed, sizes=at.sizes))
            claims = hand.claims(problem, here)
        except RnnDeriveError:
            continue
        if not claims.problems:  # a program may be for its own numbers of steps alone
            yield Sight(here, claims)


def _fitted(hand: Hand, at: Point) -> Point:
    """A point changed so that a program can be asked there: an initial state that it has not is zero."""
    into: Callable[[Point], Point] | None = getattr(hand, "fitted", None)
    return at if into is None else into(at)


def _explained(
    problem: Problem, hand: Hand, verdict: Verdict, sights: list[Sight], progress: Progress | None
) -> Verdict:
    """The verdict with its diagnosis, corrections, wrong steps and counterexample."""
    foreign = tuple(
        Mistake("foreign parameter", f"a gradient of {n} is returned, but the forward has no such parameter", f"d{n}")
        for n, a in verdict.arrays.items()
        if a.ok is False and n not in problem.gradients and not a.label
    )
    short = [] if problem.window else list(_short(problem, hand, sights[0].at))
    seen = [*sights, *short]
    found = diagnose(problem, seen, progress=progress)
    if not found.explained and all(s.claims.inner and s.claims.grads for s in seen):  # other quantities by these names
        again = diagnose(problem, [Sight(s.at, replace(s.claims, inner={})) for s in seen], progress=progress)
        found = again if again.explained else found
    found = replace(found, mistakes=(*foreign, *found.mistakes))
    arrays = dict(verdict.arrays)
    run = correct_run(problem, sights[0].at)
    for n, a in arrays.items():
        if a.ok is False and n in problem.gradients:
            claimed = np.asarray(sights[0].claims.grads[n], dtype=float)
            arrays[n] = replace(a, steps=deviating_steps(problem, run, sights[0].at, n, claimed, found.adjoint))
    return replace(
        verdict, arrays=arrays, diagnosis=found, corrections=_corrections(problem, hand, found),
        counterexample=_smallest(problem, hand, verdict.wrong),
    )  # fmt: skip


def _short(problem: Problem, hand: Hand, at: Point) -> Iterable[Sight]:
    """What is said of one step and of two: mistakes that meet in a long run stand apart there."""
    for steps in (1, 2):
        try:
            seed = problem.seed + 1 + steps
            here = _fitted(hand, point(problem.net, T=steps, batch=at.batch, seed=seed, sizes=at.sizes))
            claims = hand.claims(problem, here)
        except RnnDeriveError:
            continue  # a network that reads a fixed step needs a longer run
        if not claims.problems:
            yield Sight(here, claims)


def _corrections(problem: Problem, hand: Hand, found: Diagnosis) -> tuple[Correction, ...]:
    """Each wrong equation beside the correct one."""
    right, out = problem.derivation.adjoint, {}
    for m in found.mistakes:
        if m.edit is None or m.kind == "clipped" or m.where not in right or m.where not in m.edit.net:
            continue
        net = found.adjoint.net if found.adjoint is not None and m.where in found.adjoint.net else m.edit.net
        wrong, correct = net[m.where], right[m.where]
        shown = hand.shown(m.where)
        out[m.where] = Correction(
            m.where, written(wrong), str(correct), shown or _latex(net, wrong), _latex(right, correct)
        )
    return tuple(out.values())


def _latex(net: Recurrence, e: Equation) -> str:
    return f"{pr.latex(e.left.math(net.notation))} = {pr.latex(e.right.math(net.notation))}"


def _smallest(problem: Problem, hand: Hand, wrong: tuple[str, ...]) -> Counterexample | None:
    """The smallest sizes, steps and batch at which a wrong gradient still shows."""
    batches = (None,) if problem.batch is None else (1, 2)
    for least in (1, 2):
        for steps in dict.fromkeys((*range(1, min(problem.T, STEPS) + 1), problem.T)):
            for batch in batches:
                found = _shows(problem, hand, wrong, least, steps, batch)
                if found is not None:
                    return found
    return None


def _apart(found: float, expected: float) -> float:
    """The difference by the larger of two numbers; what is no number is furthest away."""
    apart = abs(found - expected) / max(abs(found), abs(expected), ROUNDING)
    return float(apart) if np.isfinite(apart) else float("inf")


def _shows(
    problem: Problem, hand: Hand, wrong: tuple[str, ...], least: int, steps: int, batch: int | None
) -> Counterexample | None:
    small = replace(problem, T=steps, batch=batch)
    try:
        sizes = sizes_for(problem.net, least=least, same=True)
        at = _fitted(hand, point(problem.net, T=steps, batch=batch, seed=problem.seed, sizes=sizes))
        claims = hand.claims(small, at)
    except RnnDeriveError:
        return None
    if claims.problems:
        return None
    run, tolerance = correct_run(problem, at), tolerance_for(claims)
    for name in wrong:
        if name in claims.grads and name in problem.gradients:
            expected, claimed = run.number(problem.gradients[name], at)[0], np.asarray(claims.grads[name], dtype=float)
            largest = max(np.abs(expected).max(initial=0.0), np.abs(claimed).max(initial=0.0))
            if expected.shape == claimed.shape and largest > ROUNDING:  # of one class, softmax leaves rounding alone
                bad = np.argwhere(~tolerance.close(claimed, expected))
                if len(bad):
                    index = max(map(tuple, bad.tolist()), key=lambda k: _apart(float(claimed[k]), float(expected[k])))
                    shown = {"T": steps, **({"B": batch} if batch else {}), **{str(s): n for s, n in sizes.items()}}
                    return Counterexample(
                        shown, name, index, float(claimed[index]), float(expected[index]), at.params, at.inputs
                    )
    return None
