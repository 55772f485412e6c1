"""One sentence of theory next to one measurement."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from rnnderive import printing as pr

__all__ = ["Claim", "Given"]


Given: TypeAlias = "str | int | float | pr.Math"


@dataclass(frozen=True)
class Claim:
    """A number that theory gives, and what the product's own code measures.

    It has no words: they are in the catalogue of every language, `rnnderive.report.languages`, where a
    result is a table and a claim one of its sentences.

    Attributes
    ----------
    row : str
        The result that it belongs to: the table ``chains.ROW`` of a catalogue.
    says : str
        What is claimed: the sentence of that name in the table.
    theory, measured : float
        A truth is 1, its opposite 0.
    tolerance : float
        How far `measured` may be off: absolutely, or as a part of `theory` where `relative`.
    source : str
        Where the result, or the number, comes from: a sentence of the table ``chains.source``, if any.
    kind : {"own", "published", "exact"}
        Whether the number itself stands in the source, follows from algebra, or is our own evaluation.
    relation : {"=", "≤", "≥"}
        Whether theory gives the value, an upper or a lower bound.
    relative : bool
    values : mapping
        What the sentence's placeholders stand for: numbers, names, formulas.

    Examples
    --------
    >>> claim = Claim("circle", "circumference", 22 / 7, 3.14159, 2e-3, "archimedes")
    >>> claim.holds, f"{claim.error:.4f}"
    (True, '0.0013')
    """

    row: str
    says: str
    theory: float
    measured: float
    tolerance: float
    source: str = ""
    kind: Literal["own", "published", "exact"] = "own"
    relation: Literal["=", "≤", "≥"] = "="
    relative: bool = False
    values: Mapping[str, Given] = field(default_factory=dict)

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
