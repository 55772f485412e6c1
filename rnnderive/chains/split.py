"""A product of sums of matrices, split into what each summand gives alone and what is mixed."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from rnnderive.chains.products import Array, Scaled, check_factors, check_finite
from rnnderive.errors import InputError

__all__ = ["split_log_norms"]


def split_log_norms(parts: Mapping[str, Array]) -> dict[str, Array]:
    """The product of sums, split: J_t = Σ_i A_i,t, so ∏ J = Σ_i ∏ A_i + all mixed paths.

    Parameters
    ----------
    parts : mapping of name → array (T, …, n, n)
        Such as the highway diag(f) of a cell and the rest of its Jacobian.

    Returns
    -------
    dict of name → array (T + 1, …)
        ln‖·‖₂ by lag: of each part's own product, of the ``whole`` and of what is ``mixed``, the
        paths that go through more than one part.  The mixed ones have a recursion of their own,
        X ← X J + Σ_i (∏ A_i)(J − A_i); they are not a difference of two large numbers.

    Examples
    --------
    >>> a, b = 0.5 * np.ones((2, 1, 1)), 0.25 * np.ones((2, 1, 1))
    >>> {name: float(np.exp(norms[-1]).round(4)) for name, norms in split_log_norms({"a": a, "b": b}).items()}
    {'a': 0.25, 'b': 0.0625, 'whole': 0.5625, 'mixed': 0.25}
    """
    arrays = {name: np.asarray(a, dtype=float) for name, a in parts.items()}
    if {"whole", "mixed"} & set(arrays) or not arrays:
        raise InputError(f"the parts are {', '.join(arrays) or 'none'}; expected names other than whole and mixed")
    shapes = {a.shape for a in arrays.values()}
    if len(shapes) > 1:
        raise InputError(f"the parts have the shapes {sorted(shapes)}; expected one shape (T, …, n, n)")
    for name, a in arrays.items():
        check_factors(a)
        check_finite(a, f"the part {name}")
    shape = next(iter(shapes))
    one = Scaled.of(np.broadcast_to(np.eye(shape[-1]), shape[1:]))
    nothing = Scaled.of(np.zeros(shape[1:]))
    alone = dict.fromkeys(arrays, one)
    # The empty product is every part's own at once; it is no mixed path.
    whole, mixed = one, nothing
    out: dict[str, list[Array]] = {name: [s.log_norm()] for name, s in (alone | {"whole": one, "mixed": mixed}).items()}
    for t in reversed(range(shape[0])):
        factors = {name: a[t] for name, a in arrays.items()}
        total = sum(factors.values(), np.zeros(shape[1:]))
        first = t == shape[0] - 1
        mixed = mixed @ total
        for name, factor in factors.items():
            if not first:
                mixed = mixed + alone[name] @ (total - factor)
            alone[name] = alone[name] @ factor
        whole = whole @ total
        for name, s in (alone | {"whole": whole, "mixed": mixed}).items():
            out[name].append(s.log_norm())
    return {name: np.array(norms) for name, norms in out.items()}
