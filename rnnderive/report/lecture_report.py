"""The lecture's report: its rows in its order, on its own example, "a cat exists"."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import sympy as sp

from rnnderive import cells
from rnnderive import printing as pr
from rnnderive.derivation import Derivation, derive
from rnnderive.language import Recurrence
from rnnderive.language import terms as tm
from rnnderive.report import document as doc
from rnnderive.report import figures, parts
from rnnderive.report.engine import build

__all__ = ["TOKENS", "chain_norms", "example", "lecture", "lecture_document", "sensitivities"]

SEED = 2013
# The four components of each word vector that the lecture prints.
TOKENS = {
    "a": (0.45, -1.34, 2.34, -0.45),
    "cat": (-0.21, 0.56, -1.67, -0.05),
    "exists": (0.445, 0.987, -3.42, -0.06),
}


def example(net: Recurrence, seed: int = SEED, units: int = 2) -> tuple[dict[str, Any], dict[str, Any]]:
    """Seeded weights of two digits, and the lecture's three tokens as inputs."""
    rng = np.random.default_rng(seed)
    sizes: dict[Any, int] = {s: units for s in net.sizes}
    sizes[net.shape("x")[0]] = 4
    params: dict[str, Any] = {}
    inputs: dict[str, Any] = {"x": np.array(list(TOKENS.values()))}
    for name in [*net.parameters, *net.initial_states, *net.inputs]:
        if name == "x":
            continue
        rows, columns = (int(sp.sympify(s).subs(sizes)) for s in net.shape(name))
        shape = (rows,) if columns == 1 else (rows, columns)
        if name in net.parameters:
            params[name] = np.round(rng.normal(size=shape), 2)
        elif name in net.initial_states:
            inputs[name] = np.round(rng.uniform(-0.5, 0.5, size=shape), 2)
        else:
            inputs[name] = np.eye(rows)[0]
    return params, inputs


# ---------------------------------------------------------------- measurements


def _random_run(net: Recurrence, T: int, n: int, gain: float, seed: int) -> tuple[dict[str, Any], dict[str, Any]]:
    """Weights N(0, gain²/n) and white inputs, the same for every cell of one seed."""
    rng = np.random.default_rng(seed)
    sizes: dict[Any, int] = {s: n for s in net.sizes}
    params: dict[str, Any] = {}
    inputs: dict[str, Any] = {}
    for name in [*net.inputs, *net.parameters]:
        rows, columns = (int(sp.sympify(s).subs(sizes)) for s in net.shape(name))
        shape = (rows,) if columns == 1 else (rows, columns)
        if isinstance(net.leaves.get(name), tm.At):
            inputs[name] = rng.normal(size=(T, *shape))
        elif name in net.parameters:
            scale = gain / np.sqrt(n) if columns != 1 else 0.0
            params[name] = scale * rng.normal(size=shape)
        else:
            inputs[name] = rng.uniform(size=shape)
    return params, inputs


def chain_norms(net: Recurrence, v: str = "h", T: int = 60, n: int = 32, gain: float = 1.0, seed: int = SEED) -> Any:
    """log10 of the spectral norm of ∂v^T/∂v^{T-k} for k = 0..T-1, from the generated Jacobians."""
    d = derive(net)
    jacobians = d.jacobians(v, v)(*_random_run(net, T, n, gain, seed))["J"]
    return _running_norms(jacobians)


def _running_norms(jacobians: Any) -> Any:
    product = np.eye(jacobians.shape[1])
    logs, scale = [0.0], 0.0
    for j in jacobians[:0:-1]:  # from the last step back; renormalised, so that nothing underflows
        product = product @ j
        norm = np.linalg.norm(product, 2)
        if norm == 0:
            logs += [-np.inf] * (len(jacobians) - len(logs))
            break
        scale += np.log10(norm)
        product = product / norm
        logs.append(scale)
    return np.array(logs)


