"""Networks from cells: layers on top of each other, and both directions at once."""

from __future__ import annotations

from rnnderive.cells.anatomy import Anatomy, assemble, copies, rewritten
from rnnderive.errors import InputError
from rnnderive.language import Recurrence
from rnnderive.language import terms as tm

__all__ = ["bidirectional", "stack"]


def stack(cell: Recurrence, layers: int = 2) -> Recurrence:
    """Several copies of a cell's core, each reading the output of the one below.

    The names of layer l end in ``_l``; layer 1 reads the input, and the head (readout, loss)
    reads the last layer and keeps its names (Graves 2013, eq. 11, without skip connections).

    Parameters
    ----------
    cell : Recurrence
        Any recurrence with a loop over t that reads one input sequence.
    layers : int
        How many, from 1.

    Raises
    ------
    InputError
        When `cell` has no loop, several inputs, or no single output.

    Examples
    --------
    >>> from rnnderive.cells import vanilla
    >>> print(stack(vanilla(), layers=2))
    h_1[t] = tanh(W_1 @ x[t] + U_1 @ h_1[t-1] + b_h_1)
    h_2[t] = tanh(W_2 @ h_1[t] + U_2 @ h_2[t-1] + b_h_2)
    y[t] = sigmoid(V @ h_2[t] + b_y)
    L = squared_error(y[T], target)
    """
    if isinstance(layers, bool) or not isinstance(layers, int) or not 1 <= layers <= 100:
        raise InputError(f"expected 1 to 100 layers, found {layers!r}")
    parts = Anatomy.of(cell)
    if len(parts.inputs) != 1:
        found = ", ".join(parts.inputs) or "none"
        raise InputError(
            f"a layer of a stack reads one input sequence; found {found}. "
            "Stack them into one, as in x[t] = [u[t], v[t]], or give the cell an input x[t]"
        )
    source = parts.inputs[0]
    width = len(str(layers))  # h_01, not h_1, when there is an h_10: that is h_1's initial state
    taken: set[str] = set()
    lines: list[str] = []
    below = source
    for layer in range(1, layers + 1):
        names = copies(cell, parts, f"{layer:0{width}}", taken)
        taken |= set(names.values())
        names |= {source: below, f"{source}0": f"{below}0"}
        lines += [rewritten(cell, n, names) for n in parts.core]
        below = names[parts.output]
    # What the head reads of the core is the last layer's; the input it reads is still the input.
    names |= {source: source, f"{source}0": f"{source}0"}
    lines += [rewritten(cell, n, names) for n in parts.head]
    return assemble(lines, cell)


def bidirectional(cell: Recurrence) -> Recurrence:
    """A cell's core run from the left and from the right, the two outputs stacked.

    The names of the copies end in ``_L`` and ``_R``; in the right one time is reversed, so that
    it reads ``h_R[t+1]``.  The output keeps its name, and the head stays as it is (Schuster and
    Paliwal 1997; row 13 of the lecture).

    Raises
    ------
    InputError
        When `cell` has no loop or no single output, or core and head share a parameter.

    Notes
    -----
    ``stack(bidirectional(cell))`` joins the directions after every layer, as frameworks do;
    ``bidirectional(stack(cell))`` runs two stacks and joins them at the top.

    Examples
    --------
    >>> from rnnderive.cells import vanilla
    >>> print(bidirectional(vanilla("sigmoid")))
    h_L[t] = sigmoid(W_L @ x[t] + U_L @ h_L[t-1] + b_h_L)
    h_R[t] = sigmoid(W_R @ x[t] + U_R @ h_R[t+1] + b_h_R)
    h[t] = [h_L[t], h_R[t]]
    y[t] = sigmoid(V @ h[t] + b_y)
    L = squared_error(y[T], target)
    """
    parts = Anatomy.of(cell)
    out = parts.output
    left = copies(cell, parts, "L", [out])
    right = copies(cell, parts, "R", [out, *left.values()])
    head = {n.name for h in parts.head for n in tm.members(cell[h].right) if isinstance(n, tm.Parameter)}
    shared = sorted(head & left.keys())
    if shared:
        raise InputError(
            f"the core and the head share {', '.join(shared)}, and each direction would have its own; "
            "give the head names of its own"
        )
    lines = [rewritten(cell, n, left) for n in parts.core]
    lines += [rewritten(cell, n, right, backward=True) for n in parts.core]
    lines.append(f"{out}[t] = [{left[out]}[t], {right[out]}[t]]")
    size = str(cell.shape(out)[0])
    names = {size[2:]: out} if size.startswith("n_") and size[2:] in parts.core else {}
    lines += [rewritten(cell, n, names) for n in parts.head]
    return assemble(lines, cell)
