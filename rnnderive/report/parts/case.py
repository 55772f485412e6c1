"""What a report is about: a network, numbers small enough to follow, a long run, and a language."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import sympy as sp
from threadpoolctl import threadpool_limits

from rnnderive import printing as pr
from rnnderive.calculus import Graph
from rnnderive.chains import Analysis, analyze
from rnnderive.chains.setting import Setting, setting
from rnnderive.checks import Mark, check, check_steps
from rnnderive.checks.points import labels, loss_targets
from rnnderive.checks.table import Ladder
from rnnderive.derivation import Derivation, derive
from rnnderive.errors import InputError
from rnnderive.language import Recurrence
from rnnderive.language import terms as tm
from rnnderive.report import document as doc
from rnnderive.report.languages import Words, load
from rnnderive.report.parts.tints import Tints

__all__ = ["DETAILS", "Case", "small_point"]

DETAILS = ("brief", "lecture", "full")
LONG = 50  # steps of the lengthened run
UNITS = 2  # of the worked numbers


def small_point(net: Recurrence, T: int, seed: int, size: int = UNITS) -> tuple[dict[str, Any], dict[str, Any]]:
    """Parameters and inputs of small sizes, rounded so that they can be copied; classes where the loss has them."""
    rng = np.random.default_rng(seed)
    sizes, targets = {s: size for s in net.sizes}, loss_targets(net)
    params: dict[str, Any] = {}
    inputs: dict[str, Any] = {}
    for name in [*net.parameters, *net.inputs, *net.initial_states]:
        rows, columns = (int(sp.sympify(s).subs(sizes)) for s in net.shape(name))
        shape = (rows,) if columns == 1 else (rows, columns)
        timed = isinstance(net.leaves.get(name), tm.At)
        label = labels(targets.get(name), (T, *shape) if timed else shape, rng)
        if label is not None:
            inputs[name] = label
        elif timed:
            inputs[name] = np.round(rng.normal(size=(T, *shape)), 2)
        elif name in net.parameters:
            params[name] = np.round(rng.normal(size=shape), 2)
        else:
            inputs[name] = np.round(rng.uniform(0.1, 0.9, size=shape), 2)
    if not any(isinstance(net.leaves.get(name), tm.At) for name in net.inputs):
        inputs["T"] = T
    return params, inputs


@dataclass(frozen=True, eq=False)
class Case:
    """A network with all that its report tells; what is expensive is computed when a part asks for it.

    Parameters
    ----------
    net : Recurrence
    name : str
        What the report calls it.
    lang : str
        Of the catalogue.
    detail : {"brief", "lecture", "full"}
        How much is written out.
    T : int
        Steps of what is written out.
    seed : int
        Of the worked numbers and of the lengthened run.
    point : pair of mappings, optional
        Parameters and inputs of the worked numbers; drawn small unless given.
    long : Setting, optional
        The lengthened run; drawn unless given.
    command : str
        What makes the report again.
    parts : tuple of str
        The parts that the report has, so that none refers to one that is not there.
    """

    net: Recurrence
    name: str
    lang: str = "en"
    detail: str = "lecture"
    T: int = 3
    seed: int = 0
    point: tuple[Mapping[str, Any], Mapping[str, Any]] | None = None
    long: Setting | None = None
    command: str = ""
    parts: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.detail not in DETAILS:
            raise InputError(f"detail is {self.detail!r}; expected one of {', '.join(DETAILS)}")
        if not isinstance(self.T, int) or not 1 <= self.T <= 12:
            raise InputError(f"T is {self.T!r}; a derivation is written out for 1 to 12 steps")

    # ------------------------------------------------------------ words and formulas

    @cached_property
    def words(self) -> Words:
        """The sentences of the report's language."""
        return load(self.lang)

    def say(self, key: str, /, **values: Any) -> doc.Paragraph:
        """A sentence of the catalogue as a paragraph."""
        return doc.Paragraph(*self.words(key, **values))

    def section(self, key: str, blocks: Sequence[Any], /, level: int = 1, **values: Any) -> doc.Section:
        """A section whose title is in the catalogue."""
        return doc.Section(self.words(key, **values), list(blocks), level)

    def math(self, term: tm.Term) -> pr.Math:
        """A term in the network's notation."""
        return term.math(self.net.notation)

    def formula(self, name: str) -> doc.Formula:
        """A name of the network, within a line."""
        return doc.Formula(self.math(self.net.leaf(name)))

    def gradient(self, name: str) -> pr.Math:
        """dL/dW, the left side."""
        return pr.derivative(pr.name_math(self.net.loss or "L"), self.math(self.net.leaf(name)))

    def listed(self, names: Sequence[str]) -> list[doc.Inline]:
        """Names as formulas with commas between them."""
        return doc.listed(self.math(self.net.leaf(name)) for name in names)

    # ------------------------------------------------------------ the derivation

    @cached_property
    def d(self) -> Derivation:
        """The derivation."""
        return derive(self.net)

    @cached_property
    def loops(self) -> tuple[tuple[tuple[str, ...], int], ...]:
        """The states of each loop, and the lag at which they are read."""
        if not self.net.parameters:
            return ()
        groups = self.d.graph(self.net.parameters[0]).groups
        return tuple((g.names, 1 if g.direction == "forward" else -1) for g in groups if g.direction != "all")

    @cached_property
    def leading(self) -> str:
        """The parameter whose gradient is worked out: the first of a loop, else the first of all."""
        for stage in self.net.schedule:
            if stage.direction == "all":
                continue
            for name in self.net.sequences:
                read = [leaf.name for leaf in tm.members(self.net[name].right) if isinstance(leaf, tm.Parameter)]
                found = [n for n in read if n in self.net.parameters]
                if name in stage.names and found:
                    return found[0]
        return self.net.parameters[0]

    @cached_property
    def recurrent(self) -> tuple[str, ...]:
        """The parameters of the loops."""
        inside = [n for s in self.net.schedule if s.direction != "all" for n in s.names]
        read = [leaf.name for n in inside for leaf in tm.members(self.net[n].right) if isinstance(leaf, tm.Parameter)]
        return tuple(n for n in self.net.parameters if n in read)

    def graph(self, wrt: str) -> Graph:
        """The paths from the loss to a parameter over T steps."""
        return self.d.graph(wrt, self.T)

    def tints(self, wrt: str) -> Tints:
        """The colour and number of every factor on these paths."""
        return Tints.of(self.graph(wrt), self.net.notation)

    def marks(self, wrt: str, T: Any) -> tuple[Mark, ...]:
        """The steps of a derivation, each checked."""
        return check_steps(self.d, wrt, T)

    @cached_property
    def ladder(self) -> Ladder:
        """Every check that applies."""
        return check(self.d, seed=self.seed)

    # ------------------------------------------------------------ numbers

    @cached_property
    def numbers(self) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
        """Parameters and inputs of the worked numbers."""
        return self.point if self.point is not None else small_point(self.net, self.T, self.seed)

    @cached_property
    def course(self) -> Mapping[str, Any]:
        """Every quantity of the worked numbers by name."""
        return self.d.forward(*self.numbers)

    @cached_property
    def setting(self) -> Setting:
        """The lengthened run: weights by Glorot and an input of the standard normal distribution."""
        return self.long if self.long is not None else setting(self.net, T=LONG, seed=self.seed)

    @cached_property
    def analyses(self) -> tuple[Analysis, ...]:
        """The chains of the lengthened run: one for each direction; none where nothing is remembered."""
        if not self.loops:
            return ()
        at = self.setting
        with threadpool_limits(1):
            first = analyze(at.net, at.params, at.inputs, tokens=at.tokens)
            rest = [analyze(at.net, at.params, at.inputs, state=s[0], tokens=at.tokens) for s in first.others]
        return (first, *rest)

    def at(self, **changes: Any) -> Case:
        """The same case, changed."""
        return replace(self, **changes)
