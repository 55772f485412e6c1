"""Linear maps: pull is the transpose of push, and columns is push on every column."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import sympy as sp

from rnnderive.calculus import linear as ln
from rnnderive.language import Floats, Recurrence, Run
from rnnderive.language import terms as tm

N, M, K = (sp.Symbol(s, integer=True, positive=True) for s in ("n_a", "n_b", "n_c"))
SIZES = {N: 3, M: 4, K: 2}


def leaf(name: str, rows: Any, columns: Any = 1) -> Any:
    return tm.Parameter(name, rows, columns)


# map, shape of its argument, shape of its result
MAPS: list[tuple[ln.Linear, tuple[Any, Any], tuple[Any, Any]]] = [
    (ln.Identity(), (N, 1), (N, 1)),
    (ln.Diagonal(leaf("d", N)), (N, 1), (N, 1)),
    (ln.Diagonal(leaf("D", N, M)), (N, M), (N, M)),
    (ln.Diagonal(leaf("s", 1)), (N, M), (N, M)),
    (ln.Left(leaf("A", M, N)), (N, 1), (M, 1)),
    (ln.Left(leaf("A", M, N), K), (N, K), (M, K)),
    (ln.Right(leaf("B", M, K), N), (N, M), (N, K)),
    (ln.Right(leaf("v", M), N), (N, M), (N, 1)),
    (ln.Rank(leaf("u", M), leaf("w", N)), (N, 1), (M, 1)),
    (ln.Embed(K, N, M), (N, 1), (K + N + M, 1)),
    (ln.Cut((K, K + N, 0, 1), (K + N + M, 1)), (K + N + M, 1), (N, 1)),
    (ln.Cut((0, N, K, K + M), (N, K + M)), (N, K + M), (N, M)),
    (ln.Flip((N, M)), (N, M), (M, N)),
    (ln.Flip((N, 1)), (N, 1), (1, N)),
    (ln.Spread((N, M)), (1, 1), (N, M)),
    (ln.Gather((N, M)), (N, M), (1, 1)),
    (ln.Compose(ln.Left(leaf("A", M, N)), ln.Diagonal(leaf("d", N))), (N, 1), (M, 1)),
    (ln.Sum((ln.Diagonal(leaf("d", N)), ln.Rank(leaf("e", N), leaf("w", N)))), (N, 1), (N, 1)),
]


def value(term: tm.Term, arrays: dict[str, Any]) -> Any:
    net = Recurrence(())
    return Run(net, Floats(SIZES), arrays, 1).term(term, None)


def number(size: Any) -> int:
    return int(sp.sympify(size).subs(SIZES))


@pytest.mark.parametrize(
    "linear, argument, result", MAPS, ids=[f"{type(m[0]).__name__}-{k}" for k, m in enumerate(MAPS)]
)
def test_pull_is_the_transpose_and_columns_the_matrix_of_push(linear: Any, argument: Any, result: Any) -> None:
    rng = np.random.default_rng(0)
    names = {
        "d": (N, 1),
        "D": (N, M),
        "s": (1, 1),
        "A": (M, N),
        "B": (M, K),
        "v": (M, 1),
        "u": (M, 1),
        "w": (N, 1),
        "e": (N, 1),
    }
    arrays: dict[str, Any] = {n: rng.normal(size=tuple(map(number, s))) for n, s in names.items()}
    tangent, cotangent = leaf("tangent", *argument), leaf("cotangent", *result)
    arrays["tangent"] = rng.normal(size=tuple(map(number, argument)))
    arrays["cotangent"] = rng.normal(size=tuple(map(number, result)))
    pushed, pulled = value(linear.push(tangent), arrays), value(linear.pull(cotangent), arrays)
    assert pushed.shape == arrays["cotangent"].shape
    assert pulled.shape == arrays["tangent"].shape
    np.testing.assert_allclose((pushed * arrays["cotangent"]).sum(), (pulled * arrays["tangent"]).sum(), rtol=1e-12)
    matrix = value(linear.columns(tm.Eye(argument[0] * argument[1])), arrays)
    column = matrix @ arrays["tangent"].T.reshape(-1, 1)  # vec stacks columns
    np.testing.assert_allclose(column, pushed.T.reshape(-1, 1), rtol=1e-12, atol=1e-14)
