"""One call: is this derivation right, and if not, where and why."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import sympy as sp

from rnnderive import printing as pr
from rnnderive.checks.points import Point, point, sizes_for
from rnnderive.errors import InputError, RnnDeriveError
from rnnderive.hand.claims import Hand
from rnnderive.hand.contributions import deviating_steps
from rnnderive.hand.diagnosis import (
    Diagnosis,
    Mistake,
    Progress,
    Sight,
    Tolerance,
    correct_run,
    diagnose,
    tolerance_for,
)
from rnnderive.hand.problem import Problem, with_upstream
from rnnderive.hand.verdict import ArrayVerdict, Correction, Counterexample, Verdict
from rnnderive.language import Equation, Recurrence
from rnnderive.programs import prepare

__all__ = ["judge", "read", "verify"]

OWN = Tolerance(1e-6, 1e-7)  # of a gradient by differences


def verify(
    net: Recurrence | str,
    hand: Any,
    *,
    params: Mapping[str, Any] | None = None,
    inputs: Mapping[str, Any] | None = None,
    layout: Any = None,
    names: Any = None,
    upstream: str | Iterable[str] | None = None,
    window: int | None = None,
    seed: int = 0,
    T: int | None = None,
    batch: int | None = None,
    progress: Progress | None = None,
    **options: Any,
) -> Verdict:
    """Decide whether a hand derivation is right, and if not, where it is wrong and what the mistake is.

    Parameters
    ----------
    net : Recurrence or str
        The declared cell with its loss.
    hand : callable, str, Recurrence, SymPy expression, mapping of these, or Hand
        What was derived by hand: a program ``(params, inputs) -> (loss, grads)``, equations in the
        language or in LaTeX, expressions.
    params, inputs : mapping, optional
        A test point; chosen unless given: sizes that all differ, weights of order 1, initial states
        that are not zero.
    layout : optional
        How a program's arrays lie, for callables.
    names : mapping, or names in order, optional
        Its own name of a gradient → what it is the gradient of; for a program, what it returns, in order.
    upstream : str or names, optional
        Sequences at which gradients arrive from outside, in the place of a loss.
    window : int, optional
        Back-propagation is meant to be cut after so many steps.
    seed : int
    T, batch : int, optional
        Steps and sequences of the test points; 6 steps or more, one sequence without a batch axis.
    progress : callable, optional
        Told in words what is being tried.
    **options
        Passed on to the reader of the kind of `hand`.

    Returns
    -------
    Verdict
        Truthy when right; ``print`` tells the whole story.

    Raises
    ------
    InputError
        When `hand` is nothing that can be read.

    Examples
    --------
    >>> import rnnderive as rd
    >>> net = rd.Recurrence.parse("s[t] = tanh(a * s[t-1] + x[t])\\nL = sum(s[T])")
    >>> hand = rd.Recurrence.parse(str(rd.derive(net).adjoint).replace("da = sum(delta_s[t]", "da = sum(ds[t]"))
    >>> verdict = verify(net, hand)
    >>> bool(verdict), verdict.diagnosis[0].kind
    (False, 'missing factor')
    """
    if isinstance(net, str):
        net = Recurrence.parse(net)
    if upstream is not None:
        net = with_upstream(net, *([upstream] if isinstance(upstream, str) else upstream))
    steps = T if T is not None else max(6, (window or 0) + 2)
    problem = Problem(net, steps, batch, seed, window)
    if callable(hand) and not hasattr(hand, "claims") and (params is not None or inputs is not None):
        options |= {"params": params, "inputs": inputs}  # in its own layout, which they help to find
    read_hand = read(hand, problem, layout=layout, names=names, **options)
    at = None
    if params is not None or inputs is not None:
        at = _given(problem, read_hand, params or {}, inputs or {})
        problem = replace(problem, T=at.T, batch=at.batch)
    return judge(problem, read_hand, at=at, progress=progress)


def _given(problem: Problem, hand: Hand, params: Mapping[str, Any], inputs: Mapping[str, Any]) -> Point:
    """A test point of the user's own; a reader that knows the user's layout brings it into the cell's."""
    into: Callable[..., Point] | None = getattr(hand, "point", None)
    if into is not None:
        return into(problem, params, inputs)
    arrays = prepare(problem.net, params, inputs)
    return Point(dict(params), dict(inputs), arrays.sizes, arrays.T, arrays.batch)


