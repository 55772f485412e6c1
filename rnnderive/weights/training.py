"""Training with gradients that were derived here: Adam, gradient descent, clipping by the norm.

An example of what a derivation is good for, not a framework.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np

from rnnderive.derivation import Derivation, derive
from rnnderive.errors import InputError, RnnDeriveError
from rnnderive.language import Recurrence
from rnnderive.programs import prepare

__all__ = ["Optimiser", "Trained", "TrainingError", "adam", "sgd", "train"]

Params = Mapping[str, Any]


class TrainingError(RnnDeriveError, ArithmeticError):
    """A training that has left the numbers.

    Attributes
    ----------
    step : int
        At which step, from 0.
    trained : Trained
        The last parameters that gave a finite loss and gradient, and what there was until then.
    """

    def __init__(self, message: str, step: int, trained: Trained) -> None:
        super().__init__(message)
        self.step, self.trained = step, trained


@dataclass(frozen=True)
class Optimiser:
    """How gradients become changes of parameters: two pure functions.

    Attributes
    ----------
    start : callable
        Parameters → state.
    update : callable
        Gradients, state and the number of the step from 1 → changes to add, and the next state.
    """

    start: Callable[[Params], Any]
    update: Callable[[Params, Any, int], tuple[dict[str, Any], Any]]


@dataclass(frozen=True, eq=False)
class Trained:
    """What training gave.

    Attributes
    ----------
    params : dict
        Name → array, after the last step.
    losses : array (steps,)
        The loss of each batch, before its step.
    norms : array (steps,)
        The norm of the whole gradient, before clipping.
    """

    params: dict[str, Any]
    losses: np.ndarray
    norms: np.ndarray

    def __repr__(self) -> str:
        steps = len(self.losses)
        return f"<Trained: {steps} steps{f', loss {self.losses[0]:.4g} → {self.losses[-1]:.4g}' if steps else ''}>"


def adam(rate: float = 1e-3, beta1: float = 0.9, beta2: float = 0.999, epsilon: float = 1e-8) -> Optimiser:
    """Adam (Kingma and Ba 2015, algorithm 1).

    Parameters
    ----------
    rate, beta1, beta2, epsilon : float
        Step size α; decay of the first and of the second moment; what is added to the root.

    Examples
    --------
    The first step is `rate` in every entry, whatever the size of the gradient:

    >>> optimiser = adam(0.1)
    >>> g = {"a": np.array([1e3, -1e-3])}
    >>> optimiser.update(g, optimiser.start(g), 1)[0]["a"].round(5)
    array([-0.1,  0.1])
    """
    _check(rate=rate, epsilon=epsilon)
    for name, beta in (("beta1", beta1), ("beta2", beta2)):
        if not 0 <= beta < 1:
            raise InputError(f"{name} is {beta!r}; expected a number from 0 and below 1")

    def start(params: Params) -> Any:
        return {n: (np.zeros_like(p), np.zeros_like(p)) for n, p in params.items()}

    def update(grads: Params, state: Any, step: int) -> tuple[dict[str, Any], Any]:
        changes, moments = {}, {}
        for n, g in grads.items():
            m, v = state[n]
            m, v = beta1 * m + (1 - beta1) * g, beta2 * v + (1 - beta2) * g * g
            unbiased = m / (1 - beta1**step), v / (1 - beta2**step)
            changes[n] = -rate * unbiased[0] / (np.sqrt(unbiased[1]) + epsilon)
            moments[n] = m, v
        return changes, moments

    return Optimiser(start, update)


def sgd(rate: float = 0.01, momentum: float = 0.0) -> Optimiser:
    """Gradient descent with momentum (Polyak 1964): v ← momentum · v − rate · g, and v is added.

    Examples
    --------
    >>> optimiser = sgd(0.1)
    >>> g = {"a": np.array([2.0])}
    >>> optimiser.update(g, optimiser.start(g), 1)[0]
    {'a': array([-0.2])}
    """
    _check(rate=rate)
    if not 0 <= momentum < 1:
        raise InputError(f"momentum is {momentum!r}; expected a number from 0 and below 1")

    def start(params: Params) -> Any:
        return {n: np.zeros_like(p) for n, p in params.items()}

    def update(grads: Params, state: Any, step: int) -> tuple[dict[str, Any], Any]:
        velocity = {n: momentum * state[n] - rate * g for n, g in grads.items()}
        return velocity, velocity

    return Optimiser(start, update)


def train(
    net: Recurrence | Derivation | str,
    params: Params,
    batches: Iterable[Mapping[str, Any]],
    *,
    steps: int,
    optimiser: Optimiser | None = None,
    clip: float | None = None,
    progress: bool | None = None,
) -> Trained:
    """Minimise the loss of a recurrence by its own derived gradient.

    Parameters
    ----------
    net : Recurrence, Derivation or str
        With a loss.  The loss of a batch is the sum over its members unless the equations say
        ``mean(…, batch)``.
    params : mapping
        Where to start: an array for every parameter; with an initial state (``h0``) among them, that is learnt too.
        They are not changed.  See :func:`rnnderive.weights.initialise`.
    batches : iterable of mappings
        The inputs of each step, such as ``task.batches(50)`` of :mod:`rnnderive.weights.tasks`.
    steps : int
    optimiser : Optimiser, optional
        :func:`adam` with its defaults unless given.
    clip : float, optional
        Scale a gradient whose norm over all parameters is larger down to this norm (Pascanu,
        Mikolov and Bengio 2013, algorithm 1).
    progress : bool, optional
        Whether to show a bar; by default when the standard error is a terminal.

    Returns
    -------
    Trained

    Raises
    ------
    InputError
        For arrays that do not fit, and when there are fewer batches than steps.
    TrainingError
        When the loss or the gradient is no longer finite: at which step, and what it was like before.

    Examples
    --------
    >>> import itertools
    >>> net = "y[t] = a * x[t]\\nL = squared_error(y[T], target)"
    >>> batch = {"x": np.array([[2.0]]), "target": np.array([6.0])}
    >>> trained = train(net, {"a": np.array([0.0])}, itertools.repeat(batch), steps=50, optimiser=sgd(0.1))
    >>> trained.params["a"].round(6)
    array([3.])
    """
    _check(**({} if clip is None else {"clip": clip}))
    if isinstance(steps, bool) or not isinstance(steps, int) or steps < 0:
        raise InputError(f"steps is {steps!r}; expected a number of steps from 0")
    d = net if isinstance(net, Derivation) else derive(net, tuple(params))
    value_and_grad, optimiser = _Gradient(d), optimiser or adam()
    here = {n: np.array(p, dtype=np.result_type(p, np.float32)) for n, p in params.items()}
    state = optimiser.start({n: here[n] for n in d.wrt})
    losses, norms = np.zeros(steps), np.zeros(steps)
    given = iter(batches)
    before = here
    with _shown(steps, progress) as advance, np.errstate(over="ignore", invalid="ignore"):
        for k in range(steps):
            inputs = next(given, None)
            if inputs is None:
                raise InputError(f"the batches ran out after {k} of {steps} steps; give as many batches as steps")
            loss, grads = value_and_grad(here, inputs)
            losses[k], norms[k] = loss, (norm := global_norm(grads))
            if not np.isfinite([losses[k], norms[k]]).all():
                d.lambdify()(here, inputs)  # names an input that is not finite itself
                raise _left(k, losses, norms, before, clip)
            if clip is not None and norm > clip:
                grads = {n: g * (float(clip) / norm) for n, g in grads.items()}
            changes, state = optimiser.update(grads, state, k + 1)
            before, here = here, {**here, **{n: here[n] + c for n, c in changes.items()}}
            if not all(np.isfinite(p).all() for p in here.values()):
                raise _left(k, losses, norms, before, clip)
            advance(float(loss))
    return Trained(here, losses, norms)


class _Gradient:
    """The derived gradient, with arrays checked only when they are of other shapes than the last ones.

    The check costs ten times what a small gradient does.
    """

    def __init__(self, d: Derivation) -> None:
        self.net, self.program = d.net, d.lambdify()
        self.kinds: Any = None

    def __call__(self, params: Params, inputs: Mapping[str, Any]) -> tuple[Any, dict[str, Any]]:
        kinds = {n: (a.shape, a.dtype) for n, a in inputs.items() if isinstance(a, np.ndarray)}
        if len(kinds) < len(inputs) or kinds != self.kinds:
            self.arrays = prepare(self.net, params, inputs)
            ready = {**self.arrays.params, **self.arrays.inputs}
            as_given = all(
                ready[n].shape == np.shape(a) and ready[n].dtype == getattr(a, "dtype", None)
                for n, a in (*params.items(), *inputs.items())
            )
            self.kinds = kinds if as_given else None
            return self.program.run(self.arrays)
        own = {n: a for n, a in params.items() if n in self.arrays.params}
        rest = {n: params.get(n, inputs.get(n, a)) for n, a in self.arrays.inputs.items()}
        return self.program.run(self.arrays._replace(params=own, inputs=rest))


def global_norm(grads: Params) -> float:
    """The Euclidean norm of all gradients as one vector, without overflow of the squares.

    Examples
    --------
    >>> global_norm({"a": np.array([3.0]), "b": np.array([[4.0]])})
    5.0
    >>> print(f"{global_norm({'a': np.array([3e200, 4e200])}):.3g}")
    5e+200
    """
    largest = max((float(np.abs(g).max(initial=0)) for g in grads.values()), default=0.0)
    if not 0 < largest < np.inf:
        return largest
    return largest * float(
        np.sqrt(sum(float(np.sum((np.asarray(g, dtype=float) / largest) ** 2)) for g in grads.values()))
    )


def _left(step: int, losses: np.ndarray, norms: np.ndarray, before: Params, clip: float | None) -> TrainingError:
    """The error of a training that has left the numbers."""
    finite = np.isfinite([losses[step], norms[step]])
    what = "loss" if not finite[0] else "gradient" if not finite[1] else "parameters"
    found = {"loss": f"is {losses[step]}", "gradient": f"has the norm {norms[step]}"}.get(what, "are no longer finite")
    past = f"; the step before, the loss was {losses[step - 1]:.4g} and the gradient's norm {norms[step - 1]:.4g}"
    advice = "lower the rate" if clip is not None else "lower the rate, or clip the gradient (clip=1.0)"
    message = f"at step {step} the {what} {found}{past if step else ''}; {advice}"
    return TrainingError(message, step, Trained(dict(before), losses[:step].copy(), norms[:step].copy()))


def _check(**numbers: float) -> None:
    for name, value in numbers.items():
        if not 0 < value < np.inf:
            raise InputError(f"{name} is {value!r}; expected a positive number")


@contextmanager
def _shown(steps: int, progress: bool | None) -> Iterator[Callable[[float], None]]:
    """A bar with the loss on the standard error, if wanted."""
    if not (sys.stderr.isatty() if progress is None else progress):
        yield lambda loss: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("train"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, TextColumn("{task.description}"), console=Console(stderr=True)) as bar:
        task = bar.add_task("", total=steps)
        yield lambda loss: bar.update(task, advance=1, description=f"loss {loss:.4g}")
