"""The weights as hand-written code keeps them: the gates of a layer stacked, U for the state and W for the input.

The GRU's candidate has no bias: zeros stand in its place, and nobody reads their gradient.
"""

from __future__ import annotations

import numpy as np

from benchmarks.work import Arrays, Network

__all__ = ["GATES", "Weights", "gathered", "stacked"]

# The gates under a sigmoid first: one call does them all.
GATES = {"rnn": ("h",), "lstm": ("f", "i", "o", "C"), "gru": ("z", "r", "")}
Weights = dict[str, Arrays]


def stacked(network: Network, params: Arrays) -> Weights:
    """For each direction of each layer W, U, b and the initial states; under ``head`` V and b_y."""
    out = {"head": {"V": params["V"], "b_y": params["b_y"]}}
    for end in (end for ends in network.layers for end in ends):
        if network.core == "rnn":
            table = {"W": params[f"W{end}"], "U": params[f"U{end}"], "b": params[f"b_h{end}"]}
        else:
            names = [f"_{g}" if g else "" for g in GATES[network.core]]
            both = np.concatenate([params[f"W{g}{end}"] for g in names])
            n = both.shape[0] // len(names)
            table = {
                "W": np.ascontiguousarray(both[:, n:]),
                "U": np.ascontiguousarray(both[:, :n]),
                "b": np.concatenate([params.get(f"b{g}{end}", np.zeros(n, both.dtype)) for g in names]),
            }
        out[end] = table | {f"{s}0": params[f"{s}{end}0"] for s in ("h", "C") if f"{s}{end}0" in params}
    return out


def gathered(network: Network, grads: Weights) -> Arrays:
    """The inverse of :func:`stacked`, for gradients."""
    out = {name: np.asarray(a) for name, a in grads["head"].items()}
    for end in (end for ends in network.layers for end in ends):
        table = {name: np.asarray(a) for name, a in grads[end].items()}
        out |= {f"{s}{end}0": table[f"{s}0"] for s in ("h", "C") if f"{s}0" in table}
        if network.core == "rnn":
            out |= {f"W{end}": table["W"], f"U{end}": table["U"], f"b_h{end}": table["b"]}
            continue
        names = [f"_{g}" if g else "" for g in GATES[network.core]]
        both = np.concatenate([table["U"], table["W"]], 1)
        out |= {f"W{g}{end}": a for g, a in zip(names, np.split(both, len(names)), strict=True)}
        out |= {f"b{g}{end}": a for g, a in zip(names, np.split(table["b"], len(names)), strict=True) if g}
    return out
