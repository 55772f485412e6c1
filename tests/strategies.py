"""Random recurrences for property tests, and random values for them.

``texts()`` draws the text of a system with a loss, ``recurrences()`` the value it parses to.
Every size is left free; functions are smooth and finite everywhere, so that any rung of the
ladder of checks may run on what is drawn.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from hypothesis import strategies as st

from rnnderive.language import Recurrence

SMOOTH = ("sigmoid", "tanh", "sin", "softplus", "silu")
KINKED = ("relu", "leaky_relu", "abs")
# What a term may be; a kind that stands twice is drawn twice as often.
KINDS = (
    "leaf",
    *["apply"] * 2,
    "+",
    "-",
    "*",
    *["@"] * 2,
    *["stack"] * 2,
    "column",
    "neg",
    "scale",
    "square",
    "sum",
    "if",
)
LOSSES = ("squared_error", "cross_entropy", "binary_cross_entropy", "log_loss")


@dataclass
class _System:
    """What has been drawn so far: who may read whom, and the parameters by their sizes."""

    draw: st.DrawFn
    functions: tuple[str, ...]
    names: list[str] = field(default_factory=list)
    group: dict[str, int] = field(default_factory=dict)
    forward: list[bool] = field(default_factory=list)
    parameters: dict[tuple[str, ...], int] = field(default_factory=dict)

    def parameter(self, *sizes: str) -> str:
        """A parameter of these sizes: one already there, or a new one."""
        kept = self.parameters.get(sizes, 0)
        number = self.draw(st.integers(0, kept)) if kept < 3 else self.draw(st.integers(0, kept - 1))
        self.parameters[sizes] = max(kept, number + 1)
        return f"{'Wb'[len(sizes) == 1]}_{'_'.join(sizes)}_{'abc'[number]}"

    def leaf(self, size: str, at: str | None) -> str:
        """A name of that size; `at` is the sequence whose equation is written, None for the loss."""
        choices = [self.parameter(size)]
        if size == "x":
            choices += ["x[1]", "x[T]"] if at is None else ["x[t]", "x[t-1]", "x[1]"]
        elif at is None:
            choices = [f"{size}[T]", f"{size}[T]", f"{size}[1]"]
        elif self.group[size] < self.group[at]:
            lag = self.draw(st.sampled_from(["", "", "-1", "-2", "+1", "+3"]))
            choices += [f"{size}[t{lag}]", f"{size}[t{lag}]", f"{size}[T]", f"{size}[1]"]
        elif self.group[size] == self.group[at]:
            sign = "-" if self.forward[self.group[at]] else "+"
            lagged = [f"{size}[t{sign}{k}]" for k in (1, 1, 2, 3)]
            choices += lagged
            if self.names.index(size) < self.names.index(at):
                choices += [f"{size}[t]"] * 3
        return self.draw(st.sampled_from(choices))

    def term(self, size: str, at: str | None, depth: int) -> str:
        """A column of that size."""
        if depth <= 0:
            return self.leaf(size, at)
        again = lambda s=size: self.term(s, at, depth - 1)  # noqa: E731
        other = self.draw(st.sampled_from([*self.names, "x"]))
        match self.draw(st.sampled_from(KINDS)):
            case "apply":
                return f"{self.draw(st.sampled_from(self.functions))}({again()})"
            case "+" | "-" | "*" as sign:
                return f"({again()} {sign} {self._factor(again())})"
            case "@":
                return f"{self.parameter(size, other)} @ {self._factor(self.term(other, at, depth - 1))}"
            case "stack":
                return f"{self.parameter(size, other, 'x')} @ [{self.term(other, at, depth - 1)}, {self.leaf('x', at)}]"
            case "column":
                return f"{self.draw(st.sampled_from(['softmax', 'layer_norm', 'log_softmax']))}({again()})"
            case "neg":
                return f"(-{self._factor(again())})"
            case "scale":
                return f"{self.draw(st.sampled_from(['2', '0.5', '1.25', '3e-1']))} * {self._factor(again())}"
            case "square":
                return f"{self._factor(again())}**2"
            case "sum":
                return f"(sum({self.term(other, at, depth - 1)}) * {self._factor(again())})"
            case "if" if at is not None:
                place = self.draw(st.sampled_from(["t == 1", "t <= 2", "t >= 2", "t == T", "t < T"]))
                return f"({again()} if {place} else 0)"
        return self.leaf(size, at)

    def _factor(self, words: str) -> str:
        return f"({words})"

    def loss(self, kind: str) -> str:
        """A scalar of the last sequence, at one step or at all."""
        name = self.names[-1]
        every = self.draw(st.sampled_from(["last", "sum", "mean", "weighted"]))
        index = "T" if every == "last" else "t"
        value = f"{name}[{index}]"
        prediction = f"sigmoid({value})" if kind == "log_loss" else value
        target = "target" if every == "last" else "target[t]"
        line = f"{kind}({prediction}, {target})"
        if every == "weighted":
            return f"sum(weight[t] * {line}, t)"
        return line if every == "last" else f"{every}({line}, t)"


@st.composite
def texts(draw: st.DrawFn, kinks: bool = False, max_sequences: int = 3, depth: int = 3) -> str:
    """The text of a random recurrence with a loss.

    One to three sequences in up to two groups.  A group is a loop, forward or backward, of
    lags 1 to 3; a later group reads an earlier one at any lag, or at one of its members.
    """
    system = _System(draw, SMOOTH + KINKED if kinks else SMOOTH)
    count = draw(st.integers(1, max_sequences))
    split = draw(st.integers(1, count))
    system.names = list("hgq"[:count])
    system.group = {n: int(k >= split) for k, n in enumerate(system.names)}
    system.forward = [draw(st.booleans()), draw(st.booleans())]
    lines = []
    for name in system.names:
        # A loop and an input in every sequence, beside what is drawn freely.
        lag = f"{'-' if system.forward[system.group[name]] else '+'}{draw(st.integers(1, 3))}"
        base = f"{system.parameter(name, name)} @ {name}[t{lag}] + {system.parameter(name, 'x')} @ x[t]"
        outer = draw(st.sampled_from(system.functions))
        lines.append(f"{name}[t] = {outer}({base} + {system.term(name, name, draw(st.integers(0, depth)))})")
    if draw(st.booleans()):
        last = system.names[-1]
        lines.append(f"y[t] = {system.parameter('y', last)} @ {last}[t] + {system.parameter('y')}")
        system.names.append("y")
    loss = system.loss(draw(st.sampled_from(LOSSES)))
    if draw(st.booleans()):
        extra = draw(
            st.sampled_from([f"sum({system.term(system.names[-1], None, 1)})", "0.5 * sum(W_h_h_a * W_h_h_a)"])
        )
        loss = f"{loss} + {extra}" if "W_h_h_a" not in extra or ("h", "h") in system.parameters else loss
    return "\n".join([*lines, f"L = {loss}"])


def recurrences(kinks: bool = False, max_sequences: int = 3, depth: int = 3) -> st.SearchStrategy[Recurrence]:
    """A random recurrence with a loss."""
    return texts(kinks, max_sequences, depth).map(Recurrence.parse)


def sizes_of(net: Recurrence, low: int = 2) -> dict[object, int]:
    """A different small number for every free size."""
    return {s: low + k for k, s in enumerate(net.sizes)}


def values_of(net: Recurrence, T: int, seed: int = 0, low: int = 2) -> dict[str, object]:
    """Random floating-point values, as :class:`rnnderive.language.Run` takes them."""
    rng = np.random.default_rng(seed)
    sizes = sizes_of(net, low)

    def array(name: str) -> np.ndarray:
        return rng.normal(size=tuple(int(d.subs(sizes)) for d in net.shape(name))) / 2

    out: dict[str, object] = {n: array(n) for n in (*net.parameters, *net.initial_states)}
    for name in net.inputs:
        timed = hasattr(net.leaf(name), "index")
        out[name] = [array(name) for _ in range(T)] if timed else array(name)
    return out
