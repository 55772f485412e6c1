"""A Python file that a person wrote: run as their own program, and the function to verify found in it."""

from __future__ import annotations

import contextlib
import importlib.util
import inspect
import operator
import sys
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from rnnderive.errors import InputError

if TYPE_CHECKING:
    from rnnderive.language import Recurrence

__all__ = ["Program"]


@dataclass(frozen=True)
class Program:
    """A module that was run from a file.

    Attributes
    ----------
    path : Path
    module : module
    """

    path: Path
    module: ModuleType

    @classmethod
    def run(cls, path: Path, seconds: float | None = None) -> Program:
        """Run a file as ``python FILE`` does, but for what stands under ``if __name__ == "__main__"``.

        Modules of its own folder can be imported; what it prints goes to stderr.

        Raises
        ------
        InputError
            What it raised, and in which line; or that it took longer than so many seconds.
        """
        from rnnderive.hand.sandbox import Late, Limit

        if not path.is_file():
            raise InputError(f"there is no file {str(path)!r}")
        name = f"verified_{path.stem}"  # no module that anybody imports
        spec = importlib.util.spec_from_file_location(name, path)
        assert spec is not None and spec.loader is not None  # it is named .py
        module = sys.modules[name] = importlib.util.module_from_spec(spec)
        sys.path.insert(0, str(path.resolve().parent))
        try:
            with contextlib.redirect_stdout(sys.stderr), Limit(seconds).running():
                spec.loader.exec_module(module)
        except (Exception, SystemExit, Late) as error:
            lines = [f.lineno for f in traceback.extract_tb(error.__traceback__) if f.filename == str(path)]
            line = getattr(error, "lineno", None) or (lines[-1] if lines else None)
            where = f", line {line}" if line else ""
            if isinstance(error, Late):
                said = f"running it took longer than {seconds:g} s; what trains stands under if __name__ == '__main__'"
                raise InputError(f"{path}{where}: {said}") from None
            raise InputError(f"{path}{where}: running it raised {type(error).__name__}: {error}") from None
        return cls(path, module)

    @property
    def own(self) -> dict[str, Callable[..., Any]]:
        """The functions that it defines, without private ones, tests and main."""
        return {
            n: f
            for n, f in vars(self.module).items()
            if inspect.isfunction(f)
            and f.__module__ == self.module.__name__
            and not n.startswith(("_", "test"))
            and n != "main"
        }

    def functions(self, name: str | None, forward: str | None) -> tuple[Any, Any]:
        """The function to verify, and where that is a backward, its forward.

        Unless it is named it is the one that no other function of the file calls.  The forward of
        ``lstm_backward`` is ``lstm_forward``.

        Raises
        ------
        InputError
            When there is no such function, or it is not clear which one it is.
        """
        own = self.own
        if name is None:
            called = {n for f in own.values() for n in f.__code__.co_names}
            top = [n for n in own if n not in called and n != forward]
            forwards = {_forward_of(n) for n in top}
            top = [n for n in top if n not in forwards]
            if len(top) != 1:
                raise InputError(
                    f"{self.path} has {'no function' if not top else 'the functions ' + ', '.join(top)}; expected one "
                    "that returns loss and gradients, or --function NAME"
                )
            name = top[0]
        guess = _forward_of(name)
        forward = forward or (guess if guess in own else None)
        return self._found(name), None if forward is None else self._found(forward)

    def _found(self, name: str) -> Any:
        """A function by its name, or by a dotted one: the method of an object."""
        try:
            found = operator.attrgetter(name)(self.module)
        except AttributeError:
            found = None
        if not callable(found):
            there = ", ".join(self.own) or "none"
            raise InputError(f"{self.path} has no function {name!r}; there are {there}")
        return found

    @property
    def cell(self) -> Recurrence:
        """The network that it is about: the one Recurrence among its names.

        Raises
        ------
        InputError
            When there is none, or several.
        """
        from rnnderive.language import Recurrence

        found = {v: n for n, v in vars(self.module).items() if isinstance(v, Recurrence)}
        if len(found) != 1:
            what = f"has several networks: {', '.join(found.values())}" if found else "does not say which network it is"
            raise InputError(f"{self.path} {what}; expected --cell NAME, as in --cell lstm, or --cell FILE")
        return next(iter(found))


def _forward_of(backward: str) -> str | None:
    return backward.replace("backward", "forward") if "backward" in backward else None
