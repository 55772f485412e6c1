"""What the rewrites share: who is in which loop, and equations with new right sides."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from rnnderive.language import terms as tm
from rnnderive.language.recurrence import Equation, Recurrence
from rnnderive.language.schedule import reads
from rnnderive.language.terms import Term, t

__all__ = ["Definitions", "free_of", "is_linear", "loops", "outer", "rewritten", "summands"]


def loops(net: Recurrence) -> dict[str, frozenset[str]]:
    """Sequence → the names of its loop, for all that are in one."""
    return {n: frozenset(s.names) for s in net.schedule if s.direction != "all" for n in s.names}


def rewritten(
    net: Recurrence, change: Mapping[str, Term], extra: Iterable[Equation] = (), without: Iterable[str] = ()
) -> Recurrence:
    """The system with other right sides, with more equations, and without some."""
    dropped = set(without)
    kept = [Equation(e.left, change.get(e.name, e.right)) for e in net.equations if e.name not in dropped]
    return Recurrence((*extra, *kept), net.loss, net.declared)


def free_of(term: Term, loop: frozenset[str]) -> bool:
    """Whether a term reads nothing of a loop."""
    return all(r.name not in loop for r in reads(term, True))


def summands(term: Term) -> tuple[Term, ...]:
    """The parts of a sum, or the term itself."""
    return term.args if isinstance(term, tm.Plus) else (term,)


class Definitions:
    """New names for terms, with their equations; one term has one name."""

    def __init__(self, net: Recurrence) -> None:
        self.net = net
        self.names: dict[Term, Term] = {}
        self.equations: list[Equation] = []
        self._taken: set[str] = set()

    def sequence(self, stem: str, term: Term) -> Term:
        """A sequence that is the term at every step."""
        return self.names.get(term) or self._define(tm.At(self._fresh(stem), t, *term.shape), term)

    def constant(self, stem: str, term: Term) -> Term:
        """A timeless name of the term; a parameter has its name already."""
        if isinstance(term, tm.Parameter):
            return term
        return self.names.get(term) or self._define(tm.Parameter(self._fresh(stem), *term.shape), term)

    def _fresh(self, stem: str) -> str:
        name = self.net.fresh(stem, self._taken)
        self._taken.add(name)
        return name

    def _define(self, left: tm.At | tm.Parameter, term: Term) -> Term:
        self.names[term] = left
        self.equations.append(Equation(left, term))
        return left


def is_linear(net: Recurrence, term: Term) -> bool:
    """Whether a term is a shared matrix times a column."""
    return (
        isinstance(term, tm.Product)
        and term.is_column
        and term.args[-1].is_column
        and not term.args[-1].is_scalar
        and all(net.is_shared(a) and not a.is_scalar for a in term.args[:-1])
    )


def outer(term: Term) -> tuple[Term, Term] | None:
    """u and the rest of Σ_t u[t] @ rest."""
    body = term.args[0] if isinstance(term, tm.BatchSum) else term
    if isinstance(body, tm.TimeSum):
        body = body.args[0]
        if isinstance(body, tm.Product) and body.args[0].is_column:
            return body.args[0], tm.product(*body.args[1:])
    return None
