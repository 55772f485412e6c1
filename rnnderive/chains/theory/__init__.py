"""Published and exact results about gradient chains, each next to what this package measures.

A file is a topic; its ``claims`` gives :class:`Claim` values: the theory side by SymPy, in closed form or
as published, the measured side by the package's own derivations, programs and products.
"""

from collections.abc import Callable, Iterator

from rnnderive.chains.theory import (
    attractors,
    bounds,
    checkpointing,
    gates,
    greff,
    mean_field,
    precision,
    random_products,
    sensitivity,
    truncation,
    wall,
)
from rnnderive.chains.theory.claim import Claim

__all__ = ["TOPICS", "Claim", "all_claims"]

TOPICS: dict[str, Callable[[bool], Iterator[Claim]]] = {
    "bounds": bounds.claims,
    "wall": wall.claims,
    "attractors": attractors.claims,
    "random products": random_products.claims,
    "mean field": mean_field.claims,
    "gates": gates.claims,
    "greff": greff.claims,
    "sensitivity": sensitivity.claims,
    "truncation": truncation.claims,
    "checkpointing": checkpointing.claims,
    "precision": precision.claims,
}


def all_claims(quick: bool = True) -> Iterator[Claim]:
    """Every claim of every topic.

    Parameters
    ----------
    quick : bool
        Smaller nets and fewer steps where a claim is a simulation: seconds instead of minutes.
    """
    for claims in TOPICS.values():
        yield from claims(quick)
