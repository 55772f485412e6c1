"""``rnnderive chain``: how the gradient behaves on given weights and input."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from rnnderive.cli.app import CELL_HELP, Formatted, app, load, number_or_words, pairs
from rnnderive.cli.output import Format, finite, out, working, write_json
from rnnderive.errors import InputError

if TYPE_CHECKING:
    from rnnderive.chains import Analysis

__all__ = ["chain"]

MOST_STEPS = 20_000  # for what needs all Jacobians at once
PLOTS = ("norms", "contributions", "paths", "spectrum", "gates", "gate_means", "drift", "truncation")


@app.command()
def chain(
    cell: Annotated[str | None, typer.Argument(metavar="[CELL]", help=CELL_HELP, show_default=False)] = None,
    horizon: Annotated[int, typer.Option("--T", metavar="STEPS", min=1, help="Steps of an input that is drawn.")] = 100,
    batch: Annotated[
        int | None, typer.Option("--batch", metavar="B", min=1, help="Sequences of it.", show_default="one")
    ] = None,
    size: Annotated[
        list[str] | None,
        typer.Option("--size", metavar="NAME=N", help="A width, as in h=64; may be repeated.", show_default=False),
    ] = None,
    weights: Annotated[
        Path | None,
        typer.Option("--weights", metavar="FILE", help="From PyTorch, Keras, ONNX or .npz.", show_default=False),
    ] = None,
    layer: Annotated[
        str | None, typer.Option("--layer", metavar="NAME", help="Which recurrent layer of it.", show_default=False)
    ] = None,
    scheme: Annotated[
        str, typer.Option("--scheme", help="How weights are drawn: glorot, pytorch, keras, chrono, irnn.")
    ] = "glorot",
    role: Annotated[
        list[str] | None,
        typer.Option(
            "--role",
            metavar="ROLE=INIT",
            help="As in forget_bias=2 or recurrent='orthogonal(gain=1.2)'.",
            show_default=False,
        ),
    ] = None,
    text: Annotated[
        str | None, typer.Option("--text", metavar="WORDS", help="The input, word by word.", show_default=False)
    ] = None,
    vectors: Annotated[
        Path | None,
        typer.Option("--vectors", metavar="FILE", help="Word vectors for it: word2vec or GloVe.", show_default=False),
    ] = None,
    source: Annotated[
        Path | None, typer.Option("--input", metavar="FILE", help="The input as .npy or .csv.", show_default=False)
    ] = None,
    scale: Annotated[float, typer.Option("--scale", help="Of an input that is drawn.")] = 1.0,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Of all that is drawn.")] = 0,
    state: Annotated[
        str | None,
        typer.Option("--state", metavar="NAME", help="Look at the chain of this state.", show_default="the first"),
    ] = None,
    remedies: Annotated[bool, typer.Option("--remedies", help="Also what would change it, rerun.")] = False,
    spectrum: Annotated[bool, typer.Option("--spectrum", help="Also singular values and Lyapunov exponents.")] = False,
    figures: Annotated[
        Path | None,
        typer.Option("--figures", metavar="FOLDER", help="Write the figures there.", show_default=False),
    ] = None,
    form: Formatted = Format.text,
) -> None:
    """Say whether the gradient vanishes or explodes, how fast, along which path, and why.

    Weights and input are read from files, or drawn from the seed.

    \b
    Examples:
      rnnderive chain lstm --T 1000
      rnnderive chain lstm --T 500 --role forget_bias=2 --remedies
      rnnderive chain --weights model.safetensors --text "a cat exists" --figures figures
      rnnderive chain my_cell.txt --size h=64 --input sequence.npy --format json
    """
    from threadpoolctl import threadpool_limits

    import rnnderive as rd
    from rnnderive.chains.setting import setting

    if form not in (Format.text, Format.json):
        raise InputError(f"found --format {form.value}; an analysis is printed as text or json")
    net = load(cell) if cell is not None else None
    roles = {name: number_or_words(words) for name, words in pairs(role or [], str)}
    with working("reading and drawing"):
        found = setting(
            net, weights=weights, layer=layer, text=text, vectors=vectors, source=source, T=horizon, batch=batch,
            sizes=dict(pairs(size or [], int)), scheme=scheme, roles=roles, scale=scale,
            seed=seed,
        )  # fmt: skip
    parts: dict[str, Any] = {}
    # Many small products: threads of BLAS cost more than they bring, the more so on a busy machine.
    with threadpool_limits(1), working("analysing") as say:
        say("running the network")
        analysis = rd.analyze(found.net, found.params, found.inputs, state=state, tokens=found.tokens)
        for name, ask in _parts(analysis, remedies, spectrum, seed):
            say(name)
            parts[name] = ask()
        if figures is not None:
            for name in _drawn(analysis, figures):
                say(f"figure {name}")
    if form is Format.json:
        write_json(_record(analysis, found.notes, parts))
        return
    rows = [("setting" if not k else "", note) for k, note in enumerate(found.notes)] + analysis.rows()
    rows += [("remedies" if not k else "", str(r)) for k, r in enumerate(parts.get("remedies", ()))]
    if "spectrum" in parts:
        rows += _spectrum_rows(parts["spectrum"])
    if figures is not None:
        rows.append(("figures", f"{figures}{os.sep}"))
    width = max(len(k) for k, _ in rows)
    out("\n".join(f"{k.ljust(width)}  {v}".rstrip() for k, v in rows))


# ---------------------------------------------------------------- parts


def _parts(analysis: Analysis, remedies: bool, spectrum: bool, seed: int) -> Iterator[tuple[str, Any]]:
    """What is computed before anything is printed, so that progress shows what takes time."""
    yield "norms of the chain", lambda: analysis.operator
    yield "the gradient", lambda: analysis.gradient
    yield "bounds", lambda: analysis.bounds
    yield "paths", lambda: analysis.paths
    yield "causes", lambda: analysis.verdict
    if remedies:
        yield "remedies", lambda: analysis.remedies(seed=seed)
    if spectrum:
        yield "spectrum", lambda: analysis.spectrum()


def _drawn(analysis: Analysis, folder: Path) -> Iterator[str]:
    """Draw every figure that applies into a folder; yields the name of each before it is drawn."""
    from rnnderive.printing.style import saved

    folder.mkdir(parents=True, exist_ok=True)
    for name in PLOTS:
        if name in ("gates", "gate_means") and not analysis.gates:
            continue
        if name in ("contributions", "truncation") and not analysis.trace.speaks:
            continue
        if name in ("spectrum", "truncation") and analysis.trace.T > MOST_STEPS:
            continue
        yield name
        drawn = getattr(analysis.plot, name)()
        saved(drawn if hasattr(drawn, "savefig") else drawn.figure, folder / name)


def _spectrum_rows(found: Any) -> list[tuple[str, str]]:
    from rnnderive.chains.spectra import entropy_rate, kaplan_yorke

    values = ", ".join(f"{v:.4g}" for v in found.log_singular_values[:5])
    rest = ", …" if len(found.log_singular_values) > 5 else ""
    lines = [
        f"ln of the singular values: {values}{rest}",
        f"ln of the condition number {found.log_condition:.4g}; {found.dead} exactly zero",
    ]
    exponents = found.lyapunov
    if exponents is not None and len(exponents.exponents):
        first, error = exponents.exponents[0], exponents.errors[0]
        lines.append(f"largest Lyapunov exponent {first:+.4f} ± {error:.4f}; {exponents.singular} are −∞")
        entropy, dimension = entropy_rate(exponents), kaplan_yorke(exponents)
        lines.append(f"entropy rate {entropy:.4g}, Kaplan–Yorke dimension {dimension:.4g}")
    return [("spectrum" if not k else "", line) for k, line in enumerate(lines)]


def _record(analysis: Analysis, notes: tuple[str, ...], parts: dict[str, Any]) -> dict[str, Any]:
    """The analysis for a machine; logarithms, with null for −∞."""
    verdict = analysis.verdict
    record: dict[str, Any] = {
        "setting": list(notes),
        "chain": {"states": list(analysis.states), "steps": analysis.trace.T, "size": analysis.trace.size},
        "verdict": {
            "kind": verdict.kind, "rate": finite(verdict.rate.value), "error": finite(verdict.rate.error),
            "half_life": finite(verdict.rate.half_life), "memory": verdict.memory, "precision": verdict.precision,
            "cut": verdict.cut, "words": str(verdict),
            "causes": [{**c.__dict__, "rate": finite(c.rate), "cost": finite(c.cost)} for c in verdict.causes],
        },
        "bound": {"limit": finite(analysis.bounds.limit), "words": analysis.bounds.words},
        "paths": [{"path": p.label, "rate": finite(p.rate)} for p in analysis.paths],
        "gates": [{"gate": g.name, "mean": g.mean, "closed": g.closed, "open": g.open} for g in analysis.gates],
        "norms": {"lags": analysis.lags.tolist(), "operator": _numbers(analysis.operator)},
    }  # fmt: skip
    if "remedies" in parts:
        record["remedies"] = [{k: finite(v) for k, v in r.__dict__.items()} for r in parts["remedies"]]
    if "spectrum" in parts:
        record["spectrum"] = {"log_singular_values": _numbers(parts["spectrum"].log_singular_values)}
    return record


def _numbers(array: Any) -> Any:
    return [_numbers(row) if hasattr(row, "__len__") else finite(float(row)) for row in array]
