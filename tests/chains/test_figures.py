"""Figures: every one of every network is drawn, readable, and the same bytes again."""

from __future__ import annotations

import re
import warnings
from itertools import pairwise

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg

import rnnderive as rd
from rnnderive.chains.figures import FIGURES
from rnnderive.errors import InputError
from rnnderive.language import Recurrence
from rnnderive.printing.style import style
from tests.chains.nets import CELLS, TEXTS, analysis, at, network, tanh_net

pytestmark = pytest.mark.filterwarnings("error")  # a glyph that is missing, a layout that does not fit

WITHOUT_GATES = [n for n in FIGURES if "gate" not in n]


def figures_of(found):
    return FIGURES if found.gates else WITHOUT_GATES


def drawn(found, name, **options):
    with style():
        artist = getattr(found.plot, name)(**options)
        figure = artist if hasattr(artist, "savefig") else artist.figure
        FigureCanvasAgg(figure).draw()
    return figure  # laid out


def readable(figure):
    """Legends and labels are within the picture and off the data; ticks do not run into each other."""
    with style():
        canvas = FigureCanvasAgg(figure)
        renderer = canvas.get_renderer()
        whole = figure.bbox
        for ax in figure.axes:
            area = ax.get_window_extent(renderer)
            assert area.height > 0.25 * whole.height / max(1, len(figure.axes) - 1) or area.width < 0.1 * whole.width
            legend = ax.get_legend()
            if legend is not None:
                box = legend.get_window_extent(renderer)
                assert box.y0 >= area.y1 - 1, "the legend covers data"
                assert whole.x0 - 1 <= box.x0 and box.x1 <= whole.x1 + 1 and box.y1 <= whole.y1 + 1
                assert all(t.get_text() for t in legend.get_texts())
            for axis in (ax.xaxis, ax.yaxis):
                if axis.get_label().get_text():
                    assert not axis.get_label().get_window_extent(renderer).overlaps(area)
                labels = [t for t in axis.get_ticklabels() if t.get_visible() and t.get_text()]
                boxes = [t.get_window_extent(renderer) for t in labels]
                inside = [b for b in boxes if b.width and whole.x0 <= b.x0 and b.x1 <= whole.x1]
                straight = [b for b, t in zip(boxes, labels, strict=True) if not t.get_rotation() and b in inside]
                assert not any(a.overlaps(b) for a, b in pairwise(straight))
                assert not any(b.overlaps(area) for b in straight)


@pytest.mark.parametrize("name", [n for n in (*CELLS, *TEXTS) if n != "stacked_lstm"])
def test_the_norms_of_every_network_are_drawn(name):
    readable(drawn(analysis(name), "norms"))


@pytest.mark.parametrize("name", ["lstm", "vanilla"])
@pytest.mark.parametrize("figure", FIGURES)
def test_every_figure_is_readable(figure, name):
    found = analysis(name)
    if figure in figures_of(found):
        readable(drawn(found, figure))


@pytest.mark.parametrize("figure", ["paths", "gates", "gate_means", "contributions"])
def test_the_figures_of_the_largest_cell_are_readable(figure):
    """Eleven paths and six gates."""
    readable(drawn(analysis("stacked_lstm"), figure))


@pytest.mark.parametrize("figure", FIGURES)
def test_every_figure_is_readable_for_a_batch_and_for_one_step(figure):
    many, one = analysis("loss at every step", 5, 3), analysis("loss at every step", 1)
    if figure in WITHOUT_GATES:
        readable(drawn(many, figure))
        readable(drawn(one, figure))
    else:
        readable(drawn(analysis("mingru", 5, 3), figure, member=2))


@pytest.mark.parametrize("figure", FIGURES)
def test_the_same_analysis_gives_the_same_bytes(figure):
    here = at("mgu")
    first, second = (rd.analyze(network("mgu"), here.params, here.inputs).plot.svg(figure) for _ in range(2))
    assert first == second and first.startswith("<svg") and "<dc:date>" not in first