def sensitivities(net: Recurrence, T: int = 60, n: int = 32, gain: float = 1.0, seed: int = SEED) -> Any:
    """log10 ‖∂y^T/∂x^k‖₂ against T − k: what the last output still knows of an early input."""
    d = derive(net)
    run = _random_run(net, T, n, gain, seed)
    out, step, into = (d.jacobians(*pair)(*run)["J"] for pair in (("y", "h", 0), ("h", "h", 1), ("h", "x", 0)))
    product, scale, logs = out[-1], 0.0, []
    for k in range(T - 1, -1, -1):
        logs.append(scale + np.log10(max(float(np.linalg.norm(product @ into[k], 2)), 1e-300)))
        product = product @ step[k]
        norm = np.linalg.norm(product, 2)
        scale, product = scale + np.log10(norm), product / norm
    return np.array(logs)


def drift(net: Recurrence, T: int = 60, n: int = 32, gain: float = 1.3, seed: int = SEED) -> Any:
    """The 5, 25, 50, 75 and 95 % quantiles of the entries of h^t, over 64 input sequences."""
    d = derive(net)
    rng = np.random.default_rng(seed)
    params, inputs = _random_run(net, T, n, gain, seed)
    inputs["x"] = rng.normal(size=(T, 64, n))
    states = d.forward(params, inputs)["h"]
    return np.quantile(states.reshape(T, -1), [0.05, 0.25, 0.5, 0.75, 0.95], axis=1)


# ---------------------------------------------------------------- the document


def lecture_document() -> doc.Document:
    """The whole report as a document tree."""
    net = cells.lecture()
    d = derive(net)
    sections = [
        _dense(),
        _recurrent(net),
        _example(net),
        _output_side(d),
        _recurrent_side(d),
        _any_length(d),
        _stacked(),
        _factors(),
        _activations(),
        _forgetting(),
        _bidirectional(),
        _vanilla(),
        _lstm(),
        _gru(),
        _numbers(d),
        parts.verification_section(d),
        _exactly_true(),
        parts.code_section(d),
    ]
    sizes = {"n_h": 2, "n_x": 4, "n_y": 2, "T": 3}
    return doc.Document(
        "Recurrent networks: the lecture's derivation, worked out and checked",
        sections,
        subtitle="Every formula below was derived by the program and every mark by a check that it ran",
        footer=parts.footer("make report", SEED, sizes),
        contents=True,
    )


def lecture(output: str | Path, *, engine: str = "auto") -> Path:
    """Write the lecture's report; return the path of the PDF."""
    return build(lecture_document(), output, "lecture", engine=engine).pdf


def _dense() -> doc.Section:
    net = cells.dense()
    d = derive(net)
    rows = [(e.left.math(d.adjoint.notation), e.right.math(d.adjoint.notation)) for e in d.pulled.backward]
    return doc.Section(
        "A fully connected layer",
        [
            parts.equations(net, ["y"]),
            doc.Paragraph("It looks at each token by itself and keeps nothing. Its gradient, for the loss below:"),
            parts.equations(net, ["L"]),
            doc.Aligned(rows),
        ],
    )


def _recurrent(net: Recurrence) -> doc.Section:
    section = parts.model_section(net, "A recurrent layer")
    words = doc.Paragraph(
        "A recurrent layer reads one token at a time and keeps a state, its memory: the state of a step is computed from "
        "the token of that step and the state of the step before. The initial state is given. The last output goes "
        "through a fully connected layer to the answer of the network."
    )
    return doc.Section(section.title, [words, *section.blocks])


def _example(net: Recurrence) -> doc.Section:
    rows: list[list[doc.Text]] = [[doc.Emph(word), str(k), ", ".join(f"{v:g}".replace("-", "−") for v in vector)]
            for k, (word, vector) in enumerate(TOKENS.items(), 1)]  # fmt: skip
    table = doc.Table(
        ["Word", "Step", "The four components"], rows, "The sentence “a cat exists”, one word vector a step.", "lrl"
    )
    words = doc.Paragraph(
        "Words enter as vectors. The lecture prints four components of each; they are the whole vectors here, so that the "
        "numbers can be followed: three steps, four inputs, two units."
    )
    return doc.Section("The example", [words, table])


