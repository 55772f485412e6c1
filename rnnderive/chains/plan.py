"""What a sweep is: its points, its seeds, and what tells it from another sweep."""

from __future__ import annotations

import ast
import dataclasses
import functools
import hashlib
import inspect
import itertools
import json
import math
import textwrap
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np

from rnnderive.chains.results import number
from rnnderive.errors import InputError

__all__ = ["Grid", "Measure", "axes_of", "expand", "header_of"]

Measure = Callable[[dict[str, Any], int], Mapping[str, Any]]
Grid = Mapping[str, Iterable[Any]] | Iterable[Mapping[str, Any]]


def header_of(measure: Measure, grid: Grid, seeds: int | Iterable[int]) -> dict[str, Any]:
    """Everything that tells this sweep from another, as JSON holds it."""
    header: dict[str, Any] = _title(measure)
    if isinstance(grid, Mapping):
        header["axes"] = {_name(n): [_plain(v, n) for v in _values(n, vs)] for n, vs in grid.items()}
    else:
        header["points"] = [_point(p) for p in _values("grid", grid)]
        if any(set(p) != set(header["points"][0]) for p in header["points"]):
            raise InputError("the points of the grid have different names; expected the same names in each")
    header["seeds"] = _seeds(seeds)
    if not expand(header)[0]:
        raise InputError("the grid has no point; expected at least one value of each name")
    header = json.loads(json.dumps(header))
    header["fingerprint"] = hashlib.sha256(json.dumps(header, sort_keys=True).encode()).hexdigest()
    return header


def expand(header: Mapping[str, Any]) -> tuple[tuple[dict[str, Any], ...], tuple[int, ...]]:
    """The points and the seeds of a header, in order: the last name changes fastest."""
    axes, seeds = axes_of(header), tuple(header["seeds"])
    if axes is None:
        return tuple({n: _tuples(v) for n, v in p.items()} for p in header["points"]), seeds
    return tuple(dict(zip(axes, p, strict=True)) for p in itertools.product(*axes.values())), seeds


def axes_of(header: Mapping[str, Any]) -> dict[str, tuple[Any, ...]] | None:
    """The values of each name, where the grid is all their combinations."""
    axes = header.get("axes")
    return None if axes is None else {n: _tuples(vs) for n, vs in axes.items()}


def _tuples(value: Any) -> Any:
    return tuple(map(_tuples, value)) if isinstance(value, list) else value


def _point(point: Any) -> dict[str, Any]:
    if not isinstance(point, Mapping):
        raise InputError(f"the grid is a list with {point!r} in it; expected points, such as {{'gain': 1.0}}")
    return {_name(n): _plain(v, n) for n, v in point.items()}


def _name(name: Any) -> str:
    if not isinstance(name, str) or name in ("seed", "error", ""):
        raise InputError(f"the grid has the name {name!r}; expected a string other than 'seed' and 'error'")
    return name


def _values(name: str, values: Any) -> list[Any]:
    if isinstance(values, str) or not isinstance(values, Iterable):
        raise InputError(f"{name} is {values!r}; expected a list, also for a single value: [{values!r}]")
    return list(values)


def _plain(value: Any, name: str) -> Any:
    """A value of a point in Python's own types."""
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, tuple | list):
        return [_plain(v, name) for v in value]
    try:
        plain = number(value)
    except InputError as error:
        raise InputError(f"a value of {name} in the grid: {error}, a string, None, or a tuple of such") from None
    if not math.isfinite(plain):
        raise InputError(f"{name} has the value {plain} in the grid; expected a finite number, or None for no limit")
    return plain


def _seeds(seeds: Any) -> list[int]:
    if isinstance(seeds, int | np.integer):
        seeds = range(int(seeds))
    chosen = [s.item() if isinstance(s, np.generic) else s for s in seeds] if isinstance(seeds, Iterable) else []
    if not chosen or any(type(s) is not int or s < 0 for s in chosen) or len(set(chosen)) < len(chosen):
        raise InputError(f"seeds is {seeds!r}; expected how many (from 1), or different integers from 0")
    return chosen


def _title(measure: Measure) -> dict[str, Any]:
    """A measure's name, the settings bound to it, and a digest of its text without layout and comments."""
    settings: list[Any] = []
    while isinstance(measure, functools.partial):
        settings.append([_described(measure.args), _described(measure.keywords)])
        measure = measure.func
    kind: Any = measure if hasattr(measure, "__qualname__") else type(measure)
    if (owner := getattr(measure, "__self__", None if kind is measure else measure)) is not None:
        settings.append(_described(owner))
    title = {"measure": f"{kind.__module__}.{kind.__qualname__}", "settings": settings}
    if kind.__qualname__.endswith("<lambda>"):  # its text is the whole line that it stands in
        return title
    try:
        text = ast.unparse(ast.parse(textwrap.dedent(inspect.getsource(kind))))
    except (OSError, TypeError, SyntaxError):  # typed at a prompt, or compiled
        return title
    return {**title, "source": hashlib.sha256(text.encode()).hexdigest()}


def _described(value: Any) -> Any:
    """What a setting is, the same in every process: its content where it can be had, else its type."""
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float):
        return repr(value)
    if isinstance(value, np.ndarray | np.generic):
        array = np.ascontiguousarray(value)
        return [str(array.dtype), list(array.shape), hashlib.sha256(array.tobytes()).hexdigest()]
    if isinstance(value, Mapping):
        return {str(n): _described(v) for n, v in value.items()}
    if isinstance(value, tuple | list):
        return [_described(v) for v in value]
    if isinstance(value, set | frozenset):
        return sorted(json.dumps(_described(v)) for v in value)
    kind = value if hasattr(value, "__qualname__") else type(value)
    name = f"{kind.__module__}.{kind.__qualname__}"
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return [name, {f.name: _described(getattr(value, f.name)) for f in dataclasses.fields(value)}]
    text = str(value)
    return name if " at 0x" in text else [name, text]
