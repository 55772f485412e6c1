"""One call: is this derivation right, and if not, where and why."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any

import sympy as sp

from rnnderive.cells import recurrence
from rnnderive.checks.points import Point
from rnnderive.errors import InputError
from rnnderive.hand.claims import Hand
from rnnderive.hand.diagnosis import Progress
from rnnderive.hand.judge import judge
from rnnderive.hand.problem import Problem, with_upstream
from rnnderive.hand.verdict import Verdict
from rnnderive.language import Recurrence
from rnnderive.programs import prepare

__all__ = ["read", "verify"]


def verify(
    net: Recurrence | str | os.PathLike[str],
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
    net : Recurrence, str or path
        The declared cell with its loss: itself, its equations, the name of a cell of the library, or a file.
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
        Steps and sequences of the test points; 6 steps or more (a program that is right for these is asked about
        40 besides, unless `T` is given), one sequence without a batch axis.
    progress : callable, optional
        Told in words what is being tried.
    **options
        Passed on to the reader of the kind of `hand`: for a program `forward`, `outputs`, `loss`, `dtype`,
        `time_limit` (:func:`~rnnderive.hand.callables.read_callable`).

    Returns
    -------
    Verdict
        Truthy when right; ``print`` tells the whole story.

    Raises
    ------
    InputError, LanguageError
        When `net` or `hand` is nothing that can be read.

    Examples
    --------
    >>> import rnnderive as rd
    >>> net = rd.Recurrence.parse("s[t] = tanh(a * s[t-1] + x[t])\\nL = sum(s[T])")
    >>> hand = rd.Recurrence.parse(str(rd.derive(net).adjoint).replace("da = sum(delta_s[t]", "da = sum(ds[t]"))
    >>> verdict = verify(net, hand)
    >>> bool(verdict), verdict.diagnosis[0].kind
    (False, 'missing factor')
    """
    net = recurrence(net)
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
    return judge(problem, read_hand, at=at, long=T is None, progress=progress)


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
        from rnnderive.hand.equations import read_equations

        return read_equations(hand, problem, **_named(names), **options)
    if isinstance(hand, sp.Basic | sp.MatrixBase | Mapping):
        from rnnderive.hand.expressions import read_sympy

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
