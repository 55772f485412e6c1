"""One product for all gates that multiply the same vectors, one call for all that apply the same function.

The gates become one sequence, a bundle, whose parts are its blocks: ``f[t]`` turns into ``gates[t][0:n]``.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from rnnderive.language import terms as tm
from rnnderive.language.recurrence import Equation, Recurrence
from rnnderive.language.terms import Term, t
from rnnderive.programs.passes.bundles import Names, adjacent, as_column, bundled
from rnnderive.programs.passes.common import Definitions, free_of, is_linear, loops, rewritten, summands

__all__ = ["by_exp", "fuse_gates", "name_sums", "pack"]


def by_exp(net: Recurrence) -> Recurrence:
    """In loops, sigmoid(a) becomes 1 / (1 + exp(-a)), so that all gates are one call of exp."""
    inside = loops(net)
    new = Definitions(net)

    def replace(node: Term) -> Term | None:
        if not (isinstance(node, tm.Apply) and node.name == "sigmoid"):
            return None
        inner = tm.Apply("exp", scaled(tm.Number(-1), tm.transform(node.args[1], replace)))
        return tm.power(tm.plus(tm.Number(1), new.sequence("exp", inner)), -1)

    change = {e.name: tm.transform(e.right, replace) for e in net.equations if e.name in inside}
    return rewritten(net, change, new.equations)


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
    new = Definitions(net)
    for e in net.equations:
        if e.name in inside and not _is_affine(net, e.right, inside[e.name]):
            for node in _affine_parts(net, e.right, inside[e.name]):
                new.sequence("pre", node)
    change = {e.name: tm.transform(e.right, new.names.get) for e in net.equations}
    return rewritten(net, change, new.equations)


def _affine_parts(net: Recurrence, term: Term, loop: frozenset[str]) -> Iterable[Term]:
    """The outermost sums with products of a loop."""
    if _is_affine(net, term, loop):
        yield term
    else:
        for a in term.terms:
            yield from _affine_parts(net, a, loop)


def _is_affine(net: Recurrence, term: Term, loop: frozenset[str]) -> bool:
    """Whether a term is a sum with products of a loop in it."""
    return any(is_linear(net, a) and not free_of(a, loop) for a in summands(term))


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


def _use(net: Recurrence, name: str) -> list[str]:
    """The functions that are applied to a sequence: gates with the same one come together."""
    nodes = (n for e in net.equations for n in tm.parts(e.right) if isinstance(n, tm.Apply))
    return sorted({n.name for n in nodes if isinstance(n.args[1], tm.At) and n.args[1].name == name})


def _fused(
    net: Recurrence, parts: list[str], vectors: frozenset[Term], loop: frozenset[str], names: Names
) -> Recurrence:
    """The system with one sum of products in place of several; what else they add up stays with each."""
    new = Definitions(net)
    products: list[Term] = []
    for v in sorted(vectors, key=str):
        matrices = []
        for n in parts:
            heads = [tm.product(*a.args[:-1]) for a in summands(net[n].right) if is_linear(net, a) and a.args[-1] == v]
            matrices.append(tm.plus(*heads))
        products.append(tm.product(new.constant("W_all", tm.stack(*matrices)), v))
    rest: dict[str, Term] = {}
    free = []
    for n in parts:
        others = [a for a in summands(net[n].right) if not (is_linear(net, a) and a.args[-1] in vectors)]
        outer = [a for a in others if free_of(a, loop)]
        inner = [a for a in others if not free_of(a, loop)]
        free.append(tm.plus(*outer, tm.Zeros(*net.shape(n))))
        if inner:
            rest[n] = tm.plus(*inner)
    columns = [as_column(a, net.shape(n)) for a, n in zip(free, parts, strict=True)]
    total = tm.plus(*products, tm.stack(*columns))
    net = rewritten(net, {}, new.equations)
    stand = {n: tm.At(net.fresh(f"{n}_product"), t, *net.shape(n)) for n in rest}  # the products of n alone
    change = {n: tm.plus(at, rest[n]) for n, at in stand.items()}
    net = rewritten(net, change, (Equation(at, tm.Zeros(*at.shape)) for at in stand.values()))
    members = [stand[n].name if n in stand else n for n in parts]
    return bundled(net, net.fresh("gates"), members, total, names)


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
    """Sequences that are one function of neighbouring blocks, and that function of all of them."""
    inside = loops(net)
    groups: dict[Any, list[tuple[Any, Any, str]]] = {}
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
        groups.setdefault((b.args[0], form), []).append((b.args[1], b.args[2], e.name))
    for (whole, _), members in groups.items():
        for run in adjacent(members):
            if len(run) > 1:
                start, stop, name = run[0]
                wide = tm.block(whole, start, run[-1][1])
                right = tm.transform(net[name].right, {tm.block(whole, start, stop): wide}.get)
                return [name for _, _, name in run], right
    return None
