"""Phase diagrams: what is drawn is what was asked for, and what is measured is what theory says."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterator
from concurrent.futures import Executor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import rnnderive as rd
from rnnderive import InputError
from rnnderive.chains.analysis import analyze
from rnnderive.chains.ensemble import KINDS, Ensemble
from rnnderive.chains.phases import Phases, phase_diagram
from rnnderive.chains.results import Record, ResultsError
from rnnderive.chains.setting import setting
from rnnderive.chains.sweep import processes
from rnnderive.chains.table import Sweep

SIZES = {"h": 12, "x": 2, "y": 1}
AXES = {"gain": [0.5, 1.5], "input_scale": [0.0, 1.0]}
LINEAR = "h[t] = U @ h[t-1] + W @ x[t]\nL = sum(h[T])"


def ensemble(cell: str = "rnn", **settings: Any) -> Ensemble:
    return Ensemble.of(rd.cells.load(cell), SIZES, **{"T": 40, **settings})


# ------------------------------------------------------------ what is drawn


def test_gain_multiplies_recurrent_weights_and_nothing_else() -> None:
    for cell, scheme, name in (("rnn", "pytorch", "U"), ("indrnn", "glorot", "u"), ("rnn", "irnn(scale=0.5)", "U")):
        one, two = (ensemble(cell, scheme=scheme, gain=g).draw(3)[0] for g in (1.0, 2.0))
        assert np.array_equal(two[name], 2 * one[name])
        assert all(np.array_equal(two[n], one[n]) for n in one if n != name)
    one, two = (ensemble("lstm", gain=g).draw(0)[0]["W_f"] for g in (1.0, 2.0))
    assert np.array_equal(two[:, :12], 2 * one[:, :12]) and np.array_equal(two[:, 12:], one[:, 12:])
    given = ensemble(roles={"recurrent": "identity"}, gain=0.7).draw(0)[0]["U"]
    assert np.array_equal(given, 0.7 * np.eye(12))


def test_scales_multiply_the_input_and_the_initial_state_alone() -> None:
    params, one = ensemble().draw(1)
    again, two = ensemble(input_scale=3.0, state_scale=0.0).draw(1)
    assert np.array_equal(two["x"], 3 * one["x"]) and "h0" not in two and one["h0"].any()
    assert np.array_equal(one["target"], two["target"])
    assert all(np.array_equal(params[n], again[n]) for n in params)


@pytest.mark.parametrize("cell", ["rnn", "lstm", "gru", "peephole_lstm", "stacked_lstm", "bidirectional_rnn", "mingru"])
def test_every_cell_of_the_library_has_an_ensemble(cell: str) -> None:
    sizes = {"h": 4, "x": 2, "y_hat" if cell == "peephole_lstm" else "y": 1}
    found = Ensemble.of(rd.cells.load(cell), sizes, T=30).measure(0)
    assert set(found) == {"rate", "lyapunov", "memory", "kind", "saturation", "gradient"}
    assert np.isfinite([found["rate"], found["lyapunov"], found["gradient"]]).all() and 0 <= found["saturation"] <= 1


def test_the_forget_bias_is_that_of_the_gate_that_keeps() -> None:
    assert (ensemble("lstm", forget_bias=2.0).draw(0)[0]["b_f"] == 2.0).all()
    assert (ensemble("gru", forget_bias=2.0).draw(0)[0]["b_z"] == -2.0).all()  # one minus z keeps


def test_targets_suit_their_loss() -> None:
    net = rd.cells.loss(rd.cells.readout(rd.cells.vanilla(), None), "cross_entropy", at="every")
    target = Ensemble.of(net, {"h": 3, "x": 2, "y": 5}, T=50).draw(0)[1]["target"]
    assert target.shape == (50, 5) and (target.sum(axis=1) == 1).all() and set(target.ravel()) == {0.0, 1.0}
    net = rd.cells.loss(rd.cells.readout(rd.cells.vanilla(), None), "binary_cross_entropy")
    assert set(Ensemble.of(net, {"h": 3, "x": 2, "y": 40}).draw(0)[1]["target"]) == {0.0, 1.0}


# ------------------------------------------------------------ what is measured


def test_a_linear_chain_has_the_rate_of_its_weights() -> None:
    """U = g Q: every singular value of P_{T,k} is g^(T−k)."""
    found = phase_diagram(LINEAR, {"gain": [0.5, 1.0, 1.25]}, sizes={"h": 5, "x": 1}, T=60)
    expected = np.log([0.5, 1.0, 1.25])
    assert np.allclose(found.grid("rate"), expected, atol=1e-12)
    assert np.allclose(found.grid("lyapunov"), expected, atol=1e-12)
    assert found.kinds.tolist() == ["vanishing", "critical", "exploding"]
    assert found.grid("memory").tolist() == [7.0, np.inf, np.inf]  # 2^−7 < 1 % < 2^−6
    assert found.critical("gain") == pytest.approx(1.0, abs=1e-12)


def test_measurements_are_those_of_the_analysis() -> None:
    nets = ensemble("lstm", gain=2.0)
    found, (params, inputs) = nets.measure(4), nets.draw(4)
    whole = analyze(nets.net, params, inputs)
    assert found["rate"] == whole.verdict.rate.value and found["memory"] == whole.verdict.memory
    assert KINDS[int(found["kind"])] == whole.verdict.kind
    _, gradients = rd.derive(nets.net).lambdify()(params, inputs)
    size = np.log(np.sqrt(sum((g**2).sum() for g in gradients.values())))
    assert found["gradient"] == pytest.approx(size, rel=1e-12)
    assert found["saturation"] == np.mean([s.saturated for s in whole.slopes if s.name not in "fio"])


def test_a_network_depends_on_its_point_and_the_seed_alone() -> None:
    """Points that are added, before or between, change no other; at one seed points differ by what they are."""
    few = phase_diagram("rnn", {"gain": [0.5, 1.5]}, sizes=SIZES, T=30, seeds=2)
    more = phase_diagram(
        "rnn", {"gain": [0.2, 0.5, 1.0, 1.5], "input_scale": [0.3, 1.0]}, sizes=SIZES, T=30, seeds=[5, 1, 0]
    )
    for name in ("rate", "lyapunov", "gradient"):
        assert np.array_equal(few.grid(name, None), more.grid(name, None)[1::2, 1, :0:-1])
    one, two = (ensemble(gain=g, T=T).draw(3) for g, T in ((1.0, 40), (2.0, 40)))
    assert np.array_equal(one[1]["x"], two[1]["x"]) and np.array_equal(2 * one[0]["U"], two[0]["U"])


@pytest.mark.parametrize(
    ("cell", "settings", "same"),
    [
        ("rnn", {"gain": 1.5, "input_scale": 0.3}, {"gain": 1.5, "scale": 0.3}),
        ("lstm", {"forget_bias": 2.0, "scheme": "pytorch"}, {"roles": {"forget_bias": 2.0}, "scheme": "pytorch"}),
        ("gru", {"forget_bias": 1.0, "T": 60}, {"roles": {"update_bias": 1.0}, "T": 60}),
    ],
)
def test_a_network_of_a_sweep_is_found_again_by_its_seed(cell: str, settings: Any, same: Any) -> None:
    measured = ensemble(cell, **settings).measure(7)
    found = setting(rd.cells.load(cell), sizes=SIZES, state_scale=1.0, seed=7, **{"T": 40, **same})
    verdict = analyze(found.net, found.params, found.inputs).verdict
    assert (measured["rate"], KINDS[int(measured["kind"])]) == (verdict.rate.value, verdict.kind)
    assert measured["memory"] == (np.inf if verdict.memory is None else verdict.memory)


def test_a_gain_of_zero_is_said_as_any_other() -> None:
    notes = [setting(rd.cells.vanilla(), T=5, gain=gain).notes[0] for gain in (None, 0.0, 1.5)]
    assert notes == ["weights: glorot, seed 0", "weights: glorot, gain 0, seed 0", "weights: glorot, gain 1.5, seed 0"]


def test_the_exponent_is_that_of_the_spectrum() -> None:
    nets = ensemble(gain=2.0, T=1000, roles={"recurrent": "lecun_normal"})
    params, inputs = nets.draw(0)
    top = analyze(nets.net, params, inputs).spectrum().lyapunov
    assert top is not None
    assert abs(nets.measure(0)["lyapunov"] - top.exponents[0]) < 1e-3


def test_a_chain_that_ends_is_cut_off() -> None:
    net = rd.Recurrence.parse("h[t] = relu(W @ x[t] + U @ h[t-1] + b)\nL = sum(h[T])")
    nets = Ensemble.of(net, {"h": 4, "x": 1}, T=50, input_scale=0.0, roles={"bias": -1})
    assert KINDS[int(nets.measure(0)["kind"])] == "cut off"


def test_random_networks_become_chaotic_at_the_critical_gain() -> None:
    """Sompolinsky, Crisanti and Sommers (1988): the rest of x' = J tanh(x) is lost at g = 1."""
    found = phase_diagram(
        "rnn", {"gain": [0.7, 3.0]}, sizes={"h": 64, "x": 1, "y": 1}, input_scale=0.0, T=150, seeds=2,
        roles={"recurrent": "lecun_normal"},
    )  # fmt: skip
    assert found.kinds.tolist() == ["vanishing", "chaotic"]
    assert 0.7 < found.critical("gain") < 3.0
    assert found.grid("rate", None).shape == (2, 2)


