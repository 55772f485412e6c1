"""Parts of a report: what they show is what the derivation, the run and the checks gave, in every language."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from typing import Any

import numpy as np
import pytest
import typer
from typer.testing import CliRunner

from rnnderive import cells
from rnnderive import printing as pr
from rnnderive import report as rp
from rnnderive.calculus import Factor
from rnnderive.calculus.steps import RULES
from rnnderive.chains import Cause, Rate, Verdict
from rnnderive.chains import chains as chains_of
from rnnderive.checks import check, point
from rnnderive.cli import app
from rnnderive.derivation import derive, reference_run
from rnnderive.errors import InputError
from rnnderive.language import Recurrence, T, Term
from rnnderive.language import terms as tm
from rnnderive.printing.style import TINTS
from rnnderive.programs import prepare
from rnnderive.report import document as doc
from rnnderive.report import figures, fit, languages
from rnnderive.report import parts as pt
from rnnderive.report.parts.behaviour import bound_words, headline
from rnnderive.report.parts.formulas import array_math, substituted
from rnnderive.report.parts.jacobians import named_blocks, step_paths
from rnnderive.report.parts.numbers import factors
from rnnderive.report.parts.steps import states
from rnnderive.report.parts.terms import term_table
from rnnderive.report.parts.verification import slug
from rnnderive.weights import SAMPLE, initialise

LOOPS = [n for n in cells.LIBRARY if n != "dense"]
QUICK = ("notation", "model", "steps", "general", "jacobians", "adjoint", "components", "terms", "numbers", "code")


def case(name: str = "vanilla", **options: Any) -> pt.Case:
    return pt.Case(cells.load(name), name, **options)


def nodes(value: Any) -> Iterator[Any]:
    """Every value inside a document."""
    yield value
    if isinstance(value, list | tuple):
        for v in value:
            yield from nodes(v)
    elif is_dataclass(value) and not isinstance(value, type):
        for f in fields(value):
            yield from nodes(getattr(value, f.name))


# ---------------------------------------------------------------- the worked numbers


@pytest.mark.parametrize("at", ["last", "every"])
@pytest.mark.parametrize("kind", ["cross_entropy", "binary_cross_entropy", "log_loss", "squared_error"])
def test_the_targets_of_the_worked_numbers_are_those_of_their_loss(kind: str, at: str) -> None:
    net = cells.loss(
        cells.readout(cells.load("vanilla", loss=None), "sigmoid" if kind == "log_loss" else None), kind, at
    )
    for seed in range(3):
        target = pt.small_point(net, 3, seed)[1]["target"]
        assert (np.isin(target, (0, 1)).all()) == (kind != "squared_error")
        assert (target.sum(-1) == 1).all() or kind != "cross_entropy"
    d = derive(net)
    params, inputs = pt.small_point(net, 3, 0)
    loss, grads = d.lambdify()(params, inputs)
    assert np.isfinite(loss) and all(np.isfinite(g).all() for g in grads.values())


# ---------------------------------------------------------------- Jacobians and their paths


@pytest.mark.parametrize("name", LOOPS)
def test_the_paths_through_a_step_add_up_to_the_jacobian(name: str) -> None:
    net = cells.load(name)
    at = point(net, T=4)
    run = reference_run(net, prepare(net, at.params, at.inputs))
    for chain in chains_of(net):
        for v in chain.states:
            for u in chain.states:
                block = chain.block(v, u)
                paths = step_paths(chain.net, chain, v, u)
                assert bool(paths) is not block.is_null
                if paths:
                    whole = sum(np.asarray(run.term(p.factor, 2), dtype=float) for p in paths)
                    assert whole == pytest.approx(np.asarray(run.term(block, 2), dtype=float), rel=1e-10, abs=1e-12)


@pytest.mark.parametrize("name", ["lstm", "peephole_lstm", "stacked_lstm", "bidirectional_lstm"])
def test_named_parts_put_back_make_the_jacobian(name: str) -> None:
    def put_back(term: Term) -> Term:
        return tm.transform(term, lambda node: put_back(node.jacobian) if isinstance(node, Factor) else None)

    for chain in chains_of(cells.load(name)):
        run = reference_run(chain.net, prepare(chain.net, *pt.small_point(chain.net, 3, 0)))
        shown = named_blocks(chain)
        assert any(isinstance(part, Factor) for part in tm.parts(*shown.values()))
        for (v, u), block in shown.items():
            assert not any(part == Factor("partial", *part.args[1:3], chain.block(v, u))
                           for part in tm.parts(block) if isinstance(part, Factor))  # fmt: skip
            np.testing.assert_allclose(run.term(put_back(block), 2), run.term(chain.block(v, u), 2), rtol=1e-12)


def test_no_jacobian_of_a_stacked_lstm_is_longer_than_a_few_lines() -> None:
    chain, = chains_of(cells.load("stacked_lstm"))  # fmt: skip
    for block in named_blocks(chain).values():
        assert len(fit.lines(block.math(chain.net.notation), 30.0)) <= 3


def test_the_letter_of_a_state_of_several_sequences_is_explained() -> None:
    shown = case("stacked_lstm", parts=("steps",))
    (said,) = states(shown, shown.d.chain(shown.leading))
    text = doc.plain(said.content)
    for letter, members in (("s_1", "[h_1^t, C_1^t]"), ("s_2", "[h_2^t, C_2^t]")):
        assert f"{letter}^t = {members}" in text
    assert not states(case("vanilla"), case("vanilla").d.chain("W"))


@pytest.mark.parametrize(("detail", "worked"), [("lecture", 3), ("full", 6)])
def test_of_factors_that_differ_in_the_step_alone_the_first_is_worked_out(detail: str, worked: int) -> None:
    shown = case("gru", detail=detail)
    sides = [len(e.math.items) for e in factors(shown, shown.leading) if isinstance(e, rp.Equation)]
    assert len(sides) == 6
    assert sum(n > 2 for n in sides) == worked
    assert min(sides) == (2 if detail == "lecture" else 4)


def test_a_reset_gate_makes_a_path_of_four() -> None:
    (chain,) = chains_of(cells.gru())
    assert [p.names for p in step_paths(chain.net, chain, "h", "h")] == [
        ("h", "h"), ("h", "z", "h"), ("h", "h_add", "h"), ("h", "r", "h_add", "h"),
    ]  # fmt: skip


# ---------------------------------------------------------------- colours, numbers, terms


@pytest.mark.parametrize("name", ["vanilla", "lstm", "stacked_lstm", "bidirectional_rnn"])
def test_a_factor_and_its_arrow_share_colour_and_number(name: str) -> None:
    c = case(name)
    graph, tints = c.graph(c.leading), c.tints(c.leading)
    assert [e.number for e in tints.edges] == list(range(1, len(tints.edges) + 1))
    painted = [n for n in nodes(tints.paint(c.math(c.d.chain(c.leading, c.T)))) if isinstance(n, pr.Tinted)]
    assert {(n.mark, n.tint) for n in painted} == {(str(e.number), e.tint) for e in tints.edges}
    assert not any(isinstance(inner, pr.Tinted) for n in painted for inner in nodes(n.body))
    figure = figures.gradient_graph(graph, tints.edges)
    drawn = {t.get_text(): t.get_color() for t in figure.axes[0].texts if t.get_text().isdigit()}
    assert drawn == {str(e.number): TINTS[e.tint] for e in tints.edges}


def test_the_last_row_of_the_term_table_is_the_gradient_and_shares_are_a_whole() -> None:
    c = case("lstm")
    table = term_table(c, "W_f")
    _, gradients = c.d.lambdify()(*c.numbers)
    assert rp.plain(table.rows[-1][3]) == f"{np.linalg.norm(gradients['W_f']):.4g}"
    assert [row[0] for row in table.rows[:-1]] == ["3", "2", "1"]
    assert sum(float(str(row[4]).rstrip("%")) for row in table.rows[:-1]) == pytest.approx(100, abs=0.2)


def test_numbers_are_put_in_the_place_of_whole_names_only() -> None:
    net = cells.gru()
    shown = substituted(net["z"].right.math(net.notation), {pr.name_math("W"): pr.Numeral("7")})
    assert "7" not in pr.text(shown)
    assert "7" in pr.text(substituted(net["h_add"].right.math(net.notation), {pr.name_math("W"): pr.Numeral("7")}))


def test_every_worked_line_ends_with_the_value_of_the_run() -> None:
    c = case("lecture", detail="full")
    lines = [b for s in pt.PARTS["numbers"](c) for b in s.blocks if isinstance(b, rp.Equation)]
    ends = {e.math.items[0]: e.math.items[-1] for e in lines if isinstance(e.math, pr.Infix) and "=" in e.math.signs}
    for step in (1, 2, 3):
        assert ends[pr.with_index(pr.Letter("h"), pr.Numeral(str(step)))] == array_math(c.course["h"][step - 1])
    substituted_line = next(e for e in lines if e.math.items[0] == pr.with_index(pr.Letter("h"), pr.Numeral("1")))
    assert array_math(c.numbers[1]["h0"]) in list(nodes(substituted_line.math.items[2]))


def test_a_right_to_left_loop_begins_with_its_last_step() -> None:
    net = Recurrence.parse("h_R[t] = tanh(W @ x[t] + U @ h_R[t+1] + b)\nL = squared_error(h_R[1], target)")
    (section,) = rp.cell_document(net, "right", parts=["numbers"]).sections
    said = [plain(b.content) for b in section.blocks if isinstance(b, rp.Paragraph)]
    assert "Forward, step 3:" in said and "Forward, step 1:" not in said


# ---------------------------------------------------------------- languages


@pytest.mark.parametrize("lang", languages.available())
def test_every_rule_rung_method_and_tolerance_has_its_words(lang: str) -> None:
    words = languages.load(lang)
    for kind, template in RULES.items():
        assert set(re.findall(r"\{(\w+)\}", template)) == set(re.findall(r"\{(\w+)\}", words.sentence(f"rule.{kind}")))
    rows = [*check(cells.vanilla()), *check(derive(cells.vanilla(), truncate=2), rungs="truncation")]
    for row in rows:
        assert row.ok
        for kind, text in (("rung", row.rung), ("method", row.method), ("tolerance", row.tolerance)):
            words.sentence(f"{kind}.{slug(text)}")


@pytest.mark.parametrize("lang", languages.available())
@pytest.mark.parametrize("kind", ["vanishing", "exploding", "chaotic", "critical", "undetermined", "cut off", "silent"])
def test_every_verdict_has_a_sentence(lang: str, kind: str) -> None:
    verdict = Verdict(kind, Rate(-0.25, 0.01), 50, 7, {}, 3, (Cause("", "", 0.1, -0.1, 0.2, "function", "h"),))
    said = plain(headline(case(lang=lang), verdict))
    assert said.endswith(".")
    assert kind in ("cut off", "silent") or ("0,25" if lang == "ru" else "0.25") in said


@pytest.mark.parametrize(("steps", "words"), [(7, "7 steps are too few"), (8, "cannot be told from 0")])
def test_a_short_run_says_no_rate_and_a_long_one_that_it_is_not_told_from_0(steps: int, words: str) -> None:
    verdict = Verdict("undetermined", Rate(-0.25, 0.5), steps, None, {}, None, ())
    assert words in plain(headline(case(), verdict))
    assert ("too few" in verdict.headline) is (steps == 7)  # as the analysis itself says


def test_the_english_verdict_says_what_the_analysis_says() -> None:
    c = case("indrnn")
    (analysis,) = c.analyses
    assert plain(headline(c, analysis.verdict)).startswith(str(analysis.verdict.headline).split(":")[0])
    assert "sufficient for vanishing" in analysis.bounds.words
    assert "0.999399 < 1" in plain(bound_words(c, analysis.bounds))


def plain(text: Any) -> str:
    return rp.plain(text).replace("\xa0", " ")


# ---------------------------------------------------------------- parts, detail, cells


@pytest.mark.parametrize("name", ["dense", "gru_reset_after", "peephole_lstm", "mingru", "bidirectional_rnn"])
@pytest.mark.parametrize("lang", ["en", "ru"])
def test_every_part_of_any_cell_can_be_numbered_and_printed(name: str, lang: str) -> None:
    document = rp.cell_document(cells.load(name), name, lang=lang, parts=QUICK)
    assert len(document.sections) >= len(QUICK) - 1
    assert rp.typst_source(document) and rp.latex_source(document)


def test_parts_are_chosen_and_stand_in_the_order_of_a_report() -> None:
    assert pt.chosen("lecture", ["code", "model"]) == ("model", "code")
    assert set(pt.chosen("brief")) < set(pt.chosen("lecture"))
    with pytest.raises(InputError, match="found the parts modle; expected some of result, notation, model"):
        pt.chosen("lecture", ["modle"])
    with pytest.raises(InputError, match="detail is 'long'; expected one of brief, lecture, full"):
        pt.chosen("long")


def test_detail_says_how_much_is_written_out() -> None:
    lengths = [
        len([n for n in nodes(pt.PARTS["steps"](case(detail=detail))) if isinstance(n, rp.Step)])
        for detail in ("brief", "full")
    ]
    assert lengths[0] < lengths[1]


def test_no_more_steps_than_can_be_read() -> None:
    with pytest.raises(InputError, match="T is 13; a derivation is written out for 1 to 12 steps"):
        case(T=13)


def test_the_closed_form_stands_for_parameters_that_share_it() -> None:
    (section,) = pt.PARTS["general"](case("lstm"))
    displays = [b for b in section.blocks if isinstance(b, rp.Equation)]
    said = " ".join(rp.plain(b.content) for b in section.blocks if isinstance(b, rp.Paragraph))
    assert len(displays) == 1 and all(pr.text(pr.name_math(n)) in said for n in ("b_f", "W_o", "b_y"))
    c = case("lstm")
    for name in ("b_f", "W_o"):
        form = {c.math(c.net.leaf(n)): pr.Word("") for n in (name, "W_f")}
        assert substituted(c.math(c.d.chain(name, T)), form) == substituted(c.math(c.d.chain("W_f", T)), form)


# ---------------------------------------------------------------- the command line


def run(*arguments: str) -> Any:
    return CliRunner().invoke(app, ["report", *arguments])


def test_a_cell_from_a_file_in_russian(tmp_path: Any) -> None:
    (tmp_path / "leaky.txt").write_text("h[t] = (1 - a) * h[t-1] + a * tanh(W @ x[t])\nL = squared_error(h[T], z)\n")
    result = run(str(tmp_path / "leaky.txt"), "-o", str(tmp_path / "out"), "--lang", "ru", "--format", "md",
                 "--parts", "model,adjoint")  # fmt: skip
    assert result.exit_code == 0, result.output
    written = (tmp_path / "out" / "leaky.md").read_text("utf-8")
    assert "Модель" in written and "Обозначения" not in written


def test_the_weights_of_a_model_are_run(tmp_path: Any) -> None:
    rng = np.random.default_rng(0)
    state = {"rnn.weight_ih_l0": rng.normal(size=(4, 3)), "rnn.weight_hh_l0": 0.4 * rng.normal(size=(4, 4)),
             "rnn.bias_ih_l0": np.zeros(4), "rnn.bias_hh_l0": np.zeros(4)}  # fmt: skip
    np.savez(tmp_path / "model.npz", **state)
    result = run("--weights", str(tmp_path / "model.npz"), "-o", str(tmp_path / "out"), "--format", "md",
                 "--parts", "behaviour", "--text", "a cat exists")  # fmt: skip
    assert result.exit_code == 0, result.output
    written = (tmp_path / "out" / "model.md").read_text("utf-8")
    written = written.replace("\xa0", " ")
    assert "3 steps, 4 state entries, on the weights and the input that were given" in written
    assert "--parts behaviour" in written and "--text 'a cat exists'" in written


@pytest.mark.parametrize("lang", ["en", "ru"])
@pytest.mark.parametrize(("words", "told"), [("a cat exists", False), ("one " * 8, True)])
def test_under_eight_steps_neither_causes_nor_paths_are_told(words: str, told: bool, lang: str, tmp_path: Any) -> None:
    result = run("lstm", "--text", words, "-o", str(tmp_path), "--format", "md", "--parts", "behaviour",
                 "--lang", lang)  # fmt: skip
    assert result.exit_code == 0, result.output
    written = (tmp_path / "lstm.md").read_text("utf-8").replace("\xa0", " ")
    assert any(w in written for w in ("What it costs", "Чего это стоит")) == told
    assert any(w in written for w in ("bundles of paths", "на пучки путей")) == told
    assert any(w in written for w in ("on a longer run", "на более длинном прогоне")) == told
    assert any(w in written for w in ("So short a run", "По такому короткому прогону")) != told


def test_a_report_takes_words_as_a_chain_does(tmp_path: Any) -> None:
    text = ("vanilla", "--text", "a dog exists", "--vectors", str(SAMPLE), "--unknown", "skip")
    result = run(*text, "-o", str(tmp_path), "--format", "md", "--parts", "behaviour")
    assert result.exit_code == 0, result.output
    written = (tmp_path / "vanilla.md").read_text("utf-8").replace("\xa0", " ")
    assert "2 words, vectors of" in written and "without a vector" in written and "dog" in written
    assert "random vector" not in written
    assert f"--vectors {SAMPLE} --unknown skip" in written.replace("\\_", "_")


def test_a_report_takes_an_input_and_names_of_arrays(tmp_path: Any) -> None:
    net, rng = cells.vanilla(), np.random.default_rng(0)
    params = initialise(net, 0, sizes={"h": 3, "x": 2, "y": 1})
    np.savez(tmp_path / "model.npz", **{f"my.{n}": a for n, a in params.items()})
    named = [word for n in params for word in ("--array", f"{n}=my.{n}")]
    np.save(tmp_path / "x.npy", rng.normal(size=(20, 2)))
    result = run("vanilla", "--weights", str(tmp_path / "model.npz"), *named, "--input",
                 str(tmp_path / "x.npy"), "-o", str(tmp_path), "--format", "md", "--parts", "behaviour")  # fmt: skip
    assert result.exit_code == 0, result.output
    written = (tmp_path / "vanilla.md").read_text("utf-8").replace("\xa0", " ")
    assert "20 steps, 3 state entries, on the weights and the input that were given" in written


def test_the_same_options_are_told_in_the_same_words() -> None:
    given = ("--weights", "--layer", "--read", "--array", "--text", "--vectors", "--unknown", "--input")
    commands = typer.main.get_command(app).commands
    told = [{o: p.help for p in commands[c].params for o in p.opts if o in given} for c in ("chain", "report")]
    assert told[0] == told[1] and set(told[0]) == set(given)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("gru", "--vectors", "v.txt"), "--vectors has no effect without --text"),
        (("gru", "--text", "a cat", "--input", "x.npy"), "--input has no effect beside --text"),
        (("gru", "--read", "readout=fc"), "--read has no effect without --weights"),
        (("lecture", "--vectors", "v.txt"), "found --vectors with the report lecture"),
        (("lecture", "--parts", "model"), "found --parts with the report lecture"),
        (("gru", "--quick"), "found --quick with the report 'gru'"),
        (("gru", "--layer", "rnn"), "--layer has no effect without --weights"),
        ((), "there is nothing to report on"),
        (("gru", "--lang", "xx"), "no words for the language 'xx'"),
        (("gru", "--T", "0"), "T is 0; a derivation is written out for 1 to 12 steps"),
    ],
)
def test_what_has_no_effect_is_refused(arguments: tuple[str, ...], message: str) -> None:
    result = run(*arguments)
    assert result.exit_code == 2 or isinstance(result.exception, InputError)
    assert message in (result.output + str(result.exception))
