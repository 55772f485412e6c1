"""Layouts: linear maps, whose transposes are never written by hand."""

from __future__ import annotations

import numpy as np
import pytest

import rnnderive as rd
from rnnderive.errors import InputError
from rnnderive.hand.axes import Axes
from rnnderive.hand.callables import read_callable
from rnnderive.hand.layouts import Layout
from rnnderive.hand.placed import Placed
from rnnderive.hand.presets import PRESETS, preset
from rnnderive.hand.problem import Problem, with_upstream
from rnnderive.hand.sizes import own_point
from rnnderive.weights import layouts as weight_layouts
from rnnderive.weights.layouts import cut

LAYOUTS = {
    "gates side by side": ("lstm", "W = [W_f.T | W_i.T | W_C.T | W_o.T]\nb = [b_f | b_i | b_C | b_o]: 1 n"),
    "[x; h]": ("lstm", "A = [W_f[x] | W_f[h]]\nB = [[W_i[x] | W_i[h]] ; [W_C[x] | W_C[h]]].T"),
    "bias as a column": ("lstm", "W = [W_f | b_f]\nV = [W_i.T ; b_i]"),
    "two biases": ("vanilla", "b1 + b2 = b_h\nVb = [V | b_y]"),
    "three biases": ("vanilla", "b1 + b2 + b3 = b_h: n 1"),
    "interleaved": ("gru", "W3 = interleave(W_z, W_r, W)\nb3 = interleave(b_z, b_r): 1 n"),
    "other polarity": ("gru", "Wz = -W_z\nbz = -b_z: n 1"),
    "sequences": ("gru", "xs = x: n t\nh0 = h0: 1 n"),
    "lists": ("gru", "xs = x: [t] n 1\nbz = b_z: n 1"),
    "slot": ("gru", "xs = x: t+1 n"),
    "padded": ("gru", "b = [b_z ; b_r ; 0 * b_z]"),
    "rows": ("gru_reset_after", "b = rows([0.625 * b_r ; b_n], [0.375 * b_r ; c_n])"),
}
FRAMEWORKS = [
    (f, c)
    for f in PRESETS
    for c in ("vanilla", "lstm", "peephole_lstm", "gru", "gru_reset_after")
    if not (c == "gru" and f in ("pytorch", "cudnn"))
    and not (c == "peephole_lstm" and f not in ("onnx", "tflite"))
    and not (f == "tflite" and "lstm" not in c)
]


def placed(layout: Layout | str, cell: str, batch: int | None = None) -> Placed:
    problem = Problem(getattr(rd.cells, cell)(), batch=batch)
    return Placed(Layout.of(layout), problem, problem.sizes, problem.T, batch)


def every_layout():
    yield from (pytest.param(text, cell, None, id=name) for name, (cell, text) in LAYOUTS.items())
    for framework, cell in FRAMEWORKS:
        layout = preset(framework, getattr(rd.cells, cell)())
        yield pytest.param(layout, cell, 2, id=f"{framework} {cell}")


@pytest.mark.parametrize(("layout", "cell", "batch"), list(every_layout()))
def test_gradients_go_back_by_the_transpose(layout, cell, batch):
    """⟨map(v), g⟩ = ⟨v, transpose(g)⟩ for gradients g, which are equal for arrays that are added."""
    here = placed(layout, cell, batch)
    at = here.problem.point
    mine = {n: here.flat(here.entries[n], a) for n, a in here.arrays(at).items()}
    rng = np.random.default_rng(0)
    cotangent = {n: rng.normal(size=np.shape(at[n])) for n in here.given if n in at.params or n in at.inputs}
    # A gradient in the person's layout: the cell's, where each entry of the person's is one; shares have it whole.
    grads = {n: pushed(here, n, cotangent) for n in mine}
    back, words = here.pulled(grads)
    assert words == []
    left = sum((mine[n] * grads[n]).sum() for n in mine)
    right = sum((at[n] * back[n]).sum() for n in back)
    assert np.isclose(left, right, rtol=1e-12)
    for n, g in back.items():
        assert np.allclose(g, cotangent[n], rtol=1e-12)


def pushed(here: Placed, name: str, cotangent):
    """The gradient in an array of the person's whose transposed map gives the cotangent back."""
    matrix = here.matrix(here.entries[name])
    flat = np.concatenate([np.asarray(cotangent[n]).ravel() for n in matrix.shapes])
    return np.where(matrix.source >= 0, np.sign(matrix.factor) * flat[matrix.source], 0.0)


