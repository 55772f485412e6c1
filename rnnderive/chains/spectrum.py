"""The whole spectrum of one sequence's chain, gathered."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from rnnderive.chains import spectra
from rnnderive.chains.trace import Trace
from rnnderive.errors import InputError

__all__ = ["Spectrum", "spectrum"]

ENOUGH = 50  # steps, for exponents with an error


@dataclass(frozen=True, eq=False)
class Spectrum:
    """Singular values and exponents of one sequence's chain.  Made by :func:`spectrum`.

    Attributes
    ----------
    log_singular_values : array
        ln of those of P_{T,0}, exact, the largest first; −∞ for what dead units take away.
    lyapunov : Lyapunov or None
        None where there are too few steps.
    radii, norms : array
        Spectral radius and norm of each J_t.
    """

    log_singular_values: Any
    lyapunov: spectra.Lyapunov | None
    radii: Any
    norms: Any

    @property
    def log_condition(self) -> float:
        """ln of the condition number of the product; infinite where a unit is dead."""
        return spectra.log_condition(self.log_singular_values)

    @property
    def dead(self) -> int:
        """How many singular values are exactly zero."""
        return int(np.isneginf(self.log_singular_values).sum())


def spectrum(trace: Trace, member: int = 0) -> Spectrum:
    """Singular values and Lyapunov exponents of one sequence of the batch.

    Raises
    ------
    InputError
        For a member that is not there, and for a chain whose Jacobians exceed 6 GiB.

    Examples
    --------
    >>> import rnnderive as rd
    >>> net = rd.Recurrence.parse("h[t] = U @ h[t-1]", loss=None)
    >>> found = rd.analyze(net, {"U": np.diag([1.0, 0.5, 0.0])}, {"T": 100}).spectrum()
    >>> (found.log_singular_values / np.log(2)).round(6).tolist(), found.dead, found.log_condition
    ([0.0, -100.0, -inf], 1, inf)
    """
    batch = trace.course.batch
    if not 0 <= member < (batch or 1):
        raise InputError(f"there is no sequence {member}; the batch has {batch or 1}, counted from 0")
    jacobians = trace.jacobians if batch is None else trace.jacobians[:, member]
    exponents = None
    if trace.T >= ENOUGH:
        exponents = spectra.lyapunov_exponents(jacobians, discard=trace.T // 10, blocks=min(20, trace.T // 5))
    return Spectrum(
        spectra.log_singular_values(jacobians), exponents,
        spectra.spectral_radii(jacobians), spectra.spectral_norms(jacobians),
    )  # fmt: skip
