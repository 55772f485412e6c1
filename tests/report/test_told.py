"""What the rooms below say in English is said in every language: mistakes, remarks, notes, verdicts."""

from __future__ import annotations

import re

import pytest

import rnnderive as rd
from rnnderive.chains.setting import setting
from rnnderive.hand.edits import edits
from rnnderive.hand.problem import Problem
from rnnderive.report import languages, markdown_source, plain
from rnnderive.report.languages.told import patterned, told

RU = languages.load("ru")
ENGLISH = re.compile(r"\b(the|is|are|it|of|for|in|stands|should|step|steps|path|factor|every|with|not|was|has)\b")


def russian(text: str) -> str:
    return plain(told(RU, text)).replace("\u00a0", " ")


@pytest.mark.parametrize("cell", ["vanilla", "lstm", "gru_reset_after"])
def test_every_mistake_of_the_catalogue_is_said_in_russian(cell: str) -> None:
    texts = {e.text for e in edits(Problem(rd.cells.load(cell), T=3, batch=2))}
    texts |= {e.text for e in edits(Problem(rd.cells.load(cell), T=4, window=2))}
    assert len(texts) > 500
    assert [t for t in sorted(texts) if not patterned(t)] == []
    code = re.compile(r"if .*?==.*? else \w+")  # a condition is the language's own
    assert [r for t in sorted(texts) if ENGLISH.search(r := code.sub("", russian(t)))] == []


@pytest.mark.parametrize(
    ("english", "expected"),
    [
        ("dW: the factor 1 − h² is missing", "dW: пропущен множитель 1 − h²"),
        ("in every equation (dW, dU): the state of step t stands where h[t−1] belongs",
         "во всех уравнениях (dW, dU): состояние шага t стоит там, где должно быть h[t−1]"),
        ("truncated after 2 steps (not 3)", "усечено через 2 шага (а не через 3)"),
        ("dW is clipped at ±0.25", "dW: обрезано по порогу ±0,25"),
        ("zero stands for 2 words ('a', 'b'), without a vector", "без вектора, заменены нулём: 2 слова ('a', 'b')"),
        ("weights of int8 are read as they are, not scaled: are they quantised?",
         "веса типа int8 прочитаны как есть, без масштаба: не квантованы ли они?"),
        ("weights: m.npz (rnn: lstm, 2 layers, both directions, 4 inputs, 8 units)",
         "веса: m.npz (rnn: lstm, 2 слоя, в обе стороны, входов 4, элементов 8)"),
        ("what no one said", "what no one said"),
    ],
)  # fmt: skip
def test_a_sentence_and_what_stands_in_it(english: str, expected: str) -> None:
    assert russian(english) == expected
    assert plain(told(languages.load("en"), english)) == english


def test_notes_on_a_run_are_said_in_russian() -> None:
    notes = setting(rd.cells.lstm(), T=50, sizes={"h": 16}, state_scale=0.5).notes
    notes += setting(rd.cells.lstm(), text="a cat exists", sizes={"h": 16}, gain=2.0).notes
    assert len(notes) > 5 and all(map(patterned, notes))
    assert not [r for n in notes if ENGLISH.search(r := russian(n))]


def test_a_verdict_is_a_document_in_every_language() -> None:
    d = rd.derive("vanilla")
    wrong = rd.verify(d.net, str(d.adjoint).replace("U.T", "U"))
    pages = {lang: markdown_source(wrong.to_document(lang=lang)) for lang in languages.available()}
    assert "U stands where U.T belongs" in pages["en"] and "U стоит там, где должно быть U.T" in pages["ru"]
    assert len({page.count("<code>") for page in pages.values()}) == 1
    assert not ENGLISH.search(re.sub(r"<[^>]*>", "", pages["ru"]))
    right = rd.verify(d.net, str(d.adjoint)).to_document(lang="ru")
    assert plain(right.title).replace("\u00a0", " ") == "Верно: 6 градиентов, все такие, как даёт исчисление"
