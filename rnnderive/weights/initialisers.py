"""Initialisers by the names of the field: one pure function each, and one table of them.

Each takes a generator and a :class:`Site` and returns an array (rows, columns).
"""

from __future__ import annotations

import ast
import difflib
import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from rnnderive.errors import InputError

__all__ = ["INITIALISERS", "Initialiser", "Site", "named"]

Initialiser = Callable[..., Any]
Generator = np.random.Generator


@dataclass(frozen=True)
class Site:
    """Where an array stands.

    Attributes
    ----------
    rows, columns : int
        Its shape; a matrix maps `columns` numbers to `rows` numbers.
    units : int
        Width of the layer: how many numbers its equation computes.
    fan_in : int
        How many numbers enter that equation through all its matrices.
    biases : int
        How many bias vectors the equation has.
    """

    rows: int
    columns: int
    units: int
    fan_in: int
    biases: int = 1


def zeros(rng: Generator, site: Site) -> Any:
    """All zeros."""
    return np.zeros((site.rows, site.columns))


def ones(rng: Generator, site: Site) -> Any:
    """All ones."""
    return np.ones((site.rows, site.columns))


def constant(rng: Generator, site: Site, value: float = 1.0) -> Any:
    """One number everywhere; as a forget bias, Gers et al. (2000), Jozefowicz et al. (2015)."""
    return np.full((site.rows, site.columns), float(value))


def normal(rng: Generator, site: Site, std: float = 0.01) -> Any:
    """N(0, std²)."""
    return rng.normal(0.0, std, (site.rows, site.columns))


def uniform(rng: Generator, site: Site, bound: float = 0.1) -> Any:
    """U(−bound, bound)."""
    return rng.uniform(-bound, bound, (site.rows, site.columns))


def uniform_units(rng: Generator, site: Site) -> Any:
    """U(−1/√n, 1/√n), n the units of the layer: the recurrent layers of PyTorch."""
    return uniform(rng, site, site.units**-0.5)


def uniform_units_bias(rng: Generator, site: Site) -> Any:
    """PyTorch's recurrent biases: it adds two, so that one bias of ours is the sum of two draws."""
    return sum(uniform_units(rng, site) for _ in range(max(1, 3 - site.biases)))


def uniform_fan_in(rng: Generator, site: Site) -> Any:
    """U(−1/√fan_in, 1/√fan_in): the linear layers of PyTorch, weights and biases."""
    return uniform(rng, site, site.fan_in**-0.5)


def glorot_uniform(rng: Generator, site: Site, gain: float = 1.0) -> Any:
    """U(−a, a), a = gain √(6 / (columns + rows)): Glorot and Bengio (2010, eq. 16)."""
    return uniform(rng, site, gain * (6 / (site.rows + site.columns)) ** 0.5)


def glorot_normal(rng: Generator, site: Site, gain: float = 1.0) -> Any:
    """N(0, gain² · 2 / (columns + rows)): Glorot and Bengio (2010, eq. 12)."""
    return normal(rng, site, gain * (2 / (site.rows + site.columns)) ** 0.5)


def he_uniform(rng: Generator, site: Site) -> Any:
    """U(−a, a), a = √(6 / columns), for ReLU: He et al. (2015, eq. 10)."""
    return uniform(rng, site, (6 / site.columns) ** 0.5)


def he_normal(rng: Generator, site: Site) -> Any:
    """N(0, 2 / columns), for ReLU: He et al. (2015, eq. 10)."""
    return normal(rng, site, (2 / site.columns) ** 0.5)


def lecun_uniform(rng: Generator, site: Site) -> Any:
    """U(−a, a), a = √(3 / columns): LeCun et al. (1998, eq. 16)."""
    return uniform(rng, site, (3 / site.columns) ** 0.5)