def _output_side(d: Derivation) -> doc.Section:
    blocks: list[Any] = [
        doc.Paragraph(
            "The derivatives of the loss in the last layer and in the last output are those of a feed-forward network:"
        )
    ]
    y = tm.At("y", 3, *d.net.shape("y"))
    for name in ("W_fc", "b_fc"):
        blocks.append(_result(d, name, 3))
    over = pr.derivative(pr.name_math("L"), y.math(d.net.notation), "partial")
    edge = d.chain("y[3]", 3).doit()
    blocks.append(doc.Equation(pr.Infix(("", "="), (over, edge.math(d.net.notation)), pr.RELATION)))
    for name in ("V", "b_y"):
        blocks += [doc.Paragraph("For ", doc.Formula(pr.name_math(name)), ":"), parts.derivation_steps(d, name, 3)]
    return doc.Section("Backward pass, output side", blocks)


def _result(d: Derivation, name: str, T: Any) -> doc.Equation:
    left = pr.derivative(pr.name_math("L"), d.net.leaf(name).math(d.net.notation))
    return doc.Equation(pr.Infix(("", "="), (left, d.chain(name, T).math(d.net.notation)), pr.RELATION))


def _recurrent_side(d: Derivation) -> doc.Section:
    blocks: list[Any] = [
        doc.Paragraph(
            "The state of step 3 depends on W twice: directly, and through the state of step 2, which depends on W itself. "
            "Expanding one state after the other gives the sum; every line is checked against the one before it."
        ),
        parts.derivation_steps(d, "W", 3),
    ]
    for name in ("U", "b_h"):
        blocks += [
            doc.Paragraph("The same for ", doc.Formula(pr.name_math(name)), ":"),
            parts.derivation_steps(d, name, 3),
        ]
    return doc.Section("Backward pass, recurrent side", blocks)


def _any_length(d: Derivation) -> doc.Section:
    closed = parts.any_length_section(d, ["W", "U", "b_h"])
    words = doc.Paragraph(
        "For a sequence of any length the same expansion gives a sum over steps of products of factors."
    )
    return doc.Section(
        closed.title, [words, parts.derivation_steps(d, "W", tm.T), *closed.blocks, *parts.adjoint_section(d).blocks]
    )


def _stacked() -> doc.Section:
    net = cells.stack(cells.vanilla("sigmoid"), 2)
    d = derive(net)
    words = doc.Paragraph(
        "With a second recurrent layer the gradient of the first layer's weights runs over every path through time and "
        "layers: already for three steps there are six."
    )
    first = next(p for p in net.parameters if p.startswith("W") and p.endswith("1"))
    return doc.Section("More layers", [words, parts.equations(net), _result(d, first, 3), _result(d, first, tm.T)])


def _factors() -> doc.Section:
    d = derive(cells.vanilla("sigmoid"))
    j = d.jacobian("h", "h").math(d.net.notation)
    before = pr.derivative(
        d.net.leaf("h").math(d.net.notation), tm.At("h", tm.t - 1, *d.net.shape("h")).math(d.net.notation), "partial"
    )
    return doc.Section(
        "What the factors contain",
        [
            doc.Equation(pr.Infix(("", "="), (before, j), pr.RELATION)),
            doc.Paragraph(
                "Each factor holds the slope of the activation. The slope of the sigmoid is at most 1/4, so long products "
                "vanish unless the recurrent weights are large; the slope of ReLU is 0 or 1, so products of the recurrent "
                "matrix remain."
            ),
            _curves("sigmoid"),
            _curves("relu"),
            _curves("sigmoid", "tanh"),
        ],
    )