def with_tokens(tokens):
    here = rd.checks.point(network("mgu"), T=len(tokens))
    return rd.analyze(network("mgu"), here.params, here.inputs, tokens=tokens)


TOKENS = ["мама", "мыла", "раму", "$5", "$x$", "snake_case", "\\alpha", "100%", "#", "{", "^", "é", "«да»", "—"]


def test_tokens_stand_below_as_they_are():
    """Cyrillic, and signs that would start a formula."""
    found = with_tokens(TOKENS)
    for name in ("gates", "gate_means"):
        figure = drawn(found, name)
        readable(figure)
        panel = next(ax for ax in figure.axes if [t.get_text() for t in ax.get_xticklabels()][:1] == [TOKENS[0]])
        assert len(panel.get_xticklabels()) == len(TOKENS)
        assert [t.get_text().replace("\\$", "$") for t in panel.get_xticklabels()] == TOKENS


def test_a_dollar_sign_is_no_formula():
    """Two of them would be: what is drawn differs from what stands between them set as a formula."""
    found = with_tokens(["$x$", "b", "c"])
    figure = drawn(found, "gate_means")
    (ax,) = figure.axes
    text = ax.get_xticklabels()[0]
    assert text._preprocess_math(text.get_text()) == ("$x$", False)


def test_many_tokens_give_way_to_numbers():
    found = with_tokens([f"word{k}" for k in range(60)])
    (ax,) = drawn(found, "gate_means").axes
    assert ax.get_xlabel() == "step $t$"


def test_a_figure_goes_into_axes_that_are_given():
    from matplotlib.figure import Figure

    figure = Figure()
    left, right = figure.subplots(1, 2)
    found = analysis("lstm")
    assert found.plot.norms(ax=left) is left and found.plot.contributions("W_f", "x", ax=right) is right
    assert len(left.lines) == 3 and len(right.lines) == 2  # chain, gradient and the bound along this run
    assert left.get_xlabel() == "distance $T-k$ in steps"


def test_curves_are_the_numbers():
    found = analysis("vanilla")
    (ax,) = drawn(found, "norms").axes
    by_label = {line.get_label().split()[0]: line for line in ax.lines}
    np.testing.assert_allclose(by_label["chain"].get_ydata(), found.operator / np.log(10))
    np.testing.assert_allclose(by_label["gradient"].get_ydata(), (found.gradient - found.gradient[0]) / np.log(10))
    whatever = next(line for line in ax.lines if "whatever" in line.get_label())
    np.testing.assert_allclose(whatever.get_ydata(), found.bounds.whatever / np.log(10))


def test_a_dead_member_of_a_batch_does_not_hide_the_others():
    """The median of two that live and one that died is drawn; where most died the curve ends."""
    x = np.ones((30, 5, 1))
    x[20, :2], x[10, :3] = -50.0, -50.0
    found = rd.analyze(
        tanh_net(activation="relu"), {"W": np.ones((2, 1)), "U": 0.9 * np.eye(2)},
        {"x": x, "target": np.ones((5, 2))},
    )  # fmt: skip
    (ax,) = drawn(found, "norms").axes
    line = next(line for line in ax.lines if line.get_label().startswith("chain"))
    assert np.isfinite(line.get_ydata()[:20]).all() and np.isnan(line.get_ydata()[20:]).all()


def test_a_chain_without_a_loss_is_drawn_without_its_gradient():
    net = Recurrence.parse("h[t] = tanh(U @ h[t-1])", loss=None)
    found = rd.analyze(net, {"U": np.eye(2) / 2}, {"T": 9})
    readable(drawn(found, "norms"))
    (ax,) = drawn(found, "norms").axes
    assert not any("gradient" in line.get_label() for line in ax.lines)


