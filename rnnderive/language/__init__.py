"""What a recurrence is: terms, functions, text, shapes, schedule, and the value itself.

:class:`Recurrence` is read from text and printed back; :class:`Run` says what it means.
"""

from rnnderive.language.algebra import Algebra, Digits, Field, Floats, Symbols
from rnnderive.language.functions import FUNCTIONS, Function
from rnnderive.language.meaning import Run
from rnnderive.language.recurrence import Equation, Recurrence
from rnnderive.language.schedule import Read, Stage
from rnnderive.language.terms import T, Term, t

__all__ = [
    "FUNCTIONS",
    "Algebra",
    "Digits",
    "Equation",
    "Field",
    "Floats",
    "Function",
    "Read",
    "Recurrence",
    "Run",
    "Stage",
    "Symbols",
    "T",
    "Term",
    "t",
]