# ------------------------------------------------------------ on any executor


@pytest.fixture
def executors() -> Iterator[dict[str, Callable[[], Executor]]]:
    opened: list[Any] = []

    def dask() -> Executor:
        distributed = pytest.importorskip("distributed")
        client = distributed.Client(n_workers=2, threads_per_worker=1, dashboard_address=None, silence_logs=50)
        opened.append(client)
        executor: Executor = client.get_executor()
        return executor

    yield {"processes": lambda: processes(2), "dask": dask}
    for client in opened:
        client.close()
        client.cluster.close()


@pytest.mark.parametrize("name", ["processes", "dask"])
def test_any_executor_gives_the_same_bytes(name: str, executors: Any, tmp_path: Path) -> None:
    here, there = tmp_path / "here.jsonl", tmp_path / "there.jsonl"
    first = phase_diagram("lstm", AXES, sizes=SIZES, T=30, seeds=2, results=here)
    with executors[name]() as executor:
        second = phase_diagram("lstm", AXES, sizes=SIZES, T=30, seeds=2, executor=executor, results=there)
    assert here.read_bytes() == there.read_bytes()
    assert first.to_csv() == second.to_csv() and str(first) == str(second)


def test_results_of_another_diagram_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "results.jsonl"
    first = phase_diagram("rnn", AXES, sizes=SIZES, T=20, results=path)
    assert phase_diagram("rnn", AXES, sizes=SIZES, T=20, results=path).to_csv() == first.to_csv()
    for other in ({"T": 21}, {"T": 20, "scheme": "pytorch"}):
        with pytest.raises(InputError, match="other settings"):
            phase_diagram("rnn", AXES, sizes=SIZES, results=path, **other)
    with pytest.raises(InputError, match="other settings"):
        phase_diagram("gru", AXES, sizes=SIZES, T=20, results=path)


