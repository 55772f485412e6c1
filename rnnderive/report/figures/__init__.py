"""The pictures of a report, in the language of its catalogue; matplotlib is imported when one is drawn."""

from rnnderive.report.figures.curves import (
    activation_curves,
    chain_norms,
    drift_over_time,
    gate_picture,
    norms_against_distance,
    token_curves,
)
from rnnderive.report.figures.gradient import gradient_graph
from rnnderive.report.figures.signs import function_math, mathtext
from rnnderive.report.figures.unrolled import Arrow, unroll, unrolled_graph

__all__ = [
    "Arrow",
    "activation_curves",
    "chain_norms",
    "drift_over_time",
    "function_math",
    "gate_picture",
    "gradient_graph",
    "mathtext",
    "norms_against_distance",
    "token_curves",
    "unroll",
    "unrolled_graph",
]
