"""A language is one complete file; sentences are filled, declined and written as it says."""

from __future__ import annotations

import importlib
import shutil
from pathlib import Path

import pytest

from rnnderive import cells
from rnnderive import printing as pr
from rnnderive import report as rp
from rnnderive.errors import InputError
from rnnderive.report import document as doc
from rnnderive.report import languages
from rnnderive.report.languages import catalogue
from tests.report.words import english, said

FOLDER = Path(catalogue.__file__).parent
OTHERS = [lang for lang in languages.available() if lang != "en"]


def written(tmp_path: Path, **changes: str) -> str:
    """A copy of the English catalogue with some lines changed."""
    text = (FOLDER / "en.toml").read_text("utf-8")
    for old, new in changes.values():  # type: ignore[misc]
        assert old in text
        text = text.replace(old, new)
    path = tmp_path / "xx.toml"
    path.write_text(text, "utf-8")
    return str(path)


@pytest.mark.parametrize("lang", OTHERS)
def test_every_language_has_the_names_placeholders_and_formulas_of_english(lang: str) -> None:
    assert catalogue.differences(catalogue._read(FOLDER / f"{lang}.toml"), languages.load("en")) == []


@pytest.mark.parametrize("lang", languages.available())
def test_every_plural_has_as_many_forms_as_its_language(lang: str) -> None:
    words = languages.load(lang)
    for key, sentence in words.sentences.items():
        for kind, inside in catalogue._tokens(sentence):
            if kind == "hole" and "?" in inside:
                assert inside.count("|") == len(words.plurals), key


def test_no_english_word_is_left_in_russian() -> None:
    left = {key: english(sentence) for key, sentence in languages.load("ru").sentences.items()}
    assert {key: words for key, words in left.items() if words} == {}


@pytest.mark.parametrize("name", ["vanilla", "gru", pytest.param("lecture", marks=pytest.mark.slow)])
def test_no_english_word_is_left_in_a_russian_document(name: str) -> None:
    document = rp.lecture_document("ru") if name == "lecture" else rp.cell_document(cells.load(name), "", lang="ru")
    texts = list(said(document))
    assert len(texts) > 100
    assert {text: left for text in texts if (left := english(text))} == {}


def test_a_missing_sentence_is_named(tmp_path: Path) -> None:
    lang = written(tmp_path, a=('contents = "Contents"\n', ""))
    with pytest.raises(InputError, match=r"structure\.contents is missing"):
        languages.load(lang)


def test_a_lost_placeholder_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"structure\.table has other placeholders: nothing, not number"):
        languages.load(written(tmp_path, a=('"Table {number}"', '"Tables"')))


def test_a_third_language_is_a_file(tmp_path: Path) -> None:
    lang = written(tmp_path, a=('"Table {number}"', '"Tafel {number}"'), b=('decimal = "."', 'decimal = ","'))
    document = doc.Document("t", [doc.Section("s", [doc.Table(["a"], [["b"]], "c")])], lang=lang)
    from rnnderive.report.numbering import number

    assert number(document).sections[0].block.blocks[0].word == "Tafel 1"
    shutil.rmtree(tmp_path)


@pytest.mark.parametrize("values", [{}, {"number": 1, "more": 2}])
def test_values_that_are_not_the_placeholders_are_named(values: dict[str, int]) -> None:
    with pytest.raises(InputError, match=r"structure\.step.*expected number"):
        languages.load("en")("structure.step", **values)


def test_an_unknown_sentence_and_an_unknown_language() -> None:
    with pytest.raises(InputError, match=r"did you mean structure\.step"):
        languages.load("en")("structure.steps")
    with pytest.raises(InputError, match="'tlh'; there are en, ru"):
        languages.load("tlh")


def sentence(text: str, lang: str = "en", **values: languages.Value) -> tuple[doc.Inline, ...]:
    from dataclasses import replace

    return replace(languages.load(lang), sentences={"s": text})("s", **values)


def test_a_sentence_becomes_a_text_of_a_document() -> None:
    h = pr.Script(pr.Letter("h"), None, pr.Infix(("", "-"), (pr.Letter("t"), pr.Numeral("1")), pr.SUM))
    assert sentence(r"**All {n}** of $h[t-1]$, *see* {place}: `x*y`, 2 \* 3", n=7, place=doc.Ref("eq")) == (
        doc.Bold("All 7"), " of ", doc.Formula(h), ", ", doc.Emph("see"), " ", doc.Ref("eq"), ": ", doc.Code("x*y"),
        ", 2 * 3",
    )  # fmt: skip


def test_what_is_given_is_never_read_as_markup() -> None:
    assert sentence("The cell {cell}", cell="*{x}* $y$ `z`") == ("The cell *{x}* $y$ `z`",)


@pytest.mark.parametrize(
    ("n", "steps"), [(1, "шаг"), (3, "шага"), (11, "шагов"), (12, "шагов"), (22, "шага"), (0, "шагов"), (101, "шаг")]
)
def test_russian_plurals(n: int, steps: str) -> None:
    assert sentence("{n} {n?шаг|шага|шагов}", "ru", n=n) == (f"{n}\u00a0{steps}",)


def test_decimal_marks_and_minus_signs() -> None:
    assert sentence("{x:.2f} {y}", "ru", x=-0.5, y=2.5e-9) == ("−0,50 2,5·10⁻⁹",)
    assert languages.load("ru").share(0.1234) == "12,3\u00a0%" and languages.load("en").share(0.1234) == "12.3%"


def test_short_russian_words_stay_with_the_next_one() -> None:
    assert sentence("и в слове — как у Гоголя", "ru") == ("и\u00a0в\u00a0слове\u00a0— как\u00a0у\u00a0Гоголя",)


def test_a_label_of_a_picture_has_formulas_in_dollars() -> None:
    from dataclasses import replace

    words = replace(languages.load("en"), sentences={"s": "norm of $W_f$, {p}"})
    assert words.label("s", p="5$") == r"norm of $W_{f}$, 5\$"


@pytest.mark.parametrize("name", ["lecture", "comparison"])
def test_a_report_in_a_language_from_a_file_is_named_by_its_code(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lang = written(tmp_path, code=('code = "en"', 'code = "xx"'))
    short = rp.Document("t", [rp.Section("s", [])], lang=lang)
    module = importlib.import_module(f"rnnderive.report.{name}_report")
    monkeypatch.setattr(module, f"{name}_document", lambda lang: short)
    assert getattr(rp, name)(tmp_path / "out", lang=lang, formats=["md"]) == tmp_path / "out" / f"{name}_xx.md"
