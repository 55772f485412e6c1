"""A stranger's code, called so that nothing it does reaches further than its answer.

It gets copies of its arguments, the same random numbers each time, and a page of its own to print on;
what it raises becomes a sentence.
"""

from __future__ import annotations

import contextlib
import copy
import io
import os
import random
import traceback
import types
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

__all__ = ["Answer", "call", "differences", "frozen_random", "module_names", "set_globals"]

SEED = 20160809


@dataclass(frozen=True, eq=False)
class Answer:
    """What a call gave.

    Attributes
    ----------
    value : object
        None if it failed.
    failure : str
        A sentence, empty if it did not fail.
    changed : tuple of str
        Names of arguments that it wrote on.
    printed : str
    """

    value: Any = None
    failure: str = ""
    changed: tuple[str, ...] = ()
    printed: str = ""


def call(
    fn: Callable[..., Any],
    arguments: Sequence[Any] = (),
    keywords: Mapping[str, Any] | None = None,
    *,
    labels: Sequence[str] = (),
    space: Mapping[str, Any] | None = None,
) -> Answer:
    """Call a function on copies.

    Parameters
    ----------
    fn : callable
    arguments, keywords : sequence, mapping
    labels : sequence of str
        What the positional arguments are called in sentences.
    space : mapping, optional
        Global names of the function's module to set during the call.

    Examples
    --------
    >>> call(lambda x: x.pop(), [[]], labels=["x"]).failure
    'it raised IndexError: pop from empty list (in <lambda>, <doctest rnnderive.hand.sandbox.call[0]>, line 1)'
    """
    given: dict[Any, Any] = {**dict(enumerate(arguments)), **(keywords or {})}
    copies = copy.deepcopy(given)
    positional = [copies[k] for k in range(len(arguments))]
    named = {k: copies[k] for k in keywords or {}}
    name = getattr(fn, "__name__", type(fn).__name__)
    page = io.StringIO()
    with (
        frozen_random(),
        set_globals(fn, copy.deepcopy(dict(space or {}))),
        warnings.catch_warnings(),
    ):
        warnings.simplefilter("ignore")
        try:
            with contextlib.redirect_stdout(page), np.errstate(all="ignore"):
                value = fn(*positional, **named)
        except (Exception, SystemExit) as error:
            return Answer(failure=_sentence(error, name), printed=page.getvalue())
    changed = tuple(
        str(labels[k] if isinstance(k, int) and k < len(labels) else k) + where
        for k in given
        for where in differences(given[k], copies[k])
    )
    return Answer(value, "", changed, page.getvalue())


@contextlib.contextmanager
def frozen_random() -> Iterator[None]:
    """The global random streams at one fixed place; afterwards where they were."""
    legacy, plain = np.random.get_state(), random.getstate()
    np.random.seed(SEED)
    random.seed(SEED)
    try:
        yield
    finally:
        np.random.set_state(legacy)
        random.setstate(plain)


@contextlib.contextmanager
def set_globals(fn: Callable[..., Any], values: Mapping[str, Any]) -> Iterator[None]:
    """Global names of a function's module, set for a while."""
    space = module_names(fn)
    before = {n: space[n] for n in values}
    space.update(values)
    try:
        yield
    finally:
        space.update(before)


def module_names(fn: Callable[..., Any]) -> dict[str, Any]:
    """The global names that a function sees; none for what is not written in Python."""
    plain = getattr(fn, "__func__", fn)
    return plain.__globals__ if isinstance(plain, types.FunctionType) else {}


def differences(before: Any, after: Any) -> list[str]:
    """Where two nests of arrays differ: ``["W"]``, ``[3]``, or nothing."""
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        keys = [k for k in before if k in after]
        lost = [f"[{k!r}]" for k in before if k not in after]
        return lost + [f"[{k!r}]{w}" for k in keys for w in differences(before[k], after[k])]
    if isinstance(before, list | tuple) and isinstance(after, list | tuple):
        if len(before) != len(after):
            return [""]
        return [f"[{k}]{w}" for k, (a, b) in enumerate(zip(before, after, strict=True)) for w in differences(a, b)]
    if isinstance(before, np.ndarray) or isinstance(after, np.ndarray):
        return [] if _same(before, after) else [""]
    return []


def _same(a: Any, b: Any) -> bool:
    try:
        return bool(np.array_equal(a, b, equal_nan=True))
    except TypeError:
        return bool(np.array_equal(a, b))


def _sentence(error: BaseException, name: str) -> str:
    """What was raised, and the last line of the stranger's own code that it came through."""
    here = os.path.abspath(__file__)
    frames = [f for f in traceback.extract_tb(error.__traceback__) if os.path.abspath(f.filename) != here]
    text = str(error).strip() or "no message"
    place = ""
    if frames:
        own = [f for f in frames if f"{os.sep}numpy{os.sep}" not in f.filename]
        last = (own or frames)[-1]
        place = f" (in {last.name}, {os.path.basename(last.filename)}, line {last.lineno})"
    else:
        place = f" (when {name} was called)"
    return f"it raised {type(error).__name__}: {text}{place}"