def test_long_curves_are_thinned():
    net = Recurrence.parse("h[t] = u * h[t-1]\nL = sum(h[T])")
    found = rd.analyze(net, {"u": np.array([0.999])}, {"h0": np.ones(1), "T": 20_000})
    (ax,) = drawn(found, "norms").axes
    assert max(len(line.get_xdata()) for line in ax.lines) <= 4001
    assert max(line.get_xdata()[-1] for line in ax.lines) == 20_000


@pytest.mark.parametrize("name", ["vanilla", "lstm", "loss at every step"])
@pytest.mark.parametrize("steps", [1, 2, 3, 12])
def test_ticks_tell_the_truth_and_no_two_the_same(name, steps):
    """A label says the number that stands there, which is a round one, and there are enough of them."""
    found = analysis(name, steps)
    for figure in ("norms", "contributions", "paths"):
        (ax,) = drawn(found, figure).axes
        low, high = ax.get_ylim()
        ticks = [
            (place, label.get_text())
            for place, label in zip(ax.get_yticks(), ax.get_yticklabels(), strict=True)
            if low <= place <= high
        ]
        assert len({words for _, words in ticks}) == len(ticks) >= 2
        for place, words in ticks:
            digits = re.sub(r"\$|\\cdot ?", "", words).replace("10^{", "1e").replace("}", "")
            digits = re.sub(r"^([\d.]+)1e", r"\1e", digits)
            assert float(digits) == pytest.approx(10.0**place, rel=1e-3)
            assert len(digits.split("e")[0].replace(".", "").strip("0")) <= 3, "no round number"
        places = [p for p in ax.get_xticks() if ax.get_xlim()[0] <= p <= ax.get_xlim()[1]]
        assert places and all(p == round(p) for p in places)


def test_nothing_is_an_empty_picture_at_one_step():
    """Every curve in the legend is seen, or said to be zero."""
    found = analysis("lstm", 1)
    for figure in ("norms", "contributions", "paths", "gate_means", "drift"):
        (ax,) = drawn(found, figure).axes
        for line in ax.lines:
            seen = np.isfinite(line.get_ydata()).any() and (line.get_marker() != "None" or len(line.get_xdata()) > 1)
            assert seen or line.get_label().endswith(": exactly zero")


def test_figures_that_apply_are_those_that_can_be_drawn(monkeypatch):
    assert "truncation" not in analysis("lstm", 1).plot.applicable
    assert analysis("lstm").plot.applicable == FIGURES
    assert analysis("vanilla").plot.applicable == tuple(WITHOUT_GATES)
    monkeypatch.setattr("rnnderive.chains.figures.MOST_BYTES", 100)  # what all Jacobians take is more
    assert set(FIGURES) - set(analysis("lstm").plot.applicable) == {"spectrum"}


def test_the_figures_of_a_long_run_are_small_files():
    """A hundred thousand steps in less than a megabyte each, and the means are means."""
    rng = np.random.default_rng(0)
    net = Recurrence.parse("f[t] = sigmoid(w * x[t])\ns[t] = f[t] * s[t-1] + x[t]\nL = sum(s[T])")
    x = rng.standard_normal((100_000, 6))
    found = rd.analyze(net, {"w": np.ones(6)}, {"x": x})
    for name in ("norms", "contributions", "gates", "gate_means", "drift"):
        assert len(found.plot.svg(name)) < 1_000_000, name
    (ax,) = drawn(found, "gate_means").axes
    line = ax.lines[0]
    assert len(line.get_xdata()) == 2000 and ax.get_ylabel() == "mean over the units and 50 steps"
    np.testing.assert_allclose(line.get_ydata()[3], (1 / (1 + np.exp(-x[150:200]))).mean())
    assert line.get_xdata()[3] == 175.5


def test_a_flat_curve_of_truncation_says_why():
    """All chunks end in the same eight steps: 200 mod 16 = 200 mod 32 = 200 mod 64 = 8."""
    last, every = (drawn(analysis(n, 20), "truncation").axes[0] for n in ("vanilla", "loss at every step"))
    assert "$T$ mod $K$" in last.get_legend_handles_labels()[1][1]
    assert "$T$ mod $K$" not in every.get_legend_handles_labels()[1][1]
    assert [t.get_text() for t in last.get_xticklabels()] == ["1", "2", "4", "8", "16", "20"]


