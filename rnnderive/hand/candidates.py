"""The layouts that people use, as far as the names and shapes of some arrays allow them."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from rnnderive.hand.presets import Gates
from rnnderive.hand.problem import Problem
from rnnderive.language import terms as tm

__all__ = ["candidates"]

Shapes = Mapping[str, tuple[int, ...]]


def candidates(problem: Problem, params: Mapping[str, Any], inputs: Mapping[str, Any]) -> Iterator[list[str]]:
    """Texts of layouts, one list for each order of the gates and polarity of z.

    The entries of two lists at one place have the same shapes, so that sizes need be found for one list alone.

    Parameters
    ----------
    problem : Problem
    params, inputs : mapping
        The person's own arrays.
    """
    gates = Gates.of(problem.net)
    shapes = {n: np.shape(a) for n, a in params.items() if n not in problem.net.parameters}
    sequences = list(_sequences(problem, inputs))
    for signed in _polarities(gates):
        for order in itertools.permutations(gates.W):
            yield [
                "\n".join([*lines, *more])
                for lines in _parameters(signed, shapes, "".join(order), problem, set(params))
                for more in sequences
            ]


def _polarities(gates: Gates) -> Iterator[Gates]:
    """As declared, and with z and 1 − z exchanged."""
    yield gates
    if gates.kind == "gru":
        W, U, b = (_turned(table) for table in (gates.W, gates.U, gates.b))
        yield replace(gates, W=W, U=U, b=b)


def _turned(table: dict[str, str]) -> dict[str, str]:
    """With the other sign for z."""
    z = table["z"]
    return {**table, "z": z[1:] if z.startswith("-") else f"-{z}"}


def _parameters(g: Gates, shapes: Shapes, order: str, problem: Problem, own: set[str]) -> Iterator[list[str]]:
    """Lines for all parameters: fused gates in an order, and one array a gate."""
    W, U, b = (g.joined(table, order) for table in "WUb")
    both = [f"[{' ; '.join(f'[{p[s]} | {q[s]}]' for s in order)}]" for p, q in ((g.U, g.W), (g.W, g.U))]
    inside = _names(" ".join(t for k in "WUbcp" for t in getattr(g, k).values()))
    wanted = {n for n in problem.net.parameters if n not in own}
    readouts = [n for n in problem.net.parameters if n in wanted - inside]
    flat = [b, *(n for n in readouts if problem.net.shape(n)[1] == 1)]
    yield from _assigned(shapes, [W, U, *both, *(n for n in readouts if n not in flat)], flat, wanted)
    yield from _by_letter(g, shapes, readouts)
    yield from _by_place(g, shapes, order, readouts)


def _names(text: str) -> set[str]:
    """The cell's arrays in a text; columns of one are not told from another's."""
    return {n for n in re.findall(r"[^\W\d]\w*", re.sub(r"(?<=\w)\[\w+\]|\d \* \w+", "", text))}


def _twice(text: str) -> bool:
    """Whether an array of the cell, or the same columns of one, stands in it twice."""
    read = re.findall(r"[^\W\d]\w*(?:\[\w+\])?", re.sub(r"\d \* \w+", "", text))
    return len(set(read)) < len(read)


def _is_matrix(shape: tuple[int, ...]) -> bool:
    return sum(s != 1 for s in shape) == 2


def _column(shape: tuple[int, ...]) -> str:
    """The axes of a vector."""
    return "" if len(shape) == 1 else ": n 1" if shape[-1] == 1 else ": 1 n"


def _assigned(shapes: Shapes, matrices: Sequence[str], vectors: Sequence[str], wanted: set[str]) -> Iterator[list[str]]:
    """Every way to give each array one part, that together are all of the cell's parameters."""
    wide = [n for n in shapes if _is_matrix(shapes[n])]
    flat = [n for n in shapes if n not in wide]
    for some in itertools.permutations(matrices, len(wide)):
        for other in itertools.permutations(vectors, len(flat)):
            text = " ".join((*some, *other))
            if not wanted <= _names(text) or _twice(text):
                continue
            lines = [f"{n} = {p}{_column(shapes[n])}" for n, p in zip(flat, other, strict=True)]
            for turned in itertools.product(("", ".T"), repeat=len(wide)):
                yield [*(f"{n} = {p}{end}" for n, p, end in zip(wide, some, turned, strict=True)), *lines]


LETTERS = {
    "i": ("i", "input"), "f": ("f", "forget"), "o": ("o", "output"), "g": ("g", "c", "a", "cell", "cand", "candidate"),
    "z": ("z", "u", "update"), "r": ("r", "reset"), "n": ("n", "h", "c", "cand", "candidate", ""), "h": ("h", ""),
}  # fmt: skip
FORMS = {1: (("[{U} | {W}]",), ("[{W} | {U}]",)), 2: (("{W}", "{U}"), ("{U}", "{W}"))}