def _curves(*names: str) -> doc.Figure:
    words = " and ".join({"sigmoid": "the sigmoid", "relu": "ReLU", "tanh": "tanh"}[n] for n in names)
    what = "The derivatives side by side of" if len(names) > 1 else "The function and the derivative of"
    return doc.Figure(lambda: figures.activation_curves(list(names)), f"{what} {words}.", f"{what} {words}")


def _activations() -> doc.Section:
    makers = {name: cells.vanilla(name) for name in ("sigmoid", "tanh", "relu")}
    unit = {name: chain_norms(net) for name, net in makers.items()}
    large = {name: chain_norms(net, gain=1.8) for name, net in makers.items()}
    rates: list[list[doc.Text]] = [
        [name, doc.Formula(parts.number_math(float(unit[name][-1] - unit[name][10]) / (len(unit[name]) - 11) * np.log(10))),
         doc.Formula(parts.number_math(float(large[name][-1] - large[name][10]) / (len(large[name]) - 11) * np.log(10)))]
        for name in makers
    ]  # fmt: skip
    return doc.Section(
        "Three activations, one chain",
        [
            doc.Paragraph(
                "The same recurrent matrix (32 units, entries N(0, g²/n)) and the same white input under three activations: "
                "the spectral norm of the product of factors against the distance in steps."
            ),
            doc.Figure(
                lambda: figures.norms_against_distance(unit),
                "Norm of the chain against distance, gain g = 1.",
                "Norms of the chain under sigmoid, tanh and ReLU at gain 1",
            ),
            doc.Figure(
                lambda: figures.norms_against_distance(large),
                "The same at gain g = 1.8: ReLU explodes, tanh is held back by its saturation.",
                "Norms of the chain under sigmoid, tanh and ReLU at gain 1.8",
            ),
            doc.Table(["Activation", "g = 1", "g = 1.8"], rates, "Measured rate of the norm, in nats a step.", "lrr"),
            doc.Paragraph("ReLU does not bound its output, so the distribution of the state may drift over time:"),
            doc.Figure(
                lambda: figures.drift_over_time({n: drift(makers[n], gain=1.8) for n in ("relu", "tanh")}),
                "Quantiles (5, 25, 50, 75, 95 %) of the entries of the state over time, gain 1.8, 64 sequences.",
                "Quantiles of the state over time under ReLU and tanh",
            ),
        ],
    )


def _forgetting() -> doc.Section:
    curves = {name: sensitivities(cells.vanilla(name)) for name in ("sigmoid", "tanh")}
    return doc.Section(
        "Vanishing means forgetting",
        [
            doc.Paragraph(
                "How much the last output depends on an early input is the same product: the derivative of the output of "
                "step T in the input of step k."
            ),
            doc.Equation(_sensitivity()),
            doc.Figure(
                lambda: figures.norms_against_distance(curves, ylabel=r"$\|\partial y^T/\partial x^k\|_2$"),
                "Sensitivity of the last output to the input k steps before it, gain 1.",
                "Sensitivity of the last output to earlier inputs",
            ),
        ],
    )


def _sensitivity() -> pr.Math:
    d = derive(cells.vanilla("sigmoid"))
    y = tm.At("y", tm.T, *d.net.shape("y")).math(d.net.notation)
    left = pr.derivative(y, pr.with_index(pr.Letter("x"), pr.Letter("k")))
    return pr.Infix(("", "="), (left, d.chain("x[k]", of="y[T]").math(d.net.notation)), pr.RELATION)


