"""How many wrong derivations are rejected, and how many of their mistakes are named.

For every cell of the library, every edit of its adjoint, and a seeded sample of pairs of edits, is
handed over as numbers: the gradients of all parameters, initial states and inputs, at two points, and
for one step and for two.  An edit that equals the correct derivation by exact identity does not count.
A mistake is named if what is named gives, by exact identity, what was made.

    python benchmarks/mutation_score.py --cells lstm,gru --pairs 200
"""

from __future__ import annotations

import argparse
import os
import random
import sys
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import Executor, Future, ProcessPoolExecutor, as_completed
from dataclasses import dataclass, field
from functools import lru_cache
from multiprocessing import get_context

import rnnderive as rd
from rnnderive.calculus import Adjoint
from rnnderive.checks import identical, point
from rnnderive.checks.points import Point
from rnnderive.hand.catalogue import Sight, correct_run
from rnnderive.hand.claims import Claims
from rnnderive.hand.diagnosis import Diagnosis, diagnose
from rnnderive.hand.edits import Edit, edits
from rnnderive.hand.problem import Problem
from rnnderive.hand.variants import course
from rnnderive.hand.verify import verify
from rnnderive.language import Equation, Recurrence
from rnnderive.language import terms as tm

CHUNKS = 8
THREADS = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}  # of every worker


@dataclass(frozen=True)
class Score:
    """Counts over wrong derivations."""

    made: int = 0
    equal: int = 0
    rejected: int = 0
    named: int = 0
    missed: tuple[str, ...] = field(default=())

    def __add__(self, other: Score) -> Score:
        counts = (getattr(self, k) + getattr(other, k) for k in ("made", "equal", "rejected", "named", "missed"))
        return Score(*counts)


@lru_cache(maxsize=2)
def setting(cell: str, loss: str, batch: int | None) -> tuple[Problem, tuple[Edit, ...], tuple[Point, ...]]:
    """A cell's problem, all edits of its adjoint, and the points at which numbers are handed over."""
    net = rd.cells.LIBRARY[cell]()
    problem = Problem(net if loss == "own" else rd.cells.loss(net, at="every"), batch=batch)
    points = [problem.point]
    for seed, steps in ((1, problem.T), (2, 1), (3, 2)):
        points.append(point(problem.net, T=steps, batch=batch, seed=seed, sizes=problem.sizes))
    return problem, tuple(edits(problem)), tuple(points)


def handed_over(problem: Problem, points: tuple[Point, ...], adjoint: Adjoint) -> list[Sight]:
    """The gradients of a derivation, as numbers."""
    sights = []
    for at in points:
        run = course(adjoint.net, problem.net, at, None, correct_run(problem, at))
        sights.append(Sight(at, Claims({n: run.number(g, at)[0] for n, g in problem.gradients.items()})))
    return sights


def same(problem: Problem, a: Recurrence, b: Recurrence) -> bool:
    """Whether two derivations give the same gradients, by exact identity: step(relu(a)) is step(a)."""
    outputs = list(problem.gradients.values())
    return bool(identical(a, b, problem.net, outputs=outputs, T=problem.T))


def accepted(found: Diagnosis) -> bool:
    return found.explained and not found.mistakes


def singles(cell: str, loss: str, batch: int | None, part: int) -> Score:
    """A part of all single edits of a cell."""
    problem, made, points = setting(cell, loss, batch)
    score = Score()
    for edit in made[part::CHUNKS]:
        found = diagnose(problem, handed_over(problem, points, edit.adjoint), most=1)
        if accepted(found):
            equal = same(problem, edit.net, problem.derivation.adjoint)
            score += Score(1, int(equal), missed=() if equal else (f"accepted: {edit.text}",))
            continue
        named = found.explained and (found[0].text == edit.text or same(problem, found.adjoint.net, edit.net))
        score += Score(1, 0, 1, int(named), () if named else (f"not named: {edit.text}; found: {found}",))
    return score


def balanced(rng: random.Random, made: tuple[Edit, ...] | list[Edit]) -> Edit:
    """An edit at random, every kind as likely."""
    kind = rng.choice(sorted({e.kind for e in made}))
    return rng.choice([e for e in made if e.kind == kind])


