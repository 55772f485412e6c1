"""Which quantity of the adjoint a claimed name is: by its name, by its value, by how it is used."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from rnnderive.checks.identity import elements, field_for
from rnnderive.hand.problem import Problem
from rnnderive.language import Field, Recurrence, Run

__all__ = ["Match", "gradient_of", "matched", "runs"]

STEPS = 4
MAX_TRIALS = 400

_FORMS = (
    r"d[A-Za-z]+?_?d_?(?P<x>.+)",  # dL_dW, dLdW
    r"(?:d|d_|grad_|grad|g_|nabla_|nabla)(?P<x>.+)",
    r"(?P<x>.+?)_(?:grad|bar)",
)


def gradient_of(name: str, known: Iterable[str], loss: str | None = "L") -> str | None:
    """What a name is the gradient of: W for dW, d_W, grad_W, dLdW, dL_dW, W_grad.

    Examples
    --------
    >>> [gradient_of(n, ["W", "h0"]) for n in ("dW", "dL_dW", "grad_W", "dh_0", "delta")]
    ['W', 'W', 'W', 'h0', None]
    """
    there = {_plain(n): n for n in known}
    for form in (rf"d{re.escape(loss or 'L')}_?d_?(?P<x>.+)", *_FORMS):
        found = re.fullmatch(form, name)
        if found and _plain(found["x"]) in there:
            return there[_plain(found["x"])]
    return None


def _plain(name: str) -> str:
    """A name without the underscores that writers set differently."""
    return name.replace("_", "")


@dataclass(frozen=True)
class Match:
    """Claimed name → name in the adjoint, and how each was found.

    Attributes
    ----------
    names : dict
    notes : tuple of str
        What was not found by name, in words.
    """

    names: dict[str, str]
    notes: tuple[str, ...]


def runs(problem: Problem, net: Recurrence, T: int, sizes: Mapping[Any, int] | None, seed: int = 0) -> tuple[Run, Run]:
    """The correct adjoint and a hand derivation in the field, on the same elements."""
    field = field_for(problem.net, T, sizes, seed)
    values = elements(problem.net, field, T, seed)
    return Run(problem.derivation.adjoint, field, values, T), Run(net, field, values, T)


def matched(
    problem: Problem,
    net: Recurrence,
    claimed: Iterable[str],
    given: Mapping[str, str],
    T: int | None = None,
    sizes: Mapping[Any, int] | None = None,
) -> Match:
    """Match every claimed name with a quantity of the adjoint.

    Gradients go by name.  An intermediate quantity goes by its value in the field, whatever its
    name; by its name where no value agrees; else by its use: with the right values of which quantity
    in its place do most gradients come out right?
    """
    adjoint, own = runs(problem, net, T or STEPS, sizes)
    inner = {e.name for e in problem.derivation.pulled.backward}
    gradients = problem.gradients
    names: dict[str, str] = {}
    notes: list[str] = []
    left = []
    for name in claimed:
        if name in given:
            names[name] = given[name]
        elif (of := gradient_of(name, gradients, problem.net.loss)) is not None:
            names[name] = gradients[of]
        else:
            left.append(name)
    values = {n: adjoint[n] for n in inner}
    free = [n for n in inner if n not in names.values()]
    for name in list(left):
        value = own[name]
        same = [n for n in (name, *sorted(free)) if n in values and _same(value, values[n])]
        if same:
            names[name] = same[0]
            left.remove(name)
            if same[0] != name:
                notes.append(f"{name} is the {same[0]} of this package: their values agree")
    whole = {n: a for n in names if n in names for a in [names[n]]}
    right = all(_same(own[n], values[a]) for n, a in whole.items() if a in gradients.values())
    if right and any(a in gradients.values() for a in whole.values()):
        notes += [f"{n} is a quantity of your own, and the gradients agree" for n in left]
        return Match(names, tuple(notes))
    named = _by_name(problem, left, inner)
    names |= named
    left = [n for n in left if n not in named]
    used = _by_use(net, own, values, names, left, [n for n in inner if n not in names.values()])
    names |= used
    notes += [f"{n} was taken for {a}: with its values the rest comes out right" for n, a in used.items()]
    notes += [f"{n} was compared with nothing: no quantity of this package has its name or its value"
              for n in left if n not in used]  # fmt: skip
    return Match(names, tuple(notes))


def _same(a: Any, b: Any) -> bool:
    pairs = [(a, b)] if not isinstance(a, list) else list(zip(a, b, strict=True)) if isinstance(b, list) else []
    if isinstance(b, list) and not isinstance(a, list):
        return False
    return bool(pairs) and all(x.shape == y.shape and bool((x == y).all()) for x, y in pairs)


def _by_name(problem: Problem, left: Iterable[str], inner: set[str]) -> dict[str, str]:
    states = {v: n for n, v in problem.derivation.adjoint.notation.adjoints.items()}
    plain = {_plain(n): n for n in inner}
    found = {}
    for name in left:
        of = gradient_of(name, states, problem.net.loss)
        if _plain(name) in plain:
            found[name] = plain[_plain(name)]
        elif of is not None and states[of] in inner:
            found[name] = states[of]
    return found


def _by_use(
    net: Recurrence, own: Run, values: Mapping[str, Any], names: Mapping[str, str], left: list[str], free: list[str]
) -> dict[str, str]:
    """Put right values in the place of an unknown quantity, and see which make others right."""
    algebra = own.algebra
    if not isinstance(algebra, Field) or len(left) * len(free) > MAX_TRIALS:
        return {}
    found: dict[str, str] = {}
    for name in left:
        base = _score(net, own, values, names, {})
        best, score = None, base
        for other in free:
            if net[name].timed != isinstance(values[other], list) or other in found.values():
                continue
            if _shape(own[name]) != _shape(values[other]):
                continue
            now = _score(net, own, values, names, {name: values[other]})
            if now > score:
                best, score = other, now
        if best is not None:
            found[name] = best
    return found


def _score(net: Recurrence, own: Run, values: Mapping[str, Any], names: Mapping[str, str], put: dict[str, Any]) -> int:
    run = Run(net, own.algebra, {**own.values, **put}, own.T)
    return sum(_same(run[n], values[a]) for n, a in names.items())


def _shape(value: Any) -> tuple[int, ...]:
    return tuple((value[0] if isinstance(value, list) else value).shape)
