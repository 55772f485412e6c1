"""Programs whose loops are compiled by Numba, and kept on disk.

The source of a program is a file in the user's cache folder (``RNNDERIVE_CACHE``, else ``rnnderive`` in
``XDG_CACHE_HOME`` or ``~/.cache``), named after its content; Numba keeps the machine code beside it.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from rnnderive.errors import InputError
from rnnderive.programs.arrays import Arrays
from rnnderive.programs.compiled_form import NotCompiled, form
from rnnderive.programs.compiled_source import write_compiled
from rnnderive.programs.program import Program

__all__ = ["CompiledProgram", "check_numba", "or_numpy"]

Function = Callable[[Mapping[str, Any], Mapping[str, Any]], Any]


class CompiledProgram(Program):
    """A gradient whose loops Numba compiles, in float64 or float32, at the first call.

    Takes and returns what :class:`Program` does.

    Attributes
    ----------
    compile_seconds : float
        How long compiling has taken, or loading what an earlier process compiled; 0.0 before the first call.
    """

    compile_seconds = 0.0

    @cached_property
    def form(self) -> Any:
        """The recurrence that is printed: one operation an equation."""
        return form(self.net, [*self.outputs.values(), self.origin.loss or ""], self.origin.initial_states)

    def written(self, dtype: str) -> str:
        """The module that computes in float64 or float32."""
        return write_compiled(self.form, self.origin, self.outputs, self.function, dtype=dtype, note=self.note)

    @cached_property
    def source(self) -> str:
        """The generated module in float64; it needs NumPy, Numba and SciPy, and takes batches as well."""
        return self.written("float64")

    @property
    def batch_source(self) -> str:
        """The same module."""
        return self.source

    @cached_property
    def functions(self) -> dict[Any, Function]:
        """The compiled functions by dtype, as far as they have been called."""
        return {}

    @property
    def raw(self) -> Function:
        """The compiled function in float64, without checks."""
        return self.loaded(np.dtype(np.float64))

    @property
    def batch_raw(self) -> Function:
        """The same function."""
        return self.raw

    def loaded(self, dtype: Any) -> Function:
        """The function of a dtype; it is compiled when it is called."""
        if dtype not in self.functions:
            text = self.source if dtype == np.float64 else self.written(dtype.name)
            self.functions[dtype] = load(text, self.function)
        return self.functions[dtype]

    def function_for(self, arrays: Arrays) -> Callable[..., Any]:
        return self.loaded(arrays.dtype)

    def compute(self, arrays: Arrays) -> Any:
        if arrays.dtype in self.functions:
            return super().compute(arrays)
        if arrays.dtype not in (np.float64, np.float32):
            raise InputError(
                f'the arrays are {arrays.dtype}; expected float64 or float32, or backend="numpy", which takes it'
            )
        start = time.perf_counter()
        result = super().compute(arrays)
        self.compile_seconds += time.perf_counter() - start
        return result


def check_numba() -> None:
    """Refuse where Numba, or SciPy through which it calls BLAS, is not installed.

    Raises
    ------
    InputError
        It says what to install.
    """
    missing = [n for n in ("numba", "scipy") if importlib.util.find_spec(n) is None]
    if missing:
        raise InputError(
            f'backend="numba" needs {" and ".join(missing)}; install with pip install "rnnderive[numba]", '
            'or leave it at backend="numpy"'
        )


def or_numpy(program: CompiledProgram, other: Callable[[], Program]) -> Program:
    """The compiled program; or the other with a warning, where a term has no compiled loop."""
    try:
        _ = program.form
    except NotCompiled as error:
        warnings.warn(f"{error}; this program runs in NumPy", stacklevel=4)
        return other()
    return program


# ---------------------------------------------------------------- the cache on disk


def cache_folder() -> Path:
    """Where compiled modules are kept."""
    own = os.environ.get("RNNDERIVE_CACHE")
    if own:
        return Path(own)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "rnnderive"


def load(source: str, function: str) -> Function:
    """The function of a module, imported from its file in the cache; without a cache where none can be written."""
    import numba

    key = hashlib.sha256(f"{numba.__version__}\n{source}".encode()).hexdigest()[:24]
    try:
        path = _file(source, f"{function}_{key}.py")
    except OSError as error:
        warnings.warn(f"compiled loops are not kept for the next process: {error}", stacklevel=6)
        space: dict[str, Any] = {"__name__": f"rnnderive_{key}"}
        exec(compile(source, f"<{function}>", "exec"), space)  # text that we generated
        return space[function]
    spec = importlib.util.spec_from_file_location(f"rnnderive_{key}", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # where Numba finds the functions of what it has kept
    spec.loader.exec_module(module)
    return getattr(module, function)


def _file(source: str, name: str) -> Path:
    """The file of that name with that text; written at once and whole if it is not there."""
    folder = cache_folder()
    path = folder / name
    if not path.exists() or path.read_text(encoding="utf-8") != source:
        folder.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=folder, suffix=".tmp")
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(source)
        os.replace(temporary, path)
    return path
