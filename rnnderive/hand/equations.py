"""Reading equations in the language as a derivation: joined to the network, every claimed name matched."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import sympy as sp

from rnnderive.checks.identity import identical
from rnnderive.errors import InputError, LanguageError
from rnnderive.hand.formulas import Formulas
from rnnderive.hand.joined import defined, join, renamed
from rnnderive.hand.matching import STEPS, matched
from rnnderive.hand.problem import Problem
from rnnderive.language import Recurrence
from rnnderive.language.syntax import Text, read
from rnnderive.language.terms import Term

__all__ = ["assembled", "read_equations"]


def assembled(
    problem: Problem,
    text: Text,
    *,
    given: Mapping[str, str] | None = None,
    expected: Mapping[str, Callable[[], Term]] | None = None,
    T: int | None = None,
    sizes: dict[Any, int] | None = None,
    notes: tuple[str, ...] = (),
    written: Mapping[str, str] | None = None,
) -> Formulas:
    """Formulas from unshaped equations: joined to the network, and every claimed name matched.

    Parameters
    ----------
    problem : Problem
    text : Text
        Equations in the network's names.
    given : mapping, optional
        Claimed name → what it is, where that is known: a name of the adjoint, or of the network for
        its gradient.
    expected : mapping, optional
        Claimed name → the term it should equal, for what the adjoint has no name for.
    T, sizes : optional
        What the formulas are for.
    notes, written : optional
        As in :class:`Formulas`.
    """
    _free_boundaries(text, given := dict(given or {}))
    whole = join(problem.net, text)
    own = [defined(line) for line in text.lines]
    restated = [n for n in own if n in problem.net]
    differ = tuple(n for n in restated if not identical(whole[n], problem.net[n], whole, T=T or STEPS))
    equations = tuple(
        problem.net[e.name] if e.name in problem.net and e.name not in differ else e for e in whole.equations
    )
    net = Recurrence(equations, whole.loss, whole.declared)
    unknown = [s for s in net.sizes if s not in problem.net.sizes]
    if unknown and sizes is None:
        name = next(n for n in net.leaves if any(sp.sympify(s).has(*unknown) for s in net.shape(n)))
        raise LanguageError(f"the shape of {name} cannot be told from its equation")
    gradients = {**problem.gradients, **{e.name: e.name for e in problem.derivation.pulled.backward}}
    pairs = {n: gradients[of] for n, of in given.items() if of in gradients}
    expected = {n: e for n, e in (expected or {}).items()}
    claimed = [n for n in own if n not in problem.net and n not in expected]
    match = matched(problem, net, claimed, pairs, T, sizes)
    said = tuple(f"your {n} is not that of the network" for n in differ)
    return Formulas(
        net, match.names, problem.net, {n: e() for n, e in expected.items()}, T, sizes, differ,
        (*notes, *said, *match.notes), dict(written or {}),
    )  # fmt: skip


def _free_boundaries(text: Text, given: dict[str, str]) -> None:
    """Rename dh0 where dh[t+1] is read: the gradient in h0 is no value of dh outside 1..T."""
    timed = {line.left.data[0] for line in text.lines if line.left.op == "at"}
    bare = {line.left.data for line in text.lines if line.left.op == "name"}
    clash = {n: f"{n[:-1]}_0" for n in bare if n.endswith("0") and n[:-1] in timed}
    renamed(text, clash)
    for old, new in clash.items():
        if old in given:
            given[new] = given.pop(old)


def read_equations(text: str | Recurrence, problem: Problem, *, names: Mapping[str, str] | None = None) -> Formulas:
    """Read δ recurrences and gradient sums written in the language.

    Parameters
    ----------
    text : str or Recurrence
        Equations that refer to the network's names.  What else they use they define.  Equations of
        the network may be restated.
    problem : Problem
    names : mapping, optional
        A name of the text → a name of the network that it stands for (``{"W_xh": "W"}``), or, for a
        name that the text defines, what it is: a name of the adjoint, or of the network for its
        gradient (``{"G": "U", "delta": "delta_h"}``).

    Returns
    -------
    Formulas
        Gradients are matched by name (``dW``, ``d_W``, ``grad_W``, ``dLdW``, ``dL_dW``, ``W_grad``),
        intermediate quantities by value in a finite field, by name, or by use.

    Raises
    ------
    LanguageError
        With the place in the text.

    Examples
    --------
    >>> import rnnderive as rd
    >>> net = rd.Recurrence.parse('''
    ...     h[t] = tanh(U @ h[t-1] + W @ x[t])
    ...     L    = squared_error(h[T], target)
    ... ''')
    >>> hand = read_equations('''
    ...     e[t]     = (h[T] - target if t == T else 0)
    ...     delta[t] = (e[t] + U.T @ delta[t+1]) * (1 - h[t]**2)
    ...     dU       = sum(delta[t] @ h[t-1].T, t)
    ...     dW       = sum(delta[t] @ x[t-1].T, t)
    ... ''', Problem(net))
    >>> hand.names["delta"], {n: bool(v) for n, v in hand.verdicts(Problem(net)).items()}
    ('delta_h', {'delta': True, 'dU': True, 'dW': False})
    """
    source = str(text)
    raw = read(source)
    aliases, given = sorted_names(problem, raw, names)
    renamed(raw, aliases)
    return assembled(problem, raw, given=given)


def sorted_names(problem: Problem, raw: Text, names: Mapping[str, str] | None) -> tuple[dict[str, str], dict[str, str]]:
    """Which of `names` stand for a name of the network, and which say what a claimed name is."""
    own = {defined(line) for line in raw.lines}
    inner = {e.name for e in problem.derivation.pulled.backward}
    known = {*problem.net.leaves, *problem.net.initial_states}
    aliases, given = {}, {}
    for name, target in (names or {}).items():
        if target not in known and target not in inner:
            near = ", ".join([*problem.net.leaves, *sorted(inner)])
            raise InputError(f"names says that {name} is {target!r}, neither in the network nor in its adjoint; "
                             f"there are {near}")  # fmt: skip
        if name in own and (target in inner or target in problem.gradients):
            given[name] = target
        else:
            aliases[name] = target
    for name, target in aliases.items():  # dW_xh is dW, where W_xh is W
        for form in ("d{}", "d_{}", "grad_{}", "dL_d{}", "dLd{}"):
            if form.format(name) in own:
                given.setdefault(form.format(name), target)
    return aliases, given
