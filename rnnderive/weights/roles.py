"""What each parameter does, found from the equations: recurrent weight, forget bias, readout.

An initialiser is chosen for a role, not for a name.  Of a gate's weight on [h, x] the columns
that meet h are one block and those that meet x another, with roles of their own.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import sympy as sp

from rnnderive.language import Equation, Recurrence
from rnnderive.language import terms as tm

__all__ = ["ROLES", "Block", "Gate", "Roles"]

ROLES = {
    "input": "a matrix on what comes from outside the loop",
    "recurrent": "a matrix on the state",
    "readout": "a matrix that the loop does not need",
    "diagonal": "a vector times the state: a peephole, or the recurrent weight of indrnn",
    "gain": "a vector times something else: after a layer normalisation",
    "bias": "an added vector",
    "forget_bias": "the bias of a gate that only keeps the state",
    "input_bias": "the bias of the gate that lets the candidate in, beside a forget gate",
    "update_bias": "the bias of a gate that keeps the state or else replaces it, as in a GRU",
    "readout_bias": "an added vector that the loop does not need",
}


@dataclass(frozen=True)
class Block:
    """Columns of a parameter that have one role.

    Attributes
    ----------
    parameter, role : str
    rows, start, columns : size
        Symbolic; the block is ``parameter[:, start : start + columns]``.
    group : tuple
        Blocks of one group are gates of one layer with one role and width.
    equation : str
        Where it stands.
    """

    parameter: str
    role: str
    rows: Any
    start: Any
    columns: Any
    group: tuple[str, ...]
    equation: str


@dataclass(frozen=True)
class Gate:
    """A gate of a state s, where s[t] = keep · s[t−1] + admit · …

    Attributes
    ----------
    state : str
    keep, admit : tuple of str
        Biases of the gate that keeps and, if it is another one, of the gate that admits.
    sign : int
        1 if the gate multiplies s[t−1], −1 if one minus the gate does.
    """

    state: str
    keep: tuple[str, ...]
    sign: int
    admit: tuple[str, ...] = ()
    coupled: bool = False


@dataclass(frozen=True)
class Roles:
    """The roles of all parameters of a recurrence.

    Examples
    --------
    >>> from rnnderive.cells import lstm
    >>> roles = Roles.of(lstm())
    >>> [(b.role, b.start, b.columns) for b in roles.blocks["W_f"]]
    [('recurrent', 0, n_h), ('input', n_h, n_x)]
    >>> {name: blocks[0].role for name, blocks in roles.blocks.items() if name.startswith("b")}
    {'b_f': 'forget_bias', 'b_i': 'input_bias', 'b_C': 'bias', 'b_o': 'bias', 'b_y': 'readout_bias'}
    """

    blocks: dict[str, tuple[Block, ...]]
    gates: tuple[Gate, ...]

    @classmethod
    def of(cls, net: Recurrence) -> Roles:
        """Find them."""
        loops = {n: frozenset(s.names) for s in net.schedule if s.direction != "all" for n in s.names}
        inner = _feeding(net, loops)
        gates = tuple(_gates(net, loops))
        biases = _gate_roles(gates)
        found: dict[str, tuple[Block, ...]] = {}
        for e in net.equations:
            loop = loops.get(e.name, frozenset())
            for blocks in _blocks(net, e, loop, e.name in inner, biases):
                found.setdefault(blocks[0].parameter, blocks)
        return cls({n: found[n] for n in net.parameters if n in found}, gates)

    def beside(self, block: Block) -> list[Block]:
        """All blocks in the same equation."""
        return [b for blocks in self.blocks.values() for b in blocks if b.equation == block.equation]


def _feeding(net: Recurrence, loops: dict[str, frozenset[str]]) -> set[str]:
    """The equations in a loop, and all that a loop needs."""
    todo, found = list(loops), set()
    while todo:
        name = todo.pop()
        if name in net and name not in found:
            found.add(name)
            todo += [s for r in net.reads(name) for s in (r.name, f"{r.name}0")]
    return found


# ---------------------------------------------------------------- blocks


def _blocks(
    net: Recurrence, e: Equation, loop: frozenset[str], inner: bool, biases: dict[str, str]
) -> Iterator[tuple[Block, ...]]:
    """The blocks of each parameter of one equation, in order of appearance."""
    for node, parents in _walk(e.right):
        if not isinstance(node, tm.Parameter) or node.name not in net.parameters:
            continue
        rows, columns = net.shape(node.name)
        if columns == 1:
            role = _vector_role(node, parents, loop, inner, biases)
            yield (Block(node.name, role, rows, sp.S.Zero, columns, (e.name,), e.name),)
            continue
        start: Any = sp.S.Zero
        out = []
        for operand in _operands(node, parents):
            width = columns if operand is None else operand.shape[0]
            reads = _names(operand) if operand is not None else set()
            role = "readout" if not inner else "recurrent" if reads & loop else "input"
            group = (*sorted(loop or {e.name}), role, str(width))
            out.append(Block(node.name, role, rows, start, width, group, e.name))
            start = start + width
        yield tuple(out)


def _walk(term: tm.Term, parents: tuple[tm.Term, ...] = ()) -> Iterator[tuple[tm.Term, tuple[tm.Term, ...]]]:
    """Every node with those around it, outermost first."""
    yield term, parents
    for part in term.terms:
        yield from _walk(part, (*parents, term))


def _operands(node: tm.Term, parents: tuple[tm.Term, ...]) -> list[tm.Term | None]:
    """What the columns of a matrix meet in its product: the parts of a stack, or one operand."""
    product = parents[-1] if parents else None
    if not isinstance(product, tm.Product):
        return [None]
    rest = product.args[product.args.index(node) + 1 :]
    if len(rest) == 1 and isinstance(rest[0], tm.Stack):
        return list(rest[0].args)
    if len(rest) == 1:
        return [rest[0]]
    return [tm.product(*rest)] if rest else [None]


def _names(term: tm.Term) -> set[str]:
    return {n.name for n in tm.members(term) if isinstance(n, tm.At | tm.Parameter)}


def _vector_role(
    node: tm.Parameter, parents: tuple[tm.Term, ...], loop: frozenset[str], inner: bool, biases: dict[str, str]
) -> str:
    if node.name in biases:
        return biases[node.name]
    factors = parents[-1] if parents else None
    if isinstance(factors, tm.Times):
        others = [a for a in factors.args if a != node]
        if any(isinstance(a, tm.At | tm.Apply) for a in others):
            return "diagonal" if any(_names(a) & loop for a in others if isinstance(a, tm.At)) else "gain"
        if any(_names(a) for a in others):
            return "gain"
    return "bias" if inner else "readout_bias"


# ---------------------------------------------------------------- gates


def _gate_roles(gates: tuple[Gate, ...]) -> dict[str, str]:
    """The role of each gate bias; a bias that serves several gates has that of the first."""
    out: dict[str, str] = {}
    for gate in gates:
        out |= {b: "update_bias" if gate.coupled else "forget_bias" for b in gate.keep if b not in out}
        out |= {b: "input_bias" for b in gate.admit if b not in out}
    return out


def _gates(net: Recurrence, loops: dict[str, frozenset[str]]) -> Iterator[Gate]:
    """The gates of every state s[t] = gate · s[t−1] + …"""
    for state in loops:
        right = net[state].right
        if not isinstance(right, tm.Plus):
            continue
        kept = [a for a in right.args if any(isinstance(f, tm.At) and f.name == state and f.lag for f in _factors(a))]
        if len(kept) != 1:
            continue
        keeps = [g for f in _factors(kept[0]) if (g := _gate(net, f, loops[state])) is not None]
        if len(keeps) != 1:
            continue
        inside, sign = keeps[0]
        others = [
            g[0]
            for a in right.args
            if a is not kept[0]
            for f in _factors(a)
            if (g := _gate(net, f, loops[state])) is not None
        ]
        admit = [o for o in others if o != inside]
        yield Gate(
            state,
            _biases(net, inside),
            sign,
            _biases(net, admit[0]) if len(admit) == 1 else (),
            coupled=inside in others,
        )


def _factors(term: tm.Term) -> tuple[tm.Term, ...]:
    return term.args if isinstance(term, tm.Times) else (term,)


def _gate(net: Recurrence, factor: tm.Term, loop: frozenset[str]) -> tuple[tm.Term, int] | None:
    """What the sigmoid of a gate is taken of, and −1 if the factor is one minus it."""
    if isinstance(factor, tm.At) and factor.lag == 0 and factor.name in net:
        return _gate(net, net[factor.name].right, loop)
    if isinstance(factor, tm.Apply) and factor.name in ("sigmoid", "hard_sigmoid"):
        return factor.args[1], 1
    if isinstance(factor, tm.Plus) and len(factor.args) == 2:
        one, other = sorted(factor.args, key=lambda a: not isinstance(a, tm.Number | tm.Constant))
        sign, rest = tm.split_sign(other)
        inner = _gate(net, rest, loop) if sign < 0 and isinstance(one, tm.Number | tm.Constant) else None
        return (inner[0], -inner[1]) if inner is not None else None
    return None


def _biases(net: Recurrence, inside: tm.Term) -> tuple[str, ...]:
    """The vectors that are added under a gate's sigmoid."""
    parts = inside.args if isinstance(inside, tm.Plus) else (inside,)
    out: list[str] = []
    for a in parts:
        if isinstance(a, tm.Parameter) and a.name in net.parameters:
            out.append(a.name)
        elif isinstance(a, tm.At) and a.lag == 0 and a.name in net:
            out += _biases(net, net[a.name].right)
    return tuple(out)