@pytest.mark.parametrize(("layout", "cell", "batch"), list(every_layout()))
def test_arrays_go_there_and_back(layout, cell, batch):
    here = placed(layout, cell, batch)
    at = here.problem.point
    back = here.point(here.arrays(at))
    for name in (*at.params, *at.inputs):
        assert np.allclose(back[name], at[name], rtol=1e-14), name


def test_the_map_agrees_with_its_expression():
    """The matrix, found from two evaluations, against the expression itself."""
    here = placed("W = [W_f[x] | W_f[h]]\nb1 + b2 = b_f\nv = interleave(b_i, b_C): 1 n", "lstm")
    at, mine = here.problem.point, here.arrays(here.problem.point)
    n = at["W_f"].shape[0]
    assert np.array_equal(mine["W"], np.hstack([at["W_f"][:, n:], at["W_f"][:, :n]]))
    assert np.allclose(mine["b1"] + mine["b2"], at["b_f"], rtol=1e-15) and not np.allclose(mine["b1"], mine["b2"])
    assert np.array_equal(mine["v"][0, ::2], at["b_i"]) and np.array_equal(mine["v"][0, 1::2], at["b_C"])


def test_gradients_of_added_arrays_must_be_equal():
    here = placed("b1 + b2 = b_h", "vanilla")
    g = np.ones(here.problem.point["b_h"].shape)
    back, words = here.pulled({"b1": g, "b2": 2 * g})
    assert np.array_equal(back["b_h"], g)
    assert words == ["the gradients of b1 and b2 differ, though the two are only ever added"]


def test_gradients_of_added_entries_of_one_array_must_be_equal():
    here = placed("b = rows(0.625 * b_h, 0.375 * b_h)", "vanilla")
    n = len(here.problem.point["b_h"])
    g = np.arange(1.0, n + 1)
    back, words = here.pulled({"b": np.stack([g, g])})
    assert np.array_equal(back["b_h"], g) and words == []
    _, words = here.pulled({"b": np.stack([g, 0 * g])})
    assert words == ["in the gradient of b, entries differ that are gradients of what is only ever added"]


def test_half_of_a_gradient_is_no_gradient():
    here = placed("A = W_f[x]\nB = W_f[h]", "lstm")
    back, words = here.pulled({"A": np.ones(np.shape(here.arrays(here.problem.point)["A"]))})
    assert back == {} and "only a part of the gradient of W_f" in words[0]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("W", "expected 'name = parts"),
        ("W = [W_f | ", "a name should stand"),
        ("W = W_f $ W_i", "cannot be read"),
        ("W = W_f W_i", "is too much"),
        ("W = W_f: t q", "'q' is no axis"),
        ("W = W_f: n n", "stands twice"),
        ("a + b + c + d = b_f", "at most 3"),
        ("a = b_f\na = b_i", "said twice"),
    ],
)
def test_a_layout_that_cannot_be_read_says_where(text, said):
    with pytest.raises(InputError, match=r"layout|axes") as error:
        Layout.parse(text)
    assert said in str(error.value)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("W = W_q", "the cell has no W_q"),
        ("W = W_f[x]", "of W_f only 12 of 28 entries"),
        ("W = W_f[y]", "is multiplied with h"),
        ("W = [W_f | b_y]", "does not fit together"),
        ("xs = x: n", "no place for time"),
        ("b = b_f.T", "only a matrix is transposed"),
    ],
)
def test_a_layout_that_does_not_fit_the_cell_says_why(text, said):
    with pytest.raises(InputError) as error:
        placed(text, "lstm").arrays(Problem(rd.cells.lstm()).point)
    assert said in str(error.value)


def test_frameworks_have_no_layout_for_other_cells():
    for name, cell, said in (
        ("pytorch", "gru", "declare gru_reset_after"),
        ("pytorch", "peephole_lstm", "no peepholes"),
        ("keras", "coupled_lstm", "no framework"),
        ("tflite", "gru", "LSTM"),
        ("chainer", "lstm", "there is no layout 'chainer'"),
    ):
        with pytest.raises(InputError, match=said):
            preset(name, getattr(rd.cells, cell)())


