"""A derivation: a recurrence, what it is differentiated in, and every view of the result."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any

import numpy as np
import sympy as sp

from rnnderive import calculus
from rnnderive.calculus import Adjoint, Component, Graph, Step
from rnnderive.cells import recurrence
from rnnderive.errors import InputError
from rnnderive.language import terms as tm
from rnnderive.language.algebra import Floats, numpy_function
from rnnderive.language.functions import FUNCTIONS
from rnnderive.language.meaning import Run
from rnnderive.language.recurrence import Equation, Recurrence
from rnnderive.language.syntax import LOSSES, UNARY
from rnnderive.language.terms import Term, t
from rnnderive.printing import Told
from rnnderive.programs import Program, prepare
from rnnderive.programs.checkpoint import check_snapshots, checkpointed
from rnnderive.programs.compiled import CompiledProgram, check_numba, or_numpy
from rnnderive.programs.threads import check_threads

__all__ = ["Derivation", "derive"]


def derive(
    net: Recurrence | str | os.PathLike[str],
    wrt: Iterable[str] | str | None = None,
    *,
    of: str | None = None,
    truncate: int | None = None,
) -> Derivation:
    """Derive the gradient of a recurrence.

    Parameters
    ----------
    net : Recurrence, str or path
        The network, its equations, or the name or file of a cell.
    wrt : names, optional
        Parameters, initial states (``h0``) and inputs; by default all parameters and all initial
        states.
    of : str, optional
        The timeless scalar to differentiate; the loss by default.
    truncate : int, optional
        Cut back-propagation through time after so many steps (Williams and Peng 1990): a loss at
        step s reaches the steps s, s−1, …, s−truncate+1 only.

    Returns
    -------
    Derivation

    Examples
    --------
    >>> import rnnderive as rd
    >>> d = rd.derive('''
    ...     h[t] = tanh(W @ x[t] + U @ h[t-1] + b_h)
    ...     L    = squared_error(h[T], target)
    ... ''')
    >>> d.jacobian("h", "h")
    diag(1 - h[t]**2) @ U
    >>> d.adjoint["dU"]
    Equation(left=dU, right=sum(delta_h[t] @ h[t-1].T, t, batch))
    """
    net = recurrence(net)
    if wrt is not None and not isinstance(wrt, Iterable):
        raise InputError(f"wrt is {wrt!r}; expected names such as 'W' or ('W', 'h0')")
    loss = of or net.loss
    if loss is None:
        raise InputError(
            "this recurrence has no loss to differentiate; add a line such as L = squared_error(h[T], target), "
            "or use rnnderive.cells.loss(net)"
        )
    if loss not in net or net[loss].timed or not net[loss].left.is_scalar:
        raise InputError(f"{loss} is not a timeless scalar of this recurrence; expected its loss")
    net = Recurrence(net.equations, loss, net.declared)
    allowed = [*net.parameters, *net.initial_states, *net.inputs]
    names = (
        (wrt,) if isinstance(wrt, str) else tuple(wrt) if wrt is not None else (*net.parameters, *net.initial_states)
    )
    if not names:
        raise InputError("there is nothing to differentiate in: this recurrence has no parameter and no initial state")
    for name in names:
        if name not in allowed:
            raise InputError(f"cannot differentiate in {name!r}; there are {', '.join(allowed)}")
    if truncate is not None and (isinstance(truncate, bool) or not isinstance(truncate, int) or truncate < 1):
        raise InputError(f"truncate is {truncate!r}; expected a number of steps from 1")
    return Derivation(net, names, truncate)


@dataclass(frozen=True)
class Derivation(Told):
    """The gradient of a recurrence, in every form.

    Made by :func:`derive`.

    Attributes
    ----------
    net : Recurrence
    wrt : tuple of str
        What the gradient is taken in.
    truncate : int or None
        After how many steps back-propagation is cut.
    """

    net: Recurrence
    wrt: tuple[str, ...]
    truncate: int | None = None

    # ------------------------------------------------------------ expressions

    def jacobian(self, v: str, u: str, lag: int | None = None) -> Term:
        """The local Jacobian ∂v^t/∂u^{t-lag}, in numerator layout.

        Everything inside step t is eliminated; other steps are held fixed.

        Parameters
        ----------
        v, u : str
            A sequence, and a sequence or parameter.
        lag : int, optional
            By default 1 where `v` depends on `u` one step earlier, else −1 or 0.

        Returns
        -------
        Term
            Of shape (size of v) × (size of u); a matrix parameter counts as vec(u).

        Examples
        --------
        >>> import rnnderive as rd
        >>> rd.derive(rd.cells.vanilla()).jacobian("h", "h")
        diag(1 - h[t]**2) @ U
        """
        if lag is not None:
            return calculus.jacobian(self.net, v, u, lag)
        found = calculus.jacobian(self.net, v, u, 1)
        for other in (-1, 0):
            if not found.is_null:
                break
            if other or v != u:
                found = calculus.jacobian(self.net, v, u, other)
        return found

    def chain(self, wrt: str, T: Any = tm.T, *, of: str | None = None, form: str = "sum") -> Term:
        """The derivative as a sum of products of Jacobians.

        The factors print as the lecture's partial derivatives; ``.doit()`` writes each out as a
        matrix expression.

        Parameters
        ----------
        wrt : str
            A parameter, an initial state (``h0``), or a sequence at a step (``x[2]``, ``x[k]``).
        T : int or symbol, optional
            Number of steps; ``rnnderive.T`` gives Σ and ∏ for any T.
        of : str, optional
            What is differentiated: the loss, or a sequence at a step (``h[T]``).
        form : {"sum", "nested"}
            Every path written out, T(T+1)/2 factors for one loop; or common factors kept outside,
            linear in T.

        Returns
        -------
        Term
            In numerator layout: one row for each entry of what is differentiated, one column for
            each entry of vec(wrt).
        """
        graph = self._whole_graph(wrt, T, of)
        if form not in ("sum", "nested"):
            raise InputError(f"form is {form!r}; expected 'sum' or 'nested'")
        if not graph.T.is_Integer:
            return graph.symbolic()
        return graph.products() if form == "sum" else graph.nested()

    def steps(self, wrt: str, T: Any = tm.T, *, of: str | None = None) -> tuple[Step, ...]:
        """The derivation line by line, each with its rule; see :func:`rnnderive.checks.check_steps`."""
        return calculus.steps(self._whole_graph(wrt, T, of))

    def _whole_graph(self, wrt: str, T: Any = tm.T, of: str | None = None) -> Graph:
        """The graph, where the gradient is not truncated."""
        if self.truncate is not None:
            raise InputError("chains and steps are those of the whole gradient; derive without truncate to see them")
        return self.graph(wrt, T, of)

    def graph(self, wrt: str, T: Any = tm.T, of: str | None = None) -> Graph:
        """The graph of states behind a chain."""
        steps = sp.sympify(T)
        if steps.is_Integer and steps < 1:
            raise InputError(f"T is {T}; expected a number of steps from 1, or rnnderive.T")
        if not steps.is_Integer and steps != tm.T:
            raise InputError(f"T is {T!r}; expected an integer or rnnderive.T")
        source = calculus.target(self.net, of) if of else self.net.leaf(self.net.loss or "")
        if isinstance(source, tm.At) and source.index.free_symbols - {tm.T}:
            raise InputError(f"of is {of!r}; expected a fixed step, such as {source.name}[T] or {source.name}[2]")
        under = calculus.target(self.net, wrt)
        if isinstance(under, tm.Parameter) and under.name in self.net:
            raise InputError(f"{wrt} is computed; expected a parameter, an initial state, or a sequence at a step")
        if isinstance(under, tm.At) and "[" not in wrt and steps.is_Integer:
            raise InputError(f"{wrt} is a sequence; give a step, as in {wrt}[1]")
        if steps.is_Integer:
            source, under = (_at_step(leaf, int(steps)) for leaf in (source, under))
        return Graph(self.net, under, source, steps)

    @cached_property
    def pulled(self) -> Adjoint:
        """The adjoint with the names of the gradients."""
        whole = calculus.adjoint(self.net, self.wrt)
        return whole if self.truncate is None else calculus.truncated(whole, self.truncate)

    @property
    def adjoint(self) -> Recurrence:
        """The network together with its BPTT recurrence."""
        return self.pulled.net

    @cached_property
    def tangent(self) -> Recurrence:
        """The network together with its tangent; its loss is the tangent of the loss."""
        return calculus.tangent(self.net, self.wrt)[0]

    def components(self, wrt: str) -> tuple[Component, ...]:
        """The gradient of `wrt` and the recurrences behind it, in index notation."""
        if wrt not in self.pulled.gradients:
            raise InputError(f"{wrt!r} is not differentiated in; there are {', '.join(self.pulled.gradients)}")
        return calculus.components(self.pulled, self.pulled.gradients[wrt])

    # ------------------------------------------------------------ programs

    def lambdify(
        self,
        wrt: Iterable[str] | str | None = None,
        *,
        backend: str = "numpy",
        threads: int = 1,
        memory: str = "all",
        snapshots: int | str = "sqrt",
        reuse: bool | None = None,
    ) -> Program:
        """The gradient as a function ``(params, inputs) -> (loss, grads)``.

        Parameters
        ----------
        wrt : names, optional
            By default what was derived; inputs may be added.
        backend : {"numpy", "numba"}
            NumPy calls, or loops that Numba compiles at the first call and keeps on disk (``pip install
            "rnnderive[numba]"``): several times faster for one sequence, in float64 and float32.
        threads : int
            How many threads share a batch, with BLAS at one thread in each.  Gradients of the parts are added
            in one order: the same bits for the same number.
        memory : {"all", "checkpoint"}
            Keep every step for the way back, or a few states from which the others are computed again.
        snapshots : "sqrt" or int
            With ``memory="checkpoint"``: about √T states, √T steps apart, so that each step is computed twice; or
            how many, each step by itself in the order that computes the fewest again (Griewank and Walther 2000).
        reuse : bool, optional
            Keep the memory of one call for the next: a fifth of the time of a batch goes into fresh memory.  By
            default where a call needs between 1 MiB and 256 MiB; segments between checkpoints always do.  Results
            have memory of their own all the same, and so have several calls at once.

        Returns
        -------
        Program
            Of dicts of arrays: a sequence is (T, d) or (T, B, d), a parameter (n,) or (n, m), an
            initial state (n,) or (B, n).  float32 and float64 are kept.

        Examples
        --------
        >>> import numpy as np, rnnderive as rd
        >>> f = rd.derive("s[t] = a * s[t-1] + x[t]\\nL = sum(s[T])").lambdify()
        >>> loss, grads = f({"a": np.array([0.5])}, {"x": np.ones((3, 1))})
        >>> float(loss), grads["a"]
        (1.75, array([2.]))
        """
        if wrt is not None:
            names = (wrt,) if isinstance(wrt, str) else tuple(wrt)
            return derive(self.net, names, truncate=self.truncate).lambdify(
                backend=backend, threads=threads, memory=memory, snapshots=snapshots, reuse=reuse
            )
        check_threads(self.net, threads)
        _check_backend(backend)
        if backend == "numba":
            check_numba()
        if memory not in ("all", "checkpoint"):
            raise InputError(f"memory is {memory!r}; expected 'all' or 'checkpoint'")
        check_snapshots(snapshots)
        if snapshots != "sqrt" and memory != "checkpoint":
            raise InputError(f"snapshots is {snapshots!r}, but every step is kept; expected memory='checkpoint'")
        if not (reuse is None or isinstance(reuse, bool)):
            raise InputError(f"reuse is {reuse!r}; expected True, False, or None to decide by how much a call needs")
        key = (backend, threads, memory, snapshots, reuse)
        if key not in self._programs:
            self._programs[key] = self._gradient(*key)
        return self._programs[key]

    @cached_property
    def _programs(self) -> dict[Any, Program]:
        return {}

    def _gradient(
        self,
        backend: str,
        threads: int = 1,
        memory: str = "all",
        snapshots: int | str = "sqrt",
        reuse: bool | None = None,
    ) -> Program:
        def masked() -> tuple[Program, str]:
            whole = calculus.masked(self.net)
            d = derive(whole.net, self.wrt, truncate=self.truncate)
            program = d.lambdify(backend=backend, threads=threads, memory=memory, snapshots=snapshots, reuse=reuse)
            return program, whole.mask

        def compiled(*net: Any, **options: Any) -> Program:
            return or_numpy(CompiledProgram(*net, **options), lambda: Program(*net, **options))

        make = Program if backend == "numpy" else compiled
        if memory == "checkpoint":
            if self.truncate is not None:
                raise InputError("a truncated gradient keeps few steps by itself; expected memory='all'")
            return checkpointed(self.net, self.wrt, snapshots, make=make, threads=threads, masked=masked)
        return make(
            self.adjoint, self.net, self.pulled.gradients, function="value_and_grad", with_loss=True, restored=True,
            threads=threads, reuse=reuse, masked=masked,
            note="The loss of a recurrent network and its gradient (back-propagation through time).",
        )  # fmt: skip

    def source(self, *, backend: str = "numpy") -> str:
        """The gradient's program as a readable module on its own.

        Parameters
        ----------
        backend : {"numpy", "numba"}
            It needs NumPy alone; or Numba and SciPy as well, to compile its loops.
        """
        _check_backend(backend)
        return (self.lambdify() if backend == "numpy" else self._gradient(backend)).source

    @cached_property
    def forward(self) -> Program:
        """All quantities of the network by name, from ``(params, inputs)``."""
        names = {e.name: e.name for e in self.net.equations}
        return Program(self.net, self.net, names, function="forward", note="A recurrent network, forward.")

    @cached_property
    def value(self) -> Program:
        """The loss alone: ``value(params, inputs)["L"]``, one entry for each member of a batch."""
        loss = self.net.loss or ""
        return Program(self.net, self.net, {loss: loss}, function="value", note="The loss of a recurrent network.")

    def jacobians(self, v: str, u: str, lag: int | None = None) -> Program:
        """The local Jacobians along a run: ``(params, inputs) -> (T, …, size of v, size of u)``.

        At the first steps (for a lag) the Jacobian is that in the initial state.
        """
        j = self.jacobian(v, u, lag)
        name = self.net.fresh("J")
        left = tm.At(name, t, *j.shape)
        net = self.net.with_equations(Equation(left, j))
        return Program(
            net, self.net, {"J": name}, function="jacobians", note=f"The Jacobians of {v} in {u} along a run."
        )

    def contributions(self, wrt: str) -> Program:
        """What each step adds to the gradient of a parameter: ``(params, inputs) -> (T, …, shape)``."""
        if wrt not in self.net.parameters:
            raise InputError(f"{wrt!r} is not a parameter; there are {', '.join(self.net.parameters)}")
        whole = derive(self.net, (wrt,), truncate=self.truncate).pulled
        gradient = whole.net[whole.gradients[wrt]]
        body = tm.plus(
            *(p for p in map(_per_step, _parts(gradient.right)) if p is not None),
            tm.Zeros(*gradient.right.shape),
        )
        name = whole.net.fresh("step")
        net = whole.net.with_equations(Equation(tm.At(name, t, *body.shape), body))
        return Program(
            net, self.net, {wrt: name}, function="contributions", note=f"The gradient of {wrt}, step by step."
        )

    def explicit(self, wrt: str, T: int, *, form: str = "sum") -> Callable[[Mapping[str, Any], Mapping[str, Any]], Any]:
        """The sum of products lambdified as it stands, through :func:`sympy.lambdify`.

        Returns
        -------
        callable
            ``(params, inputs) -> gradient`` for one sequence of `T` steps, in the shape of `wrt`
            for a parameter or an initial state, else (size,).
        """
        graph = self._whole_graph(wrt, T)
        chain = graph.products() if form == "sum" else graph.nested()
        expression = tm.at_horizon(chain.doit(), T)
        sizes = self.net.sizes
        function, leaves = _lambdified(expression, sizes)
        shape = graph.wrt.shape

        def gradient(params: Mapping[str, Any], inputs: Mapping[str, Any]) -> Any:
            arrays = prepare(self.net, params, inputs)
            if arrays.batch is not None or arrays.T != T:
                raise InputError(f"this chain is for one sequence of {T} steps, without a batch axis")
            run = reference_run(self.net, arrays)
            values = [run.term(leaf, None) for leaf in leaves]
            row = function(*values, *(arrays.sizes[s] for s in sizes))
            rows, columns = (int(sp.sympify(s).subs(arrays.sizes)) for s in shape)
            out = np.asarray(row, dtype=arrays.dtype).reshape(columns, rows).T
            return out[:, 0] if columns == 1 else out

        return gradient

    def terms(self, wrt: str, T: int, params: Mapping[str, Any], inputs: Mapping[str, Any]) -> list[tuple[Term, Any]]:
        """The summands of the chain, each with its value in the shape of `wrt`.

        The values add up to the gradient.
        """
        graph = self._whole_graph(wrt, T)
        chain = graph.products()
        arrays = prepare(self.net, params, inputs)
        if arrays.batch is not None or arrays.T != T:
            raise InputError(f"this chain is for one sequence of {T} steps, without a batch axis")
        run = reference_run(self.net, arrays)
        rows, columns = (int(sp.sympify(s).subs(run.algebra.sizes)) for s in graph.wrt.shape)
        out = []
        for term in _parts(chain):
            value = run.term(term, None).reshape(columns, rows).T
            out.append((term, value[:, 0] if columns == 1 else value))
        return out

    def _repr_latex_(self) -> str:
        return self.adjoint._repr_latex_()

    def __str__(self) -> str:
        return str(self.adjoint)


def _check_backend(backend: str) -> None:
    if backend not in ("numpy", "numba"):
        raise InputError(f"backend is {backend!r}; expected 'numpy' or 'numba'")


def _at_step(leaf: Term, T: int) -> Term:
    """A sequence at a step that is there, for T steps."""
    if not isinstance(leaf, tm.At):
        return leaf
    index = leaf.index.subs(tm.T, T)
    if not index.is_Integer or not 1 <= index <= T:
        raise InputError(f"{leaf} is not a step of 1..{T}; give a step, as in {leaf.name}[1]")
    return tm.At(leaf.name, index, *leaf.shape)


def _parts(term: Term) -> tuple[Term, ...]:
    return term.args if isinstance(term, tm.Plus) else (term,)


def _per_step(part: Term) -> Term | None:
    """The body of a sum over t; what has no sum belongs to the last step."""
    inner = part.args[0] if isinstance(part, tm.BatchSum) else part
    if isinstance(inner, tm.TimeSum):
        return inner.args[0]
    return None if inner.is_null else tm.where("==", tm.T, inner)


def reference_run(net: Recurrence, arrays: Any, dtype: Any = None) -> Run:
    """The reference interpreter on checked arrays of one sequence."""
    values: dict[str, Any] = {}
    for name, array in {**arrays.params, **arrays.inputs}.items():
        if name == "T":
            continue
        column = net.shape(name)[1] == 1
        if isinstance(net.leaves.get(name), tm.At):
            values[name] = [a[:, None] if column else a for a in array]
        else:
            values[name] = array[:, None] if column else array
    sizes = {
        **{s: n for s, n in arrays.sizes.items()},
        tm.T: arrays.T,
        tm.BATCH: 1,
    }
    return Run(net, Floats(sizes, dtype or arrays.dtype), values, arrays.T)


@lru_cache(maxsize=64)
def _lambdified(expression: Term, sizes: tuple[Any, ...]) -> tuple[Callable[..., Any], tuple[Term, ...]]:
    """A NumPy function of the expression's leaves and sizes, made by SymPy; and the leaves."""
    leaves = tuple(dict.fromkeys(n for n in tm.members(expression) if isinstance(n, tm.At | tm.Parameter)))
    names = [sp.Symbol(leaf.code()) for leaf in leaves]
    functions = {f"elementwise_{name}": numpy_function(name) for name in FUNCTIONS}
    space = {**functions, **_operators(), "np": np}
    return sp.lambdify([*names, *sizes], expression, modules=[space, "numpy"]), leaves


@lru_cache(maxsize=1)
def _operators() -> dict[str, Any]:
    """The named operators on two-dimensional arrays, by their meaning in the language."""
    algebra = Floats({})

    def plain(kind: Any) -> Any:
        blank = sp.Basic.__new__(kind)
        return lambda *values: kind.value(blank, algebra, *values)

    return {name: plain(kind) for name, kind in {**UNARY, **LOSSES}.items()}
