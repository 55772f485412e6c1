"""Which array goes where in a call: arguments are found by their names, as the function declares them."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rnnderive.errors import InputError
from rnnderive.hand.placed import Placed
from rnnderive.hand.sandbox import module_names

__all__ = ["Arguments", "arguments"]

PARAMETERS = frozenset({"params", "parameters", "weights", "theta", "p", "ps", "model"})
INPUTS = frozenset({"inputs", "data", "batch", "input", "example", "sample"})


@dataclass(frozen=True, eq=False)
class Arguments:
    """The arguments of one call.

    Attributes
    ----------
    values : tuple
    labels : tuple of str
    keywords, space : dict
        By keyword, and as global names of the function's module.
    given : frozenset of str
        The person's names that reach the function.
    in_dicts : bool
        Whether arrays are passed in dicts, where a name may be there and not be read.
    """

    values: tuple[Any, ...]
    labels: tuple[str, ...]
    keywords: dict[str, Any]
    space: dict[str, Any]
    given: frozenset[str]
    in_dicts: bool


def arguments(
    fn: Callable[..., Any],
    placed: Placed,
    arrays: Mapping[str, Any],
    more: Sequence[tuple[str, Any]] = (),
    *,
    states: str = "params",
) -> Arguments:
    """The arguments of a function, each by its name.

    Parameters
    ----------
    fn : callable
    placed : Placed
    arrays : mapping
        The person's name → array.
    more : sequence of (name, value)
        What goes, in order, to arguments of other names: upstream gradients and the cache.
    states : {"params", "inputs"}
        The dict that initial states are in, where dicts are passed.

    Raises
    ------
    InputError
        For an argument that nothing fits; the message says which names there are.
    """
    name = getattr(fn, "__name__", type(fn).__name__)
    known = {**arrays, **dict(more), "T": placed.T, "B": placed.batch or 1}
    wanted, open_ended = _wanted(fn, known)
    by_name = {p.name for p in wanted}
    tables = _tables(placed, {n: a for n, a in arrays.items() if n not in by_name}, states)
    plain = [p for p in wanted if p.name not in known]
    left = [(n, v) for n, v in more if n not in by_name]
    fill = dict(zip((p.name for p in plain), left, strict=True)) if more and len(plain) == len(left) else {}
    both = ("params", "inputs") if not more and len(plain) == 2 == len(wanted) else ()
    positional: list[Any] = []
    labels: list[str] = []
    keywords: dict[str, Any] = {}
    given: set[str] = set()
    for p in wanted:
        table = both[plain.index(p)] if both else None
        if p.name in known:
            value, taken = known[p.name], {p.name}
        elif p.name in fill:
            label, value = fill[p.name]
            taken = {label}
        elif table or p.name in PARAMETERS or p.name in INPUTS:
            value = tables[table or ("params" if p.name in PARAMETERS else "inputs")]
            taken = set(value)
        else:
            raise InputError(
                f"{name} has an argument {p.name}, and no array is called that; there are "
                f"{', '.join([*arrays, *(n for n, _ in left)])}. Say in layout which it is: '{p.name} = …'"
            )
        given |= taken
        if p.kind is p.KEYWORD_ONLY:
            keywords[p.name] = value
        else:
            positional.append(value)
            labels.append(p.name)
    if open_ended:
        keywords |= {n: v for n, v in arrays.items() if n not in given}
        given |= set(arrays)
    module = module_names(fn)
    written = {e.name for e in placed.layout.entries}
    space = {n: v for n, v in arrays.items() if n in written - given and n in module}
    in_dicts = any(isinstance(v, dict) for v in positional) or open_ended
    return Arguments(
        tuple(positional), tuple(labels), keywords, space, frozenset(given | set(space)), in_dicts
    )  # fmt: skip


def _tables(placed: Placed, arrays: Mapping[str, Any], states: str) -> dict[str, dict[str, Any]]:
    """The two dicts."""
    tables: dict[str, dict[str, Any]] = {"params": {}, "inputs": {}}
    for n, value in arrays.items():
        entry = placed.entries[n]
        initial = entry.part.names[0] in placed.problem.net.initial_states
        tables[states if initial else "params" if placed.about(entry) == "parameter" else "inputs"][n] = value
    return tables


def _wanted(fn: Callable[..., Any], known: Mapping[str, Any]) -> tuple[list[inspect.Parameter], bool]:
    """The arguments to give, without those that have a default and no array; and whether ``**others`` are taken."""
    try:
        parameters = list(inspect.signature(fn).parameters.values())
    except (TypeError, ValueError):  # a compiled function tells nothing
        kind = inspect.Parameter.POSITIONAL_ONLY
        return [inspect.Parameter("params", kind), inspect.Parameter("inputs", kind)], False
    wanted = [p for p in parameters if p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)]
    wanted = [p for p in wanted if p.name in known or p.default is p.empty]
    positional_gap = False
    out = []
    for p in parameters:  # after an argument that is left out, the next go by keyword
        positional_gap |= p not in wanted
        if p in wanted:
            by_keyword = positional_gap and p.kind is p.POSITIONAL_OR_KEYWORD
            out.append(p.replace(kind=p.KEYWORD_ONLY) if by_keyword else p)
    return out, any(p.kind is p.VAR_KEYWORD for p in parameters)
