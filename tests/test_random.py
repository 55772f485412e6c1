"""Random recurrences: the whole mechanism on systems nobody wrote by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, assume, given, settings
from hypothesis import strategies as st

from rnnderive import derive
from rnnderive.language import Recurrence, terms
from rnnderive.language.algebra import Floats
from rnnderive.language.meaning import Run
from tests.strategies import recurrences, sizes_of

# A fixed seed: the same systems on every machine, so that a failure here is a failure there.
FIXED = settings(
    max_examples=60,
    deadline=None,
    derandomize=True,
    phases=(Phase.generate,),
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)


def point(net: Recurrence, T: int, batch: int | None, seed: int) -> tuple[dict[str, Any], dict[str, Any]]:
    """Random arrays; initial states differ between the members of a batch."""
    rng = np.random.default_rng(seed)
    sizes = sizes_of(net)
    lead = () if batch is None else (batch,)
    params: dict[str, Any] = {}
    inputs: dict[str, Any] = {}
    for name in [*net.parameters, *net.inputs, *net.initial_states]:
        rows, columns = (int(s.subs(sizes)) for s in net.shape(name))
        shape = (rows,) if columns == 1 else (rows, columns)
        if name in net.parameters:
            params[name] = rng.normal(size=shape) / 2
        elif isinstance(net.leaves.get(name), terms.At):
            inputs[name] = rng.normal(size=(T, *lead, *shape)) / 2
        else:
            inputs[name] = rng.normal(size=(*lead, *shape)) / 2
    return params, inputs


def directional(net: Recurrence, params: dict[str, Any], inputs: dict[str, Any], direction: dict[str, Any]) -> float:
    """The derivative of the loss along a direction, by the complex step on the forward program."""
    d = derive(net)
    h = 1e-30
    moved = [
        {n: a + 1j * h * direction[n] if n in direction else a.astype(complex) for n, a in table.items()}
        for table in (params, inputs)
    ]
    return float(d.value(*moved)[net.loss or "L"].sum().imag / h)


@FIXED
@given(recurrences(), st.sampled_from([1, 2, 5]), st.sampled_from([None, 1, 3]), st.integers(0, 1000))
def test_adjoint_agrees_with_complex_step(net: Recurrence, T: int, batch: int | None, seed: int) -> None:
    params, inputs = point(net, T, batch, seed)
    wrt = (*net.parameters, *net.initial_states, *net.inputs)
    _, grads = derive(net, wrt).lambdify()(params, inputs)
    rng = np.random.default_rng(seed)
    given_ = {**params, **inputs}
    for name in wrt:
        direction = {name: rng.normal(size=given_[name].shape)}
        exact = directional(net, params, inputs, direction)
        ours = float((grads[name] * direction[name]).sum())
        scale = float(np.abs(grads[name]).max() * np.abs(direction[name]).sum()) + 1e-12
        assert abs(exact - ours) <= 1e-11 * scale, (name, exact, ours, str(net))


@FIXED
@given(recurrences(), st.sampled_from([1, 2, 4]), st.integers(0, 1000))
def test_program_agrees_with_the_reference_interpreter(net: Recurrence, T: int, seed: int) -> None:
    params, inputs = point(net, T, None, seed)
    d = derive(net, (*net.parameters, *net.initial_states, *net.inputs))
    program = d.forward(params, inputs)
    column = {n: a[..., None] if net.shape(n)[1] == 1 else a for n, a in {**params, **inputs}.items()}
    run = Run(net, Floats({**sizes_of(net), terms.T: T, terms.BATCH: 1}), column, T)
    for e in net.equations:
        ours, reference = program[e.name], np.array(run[e.name])
        np.testing.assert_allclose(ours.reshape(reference.shape), reference, rtol=1e-11, atol=1e-12, err_msg=str(net))


@FIXED
@given(recurrences(max_sequences=2, depth=2), st.integers(0, 1000))
def test_chain_agrees_with_adjoint(net: Recurrence, seed: int) -> None:
    T = 3
    params, inputs = point(net, T, None, seed)
    d = derive(net, (*net.parameters, *net.initial_states))
    _, grads = d.lambdify()(params, inputs)
    for name in d.wrt[:4]:
        explicit = d.explicit(name, T, form="nested")(params, inputs)
        np.testing.assert_allclose(explicit, grads[name], rtol=1e-9, atol=1e-10, err_msg=f"{name} of\n{net}")


@FIXED
@given(recurrences(depth=2), st.integers(0, 1000))
def test_derivatives_print_and_parse_back(net: Recurrence, seed: int) -> None:
    # Where only a stack fixes two sizes, no text can tell which of them is which.
    named = {f"n_{n}" for n, leaf in net.leaves.items() if isinstance(leaf, terms.At)} | {"n_target"}
    assume({str(s) for s in net.sizes} <= named)
    d = derive(net, (*net.parameters, *net.initial_states))
    for derived in (d.adjoint, d.tangent):
        again = Recurrence.parse(str(derived), loss=derived.loss)
        assert again == derived


@pytest.mark.parametrize("batch", [None, 3])
def test_truncation_after_T_steps_is_no_truncation(batch: int | None) -> None:
    net = Recurrence.parse("h[t] = tanh(W @ x[t] + U @ h[t-1] + b)\nL = sum(squared_error(h[t], target[t]), t)")
    params, inputs = point(net, 4, batch, 0)
    whole = derive(net).lambdify()(params, inputs)[1]
    cut = derive(net, truncate=5).lambdify()(params, inputs)[1]  # one more: h0 stands before the first step
    for name, g in whole.items():
        np.testing.assert_allclose(cut[name], g, rtol=1e-12, atol=1e-14)