def read(hand: Any, problem: Problem, *, layout: Any = None, names: Any = None, **options: Any) -> Hand:
    """Read what was handed over, by its kind.

    Raises
    ------
    InputError
        When it is of no kind that can be read.
    """
    if hasattr(hand, "claims") and hasattr(hand, "exact"):
        return hand
    if isinstance(hand, str) and "\\" in hand:
        from rnnderive.hand.latex import read_latex

        return read_latex(hand, problem, **_named(names), **options)
    if isinstance(hand, str | Recurrence):
        from rnnderive.hand.formulas import read_equations

        return read_equations(hand, problem, **_named(names), **options)
    if isinstance(hand, sp.Basic | sp.MatrixBase | Mapping):
        from rnnderive.hand.formulas import read_sympy

        return read_sympy(hand, problem, **_named(names), **options)
    if callable(hand):
        from rnnderive.hand.callables import read_callable

        return read_callable(hand, problem, layout=layout, **_named(names), **options)
    raise InputError(
        f"found {type(hand).__name__}; expected a function (params, inputs) -> (loss, grads), equations as text or "
        "Recurrence, LaTeX, or SymPy expressions by the name of what they are the gradient of"
    )


def _named(names: Any) -> dict[str, Any]:
    """An option for a reader, if it is given."""
    return {} if names is None else {"names": names}


# ---------------------------------------------------------------- the verdict


def judge(problem: Problem, hand: Hand, *, at: Point | None = None, progress: Progress | None = None) -> Verdict:
    """Hold a derivation against the correct one, at two points or at one that is given.

    Parameters
    ----------
    problem : Problem
    hand : Hand
    at : Point, optional
    progress : callable, optional

    Returns
    -------
    Verdict
    """
    points = [at] if at is not None else [_point(problem, hand, problem.seed + k) for k in (0, 1)]
    problem = replace(problem, T=points[0].T)
    sights = [Sight(p, hand.claims(problem, p)) for p in points]
    claims = sights[0].claims
    problems = tuple(dict.fromkeys(p for s in sights for p in s.claims.problems))
    remarks = tuple(dict.fromkeys(r for s in sights for r in s.claims.remarks))
    forward, notes = _forward(problem, sights)
    notes = tuple(dict.fromkeys((*notes, *remarks, *getattr(hand, "notes", ()))))
    if not claims.grads and not claims.inner:
        if not problems:
            notes += ("no gradient was handed over",)
        return Verdict(False, None, forward, {}, problems=problems, notes=notes)
    arrays, inner = _arrays(problem, sights), _inner(problem, sights)
    judged = arrays or inner
    method = "to 1e-9 of each entry" if tolerance_for(claims) == Tolerance() else "in float32"
    decide = getattr(hand, "verdicts", None)
    if hand.exact and decide is not None and forward is not False and all(judged.values()):
        arrays, method = _exactly(problem, hand, arrays, decide(problem)), "by exact identity"
    judged = arrays or inner
    fine = all(judged.values()) and any(a.ok for a in judged.values())
    backward = _backward(problem, hand, sights, fine, forward)
    missing = [n for n in problem.gradients if n not in claims.grads and n in problem.net.parameters]
    if missing:
        notes += (f"not handed over: {', '.join(f'd{n}' for n in missing)}",)
    ok = fine and forward is not False and not problems
    verdict = Verdict(ok, backward, forward, arrays, inner, problems=problems, notes=notes, method=method)
    if fine or (forward is False and backward):
        return verdict
    return _explained(problem, hand, verdict, sights, at, progress)


def _point(problem: Problem, hand: Hand, seed: int) -> Point:
    """A test point; formulas for one number of steps have points of their own."""
    return hand.at(problem, seed=seed, batch=problem.batch)


def _fitted(hand: Hand, at: Point) -> Point:
    """A point changed so that a program can be asked there: an initial state that it has not is zero."""
    into: Callable[[Point], Point] | None = getattr(hand, "fitted", None)
    return at if into is None else into(at)


def _other(problem: Problem, T: int, seed: int) -> Point:
    return point(problem.net, T=T, batch=problem.batch, seed=seed, sizes=problem.sizes)


