"""Reading a callable in one call: its style, its layout, what of the cell it has."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from rnnderive.checks.points import Point
from rnnderive.errors import InputError
from rnnderive.hand.code import Code
from rnnderive.hand.functions import layout_of
from rnnderive.hand.layouts import Layout
from rnnderive.hand.presets import preset
from rnnderive.hand.problem import Problem
from rnnderive.hand.sandbox import Limit
from rnnderive.hand.search import search
from rnnderive.hand.sizes import own_point

__all__ = ["read_callable"]


def read_callable(
    fn: Callable[..., Any],
    problem: Problem,
    *,
    layout: Any = None,
    forward: Callable[..., Any] | None = None,
    names: str | Sequence[str] | None = None,
    outputs: str | Sequence[str] | None = None,
    upstream: str | Sequence[str] | None = None,
    loss: str | float = "sum",
    dtype: Any = np.float64,
    params: Mapping[str, Any] | None = None,
    inputs: Mapping[str, Any] | None = None,
    time_limit: float | None = 60.0,
) -> Code:
    """Read a program of loss and gradients, or a pair of forward and backward.

    Arguments are found by name: an array of the layout, ``params`` and ``inputs`` (dicts), what is left over
    of a backward's (upstream gradients, then the cache), or global names of the function's module.

    Parameters
    ----------
    fn : callable
        Of any arguments, returning ``(loss, grads)``, or what `names` says; with `forward`, the backward.
    problem : Problem
        What is declared.  Gradients that arrive from outside are those of
        :func:`~rnnderive.hand.problem.with_upstream`; a single step has T = 1.
    layout : Layout, str, mapping or callable, optional
        Equations (:mod:`rnnderive.hand.layouts`), the name of a preset (``pytorch``), ``"search"``, or a function
        ``(params, inputs) -> (params, inputs)`` from the code's arrays to the cell's.
    forward : callable, optional
        Returns outputs and, last, the cache.
    names, outputs : str or sequence, optional
        What `fn` and `forward` return, in order: ``"loss dW dU db"``, ``"h cache"``.
    upstream : str or sequence, optional
        Names of the upstream gradients, where the backward calls them otherwise; in its order.
    loss : {"sum", "mean"} or float
        The mean over the batch, or what the code's loss is multiplied by to be the cell's.
    dtype : dtype
        What the code is given.
    params, inputs : mapping, optional
        A test point of the person's own, in the person's own arrays.
    time_limit : float, optional
        Seconds that a call may take, 60 unless given, None for any.  A call that takes longer is stopped, which
        the verdict says, and the code is not asked again.  Only where there is an alarm clock: in the main
        thread, and not on Windows.

    Returns
    -------
    Code

    Raises
    ------
    InputError
        When the arrays cannot be brought together with the code's arguments.

    Examples
    --------
    >>> import rnnderive as rd
    >>> def program(w, xs):
    ...     s, slope = np.zeros(len(w)), np.zeros(len(w))
    ...     for x in xs:
    ...         s, slope = w * s + x, s + w * slope
    ...     return s.sum(), {"w": slope}
    >>> problem = Problem(rd.Recurrence.parse("s[t] = a * s[t-1] + x[t]\\nL = sum(s[T])"))
    >>> code = read_callable(program, problem, layout="w = a\\nxs = x")
    >>> code.remarks
    ('s0: not read by the code; taken to be zero',)
    >>> at = code.at(problem)
    >>> np.allclose(code.claims(problem, at).grads["a"], problem.run(at)["da"])
    True
    """
    home: Point | None = None
    remarks: tuple[str, ...] = ()
    code = Code(
        fn, Layout(), forward, _words(names), _words(outputs), _words(upstream) or (), _factor(loss),
        np.dtype(dtype).type, limit=Limit(time_limit),
    )  # fmt: skip
    if isinstance(layout, str) and layout == "search":
        found = search(code, problem, params, inputs)
        layout, remarks = found.layout, (found.words,)
    elif isinstance(layout, str) and "=" not in layout:
        layout = preset(layout, problem.net)
    elif callable(layout):
        if params is None and inputs is None:
            raise InputError("a layout function needs arrays of the code's to work on: give params and inputs")
        layout, home = layout_of(layout, problem, params or {}, inputs or {})
    layout = Layout.of(layout)
    if home is None and (params is not None or inputs is not None):
        home = own_point(layout, problem, {**(params or {}), **(inputs or {})})
    code = dataclasses.replace(code, layout=layout)
    code = dataclasses.replace(code, own=None if home is None else code.fitted(home))
    states, absent = unread(code, problem)
    if absent:
        remarks = (*remarks, f"{', '.join(absent)}: not read by the code; taken to be zero")
        layout = dataclasses.replace(layout, absent=(*layout.absent, *absent))
    code = dataclasses.replace(code, layout=layout, remarks=remarks, states=states)
    return dataclasses.replace(code, own=None if code.own is None else code.fitted(code.own))


def unread(code: Code, problem: Problem) -> tuple[str, tuple[str, ...]]:
    """Which dict the code reads initial states from, and those that do not reach it, or that it does not read.

    Raises
    ------
    InputError
        When a parameter or an input does not reach it.
    """
    at = code.at(problem, problem.seed, problem.batch)
    placed = code.placed(problem, at)
    given, in_dicts = code.given(placed, at)
    net = problem.net
    lost = {n: e for n, e in placed.entries.items() if n not in given and placed.about(e) in ("parameter", "input")}
    states = [n for n, e in lost.items() if e.part.names[0] in net.initial_states]
    other = [n for n in lost if n not in states]
    if other:
        raise InputError(
            f"{', '.join(other)} would not reach {getattr(code.fn, '__name__', 'the code')}, which takes "
            f"{', '.join(sorted(given)) or 'nothing'}; say in layout what it is called there ('name = {other[0]}'), or "
            f"that it has none ('none = {placed.entries[other[0]].part.names[0]}')"
        )
    out = tuple(dict.fromkeys(n for s in states for n in lost[s].part.names))
    asked = [n for n in net.initial_states if n not in out and n not in code.layout.mentioned]
    if not in_dicts or not asked:
        return "", out
    # A name in a dict may be there and not be read; and it may be looked for in the other dict.
    usual = "params" if at.batch is None else "inputs"
    tried = {}
    for table in dict.fromkeys((usual, "params", "inputs")):
        there = dataclasses.replace(code, states=table)
        tried[table] = {n: _reads(there, problem, at, n) for n in asked}
        if any(tried[table].values()):
            return table, (*out, *(n for n in asked if tried[table][n] is False))
    silent = any(v is None for v in tried[usual].values())  # it fails, or gives no loss: a matter for the claims
    return usual, out if silent else (*out, *asked)


def _reads(code: Code, problem: Problem, at: Point, name: str) -> bool | None:
    """Whether the code's loss depends on an array; None where it gives none."""
    placed = code.placed(problem, at)
    array = np.asarray(at[name])
    values = [code.loss(placed, at.where(name, a)) for a in (array, array + 0.5)]
    return None if values[0] is None or values[1] is None else bool(values[0] != values[1])


def _words(names: str | Sequence[str] | None) -> tuple[str, ...] | None:
    return tuple(names.replace(",", " ").split()) if isinstance(names, str) else None if names is None else tuple(names)


def _factor(loss: str | float) -> float | str:
    if isinstance(loss, str):
        if loss not in ("sum", "mean"):
            raise InputError(f"loss is {loss!r}; expected 'sum', 'mean' (over the batch), or a factor")
        return "batch" if loss == "mean" else 1.0
    return float(loss)