# ------------------------------------------------------------ told and drawn


@pytest.fixture(scope="module")
def diagram() -> Phases:
    axes = {"gain": [2.0, 0.5, 1.0], "T": [20, 40], "scheme": ["glorot", "pytorch"], "h": [6]}
    return phase_diagram("rnn", axes, sizes={"h": 3, "x": 1, "y": 1}, seeds=2)


def test_the_table_and_the_csv_say_verdicts_in_words(diagram: Phases) -> None:
    rows = list(csv.DictReader(io.StringIO(diagram.to_csv())))
    assert len(rows) == 24 and {row["kind"] for row in rows} <= set(KINDS)
    assert [float(row["rate"]) for row in rows] == diagram.grid("rate", None).ravel().tolist()
    assert [row[7] for row in diagram.cells()[1:]] == diagram.kinds.ravel().tolist()
    assert str(diagram).startswith("x 1, y 1, input_scale 1.0, state_scale 1.0; seeds 0, 1\n")
    assert repr(diagram).startswith("<Phases: 12 points (3 gain × 2 T × 2 scheme × 1 h) × 2 seeds")


def test_the_most_frequent_verdict_is_told(tmp_path: Path) -> None:
    codes = {0.5: (2, 5, 5), 1.0: (3, 2, 1), 2.0: (4, 4, 0)}
    points = tuple({"gain": g} for g in codes)
    records = tuple(
        Record(k, s, points[k], {"kind": c}) for k, cs in enumerate(codes.values()) for s, c in enumerate(cs)
    )
    found = Phases(Sweep(points, (0, 1, 2), records, {"gain": tuple(codes)}), ensemble())
    assert found.kinds.tolist() == ["chaotic", "cut off", "exploding"]
    assert found.to_csv(tmp_path / "a.csv") == (tmp_path / "a.csv").read_text()
    with pytest.raises(ResultsError, match="cannot write"):
        found.to_csv(tmp_path / "none" / "a.csv")


