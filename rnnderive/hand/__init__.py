"""What a person derived by hand: read it, run it, say whether it is right, and if not, where and why.

:func:`verify` takes a program, equations, SymPy expressions or LaTeX and returns a :class:`Verdict`;
:func:`vectors` writes what a kernel is tested with.
"""

from rnnderive.hand.problem import Problem, with_upstream
from rnnderive.hand.vectors import Vectors, vectors
from rnnderive.hand.verdict import Verdict
from rnnderive.hand.verify import verify

__all__ = ["Problem", "Vectors", "Verdict", "vectors", "verify", "with_upstream"]
