"""What the rewrites share: who is in which loop, and equations with new right sides."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from rnnderive.language import terms as tm
from rnnderive.language.recurrence import Equation, Recurrence
from rnnderive.language.schedule import reads
from rnnderive.language.terms import Term, t

__all__ = ["free_of", "fresh", "is_linear", "loops", "outer", "rewritten", "summands"]


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


def fresh(net: Recurrence, stem: str, like: Term, taken: set[str]) -> tm.At:
    """A new sequence of the shape of a term."""
    name = net.fresh(stem, taken)
    taken.add(name)
    return tm.At(name, t, *like.shape)


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
