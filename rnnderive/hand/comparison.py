"""What was claimed against what is right: arrays, the forward, the backward and its own forward."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from rnnderive.checks.points import Point
from rnnderive.hand.catalogue import Sight, Tolerance, correct_run, tolerance_for
from rnnderive.hand.claims import Hand
from rnnderive.hand.diagnosis import Mistake
from rnnderive.hand.problem import Problem
from rnnderive.hand.verdict import ArrayVerdict

__all__ = ["against_own", "exactly", "forward_of", "gradients", "quantities", "scaled_against_own"]

OWN = Tolerance(1e-6, 1e-7)  # of a gradient by differences


def forward_of(problem: Problem, sights: list[Sight]) -> tuple[bool | None, tuple[str, ...]]:
    """Whether the forward is the declared cell's, and how it differs."""
    seen, notes = [], []
    for s in sights:
        run, tolerance = correct_run(problem, s.at), tolerance_for(s.claims)
        for name, array in s.claims.forward.items():
            if name in problem.net:
                expected = run.number(name, s.at)[0]
                same = np.shape(array) == expected.shape and bool(tolerance.close(np.asarray(array), expected).all())
                seen.append(same)
                if not same:
                    notes.append(f"its {name} is not that of the declared cell")
        if s.claims.loss is not None:
            expected = run.number(problem.net.loss or "", s.at)[0]
            loss = np.asarray(s.claims.loss, dtype=float)
            total = expected.sum()
            same = bool(tolerance.close(loss.sum(), total))
            seen.append(same)
            if not same:
                notes.append(_loss_note(float(loss.sum()), float(total), problem, s.at))
    return (all(seen) if seen else None), tuple(dict.fromkeys(notes))


def _loss_note(loss: float, expected: float, problem: Problem, at: Point) -> str:
    """How a loss differs, where it is by a factor that people mean or forget."""
    said = _factor(loss / expected if expected else np.inf, problem, at)
    return (
        f"its loss is {said} the declared {problem.net.loss}"
        if said
        else f"its loss is not the declared {problem.net.loss}"
    )


def _factor(ratio: float, problem: Problem, at: Point) -> str:
    """A ratio in words, where it is one that people mean or forget."""
    named = {"half": 0.5, "twice": 2.0, "minus": -1.0, "1/T times": 1 / at.T, "T times": float(at.T)}
    if at.batch:
        named |= {"1/B times": 1 / at.batch, "1/(T B) times": 1 / (at.T * at.batch), "B times": float(at.batch)}
        named |= {"T B times": float(at.T * at.batch)}
    named |= {f"1/{s} times": 1 / n for s, n in at.sizes.items()} | {
        f"{s} times": float(n) for s, n in at.sizes.items()
    }
    return next((words for words, f in named.items() if abs(ratio - f) <= 1e-6 * abs(f)), "")


def scaled_against_own(problem: Problem, hand: Hand, sight: Sight) -> Mistake | None:
    """One factor between all gradients and those of the loss that is reported, if that is all there is."""
    own = hand.own_gradient(problem, sight.at)
    names = [n for n in sight.claims.grads if own is not None and n in own]
    if own is None or not names:
        return None
    pairs = [(np.asarray(sight.claims.grads[n], dtype=float), np.asarray(own[n], dtype=float)) for n in names]
    if any(a.shape != b.shape for a, b in pairs):
        return None
    left, right = (np.concatenate([p[k].ravel() for p in pairs]) for k in (0, 1))
    ratio = float(left @ right) / (float(right @ right) or 1.0)
    if not OWN.close(left, ratio * right).all():
        return None
    said = _factor(ratio, problem, sight.at)
    return Mistake("scale", f"every gradient is {said} that of the loss you report", "every gradient") if said else None


def against_own(problem: Problem, hand: Hand, sights: list[Sight], fine: bool, forward: bool | None) -> bool | None:
    """Whether the backward matches its own forward."""
    if forward is not False:
        own = hand.own_gradient(problem, sights[0].at) if forward is None else None
        if own is None:
            return fine
    else:
        own = hand.own_gradient(problem, sights[0].at)
        if own is None:
            return None
    found = []
    for name, claimed in sights[0].claims.grads.items():
        if name in own:
            expected = np.asarray(own[name])
            claimed = np.asarray(claimed)
            found.append(claimed.shape == expected.shape and bool(OWN.close(claimed, expected).all()))
    return all(found) if found else None


