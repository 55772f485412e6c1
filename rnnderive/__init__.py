"""rnnderive: derive, run, check and tell the gradients of recurrent networks.

A recurrent network is a system of recurrence equations; its gradient is another one.  Start with
:class:`Recurrence` and :func:`derive`.
"""

from typing import Any

from rnnderive import cells
from rnnderive.checks import check
from rnnderive.derivation import Derivation, derive
from rnnderive.errors import InputError, LanguageError, RnnDeriveError, ScheduleError, ShapeError
from rnnderive.language import Recurrence, T

__version__ = "0.1.0"

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
    """What is not always needed is loaded when it is first asked for: reports, chains, weights, verdicts."""
    import importlib

    if name in ("report", "chains", "weights"):
        return importlib.import_module(f"rnnderive.{name}")
    if name == "analyze":
        return importlib.import_module("rnnderive.chains").analyze
    if name == "verify":
        return importlib.import_module("rnnderive.hand.verify").verify
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
