"""``rnnderive chain``: how the gradient behaves on given weights and input."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from rnnderive.cli.app import CELL_HELP, app, load, number_or_words, pairs, size_option
from rnnderive.cli.given import Arrays, Layers, Read, Source, Text, Unknowns, Vectors, Weights, reading
from rnnderive.cli.output import Told, finite, out, working, write_json
from rnnderive.cli.wording import in_options, on_the_command_line

if TYPE_CHECKING:
    from rnnderive.chains import Analysis

__all__ = ["chain"]


@app.command()
def chain(
    cell: Annotated[str | None, typer.Argument(metavar="[CELL]", help=CELL_HELP, show_default=False)] = None,
    horizon: Annotated[
        int | None,
        typer.Option("--T", metavar="STEPS", min=1, help="Steps of an input that is drawn.", show_default="100"),
    ] = None,
    batch: Annotated[
        int | None, typer.Option("--batch", metavar="B", min=1, help="Sequences of it.", show_default="one")
    ] = None,
    size: Annotated[list[str] | None, size_option("h=32, x=8, y=4")] = None,
    weights: Weights = None,
    layer: Layers = None,
    read: Read = None,
    array: Arrays = None,
    scheme: Annotated[
        str | None,
        typer.Option(
            "--scheme", help="How weights are drawn: glorot, pytorch, keras, chrono, irnn.", show_default="glorot"
        ),
    ] = None,
    role: Annotated[
        list[str] | None,
        typer.Option(
            "--role",
            metavar="ROLE=INIT",
            help="As in forget_bias=2 or recurrent='orthogonal(gain=1.2)'.",
            show_default=False,
        ),
    ] = None,
    text: Text = None,
    vectors: Vectors = None,
    unknown: Unknowns = None,
    source: Source = None,
    gain: Annotated[
        float | None, typer.Option("--gain", help="A factor of recurrent weights that are drawn.", show_default="1")
    ] = None,
    scale: Annotated[float | None, typer.Option("--scale", help="Of an input that is drawn.", show_default="1")] = None,
    state_scale: Annotated[
        float | None, typer.Option("--state-scale", help="Of the initial state, drawn.", show_default="0")
    ] = None,
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
    memory: Annotated[float, typer.Option("--memory", metavar="GIB", help="Refuse what needs more.")] = 8.0,
    form: Annotated[Told, typer.Option("--format", help="How findings are written.")] = Told.text,
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
    from rnnderive.files import check_folder

    given, net = reading(read, array), load(cell, loss=False) if cell is not None else None
    if figures is not None:
        check_folder(figures, f"--figures {figures}")
    with working("reading and drawing"), on_the_command_line():
        found = setting(
            net, weights=weights, layer=tuple(layer or ()), read=given,
            text=text, vectors=vectors, unknown=unknown, source=source, T=horizon, batch=batch,
            sizes=dict(pairs(size, int)),
            scheme=scheme, roles={name: number_or_words(words) for name, words in pairs(role, str)}, gain=gain,
            scale=scale, state_scale=state_scale, seed=seed, whole=spectrum, memory=memory,
        )  # fmt: skip
    notes = tuple(map(in_options, found.notes))
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
    if form is Told.json:
        write_json(_record(analysis, notes, parts))
        return
    rows = [("setting" if not k else "", note) for k, note in enumerate(notes)] + analysis.rows()
    rows += [("remedies" if not k else "", str(r)) for k, r in enumerate(parts.get("remedies", ()))]
    if "spectrum" in parts:
        rows += _spectrum_rows(parts["spectrum"], analysis.verdict.member)
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
        yield "spectrum", lambda: analysis.spectrum(analysis.verdict.member or 0)


def _drawn(analysis: Analysis, folder: Path) -> Iterator[str]:
    """Draw every figure that applies into a folder; yields the name of each before it is drawn."""
    from rnnderive.printing.style import saved

    folder.mkdir(parents=True, exist_ok=True)
    one_of_several = f"{'_'.join(analysis.states)}_" if analysis.others else ""
    for name in analysis.plot.applicable:
        yield name
        drawn = getattr(analysis.plot, name)()
        saved(drawn if hasattr(drawn, "savefig") else drawn.figure, folder / f"{one_of_several}{name}")


def _spectrum_rows(found: Any, member: int | None) -> list[tuple[str, str]]:
    from rnnderive.chains.spectra import entropy_rate, kaplan_yorke

    values = ", ".join(f"{v:.4g}" for v in found.log_singular_values[:5])
    rest = ", …" if len(found.log_singular_values) > 5 else ""
    whose = "" if member is None else f" of sequence {member}"
    lines = [
        f"ln of the singular values{whose}: {values}{rest}",
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
            "cut": verdict.cut, "of": verdict.of, "note": verdict.note, "words": str(verdict),
            "causes": [{**c.__dict__, "rate": finite(c.rate), "cost": finite(c.cost)} for c in verdict.causes],
        },
        "bound": {"limit": finite(analysis.bounds.limit), "words": analysis.bounds.words},
        "paths": [{"path": p.label, "rate": finite(p.rate)} for p in analysis.paths],
        "gates": [{"gate": g.name, "mean": g.mean, "closed": g.closed, "open": g.open} for g in analysis.gates],
        "norms": {
            "lags": analysis.lags.tolist(), "operator": _numbers(analysis.operator),
            "gradient": _numbers(analysis.gradient[analysis.lags[analysis.lags < len(analysis.gradient)]]),
        },
    }  # fmt: skip
    if verdict.members:
        record["verdict"] |= {
            "member": verdict.member, "counts": verdict.counts,
            "members": [
                {"kind": m.kind, "rate": finite(m.rate.value), "error": finite(m.rate.error), "cut": m.cut}
                for m in verdict.members
            ],
        }  # fmt: skip
    if "remedies" in parts:
        record["remedies"] = [
            {**{k: finite(v) for k, v in r.__dict__.items() if k != "rates"}, "helps": r.helps}
            | {"rates": r.rates and [finite(v) for v in r.rates]}
            for r in parts["remedies"]
        ]
    if "spectrum" in parts:
        record["spectrum"] = {"log_singular_values": _numbers(parts["spectrum"].log_singular_values)}
    return record


def _numbers(array: Any) -> Any:
    return [_numbers(row) if hasattr(row, "__len__") else finite(float(row)) for row in array]