def test_the_critical_line_does_not_depend_on_the_order_of_an_axis() -> None:
    options: dict[str, Any] = {"sizes": {"h": 3, "x": 1}, "T": 30}
    shuffled = phase_diagram(LINEAR, {"gain": [2.0, 0.5, 4.0, 0.8]}, **options).critical("gain")
    assert shuffled == pytest.approx(0.8 - 1.2 * np.log(0.8) / np.log(2.0 / 0.8))


def test_a_map_shows_the_grid_in_rising_order(diagram: Phases) -> None:
    ax = diagram.plot.map(T=40, scheme="pytorch", x="gain", y="h")
    (mesh,) = [c for c in ax.collections if type(c).__name__ == "QuadMesh"]
    expected = diagram.grid("rate")[:, 1, 1, 0][[1, 2, 0]]
    assert np.array_equal(np.ravel(mesh.get_array()), expected)
    assert mesh.norm(0.0) == 0.5  # zero is the middle of the colours
    turned = diagram.plot.map(T=40, scheme="pytorch", x="h", y="gain").collections[0]
    assert np.array_equal(np.ravel(turned.get_array()), expected)


def test_the_critical_line_is_where_the_rate_is_zero() -> None:
    axes = {"gain": [0.5, 0.9, 1.2, 2.0], "h": [3, 5]}
    found = phase_diagram(LINEAR, axes, sizes={"h": 3, "x": 1}, T=40)
    lines = [c for c in found.plot.map(x="gain", y="h").collections if type(c).__name__ == "QuadContourSet"]
    (place,) = {round(float(x), 9) for x, _ in lines[-1].get_paths()[0].vertices}
    low, high = np.log(0.9), np.log(1.2)
    assert place == pytest.approx(0.9 + 0.3 * -low / (high - low)) == found.critical("gain")[0]
    assert min(lines[0].levels) < 0 < max(lines[0].levels) and 0 not in lines[0].levels
    assert np.isnan(phase_diagram(LINEAR, {"gain": [0.5, 0.7]}, sizes={"h": 3, "x": 1}, T=9).critical("gain"))


def test_contours_are_labelled_with_their_level_and_seen_on_what_is_dark() -> None:
    from matplotlib.colors import same_color

    axes = {"gain": [0.2, 0.5, 0.9, 1.2, 2.0], "h": [3, 5, 6]}
    ax = phase_diagram(LINEAR, axes, sizes={"h": 3, "x": 1}, T=40).plot.map(x="gain", y="h")
    (contours, *_) = [c for c in ax.collections if type(c).__name__ == "QuadContourSet"]
    labels = {float(t.get_text().replace("−", "-")) for t in ax.texts}
    assert labels and labels <= {round(float(v), 9) for v in contours.levels}
    assert all(t.get_path_effects() and same_color(t.get_color(), "black") for t in ax.texts)
    assert contours.get_path_effects()
    assert [t.get_text() for t in ax.get_yticklabels()] == ["3", "5", "6"]
    assert ax.get_legend_handles_labels()[1] == ["critical line, rate = 0"]


def test_colours_are_told_apart_in_grey() -> None:
    """Far below zero is darker than far above, and both are darker than zero."""
    from matplotlib.colors import LinearSegmentedColormap

    from rnnderive.chains.diagrams import DIVERGING

    colours = LinearSegmentedColormap.from_list("", DIVERGING)(np.linspace(0, 1, 101))[:, :3]
    grey = colours @ [0.299, 0.587, 0.114]
    assert (np.diff(grey[:51]) > 0).all() and (np.diff(grey[50:]) < 0).all()
    assert grey[0] + 0.25 < grey[-1] < grey[50] - 0.25


def test_lines_show_medians_for_each_value_of_the_other_axis(diagram: Phases) -> None:
    ax = diagram.plot.lines("gain", by="scheme", T=20)
    curves = ax.get_lines()[:2]
    for k, curve in enumerate(curves):
        assert np.array_equal(curve.get_xdata(), [0.5, 1.0, 2.0])
        assert np.array_equal(curve.get_ydata(), diagram.grid("rate")[[1, 2, 0], 0, k, 0])
    assert diagram.plot.svg("lines", x="gain", T=20) == diagram.plot.svg("lines", x="gain", T=20)