def test_what_is_not_there_is_named():
    with pytest.raises(InputError, match="with the states h, has no gate to draw"):
        analysis("vanilla").plot.gates()
    with pytest.raises(InputError, match="with the states h, has no gate to draw"):
        analysis("vanilla").plot.gate_means()
    with pytest.raises(InputError, match="'q' is no state; there are h, C"):
        analysis("lstm").plot.drift(state="q")
    with pytest.raises(InputError, match="there is no figure 'norm'; there are norms, contributions"):
        analysis("lstm").plot.svg("norm")


def test_glyphs_of_a_script_that_the_fonts_lack_are_noticed():
    """The test above would notice: a missing glyph is a warning, and here every warning is an error."""
    with pytest.raises(UserWarning, match="Glyph"), warnings.catch_warnings():
        drawn(with_tokens(["\U0001f9ff", "b"]), "gate_means")


def test_gates_are_drawn_into_a_subfigure():
    from matplotlib.figure import Figure

    left, right = Figure(layout="constrained").subfigures(1, 2)
    assert analysis("lstm").plot.gates(figure=left) is left
    assert len(left.axes) == 4 and not right.axes  # three gates and the colours


def labels(ax):
    return [t.get_text() for t in ax.get_legend().get_texts()]


def test_words_stand_below_the_steps_of_every_figure_over_steps():
    net = rd.cells.lstm()
    words = ["a", "cat", "exists"]
    params = rd.weights.initialise(net, 0, sizes={"h": 4, "x": 2, "y": 1})
    found = rd.analyze(net, params, {"x": np.ones((3, 2)), "target": np.ones(1)}, tokens=words)
    for name in ("contributions", "drift", "gate_means"):
        ax = getattr(found.plot, name)()
        assert [t.get_text() for t in ax.get_xticklabels()] == words, name


def test_a_bound_far_above_the_measurement_leaves_the_picture_and_says_so():
    """U is nilpotent up to 10⁻³: norms fall, while the bound ‖U‖₂^l grows by a power of ten a step."""
    net = Recurrence.parse("h[t] = tanh(U @ h[t-1])\nL = sum(h[T])")
    U = np.array([[0.5, 10.0], [0.0, 0.5]])
    ax = rd.analyze(net, {"U": U}, {"T": 60, "h0": np.full(2, 1e-9)}).plot.norms()
    assert ax.get_ylim()[1] < 20
    assert any(re.search(r"bound along this run, leaves the picture for \$10\^\{6\d\}", w) for w in labels(ax))
    ax = rd.analyze(net, {"U": 0.5 * np.eye(2)}, {"T": 60, "h0": np.full(2, 1e-9)}).plot.norms()
    assert not any("leaves" in w for w in labels(ax))


def test_a_bias_of_zero_is_said_and_the_last_numbers_do_not_collide():
    net = Recurrence.parse("h[t] = tanh(U @ h[t-1] + x[t])\nL = sum(h[T])")
    ax = rd.analyze(net, {"U": 0.9 * np.eye(2)}, {"x": np.full((70, 2), 0.1)}).plot.truncation()
    assert "; 0 for $K > 64$" in labels(ax)[0]
    assert ax.get_xticks().tolist() == [1, 2, 4, 8, 16, 32, 70]


def test_a_step_that_adds_exactly_nothing_is_said():
    """W_f multiplies C0 = 0 at step 1, so that its summand there is 0; that of W_i is not."""
    net = rd.cells.lstm()
    params = rd.weights.initialise(net, 0, sizes={"h": 4, "x": 2, "y": 1})
    found = rd.analyze(net, params, {"x": np.ones((9, 2)), "target": np.ones(1)})
    ax = found.plot.contributions("W_f", "W_i")
    assert ["0 where not drawn" in w for w in labels(ax)] == [True, False]
