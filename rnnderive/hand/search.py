"""Finding a layout: the small set that people use, tried by what the code's own forward says.

From a person's own arrays their names and shapes are known; which gate is which (by its letter in a name, or
whatever it is called by its place), whether [h; x] or
[x; h], which axis is time and whether z or 1 − z keeps the state is found by the value of the loss (or of
the states): the code runs once, the declared cell once for each candidate.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from rnnderive.errors import InputError, RnnDeriveError
from rnnderive.hand.candidates import candidates
from rnnderive.hand.code import Code
from rnnderive.hand.layouts import Layout
from rnnderive.hand.placed import Placed
from rnnderive.hand.presets import PRESETS, preset
from rnnderive.hand.problem import Problem
from rnnderive.hand.sizes import fitting, own_point

__all__ = ["Found", "search"]

CLOSE = 1e-8
TRIED = (
    "gates side by side or each in an array of its own, in every order, [h; x] and [x; h] and both apart, transposed "
    "or not, both polarities of z, every order of axes"
)


@dataclass(frozen=True)
class Found:
    """A layout that fits.

    Attributes
    ----------
    layout : Layout
    others : tuple of Layout
        That fit as well.
    tried : int
    """

    layout: Layout
    others: tuple[Layout, ...]
    tried: int

    @property
    def words(self) -> str:
        """What was found, as a sentence."""
        name = self.layout.name or "; ".join(str(self.layout).splitlines()) or "the cell's own"
        text = f"of {self.tried} layouts the forward fits this one: {name}"
        if self.others:
            text += f". {len(self.others)} more fit as well, the first: "
            text += self.others[0].name or "; ".join(str(self.others[0]).splitlines())
        return text


def search(
    code: Code, problem: Problem, params: Mapping[str, Any] | None = None, inputs: Mapping[str, Any] | None = None
) -> Found:
    """The layout of a program, from its forward.

    Parameters
    ----------
    code : Code
        Its layout is not used.
    problem : Problem
    params, inputs : mapping, optional
        The person's own arrays; without them only the frameworks' layouts and the cell's own are tried.

    Raises
    ------
    InputError
        When none fits.
    """
    if params or inputs:
        fits, tried, nearest = _by_arrays(code, problem, dict(params or {}), dict(inputs or {}))
    else:
        fits, tried, nearest = _by_name(code, problem)
    if not fits:
        raise InputError(
            f"none of {tried} layouts makes the code's forward that of the declared cell{nearest}; tried were {TRIED}; "
            "write the layout as equations ('W = [W_f | W_i]'), or declare the cell that the code has"
        )
    return Found(fits[0], tuple(fits[1:]), tried)


def _by_name(code: Code, problem: Problem) -> tuple[list[Layout], int, str]:
    """The cell's own layout and the frameworks', each called with arrays of its own."""
    fits: list[Layout] = []
    tried, said = 0, ""
    for layout in _named(problem):
        tried += 1
        asked = replace(code, layout=layout)
        try:
            at = asked.at(problem, problem.seed, problem.batch)
            placed = asked.placed(problem, at)
            asked.given(placed, at)
            claims = asked.claims(problem, at)
        except RnnDeriveError as error:
            said = f" (the last one: {error})"
            continue
        run = problem.run(at)
        same = [_same(v, run[n], False) for n, v in claims.forward.items()]
        if claims.loss is not None:
            same.append(_same(claims.loss, run[problem.net.loss or ""], True))
        if same and all(same):
            fits.append(layout)
    return fits, tried, said


def _named(problem: Problem) -> Iterator[Layout]:
    yield Layout(name="the cell's own")
    for name, order in itertools.product(PRESETS, ("batch_first", "time_first")):
        try:
            yield preset(f"{name} {order}", problem.net)
        except InputError:
            continue


def _by_arrays(
    code: Code, problem: Problem, params: dict[str, Any], inputs: dict[str, Any]
) -> tuple[list[Layout], int, str]:
    """Layouts that the shapes allow; the code is asked once, at the person's own arrays."""
    mine = {**params, **inputs}
    kinds = candidates(problem, params, inputs)
    allowed = {k: placed for k, text in enumerate(next(kinds)) if (placed := _placed(text, problem, mine)) is not None}
    loss, failure = _loss(code, allowed.values(), mine)
    if loss is None:
        return [], len(allowed), failure
    value = problem.derivation.value
    fits: dict[str, Layout] = {}
    tried = 0
    for texts in candidates(problem, params, inputs):
        for k, like in allowed.items():
            layout = _whole(texts[k], problem, mine)
            at = own_point(layout, problem, mine, Placed(layout, problem, like.sizes, like.T, like.batch))
            tried += 1
            if _same(loss, value.raw(at.params, at.inputs)[problem.net.loss or ""], True):
                fits.setdefault("\n".join(sorted(str(layout).splitlines())), layout)
    return list(fits.values()), tried, ""


def _whole(text: str, problem: Problem, mine: Mapping[str, Any]) -> Layout:
    """A layout with the initial states that the person's arrays do not have said to be absent."""
    none = [s for s in problem.net.initial_states if s not in mine]
    return Layout.parse(text + (f"\nnone = {', '.join(none)}" if none else ""))


def _placed(text: str, problem: Problem, mine: Mapping[str, Any]) -> Placed | None:
    """A layout at the arrays' sizes; None where their shapes do not allow it."""
    try:
        return fitting(_whole(text, problem, mine), problem, mine)
    except RnnDeriveError:
        return None


def _loss(code: Code, allowed: Iterable[Placed], mine: Mapping[str, Any]) -> tuple[Any, str]:
    """What the code says its loss is at the person's arrays, or why it does not."""
    failure = " (the shapes of params and inputs allow none)"
    for placed in allowed:
        asked = replace(code, layout=placed.layout)
        try:
            claims = asked.claims(placed.problem, asked.fitted(own_point(placed.layout, placed.problem, mine, placed)))
        except RnnDeriveError as error:
            failure = f" ({error})"
            continue
        if claims.loss is not None:
            return claims.loss, ""
        failure = f" ({claims.problems[0] if claims.problems else 'the code returns no loss to compare'})"
    return None, failure


def _same(found: Any, expected: Any, total: bool) -> bool:
    found, expected = np.asarray(found), np.asarray(expected)
    if total:
        found, expected = found.sum(), expected.sum()
    near = 1e-4 if found.dtype == np.float32 else CLOSE
    return bool(found.shape == expected.shape and np.abs(found - expected).max() <= near * np.abs(expected).max())
