"""One member of a batch alone, where the sum over all of them belongs."""

from __future__ import annotations

from typing import Any

from rnnderive import printing as pr
from rnnderive.language import Equation
from rnnderive.language import terms as tm
from rnnderive.language.terms import Term

__all__ = ["OneMember", "written"]


class OneMember(Term):
    """A term at one member of a batch, the ``first`` or the ``last``; of one sequence, the term itself."""

    @property
    def which(self) -> str:
        return str(self.args[1].name)

    @property
    def shape(self) -> tuple[Any, Any]:
        return self.args[0].shape

    def value(self, algebra: Any, *values: Any) -> Any:
        return values[0]

    def math(self, notation: pr.Notation) -> pr.Math:
        body = pr.at_level(self.args[0].math(notation), pr.ATOM)
        return pr.Row((body, pr.Word(f" of the {self.which} sequence")))


def written(e: Equation) -> str:
    """An equation in the language, which has no word for one member."""
    which = next((n.which for n in tm.members(e.right) if isinstance(n, OneMember)), None)
    if which is None:
        return str(e)
    summed = tm.transform(e.right, lambda n: tm.BatchSum(n.args[0]) if isinstance(n, OneMember) else None)
    return f"{Equation(e.left, summed)}, of the {which} sequence alone"
