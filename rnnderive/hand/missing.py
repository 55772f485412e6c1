"""What to write for a name that a derivation uses and does not define."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

__all__ = ["EQUATIONS", "LATEX", "hint", "told"]

NETWORK = "h[t] = tanh(U @ h[t-1] + x[t]), L = sum(sum(h[t]), t)"
EQUATIONS = ("delta[t] = (1 + U.T @ delta[t+1]) * (1 - h[t]**2)", "dU = sum(delta[t] @ h[t-1].T, t)")
LATEX = (r"\delta^t = (1 + U^\top \delta^{t+1}) \odot (1 - (h^t)^2)", r"dU = \sum_t \delta^t (h^{t-1})^\top")


def hint(lines: tuple[str, str] = EQUATIONS) -> str:
    """What is expected: an equation for every quantity, with an example that is right as it stands."""
    first, second = lines
    return (
        f"a δ is not filled in: give its equation too, on a line of its own, as {first} beside {second} for {NETWORK}"
    )


def told(name: str, known: Iterable[str], where: str, lines: tuple[str, str] = EQUATIONS) -> str:
    """The message for a name that is defined nowhere."""
    names = list(known)
    near = difflib.get_close_matches(name, names, 2, 0.6)
    meant = f"; did you mean {' or '.join(near)}?" if near else "."
    wanted = "" if near and not name.startswith("d") else f". If it is a quantity of your own, {hint(lines)}"
    return f"{name} is {where}{meant} Known are {', '.join(names)}{wanted}"
