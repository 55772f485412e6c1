"""One sentence of theory next to one measurement."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

__all__ = ["Claim"]


@dataclass(frozen=True)
class Claim:
    """A number that theory gives, and what the product's own code measures.

    Attributes
    ----------
    row : str
        The result that it belongs to.
    statement : str
        What is claimed, in words or as a formula.
    theory, measured : float
        A truth is 1, its opposite 0.
    tolerance : float
        How far `measured` may be off: absolutely, or as a part of `theory` where `relative`.
    source : str
        Where the result, or the number, comes from.
    published : bool
        Whether the number itself stands in the source; otherwise it is our own evaluation of it.
    relation : {"=", "≤", "≥"}
        Whether theory gives the value, an upper or a lower bound.
    relative : bool

    Examples
    --------
    >>> claim = Claim("circle", "circumference over diameter", 22 / 7, 3.14159, 2e-3, "Archimedes")
    >>> claim.holds, f"{claim.error:.4f}"
    (True, '0.0013')
    """

    row: str
    statement: str
    theory: float
    measured: float
    tolerance: float
    source: str
    published: bool = False
    relation: Literal["=", "≤", "≥"] = "="
    relative: bool = False

    @property
    def error(self) -> float:
        """How far the measurement is from what theory allows; 0 within a bound."""
        theory, measured = float(self.theory), float(self.measured)
        if theory == measured:
            return 0.0  # infinities too
        excess = {"=": abs(measured - theory), "≤": measured - theory, "≥": theory - measured}[self.relation]
        scale = abs(theory) if self.relative else 1.0
        return excess if math.isnan(excess) else max(excess, 0.0) / scale

    @property
    def holds(self) -> bool:
        """Whether the measurement is within the tolerance; never for a NaN."""
        return self.error <= self.tolerance
