"""Batches of sequences of different lengths: what the members are given where they have ended."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from rnnderive.errors import InputError
from rnnderive.language import terms as tm
from rnnderive.language.recurrence import Recurrence
from rnnderive.programs.requirements import as_array, check_members, check_tables, is_per_member

__all__ = ["with_mask"]


def with_mask(net: Recurrence, mask: str, inputs: Mapping[str, Any], lengths: Any) -> dict[str, Any]:
    """The inputs of a masked recurrence.

    A member's sequences go on with their own last step after it, so that what is computed there is what
    numbers of that kind give; the mask keeps it out of the results.

    Parameters
    ----------
    net : Recurrence
        The network of one sequence.
    mask : str
        The name of the mask in the masked one.
    inputs : mapping
        Sequences are (T, B, d), or (T, B) for classes and single numbers; what stands at a member's steps
        after its last is not read, and may be NaN.
    lengths : (B,) integers
        The number of steps of each member.

    Raises
    ------
    InputError
        When there is no batch, and for lengths that are not integers from 1 to T, one a member.
    """
    check_tables(inputs=inputs)
    sequences = {n: as_array(net, n, a) for n, a in inputs.items() if isinstance(net.leaves.get(n), tm.At)}
    sequences = {n: a for n, a in sequences.items() if is_per_member(net, n, a)}
    if not sequences:
        raise InputError("lengths are given, but no input is a batch of sequences; expected one of shape (T, B, size)")
    T, batch = next(iter(sequences.values())).shape[:2]
    steps = np.asarray(lengths)
    if steps.dtype.kind not in "iu" or steps.shape != (batch,):
        raise InputError(f"lengths is {lengths!r}; expected {batch} integers, one for each member of the batch")
    if steps.min() < 1 or steps.max() > T:
        bad = steps[(steps < 1) | (steps > T)][0]
        raise InputError(f"lengths holds {bad}; expected numbers of steps from 1 to {T}, the steps of the sequences")
    check_members(net, int(steps.min()))
    last = np.minimum(np.arange(T)[:, None], steps - 1)
    members = np.arange(batch)
    fitting = {n: a for n, a in sequences.items() if a.shape[:2] == (T, batch)}  # the others are refused later
    filled = {n: a[last, members] for n, a in fitting.items()}
    inside = np.arange(T)[:, None] < steps  # numbers of the others' dtype are made of it
    return {**inputs, **filled, mask: inside[..., None]}
