"""A compiled recurrence: a NumPy function with its source."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cached_property
from typing import Any

from rnnderive.errors import InputError
from rnnderive.language.recurrence import Recurrence
from rnnderive.programs.arrays import Arrays, Preparation, restore
from rnnderive.programs.lengths import with_mask
from rnnderive.programs.passes import optimise
from rnnderive.programs.passes.bundles import Names
from rnnderive.programs.source import write_module
from rnnderive.programs.threads import in_threads
from rnnderive.programs.workspace import FEW, MANY, Workspace

__all__ = ["Program"]

Function = Callable[..., Any]


class Program:
    """A function of ``(params, inputs)``, two dicts of arrays.

    Parameters
    ----------
    net : Recurrence
        What is computed.
    origin : Recurrence
        The network whose arrays are taken.
    outputs : mapping
        Key in the result → name in `net`.
    function : str
        Name of the function in the generated module.
    with_loss : bool
        Whether a call returns ``(loss, dict)``, or the dict alone.
    restored : bool
        Whether results are gradients, to be returned in the shape of the array they belong to.
    note : str
        First line of the generated module.
    threads : int
        How many threads share a batch; see :mod:`rnnderive.programs.threads`.
    reuse : bool, optional
        Whether a call uses the memory of the one before; each of several calls at once has its own.  By default
        where a call needs between 1 MiB and 256 MiB.
    masked : callable, optional
        Makes the same program for members that end at steps of their own, and says its mask's name.
    """

    def __init__(
        self,
        net: Recurrence,
        origin: Recurrence,
        outputs: Mapping[str, str],
        *,
        function: str,
        with_loss: bool = False,
        restored: bool = False,
        note: str = "",
        threads: int = 1,
        reuse: bool | None = None,
        masked: Callable[[], tuple[Program, str]] | None = None,
    ) -> None:
        self.net, self.origin, self.outputs = net, origin, dict(outputs)
        self.function, self.with_loss, self.restored, self.note = function, with_loss, restored, note
        self.threads, self.reuse, self._make_masked = threads, reuse, masked
        self._workspaces: list[Workspace] = []  # those that no call is using
        self._bytes: dict[Any, int] = {}  # what a call of this size needs

    @cached_property
    def source(self) -> str:
        """The generated module for one sequence; it needs NumPy alone, and takes batches as well."""
        return self._write(batched=False)

    @cached_property
    def batch_source(self) -> str:
        """The module for batches: entry by entry, it works step by step, while the values are in cache."""
        return self._write(batched=True)

    def _write(self, batched: bool) -> str:
        wanted = [
            *self.outputs.values(),
            *([self.origin.loss] if self.with_loss and self.origin.loss else []),
        ]
        names: Names = {}
        net = optimise(self.net, wanted, self.origin.initial_states, products_only=batched, names=names)
        return write_module(
            net, self.origin, self.outputs, self.function, with_loss=self.with_loss, note=self.note,
            batched=batched, called=names,
        )  # fmt: skip

    @cached_property
    def raw(self) -> Function:
        """The generated function itself, without checks."""
        return self._compile(self.source)

    @cached_property
    def batch_raw(self) -> Function:
        """The same for batches."""
        return self._compile(self.batch_source)

    def _compile(self, source: str) -> Function:
        space: dict[str, Any] = {}
        exec(compile(source, f"<{self.function}>", "exec"), space)  # text that we generated
        return space[self.function]

    @cached_property
    def preparation(self) -> Preparation:
        """What checks the arrays of a call."""
        return Preparation(self.origin)

    @cached_property
    def masked(self) -> tuple[Program, str]:
        """The same for members that end at steps of their own, and the name of its mask."""
        if self._make_masked is None:
            raise InputError("lengths are for gradients; expected a program that lambdify() has made")
        return self._make_masked()

    def __call__(self, params: Mapping[str, Any], inputs: Mapping[str, Any], *, lengths: Any = None) -> Any:
        """Check the arrays, run, and return the results.

        Parameters
        ----------
        params, inputs : mapping
            Arrays by name; ``inputs["T"]`` is the number of steps where no input has any.
        lengths : (B,) integers, optional
            How many steps each member of the batch has.  Each is then as if it had been run alone: ``y[T]`` is
            its own last step, a loop from right to left starts there, a mean over t is over its own steps.  What
            is padded is not read (it may be NaN), and its gradient is zero.

        Raises
        ------
        InputError
            For wrong names, shapes, dtypes, lengths and values that are not finite.
        """
        if lengths is not None:
            program, mask = self.masked
            return program(params, with_mask(self.origin, mask, inputs, lengths))
        return self.run(self.preparation(params, inputs))

    def function_for(self, arrays: Arrays) -> Callable[..., Any]:
        """The generated function that is meant for arrays of this kind."""
        return self.raw if arrays.batch in (None, 1) else self.batch_raw

    def compute(self, arrays: Arrays) -> Any:
        """What the generated function returns for arrays that have been checked."""
        function = self.function_for(arrays)
        size = (arrays.T, arrays.batch, arrays.dtype)
        worth = self.reuse if self.reuse is not None else FEW <= self._bytes.get(size, FEW) <= MANY
        if not worth:
            return function(arrays.params, arrays.inputs)
        workspace = self._workspaces.pop() if self._workspaces else Workspace()
        result = function(arrays.params, arrays.inputs, workspace.begin())
        self._bytes[size] = workspace.size
        if self.reuse or FEW <= workspace.size <= MANY:
            self._workspaces.append(workspace)
        return result

    def run(self, arrays: Arrays) -> Any:
        """Run on arrays that have been checked."""
        whole = self.threads == 1 or arrays.batch is None
        result: Any = self.compute(arrays) if whole else in_threads(self.compute, self.origin, arrays, self.threads)
        table = result[1] if self.with_loss else result
        if self.restored:
            given = arrays.given
            table = {
                n: g if given.get(n) == (g.shape, False) and g.flags.writeable else restore(g, n, self.origin, arrays)
                for n, g in table.items()
            }
        return (result[0], table) if self.with_loss else table

    def __repr__(self) -> str:
        return f"<Program {self.function}(params, inputs): {', '.join(self.outputs)}>"