def pairs(cell: str, loss: str, batch: int | None, part: int, count: int) -> Score:
    """Two edits, one upon the other; those that come to one edit or to none do not count."""
    problem, made, points = setting(cell, loss, batch)
    rng, score = random.Random(f"{cell} {part}"), Score()
    while score.rejected + len(score.missed) < count:
        first = balanced(rng, made)
        if first.whole is not None:
            continue  # what is truncated has layers: edits go before it
        second = balanced(rng, list(edits(problem, first.adjoint)))
        sights = handed_over(problem, points, second.adjoint)
        found = diagnose(problem, sights, most=1)
        if accepted(found) or (found.explained and same(problem, found.adjoint.net, second.net)):
            score += Score(1, 1)
            if accepted(found) and not same(problem, second.net, problem.derivation.adjoint):
                score += Score(missed=(f"accepted: {first.text} AND {second.text}",))
            continue
        found = diagnose(problem, sights, most=2)
        named = found.explained and len(found) == 2 and same(problem, found.adjoint.net, second.net)
        score += Score(1, 0, 1, int(named), () if named else (f"not named: {first.text} AND {second.text}; {found}",))
    return score


# ---------------------------------------------------------------- correct derivations in other forms


def forms(problem: Problem) -> Iterator[tuple[str, Recurrence]]:
    """The correct derivation, written otherwise."""
    net, forward = problem.derivation.adjoint, {e.name for e in problem.net.equations}
    yield "as derived", net
    yield "factors in another order", _rewritten(net, forward, _reversed)
    yield "1 − y² as (1 − y)(1 + y)", _rewritten(net, forward, _as_product)
    yield "y(1 − y) as y − y²", _rewritten(net, forward, _expanded)
    yield "transposes of transposes", _rewritten(net, forward, _transposed)
    for name in [e.name for e in net.equations if e.name not in forward and e.name.startswith("delta")][:3]:
        inlined = _inlined(net, name)
        if inlined is not None:
            yield f"without {name}", inlined
    whole = rd.derive(problem.net, problem.derivation.wrt, truncate=problem.T + 2)  # more than there are
    yield "truncated after more steps than there are", whole.adjoint


def _rewritten(net: Recurrence, kept: set[str], rule: object) -> Recurrence:
    equations = [Equation(e.left, e.right if e.name in kept else tm.transform(e.right, rule)) for e in net.equations]
    return Recurrence(tuple(equations), net.loss, net.declared)


def _reversed(node: tm.Term) -> tm.Term | None:
    return tm.Times(*reversed(node.args)) if isinstance(node, tm.Times) and len(node.args) > 1 else None


def _as_product(node: tm.Term) -> tm.Term | None:
    if isinstance(node, tm.Plus) and len(node.args) == 2 and node.args[0] == tm.Number(1):
        sign, square = tm.split_sign(node.args[1])
        if sign < 0 and isinstance(square, tm.Power) and square.args[1] == 2:
            return (1 - square.args[0]) * (1 + square.args[0])
    return None


def _expanded(node: tm.Term) -> tm.Term | None:
    if isinstance(node, tm.Times) and len(node.args) > 2 and node.args[-1] == 1 - node.args[-2]:
        return tm.times(*node.args[:-2], node.args[-2] - node.args[-2] ** 2)
    return None


def _transposed(node: tm.Term) -> tm.Term | None:
    if isinstance(node, tm.Product) and len(node.args) == 2 and not node.is_scalar:
        return tm.Transpose(tm.Product(*(a.T for a in reversed(node.args))))
    return None


def _inlined(net: Recurrence, name: str) -> Recurrence | None:
    """A quantity written out where it is read."""
    right = net[name].right
    if any(isinstance(n, tm.At) and n.name == name for n in tm.members(right)):
        return None

    def leaf(node: tm.Term) -> tm.Term | None:
        if isinstance(node, tm.At) and node.name == name:
            return tm.at_time(right, node.index)
        return right if isinstance(node, tm.Parameter) and node.name == name else None

    reads = [n for e in net.equations for n in tm.members(e.right) if isinstance(n, tm.At) and n.name == name]
    if any(n.lag != 0 for n in reads):
        return None  # outside 1..T it is zero, what it is made of need not be
    equations = [Equation(e.left, tm.transform(e.right, leaf)) for e in net.equations if e.name != name]
    return Recurrence(tuple(equations), net.loss, net.declared)


