"""Batches of sequences of different lengths: a recurrence that takes a mask.

The network of one sequence, written so that each member of a batch ends at a step of its own.  What the
members of a batch have in common is T, the steps of the longest; ``mask[t]`` is 1 at the steps that a member
has and 0 after them.  It is a recurrence like any other, and is differentiated like any other.
"""

from __future__ import annotations

from dataclasses import dataclass

from rnnderive.errors import InputError
from rnnderive.language import terms as tm
from rnnderive.language.recurrence import Equation, Recurrence
from rnnderive.language.terms import T, Term, t

__all__ = ["Masked", "masked"]


@dataclass(frozen=True)
class Masked:
    """A recurrence with a mask.

    Attributes
    ----------
    net : Recurrence
        With the parameters, inputs and initial states of the original, and one input sequence more.
    mask : str
        Its name; its entries are single numbers, 1 at a member's own steps and 0 after them.
    """

    net: Recurrence
    mask: str


def masked(net: Recurrence) -> Masked:
    """The same network for members that end at steps of their own.

    What stands outside the steps 1..T of one sequence stands outside its own steps now.  With m the mask,
    which is 0 outside 1..T,

    - ``s[t-k]`` and ``s[t+k]`` become m s + (1 − m) s0 of that step: s0 before the first step and after the
      member's last;
    - ``s[T-j]`` becomes Σ_t (m[t+j] − m[t+j+1]) s[t]: the factor is 1 at the member's last step but j;
    - a sum over t is one of m[t] times its terms, and T, the number of steps, is Σ_t m[t].

    Parameters
    ----------
    net : Recurrence

    Raises
    ------
    InputError
        For a condition on t that names T.

    Examples
    --------
    >>> net = Recurrence.parse('''
    ...     h[t] = tanh(U @ h[t-1] + W @ x[t])
    ...     L    = squared_error(h[T], target)
    ... ''')
    >>> print(masked(net).net)
    h_before[t] = mask[t-1] * h[t-1] + (1 - mask[t-1]) * h0
    h[t] = tanh(U @ h_before[t] + W @ x[t])
    L = squared_error(sum((mask[t] - mask[t+1]) * h[t], t), target)
    """
    taken: set[str] = set()

    def fresh(name: str) -> str:
        while name in taken or net.fresh(name) != name or net.fresh(f"{name}0") != f"{name}0":
            name += "_"
        taken.update((name, f"{name}0"))
        return name

    mask = fresh("mask")

    def m(index: object) -> Term:
        return tm.At(mask, index, 1, 1)

    one = tm.Number(1)
    beside: dict[tuple[str, int], Equation] = {}

    def own(node: tm.At, lag: int) -> Term:
        """What a member reads at a lag, under a name."""
        key = (node.name, lag)
        if key not in beside:
            way = "before" if lag > 0 else "after"
            name = fresh(f"{node.name}_{way}" if abs(lag) == 1 else f"{node.name}_{abs(lag)}_{way}")
            start = tm.Parameter(f"{node.name}0", *node.shape)
            inside = m(node.index)
            right = tm.plus(tm.times(inside, node), tm.times(tm.plus(one, tm.times(tm.Number(-1), inside)), start))
            beside[key] = Equation(tm.At(name, t, *node.shape), right)
        return beside[key].left

    def leaf(node: Term) -> Term | None:
        if isinstance(node, tm.At) and node.lag:
            return own(node, node.lag)
        if isinstance(node, tm.At) and node.lag is None and node.index.has(T):
            back = T - node.index
            last = tm.plus(m(t + back), tm.times(tm.Number(-1), m(t + back + 1)))
            return tm.TimeSum(tm.times(last, tm.At(node.name, t, *node.shape)))
        if isinstance(node, tm.TimeSum):
            return tm.TimeSum(tm.times(m(t), tm.transform(node.args[0], leaf)))
        if isinstance(node, tm.Extent) and node.args[0] == T:
            return tm.TimeSum(m(t))
        if isinstance(node, tm.Where) and any(tm.T in part.free_symbols for part in node.relation[1:]):
            raise InputError(
                f"the condition in {node} is on the last step, which the members of a batch with lengths do not "
                "share; expected a condition on t and fixed steps alone, or a read such as h[T]"
            )
        return None

    rewritten = [Equation(e.left, tm.transform(e.right, leaf), e.place) for e in net.equations]
    equations = (*beside.values(), *rewritten)
    return Masked(Recurrence(equations, net.loss, net.declared), mask)
