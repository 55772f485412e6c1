"""How the gradient behaves: norms, spectra, exponents, bounds, contributions, paths.

:func:`analyze` measures the chain of Jacobians of any recurrence on given weights and input, says
what it does and why, and what would change it; :func:`sweep` does so over a grid.
"""

from rnnderive.chains.analysis import Analysis, Bounds, Contributions, Spectrum, analyze
from rnnderive.chains.census import Gate, Slope
from rnnderive.chains.course import Course, run
from rnnderive.chains.paths import Path
from rnnderive.chains.remedies import Remedy
from rnnderive.chains.results import ResultsError
from rnnderive.chains.state import StateChain, chains
from rnnderive.chains.sweep import SweepError, SweepInterrupted, processes, read_sweep, sweep
from rnnderive.chains.table import Sweep
from rnnderive.chains.trace import Trace
from rnnderive.chains.truncation import Clipping, Truncation
from rnnderive.chains.verdict import Cause, Rate, Verdict

__all__ = [
    "Analysis",
    "Bounds",
    "Cause",
    "Clipping",
    "Contributions",
    "Course",
    "Gate",
    "Path",
    "Rate",
    "Remedy",
    "ResultsError",
    "Slope",
    "Spectrum",
    "StateChain",
    "Sweep",
    "SweepError",
    "SweepInterrupted",
    "Trace",
    "Truncation",
    "Verdict",
    "analyze",
    "chains",
    "processes",
    "read_sweep",
    "run",
    "sweep",
]
