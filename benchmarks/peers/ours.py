"""The programs of this package, called as users call them, with all checks of the arrays."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from functools import partial
from typing import Any

import rnnderive as rd
from benchmarks.peers.task import Task, Unavailable
from benchmarks.work import Arrays, Work
from rnnderive.programs import prepare

__all__ = ["build", "program"]


def program(derivation: rd.Derivation, options: Mapping[str, Any]) -> Any:
    """``derivation.lambdify(**options)``, or Unavailable where it knows no such option.

    Raises
    ------
    Unavailable
        Says which option is missing, or what else stands in the way.
    """
    known = inspect.signature(derivation.lambdify).parameters
    missing = [name for name in options if name not in known]
    if missing:
        raise Unavailable(f"lambdify has no {' and no '.join(missing)}=")
    try:
        return derivation.lambdify(**options)
    except (rd.RnnDeriveError, ImportError) as error:  # such as a backend that is not installed
        raise Unavailable(str(error).splitlines()[0]) from None


def build(work: Work, params: Arrays, inputs: Arrays, *, checked: bool = True, **options: Any) -> Task:
    """Value and gradient by ``lambdify``; options are passed on, and ``threads`` where there are several.

    Without `checked` it is the generated function alone, on arrays that are checked already.
    """
    if work.threads > 1:
        options = {**options, "threads": work.threads}
    net = work.of.equations
    call = program(rd.derive(net), options)
    states = {name: params[name] for name in net.initial_states}  # they have a batch axis, as inputs do
    weights = {name: array for name, array in params.items() if name not in states}
    inputs = {**inputs, **states}
    if not checked:
        arrays = prepare(net, weights, inputs)
        call, weights, inputs = call.raw, arrays.params, arrays.inputs
    return Task(partial(call, weights, inputs), lambda result: (float(result[0]), dict(result[1])))
