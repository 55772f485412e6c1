"""The logistic function as people write it."""

from __future__ import annotations

from typing import Any

import numpy as np

__all__ = ["sigmoid"]


def sigmoid(x: Any) -> Any:
    """1 / (1 + e⁻ˣ)."""
    return 1 / (1 + np.exp(-x))
