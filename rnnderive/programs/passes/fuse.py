"""One product for all that multiply the same vector, one call for all that apply the same function.

The gates of a cell become one sequence, a *bundle*, whose parts are its blocks: ``f[t]`` turns into
``gates[t][0:n]``.  Backward, the deltas of the gates become one bundle too, so that U.T @ delta and the
gradients of the weights are one product each.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise
from typing import Any, TypeAlias

import sympy as sp

from rnnderive.language import terms as tm
from rnnderive.language.recurrence import Equation, Recurrence
from rnnderive.language.terms import Term, t
from rnnderive.programs.passes.common import free_of, fresh, is_linear, loops, outer, rewritten, summands

__all__ = ["Names", "bundle_deltas", "by_exp", "fuse_gates", "fuse_sums", "name_sums", "pack"]


Names: TypeAlias = "dict[tuple[str, Any, Any], str] | None"  # (bundle, start, stop) → what it was called

# ---------------------------------------------------------------- functions and sums get names


def by_exp(net: Recurrence) -> Recurrence:
    """In loops, sigmoid(a) becomes 1 / (1 + exp(-a)), so that all gates are one call of exp."""
    inside = loops(net)
    extra: list[Equation] = []
    taken: set[str] = set()

    def replace(node: Term) -> Term | None:
        if not (isinstance(node, tm.Apply) and node.name == "sigmoid"):
            return None
        inner = tm.Apply("exp", scaled(tm.Number(-1), tm.transform(node.args[1], replace)))
        left = fresh(net, "exp", inner, taken)
        extra.append(Equation(left, inner))
        return tm.power(tm.plus(tm.Number(1), left), -1)

    change = {e.name: tm.transform(e.right, replace) for e in net.equations if e.name in inside}
    return rewritten(net, change, extra)


def scaled(number: Term, term: Term) -> Term:
    """A number times a term, taken into sums and onto the matrices of products."""
    match term:
        case tm.Plus():
            return tm.plus(*(scaled(number, a) for a in term.args))
        case tm.Product() if term.is_column and not term.is_scalar:
            return tm.product(tm.times(number, term.args[0]), *term.args[1:])
    return tm.times(number, term)


def name_sums(net: Recurrence) -> Recurrence:
    """In loops, give a name to each sum with matrix products that stands inside something else."""
    inside = loops(net)
    names: dict[Term, tm.At] = {}
    taken: set[str] = set()
    for e in net.equations:
        if e.name in inside and not _is_affine(net, e.right, inside[e.name]):
            for node in _affine_parts(net, e.right, inside[e.name]):
                if node not in names:
                    names[node] = fresh(net, "pre", node, taken)
    if not names:
        return net
    change = {e.name: tm.transform(e.right, names.get) for e in net.equations}
    return rewritten(net, change, [Equation(left, node) for node, left in names.items()])


def _affine_parts(net: Recurrence, term: Term, loop: frozenset[str]) -> Iterable[Term]:
    """The outermost sums with products of a loop."""
    if _is_affine(net, term, loop):
        yield term
    else:
        for a in term.terms:
            yield from _affine_parts(net, a, loop)


def _is_affine(net: Recurrence, term: Term, loop: frozenset[str]) -> bool:
    return any(is_linear(net, a) and not free_of(a, loop) for a in summands(term)) and not (isinstance(term, tm.Times))


# ---------------------------------------------------------------- bundles


def bundled(net: Recurrence, name: str, parts: list[str], right: Term, names: Names) -> Recurrence:
    """The system with ``name[t] = right`` in place of its parts, which become blocks of it."""
    whole = tm.At(name, t, *right.shape)
    blocks: dict[str, tuple[Any, Any]] = {}
    start: Any = sp.S.Zero
    for p in parts:
        stop = sp.expand(start + net.shape(p)[0])
        blocks[p] = (start, stop)
        if names is not None:
            names[name, start, stop] = p
        start = stop

    def replace(node: Term) -> Term | None:
        if isinstance(node, tm.At) and node.name in blocks:
            return tm.block(whole.moved(node.index), *blocks[node.name])
        return None

    change = {e.name: tm.transform(e.right, replace) for e in net.equations if e.name not in blocks}
    place = Equation(whole, tm.transform(right, replace))
    equations: list[Equation] = []
    for e in net.equations:
        if e.name == parts[0]:
            equations.append(place)
        if e.name not in blocks:
            equations.append(Equation(e.left, change[e.name]))
    return Recurrence(tuple(equations), net.loss, net.declared)


def fuse_gates(net: Recurrence, fixed: Iterable[str] = (), names: Names = None) -> Recurrence:
    """In loops, sums of products with the same vectors become one product with stacked matrices.

    A sum that multiplies further vectors takes part with those that it shares.
    """
    inside = loops(net)
    vectors: dict[str, frozenset[Term]] = {}
    for e in net.equations:
        if e.name in inside and e.name not in fixed and _is_affine(net, e.right, inside[e.name]):
            vectors[e.name] = frozenset(a.args[-1] for a in summands(e.right) if is_linear(net, a))
    groups: dict[Any, list[str]] = {}
    for name, own in vectors.items():
        loop = inside[name]
        cores = [v for n, v in vectors.items() if inside[n] == loop and v <= own]
        groups.setdefault((loop, min(cores, key=lambda v: (len(v), sorted(map(str, v))))), []).append(name)
    for (loop, core), parts in groups.items():
        if len(parts) > 1 and any(not free_of(v, loop) for v in core):
            net = _fused(net, sorted(parts, key=lambda n: _use(net, n)), core, loop, names)
    return net


def _use(net: Recurrence, name: str) -> str:
    """How a sequence is used, with its own name left out: gates of one kind come together."""
    uses = []
    for e in net.equations:
        for node in tm.parts(e.right):
            if any(isinstance(a, tm.At) and a.name == name for a in node.args):
                inner = str(e.right).replace(f"{name}[", "[") if not isinstance(node, tm.Apply) else ""
                readers = [
                    str(r.right).replace(f"{e.name}[", "[")
                    for r in net.equations
                    if isinstance(node, tm.Apply)
                    and any(isinstance(m, tm.At) and m.name == e.name for m in tm.parts(r.right))
                ]
                uses.append(f"{node.name if isinstance(node, tm.Apply) else inner}:{sorted(readers)[:1]}")
    return str(sorted(uses))


def _fused(
    net: Recurrence, parts: list[str], vectors: frozenset[Term], loop: frozenset[str], names: Names
) -> Recurrence:
    taken: set[str] = set()
    ordered = sorted(vectors, key=str)
    products: list[Term] = []
    extra: list[Equation] = []
    for v in ordered:
        matrices = []
        for n in parts:
            heads = [tm.product(*a.args[:-1]) for a in summands(net[n].right) if is_linear(net, a) and a.args[-1] == v]
            matrices.append(tm.plus(*heads))
        whole = tm.stack(*matrices)
        left = tm.Parameter(net.fresh("W_all", taken), *whole.shape)
        taken.add(left.name)
        extra.append(Equation(left, whole))
        products.append(tm.product(left, v))
    rest: dict[str, Term] = {}
    free = []
    for n in parts:
        others = [a for a in summands(net[n].right) if not (is_linear(net, a) and a.args[-1] in vectors)]
        outer = [a for a in others if free_of(a, loop)]
        inner = [a for a in others if not free_of(a, loop)]
        free.append(tm.plus(*outer, tm.Zeros(*net.shape(n))))
        if inner:
            rest[n] = tm.plus(*inner)
    columns = [_column(a, net.shape(n)) for a, n in zip(free, parts, strict=True)]
    total = tm.plus(*products, tm.stack(*columns))
    name = net.fresh("gates", taken)
    if not rest:
        net = bundled(net, name, parts, total, names)
    else:
        stand: dict[str, str] = {}
        change = {}
        for n in rest:
            stand[n] = net.fresh(f"{n}_product", taken)
            taken.add(stand[n])
            change[n] = tm.plus(tm.At(stand[n], t, *net.shape(n)), rest[n])
        temporary = [Equation(tm.At(stand[n], t, *net.shape(n)), tm.Zeros(*net.shape(n))) for n in rest]
        net = rewritten(net, change, temporary)
        net = bundled(net, name, [stand.get(n, n) for n in parts], total, names)
    return Recurrence((*extra, *net.equations), net.loss, net.declared)


def _column(term: Term, shape: tuple[Any, Any]) -> Term:
    """A term as a column of this shape; a number in every entry."""
    return term if term.shape == shape else tm.times(tm.Ones(*shape), term)


def pack(net: Recurrence, fixed: Iterable[str] = (), names: Names = None) -> Recurrence:
    """Equations that do the same to neighbouring blocks of one bundle become one equation."""
    kept = set(fixed)
    while True:
        found = _neighbours(net, kept)
        if found is None:
            return net
        parts, right = found
        net = bundled(net, net.fresh(_joined(parts)), parts, right, names)


def _joined(parts: list[str]) -> str:
    """A name for several sequences together: f_i_o."""
    stem = parts[0].rstrip("_0123456789")
    if all(p.rstrip("_0123456789") == stem for p in parts):
        return f"all_{stem}"
    name = "_".join(p.strip("_") for p in parts)
    return name if len(name) <= 16 else "bundle"


def _neighbours(net: Recurrence, kept: set[str]) -> tuple[list[str], Term] | None:
    inside = loops(net)
    groups: dict[Any, list[tuple[Any, str, tm.Block]]] = {}
    for e in net.equations:
        if e.name not in inside or e.name in kept:
            continue
        blocks = {n for n in tm.parts(e.right) if isinstance(n, tm.Block) and isinstance(n.args[0], tm.At)}
        others = [n for n in tm.parts(e.right) if isinstance(n, tm.At | tm.Parameter)]
        if len(blocks) != 1 or isinstance(e.right, tm.Block):
            continue
        (b,) = blocks
        if (
            b.args[0].lag != 0
            or any(n != b.args[0] for n in others)
            or any(isinstance(n, tm.Product | tm.Unary | tm.Stack | tm.Where | tm.TimeSum) for n in tm.parts(e.right))
        ):
            continue
        hole = tm.Parameter("_hole", 1)
        form = str(tm.transform(e.right, {b: hole}.get))
        groups.setdefault((b.args[0], form), []).append((b.args[1], e.name, b))
    for members in groups.values():
        members = _in_order(members)
        for run in _runs(members):
            if len(run) > 1:
                first, last = run[0][2], run[-1][2]
                wide = tm.block(first.args[0], first.args[1], last.args[2])
                right = tm.transform(net[run[0][1]].right, {first: wide}.get)
                return [name for _, name, _ in run], right
    return None


def _in_order(members: list[tuple[Any, str, tm.Block]]) -> list[tuple[Any, str, tm.Block]]:
    """Blocks one after the other: each starts where another ends."""
    return sorted(members, key=lambda m: (sp.sympify(m[0]).subs({s: 7 for s in sp.sympify(m[0]).free_symbols}), m[1]))


def _runs(members: list[tuple[Any, str, tm.Block]]) -> list[list[tuple[Any, str, tm.Block]]]:
    runs = [[members[0]]]
    for before, after in pairwise(members):
        if sp.expand(before[2].args[2] - after[2].args[1]) == 0:
            runs[-1].append(after)
        else:
            runs.append([after])
    return runs


# ---------------------------------------------------------------- backward


def bundle_deltas(net: Recurrence, fixed: Iterable[str] = (), names: Names = None) -> Recurrence:
    """Sequences whose products with one vector are summed over time become one bundle: gradients of stacked weights."""
    inside = loops(net)
    kept = set(fixed)
    groups: dict[Any, list[str]] = {}
    for e in net.equations:
        pair = outer(e.right)
        if pair is None:
            continue
        column, row = pair
        if isinstance(column, tm.At) and column.lag == 0 and column.name in inside and column.name not in kept:
            group = groups.setdefault((inside[column.name], row), [])
            if column.name not in group:
                group.append(column.name)
    done: set[str] = set()
    order = _weights_order(net)
    for (loop, _), group in groups.items():
        parts = _independent(net, [n for n in group if n not in done], loop)
        if len(parts) > 1:
            parts.sort(key=lambda n: (_own(net[n].right, loop), order.get(n, len(order))))
            done |= set(parts)
            whole = tm.stack(*(_column(net[n].right, net.shape(n)) for n in parts))
            net = bundled(net, net.fresh("deltas"), parts, whole, names)
    return net


def _own(term: Term, loop: frozenset[str]) -> str:
    """The factors of the loop in a product: neighbours that share them are one multiplication."""
    factors = term.args if isinstance(term, tm.Times) else (term,)
    return str([f for f in factors if not free_of(f, loop)])


def _weights_order(net: Recurrence) -> dict[str, int]:
    """Delta → where the matrix that it is multiplied with stands in a fused stack."""
    place: dict[str, int] = {}
    for e in net.equations:
        if not e.timed and isinstance(e.right, tm.Stack):
            for k, part in enumerate(e.right.args):
                for leaf in tm.parts(part):
                    if isinstance(leaf, tm.Parameter):
                        place.setdefault(leaf.name, k)
    out: dict[str, int] = {}
    for e in net.equations:
        for node in tm.parts(e.right):
            if isinstance(node, tm.Product) and isinstance(node.args[-1], tm.At):
                names = [n.name for n in tm.parts(node.args[0]) if isinstance(n, tm.Parameter) and n.name in place]
                if names:
                    out.setdefault(node.args[-1].name, place[names[0]])
    return out


def _independent(net: Recurrence, names: list[str], loop: frozenset[str]) -> list[str]:
    """Those that do not need one another at the same step."""

    def needs(name: str) -> set[str]:
        found: set[str] = set()
        work = [name]
        while work:
            for r in net.reads(work.pop()):
                if r.name in loop and r.lag == 0 and r.name not in found:
                    found.add(r.name)
                    work.append(r.name)
        return found

    chosen: list[str] = []
    for n in names:
        if not any(c in needs(n) or n in needs(c) for c in chosen):
            chosen.append(n)
    return chosen


def fuse_sums(net: Recurrence) -> Recurrence:
    """A @ u[0:n] + B @ u[n:m] becomes [A.T, B.T].T @ u; sums over time of blocks become blocks of sums."""
    extra: list[Equation] = []
    names: dict[Term, tm.Parameter] = {}
    taken: set[str] = set()

    def matrix(whole: Term) -> Term:
        if whole not in names:
            names[whole] = tm.Parameter(net.fresh("W_sum", taken), *whole.shape)
            taken.add(names[whole].name)
            extra.append(Equation(names[whole], whole))
        return names[whole]

    def replace(node: Term) -> Term | None:
        if not isinstance(node, tm.Plus):
            return None
        node = node.rebuild(*(tm.transform(a, replace) for a in node.args))
        found: dict[Term, list[tuple[Any, Any, Term]]] = {}
        rest = []
        for a in summands(node):
            inner = a.args[-1] if is_linear(net, a) else None
            if isinstance(inner, tm.Block) and isinstance(inner.args[0], tm.At):
                found.setdefault(inner.args[0], []).append((inner.args[1], inner.args[2], tm.product(*a.args[:-1])))
            else:
                rest.append(a)
        parts = []
        for whole, members in found.items():
            members = _in_order(members)
            for run in _adjacent(members):
                tall = tm.stack(*(tm.transpose(m) for _, _, m in run))
                left = tm.transpose(matrix(tall)) if len(run) > 1 else run[0][2]
                parts.append(tm.product(left, tm.block(whole, run[0][0], run[-1][1])))
        return tm.plus(*parts, *rest)

    change = {e.name: tm.transform(e.right, replace) for e in net.equations}
    net = rewritten(net, change, extra)
    return _sums_of_bundles(net)


def _adjacent(members: list[Any]) -> list[list[Any]]:
    runs = [[members[0]]]
    for before, after in pairwise(members):
        if sp.expand(before[1] - after[0]) == 0:
            runs[-1].append(after)
        else:
            runs.append([after])
    return runs


def _sums_of_bundles(net: Recurrence) -> Recurrence:
    """Σ_t u[t][0:n] @ v becomes rows of Σ_t u[t] @ v."""
    extra: list[Equation] = []
    names: dict[Term, tm.Parameter] = {}
    taken: set[str] = set()
    counts: dict[Term, int] = {}
    change: dict[str, Term] = {}
    found: dict[str, tuple[Term, tm.Block]] = {}
    for e in net.equations:
        batch = isinstance(e.right, tm.BatchSum)
        body = e.right.args[0] if batch else e.right
        if e.timed or not isinstance(body, tm.TimeSum):
            continue
        inner = body.args[0]
        first = inner.args[0] if isinstance(inner, tm.Product) else inner
        if not (isinstance(first, tm.Block) and isinstance(first.args[0], tm.At) and first.is_column):
            continue
        whole: Term = tm.TimeSum(
            tm.product(first.args[0], *inner.args[1:]) if isinstance(inner, tm.Product) else first.args[0]
        )
        whole = tm.BatchSum(whole) if batch else whole
        counts[whole] = counts.get(whole, 0) + 1
        found[e.name] = (whole, first)
    for name, (whole, first) in found.items():
        if counts[whole] < 2:
            continue
        if whole not in names:
            names[whole] = tm.Parameter(net.fresh("total", taken), *whole.shape)
            taken.add(names[whole].name)
            extra.append(Equation(names[whole], whole))
        change[name] = tm.block(names[whole], first.args[1], first.args[2])
    return rewritten(net, change, extra)
