"""Who learns to remember: a simple RNN, an LSTM and a GRU on the adding problem.

Two numbers are marked in a sequence of 50; their sum is asked for at its end.  Who always answers 1
has a mean squared error of 1/6.  The gradients are derived from the equations of each cell; Adam
does the rest.  The chain of Jacobians, before and after, shows why.

    python examples/adding_problem.py            # under a minute
    python examples/adding_problem.py --task copy --T 10 --steps 800     # copy memory: three symbols of four
    python examples/adding_problem.py --help
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Mapping
from typing import Any

import numpy as np

import rnnderive as rd
from rnnderive.weights import initialise
from rnnderive.weights.tasks import adding, copy_memory
from rnnderive.weights.training import adam, train

# Cell → what is set apart from the usual scheme: a forget gate that begins open (Gers et al. 2000).
CELLS: dict[str, dict[str, Any]] = {"rnn": {}, "lstm": {"forget_bias": 1}, "gru": {}}


def chain_before_and_after(net: rd.Recurrence, before: Mapping[str, Any], after: Mapping[str, Any], inputs: Any) -> str:
    """What became of the gradient's chain in training: why one learns and another does not."""
    few = {name: array[:, :50] if np.ndim(array) == 3 else array[:50] for name, array in inputs.items()}
    lines = []
    for when, params in (("before", before), ("after", after)):
        analysis = rd.analyze(net, params, few)
        chain = analysis.verdict
        memory = f"over {chain.steps}" if chain.memory is None else chain.memory
        alone = "".join(f", {p.label} {p.rate:+.3f}" for p in analysis.paths if p.kind == "highway")
        left = np.exp(np.median(analysis.arriving[0] - analysis.arriving[-1]))
        lines.append(
            f"      {when:6s} {chain.kind}, {chain.rate.value:+.3f} nats a step{alone}; memory {memory} steps; "
            f"of the gradient at the last step {left:.1e} arrives at the first"
        )
    return "\n".join(lines)


def main() -> None:
    """Train each cell and print its losses, a column for every tenth of the training."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, default, what in (
        ("T", 50, "steps of a sequence"),
        ("units", 24, "width of the state"),
        ("steps", 600, "steps of training"),
        ("batch", 32, "sequences in a batch"),
        ("seed", 0, "of parameters and data"),
    ):
        options.add_argument(f"--{name}", type=int, default=default, help=f"{what} (default {default})")
    options.add_argument("--task", choices=("adding", "copy"), default="adding", help="or copy memory (default adding)")
    chosen = options.parse_args()
    task = adding(chosen.T) if chosen.task == "adding" else copy_memory(chosen.T, items=3, symbols=4)
    held_out = next(task.batches(1000, seed=chosen.seed + 1))
    print(f"{task.name}, T = {chosen.T}; {task.without}: {task.baseline:.4f}")
    for cell, roles in CELLS.items():
        net = task.network(cell)
        sizes = {"h": chosen.units, "x": task.inputs, "y": task.outputs}
        before = initialise(net, chosen.seed, sizes=sizes, roles=roles)
        start = time.perf_counter()
        trained = train(
            net, before, task.batches(chosen.batch, chosen.seed), steps=chosen.steps, optimiser=adam(1e-2), clip=1.0
        )
        seconds = time.perf_counter() - start
        error = float(np.mean(rd.derive(net).value(trained.params, held_out)["L"]))
        losses = "  ".join(f"{part.mean():.4f}" for part in np.array_split(trained.losses, 10))
        verdict = "has learnt" if error < task.baseline / 4 else "has not learnt"
        print(f"{cell:5s} {losses}  held out {error:.4f}  {verdict}  ({seconds:.0f} s)")
        if told := chain_before_and_after(net, before, trained.params, held_out):
            print(told)


if __name__ == "__main__":
    main()