def gradients(problem: Problem, sights: list[Sight]) -> dict[str, ArrayVerdict]:
    out: dict[str, ArrayVerdict] = {}
    for s in sights:
        tolerance = tolerance_for(s.claims)
        for name, claimed in s.claims.grads.items():
            if name not in out or out[name].ok:
                out[name] = _array(problem, s, name, claimed, tolerance)
    return out


def _array(problem: Problem, sight: Sight, name: str, claimed: Any, tolerance: Tolerance) -> ArrayVerdict:
    """One gradient against the correct one."""
    if name not in problem.gradients:
        if name in problem.net.inputs:
            return ArrayVerdict(name, None, note="a target or an upstream gradient; nothing is held against it")
        return ArrayVerdict(name, False, np.inf, note="the forward has no such parameter")
    expected = correct_run(problem, sight.at).number(problem.gradients[name], sight.at)[0]
    return _compared(name, claimed, expected, tolerance)


def _compared(name: str, claimed: Any, expected: Any, tolerance: Tolerance) -> ArrayVerdict:
    """An array against the correct one, entry by entry."""
    try:
        array = np.asarray(claimed, dtype=float)
    except (TypeError, ValueError):
        return ArrayVerdict(name, False, np.inf, count=expected.size, note=f"is {type(claimed).__name__}, no array")
    if array.shape != expected.shape:
        note = f"has shape {array.shape}; expected {expected.shape}"
        if array.T.shape == expected.shape and tolerance.close(array.T, expected).all():
            note += "; it is the transpose"
        return ArrayVerdict(name, False, np.inf, count=expected.size, note=note)
    with np.errstate(all="ignore"):
        good = tolerance.close(array, expected)
        error = float(np.abs(array - expected).max(initial=0.0) / (np.abs(expected).max(initial=0.0) or 1.0))
    wrong = tuple(tuple(int(k) for k in w) for w in np.argwhere(~good))
    note = "" if np.isfinite(array).all() else "is not finite"
    return ArrayVerdict(name, not wrong, error, wrong, expected.size, note=note)


def quantities(problem: Problem, sights: list[Sight]) -> dict[str, ArrayVerdict]:
    """Quantities of the adjoint that were handed over, from the loss backward."""
    out: dict[str, ArrayVerdict] = {}
    for s in sights:
        run, tolerance = correct_run(problem, s.at), tolerance_for(s.claims)
        for e in problem.derivation.pulled.backward:
            if e.name in s.claims.inner and (e.name not in out or out[e.name].ok):
                expected = run.number(e.name, s.at)[0]
                verdict = replace(_compared(e.name, s.claims.inner[e.name], expected, tolerance), label=e.name)
                if verdict.ok is False and e.timed and verdict.wrong:
                    verdict = replace(verdict, steps=tuple(sorted({w[0] + 1 for w in verdict.wrong})))
                out[e.name] = verdict
    return out


def exactly(
    problem: Problem, hand: Hand, arrays: Mapping[str, ArrayVerdict], decided: Mapping[str, Any]
) -> dict[str, ArrayVerdict]:
    """Formulas that agree in floats are decided in the field, where there is no tolerance."""
    names: Mapping[str, str] = getattr(hand, "names", {})
    back, out = {g: n for n, g in problem.gradients.items()}, dict(arrays)
    for claimed, verdict in decided.items():
        name = back.get(names.get(claimed, ""))
        if name in out and not verdict:
            out[name] = replace(out[name], ok=False, note=f"{verdict}, though equal at the test points")
        elif claimed not in names:  # a Jacobian, a line of a derivation: no gradient of the network
            error, note = (0.0, "") if verdict else (np.inf, str(verdict))
            out[claimed] = ArrayVerdict(claimed, bool(verdict), error, note=note, label=claimed)
    return out
