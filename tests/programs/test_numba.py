"""Compiled loops compute what the NumPy program computes.

Compiling takes seconds, so that most claims are tested on the same source run as plain Python, and a few
networks, which have every kind of loop between them, are compiled.
"""

from __future__ import annotations

import importlib.machinery
import importlib.util
import math
import sys
import types
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

import rnnderive as rd
from rnnderive.checks import identical, point
from rnnderive.language import FUNCTIONS
from rnnderive.programs import compiled
from rnnderive.programs.compiled import CompiledProgram
from rnnderive.programs.compiled_form import NotCompiled, form
from rnnderive.programs.compiled_source import write_compiled
from rnnderive.programs.compiled_support import HEAD, SUPPORT, exponential
from tests.checks.nets import NAMES, network, with_function
from tests.programs.test_passes import OWN
from tests.strategies import recurrences
from tests.test_random import FIXED
from tests.test_random import point as random_point

LACKING = [n for n in ("numba", "scipy") if importlib.util.find_spec(n) is None]
needs_numba = pytest.mark.skipif(bool(LACKING), reason=f'not installed: {LACKING}; pip install "rnnderive[numba]"')
TOLERANCE = {"float64": 1e-12, "float32": 2e-5}


# ---------------------------------------------------------------- without Numba


def power_of_two(x: Any) -> Any:
    """2**k by its bits, as the intrinsic does."""
    word, fraction, bias = (np.int64, 52, 1023) if isinstance(x, np.float64) else (np.int32, 23, 127)
    return ((np.asarray(x).view(word) + word(bias)) << word(fraction)).view(type(x))[()]


