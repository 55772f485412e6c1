"""A stranger's code, called so that nothing it does reaches further than its answer.

It gets copies of its arguments, the same random numbers each time, a page of its own to print on, and so
much time; what it raises becomes a sentence.
"""

from __future__ import annotations

import contextlib
import copy
import io
import os
import random
import signal
import threading
import traceback
import types
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

__all__ = ["Answer", "Late", "Limit", "call", "differences", "frozen_random", "module_names", "set_globals"]

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


class Late(BaseException):
    """The time is over; no Exception, so that the stranger's own `except Exception` does not catch it."""


@dataclass(eq=False)
class Limit:
    """How long a call may take; whoever is late once is not asked again.

    It needs the alarm clock of Unix, which rings in the main thread alone: elsewhere there is no limit.

    Attributes
    ----------
    seconds : float or None
    failure : str
        The sentence about the call that was late.
    """

    seconds: float | None = None
    failure: str = ""

    @contextlib.contextmanager
    def running(self) -> Iterator[None]:
        """Raise when the time is over."""
        here = threading.current_thread() is threading.main_thread() and hasattr(signal, "setitimer")
        if self.seconds is None or not here:
            yield
            return

        def ring(number: int, frame: types.FrameType | None) -> None:
            raise Late

        before = signal.signal(signal.SIGALRM, ring)
        left, again = signal.setitimer(signal.ITIMER_REAL, self.seconds)
        try:
            yield
        finally:
            signal.setitimer(signal.ITIMER_REAL, left, again)  # an alarm of the caller's goes on
            signal.signal(signal.SIGALRM, before)


def call(
    fn: Callable[..., Any],
    arguments: Sequence[Any] = (),
    keywords: Mapping[str, Any] | None = None,
    *,
    labels: Sequence[str] = (),
    space: Mapping[str, Any] | None = None,
    limit: Limit | None = None,
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
    limit : Limit, optional

    Examples
    --------
    >>> call(lambda x: x.pop(), [[]], labels=["x"]).failure
    'it raised IndexError: pop from empty list (in <lambda>, <doctest rnnderive.hand.sandbox.call[0]>, line 1)'
    """
    limit = limit or Limit()
    if limit.failure:
        return Answer(failure=limit.failure)
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
            with contextlib.redirect_stdout(page), np.errstate(all="ignore"), limit.running():
                value = fn(*positional, **named)
        except Late as late:
            limit.failure = f"it gave no answer within {limit.seconds:g} s{_place(late, name)}"
            return Answer(failure=limit.failure, printed=page.getvalue())
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
    """What was raised, and where."""
    text = str(error).strip() or "no message"
    return f"it raised {type(error).__name__}: {text}{_place(error, name)}"


def _place(error: BaseException, name: str) -> str:
    """The last line of the stranger's own code that an error came through."""
    here = os.path.abspath(__file__)
    frames = [f for f in traceback.extract_tb(error.__traceback__) if os.path.abspath(f.filename) != here]
    if not frames:
        return f" (when {name} was called)"
    last = ([f for f in frames if f"{os.sep}numpy{os.sep}" not in f.filename] or frames)[-1]
    return f" (in {last.name}, {os.path.basename(last.filename)}, line {last.lineno})"
