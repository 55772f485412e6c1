"""NumPy source from a recurrence.

A column of a sequence is a row of an array: ``h`` has the shape (T, …, n), with a batch axis or
without.  ``W @ h[t]`` is ``h[t] @ W.T`` there.  Where a recurrence reads outside 1..T, the array
has rows for it before step 1 and after step T.  Loops of the schedule become loops; everything
else is computed for all t at once.
"""

from __future__ import annotations

import keyword
import re
from collections.abc import Mapping
from typing import Any

import sympy as sp

from rnnderive.language import terms as tm
from rnnderive.language.functions import FUNCTIONS
from rnnderive.language.recurrence import Equation, Recurrence
from rnnderive.language.schedule import Stage
from rnnderive.programs.cost import cost
from rnnderive.programs.emitter import Emitter
from rnnderive.programs.layout import Context, depends_on_time, is_new, kind, stripped
from rnnderive.programs.lowering import Loop, aliases, gate_major, is_whole, lower, part_key, places
from rnnderive.programs.passes.bundles import Names
from rnnderive.programs.steps import Steps, Whole
from rnnderive.programs.support import SUPPORT

__all__ = ["write_module"]

_LOCALS = {"empty", "np", "T", "t", "lead", "dtype", "params", "inputs", "given", "range", "sum", "dict"} | set(SUPPORT)

# Names that the code makes up: parts and scratch memory, and rows of sequences at a step.
_OWN = re.compile(r"(part|fixed|temp|number)\d+(_\d+)?|temp_all\d+|\w+_(before|after)\d+(_\d+)?|\w+_t\d*(_\d+)?")


def write_module(
    net: Recurrence,
    origin: Recurrence,
    outputs: Mapping[str, str],
    function: str,
    *,
    with_loss: bool,
    note: str = "",
    batched: bool = False,
    called: Names = None,
) -> str:
    """Return the source of a module with one function of ``(params, inputs)``.

    Parameters
    ----------
    net : Recurrence
        What to compute, optimised.
    origin : Recurrence
        The network as its author wrote it: which names are parameters and which inputs.
    outputs : mapping
        Key in the returned dict → name in `net`.
    function : str
        Name of the generated function.
    with_loss : bool
        Whether it returns ``(loss, dict)`` or the dict alone.
    batched : bool
        Whether batches are expected: gates then have an axis of their own.
    called : dict, optional
        What ranges of bundles were called, as :func:`rnnderive.programs.passes.optimise` tells.
    """
    return Module(net, origin, outputs, function, with_loss, note, batched, called or {}).text()


