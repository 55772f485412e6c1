"""How a recurrence runs: rewrites, NumPy source, and the functions that users call.

A generated module needs NumPy alone; :class:`Program` adds checks of what it is given.
"""

from rnnderive.programs.arrays import Arrays, prepare
from rnnderive.programs.passes import optimise
from rnnderive.programs.program import Program

__all__ = ["Arrays", "Program", "optimise", "prepare"]
