"""How the gradient behaves: norms, spectra, exponents, bounds, contributions, paths.

:func:`analyze` measures the chain of Jacobians of any recurrence on given weights and input, says
what it does and why, and what would change it; :func:`sweep` does so over a grid.
"""

from rnnderive.chains.analysis import Analysis, Bounds, Contributions, Spectrum, analyze
from rnnderive.chains.census import Gate, Slope
from rnnderive.chains.comparison import Comparison, Setup, activations, compare, initialisers
from rnnderive.chains.course import Course, run
from rnnderive.chains.ensemble import Ensemble
from rnnderive.chains.paths import Path
from rnnderive.chains.phases import Phases, phase_diagram
from rnnderive.chains.remedies import Remedy
from rnnderive.chains.results import ResultsError
from rnnderive.chains.setting import Setting, setting
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
    "Comparison",
    "Contributions",
    "Course",
    "Ensemble",
    "Gate",
    "Path",
    "Phases",
    "Rate",
    "Remedy",
    "ResultsError",
    "Setting",
    "Setup",
    "Slope",
    "Spectrum",
    "StateChain",
    "Sweep",
    "SweepError",
    "SweepInterrupted",
    "Trace",
    "Truncation",
    "Verdict",
    "activations",
    "analyze",
    "chains",
    "compare",
    "initialisers",
    "phase_diagram",
    "processes",
    "read_sweep",
    "run",
    "setting",
    "sweep",
]