def test_categories_and_what_is_not_finite_are_drawn(diagram: Phases) -> None:
    ax = diagram.plot.map("memory", x="scheme", y="gain", T=20)
    assert [t.get_text() for t in ax.get_xticklabels()] == ["glorot", "pytorch"]
    assert "longer than the run" in ax.get_legend_handles_labels()[1]
    two = phase_diagram(LINEAR, {"gain": [0.5, 2.0], "scheme": ["glorot", "keras"]}, sizes={"h": 3, "x": 1}, T=9)
    marks = two.plot.map().get_lines()
    assert [m.get_xdata()[0] for m in marks[:2]] == pytest.approx([1.25, 1.25])  # ln ½ = −ln 2: in the middle
    assert "<svg" in two._repr_html_() and two._repr_html_().count("<tr>") == 5


# ------------------------------------------------------------ bad input


@pytest.mark.parametrize(
    ("axes", "options", "words"),
    [
        ({}, {}, "expected names with their values"),
        (["gain"], {}, "expected names with their values"),
        ({"gain": 1.0}, {}, r"gain is 1.0; expected a list, also for a single value: \[1.0\]"),
        ({"gain": []}, {}, "expected one at least"),
        ({"gain": [1.0, 1.0]}, {}, "each of them once"),
        ({"gian": [1.0]}, {}, "no setting and no size 'gian'; there are gain"),
        ({"gain": ["big"]}, {}, "gain is 'big'; expected a finite number"),
        ({"gain": [float("nan")]}, {}, "expected a finite number"),
        ({"input_scale": [-1.0]}, {}, "expected 0 or more"),
        ({"T": [1]}, {}, "expected a whole number of steps from 2"),
        ({"T": [10.0]}, {}, "expected a whole number of steps from 2"),
        ({"scheme": ["glorod"]}, {}, "did you mean glorot"),
        ({"scheme": [3]}, {}, "scheme is 3; expected a name"),
        ({"forget_bias": [1.0]}, {}, "no gate with a bias keeps the state"),
        ({"gain": [2.0]}, {"cell": "mingru"}, "no recurrent weights to multiply"),
        ({"gain": [1.0, 2.0]}, {"cell": "mingru"}, "no recurrent weights to multiply"),
        ({"h": [0]}, {}, "expected a whole number from 1"),
        ({"gain": [1.0]}, {"sizes": {"h": 3, "y": 1}}, "give the sizes {'x'"),
        ({"gain": [1.0]}, {"sizes": 3}, "expected widths by name"),
        ({"gain": [1.0]}, {"steps": 3}, "no setting 'steps'"),
        ({"gain": [1.0]}, {"cell": 3}, "found int; expected a recurrence"),
        ({"gain": [1.0]}, {"cell": "dense"}, "no chain"),
        ({"gain": [1.0]}, {"roles": {"diagonal": 1}}, "no parameter here"),
        ({"h": [8, 20_000]}, {}, "more than the 8 GiB allowed: h 20000.*allow it with memory="),
        ({"h": [800], "T": [10_000]}, {}, "more than the 8 GiB allowed: .* 10000 steps"),
        ({"h": [64]}, {"memory": 0.001}, "more than the 0.001 GiB allowed"),
    ],
)
def test_bad_input_gets_a_clear_error_before_anything_is_measured(axes: Any, options: Any, words: str) -> None:
    options = {"cell": "rnn", "sizes": SIZES, "T": 10, **options}
    options = {n: v for n, v in options.items() if n not in axes}
    with pytest.raises(InputError, match=words):
        phase_diagram(axes=axes, **options)


def test_figures_say_what_they_need(diagram: Phases) -> None:
    for wrong, words in (
        (lambda: diagram.plot.map(x="gain", y="T"), "found no value of scheme; expected one of glorot, pytorch"),
        (lambda: diagram.plot.map(x="gain", y="T", scheme="keras"), "found 'keras' of scheme"),
        (lambda: diagram.plot.map(x="gain", y="bias"), "'bias' is no axis"),
        (lambda: diagram.plot.map("kind", T=20, scheme="glorot"), "a verdict is no number"),
        (lambda: diagram.plot.map("rates", T=20, scheme="glorot"), "nothing called 'rates'"),
        (lambda: diagram.plot.map(x="gain", y="gain"), "a map needs two axes"),
        (lambda: diagram.plot.lines("scheme"), "values that are no numbers"),
        (lambda: diagram.critical("scheme"), "values that are no numbers"),
    ):
        with pytest.raises(InputError, match=words):
            wrong()
