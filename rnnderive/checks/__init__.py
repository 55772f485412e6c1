"""Why to believe it: each result is checked by something that shares no code with it.

:func:`check` climbs the whole ladder; the other names are its rungs, to be used one by one.
"""

from rnnderive.checks.brute import brute_force
from rnnderive.checks.differences import central_differences, complex_step
from rnnderive.checks.duality import dot_product, rtrl
from rnnderive.checks.identity import Verdict, identical
from rnnderive.checks.ladder import RUNGS, check
from rnnderive.checks.points import Point, point
from rnnderive.checks.steps import Mark, check_steps
from rnnderive.checks.table import Ladder, Rung

__all__ = [
    "RUNGS",
    "Ladder",
    "Mark",
    "Point",
    "Rung",
    "Verdict",
    "brute_force",
    "central_differences",
    "check",
    "check_steps",
    "complex_step",
    "dot_product",
    "identical",
    "point",
    "rtrl",
]