def _by_letter(g: Gates, shapes: Shapes, readouts: Sequence[str]) -> Iterator[list[str]]:
    """One array a gate, told apart by the letter in its name: ``Wf``, ``W_xi``, ``b_c``."""
    wide: dict[str, list[str]] = {}
    lines, left = [], []
    for n, shape in shapes.items():
        letter = next((s for s in g.W if _letter(n) in LETTERS[s]), None)
        if letter is None:
            left.append(n)
        elif _is_matrix(shape):
            wide.setdefault(letter, []).append(n)
        else:
            lines.append(f"{n} = {g.b[letter]}{_column(shape)}")
    yield from _each(g, shapes, wide, lines, left, readouts)


def _by_place(g: Gates, shapes: Shapes, order: str, readouts: Sequence[str]) -> Iterator[list[str]]:
    """One array a gate, whatever they are called: the gates in one order, in all arrays of a shape."""
    groups: dict[tuple[int, ...], list[str]] = {}
    for n, shape in shapes.items():
        groups.setdefault(shape, []).append(n)
    told = {s for s in g.W if any(_letter(n) in LETTERS[s] for n in shapes)}
    if len(order) < 2 or told == set(g.W):
        return  # their names say which is which
    gated = [names for names in groups.values() if len(names) % len(order) == 0]
    for chosen in _chosen(gated):
        wide: dict[str, list[str]] = {}
        lines: list[str] = []
        taken = [n for names in chosen for n in names]
        for names in chosen:
            for n, letter in zip(names, order * (len(names) // len(order)), strict=True):
                if _is_matrix(shapes[n]):
                    wide.setdefault(letter, []).append(n)
                else:
                    lines.append(f"{n} = {g.b[letter]}{_column(shapes[n])}")
        yield from _each(g, shapes, wide, lines, [n for n in shapes if n not in taken], readouts)


def _chosen(gated: Sequence[list[str]]) -> Iterator[list[list[str]]]:
    """Which groups of arrays of one shape are the gates': the others are the readout's."""
    for k in range(len(gated), 0, -1):
        yield from (list(c) for c in itertools.combinations(gated, k))


def _each(
    g: Gates, shapes: Shapes, wide: Mapping[str, list[str]], lines: list[str], left: list[str], readouts: Sequence[str]
) -> Iterator[list[str]]:
    """Lines for one array a gate, or two: which is U and which W, transposed or not."""
    counts = {len(v) for v in wide.values()}
    if set(wide) != set(g.W) or len(counts) != 1:
        return
    for form, turn in itertools.product(FORMS.get(counts.pop(), ()), ("", ".T")):
        own = [
            f"{n} = {text.format(U=g.U[s], W=g.W[s])}{turn}"
            for s, names in wide.items()
            for n, text in zip(names, form, strict=True)
        ]
        for out, end in itertools.product(itertools.permutations(readouts, len(left)), ("", ".T")):
            tail = [
                f"{n} = {r}{end if _is_matrix(shapes[n]) else _column(shapes[n])}"
                for n, r in zip(left, out, strict=True)
            ]
            yield [*own, *lines, *tail]


def _letter(name: str) -> str:
    """What a name says of its gate: ``Wf`` → f, ``W_xi`` → i, ``bias_cell`` → cell."""
    plain = re.sub(r"^(weights?|kernel|bias|[WUbRVB])_?", "", name)
    plain = re.sub(r"^[xh](?=[a-zA-Z])|(?<=[a-z])[xh]$", "", plain).strip("_")
    return plain.lower()


def _sequences(problem: Problem, inputs: Mapping[str, Any]) -> Iterator[list[str]]:
    """Lines for the inputs that are sequences: every order of their axes."""
    net = problem.net
    names = [n for n in net.inputs if isinstance(net.leaves[n], tm.At)]
    own = [n for n in inputs if n in names or n not in (*net.inputs, *net.initial_states)]
    unnamed = [n for n in own if n not in names]
    targets = [n for n in names if n not in own]
    if len(unnamed) != len(targets):
        return
    choices = [_orders(inputs[n], dict(zip(unnamed, targets, strict=True)).get(n, n), n, problem.batch) for n in own]
    for chosen in itertools.product(*choices):
        yield list(chosen)


def _orders(array: Any, cell: str, name: str, batch: int | None) -> list[str]:
    listed = isinstance(array, list | tuple)
    axes = len(np.shape(array))
    letters = ["t", "n"] + (["b"] if batch is not None else [])
    fill = letters + ["1"] * (axes - len(letters))
    if len(fill) != axes:
        return []
    orders = dict.fromkeys(itertools.permutations(fill))
    texts = [" ".join(o) for o in orders if not listed or o[0] == "t"]
    return [f"{name} = {cell}: {t.replace('t', '[t]', 1) if listed else t}" for t in texts]
