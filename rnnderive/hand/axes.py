"""How one array of a person's code lies: which axis is time, which the batch, and what holds the steps.

An order of axes is text: ``t b n`` (time, batch, entries), ``b t n``, ``[t] n 1`` (a list of columns, one
a step), ``[t+1] n b`` (a list with a slot for the initial state in front), ``m n`` (a transposed matrix),
``[t] index`` (a list of class numbers in the place of one-hot vectors), ``b length`` (lengths in the
place of a mask).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from rnnderive.errors import InputError

__all__ = ["Axes"]

_TOKENS = ("t", "t+1", "b", "n", "m", "1", "index", "length")


@dataclass(frozen=True)
class Axes:
    """The axes of an array, in order.

    Attributes
    ----------
    order : tuple of str
        ``t``, ``b``, ``n`` and ``m``; ``1`` is an axis of one entry; ``t+1`` is time with a slot in front;
        ``index`` and ``length`` stand for the largest entry's number and for how many steps count.
    listed : bool
        Whether the first axis is a list (or a dict by number), not an axis of an array.

    Examples
    --------
    >>> axes = Axes.parse("[t] n 1")
    >>> [column.tolist() for column in axes.pack(axes.arrange(np.array([[1.0, 2.0], [3.0, 4.0]]), "tn"))]
    [[[1.0], [2.0]], [[3.0], [4.0]]]
    """

    order: tuple[str, ...]
    listed: bool = False

    @classmethod
    def parse(cls, text: str) -> Axes:
        """Read an order of axes.

        Raises
        ------
        InputError
            For an unknown or doubled axis.
        """
        tokens = text.replace("[", " [ ").replace("]", " ] ").split()
        listed = tokens[:1] == ["["] and tokens[2:3] == ["]"]
        order = tuple([tokens[1], *tokens[3:]] if listed else tokens)
        order = tuple({"0": "index", "i": "index"}.get(s, s) for s in order)
        named = [s.removesuffix("+1") for s in order if s != "1"]
        unknown = [s for s in order if s not in _TOKENS]
        if unknown or len(set(named)) < len(named):
            wrong = f"{unknown[0]!r} is no axis" if unknown else "an axis stands twice"
            raise InputError(
                f"axes {text!r}: {wrong}; expected some of t (time), t+1 (with a slot for the initial state), "
                "b (batch), n and m (entries), 1, index, length, in order; [t] in front for a list"
            )
        return cls(order, listed)

    @property
    def picked(self) -> str | None:
        """``index`` or ``length``, where numbers stand for vectors or masks."""
        return next((s for s in self.order if s in ("index", "length")), None)

    def arrange(self, array: Any, natural: str) -> Any:
        """An array in the cell's order of axes, a letter each in `natural`, put in this order.

        Raises
        ------
        InputError
            Where an axis of more than one entry has no place.
        """
        order = [{"index": "n", "length": "t"}.get(s, s.removesuffix("+1")) for s in self.order]
        lost = [k for k, s in enumerate(natural) if s not in order]
        for k in lost:
            if array.shape[k] != 1:
                what = {"t": "time", "b": "the batch"}.get(natural[k], "its entries")
                raise InputError(f"axes '{self}' have no place for {what}: {array.shape[k]} long, axis {natural[k]!r}")
        array = array.reshape([s for k, s in enumerate(array.shape) if k not in lost])
        letters = [s for k, s in enumerate(natural) if k not in lost]
        extra = [s for s in dict.fromkeys(order) if s not in letters and s != "1"]
        array = array.reshape(array.shape + (1,) * len(extra))
        letters += extra
        array = array.transpose([letters.index(s) for s in order if s != "1"])
        array = np.expand_dims(array, tuple(k for k, s in enumerate(order) if s == "1"))
        if "t+1" in self.order:
            k = self.order.index("t+1")
            array = np.concatenate([np.zeros_like(np.take(array, [0], k)), array], k)
        return array

    def pack(self, array: Any) -> Any:
        """An arranged array as the code takes it."""
        if self.picked:
            k = self.order.index(self.picked)
            array = array.real.argmax(k) if self.picked == "index" else np.rint(array.real.sum(k)).astype(int)
            return [int(a) if np.ndim(a) == 0 else a for a in array] if self.listed else array
        return [np.array(a) for a in array] if self.listed else array

    def unpack(self, value: Any) -> Any:
        """What the code returned, as one array in this order; what is no array stays as it is."""
        if isinstance(value, Mapping) and all(isinstance(k, int | np.integer) for k in value):
            value = [value[k] for k in sorted(value)]
        if isinstance(value, list | tuple):
            steps = [np.asarray(v) for v in value if v is not None]
            if len(steps) < len(value) and len({s.shape for s in steps}) == 1:  # an empty slot for the initial state
                steps = [np.zeros_like(steps[0]) if v is None else np.asarray(v) for v in value]
            if len({s.shape for s in steps}) > 1 and "t+1" in self.order:
                steps[0] = np.broadcast_to(steps[0], steps[1].shape) if steps[0].size == 1 else steps[0]
            return np.array(steps)
        return np.asarray(value)

    def unpick(self, value: Any, shape: tuple[int, ...]) -> Any:
        """One-hot vectors from class numbers, or a mask from lengths: the way back of :meth:`pack`."""
        k = self.order.index(self.picked or "")
        numbers = np.expand_dims(np.asarray(value), k)
        places = np.arange(shape[k]).reshape([-1 if axis == k else 1 for axis in range(len(shape))])
        return (places == numbers if self.picked == "index" else places < numbers).astype(float)

    def __str__(self) -> str:
        text = " ".join(self.order)
        return re.sub(r"^\S+", lambda first: f"[{first[0]}]", text) if self.listed else text