@pytest.fixture(autouse=True)
def stand_in(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Iterator[None]:
    """Without the marker ``compiles``, ``numba`` is a module that leaves functions as they are."""
    if "compiles" not in request.fixturenames:
        parts = {
            "numba": {"njit": lambda f=None, **_: f or (lambda g: g), "__version__": "0"},
            "numba.core": {"types": types.SimpleNamespace()},
            "numba.core.compiler": {"Compiler": object},
            "numba.extending": {"intrinsic": lambda _: power_of_two},
        }
        for name, content in parts.items():
            module = types.ModuleType(name)
            module.__dict__.update(content, __spec__=importlib.machinery.ModuleSpec(name, None))
            monkeypatch.setitem(sys.modules, name, module)
    yield


@pytest.fixture(scope="module")
def compiles(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Numba itself, with a cache of its own."""
    with pytest.MonkeyPatch.context() as patch:
        folder = tmp_path_factory.mktemp("cache")
        patch.setenv("RNNDERIVE_CACHE", str(folder))
        yield folder


def everything(net: rd.Recurrence) -> rd.Derivation:
    return rd.derive(net, [*net.parameters, *net.initial_states, *net.inputs])


def plain(d: rd.Derivation, dtype: str) -> Callable[[Any, Any], Any]:
    """The compiled backend's function, run by Python itself."""
    wanted = [*d.pulled.gradients.values(), d.net.loss or ""]
    net = form(d.adjoint, wanted, d.net.initial_states)
    source = write_compiled(net, d.net, d.pulled.gradients, "value_and_grad", dtype=dtype)
    space: dict[str, Any] = {}
    exec(source, space)
    return space["value_and_grad"]


def agree(found: Any, expected: Any, tolerance: float) -> None:
    assert found[0] == pytest.approx(float(expected[0]), rel=tolerance, abs=tolerance)
    assert found[1].keys() == expected[1].keys()
    for n, a in expected[1].items():
        assert found[1][n].shape == np.shape(a), n
        bound = tolerance * max(1.0, float(np.abs(a).max()))
        np.testing.assert_allclose(found[1][n], a, rtol=0, atol=bound, err_msg=n)


def cast(table: dict[str, Any], dtype: str) -> dict[str, Any]:
    return {n: a if n == "T" else np.asarray(a, dtype) for n, a in table.items()}


# A block that is cut across the parts of a stack cannot be computed in the loop over these.
ACROSS = """
    s[t] = [tanh(U @ h[t-1] + W @ x[t])[0:2], x[t][0:2]]
    h[t] = s[t][1:3]
    L    = sum(squared_error(h[t], target[t]), t)
"""
NETS = [*NAMES, "own"]


def net_of(name: str) -> rd.Recurrence:
    return rd.Recurrence.parse(OWN) if name == "own" else network(name)


@pytest.mark.parametrize("name", NETS)
def test_one_operation_an_equation_keeps_the_meaning_exactly(name: str) -> None:
    d = rd.derive(net_of(name))
    wanted = [*d.pulled.gradients.values(), d.net.loss or ""]
    after = form(d.adjoint, wanted, d.net.initial_states)
    assert identical(d.adjoint, after, d.net, outputs=wanted, T=3, digits=False)


@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize("name", NETS)
def test_loops_agree_with_numpy(name: str, dtype: str) -> None:
    """For one sequence and batches, one step and several; in inputs and initial states as well."""
    d = everything(net_of(name))
    f, g = plain(d, dtype), d.lambdify()
    for T in (1, 2, 7) if dtype == "float64" else (7,):
        for batch in (None, 1, 5) if dtype == "float64" else (None, 5):
            try:
                at = point(d.net, T=T, batch=batch)
            except rd.InputError:  # a network that reads its second step
                continue
            with np.errstate(all="ignore"):
                found = f(at.params, at.inputs)
            assert all(a.dtype == dtype for a in found[1].values())
            agree(found, g(at.params, at.inputs), TOLERANCE[dtype])


@needs_numba
@pytest.mark.slow
@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize("name", NETS)
def test_machine_code_agrees_with_numpy(name: str, dtype: str, compiles: Path) -> None:
    """What the test before claims of the source, of what Numba makes of it."""
    d = everything(net_of(name))
    f, g = d.lambdify(backend="numba"), d.lambdify()
    for T in (1, 2, 7):
        for batch in (None, 1, 5):
            try:
                at = point(d.net, T=T, batch=batch)
            except rd.InputError:  # a network that reads its second step
                continue
            params, inputs = cast(at.params, dtype), cast(at.inputs, dtype)
            found = f(params, inputs)
            assert all(a.dtype == dtype for a in found[1].values())
            agree(found, g(at.params, at.inputs), TOLERANCE[dtype])


def test_a_block_across_the_parts_of_a_stack_agrees_with_numpy() -> None:
    d = everything(rd.Recurrence.parse(ACROSS))
    at = point(d.net, T=4)
    agree(plain(d, "float64")(at.params, at.inputs), d.lambdify()(at.params, at.inputs), 1e-12)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_functions_agree_with_numpy(name: str) -> None:
    d = rd.derive(with_function(name))
    at = point(d.net, T=3, batch=2)
    with np.errstate(all="ignore"):
        agree(plain(d, "float64")(at.params, at.inputs), d.lambdify()(at.params, at.inputs), 1e-12)


@given(recurrences(), st.sampled_from([1, 2, 5]), st.sampled_from([None, 1, 3]), st.integers(0, 1000))
@settings(FIXED, max_examples=25)
def test_random_recurrences_agree_with_numpy(net: rd.Recurrence, T: int, batch: int | None, seed: int) -> None:
    d = rd.derive(net)
    params, inputs = random_point(net, T, batch, seed)
    try:
        expected = d.lambdify()(params, inputs)
    except rd.InputError:
        assume(False)
    assume(all(np.isfinite(a).all() for a in expected[1].values()))
    with np.errstate(all="ignore"):
        agree(plain(d, "float64")(params, inputs), expected, 1e-9)


# ---------------------------------------------------------------- exp, tanh, sigmoid


@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize("name", ["exp", "tanh", "sigmoid"])
def test_functions_without_branches_are_right_to_two_units_in_the_last_place(name: str, dtype: str) -> None:
    space: dict[str, Any] = {}
    texts = {**SUPPORT, **exponential(dtype)}
    exec(HEAD.format(dtype=dtype) + texts["exp"] + texts["tanh"] + texts["sigmoid"], space)
    space["power_of_two"] = power_of_two
    kind = np.dtype(dtype).type
    far = 700 if dtype == "float64" else 85
    sizes = [*np.geomspace(1e-12, far, 400), 0.3465, 0.3466, 0.6931, 21.9, 22.1]
    wide = {"exp": np.exp, "tanh": np.tanh, "sigmoid": lambda x: 1 / (1 + np.exp(-x))}[name]
    for x in [kind(s * size) for size in sizes for s in (1, -1)]:
        with np.errstate(all="ignore"):
            found, right = space[name](x), wide(np.longdouble(x))
        assert isinstance(found, kind)
        assert abs(np.longdouble(found) - right) <= 2.5 * np.spacing(kind(abs(right))), x
    with np.errstate(all="ignore"):
        ends = [space[name](kind(x)) for x in (-1000.0, 0.0, 1000.0)]
        assert math.isnan(space[name](kind(np.nan)))
    limits = {"exp": [0, 1, np.inf], "tanh": [-1, 0, 1], "sigmoid": [0, 0.5, 1]}[name]
    np.testing.assert_allclose(ends, limits, atol=1e-37)


# ---------------------------------------------------------------- compiled


@needs_numba
@pytest.mark.parametrize(("name", "dtype"), [("gru", "float64"), ("layer norm and softmax", "float32")])
def test_compiled_loops_agree_with_numpy(compiles: Path, name: str, dtype: str) -> None:
    d = rd.derive(network(name))
    f, g = d.lambdify(backend="numba"), d.lambdify()
    assert isinstance(f, CompiledProgram) and f.compile_seconds == 0
    for T, batch in ((7, None), (1, 1), (2, 5)):
        at = point(d.net, T=T, batch=batch)
        params, inputs = cast(at.params, dtype), cast(at.inputs, dtype)
        found = f(params, inputs)
        assert found[0].dtype == dtype and all(a.dtype == dtype for a in found[1].values())
        agree(found, g(at.params, at.inputs), TOLERANCE[dtype])
    assert f.compile_seconds > 0
    kept = sorted(p.suffix for p in compiles.glob("**/*.nb*"))
    assert ".nbi" in kept and ".nbc" in kept  # machine code for the next process
    threaded = d.lambdify(backend="numba", threads=2)
    agree(threaded(params, inputs), g(at.params, at.inputs), TOLERANCE[dtype])
    assert threaded.compile_seconds < f.compile_seconds  # it was there


def test_a_module_in_the_cache_is_the_one_that_was_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that was changed there is written again."""
    monkeypatch.setenv("RNNDERIVE_CACHE", str(tmp_path))
    source = "def f(params, inputs):\n    return 1\n"
    assert compiled.load(source, "f")({}, {}) == 1
    (file,) = tmp_path.glob("f_*.py")
    file.write_text("def f(params, inputs):\n    return 2\n")
    assert compiled.load(source, "f")({}, {}) == 1
    assert file.read_text() == source


def test_where_no_file_can_be_written_the_module_runs_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "taken").write_text("")
    monkeypatch.setenv("RNNDERIVE_CACHE", str(tmp_path / "taken"))
    with pytest.warns(UserWarning, match="not kept for the next process"):
        assert compiled.load("def f(params, inputs):\n    return 1\n", "f")({}, {}) == 1


# ---------------------------------------------------------------- messages


def test_what_is_missing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    with pytest.raises(rd.InputError, match=r'needs numba and scipy; install with pip install "rnnderive\[numba\]"'):
        rd.derive(rd.cells.vanilla()).lambdify(backend="numba")


def test_backends_are_named() -> None:
    d = rd.derive(rd.cells.vanilla())
    for call in (d.lambdify, d.source):
        with pytest.raises(rd.InputError, match="backend is 'c'; expected 'numpy' or 'numba'"):
            call(backend="c")


MATRICES = "z: input\ns[t] = a * s[t-1] + x[t]\nL = sum(s[T]) + sum(B @ z)"


@needs_numba
def test_a_term_without_a_loop_is_computed_by_numpy_with_a_warning() -> None:
    d = rd.derive(MATRICES)
    with pytest.warns(UserWarning, match=r"no compiled loop for .*: B @ z.*runs in NumPy"):
        f = d.lambdify(backend="numba")
    assert not isinstance(f, CompiledProgram)
    with pytest.raises(NotCompiled):
        form(d.adjoint, ["L"])


def test_a_function_without_a_loop_is_left_to_numpy(monkeypatch: pytest.MonkeyPatch) -> None:
    """A row that is added to the table may be written for arrays alone."""
    d = rd.derive("s[t] = softsign(a * s[t-1] + x[t])\nL = sum(s[T])")
    form(d.adjoint, ["L"])
    monkeypatch.delitem(SUPPORT, "softsign")
    with pytest.raises(NotCompiled, match=r"no compiled loop for Apply .*: softsign"):
        form(d.adjoint, ["L"])


@needs_numba
def test_complex_arrays_are_left_to_numpy() -> None:
    d = rd.derive(rd.cells.vanilla())
    at = point(d.net, T=2)
    with pytest.raises(rd.InputError, match="are complex128; expected float64 or float32"):
        d.lambdify(backend="numba")(cast(at.params, "complex128"), at.inputs)


def test_the_source_says_what_it_computes() -> None:
    source = rd.derive(rd.cells.lstm()).source(backend="numba")
    assert "    C[t] = f[t] * C[t-1] + i[t] * C_add[t]\n" in source
    assert "# C[t] = f[t] * C[t-1] + i[t] * C_add[t]\n" in source
    assert "Operations in matrix products:" in source
