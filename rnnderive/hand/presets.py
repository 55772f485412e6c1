"""The frameworks' layouts, for any cell with a framework's gates: found from its equations, not its names.

Sources: the documentation of torch.nn.RNN, LSTM and GRU; keras.layers; ONNX's operators RNN, LSTM and GRU;
cuDNN's cudnnGetRNNWeightParams (linLayerID 0–3 for the input, 4–7 for the state); TensorFlow Lite's
UNIDIRECTIONAL_SEQUENCE_LSTM.  Orders of gates stand in :data:`rnnderive.weights.layouts.LAYOUTS`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from rnnderive.errors import InputError
from rnnderive.hand.layouts import Layout
from rnnderive.language import Recurrence
from rnnderive.language import terms as tm
from rnnderive.weights.layouts import LAYOUTS

__all__ = ["PRESETS", "Gates", "preset"]

KINDS = {"lstm": "ifo", "gru": "zr", "rnn": ""}


@dataclass(frozen=True)
class Gates:
    """The gates of a cell by the letters of :data:`~rnnderive.weights.layouts.LAYOUTS`, each as text of a layout.

    Attributes
    ----------
    kind : {"lstm", "gru", "rnn"}
    W, U : dict
        Letter → weights on the input (n, d) and on the state (n, n).
    b, c : dict
        Letter → bias, and the one inside the reset of a GRU's candidate; ``0 * b_z`` where there is none.
    p : dict
        Letter → peephole.
    after : bool
        Whether a GRU resets after the product.
    state, memory, input : str
        What h, C and x are called; `memory` is empty without one.

    Examples
    --------
    >>> from rnnderive.cells import gru
    >>> gates = Gates.of(gru())
    >>> gates.kind, gates.after, gates.W["n"], gates.U["z"], gates.b["n"]
    ('gru', False, 'W[x]', '-W_z[h]', '0 * b_r')
    """

    kind: str
    W: dict[str, str]
    U: dict[str, str]
    b: dict[str, str]
    c: dict[str, str]
    p: dict[str, str]
    after: bool
    state: str
    memory: str
    input: str

    @classmethod
    def of(cls, net: Recurrence) -> Gates:
        """Find them.

        Raises
        ------
        InputError
            Where the loop has other gates than a framework's layer.
        """
        loop = {n for stage in net.schedule if stage.direction != "all" for n in stage.names}
        carried = [s.removesuffix("0") for s in net.initial_states]
        found = {
            e.name: e for e in net.equations
            if e.name in loop and isinstance(e.right, tm.Apply) and _biases(net, e.right.args[1])[2]
        }  # fmt: skip
        kind = next(
            (k for k, named in KINDS.items() if set(named) <= set(found) and len(found) == len(named) + 1), None
        )
        if kind is None:
            raise InputError(
                f"no framework has a layer with the gates {', '.join(found) or 'of this cell'}; expected those of an "
                "LSTM (i, f, o and a candidate), a GRU (z, r and a candidate) or one tanh; write equations"
            )
        other = next(n for n in found if n not in KINDS[kind])
        letters = {**{s: s for s in KINDS[kind]}, {"lstm": "g", "gru": "n", "rnn": "h"}[kind]: other}
        state = next(s for s in carried if any(s in _names(e.right) for e in found.values()))
        memory = next((s for s in carried if s != state and kind == "lstm"), "")
        read = [n for e in found.values() for n in _names(e.right) if n in net.inputs]
        reset = kind == "gru" and not _inside(found[other].right, "r")
        sign = "-" if kind == "gru" and _admits(net, state, other) else ""
        tables: dict[str, dict[str, str]] = {k: {} for k in "WUbcp"}
        for letter, name in letters.items():
            minus = sign if letter == "z" else ""
            biases, inner, matrices = _biases(net, found[name].right.args[1])
            for key, operand in (("W", read[0]), ("U", state)):
                matrix, stacked = next((m, s) for m, s, operands in matrices if operand in operands)
                tables[key][letter] = f"{minus}{matrix}[{operand}]" if stacked else f"{minus}{matrix}"
            for key, names in (("b", biases), ("c", inner)):
                if names:
                    tables[key][letter] = minus + names[0]
            for p in _peepholes(net, found[name].right, memory):
                tables["p"][letter] = p
        some = next((b.removeprefix("-") for b in reversed(tables["b"].values())), None)
        zero = {s: f"0 * {some}" for s in letters} if some else {}
        tables["b"] = {**zero, **tables["b"]}
        return cls(kind, **tables, after=reset, state=state, memory=memory, input=read[0])

    def joined(self, table: str, order: str, mark: str = " ; ", end: str = "") -> str:
        """The gates of one table in an order, as text."""
        return f"[{mark.join(getattr(self, table)[s] + end for s in order)}]"


def preset(name: str, net: Recurrence) -> Layout:
    """A framework's layout for a cell.

    Parameters
    ----------
    name : str
        A name in :data:`PRESETS`, and ``batch_first`` or ``time_first`` after it where it is not as usual there.
    net : Recurrence

    Raises
    ------
    InputError
        For an unknown name, or a cell that the framework has not.

    Examples
    --------
    >>> import rnnderive as rd
    >>> print(preset("pytorch", rd.cells.gru_reset_after()))
    weight_ih_l0 = [W_r ; W_z ; W_n]
    weight_hh_l0 = [U_r ; U_z ; U_n]
    bias_ih_l0 = [0.625 * b_r ; 0.625 * b_z ; b_n]
    bias_hh_l0 = [0.375 * b_r ; 0.375 * b_z ; c_n]
    """
    framework, _, order = name.partition(" ")
    if framework not in PRESETS or order not in ("", "batch_first", "time_first"):
        raise InputError(
            f"there is no layout {name!r}; expected {', '.join(PRESETS)} (and batch_first or time_first after it), "
            "'search', or equations such as 'W = [W_f | W_i]'"
        )
    gates = Gates.of(net)
    if gates.p and framework not in ("onnx", "tflite"):
        raise InputError(
            f"the LSTM of {framework} has no peepholes; the declared cell has {', '.join(gates.p.values())}"
        )
    lines = PRESETS[framework](gates)
    first = {"batch_first": True, "time_first": False}.get(order, framework in ("keras", "tflite"))
    if first:
        lines.append(f"{gates.input} = {gates.input}: b t n")
        lines.append(f"{gates.state} = {gates.state}: b t n")
    layout = Layout.parse("\n".join(lines))
    return Layout(layout.entries, layout.absent, name)


def _two_biases(g: Gates, order: str, mark: str = " ; ") -> list[str]:
    """The bias beside W and the one beside U: added, but in the candidate of a GRU that resets after the product."""
    first = [g.b[s] if s in g.c else f"0.625 * {g.b[s]}" for s in order]
    second = [g.c[s] if s in g.c else f"0.375 * {g.b[s]}" for s in order]
    return [mark.join(first), mark.join(second)]


def _only_after(g: Gates, framework: str) -> None:
    if g.kind == "gru" and not g.after:
        raise InputError(
            f"the GRU of {framework} resets after the matrix product, the declared cell before it: these are two "
            "cells; declare gru_reset_after"
        )


def _pytorch(g: Gates) -> list[str]:
    _only_after(g, "PyTorch")
    order = LAYOUTS["pytorch", g.kind].gates
    b, c = _two_biases(g, order)
    return [
        f"weight_ih_l0 = {g.joined('W', order)}", f"weight_hh_l0 = {g.joined('U', order)}",
        f"bias_ih_l0 = [{b}]", f"bias_hh_l0 = [{c}]",
    ]  # fmt: skip


def _keras(g: Gates) -> list[str]:
    order = LAYOUTS["keras", g.kind].gates
    lines = [f"kernel = {g.joined('W', order)}.T", f"recurrent_kernel = {g.joined('U', order)}.T"]
    if g.kind == "gru" and g.after:
        b, c = _two_biases(g, order)
        return [*lines, f"bias = rows([{b}], [{c}])"]
    return [*lines, f"bias = {g.joined('b', order)}"]


def _onnx(g: Gates) -> list[str]:
    order = LAYOUTS["onnx", g.kind].gates
    b, c = _two_biases(g, order)
    lines = [
        f"W = {g.joined('W', order)}: 1 n m", f"R = {g.joined('U', order)}: 1 n m", f"B = [{b} ; {c}]: 1 n",
        f"X = {g.input}: t b n", f"Y = {g.state}: t 1 b n", f"initial_h = {g.state}0: 1 b n",
    ]  # fmt: skip
    if g.memory:
        lines.append(f"initial_c = {g.memory}0: 1 b n")
    if g.p:
        lines.append(f"P = {g.joined('p', 'iof')}: 1 n")
    return lines


def _cudnn(g: Gates) -> list[str]:
    _only_after(g, "cuDNN")
    order = LAYOUTS["pytorch", g.kind].gates
    b, c = (text.split(" ; ") for text in _two_biases(g, order))
    count = len(order)
    return [
        line
        for k, s in enumerate(order)
        for line in (f"w{k} = {g.W[s]}", f"w{k + count} = {g.U[s]}", f"b{k} = {b[k]}", f"b{k + count} = {c[k]}")
    ]


def _tflite(g: Gates) -> list[str]:
    if g.kind != "lstm":
        raise InputError(f"TensorFlow Lite's layout is that of its LSTM; the declared cell is of the kind {g.kind}")
    names = {"i": "input", "f": "forget", "g": "cell", "o": "output"}
    lines = [
        line
        for s, n in names.items()
        for line in (
            f"input_to_{n}_weights = {g.W[s]}", f"recurrent_to_{n}_weights = {g.U[s]}", f"{n}_gate_bias = {g.b[s]}",
        )
    ]  # fmt: skip
    return lines + [f"cell_to_{names[s]}_weights = {p}" for s, p in g.p.items()]


PRESETS: dict[str, Callable[[Gates], list[str]]] = {
    "pytorch": _pytorch,
    "keras": _keras,
    "onnx": _onnx,
    "cudnn": _cudnn,
    "tflite": _tflite,
}


# ---------------------------------------------------------------- from the equations


def _names(term: tm.Term) -> list[str]:
    return [n.name for n in tm.members(term) if isinstance(n, tm.At | tm.Parameter)]


def _addends(term: tm.Term) -> tuple[tm.Term, ...]:
    return term.args if isinstance(term, tm.Plus) else (term,)


def _biases(net: Recurrence, inside: tm.Term) -> tuple[list[str], list[str], list[tuple[str, bool, set[str]]]]:
    """Biases, those inside a reset, and the matrices with what they are multiplied with."""
    own: list[str] = []
    inner: list[str] = []
    matrices = []
    for a in _addends(inside):
        if isinstance(a, tm.Parameter):
            own.append(a.name)
        elif isinstance(a, tm.Times):
            for factor in a.args:
                more, _, found = _biases(net, factor) if isinstance(factor, tm.Plus | tm.Product) else ([], [], [])
                inner += more
                matrices += found
        elif isinstance(a, tm.Product) and isinstance(a.args[0], tm.Parameter):
            rest = a.args[1]
            matrices.append((a.args[0].name, isinstance(rest, tm.Stack), set(_names(rest))))
    return own, inner, matrices


def _inside(term: tm.Term, name: str) -> bool:
    """Whether a sequence stands inside a matrix product."""
    return any(isinstance(p, tm.Product) and name in _names(p) for p in tm.members(term))


def _admits(net: Recurrence, state: str, candidate: str) -> bool:
    """Whether z itself, not 1 − z, multiplies the candidate."""
    for a in _addends(net[state].right):
        factors = a.args if isinstance(a, tm.Times) else (a,)
        plain = {f.name for f in factors if isinstance(f, tm.At)}
        if {"z", candidate} <= plain:
            return True
    return False


def _peepholes(net: Recurrence, term: tm.Term, memory: str) -> list[str]:
    found = []
    for node in tm.members(term):
        if isinstance(node, tm.Times) and any(isinstance(f, tm.At) and f.name == memory for f in node.args):
            found += [f.name for f in node.args if isinstance(f, tm.Parameter) and f.name in net.parameters]
    return found
