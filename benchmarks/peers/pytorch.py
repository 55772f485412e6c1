"""PyTorch: its own modules where they compute the same, else a loop; ``autograd.grad``."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from benchmarks.peers.forward import Space, loss
from benchmarks.peers.task import Task
from benchmarks.peers.weights import gathered, stacked
from benchmarks.work import Arrays, Work

__all__ = ["build"]

ORDER = {"rnn": ("",), "lstm": ("_i", "_f", "_C", "_o")}  # of the gates in torch's weights


def build(work: Work, params: Arrays, inputs: Arrays) -> Task:
    """``nn.RNN`` and ``nn.LSTM``; ``nn.GRU`` is another cell (reset after the product), so that is a loop."""
    torch.set_num_threads(work.threads)
    return module(work, params, inputs) if work.of.core in ORDER else loop(work, params, inputs)


def module(work: Work, params: Arrays, inputs: Arrays) -> Task:
    """The layers of ``torch.nn``; of their two biases the second is zero and not differentiated in."""
    network, (_, _, d, n) = work.of, work.size
    kind = {"rnn": torch.nn.RNN, "lstm": torch.nn.LSTM}[network.core]
    rnn = kind(d, n, num_layers=len(network.layers), bidirectional=len(network.layers[0]) == 2)
    rnn.to(getattr(torch, work.dtype))
    states = [s for s in ("h", "C") if f"{s}{network.layers[0][0]}0" in params]
    ends = [end for ends in network.layers for end in ends]
    leaves: dict[str, Any] = {}
    with torch.no_grad():
        for layer, directions in enumerate(network.layers):
            for k, end in enumerate(directions):
                place = f"_l{layer}{'_reverse' if k else ''}"
                for name, array in torch_weights(network.core, end, params).items():
                    getattr(rnn, name + place).copy_(torch.from_numpy(array))
                    leaves[name + end] = getattr(rnn, name + place)
                getattr(rnn, f"bias_hh{place}").zero_().requires_grad_(False)
    x, target, V, b_y = (torch.from_numpy(a) for a in (inputs["x"], inputs["target"], params["V"], params["b_y"]))
    initial = [torch.from_numpy(np.stack([params[f"{s}{end}0"] for end in ends])) for s in states]
    leaves |= {"V": V, "b_y": b_y} | dict(zip(states, initial, strict=True))
    for leaf in leaves.values():
        leaf.requires_grad_()

    def run() -> tuple[Any, Any]:
        h = rnn(x, tuple(initial) if len(initial) > 1 else initial[0])[0]
        e = torch.nn.functional.linear(h, V, b_y) - target
        value = 0.5 * (e * e).sum()
        return value, torch.autograd.grad(value, list(leaves.values()))

    def read(result: Any) -> tuple[float, Arrays]:
        grads = {name: g.numpy() for name, g in zip(leaves, result[1], strict=True)}
        out = {name: grads[name] for name in ("V", "b_y")}
        for k, end in enumerate(ends):
            out |= our_gradients(network.core, end, grads)
            out |= {f"{s}{end}0": grads[s][k] for s in states}
        return result[0].item(), out

    return Task(run, read)


def torch_weights(core: str, end: str, params: Arrays) -> Arrays:
    """One direction of one layer in the form of ``torch.nn``."""
    if core == "rnn":
        return {"weight_ih": params[f"W{end}"], "weight_hh": params[f"U{end}"], "bias_ih": params[f"b_h{end}"]}
    both = np.concatenate([params[f"W{g}{end}"] for g in ORDER[core]])
    n = both.shape[0] // len(ORDER[core])
    bias = np.concatenate([params[f"b{g}{end}"] for g in ORDER[core]])
    return {"weight_ih": both[:, n:], "weight_hh": both[:, :n], "bias_ih": bias}


def our_gradients(core: str, end: str, grads: Arrays) -> Arrays:
    """The inverse of :func:`torch_weights`."""
    W, U, b = (grads[name + end] for name in ("weight_ih", "weight_hh", "bias_ih"))
    if core == "rnn":
        return {f"W{end}": W, f"U{end}": U, f"b_h{end}": b}
    gates = ORDER[core]
    matrices, biases = np.split(np.concatenate([U, W], 1), len(gates)), np.split(b, len(gates))
    return {f"W{g}{end}": a for g, a in zip(gates, matrices, strict=True)} | {
        f"b{g}{end}": a for g, a in zip(gates, biases, strict=True)
    }


def loop(work: Work, params: Arrays, inputs: Arrays) -> Task:
    """The steps one after another."""
    network, (T, B, d, _) = work.of, work.size

    def scan(step: Any, z: Any, states: Any, T: int, B: int) -> Any:
        out = []
        for part in z.split(B):
            states = step(part, *states)
            out.append(states[0])
        return torch.cat(out)

    space = Space(
        tanh=torch.tanh,
        sigmoid=torch.sigmoid,
        beside=lambda a, b: torch.cat([a, b], 1),
        turned=lambda a, T, B: a.reshape(T, B, -1).flip(0).reshape(T * B, -1),
        scan=scan,
        affine=torch.nn.functional.linear,
    )
    weights = {
        end: {name: torch.from_numpy(a).requires_grad_() for name, a in table.items()}
        for end, table in stacked(network, params).items()
    }
    x, target = (torch.from_numpy(inputs[name].reshape(T * B, d)) for name in ("x", "target"))
    leaves = [leaf for table in weights.values() for leaf in table.values()]

    def run() -> tuple[Any, Any]:
        value = loss(space, network, weights, x, target, T, B)
        return value, torch.autograd.grad(value, leaves)

    def read(result: Any) -> tuple[float, Arrays]:
        grads = iter(result[1])
        return result[0].item(), gathered(network, {e: {n: next(grads).numpy() for n in t} for e, t in weights.items()})

    return Task(run, read)