@pytest.mark.parametrize(("framework", "cell"), [("pytorch", "lstm"), ("keras", "lstm"), ("onnx", "lstm")])
def test_presets_agree_with_the_reader_of_weight_files(framework, cell):
    """The gates cut out of a preset's arrays by the code that reads weight files are the cell's."""
    here = placed(preset(framework, getattr(rd.cells, cell)()), cell, batch=2)
    at, mine = here.problem.point, here.arrays(here.problem.point)
    keys = {
        "pytorch": ("weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "bias_hh_l0"),
        "keras": ("kernel", "recurrent_kernel", "bias"),
    }
    if framework == "onnx":
        arrays = (mine["W"][0], mine["R"][0], *np.split(mine["B"][0], 2))
    else:
        arrays = tuple(mine[k] for k in keys[framework])
    half = cut(weight_layouts.LAYOUTS[framework, cell], "test", *arrays)
    n = at["W_f"].shape[0]
    for letter, gate in {"i": "i", "f": "f", "o": "o", "g": "C"}.items():
        assert np.array_equal(np.hstack([half.U[letter], half.W[letter]]), at[f"W_{gate}"])
        assert np.allclose(half.b[letter] + half.c[letter], at[f"b_{gate}"], rtol=1e-15)
        assert half.U[letter].shape == (n, n)


def test_sequences_lie_as_each_framework_documents():
    """Time, batch and entries: PyTorch and ONNX time first, Keras and TensorFlow Lite batch first."""
    T, B, d, n = 6, 2, 3, 4
    for framework, name, shape in (
        ("pytorch", "x", (T, B, d)), ("keras", "x", (B, T, d)), ("onnx", "X", (T, B, d)), ("tflite", "x", (B, T, d)),
        ("pytorch batch_first", "x", (B, T, d)), ("cudnn", "x", (T, B, d)), ("onnx", "initial_h", (1, B, n)),
    ):  # fmt: skip
        here = placed(preset(framework, rd.cells.lstm()), "lstm", batch=B)
        assert here.arrays(here.problem.point)[name].shape == shape, framework


def test_axes_print_as_they_are_read():
    for text in ("t b n", "[t] n 1", "[t+1] b n", "m n", "[t] index", "b length"):
        assert str(Axes.parse(text)) == text


def program(net, layout: str, T: int = 7):
    """A person's program in a layout, and arrays of theirs: the library's own program behind it."""
    problem = Problem(net, T)
    here = Placed(Layout.parse(layout), problem, problem.sizes, T)
    mine = here.arrays(problem.point)
    gradient = rd.derive(net).lambdify()

    def fn(params, inputs):
        at = here.point({**params, **inputs})
        loss, grads = gradient(at.params, at.inputs)
        return loss, {n: pushed(here, n, grads) for n in params}

    params = {n: a for n, a in mine.items() if here.about(here.entries[n]) == "parameter"}
    return fn, params, {n: a for n, a in mine.items() if n not in params and not n.endswith("0")}


@pytest.mark.parametrize(
    ("cell", "text"),
    [
        ("lstm", "Wx = [W_f[x] ; W_i[x] ; W_o[x] ; W_C[x]].T\nWh = [W_f[h] ; W_i[h] ; W_o[h] ; W_C[h]].T\n"
                 "b = [b_f ; b_i ; b_o ; b_C]: 1 n\nxs = x: n t\nnone = h0, C0"),
        ("gru", "Wz = [-W_z[x] | -W_z[h]]\nWr = [W_r[x] | W_r[h]]\nWh = [W[x] | W[h]]\nbz = -b_z: n 1\n"
                "br = b_r: n 1\nnone = h0"),
        ("lstm", "\n".join(f"A{k} = [W_{s}[h] | W_{s}[x]]\nc{k} = b_{s}" for k, s in enumerate("oCif"))
                 + "\nout = W_y\nend = b_y\nxs = x: n t\nnone = h0, C0"),
        ("vanilla", "Wxh = W\nWhh = U\nWhy = V\nbh = b_h: n 1\nby = b_y: n 1\nxs = x: [t] n 1\nnone = h0"),
    ],
)  # fmt: skip
def test_search_finds_the_layout_by_the_forward(cell, text):
    net = getattr(rd.cells, cell)()
    fn, params, inputs = program(net, text)
    problem = Problem(net)
    code = read_callable(fn, problem, layout="search", params=params, inputs=inputs)
    missing = {"x = x: t n"} if cell == "gru" else set()
    assert set(str(code.layout).splitlines()) == set(str(Layout.parse(text)).splitlines()) | missing
    assert "the forward fits this one" in code.remarks[0] and "more fit" not in code.remarks[0]


def test_search_says_so_when_two_layouts_fit():
    """With both matrices square and alike in all but name, and zero states, nothing tells f from f."""
    net = rd.Recurrence.parse("""
        h[t] = tanh(W @ x[t] + U @ h[t-1] + b + c)
        L    = squared_error(h[T], target)
    """)
    fn, params, inputs = program(net, "p = b\nq = c\nA = W\nB = U\nnone = h0")
    code = read_callable(fn, Problem(net), layout="search", params=params, inputs=inputs)
    assert "more fit as well" in code.remarks[0]


def test_search_says_so_when_none_fits():
    fn, params, inputs = program(rd.cells.gru(), "Wz = W_z\nWr = W_r\nWh = W\nnone = h0")
    other = rd.Recurrence.parse(str(rd.cells.gru()).replace("tanh", "relu"))
    with pytest.raises(InputError, match="none of 48 layouts"):
        read_callable(fn, Problem(other), layout="search", params=params, inputs=inputs)


def test_search_without_arrays_tries_the_frameworks():
    net = rd.cells.lstm()
    fn, _, _ = program(net, str(preset("keras time_first", net)), T=6)
    code = read_callable(fn, Problem(net), layout="search")
    assert code.layout.name == "keras time_first"


def test_a_function_is_a_layout():
    """Of the person's arrays into the cell's, with slices, a sum of two biases and a transpose."""
    net = rd.cells.vanilla()
    text = "A = [W | U].T\nb1 + b2 = b_h\nVb = [V | b_y]\nxs = x: n t\nnone = h0"
    fn, params, inputs = program(net, text)

    def into(p, i):
        d = i["xs"].shape[0]
        return (
            {"W": p["A"].T[:, :d], "U": p["A"].T[:, d:], "b_h": p["b1"] + p["b2"], "V": p["Vb"][:, :-1],
             "b_y": p["Vb"][:, -1]},
            {"x": i["xs"].T, "target": i["target"]},
        )  # fmt: skip

    problem = Problem(net)
    code = read_callable(fn, problem, layout=into, params=params, inputs=inputs)
    at = code.at(problem)
    claims, run = code.claims(problem, at), problem.run(at)
    assert claims.problems == () and set(claims.grads) >= set(net.parameters)
    for name in net.parameters:
        assert np.allclose(claims.grads[name], run[problem.gradients[name]], rtol=1e-10)


def test_a_function_that_is_not_linear_is_no_layout():
    net = rd.cells.vanilla()
    fn, params, inputs = program(net, "A = W\nnone = h0")
    with pytest.raises(InputError, match="not linear"):
        read_callable(
            fn, Problem(net), params=params, inputs=inputs,
            layout=lambda p, i: ({**{n: a for n, a in p.items() if n != "A"}, "W": p["A"] ** 2}, i),
        )  # fmt: skip


def test_upstream_gradients_have_axes_too():
    net = with_upstream(rd.cells.vanilla(), "h")
    problem = Problem(net, batch=2)
    here = Placed(Layout.parse("dh = up_h: b t n"), problem, problem.sizes, 6, 2)
    assert np.array_equal(here.arrays(problem.point)["dh"], problem.point["up_h"].transpose(1, 0, 2))
    assert here.upstream == ("dh",)


def test_a_gradient_from_outside_lies_as_what_it_is_the_gradient_of():
    cell = rd.Recurrence.parse("h[t] = tanh(W @ x[t] + U @ h[t-1])", loss=None)

    def forward(x, h0, W, U):  # rows, time in the middle
        states = [h0]
        for t in range(x.shape[1]):
            states.append(np.tanh(x[:, t] @ W.T + states[-1] @ U.T))
        return np.stack(states[1:], axis=1), (x, states, W, U)

    def backward(dh, cache):
        x, states, W, U = cache
        dW, dU, d = np.zeros_like(W), np.zeros_like(U), 0
        for t in reversed(range(x.shape[1])):
            a = (d + dh[:, t]) * (1 - states[t + 1] ** 2)
            dW, dU, d = dW + a.T @ x[:, t], dU + a.T @ states[t], a @ U
        return dW, dU

    verdict = rd.verify(
        cell, backward, forward=forward, upstream="h", batch=3, outputs="h cache", names="dW dU",
        layout="x = x: b t n\nh = h: b t n",
    )  # fmt: skip
    assert verdict.ok, str(verdict)


def test_own_arrays_tell_that_they_are_of_a_batch():
    net = rd.Recurrence.parse("s[t] = tanh(a * s[t-1] + x[t])\nL = sum(s[T])")
    gradient = rd.derive(net).lambdify()

    def batch_first(params, inputs):
        loss, grads = gradient(params, {"x": np.swapaxes(inputs["xs"], 0, 1), "s0": inputs["s0"]})
        return loss, {"a": grads["a"], "s0": grads["s0"]}

    given = {"xs": np.ones((4, 7, 2)), "s0": 0.5 * np.ones((4, 2))}
    found = rd.verify(net, batch_first, layout="xs = x: b t n", params={"a": np.ones(2)}, inputs=given)
    assert found, str(found)
    one = {"xs": np.ones((7, 2)), "s0": np.ones(2)}
    at = own_point(Layout.parse("xs = x"), Problem(net), {"a": np.ones(2), **one})
    assert at.batch is None and at.T == 7
