"""rnnderive: derive, run, check and tell the gradients of recurrent networks.

A recurrent network is a system of recurrence equations; its gradient is another one.  Start with
:class:`Recurrence` and :func:`derive`.
"""

from rnnderive import cells
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
    "cells",
    "derive",
]
