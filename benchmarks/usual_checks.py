"""What the usual gradient checks let pass: wrong derivations held against three of them, and against rd.verify.

The wrong ones are a sample of all single mistakes, and, by themselves, those that are wrong about long paths
alone: back-propagation cut after K steps, a carry or all that a step hands on left out, the gradient of an
initial state left out, h[t−1] at t = 1.

Every checker's rule is its published one, written anew: every entry against central differences
within rtol 1e-3 and atol 1e-5 at a step of 1e-6 (as torch.autograd.gradcheck); one random direction
within 1e-5 of either kind at 1e-4 (as JAX's check_grads); one random direction within 1e-6 at 1e-6 (as
autograd's check_grads).  They are run where people run them: at the user's own point, with small
weights, or over many steps.  rd.verify chooses points of its own.

    python benchmarks/usual_checks.py --cells vanilla,lstm --edits 60
"""

from __future__ import annotations

import argparse
import random
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

import rnnderive as rd
from rnnderive.checks import Point
from rnnderive.hand.edits import Edit, edits
from rnnderive.hand.problem import Problem
from rnnderive.programs import Program

Arrays = Mapping[str, Any]


def settings(net: rd.Recurrence, seed: int) -> dict[str, Point]:
    """Where people check: weights of 1e-4; and 200 steps of a contracting network, the loss at the last."""
    out = {}
    for words, T, scale in (("weights × 1e-4", 6, 1e-4), ("T = 200", 200, 0.25)):
        at = rd.checks.point(net, T=T, seed=seed)
        out[words] = Point({n: scale * a for n, a in at.params.items()}, at.inputs, at.sizes, T)
    return out


def flat(table: Arrays, names: tuple[str, ...]) -> Any:
    """All arrays in one vector."""
    return np.concatenate([np.ravel(table[n]) for n in names])


class Differences:
    """A loss as a function of the parameters in one vector, and its central differences."""

    def __init__(self, net: rd.Recurrence, at: Point) -> None:
        self.program, self.at, self.names = rd.derive(net).value, at, net.parameters
        self.loss = net.loss or ""
        self.here = flat(at.params, self.names)

    def value(self, vector: Any) -> float:
        """The loss at other parameters."""
        params, start = dict(self.at.params), 0
        for n in self.names:
            size = np.size(params[n])
            params[n] = vector[start : start + size].reshape(np.shape(params[n]))
            start += size
        return float(self.program.raw(params, self.at.inputs)[self.loss].sum())

    def along(self, direction: Any, step: float) -> float:
        """The slope in a direction."""
        move = step * direction
        return (self.value(self.here + move) - self.value(self.here - move)) / (2 * step)


def every_entry(f: Differences, rng: Any) -> Callable[[Any], bool]:
    """As torch.autograd.gradcheck: eps 1e-6, atol 1e-5, rtol 1e-3."""
    numeric = np.array([f.along(unit, 1e-6) for unit in np.eye(len(f.here))])
    return lambda gradient: bool(np.allclose(gradient, numeric, rtol=1e-3, atol=1e-5))


def one_direction(f: Differences, rng: Any) -> Callable[[Any], bool]:
    """As JAX's check_grads in float64: eps 1e-4, atol and rtol 1e-5, a random tangent."""
    v = rng.standard_normal(len(f.here))
    numeric = f.along(v, 1e-4)
    return lambda gradient: bool(np.allclose(gradient @ v, numeric, rtol=1e-5, atol=1e-5))


def one_unit_direction(f: Differences, rng: Any) -> Callable[[Any], bool]:
    """As autograd's check_grads: eps 1e-6, |a − b| or |a − b| / |a + b| under 1e-6."""
    v = rng.standard_normal(len(f.here))
    v /= np.linalg.norm(v)
    numeric = f.along(v, 1e-6)

    def passes(gradient: Any) -> bool:
        a = float(gradient @ v)
        return abs(a - numeric) < 1e-6 or abs(a - numeric) / abs(a + numeric) < 1e-6

    return passes


CHECKERS = {"gradcheck": every_entry, "check_grads (JAX)": one_direction, "check_grads (autograd)": one_unit_direction}


def program(edit: Edit, net: rd.Recurrence) -> Callable[[Arrays, Arrays], tuple[Any, Arrays]]:
    """A wrong derivation as a person would hand it over."""
    outputs = {n: edit.adjoint.gradients[n] for n in net.parameters}
    return Program(edit.net, net, outputs, function="loss_and_grads", with_loss=True, restored=True)


def about_long_paths(edit: Edit) -> bool:
    """Whether a mistake is one about what is handed on from step to step, and about nothing else."""
    handed_on = edit.kind == "missing path" and (
        "[t+1]" in edit.text or "handed on" in edit.text or "carry" in edit.text
    )
    initial = edit.kind in ("missing initial state", "wrapped")
    return edit.kind == "truncated" or handed_on or initial


def wrong_ones(problem: Problem, count: int, seed: int, long: bool) -> list[Edit]:
    """A seeded sample of the edits that show in a parameter's gradient at all."""
    found: list[Edit] = []
    every = [e for e in edits(problem) if about_long_paths(e) or not long]
    random.Random(seed).shuffle(every)
    right = rd.derive(problem.net, problem.net.parameters).lambdify()(problem.point.params, problem.point.inputs)[1]
    for edit in every:
        if len(found) == count:
            break
        try:
            wrong = program(edit, problem.net)(problem.point.params, problem.point.inputs)[1]
        except rd.RnnDeriveError:
            continue  # it asks for steps that are not there
        if any(not np.allclose(wrong[n], right[n], rtol=1e-6, atol=0) for n in right):
            found.append(edit)
    return found


def main() -> None:
    """Print how many wrong derivations each checker lets pass."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--cells", default="vanilla,lstm")
    options.add_argument("--edits", type=int, default=60, help="wrong derivations a cell (default 60)")
    options.add_argument("--seed", type=int, default=0)
    chosen = options.parse_args()
    print(
        f"{'cell':10s} {'mistakes':11s} {'where':16s} {'wrong':>5s}  "
        + "  ".join(f"{c:>22s}" for c in CHECKERS)
        + "  rd.verify"
    )
    for cell in chosen.cells.split(","):
        net = rd.cells.LIBRARY[cell]()
        problem = Problem(net, seed=chosen.seed)
        for which in ("all", "long paths"):
            bad = wrong_ones(problem, chosen.edits, chosen.seed, which != "all")
            ours = sum(bool(rd.verify(net, program(e, net), T=problem.T)) for e in bad)
            for words, at in settings(net, chosen.seed).items():
                f, rng = Differences(net, at), np.random.default_rng(chosen.seed)
                checks = {c: make(f, rng) for c, make in CHECKERS.items()}
                passed = dict.fromkeys(CHECKERS, 0)
                for edit in bad:
                    gradient = flat(program(edit, net)(at.params, at.inputs)[1], net.parameters)
                    for c, passes in checks.items():
                        passed[c] += passes(gradient)
                shares = "  ".join(f"{f'{100 * passed[c] / len(bad):.0f} % pass':>22s}" for c in CHECKERS)
                ends = f"{shares}  {100 * ours / len(bad):.0f} % pass"
                print(f"{cell:10s} {which:11s} {words:16s} {len(bad):5d}  {ends}", flush=True)


if __name__ == "__main__":
    main()