def _explained(
    problem: Problem, hand: Hand, verdict: Verdict, sights: list[Sight], at: Point | None, progress: Progress | None
) -> Verdict:
    """The verdict with its diagnosis, corrections, wrong steps and counterexample."""
    foreign = tuple(
        Mistake("foreign parameter", f"a gradient of {n} is returned, but the forward has no such parameter", f"d{n}")
        for n, a in verdict.arrays.items()
        if a.ok is False and n not in problem.gradients
    )
    short = [] if at is not None or problem.window else list(_short(problem, hand))
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
        counterexample=None if at is not None else _smallest(problem, hand, verdict.wrong),
    )  # fmt: skip


def _short(problem: Problem, hand: Hand) -> Iterable[Sight]:
    """What is said of one step and of two: mistakes that meet in a long run stand apart there."""
    for steps in (1, 2):
        try:
            at = _fitted(hand, _other(problem, steps, problem.seed + 1 + steps))
            claims = hand.claims(problem, at)
        except RnnDeriveError:
            continue  # a network that reads a fixed step needs a longer run
        if not claims.problems:
            yield Sight(at, claims)


def _forward(problem: Problem, sights: list[Sight]) -> tuple[bool | None, tuple[str, ...]]:
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
    named = {"half": 0.5, "twice": 2.0, "minus": -1.0, "1/T times": 1 / at.T, "T times": at.T}
    if at.batch:
        named |= {"1/B times": 1 / at.batch, "1/(T B) times": 1 / (at.T * at.batch), "B times": at.batch}
    named |= {f"1/{s} times": 1 / n for s, n in at.sizes.items()} | {f"{s} times": n for s, n in at.sizes.items()}
    ratio = loss / expected if expected else np.inf
    for words, factor in named.items():
        if abs(ratio - factor) <= 1e-6 * abs(factor):
            return f"its loss is {words} the declared {problem.net.loss}"
    return f"its loss is not the declared {problem.net.loss}"


def _backward(problem: Problem, hand: Hand, sights: list[Sight], fine: bool, forward: bool | None) -> bool | None:
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


def _arrays(problem: Problem, sights: list[Sight]) -> dict[str, ArrayVerdict]:
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


def _inner(problem: Problem, sights: list[Sight]) -> dict[str, ArrayVerdict]:
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


def _exactly(
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
            out[claimed] = ArrayVerdict(claimed, bool(verdict), note="" if verdict else str(verdict), label=claimed)
    return out


def _corrections(problem: Problem, hand: Hand, found: Diagnosis) -> tuple[Correction, ...]:
    """Each wrong equation beside the correct one."""
    right, out = problem.derivation.adjoint, {}
    for m in found.mistakes:
        if m.edit is None or m.where not in right or m.where not in m.edit.net:
            continue
        net = found.adjoint.net if found.adjoint is not None and m.where in found.adjoint.net else m.edit.net
        wrong, correct = net[m.where], right[m.where]
        shown = hand.shown(m.where)
        out[m.where] = Correction(
            m.where, str(wrong), str(correct), shown or _latex(net, wrong), _latex(right, correct)
        )
    return tuple(out.values())


def _latex(net: Recurrence, e: Equation) -> str:
    return f"{pr.latex(e.left.math(net.notation))} = {pr.latex(e.right.math(net.notation))}"


def _smallest(problem: Problem, hand: Hand, wrong: tuple[str, ...]) -> Counterexample | None:
    """The smallest sizes, steps and batch at which a wrong gradient still shows."""
    batches = (None,) if problem.batch is None else (1, 2)
    for least in (1, 2):
        for steps in (1, 2, 3):
            for batch in batches:
                found = _shows(problem, hand, wrong, least, steps, batch)
                if found is not None:
                    return found
    return None


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
            if expected.shape == claimed.shape:
                bad = np.argwhere(~tolerance.close(claimed, expected))
                if len(bad):
                    index = tuple(int(k) for k in bad[0])
                    shown = {"T": steps, **({"B": batch} if batch else {}), **{str(s): n for s, n in sizes.items()}}
                    return Counterexample(
                        shown, name, index, float(claimed[index]), float(expected[index]), at.params, at.inputs
                    )
    return None
