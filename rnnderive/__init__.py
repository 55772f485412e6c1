"""rnnderive: derive, run, check and tell the gradients of recurrent networks.

A recurrent network is a system of recurrence equations; its gradient is another one.  Start with
:class:`Recurrence` and :func:`derive`.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rnnderive import cells
    from rnnderive.chains import analyze
    from rnnderive.checks import check
    from rnnderive.derivation import Derivation, derive
    from rnnderive.errors import InputError, LanguageError, RnnDeriveError, ScheduleError, ShapeError
    from rnnderive.hand.verify import verify
    from rnnderive.language import Recurrence, T

__version__ = "0.1.0"

# SymPy takes its time to load: a name is loaded when it is first asked for, from the room where it lives.
_HOMES = {
    "Derivation": "derivation",
    "InputError": "errors",
    "LanguageError": "errors",
    "Recurrence": "language",
    "RnnDeriveError": "errors",
    "ScheduleError": "errors",
    "ShapeError": "errors",
    "T": "language",
    "analyze": "chains",
    "check": "checks",
    "derive": "derivation",
    "verify": "hand.verify",
}
_ROOMS = (
    "calculus", "cells", "chains", "checks", "derivation", "errors", "hand", "language", "printing", "programs",
    "report", "weights",
)  # fmt: skip

__all__ = [
    "Derivation",
    "InputError",
    "LanguageError",
    "Recurrence",
    "RnnDeriveError",
    "ScheduleError",
    "ShapeError",
    "T",
    "analyze",
    "cells",
    "check",
    "derive",
    "report",
    "verify",
]


def __getattr__(name: str) -> Any:
    if name in _ROOMS:
        return importlib.import_module(f"rnnderive.{name}")
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found = getattr(importlib.import_module(f"rnnderive.{_HOMES[name]}"), name)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__, *_ROOMS})