def _bidirectional() -> doc.Section:
    net = cells.bidirectional_rnn()
    d = derive(net)
    words = doc.Paragraph(
        "Against forgetting, a second recurrence reads the sequence from the right; the output sees both states. Here the "
        "loss reads the last step, where the right-to-left state has seen one token only: the gradient of its weights "
        "has a single term. With a loss at every step both have all."
    )
    weights = [p for p in net.parameters if p.startswith("W_") and p != "W_y"]
    graph = doc.Figure(
        lambda: figures.unrolled_graph(net, 3),
        "The bidirectional network over three steps.",
        "Bidirectional network unrolled",
    )
    every = cells.loss(net, at="every")
    both = derive(every)
    return doc.Section(
        "The bidirectional network",
        [words, parts.equations(net), graph, *[_result(d, w, 3) for w in weights],
         doc.Paragraph("With a loss at every step, for any T:"), *[_result(both, w, tm.T) for w in weights],
         *parts.jacobian_section(d).blocks],
    )  # fmt: skip


def _vanilla() -> doc.Section:
    net = cells.vanilla()
    d = derive(net)
    return doc.Section(
        "Vanilla RNN, the usual form",
        [parts.equations(net), *parts.jacobian_section(d).blocks, *parts.adjoint_section(d).blocks[1:]],
    )


def _lstm() -> doc.Section:
    net = cells.lstm()
    d = derive(net)
    open_, half = _lstm_chains(net, d, 3.0), _lstm_chains(net, d, 0.0)
    path = {
        "cell path, forget bias 3": open_[0],
        "full state, forget bias 3": open_[1],
        "cell path, forget bias 0": half[0],
        "full state, forget bias 0": half[1],
        "simple RNN, tanh": chain_norms(cells.vanilla()),
    }
    return doc.Section(
        "LSTM",
        [
            parts.equations(net),
            *parts.jacobian_section(d).blocks,
            doc.Paragraph(
                "Along the cell state alone the factor is the forget gate on the diagonal: like the skip connection of a "
                "residual network, it passes the gradient on as long as the gate is open. It is one path among several: the "
                "full derivative of the state is the block matrix above."
            ),
            _result(d, "W_f", tm.T),
            doc.Figure(
                lambda: figures.norms_against_distance(path),
                "The cell path alone and the full state [h, C], with the forget gate open (bias 3) and half open (bias 0); "
                "a simple RNN of the same size on the same input, gain 1.",
                "Norms of the chain of an LSTM along its cell path",
            ),
            *parts.adjoint_section(d).blocks,
        ],
    )


def _lstm_chains(net: Recurrence, d: Derivation, bias: float) -> tuple[Any, Any]:
    """log10 norms along the cell path ∏ diag(f) alone, and of the full state's block Jacobian."""
    params, inputs = _random_run(net, 60, 32, 1.0, SEED)
    params["b_f"] = params["b_f"] + bias
    (states, lag), *_ = parts.loops(d)
    grid = [[d.jacobians(v, u, lag)(params, inputs)["J"] for u in states] for v in states]
    k = states.index("C")
    return _running_norms(grid[k][k]), _running_norms(np.block(grid))


def _gru() -> doc.Section:
    net = cells.gru()
    d = derive(net)
    return doc.Section(
        "GRU, a lighter LSTM",
        [
            parts.equations(net),
            *parts.jacobian_section(d).blocks,
            _result(d, "W_z", tm.T),
            *parts.adjoint_section(d).blocks[1:],
        ],
    )


def _numbers(d: Derivation) -> doc.Section:
    params, inputs = example(d.net)
    return parts.numbers_section(d, params, inputs, "W", 3, "The example in numbers")


def _exactly_true() -> doc.Section:
    items = [
        "“ReLU makes gradients explode”: the product is bounded by the norms of the active sub-matrices of U; with small "
        "recurrent weights, or dead units, it vanishes.",
        "“tanh against explosion”: its slope is at most 1, but with ‖U‖ > 1 a product of factors may still grow.",
        "“The cell path does not vanish”: only while the forget gate stays near 1; at f = σ(0) = 1/2 it is 2 to the power −T.",
        "“A bidirectional network does not forget”: it shortens the distance from the loss to a token only where the loss "
        "reads both ends, or every step.",
    ]
    return doc.Section("Where the lecture simplifies, what is exactly true", [doc.Bullets(items)])