def right_ones(cell: str, loss: str, batch: int | None) -> Score:
    """Correct derivations in other forms; here `rejected` are false alarms."""
    problem, _, _ = setting(cell, loss, None)
    score = Score()
    for words, net in forms(problem):
        verdict = verify(problem.net, net)
        score += Score(1, 0, int(not verdict), 0, () if verdict else (f"false alarm: {words}: {verdict.headline}",))
    return score


# ---------------------------------------------------------------- the table


def tasks(pool: Executor, options: argparse.Namespace) -> dict[Future[Score], tuple[str, str]]:
    """All work, by cell and kind."""
    share = -(-options.pairs // CHUNKS)
    found: dict[Future[Score], tuple[str, str]] = {}
    for cell in options.cells:
        where = (cell, options.loss, options.batch)
        if not options.forms_only:
            for part in range(CHUNKS):
                found[pool.submit(singles, *where, part)] = (cell, "single")
                if share:
                    found[pool.submit(pairs, *where, part, share)] = (cell, "pair")
        found[pool.submit(right_ones, *where)] = (cell, "right")
    return found


def row(cell: str, scores: dict[str, Score]) -> str:
    one, two, right = (scores.get(k, Score()) for k in ("single", "pair", "right"))
    counted, paired = one.made - one.equal, two.made - two.equal

    def percent(part: int, whole: int) -> str:
        return f"{100 * part / whole:6.1f} %" if whole else "       —"

    return (
        f"{cell:20}{counted:8}{one.equal:7}{percent(one.rejected, counted)}{percent(one.named, counted)}"
        f"{paired:8}{percent(two.rejected, paired)}{percent(two.named, paired)}{right.made:8}{right.rejected:7}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cells", type=lambda s: s.split(","), default=list(rd.cells.LIBRARY))
    parser.add_argument("--pairs", type=int, default=40, help="pairs of edits for each cell")
    parser.add_argument(
        "--loss", choices=("own", "every"), default="every", help="the cell's own, or one at every step"
    )
    parser.add_argument("--batch", type=int, default=None)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--forms-only", action="store_true")
    parser.add_argument("--missed", type=int, default=20, help="how many that were missed are shown")
    options = parser.parse_args()
    if options.loss == "every":
        options.cells = [c for c in options.cells if c not in ("lecture",)]  # its readout is of the last step
    start, scores = time.time(), {c: {} for c in options.cells}
    os.environ.update(THREADS)
    with ProcessPoolExecutor(options.workers, mp_context=get_context("spawn")) as pool:
        work = tasks(pool, options)
        for done, future in enumerate(as_completed(work), 1):
            cell, kind = work[future]
            scores[cell][kind] = scores[cell].get(kind, Score()) + future.result()
            print(f"\r{done} of {len(work)} parts, {time.time() - start:.0f} s", end="", file=sys.stderr, flush=True)
    print(file=sys.stderr)
    print(f"{'':20}{'singles':>8}{'equal':>7}{'rejected':>10}{'named':>8}{'pairs':>9}{'rejected':>9}{'named':>8}"
          f"{'right':>8}{'alarms':>7}")  # fmt: skip
    for cell in options.cells:
        print(row(cell, scores[cell]))
    total = {k: sum((s.get(k, Score()) for s in scores.values()), Score()) for k in ("single", "pair", "right")}
    print(row("all", total))
    missed = [f"{c}, {k}: {m}" for c, by in scores.items() for k, s in by.items() for m in s.missed]
    for kind, number in Counter(m.split(":")[1].strip() for m in missed).items():
        print(f"{number} {kind}")
    print("\n".join(missed[: options.missed]))


if __name__ == "__main__":
    main()
