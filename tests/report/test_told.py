"""What the rooms below say in English is said in every language: mistakes, remarks, notes, verdicts."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

import pytest

import rnnderive as rd
from rnnderive.chains.setting import setting
from rnnderive.hand.edits import clippings, edits, system_of
from rnnderive.hand.edits.clips import within
from rnnderive.hand.problem import Problem
from rnnderive.report import languages, markdown_source, plain
from rnnderive.report.languages import told as reading
from rnnderive.report.languages.told import patterned, told
from rnnderive.report.verdict_report import METHODS

EN, RU = languages.load("en"), languages.load("ru")
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
        ("a gradient of Z is returned, but the forward has no such parameter",
         "возвращён градиент по Z, но такого параметра в прямом проходе нет"),
        ("your h is not that of the network", "h у вас не такое, как у заданной сети"),
        ("the forward: it writes on its arguments: x", "прямой проход: программа меняет свои аргументы: x"),
        ("the backward: it raised ValueError: no message (in f, a.py, line 3)",
         "обратный проход: программа остановилась с ошибкой ValueError: без сообщения (в f, a.py, строка 3)"),
        ("it gave no answer within 0.5 s (when f was called)", "программа не ответила за 0,5 с (при вызове f)"),
        ("different at h[t=2][1, 0] (decided in field), though equal at the test points",
         "различие в h[t=2][1, 0] (найдено в конечном поле), хотя в точках проверки равны"),
        ("dW is a list of 3, of unequal shapes; expected an array of the shape (2, 3)",
         "dW: list длины 3, части разной формы; ожидался массив формы (2, 3)"),
        ("only a part of the gradient of W was given: that of another array that it is in is missing",
         "градиент по W дан лишь частью: нет градиента по другому массиву, в который он входит"),
        ("of 3 layouts the forward fits this one: the cell's own",
         "из 3 раскладок прямому проходу подходит эта: собственная раскладка ячейки"),
        ("weights: m.npz (the parameters of lstm, by name)", "веса: m.npz (параметры lstm, по именам)"),
        ("what no one said", "what no one said"),
    ],
)  # fmt: skip
def test_a_sentence_and_what_stands_in_it(english: str, expected: str) -> None:
    assert russian(english) == expected
    assert plain(told(EN, english)) == english


@lru_cache
def strings() -> str:
    """Every string in the code of the rooms that say these sentences."""
    package = Path(rd.__file__).parent
    files = [p for room in ("hand", "weights", "chains", "checks") for p in sorted((package / room).rglob("*.py"))]
    nodes = (node for p in files for node in ast.walk(ast.parse(p.read_text("utf-8"))))
    return "\n".join(n.value for n in nodes if isinstance(n, ast.Constant) and isinstance(n.value, str))


def keys(text: str) -> Iterator[str]:
    """The names of the sentences of which a text is made."""
    if found := reading._found(text):
        yield found[0]
        for inside in found[1].values():
            yield from keys(inside)


def test_every_pattern_is_of_a_sentence_that_the_code_says() -> None:
    problem = Problem(rd.cells.gru(), T=3)
    made = [*edits(problem), *clippings(problem, {"dW_f": 0.25})]
    texts = [e.text for e in made] + [clip.found(system_of(problem), 0.25)[2] for clip in within(system_of(problem))]
    texts += setting(rd.cells.load("vanilla"), T=3, sizes={"h": 2}).notes
    # A string of the code with one word of another in it.
    joined = {f"said.{k}" for k in ("half_own", "minus_own", "different_field", "different_digits")}
    said = {key for text in texts for key in keys(text)} | joined
    left = {
        key: piece
        for key, sentence in EN.sentences.items()
        if key.startswith(reading.TABLE) and key not in said
        for piece in (p.strip(" ,") for p in re.split(r"\{[^{}]*\}|[;:().]", sentence.replace("\\", "")))
        if piece not in strings()
    }
    assert left == {}
    assert [method for method in METHODS if method not in strings()] == []


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