def lecun_normal(rng: Generator, site: Site, gain: float = 1.0) -> Any:
    """N(0, gain² / columns): LeCun et al. (1998, eq. 16).

    Of a square matrix, the g²/N of random network theory: spectral radius about `gain`.
    """
    return normal(rng, site, gain * site.columns**-0.5)


def orthogonal(rng: Generator, site: Site, gain: float = 1.0) -> Any:
    """`gain` times a uniformly random matrix with orthonormal columns, or rows if it is wide.

    Saxe et al. (2014); the signs of QR are fixed as in Mezzadri (2007), else it is not uniform.
    """
    tall = max(site.rows, site.columns), min(site.rows, site.columns)
    q, r = np.linalg.qr(rng.normal(size=tall))
    q *= np.sign(np.diag(r))
    return gain * (q if site.rows >= site.columns else q.T)


def identity(rng: Generator, site: Site, scale: float = 1.0) -> Any:
    """`scale` times the identity: the IRNN of Le, Jaitly and Hinton (2015)."""
    return scale * np.eye(site.rows, site.columns)


def chrono(rng: Generator, site: Site, horizon: float = 100.0) -> Any:
    """log U(1, horizon − 1), a forget bias: Tallec and Ollivier (2018, section 2).

    A gate with the bias log(τ − 1) keeps 1 − 1/τ of its state each step, so that memories
    fade over τ steps, up to `horizon`.
    """
    if not horizon > 2:
        raise InputError(f"chrono has the horizon {horizon!r}; expected a number of steps above 2")
    return np.log(rng.uniform(1.0, horizon - 1.0, (site.rows, site.columns)))


INITIALISERS: dict[str, Initialiser] = {
    "zeros": zeros,
    "ones": ones,
    "constant": constant,
    "normal": normal,
    "uniform": uniform,
    "uniform_units": uniform_units,
    "uniform_units_bias": uniform_units_bias,
    "uniform_fan_in": uniform_fan_in,
    "glorot_uniform": glorot_uniform,
    "glorot_normal": glorot_normal,
    "he_uniform": he_uniform,
    "he_normal": he_normal,
    "lecun_uniform": lecun_uniform,
    "lecun_normal": lecun_normal,
    "orthogonal": orthogonal,
    "identity": identity,
    "chrono": chrono,
}


def named(text: str, table: Mapping[str, Callable[..., Any]], what: str) -> Callable[..., Any]:
    """The row of a table with its options: ``orthogonal(gain=1.2)``.  Nothing is evaluated.

    Raises
    ------
    InputError
        When there is no such row or option, or a value is not a number.

    Examples
    --------
    >>> row = named("constant(value=2)", INITIALISERS, "initialiser")
    >>> row(np.random.default_rng(0), Site(2, 1, 2, 2)).tolist()
    [[2.0], [2.0]]
    """
    try:
        tree = ast.parse(text.strip(), mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        tree = ast.Constant(None)
    call = tree if isinstance(tree, ast.Call) else ast.Call(tree, [], [])
    if not isinstance(call.func, ast.Name) or call.args or any(k.arg is None for k in call.keywords):
        raise InputError(f"found the {what} {text[:80]!r}; expected a name, or name(option=number)")
    name = call.func.id
    if name not in table:
        near = difflib.get_close_matches(name, table, 1)
        hint = f"; did you mean {near[0]}?" if near else "."
        raise InputError(f"unknown {what} {name!r}{hint} Known: {', '.join(table)}")
    known = [p for p in inspect.signature(table[name]).parameters if p not in ("rng", "site")]
    options: dict[str, float] = {}
    for keyword in call.keywords:
        key = str(keyword.arg)
        if key not in known:
            raise InputError(f"{name} has no option {key!r}; it has {', '.join(known) or 'none'}")
        try:
            options[key] = float(ast.literal_eval(keyword.value))
        except (ValueError, TypeError):
            raise InputError(f"the option {key} of {name} is not a number: {ast.unparse(keyword.value)}") from None
    return partial(table[name], **options)