class Module(Emitter):
    """A module with one function: its text, and where each sequence lies in memory."""

    def __init__(
        self, net: Recurrence, origin: Recurrence, outputs: Mapping[str, str], function: str, with_loss: bool,
        note: str, batched: bool, called: Mapping[tuple[str, Any, Any], str],
    ) -> None:  # fmt: skip
        self.origin, self.outputs = origin, outputs
        self.function, self.with_loss, self.note = function, with_loss, note
        super().__init__(net, _identifiers(net, origin))
        fixed = [*outputs.values(), *(n[:-1] for n in origin.initial_states)]
        self.over: dict[str, tuple[str, Any]] = {}
        self.rooms: dict[Any, list[str]] = {}  # memory for all steps on the way, by the size of a row
        self.called = called
        self.cuts: dict[str, list[tuple[str, Any, Any]]] = {}
        for stage in net.schedule:
            if stage.direction != "all":
                self.over.update(aliases(net, stage, fixed))
        for n, (root, _) in self.over.items():  # one array has one layout
            self.layout[root].before = max(self.layout[root].before, self.layout[n].before)
            self.layout[root].after = max(self.layout[root].after, self.layout[n].after)
        for n, (root, _) in self.over.items():
            self.layout[n] = self.layout[root]
        self.lowered = {s.names: lower(net, s) for s in net.schedule if s.direction != "all"}
        self.gates = gate_major(net, self.lowered.values(), self.over) if batched else {}
        self._name_parts()

    def _name_parts(self) -> None:
        """A name for every range of a sequence that some term reads or some operation writes."""
        touched = [v for e in self.net.equations for v in places(e.right)]
        touched += [v for loop in self.lowered.values() for v in loop.views]
        taken = set(self.names.values()) | {f"{n}_t" for n in self.names.values()}
        inside = {n for loop in self.lowered.values() for n in loop.stage.names}
        for name, start, stop in ((v.name, v.start, v.stop) for v in touched):
            key = part_key(name, start, stop)
            if name not in inside or key in self.names or is_whole(self.net, name, start, stop):
                continue
            count = sum(k.startswith(f"{name}[") for k in self.names)
            called = self.called.get((name, start, stop), "")
            word = self.names.get(called, called) or f"{self.names[name]}{count}"
            while word in taken and not (called in self.names and called not in self.net.leaves):
                word += "_"
            taken |= {word, f"{word}_t"}
            self.names[key], self.layout[key] = word, self.layout[name]
            self.cuts.setdefault(name, []).append((key, start, stop))

    # ------------------------------------------------------------ the module

    def text(self) -> str:
        body = self._body()
        support = self._support("\n".join(body))
        described = "\n".join(f"    {line}" for line in str(self.origin).splitlines())
        head = [
            f'"""{self.note or "Generated by rnnderive."}',
            "",
            "The network:",
            "",
            described,
            "",
            "A sequence is an array (T, n), or (T, B, n) with a batch; a parameter is (n,) or (n, m).",
            "Above each line stands the equation that it computes.",
            "",
            *cost(self.net).lines(),
            '"""',
            "",
            "import numpy as np",
        ]
        return "\n".join([*head, "", *support, "", *body, ""])

    def _support(self, body: str) -> list[str]:
        """The functions that the body calls, and those that these call."""
        texts = {**SUPPORT, **{f.name: f.numpy for f in FUNCTIONS.values() if f.numpy.startswith("def")}}
        wanted: list[str] = []
        work = [body]
        while work:
            words = set(re.findall(r"(?<![\w.])([a-z_]\w*)\(", work.pop()))
            for name in sorted(words & texts.keys() - set(wanted)):
                wanted.append(name)
                work.append(texts[name].partition(":")[2])
        out: list[str] = []
        for name in sorted(wanted):
            out += ["", texts[name].rstrip(), ""]
        return out

    def _body(self) -> list[str]:
        self._arguments()
        for stage in self.net.schedule:
            if stage.direction == "all":
                self._all(self.net[stage.names[0]])
            else:
                self._loop(stage)
        results = ", ".join(f"{key!r}: {self._result(name)}" for key, name in self.outputs.items())
        loss = self.names[self.origin.loss or ""] if self.with_loss else ""
        self.line(f"return {loss}.sum(), {{{results}}}" if self.with_loss else f"return {{{results}}}")
        returns = "the loss, and a dict of arrays" if self.with_loss else "a dict of arrays"
        head = [
            f"def {self.function}(params, inputs, empty=np.empty):",
            f'    """Return {returns}: {", ".join(self.outputs)}."""',
        ]
        return [*head, *("    " + line if line else "" for line in self.lines)]

    def _line(self, code: str, depth: int = 0) -> None:
        self.lines.append("    " * depth + code)

    def _arguments(self) -> None:
        """Unpack the arrays and find T, the batch and the sizes."""
        read = self.net.leaves.keys() | set(self.net.initial_states)
        parameters = [n for n in self.origin.parameters if n in read]
        inputs = [n for n in self.origin.inputs if n in read]
        classes = [n for n in _class_targets(self.origin) if n in read]
        states = [n for n in self.origin.initial_states if n in read]
        beyond = [n for n in self.net.leaves if n in self.net.initial_states and n not in states]
        for n in parameters:
            self.line(f'{self.names[n]} = params["{n}"]')
        for n in inputs:
            self.line(f'{self.names[n]} = inputs["{n}"]')
        timed = [n for n in self.origin.inputs if isinstance(self.origin.leaves[n], tm.At)]
        timed.sort(key=lambda n: n in classes)  # an integer class has no axis of its own
        if timed:
            first = timed[0]
            name = self.names[first]
            if first not in inputs:
                self.line(f'{name} = inputs["{first}"]')
            tail = "-1" if self.origin.leaves[first].is_column else "-2"
            lead = f"{name}.shape[1:{tail}]" if first not in classes else f"np.shape({name})[1:-1]"
            self.line(f"T, lead = {name}.shape[0], {lead}")
            self.line(f"dtype = np.result_type(0.0, {name}, *params.values())")
        else:
            self.line(f'T, lead = inputs["T"], {self._lead()}')
            anchor = self.names[parameters[0]] if parameters else "np.float64(0)"
            self.line(f"dtype = {anchor}.dtype")
        self._sizes({*parameters, *inputs, *timed[:1]}, classes)
        for n in classes:
            leaf = self.origin.leaves[n]
            axes = "len(lead) + 1" if isinstance(leaf, tm.At) else "len(lead)"
            self.line(f"{self.names[n]} = one_hot({self.names[n]}, {self.size(leaf.shape[0])}, {axes}, dtype)")
        if states:
            self.line("given = {**params, **inputs}")
        for n in states:
            self.line(f'{self.names[n]} = given.get("{n}", np.zeros({self.size(self.net.shape(n)[0])}, dtype))')
        for n in beyond:  # an adjoint is zero outside 1..T
            self.line(f"{self.names[n]} = np.zeros({self.size(self.net.shape(n)[0])}, dtype)")
        for n in inputs:
            layout = self.layout.get(n)
            if layout and (layout.before or layout.after):
                state = self._boundary(n)
                self.line(f"{self.names[n]} = padded({self.names[n]}, {layout.before}, {layout.after}, {state})")

    def _lead(self) -> str:
        """The batch axes where no sequence is given: those of a timeless input or an initial state."""
        columns = [n for n in (*self.origin.inputs, *self.origin.initial_states) if self.origin.leaf(n).is_column]
        if not columns:
            return "()"
        shapes = ", ".join(f'np.shape(inputs.get("{n}", 0.0))[:-1]' for n in columns)
        return shapes if len(columns) == 1 else f"max({shapes}, key=len)"

    def _sizes(self, unpacked: set[str], classes: list[str]) -> None:
        """Find the sizes that the code needs in the shapes of what is given."""
        wanted = {s for e in self.net.equations for side in (e.left, e.right) for s in side.free_symbols}
        known: set[Any] = set()
        given = [*self.origin.parameters, *self.origin.inputs]
        for n in sorted(given, key=lambda n: (n in classes, n not in unpacked)):
            leaf = self.origin.leaves[n]
            table = "params" if n in self.origin.parameters else "inputs"
            name = self.names[n] if n in unpacked else f'{table}["{n}"]'
            axes = range(-1, 0) if leaf.is_column else range(-2, 0)
            for size, axis in zip(leaf.shape, axes, strict=False):
                unknown = sp.sympify(size).free_symbols - known
                if len(unknown) != 1 or not unknown <= wanted or sp.diff(size, *unknown) != 1:
                    continue
                (s,) = unknown
                rest = sp.expand(size - s)
                less = "" if rest == 0 else f" - {self.size(rest)}" if rest.is_Symbol else f" - ({self.size(rest)})"
                self.line(f"{self.size(s)} = {name}.shape[{axis}]{less}")
                known.add(s)

    def _result(self, name: str) -> str:
        """An output without the rows outside 1..T; a gradient has an array of its own, in its full shape."""
        code = self.names[name] if name not in self.layout else self.steps(name, 0)
        return code if not self.with_loss or self._is_whole(name) else f"full({code}, {self._full_shape(name)})"

    def _is_whole(self, name: str) -> bool:
        """Whether the code of a gradient makes an array of its own with a row for every step and member."""
        e = self.net[name]
        if any(name in stage.names for stage in self.net.schedule if stage.direction != "all"):
            return True
        whole = e.right.args[0] if isinstance(e.right, tm.Block) else None
        if isinstance(whole, tm.Parameter) and whole.name in self.net and whole.name not in self.outputs.values():
            rights = [self.net[n].right for n in self.outputs.values() if n in self.net]
            return rights.count(e.right) == 1 and self._is_whole(whole.name)  # rows that no other gradient has
        everywhere = depends_on_time(e.right) if e.timed else kind(e.left) != "row"
        per_member = not self._is_shared(name) and name in self.outputs.values()
        return everywhere and is_new(e.right) and not (per_member and self.net.is_shared(e.right))

    def _is_shared(self, name: str) -> bool:
        """Whether a gradient is one for the whole batch."""
        return any(key in self.origin.shared for key, output in self.outputs.items() if output == name)

    def _full_shape(self, name: str) -> str:
        leaf = self.net[name].left
        sizes = [self.size(s) for s in (leaf.shape[:1] if leaf.is_column else leaf.shape)]
        lead = ["T"] if self.net[name].timed else []
        return ", ".join([*lead, *([] if self._is_shared(name) else ["*lead"]), *sizes])

    def _boundary(self, name: str) -> str:
        state = f"{name}0"
        return self.names[state] if state in self.net or state in self.origin.initial_states else "0.0"

    # ------------------------------------------------------------ stages

    def _all(self, e: Equation) -> None:
        self.line("")
        self.line(f"# {self.words(e)}")
        if not e.timed:
            code = self.emit(e.right, Context("timeless"))
            if isinstance(e.right, tm.At | tm.Parameter | tm.Number):
                code = f"np.asarray({code}, dtype)"
            self.line(f"{self.names[e.name]} = {stripped(code)}")
            return
        if (loop := self._operations(e)) is not None:
            self._allocate(e.name, {e.name})
            writer = Whole(self, loop, set(), forward=True)
            calls = [writer.call(op) for op in loop.operations]
            for line in [*writer.before, *calls]:
                self.line(line)
            return
        layout = self.layout[e.name]
        code = self.emit(e.right, Context("all"))
        if not depends_on_time(e.right) or isinstance(e.right, tm.At):
            code = f"np.broadcast_to({code}, {self.shape('T', e.left)})"
        if layout.before or layout.after:
            code = f"padded({code}, {layout.before}, {layout.after}, {self._boundary(e.name)})"
        self.line(f"{self.names[e.name]} = {stripped(code)}")

    def _operations(self, e: Equation) -> Loop | None:
        """The operations of an equation for all t at once; None where it is rather one expression."""
        right = e.right
        if kind(e.left) != "column" or not depends_on_time(right) or self.net.is_shared(right):
            return None
        parts = [n for n in tm.members(right) if isinstance(n, tm.Stack | tm.Apply) and depends_on_time(n)]
        if any(self._occurs(n) > 1 for n in parts):
            return None
        loop = lower(self.net, Stage((e.name,), "all"))
        return None if any(op.word in ("expression", "copy") for op in loop.operations) else loop

    def _loop(self, stage: Stage) -> None:
        """Memory for what the loop computes, and one pass over the steps."""
        loop = self.lowered[stage.names]
        self.line("")
        stored = self._memory(stage)
        forward = stage.direction == "forward"
        writer = Steps(self, loop, stored, forward)
        body = writer.body()
        for line in writer.before:
            self.line(line)
        depth = 0
        if any(op.word == "exp" for op in loop.operations):  # 1 / (1 + inf) is 0, as it should be
            self.line('with np.errstate(over="ignore"):')
            depth = 1
        for line in writer.heading():
            self.line(line, depth)
        for line in body:
            self.line(line, depth + 1)

    def _memory(self, stage: Stage) -> set[str]:
        """Allocate the sequences of a loop; return those that have a row for every step."""
        over = self.over
        roots: dict[str, list[str]] = {}
        for n in stage.names:
            roots.setdefault(over.get(n, (n, 0))[0], []).append(n)
        kept = {r for r, names in roots.items() if any(self._stored(n, stage) for n in names)}
        for n in roots:
            if n not in kept:
                self.line(f"{self.names[n]}_t = empty({self._room(n, '')}, dtype)")
                continue
            self._allocate(n, set(roots[n]))
        for n in stage.names:
            root, base = over.get(n, (n, sp.S.Zero))
            end = "" if root in kept else "_t"
            whole = [(n, sp.S.Zero, self.net.shape(n)[0])] if n in over else []
            for key, start, stop in [*whole, *self.cuts.get(n, ())]:
                cut = self.cut(root, sp.expand(base + start), sp.expand(base + stop), stored=root in kept)
                self.line(f"{self.names[key]}{end} = {self.names[root]}{end}{cut}")
        return {n for n in stage.names if over.get(n, (n, 0))[0] in kept}

    def _allocate(self, name: str, written: set[str]) -> None:
        """Memory for all steps of what is written there, and its rows outside 1..T."""
        layout = self.layout[name]
        steps = f"T + {layout.before + layout.after}" if layout.before or layout.after else "T"
        own = "np." if written & set(self.outputs.values()) else ""  # a result has memory of its own
        self.line(f"{self.names[name]} = {own}empty({self._room(name, steps)}, dtype)")
        if layout.before:
            self.line(f"{self.names[name]}[:{layout.before}] = {self._boundary(name)}")
        if layout.after:
            self.line(f"{self.names[name]}[T{layout.before:+d}:] = {self._boundary(name)}".replace("T+0", "T"))

    def _room(self, name: str, steps: str) -> str:
        """The shape of an array: gates on an axis of their own where that keeps each of them together."""
        leaf = self.net.leaves[name]
        if name not in self.gates:
            return self.shape(steps, leaf)
        count, size = self.gates[name]
        return f"({f'{steps}, ' if steps else ''}{count}, *lead, {self.size(size)})"

    def cut(self, root: str, start: Any, stop: Any, stored: bool) -> str:
        """The index that takes entries start..stop of an array."""
        if is_whole(self.net, root, start, stop):
            return ""
        if root in self.gates:
            _, size = self.gates[root]
            first, last = sp.cancel(start / size), sp.cancel(stop / size)
            gate = str(first) if last - first == 1 else f"{first}:{last}"
            return f"[:, {gate}]" if stored else f"[{gate}]"
        return f"[..., {'' if start == 0 else self.size(start)}:{self.size(stop)}]"

    def _stored(self, name: str, stage: Stage) -> bool:
        """Whether a sequence of a loop is needed at another step or outside the loop."""
        if name in self.outputs.values():
            return True
        for e in self.net.equations:
            for node in tm.members(e.right):
                if isinstance(node, tm.At) and node.name == name and (e.name not in stage.names or node.lag != 0):
                    return True
        return False

    def words(self, e: Equation) -> str:
        return re.sub(r"\s+", " ", str(e))


def _class_targets(net: Recurrence) -> list[str]:
    """The inputs that are targets of a cross-entropy: one-hot vectors, or integer classes."""
    targets = {
        node.args[1].name
        for e in net.equations
        for node in tm.members(e.right)
        if isinstance(node, tm.CrossEntropy) and isinstance(node.args[1], tm.At | tm.Parameter)
    }
    return [n for n in net.inputs if n in targets]


def _identifiers(net: Recurrence, origin: Recurrence) -> dict[str, str]:
    """An identifier for every name and size: neither a keyword nor one of the code's own."""
    taken = _LOCALS | {f"{n}_t" for s in net.schedule if s.direction != "all" for n in s.names}
    out = {}
    sizes = [str(s) for s in net.sizes]
    for n in [*net.leaves, *net.initial_states, *origin.leaves, *origin.initial_states, *sizes]:
        if n in out:
            continue
        name = n
        while name in taken or keyword.iskeyword(name) or _OWN.fullmatch(name):
            name += "_"
        taken.add(name)
        out[n] = name
    return out
