"""Tasks that ask for a long memory: the adding problem and copying (Hochreiter and Schmidhuber 1997).

A task draws its own data and knows what one gets without any memory, so that a network that has
learnt to remember is told from one that has not.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from rnnderive.cells import LIBRARY, readout
from rnnderive.cells.anatomy import Anatomy, assemble
from rnnderive.errors import InputError
from rnnderive.language import Recurrence

__all__ = ["Task", "adding", "copy_memory"]


@dataclass(frozen=True)
class Task:
    """What is asked, and what it costs not to remember.

    Attributes
    ----------
    name : str
    steps : int
        Length of a sequence.
    inputs, outputs : int
        Widths of ``x`` and of the prediction.
    baseline : float
        The best loss without memory, as an expectation; in the same measure as :meth:`network`'s loss.
    without : str
        What reaches it.
    objective : str
        The loss of a batch, in the language; ``{y}`` is the prediction's name.
    draw : callable
        Generator and number of sequences → inputs.
    """

    name: str
    steps: int
    inputs: int
    outputs: int
    baseline: float
    without: str
    objective: str
    draw: Callable[[np.random.Generator, int], dict[str, Any]]

    def batches(self, size: int = 50, seed: int = 0) -> Iterator[dict[str, Any]]:
        """Batches without end, always the same for a seed."""
        _count("size", size)
        rng = np.random.default_rng(seed)
        while True:
            yield self.draw(rng, size)

    def network(self, cell: Recurrence | str) -> Recurrence:
        """A cell with a linear readout and the loss of this task, a mean over the batch.

        Parameters
        ----------
        cell : Recurrence or str
            Any recurrence with a loop over t whose input is ``x``; a name of the library, or equations.
            A head that it has gives way.

        Examples
        --------
        >>> print(adding(20).network("gru"))
        z[t] = sigmoid(W_z @ [h[t-1], x[t]] + b_z)
        r[t] = sigmoid(W_r @ [h[t-1], x[t]] + b_r)
        h_add[t] = tanh(W @ [r[t] * h[t-1], x[t]])
        h[t] = (1 - z[t]) * h[t-1] + z[t] * h_add[t]
        y[t] = W_y @ h[t] + b_y
        L = sum(2 * squared_error(y[T], target), batch) / size(batch)
        """
        if isinstance(cell, str):
            cell = LIBRARY[cell]() if cell in LIBRARY else Recurrence.parse(cell, loss=None)
        parts = Anatomy.of(cell)
        if parts.inputs != ("x",):
            raise InputError(f"the {self.name} needs a cell with an input x; found {', '.join(parts.inputs) or 'none'}")
        core = assemble([str(cell[name]) for name in parts.core], cell, None)
        y = next(name for name in ("y", "y_hat", "prediction") if name not in core)
        lines = [str(e) for e in readout(core, None, name=y).equations]
        return assemble([*lines, f"L = {self.objective.format(y=y)}"], cell, "L")


def adding(T: int = 50) -> Task:
    """The adding problem: the sum of the two numbers that are marked.

    A step of the input is a number from [0, 1] and a mark, 1 in one step of the first half and in one
    of the second, else 0.  The target is the sum of the two numbers.  Experiment 4 of Hochreiter and
    Schmidhuber (1997), in the form of Le, Jaitly and Hinton (2015) and Arjovsky et al. (2016).

    The loss is the mean squared error.  Who always answers 1 has the variance of the sum of two
    uniform numbers, 2 · 1/12 = 1/6 = 0.1667.

    Parameters
    ----------
    T : int
        Length of a sequence, from 2.

    Examples
    --------
    >>> task = adding(6)
    >>> batch = next(task.batches(1, seed=0))
    >>> x, target = batch["x"][:, 0], batch["target"][0]
    >>> x.shape, x[:, 1].sum(), bool(np.isclose(x[:, 0] @ x[:, 1], target[0]))
    ((6, 2), np.float64(2.0), True)
    """
    _count("T", T, 2)

    def draw(rng: np.random.Generator, size: int) -> dict[str, Any]:
        x = np.zeros((T, size, 2))
        x[:, :, 0] = rng.uniform(size=(T, size))
        members = np.arange(size)
        x[rng.integers(0, T // 2, size), members, 1] = 1
        x[rng.integers(T // 2, T, size), members, 1] = 1
        return {"x": x, "target": (x[:, :, 0] * x[:, :, 1]).sum(axis=0)[:, None]}

    return Task(
        "adding problem", T, 2, 1, 1 / 6, "always answering 1",
        "mean(2 * squared_error({y}[T], target), batch)", draw,
    )  # fmt: skip


def copy_memory(T: int = 100, items: int = 10, symbols: int = 8) -> Task:
    """Copying: some symbols, a long pause, then the same symbols from memory.

    The input is `items` symbols, T − 1 blanks, a delimiter and `items` blanks, one-hot on
    `symbols` + 2 entries; the target is T + `items` blanks and then the symbols, one-hot on
    `symbols` + 1 entries, of which the last is the blank.  After Hochreiter and Schmidhuber (1997), in the form of
    Arjovsky et al. (2016, section 4.1).

    The loss is the cross-entropy, a mean over steps.  Who knows when to answer but not what has
    items · ln symbols / (T + 2 items).

    Parameters
    ----------
    T : int
        How long to remember, from 1; a sequence has T + 2 · items steps.
    items, symbols : int

    Examples
    --------
    >>> task = copy_memory(T=3, items=2)
    >>> batch = next(task.batches(1, seed=0))
    >>> batch["x"][:, 0].argmax(-1), batch["target"][:, 0].argmax(-1)
    (array([6, 5, 8, 8, 9, 8, 8]), array([8, 8, 8, 8, 8, 6, 5]))
    """
    for name, number in (("T", T), ("items", items), ("symbols", symbols)):
        _count(name, number)
    steps = T + 2 * items
    blank, delimiter = symbols, symbols + 1

    def draw(rng: np.random.Generator, size: int) -> dict[str, Any]:
        shown = rng.integers(0, symbols, (items, size))
        read, answer = np.full((steps, size), blank), np.full((steps, size), blank)
        read[:items], answer[-items:] = shown, shown
        read[items + T - 1] = delimiter
        return {"x": np.eye(symbols + 2)[read], "target": np.eye(symbols + 1)[answer]}

    return Task(
        "copy memory", steps, symbols + 2, symbols + 1, items * np.log(symbols) / steps, "guessing the symbols",
        "mean(mean(cross_entropy({y}[t], target[t]), t), batch)", draw,
    )  # fmt: skip


def _count(name: str, number: Any, least: int = 1) -> None:
    if isinstance(number, bool) or not isinstance(number, int) or number < least:
        raise InputError(f"{name} is {number!r}; expected an integer from {least}")
