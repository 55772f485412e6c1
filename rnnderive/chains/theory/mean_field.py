"""Mean field of random networks: how fast the chain of an untrained net grows, from its gain alone."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import Any

import numpy as np
import sympy as sp

from rnnderive.chains.products import Array, vector_log_norms
from rnnderive.chains.spectra import entropy_rate, kaplan_yorke, lyapunov_exponents
from rnnderive.chains.theory.claim import Claim
from rnnderive.chains.theory.nets import autonomous, driven, jacobian_chunks
from rnnderive.derivation import derive
from rnnderive.language import FUNCTIONS

__all__ = [
    "claims",
    "critical_gain",
    "leading_exponent",
    "mean_exponent",
    "rectified_susceptibility",
    "spectrum",
    "susceptibility",
    "variance",
]

TANH = "tanh"
CLARK = "clark"
DRIVEN = "driven"
CRITICAL = "critical"

# The trapezoidal rule on this grid is exact to rounding for tanh(√q z) and σ(√q z): they are analytic in
# a strip, and the error is exp(−2π · its half-width / step).  Gauss–Hermite converges slowly there, since
# the poles π/(2√q) come close: with 100 nodes λ_1 at g = 5 is still off by 0.09.
NODES = np.linspace(-12, 12, 1601)
WEIGHTS = np.exp(-(NODES**2) / 2) * (NODES[1] - NODES[0]) / np.sqrt(2 * np.pi)


@lru_cache(maxsize=8)
def _elementwise(name: str) -> tuple[Any, Any]:
    """The generated programs of φ and of φ′."""
    d = derive(f"y[t] = {name}(x[t])\nL = sum(y[T])", "x")
    return d.forward, d.jacobians("y", "x", 0)


def activation(name: str, x: Array) -> tuple[Array, Array]:
    """φ(x) and φ′(x), from the generated code of φ and of its Jacobian."""
    forward, jacobian = _elementwise(name)
    inputs = {"x": x[:, None]}
    return forward.raw({}, inputs)["y"][:, 0], jacobian.raw({}, inputs)["J"].reshape(-1)


def variance(name: str, gain: float, drive: float = 0.0) -> float:
    """The variance q = g² E φ²(√q z) + σ_u² of the preactivations, by bisection; the largest solution.

    Examples
    --------
    >>> round(variance("tanh", 1.5), 6)
    0.793354
    """

    def excess(q: float) -> float:
        return gain**2 * float(WEIGHTS @ activation(name, np.sqrt(q) * NODES)[0] ** 2) + drive**2 - q

    return root(excess, drive**2 + 1e-12, gain**2 + drive**2)  # tanh and σ are at most 1


def susceptibility(name: str, gain: float, q: float) -> float:
    """χ = g² E φ′²(√q z): the growth of a small distance squared; λ_1 = ½ ln χ.

    Examples
    --------
    >>> round(float(np.log(susceptibility("tanh", 1.5, variance("tanh", 1.5)))) / 2, 5)
    0.06522
    """
    return gain**2 * float(WEIGHTS @ activation(name, np.sqrt(q) * NODES)[1] ** 2)


def mean_exponent(gain: float, q: float) -> float:
    """The mean of all exponents of a tanh net, ln g − ½ + E ln φ′(√q z): that of ln|det J| per unit.

    ln φ′ is written ln(1 − tanh²x) = −2 ln cosh x, which does not end where tanh x rounds to 1.
    """
    x = np.sqrt(q) * NODES
    return float(np.log(gain) - 0.5 - 2 * WEIGHTS @ (np.logaddexp(x, -x) - np.log(2)))


def critical_gain(name: str) -> float:
    """The gain g at which χ = 1, by bisection."""
    return root(lambda gain: susceptibility(name, gain, variance(name, gain)) - 1, 0.5, 40.0)


def root(f: Callable[[float], float], low: float, high: float) -> float:
    """Where f changes its sign between two places, by false position (Illinois); `low` where it does not."""
    at_low, at_high = f(low), f(high)
    if np.sign(at_low) == np.sign(at_high):
        return low
    for _ in range(200):
        middle = (low * at_high - high * at_low) / (at_high - at_low)
        at_middle = f(middle)
        if at_middle == 0 or abs(at_middle) < 1e-15 * max(abs(at_low), abs(at_high)):
            break
        if np.sign(at_middle) == np.sign(at_high):
            at_low = at_low / 2
        else:
            low, at_low = high, at_high
        high, at_high = middle, at_middle
        if abs(high - low) < 1e-15 * abs(middle):
            break
    return middle


def rectified_susceptibility() -> sp.Expr:
    """χ of a ReLU net, g² E 1[z > 0], in g; exactly, since its slope does not depend on q.

    Examples
    --------
    >>> rectified_susceptibility()
    g**2/2
    """
    g = sp.Symbol("g", positive=True)
    z = sp.Symbol("z", real=True)
    density = sp.exp(-(z**2) / 2) / sp.sqrt(2 * sp.pi)
    slope = FUNCTIONS["relu"].slope(z, None)
    above = next(value for value, condition in slope.args if condition == (z > 0))
    return g**2 * sp.integrate(above**2 * density, (z, 0, sp.oo))


def leading_exponent(
    name: str, gain: float, n: int, T: int, *, drive: float | None = None, skip: int = 200, seed: int = 0
) -> float:
    """λ_1 of a simulated net: the growth of a random row on its way back through the last T of its steps."""
    rng = np.random.default_rng(seed)
    U = rng.normal(size=(n, n)) * gain / np.sqrt(n)
    inputs: dict[str, Any] = {"T": T + skip, "h0": rng.normal(size=n)}
    params: dict[str, Any] = {"U": U, "b": np.zeros(n)}
    text = autonomous(name)
    if drive is not None:
        text, params = driven(name), {"U": U}
        inputs = {"x": drive * rng.normal(size=(T + skip, n)), "h0": inputs["h0"]}
    norms = vector_log_norms(rng.normal(size=n), jacobian_chunks(text, params, inputs, skip=skip))
    # The first steps back turn the row into the leading direction.
    turn = T // 5
    return float((norms[-1] - norms[turn]) / (T - turn))


def spectrum(gain: float, n: int, T: int, *, skip: int = 200, turn: int = 100, seed: int = 0) -> dict[str, float]:
    """Leading exponent, unstable fraction, entropy rate, dimension and mean exponent of a tanh net, per unit."""
    rng = np.random.default_rng(seed)
    params = {"U": rng.normal(size=(n, n)) * gain / np.sqrt(n), "b": np.zeros(n)}
    inputs = {"T": T + skip + turn, "h0": rng.normal(size=n)}
    chunks = jacobian_chunks(autonomous(), params, inputs, skip=skip, back=False)
    found = lyapunov_exponents(chunks, discard=turn, blocks=10)
    return {
        "exponent": float(found.exponents[0]),
        "unstable": float(np.mean(found.exponents > 0)),
        "entropy": entropy_rate(found) / n,
        "dimension": kaplan_yorke(found) / n,
        "mean": float(found.exponents.mean()),
    }


def claims(quick: bool = True) -> Iterator[Claim]:
    """The exponents of random networks, by mean field and by simulation."""
    yield from _undriven(quick)
    yield from _published(quick)
    yield from _driven(quick)
    yield from _critical(quick)


def _undriven(quick: bool) -> Iterator[Claim]:
    own = "molgedey"
    table = (
        (1.2, 0.249513, 0.01648),
        (1.5, 0.793354, 0.06522),
        (2.0, 2.121474, 0.15472),
        (3.0, 6.305391, 0.31025),
        (5.0, 20.699367, 0.53243),
    )
    for gain, q_number, exponent in table:
        q = variance("tanh", gain)
        rate = float(np.log(susceptibility("tanh", gain, q))) / 2
        yield Claim(TANH, "variance", q_number, q, 5.1e-7, own, values={"gain": gain})
        yield Claim(TANH, "exponent", exponent, rate, 5.1e-6, own, values={"gain": gain})
        if not quick or gain == 2.0:
            n, T = (256, 300) if quick else (512, 800)
            measured = leading_exponent("tanh", gain, n, T)
            yield Claim(TANH, "simulated", rate, measured, 0.03, own, values={"gain": gain, "n": n})
    yield from _nodes()


def _nodes() -> Iterator[Claim]:
    """Why g = 3 and 5 stand elsewhere with other digits: they are those of too few Gauss–Hermite nodes."""
    nodes, weights = np.polynomial.hermite_e.hermegauss(201)
    weights = weights / weights.sum()
    for gain, q_number, exponent in ((3.0, 6.305386, 0.31028), (5.0, 20.688306, 0.54448)):

        def excess(q: float, gain: float = gain) -> float:
            return gain**2 * float(weights @ activation("tanh", np.sqrt(q) * nodes)[0] ** 2) - q

        q = root(excess, 1.0, gain**2)
        chi = gain**2 * float(weights @ activation("tanh", np.sqrt(q) * nodes)[1] ** 2)
        source, values, found = "quadrature", {"gain": gain}, float(np.log(chi)) / 2
        yield Claim(TANH, "nodes_variance", q_number, q, 5.1e-7, source, values=values)
        yield Claim(TANH, "nodes_exponent", exponent, found, 5.1e-6, source, values=values)


def _published(quick: bool) -> Iterator[Claim]:
    source = "clark"
    published = {
        "exponent": (0.3095828, 0.03),
        "unstable": (0.152588, 0.01),
        "entropy": (0.02510596, 0.003),
        "dimension": (0.28716842, 0.02),
        "mean": (-2.2738958, 0.06),
    }
    seeds, T = (1, 300) if quick else (4, 1000)
    runs = [spectrum(3.0, 128, T, seed=seed) for seed in range(seeds)]
    for name, (theory, tolerance) in published.items():
        measured = float(np.mean([run[name] for run in runs]))
        # A single short run scatters more than the mean of four.
        allowed = tolerance * (2 if quick else 1)
        yield Claim(CLARK, name, theory, measured, allowed, source, "published", values={"seeds": seeds})
    q = variance("tanh", 3.0)
    exact = mean_exponent(3.0, q)
    yield Claim(CLARK, "theory_mean", published["mean"][0], exact, 0.003, source, "published")
    rate = float(np.log(susceptibility("tanh", 3.0, q))) / 2
    yield Claim(CLARK, "theory_exponent", published["exponent"][0], rate, 0.002, source, "published")


def _driven(quick: bool) -> Iterator[Claim]:
    own = "driven"
    table = ((0.9, 0.5, -0.3545), (1.0, 0.5, -0.2725), (1.5, 0.5, -0.0167), (2.0, 0.5, 0.1204), (2.0, 1.0, 0.0460))
    for gain, drive, number in table:
        rate = float(np.log(susceptibility("tanh", gain, variance("tanh", gain, drive)))) / 2
        values = {"gain": gain, "drive": drive}
        yield Claim(DRIVEN, "exponent", number, rate, 5.1e-5, own, values=values)
        if rate < 0:
            memory = -1 / (2 * rate)
            expected = -1 / (2 * number)
            yield Claim(DRIVEN, "memory", expected, memory, 4e-3, own, relative=True, values=values)
        if not quick or (gain, drive) == (1.0, 0.5):
            T = 800 if quick else 2000
            measured = leading_exponent("tanh", gain, 300, T, drive=drive)
            yield Claim(DRIVEN, "simulated", rate, measured, 0.01, own, values=values)


def _critical(quick: bool) -> Iterator[Claim]:
    own = ""
    yield Claim(CRITICAL, "tanh", 1.0, critical_gain("tanh"), 1e-5, own)
    g = sp.Symbol("g", positive=True)
    (root,) = sp.solve(rectified_susceptibility() - 1, g)
    yield Claim(CRITICAL, "relu", float(np.sqrt(2)), float(root), 1e-15, own)
    gain = critical_gain("sigmoid")
    yield Claim(CRITICAL, "sigmoid", 10.1493, gain, 5.1e-5, own)
    n, T = (256, 300) if quick else (512, 600)
    measured = leading_exponent("sigmoid", gain, n, T)
    yield Claim(CRITICAL, "simulated", 0.0, measured, 0.03, own, values={"n": n})
    # Its largest singular value, about 2 g, is past the norm bound's 4 from g = 2 on.
    rate = float(np.log(susceptibility("sigmoid", 5.0, variance("sigmoid", 5.0)))) / 2
    measured = leading_exponent("sigmoid", 5.0, n, T)
    yield Claim(CRITICAL, "past_the_bound", rate, measured, 0.03, own, values={"n": n})
