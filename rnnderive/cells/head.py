"""Heads: the output layer and the loss that a core is given."""

from __future__ import annotations

from collections.abc import Iterable

from rnnderive.cells.anatomy import Anatomy, assemble, rewritten, sinks
from rnnderive.cells.plain import activated
from rnnderive.errors import InputError
from rnnderive.language import Recurrence
from rnnderive.language import terms as tm
from rnnderive.language.syntax import LOSSES

__all__ = ["loss", "readout"]


def readout(
    cell: Recurrence, activation: str | None = "sigmoid", name: str | None = None, weights: str | None = None
) -> Recurrence:
    """A cell with the output layer ``name[t] = activation(weights @ h[t] + b_name)``.

    If the head has a layer for every t that reads the core's output, the new one takes its
    place; otherwise it is put between the core and what reads it.  What follows (a loss) reads
    the new layer.

    Parameters
    ----------
    cell : Recurrence
        Any recurrence with a loop over t, with or without a head.
    activation : str or None
        A name in :data:`rnnderive.language.FUNCTIONS`, ``softmax`` or ``log_softmax``; None or
        ``identity`` for a linear layer, whose output a loss on logits takes.
    name : str, optional
        What the output is called; unless given, the name of the layer that it replaces, else ``y``.
    weights : str, optional
        What its matrix is called; ``W_`` and the name unless given.

    Raises
    ------
    InputError
        When a name is taken, or several layers read the core.

    Examples
    --------
    >>> from rnnderive.cells import vanilla
    >>> print(readout(vanilla(), "softmax", name="p", weights="V"))
    h[t] = tanh(W @ x[t] + U @ h[t-1] + b_h)
    p[t] = softmax(V @ h[t] + b_p)
    L = squared_error(p[T], target)
    >>> core = Recurrence.parse("s[t] = tanh(W @ x[t] + U @ s[t-1])", loss=None)
    >>> print(readout(core, None))
    s[t] = tanh(W @ x[t] + U @ s[t-1])
    y[t] = W_y @ s[t] + b_y
    """
    parts = Anatomy.of(cell)
    out = parts.output
    readers = [n for n in parts.head if cell[n].timed and any(r.name == out for r in cell.reads(n))]
    readers = [n for n in readers if not _has_loss(cell, n)]
    if len(readers) > 1:
        raise InputError(f"several layers read {out}: {', '.join(readers)}; say in the equations which one to replace")
    old = readers[0] if readers else out
    rest = [n for n in parts.head if n not in readers]
    name = name or (readers[0] if readers else "y")
    weights = f"W_{name}" if weights is None else weights
    _check_free(cell, [*parts.core, *rest], [name, weights, f"b_{name}"], set(readers))
    lines = [str(cell[n]) for n in parts.core]
    lines.append(f"{name}[t] = {activated(activation, f'{weights} @ {out}[t] + b_{name}')}")
    names = {old: name, f"{old}0": f"{name}0"}
    lines += [rewritten(cell, n, names) for n in rest]
    return assemble(lines, cell)


def loss(cell: Recurrence, kind: str = "squared_error", at: str = "last", target: str = "target") -> Recurrence:
    """A cell with another loss on the same prediction.

    Parameters
    ----------
    cell : Recurrence
        A recurrence with or without a loss.  The prediction is what the present loss compares
        with its target; without one, the last thing computed that nothing reads.
    kind : {"squared_error", "cross_entropy", "binary_cross_entropy", "log_loss"}
        The two in the middle take logits: see :func:`readout` with ``activation=None``.
    at : {"last", "every"}
        The last step alone, or the sum over all steps.
    target : str
        What the target is called: an array of one step, or with ``"every"`` a sequence.

    Raises
    ------
    InputError
        For an unknown kind or place, when a name is taken, or when it is not clear what the
        prediction is.

    Examples
    --------
    >>> from rnnderive.cells import vanilla
    >>> print(loss(readout(vanilla(), None), "cross_entropy", at="every", target="word"))
    h[t] = tanh(W @ x[t] + U @ h[t-1] + b_h)
    y[t] = W_y @ h[t] + b_y
    L = sum(cross_entropy(y[t], word[t]), t)
    """
    if kind not in LOSSES:
        raise InputError(f"unknown loss {kind!r}; known: {', '.join(LOSSES)}")
    if at not in ("last", "every"):
        raise InputError(f"found at={at!r}, expected 'last' or 'every'")
    compared = [n for e in cell.equations for n in tm.members(e.right) if isinstance(n, tm.Loss)]
    dropped = _with_readers(cell, [cell.loss or "", *(e.name for e in cell.equations if _has_loss(cell, e.name))])
    rest = [e.name for e in cell.equations if e.name not in dropped]
    if compared:
        leaves = [n.args[0] for n in compared]
        found = [n.name if isinstance(n, tm.At | tm.Parameter) else "" for n in leaves]
    else:
        found = sinks(cell, rest)
    found = list(dict.fromkeys(found))
    if len(found) != 1 or found[0] not in rest:
        shown = ", ".join(map(str, leaves)) if compared else ", ".join(found) or "none"
        raise InputError(f"expected one prediction with a name, found {shown}; write the loss as an equation, L = …")
    prediction = found[0]
    timed = cell[prediction].timed
    if at == "every" and not timed:
        raise InputError(f"{prediction} has no time index, so that there is no loss at every step; use at='last'")
    name = cell.loss or "L"
    _check_free(cell, rest, [name, target])
    if at == "every":
        line = f"{name} = sum({kind}({prediction}[t], {target}[t]), t)"
    else:
        line = f"{name} = {kind}({prediction}{'[T]' if timed else ''}, {target})"
    return assemble([*(str(cell[n]) for n in rest), line], cell, name)


def _has_loss(cell: Recurrence, name: str) -> bool:
    return any(isinstance(n, tm.Loss) for n in tm.members(cell[name].right))


def _with_readers(cell: Recurrence, names: Iterable[str]) -> set[str]:
    """The names given, and every equation that depends on one of them."""
    found = {n for n in names if n in cell}
    grown = True
    while grown:
        more = {e.name for e in cell.equations if any(r.name in found for r in cell.reads(e.name))} - found
        found |= more
        grown = bool(more)
    return found


def _check_free(cell: Recurrence, rest: Iterable[str], names: Iterable[str], going: Iterable[str] = ()) -> None:
    """Refuse names that the equations which stay already use, but for those that are `going`."""
    used = {n.name for r in rest for side in (cell[r].left, cell[r].right) for n in _leaves(side)} - set(going)
    used |= {f"{n}0" for n in used if n in cell.sequences}
    for name in names:
        if not str(name).isidentifier():
            raise InputError(f"expected a name, found {name!r}")
        if name in used:
            raise InputError(f"the name {name} is taken here; choose another")


def _leaves(term: tm.Term) -> Iterable[tm.At | tm.Parameter]:
    return (n for n in tm.members(term) if isinstance(n, tm.At | tm.Parameter))
